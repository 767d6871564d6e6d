//! The queue of what has yet to be delivered for real. Entries come in one commit with the position that they lead to, and go
//! in the one that writes what became of them.

use rusqlite::{OptionalExtension, Row, params};

use super::delivery_channel;
use super::engine::{Db, Tx};
use super::webhook::Position;
use super::went_out::NewEntry;
use crate::clock::Timestamp;
use crate::error::Result;
use crate::model::channel::Channel;
use crate::model::row::{DeliveryEntry, MessageNumber};

/// A channel whose deliveries are to be queued.
#[derive(Clone, Debug)]
pub struct Advance {
    pub channel: Channel,
    pub route: String,
    pub since: Position,
}

/// Entries to be queued for channels, and where they lead to.
#[derive(Debug)]
pub struct Fill {
    pub channels: Vec<Advance>,
    pub to: Position,
    /// Of any channel, in their order.
    pub entries: Vec<NewEntry>,
}

/// Queues entries in one commit with the positions that they lead to. Changes nothing of a channel that is somewhere else,
/// and returns these.
pub fn append(tx: &mut Tx<'_>, fill: &Fill) -> Result<Vec<Channel>> {
    let Fill { channels, to, entries } = fill;
    let mut elsewhere = Vec::new();
    for Advance { channel, route, since } in channels {
        if !delivery_channel::advance(tx, (*channel, route), *since, *to)? {
            elsewhere.push(*channel);
        }
    }
    // What was dropped since it was read is not there.
    let mut insert = tx.conn.prepare_cached(
        "INSERT INTO delivery_queue (number, position, channel, route, due_at)
         SELECT number, ?2, ?3, ?4, ?5 FROM messages WHERE number = ?1",
    )?;
    for entry in entries.iter().filter(|entry| !elsewhere.contains(&entry.channel)) {
        let Some(Advance { channel, route, .. }) = channels.iter().find(|it| it.channel == entry.channel) else {
            continue;
        };
        insert.execute(params![entry.number, entry.position, channel.name(), route, tx.now.millis()])?;
    }
    Ok(elsewhere)
}

/// How many entries of a route wait.
pub fn count(db: &Db<'_>, route: &str) -> Result<usize> {
    let mut count = db.conn.prepare_cached("SELECT count(*) FROM delivery_queue WHERE route = ?1")?;
    Ok(count.query_row([route], |row| row.get(0))?)
}

/// When the message of a route's oldest entry was made.
pub fn oldest_at(db: &Db<'_>, route: &str) -> Result<Option<i64>> {
    let mut oldest = db.conn.prepare_cached(
        "SELECT created_at FROM message_ranges WHERE first_number <= (
             SELECT number FROM delivery_queue WHERE route = ?1 ORDER BY entry LIMIT 1)
         ORDER BY first_number DESC LIMIT 1",
    )?;
    Ok(oldest.query_row([route], |row| row.get(0)).optional()?)
}

/// Entries that wait where their channel does not go by now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    pub route: String,
    pub channel: String,
    pub count: usize,
    /// Whether this start has their route.
    pub in_use: bool,
}

/// Those that are left, by route and channel.
pub fn left(db: &Db<'_>) -> Result<Vec<Left>> {
    let mut left = db.conn.prepare_cached(
        "SELECT queue.route, queue.channel, count(*), delivery_routes.in_use
         FROM delivery_queue AS queue JOIN delivery_routes USING (route) JOIN delivery_channels USING (channel)
         WHERE delivery_channels.route IS NOT queue.route
         GROUP BY queue.route, queue.channel ORDER BY queue.route, queue.channel",
    )?;
    let left = left.query_map([], |row| {
        Ok(Left { route: row.get(0)?, channel: row.get(1)?, count: row.get(2)?, in_use: row.get(3)? })
    })?;
    Ok(left.collect::<rusqlite::Result<_>>()?)
}

/// Has what waits by a channel's own route, and was given to no sender yet, wait where the channel goes now. It comes behind
/// what waits there, under new numbers. What waits for the relay stays: senders may have it. Returns how many of each channel
/// were moved.
pub(in crate::store) fn follow_channels(tx: &Tx<'_>) -> Result<Vec<(String, usize)>> {
    const MOVED: &str = "queue.route = queue.channel AND channels.route <> queue.channel";
    const FROM: &str = "FROM delivery_queue AS queue JOIN delivery_channels AS channels USING (channel)";
    let count = format!("SELECT queue.channel, count(*) {FROM} WHERE {MOVED} GROUP BY queue.channel");
    let mut count = tx.conn.prepare(&count)?;
    let moved: Vec<(String, usize)> =
        count.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<rusqlite::Result<_>>()?;
    if moved.is_empty() {
        return Ok(moved);
    }
    let append = format!(
        "INSERT INTO delivery_queue (number, position, channel, route, due_at)
         SELECT queue.number, position, queue.channel, channels.route, ?1 {FROM} WHERE {MOVED} ORDER BY entry"
    );
    tx.conn.execute(&append, [tx.now.millis()])?;
    // Those that were appended have another route than their channel's own.
    let remove = format!("DELETE FROM delivery_queue WHERE entry IN (SELECT entry {FROM} WHERE {MOVED})");
    tx.conn.execute(&remove, [])?;
    Ok(moved)
}

