//! Where the work on jobs notes what would hurt at Courier.

use crate::findings::{Check, Findings};
use crate::model::row::EnvironmentRow;
use crate::store::{Store, environment};

/// Notes a finding of a job's environment. One that was reset meanwhile has none any more.
pub fn note(store: &Store, findings: &Findings, environment: EnvironmentRow, check: Check, what: String) {
    match store.read(|db| environment::of_row(db, environment)) {
        Ok(Some(of)) => findings.note(&of, check, what.clone(), None, || what),
        Ok(None) => {}
        Err(error) => log::warn!("{what} ({error})"),
    }
}
