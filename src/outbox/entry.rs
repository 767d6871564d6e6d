//! An entry of the outbox as people read it, with the members that were asked for.

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;

use super::Deliveries;
use crate::error::{Error, Result};
use crate::model::message::StoredDelivery;
use crate::store::outbox::{DeliveryFilter, OutboxMessage};

/// The members of an entry, in the order in which they are written.
pub const MEMBERS: [&str; 16] = [
    "message_id",
    "job_id",
    "recipient",
    "channel",
    "provider",
    "address",
    "status",
    "reason",
    "error",
    "subject",
    "body",
    "content",
    "html",
    "segments",
    "request",
    "created_at",
];
/// Those that are long, and are left out unless asked for.
const LONG: [&str; 3] = ["content", "html", "request"];
/// The name for all of them.
const ALL: &str = "all";

/// Which members of an entry are wanted. The message's id always is.
#[derive(Clone, Copy, Debug)]
pub struct Fields([bool; MEMBERS.len()]);

impl Fields {
    pub const ALL: Fields = Fields([true; MEMBERS.len()]);

    /// All but the long ones.
    pub fn brief() -> Self {
        Fields(MEMBERS.map(|name| !LONG.contains(&name)))
    }

    /// Those with these names. Without names, all but the long ones.
    pub fn read(names: &[String]) -> Result<Self> {
        if names.is_empty() {
            return Ok(Fields::brief());
        }
        if let Some(unknown) = names.iter().find(|name| *name != ALL && !MEMBERS.contains(&name.as_str())) {
            let found = crate::error::shown(unknown);
            let expected = format!("expected '{ALL}' or names of {}, found '{found}'", MEMBERS.join(", "));
            return Err(Error::invalid("fields", expected));
        }
        let is_wanted = |name: &str| name == "message_id" || names.iter().any(|it| it == ALL || it == name);
        Ok(Fields(MEMBERS.map(is_wanted)))
    }

    fn has(&self, name: &str) -> bool {
        MEMBERS.iter().zip(self.0).any(|(known, is_wanted)| *known == name && is_wanted)
    }
}

/// An entry: of a delivery, or of a message that did not go out. Its texts may be long: they are written without a
/// copy.
pub struct Entry<'a> {
    found: &'a OutboxMessage,
    delivery: Option<&'a StoredDelivery>,
    html: Option<String>,
    segments: Option<Value>,
    request: Value,
    fields: Fields,
}

impl<'a> Entry<'a> {
    /// With what is derived for the fields that are wanted.
    pub fn new(
        found: &'a OutboxMessage,
        delivery: Option<&'a StoredDelivery>,
        fields: Fields,
        deliveries: &mut Deliveries<'_>,
    ) -> Result<Self> {
        let (job, message) = (found.job, &found.message);
        let mut entry = Entry { found, delivery, html: None, segments: None, request: Value::Null, fields };
        if let Some(it) = delivery {
            if fields.has("html") {
                entry.html = deliveries.html(job, message, it)?;
            }
            if fields.has("segments") {
                entry.segments = deliveries.segments(job, message, it)?;
            }
            if fields.has("request") {
                entry.request = deliveries.request(job, message, it)?;
            }
        }
        Ok(entry)
    }
}

impl Serialize for Entry<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let (message, it) = (&self.found.message, self.delivery);
        let mut map = serializer.serialize_map(None)?;
        for (name, _) in MEMBERS.iter().zip(self.fields.0).filter(|(_, is_wanted)| *is_wanted) {
            map.serialize_key(name)?;
            match *name {
                "message_id" => map.serialize_value(&message.message_id),
                "job_id" => map.serialize_value(&self.found.job_id),
                "recipient" => map.serialize_value(&message.recipient),
                "channel" => map.serialize_value(&it.map(|it| it.channel.name())),
                "provider" => map.serialize_value(&it.map(|it| it.provider.name())),
                "address" => map.serialize_value(&it.map(|it| &it.address)),
                "status" => map.serialize_value(it.map_or(message.status, |it| it.status).name()),
                "reason" => map.serialize_value(&it.map_or(message.reason, |it| it.reason).map(|it| it.name())),
                "error" => map.serialize_value(it.map_or(&message.error, |it| &it.error)),
                "subject" => map.serialize_value(&it.and_then(|it| it.subject.as_ref())),
                "body" => map.serialize_value(&it.map(|it| &it.body)),
                "content" => map.serialize_value(&it.and_then(|it| it.content.as_ref())),
                "html" => map.serialize_value(&self.html),
                "segments" => map.serialize_value(&self.segments),
                "request" => map.serialize_value(&self.request),
                _ => map.serialize_value(&message.enqueued_at.millis()),
            }?;
        }
        map.end()
    }
}

/// Passes on the entries of a message that match a filter, each with the fields that are wanted.
pub fn entries<'a>(
    found: &'a OutboxMessage,
    filter: &DeliveryFilter,
    fields: Fields,
    deliveries: &mut Deliveries<'_>,
    mut each: impl FnMut(Entry<'a>) -> Result<()>,
) -> Result<()> {
    if found.message.deliveries.is_empty() {
        return each(Entry::new(found, None, fields, deliveries)?);
    }
    for it in found.message.deliveries.iter().filter(|it| filter.matches(it)) {
        each(Entry::new(found, Some(it), fields, deliveries)?)?;
    }
    Ok(())
}
