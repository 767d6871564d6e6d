//! Opens, wires, spawns, joins: the only place that knows every room.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};

use crate::api::{Api, Frames, Handles, Hosts, Keys, LateAnswers, LateRefusals, Origins, Settings};
use crate::clock::{Clock, ManualClock};
use crate::config::Config;
use crate::crash::{self, Point};
use crate::deliver::{Deliver, Plan};
use crate::error::{Error, Result};
use crate::feed::Feed;
use crate::findings::{Check, Findings};
use crate::http::{self, Limits, Reply, Request, Responder, Response, Server, Service};
use crate::id::Ids;
use crate::journal::Journal;
use crate::lifecycle::Lifecycle;
use crate::meter::Meter;
use crate::model::environment::Environment;
use crate::model::seed::Seed;
use crate::model::webhook::Destination;
use crate::outbound::Outbound;
use crate::render::RENDER_STACK_BYTES;
use crate::retention::Retention;
use crate::runner::{Runner, Steered};
use crate::search::Indexer;
use crate::seed;
use crate::settings::{MessageSettings, RateLimitSetting};
use crate::steer::Steering;
use crate::store::{Store, job, opening, webhook};
use crate::tls;
use crate::waits::Waits;

/// A running daemon.
pub struct App {
    store: Arc<Store>,
    findings: Arc<Findings>,
    started: Started,
    is_https: bool,
    /// The certificate of the authority that vouches for ours.
    authority: Option<PathBuf>,
}

impl App {
    /// Starts a daemon; when this returns, requests are being answered and unfinished jobs go on.
    pub fn start(config: Config) -> Result<App> {
        let clock = config.test_clock.map_or_else(Clock::system, |at| Clock::Manual(ManualClock::starting(at)));
        let ids = config.seed_ids.map_or_else(Ids::random, Ids::seeded);
        App::start_with(config, clock, ids)
    }

    /// Starts a daemon with a clock and ids of a test's own.
    pub fn start_with(config: Config, clock: Clock, ids: Ids) -> Result<App> {
        config.validate()?;
        let messages = config.messages();
        let seed = match &config.seed {
            Some(path) => on_deep_stack(|| seed::read(path, messages))?,
            None => Seed::default(),
        };
        let plan = Plan::new(&config.deliver, &config.deliver_rates, config.deliver_errors)?
            .relayed(config.relay.as_deref(), config.relay_entries)?;
        let tls = tls::prepare(&config)?;
        // Bound before the file is opened, so that a daemon that cannot listen leaves nothing behind.
        let recipient_bytes = config.limits.bodies_bytes;
        let mut started = Started::listen(config.listen, config.listen_too, config.limits, tls.as_ref())?;
        let options = opening::Options {
            path: config.database,
            durability: config.durability,
            litestream: config.litestream,
            recipient_bytes,
            clock,
            ids,
        };
        let test_clock = match &options.clock {
            Clock::Manual(clock) if config.test_clock.is_some() => Some(clock.clone()),
            _ => None,
        };
        let clock = options.clock.clone();
        // Clients wait by the machine's time: a test clock may stand still.
        let of_answers = if test_clock.is_some() { Clock::system() } else { clock.clone() };
        let delayed = started.answer_late("late answers", of_answers.clone())?;
        let late = match config.api_keys.is_empty() {
            true => None,
            false => Some(Arc::new(LateRefusals::new(started.answer_late("refusals", of_answers.clone())?))),
        };
        let findings = Arc::new(Findings::new(clock.clone()));
        let lifecycle = Lifecycle::default();
        let store = started.open(options)?;
        let deliver = started.deliver(&store, plan)?;
        let authority = tls.as_ref().map(|tls| tls.keep(store.path())).transpose()?.flatten();
        let keys = Keys::new(&config.api_keys);
        let known = keys.known().to_vec();
        let journal = Arc::<Journal>::default();
        let waits = started.wait(&store, of_answers, journal.clone())?;
        let settings = Settings {
            contract: config.contract,
            messages,
            keys,
            late,
            backup_dir: config.backup_dir,
            hosts: if config.api_keys.is_empty() { Hosts::new(&config.hosts) } else { Hosts::any() },
            origins: Origins::new(&config.origins),
            mailbox: config.mailpit_key.as_deref().map(Environment::of_key),
            mailbox_state: Arc::default(),
            meter: Arc::new(Meter::new(crate::api::ROUTES.len())),
            feed: started.feed(&store)?,
            test_clock,
            lifecycle: lifecycle.clone(),
            steering: started.steer(&store, lifecycle.clone())?,
            waits,
            clock,
            findings: findings.clone(),
            journal,
            faults: Arc::default(),
            rate_limits: (config.rate_limits == RateLimitSetting::Courier).then(Arc::default),
            delayed,
            handles: Handles::default(),
            frames: Frames::default(),
            deliver,
            ui_dir: config.ui_dir,
            scheme: if tls.is_some() { "https" } else { "http" },
        };
        let api = Api::new(store.clone(), settings, seed);
        on_deep_stack(|| api.begin())?;
        register_webhooks(&store, config.webhooks)?;
        let bell = store.jobs_bell().clone();
        lifecycle.on_change(move || bell.ring());
        let steered = Steered { lifecycle, in_order: config.seed_ids.is_some() };
        started.run(&store, &findings, messages, config.workers, steered)?;
        started.retention = Some(Retention::start(store.clone(), config.keep, known)?);
        started.indexer = Some(Indexer::start(store.clone())?);
        started.gate.open(api);
        Ok(App { store, findings, started, is_https: tls.is_some(), authority })
    }

