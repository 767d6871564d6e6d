//! A message on its way out, as one JSON document: a CloudEvent, version 1.0. All that a sender needs is in it, so that it
//! may be another process.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Error, Kind, Result};
use crate::model::channel::Channel;
use crate::model::deliver_target::Target;
use crate::model::message_status::{MessageStatus, Reason};
use crate::outbox::Deliveries;
use crate::store::attempts::Attempt;
use crate::store::delivery_queue::QueuedEntry;
use crate::store::{Db, message, outbox};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Envelope {
    pub specversion: String,
    /// `{message_id}/{position}`: the same at every attempt.
    pub id: String,
    /// `/bulkd/{message_tag}`: the file.
    pub source: String,
    #[serde(rename = "type")]
    pub kind: String,
    /// When the message was made.
    pub time: String,
    pub datacontenttype: String,
    pub data: EnvelopeData,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EnvelopeData {
    /// The number of its entry in the queue, which never has another.
    pub entry: i64,
    pub message_id: String,
    pub job_id: String,
    pub recipient: String,
    pub channel: String,
    pub provider: String,
    pub address: String,
    #[serde(default)]
    pub subject: Option<String>,
    pub text: String,
    /// The whole document of an e-mail.
    #[serde(default)]
    pub html: Option<String>,
    /// The provider's, as the outbox shows it.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub request: Value,
    /// An e-mail as it goes over the wire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mail: Option<Mail>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Mail {
    pub from: Option<String>,
    pub to: Vec<String>,
    pub data: String,
}

/// The long parts of an envelope, of which a target needs some.
#[derive(Clone, Copy, Debug)]
pub struct Parts {
    pub html: bool,
    pub request: bool,
    pub mail: bool,
}

impl Parts {
    pub const ALL: Parts = Parts { html: true, request: true, mail: true };

    pub fn of(target: &Target) -> Self {
        match target {
            Target::Smtp(_) => Parts { html: false, request: false, mail: true },
            Target::Provider { .. } => Parts { html: false, request: true, mail: false },
            Target::Webhook { .. } | Target::File(_) | Target::Output => Parts { mail: false, ..Parts::ALL },
        }
    }
}

/// What an entry of the queue comes to.
#[derive(Debug)]
pub enum Read {
    Envelope(Box<Envelope>),
    /// Its message was dropped, or has come to something else meanwhile.
    Gone,
    /// The provider can be given nothing, for this reason.
    Unmade(String),
}

impl Read {
    /// The envelope. `Err` has what its entry comes to without one.
    pub fn envelope(self) -> std::result::Result<Box<Envelope>, Attempt> {
        match self {
            Read::Envelope(envelope) => Ok(envelope),
            Read::Gone => Err(Attempt::Gone),
            Read::Unmade(error) => Err(Attempt::GivenUp { reason: Reason::ProviderError, error }),
        }
    }
}

/// Makes envelopes of entries, and remembers what the messages of a job have in common.
pub struct Envelopes<'a> {
    db: &'a Db<'a>,
    deliveries: Deliveries<'a>,
    source: String,
    parts: Parts,
}

impl<'a> Envelopes<'a> {
    pub fn new(db: &'a Db<'a>, parts: Parts) -> Result<Self> {
        let source = format!("/bulkd/{}", message::file_tag(db)?);
        Ok(Envelopes { db, deliveries: Deliveries::new(db), source, parts })
    }

    /// Fails if the file does. What is wrong with one message is no reason that others wait.
    pub fn read(&mut self, entry: &QueuedEntry) -> Result<Read> {
        match self.try_read(entry) {
            Err(error) if error.kind() != Kind::Unavailable => Ok(Read::Unmade(error.public_message().to_owned())),
            read => read,
        }
    }

    fn try_read(&mut self, entry: &QueuedEntry) -> Result<Read> {
        let Some(place) = message::locate(self.db, entry.number)? else { return Ok(Read::Gone) };
        let found = outbox::get(self.db, &place)?;
        let (message, job) = (&found.message, found.job);
        let delivery = message.deliveries.iter().find(|it| it.position == entry.position);
        let Some(delivery) = delivery.filter(|it| MessageStatus::LIFECYCLE.contains(&it.status)) else {
            return Ok(Read::Gone);
        };
        let html = if self.parts.html { self.deliveries.html(job, message, delivery)? } else { None };
        let request = match self.parts.request {
            true => self.deliveries.request(job, message, delivery)?,
            false => Value::Null,
        };
        let is_email = delivery.channel == Channel::Email;
        if let Some(error) = request.get("error").and_then(Value::as_str).filter(|_| is_email) {
            return Ok(Read::Unmade(error.to_owned()));
        }
        let mail = match self.parts.mail && is_email {
            true => match self.deliveries.mail(job, message, delivery)? {
                Ok(mail) => Some(Mail { from: mail.from, to: mail.to, data: mail.data }),
                Err(error) => return Ok(Read::Unmade(error)),
            },
            false => None,
        };
        Ok(Read::Envelope(Box::new(Envelope {
            specversion: "1.0".to_owned(),
            id: format!("{}/{}", message.message_id, entry.position),
            source: self.source.clone(),
            kind: "bulkd.message".to_owned(),
            time: message.enqueued_at.iso(),
            datacontenttype: "application/json".to_owned(),
            data: EnvelopeData {
                entry: entry.entry.0,
                message_id: message.message_id.clone(),
                job_id: found.job_id.clone(),
                recipient: message.recipient.clone(),
                channel: delivery.channel.name().to_owned(),
                provider: delivery.provider.name().to_owned(),
                address: delivery.address.clone(),
                subject: delivery.subject.clone(),
                text: delivery.body.clone(),
                html,
                request,
                mail,
            },
        })))
    }
}

impl Envelope {
    /// About how much memory it takes.
    pub fn bytes(&self) -> usize {
        let data = &self.data;
        let mail = data.mail.as_ref().map_or(0, |mail| mail.data.len());
        let html = data.html.as_ref().map_or(0, String::len);
        // The request has texts and HTML once more.
        data.text.len() * 2 + html * if data.request.is_null() { 1 } else { 2 } + mail
    }

    pub fn to_json(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|error| Error::internal(error.to_string()))
    }
}
