//! Whether a file is sound: what `bulkd check` looks at.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::{file, migrate};
use crate::error::{Error, Result};

/// Each must count zero: what it counts, and how.
const MUST_BE_ZERO: &[(&str, &str)] = &[
    (
        "jobs whose counters add up to more users than they received, or that are COMPLETED with fewer",
        "SELECT count(*) FROM jobs WHERE drained > received OR (status = 'COMPLETED' AND drained <> received)",
    ),
    (
        "jobs whose users are not as many as they received",
        "SELECT count(*) FROM jobs WHERE received <> (
             SELECT coalesce(sum(last_number - first_number + 1), 0) FROM user_ranges WHERE user_ranges.job = jobs.job)",
    ),
    (
        "ranges of users of which some are missing",
        "SELECT count(*) FROM user_ranges WHERE last_number - first_number + 1 <> (
             SELECT count(*) FROM users WHERE number BETWEEN first_number AND last_number)",
    ),
    (
        "users that belong to no job",
        "SELECT (SELECT count(*) FROM users) - (SELECT coalesce(sum(last_number - first_number + 1), 0) FROM user_ranges)",
    ),
    (
        "jobs whose messages are not as many as they enqueued",
        "SELECT count(*) FROM jobs WHERE enqueued <> (
             SELECT count(*) FROM message_ranges
             JOIN messages ON number BETWEEN first_number AND last_number WHERE message_ranges.job = jobs.job)",
    ),
    (
        "jobs whose failures are not as many as they count",
        "SELECT count(*) FROM jobs WHERE failures <> (SELECT count(*) FROM failures WHERE failures.job = jobs.job)",
    ),
    (
        "jobs whose progress is not what their messages and failures cover",
        "SELECT count(*) FROM jobs WHERE drained <> (
             SELECT coalesce(sum(last_number - first_number + 1), 0) FROM message_ranges
             WHERE message_ranges.job = jobs.job)",
    ),
    (
        "jobs with a recipient twice",
        "SELECT count(*) FROM (
             SELECT 1 FROM user_ranges JOIN users ON number BETWEEN first_number AND last_number
             GROUP BY job, recipient HAVING count(*) > 1)",
    ),
];

/// What the file holds, if it is sound.
pub struct Summary {
    pub jobs: u64,
    pub users: u64,
    pub messages: u64,
    pub failures: u64,
}

/// Looks the whole file over: SQLite's own integrity check, then the promises that bulkd makes. Changes nothing.
pub fn check(path: &Path) -> Result<Summary> {
    if !path.exists() {
        return Err(Error::startup(format!("there is no file {}", path.display())));
    }
    file::inspect(path)?;
    let unreadable = |error: rusqlite::Error| Error::startup(format!("{} cannot be read: {error}", path.display()));
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(unreadable)?;
    conn.busy_timeout(file::BUSY_TIMEOUT).map_err(unreadable)?;
    let snapshot = conn.unchecked_transaction().map_err(unreadable)?;
    let version = migrate::version(&snapshot).map_err(unreadable)?;
    migrate::refuse_newer(path, version)?;
    if version < migrate::VERSION {
        return Err(Error::startup(format!(
            "{} is of file version {version}; `bulkd serve` brings it to version {} first",
            path.display(),
            migrate::VERSION
        )));
    }
    let unsound = |what: String| Error::startup(format!("{} is not sound: {what}", path.display()));
    let mut integrity = snapshot.prepare("PRAGMA integrity_check(3)").map_err(unreadable)?;
    let findings: Vec<String> = integrity
        .query_map([], |row| row.get(0))
        .and_then(Iterator::collect)
        .map_err(|error| unsound(error.to_string()))?;
    if findings != ["ok"] {
        return Err(unsound(findings.join("; ")));
    }
    let count = |sql: &str| snapshot.query_row(sql, [], |row| row.get::<_, i64>(0));
    for (what, sql) in MUST_BE_ZERO {
        match count(sql).map_err(unreadable)? {
            0 => {}
            found => return Err(unsound(format!("{found} {what}"))),
        }
    }
    let count =
        |table: &str| count(&format!("SELECT count(*) FROM {table}")).map(i64::unsigned_abs).map_err(unreadable);
    Ok(Summary {
        jobs: count("jobs")?,
        users: count("users")?,
        messages: count("messages")?,
        failures: count("failures")?,
    })
}
