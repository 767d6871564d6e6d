//! Opens, wires, spawns, joins: the only place that knows every room.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::{fs, io};

use crate::api::{Api, Keys, Settings, seed};
use crate::clock::Clock;
use crate::config::Config;
use crate::crash::{self, Point};
use crate::error::{Error, Result};
use crate::http::{self, Handler, Request, Response, Server};
use crate::id::Ids;
use crate::model::seed::Seed;
use crate::outbound::Outbound;
use crate::render::{STACK, UnknownTemplates};
use crate::runner::Runner;
use crate::store::{self, Store, webhook};

/// A running daemon.
pub struct App {
    store: Arc<Store>,
    runner: Arc<Runner>,
    server: Server,
    listener: JoinHandle<()>,
    workers: Vec<JoinHandle<()>>,
    outbound: Arc<Outbound>,
    webhooks: JoinHandle<()>,
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
        let seed = match &config.seed {
            Some(path) => on_deep_stack(|| read_seed(path, config.templates))?,
            None => Seed::default(),
        };
        // The address before the file: a daemon that cannot listen leaves nothing behind. Whoever is early waits.
        let api: Arc<Door> = Arc::default();
        let (server, listener) = Server::start(config.listen, config.limits, api.clone())?;
        let options = store::Options { path: config.database, durability: config.durability, clock, ids };
        let (store, store_threads) = match Store::open(options) {
            Ok(opened) => opened,
            Err(error) => {
                abandon(&api, &server, listener);
                return Err(error);
            }
        };
        let store = Arc::new(store);
        let settings =
            Settings { contract: config.contract, templates: config.templates, keys: Keys::new(&config.api_keys) };
        let seeded = Api::new(store.clone(), settings, seed);
        let given = config.webhooks;
        let ready =
            on_deep_stack(|| seeded.begin()).and_then(|()| match store.read(webhook::list_from_flags)? == given {
                true => Ok(()),
                false => store.write(move |tx| webhook::set_from_flags(tx, &given)),
            });
        let running = ready.and_then(|()| Runner::start(store.clone(), config.templates, config.workers));
        let started = running.and_then(|(runner, workers)| match Outbound::start(store.clone()) {
            Ok((outbound, webhooks)) => Ok((runner, workers, outbound, webhooks)),
            Err(error) => {
                runner.stop();
                workers.into_iter().for_each(|worker| join("worker", worker));
                Err(error)
            }
        });
        let (runner, workers, outbound, webhooks) = match started {
            Ok(started) => started,
            Err(error) => {
                drop(seeded);
                abandon(&api, &server, listener);
                store.stop();
                store_threads.join();
                return Err(error);
            }
        };
        let _ = api.0.set(Some(seeded));
        Ok(App { store, runner, server, listener, workers, outbound, webhooks, store_threads })
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
        self.outbound.stop();
        join("webhooks", self.webhooks);
        drop(self.outbound);
        crash::point(Point::Shutdown);
        self.store.stop();
        self.store_threads.join();
    }
}

/// The API, once there is one. It never comes if bulkd cannot be started.
#[derive(Default)]
struct Door(OnceLock<Option<Api>>);

impl Handler for Door {
    fn answer(&self, request: Request) -> Response {
        match self.0.wait() {
            Some(api) => api.answer(request),
            None => http::of_error(&Error::unavailable("bulkd could not be started")),
        }
    }

    fn answer_at_once(&self, requests: Vec<Request>) -> Vec<Option<Response>> {
        match self.0.get() {
            Some(Some(api)) => api.answer_at_once(requests),
            _ => requests.iter().map(|_| None).collect(),
        }
    }
}

/// Whoever was early is told that there is no daemon.
fn abandon(api: &Door, server: &Server, listener: JoinHandle<()>) {
    let _ = api.0.set(None);
    server.stop();
    join("listener", listener);
}

/// A file, or in the order of their names the JSON files of a folder.
fn read_seed(path: &Path, templates: UnknownTemplates) -> Result<Seed> {
    let unreadable = |path: &Path, error: io::Error| {
        Error::startup(format!("--seed {}: it cannot be read: {error}", path.display()))
    };
    let mut paths = vec![path.to_owned()];
    if path.is_dir() {
        let entries = fs::read_dir(path).and_then(|entries| entries.collect::<io::Result<Vec<_>>>());
        let entries = entries.map_err(|error| unreadable(path, error))?;
        paths = entries.into_iter().map(|entry| entry.path()).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
        paths.sort();
        if paths.is_empty() {
            return Err(Error::startup(format!("--seed {}: there is no *.json file in this folder", path.display())));
        }
    }
    let read = |path: &PathBuf| match fs::read_to_string(path) {
        Ok(text) => Ok((path.display().to_string(), text)),
        Err(error) => Err(unreadable(path, error)),
    };
    let files: Vec<(String, String)> = paths.iter().map(read).collect::<Result<_>>()?;
    let seed = Seed::read(files.iter().map(|(file, text)| (file.as_str(), text.as_str())))?;
    seed::check(&seed, templates)?;
    Ok(seed)
}

/// Texts are compiled and rendered where the stack is as deep as they may be.
fn on_deep_stack<T: Send>(work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    thread::scope(|scope| {
        let spawned = thread::Builder::new().name("seed".to_owned()).stack_size(STACK).spawn_scoped(scope, work);
        let spawned = spawned.map_err(|error| Error::startup(format!("the seed has no thread: {error}")))?;
        spawned.join().unwrap_or_else(|_| Err(Error::internal("reading the seed panicked")))
    })
}

fn join(name: &str, thread: JoinHandle<()>) {
    if thread.join().is_err() {
        log::error!("the {name} panicked");
    }
}
