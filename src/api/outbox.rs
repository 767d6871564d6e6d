//! The outbox over HTTP, for tests that assert on what was sent. Ours; Courier has nothing of the kind.

use serde_json::json;

use super::paging::{self, Cursor};
use super::{Act, Answer, Call};
use crate::error::{Error, Result};
use crate::model::outbox::Channel;
use crate::store::bulk;
use crate::store::outbox::{self, Filter, OutboxMessage};

/// `GET /_bulkd/outbox?job_id=&recipient=&channel=&cursor=&limit=`: messages in the order in which they were written.
pub fn list(call: Call<'_>) -> Result<Act> {
    let query = call.request.query();
    let filter = Filter {
        job_id: paging::query(query, "job_id"),
        recipient: paging::query(query, "recipient"),
        channel: paging::query(query, "channel"),
    };
    if let Some(channel) = &filter.channel
        && Channel::from_name(channel).is_none()
    {
        let names: Vec<&str> = Channel::NAMES.iter().map(|(name, _)| *name).collect();
        return Err(Error::invalid("channel", format_args!("expected one of {}", names.join(", "))));
    }
    let from = Cursor::read(paging::query(query, "cursor").as_deref(), 0)? as i64;
    let limit = paging::limit(query);
    let environment = call.environment;
    Act::query(move |db| {
        if let Some(job_id) = &filter.job_id {
            bulk::get(db, &environment, job_id)?;
        }
        let (messages, more) = outbox::list(db, &environment, &filter, from, limit as usize, paging::PAGE_BYTES)?;
        let next = messages.last().filter(|_| more).map(|last| Cursor { list: 0, position: last.number as u64 + 1 });
        let items: Vec<String> = messages.iter().map(item).collect();
        Ok(Answer::new(200, paging::page(&items, next)))
    })
}

fn item(message: &OutboxMessage) -> String {
    json!({
        "message_id": message.message_id,
        "job_id": message.job_id,
        "recipient": message.recipient,
        "channel": message.channel,
        "address": message.address,
        "status": message.status,
        "subject": message.subject,
        "body": message.body,
        "created_at": message.created_at.millis(),
    })
    .to_string()
}
