//! What SQLite's errors mean to a client.

use crate::error::Error;

/// SQLite's errors, by its codes. What a full disk, a failing device or a damaged file causes is no fault of the
/// request, which may be sent again.
impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::*;
        const DAMAGED: &str = "the database file is damaged; `bulkd check` shows where";
        let trouble = match error.sqlite_error_code() {
            _ if no_room_to_share(&error) => "the disk is full",
            Some(DiskFull) => "the disk is full",
            Some(ReadOnly) => "the database file is read-only",
            Some(CannotOpen | PermissionDenied | FileLockingProtocolFailed) => "the database file cannot be opened",
            Some(DatabaseCorrupt | NotADatabase) => DAMAGED,
            Some(SystemIoFailure) => "the disk reports an error",
            Some(DatabaseBusy | DatabaseLocked) => "the database file is locked by another program",
            Some(OutOfMemory) => "there is not enough memory",
            // What the schema rules out was read, or the schema itself is gone.
            None if is_unreadable(&error) => DAMAGED,
            Some(Unknown) => DAMAGED,
            _ => return Error::internal("SQLite refused a statement").caused_by(error),
        };
        Error::unavailable(format!("{trouble}; try again later")).caused_by(error)
    }
}

/// Whether a value is not what its column says.
fn is_unreadable(error: &rusqlite::Error) -> bool {
    use rusqlite::Error::*;
    matches!(
        error,
        FromSqlConversionFailure(..)
            | IntegralValueOutOfRange(..)
            | InvalidColumnType(..)
            | InvalidQuery
            | Utf8Error(..)
    )
}

/// Whether there is no room for the file by which SQLite's connections share the log's index, of which SQLite says no
/// more than that input or output failed.
pub fn no_room_to_share(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|error| error.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE)
}
