//! Subscriptions: the users of lists.

use std::collections::HashSet;

use rusqlite::params;

use super::engine::{Db, Tx};
use super::list::{self, List};
use super::page::Page;
use crate::clock::Timestamp;
use crate::error::Result;
use crate::model::environment::EnvironmentRow;
use crate::model::row::ListRow;

/// A user to be put on a list, or a list to put a user on: its id, and the subscription's preferences (JSON).
pub type Subscriber = (String, Option<String>);

/// A subscription as its list shows it.
#[derive(Debug)]
pub struct Subscription {
    pub user_id: String,
    /// JSON.
    pub preferences: Option<String>,
    pub created_at: Timestamp,
}

/// Bytes of text that a subscription has.
pub fn text_bytes((id, preferences): &Subscriber) -> usize {
    id.len() + preferences.as_ref().map_or(0, String::len)
}

/// Puts users on a list. Subscriptions that are there already stay as they are.
pub fn add(tx: &mut Tx<'_>, list: ListRow, subscribers: &[Subscriber]) -> Result<()> {
    let mut add = tx.conn.prepare_cached(
        "INSERT INTO subscriptions (list, user_id, preferences, created_at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO NOTHING",
    )?;
    for (user_id, preferences) in subscribers {
        add.execute(params![list, user_id, preferences, tx.now.millis()])?;
    }
    Ok(())
}

/// Puts a user on a list, or replaces the preferences of a subscription that is there.
pub fn put(tx: &mut Tx<'_>, list: ListRow, user_id: &str, preferences: Option<&str>) -> Result<()> {
    let mut put = tx.conn.prepare_cached(
        "INSERT INTO subscriptions (list, user_id, preferences, created_at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO UPDATE SET preferences = excluded.preferences WHERE preferences IS NOT excluded.preferences",
    )?;
    put.execute(params![list, user_id, preferences, tx.now.millis()])?;
    Ok(())
}

/// Puts users on a list that is being made. Users of the list `before` keep the time since which they are on it.
pub(in crate::store) fn put_new(
    tx: &mut Tx<'_>,
    list: ListRow,
    subscribers: &[Subscriber],
    before: Option<ListRow>,
) -> Result<()> {
    let mut put = tx.conn.prepare_cached(
        "INSERT INTO subscriptions (list, user_id, preferences, created_at) VALUES (?1, ?2, ?3, coalesce((
             SELECT created_at FROM subscriptions WHERE list = ?5 AND user_id = ?2), ?4))
         ON CONFLICT DO UPDATE SET preferences = excluded.preferences",
    )?;
    for (user_id, preferences) in subscribers {
        put.execute(params![list, user_id, preferences, tx.now.millis(), before])?;
    }
    Ok(())
}

/// How many users a list has, if that is no more than `limit`.
pub(in crate::store) fn count_up_to(db: &Db<'_>, list: ListRow, limit: usize) -> Result<usize> {
    let mut count =
        db.conn.prepare_cached("SELECT count(*) FROM (SELECT 1 FROM subscriptions WHERE list = ?1 LIMIT ?2)")?;
    Ok(count.query_row(params![list, limit as i64], |row| row.get(0))?)
}

/// Leaves exactly these users on a list.
pub fn replace(tx: &mut Tx<'_>, list: ListRow, subscribers: &[Subscriber]) -> Result<()> {
    let wanted: HashSet<&str> = subscribers.iter().map(|(user_id, _)| user_id.as_str()).collect();
    let mut present = tx.conn.prepare_cached("SELECT user_id FROM subscriptions WHERE list = ?1")?;
    let present: Vec<String> = present.query_map([list], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    for user_id in present.iter().filter(|user_id| !wanted.contains(user_id.as_str())) {
        delete(tx, list, user_id)?;
    }
    for (user_id, preferences) in subscribers {
        put(tx, list, user_id, preferences.as_deref())?;
    }
    Ok(())
}

/// Takes a user off a list.
pub fn delete(tx: &mut Tx<'_>, list: ListRow, user_id: &str) -> Result<()> {
    let mut delete = tx.conn.prepare_cached("DELETE FROM subscriptions WHERE list = ?1 AND user_id = ?2")?;
    delete.execute(params![list, user_id])?;
    Ok(())
}

/// Takes a user off all lists of the environment, the deleted ones as well.
pub fn delete_of_user(tx: &mut Tx<'_>, environment: EnvironmentRow, user_id: &str) -> Result<()> {
    let mut delete = tx.conn.prepare_cached(
        "DELETE FROM subscriptions WHERE user_id = ?2 AND list IN (
             SELECT lists.list FROM subscriptions CROSS JOIN lists USING (list)
             WHERE subscriptions.user_id = ?2 AND lists.environment = ?1)",
    )?;
    delete.execute(params![environment, user_id])?;
    Ok(())
}

