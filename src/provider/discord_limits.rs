//! Discord's answers to messages that it refuses, from its reference of messages, embeds and components.

use serde_json::Value;

use super::http::is_url;

/// Characters of a message.
pub const CHARS: usize = 2000;
/// What an embed may have, in characters.
const EMBED_CHARS: [(&str, usize); 4] =
    [("/title", 256), ("/description", 4096), ("/footer/text", 2048), ("/author/name", 256)];
const FIELD_CHARS: [(&str, usize); 2] = [("name", 256), ("value", 1024)];
/// For all embeds together: what is counted of each and of its fields.
const EMBEDS_CHARS: usize = 6000;
const EMBED_URLS: [&str; 6] =
    ["/url", "/image/url", "/thumbnail/url", "/author/url", "/author/icon_url", "/footer/icon_url"];
const EMBEDS_LIMIT: usize = 10;
const EMBED_FIELDS: usize = 25;
/// Of a text that identifies a message.
const NONCE_CHARS: usize = 25;
/// What a component may have, in characters.
const COMPONENT_CHARS: [(&str, usize); 4] = [("label", 80), ("custom_id", 100), ("placeholder", 150), ("url", 512)];
const OPTION_CHARS: [(&str, usize); 3] = [("label", 100), ("value", 100), ("description", 100)];
const OPTIONS: usize = 25;
const ROWS: usize = 5;
/// The most components inside one another: checking them recurses.
const NESTING_LIMIT: usize = 10;

/// What is wrong, and where.
type Checked = Result<(), String>;

pub fn discord(body: &Value) -> Option<String> {
    let content = body["content"].as_str().unwrap_or_default();
    let has_more = ["embeds", "sticker_ids", "components", "attachments", "poll"];
    let is_empty = || !has_more.iter().any(|name| body.get(name).is_some());
    if content.trim().is_empty() && is_empty() {
        return Some("50006: Cannot send an empty message".to_owned());
    }
    check(body).err().map(|what| format!("50035: Invalid Form Body: {what}"))
}

fn check(body: &Value) -> Checked {
    is_within(body, "", &[("content", CHARS), ("nonce", NONCE_CHARS)])?;
    embeds(&body["embeds"])?;
    components(&body["components"], "components", 0)
}

fn wrong(at: &str, what: &str) -> Checked {
    Err(format!("{at}: {what}"))
}

fn too_long(at: &str, most: usize) -> Checked {
    wrong(at, &format!("Must be {most} or fewer in length."))
}

fn is_within(it: &Value, at: &str, limits: &[(&str, usize)]) -> Checked {
    for (name, most) in limits {
        if it[*name].as_str().is_some_and(|text| text.chars().count() > *most) {
            let point = if at.is_empty() { "" } else { "." };
            return too_long(&format!("{at}{point}{name}"), *most);
        }
    }
    Ok(())
}

fn embeds(embeds: &Value) -> Checked {
    let all = embeds.as_array().map_or(&[][..], Vec::as_slice);
    if all.len() > EMBEDS_LIMIT {
        return too_long("embeds", EMBEDS_LIMIT);
    }
    let mut count = 0;
    for (i, embed) in all.iter().enumerate() {
        let text = |pointer: &str| embed.pointer(pointer).and_then(Value::as_str);
        let at = |pointer: &str| format!("embeds[{i}]{}", pointer.replace('/', "."));
        for pointer in EMBED_URLS {
            let is_attached = |url: &str| url.starts_with("attachment://") && pointer != "/url";
            if text(pointer).is_some_and(|url| !is_url(url) && !is_attached(url)) {
                return wrong(&at(pointer), "Not a well formed URL.");
            }
        }
        for (pointer, most) in EMBED_CHARS {
            let length = text(pointer).map_or(0, |it| it.chars().count());
            if length > most {
                return too_long(&at(pointer), most);
            }
            count += length;
        }
        let fields = embed["fields"].as_array().map_or(&[][..], Vec::as_slice);
        if fields.len() > EMBED_FIELDS {
            return too_long(&at("/fields"), EMBED_FIELDS);
        }
        for (j, field) in fields.iter().enumerate() {
            let at = format!("{}[{j}]", at("/fields"));
            for (name, _) in FIELD_CHARS {
                match field[name].as_str() {
                    None | Some("") => return wrong(&format!("{at}.{name}"), "This field is required"),
                    Some(text) => count += text.chars().count(),
                }
            }
            is_within(field, &at, &FIELD_CHARS)?;
        }
    }
    match count > EMBEDS_CHARS {
        true => wrong("embeds", "Embed size exceeds maximum size of 6000"),
        false => Ok(()),
    }
}

fn components(components: &Value, at: &str, depth: usize) -> Checked {
    let all = components.as_array().map_or(&[][..], Vec::as_slice);
    if depth > NESTING_LIMIT {
        return Ok(());
    }
    for (i, it) in all.iter().enumerate() {
        let at = format!("{at}[{i}]");
        // The label of a text input has another limit, and messages have none.
        if it["type"].as_u64() != Some(4) {
            is_within(it, &at, &COMPONENT_CHARS)?;
        }
        let is_taken = |url: &str| is_url(url) || url.starts_with("discord://");
        if it["url"].as_str().is_some_and(|url| !is_taken(url)) {
            return wrong(&format!("{at}.url"), "Not a well formed URL.");
        }
        let options = it["options"].as_array().map_or(&[][..], Vec::as_slice);
        if options.len() > OPTIONS {
            return too_long(&format!("{at}.options"), OPTIONS);
        }
        for (j, option) in options.iter().enumerate() {
            is_within(option, &format!("{at}.options[{j}]"), &OPTION_CHARS)?;
        }
        // Of a row of buttons.
        if it["type"].as_u64() == Some(1) && it["components"].as_array().is_some_and(|row| row.len() > ROWS) {
            return too_long(&format!("{at}.components"), ROWS);
        }
        self::components(&it["components"], &format!("{at}.components"), depth + 1)?;
    }
    Ok(())
}
