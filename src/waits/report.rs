//! How a wait is answered: what was found, or what a person wants to read in a failed test's output.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Wait;
use super::condition::Condition;
use super::criteria::{Criteria, Told};
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
use crate::store::{Db, job, job_list, message};

/// Messages that an answer shows, of however many there are.
const ITEMS: usize = 100;
/// Messages that are looked through for the nearest, the newest first, and how many of those are told.
const NEAR: usize = 200;
const NEAREST: usize = 5;
/// Jobs that are told, the newest first.
const JOBS: usize = 5;
/// Requests that are told, the newest first.
const REQUESTS: usize = 5;
const TEXT_BYTES: usize = 4 << 20;
/// And for so long: others wait meanwhile.
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
        Condition::Settled => (
            json!({ "settled": true }),
            json!({ "settled": false }),
            "wanted all to have come to rest; it has not".to_owned(),
        ),
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
    message.push_str(match (is_settled, &wait.condition) {
        (true, _) => " All has come to rest.",
        (false, _) => " Jobs, messages or webhooks are still on their way.",
    });
    if let Some(nearest) = nearest.first() {
        message.push_str(&nearest.sentence());
    }
    let going_on = |job: &JobSummary| job.completed_at.is_none();
    if let Some(job) = jobs.iter().find(|job| going_on(job))
        && !matches!(wait.condition, Condition::Job { .. })
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

/// A message, and what it has and has not of what was wanted.
struct Near {
    message_id: String,
    told: Vec<Told>,
}

impl Near {
    fn ok(&self) -> usize {
        self.told.iter().filter(|it| it.ok).count()
    }

    fn json(&self) -> Value {
        let told = |it: &Told| json!({ "name": it.name, "ok": it.ok, "wanted": it.wanted, "found": it.found });
        json!({ "message_id": self.message_id, "criteria": self.told.iter().map(told).collect::<Vec<_>>() })
    }

    fn sentence(&self) -> String {
        let others: Vec<String> =
            self.told.iter().filter(|it| !it.ok).map(|it| format!("its {} is {}", it.name, it.found)).collect();
        match others.is_empty() {
            true => format!(" {} has it all.", self.message_id),
            false => format!(" Nearest is {}, but {}.", self.message_id, others.join(", ")),
        }
    }
}

/// The messages that have most of what was wanted, the newest first.
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
