//! What an environment has yet to do: the jobs that are being processed, the messages and events that are due, and when
//! the next one will be. Asked by requests that wait until it has settled, and by the thread that moves the clock.

use rusqlite::params;

use super::engine::Db;
use super::webhook_event::{self, QUEUE_EVENTS};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::model::environment::EnvironmentRow;
use crate::model::row::{JobRow, MessageEventRow, WebhookRow};

/// The environment of the message with a number. A message that is gone, or is being dropped, has none.
const ENVIRONMENT_OF: &str = "(SELECT environment FROM (
         SELECT last_number, job, environment FROM message_ranges
         WHERE first_number <= it.number ORDER BY first_number DESC LIMIT 1)
     WHERE last_number >= it.number AND job NOT IN (SELECT job FROM jobs WHERE dropped_at IS NOT NULL))";

/// A job that is being processed.
#[derive(Clone, Copy, Debug)]
pub struct ProcessingJob {
    pub job: JobRow,
    pub received: u64,
    /// Users that were processed.
    pub drained: u64,
}

/// Whether nothing goes on in an environment: no job is being processed, no message is due, and its webhooks have every
/// event, or have given it up. What waits for a later time counts as settled.
pub fn has_settled(db: &Db<'_>, environment: EnvironmentRow) -> Result<bool> {
    is_quiet(db, environment, |_| false, |_| false)
}

/// Whether nothing is to be done in an environment now: its jobs are as far as they may be, no message is due, and its
/// webhooks have every event, or wait for the time of another attempt.
pub fn is_done_for_now(
    db: &Db<'_>,
    environment: EnvironmentRow,
    may_rest: impl Fn(&ProcessingJob) -> bool,
) -> Result<bool> {
    is_quiet(db, environment, may_rest, |at| at > db.now)
}

/// Whether nothing goes on, except jobs that may rest, and events that may wait for another attempt at this moment.
fn is_quiet(
    db: &Db<'_>,
    environment: EnvironmentRow,
    may_rest: impl Fn(&ProcessingJob) -> bool,
    may_wait: impl Fn(Timestamp) -> bool,
) -> Result<bool> {
    Ok(first_message(db, environment, db.now)?.is_none()
        && processing(db, environment)?.iter().all(may_rest)
        && first_event(db, environment)?.is_none_or(may_wait)
        && !is_any_untold(db, environment)?)
}

/// When something of an environment is due next. That may be in the past.
pub fn next_at(db: &Db<'_>, environment: EnvironmentRow) -> Result<Option<Timestamp>> {
    let of_messages = first_message(db, environment, Timestamp(i64::MAX))?;
    Ok(of_messages.into_iter().chain(first_event(db, environment)?).min())
}

/// When the first of an environment's messages is due: it goes out then, or comes to its end.
fn first_message(db: &Db<'_>, environment: EnvironmentRow, by: Timestamp) -> Result<Option<Timestamp>> {
    let mut first = db.conn.prepare_cached(&format!(
        "SELECT min(at) FROM (
             SELECT min(due_at) AS at FROM (
                 SELECT due_at FROM delayed AS it WHERE due_at <= ?2 AND {ENVIRONMENT_OF} = ?1 ORDER BY due_at LIMIT 1)
             UNION ALL
             SELECT min(due_at) FROM (
                 SELECT due_at FROM endings AS it WHERE due_at <= ?2 AND {ENVIRONMENT_OF} = ?1 ORDER BY due_at LIMIT 1))"
    ))?;
    let first: Option<i64> = first.query_row(params![environment, by.millis()], |row| row.get(0))?;
    Ok(first.map(Timestamp))
}

/// When the first attempt to deliver an event is due, if any event waits for one. Those of one message follow one another.
fn first_event(db: &Db<'_>, environment: EnvironmentRow) -> Result<Option<Timestamp>> {
    let mut first = db.conn.prepare_cached(
        "SELECT min(next_at) FROM webhooks CROSS JOIN webhook_events AS it USING (webhook)
         WHERE it.status = 'PENDING'
           AND (environment = ?1 OR environment IS NULL AND ?1 = (
               SELECT environment FROM message_ranges
               WHERE first_number <= it.number ORDER BY first_number DESC LIMIT 1))
           AND NOT EXISTS (
               SELECT 1 FROM webhook_events AS earlier
               WHERE earlier.webhook = it.webhook AND earlier.status = 'PENDING' AND earlier.number = it.number
                 AND earlier.webhook_event < it.webhook_event)",
    )?;
    let first: Option<i64> = first.query_row([environment], |row| row.get(0))?;
    Ok(first.map(Timestamp))
}

