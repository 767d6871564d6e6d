//! A file that is being written, under a name that says so until it is complete. So a kill leaves no half of a file
//! under its own name.

use std::fs::{self, File, Permissions, TryLockError};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use tempfile::TempPath;

use super::file::{HEADER_BYTES, is_ours, same_file, sync_folder, with_suffix};
use crate::error::{Error, Kind, Result};

/// Follows the name that the file is to have.
const SUFFIX: &str = "-partial";
/// Follows that: what SQLite may have beside it.
const JOURNALS: [&str; 2] = ["-wal", "-journal"];

/// An empty file that is locked for us. Unless it gets its name, it is removed when it is dropped.
pub struct Partial {
    path: Option<TempPath>,
    target: PathBuf,
    file: File,
    /// What it gets together with its name.
    permissions: Option<Permissions>,
}

impl Partial {
    /// Removes what an earlier process has left under this name: a file that is being written is locked. A file that is
    /// not ours stays, and prevents this one.
    pub fn create(target: &Path) -> Result<Self> {
        let path = with_suffix(target, SUFFIX);
        let failed =
            |error: std::io::Error| Error::unavailable(format!("{} cannot be written: {error}", path.display()));
        let is_made = || Error::new(Kind::Conflict, format!("{} is being made already", target.display()));
        loop {
            let file = match new_file(&path) {
                Ok(file) => file,
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    match remove_left_over(&path).map_err(failed)? {
                        Removal::Removed => continue,
                        Removal::InUse => return Err(is_made()),
                        Removal::NotOurs => {
                            return Err(Error::conflict(format!("{} is there, and not bulkd's", path.display())));
                        }
                    }
                }
                Err(error) => return Err(failed(error)),
            };
            match file.try_lock() {
                // Otherwise another process took it for a left-over before it was locked.
                Ok(()) if !same_file(&file, &path) => continue,
                Ok(()) | Err(TryLockError::Error(_)) => {}
                Err(TryLockError::WouldBlock) => return Err(is_made()),
            }
            let path = TempPath::try_from_path(path.clone()).map_err(failed)?;
            return Ok(Partial { path: Some(path), target: target.to_owned(), file, permissions: None });
        }
    }

    pub fn path(&self) -> &Path {
        self.path.as_deref().unwrap_or(&self.target)
    }

    /// Gives it the owner of the file that it is to replace and, together with the name, that file's mode: the daemon's
    /// user must be able to read it. Until then only we can.
    pub fn take_owner_of(&mut self, replaced: &fs::Metadata) -> Result<()> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::{MetadataExt, fchown};
            let ours = self.file.metadata().map_err(|error| self.failed(error))?;
            let (user, group) = (replaced.uid(), replaced.gid());
            if (ours.uid(), ours.gid()) != (user, group) {
                fchown(&self.file, Some(user), Some(group)).map_err(|error| {
                    let target = self.target.display();
                    Error::unavailable(format!(
                        "{target} belongs to user {user} and group {group}, and a new one cannot be given to them \
                         ({error}); do it as that user or as root"
                    ))
                })?;
            }
        }
        self.permissions = Some(replaced.permissions());
        Ok(())
    }

    /// Fails if the disk has less room than this.
    pub fn refuse_without_room(&self, bytes: u64) -> Result<()> {
        #[cfg(unix)]
        if let Some(folder) = self.path().parent()
            && let Ok(disk) = rustix::fs::statvfs(if folder.as_os_str().is_empty() { Path::new(".") } else { folder })
        {
            let free = disk.f_bavail.saturating_mul(disk.f_frsize);
            if free < bytes {
                return Err(Error::unavailable(format!("a copy needs {bytes} bytes, and the disk has {free} free")));
            }
        }
        let _ = bytes;
        Ok(())
    }

    /// Syncs what was written so far.
    pub fn sync(&self) -> Result<()> {
        self.file.sync_all().map_err(|error| self.failed(error))
    }

    /// Gives it the name. With `replace` in place of a file that has it, otherwise only if there is none.
    pub fn place(mut self, replace: bool) -> Result<()> {
        if let Some(permissions) = self.permissions.take() {
            let set = self.file.set_permissions(permissions).and_then(|()| self.file.sync_all());
            set.map_err(|error| self.failed(error))?;
        }
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

/// What was done about a file with a partial name.
enum Removal {
    /// It was left over, or is gone by now.
    Removed,
    /// A process is still at it.
    InUse,
    NotOurs,
}

/// Removes what a process that was killed has left on the way to `target`.
pub fn remove_left_over_of(target: &Path) {
    let real = fs::canonicalize(target);
    // What cannot be removed prevents the next partial file, which reports it.
    let _ = remove_left_over(&with_suffix(real.as_deref().unwrap_or(target), SUFFIX));
}

fn remove_left_over(path: &Path) -> std::io::Result<Removal> {
    let file = match fs::symlink_metadata(path).and_then(|metadata| match metadata.is_file() {
        true => File::open(path).map(Some),
        false => Ok(None),
    }) {
        Ok(Some(file)) => file,
        Ok(None) => return Ok(Removal::NotOurs),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Removal::Removed),
        Err(error) => return Err(error),
    };
    match file.try_lock() {
        Ok(()) if !same_file(&file, path) => return Ok(Removal::Removed),
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(Removal::InUse),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    // SQLite writes the first page as the last.
    let mut header = Vec::new();
    (&file).take(HEADER_BYTES).read_to_end(&mut header)?;
    if !(header.iter().all(|&byte| byte == 0) || is_ours(&header)) {
        return Ok(Removal::NotOurs);
    }
    for journal in JOURNALS {
        let _ = fs::remove_file(with_suffix(path, journal));
    }
    fs::remove_file(path).map(|()| Removal::Removed)
}
