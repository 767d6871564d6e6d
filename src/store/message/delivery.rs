//! The further deliveries of messages: what went out besides the first, or was refused before it.

use rusqlite::{OptionalExtension, params};

use crate::error::Result;
use crate::model::channel::Channel;
use crate::model::message::StoredDelivery;
use crate::model::message_status::{MessageStatus, Reason, Verdict};
use crate::model::provider::Provider;
use crate::model::rendered_batch::RenderedMessage;
use crate::model::row::MessageNumber;
use crate::store::engine::{Db, Tx, rows};

/// Writes further deliveries.
pub(in crate::store) fn append(tx: &Tx<'_>, number: MessageNumber, message: &RenderedMessage<'_>) -> Result<()> {
    for (position, verdict, delivery) in message.further() {
        let mut insert = tx.conn.prepare_cached(
            "INSERT INTO deliveries
                 (number, position, status, reason, error, channel, provider, address, subject, body, content)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?;
        insert.execute(params![
            number,
            position,
            verdict.status.name(),
            verdict.reason.map(Reason::name),
            verdict.error,
            delivery.channel.name(),
            delivery.provider.name(),
            delivery.address,
            delivery.subject,
            delivery.body,
            delivery.content
        ])?;
    }
    Ok(())
}

/// The further deliveries of a message: those that were tried before the one in its own row, and those that went out as
/// well.
pub(in crate::store) fn list(db: &Db<'_>, number: MessageNumber) -> Result<(Vec<StoredDelivery>, Vec<StoredDelivery>)> {
    let mut list = db.conn.prepare_cached(
        "SELECT position, status, reason, error, channel, provider, address, subject, body, content
         FROM deliveries WHERE number = ?1 ORDER BY position",
    )?;
    let (mut before, mut after) = (Vec::new(), Vec::new());
    let mut rows = list.query([number])?;
    while let Some(row) = rows.next()? {
        let position = row.get(0)?;
        let delivery = StoredDelivery {
            position,
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
        if position < 0 { before.push(delivery) } else { after.push(delivery) }
    }
    Ok((before, after))
}

/// The status of a further delivery, if there is one at this position.
pub(in crate::store) fn status(db: &Db<'_>, number: MessageNumber, position: i64) -> Result<Option<MessageStatus>> {
    let mut get = db.conn.prepare_cached("SELECT status FROM deliveries WHERE number = ?1 AND position = ?2")?;
    let status = get.query_row(params![number, position], |row| rows::name(row, 0, MessageStatus::from_name));
    Ok(status.optional()?)
}

pub(in crate::store) fn set_verdict(
    tx: &Tx<'_>,
    number: MessageNumber,
    position: i64,
    verdict: &Verdict,
) -> Result<()> {
    let mut set = tx.conn.prepare_cached(
        "UPDATE deliveries SET status = ?3, reason = ?4, error = ?5 WHERE number = ?1 AND position = ?2",
    )?;
    let (status, reason) = (verdict.status.name(), verdict.reason.map(Reason::name));
    set.execute(params![number, position, status, reason, verdict.error])?;
    Ok(())
}
