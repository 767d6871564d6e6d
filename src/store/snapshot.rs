//! Snapshots of one environment, and the way back to one.
//!
//! Rows of users and messages are appended and never rewritten, so a snapshot has none of them. It has the small tables,
//! how far each job had come, and those of the messages that could still change. It is taken by a reader, and costs what
//! is small. To restore it, what came later is set aside: whole jobs move to another environment, and of a job that went on
//! the users and messages of that time move to a new row. What no snapshot needs is removed by retention, in pieces.
//! What another snapshot needs is kept, in an environment that no key opens.
//!
//! The rows of the file are sound at any time: after a kill, what was kept belongs to no snapshot any more, and goes.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, ToSql, params, params_from_iter};

use super::engine::{Db, Tx};
use super::{message, number};
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::model::environment::EnvironmentRow;
use crate::model::row::JobRow;

/// The columns of one row.
pub(in crate::store) type Row = Vec<Value>;

/// Tables of which an environment's rows are put back as they were, each with its columns.
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
const CHANGING: &str = "SELECT number FROM message_ranges CROSS JOIN delayed
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
    /// The row that has what it had, and maybe more.
    pub(in crate::store) job: JobRow,
    pub(in crate::store) columns: Row,
}

/// What is told of a snapshot.
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

/// The snapshots of all environments. They are of the process.
#[derive(Clone, Default)]
pub struct Snapshots(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// Held over a whole operation: one at a time. The writer does not wait for it.
    operation: Mutex<()>,
    all: Mutex<HashMap<EnvironmentRow, Kept>>,
}

