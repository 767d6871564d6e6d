//! Rows → the queue of what is delivered: one thread, and one commit for all channels that have come as far as one another.

use std::sync::Arc;
use std::time::Instant;

use super::route::Route;
use crate::error::Result;
use crate::follow::{self, Next};
use crate::store::delivery_queue::{self, Fill, NewEntries};
use crate::store::webhook::Position;
use crate::store::{Lane, Store, SyncWhen, Tx, Undo};

/// Messages that are looked at for one commit: the writer takes a few milliseconds for their entries.
const COMMIT_MESSAGES: usize = 512;
/// While messages are made it rests so many times as long as it works: they need the machine more.
const REST_FOR_WORK: u32 = 4;

/// A route whose queue is filled. All that is remembered of it is in the rows as well, or follows from them.
struct Filled {
    route: Arc<Route>,
    /// The row's.
    written: Position,
    /// Behind the row's, up to where there was nothing to queue.
    position: Position,
    /// Entries in the queue, or more: some may have gone with their messages.
    queued: usize,
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
        self.count(&mut known)?;
        let has_room = |it: &Filled| it.queued < it.route.most;
        let Some(position) = known.iter().filter(|it| has_room(it)).map(|it| it.position).min_by_key(place) else {
            self.known = known;
            return Ok(Next::Wait);
        };
        let (found, commits) = self.store.read(|db| {
            let found = delivery_queue::read(db, position, COMMIT_MESSAGES)?;
            Ok((found, self.store.message_commits().count()))
        })?;
        let mut fills = Vec::new();
        for it in known.iter_mut().filter(|it| has_room(it) && it.position == position) {
            let fill = fill_of(it, &found);
            match fill.entries.is_empty() && !found.moves(it.written) {
                true => it.position = found.position,
                false => fills.push(fill),
            }
        }
        if !fills.is_empty() {
            let filled: Vec<(String, usize)> =
                fills.iter().map(|fill| (fill.channel.clone(), fill.entries.len())).collect();
            // Nothing is sent before it is on the disk: if need be, this sync has the log up to here written, with the parts
            // of a job that were not waited for.
            let sync = if self.store.message_commits().are_synced(commits) { SyncWhen::Later } else { SyncWhen::Now };
            let append = move |tx: &mut Tx<'_>| delivery_queue::append(tx, &fills);
            let elsewhere = self.store.submit(Lane::Behind, sync, Undo::Change, append).wait()?;
            for it in &mut known {
                let Some((_, count)) = filled.iter().find(|(name, _)| *name == it.route.name) else { continue };
                (it.written, it.position) = (found.position, found.position);
                it.queued += count;
                if *count > 0 {
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
        let rows = self.store.read(delivery_queue::channels)?;
        let filled = |route: &Arc<Route>| {
            let row = rows.iter().find(|row| row.channel == route.name)?;
            route.shrunk();
            Some(Filled { route: route.clone(), written: row.position, position: row.position, queued: 0 })
        };
        Ok(self.routes.iter().filter_map(filled).collect())
    }

    /// Counts the queues of which some have left.
    fn count(&self, known: &mut [Filled]) -> Result<()> {
        for it in known.iter_mut() {
            let is_full = it.queued >= it.route.most;
            if it.route.has_shrunk() || is_full {
                it.queued = self.store.read(|db| delivery_queue::count(db, &it.route.name))?;
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

fn fill_of(it: &Filled, found: &NewEntries) -> Fill {
    let is_its = |channel| it.route.channels.contains(&channel);
    Fill {
        channel: it.route.name.clone(),
        since: it.written,
        to: found.position,
        entries: found.entries.iter().filter(|entry| is_its(entry.channel)).copied().collect(),
    }
}
