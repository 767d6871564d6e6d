//! Requests to the daemon. They use no proxy: the daemon is on this machine.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::error::Result as Outcome;
use crate::tls;

/// Longer than any wait may last.
const PATIENCE: Duration = Duration::from_secs(120);
/// More than any answer has.
const ANSWER_BYTES: u64 = 1 << 30;

/// What the daemon has refused, or a wait that was not met.
#[derive(Clone, PartialEq)]
pub struct Failure {
    /// 412 is a wait that was not met; 0 is no answer.
    pub status: u16,
    /// The whole answer.
    pub answer: Value,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = self.answer["message"].as_str();
        match (self.status, message) {
            (412 | 0, Some(message)) => f.write_str(message),
            (status, Some(message)) => write!(f, "{status}: {message}"),
            (status, None) => write!(f, "{status}: {}", self.answer),
        }
    }
}

/// As it is displayed, so that the output of a test that unwraps it is readable.
impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Failure {}

#[derive(Clone)]
pub struct Wire {
    pub base_url: String,
    pub api_key: String,
    agent: ureq::Agent,
}

impl Wire {
    /// By https it trusts the authority in this file, or else those that browsers trust.
    pub fn new(base_url: &str, api_key: &str, ca: Option<&Path>) -> Outcome<Self> {
        let agent = ureq::Agent::config_builder().proxy(None).http_status_as_error(false);
        let mut agent = agent.timeout_global(Some(PATIENCE));
        if base_url.starts_with("https:") {
            agent = tls::trust(agent, "the authority", ca)?;
        }
        let base_url = base_url.trim_end_matches('/').to_owned();
        Ok(Wire { base_url, api_key: api_key.to_owned(), agent: agent.build().new_agent() })
    }

    /// The body of a success, null if it has none.
    pub fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        let failed = |error: ureq::Error| Failure {
            status: 0,
            answer: serde_json::json!({ "message": format!("{method} {path}: {error}") }),
        };
        let request = ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.base_url));
        let request = request.header("Authorization", format!("Bearer {}", self.api_key));
        let request = request.header("Content-Type", "application/json");
        let sent = match body {
            Some(body) => request.body(body.to_string()).map_err(Into::into).and_then(|it| self.agent.run(it)),
            None => request.body(()).map_err(Into::into).and_then(|it| self.agent.run(it)),
        };
        let mut answer = sent.map_err(failed)?;
        let status = answer.status().as_u16();
        let text = answer.body_mut().with_config().limit(ANSWER_BYTES).read_to_string().map_err(failed)?;
        let answer =
            if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap_or(Value::String(text)) };
        if status < 300 { Ok(answer) } else { Err(Failure { status, answer }) }
    }
}

/// A part of a path or a query.
pub fn encoded(part: &str) -> String {
    percent_encoding::utf8_percent_encode(part, percent_encoding::NON_ALPHANUMERIC).to_string()
}
