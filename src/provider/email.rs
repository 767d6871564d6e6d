//! What all providers of e-mail are told, before each of them says it in its own way.

use serde_json::Value;

use super::message::ProviderMessage;
use crate::model::mailbox::Mailbox;
use crate::render::email::document::{self, Frame};

/// The sender where none is given. There is no such mailbox: the domain is set aside for examples.
const FROM: &str = "no-reply@example.com";

/// A file that goes with an e-mail: Courier's `{filename, contentType, data}`.
pub struct Attachment {
    pub filename: String,
    pub content_type: String,
    /// In base64, as it was given.
    pub data: String,
}

pub struct Email {
    pub from: Mailbox,
    pub to: Vec<Mailbox>,
    pub cc: Vec<Mailbox>,
    pub bcc: Vec<Mailbox>,
    pub reply_to: Option<Mailbox>,
    pub subject: String,
    pub text: String,
    pub html: String,
    pub headers: Vec<(String, String)>,
    pub attachments: Vec<Attachment>,
}

/// The e-mail, with `channels.email.override` in it. `own` is looked at first: the body of providers that take the
/// message in these words.
pub fn read(message: &ProviderMessage<'_>, own: Option<&Value>) -> Email {
    let find = |names: &[&str]| names.iter().find_map(|name| own?.get(name)).or_else(|| message.overridden(names));
    let text = |names: &[&str]| find(names).and_then(Value::as_str).map(str::to_owned);
    let mailboxes = |names: &[&str]| find(names).map(mailboxes).unwrap_or_default();
    let first = |names: &[&str]| mailboxes(names).into_iter().next();
    let to = mailboxes(&["to"]);
    let subject = text(&["subject"]).unwrap_or_else(|| message.subject.unwrap_or_default().to_owned());
    let html = text(&["html"]).unwrap_or_else(|| {
        let preheader = text(&["preheader"]);
        let (preheader, locale) = (preheader.as_deref(), message.locale);
        let frame = Frame { subject: Some(&subject), brand: message.brand, preheader, locale };
        document::html(message.content, message.body, &frame)
    });
    let attachments = find(&["attachments"]).and_then(Value::as_array).into_iter().flatten();
    let headers = find(&["headers"]).and_then(Value::as_object).into_iter().flatten();
    Email {
        from: first(&["from"]).unwrap_or(Mailbox { name: None, email: FROM.to_owned() }),
        to: if to.is_empty() { vec![Mailbox { name: None, email: message.address.to_owned() }] } else { to },
        cc: mailboxes(&["cc"]),
        bcc: mailboxes(&["bcc"]),
        reply_to: first(&["replyTo", "reply_to"]),
        subject,
        text: text(&["text"]).unwrap_or_else(|| document::text(message.content, message.body, message.brand)),
        html,
        headers: headers.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect(),
        attachments: attachments.map(attachment).collect(),
    }
}

fn attachment(given: &Value) -> Attachment {
    let member =
        |names: &[&str]| names.iter().find_map(|name| given.get(name)?.as_str()).unwrap_or_default().to_owned();
    Attachment {
        filename: member(&["filename"]),
        content_type: member(&["contentType", "content_type", "type"]),
        data: member(&["data", "content"]),
    }
}

/// `"Ada <ada@example.com>, b@example.com"`, `{email, name}`, or a list of these.
fn mailboxes(value: &Value) -> Vec<Mailbox> {
    match value {
        Value::String(text) => Mailbox::list(text),
        Value::Array(values) => values.iter().flat_map(mailboxes).collect(),
        Value::Object(object) => {
            let text = |name: &str| object.get(name).and_then(Value::as_str).map(str::to_owned);
            let email = text("email").or_else(|| text("address")).filter(|email| !email.is_empty());
            email.map(|email| Mailbox { name: text("name"), email }).into_iter().collect()
        }
        _ => Vec::new(),
    }
}
