//! What the thread that fills the queue and one that takes from it tell one another.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::clock::Timestamp;
use crate::model::channel::Channel;
use crate::store::Bell;

/// What is queued under one name, and sent from there.
pub struct Route {
    /// A channel's name, or `relay`: what stands in the rows.
    pub name: String,
    /// Where it leads to, without what may be a secret.
    pub target: String,
    /// Whose deliveries it takes.
    pub channels: Vec<Channel>,
    /// Entries that wait, about, before no more are queued.
    most: usize,
    /// Entries that wait, or more, as far as the thread knows that fills the queue.
    queued: AtomicUsize,
    bell: Bell,
    has_shrunk: AtomicBool,
    resting: Mutex<Option<Resting>>,
}

/// Nothing is sent for a while.
#[derive(Clone, Debug)]
pub struct Resting {
    pub until: Timestamp,
    pub reason: String,
}

impl Route {
    pub fn new(name: String, target: String, channels: Vec<Channel>, most: usize) -> Self {
        Route {
            name,
            target,
            channels,
            most,
            queued: AtomicUsize::new(0),
            bell: Bell::default(),
            has_shrunk: AtomicBool::new(true),
            resting: Mutex::default(),
        }
    }

    pub fn note_queued(&self, queued: usize) {
        self.queued.store(queued, Ordering::SeqCst);
    }

    pub fn add_queued(&self, added: usize) {
        self.queued.fetch_add(added, Ordering::SeqCst);
    }

    pub fn has_room(&self) -> bool {
        self.queued.load(Ordering::SeqCst) < self.most
    }

    /// Whether it rests, as it does for its target's sake or for a key that is refused.
    pub fn resting(&self) -> Option<Resting> {
        self.resting.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn set_resting(&self, resting: Option<Resting>) {
        *self.resting.lock().unwrap_or_else(PoisonError::into_inner) = resting;
    }

    /// Rings when there is something new in the queue, when it was paused or goes on, and when all stops.
    pub fn bell(&self) -> &Bell {
        &self.bell
    }

    /// Entries have left the queue.
    pub fn shrunk(&self) {
        self.has_shrunk.store(true, Ordering::SeqCst);
    }

    /// Whether entries have left the queue since this was last asked.
    pub fn has_shrunk(&self) -> bool {
        self.has_shrunk.swap(false, Ordering::SeqCst)
    }
}
