//! The channels of messages.

use super::names;

names! {
    /// The channel by which a message would have reached its recipient.
    Channel {
        Email = "email",
        Sms = "sms",
        Push = "push",
        Inbox = "inbox",
        /// Slack and Microsoft Teams.
        DirectMessage = "direct_message",
        Webhook = "webhook",
    }
}
