//! Messages that are delivered for real, where the flags say so: behind the commits, and in nobody's way.
//!
//! One thread follows the rows and fills a queue in the file (`filler.rs`). A thread for each channel sends from it, and
//! writes down what came of it (`follower.rs`); what it sends to is behind one trait (`sender/`).

pub mod envelope;
mod filler;
mod follower;
mod rate;
mod route;
pub mod sender;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use crate::error::{Error, Result};
use crate::model::channel::Channel;
pub use crate::model::delivery as target;
use crate::store::{Store, delivery_queue};
use crate::threads;
pub use route::Route;
use sender::Sender;
use target::{DeliverRate, DeliverTo, Target};

/// Entries that the queue of a channel holds, about: what comes behind waits in the outbox.
const QUEUE_ENTRIES: usize = 10_000;

/// What is to be delivered, and by what. Nothing runs yet.
#[derive(Default)]
pub struct Plan {
    legs: Vec<Leg>,
    /// Failures one after the other that pause a channel.
    errors: u32,
}

/// A channel on its way to its target.
struct Leg {
    channel: Channel,
    target: Target,
    sender: Arc<dyn Sender>,
    per_second: Option<u32>,
}

impl Plan {
    /// Fails with the flag that cannot be.
    pub fn new(to: &[DeliverTo], rates: &[DeliverRate], errors: u32) -> Result<Self> {
        let mut plan = Plan { legs: Vec::new(), errors };
        for DeliverTo { channels, target } in to {
            if target.needs_tls() && !cfg!(feature = "tls") {
                return Err(Error::startup(format!(
                    "--deliver {}={target}: this bulkd was built without TLS; those of pip, npm and the archives have it, \
                     and so has one that is built by cargo with --features tls",
                    name_of(channels)
                )));
            }
            let sender = sender::make(target).map_err(|error| {
                Error::startup(format!("--deliver {}={target}: {}", name_of(channels), error.public_message()))
            })?;
            for &channel in channels {
                if plan.legs.iter().any(|leg| leg.channel == channel) {
                    let name = channel.name();
                    return Err(Error::startup(format!("--deliver {name}: expected one target, and there are two")));
                }
                let rate = rates.iter().rev().find(|rate| rate.channels.contains(&channel));
                let per_second = rate.map(|rate| rate.per_second);
                plan.legs.push(Leg { channel, target: target.clone(), sender: sender.clone(), per_second });
            }
        }
        let is_of_none = |rate: &&DeliverRate| !plan.legs.iter().any(|leg| rate.channels.contains(&leg.channel));
        if let Some(rate) = rates.iter().find(is_of_none) {
            let name = name_of(&rate.channels);
            return Err(Error::startup(format!("--deliver-rate {name}: there is no --deliver for it")));
        }
        Ok(plan)
    }

    pub fn is_empty(&self) -> bool {
        self.legs.is_empty()
    }
}

/// As a flag has it.
fn name_of(channels: &[Channel]) -> &'static str {
    match channels {
        [channel] => channel.name(),
        _ => "all",
    }
}

/// What runs, with its threads.
pub type Running = (Arc<Deliver>, Vec<JoinHandle<()>>);

/// What runs.
pub struct Deliver {
    store: Arc<Store>,
    routes: Vec<Arc<Route>>,
    senders: Vec<Arc<dyn Sender>>,
    stopping: AtomicBool,
}

impl Deliver {
    /// Starts what is planned; nothing, if that is nothing. What is in the file by now is not sent, unless it was queued
    /// before.
    pub fn start(store: &Arc<Store>, plan: Plan) -> Result<Option<Running>> {
        let Plan { legs, errors } = plan;
        let routes: Vec<Arc<Route>> = legs
            .iter()
            .map(|leg| {
                let (name, target) = (leg.channel.name().to_owned(), leg.target.to_string());
                Arc::new(Route::new(name, target, vec![leg.channel], QUEUE_ENTRIES))
            })
            .collect();
        let names: Vec<String> = routes.iter().map(|route| route.name.clone()).collect();
        let known = store.read(delivery_queue::channels)?;
        let is_known = known.len() == names.len() && known.iter().all(|row| names.contains(&row.channel));
        if !is_known {
            store.write(move |tx| delivery_queue::set_in_use(tx, &names))?;
        }
        if routes.is_empty() {
            return Ok(None);
        }
        let senders = legs.iter().map(|leg| leg.sender.clone()).collect();
        let deliver = Arc::new(Deliver { store: store.clone(), routes, senders, stopping: AtomicBool::new(false) });
        let moved = deliver.routes.clone();
        store.on_clock_change(move || moved.iter().for_each(|route| route.bell().ring()));
        let mut threads = Vec::new();
        let started = deliver.start_threads(legs, errors, &mut threads);
        if let Err(error) = started {
            deliver.stop();
            threads.into_iter().for_each(join);
            return Err(error);
        }
        Ok(Some((deliver, threads)))
    }

    fn start_threads(self: &Arc<Self>, legs: Vec<Leg>, errors: u32, threads: &mut Vec<JoinHandle<()>>) -> Result<()> {
        let ours = self.clone();
        threads.push(spawn("deliver queue", move || {
            filler::fill(&ours.store, &ours.routes, || ours.is_stopping());
        })?);
        for (leg, route) in legs.into_iter().zip(&self.routes) {
            let (ours, route) = (self.clone(), route.clone());
            let job = follower::Job {
                parts: envelope::Parts::of(&leg.target),
                sender: leg.sender,
                per_second: leg.per_second,
                errors,
            };
            let name = format!("deliver {}", route.name);
            threads.push(spawn(&name, move || {
                follower::follow(&ours.store, &route, job, || ours.is_stopping());
            })?);
        }
        Ok(())
    }

    pub fn routes(&self) -> &[Arc<Route>] {
        &self.routes
    }

    /// The one of this name.
    pub fn route(&self, name: &str) -> Option<&Arc<Route>> {
        self.routes.iter().find(|route| route.name == name)
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// What is under way is broken off, as far as it can be, and sent again at the next start.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.senders.iter().for_each(|sender| sender.stop());
        self.routes.iter().for_each(|route| route.bell().ring());
        self.store.messages_bell().ring();
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    threads::spawn_service(std::thread::Builder::new().name(name.to_owned()), work)
        .map_err(|error| Error::startup(format!("the thread '{name}' cannot be started: {error}")))
}

fn join(thread: JoinHandle<()>) {
    if thread.join().is_err() {
        log::error!("a thread that delivers panicked");
    }
}
