//! What a channel of a sender has in its hands: events that wait, that are being sent, and whose outcome is to be written.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::held::{Held, HeldIds, State};
use super::report::Report;
use crate::deliver::envelope::Envelope;

/// A send that has lasted for so long counts as lost, and others may send the event: such as into a pipe that is not read.
const LONGEST_SEND: Duration = Duration::from_secs(5 * 60);

#[derive(Default)]
pub struct Queue {
    held: Vec<Held>,
}

/// An event that is being sent.
pub struct Taken {
    pub id: String,
    pub entry: i64,
    pub failed_tries: u32,
    pub envelope: Arc<Envelope>,
}

impl Taken {
    fn of(held: &Held) -> Self {
        let Held { id, entry, envelope, failed_tries, .. } = held;
        Taken { id: id.clone(), entry: *entry, failed_tries: *failed_tries, envelope: envelope.clone() }
    }
}

impl Queue {
    pub fn iter(&self) -> impl Iterator<Item = &Held> {
        self.held.iter()
    }

    pub fn push(&mut self, held: Held) {
        self.held.push(held);
    }

    pub fn find(&mut self, id: &str) -> Option<&mut Held> {
        self.held.iter_mut().find(|held| held.id == id)
    }

    /// Lets go of these.
    pub fn remove(&mut self, ids: &[String]) {
        self.held.retain(|held| !ids.contains(&held.id));
    }

    /// Events that are yet to be sent for the first time.
    pub fn unsent(&self) -> usize {
        self.held.iter().filter(|held| matches!(held.state, State::Waiting(None))).count()
    }

    /// Events that wait for another try.
    pub fn tried(&self) -> usize {
        self.held.iter().filter(|held| matches!(held.state, State::Waiting(Some(_)))).count()
    }

    /// Events whose outcome is to be written.
    pub fn over(&self) -> usize {
        self.held.iter().filter(|held| held.is_over()).count()
    }

    /// Whether one is being sent, or may be at any time.
    pub fn is_any_at_work(&self) -> bool {
        self.held.iter().any(|held| matches!(held.state, State::Sending(_) | State::Waiting(None)))
    }

    /// Takes the next event whose time has come, first one of which this is false.
    pub fn pick(&mut self, now: Instant, comes_last: impl Fn(&Held) -> bool) -> Option<Taken> {
        let held = self.held.iter_mut().filter(|held| held.is_ready(now)).min_by_key(|held| comes_last(held))?;
        held.state = State::Sending(now);
        Some(Taken::of(held))
    }

    /// How long it is until the next try, if one is planned.
    pub fn next_try(&self, now: Instant) -> Option<Duration> {
        let dues = self.held.iter().filter_map(|held| match held.state {
            State::Waiting(Some(due)) => Some(due.saturating_duration_since(now)),
            _ => None,
        });
        dues.min()
    }

    /// Has an event wait again, unless others have it by now.
    pub fn put_back(&mut self, id: &str, due: Option<Instant>, failed_tries: u32) {
        self.held.retain(|held| held.id != id || !held.is_lost);
        if let Some(held) = self.find(id) {
            (held.state, held.failed_tries) = (State::Waiting(due), failed_tries);
        }
    }

    /// An event has come to an end. What others have by now, and was not accepted here, they bring to one.
    pub fn end(&mut self, id: &str, report: Report, is_dead: bool) {
        self.held.retain(|held| held.id != id || !held.is_lost || report.error().is_none());
        if let Some(held) = self.find(id) {
            held.state = State::Over { report, is_dead };
        }
    }

    /// What was accepted was not, for all that is known: it is returned, but for what others have taken over and send.
    pub fn take_back_accepted(&mut self) -> Vec<Taken> {
        let is_accepted = |held: &Held| matches!(&held.state, State::Over { report, .. } if report.error().is_none());
        self.held.retain(|held| !held.is_lost || !is_accepted(held));
        self.held.iter().filter(|held| is_accepted(held)).map(Taken::of).collect()
    }

    pub fn add_ids(&self, into: &mut HeldIds) {
        for held in &self.held {
            let is_stuck = matches!(held.state, State::Sending(since) if since.elapsed() > LONGEST_SEND);
            if is_stuck { &mut into.stuck } else { &mut into.at_work }.insert(held.id.clone());
        }
    }

    /// Lets go of those that others have taken over. What is being sent cannot be taken back: should it fail, then it is
    /// theirs.
    pub fn lose(&mut self, is_lost: impl Fn(&str) -> bool) {
        self.held.retain(|held| !is_lost(&held.id) || !matches!(held.state, State::Waiting(_)));
        self.held.iter_mut().filter(|held| is_lost(&held.id)).for_each(|held| held.is_lost = true);
    }

    /// Takes out what waits and is not others'.
    pub fn drain_waiting(&mut self) -> Vec<Held> {
        let is_waiting = |held: &Held| matches!(held.state, State::Waiting(_)) && !held.is_lost;
        let (waiting, kept) = std::mem::take(&mut self.held).into_iter().partition(is_waiting);
        self.held = kept;
        waiting
    }
}
