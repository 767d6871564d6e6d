//! Slack's answers to blocks that it refuses, from its reference of blocks, elements and texts.

use std::collections::HashSet;

use serde_json::Value;

use super::email;
use super::http::is_url;

const BLOCKS: usize = 50;
const CHARS: usize = 3000;
const FIELD_CHARS: usize = 2000;
const FIELDS: usize = 10;
const ALT_TEXT_CHARS: usize = 2000;
const ID_CHARS: usize = 255;
/// The most characters of the text in place of the blocks.
const TEXT_CHARS: usize = 40_000;
const HEADER_CHARS: usize = 150;
/// Of a button, and of what stands in one row.
pub const BUTTON_CHARS: usize = 75;
const ROW_ELEMENTS: usize = 25;
const VALUE_CHARS: usize = 2000;
const PLACEHOLDER_CHARS: usize = 150;
/// The most characters of the question before an action.
const CONFIRM_CHARS: [(&str, usize); 4] = [("title", 100), ("text", 300), ("confirm", 30), ("deny", 30)];
/// Texts of an option, and its value.
const OPTION_CHARS: usize = 75;
const OPTION_VALUE_CHARS: usize = 150;
/// Options of each kind of element.
const OPTIONS: [(&str, usize); 5] =
    [("static_select", 100), ("multi_static_select", 100), ("overflow", 5), ("checkboxes", 10), ("radio_buttons", 10)];
/// The most characters of the text under an input, and above it.
const LABEL_CHARS: usize = 2000;
const CONTEXT_ELEMENTS: usize = 10;

const BLOCK_TYPES: [&str; 18] = [
    "actions",
    "alert",
    "call",
    "card",
    "carousel",
    "context",
    "context_actions",
    "divider",
    "file",
    "header",
    "image",
    "input",
    "markdown",
    "plan",
    "rich_text",
    "section",
    "table",
    "video",
];
const ELEMENT_TYPES: [&str; 24] = [
    "button",
    "channels_select",
    "checkboxes",
    "conversations_select",
    "datepicker",
    "datetimepicker",
    "email_text_input",
    "external_select",
    "file_input",
    "image",
    "multi_channels_select",
    "multi_conversations_select",
    "multi_external_select",
    "multi_static_select",
    "multi_users_select",
    "number_input",
    "overflow",
    "plain_text_input",
    "radio_buttons",
    "rich_text_input",
    "static_select",
    "timepicker",
    "url_text_input",
    "users_select",
];
const ADDRESSES: [&str; 3] = ["mailto:", "slack://", "tel:"];

/// What is wrong, and where.
type Checked = Result<(), String>;

pub fn slack(request: &Value) -> Option<String> {
    let blocks = request["blocks"].as_array().map_or(&[][..], Vec::as_slice);
    let text = request["text"].as_str().unwrap_or_default();
    let has_attachments = || request["attachments"].as_array().is_some_and(|it| !it.is_empty());
    if text.is_empty() && blocks.is_empty() && !has_attachments() {
        return Some("no_text".to_owned());
    }
    if is_longer(text, TEXT_CHARS) {
        return Some("msg_too_long".to_owned());
    }
    check(blocks).err().map(|what| format!("invalid_blocks: {what}"))
}

fn check(blocks: &[Value]) -> Checked {
    if blocks.len() > BLOCKS {
        return wrong("/blocks", &format!("no more than {BLOCKS} items allowed"));
    }
    let mut ids = HashSet::new();
    blocks.iter().enumerate().try_for_each(|(i, it)| block(it, &format!("/blocks/{i}"), &mut ids))
}

fn wrong(at: &str, what: &str) -> Checked {
    Err(format!("{what} [json-pointer:{at}]"))
}

fn missing(at: &str, name: &str) -> Checked {
    wrong(at, &format!("missing required field: {name}"))
}

fn is_longer(text: &str, most: usize) -> bool {
    text.len() > most && text.chars().count() > most
}

