//! One channel of a sender. A thread of its own sends what it holds and writes down what came of it, so that one channel
//! holds up no other: each has its own rate, failures and rests.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::held::{Group, Held, State};
use super::link::{Answer, Link};
use super::report::Report;
use crate::clock::Clock;
use crate::crash::{self, Point};
use crate::deliver::envelope::Envelope;
use crate::deliver::rate::Rate;
use crate::deliver::refused_keys::RefusedKeys;
use crate::deliver::sender::{Outcome, Retry, Sender};
use crate::model::message_status::Reason;
use crate::outage::Outage;
use crate::retry;
use crate::store::Bell;

/// Outcomes that are written at once, and for how long one may wait for others.
const UNWRITTEN: usize = 32;
const WRITE_AFTER: Duration = Duration::from_millis(100);
/// With fewer entries that are yet to be sent it wants more, and with so many it takes no more.
const HUNGRY: usize = 16;
const UNSENT: usize = 64;
/// Entries that wait for their next try, at most: with more of them nothing new is taken.
const TRIED: usize = 1_000;
/// Before the second try, the third, and so on; the last one repeats.
const RETRY_SECONDS: [u64; 4] = [5, 30, 120, 600];
/// After a try that failed, before the next entry is tried. Twice as long after each, up to [`LONGEST_GAP`].
const SHORTEST_GAP: Duration = Duration::from_millis(10);
const LONGEST_GAP: Duration = Duration::from_secs(5);
/// A rest that is longer than this leaves what was not yet tried to others.
const OWN_REST: Duration = Duration::from_secs(1);
/// After so many failures that the channel is given up, until one more message is tried.
const GIVEN_UP_REST: Duration = Duration::from_secs(10 * 60);
/// Who has sent something so lately is at work.
const AT_WORK: Duration = Duration::from_secs(10);
/// Before Redis is tried again.
const RECONNECT_AFTER: Duration = Duration::from_secs(1);
/// Before it is looked again whether what is held still is.
const UNSURE_WAIT: Duration = Duration::from_millis(50);
/// Between two looks where nothing rings.
const LONGEST_WAIT: Duration = Duration::from_millis(500);
/// A send that has lasted for so long counts as lost, and others may send the event: such as into a pipe that is not read.
const LONGEST_SEND: Duration = Duration::from_secs(5 * 60);

/// A channel, as all threads of a sender see it.
pub struct Leg {
    pub channel: String,
    sender: Arc<dyn Sender>,
    group: Arc<Group>,
    shared: Mutex<Shared>,
    /// Whether some of the channel is in the group under its name, for the sender that comes first.
    pub has_left: AtomicBool,
    stopping: AtomicBool,
    /// Rings for its thread: it was given something, or is to stop.
    bell: Bell,
    /// Rings for the one that gives: there is room.
    room: Bell,
}

#[derive(Default)]
struct Shared {
    held: Vec<Held>,
    resting_until: Option<Instant>,
    /// Failures since the last message that was accepted.
    failures: u32,
    last_error: String,
    accepted_at: Option<Instant>,
    /// Whether its rate has it wait.
    is_paced: bool,
}

/// What a leg's thread has for itself.
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

/// What is held, for the group to know of it.
#[derive(Default)]
pub struct Ids {
    /// What its sender is at, or will be.
    pub at_work: HashSet<String>,
    /// What has been sent for so long that it counts as lost.
    pub stuck: HashSet<String>,
}

impl Ids {
    fn has(&self, id: &str) -> bool {
        self.at_work.contains(id) || self.stuck.contains(id)
    }
}

impl Leg {
    pub fn new(channel: String, sender: Arc<dyn Sender>, group: Arc<Group>, room: Bell) -> Self {
        Leg {
            channel,
            sender,
            group,
            shared: Mutex::default(),
            has_left: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            bell: Bell::default(),
            room,
        }
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// Has its thread end, and breaks off what it is sending, as far as that can be.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.sender.stop();
        self.bell.ring();
    }

    /// Whether it is to be given more: it neither rests nor has much to do.
    pub fn is_hungry(&self) -> bool {
        let shared = self.shared();
        !shared.is_resting() && shared.unsent() < HUNGRY && shared.tried() < TRIED
    }

    /// Whether it has enough, and may have room in a moment.
    pub fn is_busy(&self) -> bool {
        let shared = self.shared();
        !shared.is_resting() && !shared.is_paced && shared.unsent() >= HUNGRY
    }

    /// Whether some of it was left to others, of which it may soon take more.
    pub fn may_take_left(&self) -> bool {
        self.has_left.load(Ordering::SeqCst) && !self.shared().is_resting()
    }

    /// Takes an entry, unless it rests or has enough. Then the entry comes back.
    pub fn take(&self, entry: Held) -> Option<Held> {
        let mut shared = self.shared();
        // What has failed before has to wait somewhere.
        if shared.is_resting() || shared.unsent() >= UNSENT || shared.tried() >= TRIED {
            return Some(entry);
        }
        shared.held.push(entry);
        drop(shared);
        self.bell.ring();
        None
    }

