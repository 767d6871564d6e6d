//! Events on their way to a webhook. It has a position in the messages and in what happened to them; the events from there
//! on are put into its queue, as many as fit, in one commit with its new position.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use rusqlite::params;
use serde_json::json;

use super::webhook::{self, Position, Webhook};
use super::{Db, Tx, message};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::model::environment::EnvironmentRow;
use crate::model::message::{MessageJob, Stage, TrackedMessage};
use crate::model::webhook::EventStatus;

/// Events that a webhook's queue holds at most,
pub const QUEUE: usize = 1_000;
/// and the newest of those given up.
pub const FAILED: usize = 1_000;

/// Messages that are looked at for one commit,
const PAGE: usize = 64;
/// and ranges of messages, of which many may be other environments'.
const RANGES: usize = 256;
/// A position that has moved so far is kept even if there was nothing to queue.
const STRIDE: i64 = 10_000;

/// An event that is to be queued.
#[derive(Debug)]
pub struct NewEvent {
    number: i64,
    event_id: String,
    body: String,
}

/// What comes next for a webhook.
#[derive(Debug)]
pub struct Ahead {
    pub events: Vec<NewEvent>,
    pub position: Position,
    /// Whether there may be more.
    pub more: bool,
}

impl Ahead {
    /// Whether it has to be written down, and not only remembered.
    pub fn matters(&self, since: Position) -> bool {
        !self.events.is_empty()
            || self.position.number - since.number >= STRIDE
            || self.position.event - since.event >= STRIDE
    }
}

/// Reads a page of events behind `position`, not more than there is room for in the queue.
pub fn read_ahead(db: &Db<'_>, webhook: &Webhook, position: Position) -> Result<Ahead> {
    let room = QUEUE.saturating_sub(webhook::queue(db, webhook.webhook)?.pending);
    let mut ahead = Ahead { events: Vec::new(), position, more: false };
    // A message that was just made has two at least.
    if room < 2 {
        return Ok(ahead);
    }
    let mut teller = Teller { db, jobs: HashMap::new() };
    let (numbers, mut end) = messages_after(db, webhook, position.number, (room / 2).min(PAGE))?;
    for number in numbers {
        let mut events = teller.made(number)?;
        if ahead.events.len() + events.len() > room {
            end = None;
            break;
        }
        ahead.events.append(&mut events);
        ahead.position.number = number;
    }
    ahead.position.number = end.unwrap_or(ahead.position.number);
    ahead.more = ahead.position != position;
    // What happened to a message comes after the message.
    let mut list = db.conn.prepare_cached(
        "SELECT event, number, (
             SELECT environment FROM message_ranges
             WHERE first_number <= message_events.number ORDER BY first_number DESC LIMIT 1), (
             SELECT count(*) FROM message_events AS earlier
             WHERE earlier.number = message_events.number AND earlier.event <= message_events.event)
         FROM message_events WHERE event > ?1 ORDER BY event LIMIT ?2",
    )?;
    let mut rows = list.query(params![position.event, PAGE as i64])?;
    while let Some(row) = rows.next()? {
        let (event, number, environment, count): (i64, i64, Option<EnvironmentRow>, usize) =
            (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        if number > ahead.position.number {
            break;
        }
        if webhook.environment.is_none() || webhook.environment == environment {
            let mut events = teller.happened(number, event, count)?;
            if ahead.events.len() + events.len() > room {
                break;
            }
            ahead.events.append(&mut events);
        }
        ahead.position.event = event;
        ahead.more = true;
    }
    Ok(ahead)
}

/// Tells of messages, and remembers their jobs.
struct Teller<'a> {
    db: &'a Db<'a>,
    jobs: HashMap<i64, MessageJob>,
}

impl Teller<'_> {
    /// The events of a message that was made: that it was enqueued, and the stages with which it began.
    fn made(&mut self, number: i64) -> Result<Vec<NewEvent>> {
        self.tell(number, |message| {
            let stages = called(message.stages(0).collect(), "1");
            [vec![("0".to_owned(), Stage::ENQUEUED)], stages].concat()
        })
    }

    /// The events of what happened to a message, which is the `count`th thing that did.
    fn happened(&mut self, number: i64, event: i64, count: usize) -> Result<Vec<NewEvent>> {
        self.tell(number, |message| called(message.stages(count).collect(), &format!("e{event}")))
    }

    fn tell(
        &mut self,
        number: i64,
        stages: impl FnOnce(&TrackedMessage) -> Vec<(String, Stage)>,
    ) -> Result<Vec<NewEvent>> {
        let Some(place) = message::find_number(self.db, number)? else {
            return Ok(Vec::new());
        };
        let message = message::get(self.db, &place)?;
        let job = match self.jobs.entry(place.job) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(message::get_job(self.db, place.job)?),
        };
        let event = |(suffix, stage)| {
            let body = json!({ "data": message.told(job, stage), "type": "message:updated" }).to_string();
            NewEvent { number, event_id: format!("{}-{suffix}", message.stored.message_id), body }
        };
        Ok(stages(&message).into_iter().map(event).collect())
    }
}

