//! Courier's own inbox: a message as its clients show it.

use serde_json::{Value, json};

use super::Outgoing;
use super::elements::{self, Element};

/// Characters of a body that a list of messages shows.
const PREVIEW: usize = 160;

pub fn request(outgoing: &Outgoing<'_>) -> Value {
    let action = |element: &Element| match element {
        Element::Action { content, href, action_id, is_link } => {
            let style = if *is_link { "link" } else { "button" };
            let mut action = json!({ "content": content, "href": href, "style": style });
            if let Some(id) = action_id {
                action["data"] = json!({ "id": id });
            }
            Some(action)
        }
        _ => None,
    };
    let actions: Vec<Value> = elements::read(outgoing).iter().filter_map(action).collect();
    let words = outgoing.text().split_whitespace().collect::<Vec<_>>().join(" ");
    let mut request = json!({
        "messageId": outgoing.message_id,
        "userId": outgoing.address,
        "preview": super::shortened(&words, PREVIEW),
        "body": outgoing.text(),
        "blocks": elements::raw(outgoing),
        "actions": actions,
        "created": outgoing.created_at.millis(),
    });
    let tags = outgoing.tags();
    let more = [
        ("title", outgoing.title().map(Value::from)),
        ("data", outgoing.data()),
        ("tags", Some(Value::from(tags.clone())).filter(|_| !tags.is_empty())),
    ];
    for (name, value) in more {
        if let Some(value) = value {
            request[name] = value;
        }
    }
    request
}
