//! What takes messages: one after the other, and says what came of each.

mod answer;
mod apart;
mod http;
mod keys;
mod lines;
mod provider;
mod smtp;
mod smtp_talk;
mod smtp_tls;
mod webhook;

use std::sync::Arc;
use std::time::Duration;

use super::envelope::Envelope;
use crate::error::Result;
use crate::model::deliver_target::Target;
use crate::model::message_status::Reason;

/// Takes messages for one channel.
pub trait Sender: Send + Sync {
    /// Hands a message over, and waits for the answer: not without a bound, unless what does not answer is a reader of ours.
    fn send(&self, envelope: &Envelope) -> Outcome;

    /// Makes sure of what was handed over, before it is written down that it was.
    fn sync(&self) -> std::result::Result<(), String> {
        Ok(())
    }

    /// Breaks off what is under way, as far as it can be, and takes no more.
    fn stop(&self);
}

/// What came of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Accepted {
        /// By what the other side calls it.
        reference: Option<String>,
    },
    Refused {
        reason: Reason,
        error: String,
        retry: Retry,
    },
}

/// Whether another attempt may succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    Never,
    /// Not before this span, if the other side has named one.
    After(Option<Duration>),
    /// This user is not let in, such as for a wrong key: that is wrong with no message.
    Unauthorized,
}

impl Outcome {
    /// It was not reached, or cannot take anything now.
    pub fn failed(error: impl Into<String>) -> Self {
        Outcome::Refused { reason: Reason::Failed, error: error.into(), retry: Retry::After(None) }
    }

    /// It lets no user in with such a key, or without one.
    pub fn unauthorized(error: impl Into<String>) -> Self {
        Outcome::Refused { reason: Reason::ProviderError, error: error.into(), retry: Retry::Unauthorized }
    }

    /// It does not take this message.
    pub fn refused(error: impl Into<String>) -> Self {
        Outcome::Refused { reason: Reason::ProviderError, error: error.into(), retry: Retry::Never }
    }
}

/// What sends to this target. The error says what is missing.
pub fn make(target: &Target) -> Result<Arc<dyn Sender>> {
    Ok(match target {
        Target::Smtp(server) => Arc::new(smtp::SmtpSender::new(server)?),
        Target::Provider { base } => Arc::new(provider::ProviderSender::new(base.as_deref())?),
        Target::Webhook { url } => Arc::new(webhook::WebhookSender::new(url)?),
        Target::File(path) => Arc::new(lines::LinesSender::file(path)?),
        Target::Output => Arc::new(lines::LinesSender::output()?),
    })
}

/// An error with what has led to it.
fn words(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_words = cause.to_string();
        if !words.contains(&cause_words) {
            words = format!("{words}: {cause_words}");
        }
        next = cause.source();
    }
    words
}