    /// What was found that would hurt at Courier, in one line. Empty if nothing was found.
    pub fn findings(&self) -> String {
        let never_run = self.store.read(job::count_never_run).unwrap_or_else(|error| {
            log::warn!("jobs that were never run could not be counted: {error}");
            0
        });
        self.findings.summary(&[(Check::NeverRun, never_run)])
    }

    /// Where programs of this machine call it.
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme(), http::reachable(self.address()))
    }

    pub fn scheme(&self) -> &'static str {
        if self.is_https { "https" } else { "http" }
    }

    /// The file with the certificate of the authority that vouches for this daemon's, if bulkd has made it.
    pub fn authority(&self) -> Option<&Path> {
        self.authority.as_deref()
    }

    pub fn address(&self) -> SocketAddr {
        self.started.server.address()
    }

    /// The other address at which it answers, if there is one.
    pub fn other_address(&self) -> Option<SocketAddr> {
        self.started.server.other_address()
    }

    pub fn database(&self) -> &Path {
        self.store.path()
    }

    /// Fails if the open database is no longer the file of that name: what it holds is then lost at the stop.
    pub fn check_place(&self) -> Result<()> {
        self.store.check_place()
    }

    /// Finishes what is in flight, commits it, and closes the file. Dropping it does the same.
    pub fn stop(self) {
        drop(self.started);
    }
}

/// What has been started. Dropped, it stops: first the server, which brings in work, then the threads that do the work,
/// and the writer last. So no thread waits for one that has ended.
struct Started {
    gate: Arc<StartupGate>,
    server: Server,
    listener: Option<JoinHandle<()>>,
    store: Option<(Arc<Store>, opening::Threads)>,
    runner: Option<(Arc<Runner>, Vec<JoinHandle<()>>)>,
    outbound: Option<(Arc<Outbound>, Vec<JoinHandle<()>>)>,
    deliver: Option<(Arc<Deliver>, Vec<JoinHandle<()>>)>,
    retention: Option<(Arc<Retention>, JoinHandle<()>)>,
    late: Vec<(Arc<LateAnswers>, JoinHandle<()>)>,
    feed: Option<(Arc<Feed>, JoinHandle<()>)>,
    waits: Option<(Arc<Waits>, [JoinHandle<()>; 2])>,
    steering: Option<(Arc<Steering>, JoinHandle<()>)>,
    indexer: Option<(Arc<Indexer>, JoinHandle<()>)>,
}

impl Started {
    /// Listens; requests wait at the gate.
    fn listen(address: SocketAddr, other: Option<IpAddr>, limits: Limits, tls: Option<&tls::Prepared>) -> Result<Self> {
        let gate: Arc<StartupGate> = Arc::default();
        let (server, listener) = Server::start(address, other, limits, gate.clone(), tls.map(tls::Prepared::config))?;
        Ok(Started {
            gate,
            server,
            listener: Some(listener),
            store: None,
            runner: None,
            outbound: None,
            deliver: None,
            retention: None,
            late: Vec::new(),
            feed: None,
            waits: None,
            steering: None,
            indexer: None,
        })
    }

    /// Starts a thread that gives answers late.
    fn answer_late(&mut self, name: &str, clock: Clock) -> Result<Arc<LateAnswers>> {
        let (late, thread) = LateAnswers::start(name, clock)?;
        self.late.push((late.clone(), thread));
        Ok(late)
    }

    fn feed(&mut self, store: &Arc<Store>) -> Result<Arc<Feed>> {
        let (feed, thread) = Feed::start(store.clone())?;
        self.feed = Some((feed.clone(), thread));
        Ok(feed)
    }

    fn open(&mut self, options: opening::Options) -> Result<Arc<Store>> {
        let (store, threads) = Store::open(options)?;
        let store = Arc::new(store);
        self.store = Some((store.clone(), threads));
        Ok(store)
    }

    fn deliver(&mut self, store: &Arc<Store>, plan: Plan) -> Result<Option<Arc<Deliver>>> {
        self.deliver = Deliver::start(store, plan)?;
        Ok(self.deliver.as_ref().map(|(deliver, _)| deliver.clone()))
    }

