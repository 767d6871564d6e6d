//! Teams' answers to cards that it refuses, from the schema of Adaptive Cards 1.5.

use serde_json::Value;

use super::email;

/// Bytes of a message.
pub const BYTES: usize = 28 * 1024;
const ADAPTIVE: &str = "application/vnd.microsoft.card.adaptive";
/// The most levels of elements inside one another: checking them recurses.
const NESTING_LIMIT: usize = 40;

/// What elements, actions and their parts must have. Other types are not checked: Teams has more of them than the
/// schema, and leaves out unknown ones.
const REQUIRED: [(&str, &[&str]); 17] = [
    ("TextBlock", &["text"]),
    ("TextRun", &["text"]),
    ("RichTextBlock", &["inlines"]),
    ("Image", &["url"]),
    ("ImageSet", &["images"]),
    ("Media", &["sources"]),
    ("Container", &["items"]),
    ("ActionSet", &["actions"]),
    ("FactSet", &["facts"]),
    ("Input.ChoiceSet", &["id"]),
    ("Input.Date", &["id"]),
    ("Input.Number", &["id"]),
    ("Input.Text", &["id"]),
    ("Input.Time", &["id"]),
    ("Input.Toggle", &["id", "title"]),
    ("Action.OpenUrl", &["url"]),
    ("Action.ToggleVisibility", &["targetElements"]),
];
/// Lists of elements and actions.
const LISTS: [&str; 7] = ["body", "actions", "items", "columns", "images", "inlines", "rows"];
/// Lists whose entries need not name their type.
const UNTYPED: [&str; 4] = ["columns", "images", "inlines", "rows"];

/// What is wrong.
type Checked = Result<(), String>;

pub fn teams(request: &Value) -> Option<String> {
    if request.to_string().len() > BYTES {
        return Some("MessageSizeTooBig: message size too large; the maximum is 28 KB".to_owned());
    }
    let attachments = request["attachments"].as_array().map_or(&[][..], Vec::as_slice);
    attachments.iter().enumerate().find_map(|(i, it)| attachment(it, i).err())
}

fn attachment(it: &Value, i: usize) -> Checked {
    match it["contentType"].as_str() {
        None | Some("") => Err(format!("BadSyntax: attachments[{i}].contentType is required")),
        Some(ADAPTIVE) => card(&it["content"]).map_err(|what| format!("InvalidBotAdaptiveCard: {what}")),
        Some(_) => Ok(()),
    }
}

fn card(card: &Value) -> Checked {
    if card["type"] != "AdaptiveCard" {
        return Err("Property 'type' must be 'AdaptiveCard'".to_owned());
    }
    if card["version"].as_str().is_none_or(str::is_empty) {
        return Err("Could not parse required key: version. It was not found.".to_owned());
    }
    parts(card, "", 0)
}

/// The lists in a card or an element.
fn parts(it: &Value, at: &str, depth: usize) -> Checked {
    if depth > NESTING_LIMIT {
        return Ok(());
    }
    for name in LISTS {
        let at = if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
        let entries = match &it[name] {
            Value::Null => continue,
            Value::Array(entries) => entries,
            _ => return Err(format!("Property '{name}' must be an array. Path '{at}'.")),
        };
        for (i, entry) in entries.iter().enumerate() {
            element(entry, &format!("{at}[{i}]"), UNTYPED.contains(&name), depth + 1)?;
        }
    }
    Ok(())
}

fn element(it: &Value, at: &str, may_be_untyped: bool, depth: usize) -> Checked {
    // A text run may be just its words.
    if may_be_untyped && it.is_string() {
        return Ok(());
    }
    let missing =
        |name: &str| Err(format!("Required property '{name}' not found in JSON. Path '{}'.", email::clean(at)));
    let kind = match it["type"].as_str() {
        Some(kind) => kind,
        None if may_be_untyped && it.is_object() => "",
        None => return missing("type"),
    };
    let required = REQUIRED.iter().find(|(of, _)| *of == kind).map_or(&[][..], |(_, names)| names);
    for name in required {
        if it[*name].is_null() {
            return missing(name);
        }
    }
    parts(it, at, depth)
}
