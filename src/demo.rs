//! `bulkd demo`: a customer's first job, played through the daemon's own HTTP API.

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};
use signal_hook::iterator::Signals;

use crate::app::App;
use crate::cli::Demo;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::model::environment::Environment;
use crate::output::LineOutput;
use crate::settings::Durability;
use crate::store::temporary;

const KEY: &str = "demo";
const TOPIC: &str = "statements";
/// The brand's color, which can be found in the HTML of e-mails.
const COLOR: &str = "#5b21b6";
const BATCHES: usize = 10;
const BATCH_USERS: usize = 100;
/// The last few users of each batch repeat earlier users.
const DUPLICATES: usize = 4;
const ACCEPTED: usize = BATCHES * (BATCH_USERS - DUPLICATES);
/// If the job takes longer, something must be wrong.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at the job.
const LOOK: Duration = Duration::from_millis(20);

/// Plays the demo, and stays up until a signal unless told to end.
pub fn run(flags: &Demo, out: &LineOutput, signals: impl FnOnce() -> Result<Signals>) -> Result<()> {
    let mut signals = signals()?;
    // Removed when the file in it is closed.
    let (_folder, database) = temporary::folder("demo-")?;
    let config = Config {
        listen: free(flags.listen),
        database: Some(database),
        durability: Durability::Full,
        ..Config::ephemeral()
    };
    let app = App::start(config)?;
    let played = play(&app, out, flags.exit);
    if let (Ok(page), true) = (&played, flags.open) {
        open(page);
    }
    let played = played.map(drop);
    if played.is_ok() && !flags.exit {
        signals.forever().next();
    }
    app.stop();
    played
}

/// The address, or one with a free port if it is taken.
fn free(wanted: SocketAddr) -> SocketAddr {
    match TcpListener::bind(wanted) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => SocketAddr::new(wanted.ip(), 0),
        _ => wanted,
    }
}

/// Opens a page in the machine's browser, if it has one.
fn open(page: &str) {
    let (program, first): (&str, &[&str]) = match std::env::consts::OS {
        "macos" => ("open", &[]),
        "windows" => ("cmd", &["/C", "start", ""]),
        _ => ("xdg-open", &[]),
    };
    let mut command = Command::new(program);
    command.args(first).arg(page).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if let Err(error) = command.spawn() {
        log::warn!("the browser cannot be started: {program}: {error}");
    }
}

/// Returns the URL of the page with its job.
fn play(app: &App, out: &LineOutput, exits: bool) -> Result<String> {
    // The daemon is on this machine, whatever proxy the environment names.
    let agent = ureq::Agent::config_builder().proxy(None).build().new_agent();
    let customer = Customer { base: format!("http://{}", app.address()), agent };
    out.say(format_args!("bulkd answers on {}; its file is {}\n", customer.base, app.database().display()));

    let template_id = prepare(&customer, out)?;
    let definition =
        json!({ "event": template_id, "message": { "template": template_id }, "data": { "month": "November" } });
    let created = customer.post("/bulk", &json!({ "message": definition }))?;
    let job_id = created["jobId"].as_str().unwrap_or_default().to_owned();
    step(out, "POST /bulk", "create a job", &job_id);
    let duplicates = ingest(&customer, out, &job_id)?;
    customer.post(&format!("/bulk/{job_id}/run"), &json!({}))?;
    step(out, "POST /bulk/{job_id}/run", "run it", "");
    out.say("");

    let job = watch(&customer, &job_id)?;
    let counters = ["received", "enqueued", "failures"].map(|name| format!("{name} {}", job[name]));
    out.say(format_args!("  {}: {}\n", job["status"].as_str().unwrap_or_default(), counters.join(", ")));
    let outcomes = outcomes(&customer, &job_id)?;
    show(out, &outcomes);
    let is_framed = send(&customer, out, &template_id)?;

    out.say("\nGo on with");
    for path in [format!("/bulk/{job_id}/users"), "/_bulkd/outbox?channel=sms&limit=3".to_owned()] {
        out.say(format_args!("  curl -H 'Authorization: Bearer {KEY}' '{}{path}'", customer.base));
    }
    out.say(format_args!(
        "  sqlite3 {} 'SELECT channel, address, subject FROM outbox LIMIT 5'",
        app.database().display()
    ));
    out.say(format_args!("or point Courier's SDKs here: COURIER_BASE_URL={} COURIER_API_KEY={KEY}", customer.base));

    let as_expected = job
        == json!({
            "definition": definition, "enqueued": ACCEPTED, "failures": 0, "received": ACCEPTED, "status": "COMPLETED",
        });
    let found: BTreeMap<OutcomeKey, usize> =
        outcomes.into_iter().map(|(outcome, found)| (outcome, found.count)).collect();
    if !as_expected || duplicates != BATCHES * DUPLICATES || found != expected() || !is_framed {
        return Err(Error::startup("the demo did not come out as expected"));
    }
    let page = format!("{}/#/jobs/{job_id}?env={}", customer.base, Environment::of_key(KEY).handle());
    if !exits {
        out.say("\nbulkd stays up; Ctrl-C ends it and removes its file.");
    }
    out.say(format_args!("\nLook at it in a browser: {page}"));
    Ok(page)
}

