//! Jobs.

use std::collections::HashSet;

use rusqlite::{OptionalExtension, Row, params};

use super::engine::{Db, Tx, rows};
use super::{gone, message, number};
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::model::bulk::{Job, JobKind, JobStatus};
use crate::model::environment::EnvironmentRow;
use crate::model::rendered_batch::RenderedBatch;
use crate::model::row::{BrandVersion, JobRow, TemplateVersion};

/// The versions of a definition's template and brand when the job was run. Neither is ever rewritten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PinnedVersions {
    pub template_version: Option<TemplateVersion>,
    pub brand_version: Option<BrandVersion>,
}

/// How far a job has come when it is created.
pub(in crate::store) struct Progress {
    pub received: usize,
    pub enqueued: usize,
    pub failures: usize,
    pub status: JobStatus,
}

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
pub fn create(tx: &mut Tx<'_>, environment: EnvironmentRow, definition: &str) -> Result<String> {
    let job_id = tx.ids.job(tx.now());
    create_as(tx, environment, &job_id, definition)?;
    Ok(job_id)
}

/// Creates a job under an id that no other has in this environment.
pub fn create_as(tx: &mut Tx<'_>, environment: EnvironmentRow, job_id: &str, definition: &str) -> Result<()> {
    let job = number::next_job(tx.conn)?;
    let mut insert =
        tx.conn.prepare_cached("INSERT INTO jobs (job, job_id, environment, created_at) VALUES (?1, ?2, ?3, ?4)")?;
    insert.execute(params![job, job_id, environment, tx.now.millis()])?;
    define(tx, job, definition)
}

/// Creates the job of a send, which is run when it is made.
pub(in crate::store) fn create_send(
    tx: &mut Tx<'_>,
    environment: EnvironmentRow,
    job_id: &str,
    definition: &str,
    versions: &PinnedVersions,
    progress: &Progress,
) -> Result<JobRow> {
    let job = number::next_job(tx.conn)?;
    let mut insert = tx.conn.prepare_cached(
        "INSERT INTO jobs (job, job_id, environment, kind, status, received, enqueued, failures, template_version,
             brand_version, created_at, run_at, completed_at)
         VALUES (?11, ?1, ?2, 'SEND', ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9, ?10)",
    )?;
    insert.execute(params![
        job_id,
        environment,
        progress.status.name(),
        progress.received,
        progress.enqueued,
        progress.failures,
        versions.template_version,
        versions.brand_version,
        tx.now.millis(),
        (progress.status == JobStatus::Completed).then_some(tx.now.millis()),
        job,
    ])?;
    define(tx, job, definition)?;
    Ok(job)
}

fn define(tx: &Tx<'_>, job: JobRow, definition: &str) -> Result<()> {
    let mut define = tx.conn.prepare_cached("INSERT INTO definitions (job, definition) VALUES (?1, ?2)")?;
    define.execute(params![job, definition])?;
    Ok(())
}

/// The bulk job with this id in this environment.
pub fn get(db: &Db<'_>, environment: EnvironmentRow, job_id: &str) -> Result<Job> {
    match find(db, environment, job_id)?.filter(|job| job.kind == JobKind::Bulk) {
        Some(job) => Ok(job),
        None => Err(not_found(db, job_id)?),
    }
}

/// The job of either kind with this id.
pub fn find(db: &Db<'_>, environment: EnvironmentRow, job_id: &str) -> Result<Option<Job>> {
    let mut find = db.conn.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM jobs WHERE job_id = ?1 AND environment = ?2 AND dropped_at IS NULL"
    ))?;
    Ok(find.query_row(params![job_id, environment], from_row).optional()?)
}

/// The job with this id. A send is also found by its request's id, which its client knows: for one recipient that is
/// its message's.
pub fn get_requested(db: &Db<'_>, environment: EnvironmentRow, id: &str) -> Result<Job> {
    if let Some(found) = find(db, environment, id)? {
        return Ok(found);
    }
    let of_message = match message::find(db, environment, id)? {
        Some(found) => Some(get_by_number(db, found.job)?.0).filter(|job| job.kind == JobKind::Send),
        None => None,
    };
    match of_message {
        Some(job) => Ok(job),
        None => Err(not_found(db, id)?),
    }
}

/// The bulk job with this id in this environment, and the `message` that it was created with, as it was sent.
pub fn get_with_definition(db: &Db<'_>, environment: EnvironmentRow, job_id: &str) -> Result<(Job, String)> {
    let mut get = db.conn.prepare_cached(&format!(
        "SELECT {COLUMNS}, definition FROM jobs LEFT JOIN definitions USING (job)
         WHERE job_id = ?1 AND environment = ?2 AND kind = 'BULK' AND dropped_at IS NULL"
    ))?;
    let found = get.query_row(params![job_id, environment], with_definition).optional()?;
    match found {
        Some(found) => Ok(found),
        None => Err(not_found(db, job_id)?),
    }
}

/// Any job, with its definition.
pub fn get_by_number(db: &Db<'_>, job: JobRow) -> Result<(Job, String)> {
    let mut get = db.conn.prepare_cached(&format!(
        "SELECT {COLUMNS}, definition FROM jobs LEFT JOIN definitions USING (job) WHERE job = ?1"
    ))?;
    Ok(get.query_row([job], with_definition)?)
}

/// A job without a definition exists all the same: it is damaged, and reported as such.
fn with_definition(row: &Row<'_>) -> rusqlite::Result<(Job, String)> {
    Ok((from_row(row)?, row.get("definition")?))
}

/// There is no such job (any more).
pub fn not_found(db: &Db<'_>, job_id: &str) -> Result<Error> {
    Ok(Error::unknown("job_id", "bulk job", job_id).explained(&gone::reason(db, job_id)?))
}

