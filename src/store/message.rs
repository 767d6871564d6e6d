//! Messages one by one: found by their id, listed from the newest on, delayed, canceled.

use std::collections::HashMap;
use std::rc::Rc;

use rusqlite::{OptionalExtension, Row, params};
use serde_json::Value;

use super::{Db, Tx, bulk, environment, outbox, rows, template, user};
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::id;
use crate::model::bulk::JobKind;
use crate::model::channel::Channel;
use crate::model::environment::{Environment, EnvironmentRow};
use crate::model::message::{MessageJob, StoredDelivery, StoredMessage, TrackedMessage};
use crate::model::options::MessageOptions;
use crate::model::outcomes::Message;
use crate::model::provider::Provider;
use crate::model::status::{MessageStatus, Reason};
use crate::model::user as model;

/// Where a message stands.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub number: i64,
    pub job: i64,
    /// The row's number of the job's environment.
    pub environment: EnvironmentRow,
    pub seq: u64,
    pub created_at: Timestamp,
}

pub(in crate::store) const COLUMNS: &str = "messages.number, messages.recipient, messages.status, messages.reason, \
                       messages.error, messages.channel, messages.provider, messages.address, messages.subject, messages.body, \
                       messages.content, messages.profile_version";

/// The place of the message with this id in this environment.
pub fn find(db: &Db<'_>, environment: &Environment, message_id: &str) -> Result<Option<Place>> {
    let Some(environment) = environment::find(db, environment)? else {
        return Ok(None);
    };
    if let Some(number) = id::number_of_message(message_id)
        && let Some(place) = find_number(db, number)?
        && message_id_of(db, &place)? == message_id
        && place.environment == environment
    {
        return Ok(Some(place));
    }
    // A seed's own name may look like an id that was made here.
    let mut named =
        db.conn.prepare_cached("SELECT number FROM message_names WHERE environment = ?1 AND message_id = ?2")?;
    match named.query_row(params![environment, message_id], |row| row.get(0)).optional()? {
        Some(number) => find_number(db, number),
        None => Ok(None),
    }
}

/// The place of the message with this number.
pub fn find_number(db: &Db<'_>, number: i64) -> Result<Option<Place>> {
    let mut find = db.conn.prepare_cached(
        "SELECT job, environment, first_seq + ?1 - first_number, created_at FROM (
             SELECT * FROM message_ranges WHERE first_number <= ?1 ORDER BY first_number DESC LIMIT 1)
         WHERE last_number >= ?1 AND EXISTS (SELECT 1 FROM messages WHERE number = ?1)",
    )?;
    let place = find.query_row([number], |row| {
        Ok(Place {
            number,
            job: row.get(0)?,
            environment: row.get(1)?,
            seq: row.get(2)?,
            created_at: Timestamp(row.get(3)?),
        })
    });
    Ok(place.optional()?)
}

/// The id that the message there was made with, whatever a seed has named it.
fn message_id_of(db: &Db<'_>, place: &Place) -> Result<String> {
    outbox::message_id(db, place.created_at, place.number)
}

fn name_of(db: &Db<'_>, place: &Place) -> Result<Option<String>> {
    let mut any = db.conn.prepare_cached("SELECT EXISTS (SELECT 1 FROM message_names)")?;
    if !any.query_row([], |row| row.get::<_, bool>(0))? {
        return Ok(None);
    }
    let mut name =
        db.conn.prepare_cached("SELECT message_id FROM message_names WHERE environment = ?1 AND number = ?2")?;
    Ok(name.query_row(params![place.environment, place.number], |row| row.get(0)).optional()?)
}

/// Gives the message that was made under the id `made` an id of the seed's own.
pub fn name(tx: &mut Tx<'_>, environment: &Environment, message_id: &str, made: &str) -> Result<()> {
    let number = id::number_of_message(made).ok_or_else(|| Error::internal("a message id without its number"))?;
    let environment = environment::find_or_create(tx, environment)?;
    let mut name =
        tx.conn.prepare_cached("INSERT INTO message_names (environment, message_id, number) VALUES (?1, ?2, ?3)")?;
    name.execute(params![environment, message_id, number])?;
    Ok(())
}

/// The message at a place.
pub fn get(db: &Db<'_>, place: &Place) -> Result<TrackedMessage> {
    let mut get = db.conn.prepare_cached(&format!("SELECT {COLUMNS} FROM messages WHERE number = ?1"))?;
    let message = get.query_row([place.number], from_row)?;
    complete(db, place, message)
}

/// The record of the message at a place, with its `providers`.
pub fn record(db: &Db<'_>, place: &Place) -> Result<Value> {
    Ok(Value::Object(get(db, place)?.record_with_providers(&get_job(db, place.job)?)))
}

