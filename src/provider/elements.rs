//! The rendered elements of a message, for channels with blocks of their own.

use serde_json::Value;

use super::message::ProviderMessage;
use crate::model::channel::Channel;
use crate::render::node::{self, Node, NodeText, NodeType};

/// The elements of a message, or its plain text if it has none.
pub fn read(message: &ProviderMessage<'_>) -> Vec<Node> {
    all(message).iter().filter_map(Node::read).collect()
}

/// The elements for providers that get them whole.
pub fn raw(message: &ProviderMessage<'_>) -> Value {
    let mut elements = all(message);
    elements.retain(|element| NodeType::of(element) != Some(NodeType::Raw));
    elements.iter_mut().for_each(node::without_format);
    Value::Array(elements)
}

/// The member of the content's `raw` with one of these names, passed to the provider as it is.
pub fn raw_member(message: &ProviderMessage<'_>, names: &[&str]) -> Option<Value> {
    let raw = all(message).into_iter().find(|element| NodeType::of(element) == Some(NodeType::Raw))?;
    let found = names.iter().find_map(|name| raw.get(name))?;
    // A text that is JSON is parsed.
    let parsed = found.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
    Some(parsed.filter(|it| it.is_object() || it.is_array()).unwrap_or_else(|| found.clone()))
}

/// The type and the words of each element, without any markup.
pub fn blocks(message: &ProviderMessage<'_>) -> Vec<(String, String)> {
    let words = |element: &Value| match Node::read(element) {
        Some(Node::Text { content, .. } | Node::Quote { content }) => content.plain(),
        Some(Node::List { lines }) => lines.iter().map(NodeText::plain).collect::<Vec<_>>().join("\n"),
        Some(Node::Action { content, .. }) => content,
        Some(Node::Image { alt_text, .. }) => alt_text,
        Some(Node::Divider) | None => String::new(),
    };
    let elements = all(message);
    let shown = elements.iter().filter(|element| NodeType::of(element) != Some(NodeType::Raw));
    let kind = |element: &Value| element.get(node::TYPE).and_then(Value::as_str).unwrap_or_default().to_owned();
    shown.map(|element| (kind(element), words(element))).collect()
}

/// All words in the markup of Slack, for where there are no blocks.
pub fn slack_text(message: &ProviderMessage<'_>) -> String {
    let words = |node: Node| match node {
        Node::Text { content, .. } | Node::Quote { content } => Some(content.slack()),
        Node::List { lines } => Some(lines.iter().map(NodeText::slack).collect::<Vec<_>>().join("\n")),
        Node::Action { content, href, .. } => Some(node::literal_slack(&match href.is_empty() {
            true => content,
            false => format!("{content}: {href}"),
        })),
        Node::Image { src, alt_text, href } => {
            let words = if alt_text.is_empty() { &src } else { &alt_text };
            Some(node::literal_slack(&href.map_or(words.clone(), |href| format!("{words} ({href})"))))
        }
        Node::Divider => None,
    };
    read(message).into_iter().filter_map(words).collect::<Vec<_>>().join("\n\n")
}

/// A body in the definition replaces the words of all elements.
fn all(message: &ProviderMessage<'_>) -> Vec<Value> {
    let stored = message.content.and_then(|content| serde_json::from_str::<Vec<Value>>(content).ok());
    let overriding = message.overridden_text(&["body", "text"]);
    let words = match (&stored, overriding, message.body) {
        (_, Some(overriding), _) if message.channel == Channel::DirectMessage => Some(node::of_chat(overriding)),
        (_, Some(overriding), _) => Some(node::of_text(overriding)),
        (Some(_), None, _) | (None, None, "") => None,
        (None, None, body) => Some(node::of_text(body)),
    };
    let is_kept = |it: &Value| {
        overriding.is_none() || matches!(NodeType::of(it), Some(NodeType::Action | NodeType::Image | NodeType::Raw))
    };
    words.into_iter().chain(stored.into_iter().flatten().filter(is_kept)).collect()
}
