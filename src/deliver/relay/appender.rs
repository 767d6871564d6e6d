//! The queue → the stream: each entry under its own number, which Redis takes once and in order.
//!
//! Where it goes on is not written down here: Redis says up to which entry it has come, also after it has lost some.

use std::time::Duration;

use super::ROUTE;
use super::keys::{EVENT, Keys};
use super::link::{self, Link};
use super::state::{RelayState, Role};
use super::stream::{self, Stream};
use crate::crash::{self, Point};
use crate::deliver::envelope::{Envelopes, Parts};
use crate::deliver::route::Route;
use crate::error::{Error, Result};
use crate::follow::Next;
use crate::model::row::DeliveryEntry;
use crate::store::attempts::{self, Attempt};
use crate::store::{Db, Lane, Store, SyncWhen, Tx, Undo, delivery_queue, delivery_route};

/// Entries that are appended at once. Fewer while Redis has no room for as many.
pub const BATCH: usize = 300;
/// Bytes of them, about: a batch of very long ones ends early.
const BATCH_BYTES: usize = 8 * 1024 * 1024;
/// Between two looks at a stream that is full. A status that comes in has it looked at as well.
const FULL_INTERVAL: Duration = Duration::from_millis(500);

/// What is appended at once.
#[derive(Default)]
struct Batch {
    events: Vec<(DeliveryEntry, String)>,
    /// Of which there is nothing to send.
    settled: Vec<(DeliveryEntry, Attempt)>,
}

pub struct Appender<'a> {
    pub store: &'a Store,
    pub route: &'a Route,
    pub link: Link,
    pub keys: &'a Keys,
    pub state: &'a RelayState,
    /// Entries that the stream has at most.
    pub limit: u64,
    /// Up to where Redis has come, as far as is known here.
    pub last: Option<i64>,
    /// Entries that Redis is given at once.
    pub at_once: usize,
}

impl Appender<'_> {
    /// Appends some entries.
    pub fn turn(&mut self) -> Result<Next> {
        let turned = self.append();
        self.state.set_error(Role::Appends, turned.as_ref().err().map(Error::to_string));
        turned
    }

    fn append(&mut self) -> Result<Next> {
        let stream = stream::look(&mut self.link, self.keys)?;
        self.compare(&stream);
        self.last = Some(stream.last);
        let room = self.limit.saturating_sub(stream.length);
        // It goes on when there is room for a batch, and not for each entry that leaves.
        let enough = if self.state.is_full() { (self.limit / 10).clamp(1, BATCH as u64) } else { 1 };
        self.state.note(stream.last, stream.length, room < enough);
        let count = usize::try_from(room).unwrap_or(usize::MAX).min(self.at_once);
        if room < enough {
            return Ok(Next::WaitFor(FULL_INTERVAL));
        }
        let Some(batch) = self.store.read(|db| self.next_batch(db, DeliveryEntry(stream.last), count))? else {
            return Ok(Next::Wait);
        };
        if !batch.settled.is_empty() {
            let settle = move |tx: &mut Tx<'_>| attempts::write_outcomes(tx, ROUTE, &batch.settled);
            self.store.submit(Lane::Behind, SyncWhen::Later, Undo::Change, settle).wait()?;
            self.route.shrunk();
            self.store.messages_bell().ring();
        }
        if batch.events.is_empty() {
            return Ok(Next::Again);
        }
        // In one transaction: a Redis without memory takes all of it or nothing, and no entry behind one that it has refused.
        let mut commands = redis::pipe();
        commands.atomic();
        for (entry, event) in &batch.events {
            let id = format!("{}-0", entry.0);
            commands.cmd("XADD").arg(&self.keys.outbox).arg(id).arg(EVENT).arg(event).ignore();
        }
        let last = batch.events.last().map_or(stream.last, |(entry, _)| entry.0);
        // Should the answer not come, then what of it Redis has taken is only seen at the next look.
        self.last = None;
        if let Err(error) = self.link.ask_all::<()>(&commands) {
            // One may have been refused since another program has come between, and one behind it taken: then Redis is beyond what
            // it has not.
            match link::is_aborted(&error) {
                true => self.at_once = (self.at_once / 2).max(1),
                false => self.state.recount(),
            }
            return Err(self.link.failed(&error));
        }
        crash::point(Point::RelayAppended);
        self.at_once = (self.at_once * 2).min(BATCH);
        self.last = Some(last);
        self.state.note(last, stream.length + batch.events.len() as u64, false);
        Ok(Next::Again)
    }

    /// The next entries as events. `None` if there is none, or if the relay is paused.
    fn next_batch(&self, db: &Db<'_>, after: DeliveryEntry, count: usize) -> Result<Option<Batch>> {
        let entries = if delivery_route::is_halted(db, ROUTE)? {
            Vec::new()
        } else {
            delivery_queue::list_after(db, ROUTE, after, count)?
        };
        if entries.is_empty() {
            return Ok(None);
        }
        let (mut batch, mut bytes) = (Batch::default(), 0);
        let mut envelopes = Envelopes::new(db, Parts::ALL)?;
        for queued in entries {
            match envelopes.read(&queued)?.envelope() {
                Ok(envelope) => {
                    let event = envelope.to_json()?;
                    bytes += event.len();
                    batch.events.push((queued.entry, event));
                }
                Err(attempt) => batch.settled.push((queued.entry, attempt)),
            }
            if bytes > BATCH_BYTES {
                break;
            }
        }
        Ok(Some(batch))
    }

    /// Whether Redis is where it was left.
    fn compare(&self, stream: &Stream) {
        let place = self.link.place();
        match self.last {
            Some(known) if stream.last < known => log::warn!(
                "{place} has lost what it was given behind entry {}, up to {known}: what has no status yet is given again",
                stream.last
            ),
            Some(known) if stream.last > known => {
                log::error!(
                    "{place}: somebody else has appended to {} up to entry {}; is a copy of this file served as well?",
                    self.keys.outbox,
                    stream.last
                );
                self.state.recount();
            }
            _ => {}
        }
    }
}
