//! The one table of what is answered.

use percent_encoding::percent_decode_str;

use super::{Act, Call, bulk, outbox, status};
use crate::error::{Error, Result};
use crate::http::Method;

/// A line of the table.
pub struct Route {
    method: Method,
    path: &'static str,
    pub access: Access,
    /// The first step of the handler.
    pub read: fn(Call<'_>) -> Result<Act>,
}

/// Who may call a route.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Whoever has an API key; it names the environment.
    Key,
    /// Anybody.
    Open,
}

const fn route(method: Method, path: &'static str, read: fn(Call<'_>) -> Result<Act>) -> Route {
    Route { method, path, access: Access::Key, read }
}

const fn open(method: Method, path: &'static str, read: fn(Call<'_>) -> Result<Act>) -> Route {
    Route { method, path, access: Access::Open, read }
}

static ROUTES: &[Route] = &[
    route(Method::Post, "/bulk", bulk::create),
    route(Method::Post, "/bulk/{job_id}", bulk::ingest),
    route(Method::Post, "/bulk/{job_id}/run", bulk::run),
    route(Method::Get, "/bulk/{job_id}", bulk::get),
    route(Method::Get, "/bulk/{job_id}/users", bulk::list_users),
    // Our own.
    route(Method::Get, "/_bulkd/outbox", outbox::list),
    open(Method::Get, "/_bulkd/health", status::health),
];

/// The route for a request, and what stands in place of its parameters.
pub fn find(method: &Method, path: &str) -> Result<(&'static Route, Vec<String>)> {
    let wanted = if *method == Method::Head { &Method::Get } else { method };
    let found = ROUTES
        .iter()
        .filter(|route| route.method == *wanted)
        .find_map(|route| Some((route, matches(route.path, path)?)));
    found.ok_or_else(|| {
        let shown: String = path.chars().take(100).collect();
        Error::not_found(format!("there is no route {method} {shown}"))
    })
}

fn matches(pattern: &str, path: &str) -> Option<Vec<String>> {
    let mut params = Vec::new();
    let mut parts = path.split('/');
    for expected in pattern.split('/') {
        let part = parts.next()?;
        if expected.starts_with('{') {
            let value = percent_decode_str(part).decode_utf8_lossy();
            if value.is_empty() {
                return None;
            }
            params.push(value.into_owned());
        } else if expected != part {
            return None;
        }
    }
    parts.next().is_none().then_some(params)
}
