//! The routes by which channels are delivered for real: what became of what went by each, and whether it is paused. A channel of
//! `--deliver` has one of its own, with its name; those of `--relay` share one.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{OptionalExtension, Row, params};

use super::engine::{Db, Tx};
use super::{delivery_channel, delivery_queue};
use crate::error::Result;

/// A route that this start has.
#[derive(Clone, Debug)]
pub struct RouteRow {
    pub route: String,
    pub delivered: u64,
    pub refused: u64,
    pub paused_at: Option<i64>,
    pub paused_reason: Option<String>,
}

const COLUMNS: &str = "route, delivered, refused, paused_at, paused_reason";

fn from_row(row: &Row<'_>) -> rusqlite::Result<RouteRow> {
    Ok(RouteRow {
        route: row.get(0)?,
        delivered: row.get(1)?,
        refused: row.get(2)?,
        paused_at: row.get(3)?,
        paused_reason: row.get(4)?,
    })
}

/// The routes that this start has.
pub fn in_use(db: &Db<'_>) -> Result<Vec<RouteRow>> {
    let list = format!("SELECT {COLUMNS} FROM delivery_routes WHERE in_use = 1 ORDER BY route");
    let mut list = db.conn.prepare_cached(&list)?;
    Ok(list.query_map([], from_row)?.collect::<rusqlite::Result<_>>()?)
}

/// The route of this name, if this start has it.
pub fn find(db: &Db<'_>, route: &str) -> Result<Option<RouteRow>> {
    let find = format!("SELECT {COLUMNS} FROM delivery_routes WHERE in_use = 1 AND route = ?1");
    let mut find = db.conn.prepare_cached(&find)?;
    Ok(find.query_row([route], from_row).optional()?)
}

/// Routes with the channels that go by them.
pub type Routes = BTreeMap<String, BTreeSet<&'static str>>;

/// Those of this start.
pub fn with_channels(db: &Db<'_>) -> Result<Routes> {
    let mut routes: Routes = in_use(db)?.into_iter().map(|row| (row.route, BTreeSet::new())).collect();
    for row in delivery_channel::in_use(db)? {
        routes.entry(row.route).or_default().insert(row.channel.name());
    }
    Ok(routes)
}

/// Has these routes used from now on, and no others. A channel that was delivered before, by whichever of them, goes on where
/// it was; a new one begins behind all that is there. Returns how many entries of which channels were moved to the relay.
pub fn set_in_use(tx: &mut Tx<'_>, routes: &Routes) -> Result<Vec<(String, usize)>> {
    tx.conn.execute("UPDATE delivery_routes SET in_use = 0", [])?;
    delivery_channel::unset_routes(tx)?;
    let mut take = tx.conn.prepare_cached(
        "INSERT INTO delivery_routes (route, in_use) VALUES (?1, 1) ON CONFLICT (route) DO UPDATE SET in_use = 1",
    )?;
    for (route, channels) in routes {
        take.execute([route])?;
        channels.iter().try_for_each(|channel| delivery_channel::set_route(tx, channel, route))?;
    }
    delivery_queue::follow_channels(tx)
}

/// Whether nothing is to be sent by a route: it is paused, or this start does not have it.
pub fn is_halted(db: &Db<'_>, route: &str) -> Result<bool> {
    Ok(find(db, route)?.is_none_or(|row| row.paused_at.is_some()))
}

/// What waits by a route, to be shown.
#[derive(Clone, Copy, Debug)]
pub struct RouteState {
    pub queued: usize,
    /// Messages, and events of messages, that are yet to be looked at, whatever their channel.
    pub behind: u64,
    /// When the message of the oldest entry was made.
    pub oldest_at: Option<i64>,
}

pub fn state(db: &Db<'_>, route: &str) -> Result<RouteState> {
    Ok(RouteState {
        queued: delivery_queue::count(db, route)?,
        behind: delivery_channel::count_behind(db, route)?,
        oldest_at: delivery_queue::oldest_at(db, route)?,
    })
}

/// Counts what became of entries.
pub(in crate::store) fn add_counts(tx: &Tx<'_>, route: &str, delivered: u64, refused: u64) -> Result<()> {
    let mut add = tx.conn.prepare_cached(
        "UPDATE delivery_routes SET delivered = delivered + ?2, refused = refused + ?3 WHERE route = ?1",
    )?;
    add.execute(params![route, delivered as i64, refused as i64])?;
    Ok(())
}

/// Pauses a route, and says why, or has it go on. What was said first stays. False if this start does not have it.
pub fn pause(tx: &mut Tx<'_>, route: &str, reason: Option<&str>) -> Result<bool> {
    let changed = match reason {
        Some(reason) => tx.conn.execute(
            "UPDATE delivery_routes SET paused_reason = coalesce(paused_reason, ?2), paused_at = coalesce(paused_at, ?3)
             WHERE route = ?1 AND in_use = 1",
            params![route, reason, tx.now.millis()],
        )?,
        None => tx.conn.execute(
            "UPDATE delivery_routes SET paused_reason = NULL, paused_at = NULL WHERE route = ?1 AND in_use = 1",
            [route],
        )?,
    };
    Ok(changed > 0)
}
