//! Rows → the queue of what is delivered: one thread, and one commit for all channels that have come as far as one another.

use std::sync::Arc;
use std::time::Instant;

use super::route::Route;
use crate::error::Result;
use crate::follow::{self, Next};
use crate::model::channel::Channel;
use crate::store::delivery_queue::{self, Advance, Fill};
use crate::store::webhook::Position;
use crate::store::went_out::{self, NewEntries};
use crate::store::{Lane, Store, SyncWhen, Tx, Undo, delivery_channel};

/// Messages that are looked at for one commit: the writer takes a few milliseconds for their entries.
const COMMIT_MESSAGES: usize = 512;
/// While messages are made it rests so many times as long as it works: they need the machine more.
const REST_FOR_WORK: u32 = 4;

/// A channel that is queued for its route. All that is remembered of it is in the rows as well, or follows from them.
struct Filled {
    channel: Channel,
    route: Arc<Route>,
    /// The row's.
    written: Position,
    /// Behind the row's, up to where there was nothing to queue.
    position: Position,
}

struct Filler<'a, S: Fn() -> bool> {
    store: &'a Store,
    routes: &'a [Arc<Route>],
    is_stopping: S,
    known: Vec<Filled>,
    commits: u64,
}

/// Fills the queue until all stops.
pub fn fill(store: &Store, routes: &[Arc<Route>], is_stopping: impl Fn() -> bool) {
    let mut filler = Filler { store, routes, is_stopping: &is_stopping, known: Vec::new(), commits: 0 };
    let trouble = "messages are not queued for --deliver";
    follow::follow(store, store.messages_bell(), trouble, &is_stopping, || filler.turn());
}

impl<S: Fn() -> bool> Filler<'_, S> {
    /// Queues what went out since, for those that have come least far, in one commit. After a failure it begins with the
    /// rows.
    fn turn(&mut self) -> Result<Next> {
        let begun = Instant::now();
        let mut known = std::mem::take(&mut self.known);
        if known.is_empty() {
            known = self.look()?;
        }
        self.count()?;
        let has_room = |it: &Filled| it.route.has_room();
        let Some(position) = known.iter().filter(|it| has_room(it)).map(|it| it.position).min_by_key(place) else {
            self.known = known;
            return Ok(Next::Wait);
        };
        let (found, commits) = self.store.read(|db| {
            let found = went_out::read(db, position, COMMIT_MESSAGES)?;
            Ok((found, self.store.message_commits().count()))
        })?;
        let mut fill = Fill { channels: Vec::new(), to: found.position, entries: Vec::new() };
        for it in known.iter_mut().filter(|it| has_room(it) && it.position == position) {
            match count_of(it.channel, &found) == 0 && !found.moves(it.written) {
                true => it.position = found.position,
                false => {
                    let (channel, route) = (it.channel, it.route.name.clone());
                    fill.channels.push(Advance { channel, route, since: it.written });
                }
            }
        }
        if !fill.channels.is_empty() {
            let filled: Vec<Channel> = fill.channels.iter().map(|it| it.channel).collect();
            fill.entries = found.entries.iter().filter(|entry| filled.contains(&entry.channel)).copied().collect();
            // Nothing is sent before it is on the disk: if need be, this sync has the log up to here written, with the parts
            // of a job that were not waited for.
            let sync = if self.store.message_commits().are_synced(commits) { SyncWhen::Later } else { SyncWhen::Now };
            let append = move |tx: &mut Tx<'_>| delivery_queue::append(tx, &fill);
            let elsewhere = self.store.submit(Lane::Behind, sync, Undo::Change, append).wait()?;
            for it in known.iter_mut().filter(|it| filled.contains(&it.channel)) {
                (it.written, it.position) = (found.position, found.position);
                let count = count_of(it.channel, &found);
                if count > 0 {
                    it.route.add_queued(count);
                    it.route.bell().ring();
                }
            }
            // The rows say where they are.
            if !elsewhere.is_empty() {
                return Ok(Next::Again);
            }
        }
        let is_all = !found.more && known.iter().all(|it| it.position == found.position || !has_room(it));
        self.known = known;
        self.rest(begun);
        Ok(if is_all { Next::Wait } else { Next::Again })
    }

    fn look(&self) -> Result<Vec<Filled>> {
        let rows = self.store.read(delivery_channel::in_use)?;
        let filled = |row: delivery_channel::ChannelRow| {
            let route = self.routes.iter().find(|route| route.name == row.route)?.clone();
            route.shrunk();
            Some(Filled { channel: row.channel, route, written: row.position, position: row.position })
        };
        Ok(rows.into_iter().filter_map(filled).collect())
    }

    /// Counts the queues of which some have left.
    fn count(&self) -> Result<()> {
        for route in self.routes {
            if route.has_shrunk() || !route.has_room() {
                route.note_queued(self.store.read(|db| delivery_queue::count(db, &route.name))?);
            }
        }
        Ok(())
    }

    /// Gives way while messages are made.
    fn rest(&mut self, begun: Instant) {
        let commits = self.store.message_commits().count();
        if commits != std::mem::replace(&mut self.commits, commits) {
            self.store.messages_bell().pause(begun.elapsed() * REST_FOR_WORK, &self.is_stopping);
        }
    }
}

fn place(position: &Position) -> (i64, i64) {
    (position.number.0, position.event.0)
}

fn count_of(channel: Channel, found: &NewEntries) -> usize {
    found.entries.iter().filter(|entry| entry.channel == channel).count()
}
