//! What is dropped: the oldest jobs that are over, what nothing refers to any more, and keys that have expired.
//!
//! A job is marked in one commit. From then on nothing of it is found, and its rows are removed later in pieces of
//! bounded size. No number is ever given twice: the file keeps the highest that were removed.

use rusqlite::{OptionalExtension, params};

use super::delivery_channel;
use super::engine::{Db, Tx};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::model::deliver_target::flag_of;
use crate::model::environment::{Environment, EnvironmentRow};
use crate::model::row::JobRow;

/// The most rows that one commit removes: a change behind it waits for about a millisecond.
pub(in crate::store) const PIECE_ROWS: usize = 256;
/// Text after which a piece ends earlier.
const PIECE_BYTES: i64 = 1024 * 1024;
/// Jobs that are looked at in one read.
const SCANNED_JOBS: usize = 1_000;
/// Jobs that are marked in one commit: those of sends are small.
const MARKED_JOBS: usize = 64;
/// Versions that are looked at in one read, and in one commit.
const SCANNED_VERSIONS: i64 = 10_000;
/// How long ago a version must have been replaced before it is dropped: a message that was rendered with it may be on
/// its way.
const VERSION_GRACE_MILLIS: i64 = 10 * 60 * 1000;

/// Which of the finished jobs are dropped.
#[derive(Clone, Copy, Debug, Default)]
pub struct DropRule {
    /// Those that were over by then.
    pub over_by: Option<Timestamp>,
    /// Those before this one.
    pub before_job: Option<JobRow>,
}

/// Jobs to drop.
#[derive(Debug, Default)]
pub struct Droppable {
    pub jobs: Vec<JobRow>,
    /// The job to continue behind. `None`: all were looked at.
    pub next: Option<JobRow>,
    /// In words: what has yet to read or deliver messages of a job that would be dropped otherwise.
    pub held_up_by: Option<String>,
}

/// Looks for jobs to drop behind `after`.
pub fn find(db: &Db<'_>, rule: DropRule, after: JobRow) -> Result<Droppable> {
    let mut scan = db.conn.prepare_cached(
        "SELECT job, environment, status = 'COMPLETED' OR status = 'ERROR', created_at, completed_at
         FROM jobs WHERE job > ?1 AND dropped_at IS NULL ORDER BY job LIMIT ?2",
    )?;
    let mut rows = scan.query(params![after, SCANNED_JOBS as i64])?;
    let (mut found, mut scanned) = (Droppable::default(), 0);
    while let Some(row) = rows.next()? {
        let (job, environment, ended): (JobRow, EnvironmentRow, bool) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let (created_at, completed_at): (i64, Option<i64>) = (row.get(3)?, row.get(4)?);
        scanned += 1;
        found.next = Some(job);
        let over_by = rule.over_by.map_or(i64::MIN, Timestamp::millis);
        let is_beyond = rule.before_job.is_some_and(|first| job < first);
        // Later jobs are younger, unless the clock was set.
        if !is_beyond && created_at > over_by && created_at <= db.now.millis() {
            found.next = None;
            return Ok(found);
        }
        if !(ended && (is_beyond || completed_at.is_some_and(|at| at <= over_by))) {
            continue;
        }
        if !is_over(db, job, if is_beyond { i64::MAX } else { over_by })? {
            continue;
        }
        match behind(db, job, environment)? {
            Some(words) => found.held_up_by = Some(words),
            None => found.jobs.push(job),
        }
        if found.jobs.len() == MARKED_JOBS {
            return Ok(found);
        }
    }
    if scanned < SCANNED_JOBS {
        found.next = None;
    }
    Ok(found)
}

/// Whether no message of a job waits, or ends later, and nothing has happened to one since this moment.
fn is_over(db: &Db<'_>, job: JobRow, over_by: i64) -> Result<bool> {
    let mut waits = db.conn.prepare_cached(
        "SELECT 1 FROM message_ranges CROSS JOIN delayed ON delayed.number BETWEEN first_number AND last_number
         WHERE message_ranges.job = ?1
         UNION ALL
         SELECT 1 FROM message_ranges CROSS JOIN endings ON endings.number BETWEEN first_number AND last_number
         WHERE message_ranges.job = ?1 LIMIT 1",
    )?;
    let mut happened = db.conn.prepare_cached(
        "SELECT 1 FROM message_ranges
         CROSS JOIN message_events ON message_events.number BETWEEN first_number AND last_number
         WHERE message_ranges.job = ?1 AND message_events.created_at > ?2 LIMIT 1",
    )?;
    Ok(!waits.exists([job])? && !happened.exists(params![job, over_by])?)
}

