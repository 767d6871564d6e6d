//! Resend: `POST /emails`.

use serde_json::{Value, json};

use super::email::{self, Attachment, Email};
use super::http;
use super::message::ProviderMessage;

const URL: &str = "https://api.resend.com/emails";

pub fn request(message: &ProviderMessage<'_>, email: &Email) -> Value {
    let mut body = json!({
        "from": email.from.to_string(),
        "to": email::texts(&email.to),
        "subject": email.subject,
        "text": email.text,
        "html": email.html,
    });
    for (name, mailboxes) in [("cc", &email.cc), ("bcc", &email.bcc), ("reply_to", &email.reply_to)] {
        if !mailboxes.is_empty() {
            body[name] = email::texts(mailboxes);
        }
    }
    if !email.headers.is_empty() {
        body["headers"] = email.headers_by_name().into();
    }
    if !email.attachments.is_empty() {
        body["attachments"] = email.attachments.iter().map(attachment).collect();
    }
    if !message.tags().is_empty() {
        body["tags"] = message.named_tags("name", "value");
    }
    let authorization = http::bearer(http::key(message, &["apiKey"]));
    http::post(URL, http::JSON, &[("Authorization", &authorization)], body)
}

fn attachment(it: &Attachment) -> Value {
    let mut attachment = json!({ "filename": it.filename, "content": it.data, "content_type": it.content_type() });
    if let Some(id) = &it.content_id {
        attachment["content_id"] = id.as_str().into();
    }
    attachment
}
