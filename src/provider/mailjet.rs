//! Mailjet: `POST /v3.1/send`.

use serde_json::{Value, json};

use super::email::{Attachment, Email};
use super::http;
use super::message::ProviderMessage;
use crate::json::merge;
use crate::model::mailbox::Mailbox;

const URL: &str = "https://api.mailjet.com/v3.1/send";

pub fn request(message: &ProviderMessage<'_>, email: &Email) -> Value {
    let mut sent = json!({
        "From": one(&email.from),
        "To": all(&email.to),
        "Subject": email.subject,
        "TextPart": email.text,
        "HTMLPart": email.html,
        "CustomID": message.message_id,
    });
    for (name, mailboxes) in [("Cc", &email.cc), ("Bcc", &email.bcc)] {
        if !mailboxes.is_empty() {
            sent[name] = all(mailboxes);
        }
    }
    if let Some(reply_to) = email.reply_to.first() {
        sent["ReplyTo"] = one(reply_to);
    }
    if !email.headers.is_empty() {
        sent["Headers"] = email.headers_by_name().into();
    }
    let (inline, attached) = email.parted_attachments();
    for (name, files) in [("Attachments", attached), ("InlinedAttachments", inline)] {
        if !files.is_empty() {
            sent[name] = files.into_iter().map(file).collect();
        }
    }
    let authorization = http::basic(http::key(message, &["publicKey", "apiKey"]), http::key(message, &["privateKey"]));
    http::post(URL, http::JSON, &[("Authorization", &authorization)], json!({ "Messages": [sent] }))
}

fn one(mailbox: &Mailbox) -> Value {
    match &mailbox.name {
        Some(name) => json!({ "Email": mailbox.email, "Name": name }),
        None => json!({ "Email": mailbox.email }),
    }
}

fn all(mailboxes: &[Mailbox]) -> Value {
    mailboxes.iter().map(one).collect()
}

fn file(it: &Attachment) -> Value {
    let mut file = json!({ "Filename": it.filename, "ContentType": it.content_type(), "Base64Content": it.data });
    if let Some(id) = &it.content_id {
        file["ContentID"] = id.as_str().into();
    }
    file
}

/// An override is about the message, unless it names `Messages`.
pub fn lay_over(body: &mut Value, over: &Value) {
    match over.get("Messages") {
        Some(_) => merge(body, over),
        None => merge(&mut body["Messages"][0], over),
    }
}
