//! A file without its free pages: what `bulkd compact` makes. A copy is made beside the file, and takes its name once
//! it is complete and on the disk. Until then the file stays as it was.

use std::fs;
use std::path::Path;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::engine::file::{self, Lock, Stage};
use super::engine::in_place::InPlace;
use super::engine::partial::Partial;
use super::engine::serving;
use crate::crash::{self, Point};
use crate::error::{Error, Result};

/// Sizes of the file, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Compacted {
    pub before: u64,
    pub after: u64,
}

/// Makes a file as small as what it holds.
pub fn compact(path: &Path) -> Result<Compacted> {
    if !path.exists() {
        return Err(Error::startup(format!("there is no file {}", path.display())));
    }
    file::inspect(path)?;
    let refused = |what: &str| Error::startup(format!("{} {what}; it was left as it was", path.display()));
    let failed = |what: &str, error: &dyn std::fmt::Display| refused(&format!("{what}: {error}"));
    let lock = Lock::take(path)?;
    let real = fs::canonicalize(path).map_err(|error| failed("cannot be found", &error))?;
    // Locks the file itself, whatever its name.
    let held = InPlace::hold(&real)?;
    refuse_hard_links(&real).map_err(|what| refused(&what))?;
    // The log goes. If it is missing after an unclean end, the next start has to report that.
    if lock.left() != Some(Stage::Serving) || file::with_suffix(&real, "-wal").exists() {
        lock.mark().set(Stage::Closing);
    }
    let before = size(&real).map_err(|error| failed("cannot be read", &error))?;
    let made = make(&real).and_then(|(conn, copy)| {
        crash::point(Point::Compact);
        copy.place(true)?;
        // Only now may another process write again: it finds the copy.
        drop(conn);
        Ok(())
    });
    made.map_err(|error| failed("cannot be made smaller", &error))?;
    crash::point(Point::Compact);
    drop(held);
    let after = size(&real).map_err(|error| failed("cannot be read", &error))?;
    Ok(Compacted { before, after })
}

fn size(path: &Path) -> std::io::Result<u64> {
    Ok(fs::metadata(path)?.len())
}

/// Another name of the file would still lead to the old one.
fn refuse_hard_links(path: &Path) -> std::result::Result<(), String> {
    #[cfg(unix)]
    if let Ok(metadata) = fs::metadata(path)
        && std::os::unix::fs::MetadataExt::nlink(&metadata) > 1
    {
        return Err("has another name (a hard link); remove that first".to_owned());
    }
    Ok(())
}

/// Makes a copy, on the disk, that holds all of the file and no more. The file itself is left without a log, since that
/// must not be taken for the copy's. It stays locked as long as the connection lives.
fn make(database: &Path) -> std::result::Result<(Connection, Partial), Box<dyn std::error::Error>> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut copy = Partial::create(database)?;
    copy.take_owner_of(&fs::metadata(database)?)?;
    let has_log = file::with_suffix(database, "-wal").exists();
    let conn = Connection::open_with_flags(database, flags)?;
    conn.busy_timeout(file::BUSY_TIMEOUT)?;
    if conn.is_readonly("main")? {
        return Err("it is read-only".into());
    }
    // Before anything is changed.
    let pragma = |name: &str| conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let needed = (pragma("page_count")? - pragma("freelist_count")?) * pragma("page_size")?;
    copy.refuse_without_room(needed.unsigned_abs())?;
    conn.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    let mode: String = conn.query_row("PRAGMA journal_mode = DELETE", [], |row| row.get(0))?;
    if mode != "delete" {
        return Err("another process has it open".into());
    }
    conn.execute_batch("BEGIN EXCLUSIVE; COMMIT")?;
    if has_log {
        serving::clear(&conn)?;
    }
    crash::point(Point::Compact);
    let name = copy.path().to_str().ok_or("its name is not UTF-8")?;
    conn.execute("VACUUM INTO ?1", [name]).map_err(|error| match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "the disk is full".into(),
        _ => Box::<dyn std::error::Error>::from(error),
    })?;
    let whole = Connection::open_with_flags(copy.path(), flags)?;
    let found: String = whole.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if found != "ok" {
        return Err(format!("its copy is not whole: {found}").into());
    }
    drop(whole);
    copy.sync()?;
    Ok((conn, copy))
}
