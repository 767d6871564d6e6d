//! Whether a file is sound: what `bulkd check` looks at.

use std::fmt;
use std::path::Path;

use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::engine::stopping::Stopping;
use super::engine::{file, migrate};
use crate::error::{Error, Result, shown};
use crate::model::channel::Channel;
use crate::model::message_status::{MessageStatus, Reason};
use crate::model::provider::Provider;

/// Each must count zero: its name, and its query.
const MUST_BE_ZERO: &[(&str, &str)] = &[
    (
        "jobs whose counters add up to more users than they received, or that are COMPLETED with fewer",
        "SELECT count(*) FROM jobs WHERE drained > received OR (status = 'COMPLETED' AND drained <> received)",
    ),
    (
        "jobs whose users are not as many as they received",
        "SELECT count(*) FROM jobs WHERE dropped_at IS NULL AND received <> (
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
        "SELECT count(*) FROM jobs WHERE dropped_at IS NULL AND enqueued <> (
             SELECT count(*) FROM message_ranges
             JOIN messages ON number BETWEEN first_number AND last_number WHERE message_ranges.job = jobs.job)",
    ),
    (
        "jobs whose failures are not as many as they count",
        "SELECT count(*) FROM jobs
         WHERE dropped_at IS NULL AND failures <> (SELECT count(*) FROM failures WHERE failures.job = jobs.job)",
    ),
    (
        "jobs whose progress is not what their messages and failures cover",
        "SELECT count(*) FROM jobs WHERE dropped_at IS NULL AND drained <> (
             SELECT coalesce(sum(last_number - first_number + 1), 0) FROM message_ranges
             WHERE message_ranges.job = jobs.job)",
    ),
    (
        "messages that belong to no job",
        "SELECT (SELECT count(*) FROM messages) - (
             SELECT count(*) FROM message_ranges JOIN messages ON number BETWEEN first_number AND last_number)",
    ),
    (
        "ranges of users that do not follow one another",
        "SELECT count(*) FROM (
             SELECT first_seq, sum(last_number - first_number + 1) OVER (PARTITION BY job ORDER BY first_seq)
                 - (last_number - first_number + 1) AS expected FROM user_ranges JOIN jobs USING (job)
             WHERE dropped_at IS NULL)
         WHERE first_seq <> expected",
    ),
    (
        "ranges of messages that do not follow one another",
        "SELECT count(*) FROM (
             SELECT first_seq, sum(last_number - first_number + 1) OVER (PARTITION BY job ORDER BY first_seq)
                 - (last_number - first_number + 1) AS expected FROM message_ranges JOIN jobs USING (job)
             WHERE dropped_at IS NULL)
         WHERE first_seq <> expected",
    ),
    (
        "failures of users that have a message, or had no turn",
        "SELECT count(*) FROM failures JOIN jobs USING (job) WHERE dropped_at IS NULL AND (
             SELECT seq - first_seq > last_number - first_number
                 OR EXISTS (SELECT 1 FROM messages WHERE number = first_number + seq - first_seq)
             FROM message_ranges WHERE message_ranges.job = failures.job AND first_seq <= seq
             ORDER BY first_seq DESC LIMIT 1) IS NOT 0",
    ),
    (
        "bulk jobs with a recipient twice",
        "SELECT count(*) FROM (
             SELECT 1 FROM user_ranges CROSS JOIN jobs USING (job)
             CROSS JOIN users ON number BETWEEN first_number AND last_number
             WHERE kind = 'BULK' GROUP BY job, recipient HAVING count(*) > 1)",
    ),
    (
        "messages that wait without being DELAYED, or the other way round",
        "SELECT (SELECT count(*) FROM delayed LEFT JOIN messages USING (number) WHERE status IS NOT 'DELAYED')
             + (SELECT count(*) FROM messages WHERE status = 'DELAYED' AND number NOT IN (SELECT number FROM delayed))",
    ),
    (
        "ends of deliveries that are not there, or wait to go out",
        "SELECT count(*) FROM endings LEFT JOIN messages USING (number)
         WHERE messages.status IS NULL OR messages.status = 'DELAYED' OR position <> 0 AND NOT EXISTS (
             SELECT 1 FROM deliveries
             WHERE deliveries.number = endings.number AND deliveries.position = endings.position)",
    ),
    (
        "jobs that are being dropped and are still running, or whose id is still theirs",
        "SELECT count(*) FROM jobs
         WHERE (dropped_at IS NOT NULL AND status = 'PROCESSING')
             OR (dropped_at IS NOT NULL) <> (job_id = 'dropped ' || job)",
    ),
    (
        "numbers that were dropped and are there",
        "SELECT (SELECT dropped_environment IN (SELECT environment FROM environments) FROM file)
             + (SELECT count(*) FROM file JOIN jobs ON job = dropped_job)
             + (SELECT count(*) FROM file JOIN users ON number = dropped_user)
             + (SELECT count(*) FROM file JOIN messages ON number = dropped_message)",
    ),
    (
        "profiles that were deleted and are current, or of which is known whose they were",
        "SELECT count(*) FROM profile_versions LEFT JOIN profiles USING (profile_version)
         WHERE profile = 'null' AND (profiles.user_id IS NOT NULL OR profile_versions.user_id IS NOT NULL)",
    ),
    (
        "messages with a channel and nothing else, or the other way round",
        "SELECT count(*) FROM messages
         WHERE (channel IS NULL) <> (provider IS NULL) OR (channel IS NULL) <> (address IS NULL)
             OR (channel IS NULL) <> (body IS NULL)",
    ),
    (
        "deliveries that wait and have no channel or no route",
        "SELECT count(*) FROM delivery_queue WHERE channel NOT IN (SELECT channel FROM delivery_channels)
             OR route NOT IN (SELECT route FROM delivery_routes)",
    ),
    (
        "copies of messages that end before they begin",
        "SELECT count(*) FROM delivery_copies WHERE first_number > last_number",
    ),
    (
        "channels that are delivered by a route that is not in use",
        "SELECT count(*) FROM delivery_channels
         WHERE route IS NOT NULL AND route NOT IN (SELECT route FROM delivery_routes WHERE in_use = 1)",
    ),
    (
        "rows that speak of others that are not there",
        "SELECT count(*) FROM pragma_foreign_key_check",
    ),
    (
        "messages to another recipient than their user",
        "SELECT count(*) FROM (
             SELECT message_ranges.job, recipient, first_seq + number - first_number AS seq
             FROM message_ranges JOIN jobs USING (job) JOIN messages ON number BETWEEN first_number AND last_number
             WHERE dropped_at IS NULL) AS message
         WHERE recipient IS NOT (SELECT recipient FROM users WHERE number = (
             SELECT first_number + seq - first_seq FROM user_ranges
             WHERE user_ranges.job = message.job AND first_seq <= seq ORDER BY first_seq DESC LIMIT 1))",
    ),
];

