//! What is delivered for real: the channels with how far each has come, and the queue of what has yet to be delivered.
//! Entries come in one commit with the position that they lead to, and go in the one that writes what became of them.

use rusqlite::{OptionalExtension, Row, params};

use super::engine::{Db, Tx, rows};
use super::webhook::Position;
use super::{message, number};
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::model::channel::Channel;
use crate::model::message_status::MessageStatus;
use crate::model::row::{DeliveryEntry, JobRow, MessageEventRow, MessageNumber};

/// A position that has moved so far is written down even if there was nothing to queue and there is more to look at.
const STRIDE_ROWS: i64 = 10_000;
/// Events of messages that are looked at for one commit.
const PAGE_EVENTS: i64 = 256;

/// What is delivered by one target.
#[derive(Clone, Debug)]
pub struct ChannelRow {
    /// A channel's name, or `relay`.
    pub channel: String,
    pub position: Position,
    pub delivered: u64,
    pub refused: u64,
    pub paused_at: Option<i64>,
    pub paused_reason: Option<String>,
}

/// The flag that has a channel delivered.
pub fn flag_of(channel: &str) -> String {
    if channel == "relay" { "--relay".to_owned() } else { format!("--deliver {channel}") }
}

const COLUMNS: &str = "channel, number, event, delivered, refused, paused_at, paused_reason";

fn from_row(row: &Row<'_>) -> rusqlite::Result<ChannelRow> {
    Ok(ChannelRow {
        channel: row.get(0)?,
        position: Position { number: row.get(1)?, event: row.get(2)? },
        delivered: row.get(3)?,
        refused: row.get(4)?,
        paused_at: row.get(5)?,
        paused_reason: row.get(6)?,
    })
}

/// The channels that this start delivers.
pub fn channels(db: &Db<'_>) -> Result<Vec<ChannelRow>> {
    let mut list = db
        .conn
        .prepare_cached(&format!("SELECT {COLUMNS} FROM delivery_channels WHERE in_use = 1 ORDER BY channel"))?;
    Ok(list.query_map([], from_row)?.collect::<rusqlite::Result<_>>()?)
}

/// The channel of this name, if this start delivers it.
pub fn channel(db: &Db<'_>, channel: &str) -> Result<Option<ChannelRow>> {
    let mut find = db
        .conn
        .prepare_cached(&format!("SELECT {COLUMNS} FROM delivery_channels WHERE in_use = 1 AND channel = ?1"))?;
    Ok(find.query_row([channel], from_row).optional()?)
}

/// Has these channels delivered from now on, and no others. One that was delivered before goes on where it was; a new one
/// begins behind all that is there.
pub fn set_in_use(tx: &mut Tx<'_>, channels: &[String]) -> Result<()> {
    tx.conn.execute("UPDATE delivery_channels SET in_use = 0", [])?;
    let mut begin = tx.conn.prepare_cached(
        "INSERT INTO delivery_channels (channel, number, event, in_use) VALUES (?1, ?2, ?3, 1)
         ON CONFLICT (channel) DO UPDATE SET in_use = 1",
    )?;
    let newest = newest(tx)?;
    for channel in channels {
        begin.execute(params![channel, newest.number, newest.event])?;
    }
    Ok(())
}

/// The position behind all that is there.
fn newest(db: &Db<'_>) -> Result<Position> {
    let next = number::next_event(db.conn)?;
    Ok(Position { number: message::last_number(db)?, event: MessageEventRow(next.0 - 1) })
}

/// Where messages begin that are copies of others, which are not to be sent again.
pub(in crate::store) fn before_copies(db: &Db<'_>) -> Result<Option<Position>> {
    let any = db.conn.prepare_cached("SELECT 1 FROM delivery_channels WHERE in_use = 1 LIMIT 1")?.exists([])?;
    any.then(|| newest(db)).transpose()
}

