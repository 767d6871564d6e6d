//! Numbers that are never given twice, even after their rows are gone: message ids, positions of webhooks, and threads
//! that are still at work depend on them.

use rusqlite::Connection;

use crate::error::Result;
use crate::model::environment::EnvironmentRow;
use crate::model::row::{JobRow, MessageEventRow};

fn ask(conn: &Connection, sql: &str) -> Result<i64> {
    Ok(conn.prepare_cached(sql)?.query_row([], |row| row.get(0))?)
}

pub(in crate::store) fn next_job(conn: &Connection) -> Result<JobRow> {
    ask(conn, "SELECT 1 + max(dropped_job, coalesce((SELECT max(job) FROM jobs), 0)) FROM file").map(JobRow)
}

pub(in crate::store) fn next_event(conn: &Connection) -> Result<MessageEventRow> {
    ask(conn, "SELECT 1 + max(dropped_event, coalesce((SELECT max(event) FROM message_events), 0)) FROM file")
        .map(MessageEventRow)
}

pub(in crate::store) fn next_environment(conn: &Connection) -> Result<EnvironmentRow> {
    ask(conn, "SELECT 1 + max(dropped_environment, coalesce((SELECT max(environment) FROM environments), 0)) FROM file")
        .map(EnvironmentRow)
}

/// Grows with everything that gets an id, and falls only by templates and brands that are removed.
pub(in crate::store) fn made(conn: &Connection) -> Result<u64> {
    let made = ask(
        conn,
        "SELECT max(dropped_job, coalesce((SELECT max(job) FROM jobs), 0))
             + max(dropped_user, coalesce((SELECT max(last_number) FROM user_ranges), 0))
             + coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'webhooks'), 0)
             + (SELECT count(*) FROM templates) + (SELECT count(*) FROM brands) FROM file",
    )?;
    Ok(made.unsigned_abs())
}

/// The highest number of a user that was dropped.
pub(in crate::store) fn last_dropped_user(conn: &Connection) -> Result<i64> {
    ask(conn, "SELECT dropped_user FROM file")
}

/// The highest number of a message that was dropped.
pub(in crate::store) fn last_dropped_message(conn: &Connection) -> Result<i64> {
    ask(conn, "SELECT dropped_message FROM file")
}
