//! The one table of what is answered.

use percent_encoding::percent_decode_str;

use super::call::{Action, Call, Params};
use super::template::{checks, content};
use super::{
    brand, bulk, list, message, metrics, outbox, preference, profile, seed, send, status, subscription, template,
    token, webhook,
};
use crate::error::{Error, Result};
use crate::http::Method;

pub type Handler = fn(Call<'_>) -> Result<Action>;

/// A line of the table.
pub struct Route {
    method: Method,
    path: &'static str,
    pub access: Access,
    /// Whether the answer takes no more than a look at a few rows, so that an event loop may answer it.
    pub inline: bool,
    pub handler: Handler,
}

/// Who may call a route.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// An API key is needed; it names the environment.
    Key,
    /// No key is needed.
    Open,
}

const fn route(method: Method, path: &'static str, handler: Handler) -> Route {
    Route { method, path, access: Access::Key, inline: false, handler }
}

const fn open(method: Method, path: &'static str, handler: Handler) -> Route {
    Route { method, path, access: Access::Open, inline: true, handler }
}

/// A `GET` of a few rows.
const fn inline(path: &'static str, handler: Handler) -> Route {
    Route { method: Method::Get, path, access: Access::Key, inline: true, handler }
}

static ROUTES: &[Route] = &[
    route(Method::Post, "/bulk", bulk::create),
    route(Method::Post, "/bulk/{job_id}", bulk::ingest),
    route(Method::Post, "/bulk/{job_id}/run", bulk::run),
    inline("/bulk/{job_id}", bulk::get),
    route(Method::Get, "/bulk/{job_id}/users", bulk::list_users),
    route(Method::Post, "/send", send::send),
    route(Method::Get, "/messages", message::list),
    route(Method::Get, "/messages/{message_id}", message::get),
    route(Method::Get, "/messages/{message_id}/output", message::output),
    route(Method::Get, "/messages/{message_id}/history", message::history),
    route(Method::Post, "/messages/{message_id}/cancel", message::cancel),
    route(Method::Post, "/messages/{message_id}/resend", message::resend),
    route(Method::Put, "/requests/{request_id}/archive", message::archive),
    inline("/profiles/{user_id}", profile::get),
    route(Method::Post, "/profiles/{user_id}", profile::merge),
    route(Method::Put, "/profiles/{user_id}", profile::replace),
    route(Method::Patch, "/profiles/{user_id}", profile::patch),
    route(Method::Delete, "/profiles/{user_id}", profile::delete),
    route(Method::Get, "/profiles/{user_id}/lists", subscription::list_of_user),
    route(Method::Post, "/profiles/{user_id}/lists", subscription::put_of_user),
    route(Method::Delete, "/profiles/{user_id}/lists", subscription::delete_of_user),
    route(Method::Get, "/lists", list::list),
    inline("/lists/{list_id}", list::get),
    route(Method::Put, "/lists/{list_id}", list::put),
    route(Method::Delete, "/lists/{list_id}", list::delete),
    route(Method::Put, "/lists/{list_id}/restore", list::restore),
    route(Method::Get, "/lists/{list_id}/subscriptions", subscription::list),
    route(Method::Post, "/lists/{list_id}/subscriptions", subscription::add),
    route(Method::Put, "/lists/{list_id}/subscriptions", subscription::replace),
    route(Method::Put, "/lists/{list_id}/subscriptions/{user_id}", subscription::put),
    route(Method::Delete, "/lists/{list_id}/subscriptions/{user_id}", subscription::delete),
    route(Method::Get, "/users/{user_id}/preferences", preference::list),
    route(Method::Post, "/users/{user_id}/preferences", preference::update),
    route(Method::Put, "/users/{user_id}/preferences", preference::replace),
    inline("/users/{user_id}/preferences/{topic_id}", preference::get),
    route(Method::Put, "/users/{user_id}/preferences/{topic_id}", preference::put),
    route(Method::Delete, "/users/{user_id}/preferences/{topic_id}", preference::delete),
    route(Method::Get, "/users/{user_id}/tokens", token::list),
    route(Method::Put, "/users/{user_id}/tokens", token::put_many),
    inline("/users/{user_id}/tokens/{token}", token::get),
    route(Method::Put, "/users/{user_id}/tokens/{token}", token::put),
    route(Method::Patch, "/users/{user_id}/tokens/{token}", token::patch),
    route(Method::Delete, "/users/{user_id}/tokens/{token}", token::delete),
    route(Method::Post, "/notifications", template::create),
    route(Method::Get, "/notifications", template::list),
    route(Method::Get, "/notifications/{id}", template::get),
    route(Method::Put, "/notifications/{id}", template::replace),
    route(Method::Delete, "/notifications/{id}", template::archive),
    route(Method::Get, "/notifications/{id}/versions", template::list_versions),
    route(Method::Post, "/notifications/{id}/publish", template::publish),
    route(Method::Get, "/notifications/{id}/content", content::get),
    route(Method::Put, "/notifications/{id}/content", content::replace),
    route(Method::Put, "/notifications/{id}/elements/{element_id}", content::replace_element),
    route(Method::Put, "/notifications/{id}/locales/{locale_id}", content::set_locale),
    route(Method::Get, "/notifications/{id}/metrics", metrics::get),
    route(Method::Get, "/notifications/{id}/{submission_id}/checks", checks::list),
    route(Method::Put, "/notifications/{id}/{submission_id}/checks", checks::replace),
    route(Method::Delete, "/notifications/{id}/{submission_id}/checks", checks::delete),
    route(Method::Post, "/brands", brand::create),
    route(Method::Get, "/brands", brand::list),
    inline("/brands/{brand_id}", brand::get),
    route(Method::Put, "/brands/{brand_id}", brand::replace),
    route(Method::Delete, "/brands/{brand_id}", brand::delete),
    // Our own.
    route(Method::Get, "/_bulkd/outbox", outbox::list),
    route(Method::Post, "/_bulkd/webhooks", webhook::create),
    route(Method::Get, "/_bulkd/webhooks", webhook::list),
    route(Method::Get, "/_bulkd/webhooks/{webhook_id}", webhook::get),
    route(Method::Delete, "/_bulkd/webhooks/{webhook_id}", webhook::delete),
    route(Method::Post, "/_bulkd/reset", seed::reset),
    open(Method::Get, "/_bulkd/health", status::health),
];

/// The route for a request, and what stands in place of its parameters.
pub fn find(method: &Method, path: &str) -> Result<(&'static Route, Params)> {
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

fn matches(pattern: &'static str, path: &str) -> Option<Params> {
    let mut params = Vec::new();
    let mut parts = path.split('/');
    for expected in pattern.split('/') {
        let part = parts.next()?;
        if let Some(name) = expected.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
            let value = percent_decode_str(part).decode_utf8_lossy();
            if value.is_empty() {
                return None;
            }
            params.push((name, value.into_owned()));
        } else if expected != part {
            return None;
        }
    }
    parts.next().is_none().then_some(params)
}
