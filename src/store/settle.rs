//! What becomes of messages that wait: sent, refused or canceled; and what happens to those that went out.

use super::engine::Tx;
use super::message::{self, DueEnding, MessageLocation};
use super::{delivery_queue, tracking};
use crate::error::{Error, Result};
use crate::model::message::TrackedMessage;
use crate::model::message_status::{MessageStatus, Reason, Verdict};
use crate::model::outcome::Ending;
use crate::model::rendered_batch::RenderedMessage;
use crate::model::row::{DeliveryEntry, MessageNumber};

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
    check_next(message.stored.status, verdict)?;
    tell_beginning(tx, place, &message)?;
    message::set_verdict(tx, place.number, verdict)?;
    message::add_event(tx, place.number, verdict.status)
}

/// Has it happen after so many milliseconds, and nothing else that was to happen by then.
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

/// Writes down with what a message began, which its row tells no longer.
fn tell_beginning(tx: &mut Tx<'_>, place: &MessageLocation, message: &TrackedMessage) -> Result<()> {
    match message.events.is_empty() {
        true => message::add_event_at(tx, place.number, message.stored.status, place.created_at),
        false => Ok(()),
    }
}

/// A message comes to the end that was said of it, unless it has come to another one, or is gone.
pub fn end(tx: &mut Tx<'_>, due: &DueEnding) -> Result<()> {
    if !message::remove_ending(tx, due.number, due.position)? {
        return Ok(());
    }
    come_to(tx, due.number, due.position, &due.verdict)
}

/// A delivery comes to this, unless it has come to something else, or is gone.
fn come_to(tx: &mut Tx<'_>, number: MessageNumber, position: i64, verdict: &Verdict) -> Result<()> {
    let Some(place) = message::locate(tx, number)? else { return Ok(()) };
    let message = tracking::get(tx, &place)?;
    let status = match position {
        message::OWN if message.stored.status.can_become(verdict.status) => {
            message::set_verdict(tx, number, verdict)?;
            verdict.status
        }
        message::OWN => return Ok(()),
        position if message::set_further_verdict(tx, number, position, verdict)? => message.stored.status,
        _ => return Ok(()),
    };
    // Of a further delivery the event has the message's own status: no follower is told of anything new, and all look again.
    tell_beginning(tx, &place, &message)?;
    message::add_event(tx, number, status)
}

/// What came of an attempt to deliver.
#[derive(Clone, Debug)]
pub enum Attempt {
    Delivered,
    GivenUp {
        reason: Reason,
        error: String,
    },
    /// To be tried again after so many milliseconds.
    Retry {
        error: String,
        after_millis: i64,
    },
    /// The same, and it does not count: what was wrong was not wrong with the message.
    PutOff {
        error: String,
        after_millis: i64,
    },
    /// There is nothing to deliver any more.
    Gone,
}

/// Writes down what came of entries of a channel's queue, which go with that, unless they are to be tried again. Says
/// nothing of one that is gone.
pub fn deliver(tx: &mut Tx<'_>, channel: &str, attempts: &[(DeliveryEntry, Attempt)]) -> Result<()> {
    let (mut delivered, mut refused) = (0, 0);
    for (entry, attempt) in attempts {
        let Some((number, position)) = delivery_queue::find(tx, channel, *entry)? else { continue };
        match attempt {
            Attempt::Retry { error, after_millis } => {
                delivery_queue::put_off(tx, *entry, (1, error), *after_millis)?;
                continue;
            }
            Attempt::PutOff { error, after_millis } => {
                delivery_queue::put_off(tx, *entry, (0, error), *after_millis)?;
                continue;
            }
            Attempt::Gone => {}
            Attempt::Delivered => {
                come_to(tx, number, position, &Verdict::of(MessageStatus::Delivered))?;
                delivered += 1;
            }
            Attempt::GivenUp { reason, error } => {
                // What has arrived meanwhile, as a test may say, or was opened, stays so.
                if position != message::OWN || status_of(tx, number)? == Some(MessageStatus::Sent) {
                    let verdict = Verdict::new(MessageStatus::Undeliverable, *reason, error.clone());
                    come_to(tx, number, position, &verdict)?;
                }
                refused += 1;
            }
        }
        delivery_queue::remove(tx, *entry)?;
    }
    if delivered + refused > 0 {
        delivery_queue::add_counts(tx, channel, delivered, refused)?;
    }
    Ok(())
}

fn status_of(tx: &Tx<'_>, number: MessageNumber) -> Result<Option<MessageStatus>> {
    let place = message::locate(tx, number)?;
    place.map(|place| Ok(tracking::get(tx, &place)?.stored.status)).transpose()
}

/// A message stays as it is.
pub fn forget_ending(tx: &mut Tx<'_>, number: MessageNumber, position: i64) -> Result<()> {
    message::remove_ending(tx, number, position).map(drop)
}
