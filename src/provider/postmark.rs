//! Postmark: `POST /email`.

use serde_json::{Map, Value, json};

use super::email::{self, Attachment, Email};
use super::http;
use super::message::ProviderMessage;

const URL: &str = "https://api.postmarkapp.com/email";
/// The stream that every server has.
const STREAM: &str = "outbound";

pub fn request(message: &ProviderMessage<'_>, email: &Email) -> Value {
    let url = message.config(&["url"]).unwrap_or(URL);
    let mut body = json!({
        "From": email.from.to_string(),
        "To": email::header(&email.to),
        "MessageStream": message.config(&["MessageStream", "messageStream"]).unwrap_or(STREAM),
    });
    // A template has its own.
    if !url.ends_with("/withTemplate") {
        body["Subject"] = email.subject.as_str().into();
        body["TextBody"] = email.text.as_str().into();
        body["HtmlBody"] = email.html.as_str().into();
    }
    for (name, mailboxes) in [("Cc", &email.cc), ("Bcc", &email.bcc), ("ReplyTo", &email.reply_to)] {
        if !mailboxes.is_empty() {
            body[name] = email::header(mailboxes).into();
        }
    }
    if !email.headers.is_empty() {
        body["Headers"] = email.headers.iter().map(|(name, value)| json!({ "Name": name, "Value": value })).collect();
    }
    if !email.attachments.is_empty() {
        body["Attachments"] = email.attachments.iter().map(attachment).collect();
    }
    if let Some(tag) = message.tags().first() {
        body["Tag"] = (*tag).into();
    }
    let mut metadata: Map<String, Value> = Map::new();
    metadata.insert("message_id".to_owned(), message.message_id.into());
    message.trace_id().into_iter().for_each(|id| drop(metadata.insert("trace_id".to_owned(), id.into())));
    body["Metadata"] = Value::Object(metadata);
    let key = http::key(message, &["apiKey", "serverToken"]);
    http::post(url, http::JSON, &[("Accept", http::JSON), ("X-Postmark-Server-Token", key)], body)
}

fn attachment(it: &Attachment) -> Value {
    let mut attachment = json!({ "Name": it.filename, "Content": it.data, "ContentType": it.content_type() });
    if let Some(id) = &it.content_id {
        attachment["ContentID"] = format!("cid:{id}").into();
    }
    attachment
}
