//! Which channel a user is reached by.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::model::json::{self, Text};
use crate::model::outbox::Channel;
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

/// How a user is reached.
pub struct Route<'a> {
    pub channel: Channel,
    pub address: Cow<'a, str>,
    /// Whether the address stands in the profile, or needs none. Courier's own routing may look nowhere else.
    pub in_profile: bool,
}

/// The first channel for which the user has an address, out of e-mail, SMS, push and the inbox, which everybody has.
/// The profile's address is used before the one in `to`.
pub fn choose<'a>(recipient: &'a str, user: &'a User<'a>) -> Result<Route<'a>> {
    let contact: Contact<'a> = match user.profile {
        Some(profile) => {
            json::read(profile.as_str(), || "profile".to_owned()).map_err(|error| error_for_user(&error))?
        }
        None => Contact::default(),
    };
    let to = user.to();
    let route = |channel, profile: &Option<Text<'a>>, elsewhere: [Option<&Text<'a>>; 2]| {
        let usable = |address: &&Text<'a>| !address.0.is_empty();
        let profile = profile.as_ref().filter(usable);
        let address = profile.or_else(|| elsewhere.into_iter().flatten().find(usable))?;
        Some(Route { channel, address: address.0.clone(), in_profile: profile.is_some() })
    };
    let push = || {
        let tokens = [&contact.firebase_token, &contact.apn, &contact.expo];
        let token = tokens.into_iter().flatten().find_map(token)?;
        Some(Route { channel: Channel::Push, address: Cow::Owned(token.to_owned()), in_profile: true })
    };
    Ok(route(Channel::Email, &contact.email, [to.and_then(|to| to.email.as_ref()), user.email.as_ref()])
        .or_else(|| {
            let elsewhere = [to.and_then(|to| to.phone_number.as_ref()), user.phone_number.as_ref()];
            route(Channel::Sms, &contact.phone_number, elsewhere)
        })
        .or_else(push)
        .unwrap_or(Route { channel: Channel::Inbox, address: Cow::Borrowed(recipient), in_profile: true }))
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
