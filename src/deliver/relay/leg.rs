//! One channel of a sender, as its threads share it: what it holds, whether it rests, and how it goes. Each has its own, so that
//! one channel holds up no other.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::held::{Group, Held, HeldIds};
use super::queue::Queue;
use crate::deliver::sender::Sender;
use crate::store::Bell;

/// With fewer entries that are yet to be sent it wants more, and with so many it takes no more.
pub const HUNGRY: usize = 16;
const UNSENT: usize = 64;
/// Entries that wait for their next try, at most: with more of them nothing new is taken.
const TRIED: usize = 1_000;
/// Who has sent something so lately is at work.
const AT_WORK: Duration = Duration::from_secs(10);

pub struct Leg {
    pub channel: String,
    pub sender: Arc<dyn Sender>,
    pub group: Arc<Group>,
    shared: Mutex<Shared>,
    /// Whether some of the channel is in the group under its name, for the sender that comes first.
    pub has_left: AtomicBool,
    stopping: AtomicBool,
    /// Rings for its thread: it was given something, or is to stop.
    pub bell: Bell,
    /// Rings for the one that gives: there is room.
    pub room: Bell,
}

#[derive(Default)]
pub struct Shared {
    pub queue: Queue,
    pub resting_until: Option<Instant>,
    /// Failures since the last message that was accepted.
    pub failures: u32,
    pub last_error: String,
    pub accepted_at: Option<Instant>,
    /// Whether its rate has it wait.
    pub is_paced: bool,
}

impl Leg {
    pub fn new(channel: String, sender: Arc<dyn Sender>, group: Arc<Group>, room: Bell) -> Self {
        Leg {
            channel,
            sender,
            group,
            shared: Mutex::default(),
            has_left: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            bell: Bell::default(),
            room,
        }
    }

    pub fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// Has its thread end, and breaks off what it is sending, as far as that can be.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.sender.stop();
        self.bell.ring();
    }

    /// Whether it is to be given more: it neither rests nor has much to do.
    pub fn is_hungry(&self) -> bool {
        let shared = self.shared();
        !shared.is_resting() && shared.queue.unsent() < HUNGRY && shared.queue.tried() < TRIED
    }

    /// Whether it has enough, and may have room in a moment.
    pub fn is_busy(&self) -> bool {
        let shared = self.shared();
        !shared.is_resting() && !shared.is_paced && shared.queue.unsent() >= HUNGRY
    }

    /// Whether some of it was left to others, of which it may soon take more.
    pub fn may_take_left(&self) -> bool {
        self.has_left.load(Ordering::SeqCst) && !self.shared().is_resting()
    }

    /// Takes an entry, unless it rests or has enough. Then the entry comes back.
    pub fn take(&self, entry: Held) -> Option<Held> {
        let mut shared = self.shared();
        // What has failed before has to wait somewhere.
        if shared.is_resting() || shared.queue.unsent() >= UNSENT || shared.queue.tried() >= TRIED {
            return Some(entry);
        }
        shared.queue.push(entry);
        drop(shared);
        self.bell.ring();
        None
    }

    pub fn add_ids(&self, into: &mut HeldIds) {
        self.shared().queue.add_ids(into);
    }

    /// Lets go of those of these that others have taken over: all but those that the group has under the sender's name.
    pub fn lose(&self, asked: &HeldIds, own: &HashSet<String>) {
        self.shared().queue.lose(|id| asked.has(id) && !own.contains(id));
    }

    /// Why it is given up, if it is.
    pub fn given_up(&self, errors: u32) -> Option<String> {
        let shared = self.shared();
        (shared.failures >= errors).then(|| {
            format!(
                "{}: {} failures one after the other, the last: {}",
                self.channel, shared.failures, shared.last_error
            )
        })
    }

    /// Whether it has something to send, or has just sent something.
    pub fn is_at_work(&self) -> bool {
        let shared = self.shared();
        shared.accepted_at.is_some_and(|at| at.elapsed() < AT_WORK) || shared.queue.is_any_at_work()
    }

    /// What it still holds, and has not begun to send, once its thread has ended.
    pub fn drain(&self) -> Vec<Held> {
        self.shared().queue.drain_waiting()
    }
}

impl Shared {
    fn is_resting(&self) -> bool {
        self.resting_until.is_some_and(|until| until > Instant::now())
    }
}
