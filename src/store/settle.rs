//! What becomes of messages that wait: sent, refused or canceled; and what happens to those that went out.

use super::engine::Tx;
use super::message::{self, DueEnding, MessageLocation};
use super::tracking;
use crate::error::{Error, Result};
use crate::model::message::TrackedMessage;
use crate::model::message_status::{MessageStatus, Verdict};
use crate::model::outcome::Ending;
use crate::model::rendered_batch::RenderedMessage;
use crate::model::row::MessageNumber;

/// Records what became of a message that has waited. Does nothing if it was canceled meanwhile.
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

/// What happens to a message that went out: it is delivered, read, or bounces.
pub fn happen(tx: &mut Tx<'_>, place: &MessageLocation, verdict: &Verdict) -> Result<()> {
    let message = tracking::get(tx, place)?;
    check_next(message.stored.status, verdict)?;
    tell_beginning(tx, place, &message)?;
    message::set_verdict(tx, place.number, verdict)?;
    message::add_event(tx, place.number, verdict.status)
}

/// Makes it happen after so many milliseconds, in place of what was set before.
pub fn happen_later(tx: &mut Tx<'_>, place: &MessageLocation, ending: &Ending) -> Result<()> {
    check_next(tracking::get(tx, place)?.stored.status, &ending.verdict)?;
    let due_at = tx.now.after(ending.after_millis);
    message::add_ending(tx, (place.number, message::OWN), due_at, &ending.verdict)?;
    tx.wakeups.jobs = true;
    Ok(())
}

fn check_next(status: MessageStatus, verdict: &Verdict) -> Result<()> {
    if status.can_become(verdict.status) {
        return Ok(());
    }
    let (is, wanted) = (status.name(), verdict.status.name());
    Err(Error::conflict(match status {
        _ if status == verdict.status => format!("the message is {is} already"),
        _ if status.includes(verdict.status) => format!("the message is {is}, which comes after {wanted}"),
        MessageStatus::Delayed => format!("the message is {is}: it has to go out before it can become {wanted}"),
        _ => format!("the message is {is}, and cannot become {wanted} any more"),
    }))
}

/// Records what a message began as, since its row loses that now.
fn tell_beginning(tx: &mut Tx<'_>, place: &MessageLocation, message: &TrackedMessage) -> Result<()> {
    match message.events.is_empty() {
        true => message::add_event_at(tx, place.number, message.stored.status, place.created_at),
        false => Ok(()),
    }
}

/// Ends a message as it was set, unless it has ended otherwise, or is gone.
pub fn end(tx: &mut Tx<'_>, due: &DueEnding) -> Result<()> {
    if !message::remove_ending(tx, due.number, due.position)? {
        return Ok(());
    }
    come_to(tx, due.number, due.position, &due.verdict)
}

/// Gives a delivery this status, unless it has another final one, or is gone.
pub(in crate::store) fn come_to(
    tx: &mut Tx<'_>,
    number: MessageNumber,
    position: i64,
    verdict: &Verdict,
) -> Result<()> {
    come_from(tx, (number, position), verdict, |status| status.can_become(verdict.status))
}

/// A delivery that is on its way comes to this; one that has come to something else stays so.
pub(in crate::store) fn give_up(
    tx: &mut Tx<'_>,
    number: MessageNumber,
    position: i64,
    verdict: &Verdict,
) -> Result<()> {
    come_from(tx, (number, position), verdict, |status| status == MessageStatus::Sent)
}

/// A delivery comes to this, if its message's own status allows that where it is the message's own.
fn come_from(
    tx: &mut Tx<'_>,
    (number, position): (MessageNumber, i64),
    verdict: &Verdict,
    may_become: impl Fn(MessageStatus) -> bool,
) -> Result<()> {
    let Some(place) = message::locate(tx, number)? else { return Ok(()) };
    let message = tracking::get(tx, &place)?;
    let status = match position {
        message::OWN if may_become(message.stored.status) => {
            message::set_verdict(tx, number, verdict)?;
            verdict.status
        }
        message::OWN => return Ok(()),
        position if message::set_further_verdict(tx, number, position, verdict)? => message.stored.status,
        _ => return Ok(()),
    };
    // For a further delivery the event has the message's own status: followers see nothing new, and all of them look
    // again.
    tell_beginning(tx, &place, &message)?;
    message::add_event(tx, number, status)
}

/// Leaves a message as it is.
pub fn forget_ending(tx: &mut Tx<'_>, number: MessageNumber, position: i64) -> Result<()> {
    message::remove_ending(tx, number, position).map(drop)
}
