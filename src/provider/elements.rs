//! The rendered elements of a message, as channels with blocks of their own take them.

use serde_json::Value;

use super::message::ProviderMessage;
use crate::render::node::{self, Node, NodeType};

/// The elements of a message; its plain text, if it has no others.
pub fn read(message: &ProviderMessage<'_>) -> Vec<Node> {
    all(message).iter().filter_map(Node::read).collect()
}

/// The elements as they are stored, for providers that are given them whole.
pub fn raw(message: &ProviderMessage<'_>) -> Value {
    Value::Array(all(message))
}

/// A body of the definition's stands for the words of all elements.
fn all(message: &ProviderMessage<'_>) -> Vec<Value> {
    let stored = message.content.and_then(|content| serde_json::from_str::<Vec<Value>>(content).ok());
    let overriding = message.overridden_text(&["body", "text"]);
    let words = match (&stored, overriding, message.body) {
        (Some(_), None, _) | (None, None, "") => None,
        (_, overriding, body) => Some(node::of_text(overriding.unwrap_or(body))),
    };
    let is_kept =
        |it: &Value| overriding.is_none() || matches!(NodeType::of(it), Some(NodeType::Action | NodeType::Image));
    words.into_iter().chain(stored.into_iter().flatten().filter(is_kept)).collect()
}
