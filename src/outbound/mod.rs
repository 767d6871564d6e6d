//! What leaves the daemon: events, posted to webhooks. The only room that dials out.
//!
//! Each webhook has a thread of its own that follows the rows, so that a slow receiver holds up no other webhook; one
//! more starts and joins these. No request waits for them: messages are made whether or not there is a receiver.

mod follower;
mod post;
mod posters;
mod signature;

use std::collections::HashMap;
use std::sync::Arc;
use std::thread::JoinHandle;

use crate::error::{Error, Result};
use crate::follow::{self, Next};
use crate::store::{Store, webhook};
use crate::threads;
use posters::Posters;

pub struct Outbound {
    store: Arc<Store>,
    posters: Posters,
}

impl Outbound {
    /// Starts the thread that starts and joins the webhooks' own.
    pub fn start(store: Arc<Store>) -> Result<(Arc<Outbound>, JoinHandle<()>)> {
        let outbound = Arc::new(Outbound { store, posters: Posters::default() });
        let ours = outbound.clone();
        let thread = std::thread::Builder::new().name("webhooks".to_owned());
        let thread = threads::spawn_service(thread, move || ours.supervise());
        let thread =
            thread.map_err(|error| Error::startup(format!("the webhooks' thread cannot be started: {error}")))?;
        Ok((outbound, thread))
    }

    /// Calls that are under way are broken off, and made again at the next start.
    pub fn stop(&self) {
        self.posters.stop();
        self.store.webhooks_bell().ring();
        self.store.messages_bell().ring();
    }

    /// Has every webhook followed by a thread, until all stops.
    fn supervise(self: &Arc<Self>) {
        // By the webhooks' ids, which are never used again: a webhook in the place of one that was removed has a thread
        // of its own.
        let mut threads: HashMap<String, JoinHandle<()>> = HashMap::new();
        let bell = self.store.webhooks_bell();
        follow::follow(
            &self.store,
            bell,
            "the webhooks could not be read",
            || self.posters.is_stopping(),
            || {
                threads.extract_if(|_, thread| thread.is_finished()).for_each(|(_, thread)| join(thread));
                for webhook_id in self.store.read(webhook::ids)? {
                    if !threads.contains_key(&webhook_id)
                        && let Some(thread) = self.start_follower(webhook_id.clone())
                    {
                        threads.insert(webhook_id, thread);
                    }
                }
                Ok(Next::Wait)
            },
        );
        threads.into_values().for_each(join);
    }

    fn start_follower(self: &Arc<Self>, webhook_id: String) -> Option<JoinHandle<()>> {
        let outbound = self.clone();
        let thread = std::thread::Builder::new().name("webhook".to_owned());
        let follow = move || follower::follow(&outbound.store, &outbound.posters, &webhook_id);
        match threads::spawn_service(thread, follow) {
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
