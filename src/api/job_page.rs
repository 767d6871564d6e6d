//! One job as the page shows it: what became of its users, and those from any place on. Ours; Courier shows a job's counters,
//! and its users one page after the other.

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::call::{Action, Answer, Call};
use super::paging::{Cursor, PageText, PagedList};
use crate::error::{Error, Result};
use crate::model::bulk::{Job, UserState, UserStatus};
use crate::model::environment::EnvironmentRow;
use crate::model::row::JobRow;
use crate::store::job_users::{self, JobUser};
use crate::store::{Db, job, job_breakdown, job_list, message, outbox};

/// The most messages and failures that are counted by kind: a few tenths of a second. `counted` says how many were.
const COUNTED: usize = 200_000;
/// Kinds of failures.
const KINDS: usize = 20;

/// The job of either kind with this id.
fn find(db: &Db<'_>, environment: EnvironmentRow, job_id: &str) -> Result<Job> {
    match job::find(db, environment, job_id)? {
        Some(job) => Ok(job),
        None => Err(job::not_found(db, job_id)?),
    }
}

/// `GET /_bulkd/jobs/{job_id}`: 200 with the job as it is in the list, its definition, and how many of its users came to
/// what.
pub fn get(mut call: Call<'_>) -> Result<Action> {
    let job_id = call.path("job_id");
    Action::query(move |db, environment| {
        let job = find(db, environment, &job_id)?.job;
        let listed = job_list::list(db, environment, None, JobRow(job.0 + 1), 1, 1)?;
        let mut shown = listed.items.first().map_or(Value::Null, |it| it.json(db.now()));
        let (_, definition) = job::get_by_number(db, job)?;
        let kinds = job_breakdown::messages(db, job, COUNTED)?;
        let counted: i64 = kinds.iter().map(|it| it.count).sum();
        let messages: Vec<Value> = kinds
            .iter()
            .map(|it| {
                json!({
                    "status": it.status, "reason": it.reason, "channel": it.channel, "error": it.error,
                    "count": it.count,
                })
            })
            .collect();
        let errors = job_breakdown::failures(db, job, COUNTED, KINDS)?;
        let errors: Vec<Value> =
            errors.iter().map(|(error, count)| json!({ "error": error, "count": count })).collect();
        let definition: Value = serde_json::from_str(&definition).unwrap_or_default();
        shown["definition"] = definition;
        shown["messages"] = messages.into();
        shown["counted"] = counted.into();
        shown["errors"] = errors.into();
        Ok(Answer::new(200, shown.to_string()))
    })
}

/// `GET /_bulkd/jobs/{job_id}/users?at=&cursor=&status=&limit=`: 200 `{items, paging, total}`, the users from the
/// `at`-th on, counted from 0 in the order of ingest. All places cost the same. With `status=ERROR` only the failures,
/// which are stepped over up to the place; with `status=PENDING` only the users that are not done yet.
pub fn list_users(mut call: Call<'_>) -> Result<Action> {
    let job_id = call.path("job_id");
    let query = call.query();
    let limit = query.limit() as usize;
    let at = match query.one("at") {
        None => None,
        Some(at) => {
            Some(at.parse::<u64>().map_err(|_| Error::invalid("at", "expected the place of a user, from 0 on"))?)
        }
    };
    let cursor = query.cursor();
    if at.is_some() && cursor.is_some() {
        return Err(Error::invalid("at", "expected none beside cursor"));
    }
    let status = match query.one("status") {
        None => None,
        Some(name) => match UserStatus::from_name(&name) {
            Some(status @ (UserStatus::Error | UserStatus::Pending)) => Some(status),
            _ => return Err(Error::invalid("status", "expected ERROR or PENDING, or none for all users")),
        },
    };
    Action::query(move |db, environment| {
        let job = find(db, environment, &job_id)?;
        let list = PagedList::PlacedUsers(job.job);
        let at = Cursor::read(cursor.as_deref(), list)?.max(at.unwrap_or_default());
        let mut page = PageText::of_items();
        let (next, total) = match status {
            None => (run(db, environment, &job, at, limit, &mut page)?, job.received),
            Some(UserStatus::Pending) => {
                let drained = job.drained();
                let next = run(db, environment, &job, drained.saturating_add(at), limit, &mut page)?;
                (next.map(|seq| seq - drained), job.received - drained)
            }
            Some(_) => {
                let mut next = at;
                for seq in job_breakdown::failed_seqs(db, job.job, at, limit)? {
                    run(db, environment, &job, seq, 1, &mut page)?;
                    next += 1;
                    if !page.has_room() {
                        break;
                    }
                }
                (Some(next).filter(|next| *next < job.failures), job.failures)
            }
        };
        let next = next.map(|position| Cursor { list, position });
        Ok(Answer::new(200, page.end_items_with(next, &format!("\"total\":{total}"))))
    })
}

/// Writes a run of users. Returns the place of the next one, if there are more.
fn run(
    db: &Db<'_>,
    environment: EnvironmentRow,
    job: &Job,
    from: u64,
    limit: usize,
    page: &mut PageText,
) -> Result<Option<u64>> {
    let mut seq = from;
    job_users::for_each(db, job, from, limit, |user| {
        page.push(&item(db, environment, seq, user)?);
        seq += 1;
        Ok(page.has_room())
    })
}

/// A user with its place, and its message in short.
#[derive(Serialize)]
struct PlacedUser<'a> {
    at: u64,
    recipient: &'a str,
    status: &'static str,
    /// As it was sent, to the letter.
    user: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Value>,
}

fn item(db: &Db<'_>, environment: EnvironmentRow, seq: u64, user: &JobUser<'_>) -> Result<String> {
    let sent = serde_json::from_str(user.user).unwrap_or(RawValue::NULL);
    let (recipient, status) = (user.recipient, user.state.status().name());
    let mut item = PlacedUser { at: seq, recipient, status, user: sent, error: None, message_id: None, message: None };
    match &user.state {
        UserState::Pending => {}
        UserState::Error { reason } => item.error = Some(reason),
        UserState::Enqueued { message_id } => {
            item.message_id = Some(message_id);
            if let Some(place) = message::find(db, environment, message_id)? {
                let message = outbox::get(db, &place)?.message;
                let first = message.deliveries.first();
                item.message = Some(json!({
                    "status": message.status.name(),
                    "reason": message.reason.map(|it| it.name()),
                    "error": message.error,
                    "channel": first.map(|it| it.channel.name()),
                    "address": first.map(|it| &it.address),
                    "subject": first.and_then(|it| it.subject.as_ref()),
                }));
            }
        }
    }
    serde_json::to_string(&item).map_err(|error| Error::internal(error.to_string()))
}
