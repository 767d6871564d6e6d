//! `bulkd deliver`: a sender on any machine. It takes events from the stream of a file's outbox, delivers them, and writes
//! what came of them into the stream of statuses.
//!
//! Outcome, acknowledgement and removal are one transaction in Redis. Between a provider's answer and that transaction
//! lies what may be sent twice: [`UNWRITTEN`] events at most.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::held::{Group, Held, MOST, State, TAKEN_AT_ONCE};
use super::keys::{EVENT, Keys, is_tag};
use super::link::{Answer, Link};
use super::report::Report;
use crate::clock::Clock;
use crate::crash::{self, Point};
use crate::deliver::command::{Outlet, Settings};
use crate::deliver::envelope::Envelope;
use crate::deliver::sender::{Outcome, Retry};
use crate::error::{Error, Result, shown_up_to};
use crate::model::message_status::Reason;
use crate::outage::Outage;
use crate::output::LineOutput;

/// Outcomes that are written at once, and for how long one may wait for others.
const UNWRITTEN: usize = 32;
const WRITE_AFTER: Duration = Duration::from_millis(100);
/// Before the second try, the third, and so on; the last one repeats.
const RETRY_SECONDS: [u64; 4] = [5, 30, 120, 600];
/// After a try that failed, before the next entry is tried. Twice as long after each, up to [`LONGEST_REST`].
const SHORTEST_REST: Duration = Duration::from_millis(10);
const LONGEST_REST: Duration = Duration::from_secs(5);
/// How long Redis waits for new entries: a stop waits as long.
const LONGEST_BLOCK: Duration = Duration::from_millis(500);
/// Before Redis is tried again.
const RECONNECT_AFTER: Duration = Duration::from_secs(1);
/// Dead letters that are kept, about.
const DEAD_LETTERS: usize = 100_000;

struct Remote {
    link: Link,
    group: Group,
    outlets: Vec<Outlet>,
    clock: Clock,
    tries: u32,
    /// Failures since the last message that was taken, and how many of them end it.
    failures: u32,
    errors: u32,
    held: Vec<Held>,
    /// When the group was last told that all of it is still at work on.
    touched: Option<Instant>,
    /// When what others have left was last looked for.
    looked: Option<Instant>,
    /// Since when there has been an outcome to write.
    unwritten_since: Option<Instant>,
    rest: Duration,
    failing: Outage,
    not_ours: Outage,
    stopped: Receiver<()>,
}

/// Delivers until `stopped` says so.
pub fn run(settings: Settings, out: &LineOutput, stopped: &Receiver<()>) -> Result<()> {
    let mut link = Link::new("--from", &settings.from)?;
    let tag = match settings.tag {
        Some(tag) if is_tag(&tag) => tag,
        Some(_) => {
            return Err(Error::startup("--tag: expected the 12 hex digits that are in the ids of the file's messages"));
        }
        None => the_only_tag(&mut link)?,
    };
    let group = Group { keys: Keys::of(&tag), name: settings.name, claim_after: settings.claim_after };
    group.create(&mut link).map_err(|error| link.failed(&error))?;
    out.say(format_args!("bulkd delivers what is in {} at {}, as {}", group.keys.outbox, link.place(), group.name));
    settings.shown.iter().for_each(|line| out.say(format_args!("  {line}")));
    let trouble = format!("{} cannot be used", link.place());
    let mut remote = Remote {
        link,
        group,
        outlets: settings.outlets,
        clock: Clock::system(),
        tries: settings.tries,
        failures: 0,
        errors: settings.errors,
        held: Vec::new(),
        touched: None,
        looked: None,
        unwritten_since: None,
        rest: SHORTEST_REST,
        failing: Outage::of_callers("events are not delivered"),
        not_ours: Outage::of_callers("events are left to other senders"),
        stopped: stopped.clone(),
    };
    let outage = Outage::new(trouble);
    while !remote.is_stopped(Duration::ZERO) && remote.failures < remote.errors {
        match remote.turn() {
            Ok(()) => outage.succeeded(),
            Err(error) if error.code() == Some("NOGROUP") => {
                // Redis has lost it, and what it knew of who has what.
                if let Err(error) = remote.group.create(&mut remote.link) {
                    outage.failed(remote.link.failed(&error));
                }
                remote.touched = None;
                remote.is_stopped(SHORTEST_REST);
            }
            Err(error) => {
                outage.failed(remote.link.failed(&error));
                remote.touched = None;
                remote.is_stopped(RECONNECT_AFTER);
            }
        }
    }
    remote.stop().map_err(|error| remote.link.failed(&error))?;
    match remote.failures >= remote.errors {
        true => Err(Error::startup(format!(
            "{} failures one after the other: what was taken is handed on, and this sender ends",
            remote.failures
        ))),
        false => Ok(()),
    }
}

