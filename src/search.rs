//! The thread that lets the index of texts follow the messages, where clients search. It works a little at a time, and
//! leaves the machine to threads that make messages.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::follow::{self, Next};
use crate::store::{Store, search};
use crate::threads;

/// While messages are made, each piece is followed by a pause that is so many times as long.
const PAUSES: u32 = 25;
/// After so long without a new message, a piece holds up no other work.
const QUIET: Duration = Duration::from_millis(20);
/// So far the index is behind for clients that search now and then.
const BEHIND: Duration = Duration::from_secs(1);
/// Between two searches for blocks that are needed no more.
const FORGET: Duration = Duration::from_secs(60);

pub struct Indexer {
    store: Arc<Store>,
    stopping: AtomicBool,
}

impl Indexer {
    pub fn start(store: Arc<Store>) -> Result<(Arc<Self>, JoinHandle<()>)> {
        let indexer = Arc::new(Indexer { store, stopping: AtomicBool::new(false) });
        let ours = indexer.clone();
        let thread = threads::spawn_service(Builder::new().name("search".to_owned()), move || ours.follow())
            .map_err(|error| Error::startup(format!("the thread 'search' cannot be started: {error}")))?;
        Ok((indexer, thread))
    }

    pub fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.store.texts().bell().ring();
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    fn follow(&self) {
        let mut forgot_at = Instant::now();
        let trouble = "searches look through all messages";
        let texts = self.store.texts();
        follow::follow(&self.store, texts.bell(), trouble, || self.is_stopping(), || self.turn(&mut forgot_at));
    }

    fn turn(&self, forgot_at: &mut Instant) -> Result<Next> {
        let texts = self.store.texts();
        let (begun, commits) = (Instant::now(), self.store.message_commits().count());
        if self.store.read(|db| search::learn(db, texts))? {
            self.pause(begun.elapsed() * PAUSES, commits);
            return Ok(Next::Again);
        }
        if forgot_at.elapsed() >= FORGET {
            *forgot_at = Instant::now();
            self.store.read(|db| search::forget(db, texts))?;
        }
        Ok(if texts.is_followed() { Next::WaitFor(BEHIND) } else { Next::Wait })
    }

    /// Leaves the machine to other threads while messages are made.
    fn pause(&self, mut left: Duration, mut commits: u64) {
        let bell = self.store.texts().bell();
        while !left.is_zero() && !self.is_stopping() && self.store.message_commits().count() != commits {
            commits = self.store.message_commits().count();
            let slice = left.min(QUIET);
            bell.pause(slice, || self.is_stopping());
            left -= slice;
        }
    }
}
