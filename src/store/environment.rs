//! Environments: a row for each API key.

use std::cell::Cell;

use rusqlite::{OptionalExtension, params};

use super::engine::{Db, Tx};
use super::{Lane, Store, SyncWhen, Undo, number};
use crate::error::{Error, Result};
use crate::model::environment::{Environment, EnvironmentRow};

/// A row that no environment has: nothing is found there.
pub const NOTHING: EnvironmentRow = EnvironmentRow(0);

/// The row of an environment that has made something before.
pub fn find(db: &Db<'_>, environment: &Environment) -> Result<Option<EnvironmentRow>> {
    let mut find = db.conn.prepare_cached("SELECT environment FROM environments WHERE key_hash = ?1")?;
    Ok(find.query_row(params![environment.key_hash], |row| row.get(0)).optional()?)
}

/// The row of an environment that is to be read: [`NOTHING`] if it has made nothing yet.
pub fn find_or_nothing(db: &Db<'_>, environment: &Environment) -> Result<EnvironmentRow> {
    Ok(find(db, environment)?.unwrap_or(NOTHING))
}

/// The row of an environment, made when it makes something for the first time.
pub fn find_or_create(tx: &mut Tx<'_>, environment: &Environment) -> Result<EnvironmentRow> {
    if let Some(known) = find(tx, environment)? {
        return Ok(known);
    }
    insert(tx, &environment.key_hash, &environment.label())
}

fn insert(tx: &mut Tx<'_>, key_hash: &[u8], label: &str) -> Result<EnvironmentRow> {
    let row = number::next_environment(tx.conn)?;
    tx.conn.execute(
        "INSERT INTO environments (environment, key_hash, label, created_at) VALUES (?1, ?2, ?3, ?4)",
        params![row, key_hash, label, tx.now.millis()],
    )?;
    Ok(row)
}

/// Stands in place of a key's hash for an environment that no key opens.
const SET_ASIDE: &str = "set aside";

/// The environment of what nothing finds: lists and webhooks that were deleted and are removed in pieces, and lists
/// that are not in their places yet. `None` if there are none.
pub(in crate::store) fn find_aside(db: &Db<'_>) -> Result<Option<EnvironmentRow>> {
    let mut find = db.conn.prepare_cached("SELECT environment FROM environments WHERE key_hash = ?1")?;
    Ok(find.query_row(params![SET_ASIDE.as_bytes()], |row| row.get(0)).optional()?)
}

/// The same environment, made if it is missing. It goes with the last of what is there.
pub(in crate::store) fn aside(tx: &mut Tx<'_>) -> Result<EnvironmentRow> {
    find_aside(tx)?.map_or_else(|| insert(tx, SET_ASIDE.as_bytes(), SET_ASIDE), Ok)
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

    /// Runs `query` with the environment's row: all its statements see the same state. The row is that of the first
    /// query, even if the environment is made or reset meanwhile.
    pub fn read<T>(&self, query: impl FnOnce(&Db<'_>, EnvironmentRow) -> Result<T>) -> Result<T> {
        self.store.read_for_request(|db| {
            let row = self.row.get().map_or_else(|| find_or_nothing(db, self.environment), Ok)?;
            self.row.set(Some(row));
            query(db, row)
        })
    }

    /// Makes a change ahead of the request's own, of which it is a part: both are on the disk when the request's own
    /// is. It is made in the row of the first change or query, which is returned. If the environment was reset since,
    /// the earlier changes are lost, and nothing is made.
    pub fn write(
        &self,
        change: impl FnOnce(&mut Tx<'_>, EnvironmentRow) -> Result<()> + Send + 'static,
    ) -> Result<EnvironmentRow> {
        let (known, environment) = (self.row.get().filter(|row| *row != NOTHING), self.environment.clone());
        let write = move |tx: &mut Tx<'_>| {
            let row = known.map_or_else(|| find_or_create(tx, &environment), Ok)?;
            if is_there(tx, row)? {
                change(tx, row)?;
            }
            Ok(row)
        };
        let row = self.store.submit(Lane::Behind, SyncWhen::Later, Undo::Change, write).wait()?;
        self.row.set(Some(row));
        Ok(row)
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

/// Fails if a row that was looked up before is gone: the environment was reset, or nothing was left in it.
pub fn refuse_gone(db: &Db<'_>, row: EnvironmentRow) -> Result<()> {
    let mut is_there = db.conn.prepare_cached("SELECT 1 FROM environments WHERE environment = ?1")?;
    match is_there.exists([row])? {
        true => Ok(()),
        false => Err(Error::not_yet("what this API key had was dropped meanwhile; try again")),
    }
}

/// The environment of a row, if a key still opens it.
pub fn of_row(db: &Db<'_>, row: EnvironmentRow) -> Result<Option<Environment>> {
    let mut of_row = db.conn.prepare_cached("SELECT key_hash, label FROM environments WHERE environment = ?1")?;
    let found = of_row.query_row([row], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let found = found.and_then(|(key_hash, label): (Vec<u8>, String)| Some((key_hash.try_into().ok()?, label)));
    Ok(found.map(|(key_hash, label)| Environment::of_hash(key_hash, &label)))
}

/// Whether an environment still exists, that is, was not reset.
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