/// In words: what has yet to do something with a job's messages.
fn behind(db: &Db<'_>, job: JobRow, environment: EnvironmentRow) -> Result<Option<String>> {
    if let Some(webhook_id) = webhook_behind(db, job, environment)? {
        return Ok(Some(format!("webhook {webhook_id} has yet to deliver what it tells of")));
    }
    let route = delivery_channel::behind(db, job)?;
    Ok(route.map(|route| format!("{} has yet to deliver what is queued", flag_of(&route))))
}

/// A webhook that has not read all of a job's messages, or has events of them in its queue.
fn webhook_behind(db: &Db<'_>, job: JobRow, environment: EnvironmentRow) -> Result<Option<String>> {
    let mut any =
        db.conn.prepare_cached("SELECT 1 FROM webhooks WHERE environment IS NULL OR environment = ?1 LIMIT 1")?;
    if !any.exists([environment])? {
        return Ok(None);
    }
    let mut behind = db.conn.prepare_cached(
        "WITH ranges AS MATERIALIZED (SELECT first_number, last_number FROM message_ranges WHERE job = ?1)
         SELECT webhook_id FROM webhooks
         WHERE (environment IS NULL OR environment = ?2) AND (
             last_number < (
                 SELECT max((SELECT max(number) FROM messages WHERE number BETWEEN first_number AND last_number))
                 FROM ranges)
             OR last_event < (
                 SELECT max(event) FROM ranges
                 CROSS JOIN message_events ON message_events.number BETWEEN first_number AND last_number)
             OR EXISTS (
                 SELECT 1 FROM ranges CROSS JOIN webhook_events ON webhook_events.webhook = webhooks.webhook
                     AND webhook_events.status = 'PENDING'
                     AND webhook_events.number BETWEEN first_number AND last_number))
         LIMIT 1",
    )?;
    Ok(behind.query_row(params![job, environment], |row| row.get(0)).optional()?)
}

/// The oldest of the newest jobs that have so many messages together. `None` if all jobs do not have more.
pub fn oldest_kept(db: &Db<'_>, messages: u64) -> Result<Option<JobRow>> {
    let mut newest =
        db.conn.prepare_cached("SELECT job, enqueued FROM jobs WHERE dropped_at IS NULL ORDER BY job DESC")?;
    let mut rows = newest.query([])?;
    let mut kept: u64 = 0;
    while let Some(row) = rows.next()? {
        kept = kept.saturating_add(row.get(1)?);
        if kept >= messages {
            return Ok(Some(row.get(0)?));
        }
    }
    Ok(None)
}

/// The time of the newest job or idempotency key that was made by then.
pub fn newest_by(db: &Db<'_>, by: Timestamp) -> Result<Option<Timestamp>> {
    let mut newest =
        db.conn.prepare_cached("SELECT created_at FROM jobs WHERE created_at <= ?1 ORDER BY job DESC LIMIT 1")?;
    let mut newest_key = db
        .conn
        .prepare_cached("SELECT created_at FROM idempotency_keys WHERE created_at <= ?1 ORDER BY id DESC LIMIT 1")?;
    let job: Option<i64> = newest.query_row([by.millis()], |row| row.get(0)).optional()?;
    let key: Option<i64> = newest_key.query_row([by.millis()], |row| row.get(0)).optional()?;
    Ok(job.max(key).map(Timestamp))
}

