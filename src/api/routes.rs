//! The one table of what is answered.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::call::Params;
use super::route::{Access, Route, inline, mailbox, matches, open, page as browser, route, row, table, watch};
use super::template::{checks, content};
use super::{
    backup, brand, bulk, clock, deliver, doctor, environment, events, fault, frame, health, job, job_page, journal,
    lifecycle, list, llms, mailpit, mcp, message, metrics, openapi, outbox, outcome, page, preference, preference_v1,
    preview, profile, prometheus, reset, send, snapshot, status, subscription, template, token, wait, webhook,
};
use crate::error::{Error, Result, shown, shown_up_to};
use crate::http::Method;
use crate::json::shape::Shape;
use crate::model::brand::brand_settings;
use crate::model::preference::recipient_preferences;

/// A replacement may be sent in the form in which a brand is shown.
const BRAND: &str = concat!(
    "`{name, id?, settings?: ",
    brand_settings!(),
    ", snippets?: {items?: [{name, value}]}, created?, updated?, published?, version?}`"
);

/// A replacement may be sent in the form in which a template is shown.
const TEMPLATE: &str = "`{notification: {name, content: {...}, alias?, brand?: {id}, email?: {from?, reply_to?, cc?, bcc?}, \
    routing?: {strategy_id}, subscription?: {topic_id}, tags?, id?, state?, created?, creator?, updated?, updater?}, state?}`";

