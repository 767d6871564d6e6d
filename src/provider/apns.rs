//! Apple's push notifications: `POST /3/device/{token}`.

use serde_json::{Map, Value, json};

use super::http;
use super::message::ProviderMessage;
use super::push;

/// What an app is called whose name is not given.
const TOPIC: &str = "com.example.app";

pub fn request(message: &ProviderMessage<'_>) -> Value {
    let push = push::read(message);
    // A silent one wakes the app and shows nothing.
    let is_silent = message.overridden(&["silent"]).is_some_and(|it| it == &Value::Bool(true));
    let mut alert = json!({ "body": push.body });
    if let Some(title) = push.title {
        alert["title"] = title.into();
    }
    let mut aps = if is_silent { json!({ "content-available": 1 }) } else { json!({ "alert": alert }) };
    let mut data: Map<String, Value> = push.data_with_action();
    if let Some(image) = &push.image {
        data.insert("image".to_owned(), image.as_str().into());
        aps["mutable-content"] = 1.into();
    }
    let mut body = json!({ "aps": aps });
    if !data.is_empty() {
        body["data"] = Value::Object(data);
    }
    let host = match message.override_.and_then(|it| it.pointer("/config/isProduction")) {
        Some(Value::Bool(false)) => "api.sandbox.push.apple.com",
        _ => "api.push.apple.com",
    };
    let url = format!("https://{host}/3/device/{}", http::segment(message.address));
    let (kind, priority) = if is_silent { ("background", "5") } else { ("alert", "10") };
    let authorization = "bearer PROVIDER_TOKEN";
    let headers = [
        ("authorization", authorization),
        ("apns-topic", message.config(&["topic", "bundleId"]).unwrap_or(TOPIC)),
        ("apns-push-type", kind),
        ("apns-priority", priority),
    ];
    http::post(&url, http::JSON, &headers, body)
}
