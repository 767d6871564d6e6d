//! What a provider would have been given: the request that Courier would make for a message, without making it.
//!
//! A provider's own module knows its form; what the definition overrides is laid over it here.

mod courier;
mod elements;
mod email;
mod fcm;
mod msteams;
mod other;
mod sendgrid;
mod slack;
mod smtp;
mod twilio;
mod webhook;

use serde_json::{Map, Value};

use super::markdown;
use crate::clock::Timestamp;
use crate::model::channel::{Channel, Provider};
use crate::model::options::MessageOptions;
use smtp::Mail;

/// A message on its way to a provider.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    pub message_id: &'a str,
    pub created_at: Timestamp,
    pub recipient: &'a str,
    pub provider: Provider,
    pub channel: Channel,
    /// E-mail address, phone number, push token, Slack channel, URL; for the inbox the recipient.
    pub address: &'a str,
    pub subject: Option<&'a str>,
    /// As plain text.
    pub body: &'a str,
    /// Beyond the plain text: an e-mail's HTML without its frame, elsewhere the rendered elements as a JSON array.
    pub content: Option<&'a str>,
    /// A brand as it is stored: `{name, settings}`.
    pub brand: Option<&'a Value>,
    /// What [`overrides`] found for this channel and provider.
    pub override_: Option<&'a Value>,
    /// The definition's `metadata`: `tags`, `trace_id`.
    pub metadata: Option<&'a Value>,
    /// The merged data, for providers that pass it on.
    pub data: Option<&'a Value>,
    /// The profile, for providers that pass it on.
    pub profile: Option<&'a Value>,
}

impl Outgoing<'_> {
    /// A member of what the definition overrides.
    fn overridden(&self, names: &[&str]) -> Option<&Value> {
        names.iter().find_map(|name| self.override_?.get(name)).filter(|value| !value.is_null())
    }

    fn overridden_text(&self, names: &[&str]) -> Option<&str> {
        self.overridden(names)?.as_str()
    }

    /// Subject or title, as the definition has it.
    fn title(&self) -> Option<&str> {
        self.overridden_text(&["title", "subject"]).or(self.subject).filter(|title| !title.is_empty())
    }

    /// The body, as the definition has it.
    fn text(&self) -> &str {
        self.overridden_text(&["body", "text"]).unwrap_or(self.body)
    }

    /// The data that the provider is given, with those of the definition over it.
    fn data(&self) -> Option<Value> {
        let over = self.overridden(&["data"]).filter(|it| it.is_object());
        let mut data = self.data.or(over)?.clone();
        over.into_iter().for_each(|over| merge(&mut data, over));
        Some(data)
    }

    /// The `tags` of the definition's metadata.
    fn tags(&self) -> Vec<&str> {
        let tags = self.metadata.and_then(|it| it.get("tags")?.as_array());
        tags.into_iter().flatten().filter_map(Value::as_str).collect()
    }

    fn trace_id(&self) -> Option<&str> {
        self.metadata?.get("trace_id")?.as_str()
    }
}

/// Whether a provider passes on what a message was made of.
pub fn takes_data(provider: Provider) -> bool {
    matches!(provider.channel(), Channel::Push | Channel::Inbox | Channel::Webhook)
}

/// What the recipient would see.
pub struct Shown {
    pub subject: String,
    pub body: String,
    /// An e-mail's; other channels have none.
    pub html: String,
    pub elements: Vec<Value>,
}

pub fn shown(outgoing: &Outgoing<'_>) -> Shown {
    let mut elements = match elements::raw(outgoing) {
        Value::Array(elements) => elements,
        _ => Vec::new(),
    };
    for element in elements.iter_mut().filter(|it| elements::is_markdown(it)) {
        if let Some(plain) = element["content"].as_str().map(markdown::plain) {
            element["content"] = plain.into();
        }
    }
    if outgoing.channel == Channel::Email {
        let email = email::read(outgoing, None);
        return Shown { subject: email.subject, body: email.text, html: email.html, elements };
    }
    let subject = outgoing.title().unwrap_or_default().to_owned();
    Shown { subject, body: outgoing.text().to_owned(), html: String::new(), elements }
}

/// The complete HTML of an e-mail, as its provider would have been given it; other channels have none.
pub fn html(outgoing: &Outgoing<'_>) -> Option<String> {
    (outgoing.channel == Channel::Email).then(|| email::read(outgoing, None).html)
}

