//! What a provider would have been sent: the request that Courier would make for a message. It is not sent.
//!
//! A provider's own module knows its form; the definition's overrides are applied here.

mod airship;
mod apns;
mod apns_limits;
mod courier;
mod discord;
mod discord_limits;
mod documented;
mod effects;
mod elements;
mod email;
mod expo;
mod fcm;
mod fcm_limits;
mod forms;
mod http;
mod limits;
mod mailgun;
mod mailjet;
mod mandrill;
mod message;
mod msteams;
mod onesignal;
mod other;
mod overrides;
mod pagerduty;
mod postmark;
mod push;
mod resend;
pub mod segments;
mod sendgrid;
mod ses;
mod slack;
mod slack_limits;
mod sms;
mod sms_limits;
mod smtp;
mod sparkpost;
mod teams_limits;
mod twilio;
mod webhook;

use crate::model::channel::Channel;
use crate::model::provider::{Provider, RequestForm};
use crate::model::rendered_batch::Delivery;

pub use effects::{Slip, slips};
pub use email::{Attachment, DEFAULT_SENDER, Email};
pub use forms::{About, about, request};
pub use limits::{Overriding, ProviderChecks, ProviderVerdict};
pub use message::ProviderMessage;
pub use overrides::{over_headers, overrides};

/// Whether a provider passes on the data that a message was made from, or has to look at it.
pub fn passes_data_on(provider: Provider) -> bool {
    let is_of_channel = |channel| provider.serves(channel);
    let form = provider.row().form;
    [Channel::Push, Channel::Inbox, Channel::Webhook].into_iter().any(is_of_channel)
        || matches!(form, RequestForm::Discord | RequestForm::PagerDuty)
        || form == RequestForm::Common && is_of_channel(Channel::DirectMessage)
}

/// What the author wrote that the provider's form cannot express, in words for the log.
pub fn lost(it: Delivery<'_>) -> Option<String> {
    let message = ProviderMessage {
        content: it.content,
        body: it.body,
        ..ProviderMessage::blank(it.provider, it.channel, it.address)
    };
    (it.provider.row().form == RequestForm::MsTeams).then(|| msteams::lost(&message)).flatten()
}

/// What the recipient would see.
pub struct Output {
    pub subject: String,
    pub body: String,
    /// The HTML of an e-mail; other channels have none.
    pub html: String,
    /// The type and the words of each element, without any markup.
    pub blocks: Vec<(String, String)>,
}

pub fn output(message: &ProviderMessage<'_>) -> Output {
    let blocks = elements::blocks(message);
    if message.channel == Channel::Email {
        let email = email::read(message, None);
        return Output { subject: email.subject, body: email.text, html: email.html, blocks };
    }
    let subject = message.title().unwrap_or_default().to_owned();
    Output { subject, body: message.text().to_owned(), html: String::new(), blocks }
}

/// The complete HTML of an e-mail, as its provider would have been sent it; other channels have none.
pub fn html(message: &ProviderMessage<'_>) -> Option<String> {
    (message.channel == Channel::Email).then(|| email::read(message, None).html)
}

/// An e-mail, without its HTML if that is not wanted.
pub fn email(message: &ProviderMessage<'_>, with_html: bool) -> Email {
    email::read_with(message, None, with_html)
}

/// An e-mail as it would be sent over SMTP, or why it cannot.
pub fn raw_email(message: &ProviderMessage<'_>) -> Result<Vec<u8>, String> {
    smtp::mail(message, &email::read(message, None)).map(|mail| mail.formatted())
}

/// An e-mail with its envelope.
pub struct Mail {
    pub from: Option<String>,
    pub to: Vec<String>,
    pub data: String,
}

/// An e-mail as it is sent over SMTP, for any provider, or why it cannot.
pub fn mail(message: &ProviderMessage<'_>) -> Result<Mail, String> {
    if let Some(error) = forms::unmade(message) {
        return Err(error);
    }
    let mail = smtp::mail(message, &forms::email(message))?;
    let envelope = mail.envelope();
    Ok(Mail {
        from: envelope.from().map(ToString::to_string),
        to: envelope.to().iter().map(ToString::to_string).collect(),
        data: String::from_utf8_lossy(&mail.formatted()).into_owned(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::clock::Timestamp;

    #[test]
    fn whatever_is_stored_leads_to_some_request() {
        let odd = [
            json!(null),
            json!([]),
            json!({ "body": [] }),
            json!({ "body": { "message": 5 }, "from": 3, "cc": {}, "attachments": [5, { "data": 3 }] }),
        ];
        let contents =
            [None, Some("x"), Some("[]"), Some("[1,{\"type\":\"list\",\"items\":5},{\"type\":\"action\"},{}]")];
        for (_, provider) in Provider::NAMES {
            for (value, content) in odd.iter().flat_map(|odd| contents.iter().map(move |content| (odd, content))) {
                let message = ProviderMessage {
                    message_id: "é \r\n\"",
                    created_at: Timestamp(i64::MIN),
                    recipient: "",
                    provider: *provider,
                    channel: provider.channel(),
                    address: "no address \r\nBcc: x@y",
                    subject: Some("a\r\nBcc: you@example.com\0"),
                    body: "\0\r\n.\r\n",
                    content: *content,
                    brand: Some(value),
                    locale: None,
                    override_: Some(value),
                    metadata: Some(value),
                    data: Some(value),
                    profile: Some(value),
                };
                assert!(request(&message).is_object(), "{provider:?}");
                let sent = request(&ProviderMessage { address: "ada@example.com", ..message });
                let head = sent["data"].as_str().and_then(|it| it.split("\r\n\r\n").next()).unwrap_or_default();
                assert!(!head.contains("\nBcc:"), "{provider:?} takes a header from a text");
            }
        }
    }
}
