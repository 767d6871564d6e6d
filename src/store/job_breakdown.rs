//! What became of a job's users, counted by kind, and its failures by their place.

use rusqlite::params;

use super::engine::Db;
use crate::error::Result;
use crate::model::row::JobRow;

/// Messages with the same outcome.
pub struct MessageKind {
    pub status: String,
    pub reason: Option<String>,
    /// None: nothing went out.
    pub channel: Option<String>,
    /// What the first of them says.
    pub error: Option<String>,
    pub count: i64,
}

/// The kinds of the first `limit` messages of a job, the most frequent first. Reads all of these.
pub fn messages(db: &Db<'_>, job: JobRow, limit: usize) -> Result<Vec<MessageKind>> {
    let mut count = db.conn.prepare_cached(
        "SELECT status, reason, channel, error, count(*), min(number) FROM (
             SELECT messages.status, messages.reason, messages.channel, messages.error, messages.number
             FROM message_ranges
             CROSS JOIN messages ON messages.number BETWEEN message_ranges.first_number AND message_ranges.last_number
             WHERE message_ranges.job = ?1 ORDER BY message_ranges.first_seq LIMIT ?2)
         GROUP BY status, reason, channel ORDER BY count(*) DESC",
    )?;
    let kinds = count.query_map(params![job, limit as i64], |row| {
        Ok(MessageKind {
            status: row.get(0)?,
            reason: row.get(1)?,
            channel: row.get(2)?,
            error: row.get(3)?,
            count: row.get(4)?,
        })
    })?;
    Ok(kinds.collect::<rusqlite::Result<_>>()?)
}

/// The reasons of the first `limit` failures of a job, the most frequent first, at most `kinds` of them.
pub fn failures(db: &Db<'_>, job: JobRow, limit: usize, kinds: usize) -> Result<Vec<(String, i64)>> {
    let mut count = db.conn.prepare_cached(
        "SELECT reason, count(*) FROM (SELECT reason FROM failures WHERE job = ?1 LIMIT ?2)
         GROUP BY reason ORDER BY count(*) DESC LIMIT ?3",
    )?;
    let found = count.query_map(params![job, limit as i64, kinds as i64], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

/// The places of a job's failures, from the `at`-th failure on. The failures before are stepped over one by one.
pub fn failed_seqs(db: &Db<'_>, job: JobRow, at: u64, limit: usize) -> Result<Vec<u64>> {
    let mut list = db.conn.prepare_cached("SELECT seq FROM failures WHERE job = ?1 ORDER BY seq LIMIT ?2 OFFSET ?3")?;
    let at = i64::try_from(at).unwrap_or(i64::MAX);
    let seqs = list.query_map(params![job, limit as i64, at], |row| row.get(0))?;
    Ok(seqs.collect::<rusqlite::Result<_>>()?)
}
