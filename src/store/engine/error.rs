//! What SQLite's errors mean to a client.

use crate::error::Error;

/// SQLite's errors, by their codes. The request is not at fault if the disk is full, the device fails or the file is
/// damaged: it may be sent again.
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
            // A value that the schema rules out was read, or the schema itself is gone.
            None if is_unreadable(&error) => DAMAGED,
            Some(Unknown) => DAMAGED,
            _ => return Error::internal("SQLite refused a statement").caused_by(error),
        };
        Error::unavailable(format!("{trouble}; try again later")).caused_by(error)
    }
}

/// Whether a value does not fit its column.
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

/// Whether there is no room for the file by which SQLite's connections share the log's index. SQLite only reports an
/// I/O error.
pub fn no_room_to_share(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|error| error.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE)
}
