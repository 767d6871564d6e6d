//! Waits until a daemon answers.

use std::time::{Duration, Instant};

use crossbeam_channel::never;

use crate::cli::Ready;
use crate::error::{Error, Result};
use crate::http::reachable;

/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(50);
/// For the last attempt: one that is made takes a moment.
const LEAST: Duration = Duration::from_secs(1);

/// Asks for the health until it gets an answer, as long as `flags` say. A daemon that is starting lets the request
/// wait.
pub fn run(flags: &Ready) -> Result<()> {
    let url = flags.url.clone().unwrap_or_else(|| format!("http://{}", reachable(flags.listen)));
    let asked = plain(&url);
    let ends_at = Instant::now() + flags.wait;
    loop {
        let left = ends_at.saturating_duration_since(Instant::now());
        let agent = ureq::Agent::config_builder().proxy(None).timeout_global(Some(left.max(LEAST))).build().new_agent();
        let answer = agent.get(format!("{asked}/_bulkd/health")).call();
        let Err(error) = answer else { return Ok(()) };
        if Instant::now() + PAUSE >= ends_at {
            return Err(Error::startup(format!("nothing answers at {url}: {error}")));
        }
        let _ = never::<()>().recv_timeout(PAUSE);
    }
}

/// The same place by plain HTTP, by which a daemon tells its health also where it speaks https: that needs no certificate.
fn plain(url: &str) -> String {
    match url.strip_prefix("https://") {
        // A colon within brackets is a part of the address.
        Some(host) if !host.rsplit(']').next().is_some_and(|end| end.contains(':')) => format!("http://{host}:443"),
        Some(host) => format!("http://{host}"),
        None => url.to_owned(),
    }
}
