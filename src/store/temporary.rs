//! Folders for files that are thrown away. What a killed process has left behind is removed when the next folder is
//! made.

use std::fs::{self, DirEntry, Metadata};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::engine::file;
use crate::error::{Error, Result, shown_up_to};

/// A file in each such folder. No other program makes a file of this name.
const MARK: &str = "thrown-away-by-bulkd";
const DATABASE: &str = "bulkd.db";
/// How the names of such folders begin.
const PREFIX: &str = "bulkd-";

/// A folder in the system's temporary one, and the name of the database file in it, which is not made yet. Folders that
/// earlier processes of the same user have left are removed.
pub fn folder(name: &str) -> Result<(TempDir, PathBuf)> {
    let failed = |error: std::io::Error| Error::startup(format!("no temporary folder can be made: {error}"));
    let folder = tempfile::Builder::new().prefix(&format!("{PREFIX}{name}")).tempdir().map_err(failed)?;
    fs::write(folder.path().join(MARK), "").map_err(failed)?;
    if let (Some(beside), Ok(ours)) = (folder.path().parent(), fs::symlink_metadata(folder.path())) {
        sweep(beside, &ours);
    }
    let database = folder.path().join(DATABASE);
    Ok((folder, database))
}

/// A folder that cannot be removed stays: that is no reason not to start.
fn sweep(temporary: &Path, ours: &Metadata) {
    for entry in fs::read_dir(temporary).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(PREFIX) && is_left_over(&entry, ours) {
            remove(&entry.path());
        }
    }
}

/// Whether it is a folder of this user that once held a database. A daemon creates the database after it has taken the
/// lock, so a folder without one may belong to a daemon that is starting.
fn is_left_over(entry: &DirEntry, ours: &Metadata) -> bool {
    let folder = entry.path();
    entry.metadata().is_ok_and(|it| it.is_dir() && same_user(&it, ours))
        && folder.join(MARK).is_file()
        && fs::symlink_metadata(folder.join(DATABASE)).is_ok_and(|it| it.is_file())
}

fn remove(folder: &Path) {
    // Held until all is gone, so that of two processes that sweep only one does it.
    let Ok(_lock) = file::Lock::take(&folder.join(DATABASE)) else { return };
    let path = folder.display().to_string();
    let path = shown_up_to(&path, 512);
    match fs::remove_dir_all(folder) {
        Ok(()) => log::info!("{path} was left by a process that was killed, and is removed"),
        Err(error) => log::warn!("{path} is left over and cannot be removed: {error}"),
    }
}

#[cfg(unix)]
fn same_user(one: &Metadata, other: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    one.uid() == other.uid()
}

/// The temporary folder is the user's own.
#[cfg(not(unix))]
fn same_user(_: &Metadata, _: &Metadata) -> bool {
    true
}
