//! The relay's threads.

use std::sync::Arc;
use std::thread::JoinHandle;

use super::appender::{Appender, BATCH};
use super::keys::Keys;
use super::link::Link;
use super::state::RelayState;
use super::statuses::Statuses;
use super::{ROUTE, Stats};
use crate::deliver::route::Route;
use crate::error::{Error, Result};
use crate::follow;
use crate::model::row::DeliveryEntry;
use crate::outage::Outage;
use crate::store::{Bell, Db, Store, message, relayed};
use crate::threads;

/// Where to, before anything runs. Whether Redis can be reached is seen later: it may come after this daemon, and go at any
/// time.
pub struct Prepared {
    appends: Link,
    takes: Link,
}

impl Prepared {
    pub fn new(url: &str) -> Result<Self> {
        Ok(Prepared { appends: Link::new("--relay", url)?, takes: Link::new("--relay", url)? })
    }

    /// Where it leads to, without what is secret of it.
    pub fn place(&self) -> &str {
        self.appends.place()
    }
}

/// What a thread of it does.
type Role = Box<dyn FnOnce(&Relay) + Send>;

/// A follower of the queue, and one of what the senders say.
pub struct Relay {
    store: Arc<Store>,
    route: Arc<Route>,
    keys: Keys,
    state: RelayState,
    /// Of the thread that takes statuses, which mostly waits for Redis.
    told: Bell,
}

impl Relay {
    pub fn start(
        store: Arc<Store>,
        route: Arc<Route>,
        prepared: Prepared,
        entries: u64,
    ) -> Result<(Arc<Relay>, Vec<JoinHandle<()>>)> {
        let Prepared { appends, takes } = prepared;
        let keys = Keys::of(&store.read(message::file_tag)?);
        let relay = Arc::new(Relay { store, route, keys, state: RelayState::default(), told: Bell::default() });
        let roles: [(&str, Role); 2] = [
            ("relay", Box::new(move |relay| relay.append(appends, entries))),
            ("relay statuses", Box::new(move |relay| relay.take(takes))),
        ];
        let mut threads: Vec<JoinHandle<()>> = Vec::new();
        for (name, role) in roles {
            let (ours, thread) = (relay.clone(), std::thread::Builder::new().name(name.to_owned()));
            match threads::spawn_service(thread, move || role(&ours)) {
                Ok(thread) => threads.push(thread),
                Err(error) => {
                    relay.stop();
                    threads.into_iter().for_each(|thread| drop(thread.join()));
                    return Err(Error::startup(format!("the thread '{name}' cannot be started: {error}")));
                }
            }
        }
        Ok((relay, threads))
    }

    /// Both threads end, the one that waits for Redis when that says that there is nothing.
    pub fn stop(&self) {
        self.state.stop();
        self.route.bell().ring();
        self.told.ring();
    }

    pub fn stats(&self, db: &Db<'_>) -> Result<Stats> {
        let last_entry = self.state.appended();
        let lag = relayed::count_after(db, ROUTE, DeliveryEntry(last_entry))?;
        let (in_stream, is_full) = (self.state.in_stream(), self.state.is_full());
        Ok(Stats { lag, last_entry, in_stream, is_full, error: self.state.error() })
    }

    fn append(&self, link: Link, limit: u64) {
        let (store, route, keys, state) = (&*self.store, &*self.route, &self.keys, &self.state);
        let mut appender = Appender { store, route, link, keys, state, limit, last: None, at_once: BATCH };
        let trouble = "messages are not relayed";
        follow::follow(store, route.bell(), trouble, || state.is_stopping(), || appender.turn());
    }

    fn take(&self, link: Link) {
        let (store, route, keys, state) = (&*self.store, &*self.route, &self.keys, &self.state);
        let unreadable = Outage::of_callers("a status cannot be read");
        let mut statuses = Statuses { store, route, link, keys, state, recounted: None, unreadable };
        let trouble = "statuses of relayed messages are not taken";
        follow::follow(store, &self.told, trouble, || state.is_stopping(), || statuses.turn());
    }
}
