//! Users' stored profiles.

use serde::Deserialize;
use serde_json::Value;

use super::call::{Action, Answer, Call, Change, ChangedEnvironment};
use crate::error::{Error, Result};
use crate::json::{self, Object};
use crate::model::patch::Patch;
use crate::model::profile::Profile;
use crate::store::profile;

pub(super) const SUCCESS: &str = "{\"status\":\"SUCCESS\"}";

#[derive(Deserialize)]
struct ProfileBody<'a> {
    #[serde(borrow)]
    profile: Object<'a>,
}

fn read_profile(call: &mut Call<'_>) -> Result<Profile> {
    let body = call.json()?;
    Profile::new(json::read::<ProfileBody<'_>>(&body, String::new)?.profile)
}

/// `GET /profiles/{user_id}`: 200 `{profile}`, an empty one if nothing is stored.
pub fn get(mut call: Call<'_>) -> Result<Action> {
    let user_id = call.path("user_id");
    Action::query(move |db, environment| {
        let found = profile::find_current(db, environment, &user_id)?;
        let profile = found.as_ref().map_or("{}", |(_, profile)| profile);
        Ok(Answer::new(200, format!("{{\"profile\":{profile}}}")))
    })
}

/// `POST /profiles/{user_id}` with `{profile}`: 200 `{status}`. What is not named in it stays as it is.
pub fn merge(mut call: Call<'_>) -> Result<Action> {
    let given = read_profile(&mut call)?;
    worked_out(call.path("user_id"), Answer::new(200, SUCCESS), move |stored| match stored {
        Some(stored) => given.merged_into(stored),
        None => Ok(given.clone()),
    })
}

/// `PUT /profiles/{user_id}` with `{profile}`: 200 `{status}`.
pub fn replace(mut call: Call<'_>) -> Result<Action> {
    let profile = read_profile(&mut call)?;
    let user_id = call.path("user_id");
    Action::change(move |tx, environment| {
        profile::replace(tx, environment, &user_id, profile.as_str())?;
        Ok(Answer::new(200, SUCCESS))
    })
}

/// `PATCH /profiles/{user_id}` with `{patch}`, a JSON Patch: 204. It is applied whole or not at all.
pub fn patch(mut call: Call<'_>) -> Result<Action> {
    let patch = Patch::read(&call.json()?)?;
    worked_out(call.path("user_id"), Answer::new(204, ""), move |stored| {
        let mut document: Value = serde_json::from_str(stored.unwrap_or("{}"))
            .map_err(|error| Error::internal("a stored profile is not JSON").caused_by(error))?;
        patch.apply(&mut document)?;
        Profile::of(&document)
    })
}

/// Stores what `work` makes of the stored profile. For a large profile this takes its time.
fn worked_out(
    user_id: String,
    answer: Answer,
    work: impl Fn(Option<&str>) -> Result<Profile> + 'static,
) -> Result<Action> {
    Action::rework(move |view| {
        let found = view.read(|db, environment| profile::find_current(db, environment, &user_id))?;
        let profile = work(found.as_ref().map(|(_, stored)| stored.as_str()))?;
        let (since, user_id, answer) = (found.map(|(version, _)| version), user_id.clone(), answer.clone());
        Ok(Change::new(ChangedEnvironment::Made, move |tx, environment| {
            if profile::current_version(tx, environment, &user_id)? != since {
                return Err(Error::stale());
            }
            profile::replace(tx, environment, &user_id, profile.as_str())?;
            Ok(answer)
        }))
    })
}

/// `DELETE /profiles/{user_id}`: 204, whether or not there was one. Lists, preferences and tokens of the user stay.
pub fn delete(mut call: Call<'_>) -> Result<Action> {
    let user_id = call.path("user_id");
    Action::change_existing(move |tx, environment| {
        profile::delete(tx, environment, &user_id)?;
        Ok(Answer::new(204, ""))
    })
}