/// Has no channel deliver the copies that were made since. One that has yet to queue what was before them cannot pass over
/// them: then there are to be no copies.
pub(in crate::store) fn pass_over_copies(tx: &Tx<'_>, before: Option<Position>) -> Result<()> {
    let Some(before) = before else { return Ok(()) };
    for row in channels(tx)? {
        if row.position.number < before.number || row.position.event < before.event {
            return Err(Error::conflict(format!(
                "{} has yet to queue messages, and would send the copies of messages that this makes; try again \
                 when it has",
                flag_of(&row.channel)
            )));
        }
    }
    let newest = newest(tx)?;
    let mut pass = tx.conn.prepare_cached("UPDATE delivery_channels SET number = ?1, event = ?2 WHERE in_use = 1")?;
    pass.execute(params![newest.number, newest.event])?;
    Ok(())
}

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
    let mut list = db
        .conn
        .prepare_cached("SELECT number, status, channel FROM messages WHERE number > ?1 ORDER BY number LIMIT ?2")?;
    let mut rows = list.query(params![found.position.number, messages as i64])?;
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
    match count == messages {
        true => found.more = true,
        // Numbers behind the last row were those of failures.
        false => found.position.number = found.position.number.max(message::last_number(db)?),
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
        if is_later || began_as(db, number, first)?.is_some() {
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

/// Entries to be queued for a channel that is at `since`, and where they lead to.
#[derive(Debug)]
pub struct Fill {
    pub channel: String,
    pub since: Position,
    pub to: Position,
    pub entries: Vec<NewEntry>,
}

/// Queues entries in one commit with the positions that they lead to. Changes nothing of a channel that is somewhere else,
/// and returns these.
pub fn append(tx: &mut Tx<'_>, fills: &[Fill]) -> Result<Vec<String>> {
    let mut elsewhere = Vec::new();
    let mut advance = tx.conn.prepare_cached(
        "UPDATE delivery_channels SET number = ?4, event = ?5
         WHERE channel = ?1 AND number = ?2 AND event = ?3 AND in_use = 1",
    )?;
    // What was dropped since it was read is not there.
    let mut insert = tx.conn.prepare_cached(
        "INSERT INTO delivery_queue (number, position, channel, due_at) SELECT number, ?2, ?3, ?4 FROM messages WHERE number = ?1",
    )?;
    for Fill { channel, since, to, entries } in fills {
        if advance.execute(params![channel, since.number, since.event, to.number, to.event])? != 1 {
            elsewhere.push(channel.clone());
            continue;
        }
        for entry in entries {
            insert.execute(params![entry.number, entry.position, channel, tx.now.millis()])?;
        }
    }
    Ok(elsewhere)
}

/// How many entries of a channel wait.
pub fn count(db: &Db<'_>, channel: &str) -> Result<usize> {
    let mut count = db.conn.prepare_cached("SELECT count(*) FROM delivery_queue WHERE channel = ?1")?;
    Ok(count.query_row([channel], |row| row.get(0))?)
}

/// What waits of a channel, to be shown.
#[derive(Clone, Copy, Debug)]
pub struct QueueState {
    pub queued: usize,
    /// Messages, and events of messages, that are yet to be looked at, whatever their channel.
    pub behind: u64,
    /// When the message of the oldest entry was made.
    pub oldest_at: Option<i64>,
}

pub fn state(db: &Db<'_>, row: &ChannelRow) -> Result<QueueState> {
    let mut oldest = db.conn.prepare_cached(
        "SELECT created_at FROM message_ranges WHERE first_number <= (
             SELECT number FROM delivery_queue WHERE channel = ?1 ORDER BY entry LIMIT 1)
         ORDER BY first_number DESC LIMIT 1",
    )?;
    let newest = newest(db)?;
    let behind = [newest.number.0 - row.position.number.0, newest.event.0 - row.position.event.0];
    Ok(QueueState {
        queued: count(db, &row.channel)?,
        behind: behind.into_iter().map(|it| u64::try_from(it).unwrap_or(0)).sum(),
        oldest_at: oldest.query_row([&row.channel], |row| row.get(0)).optional()?,
    })
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

/// Entries of a channel whose time has come, in the order of the queue; or, if there is none, when the next one's comes.
pub fn due(db: &Db<'_>, channel: &str, limit: usize) -> Result<(Vec<QueuedEntry>, Option<Timestamp>)> {
    let mut due = db.conn.prepare_cached(
        "SELECT entry, number, position, attempts FROM delivery_queue
         WHERE channel = ?1 AND due_at <= ?2 ORDER BY entry LIMIT ?3",
    )?;
    let found = due.query_map(params![channel, db.now.millis(), limit as i64], queued)?;
    let found = found.collect::<rusqlite::Result<Vec<_>>>()?;
    if !found.is_empty() {
        return Ok((found, None));
    }
    let mut next = db.conn.prepare_cached("SELECT min(due_at) FROM delivery_queue WHERE channel = ?1")?;
    let next: Option<i64> = next.query_row([channel], |row| row.get(0))?;
    Ok((found, next.map(Timestamp)))
}

/// Entries of a channel behind this one, in the order of the queue, whenever their time comes.
pub fn list_after(db: &Db<'_>, channel: &str, after: DeliveryEntry, limit: usize) -> Result<Vec<QueuedEntry>> {
    let mut list = db.conn.prepare_cached(
        "SELECT entry, number, position, attempts FROM delivery_queue
         WHERE channel = ?1 AND entry > ?2 ORDER BY entry LIMIT ?3",
    )?;
    Ok(list.query_map(params![channel, after, limit as i64], queued)?.collect::<rusqlite::Result<_>>()?)
}

/// What is to be delivered by an entry of a channel that is in the queue: message and position.
pub(in crate::store) fn find(db: &Db<'_>, channel: &str, entry: DeliveryEntry) -> Result<Option<(MessageNumber, i64)>> {
    let mut find =
        db.conn.prepare_cached("SELECT number, position FROM delivery_queue WHERE entry = ?1 AND channel = ?2")?;
    Ok(find.query_row(params![entry, channel], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
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

/// Counts what became of entries.
pub(in crate::store) fn add_counts(tx: &Tx<'_>, channel: &str, delivered: u64, refused: u64) -> Result<()> {
    let mut add = tx.conn.prepare_cached(
        "UPDATE delivery_channels SET delivered = delivered + ?2, refused = refused + ?3 WHERE channel = ?1",
    )?;
    add.execute(params![channel, delivered as i64, refused as i64])?;
    Ok(())
}

/// After the clock was set back by so much: brings what waits for another attempt forward by as much.
pub fn bring_forward(tx: &mut Tx<'_>, channel: &str, millis: i64) -> Result<()> {
    let mut bring = tx
        .conn
        .prepare_cached("UPDATE delivery_queue SET due_at = max(due_at - ?2, ?3) WHERE channel = ?1 AND due_at > ?3")?;
    bring.execute(params![channel, millis, tx.now.millis()])?;
    Ok(())
}

/// Pauses a channel, and says why, or has it go on. What was said first stays. False if this start does not deliver it.
pub fn pause(tx: &mut Tx<'_>, channel: &str, reason: Option<&str>) -> Result<bool> {
    let changed = match reason {
        Some(reason) => tx.conn.execute(
            "UPDATE delivery_channels SET paused_reason = coalesce(paused_reason, ?2), paused_at = coalesce(paused_at, ?3)
             WHERE channel = ?1 AND in_use = 1",
            params![channel, reason, tx.now.millis()],
        )?,
        None => tx.conn.execute(
            "UPDATE delivery_channels SET paused_reason = NULL, paused_at = NULL WHERE channel = ?1 AND in_use = 1",
            [channel],
        )?,
    };
    Ok(changed > 0)
}

/// A channel that has yet to deliver messages of a job, or to look at them.
pub(in crate::store) fn behind(db: &Db<'_>, job: JobRow) -> Result<Option<String>> {
    let mut any = db.conn.prepare_cached("SELECT 1 FROM delivery_channels WHERE in_use = 1 LIMIT 1")?;
    if !any.exists([])? {
        return Ok(None);
    }
    let mut behind = db.conn.prepare_cached(
        "WITH ranges AS MATERIALIZED (SELECT first_number, last_number FROM message_ranges WHERE job = ?1)
         SELECT channel FROM delivery_channels
         WHERE in_use = 1 AND (
             number < (
                 SELECT max((SELECT max(number) FROM messages WHERE number BETWEEN first_number AND last_number))
                 FROM ranges)
             OR event < (
                 SELECT max(event) FROM ranges
                 CROSS JOIN message_events ON message_events.number BETWEEN first_number AND last_number)
             OR EXISTS (
                 SELECT 1 FROM ranges CROSS JOIN delivery_queue
                     ON delivery_queue.number BETWEEN first_number AND last_number
                 WHERE delivery_queue.channel = delivery_channels.channel))
         LIMIT 1",
    )?;
    Ok(behind.query_row([job], |row| row.get(0)).optional()?)
}

/// What changes when a channel reads on, or has delivered something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress(i64);

pub fn progress(db: &Db<'_>) -> Result<Progress> {
    let mut progress = db.conn.prepare_cached(
        "SELECT coalesce(sum(number + event + delivered + refused), 0) FROM delivery_channels WHERE in_use = 1",
    )?;
    Ok(Progress(progress.query_row([], |row| row.get(0))?))
}
