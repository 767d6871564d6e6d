//! Messages with all that is known of them: job, user, deliveries and events.

use serde_json::Value;

use super::engine::{Db, Tx, rows};
use super::message::{self, MessageLocation, MessageRow};
use super::{job, template, user};
use crate::error::Result;
use crate::model::bulk::JobKind;
use crate::model::environment::EnvironmentRow;
use crate::model::message::{MessageJob, TrackedMessage};
use crate::model::options::MessageOptions;
use crate::model::row::JobRow;
use crate::model::user as model;

/// The message there.
pub fn get(db: &Db<'_>, location: &MessageLocation) -> Result<TrackedMessage> {
    complete(db, location, message::get_row(db, location.number)?)
}

/// The record of the message there, with its `providers`.
pub fn record(db: &Db<'_>, location: &MessageLocation) -> Result<Value> {
    Ok(Value::Object(get(db, location)?.record_with_providers(&get_job(db, location.job)?)))
}

/// The message with this row, with all that is known of it.
pub(in crate::store) fn complete(db: &Db<'_>, location: &MessageLocation, row: MessageRow) -> Result<TrackedMessage> {
    let (_, user) = user::get(db, location.job, location.seq)?;
    Ok(TrackedMessage {
        stored: message::with_deliveries(db, location, row)?,
        events: message::list_events(db, location.number)?,
        list_id: model::list_id(&user),
        tenant_id: model::tenant_id(&user),
    })
}

/// What the messages of a job have in common.
pub fn get_job(db: &Db<'_>, job: JobRow) -> Result<MessageJob> {
    let mut get = db.conn.prepare_cached(
        "SELECT job_id, kind, environment, template_version, archived_at IS NOT NULL, definition
         FROM jobs JOIN definitions USING (job) WHERE job = ?1",
    )?;
    let (about, environment, version, found) = get.query_row([job], |row| {
        let about = MessageOptions::of_stored(row.get_ref("definition")?.as_str()?);
        let job_id: String = row.get("job_id")?;
        let found = MessageJob {
            trace_id: about.metadata.trace_id.clone().unwrap_or_else(|| job_id.clone()),
            job_id,
            kind: rows::name(row, 1, JobKind::from_name)?,
            event: about.event.clone().or(about.template.clone()),
            template_id: about.template.clone(),
            tags: about.metadata.tags.clone(),
            tenant_id: about.tenant_id.clone(),
            is_archived: row.get(4)?,
        };
        Ok((about, row.get("environment")?, row.get("template_version")?, found))
    })?;
    // The template that was found when the job was run. If nothing was published then, the one that has the name now.
    let template_id = match (version, &about.template) {
        (Some(version), _) => Some(template::get_version(db, version)?.0),
        (None, Some(name)) => template::find_id(db, environment, name)?,
        (None, None) => None,
    };
    Ok(MessageJob { template_id: template_id.or(found.template_id), ..found })
}

/// Hides the messages of a job from lists that do not ask for them. False if there is no such request.
pub fn archive(tx: &mut Tx<'_>, environment: EnvironmentRow, request_id: &str) -> Result<bool> {
    let job = match job::find(tx, environment, request_id)? {
        Some(job) => job.job,
        None => match message::find(tx, environment, request_id)? {
            Some(location) if get_job(tx, location.job)?.kind == JobKind::Send => location.job,
            _ => return Ok(false),
        },
    };
    job::archive(tx, job)?;
    Ok(true)
}
