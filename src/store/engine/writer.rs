//! The one writer: a thread that runs queued changes, many in one commit.
//!
//! A group is what has queued up while the group before it was written to the disk, so that all requests that wait for
//! a commit share one. A request that comes later is in the next group. If it were let in, few clients would all end up
//! in the same group, and none of them would prepare its next request while that group is written. No request is
//! answered before the commit.
//!
//! Changes wait in two lanes. Those that a client waits for come first. Background changes, such as the parts of a
//! large job, have a turn after each group of the first lane. Their group ends as soon as a client waits again.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded, select};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ffi};

use super::bell::{Bells, Wakeups};
use super::change::{AnswerThread, Outcome, Pending, QueuedChange, SyncWhen, Undo, behind, waited_for};
use super::checkpoint::Checkpoints;
use super::in_place::InPlace;
use super::recipients::Recipients;
use super::serving;
use super::tx::{Db, Tx};
use crate::clock::Clock;
use crate::crash::{self, Point};
use crate::error::{Error, Result};
use crate::id::Ids;
use crate::meter::Histogram;
use crate::outage::Outage;
use crate::settings::Durability;
use crate::threads::{self, catch};

/// A group with so many changes is committed.
const GROUP_CHANGES: usize = 256;
/// A group that has been open for so long is committed.
const GROUP_TIME: Duration = Duration::from_millis(10);

/// Changes that a lane holds; a thread that submits one more waits.
const LANE_CHANGES: usize = 1024;

/// Where a change waits for the writer. The changes of a lane are made in the order in which they were submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// For what a client waits for: requests, and small jobs.
    Ahead,
    /// For what is done in the background.
    Behind,
}
const AT_SIZE_LIMIT: &str =
    "the database file has reached the size that this process may give to a file (`ulimit -f`); try again later";

/// Called with the milliseconds by which the clock was set back.
type OnSetBack = Box<dyn Fn(&Db<'_>, i64) + Send>;
/// How many commits have made messages, or changed what is known of them.
#[derive(Clone, Default)]
pub struct MessageCommits(Arc<CommitCounters>);

#[derive(Default)]
struct CommitCounters {
    /// Counted before they are made, so that rows of an uncounted commit are never seen.
    all: AtomicU64,
    /// Those that are on the disk, if they have to be.
    synced: AtomicU64,
}

impl MessageCommits {
    pub fn count(&self) -> u64 {
        self.0.all.load(Ordering::SeqCst)
    }

    /// Whether so many of them are on the disk, as far as commits promise that.
    pub fn are_synced(&self, count: u64) -> bool {
        self.0.synced.load(Ordering::SeqCst) >= count
    }
}

/// Whether the file is marked as served.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Marking {
    /// It is thrown away.
    None,
    /// The mark is left in the log, which another program copies.
    InLog,
    /// The mark is copied into the database at once, so that it is there without the log.
    InDatabase,
}

/// What the writer's thread works with.
pub struct Setup {
    pub conn: Connection,
    pub marking: Marking,
    /// What the answer to a change promises.
    pub durability: Durability,
    pub clock: Clock,
    /// By how much it has been set back before.
    pub set_back_millis: i64,
    /// Called before the first change after that.
    pub on_set_back: OnSetBack,
    pub ids: Ids,
    pub recipients: Recipients,
    pub checkpoints: Checkpoints,
    pub bells: Bells,
    pub message_commits: MessageCommits,
    pub commit_times: Arc<Histogram>,
    pub in_place: InPlace,
}

/// One end of each lane.
#[derive(Clone)]
struct Lanes<End> {
    ahead: End,
    behind: End,
}

type Changes = Receiver<Box<dyn QueuedChange>>;
type ChangesIn = Sender<Box<dyn QueuedChange>>;

impl Lanes<Changes> {
    /// The next change, once there is one; from the lane behind if it is that lane's turn. `None` when all is over.
    fn next(&self, is_turn_of_behind: bool) -> Option<(Lane, Box<dyn QueuedChange>)> {
        let ahead = || self.ahead.try_recv().ok().map(|change| (Lane::Ahead, change));
        let behind = || self.behind.try_recv().ok().map(|change| (Lane::Behind, change));
        let next = if is_turn_of_behind { behind().or_else(ahead) } else { ahead().or_else(behind) };
        // An empty lane ends when the store stops. What is left is in the other lane.
        next.or_else(|| {
            select! {
                recv(self.ahead) -> change => match change {
                    Ok(change) => Some((Lane::Ahead, change)),
                    Err(_) => self.behind.recv().ok().map(|change| (Lane::Behind, change)),
                },
                recv(self.behind) -> change => match change {
                    Ok(change) => Some((Lane::Behind, change)),
                    Err(_) => self.ahead.recv().ok().map(|change| (Lane::Ahead, change)),
                },
            }
        })
    }

    fn of(&self, lane: Lane) -> &Changes {
        match lane {
            Lane::Ahead => &self.ahead,
            Lane::Behind => &self.behind,
        }
    }
}

