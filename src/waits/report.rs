//! How a wait is answered: what was found, or what a person wants to read in a failed test's output.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Wait;
use super::condition::{Condition, Count};
use super::criteria::{Criteria, Met, PATTERN_TEXT_BYTES, Told};
use crate::clock::Timestamp;
use crate::error::{Error, Result, shown_up_to};
use crate::http::{self, Response};
use crate::journal::Journal;
use crate::model::bulk::{Job, JobSummary};
use crate::model::environment::{Environment, EnvironmentRow};
use crate::model::row::{JobRow, MessageNumber};
use crate::outbox::Deliveries;
use crate::outbox::entry::{Entry, Fields};
use crate::store::outbox::{self, Order, OutboxFilter, PageLimits};
use crate::store::unsettled::{self, Unsettled};
use crate::store::{Db, job, job_list, message, user};

/// The most messages that an answer shows.
const ITEMS: usize = 100;
/// The most messages that are searched for the nearest, the newest first, and how many of these are shown.
const NEAR: usize = 200;
const NEAREST: usize = 5;
/// The most jobs that are shown, the newest first.
const JOBS: usize = 5;
/// The most requests that are shown, the newest first.
const REQUESTS: usize = 5;
/// The most users of a job that are searched for a recipient.
const LOOKED_THROUGH: u64 = 10_000;
const TEXT_BYTES: usize = 4 << 20;
/// And for so long at most: others wait meanwhile.
const NEAR_TIME: Duration = Duration::from_millis(100);

fn met(wait: &Wait, count: u64, items: &[Value]) -> Response {
    let body = json!({ "met": true, "count": count, "items": items, "waited_ms": wait.waited_millis() });
    http::json(200, body.to_string())
}

pub fn job_met(db: &Db<'_>, row: EnvironmentRow, wait: &Wait, found: &Job) -> Result<Response> {
    let job = job_list::list(db, row, None, JobRow(found.job.0.saturating_add(1)), 1, 1)?;
    let items: Vec<Value> = job.items.iter().map(|job| job.json(db.now())).collect();
    Ok(met(wait, 1, &items))
}

pub fn settled_met(wait: &Wait) -> Response {
    met(wait, 0, &[])
}

pub fn outbox_met(db: &Db<'_>, wait: &Wait, criteria: &Criteria, deliveries: &mut Deliveries<'_>) -> Result<Response> {
    let mut items = Vec::new();
    for number in wait.matched.first(ITEMS) {
        // It may have been dropped since it was counted.
        let Some(location) = message::locate(db, number)? else { continue };
        let found = outbox::get(db, &location)?;
        if let Some(delivery) = criteria.counted(&found, deliveries)? {
            let entry = Entry::new(&found, delivery, Fields::brief(), deliveries)?;
            items.push(serde_json::to_value(&entry).map_err(|error| Error::internal(error.to_string()))?);
        }
    }
    Ok(met(wait, wait.matched.count(), &items))
}

