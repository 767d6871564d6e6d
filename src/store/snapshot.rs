//! Snapshots of one environment, and the way back to one.
//!
//! Rows of users and messages are appended and never rewritten, so a snapshot has none of them. It has the small
//! tables, how far each job had come, and those messages that could still change. A reader takes it, and it costs only
//! what is small. Restoring it sets aside what came later: whole jobs move to another environment. Of a job that went
//! on, the users and messages of that time move to a new row. Retention removes in pieces what no snapshot needs. What
//! another snapshot needs is kept, in an environment that no key opens.
//!
//! The rows of the file are sound at any time: after a kill, what was kept belongs to no snapshot any more, and is
//! removed.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::types::Value;
use rusqlite::{Connection, ToSql, params, params_from_iter};

use super::engine::{Db, Tx};
use super::number;
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::model::environment::EnvironmentRow;
use crate::model::row::JobRow;

/// The columns of one row.
pub(in crate::store) type Row = Vec<Value>;

/// Tables whose rows of an environment are put back as they were, each with its columns.
pub(in crate::store) const PLAIN: [(&str, &str); 7] = [
    ("topics", "environment, topic_id, name, default_status"),
    (
        "user_preferences",
        "environment, user_id, tenant_id, topic_id, status, has_custom_routing, custom_routing, updated_at",
    ),
    ("user_tokens", "environment, user_id, token, provider_key, token_json, created_at"),
    ("brands", "environment, brand_id, brand_version, created_at, updated_at"),
    ("profiles", "environment, user_id, profile_version"),
    ("idempotency_keys", "environment, endpoint, key, status, body, created_at, expires_at, request_hash"),
    ("message_names", "environment, message_id, number"),
];

pub(in crate::store) const TEMPLATES: &str =
    "template, environment, template_id, alias, draft, created_at, updated_at, archived_at";
pub(in crate::store) const TEMPLATE_VERSIONS: &str = "template_version, template, version, template_json, created_at";
pub(in crate::store) const TEMPLATE_CHECKS: &str = "template, submission_id, checks";
pub(in crate::store) const LISTS: &str =
    "list, environment, list_id, name, preferences, created_at, updated_at, deleted_at";
pub(in crate::store) const SUBSCRIPTIONS: &str = "list, user_id, preferences, created_at";
pub(in crate::store) const BRAND_VERSIONS: &str = "brand_version, brand_json, created_at, environment, replaced_at";
pub(in crate::store) const PROFILE_VERSIONS: &str =
    "profile_version, profile, created_at, environment, user_id, replaced_at";
pub(in crate::store) const JOBS: &str = "job, job_id, kind, status, received, enqueued, failures, error, created_at, run_at, completed_at, \
                    template_version, brand_version, archived_at";
pub(in crate::store) const MESSAGES: &str =
    "number, status, reason, error, channel, provider, address, subject, body, content, profile_version";
pub(in crate::store) const DELIVERIES: &str =
    "number, position, status, reason, error, channel, provider, address, subject, body, content";
pub(in crate::store) const MESSAGE_EVENTS: &str = "event, number, status, created_at";
pub(in crate::store) const ENDINGS: &str = "number, position, due_at, status, reason";

/// The messages of an environment that can still change, or have changed.
pub(in crate::store) const CHANGING: &str = "SELECT number FROM message_ranges CROSS JOIN delayed
         ON number BETWEEN first_number AND last_number WHERE environment = ?1
     UNION SELECT number FROM message_ranges CROSS JOIN endings
         ON number BETWEEN first_number AND last_number WHERE environment = ?1
     UNION SELECT number FROM message_ranges CROSS JOIN message_events
         ON number BETWEEN first_number AND last_number WHERE environment = ?1";

/// An environment as it was.
#[derive(Clone)]
pub(in crate::store) struct Taken {
    pub(in crate::store) taken_at: Timestamp,
    pub(in crate::store) jobs: Vec<SavedJob>,
    /// Those of [`PLAIN`].
    pub(in crate::store) plain: Vec<Vec<Row>>,
    pub(in crate::store) templates: Vec<Row>,
    pub(in crate::store) template_versions: Vec<Row>,
    pub(in crate::store) template_checks: Vec<Row>,
    pub(in crate::store) lists: Vec<Row>,
    pub(in crate::store) subscriptions: Vec<Row>,
    pub(in crate::store) brand_versions: Vec<Row>,
    pub(in crate::store) profile_versions: Vec<Row>,
    pub(in crate::store) messages: Vec<Row>,
    pub(in crate::store) deliveries: Vec<Row>,
    pub(in crate::store) message_events: Vec<Row>,
    pub(in crate::store) delayed: Vec<Row>,
    pub(in crate::store) endings: Vec<Row>,
    pub(in crate::store) bytes: usize,
}

