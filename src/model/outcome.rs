//! How messages end whose recipient or address a test has named.

use std::collections::BTreeMap;

use super::message_status::{MessageStatus, Reason, Verdict};

/// Whose messages end in a way that was said.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OutcomeOf {
    /// In lower case.
    Address(String),
    Recipient(String),
}

/// The outcomes of an environment.
#[derive(Clone, Debug, Default)]
pub struct OutcomeRules(pub BTreeMap<OutcomeOf, Verdict>);

impl OutcomeRules {
    /// What becomes of a message to this recipient at this address, and whether its provider accepts it. What was said of
    /// an address goes before what was said of the recipient.
    pub fn find(&self, recipient: &str, address: &str) -> Option<(bool, Verdict)> {
        let of = |of: OutcomeOf| self.0.get(&of);
        let verdict = of(OutcomeOf::Address(address.to_ascii_lowercase()))
            .or_else(|| of(OutcomeOf::Recipient(recipient.to_owned())))?;
        Some((verdict.reason != Some(Reason::ProviderError), verdict.clone()))
    }
}

/// How a message ends with this status, for this reason. `Err` says what was expected: the member, and its value.
pub fn verdict(status: &str, reason: Option<&str>) -> Result<Verdict, (&'static str, &'static str)> {
    const STATUS: (&str, &str) = ("status", "expected SENT, DELIVERED, OPENED, CLICKED or UNDELIVERABLE");
    const REASON: (&str, &str) = ("reason", "expected BOUNCED, FAILED, PROVIDER_ERROR or UNSUBSCRIBED");
    match (MessageStatus::from_name(status).ok_or(STATUS)?, reason) {
        (MessageStatus::Undeliverable, reason) => {
            let reason = reason.map_or(Some(Reason::Bounced), Reason::from_name).ok_or(REASON)?;
            let error = match reason {
                Reason::Bounced => "the mailbox does not exist (set for a test)",
                Reason::Failed => "the message could not be delivered (set for a test)",
                Reason::ProviderError => "the provider refused the message (set for a test)",
                Reason::Unsubscribed => "the recipient has unsubscribed (set for a test)",
                _ => return Err(REASON),
            };
            Ok(Verdict::new(MessageStatus::Undeliverable, reason, error))
        }
        (status, None) if MessageStatus::LIFECYCLE.contains(&status) => Ok(Verdict::of(status)),
        (status, Some(_)) if MessageStatus::LIFECYCLE.contains(&status) => {
            Err(("reason", "expected none but with status UNDELIVERABLE"))
        }
        _ => Err(STATUS),
    }
}
