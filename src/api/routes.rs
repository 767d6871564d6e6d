//! The one table of what is answered.

use super::call::{Action, Answer, Call, Known, Params};
use super::query;
use super::template::{checks, content};
use super::{
    backup, brand, bulk, health, list, message, metrics, outbox, preference, preference_v1, profile, reset, send,
    subscription, template, token, webhook,
};
use crate::error::{Error, Result, shown, shown_up_to};
use crate::http::Method;
use crate::model::brand::brand_settings;
use crate::model::preference::recipient_preferences;

pub type Handler = fn(Call<'_>) -> Result<Action>;

/// A line of the table.
pub struct Route {
    pub method: Method,
    /// With the names of its parameters in braces.
    pub path: &'static str,
    pub access: Access,
    /// What it is for, in a few words.
    pub about: &'static str,
    /// The query parameters that it knows.
    pub query: &'static [&'static str],
    /// The body that it takes, in Markdown; empty if it takes none.
    pub body: &'static str,
    /// The [shapes](crate::json::shape::Shape) of that body, if they say more than the documentation has room for.
    pub reads: &'static str,
    /// Status and body of its answer, in Markdown.
    pub answers: &'static str,
    /// Whether the answer takes no more than a look at a few rows, so that an event loop may answer it.
    pub inline: bool,
}

/// Who may call a route, and what answers.
#[derive(Clone, Copy)]
pub enum Access {
    /// An API key is needed; it names the environment.
    Key(Handler),
    /// No key is needed. Without one there is no environment, and nothing to look up.
    Open(fn() -> Answer),
}

const fn route(method: Method, path: &'static str, handler: Handler) -> Route {
    let (about, query, body, reads, answers): (_, &[&str], _, _, _) = ("", &[], "", "", "");
    Route { method, path, about, query, body, reads, answers, access: Access::Key(handler), inline: false }
}

const fn open(method: Method, path: &'static str, answer: fn() -> Answer) -> Route {
    let (about, query, body, reads, answers): (_, &[&str], _, _, _) = ("", &[], "", "", "");
    Route { method, path, about, query, body, reads, answers, access: Access::Open(answer), inline: true }
}

/// A `GET` of a few rows.
const fn inline(path: &'static str, handler: Handler) -> Route {
    let mut route = route(Method::Get, path, handler);
    route.inline = true;
    route
}

impl Route {
    const fn about(mut self, about: &'static str) -> Self {
        self.about = about;
        self
    }

    const fn query(mut self, query: &'static [&'static str]) -> Self {
        self.query = query;
        self
    }

    const fn body(mut self, body: &'static str) -> Self {
        self.body = body;
        self
    }

    const fn reads(mut self, reads: &'static str) -> Self {
        self.reads = reads;
        self
    }

    const fn answers(mut self, answers: &'static str) -> Self {
        self.answers = answers;
        self
    }
}

impl Route {
    /// What it knows of its requests.
    pub fn known(&'static self) -> Known {
        let body = if self.reads.is_empty() { self.body } else { self.reads };
        Known { route: (self.method.as_str(), self.path), query: self.query, body }
    }
}

/// A brand that is replaced may be sent as it was shown.
const BRAND: &str = concat!(
    "`{name, id?, settings?: ",
    brand_settings!(),
    ", snippets?: {items?: [{name, value}]}, created?, updated?, published?, version?}`"
);

/// One that is replaced may be sent as it was shown.
const TEMPLATE: &str = "`{notification: {name, content: {...}, alias?, brand?: {id}, email?: {from?, reply_to?, cc?, bcc?}, \
    routing?: {strategy_id}, subscription?: {topic_id}, tags?, id?, state?, created?, creator?, updated?, updater?}, state?}`";

