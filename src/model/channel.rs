//! The ways by which messages go.

use super::names;

names! {
    /// By which way a message would have reached its recipient.
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
