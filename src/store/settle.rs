//! What becomes of messages that wait: sent, refused or canceled.

use super::engine::Tx;
use super::message;
use crate::error::Result;
use crate::model::message_status::MessageStatus;
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
