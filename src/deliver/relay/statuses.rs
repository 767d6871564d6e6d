//! The stream of statuses → the file. What is in the stream is what has yet to be committed: an entry goes after the
//! commit, so that a kill in between has it read again, and then it says nothing new.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Deserialize;

use super::ROUTE;
use super::keys::{EVENT, Keys, entry_of, field};
use super::link::Link;
use super::report::{Report, Told};
use super::state::{RelayState, Role};
use super::stream::{self, ByStream, Entry};
use crate::crash::{self, Point};
use crate::deliver::route::Route;
use crate::error::{Error, Result, shown};
use crate::follow::Next;
use crate::model::message_status::Reason;
use crate::model::row::DeliveryEntry;
use crate::outage::Outage;
use crate::store::attempts::{self, Attempt};
use crate::store::{Lane, Store, SyncWhen, Tx, Undo, relayed};

/// Statuses of one commit.
const BATCH: usize = 500;
/// How long Redis waits for one. A stop waits as long.
const BLOCK_MILLIS: usize = 500;
/// Entries whose events are compared at once.
const PAGE: usize = 500;
/// Events that Redis is asked for at once: each may have megabytes.
const EVENTS: usize = 50;

pub struct Statuses<'a> {
    pub store: &'a Store,
    pub route: &'a Route,
    pub link: Link,
    pub keys: &'a Keys,
    pub state: &'a RelayState,
    /// How often it had been asked which entries Redis has when that was last looked at. `None`: since it was connected,
    /// it was not.
    pub recounted: Option<u64>,
    pub unreadable: Outage,
}

/// An event, as far as it is looked at here.
#[derive(Deserialize)]
struct EventId {
    id: String,
}

