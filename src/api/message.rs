//! The Messages API: what became of each message.

use serde_json::{Value, json};

use super::call::{Action, Answer, Call, Change, ChangedEnvironment};
use super::notes::Notes;
use super::paging::{self, Cursor, PagedList};
use crate::clock::Timestamp;
use crate::error::{Error, Result, shown};
use crate::findings::Check;
use crate::model::bulk::JobKind;
use crate::model::definition::{Definition, Reading};
use crate::model::environment::EnvironmentRow;
use crate::model::row::MessageNumber;
use crate::model::send_v1;
use crate::model::user;
use crate::outbox::{Deliveries, history};
use crate::send::SendRequest;
use crate::settings::Contract;
use crate::store;
use crate::store::message::{self, MessageLocation};
use crate::store::message_search::{self, MessageFilter, PageLimits};
use crate::store::{Db, gone, job, settle, tracking};

/// Messages that a search looks at before it ends a page, found or not: about a second.
const SCAN_BUDGET: i64 = 1_000_000;

/// `GET /messages` with its filters: 200 `{paging, results}`, the newest first. A page may be empty although there are
/// more.
pub fn list(call: Call<'_>) -> Result<Action> {
    let (query, filter) = (call.query(), filter(&call)?);
    let up_to = match Cursor::read(query.cursor().as_deref(), PagedList::Messages)? {
        0 => i64::MAX,
        number => i64::try_from(number).unwrap_or(i64::MAX),
    };
    let up_to = MessageNumber(up_to);
    let limits = PageLimits { messages: query.limit() as usize, bytes: paging::PAGE_BYTES, scan_budget: SCAN_BUDGET };
    Action::query(move |db, environment| {
        let page = message_search::list(db, environment, &filter, up_to, limits)?;
        let next = page.next.map(|number| Cursor { list: PagedList::Messages, position: number.0.unsigned_abs() });
        let items = page.items.into_iter();
        Ok(Answer::new(
            200,
            paging::results(items.map(|(message, job)| Ok(Value::Object(message.record(&job)).to_string())), next)?,
        ))
    })
}

fn filter(call: &Call<'_>) -> Result<MessageFilter> {
    let query = call.query();
    let text = |name| query.one(name);
    Ok(MessageFilter {
        archived: text("archived").is_some_and(|it| it == "true" || it == "1"),
        enqueued_after: enqueued_after(call)?,
        event: text("event"),
        list_id: text("list"),
        message_id: text("messageId"),
        notification: text("notification"),
        providers: query.all("provider"),
        recipient: text("recipient"),
        statuses: query.all("status"),
        tags: query.all("tag"),
        any_tags: query.all("tags"),
        tenant_id: text("tenant_id"),
        trace_id: text("traceId"),
    })
}

/// An instant. The SDKs' own samples send something else, which the OpenAPI's reading accepts.
fn enqueued_after(call: &Call<'_>) -> Result<Option<Timestamp>> {
    let Some(text) = call.query().one("enqueued_after") else {
        return Ok(None);
    };
    match Timestamp::parse(&text) {
        None if call.settings.contract == Contract::OpenApi => Ok(None),
        None => Err(Error::invalid("enqueued_after", "expected epoch milliseconds or an ISO 8601 date")),
        at => Ok(at),
    }
}

fn place(db: &Db<'_>, environment: EnvironmentRow, message_id: &str, notes: &Notes) -> Result<MessageLocation> {
    // Courier's words.
    place_or(|| Error::not_found("Not Found"), db, environment, (message_id, notes))
}

/// Where a message is, or what is `unknown` with why it is.
pub(super) fn place_or(
    unknown: impl FnOnce() -> Error,
    db: &Db<'_>,
    environment: EnvironmentRow,
    (message_id, notes): (&str, &Notes),
) -> Result<MessageLocation> {
    if let Some(place) = message::find(db, environment, message_id)? {
        return Ok(place);
    }
    if job::find(db, environment, message_id)?.is_some() {
        notes.note(Check::JobIdAsMessageId, message_id, || {
            format!("{} is the id of a job, and was used as a message's", shown(message_id))
        });
        return Err(unknown().explained("; this is the id of a job, whose users each have a 'messageId'"));
    }
    Err(unknown().explained(&gone::reason(db, message_id)?))
}