/// An entry of the queue.
#[derive(Clone, Copy, Debug)]
pub struct QueuedEntry {
    pub entry: DeliveryEntry,
    pub number: MessageNumber,
    pub position: i64,
    /// Attempts so far.
    pub attempts: usize,
}

fn queued(row: &Row<'_>) -> rusqlite::Result<QueuedEntry> {
    Ok(QueuedEntry { entry: row.get(0)?, number: row.get(1)?, position: row.get(2)?, attempts: row.get(3)? })
}

/// Entries of a route whose time has come, in the order of the queue; or, if there is none, when the next one's comes.
pub fn due(db: &Db<'_>, route: &str, limit: usize) -> Result<(Vec<QueuedEntry>, Option<Timestamp>)> {
    let mut due = db.conn.prepare_cached(
        "SELECT entry, number, position, attempts FROM delivery_queue
         WHERE route = ?1 AND due_at <= ?2 ORDER BY entry LIMIT ?3",
    )?;
    let found = due.query_map(params![route, db.now.millis(), limit as i64], queued)?;
    let found = found.collect::<rusqlite::Result<Vec<_>>>()?;
    if !found.is_empty() {
        return Ok((found, None));
    }
    let mut next = db.conn.prepare_cached("SELECT min(due_at) FROM delivery_queue WHERE route = ?1")?;
    let next: Option<i64> = next.query_row([route], |row| row.get(0))?;
    Ok((found, next.map(Timestamp)))
}

/// Entries of a route behind this one, in the order of the queue, whenever their time comes.
pub fn list_after(db: &Db<'_>, route: &str, after: DeliveryEntry, limit: usize) -> Result<Vec<QueuedEntry>> {
    let mut list = db.conn.prepare_cached(
        "SELECT entry, number, position, attempts FROM delivery_queue
         WHERE route = ?1 AND entry > ?2 ORDER BY entry LIMIT ?3",
    )?;
    Ok(list.query_map(params![route, after, limit as i64], queued)?.collect::<rusqlite::Result<_>>()?)
}

/// What is to be delivered by an entry of a route that is in the queue: message and position.
pub(in crate::store) fn find(db: &Db<'_>, route: &str, entry: DeliveryEntry) -> Result<Option<(MessageNumber, i64)>> {
    let mut find =
        db.conn.prepare_cached("SELECT number, position FROM delivery_queue WHERE entry = ?1 AND route = ?2")?;
    Ok(find.query_row(params![entry, route], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
}

pub(in crate::store) fn remove(tx: &Tx<'_>, entry: DeliveryEntry) -> Result<()> {
    tx.conn.prepare_cached("DELETE FROM delivery_queue WHERE entry = ?1")?.execute([entry])?;
    Ok(())
}

/// Has an entry tried again after so many milliseconds, with so many more attempts that failed.
pub(in crate::store) fn put_off(
    tx: &Tx<'_>,
    entry: DeliveryEntry,
    (attempts, error): (i64, &str),
    after_millis: i64,
) -> Result<()> {
    let mut put_off = tx.conn.prepare_cached(
        "UPDATE delivery_queue SET attempts = attempts + ?4, error = ?2, due_at = ?3 WHERE entry = ?1",
    )?;
    put_off.execute(params![entry, error, tx.now.after(after_millis).millis(), attempts])?;
    Ok(())
}

/// Whether an entry of a route waits for another attempt.
pub fn is_any_waiting(db: &Db<'_>, route: &str) -> Result<bool> {
    let mut find =
        db.conn.prepare_cached("SELECT EXISTS (SELECT 1 FROM delivery_queue WHERE route = ?1 AND due_at > ?2)")?;
    Ok(find.query_row(params![route, db.now.millis()], |row| row.get(0))?)
}

/// After the clock was set back by so much: brings what waits for another attempt forward by as much.
pub fn bring_forward(tx: &mut Tx<'_>, route: &str, millis: i64) -> Result<()> {
    let mut bring = tx
        .conn
        .prepare_cached("UPDATE delivery_queue SET due_at = max(due_at - ?2, ?3) WHERE route = ?1 AND due_at > ?3")?;
    bring.execute(params![route, millis, tx.now.millis()])?;
    Ok(())
}