/// Whether a webhook has yet to get an event of an environment. One with a full queue gets it when there is room again.
fn is_any_untold(db: &Db<'_>, environment: EnvironmentRow) -> Result<bool> {
    let mut webhooks = db.conn.prepare_cached(
        "SELECT webhook, last_number, last_event FROM webhooks WHERE environment = ?1 OR environment IS NULL",
    )?;
    // There are no events of messages that could not be made, or that are being dropped.
    let mut messages = db.conn.prepare_cached(
        "SELECT 1 FROM message_ranges
         CROSS JOIN jobs ON jobs.job = message_ranges.job
         CROSS JOIN messages ON messages.number
             BETWEEN max(message_ranges.first_number, ?2 + 1) AND message_ranges.last_number
         WHERE message_ranges.environment = ?1 AND jobs.dropped_at IS NULL AND message_ranges.first_number >= (
             SELECT coalesce(max(first_number), 0) FROM message_ranges WHERE environment = ?1 AND first_number <= ?2)
         LIMIT 1",
    )?;
    let mut events = db.conn.prepare_cached(&format!(
        "SELECT 1 FROM message_events AS it WHERE event > ?2 AND {ENVIRONMENT_OF} = ?1 LIMIT 1"
    ))?;
    let mut rows = webhooks.query([environment])?;
    while let Some(row) = rows.next()? {
        let (webhook, number, event): (WebhookRow, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        if (messages.exists(params![environment, number])? || events.exists(params![environment, event])?)
            && webhook_event::count_pending(db, webhook)? + 1 < QUEUE_EVENTS
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The jobs of an environment that are being processed.
pub fn processing(db: &Db<'_>, environment: EnvironmentRow) -> Result<Vec<ProcessingJob>> {
    let mut list = db.conn.prepare_cached(
        "SELECT job, received, drained FROM jobs
         WHERE status = 'PROCESSING' AND environment = ?1 AND dropped_at IS NULL",
    )?;
    let jobs = list.query_map([environment], |row| {
        Ok(ProcessingJob { job: row.get(0)?, received: row.get(1)?, drained: row.get(2)? })
    })?;
    Ok(jobs.collect::<rusqlite::Result<_>>()?)
}

/// The last event of any message.
pub fn last_event(db: &Db<'_>) -> Result<MessageEventRow> {
    let mut last = db.conn.prepare_cached("SELECT coalesce(max(event), 0) FROM message_events")?;
    Ok(last.query_row([], |row| row.get(0))?)
}

/// What has happened to messages of an environment after an event, except those that were canceled: how many waiting
/// ones were sent or refused, and how often something happened to one that had gone out.
pub fn count_happened(db: &Db<'_>, environment: EnvironmentRow, after: MessageEventRow) -> Result<(u64, u64)> {
    // If the message did not wait, the first of two events tells what it began as.
    let mut count = db.conn.prepare_cached(&format!(
        "SELECT count(*) FILTER (WHERE is_first AND NOT is_beginning), count(*) FILTER (WHERE NOT is_first) FROM (
             SELECT NOT EXISTS (
                     SELECT 1 FROM message_events AS earlier
                     WHERE earlier.number = it.number AND earlier.event < it.event) AS is_first,
                 EXISTS (
                     SELECT 1 FROM message_events AS later
                     WHERE later.number = it.number AND later.event > it.event)
                 AND created_at = (
                     SELECT created_at FROM message_ranges
                     WHERE first_number <= it.number ORDER BY first_number DESC LIMIT 1) AS is_beginning
             FROM message_events AS it WHERE event > ?2 AND status <> 'CANCELED' AND {ENVIRONMENT_OF} = ?1)"
    ))?;
    Ok(count.query_row(params![environment, after], |row| Ok((row.get(0)?, row.get(1)?)))?)
}

/// How many idempotency keys of an environment expire between two moments.
pub fn count_expiring(db: &Db<'_>, environment: EnvironmentRow, after: Timestamp, by: Timestamp) -> Result<u64> {
    let mut count = db.conn.prepare_cached(
        "SELECT count(*) FROM idempotency_keys WHERE environment = ?1 AND expires_at > ?2 AND expires_at <= ?3",
    )?;
    Ok(count.query_row(params![environment, after.millis(), by.millis()], |row| row.get(0))?)
}