/// The file whose outbox is there, if there is only one.
fn the_only_tag(link: &mut Link) -> Result<String> {
    let (mut cursor, mut tags) = ("0".to_owned(), Vec::new());
    loop {
        let mut scan = redis::cmd("SCAN");
        scan.arg(&cursor).arg("MATCH").arg("bulkd:*:outbox").arg("COUNT").arg(1_000);
        let (next, keys): (String, Vec<String>) = link.ask(&scan).map_err(|error| link.failed(&error))?;
        tags.extend(keys.iter().filter_map(|key| Keys::tag(key)).map(str::to_owned));
        cursor = next;
        if cursor == "0" {
            break;
        }
    }
    tags.sort();
    tags.dedup();
    match tags.as_slice() {
        [tag] => Ok(tag.clone()),
        [] => Err(Error::startup(format!(
            "{} has no outbox of a bulkd yet; start one with --relay, or say with --tag which one is to come",
            link.place()
        ))),
        several => Err(Error::startup(format!(
            "{} has the outboxes of several files; say with --tag which one: {}",
            link.place(),
            shown_up_to(&several.join(", "), 400)
        ))),
    }
}

fn outlet_of<'a>(outlets: &'a mut [Outlet], envelope: &Envelope) -> Option<&'a mut Outlet> {
    outlets.iter_mut().find(|outlet| outlet.channel == envelope.data.channel)
}

impl Remote {
    /// Waits so long, unless it is to stop.
    fn is_stopped(&self, wait: Duration) -> bool {
        !matches!(self.stopped.recv_timeout(wait), Err(RecvTimeoutError::Timeout))
    }

    /// One step: an event is sent, or something to send is looked for.
    fn turn(&mut self) -> Answer<()> {
        let now = Instant::now();
        if self.touched.is_none_or(|at| now - at >= self.group.claim_after / 3) {
            self.touch(now)?;
        }
        let is_due = self.held.iter().filter(|held| held.is_over()).count() >= UNWRITTEN
            || self.unwritten_since.is_some_and(|since| now - since >= WRITE_AFTER);
        if is_due {
            self.write()?;
        }
        let at = self.clock.now();
        let mut free_at = None;
        let place = self.held.iter().position(|held| {
            // What could not be read, or has no outlet here, is not held to be sent.
            let outlet = held.envelope.as_ref().ok().and_then(|it| outlet_of(&mut self.outlets, it));
            let Some(outlet) = outlet.filter(|_| held.is_ready(now)) else { return false };
            let not_before = outlet.rate.not_before(at);
            free_at = free_at.into_iter().chain(not_before).min();
            not_before.is_none()
        });
        if let Some(place) = place {
            return self.deliver(place);
        }
        self.write()?;
        match free_at {
            // It takes no more than it may send.
            Some(free_at) => {
                self.is_stopped(self.clock.until(free_at).min(self.group.claim_after / 4));
                Ok(())
            }
            None => self.take(now),
        }
    }

    /// Has the group know that all that is held is still at work on, and lets go of what others have taken over meanwhile.
    fn touch(&mut self, now: Instant) -> Answer<()> {
        let known: HashSet<&str> = self.held.iter().map(|held| held.id.as_str()).collect();
        let (own, found) = self.group.touch(&mut self.link, &known)?;
        self.held.retain(|held| held.is_over() || own.contains(&held.id));
        self.touched = Some(now);
        self.add(found)
    }

    /// Takes what others have left, or what is new, for which it waits.
    fn take(&mut self, now: Instant) -> Answer<()> {
        let room = MOST.saturating_sub(self.held.len());
        if room > 0 && self.looked.is_none_or(|at| now - at >= self.group.claim_after.min(Duration::from_secs(10)) / 4)
        {
            let delivers = |channel: &str| self.outlets.iter().any(|outlet| outlet.channel == channel);
            let found = self.group.claim_left(&mut self.link, delivers, room.min(TAKEN_AT_ONCE))?;
            if !found.is_empty() {
                // There may be more.
                return self.add(found);
            }
            self.looked = Some(now);
        }
        let next = |held: &Held| match held.state {
            State::Waiting(Some(due)) => Some(due.saturating_duration_since(now)),
            _ => None,
        };
        let wait = self.held.iter().filter_map(next).min().unwrap_or(LONGEST_BLOCK).min(LONGEST_BLOCK);
        // Redis takes no wait for a wait without an end.
        let wait = wait.min(self.group.claim_after / 4).max(Duration::from_millis(1));
        if room == 0 {
            self.is_stopped(wait);
            return Ok(());
        }
        let found = self.group.take(&mut self.link, wait)?;
        self.add(found)
    }

    /// Holds what was taken, but for what no sender is here for: that is handed on.
    fn add(&mut self, found: Vec<Held>) -> Answer<()> {
        let mut handed_on = redis::pipe();
        for mut held in found {
            match &held.envelope {
                Ok(envelope) => {
                    let channel = envelope.data.channel.as_str();
                    if outlet_of(&mut self.outlets, envelope).is_none() {
                        self.not_ours.failed(format_args!("no --deliver is for the channel {channel}"));
                        self.group.hand_on(&mut handed_on, &held, Some(channel));
                        continue;
                    }
                }
                Err(error) => {
                    let report =
                        Report::refused(held.entry, "", None, &format!("the event could not be read: {error}"));
                    held.state = State::Over { report, is_dead: true };
                    self.unwritten_since.get_or_insert_with(Instant::now);
                }
            }
            self.held.push(held);
        }
        if handed_on.is_empty() { Ok(()) } else { self.link.ask_all(&handed_on) }
    }

