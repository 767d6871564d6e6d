//! The file itself: what is refused, the lock that keeps other daemons out, and connections to it.

use std::fs::{self, File, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::error::no_room_to_share;
use super::migrate;
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::id::Ids;
use crate::settings::Durability;

/// How long to wait for another program's lock, such as that of a sqlite3 shell.
pub const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// The size of a page of the database.
pub const PAGE_BYTES: i64 = 8192;

/// The size at which the write-ahead log starts over, and what it keeps of the disk when it does.
pub const LOG_BYTES: i64 = 64 * 1024 * 1024;

/// Without rusqlite's default of taking a name such as `file:x` for a URI.
const WRITING: OpenFlags =
    OpenFlags::SQLITE_OPEN_READ_WRITE.union(OpenFlags::SQLITE_OPEN_CREATE).union(OpenFlags::SQLITE_OPEN_NO_MUTEX);

impl Durability {
    /// SQLite's name for it.
    pub fn synchronous(self) -> &'static str {
        match self {
            Durability::Full => "FULL",
            Durability::Fast => "NORMAL",
            Durability::Ephemeral => "OFF",
        }
    }
}

/// Refuses what is not ours to open, without touching it. Reads only the header, so that it leaves no trace.
pub fn inspect(path: &Path) -> Result<()> {
    let shown = path.display();
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            if path.is_symlink() {
                return Err(Error::startup(format!("{shown} is a link to a file that does not exist")));
            }
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            return if folder.is_dir() {
                Ok(())
            } else {
                Err(Error::startup(format!("{shown} cannot be created: there is no folder {}", folder.display())))
            };
        }
        Err(error) => return Err(Error::startup(format!("{shown} cannot be opened: {error}"))),
    };
    if metadata.is_dir() {
        return Err(Error::startup(format!("{shown} is a folder; expected a file, or a name for a new one")));
    }
    if !metadata.is_file() {
        return Err(Error::startup(format!("{shown} is not a regular file")));
    }
    if metadata.len() == 0 {
        return Ok(());
    }
    let mut header = [0; 100];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut header));
    if let Err(error) = read
        && error.kind() != std::io::ErrorKind::UnexpectedEof
    {
        return Err(Error::startup(format!("{shown} cannot be read: {error}")));
    }
    let number = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let (user_version, application_id) = (number(60), number(68));
    if !header.starts_with(b"SQLite format 3\0") {
        return Err(Error::startup(format!(
            "{shown} is not a bulkd database (nor any SQLite database); it was left alone"
        )));
    }
    if application_id != migrate::APPLICATION_ID {
        return Err(Error::startup(format!("{shown} is a SQLite database, but not one of bulkd's; it was left alone")));
    }
    migrate::refuse_newer(path, i64::from(user_version))
}

/// The bytes of a file that tell what it is.
pub const HEADER_BYTES: u64 = 100;

/// Whether a file with this header is one of bulkd's.
pub fn is_ours(header: &[u8]) -> bool {
    header.starts_with(b"SQLite format 3\0") && header.get(68..72) == Some(&migrate::APPLICATION_ID.to_be_bytes())
}

/// The lock on a file: one daemon at a time. It is a file beside the database, because on some systems a lock on the
/// database itself would interfere with SQLite's own. A clean end removes it, so one that is found means that the end
/// was not clean.
pub struct Lock {
    left: Option<Stage>,
    mark: Mark,
}

/// What is written into a lock, for the next start if this process does not end cleanly. Copies share it.
#[derive(Clone)]
pub struct Mark(Arc<Marked>);

struct Marked {
    path: PathBuf,
    file: File,
    /// Whether the lock is left to the next start, as after an unclean end.
    keep: AtomicBool,
}

/// How far a process has come with the file that it has locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// What stands beside the file is as it was found.
    Opening,
    /// The write-ahead log is there, and may hold what the database lacks.
    Serving,
    /// The log may be copied into the database and removed.
    Closing,
}

impl Stage {
    const WORDS: [(&str, Stage); 2] = [("serving", Stage::Serving), ("closing", Stage::Closing)];

