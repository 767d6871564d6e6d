//! Opens, wires, spawns, joins: the only place that knows every room.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;

use crate::api::{Api, Keys, Settings};
use crate::clock::Clock;
use crate::config::Config;
use crate::crash::{self, Point};
use crate::error::{Error, Result};
use crate::http::{self, Server};
use crate::id::Ids;
use crate::runner::Runner;
use crate::store::{self, Store};

/// A running daemon.
pub struct App {
    store: Arc<Store>,
    runner: Arc<Runner>,
    server: Server,
    listener: JoinHandle<()>,
    workers: Vec<JoinHandle<()>>,
    store_threads: store::Threads,
}

impl App {
    /// Starts a daemon; when this returns, requests are being answered and unfinished jobs go on.
    pub fn start(config: Config) -> Result<App> {
        App::start_with(config, Clock::System, Ids::random())
    }

    /// Starts a daemon with a clock and ids of a test's own.
    pub fn start_with(config: Config, clock: Clock, ids: Ids) -> Result<App> {
        config.validate()?;
        // The address before the file: a daemon that cannot listen leaves nothing behind. Whoever is early waits.
        let api: Arc<OnceLock<Option<Api>>> = Arc::default();
        let started = api.clone();
        let handler = move |request| match started.wait() {
            Some(api) => api.answer(request),
            None => http::of_error(&Error::unavailable("bulkd could not be started")),
        };
        let (server, listener) = Server::start(config.listen, config.limits, Arc::new(handler))?;
        let options = store::Options { path: config.database, durability: config.durability, clock, ids };
        let (store, store_threads) = match Store::open(options) {
            Ok(opened) => opened,
            Err(error) => {
                let _ = api.set(None);
                server.stop();
                join("listener", listener);
                return Err(error);
            }
        };
        let store = Arc::new(store);
        let settings =
            Settings { contract: config.contract, templates: config.templates, keys: Keys::new(&config.api_keys) };
        let _ = api.set(Some(Api::new(store.clone(), settings)));
        let (runner, workers) = Runner::start(store.clone(), config.templates, config.workers)?;
        Ok(App { store, runner, server, listener, workers, store_threads })
    }

    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    pub fn database(&self) -> &Path {
        self.store.path()
    }

    /// Finishes what is in flight, commits it, and closes the file. First those who ask for work, then those who do it,
    /// and the writer last, so that nobody waits for somebody who has gone.
    pub fn stop(self) {
        self.server.stop();
        join("listener", self.listener);
        self.runner.stop();
        for worker in self.workers {
            join("worker", worker);
        }
        drop(self.runner);
        crash::point(Point::Shutdown);
        self.store.stop();
        self.store_threads.join();
    }
}

fn join(name: &str, thread: JoinHandle<()>) {
    if thread.join().is_err() {
        log::error!("the {name} panicked");
    }
}
