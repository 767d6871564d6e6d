//! What stands around every request: looked at before its work, and after its commit.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;

use super::origins::Origins;
use super::route::Route;
use crate::error::shown_up_to;
use crate::faults::Hit;
use crate::feed::Feed;
use crate::findings::Findings;
use crate::http::{Head, Method, Reply, Request};
use crate::journal::{Beginning, Outcome};
use crate::logging::{self, RequestLine};
use crate::meter::Meter;
use crate::model::environment::Environment;

/// The header by which the page marks what it looks up.
const PAGE: &str = "x-bulkd-page";

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
    /// What its work came to. Empty if a hook has replied instead.
    pub made: Outcome,
    /// Whether that is the answer to an earlier request with the same idempotency key.
    pub is_replayed: bool,
    /// The fault that it met, and what the client gets if that is something else.
    pub fault: Option<Hit>,
    pub told: Option<Outcome>,
    /// Whether the page looks something up: that is not a client's own request.
    is_look: bool,
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
            is_look: *request.method() == Method::Get && request.has_header(PAGE),
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

    /// Whether it is for one of our own routes, or a look-up by the page on another one. Such a look-up neither fails
    /// nor is recorded.
    pub fn is_ours(&self) -> bool {
        self.is_look || self.route.is_some_and(Route::is_ours)
    }

    /// Time since the request was read.
    pub fn taken(&self) -> Duration {
        self.begun.elapsed()
    }
}

/// Sees every request of the daemon, in the order in which the hooks stand.
pub trait Hook: Send + Sync {
    /// Runs before the handler. May reply instead: then nothing is done, and the hooks behind it are not asked.
    fn before(&self, _exchange: &mut Exchange, _request: &Request) -> Option<Reply> {
        None
    }

    /// Runs with the reply, after the commit. May reply in another way, or not at all: what was done stays done. Every
    /// hook is asked, even about a reply that a hook gave before the handler.
    fn after(&self, _exchange: &mut Exchange, reply: Reply) -> Reply {
        reply
    }
}

/// Counts every request, by its route and its status.
pub struct MeterRequests {
    pub meter: Arc<Meter>,
    pub routes: &'static [Route],
}

impl Hook for MeterRequests {
    fn after(&self, exchange: &mut Exchange, reply: Reply) -> Reply {
        let route = exchange.route.and_then(|route| self.routes.iter().position(|known| std::ptr::eq(known, route)));
        self.meter.note(route, reply.status(), exchange.taken());
        reply
    }
}

/// Sends every request, with the fault that it met, to the streams that follow its environment.
pub struct FeedRequests(pub Arc<Feed>);

impl Hook for FeedRequests {
    fn after(&self, exchange: &mut Exchange, reply: Reply) -> Reply {
        // The start of a stream is not news.
        let is_news = self.0.is_followed() && !matches!(reply, Reply::Stream(_));
        if let Some(environment) = exchange.environment.as_ref().filter(|_| is_news) {
            self.0.note(environment, "request", || {
                let (method, path) = (exchange.method().as_str(), shown_up_to(exchange.path(), 200).to_string());
                let ms = exchange.taken().as_micros() as f64 / 1000.0;
                json!({ "method": method, "path": path, "status": reply.status(), "ms": ms })
            });
            if let Some(hit) = &exchange.fault {
                self.0.note(environment, "fault", || {
                    let (method, path) = (exchange.method().as_str(), shown_up_to(exchange.path(), 200).to_string());
                    json!({ "fault_id": hit.fault_id, "name": hit.fault.name, "method": method, "path": path })
                });
            }
        }
        reply
    }
}

/// Sends every new finding to the streams that follow its environment.
pub fn tell_of_findings(findings: &Findings, feed: Arc<Feed>) {
    findings.on_new(move |environment, check, what| {
        feed.note(environment, "doctor", || {
            let level = check.about().level.name();
            json!({ "check": check.name(), "level": level, "what": shown_up_to(what, 200).to_string() })
        });
    });
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
