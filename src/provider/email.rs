//! What all providers of e-mail get, before each form writes it in its own way.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use lettre::message::header::HeaderName;
use serde_json::{Map, Value, json};

use super::message::ProviderMessage;
use crate::model::mailbox::Mailbox;
use crate::render::email::document::{self, Frame};

/// The default sender. There is no such mailbox: the domain is reserved for examples.
pub const DEFAULT_SENDER: &str = "no-reply@example.com";

/// The type of a file whose type is unknown.
const BYTES: &str = "application/octet-stream";

/// A file that goes with an e-mail: Courier's `{filename, contentType, data}`, or Nodemailer's `{filename, content,
/// encoding, cid}`.
pub struct Attachment {
    pub filename: String,
    /// As it was given, maybe empty.
    pub content_type: String,
    /// In base64, without line breaks.
    pub data: String,
    /// The id by which the HTML shows it.
    pub content_id: Option<String>,
}

impl Attachment {
    /// Its type, or the default for an unknown one.
    pub fn content_type(&self) -> &str {
        if self.content_type.is_empty() { BYTES } else { &self.content_type }
    }
}

pub struct Email {
    pub from: Mailbox,
    pub to: Vec<Mailbox>,
    pub cc: Vec<Mailbox>,
    pub bcc: Vec<Mailbox>,
    pub reply_to: Vec<Mailbox>,
    pub subject: String,
    pub text: String,
    pub html: String,
    pub headers: Vec<(String, String)>,
    pub attachments: Vec<Attachment>,
    /// What is wrong with an attachment or with the sender.
    broken: Option<String>,
}

impl Email {
    /// Why it cannot be sent to any provider.
    pub fn problem(&self) -> Option<String> {
        let mailboxes = [&self.to, &self.cc, &self.bcc, &self.reply_to].into_iter().flatten();
        let address = [&self.from].into_iter().chain(mailboxes).find_map(Mailbox::problem);
        let header = |name: &String| HeaderName::new_from_ascii(name.clone()).is_err();
        let header = || self.headers.iter().find(|(name, _)| header(name));
        address
            .or_else(|| header().map(|(name, _)| format!("'{}' is no name of a header", clean(name))))
            .or_else(|| self.broken.clone())
    }

    /// Its headers, for providers that take an object of them.
    pub fn headers_by_name(&self) -> Map<String, Value> {
        self.headers.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect()
    }

    /// Stands in place of a request that cannot be made.
    pub fn unmade(&self, error: &str) -> Value {
        let to: Vec<String> = self.to.iter().map(|mailbox| clean(&mailbox.email)).collect();
        json!({ "from": clean(&self.from.email), "to": to, "error": error })
    }

    /// Those that the HTML shows, and the others.
    pub fn parted_attachments(&self) -> (Vec<&Attachment>, Vec<&Attachment>) {
        self.attachments.iter().partition(|it| it.content_id.is_some())
    }
}

/// The e-mail, with `channels.email.override` applied. `own` takes precedence: the body of providers that have the same
/// members.
pub fn read(message: &ProviderMessage<'_>, own: Option<&Value>) -> Email {
    read_with(message, own, true)
}

/// The same, without its HTML if that is not wanted: it takes most of the time.
pub fn read_with(message: &ProviderMessage<'_>, own: Option<&Value>, with_html: bool) -> Email {
    let find = |names: &[&str]| names.iter().find_map(|name| own?.get(name)).or_else(|| message.overridden(names));
    let text = |names: &[&str]| find(names).and_then(Value::as_str).map(str::to_owned);
    let mailboxes = |names: &[&str]| find(names).map(mailboxes).unwrap_or_default();
    let to = mailboxes(&["to"]);
    let subject = text(&["subject"]).unwrap_or_else(|| message.subject.unwrap_or_default().to_owned());
    let html = text(&["html"]).filter(|_| with_html).unwrap_or_else(|| {
        if !with_html {
            return String::new();
        }
        let preheader = text(&["preheader"]);
        let (preheader, locale) = (preheader.as_deref(), message.locale);
        let frame = Frame { subject: Some(&subject), brand: message.brand, preheader, locale };
        document::html(message.content, message.body, &frame)
    });
    let given = find(&["attachments"]).and_then(Value::as_array).into_iter().flatten();
    let (mut attachments, mut broken) = (Vec::new(), None);
    for (i, given) in given.enumerate() {
        match attachment(given, i + 1) {
            Ok(attachment) => attachments.push(attachment),
            Err(error) => drop(broken.get_or_insert(error)),
        }
    }
    let headers = find(&["headers"]).and_then(Value::as_object).into_iter().flatten();
    let from = mailboxes(&["from"]);
    if from.len() > 1 {
        let error = format!("'{}' is {} senders, and an e-mail has one", clean(&header(&from)), from.len());
        broken.get_or_insert(error);
    }
    Email {
        from: from.into_iter().next().unwrap_or_else(|| configured_sender(message)),
        to: if to.is_empty() { vec![recipient(message.address)] } else { to },
        cc: mailboxes(&["cc"]),
        bcc: mailboxes(&["bcc"]),
        reply_to: mailboxes(&["replyTo", "reply_to"]),
        subject,
        text: text(&["text"]).unwrap_or_else(|| document::text(message.content, message.body, message.brand)),
        html,
        headers: headers.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect(),
        attachments,
        broken,
    }
}

