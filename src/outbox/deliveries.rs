//! What went out, in full: an e-mail's document with its brand, and the request that the provider would have been sent.
//! Neither is stored. Both follow from a message's own texts and its job's definition, which never change.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::origin::{Origin, made_for};
use crate::error::{Error, Result};
use crate::model::channel::Channel;
use crate::model::definition::{Definition, Reading};
use crate::model::email_headers::EmailHeaders;
use crate::model::message::{StoredDelivery, StoredMessage};
use crate::model::options::MessageOptions;
use crate::model::row::JobRow;
use crate::model::user;
use crate::provider::{self, ProviderMessage, segments};
use crate::render::email::brand::{self as email_brand, CompiledBrand};
use crate::render::email::headers::JobHeaders;
use crate::store::{Db, brand, job, plan};

/// What the messages of a job have in common.
struct Common {
    definition: String,
    options: MessageOptions,
    brand: Option<Value>,
    /// If the brand has variables, so that it differs for each message.
    compiled_brand: Option<CompiledBrand>,
    /// The headers that e-mails have from their template, if there are any.
    headers: Option<JobHeaders>,
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
                let options = MessageOptions::of_stored(&definition);
                let brand = options.branded(brand.and_then(|brand| serde_json::from_str(&brand).ok()));
                let compiled_brand = match brand.as_ref().is_some_and(email_brand::has_variables) {
                    true => {
                        let read = Definition::read(&definition, Reading::Lenient)?;
                        CompiledBrand::new(plan::load(self.db, &job, read)?, job.created_at)
                    }
                    false => None,
                };
                let headers = match plan::email_headers(self.db, &job)? {
                    headers if headers == EmailHeaders::default() => None,
                    _ => {
                        let read = Definition::read(&definition, Reading::Lenient)?;
                        JobHeaders::new(plan::load(self.db, &job, read)?, job.created_at)
                    }
                };
                Ok(place.insert(Common { options, definition, brand, compiled_brand, headers }))
            }
        }
    }

    /// The complete HTML of an e-mail; other channels have none.
    pub fn html(&mut self, job: JobRow, message: &StoredMessage, delivery: &StoredDelivery) -> Result<Option<String>> {
        if delivery.channel != Channel::Email {
            return Ok(None);
        }
        self.read(job, message, delivery, provider::html)
    }

    /// An e-mail's own texts, without its HTML if that is not wanted.
    pub fn email(
        &mut self,
        job: JobRow,
        message: &StoredMessage,
        delivery: &StoredDelivery,
        with_html: bool,
    ) -> Result<provider::Email> {
        self.read(job, message, delivery, |it| provider::email(it, with_html))
    }

    /// An e-mail as it would go over the wire.
    pub fn raw_email(&mut self, job: JobRow, message: &StoredMessage, delivery: &StoredDelivery) -> Result<Vec<u8>> {
        let raw = self.read(job, message, delivery, provider::raw_email)?;
        raw.map_err(|error| Error::invalid("the e-mail", error))
    }

    /// The same with its envelope, or why there is none.
    pub fn mail(
        &mut self,
        job: JobRow,
        message: &StoredMessage,
        delivery: &StoredDelivery,
    ) -> Result<std::result::Result<provider::Mail, String>> {
        self.read(job, message, delivery, provider::mail)
    }

    /// The provider's request.
    pub fn request(&mut self, job: JobRow, message: &StoredMessage, delivery: &StoredDelivery) -> Result<Value> {
        self.read(job, message, delivery, provider::request)
    }

    /// The parts that an SMS is cut into; other channels have none.
    pub fn segments(
        &mut self,
        job: JobRow,
        message: &StoredMessage,
        delivery: &StoredDelivery,
    ) -> Result<Option<Value>> {
        if delivery.channel != Channel::Sms {
            return Ok(None);
        }
        let counted = self.read(job, message, delivery, |it| segments::segments(&provider::output(it).body))?;
        Ok(Some(json!({ "count": counted.count, "encoding": counted.encoding.name() })))
    }

    /// The merged data of a message.
    pub fn data(&mut self, job: JobRow, message: &StoredMessage) -> Result<Value> {
        let db = self.db;
        let common = self.common(job)?;
        Ok(Origin::of(db, job, message, &common.definition, &common.options)?.data)
    }

    /// Passes on all that the provider would have been sent.
    fn read<T>(
        &mut self,
        job: JobRow,
        message: &StoredMessage,
        delivery: &StoredDelivery,
        read: impl FnOnce(&ProviderMessage<'_>) -> T,
    ) -> Result<T> {
        let db = self.db;
        let common = self.common(job)?;
        let passes_data_on = provider::passes_data_on(delivery.provider);
        let mut origin =
            passes_data_on.then(|| Origin::of(db, job, message, &common.definition, &common.options)).transpose()?;
        let (mut brand, mut locale, mut headers) = (None, None, None);
        if delivery.channel == Channel::Email {
            let (stored_profile, user) = made_for(db, job, message)?;
            let (stored_profile, compiled) = (stored_profile.as_deref(), common.compiled_brand.as_ref());
            brand = compiled.map(|compiled| compiled.fill(&message.recipient, &user, stored_profile));
            headers = common.headers.as_ref().and_then(|it| it.fill(&message.recipient, &user, stored_profile));
            locale = user::locale(&user, stored_profile).or_else(|| common.options.locale.clone());
        }
        let profile = origin.as_mut().map(|origin| Value::Object(std::mem::take(&mut origin.merged_profile)));
        let overriding = provider::overrides(&common.options, delivery.channel, delivery.provider);
        let overriding = provider::over_headers(headers.as_ref(), delivery.channel, overriding);
        Ok(read(&ProviderMessage {
            message_id: &message.message_id,
            created_at: message.enqueued_at,
            recipient: &message.recipient,
            provider: delivery.provider,
            channel: delivery.channel,
            address: &delivery.address,
            subject: delivery.subject.as_deref(),
            body: &delivery.body,
            content: delivery.content.as_deref(),
            brand: brand.as_ref().or(common.brand.as_ref()),
            locale: locale.as_deref(),
            override_: overriding.as_ref(),
            metadata: common.options.raw_metadata.as_ref(),
            data: origin.as_ref().map(|origin| &origin.data),
            profile: profile.as_ref(),
        }))
    }

    /// An entry of `GET /messages/{id}/output`. Courier's SDKs expect every member, empty where it does not apply.
    pub fn output(&mut self, job: JobRow, message: &StoredMessage, delivery: &StoredDelivery) -> Result<Value> {
        let output = self.read(job, message, delivery, provider::output)?;
        let block = |(kind, text): &(String, String)| json!({ "type": kind, "text": text });
        let blocks: Vec<Value> = output.blocks.iter().map(block).collect();
        Ok(json!({
            "channel": delivery.channel.name(),
            "channel_id": delivery.channel.name(),
            "content": {
                "html": output.html, "title": output.subject, "subject": output.subject,
                "body": output.body, "text": output.body, "blocks": blocks,
            },
        }))
    }
}
