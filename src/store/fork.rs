//! A snapshot as another environment. It has rows of its own, since a message's number tells its environment: so a fork
//! costs what it copies. It is one commit: a kill leaves all of it or nothing.

use std::collections::HashMap;

use rusqlite::types::Value;
use rusqlite::{params, params_from_iter};

use super::engine::{Db, Tx};
use super::snapshot::{self, PLAIN, Row, SavedJob, Taken, integer, rows};
use super::{delivery_copies, message, number};
use crate::error::{Error, Result};
use crate::model::environment::{Environment, EnvironmentRow};
use crate::model::row::JobRow;

/// Makes a snapshot the environment of a key that has none yet.
pub(in crate::store) fn fork(tx: &mut Tx<'_>, taken: &Taken, of: &Environment) -> Result<()> {
    if find(tx, of)? {
        return Err(taken_key());
    }
    let before = message::last_number(tx)?;
    let mut fork = Fork::begin(tx, taken)?;
    for saved in &taken.jobs {
        // Retention may have dropped it.
        if rows(tx.conn, "SELECT 1 FROM definitions WHERE job = ?1", &[&saved.job])?.is_empty() {
            continue;
        }
        let (users, messages) = pieces(tx, saved)?;
        let job = fork.add_job(tx, saved)?;
        users.into_iter().try_for_each(|piece| fork.copy_users(tx, job, piece))?;
        messages.into_iter().try_for_each(|piece| fork.copy_messages(tx, job, piece))?;
    }
    fork.end(tx, taken, of)?;
    delivery_copies::note(tx, before)
}

/// Whether an environment has made something.
fn find(db: &Db<'_>, of: &Environment) -> Result<bool> {
    let mut find = db.conn.prepare_cached("SELECT 1 FROM environments WHERE key_hash = ?1")?;
    Ok(find.exists(params![of.key_hash])?)
}

/// A fork in progress.
struct Fork {
    /// An environment that no key finds.
    to: EnvironmentRow,
    template_versions: HashMap<i64, i64>,
    brand_versions: HashMap<i64, i64>,
    profile_versions: HashMap<i64, i64>,
    /// Messages: first and last number, and how much higher the copy's numbers are.
    copied: Vec<(i64, i64, i64)>,
    /// Jobs, with the state that they get when all is copied.
    jobs: Vec<(JobRow, Value)>,
}

/// Numbers of users or messages of one job, from a place on.
#[derive(Clone, Copy, Debug)]
struct Piece {
    first: i64,
    last: i64,
    seq: i64,
    created_at: i64,
}

/// The first users and messages of a job, in pieces.
fn pieces(db: &Db<'_>, saved: &SavedJob) -> Result<(Vec<Piece>, Vec<Piece>)> {
    let of = |table: &str, created_at: &str, end: i64| -> Result<Vec<Piece>> {
        let sql = format!(
            "SELECT first_number, last_number, first_seq, {created_at} FROM {table}
             WHERE job = ?1 AND first_seq < ?2 ORDER BY first_seq"
        );
        let mut pieces = Vec::new();
        for range in rows(db.conn, &sql, &[&saved.job, &end])? {
            let (first, last, seq) = (integer(&range, 0), integer(&range, 1), integer(&range, 2));
            let last = last.min(first + end - seq - 1);
            pieces.push(Piece { first, last, seq, created_at: integer(&range, 3) });
        }
        Ok(pieces)
    };
    let drained = integer(&saved.columns, 5) + integer(&saved.columns, 6);
    Ok((of("user_ranges", "0", integer(&saved.columns, 4))?, of("message_ranges", "created_at", drained)?))
}

impl Fork {
    /// Copies what is small, except what refers to messages.
    fn begin(tx: &mut Tx<'_>, taken: &Taken) -> Result<Fork> {
        let to = snapshot::make_environment(tx, "kept")?;
        let mut fork = Fork {
            to,
            template_versions: HashMap::new(),
            brand_versions: HashMap::new(),
            profile_versions: HashMap::new(),
            copied: Vec::new(),
            jobs: Vec::new(),
        };
        let templates = put(tx, "templates", snapshot::TEMPLATES, &taken.templates, |row| {
            row[1] = Value::Integer(to.0);
            Ok(())
        })?;
        let of_template = |row: &mut Row, column: usize| {
            row[column] = templates.get(&integer(row, column)).copied().map_or(Value::Null, Value::Integer);
            Ok(())
        };
        fork.template_versions =
            put(tx, "template_versions", snapshot::TEMPLATE_VERSIONS, &taken.template_versions, |row| {
                of_template(row, 1)
            })?;
        let mut checks = taken.template_checks.clone();
        checks.iter_mut().try_for_each(|row| of_template(row, 0))?;
        snapshot::insert(tx.conn, "INSERT", "template_checks", snapshot::TEMPLATE_CHECKS, &checks)?;
        let lists = put(tx, "lists", snapshot::LISTS, &taken.lists, |row| {
            row[1] = Value::Integer(to.0);
            Ok(())
        })?;
        let mut subscriptions = taken.subscriptions.clone();
        for row in &mut subscriptions {
            row[0] = lists.get(&integer(row, 0)).copied().map_or(Value::Null, Value::Integer);
        }
        snapshot::insert(tx.conn, "INSERT", "subscriptions", snapshot::SUBSCRIPTIONS, &subscriptions)?;
        fork.brand_versions = put(tx, "brand_versions", snapshot::BRAND_VERSIONS, &taken.brand_versions, |row| {
            (row[3], row[4]) = (Value::Integer(to.0), Value::Null);
            Ok(())
        })?;
        fork.profile_versions =
            put(tx, "profile_versions", snapshot::PROFILE_VERSIONS, &taken.profile_versions, |row| {
                (row[3], row[5]) = (Value::Integer(to.0), Value::Null);
                Ok(())
            })?;
        Ok(fork)
    }

