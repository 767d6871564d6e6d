//! From the version of a file to ours. The version is the file's `PRAGMA user_version`.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior, ffi, params};

use crate::clock::Timestamp;
use crate::crash::{self, Point};
use crate::error::{Error, Result};
use crate::id::Ids;

/// `PRAGMA application_id` of our files: "blkd".
pub const APPLICATION_ID: u32 = u32::from_be_bytes(*b"blkd");

/// The schema of a new file.
const SCHEMA: &str = include_str!("../../../schema.sql");

/// The migrations: entry `i` leads from version `i + 1` to the next one. Never remove or edit an entry: it has run on
/// people's files.
const MIGRATIONS: [&str; 9] = [
    include_str!("migrations/1_to_2.sql"),
    include_str!("migrations/2_to_3.sql"),
    include_str!("migrations/3_to_4.sql"),
    include_str!("migrations/4_to_5.sql"),
    include_str!("migrations/5_to_6.sql"),
    include_str!("migrations/6_to_7.sql"),
    include_str!("migrations/7_to_8.sql"),
    include_str!("migrations/8_to_9.sql"),
    include_str!("migrations/9_to_10.sql"),
];

/// The version that this bulkd writes.
pub const VERSION: i64 = MIGRATIONS.len() as i64 + 1;

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
            create(&tx, now, ids)?;
            VERSION
        }
        Some(entry) => {
            let Some(migration) = MIGRATIONS.get(entry) else {
                return Ok(());
            };
            tx.execute_batch(migration)?;
            refuse_unsound(&tx)?;
            from + 1
        }
    };
    tx.pragma_update(None, "user_version", to)?;
    crash::point(Point::Migration);
    tx.commit()
}

fn create(conn: &Connection, now: Timestamp, ids: &mut Ids) -> rusqlite::Result<()> {
    conn.execute_batch(SCHEMA)?;
    conn.pragma_update(None, "application_id", APPLICATION_ID)?;
    conn.execute(
        "INSERT INTO file (file, message_tag, created_at) VALUES (1, ?1, ?2)",
        params![ids.message_tag(), now.millis()],
    )?;
    Ok(())
}

/// A migration may write the schema past SQLite's own checks: the rows must fit the result.
fn refuse_unsound(conn: &Connection) -> rusqlite::Result<()> {
    let finding: String = conn.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    match finding.as_str() {
        "ok" => Ok(()),
        _ => Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_CORRUPT), Some(finding))),
    }
}