#[derive(Clone, Default)]
pub(in crate::store) struct Kept {
    /// Where what the environment has no more and a snapshot needs is kept.
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

/// What was kept for snapshots by a process that has ended is needed by none.
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
fn of_lists(db: &Db<'_>, environment: EnvironmentRow) -> Result<Vec<Row>> {
    let sql = format!(
        "SELECT {SUBSCRIPTIONS} FROM subscriptions WHERE list IN (SELECT list FROM lists WHERE environment = ?1)"
    );
    rows(db.conn, &sql, &[&environment])
}

impl Kept {
    fn jobs(&self) -> HashSet<JobRow> {
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

/// Copies messages in the same way, with what waits and what went out besides.
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

/// Moves a job with its messages to where no key finds it. One that is running ends.
fn move_job(tx: &mut Tx<'_>, job: JobRow, to: EnvironmentRow) -> Result<()> {
    let mut moved =
        tx.conn.prepare_cached("UPDATE jobs SET environment = ?2, job_id = 'kept ' || job WHERE job = ?1")?;
    moved.execute(params![job, to])?;
    let mut ranges = tx.conn.prepare_cached("UPDATE message_ranges SET environment = ?2 WHERE job = ?1")?;
    ranges.execute(params![job, to])?;
    drop((moved, ranges));
    tx.recipients.drop_job(job);
    Ok(())
}

/// An environment on its way back.
pub(in crate::store) struct Restore<'a, 'b> {
    tx: &'a mut Tx<'b>,
    environment: EnvironmentRow,
    /// Where to what another snapshot needs goes.
    kept: EnvironmentRow,
    /// The jobs that other snapshots need.
    needed: HashSet<JobRow>,
    /// Where to all else goes, if there is any.
    retired: Option<EnvironmentRow>,
    /// Messages that were copied: first and last number, and by how much the copy's is higher.
    copied: Vec<(i64, i64, i64)>,
}

impl<'a, 'b> Restore<'a, 'b> {
    pub(in crate::store) fn new(tx: &'a mut Tx<'b>, environment: EnvironmentRow, others: &mut Kept) -> Result<Self> {
        let known = match others.environment {
            Some(kept) if is_there(tx, kept)? => Some(kept),
            _ => None,
        };
        let kept = known.map_or_else(|| make_environment(tx, "kept"), Ok)?;
        others.environment = Some(kept);
        let needed = others.jobs();
        Ok(Restore { tx, environment, kept, needed, retired: None, copied: Vec::new() })
    }

    /// Returns which messages were copied: first and last number, and by how much the copy's is higher.
    pub(in crate::store) fn run(mut self, taken: &mut Taken) -> Result<Vec<(i64, i64, i64)>> {
        self.put_templates(taken)?;
        insert(self.tx.conn, "INSERT OR IGNORE", "brand_versions", BRAND_VERSIONS, &taken.brand_versions)?;
        insert(self.tx.conn, "INSERT OR IGNORE", "profile_versions", PROFILE_VERSIONS, &taken.profile_versions)?;
        self.set_later_jobs_aside(taken)?;
        for saved in &mut taken.jobs {
            self.put_job(saved)?;
        }
        self.put_messages(taken)?;
        self.put_lists(taken)?;
        for ((table, columns), rows) in PLAIN.iter().zip(&taken.plain) {
            self.put_plain(table, columns, rows)?;
        }
        self.mark_current("profile_versions", "profile_version", "profiles")?;
        self.mark_current("brand_versions", "brand_version", "brands")?;
        self.tx.wakeups.jobs = true;
        self.tx.wakeups.messages = true;
        self.tx.wakeups.retention = true;
        Ok(self.copied)
    }

    /// Removes the rows of an environment, and puts those there that it had, unless they are the same.
    fn put_plain(&mut self, table: &str, columns: &str, rows: &[Row]) -> Result<()> {
        let (conn, environment) = (self.tx.conn, self.environment);
        let select = format!("SELECT {columns} FROM {table} WHERE environment = ?1");
        if self::rows(conn, &select, &[&environment])? == rows {
            return Ok(());
        }
        conn.prepare_cached(&format!("DELETE FROM {table} WHERE environment = ?1"))?.execute([environment])?;
        match table {
            // One that was deleted since stays deleted.
            "profiles" => {
                let mut put = conn.prepare_cached(
                    "INSERT INTO profiles (environment, user_id, profile_version) SELECT ?1, ?2, ?3
                     WHERE EXISTS (SELECT 1 FROM profile_versions WHERE profile_version = ?3 AND user_id IS NOT NULL)",
                )?;
                for row in rows {
                    put.execute(params_from_iter(row))?;
                }
                Ok(())
            }
            "message_names" => {
                let mut put = conn.prepare_cached(
                    "INSERT INTO message_names (environment, message_id, number) SELECT ?1, ?2, ?3
                     WHERE EXISTS (SELECT 1 FROM messages WHERE number = ?3)",
                )?;
                for row in rows {
                    let number = self.number_now(integer(row, 2));
                    put.execute(params![row[0], row[1], number])?;
                }
                Ok(())
            }
            _ => insert(conn, "INSERT", table, columns, rows),
        }
    }

    /// Has the versions that are current say so, and no others.
    fn mark_current(&mut self, table: &str, key: &str, heads: &str) -> Result<()> {
        let current = format!("{key} IN (SELECT {key} FROM {heads} WHERE environment = ?1)");
        self.tx.conn.execute(
            &format!("UPDATE {table} SET replaced_at = NULL WHERE {current} AND replaced_at IS NOT NULL"),
            [self.environment],
        )?;
        self.tx.conn.execute(
            &format!(
                "UPDATE {table} SET replaced_at = ?2
                 WHERE environment = ?1 AND replaced_at IS NULL AND NOT {current}"
            ),
            params![self.environment, self.tx.now.millis()],
        )?;
        Ok(())
    }

    fn put_templates(&mut self, taken: &Taken) -> Result<()> {
        let (conn, environment, kept) = (self.tx.conn, self.environment, self.kept);
        let known: HashSet<i64> = taken.templates.iter().map(|row| integer(row, 0)).collect();
        let versions: HashSet<i64> = taken.template_versions.iter().map(|row| integer(row, 0)).collect();
        let there = rows(conn, "SELECT template FROM templates WHERE environment = ?1", &[&environment])?;
        for template in there.iter().map(|row| integer(row, 0)).filter(|template| !known.contains(template)) {
            let mut aside = conn.prepare_cached(
                "UPDATE templates SET environment = ?2, template_id = 'kept ' || template, alias = NULL WHERE template = ?1",
            )?;
            aside.execute(params![template, kept])?;
        }
        // An alias may have moved from one to another.
        conn.execute("UPDATE templates SET alias = NULL WHERE environment = ?1 AND alias IS NOT NULL", [environment])?;
        for row in &taken.templates {
            let mut put = conn.prepare_cached(
                "UPDATE templates SET environment = ?2, template_id = ?3, alias = ?4, draft = ?5, created_at = ?6,
                     updated_at = ?7, archived_at = ?8 WHERE template = ?1",
            )?;
            put.execute(params_from_iter(row))?;
            let template = integer(row, 0);
            let there = rows(conn, "SELECT template_version FROM template_versions WHERE template = ?1", &[&template])?;
            let later = there.iter().map(|row| integer(row, 0)).filter(|version| !versions.contains(version));
            let mut holder = None;
            for version in later {
                let holder = match holder {
                    Some(holder) => holder,
                    None => *holder.insert(self.make_holder()?),
                };
                let mut aside =
                    conn.prepare_cached("UPDATE template_versions SET template = ?2 WHERE template_version = ?1")?;
                aside.execute([version, holder])?;
            }
        }
        for row in &taken.template_versions {
            let mut put = conn.prepare_cached(
                "UPDATE template_versions SET template = ?2 WHERE template_version = ?1 AND template <> ?2",
            )?;
            put.execute([integer(row, 0), integer(row, 1)])?;
        }
        insert(conn, "INSERT OR IGNORE", "template_versions", TEMPLATE_VERSIONS, &taken.template_versions)?;
        conn.execute(
            "DELETE FROM template_checks WHERE template IN (SELECT template FROM templates WHERE environment = ?1)",
            [environment],
        )?;
        insert(conn, "INSERT", "template_checks", TEMPLATE_CHECKS, &taken.template_checks)
    }

    /// A template that holds versions that are not to be found.
    fn make_holder(&self) -> Result<i64> {
        let conn = self.tx.conn;
        let mut make = conn.prepare_cached(
            "INSERT INTO templates (environment, template_id, draft, created_at)
             VALUES (?1, 'kept versions ' || (SELECT 1 + max(template) FROM templates), '{}', ?2)",
        )?;
        Ok(make.insert(params![self.kept, self.tx.now.millis()])?)
    }

    fn put_lists(&mut self, taken: &Taken) -> Result<()> {
        let (conn, environment, kept) = (self.tx.conn, self.environment, self.kept);
        let known: HashSet<i64> = taken.lists.iter().map(|row| integer(row, 0)).collect();
        let there = rows(conn, "SELECT list FROM lists WHERE environment = ?1", &[&environment])?;
        for list in there.iter().map(|row| integer(row, 0)).filter(|list| !known.contains(list)) {
            let mut aside =
                conn.prepare_cached("UPDATE lists SET environment = ?2, list_id = 'kept ' || list WHERE list = ?1")?;
            aside.execute(params![list, kept])?;
        }
        // One that another has replaced is gone, and has a new row.
        let mut new = HashMap::new();
        for row in &taken.lists {
            let mut put = conn.prepare_cached(
                "UPDATE lists SET environment = ?2, list_id = ?3, name = ?4, preferences = ?5, created_at = ?6,
                     updated_at = ?7, deleted_at = ?8 WHERE list = ?1 AND environment IN (?2, ?9)",
            )?;
            let values: Vec<&dyn ToSql> = row.iter().map(|it| it as &dyn ToSql).chain([&kept as &dyn ToSql]).collect();
            if put.execute(&*values)? == 0 {
                let mut make = conn.prepare_cached(
                    "INSERT INTO lists (environment, list_id, name, preferences, created_at, updated_at, deleted_at)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                )?;
                new.insert(integer(row, 0), make.insert(params_from_iter(&row[1..]))?);
            }
        }
        let mut subscriptions = taken.subscriptions.clone();
        for row in &mut subscriptions {
            if let Some(list) = new.get(&integer(row, 0)) {
                row[0] = Value::Integer(*list);
            }
        }
        if of_lists(self.tx, environment)? == subscriptions {
            return Ok(());
        }
        conn.execute(
            "DELETE FROM subscriptions WHERE list IN (SELECT list FROM lists WHERE environment = ?1)",
            [environment],
        )?;
        insert(conn, "INSERT", "subscriptions", SUBSCRIPTIONS, &subscriptions)
    }

    fn retired(&mut self) -> Result<EnvironmentRow> {
        let retired = self.retired.map_or_else(|| make_environment(self.tx, "retired"), Ok)?;
        self.retired = Some(retired);
        Ok(retired)
    }

    fn set_later_jobs_aside(&mut self, taken: &Taken) -> Result<()> {
        let known: HashSet<JobRow> = taken.jobs.iter().map(|it| it.job).collect();
        let of = "SELECT job FROM jobs WHERE environment = ?1 AND dropped_at IS NULL";
        let there = rows(self.tx.conn, of, &[&self.environment])?;
        for job in there.iter().map(|row| JobRow(integer(row, 0))).filter(|job| !known.contains(job)) {
            let to = if self.needed.contains(&job) { self.kept } else { self.retired()? };
            move_job(self.tx, job, to)?;
        }
        Ok(())
    }

    /// Has a job be where it was.
    fn put_job(&mut self, saved: &mut SavedJob) -> Result<()> {
        let job = saved.job;
        let mut find = self.tx.conn.prepare_cached(
            "SELECT status, received, enqueued, failures FROM jobs
             WHERE job = ?1 AND environment IN (?2, ?3) AND dropped_at IS NULL",
        )?;
        let now = find.query_row(params![job, self.environment, self.kept], |row| {
            (0..4).map(|column| row.get(column)).collect::<rusqlite::Result<Row>>()
        });
        let now = now.optional()?;
        drop(find);
        // Retention has dropped it.
        let Some(now) = now else { return Ok(()) };
        if now[..] == saved.columns[3..7] {
            let mut put = self.tx.conn.prepare_cached(
                "UPDATE jobs SET environment = ?2, job_id = ?3, error = ?4, completed_at = ?5, archived_at = ?6 WHERE job = ?1",
            )?;
            let it = &saved.columns;
            put.execute(params![job, self.environment, it[1], it[7], it[10], it[13]])?;
            let mut ranges = self
                .tx
                .conn
                .prepare_cached("UPDATE message_ranges SET environment = ?2 WHERE job = ?1 AND environment <> ?2")?;
            ranges.execute(params![job, self.environment])?;
            return Ok(());
        }
        let new = number::next_job(self.tx.conn)?;
        let is_shared = self.needed.contains(&job);
        if is_shared {
            move_job(self.tx, job, self.kept)?;
        } else {
            // What is left of it goes. A part of it that is on its way comes too late.
            self.tx.conn.execute(
                "UPDATE jobs SET dropped_at = ?2, job_id = 'dropped ' || job, status = 'ERROR' WHERE job = ?1",
                params![job, self.tx.now.millis()],
            )?;
            self.tx.recipients.drop_job(job);
        }
        let mut columns = saved.columns.clone();
        columns[0] = Value::Integer(new.0);
        columns.push(Value::Integer(self.environment.0));
        insert(self.tx.conn, "INSERT", "jobs", &format!("{JOBS}, environment"), &[columns])?;
        self.tx.conn.execute(
            "INSERT INTO definitions (job, definition) SELECT ?2, definition FROM definitions WHERE job = ?1",
            params![job, new],
        )?;
        let received = integer(&saved.columns, 4);
        let drained = integer(&saved.columns, 5) + integer(&saved.columns, 6);
        match is_shared {
            true => self.copy(job, new, received, drained)?,
            false => self.take_over(job, new, received, drained)?,
        }
        saved.job = new;
        saved.columns[0] = Value::Integer(new.0);
        Ok(())
    }

    /// Gives the first users and messages of a job to another row.
    fn take_over(&mut self, from: JobRow, to: JobRow, received: i64, drained: i64) -> Result<()> {
        let conn = self.tx.conn;
        let of = "SELECT first_number, last_number, first_seq FROM user_ranges WHERE job = ?1 AND first_seq < ?2";
        for range in rows(conn, of, &[&from, &received])? {
            let (first, last, seq) = (integer(&range, 0), integer(&range, 1), integer(&range, 2));
            let end = last.min(first + received - seq - 1);
            conn.execute(
                "UPDATE user_ranges SET job = ?2, last_number = ?3 WHERE first_number = ?1",
                params![first, to, end],
            )?;
            if end < last {
                conn.execute(
                    "INSERT INTO user_ranges (first_number, last_number, job, first_seq) VALUES (?1, ?2, ?3, ?4)",
                    params![end + 1, last, from, seq + end + 1 - first],
                )?;
            }
        }
        // Their parts were written whole.
        conn.execute(
            "UPDATE message_ranges SET job = ?2, environment = ?4 WHERE job = ?1 AND first_seq < ?3",
            params![from, to, drained, self.environment],
        )?;
        conn.execute("UPDATE failures SET job = ?2 WHERE job = ?1 AND seq < ?3", params![from, to, drained])?;
        Ok(())
    }

    /// Copies the first users and messages of a job, which another snapshot needs as it is.
    fn copy(&mut self, from: JobRow, to: JobRow, received: i64, drained: i64) -> Result<()> {
        let conn = self.tx.conn;
        let of = "SELECT first_number, last_number, first_seq FROM user_ranges WHERE job = ?1 AND first_seq < ?2";
        for range in rows(conn, of, &[&from, &received])? {
            let (first, last, seq) = (integer(&range, 0), integer(&range, 1), integer(&range, 2));
            let end = last.min(first + received - seq - 1);
            let by = last_user(conn)? + 1 - first;
            copy_users(conn, (first, end, by))?;
            conn.execute(
                "INSERT INTO user_ranges (first_number, last_number, job, first_seq) VALUES (?1, ?2, ?3, ?4)",
                params![first + by, end + by, to, seq],
            )?;
        }
        let of = "SELECT first_number, last_number, first_seq, created_at FROM message_ranges
                  WHERE job = ?1 AND first_seq < ?2";
        for range in rows(conn, of, &[&from, &drained])? {
            let (first, last) = (integer(&range, 0), integer(&range, 1));
            let by = message::last_number(self.tx)?.0 + 1 - first;
            copy_messages(conn, (first, last, by))?;
            conn.execute(
                "INSERT INTO message_ranges (first_number, last_number, job, environment, first_seq, created_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![first + by, last + by, to, self.environment, range[2], range[3]],
            )?;
            self.copied.push((first, last, by));
        }
        conn.execute(
            "INSERT INTO failures (job, seq, reason) SELECT ?2, seq, reason FROM failures WHERE job = ?1 AND seq < ?3",
            params![from, to, drained],
        )?;
        Ok(())
    }

    /// The number that a message has now.
    fn number_now(&self, number: i64) -> i64 {
        let copied = self.copied.iter().find(|(first, last, _)| (*first..=*last).contains(&number));
        number + copied.map_or(0, |(_, _, by)| *by)
    }

    /// Puts the messages back that could change: their rows, deliveries, events and delays.
    fn put_messages(&mut self, taken: &mut Taken) -> Result<()> {
        if !self.copied.is_empty() {
            let number_at = |rows: &mut Vec<Row>, column: usize| {
                for row in rows {
                    row[column] = Value::Integer(self.number_now(integer(row, column)));
                }
            };
            number_at(&mut taken.messages, 0);
            number_at(&mut taken.deliveries, 0);
            number_at(&mut taken.message_events, 1);
            number_at(&mut taken.delayed, 0);
            number_at(&mut taken.endings, 0);
        }
        let (conn, environment) = (self.tx.conn, self.environment);
        let changed = rows(conn, CHANGING, &[&environment])?;
        // The number of the last event is not given again.
        conn.execute(
            "UPDATE file SET dropped_event = max(dropped_event, coalesce((SELECT max(event) FROM message_events), 0))",
            [],
        )?;
        let saved: HashSet<i64> = taken.messages.iter().map(|row| integer(row, 0)).collect();
        for number in changed.iter().map(|row| integer(row, 0)) {
            if saved.contains(&number) {
                conn.prepare_cached("DELETE FROM deliveries WHERE number = ?1")?.execute([number])?;
            } else {
                // It had gone out by then, and the first of its events says as what.
                let mut put = conn.prepare_cached(
                    "UPDATE messages SET reason = NULL, error = NULL, status = coalesce((
                         SELECT status FROM message_events WHERE number = ?1 ORDER BY event LIMIT 1), status)
                     WHERE number = ?1",
                )?;
                put.execute([number])?;
            }
            conn.prepare_cached("DELETE FROM message_events WHERE number = ?1")?.execute([number])?;
            conn.prepare_cached("DELETE FROM delayed WHERE number = ?1")?.execute([number])?;
            conn.prepare_cached("DELETE FROM endings WHERE number = ?1")?.execute([number])?;
        }
        for row in &taken.messages {
            conn.prepare_cached(PUT_MESSAGE)?.execute(params_from_iter(row))?;
        }
        // Those of which nothing is left have none of it.
        let mut is_there = conn.prepare_cached("SELECT 1 FROM messages WHERE number = ?1")?;
        for (table, columns, number_at, rows) in [
            ("deliveries", DELIVERIES, 0, &taken.deliveries),
            ("message_events", MESSAGE_EVENTS, 1, &taken.message_events),
            ("delayed", "number, due_at", 0, &taken.delayed),
            ("endings", ENDINGS, 0, &taken.endings),
        ] {
            let mut there = Vec::new();
            for row in rows {
                if is_there.exists([integer(row, number_at)])? {
                    there.push(row.clone());
                }
            }
            insert(conn, "INSERT OR REPLACE", table, columns, &there)?;
        }
        Ok(())
    }
}
