//! What a provider would have been given: the request that Courier would make for a message, without making it.
//!
//! A provider's own module knows its form; what the definition overrides is laid over it here.

mod courier;
mod elements;
mod email;
mod fcm;
mod message;
mod msteams;
mod other;
mod overrides;
pub mod segments;
mod sendgrid;
mod slack;
mod smtp;
mod twilio;
mod webhook;

use serde_json::{Map, Value};

use crate::json::merge;
use crate::model::channel::Channel;
use crate::model::provider::{Provider, RequestForm};
use crate::render::{markdown, node};

pub use message::ProviderMessage;
pub use overrides::overrides;
pub use smtp::SmtpChecks;

/// Whether a provider passes on what a message was made of.
pub fn passes_data_on(provider: Provider) -> bool {
    matches!(provider.channel(), Channel::Push | Channel::Inbox | Channel::Webhook)
}

/// What the recipient would see.
pub struct Output {
    pub subject: String,
    pub body: String,
    /// An e-mail's; other channels have none.
    pub html: String,
    pub elements: Vec<Value>,
}

pub fn output(message: &ProviderMessage<'_>) -> Output {
    let mut elements = match elements::raw(message) {
        Value::Array(elements) => elements,
        _ => Vec::new(),
    };
    for element in elements.iter_mut().filter(|it| node::is_markdown(it)) {
        if let Some(plain) = element[node::CONTENT].as_str().map(markdown::plain) {
            element[node::CONTENT] = plain.into();
        }
    }
    if message.channel == Channel::Email {
        let email = email::read(message, None);
        return Output { subject: email.subject, body: email.text, html: email.html, elements };
    }
    let subject = message.title().unwrap_or_default().to_owned();
    Output { subject, body: message.text().to_owned(), html: String::new(), elements }
}

/// The complete HTML of an e-mail, as its provider would have been given it; other channels have none.
pub fn html(message: &ProviderMessage<'_>) -> Option<String> {
    (message.channel == Channel::Email).then(|| email::read(message, None).html)
}

/// Where members of an override's `body` are laid over a request, as Courier's documentation of provider overrides has
/// it.
enum BodyTarget {
    Request,
    /// Below a member of the request.
    Member(&'static str),
    /// Below a member, unless the override names the member itself.
    MemberUnlessNamed(&'static str),
    /// Over the request, spelled as this writes them.
    Fields(fn(&Map<String, Value>) -> Value),
    /// The form has read them: they are about the message, and not about the text that comes of it.
    Read,
}

type WriteRequest = fn(&ProviderMessage<'_>) -> Value;

/// How a request of this form is written.
fn form(form: RequestForm) -> (WriteRequest, BodyTarget) {
    match form {
        RequestForm::Sendgrid => (sendgrid::request, BodyTarget::Request),
        RequestForm::Smtp => (smtp::request, BodyTarget::Read),
        RequestForm::Twilio => (twilio::request, BodyTarget::Fields(twilio::fields)),
        RequestForm::Fcm => (fcm::request, BodyTarget::MemberUnlessNamed("message")),
        RequestForm::Slack => (slack::request, BodyTarget::Request),
        RequestForm::MsTeams => (msteams::request, BodyTarget::Request),
        RequestForm::Webhook => (webhook::request, BodyTarget::Member("body")),
        RequestForm::Inbox => (courier::request, BodyTarget::Request),
        RequestForm::Common => (other::request, BodyTarget::Request),
    }
}

/// Lays the `payload` of a content's `raw` over a request. That of a webhook is its body, or has it.
fn lay_payload(request: &mut Value, payload: Value, is_webhook: bool) {
    let is_request = ["body", "headers", "method", "url"].iter().any(|name| payload.get(name).is_some());
    match payload {
        Value::Object(mut members) if is_webhook && is_request => {
            if let Some(body) = members.remove("body") {
                request["body"] = body;
            }
            merge(request, &Value::Object(members));
        }
        payload if is_webhook => request["body"] = payload,
        payload => merge(request, &payload),
    }
}

/// The request that the provider would have been given. Members of the override's `body` win over it.
pub fn request(message: &ProviderMessage<'_>) -> Value {
    let (write, target) = form(message.provider.row().form);
    let mut request = write(message);
    if let Some(payload) = elements::raw_member(message, &["payload"]) {
        lay_payload(&mut request, payload, matches!(target, BodyTarget::Member("body")));
    }
    let Some(body @ Value::Object(members)) = message.overridden(&["body"]) else { return request };
    match target {
        BodyTarget::MemberUnlessNamed(name) if members.contains_key(name) => merge(&mut request, body),
        BodyTarget::Member(name) | BodyTarget::MemberUnlessNamed(name) => merge(&mut request[name], body),
        BodyTarget::Fields(fields) => merge(&mut request, &fields(members)),
        BodyTarget::Request => merge(&mut request, body),
        BodyTarget::Read => {}
    }
    request
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
