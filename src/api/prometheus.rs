//! The daemon's own metrics, in Prometheus' text format.

use std::fmt::{Display, Write};

use super::call::Answer;
use super::route::Route;
use super::settings::Settings;
use crate::error::Result;
use crate::store::delivery_route::{RouteRow, RouteState};
use crate::store::{Store, delivery_route, totals};

pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// `GET /_bulkd/metrics`: 200. Needs no key.
pub fn get(store: &Store, settings: &Settings, routes: &'static [Route]) -> Result<Answer> {
    let totals = store.read_for_request(totals::get)?;
    let (database_bytes, log_bytes) = store.file_bytes();
    let mut text = Text::default();
    text.family("bulkd_requests_total", "counter", "Requests that were answered, by route and status.");
    for (route, meter) in settings.meter.routes() {
        for (status, count) in meter.counts() {
            let status = status.map_or("none".to_owned(), |status| status.to_string());
            text.sample("bulkd_requests_total", &format!("{},status=\"{status}\"", labels(routes, route)), count);
        }
    }
    let name = "bulkd_request_duration_seconds";
    text.family(name, "histogram", "How long requests took from their last byte to their answer.");
    for (route, meter) in settings.meter.routes() {
        meter.taken.write(name, &labels(routes, route), &mut text.0);
    }
    let name = "bulkd_commit_duration_seconds";
    text.family(name, "histogram", "How long commits took, with their wait for the disk.");
    store.commit_times().write(name, "", &mut text.0);
    text.one("bulkd_users_total", "counter", "Users that jobs were given.", totals.users);
    text.one("bulkd_messages_total", "counter", "Messages that were made.", totals.messages);
    text.one("bulkd_jobs_processing", "gauge", "Jobs that run.", totals.jobs_processing);
    text.one("bulkd_users_waiting", "gauge", "Users of these jobs that have no message yet.", totals.users_waiting);
    let waiting = totals.webhook_events_waiting;
    text.one("bulkd_webhook_events_waiting", "gauge", "Events that wait for a webhook to take them.", waiting);
    add_deliver(store, settings, &mut text)?;
    text.one("bulkd_event_streams", "gauge", "Streams of events that are open.", settings.feed.streams());
    text.one("bulkd_waits", "gauge", "Requests that wait until something is so.", settings.waits.count());
    let indexed = store.texts().messages();
    text.one("bulkd_messages_indexed", "gauge", "Messages whose texts the index of searches knows.", indexed);
    text.one("bulkd_database_bytes", "gauge", "The size of the database file.", database_bytes);
    text.one("bulkd_log_bytes", "gauge", "The size of the write-ahead log.", log_bytes);
    text.family("bulkd_info", "gauge", "The version of bulkd, as a label.");
    text.sample("bulkd_info", concat!("version=\"", env!("CARGO_PKG_VERSION"), "\""), 1);
    Ok(Answer::of_type(CONTENT_TYPE, text.0))
}

/// What is delivered for real, if anything is.
fn add_deliver(store: &Store, settings: &Settings, text: &mut Text) -> Result<()> {
    let Some(deliver) = settings.deliver.as_deref() else { return Ok(()) };
    let (rows, relay) = store.read_for_request(|db| {
        let rows = delivery_route::in_use(db)?.into_iter();
        let rows = rows.map(|row| Ok((delivery_route::state(db, &row.route)?, row))).collect::<Result<Vec<_>>>()?;
        Ok((rows, deliver.relay(db)?))
    })?;
    let mut family = |name: &str, kind: &str, about: &str, value: fn(&(RouteState, RouteRow)) -> u64| {
        text.family(name, kind, about);
        for row in &rows {
            text.sample(name, &format!("channel=\"{}\"", row.1.route), value(row));
        }
    };
    let about = "Messages in the queue of a channel that is delivered.";
    family("bulkd_deliver_queued", "gauge", about, |(state, _)| state.queued as u64);
    let about = "Messages that a channel that is delivered has yet to look at, whatever theirs is.";
    family("bulkd_deliver_behind", "gauge", about, |(state, _)| state.behind);
    family("bulkd_deliver_delivered_total", "counter", "Messages that targets took.", |(_, row)| row.delivered);
    family("bulkd_deliver_refused_total", "counter", "Messages that were given up.", |(_, row)| row.refused);
    let about = "1 for a channel that is paused, and 0 for one that goes on.";
    family("bulkd_deliver_paused", "gauge", about, |(_, row)| u64::from(row.paused_at.is_some()));
    if let Some(relay) = relay {
        text.one("bulkd_relay_lag", "gauge", "Messages in the queue that Redis does not have yet.", relay.lag);
        let about = "Messages on the stream that no sender has brought to an end.";
        text.one("bulkd_relay_in_stream", "gauge", about, relay.in_stream);
        let about = "1 while the stream has as many messages as it may, and else 0.";
        text.one("bulkd_relay_full", "gauge", about, u64::from(relay.is_full));
        let about = "1 while Redis takes what it is given, and else 0.";
        text.one("bulkd_relay_up", "gauge", about, u64::from(relay.error.is_none()));
    }
    Ok(())
}

fn labels(routes: &[Route], route: Option<usize>) -> String {
    let found = route.and_then(|route| routes.get(route));
    let (method, path) = found.map_or(("", "none"), |Route { method, path, .. }| (method.as_str(), path));
    format!("method=\"{method}\",route=\"{path}\"")
}

#[derive(Default)]
struct Text(String);

impl Text {
    fn family(&mut self, name: &str, kind: &str, about: &str) {
        let _ = write!(self.0, "# HELP {name} {about}\n# TYPE {name} {kind}\n");
    }

    fn sample(&mut self, name: &str, labels: &str, value: impl Display) {
        let labels = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
        let _ = writeln!(self.0, "{name}{labels} {value}");
    }

    fn one(&mut self, name: &str, kind: &str, about: &str, value: impl Display) {
        self.family(name, kind, about);
        self.sample(name, "", value);
    }
}
