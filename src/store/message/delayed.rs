//! Messages that wait for their time.

use rusqlite::params;

use super::range::{MessageLocation, locate};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::model::row::MessageNumber;
use crate::store::engine::{Db, Tx};

pub(in crate::store) fn add(tx: &Tx<'_>, number: MessageNumber, due_at: Timestamp) -> Result<()> {
    let mut insert = tx.conn.prepare_cached("INSERT INTO delayed (number, due_at) VALUES (?1, ?2)")?;
    insert.execute(params![number, due_at.millis()])?;
    Ok(())
}

/// The message waits no more. False if it did not wait.
pub(in crate::store) fn remove(tx: &Tx<'_>, number: MessageNumber) -> Result<bool> {
    let mut remove = tx.conn.prepare_cached("DELETE FROM delayed WHERE number = ?1")?;
    Ok(remove.execute([number])? > 0)
}

/// A message that waits, and when it is due.
#[derive(Clone, Copy, Debug)]
pub struct DelayedMessage {
    pub number: MessageNumber,
    pub due_at: Timestamp,
}

/// Delayed messages from a number on, at most `limit`.
pub fn list_delayed(db: &Db<'_>, from: MessageNumber, limit: usize) -> Result<Vec<DelayedMessage>> {
    let mut list =
        db.conn.prepare_cached("SELECT number, due_at FROM delayed WHERE number >= ?1 ORDER BY number LIMIT ?2")?;
    let rows = list.query_map(params![from, limit as i64], |row| {
        Ok(DelayedMessage { number: row.get(0)?, due_at: Timestamp(row.get(1)?) })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Shortens a message's wait. Does nothing if it waits no more.
pub fn bring_forward(tx: &Tx<'_>, it: &DelayedMessage) -> Result<()> {
    let mut bring = tx.conn.prepare_cached("UPDATE delayed SET due_at = ?2 WHERE number = ?1")?;
    bring.execute(params![it.number, it.due_at.millis()])?;
    Ok(())
}

/// Delayed messages whose time has come, at most `limit`, and when the next one's comes.
pub fn list_due(db: &Db<'_>, limit: usize) -> Result<(Vec<MessageLocation>, Option<Timestamp>)> {
    let mut due = db.conn.prepare_cached(
        "SELECT number, due_at FROM delayed WHERE EXISTS (SELECT 1 FROM messages WHERE messages.number = delayed.number)
         ORDER BY due_at, number LIMIT ?1",
    )?;
    let rows = due.query_map([limit as i64 + 1], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?)))?;
    let mut locations = Vec::new();
    for row in rows {
        let (number, due_at) = row?;
        if due_at > db.now.millis() || locations.len() == limit {
            return Ok((locations, Some(Timestamp(due_at))));
        }
        // One that is being dropped waits no more.
        locations.extend(locate(db, number)?);
    }
    Ok((locations, None))
}
