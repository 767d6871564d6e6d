//! What became of a template's messages. After Courier's SDKs.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::call::{Action, Answer, Call};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::model::metrics::{Funnel, MetricsQuery, Window};
use crate::store::metrics::{self, Count};

/// One bucket, by provider and channel.
type Bucket = BTreeMap<(String, String), Funnel>;

/// `GET /notifications/{id}/metrics?start=&end=&lookback=&granularity=`: 200 `{notificationId, granularity, start, end,
/// series}`, all buckets empty for a template that does not exist.
pub fn get(mut call: Call<'_>) -> Result<Action> {
    let query = call.query();
    let asked = MetricsQuery {
        start: query.one("start"),
        end: query.one("end"),
        lookback: query.one("lookback"),
        granularity: query.one("granularity"),
    };
    let id = call.path("id");
    Action::query(move |db, environment| {
        let window = Window::read(&asked, db.now())?;
        let counts = match window.boundaries[..] {
            [start, .., end] => metrics::count(db, environment, &id, start, end)?,
            _ => Vec::new(),
        };
        Ok(Answer::new(200, shown(&id, &window, &fill(&window.boundaries, counts))))
    })
}

fn fill(instants: &[Timestamp], counts: Vec<Count>) -> Vec<Bucket> {
    let mut buckets = vec![Bucket::new(); instants.len().saturating_sub(1)];
    for count in counts {
        let index = instants.partition_point(|at| *at <= count.created_at);
        if let Some(bucket) = index.checked_sub(1).and_then(|index| buckets.get_mut(index)) {
            bucket.entry((count.provider, count.channel)).or_default().add(
                count.status,
                count.then_another_way,
                count.count,
            );
        }
    }
    buckets
}

fn shown(id: &str, window: &Window, buckets: &[Bucket]) -> String {
    let series: Vec<Value> = window
        .boundaries
        .iter()
        .zip(buckets)
        .map(|(period, bucket)| json!({ "period": iso_seconds(period), "data": data(bucket) }))
        .collect();
    json!({
        "notificationId": id,
        "granularity": window.granularity.name(),
        "start": window.boundaries.first().map(iso_seconds),
        "end": window.boundaries.last().map(iso_seconds),
        "series": series,
    })
    .to_string()
}

/// Boundaries are whole hours.
fn iso_seconds(at: &Timestamp) -> String {
    format!("{}Z", at.utc())
}

fn data(bucket: &Bucket) -> Vec<Value> {
    let entry = |((provider, channel), funnel): (&(String, String), &Funnel)| {
        json!({
            "provider": provider,
            "channel": channel,
            "sent": funnel.sent,
            "delivered": funnel.delivered,
            "opened": funnel.opened,
            "clicked": funnel.clicked,
            "errors": funnel.errors,
            "undeliverable": funnel.undeliverable,
        })
    };
    bucket.iter().map(entry).collect()
}
