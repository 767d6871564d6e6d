//! Whether an environment has come to rest.

use rusqlite::params;

use super::engine::Db;
use crate::error::Result;
use crate::model::environment::EnvironmentRow;

/// Whether no job of an environment is being processed, no message is due, and its webhooks were told all or have given it
/// up. What waits for a later time is at rest.
pub fn is_settled(db: &Db<'_>, environment: EnvironmentRow) -> Result<bool> {
    Ok(!(is_processing(db, environment)? || is_due(db, environment)? || has_untold(db, environment)?))
}

fn is_processing(db: &Db<'_>, environment: EnvironmentRow) -> Result<bool> {
    let mut processing = db.conn.prepare_cached(
        "SELECT 1 FROM jobs WHERE status = 'PROCESSING' AND environment = ?1 AND dropped_at IS NULL LIMIT 1",
    )?;
    Ok(processing.exists([environment])?)
}

/// A message that is being dropped waits for nothing.
fn is_due(db: &Db<'_>, environment: EnvironmentRow) -> Result<bool> {
    let mut due = db.conn.prepare_cached(
        "SELECT 1 FROM delayed
         JOIN message_ranges ON message_ranges.first_number = (
             SELECT max(first_number) FROM message_ranges WHERE first_number <= delayed.number)
         JOIN jobs ON jobs.job = message_ranges.job
         WHERE due_at <= ?2 AND message_ranges.environment = ?1 AND jobs.dropped_at IS NULL LIMIT 1",
    )?;
    Ok(due.exists(params![environment, db.now.millis()])?)
}

/// Whether a webhook has an event of this environment in its queue, or has not come as far as its messages and what happened
/// to them.
fn has_untold(db: &Db<'_>, environment: EnvironmentRow) -> Result<bool> {
    let mut webhooks = db.conn.prepare_cached(
        "SELECT webhook, environment IS NULL, last_number, last_event FROM webhooks
         WHERE environment = ?1 OR environment IS NULL",
    )?;
    let mut queued = db.conn.prepare_cached(
        "SELECT 1 FROM webhook_events
         WHERE webhook = ?1 AND status = 'PENDING' AND (?2 = 0 OR ?3 = (
             SELECT environment FROM message_ranges
             WHERE first_number <= webhook_events.number ORDER BY first_number DESC LIMIT 1)) LIMIT 1",
    )?;
    // Of messages that could not be made, and of those that are being dropped, nothing is told.
    let mut messages = db.conn.prepare_cached(
        "SELECT 1 FROM message_ranges
         CROSS JOIN jobs ON jobs.job = message_ranges.job
         CROSS JOIN messages ON messages.number
             BETWEEN max(message_ranges.first_number, ?2 + 1) AND message_ranges.last_number
         WHERE message_ranges.environment = ?1 AND jobs.dropped_at IS NULL AND message_ranges.first_number >= (
             SELECT coalesce(max(first_number), 0) FROM message_ranges WHERE environment = ?1 AND first_number <= ?2)
         LIMIT 1",
    )?;
    let mut events = db.conn.prepare_cached(
        "SELECT 1 FROM message_events
         JOIN message_ranges ON message_ranges.first_number = (
             SELECT max(first_number) FROM message_ranges WHERE first_number <= message_events.number)
         JOIN jobs ON jobs.job = message_ranges.job
         WHERE event > ?2 AND message_ranges.environment = ?1 AND jobs.dropped_at IS NULL LIMIT 1",
    )?;
    let mut rows = webhooks.query([environment])?;
    while let Some(row) = rows.next()? {
        let (webhook, of_all, number, event): (i64, bool, i64, i64) =
            (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        if queued.exists(params![webhook, of_all, environment])?
            || messages.exists(params![environment, number])?
            || events.exists(params![environment, event])?
        {
            return Ok(true);
        }
    }
    Ok(false)
}
