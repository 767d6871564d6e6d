//! Copies the write-ahead log into the database, on a thread and a connection of its own, so that commits do not wait
//! for it. If the copy never caught up, the log would grow without end: past a limit the writer itself finishes the
//! copy.
//!
//! The log then starts over inside the file that it has: overwriting is a good deal faster than growing.

use std::fs::File;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use super::bell::Bell;
use super::file::{BUSY_TIMEOUT, LOG_BYTES, PAGE_BYTES};
use super::in_place::InPlace;
use crate::crash::{self, Point};
use crate::error::{Error, Result};
use crate::outage::Outage;
use crate::threads;

/// Pages in the log from which a copy pays.
const COPY_AFTER_PAGES: i64 = 4 * 1024 * 1024 / PAGE_BYTES;
/// Pages in the log at which the writer finishes the copy and starts the log over.
const RESTART_AFTER_PAGES: i64 = LOG_BYTES / PAGE_BYTES;

/// How long the writer waits for readers of the log when it starts the log over.
const READERS_WAIT: Duration = Duration::from_millis(10);

/// What is known of the log: when to wake the copying thread, and when the writer has to start it over.
#[derive(Clone)]
pub struct Checkpoints(Arc<Shared>);

struct Shared {
    in_place: InPlace,
    bell: Bell,
    /// Pages in the log after the last commit.
    pages: AtomicI64,
    /// Pages at which to copy next.
    copy_at: AtomicI64,
    /// Pages at which to start the log over next.
    restart_at: AtomicI64,
    /// Held by the thread that copies: SQLite allows one at a time, and refuses the other.
    copying: Mutex<()>,
    /// A sync of the database has failed: the kernel may take pages for written that are not, and only the log still
    /// has them. The log is not overwritten any more; the next start copies all of it again.
    unsynced: AtomicBool,
    /// Another program copies the log, and has to see all of it before the log starts over.
    is_left: bool,
    /// The log stays at the end.
    is_kept: AtomicBool,
    stopping: AtomicBool,
}

/// `database` is the file that `conn` has open. Without it, nothing is synced but what SQLite syncs itself. With
/// `is_left` all copying is left to another program, except the last copy at the end.
pub fn start(
    conn: Connection,
    database: Option<Arc<File>>,
    in_place: InPlace,
    is_left: bool,
) -> Result<(Checkpoints, JoinHandle<()>)> {
    let checkpoints = Checkpoints(Arc::new(Shared {
        in_place,
        bell: Bell::default(),
        pages: AtomicI64::default(),
        copy_at: AtomicI64::default(),
        restart_at: AtomicI64::default(),
        copying: Mutex::default(),
        unsynced: AtomicBool::default(),
        is_left,
        is_kept: AtomicBool::default(),
        stopping: AtomicBool::default(),
    }));
    checkpoints.log_starts_over();
    let shared = checkpoints.clone();
    let thread = std::thread::Builder::new().name("checkpointer".to_owned());
    let thread = threads::spawn_service(thread, move || shared.copy(&conn, database.as_deref()))
        .map_err(|error| Error::startup(format!("the checkpointer cannot be started: {error}")))?;
    Ok((checkpoints, thread))
}

impl Checkpoints {
    /// Called after each commit.
    pub fn log_has(&self, pages: i32) {
        let pages = i64::from(pages);
        let before = self.0.pages.swap(pages, Ordering::Relaxed);
        if pages < before {
            self.log_starts_over();
            crash::point(Point::Restart);
        }
        if pages >= self.0.copy_at.load(Ordering::Relaxed) && !self.0.is_left {
            self.0.copy_at.store(pages + COPY_AFTER_PAGES, Ordering::Relaxed);
            self.0.bell.ring();
        }
    }

    fn log_starts_over(&self) {
        self.0.copy_at.store(COPY_AFTER_PAGES, Ordering::Relaxed);
        self.0.restart_at.store(RESTART_AFTER_PAGES, Ordering::Relaxed);
    }

