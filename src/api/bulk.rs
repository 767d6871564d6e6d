//! Courier's Bulk API: create a job, ingest users, run it, watch it.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::call::{Action, Answer, Call, Change, ChangedEnvironment};
use super::notes::Notes;
use super::paging::{Cursor, PageText, PagedList};
use crate::clock::Timestamp;
use crate::compose::Renderer;
use crate::error::{Error, Result};
use crate::findings::Check;
use crate::http::Pieces;
use crate::json::{self, Object};
use crate::model::bulk::{JobKind, JobStatus, UserState, UserStatus};
use crate::model::definition::{Definition, Reading};
use crate::model::no_effect;
use crate::model::resolved::ResolvedDefinition;
use crate::model::user;
use crate::settings::Contract;
use crate::store::ingest::{self, NewUsers};
use crate::store::job_users::{self, JobUser};
use crate::store::plan::References;
use crate::store::{job, run};

#[derive(Deserialize)]
struct CreateBody<'a> {
    #[serde(borrow)]
    message: &'a RawValue,
}

/// From so many users in a call on, the service was seen to refuse it (`bulk.md` of Courier's integration guides,
/// August 2026).
const REFUSED_USERS: usize = 5_000;
/// The most that the same guide advises.
const ADVISED_USERS: usize = 1_000;

/// `POST /bulk` with `{message}`: 201 `{jobId}`, or 200 in the OpenAPI's reading. The message is kept as it was sent. An
/// event or template that is not known here is no error.
pub fn create(mut call: Call<'_>) -> Result<Action> {
    let body = call.json()?;
    let definition = json::read::<CreateBody<'_>>(&body, String::new)?.message.get();
    let contract = call.settings.contract;
    let reading = match contract {
        Contract::Tutorial => Reading::Bulk,
        Contract::OpenApi => Reading::EventRequired,
        Contract::Live => Reading::Live,
    };
    let understood = Definition::read(definition, reading)?;
    let has_event = understood.has_event;
    // Compiled only as a check: malformed content is refused now, and not when the job runs.
    let resolved = ResolvedDefinition::new(understood, JobKind::Bulk);
    Renderer::new(resolved, call.settings.messages, Timestamp::default())?;
    let told = no_effect::of(definition);
    let (definition, notes) = (definition.to_owned(), call.notes());
    Action::change(move |tx, environment| {
        let job_id = job::create(tx, environment, &definition)?;
        if !has_event {
            notes.note(Check::NoEvent, &job_id, || {
                format!(
                    "job {job_id} has no 'event': Courier's guide of August 2026 says that the service refuses such a job, \
                     as --contract live does"
                )
            });
        }
        notes.note_all(told.iter().map(|it| (Check::NoEffect, format!("job {job_id}: {it}"))));
        let status = if contract == Contract::OpenApi { 200 } else { 201 };
        Ok(Answer::new(status, format!("{{\"jobId\":\"{job_id}\"}}")))
    })
}

/// Bytes that the users of a call take when they are stored, at most: each counts with some more than it has in the body,
/// and other requests wait while they are stored. Only users with next to nothing in them come to more.
const INGESTED_BYTES: usize = 20 * 1024 * 1024;
/// As many of these as may come at least.
const SMALL_USERS: usize = 200_000;

#[derive(Deserialize)]
struct IngestBody<'a> {
    #[serde(borrow)]
    users: Vec<&'a RawValue>,
}

