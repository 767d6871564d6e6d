//! The one writer: a thread that runs queued changes, many in one commit.
//!
//! A group is what has queued up while the group before it was written to the disk, so that all requests that wait for
//! a commit share one. A request that comes later is in the next group. If it were let in, the few clients that there are
//! would all end up in the same group, and none of them would prepare its next request while that group is written. No
//! request is answered before the commit.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};
use rusqlite::{Connection, ffi};

use super::bell::{Bells, Wakeups};
use super::checkpoint::Checkpoints;
use super::in_place::InPlace;
use super::recipients::Recipients;
use super::tx::Tx;
use crate::clock::Clock;
use crate::crash::{self, Point};
use crate::error::{Error, Result};
use crate::id::Ids;
use crate::outage::Outage;
use crate::settings::Durability;
use crate::threads::{self, catch};

/// A group that holds so many changes is committed.
const GROUP_CHANGES: usize = 256;
/// A group that has been open for so long is committed.
const GROUP_TIME: Duration = Duration::from_millis(10);

const AT_SIZE_LIMIT: &str =
    "the database file has reached the size that this process may give to a file (`ulimit -f`); try again later";

/// When a commit has to be on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncWhen {
    /// Before it is answered, with [`Durability::Full`].
    Now,
    /// Together with the next one that has to be. A killed process loses nothing; a power cut may undo the change and
    /// all that came after it, so this is for what is made again from what is on the disk.
    Later,
}

/// What is undone when a change fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undo {
    /// What it did, and nothing else of its group. SQLite keeps a copy of every page that it is the first to touch.
    Change,
    /// The whole group, whose other changes are refused with it. For a change that does not fail unless the file does.
    Group,
}

/// A queued change: applied inside a group, answered once the fate of the group is known.
trait QueuedChange: Send {
    fn sync(&self) -> SyncWhen;
    fn undo(&self) -> Undo;
    /// Runs it, and says whether to keep what it did.
    fn apply(&mut self, tx: &mut Tx<'_>) -> bool;
    /// Takes out why it is not to be kept, for when that is true of the whole group.
    fn take_error(&mut self) -> Option<Error>;
    fn answer(self: Box<Self>, commit: Result<()>);
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

    fn answer(mut self: Box<Self>, commit: Result<()>) {
        let outcome = self.outcome.take().unwrap_or_else(|| Err(Error::internal("a change was not applied")));
        self.answer.give(commit.and(outcome));
    }
}

/// A change that was submitted.
pub struct Pending<T>(Arc<Slot<T>>);

/// Where one answer is put and waited for. A channel's receiver looks again and again before it sleeps: a commit takes
/// longer than that, and threads that wait so keep the processor from those with work to do.
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

/// The writer's end of a slot. Dropped without an answer, it says that there will be none.
struct Promise<T>(Option<Arc<Slot<T>>>);

impl<T> Promise<T> {
    fn give(&mut self, outcome: Result<T>) {
        if let Some(slot) = self.0.take() {
            *slot.answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
            slot.given.notify_one();
        }
    }
}

impl<T> Drop for Promise<T> {
    fn drop(&mut self) {
        self.give(Err(Error::unavailable("bulkd is stopping; nothing was changed")));
    }
}

/// What the writer's thread works with.
pub struct Setup {
    pub conn: Connection,
    /// What the answer to a change promises.
    pub durability: Durability,
    pub clock: Clock,
    pub ids: Ids,
    pub recipients: Recipients,
    pub checkpoints: Checkpoints,
    pub bells: Bells,
    pub in_place: InPlace,
}

pub struct Writer {
    queue: Mutex<Option<Sender<Box<dyn QueuedChange>>>>,
}

impl Writer {
    pub fn start(mut setup: Setup) -> Result<(Writer, JoinHandle<()>)> {
        let checkpoints = setup.checkpoints.clone();
        setup.conn.wal_hook(Some(move |_: &mut _, pages| {
            checkpoints.log_has(pages);
            Ok(())
        }))?;
        let (sender, queue) = bounded(1024);
        let checkpoints = setup.checkpoints.clone();
        let work = move || {
            let writer = WriterThread {
                synchronous: setup.durability,
                suspect: false,
                outage: Outage::new("changes are not committed"),
                setup,
            };
            writer.run(&queue);
            // Only now, with the writer's connection closed: of two that close at once, each leaves the log to the
            // other.
            checkpoints.stop();
        };
        let thread = threads::spawn_service(std::thread::Builder::new().name("writer".to_owned()), work)
            .map_err(|error| Error::startup(format!("the writer cannot be started: {error}")))?;
        Ok((Writer { queue: Mutex::new(Some(sender)) }, thread))
    }

