//! What providers would answer instead of accepting a message: requests that cannot be made at all, and their own
//! limits, with their own codes and words.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::OnceLock;

use serde_json::Value;

use super::apns_limits::apns;
use super::discord_limits::{self, discord};
use super::fcm_limits::fcm;
use super::http::is_url;
use super::message::ProviderMessage;
use super::overrides::{over_headers, overrides};
use super::slack_limits::{self, slack};
use super::teams_limits::{self, teams};
use super::{email, fcm_limits, forms, sms_limits};
use crate::model::channel::Channel;
use crate::model::mailbox;
use crate::model::options::MessageOptions;
use crate::model::provider::{Provider, RequestForm};
use crate::model::rendered_batch::Delivery;

/// Bytes of a push message.
const PUSH_BYTES: usize = fcm_limits::BYTES;
const TWILIO_CHARS: usize = 1600;

/// An id as long as those that messages get.
const MESSAGE_ID: &str = "1-00000000-000000000000000000000000";

/// The providers' checks for a job's messages. What is the same for all messages is prepared once.
pub struct ProviderChecks {
    /// By the places of their providers in the table.
    checks: Vec<OnceLock<JobCheck>>,
    /// The headers that all e-mails have from their template.
    headers: Option<Value>,
}

/// What is laid over the request of one message.
#[derive(Clone, Copy)]
pub struct Overriding<'a> {
    pub options: &'a MessageOptions,
    /// The headers that this e-mail has from its template, if each has its own.
    pub headers: Option<&'a Value>,
}

/// What a definition's overrides do to every message to one provider.
#[derive(Clone, Default)]
struct JobCheck {
    overriding: Option<Value>,
    /// Whether other recipients than the user are named.
    names_recipients: bool,
    problem: Option<String>,
}

impl ProviderChecks {
    pub fn new(headers: Option<Value>) -> Self {
        ProviderChecks { checks: Provider::ALL.iter().map(|_| OnceLock::new()).collect(), headers }
    }

    fn of(&self, overriding: Overriding<'_>, channel: Channel, provider: Provider) -> Option<Cow<'_, JobCheck>> {
        let make = |headers| {
            let overrides = overrides(overriding.options, channel, provider);
            JobCheck::new(over_headers(headers, channel, overrides), channel, provider)
        };
        if channel == Channel::Email && overriding.headers.is_some() {
            return Some(Cow::Owned(make(overriding.headers)));
        }
        let place = Provider::ALL.iter().position(|it| *it == provider)?;
        Some(Cow::Borrowed(self.checks.get(place)?.get_or_init(|| make(self.headers.as_ref()))))
    }

    /// Why there can be no request to this address.
    pub fn unmade(
        &self,
        overriding: Overriding<'_>,
        channel: Channel,
        provider: Provider,
        address: &str,
    ) -> Option<String> {
        if channel != Channel::Email || provider.row().borrows.is_some() {
            return None;
        }
        let check = self.of(overriding, channel, provider)?;
        if check.problem.is_some() || check.names_recipients {
            return check.problem.clone();
        }
        mailbox::problem_of_recipient(address)
    }

    /// The provider's verdict. `data` writes the message's data.
    pub fn judge(
        &self,
        overriding: Overriding<'_>,
        rendered: Delivery<'_>,
        data: impl FnOnce(&mut String) -> Result<(), String>,
    ) -> ProviderVerdict {
        let form = rendered.provider.row().form;
        if !is_limited(form) {
            return ProviderVerdict::Taken;
        }
        let Some(check) = self.of(overriding, rendered.channel, rendered.provider) else {
            return ProviderVerdict::Taken;
        };
        let is_push = is_push(form);
        let mut text = String::new();
        // A text that cannot be written has failed before.
        if is_push && data(&mut text).is_err() {
            return ProviderVerdict::Taken;
        }
        let bytes = rendered.subject.map_or(0, str::len) + rendered.body.len() + rendered.content.map_or(0, str::len);
        if check.overriding.is_none()
            && !has_addresses(form, &rendered)
            && is_surely_taken(form, &rendered, bytes, &text)
        {
            return match form {
                RequestForm::Twilio => near(rendered.provider, rendered.body, TWILIO_CHARS),
                _ => ProviderVerdict::Taken,
            };
        }
        // Nothing else of the request is checked, and making it takes as long as making the message.
        if check.overriding.is_none()
            && rendered.subject.is_none_or(str::is_empty)
            && let Some(refusal) = without_subject(form)
        {
            return ProviderVerdict::Refused(refusal.to_owned());
        }
        let data: Option<Value> = is_push.then(|| serde_json::from_str(&text).ok()).flatten();
        let mut message = sample(rendered, check.overriding.as_ref());
        message.data = data.as_ref();
        if rendered.channel == Channel::Email {
            // No limit concerns the HTML.
            message.content = None;
        }
        let request = forms::request(&message);
        match answer(form, rendered.channel, &request) {
            Some(refusal) => ProviderVerdict::Refused(refusal),
            None => nearly(form, rendered.provider, &request),
        }
    }
}

/// The answer to an e-mail with a missing or empty subject. SendGrid: "Validation Error(s) when Sending Emails" of its
/// support pages. Resend: `missing_required_field` among the errors of its documentation. SparkPost: code 1400, in the
/// form of its transmissions for a missing field (SparkPost/nodemailer-sparkpost-transport, issue 10; that an empty one
/// is refused: brentkearney/workshops, issue 19). Mailgun and Postmark accept such an e-mail ("Different behaviors of
/// email APIs", jpmckinney/multi_mail), and so does Mandrill (mautic/mautic, issue 2264). Of Amazon SES and Mailjet
/// nothing else is known.
fn without_subject(form: RequestForm) -> Option<&'static str> {
    Some(match form {
        RequestForm::Sendgrid => {
            "400: The subject is required. You can get around this requirement if you use a template with a subject \
             defined or if every personalization has a subject defined."
        }
        RequestForm::Resend => "422: missing_required_field: Missing `subject` field.",
        RequestForm::Sparkpost => "422: 1400: required field is missing: content.subject is a required field",
        _ => return None,
    })
}

