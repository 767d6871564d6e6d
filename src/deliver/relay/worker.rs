//! The thread of a channel of a sender: it sends what the leg holds, and writes down what came of it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::held::State;
use super::leg::{HUNGRY, Leg};
use super::link::{Answer, Link, RECONNECT_AFTER};
use super::queue::Taken;
use super::report::Report;
use crate::clock::Clock;
use crate::crash::{self, Point};
use crate::deliver::rate::Rate;
use crate::deliver::refused_keys::RefusedKeys;
use crate::deliver::sender::{Outcome, Retry};
use crate::model::message_status::Reason;
use crate::outage::Outage;
use crate::retry;

/// Outcomes that are written at once, and for how long one may wait for others.
const UNWRITTEN: usize = 32;
const WRITE_AFTER: Duration = Duration::from_millis(100);
/// Before the second try, the third, and so on; the last one repeats.
const RETRY_SECONDS: [u64; 4] = [5, 30, 120, 600];
/// After a try that failed, before the next entry is tried. Twice as long after each, up to [`LONGEST_GAP`].
const SHORTEST_GAP: Duration = Duration::from_millis(10);
const LONGEST_GAP: Duration = Duration::from_secs(5);
/// A rest that is longer than this leaves what was not yet tried to others.
const OWN_REST: Duration = Duration::from_secs(1);
/// After so many failures that the channel is given up, until one more message is tried.
const GIVEN_UP_REST: Duration = Duration::from_secs(10 * 60);
/// Before it is looked again whether what is held still is.
const UNSURE_WAIT: Duration = Duration::from_millis(50);
/// Between two looks where nothing rings.
const LONGEST_WAIT: Duration = Duration::from_millis(500);

pub struct Worker {
    leg: Arc<Leg>,
    link: Link,
    rate: Rate,
    clock: Clock,
    /// How often a message is tried.
    tries: u32,
    /// Failures one after the other with which the channel is given up.
    errors: u32,
    /// Before the next event is tried, after one that failed.
    gap: Duration,
    refused_keys: RefusedKeys<i64>,
    /// Since when there has been an outcome to write.
    unwritten_since: Option<Instant>,
    failing: Outage,
}

impl Worker {
    pub fn new(leg: Arc<Leg>, link: Link, rate: Rate, tries: u32, errors: u32) -> Self {
        let failing = Outage::of_callers(format!("--deliver {}: events are not delivered", leg.channel));
        Worker {
            leg,
            link,
            rate,
            clock: Clock::system(),
            tries,
            errors,
            gap: SHORTEST_GAP,
            refused_keys: RefusedKeys::default(),
            unwritten_since: None,
            failing,
        }
    }

    /// Sends what the leg is given until that is to stop.
    pub fn run(mut self) {
        let outage = Outage::new(format!("--deliver {}: Redis cannot be used", self.leg.channel));
        while !self.leg.is_stopping() {
            let heard = self.leg.bell.rung();
            match self.turn() {
                Ok(wait) => {
                    outage.succeeded();
                    if !wait.is_zero() {
                        self.leg.bell.wait(heard, wait);
                    }
                }
                Err(error) => {
                    outage.failed(self.link.failed(&error));
                    self.pause(RECONNECT_AFTER);
                }
            }
        }
        if let Err(error) = self.write() {
            outage.failed(self.link.failed(&error));
        }
    }

    /// Waits so long, unless all stops.
    fn pause(&self, span: Duration) {
        self.leg.bell.pause(span, || self.leg.is_stopping());
    }

