//! What becomes of messages that wait: sent, refused or canceled; and what happens to those that went out.

use super::engine::Tx;
use super::message::{self, MessageLocation};
use super::tracking;
use crate::error::{Error, Result};
use crate::model::message_status::{MessageStatus, Verdict};
use crate::model::rendered_batch::RenderedMessage;
use crate::model::row::MessageNumber;

/// Writes what became of a message that has waited. Nothing, if it was canceled meanwhile.
pub fn settle(tx: &mut Tx<'_>, number: MessageNumber, message: &RenderedMessage<'_>) -> Result<()> {
    if !message::remove_delayed(tx, number)? {
        return Ok(());
    }
    message::rewrite(tx, number, message)?;
    message::add_event(tx, number, message.verdict.status)
}

/// Keeps a delayed message from going out. False if it does not wait (any more).
pub fn cancel(tx: &mut Tx<'_>, number: MessageNumber) -> Result<bool> {
    if !message::cancel(tx, number)? {
        return Ok(false);
    }
    message::remove_delayed(tx, number)?;
    message::add_event(tx, number, MessageStatus::Canceled)?;
    Ok(true)
}

/// What happens to a message that went out: it arrives, is read, or comes back.
pub fn happen(tx: &mut Tx<'_>, place: &MessageLocation, verdict: &Verdict) -> Result<()> {
    let message = tracking::get(tx, place)?;
    let status = message.stored.status;
    let is_on_its_way = MessageStatus::LIFECYCLE.contains(&status);
    let is_further = verdict.status == MessageStatus::Undeliverable || !status.includes(verdict.status);
    if !is_on_its_way || !is_further {
        let (status, wanted) = (status.name(), verdict.status.name());
        return Err(Error::conflict(format!("the message is {status}, and cannot become {wanted} any more")));
    }
    // With what it began, which its row tells no longer.
    if message.events.is_empty() {
        message::add_event_at(tx, place.number, status, place.created_at)?;
    }
    message::set_verdict(tx, place.number, verdict)?;
    message::add_event(tx, place.number, verdict.status)
}
