//! The recipients of a send: the `to` of its `message`, in all its forms.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::channel::Channel;
use super::names;
use super::preference::RecipientPreferences;
use super::provider::{PROFILE_KEYS, Provider};
use super::push_tokens;
use super::user::Context;
use crate::error::{Error, Kind, Result};
use crate::id;
use crate::json::{self, Object, Text};

/// Recipients in one call (`patterns.md` of Courier's integration guides, August 2026).
const RECIPIENTS_LIMIT: usize = 500;

/// One of the recipients of a send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SendRecipient {
    /// One user, in the form of a bulk job's user.
    User { recipient: String, user: String },
    /// All users who are subscribed to a list and match all filters.
    List { list_id: String, data: Option<String>, filters: Vec<Filter> },
    /// The same for all lists whose id matches this pattern.
    Pattern { pattern: String, data: Option<String>, filters: Vec<Filter> },
}

/// `MEMBER_OF`: matches users in whose stored profile the value at `path` is `value`, or a list that contains it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Filter {
    path: String,
    value: String,
}

impl Filter {
    pub fn matches(&self, profile: &Value) -> bool {
        let is_value = |found: &Value| match found {
            Value::String(text) => *text == self.value,
            Value::Number(number) => number.to_string() == self.value,
            _ => false,
        };
        match self.path.split('.').try_fold(profile, |value, name| value.get(name)) {
            Some(Value::Array(values)) => values.iter().any(is_value),
            found => found.is_some_and(is_value),
        }
    }
}

names! {
    /// None of the operators of audiences is documented for lists.
    Operator {
        MemberOf = "MEMBER_OF",
    }
}

#[derive(Deserialize)]
struct SentFilter {
    #[serde(rename = "operator")]
    _operator: Operator,
    path: String,
    value: String,
}

/// Filters of one recipient.
const FILTERS_LIMIT: usize = 100;

#[derive(Deserialize)]
struct RecipientFields<'a> {
    #[serde(borrow, default)]
    user_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    email: Option<Text<'a>>,
    #[serde(borrow, default)]
    phone_number: Option<Text<'a>>,
    #[serde(borrow, default)]
    list_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    list_pattern: Option<Text<'a>>,
    #[serde(borrow, default)]
    audience_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    data: Option<Object<'a>>,
    #[serde(default)]
    filters: Option<Vec<json::Fields<SentFilter>>>,
    #[serde(borrow, default, rename = "locale")]
    _locale: Option<Text<'a>>,
    #[serde(default, rename = "preferences")]
    _preferences: Option<json::Fields<RecipientPreferences>>,
    #[serde(borrow, default, rename = "tenant_id")]
    _tenant_id: Option<Text<'a>>,
    #[serde(borrow, default, rename = "account_id")]
    _account_id: Option<Text<'a>>,
    #[serde(borrow, default, rename = "context")]
    _context: Option<json::Fields<Context<'a>>>,
}

/// Reads one recipient or an array of up to 500.
pub fn read(raw: &str) -> Result<Vec<SendRecipient>> {
    if !raw.starts_with('[') {
        return Ok(vec![one(raw, "message.to")?]);
    }
    let all: Vec<&RawValue> = serde_json::from_str(raw)
        .map_err(|error| Error::invalid("message.to", format_args!("not valid JSON: {error}")))?;
    if all.len() > RECIPIENTS_LIMIT {
        let text = format!("message.to has {} recipients. Max is {RECIPIENTS_LIMIT}", all.len());
        return Err(Error::new(Kind::Invalid, text));
    }
    if all.is_empty() {
        return Err(Error::invalid("message.to", "expected at least one recipient"));
    }
    all.into_iter().enumerate().map(|(i, to)| one(to.get(), &format!("message.to[{i}]"))).collect()
}

fn one(raw: &str, at: &str) -> Result<SendRecipient> {
    let to: RecipientFields<'_> = json::read(raw, || at.to_owned())?;
    let text = |name: &str, value: &Option<Text<'_>>| match value {
        Some(text) if text.as_str().is_empty() => {
            Err(Error::invalid(format_args!("{at}.{name}"), "expected a text, found an empty string"))
        }
        value => Ok(value.as_ref().map(|text| text.as_str().to_owned())),
    };
    let data = to.data.map(|data| data.as_str().to_owned());
    let named = [("user_id", &to.user_id), ("email", &to.email), ("phone_number", &to.phone_number)];
    for (name, value) in named {
        if let Some(recipient) = text(name, value)? {
            return Ok(SendRecipient::User { recipient, user: format!("{{\"to\":{raw}}}") });
        }
    }
    let filters = to.filters.unwrap_or_default();
    if filters.len() > FILTERS_LIMIT {
        return Err(Error::invalid(
            format_args!("{at}.filters"),
            format_args!("expected at most {FILTERS_LIMIT} filters"),
        ));
    }
    let filters = filters.into_iter().map(|json::Fields(it)| Filter { path: it.path, value: it.value }).collect();
    if let Some(list_id) = text("list_id", &to.list_id)? {
        return Ok(SendRecipient::List { list_id, data, filters });
    }
    if let Some(pattern) = text("list_pattern", &to.list_pattern)? {
        return Ok(SendRecipient::Pattern { pattern, data, filters });
    }
    if to.audience_id.is_some() {
        return Err(Error::invalid(
            format_args!("{at}.audience_id"),
            "audiences are not supported; name a list or users",
        ));
    }
    let recipient = recipient_of(raw, at)?;
    Ok(SendRecipient::User { recipient, user: format!("{{\"to\":{raw}}}") })
}

