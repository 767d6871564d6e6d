//! The e-mails of an environment, the newest first.

use rusqlite::params;

use super::engine::Db;
use super::message;
use super::outbox::OutboxMessage;
use crate::error::Result;
use crate::model::environment::EnvironmentRow;
use crate::model::row::MessageNumber;

/// Messages with an e-mail in the order in which they were made, backwards, as long as `each` says so. `address` leaves out
/// those that went elsewhere; where an override may have led them there, that is not known here.
pub fn for_each(
    db: &Db<'_>,
    environment: EnvironmentRow,
    address: Option<&str>,
    mut each: impl FnMut(OutboxMessage) -> Result<bool>,
) -> Result<()> {
    let mut list = db.conn.prepare_cached(&format!(
        "SELECT {}, jobs.job, jobs.job_id, message_ranges.created_at,
             message_ranges.first_seq + messages.number - message_ranges.first_number AS seq
         FROM message_ranges CROSS JOIN jobs ON jobs.job = message_ranges.job
         CROSS JOIN messages ON messages.number BETWEEN message_ranges.first_number AND message_ranges.last_number
         WHERE message_ranges.environment = ?1 AND jobs.dropped_at IS NULL
           AND (messages.channel = 'email' OR EXISTS (
               SELECT 1 FROM deliveries WHERE deliveries.number = messages.number AND deliveries.channel = 'email'))
           AND (?2 IS NULL OR messages.address = ?2 COLLATE NOCASE OR EXISTS (
               SELECT 1 FROM deliveries WHERE deliveries.number = messages.number AND deliveries.address = ?2 COLLATE NOCASE)
             OR EXISTS (
               SELECT 1 FROM definitions WHERE definitions.job = jobs.job AND instr(definition, '\"override\"') > 0))
         ORDER BY message_ranges.first_number DESC, messages.number DESC",
        message::COLUMNS
    ))?;
    let mut rows = list.query(params![environment, address])?;
    while let Some(row) = rows.next()? {
        let location = message::located(row, environment)?;
        let message = message::with_deliveries(db, &location, message::from_row(row)?)?;
        if !each(OutboxMessage { message, job: location.job, job_id: row.get("job_id")? })? {
            break;
        }
    }
    Ok(())
}

/// The message there, if it is in this environment and has an e-mail.
pub fn get(db: &Db<'_>, environment: EnvironmentRow, message_id: &str) -> Result<Option<OutboxMessage>> {
    let Some(location) = message::find(db, environment, message_id)? else { return Ok(None) };
    let message = message::with_deliveries(db, &location, message::get_row(db, location.number)?)?;
    let (job, _) = super::job::get_by_number(db, location.job)?;
    Ok(Some(OutboxMessage { message, job: location.job, job_id: job.job_id }))
}

/// The number of the last message, wherever it is.
pub fn last(db: &Db<'_>) -> Result<MessageNumber> {
    message::last_number(db)
}
