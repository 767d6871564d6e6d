//! Running a job: its start, and its users turned into messages.

use super::engine::Tx;
use super::plan::{self, Missing, References};
use super::{failure, job, message};
use crate::error::Result;
use crate::model::bulk::Job;
use crate::model::rendered_batch::{Outcome, RenderedBatch};
use crate::model::row::{JobRow, MessageNumber};

/// Starts a job that was not run yet. What its definition refers to is looked up now, and stays as it is.
pub fn start(tx: &mut Tx<'_>, job: &Job, references: &References) -> Result<Missing> {
    let (versions, missing) = plan::resolve(tx, job.environment, references)?;
    job::start(tx, job.job, &versions)?;
    tx.recipients.drop_job(job.job);
    tx.wakeups.jobs = true;
    Ok(missing)
}

/// Records what became of the users from `first_seq` on: messages, failures, counters and progress together. Fails,
/// changing nothing, if the job's progress is not exactly `first_seq`.
pub fn drain(tx: &mut Tx<'_>, job: JobRow, first_seq: u64, outcomes: &RenderedBatch) -> Result<()> {
    job::advance(tx, job, first_seq, outcomes)?;
    append(tx, job, first_seq, outcomes).map(drop)
}

/// Writes messages and failures of the users from `first_seq` on. Returns the first one's number.
pub(in crate::store) fn append(
    tx: &mut Tx<'_>,
    job: JobRow,
    first_seq: u64,
    outcomes: &RenderedBatch,
) -> Result<MessageNumber> {
    let mut messages = Vec::with_capacity(outcomes.len());
    let first_number = message::append_range(tx, job, first_seq, outcomes.len())?;
    let mut number = first_number;
    tx.wakeups.messages = true;
    for (seq, outcome) in (first_seq..).zip(outcomes.iter()) {
        match outcome {
            Outcome::Message(message) => {
                tx.wakeups.jobs |= message.delay.is_some() || message.endings().next().is_some();
                messages.push(message);
            }
            Outcome::Failure { reason } => {
                failure::add(tx, job, seq, reason)?;
                message::append(tx, number, &messages)?;
                number.0 += messages.len() as i64 + 1;
                messages.clear();
            }
        }
    }
    message::append(tx, number, &messages)?;
    Ok(first_number)
}
