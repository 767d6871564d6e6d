//! How fast events are processed while messages are made: making messages needs the machine more.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::store::{Bell, Store};

/// Events of all webhooks in a second, while messages are made. Building, queueing and posting one takes about a tenth
/// of a millisecond.
const EVENTS_PER_SECOND: f64 = 1_000.0;
/// Events that may be processed at once in any case.
const BURST_EVENTS: f64 = 256.0;
/// After so long without a new message, events are processed as fast as possible.
const QUIET: Duration = Duration::from_millis(20);

pub struct Pace(Mutex<Budget>);

struct Budget {
    /// Events that may still be processed.
    left: f64,
    at: Instant,
}

impl Default for Pace {
    fn default() -> Self {
        Pace(Mutex::new(Budget { left: BURST_EVENTS, at: Instant::now() }))
    }
}

impl Pace {
    /// Notes processed events. If they exceed the pace, waits until more may follow, until no message is made any more,
    /// or until all stops, when `bell` rings.
    pub fn spend(&self, events: usize, store: &Store, bell: &Bell, is_stopping: impl Fn() -> bool) {
        let mut may = self.budget().spend(events);
        while !may && !is_stopping() {
            let commits = store.message_commits().count();
            bell.pause(QUIET, &is_stopping);
            let mut budget = self.budget();
            if store.message_commits().count() == commits {
                budget.left = BURST_EVENTS;
            }
            may = budget.spend(0);
        }
    }

    fn budget(&self) -> MutexGuard<'_, Budget> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Budget {
    /// Returns whether more may go on.
    fn spend(&mut self, events: usize) -> bool {
        let span = self.at.elapsed();
        self.at += span;
        self.left = (self.left + span.as_secs_f64() * EVENTS_PER_SECOND).min(BURST_EVENTS) - events as f64;
        self.left >= 0.0
    }
}