    /// Sends one event.
    fn deliver(&mut self, place: usize) -> Answer<()> {
        let Some(held) = self.held.get_mut(place) else { return Ok(()) };
        let (entry, failures) = (held.entry, held.failures);
        let Ok(envelope) = &held.envelope else { return Ok(()) };
        let Some(outlet) = outlet_of(&mut self.outlets, envelope) else { return Ok(()) };
        outlet.rate.spend(self.clock.now());
        let outcome = outlet.sender.send(envelope);
        crash::point(Point::RelaySent);
        let over = |report| State::Over { report, is_dead: false };
        let (state, failures, error) = match outcome {
            Outcome::Accepted { reference } => (over(Report::accepted(entry, &envelope.id, reference)), failures, None),
            Outcome::Refused { reason, error, retry: Retry::Never } => {
                // An address that there is not says nothing about the target; all else may be a wrong one.
                let failed = (reason != Reason::Bounced).then(|| error.clone());
                (over(Report::refused(entry, &envelope.id, Some(reason.name().to_owned()), &error)), failures, failed)
            }
            Outcome::Refused { reason, error, retry: Retry::After(asked) } => {
                let failures = failures + 1;
                if failures >= self.tries {
                    let why = format!("given up after {failures} tries: {error}");
                    let report = Report::refused(entry, &envelope.id, Some(reason.name().to_owned()), &why);
                    (State::Over { report, is_dead: true }, failures, Some(error))
                } else {
                    let seconds = RETRY_SECONDS.get(failures as usize - 1).or(RETRY_SECONDS.last());
                    let wait = Duration::from_secs(seconds.copied().unwrap_or_default()).max(asked.unwrap_or_default());
                    (State::Waiting(Some(Instant::now() + wait)), failures, Some(error))
                }
            }
        };
        let failed = error.map(|error| format!("{}: {error}", outlet.channel));
        (held.state, held.failures) = (state, failures);
        if held.is_over() {
            self.unwritten_since.get_or_insert_with(Instant::now);
        }
        let Some(failed) = failed else {
            (self.rest, self.failures) = (SHORTEST_REST, 0);
            self.failing.succeeded();
            return Ok(());
        };
        self.failing.failed(failed);
        self.failures += 1;
        let mut note = redis::pipe();
        self.group.note_failures(&mut note, held);
        let noted = self.link.ask_all(&note);
        self.is_stopped(self.rest.min(self.group.claim_after / 4));
        self.rest = (self.rest * 2).min(LONGEST_REST);
        noted
    }

    /// Has what cannot be made sure of sent again: it may be lost with the machine.
    fn make_sure(&mut self) {
        for outlet in &self.outlets {
            let is_its = |held: &Held| {
                held.is_over() && held.envelope.as_ref().is_ok_and(|it| it.data.channel == outlet.channel)
            };
            if !self.held.iter().any(is_its) {
                continue;
            }
            let Err(error) = outlet.sender.sync() else { continue };
            self.failing.failed(error);
            let again = Instant::now() + Duration::from_secs(RETRY_SECONDS[0]);
            for held in self.held.iter_mut().filter(|held| is_its(held)) {
                if matches!(&held.state, State::Over { report, .. } if report.error().is_none()) {
                    held.state = State::Waiting(Some(again));
                }
            }
        }
    }

    /// Writes down what came of what was sent. That, the acknowledgement and the removal happen together or not at all.
    fn write(&mut self) -> Answer<()> {
        self.make_sure();
        let mut commands = redis::pipe();
        commands.atomic();
        let keys = &self.group.keys;
        for held in &self.held {
            let State::Over { report, is_dead } = &held.state else { continue };
            if *is_dead {
                let command = commands.cmd("XADD").arg(&keys.dead).arg("MAXLEN").arg("~").arg(DEAD_LETTERS).arg("*");
                let error = report.error().unwrap_or_default();
                command.arg("entry").arg(held.entry).arg("tries").arg(held.failures).arg("error").arg(error);
                command.arg(EVENT).arg(&held.event).ignore();
            }
            report.write(&mut commands, keys, &held.id, &self.group.name);
        }
        if !commands.is_empty() {
            self.link.ask_all::<()>(&commands)?;
            crash::point(Point::RelayWritten);
            self.held.retain(|held| !held.is_over());
        }
        self.unwritten_since = None;
        Ok(())
    }

    /// Writes down what was sent, and hands the rest on.
    fn stop(&mut self) -> Answer<()> {
        self.write()?;
        let mut commands = redis::pipe();
        self.held.iter().for_each(|held| self.group.hand_on(&mut commands, held, None));
        if !commands.is_empty() {
            self.link.ask_all::<()>(&commands)?;
        }
        self.group.leave(&mut self.link)
    }
}
