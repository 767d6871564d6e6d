//! From the version of a file to ours, which is its `PRAGMA user_version`.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior, params};

use super::file::APPLICATION_ID;
use crate::clock::Timestamp;
use crate::crash::{self, Point};
use crate::error::{Error, Result};
use crate::id::Ids;

/// What a file made today begins with.
const SCHEMA: &str = include_str!("../../schema.sql");

/// The version that this bulkd writes.
pub const VERSION: i64 = 3;

type Step = fn(&Connection) -> rusqlite::Result<()>;

/// Step i leads from version i + 1 to the version beside it.
const STEPS: [(Step, i64); VERSION as usize - 1] = [(rebuild, VERSION), (widen_deliveries, 3)];

/// From version 1, which knew jobs and their messages: the old tables step aside and their rows move over to those of
/// today.
fn rebuild(conn: &Connection) -> rusqlite::Result<()> {
    conn.execute_batch(include_str!("migrations/1_aside.sql"))?;
    conn.execute_batch(SCHEMA)?;
    conn.execute_batch(include_str!("migrations/1_move.sql"))
}

/// From version 2, in which a further delivery could not be opened or clicked.
fn widen_deliveries(conn: &Connection) -> rusqlite::Result<()> {
    conn.execute_batch(include_str!("migrations/2_deliveries.sql"))
}

pub fn refuse_newer(path: &Path, version: i64) -> Result<()> {
    if version > VERSION {
        return Err(Error::startup(format!(
            "{} was written by a newer bulkd (file version {version}, this bulkd knows {VERSION}); it was left alone",
            path.display()
        )));
    }
    Ok(())
}

pub fn version(conn: &Connection) -> rusqlite::Result<i64> {
    conn.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Brings the file to [`VERSION`], each step in a transaction of its own.
pub fn run(conn: &mut Connection, path: &Path, now: Timestamp, ids: &mut Ids) -> Result<()> {
    let failed = |error: rusqlite::Error| {
        Error::startup(format!("{} cannot be brought to version {VERSION}: {error}", path.display()))
    };
    refuse_newer(path, version(conn).map_err(failed)?)?;
    while version(conn).map_err(failed)? < VERSION {
        step(conn, now, ids).map_err(failed)?;
    }
    Ok(())
}

fn step(conn: &mut Connection, now: Timestamp, ids: &mut Ids) -> rusqlite::Result<()> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let from = version(&tx)?;
    let to = match usize::try_from(from).ok().and_then(|from| from.checked_sub(1)) {
        None => {
            tx.execute_batch(SCHEMA)?;
            tx.pragma_update(None, "application_id", APPLICATION_ID)?;
            tx.execute(
                "INSERT INTO file (file, message_tag, created_at) VALUES (1, ?1, ?2)",
                params![ids.message_tag(), now.millis()],
            )?;
            VERSION
        }
        Some(step) => {
            let Some((step, to)) = STEPS.get(step) else {
                return Ok(());
            };
            step(&tx)?;
            *to
        }
    };
    tx.pragma_update(None, "user_version", to)?;
    crash::point(Point::Migration);
    tx.commit()
}
