//! `bulkd deliver`: a sender on any machine. It takes events from the stream of a file's outbox, delivers them, and writes
//! what came of them into the stream of statuses.
//!
//! This thread takes events and gives them to the channels, each of which sends by a thread of its own (`worker.rs`). It has
//! the group know of all that is held, also of what is being sent. What a channel has no room for goes back to the group,
//! under the channel's name: so no channel waits for another. Between a provider's answer and the status lies what may be
//! sent twice: 32 events of a channel at most.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::held::{Found, Group, HeldIds, TAKEN_AT_ONCE};
use super::keys::{Keys, is_tag};
use super::leg::Leg;
use super::link::{Answer, Link, RECONNECT_AFTER};
use super::report::Report;
use super::stream;
use super::worker::Worker;
use crate::deliver::command::Settings;
use crate::error::{Error, Result, shown_up_to};
use crate::outage::Outage;
use crate::output::LineOutput;
use crate::store::Bell;
use crate::threads;

/// How long Redis waits for new entries: a stop waits as long.
const LONGEST_BLOCK: Duration = Duration::from_millis(500);
/// The same while a channel that has left some to others may soon have room.
const SHORT_BLOCK: Duration = Duration::from_millis(50);
/// Until a channel that has enough may have room again. What it has no room for goes to Redis and back.
const ROOM_WAIT: Duration = Duration::from_millis(20);
/// Until a stop is known whose signal was noticed.
const STOP_HEARD: Duration = Duration::from_millis(50);
const CREATE_AFTER: Duration = Duration::from_millis(10);
/// What is being sent at a stop may take so long.
const STOP_WAIT: Duration = Duration::from_secs(20);
/// A sender that has nothing, and has not asked for anything in so many times the span after which it would have lost it, is gone.
const GONE_AFTER: u32 = 5;

struct Remote {
    link: Link,
    group: Arc<Group>,
    legs: Vec<Arc<Leg>>,
    /// Rings when a leg has room.
    room: Bell,
    /// Failures one after the other with which a channel is given up.
    errors: u32,
    /// When the group was last told that all of it is still being worked on.
    touched: Option<Instant>,
    /// When what others have left was last looked for.
    looked: Option<Instant>,
    /// Since when nothing new was taken because a channel has enough.
    full_since: Option<Instant>,
    not_ours: Outage,
    unreadable: Outage,
    stopped: Receiver<()>,
    /// Closed once the legs' threads have ended.
    ended: Receiver<()>,
}

