//! One send: what must be known before it is made, and its job with users and messages.

use super::engine::{Db, Tx};
use super::job::{PinnedVersions, Progress};
use super::plan::{self, Missing, References};
use super::recipient_lookup::RecipientLookup;
use super::{environment as environments, job, message, run, user};
use crate::error::Result;
use crate::model::bulk::JobStatus;
use crate::model::environment::EnvironmentRow;
use crate::model::rendered_batch::RenderedBatch;
use crate::model::resolved::ResolvedDefinition;
use crate::model::stored_recipient::StoredRecipient;

/// All that must be known before a send is made.
pub struct ResolvedSend {
    pub versions: PinnedVersions,
    pub missing: Missing,
    pub plan: ResolvedDefinition,
    /// For each recipient, or only for the first ones if the stored data of all is too much to hold.
    pub known: Vec<StoredRecipient>,
}

/// Looks up what `plan` names, and what is stored of recipients until that exceeds `bytes` of text.
pub fn resolve(
    db: &Db<'_>,
    environment: EnvironmentRow,
    mut plan: ResolvedDefinition,
    users: &[(&str, &str)],
    bytes: usize,
) -> Result<ResolvedSend> {
    let (versions, missing) = plan::resolve(db, environment, &References::of(&plan.definition))?;
    plan::resolve_into(&mut plan, db, environment, &versions)?;
    let lookup = RecipientLookup::new(db, environment)?;
    let (mut known, mut held) = (Vec::new(), 0);
    for user in users {
        if held > bytes {
            break;
        }
        let of_one = lookup.get(db, *user, plan.subject())?;
        held += of_one.bytes();
        known.push(of_one);
    }
    Ok(ResolvedSend { versions, missing, plan, known })
}

/// Makes the job of a send, in its present state. `users` are all of its recipients and what was sent of them,
/// `outcomes` what became of each. Without outcomes the job is left to the runner. Returns the message's id if there is
/// one message, else the job's.
pub fn create(
    tx: &mut Tx<'_>,
    environment: EnvironmentRow,
    definition: &str,
    versions: &PinnedVersions,
    users: &[(&str, &str)],
    outcomes: Option<&RenderedBatch>,
) -> Result<String> {
    let job_id = tx.ids.job(tx.now);
    // It was sent before the reset, and went with it.
    if !environments::is_there(tx, environment)? {
        return Ok(job_id);
    }
    let is_complete = users.is_empty() || outcomes.is_some();
    let failures = outcomes.map_or(0, RenderedBatch::failures);
    let progress = Progress {
        received: users.len(),
        enqueued: outcomes.map_or(0, RenderedBatch::len) - failures,
        failures,
        status: if is_complete { JobStatus::Completed } else { JobStatus::Processing },
    };
    let job = job::create_send(tx, environment, &job_id, definition, versions, &progress)?;
    if !users.is_empty() {
        user::append(tx, job, 0, users)?;
    }
    match (users, outcomes) {
        ([], _) => Ok(job_id),
        (_, None) => {
            tx.wakeups.jobs = true;
            Ok(job_id)
        }
        (_, Some(outcomes)) => {
            let first_number = run::append(tx, job, 0, outcomes)?;
            Ok(if users.len() == 1 { message::id_of(tx, tx.now, first_number)? } else { job_id })
        }
    }
}