/// The columns of the large tables that hold one of a few words and have no CHECK that lists them.
fn columns_of_words() -> [(&'static str, &'static str, Vec<&'static str>); 11] {
    let (statuses, reasons) = (words(MessageStatus::NAMES), words(Reason::NAMES));
    let (channels, providers) = (words(Channel::NAMES), words(Provider::NAMES));
    [
        ("messages", "status", statuses.clone()),
        ("messages", "reason", reasons.clone()),
        ("messages", "channel", channels.clone()),
        ("messages", "provider", providers.clone()),
        ("deliveries", "status", statuses.clone()),
        ("deliveries", "reason", reasons.clone()),
        ("deliveries", "channel", channels),
        ("deliveries", "provider", providers),
        ("message_events", "status", statuses.clone()),
        ("endings", "status", statuses),
        ("endings", "reason", reasons),
    ]
}

fn words<T>(names: &[(&'static str, T)]) -> Vec<&'static str> {
    names.iter().map(|(name, _)| *name).collect()
}

/// The first row with a word that this bulkd does not know.
fn find_unknown_word(conn: &Connection) -> rusqlite::Result<Option<String>> {
    for (table, column, words) in columns_of_words() {
        let known = words.join("','");
        let sql = format!("SELECT number, {column} FROM {table} WHERE {column} NOT IN ('{known}') LIMIT 1");
        let found = conn.query_row(&sql, [], |row| {
            let (number, word): (i64, String) = (row.get(0)?, row.get(1)?);
            Ok(format!("the row of {table} with number {number} has the {column} '{}'", shown(&word)))
        });
        if let Some(found) = found.optional()? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// What the file holds, if it is sound.
#[derive(Debug, Default)]
pub struct FileSummary {
    pub jobs: u64,
    pub users: u64,
    pub messages: u64,
    pub failures: u64,
}

impl fmt::Display for FileSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FileSummary { jobs, users, messages, failures } = self;
        write!(f, "{jobs} jobs, {users} users, {messages} messages, {failures} failures")
    }
}

/// Checks the whole file: first SQLite's own integrity check, then the invariants of bulkd. Changes nothing.
pub fn check(path: &Path) -> Result<FileSummary> {
    inspect_existing(path)?;
    let conn = open(path).map_err(|error| Reporter(path).unreadable(error))?;
    let summary = look_over(&conn, path, Reporter(path))?;
    summary.ok_or_else(|| {
        let version = migrate::version(&conn).unwrap_or_default();
        Error::startup(format!(
            "{} is of file version {version}; `bulkd serve` brings it to version {} first",
            path.display(),
            migrate::VERSION
        ))
    })
}

/// The same for a file that no other process changes, named `shown` in errors. There is no summary for an older
/// version, which only SQLite checks.
pub(in crate::store) fn check_alone(path: &Path, shown: &Path, stopping: &Stopping) -> Result<Option<FileSummary>> {
    file::inspect(path)?;
    let unreadable = |error: rusqlite::Error| Reporter(shown).unreadable(error);
    let mut conn = open_alone(path).map_err(unreadable)?;
    stopping.watch(&mut conn).map_err(unreadable)?;
    let summary = look_over(&conn, path, Reporter(shown));
    stopping.check()?;
    summary
}

/// Refuses a file that is missing or not ours.
pub(in crate::store) fn inspect_existing(path: &Path) -> Result<()> {
    if !path.exists() {
        return Err(Error::startup(format!("there is no file {}", path.display())));
    }
    file::inspect(path)
}

/// Tells what is wrong with a file of this name.
#[derive(Clone, Copy)]
struct Reporter<'a>(&'a Path);

impl Reporter<'_> {
    /// Names from a damaged file may hold anything.
    fn refused(self, what: &str) -> Error {
        Error::startup(format!("{} {}", self.0.display(), what.replace(char::is_control, " ")))
    }

    fn unreadable(self, error: rusqlite::Error) -> Error {
        self.refused(&format!("cannot be read: {error}"))
    }

    fn unsound(self, what: &str) -> Error {
        self.refused(&format!("is not sound: {what}"))
    }
}

/// Without a summary if the file is of an older version.
fn look_over(conn: &Connection, path: &Path, reporter: Reporter<'_>) -> Result<Option<FileSummary>> {
    let unreadable = |error: rusqlite::Error| reporter.unreadable(error);
    let snapshot = conn.unchecked_transaction().map_err(unreadable)?;
    let version = migrate::version(&snapshot).map_err(unreadable)?;
    migrate::refuse_newer(path, version)?;
    // SQLite fills up a last page that is cut short, without an error.
    let page_bytes: u64 = snapshot.query_row("PRAGMA page_size", [], |row| row.get(0)).map_err(unreadable)?;
    let file_bytes = path.metadata().map_err(|error| reporter.refused(&format!("cannot be read: {error}")))?.len();
    if file_bytes % page_bytes != 0 {
        return Err(reporter.unsound("its last page is cut short"));
    }
    let mut integrity = snapshot.prepare("PRAGMA integrity_check(3)").map_err(unreadable)?;
    // What was found before an error ended the check is reported, too.
    let findings: Vec<String> = integrity
        .query_map([], |row| row.get(0))
        .map(|rows| rows.map(|row| row.unwrap_or_else(|error| error.to_string())).collect())
        .map_err(|error| reporter.unsound(&error.to_string()))?;
    if findings != ["ok"] {
        return Err(reporter.unsound(&findings.join("; ")));
    }
    if version < migrate::VERSION {
        return Ok(None);
    }
    let count = |sql: &str| snapshot.query_row(sql, [], |row| row.get::<_, i64>(0));
    for (what, sql) in MUST_BE_ZERO {
        match count(sql).map_err(unreadable)? {
            0 => {}
            found => return Err(reporter.unsound(&format!("{found} {what}"))),
        }
    }
    if let Some(found) = find_unknown_word(&snapshot).map_err(unreadable)? {
        return Err(reporter.unsound(&found));
    }
    let count =
        |table: &str| count(&format!("SELECT count(*) FROM {table}")).map(i64::unsigned_abs).map_err(unreadable);
    Ok(Some(FileSummary {
        jobs: count("jobs")?,
        users: count("users")?,
        messages: count("messages")?,
        failures: count("failures")?,
    }))
}

/// A connection that leaves the file as it is, and nothing beside it.
pub(in crate::store) fn open(path: &Path) -> rusqlite::Result<Connection> {
    let has_log = file::with_suffix(path, "-wal").exists();
    // A process that may not write the file cannot remove the log that SQLite makes for its readers.
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    conn.busy_timeout(file::BUSY_TIMEOUT)?;
    conn.pragma_update(None, "query_only", true)?;
    // A log that was there is not merged.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, has_log)?;
    let writable = !conn.is_readonly("main")? && migrate::version(&conn).is_ok();
    if has_log || writable {
        return Ok(conn);
    }
    // Without a log, and where none can be made, no process changes the file while it is read.
    open_alone(path)
}

/// A connection to a file that no process changes while it is read.
fn open_alone(path: &Path) -> rusqlite::Result<Connection> {
    let name = percent_encode(path.as_os_str().as_encoded_bytes(), NON_ALPHANUMERIC);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    Connection::open_with_flags(format!("file:{name}?immutable=1"), flags)
}