/// How far a job had come.
#[derive(Clone)]
pub(in crate::store) struct SavedJob {
    /// The row that has what the job had, and maybe more.
    pub(in crate::store) job: JobRow,
    pub(in crate::store) columns: Row,
}

/// What is shown of a snapshot.
#[derive(Clone, Debug)]
pub struct Summary {
    pub name: String,
    pub taken_at: Timestamp,
    pub jobs: usize,
    pub users: u64,
    pub messages: u64,
    /// What it takes in memory.
    pub bytes: usize,
}

/// The snapshots of all environments. They live in the process.
#[derive(Clone, Default)]
pub struct Snapshots(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// Held during a whole operation: one at a time. The writer does not wait for it.
    operation: Mutex<()>,
    all: Mutex<HashMap<EnvironmentRow, Kept>>,
}

#[derive(Clone, Default)]
pub(in crate::store) struct Kept {
    /// Keeps what the environment has no more and a snapshot still needs.
    pub(in crate::store) environment: Option<EnvironmentRow>,
    /// By name.
    pub(in crate::store) snapshots: BTreeMap<String, Taken>,
}

impl Snapshots {
    pub(in crate::store) fn all(&self) -> MutexGuard<'_, HashMap<EnvironmentRow, Kept>> {
        self.0.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(in crate::store) fn one_at_a_time(&self) -> MutexGuard<'_, ()> {
        self.0.operation.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a snapshot needs this job.
    pub fn need(&self, job: JobRow) -> bool {
        self.all().values().flat_map(|kept| kept.snapshots.values()).any(|it| it.jobs.iter().any(|it| it.job == job))
    }

    pub fn list(&self, environment: EnvironmentRow) -> Vec<Summary> {
        let all = self.all();
        let snapshots = all.get(&environment).map(|kept| kept.snapshots.iter());
        snapshots.into_iter().flatten().map(|(name, taken)| taken.summary(name)).collect()
    }

    /// Forgets the snapshots of an environment that is reset.
    pub fn forget(&self, tx: &mut Tx<'_>, environment: EnvironmentRow) -> Result<()> {
        let kept = self.all().remove(&environment);
        match kept.and_then(|kept| kept.environment) {
            Some(kept) => retire(tx, kept),
            None => Ok(()),
        }
    }
}

/// Whether an environment was not retired.
pub(in crate::store) fn is_there(db: &Db<'_>, environment: EnvironmentRow) -> Result<bool> {
    let mut is_there = db.conn.prepare_cached(
        "SELECT 1 FROM environments WHERE environment = ?1 AND key_hash <> CAST('retired ' || environment AS BLOB)",
    )?;
    Ok(is_there.exists([environment])?)
}

pub(in crate::store) fn not_found(name: &str) -> Error {
    Error::unknown("name", "snapshot", name)
}

/// Removes what a process that has ended kept for its snapshots.
pub(in crate::store) fn retire_left_over(conn: &Connection) -> rusqlite::Result<()> {
    conn.execute(
        "UPDATE environments SET key_hash = CAST('retired ' || environment AS BLOB)
         WHERE key_hash >= CAST('kept ' AS BLOB) AND key_hash < CAST('kept!' AS BLOB)",
        [],
    )?;
    Ok(())
}

pub(in crate::store) fn retire(tx: &mut Tx<'_>, environment: EnvironmentRow) -> Result<()> {
    let retire = "UPDATE environments SET key_hash = CAST('retired ' || environment AS BLOB) WHERE environment = ?1";
    tx.conn.execute(retire, [environment])?;
    tx.wakeups.retention = true;
    Ok(())
}

/// Makes an environment that no key opens.
pub(in crate::store) fn make_environment(tx: &mut Tx<'_>, what: &str) -> Result<EnvironmentRow> {
    let row = number::next_environment(tx.conn)?;
    tx.conn.execute(
        "INSERT INTO environments (environment, key_hash, label, created_at)
         VALUES (?1, CAST(?2 || ' ' || ?1 AS BLOB), ?2, ?3)",
        params![row, what, tx.now.millis()],
    )?;
    tx.wakeups.retention = true;
    Ok(row)
}