    pub fn submit<T: Send + 'static>(
        &self,
        sync: SyncWhen,
        undo: Undo,
        change: impl FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static,
    ) -> Pending<T> {
        let slot = Arc::new(Slot { answer: Mutex::new(None), given: Condvar::new() });
        let answer = Promise(Some(slot.clone()));
        let change: Box<dyn QueuedChange> =
            Box::new(Queued { sync, undo, change: Some(change), outcome: None, answer });
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(queue) = queue {
            let _ = queue.send(change);
        }
        Pending(slot)
    }

    pub fn stop(&self) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// Changes that share a commit.
#[derive(Default)]
struct Group {
    applied: Vec<Box<dyn QueuedChange>>,
    wakeups: Wakeups,
    /// Taken from the queue, and for the next group.
    carried_over: Option<Box<dyn QueuedChange>>,
}

struct WriterThread {
    setup: Setup,
    /// What SQLite was last told.
    synchronous: Durability,
    /// Whether a sync has failed, and nothing was done about it.
    suspect: bool,
    outage: Outage,
}

impl WriterThread {
    fn run(mut self, queue: &Receiver<Box<dyn QueuedChange>>) {
        let mut carried_over = None;
        while let Some(first) = carried_over.take().or_else(|| queue.recv().ok()) {
            carried_over = self.group(first, queue);
            self.setup.checkpoints.restart_if_long(&self.setup.conn);
        }
    }

    /// Commits a group, and returns a change that was taken from the queue but has to go into the next one.
    fn group(
        &mut self,
        first: Box<dyn QueuedChange>,
        queue: &Receiver<Box<dyn QueuedChange>>,
    ) -> Option<Box<dyn QueuedChange>> {
        let mut group = Group::default();
        let outcome = self.changes(first, queue, &mut group).map_err(|error| self.explain(error));
        // The file may have been taken away since the group was begun. Its changes are made, in a file that has another
        // name or none: to say so is to promise that they are in the file of this one.
        let placed = outcome.as_ref().map_or(Ok(()), |()| self.setup.in_place.check());
        if let Err(error) = &placed {
            self.outage.failed(error);
        }
        if let Err(error) = &outcome {
            self.outage.failed(error);
            self.setup.recipients.rollback(0);
            if !self.setup.conn.is_autocommit()
                && let Err(error) = self.setup.conn.execute_batch("ROLLBACK")
            {
                log::error!("and could not be rolled back: {error}");
            }
        } else {
            if placed.is_ok() {
                self.outage.succeeded();
            }
            self.setup.recipients.commit();
        }
        let answered = outcome.as_ref().and(placed.as_ref());
        for change in group.applied {
            change.answer(answered.map(|_| ()).map_err(|error| Error::new(error.kind(), error.public_message())));
        }
        if outcome.is_ok() {
            self.setup.bells.ring(group.wakeups);
        }
        group.carried_over
    }

    /// What SQLite's error does not tell.
    fn explain(&self, error: Error) -> Error {
        use std::error::Error as _;
        let cause = error.source().and_then(|source| source.downcast_ref::<rusqlite::Error>());
        let is_of_a_write = cause
            .and_then(rusqlite::Error::sqlite_error)
            .is_some_and(|cause| matches!(cause.extended_code, ffi::SQLITE_IOERR_WRITE | ffi::SQLITE_IOERR_TRUNCATE));
        if is_of_a_write && self.setup.in_place.is_at_size_limit() {
            return Error::unavailable(AT_SIZE_LIMIT);
        }
        error
    }

