//! What becomes of messages, and why.

use super::names;

names! {
    /// What became of a message. Courier has a few more, to which nothing here leads.
    MessageStatus {
        /// It is in the outbox, which here is as far as messages go by themselves.
        Sent = "SENT",
        Delivered = "DELIVERED",
        Opened = "OPENED",
        Clicked = "CLICKED",
        /// The request came with a key for simulations.
        Simulated = "SIMULATED",
        /// It waits for its time.
        Delayed = "DELAYED",
        Canceled = "CANCELED",
        /// A condition stopped it.
        Filtered = "FILTERED",
        /// Its event or template is not known here, and templates are strict.
        Unmapped = "UNMAPPED",
        /// No channel or provider could take it.
        Unroutable = "UNROUTABLE",
        /// The provider or the recipient refused it, or it could not be made.
        Undeliverable = "UNDELIVERABLE",
    }
}

impl MessageStatus {
    /// The statuses of a message that arrives and is read, in their order.
    pub const LIFECYCLE: [MessageStatus; 4] =
        [MessageStatus::Sent, MessageStatus::Delivered, MessageStatus::Opened, MessageStatus::Clicked];

    /// The statuses that lead to this one, which is the last of them.
    pub fn up_to(self) -> impl Iterator<Item = MessageStatus> {
        let before = Self::LIFECYCLE.iter().position(|it| *it == self).unwrap_or(0);
        Self::LIFECYCLE.into_iter().take(before).chain([self])
    }

    /// Whether a message that went out and has this status can come to the other one: it arrives, is read, or comes back.
    pub fn can_become(self, next: MessageStatus) -> bool {
        Self::LIFECYCLE.contains(&self) && (next == MessageStatus::Undeliverable || !self.includes(next))
    }

    /// Whether a message with this status has, or had, the other one.
    pub fn includes(self, other: MessageStatus) -> bool {
        self.up_to().any(|it| it == other)
    }
}

names! {
    /// Why a message did not arrive.
    Reason {
        Bounced = "BOUNCED",
        Failed = "FAILED",
        Filtered = "FILTERED",
        NoChannels = "NO_CHANNELS",
        NoProviders = "NO_PROVIDERS",
        OptInRequired = "OPT_IN_REQUIRED",
        ProviderError = "PROVIDER_ERROR",
        Unpublished = "UNPUBLISHED",
        Unsubscribed = "UNSUBSCRIBED",
    }
}

/// What a delivery led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub status: MessageStatus,
    pub reason: Option<Reason>,
    pub error: Option<String>,
}

impl Verdict {
    pub const SENT: Verdict = Verdict::of(MessageStatus::Sent);

    /// A status of which there is no more to say.
    pub const fn of(status: MessageStatus) -> Self {
        Verdict { status, reason: None, error: None }
    }

    pub fn new(status: MessageStatus, reason: Reason, error: impl Into<String>) -> Self {
        Verdict { status, reason: Some(reason), error: Some(error.into()) }
    }
}
