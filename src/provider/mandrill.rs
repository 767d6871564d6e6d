//! Mandrill: `POST /api/1.3/messages/send`.

use serde_json::{Map, Value, json};

use super::email::{self, Attachment, Email};
use super::http;
use super::message::ProviderMessage;

const URL: &str = "https://mandrillapp.com/api/1.3/messages/send";

pub fn request(message: &ProviderMessage<'_>, email: &Email) -> Value {
    let mut to = Vec::new();
    for (kind, mailboxes) in [("to", &email.to), ("cc", &email.cc), ("bcc", &email.bcc)] {
        to.extend(mailboxes.iter().map(|mailbox| match &mailbox.name {
            Some(name) => json!({ "email": mailbox.email, "name": name, "type": kind }),
            None => json!({ "email": mailbox.email, "type": kind }),
        }));
    }
    let mut sent = json!({
        "from_email": email.from.email,
        "to": to,
        "subject": email.subject,
        "text": email.text,
        "html": email.html,
    });
    if let Some(name) = &email.from.name {
        sent["from_name"] = name.as_str().into();
    }
    let mut headers: Map<String, Value> = Map::new();
    if !email.reply_to.is_empty() {
        headers.insert("Reply-To".to_owned(), email::header(&email.reply_to).into());
    }
    headers.extend(email.headers_by_name());
    if !headers.is_empty() {
        sent["headers"] = Value::Object(headers);
    }
    let (inline, attached) = email.parted_attachments();
    for (name, files) in [("attachments", attached), ("images", inline)] {
        if !files.is_empty() {
            sent[name] = files.into_iter().map(file).collect();
        }
    }
    let tags = message.tags();
    if !tags.is_empty() {
        sent["tags"] = tags.into();
    }
    sent["metadata"] = json!({ "message_id": message.message_id });
    http::post(URL, http::JSON, &[], json!({ "key": http::key(message, &["apiKey"]), "message": sent }))
}

/// The HTML shows an image by its name.
fn file(it: &Attachment) -> Value {
    let name = it.content_id.as_ref().unwrap_or(&it.filename);
    json!({ "type": it.content_type(), "name": name, "content": it.data })
}
