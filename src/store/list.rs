//! Lists of users. A deleted one keeps its row and its subscriptions, so that it can be restored.

use rusqlite::{OptionalExtension, Row, params};

use super::engine::{Db, Tx};
use super::environment as environments;
use super::page::Page;
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::model::environment::EnvironmentRow;
use crate::model::list::ListPattern;
use crate::model::row::ListRow;

/// A list that is not deleted.
#[derive(Debug)]
pub struct List {
    /// The row's number in the file.
    pub list: ListRow,
    pub list_id: String,
    pub name: String,
    /// JSON.
    pub preferences: Option<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

pub(in crate::store) const COLUMNS: &str =
    "lists.list, lists.list_id, lists.name, lists.preferences, lists.created_at, lists.updated_at";

pub(in crate::store) fn from_row(row: &Row<'_>) -> rusqlite::Result<List> {
    Ok(List {
        list: row.get(0)?,
        list_id: row.get(1)?,
        name: row.get(2)?,
        preferences: row.get(3)?,
        created_at: Timestamp(row.get(4)?),
        updated_at: Timestamp(row.get(5)?),
    })
}

/// The list with this id.
pub fn find(db: &Db<'_>, environment: EnvironmentRow, list_id: &str) -> Result<Option<List>> {
    let mut find = db.conn.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM lists WHERE environment = ?1 AND list_id = ?2 AND deleted_at IS NULL"
    ))?;
    Ok(find.query_row(params![environment, list_id], from_row).optional()?)
}

pub fn get(db: &Db<'_>, environment: EnvironmentRow, list_id: &str) -> Result<List> {
    find(db, environment, list_id)?.ok_or_else(|| not_found(list_id))
}

fn not_found(list_id: &str) -> Error {
    Error::unknown("list_id", "list", list_id)
}

/// Calls `each` with the lists that match, in the order of their ids, from behind `after` on, until it returns false.
/// Without a pattern all match.
fn for_each(
    db: &Db<'_>,
    environment: EnvironmentRow,
    pattern: Option<&ListPattern>,
    after: Option<&str>,
    mut each: impl FnMut(List) -> bool,
) -> Result<()> {
    let prefix = pattern.map(ListPattern::prefix).unwrap_or_default();
    let mut list = db.conn.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM lists
         WHERE environment = ?1 AND list_id >= ?2 AND list_id IS NOT ?3 AND deleted_at IS NULL ORDER BY list_id"
    ))?;
    let mut rows = list.query(params![environment, after.unwrap_or_default().max(&prefix), after])?;
    while let Some(row) = rows.next()? {
        let list_id = row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
        if !list_id.starts_with(&prefix) {
            break;
        }
        if pattern.is_none_or(|pattern| pattern.matches(list_id)) && !each(from_row(row)?) {
            break;
        }
    }
    Ok(())
}

/// A page of the lists that match, those behind `after`: at most `limit`, and not much more than `bytes` of text. The
/// next page begins behind an id.
pub fn list(
    db: &Db<'_>,
    environment: EnvironmentRow,
    pattern: Option<&ListPattern>,
    after: Option<&str>,
    limit: usize,
    bytes: usize,
) -> Result<Page<List, String>> {
    let (mut lists, mut read, mut more): (Vec<List>, usize, bool) = (Vec::new(), 0, false);
    for_each(db, environment, pattern, after, |list| {
        more = lists.len() == limit || read >= bytes;
        if !more {
            read += list.list_id.len() + list.name.len();
            lists.push(list);
        }
        !more
    })?;
    let next = lists.last().filter(|_| more).map(|last| last.list_id.clone());
    Ok(Page { items: lists, next })
}

/// All lists that match.
pub fn match_pattern(db: &Db<'_>, environment: EnvironmentRow, pattern: &ListPattern) -> Result<Vec<List>> {
    let mut lists = Vec::new();
    for_each(db, environment, Some(pattern), None, |list| {
        lists.push(list);
        true
    })?;
    Ok(lists)
}

/// Creates or replaces a list and returns its row. If nothing differs, nothing changes. A deleted list begins anew,
/// without its subscriptions.
pub fn put(
    tx: &mut Tx<'_>,
    environment: EnvironmentRow,
    list_id: &str,
    name: &str,
    preferences: Option<&str>,
) -> Result<ListRow> {
    let list = find_or_create(tx, environment, list_id)?;
    let mut update = tx.conn.prepare_cached(
        "UPDATE lists SET name = ?2, preferences = ?3, updated_at = ?4
         WHERE list = ?1 AND (name <> ?2 OR preferences IS NOT ?3)",
    )?;
    update.execute(params![list, name, preferences, tx.now.millis()])?;
    Ok(list)
}

/// The row of a list. A missing list is made, with its id as its name.
pub fn find_or_create(tx: &mut Tx<'_>, environment: EnvironmentRow, list_id: &str) -> Result<ListRow> {
    if let Some(list) = find(tx, environment, list_id)? {
        return Ok(list.list);
    }
    set_aside(tx, environment, list_id)?;
    create(tx, environment, list_id)
}

