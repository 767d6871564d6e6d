//! Messages: appended by the runner, read by everybody.

use rusqlite::{OptionalExtension, params};

use super::message::{self, Place};
use super::{Db, Tx, environment, rows};
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::id;
use crate::model::environment::Environment;
use crate::model::message::StoredMessage;
use crate::model::outcomes::Message;
use crate::model::status::Reason;

/// Numbers for the messages of `count` users of a job, from `first_seq` on. Returns the first of them.
pub(in crate::store) fn append_range(tx: &Tx<'_>, job: i64, first_seq: u64, count: usize) -> Result<i64> {
    let mut last =
        tx.conn.prepare_cached("SELECT last_number FROM message_ranges ORDER BY first_number DESC LIMIT 1")?;
    let last: Option<i64> = last.query_row([], |row| row.get(0)).optional()?;
    let first_number = last.unwrap_or(0) + 1;
    let mut insert = tx.conn.prepare_cached(
        "INSERT INTO message_ranges (first_number, last_number, job, environment, first_seq, created_at)
         VALUES (?1, ?2, ?3, (SELECT environment FROM jobs WHERE job = ?3), ?4, ?5)",
    )?;
    let last_number = first_number + count as i64 - 1;
    insert.execute(params![first_number, last_number, job, first_seq, tx.now.millis()])?;
    Ok(first_number)
}

impl rows::Appended for Message<'_> {
    const INSERT: &'static str = "INSERT INTO messages (number, status, reason, error, channel, provider, \
                                  profile_version, recipient, address, subject, body, content)";
    const SHARED: usize = 6;
    const OWN: usize = 5;

    fn statements() -> &'static rows::Statements {
        static STATEMENTS: rows::Statements = rows::Statements::new();
        &STATEMENTS
    }

    fn shares(&self, other: &Self) -> bool {
        let shared = |it: &Self| {
            let delivery = it.delivery.map(|it| (it.channel, it.provider));
            (it.verdict, delivery, it.profile_version)
        };
        shared(self) == shared(other)
    }

    fn bind_shared(&self, row: &mut rows::Parameters<'_, '_>) -> rusqlite::Result<()> {
        row.bind(self.verdict.status.name())?;
        row.bind(self.verdict.reason.map(Reason::name))?;
        row.bind(self.verdict.error.as_deref())?;
        row.bind(self.delivery.map(|it| it.channel.name()))?;
        row.bind(self.delivery.map(|it| it.provider.name()))?;
        row.bind(self.profile_version)
    }

    fn bind_own(&self, row: &mut rows::Parameters<'_, '_>) -> rusqlite::Result<()> {
        row.bind(self.recipient)?;
        row.bind(self.delivery.map(|it| it.address))?;
        row.bind(self.delivery.and_then(|it| it.subject))?;
        row.bind(self.delivery.map(|it| it.body))?;
        row.bind(self.delivery.and_then(|it| it.content))
    }
}

/// Appends messages, numbered from `first_number` on, with what went out besides and what waits.
pub(in crate::store) fn append(tx: &Tx<'_>, first_number: i64, messages: &[Message<'_>]) -> Result<()> {
    rows::append(tx.conn, first_number, messages)?;
    for (number, message) in (first_number..).zip(messages) {
        append_further(tx, number, message)?;
    }
    Ok(())
}

