//! The channels of what is delivered for real: how far each has come in messages and their events, and by which route it goes.

use rusqlite::{OptionalExtension, params};

use super::engine::{Db, Tx, rows};
use super::webhook::Position;
use super::{message, number};
use crate::error::{Error, Result};
use crate::model::channel::Channel;
use crate::model::deliver_target::flag_of;
use crate::model::row::{JobRow, MessageEventRow};

/// A channel that this start delivers.
#[derive(Clone, Debug)]
pub struct ChannelRow {
    pub channel: Channel,
    pub position: Position,
    pub route: String,
}

/// The channels that this start delivers.
pub fn in_use(db: &Db<'_>) -> Result<Vec<ChannelRow>> {
    let mut list = db.conn.prepare_cached(
        "SELECT channel, number, event, route FROM delivery_channels WHERE route IS NOT NULL ORDER BY channel",
    )?;
    let list = list.query_map([], |row| {
        Ok(ChannelRow {
            channel: rows::name(row, 0, Channel::from_name)?,
            position: Position { number: row.get(1)?, event: row.get(2)? },
            route: row.get(3)?,
        })
    })?;
    Ok(list.collect::<rusqlite::Result<_>>()?)
}

/// Has a channel go by this route, where it was, or if it was never delivered behind all that is there.
pub(in crate::store) fn set_route(tx: &Tx<'_>, channel: &str, route: &str) -> Result<()> {
    let newest = newest(tx)?;
    let mut begin = tx.conn.prepare_cached(
        "INSERT INTO delivery_channels (channel, number, event, route) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (channel) DO UPDATE SET route = excluded.route",
    )?;
    begin.execute(params![channel, newest.number, newest.event, route])?;
    Ok(())
}

/// Has no channel delivered.
pub(in crate::store) fn unset_routes(tx: &Tx<'_>) -> Result<()> {
    tx.conn.execute("UPDATE delivery_channels SET route = NULL", [])?;
    Ok(())
}

/// Moves a channel on. False if it is somewhere else, or goes by another route.
pub(in crate::store) fn advance(
    tx: &Tx<'_>,
    (channel, route): (Channel, &str),
    since: Position,
    to: Position,
) -> Result<bool> {
    let mut advance = tx.conn.prepare_cached(
        "UPDATE delivery_channels SET number = ?5, event = ?6
         WHERE channel = ?1 AND route = ?2 AND number = ?3 AND event = ?4",
    )?;
    Ok(advance.execute(params![channel.name(), route, since.number, since.event, to.number, to.event])? == 1)
}

/// The position behind all that is there.
pub(in crate::store) fn newest(db: &Db<'_>) -> Result<Position> {
    let next = number::next_event(db.conn)?;
    Ok(Position { number: message::last_number(db)?, event: MessageEventRow(next.0 - 1) })
}

/// Messages, and events of messages, that the channel of a route that has come least far has yet to look at, whatever theirs
/// is.
pub fn count_behind(db: &Db<'_>, route: &str) -> Result<u64> {
    let newest = newest(db)?;
    let of_route = in_use(db)?.into_iter().filter(|row| row.route == route);
    let behind = of_route.map(|ChannelRow { position, .. }| {
        let behind = [newest.number.0 - position.number.0, newest.event.0 - position.event.0];
        behind.into_iter().map(|it| u64::try_from(it).unwrap_or(0)).sum()
    });
    Ok(behind.max().unwrap_or(0))
}

/// Fails if a channel that is delivered has yet to look at messages up to this position, or at what has happened up to it: one
/// that waited may have gone out by then.
pub(in crate::store) fn refuse_if_behind(db: &Db<'_>, up_to: Position) -> Result<()> {
    let is_behind = |at: &Position| at.number < up_to.number || at.event < up_to.event;
    match in_use(db)?.iter().find(|row| is_behind(&row.position)) {
        None => Ok(()),
        Some(row) => Err(Error::conflict(format!(
            "{} has yet to queue messages of a job that this copies, which would not be sent then; try again when it has",
            flag_of(&row.route)
        ))),
    }
}

/// A route by which messages of a job have yet to be delivered, or that has yet to look at them.
pub(in crate::store) fn behind(db: &Db<'_>, job: JobRow) -> Result<Option<String>> {
    let mut any = db.conn.prepare_cached("SELECT 1 FROM delivery_routes WHERE in_use = 1 LIMIT 1")?;
    if !any.exists([])? {
        return Ok(None);
    }
    let mut behind = db.conn.prepare_cached(
        "WITH ranges AS MATERIALIZED (SELECT first_number, last_number FROM message_ranges WHERE job = ?1)
         SELECT route FROM delivery_channels
         WHERE route IS NOT NULL AND (
             number < (
                 SELECT max((SELECT max(number) FROM messages WHERE number BETWEEN first_number AND last_number))
                 FROM ranges)
             OR event < (
                 SELECT max(event) FROM ranges
                 CROSS JOIN message_events ON message_events.number BETWEEN first_number AND last_number))
         UNION ALL
         SELECT delivery_queue.route FROM ranges
         CROSS JOIN delivery_queue ON delivery_queue.number BETWEEN first_number AND last_number
         CROSS JOIN delivery_routes ON delivery_routes.route = delivery_queue.route
         WHERE delivery_routes.in_use = 1
         LIMIT 1",
    )?;
    Ok(behind.query_row([job], |row| row.get(0)).optional()?)
}

/// What changes when a channel reads on, or something of it was delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress(i64);

pub fn progress(db: &Db<'_>) -> Result<Progress> {
    let mut progress = db.conn.prepare_cached(
        "SELECT (SELECT coalesce(sum(number + event), 0) FROM delivery_channels WHERE route IS NOT NULL)
             + (SELECT coalesce(sum(delivered + refused), 0) FROM delivery_routes WHERE in_use = 1)",
    )?;
    Ok(Progress(progress.query_row([], |row| row.get(0))?))
}
