//! Takes, restores and deletes snapshots: one at a time, and beside the writer as far as possible.

use std::collections::BTreeMap;

use rusqlite::Connection;

use super::engine::file;
use super::engine::partial::Partial;
use super::engine::recipients::{CachedJobs, Recipients};
use super::environment::View;
use super::snapshot::{Kept, Summary, Taken, is_there, not_found};
use super::snapshot_restore::Restore;
use super::webhook::Position;
use super::{Tx, backup, delivery_channel, delivery_copies, fork, temporary};
use crate::error::{Error, Result};
use crate::id::Ids;
use crate::model::environment::{Environment, EnvironmentRow};
use crate::model::row::MessageNumber;

/// Snapshots of one environment at most.
pub const PER_ENVIRONMENT: usize = 100;
/// The most bytes of a snapshot's file: it is made in memory.
const FILE_BYTES: u64 = 256 * 1024 * 1024;
/// The tables whose rows each name their environment.
const OF_ENVIRONMENTS: [&str; 15] = [
    "environments",
    "jobs",
    "message_ranges",
    "message_names",
    "idempotency_keys",
    "templates",
    "brands",
    "brand_versions",
    "profiles",
    "profile_versions",
    "deleted_profiles",
    "lists",
    "topics",
    "user_preferences",
    "user_tokens",
];
/// What the snapshots of all environments may take in memory.
const ALL_BYTES: usize = 256 * 1024 * 1024;

/// Takes a snapshot, in place of the one of that name.
pub fn take(view: &View<'_>, name: &str) -> Result<Summary> {
    let snapshots = view.store().snapshots();
    let _one = snapshots.one_at_a_time();
    let row = view.write(|_, _| Ok(()))?;
    let taken = view.read(Taken::read)?;
    let others: usize = snapshots.all().values().flat_map(|kept| kept.snapshots.values()).map(|it| it.bytes).sum();
    if others.saturating_add(taken.bytes) > ALL_BYTES {
        let mib = ALL_BYTES / (1024 * 1024);
        let problem = format!("the snapshots of all API keys would take more than {mib} MiB of memory; delete some");
        return Err(Error::conflict(problem));
    }
    let mut after = snapshots.all().get(&row).cloned().unwrap_or_default();
    if after.snapshots.len() >= PER_ENVIRONMENT && !after.snapshots.contains_key(name) {
        let problem = format!("there are {PER_ENVIRONMENT} snapshots under this API key already; delete one first");
        return Err(Error::conflict(problem));
    }
    let summary = taken.summary(name);
    let replaced = after.snapshots.insert(name.to_owned(), taken);
    if let Some(replaced) = replaced {
        after = view.store().write(move |tx| {
            after.let_go(tx, &replaced)?;
            Ok(after)
        })?;
    }
    snapshots.all().insert(row, after);
    Ok(summary)
}

/// What an environment was restored to.
#[derive(Debug)]
pub struct Restored {
    pub summary: Summary,
    /// Messages that have other numbers now: first and last number, and how much higher the new ones are.
    pub copied: Vec<(i64, i64, i64)>,
}

/// Restores an environment to a snapshot, which stays.
pub fn restore(view: &View<'_>, name: &str) -> Result<Restored> {
    let restored = change(view, name, |kept, tx, row, name| {
        let mut taken = kept.snapshots.remove(&name).ok_or_else(|| not_found(&name))?;
        let before = delivery_channel::newest(tx)?;
        let copied = Restore::new(tx, row, kept)?.run(&mut taken)?;
        // The originals are kept for other snapshots, and for no channel.
        if let Some(last) = copied.iter().map(|(_, last, _)| *last).max() {
            delivery_channel::refuse_if_behind(tx, Position { number: MessageNumber(last), ..before })?;
        }
        delivery_copies::note(tx, before.number)?;
        let summary = taken.summary(&name);
        kept.snapshots.insert(name, taken);
        Ok(Restored { summary, copied })
    })?;
    // Messages with low numbers may have come back.
    view.store().texts().look_over(view.read(|_, row| Ok(row))?);
    Ok(restored)
}

pub fn delete(view: &View<'_>, name: &str) -> Result<Summary> {
    change(view, name, |kept, tx, _, name| {
        let taken = kept.snapshots.remove(&name).ok_or_else(|| not_found(&name))?;
        kept.let_go(tx, &taken)?;
        Ok(taken.summary(&name))
    })
}

/// Changes rows, and what memory holds of them, together.
fn change<T: Send + 'static>(
    view: &View<'_>,
    name: &str,
    change: impl FnOnce(&mut Kept, &mut Tx<'_>, EnvironmentRow, String) -> Result<T> + Send + 'static,
) -> Result<T> {
    let snapshots = view.store().snapshots();
    let _one = snapshots.one_at_a_time();
    let row = view.read(|_, row| Ok(row))?;
    let mut kept = snapshots.all().get(&row).cloned().ok_or_else(|| not_found(name))?;
    let name = name.to_owned();
    let (kept, changed) = view.store().write(move |tx| {
        if !is_there(tx, row)? {
            return Err(Error::not_yet("what this API key had was reset meanwhile; try again"));
        }
        let changed = change(&mut kept, tx, row, name)?;
        Ok((kept, changed))
    })?;
    snapshots.all().insert(row, kept);
    Ok(changed)
}

