//! The rendered elements of a message, as channels with blocks of their own take them.

use serde_json::Value;

use super::Outgoing;

pub enum Element {
    Text { content: String, style: Style, bold: bool, italic: bool, strikethrough: bool },
    Action { content: String, href: String, action_id: Option<String>, is_link: bool },
    Image { src: String, alt_text: String, href: Option<String> },
    Divider,
    Quote { content: String },
    List { ordered: bool, items: Vec<String> },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    Text,
    H1,
    H2,
    Subtext,
}

/// The elements of a message; its plain text, if it has no others.
pub fn read(outgoing: &Outgoing<'_>) -> Vec<Element> {
    let plain = || Element::Text {
        content: outgoing.body.to_owned(),
        style: Style::Text,
        bold: false,
        italic: false,
        strikethrough: false,
    };
    match outgoing.content.and_then(|content| serde_json::from_str::<Vec<Value>>(content).ok()) {
        Some(elements) => elements.iter().filter_map(element).collect(),
        None if outgoing.body.is_empty() => Vec::new(),
        None => vec![plain()],
    }
}

/// The elements as they are stored, for providers that are given them whole.
pub fn raw(outgoing: &Outgoing<'_>) -> Value {
    let stored = outgoing.content.and_then(|content| serde_json::from_str::<Value>(content).ok());
    stored.filter(Value::is_array).unwrap_or_else(|| match outgoing.body {
        "" => Value::Array(Vec::new()),
        body => serde_json::json!([{ "type": "text", "content": body }]),
    })
}

fn element(value: &Value) -> Option<Element> {
    let text = |name: &str| value.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let owned = |name: &str| text(name).map(str::to_owned);
    // Courier's documentation has booleans, older skills strings.
    let is = |name: &str| value.get(name).is_some_and(|it| it == &Value::Bool(true) || it == "true");
    match text("type")? {
        "text" => Some(Element::Text {
            content: owned("content")?,
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
        "list" => Some(Element::List {
            ordered: text("list_type") == Some("ordered"),
            items: value
                .get("items")?
                .as_array()?
                .iter()
                .filter_map(|item| item.as_str().or_else(|| item.get("content")?.as_str()))
                .map(str::to_owned)
                .collect(),
        }),
        _ => None,
    }
}

/// The lines of a list, with what stands before each.
pub fn list_lines(ordered: bool, items: &[String]) -> impl Iterator<Item = String> {
    let mark = move |i| if ordered { format!("{i}.") } else { "•".to_owned() };
    (1..).zip(items).map(move |(i, item)| format!("{} {item}", mark(i)))
}
