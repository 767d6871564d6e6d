//! Whether the daemon is up.

use super::call::{Action, Answer, Call};
use crate::error::Result;

/// `GET /_bulkd/health`: 200 once requests are answered. Needs no key.
pub fn health(_: Call<'_>) -> Result<Action> {
    let body = serde_json::json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") });
    Ok(Action::Answer(Answer::new(200, body.to_string())))
}
