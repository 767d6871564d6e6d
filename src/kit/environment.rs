//! What belongs to one test: an API key, and what the daemon holds for it.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::message::Message;
use super::wire::{Failure, Wire, encoded};
use super::words::criteria;
use crate::clock::Timestamp;
use crate::error::Result as Outcome;

/// The longest wait, unless [set otherwise](Environment::within).
const PATIENCE: Duration = Duration::from_secs(10);

/// What a key has: jobs, outbox, templates, profiles, faults. Nothing of another key's is seen. Copies are the same
/// environment.
///
/// # Panics
/// All calls do if they are refused, or what they wait for is not so.
#[derive(Clone)]
pub struct Environment {
    /// The daemon's clock. It is that of all environments.
    pub clock: Clock,
    wire: Wire,
    ca: Option<PathBuf>,
    patience: Duration,
    after: Option<String>,
}

impl Environment {
    /// That of a key at a daemon that runs elsewhere, such as in a container: `Environment::at("http://bulkd:4010", "key", None)`.
    /// Where it speaks https, `ca` is the file with the certificate of its authority.
    ///
    /// # Errors
    /// If the file cannot be read, or this crate was built without the feature `tls` and the URL is one of https.
    pub fn at(base_url: &str, api_key: &str, ca: Option<&Path>) -> Outcome<Self> {
        let wire = Wire::new(base_url, api_key, ca)?;
        let clock = Clock { wire: wire.clone() };
        Ok(Environment { clock, wire, ca: ca.map(Path::to_owned), patience: PATIENCE, after: None })
    }

    pub fn base_url(&self) -> &str {
        &self.wire.base_url
    }

    pub fn api_key(&self) -> &str {
        &self.wire.api_key
    }

    /// Where the daemon speaks https, the file with the certificate of its authority.
    pub fn ca(&self) -> Option<&Path> {
        self.ca.as_deref()
    }

