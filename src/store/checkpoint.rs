//! Copying the write-ahead log into the database, from a thread and connection of its own, so that commits do not wait for
//! it. A copier that never catches up would let the log grow without end; past a limit the writer itself finishes the copy.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;

use super::bell::Bell;
use super::file::{BUSY_TIMEOUT, LOG_BYTES, PAGE_BYTES};
use crate::error::{Error, Result};

/// Pages in the log before a copy is worth its while.
const COPY_AFTER: i64 = 4 * 1024 * 1024 / PAGE_BYTES;
/// Pages in the log at which the writer finishes the copy and empties it.
const TRUNCATE_AFTER: i64 = LOG_BYTES / PAGE_BYTES;

/// What is known of the log: when to ring for the copier, and when the writer has to empty it.
#[derive(Clone, Default)]
pub struct Checkpoints(Arc<Shared>);

#[derive(Default)]
struct Shared {
    bell: Bell,
    /// Pages in the log after the last commit.
    pages: AtomicI64,
    /// Pages at which to copy next.
    copy_at: AtomicI64,
    /// Pages at which to empty the log next.
    truncate_at: AtomicI64,
    /// Held by whoever copies: SQLite lets one at a time, and turns the other away.
    copying: Mutex<()>,
    stopping: AtomicBool,
}

pub fn start(conn: Connection) -> Result<(Checkpoints, JoinHandle<()>)> {
    let checkpoints = Checkpoints::default();
    checkpoints.log_starts_over();
    let shared = checkpoints.clone();
    let thread = std::thread::Builder::new()
        .name("checkpointer".to_owned())
        .spawn(move || shared.copy(&conn))
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
        }
        if pages >= self.0.copy_at.load(Ordering::Relaxed) {
            self.0.copy_at.store(pages + COPY_AFTER, Ordering::Relaxed);
            self.0.bell.ring();
        }
    }

    fn log_starts_over(&self) {
        self.0.copy_at.store(COPY_AFTER, Ordering::Relaxed);
        self.0.truncate_at.store(TRUNCATE_AFTER, Ordering::Relaxed);
    }

    /// Called by the writer between groups.
    pub fn truncate_if_long(&self, conn: &Connection) {
        let pages = self.0.pages.load(Ordering::Relaxed);
        if pages < self.0.truncate_at.load(Ordering::Relaxed) {
            return;
        }
        let _copying = self.0.copying.lock().unwrap_or_else(PoisonError::into_inner);
        // A reader that holds on to the log must not hold up the writer: then it is tried again later.
        let _ = conn.busy_timeout(Duration::ZERO);
        match conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0)) {
            Ok(0) => {
                self.0.pages.store(0, Ordering::Relaxed);
                self.log_starts_over();
            }
            Ok(_) => self.0.truncate_at.store(pages + TRUNCATE_AFTER / 8, Ordering::Relaxed),
            Err(error) => {
                log::warn!("the write-ahead log could not be emptied: {error}");
                self.0.truncate_at.store(pages + TRUNCATE_AFTER / 8, Ordering::Relaxed);
            }
        }
        let _ = conn.busy_timeout(BUSY_TIMEOUT);
    }

    /// Called when all other connections are closed.
    pub fn stop(&self) {
        self.0.stopping.store(true, Ordering::Relaxed);
        self.0.bell.ring();
    }

    fn copy(&self, conn: &Connection) {
        let mut heard = 0;
        loop {
            self.0.bell.wait(heard, Duration::from_secs(3600));
            heard = self.0.bell.rung();
            let stopping = self.0.stopping.load(Ordering::Relaxed);
            let copied = {
                let _copying = self.0.copying.lock().unwrap_or_else(PoisonError::into_inner);
                conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get::<_, i64>(0))
            };
            if let Err(error) = copied {
                log::warn!("the write-ahead log could not be copied into the database: {error}");
            }
            // Now that this connection has seen the log, it removes it when it is closed as the last one.
            if stopping {
                return;
            }
        }
    }
}
