//! Requests with a wrong key are answered late where keys are named: to try keys takes time. None of them has a thread that
//! waits, and a request with a right key never waits.
//!
//! What is counted is all that is wrong, whichever address it comes from: all peers of a local daemon have the same one.
//! So their late answers come one after the other, however many connections there are. Where too many wait, the next one is
//! told so, and has to connect anew.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use crate::clock::{Clock, Timestamp};
use crate::error::{Error, Kind, Result};
use crate::http::{self, Answerer, Reply, Response};
use crate::threads;

/// Wrong keys that are answered at once: somebody has mistyped one.
const PROMPT: u32 = 10;
/// What each one beyond them is later than the one before, up to [`LATEST_MILLIS`].
const STEP_MILLIS: i64 = 100;
const LATEST_MILLIS: i64 = 1_000;
/// After so long without a wrong key, the count begins again.
const QUIET_MILLIS: i64 = 60_000;
/// The least time between two late answers of all peers: more connections try no more keys in a second.
const PACE_MILLIS: i64 = 20;
/// Answers that wait, at most: the last of them for some three seconds. Each holds a connection, which makes room for others.
const WAITING: usize = 128;

/// Gives refusals late. Without the thread, nothing is late.
pub struct LateRefusals {
    clock: Clock,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    is_stopping: bool,
    refused: u32,
    last: Timestamp,
    waiting: Vec<Waiting>,
}

struct Waiting {
    at: Timestamp,
    answerer: Answerer,
    response: Response,
}

impl LateRefusals {
    /// Starts the thread that gives them.
    pub fn start(clock: Clock) -> Result<(Arc<Self>, JoinHandle<()>)> {
        let this = Arc::new(LateRefusals { clock, state: Mutex::default(), changed: Condvar::new() });
        let (moved, running) = (this.clone(), this.clone());
        this.clock.on_change(move || moved.change(|_| ()));
        let thread = threads::spawn_service(Builder::new().name("refusals".to_owned()), move || running.run());
        let thread = thread.map_err(|error| Error::startup(format!("a thread cannot be started: {error}")))?;
        Ok((this, thread))
    }

    /// The reply with this refusal, now or later.
    pub fn reply(&self, response: Response) -> Reply {
        let now = self.clock.now();
        self.change(|state| {
            let quiet = now.millis().saturating_sub(state.last.millis());
            state.refused = if (0..QUIET_MILLIS).contains(&quiet) { state.refused.saturating_add(1) } else { 1 };
            state.last = now;
            let late = (i64::from(state.refused.saturating_sub(PROMPT)) * STEP_MILLIS).min(LATEST_MILLIS);
            if state.waiting.len() >= WAITING {
                state.waiting.retain(|it| !it.answerer.is_closed());
            }
            if late == 0 {
                return response.into();
            }
            if state.waiting.len() >= WAITING {
                let error = Error::new(Kind::TooManyRequests, "too many wrong API keys; try again later");
                return Reply::Last(http::of_error(&error));
            }
            let after_last = state.waiting.last().map_or(0, |last| last.at.millis().saturating_add(PACE_MILLIS));
            let at = Timestamp(now.millis().saturating_add(late).max(after_last));
            let (reply, answerer) = Reply::later();
            state.waiting.push(Waiting { at, answerer, response });
            reply
        })
    }

    /// Ends the thread. What still waits is told that bulkd stops.
    pub fn stop(&self) {
        self.change(|state| state.is_stopping = true);
    }

    fn run(&self) {
        let mut state = self.state();
        while !state.is_stopping {
            let now = self.clock.now();
            let due: Vec<Waiting> = state.waiting.extract_if(.., |it| it.is_due(now)).collect();
            if !due.is_empty() {
                drop(state);
                due.into_iter().for_each(|it| it.answerer.answer(it.response));
                state = self.state();
                continue;
            }
            let wait = state.waiting.iter().map(|it| self.clock.until(it.at)).min();
            state = match wait {
                None | Some(Duration::MAX) => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(wait) => self.changed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0,
            };
        }
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let changed = change(&mut self.state());
        self.changed.notify_all();
        changed
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// A clock that was set back makes none of them later.
    fn is_due(&self, now: Timestamp) -> bool {
        self.at <= now || self.at.millis().saturating_sub(now.millis()) > LATEST_MILLIS + WAITING as i64 * PACE_MILLIS
    }
}
