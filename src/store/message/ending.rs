//! Messages that end later, as a test has set it.

use rusqlite::{Row, params};

use crate::clock::Timestamp;
use crate::error::Result;
use crate::model::message_status::{MessageStatus, Reason, Verdict};
use crate::model::outcome;
use crate::model::row::MessageNumber;
use crate::store::engine::{Db, Tx, rows};

/// The position of the delivery in the message's own row, among the further ones.
pub const OWN: i64 = 0;

/// The end of a delivery.
#[derive(Clone, Debug)]
pub struct DueEnding {
    pub number: MessageNumber,
    pub position: i64,
    pub verdict: Verdict,
}

/// Sets when and how a delivery ends, in place of what was set before. The caller wakes the thread that waits for that.
pub(in crate::store) fn add(
    tx: &Tx<'_>,
    (number, position): (MessageNumber, i64),
    due_at: Timestamp,
    verdict: &Verdict,
) -> Result<()> {
    let mut insert = tx.conn.prepare_cached(
        "INSERT OR REPLACE INTO endings (number, position, due_at, status, reason) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    let (status, reason) = (verdict.status.name(), verdict.reason.map(Reason::name));
    insert.execute(params![number, position, due_at.millis(), status, reason])?;
    Ok(())
}

pub(in crate::store) fn remove(tx: &Tx<'_>, number: MessageNumber, position: i64) -> Result<bool> {
    let mut remove = tx.conn.prepare_cached("DELETE FROM endings WHERE number = ?1 AND position = ?2")?;
    Ok(remove.execute(params![number, position])? > 0)
}

/// Endings that are due, at most `limit`, and when the next one is.
pub fn list_endings(db: &Db<'_>, limit: usize) -> Result<(Vec<DueEnding>, Option<Timestamp>)> {
    let mut due = db.conn.prepare_cached(
        "SELECT number, position, status, reason, due_at FROM endings ORDER BY due_at, number, position LIMIT ?1",
    )?;
    let mut rows = due.query([limit as i64 + 1])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let due_at: i64 = row.get(4)?;
        if due_at > db.now.millis() || found.len() == limit {
            return Ok((found, Some(Timestamp(due_at))));
        }
        found.push(from_row(row)?);
    }
    Ok((found, None))
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<DueEnding> {
    let status = rows::name(row, 2, MessageStatus::from_name)?;
    let reason = rows::optional_name(row, 3, Reason::from_name)?;
    Ok(DueEnding { number: row.get(0)?, position: row.get(1)?, verdict: outcome::ending(status, reason) })
}

/// After the clock was set back by so much: brings forward, by as much, the endings of messages that were made before.
/// From a message on, at most so many. Returns the message to continue from.
pub fn bring_endings_forward(
    tx: &mut Tx<'_>,
    (from, last): (MessageNumber, MessageNumber),
    millis: i64,
    limit: usize,
) -> Result<Option<MessageNumber>> {
    let mut end = tx.conn.prepare_cached(
        "SELECT max(number), count(*) FROM (
             SELECT number FROM endings WHERE number BETWEEN ?1 AND ?2 ORDER BY number LIMIT ?3)",
    )?;
    let (end, count): (Option<MessageNumber>, usize) =
        end.query_row(params![from, last, limit as i64], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let Some(end) = end else { return Ok(None) };
    let mut bring = tx.conn.prepare_cached("UPDATE endings SET due_at = due_at - ?3 WHERE number BETWEEN ?1 AND ?2")?;
    bring.execute(params![from, end, millis])?;
    tx.wakeups.jobs = true;
    Ok((count == limit).then_some(MessageNumber(end.0 + 1)))
}