fn block<'b>(block: &'b Value, at: &str, ids: &mut HashSet<&'b str>) -> Checked {
    let kind = block["type"].as_str().unwrap_or_default();
    match kind {
        "" => return missing(at, "type"),
        kind if !BLOCK_TYPES.contains(&kind) => return unsupported(at, kind),
        "section" => {
            let (text, fields) = (&block["text"], &block["fields"]);
            if text.is_null() && fields.is_null() {
                return missing(at, "text or fields");
            }
            if !text.is_null() {
                text_object(text, &format!("{at}/text"), CHARS, false)?;
            }
            let fields = fields.as_array().map_or(&[][..], Vec::as_slice);
            if fields.len() > FIELDS {
                return wrong(&format!("{at}/fields"), &format!("no more than {FIELDS} items allowed"));
            }
            for (i, field) in fields.iter().enumerate() {
                text_object(field, &format!("{at}/fields/{i}"), FIELD_CHARS, false)?;
            }
            if !block["accessory"].is_null() {
                element(&block["accessory"], &format!("{at}/accessory"), false, ids)?;
            }
        }
        "header" => text_object(&block["text"], &format!("{at}/text"), HEADER_CHARS, true)?,
        "image" => image(block, at)?,
        "markdown" if block["text"].as_str().is_none() => return missing(at, "text"),
        "input" if block["label"].is_null() => return missing(at, "label"),
        "input" => {
            text_object(&block["label"], &format!("{at}/label"), LABEL_CHARS, true)?;
            if !block["hint"].is_null() {
                text_object(&block["hint"], &format!("{at}/hint"), LABEL_CHARS, true)?;
            }
            element(&block["element"], &format!("{at}/element"), false, ids)?;
        }
        "actions" | "context" => {
            let elements = block["elements"].as_array().map_or(&[][..], Vec::as_slice);
            if elements.is_empty() {
                return missing(at, "elements");
            }
            let is_context = kind == "context";
            let most = if is_context { CONTEXT_ELEMENTS } else { ROW_ELEMENTS };
            if elements.len() > most {
                return wrong(&format!("{at}/elements"), &format!("no more than {most} items allowed"));
            }
            for (j, it) in elements.iter().enumerate() {
                element(it, &format!("{at}/elements/{j}"), is_context, ids)?;
            }
        }
        _ => {}
    }
    id(block, at, "block_id")
}

fn unsupported(at: &str, kind: &str) -> Checked {
    wrong(&format!("{at}/type"), &format!("unsupported type: {}", email::clean(kind)))
}

fn element<'b>(it: &'b Value, at: &str, is_context: bool, ids: &mut HashSet<&'b str>) -> Checked {
    match it["type"].as_str().unwrap_or_default() {
        "" => return missing(at, "type"),
        "image" => return image(it, at),
        // Their pointers have named the text since before other places had texts.
        "mrkdwn" | "plain_text" if is_context => return text_object(it, at, CHARS, false),
        kind if is_context || !ELEMENT_TYPES.contains(&kind) => return unsupported(at, kind),
        "button" => {
            text_object(&it["text"], &format!("{at}/text"), BUTTON_CHARS, true)?;
            if it["accessibility_label"].as_str().is_some_and(|label| is_longer(label, BUTTON_CHARS)) {
                let at = format!("{at}/accessibility_label");
                return wrong(&at, &format!("must be less than {} characters", BUTTON_CHARS + 1));
            }
            if let Some(style) = it["style"].as_str().filter(|it| !["primary", "danger"].contains(it)) {
                let style = email::clean(style);
                return wrong(&format!("{at}/style"), &format!("must be one of primary, danger, found {style}"));
            }
        }
        kind => options(it, at, kind)?,
    }
    if it["value"].as_str().is_some_and(|value| is_longer(value, VALUE_CHARS)) {
        return wrong(&format!("{at}/value"), &format!("must be less than {} characters", VALUE_CHARS + 1));
    }
    if !it["placeholder"].is_null() {
        text_object(&it["placeholder"], &format!("{at}/placeholder"), PLACEHOLDER_CHARS, true)?;
    }
    for (name, most) in CONFIRM_CHARS {
        if !it["confirm"][name].is_null() {
            text_object(&it["confirm"][name], &format!("{at}/confirm/{name}"), most, name != "text")?;
        }
    }
    if let Some(url) = it["url"].as_str() {
        let is_known = is_url(url) || ADDRESSES.iter().any(|scheme| url.starts_with(scheme));
        if !is_known || url.contains(char::is_whitespace) || is_longer(url, CHARS) {
            return wrong(&format!("{at}/url"), "invalid url");
        }
    }
    id(it, at, "action_id")?;
    if let Some(id) = it["action_id"].as_str()
        && !ids.insert(id)
    {
        return wrong(&format!("{at}/action_id"), &format!("`action_id` {} already exists", email::clean(id)));
    }
    Ok(())
}

