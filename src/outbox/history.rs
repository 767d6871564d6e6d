//! What happened to a message, in the form of `GET /messages/{id}/history`. The shapes are `MessageHistory*Item` in
//! Courier's documentation of October 2024.

use serde_json::{Map, Value, json};

use super::origin::Origin;
use crate::clock::Timestamp;
use crate::error::Result;
use crate::model::message::{MessageJob, StoredDelivery, TrackedMessage};
use crate::model::message_status::MessageStatus;
use crate::model::options::MessageOptions;
use crate::store::message::MessageLocation;
use crate::store::tracking;
use crate::store::{Db, job};

/// The history of the message at this place.
pub fn of(db: &Db<'_>, place: &MessageLocation) -> Result<Vec<Value>> {
    let message = tracking::get(db, place)?;
    let job = tracking::get_job(db, place.job)?;
    let (_, definition) = job::get_by_number(db, place.job)?;
    let options = MessageOptions::of_stored(&definition);
    let origin = Origin::of(db, place.job, &message.stored, &definition, &options)?;
    Ok(events(&message, &job, &origin))
}

/// The events of a message in their order. Events of one commit have the same time.
fn events(tracked: &TrackedMessage, job: &MessageJob, origin: &Origin) -> Vec<Value> {
    let message = &tracked.stored;
    let enqueued_at = message.enqueued_at;
    let mut events = Vec::new();
    let mut add = |kind: &str, at: Timestamp, members: Value| {
        let mut event = Map::new();
        event.insert("type".to_owned(), json!(kind));
        event.insert("ts".to_owned(), json!(at.millis()));
        event.extend(members.as_object().cloned().unwrap_or_default());
        events.push(Value::Object(event));
    };
    add(
        "ENQUEUED",
        enqueued_at,
        json!({
            "data": origin.data, "event": job.event(), "profile": origin.received_profile,
            "override": origin.overriding, "recipient": message.recipient,
        }),
    );
    if message.status == MessageStatus::Unmapped {
        add("UNMAPPED", enqueued_at, json!({ "event_id": job.event() }));
        return events;
    }
    if let Some(template_id) = &job.template_id {
        add("MAPPED", enqueued_at, json!({ "event_id": job.event(), "notification_id": template_id }));
    }
    let mut loaded = json!({
        "merged_profile": origin.merged_profile, "received_profile": origin.received_profile, "stored_profile": origin.stored_profile,
    });
    // An extension of ours.
    if origin.is_deleted {
        loaded["stored_profile_deleted"] = json!(true);
    }
    add("PROFILE_LOADED", enqueued_at, loaded);
    let settled_at = tracked.made_at();
    if tracked.has_waited() {
        add("DELAYED", enqueued_at, json!({}));
    }
    for delivery in &message.deliveries {
        let mut output = Map::new();
        for part in ["html", "title", "body", "subject", "blocks", "text"] {
            output.insert(part.to_owned(), json!(format!("/messages/{}/output", message.message_id)));
        }
        let mut rendered = channel(delivery);
        rendered.insert("output".to_owned(), Value::Object(output));
        add("RENDERED", settled_at, Value::Object(rendered));
        tell(tracked, delivery, settled_at, &mut add);
    }
    let members = json!({ "reason": message.reason.map(|it| it.name()), "error_message": message.error });
    match message.status {
        MessageStatus::Unroutable => add("UNROUTABLE", settled_at, members),
        MessageStatus::Filtered => add("FILTERED", settled_at, members),
        MessageStatus::Canceled => add("CANCELED", settled_at, json!({})),
        MessageStatus::Undeliverable if message.deliveries.is_empty() => add("UNDELIVERABLE", settled_at, members),
        _ => {}
    }
    events
}

fn channel(delivery: &StoredDelivery) -> Map<String, Value> {
    let mut members = Map::new();
    members.insert("channel".to_owned(), json!({ "id": delivery.channel.name() }));
    let provider = delivery.provider.name();
    members.insert("integration".to_owned(), json!({ "id": provider, "provider": provider }));
    members
}

/// From the hand-over to a provider to the outcome.
fn tell(
    message: &TrackedMessage,
    delivery: &StoredDelivery,
    at: Timestamp,
    add: &mut impl FnMut(&str, Timestamp, Value),
) {
    use MessageStatus::{Delivered, Undeliverable};
    add("DELIVERING", at, Value::Object(channel(delivery)));
    // What bounced had been sent before, if something has happened to it since.
    let before =
        message.events.iter().rev().nth(1).filter(|_| delivery.status == Undeliverable && is_of(message, delivery));
    let before = before.into_iter().flat_map(|(status, _)| status.up_to());
    for step in before.chain(delivery.status.up_to()) {
        let at = message.came_to(step).filter(|_| is_of(message, delivery)).unwrap_or(at);
        let mut members = channel(delivery);
        if step == Undeliverable {
            members.insert("error_message".to_owned(), json!(delivery.error));
            members.insert("reason".to_owned(), json!(delivery.reason.map(|it| it.name())));
        }
        if step == Delivered {
            members.insert("reference".to_owned(), json!({}));
        }
        add(step.name(), at, Value::Object(members));
    }
}

/// Whether the message's status is that of this delivery.
fn is_of(message: &TrackedMessage, delivery: &StoredDelivery) -> bool {
    delivery.status == message.stored.status && delivery.reason == message.stored.reason
}
