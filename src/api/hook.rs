//! What stands around every request: looked at before its work, and after its commit.

use std::time::{Duration, Instant};

use super::origins::Origins;
use super::routes::Route;
use crate::http::{Method, Reply, Request};
use crate::logging::{self, RequestLine};
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
    /// The page that may read the answer, by its origin.
    pub origin: Option<String>,
    begun: Instant,
}

impl Exchange {
    pub fn begin(request: &Request, origins: &Origins) -> Self {
        let (method, path) = (request.method().clone(), request.path().to_owned());
        let origin = origins.of(request).map(str::to_owned);
        Exchange { method, path, route: None, environment: None, origin, begun: Instant::now() }
    }

    /// Since the request was read.
    pub fn taken(&self) -> Duration {
        self.begun.elapsed()
    }
}

/// Sees every request of the daemon, in the order in which the hooks stand.
pub trait Hook: Send + Sync {
    /// Before the handler. May reply in its place: then nothing is done, and the hooks behind it are not asked.
    fn before(&self, _exchange: &Exchange) -> Option<Reply> {
        None
    }

    /// With the reply, after the commit. May reply in another way, or not at all: what was done stays done. Every hook is
    /// asked, also about a reply that a hook gave before the handler.
    fn after(&self, _exchange: &Exchange, reply: Reply) -> Reply {
        reply
    }
}

/// A line in the log for every request.
pub struct RequestLog;

impl Hook for RequestLog {
    fn after(&self, exchange: &Exchange, reply: Reply) -> Reply {
        if log::log_enabled!(log::Level::Info) {
            let label = exchange.environment.as_ref().map(Environment::label);
            logging::request(&RequestLine {
                method: exchange.method.as_str(),
                path: &exchange.path,
                status: reply.status(),
                taken: exchange.taken(),
                environment: label.as_deref(),
            });
        }
        reply
    }
}