/// A provider's verdict on a message.
#[derive(Debug)]
pub enum ProviderVerdict {
    Taken,
    /// It is accepted, but is near a limit. In words for the log.
    Near(String),
    /// In the provider's own words.
    Refused(String),
}

/// Whether an accepted request is near a limit.
fn nearly(form: RequestForm, provider: Provider, request: &Value) -> ProviderVerdict {
    let text = |pointer: &str| request.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    match form {
        RequestForm::Twilio => near(provider, text("/Body"), TWILIO_CHARS),
        RequestForm::Discord => near(provider, text("/body/content"), discord_limits::CHARS),
        RequestForm::Apns => near_bytes(provider, request["body"].to_string().len(), PUSH_BYTES),
        RequestForm::Fcm => {
            let message = &request["message"];
            let token = message["token"].as_str().map_or(0, str::len);
            near_bytes(provider, message.to_string().len().saturating_sub(token), PUSH_BYTES)
        }
        RequestForm::Expo => {
            let token = match &request["body"]["to"] {
                Value::Array(tokens) => tokens.first().and_then(Value::as_str),
                token => token.as_str(),
            };
            let bytes = request["body"].to_string().len().saturating_sub(token.map_or(0, str::len));
            near_bytes(provider, bytes, PUSH_BYTES)
        }
        RequestForm::MsTeams => near_bytes(provider, request.to_string().len(), teams_limits::BYTES),
        _ => ProviderVerdict::Taken,
    }
}

/// More than nine tenths count as near.
fn is_near(found: usize, limit: usize) -> bool {
    found * 10 > limit * 9
}

fn near(provider: Provider, text: &str, limit: usize) -> ProviderVerdict {
    // A character has a byte at least.
    if !is_near(text.len(), limit) {
        return ProviderVerdict::Taken;
    }
    let characters = text.chars().count();
    match is_near(characters, limit) {
        true => ProviderVerdict::Near(format!(
            "{} takes {limit} characters, and a message has {characters}",
            provider.name()
        )),
        false => ProviderVerdict::Taken,
    }
}

fn near_bytes(provider: Provider, bytes: usize, limit: usize) -> ProviderVerdict {
    match is_near(bytes, limit) {
        true => ProviderVerdict::Near(format!("{} takes {limit} bytes, and a message has {bytes}", provider.name())),
        false => ProviderVerdict::Taken,
    }
}

fn sample<'a>(rendered: Delivery<'a>, overriding: Option<&'a Value>) -> ProviderMessage<'a> {
    ProviderMessage {
        message_id: MESSAGE_ID,
        subject: rendered.subject,
        body: rendered.body,
        content: rendered.content,
        override_: overriding,
        ..ProviderMessage::blank(rendered.provider, rendered.channel, rendered.address)
    }
}

impl JobCheck {
    fn new(overriding: Option<Value>, channel: Channel, provider: Provider) -> Self {
        const ADDRESS: &str = "any@example.com";
        if channel != Channel::Email || overriding.is_none() {
            return JobCheck { overriding, ..JobCheck::default() };
        }
        let rendered =
            Delivery { channel, provider, address: ADDRESS, subject: None, body: "", content: None, ending: None };
        let message = sample(rendered, overriding.as_ref());
        let own = message.overridden(&["body"]).filter(|_| provider.row().form == RequestForm::Smtp);
        let names_recipients = email::read(&message, own).to.iter().any(|mailbox| mailbox.email != ADDRESS);
        let problem = forms::unmade(&message);
        JobCheck { names_recipients, problem, overriding }
    }
}

