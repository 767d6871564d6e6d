//! What users want to receive, and by which channels.

use std::collections::HashMap;

use serde::de;
use serde::{Deserialize, Deserializer};

use super::channel::Channel;
use super::names;
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::json::{self, Fields, Object, Text};

names! {
    /// What a user has chosen for a subscription topic.
    PreferenceStatus {
        OptedIn = "OPTED_IN",
        OptedOut = "OPTED_OUT",
        /// A topic that no user can opt out of. Never a user's own choice.
        Required = "REQUIRED",
    }
}

/// A subscription topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    pub name: String,
    /// For users who have not chosen.
    pub default_status: PreferenceStatus,
}

impl Topic {
    /// The status for a user with this choice, if any. No user can opt out of a required topic.
    pub fn status(&self, choice: Option<&TopicPreference>) -> PreferenceStatus {
        match choice {
            Some(choice) if choice.refused_by(self).is_none() => choice.status,
            _ => self.default_status,
        }
    }
}

/// A user's choice for one topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicPreference {
    pub status: PreferenceStatus,
    /// Whether only the channels of `custom_routing` are wanted.
    pub has_custom_routing: bool,
    pub custom_routing: Vec<Channel>,
}

impl TopicPreference {
    /// `custom_routing` as a JSON array.
    pub fn routing_json(&self) -> String {
        let names: Vec<String> = self.custom_routing.iter().map(|channel| format!("\"{}\"", channel.name())).collect();
        format!("[{}]", names.join(","))
    }
}

/// A choice as it is sent. `digest_schedule_id` is accepted and has no effect.
#[derive(Debug, Deserialize)]
struct PreferenceBody {
    #[serde(deserialize_with = "choice")]
    status: PreferenceStatus,
    #[serde(default)]
    has_custom_routing: Option<bool>,
    #[serde(default)]
    custom_routing: Option<Vec<Channel>>,
}

/// A status that a user can choose. [`Required`](PreferenceStatus::Required) is refused later, with the reason: the
/// OpenAPI document has it among the statuses of a recipient.
fn choice<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<PreferenceStatus, D::Error> {
    let sent = Text::deserialize(deserializer)?;
    let found = PreferenceStatus::from_name(sent.as_str());
    found.ok_or_else(|| de::Error::custom("expected OPTED_IN or OPTED_OUT"))
}

impl TopicPreference {
    /// Reads a choice; `at` is its path in the request.
    pub fn read(text: &str, at: impl Fn() -> String) -> Result<Self> {
        let choice: PreferenceBody = json::read(text, &at)?;
        if choice.status == PreferenceStatus::Required {
            let expected = "expected OPTED_IN or OPTED_OUT; REQUIRED is a topic's default and no choice of a user";
            return Err(Error::invalid(format_args!("{}.status", at()), expected));
        }
        Ok(TopicPreference {
            status: choice.status,
            has_custom_routing: choice.has_custom_routing.unwrap_or(false),
            custom_routing: choice.custom_routing.unwrap_or_default(),
        })
    }

    /// Why a topic does not allow this choice.
    pub fn refused_by(&self, topic: &Topic) -> Option<&'static str> {
        let refused = topic.default_status == PreferenceStatus::Required && self.status == PreferenceStatus::OptedOut;
        refused.then_some("this topic is REQUIRED; users cannot opt out of it")
    }
}

/// The [shape](crate::json::shape::Shape) of the preferences that come with a recipient.
macro_rules! recipient_preferences {
    () => {
        "{categories?: {*: {status, channel_preferences?: [{channel}], rules?: [{until, start?}]}}, \
         notifications?: {*: {status, channel_preferences?: [{channel}], rules?: [{until, start?}]}}}"
    };
}

pub(crate) use recipient_preferences;

/// The preferences of a list, of a subscription or of a recipient: by topic (`categories`) and by template or event
/// (`notifications`).
#[derive(Debug, Default, Deserialize)]
pub struct RecipientPreferences {
    #[serde(default, deserialize_with = "json::map")]
    pub categories: Option<HashMap<String, Fields<PreferenceDetails>>>,
    #[serde(default, deserialize_with = "json::map")]
    pub notifications: Option<HashMap<String, Fields<PreferenceDetails>>>,
}

#[derive(Debug, Deserialize)]
pub struct PreferenceDetails {
    #[serde(deserialize_with = "choice")]
    pub status: PreferenceStatus,
    #[serde(default)]
    pub channel_preferences: Option<Vec<Fields<ChannelPreference>>>,
    #[serde(default)]
    pub rules: Option<Vec<Fields<Rule>>>,
}

#[derive(Debug, Deserialize)]
pub struct ChannelPreference {
    pub channel: Channel,
}

/// From when and until when a choice holds, as dates. A date that cannot be read sets no limit.
#[derive(Debug, Deserialize)]
pub struct Rule {
    pub until: String,
    #[serde(default)]
    pub start: Option<String>,
}

impl PreferenceDetails {
    /// Whether the choice holds now: always, or at the times of one of its rules.
    pub fn holds(&self, now: Timestamp) -> bool {
        let is_within = |Fields(rule): &Fields<Rule>| {
            let start = rule.start.as_deref().and_then(|date| Timestamp::parse_iso(date, None));
            let until = Timestamp::parse_iso(&rule.until, None);
            start.is_none_or(|start| start <= now) && until.is_none_or(|until| now < until)
        };
        match self.rules.as_deref() {
            None | Some([]) => true,
            Some(rules) => rules.iter().any(is_within),
        }
    }
}

impl RecipientPreferences {
    pub fn read(text: &str, at: impl FnOnce() -> String) -> Result<Self> {
        json::read(text, at)
    }
}

/// Preferences to be stored as they were sent, after a check.
pub fn checked(sent: Option<Object<'_>>, at: impl FnOnce() -> String) -> Result<Option<String>> {
    sent.map(|sent| RecipientPreferences::read(sent.as_str(), at).map(|_| sent.as_str().to_owned())).transpose()
}