/// Marks jobs that no thread works on: from now on nothing of them is found. `by` names the flags that drop them, for
/// later requests that ask for them; nothing after a reset.
pub fn mark(tx: &mut Tx<'_>, jobs: &[JobRow], by: Option<&str>) -> Result<()> {
    for &job in jobs {
        // Its id is free again: a seed may create the same job again.
        let mut mark = tx.conn.prepare_cached(
            "UPDATE jobs SET dropped_at = ?2, job_id = 'dropped ' || job
             WHERE job = ?1 AND dropped_at IS NULL AND status <> 'PROCESSING'",
        )?;
        if mark.execute(params![job, tx.now.millis()])? == 0 {
            continue;
        }
        forget_names(tx, job)?;
        tx.recipients.drop_job(job);
        if let Some(by) = by {
            let mut tell = tx.conn.prepare_cached(
                "UPDATE file SET dropped_by = ?2, dropped_until = max(coalesce(dropped_until, 0),
                     (SELECT created_at FROM jobs WHERE job = ?1),
                     coalesce((SELECT max(created_at) FROM message_ranges WHERE job = ?1), 0))",
            )?;
            tell.execute(params![job, by])?;
        }
    }
    Ok(())
}

/// Frees the ids that a seed has given.
fn forget_names(tx: &Tx<'_>, job: JobRow) -> Result<()> {
    if !tx.conn.prepare_cached("SELECT 1 FROM message_names LIMIT 1")?.exists([])? {
        return Ok(());
    }
    let mut forget = tx.conn.prepare_cached(
        "DELETE FROM message_names WHERE (environment, message_id) IN (
             SELECT message_names.environment, message_id FROM message_ranges
             CROSS JOIN message_names ON message_names.number BETWEEN first_number AND last_number
             WHERE message_ranges.job = ?1)",
    )?;
    forget.execute([job])?;
    Ok(())
}

/// Whether a job is being dropped.
pub fn is_dropping(db: &Db<'_>) -> Result<bool> {
    Ok(db.conn.prepare_cached("SELECT 1 FROM jobs WHERE dropped_at IS NOT NULL LIMIT 1")?.exists([])?)
}

/// What is left of a piece, and the highest numbers that went with it.
struct Piece {
    rows: usize,
    bytes: i64,
    job: i64,
    user: i64,
    message: i64,
    event: i64,
}

/// Removes a piece of the jobs that are being dropped.
pub fn drop_piece(tx: &mut Tx<'_>) -> Result<()> {
    let mut piece = Piece { rows: PIECE_ROWS, bytes: PIECE_BYTES, job: 0, user: 0, message: 0, event: 0 };
    while piece.has_room()
        && let Some(job) = first_dropping(tx)?
    {
        piece.drop_some(tx, job)?;
    }
    let mut told = tx.conn.prepare_cached(
        "UPDATE file SET dropped_job = max(dropped_job, ?1), dropped_user = max(dropped_user, ?2),
             dropped_message = max(dropped_message, ?3), dropped_event = max(dropped_event, ?4)",
    )?;
    told.execute(params![piece.job, piece.user, piece.message, piece.event])?;
    Ok(())
}

fn first_dropping(db: &Db<'_>) -> Result<Option<JobRow>> {
    let mut first = db.conn.prepare_cached("SELECT job FROM jobs WHERE dropped_at IS NOT NULL ORDER BY job LIMIT 1")?;
    Ok(first.query_row([], |row| row.get(0)).optional()?)
}

/// The first numbers of a range that fit a piece.
const MESSAGES: &str = "SELECT number, coalesce(octet_length(body), 0) + coalesce(octet_length(content), 0)
         + coalesce(octet_length(subject), 0) + (
             SELECT coalesce(sum(octet_length(body) + coalesce(octet_length(content), 0)), 0)
             FROM deliveries WHERE deliveries.number = messages.number)
     FROM messages WHERE number BETWEEN ?1 AND ?2 ORDER BY number LIMIT ?3";
const USERS: &str = "SELECT number, octet_length(user) + octet_length(recipient)
     FROM users WHERE number BETWEEN ?1 AND ?2 ORDER BY number LIMIT ?3";

impl Piece {
    fn has_room(&self) -> bool {
        self.rows > 0 && self.bytes > 0
    }

    /// Removes some of a job. Its own row is the last.
    fn drop_some(&mut self, tx: &Tx<'_>, job: JobRow) -> Result<()> {
        while self.has_room() {
            // Messages refer to their users.
            if !(self.drop_messages(tx, job)? || self.drop_users(tx, job)? || self.drop_failures(tx, job)?) {
                tx.conn.prepare_cached("DELETE FROM definitions WHERE job = ?1")?.execute([job])?;
                tx.conn.prepare_cached("DELETE FROM jobs WHERE job = ?1")?.execute([job])?;
                self.job = self.job.max(job.0);
                self.rows -= 1;
                return Ok(());
            }
        }
        Ok(())
    }