/// What stands in the message's own row.
pub(in crate::store) struct MessageRow {
    pub number: i64,
    recipient: String,
    status: MessageStatus,
    reason: Option<Reason>,
    error: Option<String>,
    /// What these are about.
    delivery: Option<StoredDelivery>,
    profile_version: Option<i64>,
}

pub(in crate::store) fn from_row(row: &Row<'_>) -> rusqlite::Result<MessageRow> {
    let status = rows::name(row, 2, MessageStatus::from_name)?;
    let reason = rows::optional_name(row, 3, Reason::from_name)?;
    let error: Option<String> = row.get(4)?;
    let delivery = match rows::optional_name(row, 5, Channel::from_name)? {
        Some(channel) => Some(StoredDelivery {
            status,
            reason,
            error: error.clone(),
            channel,
            provider: rows::name(row, 6, Provider::from_name)?,
            address: row.get(7)?,
            subject: row.get(8)?,
            body: row.get(9)?,
            content: row.get(10)?,
        }),
        None => None,
    };
    Ok(MessageRow {
        number: row.get(0)?,
        recipient: row.get(1)?,
        status,
        reason,
        error,
        delivery,
        profile_version: row.get(11)?,
    })
}

/// The message with this row, with its id and what stands in `deliveries`.
pub(in crate::store) fn with_deliveries(db: &Db<'_>, place: &Place, row: MessageRow) -> Result<StoredMessage> {
    let message_id = match name_of(db, place)? {
        Some(name) => name,
        None => message_id_of(db, place)?,
    };
    let mut further = db.conn.prepare_cached(
        "SELECT position, status, reason, error, channel, provider, address, subject, body, content
         FROM deliveries WHERE number = ?1 ORDER BY position",
    )?;
    let further = further.query_map([place.number], |row| {
        let delivery = StoredDelivery {
            status: rows::name(row, 1, MessageStatus::from_name)?,
            reason: rows::optional_name(row, 2, Reason::from_name)?,
            error: row.get(3)?,
            channel: rows::name(row, 4, Channel::from_name)?,
            provider: rows::name(row, 5, Provider::from_name)?,
            address: row.get(6)?,
            subject: row.get(7)?,
            body: row.get(8)?,
            content: row.get(9)?,
        };
        Ok((row.get::<_, i64>(0)?, delivery))
    })?;
    let (mut deliveries, mut after) = (Vec::new(), Vec::new());
    for found in further {
        let (position, delivery) = found?;
        if position < 0 { deliveries.push(delivery) } else { after.push(delivery) }
    }
    deliveries.extend(row.delivery);
    deliveries.append(&mut after);
    Ok(StoredMessage {
        number: row.number,
        message_id,
        recipient: row.recipient,
        status: row.status,
        reason: row.reason,
        error: row.error,
        deliveries,
        enqueued_at: place.created_at,
        seq: place.seq,
        profile_version: row.profile_version,
    })
}

/// The message with this row, with all that is known of it.
fn complete(db: &Db<'_>, place: &Place, row: MessageRow) -> Result<TrackedMessage> {
    let mut events =
        db.conn.prepare_cached("SELECT status, created_at FROM message_events WHERE number = ?1 ORDER BY event")?;
    let events = events
        .query_map([place.number], |row| Ok((rows::name(row, 0, MessageStatus::from_name)?, Timestamp(row.get(1)?))))?;
    let (_, user) = user::get(db, place.job, place.seq)?;
    Ok(TrackedMessage {
        stored: with_deliveries(db, place, row)?,
        events: events.collect::<rusqlite::Result<_>>()?,
        list_id: model::list_id(&user),
        tenant_id: model::tenant_id(&user),
    })
}

/// What the messages of a job have in common.
pub fn get_job(db: &Db<'_>, job: i64) -> Result<MessageJob> {
    let mut get = db.conn.prepare_cached(
        "SELECT job_id, kind, environment, template_version, archived_at IS NOT NULL, definition
         FROM jobs JOIN definitions USING (job) WHERE job = ?1",
    )?;
    let (about, environment, version, found) = get.query_row([job], |row| {
        let about = MessageOptions::of_stored(row.get_ref("definition")?.as_str()?);
        let job_id: String = row.get("job_id")?;
        let found = MessageJob {
            trace_id: about.metadata.trace_id.clone().unwrap_or_else(|| job_id.clone()),
            job_id,
            kind: rows::name(row, 1, JobKind::from_name)?,
            event: about.event.clone().or(about.template.clone()),
            template_id: about.template.clone(),
            tags: about.metadata.tags.clone(),
            tenant_id: about.tenant_id.clone(),
            is_archived: row.get(4)?,
        };
        Ok((about, row.get("environment")?, row.get("template_version")?, found))
    })?;
    // What was found when the job was run; else, if nothing was published, what is there under the name.
    let template_id = match (version, &about.template) {
        (Some(version), _) => Some(template::get_version(db, version)?.0),
        (None, Some(name)) => template::find_id(db, environment, name)?,
        (None, None) => None,
    };
    Ok(MessageJob { template_id: template_id.or(found.template_id), ..found })
}

