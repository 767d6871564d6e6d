//! One send: what it needs to know before it is made, and its job with users and messages.

use super::engine::{Db, Tx};
use super::job::{PinnedVersions, Progress};
use super::plan::{self, References};
use super::recipient_lookup::RecipientLookup;
use super::{environment, job, message, run, user};
use crate::error::Result;
use crate::model::bulk::{JobKind, JobStatus};
use crate::model::definition::Definition;
use crate::model::environment::{Environment, EnvironmentRow};
use crate::model::rendered_batch::RenderedBatch;
use crate::model::resolved::ResolvedDefinition;
use crate::model::stored_recipient::StoredRecipient;

/// All that a send needs to know before it is made.
pub struct ResolvedSend {
    /// The row of the environment in which it was looked up, if it had one.
    pub environment: Option<EnvironmentRow>,
    pub versions: PinnedVersions,
    pub plan: ResolvedDefinition,
    /// Of each recipient, or only of the first ones if what is stored of all is too much to hold.
    pub known: Vec<StoredRecipient>,
}

/// Looks up what is stored of recipients until that is more than `bytes` of text.
pub fn resolve(
    db: &Db<'_>,
    environment: &Environment,
    definition: Definition,
    users: &[(&str, &str)],
    bytes: usize,
) -> Result<ResolvedSend> {
    let mut plan = ResolvedDefinition::new(definition, JobKind::Send);
    let Some(environment) = environment::find(db, environment)? else {
        plan.is_simulation = environment.is_simulation();
        References::of(&plan.definition).brand_id.iter().for_each(|brand_id| plan::warn_without_brand(brand_id));
        let known = users.iter().map(|_| StoredRecipient::default()).collect();
        return Ok(ResolvedSend { environment: None, versions: PinnedVersions::default(), plan, known });
    };
    let versions = plan::resolve(db, environment, &References::of(&plan.definition))?;
    plan::resolve_into(&mut plan, db, environment, &versions)?;
    let topic_id = plan.topic.as_ref().map(|topic| topic.topic_id.as_str());
    let lookup = RecipientLookup::new(db, environment)?;
    let tenant_id = plan.definition.options.tenant_id.as_deref();
    let (mut known, mut held) = (Vec::new(), 0);
    for user in users {
        if held > bytes {
            break;
        }
        let of_one = lookup.get(db, *user, topic_id, tenant_id)?;
        held += of_one.bytes();
        known.push(of_one);
    }
    Ok(ResolvedSend { environment: Some(environment), versions, plan, known })
}

/// Makes the job of a send, in the state that it is in by then. `users` are all of its recipients and what was sent of
/// them, `outcomes` what became of each; without these the job is left to the runner. Returns the message's id if there
/// is one message, else the job's.
pub fn create(
    tx: &mut Tx<'_>,
    environment: EnvironmentRow,
    definition: &str,
    versions: &PinnedVersions,
    users: &[(&str, &str)],
    outcomes: Option<&RenderedBatch>,
) -> Result<String> {
    let job_id = tx.ids.job(tx.now);
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
