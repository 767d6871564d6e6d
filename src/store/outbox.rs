//! The outbox: messages in the order of commit.

use rusqlite::params;

use super::engine::Db;
use super::message::{self, MessageLocation};
use super::page::Page;
use crate::clock::Timestamp;
use crate::error::Result;
use crate::model::environment::EnvironmentRow;
use crate::model::message::StoredMessage;
use crate::model::row::{JobRow, MessageNumber};

/// A message as the outbox shows it.
pub struct OutboxMessage {
    pub message: StoredMessage,
    pub job: JobRow,
    pub job_id: String,
}

/// What to list of the outbox.
#[derive(Debug, Default)]
pub struct OutboxFilter {
    pub job_id: Option<String>,
    pub number: Option<MessageNumber>,
    pub recipient: Option<String>,
    pub channel: Option<String>,
}

/// Which ranges are looked through, in the order in which they are written: those of one job by its index, or all by
/// their number. The joins are spelled out because a planner that sorts would have to read everything for one page.
const OF_ONE_JOB: &str = "jobs CROSS JOIN message_ranges ON message_ranges.job = jobs.job AND jobs.job_id = ?3";
const OF_ALL_JOBS: &str = "message_ranges CROSS JOIN jobs ON jobs.job = message_ranges.job";

/// Messages of an environment in the order of commit: those from the number `from` on, at most `limit`, and not much
/// more than `bytes` of text. No index serves recipient and channel: the ranges are read
/// through.
pub fn list(
    db: &Db<'_>,
    environment: EnvironmentRow,
    filter: &OutboxFilter,
    from: MessageNumber,
    limit: usize,
    bytes: usize,
) -> Result<Page<OutboxMessage, MessageNumber>> {
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
         WHERE message_ranges.environment = ?1 AND jobs.dropped_at IS NULL AND message_ranges.first_number <= ?7 AND {after_ranges}
           AND (?4 IS NULL OR messages.recipient = ?4)
           AND (?5 IS NULL OR messages.channel = ?5 OR EXISTS (
               SELECT 1 FROM deliveries WHERE deliveries.number = messages.number AND deliveries.channel = ?5))
         ORDER BY {order}, messages.number
         LIMIT ?6",
        message::COLUMNS
    ))?;
    let from = filter.number.map_or(from, |number| number.max(from));
    let (up_to, limit_and_one) = (filter.number.unwrap_or(MessageNumber(i64::MAX)), limit as i64 + 1);
    let values = params![environment, from, filter.job_id, filter.recipient, filter.channel, limit_and_one, up_to];
    let mut rows = list.query(values)?;
    let mut messages = Vec::new();
    let mut read = 0;
    while let Some(row) = rows.next()? {
        if messages.len() == limit || read >= bytes {
            // Right behind the last one, also under another filter.
            let next = messages.last().map(|it: &OutboxMessage| MessageNumber(it.message.number.0 + 1));
            return Ok(Page { items: messages, next });
        }
        let found = message::from_row(row)?;
        let (job, job_id) = (row.get("job")?, row.get("job_id")?);
        let location = MessageLocation {
            number: found.number,
            job,
            environment,
            seq: row.get("seq")?,
            created_at: Timestamp(row.get("created_at")?),
        };
        let message = message::with_deliveries(db, &location, found)?;
        read += message.bytes();
        messages.push(OutboxMessage { message, job, job_id });
    }
    Ok(Page { items: messages, next: None })
}