    /// Adds a job in a state in which no thread takes it up.
    fn add_job(&mut self, tx: &mut Tx<'_>, saved: &SavedJob) -> Result<JobRow> {
        let job = number::next_job(tx.conn)?;
        let mut columns = saved.columns.clone();
        columns[0] = Value::Integer(job.0);
        let status = std::mem::replace(&mut columns[3], Value::Text("CREATED".to_owned()));
        columns[11] = moved(&self.template_versions, &columns[11]);
        columns[12] = match columns[12] {
            Value::Integer(version) => Value::Integer(self.brand_version(tx, version)?),
            _ => Value::Null,
        };
        columns.push(Value::Integer(self.to.0));
        let names = format!("{}, environment", snapshot::JOBS);
        snapshot::insert(tx.conn, "INSERT", "jobs", &names, &[columns])?;
        tx.conn.execute(
            "INSERT INTO definitions (job, definition) SELECT ?2, definition FROM definitions WHERE job = ?1",
            params![saved.job, job],
        )?;
        let drained = integer(&saved.columns, 5) + integer(&saved.columns, 6);
        tx.conn.execute(
            "INSERT INTO failures (job, seq, reason) SELECT ?2, seq, reason FROM failures WHERE job = ?1 AND seq < ?3",
            params![saved.job, job, drained],
        )?;
        self.jobs.push((job, status));
        Ok(job)
    }

    fn brand_version(&mut self, tx: &Tx<'_>, version: i64) -> Result<i64> {
        if let Some(known) = self.brand_versions.get(&version) {
            return Ok(*known);
        }
        let mut copy = tx.conn.prepare_cached(
            "INSERT INTO brand_versions (brand_json, created_at, environment, replaced_at)
             SELECT brand_json, created_at, ?2, ?3 FROM brand_versions WHERE brand_version = ?1",
        )?;
        let new = copy.insert(params![version, self.to, tx.now.millis()])?;
        self.brand_versions.insert(version, new);
        Ok(new)
    }

    fn copy_users(&self, tx: &mut Tx<'_>, job: JobRow, piece: Piece) -> Result<()> {
        let Piece { first, last, seq, .. } = piece;
        let by = snapshot::last_user(tx.conn)? + 1 - first;
        snapshot::copy_users(tx.conn, (first, last, by))?;
        tx.conn.execute(
            "INSERT INTO user_ranges (first_number, last_number, job, first_seq) VALUES (?1, ?2, ?3, ?4)",
            params![first + by, last + by, job, seq],
        )?;
        Ok(())
    }

    fn copy_messages(&mut self, tx: &mut Tx<'_>, job: JobRow, piece: Piece) -> Result<()> {
        let Piece { first, last, seq, created_at } = piece;
        let by = message::last_number(tx)?.0 + 1 - first;
        snapshot::copy_messages(tx.conn, (first, last, by))?;
        let of = "SELECT DISTINCT profile_version FROM messages
                  WHERE number BETWEEN ?1 AND ?2 AND profile_version IS NOT NULL";
        for version in rows(tx.conn, of, &[&(first + by), &(last + by)])?.iter().map(|row| integer(row, 0)) {
            let new = match self.profile_versions.get(&version) {
                Some(known) => *known,
                None => {
                    let mut copy = tx.conn.prepare_cached(
                        "INSERT INTO profile_versions (profile, created_at, environment, user_id, replaced_at)
                         SELECT profile, created_at, ?2, user_id, ?3 FROM profile_versions WHERE profile_version = ?1",
                    )?;
                    copy.insert(params![version, self.to, tx.now.millis()])?
                }
            };
            self.profile_versions.insert(version, new);
            let mut refer = tx.conn.prepare_cached(
                "UPDATE messages SET profile_version = ?4 WHERE number BETWEEN ?1 AND ?2 AND profile_version = ?3",
            )?;
            refer.execute([first + by, last + by, version, new])?;
        }
        tx.conn.execute(
            "INSERT INTO message_ranges (first_number, last_number, job, environment, first_seq, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![first + by, last + by, job, self.to, seq, created_at],
        )?;
        self.copied.push((first, last, by));
        Ok(())
    }

