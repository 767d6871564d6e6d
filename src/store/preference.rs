//! Subscription topics, and what users have chosen.

use rusqlite::{OptionalExtension, Row, params};

use super::engine::{Db, Tx, rows};
use crate::error::Result;
use crate::model::channel::Channel;
use crate::model::environment::EnvironmentRow;
use crate::model::preference::{PreferenceStatus, Topic, TopicPreference};

/// The owner of choices: a user, within a tenant or (with an empty id) outside of any.
#[derive(Clone, Debug)]
pub struct PreferenceOwner {
    pub user_id: String,
    pub tenant_id: String,
}

const COLUMNS: &str = "status, has_custom_routing, custom_routing";

fn from_row(row: &Row<'_>) -> rusqlite::Result<TopicPreference> {
    Ok(TopicPreference {
        status: rows::name(row, 0, PreferenceStatus::from_name)?,
        has_custom_routing: row.get(1)?,
        custom_routing: routing(row, 2)?,
    })
}

fn routing(row: &Row<'_>, column: usize) -> rusqlite::Result<Vec<Channel>> {
    match row.get_ref(column)?.as_str()? {
        "[]" => Ok(Vec::new()),
        names => serde_json::from_str(names).map_err(|_| rows::unknown(column)),
    }
}

/// What the user has chosen for a topic.
pub fn find(
    db: &Db<'_>,
    environment: EnvironmentRow,
    user_id: &str,
    tenant_id: &str,
    topic_id: &str,
) -> Result<Option<TopicPreference>> {
    let mut find = db.conn.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM user_preferences
         WHERE environment = ?1 AND user_id = ?2 AND tenant_id = ?3 AND topic_id = ?4"
    ))?;
    Ok(find.query_row(params![environment, user_id, tenant_id, topic_id], from_row).optional()?)
}

/// Precedes a notification's id where a topic's id stands otherwise: in the first version of the API users choose for
/// either.
const NOTIFICATION: &str = "notification/";
/// The first text in order behind all that begin with it.
const BEHIND_NOTIFICATIONS: &str = "notification0";

/// What stands for a notification in place of a topic's id.
pub fn of_notification(id: &str) -> String {
    format!("{NOTIFICATION}{id}")
}

/// All that the user has chosen for topics, with their ids and in their order.
pub fn list(
    db: &Db<'_>,
    environment: EnvironmentRow,
    owner: &PreferenceOwner,
) -> Result<Vec<(String, TopicPreference)>> {
    let mut list = db.conn.prepare_cached(&format!(
        "SELECT {COLUMNS}, topic_id FROM user_preferences
         WHERE environment = ?1 AND user_id = ?2 AND tenant_id = ?3 AND (topic_id < ?4 OR topic_id >= ?5)
         ORDER BY topic_id"
    ))?;
    let owned = params![environment, owner.user_id, owner.tenant_id, NOTIFICATION, BEHIND_NOTIFICATIONS];
    let chosen = list.query_map(owned, |row| Ok((row.get(3)?, from_row(row)?)))?;
    Ok(chosen.collect::<rusqlite::Result<_>>()?)
}

/// All that the user has chosen for notifications, with their ids and in their order.
pub fn list_of_notifications(
    db: &Db<'_>,
    environment: EnvironmentRow,
    owner: &PreferenceOwner,
) -> Result<Vec<(String, TopicPreference)>> {
    let mut list = db.conn.prepare_cached(&format!(
        "SELECT {COLUMNS}, topic_id FROM user_preferences
         WHERE environment = ?1 AND user_id = ?2 AND tenant_id = ?3 AND topic_id >= ?4 AND topic_id < ?5
         ORDER BY topic_id"
    ))?;
    let owned = params![environment, owner.user_id, owner.tenant_id, NOTIFICATION, BEHIND_NOTIFICATIONS];
    let chosen = list.query_map(owned, |row| {
        let id: String = row.get(3)?;
        Ok((id.strip_prefix(NOTIFICATION).unwrap_or(&id).to_owned(), from_row(row)?))
    })?;
    Ok(chosen.collect::<rusqlite::Result<_>>()?)
}