fn create(tx: &Tx<'_>, environment: EnvironmentRow, list_id: &str) -> Result<ListRow> {
    let mut create = tx.conn.prepare_cached(
        "INSERT INTO lists (environment, list_id, name, created_at, updated_at) VALUES (?1, ?2, ?2, ?3, ?3)
         RETURNING list",
    )?;
    Ok(create.query_row(params![environment, list_id, tx.now.millis()], |row| row.get(0))?)
}

/// Takes the list with this id out of use, if there is one, deleted or not. Nothing finds it any more, and its
/// subscriptions are removed in pieces.
fn set_aside(tx: &mut Tx<'_>, environment: EnvironmentRow, list_id: &str) -> Result<()> {
    let mut there = tx.conn.prepare_cached("SELECT list FROM lists WHERE environment = ?1 AND list_id = ?2")?;
    let Some(list) = there.query_row(params![environment, list_id], |row| row.get::<_, ListRow>(0)).optional()? else {
        return Ok(());
    };
    let aside = environments::aside(tx)?;
    let mut set_aside =
        tx.conn.prepare_cached("UPDATE lists SET environment = ?2, list_id = 'set aside ' || list WHERE list = ?1")?;
    set_aside.execute(params![list, aside])?;
    tx.wakeups.retention = true;
    Ok(())
}

/// A list that nothing finds yet.
pub(in crate::store) fn create_aside(tx: &mut Tx<'_>) -> Result<ListRow> {
    let aside = environments::aside(tx)?;
    let mut next = tx.conn.prepare_cached("SELECT 'set aside ' || (1 + coalesce(max(list), 0)) FROM lists")?;
    let list_id: String = next.query_row([], |row| row.get(0))?;
    create(tx, aside, &list_id)
}

/// Puts a list that was [created aside](create_aside) in the place of the one with this id. If there is one, its name,
/// preferences and time are taken over.
pub(in crate::store) fn put_in_place(
    tx: &mut Tx<'_>,
    environment: EnvironmentRow,
    list_id: &str,
    list: ListRow,
) -> Result<()> {
    let before = find(tx, environment, list_id)?;
    set_aside(tx, environment, list_id)?;
    let now = tx.now;
    let (name, preferences, created_at, updated_at) = match &before {
        Some(it) => (it.name.as_str(), it.preferences.as_deref(), it.created_at, it.updated_at),
        None => (list_id, None, now, now),
    };
    let mut put = tx.conn.prepare_cached(
        "UPDATE lists SET environment = ?2, list_id = ?3, name = ?4, preferences = ?5, created_at = ?6, updated_at = ?7
         WHERE list = ?1 AND list_id = 'set aside ' || list",
    )?;
    let (created_at, updated_at) = (created_at.millis(), updated_at.millis());
    match put.execute(params![list, environment, list_id, name, preferences, created_at, updated_at])? {
        1 => Ok(()),
        _ => Err(Error::internal("a list that was made is not there")),
    }
}

/// Whether this is still the list with this id, or was when it was deleted.
pub fn is_still(db: &Db<'_>, environment: EnvironmentRow, list_id: &str, list: ListRow) -> Result<bool> {
    let mut is_still =
        db.conn.prepare_cached("SELECT 1 FROM lists WHERE environment = ?1 AND list_id = ?2 AND list = ?3")?;
    Ok(is_still.exists(params![environment, list_id, list])?)
}

/// Deletes a list, if there is one.
pub fn delete(tx: &mut Tx<'_>, environment: EnvironmentRow, list_id: &str) -> Result<()> {
    let mut delete = tx.conn.prepare_cached(
        "UPDATE lists SET deleted_at = ?3 WHERE environment = ?1 AND list_id = ?2 AND deleted_at IS NULL",
    )?;
    delete.execute(params![environment, list_id, tx.now.millis()])?;
    Ok(())
}

/// Restores a deleted list with its subscriptions. One that is not deleted stays as it is.
pub fn restore(tx: &mut Tx<'_>, environment: EnvironmentRow, list_id: &str) -> Result<()> {
    let mut restore =
        tx.conn.prepare_cached("UPDATE lists SET deleted_at = NULL WHERE environment = ?1 AND list_id = ?2")?;
    match restore.execute(params![environment, list_id])? {
        0 => Err(not_found(list_id)),
        _ => Ok(()),
    }
}

/// Calls `each` with all users of a list and the preferences of their subscriptions (JSON), in the order of their ids,
/// until it returns false. Returns whether the list exists.
pub fn subscribers(
    db: &Db<'_>,
    environment: EnvironmentRow,
    list_id: &str,
    mut each: impl FnMut(&str, Option<&str>) -> Result<bool>,
) -> Result<bool> {
    let Some(list) = find(db, environment, list_id)? else {
        return Ok(false);
    };
    let mut users =
        db.conn.prepare_cached("SELECT user_id, preferences FROM subscriptions WHERE list = ?1 ORDER BY user_id")?;
    let mut rows = users.query([list.list])?;
    while let Some(row) = rows.next()? {
        let user_id = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
        let preferences = row.get_ref(1)?.as_str_or_null().map_err(rusqlite::Error::from)?;
        if !each(user_id, preferences)? {
            break;
        }
    }
    Ok(true)
}
