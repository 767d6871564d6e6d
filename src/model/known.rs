//! What is stored under a recipient's id.

use super::channel::Provider;
use super::preference::TopicPreference;

/// What is stored of one recipient.
#[derive(Debug, Default)]
pub struct Known {
    /// The version of the profile, and the profile.
    pub profile: Option<(i64, String)>,
    /// What was chosen for the topic that was asked about.
    pub preference: Option<TopicPreference>,
    pub tokens: Vec<(Provider, String)>,
}
