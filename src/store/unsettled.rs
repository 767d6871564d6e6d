//! What keeps an environment from settling, by name: for tests that have waited in vain.

use rusqlite::params;

use super::engine::Db;
use super::message::{current_id_of, locate};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::model::environment::EnvironmentRow;
use crate::model::row::MessageNumber;

/// How many of each kind are named.
const NAMED: i64 = 5;

/// What has not settled; the first of each kind.
#[derive(Debug, Default)]
pub struct Unsettled {
    pub jobs: Vec<Processing>,
    pub messages: Vec<Due>,
    pub webhooks: Vec<Untold>,
}

#[derive(Debug)]
pub struct Processing {
    pub job_id: String,
    pub received: u64,
    pub done: u64,
}

/// A message whose time has come.
#[derive(Debug)]
pub struct Due {
    pub message_id: String,
    pub due_at: Timestamp,
}

/// A webhook that has not got every event.
#[derive(Debug)]
pub struct Untold {
    pub webhook_id: String,
    /// Events in its queue.
    pub pending: u64,
    /// When it is tried again.
    pub next_at: Option<Timestamp>,
    pub last_error: Option<String>,
}

pub fn list(db: &Db<'_>, environment: EnvironmentRow) -> Result<Unsettled> {
    let mut jobs = db.conn.prepare_cached(
        "SELECT job_id, received, drained FROM jobs
         WHERE status = 'PROCESSING' AND environment = ?1 AND dropped_at IS NULL ORDER BY job LIMIT ?2",
    )?;
    let jobs = jobs.query_map(params![environment, NAMED], |row| {
        Ok(Processing { job_id: row.get(0)?, received: row.get(1)?, done: row.get(2)? })
    })?;
    let jobs = jobs.collect::<rusqlite::Result<_>>()?;
    Ok(Unsettled { jobs, messages: due(db, environment)?, webhooks: untold(db, environment)? })
}

fn due(db: &Db<'_>, environment: EnvironmentRow) -> Result<Vec<Due>> {
    let mut due = db.conn.prepare_cached(
        "SELECT delayed.number, due_at FROM delayed
         JOIN message_ranges ON message_ranges.first_number = (
             SELECT max(first_number) FROM message_ranges WHERE first_number <= delayed.number)
         WHERE due_at <= ?2 AND environment = ?1 ORDER BY due_at LIMIT ?3",
    )?;
    let due = due.query_map(params![environment, db.now.millis(), NAMED], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut found = Vec::new();
    for (number, due_at) in due.collect::<rusqlite::Result<Vec<(MessageNumber, i64)>>>()? {
        // None is one that is being dropped.
        if let Some(location) = locate(db, number)? {
            found.push(Due { message_id: current_id_of(db, &location)?, due_at: Timestamp(due_at) });
        }
    }
    Ok(found)
}

fn untold(db: &Db<'_>, environment: EnvironmentRow) -> Result<Vec<Untold>> {
    let mut webhooks = db.conn.prepare_cached(
        "SELECT webhook_id, pending, next_at, last_error FROM (
             SELECT webhook, webhook_id, last_error, last_number AS told_number, last_event AS told_event,
                 (SELECT count(*) FROM webhook_events AS it WHERE it.webhook = webhooks.webhook AND status = 'PENDING'
                     AND (webhooks.environment = ?1 OR ?1 = (
                         SELECT environment FROM message_ranges
                         WHERE first_number <= it.number ORDER BY first_number DESC LIMIT 1))) AS pending,
                 (SELECT min(next_at) FROM webhook_events AS it
                  WHERE it.webhook = webhooks.webhook AND status = 'PENDING') AS next_at
             FROM webhooks WHERE environment = ?1 OR environment IS NULL)
         WHERE pending > 0
            OR EXISTS (SELECT 1 FROM message_ranges AS it WHERE it.environment = ?1 AND it.last_number > told_number)
            OR EXISTS (SELECT 1 FROM message_events WHERE event > told_event)
         ORDER BY webhook LIMIT ?2",
    )?;
    let webhooks = webhooks.query_map(params![environment, NAMED], |row| {
        Ok(Untold {
            webhook_id: row.get(0)?,
            pending: row.get(1)?,
            next_at: row.get::<_, Option<i64>>(2)?.map(Timestamp),
            last_error: row.get(3)?,
        })
    })?;
    Ok(webhooks.collect::<rusqlite::Result<_>>()?)
}