    fn read(mut file: &File) -> Self {
        let mut text = [0; 7];
        let word = file.read_exact(&mut text).ok().and_then(|()| std::str::from_utf8(&text).ok());
        let found = Stage::WORDS.iter().find(|(known, _)| word == Some(*known));
        found.map_or(Stage::Opening, |(_, stage)| *stage)
    }
}

impl Lock {
    pub fn take(database: &Path) -> Result<Self> {
        // A file may be named in several ways.
        let real = fs::canonicalize(database);
        let path = with_suffix(real.as_deref().unwrap_or(database), "-lock");
        loop {
            let is_new = File::options().write(true).create_new(true).open(&path).is_ok();
            let file = open_lock(&path).map_err(|error| {
                let hint = if path.is_symlink() { " (it is a symbolic link)" } else { "" };
                Error::startup(format!("{} cannot be written: {error}{hint}", path.display()))
            })?;
            match file.try_lock() {
                Ok(()) if same_file(&file, &path) => {
                    let left = (!is_new).then(|| Stage::read(&file));
                    let keep = AtomicBool::new(left.is_some());
                    return Ok(Lock { left, mark: Mark(Arc::new(Marked { path, file, keep })) });
                }
                // Its owner removed it on the way out, between our opening and our locking.
                Ok(()) => continue,
                Err(TryLockError::WouldBlock) => {
                    return Err(Error::startup(format!("{} is in use by another bulkd", database.display())));
                }
                Err(TryLockError::Error(error)) => {
                    return Err(Error::startup(format!("{} cannot be locked: {error}", path.display())));
                }
            }
        }
    }

    /// How far the process had come that left the lock behind: it was killed, or the machine stopped.
    pub fn left(&self) -> Option<Stage> {
        self.left
    }

    pub fn mark(&self) -> &Mark {
        &self.mark
    }
}

impl Mark {
    /// Records how far this process is. If that cannot be written, as on a full disk, the next start reports less.
    pub fn set(&self, stage: Stage) {
        let Marked { path, file, keep } = &*self.0;
        let Some((word, _)) = Stage::WORDS.iter().find(|(_, known)| *known == stage) else { return };
        let mut file = file;
        let written = file.seek(SeekFrom::Start(0)).and_then(|_| file.write_all(word.as_bytes()));
        if let Err(error) = written.and_then(|()| file.sync_all()).and_then(|()| sync_folder(path)) {
            log::debug!("{} cannot be written: {error}", path.display());
        }
        keep.store(false, Ordering::Relaxed);
    }

    /// Leaves the lock to the next start.
    pub fn keep(&self) {
        self.0.keep.store(true, Ordering::Relaxed);
    }
}

/// Follows no symbolic link: its target would be created, or locked, in place of the lock.
fn open_lock(path: &Path) -> std::io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
    options.open(path)
}

impl Drop for Lock {
    fn drop(&mut self) {
        let Marked { path, file, keep } = &*self.mark.0;
        if !keep.load(Ordering::Relaxed) {
            // Removed while still locked: a process that opened it meanwhile finds that it is gone.
            let _ = fs::remove_file(path);
        }
        let _ = file.unlock();
    }
}