/// Makes a snapshot the environment of another key, which must have nothing yet.
pub fn fork(view: &View<'_>, name: &str, of: &Environment) -> Result<Summary> {
    let of = of.clone();
    change(view, name, move |kept, tx, _, name| {
        let taken = kept.snapshots.get(&name).ok_or_else(|| not_found(&name))?;
        fork::fork(tx, taken, &of)?;
        Ok(taken.summary(&name))
    })
}

/// A snapshot as a file of its own, without the webhooks: another bulkd can open it.
pub fn export(view: &View<'_>, name: &str) -> Result<Vec<u8>> {
    let store = view.store();
    let snapshots = store.snapshots();
    let _one = snapshots.one_at_a_time();
    let row = view.read(|_, row| Ok(row))?;
    let kept = snapshots.all().get(&row).cloned().unwrap_or_default();
    let mut taken = kept.snapshots.get(name).cloned().ok_or_else(|| not_found(name))?;
    let (folder, path) = temporary::folder("snapshot-")?;
    let partial = Partial::create(&path)?;
    backup::copy(file::open_reader(store.path())?, &partial, &store.stopping)?;
    let mut conn = Connection::open(partial.path())?;
    store.stopping.watch(&mut conn)?;
    conn.pragma_update(None, "secure_delete", true)?;
    conn.execute_batch("PRAGMA foreign_keys = OFF; BEGIN IMMEDIATE")?;
    let (mut ids, mut recipients) = (Ids::random(), Recipients::new(CachedJobs::default(), 0));
    let mut tx = Tx::new(&conn, store.clock_reading(), &mut ids, &mut recipients);
    let mut alone = Kept { snapshots: BTreeMap::new(), ..kept };
    Restore::new(&mut tx, row, &mut alone)?.run(&mut taken)?;
    keep_only(&conn, row)?;
    conn.execute_batch("COMMIT; VACUUM")?;
    // The log is merged, so that the file is complete.
    conn.pragma_update(None, "journal_mode", "DELETE")?;
    conn.close().map_err(|(_, error)| error)?;
    let bytes = std::fs::metadata(partial.path()).map_or(0, |metadata| metadata.len());
    if bytes > FILE_BYTES {
        let mib = FILE_BYTES / (1024 * 1024);
        let problem = format!("the file would have more than {mib} MiB; make a backup instead");
        return Err(Error::conflict(problem));
    }
    let file = std::fs::read(partial.path());
    drop(folder);
    file.map_err(|error| Error::unavailable(format!("the file of a snapshot cannot be read: {error}")))
}

/// Removes all that does not belong to one environment.
fn keep_only(conn: &Connection, environment: EnvironmentRow) -> Result<()> {
    for table in OF_ENVIRONMENTS {
        conn.execute(&format!("DELETE FROM {table} WHERE environment IS NOT ?1"), [environment])?;
    }
    conn.execute_batch(
        "DELETE FROM delivery_queue;
         DELETE FROM delivery_channels;
         DELETE FROM delivery_copies;
         DELETE FROM delivery_routes;
         DELETE FROM webhooks;
         DELETE FROM webhook_events;
         DELETE FROM jobs WHERE dropped_at IS NOT NULL;
         DELETE FROM definitions WHERE job NOT IN (SELECT job FROM jobs);
         DELETE FROM failures WHERE job NOT IN (SELECT job FROM jobs);
         DELETE FROM user_ranges WHERE job NOT IN (SELECT job FROM jobs);
         DELETE FROM message_ranges WHERE job NOT IN (SELECT job FROM jobs);
         DELETE FROM users WHERE number NOT IN (
             SELECT number FROM user_ranges CROSS JOIN users ON number BETWEEN first_number AND last_number);
         DELETE FROM messages WHERE number NOT IN (
             SELECT number FROM message_ranges CROSS JOIN messages ON number BETWEEN first_number AND last_number);
         DELETE FROM deliveries WHERE number NOT IN (SELECT number FROM messages);
         DELETE FROM message_events WHERE number NOT IN (SELECT number FROM messages);
         DELETE FROM delayed WHERE number NOT IN (SELECT number FROM messages);
         DELETE FROM endings WHERE number NOT IN (SELECT number FROM messages);
         DELETE FROM template_versions WHERE template NOT IN (SELECT template FROM templates);
         DELETE FROM template_checks WHERE template NOT IN (SELECT template FROM templates);
         DELETE FROM subscriptions WHERE list NOT IN (SELECT list FROM lists);",
    )?;
    Ok(())
}
