//! The next events behind a position in the messages and in what happened to them. Webhooks of one environment at the
//! same position get the same batch.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use rusqlite::params;
use serde_json::json;

use super::engine::Db;
use super::webhook::Position;
use super::webhook_event::{EventBatch, NewEvent};
use super::{message, tracking};
use crate::error::Result;
use crate::model::environment::EnvironmentRow;
use crate::model::message::{MessageJob, Snapshot, TrackedMessage};
use crate::model::row::{JobRow, MessageEventRow, MessageNumber};

/// With less room nothing is read.
pub const LEAST_ROOM: usize = 2;
/// Messages, and events of messages, that are looked at for one commit.
const PAGE_ROWS: usize = 64;
/// Ranges of messages that are looked at for one commit: many may be other environments'.
const PAGE_RANGES: usize = 256;

/// Reads a page of events behind `position`, of one environment or of all, at most as many as there is `room` for.
pub fn read(db: &Db<'_>, environment: Option<EnvironmentRow>, position: Position, room: usize) -> Result<EventBatch> {
    let mut batch = EventBatch { events: Vec::new(), position, more: false };
    // A new message has at least two events.
    if room < LEAST_ROOM {
        return Ok(batch);
    }
    let mut builder = EventBuilder { db, jobs: HashMap::new() };
    add_creations(&mut batch, &mut builder, environment, room)?;
    // What happened to a message comes after the message.
    add_updates(&mut batch, &mut builder, environment, room)?;
    Ok(batch)
}

/// Adds the events, unless they are more than there is room for.
fn add(batch: &mut EventBatch, mut events: Vec<NewEvent>, room: usize) -> bool {
    let fits = batch.events.len() + events.len() <= room;
    if fits {
        batch.events.append(&mut events);
    }
    fits
}

fn add_creations(
    batch: &mut EventBatch,
    builder: &mut EventBuilder<'_>,
    environment: Option<EnvironmentRow>,
    room: usize,
) -> Result<()> {
    let before = batch.position.number;
    let (numbers, mut end) = messages_after(builder.db, environment, before, (room / 2).min(PAGE_ROWS))?;
    for number in numbers {
        if !add(batch, builder.creation_events(number)?, room) {
            end = None;
            break;
        }
        batch.position.number = number;
    }
    batch.position.number = end.unwrap_or(batch.position.number);
    batch.more |= batch.position.number != before;
    Ok(())
}

fn add_updates(
    batch: &mut EventBatch,
    builder: &mut EventBuilder<'_>,
    environment: Option<EnvironmentRow>,
    room: usize,
) -> Result<()> {
    let mut list = builder.db.conn.prepare_cached(
        "SELECT event, number, created_at, (
             SELECT environment FROM message_ranges
             WHERE first_number <= message_events.number ORDER BY first_number DESC LIMIT 1), (
             SELECT count(*) FROM message_events AS earlier
             WHERE earlier.number = message_events.number AND earlier.event <= message_events.event)
         FROM message_events WHERE event > ?1 ORDER BY event LIMIT ?2",
    )?;
    let mut rows = list.query(params![batch.position.event, PAGE_ROWS as i64])?;
    while let Some(row) = rows.next()? {
        let (event, number): (MessageEventRow, MessageNumber) = (row.get(0)?, row.get(1)?);
        let (created_at, of_message, count): (i64, Option<EnvironmentRow>, usize) =
            (row.get(2)?, row.get(3)?, row.get(4)?);
        if number > batch.position.number {
            break;
        }
        let concerns_it = environment.is_none() || environment == of_message;
        if concerns_it && !add(batch, builder.update_events(number, event, created_at, count)?, room) {
            break;
        }
        batch.position.event = event;
        batch.more = true;
    }
    Ok(())
}

/// Builds the events of messages, and remembers their jobs.
struct EventBuilder<'a> {
    db: &'a Db<'a>,
    jobs: HashMap<JobRow, MessageJob>,
}

