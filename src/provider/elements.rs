//! The rendered elements of a message, as channels with blocks of their own take them.

use serde_json::Value;

use super::message::ProviderMessage;

pub enum Element {
    Text { content: String, markdown: bool, style: Style, bold: bool, italic: bool, strikethrough: bool },
    Action { content: String, href: String, action_id: Option<String>, is_link: bool },
    Image { src: String, alt_text: String, href: Option<String> },
    Divider,
    Quote { content: String },
    List { lines: Vec<String> },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    Text,
    H1,
    H2,
    Subtext,
}

/// The elements of a message; its plain text, if it has no others.
pub fn read(message: &ProviderMessage<'_>) -> Vec<Element> {
    all(message).iter().filter_map(element).collect()
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
        (_, overriding, body) => Some(serde_json::json!({ "type": "text", "content": overriding.unwrap_or(body) })),
    };
    let is_kept = |it: &Value| overriding.is_none() || it["type"] == "action" || it["type"] == "image";
    words.into_iter().chain(stored.into_iter().flatten().filter(is_kept)).collect()
}

/// Whether the words of an element are Markdown.
pub fn is_markdown(value: &Value) -> bool {
    value.get("format").is_some_and(|format| format == "markdown")
}

fn element(value: &Value) -> Option<Element> {
    let text = |name: &str| value.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let owned = |name: &str| text(name).map(str::to_owned);
    // Courier's documentation has booleans, older skills strings.
    let is = |name: &str| value.get(name).is_some_and(|it| it == &Value::Bool(true) || it == "true");
    match text("type")? {
        "text" => Some(Element::Text {
            content: owned("content")?,
            markdown: is_markdown(value),
            style: match text("text_style") {
                Some("h1") => Style::H1,
                Some("h2") => Style::H2,
                Some("subtext") => Style::Subtext,
                _ => Style::Text,
            },
            bold: is("bold"),
            italic: is("italic"),
            strikethrough: is("strikethrough"),
        }),
        "action" => Some(Element::Action {
            content: owned("content").or_else(|| owned("href"))?,
            href: owned("href").unwrap_or_default(),
            action_id: owned("action_id"),
            is_link: text("style") == Some("link"),
        }),
        "image" => Some(Element::Image {
            src: owned("src")?,
            alt_text: owned("alt_text").unwrap_or_default(),
            href: owned("href"),
        }),
        "divider" => Some(Element::Divider),
        "quote" => Some(Element::Quote { content: owned("content")? }),
        "list" => {
            let mut lines = Vec::new();
            add_lines(value, 0, &mut lines);
            Some(Element::List { lines })
        }
        _ => None,
    }
}

/// The lines of a list, with what stands before each; lists in it are indented by spaces that stay.
fn add_lines(list: &Value, depth: usize, lines: &mut Vec<String>) {
    let indent = "\u{a0}".repeat(4 * depth);
    let ordered = list["list_type"] == "ordered";
    let mut number = 0;
    for item in list["items"].as_array().into_iter().flatten() {
        if item["type"] == "list" {
            add_lines(item, depth + 1, lines);
            continue;
        }
        let words = item.as_str().or_else(|| item.get("content").or_else(|| item.get("alt_text"))?.as_str());
        let Some(words) = words else { continue };
        number += 1;
        lines.push(if ordered { format!("{indent}{number}. {words}") } else { format!("{indent}• {words}") });
    }
}