/// The topics that are stored, in the order of their ids.
pub fn list_topics(db: &Db<'_>, environment: EnvironmentRow) -> Result<Vec<(String, Topic)>> {
    let mut list = db
        .conn
        .prepare_cached("SELECT topic_id, name, default_status FROM topics WHERE environment = ?1 ORDER BY topic_id")?;
    let topics = list.query_map([environment], |row| {
        let default_status = rows::name(row, 2, PreferenceStatus::from_name)?;
        Ok((row.get(0)?, Topic { name: row.get(1)?, default_status }))
    })?;
    Ok(topics.collect::<rusqlite::Result<_>>()?)
}

/// Whether the environment has any choice of a user, or a topic with a default of its own.
pub fn any(db: &Db<'_>, environment: EnvironmentRow) -> Result<bool> {
    let mut any = db.conn.prepare_cached(
        "SELECT 1 WHERE EXISTS (SELECT 1 FROM user_preferences WHERE environment = ?1)
            OR EXISTS (SELECT 1 FROM topics WHERE environment = ?1)",
    )?;
    Ok(any.exists([environment])?)
}

/// Stores a choice. The same one again changes nothing.
pub fn put(
    tx: &mut Tx<'_>,
    environment: EnvironmentRow,
    owner: &PreferenceOwner,
    topic_id: &str,
    choice: &TopicPreference,
) -> Result<()> {
    let mut put = tx.conn.prepare_cached(
        "INSERT INTO user_preferences
             (environment, user_id, tenant_id, topic_id, status, has_custom_routing, custom_routing, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT DO UPDATE SET
             status = excluded.status, has_custom_routing = excluded.has_custom_routing,
             custom_routing = excluded.custom_routing, updated_at = excluded.updated_at
         WHERE status <> excluded.status OR has_custom_routing <> excluded.has_custom_routing
            OR custom_routing <> excluded.custom_routing",
    )?;
    put.execute(params![
        environment,
        owner.user_id,
        owner.tenant_id,
        topic_id,
        choice.status.name(),
        choice.has_custom_routing,
        choice.routing_json(),
        tx.now.millis()
    ])?;
    Ok(())
}

/// The user has no choice for this topic any more.
pub fn delete(tx: &mut Tx<'_>, environment: EnvironmentRow, owner: &PreferenceOwner, topic_id: &str) -> Result<()> {
    let mut delete = tx.conn.prepare_cached(
        "DELETE FROM user_preferences WHERE environment = ?1 AND user_id = ?2 AND tenant_id = ?3 AND topic_id = ?4",
    )?;
    delete.execute(params![environment, owner.user_id, owner.tenant_id, topic_id])?;
    Ok(())
}

/// A topic. One that is not stored has its id for a name, and is OPTED_IN by default.
pub fn topic(db: &Db<'_>, environment: EnvironmentRow, topic_id: &str) -> Result<Topic> {
    let mut find =
        db.conn.prepare_cached("SELECT name, default_status FROM topics WHERE environment = ?1 AND topic_id = ?2")?;
    let found = find
        .query_row(params![environment, topic_id], |row| {
            Ok(Topic { name: row.get(0)?, default_status: rows::name(row, 1, PreferenceStatus::from_name)? })
        })
        .optional()?;
    Ok(found.unwrap_or_else(|| Topic { name: topic_id.to_owned(), default_status: PreferenceStatus::OptedIn }))
}

/// Stores a topic. The same one again changes nothing.
pub fn put_topic(tx: &mut Tx<'_>, environment: EnvironmentRow, topic_id: &str, topic: &Topic) -> Result<()> {
    let mut put = tx.conn.prepare_cached(
        "INSERT INTO topics (environment, topic_id, name, default_status) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO UPDATE SET name = excluded.name, default_status = excluded.default_status
         WHERE name <> excluded.name OR default_status <> excluded.default_status",
    )?;
    put.execute(params![environment, topic_id, topic.name, topic.default_status.name()])?;
    Ok(())
}
