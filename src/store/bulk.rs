//! Jobs.

use rusqlite::{OptionalExtension, Row, params};

use super::plan::{self, Names, Versions};
use super::{Db, Tx, environment, outbox, rows, user};
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::model::bulk::{Job, JobKind, JobStatus};
use crate::model::environment::{Environment, EnvironmentRow};
use crate::model::outcomes::{Outcome, RenderedBatch};

const COLUMNS: &str = "jobs.job, jobs.job_id, jobs.environment, jobs.kind, jobs.status, jobs.received, jobs.enqueued, \
                       jobs.failures, jobs.error, jobs.template_version, jobs.brand_version, jobs.created_at";

fn from_row(row: &Row<'_>) -> rusqlite::Result<Job> {
    Ok(Job {
        job: row.get(0)?,
        job_id: row.get(1)?,
        environment: row.get(2)?,
        kind: rows::name(row, 3, JobKind::from_name)?,
        status: rows::name(row, 4, JobStatus::from_name)?,
        received: row.get(5)?,
        enqueued: row.get(6)?,
        failures: row.get(7)?,
        error: row.get(8)?,
        template_version: row.get(9)?,
        brand_version: row.get(10)?,
        created_at: Timestamp(row.get(11)?),
    })
}

/// Creates a job and returns its id.
pub fn create(tx: &mut Tx<'_>, environment: &Environment, definition: &str) -> Result<String> {
    let job_id = tx.ids.job(tx.now());
    create_as(tx, environment, &job_id, definition)?;
    Ok(job_id)
}

/// Creates a job under an id that no other has in this environment.
pub fn create_as(tx: &mut Tx<'_>, environment: &Environment, job_id: &str, definition: &str) -> Result<()> {
    let environment = environment::find_or_create(tx, environment)?;
    let mut job = tx.conn.prepare_cached("INSERT INTO jobs (job_id, environment, created_at) VALUES (?1, ?2, ?3)")?;
    let job = job.insert(params![job_id, environment, tx.now.millis()])?;
    define(tx, job, definition)?;
    Ok(())
}

fn define(tx: &mut Tx<'_>, job: i64, definition: &str) -> Result<()> {
    let mut define = tx.conn.prepare_cached("INSERT INTO definitions (job, definition) VALUES (?1, ?2)")?;
    define.execute(params![job, definition])?;
    Ok(())
}

/// The bulk job with this id in this environment.
pub fn get(db: &Db<'_>, environment: &Environment, job_id: &str) -> Result<Job> {
    find(db, environment, job_id)?.filter(|job| job.kind == JobKind::Bulk).ok_or_else(|| not_found(job_id))
}

/// The job of either kind with this id.
pub fn find(db: &Db<'_>, environment: &Environment, job_id: &str) -> Result<Option<Job>> {
    let mut find = db.conn.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM jobs JOIN environments USING (environment) WHERE job_id = ?1 AND key_hash = ?2"
    ))?;
    Ok(find.query_row(params![job_id, environment.key_hash], from_row).optional()?)
}

/// The bulk job with this id in this environment, and the `message` that it was created with, as it was sent.
pub fn get_with_definition(db: &Db<'_>, environment: &Environment, job_id: &str) -> Result<(Job, String)> {
    let mut get = db.conn.prepare_cached(&format!(
        "SELECT {COLUMNS}, definition FROM jobs JOIN environments USING (environment) LEFT JOIN definitions USING (job)
         WHERE job_id = ?1 AND key_hash = ?2 AND kind = 'BULK'"
    ))?;
    let found = get.query_row(params![job_id, environment.key_hash], with_definition).optional()?;
    found.ok_or_else(|| not_found(job_id))
}

/// Any job, with its definition.
pub fn get_by_number(db: &Db<'_>, job: i64) -> Result<(Job, String)> {
    let mut get = db.conn.prepare_cached(&format!(
        "SELECT {COLUMNS}, definition FROM jobs LEFT JOIN definitions USING (job) WHERE job = ?1"
    ))?;
    Ok(get.query_row([job], with_definition)?)
}

/// A job without a definition is not one that does not exist: it is damage, and told as such.
fn with_definition(row: &Row<'_>) -> rusqlite::Result<(Job, String)> {
    Ok((from_row(row)?, row.get("definition")?))
}

/// There is no such job.
pub fn not_found(job_id: &str) -> Error {
    Error::unknown("job_id", "bulk job", job_id)
}

/// Starts a job that was not run yet. What its definition names is looked up now, and stays as it is now.
pub fn start(tx: &mut Tx<'_>, job: &Job, names: &Names) -> Result<()> {
    let versions = plan::resolve(tx, job.environment, names)?;
    let mut start = tx.conn.prepare_cached(
        "UPDATE jobs SET
             status = CASE received WHEN 0 THEN 'COMPLETED' ELSE 'PROCESSING' END,
             run_at = ?2,
             completed_at = CASE received WHEN 0 THEN ?2 END,
             template_version = ?3,
             brand_version = ?4
         WHERE job = ?1 AND status = 'CREATED'",
    )?;
    if start.execute(params![job.job, tx.now.millis(), versions.template_version, versions.brand_version])? != 1 {
        return Err(Error::internal("a job changed inside its own transaction"));
    }
    tx.recipients.drop_job(job.job);
    tx.rings.jobs = true;
    Ok(())
}