/// All rows of a query, column by column.
pub(in crate::store) fn rows(conn: &Connection, sql: &str, of: &[&dyn ToSql]) -> Result<Vec<Row>> {
    let mut select = conn.prepare_cached(sql)?;
    let columns = select.column_count();
    let rows =
        select.query_map(of, |row| (0..columns).map(|column| row.get(column)).collect::<rusqlite::Result<Row>>())?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(in crate::store) fn insert(conn: &Connection, into: &str, table: &str, columns: &str, rows: &[Row]) -> Result<()> {
    let values = vec!["?"; columns.split(',').count()].join(", ");
    let mut insert = conn.prepare_cached(&format!("{into} INTO {table} ({columns}) VALUES ({values})"))?;
    for row in rows {
        insert.execute(params_from_iter(row))?;
    }
    Ok(())
}

pub(in crate::store) fn integer(row: &Row, column: usize) -> i64 {
    match row.get(column) {
        Some(Value::Integer(number)) => *number,
        _ => 0,
    }
}

fn bytes(rows: &[Row]) -> usize {
    let value = |value: &Value| match value {
        Value::Text(text) => text.len(),
        Value::Blob(blob) => blob.len(),
        _ => 0,
    };
    rows.iter().map(|row| row.iter().map(|it| size_of::<Value>() + value(it)).sum::<usize>()).sum()
}

impl Taken {
    pub(in crate::store) fn read(db: &Db<'_>, environment: EnvironmentRow) -> Result<Taken> {
        let of = |sql: &str| rows(db.conn, sql, &[&environment]);
        let own = |table: &str, columns: &str| of(&format!("SELECT {columns} FROM {table} WHERE environment = ?1"));
        let of_templates = |table: &str, columns: &str| {
            let of_environment = "template IN (SELECT template FROM templates WHERE environment = ?1)";
            of(&format!("SELECT {columns} FROM {table} WHERE {of_environment}"))
        };
        let of_current = |table: &str, key: &str, heads: &str, columns: &str| {
            of(&format!(
                "SELECT {columns} FROM {table} WHERE {key} IN (SELECT {key} FROM {heads} WHERE environment = ?1)"
            ))
        };
        let changing =
            |table: &str, columns: &str| of(&format!("SELECT {columns} FROM {table} WHERE number IN ({CHANGING})"));
        let jobs = of(&format!("SELECT {JOBS} FROM jobs WHERE environment = ?1 AND dropped_at IS NULL ORDER BY job"))?;
        let mut taken = Taken {
            taken_at: db.now(),
            jobs: jobs.into_iter().map(|columns| SavedJob { job: JobRow(integer(&columns, 0)), columns }).collect(),
            plain: PLAIN.iter().map(|(table, columns)| own(table, columns)).collect::<Result<_>>()?,
            templates: own("templates", TEMPLATES)?,
            template_versions: of_templates("template_versions", TEMPLATE_VERSIONS)?,
            template_checks: of_templates("template_checks", TEMPLATE_CHECKS)?,
            lists: own("lists", LISTS)?,
            subscriptions: of_lists(db, environment)?,
            brand_versions: of_current("brand_versions", "brand_version", "brands", BRAND_VERSIONS)?,
            profile_versions: of_current("profile_versions", "profile_version", "profiles", PROFILE_VERSIONS)?,
            messages: changing("messages", MESSAGES)?,
            deliveries: changing("deliveries", DELIVERIES)?,
            message_events: changing("message_events", MESSAGE_EVENTS)?,
            delayed: changing("delayed", "number, due_at")?,
            endings: changing("endings", ENDINGS)?,
            bytes: 0,
        };
        let small = taken.plain.iter().map(|rows| bytes(rows)).sum::<usize>();
        let jobs = taken.jobs.iter().map(|it| bytes(std::slice::from_ref(&it.columns))).sum::<usize>();
        let others = [
            &taken.templates,
            &taken.template_versions,
            &taken.template_checks,
            &taken.lists,
            &taken.subscriptions,
            &taken.brand_versions,
            &taken.profile_versions,
            &taken.messages,
            &taken.deliveries,
            &taken.message_events,
            &taken.delayed,
            &taken.endings,
        ];
        taken.bytes = small + jobs + others.iter().map(|rows| bytes(rows)).sum::<usize>();
        Ok(taken)
    }

    pub(in crate::store) fn summary(&self, name: &str) -> Summary {
        Summary {
            name: name.to_owned(),
            taken_at: self.taken_at,
            jobs: self.jobs.len(),
            users: self.jobs.iter().map(|it| integer(&it.columns, 4).unsigned_abs()).sum(),
            messages: self.jobs.iter().map(|it| integer(&it.columns, 5).unsigned_abs()).sum(),
            bytes: self.bytes,
        }
    }
}

/// The subscriptions of an environment's lists.
pub(in crate::store) fn of_lists(db: &Db<'_>, environment: EnvironmentRow) -> Result<Vec<Row>> {
    let sql = format!(
        "SELECT {SUBSCRIPTIONS} FROM subscriptions WHERE list IN (SELECT list FROM lists WHERE environment = ?1)"
    );
    rows(db.conn, &sql, &[&environment])
}

impl Kept {
    pub(in crate::store) fn jobs(&self) -> HashSet<JobRow> {
        self.snapshots.values().flat_map(|it| it.jobs.iter().map(|it| it.job)).collect()
    }

    /// Removes what was kept for a snapshot alone.
    pub(in crate::store) fn let_go(&mut self, tx: &mut Tx<'_>, taken: &Taken) -> Result<()> {
        let Some(kept) = self.environment else { return Ok(()) };
        if self.snapshots.is_empty() {
            self.environment = None;
            return retire(tx, kept);
        }
        let needed = self.jobs();
        let mut is_kept = tx.conn.prepare_cached("SELECT 1 FROM jobs WHERE job = ?1 AND environment = ?2")?;
        let mut going = Vec::new();
        for it in taken.jobs.iter().filter(|it| !needed.contains(&it.job)) {
            if is_kept.exists(params![it.job, kept])? {
                going.push(it.job);
            }
        }
        drop(is_kept);
        if !going.is_empty() {
            let to = make_environment(tx, "retired")?;
            going.into_iter().try_for_each(|job| move_job(tx, job, to))?;
        }
        Ok(())
    }
}

/// Of [`MESSAGES`].
pub(in crate::store) const PUT_MESSAGE: &str =
    "UPDATE messages SET status = ?2, reason = ?3, error = ?4, channel = ?5, provider = ?6, address = ?7, subject = ?8,
         body = ?9, content = ?10, profile_version = ?11 WHERE number = ?1";

/// The last number that was given to a user.
pub(in crate::store) fn last_user(conn: &Connection) -> Result<i64> {
    let mut last = conn.prepare_cached(
        "SELECT max(dropped_user, coalesce((SELECT max(last_number) FROM user_ranges), 0)) FROM file",
    )?;
    Ok(last.query_row([], |row| row.get(0))?)
}

/// Copies users, from a first to a last number, to numbers that are higher by so much.
pub(in crate::store) fn copy_users(conn: &Connection, (first, last, by): (i64, i64, i64)) -> Result<()> {
    let mut copy = conn.prepare_cached(
        "INSERT INTO users (number, recipient, user)
         SELECT number + ?3, recipient, user FROM users WHERE number BETWEEN ?1 AND ?2",
    )?;
    copy.execute([first, last, by])?;
    Ok(())
}

/// Copies messages in the same way, with their delays and further deliveries.
pub(in crate::store) fn copy_messages(conn: &Connection, (first, last, by): (i64, i64, i64)) -> Result<()> {
    for (table, columns) in [
        (
            "messages",
            "recipient, status, reason, error, channel, provider, address, subject, body, content, profile_version",
        ),
        ("deliveries", "position, status, reason, error, channel, provider, address, subject, body, content"),
        ("delayed", "due_at"),
        ("endings", "position, due_at, status, reason"),
    ] {
        let mut copy = conn.prepare_cached(&format!(
            "INSERT INTO {table} (number, {columns})
             SELECT number + ?3, {columns} FROM {table} WHERE number BETWEEN ?1 AND ?2"
        ))?;
        copy.execute([first, last, by])?;
    }
    Ok(())
}

/// Moves a job with its messages to where no key finds it. If it is running, it ends.
pub(in crate::store) fn move_job(tx: &mut Tx<'_>, job: JobRow, to: EnvironmentRow) -> Result<()> {
    let mut moved =
        tx.conn.prepare_cached("UPDATE jobs SET environment = ?2, job_id = 'kept ' || job WHERE job = ?1")?;
    moved.execute(params![job, to])?;
    let mut ranges = tx.conn.prepare_cached("UPDATE message_ranges SET environment = ?2 WHERE job = ?1")?;
    ranges.execute(params![job, to])?;
    drop((moved, ranges));
    tx.recipients.drop_job(job);
    Ok(())
}
