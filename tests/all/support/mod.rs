//! What the tests need: a daemon on a real file, and a customer that talks to it over a real socket.

pub mod binary;
pub mod cases;
pub mod drip;
pub mod receiver;
#[cfg(all(feature = "relay", unix))]
pub mod redis;
pub mod smtp;
pub mod stand;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bulkd::app::App;
use bulkd::clock::{Clock, ManualClock};
use bulkd::config::Config;
use bulkd::id::Ids;
use bulkd::settings::Durability;
use bulkd::store::Store;
use bulkd::store::opening::{Options, Threads};
use serde_json::Value;
use tempfile::TempDir;

pub use serde_json::json;

/// When the tests take place: 2026-09-21T14:13:20Z.
pub const NOW: i64 = 1_790_000_000_000;

/// How long a test waits for something that is bound to happen before it fails.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A number in the environment, such as `BULKD_TEST_SEED`.
pub fn setting(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok().filter(|text| !text.is_empty())?;
    Some(text.parse().unwrap_or_else(|error| panic!("{name}={text}: {error}")))
}

/// What a test has much of: less in `cargo test`, more with `BULKD_TEST_LONG=1`. Its assertions are the same.
pub fn sized<T>(short: T, long: T) -> T {
    if setting("BULKD_TEST_LONG").is_some_and(|it| it != 0) { long } else { short }
}

/// The seed of a random test: `BULKD_TEST_SEED`, or another one each time. A test prints the one that it has.
pub fn seed() -> u64 {
    setting("BULKD_TEST_SEED").unwrap_or_else(|| rand::random::<u32>().into())
}

/// A daemon inside this process: a real file, real sockets, a clock that stands still and ids that count up.
pub struct Daemon {
    app: Option<App>,
    config: Config,
    pub clock: ManualClock,
    starts: u64,
    folder: TempDir,
}

impl Daemon {
    pub fn start() -> Self {
        Daemon::start_with(|_| {})
    }

    /// Starts a daemon with other settings than the default ones.
    pub fn start_with(set: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::ephemeral();
        config.database = Some(folder.path().join("bulkd.db"));
        config.durability = Durability::Fast;
        set(&mut config);
        let mut daemon = Daemon { app: None, config, clock: ManualClock::at(NOW), starts: 0, folder };
        daemon.open();
        daemon
    }

    /// Starts a daemon whose ids are made of a seed.
    pub fn start_seeded(seed: u64) -> Self {
        Daemon::start_with(|config| config.seed_ids = Some(seed))
    }

    /// Sets something for the next start.
    pub fn reconfigure(&mut self, set: impl FnOnce(&mut Config)) {
        set(&mut self.config);
    }

    /// Starts it again after a stop.
    pub fn open(&mut self) {
        let clock = Clock::Manual(self.clock.clone());
        let ids = self.config.seed_ids.map_or_else(|| Ids::sequential(self.starts * 1_000_000), Ids::seeded);
        self.starts += 1;
        self.app = Some(App::start_with(self.config.clone(), clock, ids).unwrap());
    }

    pub fn stop(&mut self) {
        self.app.take().unwrap().stop();
    }

    /// Stops it and starts it on the same file.
    pub fn restart(&mut self) {
        self.stop();
        self.open();
    }

    pub fn address(&self) -> SocketAddr {
        self.app.as_ref().unwrap().address()
    }

    /// The certificate of its authority, where it speaks https.
    #[cfg(feature = "tls")]
    pub fn authority(&self) -> PathBuf {
        self.app.as_ref().unwrap().authority().unwrap().to_owned()
    }

    pub fn database(&self) -> PathBuf {
        self.folder.path().join("bulkd.db")
    }

    /// A customer with the API key `key`.
    pub fn customer(&self, key: &str) -> Customer {
        Customer::new(self.address(), key)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(app) = self.app.take() {
            app.stop();
        }
    }
}

/// A client with an API key.
#[derive(Clone)]
pub struct Customer {
    base: String,
    key: Option<String>,
    headers: Vec<(String, String)>,
    agent: ureq::Agent,
}

/// An answer.
#[derive(Clone, PartialEq)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub text: String,
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:?} {:.500}", self.status, self.headers, self.text)
    }
}

impl Reply {
    /// The body, which has to be JSON and say so.
    #[track_caller]
    pub fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// The body of a success with this status.
    #[track_caller]
    pub fn ok(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        self.json()
    }

