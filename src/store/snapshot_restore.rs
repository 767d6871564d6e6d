//! The way back to a snapshot: what came later is set aside, and what the environment had is put back.

use std::collections::{HashMap, HashSet};

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, ToSql, params, params_from_iter};

use super::engine::Tx;
use super::snapshot::{
    BRAND_VERSIONS, CHANGING, DELIVERIES, ENDINGS, JOBS, Kept, MESSAGE_EVENTS, PLAIN, PROFILE_VERSIONS, PUT_MESSAGE,
    Row, SUBSCRIPTIONS, SavedJob, TEMPLATE_CHECKS, TEMPLATE_VERSIONS, Taken, copy_messages, copy_users, insert,
    integer, is_there, last_user, make_environment, move_job, of_lists, rows,
};
use super::{message, number};
use crate::error::Result;
use crate::model::environment::EnvironmentRow;
use crate::model::row::JobRow;

/// An environment that is being restored.
pub(in crate::store) struct Restore<'a, 'b> {
    tx: &'a mut Tx<'b>,
    environment: EnvironmentRow,
    /// Where data goes that another snapshot needs.
    kept: EnvironmentRow,
    /// The jobs that other snapshots need.
    needed: HashSet<JobRow>,
    /// Where all else goes, if there is any.
    retired: Option<EnvironmentRow>,
    /// Messages that were copied: first and last number, and how much higher the copy's numbers are.
    copied: Vec<(i64, i64, i64)>,
}

/// Users with these numbers. The first of them has this place in its job. Only those up to `end` are meant.
struct UserRange {
    first: i64,
    last: i64,
    seq: i64,
    end: i64,
}

/// The ranges in which the first users of a job are.
fn user_ranges(conn: &Connection, job: JobRow, count: i64) -> Result<Vec<UserRange>> {
    let of = "SELECT first_number, last_number, first_seq FROM user_ranges WHERE job = ?1 AND first_seq < ?2";
    let ranges = rows(conn, of, &[&job, &count])?;
    let range = |row: &Row| {
        let (first, last, seq) = (integer(row, 0), integer(row, 1), integer(row, 2));
        UserRange { first, last, seq, end: last.min(first + count - seq - 1) }
    };
    Ok(ranges.iter().map(range).collect())
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

    /// Returns which messages were copied: first and last number, and how much higher the copy's numbers are.
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

    /// Removes the rows of an environment and inserts those that it had, unless they are the same.
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

    /// Marks exactly those versions as current that were.
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
        // An alias may have moved from one template to another.
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

    /// A template that holds versions that must not be found.
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
        // A list that another has replaced is gone, and gets a new row.
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

    /// Brings a job back to where it was.
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
            // What is left of it is removed. A part of it that is being written comes too late.
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
        for UserRange { first, last, seq, end } in user_ranges(conn, from, received)? {
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

    /// Copies the first users and messages of a job, because another snapshot needs the originals.
    fn copy(&mut self, from: JobRow, to: JobRow, received: i64, drained: i64) -> Result<()> {
        let conn = self.tx.conn;
        for UserRange { first, seq, end, .. } in user_ranges(conn, from, received)? {
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

    /// Puts back the messages that could change: their rows, deliveries, events and delays.
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
                // It had gone out by then, and its first event tells what it began as.
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
        // Those that are completely gone do not have it.
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
