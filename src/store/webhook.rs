//! Webhooks: where events are posted to, and what waits for them. The queue itself stands in
//! `webhook_event.rs`.

use rusqlite::{OptionalExtension, Row, ToSql, params};

use super::engine::{Db, Tx};
use super::environment;
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::model::environment::EnvironmentRow;
use crate::model::row::{MessageEventRow, MessageNumber, WebhookRow};
use crate::model::webhook::{Destination, EventStatus};

/// Webhooks that one environment has at most.
pub const PER_ENVIRONMENT: usize = 20;
/// Webhooks of all environments together: each has a thread.
pub const WEBHOOKS: usize = 100;

/// How far a webhook has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Messages up to this one.
    pub number: MessageNumber,
    /// What happened to messages up to this event.
    pub event: MessageEventRow,
}

#[derive(Clone, Debug)]
pub struct Webhook {
    /// The row's number in the file.
    pub webhook: WebhookRow,
    pub webhook_id: String,
    /// `None`: of all environments.
    pub environment: Option<EnvironmentRow>,
    pub destination: Destination,
    pub created_at: Timestamp,
    pub position: Position,
    pub last_delivered_at: Option<i64>,
    pub last_error: Option<String>,
    pub last_failed_at: Option<i64>,
}

const COLUMNS: &str = "webhooks.webhook, webhooks.webhook_id, webhooks.environment, webhooks.url, webhooks.secret, \
                       webhooks.created_at, webhooks.last_number, webhooks.last_event, webhooks.last_delivered_at, \
                       webhooks.last_error, webhooks.last_failed_at";

/// The webhooks that were not [set aside](set_aside).
const THERE: &str = "FROM webhooks WHERE webhook_id <> 'set aside ' || webhook";

fn from_row(row: &Row<'_>) -> rusqlite::Result<Webhook> {
    Ok(Webhook {
        webhook: row.get(0)?,
        webhook_id: row.get(1)?,
        environment: row.get(2)?,
        destination: Destination { url: row.get(3)?, secret: row.get(4)? },
        created_at: Timestamp(row.get(5)?),
        position: Position { number: row.get(6)?, event: row.get(7)? },
        last_delivered_at: row.get(8)?,
        last_error: row.get(9)?,
        last_failed_at: row.get(10)?,
    })
}

/// What waits in a webhook's queue.
#[derive(Clone, Copy, Debug)]
pub struct QueueState {
    pub pending: usize,
    pub failed: usize,
    /// When the oldest event that waits was queued.
    pub oldest_at: Option<i64>,
}

/// An event that was given up.
#[derive(Clone, Debug)]
pub struct FailedEvent {
    pub event_id: String,
    pub attempts: i64,
    pub error: Option<String>,
    pub created_at: i64,
}

/// Registers a webhook that follows from now on, and returns its id.
pub fn create(tx: &mut Tx<'_>, environment: EnvironmentRow, destination: &Destination) -> Result<String> {
    let mut count =
        tx.conn.prepare_cached(&format!("SELECT count(*), count(*) FILTER (WHERE environment = ?1) {THERE}"))?;
    let (all, own): (usize, usize) = count.query_row([environment], |row| Ok((row.get(0)?, row.get(1)?)))?;
    if own >= PER_ENVIRONMENT {
        let reason = format_args!("there are {PER_ENVIRONMENT} webhooks under this API key already; delete one first");
        return Err(Error::invalid("url", reason));
    }
    if all >= WEBHOOKS {
        let reason = format_args!("there are {WEBHOOKS} webhooks already, those of other API keys included");
        return Err(Error::invalid("url", reason));
    }
    insert(tx, Some(environment), destination)
}

