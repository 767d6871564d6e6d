//! The outbox over HTTP, for tests that assert on what was sent. Ours; Courier has nothing of the kind.

use serde_json::{Value, json};

use super::call::{Action, Answer, Call};
use super::paging::{self, Cursor, PagedList};
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
    let (mut items, mut bytes, mut deliveries) = (Vec::new(), 0, Deliveries::new(db));
    for found in &page.items {
        if bytes >= paging::PAGE_BYTES {
            next = Some(found.message.number);
            break;
        }
        let first = items.len();
        items.append(&mut entries(found, filter, &mut deliveries)?);
        bytes += items.iter().skip(first).map(String::len).sum::<usize>();
    }
    let next = next.map(|number| Cursor { list: PagedList::Outbox, position: number.0.unsigned_abs() });
    Ok(Answer::new(200, paging::page(&items, next)))
}

fn entries(found: &OutboxMessage, filter: &OutboxFilter, deliveries: &mut Deliveries<'_>) -> Result<Vec<String>> {
    let message = &found.message;
    if message.deliveries.is_empty() {
        return Ok(vec![entry(found, None, Value::Null, None, None).to_string()]);
    }
    let wanted = |it: &&StoredDelivery| filter.channel.as_deref().is_none_or(|channel| channel == it.channel.name());
    let entries = message.deliveries.iter().filter(wanted).map(|it| {
        let request = deliveries.request(found.job, message, it)?;
        let html = deliveries.html(found.job, message, it)?;
        let segments = deliveries.segments(found.job, message, it)?;
        Ok(entry(found, Some(it), request, html, segments).to_string())
    });
    entries.collect()
}

fn entry(
    found: &OutboxMessage,
    it: Option<&StoredDelivery>,
    request: Value,
    html: Option<String>,
    segments: Option<Value>,
) -> Value {
    let message = &found.message;
    json!({
        "message_id": message.message_id,
        "job_id": found.job_id,
        "recipient": message.recipient,
        "channel": it.map(|it| it.channel.name()),
        "provider": it.map(|it| it.provider.name()),
        "address": it.map(|it| &it.address),
        "status": it.map_or(message.status, |it| it.status).name(),
        "reason": it.map_or(message.reason, |it| it.reason).map(|reason| reason.name()),
        "error": it.map_or(&message.error, |it| &it.error),
        "subject": it.and_then(|it| it.subject.as_ref()),
        "body": it.map(|it| &it.body),
        "content": it.and_then(|it| it.content.as_ref()),
        "html": html,
        "segments": segments,
        "request": request,
        "created_at": message.enqueued_at.millis(),
    })
}