/// Makes the job of a send, in the state that it is in by then. `users` are all of its recipients and what was sent of
/// them, `outcomes` what became of each; without these the job is left to the runner. Returns the message's id if there
/// is one message, else the job's.
pub fn create_send(
    tx: &mut Tx<'_>,
    environment: EnvironmentRow,
    definition: &str,
    versions: &Versions,
    users: &[(&str, &str)],
    outcomes: Option<&RenderedBatch>,
) -> Result<String> {
    let job_id = tx.ids.job(tx.now);
    let is_complete = users.is_empty() || outcomes.is_some();
    let failures = outcomes.map_or(0, RenderedBatch::failures);
    let mut insert = tx.conn.prepare_cached(
        "INSERT INTO jobs (job_id, environment, kind, status, received, enqueued, failures, template_version,
             brand_version, created_at, run_at, completed_at)
         VALUES (?1, ?2, 'SEND', ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9, ?10)",
    )?;
    let job = insert.insert(params![
        job_id,
        environment,
        if is_complete { JobStatus::Completed } else { JobStatus::Processing }.name(),
        users.len(),
        outcomes.map_or(0, RenderedBatch::len) - failures,
        failures,
        versions.template_version,
        versions.brand_version,
        tx.now.millis(),
        is_complete.then_some(tx.now.millis()),
    ])?;
    define(tx, job, definition)?;
    if !users.is_empty() {
        user::append_rows(tx, job, 0, users)?;
    }
    match (users, outcomes) {
        ([], _) => Ok(job_id),
        (_, None) => {
            tx.rings.jobs = true;
            Ok(job_id)
        }
        (_, Some(outcomes)) => {
            let first_number = append_outcomes(tx, job, 0, outcomes)?;
            Ok(if users.len() == 1 { outbox::message_id(tx, tx.now, first_number)? } else { job_id })
        }
    }
}

/// The numbers of the jobs that are being processed, the oldest first.
pub fn list_processing(db: &Db<'_>) -> Result<Vec<i64>> {
    let mut list = db.conn.prepare_cached("SELECT job FROM jobs WHERE status = 'PROCESSING' ORDER BY job")?;
    let jobs = list.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    Ok(jobs)
}

/// A job with its definition, if it is being processed.
pub fn find_processing(db: &Db<'_>, job: i64) -> Result<Option<(Job, String)>> {
    let mut find = db.conn.prepare_cached(&format!(
        "SELECT {COLUMNS}, definition FROM jobs LEFT JOIN definitions USING (job) WHERE job = ?1 AND status = 'PROCESSING'"
    ))?;
    Ok(find.query_row([job], with_definition).optional()?)
}

/// Writes what became of the users from `first_seq` on: messages, failures, counters and progress together. Fails,
/// changing nothing, if the job's progress is not exactly `first_seq`.
pub fn drain(tx: &mut Tx<'_>, job: i64, first_seq: u64, outcomes: &RenderedBatch) -> Result<()> {
    let failures = outcomes.failures() as u64;
    let enqueued = outcomes.len() as u64 - failures;
    let mut progress = tx.conn.prepare_cached(
        "UPDATE jobs SET
             enqueued = enqueued + ?3,
             failures = failures + ?4,
             status = CASE received WHEN drained + ?3 + ?4 THEN 'COMPLETED' ELSE status END,
             completed_at = CASE received WHEN drained + ?3 + ?4 THEN ?5 END
         WHERE job = ?1 AND drained = ?2 AND status = 'PROCESSING'",
    )?;
    if progress.execute(params![job, first_seq, enqueued, failures, tx.now.millis()])? != 1 {
        return Err(Error::unavailable("the job's progress is not where this part of it begins"));
    }
    append_outcomes(tx, job, first_seq, outcomes).map(drop)
}

/// Writes messages and failures of the users from `first_seq` on. Returns the first one's number.
fn append_outcomes(tx: &mut Tx<'_>, job: i64, first_seq: u64, outcomes: &RenderedBatch) -> Result<i64> {
    let mut failed = tx.conn.prepare_cached("INSERT INTO failures (job, seq, reason) VALUES (?1, ?2, ?3)")?;
    let mut messages = Vec::with_capacity(outcomes.len());
    let first_number = outbox::append_range(tx, job, first_seq, outcomes.len())?;
    let mut number = first_number;
    tx.rings.messages = true;
    for (seq, outcome) in (first_seq as i64..).zip(outcomes.iter()) {
        match outcome {
            Outcome::Message(message) => {
                tx.rings.jobs |= message.due_at.is_some();
                messages.push(message);
            }
            Outcome::Failure { reason } => {
                failed.execute(params![job, seq, reason])?;
                outbox::append(tx, number, &messages)?;
                number += messages.len() as i64 + 1;
                messages.clear();
            }
        }
    }
    outbox::append(tx, number, &messages)?;
    Ok(first_number)
}

/// A job that cannot go on at all.
pub fn fail(tx: &mut Tx<'_>, job: i64, error: &str) -> Result<()> {
    tx.conn.execute(
        "UPDATE jobs SET status = 'ERROR', error = ?2, completed_at = ?3 WHERE job = ?1 AND status = 'PROCESSING'",
        params![job, error, tx.now.millis()],
    )?;
    Ok(())
}