/// Stages with what the ids of their events end in. Those on the way to the last one are told apart by their names.
fn called(stages: Vec<Stage>, last: &str) -> Vec<(String, Stage)> {
    let before = stages.len().saturating_sub(1);
    let suffix = |i, stage: Stage| {
        if i < before { format!("{last}-{}", stage.name().to_lowercase()) } else { last.to_owned() }
    };
    stages.into_iter().enumerate().map(|(i, stage)| (suffix(i, stage), stage)).collect()
}

/// The numbers of the next messages of a webhook's environment, and up to where that is all there are.
fn messages_after(db: &Db<'_>, webhook: &Webhook, after: i64, limit: usize) -> Result<(Vec<i64>, Option<i64>)> {
    let mut ranges = db.conn.prepare_cached(
        "SELECT first_number, last_number, environment FROM message_ranges
         WHERE first_number >= (SELECT coalesce(max(first_number), 0) FROM message_ranges WHERE first_number <= ?1)
         ORDER BY first_number LIMIT ?2",
    )?;
    let mut in_range = db
        .conn
        .prepare_cached("SELECT number FROM messages WHERE number BETWEEN ?1 AND ?2 ORDER BY number LIMIT ?3")?;
    let (mut numbers, mut end) = (Vec::new(), None);
    let mut rows = ranges.query(params![after + 1, RANGES as i64])?;
    while let Some(row) = rows.next()? {
        let (first, last, environment): (i64, i64, EnvironmentRow) = (row.get(0)?, row.get(1)?, row.get(2)?);
        if last <= after {
            continue;
        }
        if webhook.environment.is_none_or(|own| own == environment) {
            let left = limit - numbers.len();
            let from = first.max(after + 1);
            let found = in_range.query_map(params![from, last, left as i64], |row| row.get(0))?;
            numbers.extend(found.collect::<rusqlite::Result<Vec<i64>>>()?);
            if numbers.len() == limit {
                return Ok((numbers.clone(), numbers.last().copied()));
            }
        }
        end = Some(last);
    }
    Ok((numbers, end))
}

/// Queues events in one commit with the position that they lead to. Changes nothing, and says so, if the webhook is gone
/// or somewhere else.
pub fn append(tx: &mut Tx<'_>, webhook: i64, since: Position, ahead: &Ahead) -> Result<bool> {
    let mut advance = tx.conn.prepare_cached(
        "UPDATE webhooks SET last_number = ?4, last_event = ?5
         WHERE webhook = ?1 AND last_number = ?2 AND last_event = ?3",
    )?;
    let to = ahead.position;
    if advance.execute(params![webhook, since.number, since.event, to.number, to.event])? != 1 {
        return Ok(false);
    }
    let mut insert = tx.conn.prepare_cached(
        "INSERT INTO webhook_events (webhook, number, event_id, body, status, attempts, next_at, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6, ?6)",
    )?;
    for event in &ahead.events {
        let pending = EventStatus::Pending.name();
        insert.execute(params![webhook, event.number, event.event_id, event.body, pending, tx.now.millis()])?;
    }
    Ok(true)
}

/// An event whose time has come.
#[derive(Debug)]
pub struct Due {
    pub webhook_event: i64,
    /// The message.
    pub number: i64,
    pub event_id: String,
    pub body: String,
    /// Attempts so far.
    pub attempts: usize,
}

/// Events whose time has come, those of one message in their order and none before its time has come for all that were
/// before it; and when the next one's comes.
pub fn due(db: &Db<'_>, webhook: i64, limit: usize) -> Result<(Vec<Due>, Option<Timestamp>)> {
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
        Ok(Due {
            webhook_event: row.get(0)?,
            number: row.get(1)?,
            event_id: row.get(2)?,
            body: row.get(3)?,
            attempts: row.get(4)?,
        })
    })?;
    let events = rows.collect::<rusqlite::Result<Vec<_>>>()?;
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

/// Writes down what came of attempts: webhook_event and outcome. Says nothing of a webhook that is gone.
pub fn settle(tx: &mut Tx<'_>, webhook: i64, attempts: &[(i64, Attempt)]) -> Result<()> {
    let mut delivered =
        tx.conn.prepare_cached("DELETE FROM webhook_events WHERE webhook_event = ?1 AND webhook = ?2")?;
    let mut failed = tx.conn.prepare_cached(
        "UPDATE webhook_events SET attempts = attempts + 1, last_error = ?2, next_at = ?3, status = ?4
         WHERE webhook_event = ?1 AND webhook = ?5",
    )?;
    let now = tx.now.millis();
    let (mut last_error, mut given_up) = (None, false);
    for (event, attempt) in attempts {
        let (error, next_at, status) = match attempt {
            Attempt::Delivered => {
                delivered.execute([*event, webhook])?;
                continue;
            }
            Attempt::Retry { error, after_millis } => (error, now.saturating_add(*after_millis), EventStatus::Pending),
            Attempt::GivenUp { error } => (error, now, EventStatus::Failed),
        };
        failed.execute(params![event, error, next_at, status.name(), webhook])?;
        given_up |= status == EventStatus::Failed;
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
            params![webhook, FAILED as i64],
        )?;
    }
    Ok(())
}
