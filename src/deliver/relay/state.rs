//! What the threads of the relay tell one another, and those who ask how it goes.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// What one of the threads does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Appends,
    Takes,
}

/// How the relay goes.
#[derive(Default)]
pub struct RelayState {
    stopping: AtomicBool,
    /// The last entry that Redis has.
    appended: AtomicU64,
    /// Entries in the stream.
    in_stream: AtomicU64,
    is_full: AtomicBool,
    /// Why one thread or the other does nothing.
    errors: Mutex<[Option<String>; 2]>,
    /// How often there was reason to look which entries Redis has. Once from the start.
    recounts: AtomicU64,
}

impl RelayState {
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    pub fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
    }

    pub fn note(&self, appended: i64, in_stream: u64, is_full: bool) {
        self.appended.store(appended.unsigned_abs(), Ordering::SeqCst);
        self.in_stream.store(in_stream, Ordering::SeqCst);
        self.is_full.store(is_full, Ordering::SeqCst);
    }

    pub fn appended(&self) -> i64 {
        i64::try_from(self.appended.load(Ordering::SeqCst)).unwrap_or(i64::MAX)
    }

    pub fn in_stream(&self) -> u64 {
        self.in_stream.load(Ordering::SeqCst)
    }

    pub fn is_full(&self) -> bool {
        self.is_full.load(Ordering::SeqCst)
    }

    /// Why one of them does nothing, if so.
    pub fn set_error(&self, of: Role, error: Option<String>) {
        let [appends, takes] = &mut *self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        match of {
            Role::Appends => *appends = error,
            Role::Takes => *takes = error,
        }
    }

    /// Why nothing is appended, or else why no statuses are taken.
    pub fn error(&self) -> Option<String> {
        let [appends, takes] = &*self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        appends.clone().or_else(|| takes.clone())
    }

    /// Asks for a look at which entries Redis has.
    pub fn recount(&self) {
        self.recounts.fetch_add(1, Ordering::SeqCst);
    }

    pub fn recounts(&self) -> u64 {
        self.recounts.load(Ordering::SeqCst)
    }
}
