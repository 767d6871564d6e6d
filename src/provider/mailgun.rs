//! Mailgun: `POST /v3/{domain}/messages`, as a multipart form.

use serde_json::{Map, Value, json};

use super::email::{self, Attachment, Email};
use super::http;
use super::message::ProviderMessage;

const HOST: &str = "api.mailgun.net";
/// Tags of one message.
const TAGS_LIMIT: usize = 10;

pub fn request(message: &ProviderMessage<'_>, email: &Email) -> Value {
    let mut body: Map<String, Value> = Map::new();
    let mut add = |name: &str, value: Value| drop(body.insert(name.to_owned(), value));
    add("from", email.from.to_string().into());
    for (name, mailboxes) in [("to", &email.to), ("cc", &email.cc), ("bcc", &email.bcc)] {
        if !mailboxes.is_empty() {
            add(name, email::texts(mailboxes));
        }
    }
    for (name, text) in [("subject", &email.subject), ("text", &email.text), ("html", &email.html)] {
        add(name, text.as_str().into());
    }
    if !email.reply_to.is_empty() {
        add("h:Reply-To", email::header(&email.reply_to).into());
    }
    email.headers.iter().for_each(|(name, value)| add(&format!("h:{name}"), value.as_str().into()));
    let (inline, attached) = email.parted_attachments();
    for (name, files) in [("attachment", attached), ("inline", inline)] {
        if !files.is_empty() {
            add(name, files.into_iter().map(file).collect());
        }
    }
    let tags = message.tags();
    if !tags.is_empty() {
        add("o:tag", tags.into_iter().take(TAGS_LIMIT).map(Value::from).collect());
    }
    add("v:message_id", message.message_id.into());
    let (_, sender) = email.from.email.rsplit_once('@').unwrap_or_default();
    let (host, domain) = (message.config(&["host"]).unwrap_or(HOST), message.config(&["domain"]).unwrap_or(sender));
    let url = format!("https://{host}/v3/{}/messages", http::segment(domain));
    let authorization = http::basic("api", http::key(message, &["apiKey"]));
    http::post(&url, "multipart/form-data", &[("Authorization", &authorization)], Value::Object(body))
}

/// A part of the form. Mailgun shows an inline file by its name, so the name is its id.
fn file(it: &Attachment) -> Value {
    let name = it.content_id.as_ref().unwrap_or(&it.filename);
    json!({ "filename": name, "contentType": it.content_type(), "data": it.data })
}