/// In a profile a name may stand beside the address.
fn recipient(address: &str) -> Mailbox {
    Mailbox::alone(address).unwrap_or_else(|| Mailbox::new(None, address))
}

/// The sender of an override's `config`.
fn configured_sender(message: &ProviderMessage<'_>) -> Mailbox {
    let given = message.config(&["fromAddress", "from"]).and_then(|text| Mailbox::list(text).into_iter().next());
    let sender = given.unwrap_or_else(|| Mailbox::new(None, DEFAULT_SENDER));
    match message.config(&["fromName"]) {
        Some(name) => Mailbox::new(Some(name.to_owned()), &sender.email),
        None => sender,
    }
}

/// The `number` counts from 1.
fn attachment(given: &Value, number: usize) -> Result<Attachment, String> {
    let member = |names: &[&str]| names.iter().find_map(|name| given.get(name)?.as_str());
    let filename = member(&["filename"]).map_or_else(|| format!("attachment-{number}"), clean);
    let data = match (member(&["data"]), member(&["content"])) {
        (Some(data), _) => decoded(data, "base64"),
        (None, Some(content)) => decoded(content, member(&["encoding"]).unwrap_or("utf-8")),
        (None, None) => Err("has neither data nor content".to_owned()),
    };
    let data = data.map_err(|error| format!("the attachment '{filename}' {error}"))?;
    Ok(Attachment {
        filename,
        content_type: member(&["contentType", "content_type", "type"]).map_or_else(String::new, clean),
        data: BASE64_STANDARD.encode(data),
        content_id: member(&["cid", "contentId", "content_id"]).filter(|id| !id.is_empty()).map(clean),
    })
}

fn decoded(text: &str, encoding: &str) -> Result<Vec<u8>, String> {
    match encoding.to_ascii_lowercase().as_str() {
        "base64" => {
            // Some encoders break lines.
            let text: String = text.split_ascii_whitespace().collect();
            BASE64_STANDARD.decode(text).map_err(|error| format!("is no base64: {error}"))
        }
        "hex" => {
            let digit = |byte: &u8| char::from(*byte).to_digit(16).map(|digit| digit as u8);
            let pairs = text.as_bytes().chunks(2);
            let bytes = pairs.map(|pair| Some(digit(pair.first()?)? * 16 + digit(pair.get(1)?)?)).collect();
            Option::<Vec<u8>>::ok_or(bytes, "is no hex".to_owned())
        }
        "utf8" | "utf-8" | "7bit" | "8bit" | "quoted-printable" => Ok(text.as_bytes().to_vec()),
        "ascii" | "latin1" | "binary" => Ok(text.chars().map(|c| u8::try_from(c).unwrap_or(b'?')).collect()),
        other => Err(format!("has an encoding that is not known: {}", clean(other))),
    }
}

/// `"Ada <ada@example.com>, b@example.com"`, `{email, name}`, or a list of these.
fn mailboxes(value: &Value) -> Vec<Mailbox> {
    match value {
        Value::String(text) => Mailbox::list(text),
        Value::Array(values) => values.iter().flat_map(mailboxes).collect(),
        Value::Object(object) => {
            let text = |name: &str| object.get(name).and_then(Value::as_str);
            let email = text("email").or_else(|| text("address")).filter(|email| !email.is_empty());
            email.map(|email| Mailbox::new(text("name").map(str::to_owned), email)).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// Mailboxes as one header has them.
pub fn header(mailboxes: &[Mailbox]) -> String {
    mailboxes.iter().map(Mailbox::to_string).collect::<Vec<_>>().join(", ")
}

/// Mailboxes as a list of texts.
pub fn texts(mailboxes: &[Mailbox]) -> Value {
    mailboxes.iter().map(|mailbox| Value::from(mailbox.to_string())).collect()
}

/// A header is one line.
pub fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