/// All routes, in the order in which they are looked through.
pub static ROUTES: &[Route] = &[
    route(Method::Post, "/bulk", bulk::create).about("Create a job").body("`{message}`").answers("201 `{jobId}`"),
    route(Method::Post, "/bulk/{job_id}", bulk::ingest)
        .about("Add users to a job")
        .body("`{users: [...]}`")
        .answers("200 `{errors, total}`"),
    route(Method::Post, "/bulk/{job_id}/run", bulk::run)
        .about("Run a job")
        .body("any body, it does not matter")
        .answers("202 `{}`"),
    inline("/bulk/{job_id}", bulk::get)
        .about("Get a job")
        .answers("200 `{job: {definition, received, enqueued, failures, status, error?}}`"),
    route(Method::Get, "/bulk/{job_id}/users", bulk::list_users)
        .about("List the users of a job")
        .query(&["cursor", "limit"])
        .answers("200 `{items, paging}` in the order of ingest"),
    route(Method::Post, "/send", send::send)
        .about("Send a message")
        .body("`{message: {to, template or content, ...}}`")
        .reads(concat!(
            "`{message}` `{event, recipient, profile?, brand?, data?, override?, preferences?: ",
            recipient_preferences!(),
            "}`"
        ))
        .answers("202 `{requestId}`"),
    route(Method::Post, "/send/list", send::send_list)
        .about("Send a message to lists")
        .body("`{event, list or pattern, brand?, data?, override?}`")
        .answers("200 `{messageId}`"),
    route(Method::Get, "/messages", message::list)
        .about("List messages")
        .query(&[
            "archived",
            "cursor",
            "enqueued_after",
            "event",
            "limit",
            "list",
            "messageId",
            "notification",
            "provider",
            "recipient",
            "status",
            "tag",
            "tags",
            "tenant_id",
            "traceId",
        ])
        .answers("200 `{paging, results}`, the newest first"),
    route(Method::Get, "/messages/{message_id}", message::get)
        .about("Get a message")
        .answers("200, the record with its `providers`"),
    route(Method::Get, "/messages/{message_id}/output", message::output)
        .about("Get what recipients see")
        .answers("200 `{results}`: what the recipient would see on each channel"),
    route(Method::Get, "/messages/{message_id}/history", message::history)
        .about("Get a message's history")
        .query(&["type"])
        .answers("200 `{results}` in the order of events"),
    route(Method::Post, "/messages/{message_id}/cancel", message::cancel)
        .about("Cancel a message that waits")
        .answers("200 with the record if the message was waiting, else 409 with the record"),
    route(Method::Post, "/messages/{message_id}/resend", message::resend)
        .about("Send a message again")
        .answers("202 `{messageId}` of a new message"),
    route(Method::Put, "/requests/{request_id}/archive", message::archive)
        .about("Archive the messages of a request")
        .answers("204"),
    inline("/profiles/{user_id}", profile::get)
        .about("Get a profile")
        .answers("200 `{profile}`, empty if nothing is stored"),
    route(Method::Post, "/profiles/{user_id}", profile::merge)
        .about("Merge into a profile")
        .body("`{profile}`, merged into what is stored")
        .answers("200 `{status}`"),
    route(Method::Put, "/profiles/{user_id}", profile::replace)
        .about("Replace a profile")
        .body("`{profile}`, which replaces what is stored")
        .answers("200 `{status}`"),
    route(Method::Patch, "/profiles/{user_id}", profile::patch)
        .about("Patch a profile")
        .body("`{patch: [{op, path, from?, value?}]}`, a JSON Patch (RFC 6902) of up to 256 operations")
        .answers("204"),
    route(Method::Delete, "/profiles/{user_id}", profile::delete).about("Delete a profile").answers("204"),
    route(Method::Get, "/profiles/{user_id}/lists", subscription::list_of_user)
        .about("List a user's lists")
        .query(&["cursor", "limit"])
        .answers("200 `{paging, results}`"),
    route(Method::Post, "/profiles/{user_id}/lists", subscription::put_of_user)
        .about("Subscribe a user to lists")
        .body("`{lists: [{listId, preferences?}]}`")
        .reads(concat!("`{lists: [{listId, preferences?: ", recipient_preferences!(), "}]}`"))
        .answers("200 `{status}`"),
    route(Method::Delete, "/profiles/{user_id}/lists", subscription::delete_of_user)
        .about("Unsubscribe a user from all lists")
        .answers("200 `{status}`; the user is on no list"),
    route(Method::Get, "/lists", list::list)
        .about("List lists")
        .query(&["cursor", "limit", "pattern"])
        .answers("200 `{items, paging}` in the order of ids"),
    inline("/lists/{list_id}", list::get).about("Get a list").answers("200 with the list"),
    route(Method::Put, "/lists/{list_id}", list::put)
        .about("Create or replace a list")
        .body("`{name, preferences?}`")
        .reads(concat!("`{name, preferences?: ", recipient_preferences!(), "}`"))
        .answers("204; subscriptions stay"),
    route(Method::Delete, "/lists/{list_id}", list::delete).about("Delete a list").answers("204"),
    route(Method::Put, "/lists/{list_id}/restore", list::restore)
        .about("Restore a deleted list")
        .answers("204; the subscriptions are back, too"),
    route(Method::Get, "/lists/{list_id}/subscriptions", subscription::list)
        .about("List a list's subscribers")
        .query(&["cursor", "limit"])
        .answers("200 `{items, paging}` in the order of users' ids"),
    route(Method::Post, "/lists/{list_id}/subscriptions", subscription::add)
        .about("Add subscribers")
        .body("`{recipients: [{recipientId, preferences?}]}`, added")
        .reads(concat!("`{recipients: [{recipientId, preferences?: ", recipient_preferences!(), "}]}`"))
        .answers("204"),
    route(Method::Put, "/lists/{list_id}/subscriptions", subscription::replace)
        .about("Replace all subscribers")
        .body("`{recipients: [{recipientId, preferences?}]}`, which replace all others")
        .reads(concat!("`{recipients: [{recipientId, preferences?: ", recipient_preferences!(), "}]}`"))
        .answers("204"),
    route(Method::Put, "/lists/{list_id}/subscriptions/{user_id}", subscription::put)
        .about("Subscribe a user")
        .body("`{preferences?}`")
        .reads(concat!("`{preferences?: ", recipient_preferences!(), "}`"))
        .answers("204"),
    route(Method::Delete, "/lists/{list_id}/subscriptions/{user_id}", subscription::delete)
        .about("Unsubscribe a user")
        .answers("204"),
    route(Method::Get, "/users/{user_id}/preferences", preference::list)
        .about("List a user's preferences")
        .query(&["tenant_id"])
        .answers("200 `{items, paging}`: all that the user has chosen"),
    route(Method::Post, "/users/{user_id}/preferences", preference::update)
        .about("Set some preferences")
        .query(&["tenant_id"])
        .body("`{topics}` (1 to 50)")
        .reads("`{topics: [{topic_id, status, has_custom_routing?, custom_routing?}]}`")
        .answers("200 `{errors, items}`; other topics stay"),
    route(Method::Put, "/users/{user_id}/preferences", preference::replace)
        .about("Replace all preferences")
        .query(&["tenant_id"])
        .body("`{topics}` (up to 50)")
        .reads("`{topics: [{topic_id, status, has_custom_routing?, custom_routing?}]}`")
        .answers("200 `{deleted, items}`; other topics fall back to their defaults"),
    inline("/users/{user_id}/preferences/{topic_id}", preference::get)
        .about("Get a preference")
        .query(&["tenant_id"])
        .answers("200 `{topic}`, the default if the user has not chosen"),
    route(Method::Put, "/users/{user_id}/preferences/{topic_id}", preference::put)
        .about("Set a preference")
        .query(&["tenant_id"])
        .body("`{topic: {status, has_custom_routing?, custom_routing?}}`")
        .answers("200 `{message}`"),
    route(Method::Delete, "/users/{user_id}/preferences/{topic_id}", preference::delete)
        .about("Delete a preference")
        .query(&["tenant_id"])
        .answers("204; the topic's default holds again"),
    route(Method::Get, "/preferences", preference_v1::list)
        .about("List topics")
        .answers("200 `{categories, uncategorized}`: the topics of the seed"),
    route(Method::Get, "/preferences/{user_id}", preference_v1::get)
        .about("Get a user's preferences")
        .answers("200 `{categories, notifications}`: all that the user has chosen"),
    route(Method::Put, "/preferences/{user_id}", preference_v1::put)
        .about("Replace a user's preferences")
        .body("`{categories?, notifications?}`")
        .reads(concat!("`", recipient_preferences!(), "`"))
        .answers("200 `{status}`; each of the two replaces all of its kind"),
    route(Method::Get, "/users/{user_id}/tokens", token::list).about("List push tokens").answers("200 `{tokens}`"),
    route(Method::Put, "/users/{user_id}/tokens", token::put_many)
        .about("Add push tokens")
        .body("`{tokens}`; other tokens stay")
        .reads(
            "`{tokens?: [{token, provider_key, device?, expiry_date?, properties?, tracking?, status?, status_reason?}]}`",
        )
        .answers("204"),
    inline("/users/{user_id}/tokens/{token}", token::get).about("Get a push token").answers("200 with the token"),
    route(Method::Put, "/users/{user_id}/tokens/{token}", token::put)
        .about("Put a push token")
        .body("`{provider_key, device?, expiry_date?, properties?, tracking?}`")
        .reads("`{provider_key, token?, device?, expiry_date?, properties?, tracking?, status?, status_reason?}`")
        .answers("204"),
    route(Method::Patch, "/users/{user_id}/tokens/{token}", token::patch)
        .about("Patch a push token")
        .body("`{patch: [{op, path, from?, value?}]}`, a JSON Patch")
        .answers("204"),
    route(Method::Delete, "/users/{user_id}/tokens/{token}", token::delete).about("Delete a push token").answers("204"),
    route(Method::Post, "/notifications", template::create)
        .about("Create a template")
        .body("`{notification, state?}`")
        .reads(TEMPLATE)
        .answers("201 with the template, 409 if the alias is taken"),
    route(Method::Get, "/notifications", template::list)
        .about("List templates")
        .query(&["cursor", "event_id", "limit", "notes", "tags"])
        .answers("200 `{paging, results}`, without archived ones"),
    route(Method::Get, "/notifications/{id}", template::get)
        .about("Get a template")
        .query(&["version"])
        .answers("200 with the template"),
    route(Method::Put, "/notifications/{id}", template::replace)
        .about("Replace a template")
        .body("`{notification, state?}`")
        .reads(TEMPLATE)
        .answers("200 with the template"),
    route(Method::Delete, "/notifications/{id}", template::archive)
        .about("Archive a template")
        .answers("204, and the template is archived"),
    route(Method::Get, "/notifications/{id}/versions", template::list_versions)
        .about("List a template's versions")
        .query(&["cursor", "limit"])
        .answers("200 `{paging, versions}`, the draft first, then the newest"),
    route(Method::Post, "/notifications/{id}/publish", template::publish)
        .about("Publish a template")
        .body("`{version?}`")
        .answers("204"),
    route(Method::Get, "/notifications/{id}/content", content::get)
        .about("Get a template's content")
        .query(&["version"])
        .answers("200 `{version, elements}`, each element with its checksum"),
    route(Method::Get, "/notifications/{id}/draft/content", content::get_draft)
        .about("Get the content of a template's draft")
        .answers("200 `{version, elements}`, each element with its checksum"),
    route(Method::Put, "/notifications/{id}/content", content::replace)
        .about("Replace a template's content")
        .body("`{content: {elements, version?}, state?}`")
        .answers("200 with checksums"),
    route(Method::Put, "/notifications/{id}/elements/{element_id}", content::replace_element)
        .about("Replace an element")
        .body("`{type, channels?, if?, loop?, ref?, data?, state?}`")
        .answers("200 with checksums"),
    route(Method::Put, "/notifications/{id}/locales/{locale_id}", content::set_locale)
        .about("Set a locale")
        .body("`{elements: [{id, ...}], state?}`")
        .answers("200 with checksums"),
    route(Method::Get, "/notifications/{id}/metrics", metrics::get)
        .about("Get a template's metrics")
        .query(&["start", "end", "lookback", "granularity"])
        .answers("200 `{notificationId, granularity, start, end, series}`"),
    route(Method::Get, "/notifications/{id}/{submission_id}/checks", checks::list)
        .about("List checks")
        .answers("200 `{checks}`"),
    route(Method::Put, "/notifications/{id}/{submission_id}/checks", checks::replace)
        .about("Replace checks")
        .body("`{checks: [{id, status, type}]}`")
        .answers("200 `{checks}`"),
    route(Method::Delete, "/notifications/{id}/{submission_id}/checks", checks::delete)
        .about("Delete checks")
        .answers("204"),
    route(Method::Post, "/brands", brand::create)
        .about("Create a brand")
        .body("`{name, settings?, id?, snippets?}`")
        .reads(BRAND)
        .answers("200 with the brand, 409 if the id is taken"),
    route(Method::Get, "/brands", brand::list)
        .about("List brands")
        .query(&["cursor", "limit"])
        .answers("200 `{paging, results}`"),
    inline("/brands/{brand_id}", brand::get).about("Get a brand").answers("200 with the brand"),
    route(Method::Put, "/brands/{brand_id}", brand::replace)
        .about("Replace a brand")
        .body("`{name, settings?, snippets?}`")
        .reads(BRAND)
        .answers("200 with the brand; what is not named is gone"),
    route(Method::Delete, "/brands/{brand_id}", brand::delete)
        .about("Delete a brand")
        .answers("204, 409 while a template uses it"),
    // Our own.
    route(Method::Get, "/_bulkd/outbox", outbox::list)
        .about("List the outbox")
        .query(&["job_id", "message_id", "recipient", "channel", "cursor", "limit"])
        .answers("200 `{items, paging}`: what would have gone out"),
    route(Method::Post, "/_bulkd/webhooks", webhook::create)
        .about("Register a webhook")
        .body("`{url, secret?}`")
        .answers("201 with the webhook"),
    route(Method::Get, "/_bulkd/webhooks", webhook::list).about("List webhooks").answers("200 `{items}`"),
    route(Method::Get, "/_bulkd/webhooks/{webhook_id}", webhook::get)
        .about("Get a webhook")
        .answers("200 with the webhook and its `failed_events`"),
    route(Method::Delete, "/_bulkd/webhooks/{webhook_id}", webhook::delete).about("Remove a webhook").answers("204"),
    route(Method::Post, "/_bulkd/reset", reset::reset)
        .about("Reset the environment")
        .answers("204; the environment is empty, then seeded"),
    route(Method::Post, "/_bulkd/backup", backup::create)
        .about("Make a backup of the file")
        .body("`{file}`")
        .answers("201 `{file, bytes, pages, seconds, check}`, 409 if there is one of that name"),
    open(Method::Get, "/_bulkd/health", health::health)
        .about("Ask whether bulkd answers")
        .answers("200 `{status, version}`"),
];

