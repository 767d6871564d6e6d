//! What was done to e-mails through Mailpit's API. The outbox knows nothing of it.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What was done to e-mails, by the numbers of their messages. It is of this process.
#[derive(Default)]
pub struct MailboxState(Mutex<Done>);

/// Numbers of messages.
#[derive(Default)]
pub struct Done {
    /// All up to this one are hidden.
    pub hidden_to: i64,
    pub hidden: HashSet<i64>,
    pub read: HashSet<i64>,
}

impl MailboxState {
    pub fn done(&self) -> MutexGuard<'_, Done> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Done {
    pub fn hides(&self, number: i64) -> bool {
        number <= self.hidden_to || self.hidden.contains(&number)
    }
}
