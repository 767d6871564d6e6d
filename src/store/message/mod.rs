//! Messages: their own rows, and beside them ranges, ids, further deliveries, delays and events.

mod delayed;
mod delivery;
mod ending;
mod event;
mod id;
mod range;

use rusqlite::{Row, params};

pub(in crate::store) use delayed::remove as remove_delayed;
pub use delayed::{DelayedMessage, bring_forward, list_delayed, list_due};
pub use ending::{DueEnding, OWN, bring_endings_forward, list_endings};
pub(in crate::store) use ending::{add as add_ending, remove as remove_ending};
pub(in crate::store) use event::{add as add_event, add_at as add_event_at, list as list_events};
pub(in crate::store) use id::{MessageIds, id_of};
pub use id::{file_tag, find, name};
pub use range::{MessageLocation, last_number, locate};
pub(in crate::store) use range::{append_range, located};

use crate::error::Result;
use crate::model::channel::Channel;
use crate::model::message::{StoredDelivery, StoredMessage};
use crate::model::message_status::{MessageStatus, Reason, Verdict};
use crate::model::provider::Provider;
use crate::model::rendered_batch::RenderedMessage;
use crate::model::row::{MessageNumber, ProfileVersion};
use crate::store::engine::{Db, Tx, rows};
pub(in crate::store) use id::current_id_of;

pub(in crate::store) const COLUMNS: &str = "messages.number, messages.recipient, messages.status, messages.reason, \
                                            messages.error, messages.channel, messages.provider, messages.address, \
                                            messages.subject, messages.body, messages.content, \
                                            messages.profile_version";

/// What stands in the message's own row.
pub(in crate::store) struct MessageRow {
    pub number: MessageNumber,
    recipient: String,
    status: MessageStatus,
    reason: Option<Reason>,
    error: Option<String>,
    /// The delivery that these fields are about.
    delivery: Option<StoredDelivery>,
    profile_version: Option<ProfileVersion>,
}

/// The row of a message that exists.
pub(in crate::store) fn get_row(db: &Db<'_>, number: MessageNumber) -> Result<MessageRow> {
    let mut get = db.conn.prepare_cached(&format!("SELECT {COLUMNS} FROM messages WHERE number = ?1"))?;
    Ok(get.query_row([number], from_row)?)
}

