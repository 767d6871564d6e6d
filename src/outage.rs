//! A state in which one piece of work after the other fails, such as a full disk. It is logged when it begins and when
//! it ends, with a count, and not for each failure.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use log::Level;

use crate::error::{Kind, Result};

/// An outage is over after so long without a failure. Otherwise, a state in which some work fails and some does not
/// would be logged each time.
const QUIET_TIME: Duration = Duration::from_secs(1);

/// Different messages of one outage that are logged, at most.
const MESSAGES: usize = 8;

/// One kind of work that may fail for a while.
pub struct Outage {
    /// What fails, as a sentence's beginning, such as "changes cannot be committed".
    what: String,
    level: Level,
    is_on: AtomicBool,
    current: Mutex<Option<Current>>,
}

struct Current {
    /// Those that were logged.
    messages: Vec<String>,
    begun: Instant,
    last: Instant,
    failures: u64,
}

impl Outage {
    pub fn new(what: impl Into<String>) -> Self {
        Outage { what: what.into(), level: Level::Error, is_on: AtomicBool::new(false), current: Mutex::new(None) }
    }

    /// An outage that is not ours to mend: it is logged as a warning.
    pub fn of_callers(what: impl Into<String>) -> Self {
        Outage { level: Level::Warn, ..Outage::new(what) }
    }

    /// Counts a failure, and logs it if its message is new.
    pub fn failed(&self, message: impl std::fmt::Display) {
        let (message, now) = (message.to_string(), Instant::now());
        let mut current = self.current();
        match &mut *current {
            None => {
                log::log!(self.level, "{}: {message}", self.what);
                *current = Some(Current { messages: vec![message], begun: now, last: now, failures: 1 });
            }
            Some(current) => {
                current.failures += 1;
                current.last = now;
                if current.messages.len() < MESSAGES && !current.messages.contains(&message) {
                    log::log!(self.level, "{}: {message}", self.what);
                    current.messages.push(message);
                }
            }
        }
        self.is_on.store(true, Ordering::Relaxed);
    }

    /// Notes that the work succeeds. Costs one atomic read if it did so before, too.
    pub fn succeeded(&self) {
        if !self.is_on.load(Ordering::Relaxed) {
            return;
        }
        let mut current = self.current();
        let is_over = current.as_ref().is_some_and(|current| current.last.elapsed() >= QUIET_TIME);
        if let Some(over) = current.take_if(|_| is_over) {
            self.is_on.store(false, Ordering::Relaxed);
            let seconds = over.last.duration_since(over.begun).as_secs_f64();
            log::warn!("no longer: {} ({} times in {seconds:.1} s)", self.what, over.failures);
        }
    }

    /// Notes the result of work. Only `Unavailable` counts as an outage, unless the caller caused it.
    pub fn watch<T>(&self, result: Result<T>) -> Result<T> {
        match &result {
            Ok(_) => self.succeeded(),
            Err(error) if error.kind() == Kind::Unavailable && !error.is_of_caller() => self.failed(error),
            Err(_) => {}
        }
        result
    }

    fn current(&self) -> MutexGuard<'_, Option<Current>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[test]
    fn what_is_its_callers_is_no_outage() {
        let outage = Outage::new("tests fail");
        for error in [Error::full("full"), Error::not_yet("not yet"), Error::stale(), Error::invalid("a", "b")] {
            let _ = outage.watch::<()>(Err(error));
            assert!(!outage.is_on.load(Ordering::Relaxed));
        }
        let _ = outage.watch::<()>(Err(Error::unavailable("the disk is full")));
        assert!(outage.is_on.load(Ordering::Relaxed));
    }
}