/// The route for a request, and what stands in place of its parameters.
pub fn find(method: &Method, path: &str) -> Result<(&'static Route, Params)> {
    let wanted = if *method == Method::Head { &Method::Get } else { method };
    let found = ROUTES
        .iter()
        .filter(|route| route.method == *wanted)
        .find_map(|route| Some((route, matches(route.path, path)?)));
    let (route, params) = found.ok_or_else(|| {
        let (method, path) = (shown(method.as_str()), shown_up_to(path, 100));
        Error::not_found(format!("there is no route {method} {path}"))
    })?;
    Ok((route, params?))
}

/// Whether a path is that of a route, whatever the method.
pub fn is_path(pattern: &'static str, path: &str) -> bool {
    matches(pattern, path).is_some()
}

/// What stands in place of a pattern's names. Two users must not become one because neither can be read.
fn matches(pattern: &'static str, path: &str) -> Option<Result<Params>> {
    let (mut params, mut unreadable) = (Vec::new(), None);
    let mut parts = path.split('/');
    for expected in pattern.split('/') {
        let part = parts.next()?;
        if let Some(name) = expected.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
            if part.is_empty() {
                return None;
            }
            match query::read_encoded(part) {
                Some(value) => params.push((name, value)),
                None => unreadable = unreadable.or(Some(name)),
            }
        } else if expected != part {
            return None;
        }
    }
    parts.next().is_none().then(|| match unreadable {
        None => Ok(params),
        Some(name) => Err(Error::invalid(name, query::UNREADABLE)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::shape::Shape;

    #[test]
    fn what_a_route_reads_can_be_understood() {
        for route in ROUTES.iter().filter(|it| !it.body.is_empty() && !it.body.starts_with("any body")) {
            for text in [route.body, route.reads].into_iter().filter(|it| !it.is_empty()) {
                assert_eq!(Shape::all_of(text).count(), text.matches('`').count() / 2, "{} {text}", route.path);
            }
        }
    }
}