fn is_limited(form: RequestForm) -> bool {
    use RequestForm::{
        Apns, Discord, Expo, Fcm, Messagebird, MsTeams, Plivo, Slack, Sns, Telnyx, Twilio, Vonage, Webhook,
    };
    is_push(form)
        || without_subject(form).is_some()
        || matches!(form, Twilio | Fcm | Apns | Expo | Slack | MsTeams | Discord | Webhook)
        || matches!(form, Messagebird | Plivo | Telnyx | Vonage | Sns)
}

/// Whether the data counts towards a limit of length.
fn is_push(form: RequestForm) -> bool {
    matches!(form, RequestForm::Fcm | RequestForm::Apns | RequestForm::Expo)
}

/// Whether it may contain images or a card of the author's, which are checked whatever the length.
fn has_addresses(form: RequestForm, it: &Delivery<'_>) -> bool {
    let has = |what: &str| it.content.is_some_and(|content| content.contains(what));
    match form {
        RequestForm::Fcm => has("\"image\""),
        RequestForm::MsTeams => has("\"raw\""),
        _ => false,
    }
}

/// Whether the request need not be made: most messages are far from every limit. An escape takes at most six bytes for
/// one, and everything around the texts less than 1,000.
fn is_surely_taken(form: RequestForm, it: &Delivery<'_>, bytes: usize, data: &str) -> bool {
    // As they stand in JSON.
    const ACTION: &str = "\"action\"";
    const IMAGE: &str = "\"image\"";
    const RAW: &str = "\"raw\"";
    let has = |name: &str| it.content.is_some_and(|content| content.contains(name));
    let (has_action, has_raw) = (|| has(ACTION), || has(RAW));
    match form {
        RequestForm::Sendgrid | RequestForm::Resend | RequestForm::Sparkpost => {
            it.subject.is_some_and(|subject| !subject.is_empty())
        }
        RequestForm::Twilio => twilio(it.address, it.body).is_none(),
        RequestForm::Fcm => {
            let may_be_reserved = fcm_limits::may_be_reserved(data);
            !may_be_reserved && !has_raw() && 6 * (bytes + data.len()) + it.address.len() + 1000 < PUSH_BYTES
        }
        RequestForm::Apns => !has_raw() && 6 * (bytes + data.len()) + 1000 < PUSH_BYTES,
        RequestForm::Expo => !has_raw() && 6 * (bytes + data.len()) + it.address.len() + 1000 < PUSH_BYTES,
        RequestForm::Messagebird
        | RequestForm::Plivo
        | RequestForm::Telnyx
        | RequestForm::Vonage
        | RequestForm::Sns => it.channel != Channel::Sms || sms(form, it.address, it.body).is_none(),
        // Blocks that the author wrote have limits of their own.
        RequestForm::Slack => {
            let has_own = || it.content.is_some_and(|content| content.starts_with('{')) || has(IMAGE);
            let is_short = 6 * bytes < slack_limits::BUTTON_CHARS * 8;
            !it.body.is_empty() && is_short && !has_action() && !has_own() && !has_raw()
        }
        RequestForm::MsTeams => 6 * bytes + 2000 < teams_limits::BYTES,
        RequestForm::Discord => !it.body.is_empty() && 2 * bytes < discord_limits::CHARS && !has_raw(),
        RequestForm::Webhook => is_url(it.address) && !has_raw(),
        _ => true,
    }
}

/// The provider's answer to a request that it would refuse.
fn answer(form: RequestForm, channel: Channel, request: &Value) -> Option<String> {
    let of_body = |name: &str| match &request["body"][name] {
        Value::Array(values) => values.first().and_then(Value::as_str).unwrap_or_default(),
        value => value.as_str().unwrap_or_default(),
    };
    let text = |name: &str| request.get(name).and_then(Value::as_str).unwrap_or_default();
    match form {
        RequestForm::Sendgrid => sendgrid(request),
        RequestForm::Resend => unless_said(form, &request["body"], &["subject", "template"]),
        RequestForm::Sparkpost => {
            unless_said(form, &request["body"]["content"], &["subject", "template_id", "email_rfc822", "ab_test_id"])
        }
        RequestForm::Twilio => twilio(text("To"), text("Body")),
        RequestForm::Fcm => fcm(&request["message"]),
        RequestForm::Apns => apns(request).or_else(|| {
            (request["body"].to_string().len() > PUSH_BYTES).then(|| {
                format!("PayloadTooLarge: the message payload is too large; the maximum is {PUSH_BYTES} bytes")
            })
        }),
        RequestForm::Expo => {
            // The token is not a part of the payload.
            let bytes = request["body"].to_string().len().saturating_sub(of_body("to").len());
            (bytes > PUSH_BYTES).then(|| {
                format!(
                    "MessageTooBig: The total notification payload was too large; the maximum is {PUSH_BYTES} bytes"
                )
            })
        }
        RequestForm::Messagebird => sms(form, of_body("recipients"), of_body("body")),
        RequestForm::Plivo => sms(form, of_body("dst"), of_body("text")),
        RequestForm::Telnyx | RequestForm::Vonage => sms(form, of_body("to"), of_body("text")),
        RequestForm::Sns if channel == Channel::Sms => sms(form, of_body("PhoneNumber"), of_body("Message")),
        RequestForm::Slack => slack(request),
        RequestForm::MsTeams => teams(request),
        RequestForm::Discord => discord(&request["body"]),
        RequestForm::Webhook => {
            (!is_url(text("url"))).then(|| format!("ERR_INVALID_URL: Invalid URL: {}", email::clean(text("url"))))
        }
        _ => None,
    }
}

