//! The file and all SQL: an engine that knows SQLite but no table, the tables above it, and above those the operations
//! on several tables.
//!
//! [`Store::write`] queues a closure for the one writer, which runs it in a group commit and answers after the commit.
//! [`Store::read`] runs a closure on a connection of its own, beside the writer. Only this room sees a connection, and
//! a test refuses SQL anywhere else.

mod engine;

// The tables, each with its queries and changes. One calls another only downward.
pub mod brand;
pub mod delivery_channel;
pub mod delivery_copies;
pub mod delivery_queue;
pub mod delivery_route;
pub mod environment;
pub mod failure;
pub mod idempotency;
pub mod job;
pub mod list;
pub mod message;
pub mod preference;
pub mod profile;
pub mod subscription;
pub mod template;
pub mod token;
pub mod unsettled;
pub mod user;
pub mod webhook;
pub mod webhook_event;
pub mod went_out;

pub mod gone;
mod number;
mod page;
pub mod temporary;

// Operations on several tables.
pub mod attempts;
pub mod backup;
pub mod check;
pub mod compact;
pub mod due;
pub mod emails;
pub mod environment_list;
pub mod event_batch;
mod fork;
pub mod ingest;
pub mod job_breakdown;
pub mod job_list;
pub mod job_users;
pub mod list_replacement;
pub mod message_search;
pub mod metrics;
pub mod news;
pub mod opening;
pub mod outbox;
pub mod outcome;
pub mod pieces;
pub mod plan;
pub mod posted;
pub mod recipient_lookup;
pub mod relayed;
pub mod restore;
pub mod retention;
pub mod retired;
pub mod run;
pub mod search;
pub mod send;
pub mod set_back;
pub mod settle;
pub mod snapshot;
mod snapshot_restore;
pub mod snapshots;
pub mod staged;
pub mod status;
mod text_index;
pub mod totals;
pub mod tracking;
pub mod watch;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

pub use engine::bell::Bell;
pub use engine::change::{Pending, SyncWhen, Undo};
pub use engine::writer::Lane;
pub use engine::{Db, Tx};
pub use page::Page;
pub use text_index::TextIndex;

use crate::clock::{Clock, Reading, Timestamp};
use crate::error::{Kind, Result};
use crate::meter::Histogram;
use engine::bell::Bells;
use engine::file::{Mark, Stage};
use engine::in_place::InPlace;
use engine::readers::{Reader, Readers};
use engine::recipients::CachedJobs;
use engine::stopping::Stopping;
use engine::writer::{MessageCommits, Writer};
use outcome::Outcomes;
use posted::Posted;
use set_back::{SetBack, SetBacks};
use snapshot::Snapshots;
use staged::StagedLists;

/// The open file.
pub struct Store {
    path: PathBuf,
    in_place: InPlace,
    mark: Option<Mark>,
    writer: Writer,
    requests: Readers,
    followers: Readers,
    bells: Bells,
    message_commits: MessageCommits,
    commit_times: Arc<Histogram>,
    cached_jobs: CachedJobs,
    posted: Posted,
    outcomes: Outcomes,
    snapshots: Snapshots,
    texts: TextIndex,
    /// Held while a large set of recipients is made: one at a time.
    loading: Mutex<()>,
    /// The lists that are being made beside others.
    staged_lists: StagedLists,
    /// Held while a backup is made.
    backing_up: Mutex<()>,
    stopping: Stopping,
    /// Checks the file after an unclean end.
    recovery: Mutex<Option<JoinHandle<()>>>,
    /// Whether recipients without a name get a random one, which any thread can make.
    names_are_random: bool,
    clock: Clock,
    set_backs: SetBacks,
    set_back_before_millis: i64,
}

impl Store {
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Fails if the open database is no longer the file of that name.
    pub fn check_place(&self) -> Result<()> {
        self.in_place.check()
    }

    /// Refuses to say that something is missing if the file was damaged since: it may be there.
    pub fn check_contents(&self) -> Result<()> {
        self.in_place.check_contents()
    }

