//! How others are called over HTTP.

use std::time::Duration;

use ureq::Agent;
use ureq::config::ConfigBuilder;
use ureq::typestate::AgentScope;

/// For calls with a time limit, a part of which connecting may take. They go to the address as it is written, whatever
/// proxy the environment names, and every status is an answer.
pub fn config(whole: Duration, connecting: Duration) -> ConfigBuilder<AgentScope> {
    Agent::config_builder()
        .proxy(None)
        .max_redirects(0)
        .http_status_as_error(false)
        .timeout_global(Some(whole))
        .timeout_resolve(Some(connecting))
        .timeout_connect(Some(connecting))
        .user_agent(concat!("bulkd/", env!("CARGO_PKG_VERSION")))
}
