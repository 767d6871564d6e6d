//! What went out, in full: an e-mail in its brand's frame, and the request that the provider would have been given.
//! Neither is stored. Both follow from a message's own texts and from what its job was made of, which never change.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::model::channel::Channel;
use crate::model::definition::{Definition, Reading};
use crate::model::history::Origin;
use crate::model::message::{StoredDelivery, StoredMessage};
use crate::model::options::MessageOptions;
use crate::model::row::JobRow;
use crate::render::brand::Frame;
use crate::render::provider::{self, Outgoing};
use crate::render::{self, segments};
use crate::store::{Db, brand, job, plan, profile, user};

/// What the messages of a job have in common.
struct Common {
    definition: String,
    options: MessageOptions,
    brand: Option<Value>,
    /// If the brand is another one for each message.
    frame: Option<Frame>,
}

/// The jobs that were looked up so far.
pub struct Deliveries<'a> {
    db: &'a Db<'a>,
    jobs: HashMap<JobRow, Common>,
}

impl<'a> Deliveries<'a> {
    pub fn new(db: &'a Db<'a>) -> Self {
        Deliveries { db, jobs: HashMap::new() }
    }

    fn common(&mut self, job: JobRow) -> Result<&Common> {
        use std::collections::hash_map::Entry;
        match self.jobs.entry(job) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(place) => {
                let (job, definition) = job::get_by_number(self.db, job)?;
                let brand = job.brand_version.map(|version| brand::get_version(self.db, version)).transpose()?;
                let brand = brand.and_then(|brand| serde_json::from_str(&brand).ok());
                let frame = match brand.as_ref().is_some_and(render::brand::has_variables) {
                    true => {
                        let read = Definition::read(&definition, Reading::Lenient)?;
                        Frame::new(plan::load(self.db, &job, read)?, job.created_at)
                    }
                    false => None,
                };
                Ok(place.insert(Common { options: MessageOptions::of_stored(&definition), definition, brand, frame }))
            }
        }
    }

    /// The complete HTML of an e-mail; other channels have none.
    pub fn html(&mut self, job: JobRow, message: &StoredMessage, it: &StoredDelivery) -> Result<Option<String>> {
        if it.channel != Channel::Email {
            return Ok(None);
        }
        self.outgoing(job, message, it, provider::html)
    }

    /// The provider's request.
    pub fn request(&mut self, job: JobRow, message: &StoredMessage, it: &StoredDelivery) -> Result<Value> {
        self.outgoing(job, message, it, provider::request)
    }

    /// The parts that an SMS is cut into; other channels have none.
    pub fn segments(&mut self, job: JobRow, message: &StoredMessage, it: &StoredDelivery) -> Result<Option<Value>> {
        if it.channel != Channel::Sms {
            return Ok(None);
        }
        let counted =
            self.outgoing(job, message, it, |outgoing| segments::segments(&provider::shown(outgoing).body))?;
        Ok(Some(json!({ "count": counted.count, "encoding": counted.encoding.name() })))
    }

    fn outgoing<T>(
        &mut self,
        job: JobRow,
        message: &StoredMessage,
        it: &StoredDelivery,
        use_it: impl FnOnce(&Outgoing<'_>) -> T,
    ) -> Result<T> {
        let db = self.db;
        let common = self.common(job)?;
        let takes_data = provider::takes_data(it.provider);
        let origin = takes_data.then(|| origin(db, job, message, &common.definition, &common.options)).transpose()?;
        let frame = common.frame.as_ref().filter(|_| it.channel == Channel::Email);
        let brand = frame.map(|frame| {
            let (stored_profile, user) = made_for(db, job, message)?;
            Ok::<_, Error>(frame.fill(&message.recipient, &user, stored_profile.as_deref()))
        });
        let brand = brand.transpose()?;
        let profile = origin.as_ref().map(|origin| Value::Object(origin.merged_profile()));
        let overriding = provider::overrides(&common.options, it.channel, it.provider);
        Ok(use_it(&Outgoing {
            message_id: &message.message_id,
            created_at: message.enqueued_at,
            recipient: &message.recipient,
            provider: it.provider,
            channel: it.channel,
            address: &it.address,
            subject: it.subject.as_deref(),
            body: &it.body,
            content: it.content.as_deref(),
            brand: brand.as_ref().or(common.brand.as_ref()),
            override_: overriding.as_ref(),
            metadata: common.options.raw_metadata.as_ref(),
            data: origin.as_ref().map(|origin| &origin.data),
            profile: profile.as_ref(),
        }))
    }

    /// An entry of `GET /messages/{id}/output`. Courier's SDKs want every member there, empty where it does not apply.
    pub fn output(&mut self, job: JobRow, message: &StoredMessage, it: &StoredDelivery) -> Result<Value> {
        let shown = self.outgoing(job, message, it, provider::shown)?;
        let block = |element: &Value| {
            let text = element.get("content").or(element.get("alt_text")).and_then(Value::as_str).unwrap_or_default();
            json!({ "type": element.get("type").and_then(Value::as_str).unwrap_or_default(), "text": text })
        };
        let blocks: Vec<Value> = shown.elements.iter().map(block).collect();
        Ok(json!({
            "channel": it.channel.name(),
            "channel_id": it.channel.name(),
            "content": {
                "html": shown.html, "title": shown.subject, "subject": shown.subject,
                "body": shown.body, "text": shown.body, "blocks": blocks,
            },
        }))
    }
}

/// What a message of a job with this definition was made of.
pub fn origin(
    db: &Db<'_>,
    job: JobRow,
    message: &StoredMessage,
    definition: &str,
    options: &MessageOptions,
) -> Result<Origin> {
    let (stored_profile, user) = made_for(db, job, message)?;
    Ok(Origin::read(definition, options, &user, stored_profile.as_deref()))
}

/// The stored profile that a message was made with, and the user as it was sent.
fn made_for(db: &Db<'_>, job: JobRow, message: &StoredMessage) -> Result<(Option<String>, String)> {
    let stored_profile = message.profile_version.map(|version| profile::get_version(db, version)).transpose()?;
    Ok((stored_profile, user::get(db, job, message.seq)?.1))
}
