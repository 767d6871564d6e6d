//! What an environment holds, in numbers.

use super::engine::Db;
use crate::error::Result;
use crate::model::environment::EnvironmentRow;

/// How many jobs have which status.
pub fn jobs(db: &Db<'_>, environment: EnvironmentRow) -> Result<Vec<(String, i64)>> {
    let mut count = db.conn.prepare_cached(
        "SELECT status, count(*) FROM jobs WHERE environment = ?1 AND dropped_at IS NULL GROUP BY status ORDER BY status",
    )?;
    let counts = count.query_map([environment], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(counts.collect::<rusqlite::Result<_>>()?)
}

/// Users of these jobs: how many there are, how many have a message, and how many cannot have one.
pub fn users(db: &Db<'_>, environment: EnvironmentRow) -> Result<(i64, i64, i64)> {
    let mut sum = db.conn.prepare_cached(
        "SELECT coalesce(sum(received), 0), coalesce(sum(enqueued), 0), coalesce(sum(failures), 0) FROM jobs
         WHERE environment = ?1 AND dropped_at IS NULL",
    )?;
    Ok(sum.query_row([environment], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?)
}
