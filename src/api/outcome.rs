//! How messages end, and what happens to them later, as a test sets it. Ours; at Courier providers report it.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::call::{Action, Answer, Call, Change, ChangedEnvironment};
use super::message::place_or;
use super::notes::Notes;
use super::paging::{Cursor, PageText, PagedList};
use super::span;
use crate::error::{Error, Result};
use crate::json;
use crate::model::message_status::Reason;
use crate::model::outcome::{Ending, OutcomeOf, verdict};
use crate::store::{settle, tracking};

/// Outcomes of one environment at most.
const PER_ENVIRONMENT: usize = 1_000;
/// Characters of an address or a recipient, at most.
pub const CHARACTERS: usize = 1_000;

#[derive(Deserialize)]
struct OutcomeBody<'a> {
    #[serde(default)]
    address: Option<String>,
    #[serde(default)]
    recipient: Option<String>,
    #[serde(default)]
    message_id: Option<String>,
    status: String,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default, borrow)]
    after: Option<&'a RawValue>,
}

fn shown_of(of: &OutcomeOf, Ending { after_millis, verdict }: &Ending) -> Value {
    let mut shown = match of {
        OutcomeOf::Address(address) => json!({ "address": address }),
        OutcomeOf::Recipient(recipient) => json!({ "recipient": recipient }),
    };
    shown["status"] = json!(verdict.status.name());
    if let Some(reason) = verdict.reason {
        shown["reason"] = json!(Reason::name(reason));
    }
    if *after_millis > 0 {
        shown["after"] = json!(after_millis);
    }
    shown
}

/// `PUT /_bulkd/outcomes` with `{address | recipient, status, reason?, after?}`: 200 with the outcome, which holds for
/// messages that are made from now on. With `{message_id, status, reason?, after?}` the message takes that status, now
/// or later: 200 with its record.
pub fn put(mut call: Call<'_>) -> Result<Action> {
    let text = call.json()?;
    let body: OutcomeBody<'_> = json::read(&text, String::new)?;
    let verdict =
        verdict(&body.status, body.reason.as_deref()).map_err(|(member, expected)| Error::invalid(member, expected))?;
    let after_millis = body.after.map_or(Ok(0), |after| span::read(after, "after"))?;
    let ending = Ending { after_millis, verdict };
    let of = match (body.address, body.recipient, body.message_id) {
        (None, None, Some(message_id)) => return happen(message_id, ending, call.notes()),
        (Some(address), None, None) if !address.is_empty() => OutcomeOf::Address(address.to_ascii_lowercase()),
        (None, Some(recipient), None) if !recipient.is_empty() => OutcomeOf::Recipient(recipient),
        _ => return Err(Error::invalid("the body", "expected one of address, recipient and message_id")),
    };
    let (member, name) = match &of {
        OutcomeOf::Address(name) => ("address", name),
        OutcomeOf::Recipient(name) => ("recipient", name),
    };
    if name.chars().count() > CHARACTERS {
        return Err(Error::invalid(member, format_args!("expected at most {CHARACTERS} characters")));
    }
    Action::prepare(move |view| {
        let outcomes = view.store().outcomes().clone();
        Ok(Change::new(ChangedEnvironment::Made, move |_, environment| {
            let answer = Answer::new(200, shown_of(&of, &ending).to_string());
            outcomes.change(environment, move |rules| {
                if rules.0.len() >= PER_ENVIRONMENT && !rules.0.contains_key(&of) {
                    let problem = format!("there are {PER_ENVIRONMENT} outcomes already; delete some first");
                    return Err(Error::conflict(problem));
                }
                rules.0.insert(of, ending);
                Ok(answer)
            })
        }))
    })
}

/// `GET /_bulkd/outcomes?cursor=&limit=`: 200 `{items, paging}`.
pub fn list(call: Call<'_>) -> Result<Action> {
    let (query, list) = (call.query(), PagedList::Outcomes);
    let (from, limit) = (Cursor::read(query.cursor().as_deref(), list)?, query.limit());
    Action::prepare(move |view| {
        let rules = view.store().outcomes().of(view.read(|_, row| Ok(row))?).unwrap_or_default();
        let show = |(of, ending): (&OutcomeOf, &Ending)| Ok(shown_of(of, ending));
        let (page, next) = PageText::of_places((list, from, limit), rules.0.iter(), show)?;
        let answer = Answer::new(200, page.end_items(next));
        Ok(Change::new(ChangedEnvironment::Existing, |_, _| Ok(answer)).sure())
    })
}

/// `DELETE /_bulkd/outcomes?address=&recipient=`: 204. Deletes the one that is named, or without a name all.
pub fn delete(call: Call<'_>) -> Result<Action> {
    let query = call.query();
    // A name that is empty by mistake must not delete all.
    if let Some(empty) = ["address", "recipient"].into_iter().find(|name| query.is_empty(name)) {
        return Err(Error::invalid(empty, "expected whose outcome to delete; leave it out to delete all"));
    }
    let of = match (query.one("address"), query.one("recipient")) {
        (Some(address), None) => Some(OutcomeOf::Address(address.to_ascii_lowercase())),
        (None, Some(recipient)) => Some(OutcomeOf::Recipient(recipient)),
        (None, None) => None,
        (Some(_), Some(_)) => return Err(Error::invalid("recipient", "expected none beside address")),
    };
    Action::prepare(move |view| {
        let outcomes = view.store().outcomes().clone();
        Ok(Change::new(ChangedEnvironment::Existing, move |_, environment| {
            outcomes.change(environment, |rules| match &of {
                None => {
                    rules.0.clear();
                    Ok(Answer::new(204, ""))
                }
                Some(of) => match rules.0.remove(of) {
                    Some(_) => Ok(Answer::new(204, "")),
                    None => Err(Error::not_found("there is no such outcome under this API key")),
                },
            })
        }))
    })
}

#[derive(Deserialize)]
struct EventBody {
    status: String,
    #[serde(default)]
    reason: Option<String>,
}

/// `POST /_bulkd/messages/{message_id}/events` with `{status, reason?}`: 200 with the record, after that has happened to
/// the message. Webhooks get it.
pub fn create_event(mut call: Call<'_>) -> Result<Action> {
    let message_id = call.path("message_id");
    let body: EventBody = json::read(&call.json()?, String::new)?;
    let verdict =
        verdict(&body.status, body.reason.as_deref()).map_err(|(member, expected)| Error::invalid(member, expected))?;
    happen(message_id, Ending { after_millis: 0, verdict }, call.notes())
}

fn happen(message_id: String, ending: Ending, notes: Notes) -> Result<Action> {
    Action::change_existing(move |tx, environment| {
        let unknown = || Error::unknown("message_id", "message", &message_id);
        let place = place_or(unknown, tx, environment, (&message_id, &notes))?;
        match ending.after_millis {
            0 => settle::happen(tx, &place, &ending.verdict)?,
            _ => settle::happen_later(tx, &place, &ending)?,
        }
        Ok(Answer::new(200, tracking::record(tx, &place)?.to_string()))
    })
}
