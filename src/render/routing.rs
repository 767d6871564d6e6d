//! Which channel a user is reached by.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::model::json::{self, Text};
use crate::model::message::Channel;
use crate::model::user::User;

/// The keys of a profile by which somebody can be reached.
#[derive(Default, Deserialize)]
struct Contact<'a> {
    #[serde(borrow, default)]
    email: Option<Text<'a>>,
    #[serde(borrow, default)]
    phone_number: Option<Text<'a>>,
    #[serde(default, rename = "firebaseToken")]
    firebase_token: Option<Value>,
    #[serde(default)]
    apn: Option<Value>,
    #[serde(default)]
    expo: Option<Value>,
}

/// The first channel for which the user has an address, out of e-mail, SMS, push and the inbox, which everybody has.
/// The profile's address is used before the one in `to`.
pub fn choose<'a>(recipient: &'a str, user: &'a User<'a>) -> Result<(Channel, Cow<'a, str>)> {
    let contact: Contact<'a> = match user.profile {
        Some(profile) => {
            json::read(profile.as_str(), || "profile".to_owned()).map_err(|error| error_for_user(&error))?
        }
        None => Contact::default(),
    };
    let to = user.to();
    let first = |candidates: [Option<&Text<'a>>; 3]| {
        candidates.into_iter().flatten().find(|address| !address.0.is_empty()).map(|address| address.0.clone())
    };
    let email = || first([contact.email.as_ref(), to.and_then(|to| to.email.as_ref()), user.email.as_ref()]);
    let phone_number = || {
        first([contact.phone_number.as_ref(), to.and_then(|to| to.phone_number.as_ref()), user.phone_number.as_ref()])
    };
    let push = || {
        [&contact.firebase_token, &contact.apn, &contact.expo]
            .into_iter()
            .flatten()
            .find_map(token)
            .map(|token| Cow::Owned(token.to_owned()))
    };
    Ok(email()
        .map(|address| (Channel::Email, address))
        .or_else(|| phone_number().map(|address| (Channel::Sms, address)))
        .or_else(|| push().map(|address| (Channel::Push, address)))
        .unwrap_or((Channel::Inbox, Cow::Borrowed(recipient))))
}

fn error_for_user(error: &Error) -> Error {
    Error::invalid("the message could not be addressed", error.public_message())
}

/// A push token stands alone, in a list, or under `token` or `tokens`.
fn token(value: &Value) -> Option<&str> {
    match value {
        Value::String(token) if !token.is_empty() => Some(token),
        Value::Array(tokens) => tokens.iter().find_map(token),
        Value::Object(object) => object.get("token").and_then(token).or_else(|| object.get("tokens").and_then(token)),
        _ => None,
    }
}
