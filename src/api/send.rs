//! `POST /send`: one message, or one to each of many.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::call::{Action, Answer, Call, Change, ChangedEnvironment};
use super::notes::Notes;
use crate::error::{Error, Result};
use crate::findings::Check;
use crate::json;
use crate::json::members::{self, Raw, members};
use crate::model::definition::{Definition, Reading};
use crate::model::no_effect;
use crate::model::send_to::{self, SendRecipient};
use crate::model::send_v1::{self, SendV1};
use crate::send::{self, SendRequest};
use crate::settings::Contract;

#[derive(Deserialize)]
struct SendBody<'a> {
    #[serde(borrow, default)]
    message: Option<&'a RawValue>,
}

members! {
    struct MessageTo<'a> {
        #[serde(borrow)]
        to: Raw<'a> = "to",
    }
}

/// `POST /send` with `{message}`: 202 `{requestId}`, which for a single recipient is the message's id. Recipients that
/// are named get the message in this request, unless that is too much to hold. The subscribers of lists get theirs from
/// the runner. With `{event, recipient}`, the first version of it: 200 `{messageId}`.
pub fn send(mut call: Call<'_>) -> Result<Action> {
    let body = call.json()?;
    let message = match json::read::<SendBody<'_>>(&body, String::new)?.message {
        Some(message) => message.get(),
        None if send_v1::is_v1(&body) => return send_v1(&call, SendV1::to_user(&body)?),
        None => return Err(Error::invalid("the body", "expected a field 'message'")),
    };
    let lenient = call.settings.contract == Contract::OpenApi;
    let definition = Definition::read(message, if lenient { Reading::Lenient } else { Reading::Send })?;
    let to = match members::read::<MessageTo<'_>>(message, || "message".to_owned())?.to {
        Some(Raw(to)) => send_to::read(to)?,
        _ if lenient => Vec::new(),
        _ => return Err(Error::invalid("message.to", "expected a recipient, or an array of them")),
    };
    let notes = call.notes();
    tell(no_effect::of(message), &to, &notes);
    let send = SendRequest::new(message.to_owned(), call.settings.messages);
    prepare(send, notes, definition, to, |request_id| Answer::new(202, format!("{{\"requestId\":\"{request_id}\"}}")))
}

/// `POST /send/list` with `{event, list}` or `{event, pattern}`: 200 `{messageId}`.
pub fn send_list(mut call: Call<'_>) -> Result<Action> {
    let body = call.json()?;
    send_v1(&call, SendV1::to_lists(&body)?)
}

fn send_v1(call: &Call<'_>, SendV1 { definition, to }: SendV1) -> Result<Action> {
    let understood = Definition::read(&definition, Reading::Bulk).map_err(send_v1::error)?;
    let (notes, to) = (call.notes(), vec![to]);
    tell(no_effect::of_v1(&definition), &to, &notes);
    notes.deprecated();
    let send = SendRequest { is_v1: true, ..SendRequest::new(definition, call.settings.messages) };
    prepare(send, notes, understood, to, |id| Answer::new(200, format!("{{\"messageId\":\"{id}\"}}")))
}

/// Notes the members that have no effect.
fn tell(told: Vec<String>, to: &[SendRecipient], notes: &Notes) {
    notes.note_send(told.iter().map(|it| (Check::NoEffect, format!("{}: {it}", send::title(to)))));
}

fn prepare(
    send: SendRequest,
    notes: Notes,
    definition: Definition,
    to: Vec<SendRecipient>,
    answer: fn(String) -> Answer,
) -> Result<Action> {
    Action::prepare(move |view| {
        let send = match users(&to) {
            Some(users) => send.prepare(view, definition, users)?,
            None => send.prepare_lists(view, definition, &to)?,
        };
        notes.note_send(send.told().iter().cloned());
        let change = Change::new(ChangedEnvironment::Prepared(send.environment()), move |tx, environment| {
            Ok(answer(send.write(tx, environment)?))
        });
        Ok(change.sure())
    })
}

/// Recipients and users, if no list has to be looked up.
fn users(to: &[SendRecipient]) -> Option<Vec<(String, String)>> {
    let user = |to: &SendRecipient| match to {
        SendRecipient::User { recipient, user } => Some((recipient.clone(), user.clone())),
        _ => None,
    };
    to.iter().map(user).collect()
}
