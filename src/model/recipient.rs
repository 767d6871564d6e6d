//! Whom a send goes to: the `to` of its `message`, in all its forms.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::names;
use super::preference::RecipientPreferences;
use super::user::Context;
use crate::error::{Error, Kind, Result};
use crate::json::{self, Object, Text};

/// Recipients in one call (`patterns.md` of Courier's integration guides, August 2026).
const RECIPIENTS: usize = 500;

/// One of the recipients of a send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum To {
    /// One user, as a bulk job's user is sent.
    User { recipient: String, user: String },
    /// All users who are subscribed to a list and whom all filters match.
    List { list_id: String, data: Option<String>, filters: Vec<Filter> },
    /// The same of all lists whose id has this pattern.
    Pattern { pattern: String, data: Option<String>, filters: Vec<Filter> },
}

/// `MEMBER_OF`: matches users in whose stored profile `path` leads to `value`, or to a list that holds it.
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
    /// Of the operators of audiences none is documented for lists.
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
const FILTERS: usize = 100;

#[derive(Deserialize)]
struct Fields<'a> {
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
    #[serde(borrow, default)]
    slack: Option<Object<'a>>,
    #[serde(borrow, default)]
    ms_teams: Option<Object<'a>>,
    #[serde(borrow, default)]
    webhook: Option<Object<'a>>,
    #[serde(borrow, default)]
    pagerduty: Option<Object<'a>>,
}

#[derive(Deserialize)]
struct Direct<'a> {
    #[serde(borrow, default)]
    channel: Option<Text<'a>>,
    #[serde(borrow, default)]
    email: Option<Text<'a>>,
    #[serde(borrow, default)]
    user_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    channel_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    conversation_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    channel_name: Option<Text<'a>>,
    #[serde(borrow, default)]
    url: Option<Text<'a>>,
}

/// Reads one recipient or an array of up to 500.
pub fn read(raw: &str) -> Result<Vec<To>> {
    if !raw.starts_with('[') {
        return Ok(vec![one(raw, "message.to")?]);
    }
    let all: Vec<&RawValue> = serde_json::from_str(raw)
        .map_err(|error| Error::invalid("message.to", format_args!("not valid JSON: {error}")))?;
    if all.len() > RECIPIENTS {
        let text = format!("message.to has {} recipients. Max is {RECIPIENTS}", all.len());
        return Err(Error::new(Kind::Invalid, text));
    }
    if all.is_empty() {
        return Err(Error::invalid("message.to", "expected at least one recipient"));
    }
    all.into_iter().enumerate().map(|(i, to)| one(to.get(), &format!("message.to[{i}]"))).collect()
}

fn one(raw: &str, at: &str) -> Result<To> {
    let to: Fields<'_> = json::read(raw, || at.to_owned())?;
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
            return Ok(To::User { recipient, user: format!("{{\"to\":{raw}}}") });
        }
    }
    let filters = to.filters.unwrap_or_default();
    if filters.len() > FILTERS {
        return Err(Error::invalid(format_args!("{at}.filters"), format_args!("expected at most {FILTERS} filters")));
    }
    let filters = filters.into_iter().map(|json::Fields(it)| Filter { path: it.path, value: it.value }).collect();
    if let Some(list_id) = text("list_id", &to.list_id)? {
        return Ok(To::List { list_id, data, filters });
    }
    if let Some(pattern) = text("list_pattern", &to.list_pattern)? {
        return Ok(To::Pattern { pattern, data, filters });
    }
    if to.pagerduty.is_some() {
        return Err(Error::invalid(format_args!("{at}.pagerduty"), "PagerDuty is not known here"));
    }
    if to.audience_id.is_some() {
        return Err(Error::invalid(
            format_args!("{at}.audience_id"),
            "audiences are not known here; name a list or users",
        ));
    }
    let direct = [("slack", to.slack), ("ms_teams", to.ms_teams), ("webhook", to.webhook)];
    for (name, object) in direct {
        if let Some(object) = object {
            let it: Direct<'_> = json::read(object.as_str(), || format!("{at}.{name}"))?;
            let address =
                [it.conversation_id, it.channel, it.channel_id, it.user_id, it.email, it.channel_name, it.url];
            let recipient =
                address.into_iter().flatten().map(|text| text.as_str().to_owned()).find(|it| !it.is_empty());
            let recipient = recipient.ok_or_else(|| {
                let expected = match name {
                    "slack" => "expected channel, user_id or email",
                    "webhook" => "expected url",
                    _ => "expected conversation_id, channel_id, user_id, email or channel_name",
                };
                Error::invalid(format_args!("{at}.{name}"), expected)
            })?;
            return Ok(To::User { recipient, user: format!("{{\"to\":{raw}}}") });
        }
    }
    Err(Error::invalid(
        at,
        "expected a recipient: user_id, email, phone_number, list_id, list_pattern, slack, ms_teams or webhook",
    ))
}

/// A subscriber of a list as the user of a job.
pub fn subscriber(recipient: &str, list_id: &str, data: Option<&str>, preferences: Option<&str>) -> String {
    let (id, list) = (json::quoted(recipient), json::quoted(list_id));
    let data = data.map(|data| format!(",\"data\":{data}")).unwrap_or_default();
    let preferences = preferences.map(|it| format!(",\"preferences\":{it}")).unwrap_or_default();
    format!("{{\"to\":{{\"user_id\":{id},\"list_id\":{list}{data}}}{preferences}}}")
}
