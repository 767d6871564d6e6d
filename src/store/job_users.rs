//! The users of a job with what became of them.

use super::engine::Db;
use super::message::MessageIds;
use super::page::Page;
use super::{failure, user};
use crate::error::Result;
use crate::model::bulk::{Job, UserState};

/// A user of a job with its state.
pub struct JobUser {
    pub seq: u64,
    pub recipient: String,
    /// As it was sent.
    pub user: String,
    pub state: UserState,
}

/// A page of a job's users in ingest order: from `from_seq` on, at most `limit`, and not much more than `bytes` of
/// text.
pub fn list(db: &Db<'_>, job: &Job, from_seq: u64, limit: usize, bytes: usize) -> Result<Page<JobUser, u64>> {
    let mut users: Vec<JobUser> = Vec::new();
    let mut read = 0;
    user::for_each(db, job.job, from_seq..from_seq.saturating_add(limit as u64), |seq, recipient, user| {
        read += recipient.len() + user.len();
        users.push(JobUser { seq, recipient: recipient.to_owned(), user: user.to_owned(), state: UserState::Pending });
        Ok(read < bytes)
    })?;
    let end = users.last().map_or(from_seq, |user| user.seq + 1);
    let message_ids = MessageIds::load(db, job.job, from_seq..end)?;
    let mut reasons = failure::list(db, job.job, from_seq..end)?.into_iter().peekable();
    for user in users.iter_mut().take_while(|user| user.seq < job.drained()) {
        user.state = match reasons.next_if(|(seq, _)| *seq == user.seq) {
            Some((_, reason)) => UserState::Error { reason },
            None => UserState::Enqueued { message_id: message_ids.of(user.seq)? },
        };
    }
    let next = users.last().map(|last| last.seq + 1).filter(|next| *next < job.received);
    Ok(Page { items: users, next })
}
