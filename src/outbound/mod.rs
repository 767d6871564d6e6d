//! What leaves the daemon: events, posted to webhooks.
//!
//! One thread follows the rows and fills the queues of all webhooks. Each webhook has a thread of its own that delivers
//! from its queue, so that a slow receiver holds up no other webhook. Another thread starts and joins these. No request
//! waits for them: messages are made whether or not there is a receiver.

mod filler;
mod follower;
mod pace;
mod post;
mod posters;
mod queues;
mod signature;

use std::collections::HashMap;
use std::sync::Arc;
use std::thread::JoinHandle;

use crate::error::{Error, Result};
use crate::follow::{self, Next};
use crate::store::{Store, webhook};
use crate::threads;
use posters::Posters;
use queues::Queues;

pub struct Outbound {
    store: Arc<Store>,
    posters: Posters,
    queues: Arc<Queues>,
}

impl Outbound {
    /// Starts the thread that fills the queues, and the one that starts and joins the webhooks' own.
    pub fn start(store: Arc<Store>) -> Result<(Arc<Outbound>, Vec<JoinHandle<()>>)> {
        let outbound = Arc::new(Outbound { store, posters: Posters::default(), queues: Arc::default() });
        let queues = outbound.queues.clone();
        outbound.store.on_clock_change(move || queues.ring_all());
        let mut threads: Vec<JoinHandle<()>> = Vec::new();
        for (name, role) in [("webhooks", Outbound::supervise as fn(&Arc<Self>)), ("webhook queues", Outbound::fill)] {
            let (ours, thread) = (outbound.clone(), std::thread::Builder::new().name(name.to_owned()));
            match threads::spawn_service(thread, move || role(&ours)) {
                Ok(thread) => threads.push(thread),
                Err(error) => {
                    outbound.stop();
                    threads.into_iter().for_each(join);
                    return Err(Error::startup(format!("the thread '{name}' cannot be started: {error}")));
                }
            }
        }
        Ok((outbound, threads))
    }

    /// Aborts calls in progress. They are made again at the next start.
    pub fn stop(&self) {
        self.posters.stop();
        self.queues.ring_all();
        self.store.webhooks_bell().ring();
        self.store.messages_bell().ring();
    }

    fn fill(self: &Arc<Self>) {
        filler::fill(&self.store, &self.posters, &self.queues);
    }

    /// Keeps a thread for every webhook, until all stops.
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
                let there = self.store.read(webhook::ids)?;
                let gone = threads.keys().filter(|webhook_id| !there.contains(webhook_id));
                gone.for_each(|webhook_id| self.queues.ring(webhook_id));
                for webhook_id in there {
                    if !threads.contains_key(&webhook_id)
                        && let Some(thread) = self.start_follower(webhook_id.clone())
                    {
                        threads.insert(webhook_id, thread);
                    }
                }
                // The thread that fills the queues may have looked before this bell rang.
                self.store.messages_bell().ring();
                Ok(Next::Wait)
            },
        );
        threads.into_values().for_each(join);
    }

    fn start_follower(self: &Arc<Self>, webhook_id: String) -> Option<JoinHandle<()>> {
        let outbound = self.clone();
        let thread = std::thread::Builder::new().name("webhook".to_owned());
        let follow = move || follower::follow(&outbound.store, &outbound.posters, &outbound.queues, &webhook_id);
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