    fn wait(&mut self, store: &Arc<Store>, clock: Clock, journal: Arc<Journal>) -> Result<Arc<Waits>> {
        let (waits, threads) = Waits::start(store.clone(), clock, journal)?;
        self.waits = Some((waits.clone(), threads));
        Ok(waits)
    }

    fn steer(&mut self, store: &Arc<Store>, lifecycle: Lifecycle) -> Result<Arc<Steering>> {
        let (steering, thread) = Steering::start(store.clone(), lifecycle)?;
        self.steering = Some((steering.clone(), thread));
        Ok(steering)
    }

    fn run(
        &mut self,
        store: &Arc<Store>,
        findings: &Arc<Findings>,
        messages: MessageSettings,
        workers: usize,
        steered: Steered,
    ) -> Result<()> {
        self.runner = Some(Runner::start(store.clone(), findings.clone(), messages, workers, steered)?);
        self.outbound = Some(Outbound::start(store.clone())?);
        Ok(())
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // Requests that still wait are refused.
        self.gate.close();
        if let Some((store, _)) = &self.store {
            store.stop_long_reads();
        }
        // What faults hold back was done. It is answered while there are connections to answer on.
        for (late, _) in &self.late {
            late.give_all();
        }
        self.server.stop();
        if let Some(listener) = self.listener.take() {
            join("listener", listener);
        }
        for (late, thread) in self.late.drain(..) {
            late.stop();
            join("late answers", thread);
        }
        if let Some((feed, thread)) = self.feed.take() {
            feed.stop();
            join("events", thread);
        }
        if let Some((waits, threads)) = self.waits.take() {
            waits.stop();
            threads.into_iter().for_each(|thread| join("waits", thread));
        }
        if let Some((steering, thread)) = self.steering.take() {
            steering.stop();
            join("steering", thread);
        }
        if let Some((runner, workers)) = self.runner.take() {
            runner.stop();
            workers.into_iter().for_each(|worker| join("worker", worker));
        }
        if let Some((outbound, webhooks)) = self.outbound.take() {
            outbound.stop();
            webhooks.into_iter().for_each(|thread| join("webhooks", thread));
        }
        if let Some((deliver, threads)) = self.deliver.take() {
            deliver.stop();
            threads.into_iter().for_each(|thread| join("deliver", thread));
        }
        if let Some((retention, thread)) = self.retention.take() {
            retention.stop();
            join("retention", thread);
        }
        if let Some((indexer, thread)) = self.indexer.take() {
            indexer.stop();
            join("search", thread);
        }
        if let Some((store, threads)) = self.store.take() {
            crash::point(Point::Shutdown);
            store.stop();
            threads.join();
        }
    }
}

/// Where requests wait until the API is ready. It stays closed if bulkd cannot be started.
#[derive(Default)]
struct StartupGate(OnceLock<Option<Arc<Api>>>);

impl StartupGate {
    fn open(&self, api: Api) {
        let _ = self.0.set(Some(Arc::new(api)));
    }

    /// Turns away the requests that wait, unless the gate was opened before.
    fn close(&self) {
        let _ = self.0.set(None);
    }
}

impl Service for StartupGate {
    fn answer(&self, request: Request, responder: Responder) {
        match self.0.wait() {
            Some(api) => api.answer(request, responder),
            None => responder.give(http::of_error(&Error::unavailable("bulkd could not be started"))),
        }
    }

    fn answer_batch(&self, requests: Vec<Request>) -> Vec<Option<Reply>> {
        match self.0.get() {
            Some(Some(api)) => api.answer_batch(requests),
            _ => requests.iter().map(|_| None).collect(),
        }
    }

    fn let_read(&self, origin: Option<&[u8]>, response: Response) -> Response {
        match self.0.get() {
            Some(Some(api)) => api.let_read(origin, response),
            _ => response,
        }
    }

    fn is_always_answered(&self, method: &str, path: &str) -> bool {
        matches!(self.0.get(), Some(Some(api)) if api.is_always_answered(method, path))
    }
}

/// Writes down the webhooks that were given by flags, if they are not those of the last start.
fn register_webhooks(store: &Store, given: Vec<Destination>) -> Result<()> {
    match store.read(webhook::list_from_flags)? == given {
        true => Ok(()),
        false => store.write(move |tx| webhook::set_from_flags(tx, &given)),
    }
}

/// Runs `work` in a thread with the stack that compiling and rendering templates may need.
fn on_deep_stack<T: Send>(work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    thread::scope(|scope| {
        let spawned =
            thread::Builder::new().name("seed".to_owned()).stack_size(RENDER_STACK_BYTES).spawn_scoped(scope, work);
        let spawned = spawned
            .map_err(|error| Error::startup(format!("the thread that reads the seed cannot be started: {error}")))?;
        spawned.join().unwrap_or_else(|_| Err(Error::internal("reading the seed panicked")))
    })
}

fn join(name: &str, thread: JoinHandle<()>) {
    if thread.join().is_err() {
        log::error!("the {name} panicked");
    }
}
