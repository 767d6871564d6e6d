//! Looks at messages one after the other, in the order of commit, without reading more of a row than the caller asks
//! for.

use rusqlite::{Row, params};

use super::engine::Db;
use super::message::{self, MessageLocation};
use super::outbox::OutboxMessage;
use crate::clock::Timestamp;
use crate::error::Result;
use crate::model::environment::EnvironmentRow;
use crate::model::row::{MessageEventRow, MessageNumber};

/// How far all messages, and what happened to them, have come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reached {
    pub number: MessageNumber,
    pub event: MessageEventRow,
}

pub fn reached(db: &Db<'_>) -> Result<Reached> {
    let mut event = db.conn.prepare_cached("SELECT max(event) FROM message_events")?;
    let event: Option<MessageEventRow> = event.query_row([], |row| row.get(0))?;
    Ok(Reached { number: message::last_number(db)?, event: event.unwrap_or_default() })
}

/// A message that is looked at.
pub struct Seen<'a> {
    row: &'a Row<'a>,
    pub location: MessageLocation,
    /// Whether it may have deliveries besides the one in its own row.
    pub has_further: bool,
}

/// What a message's own row says of it, as it stands there.
#[derive(Clone, Copy, Debug)]
pub struct Texts<'a> {
    pub recipient: &'a str,
    pub status: &'a str,
    pub reason: Option<&'a str>,
    pub error: Option<&'a str>,
    pub channel: Option<&'a str>,
    pub provider: Option<&'a str>,
    pub address: Option<&'a str>,
    pub subject: Option<&'a str>,
    pub body: Option<&'a str>,
    pub content: Option<&'a str>,
}

impl Seen<'_> {
    pub fn recipient(&self) -> Result<&str> {
        self.text(1)
    }

    pub fn texts(&self) -> Result<Texts<'_>> {
        Ok(Texts {
            recipient: self.text(1)?,
            status: self.text(2)?,
            reason: self.optional(3)?,
            error: self.optional(4)?,
            channel: self.optional(5)?,
            provider: self.optional(6)?,
            address: self.optional(7)?,
            subject: self.optional(8)?,
            body: self.optional(9)?,
            content: self.optional(10)?,
        })
    }

    /// The whole message.
    pub fn message(&self, db: &Db<'_>) -> Result<OutboxMessage> {
        let message = message::with_deliveries(db, &self.location, message::from_row(self.row)?)?;
        super::outbox::with_job(db, self.location.job, message)
    }

    fn text(&self, column: usize) -> Result<&str> {
        Ok(self.row.get_ref(column).and_then(|text| Ok(text.as_str()?))?)
    }

    fn optional(&self, column: usize) -> Result<Option<&str>> {
        Ok(self.row.get_ref(column).and_then(|text| Ok(text.as_str_or_null()?))?)
    }
}

/// Looks at the messages of an environment with numbers from `from` up to `up_to`: at most so many, and only while
/// `each` says that there is time for another. Returns how many were looked at, and the number to continue from if
/// there may be more.
pub fn scan(
    db: &Db<'_>,
    environment: EnvironmentRow,
    from: MessageNumber,
    up_to: MessageNumber,
    limit: usize,
    mut each: impl FnMut(&Seen<'_>) -> Result<bool>,
) -> Result<(usize, Option<MessageNumber>)> {
    let mut further = db.conn.prepare_cached("SELECT 1 FROM deliveries WHERE number BETWEEN ?1 AND ?2 LIMIT 1")?;
    let has_further = further.exists(params![from, up_to])?;
    let mut list = db.conn.prepare_cached(&select_between(&format!(
        "{}, message_ranges.job, message_ranges.created_at,
             message_ranges.first_seq + messages.number - message_ranges.first_number",
        message::COLUMNS
    )))?;
    let mut rows = list.query(params![environment, from, up_to, limit as i64])?;
    let (mut count, mut last, mut has_time) = (0, from, true);
    while has_time && let Some(row) = rows.next()? {
        last = row.get(0)?;
        count += 1;
        let location = MessageLocation {
            number: last,
            job: row.get(12)?,
            environment,
            seq: row.get(14)?,
            created_at: Timestamp(row.get(13)?),
        };
        has_time = each(&Seen { row, location, has_further })?;
    }
    Ok((count, (count == limit || !has_time).then_some(MessageNumber(last.0 + 1))))
}

/// The same, but looks only at their recipients. SQLite extracts each selected column from its row, whether or not it
/// is read then, and that is the main cost of a message beside a drain.
pub fn scan_recipients(
    db: &Db<'_>,
    environment: EnvironmentRow,
    from: MessageNumber,
    up_to: MessageNumber,
    limit: usize,
    mut each: impl FnMut(&str, MessageNumber) -> Result<bool>,
) -> Result<(usize, Option<MessageNumber>)> {
    let mut list = db.conn.prepare_cached(&select_between("messages.number, messages.recipient"))?;
    let mut rows = list.query(params![environment, from, up_to, limit as i64])?;
    let (mut count, mut last, mut has_time) = (0, from, true);
    while has_time && let Some(row) = rows.next()? {
        last = row.get(0)?;
        count += 1;
        has_time = each(row.get_ref(1).and_then(|text| Ok(text.as_str()?))?, last)?;
    }
    Ok((count, (count == limit || !has_time).then_some(MessageNumber(last.0 + 1))))
}

/// The query for these columns of an environment's (?1) messages with the numbers from ?2 up to ?3, at most ?4.
fn select_between(columns: &str) -> String {
    format!(
        "SELECT {columns}
         FROM message_ranges
         CROSS JOIN jobs ON jobs.job = message_ranges.job
         CROSS JOIN messages ON messages.number
             BETWEEN max(message_ranges.first_number, ?2) AND min(message_ranges.last_number, ?3)
         WHERE message_ranges.environment = ?1 AND jobs.dropped_at IS NULL AND message_ranges.first_number <= ?3
           AND message_ranges.first_number >= (
               SELECT coalesce(max(first_number), 0) FROM message_ranges WHERE environment = ?1 AND first_number <= ?2)
         ORDER BY message_ranges.first_number, messages.number
         LIMIT ?4"
    )
}

/// What happened to messages behind an event, at most so much: the events of this environment, each with the message's
/// place, and the last event that was looked at.
pub fn happened(
    db: &Db<'_>,
    environment: EnvironmentRow,
    after: MessageEventRow,
    limit: usize,
) -> Result<(Vec<(MessageEventRow, MessageLocation)>, MessageEventRow)> {
    let mut list =
        db.conn.prepare_cached("SELECT event, number FROM message_events WHERE event > ?1 ORDER BY event LIMIT ?2")?;
    let mut rows = list.query(params![after, limit as i64])?;
    let (mut found, mut last) = (Vec::new(), after);
    while let Some(row) = rows.next()? {
        last = row.get(0)?;
        let location = message::locate(db, row.get(1)?)?;
        found.extend(location.filter(|it| it.environment == environment).map(|it| (last, it)));
    }
    Ok((found, last))
}

/// Looks at one message.
pub fn look<T>(db: &Db<'_>, location: &MessageLocation, look: impl FnOnce(&Seen<'_>) -> Result<T>) -> Result<T> {
    let mut get = db.conn.prepare_cached(&format!("SELECT {} FROM messages WHERE number = ?1", message::COLUMNS))?;
    let mut rows = get.query([location.number])?;
    match rows.next()? {
        Some(row) => look(&Seen { row, location: *location, has_further: true }),
        None => Err(crate::error::Error::unavailable("the database file is damaged: a message is missing")),
    }
}
