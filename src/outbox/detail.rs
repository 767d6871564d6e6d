//! All that is known of one message, in one document.

use serde_json::{Map, Value, json};

use super::entry::{self, Fields};
use super::origin::{Origin, made_for};
use super::{Deliveries, found, history, way};
use crate::error::{Error, Result};
use crate::json::Object;
use crate::model::channel::Channel;
use crate::model::options::MessageOptions;
use crate::model::user::User;
use crate::settings::MessageSettings;
use crate::store::message::MessageLocation;
use crate::store::outbox::{self, DeliveryFilter};
use crate::store::{Db, job};

/// Of the message there.
pub fn of(db: &Db<'_>, place: &MessageLocation, settings: MessageSettings) -> Result<Value> {
    let found = outbox::get(db, place)?;
    let message = &found.message;
    let (_, definition) = job::get_by_number(db, place.job)?;
    let options = MessageOptions::of_stored(&definition);
    let origin = Origin::of(db, place.job, message, &definition, &options)?;
    let (_, user) = made_for(db, place.job, message)?;
    let mut deliveries = Deliveries::new(db);
    let mut entries = Vec::new();
    entry::entries(&found, &DeliveryFilter::default(), Fields::ALL, &mut deliveries, |entry| {
        let entry = serde_json::to_value(&entry).map_err(|error| Error::internal(error.to_string()))?;
        entries.push(entry);
        Ok(())
    })?;
    let html = message.deliveries.iter().find(|it| it.channel == Channel::Email);
    let html = html.map(|it| deliveries.html(place.job, message, it)).transpose()?.flatten();
    let subjects = message.deliveries.iter().filter_map(|it| it.subject.as_deref());
    let bodies = message.deliveries.iter().map(|it| it.body.as_str());
    let texts: Vec<&str> = subjects.chain(bodies).collect();
    let tried = |it: &Value| {
        let members = ["channel", "provider", "address", "status", "reason", "error"];
        Value::Object(members.iter().map(|name| ((*name).to_owned(), it[*name].clone())).collect())
    };
    let tried: Vec<Value> = entries.iter().filter(|it| !it["channel"].is_null()).map(tried).collect();
    let (data, profile) = (data(&origin, &user), profile(&origin));
    let passed_over = way::passed_over(db, place, message, settings)?;
    Ok(json!({
        "message_id": message.message_id,
        "job_id": found.job_id,
        "recipient": message.recipient,
        "status": message.status.name(),
        "reason": message.reason.map(|it| it.name()),
        "error": message.error,
        "created_at": message.enqueued_at.millis(),
        "deliveries": entries,
        "data": data,
        "profile": profile,
        "routing": { "asked": asked(&definition), "tried": tried, "passed_over": passed_over },
        "links": found::links(html.as_deref(), &texts),
        "codes": found::codes(&texts),
        "history": history::of(db, place)?,
    }))
}

/// Each value with its origin: the job, the user's `data`, or that of its `to`.
fn data(origin: &Origin, user: &str) -> Value {
    let user = User::read(user, String::new).unwrap_or_default();
    let names = |layer: Option<Object<'_>>| {
        let mut names = Vec::new();
        if let Some(layer) = layer {
            layer.for_each(|name, _| names.push(name.to_owned())).unwrap_or_default();
        }
        names
    };
    let [of_user, of_to] = user.data_layers().map(names);
    let from = |name: &String| match () {
        () if of_to.contains(name) => "to",
        () if of_user.contains(name) => "user",
        () => "job",
    };
    let data = origin.data.as_object().into_iter().flatten();
    Value::Object(data.map(|(name, value)| (name.clone(), json!({ "value": value, "from": from(name) }))).collect())
}

/// The same for the profile: what the request said about the user, or what was stored.
fn profile(origin: &Origin) -> Value {
    let from = |name: &String| if origin.received_profile.contains_key(name) { "request" } else { "stored profile" };
    let profile = origin.merged_profile.iter();
    let profile: Map<String, Value> =
        profile.map(|(name, value)| (name.clone(), json!({ "value": value, "from": from(name) }))).collect();
    Value::Object(profile)
}

/// The routing that the job asked for, as it was sent. Null if it left that to the order of channels.
fn asked(definition: &str) -> Value {
    let definition: Value = serde_json::from_str(definition).unwrap_or_default();
    let nested = definition.get("message").and_then(|message| message.get("routing"));
    nested.or_else(|| definition.get("routing")).cloned().unwrap_or_default()
}