fn insert(tx: &mut Tx<'_>, environment: Option<EnvironmentRow>, destination: &Destination) -> Result<String> {
    let webhook_id = tx.ids.webhook();
    tx.conn.execute(
        "INSERT INTO webhooks (environment, webhook_id, url, secret, created_at, last_number, last_event)
         VALUES (?1, ?2, ?3, ?4, ?5,
             (SELECT max(dropped_message, coalesce((
                  SELECT last_number FROM message_ranges ORDER BY first_number DESC LIMIT 1), 0)) FROM file),
             (SELECT max(dropped_event, coalesce((SELECT max(event) FROM message_events), 0)) FROM file))",
        params![environment, webhook_id, destination.url, destination.secret, tx.now.millis()],
    )?;
    tx.wakeups.webhooks = true;
    Ok(webhook_id)
}

/// Replaces the webhooks of all environments by those given by flag. Known ones continue where they were.
pub fn set_from_flags(tx: &mut Tx<'_>, from_flags: &[Destination]) -> Result<()> {
    let mut known = tx.conn.prepare(&format!("SELECT {COLUMNS} FROM webhooks WHERE environment IS NULL"))?;
    let known = known.query_map([], from_row)?.collect::<rusqlite::Result<Vec<_>>>()?;
    for webhook in &known {
        match from_flags.iter().find(|destination| destination.url == webhook.destination.url) {
            Some(destination) => tx.conn.execute(
                "UPDATE webhooks SET secret = ?2 WHERE webhook = ?1",
                params![webhook.webhook, destination.secret],
            )?,
            None => tx.conn.execute("DELETE FROM webhooks WHERE webhook = ?1", [webhook.webhook])?,
        };
    }
    for (i, destination) in from_flags.iter().enumerate() {
        let same = |other: &Destination| other.url == destination.url;
        if !known.iter().any(|webhook| same(&webhook.destination)) && !from_flags.iter().take(i).any(same) {
            insert(tx, None, destination)?;
        }
    }
    Ok(())
}

/// What [`set_from_flags`] was last given.
pub fn list_from_flags(db: &Db<'_>) -> Result<Vec<Destination>> {
    let mut list = db.conn.prepare("SELECT url, secret FROM webhooks WHERE environment IS NULL ORDER BY webhook")?;
    let from_flags = list.query_map([], |row| Ok(Destination { url: row.get(0)?, secret: row.get(1)? }))?;
    Ok(from_flags.collect::<rusqlite::Result<_>>()?)
}

/// The webhooks that an environment sees: its own and those of all.
pub fn list(db: &Db<'_>, environment: EnvironmentRow) -> Result<Vec<Webhook>> {
    let mut list = db.conn.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM webhooks WHERE environment IS NULL OR environment = ?1 ORDER BY webhook"
    ))?;
    Ok(list.query_map([environment], from_row)?.collect::<rusqlite::Result<_>>()?)
}

/// The webhook with this id, if the environment sees it.
pub fn get(db: &Db<'_>, environment: EnvironmentRow, webhook_id: &str) -> Result<Webhook> {
    let found = list(db, environment)?.into_iter().find(|webhook| webhook.webhook_id == webhook_id);
    found.ok_or_else(|| Error::unknown("webhook_id", "webhook", webhook_id))
}

/// Removes a webhook with its queue. Those given by flag stay.
pub fn delete(tx: &mut Tx<'_>, environment: EnvironmentRow, webhook_id: &str) -> Result<()> {
    let webhook = get(tx, environment, webhook_id)?;
    if webhook.environment.is_none() {
        return Err(Error::invalid("webhook_id", "this webhook was given by --webhook; start bulkd without it"));
    }
    set_aside(tx, "webhook = ?1", webhook.webhook)
}

/// Takes all webhooks of an environment out of use.
pub(in crate::store) fn set_all_aside(tx: &mut Tx<'_>, environment: EnvironmentRow) -> Result<()> {
    set_aside(tx, "environment = ?1", environment)
}

