//! The one writer: a thread that runs queued changes, each in a savepoint, many in one commit.
//!
//! A group is what has queued up while the group before it was written to the disk, so that a commit is shared by everybody
//! who waits for one. Nobody is answered before the commit.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};
use rusqlite::Connection;

use super::bell::Bell;
use super::checkpoint::Checkpoints;
use super::recipients::Recipients;
use super::tx::Tx;
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::id::Ids;

/// A group is committed at the latest when it holds this many changes,
const GROUP_CHANGES: usize = 256;
/// or when it has been open for this long.
const GROUP_TIME: Duration = Duration::from_millis(10);

/// A queued change: made inside a group, answered once the fate of the group is known.
trait Change: Send {
    /// Runs it, and says whether to keep what it did.
    fn make(&mut self, tx: &mut Tx<'_>) -> bool;
    /// Why it is not to be kept.
    fn error(&self) -> Option<&Error>;
    fn answer(self: Box<Self>, commit: Result<()>);
}

struct Queued<F, T> {
    change: Option<F>,
    outcome: Option<Result<T>>,
    answer: Sender<Result<T>>,
}

impl<F, T: Send> Change for Queued<F, T>
where
    F: FnOnce(&mut Tx<'_>) -> Result<T> + Send,
{
    fn make(&mut self, tx: &mut Tx<'_>) -> bool {
        self.outcome = self.change.take().map(|change| change(tx));
        matches!(self.outcome, Some(Ok(_)))
    }

    fn error(&self) -> Option<&Error> {
        self.outcome.as_ref().and_then(|outcome| outcome.as_ref().err())
    }

    fn answer(self: Box<Self>, commit: Result<()>) {
        let outcome = self.outcome.unwrap_or_else(|| Err(Error::internal("a change was not made")));
        // Whoever asked may have gone; the change stands all the same.
        let _ = self.answer.send(commit.and(outcome));
    }
}

pub struct Writer {
    queue: Mutex<Option<Sender<Box<dyn Change>>>>,
}

/// A change that was submitted.
pub struct Pending<T>(Receiver<Result<T>>);

impl<T> Pending<T> {
    /// Waits for the commit.
    pub fn wait(self) -> Result<T> {
        self.0.recv().unwrap_or_else(|_| Err(Error::unavailable("bulkd is stopping; nothing was changed")))
    }
}

impl Writer {
    pub fn start(
        mut conn: Connection,
        clock: Clock,
        ids: Ids,
        checkpoints: Checkpoints,
        jobs: Bell,
    ) -> Result<(Writer, JoinHandle<()>)> {
        let watch = checkpoints.clone();
        conn.wal_hook(Some(move |_: &mut _, pages| {
            watch.log_has(pages);
            Ok(())
        }))?;
        let (sender, queue) = bounded(1024);
        let stop_checkpoints = checkpoints.clone();
        let thread = std::thread::Builder::new()
            .name("writer".to_owned())
            .spawn(move || {
                let writer = Loop { conn, clock, ids, recipients: Recipients::default(), checkpoints, jobs };
                if catch_unwind(AssertUnwindSafe(|| writer.run(&queue))).is_err() {
                    log::error!("the writer panicked");
                }
                // Only now, with the writer's connection closed: of two that close at once, each leaves the log to the other.
                stop_checkpoints.stop();
            })
            .map_err(|error| Error::startup(format!("the writer cannot be started: {error}")))?;
        Ok((Writer { queue: Mutex::new(Some(sender)) }, thread))
    }

    pub fn submit<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static,
    ) -> Pending<T> {
        let (answer, pending) = bounded(1);
        let change: Box<dyn Change> = Box::new(Queued { change: Some(change), outcome: None, answer });
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(queue) = queue {
            let _ = queue.send(change);
        }
        Pending(pending)
    }

    pub fn stop(&self) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

struct Loop {
    conn: Connection,
    clock: Clock,
    ids: Ids,
    recipients: Recipients,
    checkpoints: Checkpoints,
    jobs: Bell,
}

impl Loop {
    fn run(mut self, queue: &Receiver<Box<dyn Change>>) {
        while let Ok(first) = queue.recv() {
            self.group(first, queue);
            self.checkpoints.truncate_if_long(&self.conn);
        }
    }

    fn group(&mut self, first: Box<dyn Change>, queue: &Receiver<Box<dyn Change>>) {
        let mut made = Vec::new();
        let mut rings_jobs = false;
        let outcome = self.changes(first, queue, &mut made, &mut rings_jobs);
        if let Err(error) = &outcome {
            log::error!("a group of {} changes was not committed: {error}", made.len());
            self.recipients.forget_touched(0);
            if !self.conn.is_autocommit()
                && let Err(error) = self.conn.execute_batch("ROLLBACK")
            {
                log::error!("and could not be rolled back: {error}");
            }
        } else {
            self.recipients.keep_touched();
        }
        for change in made {
            change.answer(match &outcome {
                Ok(()) => Ok(()),
                Err(error) => Err(Error::new(error.kind(), error.public_message())),
            });
        }
        if rings_jobs && outcome.is_ok() {
            self.jobs.ring();
        }
    }

    fn changes(
        &mut self,
        first: Box<dyn Change>,
        queue: &Receiver<Box<dyn Change>>,
        made: &mut Vec<Box<dyn Change>>,
        rings_jobs: &mut bool,
    ) -> Result<()> {
        let opened = Instant::now();
        let begun = self.conn.prepare_cached("BEGIN IMMEDIATE").and_then(|mut begin| begin.execute([]));
        if let Err(error) = begun {
            // Nor would it begin for those who wait behind: they are told now, and not one after the other.
            made.push(first);
            made.extend(queue.try_iter());
            return Err(error.into());
        }
        let mut next = Some(first);
        while let Some(change) = next {
            *rings_jobs |= self.change(change, made)?;
            let full = made.len() >= GROUP_CHANGES || opened.elapsed() >= GROUP_TIME;
            next = if full { None } else { queue.try_recv().ok() };
        }
        self.conn.prepare_cached("COMMIT")?.execute([])?;
        Ok(())
    }

    /// Makes one change in a savepoint. Fails only if the whole group is lost.
    fn change(&mut self, change: Box<dyn Change>, made: &mut Vec<Box<dyn Change>>) -> Result<bool> {
        made.push(change);
        let Some(change) = made.last_mut() else {
            return Ok(false);
        };
        self.conn.prepare_cached("SAVEPOINT change")?.execute([])?;
        let touched = self.recipients.touched();
        let mut tx = Tx::new(&self.conn, self.clock.now(), &mut self.ids, &mut self.recipients);
        let keep = catch_unwind(AssertUnwindSafe(|| change.make(&mut tx))).unwrap_or_else(|_| {
            log::error!("a change panicked; it is undone");
            false
        });
        let rings_jobs = tx.rings_jobs;
        if self.conn.is_autocommit() {
            // On some errors, a full disk among them, SQLite takes the whole transaction back by itself.
            let why = change.error().map_or_else(|| "the disk is full or fails".to_owned(), Error::to_string);
            return Err(Error::unavailable(why));
        }
        if !keep {
            self.conn.prepare_cached("ROLLBACK TO change")?.execute([])?;
            self.recipients.forget_touched(touched);
        }
        self.conn.prepare_cached("RELEASE change")?.execute([])?;
        Ok(keep && rings_jobs)
    }
}
