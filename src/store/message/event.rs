//! What happened to messages after they were made.

use rusqlite::params;

use crate::clock::Timestamp;
use crate::error::Result;
use crate::model::message_status::MessageStatus;
use crate::model::row::MessageNumber;
use crate::store::engine::{Db, Tx, rows};
use crate::store::number;

pub(in crate::store) fn add(tx: &mut Tx<'_>, number: MessageNumber, status: MessageStatus) -> Result<()> {
    let now = tx.now;
    add_at(tx, number, status, now)
}

/// Adds what has happened at a moment.
pub(in crate::store) fn add_at(
    tx: &mut Tx<'_>,
    number: MessageNumber,
    status: MessageStatus,
    at: Timestamp,
) -> Result<()> {
    let mut add = tx
        .conn
        .prepare_cached("INSERT INTO message_events (event, number, status, created_at) VALUES (?1, ?2, ?3, ?4)")?;
    add.execute(params![number::next_event(tx.conn)?, number, status.name(), at.millis()])?;
    tx.wakeups.messages = true;
    Ok(())
}

/// What happened to one message, in its order.
pub(in crate::store) fn list(db: &Db<'_>, number: MessageNumber) -> Result<Vec<(MessageStatus, Timestamp)>> {
    let mut list =
        db.conn.prepare_cached("SELECT status, created_at FROM message_events WHERE number = ?1 ORDER BY event")?;
    let events =
        list.query_map([number], |row| Ok((rows::name(row, 0, MessageStatus::from_name)?, Timestamp(row.get(1)?))))?;
    Ok(events.collect::<rusqlite::Result<_>>()?)
}
