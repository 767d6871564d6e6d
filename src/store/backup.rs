//! Copies of the whole file, made while it is served or not. All pages of a copy are of one moment.

use std::path::Path;
use std::sync::TryLockError;
use std::time::{Duration, Instant};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use super::Store;
use super::check::{self, FileSummary, check_alone};
use super::engine::file::{self, with_suffix};
use super::engine::partial::{self, Partial};
use super::engine::serving;
use super::engine::stopping::Stopping;
use crate::crash::{self, Point};
use crate::error::{Error, Kind, Result};

/// Pages that are copied between two checks for the stop.
const STEP_PAGES: i32 = 256;
/// Steps between two syncs. A sync after more data would make the syncs of a daemon wait.
const STEPS_PER_SYNC: u32 = 16;

/// What SQLite keeps beside a database. It would be read together with a copy that is put there.
pub(super) const JOURNALS: [&str; 2] = ["-wal", "-journal"];

/// A copy that was made and checked.
#[derive(Debug)]
pub struct Summary {
    pub bytes: u64,
    pub pages: u64,
    pub taken: Duration,
    /// `None` for a file of an older version, of which only SQLite's own check was made.
    pub holds: Option<FileSummary>,
}

impl Summary {
    /// What was copied and what was found, in words.
    pub fn words(&self) -> String {
        let Summary { bytes, pages, taken, .. } = self;
        let found = match &self.holds {
            Some(holds) => format!("it is sound: {holds}"),
            None => "it is of an older version, and SQLite finds it whole".to_owned(),
        };
        format!("{pages} pages, {bytes} bytes, in {:.1} s; {found}", taken.as_secs_f64())
    }
}

/// Copies the database `from` to a file `to`, beside a daemon that serves it or without one.
pub fn backup(from: &Path, to: &Path, replace: bool) -> Result<Summary> {
    let begun = Instant::now();
    check::inspect_existing(from)?;
    refuse_taken(from, to, replace)?;
    let partial = Partial::create(to)?;
    let source = check::open(from).map_err(|error| unreadable(from, &error))?;
    let stopping = Stopping::default();
    let copied = copy(source, &partial, &stopping).map_err(|error| of_source(from, error))?;
    let holds = check_alone(partial.path(), from, &stopping)?;
    finish(partial, replace, begun, copied, holds)
}

impl Store {
    /// Copies what is committed now to a new file. Holds up neither readers nor the writer; the log grows meanwhile.
    pub fn back_up(&self, to: &Path) -> Result<Summary> {
        let begun = Instant::now();
        let Ok(_alone) = self.backing_up.try_lock().or_else(|error| match error {
            TryLockError::Poisoned(poisoned) => Ok(poisoned.into_inner()),
            TryLockError::WouldBlock => Err(()),
        }) else {
            return Err(Error::conflict("another backup is being made; try again when it is there"));
        };
        refuse_beside(to)?;
        if to.symlink_metadata().is_ok() {
            return Err(partial::exists(to));
        }
        let partial = Partial::create(to)?;
        // Opened by its name, as every reader is: another file must not have that name by now.
        let source = file::open_reader(&self.path)?;
        self.in_place.check()?;
        let copied = copy(source, &partial, &self.stopping)?;
        self.in_place.check()?;
        let unsound = |error: Error| match error.kind() {
            Kind::Startup => Error::unavailable(format!("{error}; the backup was not kept")),
            _ => error,
        };
        let holds = check_alone(partial.path(), &self.path, &self.stopping).map_err(unsound)?;
        finish(partial, false, begun, copied, holds)
    }
}

/// Refuses a name that is taken, unless its file is to be replaced.
fn refuse_taken(from: &Path, to: &Path, replace: bool) -> Result<()> {
    refuse_beside(to)?;
    let Ok(metadata) = to.symlink_metadata() else { return Ok(()) };
    let shown = to.display();
    if !replace {
        return Err(Error::conflict(format!("there is a file {shown}; --force replaces it")));
    }
    if !metadata.is_file() {
        return Err(Error::startup(format!("{shown} is not a regular file")));
    }
    let named = std::fs::File::open(to).map_err(|error| Error::startup(format!("{shown} cannot be read: {error}")))?;
    if file::same_file(&named, from) {
        return Err(Error::startup(format!("{shown} is the database itself; expected another file")));
    }
    match named.try_lock() {
        Err(std::fs::TryLockError::WouldBlock) => Err(Error::startup(format!("{shown} is in use by another bulkd"))),
        _ => Ok(()),
    }
}

fn refuse_beside(to: &Path) -> Result<()> {
    match JOURNALS.iter().map(|suffix| with_suffix(to, suffix)).find(|path| holds_something(path)) {
        Some(path) => Err(Error::conflict(format!("there is a file {}, which belongs to that name", path.display()))),
        None => Ok(()),
    }
}

/// Whether there is a file that is not empty. SQLite's readers leave an empty log.
pub(super) fn holds_something(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|metadata| !metadata.is_file() || metadata.len() > 0)
}

/// Copies one state of the database and returns how many pages it has. The connection is closed then, so that it does
/// not hold the log while the copy is checked.
pub(super) fn copy(source: Connection, partial: &Partial, stopping: &Stopping) -> Result<u64> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut target = Connection::open_with_flags(partial.path(), flags)?;
    // An incomplete copy is thrown away, and a complete one is synced as a whole.
    target.pragma_update(None, "journal_mode", "OFF")?;
    target.pragma_update(None, "synchronous", "OFF")?;
    // A read transaction of its own. Without one, each step would read the newest state, and a change between two steps
    // would restart the copy: under a busy writer for ever.
    let snapshot = source.unchecked_transaction()?;
    let pages: u64 = snapshot.query_row("PRAGMA page_count", [], |row| row.get(0))?;
    {
        let backup = Backup::new(&snapshot, &mut target)?;
        let mut steps = 0;
        loop {
            stopping.check()?;
            match backup.step(STEP_PAGES)? {
                StepResult::Done => break,
                StepResult::More => crash::point(Point::Copy),
                _ => return Err(Error::unavailable("the database file is locked by another program; try again later")),
            }
            steps += 1;
            if steps % STEPS_PER_SYNC == 0 {
                partial.sync()?;
            }
        }
    }
    drop(snapshot);
    serving::clear_copy(&target)?;
    target.close().map_err(|(_, error)| error)?;
    partial.sync()?;
    Ok(pages)
}

fn finish(partial: Partial, replace: bool, begun: Instant, pages: u64, holds: Option<FileSummary>) -> Result<Summary> {
    let bytes = partial.path().metadata().map_or(0, |metadata| metadata.len());
    crash::point(Point::Copied);
    partial.place(replace)?;
    crash::point(Point::Placed);
    Ok(Summary { bytes, pages, taken: begun.elapsed(), holds })
}

pub(super) fn unreadable(path: &Path, error: &rusqlite::Error) -> Error {
    Error::startup(format!("{} cannot be read: {error}", path.display()))
}

/// An error for the user who has named the file.
pub(super) fn of_source(path: &Path, error: Error) -> Error {
    Error::startup(format!("{} cannot be copied: {error}", path.display()))
}
