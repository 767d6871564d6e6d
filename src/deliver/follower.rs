//! One channel: its queue → its target.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::envelope::{Envelope, Envelopes, Parts, Read};
use super::rate::Rate;
use super::refused_keys::RefusedKeys;
use super::route::{Resting, Route};
use super::sender::{Outcome, Retry, Sender};
use crate::error::{Result, shown_up_to};
use crate::follow::{self, Next};
use crate::model::message_status::Reason;
use crate::model::row::DeliveryEntry;
use crate::outage::Outage;
use crate::retry;
use crate::store::attempts::{self, Attempt};
use crate::store::delivery_queue::{self, QueuedEntry};
use crate::store::{Lane, Store, SyncWhen, Tx, Undo, delivery_route};

/// Messages that are sent before it is written down that they were. A kill has as many sent again.
const PAGE_ENTRIES: usize = 32;
/// Memory for messages that are about to be sent, about.
const PAGE_BYTES: usize = 8 * 1024 * 1024;
/// After an attempt that failed, before the next message is tried: a target that is gone is not called over and over. Twice
/// as long after each, up to [`LONGEST_GAP`].
const SHORTEST_GAP: Duration = Duration::from_millis(10);
const LONGEST_GAP: Duration = Duration::from_millis(250);
/// Characters of an error that are kept.
const ERROR_CHARS: usize = 500;

/// What a thread is to do.
pub struct Job {
    pub sender: Arc<dyn Sender>,
    pub parts: Parts,
    pub per_second: Option<u32>,
    /// Failures one after the other that pause the channel.
    pub errors: u32,
}

struct Follower<'a> {
    store: &'a Store,
    route: &'a Route,
    job: Job,
    rate: Rate,
    is_stopping: &'a dyn Fn() -> bool,
    /// What came of attempts and could not be written down yet.
    unsettled: Vec<(QueuedEntry, Attempt)>,
    /// Failures since the last message that was taken.
    failures: u32,
    /// What the last of them was.
    last_error: String,
    /// Messages that are to be tried again.
    failing: Outage,
    /// Before the next message is tried, after one that failed.
    gap: Duration,
    keys: RefusedKeys<DeliveryEntry>,
    /// By how much the clock had been set back by which [`Resting::until`] is.
    rest_set_back_millis: i64,
    /// By how much the clock had been set back when the rows were last looked through for what has moved away.
    set_back_millis: i64,
}

/// Delivers until all stops.
pub fn follow(store: &Store, route: &Route, job: Job, is_stopping: impl Fn() -> bool) {
    let mut follower = Follower {
        store,
        route,
        rate: Rate::new(job.per_second),
        job,
        is_stopping: &is_stopping,
        unsettled: Vec::new(),
        failures: 0,
        last_error: String::new(),
        failing: Outage::of_callers(format!(
            "--deliver {}: messages are not delivered, and are tried again",
            route.name
        )),
        gap: SHORTEST_GAP,
        keys: RefusedKeys::default(),
        rest_set_back_millis: store.set_back_millis(),
        set_back_millis: store.set_back_before_millis(),
    };
    let trouble = format!("--deliver {} cannot go on", route.name);
    follow::follow(store, route.bell(), &trouble, &is_stopping, || follower.turn());
}