/// Takes these webhooks out of use: nothing finds them any more. Their queues are removed in pieces, and their own rows
/// last.
fn set_aside(tx: &mut Tx<'_>, which: &str, row: impl ToSql) -> Result<()> {
    let mut there = tx.conn.prepare_cached(&format!("SELECT 1 FROM webhooks WHERE {which}"))?;
    if !there.exists([&row])? {
        return Ok(());
    }
    let aside = environment::aside(tx)?;
    let mut set_aside = tx.conn.prepare_cached(&format!(
        "UPDATE webhooks SET environment = ?2, webhook_id = 'set aside ' || webhook, secret = NULL WHERE {which}"
    ))?;
    set_aside.execute(params![row, aside])?;
    // Their threads have to notice and end.
    tx.wakeups.messages = true;
    tx.wakeups.webhooks = true;
    tx.wakeups.retention = true;
    Ok(())
}

/// What changes when a webhook is added or removed, reads on, or has delivered something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress(i64, i64, i64);

pub fn progress(db: &Db<'_>) -> Result<Progress> {
    let mut progress = db.conn.prepare_cached(&format!(
        "SELECT count(*), coalesce(sum(last_number + last_event), 0), coalesce(max(last_delivered_at), 0) {THERE}"
    ))?;
    Ok(progress.query_row([], |row| Ok(Progress(row.get(0)?, row.get(1)?, row.get(2)?)))?)
}

/// All webhooks of all environments.
pub fn all(db: &Db<'_>) -> Result<Vec<Webhook>> {
    let mut all = db.conn.prepare_cached(&format!("SELECT {COLUMNS} {THERE} ORDER BY webhook"))?;
    Ok(all.query_map([], from_row)?.collect::<rusqlite::Result<_>>()?)
}

/// The ids of all webhooks.
pub fn ids(db: &Db<'_>) -> Result<Vec<String>> {
    let mut ids = db.conn.prepare_cached(&format!("SELECT webhook_id {THERE} ORDER BY webhook"))?;
    Ok(ids.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
}

/// A webhook of any environment.
pub fn find(db: &Db<'_>, webhook_id: &str) -> Result<Option<Webhook>> {
    let mut find = db.conn.prepare_cached(&format!("SELECT {COLUMNS} FROM webhooks WHERE webhook_id = ?1"))?;
    Ok(find.query_row([webhook_id], from_row).optional()?)
}

pub fn queue(db: &Db<'_>, webhook: WebhookRow) -> Result<QueueState> {
    let mut queue = db
        .conn
        .prepare_cached("SELECT count(*), min(created_at) FROM webhook_events WHERE webhook = ?1 AND status = ?2")?;
    let mut of =
        |status: EventStatus| queue.query_row(params![webhook, status.name()], |row| Ok((row.get(0)?, row.get(1)?)));
    let (pending, oldest_at) = of(EventStatus::Pending)?;
    let (failed, _): (_, Option<i64>) = of(EventStatus::Failed)?;
    Ok(QueueState { pending, failed, oldest_at })
}

/// The newest events that were given up, of this environment's messages.
pub fn list_failed(
    db: &Db<'_>,
    environment: EnvironmentRow,
    webhook: WebhookRow,
    limit: usize,
) -> Result<Vec<FailedEvent>> {
    let mut list = db.conn.prepare_cached(
        "SELECT event_id, attempts, last_error, webhook_events.created_at FROM webhook_events
         WHERE webhook = ?1 AND webhook_events.status = ?2 AND ?3 = (
             SELECT environment FROM message_ranges
             WHERE first_number <= webhook_events.number ORDER BY first_number DESC LIMIT 1)
         ORDER BY webhook_event DESC LIMIT ?4",
    )?;
    let failed = EventStatus::Failed.name();
    let events = list.query_map(params![webhook, failed, environment, limit as i64], |row| {
        Ok(FailedEvent { event_id: row.get(0)?, attempts: row.get(1)?, error: row.get(2)?, created_at: row.get(3)? })
    })?;
    Ok(events.collect::<rusqlite::Result<_>>()?)
}
