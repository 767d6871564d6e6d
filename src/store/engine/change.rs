//! What a change is while it is queued: applied inside a group, answered once the fate of the group is known.
//!
//! Nearly all requests change something. A thread that waits for each would cost two switches for each commit. So a
//! change may also say what is to be done after its commit: one thread does that for a whole group, while the writer is
//! at the next one.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};

use crossbeam_channel::{Sender, unbounded};

use super::tx::Tx;
use crate::error::{Error, Kind, Result};
use crate::threads::{self, catch};

/// When a commit has to be on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncWhen {
    /// Before it is answered, with [`Durability::Full`].
    Now,
    /// Together with the next one that has to be. A killed process loses nothing. A power cut may undo the change and
    /// all later ones, so this is only for what is made again from what is on the disk.
    Later,
}

/// What is undone when a change fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undo {
    /// What it did, and nothing else of its group. SQLite keeps a copy of every page that it is the first to touch.
    Change,
    /// The whole group, whose other changes are refused with it. For a change that fails only if the file does.
    Group,
}

/// A queued change.
pub trait QueuedChange: Send {
    fn sync(&self) -> SyncWhen;
    fn undo(&self) -> Undo;
    /// Runs it, and returns whether to keep what it did.
    fn apply(&mut self, tx: &mut Tx<'_>) -> bool;
    /// Takes the error out, for when it holds for the whole group.
    fn take_error(&mut self) -> Option<Error>;
    /// Whether its answer takes more than waking a thread.
    fn is_answered_behind(&self) -> bool;
    fn answer(self: Box<Self>, outcome: &Outcome);
}

/// How a group has ended.
pub struct Outcome(Option<(Kind, String)>);

impl Outcome {
    pub fn of(refused: Option<&Error>) -> Self {
        Outcome(refused.map(|error| (error.kind(), error.public_message().to_owned())))
    }

    fn result(&self) -> Result<()> {
        self.0.as_ref().map_or(Ok(()), |(kind, message)| Err(Error::new(*kind, message.clone())))
    }
}

struct Queued<F, T> {
    sync: SyncWhen,
    undo: Undo,
    change: Option<F>,
    outcome: Option<Result<T>>,
    answer: Promise<T>,
}

impl<F, T: Send> QueuedChange for Queued<F, T>
where
    F: FnOnce(&mut Tx<'_>) -> Result<T> + Send,
{
    fn sync(&self) -> SyncWhen {
        self.sync
    }

    fn undo(&self) -> Undo {
        self.undo
    }

    fn apply(&mut self, tx: &mut Tx<'_>) -> bool {
        self.outcome = self.change.take().map(|change| change(tx));
        matches!(self.outcome, Some(Ok(_)))
    }

    fn take_error(&mut self) -> Option<Error> {
        self.outcome.take().and_then(Result::err)
    }

    fn is_answered_behind(&self) -> bool {
        matches!(self.answer.0, Some(Answer::Then(_)))
    }

    fn answer(mut self: Box<Self>, outcome: &Outcome) {
        let of_change = self.outcome.take().unwrap_or_else(|| Err(Error::internal("a change was not applied")));
        self.answer.give(outcome.result().and(of_change));
    }
}

/// A change, and where a thread waits for its result.
pub fn waited_for<T: Send + 'static>(
    sync: SyncWhen,
    undo: Undo,
    change: impl FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static,
) -> (Box<dyn QueuedChange>, Pending<T>) {
    let slot = Arc::new(Slot { answer: Mutex::new(None), given: Condvar::new() });
    let answer = Promise(Some(Answer::Slot(slot.clone())));
    (Box::new(Queued { sync, undo, change: Some(change), outcome: None, answer }), Pending(slot))
}

/// A change after which `then` is called with its result. `then` must not wait for long.
pub fn behind<T: Send + 'static>(
    sync: SyncWhen,
    undo: Undo,
    change: impl FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static,
    then: impl FnOnce(Result<T>) + Send + 'static,
) -> Box<dyn QueuedChange> {
    let answer = Promise(Some(Answer::Then(Box::new(then))));
    Box::new(Queued { sync, undo, change: Some(change), outcome: None, answer })
}

/// A change that was submitted.
pub struct Pending<T>(Arc<Slot<T>>);

/// Where one answer is put and waited for. The receiver of a channel would spin before it sleeps: a commit takes longer
/// than that, and spinning threads keep the processor from those with work to do.
struct Slot<T> {
    answer: Mutex<Option<Result<T>>>,
    given: Condvar,
}

impl<T> Pending<T> {
    /// Waits for the commit.
    pub fn wait(self) -> Result<T> {
        let mut answer = self.0.answer.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match answer.take() {
                Some(answer) => return answer,
                None => answer = self.0.given.wait(answer).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }
}

enum Answer<T> {
    Slot(Arc<Slot<T>>),
    Then(Box<dyn FnOnce(Result<T>) + Send>),
}

/// The writer's end. Dropped without an answer, it says that there will be none.
struct Promise<T>(Option<Answer<T>>);

impl<T> Promise<T> {
    fn give(&mut self, outcome: Result<T>) {
        match self.0.take() {
            Some(Answer::Slot(slot)) => {
                *slot.answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
                slot.given.notify_one();
            }
            Some(Answer::Then(then)) => {
                let _ = catch(|| then(outcome));
            }
            None => {}
        }
    }
}

impl<T> Drop for Promise<T> {
    fn drop(&mut self) {
        self.give(Err(Error::unavailable("bulkd is stopping; nothing was changed")));
    }
}

/// The thread that answers behind the writer. Dropping this ends it, once all is answered.
pub struct AnswerThread(Sender<Committed>);

/// The changes of a finished group.
struct Committed {
    changes: Vec<Box<dyn QueuedChange>>,
    outcome: Outcome,
}

impl Committed {
    fn answer(self) {
        for change in self.changes {
            change.answer(&self.outcome);
        }
    }
}

impl AnswerThread {
    pub fn start() -> Result<(AnswerThread, JoinHandle<()>)> {
        let (sender, groups) = unbounded::<Committed>();
        let thread = Builder::new().name("answers".to_owned());
        let thread = threads::spawn_service(thread, move || groups.iter().for_each(Committed::answer))
            .map_err(|error| Error::startup(format!("the thread 'answers' cannot be started: {error}")))?;
        Ok((AnswerThread(sender), thread))
    }

    /// Answers the changes of a group: threads that wait at once, and what takes longer behind the writer.
    pub fn answer(&self, changes: Vec<Box<dyn QueuedChange>>, outcome: Outcome) {
        let (behind, at_once): (Vec<_>, Vec<_>) = changes.into_iter().partition(|change| change.is_answered_behind());
        at_once.into_iter().for_each(|change| change.answer(&outcome));
        if !behind.is_empty()
            && let Err(unsent) = self.0.send(Committed { changes: behind, outcome })
        {
            unsent.0.answer();
        }
    }
}