pub(in crate::store) fn from_row(row: &Row<'_>) -> rusqlite::Result<MessageRow> {
    let status = rows::name(row, 2, MessageStatus::from_name)?;
    let reason = rows::optional_name(row, 3, Reason::from_name)?;
    let error: Option<String> = row.get(4)?;
    let delivery = match rows::optional_name(row, 5, Channel::from_name)? {
        Some(channel) => Some(StoredDelivery {
            position: OWN,
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
pub(in crate::store) fn with_deliveries(
    db: &Db<'_>,
    location: &MessageLocation,
    row: MessageRow,
) -> Result<StoredMessage> {
    let (mut deliveries, mut after) = delivery::list(db, location.number)?;
    deliveries.extend(row.delivery);
    deliveries.append(&mut after);
    Ok(StoredMessage {
        number: row.number,
        message_id: current_id_of(db, location)?,
        recipient: row.recipient,
        status: row.status,
        reason: row.reason,
        error: row.error,
        deliveries,
        enqueued_at: location.created_at,
        seq: location.seq,
        profile_version: row.profile_version,
    })
}

impl rows::InsertRow for RenderedMessage<'_> {
    const INSERT: &'static str = "INSERT INTO messages (number, status, reason, error, channel, provider, \
                                  profile_version, recipient, address, subject, body, content)";
    const SHARED: usize = 6;
    const OWN: usize = 5;

    fn statements() -> &'static rows::Statements {
        static STATEMENTS: rows::Statements = rows::Statements::new();
        &STATEMENTS
    }

    fn shares(&self, other: &Self) -> bool {
        let shared = |it: &Self| {
            let delivery = it.delivery.map(|it| (it.channel, it.provider));
            (it.verdict, delivery, it.profile_version)
        };
        shared(self) == shared(other)
    }

    fn bind_shared(&self, row: &mut rows::Parameters<'_, '_>) -> rusqlite::Result<()> {
        row.bind(self.verdict.status.name())?;
        row.bind(self.verdict.reason.map(Reason::name))?;
        row.bind(self.verdict.error.as_deref())?;
        row.bind(self.delivery.map(|it| it.channel.name()))?;
        row.bind(self.delivery.map(|it| it.provider.name()))?;
        row.bind(self.profile_version)
    }

    fn bind_own(&self, row: &mut rows::Parameters<'_, '_>) -> rusqlite::Result<()> {
        row.bind(self.recipient)?;
        row.bind(self.delivery.map(|it| it.address))?;
        row.bind(self.delivery.and_then(|it| it.subject))?;
        row.bind(self.delivery.map(|it| it.body))?;
        row.bind(self.delivery.and_then(|it| it.content))
    }
}

/// Appends messages, numbered from `first_number` on, with their further deliveries and their delays.
pub(in crate::store) fn append(
    tx: &Tx<'_>,
    first_number: MessageNumber,
    messages: &[RenderedMessage<'_>],
) -> Result<()> {
    rows::append(tx.conn, first_number.0, messages)?;
    for (number, message) in (first_number.0..).zip(messages) {
        append_further(tx, MessageNumber(number), message)?;
    }
    Ok(())
}

fn append_further(tx: &Tx<'_>, number: MessageNumber, message: &RenderedMessage<'_>) -> Result<()> {
    delivery::append(tx, number, message)?;
    for (position, ending) in message.endings() {
        ending::add(tx, (number, position), tx.now.after(ending.after_millis), &ending.verdict)?;
    }
    match message.delay {
        Some(delay) => delayed::add(tx, number, delay.due_at(tx.now)),
        None => Ok(()),
    }
}

/// Rewrites a message that has waited.
pub(in crate::store) fn rewrite(tx: &Tx<'_>, number: MessageNumber, message: &RenderedMessage<'_>) -> Result<()> {
    let mut rewrite = tx.conn.prepare_cached(
        "UPDATE messages SET status = ?2, reason = ?3, error = ?4, channel = ?5, provider = ?6, address = ?7,
             subject = ?8, body = ?9, content = ?10, profile_version = ?11
         WHERE number = ?1",
    )?;
    let delivery = message.delivery.as_ref();
    rewrite.execute(params![
        number,
        message.verdict.status.name(),
        message.verdict.reason.map(Reason::name),
        message.verdict.error,
        delivery.map(|it| it.channel.name()),
        delivery.map(|it| it.provider.name()),
        delivery.map(|it| it.address),
        delivery.and_then(|it| it.subject),
        delivery.map(|it| it.body),
        delivery.and_then(|it| it.content),
        message.profile_version
    ])?;
    append_further(tx, number, message)
}

/// Records the final status of a message that went out.
pub(in crate::store) fn set_verdict(tx: &Tx<'_>, number: MessageNumber, verdict: &Verdict) -> Result<()> {
    let mut set =
        tx.conn.prepare_cached("UPDATE messages SET status = ?2, reason = ?3, error = ?4 WHERE number = ?1")?;
    set.execute(params![number, verdict.status.name(), verdict.reason.map(Reason::name), verdict.error])?;
    Ok(())
}

/// The same for one of its further deliveries, if that is still on its way. Returns whether it was.
pub(in crate::store) fn set_further_verdict(
    tx: &Tx<'_>,
    number: MessageNumber,
    position: i64,
    verdict: &Verdict,
) -> Result<bool> {
    let Some(status) = delivery::status(tx, number, position)? else { return Ok(false) };
    let is_next = status.can_become(verdict.status);
    if is_next {
        delivery::set_verdict(tx, number, position, verdict)?;
    }
    Ok(is_next)
}

/// Keeps a delayed message from going out. False if it does not wait (any more).
pub(in crate::store) fn cancel(tx: &Tx<'_>, number: MessageNumber) -> Result<bool> {
    let mut cancel =
        tx.conn.prepare_cached("UPDATE messages SET status = 'CANCELED' WHERE number = ?1 AND status = 'DELAYED'")?;
    Ok(cancel.execute([number])? > 0)
}
