//! A message as the Messages API tells of it.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::bulk::JobKind;
use super::outbox::{Channel, MessageStatus, Provider, Reason};
use crate::clock::Timestamp;

/// A message with all that is known of it.
#[derive(Clone, Debug)]
pub struct StoredMessage {
    /// The row's number in the file.
    pub number: i64,
    pub message_id: String,
    pub recipient: String,
    pub status: MessageStatus,
    pub reason: Option<Reason>,
    pub error: Option<String>,
    /// In the order in which they were tried.
    pub deliveries: Vec<StoredDelivery>,
    pub enqueued_at: Timestamp,
    /// What happened later, in its order.
    pub events: Vec<(MessageStatus, Timestamp)>,
    /// The place of its user in the job.
    pub seq: u64,
    pub list_id: Option<String>,
    /// The tenant of the recipient, which goes before that of the job.
    pub tenant_id: Option<String>,
    pub profile_version: Option<i64>,
}

/// What went out on one channel, or was refused there.
#[derive(Clone, Debug)]
pub struct StoredDelivery {
    pub status: MessageStatus,
    pub reason: Option<Reason>,
    pub error: Option<String>,
    pub channel: Channel,
    pub provider: Provider,
    pub address: String,
    pub subject: Option<String>,
    pub body: String,
    pub content: Option<String>,
}

/// What the messages of one job have in common.
#[derive(Clone, Debug)]
pub struct MessageJob {
    pub job_id: String,
    pub kind: JobKind,
    pub event: Option<String>,
    pub template_id: Option<String>,
    pub tags: Vec<String>,
    pub trace_id: String,
    pub tenant_id: Option<String>,
    pub is_archived: bool,
}

impl MessageJob {
    /// What `event` says of a message: the event, or else the template, or else nothing.
    pub fn event(&self) -> &str {
        self.event.as_deref().or(self.template_id.as_deref()).unwrap_or_default()
    }

    pub fn notification(&self) -> &str {
        self.template_id.as_deref().or(self.event.as_deref()).unwrap_or_default()
    }
}

impl StoredMessage {
    /// About how much text it holds.
    pub fn bytes(&self) -> usize {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let delivery = |it: &StoredDelivery| it.address.len() + it.body.len() + text(&it.subject) + text(&it.content);
        self.recipient.len() + self.deliveries.iter().map(delivery).sum::<usize>()
    }

    /// When the message came to this status, if it has.
    fn reached(&self, status: MessageStatus) -> Option<Timestamp> {
        self.events.iter().find(|(it, _)| *it == status).map(|(_, at)| *at)
    }

    /// When it was sent: what is sent at once is sent when it is enqueued.
    fn sent_at(&self) -> Option<Timestamp> {
        use MessageStatus::*;
        let went = matches!(self.status, Sent | Delivered | Opened | Clicked);
        let later = self.events.iter().find(|(it, _)| matches!(it, Sent | Delivered | Opened | Clicked));
        went.then(|| later.map_or(self.enqueued_at, |(_, at)| *at))
    }

    /// The record of `GET /messages/{id}` and of webhooks (contract: NODE9 `MessageDetails`, and DOCS24 for what is
    /// optional).
    pub fn record(&self, job: &MessageJob) -> Map<String, Value> {
        let mut record = Map::new();
        let mut put = |name: &str, value: Value| {
            if !value.is_null() {
                record.insert(name.to_owned(), value);
            }
        };
        put("id", json!(self.message_id));
        put("status", json!(self.status.name()));
        put("enqueued", json!(self.enqueued_at.millis()));
        put("event", json!(job.event()));
        put("notification", json!(job.notification()));
        put("recipient", json!(self.recipient));
        put("recipientId", json!(self.recipient));
        let sent_at = self.sent_at();
        let from = |statuses: &[MessageStatus]| {
            let reached = statuses.iter().find_map(|status| self.reached(*status));
            reached.or(sent_at.filter(|_| statuses.contains(&self.status))).map(Timestamp::millis)
        };
        use MessageStatus::{Clicked, Delivered, Opened};
        put("sent", json!(sent_at.map(Timestamp::millis)));
        put("delivered", json!(from(&[Delivered, Opened, Clicked])));
        put("opened", json!(from(&[Opened, Clicked])));
        put("clicked", json!(from(&[Clicked])));
        put("canceledAt", json!(self.reached(MessageStatus::Canceled).map(Timestamp::millis)));
        put("reason", json!(self.reason.map(Reason::name)));
        put("error", json!(self.error));
        let job_id = Some(&job.job_id).filter(|_| job.kind == JobKind::Bulk);
        put("jobId", json!(job_id));
        put("listId", json!(self.list_id));
        put("traceId", json!(job.trace_id));
        let tags = Some(&job.tags).filter(|tags| !tags.is_empty());
        put("tags", json!(tags));
        record
    }

    /// The record of a message that is asked for by its id.
    pub fn record_with_providers(&self, job: &MessageJob) -> Map<String, Value> {
        let mut record = self.record(job);
        record.insert("providers".to_owned(), Value::Array(self.providers()));
        record
    }

    /// Its `providers`: an entry a delivery.
    fn providers(&self) -> Vec<Value> {
        let sent_at = self.sent_at().unwrap_or(self.enqueued_at);
        let entry = |it: &StoredDelivery| {
            let mut entry = Map::new();
            let key = match it.channel {
                Channel::DirectMessage => format!("direct_message:{}", it.provider.name()),
                channel => channel.name().to_owned(),
            };
            entry.insert("channel".to_owned(), json!({ "key": key, "name": it.channel.name() }));
            entry.insert("provider".to_owned(), json!(it.provider.name()));
            entry.insert("status".to_owned(), json!(it.status.name()));
            if it.reason.is_none() {
                entry.insert("sent".to_owned(), json!(sent_at.millis()));
            }
            if let Some(error) = &it.error {
                entry.insert("error".to_owned(), json!(error));
            }
            Value::Object(entry)
        };
        self.deliveries.iter().map(entry).collect()
    }
}

/// The parts of a definition that the Messages API asks for. Read leniently: it was checked when it came.
#[derive(Default, Deserialize)]
pub struct About {
    #[serde(default)]
    pub event: Option<String>,
    #[serde(default)]
    pub template: Option<String>,
    #[serde(default)]
    pub metadata: Option<super::definition::Metadata>,
    #[serde(default)]
    pub context: Option<Value>,
    #[serde(default)]
    pub message: Option<Box<About>>,
}
