//! A message as the Messages API shows it.

use serde_json::{Map, Value, json};

use super::bulk::JobKind;
use super::channel::Channel;
use super::message_status::{MessageStatus, Reason};
use super::provider::Provider;
use super::row::{MessageNumber, ProfileVersion};
use crate::clock::Timestamp;

/// A message with what went out.
#[derive(Clone, Debug)]
pub struct StoredMessage {
    /// The row's number in the file.
    pub number: MessageNumber,
    pub message_id: String,
    pub recipient: String,
    pub status: MessageStatus,
    pub reason: Option<Reason>,
    pub error: Option<String>,
    /// In the order in which they were tried.
    pub deliveries: Vec<StoredDelivery>,
    pub enqueued_at: Timestamp,
    /// The place of its user in the job.
    pub seq: u64,
    /// The stored profile that it was made with.
    pub profile_version: Option<ProfileVersion>,
}

/// A message with all else that is known of it.
#[derive(Clone, Debug)]
pub struct TrackedMessage {
    pub stored: StoredMessage,
    /// What happened later, in order.
    pub events: Vec<(MessageStatus, Timestamp)>,
    /// The list that its user was reached by.
    pub list_id: Option<String>,
    /// The tenant of the recipient, which takes precedence over that of the job.
    pub tenant_id: Option<String>,
}

/// What went out on one channel, or was refused there.
#[derive(Clone, Debug)]
pub struct StoredDelivery {
    /// Among the deliveries of its message: 0 is the one in the message's own row.
    pub position: i64,
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
    /// The `event` of a message: the event, else the template, else empty.
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
}

impl TrackedMessage {
    /// The message's present state.
    fn current(&self) -> Snapshot {
        Snapshot { status: Some(self.stored.status), events: self.events.len() }
    }

    /// What a message began as, if it did not wait and something has happened to it since. Its first event tells that,
    /// with the time at which the message was made.
    fn began_as(&self) -> Option<MessageStatus> {
        let (status, at) = self.events.first()?;
        (*at == self.stored.enqueued_at && MessageStatus::LIFECYCLE.contains(status)).then_some(*status)
    }

    /// Whether it waits, or has waited, before it went out.
    pub fn has_waited(&self) -> bool {
        self.stored.status == MessageStatus::Delayed || !self.events.is_empty() && self.began_as().is_none()
    }

    /// When it was made.
    pub fn made_at(&self) -> Timestamp {
        self.events.first().map_or(self.stored.enqueued_at, |(_, at)| *at)
    }

    /// When it took this status, if it did.
    pub fn came_to(&self, status: MessageStatus) -> Option<Timestamp> {
        self.reached(status, self.current())
    }

    /// The snapshots that so many of its events led to. Without any events, those that it began with.
    pub fn snapshots(&self, events: usize) -> impl Iterator<Item = Snapshot> {
        let before = events.checked_sub(2).and_then(|before| self.events.get(before)).map(|(status, _)| *status);
        let status = match events.checked_sub(1) {
            // The beginning was reported when the message was made.
            Some(0) if self.began_as().is_some() => None,
            Some(last) => Some(self.events.get(last).map_or(self.stored.status, |(status, _)| *status)),
            None if self.events.is_empty() => Some(self.stored.status),
            None => Some(self.began_as().unwrap_or(MessageStatus::Delayed)),
        };
        let steps = status.into_iter().flat_map(MessageStatus::up_to);
        let is_new = move |step: &MessageStatus| before.is_none_or(|before| !before.includes(*step));
        steps.filter(is_new).map(move |step| Snapshot { status: Some(step), events })
    }

    /// When the message took this status, if it had at that snapshot.
    fn reached(&self, status: MessageStatus, snapshot: Snapshot) -> Option<Timestamp> {
        let happened = self.events.iter().take(snapshot.events).enumerate();
        // In a snapshot before the final one, only what came before has happened yet.
        let is_over = snapshot.status.is_some_and(|it| it.includes(status));
        let is_whole = |place: usize| is_over || place + 1 < snapshot.events;
        let is_before = |place, it: MessageStatus| it.includes(status) && (is_whole(place) || it.up_to().count() < 2);
        match happened.clone().find(|(place, (it, _))| is_before(*place, *it)) {
            Some((_, (_, at))) => Some(*at),
            None => is_over.then_some(self.stored.enqueued_at),
        }
    }

    /// The record of `GET /messages`: `MessageDetails` of Courier's Node SDK 9, with what is optional in Courier's
    /// documentation of October 2024.
    pub fn record(&self, job: &MessageJob) -> Map<String, Value> {
        self.record_at(job, self.current())
    }

