//! `bulkd demo`: a customer's first job, played through the daemon's own HTTP API.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};
use signal_hook::iterator::Signals;

use crate::app::App;
use crate::cli::Demo;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::store::Durability;

const KEY: &str = "demo";
const BATCHES: usize = 10;
const BATCH: usize = 100;
/// The last few of each batch were sent before.
const DUPLICATES: usize = 4;
const ACCEPTED: usize = BATCHES * (BATCH - DUPLICATES);
/// How long the job may take before something must be wrong.
const PATIENCE: Duration = Duration::from_secs(60);

/// Plays the demo, and stays up until a signal unless told to end.
pub fn run(flags: &Demo, signals: impl FnOnce() -> Result<Signals>) -> Result<()> {
    let mut signals = signals()?;
    let folder = tempfile::Builder::new()
        .prefix("bulkd-demo-")
        .tempdir()
        .map_err(|error| Error::startup(format!("no temporary folder can be made: {error}")))?;
    let config = Config {
        listen: free(flags.listen),
        database: Some(folder.path().join("bulkd.db")),
        durability: Durability::Full,
        ..Config::ephemeral()
    };
    let app = App::start(config)?;
    let played = play(&app);
    if played.is_ok() && !flags.exit {
        say("\nbulkd stays up; Ctrl-C ends it and removes its file.");
        signals.forever().next();
    }
    app.stop();
    played
}

/// The address, or a free port should it be taken.
fn free(wanted: SocketAddr) -> SocketAddr {
    match TcpListener::bind(wanted) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => SocketAddr::new(wanted.ip(), 0),
        _ => wanted,
    }
}

/// Prints a line; nobody may be reading, and that is no reason to end.
fn say(line: impl std::fmt::Display) {
    let _ = writeln!(io::stdout(), "{line}");
}

