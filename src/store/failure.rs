//! Users whose message could not be made, and why.

use std::ops::Range;

use rusqlite::params;

use super::engine::{Db, Tx};
use crate::error::Result;
use crate::model::row::JobRow;

pub(in crate::store) fn add(tx: &Tx<'_>, job: JobRow, seq: u64, reason: &str) -> Result<()> {
    let mut add = tx.conn.prepare_cached("INSERT INTO failures (job, seq, reason) VALUES (?1, ?2, ?3)")?;
    add.execute(params![job, seq, reason])?;
    Ok(())
}

/// The failures among a run of a job's users, in their order.
pub(in crate::store) fn list(db: &Db<'_>, job: JobRow, seqs: Range<u64>) -> Result<Vec<(u64, String)>> {
    let mut list = db
        .conn
        .prepare_cached("SELECT seq, reason FROM failures WHERE job = ?1 AND seq >= ?2 AND seq < ?3 ORDER BY seq")?;
    let reasons =
        list.query_map(params![job, seqs.start as i64, seqs.end as i64], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(reasons.collect::<rusqlite::Result<_>>()?)
}
