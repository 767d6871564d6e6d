//! Airship: `POST /api/push`.

use serde_json::{Map, Value, json};

use super::http;
use super::message::ProviderMessage;
use super::push;

/// For anything but a text, each kind of device has a part of its own.
const DEVICES: [&str; 4] = ["ios", "android", "amazon", "web"];

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
    for kind in DEVICES.into_iter().filter(is_wanted) {
        let mut part = push.image.as_deref().map_or_else(|| json!({}), |image| with_image(kind, image));
        if let Some(title) = push.title {
            part["title"] = title.into();
        }
        if part.as_object().is_some_and(|part| !part.is_empty()) {
            notification.insert(kind.to_owned(), part);
        }
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

/// How a kind of device shows an image.
fn with_image(kind: &str, image: &str) -> Value {
    match kind {
        "ios" => json!({ "media_attachment": { "url": image }, "mutable_content": true }),
        "web" => json!({ "image": { "url": image } }),
        _ => json!({ "style": { "type": "big_picture", "big_picture": image } }),
    }
}
