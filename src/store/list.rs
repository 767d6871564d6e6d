//! Lists of users. A deleted one keeps its row and its subscriptions, so that it can be restored.

use rusqlite::{OptionalExtension, Row, params};

use super::engine::{Db, Tx};
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

/// Calls `each` with the lists that match, all of them without a pattern, in the order of their ids and from behind
/// `after` on, until it returns false.
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

/// A page of the lists that match, those behind `after`, at most `limit`, and not much more than `bytes` of text. The next
/// one begins behind an id.
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

/// Creates or replaces a list and returns its row. The same one again changes nothing. One that was deleted begins anew,
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

/// The row of a list, which is made if it is missing, with its id for a name.
pub fn find_or_create(tx: &mut Tx<'_>, environment: EnvironmentRow, list_id: &str) -> Result<ListRow> {
    if let Some(list) = find(tx, environment, list_id)? {
        return Ok(list.list);
    }
    let mut forget = tx.conn.prepare_cached(
        "DELETE FROM subscriptions WHERE list IN (SELECT list FROM lists WHERE environment = ?1 AND list_id = ?2)",
    )?;
    forget.execute(params![environment, list_id])?;
    let mut create = tx.conn.prepare_cached(
        "INSERT INTO lists (environment, list_id, name, created_at, updated_at) VALUES (?1, ?2, ?2, ?3, ?3)
         ON CONFLICT DO UPDATE SET
             name = excluded.name, preferences = NULL, created_at = excluded.created_at,
             updated_at = excluded.updated_at, deleted_at = NULL
         RETURNING list",
    )?;
    Ok(create.query_row(params![environment, list_id, tx.now.millis()], |row| row.get(0))?)
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
/// until it returns false. Says whether there is such a list.
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