    /// The environment variables that point Courier's SDKs here. `COURIER_AUTH_TOKEN` is for older SDKs, `SSL_CERT_FILE` for
    /// https.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        let key = self.api_key().to_owned();
        let mut variables = vec![
            ("COURIER_BASE_URL", self.base_url().to_owned()),
            ("COURIER_API_KEY", key.clone()),
            ("COURIER_AUTH_TOKEN", key),
        ];
        variables.extend(self.ca().map(|file| ("SSL_CERT_FILE", file.display().to_string())));
        variables
    }

    /// The same environment, with waits of this length at most. With zero they look once.
    pub fn within(&self, patience: Duration) -> Self {
        Environment { patience, ..self.clone() }
    }

    /// The same environment, whose waits look behind a message, by its id, or behind a cursor of the outbox.
    pub fn after(&self, place: &str) -> Self {
        Environment { after: Some(place.to_owned()), ..self.clone() }
    }

    /// Sends any request of the test bench: the body of a success, or the failure.
    pub fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        self.wire.ask(method, path, body)
    }

    /// `POST /_bulkd/wait` with any condition: its answer, or a failure that says what was found.
    pub fn wait(&self, mut condition: Value) -> Result<Value, Failure> {
        if let Some(members) = condition.as_object_mut() {
            let millis = u64::try_from(self.patience.as_millis()).unwrap_or(u64::MAX);
            members.entry("timeout_ms").or_insert_with(|| json!(millis));
        }
        self.wire.ask("POST", "/_bulkd/wait", Some(&condition))
    }

    /// The first message that fits, as soon as there is one.
    #[track_caller]
    pub fn wait_for_message(&self, wanted: Value) -> Message {
        let found = self.wait_for(wanted, json!({ "at_least": 1 }));
        self.told(found.first().ok_or_else(|| nothing("a message")).and_then(|item| self.of_item(item)))
    }

    /// Exactly so many messages, once the environment has settled. At most 100 of them are returned.
    #[track_caller]
    pub fn wait_for_messages(&self, count: usize, wanted: Value) -> Vec<Message> {
        let found = self.wait_for(wanted, json!({ "exactly": count }));
        self.told(found.iter().map(|item| self.of_item(item)).collect())
    }

    /// Checks, once the environment has settled, that no message fits.
    #[track_caller]
    pub fn wait_for_none(&self, wanted: Value) {
        self.wait_for(wanted, json!({ "none": true }));
    }

    /// The job, as soon as it is over.
    #[track_caller]
    pub fn wait_for_job(&self, job_id: &str) -> Value {
        self.wait_for_job_status(job_id, "COMPLETED")
    }

    /// The job, as soon as it has this status.
    #[track_caller]
    pub fn wait_for_job_status(&self, job_id: &str, status: &str) -> Value {
        let answer = self.told(self.wait(json!({ "job_id": job_id, "status": status })));
        answer["items"][0].clone()
    }

    /// Returns when no job is on its way, no message is due, and webhooks have every event.
    #[track_caller]
    pub fn settle(&self) {
        self.told(self.wait(json!({ "settled": true })));
    }

    #[track_caller]
    fn wait_for(&self, wanted: Value, count: Value) -> Vec<Value> {
        let mut condition = json!({ "outbox": criteria(wanted), "count": count });
        if let Some(after) = &self.after {
            condition["after"] = json!(after);
        }
        items(self.told(self.wait(condition)))
    }

    /// The messages that fit the filters of `GET /_bulkd/outbox`, such as `q`, oldest first; of 1,000 entries at most.
    #[track_caller]
    pub fn outbox(&self, filters: &[(&str, &str)]) -> Vec<Message> {
        let found = items(self.get(&format!("/_bulkd/outbox?order=asc&limit=1000{}", query(filters))));
        let mut seen = std::collections::HashSet::new();
        let first = found.iter().filter(|item| seen.insert(item["message_id"].as_str().unwrap_or_default()));
        self.told(first.map(|item| self.of_item(item)).collect())
    }

    #[track_caller]
    pub fn message(&self, message_id: &str) -> Message {
        Message::new(self.get(&format!("/_bulkd/outbox/{}", encoded(message_id))), &Value::Null)
    }

    fn of_item(&self, item: &Value) -> Result<Message, Failure> {
        let message_id = item["message_id"].as_str().unwrap_or_default();
        let raw = self.wire.ask("GET", &format!("/_bulkd/outbox/{}", encoded(message_id)), None)?;
        Ok(Message::new(raw, item))
    }

    /// The newest jobs that fit the filters of `GET /_bulkd/jobs`, such as `status`; 1,000 at most.
    #[track_caller]
    pub fn jobs(&self, filters: &[(&str, &str)]) -> Vec<Value> {
        items(self.get(&format!("/_bulkd/jobs?limit=1000{}", query(filters))))
    }

    /// The last requests that fit the filters of `GET /_bulkd/requests`, such as `unmatched`; the newest first, 1,000 at most.
    #[track_caller]
    pub fn requests(&self, filters: &[(&str, &str)]) -> Vec<Value> {
        items(self.get(&format!("/_bulkd/requests?limit=1000{}", query(filters))))
    }

    /// What passed here and would hurt at Courier, the worst first: `check`, `level`, `advice` and more of each.
    #[track_caller]
    pub fn doctor(&self) -> Vec<Value> {
        items(self.get("/_bulkd/doctor"))
    }

    /// Makes a request fail, such as `lost-answer`.
    #[track_caller]
    pub fn fault(&self, preset: &str) -> Fault {
        self.fault_with(json!({ "preset": preset }))
    }

    /// The same for `{"method": "POST", "path": "/bulk", "status": 503, "call": 2}`.
    #[track_caller]
    pub fn fault_with(&self, fault: Value) -> Fault {
        let set = self.post("/_bulkd/faults", fault);
        Fault { environment: self.clone(), fault_id: set["fault_id"].as_str().unwrap_or_default().to_owned() }
    }

    /// Sets how messages to an `address` or `recipient` end from now on.
    #[track_caller]
    pub fn outcome(&self, status: &str, given: Value) {
        self.put("/_bulkd/outcomes", with(given, "status", status));
    }

    /// Makes something happen to a message that went out, such as `OPENED`, or `UNDELIVERABLE` for a `reason`.
    #[track_caller]
    pub fn happen(&self, message_id: &str, status: &str, given: Value) {
        self.post(&format!("/_bulkd/messages/{}/events", encoded(message_id)), with(given, "status", status));
    }

    /// Sets how jobs go on: `instant`, `paced`, `manual`, `hold` or `polls`.
    #[track_caller]
    pub fn lifecycle(&self, mode: &str, given: Value) {
        self.put("/_bulkd/lifecycle", with(given, "mode", mode));
    }

    /// Processes so many users of a job that waits for steps.
    #[track_caller]
    pub fn step(&self, job_id: &str, users: usize) -> Value {
        self.post("/_bulkd/step", json!({ "job_id": job_id, "users": users }))
    }

    #[track_caller]
    pub fn snapshot(&self, name: &str) {
        self.told(self.wire.ask("PUT", &format!("/_bulkd/snapshots/{}", encoded(name)), None));
    }

    #[track_caller]
    pub fn restore(&self, name: &str) {
        self.told(self.wire.ask("POST", &format!("/_bulkd/snapshots/{}/restore", encoded(name)), None));
    }

    /// Deletes everything in the environment.
    #[track_caller]
    pub fn reset(&self) {
        self.told(self.wire.ask("POST", "/_bulkd/reset", None));
    }

    /// What helps a person beside a failed test: the last requests, and the doctor's findings.
    pub fn report(&self) -> String {
        let list = |path: &str| self.wire.ask("GET", path, None).map(items).unwrap_or_default();
        let text = |item: &Value, name: &str| item[name].as_str().unwrap_or_default().to_owned();
        let mut lines = Vec::new();
        for it in list("/_bulkd/requests?limit=10").iter().rev() {
            lines.push(format!("  {} {} -> {}", text(it, "method"), text(it, "path"), it["status"]));
        }
        if !lines.is_empty() {
            lines.insert(0, "The last requests:".to_owned());
        }
        let found: Vec<Value> = list("/_bulkd/doctor").into_iter().filter(|it| it["level"] != "info").collect();
        if !found.is_empty() {
            lines.push("What would hurt at Courier:".to_owned());
        }
        for it in &found {
            lines.push(format!("  {} {}", text(it, "level"), text(it, "check")));
            let seen = it["seen"].as_array().into_iter().flatten();
            lines.extend(seen.map(|seen| format!("    seen: {}", text(seen, "what"))));
            lines.push(format!("    do: {}", text(it, "advice")));
        }
        lines.join("\n")
    }

    #[track_caller]
    fn get(&self, path: &str) -> Value {
        self.told(self.wire.ask("GET", path, None))
    }

    #[track_caller]
    fn post(&self, path: &str, body: Value) -> Value {
        self.told(self.wire.ask("POST", path, Some(&body)))
    }

    #[track_caller]
    fn put(&self, path: &str, body: Value) {
        self.told(self.wire.ask("PUT", path, Some(&body)));
    }

    /// The value, or a failed test.
    #[track_caller]
    fn told<T>(&self, outcome: Result<T, Failure>) -> T {
        match outcome {
            Ok(given) => given,
            Err(failure) => panic!("{failure}\n\n{}", self.report()),
        }
    }
}