/// Delivers until `stopped` says so.
pub fn run(settings: Settings, out: &LineOutput, stopped: &Receiver<()>) -> Result<()> {
    let mut link = Link::new("--from", &settings.from)?;
    let tag = match &settings.tag {
        Some(tag) if is_tag(tag) => tag.clone(),
        Some(_) => {
            return Err(Error::startup("--tag: expected the 12 hex digits that are in the ids of the file's messages"));
        }
        None => the_only_tag(&mut link)?,
    };
    let (name, claim_after) = (settings.name.clone(), settings.claim_after);
    let keys = Keys::of(&tag);
    let group = Arc::new(Group { keys, name, claim_after, touched: Mutex::default() });
    group.create(&mut link).map_err(|error| link.failed(&error))?;
    out.say(format_args!("bulkd delivers what is in {} at {}, as {}", group.keys.outbox, link.place(), group.name));
    settings.shown.iter().for_each(|line| out.say(format_args!("  {line}")));
    let trouble = "Redis cannot be used";
    let (room, (ends, ended)) = (Bell::default(), bounded(0));
    let mut remote = Remote {
        link,
        group,
        legs: Vec::new(),
        room,
        errors: settings.errors,
        touched: None,
        looked: None,
        full_since: None,
        not_ours: Outage::of_callers("events are left to other senders"),
        unreadable: Outage::of_callers("an entry is no event, and becomes a dead letter"),
        stopped: stopped.clone(),
        ended,
    };
    for planned in settings.outlets {
        let leg = Leg::new(planned.channel, planned.sender, remote.group.clone(), remote.room.clone());
        let link = Link::new("--from", &settings.from)?;
        let worker = |leg| Worker::new(leg, link, planned.rate, settings.tries, settings.errors);
        if let Err(error) = remote.start(leg, worker, ends.clone()) {
            remote.legs.iter().for_each(|leg| leg.stop());
            return Err(error);
        }
    }
    drop(ends);
    let outage = Outage::new(trouble);
    let mut given_up = None;
    while !remote.is_stopped_within(Duration::ZERO) && given_up.is_none() {
        match remote.turn() {
            Ok(()) => outage.succeeded(),
            Err(error) if error.code() == Some("NOGROUP") => {
                // Redis has lost it, and what it knew of who has what.
                if let Err(error) = remote.group.create(&mut remote.link) {
                    outage.failed(remote.link.failed(&error));
                }
                remote.touched = None;
                remote.is_stopped_within(CREATE_AFTER);
            }
            Err(error) => {
                // The signal of a stop breaks off a wait for Redis.
                if !remote.is_stopped_within(STOP_HEARD) {
                    outage.failed(remote.link.failed(&error));
                }
                remote.touched = None;
                remote.is_stopped_within(RECONNECT_AFTER);
            }
        }
        given_up = remote.given_up();
    }
    log::info!("stopping");
    remote.stop().map_err(|error| remote.link.failed(&error))?;
    match given_up {
        Some(why) => Err(Error::startup(format!("{why}: what was taken is handed on, and this sender ends"))),
        None => Ok(()),
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
    // One that a sender was told to wait for, and in which there never was anything, is no file's: its tag may be mistyped.
    let mut used = Vec::new();
    for tag in tags {
        if stream::look(link, &Keys::of(&tag))?.last > 0 {
            used.push(tag);
        }
    }
    match used.as_slice() {
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

impl Remote {
    fn start(&mut self, leg: Leg, worker: impl FnOnce(Arc<Leg>) -> Worker, ends: Sender<()>) -> Result<()> {
        let leg = Arc::new(leg);
        let (name, worker) = (format!("deliver {}", leg.channel), worker(leg.clone()));
        let run = move || {
            worker.run();
            drop(ends);
        };
        threads::spawn_service(std::thread::Builder::new().name(name.clone()), run)
            .map_err(|error| Error::startup(format!("the thread '{name}' cannot be started: {error}")))?;
        self.legs.push(leg);
        Ok(())
    }

    /// Waits so long, unless it is to stop. Returns whether it is.
    fn is_stopped_within(&self, span: Duration) -> bool {
        !matches!(self.stopped.recv_timeout(span), Err(RecvTimeoutError::Timeout))
    }

    /// Why it ends by itself, if it does: a channel is given up, and no other is at work.
    fn given_up(&self) -> Option<String> {
        let why = self.legs.iter().find_map(|leg| leg.given_up(self.errors))?;
        let is_at_work = |leg: &Arc<Leg>| leg.given_up(self.errors).is_none() && leg.is_at_work();
        (!self.legs.iter().any(is_at_work)).then_some(why)
    }

    fn leg_of(&self, channel: &str) -> Option<&Arc<Leg>> {
        self.legs.iter().find(|leg| leg.channel == channel)
    }

    fn is_any_hungry(&self) -> bool {
        self.legs.iter().any(|leg| leg.is_hungry())
    }

    /// One step: something to send is looked for, if there is room for it.
    fn turn(&mut self) -> Answer<()> {
        let (heard, now) = (self.room.rung(), Instant::now());
        if self.touched.is_none_or(|at| now - at >= self.group.claim_after / 3) {
            self.touch(now)?;
        }
        let found = self.take_left(now)?;
        let longest = LONGEST_BLOCK.min(self.group.claim_after / 4);
        if !self.is_any_hungry() {
            self.room.wait(heard, longest);
            return Ok(());
        }
        if self.legs.iter().any(|leg| leg.is_busy()) {
            let waited = now.saturating_duration_since(*self.full_since.get_or_insert(now));
            if waited < ROOM_WAIT {
                self.room.wait(heard, ROOM_WAIT - waited);
                return Ok(());
            }
        }
        self.full_since = None;
        let wait = match self.legs.iter().any(|leg| leg.may_take_left()) {
            _ if found => Duration::ZERO,
            true => SHORT_BLOCK.min(longest),
            false => longest,
        };
        let taken = self.group.take(&mut self.link, wait)?;
        self.add(taken)
    }

    /// Has the group know that all that is held is still being worked on, and lets go of what others have taken over meanwhile.
    fn touch(&mut self, now: Instant) -> Answer<()> {
        let mut ids = HeldIds::default();
        self.legs.iter().for_each(|leg| leg.add_ids(&mut ids));
        let (own, found) = self.group.touch(&mut self.link, &ids)?;
        if let Some(own) = own {
            self.legs.iter().for_each(|leg| leg.lose(&ids, &own));
        }
        self.touched = Some(now);
        self.group.set_touched(now);
        self.add(found)
    }

    /// Takes what was left to the sender that comes first, or by those that are gone. Returns whether there was something.
    fn take_left(&mut self, now: Instant) -> Answer<bool> {
        let mut has_found = false;
        for leg in self.legs.clone() {
            if !leg.is_hungry() || !leg.has_left.swap(false, Ordering::SeqCst) {
                continue;
            }
            let found = self.group.claim_of_channel(&mut self.link, &leg.channel, TAKEN_AT_ONCE);
            // There may be more.
            let is_again = found.as_ref().map_or(true, |found| found.len() == TAKEN_AT_ONCE);
            leg.has_left.fetch_or(is_again, Ordering::SeqCst);
            let found = found?;
            has_found |= !found.is_empty();
            self.add(found)?;
        }
        let interval = self.group.claim_after.min(Duration::from_secs(10)) / 4;
        if self.looked.is_none_or(|at| now - at >= interval) && self.is_any_hungry() {
            let found = self.look()?;
            has_found |= found;
            if !found {
                self.looked = Some(now);
            }
        }
        Ok(has_found)
    }

    /// Looks at the other senders, and at what was given back.
    fn look(&mut self) -> Answer<bool> {
        let mut has_found = false;
        for other in self.group.others(&mut self.link)? {
            if !other.has_pending {
                if other.idle >= self.group.claim_after * GONE_AFTER
                    && self.group.remove(&mut self.link, &other.name)?
                {
                    log::debug!("the sender {} is gone, and had nothing", other.name);
                }
                continue;
            }
            match other.channel() {
                Some(channel) => {
                    if let Some(leg) = self.leg_of(channel) {
                        leg.has_left.store(true, Ordering::SeqCst);
                    }
                }
                None => {
                    let found = self.group.claim_of(&mut self.link, &other.name, TAKEN_AT_ONCE)?;
                    has_found |= !found.is_empty();
                    self.add(found)?;
                }
            }
        }
        Ok(has_found)
    }

    /// Gives what was found to the channels; what has none here, or finds no room, is handed on.
    fn add(&mut self, found: Vec<Found>) -> Answer<()> {
        let (mut handed_on, mut full) = (redis::pipe(), HashSet::new());
        let mut outcomes = self.group.outcomes();
        let mut is_any_unreadable = false;
        for found in found {
            let held = match found {
                Found::Event(held) => held,
                Found::Unreadable(it) => {
                    let error = format!("the event could not be read: {}", it.error);
                    self.unreadable.failed(format_args!("{}: {}", it.id, it.error));
                    outcomes.add_dead_letter(it.entry, 0, &error, &it.event);
                    let report = it.event_id.map(|id| Report::refused(it.entry, &id, None, &error));
                    outcomes.add(&it.id, report.as_ref());
                    is_any_unreadable = true;
                    continue;
                }
            };
            let channel = held.envelope.data.channel.clone();
            let back = match self.leg_of(&channel) {
                Some(leg) => {
                    let back = leg.take(held);
                    full.extend(back.is_some().then(|| channel.clone()));
                    back
                }
                None => {
                    self.not_ours.failed(format_args!("no --deliver is for the channel {channel}"));
                    Some(held)
                }
            };
            if let Some(held) = back {
                self.group.hand_on(&mut handed_on, &held, Some(&channel));
            }
        }
        self.link.tell(&handed_on)?;
        let of_full = self.legs.iter().filter(|leg| full.contains(&leg.channel));
        of_full.for_each(|leg| leg.has_left.store(true, Ordering::SeqCst));
        if is_any_unreadable {
            self.link.ask::<()>(&outcomes.command())?;
        }
        Ok(())
    }

    /// Ends what is under way, and hands the rest on. What cannot be ended in time is left as it is: others take it over
    /// when it has not moved for long.
    fn stop(&mut self) -> Answer<()> {
        self.legs.iter().for_each(|leg| leg.stop());
        let until = Instant::now() + STOP_WAIT;
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            if self.ended.recv_timeout(left.min(self.group.claim_after / 4)) != Err(RecvTimeoutError::Timeout) {
                break;
            }
            self.touch(Instant::now())?;
        }
        let mut commands = redis::pipe();
        for held in self.legs.iter().flat_map(|leg| leg.drain()) {
            self.group.hand_on(&mut commands, &held, None);
        }
        self.link.tell(&commands)?;
        self.group.leave(&mut self.link)
    }
}