    /// Called by the writer between groups.
    pub fn restart_if_long(&self, conn: &Connection) {
        let pages = self.0.pages.load(Ordering::Relaxed);
        if pages < self.0.restart_at.load(Ordering::Relaxed) || self.0.is_left {
            return;
        }
        let starts_over = self.finish(conn, "RESTART").unwrap_or_else(|error| {
            log::warn!("the write-ahead log could not be started over: {error}");
            false
        });
        if !starts_over {
            self.0.restart_at.store(pages + RESTART_AFTER_PAGES / 8, Ordering::Relaxed);
        }
    }

    /// Copies what the log holds, as far as no reader needs it.
    pub fn copy_now(&self, conn: &Connection) -> rusqlite::Result<()> {
        self.finish(conn, "PASSIVE").map(drop)
    }

    /// Copies what the log holds and leaves nothing in it. Returns false if that is not possible now.
    pub fn empty(&self, conn: &Connection) -> rusqlite::Result<bool> {
        self.finish(conn, "TRUNCATE")
    }

    fn finish(&self, conn: &Connection, mode: &str) -> rusqlite::Result<bool> {
        if self.0.unsynced.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let _copying = self.0.copying.lock().unwrap_or_else(PoisonError::into_inner);
        if self.0.in_place.check_copy().is_err() {
            return Ok(false);
        }
        // Most readers are done with the log in a moment. One that holds it for longer must not hold up the writer:
        // then it is tried again later.
        let _ = conn.busy_timeout(READERS_WAIT);
        let held = conn.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| row.get::<_, bool>(0));
        let _ = conn.busy_timeout(BUSY_TIMEOUT);
        self.look_after_copy();
        Ok(!held?)
    }

    /// Notes the state of the database after the copy. What is written from now on, without a commit of ours, is
    /// another program's.
    fn look_after_copy(&self) {
        let _ = self.0.in_place.check_copy();
    }

    /// Leaves the log in place at the end, even if no other connection has it open.
    pub fn keep_log(&self) {
        self.0.is_kept.store(true, Ordering::Relaxed);
    }

    /// Called when all other connections are closed.
    pub fn stop(&self) {
        self.0.stopping.store(true, Ordering::Relaxed);
        self.0.bell.ring();
    }

    fn copy(&self, conn: &Connection, database: Option<&File>) {
        let outage = Outage::new("the write-ahead log cannot be copied into the database");
        let mut heard = 0;
        loop {
            self.0.bell.wait(heard, Duration::from_secs(3600));
            heard = self.0.bell.rung();
            let stopping = self.0.stopping.load(Ordering::Relaxed);
            if !self.0.unsynced.load(Ordering::Relaxed) {
                self.copy_once(conn, database, &outage);
            }
            // This connection has seen the log now, so it removes the log if it is closed as the last one.
            if stopping {
                if self.0.is_kept.load(Ordering::Relaxed) {
                    let _ = conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
                }
                return;
            }
        }
    }

    fn copy_once(&self, conn: &Connection, database: Option<&File>, outage: &Outage) {
        let copied = {
            let _copying = self.0.copying.lock().unwrap_or_else(PoisonError::into_inner);
            if let Err(error) = self.0.in_place.check_copy() {
                outage.failed(error);
                // SQLite itself must not copy it either, as it does when the last connection is closed.
                let _ = conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
                return;
            }
            let copied = conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get::<_, i64>(0));
            self.look_after_copy();
            copied
        };
        crash::point(Point::Checkpoint);
        match copied {
            Ok(_) => outage.succeeded(),
            Err(error) => outage.failed(error),
        }
        // Otherwise the writer would take all of it for synced when it starts the log over.
        if let Some(Err(error)) = database.map(File::sync_data) {
            log::error!("the database could not be synced: {error}; its log is kept until bulkd is started again");
            self.0.unsynced.store(true, Ordering::Relaxed);
            let _ = conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
        }
    }
}
