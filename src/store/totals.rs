//! How much there is in the file, for monitoring, as a few rows tell it.

use super::engine::Db;
use super::{message, webhook, webhook_event};
use crate::error::Result;

pub struct Totals {
    /// Users and messages that were ever stored, including those that were dropped.
    pub users: i64,
    pub messages: i64,
    pub jobs_processing: i64,
    /// Of these jobs.
    pub users_waiting: i64,
    pub webhook_events_waiting: usize,
}

pub fn get(db: &Db<'_>) -> Result<Totals> {
    let mut users = db.conn.prepare_cached(
        "SELECT max(coalesce((SELECT last_number FROM user_ranges ORDER BY first_number DESC LIMIT 1), 0), dropped_user)
         FROM file",
    )?;
    let mut jobs = db.conn.prepare_cached(
        "SELECT count(*), coalesce(sum(received - enqueued - failures), 0) FROM jobs WHERE status = 'PROCESSING'",
    )?;
    let (jobs_processing, users_waiting) = jobs.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let webhooks = webhook::all(db)?;
    let waiting = webhooks.iter().map(|it| webhook_event::count_pending(db, it.webhook));
    Ok(Totals {
        users: users.query_row([], |row| row.get(0))?,
        messages: message::last_number(db)?.0,
        jobs_processing,
        users_waiting,
        webhook_events_waiting: waiting.sum::<Result<usize>>()?,
    })
}
