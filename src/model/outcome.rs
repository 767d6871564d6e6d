//! How messages end if a test has named their recipient or address.

use std::collections::BTreeMap;

use super::message_status::{MessageStatus, Reason, Verdict};

/// The messages that an outcome is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OutcomeOf {
    /// In lower case.
    Address(String),
    Recipient(String),
}

/// The end of a message, and when it comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// Milliseconds after the message goes out; 0 is at once.
    pub after_millis: i64,
    pub verdict: Verdict,
}

/// The fate of a message when it goes out.
#[derive(Clone, Debug)]
pub struct Fate {
    pub is_accepted: bool,
    /// Its status at once,
    pub verdict: Verdict,
    /// and its later status.
    pub later: Option<Ending>,
}

/// The outcomes of an environment.
#[derive(Clone, Debug, Default)]
pub struct OutcomeRules(pub BTreeMap<OutcomeOf, Ending>);

impl OutcomeRules {
    /// The fate of a message to this recipient at this address. An outcome for an address takes precedence over one for
    /// a recipient.
    pub fn find(&self, recipient: &str, address: &str) -> Option<Fate> {
        let of = |of: OutcomeOf| self.0.get(&of);
        let ending = of(OutcomeOf::Address(address.to_ascii_lowercase()))
            .or_else(|| of(OutcomeOf::Recipient(recipient.to_owned())))?;
        Some(match ending.after_millis {
            0 => {
                let verdict = ending.verdict.clone();
                Fate { is_accepted: verdict.reason != Some(Reason::ProviderError), verdict, later: None }
            }
            _ => Fate { is_accepted: true, verdict: Verdict::SENT, later: Some(ending.clone()) },
        })
    }
}

/// The verdict with this status and reason. `Err` names the member and what was expected.
pub fn verdict(status: &str, reason: Option<&str>) -> Result<Verdict, (&'static str, &'static str)> {
    const STATUS: (&str, &str) = ("status", "expected SENT, DELIVERED, OPENED, CLICKED or UNDELIVERABLE");
    const REASON: (&str, &str) = ("reason", "expected BOUNCED, FAILED, PROVIDER_ERROR or UNSUBSCRIBED");
    match (MessageStatus::from_name(status).ok_or(STATUS)?, reason) {
        (MessageStatus::Undeliverable, reason) => {
            let reason = reason.map_or(Some(Reason::Bounced), Reason::from_name).ok_or(REASON)?;
            match error(reason) {
                Some(error) => Ok(Verdict::new(MessageStatus::Undeliverable, reason, error)),
                None => Err(REASON),
            }
        }
        (status, None) if MessageStatus::LIFECYCLE.contains(&status) => Ok(Verdict::of(status)),
        (status, Some(_)) if MessageStatus::LIFECYCLE.contains(&status) => {
            Err(("reason", "expected none but with status UNDELIVERABLE"))
        }
        _ => Err(STATUS),
    }
}

/// The error text of a message that did not arrive for a reason which a test may set.
fn error(reason: Reason) -> Option<&'static str> {
    match reason {
        Reason::Bounced => Some("the mailbox does not exist (set for a test)"),
        Reason::Failed => Some("the message could not be delivered (set for a test)"),
        Reason::ProviderError => Some("the provider refused the message (set for a test)"),
        Reason::Unsubscribed => Some("the recipient has unsubscribed (set for a test)"),
        _ => None,
    }
}

/// The verdict of an ending, as it is stored.
pub fn ending(status: MessageStatus, reason: Option<Reason>) -> Verdict {
    Verdict { status, reason, error: reason.and_then(error).map(str::to_owned) }
}