/// Syncs the folder of a file, and with it the names in the folder.
pub fn sync_folder(path: &Path) -> std::io::Result<()> {
    if cfg!(unix) {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

/// Whether an open file is the one that has this name.
#[cfg(unix)]
pub fn same_file(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), fs::metadata(path)) {
        (Ok(held), Ok(named)) => (held.dev(), held.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}

#[cfg(not(unix))]
pub fn same_file(_: &File, path: &Path) -> bool {
    path.exists()
}

pub fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Opens the writing connection, creating or migrating the file.
pub fn open(path: &Path, durability: Durability, now: Timestamp, ids: &mut Ids) -> Result<Connection> {
    let refused = |error: rusqlite::Error| {
        let hint = if no_room_to_share(&error) { "; the disk is full or fails" } else { "" };
        Error::startup(format!("{} cannot be opened: {error}{hint}", path.display()))
    };
    let mut conn = Connection::open_with_flags(path, WRITING).map_err(refused)?;
    if conn.is_readonly("main").map_err(refused)? {
        return Err(Error::startup(format!("{} cannot be written: it is read-only", path.display())));
    }
    let prepare = |conn: &Connection| -> rusqlite::Result<()> {
        tune(conn)?;
        conn.pragma_update(None, "page_size", PAGE_BYTES)?;
        conn.pragma_update(None, "foreign_keys", true)?;
        // Deleted content is overwritten. FAST would leave it on pages that a deletion frees as a whole. ON writes
        // these to the log once more.
        conn.pragma_update(None, "secure_delete", true)?;
        conn.pragma_update(None, "synchronous", durability.synchronous())
    };
    prepare(&conn).map_err(refused)?;
    // A refused file keeps its log, too.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map_err(refused)?;
    migrate::run(&mut conn, path, now, ids)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false).map_err(refused)?;
    // Only now: the header of a new file says that it is ours before any data can be in the log beside it.
    let mode: String = conn.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)).map_err(refused)?;
    if mode != "wal" {
        return Err(Error::startup(format!("{} is on a file system without SQLite's write-ahead log", path.display())));
    }
    conn.pragma_update(None, "wal_autocheckpoint", 0).map_err(refused)?;
    // If a reader that held the log made it grow, the space is given back when the log starts over.
    conn.pragma_update(None, "journal_size_limit", LOG_BYTES).map_err(refused)?;
    Ok(conn)
}

/// Settings that the connections of the writer and of the readers share.
fn tune(conn: &Connection) -> rusqlite::Result<()> {
    conn.busy_timeout(BUSY_TIMEOUT)?;
    conn.set_prepared_statement_cache_capacity(64);
    // Otherwise SQLite plans a statement again whenever its parameters change, which costs more than running it.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    conn.pragma_update(None, "temp_store", "MEMORY")
}

/// Another connection to a file that [`open`] has prepared, for reading only.
pub fn open_reader(path: &Path) -> Result<Connection> {
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    tune(&conn)?;
    // In KiB. There are several connections, and what they read most is read only once.
    conn.pragma_update(None, "cache_size", -1024)?;
    Ok(conn)
}

/// The database file, for syncing it beside SQLite. It must not be closed before the last connection: closing any
/// handle on a file gives up all the locks that the process has on it, SQLite's among them.
pub fn open_for_sync(path: &Path, durability: Durability) -> Result<Option<Arc<File>>> {
    if durability == Durability::Ephemeral {
        return Ok(None);
    }
    let file = File::options().read(true).write(true).open(path);
    let file = file.map_err(|error| Error::startup(format!("{} cannot be opened: {error}", path.display())))?;
    Ok(Some(Arc::new(file)))
}

/// A connection for copying the log into the database.
pub fn open_checkpointer(path: &Path, durability: Durability) -> Result<Connection> {
    let conn = Connection::open_with_flags(path, WRITING)?;
    // A copy waits for no lock, but its first look at the log does: another program may hold it alone while it closes
    // the file, or reads its log for the first time.
    conn.busy_timeout(BUSY_TIMEOUT)?;
    if durability == Durability::Ephemeral {
        conn.pragma_update(None, "synchronous", "OFF")?;
    }
    Ok(conn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_copier_waits_for_one_that_has_the_file_for_itself_for_a_moment() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bulkd.db");
        drop(open(&path, Durability::Fast, Timestamp(0), &mut Ids::sequential(0)).unwrap());
        let other = Connection::open(&path).unwrap();
        other.pragma_update(None, "locking_mode", "EXCLUSIVE").unwrap();
        other.execute_batch("BEGIN IMMEDIATE; UPDATE file SET created_at = 1; COMMIT").unwrap();
        let copier = open_checkpointer(&path, Durability::Fast).unwrap();
        std::thread::scope(|scope| {
            let (ask, asked) = std::sync::mpsc::channel();
            scope.spawn(move || {
                asked.recv().unwrap();
                std::thread::park_timeout(Duration::from_millis(50));
                drop(other);
            });
            ask.send(()).unwrap();
            let held = copier.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get::<_, bool>(0));
            assert_eq!(held, Ok(false));
        });
    }
}