/// Filters of a list, behind other parameters.
fn query(filters: &[(&str, &str)]) -> String {
    filters.iter().map(|(name, value)| format!("&{name}={}", encoded(value))).collect()
}

/// A fault that was set.
pub struct Fault {
    environment: Environment,
    pub fault_id: String,
}

impl Fault {
    /// Its state: `seen`, `fired`, `left`.
    #[track_caller]
    pub fn state(&self) -> Value {
        let all = items(self.environment.get("/_bulkd/faults?limit=1000"));
        match all.into_iter().find(|fault| fault["fault_id"] == self.fault_id.as_str()) {
            Some(fault) => fault,
            None => panic!("there is no fault {} any more", self.fault_id),
        }
    }

    /// How many requests it has hit.
    #[track_caller]
    pub fn fired(&self) -> u64 {
        self.state()["fired"].as_u64().unwrap_or_default()
    }

    /// Fails if it has hit nothing: a test of a failure must have seen one.
    #[track_caller]
    pub fn assert_met(&self) {
        let state = self.state();
        let (id, seen) = (&self.fault_id, &state["seen"]);
        assert!(
            state["fired"].as_u64() > Some(0),
            "the fault {id} has hit nothing; {seen} requests matched it: {state}"
        );
    }

    #[track_caller]
    pub fn remove(self) {
        let path = format!("/_bulkd/faults/{}", encoded(&self.fault_id));
        self.environment.told(self.environment.wire.ask("DELETE", &path, None));
    }
}

/// The daemon's clock, which goes on by itself and can be moved forward.
#[derive(Clone)]
pub struct Clock {
    wire: Wire,
}

impl Clock {
    #[track_caller]
    pub fn now(&self) -> SystemTime {
        let told = self.told(self.wire.ask("GET", "/_bulkd/clock", None));
        let now = told["now"].as_str().and_then(Timestamp::parse).map_or(0, Timestamp::millis);
        UNIX_EPOCH + Duration::from_millis(now.unsigned_abs())
    }

    /// Moves it, such as by `1h30m`. What falls due is done when this returns, and is in the result.
    #[track_caller]
    pub fn advance(&self, by: &str) -> Value {
        self.told(self.wire.ask("POST", "/_bulkd/clock/advance", Some(&json!({ "by": by }))))
    }

    #[track_caller]
    pub fn freeze(&self) {
        self.told(self.wire.ask("PUT", "/_bulkd/clock", Some(&json!({ "frozen": true }))));
    }

    #[track_caller]
    pub fn run(&self) {
        self.told(self.wire.ask("PUT", "/_bulkd/clock", Some(&json!({ "frozen": false }))));
    }

    #[track_caller]
    fn told(&self, outcome: Result<Value, Failure>) -> Value {
        match outcome {
            Ok(given) => given,
            Err(failure) => panic!("{failure}"),
        }
    }
}

/// The items of a list.
fn items(mut answer: Value) -> Vec<Value> {
    match answer.get_mut("items").map(Value::take) {
        Some(Value::Array(items)) => items,
        _ => Vec::new(),
    }
}

/// The same with this member.
fn with(mut given: Value, name: &str, value: &str) -> Value {
    if given.is_null() {
        given = json!({});
    }
    if let Some(members) = given.as_object_mut() {
        members.insert(name.to_owned(), json!(value));
    }
    given
}

fn nothing(what: &str) -> Failure {
    Failure { status: 0, answer: json!({ "message": format!("bulkd says that it is so, and gives not {what}") }) }
}
