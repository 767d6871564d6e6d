//! The mark in a file that a daemon serves it. A clean stop removes it. While it is there, the file is incomplete
//! without its log. This is known even if everything beside the file is gone.

use rusqlite::Connection;

use super::migrate;

/// The first version of a file that can be marked.
const FIRST_VERSION: i64 = 6;

pub fn is_marked(conn: &Connection) -> rusqlite::Result<bool> {
    Ok(can_be_marked(conn)? && conn.query_row("SELECT serving FROM file", [], |row| row.get(0))?)
}

/// Returns false if it was marked already.
pub fn mark(conn: &Connection) -> rusqlite::Result<bool> {
    Ok(conn.execute("UPDATE file SET serving = 1 WHERE serving = 0", [])? > 0)
}

/// For a file of any version.
pub fn clear(conn: &Connection) -> rusqlite::Result<()> {
    if is_marked(conn)? {
        conn.execute("UPDATE file SET serving = 0", [])?;
    }
    Ok(())
}

/// Removes the mark from a copy. A copy is complete and needs no log, so it leaves write-ahead mode, too.
pub fn clear_copy(conn: &Connection) -> rusqlite::Result<()> {
    if !can_be_marked(conn)? {
        return Ok(());
    }
    conn.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    conn.query_row("PRAGMA journal_mode = OFF", [], |_| Ok(()))?;
    clear(conn)
}

fn can_be_marked(conn: &Connection) -> rusqlite::Result<bool> {
    Ok(migrate::version(conn)? >= FIRST_VERSION)
}