impl Statuses<'_> {
    /// Takes what has come in.
    pub fn turn(&mut self) -> Result<Next> {
        let turned = self.try_turn();
        self.state.set_error(Role::Takes, turned.as_ref().err().map(Error::to_string));
        turned
    }

    fn try_turn(&mut self) -> Result<Next> {
        if !self.link.is_open() {
            self.recounted = None;
        }
        let asked = self.state.recounts();
        if self.recounted != Some(asked) {
            self.recount()?;
            self.recounted = Some(asked);
            // It may have been away, and have lost something: the one that appends looks again.
            self.route.bell().ring();
        }
        self.take(Some(BLOCK_MILLIS))?;
        Ok(Next::Again)
    }

    /// Takes a batch, for which it waits so long, and returns how many there were.
    fn take(&mut self, block_millis: Option<usize>) -> Result<usize> {
        let mut read = redis::cmd("XREAD");
        read.arg("COUNT").arg(BATCH);
        if let Some(millis) = block_millis {
            read.arg("BLOCK").arg(millis);
        }
        read.arg("STREAMS").arg(&self.keys.statuses).arg("0-0");
        let found: ByStream = self.link.ask(&read).map_err(|error| self.link.failed(&error))?;
        let entries: Vec<Entry> = found.into_iter().flatten().flat_map(|(_, entries)| entries).collect();
        if entries.is_empty() {
            return Ok(0);
        }
        let mut reports = Vec::with_capacity(entries.len());
        for (id, fields) in &entries {
            match Report::read(&stream::texts(fields)) {
                Ok(report) => reports.push(report),
                Err(expected) => self.unreadable.failed(format_args!("{}: {expected}", shown(id))),
            }
        }
        let write = move |tx: &mut Tx<'_>| write(tx, reports);
        self.store.submit(Lane::Behind, SyncWhen::Now, Undo::Change, write).wait()?;
        self.route.shrunk();
        self.store.messages_bell().ring();
        crash::point(Point::RelaySettled);
        let mut forget = redis::cmd("XDEL");
        forget.arg(&self.keys.statuses);
        for (id, _) in &entries {
            forget.arg(id);
        }
        self.link.ask::<()>(&forget).map_err(|error| self.link.failed(&error))?;
        // There is room, for the one that appends, and for the one that fills the queue.
        self.route.bell().ring();
        Ok(entries.len())
    }

    /// Looks which of the entries that Redis was given it has, and gives new numbers to those that it has not and of which
    /// nothing was said: a file that was restored from a backup has some, and so has one whose stream somebody has cut.
    fn recount(&mut self) -> Result<()> {
        let last = DeliveryEntry(stream::look(&mut self.link, self.keys)?.last);
        if last.0 == 0 {
            return Ok(());
        }
        // From now on no entry is given a number that Redis would not take.
        if self.store.write(move |tx| relayed::raise_numbers(tx, last))? {
            log::warn!(
                "{} has entries up to {}, and the file fewer: it is older than they are, such as from a backup. What was \
                 on its way when it was made may be sent twice",
                self.link.place(),
                last.0
            );
        }
        let (mut at, mut missing) = (DeliveryEntry(0), Vec::new());
        while !self.state.is_stopping() {
            let queued = self.store.read(|db| relayed::between(db, ROUTE, (at, last), PAGE))?;
            let (Some(first), Some(end)) = (queued.first(), queued.last()) else { break };
            let there = self.events(first.entry, end.entry)?;
            at = end.entry;
            let is_there = |it: &relayed::RelayedEntry| there.get(&it.entry.0) == it.event_id.as_ref();
            missing.extend(queued.iter().filter(|it| !is_there(it)).map(|it| it.entry));
        }
        if missing.is_empty() {
            return Ok(());
        }
        // What left the stream by now has its status there.
        while !self.state.is_stopping() && self.take(None)? == BATCH {}
        if self.state.is_stopping() {
            return Ok(());
        }
        let missing = Arc::new(missing);
        let moved = self.store.write(move |tx| relayed::renumber(tx, ROUTE, &missing))?;
        if moved > 0 {
            log::warn!(
                "{}: {moved} entries that have no status are not in the stream: they are given again",
                self.link.place()
            );
            self.route.bell().ring();
        }
        Ok(())
    }

    /// The ids of the events in this part of the stream, by entry.
    fn events(&mut self, first: DeliveryEntry, last: DeliveryEntry) -> Result<HashMap<i64, String>> {
        let (mut from, mut events) = (format!("{}-0", first.0), HashMap::new());
        loop {
            let mut range = redis::cmd("XRANGE");
            range.arg(&self.keys.outbox).arg(&from).arg(last.0).arg("COUNT").arg(EVENTS);
            let found: Vec<Entry> = self.link.ask(&range).map_err(|error| self.link.failed(&error))?;
            let Some((end, _)) = found.last() else { return Ok(events) };
            from = format!("({end}");
            let is_last = found.len() < EVENTS;
            for (id, fields) in found {
                let fields = stream::texts(&fields);
                let event = field(&fields, EVENT).and_then(|it| serde_json::from_str::<EventId>(it).ok());
                if let (Some(entry), Some(event)) = (entry_of(&id), event) {
                    events.insert(entry, event.id);
                }
            }
            if is_last {
                return Ok(events);
            }
        }
    }
}

/// Writes down what was said of entries that are in the queue, which leave it.
fn write(tx: &mut Tx<'_>, reports: Vec<Report>) -> Result<()> {
    let mut attempts = Vec::with_capacity(reports.len());
    for report in reports {
        let entry = DeliveryEntry(report.entry);
        // Said twice, or of a message that this file does not have any more, such as after a restore.
        if !relayed::is_of(tx, ROUTE, entry, &report.event_id)? {
            continue;
        }
        attempts.push((
            entry,
            match report.outcome {
                Told::Accepted { reference } => {
                    let reference = reference.as_deref().unwrap_or("nameless");
                    log::debug!("{} was delivered, and is {reference} there", report.event_id);
                    Attempt::Delivered
                }
                Told::Refused { reason, error } => {
                    let told = reason.as_deref().and_then(Reason::from_name);
                    // A message that went out has no other.
                    let reason = told.filter(|it| matches!(it, Reason::Bounced | Reason::ProviderError));
                    let reason = reason.unwrap_or(Reason::Failed);
                    Attempt::GivenUp { reason, error }
                }
            },
        ));
    }
    attempts::write_outcomes(tx, ROUTE, &attempts)
}