    /// A success that has no body to show.
    #[track_caller]
    pub fn done(&self) {
        assert_eq!((self.status, self.text.as_str()), (204, ""), "{self:?}");
    }

    /// The message of a refusal with this status, whose envelope has to be Courier's.
    #[track_caller]
    pub fn refused(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{self:?}");
        let body = self.json();
        let members: Vec<&String> = body.as_object().unwrap().keys().collect();
        assert_eq!(members, ["message", "type"], "{self:?}");
        let kind = if status == 401 { "authentication_error" } else { "invalid_request_error" };
        assert_eq!(body["type"], kind, "{self:?}");
        assert_eq!(self.header("x-should-retry"), Some("false"), "{self:?}");
        body["message"].as_str().unwrap().to_owned()
    }
}

impl Customer {
    pub fn new(address: SocketAddr, key: &str) -> Self {
        let agent = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(PATIENCE));
        let agent = agent.build().new_agent();
        Customer { base: format!("http://{address}"), key: Some(key.to_owned()), headers: Vec::new(), agent }
    }

    /// One that calls this URL, by https, and trusts the certificates in this file.
    #[cfg(feature = "tls")]
    pub fn trusting(authority: &Path, url: &str, key: &str) -> Self {
        let agent = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(PATIENCE));
        let agent = bulkd::tls::trust(agent, "--ca", Some(authority)).unwrap().build().new_agent();
        Customer { base: url.to_owned(), key: Some(key.to_owned()), headers: Vec::new(), agent }
    }

    /// The same customer, sending this header as well.
    pub fn with_header(&self, name: &str, value: &str) -> Self {
        let mut customer = self.clone();
        customer.headers.push((name.to_owned(), value.to_owned()));
        customer
    }

    pub fn without_key(&self) -> Self {
        Customer { key: None, ..self.clone() }
    }

    /// The same customer, using an idempotency key.
    pub fn once(&self, key: &str) -> Self {
        self.with_header("Idempotency-Key", key)
    }

    pub fn get(&self, path: &str) -> Reply {
        self.send("GET", path, None)
    }

    pub fn post(&self, path: &str, body: &Value) -> Reply {
        self.post_text(path, &body.to_string())
    }

    pub fn put(&self, path: &str, body: &Value) -> Reply {
        self.send("PUT", path, Some(&body.to_string()))
    }

    pub fn patch(&self, path: &str, body: &Value) -> Reply {
        self.send("PATCH", path, Some(&body.to_string()))
    }

    pub fn delete(&self, path: &str) -> Reply {
        self.send("DELETE", path, None)
    }

    /// Posts a body exactly as given.
    pub fn post_text(&self, path: &str, body: &str) -> Reply {
        self.send("POST", path, Some(body))
    }

    pub fn send(&self, method: &str, path: &str, body: Option<&str>) -> Reply {
        self.try_send(method, path, body).unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    /// Sends to a daemon that may die meanwhile.
    pub fn try_send(&self, method: &str, path: &str, body: Option<&str>) -> Result<Reply, ureq::Error> {
        let mut request = ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.base));
        if let Some(key) = &self.key {
            request = request.header("Authorization", format!("Bearer {key}"));
        }
        if body.is_some() && !self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
            request = request.header("Content-Type", "application/json");
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let mut answer = match body {
            Some(body) => self.agent.run(request.body(body.to_owned()).unwrap()),
            None => self.agent.run(request.body(()).unwrap()),
        }?;
        let headers =
            answer.headers().iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
        Ok(Reply {
            status: answer.status().as_u16(),
            headers: headers.collect(),
            text: answer.body_mut().with_config().limit(64 << 20).read_to_string()?,
        })
    }

    /// Creates a job with this `message`.
    #[track_caller]
    pub fn create(&self, message: Value) -> String {
        let created = self.post("/bulk", &json!({ "message": message })).ok(201);
        created["jobId"].as_str().unwrap().to_owned()
    }

    /// Ingests users and returns the answer.
    #[track_caller]
    pub fn ingest(&self, job_id: &str, users: Value) -> Value {
        self.post(&format!("/bulk/{job_id}"), &json!({ "users": users })).ok(200)
    }

    #[track_caller]
    pub fn run(&self, job_id: &str) {
        let reply = self.send("POST", &format!("/bulk/{job_id}/run"), None);
        assert_eq!(reply.ok(202), json!({}));
    }

    #[track_caller]
    pub fn job(&self, job_id: &str) -> Value {
        self.get(&format!("/bulk/{job_id}")).ok(200)["job"].take()
    }

    /// Watches the job until it is COMPLETED.
    #[track_caller]
    pub fn completed(&self, job_id: &str) -> Value {
        let mut job = Value::Null;
        wait_until(&format!("job {job_id} is COMPLETED"), || {
            job = self.job(job_id);
            job["status"] == "COMPLETED"
        });
        job
    }

    /// Runs the job and watches it to its end.
    #[track_caller]
    pub fn run_to_the_end(&self, job_id: &str) -> Value {
        self.run(job_id);
        self.completed(job_id)
    }

    /// All users of a job, page by page.
    #[track_caller]
    pub fn users(&self, job_id: &str) -> Vec<Value> {
        self.pages(&format!("/bulk/{job_id}/users?limit=1000"))
    }

    /// The outbox of a job, page by page.
    #[track_caller]
    pub fn outbox(&self, job_id: &str) -> Vec<Value> {
        self.outbox_with("all", job_id)
    }

    /// These members of it: of tens of thousands of messages all others, made for each, take most of a story's time.
    #[track_caller]
    pub fn outbox_with(&self, fields: &str, job_id: &str) -> Vec<Value> {
        self.pages(&format!("/_bulkd/outbox?fields={fields}&limit=1000&job_id={job_id}"))
    }

    #[track_caller]
    fn pages(&self, path: &str) -> Vec<Value> {
        let mut items = Vec::new();
        let mut cursor = String::new();
        loop {
            let mut page = self.get(&format!("{path}&cursor={cursor}")).ok(200);
            items.append(page["items"].as_array_mut().unwrap());
            if page["paging"]["more"] == false {
                assert_eq!(page["paging"].get("cursor"), None);
                return items;
            }
            cursor = page["paging"]["cursor"].as_str().unwrap().to_owned();
        }
    }
}

