//! Firebase Cloud Messaging: the body of `POST /v1/projects/{project}/messages:send`.

use serde_json::{Map, Value, json};

use super::Outgoing;
use super::elements::{self, Element};

pub fn request(outgoing: &Outgoing<'_>) -> Value {
    let mut notification = json!({ "body": outgoing.text() });
    if let Some(title) = outgoing.title() {
        notification["title"] = title.into();
    }
    // Its values are texts, whatever they mean.
    let mut data: Map<String, Value> = Map::new();
    for (name, value) in outgoing.data().as_ref().and_then(Value::as_object).into_iter().flatten() {
        data.insert(name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned).into());
    }
    let mut add = |name: &str, value: &str| drop(data.insert(name.to_owned(), value.into()));
    add("messageId", outgoing.message_id);
    let elements = elements::read(outgoing);
    for element in elements.iter().rev() {
        match element {
            Element::Action { href, .. } if !href.is_empty() => add("clickAction", href),
            Element::Image { src, .. } => notification["image"] = src.as_str().into(),
            _ => {}
        }
    }
    outgoing.overridden_text(&["clickAction"]).into_iter().for_each(|href| add("clickAction", href));
    json!({ "message": { "token": outgoing.address, "notification": notification, "data": data } })
}