    fn record_at(&self, job: &MessageJob, snapshot: Snapshot) -> Map<String, Value> {
        let mut record = Map::new();
        let mut put = |name: &str, value: Value| {
            if !value.is_null() {
                record.insert(name.to_owned(), value);
            }
        };
        let reached = |status| json!(self.reached(status, snapshot).map(Timestamp::millis));
        let is_over = snapshot.status == Some(self.stored.status);
        put("id", json!(self.stored.message_id));
        put("status", json!(snapshot.name()));
        put("enqueued", json!(self.stored.enqueued_at.millis()));
        put("event", json!(job.event()));
        put("notification", json!(job.notification()));
        put("recipient", json!(self.stored.recipient));
        put("recipientId", json!(self.stored.recipient));
        put("sent", reached(MessageStatus::Sent));
        put("delivered", reached(MessageStatus::Delivered));
        put("opened", reached(MessageStatus::Opened));
        put("clicked", reached(MessageStatus::Clicked));
        put("canceledAt", reached(MessageStatus::Canceled));
        put("reason", json!(self.stored.reason.filter(|_| is_over).map(Reason::name)));
        put("error", json!(self.stored.error.as_ref().filter(|_| is_over)));
        let job_id = Some(&job.job_id).filter(|_| job.kind == JobKind::Bulk);
        put("jobId", json!(job_id));
        put("listId", json!(self.list_id));
        put("traceId", json!(job.trace_id));
        let tags = Some(&job.tags).filter(|tags| !tags.is_empty());
        put("tags", json!(tags));
        record
    }

    /// The record of a message that was requested by its id.
    pub fn record_with_providers(&self, job: &MessageJob) -> Map<String, Value> {
        self.record_with_providers_at(job, self.current())
    }

    /// The record as it was at a snapshot: without what was not known then.
    pub fn record_with_providers_at(&self, job: &MessageJob, snapshot: Snapshot) -> Map<String, Value> {
        let mut record = self.record_at(job, snapshot);
        record.insert("providers".to_owned(), Value::Array(self.providers(snapshot)));
        record
    }

    /// Its `providers`: an entry for each delivery, or one that says that the recipient had opted out, as in the sample
    /// of Courier's page on outbound webhooks.
    fn providers(&self, snapshot: Snapshot) -> Vec<Value> {
        let (Some(status), true) = (snapshot.status, snapshot.status != Some(MessageStatus::Delayed)) else {
            return Vec::new();
        };
        let is_over = status == self.stored.status;
        let has_opted_out = matches!(self.stored.reason, Some(Reason::Unsubscribed | Reason::OptInRequired));
        if is_over && has_opted_out && self.stored.deliveries.is_empty() {
            return vec![json!({ "error": self.stored.error, "status": status.name() })];
        }
        let at = self.reached(status, snapshot).unwrap_or(self.stored.enqueued_at);
        let entry = |it: &StoredDelivery| {
            let mut entry = Map::new();
            let key = match it.channel {
                Channel::DirectMessage => format!("direct_message:{}", it.provider.name()),
                channel => channel.name().to_owned(),
            };
            // A delivery is never ahead of its message.
            let status = if !is_over && it.status.includes(status) { status } else { it.status };
            entry.insert("channel".to_owned(), json!({ "key": key, "name": it.channel.name() }));
            entry.insert("provider".to_owned(), json!(it.provider.name()));
            entry.insert("status".to_owned(), json!(status.name()));
            if it.reason.is_none() {
                let sent_at = self.reached(MessageStatus::Sent, snapshot).unwrap_or(at);
                entry.insert("sent".to_owned(), json!(sent_at.millis()));
            }
            // A bounce keeps the times of what it was before.
            let came_back = status == MessageStatus::Undeliverable && is_over && it.reason == self.stored.reason;
            for before in MessageStatus::LIFECYCLE.into_iter().filter(|_| came_back) {
                if let Some(at) = self.reached(before, snapshot) {
                    entry.insert(before.name().to_lowercase(), json!(at.millis()));
                }
            }
            for later in status.up_to().skip(1) {
                let at = self.reached(later, snapshot).unwrap_or(at);
                entry.insert(later.name().to_lowercase(), json!(at.millis()));
            }
            if let Some(error) = &it.error {
                entry.insert("error".to_owned(), json!(error));
            }
            Value::Object(entry)
        };
        self.stored.deliveries.iter().map(entry).collect()
    }
}

/// A status that a message had.
#[derive(Clone, Copy, Debug)]
pub struct Snapshot {
    /// `None`: it was only enqueued.
    status: Option<MessageStatus>,
    /// How many of its events had happened.
    events: usize,
}

impl Snapshot {
    pub const ENQUEUED: Snapshot = Snapshot { status: None, events: 0 };

    pub fn name(self) -> &'static str {
        self.status.map_or("ENQUEUED", MessageStatus::name)
    }
}
