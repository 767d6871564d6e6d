//! How the file is opened: what is created and started before the first change, in which order, and what is given back
//! at the end.

use std::fs::File;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use tempfile::TempDir;

use super::engine::bell::{Bells, Wakeups};
use super::engine::file::Stage;
use super::engine::in_place::InPlace;
use super::engine::readers::{self, Readers};
use super::engine::recipients::{CachedJobs, Recipients};
use super::engine::recovery::{self, Found};
use super::engine::stopping::Stopping;
use super::engine::writer::{Marking, MessageCommits, Setup, Writer};
use super::engine::{checkpoint, file, partial};
use super::outcome::Outcomes;
use super::posted::Posted;
use super::set_back::SetBacks;
use super::snapshot::{self, Snapshots};
use super::staged::StagedLists;
use super::{Store, TextIndex, number, temporary};
use crate::clock::Clock;
use crate::error::Result;
use crate::id::Ids;
use crate::meter::Histogram;
use crate::settings::Durability;

/// What to open, and how.
pub struct Options {
    /// `None` is a file of its own, thrown away at the end.
    pub path: Option<PathBuf>,
    pub durability: Durability,
    /// Copying the log into the database is left to Litestream.
    pub litestream: bool,
    /// What the recipients of jobs that take users may take in memory.
    pub recipient_bytes: usize,
    pub clock: Clock,
    pub ids: Ids,
}

/// The store's threads, to be joined after [`Store::stop`], and what is given back when they have ended.
pub struct Threads {
    threads: Vec<JoinHandle<()>>,
    // Dropped in this order, all after the last connection and the folder last of all.
    _database: Option<Arc<File>>,
    in_place: InPlace,
    _lock: file::Lock,
    _folder: Option<TempDir>,
}

impl Threads {
    pub fn join(self) {
        for thread in self.threads {
            if thread.join().is_err() {
                log::error!("a thread of the store panicked");
            }
        }
        self.in_place.set_log_aside();
    }
}

impl Store {
    /// For tests of what no request shows.
    #[cfg(test)]
    pub fn open_ephemeral(clock: Clock) -> (Store, Threads) {
        let (durability, ids) = (Durability::Ephemeral, Ids::sequential(0));
        Store::open(Options { path: None, durability, litestream: false, recipient_bytes: 1 << 24, clock, ids })
            .unwrap()
    }

    /// Opens or creates the file and starts the threads that write it.
    pub fn open(mut options: Options) -> Result<(Store, Threads)> {
        let (folder, path) = match options.path {
            Some(path) => (None, path),
            None => temporary::folder("").map(|(folder, path)| (Some(folder), path))?,
        };
        file::inspect(&path)?;
        let lock = file::Lock::take(&path)?;
        partial::remove_left_over_of(&path);
        let found = Found::look(&path, &lock);
        // Before SQLite touches it, unless there is none yet.
        let held = path.exists().then(|| InPlace::hold(&path)).transpose()?;
        let conn = file::open(&path, options.durability, options.clock.now(), &mut options.ids)?;
        // A file that is damaged there is served as far as it is sound.
        if let Err(error) = snapshot::retire_left_over(&conn) {
            log::warn!("what an earlier run has kept for snapshots stays: {error}");
        }
        if options.ids.are_seeded() {
            options.ids.begin_after(number::made(&conn)?);
        }
        let in_place = held.map_or_else(|| InPlace::hold(&path), Ok)?;
        in_place.check()?;
        // A file in which the tag cannot be read is refused by what follows, or served as far as it is sound.
        let _ = in_place.expect_tag(&conn);
        // No later start looks for a file that is thrown away.
        let mark = (options.durability != Durability::Ephemeral).then(|| lock.mark().clone());
        mark.iter().for_each(|mark| mark.set(Stage::Serving));
        let stopping = Stopping::default();
        let recovery = if found.tell(&conn)? { recovery::look_over(&path, &stopping) } else { None };
        let requests = Readers::new(&path, readers::REQUEST_READERS);
        let followers = Readers::new(&path, readers::FOLLOWER_READERS);

        let bells = Bells::default();
        let clock = options.clock.clone();
        let moved = bells.clone();
        clock.on_change(move || moved.ring(Wakeups { jobs: true, messages: true, webhooks: false, retention: true }));
        let database = file::open_for_sync(&path, options.durability)?;
        let copier = file::open_checkpointer(&path, options.durability)?;
        let (checkpoints, checkpointer) =
            checkpoint::start(copier, database.clone(), in_place.clone(), options.litestream)?;
        let clock = options.clock.clone();
        let commit_times: Arc<Histogram> = Arc::default();
        let (cached_jobs, message_commits) = (CachedJobs::default(), MessageCommits::default());
        let set_back_millis = options.clock.read().set_back_millis;
        let set_backs = SetBacks::new(set_back_millis);
        let noted = set_backs.clone();
        let names_are_random = options.ids.are_random();
        let marking = match options.durability {
            Durability::Ephemeral => Marking::None,
            // Litestream may have an existing log open.
            _ if options.litestream && !found.is_without_log() => Marking::InLog,
            _ => Marking::InDatabase,
        };
        let staged_lists = StagedLists::new(bells.retention.clone());
        let setup = Setup {
            conn,
            marking,
            durability: options.durability,
            clock: options.clock,
            set_back_millis,
            on_set_back: Box::new(move |db, millis| noted.note(db, millis)),
            ids: options.ids,
            recipients: Recipients::new(cached_jobs.clone(), options.recipient_bytes),
            checkpoints: checkpoints.clone(),
            bells: bells.clone(),
            message_commits: message_commits.clone(),
            commit_times: commit_times.clone(),
            in_place: in_place.clone(),
        };
        let (writer, [writer_thread, answers]) = match Writer::start(setup) {
            Ok(started) => started,
            Err(error) => {
                checkpoints.stop();
                let _ = checkpointer.join();
                return Err(error);
            }
        };
        let store = Store {
            path,
            in_place: in_place.clone(),
            mark,
            writer,
            requests,
            followers,
            bells,
            message_commits,
            commit_times,
            cached_jobs,
            posted: Posted::default(),
            outcomes: Outcomes::default(),
            snapshots: Snapshots::default(),
            texts: TextIndex::default(),
            loading: Mutex::default(),
            staged_lists,
            backing_up: Mutex::default(),
            stopping,
            recovery: Mutex::new(recovery),
            names_are_random,
            clock,
            set_backs,
            set_back_before_millis: set_back_millis,
        };
        Ok((
            store,
            Threads {
                threads: vec![writer_thread, answers, checkpointer],
                _database: database,
                in_place,
                _lock: lock,
                _folder: folder,
            },
        ))
    }
}
