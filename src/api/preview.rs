//! A message as it would be, while its author still writes it.

use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::call::{Action, Answer, Call};
use crate::error::{Error, Result};
use crate::json;
use crate::json::members::{self, Raw, members};
use crate::model::definition::{Definition, Reading};
use crate::model::send_to::{self, SendRecipient};
use crate::outbox::detail;
use crate::send::SendRequest;
use crate::store::environment::{self, View};
use crate::store::message;

#[derive(Deserialize)]
struct Sent<'a> {
    #[serde(borrow)]
    message: &'a RawValue,
}

members! {
    struct MessageTo<'a> {
        #[serde(borrow)]
        to: Raw<'a> = "to",
    }
}

/// `POST /_bulkd/preview` with the body of a send to one user: 200 with all that would be known of the message. It is
/// made like a send, up to the commit, which is undone: what is shown is what would be stored.
pub fn preview(mut call: Call<'_>) -> Result<Action> {
    let body = call.json()?;
    let message = json::read::<Sent<'_>>(&body, String::new)?.message.get();
    let definition = Definition::read(message, Reading::Send)?;
    let to = match members::read::<MessageTo<'_>>(message, || "message".to_owned())?.to {
        Some(Raw(to)) => send_to::read(to)?,
        _ => Vec::new(),
    };
    let Ok([SendRecipient::User { recipient, user }]) = <[SendRecipient; 1]>::try_from(to) else {
        return Err(Error::invalid("message.to", "expected one user: a list has no message of its own"));
    };
    let messages = call.settings.messages;
    let send = SendRequest::new(message.to_owned(), messages);
    let of = call.environment.clone();
    Action::whole(move |store| {
        let prepared = send.prepare(&View::new(store, &of), definition, vec![(recipient, user)])?;
        let shown: Arc<Mutex<Option<String>>> = Arc::default();
        let place = shown.clone();
        let undone = store.write(move |tx| -> Result<()> {
            let row = environment::find_or_create(tx, &of)?;
            let message_id = prepared.write(tx, row)?;
            if let Some(found) = message::find(tx, row, &message_id)? {
                let text = detail::of(tx, &found, messages)?.to_string();
                *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
            }
            // Undoes all of it.
            Err(Error::invalid("message", "expected one of less text: it is too large to be shown without being sent"))
        });
        let shown = shown.lock().unwrap_or_else(PoisonError::into_inner).take();
        match (shown, undone) {
            (Some(text), _) => Ok(Answer::new(200, text)),
            (None, Err(error)) => Err(error),
            (None, Ok(())) => Err(Error::internal("a preview was not undone")),
        }
    })
}
