//! The loop of a thread that follows the rows: the jobs to run, the messages to send, the webhooks to call.

use std::time::{Duration, Instant};

use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::outage::Outage;
use crate::store::{Bell, Store};
use crate::threads::catch;

/// Between two turns when no bell rings. The bell is enough; this is for a file that is changed by hand.
const POLL_INTERVAL: Duration = Duration::from_secs(60);
/// Before the next turn after the rows could not be read or written. This is the machine's time: whatever the daemon's
/// clock says, the disk needs a while to recover.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// What a follower does after a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Takes the next turn at once.
    Again,
    /// Waits for the bell.
    Wait,
    /// Waits for the bell, but not beyond this moment of the daemon's clock.
    WaitUntil(Timestamp),
    /// Waits for the bell, but not longer than this.
    WaitFor(Duration),
    /// Ends: there is nothing left to follow.
    End,
}

impl Next {
    /// The same, but waits until this moment at most, if there is one.
    pub fn or_at(self, at: Option<Timestamp>) -> Self {
        match (self, at) {
            (Next::Wait, Some(at)) => Next::WaitUntil(at),
            (Next::WaitUntil(until), Some(at)) => Next::WaitUntil(until.min(at)),
            (next, _) => next,
        }
    }

    /// Waits for the bell and for this moment, if there is one.
    pub fn wait(until: Option<Timestamp>) -> Self {
        until.map_or(Next::Wait, Next::WaitUntil)
    }
}

/// Takes one turn after the other until one says that it was the last, or until `is_stopping`. A turn reads the rows
/// and does what they ask for. If a bell rings meanwhile, the next turn follows at once. One that fails is logged as
/// `trouble`, and the next one follows after [`RETRY_INTERVAL`], however often the bell rings: a full disk fails each
/// of them, and a line for each commit would bury the log. To stop a follower, ring its bell after `is_stopping` has
/// become true. A manual clock rings the bells of jobs and messages when it is moved.
pub fn follow(
    store: &Store,
    bell: &Bell,
    trouble: &str,
    is_stopping: impl Fn() -> bool,
    mut turn: impl FnMut() -> Result<Next>,
) {
    let outage = Outage::new(trouble);
    loop {
        let heard = bell.rung();
        if is_stopping() {
            return;
        }
        // A turn that panics has failed. The next one begins with the rows.
        let turned = catch(|| {
            let set_back_millis = store.set_back_millis();
            turn().map(|next| (next, set_back_millis))
        });
        let turned = turned.unwrap_or_else(|| Err(Error::internal("a turn panicked")));
        if turned.is_ok() {
            outage.succeeded();
        }
        let timeout = match turned {
            Ok((Next::Again, _)) => continue,
            Ok((Next::Wait, _)) => POLL_INTERVAL,
            Ok((Next::WaitFor(span), _)) => span.min(POLL_INTERVAL),
            Ok((Next::WaitUntil(at), set_back_millis)) => {
                wait_until(store, bell, (heard, set_back_millis), at);
                continue;
            }
            Ok((Next::End, _)) => return,
            Err(error) => {
                outage.failed(error);
                bell.pause(RETRY_INTERVAL, &is_stopping);
                continue;
            }
        };
        bell.wait(heard, timeout);
    }
}

/// Waits for the bell and for this moment, but no longer than [`POLL_INTERVAL`], and only until the clock is set back:
/// then the moment may be another. It reads the clock now and then, which costs nothing beside a turn.
fn wait_until(store: &Store, bell: &Bell, (heard, set_back_millis): (u64, i64), at: Timestamp) {
    let begun = Instant::now();
    loop {
        let left = store.until(at).min(POLL_INTERVAL.saturating_sub(begun.elapsed()));
        if left.is_zero() || bell.rung() > heard || store.set_back_millis() != set_back_millis {
            return;
        }
        bell.wait(heard, left);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    use super::*;
    use crate::clock::{Clock, ManualClock};

    fn with_store(test: impl FnOnce(&Store, &ManualClock)) {
        let clock = ManualClock::at(0);
        let (store, threads) = Store::open_ephemeral(Clock::Manual(clock.clone()));
        test(&store, &clock);
        store.stop();
        threads.join();
    }

    #[test]
    fn turns_follow_bells_failures_and_the_moved_clock() {
        with_store(|store, clock| {
            let (took_turn, turns) = crossbeam_channel::bounded(0);
            let stopping = AtomicBool::new(false);
            let mut steps = vec![
                Ok(Next::Again),
                Err(Error::unavailable("the disk is full")),
                Ok(Next::Wait),
                Ok(Next::WaitUntil(Timestamp(5_000))),
                Ok(Next::Wait),
            ]
            .into_iter();
            thread::scope(|scope| {
                let turn = || {
                    took_turn.send(store.now()).unwrap();
                    steps.next().unwrap()
                };
                scope.spawn(|| follow(store, store.jobs_bell(), "no", || stopping.load(Ordering::SeqCst), turn));
                // The first, the one that fails, and the one after it.
                (0..3).for_each(|_| assert_eq!(turns.recv().unwrap(), Timestamp(0)));
                store.jobs_bell().ring();
                assert_eq!(turns.recv().unwrap(), Timestamp(0));
                clock.advance(Duration::from_secs(5));
                assert_eq!(turns.recv().unwrap(), Timestamp(5_000));
                stopping.store(true, Ordering::SeqCst);
                store.jobs_bell().ring();
            });
            assert!(steps.next().is_none());
        });
    }

    #[test]
    fn a_follower_ends_by_itself() {
        with_store(|store, _| {
            let mut turns = 0;
            follow(
                store,
                store.messages_bell(),
                "no",
                || false,
                || {
                    turns += 1;
                    Ok(if turns < 3 { Next::Again } else { Next::End })
                },
            );
            assert_eq!(turns, 3);
        });
    }
}
