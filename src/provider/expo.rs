//! Expo: `POST /--/api/v2/push/send`.

use serde_json::{Value, json};

use super::http;
use super::message::ProviderMessage;
use super::push;

/// Members of an override beside its `body`, as Courier's page shows them.
const MEMBERS: [&str; 13] = [
    "_contentAvailable",
    "badge",
    "categoryId",
    "channelId",
    "expiration",
    "interruptionLevel",
    "mutableContent",
    "priority",
    "richContent",
    "sound",
    "subtitle",
    "to",
    "ttl",
];

pub fn request(message: &ProviderMessage<'_>) -> Value {
    let push = push::read(message);
    let mut body = json!({ "to": message.address, "body": push.body, "sound": "default" });
    if let Some(title) = push.title {
        body["title"] = title.into();
    }
    let data = push.data_with_action();
    if !data.is_empty() {
        body["data"] = Value::Object(data);
    }
    if let Some(image) = &push.image {
        body["richContent"] = json!({ "image": image });
    }
    // Null has a meaning here: no sound.
    for name in MEMBERS {
        if let Some(value) = message.override_.and_then(|it| it.get(name)) {
            body[name] = value.clone();
        }
    }
    let mut headers = vec![("Accept", http::JSON)];
    let authorization = message.config(&["accessToken"]).map(http::bearer);
    if let Some(authorization) = &authorization {
        headers.push(("Authorization", authorization));
    }
    http::post("https://exp.host/--/api/v2/push/send", http::JSON, &headers, body)
}
