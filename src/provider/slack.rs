//! Slack: the body of `chat.postMessage`, with blocks.

use serde_json::{Value, json};

use super::elements;
use super::message::ProviderMessage;
use crate::model::content::TextRole;
use crate::render::node::{self, Node, NodeText};

/// The longest heading that Slack accepts. Longer ones are written in another form.
const HEADER_CHARS: usize = 150;
/// Buttons in a row.
const ROW_BUTTONS: usize = 25;

pub fn request(message: &ProviderMessage<'_>) -> Value {
    let mut blocks = Vec::new();
    if let Some(title) = message.title() {
        heading(title, &mut blocks);
    }
    for element in elements::read(message) {
        add(element, &mut blocks);
    }
    if let Some(own) = elements::raw_member(message, &["slackBlocks", "blocks"]) {
        blocks = own_blocks(own);
    }
    // Shown where blocks are not: in notifications, and to screen readers.
    let text = match (elements::slack_text(message), message.title()) {
        (text, Some(title)) if text.is_empty() => node::literal_slack(title),
        (text, _) => text,
    };
    let mut request = json!({ "text": text, "blocks": blocks });
    // The address of an incoming webhook stands for its channel.
    if !message.address.starts_with("https://") {
        request["channel"] = message.address.into();
    }
    request
}

/// The blocks that the author wrote: a list, a single one, or an object that contains them.
fn own_blocks(own: Value) -> Vec<Value> {
    match own {
        Value::Array(blocks) => blocks,
        Value::Object(mut members) => match members.remove("blocks") {
            Some(Value::Array(blocks)) => blocks,
            _ => vec![Value::Object(members)],
        },
        _ => Vec::new(),
    }
}

fn add(element: Node, blocks: &mut Vec<Value>) {
    match element {
        Node::Text { content, style: TextRole::H1 | TextRole::H2 | TextRole::H3, .. } => {
            heading(&content.plain(), blocks);
        }
        Node::Text { content, style: TextRole::Subtext, .. } => {
            blocks.push(json!({ "type": "context", "elements": [mrkdwn(&content.slack())] }));
        }
        Node::Text { content, bold, italic, strikethrough, .. } => {
            let marks = [(bold, "*"), (italic, "_"), (strikethrough, "~")];
            let marks: Vec<&str> = marks.into_iter().filter(|(set, _)| *set).map(|(_, mark)| mark).collect();
            section(&marked(&content.slack(), &marks), blocks);
        }
        Node::Action { content, href, is_link: true, .. } => {
            section(&format!("<{}|{}>", escape(&href).replace('|', "%7C"), node::literal_slack(&content)), blocks);
        }
        Node::Action { content, href, action_id, .. } => {
            let mut button = json!({ "type": "button", "text": { "type": "plain_text", "text": content } });
            if !href.is_empty() {
                button["url"] = href.into();
            }
            if let Some(action_id) = action_id {
                button["action_id"] = action_id.into();
            }
            match blocks.last_mut().and_then(row_with_room) {
                Some(row) => row.push(button),
                None => blocks.push(json!({ "type": "actions", "elements": [button] })),
            }
        }
        Node::Image { src, alt_text, href } => {
            let words = if alt_text.is_empty() { "image" } else { &alt_text };
            blocks.push(json!({ "type": "image", "image_url": src, "alt_text": words }));
            // Its images have no links.
            if let Some(href) = href {
                let words = if alt_text.is_empty() { &href } else { &alt_text };
                section(&format!("<{}|{}>", escape(&href).replace('|', "%7C"), node::literal_slack(words)), blocks);
            }
        }
        Node::Divider => blocks.push(json!({ "type": "divider" })),
        Node::Quote { content } => {
            let lines: Vec<String> = content.slack().lines().map(|line| format!("> {line}")).collect();
            section(&lines.join("\n"), blocks);
        }
        Node::List { lines } => section(&lines.iter().map(NodeText::slack).collect::<Vec<_>>().join("\n"), blocks),
    }
}

fn row_with_room(block: &mut Value) -> Option<&mut Vec<Value>> {
    let is_row = block["type"] == "actions";
    block.get_mut("elements")?.as_array_mut().filter(|row| is_row && row.len() < ROW_BUTTONS)
}

fn heading(text: &str, blocks: &mut Vec<Value>) {
    match text.chars().count() {
        0 => {}
        count if count <= HEADER_CHARS => {
            blocks.push(json!({ "type": "header", "text": { "type": "plain_text", "text": text } }));
        }
        _ => section(&marked(&node::literal_slack(text), &["*"]), blocks),
    }
}

fn section(text: &str, blocks: &mut Vec<Value>) {
    if !text.is_empty() {
        blocks.push(json!({ "type": "section", "text": mrkdwn(text) }));
    }
}

fn mrkdwn(text: &str) -> Value {
    json!({ "type": "mrkdwn", "text": text })
}

/// Marks apply to one line.
fn marked(text: &str, marks: &[&str]) -> String {
    let before = marks.concat();
    let after: String = marks.iter().rev().copied().collect();
    let line = |line: &str| if line.trim().is_empty() { line.to_owned() } else { format!("{before}{line}{after}") };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// The three characters that Slack requires to be escaped: escaped, they cannot mention a user or fake a link.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_mentions_no_user() {
        assert_eq!(escape("<!channel> & <@U1|x>"), "&lt;!channel&gt; &amp; &lt;@U1|x&gt;");
    }

    #[test]
    fn marks_hold_for_a_line() {
        assert_eq!(marked("a\n\nb", &["*", "_"]), "*_a_*\n\n*_b_*");
    }
}
