//! Whether the open database is still the file of its name. A file that was deleted, moved, emptied or overwritten
//! still takes commits, and all of them are lost at the stop.
//!
//! While there is a log, the database is only written by copies of the log, ours or another program's. Each copy is
//! noted, before and after, in the memory that the connections share (`-shm`). If the database was written without such
//! a note, it was overwritten, however sound it looks. If it was written during a copy, it is ours only if it has our
//! tag.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;

use super::file::with_suffix;
use crate::error::{Error, Result};

/// The open file, locked for this daemon. Copies share it. The last must not be dropped before the last connection:
/// closing any handle on a file gives up all the locks that the process has on it, SQLite's among them.
#[derive(Clone)]
pub struct InPlace(Arc<Mutex<Held>>);

struct Held {
    file: File,
    path: PathBuf,
    log_path: PathBuf,
    /// The write-ahead log, once there is one. SQLite keeps it as long as a connection is open.
    #[cfg(unix)]
    log: Option<wal::Log>,
    /// Size of the database at the last look. Only a VACUUM makes it smaller, and then the header has the new size.
    bytes: u64,
    /// When the database was written, in seconds and nanoseconds, and how far the log was copied then. Both at the last
    /// look.
    #[cfg(unix)]
    seen: Option<((i64, i64), wal::Copied)>,
    /// The database's header at the last look.
    #[cfg(unix)]
    header: [u8; 100],
    /// Whether the file system reports at once when a file was written. A network's or a virtual machine host's may
    /// report it later, although nothing was written then.
    #[cfg(unix)]
    is_prompt: bool,
    /// Where the database says which one it is, once that is known.
    #[cfg(unix)]
    tag: Option<tag::Tag>,
    /// What is wrong with the contents of the files. That cannot be mended while they are open.
    damage: Option<&'static str>,
}

#[cfg(unix)]
const WRITTEN_OVER: &str = "the database file was written over; stop bulkd and restore the file";

impl InPlace {
    /// Locks the database itself: the lock beside it goes by a name, and a hard link is another name.
    pub fn hold(path: &Path) -> Result<Self> {
        let failed =
            |error: &dyn std::fmt::Display| Error::startup(format!("{} cannot be opened: {error}", path.display()));
        let path_of_file = fs::canonicalize(path).map_err(|error| failed(&error))?;
        let file = File::open(&path_of_file).map_err(|error| failed(&error))?;
        if cfg!(unix) {
            // Unlike SQLite's own locks, this one belongs to the open file. Where the file system has no such locks,
            // the lock beside it has to do.
            if let Err(TryLockError::WouldBlock) = file.try_lock() {
                return Err(Error::startup(format!("{} is in use by another bulkd", path.display())));
            }
        }
        let bytes = file.metadata().map_err(|error| failed(&error))?.len();
        let log_path = with_suffix(&path_of_file, "-wal");
        #[cfg(unix)]
        let is_prompt = is_prompt(&file);
        Ok(InPlace(Arc::new(Mutex::new(Held {
            file,
            path: path_of_file,
            log_path,
            #[cfg(unix)]
            log: None,
            bytes,
            #[cfg(unix)]
            seen: None,
            #[cfg(unix)]
            header: [0; 100],
            #[cfg(unix)]
            is_prompt,
            #[cfg(unix)]
            tag: None,
            damage: None,
        }))))
    }

    /// From now on the database must also have the tag that `conn` finds in it: no other database has the same.
    pub fn expect_tag(&self, conn: &Connection) -> rusqlite::Result<()> {
        #[cfg(unix)]
        {
            let mut tag = tag::Tag::find(conn)?;
            let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            tag.is_in(&held.file);
            held.tag = Some(tag);
        }
        Ok(())
    }

