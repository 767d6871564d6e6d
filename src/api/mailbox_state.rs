//! What was done to e-mails through Mailpit's API. The outbox knows nothing of it.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What was done to e-mails, by the numbers of their messages. It lives in this process.
#[derive(Default)]
pub struct MailboxState(Mutex<State>);

#[derive(Default)]
struct State {
    done: Done,
    /// What had been done when a snapshot was taken, by its name.
    of_snapshots: HashMap<String, Done>,
}

/// Numbers of messages.
#[derive(Clone, Default)]
pub struct Done {
    /// All up to this one are hidden.
    pub hidden_to: i64,
    pub hidden: HashSet<i64>,
    pub read: HashSet<i64>,
}

/// What was done, locked while it is in use.
pub struct Held<'a>(MutexGuard<'a, State>);

impl std::ops::Deref for Held<'_> {
    type Target = Done;

    fn deref(&self) -> &Done {
        &self.0.done
    }
}

impl std::ops::DerefMut for Held<'_> {
    fn deref_mut(&mut self) -> &mut Done {
        &mut self.0.done
    }
}

impl MailboxState {
    pub fn done(&self) -> Held<'_> {
        Held(self.state())
    }

    /// A snapshot of the mailbox's environment was taken.
    pub fn keep(&self, name: &str) {
        let mut state = self.state();
        let done = state.done.clone();
        state.of_snapshots.insert(name.to_owned(), done);
    }

    /// The environment was brought back to a snapshot. Messages that were copied have other numbers now.
    pub fn restore(&self, name: &str, copied: &[(i64, i64, i64)]) {
        let mut state = self.state();
        let Some(kept) = state.of_snapshots.get_mut(name) else { return };
        kept.follow(copied);
        let done = kept.clone();
        state.done = done;
    }

    /// A snapshot was deleted.
    pub fn forget(&self, name: &str) {
        self.state().of_snapshots.remove(name);
    }

    /// All of them went with a reset.
    pub fn forget_all(&self) {
        self.state().of_snapshots.clear();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Done {
    pub fn hides(&self, number: i64) -> bool {
        number <= self.hidden_to || self.hidden.contains(&number)
    }

    /// The copies take over the state of their originals.
    fn follow(&mut self, copied: &[(i64, i64, i64)]) {
        for &(first, last, by) in copied {
            for number in first..=last {
                if self.hides(number) {
                    self.hidden.insert(number.saturating_add(by));
                }
                if self.read.contains(&number) {
                    self.read.insert(number.saturating_add(by));
                }
            }
        }
    }
}
