//! Discord: `POST /channels/{channel_id}/messages`. A message to a user goes through a channel that has to be opened
//! first.

use serde_json::{Value, json};

use super::elements;
use super::http;
use super::message::ProviderMessage;
use crate::json::merge;
use crate::model::content::TextRole;
use crate::render::node::{self, Node, NodeText};

const API: &str = "https://discord.com/api/v10";
/// Stands for the channel to a user, whose id is known once it is opened.
const OPENED: &str = "CHANNEL_ID";

pub fn request(message: &ProviderMessage<'_>) -> Value {
    let title = message.title().map(|title| format!("**{}**", node::literal_markdown(title)));
    let (mut lines, mut words): (Vec<String>, Vec<String>) = (title.into_iter().collect(), Vec::new());
    for element in elements::read(message) {
        // An address mentions no users, nor do the words of a button: it is unknown whether the author wrote them.
        let is_spoken = !matches!(element, Node::Action { .. } | Node::Image { .. });
        let Some(line) = line(element) else { continue };
        words.extend(is_spoken.then(|| line.clone()));
        lines.push(line);
    }
    let body = json!({ "content": lines.join("\n"), "allowed_mentions": mentions(&words.join("\n")) });
    let authorization = format!("Bot {}", message.config(&["token", "botToken"]).unwrap_or("BOT_TOKEN"));
    let headers = [("Authorization", authorization.as_str())];
    let is_user = message.profile_text("/discord/channel_id") != Some(message.address)
        && message.profile_text("/discord/user_id") == Some(message.address);
    if !is_user {
        let url = format!("{API}/channels/{}/messages", http::segment(message.address));
        return http::post(&url, http::JSON, &headers, body);
    }
    let mut request = http::post(&format!("{API}/channels/{OPENED}/messages"), http::JSON, &headers, body);
    let opening = json!({ "recipient_id": message.address });
    request["before"] = http::post(&format!("{API}/users/@me/channels"), http::JSON, &headers, opening);
    request
}

/// An element as Markdown.
fn line(element: Node) -> Option<String> {
    Some(match element {
        Node::Text { content, style, bold, italic, strikethrough, underline } => match style {
            TextRole::H1 => format!("# {}", content.markdown()),
            TextRole::H2 => format!("## {}", content.markdown()),
            TextRole::H3 => format!("### {}", content.markdown()),
            TextRole::Subtext => format!("-# {}", content.markdown()),
            TextRole::Text => {
                let marks = [(underline, "__"), (bold, "**"), (italic, "*"), (strikethrough, "~~")];
                let marks = || marks.into_iter().filter(|(set, _)| *set).map(|(_, mark)| mark);
                let (before, after): (String, String) = (marks().collect(), marks().rev().collect());
                format!("{before}{}{after}", content.markdown())
            }
        },
        // It is unknown who wrote the words of a button.
        Node::Action { content, href, .. } if href.is_empty() => node::literal_markdown(&content),
        Node::Action { content, href, .. } => {
            let href = href.replace('(', "%28").replace(')', "%29").replace(' ', "%20");
            format!("[{}]({href})", node::literal_markdown(&content))
        }
        Node::Image { src, .. } => src,
        Node::Quote { content } => {
            content.markdown().lines().map(|line| format!("> {line}")).collect::<Vec<_>>().join("\n")
        }
        Node::List { lines } => lines.iter().map(NodeText::markdown).collect::<Vec<_>>().join("\n"),
        Node::Divider => return None,
    })
}

/// The most users that one message may mention.
const MENTIONS_LIMIT: usize = 100;

/// Only mentions that the author wrote count: in data, a name is preceded by a backslash or a zero-width space.
fn mentions(content: &str) -> Value {
    let (mut users, mut roles) = (Vec::new(), Vec::new());
    for (at, mark) in content.match_indices("<@") {
        let (before, rest) = (&content[..at], &content[at + mark.len()..]);
        let (found, rest) = match rest.strip_prefix('&') {
            Some(rest) => (&mut roles, rest),
            None => (&mut users, rest.strip_prefix('!').unwrap_or(rest)),
        };
        let id = rest.split_once('>').map_or("", |(id, _)| id);
        let is_id = (1..=20).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_digit());
        if is_id && !before.ends_with('\\') && !found.contains(&id) && found.len() < MENTIONS_LIMIT {
            found.push(id);
        }
    }
    let everyone: &[&str] = if node::calls_everyone(content) { &["everyone"] } else { &[] };
    let mut mentions = json!({ "parse": everyone });
    for (name, found) in [("users", users), ("roles", roles)] {
        if !found.is_empty() {
            mentions[name] = json!(found);
        }
    }
    mentions
}

/// Courier's page has the `embed` of an older version, which this version does not read.
pub fn lay_over(body: &mut Value, over: &Value) {
    let mut over = over.clone();
    let embed = over.as_object_mut().and_then(|it| it.remove("embed"));
    if let Some(embed) = embed.filter(|_| over.get("embeds").is_none()) {
        over["embeds"] = json!([embed]);
    }
    // Some of its members exclude others.
    let is_said = over.get("allowed_mentions").is_some();
    if let Some(members) = body.as_object_mut().filter(|_| is_said) {
        members.remove("allowed_mentions");
    }
    merge(body, &over);
    if let Some(content) = over.get("content").and_then(Value::as_str).filter(|_| !is_said) {
        body["allowed_mentions"] = mentions(content);
    }
}
