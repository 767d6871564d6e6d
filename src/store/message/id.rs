//! Ids of messages: made of the file's tag and the message's number, or given by a seed.

use std::ops::Range;

use rusqlite::{OptionalExtension, params};

use super::range::{MessageLocation, MessageRange, list_ranges, locate};
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::id;
use crate::model::environment::EnvironmentRow;
use crate::model::row::{JobRow, MessageNumber};
use crate::store::engine::{Db, Tx};

/// The location of the message with this id in this environment.
pub fn find(db: &Db<'_>, environment: EnvironmentRow, message_id: &str) -> Result<Option<MessageLocation>> {
    if let Some(number) = id::number_of_message(message_id)
        && let Some(location) = locate(db, MessageNumber(number))?
        && made_id_of(db, &location)? == message_id
        && location.environment == environment
    {
        return Ok(Some(location));
    }
    // An id that a seed has given may look like one that was made here.
    let mut named =
        db.conn.prepare_cached("SELECT number FROM message_names WHERE environment = ?1 AND message_id = ?2")?;
    match named.query_row(params![environment, message_id], |row| row.get(0)).optional()? {
        Some(number) => locate(db, number),
        None => Ok(None),
    }
}

/// The id that the message there was made with, even if a seed has given it another.
fn made_id_of(db: &Db<'_>, location: &MessageLocation) -> Result<String> {
    id_of(db, location.created_at, location.number)
}

/// The id of the message there: the seed's, or the one that it was made with.
pub(in crate::store) fn current_id_of(db: &Db<'_>, location: &MessageLocation) -> Result<String> {
    match name_of(db, location)? {
        Some(name) => Ok(name),
        None => made_id_of(db, location),
    }
}

fn name_of(db: &Db<'_>, location: &MessageLocation) -> Result<Option<String>> {
    let mut any = db.conn.prepare_cached("SELECT EXISTS (SELECT 1 FROM message_names)")?;
    if !any.query_row([], |row| row.get::<_, bool>(0))? {
        return Ok(None);
    }
    let mut name =
        db.conn.prepare_cached("SELECT message_id FROM message_names WHERE environment = ?1 AND number = ?2")?;
    Ok(name.query_row(params![location.environment, location.number], |row| row.get(0)).optional()?)
}

/// Gives the message with the id `made` an id that the seed has chosen.
pub fn name(tx: &mut Tx<'_>, environment: EnvironmentRow, message_id: &str, made: &str) -> Result<()> {
    let number = id::number_of_message(made).ok_or_else(|| Error::internal("a message id without its number"))?;
    let mut name =
        tx.conn.prepare_cached("INSERT INTO message_names (environment, message_id, number) VALUES (?1, ?2, ?3)")?;
    name.execute(params![environment, message_id, number])?;
    Ok(())
}

/// The part of all message ids of this file.
pub fn file_tag(db: &Db<'_>) -> Result<String> {
    let mut tag = db.conn.prepare_cached("SELECT message_tag FROM file")?;
    Ok(tag.query_row([], |row| row.get(0))?)
}

/// The id of the message with this number.
pub(in crate::store) fn id_of(db: &Db<'_>, created_at: Timestamp, number: MessageNumber) -> Result<String> {
    Ok(id::message(&file_tag(db)?, created_at, number.0))
}

/// The message ids of a run of a job's users.
pub(in crate::store) struct MessageIds {
    file_tag: String,
    ranges: Vec<MessageRange>,
}

impl MessageIds {
    pub(in crate::store) fn load(db: &Db<'_>, job: JobRow, seqs: Range<u64>) -> Result<Self> {
        Ok(MessageIds { file_tag: file_tag(db)?, ranges: list_ranges(db, job, seqs)? })
    }

    /// The id of the message of the user at `seq`, which must have one.
    pub(in crate::store) fn of(&self, seq: u64) -> Result<String> {
        let after = self.ranges.partition_point(|range| range.first_seq <= seq);
        let range = after.checked_sub(1).and_then(|i| self.ranges.get(i));
        let range = range.ok_or_else(|| Error::internal("a drained user without a message"))?;
        Ok(id::message(&self.file_tag, range.created_at, range.first_number.0 + (seq - range.first_seq) as i64))
    }
}