/// 412, which no SDK sends again.
pub fn not_met(
    db: &Db<'_>,
    journal: &Journal,
    row: EnvironmentRow,
    wait: &Wait,
    (is_settled, has_looked_at_all): (bool, bool),
    deliveries: &mut Deliveries<'_>,
) -> Result<Response> {
    let jobs = job_list::list(db, row, None, JobRow(i64::MAX), JOBS, JOBS)?.items;
    let waited = wait.waited_millis();
    let unsettled = if is_settled { Unsettled::default() } else { unsettled::list(db, row)? };
    let mut nearest = Vec::new();
    let (wanted, found, sentence) = match &wait.condition {
        Condition::Job { job_id, status } => {
            let found = job::find(db, row, job_id)?;
            let found = match found {
                Some(found) => json!({
                    "status": found.status.name(), "received": found.received, "enqueued": found.enqueued,
                    "failures": found.failures, "error": found.error,
                }),
                None => Value::Null,
            };
            let is = match &found {
                Value::Null => "it is gone".to_owned(),
                found => format!(
                    "it is {}, with {} of {} users done{}",
                    found["status"].as_str().unwrap_or_default(),
                    found["enqueued"].as_u64().unwrap_or_default() + found["failures"].as_u64().unwrap_or_default(),
                    found["received"],
                    found["error"].as_str().map(|error| format!(": {error}")).unwrap_or_default(),
                ),
            };
            let wanted = json!({ "job_id": job_id, "status": status.name() });
            (wanted, found, format!("wanted job {job_id} to be {}; {is}", status.name()))
        }
        Condition::Settled => {
            let mut found = in_json(&unsettled);
            found["settled"] = json!(false);
            (json!({ "settled": true }), found, "wanted all to have come to rest; it has not".to_owned())
        }
        Condition::Outbox { criteria, count } => {
            nearest = near(db, row, wait.first, criteria, deliveries)?;
            let with = if criteria.words().is_empty() { String::new() } else { format!(" with {}", criteria.words()) };
            let found = wait.matched.count();
            let words = count.words();
            (
                json!(format!("{words}{with}")),
                json!(found),
                format!("wanted {words} in the outbox{with}; found {found}"),
            )
        }
    };
    let mut message = format!("{sentence}, after {waited} ms.");
    if !has_looked_at_all {
        message.push_str(" Not all messages were looked at: it takes long to tell which of them are meant.");
    }
    match wait.untried.count() {
        0 => {}
        count => message.push_str(&format!(
            " Of {count} more it is not known: a text has more than {PATTERN_TEXT_BYTES} bytes, and no pattern is tried on it. Use contains."
        )),
    }
    // For other conditions it makes no difference what else goes on.
    let waits_for_all = match &wait.condition {
        Condition::Settled => true,
        Condition::Outbox { count, .. } => !matches!(count, Count::AtLeast(_)),
        Condition::Job { .. } => false,
    };
    match (is_settled, waits_for_all) {
        (true, _) => message.push_str(" All has come to rest."),
        (false, true) => message.push_str(&in_words(&unsettled)),
        (false, false) => message.push_str(" Not all has come to rest."),
    }
    if let Some(nearest) = nearest.first() {
        message.push_str(&nearest.sentence());
    }
    if let Condition::Outbox { criteria, .. } = &wait.condition
        && let Some(job) = concerned(db, &jobs, criteria)?
        && !(waits_for_all && unsettled.jobs.iter().any(|told| told.job_id == job.job_id))
    {
        let not_run = if job.run_at.is_none() { ", and was not run" } else { "" };
        let (id, status, received) = (&job.job_id, job.status.name(), job.received);
        message.push_str(&format!(" Job {id} is {status} with {received} users{not_run}."));
    }
    let now: Timestamp = db.now();
    let body = json!({
        "met": false,
        "type": "not_met",
        "message": message,
        "wanted": wanted,
        "found": found,
        "settled": is_settled,
        "nearest": nearest.iter().map(Near::json).collect::<Vec<_>>(),
        "jobs": jobs.iter().map(|job| job.json(now)).collect::<Vec<_>>(),
        "requests": requests(journal, &wait.environment),
        "waited_ms": waited,
    });
    Ok(http::final_refusal(http::json(412, body.to_string())))
}

/// The newest job that may yet lead to what was wanted.
fn concerned<'j>(db: &Db<'_>, jobs: &'j [JobSummary], criteria: &Criteria) -> Result<Option<&'j JobSummary>> {
    for job in jobs.iter().filter(|job| job.completed_at.is_none()) {
        let is_concerned = match (&criteria.job_id, &criteria.recipient) {
            (Some(job_id), _) => *job_id == job.job_id,
            (None, Some(recipient)) => job.received > LOOKED_THROUGH || user::has_recipient(db, job.job, recipient)?,
            (None, None) => true,
        };
        if is_concerned {
            return Ok(Some(job));
        }
    }
    Ok(None)
}

