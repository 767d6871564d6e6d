//! Messages: appended by the runner, read by everybody.

use rusqlite::{OptionalExtension, params};

use super::{Db, Tx, rows};
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::id;
use crate::model::environment::Environment;
use crate::model::outbox::Message;

/// Numbers for the messages of `count` users of a job, from `first_seq` on. Returns the first of them.
pub(in crate::store) fn append_range(tx: &Tx<'_>, job: i64, first_seq: u64, count: usize) -> Result<i64> {
    let mut last =
        tx.conn.prepare_cached("SELECT last_number FROM message_ranges ORDER BY first_number DESC LIMIT 1")?;
    let last: Option<i64> = last.query_row([], |row| row.get(0)).optional()?;
    let first_number = last.unwrap_or(0) + 1;
    let mut insert = tx.conn.prepare_cached(
        "INSERT INTO message_ranges (first_number, last_number, job, first_seq, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    let last_number = first_number + count as i64 - 1;
    insert.execute(params![first_number, last_number, job, first_seq, tx.now.millis()])?;
    Ok(first_number)
}

/// Appends messages, numbered from `first_number` on.
pub(in crate::store) fn append(tx: &Tx<'_>, first_number: i64, messages: &[Message<'_>]) -> Result<()> {
    let insert = "INSERT INTO messages (number, recipient, channel, address, status, subject, body)";
    rows::append(tx.conn, insert, 6, first_number, messages, |message, row| {
        row.bind(message.recipient)?;
        row.bind(message.channel.name())?;
        row.bind(message.address)?;
        row.bind(message.status.name())?;
        row.bind(message.subject)?;
        row.bind(message.body)
    })
}

/// The message ids of a run of a job's users.
pub(in crate::store) struct MessageIds {
    tag: String,
    ranges: Vec<Range>,
}

struct Range {
    first_number: i64,
    first_seq: u64,
    created_at: Timestamp,
}

impl MessageIds {
    pub(in crate::store) fn load(db: &Db<'_>, job: i64, from_seq: u64, end: u64) -> Result<Self> {
        let mut tag = db.conn.prepare_cached("SELECT message_tag FROM file")?;
        let tag = tag.query_row([], |row| row.get(0))?;
        let mut ranges = db.conn.prepare_cached(
            "SELECT first_number, first_seq, created_at FROM message_ranges
             WHERE job = ?1 AND first_seq < ?3 AND first_seq >= (
                 SELECT coalesce(max(first_seq), 0) FROM message_ranges WHERE job = ?1 AND first_seq <= ?2)
             ORDER BY first_seq",
        )?;
        let ranges = ranges.query_map(params![job, from_seq as i64, end as i64], |row| {
            Ok(Range { first_number: row.get(0)?, first_seq: row.get(1)?, created_at: Timestamp(row.get(2)?) })
        })?;
        Ok(MessageIds { tag, ranges: ranges.collect::<rusqlite::Result<_>>()? })
    }

    /// The id of the message of the user at `seq`, which has to have one.
    pub(in crate::store) fn of(&self, seq: u64) -> Result<String> {
        let after = self.ranges.partition_point(|range| range.first_seq <= seq);
        let range = after.checked_sub(1).and_then(|i| self.ranges.get(i));
        let range = range.ok_or_else(|| Error::internal("a drained user without a message"))?;
        Ok(id::message(&self.tag, range.created_at, range.first_number + (seq - range.first_seq) as i64))
    }
}

/// A message as the outbox shows it.
pub struct OutboxMessage {
    pub number: i64,
    pub message_id: String,
    pub job_id: String,
    pub recipient: String,
    pub channel: String,
    pub address: String,
    pub status: String,
    pub subject: Option<String>,
    pub body: String,
    pub created_at: Timestamp,
}

/// What to list of the outbox.
#[derive(Debug, Default)]
pub struct Filter {
    pub job_id: Option<String>,
    pub recipient: Option<String>,
    pub channel: Option<String>,
}

const COLUMNS: &str = "messages.number, file.message_tag, jobs.job_id, messages.recipient, messages.channel, \
                       messages.address, messages.status, messages.subject, messages.body, message_ranges.created_at";

/// Which ranges are looked through, in the order in which they are written: those of one job by its index, or all by
/// their number. The joins are spelled out because a planner that sorts would have to read everything for one page.
const OF_ONE_JOB: &str = "jobs CROSS JOIN message_ranges ON message_ranges.job = jobs.job AND jobs.job_id = ?3
    CROSS JOIN environments ON environments.environment = jobs.environment";
const OF_ALL_JOBS: &str = "message_ranges CROSS JOIN jobs ON jobs.job = message_ranges.job
    CROSS JOIN environments ON environments.environment = jobs.environment";

/// Messages of an environment in the order of commit: those from the number `from` on, at most `limit`, and not much
/// more than `bytes` of text; and whether there are more. No index serves recipient and channel: the ranges are read
/// through.
pub fn list(
    db: &Db<'_>,
    environment: &Environment,
    filter: &Filter,
    from: i64,
    limit: usize,
    bytes: usize,
) -> Result<(Vec<OutboxMessage>, bool)> {
    let (ranges, after_ranges, order) = match filter.job_id {
        Some(_) => (OF_ONE_JOB, "message_ranges.last_number >= ?2", "message_ranges.first_seq"),
        None => (
            OF_ALL_JOBS,
            "?3 IS NULL AND message_ranges.first_number >= (
                 SELECT coalesce(max(first_number), 0) FROM message_ranges WHERE first_number <= ?2)",
            "message_ranges.first_number",
        ),
    };
    let mut list = db.conn.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM {ranges}
         CROSS JOIN messages ON messages.number
             BETWEEN max(message_ranges.first_number, ?2) AND message_ranges.last_number
         CROSS JOIN file
         WHERE environments.key_hash = ?1 AND {after_ranges}
           AND (?4 IS NULL OR messages.recipient = ?4)
           AND (?5 IS NULL OR messages.channel = ?5)
         ORDER BY {order}, messages.number
         LIMIT ?6"
    ))?;
    let mut rows = list.query(params![
        environment.key_hash,
        from,
        filter.job_id,
        filter.recipient,
        filter.channel,
        limit as i64 + 1
    ])?;
    let mut messages = Vec::new();
    let mut read = 0;
    while let Some(row) = rows.next()? {
        if messages.len() == limit || read >= bytes {
            return Ok((messages, true));
        }
        let number = row.get(0)?;
        let tag: String = row.get(1)?;
        let created_at = Timestamp(row.get(9)?);
        let message = OutboxMessage {
            number,
            message_id: id::message(&tag, created_at, number),
            job_id: row.get(2)?,
            recipient: row.get(3)?,
            channel: row.get(4)?,
            address: row.get(5)?,
            status: row.get(6)?,
            subject: row.get(7)?,
            body: row.get(8)?,
            created_at,
        };
        let texts = [&message.recipient, &message.address, &message.body];
        read += texts.map(String::len).iter().sum::<usize>() + message.subject.as_ref().map_or(0, String::len);
        messages.push(message);
    }
    Ok((messages, false))
}
