//! `/_bulkd/wait`. Ours; Courier has nothing of the kind.

use super::call::{Action, Call};
use super::outbox;
use crate::error::Result;
use crate::model::row::MessageNumber;
use crate::store::job;
use crate::waits::Asked;

/// `POST /_bulkd/wait`: 200 as soon as the condition holds, else 412. What was there before counts.
pub fn wait(mut call: Call<'_>) -> Result<Action> {
    let mut asked = Asked::read(&call.json()?)?;
    let waits = call.settings.waits.clone();
    Action::reply(move |view| {
        let (first, job_id) = view.read(|db, environment| {
            let job_id = match asked.condition.job_id() {
                Some(job_id) => Some(job::get_requested(db, environment, job_id)?.job_id),
                None => None,
            };
            let after = asked.after.as_deref();
            let first = after.map_or(Ok(MessageNumber(0)), |after| outbox::behind(db, environment, "after", after))?;
            Ok((first, job_id))
        })?;
        if let Some(job_id) = job_id {
            asked.condition.be_of_job(job_id);
        }
        waits.reply(view.environment(), asked, first)
    })
}
