//! What all providers of SMS get, and the providers that need little more.

use serde_json::{Value, json};

use super::http;
use super::message::ProviderMessage;

/// The default sender: the number that Twilio accepts from test accounts.
pub const FROM: &str = "+15005550006";

pub struct Sms<'a> {
    pub from: &'a str,
    pub to: &'a str,
    pub text: &'a str,
}

pub fn read<'a>(message: &ProviderMessage<'a>) -> Sms<'a> {
    Sms {
        from: message.overridden_text(&["from"]).or_else(|| message.config(&["from"])).unwrap_or(FROM),
        to: message.overridden_text(&["to"]).unwrap_or(message.address),
        text: message.text(),
    }
}

/// Vonage: `POST /sms/json`. A text beyond the GSM alphabet is marked as such.
pub fn vonage(message: &ProviderMessage<'_>) -> Value {
    let Sms { from, to, text } = read(message);
    let mut body = json!({ "from": from, "to": digits(to), "text": text });
    if super::segments::segments(text).encoding == super::segments::Encoding::Ucs2 {
        body["type"] = "unicode".into();
    }
    let secret = message.config(&["apiSecret"]).unwrap_or("API_SECRET");
    let authorization = http::basic(http::key(message, &["apiKey"]), secret);
    http::post("https://rest.nexmo.com/sms/json", http::JSON, &[("Authorization", &authorization)], body)
}

/// MessageBird: `POST /messages`. Without `datacoding` a text beyond the GSM alphabet loses its letters.
pub fn messagebird(message: &ProviderMessage<'_>) -> Value {
    let Sms { from, to, text } = read(message);
    let originator = message.config(&["originator"]).unwrap_or(from);
    let body = json!({ "originator": originator, "recipients": [to], "body": text, "datacoding": "auto" });
    let authorization = format!("AccessKey {}", http::key(message, &["accessKey"]));
    http::post("https://rest.messagebird.com/messages", http::JSON, &[("Authorization", &authorization)], body)
}

/// Plivo: `POST /v1/Account/{auth_id}/Message/`.
pub fn plivo(message: &ProviderMessage<'_>) -> Value {
    let Sms { from, to, text } = read(message);
    let id = message.config(&["authId"]).unwrap_or("AUTH_ID");
    let authorization = http::basic(id, message.config(&["authToken"]).unwrap_or("AUTH_TOKEN"));
    let url = format!("https://api.plivo.com/v1/Account/{}/Message/", http::segment(id));
    let body = json!({ "src": from, "dst": to, "text": text });
    http::post(&url, http::JSON, &[("Authorization", &authorization)], body)
}

/// Telnyx: `POST /v2/messages`.
pub fn telnyx(message: &ProviderMessage<'_>) -> Value {
    let Sms { from, to, text } = read(message);
    let url = message.config(&["url"]).unwrap_or("https://api.telnyx.com/v2/messages");
    let authorization = http::bearer(http::key(message, &["apiKey"]));
    let body = json!({ "from": from, "to": to, "text": text });
    http::post(url, http::JSON, &[("Authorization", &authorization)], body)
}

/// Amazon SNS: the fields of `Publish`, for a number or for a device. The request is not signed.
pub fn sns(message: &ProviderMessage<'_>) -> Value {
    use crate::model::channel::Channel;
    let text = message.text();
    let mut body = json!({ "Action": "Publish", "Version": "2010-03-31", "Message": text });
    match message.channel {
        Channel::Sms => body["PhoneNumber"] = read(message).to.into(),
        _ => {
            body["TargetArn"] = message.address.into();
            if let Some(title) = message.title() {
                body["Subject"] = title.into();
            }
        }
    }
    let region = message.config(&["region"]).unwrap_or("us-east-1");
    http::post(&format!("https://sns.{region}.amazonaws.com/"), http::FIELDS, &[], body)
}

/// Vonage takes numbers without their plus sign.
fn digits(number: &str) -> &str {
    number.strip_prefix('+').unwrap_or(number)
}
