//! Airship: `POST /api/push`.

use serde_json::{Map, Value, json};

use super::http;
use super::message::ProviderMessage;
use super::push;

/// Where a notification has a title: each kind of device has its own part.
const TITLED: [&str; 4] = ["ios", "android", "amazon", "web"];

pub fn request(message: &ProviderMessage<'_>) -> Value {
    let push = push::read(message);
    let own = |name: &str| message.profile.and_then(|it| it.pointer(name)).cloned();
    let device_types = own("/airship/device_types").unwrap_or_else(|| "all".into());
    let mut notification: Map<String, Value> = Map::new();
    notification.insert("alert".to_owned(), push.body.into());
    let is_wanted = |kind: &&str| match &device_types {
        Value::Array(kinds) => kinds.iter().any(|it| it == *kind),
        _ => true,
    };
    if let Some(title) = push.title {
        let titled = TITLED.into_iter().filter(is_wanted);
        notification.extend(titled.map(|kind| (kind.to_owned(), json!({ "title": title }))));
    }
    if let Some(href) = push.click_action {
        notification.insert("actions".to_owned(), json!({ "open": { "type": "url", "content": href } }));
    }
    let mut body = json!({
        "audience": own("/airship/audience").unwrap_or_else(|| json!({ "named_user": message.address })),
        "device_types": device_types,
        "notification": notification,
    });
    if !push.data.is_empty() {
        body["global_attributes"] = Value::Object(push.data);
    }
    let authorization = http::basic(
        message.config(&["appKey"]).unwrap_or("APP_KEY"),
        message.config(&["masterSecret", "appSecret"]).unwrap_or("MASTER_SECRET"),
    );
    let headers = [("Accept", "application/vnd.urbanairship+json; version=3"), ("Authorization", &authorization)];
    http::post("https://go.urbanairship.com/api/push", http::JSON, &headers, body)
}
