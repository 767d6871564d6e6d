//! What an environment is waiting for: messages and events whose time has come, and when the next one's comes.

use rusqlite::params;

use super::engine::Db;
use super::webhook_event::QUEUE_EVENTS;
use super::{job, webhook};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::model::bulk::Job;
use crate::model::environment::EnvironmentRow;
use crate::model::row::MessageEventRow;

/// The environment of the message with a number. One that is gone, or is being dropped, has none.
const ENVIRONMENT_OF: &str = "(SELECT environment FROM (
         SELECT last_number, job, environment FROM message_ranges
         WHERE first_number <= it.number ORDER BY first_number DESC LIMIT 1)
     WHERE last_number >= it.number AND job NOT IN (SELECT job FROM jobs WHERE dropped_at IS NOT NULL))";

/// When the next message or event of an environment is due, also if that is past.
pub fn next_at(db: &Db<'_>, environment: EnvironmentRow) -> Result<Option<Timestamp>> {
    let mut next = db.conn.prepare_cached(&format!(
        "SELECT min(at) FROM (
             SELECT min(due_at) AS at FROM (
                 SELECT due_at FROM delayed AS it WHERE {ENVIRONMENT_OF} = ?1 ORDER BY due_at LIMIT 1)
             UNION ALL
             SELECT min(next_at) FROM webhook_events AS it JOIN webhooks USING (webhook)
             WHERE it.status = 'PENDING' AND (environment IS NULL OR environment = ?1) AND NOT EXISTS (
                 SELECT 1 FROM webhook_events AS earlier
                 WHERE earlier.webhook = it.webhook AND earlier.status = 'PENDING' AND earlier.number = it.number
                   AND earlier.webhook_event < it.webhook_event))"
    ))?;
    let next: Option<i64> = next.query_row([environment], |row| row.get(0))?;
    Ok(next.map(Timestamp))
}

/// Whether a webhook has yet to be told of something that has come to pass in an environment.
pub fn is_any_untold(db: &Db<'_>, environment: EnvironmentRow) -> Result<bool> {
    let mut messages = db.conn.prepare_cached(
        "SELECT EXISTS (
             SELECT 1 FROM message_ranges AS range JOIN jobs USING (job)
             CROSS JOIN messages ON number BETWEEN max(first_number, ?2 + 1) AND last_number
             WHERE range.environment = ?1 AND last_number > ?2 AND dropped_at IS NULL)",
    )?;
    let mut events = db.conn.prepare_cached(&format!(
        "SELECT EXISTS (SELECT 1 FROM message_events AS it WHERE event > ?2 AND {ENVIRONMENT_OF} = ?1)"
    ))?;
    for webhook in webhook::list(db, environment)? {
        if webhook::queue(db, webhook.webhook)?.pending + 1 >= QUEUE_EVENTS {
            continue;
        }
        let position = webhook.position;
        let is_behind = messages.query_row(params![environment, position.number], |row| row.get::<_, bool>(0))?
            || events.query_row(params![environment, position.event], |row| row.get::<_, bool>(0))?;
        if is_behind {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The jobs of an environment that are being processed.
pub fn processing(db: &Db<'_>, environment: EnvironmentRow) -> Result<Vec<Job>> {
    let jobs = job::list_processing(db)?.into_iter().map(|row| Ok(job::get_by_number(db, row)?.0));
    let jobs = jobs.collect::<Result<Vec<Job>>>()?;
    Ok(jobs.into_iter().filter(|job| job.environment == environment).collect())
}

/// The last thing that has happened to a message.
pub fn last_event(db: &Db<'_>) -> Result<MessageEventRow> {
    let mut last = db.conn.prepare_cached("SELECT coalesce(max(event), 0) FROM message_events")?;
    Ok(last.query_row([], |row| row.get(0))?)
}

/// How many messages of an environment that waited were sent after that, or refused.
pub fn count_sent(db: &Db<'_>, environment: EnvironmentRow, after: MessageEventRow) -> Result<u64> {
    let mut count = db.conn.prepare_cached(&format!(
        "SELECT count(*) FROM message_events AS it WHERE event > ?2 AND status <> 'CANCELED' AND {ENVIRONMENT_OF} = ?1"
    ))?;
    Ok(count.query_row(params![environment, after], |row| row.get(0))?)
}

/// How many idempotency keys of an environment expire between two moments.
pub fn count_expiring(db: &Db<'_>, environment: EnvironmentRow, after: Timestamp, by: Timestamp) -> Result<u64> {
    let mut count = db.conn.prepare_cached(
        "SELECT count(*) FROM idempotency_keys WHERE environment = ?1 AND expires_at > ?2 AND expires_at <= ?3",
    )?;
    Ok(count.query_row(params![environment, after.millis(), by.millis()], |row| row.get(0))?)
}
