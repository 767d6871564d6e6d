//! What has changed in an environment, for the streams that follow it.

use rusqlite::params;

use super::engine::Db;
use super::message::{current_id_of, last_number, locate};
use crate::error::Result;
use crate::model::environment::EnvironmentRow;
use crate::model::row::{JobRow, MessageNumber};

/// The most jobs that are looked at: the newest, and those that run. Older ones that change no more are not news.
const JOBS: i64 = 50;

/// A job as streams show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobState {
    pub job_id: String,
    pub kind: String,
    pub status: String,
    pub received: u64,
    pub enqueued: u64,
    pub failures: u64,
}

/// The newest jobs, and those that run.
pub fn jobs(db: &Db<'_>, environment: EnvironmentRow) -> Result<Vec<(JobRow, JobState)>> {
    let mut list = db.conn.prepare_cached(
        "SELECT job, job_id, kind, status, received, enqueued, failures FROM jobs WHERE job IN (
             SELECT job FROM (SELECT job FROM jobs WHERE environment = ?1 ORDER BY job DESC LIMIT ?2)
             UNION SELECT job FROM (
                 SELECT job FROM jobs WHERE status = 'PROCESSING' AND environment = ?1 ORDER BY job LIMIT ?2))
         AND dropped_at IS NULL ORDER BY job",
    )?;
    let jobs = list.query_map(params![environment, JOBS], |row| {
        let state = JobState {
            job_id: row.get(1)?,
            kind: row.get(2)?,
            status: row.get(3)?,
            received: row.get(4)?,
            enqueued: row.get(5)?,
            failures: row.get(6)?,
        };
        Ok((row.get(0)?, state))
    })?;
    Ok(jobs.collect::<rusqlite::Result<_>>()?)
}

/// Up to where the messages of an environment were reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    number: i64,
    event: i64,
}

/// Messages that were made since, and some of what has happened to others.
#[derive(Debug, Default)]
pub struct Messages {
    pub count: u64,
    /// The ids of the last of them.
    pub newest: Vec<String>,
    /// Ids with their new status.
    pub changed: Vec<(String, String)>,
}

/// Ids that are named at once, and events that are looked at.
const NAMED: i64 = 10;
const EVENTS: i64 = 100;

/// Up to where there is anything to report.
pub fn now(db: &Db<'_>) -> Result<Told> {
    let mut last = db.conn.prepare_cached("SELECT coalesce(max(event), 0) FROM message_events")?;
    Ok(Told { number: last_number(db)?.0, event: last.query_row([], |row| row.get(0))? })
}

/// What is new since then, and where to continue.
pub fn messages(db: &Db<'_>, environment: EnvironmentRow, told: Told) -> Result<(Messages, Told)> {
    let mut made = db.conn.prepare_cached(
        "SELECT coalesce(sum(last_number - first_number + 1), 0), coalesce(max(last_number), ?2) FROM message_ranges
         WHERE environment = ?1 AND first_number > ?2",
    )?;
    let (count, last): (u64, i64) =
        made.query_row(params![environment, told.number], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut found = Messages { count, ..Messages::default() };
    for number in (told.number + 1).max(last.saturating_sub(NAMED - 1))..=last {
        if let Some(location) = locate(db, MessageNumber(number))?.filter(|it| it.environment == environment) {
            found.newest.push(current_id_of(db, &location)?);
        }
    }
    let mut events = db.conn.prepare_cached(
        // What a message began as is recorded beside the first thing that happens to it. That is not news.
        "SELECT event, number, status,
             created_at = (
                 SELECT created_at FROM message_ranges
                 WHERE first_number <= it.number ORDER BY first_number DESC LIMIT 1)
             AND NOT EXISTS (
                 SELECT 1 FROM message_events AS earlier WHERE earlier.number = it.number AND earlier.event < it.event)
             AND EXISTS (
                 SELECT 1 FROM message_events AS later WHERE later.number = it.number AND later.event > it.event)
         FROM message_events AS it WHERE event > ?1 ORDER BY event DESC LIMIT ?2",
    )?;
    let events = events
        .query_map(params![told.event, EVENTS], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
    let mut event = told.event;
    for (row, number, status, is_beginning) in events.collect::<rusqlite::Result<Vec<(i64, i64, String, bool)>>>()? {
        event = event.max(row);
        if !is_beginning
            && found.changed.len() < NAMED as usize
            && let Some(location) = locate(db, MessageNumber(number))?.filter(|it| it.environment == environment)
        {
            found.changed.push((current_id_of(db, &location)?, status));
        }
    }
    found.changed.reverse();
    Ok((found, Told { number: last, event }))
}
