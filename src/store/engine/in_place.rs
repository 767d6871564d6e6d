//! Whether the open database is still the file of its name. A file that was deleted, moved, emptied or written over goes on
//! taking commits, and all of them are lost at the stop.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::file::with_suffix;
use crate::error::{Error, Result};

/// The open file, locked for this daemon. Copies share it. The last must not be dropped before the last connection: to
/// close any handle on a file gives up all the locks that the process has on it, SQLite's among them.
#[derive(Clone)]
pub struct InPlace(Arc<Mutex<Held>>);

struct Held {
    file: File,
    path: PathBuf,
    log_path: PathBuf,
    /// Device and inode of the write-ahead log, once there is one. SQLite keeps it as long as a connection is open.
    log: Option<(u64, u64)>,
    /// At the last look. It becomes smaller only by a VACUUM, after which the header has the new size.
    bytes: u64,
}

impl InPlace {
    /// Locks the database itself: the lock beside it goes by a name, and a hard link is another.
    pub fn hold(path: &Path) -> Result<Self> {
        let failed =
            |error: &dyn std::fmt::Display| Error::startup(format!("{} cannot be opened: {error}", path.display()));
        let path_of_file = fs::canonicalize(path).map_err(|error| failed(&error))?;
        let file = File::open(&path_of_file).map_err(|error| failed(&error))?;
        if cfg!(unix) {
            // Other than SQLite's own locks, it is one of the open file. A file system that has none has the lock beside it.
            if let Err(TryLockError::WouldBlock) = file.try_lock() {
                return Err(Error::startup(format!("{} is in use by another bulkd", path.display())));
            }
        }
        let bytes = file.metadata().map_err(|error| failed(&error))?.len();
        let log_path = with_suffix(&path_of_file, "-wal");
        Ok(InPlace(Arc::new(Mutex::new(Held { file, path: path_of_file, log_path, log: None, bytes }))))
    }

    /// Refuses a change that would be lost. Costs a few microseconds.
    pub fn check(&self) -> Result<()> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match held.problem() {
            Some(problem) => Err(Error::unavailable(problem)),
            None => Ok(()),
        }
    }

    /// Whether the database or its log has grown as large as this process may let a file become (`ulimit -f`). SQLite
    /// says of it no more than that a write has failed.
    #[cfg(target_os = "linux")]
    pub fn is_at_size_limit(&self) -> bool {
        use super::file::PAGE_BYTES;
        let Some(limit) = rustix::process::getrlimit(rustix::process::Resource::Fsize).current else { return false };
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sizes = [held.file.metadata(), fs::metadata(&held.log_path)];
        // What would go beyond it is written in part or not at all.
        sizes.into_iter().flatten().any(|metadata| metadata.len() + PAGE_BYTES as u64 > limit)
    }

    #[cfg(not(target_os = "linux"))]
    pub fn is_at_size_limit(&self) -> bool {
        false
    }
}

impl Drop for Held {
    /// By name, and not only by closing: a process that is being started at this moment has a copy of every handle.
    fn drop(&mut self) {
        let _ = self.file.unlock();
    }
}

#[cfg(unix)]
impl Held {
    /// What is wrong, if anything is.
    fn problem(&mut self) -> Option<&'static str> {
        use std::os::unix::fs::{FileExt, MetadataExt};
        let id = |metadata: &fs::Metadata| (metadata.dev(), metadata.ino());
        let Ok(open) = self.file.metadata() else { return Some("the database file cannot be looked at") };
        match fs::metadata(&self.path) {
            Ok(named) if id(&named) == id(&open) => {}
            Ok(_) => return Some("another file has the name of the database; put the database back"),
            Err(_) => return Some("the database file was deleted or moved away; put it back"),
        }
        let mut header = [0; 100];
        let is_read = self.file.read_exact_at(&mut header, 0).is_ok();
        if open.len() < self.bytes && !(is_read && open.len() >= bytes_of(&header)) {
            return Some("the database file was cut off; stop bulkd and restore the file");
        }
        self.bytes = open.len();
        if open.len() > 0 && !(is_read && header.starts_with(b"SQLite format 3\0")) {
            return Some("the database file was written over; stop bulkd and restore the file");
        }
        match (fs::metadata(&self.log_path), self.log) {
            (Ok(log), None) => self.log = Some(id(&log)),
            (Ok(log), Some(known)) if id(&log) == known => {}
            (_, None) => {}
            (_, Some(_)) => return Some("the database's write-ahead log was deleted or moved away; put it back"),
        }
        None
    }
}

/// How large a database is, as its header says. Source: "The Database Header" of SQLite's file format.
#[cfg(unix)]
fn bytes_of(header: &[u8; 100]) -> u64 {
    let page_bytes = match u16::from_be_bytes([header[16], header[17]]) {
        1 => 65_536,
        bytes => u64::from(bytes),
    };
    page_bytes * u64::from(u32::from_be_bytes([header[28], header[29], header[30], header[31]]))
}

#[cfg(not(unix))]
impl Held {
    /// Other systems do not let an open file be taken away.
    fn problem(&mut self) -> Option<&'static str> {
        None
    }
}
