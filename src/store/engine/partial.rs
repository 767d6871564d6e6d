//! A file on its way: under a name that tells so until it is complete, so that a kill leaves no half of one under its own.

use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use tempfile::TempPath;

use super::file::{same_file, sync_folder, with_suffix};
use crate::error::{Error, Kind, Result};

/// Behind the name that the file is to have.
const SUFFIX: &str = "-partial";

/// An empty file that is locked for us, and removed when it is dropped without having been given its name.
pub struct Partial {
    path: Option<TempPath>,
    target: PathBuf,
    file: File,
}

impl Partial {
    /// What an earlier process has left under this name is removed: it is locked as long as it is made.
    pub fn create(target: &Path) -> Result<Self> {
        let path = with_suffix(target, SUFFIX);
        let failed =
            |error: std::io::Error| Error::unavailable(format!("{} cannot be written: {error}", path.display()));
        let is_made = || Error::new(Kind::Conflict, format!("{} is being made already", target.display()));
        loop {
            let file = match new_file(&path) {
                Ok(file) => file,
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    remove_left_over(&path).map_err(failed)?.then_some(()).ok_or_else(is_made)?;
                    continue;
                }
                Err(error) => return Err(failed(error)),
            };
            match file.try_lock() {
                // Else another process took it for left over, before it was locked.
                Ok(()) if !same_file(&file, &path) => continue,
                Ok(()) | Err(TryLockError::Error(_)) => {}
                Err(TryLockError::WouldBlock) => return Err(is_made()),
            }
            let path = TempPath::try_from_path(path.clone()).map_err(failed)?;
            return Ok(Partial { path: Some(path), target: target.to_owned(), file });
        }
    }

    pub fn path(&self) -> &Path {
        self.path.as_deref().unwrap_or(&self.target)
    }

    /// Brings to the disk what was written so far.
    pub fn sync(&self) -> Result<()> {
        self.file.sync_all().map_err(|error| self.failed(error))
    }

    /// Gives it the name, in place of what has it, or only if nothing has.
    pub fn place(mut self, replace: bool) -> Result<()> {
        let Some(path) = self.path.take() else { return Ok(()) };
        let placed = if replace { path.persist(&self.target) } else { path.persist_noclobber(&self.target) };
        placed.map_err(|error| match error.error.kind() {
            ErrorKind::AlreadyExists => exists(&self.target),
            _ => self.failed(error.error),
        })?;
        sync_folder(&self.target).map_err(|error| self.failed(error))
    }

    fn failed(&self, error: std::io::Error) -> Error {
        Error::unavailable(format!("{} cannot be written: {error}", self.target.display()))
    }
}

/// A name that is taken.
pub fn exists(path: &Path) -> Error {
    Error::conflict(format!("there is a file {}", path.display()))
}

fn new_file(path: &Path) -> std::io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// False if a process is still at it. What is no regular file is none of ours.
fn remove_left_over(path: &Path) -> std::io::Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if !metadata.is_file() => return Err(ErrorKind::AlreadyExists.into()),
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(error),
    }
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(error),
    };
    match file.try_lock() {
        Ok(()) if same_file(&file, path) => fs::remove_file(path).map(|()| true),
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}
