//! Whether a recipient wants a message, and by which channels.

use crate::clock::Timestamp;
use crate::json::Fields;
use crate::model::channel::Channel;
use crate::model::message_status::{MessageStatus, Reason, Verdict};
use crate::model::preference::{PreferenceDetails, PreferenceStatus, TopicPreference};
use crate::model::resolved::ResolvedTopic;
use crate::model::user::User;

/// What is decided about one recipient.
pub enum Consent {
    /// By any channel.
    Given,
    /// By these channels only, the best first. They take precedence over the channels and conditions of the message.
    Channels(Vec<Channel>),
    Refused(Verdict),
}

/// Asks in this order: what was sent with the user for this template, under any of its names, and for this topic; what
/// is stored for the topic; the topic's default. A choice whose rules do not hold `now` does not count. For a topic
/// that is REQUIRED, none of this counts.
pub fn ask(
    user: &User<'_>,
    named: [Option<&str>; 4],
    topic: Option<&ResolvedTopic>,
    stored: Option<&TopicPreference>,
    now: Timestamp,
) -> Consent {
    let default = topic.map(|topic| topic.default_status);
    if default == Some(PreferenceStatus::Required) {
        return Consent::Given;
    }
    let sent = [user.to().and_then(|to| to.preferences.as_ref()), user.preferences.as_ref()];
    let holds = |it: &&Fields<PreferenceDetails>| it.0.holds(now);
    let of_template = sent.into_iter().flatten().find_map(|it| {
        named.into_iter().flatten().find_map(|name| it.0.notifications.as_ref()?.get(name).filter(holds))
    });
    let of_topic =
        || sent.into_iter().flatten().find_map(|it| it.0.categories.as_ref()?.get(&topic?.topic_id).filter(holds));
    let sent = of_template.or_else(of_topic).map(|Fields(sent)| {
        let channels = sent.channel_preferences.iter().flatten().map(|Fields(it)| it.channel).collect();
        (sent.status, channels)
    });
    let stored =
        || stored.map(|it| (it.status, if it.has_custom_routing { it.custom_routing.clone() } else { vec![] }));
    match sent.or_else(stored) {
        Some((PreferenceStatus::OptedOut, _)) => {
            Consent::Refused(refusal(Reason::Unsubscribed, "Notification opted out by user"))
        }
        Some((_, channels)) if !channels.is_empty() => Consent::Channels(channels),
        None if default == Some(PreferenceStatus::OptedOut) => {
            Consent::Refused(refusal(Reason::OptInRequired, "the topic needs the recipient to opt in"))
        }
        _ => Consent::Given,
    }
}

fn refusal(reason: Reason, error: &str) -> Verdict {
    Verdict::new(MessageStatus::Undeliverable, reason, error)
}
