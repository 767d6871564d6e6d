//! What a start finds after an unclean end, and reports in the log.

use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::{fmt, fs};

use rusqlite::Connection;

use super::file::{self, Lock, PAGE_BYTES, Stage, with_suffix};
use super::serving;
use super::stopping::Stopping;
use crate::error::{Error, Result};
use crate::threads::catch;

/// A larger file is not checked automatically: that takes seconds of the disk, and holds the log.
const LOOKED_OVER_BYTES: u64 = 1 << 30;

/// What was there before SQLite touched it.
pub struct Found {
    path: PathBuf,
    left: Option<Stage>,
    /// Size of the database. `None` if there is none.
    database: Option<u64>,
    /// Size of the write-ahead log.
    log: Option<u64>,
}

impl Found {
    /// Whether there is no log.
    pub fn is_without_log(&self) -> bool {
        self.log.is_none()
    }

    pub fn look(path: &Path, lock: &Lock) -> Self {
        let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let size = |path: &Path| fs::metadata(path).ok().map(|metadata| metadata.len());
        let (database, log) = (size(&real).filter(|bytes| *bytes > 0), size(&with_suffix(&real, "-wal")));
        Found { path: real, left: lock.left(), database, log }
    }

    fn unreadable(&self, error: &dyn fmt::Display) -> Error {
        Error::startup(format!("{} cannot be read: {error}; `bulkd check` shows where", self.path.display()))
    }

    /// Reports an unclean end, once `conn` has taken over what the log held. Returns whether the file is to be checked.
    pub fn tell(&self, conn: &Connection) -> Result<bool> {
        let log_path = with_suffix(&self.path, "-wal");
        let (path, log_path) = (self.path.display(), log_path.display());
        const UNCLEAN: &str = "the last run did not end cleanly";
        // Nothing else is known of a file whose lock is gone.
        let is_marked = self.database.is_some() && serving::is_marked(conn).map_err(|error| self.unreadable(&error))?;
        match (self.left, self.database, self.log) {
            (Some(Stage::Serving), None, _) => {
                log::error!("{UNCLEAN}, and {path} is missing: what it held is lost, and a new file is made");
            }
            (Some(Stage::Serving), Some(_), None) => {
                log::error!("{UNCLEAN}, and its log {log_path} is missing: changes that were acknowledged may be lost");
            }
            (None | Some(Stage::Opening), Some(_), None) if is_marked => {
                log::error!(
                    "{path} was served when it was last written, and its log {log_path} is missing: \
                     changes that were acknowledged may be lost"
                );
            }
            (_, Some(_), Some(_)) if is_marked || self.left.is_some() => {
                let pages = pages_in_log(conn).map_err(|error| self.unreadable(&error))?;
                log::warn!("{UNCLEAN}; {pages} pages ({} bytes) of its log were taken over", pages * PAGE_BYTES);
            }
            (Some(Stage::Closing), Some(_), None) => log::info!("the last run was ended while it closed the file"),
            (None, Some(_), Some(1..)) => {
                let pages = pages_in_log(conn).map_err(|error| self.unreadable(&error))?;
                log::info!("{log_path} was left by another program; {pages} pages were taken over");
            }
            _ => {}
        }
        Ok((is_marked || self.left.is_some()) && self.database.is_some())
    }
}

/// Pages of the log that are read: a damaged page ends it.
fn pages_in_log(conn: &Connection) -> Result<i64> {
    Ok(conn.query_row("PRAGMA wal_checkpoint(NOOP)", [], |row| row.get::<_, i64>(1))?.max(0))
}

/// Checks in a thread of its own whether the file is sound, and logs an error if not. Without room for the thread the
/// file is served all the same.
pub fn look_over(path: &Path, stopping: &Stopping) -> Option<JoinHandle<()>> {
    let (path, stopping) = (path.to_owned(), stopping.clone());
    let work = move || {
        let finding = catch(|| find(&path, &stopping)).unwrap_or(Ok(None));
        if stopping.check().is_err() {
            return;
        }
        let shown = path.display();
        if let Some(finding) = finding.unwrap_or_else(|error| Some(error.to_string())) {
            let finding = finding.replace(char::is_control, " ");
            log::error!("{shown} does not hold together: {finding}; `bulkd check {shown}` shows where");
        }
    };
    let spawned = std::thread::Builder::new().name("recovery".to_owned()).spawn(work);
    spawned.map_err(|error| log::warn!("the file cannot be looked over at the start: {error}")).ok()
}

/// What is wrong, if anything is.
fn find(path: &Path, stopping: &Stopping) -> Result<Option<String>> {
    let mut conn = file::open_reader(path)?;
    stopping.watch(&mut conn)?;
    // All of one moment: while this is open no page of the log is overwritten, whatever is copied.
    let conn = conn.unchecked_transaction()?;
    let pages: i64 = conn.query_row("PRAGMA page_count", [], |row| row.get(0))?;
    let in_log = pages_in_log(&file::open_reader(path)?)?;
    let bytes = fs::metadata(path).map_or(0, |metadata| metadata.len());
    let page_bytes: i64 = conn.query_row("PRAGMA page_size", [], |row| row.get(0))?;
    // What is not in the file yet is in the log. Another connection asks for that, since one in a transaction may not.
    let there = (bytes / page_bytes.unsigned_abs()) as i64 + in_log;
    if there < pages {
        return Ok(Some(format!("at least {} of its {pages} pages are missing", pages - there)));
    }
    if bytes > LOOKED_OVER_BYTES {
        log::info!("{} is too large to be looked over at the start; `bulkd check` does", path.display());
        return Ok(None);
    }
    let finding: String = conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    Ok((finding != "ok").then_some(finding))
}
