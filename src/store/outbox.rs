//! The outbox: messages in the order of commit.

use rusqlite::params;

use super::engine::Db;
use super::message::{self, MessageLocation};
use super::page::Page;
use crate::error::Result;
use crate::model::environment::EnvironmentRow;
use crate::model::message::{StoredDelivery, StoredMessage};
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
    pub delivery: DeliveryFilter,
}

/// Conditions on a message's deliveries. One delivery has to meet all of them. A message that did not go out only has a
/// status.
#[derive(Debug, Default)]
pub struct DeliveryFilter {
    pub channel: Option<String>,
    pub provider: Option<String>,
    pub status: Option<String>,
}

impl DeliveryFilter {
    pub fn matches(&self, delivery: &StoredDelivery) -> bool {
        let is = |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|wanted| wanted == found);
        is(&self.channel, delivery.channel.name())
            && is(&self.provider, delivery.provider.name())
            && is(&self.status, delivery.status.name())
    }
}

/// The end from which a page of the outbox is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    OldestFirst,
    NewestFirst,
}

/// How long a page may get.
#[derive(Clone, Copy, Debug)]
pub struct PageLimits {
    pub messages: usize,
    /// About as many bytes of text.
    pub bytes: usize,
}

/// The ranges that are read, in the order in which they are written: those of one job by its index, or all by their
/// number. The order of the joins is fixed, because a planner that sorts would have to read everything for one page.
const OF_ONE_JOB: &str = "jobs CROSS JOIN message_ranges ON message_ranges.job = jobs.job AND jobs.job_id = ?3";
const OF_ALL_JOBS: &str = "message_ranges CROSS JOIN jobs ON jobs.job = message_ranges.job";

/// Messages of an environment in the order of commit, from either end: those with numbers of this range, at most so
/// many, and not much more than so many bytes of text. No index serves the filter: the ranges are read through.
pub fn list(
    db: &Db<'_>,
    environment: EnvironmentRow,
    filter: &OutboxFilter,
    numbers: (MessageNumber, MessageNumber),
    order: Order,
    limits: PageLimits,
) -> Result<Page<OutboxMessage, MessageNumber>> {
    let (ranges, after_ranges, by) = match filter.job_id {
        Some(_) => (OF_ONE_JOB, "message_ranges.last_number >= ?2", "message_ranges.first_seq"),
        None => (
            OF_ALL_JOBS,
            "message_ranges.first_number >= (
                 SELECT coalesce(max(first_number), 0) FROM message_ranges
                 WHERE environment = ?1 AND first_number <= ?2)",
            "message_ranges.first_number",
        ),
    };
    let direction = if order == Order::OldestFirst { "" } else { "DESC" };
    let mut list = db.conn.prepare_cached(&format!(
        "SELECT {}, jobs.job, jobs.job_id, message_ranges.created_at,
             message_ranges.first_seq + messages.number - message_ranges.first_number AS seq
         FROM {ranges}
         CROSS JOIN messages ON messages.number
             BETWEEN max(message_ranges.first_number, ?2) AND min(message_ranges.last_number, ?7)
         WHERE message_ranges.environment = ?1 AND jobs.dropped_at IS NULL AND message_ranges.first_number <= ?7 AND {after_ranges}
           AND (?4 IS NULL OR messages.recipient = ?4)
           AND ((?5 IS NULL OR messages.channel = ?5) AND (?8 IS NULL OR messages.provider = ?8)
                   AND (?9 IS NULL OR messages.status = ?9)
               OR EXISTS (
                   SELECT 1 FROM deliveries WHERE deliveries.number = messages.number
                       AND (?5 IS NULL OR deliveries.channel = ?5) AND (?8 IS NULL OR deliveries.provider = ?8)
                       AND (?9 IS NULL OR deliveries.status = ?9)))
         ORDER BY {by} {direction}, messages.number {direction}
         LIMIT ?6",
        message::COLUMNS
    ))?;
    let (from, up_to) = numbers;
    let from = filter.number.map_or(from, |number| number.max(from));
    let up_to = filter.number.map_or(up_to, |number| number.min(up_to));
    let DeliveryFilter { channel, provider, status } = &filter.delivery;
    let values = params![
        environment,
        from,
        filter.job_id,
        filter.recipient,
        channel,
        i64::try_from(limits.messages).unwrap_or(i64::MAX).saturating_add(1),
        up_to,
        provider,
        status
    ];
    let mut found = list.query(values)?;
    let mut messages = Vec::new();
    let (mut read, mut last) = (0, MessageNumber(0));
    while let Some(row) = found.next()? {
        if messages.len() == limits.messages || read >= limits.bytes {
            // Right behind the last one, also under another filter.
            let next = last.0 + if order == Order::OldestFirst { 1 } else { -1 };
            return Ok(Page { items: messages, next: Some(MessageNumber(next)) });
        }
        let location = message::located(row, environment)?;
        last = location.number;
        let message = message::with_deliveries(db, &location, message::from_row(row)?)?;
        read += message.bytes();
        messages.push(OutboxMessage { message, job: location.job, job_id: row.get("job_id")? });
    }
    Ok(Page { items: messages, next: None })
}

/// The message there, as the outbox shows it.
pub fn get(db: &Db<'_>, location: &MessageLocation) -> Result<OutboxMessage> {
    let message = message::with_deliveries(db, location, message::get_row(db, location.number)?)?;
    with_job(db, location.job, message)
}

pub(in crate::store) fn with_job(db: &Db<'_>, job: JobRow, message: StoredMessage) -> Result<OutboxMessage> {
    let mut job_id = db.conn.prepare_cached("SELECT job_id FROM jobs WHERE job = ?1")?;
    let job_id = job_id.query_row([job], |row| row.get(0))?;
    Ok(OutboxMessage { message, job, job_id })
}
