//! The users of jobs: numbered in the order in which they came, with ranges that tell which job a number belongs to.

use std::ops::Range;

use rusqlite::{OptionalExtension, params};

use super::engine::{Db, Tx, rows};
use super::number;
use crate::error::{Error, Result};
use crate::model::row::{JobRow, UserNumber};

/// A recipient and the user, as it was sent.
impl rows::InsertRow for (&str, &str) {
    const INSERT: &'static str = "INSERT INTO users (number, recipient, user)";
    const SHARED: usize = 0;
    const OWN: usize = 2;

    fn statements() -> &'static rows::Statements {
        static STATEMENTS: rows::Statements = rows::Statements::new();
        &STATEMENTS
    }

    fn shares(&self, _: &Self) -> bool {
        true
    }

    fn bind_shared(&self, _: &mut rows::Parameters<'_, '_>) -> rusqlite::Result<()> {
        Ok(())
    }

    fn bind_own(&self, row: &mut rows::Parameters<'_, '_>) -> rusqlite::Result<()> {
        row.bind(self.0)?;
        row.bind(self.1)
    }
}

/// Whether this recipient is one of a job's users. Reads through them.
pub fn has_recipient(db: &Db<'_>, job: JobRow, recipient: &str) -> Result<bool> {
    let mut find = db.conn.prepare_cached(
        "SELECT 1 FROM user_ranges CROSS JOIN users ON users.number BETWEEN first_number AND last_number
         WHERE job = ?1 AND recipient = ?2 LIMIT 1",
    )?;
    Ok(find.exists(params![job, recipient])?)
}

/// Appends recipients and users, as they were sent, to a job that has `received` users and counts them itself.
pub(in crate::store) fn append(tx: &Tx<'_>, job: JobRow, received: u64, users: &[(&str, &str)]) -> Result<()> {
    let UserNumber(first_number) = append_range(tx.conn, job, received, users.len())?;
    rows::append(tx.conn, first_number, users)
}

/// Numbers for `count` users of a job. Its last range is extended if no other job came in between. Returns the first of
/// them.
fn append_range(conn: &rusqlite::Connection, job: JobRow, first_seq: u64, count: usize) -> Result<UserNumber> {
    let count = count as i64;
    let mut last = conn
        .prepare_cached("SELECT first_number, last_number, job FROM user_ranges ORDER BY first_number DESC LIMIT 1")?;
    let last: Option<(i64, i64, JobRow)> =
        last.query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()?;
    match last {
        Some((first_number, last_number, owner)) if owner == job => {
            let mut extend = conn.prepare_cached("UPDATE user_ranges SET last_number = ?2 WHERE first_number = ?1")?;
            extend.execute(params![first_number, last_number + count])?;
            Ok(UserNumber(last_number + 1))
        }
        last => {
            let last_number = last.map_or(0, |(_, last_number, _)| last_number);
            let first_number = 1 + last_number.max(number::last_dropped_user(conn)?);
            let mut insert = conn.prepare_cached(
                "INSERT INTO user_ranges (first_number, last_number, job, first_seq) VALUES (?1, ?2, ?3, ?4)",
            )?;
            insert.execute(params![first_number, first_number + count - 1, job, first_seq])?;
            Ok(UserNumber(first_number))
        }
    }
}

/// Whether this is the recipient of the user at `seq` of a job.
pub(in crate::store) fn is_recipient_at(db: &Db<'_>, job: JobRow, seq: u32, recipient: &str) -> Result<bool> {
    let mut at = db.conn.prepare_cached(
        "SELECT 1 FROM users WHERE recipient = ?3 AND number = (
             SELECT first_number + ?2 - first_seq FROM user_ranges
             WHERE job = ?1 AND first_seq <= ?2 ORDER BY first_seq DESC LIMIT 1)",
    )?;
    Ok(at.exists(params![job, seq, recipient])?)
}

/// The place of a user in its job.
const SEQ: &str = "user_ranges.first_seq + users.number - user_ranges.first_number";
/// The users of job `?1` from place `?2` on, at most `?3`.
const OF_JOB: &str = "FROM user_ranges
    JOIN users ON users.number BETWEEN
        max(user_ranges.first_number, user_ranges.first_number + ?2 - user_ranges.first_seq)
        AND user_ranges.last_number
    WHERE user_ranges.job = ?1 AND user_ranges.first_seq >= (
        SELECT coalesce(max(first_seq), 0) FROM user_ranges WHERE job = ?1 AND first_seq <= ?2)
    ORDER BY user_ranges.first_seq, users.number
    LIMIT ?3";

/// Calls `each` with place, recipient and text of a run of a job's users, until it returns false.
pub fn for_each(
    db: &Db<'_>,
    job: JobRow,
    seqs: Range<u64>,
    mut each: impl FnMut(u64, &str, &str) -> Result<bool>,
) -> Result<()> {
    let mut users = db.conn.prepare_cached(&format!("SELECT {SEQ}, users.recipient, users.user {OF_JOB}"))?;
    let clamp = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let mut rows = users.query(params![job, clamp(seqs.start), clamp(seqs.end.saturating_sub(seqs.start))])?;
    while let Some(row) = rows.next()? {
        let text = |column| row.get_ref(column).and_then(|text| Ok(text.as_str()?));
        if !each(row.get(0)?, text(1)?, text(2)?)? {
            break;
        }
    }
    Ok(())
}

/// Calls `each` with place and recipient of all users of a job from `from_seq` on.
pub(in crate::store) fn for_each_recipient(
    db: &Db<'_>,
    job: JobRow,
    from_seq: u64,
    mut each: impl FnMut(u64, &str) -> Result<()>,
) -> Result<()> {
    let mut recipients = db.conn.prepare_cached(&format!("SELECT {SEQ}, users.recipient {OF_JOB}"))?;
    let mut rows = recipients.query(params![job, from_seq as i64, i64::MAX])?;
    while let Some(row) = rows.next()? {
        each(row.get(0)?, row.get_ref(1).and_then(|text| Ok(text.as_str()?))?)?;
    }
    Ok(())
}

/// Recipient and text of one user of a job.
pub fn get(db: &Db<'_>, job: JobRow, seq: u64) -> Result<(String, String)> {
    let mut user = None;
    for_each(db, job, seq..seq.saturating_add(1), |_, recipient, text| {
        user = Some((recipient.to_owned(), text.to_owned()));
        Ok(false)
    })?;
    user.ok_or_else(|| Error::unavailable("the database file is damaged: a user is missing"))
}
