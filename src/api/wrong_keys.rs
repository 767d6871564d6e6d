//! Where keys are named, requests with a wrong key are answered late, so that trying keys takes time. None of them
//! holds a thread, and a request with a right key never waits.
//!
//! All wrong keys are counted together, whatever address they come from: all peers of a local daemon have the same one.
//! So their late answers come one after the other, however many connections there are. Where too many wait, the next
//! one is told so, and has to connect again.

use std::sync::{Arc, Mutex, PoisonError};

use super::late::LateAnswers;
use crate::clock::Timestamp;
use crate::error::{Error, Kind};
use crate::http::{self, Given, Reply, Response};

/// Wrong keys that are answered at once: one may be mistyped.
const PROMPT: u32 = 10;
/// The delay that each further one adds, up to [`LATEST_MILLIS`].
const STEP_MILLIS: i64 = 100;
const LATEST_MILLIS: i64 = 1_000;
/// After so long without a wrong key, the count begins again.
const QUIET_MILLIS: i64 = 60_000;
/// The least time between two late answers to any peers: more connections try no more keys in a second.
const PACE_MILLIS: i64 = 20;
/// Answers that wait, at most: the last of them for some three seconds. Each holds a connection, which makes room for others.
const WAITING: usize = 128;

/// Gives refusals late.
pub struct LateRefusals {
    answers: Arc<LateAnswers>,
    refused: Mutex<Refused>,
}

#[derive(Default)]
struct Refused {
    count: u32,
    last: Timestamp,
}

impl LateRefusals {
    /// `answers` gives nothing else.
    pub fn new(answers: Arc<LateAnswers>) -> Self {
        LateRefusals { answers, refused: Mutex::default() }
    }

    /// The reply with this refusal, now or later.
    pub fn reply(&self, response: Response) -> Reply {
        let now = self.answers.now();
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let quiet = now.millis().saturating_sub(refused.last.millis());
        refused.count = if (0..QUIET_MILLIS).contains(&quiet) { refused.count.saturating_add(1) } else { 1 };
        refused.last = now;
        let late = (i64::from(refused.count.saturating_sub(PROMPT)) * STEP_MILLIS).min(LATEST_MILLIS);
        if late == 0 {
            return response.into();
        }
        let (waiting, last) = self.answers.waiting(WAITING);
        if waiting >= WAITING {
            let error = Error::new(Kind::TooManyRequests, "too many wrong API keys; try again later");
            return Reply::Last(http::of_error(&error));
        }
        let after_last = last.map_or(0, |last| last.millis().saturating_add(PACE_MILLIS));
        let at = Timestamp(now.millis().saturating_add(late).max(after_last));
        self.answers.reply(at, Given::Answer(response))
    }
}