fn step(out: &LineOutput, call: &str, what: &str, outcome: &str) {
    out.say(format!("  {call:<45}{what:<24}{outcome}").trim_end());
}

/// Stores a brand, a published template, and data of users before any job. Returns the template's id.
fn prepare(customer: &Customer, out: &LineOutput) -> Result<String> {
    let settings = json!({
        "colors": { "primary": COLOR },
        "email": { "footer": { "markdown": "Acme Corp, 1 Road Runner Way" } },
    });
    customer.post("/brands", &json!({ "id": "acme", "name": "Acme Corp", "settings": settings }))?;
    step(out, "POST /brands", "a brand", "acme");
    let elements = json!([
        { "type": "meta", "title": "{{first_name}}, your {{month}} statement is ready" },
        { "type": "text", "content": "Hello {{first_name}}, your {{plan}} plan came to {{amount}} euro." },
        { "type": "action", "content": "Read it", "href": "https://acme.example/statements/{{month}}" },
    ]);
    let template = json!({
        "name": "Statement",
        "brand": { "id": "acme" },
        "subscription": { "topic_id": TOPIC },
        "content": { "version": "2022-01-01", "elements": elements },
    });
    let template = customer.post("/notifications", &json!({ "notification": template, "state": "PUBLISHED" }))?;
    let template_id = template["id"].as_str().unwrap_or_default().to_owned();
    step(out, "POST /notifications", "a published template", &template_id);

    let of = |way: Way| (0..ACCEPTED).filter(move |number| Way::of(*number) == way);
    for number in of(Way::StoredProfile) {
        let profile = json!({ "email": format!("{}@example.org", user_id(number)) });
        customer.put(&format!("/profiles/{}", user_id(number)), &json!({ "profile": profile }))?;
    }
    step(out, "PUT /profiles/{user_id}", "stored profiles", &of(Way::StoredProfile).count().to_string());
    for number in of(Way::OptedOut) {
        let path = format!("/users/{}/preferences/{TOPIC}", user_id(number));
        customer.put(&path, &json!({ "topic": { "status": "OPTED_OUT" } }))?;
    }
    let call = format!("PUT /users/{{user_id}}/preferences/{TOPIC}");
    step(out, &call, "who has opted out", &of(Way::OptedOut).count().to_string());
    Ok(template_id)
}