    /// Copies what refers to messages, and gives the environment its key.
    fn end(self, tx: &mut Tx<'_>, taken: &Taken, of: &Environment) -> Result<()> {
        for ((table, columns), rows) in PLAIN.iter().zip(&taken.plain) {
            let mut moved_rows = Vec::with_capacity(rows.len());
            for row in rows {
                let mut row = row.clone();
                row[0] = Value::Integer(self.to.0);
                let is_there = match *table {
                    "brands" => {
                        row[2] = moved(&self.brand_versions, &row[2]);
                        row[2] != Value::Null
                    }
                    "profiles" => {
                        row[2] = moved(&self.profile_versions, &row[2]);
                        row[2] != Value::Null
                    }
                    "message_names" => {
                        let number = self.number(integer(&row, 2));
                        row[2] = number.map_or(Value::Null, Value::Integer);
                        number.is_some()
                    }
                    _ => true,
                };
                if is_there {
                    moved_rows.push(row);
                }
            }
            snapshot::insert(tx.conn, "INSERT", table, columns, &moved_rows)?;
        }
        self.put_changing(tx, taken)?;
        for (job, status) in &self.jobs {
            tx.conn.execute("UPDATE jobs SET status = ?2 WHERE job = ?1", params![job, status])?;
        }
        tx.conn.execute(
            "UPDATE environments SET key_hash = ?2, label = ?3 WHERE environment = ?1",
            params![self.to, of.key_hash, of.label()],
        )?;
        tx.wakeups.jobs = true;
        tx.wakeups.messages = true;
        Ok(())
    }

    /// The messages that could still change, as they were.
    fn put_changing(&self, tx: &mut Tx<'_>, taken: &Taken) -> Result<()> {
        for row in &taken.messages {
            let Some(number) = self.number(integer(row, 0)) else { continue };
            let mut row = row.clone();
            row[0] = Value::Integer(number);
            row[10] = moved(&self.profile_versions, &row[10]);
            tx.conn.prepare_cached(snapshot::PUT_MESSAGE)?.execute(params_from_iter(&row))?;
            tx.conn.prepare_cached("DELETE FROM deliveries WHERE number = ?1")?.execute([number])?;
            tx.conn.prepare_cached("DELETE FROM delayed WHERE number = ?1")?.execute([number])?;
            tx.conn.prepare_cached("DELETE FROM endings WHERE number = ?1")?.execute([number])?;
        }
        for (table, columns, rows) in [
            ("deliveries", snapshot::DELIVERIES, &taken.deliveries),
            ("delayed", "number, due_at", &taken.delayed),
            ("endings", snapshot::ENDINGS, &taken.endings),
        ] {
            for row in rows {
                let Some(number) = self.number(integer(row, 0)) else { continue };
                let mut row = row.clone();
                row[0] = Value::Integer(number);
                snapshot::insert(tx.conn, "INSERT", table, columns, &[row])?;
            }
        }
        for row in &taken.message_events {
            let Some(number) = self.number(integer(row, 1)) else { continue };
            let event = number::next_event(tx.conn)?;
            let row = [Value::Integer(event.0), Value::Integer(number), row[2].clone(), row[3].clone()];
            snapshot::insert(tx.conn, "INSERT", "message_events", snapshot::MESSAGE_EVENTS, &[row.to_vec()])?;
        }
        Ok(())
    }

    /// The number of a message's copy.
    fn number(&self, number: i64) -> Option<i64> {
        let copied = self.copied.iter().find(|(first, last, _)| (*first..=*last).contains(&number));
        copied.map(|(_, _, by)| number + by)
    }
}

fn taken_key() -> Error {
    Error::conflict("the key has something already; reset its environment first, or take a new key")
}

fn moved(map: &HashMap<i64, i64>, value: &Value) -> Value {
    match value {
        Value::Integer(number) => map.get(number).copied().map_or(Value::Null, Value::Integer),
        _ => Value::Null,
    }
}

/// Puts rows under new numbers, which are their first column. Returns these by the old ones.
fn put(
    tx: &Tx<'_>,
    table: &str,
    columns: &str,
    rows: &[Row],
    change: impl Fn(&mut Row) -> Result<()>,
) -> Result<HashMap<i64, i64>> {
    let (_, others) = columns.split_once(", ").unwrap_or_default();
    let values = vec!["?"; others.split(',').count()].join(", ");
    let mut insert = tx.conn.prepare_cached(&format!("INSERT INTO {table} ({others}) VALUES ({values})"))?;
    let mut numbers = HashMap::new();
    for row in rows {
        let mut new = row.clone();
        change(&mut new)?;
        numbers.insert(integer(row, 0), insert.insert(params_from_iter(&new[1..]))?);
    }
    Ok(numbers)
}
