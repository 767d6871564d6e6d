//! Messages that are delivered for real, where the flags say so: behind the commits, and in nobody's way.
//!
//! One thread follows the rows and fills a queue in the file (`filler.rs`). A thread for each channel sends from it, and
//! writes down what came of it (`follower.rs`); what it sends to is behind one trait (`sender/`). With `--relay`, what has
//! no target here goes to senders on other machines (`relay/`), which `bulkd deliver` starts (`command.rs`).

mod change_over;
pub mod command;
pub mod envelope;
mod filler;
mod follower;
mod rate;
pub mod refused_keys;
pub mod relay;
mod route;
pub mod sender;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use crate::error::{Error, Result};
use crate::model::channel::Channel;
use crate::model::deliver_target::{DeliverRate, DeliverTo, Target};
use crate::store::{Db, Store};
use crate::threads;
use change_over::use_routes;
use relay::Relay;
pub use route::Route;
use sender::Sender;

/// Entries that the queue of a channel holds, about: what comes behind waits in the outbox.
const QUEUE_ENTRIES: usize = 10_000;

/// What is to be delivered, and by what. Nothing runs yet.
#[derive(Default)]
pub struct Plan {
    routes: Vec<PlannedRoute>,
    /// Failures one after the other that pause a channel.
    errors: u32,
    relay: Option<PlannedRelay>,
}

/// For the channels that have no target of their own.
struct PlannedRelay {
    prepared: relay::Prepared,
    channels: Vec<Channel>,
    /// That the stream has at most.
    entries: u64,
}

/// A channel with a target of its own.
struct PlannedRoute {
    channel: Channel,
    target: Target,
    sender: Arc<dyn Sender>,
    per_second: Option<u32>,
}

impl Plan {
    /// Fails with the flag that cannot be.
    pub fn new(to: &[DeliverTo], rates: &[DeliverRate], errors: u32) -> Result<Self> {
        let mut plan = Plan { routes: Vec::new(), errors, relay: None };
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
                if plan.routes.iter().any(|route| route.channel == channel) {
                    let name = channel.name();
                    return Err(Error::startup(format!("--deliver {name}: expected one target, and there are two")));
                }
                let rate = rates.iter().rev().find(|rate| rate.channels.contains(&channel));
                let per_second = rate.map(|rate| rate.per_second);
                plan.routes.push(PlannedRoute { channel, target: target.clone(), sender: sender.clone(), per_second });
            }
        }
        let is_of_none = |rate: &&DeliverRate| !plan.routes.iter().any(|route| rate.channels.contains(&route.channel));
        if let Some(rate) = rates.iter().find(is_of_none) {
            let name = name_of(&rate.channels);
            return Err(Error::startup(format!("--deliver-rate {name}: there is no --deliver for it")));
        }
        Ok(plan)
    }

    /// Has all else go to this Redis, if there is one. Fails if it cannot be.
    pub fn relayed(mut self, url: Option<&str>, entries: u64) -> Result<Self> {
        let Some(url) = url else { return Ok(self) };
        let prepared = relay::Prepared::new(url)?;
        let channels = Channel::NAMES.iter().map(|(_, channel)| *channel);
        let channels: Vec<Channel> =
            channels.filter(|channel| !self.routes.iter().any(|route| route.channel == *channel)).collect();
        self.relay = Some(PlannedRelay { prepared, channels, entries });
        Ok(self)
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
    relay: Option<Arc<Relay>>,
    stopping: AtomicBool,
}

impl Deliver {
    /// Starts what is planned; nothing, if that is nothing. What is in the file by now is not sent, unless it was queued
    /// before.
    pub fn start(store: &Arc<Store>, plan: Plan) -> Result<Option<Running>> {
        let Plan { routes: planned, errors, relay } = plan;
        let mut routes: Vec<Arc<Route>> = planned
            .iter()
            .map(|it| {
                let (name, target) = (it.channel.name().to_owned(), it.target.to_string());
                Arc::new(Route::new(name, target, vec![it.channel], QUEUE_ENTRIES))
            })
            .collect();
        let relay = relay.map(|PlannedRelay { prepared, channels, entries }| {
            // What is in the stream is in the queue as well.
            let most = usize::try_from(entries).unwrap_or(usize::MAX).saturating_add(QUEUE_ENTRIES);
            let target = prepared.place().to_owned();
            let route = Arc::new(Route::new(relay::ROUTE.to_owned(), target, channels, most));
            routes.push(route.clone());
            (route, prepared, entries)
        });
        use_routes(store, &routes)?;
        if routes.is_empty() {
            return Ok(None);
        }
        let senders = planned.iter().map(|it| it.sender.clone()).collect();
        let mut threads = Vec::new();
        let relay = match relay {
            Some((route, prepared, entries)) => {
                let (relay, relaying) = Relay::start(store.clone(), route, prepared, entries)?;
                threads.extend(relaying);
                Some(relay)
            }
            None => None,
        };
        let deliver =
            Arc::new(Deliver { store: store.clone(), routes, senders, relay, stopping: AtomicBool::new(false) });
        let moved = deliver.routes.clone();
        store.on_clock_change(move || moved.iter().for_each(|route| route.bell().ring()));
        let started = deliver.start_threads(planned, errors, &mut threads);
        if let Err(error) = started {
            deliver.stop();
            threads.into_iter().for_each(join);
            return Err(error);
        }
        Ok(Some((deliver, threads)))
    }

    fn start_threads(
        self: &Arc<Self>,
        planned: Vec<PlannedRoute>,
        errors: u32,
        threads: &mut Vec<JoinHandle<()>>,
    ) -> Result<()> {
        let ours = self.clone();
        threads.push(spawn("deliver queue", move || {
            filler::fill(&ours.store, &ours.routes, || ours.is_stopping());
        })?);
        for (planned, route) in planned.into_iter().zip(&self.routes) {
            let (ours, route) = (self.clone(), route.clone());
            let job = follower::Job {
                parts: envelope::Parts::of(&planned.target),
                sender: planned.sender,
                per_second: planned.per_second,
                errors,
            };
            let name = format!("deliver {}", route.name);
            threads.push(spawn(&name, move || {
                follower::follow(&ours.store, &route, job, || ours.is_stopping());
            })?);
        }
        Ok(())
    }

    /// How the relay goes, if there is one.
    pub fn relay(&self, db: &Db<'_>) -> Result<Option<relay::Stats>> {
        self.relay.as_ref().map(|relay| relay.stats(db)).transpose()
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
        if let Some(relay) = &self.relay {
            relay.stop();
        }
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
