//! Environments: one row a bearer key.

use rusqlite::{OptionalExtension, params};

use super::{Db, Tx};
use crate::error::Result;
use crate::model::environment::Environment;

/// The row of an environment that has made something before.
pub(in crate::store) fn find(db: &Db<'_>, environment: &Environment) -> Result<Option<i64>> {
    let mut find = db.conn.prepare_cached("SELECT environment FROM environments WHERE key_hash = ?1")?;
    Ok(find.query_row(params![environment.key_hash], |row| row.get(0)).optional()?)
}

/// The row of an environment, made when it makes something for the first time.
pub(in crate::store) fn find_or_create(tx: &mut Tx<'_>, environment: &Environment) -> Result<i64> {
    if let Some(known) = find(tx, environment)? {
        return Ok(known);
    }
    tx.conn.execute(
        "INSERT INTO environments (key_hash, label, created_at) VALUES (?1, ?2, ?3)",
        params![environment.key_hash, environment.label(), tx.now.millis()],
    )?;
    Ok(tx.conn.last_insert_rowid())
}