    /// The last of a range's numbers that still goes with this piece.
    fn end_of(&mut self, tx: &Tx<'_>, rows: &str, first: i64, last: i64) -> Result<i64> {
        let mut sizes = tx.conn.prepare_cached(rows)?;
        let mut sizes = sizes.query(params![first, last, self.rows as i64])?;
        while let Some(row) = sizes.next()? {
            self.rows -= 1;
            self.bytes -= row.get::<_, i64>(1)?;
            if !self.has_room() {
                return Ok(row.get(0)?);
            }
        }
        // Numbers behind the last row were those of failures.
        Ok(last)
    }

    /// Removes messages, if there are any.
    fn drop_messages(&mut self, tx: &Tx<'_>, job: JobRow) -> Result<bool> {
        let mut range = tx.conn.prepare_cached(
            "SELECT first_number, last_number FROM message_ranges WHERE job = ?1 ORDER BY first_seq LIMIT 1",
        )?;
        let range: Option<(i64, i64)> = range.query_row([job], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        let Some((first, last)) = range else { return Ok(false) };
        let end = self.end_of(tx, MESSAGES, first, last)?;
        let mut event =
            tx.conn.prepare_cached("SELECT max(event) FROM message_events WHERE number BETWEEN ?1 AND ?2")?;
        self.event = self.event.max(event.query_row([first, end], |row| row.get::<_, Option<i64>>(0))?.unwrap_or(0));
        for of_messages in [
            // Events in a queue are still delivered: they need no message.
            "DELETE FROM webhook_events WHERE webhook IN (SELECT webhook FROM webhooks)
                 AND status = 'FAILED' AND number BETWEEN ?1 AND ?2",
            "DELETE FROM delivery_queue WHERE number BETWEEN ?1 AND ?2",
            "DELETE FROM message_events WHERE number BETWEEN ?1 AND ?2",
            "DELETE FROM delayed WHERE number BETWEEN ?1 AND ?2",
            "DELETE FROM endings WHERE number BETWEEN ?1 AND ?2",
            "DELETE FROM deliveries WHERE number BETWEEN ?1 AND ?2",
            "DELETE FROM messages WHERE number BETWEEN ?1 AND ?2",
        ] {
            tx.conn.prepare_cached(of_messages)?.execute([first, end])?;
        }
        let shorten = match end == last {
            true => "DELETE FROM message_ranges WHERE first_number = ?1 AND last_number = ?2",
            false => {
                "UPDATE message_ranges SET first_number = ?2 + 1, first_seq = first_seq + ?2 + 1 - ?1
                 WHERE first_number = ?1"
            }
        };
        tx.conn.prepare_cached(shorten)?.execute([first, end])?;
        self.message = self.message.max(end);
        Ok(true)
    }

    /// Removes users, if there are any.
    fn drop_users(&mut self, tx: &Tx<'_>, job: JobRow) -> Result<bool> {
        let mut range = tx.conn.prepare_cached(
            "SELECT first_number, last_number FROM user_ranges WHERE job = ?1 ORDER BY first_seq LIMIT 1",
        )?;
        let range: Option<(i64, i64)> = range.query_row([job], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        let Some((first, last)) = range else { return Ok(false) };
        let end = self.end_of(tx, USERS, first, last)?;
        tx.conn.prepare_cached("DELETE FROM users WHERE number BETWEEN ?1 AND ?2")?.execute([first, end])?;
        let shorten = match end == last {
            true => "DELETE FROM user_ranges WHERE first_number = ?1 AND last_number = ?2",
            false => {
                "UPDATE user_ranges SET first_number = ?2 + 1, first_seq = first_seq + ?2 + 1 - ?1
                 WHERE first_number = ?1"
            }
        };
        tx.conn.prepare_cached(shorten)?.execute([first, end])?;
        self.user = self.user.max(end);
        Ok(true)
    }

    /// Removes failures, if there are any.
    fn drop_failures(&mut self, tx: &Tx<'_>, job: JobRow) -> Result<bool> {
        let mut failures = tx.conn.prepare_cached(
            "DELETE FROM failures WHERE job = ?1 AND seq IN (
                 SELECT seq FROM failures WHERE job = ?1 ORDER BY seq LIMIT ?2)",
        )?;
        let dropped = failures.execute(params![job, self.rows as i64])?;
        self.rows = self.rows.saturating_sub(dropped);
        Ok(dropped > 0)
    }
}

/// A table of versions. The condition holds for a version that was replaced by `?2` and that nothing uses any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Versions {
    Profiles,
    Brands,
    Templates,
}

