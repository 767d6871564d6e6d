//! Idempotency keys: the answer to a request is stored beside the work that it did, in one commit.

use rusqlite::{OptionalExtension, params};

use super::engine::{Db, Tx};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::model::environment::EnvironmentRow;

/// What a key is scoped to, besides its environment.
#[derive(Clone, Debug)]
pub struct KeyScope {
    /// Method and path.
    pub endpoint: String,
    pub key: String,
}

/// An answer as it was given.
#[derive(Clone, Debug)]
pub struct StoredAnswer {
    pub status: u16,
    pub body: String,
    /// SHA-256 of the body of the request that it was given to, if that is known.
    pub request_hash: Option<[u8; 32]>,
}

/// The answer that this key already got, unless it has expired.
pub fn find(db: &Db<'_>, environment: EnvironmentRow, scope: &KeyScope) -> Result<Option<StoredAnswer>> {
    let mut find = db.conn.prepare_cached(
        "SELECT status, body, request_hash FROM idempotency_keys
         WHERE environment = ?1 AND endpoint = ?2 AND key = ?3 AND expires_at > ?4",
    )?;
    let answer = find
        .query_row(params![environment, scope.endpoint, scope.key, db.now.millis()], |row| {
            Ok(StoredAnswer { status: row.get(0)?, body: row.get(1)?, request_hash: row.get(2)? })
        })
        .optional()?;
    Ok(answer)
}

/// Stores the answer, in place of an expired one. `retention.rs` removes others that have expired.
pub fn create(
    tx: &mut Tx<'_>,
    environment: EnvironmentRow,
    scope: &KeyScope,
    expires_at: Timestamp,
    answer: &StoredAnswer,
) -> Result<()> {
    let mut create = tx.conn.prepare_cached(
        "INSERT OR REPLACE INTO idempotency_keys (environment, endpoint, key, status, body, created_at, expires_at,
             request_hash)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    create.execute(params![
        environment,
        scope.endpoint,
        scope.key,
        answer.status,
        answer.body,
        tx.now.millis(),
        expires_at.millis(),
        answer.request_hash
    ])?;
    Ok(())
}
