//! How jobs go on once they are run. Ours; at Courier they do by themselves.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::call::{Action, Answer, Call, Change, ChangedEnvironment};
use crate::error::{Error, Result};
use crate::json;
use crate::lifecycle::{JobRule, Lifecycle};
use crate::model::environment::EnvironmentRow;
use crate::model::lifecycle::Mode;
use crate::model::row::JobRow;
use crate::steer::Stepped;
use crate::store::{due, job};

/// The most users in a second, and the most looks.
pub const MOST: u64 = 1_000_000;

#[derive(Deserialize)]
struct PutBody {
    mode: String,
    #[serde(default)]
    per_second: Option<u64>,
    #[serde(default)]
    polls: Option<u64>,
    #[serde(default)]
    job_id: Option<String>,
}

impl PutBody {
    fn mode(&self) -> Result<Mode> {
        let count = |given: Option<u64>, path: &str| match given {
            Some(count @ 1..=MOST) => Ok(u32::try_from(count).unwrap_or(u32::MAX)),
            _ => Err(Error::invalid(path, format_args!("expected a number from 1 to {MOST}"))),
        };
        let mode = match self.mode.as_str() {
            "instant" => Mode::Instant,
            "paced" => Mode::Paced { per_second: count(self.per_second, "per_second")? },
            "manual" => Mode::Manual,
            "hold" => Mode::Hold,
            "polls" => Mode::Polls { polls: count(self.polls, "polls")? },
            _ => return Err(Error::invalid("mode", "expected instant, paced, manual, hold or polls")),
        };
        for (path, is_given, is_taken) in [
            ("per_second", self.per_second.is_some(), matches!(mode, Mode::Paced { .. })),
            ("polls", self.polls.is_some(), matches!(mode, Mode::Polls { .. })),
        ] {
            if is_given && !is_taken {
                return Err(Error::invalid(path, format_args!("expected none with mode {}", mode.name())));
            }
        }
        Ok(mode)
    }
}

/// `PUT /_bulkd/lifecycle` with `{mode, per_second?, polls?, job_id?}`: 200 with what holds then. For the environment,
/// or for one job, whose own mode goes first.
pub fn put(mut call: Call<'_>) -> Result<Action> {
    let body: PutBody = json::read(&call.json()?, String::new)?;
    let mode = body.mode()?;
    let lifecycle = call.settings.lifecycle.clone();
    Action::change(move |tx, environment| {
        match body.job_id {
            Some(job_id) => {
                let job = job::get(tx, environment, &job_id)?;
                lifecycle.set_job(job.job, JobRule { environment, job_id, mode }, tx.now());
            }
            None => {
                let running: Vec<JobRow> = due::processing(tx, environment)?.iter().map(|it| it.job).collect();
                lifecycle.set(environment, mode, &running, tx.now());
            }
        }
        Ok(shown(&lifecycle, environment))
    })
}

/// `GET /_bulkd/lifecycle`: 200 `{mode, ..., jobs: [{job_id, mode, ...}]}`.
pub fn get(call: Call<'_>) -> Result<Action> {
    let lifecycle = call.settings.lifecycle.clone();
    Action::query(move |_, environment| Ok(shown(&lifecycle, environment)))
}

fn shown(lifecycle: &Lifecycle, environment: EnvironmentRow) -> Answer {
    let (mode, jobs) = lifecycle.of(environment);
    let of_job = |rule: JobRule| {
        let mut shown = of_mode(rule.mode);
        shown.insert("job_id".to_owned(), json!(rule.job_id));
        Value::Object(shown)
    };
    let mut shown = of_mode(mode);
    shown.insert("jobs".to_owned(), jobs.into_iter().map(of_job).collect());
    Answer::new(200, Value::Object(shown).to_string())
}

fn of_mode(mode: Mode) -> Map<String, Value> {
    let mut shown = Map::new();
    shown.insert("mode".to_owned(), json!(mode.name()));
    match mode {
        Mode::Paced { per_second } => drop(shown.insert("per_second".to_owned(), json!(per_second))),
        Mode::Polls { polls } => drop(shown.insert("polls".to_owned(), json!(polls))),
        Mode::Instant | Mode::Manual | Mode::Hold => {}
    }
    shown
}

#[derive(Deserialize)]
struct StepBody {
    job_id: String,
    #[serde(default)]
    users: Option<u64>,
}

/// `POST /_bulkd/step` with `{job_id, users?}`: 200 `{job_id, users, enqueued, failures, left, status}` once these
/// users are done: how many they were, what became of them, and how many are left.
pub fn step(mut call: Call<'_>) -> Result<Action> {
    let body: StepBody = json::read(&call.json()?, String::new)?;
    let users = body.users.unwrap_or(1);
    if users == 0 {
        return Err(Error::invalid("users", "expected 1 or more"));
    }
    let (steering, environment) = (call.settings.steering.clone(), call.environment.clone());
    Action::later(move |go_on| {
        let job_id = body.job_id.clone();
        steering
            .step(&environment, &job_id, users, move |stepped| go_on(stepped.map(|it| shown_step(&body.job_id, &it))));
    })
}

fn shown_step(job_id: &str, Stepped { before, after }: &Stepped) -> Change {
    let shown = json!({
        "job_id": job_id,
        "users": after.drained() - before.drained(),
        "enqueued": after.enqueued - before.enqueued,
        "failures": after.failures - before.failures,
        "left": after.received - after.drained(),
        "status": after.status.name(),
    });
    let answer = Answer::new(200, shown.to_string());
    Change::new(ChangedEnvironment::Existing, |_, _| Ok(answer)).sure()
}