impl Versions {
    pub const ALL: [Versions; 3] = [Versions::Profiles, Versions::Brands, Versions::Templates];

    fn table(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Versions::Profiles => (
                "profile_versions",
                "profile_version",
                "replaced_at <= ?2 AND NOT EXISTS (
                     SELECT 1 FROM messages WHERE messages.profile_version = version.profile_version)",
            ),
            Versions::Brands => (
                "brand_versions",
                "brand_version",
                "replaced_at <= ?2 AND NOT EXISTS (
                     SELECT 1 FROM jobs WHERE jobs.brand_version = version.brand_version)",
            ),
            Versions::Templates => (
                "template_versions",
                "template_version",
                "EXISTS (
                     SELECT 1 FROM template_versions AS newer WHERE newer.template = version.template
                         AND newer.version > version.version AND newer.created_at <= ?2)
                 AND NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.template_version = version.template_version)",
            ),
        }
    }
}

/// By when a version must have been replaced to be dropped together with what was dropped. `None` if nothing was.
pub fn replaced_by(db: &Db<'_>) -> Result<Option<Timestamp>> {
    let until: Option<i64> =
        db.conn.prepare_cached("SELECT dropped_until FROM file")?.query_row([], |row| row.get(0))?;
    Ok(until.map(|until| Timestamp(until.min(db.now.millis().saturating_sub(VERSION_GRACE_MILLIS)))))
}

/// The versions behind `after` that were replaced by then and that nothing refers to, and the version to continue
/// behind.
pub fn find_unused(db: &Db<'_>, versions: Versions, by: Timestamp, after: i64) -> Result<(Vec<i64>, Option<i64>)> {
    let (table, key, is_unused) = versions.table();
    // The newest one stays: its number must not be given again.
    let last: i64 = db
        .conn
        .prepare_cached(&format!("SELECT coalesce(max({key}), 0) FROM {table}"))?
        .query_row([], |row| row.get(0))?;
    let mut find = db.conn.prepare_cached(&format!(
        "SELECT {key} FROM {table} AS version WHERE {key} > ?1 AND {key} <= ?3 AND {is_unused} ORDER BY {key} LIMIT ?4"
    ))?;
    let end = after.saturating_add(SCANNED_VERSIONS).min(last - 1);
    let found = find.query_map(params![after, by.millis(), end, PIECE_ROWS as i64], |row| row.get(0))?;
    let found: Vec<i64> = found.collect::<rusqlite::Result<_>>()?;
    let looked_at = match found.last() {
        Some(&last) if found.len() == PIECE_ROWS => last,
        _ => end,
    };
    Ok((found, (looked_at < last - 1).then_some(looked_at)))
}

/// Removes those of the versions that still nothing refers to.
pub fn drop_unused(tx: &mut Tx<'_>, versions: Versions, by: Timestamp, found: &[i64]) -> Result<()> {
    let (table, key, is_unused) = versions.table();
    let mut drop = tx.conn.prepare_cached(&format!(
        "DELETE FROM {table} WHERE {key} IN (SELECT {key} FROM {table} AS version WHERE {key} = ?1 AND {is_unused})"
    ))?;
    for version in found {
        drop.execute(params![version, by.millis()])?;
    }
    Ok(())
}

/// Whether idempotency keys have expired by then.
pub fn any_expired(db: &Db<'_>, by: Timestamp) -> Result<bool> {
    Ok(db
        .conn
        .prepare_cached("SELECT 1 FROM idempotency_keys WHERE expires_at <= ?1 LIMIT 1")?
        .exists([by.millis()])?)
}

/// Removes some of the idempotency keys that have expired by then.
pub fn drop_expired(tx: &mut Tx<'_>, by: Timestamp) -> Result<()> {
    let mut sweep = tx.conn.prepare_cached(
        "DELETE FROM idempotency_keys WHERE id IN (
             SELECT id FROM idempotency_keys WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)",
    )?;
    sweep.execute(params![by.millis(), PIECE_ROWS as i64])?;
    Ok(())
}

