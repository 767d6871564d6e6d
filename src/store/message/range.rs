//! Ranges of messages: which numbers belong to which job.

use std::ops::Range;

use rusqlite::{OptionalExtension, Row, params};

use crate::clock::Timestamp;
use crate::error::Result;
use crate::model::environment::EnvironmentRow;
use crate::model::row::{JobRow, MessageNumber};
use crate::store::engine::{Db, Tx};
use crate::store::number;

/// Where a message stands.
#[derive(Clone, Copy, Debug)]
pub struct MessageLocation {
    pub number: MessageNumber,
    pub job: JobRow,
    /// The job's.
    pub environment: EnvironmentRow,
    pub seq: u64,
    pub created_at: Timestamp,
}

/// Where the message of a row stands. The row has its `number`, and `job`, `seq` and `created_at` of its range.
pub(in crate::store) fn located(row: &Row<'_>, environment: EnvironmentRow) -> rusqlite::Result<MessageLocation> {
    Ok(MessageLocation {
        number: row.get("number")?,
        job: row.get("job")?,
        environment,
        seq: row.get("seq")?,
        created_at: Timestamp(row.get("created_at")?),
    })
}

/// Messages that were made in one commit, from this one on.
pub struct MessageRange {
    pub first_number: MessageNumber,
    pub first_seq: u64,
    pub created_at: Timestamp,
}

/// The last number that was given to a message, 0 before the first.
pub fn last_number(db: &Db<'_>) -> Result<MessageNumber> {
    let mut last =
        db.conn.prepare_cached("SELECT last_number FROM message_ranges ORDER BY first_number DESC LIMIT 1")?;
    let last: Option<i64> = last.query_row([], |row| row.get(0)).optional()?;
    Ok(MessageNumber(last.unwrap_or(0).max(number::last_dropped_message(db.conn)?)))
}

/// Numbers for the messages of `count` users of a job, from `first_seq` on. Returns the first of them.
pub(in crate::store) fn append_range(tx: &Tx<'_>, job: JobRow, first_seq: u64, count: usize) -> Result<MessageNumber> {
    let first_number = last_number(tx)?.0 + 1;
    let mut insert = tx.conn.prepare_cached(
        "INSERT INTO message_ranges (first_number, last_number, job, environment, first_seq, created_at)
         VALUES (?1, ?2, ?3, (SELECT environment FROM jobs WHERE job = ?3), ?4, ?5)",
    )?;
    let last_number = first_number + count as i64 - 1;
    insert.execute(params![first_number, last_number, job, first_seq, tx.now.millis()])?;
    Ok(MessageNumber(first_number))
}

/// The location of the message with this number, unless it is being dropped.
pub fn locate(db: &Db<'_>, number: MessageNumber) -> Result<Option<MessageLocation>> {
    let mut find = db.conn.prepare_cached(
        "SELECT job, environment, first_seq + ?1 - first_number, created_at FROM (
             SELECT * FROM message_ranges WHERE first_number <= ?1 ORDER BY first_number DESC LIMIT 1) AS found
         WHERE last_number >= ?1 AND EXISTS (SELECT 1 FROM messages WHERE number = ?1)
             AND (SELECT dropped_at FROM jobs WHERE jobs.job = found.job) IS NULL",
    )?;
    let location = find.query_row([number], |row| {
        Ok(MessageLocation {
            number,
            job: row.get(0)?,
            environment: row.get(1)?,
            seq: row.get(2)?,
            created_at: Timestamp(row.get(3)?),
        })
    });
    Ok(location.optional()?)
}

/// The ranges in which the messages of a run of a job's users are.
pub(in crate::store) fn list_ranges(db: &Db<'_>, job: JobRow, seqs: Range<u64>) -> Result<Vec<MessageRange>> {
    let mut ranges = db.conn.prepare_cached(
        "SELECT first_number, first_seq, created_at FROM message_ranges
         WHERE job = ?1 AND first_seq < ?3 AND first_seq >= (
             SELECT coalesce(max(first_seq), 0) FROM message_ranges WHERE job = ?1 AND first_seq <= ?2)
         ORDER BY first_seq",
    )?;
    let ranges = ranges.query_map(params![job, seqs.start as i64, seqs.end as i64], |row| {
        Ok(MessageRange { first_number: row.get(0)?, first_seq: row.get(1)?, created_at: Timestamp(row.get(2)?) })
    })?;
    Ok(ranges.collect::<rusqlite::Result<_>>()?)
}