fn play(app: &App) -> Result<()> {
    // Whatever proxy the environment names, the daemon is here.
    let agent = ureq::Agent::config_builder().proxy(None).build().new_agent();
    let customer = Customer { base: format!("http://{}", app.address()), agent };
    say(format_args!("bulkd answers on {}; its file is {}\n", customer.base, app.database().display()));

    let definition = json!({ "message": { "content": {
        "title": "{{first_name}}, your {{month}} statement is ready",
        "body": "Hello {{first_name}}, your {{plan}} plan came to {{amount}} euro. {{company}} says thank you.",
    } }, "data": { "company": "Acme Corp", "month": "November" } });
    let created = customer.post("/bulk", &json!({ "message": definition }))?;
    let job_id = created["jobId"].as_str().unwrap_or_default().to_owned();
    say(format_args!("  POST /bulk               create a job         {job_id}"));

    let (mut total, mut duplicates) = (0, 0);
    for batch in 0..BATCHES {
        let ingested = customer.post(&format!("/bulk/{job_id}"), &json!({ "users": users(batch) }))?;
        total += ingested["total"].as_u64().unwrap_or_default();
        duplicates += ingested["errors"].as_array().map_or(0, Vec::len);
    }
    let sent = BATCHES * BATCH;
    say(format_args!(
        "  POST /bulk/{{job_id}}      ingest {sent} users    {BATCHES} calls: {total} accepted, {duplicates} 'Duplicate user'"
    ));
    customer.post(&format!("/bulk/{job_id}/run"), &json!({}))?;
    say("  POST /bulk/{job_id}/run  run it\n");

    let job = watch(&customer, &job_id)?;
    let counters = ["received", "enqueued", "failures"].map(|name| format!("{name} {}", job[name]));
    say(format_args!("  {}: {}\n", job["status"].as_str().unwrap_or_default(), counters.join(", ")));

    let outbox = customer.get(&format!("/_bulkd/outbox?job_id={job_id}&limit=1000"))?;
    let messages = outbox["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    show(messages);
    say("\nGo on with");
    for path in [format!("/bulk/{job_id}"), format!("/bulk/{job_id}/users"), "/_bulkd/outbox?limit=3".to_owned()] {
        say(format_args!("  curl -H 'Authorization: Bearer {KEY}' '{}{path}'", customer.base));
    }
    say(format_args!("  sqlite3 {} 'SELECT channel, address, subject FROM outbox LIMIT 5'", app.database().display()));
    say(format_args!("or point Courier's SDKs here: COURIER_BASE_URL={} COURIER_API_KEY={KEY}", customer.base));

    let expected = json!({
        "definition": definition, "enqueued": ACCEPTED, "failures": 0, "received": ACCEPTED, "status": "COMPLETED",
    });
    let recipients: BTreeSet<_> = messages.iter().map(|message| message["recipient"].as_str()).collect();
    if job != expected || duplicates != BATCHES * DUPLICATES || recipients.len() != ACCEPTED {
        return Err(Error::startup("the demo did not come out as expected"));
    }
    Ok(())
}

/// A batch of sample users: each reachable in one of four ways, a few of them sent before.
fn users(batch: usize) -> Vec<Value> {
    let first = batch * (BATCH - DUPLICATES);
    let fresh = (first..first + BATCH - DUPLICATES).map(user);
    fresh.chain((0..DUPLICATES).map(|i| user(first / 2 + i))).collect()
}

fn user(number: usize) -> Value {
    const FIRST: [&str; 8] = ["Ada", "Grace", "Alan", "Edsger", "Barbara", "Donald", "Margaret", "Ken"];
    const LAST: [&str; 5] = ["Lovelace", "Hopper", "Turing", "Liskov", "Knuth"];
    let (first, last) = (FIRST[number % 8], LAST[number / 8 % 5]);
    let id = format!("{}-{}-{number}", first.to_lowercase(), last.to_lowercase());
    let profile = match number % 10 {
        0..=5 => json!({ "email": format!("{id}@example.com") }),
        6..=7 => json!({ "phone_number": format!("+1555{number:07}") }),
        8 => json!({ "firebaseToken": format!("device-{number:06}") }),
        _ => json!({}),
    };
    let plan = ["Free", "Team", "Business"][number % 3];
    let data = json!({ "first_name": first, "plan": plan, "amount": number % 3 * 20 });
    json!({ "to": { "user_id": id, "data": data }, "profile": profile })
}

/// Follows the job to its end with a progress bar, on standard error and only where that is a terminal.
fn watch(customer: &Customer, job_id: &str) -> Result<Value> {
    let bar = ProgressBar::with_draw_target(Some(ACCEPTED as u64), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("  [{bar:40}] {pos}/{len} {msg}") {
        bar.set_style(style.progress_chars("=> "));
    }
    let begun = Instant::now();
    loop {
        let mut answer = customer.get(&format!("/bulk/{job_id}"))?;
        let job = answer["job"].take();
        let drained = [&job["enqueued"], &job["failures"]].map(|n| n.as_u64().unwrap_or_default());
        let status = job["status"].as_str().unwrap_or_default();
        bar.set_position(drained.iter().sum());
        bar.set_message(status.to_owned());
        if !matches!(status, "CREATED" | "PROCESSING") || begun.elapsed() > PATIENCE {
            bar.finish();
            return Ok(job);
        }
    }
}

/// How many messages went which way, and one of each as a person would read it.
fn show(messages: &[Value]) {
    let mut by_channel: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for message in messages {
        by_channel.entry(message["channel"].as_str().unwrap_or_default()).or_default().push(message);
    }
    say(format_args!("The outbox holds {} messages:", messages.len()));
    for (channel, messages) in by_channel {
        let text = |name: &str| messages[0][name].as_str().unwrap_or_default().to_owned();
        say(format_args!("\n  {:>3} by {channel}, such as to {}", messages.len(), text("address")));
        say(format_args!("      {}", text("subject")));
        say(format_args!("      {}", text("body")));
    }
}

/// Somebody with an API key and an HTTP client.
struct Customer {
    base: String,
    agent: ureq::Agent,
}

impl Customer {
    fn get(&self, path: &str) -> Result<Value> {
        let request = self.agent.get(format!("{}{path}", self.base)).header("Authorization", format!("Bearer {KEY}"));
        let mut answer = request.call().map_err(|error| failed("GET", path, error))?;
        answer.body_mut().read_json().map_err(|error| failed("GET", path, error))
    }

    fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let request = self.agent.post(format!("{}{path}", self.base)).header("Authorization", format!("Bearer {KEY}"));
        let mut answer = request.send_json(body).map_err(|error| failed("POST", path, error))?;
        answer.body_mut().read_json().map_err(|error| failed("POST", path, error))
    }
}

fn failed(method: &str, path: &str, error: ureq::Error) -> Error {
    Error::startup(format!("{method} {path} failed: {error}"))
}