/// Counts users that were added to a job that was not run yet and has `received` users.
pub(in crate::store) fn add_received(tx: &Tx<'_>, job: JobRow, received: u64, added: usize) -> Result<()> {
    let mut count = tx.conn.prepare_cached(
        "UPDATE jobs SET received = received + ?2 WHERE job = ?1 AND status = 'CREATED' AND received = ?3",
    )?;
    expect_one(count.execute(params![job, added, received])?)
}

/// Starts a job that was not run yet. Without users it is complete.
pub(in crate::store) fn start(tx: &Tx<'_>, job: JobRow, versions: &PinnedVersions) -> Result<()> {
    let mut start = tx.conn.prepare_cached(
        "UPDATE jobs SET
             status = CASE received WHEN 0 THEN 'COMPLETED' ELSE 'PROCESSING' END,
             run_at = ?2,
             completed_at = CASE received WHEN 0 THEN ?2 END,
             template_version = ?3,
             brand_version = ?4
         WHERE job = ?1 AND status = 'CREATED'",
    )?;
    expect_one(start.execute(params![job, tx.now.millis(), versions.template_version, versions.brand_version])?)
}

fn expect_one(changed: usize) -> Result<()> {
    match changed {
        1 => Ok(()),
        _ => Err(Error::internal("a job changed inside its own transaction")),
    }
}

/// The numbers of the jobs that are being processed, the oldest first.
pub fn list_processing(db: &Db<'_>) -> Result<Vec<JobRow>> {
    let mut list = db.conn.prepare_cached("SELECT job FROM jobs WHERE status = 'PROCESSING' ORDER BY job")?;
    let jobs = list.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    Ok(jobs)
}

/// A job with users that was not run yet.
pub struct Waiting {
    pub job_id: String,
    pub received: u64,
    pub created_at: i64,
}

/// The most jobs that are looked at for it, the newest of the environment.
const LOOKED_AT: i64 = 1_000;

/// The jobs of an environment that have users and were not run yet, the oldest first, among its newest.
pub fn list_never_run(db: &Db<'_>, environment: EnvironmentRow) -> Result<Vec<Waiting>> {
    let mut list = db.conn.prepare_cached(
        "SELECT job_id, received, created_at FROM
         (SELECT * FROM jobs WHERE environment = ?1 ORDER BY job DESC LIMIT ?2)
         WHERE status = 'CREATED' AND received > 0 AND dropped_at IS NULL ORDER BY job",
    )?;
    let waiting = list.query_map(params![environment, LOOKED_AT], |row| {
        Ok(Waiting { job_id: row.get(0)?, received: row.get(1)?, created_at: row.get(2)? })
    })?;
    Ok(waiting.collect::<rusqlite::Result<_>>()?)
}

/// How many jobs of all environments have users and were not run yet.
pub fn count_never_run(db: &Db<'_>) -> Result<u64> {
    let mut count = db
        .conn
        .prepare_cached("SELECT count(*) FROM jobs WHERE status = 'CREATED' AND received > 0 AND dropped_at IS NULL")?;
    Ok(count.query_row([], |row| row.get(0))?)
}

/// The jobs that are being dropped.
pub(in crate::store) fn dropping(db: &Db<'_>) -> Result<HashSet<JobRow>> {
    let mut list = db.conn.prepare_cached("SELECT job FROM jobs WHERE dropped_at IS NOT NULL")?;
    Ok(list.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
}

/// A job with its definition, if it is being processed.
pub fn find_processing(db: &Db<'_>, job: JobRow) -> Result<Option<(Job, String)>> {
    let mut find = db.conn.prepare_cached(&format!(
        "SELECT {COLUMNS}, definition FROM jobs LEFT JOIN definitions USING (job) WHERE job = ?1 AND status = 'PROCESSING'"
    ))?;
    Ok(find.query_row([job], with_definition).optional()?)
}

/// Counts what became of the users from `first_seq` on. Fails, changing nothing, if the job's progress is not exactly
/// `first_seq`.
pub(in crate::store) fn advance(tx: &Tx<'_>, job: JobRow, first_seq: u64, outcomes: &RenderedBatch) -> Result<()> {
    let failures = outcomes.failures();
    let enqueued = outcomes.len() - failures;
    let mut progress = tx.conn.prepare_cached(
        "UPDATE jobs SET
             enqueued = enqueued + ?3,
             failures = failures + ?4,
             status = CASE received WHEN drained + ?3 + ?4 THEN 'COMPLETED' ELSE status END,
             completed_at = CASE received WHEN drained + ?3 + ?4 THEN ?5 END
         WHERE job = ?1 AND drained = ?2 AND status = 'PROCESSING'",
    )?;
    match progress.execute(params![job, first_seq, enqueued, failures, tx.now.millis()])? {
        1 => Ok(()),
        _ => Err(Error::unavailable("the job's progress is not where this part of it begins")),
    }
}

/// A job that cannot go on at all.
pub fn fail(tx: &mut Tx<'_>, job: JobRow, error: &str) -> Result<()> {
    tx.conn.execute(
        "UPDATE jobs SET status = 'ERROR', error = ?2, completed_at = ?3 WHERE job = ?1 AND status = 'PROCESSING'",
        params![job, error, tx.now.millis()],
    )?;
    Ok(())
}

/// Hides the messages of a job from lists that do not ask for them.
pub(in crate::store) fn archive(tx: &Tx<'_>, job: JobRow) -> Result<()> {
    let mut archive =
        tx.conn.prepare_cached("UPDATE jobs SET archived_at = coalesce(archived_at, ?2) WHERE job = ?1")?;
    match archive.execute(params![job, tx.now.millis()])? {
        1 => Ok(()),
        _ => Err(Error::internal("a job is gone")),
    }
}
