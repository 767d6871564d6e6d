//! Where events are posted to. Ours; at Courier webhooks are set up in the dashboard alone.

use serde::Deserialize;
use serde_json::{Value, json};

use super::call::{Action, Answer, Call};
use super::paging::{self, Cursor, PagedList};
use crate::error::{Error, Result};
use crate::json;
use crate::model::environment::EnvironmentRow;
use crate::model::webhook::Destination;
use crate::store::Db;
use crate::store::webhook::{self, Webhook};

/// The most given-up events that are shown with their webhook.
const FAILED: usize = 100;

#[derive(Deserialize)]
struct CreateBody {
    url: String,
    #[serde(default)]
    secret: Option<String>,
}

/// `POST /_bulkd/webhooks` with `{url, secret?}`: 201 with the webhook, which follows the environment's messages from
/// now on.
pub fn create(mut call: Call<'_>) -> Result<Action> {
    let body: CreateBody = json::read(&call.json()?, String::new)?;
    let destination = Destination::new(&body.url, body.secret.as_deref())
        .map_err(|(field, expected)| Error::invalid(field, expected))?;
    // A name is looked up when it is called; the one that may be called by default is this machine's own.
    if !destination.is_loopback() {
        return Err(Error::invalid("url", "expected an address of this machine; others are given with --webhook"));
    }
    Action::change(move |tx, environment| {
        let webhook_id = webhook::create(tx, environment, &destination)?;
        let webhook = webhook::get(tx, environment, &webhook_id)?;
        Ok(Answer::new(201, item(tx, &webhook)?.to_string()))
    })
}

/// `GET /_bulkd/webhooks?cursor=&limit=`: 200 `{items, paging}`, the environment's own and those of all environments,
/// the oldest first.
pub fn list(call: Call<'_>) -> Result<Action> {
    let (query, list) = (call.query(), PagedList::Webhooks);
    let (from, limit) = (Cursor::read(query.cursor().as_deref(), list)?, query.limit() as usize);
    Action::query(move |db, environment| {
        let mut webhooks = webhook::list(db, environment)?;
        webhooks.retain(|it| it.webhook.0.unsigned_abs() >= from);
        let next = webhooks.get(limit).map(|it| Cursor { list, position: it.webhook.0.unsigned_abs() });
        let items = webhooks.iter().take(limit).map(|webhook| Ok(item(db, webhook)?.to_string()));
        Ok(Answer::new(200, paging::page(items, next)?))
    })
}

/// `GET /_bulkd/webhooks/{webhook_id}`: 200 with the webhook and the newest events that it did not take.
pub fn get(mut call: Call<'_>) -> Result<Action> {
    let webhook_id = call.path("webhook_id");
    Action::query(move |db, environment| {
        let webhook = webhook::get(db, environment, &webhook_id)?;
        let mut shown = item(db, &webhook)?;
        shown["failed_events"] = failed(db, environment, &webhook)?;
        Ok(Answer::new(200, shown.to_string()))
    })
}

/// `DELETE /_bulkd/webhooks/{webhook_id}`: 204. The events in its queue are dropped.
pub fn delete(mut call: Call<'_>) -> Result<Action> {
    let webhook_id = call.path("webhook_id");
    Action::change_existing(move |tx, environment| {
        webhook::delete(tx, environment, &webhook_id)?;
        Ok(Answer::new(204, ""))
    })
}

fn item(db: &Db<'_>, webhook: &Webhook) -> Result<Value> {
    let queue = webhook::queue(db, webhook.webhook)?;
    Ok(json!({
        "id": webhook.webhook_id,
        "url": webhook.destination.url,
        "signed": webhook.destination.secret.is_some(),
        "scope": if webhook.environment.is_some() { "environment" } else { "all" },
        "created_at": webhook.created_at.millis(),
        "pending": queue.pending,
        "failed": queue.failed,
        "oldest_pending_at": queue.oldest_at,
        "last_delivered_at": webhook.last_delivered_at,
        "last_error": webhook.last_error,
        "last_failed_at": webhook.last_failed_at,
    }))
}

fn failed(db: &Db<'_>, environment: EnvironmentRow, webhook: &Webhook) -> Result<Value> {
    let events = webhook::list_failed(db, environment, webhook.webhook, FAILED)?;
    let shown = events.into_iter().map(|event| {
        json!({
            "event_id": event.event_id,
            "attempts": event.attempts,
            "error": event.error,
            "created_at": event.created_at,
        })
    });
    Ok(shown.collect())
}