    /// Refuses a change that would be lost. Costs a few microseconds.
    pub fn check(&self) -> Result<()> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match held.problem() {
            Some(problem) => Err(Error::unavailable(problem)),
            None => Ok(()),
        }
    }

    /// Refuses to trust what was read from a file that holds another's pages now.
    pub fn check_contents(&self) -> Result<()> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.problem();
        held.damage.map_or(Ok(()), |damage| Err(Error::unavailable(damage)))
    }

    /// Refuses to copy a log into a database if either of them holds another's contents. If the database only has
    /// another name, or none, the copy does no harm.
    pub fn check_copy(&self) -> Result<()> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.problem();
        match held.damage {
            Some(damage) => Err(Error::unavailable(damage)),
            None => {
                #[cfg(unix)]
                held.log.iter_mut().for_each(wal::Log::begin_copy);
                Ok(())
            }
        }
    }

    /// To be called when all connections are closed. If the database was overwritten, its log gets another name:
    /// otherwise the next start would copy pages into a file that they do not belong to.
    pub fn set_log_aside(&self) {
        #[cfg(unix)]
        {
            let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if held.damage != Some(WRITTEN_OVER) || !held.log_path.exists() {
                return;
            }
            let (log_path, aside) = (held.log_path.display(), with_suffix(&held.path, "-wal-aside"));
            match fs::rename(&held.log_path, &aside) {
                Ok(()) => log::error!("{log_path} is of the file that was written over; it is now {}", aside.display()),
                Err(error) => log::error!("{log_path} is of the file that was written over; remove it: {error}"),
            }
        }
    }

    /// Whether the database or its log has reached the largest size that this process may write (`ulimit -f`). SQLite
    /// only reports that a write has failed.
    #[cfg(unix)]
    pub fn is_at_size_limit(&self) -> bool {
        use super::file::PAGE_BYTES;
        let Some(limit) = rustix::process::getrlimit(rustix::process::Resource::Fsize).current else { return false };
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sizes = [held.file.metadata(), fs::metadata(&held.log_path)];
        // What would exceed it is written in part or not at all.
        sizes.into_iter().flatten().any(|metadata| metadata.len() + PAGE_BYTES as u64 > limit)
    }

    #[cfg(not(unix))]
    pub fn is_at_size_limit(&self) -> bool {
        false
    }
}

impl Drop for Held {
    /// Unlocks explicitly. Closing is not enough: a process that is being started at this moment has a copy of every
    /// handle.
    fn drop(&mut self) {
        let _ = self.file.unlock();
    }
}

#[cfg(unix)]
impl Held {
    /// What is wrong, if anything is.
    fn problem(&mut self) -> Option<&'static str> {
        if self.damage.is_none() {
            self.damage = match self.look() {
                Err(Problem::Damage(damage)) => Some(damage),
                Err(Problem::Place(problem)) => return Some(problem),
                Ok(()) => None,
            };
        }
        self.damage
    }

    fn look(&mut self) -> std::result::Result<(), Problem> {
        use std::os::unix::fs::{FileExt, MetadataExt};
        // First: a copy that begins after this point has not written before it.
        let log = self.log.as_ref().and_then(wal::Log::state);
        let Ok(open) = self.file.metadata() else {
            return Err(Problem::Place("the database file cannot be looked at"));
        };
        match fs::metadata(&self.path) {
            Ok(named) if wal::id(&named) == wal::id(&open) => {}
            Ok(_) => return Err(Problem::Place("another file has the name of the database; put the database back")),
            Err(_) => return Err(Problem::Place("the database file was deleted or moved away; put it back")),
        }
        let written = (open.mtime(), open.mtime_nsec());
        if open.len() != self.bytes || self.seen.is_none_or(|(seen, _)| seen != written) {
            let mut header = [0; 100];
            let is_read = self.file.read_exact_at(&mut header, 0).is_ok();
            if open.len() < self.bytes && !(is_read && open.len() >= bytes_of(&header)) {
                return Err(Problem::Damage("the database file was cut off; stop bulkd and restore the file"));
            }
            if open.len() > 0 && !(is_read && header.starts_with(b"SQLite format 3\0")) {
                return Err(Problem::Damage(WRITTEN_OVER));
            }
            let may_be_told_late = !self.is_prompt && open.len() == self.bytes && header == self.header;
            self.header = header;
            if let (Some(files), Some((_, copied)), Some(now)) = (&self.log, self.seen, &log)
                && !may_be_told_late
                && now.copied == copied
                && !files.is_being_copied(now)
                && files.state().is_some_and(|now| now.copied == copied)
            {
                return Err(Problem::Damage(WRITTEN_OVER));
            }
            if open.len() > 0 && self.tag.as_mut().is_some_and(|tag| !tag.is_in(&self.file)) {
                return Err(Problem::Damage(WRITTEN_OVER));
            }
        }
        self.bytes = open.len();
        self.seen = log.as_ref().map(|log| (written, log.copied));
        match (fs::metadata(&self.log_path), &self.log) {
            (Ok(found), Some(known)) if known.is(&found) => {
                if log.is_some_and(|log| !known.holds(&log, found.len())) {
                    const EMPTIED: &str =
                        "the database's write-ahead log was emptied, cut off or written over; stop bulkd";
                    return Err(Problem::Damage(EMPTIED));
                }
            }
            (Ok(_), None) => {
                self.log = wal::Log::open(&self.path, &self.log_path);
                self.seen = self.log.as_ref().and_then(wal::Log::state).map(|log| (written, log.copied));
            }
            (_, None) => {}
            (_, Some(_)) => {
                return Err(Problem::Place("the database's write-ahead log was deleted or moved away; put it back"));
            }
        }
        Ok(())
    }
}