impl EventBuilder<'_> {
    /// The events of a message that was made: that it was enqueued, and the snapshots with which it began.
    fn creation_events(&mut self, number: MessageNumber) -> Result<Vec<NewEvent>> {
        self.build(number, |message| {
            let snapshots = event_ids(message.snapshots(0).collect(), "1");
            [vec![("0".to_owned(), Snapshot::ENQUEUED)], snapshots].concat()
        })
    }

    /// The events of an update of a message, its `count`th. Their ids contain the moment: in a file that was restored
    /// from a backup, a row's number may have belonged to something else.
    fn update_events(
        &mut self,
        number: MessageNumber,
        event: MessageEventRow,
        created_at: i64,
        count: usize,
    ) -> Result<Vec<NewEvent>> {
        let last = format!("e{}-{created_at:x}", event.0);
        self.build(number, |message| event_ids(message.snapshots(count).collect(), &last))
    }

    fn build(
        &mut self,
        number: MessageNumber,
        snapshots: impl FnOnce(&TrackedMessage) -> Vec<(String, Snapshot)>,
    ) -> Result<Vec<NewEvent>> {
        let Some(location) = message::locate(self.db, number)? else {
            return Ok(Vec::new());
        };
        let message = tracking::get(self.db, &location)?;
        let job = match self.jobs.entry(location.job) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(tracking::get_job(self.db, location.job)?),
        };
        let event = |(suffix, snapshot)| {
            let body = json!({ "data": message.record_with_providers_at(job, snapshot), "type": "message:updated" })
                .to_string();
            NewEvent { number, event_id: format!("{}-{suffix}", message.stored.message_id), body }
        };
        Ok(snapshots(&message).into_iter().map(event).collect())
    }
}

/// Stages with the ends of their events' ids. Those before the last one are told apart by their names.
fn event_ids(snapshots: Vec<Snapshot>, last: &str) -> Vec<(String, Snapshot)> {
    let before = snapshots.len().saturating_sub(1);
    let suffix = |i, snapshot: Snapshot| {
        if i < before { format!("{last}-{}", snapshot.name().to_lowercase()) } else { last.to_owned() }
    };
    snapshots.into_iter().enumerate().map(|(i, snapshot)| (suffix(i, snapshot), snapshot)).collect()
}

/// The numbers of the next messages of an environment or of all, and the number up to which there are no others.
fn messages_after(
    db: &Db<'_>,
    environment: Option<EnvironmentRow>,
    after: MessageNumber,
    limit: usize,
) -> Result<(Vec<MessageNumber>, Option<MessageNumber>)> {
    let mut ranges = db.conn.prepare_cached(
        "SELECT first_number, last_number, environment FROM message_ranges
         WHERE first_number >= (SELECT coalesce(max(first_number), 0) FROM message_ranges WHERE first_number <= ?1)
         ORDER BY first_number LIMIT ?2",
    )?;
    let mut in_range = db
        .conn
        .prepare_cached("SELECT number FROM messages WHERE number BETWEEN ?1 AND ?2 ORDER BY number LIMIT ?3")?;
    let (mut numbers, mut end) = (Vec::new(), None);
    let mut rows = ranges.query(params![after.0 + 1, PAGE_RANGES as i64])?;
    while let Some(row) = rows.next()? {
        let (first, last, of_range): (i64, i64, EnvironmentRow) = (row.get(0)?, row.get(1)?, row.get(2)?);
        if last <= after.0 {
            continue;
        }
        if environment.is_none_or(|own| own == of_range) {
            let left = limit - numbers.len();
            let from = first.max(after.0 + 1);
            let found = in_range.query_map(params![from, last, left as i64], |row| row.get(0))?;
            numbers.extend(found.collect::<rusqlite::Result<Vec<MessageNumber>>>()?);
            if numbers.len() == limit {
                return Ok((numbers.clone(), numbers.last().copied()));
            }
        }
        end = Some(MessageNumber(last));
    }
    Ok((numbers, end))
}