    pub fn ids(&self, into: &mut Ids) {
        for held in &self.shared().held {
            let is_stuck = matches!(held.state, State::Sending(since) if since.elapsed() > LONGEST_SEND);
            if is_stuck { &mut into.stuck } else { &mut into.at_work }.insert(held.id.clone());
        }
    }

    /// Lets go of those of these that others have taken over: all but those that the group has under the sender's name.
    pub fn lose(&self, asked: &Ids, own: &HashSet<String>) {
        let is_lost = |held: &Held| asked.has(&held.id) && !own.contains(&held.id);
        let mut shared = self.shared();
        shared.held.retain(|held| !is_lost(held) || !matches!(held.state, State::Waiting(_)));
        // What is being sent cannot be taken back; should it fail, then it is theirs.
        shared.held.iter_mut().filter(|held| is_lost(held)).for_each(|held| held.is_lost = true);
    }

    /// Why it is given up, if it is.
    pub fn given_up(&self, errors: u32) -> Option<String> {
        let shared = self.shared();
        (shared.failures >= errors).then(|| {
            format!(
                "{}: {} failures one after the other, the last: {}",
                self.channel, shared.failures, shared.last_error
            )
        })
    }

    /// Whether it has something to send, or has just sent something.
    pub fn is_at_work(&self) -> bool {
        let shared = self.shared();
        let is_sending = |held: &Held| matches!(held.state, State::Sending(_) | State::Waiting(None));
        shared.accepted_at.is_some_and(|at| at.elapsed() < AT_WORK) || shared.held.iter().any(is_sending)
    }

    /// What it still holds, and has not begun to send, once its thread has ended.
    pub fn drain(&self) -> Vec<Held> {
        let mut shared = self.shared();
        let (rest, kept) = std::mem::take(&mut shared.held)
            .into_iter()
            .partition(|held| matches!(held.state, State::Waiting(_)) && !held.is_lost);
        shared.held = kept;
        rest
    }
}

impl Shared {
    fn is_resting(&self) -> bool {
        self.resting_until.is_some_and(|until| until > Instant::now())
    }

    /// Entries that are yet to be sent for the first time.
    fn unsent(&self) -> usize {
        self.held.iter().filter(|held| matches!(held.state, State::Waiting(None))).count()
    }

    /// Entries that wait for another try.
    fn tried(&self) -> usize {
        self.held.iter().filter(|held| matches!(held.state, State::Waiting(Some(_)))).count()
    }

    fn find(&mut self, id: &str) -> Option<&mut Held> {
        self.held.iter_mut().find(|held| held.id == id)
    }
}

