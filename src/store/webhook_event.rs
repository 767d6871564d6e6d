//! Queues of webhooks: events that wait, their attempts, and the newest that were given up. Events enter in one commit
//! with the webhook's new position.

use rusqlite::params;

use super::engine::{Db, Tx};
use super::webhook::Position;
use crate::clock::Timestamp;
use crate::error::Result;
use crate::model::row::{MessageNumber, WebhookEventRow, WebhookRow};
use crate::model::webhook::EventStatus;

/// Events that a webhook's queue holds at most.
pub const QUEUE_EVENTS: usize = 1_000;
/// The most given-up events that are kept: the newest.
pub const FAILED_EVENTS: usize = 1_000;

/// A position that has moved by so much is stored even if there was nothing to queue.
const STRIDE_ROWS: i64 = 10_000;

/// An event that is to be queued.
#[derive(Debug)]
pub struct NewEvent {
    pub(in crate::store) number: MessageNumber,
    pub(in crate::store) event_id: String,
    pub(in crate::store) body: String,
}

/// The next events for a webhook, or for several at the same position.
#[derive(Debug)]
pub struct EventBatch {
    pub events: Vec<NewEvent>,
    pub position: Position,
    /// Whether there may be more.
    pub more: bool,
}

impl EventBatch {
    /// Whether it has to be stored, and not only remembered.
    pub fn needs_commit(&self, since: Position) -> bool {
        !self.events.is_empty()
            || self.position.number.0 - since.number.0 >= STRIDE_ROWS
            || self.position.event.0 - since.event.0 >= STRIDE_ROWS
    }
}

/// Events to be queued, and their webhooks, each with the position that its row has.
#[derive(Debug)]
pub struct Fill {
    pub webhooks: Vec<(WebhookRow, Position)>,
    pub batch: EventBatch,
}

/// Queues events in one commit with the positions that they lead to. A webhook that is gone or at another position is
/// not changed, and is returned.
pub fn append(tx: &mut Tx<'_>, fills: &[Fill]) -> Result<Vec<WebhookRow>> {
    let mut elsewhere = Vec::new();
    let mut advance = tx.conn.prepare_cached(
        "UPDATE webhooks SET last_number = ?4, last_event = ?5
         WHERE webhook = ?1 AND last_number = ?2 AND last_event = ?3 AND webhook_id <> 'set aside ' || webhook",
    )?;
    let mut insert = tx.conn.prepare_cached(
        "INSERT INTO webhook_events (webhook, number, event_id, body, status, attempts, next_at, created_at)
         SELECT ?1, number, ?3, ?4, ?5, 0, ?6, ?6 FROM messages WHERE number = ?2",
    )?;
    for Fill { webhooks, batch } in fills {
        let to = batch.position;
        for (webhook, since) in webhooks {
            if advance.execute(params![webhook, since.number, since.event, to.number, to.event])? != 1 {
                elsewhere.push(*webhook);
                continue;
            }
            let mut queued = 0;
            for event in &batch.events {
                let pending = EventStatus::Pending.name();
                let event = params![webhook, event.number, event.event_id, event.body, pending, tx.now.millis()];
                queued += insert.execute(event)?;
            }
            // Events that were dropped since they were read are not posted any more.
            if queued < batch.events.len() {
                elsewhere.push(*webhook);
            }
        }
    }
    Ok(elsewhere)
}

/// How many events of a webhook wait.
pub fn count_pending(db: &Db<'_>, webhook: WebhookRow) -> Result<usize> {
    let mut count =
        db.conn.prepare_cached("SELECT count(*) FROM webhook_events WHERE webhook = ?1 AND status = 'PENDING'")?;
    Ok(count.query_row([webhook], |row| row.get(0))?)
}

/// An event whose time has come.
#[derive(Debug)]
pub struct DueEvent {
    pub webhook_event: WebhookEventRow,
    /// The message.
    pub number: MessageNumber,
    pub event_id: String,
    pub body: String,
    /// Attempts so far.
    pub attempts: usize,
}

/// Events that are due. Those of one message are in their order, and none is due before all earlier ones of the message
/// are. If there is none, when the next one is due.
pub fn due(db: &Db<'_>, webhook: WebhookRow, limit: usize) -> Result<(Vec<DueEvent>, Option<Timestamp>)> {
    let now = db.now();
    let mut due = db.conn.prepare_cached(
        "SELECT webhook_event, number, event_id, body, attempts FROM webhook_events AS event
         WHERE webhook = ?1 AND status = 'PENDING' AND next_at <= ?2 AND NOT EXISTS (
             SELECT 1 FROM webhook_events AS earlier
             WHERE earlier.webhook = ?1 AND earlier.status = 'PENDING' AND earlier.number = event.number
               AND earlier.webhook_event < event.webhook_event AND earlier.next_at > ?2)
         ORDER BY number, webhook_event LIMIT ?3",
    )?;
    let rows = due.query_map(params![webhook, now.millis(), limit as i64], |row| {
        Ok(DueEvent {
            webhook_event: row.get(0)?,
            number: row.get(1)?,
            event_id: row.get(2)?,
            body: row.get(3)?,
            attempts: row.get(4)?,
        })
    })?;
    let events = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    if !events.is_empty() {
        return Ok((events, None));
    }
    let mut next = db.conn.prepare_cached(
        "SELECT min(next_at) FROM webhook_events WHERE webhook = ?1 AND status = 'PENDING' AND next_at > ?2",
    )?;
    let next: Option<i64> = next.query_row(params![webhook, now.millis()], |row| row.get(0))?;
    Ok((events, next.map(Timestamp)))
}

