//! What is delivered for real, and how far it has come. Ours; Courier delivers everything.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::call::{Action, Answer, Call};
use super::paging::{Cursor, PageText, PagedList};
use crate::deliver::relay::{self, Stats};
use crate::deliver::{Deliver, Route};
use crate::error::{Error, Result, shown};
use crate::json;
use crate::store::Db;
use crate::store::delivery_route;

/// Why a channel pauses after a request has paused it.
const BY_REQUEST: &str = "a request has paused it";

#[derive(Deserialize)]
struct PutBody {
    paused: bool,
}

/// `GET /_bulkd/deliver?cursor=&limit=`: 200 `{items, paging}`, one for each channel that is delivered, in all environments.
pub fn list(call: Call<'_>) -> Result<Action> {
    let (query, list) = (call.query(), PagedList::Deliver);
    let (from, limit) = (Cursor::read(query.cursor().as_deref(), list)?, query.limit());
    let deliver = call.settings.deliver.clone();
    Action::query(move |db, _| {
        let routes = deliver.as_deref().map_or(&[][..], Deliver::routes);
        let relay = deliver.as_deref().map_or(Ok(None), |it| it.relay(db))?;
        let show = |route: &Arc<Route>| item(db, route, relay.as_ref());
        let (page, next) = PageText::of_places((list, from, limit), routes.iter(), show)?;
        Ok(Answer::new(200, page.end_items(next)))
    })
}

/// `PUT /_bulkd/deliver/{channel}` with `{paused}`: 200 with the channel, which is paused from then on, or goes on.
pub fn put(mut call: Call<'_>) -> Result<Action> {
    let body: PutBody = json::read(&call.json()?, String::new)?;
    let name = call.path("channel");
    let found = call.settings.deliver.clone().and_then(|deliver| Some((deliver.route(&name)?.clone(), deliver)));
    let Some((route, deliver)) = found else {
        let found = shown(&name);
        return Err(Error::not_found(format!("channel: there is no --deliver for '{found}'")));
    };
    Action::whole(move |store| {
        let name = route.name.clone();
        let reason = body.paused.then_some(BY_REQUEST);
        store.write(move |tx| delivery_route::pause(tx, &name, reason))?;
        route.bell().ring();
        let shown = store.read_for_request(|db| item(db, &route, deliver.relay(db)?.as_ref()))?;
        Ok(Answer::new(200, shown.to_string()))
    })
}

fn item(db: &Db<'_>, route: &Route, relay: Option<&Stats>) -> Result<Value> {
    let row = delivery_route::find(db, &route.name)?;
    let row = row.ok_or_else(|| Error::internal("a route that is in use has no row"))?;
    let state = delivery_route::state(db, &route.name)?;
    let relay = relay.filter(|_| route.name == relay::ROUTE);
    let relay = relay.map(|it| {
        json!({
            "channels": route.channels.iter().map(|channel| channel.name()).collect::<Vec<_>>(),
            "lag": it.lag,
            "last_entry": it.last_entry,
            "in_stream": it.in_stream,
            "full": it.is_full,
            "error": it.error,
        })
    });
    let resting = route.resting().filter(|rest| rest.until > db.now() && row.paused_at.is_none());
    let mut item = json!({
        "channel": row.route,
        "target": route.target,
        "queued": state.queued,
        "behind": state.behind,
        "oldest_at": state.oldest_at,
        "delivered": row.delivered,
        "refused": row.refused,
        "paused": row.paused_at.is_some(),
        "paused_at": row.paused_at,
        "paused_reason": row.paused_reason,
        "resting_until": resting.as_ref().map(|rest| rest.until.millis()),
        "resting_reason": resting.as_ref().map(|rest| rest.reason.as_str()),
    });
    if let (Some(relay), Some(members)) = (relay, item.as_object_mut()) {
        members.insert("relay".to_owned(), relay);
    }
    Ok(item)
}
