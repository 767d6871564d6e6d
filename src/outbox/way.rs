//! Channels and providers that a message did not use. They are not stored, but found by composing the message again
//! from the rows that it was made from.

use serde_json::{Value, json};

use crate::compose::{PassedOver, Recipient, Renderer};
use crate::error::Result;
use crate::model::channel::Channel;
use crate::model::definition::{Definition, Reading};
use crate::model::message::StoredMessage;
use crate::model::message_status::{MessageStatus, Reason};
use crate::model::provider::Provider;
use crate::model::rendered_batch::{Outcome, RenderedBatch};
use crate::settings::MessageSettings;
use crate::store::message::MessageLocation;
use crate::store::recipient_lookup::RecipientLookup;
use crate::store::{Db, job, plan, profile, user};

/// What the message there was composed without, in the order in which it was passed over. `None` if that cannot be
/// known any more: preferences, tokens and outcomes have no versions, and with the present ones the message would be
/// another.
pub fn passed_over(
    db: &Db<'_>,
    place: &MessageLocation,
    message: &StoredMessage,
    settings: MessageSettings,
) -> Result<Option<Vec<Value>>> {
    let (job, definition) = job::get_by_number(db, place.job)?;
    let definition = Definition::read(&definition, Reading::Lenient)?;
    // A message that was refused as a whole was not routed.
    let Ok(renderer) = Renderer::new(plan::load(db, &job, definition)?, settings, job.created_at) else {
        return Ok(None);
    };
    let (recipient, user) = user::get(db, place.job, place.seq)?;
    let mut known = RecipientLookup::new(db, job.environment)?.get(db, (&recipient, &user), renderer.subject())?;
    known.profile = match message.profile_version {
        None => None,
        Some(version) => match profile::get_version(db, version)? {
            Some(profile) => Some((version, profile)),
            None => return Ok(None),
        },
    };
    let waits = matches!(message.status, MessageStatus::Delayed | MessageStatus::Canceled);
    let user = Recipient { recipient: &recipient, user: &user, known: &known };
    let (composed, passed_over) = renderer.explain(user, message.enqueued_at, !waits);
    Ok((of_composed(&composed) == of_stored(message)).then(|| passed_over.iter().map(shown).collect()))
}

fn shown(it: &PassedOver) -> Value {
    let name = Some(&it.name).filter(|name| !name.is_empty());
    json!({ "name": name, "address": it.address, "reason": it.why.name(), "why": it.words })
}

/// Where a message went, or else why it did not.
type Way = (Vec<(Channel, Provider, String)>, Option<Reason>);

fn of_stored(message: &StoredMessage) -> Way {
    let went = |it: &crate::model::message::StoredDelivery| (it.channel, it.provider, it.address.clone());
    let reason = message.reason.filter(|_| message.deliveries.is_empty());
    (message.deliveries.iter().map(went).collect(), reason)
}

fn of_composed(composed: &RenderedBatch) -> Way {
    let Some(Outcome::Message(message)) = composed.iter().next() else { return (Vec::new(), None) };
    let mut all: Vec<_> = message.further().map(|(position, _, it)| (position, it)).collect();
    all.extend(message.delivery.map(|it| (0, it)));
    all.sort_by_key(|(position, _)| *position);
    let reason = message.verdict.reason.filter(|_| all.is_empty());
    (all.into_iter().map(|(_, it)| (it.channel, it.provider, it.address.to_owned())).collect(), reason)
}
