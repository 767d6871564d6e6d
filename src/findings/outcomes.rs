//! Findings from the outcomes of messages.

use super::checks::Check;
use crate::error::shown_up_to;
use crate::model::message_status::Reason;
use crate::model::rendered_batch::RenderedBatch;

/// The most characters of an error that a note quotes.
const ERROR_CHARACTERS: usize = 300;

/// A check of outcomes.
pub struct OutcomeCheck {
    pub check: Check,
    reasons: &'static [Reason],
    words: &'static str,
}

pub const OUTCOMES: &[OutcomeCheck] = &[
    OutcomeCheck {
        check: Check::ProviderRefused,
        reasons: &[Reason::ProviderError],
        words: "a provider would refuse a message",
    },
    OutcomeCheck {
        check: Check::OptedOut,
        reasons: &[Reason::Unsubscribed, Reason::OptInRequired],
        words: "preferences keep a message from a recipient",
    },
    OutcomeCheck { check: Check::NearLimit, reasons: &[], words: "a message nearly meets a limit" },
    OutcomeCheck { check: Check::NoEffect, reasons: &[], words: "" },
];

impl OutcomeCheck {
    /// What it finds in these outcomes, in words; `what` is the job or send that they belong to.
    pub fn told(&self, outcomes: &RenderedBatch, what: &str) -> Option<String> {
        match self.check {
            Check::NearLimit => return outcomes.near_limit().map(|it| format!("{what}: {}: {it}", self.words)),
            Check::NoEffect => return outcomes.without_effect().map(|it| format!("{what}: {it}")),
            _ => {}
        }
        let verdict = outcomes.verdicts().find(|it| it.reason.is_some_and(|reason| self.reasons.contains(&reason)))?;
        let error = verdict.error.as_deref().unwrap_or_default();
        Some(format!("{what}: {}: {}", self.words, shown_up_to(error, ERROR_CHARACTERS)))
    }
}