/// What is not settled, as values.
fn in_json(unsettled: &Unsettled) -> Value {
    let jobs = unsettled.jobs.iter();
    let jobs = jobs.map(|it| json!({ "job_id": it.job_id, "received": it.received, "done": it.done }));
    let messages = unsettled.messages.iter();
    let messages = messages.map(|it| json!({ "message_id": it.message_id, "due_at": it.due_at.iso() }));
    let webhooks = unsettled.webhooks.iter().map(|it| {
        let next_at = it.next_at.map(Timestamp::iso);
        json!({ "webhook_id": it.webhook_id, "pending": it.pending, "next_at": next_at, "last_error": it.last_error })
    });
    json!({
        "processing": jobs.collect::<Vec<_>>(), "due": messages.collect::<Vec<_>>(),
        "untold": webhooks.collect::<Vec<_>>(),
    })
}

/// The same as sentences.
fn in_words(unsettled: &Unsettled) -> String {
    let mut words = String::new();
    for it in &unsettled.jobs {
        words.push_str(&format!(" Job {} is PROCESSING, with {} of {} users done.", it.job_id, it.done, it.received));
    }
    for it in &unsettled.messages {
        words.push_str(&format!(" Message {} is due since {}.", it.message_id, it.due_at.iso()));
    }
    for it in &unsettled.webhooks {
        let next = it.next_at.map(|at| format!(", the next at {}", at.iso())).unwrap_or_default();
        let error = it.last_error.as_deref().map(|error| format!(" ({})", shown_up_to(error, 200))).unwrap_or_default();
        words.push_str(&match it.pending {
            0 => format!(" Webhook {} has not come as far as the last messages.", it.webhook_id),
            pending => format!(" Webhook {} has {pending} events to be told{next}{error}.", it.webhook_id),
        });
    }
    if words.is_empty() { " Not all has come to rest.".to_owned() } else { words }
}

/// The last requests of the environment, the newest first.
fn requests(journal: &Journal, environment: &Environment) -> Vec<Value> {
    let mut requests = Vec::new();
    journal.each(environment, |entry| {
        let told = entry.told.as_ref().unwrap_or(&entry.made);
        let (method, path) = (entry.head.method.as_str(), shown_up_to(entry.head.path(), 200).to_string());
        let at = entry.at.iso();
        requests
            .push(json!({ "number": entry.number, "at": at, "method": method, "path": path, "status": told.status }));
        requests.len() < REQUESTS
    });
    requests
}

/// A message, and which criteria it meets.
struct Near {
    message_id: String,
    told: Vec<Told>,
}

impl Near {
    fn ok(&self) -> usize {
        self.told.iter().filter(|it| it.met == Met::Yes).count()
    }

    fn json(&self) -> Value {
        let told = |it: &Told| {
            let ok = it.met == Met::Yes;
            let mut told = json!({ "name": it.name, "ok": ok, "wanted": it.wanted, "found": it.found });
            if it.met == Met::Untried {
                told["untried"] = format!("a text of more than {PATTERN_TEXT_BYTES} bytes").into();
            }
            told
        };
        json!({ "message_id": self.message_id, "criteria": self.told.iter().map(told).collect::<Vec<_>>() })
    }

    fn sentence(&self) -> String {
        let others: Vec<String> = self.told.iter().filter(|it| it.met != Met::Yes).map(Told::sentence).collect();
        match others.is_empty() {
            true => format!(" {} has it all.", self.message_id),
            false => format!(" Nearest is {}, but {}.", self.message_id, others.join(", ")),
        }
    }
}

/// The messages that meet most criteria, the newest first.
fn near(
    db: &Db<'_>,
    row: EnvironmentRow,
    first: MessageNumber,
    criteria: &Criteria,
    deliveries: &mut Deliveries<'_>,
) -> Result<Vec<Near>> {
    let limits = PageLimits { messages: NEAR, bytes: TEXT_BYTES };
    let all = (first, MessageNumber(i64::MAX));
    let newest = outbox::list(db, row, &OutboxFilter::default(), all, Order::NewestFirst, limits)?;
    let (mut near, begun) = (Vec::new(), Instant::now());
    for found in &newest.items {
        if criteria.may_take_long() && begun.elapsed() >= NEAR_TIME {
            break;
        }
        let told = criteria.tell(found, deliveries)?;
        near.push(Near { message_id: found.message.message_id.clone(), told });
    }
    near.sort_by_key(|it| std::cmp::Reverse(it.ok()));
    near.truncate(NEAREST);
    Ok(near)
}
