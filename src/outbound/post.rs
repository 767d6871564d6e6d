//! One HTTP request to a receiver.

use std::net::SocketAddr;
use std::time::Duration;

use ureq::Agent;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{NextTimeout, TcpConnector};

use crate::dial;

/// A receiver has this long for the whole of a call [Courier's documentation].
const TIMEOUT: Duration = Duration::from_secs(10);
/// Connecting may take this much of it. A stop cannot abort that.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// So much of an answer is read, so that the connection can be used again.
const ANSWER_BYTES: u64 = 64 * 1024;

/// Which addresses may be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AllowedHosts {
    Any,
    /// This machine's own: a webhook that was registered over HTTP must not give access to the network.
    Loopback,
}

/// The connections to a receiver.
#[derive(Clone, Debug)]
pub struct Poster(Agent);

/// Why an event was not accepted.
pub struct Refused {
    pub reason: String,
    /// Whether another attempt may succeed.
    pub retryable: bool,
}

impl Poster {
    pub fn new(hosts: AllowedHosts) -> Self {
        let config = dial::config(TIMEOUT, CONNECT_TIMEOUT).build();
        let names = LoopbackResolver { hosts, resolver: DefaultResolver::default() };
        Poster(Agent::with_parts(config, TcpConnector::default(), names))
    }

    /// Aborts the call in progress, and all that follow.
    pub fn stop(self) {
        self.0.shutdown();
    }

    /// Posts an event. A status from 200 to 299 accepts it.
    pub fn post(&self, url: &str, event_id: &str, signature: Option<&str>, body: &str) -> Result<(), Refused> {
        let mut request = self.0.post(url).content_type("application/json").header("x-bulkd-event-id", event_id);
        if let Some(signature) = signature {
            request = request.header("courier-signature", signature);
        }
        match request.send(body) {
            Ok(mut answer) => {
                let status = answer.status().as_u16();
                let _ = answer.body_mut().with_config().limit(ANSWER_BYTES).read_to_vec();
                match status {
                    200..=299 => Ok(()),
                    status => Err(Refused {
                        reason: format!("the receiver answered {status}"),
                        retryable: matches!(status, 408 | 429 | 500..),
                    }),
                }
            }
            Err(error) => Err(Refused { reason: error.to_string(), retryable: true }),
        }
    }
}

/// Resolves names, and refuses addresses that may not be called: only here it is known which one will be.
#[derive(Debug)]
struct LoopbackResolver {
    hosts: AllowedHosts,
    resolver: DefaultResolver,
}

impl Resolver for LoopbackResolver {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let mut found = self.empty();
        match host.parse() {
            // Resolving a name takes a thread.
            Ok(ip) => found.push(SocketAddr::new(ip, uri.port_u16().unwrap_or(80))),
            Err(_) => found = self.resolver.resolve(uri, config, timeout)?,
        }
        let mut allowed = self.empty();
        let may_be_called =
            |address: &SocketAddr| self.hosts == AllowedHosts::Any || address.ip().to_canonical().is_loopback();
        found.iter().copied().filter(may_be_called).for_each(|address| allowed.push(address));
        match allowed.is_empty() {
            false => Ok(allowed),
            true => {
                Err(ureq::Error::Other("it is not an address of this machine; others are given with --webhook".into()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_called_unless_more_is_allowed() {
        let names = |hosts| LoopbackResolver { hosts, resolver: DefaultResolver::default() };
        let resolve = |hosts, url: &str| {
            let timeout = NextTimeout::default();
            let found = names(hosts).resolve(&url.parse().unwrap(), &Config::default(), timeout);
            found.map(|found| found.len()).map_err(|error| error.to_string())
        };
        for url in ["http://127.0.0.1:80/", "http://127.9.9.9/", "http://[::1]:80/", "http://[::ffff:127.0.0.1]/"] {
            assert_eq!(resolve(AllowedHosts::Loopback, url), Ok(1), "{url}");
        }
        for url in ["http://10.0.0.1/", "http://0.0.0.0/", "http://169.254.169.254/", "http://[::ffff:10.0.0.1]/"] {
            let refused = resolve(AllowedHosts::Loopback, url).unwrap_err();
            assert!(refused.contains("not an address of this machine"), "{url}: {refused}");
            assert_eq!(resolve(AllowedHosts::Any, url), Ok(1), "{url}");
        }
    }
}
