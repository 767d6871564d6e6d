//! What is stored under a recipient's id.

use super::preference::TopicPreference;
use super::provider::Provider;
use super::row::ProfileVersion;

/// What is stored of one recipient.
#[derive(Debug, Default)]
pub struct StoredRecipient {
    /// The version of the profile, and the profile.
    pub profile: Option<(ProfileVersion, String)>,
    /// What was chosen for the topic that was asked about.
    pub preference: Option<TopicPreference>,
    pub tokens: Vec<(Provider, String)>,
}

impl StoredRecipient {
    /// How much text it holds.
    pub fn bytes(&self) -> usize {
        let profile = self.profile.as_ref().map_or(0, |(_, profile)| profile.len());
        profile + self.tokens.iter().map(|(_, token)| token.len()).sum::<usize>()
    }
}
