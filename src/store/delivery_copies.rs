//! Copies of messages that a restore or a fork of a snapshot makes: no channel delivers them, however late it comes to them.
//! What happens to a copy afterwards is its own, such as that one which waited is sent.

use rusqlite::{OptionalExtension, params};

use super::delivery_channel;
use super::engine::{Db, Tx};
use crate::error::Result;
use crate::model::row::{MessageEventRow, MessageNumber};

/// Messages that are copies, one behind the other.
#[derive(Clone, Copy, Debug)]
pub struct Copies {
    pub first: MessageNumber,
    pub last: MessageNumber,
    /// The last of the events that were copied with them.
    pub last_event: MessageEventRow,
}

/// The next copies of which one is behind this message, or is the next one.
pub fn next_behind(db: &Db<'_>, after: MessageNumber) -> Result<Option<Copies>> {
    let mut next = db.conn.prepare_cached(
        "SELECT first_number, last_number, last_event FROM delivery_copies
         WHERE last_number > ?1 ORDER BY last_number LIMIT 1",
    )?;
    let next =
        next.query_row([after], |row| Ok(Copies { first: row.get(0)?, last: row.get(1)?, last_event: row.get(2)? }));
    Ok(next.optional()?)
}

/// Whether an event of a message was copied with it.
pub fn is_copied(db: &Db<'_>, number: MessageNumber, event: MessageEventRow) -> Result<bool> {
    let copies = next_behind(db, MessageNumber(number.0 - 1))?;
    Ok(copies.is_some_and(|it| it.first <= number && event <= it.last_event))
}

/// Takes note that all messages behind this one are copies, if a channel may come to them.
pub(in crate::store) fn note(tx: &Tx<'_>, before: MessageNumber) -> Result<()> {
    let newest = delivery_channel::newest(tx)?;
    let is_any_delivered = tx.conn.prepare_cached("SELECT 1 FROM delivery_channels LIMIT 1")?.exists([])?;
    if newest.number <= before || !is_any_delivered {
        return Ok(());
    }
    forget(tx)?;
    let mut note = tx
        .conn
        .prepare_cached("INSERT INTO delivery_copies (first_number, last_number, last_event) VALUES (?1, ?2, ?3)")?;
    note.execute(params![before.0 + 1, newest.number, newest.event])?;
    Ok(())
}

/// Forgets copies that all channels have come past, and those that are gone.
fn forget(tx: &Tx<'_>) -> Result<()> {
    tx.conn.execute(
        "DELETE FROM delivery_copies
         WHERE last_number < (SELECT min(number) FROM messages)
             OR (last_number <= (SELECT min(number) FROM delivery_channels)
                 AND last_event <= (SELECT min(event) FROM delivery_channels))",
        [],
    )?;
    Ok(())
}
