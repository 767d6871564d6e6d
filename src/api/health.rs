//! Whether the daemon is up.

use super::call::Answer;
use super::settings::Settings;

/// `GET /_bulkd/health`: 200 once requests are answered. Needs no key.
pub fn health(_settings: &Settings) -> Answer {
    let body = serde_json::json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") });
    Answer::new(200, body.to_string())
}
