//! SendGrid: the body of `POST /v3/mail/send`.

use serde_json::{Map, Value, json};

use super::email::{Attachment, Email};
use super::message::{ProviderMessage, shortened};
use crate::model::mailbox::Mailbox;

/// Categories of one e-mail, and the characters of one.
const CATEGORIES_LIMIT: usize = 10;
const CATEGORY_CHARS: usize = 255;

pub fn request(message: &ProviderMessage<'_>, email: &Email) -> Value {
    let mut personalization = json!({ "to": all(&email.to) });
    let mut request = json!({ "from": one(&email.from), "subject": email.subject });
    for (name, mailboxes) in [("cc", &email.cc), ("bcc", &email.bcc)] {
        if !mailboxes.is_empty() {
            personalization[name] = all(mailboxes);
        }
    }
    request["personalizations"] = json!([personalization]);
    // It refuses an empty value, and HTML before plain text.
    let contents = [("text/plain", &email.text), ("text/html", &email.html)].into_iter();
    let contents = contents.filter(|(_, value)| !value.is_empty());
    request["content"] = contents.map(|(kind, value)| json!({ "type": kind, "value": value })).collect();
    match email.reply_to.as_slice() {
        [] => {}
        [reply_to] => request["reply_to"] = one(reply_to),
        several => request["reply_to_list"] = all(several),
    }
    if !email.headers.is_empty() {
        request["headers"] = email.headers_by_name().into();
    }
    if !email.attachments.is_empty() {
        request["attachments"] = email.attachments.iter().map(attachment).collect();
    }
    let tags = message.tags();
    if !tags.is_empty() {
        request["categories"] =
            tags.into_iter().take(CATEGORIES_LIMIT).map(|tag| shortened(tag, CATEGORY_CHARS)).collect();
    }
    let mut custom: Map<String, Value> = Map::new();
    custom.insert("message_id".to_owned(), message.message_id.into());
    custom.insert("recipient".to_owned(), message.recipient.into());
    message.trace_id().into_iter().for_each(|id| drop(custom.insert("trace_id".to_owned(), id.into())));
    request["custom_args"] = Value::Object(custom);
    request
}

fn one(mailbox: &Mailbox) -> Value {
    match &mailbox.name {
        Some(name) => json!({ "email": mailbox.email, "name": name }),
        None => json!({ "email": mailbox.email }),
    }
}

fn all(mailboxes: &[Mailbox]) -> Value {
    mailboxes.iter().map(one).collect()
}

fn attachment(it: &Attachment) -> Value {
    let mut attachment = json!({ "filename": it.filename, "content": it.data });
    if !it.content_type.is_empty() {
        attachment["type"] = it.content_type.as_str().into();
    }
    if let Some(id) = &it.content_id {
        attachment["disposition"] = "inline".into();
        attachment["content_id"] = id.as_str().into();
    }
    attachment
}
