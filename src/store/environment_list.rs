//! Environments as the page shows them, which knows no keys.

use rusqlite::params;

use super::engine::Db;
use crate::clock::Timestamp;
use crate::error::Result;
use crate::model::environment::{Environment, HANDLE_BYTES};

/// An environment that has made something.
pub struct KnownEnvironment {
    pub environment: Environment,
    pub created_at: Timestamp,
    /// When its newest job was created.
    pub last_job_at: Option<Timestamp>,
}

/// At most `limit` environments, from the one with the newest job on, without those that were reset.
pub fn list(db: &Db<'_>, limit: u64) -> Result<Vec<KnownEnvironment>> {
    let mut list = db.conn.prepare_cached(
        "SELECT key_hash, label, created_at, (SELECT created_at FROM jobs WHERE job = last) FROM (
             SELECT *, (SELECT max(job) FROM jobs WHERE jobs.environment = environments.environment) AS last
             FROM environments WHERE length(key_hash) = 32)
         ORDER BY coalesce(last, 0) DESC, environment DESC LIMIT ?1",
    )?;
    let rows = list.query_map([i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
        let (key_hash, label): ([u8; 32], String) = (row.get(0)?, row.get(1)?);
        let last_job_at: Option<i64> = row.get(3)?;
        Ok(KnownEnvironment {
            environment: Environment::of_hash(key_hash, &label),
            created_at: Timestamp(row.get(2)?),
            last_job_at: last_job_at.map(Timestamp),
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The environment whose key's hash begins with these bytes.
pub fn find(db: &Db<'_>, beginning: [u8; HANDLE_BYTES]) -> Result<Option<Environment>> {
    let (mut first, mut last) = ([0; 32], [u8::MAX; 32]);
    first[..HANDLE_BYTES].copy_from_slice(&beginning);
    last[..HANDLE_BYTES].copy_from_slice(&beginning);
    let mut find = db.conn.prepare_cached(
        "SELECT key_hash, label FROM environments
         WHERE key_hash BETWEEN ?1 AND ?2 AND length(key_hash) = 32 ORDER BY environment DESC LIMIT 1",
    )?;
    let mut rows = find.query(params![first, last])?;
    Ok(match rows.next()? {
        Some(row) => Some(Environment::of_hash(row.get(0)?, &row.get::<_, String>(1)?)),
        None => None,
    })
}