/// Members that do not tell how a recipient is reached.
const NO_ADDRESS: [&str; 7] = ["data", "preferences", "context", "locale", "timezone", "filters", "include_children"];
const TENANT: [&str; 2] = ["tenant_id", "account_id"];

/// The id of a recipient. Without a name it is the best address, under any key of a profile. Some providers need no
/// address: without one, the id is derived from what was sent.
fn recipient_of(raw: &str, at: &str) -> Result<String> {
    let mut addresses: [Option<&str>; PROFILE_KEYS.len()] = [None; PROFILE_KEYS.len()];
    let (mut tenant, mut has_more) = (None, false);
    Object::of(raw).for_each(|name, value| {
        if value == "null" || NO_ADDRESS.contains(&name) {
            return;
        }
        match PROFILE_KEYS.iter().position(|(key, _)| *key == name) {
            Some(slot) => addresses[slot] = Some(value),
            None => match TENANT.iter().find(|it| **it == name) {
                Some(name) => tenant = Some(*name),
                None => has_more = true,
            },
        }
    })?;
    let mut refused = None;
    for ((key, provider), value) in PROFILE_KEYS.iter().zip(addresses) {
        match value.map(|value| address(*provider, value, &format!("{at}.{key}"))) {
            Some(Ok(address)) => return Ok(address),
            Some(Err(error)) => refused = refused.or(Some(error)),
            None => {}
        }
    }
    match (refused, tenant) {
        (Some(error), _) => Err(error),
        (None, Some(name)) if !has_more => {
            Err(Error::invalid(format_args!("{at}.{name}"), "tenants have no members here; name a list or users"))
        }
        _ => Ok(id::recipient_of(raw)),
    }
}

/// The address in the value of a profile key.
pub(super) fn address(provider: Provider, value: &str, at: &str) -> Result<String> {
    if provider.row().address_members.is_empty() {
        let found = match provider.serves(Channel::Push) {
            true => push_tokens::first(provider, value),
            false => provider.row().address(value).map(Cow::into_owned),
        };
        return found.ok_or_else(|| Error::invalid(at, expected_token(provider)));
    }
    if !value.starts_with('{') {
        return Err(Error::invalid(at, format_args!("expected an object, found {}", json::kind(value))));
    }
    address_within(provider, Object::of(value), at)
}

fn expected_token(provider: Provider) -> &'static str {
    match provider {
        Provider::Airship => "expected an audience",
        _ => "expected a token",
    }
}

/// The address in an object at `at`.
fn address_within(provider: Provider, object: Object<'_>, at: &str) -> Result<String> {
    let members = provider.row().address_members;
    let mut checked = Ok(());
    object.for_each(|name, value| {
        if members.contains(&name) && checked.is_ok() {
            checked = json::value::<Option<Text<'_>>>(value, || format!("{at}.{name}")).map(drop);
        }
    })?;
    checked?;
    let expected = || match members {
        [before @ .., other, last] => {
            let before: String = before.iter().map(|name| format!("{name}, ")).collect();
            format!("expected {before}{other} or {last}")
        }
        members => format!("expected {}", members.concat()),
    };
    let address = provider.row().address(object.as_str()).map(Cow::into_owned);
    address.ok_or_else(|| Error::invalid(at, expected()))
}

/// A subscriber of a list as the user of a job.
pub fn subscriber(recipient: &str, list_id: &str, data: Option<&str>, preferences: Option<&str>) -> String {
    let (id, list) = (json::quoted(recipient), json::quoted(list_id));
    let data = data.map(|data| format!(",\"data\":{data}")).unwrap_or_default();
    let preferences = preferences.map(|it| format!(",\"preferences\":{it}")).unwrap_or_default();
    format!("{{\"to\":{{\"user_id\":{id},\"list_id\":{list}{data}}}{preferences}}}")
}
