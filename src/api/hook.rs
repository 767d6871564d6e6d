//! What stands around every request: looked at before its work, and after its commit.

use std::time::{Duration, Instant};

use super::routes::Route;
use crate::http::{Method, Reply, Request};
use crate::model::environment::Environment;

/// A request on its way through the pipeline.
pub struct Exchange {
    pub method: Method,
    /// As it was sent, without the query.
    pub path: String,
    /// `None` if there is no such route.
    pub route: Option<&'static Route>,
    /// `None` if it came no further, or for a route that needs no key.
    pub environment: Option<Environment>,
    begun: Instant,
}

impl Exchange {
    pub fn begin(request: &Request) -> Self {
        let (method, path) = (request.method().clone(), request.path().to_owned());
        Exchange { method, path, route: None, environment: None, begun: Instant::now() }
    }

    /// Since the request was read.
    pub fn taken(&self) -> Duration {
        self.begun.elapsed()
    }
}

/// Sees every request of the daemon. All of them see a request before any of its work is done, and its reply once that
/// is committed, in the order in which they stand.
pub trait Hook: Send + Sync {
    /// May reply in place of the handler: then nothing is done.
    fn before(&self, _exchange: &Exchange) -> Option<Reply> {
        None
    }

    /// May reply in another way, or not at all: what was done stays done. `status` is that of the reply.
    fn after(&self, _exchange: &Exchange, _status: u16, reply: Reply) -> Reply {
        reply
    }
}

/// A line in the log for every request.
pub struct RequestLog;

impl Hook for RequestLog {
    fn after(&self, exchange: &Exchange, status: u16, reply: Reply) -> Reply {
        if log::log_enabled!(log::Level::Info) {
            let Exchange { method, path, environment, .. } = exchange;
            let millis = exchange.taken().as_secs_f64() * 1000.0;
            let label = environment.as_ref().map_or_else(|| "-".to_owned(), Environment::label);
            log::info!("{method} {path} {status} {millis:.1} ms {label}");
        }
        reply
    }
}
