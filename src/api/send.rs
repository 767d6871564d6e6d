//! `POST /send`: one message, or one to each of many.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::call::{Action, Answer, Call, Change, ChangedEnvironment};
use crate::error::{Error, Result};
use crate::json;
use crate::json::members::{self, Raw, members};
use crate::model::definition::{Definition, Reading};
use crate::model::send_to::{self, SendRecipient};
use crate::send::SendRequest;
use crate::settings::Contract;

#[derive(Deserialize)]
struct SendBody<'a> {
    #[serde(borrow)]
    message: &'a RawValue,
}

members! {
    struct MessageTo<'a> {
        #[serde(borrow)]
        to: Raw<'a> = "to",
    }
}

/// `POST /send` with `{message}`: 202 `{requestId}`, which for a single recipient is the message's id. Those
/// who are named get the message in this request, unless that is too much to hold; the subscribers of lists get theirs from
/// the runner.
pub fn send(mut call: Call<'_>) -> Result<Action> {
    let body = call.json()?;
    let message = json::read::<SendBody<'_>>(&body, String::new)?.message.get();
    let lenient = call.settings.contract == Contract::OpenApi;
    let definition = Definition::read(message, if lenient { Reading::Lenient } else { Reading::Send })?;
    let to = match members::read::<MessageTo<'_>>(message, || "message".to_owned())?.to {
        Some(Raw(to)) => send_to::read(to)?,
        _ if lenient => Vec::new(),
        _ => return Err(Error::invalid("message.to", "expected a recipient, or an array of them")),
    };
    let (definition_as_sent, messages) = (message.to_owned(), call.settings.messages);
    let send = SendRequest { definition: definition_as_sent, messages };
    Action::prepare(move |view| {
        let send = match users(&to) {
            Some(users) => send.prepare(view, definition, users)?,
            None => send.prepare_lists(view, definition, &to)?,
        };
        let change = Change::new(ChangedEnvironment::Prepared(send.environment()), move |tx, environment| {
            let request_id = send.write(tx, environment)?;
            Ok(Answer::new(202, format!("{{\"requestId\":\"{request_id}\"}}")))
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