/// All routes, in the order in which they are looked through.
pub static ROUTES: &[Route] = &[
    route(Method::Post, "/bulk", bulk::create)
        .about("Create a job")
        .body("`{message}`")
        .answers("201 `{jobId}`")
        .schemas(&[("message", "Definition")]),
    route(Method::Post, "/bulk/{job_id}", bulk::ingest)
        .about("Add users to a job")
        .body("`{users: [...]}`")
        .answers("200 `{errors, total}`"),
    route(Method::Post, "/bulk/{job_id}/run", bulk::run)
        .about("Run a job")
        .body("any body, it does not matter")
        .answers("202 `{}`")
        .schemas(&[("body", "AnyBody")]),
    inline("/bulk/{job_id}", bulk::get)
        .about("Get a job")
        .answers("200 `{job: {definition, received, enqueued, failures, status, error?}}`")
        .schemas(&[("status", "JobStatus")]),
    route(Method::Get, "/bulk/{job_id}/users", bulk::list_users)
        .about("List the users of a job")
        .query(&["cursor", "limit"])
        .answers("200 `{items, paging}` in the order of ingest")
        .schemas(&[("items", "[JobUser]")]),
    route(Method::Post, "/send", send::send)
        .about("Send a message")
        .body("`{message: {to, template or content, ...}}`")
        .reads(concat!(
            "`{message}` `{event, recipient, profile?, brand?, data?, override?, preferences?: ",
            recipient_preferences!(),
            "}`"
        ))
        .answers("202 `{requestId}`, 200 `{messageId}` to its first form")
        .schemas(&[("body", "SendBody")]),
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
        .answers("200 `{paging, results}`, the newest first")
        .schemas(&[("results", "[Message]")]),
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
        .body("`{patch}`, a JSON Patch (RFC 6902) of up to 256 operations")
        .reads("`{patch: [{op, path, from?, value?}]}`")
        .answers("204"),
    route(Method::Delete, "/profiles/{user_id}", profile::delete).about("Delete a profile").answers("204"),
    route(Method::Get, "/profiles/{user_id}/lists", subscription::list_of_user)
        .about("List a user's lists")
        .query(&["cursor", "limit"])
        .answers("200 `{paging, results}`")
        .schemas(&[("results", "[List]")]),
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
        .answers("200 `{items, paging}` in the order of ids")
        .schemas(&[("items", "[List]")]),
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
        .answers("200 `{items, paging}` in the order of users' ids")
        .schemas(&[("items", "[Subscription]")]),
    route(Method::Post, "/lists/{list_id}/subscriptions", subscription::add)
        .about("Add subscribers")
        .body("`{recipients}`, added")
        .reads(concat!("`{recipients: [{recipientId, preferences?: ", recipient_preferences!(), "}]}`"))
        .answers("204"),
    route(Method::Put, "/lists/{list_id}/subscriptions", subscription::replace)
        .about("Replace all subscribers")
        .body("`{recipients}`, which replace all others")
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
        .answers("200 `{items, paging}`: all that the user has chosen")
        .schemas(&[("items", "[Topic]")]),
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
        .answers("200 `{topic}`, the default if the user has not chosen")
        .schemas(&[("topic", "Topic")]),
    route(Method::Put, "/users/{user_id}/preferences/{topic_id}", preference::put)
        .about("Set a preference")
        .query(&["tenant_id"])
        .body("`{topic}`")
        .reads("`{topic: {status, has_custom_routing?, custom_routing?}}`")
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
        .body("`{patch}`, a JSON Patch")
        .reads("`{patch: [{op, path, from?, value?}]}`")
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
        .answers("200 `{paging, results}`")
        .schemas(&[("results", "[Brand]")]),
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
        .query(&[
            "job_id",
            "message_id",
            "recipient",
            "channel",
            "provider",
            "status",
            "q",
            "order",
            "after",
            "fields",
            "cursor",
            "limit",
        ])
        .answers("200 `{items, paging}`: what would have gone out")
        .schemas(&[("items", "[Entry]")]),
    route(Method::Get, "/_bulkd/outbox/latest", outbox::latest)
        .about("Get the newest message")
        .query(&["job_id", "recipient", "channel", "provider", "status", "q", "after"])
        .answers("200 with all that is known of the newest message that fits, 404 if there is none"),
    route(Method::Get, "/_bulkd/outbox/{message_id}", outbox::get)
        .about("Get all of a message")
        .answers("200 with all that is known of the message"),
    route(Method::Get, "/_bulkd/jobs", job::list)
        .about("List jobs")
        .query(&["status", "cursor", "limit"])
        .answers("200 `{items, paging}`, the newest first")
        .schemas(&[("items", "[Job]")]),
    route(Method::Get, "/_bulkd/jobs/{job_id}", job_page::get)
        .about("Get a job with what became of its users")
        .answers("200 with the job as in the list, its `definition`, `messages` and `errors` by kind")
        .schemas(&[("answer", "JobDetail")]),
    route(Method::Get, "/_bulkd/jobs/{job_id}/users", job_page::list_users)
        .about("List the users of a job from any place on")
        .query(&["at", "cursor", "status", "limit"])
        .answers("200 `{items, paging, total}`: from the `at`-th on, each with its message")
        .schemas(&[("items", "[PlacedUser]"), ("total", "Count")]),
    route(Method::Post, "/_bulkd/wait", wait::wait)
        .about("Wait until something is so")
        .body("`{job_id, status?}`, `{settled}` or `{outbox, count?, after?}`, with `timeout_ms?`")
        .reads("`{...}`")
        .answers("200 `{met, count, items, waited_ms}` as soon as it is so, 412 with what was found if it is not")
        .schemas(&[("body", "Wait"), ("answer", "Met")]),
    row(Method::Get, "/_bulkd/requests", Access::KeyAndTable(journal::list))
        .about("List the last requests")
        .query(&["cursor", "format", "limit", "q", "unmatched"])
        .answers("200 `{items, paging}`, the newest first; with `format=har` an HTTP archive")
        .schemas(&[("answer", "Requests")]),
    row(Method::Post, "/_bulkd/faults", Access::KeyAndTable(fault::create))
        .about("Set a fault")
        .body("`{preset}` or `{path, method?, match?, call?, times?, when?, status?, answer?, delay_ms?, ...}`")
        .reads("`{...}`")
        .answers("201 with the fault, `fault_id`, `seen`, `fired` and `left`")
        .schemas(&[("body", "Fault"), ("answer", "SetFault")]),
    route(Method::Get, "/_bulkd/faults", fault::list)
        .about("List faults")
        .query(&["cursor", "limit", "unfired"])
        .answers("200 `{items, paging}` in the order in which they were set")
        .schemas(&[("items", "[SetFault]")]),
    route(Method::Delete, "/_bulkd/faults", fault::delete_all).about("Remove all faults").answers("204"),
    route(Method::Get, "/_bulkd/faults/{fault_id}", fault::get)
        .about("Get a fault")
        .answers("200 with the fault")
        .schemas(&[("answer", "SetFault")]),
    route(Method::Delete, "/_bulkd/faults/{fault_id}", fault::delete).about("Remove a fault").answers("204"),
    route(Method::Get, "/_bulkd/doctor", doctor::get)
        .about("Ask what would hurt at Courier")
        .query(&["cursor", "limit"])
        .answers("200 `{items, paging, worst, summary}`, the worst first")
        .schemas(&[("items", "[Finding]")]),
    route(Method::Post, "/_bulkd/webhooks", webhook::create)
        .about("Register a webhook")
        .body("`{url, secret?}`")
        .answers("201 with the webhook"),
    route(Method::Get, "/_bulkd/webhooks", webhook::list)
        .about("List webhooks")
        .query(&["cursor", "limit"])
        .answers("200 `{items, paging}`, the oldest first")
        .schemas(&[("items", "[Webhook]")]),
    route(Method::Get, "/_bulkd/webhooks/{webhook_id}", webhook::get)
        .about("Get a webhook")
        .answers("200 with the webhook and its `failed_events`"),
    route(Method::Delete, "/_bulkd/webhooks/{webhook_id}", webhook::delete).about("Remove a webhook").answers("204"),
    route(Method::Get, "/_bulkd/deliver", deliver::list)
        .about("List what is delivered for real")
        .query(&["cursor", "limit"])
        .answers("200 `{items, paging}`, a channel each")
        .schemas(&[("items", "[DeliveredChannel]")]),
    route(Method::Put, "/_bulkd/deliver/{channel}", deliver::put)
        .about("Pause a channel that is delivered, or have it go on")
        .body("`{paused}`")
        .answers("200 with the channel as in the list, 404 if it is not delivered")
        .schemas(&[("answer", "DeliveredChannel")]),
    route(Method::Get, "/_bulkd/clock", clock::get).about("Get the test clock").answers("200 `{now, frozen}`"),
    route(Method::Put, "/_bulkd/clock", clock::put)
        .about("Move the test clock to a moment, stop it, or have it run")
        .body("`{at?, frozen?}`")
        .answers("200 as an advance")
        .schemas(&[("answer", "Moved")]),
    route(Method::Post, "/_bulkd/clock/advance", clock::advance)
        .about("Move the test clock forward")
        .body("`{by}`, such as `1h`")
        .answers("200 `{now, frozen, advanced_ms, delayed_sent, messages_changed, webhooks_posted, keys_expired, settled}`")
        .schemas(&[("answer", "Moved")]),
    route(Method::Get, "/_bulkd/lifecycle", lifecycle::get)
        .about("Get how jobs go on")
        .answers("200 `{mode, per_second?, polls?, jobs}`")
        .schemas(&[("jobs", "[JobMode]")]),
    route(Method::Put, "/_bulkd/lifecycle", lifecycle::put)
        .about("Have jobs go on by a pace, by steps, or not at all")
        .body("`{mode, per_second?, polls?, job_id?}`")
        .answers("200 as its `GET`")
        .schemas(&[("answer", "Modes")]),
    route(Method::Post, "/_bulkd/step", lifecycle::step)
        .about("Let some users of a job have their turn")
        .body("`{job_id, users?}`")
        .answers("200 `{job_id, users, enqueued, failures, left, status}`")
        .schemas(&[("body", "Step"), ("users", "Count"), ("status", "JobStatus")]),
    route(Method::Get, "/_bulkd/outcomes", outcome::list)
        .about("List outcomes")
        .query(&["cursor", "limit"])
        .answers("200 `{items, paging}`")
        .schemas(&[("items", "[Outcome]")]),
    route(Method::Put, "/_bulkd/outcomes", outcome::put)
        .about("Say how the messages of a recipient or an address end")
        .body("`{address or recipient or message_id, status, reason?, after?}`")
        .answers("200 with the outcome, or with the record of the message")
        .schemas(&[("status", "Ending"), ("after", "Span"), ("answer", "Ended")]),
    route(Method::Delete, "/_bulkd/outcomes", outcome::delete)
        .about("Delete an outcome, or all")
        .query(&["address", "recipient"])
        .answers("204"),
    route(Method::Post, "/_bulkd/messages/{message_id}/events", outcome::create_event)
        .about("Have something happen to a message")
        .body("`{status, reason?}`")
        .answers("200 with the record")
        .schemas(&[("status", "Ending")]),
    route(Method::Get, "/_bulkd/snapshots", snapshot::list)
        .about("List snapshots")
        .query(&["cursor", "limit"])
        .answers("200 `{items, paging}` in the order of names")
        .schemas(&[("items", "[Snapshot]")]),
    route(Method::Put, "/_bulkd/snapshots/{name}", snapshot::put)
        .about("Take a snapshot of the environment")
        .answers("200 `{name, created_at, jobs, users, messages, bytes}`")
        .schemas(&[("answer", "Snapshot")]),
    route(Method::Get, "/_bulkd/snapshots/{name}", snapshot::get)
        .about("Get a snapshot as a file")
        .answers("200 with a file that another bulkd opens, `application/vnd.sqlite3`")
        .content_type(snapshot::DATABASE),
    route(Method::Post, "/_bulkd/snapshots/{name}/restore", snapshot::restore)
        .each_time()
        .about("Bring the environment back to a snapshot")
        .answers("200 with the snapshot, which stays"),
    route(Method::Post, "/_bulkd/snapshots/{name}/fork", snapshot::fork)
        .each_time()
        .about("Make a snapshot the environment of another key")
        .body("`{key}`")
        .answers("201 with the snapshot, 409 if the key has something already"),
    route(Method::Delete, "/_bulkd/snapshots/{name}", snapshot::delete).about("Delete a snapshot").answers("204"),
    route(Method::Post, "/_bulkd/reset", reset::reset)
        .each_time()
        .about("Reset the environment")
        .answers("204; the environment is empty, then seeded"),
    route(Method::Post, "/_bulkd/backup", backup::create)
        .about("Make a backup of the file")
        .body("`{file}`")
        .answers("201 `{file, bytes, pages, seconds, check}`, 409 if there is one of that name"),
    browser("/_bulkd/environments", environment::list)
        .about("List environments, where any key is accepted")
        .query(&["cursor", "limit"])
        .answers("200 `{items, paging, needs_key}`, the one that was used last first")
        .schemas(&[("items", "[Environment]")]),
    route(Method::Post, "/_bulkd/preview", preview::preview)
        .about("Render a message without sending it")
        .body("`{message}`")
        .answers("200 as `GET /_bulkd/outbox/{message_id}`, of a message that there is not")
        .schemas(&[("message", "SendMessage"), ("answer", "Detail")]),
    route(Method::Post, "/_bulkd/frames", frame::create)
        .about("Put up HTML to be looked at")
        .body("`{html}`")
        .answers("201 `{path}`, for ten minutes"),
    browser("/_bulkd/frames/{ticket}", frame::get)
        .about("Look at HTML that was put up")
        .query(&["images", "scheme"])
        .answers("200, the HTML in a sandbox")
        .content_type("text/html; charset=utf-8"),
    browser("/", page::index)
        .about("Look at everything in a browser")
        .answers("200, the page")
        .content_type(page::HTML),
    browser("/ui/{version}/{file}", page::file)
        .about("Get a file of the page")
        .answers("200, kept for ever")
        .content_type("text/javascript; charset=utf-8"),
    open(Method::Get, "/_bulkd/health", health::health)
        .about("Ask whether bulkd answers")
        .answers("200 `{status, version}`"),
    table("/_bulkd/openapi.json", openapi::get)
        .about("Get these routes as an OpenAPI document")
        .answers("200, OpenAPI 3.1"),
    route(Method::Get, "/_bulkd/status", status::get)
        .about("Get what the environment holds, in numbers")
        .answers("200 `{version, jobs, users}`: jobs by status, and their users")
        .schemas(&[("jobs", "Counts"), ("users", "Counts")]),
    watch("/_bulkd/metrics", prometheus::get)
        .about("Get the daemon's own metrics")
        .answers("200, Prometheus' text format")
        .content_type(prometheus::CONTENT_TYPE),
    route(Method::Get, "/_bulkd/events", events::open)
        .about("Follow what happens in the environment")
        .answers("200, server-sent events; see [testing.md](testing.md#events)")
        .content_type("text/event-stream"),
    row(Method::Post, "/_bulkd/mcp", Access::KeyAndTable(mcp::post))
        .about("Speak the Model Context Protocol")
        .body("a JSON-RPC request; see [testing.md](testing.md#mcp)")
        .answers("200 with the response, 202 to a notification, 400 with the response, 404 with the response")
        .schemas(&[("body", "Rpc")]),
    open(Method::Get, "/_bulkd/mcp", mcp::refuse).about("Ask for an MCP stream").answers("405: there is none"),
    open(Method::Delete, "/_bulkd/mcp", mcp::refuse).about("End an MCP session").answers("405: there is none"),
    table("/llms.txt", llms::get)
        .about("Read about bulkd in Markdown")
        .answers("200, what bulkd is and which routes it has, for language models")
        .content_type(llms::CONTENT_TYPE),
    // Mailpit's, for the e-mails of one environment.
    mailbox(Method::Get, "/api/v1/messages", mailpit::list)
        .about("List e-mails")
        .query(&["limit", "start"])
        .answers("200 `{messages, messages_count, start, total, unread, tags, ...}`, the newest first"),
    mailbox(Method::Put, "/api/v1/messages", mailpit::mark)
        .about("Mark e-mails as read")
        .query(&["tz"])
        .body("`{IDs?, Read?, Search?}`; without `IDs` and `Search` all of them")
        .answers("200 `ok`")
        .content_type(mailpit::TEXT),
    mailbox(Method::Delete, "/api/v1/messages", mailpit::delete)
        .about("Hide e-mails")
        .body("`{IDs?}`; without them all")
        .answers("200 `ok`; the outbox keeps them")
        .content_type(mailpit::TEXT),
    mailbox(Method::Get, "/api/v1/search", mailpit::search)
        .about("Search e-mails")
        .query(&["limit", "query", "start", "tz"])
        .answers("200 `{messages, messages_count, start, total, unread, tags, ...}`"),
    mailbox(Method::Delete, "/api/v1/search", mailpit::delete_found)
        .about("Hide e-mails that a search finds")
        .query(&["query", "tz"])
        .answers("200 `ok`; the outbox keeps them")
        .content_type(mailpit::TEXT),
    mailbox(Method::Get, "/api/v1/message/{id}", mailpit::get)
        .about("Get an e-mail")
        .answers("200 with the e-mail; `latest` is an id as well"),
    mailbox(Method::Get, "/api/v1/message/{id}/headers", mailpit::headers)
        .about("Get an e-mail's headers")
        .answers("200, each header with its values"),
    mailbox(Method::Get, "/api/v1/message/{id}/raw", mailpit::raw)
        .about("Get an e-mail as it would go over the wire")
        .answers("200, RFC 5322")
        .content_type(mailpit::TEXT),
    mailbox(Method::Get, "/api/v1/info", mailpit::info)
        .about("Get the mailbox's totals")
        .answers("200 `{Version, Database, DatabaseSize, LatestVersion, Messages, Unread, Tags, RuntimeStats}`"),
    mailbox(Method::Get, "/api/v1/tags", mailpit::tags).about("List tags of e-mails").answers("200 `[]`"),
    mailbox(Method::Get, "/api/v1/chaos", mailpit::no_chaos)
        .about("Ask for Mailpit's Chaos")
        .answers("400: there is none"),
    mailbox(Method::Get, "/view/{file}", mailpit::view)
        .about("Look at an e-mail")
        .answers("200; the file is an id or `latest`, with `.html` or `.txt` behind it")
        .content_type("text/html; charset=utf-8"),
    mailbox(Method::Get, "/livez", mailpit::live)
        .about("Ask whether the mailbox is there")
        .answers("200")
        .content_type(mailpit::TEXT),
    mailbox(Method::Get, "/readyz", mailpit::live)
        .about("Ask whether the mailbox is ready")
        .answers("200")
        .content_type(mailpit::TEXT),
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

/// The shapes in what a route says of its body. They are parsed once.
pub fn shapes(route: &Route) -> &'static [Shape<'static>] {
    static SHAPES: LazyLock<HashMap<&'static str, Vec<Shape<'static>>>> = LazyLock::new(|| {
        let texts = ROUTES.iter().map(Route::read);
        texts.map(|text| (text, Shape::all_of(text).collect())).collect()
    });
    SHAPES.get(route.read()).map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_route_reads_can_be_understood() {
        for route in ROUTES {
            let shapes = route.read().split('`').skip(1).step_by(2).filter(|it| it.starts_with('{'));
            shapes.for_each(|text| assert!(Shape::read(text).is_some(), "{} {text}", route.path));
        }
    }
}