/// What came of an attempt.
#[derive(Clone, Debug)]
pub enum Attempt {
    Delivered,
    /// To be tried again after so many milliseconds.
    Retry {
        error: String,
        after_millis: i64,
    },
    GivenUp {
        error: String,
    },
}

/// Whether an event waits for its next attempt.
pub fn is_any_waiting(db: &Db<'_>, webhook: WebhookRow) -> Result<bool> {
    let mut find = db.conn.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM webhook_events WHERE webhook = ?1 AND status = 'PENDING' AND next_at > ?2)",
    )?;
    Ok(find.query_row(params![webhook, db.now.millis()], |row| row.get(0))?)
}

/// After the clock was set back: brings the next attempts of a webhook's events forward by as much. Then none is
/// further ahead than its `wait` in milliseconds, which depends on the attempts so far.
pub fn bring_forward(tx: &mut Tx<'_>, webhook: WebhookRow, millis: i64, wait: impl Fn(usize) -> i64) -> Result<()> {
    let mut list = tx.conn.prepare_cached(
        "SELECT webhook_event, attempts, next_at FROM webhook_events
         WHERE webhook = ?1 AND status = 'PENDING' AND next_at > ?2",
    )?;
    let mut bring = tx.conn.prepare_cached("UPDATE webhook_events SET next_at = ?2 WHERE webhook_event = ?1")?;
    let waiting = list.query_map(params![webhook, tx.now.millis()], |row| {
        Ok((row.get::<_, WebhookEventRow>(0)?, row.get::<_, usize>(1)?, Timestamp(row.get(2)?)))
    })?;
    for (event, attempts, next_at) in waiting.collect::<rusqlite::Result<Vec<_>>>()? {
        let at = next_at.after(-millis).min(tx.now.after(wait(attempts)));
        if at < next_at {
            bring.execute(params![event, at.millis()])?;
        }
    }
    Ok(())
}

/// Records the outcomes of attempts: webhook_event and outcome. Ignores a webhook that is gone.
pub fn settle(tx: &mut Tx<'_>, webhook: WebhookRow, attempts: &[(WebhookEventRow, Attempt)]) -> Result<()> {
    let mut delivered =
        tx.conn.prepare_cached("DELETE FROM webhook_events WHERE webhook_event = ?1 AND webhook = ?2")?;
    let mut failed = tx.conn.prepare_cached(
        "UPDATE webhook_events SET attempts = attempts + 1, last_error = ?2, next_at = ?3, status = ?4
         WHERE webhook_event = ?1 AND webhook = ?5",
    )?;
    // Its message may have been dropped, and with it the events that were given up by then.
    let mut forget = tx.conn.prepare_cached(
        "DELETE FROM webhook_events WHERE webhook_event = ?1 AND webhook = ?2 AND status = 'FAILED'
             AND NOT EXISTS (SELECT 1 FROM messages WHERE messages.number = webhook_events.number)",
    )?;
    let now = tx.now.millis();
    let (mut last_error, mut given_up) = (None, false);
    for (event, attempt) in attempts {
        let (error, next_at, status) = match attempt {
            Attempt::Delivered => {
                delivered.execute(params![event, webhook])?;
                continue;
            }
            Attempt::Retry { error, after_millis } => (error, now.saturating_add(*after_millis), EventStatus::Pending),
            Attempt::GivenUp { error } => (error, now, EventStatus::Failed),
        };
        failed.execute(params![event, error, next_at, status.name(), webhook])?;
        if status == EventStatus::Failed {
            forget.execute(params![event, webhook])?;
            given_up = true;
        }
        last_error = Some(error);
    }
    let any_delivered = attempts.iter().any(|(_, attempt)| matches!(attempt, Attempt::Delivered));
    let mut told = tx.conn.prepare_cached(
        "UPDATE webhooks SET last_delivered_at = CASE WHEN ?2 THEN ?4 ELSE last_delivered_at END,
             last_error = coalesce(?3, last_error), last_failed_at = CASE WHEN ?3 IS NULL THEN last_failed_at ELSE ?4 END
         WHERE webhook = ?1",
    )?;
    told.execute(params![webhook, any_delivered, last_error, now])?;
    if given_up {
        tx.conn.execute(
            "DELETE FROM webhook_events WHERE webhook = ?1 AND status = 'FAILED' AND webhook_event <= (
                 SELECT webhook_event FROM webhook_events WHERE webhook = ?1 AND status = 'FAILED'
                 ORDER BY webhook_event DESC LIMIT 1 OFFSET ?2)",
            params![webhook, FAILED_EVENTS as i64],
        )?;
    }
    Ok(())
}