/// Environments that are looked at in one read, and in one commit.
const SCANNED_ENVIRONMENTS: i64 = 256;

/// Whether nothing is left in an environment that was made by `?2` and was not reset. Rows that belong to a row of
/// these tables need no check.
const IS_EMPTY: &str = "created_at <= ?2 AND key_hash <> CAST('retired ' || environment AS BLOB)
     AND NOT EXISTS (SELECT 1 FROM jobs WHERE environment = it.environment)
     AND NOT EXISTS (SELECT 1 FROM idempotency_keys WHERE environment = it.environment)
     AND NOT EXISTS (SELECT 1 FROM profiles WHERE environment = it.environment)
     AND NOT EXISTS (SELECT 1 FROM profile_versions WHERE environment = it.environment)
     AND NOT EXISTS (SELECT 1 FROM deleted_profiles WHERE environment = it.environment)
     AND NOT EXISTS (SELECT 1 FROM lists WHERE environment = it.environment)
     AND NOT EXISTS (SELECT 1 FROM templates WHERE environment = it.environment)
     AND NOT EXISTS (SELECT 1 FROM brands WHERE environment = it.environment)
     AND NOT EXISTS (SELECT 1 FROM brand_versions WHERE environment = it.environment)
     AND NOT EXISTS (SELECT 1 FROM topics WHERE environment = it.environment)
     AND NOT EXISTS (SELECT 1 FROM user_preferences WHERE environment = it.environment)
     AND NOT EXISTS (SELECT 1 FROM user_tokens WHERE environment = it.environment)
     AND NOT EXISTS (SELECT 1 FROM message_names WHERE environment = it.environment)
     AND NOT EXISTS (SELECT 1 FROM webhooks WHERE environment = it.environment)";

/// The next environments behind `after` that are empty and were made by then, except those in `kept`, and the
/// environment to continue behind.
pub fn find_empty(
    db: &Db<'_>,
    by: Timestamp,
    after: EnvironmentRow,
    kept: &[Environment],
) -> Result<(Vec<EnvironmentRow>, Option<EnvironmentRow>)> {
    let mut end = db.conn.prepare_cached(
        "SELECT max(environment), count(*) FROM (
             SELECT environment FROM environments WHERE environment > ?1 ORDER BY environment LIMIT ?2)",
    )?;
    let (end, scanned): (Option<EnvironmentRow>, i64) =
        end.query_row(params![after, SCANNED_ENVIRONMENTS], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let Some(end) = end else { return Ok((Vec::new(), None)) };
    let mut find = db.conn.prepare_cached(&format!(
        "SELECT environment, key_hash FROM environments AS it
         WHERE environment > ?1 AND environment <= ?3 AND {IS_EMPTY} ORDER BY environment"
    ))?;
    let mut rows = find.query(params![after, by.millis(), end])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let key_hash: Vec<u8> = row.get(1)?;
        if !kept.iter().any(|kept| kept.key_hash[..] == key_hash) {
            found.push(row.get(0)?);
        }
    }
    Ok((found, (scanned == SCANNED_ENVIRONMENTS).then_some(end)))
}

/// Removes those of the environments that are still empty.
pub fn drop_empty(tx: &mut Tx<'_>, by: Timestamp, found: &[EnvironmentRow]) -> Result<()> {
    let mut drop = tx.conn.prepare_cached(&format!(
        "DELETE FROM environments WHERE environment = (
             SELECT environment FROM environments AS it WHERE environment = ?1 AND {IS_EMPTY})"
    ))?;
    let mut last = EnvironmentRow(0);
    for &environment in found {
        if drop.execute(params![environment, by.millis()])? > 0 {
            last = last.max(environment);
        }
    }
    tx.conn.execute("UPDATE file SET dropped_environment = max(dropped_environment, ?1)", [last])?;
    Ok(())
}

/// The size of the database, and how much of it is free for reuse, in bytes.
pub fn size(db: &Db<'_>) -> Result<(u64, u64)> {
    let pragma = |name: &str| db.conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let page = pragma("page_size")?;
    Ok(((pragma("page_count")? * page).unsigned_abs(), (pragma("freelist_count")? * page).unsigned_abs()))
}