/// The answer about a missing subject, unless one of these members is there.
fn unless_said(form: RequestForm, it: &Value, names: &[&str]) -> Option<String> {
    let is_said = |name: &&str| !matches!(it.get(*name), None | Some(Value::Null)) && it[*name] != "";
    let refusal = without_subject(form).filter(|_| !names.iter().any(is_said));
    refusal.map(str::to_owned)
}

fn sendgrid(request: &Value) -> Option<String> {
    let is_missing = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().is_empty();
    let personalizations = request["personalizations"].as_array().map_or(&[][..], Vec::as_slice);
    if is_missing(request.get("subject"))
        && is_missing(request.get("template_id"))
        && personalizations.iter().any(|it| is_missing(it.get("subject")))
    {
        return without_subject(RequestForm::Sendgrid).map(str::to_owned);
    }
    for (i, personalization) in personalizations.iter().enumerate() {
        let mut seen = HashSet::new();
        for name in ["to", "cc", "bcc"] {
            let mailboxes = personalization[name].as_array().into_iter().flatten();
            for email in mailboxes.filter_map(|it| it["email"].as_str()) {
                if !seen.insert(email.to_ascii_lowercase()) {
                    return Some(format!(
                        "400: Each email address in the personalization block should be unique between to, cc, and bcc. \
                         We found the first duplicate instance of [{email}] in the personalizations.{i}.{name} field."
                    ));
                }
            }
        }
    }
    let contents = request["content"].as_array().map_or(&[][..], Vec::as_slice);
    if contents.iter().any(|it| is_missing(it.get("value"))) {
        return Some("400: The content value must be a string at least one character in length.".to_owned());
    }
    None
}

fn twilio(to: &str, body: &str) -> Option<String> {
    if !is_number(to) {
        return Some(format!("21211: Invalid 'To' Phone Number: {}", email::clean(to)));
    }
    if body.is_empty() {
        return Some("21602: Message body is required.".to_owned());
    }
    (body.len() > TWILIO_CHARS && body.chars().count() > TWILIO_CHARS)
        .then(|| "21617: The concatenated message body exceeds the 1600 character limit.".to_owned())
}

/// The answers of the other SMS providers to an invalid number, and to a text that is empty or too long.
fn sms(form: RequestForm, to: &str, text: &str) -> Option<String> {
    let to = email::clean(to);
    if !is_number(&to) {
        return Some(match form {
            RequestForm::Messagebird => format!("9: no (correct) recipients found: {to}"),
            RequestForm::Telnyx => format!("40310: Invalid 'to' address: {to}"),
            RequestForm::Vonage => format!("3: Invalid Parameters: to: {to}"),
            RequestForm::Sns => {
                format!("InvalidParameter: Invalid parameter: PhoneNumber Reason: {to} is not valid to publish to")
            }
            _ => format!("400: dst is not a valid number: {to}"),
        });
    }
    let empty = text.is_empty().then(|| {
        let answer = match form {
            RequestForm::Messagebird => "9: body is required",
            RequestForm::Telnyx => "40316: No content provided",
            RequestForm::Vonage => "2: Missing Parameters: text",
            RequestForm::Sns => "InvalidParameter: Invalid parameter: Empty message",
            _ => "400: text is required",
        };
        answer.to_owned()
    });
    empty.or_else(|| sms_limits::too_long(form, text))
}

/// Twilio accepts numbers with signs between the digits, and addresses of other networks behind their names.
fn is_number(text: &str) -> bool {
    let text = text.split_once(':').filter(|(network, _)| !network.contains('+')).map_or(text, |(_, rest)| rest);
    let digits = text.strip_prefix('+').unwrap_or(text);
    let is_part = |byte: u8| byte.is_ascii_digit() || b" -.()".contains(&byte);
    let count = digits.bytes().filter(u8::is_ascii_digit).count();
    (1..=15).contains(&count) && digits.bytes().all(is_part)
}