pub struct Writer {
    lanes: Mutex<Option<Lanes<ChangesIn>>>,
    /// Changes that were submitted.
    changes: AtomicU64,
}

impl Writer {
    /// Starts the writer's thread, and the one that answers behind it.
    pub fn start(mut setup: Setup) -> Result<(Writer, [JoinHandle<()>; 2])> {
        let (answers, answering) = AnswerThread::start()?;
        let checkpoints = setup.checkpoints.clone();
        setup.conn.wal_hook(Some(move |_: &mut _, pages| {
            checkpoints.log_has(pages);
            Ok(())
        }))?;
        let (ahead, behind) = (bounded(LANE_CHANGES), bounded(LANE_CHANGES));
        let lanes = Lanes { ahead: ahead.1, behind: behind.1 };
        let checkpoints = setup.checkpoints.clone();
        let (marked, is_marked) = bounded::<()>(1);
        let work = move || {
            let mut writer = WriterThread {
                synchronous: setup.durability,
                suspect: false,
                is_marked: false,
                set_back_millis: setup.set_back_millis,
                outage: Outage::new("changes are not committed"),
                setup,
                answers,
            };
            writer.is_marked = writer.mark();
            drop(marked);
            writer.run(&lanes);
            // Only now, with the writer's connection closed: of two that close at once, each would leave the log to the
            // other.
            checkpoints.stop();
        };
        let thread = threads::spawn_service(std::thread::Builder::new().name("writer".to_owned()), work)
            .map_err(|error| Error::startup(format!("the writer cannot be started: {error}")))?;
        // From now on all reads are of a file that is marked as served.
        let _ = is_marked.recv();
        let lanes = Mutex::new(Some(Lanes { ahead: ahead.0, behind: behind.0 }));
        Ok((Writer { lanes, changes: AtomicU64::new(0) }, [thread, answering]))
    }

