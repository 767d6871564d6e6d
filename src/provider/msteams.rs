//! Microsoft Teams: a message with an Adaptive Card.

use serde_json::{Value, json};

use super::elements;
use super::message::ProviderMessage;
use crate::json::merge;
use crate::model::content::TextRole;
use crate::render::node::{self, Node, NodeText};

/// The members of a content's `raw` that replace the elements.
const OWN_CARD: [&str; 3] = ["card", "adaptiveCard", "attachments"];

pub fn request(message: &ProviderMessage<'_>) -> Value {
    let mut body = Vec::new();
    if let Some(title) = message.title() {
        body.push(text(
            &node::literal_markdown(title),
            json!({ "size": "Large", "weight": "Bolder", "style": "heading" }),
        ));
    }
    let mut separator = false;
    for element in elements::read(message) {
        if let Node::Divider = element {
            separator = true;
            continue;
        }
        // Buttons that follow one another stand in one row.
        if let (Node::Action { is_link: false, .. }, Some(last), false) = (&element, body.last_mut(), separator)
            && last["type"] == "ActionSet"
            && let Some(row) = last["actions"].as_array_mut()
        {
            row.push(action(&element));
            continue;
        }
        let mut item = item(element);
        if std::mem::take(&mut separator) {
            item["separator"] = true.into();
        }
        body.push(item);
    }
    let own = elements::raw_member(message, &OWN_CARD);
    if let Some(attachments @ Value::Array(_)) = own {
        return json!({ "type": "message", "summary": message.title().unwrap_or(message.text()), "attachments": attachments });
    }
    let card = own.unwrap_or_else(|| {
        json!({
            "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
            "type": "AdaptiveCard",
            "version": "1.5",
            "body": body,
        })
    });
    json!({
        "type": "message",
        "summary": message.title().unwrap_or(message.text()),
        "attachments": [{ "contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": null, "content": card }],
    })
}

/// What the author wrote that a card cannot express.
pub fn lost(message: &ProviderMessage<'_>) -> Option<String> {
    // Only Markdown, and texts with marks of their own, say more than plain words.
    let may_be_lost = |content: &str| content.contains("\"markdown\"") || content.contains("true");
    message.content.filter(|content| may_be_lost(content))?;
    if elements::raw_member(message, &OWN_CARD).is_some() {
        return None;
    }
    let mut lost: Vec<&str> = Vec::new();
    for element in elements::read(message) {
        let found = match &element {
            Node::Text { content, style, italic, strikethrough, underline, .. } => {
                let is_marked = *italic || *strikethrough || *underline;
                let mut found = content.lost_in_cards(is_marked && *style == TextRole::Text);
                if is_marked && *style != TextRole::Text {
                    found.push("italic, struck and underlined headings and subtexts");
                }
                found
            }
            Node::Quote { content } => content.lost_in_cards(false),
            Node::List { lines } => lines.iter().flat_map(|line| line.lost_in_cards(false)).collect(),
            _ => Vec::new(),
        };
        for what in found {
            if !lost.contains(&what) {
                lost.push(what);
            }
        }
    }
    let told =
        || format!("the cards of Microsoft Teams have no {}: what is so is plain text there", lost.join(", no "));
    (!lost.is_empty()).then(told)
}

fn item(element: Node) -> Value {
    match element {
        Node::Text { content, style, bold, italic, strikethrough, underline } => {
            let words = content.card();
            match style {
                TextRole::H1 => text(&words, json!({ "size": "ExtraLarge", "weight": "Bolder", "style": "heading" })),
                TextRole::H2 => text(&words, json!({ "size": "Large", "weight": "Bolder", "style": "heading" })),
                TextRole::H3 => text(&words, json!({ "size": "Medium", "weight": "Bolder", "style": "heading" })),
                TextRole::Subtext => text(&words, json!({ "size": "Small", "isSubtle": true })),
                // Only text runs have more than weights, and they have no Markdown.
                TextRole::Text if italic || strikethrough || underline => {
                    let content = content.plain();
                    let mut run =
                        json!({ "type": "TextRun", "text": content, "italic": italic, "strikethrough": strikethrough });
                    if bold {
                        run["weight"] = "Bolder".into();
                    }
                    if underline {
                        run["underline"] = true.into();
                    }
                    json!({ "type": "RichTextBlock", "inlines": [run] })
                }
                TextRole::Text if bold => text(&words, json!({ "weight": "Bolder" })),
                TextRole::Text => text(&words, json!({})),
            }
        }
        Node::Action { ref content, ref href, is_link: true, .. } => {
            let run = json!({ "type": "TextRun", "text": content, "selectAction": { "type": "Action.OpenUrl", "url": href } });
            json!({ "type": "RichTextBlock", "inlines": [run] })
        }
        Node::Action { .. } => json!({ "type": "ActionSet", "actions": [action(&element)] }),
        Node::Image { src, alt_text, href } => {
            let mut image = json!({ "type": "Image", "url": src, "altText": alt_text });
            if let Some(href) = href {
                image["selectAction"] = json!({ "type": "Action.OpenUrl", "url": href });
            }
            image
        }
        Node::Quote { content } => {
            let words = text(&content.card(), json!({ "isSubtle": true }));
            json!({ "type": "Container", "style": "emphasis", "items": [words] })
        }
        Node::List { lines } => text(&lines.iter().map(NodeText::card).collect::<Vec<_>>().join("\n\n"), json!({})),
        Node::Divider => json!({}),
    }
}

fn action(element: &Node) -> Value {
    match element {
        Node::Action { content, href, action_id, .. } => {
            let mut action = json!({ "type": "Action.OpenUrl", "title": content, "url": href });
            if let Some(action_id) = action_id {
                action["id"] = action_id.as_str().into();
            }
            action
        }
        _ => Value::Null,
    }
}

fn text(content: &str, more: Value) -> Value {
    let mut block = json!({ "type": "TextBlock", "text": content, "wrap": true });
    merge(&mut block, &more);
    block
}
