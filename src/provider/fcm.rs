//! Firebase Cloud Messaging: the body of `POST /v1/projects/{project}/messages:send`.

use serde_json::{Map, Value, json};

use super::message::ProviderMessage;
use super::push;
use crate::json::merge;

/// Members of an override beside its `body`, as Courier's page shows them.
const MEMBERS: [&str; 5] = ["android", "apns", "fcm_options", "notification", "webpush"];

pub fn request(message: &ProviderMessage<'_>) -> Value {
    let push = push::read(message);
    let mut notification = json!({ "body": push.body });
    if let Some(title) = push.title {
        notification["title"] = title.into();
    }
    if let Some(image) = &push.image {
        notification["image"] = image.as_str().into();
    }
    // Its values are texts, whatever they mean.
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut data: Map<String, Value> =
        push.data.iter().map(|(name, value)| (name.clone(), text(value).into())).collect();
    data.insert("messageId".to_owned(), message.message_id.into());
    push.click_action.iter().for_each(|href| drop(data.insert("clickAction".to_owned(), href.as_str().into())));
    let mut sent = json!({ "token": message.address, "notification": notification, "data": data });
    if let Some(icon) = push.icon {
        match icon.starts_with("http") {
            true => sent["webpush"] = json!({ "notification": { "icon": icon } }),
            false => sent["android"] = json!({ "notification": { "icon": icon } }),
        }
    }
    for name in MEMBERS {
        match message.override_.and_then(|it| it.get(name)) {
            Some(Value::Null) => drop(sent.as_object_mut().map(|it| it.remove(name))),
            Some(value) => merge(&mut sent[name], value),
            None => {}
        }
    }
    json!({ "message": sent })
}