fn append_further(tx: &Tx<'_>, number: i64, message: &Message<'_>) -> Result<()> {
    for (position, verdict, delivery) in message.further() {
        let mut insert = tx.conn.prepare_cached(
            "INSERT INTO deliveries
                 (number, position, status, reason, error, channel, provider, address, subject, body, content)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?;
        insert.execute(params![
            number,
            position,
            verdict.status.name(),
            verdict.reason.map(Reason::name),
            verdict.error,
            delivery.channel.name(),
            delivery.provider.name(),
            delivery.address,
            delivery.subject,
            delivery.body,
            delivery.content
        ])?;
    }
    if let Some(due_at) = message.due_at {
        let mut insert = tx.conn.prepare_cached("INSERT INTO delayed (number, due_at) VALUES (?1, ?2)")?;
        insert.execute(params![number, due_at])?;
    }
    Ok(())
}

/// Writes a message that has waited anew.
pub(in crate::store) fn rewrite(tx: &Tx<'_>, number: i64, message: &Message<'_>) -> Result<()> {
    let mut rewrite = tx.conn.prepare_cached(
        "UPDATE messages SET status = ?2, reason = ?3, error = ?4, channel = ?5, provider = ?6, address = ?7,
             subject = ?8, body = ?9, content = ?10, profile_version = ?11
         WHERE number = ?1",
    )?;
    let delivery = message.delivery.as_ref();
    rewrite.execute(params![
        number,
        message.verdict.status.name(),
        message.verdict.reason.map(Reason::name),
        message.verdict.error,
        delivery.map(|it| it.channel.name()),
        delivery.map(|it| it.provider.name()),
        delivery.map(|it| it.address),
        delivery.and_then(|it| it.subject),
        delivery.map(|it| it.body),
        delivery.and_then(|it| it.content),
        message.profile_version
    ])?;
    append_further(tx, number, message)
}

/// The part of all message ids of this file.
pub(in crate::store) fn tag(db: &Db<'_>) -> Result<String> {
    let mut tag = db.conn.prepare_cached("SELECT message_tag FROM file")?;
    Ok(tag.query_row([], |row| row.get(0))?)
}

/// The id of the message with this number.
pub(in crate::store) fn message_id(db: &Db<'_>, created_at: Timestamp, number: i64) -> Result<String> {
    Ok(id::message(&tag(db)?, created_at, number))
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
        let mut ranges = db.conn.prepare_cached(
            "SELECT first_number, first_seq, created_at FROM message_ranges
             WHERE job = ?1 AND first_seq < ?3 AND first_seq >= (
                 SELECT coalesce(max(first_seq), 0) FROM message_ranges WHERE job = ?1 AND first_seq <= ?2)
             ORDER BY first_seq",
        )?;
        let ranges = ranges.query_map(params![job, from_seq as i64, end as i64], |row| {
            Ok(Range { first_number: row.get(0)?, first_seq: row.get(1)?, created_at: Timestamp(row.get(2)?) })
        })?;
        Ok(MessageIds { tag: tag(db)?, ranges: ranges.collect::<rusqlite::Result<_>>()? })
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
    pub message: StoredMessage,
    pub job: i64,
    pub job_id: String,
}

/// What to list of the outbox.
#[derive(Debug, Default)]
pub struct Filter {
    pub job_id: Option<String>,
    pub number: Option<i64>,
    pub recipient: Option<String>,
    pub channel: Option<String>,
}

/// Which ranges are looked through, in the order in which they are written: those of one job by its index, or all by
/// their number. The joins are spelled out because a planner that sorts would have to read everything for one page.
const OF_ONE_JOB: &str = "jobs CROSS JOIN message_ranges ON message_ranges.job = jobs.job AND jobs.job_id = ?3";
const OF_ALL_JOBS: &str = "message_ranges CROSS JOIN jobs ON jobs.job = message_ranges.job";

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
    let Some(environment) = environment::find(db, environment)? else {
        return Ok((Vec::new(), false));
    };
    let (ranges, after_ranges, order) = match filter.job_id {
        Some(_) => (OF_ONE_JOB, "message_ranges.last_number >= ?2", "message_ranges.first_seq"),
        None => (
            OF_ALL_JOBS,
            "message_ranges.first_number >= (
                 SELECT coalesce(max(first_number), 0) FROM message_ranges
                 WHERE environment = ?1 AND first_number <= ?2)",
            "message_ranges.first_number",
        ),
    };
    let mut list = db.conn.prepare_cached(&format!(
        "SELECT {}, jobs.job, jobs.job_id, message_ranges.created_at,
             message_ranges.first_seq + messages.number - message_ranges.first_number AS seq
         FROM {ranges}
         CROSS JOIN messages ON messages.number
             BETWEEN max(message_ranges.first_number, ?2) AND min(message_ranges.last_number, ?7)
         WHERE message_ranges.environment = ?1 AND message_ranges.first_number <= ?7 AND {after_ranges}
           AND (?4 IS NULL OR messages.recipient = ?4)
           AND (?5 IS NULL OR messages.channel = ?5 OR EXISTS (
               SELECT 1 FROM deliveries WHERE deliveries.number = messages.number AND deliveries.channel = ?5))
         ORDER BY {order}, messages.number
         LIMIT ?6",
        message::COLUMNS
    ))?;
    let from = filter.number.unwrap_or(0).max(from);
    let (up_to, limit_and_one) = (filter.number.unwrap_or(i64::MAX), limit as i64 + 1);
    let values = params![environment, from, filter.job_id, filter.recipient, filter.channel, limit_and_one, up_to];
    let mut rows = list.query(values)?;
    let mut messages = Vec::new();
    let mut read = 0;
    while let Some(row) = rows.next()? {
        if messages.len() == limit || read >= bytes {
            return Ok((messages, true));
        }
        let found = message::from_row(row)?;
        let (job, job_id) = (row.get("job")?, row.get("job_id")?);
        let place = Place {
            number: found.number,
            job,
            environment,
            seq: row.get("seq")?,
            created_at: Timestamp(row.get("created_at")?),
        };
        let message = message::with_deliveries(db, &place, found)?;
        read += message.bytes();
        messages.push(OutboxMessage { message, job, job_id });
    }
    Ok((messages, false))
}
