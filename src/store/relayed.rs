//! What the relay needs of the queue of deliveries besides reading on: which of its entries Redis has, and new numbers
//! for those that Redis lacks.

use rusqlite::{OptionalExtension, params};

use super::delivery_queue;
use super::engine::{Db, Tx};
use super::message;
use crate::error::Result;
use crate::model::row::{DeliveryEntry, MessageNumber};

/// An entry of the queue, and the id of its event: `{message_id}/{position}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayedEntry {
    pub entry: DeliveryEntry,
    /// `None`: its message is gone.
    pub event_id: Option<String>,
}

/// The next entries of a route behind this one, up to another.
pub fn between(
    db: &Db<'_>,
    route: &str,
    (after, up_to): (DeliveryEntry, DeliveryEntry),
    limit: usize,
) -> Result<Vec<RelayedEntry>> {
    let entries = delivery_queue::list_after(db, route, after, limit)?;
    let relayed = |it: delivery_queue::QueuedEntry| {
        Ok(RelayedEntry { entry: it.entry, event_id: event_id(db, it.number, it.position)? })
    };
    entries.into_iter().take_while(|it| it.entry.0 <= up_to.0).map(relayed).collect()
}

/// How many entries of a route are behind this one.
pub fn count_after(db: &Db<'_>, route: &str, after: DeliveryEntry) -> Result<u64> {
    let mut count = db.conn.prepare_cached("SELECT count(*) FROM delivery_queue WHERE route = ?1 AND entry > ?2")?;
    Ok(count.query_row(params![route, after], |row| row.get(0))?)
}

/// Whether this entry of a route has an event of this id.
pub fn is_of(db: &Db<'_>, route: &str, entry: DeliveryEntry, event: &str) -> Result<bool> {
    Ok(match delivery_queue::find(db, route, entry)? {
        Some((number, position)) => event_id(db, number, position)?.as_deref() == Some(event),
        None => false,
    })
}

fn event_id(db: &Db<'_>, number: MessageNumber, position: i64) -> Result<Option<String>> {
    let place = message::locate(db, number)?;
    place.map(|place| Ok(format!("{}/{position}", message::current_id_of(db, &place)?))).transpose()
}

/// Makes later entries get numbers above this one. Returns whether that was necessary.
pub fn raise_numbers(tx: &mut Tx<'_>, last: DeliveryEntry) -> Result<bool> {
    let known = "SELECT seq FROM sqlite_sequence WHERE name = 'delivery_queue'";
    let known: Option<i64> = tx.conn.query_row(known, [], |row| row.get(0)).optional()?;
    if last.0 <= known.unwrap_or(0) {
        return Ok(false);
    }
    let raise = match known {
        Some(_) => "UPDATE sqlite_sequence SET seq = ?1 WHERE name = 'delivery_queue'",
        None => "INSERT INTO sqlite_sequence (name, seq) VALUES ('delivery_queue', ?1)",
    };
    tx.conn.execute(raise, [last])?;
    Ok(true)
}

/// Gives these entries of a route new numbers, behind all others. Returns how many of them there still were.
pub fn renumber(tx: &mut Tx<'_>, route: &str, entries: &[DeliveryEntry]) -> Result<usize> {
    let mut append = tx.conn.prepare_cached(
        "INSERT INTO delivery_queue (number, position, channel, route, attempts, due_at, error)
         SELECT number, position, channel, route, attempts, due_at, error FROM delivery_queue WHERE entry = ?1 AND route = ?2",
    )?;
    let mut remove = tx.conn.prepare_cached("DELETE FROM delivery_queue WHERE entry = ?1 AND route = ?2")?;
    let mut count = 0;
    for entry in entries {
        append.execute(params![entry, route])?;
        count += remove.execute(params![entry, route])?;
    }
    Ok(count)
}