/// Ingests all users, some of them twice. Returns how many came back as duplicates.
fn ingest(customer: &Customer, out: &LineOutput, job_id: &str) -> Result<usize> {
    let (mut total, mut duplicates) = (0, 0);
    for batch in 0..BATCHES {
        let ingested = customer.post(&format!("/bulk/{job_id}"), &json!({ "users": users(batch) }))?;
        total += ingested["total"].as_u64().unwrap_or_default();
        duplicates += ingested["errors"].as_array().map_or(0, Vec::len);
    }
    let sent = BATCHES * BATCH_USERS;
    let outcome = format!("{BATCHES} calls: {total} accepted, {duplicates} 'Duplicate user'");
    step(out, "POST /bulk/{job_id}", &format!("ingest {sent} users"), &outcome);
    Ok(duplicates)
}

/// A batch of sample users. A few of them were sent before.
fn users(batch: usize) -> Vec<Value> {
    let first = batch * (BATCH_USERS - DUPLICATES);
    let fresh = (first..first + BATCH_USERS - DUPLICATES).map(user);
    fresh.chain((0..DUPLICATES).map(|i| user(first / 2 + i))).collect()
}

/// How a sample user can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Email,
    /// By e-mail, but the user does not want any.
    OptedOut,
    /// By the e-mail address of a profile that is stored already.
    StoredProfile,
    Phone,
    Push,
    Slack,
    Inbox,
}

impl Way {
    fn of(number: usize) -> Way {
        match number % 20 {
            0..=8 => Way::Email,
            9 => Way::OptedOut,
            10 => Way::StoredProfile,
            11..=13 => Way::Phone,
            14..=15 => Way::Push,
            16..=17 => Way::Slack,
            _ => Way::Inbox,
        }
    }

    /// What becomes of a message to a user of this kind.
    fn outcome(self) -> OutcomeKey {
        let (channel, status, reason) = match self {
            Way::Email | Way::StoredProfile => ("email", "SENT", ""),
            Way::OptedOut => ("", "UNDELIVERABLE", "UNSUBSCRIBED"),
            Way::Phone => ("sms", "SENT", ""),
            Way::Push => ("push", "SENT", ""),
            Way::Slack => ("direct_message", "SENT", ""),
            Way::Inbox => ("inbox", "SENT", ""),
        };
        [channel, status, reason].map(str::to_owned)
    }
}

fn name(number: usize) -> (&'static str, &'static str) {
    const FIRST: [&str; 8] = ["Ada", "Grace", "Alan", "Edsger", "Barbara", "Donald", "Margaret", "Ken"];
    const LAST: [&str; 5] = ["Lovelace", "Hopper", "Turing", "Liskov", "Knuth"];
    (FIRST[number % 8], LAST[number / 8 % 5])
}

fn user_id(number: usize) -> String {
    let (first, last) = name(number);
    format!("{}-{}-{number}", first.to_lowercase(), last.to_lowercase())
}

fn user(number: usize) -> Value {
    let id = user_id(number);
    let profile = match Way::of(number) {
        Way::Email | Way::OptedOut => json!({ "email": format!("{id}@example.com") }),
        Way::Phone => json!({ "phone_number": format!("+1555{number:07}") }),
        Way::Push => json!({ "firebaseToken": format!("device-{number:06}") }),
        Way::Slack => json!({ "slack": { "access_token": "xoxb-demo", "channel": format!("C{number:06}") } }),
        Way::StoredProfile | Way::Inbox => json!({}),
    };
    let plan = ["Free", "Team", "Business"][number % 3];
    let data = json!({ "first_name": name(number).0, "plan": plan, "amount": number % 3 * 20 });
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
        if !matches!(status, "CREATED" | "PROCESSING") {
            bar.finish();
            return Ok(job);
        }
        if begun.elapsed() > PATIENCE {
            return Err(Error::startup(format!("the demo's job is still {status} after {} s", PATIENCE.as_secs())));
        }
        std::thread::park_timeout(LOOK);
    }
}

/// Channel, status and reason of messages; a message that went nowhere has no channel, and one that was sent no reason.
type OutcomeKey = [String; 3];

/// The messages of one outcome.
struct OutcomeCount {
    count: usize,
    first: Value,
}

