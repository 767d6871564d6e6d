//! Answers that are given at a later moment. One thread gives them all, so that none holds a thread of its own. At the
//! stop they are given at once: what they report was done.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use crate::clock::{Clock, Timestamp};
use crate::error::{Error, Result};
use crate::http::{Answerer, Given, Reply};
use crate::threads;

/// Gives answers late.
pub struct LateAnswers {
    clock: Clock,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Nothing is held back any more.
    is_over: bool,
    is_stopping: bool,
    waiting: Vec<Waiting>,
}

struct Waiting {
    at: Timestamp,
    /// How long that is after the request.
    late_millis: i64,
    answerer: Answerer,
    given: Given,
}

impl LateAnswers {
    /// Starts the thread that gives them, by this name.
    pub fn start(name: &str, clock: Clock) -> Result<(Arc<Self>, JoinHandle<()>)> {
        let this = Arc::new(LateAnswers { clock, state: Mutex::default(), changed: Condvar::new() });
        let (moved, running) = (this.clone(), this.clone());
        this.clock.on_change(move || moved.change(|_| ()));
        let thread = threads::spawn_service(Builder::new().name(name.to_owned()), move || running.run());
        let thread = thread.map_err(|error| Error::startup(format!("a thread cannot be started: {error}")))?;
        Ok((this, thread))
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A reply that is given at this moment.
    pub fn reply(&self, at: Timestamp, given: Given) -> Reply {
        let late_millis = at.millis().saturating_sub(self.now().millis());
        let (reply, answerer) = Reply::later();
        self.change(|state| match state.is_over {
            true => answerer.give(given),
            false => state.waiting.push(Waiting { at, late_millis, answerer, given }),
        });
        reply
    }

    /// Gives all waiting answers at once, and those that come from now on: bulkd stops.
    pub fn give_all(&self) {
        let waiting = self.change(|state| {
            state.is_over = true;
            std::mem::take(&mut state.waiting)
        });
        waiting.into_iter().for_each(|it| it.answerer.give(it.given));
    }

    /// How many wait, and when the last of them is given. From `many` on, those whose peers have gone are removed
    /// first.
    pub fn waiting(&self, many: usize) -> (usize, Option<Timestamp>) {
        let mut state = self.state();
        if state.waiting.len() >= many {
            state.waiting.retain(|it| !it.answerer.is_closed());
        }
        (state.waiting.len(), state.waiting.last().map(|it| it.at))
    }

    /// Ends the thread.
    pub fn stop(&self) {
        self.change(|state| state.is_stopping = true);
    }

    fn run(&self) {
        let mut state = self.state();
        while !state.is_stopping {
            let now = self.now();
            let due: Vec<Waiting> = state.waiting.extract_if(.., |it| it.is_due(now)).collect();
            if !due.is_empty() {
                drop(state);
                due.into_iter().for_each(|it| it.answerer.give(it.given));
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
    /// A clock that was set back delays none of them.
    fn is_due(&self, now: Timestamp) -> bool {
        self.at <= now || self.at.millis().saturating_sub(now.millis()) > self.late_millis
    }
}
