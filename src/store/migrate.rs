//! From the version of a file to ours: `PRAGMA user_version` is the index of the next step.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior, params};

use super::file::APPLICATION_ID;
use crate::clock::Timestamp;
use crate::crash::{self, Point};
use crate::error::{Error, Result};
use crate::id::Ids;

/// Step i leads from version i to version i + 1. A file made today takes them all.
const STEPS: &[&str] = &[include_str!("../../schema.sql")];

/// The version that this bulkd writes.
pub const VERSION: i64 = STEPS.len() as i64;

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
    let Some(step) = usize::try_from(from).ok().and_then(|from| STEPS.get(from)) else {
        return Ok(());
    };
    tx.execute_batch(step)?;
    if from == 0 {
        tx.pragma_update(None, "application_id", APPLICATION_ID)?;
        tx.execute(
            "INSERT INTO file (file, message_tag, created_at) VALUES (1, ?1, ?2)",
            params![ids.message_tag(), now.millis()],
        )?;
    }
    tx.pragma_update(None, "user_version", from + 1)?;
    crash::point(Point::Migration);
    tx.commit()
}