/// What is sent next.
struct Taken {
    id: String,
    entry: i64,
    failures: u32,
    envelope: Arc<Envelope>,
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
        let outage = Outage::new(format!("--deliver {}: {} cannot be used", self.leg.channel, self.link.place()));
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
            (shared.held.iter().filter(|held| held.is_over()).count(), shared.resting_until)
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
            return Ok(self.next_due(now));
        };
        self.rate.spend(at);
        let outcome = self.leg.sender.send(&taken.envelope);
        crash::point(Point::RelaySent);
        self.note(taken, outcome)
    }

    /// The next entry whose time has come; first one for which no key was refused.
    fn pick(&mut self, now: Instant) -> Option<Taken> {
        let mut shared = self.leg.shared();
        let ready = shared.held.iter_mut().filter(|held| held.is_ready(now));
        let held = ready.min_by_key(|held| self.refused_keys.is_of(&held.entry))?;
        held.state = State::Sending(now);
        let envelope = held.envelope.clone();
        let taken = Taken { id: held.id.clone(), entry: held.entry, failures: held.failures, envelope };
        let has_room = shared.unsent() < HUNGRY;
        drop(shared);
        if has_room {
            self.leg.room.ring();
        }
        Some(taken)
    }

    fn next_due(&self, now: Instant) -> Duration {
        let shared = self.leg.shared();
        let dues = shared.held.iter().filter_map(|held| match held.state {
            State::Waiting(Some(due)) => Some(due.saturating_duration_since(now)),
            _ => None,
        });
        dues.min().unwrap_or(LONGEST_WAIT).clamp(Duration::from_millis(1), LONGEST_WAIT)
    }

    /// Takes note of what came of an event. Returns how long nothing is to be sent.
    fn note(&mut self, taken: Taken, outcome: Outcome) -> Answer<Duration> {
        let Taken { id, entry, failures, envelope } = taken;
        let (reason, error, retry) = match outcome {
            Outcome::Accepted { reference } => {
                self.gap = SHORTEST_GAP;
                self.refused_keys.accepted();
                self.failing.succeeded();
                {
                    let mut shared = self.leg.shared();
                    (shared.failures, shared.accepted_at) = (0, Some(Instant::now()));
                }
                self.is_over(&id, entry, Report::accepted(entry, &envelope.id, reference), false);
                return Ok(Duration::ZERO);
            }
            // A call that was broken off says nothing: the event waits as before.
            Outcome::Refused { .. } if self.leg.is_stopping() => {
                self.put_back(&id, None, failures);
                return Ok(Duration::ZERO);
            }
            Outcome::Refused { reason, error, retry } => (reason, error, retry),
        };
        let mut noted = Ok(());
        let rest = match retry {
            Retry::Unauthorized => match self.refused_keys.refused(entry) {
                Some(rest) => {
                    log::error!(
                        "--deliver {}: it rests for {} s, for its key is refused: {error}",
                        self.leg.channel,
                        rest.as_secs()
                    );
                    self.put_back(&id, None, failures);
                    Some(rest)
                }
                None => {
                    noted = self.try_again(&id, entry, failures + 1, &envelope, (reason, &error), None);
                    None
                }
            },
            Retry::After(named) => {
                noted = self.try_again(&id, entry, failures + 1, &envelope, (reason, &error), named);
                named
            }
            Retry::Never => {
                let report = Report::refused(entry, &envelope.id, Some(reason.name().to_owned()), &error);
                self.is_over(&id, entry, report, false);
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
    fn is_over(&mut self, id: &str, entry: i64, report: Report, is_dead: bool) {
        self.refused_keys.forget(&entry);
        let mut shared = self.leg.shared();
        // What others have by now, and was not accepted here, they bring to an end.
        shared.held.retain(|held| held.id != id || !held.is_lost || report.error().is_none());
        if let Some(held) = shared.find(id) {
            held.state = State::Over { report, is_dead };
        }
        drop(shared);
        self.unwritten_since.get_or_insert_with(Instant::now);
    }

    /// Has an event wait again, unless others have it by now.
    fn put_back(&self, id: &str, due: Option<Instant>, failures: u32) {
        let mut shared = self.leg.shared();
        shared.held.retain(|held| held.id != id || !held.is_lost);
        if let Some(held) = shared.find(id) {
            (held.state, held.failures) = (State::Waiting(due), failures);
        }
    }

    /// Has an event tried once more, or given up after so many failures.
    fn try_again(
        &mut self,
        id: &str,
        entry: i64,
        failures: u32,
        envelope: &Envelope,
        (reason, error): (Reason, &str),
        named: Option<Duration>,
    ) -> Answer<()> {
        if failures >= self.tries {
            let why = format!("given up after {failures} tries: {error}");
            let report = Report::refused(entry, &envelope.id, Some(reason.name().to_owned()), &why);
            if let Some(held) = self.leg.shared().find(id) {
                held.failures = failures;
            }
            self.is_over(id, entry, report, true);
            return Ok(());
        }
        let wait = retry::step(&RETRY_SECONDS, (failures as usize).saturating_sub(1)).max(named.unwrap_or_default());
        self.put_back(id, Some(Instant::now() + wait), failures);
        let mut note = redis::pipe();
        if let Some(held) = self.leg.shared().find(id) {
            self.leg.group.note_failures(&mut note, held);
        }
        if note.is_empty() { Ok(()) } else { self.link.ask_all(&note) }
    }

    /// Leaves what was not yet tried to others that deliver the channel, and to itself after its rest. A channel that is given
    /// up leaves all.
    fn leave_rest(&mut self) -> Answer<()> {
        let mut commands = redis::pipe();
        let mut left = Vec::new();
        {
            let shared = self.leg.shared();
            let leaves_all = shared.failures >= self.errors;
            for held in &shared.held {
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
        self.leg.shared().held.retain(|held| !left.contains(&held.id));
        self.leg.has_left.store(true, Ordering::SeqCst);
        Ok(())
    }

    /// Has what cannot be made sure of sent again: it may be lost with the machine.
    fn make_sure(&mut self) {
        let Err(error) = self.leg.sender.sync() else { return };
        self.failing.failed(error);
        let again = Instant::now() + retry::step(&RETRY_SECONDS, 0);
        let is_accepted = |held: &Held| matches!(&held.state, State::Over { report, .. } if report.error().is_none());
        let mut shared = self.leg.shared();
        // What others have by now they send.
        shared.held.retain(|held| !held.is_lost || !is_accepted(held));
        for held in shared.held.iter_mut().filter(|held| is_accepted(held)) {
            held.state = State::Waiting(Some(again));
        }
    }

    /// Writes down what came of what was sent. That, the acknowledgement and the removal happen together or not at all.
    fn write(&mut self) -> Answer<()> {
        if self.unwritten_since.is_none() {
            return Ok(());
        }
        self.make_sure();
        let mut outcomes = self.leg.group.outcomes();
        let mut written = Vec::new();
        for held in &self.leg.shared().held {
            let State::Over { report, is_dead } = &held.state else { continue };
            if *is_dead {
                let error = report.error().unwrap_or_default();
                outcomes.add_dead_letter(held.entry, held.failures, error, &held.event);
            }
            outcomes.add(&held.id, Some(report));
            written.push(held.id.clone());
        }
        if !written.is_empty() {
            self.link.ask::<()>(&outcomes.command())?;
            crash::point(Point::RelayWritten);
            self.leg.shared().held.retain(|held| !written.contains(&held.id));
        }
        self.unwritten_since = None;
        Ok(())
    }
}
