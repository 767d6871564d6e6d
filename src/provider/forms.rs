//! The table of forms: how each is written, where an override goes, and what is documented about it.

use serde_json::{Map, Value};

use super::email::{self, Email};
use super::message::ProviderMessage;
use super::{
    airship, apns, courier, discord, elements, expo, fcm, http, mailgun, mailjet, mandrill, msteams, onesignal, other,
    pagerduty, postmark, resend, sendgrid, ses, slack, sms, smtp, sparkpost, twilio, webhook,
};
use crate::json::merge;
use crate::model::channel::Channel;
use crate::model::provider::{Provider, RequestForm};

/// What the documentation says of a form.
pub struct About {
    pub request: &'static str,
    /// What is refused as the provider refuses it.
    pub limits: &'static str,
    /// What the form was validated with.
    pub validator: &'static str,
}

type Write = fn(&ProviderMessage<'_>) -> Value;
type WriteEmail = fn(&ProviderMessage<'_>, &Email) -> Value;

/// Where members of an override's `body` are laid over a request, following Courier's documentation of provider
/// overrides.
enum BodyTarget {
    Request,
    /// Below a member of the request.
    Member(&'static str),
    /// Below a member, unless the override names the member itself.
    MemberUnlessNamed(&'static str),
    /// Over the request, with the names that this function gives them.
    Fields(fn(&Map<String, Value>) -> Value),
    /// Over the body of a request in HTTP form, and so are headers.
    Http,
    /// The same, as this function lays it over the body.
    HttpBy(fn(&mut Value, &Value)),
    /// The same, as this function lays it over the request, since some members are headers.
    HttpWhole(fn(&mut Value, &Map<String, Value>)),
    /// The form has read them: they are about the message, and not about its text.
    Read,
}

/// How a request is written.
enum Form {
    Plain(Write, BodyTarget),
    Email(WriteEmail, BodyTarget),
}

fn form(form: RequestForm) -> Form {
    use BodyTarget::{Fields, Http, HttpBy, HttpWhole, Member, MemberUnlessNamed, Read, Request};
    use Form::{Email, Plain};
    match form {
        RequestForm::Sendgrid => Email(sendgrid::request, Request),
        RequestForm::Smtp => Email(smtp::request, Read),
        RequestForm::Ses => Email(ses::request, HttpBy(ses::lay_over)),
        RequestForm::Mailgun => Email(mailgun::request, Http),
        RequestForm::Mailjet => Email(mailjet::request, HttpBy(mailjet::lay_over)),
        RequestForm::Mandrill => Email(mandrill::request, Http),
        RequestForm::Postmark => Email(postmark::request, Http),
        RequestForm::Resend => Email(resend::request, Http),
        RequestForm::Sparkpost => Email(sparkpost::request, Http),
        RequestForm::Twilio => Plain(twilio::request, Fields(twilio::fields)),
        RequestForm::Messagebird => Plain(sms::messagebird, Http),
        RequestForm::Plivo => Plain(sms::plivo, Http),
        RequestForm::Telnyx => Plain(sms::telnyx, Http),
        RequestForm::Vonage => Plain(sms::vonage, Http),
        RequestForm::Fcm => Plain(fcm::request, MemberUnlessNamed("message")),
        RequestForm::Apns => Plain(apns::request, HttpWhole(apns::lay_over)),
        RequestForm::Expo => Plain(expo::request, Http),
        RequestForm::OneSignal => Plain(onesignal::request, Http),
        RequestForm::Airship => Plain(airship::request, Http),
        RequestForm::Sns => Plain(sms::sns, Http),
        RequestForm::Slack => Plain(slack::request, Request),
        RequestForm::MsTeams => Plain(msteams::request, Request),
        RequestForm::Discord => Plain(discord::request, HttpBy(discord::lay_over)),
        RequestForm::PagerDuty => Plain(pagerduty::request, Http),
        RequestForm::Webhook => Plain(webhook::request, Member("body")),
        RequestForm::Inbox => Plain(courier::request, Request),
        RequestForm::Common => Plain(other::request, Request),
    }
}

/// The channel of a message decides about the common form.
fn form_of(message: &ProviderMessage<'_>) -> Form {
    match (message.provider.row().form, message.channel) {
        (RequestForm::Common, Channel::Email) => Form::Email(other::email, BodyTarget::Request),
        (row, _) => form(row),
    }
}

/// The request that the provider would have been sent. Members of the override's `body` take precedence. A request that
/// cannot be made has an `error`.
pub fn request(message: &ProviderMessage<'_>) -> Value {
    let (mut request, target) = match form_of(message) {
        Form::Plain(write, target) => (write(message), target),
        Form::Email(write, target) => {
            let email = read_email(message, &target);
            if let Some(error) = email_problem(message, &email) {
                return email.unmade(&error);
            }
            (write(message, &email), target)
        }
    };
    if let Some(payload) = elements::raw_member(message, &["payload"]) {
        lay_payload(&mut request, payload, &target);
    }
    lay_over(message, &mut request, target);
    request
}

/// Lays the `payload` of a content's `raw` over a request, like an override's `body`. For a webhook it is the body, or
/// contains it.
fn lay_payload(request: &mut Value, payload: Value, target: &BodyTarget) {
    let is_request = ["body", "headers", "method", "url"].iter().any(|name| payload.get(name).is_some());
    match (target, payload) {
        (BodyTarget::Member("body"), Value::Object(mut members)) if is_request => {
            if let Some(body) = members.remove("body") {
                request["body"] = body;
            }
            merge(request, &Value::Object(members));
        }
        (BodyTarget::Member("body"), payload) => request["body"] = payload,
        (target, payload) => lay_body(request, &payload, target),
    }
}

/// Why nothing can be sent to a provider of e-mail. A push address in place of an e-mail address is not checked.
pub fn unmade(message: &ProviderMessage<'_>) -> Option<String> {
    match form_of(message) {
        Form::Plain(..) => None,
        Form::Email(_, target) => {
            let email = read_email(message, &target);
            let unsmtp =
                || (message.provider.row().form == RequestForm::Smtp).then(|| smtp::mail(message, &email).err());
            email_problem(message, &email).or_else(|| unsmtp().flatten())
        }
    }
}

/// An e-mail in the form of its provider.
pub fn email(message: &ProviderMessage<'_>) -> Email {
    match form_of(message) {
        Form::Plain(..) => email::read(message, None),
        Form::Email(_, target) => read_email(message, &target),
    }
}

fn read_email(message: &ProviderMessage<'_>, target: &BodyTarget) -> Email {
    let own = message.overridden(&["body"]).filter(|_| matches!(target, BodyTarget::Read));
    email::read(message, own)
}

fn email_problem(message: &ProviderMessage<'_>, email: &Email) -> Option<String> {
    let row = message.provider.row();
    let several = email.reply_to.len();
    let has_too_many = || {
        (row.form == RequestForm::Mailjet && several > 1)
            .then(|| format!("Mailjet takes one address to reply to, and {several} are given"))
    };
    email.problem().or_else(has_too_many).filter(|_| row.borrows.is_none())
}

fn lay_over(message: &ProviderMessage<'_>, request: &mut Value, target: BodyTarget) {
    if let (BodyTarget::Http | BodyTarget::HttpBy(_) | BodyTarget::HttpWhole(_), Some(Value::Object(headers))) =
        (&target, message.overridden(&["headers"]).filter(|_| message.channel != Channel::Email))
    {
        http::add_headers(&mut request["headers"], headers);
    }
    if let Some(body) = message.overridden(&["body"]) {
        lay_body(request, body, &target);
    }
}

fn lay_body(request: &mut Value, body: &Value, target: &BodyTarget) {
    let Value::Object(members) = body else { return };
    match target {
        BodyTarget::MemberUnlessNamed(name) if members.contains_key(*name) => merge(request, body),
        BodyTarget::Member(name) | BodyTarget::MemberUnlessNamed(name) => merge(&mut request[*name], body),
        BodyTarget::Fields(fields) => merge(request, &fields(members)),
        BodyTarget::Http => merge(&mut request["body"], body),
        BodyTarget::HttpBy(lay_over) => lay_over(&mut request["body"], body),
        BodyTarget::HttpWhole(lay_over) => lay_over(request, members),
        BodyTarget::Request => merge(request, body),
        BodyTarget::Read => {}
    }
}

/// What the documentation says of a provider's form.
pub fn about(provider: Provider) -> About {
    let text = |request, limits, validator| About { request, limits, validator };
    const ADDRESSES: &str = "addresses";
    match provider.row().form {
        RequestForm::Sendgrid => {
            text("the JSON of mail/send", "addresses, no subject, no content, an address twice", "`@sendgrid/mail`")
        }
        RequestForm::Smtp => text(
            "`{from, to, data}`: the message with its headers, encodings and MIME parts",
            ADDRESSES,
            "`mailparser`, Python's `email`",
        ),
        RequestForm::Ses => text("HTTP, version 2", ADDRESSES, "`@aws-sdk/client-sesv2`"),
        RequestForm::Mailgun => text("HTTP, fields of `multipart/form-data`", ADDRESSES, "`mailgun.js`"),
        RequestForm::Mailjet => text("HTTP, version 3.1", ADDRESSES, "`node-mailjet`"),
        RequestForm::Mandrill => text("HTTP", ADDRESSES, "`@mailchimp/mailchimp_transactional`"),
        RequestForm::Postmark => text("HTTP", ADDRESSES, "`postmark`"),
        RequestForm::Resend => text("HTTP", "addresses, no subject", "`resend`"),
        RequestForm::Sparkpost => text("HTTP", "addresses, no subject", "`sparkpost`"),
        RequestForm::Twilio => text("the form's fields", "no number, empty, over 1,600 characters", "`twilio`"),
        RequestForm::Messagebird => {
            text("HTTP", "no number, empty, over 1,377 characters, 603 beyond the GSM alphabet", "`messagebird`")
        }
        RequestForm::Plivo => {
            text("HTTP", "no number, empty, over 1,600 characters, 737 beyond the GSM alphabet", "`plivo`")
        }
        RequestForm::Telnyx => text("HTTP, version 2", "no number, empty, over 10 parts", "`telnyx`"),
        RequestForm::Vonage => text("HTTP, the SMS API", "no number, empty, over 3,200 characters", "`@vonage/sms`"),
        RequestForm::Fcm => text(
            "the JSON of messages:send",
            "4,096 bytes, reserved keys of `data`, members and types that it does not know, URLs of images, `ttl`",
            "`firebase-admin`",
        ),
        RequestForm::Apns => text("HTTP, with APNs' headers", "4,096 bytes, headers", "`@parse/node-apn`"),
        RequestForm::Expo => text("HTTP", "4,096 bytes", "`expo-server-sdk`"),
        RequestForm::OneSignal => text("HTTP", "", "`@onesignal/node-onesignal`"),
        RequestForm::Airship => text("HTTP, version 3", "", "`urbanairship`"),
        RequestForm::Sns => text(
            "HTTP, fields of `Publish`",
            "no number, empty, over 1,600 characters of an SMS",
            "`@aws-sdk/client-sns`",
        ),
        RequestForm::Slack => text(
            "the JSON of chat.postMessage, with blocks",
            "nothing, 50 blocks, 3,000 characters, 75 of a button, 40,000 of the text, types and members of blocks, options, URLs, ids of buttons",
            "`@slack/web-api`, `@slack/types`",
        ),
        RequestForm::MsTeams => text(
            "a message with an Adaptive Card",
            "28 KB, cards without what their schema requires",
            "`adaptivecards`",
        ),
        RequestForm::Discord => text(
            "HTTP, version 10",
            "empty, over 2,000 characters, embeds and components, URLs of embeds",
            "`@discordjs/rest`",
        ),
        RequestForm::PagerDuty => text("HTTP, the Events API v2", "", ""),
        RequestForm::Webhook => text("HTTP", "no URL", ""),
        RequestForm::Inbox => text("an inbox message", "", ""),
        RequestForm::Common if provider.channel() == Channel::Email && provider.row().borrows.is_none() => {
            text("generic", ADDRESSES, "")
        }
        RequestForm::Common => text("generic", "", ""),
    }
}
