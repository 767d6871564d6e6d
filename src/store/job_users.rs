//! The users of a job with what became of them.

use super::engine::Db;
use super::message::MessageIds;
use super::{failure, user};
use crate::error::Result;
use crate::model::bulk::{Job, UserState};

/// A user of a job with its state.
pub struct JobUser<'a> {
    pub recipient: &'a str,
    /// As it was sent.
    pub user: &'a str,
    pub state: UserState,
}

/// Hands over a job's users in ingest order, at most `limit` from `from_seq` on, until `each` returns false. Returns where
/// to go on, if there are more.
pub fn for_each(
    db: &Db<'_>,
    job: &Job,
    from_seq: u64,
    limit: usize,
    mut each: impl FnMut(&JobUser<'_>) -> Result<bool>,
) -> Result<Option<u64>> {
    let seqs = from_seq..from_seq.saturating_add(limit as u64).min(job.received);
    let message_ids = MessageIds::load(db, job.job, seqs.clone())?;
    let mut reasons = failure::list(db, job.job, seqs.clone())?.into_iter().peekable();
    let mut next = None;
    user::for_each(db, job.job, seqs, |seq, recipient, user| {
        let state = match reasons.next_if(|(failed, _)| *failed == seq) {
            Some((_, reason)) => UserState::Error { reason },
            None if seq < job.drained() => UserState::Enqueued { message_id: message_ids.of(seq)? },
            None => UserState::Pending,
        };
        next = Some(seq + 1);
        each(&JobUser { recipient, user, state })
    })?;
    Ok(next.filter(|next| *next < job.received))
}
