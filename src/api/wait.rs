//! `/_bulkd/wait`. Ours; Courier has nothing of the kind.

use super::call::{Action, Call};
use super::outbox;
use crate::error::Result;
use crate::model::environment::EnvironmentRow;
use crate::model::row::MessageNumber;
use crate::store::{Db, job, message};
use crate::waits::{Asked, Condition};

/// `POST /_bulkd/wait`: 200 as soon as it is so, else 412. What was there before counts.
pub fn wait(mut call: Call<'_>) -> Result<Action> {
    let mut asked = Asked::read(&call.json()?)?;
    let waits = call.settings.waits.clone();
    Action::reply(move |view| {
        let (first, of_send) = view.read(|db, environment| {
            let job_id = match &asked.condition {
                Condition::Job { job_id, .. } => Some(job_id),
                Condition::Outbox { criteria, .. } => criteria.job_id.as_ref(),
                Condition::Settled => None,
            };
            let of_send = match job_id {
                Some(job_id) if job::find(db, environment, job_id)?.is_none() => match asked.condition {
                    Condition::Job { .. } => Some(of_message(db, environment, job_id)?),
                    _ => return Err(job::not_found(db, job_id)?),
                },
                _ => None,
            };
            let after = asked.after.as_deref();
            let first = after.map_or(Ok(MessageNumber(0)), |after| outbox::behind(db, environment, "after", after))?;
            Ok((first, of_send))
        })?;
        if let (Condition::Job { job_id, .. }, Some(of_send)) = (&mut asked.condition, of_send) {
            *job_id = of_send;
        }
        waits.reply(view.environment(), asked, first)
    })
}

/// The id of the job that a message belongs to: a send to one recipient is known by its message's id.
fn of_message(db: &Db<'_>, environment: EnvironmentRow, message_id: &str) -> Result<String> {
    match message::find(db, environment, message_id)? {
        Some(found) => Ok(job::get_by_number(db, found.job)?.0.job_id),
        None => Err(job::not_found(db, message_id)?),
    }
}
