//! Elemental content as plain text.

use serde_json::{Map, Value};

use crate::model::outbox::Channel;

/// The texts of a message.
#[derive(Default)]
pub struct Flat {
    pub title: Option<String>,
    pub body: String,
}

/// Title and body of the elements that are meant for a channel, one paragraph an element. Elements that carry no words
/// leave none.
pub fn flatten(elements: &[Map<String, Value>], channel: Channel) -> Flat {
    let mut flat = Flat::default();
    for element in elements {
        add(element, channel, &mut flat);
    }
    flat
}

fn add(element: &Map<String, Value>, channel: Channel, flat: &mut Flat) {
    let named = |name: &Value| name.as_str() == Some(channel.name());
    let elsewhere = element.get("channels").and_then(Value::as_array).is_some_and(|it| !it.iter().any(named))
        || element.get("channel").is_some_and(|it| !named(it));
    if elsewhere {
        return;
    }
    let text = |names: &[&str]| names.iter().find_map(|name| element.get(*name)?.as_str());
    let mut paragraph = |words: &str| {
        if !flat.body.is_empty() {
            flat.body.push_str("\n\n");
        }
        flat.body.push_str(words);
    };
    match element.get("type").and_then(Value::as_str).unwrap_or_default() {
        "meta" => flat.title = text(&["title"]).map(str::to_owned).or(flat.title.take()),
        "comment" | "jsonnet" => {}
        "divider" => paragraph("---"),
        "image" => paragraph(text(&["alt_text", "altText", "src"]).unwrap_or_default()),
        "action" | "link" => match (text(&["content"]), text(&["href"])) {
            (Some(content), Some(href)) => paragraph(&format!("{content}: {href}")),
            (content, href) => paragraph(content.or(href).unwrap_or_default()),
        },
        _ => {
            if let Some(words) = text(&["content"]) {
                paragraph(words);
            }
            for child in element.get("elements").and_then(Value::as_array).into_iter().flatten() {
                if let Value::Object(child) = child {
                    add(child, channel, flat);
                }
            }
        }
    }
}
