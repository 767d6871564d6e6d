//! SparkPost: `POST /api/v1/transmissions`.

use serde_json::{Map, Value, json};

use super::email::{self, Attachment, Email};
use super::http;
use super::message::ProviderMessage;
use crate::model::mailbox::Mailbox;

/// Of one recipient.
const TAGS_LIMIT: usize = 10;

const URL: &str = "https://api.sparkpost.com/api/v1/transmissions";

pub fn request(message: &ProviderMessage<'_>, email: &Email) -> Value {
    let mut content = json!({
        "from": one(&email.from),
        "subject": email.subject,
        "text": email.text,
        "html": email.html,
    });
    if !email.reply_to.is_empty() {
        content["reply_to"] = email::header(&email.reply_to).into();
    }
    // Copies are further recipients, and their header names the first ones.
    let shown_to = email::header(&email.to);
    let to = email.to.iter().map(|mailbox| json!({ "address": one(mailbox) }));
    let copies = email.cc.iter().chain(&email.bcc).map(|mailbox| {
        let mut address = one(mailbox);
        address["header_to"] = shown_to.as_str().into();
        json!({ "address": address })
    });
    let mut recipients: Vec<Value> = to.chain(copies).collect();
    let tags: Vec<&str> = message.tags().into_iter().take(TAGS_LIMIT).collect();
    if !tags.is_empty() {
        recipients.iter_mut().for_each(|recipient| recipient["tags"] = tags.clone().into());
    }
    let mut headers: Map<String, Value> = Map::new();
    if !email.cc.is_empty() {
        headers.insert("CC".to_owned(), email::header(&email.cc).into());
    }
    headers.extend(email.headers_by_name());
    if !headers.is_empty() {
        content["headers"] = Value::Object(headers);
    }
    let (inline, attached) = email.parted_attachments();
    for (name, files) in [("attachments", attached), ("inline_images", inline)] {
        if !files.is_empty() {
            content[name] = files.into_iter().map(file).collect();
        }
    }
    let body = json!({
        "content": content,
        "recipients": recipients,
        "metadata": { "message_id": message.message_id },
    });
    http::post(URL, http::JSON, &[("Authorization", http::key(message, &["apiKey"]))], body)
}

fn one(mailbox: &Mailbox) -> Value {
    match &mailbox.name {
        Some(name) => json!({ "email": mailbox.email, "name": name }),
        None => json!({ "email": mailbox.email }),
    }
}

/// The HTML shows an image by its name.
fn file(it: &Attachment) -> Value {
    let name = it.content_id.as_ref().unwrap_or(&it.filename);
    json!({ "name": name, "type": it.content_type(), "data": it.data })
}
