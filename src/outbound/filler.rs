//! Rows → the queues of all webhooks: one thread, and one commit for all of them, so that the number of webhooks does
//! not slow down a send or a drain.

use std::collections::BTreeMap;

use super::pace::Pace;
use super::posters::Posters;
use super::queues::Queues;
use crate::error::Result;
use crate::follow::{self, Next};
use crate::model::environment::EnvironmentRow;
use crate::model::row::{MessageEventRow, MessageNumber};
use crate::store::event_batch::LEAST_ROOM;
use crate::store::webhook::{self, Position, Webhook};
use crate::store::webhook_event::{self, EventBatch, Fill, QUEUE_EVENTS};
use crate::store::{Lane, Store, SyncWhen, Tx, Undo, event_batch};

/// The events of one commit, shared by the webhooks that have room. The writer takes a few milliseconds for them.
const COMMIT_EVENTS: usize = 512;
/// But at least so many for each: the events of one message must fit.
const LEAST_EVENTS: usize = 16;

/// A webhook whose queue is filled. All that is remembered of it is in the rows as well, or follows from them.
struct Filled {
    webhook: Webhook,
    /// Ahead of the row's position, if there was nothing to queue in between.
    position: Position,
    /// Events in its queue. Only this thread adds events. `None`: some have left the queue, and it has to be counted.
    pending: Option<usize>,
}

impl Filled {
    fn room(&self) -> usize {
        QUEUE_EVENTS.saturating_sub(self.pending.unwrap_or(QUEUE_EVENTS))
    }

    /// Webhooks with the same place get the same events.
    fn place(&self) -> Place {
        (self.position.number, self.position.event, self.webhook.environment)
    }
}

/// Events, and the places of the webhooks that get them.
type Batches = Vec<(Vec<usize>, EventBatch)>;

type Place = (MessageNumber, MessageEventRow, Option<EnvironmentRow>);

struct Filler<'a> {
    store: &'a Store,
    posters: &'a Posters,
    queues: &'a Queues,
    known: Vec<Filled>,
    /// The ring count of the webhooks' bell when they were read. `None`: they have to be read again.
    known_at: Option<u64>,
    pace: Pace,
}

/// Fills the queues until all stops.
pub fn fill(store: &Store, posters: &Posters, queues: &Queues) {
    let pace = Pace::default();
    let mut filler = Filler { store, posters, queues, known: Vec::new(), known_at: None, pace };
    let trouble = "events are not queued";
    follow::follow(store, store.messages_bell(), trouble, || posters.is_stopping(), || filler.turn());
}

impl Filler<'_> {
    /// Queues new events, while there is room, in one commit. After a failure it begins with the rows.
    fn turn(&mut self) -> Result<Next> {
        let rung = self.store.webhooks_bell().rung();
        let mut known = std::mem::take(&mut self.known);
        if self.known_at.take() != Some(rung) {
            known = look_at_webhooks(self.store, &known)?;
        }
        let (batches, commits) = self.read(&mut known)?;
        let (mut fills, mut filled, mut more) = (Vec::new(), Vec::new(), false);
        for (places, batch) in batches {
            more |= batch.more;
            let needs_commit = |place: &usize| batch.needs_commit(known[*place].webhook.position);
            let (told, others): (Vec<usize>, Vec<usize>) = places.into_iter().partition(needs_commit);
            others.into_iter().for_each(|place| known[place].position = batch.position);
            if !told.is_empty() {
                let row = |place: &usize| (known[*place].webhook.webhook, known[*place].webhook.position);
                let webhooks = told.iter().map(row).collect();
                filled.push((told, batch.position, batch.events.len()));
                fills.push(Fill { webhooks, batch });
            }
        }
        let (mut events, mut elsewhere) = (0, Vec::new());
        if !fills.is_empty() {
            // No event is posted before its cause is on the disk. If necessary, this sync writes the log up to here,
            // with parts of a job that were not synced.
            let sync = if self.store.message_commits().are_synced(commits) { SyncWhen::Later } else { SyncWhen::Now };
            let append = move |tx: &mut Tx<'_>| webhook_event::append(tx, &fills);
            elsewhere = self.store.submit(Lane::Behind, sync, Undo::Change, append).wait()?;
        }
        for (told, position, count) in filled {
            for place in told {
                let filled = &mut known[place];
                filled.webhook.position = position;
                filled.position = position;
                filled.pending = filled.pending.map(|pending| pending + count);
                events += count;
                if count > 0 {
                    self.queues.ring(&filled.webhook.webhook_id);
                }
            }
        }
        self.known = known;
        self.known_at = elsewhere.is_empty().then_some(rung);
        self.pace.spend(events, self.store, self.store.messages_bell(), || self.posters.is_stopping());
        Ok(if more { Next::Again } else { Next::Wait })
    }

    /// The next events, each batch with the webhooks that get it, and how many commits may have been seen.
    fn read(&self, known: &mut [Filled]) -> Result<(Batches, u64)> {
        for filled in known.iter_mut() {
            if self.queues.has_shrunk(&filled.webhook.webhook_id) {
                filled.pending = None;
            }
        }
        if known.iter().all(|filled| filled.pending.is_some() && filled.room() < LEAST_ROOM) {
            return Ok((Vec::new(), 0));
        }
        self.store.read(|db| {
            let mut places: BTreeMap<Place, Vec<usize>> = BTreeMap::new();
            for (place, filled) in known.iter_mut().enumerate() {
                if filled.pending.is_none() {
                    filled.pending = Some(webhook_event::count_pending(db, filled.webhook.webhook)?);
                }
                if filled.room() >= LEAST_ROOM {
                    places.entry(filled.place()).or_default().push(place);
                }
            }
            let webhooks: usize = places.values().map(Vec::len).sum();
            let share = (COMMIT_EVENTS / webhooks.max(1)).max(LEAST_EVENTS);
            let batches = places.into_iter().map(|((number, event, environment), places)| {
                let room = places.iter().map(|&place| known[place].room()).min().unwrap_or_default();
                let batch = event_batch::read(db, environment, Position { number, event }, room.min(share))?;
                Ok((places, batch))
            });
            Ok((batches.collect::<Result<_>>()?, self.store.message_commits().count()))
        })
    }
}

/// The webhooks that exist now. For those that have not moved, what was known is kept.
fn look_at_webhooks(store: &Store, known: &[Filled]) -> Result<Vec<Filled>> {
    let there = store.read(webhook::all)?;
    let filled = |webhook: Webhook| {
        let is_same =
            |known: &&Filled| known.webhook.webhook == webhook.webhook && known.webhook.position == webhook.position;
        let position = known.iter().find(is_same).map_or(webhook.position, |known| known.position);
        Filled { position, webhook, pending: None }
    };
    Ok(there.into_iter().map(filled).collect())
}