fn expected() -> BTreeMap<OutcomeKey, usize> {
    let mut expected = BTreeMap::new();
    for number in 0..ACCEPTED {
        *expected.entry(Way::of(number).outcome()).or_default() += 1;
    }
    expected
}

/// What became of a job's messages, read from the outbox page by page.
fn outcomes(customer: &Customer, job_id: &str) -> Result<BTreeMap<OutcomeKey, OutcomeCount>> {
    let mut outcomes: BTreeMap<OutcomeKey, OutcomeCount> = BTreeMap::new();
    let mut cursor = String::new();
    loop {
        let mut page = customer.get(&format!("/_bulkd/outbox?job_id={job_id}&limit=200&cursor={cursor}"))?;
        for message in page["items"].as_array_mut().into_iter().flatten() {
            let outcome = ["channel", "status", "reason"].map(|it| message[it].as_str().unwrap_or_default().to_owned());
            outcomes.entry(outcome).or_insert_with(|| OutcomeCount { count: 0, first: message.take() }).count += 1;
        }
        match page["paging"]["cursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => return Ok(outcomes),
        }
    }
}

/// How many messages had which outcome, and one of each as a person would read it.
fn show(out: &LineOutput, outcomes: &BTreeMap<OutcomeKey, OutcomeCount>) {
    out.say(format_args!("The outbox holds {} messages:", outcomes.values().map(|found| found.count).sum::<usize>()));
    let went_out = |(outcome, _): &(&OutcomeKey, &OutcomeCount)| !outcome[0].is_empty();
    let (went_out, nowhere): (Vec<_>, Vec<_>) = outcomes.iter().partition(went_out);
    for ([channel, status, reason], OutcomeCount { count, first }) in went_out.into_iter().chain(nowhere) {
        let text = |name: &str| first[name].as_str().unwrap_or_default();
        match channel.as_str() {
            "" => {
                out.say(format_args!("\n  {count:>3} {status} as {reason}, such as to {}", text("recipient")));
                out.say(format_args!("      {}", text("error")));
            }
            channel => {
                let provider = text("provider");
                out.say(format_args!(
                    "\n  {count:>3} {status} by {channel} ({provider}), such as to {}",
                    text("address")
                ));
                let lines = [text("subject"), text("body")].into_iter().flat_map(str::lines);
                lines.filter(|line| !line.trim().is_empty()).for_each(|line| out.say(format_args!("      {line}")));
            }
        }
    }
}

/// Sends one more message and says where its HTML is. Returns whether it was sent in its brand's frame.
fn send(customer: &Customer, out: &LineOutput, template_id: &str) -> Result<bool> {
    let to = json!({ "user_id": "grace", "email": "grace@example.com" });
    let data = json!({ "first_name": "Grace", "month": "November", "plan": "Team", "amount": 20 });
    let message = json!({ "to": to, "template": template_id, "data": data });
    let sent = customer.post("/send", &json!({ "message": message }))?;
    let message_id = sent["requestId"].as_str().unwrap_or_default();
    let path = format!("/messages/{message_id}");
    let message = customer.get(&path)?;
    let status = message["status"].as_str().unwrap_or_default();
    out.say(format_args!("\n  POST /send to grace@example.com: {message_id}, {status}; its HTML is at"));
    out.say(format_args!("      curl -H 'Authorization: Bearer {KEY}' '{}{path}/output'", customer.base));
    let output = customer.get(&format!("{path}/output"))?;
    let html = output["results"][0]["content"]["html"].as_str().unwrap_or_default();
    Ok(status == "SENT" && html.contains(COLOR) && html.contains("Hello Grace"))
}

/// A client with an API key.
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

    fn put(&self, path: &str, body: &Value) -> Result<()> {
        let request = self.agent.put(format!("{}{path}", self.base)).header("Authorization", format!("Bearer {KEY}"));
        request.send_json(body).map_err(|error| failed("PUT", path, error)).map(drop)
    }
}

fn failed(method: &str, path: &str, error: ureq::Error) -> Error {
    Error::startup(format!("{method} {path} failed: {error}"))
}
