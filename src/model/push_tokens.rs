//! The addresses of push messages in a profile: tokens, players, targets and audiences.

use std::borrow::Cow;

use serde_json::Value;

use super::provider::Provider;
use crate::json::Text;
use crate::json::members::Member;

/// Calls `each` with every address in the value of a provider's key.
pub fn each<'a>(provider: Provider, value: &'a str, each: &mut impl FnMut(Cow<'a, str>)) {
    match (provider == Provider::Airship).then(|| audience(value)).flatten() {
        Some(audience) => each(Cow::Owned(audience)),
        None => tokens(value, each),
    }
}

/// The first of them.
pub fn first(provider: Provider, value: &str) -> Option<String> {
    let mut first = None;
    each(provider, value, &mut |token| first = first.take().or_else(|| Some(token.into_owned())));
    first
}

/// Members under which a profile has push tokens, OneSignal's players, Amazon's targets, Airship's audience, MagicBell's
/// users, and Pusher's channels, interests and users.
const TOKENS: [&str; 10] = [
    "token",
    "tokens",
    "player_id",
    "target_arn",
    "audience",
    "named_user",
    "channel",
    "external_id",
    "interests",
    "userIds",
];

/// The name for an audience of Airship, however it is selected: the first name or tag in it. The request contains the
/// whole audience, so it is one address.
fn audience(value: &str) -> Option<String> {
    fn first_name(value: &Value) -> Option<&str> {
        match value {
            Value::String(name) => Some(name.as_str()).filter(|name| !name.is_empty()),
            Value::Array(values) => values.iter().find_map(first_name),
            // The group of a tag says less than the tag.
            Value::Object(members) => {
                members.iter().filter(|(name, _)| *name != "group").find_map(|(_, value)| first_name(value))
            }
            _ => None,
        }
    }
    let value: Value = serde_json::from_str(value).ok()?;
    first_name(value.get("audience")?).map(str::to_owned)
}

/// Push tokens stand alone, in a list, or in an object. A single one is not copied.
fn tokens<'a>(value: &'a str, each: &mut impl FnMut(Cow<'a, str>)) {
    if value.starts_with('"') {
        let token = Text::read(value).map(|Text(token)| token).filter(|token| !token.is_empty());
        token.into_iter().for_each(each);
    } else if let Ok(value) = serde_json::from_str(value) {
        tokens_within(&value, &mut |token| each(Cow::Owned(token.to_owned())));
    }
}

fn tokens_within(value: &Value, each: &mut impl FnMut(&str)) {
    match value {
        Value::String(token) if !token.is_empty() => each(token),
        Value::Array(values) => values.iter().for_each(|value| tokens_within(value, each)),
        Value::Object(object) => {
            TOKENS.iter().filter_map(|name| object.get(*name)).for_each(|value| tokens_within(value, each));
        }
        _ => {}
    }
}
