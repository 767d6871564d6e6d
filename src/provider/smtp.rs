//! SMTP: the envelope, and the message as it would be sent.

use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{self as wire, Attachment, Body, Message, MultiPart, SinglePart};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::email::{self, Email, clean};
use super::message::ProviderMessage;
use crate::model::mailbox::Mailbox;

/// The last second of a year with four digits, which is the limit of a `Date`.
const LAST_EPOCH_SECONDS: i64 = 253_402_300_799;

/// `{from, to, data}`.
pub fn request(message: &ProviderMessage<'_>, email: &Email) -> Value {
    match mail(message, email) {
        Ok(mail) => {
            let envelope = mail.envelope();
            let to: Vec<&str> = envelope.to().iter().map(AsRef::as_ref).collect();
            let from: Option<&str> = envelope.from().map(AsRef::as_ref);
            json!({ "from": from, "to": to, "data": String::from_utf8_lossy(&mail.formatted()) })
        }
        Err(error) => email.unmade(&error),
    }
}

pub fn mail(message: &ProviderMessage<'_>, email: &Email) -> Result<Message, String> {
    // Not an address of a message's own, and only characters that may stand in a header.
    let id: String = message.message_id.chars().filter(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c)).collect();
    let seconds = message.created_at.seconds().clamp(0, LAST_EPOCH_SECONDS).unsigned_abs();
    let mut builder = Message::builder()
        .from(parsed(&email.from)?)
        .date(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
        .message_id(Some(format!("<{id}@bulkd.localhost>")))
        .subject(clean(&email.subject));
    for mailbox in &email.to {
        builder = builder.to(parsed(mailbox)?);
    }
    for mailbox in &email.cc {
        builder = builder.cc(parsed(mailbox)?);
    }
    for mailbox in &email.bcc {
        builder = builder.bcc(parsed(mailbox)?);
    }
    for mailbox in &email.reply_to {
        builder = builder.reply_to(parsed(mailbox)?);
    }
    for (name, value) in &email.headers {
        let header =
            HeaderName::new_from_ascii(name.clone()).map_err(|_| format!("'{name}' is no name of a header"))?;
        builder = builder.raw_header(HeaderValue::new(header, clean(value)));
    }
    let (inline, attached) = email.parted_attachments();
    let parts = MultiPart::alternative().boundary(boundary(&[&id, &email.text, &email.html]));
    let parts = parts.singlepart(SinglePart::plain(email.text.clone()));
    let html = SinglePart::html(email.html.clone());
    let mut parts = match inline.as_slice() {
        [] => parts.singlepart(html),
        inline => {
            let boundary = boundary(&[&id, "related", &email.text, &email.html]);
            let related = MultiPart::related().boundary(boundary).singlepart(html);
            parts.multipart(with_files(related, inline)?)
        }
    };
    if !attached.is_empty() {
        let boundary = boundary(&[&id, "attachments", &email.text, &email.html]);
        parts = with_files(MultiPart::mixed().boundary(boundary).multipart(parts), &attached)?;
    }
    builder.multipart(parts).map_err(|error| error.to_string())
}

fn with_files(parts: MultiPart, files: &[&email::Attachment]) -> Result<MultiPart, String> {
    files.iter().try_fold(parts, |parts, it| Ok(parts.singlepart(attachment(it)?)))
}

fn attachment(it: &email::Attachment) -> Result<SinglePart, String> {
    let data = BASE64_STANDARD.decode(&it.data).map_err(|error| error.to_string())?;
    let data = Body::new_with_encoding(data, ContentTransferEncoding::Base64);
    let data = data.map_err(|_| format!("the attachment '{}' cannot be encoded", it.filename))?;
    let content_type = ContentType::parse(&it.content_type).or_else(|_| ContentType::parse("application/octet-stream"));
    let content_type = content_type.map_err(|error| error.to_string())?;
    let file = match &it.content_id {
        Some(id) => Attachment::new_inline_with_name(id.clone(), it.filename.clone()),
        None => Attachment::new(it.filename.clone()),
    };
    Ok(file.body(data, content_type))
}

/// A line that occurs in none of the parts: it depends on every byte of them.
fn boundary(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part.as_bytes()));
    let digits: String = hash.finalize().iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    format!("bulkd-{digits}")
}

fn parsed(mailbox: &Mailbox) -> Result<wire::Mailbox, String> {
    let address = clean(&mailbox.email);
    let address = address.parse().map_err(|error| format!("'{address}' is not an e-mail address: {error}"))?;
    Ok(wire::Mailbox::new(mailbox.name.as_deref().map(clean), address))
}
