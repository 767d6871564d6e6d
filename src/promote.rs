//! `bulkd promote`: a job that was built in one place is created, filled and run in another, such as the real service.
//!
//! Every call has an idempotency key that is made from the job's id. So the command can be interrupted anywhere and
//! repeated: nothing is done twice, and what the other side already has is skipped.

use std::cell::Cell;
use std::path::Path;
use std::time::Duration;

use crossbeam_channel::never;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use ureq::Agent;
use ureq::http::Uri;

use crate::cli::Promote;
use crate::error::{Error, Result, shown_up_to};
use crate::output::LineOutput;
use crate::tls;

/// How long one call may take. Ingesting takes the longest.
const PATIENCE: Duration = Duration::from_secs(60);
/// Before the second attempt of a call, the third, and so on, unless the answer says how long to wait.
const RETRY_SECONDS: [u64; 5] = [1, 2, 4, 8, 16];
/// The longest wait that an answer can ask for.
const LONGEST_WAIT_SECONDS: u64 = 120;
/// The longest answer that is read: a page of users with all their data.
const ANSWER_BYTES: u64 = 64 * 1024 * 1024;
/// The most bytes of an answer's body that an error quotes.
const SHOWN_BYTES: usize = 300;

/// One side: where the job is, or where it goes.
struct Side {
    base: String,
    api_key: String,
    agent: Agent,
    /// A side that has never answered is not there, and gets no retries.
    has_answered: Cell<bool>,
}

/// A job, as `GET /bulk/{job_id}` shows it.
#[derive(Deserialize)]
struct JobAnswer {
    job: Job,
}

#[derive(Deserialize)]
struct Job {
    received: u64,
    status: String,
    /// As it was sent.
    definition: Box<RawValue>,
}

/// Users from a place on, as `GET /_bulkd/jobs/{job_id}/users` shows them.
#[derive(Deserialize)]
struct Users {
    items: Vec<User>,
}

#[derive(Deserialize)]
struct User {
    recipient: String,
    /// As it was sent.
    user: Box<RawValue>,
}

/// Creates the job there, adds its users and runs it, as far as `flags` ask for that.
pub fn run(flags: &Promote, out: &LineOutput) -> Result<()> {
    let from = Side::new(&flags.from, &flags.from_api_key, "--from-ca", flags.from_ca.as_deref())?;
    let JobAnswer { job } = from.read(&format!("/bulk/{}", flags.job_id))?;
    let calls = job.received.div_ceil(flags.batch);
    if flags.dry_run {
        out.say(format_args!("POST {}/bulk {{\"message\":{}}}", flags.to, job.definition));
        let first = users(&from, &flags.job_id, 0, 1)?;
        if let Some(user) = first.first() {
            let more = if job.received > 1 { ", ..." } else { "" };
            out.say(format_args!("POST {}/bulk/{{job_id}} {{\"users\":[{}{more}]}}", flags.to, sent(user)));
        }
        out.say(format_args!("  users: {}, in calls of {}: {calls}", job.received, flags.batch));
        if !flags.no_run {
            out.say(format_args!("POST {}/bulk/{{job_id}}/run", flags.to));
        }
        out.say("Nothing was sent.");
        return Ok(());
    }

    let to = Side::new(&flags.to, &flags.api_key, "--to-ca", flags.to_ca.as_deref())?;
    let key = |step: &str| format!("promote-{}-{step}", flags.job_id);
    let created = to.post("/bulk", &key("create"), &format!("{{\"message\":{}}}", job.definition))?;
    let Some(job_id) = created["jobId"].as_str() else {
        return Err(Error::startup(format!("POST {}/bulk: expected a jobId in the answer, found {created}", flags.to)));
    };
    out.say(format_args!("{} is {job_id} at {}", flags.job_id, flags.to));
    let JobAnswer { job: there } = to.read(&format!("/bulk/{job_id}"))?;
    if there.status != "CREATED" {
        out.say(format_args!("It was run there before, and is {}.", there.status));
        return Ok(());
    }
    // Whole calls only: a key stands for one body.
    let received = there.received.min(job.received);
    let first = received / flags.batch * flags.batch;
    if first > 0 {
        out.say(format_args!("users that are there already: {first}"));
    }
    let refused = add(&from, &to, flags, (job_id, &job), first)?;
    out.say(format_args!("users sent: {}{}", job.received - first, refusals(refused)));
    if !flags.no_run {
        to.post(&format!("/bulk/{job_id}/run"), &key("run"), "{}")?;
        out.say("It runs.");
    }
    Ok(())
}

fn refusals(refused: usize) -> String {
    if refused == 0 { String::new() } else { format!(", of whom {refused} were refused or were there already") }
}