    fn changes(
        &mut self,
        first: Box<dyn QueuedChange>,
        queue: &Receiver<Box<dyn QueuedChange>>,
        group: &mut Group,
    ) -> Result<()> {
        let opened = Instant::now();
        let sync = first.sync();
        if let Err(error) =
            self.setup.in_place.check().and_then(|()| self.clear_suspicion()).and_then(|()| self.begin(sync))
        {
            // Nor would it begin for the changes behind it: they are answered now, and not one after the other.
            group.applied.push(first);
            group.applied.extend(queue.try_iter());
            return Err(error);
        }
        let mut waiting = queue.len().min(GROUP_CHANGES - 1);
        let mut next = Some(first);
        while let Some(change) = next {
            let wakeups = self.apply(change, &mut group.applied)?;
            group.wakeups.add(wakeups);
            let full = waiting == 0 || opened.elapsed() >= GROUP_TIME;
            next = if full { None } else { queue.try_recv().ok() };
            waiting = waiting.saturating_sub(1);
            if sync == SyncWhen::Later && next.as_ref().is_some_and(|next| next.sync() == SyncWhen::Now) {
                group.carried_over = next.take();
            }
        }
        crash::point(Point::BeforeCommit);
        if let Err(error) = self.setup.conn.prepare_cached("COMMIT")?.execute([]) {
            self.suspect |= error.sqlite_error().is_some_and(|error| error.extended_code == ffi::SQLITE_IOERR_FSYNC);
            return Err(error.into());
        }
        crash::point(Point::AfterCommit);
        Ok(())
    }

    /// When a sync has failed the kernel may count as written what is not, and the next sync proves nothing. Before
    /// anything more is promised, what the log holds is copied into the database, and the log is emptied.
    fn clear_suspicion(&mut self) -> Result<()> {
        if self.suspect && !self.setup.checkpoints.empty(&self.setup.conn)? {
            return Err(Error::unavailable("the disk has reported an error; try again later"));
        }
        self.suspect = false;
        Ok(())
    }

    /// Sets what the commit survives, and begins. SQLite does not let itself be told while a transaction is open, so a
    /// group that need not be synced ends where a change comes that must be.
    fn begin(&mut self, sync: SyncWhen) -> Result<()> {
        let wanted = match (sync, self.setup.durability) {
            (SyncWhen::Later, Durability::Full) => Durability::Fast,
            (_, durability) => durability,
        };
        if self.synchronous != wanted {
            self.setup.conn.pragma_update(None, "synchronous", wanted.synchronous())?;
            self.synchronous = wanted;
        }
        self.setup.conn.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        Ok(())
    }

    /// Applies one change. Fails only if the whole group is lost.
    fn apply(&mut self, change: Box<dyn QueuedChange>, applied: &mut Vec<Box<dyn QueuedChange>>) -> Result<Wakeups> {
        applied.push(change);
        let Some(change) = applied.last_mut() else {
            return Ok(Wakeups::default());
        };
        let undo = change.undo();
        if undo == Undo::Change {
            self.setup.conn.prepare_cached("SAVEPOINT change")?.execute([])?;
        }
        let dirty = self.setup.recipients.dirty();
        let mut tx = Tx::new(&self.setup.conn, self.setup.clock.now(), &mut self.setup.ids, &mut self.setup.recipients);
        let keep = catch(|| change.apply(&mut tx)).unwrap_or_else(|| {
            log::error!("a change panicked; it is undone");
            false
        });
        let wakeups = tx.wakeups;
        // On some errors, a full disk among them, SQLite takes the whole transaction back by itself.
        if self.setup.conn.is_autocommit() || undo == Undo::Group && !keep {
            let unknown = || Error::unavailable("the commit that it was in failed; try again later");
            return Err(change.take_error().unwrap_or_else(unknown));
        }
        if undo == Undo::Change {
            if !keep {
                self.setup.conn.prepare_cached("ROLLBACK TO change")?.execute([])?;
                self.setup.recipients.rollback(dirty);
            }
            self.setup.conn.prepare_cached("RELEASE change")?.execute([])?;
        }
        Ok(if keep { wakeups } else { Wakeups::default() })
    }
}
