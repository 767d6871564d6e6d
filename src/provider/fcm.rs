//! Firebase Cloud Messaging: the body of `POST /v1/projects/{project}/messages:send`.

use serde_json::{Map, Value, json};

use super::elements;
use super::message::ProviderMessage;
use crate::render::node::Node;

pub fn request(message: &ProviderMessage<'_>) -> Value {
    let mut notification = json!({ "body": message.text() });
    if let Some(title) = message.title() {
        notification["title"] = title.into();
    }
    // Its values are texts, whatever they mean.
    let mut data: Map<String, Value> = Map::new();
    for (name, value) in message.data().as_ref().and_then(Value::as_object).into_iter().flatten() {
        data.insert(name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned).into());
    }
    let mut add = |name: &str, value: &str| drop(data.insert(name.to_owned(), value.into()));
    add("messageId", message.message_id);
    let elements = elements::read(message);
    for element in elements.iter().rev() {
        match element {
            Node::Action { href, .. } if !href.is_empty() => add("clickAction", href),
            Node::Image { src, .. } => notification["image"] = src.as_str().into(),
            _ => {}
        }
    }
    message.overridden_text(&["clickAction"]).into_iter().for_each(|href| add("clickAction", href));
    json!({ "message": { "token": message.address, "notification": notification, "data": data } })
}