    /// Runs `change` in the writer's transaction and returns its result after the commit. An error undoes this change,
    /// and no other.
    pub fn write<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.submit(Lane::Ahead, SyncWhen::Now, Undo::Change, change).wait()
    }

    /// Like [`Store::write`], but does not wait. Changes of a lane are made in the order in which they are submitted.
    pub fn submit<T: Send + 'static>(
        &self,
        lane: Lane,
        sync: SyncWhen,
        undo: Undo,
        change: impl FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static,
    ) -> Pending<T> {
        self.writer.submit(lane, sync, undo, change)
    }

    /// Like [`Store::submit`], but no thread waits. After the commit `then` is called with the result, by a thread for
    /// which all other answers wait.
    pub fn submit_then<T: Send + 'static>(
        &self,
        lane: Lane,
        sync: SyncWhen,
        undo: Undo,
        change: impl FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static,
        then: impl FnOnce(Result<T>) + Send + 'static,
    ) {
        self.writer.submit_then(lane, sync, undo, change, then);
    }

    /// Runs `query` on what is committed now: all its statements see the same state. It waits neither for the writer
    /// nor for requests, and is for our own threads.
    pub fn read<T>(&self, query: impl FnOnce(&Db<'_>) -> Result<T>) -> Result<T> {
        self.run(self.followers.take()?, query, leaves_sound)?
    }

    /// Like [`Store::read`], for a request, which may take its time.
    pub fn read_for_request<T>(&self, query: impl FnOnce(&Db<'_>) -> Result<T>) -> Result<T> {
        self.run(self.requests.take()?, query, leaves_sound)?
    }

    /// A reader for short queries of requests. `None` if none is free.
    pub fn reader_at_once(&self) -> Option<Reader<'_>> {
        self.requests.try_take().ok()?
    }

    /// Runs short queries of requests, all of them on the same state.
    pub fn read_at_once<T>(
        &self,
        reader: Reader<'_>,
        queries: Vec<impl FnOnce(&Db<'_>) -> Result<T>>,
    ) -> Result<Vec<Result<T>>> {
        let all = |db: &Db<'_>| queries.into_iter().map(|query| query(db)).collect::<Vec<_>>();
        self.run(reader, all, |results| results.iter().all(leaves_sound))
    }

    /// The reader is used again if `is_sound` says so of the result.
    fn run<T>(
        &self,
        mut reader: Reader<'_>,
        query: impl FnOnce(&Db<'_>) -> T,
        is_sound: impl FnOnce(&T) -> bool,
    ) -> Result<T> {
        reader.begin().prepare_cached("BEGIN")?.execute([])?;
        let db = Db::new(reader.conn(), self.clock.now()).with_outcomes(&self.outcomes).with_texts(&self.texts);
        let result = query(&db);
        let ended = reader.conn().prepare_cached("COMMIT").and_then(|mut commit| commit.execute([]));
        // On some errors SQLite has already ended the transaction. Then the query's own error is returned.
        if is_sound(&result) {
            ended?;
            reader.give_back();
        }
        Ok(result)
    }

    /// Rings when the runner is to look again: a commit has started a job, a job pauses, or all stops.
    pub fn jobs_bell(&self) -> &Bell {
        &self.bells.jobs
    }

    /// Rings when threads that follow messages are to look again: a commit has added messages or changed what is to be
    /// done with them, a test has moved the clock, or all stops.
    pub fn messages_bell(&self) -> &Bell {
        &self.bells.messages
    }

    /// Rings with either of these two.
    pub fn news_bell(&self) -> &Bell {
        &self.bells.news
    }

    /// How long commits have taken.
    pub fn commit_times(&self) -> &Histogram {
        &self.commit_times
    }

    /// Bytes of the database and of its write-ahead log.
    pub fn file_bytes(&self) -> (u64, u64) {
        let mut log = self.path.clone().into_os_string();
        log.push("-wal");
        let bytes = |path: &Path| std::fs::metadata(path).map_or(0, |it| it.len());
        (bytes(&self.path), bytes(Path::new(&log)))
    }

    /// Rings when a webhook was registered or removed, when its thread ends, or all stops.
    pub fn webhooks_bell(&self) -> &Bell {
        &self.bells.webhooks
    }

    /// The commits that [`Store::messages_bell`] has rung for, or is about to.
    pub fn message_commits(&self) -> &MessageCommits {
        &self.message_commits
    }

    /// How many events were posted to webhooks.
    pub fn posted(&self) -> &Posted {
        &self.posted
    }

    /// How messages end, where a test has set it.
    pub fn outcomes(&self) -> &Outcomes {
        &self.outcomes
    }

    /// The snapshots of all environments.
    pub fn snapshots(&self) -> &Snapshots {
        &self.snapshots
    }

    /// The index of the texts of messages, for searches.
    pub fn texts(&self) -> &TextIndex {
        &self.texts
    }

    /// Fails once all is to stop.
    pub fn check_running(&self) -> Result<()> {
        self.stopping.check()
    }

    /// Has `ring` called whenever a test has moved or set the clock.
    pub fn on_clock_change(&self, ring: impl Fn() + Send + 'static) {
        self.clock.on_change(ring);
    }

    /// Rings at every commit, if that is [followed](Store::follow_changes), and when a test has moved the clock.
    pub fn changes_bell(&self) -> &Bell {
        &self.bells.changes
    }

    /// Whether every commit is of interest. Set before the rows are looked at, so that no later commit is missed.
    pub fn follow_changes(&self, are_followed: bool) {
        self.bells.follow_changes(are_followed);
    }

    /// Rings when something was reset or set aside, a test has moved the clock, or all stops.
    pub fn retention_bell(&self) -> &Bell {
        &self.bells.retention
    }

    /// The lists that are being made beside others. Retention leaves them alone.
    pub fn staged_lists(&self) -> &StagedLists {
        &self.staged_lists
    }

    /// How many changes were made since the start.
    pub fn changes(&self) -> u64 {
        self.writer.changes()
    }

    /// The time that changes get, with what else is known of the clock.
    pub fn clock_reading(&self) -> Reading {
        self.clock.read()
    }

    /// The time that changes get.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// By how much the clock was set back since the start, in total.
    pub fn set_back_millis(&self) -> i64 {
        self.clock.read().set_back_millis
    }

    /// By how much the clock had been set back when the file was opened.
    pub fn set_back_before_millis(&self) -> i64 {
        self.set_back_before_millis
    }

    /// The set-backs of the clock that the writer has noted since the last call, and their total since the start.
    pub fn take_set_backs(&self) -> (Vec<SetBack>, i64) {
        self.set_backs.take()
    }

    /// How long to wait for this moment at most, if no bell rings before.
    pub fn until(&self, at: Timestamp) -> std::time::Duration {
        self.clock.until(at)
    }

    /// Cancels reads that may take minutes, such as a backup.
    pub fn stop_long_reads(&self) {
        self.stopping.stop();
    }

    /// Takes no more changes. Those already queued are still committed.
    pub fn stop(&self) {
        self.stop_long_reads();
        match (&self.mark, self.in_place.check()) {
            (Some(mark), Ok(())) => mark.set(Stage::Closing),
            // The data is lost, or in another file: the next start says so, too.
            (Some(mark), Err(_)) => mark.keep(),
            (None, _) => {}
        }
        // The last connection to close merges the log into the file and removes it. A reader cannot do that.
        let recovery = self.recovery.lock().unwrap_or_else(PoisonError::into_inner).take();
        if recovery.is_some_and(|thread| thread.join().is_err()) {
            log::error!("looking over the file panicked");
        }
        self.requests.close();
        self.followers.close();
        self.writer.stop();
    }
}

/// Whether the connection is still sound after this result. That a request asks for something missing is no fault of
/// it.
fn leaves_sound<T>(result: &Result<T>) -> bool {
    !matches!(result, Err(error) if matches!(error.kind(), Kind::Unavailable | Kind::Internal))
}

#[cfg(test)]
mod tests {
    use super::opening::Threads;
    use super::*;
    use crate::error::Error;
    use crate::model::environment::Environment;

    /// Marks the connection, then fails.
    fn marked(kind: Kind) -> impl FnOnce(&Db<'_>) -> Result<()> {
        move |db| {
            db.conn.pragma_update(None, "cache_size", -777)?;
            Err(Error::new(kind, "no"))
        }
    }

    fn is_marked(db: &Db<'_>) -> Result<bool> {
        Ok(db.conn.pragma_query_value(None, "cache_size", |row| row.get::<_, i64>(0))? == -777)
    }

    fn open() -> (Store, Threads) {
        Store::open_ephemeral(Clock::Manual(crate::clock::ManualClock::at(0)))
    }

    #[test]
    fn a_reader_is_used_again_unless_the_file_or_we_failed() {
        let cases = [
            (Kind::Invalid, true),
            (Kind::NotFound, true),
            (Kind::Conflict, true),
            (Kind::Unavailable, false),
            (Kind::Internal, false),
        ];
        for (kind, again) in cases {
            let (store, threads) = open();
            let ways: [&dyn Fn() -> Result<()>; 2] = [&|| store.read_for_request(marked(kind)), &|| {
                store.read_at_once(store.reader_at_once().unwrap(), vec![marked(kind)]).unwrap().remove(0)
            }];
            for fails in ways {
                assert_eq!(fails().unwrap_err().kind(), kind);
                assert_eq!(store.read_for_request(is_marked).unwrap(), again, "{kind:?}");
                // The next way begins with another connection.
                assert!(store.read_for_request(marked(Kind::Internal)).is_err());
            }
            store.stop();
            threads.join();
        }
    }

    #[test]
    fn a_reader_that_was_not_needed_is_used_again() {
        let (store, threads) = open();
        assert!(store.read_for_request(marked(Kind::NotFound)).is_err());
        drop(store.reader_at_once().unwrap());
        assert!(store.read_for_request(is_marked).unwrap());
        store.stop();
        threads.join();
    }

    #[test]
    fn requests_that_have_all_readers_hold_up_requests_only() {
        let (store, threads) = open();
        let searches: Vec<_> = (0..engine::readers::REQUEST_READERS).map(|_| store.requests.take().unwrap()).collect();
        assert!(store.reader_at_once().is_none());
        assert!(!store.read(is_marked).unwrap());
        drop(searches);
        assert!(store.reader_at_once().is_some());
        store.stop();
        threads.join();
    }

    #[test]
    fn a_client_waits_for_one_part_and_no_part_for_all_clients() {
        let (store, threads) = open();
        let order = Arc::new(Mutex::new(Vec::new()));
        let note = |name: &'static str| {
            let order = order.clone();
            move |_: &mut Tx<'_>| {
                order.lock().unwrap().push(name);
                Ok(())
            }
        };
        // While this part is written, the others queue up.
        let (begin, begun) = crossbeam_channel::bounded(1);
        let (release, released) = crossbeam_channel::bounded::<()>(0);
        let noted = note("part 1");
        let mut pending = vec![store.submit(Lane::Behind, SyncWhen::Later, Undo::Change, move |tx| {
            let _ = begin.send(());
            let _ = released.recv();
            noted(tx)
        })];
        begun.recv().unwrap();
        for name in ["part 2", "part 3"] {
            pending.push(store.submit(Lane::Behind, SyncWhen::Later, Undo::Change, note(name)));
        }
        // The second comes while the first one's group is written.
        let (first, store) = (note("request 1"), Arc::new(store));
        let (queue, queued, of_second) = (store.clone(), Arc::new(Mutex::new(None)), note("request 2"));
        let second = queued.clone();
        pending.push(store.submit(Lane::Ahead, SyncWhen::Now, Undo::Change, move |tx| {
            *second.lock().unwrap() = Some(queue.submit(Lane::Ahead, SyncWhen::Now, Undo::Change, of_second));
            first(tx)
        }));
        drop(release);
        pending.into_iter().for_each(|pending| pending.wait().unwrap());
        queued.lock().unwrap().take().unwrap().wait().unwrap();
        assert_eq!(*order.lock().unwrap(), ["part 1", "request 1", "part 2", "request 2", "part 3"]);
        store.stop();
        threads.join();
    }

    #[test]
    fn a_change_that_is_to_fail_with_its_group_undoes_the_group_and_no_more() {
        let (store, threads) = open();
        let make =
            |key: &'static str| move |tx: &mut Tx<'_>| environment::find_or_create(tx, &Environment::of_key(key));
        let is_there = |key| store.read(|db| environment::find(db, &Environment::of_key(key))).unwrap().is_some();
        let fails = |key: &'static str| {
            move |tx: &mut Tx<'_>| {
                make(key)(tx)?;
                Err::<(), _>(Error::conflict("no"))
            }
        };
        // While this one is made, the others queue up, and so come into one group.
        let (begin, begun) = crossbeam_channel::bounded(1);
        let (release, released) = crossbeam_channel::bounded::<()>(0);
        let first = store.submit(Lane::Ahead, SyncWhen::Now, Undo::Change, move |_| {
            let _ = begin.send(());
            let _ = released.recv();
            Ok(())
        });
        begun.recv().unwrap();
        let alone = store.submit(Lane::Ahead, SyncWhen::Now, Undo::Change, fails("alone"));
        let before = store.submit(Lane::Ahead, SyncWhen::Now, Undo::Change, make("before"));
        let group = store.submit(Lane::Ahead, SyncWhen::Now, Undo::Group, fails("group"));
        let after = store.submit(Lane::Ahead, SyncWhen::Now, Undo::Group, make("after"));
        drop(release);
        first.wait().unwrap();
        assert!(alone.wait().is_err() && before.wait().is_err() && group.wait().is_err());
        after.wait().unwrap();
        assert_eq!(["alone", "before", "group", "after"].map(is_there), [false, false, false, true]);
        store.stop();
        threads.join();
    }
}
