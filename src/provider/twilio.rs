//! Twilio: the form fields of `POST /2010-04-01/Accounts/{sid}/Messages.json`.

use serde_json::{Map, Value, json};

use super::message::ProviderMessage;
use super::sms::{self, Sms};

pub fn request(message: &ProviderMessage<'_>) -> Value {
    let Sms { from, to, text: body } = sms::read(message);
    // A messaging service chooses the number.
    let service = message.override_.and_then(|it| it.pointer("/config/messagingServiceSid")?.as_str());
    match service {
        Some(service) => json!({ "To": to, "MessagingServiceSid": service, "Body": body }),
        None => json!({ "To": to, "From": from, "Body": body }),
    }
}

/// Fields under their names in Twilio's libraries or in its forms. A list is a repeated field.
pub fn fields(members: &Map<String, Value>) -> Value {
    members.iter().map(|(name, value)| (capitalized(name), field(value))).collect::<Map<_, _>>().into()
}

fn field(value: &Value) -> Value {
    match value {
        Value::String(_) => value.clone(),
        Value::Array(values) => values.iter().map(field).collect(),
        value => value.to_string().into(),
    }
}

fn capitalized(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}
