//! `/_bulkd/wait`. Ours; Courier has nothing of the kind.

use super::call::{Action, Call};
use super::outbox;
use crate::error::Result;
use crate::model::row::MessageNumber;
use crate::store::job;
use crate::waits::{Asked, Condition};

/// `POST /_bulkd/wait`: 200 as soon as it is so, else 412. What was there before counts.
pub fn wait(mut call: Call<'_>) -> Result<Action> {
    let asked = Asked::read(&call.json()?)?;
    let waits = call.settings.waits.clone();
    Action::reply(move |view| {
        let first = view.read(|db, environment| {
            let job_id = match &asked.condition {
                Condition::Job { job_id, .. } => Some(job_id),
                Condition::Outbox { criteria, .. } => criteria.job_id.as_ref(),
                Condition::Settled => None,
            };
            if let Some(job_id) = job_id
                && job::find(db, environment, job_id)?.is_none()
            {
                return Err(job::not_found(db, job_id)?);
            }
            let after = asked.after.as_deref();
            after.map_or(Ok(MessageNumber(0)), |after| outbox::behind(db, environment, "after", after))
        })?;
        waits.reply(view.environment(), asked, first)
    })
}
