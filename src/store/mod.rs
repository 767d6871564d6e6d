//! The file and all SQL.
//!
//! [`Store::write`] queues a closure for the one writer, which runs it inside a group commit and answers after the
//! commit; [`Store::read`] runs a closure on a connection of its own, beside the writer. Only this room sees a
//! connection, and a test refuses SQL anywhere else.

pub mod brand;
pub mod bulk;
pub mod check;
pub mod environment;
pub mod idempotency;
pub mod known;
pub mod list;
pub mod message;
pub mod metrics;
pub mod outbox;
pub mod plan;
pub mod preference;
pub mod profile;
pub mod subscription;
pub mod template;
pub mod token;
pub mod user;
pub mod webhook;
pub mod webhook_event;

mod bell;
mod checkpoint;
mod error;
mod file;
mod migrate;
mod readers;
mod recipients;
mod rows;
mod tx;
mod writer;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use tempfile::TempDir;

pub use bell::Bell;
pub use file::Durability;
pub use tx::{Db, Tx};
pub use writer::{Pending, Sync};

use crate::clock::{Clock, Timestamp};
use crate::error::{Error, Result};
use crate::id::Ids;
use readers::{Reader, Readers};
use tx::Rings;
use writer::Writer;

/// What to open, and how.
pub struct Options {
    /// `None` is a file of its own, thrown away at the end.
    pub path: Option<PathBuf>,
    pub durability: Durability,
    pub clock: Clock,
    pub ids: Ids,
}

/// The open file.
pub struct Store {
    path: PathBuf,
    writer: Writer,
    readers: Readers,
    bells: Bells,
    clock: Clock,
}

/// Those who follow the rows are woken by these.
#[derive(Clone, Default)]
struct Bells {
    jobs: Bell,
    messages: Bell,
    webhooks: Bell,
}

impl Bells {
    fn ring(&self, rings: Rings) {
        [(rings.jobs, &self.jobs), (rings.messages, &self.messages), (rings.webhooks, &self.webhooks)]
            .into_iter()
            .filter(|(rings, _)| *rings)
            .for_each(|(_, bell)| bell.ring());
    }
}

/// The store's threads, to be joined after [`Store::stop`], and what is given back when they have ended.
pub struct Threads {
    threads: Vec<JoinHandle<()>>,
    // Dropped in this order, all after the last connection and the folder last of all.
    _database: Option<Arc<File>>,
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
    }
}

impl Store {
    /// Opens or creates the file and starts the threads that write it.
    pub fn open(mut options: Options) -> Result<(Store, Threads)> {
        let folder = match options.path {
            Some(_) => None,
            None => Some(
                tempfile::Builder::new()
                    .prefix("bulkd-")
                    .tempdir()
                    .map_err(|error| Error::startup(format!("no temporary folder can be made: {error}")))?,
            ),
        };
        let path = match (options.path, &folder) {
            (Some(path), _) => path,
            (None, Some(folder)) => folder.path().join("bulkd.db"),
            (None, None) => return Err(Error::internal("a store without a file")),
        };
        file::inspect(&path)?;
        let lock = file::Lock::take(&path)?;
        let conn = file::open(&path, options.durability, options.clock.now(), &mut options.ids)?;
        let readers = Readers::new(&path);

        let bells = Bells::default();
        let clock = options.clock.clone();
        let moved = bells.clone();
        clock.on_advance(move || moved.ring(Rings { jobs: true, messages: true, webhooks: false }));
        let database = file::open_for_sync(&path, options.durability)?;
        let copier = file::open_checkpointer(&path, options.durability)?;
        let (checkpoints, checkpointer) = checkpoint::start(copier, database.clone())?;
        let clock = options.clock.clone();
        let (writer, writer_thread) =
            Writer::start(conn, options.durability, options.clock, options.ids, checkpoints, bells.clone())?;
        let store = Store { path, writer, readers, bells, clock };
        Ok((
            store,
            Threads { threads: vec![writer_thread, checkpointer], _database: database, _lock: lock, _folder: folder },
        ))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Runs `change` in the writer's transaction and returns its result once that is committed. An error undoes what it
    /// did, and only that.
    pub fn write<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.submit(Sync::Now, change).wait()
    }

    /// Like [`Store::write`], but does not wait. Changes are made in the order in which they are submitted.
    pub fn submit<T: Send + 'static>(
        &self,
        sync: Sync,
        change: impl FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static,
    ) -> Pending<T> {
        self.writer.submit(sync, change)
    }

    /// Runs `query` on what is committed now: all its statements see the same state. Never waits for the writer.
    pub fn read<T>(&self, query: impl FnOnce(&Db<'_>) -> Result<T>) -> Result<T> {
        self.run(self.readers.take()?, query)
    }

    /// Runs short queries, all of them on the same state. `None` if others would have to be waited for.
    pub fn read_at_once<T>(&self, queries: Vec<impl FnOnce(&Db<'_>) -> Result<T>>) -> Option<Vec<Result<T>>> {
        let reader = self.readers.try_take().ok()??;
        let all = |db: &Db<'_>| Ok(queries.into_iter().map(|query| query(db)).collect());
        self.run(reader, all).ok()
    }

    fn run<T>(&self, reader: Reader<'_>, query: impl FnOnce(&Db<'_>) -> Result<T>) -> Result<T> {
        reader.conn().prepare_cached("BEGIN")?.execute([])?;
        let result = query(&Db::new(reader.conn(), self.clock.now()));
        let ended = reader.conn().prepare_cached("COMMIT").and_then(|mut commit| commit.execute([]));
        // On some errors SQLite has ended the transaction by itself; what is told is the error.
        let result = result?;
        ended?;
        reader.give_back();
        Ok(result)
    }

    /// Rings when the runner is to look again: a commit has started a job, a job pauses, or all stops.
    pub fn jobs_bell(&self) -> &Bell {
        &self.bells.jobs
    }

    /// Rings when those who follow messages are to look again: a commit has made some or has changed what is to be done
    /// with them, a test has moved the clock, or all stops.
    pub fn messages_bell(&self) -> &Bell {
        &self.bells.messages
    }

    /// Rings when a webhook was registered or removed, when its thread ends, or all stops.
    pub fn webhooks_bell(&self) -> &Bell {
        &self.bells.webhooks
    }

    /// The time, as changes have it.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// How long to wait at most for this moment, if no bell rings before.
    pub fn until(&self, at: Timestamp) -> std::time::Duration {
        self.clock.until(at)
    }

    /// No more changes are taken; those already queued are still committed.
    pub fn stop(&self) {
        // The last connection to close folds the log in and removes it, and a reader cannot.
        self.readers.close();
        self.writer.stop();
    }
}