/// `POST /bulk/{job_id}` with `{users}`: 200 `{errors, total}`, or 204 in the OpenAPI's reading. `errors` holds the
/// users who are in the job already, as they were sent, and `total` counts the users that this call added. One user that
/// cannot be read refuses the call.
pub fn ingest(mut call: Call<'_>) -> Result<Action> {
    let body = call.json()?;
    let mut users = NewUsers::read(body, |body, add| {
        user::read_each(json::read::<IngestBody<'_>>(body, String::new)?.users, "users", add)
    })?;
    if users.stored_bytes() > INGESTED_BYTES {
        let mib = INGESTED_BYTES / (1024 * 1024);
        let expected = format_args!(
            "expected users that take at most {mib} MiB when they are stored, such as {SMALL_USERS} small ones; \
             found {} that take more: send them in several calls",
            users.len()
        );
        return Err(Error::invalid("users", expected));
    }
    let (job_id, contract) = (call.path("job_id"), call.settings.contract);
    if contract == Contract::Live && users.len() >= REFUSED_USERS {
        let expected = format_args!(
            "expected fewer than {REFUSED_USERS} users in a call, found {}: the service refuses more",
            users.len()
        );
        return Err(Error::invalid("users", expected));
    }
    let notes = call.notes();
    Action::prepare(move |view| {
        ingest::prepare(view, &job_id, &mut users)?;
        Ok(Change::new(ChangedEnvironment::Existing, move |tx, environment| {
            let job = job::get(tx, environment, &job_id)?;
            if job.status != JobStatus::Created {
                let problem = "this job was run already and takes no more users; create a new job";
                let found =
                    || format!("job {job_id} was given {} users after it was run: they get nothing", users.len());
                notes.note(Check::IngestAfterRun, &job_id, found);
                return Err(Error::invalid("job_id", problem));
            }
            let duplicates = ingest::ingest(tx, &job, &mut users)?;
            tell_of_users(&users, &job_id, &notes);
            note_of_call(&notes, &job_id, users.len(), duplicates.len());
            Ok(match contract {
                Contract::OpenApi => Answer::new(204, ""),
                Contract::Tutorial | Contract::Live => Answer::new(200, ingested(&users, &duplicates)),
            })
        }))
    })
}

/// Notes what a call of so many users would meet at Courier.
fn note_of_call(notes: &Notes, job_id: &str, users: usize, duplicates: usize) {
    if users > ADVISED_USERS {
        let check = if users >= REFUSED_USERS { Check::TooManyUsers } else { Check::ManyUsers };
        notes.note(check, job_id, || {
            format!(
                "job {job_id} is given {users} users in one call: Courier's guide of August 2026 says that the service \
                 refuses calls of {REFUSED_USERS} and more, and advises at most {ADVISED_USERS}"
            )
        });
    }
    if duplicates > 0 {
        notes.note(Check::DuplicatesDropped, job_id, || {
            format!("job {job_id} has {duplicates} of the users of a call already: they are in the answer's 'errors'")
        });
    }
}

/// How many users of a call are looked over: those of one call look alike.
const LOOKED_OVER: usize = 100;

/// The most notes about one call.
const TOLD_LIMIT: usize = 20;

/// Notes the members that have no effect, each of them once a job.
fn tell_of_users(users: &NewUsers, job_id: &str, notes: &Notes) {
    let mut names = HashSet::new();
    let looked_over = 0..users.len().min(LOOKED_OVER);
    let told = looked_over.flat_map(|i| no_effect::of_user(users.user(i), || format!("users[{i}]")));
    for (name, told) in told.filter(|(name, _)| names.insert(name.clone())).take(TOLD_LIMIT) {
        notes.note(Check::NoEffect, (job_id, name), || format!("job {job_id}: {told}"));
    }
}

fn ingested(users: &NewUsers, duplicates: &[usize]) -> Pieces {
    let mut text = Pieces::from("{\"errors\":[");
    for (i, &index) in duplicates.iter().enumerate() {
        text.push(if i == 0 { b"" } else { b"," });
        text.push(b"{\"error\":\"Duplicate user\",\"user\":");
        text.push(users.user(index).as_bytes());
        text.push(b"}");
    }
    text.push(format!("],\"total\":{}}}", users.len() - duplicates.len()).as_bytes());
    text
}

/// `POST /bulk/{job_id}/run`: 202 `{}`, or 204 in the OpenAPI's reading, before the work is done. Once a job. The body,
/// which older SDKs send as `{}`, is ignored.
pub fn run(mut call: Call<'_>) -> Result<Action> {
    let (notes, job_id, contract) = (call.notes(), call.path("job_id"), call.settings.contract);
    let lifecycle = call.settings.lifecycle.clone();
    Action::prepare(move |view| {
        // Whether it was run already is checked later: the earlier run may have had the same idempotency key.
        let (_, definition) = view.read(|db, environment| job::get_with_definition(db, environment, &job_id))?;
        let references = References::of(&Definition::read(&definition, Reading::Lenient)?);
        Ok(Change::new(ChangedEnvironment::Existing, move |tx, environment| {
            let job = job::get(tx, environment, &job_id)?;
            if job.status != JobStatus::Created {
                return Err(Error::invalid("job_id", "this job was run already; a job runs once"));
            }
            let missing = run::start(tx, &job, &references)?;
            notes.note_all(missing.told(&format!("job {job_id}")));
            lifecycle.begin(job.job, environment, tx.now());
            Ok(match contract {
                Contract::OpenApi => Answer::new(204, ""),
                Contract::Tutorial | Contract::Live => Answer::new(202, "{}"),
            })
        }))
    })
}

/// `GET /bulk/{job_id}`: 200 `{job: {definition, enqueued, failures, received, status}}`, and for a job that cannot go
/// on the reason as `error`, which is ours.
pub fn get(mut call: Call<'_>) -> Result<Action> {
    let (job_id, lifecycle) = (call.path("job_id"), call.settings.lifecycle.clone());
    Action::query(move |db, environment| {
        let (mut job, definition) = job::get_with_definition(db, environment, &job_id)?;
        if let Some(users) = lifecycle.look(&job) {
            job.show_up_to(users);
        }
        let error = job.error.map(|error| format!(",\"error\":{}", json::quoted(&error))).unwrap_or_default();
        let body = format!(
            "{{\"job\":{{\"definition\":{definition},\"enqueued\":{},\"failures\":{},\"received\":{},\"status\":\"{}\"{error}}}}}",
            job.enqueued,
            job.failures,
            job.received,
            job.status.name()
        );
        Ok(Answer::new(200, body))
    })
}

/// `GET /bulk/{job_id}/users?cursor=&limit=`: 200 `{items, paging}`, in ingest order.
pub fn list_users(mut call: Call<'_>) -> Result<Action> {
    let job_id = call.path("job_id");
    let query = call.query();
    let (cursor, limit) = (query.cursor(), query.limit() as usize);
    Action::query(move |db, environment| {
        let job = job::get(db, environment, &job_id)?;
        let from_seq = Cursor::read(cursor.as_deref(), PagedList::Users(job.job))?;
        let mut text = PageText::of_items();
        let next = job_users::for_each(db, &job, from_seq, limit, |user| {
            text.push(&item(user)?);
            Ok(text.has_room())
        })?;
        let next = next.map(|seq| Cursor { list: PagedList::Users(job.job), position: seq });
        Ok(Answer::new(200, text.end_items(next)))
    })
}

/// A user as it was sent, plus `recipient`, `status`, `messageId`, and for a failure its reason as `error`, which is
/// ours.
fn item(user: &JobUser<'_>) -> Result<String> {
    let sent = Object::of(user.user);
    let mut item = String::with_capacity(user.user.len() + user.recipient.len() + 128);
    item.push_str("{\"recipient\":");
    item.push_str(&json::quoted(user.recipient));
    let failed = user.state.status() == UserStatus::Error;
    sent.for_each(|name, value| {
        let ours = matches!(name, "recipient" | "status" | "messageId") || failed && name == "error";
        if !ours {
            item.push(',');
            item.push_str(&json::quoted(name));
            item.push(':');
            item.push_str(value);
        }
    })?;
    item.push_str(",\"status\":\"");
    item.push_str(user.state.status().name());
    item.push('"');
    match &user.state {
        UserState::Pending => {}
        UserState::Enqueued { message_id } => {
            item.push_str(",\"messageId\":\"");
            item.push_str(message_id);
            item.push('"');
        }
        UserState::Error { reason } => {
            item.push_str(",\"error\":");
            item.push_str(&json::quoted(reason));
        }
    }
    item.push('}');
    Ok(item)
}
