//! The outbox over HTTP, for tests that assert on what was sent. Ours; Courier has nothing of the kind.

use serde::Serialize;
use serde_json::Value;

use super::call::{Action, Answer, Call};
use super::paging::{self, Cursor, PageText, PagedList};
use crate::error::{Error, Result};
use crate::model::channel::Channel;
use crate::model::environment::EnvironmentRow;
use crate::model::message::StoredDelivery;
use crate::model::row::MessageNumber;
use crate::outbox::Deliveries;
use crate::store::outbox::{self, OutboxFilter, OutboxMessage};
use crate::store::{Db, gone, job, message};

/// `GET /_bulkd/outbox?job_id=&message_id=&recipient=&channel=&cursor=&limit=`: what went out, in the order in which it
/// was written; an entry a channel, and one for a message that did not go out at all. A send's request id is its
/// `job_id`.
pub fn list(call: Call<'_>) -> Result<Action> {
    let query = call.query();
    let (job_id, recipient, channel) = (query.one("job_id"), query.one("recipient"), query.one("channel"));
    let message_id = query.one("message_id");
    channel.as_deref().map_or(Ok(()), known_channel)?;
    let mut filter = OutboxFilter { job_id, number: None, recipient, channel };
    let from = MessageNumber(Cursor::read(query.cursor().as_deref(), PagedList::Outbox)? as i64);
    let limit = query.limit();
    Action::query(move |db, environment| {
        if let Some(job_id) = &filter.job_id
            && job::find(db, environment, job_id)?.is_none()
        {
            return Err(job::not_found(db, job_id)?);
        }
        if let Some(message_id) = &message_id {
            let place = message::find(db, environment, message_id)?;
            let Some(place) = place else {
                let unknown = Error::unknown("message_id", "message", message_id);
                return Err(unknown.explained(&gone::reason(db, message_id)?));
            };
            filter.number = Some(place.number);
        }
        page(db, environment, &filter, from, limit as usize)
    })
}

fn known_channel(name: &str) -> Result<()> {
    if Channel::from_name(name).is_some() {
        return Ok(());
    }
    let names: Vec<&str> = Channel::NAMES.iter().map(|(name, _)| *name).collect();
    Err(Error::invalid("channel", format_args!("expected one of {}", names.join(", "))))
}

/// The page ends early where what is derived from its rows is larger than a page may be.
fn page(
    db: &Db<'_>,
    environment: EnvironmentRow,
    filter: &OutboxFilter,
    from: MessageNumber,
    limit: usize,
) -> Result<Answer> {
    let page = outbox::list(db, environment, filter, from, limit, paging::PAGE_BYTES)?;
    let mut next = page.next;
    let (mut text, mut deliveries) = (PageText::of_items(), Deliveries::new(db));
    for found in page.items {
        if !text.has_room() {
            next = Some(found.message.number);
            break;
        }
        write_entries(&found, filter, &mut deliveries, &mut text)?;
    }
    let next = next.map(|number| Cursor { list: PagedList::Outbox, position: number.0.unsigned_abs() });
    Ok(Answer::new(200, text.end_items(next)))
}

fn write_entries(
    found: &OutboxMessage,
    filter: &OutboxFilter,
    deliveries: &mut Deliveries<'_>,
    text: &mut PageText,
) -> Result<()> {
    let message = &found.message;
    if message.deliveries.is_empty() {
        return text.push_value(&Entry::new(found, None));
    }
    let wanted = |it: &&StoredDelivery| filter.channel.as_deref().is_none_or(|channel| channel == it.channel.name());
    for it in message.deliveries.iter().filter(wanted) {
        let request = deliveries.request(found.job, message, it)?;
        let html = deliveries.html(found.job, message, it)?;
        let segments = deliveries.segments(found.job, message, it)?;
        text.push_value(&Entry { request, html, segments, ..Entry::new(found, Some(it)) })?;
    }
    Ok(())
}

/// An entry as it is shown. Its texts may be long: they are written from where they are.
#[derive(Serialize)]
struct Entry<'a> {
    message_id: &'a str,
    job_id: &'a str,
    recipient: &'a str,
    channel: Option<&'static str>,
    provider: Option<&'static str>,
    address: Option<&'a str>,
    status: &'static str,
    reason: Option<&'static str>,
    error: Option<&'a str>,
    subject: Option<&'a str>,
    body: Option<&'a str>,
    content: Option<&'a str>,
    html: Option<String>,
    segments: Option<Value>,
    request: Value,
    created_at: i64,
}

impl<'a> Entry<'a> {
    /// Of a delivery, or of a message that did not go out.
    fn new(found: &'a OutboxMessage, it: Option<&'a StoredDelivery>) -> Self {
        let message = &found.message;
        Entry {
            message_id: &message.message_id,
            job_id: &found.job_id,
            recipient: &message.recipient,
            channel: it.map(|it| it.channel.name()),
            provider: it.map(|it| it.provider.name()),
            address: it.map(|it| it.address.as_str()),
            status: it.map_or(message.status, |it| it.status).name(),
            reason: it.map_or(message.reason, |it| it.reason).map(|reason| reason.name()),
            error: it.map_or(&message.error, |it| &it.error).as_deref(),
            subject: it.and_then(|it| it.subject.as_deref()),
            body: it.map(|it| it.body.as_str()),
            content: it.and_then(|it| it.content.as_deref()),
            html: None,
            segments: None,
            request: Value::Null,
            created_at: message.enqueued_at.millis(),
        }
    }
}
