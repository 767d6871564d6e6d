//! Amazon SES, version 2 of its API: `SendEmail`. The request is not signed.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::email::{self, Attachment, Email};
use super::http;
use super::message::ProviderMessage;
use crate::json::merge;

const REGION: &str = "us-east-1";

pub fn request(message: &ProviderMessage<'_>, email: &Email) -> Value {
    let text = |data: &str| json!({ "Data": data, "Charset": "UTF-8" });
    let mut simple = json!({ "Subject": text(&email.subject), "Body": {} });
    for (name, data) in [("Text", &email.text), ("Html", &email.html)] {
        if !data.is_empty() {
            simple["Body"][name] = text(data);
        }
    }
    if !email.headers.is_empty() {
        simple["Headers"] = email.headers.iter().map(|(name, value)| json!({ "Name": name, "Value": value })).collect();
    }
    if !email.attachments.is_empty() {
        simple["Attachments"] = email.attachments.iter().map(attachment).collect();
    }
    let mut destination = json!({ "ToAddresses": email::texts(&email.to) });
    for (name, mailboxes) in [("CcAddresses", &email.cc), ("BccAddresses", &email.bcc)] {
        if !mailboxes.is_empty() {
            destination[name] = email::texts(mailboxes);
        }
    }
    let mut body = json!({
        "FromEmailAddress": email.from.to_string(),
        "Destination": destination,
        "Content": { "Simple": simple },
    });
    if !email.reply_to.is_empty() {
        body["ReplyToAddresses"] = email::texts(&email.reply_to);
    }
    if !message.tags().is_empty() {
        body["EmailTags"] = message.named_tags("Name", "Value");
    }
    let region = message.config(&["region"]).unwrap_or(REGION);
    let url = format!("https://email.{region}.amazonaws.com/v2/email/outbound-emails");
    http::post(&url, http::JSON, &[], body)
}

fn attachment(it: &Attachment) -> Value {
    let mut attachment = json!({
        "FileName": it.filename,
        "RawContent": it.data,
        "ContentType": it.content_type(),
        "ContentTransferEncoding": "BASE64",
        "ContentDisposition": if it.content_id.is_some() { "INLINE" } else { "ATTACHMENT" },
    });
    if let Some(id) = &it.content_id {
        attachment["ContentId"] = id.as_str().into();
    }
    attachment
}

/// An override may have a message of its own, in the form of version 1: `{RawMessage: {Data}}`.
pub fn lay_over(body: &mut Value, over: &Value) {
    let mut over = over.clone();
    let raw = over.as_object_mut().and_then(|it| it.remove("RawMessage"));
    if let Some(data) = raw.as_ref().and_then(|it| it.get("Data")?.as_str()) {
        body["Content"] = json!({ "Raw": { "Data": BASE64_STANDARD.encode(data) } });
    }
    merge(body, &over);
}
