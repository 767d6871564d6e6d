//! Snapshots of an environment. Ours; Courier has nothing of the kind.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::call::{Action, Answer, Call, Change, ChangedEnvironment};
use super::mailbox_state::MailboxState;
use super::paging::{self, TextCursor};
use crate::error::{Error, Result};
use crate::json;
use crate::store::snapshot::Summary;
use crate::store::snapshots;

/// What a SQLite file is written in.
pub const DATABASE: &str = "application/vnd.sqlite3";

/// Letters of a name, at most.
pub const LONGEST_NAME: usize = 100;

/// The name of a snapshot, as the path has it.
fn name(call: &mut Call<'_>) -> Result<String> {
    let name = call.path("name");
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    // Clients take a path of dots alone for another path.
    let begins = name.bytes().next().is_some_and(|byte| byte != b'.');
    if !begins || name.len() > LONGEST_NAME || !name.bytes().all(is_plain) {
        let expected = format_args!(
            "expected up to {LONGEST_NAME} letters, digits, dots, hyphens and underscores, and no dot first"
        );
        return Err(Error::invalid("name", expected));
    }
    Ok(name)
}

/// What was done to the e-mails of the request's environment, if they are shown by Mailpit's API.
fn mailbox(call: &Call<'_>) -> Option<Arc<MailboxState>> {
    let is_of_mailbox = call.settings.mailbox.as_ref().is_some_and(|it| it.key_hash == call.environment.key_hash);
    is_of_mailbox.then(|| call.settings.mailbox_state.clone())
}

fn shown(it: &Summary) -> Value {
    json!({
        "name": it.name,
        "created_at": it.taken_at.iso(),
        "jobs": it.jobs,
        "users": it.users,
        "messages": it.messages,
        "bytes": it.bytes,
    })
}

fn answer(status: u16, body: String) -> Result<Change> {
    let answer = Answer::new(status, body);
    Ok(Change::new(ChangedEnvironment::Existing, move |_, _| Ok(answer)).sure())
}

/// `PUT /_bulkd/snapshots/{name}`: 200 with the snapshot of what the environment has now.
pub fn put(mut call: Call<'_>) -> Result<Action> {
    let (name, mailbox) = (name(&mut call)?, mailbox(&call));
    Action::prepare(move |view| {
        let taken = snapshots::take(view, &name)?;
        mailbox.iter().for_each(|it| it.keep(&name));
        answer(200, shown(&taken).to_string())
    })
}

/// `GET /_bulkd/snapshots?cursor=&limit=`: 200 `{items, paging}`, in the order of names.
pub fn list(call: Call<'_>) -> Result<Action> {
    const LIST: &str = "snapshots";
    let query = call.query();
    let (after, limit) = (TextCursor::read(query.cursor().as_deref(), LIST)?, query.limit() as usize);
    Action::prepare(move |view| {
        let row = view.read(|_, row| Ok(row))?;
        let mut snapshots = view.store().snapshots().list(row);
        snapshots.retain(|it| after.as_ref().is_none_or(|after| it.name > *after));
        let more = snapshots.len() > limit;
        snapshots.truncate(limit);
        let next = snapshots.last().filter(|_| more).map(|last| TextCursor::new(LIST, &last.name));
        let answer = Answer::new(200, paging::page(snapshots.iter().map(|it| Ok(shown(it).to_string())), next)?);
        Ok(Change::new(ChangedEnvironment::Existing, move |_, _| Ok(answer)).sure())
    })
}

/// `GET /_bulkd/snapshots/{name}`: 200 with a file that another bulkd opens under the same key.
pub fn get(mut call: Call<'_>) -> Result<Action> {
    let name = name(&mut call)?;
    Action::prepare(move |view| {
        let answer = Answer::of_type(DATABASE, snapshots::export(view, &name)?);
        Ok(Change::new(ChangedEnvironment::Existing, move |_, _| Ok(answer)).sure())
    })
}

/// `POST /_bulkd/snapshots/{name}/restore`: 200 with the snapshot, which stays.
pub fn restore(mut call: Call<'_>) -> Result<Action> {
    let (name, mailbox) = (name(&mut call)?, mailbox(&call));
    let lifecycle = call.settings.lifecycle.clone();
    Action::prepare(move |view| {
        let restored = snapshots::restore(view, &name)?;
        mailbox.iter().for_each(|it| it.restore(&name, &restored.copied));
        // Jobs that are held have new rows, and are to be looked at.
        lifecycle.ring();
        answer(200, shown(&restored.summary).to_string())
    })
}

/// Bytes of a key, at most: a header has room for it.
pub const KEY_BYTES: usize = 1_000;

#[derive(Deserialize)]
struct ForkBody {
    key: String,
}

/// `POST /_bulkd/snapshots/{name}/fork` with `{key}`: 201 with the snapshot, which the environment of that key has now.
pub fn fork(mut call: Call<'_>) -> Result<Action> {
    let name = name(&mut call)?;
    let body: ForkBody = json::read(&call.json()?, String::new)?;
    // No request can carry other keys.
    let is_key = body.key.len() <= KEY_BYTES && body.key.bytes().all(|byte| byte.is_ascii_graphic());
    let header = format!("Bearer {}", body.key);
    let of = call.settings.keys.find(Some(&header)).filter(|_| is_key);
    let of = of.ok_or_else(|| Error::invalid("key", "expected an API key that this daemon accepts"))?;
    Action::prepare(move |view| {
        let forked = snapshots::fork(view, &name, &of)?;
        answer(201, shown(&forked).to_string())
    })
}

/// `DELETE /_bulkd/snapshots/{name}`: 204.
pub fn delete(mut call: Call<'_>) -> Result<Action> {
    let (name, mailbox) = (name(&mut call)?, mailbox(&call));
    Action::prepare(move |view| {
        snapshots::delete(view, &name)?;
        mailbox.iter().for_each(|it| it.forget(&name));
        answer(204, String::new())
    })
}
