//! What an environment holds, in numbers.

use serde_json::{Map, json};

use super::call::{Action, Answer, Call};
use crate::error::Result;
use crate::store::status;

/// `GET /_bulkd/status`: 200 `{version, jobs, users}`.
pub fn get(_: Call<'_>) -> Result<Action> {
    Action::query(|db, environment| {
        let jobs = status::jobs(db, environment)?;
        let jobs: Map<_, _> = jobs.into_iter().map(|(status, count)| (status, count.into())).collect();
        let (received, enqueued, failures) = status::users(db, environment)?;
        let users = json!({ "received": received, "enqueued": enqueued, "failures": failures });
        let body = json!({ "version": env!("CARGO_PKG_VERSION"), "jobs": jobs, "users": users });
        Ok(Answer::new(200, body.to_string()))
    })
}
