//! What leaves the daemon: events, posted to webhooks. The only room that dials out.
//!
//! Each webhook has a thread of its own that follows the rows, so that a receiver who is slow holds nobody up; one more
//! looks after these. Nobody waits for them: messages are made whether or not somebody listens.

mod follower;
mod post;
mod signature;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::store::{Store, webhook};
use post::Poster;

/// Between two looks at the rows when no bell rings. The bell is enough; this is for those who change the file by hand.
const LOOK: Duration = Duration::from_secs(60);
/// And when the rows could not be read or written.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

pub struct Outbound {
    store: Arc<Store>,
    stopping: AtomicBool,
    /// Of the webhooks that are followed, by their ids.
    posters: Mutex<HashMap<String, Poster>>,
}

impl Outbound {
    /// Starts the thread that looks after the webhooks' own.
    pub fn start(store: Arc<Store>) -> Result<(Arc<Outbound>, JoinHandle<()>)> {
        let outbound = Arc::new(Outbound { store, stopping: AtomicBool::new(false), posters: Mutex::default() });
        let ours = outbound.clone();
        let thread = std::thread::Builder::new().name("webhooks".to_owned()).spawn(move || ours.look_after());
        let thread =
            thread.map_err(|error| Error::startup(format!("the webhooks' thread cannot be started: {error}")))?;
        Ok((outbound, thread))
    }

    /// Calls that are under way are broken off, and made again at the next start.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.store.webhooks_bell().ring();
        self.store.messages_bell().ring();
        let posters: Vec<Poster> = self.posters().drain().map(|(_, poster)| poster).collect();
        posters.into_iter().for_each(Poster::stop);
    }

    fn stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    fn posters(&self) -> std::sync::MutexGuard<'_, HashMap<String, Poster>> {
        self.posters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has every webhook followed by a thread, until all stops.
    fn look_after(self: &Arc<Self>) {
        // By the webhooks' ids: whoever comes after one that was removed has a thread of its own.
        let mut threads: HashMap<String, JoinHandle<()>> = HashMap::new();
        let bell = self.store.webhooks_bell();
        loop {
            let heard = bell.rung();
            if self.stopping() {
                break;
            }
            threads.extract_if(|_, thread| thread.is_finished()).for_each(|(_, thread)| join(thread));
            let timeout = match self.store.read(webhook::ids) {
                Ok(webhook_ids) => {
                    for webhook_id in webhook_ids {
                        if !threads.contains_key(&webhook_id)
                            && let Some(thread) = self.follow(webhook_id.clone())
                        {
                            threads.insert(webhook_id, thread);
                        }
                    }
                    LOOK
                }
                Err(error) => {
                    log::error!("the webhooks could not be read: {error}");
                    LOOK_AGAIN
                }
            };
            bell.wait(heard, timeout);
        }
        threads.into_values().for_each(join);
    }

    fn follow(self: &Arc<Self>, webhook_id: String) -> Option<JoinHandle<()>> {
        let outbound = self.clone();
        let thread = std::thread::Builder::new().name("webhook".to_owned());
        match thread.spawn(move || follower::follow(&outbound, &webhook_id)) {
            Ok(thread) => Some(thread),
            Err(error) => {
                log::error!("no thread can be started for a webhook: {error}");
                None
            }
        }
    }
}

fn join(thread: JoinHandle<()>) {
    if thread.join().is_err() {
        log::error!("a thread of a webhook panicked");
    }
}
