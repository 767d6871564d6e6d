//! The jobs of an environment over HTTP. Ours; Courier shows one whose id is known.

use super::call::{Action, Answer, Call};
use super::paging::{self, Cursor, PagedList};
use crate::error::{Error, Result};
use crate::model::bulk::JobStatus;
use crate::model::row::JobRow;
use crate::store::job_list;

/// The most jobs that a page searches for a status: a tenth of a second.
const LOOKED_AT: usize = 100_000;

/// `GET /_bulkd/jobs?status=`: 200 `{items, paging}`, the newest first. A page may be empty although there are more.
pub fn list(call: Call<'_>) -> Result<Action> {
    let query = call.query();
    let status = query.one("status").map(|name| read_status("status", &name)).transpose()?;
    let before = match Cursor::read(query.cursor().as_deref(), PagedList::Jobs)? {
        0 => JobRow(i64::MAX),
        position => JobRow(i64::try_from(position).unwrap_or(i64::MAX)),
    };
    let limit = query.limit() as usize;
    Action::query(move |db, environment| {
        let page = job_list::list(db, environment, status, before, limit, LOOKED_AT)?;
        let next = page.next.map(|job| Cursor { list: PagedList::Jobs, position: job.0.unsigned_abs() });
        let items = page.items.iter().map(|job| Ok(job.json(db.now()).to_string()));
        Ok(Answer::new(200, paging::page(items, next)?))
    })
}

pub fn read_status(field: &str, name: &str) -> Result<JobStatus> {
    JobStatus::from_name(name).ok_or_else(|| {
        let names: Vec<&str> = JobStatus::NAMES.iter().map(|(name, _)| *name).collect();
        Error::invalid(field, format_args!("expected one of {}", names.join(", ")))
    })
}