/// What to list.
#[derive(Debug, Default)]
pub struct Filter {
    pub archived: bool,
    pub enqueued_after: Option<Timestamp>,
    pub event: Option<String>,
    pub list_id: Option<String>,
    pub message_id: Option<String>,
    pub notification: Option<String>,
    /// Any of these, as in the other lists; an empty one asks for nothing.
    pub providers: Vec<String>,
    pub recipient: Option<String>,
    pub statuses: Vec<String>,
    /// All of these.
    pub tags: Vec<String>,
    /// Any of these.
    pub any_tags: Vec<String>,
    pub tenant_id: Option<String>,
    pub trace_id: Option<String>,
}

impl Filter {
    fn takes_job(&self, job: &MessageJob) -> bool {
        let is = |wanted: &Option<String>, found: Option<&str>| wanted.as_deref().is_none_or(|it| Some(it) == found);
        job.is_archived == self.archived
            && is(&self.event, Some(job.event()))
            && is(&self.notification, Some(job.notification()))
            && is(&self.trace_id, Some(&job.trace_id))
            && self.tags.iter().all(|tag| job.tags.contains(tag))
            && (self.any_tags.is_empty() || self.any_tags.iter().any(|tag| job.tags.contains(tag)))
    }

    fn takes(&self, message: &TrackedMessage, job: &MessageJob) -> bool {
        let provider = |name: &String| message.stored.deliveries.iter().any(|it| it.provider.name() == name);
        let tenant_id = message.tenant_id.as_ref().or(job.tenant_id.as_ref());
        (self.providers.is_empty() || self.providers.iter().any(provider))
            && (self.list_id.is_none() || self.list_id == message.list_id)
            && (self.tenant_id.is_none() || self.tenant_id.as_ref() == tenant_id)
    }
}

/// How long a page may get, and how much work it may make.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// Messages on it.
    pub limit: usize,
    /// MessageOptions as many bytes of text.
    pub bytes: usize,
    /// Messages that are looked at, some work counting for several looks.
    pub looks: i64,
}

/// Looks that a stretch of messages counts for, however short it is,
const STRETCH: i64 = 5;
/// and a message that is read whole, or what the messages of a job have in common.
const WHOLE: i64 = 10;
/// Jobs that are kept in case that more messages of theirs come.
const JOBS: usize = 16;

/// Messages of an environment with their jobs, the newest first: those up to the number `up_to`, a page of them, and the
/// number to go on from. No index serves the filter: what it names is looked for, from the newest on, and a page on
/// which little or nothing was found ends when it has made too much work.
#[allow(clippy::type_complexity)]
pub fn list(
    db: &Db<'_>,
    of: &Environment,
    filter: &Filter,
    up_to: i64,
    page: Page,
) -> Result<(Vec<(TrackedMessage, Rc<MessageJob>)>, Option<i64>)> {
    let mut found = Vec::new();
    let Some(environment) = environment::find(db, of)? else {
        return Ok((found, None));
    };
    let mut jobs: HashMap<i64, Rc<MessageJob>> = HashMap::new();
    let mut read = 0;
    let mut left = page.looks;
    let mut ranges = db.conn.prepare_cached(
        "SELECT first_number, min(last_number, ?2), job, first_seq, created_at FROM message_ranges
         WHERE environment = ?1 AND first_number <= ?2 AND (?3 IS NULL OR created_at > ?3)
           AND (?4 IS NULL OR ?4 BETWEEN first_number AND last_number)
         ORDER BY first_number DESC",
    )?;
    // One that is asked for by its id is not looked for.
    let number = match &filter.message_id {
        Some(message_id) => Some(find(db, of, message_id)?.map_or(0, |place| place.number)),
        None => None,
    };
    let enqueued_after = filter.enqueued_after.map(Timestamp::millis);
    let statuses = serde_json::to_string(&filter.statuses).unwrap_or_default();
    let mut messages = db.conn.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM messages WHERE number BETWEEN ?1 AND ?2
             AND (?3 IS NULL OR recipient = ?3) AND (?4 = '[]' OR status IN (SELECT value FROM json_each(?4)))
         ORDER BY number DESC"
    ))?;
    let mut ranges = ranges.query(params![environment, up_to, enqueued_after, number])?;
    while let Some(range) = ranges.next()? {
        let (first, last, job): (i64, i64, i64) = (range.get(0)?, range.get(1)?, range.get(2)?);
        let (first_seq, created_at): (u64, i64) = (range.get(3)?, range.get(4)?);
        if left <= 0 {
            return Ok((found, Some(last)));
        }
        left -= STRETCH;
        let (low, high) = match number {
            Some(number) => (number.max(first), number.min(last)),
            None => (first.max(last - left.max(0)), last),
        };
        let (mut at, mut is_taken) = (high, true);
        let mut rows = messages.query(params![low, high, filter.recipient, statuses])?;
        while let Some(row) = rows.next()? {
            let number = row.get(0)?;
            left -= at - number;
            at = number;
            if left <= 0 && number < high {
                return Ok((found, Some(number)));
            }
            let about = match jobs.get(&job) {
                Some(about) => about.clone(),
                None => {
                    left -= WHOLE;
                    if jobs.len() == JOBS {
                        jobs.clear();
                    }
                    let about = Rc::new(get_job(db, job)?);
                    jobs.insert(job, about.clone());
                    about
                }
            };
            is_taken = filter.takes_job(&about);
            if !is_taken {
                break;
            }
            left -= WHOLE;
            let seq = first_seq + number.abs_diff(first);
            let place = Place { number, job, environment, seq, created_at: Timestamp(created_at) };
            let message = complete(db, &place, from_row(row)?)?;
            if !filter.takes(&message, &about) {
                continue;
            }
            if found.len() == page.limit || read >= page.bytes {
                return Ok((found, Some(number)));
            }
            read += message.stored.bytes() + about.event().len() + about.notification().len();
            found.push((message, about));
        }
        if is_taken {
            left -= at - low;
            if number.is_none() && low > first {
                return Ok((found, Some(low - 1)));
            }
        }
    }
    Ok((found, None))
}

