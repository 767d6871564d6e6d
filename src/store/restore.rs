//! A backup in place of the database. At each moment the name belongs to what was there, or to what is restored.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::backup::{JOURNALS, copy, holds_something, of_source, unreadable};
use super::check::{self, FileSummary, check_alone};
use super::engine::file::{self, Lock, Stage, same_file, sync_folder, with_suffix};
use super::engine::in_place::InPlace;
use super::engine::partial::Partial;
use super::engine::serving;
use super::engine::stopping::Stopping;
use crate::crash::{self, Point};
use crate::error::{Error, Result};

/// The result of a restore.
#[derive(Debug)]
pub struct Summary {
    pub pages: u64,
    /// `None` for a file of an older version.
    pub holds: Option<FileSummary>,
    /// Where the database that was there before is now.
    pub kept: Option<PathBuf>,
}

impl Summary {
    /// What was restored and kept, in words.
    pub fn words(&self) -> String {
        let found = self.holds.as_ref().map_or_else(
            || "of an older version, which the next start brings up to date".to_owned(),
            |holds| format!("sound, with {holds}"),
        );
        let kept = self.kept.as_ref().map(|kept| format!("; what was there is kept as {}", kept.display()));
        format!("{} pages, {found}{}", self.pages, kept.unwrap_or_default())
    }
}

/// Puts a copy of the database `from` in place of `to`, which no daemon may serve. What was there is kept under another
/// name. Without `force`, nothing may be there.
pub fn restore(from: &Path, to: &Path, force: bool) -> Result<Summary> {
    check::inspect_existing(from)?;
    // A link stays, and the file that it leads to is replaced.
    let to = &fs::canonicalize(to).unwrap_or_else(|_| to.to_owned());
    refuse_folder(to)?;
    let lock = Lock::take(to)?;
    // By any other name of the file, too.
    let held = to.exists().then(|| InPlace::hold(to)).transpose()?;
    let is_itself = File::open(from).is_ok_and(|file| same_file(&file, to));
    if is_itself {
        return Err(Error::startup(format!(
            "{} is the file that is to be restored; expected a backup",
            from.display()
        )));
    }
    let beside = JOURNALS.map(|suffix| with_suffix(to, suffix));
    let there = to.exists().then_some(to).or(beside.iter().find(|path| holds_something(path)));
    if let Some(there) = there.filter(|_| !force) {
        let there = there.display();
        return Err(Error::startup(format!("there is a file {there}; --force keeps it under another name")));
    }
    let mut partial = Partial::create(to)?;
    if let Ok(replaced) = fs::metadata(to) {
        partial.take_owner_of(&replaced)?;
    }
    let source = check::open(from).map_err(|error| unreadable(from, &error))?;
    let stopping = Stopping::default();
    let pages = copy(source, &partial, &stopping).map_err(|error| of_source(from, error))?;
    let holds = check_alone(partial.path(), from, &stopping)?;
    crash::point(Point::Copied);
    // From here on the log may be gone although nothing is lost.
    lock.mark().set(Stage::Closing);
    // Before SQLite has the file open: closing any handle on it gives up SQLite's locks.
    drop(held);
    let kept = keep(to)?;
    crash::point(Point::Kept);
    // What is kept is complete by now, and the new file must not be read together with an old log.
    remove_journals(to)?;
    crash::point(Point::Kept);
    partial.place(true)?;
    crash::point(Point::Placed);
    let _ = fs::remove_file(with_suffix(to, "-shm"));
    Ok(Summary { pages, holds, kept })
}

fn refuse_folder(to: &Path) -> Result<()> {
    match fs::symlink_metadata(to) {
        Ok(metadata) if !metadata.is_file() => Err(Error::startup(format!("{} is not a regular file", to.display()))),
        // Whatever it holds: it may be damaged.
        Ok(_) => Ok(()),
        Err(_) => file::inspect(to),
    }
}

/// Gives what is there another name beside its own, with all files that SQLite reads together with it.
fn keep(to: &Path) -> Result<Option<PathBuf>> {
    if to.exists() {
        fold(to)?;
    }
    let failed = |error: std::io::Error| Error::startup(format!("{} cannot be kept: {error}", to.display()));
    let there = |path: &Path| path.symlink_metadata().is_ok();
    let beside = JOURNALS.map(|suffix| (suffix, with_suffix(to, suffix)));
    if !there(to) && !beside.iter().any(|(_, path)| holds_something(path)) {
        return Ok(None);
    }
    let kept = name_to_keep(to)?;
    for (suffix, path) in [("", to.to_owned())].iter().chain(&beside).filter(|(_, path)| there(path)) {
        let kept = with_suffix(&kept, suffix);
        if there(&kept) {
            continue;
        }
        // Where a file cannot have two names it is copied.
        fs::hard_link(path, &kept).or_else(|_| fs::copy(path, &kept).map(drop)).map_err(failed)?;
        File::open(&kept).and_then(|file| file.sync_all()).map_err(failed)?;
    }
    sync_folder(to).map_err(failed)?;
    Ok(Some(kept))
}

fn remove_journals(to: &Path) -> Result<()> {
    for path in JOURNALS.map(|suffix| with_suffix(to, suffix)) {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::startup(format!("{} cannot be removed: {error}", path.display())));
            }
            _ => {}
        }
    }
    sync_folder(to).map_err(|error| Error::startup(format!("{} cannot be replaced: {error}", to.display())))
}

/// Copies the log into the database and removes it, as a clean stop does. If the database is too damaged for that, the
/// log stays.
fn fold(to: &Path) -> Result<()> {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    let log = with_suffix(to, "-wal");
    let has_log = log.exists();
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let folded = Connection::open_with_flags(to, flags).and_then(|conn| {
        conn.busy_timeout(file::BUSY_TIMEOUT)?;
        // If that fails, the next start only reports more than there is.
        if has_log {
            let _ = serving::clear(&conn);
        }
        conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        conn.close().map_err(|(_, error)| error)
    });
    match folded {
        Err(error) if !matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase)) => {
            Err(Error::startup(format!("the log of {} cannot be copied into it: {error}", to.display())))
        }
        Ok(()) if log.exists() => {
            Err(Error::startup(format!("{} is in use by another program, which has its log open", to.display())))
        }
        _ => Ok(()),
    }
}

/// A free name, or one that an interrupted restore has already given to the same file.
fn name_to_keep(to: &Path) -> Result<PathBuf> {
    let is_ours = |path: &Path| File::open(path).is_ok_and(|file| same_file(&file, to));
    let names = (1..10_000).map(|n| with_suffix(to, &format!("-replaced-{n}")));
    let taken = |path: &PathBuf| {
        let all = ["", "-wal", "-journal"].map(|suffix| with_suffix(path, suffix));
        all.iter().any(|path| path.symlink_metadata().is_ok())
    };
    let mut free = names.filter(|path| !taken(path) || is_ours(path));
    free.next().ok_or_else(|| Error::startup(format!("too many files are kept of {}; remove some", to.display())))
}
