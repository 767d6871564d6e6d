//! What stands around every request: looked at before its work, and after its commit.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::origins::Origins;
use super::routes::Route;
use crate::faults::Hit;
use crate::http::{Head, Method, Reply, Request};
use crate::journal::{Beginning, Outcome};
use crate::logging::{self, RequestLine};
use crate::model::environment::Environment;

/// A request on its way through the pipeline.
pub struct Exchange {
    pub head: Arc<Head>,
    /// What its body begins with.
    pub sent: Beginning,
    /// `None` if there is no such route.
    pub route: Option<&'static Route>,
    /// `None` if it came no further, or for a route that needs no key.
    pub environment: Option<Environment>,
    /// The page that may read the answer, by its origin.
    pub origin: Option<String>,
    /// What its work came to. Nothing if a hook has replied in its place.
    pub made: Outcome,
    /// Whether that is the answer to an earlier request with the same idempotency key.
    pub is_replayed: bool,
    /// The fault that it has met, and what the client is told if that is something else.
    pub fault: Option<Hit>,
    pub told: Option<Outcome>,
    begun: Instant,
}

impl Exchange {
    pub fn begin(request: &Request, origins: &Origins) -> Self {
        Exchange {
            head: request.head().clone(),
            sent: Beginning::of(&request.body, request.body.len()),
            route: None,
            environment: None,
            origin: origins.of(request).map(str::to_owned),
            made: Outcome::default(),
            is_replayed: false,
            fault: None,
            told: None,
            begun: Instant::now(),
        }
    }

    pub fn method(&self) -> &Method {
        &self.head.method
    }

    /// As it was sent, without the query.
    pub fn path(&self) -> &str {
        self.head.path()
    }

    /// Whether it is one of our own routes.
    pub fn is_ours(&self) -> bool {
        self.route.is_some_and(|route| route.path.starts_with("/_bulkd/"))
    }

    /// Since the request was read.
    pub fn taken(&self) -> Duration {
        self.begun.elapsed()
    }
}

/// Sees every request of the daemon, in the order in which the hooks stand.
pub trait Hook: Send + Sync {
    /// Before the handler. May reply in its place: then nothing is done, and the hooks behind it are not asked.
    fn before(&self, _exchange: &mut Exchange, _request: &Request) -> Option<Reply> {
        None
    }

    /// With the reply, after the commit. May reply in another way, or not at all: what was done stays done. Every hook is
    /// asked, also about a reply that a hook gave before the handler.
    fn after(&self, _exchange: &mut Exchange, reply: Reply) -> Reply {
        reply
    }
}

/// A line in the log for every request.
pub struct RequestLog;

impl Hook for RequestLog {
    fn after(&self, exchange: &mut Exchange, reply: Reply) -> Reply {
        if log::log_enabled!(log::Level::Info) {
            let label = exchange.environment.as_ref().map(Environment::label);
            logging::request(&RequestLine {
                method: exchange.method().as_str(),
                path: exchange.path(),
                status: reply.status(),
                taken: exchange.taken(),
                environment: label.as_deref(),
            });
        }
        reply
    }
}
