//! Where the work on jobs notes what would hurt at Courier.

use serde_json::Value;

use crate::findings::{Check, Findings};
use crate::model::bulk::{Job, JobKind};
use crate::model::row::EnvironmentRow;
use crate::store::{Store, environment};

/// The request that a job comes from: its messages are found by this name.
pub fn request_of(job: &Job, definition: &str) -> String {
    // Only a send in its first version has its recipients beside its definition.
    let has_recipients = || serde_json::from_str::<Value>(definition).is_ok_and(|it| it.get("to").is_some());
    match job.kind {
        JobKind::Bulk => format!("POST /bulk/{}/run", job.job_id),
        JobKind::Send if has_recipients() => "POST /send".to_owned(),
        JobKind::Send => "POST /send/list".to_owned(),
    }
}

/// Notes a finding about a job's environment, unless that was reset meanwhile.
pub fn note(
    store: &Store,
    findings: &Findings,
    environment: EnvironmentRow,
    request: &str,
    (check, what): (Check, String),
) {
    match store.read(|db| environment::of_row(db, environment)) {
        Ok(Some(of)) => findings.note(&of, check, what.clone(), Some(request), || what),
        Ok(None) => {}
        Err(error) => log::warn!("{what} ({error})"),
    }
}