/// The pauses between two looks: short at first, since most things come to pass at once.
const FIRST_LOOK: Duration = Duration::from_micros(200);
const LAST_LOOK: Duration = Duration::from_millis(5);

/// Looks, with pauses, until something is so that is bound to become so.
#[track_caller]
pub fn wait_until(what: &str, mut so: impl FnMut() -> bool) {
    let (begun, mut look) = (Instant::now(), FIRST_LOOK);
    while !so() {
        assert!(begun.elapsed() < PATIENCE, "still not so after {PATIENCE:?}: {what}");
        std::thread::park_timeout(look);
        look = (look * 2).min(LAST_LOOK);
    }
}

/// What the view in the file shows of an entry of the outbox.
pub fn in_view(entry: &Value) -> Value {
    let mut entry = entry.clone();
    for member in ["error", "html", "request", "segments"] {
        entry.as_object_mut().unwrap().remove(member);
    }
    entry
}

/// An address at which no server listens. It is not given to a server that asks for any port, for as long as the socket
/// lives. A server that asks for this very one can still listen there.
pub fn unheard() -> (socket2::Socket, SocketAddr) {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.set_reuse_address(true).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, address)
}

/// The store as the runner's side sees it, at a moment that stays: on this file, or on one that is thrown away.
pub fn open_store(path: Option<PathBuf>, millis: i64) -> (Store, Threads) {
    Store::open(Options {
        path,
        durability: Durability::Fast,
        litestream: false,
        recipient_bytes: 1 << 20,
        clock: Clock::Manual(ManualClock::at(millis)),
        ids: Ids::sequential(0),
    })
    .unwrap()
}

/// A connection as another program has it that reads the file.
pub fn open_file(path: &Path) -> rusqlite::Connection {
    rusqlite::Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap()
}

/// `count` users with e-mail addresses, from `first` on.
pub fn readers(first: usize, count: usize) -> Value {
    let reader = |i| {
        json!({
            "recipient": format!("reader-{i}"),
            "profile": { "email": format!("reader-{i}@example.com") },
            "data": { "name": format!("Reader {i}"), "number": i },
        })
    };
    (first..first + count).map(reader).collect()
}

/// Content with a variable from the job and one from the user.
pub fn newsletter() -> Value {
    json!({ "message": { "content": { "title": "Hello {{name}}", "body": "Week {{week}}" } }, "data": { "week": 12 } })
}
