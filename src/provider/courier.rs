//! Courier's own inbox: a message as clients show it.

use serde_json::{Value, json};

use super::elements;
use super::message::ProviderMessage;
use crate::render::node::Node;

/// Characters of a body that a list of messages shows.
const PREVIEW_CHARS: usize = 160;

pub fn request(message: &ProviderMessage<'_>) -> Value {
    let action = |element: &Node| match element {
        Node::Action { content, href, action_id, is_link } => {
            let style = if *is_link { "link" } else { "button" };
            let mut action = json!({ "content": content, "href": href, "style": style });
            if let Some(id) = action_id {
                action["data"] = json!({ "id": id });
            }
            Some(action)
        }
        _ => None,
    };
    let actions: Vec<Value> = elements::read(message).iter().filter_map(action).collect();
    // The clients define its contents, so it is passed on as it was written.
    let actions = message.overridden(&["actions"]).cloned().unwrap_or(Value::Array(actions));
    let words = message.text().split_whitespace().collect::<Vec<_>>().join(" ");
    let mut request = json!({
        "messageId": message.message_id,
        "userId": message.address,
        "preview": super::message::shortened(&words, PREVIEW_CHARS),
        "body": message.text(),
        "blocks": elements::raw(message),
        "actions": actions,
        "created": message.created_at.millis(),
    });
    let tags = message.tags();
    let more = [
        ("title", message.title().map(Value::from)),
        ("data", message.data()),
        ("tags", Some(Value::from(tags.clone())).filter(|_| !tags.is_empty())),
    ];
    for (name, value) in more {
        if let Some(value) = value {
            request[name] = value;
        }
    }
    request
}