    pub fn submit<T: Send + 'static>(
        &self,
        lane: Lane,
        sync: SyncWhen,
        undo: Undo,
        change: impl FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static,
    ) -> Pending<T> {
        let (change, pending) = waited_for(sync, undo, change);
        self.queue(lane, change);
        pending
    }

    /// The same, but no thread waits: `then` is called after the commit.
    pub fn submit_then<T: Send + 'static>(
        &self,
        lane: Lane,
        sync: SyncWhen,
        undo: Undo,
        change: impl FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static,
        then: impl FnOnce(Result<T>) + Send + 'static,
    ) {
        self.queue(lane, behind(sync, undo, change, then));
    }

    /// Without a writer the change is dropped, which answers it.
    fn queue(&self, lane: Lane, change: Box<dyn QueuedChange>) {
        self.changes.fetch_add(1, Ordering::Relaxed);
        let lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(lanes) = lanes {
            let lane = if lane == Lane::Ahead { lanes.ahead } else { lanes.behind };
            let _ = lane.send(change);
        }
    }

    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Relaxed)
    }

    pub fn stop(&self) {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// Changes that share a commit.
#[derive(Default)]
struct Group {
    applied: Vec<Box<dyn QueuedChange>>,
    wakeups: Wakeups,
    /// Taken from its lane, but for the next group.
    carried_over: Option<Box<dyn QueuedChange>>,
}

struct WriterThread {
    setup: Setup,
    answers: AnswerThread,
    /// The setting that SQLite has.
    synchronous: Durability,
    /// Whether a sync has failed, and nothing was done about it yet.
    suspect: bool,
    /// Whether the file has the mark, if it is to have it.
    is_marked: bool,
    outage: Outage,
    /// By how much the clock had been set back at the last change.
    set_back_millis: i64,
}

impl WriterThread {
    fn run(mut self, lanes: &Lanes<Changes>) {
        let (mut carried_over, mut lane) = (None, Lane::Behind);
        loop {
            let first = match carried_over.take() {
                Some(first) => first,
                None => {
                    let Some(next) = lanes.next(lane == Lane::Ahead) else { return self.end() };
                    lane = next.0;
                    next.1
                }
            };
            carried_over = self.group(lane, first, lanes);
            self.setup.checkpoints.restart_if_long(&self.setup.conn);
        }
    }

    /// Marks the file before anything is acknowledged. Where that fails, as on a full disk, it is done after the first
    /// commit.
    fn mark(&self) -> bool {
        let Setup { conn, marking, checkpoints, .. } = &self.setup;
        if *marking == Marking::None {
            return true;
        }
        let marked = serving::mark(conn).and_then(|is_new| match marking {
            Marking::InDatabase if is_new => checkpoints.copy_now(conn),
            _ => Ok(()),
        });
        if let Err(error) = &marked {
            log::debug!("the file could not be marked as one that is served: {error}");
        }
        marked.is_ok()
    }

    /// SQLite copies the log when the last connection that has seen it is closed. That is this one if the checkpointer
    /// may not copy it.
    fn end(self) {
        let Setup { in_place, conn, .. } = &self.setup;
        if in_place.check_copy().is_err() {
            if let Err(error) = conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true) {
                log::error!("the write-ahead log may be copied into a file that it is not of: {error}");
            }
        } else if in_place.check().is_ok()
            && self.setup.marking != Marking::None
            && let Err(error) = serving::clear(conn)
        {
            log::warn!("the file could not be marked as closed: {error}; its log is kept");
            self.setup.checkpoints.keep_log();
        }
    }

    /// Commits a group of changes of one lane. Returns a change that was taken from the lane but has to go into the
    /// next group.
    fn group(
        &mut self,
        lane: Lane,
        first: Box<dyn QueuedChange>,
        lanes: &Lanes<Changes>,
    ) -> Option<Box<dyn QueuedChange>> {
        let mut group = Group::default();
        let outcome = self.changes(lane, first, lanes, &mut group).map_err(|error| self.explain(error));
        // The file may have been removed since the group was begun. Then its changes are made in a file with another
        // name, or none: acknowledging them would promise that they are in the file of this name.
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
        let refused = outcome.as_ref().err().or(placed.as_ref().err());
        self.answers.answer(group.applied, Outcome::of(refused));
        if outcome.is_ok() {
            self.setup.bells.ring(group.wakeups);
            self.is_marked = self.is_marked || self.mark();
        }
        group.carried_over
    }

    /// Adds what SQLite's error does not tell.
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
        lane: Lane,
        first: Box<dyn QueuedChange>,
        lanes: &Lanes<Changes>,
        group: &mut Group,
    ) -> Result<()> {
        let opened = Instant::now();
        let sync = first.sync();
        if let Err(error) =
            self.setup.in_place.check().and_then(|()| self.clear_suspicion()).and_then(|()| self.begin(sync))
        {
            // It would not begin for the changes behind it either. They are answered now, and not one after the other.
            group.applied.push(first);
            group.applied.extend(lanes.ahead.try_iter().chain(lanes.behind.try_iter()));
            return Err(error);
        }
        let changes = lanes.of(lane);
        let mut waiting = changes.len().min(GROUP_CHANGES - 1);
        let mut next = Some(first);
        while let Some(change) = next {
            let wakeups = self.apply(change, &mut group.applied)?;
            group.wakeups.add(wakeups);
            let gives_way = lane == Lane::Behind && !lanes.ahead.is_empty();
            let full = waiting == 0 || opened.elapsed() >= GROUP_TIME;
            next = if full || gives_way { None } else { changes.try_recv().ok() };
            waiting = waiting.saturating_sub(1);
            if sync == SyncWhen::Later && next.as_ref().is_some_and(|next| next.sync() == SyncWhen::Now) {
                group.carried_over = next.take();
            }
        }
        crash::point(Point::BeforeCommit);
        let commits = &self.setup.message_commits.0;
        if group.wakeups.messages {
            commits.all.fetch_add(1, Ordering::SeqCst);
        }
        let begun = Instant::now();
        let committed = self.setup.conn.prepare_cached("COMMIT")?.execute([]);
        self.setup.commit_times.note(begun.elapsed());
        if let Err(error) = committed {
            self.suspect |= error.sqlite_error().is_some_and(|error| error.extended_code == ffi::SQLITE_IOERR_FSYNC);
            return Err(error.into());
        }
        if self.synchronous == self.setup.durability {
            commits.synced.store(commits.all.load(Ordering::SeqCst), Ordering::SeqCst);
        }
        crash::point(Point::AfterCommit);
        Ok(())
    }

    /// After a failed sync the kernel may take pages for written that are not, and the next sync proves nothing. Before
    /// anything else is promised, the log is copied into the database, and emptied.
    fn clear_suspicion(&mut self) -> Result<()> {
        if self.suspect && !self.setup.checkpoints.empty(&self.setup.conn)? {
            return Err(Error::unavailable("the disk has reported an error; try again later"));
        }
        self.suspect = false;
        Ok(())
    }

    /// Sets what the commit survives, and begins. SQLite does not allow that inside a transaction, so a group that need
    /// not be synced ends at a change that must be.
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
        let clock = self.setup.clock.read();
        if clock.set_back_millis != self.set_back_millis {
            let millis = clock.set_back_millis - self.set_back_millis;
            (self.setup.on_set_back)(&Db::new(&self.setup.conn, clock.now), millis);
            self.set_back_millis = clock.set_back_millis;
        }
        let mut tx = Tx::new(&self.setup.conn, clock, &mut self.setup.ids, &mut self.setup.recipients);
        let keep = catch(|| change.apply(&mut tx)).unwrap_or_else(|| {
            log::error!("a change panicked; it is undone");
            false
        });
        let wakeups = tx.wakeups;
        // On some errors, such as a full disk, SQLite itself rolls the whole transaction back.
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
