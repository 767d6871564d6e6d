//! How threads that follow the rows are woken. A bell says that there may be something new, never what: the rows tell
//! that.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Which bells a change rings, once it is committed.
#[derive(Clone, Copy, Default)]
pub(in crate::store) struct Wakeups {
    /// The runner's: there is a job to run, or a message to wait for.
    pub jobs: bool,
    /// Those of the threads that follow messages.
    pub messages: bool,
    /// That of the thread that looks after webhooks.
    pub webhooks: bool,
    /// That of the thread that drops what is old.
    pub retention: bool,
}

impl Wakeups {
    pub fn add(&mut self, other: Wakeups) {
        self.jobs |= other.jobs;
        self.messages |= other.messages;
        self.webhooks |= other.webhooks;
        self.retention |= other.retention;
    }
}

/// The bells of one store.
#[derive(Clone, Default)]
pub struct Bells {
    pub jobs: Bell,
    pub messages: Bell,
    pub webhooks: Bell,
    pub retention: Bell,
    /// That of threads that report news to others: rings with those of jobs and messages.
    pub news: Bell,
    /// That of the thread that follows all changes, as long as it does.
    pub changes: Bell,
    are_changes_followed: Arc<AtomicBool>,
}

impl Bells {
    pub fn follow_changes(&self, are_followed: bool) {
        self.are_changes_followed.store(are_followed, Ordering::SeqCst);
    }

    pub(in crate::store) fn ring(&self, wakeups: Wakeups) {
        [
            (wakeups.jobs, &self.jobs),
            (wakeups.messages, &self.messages),
            (wakeups.webhooks, &self.webhooks),
            (wakeups.retention, &self.retention),
            (wakeups.jobs || wakeups.messages, &self.news),
        ]
        .into_iter()
        .filter(|(wakes, _)| *wakes)
        .for_each(|(_, bell)| bell.ring());
        if self.are_changes_followed.load(Ordering::SeqCst) {
            self.changes.ring();
        }
    }
}

#[derive(Clone, Default)]
pub struct Bell(Arc<(Mutex<u64>, Condvar)>);

impl Bell {
    pub fn ring(&self) {
        let (rung, heard) = &*self.0;
        *rung.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        heard.notify_all();
    }

    /// How often it has rung. Ask before looking at the rows, and hand it to [`Bell::wait`] afterwards.
    pub fn rung(&self) -> u64 {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until it has rung more than `heard` times, or for at most `timeout`.
    pub fn wait(&self, heard: u64, timeout: Duration) {
        let (rung, changed) = &*self.0;
        let guard = rung.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = changed.wait_timeout_while(guard, timeout, |rung| *rung <= heard);
    }

    /// Waits for `span`, however often it rings meanwhile. Ends earlier if `is_over` is true at a ring. `is_over` is
    /// called under the bell's lock, and must not touch the bell.
    pub fn pause(&self, span: Duration, is_over: impl Fn() -> bool) {
        let (rung, changed) = &*self.0;
        let guard = rung.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = changed.wait_timeout_while(guard, span, |_| !is_over());
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn a_ring_does_not_end_a_pause() {
        let (bell, is_over) = (Bell::default(), AtomicBool::new(false));
        let (asked, asks) = crossbeam_channel::unbounded();
        thread::scope(|scope| {
            let paused = scope.spawn(|| {
                bell.pause(Duration::from_secs(3600), || {
                    asked.send(()).unwrap();
                    is_over.load(Ordering::SeqCst)
                });
                assert!(is_over.load(Ordering::SeqCst), "a ring ended the pause");
            });
            // At the beginning, and after a ring.
            asks.recv().unwrap();
            bell.ring();
            asks.recv().unwrap();
            is_over.store(true, Ordering::SeqCst);
            bell.ring();
            paused.join().unwrap();
        });
    }
}
