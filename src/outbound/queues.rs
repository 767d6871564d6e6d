//! How the thread that fills the queues of webhooks and the threads that deliver from them notify one another.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::pace::Pace;
use crate::store::Bell;

#[derive(Default)]
pub struct Queues {
    /// By the ids of the webhooks that a thread delivers to.
    queues: Mutex<HashMap<String, Queue>>,
    /// How fast all of them deliver.
    pub pace: Pace,
}

#[derive(Default)]
struct Queue {
    /// Rings when there is something new in it.
    bell: Bell,
    /// Whether events have left it since the last check.
    has_shrunk: bool,
}

impl Queues {
    /// Rings when there is something new in the queue of a webhook, or when all stops.
    pub fn bell(&self, webhook_id: &str) -> Bell {
        self.lock().entry(webhook_id.to_owned()).or_default().bell.clone()
    }

    pub fn ring(&self, webhook_id: &str) {
        if let Some(queue) = self.lock().get(webhook_id) {
            queue.bell.ring();
        }
    }

    pub fn ring_all(&self) {
        self.lock().values().for_each(|queue| queue.bell.ring());
    }

    /// Notes that events have left the queue.
    pub fn shrunk(&self, webhook_id: &str) {
        if let Some(queue) = self.lock().get_mut(webhook_id) {
            queue.has_shrunk = true;
        }
    }

    /// Whether events have left the queue since the last check.
    pub fn has_shrunk(&self, webhook_id: &str) -> bool {
        self.lock().get_mut(webhook_id).is_some_and(|queue| std::mem::take(&mut queue.has_shrunk))
    }

    pub fn remove(&self, webhook_id: &str) {
        self.lock().remove(webhook_id);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Queue>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