/// Keeps a delayed message from going out. False if it does not wait (any more).
pub fn cancel(tx: &mut Tx<'_>, place: &Place) -> Result<bool> {
    let mut cancel =
        tx.conn.prepare_cached("UPDATE messages SET status = 'CANCELED' WHERE number = ?1 AND status = 'DELAYED'")?;
    if cancel.execute([place.number])? == 0 {
        return Ok(false);
    }
    let mut wait = tx.conn.prepare_cached("DELETE FROM delayed WHERE number = ?1")?;
    wait.execute([place.number])?;
    add_event(tx, place.number, MessageStatus::Canceled)?;
    Ok(true)
}

fn add_event(tx: &mut Tx<'_>, number: i64, status: MessageStatus) -> Result<()> {
    let mut add =
        tx.conn.prepare_cached("INSERT INTO message_events (number, status, created_at) VALUES (?1, ?2, ?3)")?;
    add.execute(params![number, status.name(), tx.now.millis()])?;
    tx.rings.messages = true;
    Ok(())
}

/// Delayed messages whose time has come, at most `limit`, and when the next one's comes.
pub fn list_due(db: &Db<'_>, limit: usize) -> Result<(Vec<Place>, Option<Timestamp>)> {
    let mut due = db.conn.prepare_cached(
        "SELECT number, due_at FROM delayed WHERE EXISTS (SELECT 1 FROM messages WHERE messages.number = delayed.number)
         ORDER BY due_at, number LIMIT ?1",
    )?;
    let rows = due.query_map([limit as i64 + 1], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))?;
    let mut places = Vec::new();
    for row in rows {
        let (number, due_at) = row?;
        if due_at > db.now.millis() || places.len() == limit {
            return Ok((places, Some(Timestamp(due_at))));
        }
        let place = find_number(db, number)?;
        places.push(place.ok_or_else(|| Error::unavailable("the database file is damaged: a message without a job"))?);
    }
    Ok((places, None))
}

/// Writes what became of a message that has waited. Nothing, if it was canceled meanwhile.
pub fn settle(tx: &mut Tx<'_>, number: i64, message: &Message<'_>) -> Result<()> {
    let mut waits = tx.conn.prepare_cached("DELETE FROM delayed WHERE number = ?1")?;
    if waits.execute([number])? == 0 {
        return Ok(());
    }
    outbox::rewrite(tx, number, message)?;
    add_event(tx, number, message.verdict.status)
}

/// Hides the messages of a job from lists that do not ask for them. False if there is no such request.
pub fn archive(tx: &mut Tx<'_>, environment: &Environment, request_id: &str) -> Result<bool> {
    let job = match bulk::find(tx, environment, request_id)? {
        Some(job) => job.job,
        None => match find(tx, environment, request_id)? {
            Some(place) if get_job(tx, place.job)?.kind == JobKind::Send => place.job,
            _ => return Ok(false),
        },
    };
    let mut archive =
        tx.conn.prepare_cached("UPDATE jobs SET archived_at = coalesce(archived_at, ?2) WHERE job = ?1")?;
    if archive.execute(params![job, tx.now.millis()])? != 1 {
        return Err(Error::internal("a job is gone"));
    }
    Ok(true)
}