/// The options to choose from.
fn options(it: &Value, at: &str, kind: &str) -> Checked {
    let Some((_, most)) = OPTIONS.iter().find(|(of, _)| *of == kind) else { return Ok(()) };
    let all = it["options"].as_array().map_or(&[][..], Vec::as_slice);
    let at = format!("{at}/options");
    if all.len() > *most {
        return wrong(&at, &format!("no more than {most} items allowed"));
    }
    for (i, option) in all.iter().enumerate() {
        let at = format!("{at}/{i}");
        let is_plain = !matches!(kind, "checkboxes" | "radio_buttons");
        text_object(&option["text"], &format!("{at}/text"), OPTION_CHARS, is_plain)?;
        if !option["description"].is_null() {
            text_object(&option["description"], &format!("{at}/description"), OPTION_CHARS, is_plain)?;
        }
        if option["value"].as_str().is_some_and(|value| is_longer(value, OPTION_VALUE_CHARS)) {
            return wrong(&format!("{at}/value"), &format!("must be less than {} characters", OPTION_VALUE_CHARS + 1));
        }
    }
    Ok(())
}

fn id(it: &Value, at: &str, name: &str) -> Checked {
    match it[name].as_str().is_some_and(|id| is_longer(id, ID_CHARS)) {
        true => wrong(&format!("{at}/{name}"), &format!("must be less than {} characters", ID_CHARS + 1)),
        false => Ok(()),
    }
}

fn image(it: &Value, at: &str) -> Checked {
    match it["image_url"].as_str() {
        None if it["slack_file"].is_null() => return missing(at, "image_url"),
        Some(url) if !is_url(url) || is_longer(url, CHARS) => {
            return wrong(&format!("{at}/image_url"), "invalid url");
        }
        _ => {}
    }
    match it["alt_text"].as_str() {
        None => missing(at, "alt_text"),
        Some(text) if is_longer(text, ALT_TEXT_CHARS) => {
            wrong(&format!("{at}/alt_text"), &format!("must be less than {} characters", ALT_TEXT_CHARS + 1))
        }
        Some(_) => Ok(()),
    }
}

fn text_object(it: &Value, at: &str, most: usize, is_plain: bool) -> Checked {
    if !it.is_object() {
        return missing(at.rsplit_once('/').map_or(at, |(outer, _)| outer), "text");
    }
    match it["type"].as_str().unwrap_or_default() {
        "" => return missing(at, "type"),
        "plain_text" => {}
        "mrkdwn" if !is_plain => {}
        kind => return unsupported(at, kind),
    }
    let at = format!("{at}/text");
    match it["text"].as_str().unwrap_or_default() {
        "" => wrong(&at, "must be more than 0 characters"),
        text if is_longer(text, most) => wrong(&at, &format!("must be less than {} characters", most + 1)),
        _ => Ok(()),
    }
}