/// Adds the users from a place on. Returns how many the other side did not accept.
fn add(from: &Side, to: &Side, flags: &Promote, (job_id, job): (&str, &Job), first: u64) -> Result<usize> {
    let bar = ProgressBar::with_draw_target(Some(job.received), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("  {bar:40} {human_pos} of {human_len} users, {eta} left") {
        bar.set_style(style);
    }
    bar.set_position(first);
    let (mut at, mut refused) = (first, 0);
    while at < job.received {
        let batch = users(from, &flags.job_id, at, flags.batch)?;
        if batch.is_empty() {
            break;
        }
        let body = format!("{{\"users\":[{}]}}", batch.iter().map(sent).collect::<Vec<_>>().join(","));
        let key = format!("promote-{}-{at}-{}", flags.job_id, batch.len());
        let answer = to.post(&format!("/bulk/{job_id}"), &key, &body)?;
        refused += answer["errors"].as_array().map_or(0, Vec::len);
        at += batch.len() as u64;
        bar.set_position(at);
    }
    bar.finish_and_clear();
    Ok(refused)
}

/// So many users from a place on; fewer at the end. A page ends early if users are large.
fn users(from: &Side, job_id: &str, at: u64, count: u64) -> Result<Vec<User>> {
    let mut found: Vec<User> = Vec::new();
    while (found.len() as u64) < count {
        let (at, limit) = (at + found.len() as u64, count - found.len() as u64);
        let page: Users = from.read(&format!("/_bulkd/jobs/{job_id}/users?at={at}&limit={limit}"))?;
        if page.items.is_empty() {
            break;
        }
        found.extend(page.items);
    }
    Ok(found)
}

/// A user as it was sent. One that named no recipient gets the recipient that was generated for it, so that it is the
/// same each time.
fn sent(user: &User) -> String {
    let text = user.user.get();
    let members: Value = serde_json::from_str(text).unwrap_or_default();
    let names_someone = ["recipient", "user_id", "to", "profile"].iter().any(|name| !members[*name].is_null());
    match text.strip_prefix('{').map(str::trim_start) {
        Some(rest) if !names_someone => {
            let comma = if rest.starts_with('}') { "" } else { "," };
            format!("{{\"recipient\":{}{comma}{rest}", Value::from(user.recipient.as_str()))
        }
        _ => text.to_owned(),
    }
}

impl Side {
    /// `ca` holds the certificates to trust, if the side calls by https. `flag` is the one that gave it.
    fn new(base: &str, api_key: &str, flag: &str, ca: Option<&Path>) -> Result<Self> {
        let host = base.parse::<Uri>().ok().and_then(|uri| uri.host().map(str::to_owned)).unwrap_or_default();
        let host = host.trim_matches(['[', ']']);
        let is_here = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
        let mut config = Agent::config_builder().http_status_as_error(false).timeout_global(Some(PATIENCE));
        if is_here {
            // This machine is not behind a proxy, whatever the environment names.
            config = config.proxy(None);
        }
        if base.starts_with("https://") {
            config = tls::trust(config, flag, ca)?;
        }
        Ok(Side {
            base: base.to_owned(),
            api_key: api_key.to_owned(),
            agent: config.build().new_agent(),
            has_answered: Cell::default(),
        })
    }

    fn read<T: for<'de> Deserialize<'de>>(&self, path: &str) -> Result<T> {
        let text = self.call(path, None)?;
        serde_json::from_str(&text).map_err(|error| self.failed("GET", path, &error))
    }

    /// Posts, and retries as long as that may help.
    fn post(&self, path: &str, idempotency_key: &str, body: &str) -> Result<Value> {
        let text = self.call(path, Some((idempotency_key, body)))?;
        match text.trim().is_empty() {
            true => Ok(Value::Null),
            false => serde_json::from_str(&text).map_err(|error| self.failed("POST", path, &error)),
        }
    }

    fn call(&self, path: &str, posted: Option<(&str, &str)>) -> Result<String> {
        let method = if posted.is_some() { "POST" } else { "GET" };
        let mut waits = RETRY_SECONDS.into_iter();
        loop {
            let (reason, asked) = match self.attempt(path, posted) {
                Ok((200..=299, text, _)) => return Ok(text),
                Ok((status, text, asked)) => {
                    let told = serde_json::from_str::<Value>(&text).ok();
                    let told = told.as_ref().and_then(|it| it["message"].as_str()).unwrap_or(&text);
                    let reason = format!("{status} {}", shown_up_to(told, SHOWN_BYTES));
                    if !matches!(status, 408 | 429 | 500..) {
                        return Err(self.failed(method, path, &reason));
                    }
                    (reason, asked)
                }
                Err(error) if !self.has_answered.get() => return Err(self.failed(method, path, &error)),
                Err(error) => (error.to_string(), None),
            };
            let Some(wait) = waits.next() else {
                let advice = "; the same command goes on from here";
                return Err(self.failed(method, path, &format_args!("{reason}{advice}")));
            };
            let wait = asked.map_or(wait, |asked| asked.min(LONGEST_WAIT_SECONDS));
            let _ = never::<()>().recv_timeout(Duration::from_secs(wait));
        }
    }

    /// One call: its status, its text, and how many seconds to wait before the next.
    fn attempt(
        &self,
        path: &str,
        posted: Option<(&str, &str)>,
    ) -> std::result::Result<(u16, String, Option<u64>), ureq::Error> {
        let url = format!("{}{path}", self.base);
        let bearer = format!("Bearer {}", self.api_key);
        let mut answer = match posted {
            None => self.agent.get(&url).header("Authorization", bearer).call()?,
            Some((idempotency_key, body)) => self
                .agent
                .post(&url)
                .header("Authorization", bearer)
                .header("Idempotency-Key", idempotency_key)
                .content_type("application/json")
                .send(body)?,
        };
        self.has_answered.set(true);
        let asked = answer.headers().get("retry-after").and_then(|it| it.to_str().ok()?.trim().parse().ok());
        let text = answer.body_mut().with_config().limit(ANSWER_BYTES).read_to_string()?;
        Ok((answer.status().as_u16(), text, asked))
    }

    fn failed(&self, method: &str, path: &str, why: &dyn std::fmt::Display) -> Error {
        Error::startup(format!("{method} {}{path}: {why}", self.base))
    }
}
