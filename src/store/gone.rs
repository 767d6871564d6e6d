//! Why something is gone.

use super::engine::Db;
use crate::clock::Timestamp;
use crate::error::Result;

/// The reason why a job or message is gone, to follow the sentence that says so: ids contain the second in which they
/// were made.
pub fn reason(db: &Db<'_>, id: &str) -> Result<String> {
    let second = id.strip_prefix("1-").and_then(|id| id.get(..8)).and_then(|hex| i64::from_str_radix(hex, 16).ok());
    let Some(second) = second else { return Ok(String::new()) };
    let mut dropped = db.conn.prepare_cached("SELECT dropped_until, dropped_by FROM file")?;
    let (until, by): (Option<i64>, Option<String>) = dropped.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(match (until.map(Timestamp), by) {
        (Some(until), Some(by)) if second <= until.seconds() => {
            format!("; the oldest jobs, up to one of {}, were dropped by {by}", until.second_iso())
        }
        _ => String::new(),
    })
}
