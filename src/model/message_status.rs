//! What becomes of messages, and why.

use super::names;

names! {
    /// The status of a message. Courier has a few more, which do not occur here.
    MessageStatus {
        /// It is in the outbox: without further events, this is the last status here.
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

    /// The statuses before this one in their order, and this one.
    pub fn up_to(self) -> impl Iterator<Item = MessageStatus> {
        let before = Self::LIFECYCLE.iter().position(|it| *it == self).unwrap_or(0);
        Self::LIFECYCLE.into_iter().take(before).chain([self])
    }

    /// Whether a message that went out and has this status can take the other one: it is delivered, is read, or
    /// bounces.
    pub fn can_become(self, next: MessageStatus) -> bool {
        Self::LIFECYCLE.contains(&self) && (next == MessageStatus::Undeliverable || !self.includes(next))
    }

    /// Whether a message with this status has, or has had, the other one.
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

/// The outcome of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub status: MessageStatus,
    pub reason: Option<Reason>,
    pub error: Option<String>,
}

impl Verdict {
    pub const SENT: Verdict = Verdict::of(MessageStatus::Sent);

    /// A status without further details.
    pub const fn of(status: MessageStatus) -> Self {
        Verdict { status, reason: None, error: None }
    }

    pub fn new(status: MessageStatus, reason: Reason, error: impl Into<String>) -> Self {
        Verdict { status, reason: Some(reason), error: Some(error.into()) }
    }
}
