//! Environments: one row a bearer key.

use std::cell::Cell;

use rusqlite::{OptionalExtension, params};

use super::Store;
use super::engine::{Db, Tx};
use super::number;
use crate::error::{Error, Result};
use crate::model::environment::{Environment, EnvironmentRow};

/// A row that no environment has: nothing is found there.
pub const NOTHING: EnvironmentRow = EnvironmentRow(0);

/// The row of an environment that has made something before.
pub fn find(db: &Db<'_>, environment: &Environment) -> Result<Option<EnvironmentRow>> {
    let mut find = db.conn.prepare_cached("SELECT environment FROM environments WHERE key_hash = ?1")?;
    Ok(find.query_row(params![environment.key_hash], |row| row.get(0)).optional()?)
}

/// The row of an environment whose things are to be read: [`NOTHING`] if it has made nothing before.
pub fn find_or_nothing(db: &Db<'_>, environment: &Environment) -> Result<EnvironmentRow> {
    Ok(find(db, environment)?.unwrap_or(NOTHING))
}

/// The row of an environment, made when it makes something for the first time.
pub fn find_or_create(tx: &mut Tx<'_>, environment: &Environment) -> Result<EnvironmentRow> {
    if let Some(known) = find(tx, environment)? {
        return Ok(known);
    }
    let row = number::next_environment(tx.conn)?;
    tx.conn.execute(
        "INSERT INTO environments (environment, key_hash, label, created_at) VALUES (?1, ?2, ?3, ?4)",
        params![row, environment.key_hash, environment.label(), tx.now.millis()],
    )?;
    Ok(row)
}

/// The file, for a request of one environment that looks something up.
pub struct View<'a> {
    store: &'a Store,
    environment: &'a Environment,
    row: Cell<Option<EnvironmentRow>>,
}

impl<'a> View<'a> {
    pub fn new(store: &'a Store, environment: &'a Environment) -> Self {
        View { store, environment, row: Cell::new(None) }
    }

    /// Runs `query` with the environment's row: all its statements see the same state. The row is that of the first of
    /// these, also if the environment is made or reset meanwhile.
    pub fn read<T>(&self, query: impl FnOnce(&Db<'_>, EnvironmentRow) -> Result<T>) -> Result<T> {
        self.store.read_for_request(|db| {
            let row = self.row.get().map_or_else(|| find_or_nothing(db, self.environment), Ok)?;
            self.row.set(Some(row));
            query(db, row)
        })
    }

    /// For what is done to the environment as a whole.
    pub fn environment(&self) -> &'a Environment {
        self.environment
    }

    pub fn store(&self) -> &'a Store {
        self.store
    }
}

/// The last environment that was made, [`NOTHING`] before the first.
pub fn last(db: &Db<'_>) -> Result<EnvironmentRow> {
    let mut last = db.conn.prepare_cached("SELECT max(environment) FROM environments")?;
    let last: Option<EnvironmentRow> = last.query_row([], |row| row.get(0))?;
    Ok(last.unwrap_or(NOTHING))
}

/// Takes all that an environment has away from it: the row stays, under a hash that no key has, and the next one that is
/// made begins anew. A job that is running ends in peace. What would still be looked through or posted to goes at once,
/// and all else in pieces after the commit.
pub fn retire(tx: &mut Tx<'_>, row: EnvironmentRow) -> Result<()> {
    if row == NOTHING {
        return Ok(());
    }
    tx.conn.execute("DELETE FROM message_names WHERE environment = ?1", [row])?;
    if tx.conn.execute("DELETE FROM webhooks WHERE environment = ?1", [row])? > 0 {
        tx.wakeups.messages = true;
        tx.wakeups.webhooks = true;
    }
    let mut retire = tx.conn.prepare_cached(
        "UPDATE environments SET key_hash = CAST('retired ' || environment AS BLOB) WHERE environment = ?1",
    )?;
    match retire.execute([row])? {
        1 => {
            tx.wakeups.retention = true;
            Ok(())
        }
        _ => Err(Error::internal("an environment changed inside its own transaction")),
    }
}

/// Refuses a row that was looked up before and is gone by now: because the environment was reset, or because nothing was
/// left in it.
pub fn refuse_gone(db: &Db<'_>, row: EnvironmentRow) -> Result<()> {
    let mut is_there = db.conn.prepare_cached("SELECT 1 FROM environments WHERE environment = ?1")?;
    match is_there.exists([row])? {
        true => Ok(()),
        false => Err(Error::unavailable("what this API key had was dropped meanwhile; try again")),
    }
}

/// Whether an environment was not reset.
pub(in crate::store) fn is_there(db: &Db<'_>, environment: EnvironmentRow) -> Result<bool> {
    let mut is_there = db.conn.prepare_cached(
        "SELECT 1 FROM environments
         WHERE environment = ?1 AND key_hash <> CAST('retired ' || environment AS BLOB)",
    )?;
    Ok(is_there.exists([environment])?)
}

/// A key that begins with `mock_` opens an environment in which nothing goes out.
pub(in crate::store) fn is_simulation(db: &Db<'_>, environment: EnvironmentRow) -> Result<bool> {
    let mut label = db.conn.prepare_cached("SELECT label FROM environments WHERE environment = ?1")?;
    let label: Option<String> = label.query_row(params![environment], |row| row.get(0)).optional()?;
    Ok(label.is_some_and(|label| Environment::of_hash([0; 32], &label).is_simulation()))
}
