//! What came of attempts to deliver messages for real, written down in one commit with the queue that they leave.

use super::engine::Tx;
use super::{delivery_queue, delivery_route, settle};
use crate::error::Result;
use crate::model::message_status::{MessageStatus, Reason, Verdict};
use crate::model::row::DeliveryEntry;

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
    /// To be tried again, and this does not count: what was wrong was not wrong with the message.
    PutOff {
        error: String,
    },
    /// There is nothing to deliver any more.
    Gone,
}

/// Writes down what came of entries of a route's queue, which go with that, unless they are to be tried again. Says
/// nothing of one that is gone.
pub fn write_outcomes(tx: &mut Tx<'_>, route: &str, attempts: &[(DeliveryEntry, Attempt)]) -> Result<()> {
    let (mut delivered, mut refused) = (0, 0);
    for (entry, attempt) in attempts {
        let Some((number, position)) = delivery_queue::find(tx, route, *entry)? else { continue };
        match attempt {
            Attempt::Retry { error, after_millis } => {
                delivery_queue::put_off(tx, *entry, (1, error), *after_millis)?;
                continue;
            }
            Attempt::PutOff { error } => {
                delivery_queue::put_off(tx, *entry, (0, error), 0)?;
                continue;
            }
            Attempt::Gone => {}
            Attempt::Delivered => {
                settle::come_to(tx, number, position, &Verdict::of(MessageStatus::Delivered))?;
                delivered += 1;
            }
            Attempt::GivenUp { reason, error } => {
                // What has arrived meanwhile, as a test may say, or was opened, stays so.
                let verdict = Verdict::new(MessageStatus::Undeliverable, *reason, error.clone());
                settle::give_up(tx, number, position, &verdict)?;
                refused += 1;
            }
        }
        delivery_queue::remove(tx, *entry)?;
    }
    if delivered + refused > 0 {
        delivery_route::add_counts(tx, route, delivered, refused)?;
    }
    Ok(())
}
