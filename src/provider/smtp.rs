//! SMTP: the envelope, and the message as it would go over the wire.

use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use lettre::Address;
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{self as wire, Attachment, Body, Message, MultiPart, SinglePart};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::email::{self, Email};
use super::message::ProviderMessage;
use super::overrides::overrides;
use crate::clock::Timestamp;
use crate::model::channel::Channel;
use crate::model::mailbox::Mailbox;
use crate::model::options::MessageOptions;
use crate::model::provider::{Provider, RequestForm};

/// The last second that has four digits for its year, which is as far as a `Date` can tell.
const LAST_EPOCH_SECONDS: i64 = 253_402_300_799;

/// `{from, to, data}`, or instead of `data` an `error` that says why there can be none.
pub fn request(message: &ProviderMessage<'_>) -> Value {
    let email = email::read(message, message.overridden(&["body"]));
    match mail(message, &email) {
        Ok(mail) => {
            let envelope = mail.envelope();
            let to: Vec<&str> = envelope.to().iter().map(AsRef::as_ref).collect();
            let from: Option<&str> = envelope.from().map(AsRef::as_ref);
            json!({ "from": from, "to": to, "data": String::from_utf8_lossy(&mail.formatted()) })
        }
        Err(error) => {
            let to: Vec<String> = email.to.iter().map(|mailbox| clean(&mailbox.email)).collect();
            json!({ "from": clean(&email.from.email), "to": to, "error": error })
        }
    }
}

fn mail(message: &ProviderMessage<'_>, email: &Email) -> Result<Message, String> {
    // No address of a message's own, and nothing that could not stand in a header.
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
    if let Some(mailbox) = &email.reply_to {
        builder = builder.reply_to(parsed(mailbox)?);
    }
    for (name, value) in &email.headers {
        let header =
            HeaderName::new_from_ascii(name.clone()).map_err(|_| format!("'{name}' is no name of a header"))?;
        builder = builder.raw_header(HeaderValue::new(header, clean(value)));
    }
    let parts = MultiPart::alternative().boundary(boundary(&[&id, &email.text, &email.html]));
    let parts = parts.singlepart(SinglePart::plain(email.text.clone()));
    let mut parts = parts.singlepart(SinglePart::html(email.html.clone()));
    if !email.attachments.is_empty() {
        let boundary = boundary(&[&id, "attachments", &email.text, &email.html]);
        parts = MultiPart::mixed().boundary(boundary).multipart(parts);
        for it in &email.attachments {
            parts = parts.singlepart(attachment(it)?);
        }
    }
    builder.multipart(parts).map_err(|error| error.to_string())
}

fn attachment(it: &email::Attachment) -> Result<SinglePart, String> {
    let name = clean(&it.filename);
    // Some encoders break their lines.
    let data: String = it.data.split_ascii_whitespace().collect();
    let data =
        BASE64_STANDARD.decode(data).map_err(|error| format!("the attachment '{name}' is no base64: {error}"))?;
    let data = Body::new_with_encoding(data, ContentTransferEncoding::Base64);
    let data = data.map_err(|_| format!("the attachment '{name}' cannot be encoded"))?;
    let content_type = ContentType::parse(&it.content_type).or_else(|_| ContentType::parse("application/octet-stream"));
    let content_type = content_type.map_err(|error| error.to_string())?;
    Ok(Attachment::new(name).body(data, content_type))
}

/// A line that stands in none of the parts: it depends on every byte of them.
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

/// What SMTP can make of a job's messages, as far as that is the same for all of them.
pub struct SmtpChecks(Vec<(Provider, OverrideCheck)>);

impl SmtpChecks {
    pub fn of(options: &MessageOptions) -> Self {
        let is_smtp = |it: &Provider| it.row().form == RequestForm::Smtp;
        let check = |provider| match overrides(options, Channel::Email, provider) {
            Some(over) => OverrideCheck::overridden(provider, &over),
            None => OverrideCheck::default(),
        };
        SmtpChecks(Provider::of_channel(Channel::Email).filter(is_smtp).map(|it| (it, check(it))).collect())
    }

    /// Why a provider can be given nothing for this address.
    pub fn refusal(&self, provider: Provider, address: &str) -> Option<String> {
        self.0.iter().find(|(known, _)| *known == provider).and_then(|(_, check)| check.refusal(address))
    }
}

/// What a definition's overrides make of every mail.
#[derive(Default)]
struct OverrideCheck {
    names_recipients: bool,
    problem: Option<String>,
}

impl OverrideCheck {
    fn overridden(provider: Provider, over: &Value) -> Self {
        const ADDRESS: &str = "any@example.com";
        let message = ProviderMessage {
            message_id: "1",
            created_at: Timestamp::default(),
            recipient: "",
            provider,
            channel: Channel::Email,
            address: ADDRESS,
            subject: None,
            body: "",
            content: None,
            brand: None,
            locale: None,
            override_: Some(over),
            metadata: None,
            data: None,
            profile: None,
        };
        let email = email::read(&message, message.overridden(&["body"]));
        let names_recipients = email.to.iter().any(|mailbox| mailbox.email != ADDRESS);
        OverrideCheck { names_recipients, problem: mail(&message, &email).err() }
    }

    /// Why there can be no mail to this address.
    fn refusal(&self, address: &str) -> Option<String> {
        if self.problem.is_some() || self.names_recipients {
            return self.problem.clone();
        }
        let error = address.parse::<Address>().err()?;
        Some(format!("'{}' is not an e-mail address: {error}", clean(address)))
    }
}

/// A header is one line.
fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