/// `GET /messages/{message_id}`: 200, the record with its `providers`.
pub fn get(mut call: Call<'_>) -> Result<Action> {
    let (notes, message_id) = (call.notes(), call.path("message_id"));
    Action::query(move |db, environment| {
        let place = place(db, environment, &message_id, &notes)?;
        let record = tracking::record(db, &place)?;
        Ok(Answer::new(200, record.to_string()))
    })
}

/// `GET /messages/{message_id}/history?type=`: 200 `{results}`, in the order in which it happened. A type that is not
/// known finds nothing.
pub fn history(mut call: Call<'_>) -> Result<Action> {
    let wanted = call.query().one("type");
    let (notes, message_id) = (call.notes(), call.path("message_id"));
    Action::query(move |db, environment| {
        let place = place(db, environment, &message_id, &notes)?;
        let mut events = history::of(db, &place)?;
        events.retain(|event| wanted.as_ref().is_none_or(|wanted| event["type"] == wanted.as_str()));
        Ok(Answer::new(200, json!({ "results": events }).to_string()))
    })
}

/// `GET /messages/{message_id}/output`: 200 `{results}`, an entry a channel.
pub fn output(mut call: Call<'_>) -> Result<Action> {
    let (notes, message_id) = (call.notes(), call.path("message_id"));
    Action::query(move |db, environment| {
        let place = place(db, environment, &message_id, &notes)?;
        let message = tracking::get(db, &place)?.stored;
        let mut deliveries = Deliveries::new(db);
        let results = message.deliveries.iter().map(|it| deliveries.output(place.job, &message, it));
        Ok(Answer::new(200, json!({ "results": results.collect::<Result<Vec<_>>>()? }).to_string()))
    })
}

/// `POST /messages/{message_id}/cancel`: 200 with the record if the message was waiting for its time, else 409 with the
/// same record.
pub fn cancel(mut call: Call<'_>) -> Result<Action> {
    let (notes, message_id) = (call.notes(), call.path("message_id"));
    Action::change_existing(move |tx, environment| {
        let place = place(tx, environment, &message_id, &notes)?;
        let status = if settle::cancel(tx, place.number)? { 200 } else { 409 };
        let record = tracking::record(tx, &place)?;
        Ok(Answer::new(status, record.to_string()))
    })
}

/// `POST /messages/{message_id}/resend`: 202 `{messageId}` of a new message, made of the same definition and user with
/// what is stored now.
pub fn resend(mut call: Call<'_>) -> Result<Action> {
    let (notes, message_id, messages) = (call.notes(), call.path("message_id"), call.settings.messages);
    Action::prepare(move |view| {
        let (definition, recipient, user, is_v1) = view.read(|db, environment| {
            let place = place(db, environment, &message_id, &notes)?;
            let (job, definition) = job::get_by_number(db, place.job)?;
            let (recipient, user) = store::user::get(db, place.job, place.seq)?;
            // A user of a job keeps its recipient id, even one that was made up here.
            let is_of_job = job.kind == JobKind::Bulk;
            let user = if is_of_job { user::named(user, &recipient)? } else { user };
            let is_v1 = !is_of_job && send_v1::is_definition(&definition);
            Ok((definition, recipient, user, is_v1))
        })?;
        let understood = Definition::read(&definition, Reading::Lenient)?;
        let send = SendRequest { is_v1, ..SendRequest::new(definition, messages) };
        let send = send.prepare(view, understood, vec![(recipient, user)])?;
        notes.note_send(send.told().iter().cloned());
        let change = Change::new(ChangedEnvironment::Prepared(send.environment()), move |tx, environment| {
            let message_id = send.write(tx, environment)?;
            Ok(Answer::new(202, format!("{{\"messageId\":\"{message_id}\"}}")))
        });
        Ok(change.sure())
    })
}

/// `PUT /requests/{request_id}/archive`: 204. The messages of the request are left out of lists from now on.
pub fn archive(mut call: Call<'_>) -> Result<Action> {
    let request_id = call.path("request_id");
    Action::change_existing(move |tx, environment| match tracking::archive(tx, environment, &request_id)? {
        true => Ok(Answer::new(204, "")),
        false => {
            let unknown = Error::unknown("request_id", "request", &request_id);
            Err(unknown.explained(&gone::reason(tx, &request_id)?))
        }
    })
}
