//! The stored data of a recipient.

use std::sync::Arc;

use super::outcome::OutcomeRules;
use super::preference::TopicPreference;
use super::provider::Provider;
use super::row::ProfileVersion;

/// The subject of a message, for which recipients may have chosen something.
#[derive(Clone, Copy, Debug, Default)]
pub struct Subject<'a> {
    /// The names of its template, and its event. A choice for one of these takes precedence over one for the topic.
    pub names: [Option<&'a str>; 4],
    pub topic_id: Option<&'a str>,
    pub tenant_id: Option<&'a str>,
}

/// The stored data of one recipient.
#[derive(Debug, Default)]
pub struct StoredRecipient {
    /// The version of the profile, and the profile.
    pub profile: Option<(ProfileVersion, String)>,
    /// The choice for the template or the topic that was asked about.
    pub preference: Option<TopicPreference>,
    pub tokens: Vec<(Provider, String)>,
    /// How messages end, where a test has set it.
    pub outcomes: Option<Arc<OutcomeRules>>,
}

impl StoredRecipient {
    /// How much text it holds.
    pub fn bytes(&self) -> usize {
        let profile = self.profile.as_ref().map_or(0, |(_, profile)| profile.len());
        profile + self.tokens.iter().map(|(_, token)| token.len()).sum::<usize>()
    }
}
