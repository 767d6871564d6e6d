//! Environments that were reset: all that belongs to one goes, piece by piece, and its own row as the last.

use rusqlite::params;

use super::engine::{Db, Tx};
use super::retention::PIECE_ROWS;
use crate::error::Result;
use crate::model::environment::EnvironmentRow;
use crate::model::row::JobRow;

/// Rows with texts of up to some MiB that one commit removes.
const PIECE_TEXTS: usize = 4;

/// The environments of which something is left.
pub fn list(db: &Db<'_>) -> Result<Vec<EnvironmentRow>> {
    let mut list = db.conn.prepare_cached(
        "SELECT environment FROM environments WHERE key_hash = CAST('retired ' || environment AS BLOB)
         ORDER BY environment",
    )?;
    Ok(list.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
}

/// Jobs of an environment that no thread works on, and whether it has others. One that is running ends in peace.
pub fn jobs(db: &Db<'_>, environment: EnvironmentRow, limit: usize) -> Result<(Vec<JobRow>, bool)> {
    let mut list = db.conn.prepare_cached(
        "SELECT job FROM jobs WHERE environment = ?1 AND dropped_at IS NULL AND status <> 'PROCESSING' LIMIT ?2",
    )?;
    let jobs = list.query_map(params![environment, limit as i64], |row| row.get(0))?;
    let jobs = jobs.collect::<rusqlite::Result<Vec<_>>>()?;
    let mut any = db.conn.prepare_cached("SELECT 1 FROM jobs WHERE environment = ?1 LIMIT 1")?;
    Ok((jobs, any.exists([environment])?))
}

/// What an environment has besides jobs, in an order in which nothing is referred to when it goes: at most so many rows of
/// a table at a time.
const TABLES: [(&str, usize); 14] = [
    (
        "DELETE FROM deleted_profiles WHERE environment = ?1 AND user_id IN (
             SELECT user_id FROM deleted_profiles WHERE environment = ?1 LIMIT ?2)",
        PIECE_ROWS,
    ),
    (
        "DELETE FROM profiles WHERE environment = ?1 AND user_id IN (
             SELECT user_id FROM profiles WHERE environment = ?1 LIMIT ?2)",
        PIECE_ROWS,
    ),
    (
        "DELETE FROM profile_versions WHERE profile_version IN (
             SELECT profile_version FROM profile_versions WHERE environment = ?1 LIMIT ?2)",
        PIECE_ROWS,
    ),
    (
        "DELETE FROM user_preferences WHERE environment = ?1 AND (user_id, tenant_id, topic_id) IN (
             SELECT user_id, tenant_id, topic_id FROM user_preferences WHERE environment = ?1 LIMIT ?2)",
        PIECE_ROWS,
    ),
    (
        "DELETE FROM user_tokens WHERE environment = ?1 AND (user_id, token) IN (
             SELECT user_id, token FROM user_tokens WHERE environment = ?1 LIMIT ?2)",
        PIECE_ROWS,
    ),
    (
        "DELETE FROM topics WHERE environment = ?1 AND topic_id IN (
             SELECT topic_id FROM topics WHERE environment = ?1 LIMIT ?2)",
        PIECE_ROWS,
    ),
    (
        "DELETE FROM subscriptions WHERE (list, user_id) IN (
             SELECT subscriptions.list, user_id FROM lists CROSS JOIN subscriptions USING (list)
             WHERE environment = ?1 LIMIT ?2)",
        PIECE_ROWS,
    ),
    ("DELETE FROM lists WHERE list IN (SELECT list FROM lists WHERE environment = ?1 LIMIT ?2)", PIECE_ROWS),
    (
        "DELETE FROM template_checks WHERE (template, submission_id) IN (
             SELECT template_checks.template, submission_id FROM templates CROSS JOIN template_checks USING (template)
             WHERE environment = ?1 LIMIT ?2)",
        PIECE_TEXTS,
    ),
    (
        "DELETE FROM template_versions WHERE template_version IN (
             SELECT template_version FROM templates CROSS JOIN template_versions USING (template)
             WHERE environment = ?1 LIMIT ?2)",
        PIECE_TEXTS,
    ),
    (
        "DELETE FROM templates WHERE template IN (SELECT template FROM templates WHERE environment = ?1 LIMIT ?2)",
        PIECE_TEXTS,
    ),
    ("DELETE FROM brands WHERE brand IN (SELECT brand FROM brands WHERE environment = ?1 LIMIT ?2)", PIECE_ROWS),
    (
        "DELETE FROM brand_versions WHERE brand_version IN (
             SELECT brand_version FROM brand_versions WHERE environment = ?1 LIMIT ?2)",
        PIECE_TEXTS,
    ),
    (
        "DELETE FROM idempotency_keys WHERE id IN (SELECT id FROM idempotency_keys WHERE environment = ?1 LIMIT ?2)",
        PIECE_TEXTS,
    ),
];

/// Removes a piece of an environment that has no jobs any more; when nothing is left, the environment itself.
pub fn drop_piece(tx: &mut Tx<'_>, environment: EnvironmentRow) -> Result<()> {
    for (rows, limit) in TABLES {
        if tx.conn.prepare_cached(rows)?.execute(params![environment, limit as i64])? > 0 {
            return Ok(());
        }
    }
    tx.conn.execute("UPDATE file SET dropped_environment = max(dropped_environment, ?1)", [environment])?;
    tx.conn.execute("DELETE FROM environments WHERE environment = ?1", [environment])?;
    Ok(())
}
