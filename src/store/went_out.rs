//! What went out behind a position, for which deliveries are queued: what was sent when it was made, and what had waited.

use rusqlite::{OptionalExtension, params};

use super::delivery_copies;
use super::engine::{Db, rows};
use super::message;
use super::webhook::Position;
use crate::clock::Timestamp;
use crate::error::Result;
use crate::model::channel::Channel;
use crate::model::message_status::MessageStatus;
use crate::model::row::{MessageEventRow, MessageNumber};

/// A position that has moved so far is written down even if there was nothing to queue and there is more to look at.
const STRIDE_ROWS: i64 = 10_000;
/// Events of messages that are looked at for one commit.
const PAGE_EVENTS: i64 = 256;

/// A delivery that is to be queued.
#[derive(Clone, Copy, Debug)]
pub struct NewEntry {
    pub number: MessageNumber,
    /// Of the delivery among those of its message: 0 is what stands in the message's own row.
    pub position: i64,
    pub channel: Channel,
}

/// What comes next behind a position.
#[derive(Debug)]
pub struct NewEntries {
    pub entries: Vec<NewEntry>,
    pub position: Position,
    /// Whether there may be more.
    pub more: bool,
}

impl NewEntries {
    /// Whether the position that it leads to has to be written down, and not only remembered, where nothing is queued.
    pub fn moves(&self, since: Position) -> bool {
        let rows = (self.position.number.0 - since.number.0).max(self.position.event.0 - since.event.0);
        rows >= if self.more { STRIDE_ROWS } else { 1 }
    }
}

/// Reads what went out behind `after`, of at most so many messages: what was sent when it was made, and what had waited.
/// Passes over copies, with what was copied of what had happened to them.
pub fn read(db: &Db<'_>, after: Position, messages: usize) -> Result<NewEntries> {
    let mut found = NewEntries { entries: Vec::new(), position: after, more: false };
    add_made(db, messages, &mut found)?;
    add_waited(db, &mut found)?;
    Ok(found)
}

/// What happened first to a message after it was made.
type First = Option<(MessageStatus, Timestamp)>;

/// With what a message was made to which something has happened since; `None` if it waited. See
/// [`TrackedMessage`](crate::model::message::TrackedMessage).
fn began_as(db: &Db<'_>, number: MessageNumber, first: (MessageStatus, Timestamp)) -> Result<Option<MessageStatus>> {
    let mut made = db.conn.prepare_cached(
        "SELECT created_at FROM message_ranges WHERE first_number <= ?1 ORDER BY first_number DESC LIMIT 1",
    )?;
    let made: Option<i64> = made.query_row([number], |row| row.get(0)).optional()?;
    let (status, at) = first;
    Ok((made == Some(at.millis()) && MessageStatus::LIFECYCLE.contains(&status)).then_some(status))
}

fn add_made(db: &Db<'_>, messages: usize, found: &mut NewEntries) -> Result<()> {
    let mut copies = delivery_copies::next_behind(db, found.position.number)?;
    if let Some(passed) = copies.filter(|it| it.first.0 <= found.position.number.0 + 1) {
        found.position.number = passed.last;
        copies = delivery_copies::next_behind(db, passed.last)?;
    }
    let end = copies.map_or(MessageNumber(i64::MAX), |it| MessageNumber(it.first.0 - 1));
    let mut list = db.conn.prepare_cached(
        "SELECT number, status, channel FROM messages WHERE number > ?1 AND number <= ?2 ORDER BY number LIMIT ?3",
    )?;
    let mut rows = list.query(params![found.position.number, end, messages as i64])?;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        let number: MessageNumber = row.get(0)?;
        let status = rows::name(row, 1, MessageStatus::from_name)?;
        let channel = rows::optional_name(row, 2, Channel::from_name)?;
        count += 1;
        found.position.number = number;
        let Some(channel) = channel else { continue };
        let began_as = match first_of(db, number)? {
            None => Some(status),
            Some(first) => began_as(db, number, first)?,
        };
        // What waits or has waited comes with what happened to it.
        if let Some(began_as) = began_as.filter(|it| *it != MessageStatus::Delayed) {
            add(db, number, channel, began_as, status, &mut found.entries)?;
        }
    }
    found.more = count == messages || copies.is_some();
    if count < messages {
        // Numbers behind the last row were those of failures.
        found.position.number = found.position.number.max(message::last_number(db)?.min(end));
    }
    Ok(())
}

fn first_of(db: &Db<'_>, number: MessageNumber) -> Result<First> {
    let mut first = db
        .conn
        .prepare_cached("SELECT status, created_at FROM message_events WHERE number = ?1 ORDER BY event LIMIT 1")?;
    let first =
        first.query_row([number], |row| Ok((rows::name(row, 0, MessageStatus::from_name)?, Timestamp(row.get(1)?))));
    Ok(first.optional()?)
}

/// Messages that waited and were sent: that is the first thing that happened to them.
fn add_waited(db: &Db<'_>, found: &mut NewEntries) -> Result<()> {
    let mut list = db.conn.prepare_cached(
        "SELECT event, number, status, created_at, EXISTS (
             SELECT 1 FROM message_events AS earlier
             WHERE earlier.number = message_events.number AND earlier.event < message_events.event)
         FROM message_events WHERE event > ?1 ORDER BY event LIMIT ?2",
    )?;
    let mut own = db.conn.prepare_cached("SELECT status, channel FROM messages WHERE number = ?1")?;
    let mut rows = list.query(params![found.position.event, PAGE_EVENTS])?;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        let (event, number): (MessageEventRow, MessageNumber) = (row.get(0)?, row.get(1)?);
        // What happened to a message comes after the message.
        if number > found.position.number {
            break;
        }
        count += 1;
        found.position.event = event;
        let first = (rows::name(row, 2, MessageStatus::from_name)?, Timestamp(row.get(3)?));
        let is_later: bool = row.get(4)?;
        if is_later || began_as(db, number, first)?.is_some() || delivery_copies::is_copied(db, number, event)? {
            continue;
        }
        let own = own.query_row([number], |row| {
            Ok((rows::name(row, 0, MessageStatus::from_name)?, rows::optional_name(row, 1, Channel::from_name)?))
        });
        if let Some((status, Some(channel))) = own.optional()? {
            add(db, number, channel, first.0, status, &mut found.entries)?;
        }
    }
    found.more |= count == PAGE_EVENTS;
    Ok(())
}

/// Adds the deliveries of a message that are on their way, in their order.
fn add(
    db: &Db<'_>,
    number: MessageNumber,
    channel: Channel,
    began_as: MessageStatus,
    status: MessageStatus,
    entries: &mut Vec<NewEntry>,
) -> Result<()> {
    let before = entries.len();
    // A test may have said meanwhile that it arrived: it is sent all the same.
    if began_as == MessageStatus::Sent && MessageStatus::LIFECYCLE.contains(&status) {
        entries.push(NewEntry { number, position: message::OWN, channel });
    }
    let mut further =
        db.conn.prepare_cached("SELECT position, channel FROM deliveries WHERE number = ?1 AND status = 'SENT'")?;
    let mut rows = further.query([number])?;
    while let Some(row) = rows.next()? {
        entries.push(NewEntry { number, position: row.get(0)?, channel: rows::name(row, 1, Channel::from_name)? });
    }
    if let Some(added) = entries.get_mut(before..) {
        added.sort_by_key(|entry| entry.position);
    }
    Ok(())
}
