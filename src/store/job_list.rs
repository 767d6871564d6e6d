//! The jobs of an environment, of either kind, from the newest on.

use rusqlite::params;

use super::engine::{Db, rows};
use super::page::Page;
use crate::clock::Timestamp;
use crate::error::Result;
use crate::model::bulk::{JobKind, JobStatus, JobSummary};
use crate::model::environment::EnvironmentRow;
use crate::model::row::JobRow;

/// At most `limit` jobs before this one. No index serves the status: a page with few or no finds ends when `looked_at`
/// jobs were looked at.
pub fn list(
    db: &Db<'_>,
    environment: EnvironmentRow,
    status: Option<JobStatus>,
    before: JobRow,
    limit: usize,
    looked_at: usize,
) -> Result<Page<JobSummary, JobRow>> {
    let mut list = db.conn.prepare_cached(
        "SELECT job, job_id, kind, status, received, enqueued, failures, error, created_at, run_at, completed_at
         FROM jobs WHERE environment = ?1 AND job < ?2 AND dropped_at IS NULL ORDER BY job DESC LIMIT ?3",
    )?;
    let mut found = list.query(params![environment, before, looked_at as i64 + 1])?;
    let (mut items, mut last, mut count) = (Vec::new(), before, 0);
    while let Some(row) = found.next()? {
        if items.len() == limit || count == looked_at {
            return Ok(Page { items, next: Some(last) });
        }
        let (job, is) = (row.get(0)?, rows::name(row, 3, JobStatus::from_name)?);
        (last, count) = (job, count + 1);
        if status.is_some_and(|status| status != is) {
            continue;
        }
        let at = |column| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(column)?.map(Timestamp));
        items.push(JobSummary {
            job,
            job_id: row.get(1)?,
            kind: rows::name(row, 2, JobKind::from_name)?,
            status: is,
            received: row.get(4)?,
            enqueued: row.get(5)?,
            failures: row.get(6)?,
            error: row.get(7)?,
            created_at: Timestamp(row.get(8)?),
            run_at: at(9)?,
            completed_at: at(10)?,
        });
    }
    Ok(Page { items, next: None })
}