/// The request that the provider would have been given. Members of the override's `body` win over it, as Courier's
/// documentation of provider overrides has it.
pub fn request(outgoing: &Outgoing<'_>) -> Value {
    let mut request = match outgoing.provider {
        Provider::Sendgrid => sendgrid::request(outgoing),
        // Its body speaks of the message, not of the text that comes of it.
        Provider::Smtp | Provider::Gmail => return smtp::request(outgoing),
        Provider::Twilio => twilio::request(outgoing),
        Provider::FirebaseFcm => fcm::request(outgoing),
        Provider::Slack => slack::request(outgoing),
        Provider::MsTeams => msteams::request(outgoing),
        Provider::Webhook => webhook::request(outgoing),
        Provider::Courier => courier::request(outgoing),
        _ => other::request(outgoing),
    };
    if let Some(body @ Value::Object(members)) = outgoing.overridden(&["body"]) {
        match outgoing.provider {
            Provider::FirebaseFcm if !members.contains_key("message") => merge(&mut request["message"], body),
            Provider::Twilio => merge(&mut request, &twilio::fields(members)),
            Provider::Webhook => merge(&mut request["body"], body),
            _ => merge(&mut request, body),
        }
    }
    request
}

/// What SMTP can make of a job's messages, as far as that is the same for all of them.
pub struct Mails {
    smtp: Mail,
    gmail: Mail,
}

impl Mails {
    pub fn of(options: &MessageOptions) -> Self {
        let mail = |provider| {
            let over = overrides(options, Channel::Email, provider)?;
            Some(Mail::overridden(provider, &over))
        };
        Mails { smtp: mail(Provider::Smtp).unwrap_or_default(), gmail: mail(Provider::Gmail).unwrap_or_default() }
    }

    /// Why a provider can be given nothing for this address.
    pub fn refusal(&self, provider: Provider, address: &str) -> Option<String> {
        match provider {
            Provider::Smtp => self.smtp.refusal(address),
            Provider::Gmail => self.gmail.refusal(address),
            _ => None,
        }
    }
}

/// What a definition overrides for a channel and a provider: members of `channels.<channel>.override`, over these those
/// of `override.<provider>`, over these those of `providers.<provider>.override`.
pub fn overrides(options: &MessageOptions, channel: Channel, provider: Provider) -> Option<Value> {
    let of_channel = options.channels.get(channel.name()).and_then(|it| it.overriding.as_ref());
    let of_provider = options.providers.get(provider.name()).and_then(|it| it.overriding.as_ref());
    let named = options.overrides.iter().filter_map(|it| it.get(provider.name()));
    let mut merged = Value::Object(Map::new());
    let found = of_channel.into_iter().chain(named).chain(of_provider).filter(|it| it.is_object());
    found.for_each(|found| merge(&mut merged, found));
    merged.as_object().is_some_and(|it| !it.is_empty()).then_some(merged)
}

/// Lays `over` over `base`: objects member by member, anything else in its place.
pub fn merge(base: &mut Value, over: &Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (name, value) in over {
                merge(base.entry(name).or_insert(Value::Null), value);
            }
        }
        (base, over) => *base = over.clone(),
    }
}

/// At most so many characters, the last of them an ellipsis if something was left out.
fn shortened(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        None => text.to_owned(),
        Some(_) => text.chars().take(limit.saturating_sub(1)).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn overrides_are_merged_deeply_and_the_narrower_wins() {
        let definition = json!({
            "message": {
                "channels": { "email": { "override": { "subject": "channel", "from": "a@x" } } },
                "override": { "sendgrid": { "from": "b@x", "body": { "a": { "b": 0 } } } },
            },
            "channels": { "email": { "override": { "subject": "flat" } }, "sms": { "override": { "body": 1 } } },
            "override": { "sendgrid": { "body": { "a": { "b": 1, "c": [1, 2] } } } },
            "providers": { "sendgrid": { "override": { "body": { "a": { "c": [3], "d": null } } } } },
        });
        let options = MessageOptions::read(&definition.to_string()).unwrap();
        assert_eq!(
            overrides(&options, Channel::Email, Provider::Sendgrid),
            Some(json!({ "subject": "channel", "from": "b@x", "body": { "a": { "b": 1, "c": [3], "d": null } } }))
        );
        assert_eq!(overrides(&options, Channel::Push, Provider::FirebaseFcm), None);
        // The channels are the nested form's.
        assert_eq!(overrides(&options, Channel::Sms, Provider::Twilio), None);
    }

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
                let outgoing = Outgoing {
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
                assert!(request(&outgoing).is_object(), "{provider:?}");
                let sent = request(&Outgoing { address: "ada@example.com", ..outgoing });
                let head = sent["data"].as_str().and_then(|it| it.split("\r\n\r\n").next()).unwrap_or_default();
                assert!(!head.contains("\nBcc:"), "{provider:?} takes a header from a text");
            }
        }
    }

    #[test]
    fn texts_are_shortened_by_characters() {
        assert_eq!(shortened("äöü", 3), "äöü");
        assert_eq!(shortened("äöüx", 3), "äö…");
    }
}