    /// One step: an event is sent, or what was sent is written down. Returns how long there is nothing to do.
    fn turn(&mut self) -> Answer<Duration> {
        let now = Instant::now();
        let (unwritten, resting_until) = {
            let shared = self.leg.shared();
            (shared.queue.over(), shared.resting_until)
        };
        if unwritten >= UNWRITTEN || self.unwritten_since.is_some_and(|since| now - since >= WRITE_AFTER) {
            self.write()?;
        }
        let rests_for = resting_until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now));
        if !rests_for.is_zero() {
            self.write()?;
            self.leave_rest()?;
            return Ok(rests_for.min(LONGEST_WAIT));
        }
        // Such as after the process was stopped for a while: what is held may be others' by now.
        if !self.leg.group.is_sure(now) {
            self.write()?;
            return Ok(UNSURE_WAIT);
        }
        let at = self.clock.now();
        let free_at = self.rate.not_before(at);
        self.leg.shared().is_paced = free_at.is_some();
        if let Some(free_at) = free_at {
            self.write()?;
            return Ok(self.clock.until(free_at).min(LONGEST_WAIT));
        }
        let Some(taken) = self.pick(now) else {
            self.leg.room.ring();
            self.write()?;
            let next_try = self.leg.shared().queue.next_try(now).unwrap_or(LONGEST_WAIT);
            return Ok(next_try.clamp(Duration::from_millis(1), LONGEST_WAIT));
        };
        self.rate.spend(at);
        let outcome = self.leg.sender.send(&taken.envelope);
        crash::point(Point::RelaySent);
        self.note(taken, outcome)
    }

    /// The next event whose time has come; first one for which no key was refused.
    fn pick(&mut self, now: Instant) -> Option<Taken> {
        let mut shared = self.leg.shared();
        let taken = shared.queue.pick(now, |held| self.refused_keys.is_of(&held.entry))?;
        let has_room = shared.queue.unsent() < HUNGRY;
        drop(shared);
        if has_room {
            self.leg.room.ring();
        }
        Some(taken)
    }

    /// Takes note of what came of an event. Returns how long nothing is to be sent.
    fn note(&mut self, taken: Taken, outcome: Outcome) -> Answer<Duration> {
        let (reason, error, retry) = match outcome {
            Outcome::Accepted { reference } => {
                self.gap = SHORTEST_GAP;
                self.refused_keys.accepted();
                self.failing.succeeded();
                {
                    let mut shared = self.leg.shared();
                    (shared.failures, shared.accepted_at) = (0, Some(Instant::now()));
                }
                self.end(&taken, Report::accepted(taken.entry, &taken.envelope.id, reference), false);
                return Ok(Duration::ZERO);
            }
            // A call that was broken off says nothing: the event waits as before.
            Outcome::Refused { .. } if self.leg.is_stopping() => {
                self.put_back(&taken);
                return Ok(Duration::ZERO);
            }
            Outcome::Refused { reason, error, retry } => (reason, error, retry),
        };
        let mut noted = Ok(());
        let rest = match retry {
            Retry::Unauthorized => match self.refused_keys.refused(taken.entry) {
                Some(rest) => {
                    log::error!(
                        "--deliver {}: it rests for {} s, for its key is refused: {error}",
                        self.leg.channel,
                        rest.as_secs()
                    );
                    self.put_back(&taken);
                    Some(rest)
                }
                None => {
                    noted = self.try_again(&taken, (reason, &error), None);
                    None
                }
            },
            Retry::After(named) => {
                noted = self.try_again(&taken, (reason, &error), named);
                named
            }
            Retry::Never => {
                let report = Report::refused(taken.entry, &taken.envelope.id, Some(reason.name().to_owned()), &error);
                self.end(&taken, report, false);
                None
            }
        };
        // An address that there is not says nothing about the target; all else may be a wrong one.
        if reason != Reason::Bounced {
            self.failing.failed(&error);
            let mut shared = self.leg.shared();
            shared.failures += 1;
            shared.last_error = error;
        }
        let is_given_up = self.leg.shared().failures >= self.errors;
        let rest = if is_given_up { Some(rest.unwrap_or_default().max(GIVEN_UP_REST)) } else { rest };
        match rest.filter(|rest| *rest > OWN_REST) {
            Some(rest) => {
                self.leg.shared().resting_until = Some(Instant::now() + rest);
                self.leg.room.ring();
            }
            None if reason != Reason::Bounced || rest.is_some() => {
                self.pause(self.gap.max(rest.unwrap_or_default()));
                self.gap = (self.gap * 2).min(LONGEST_GAP);
            }
            None => {}
        }
        noted.map(|()| Duration::ZERO)
    }

    /// An event has come to an end, which is still to be written down.
    fn end(&mut self, taken: &Taken, report: Report, is_dead: bool) {
        self.refused_keys.forget(&taken.entry);
        self.leg.shared().queue.end(&taken.id, report, is_dead);
        self.unwritten_since.get_or_insert_with(Instant::now);
    }

    /// Has an event wait as before.
    fn put_back(&self, taken: &Taken) {
        self.leg.shared().queue.put_back(&taken.id, None, taken.failed_tries);
    }

    /// Has an event whose try has failed tried once more, or given up after so many.
    fn try_again(&mut self, taken: &Taken, failed: (Reason, &str), named: Option<Duration>) -> Answer<()> {
        let mut note = redis::pipe();
        self.plan_again(taken, failed, named, &mut note);
        self.link.tell(&note)
    }

    /// The same here alone. What Redis is to know of it is left in `note`.
    fn plan_again(
        &mut self,
        taken: &Taken,
        (reason, error): (Reason, &str),
        named: Option<Duration>,
        note: &mut redis::Pipeline,
    ) {
        let failed_tries = taken.failed_tries.saturating_add(1);
        if failed_tries >= self.tries {
            let why = format!("given up after {failed_tries} tries: {error}");
            let report = Report::refused(taken.entry, &taken.envelope.id, Some(reason.name().to_owned()), &why);
            if let Some(held) = self.leg.shared().queue.find(&taken.id) {
                held.failed_tries = failed_tries;
            }
            self.end(taken, report, true);
            return;
        }
        let wait = retry::step(&RETRY_SECONDS, (failed_tries as usize).saturating_sub(1));
        let due = Instant::now() + wait.max(named.unwrap_or_default());
        let mut shared = self.leg.shared();
        shared.queue.put_back(&taken.id, Some(due), failed_tries);
        if let Some(held) = shared.queue.find(&taken.id) {
            self.leg.group.note_tries(note, held);
        }
    }

    /// Leaves what was not yet tried to others that deliver the channel, and to itself after its rest. A channel that is given
    /// up leaves all.
    fn leave_rest(&mut self) -> Answer<()> {
        let mut commands = redis::pipe();
        let mut left = Vec::new();
        {
            let shared = self.leg.shared();
            let leaves_all = shared.failures >= self.errors;
            for held in shared.queue.iter() {
                let is_left = match held.state {
                    State::Waiting(due) => due.is_none() || leaves_all,
                    _ => false,
                };
                if is_left {
                    self.leg.group.hand_on(&mut commands, held, Some(&self.leg.channel));
                    left.push(held.id.clone());
                }
            }
        }
        if left.is_empty() {
            return Ok(());
        }
        self.link.ask_all::<()>(&commands)?;
        self.leg.shared().queue.remove(&left);
        self.leg.has_left.store(true, Ordering::SeqCst);
        Ok(())
    }

    /// Has what cannot be made sure of sent again, as after any other failure: it may be lost with the machine.
    fn make_sure(&mut self) -> Answer<()> {
        let Err(error) = self.leg.sender.sync() else { return Ok(()) };
        self.failing.failed(&error);
        let taken = self.leg.shared().queue.take_back_accepted();
        // All of them, before a Redis that is gone can come between: a lost write is told once.
        let mut note = redis::pipe();
        for taken in &taken {
            self.plan_again(taken, (Reason::Failed, &error), None, &mut note);
        }
        self.link.tell(&note)
    }

    /// Writes down what came of what was sent. That, the acknowledgement and the removal happen together or not at all.
    fn write(&mut self) -> Answer<()> {
        if self.unwritten_since.is_none() {
            return Ok(());
        }
        self.make_sure()?;
        let mut outcomes = self.leg.group.outcomes();
        let mut written = Vec::new();
        for held in self.leg.shared().queue.iter() {
            let State::Over { report, is_dead } = &held.state else { continue };
            if *is_dead {
                let error = report.error().unwrap_or_default();
                outcomes.add_dead_letter(held.entry, held.failed_tries, error, &held.event);
            }
            outcomes.add(&held.id, Some(report));
            written.push(held.id.clone());
        }
        if !written.is_empty() {
            self.link.ask::<()>(&outcomes.command())?;
            crash::point(Point::RelayWritten);
            self.leg.shared().queue.remove(&written);
        }
        self.unwritten_since = None;
        Ok(())
    }
}