/// Whether a file is on one of the Linux file systems that keep the time of the last write themselves.
#[cfg(target_os = "linux")]
fn is_prompt(file: &File) -> bool {
    // Source: `statfs(2)`. btrfs, ext2 to ext4, F2FS, overlayfs, tmpfs, XFS, ZFS.
    const PROMPT: [u64; 7] = [0x9123_683e, 0xef53, 0xf2f5_2010, 0x794c_7630, 0x0102_1994, 0x5846_5342, 0x2fc1_2fc1];
    rustix::fs::fstatfs(file).is_ok_and(|found| PROMPT.contains(&(found.f_type as u64 & 0xffff_ffff)))
}

#[cfg(all(unix, not(target_os = "linux")))]
fn is_prompt(_: &File) -> bool {
    false
}

#[cfg(unix)]
enum Problem {
    /// With a file's name, which it may get back.
    Place(&'static str),
    /// With a file's contents.
    Damage(&'static str),
}

/// The text that tells a database from all others. It is also a part of its messages' ids.
#[cfg(unix)]
mod tag {
    use std::fs::File;
    use std::os::unix::fs::FileExt;

    use rusqlite::Connection;

    pub struct Tag {
        text: String,
        /// The place of the page that has it, and the size of a page. A `VACUUM` moves it.
        page_at: u64,
        page_bytes: usize,
        /// In a new database only the log has it until that is copied.
        was_there: bool,
    }

    impl Tag {
        pub fn find(conn: &Connection) -> rusqlite::Result<Self> {
            let text = conn.query_row("SELECT message_tag FROM file", [], |row| row.get(0))?;
            // A table of one row is one page.
            let sql = "SELECT rootpage FROM sqlite_schema WHERE type = 'table' AND name = 'file'";
            let page: u64 = conn.query_row(sql, [], |row| row.get(0))?;
            let page_bytes: u32 = conn.query_row("PRAGMA page_size", [], |row| row.get(0))?;
            let page_at = page.saturating_sub(1).saturating_mul(u64::from(page_bytes));
            Ok(Tag { text, page_at, page_bytes: page_bytes as usize, was_there: false })
        }

        /// Whether this database has it, or does not have it yet. Reads one page, or all pages if it is not where it
        /// was.
        pub fn is_in(&mut self, database: &File) -> bool {
            if self.is_in_page(database, self.page_at) {
                self.was_there = true;
                return true;
            }
            if !self.was_there {
                return true;
            }
            let bytes = database.metadata().map_or(0, |metadata| metadata.len());
            let moved = (0..bytes).step_by(self.page_bytes.max(512)).find(|at| self.is_in_page(database, *at));
            self.page_at = moved.unwrap_or(self.page_at);
            moved.is_some()
        }

        fn is_in_page(&self, database: &File, at: u64) -> bool {
            let mut page = vec![0; self.page_bytes];
            let is_read = database.read_exact_at(&mut page, at).is_ok();
            is_read && page.windows(self.text.len()).any(|text| text == self.text.as_bytes())
        }
    }
}

/// The write-ahead log, and what the connections note about it in the memory that they share. Source: "The WAL-Index
/// File Format" of SQLite's documentation.
#[cfg(unix)]
mod wal {
    use std::fs::{File, Metadata};
    use std::os::unix::fs::{FileExt, MetadataExt};
    use std::path::Path;

    use super::with_suffix;

    /// Which file it is: device and inode.
    pub fn id(metadata: &Metadata) -> (u64, u64) {
        (metadata.dev(), metadata.ino())
    }

    /// Changes with each copy of the log into the database.
    #[derive(Clone, Copy, PartialEq, Eq)]
    pub struct Copied {
        /// These change each time that the log starts over.
        salts: [u8; 8],
        frames: u32,
        /// How much a copy was going to copy, noted before it began.
        attempted: u32,
    }

    pub struct State {
        pub copied: Copied,
        /// Frames that are committed.
        frames: u32,
        page_bytes: u32,
    }

    pub struct Log {
        id: (u64, u64),
        file: File,
        shared: File,
        /// A copy that seemed to be under way when the log was opened: taking over a log that was left looks like that.
        found: Option<Copied>,
    }

    impl Log {
        /// `None` while the log is being created.
        pub fn open(database: &Path, path: &Path) -> Option<Self> {
            let file = File::open(path).ok()?;
            let shared = File::open(with_suffix(database, "-shm")).ok()?;
            let mut log = Log { id: id(&file.metadata().ok()?), file, shared, found: None };
            log.found = log.state().map(|state| state.copied);
            Some(log)
        }

        pub fn is(&self, found: &Metadata) -> bool {
            id(found) == self.id
        }

        pub fn state(&self) -> Option<State> {
            let mut bytes = [0; 132];
            self.shared.read_exact_at(&mut bytes, 0).ok()?;
            let number = |at: usize| u32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
            let mut salts = [0; 8];
            salts.copy_from_slice(&bytes[32..40]);
            let page_bytes = match u16::from_ne_bytes([bytes[14], bytes[15]]) {
                1 => 65_536,
                bytes => u32::from(bytes),
            };
            let copied = Copied { salts, frames: number(96), attempted: number(128) };
            Some(State { copied, frames: number(16), page_bytes })
        }

        /// Whether another copy is under way, or was given up.
        pub fn is_being_copied(&self, state: &State) -> bool {
            state.copied.attempted > state.copied.frames && self.found != Some(state.copied)
        }

        /// From now on a copy that seems to be under way is.
        pub fn begin_copy(&mut self) {
            self.found = None;
        }

        /// Whether a log of this size has all committed frames, behind its own header.
        pub fn holds(&self, state: &State, bytes: u64) -> bool {
            let needed = 32 + u64::from(state.frames) * (24 + u64::from(state.page_bytes));
            let mut salts = [0; 8];
            let has = |state: &State, salts: &[u8; 8]| state.frames == 0 || *salts == state.copied.salts;
            let is_read = state.frames == 0 || self.file.read_exact_at(&mut salts, 16).is_ok();
            if is_read && (state.frames == 0 || bytes >= needed) && has(state, &salts) {
                return true;
            }
            // It may have started over meanwhile.
            self.state().is_none_or(|now| now.copied.salts != state.copied.salts)
        }
    }
}

/// The size of a database as its header says. Source: "The Database Header" of SQLite's file format.
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
    /// Other systems do not let an open file be removed.
    fn problem(&mut self) -> Option<&'static str> {
        None
    }
}