/// The lists of the environment that a user is on, the deleted ones as well.
pub fn lists_of_user(db: &Db<'_>, environment: EnvironmentRow, user_id: &str) -> Result<Vec<ListRow>> {
    let mut lists = db.conn.prepare_cached(
        "SELECT lists.list FROM subscriptions CROSS JOIN lists USING (list)
         WHERE subscriptions.user_id = ?2 AND lists.environment = ?1",
    )?;
    let lists = lists.query_map(params![environment, user_id], |row| row.get(0))?;
    Ok(lists.collect::<rusqlite::Result<_>>()?)
}

/// Takes a user off those of these lists that are the environment's.
pub fn delete_of_user_from(
    tx: &mut Tx<'_>,
    environment: EnvironmentRow,
    user_id: &str,
    lists: &[ListRow],
) -> Result<()> {
    let mut delete = tx.conn.prepare_cached(
        "DELETE FROM subscriptions WHERE list = ?3 AND user_id = ?2
             AND EXISTS (SELECT 1 FROM lists WHERE list = ?3 AND environment = ?1)",
    )?;
    for list in lists {
        delete.execute(params![environment, user_id, list])?;
    }
    Ok(())
}

/// A page of a list's subscriptions in the order of the users' ids: those behind `after`, at most `limit`, and not much
/// more than `bytes` of text. The next page begins behind a user's id.
pub fn list(
    db: &Db<'_>,
    list: ListRow,
    after: Option<&str>,
    limit: usize,
    bytes: usize,
) -> Result<Page<Subscription, String>> {
    let mut page = db.conn.prepare_cached(
        "SELECT user_id, preferences, created_at FROM subscriptions WHERE list = ?1 AND user_id > ?2
         ORDER BY user_id",
    )?;
    // No user's id is empty.
    let mut rows = page.query(params![list, after.unwrap_or_default()])?;
    let (mut subscriptions, mut read): (Vec<Subscription>, usize) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        if subscriptions.len() == limit || read >= bytes {
            let next = subscriptions.last().map(|last| last.user_id.clone());
            return Ok(Page { items: subscriptions, next });
        }
        let found = Subscription { user_id: row.get(0)?, preferences: row.get(1)?, created_at: Timestamp(row.get(2)?) };
        read += found.user_id.len() + found.preferences.as_ref().map_or(0, String::len);
        subscriptions.push(found);
    }
    Ok(Page { items: subscriptions, next: None })
}

/// A page of the lists that a user is on, oldest first, with the preferences of the subscription in place of the
/// list's: those behind the row `after`, at most `limit`, and not much more than `bytes` of text. The next page begins
/// behind a row.
pub fn list_of_user(
    db: &Db<'_>,
    environment: EnvironmentRow,
    user_id: &str,
    after: ListRow,
    limit: usize,
    bytes: usize,
) -> Result<Page<List, ListRow>> {
    let mut page = db.conn.prepare_cached(&format!(
        "SELECT {}, subscriptions.preferences FROM subscriptions CROSS JOIN lists USING (list)
         WHERE subscriptions.user_id = ?2 AND subscriptions.list > ?3
           AND lists.environment = ?1 AND lists.deleted_at IS NULL
         ORDER BY subscriptions.list",
        list::COLUMNS
    ))?;
    let mut rows = page.query(params![environment, user_id, after])?;
    let (mut lists, mut read): (Vec<List>, usize) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        if lists.len() == limit || read >= bytes {
            let next = lists.last().map(|last| last.list);
            return Ok(Page { items: lists, next });
        }
        let found = List { preferences: row.get(6)?, ..list::from_row(row)? };
        read += found.list_id.len() + found.name.len() + found.preferences.as_ref().map_or(0, String::len);
        lists.push(found);
    }
    Ok(Page { items: lists, next: None })
}
