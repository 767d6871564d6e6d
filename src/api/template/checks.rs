//! Checks of templates, as an approval program sets them. Nothing here waits for them.

use serde::Deserialize;

use crate::api::call::{Action, Answer, Call};
use crate::error::Result;
use crate::json::{self, Fields};
use crate::model::template::Check;
use crate::store::template;

/// `GET /notifications/{id}/{submission_id}/checks`: 200 `{checks}`, which may be none.
pub fn list(mut call: Call<'_>) -> Result<Action> {
    let (id, submission_id) = (call.path("id"), call.path("submission_id"));
    Action::query(move |db, environment| {
        let template = template::get(db, environment, &id)?;
        let checks = template::find_checks(db, &template, &submission_id)?;
        Ok(shown(checks.as_deref().unwrap_or("[]")))
    })
}

fn shown(checks: &str) -> Answer {
    Answer::new(200, format!("{{\"checks\":{checks}}}"))
}

#[derive(Deserialize)]
struct ChecksBody {
    checks: Vec<Fields<Check>>,
}

/// `PUT /notifications/{id}/{submission_id}/checks` with `{checks: [{id, status, type}]}`: 200 `{checks}`, all there are.
pub fn replace(mut call: Call<'_>) -> Result<Action> {
    let ChecksBody { checks } = json::read(&call.json()?, String::new)?;
    let checks: Vec<Check> = checks.into_iter().map(|Fields(check)| check).collect();
    let (id, submission_id) = (call.path("id"), call.path("submission_id"));
    Action::change_existing(move |tx, environment| {
        let template = template::get(tx, environment, &id)?;
        let checks = Check::to_json(&checks, tx.now());
        template::put_checks(tx, &template, &submission_id, &checks)?;
        Ok(shown(&checks))
    })
}

/// `DELETE /notifications/{id}/{submission_id}/checks`: 204. The submission is withdrawn, if there was one.
pub fn delete(mut call: Call<'_>) -> Result<Action> {
    let (id, submission_id) = (call.path("id"), call.path("submission_id"));
    Action::change_existing(move |tx, environment| {
        let template = template::get(tx, environment, &id)?;
        template::delete_checks(tx, &template, &submission_id)?;
        Ok(Answer::new(204, ""))
    })
}