impl Follower<'_> {
    /// Sends some of the queue.
    fn turn(&mut self) -> Result<Next> {
        self.keep_waits()?;
        self.settle()?;
        if self.is_paused()? {
            self.failures = 0;
            self.route.set_resting(None);
            return Ok(Next::Wait);
        }
        let now = self.store.now();
        if let Some(until) = self.route.resting().map(|rest| rest.until).filter(|until| *until > now) {
            return Ok(Next::WaitUntil(until));
        }
        self.route.set_resting(None);
        if let Some(at) = self.rate.not_before(now) {
            return Ok(Next::WaitUntil(at));
        }
        // Those for which no key was refused come first, so that some that are refused hold up no others.
        let limit = PAGE_ENTRIES + self.keys.count();
        let (mut due, next) = self.store.read(|db| delivery_queue::due(db, &self.route.name, limit))?;
        if due.is_empty() {
            return Ok(Next::wait(next));
        }
        due.sort_by_key(|entry| self.keys.is_of(&entry.entry));
        due.truncate(PAGE_ENTRIES);
        let sent = self.send(due);
        self.settle()?;
        if sent? {
            self.route.bell().pause(self.gap, self.is_stopping);
            self.gap = (self.gap * 2).min(LONGEST_GAP);
        }
        Ok(Next::Again)
    }

    fn is_paused(&self) -> Result<bool> {
        self.store.read(|db| delivery_route::is_halted(db, &self.route.name))
    }

    /// Sends messages one after the other, up to the first that fails: what came of it is to be seen at once. Returns
    /// whether one has.
    fn send(&mut self, due: Vec<QueuedEntry>) -> Result<bool> {
        let mut made = self.read(&due)?;
        while let Some((entry, read)) = made.pop_front() {
            let envelope = match read.envelope() {
                Ok(envelope) => envelope,
                Err(attempt) => {
                    self.unsettled.push((entry, attempt));
                    continue;
                }
            };
            if self.rate.not_before(self.store.now()).is_some() || self.is_paused()? || (self.is_stopping)() {
                break;
            }
            self.rate.spend(self.store.now());
            let outcome = self.job.sender.send(&envelope);
            // A call that was broken off says nothing about the target.
            if (self.is_stopping)() && !matches!(outcome, Outcome::Accepted { .. }) {
                break;
            }
            if !self.note(&entry, &envelope, outcome) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The messages of entries, as many as memory is meant for.
    fn read(&self, due: &[QueuedEntry]) -> Result<VecDeque<(QueuedEntry, Read)>> {
        self.store.read(|db| {
            let mut envelopes = Envelopes::new(db, self.job.parts)?;
            let (mut made, mut bytes) = (VecDeque::with_capacity(due.len()), 0);
            for entry in due {
                let read = envelopes.read(entry)?;
                if let Read::Envelope(envelope) = &read {
                    bytes += envelope.bytes();
                }
                made.push_back((*entry, read));
                if bytes >= PAGE_BYTES {
                    break;
                }
            }
            Ok(made)
        })
    }

    /// Takes note of what came of a message. False if it was not taken.
    fn note(&mut self, entry: &QueuedEntry, envelope: &Envelope, outcome: Outcome) -> bool {
        let (reason, error, retry) = match outcome {
            Outcome::Accepted { reference } => {
                log::debug!(
                    "{} was delivered, and is {} there",
                    envelope.id,
                    reference.as_deref().unwrap_or("nameless")
                );
                (self.failures, self.gap) = (0, SHORTEST_GAP);
                self.failing.succeeded();
                self.keys.accepted();
                self.keys.forget(&entry.entry);
                self.unsettled.push((*entry, Attempt::Delivered));
                return true;
            }
            Outcome::Refused { reason, error, retry } => (reason, shown_up_to(&error, ERROR_CHARS).to_string(), retry),
        };
        let key_rest = if retry == Retry::Unauthorized { self.keys.refused(entry.entry) } else { None };
        let named = match retry {
            Retry::After(Some(rest)) => self.rest_for(rest, format!("its target asks for it: {error}")),
            _ => 0,
        };
        let wait = retry::wait_millis(entry.attempts);
        let attempt = match (key_rest, retry, wait) {
            // No try of the message: others are tried before it when the channel goes on.
            (Some(rest), ..) => {
                let name = &self.route.name;
                log::error!("--deliver {name}: it rests for {} s, for its key is refused: {error}", rest.as_secs());
                self.rest_for(rest, format!("its key is refused: {error}"));
                // The channel rests, and the message does not: a start with the right key sends it at once.
                Attempt::PutOff { error: error.clone() }
            }
            (None, Retry::Unauthorized | Retry::After(_), Some(wait)) => {
                self.failing.failed(&error);
                Attempt::Retry { error: error.clone(), after_millis: named.max(wait) }
            }
            _ => {
                self.keys.forget(&entry.entry);
                log::warn!("--deliver {}: {} is given up: {error}", self.route.name, envelope.id);
                Attempt::GivenUp { reason, error: error.clone() }
            }
        };
        // An address that there is not says nothing about the target.
        self.failures += u32::from(reason != Reason::Bounced);
        self.last_error = error;
        self.unsettled.push((*entry, attempt));
        false
    }

    /// Has the channel rest so long from now. Returns the span in milliseconds.
    fn rest_for(&mut self, span: Duration, reason: String) -> i64 {
        let millis = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        let clock = self.store.clock_reading();
        self.rest_set_back_millis = clock.set_back_millis;
        self.route.set_resting(Some(Resting { until: clock.now.after(millis), reason }));
        millis
    }

    /// Writes down what came of attempts, and that the channel pauses, if it is to.
    fn settle(&mut self) -> Result<()> {
        if self.unsettled.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.job.sender.sync() {
            // As after any other failure: what is written again and again is given up as well.
            for (entry, attempt) in self.unsettled.iter_mut().filter(|(_, it)| matches!(it, Attempt::Delivered)) {
                let error = error.clone();
                *attempt = match retry::wait_millis(entry.attempts) {
                    Some(after_millis) => Attempt::Retry { error, after_millis },
                    None => Attempt::GivenUp { reason: Reason::Failed, error },
                };
            }
        }
        let pauses = self.failures >= self.job.errors;
        let reason =
            pauses.then(|| format!("{} failures one after the other, the last: {}", self.failures, self.last_error));
        let attempts: Vec<_> = self.unsettled.iter().map(|(entry, attempt)| (entry.entry, attempt.clone())).collect();
        let (route, told) = (self.route.name.clone(), reason.clone());
        let known = self.set_back_millis;
        let settle = move |tx: &mut Tx<'_>| {
            let set_back_millis = bring_forward(tx, &route, known)?;
            attempts::write_outcomes(tx, &route, &attempts)?;
            if let Some(reason) = &told {
                delivery_route::pause(tx, &route, Some(reason))?;
            }
            Ok(set_back_millis)
        };
        // Synced at once: what a power cut undoes would be sent again.
        self.set_back_millis = self.store.submit(Lane::Behind, SyncWhen::Now, Undo::Change, settle).wait()?;
        if let Some(reason) = reason {
            let name = &self.route.name;
            log::error!(
                "--deliver {name} pauses after {reason}; PUT /_bulkd/deliver/{name} with {{\"paused\": false}} has it go on"
            );
        }
        self.unsettled.clear();
        self.route.shrunk();
        self.store.messages_bell().ring();
        Ok(())
    }

    /// Has messages wait for their next attempt as long as they should, also when the clock is set back.
    fn keep_waits(&mut self) -> Result<()> {
        let (known, set_back_millis) = (self.set_back_millis, self.store.set_back_millis());
        let by = set_back_millis - std::mem::replace(&mut self.rest_set_back_millis, set_back_millis);
        if by != 0 {
            let resting = self.route.resting();
            self.route.set_resting(resting.map(|rest| Resting { until: rest.until.after(-by), ..rest }));
        }
        if known == set_back_millis {
            return Ok(());
        }
        let route = self.route.name.clone();
        self.set_back_millis = match self.store.read(|db| delivery_queue::is_any_waiting(db, &route))? {
            true => self.store.write(move |tx| bring_forward(tx, &route, known))?,
            false => set_back_millis,
        };
        Ok(())
    }
}

/// What the clock's set-backs since those that are `known` have moved away from its time is brought forward. Returns what
/// is known then.
fn bring_forward(tx: &mut Tx<'_>, route: &str, known: i64) -> Result<i64> {
    let set_back_millis = tx.set_back_millis();
    if known != set_back_millis {
        delivery_queue::bring_forward(tx, route, set_back_millis - known)?;
    }
    Ok(set_back_millis)
}
