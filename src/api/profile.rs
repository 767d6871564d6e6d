//! Users' stored profiles.

use serde::Deserialize;
use serde_json::Value;

use super::call::{Action, Answer, Call};
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
    let user_id = call.path("user_id");
    Action::change(move |tx, environment| {
        let profile = match profile::find_current(tx, environment, &user_id)? {
            Some((_, stored)) => given.merged_into(&stored)?,
            None => given,
        };
        profile::replace(tx, environment, &user_id, profile.as_str())?;
        Ok(Answer::new(200, SUCCESS))
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
    let user_id = call.path("user_id");
    Action::change(move |tx, environment| {
        let found = profile::find_current(tx, environment, &user_id)?;
        let stored = found.as_ref().map_or("{}", |(_, profile)| profile);
        let mut document: Value = serde_json::from_str(stored)
            .map_err(|error| Error::internal("a stored profile is not JSON").caused_by(error))?;
        patch.apply(&mut document)?;
        profile::replace(tx, environment, &user_id, Profile::of(&document)?.as_str())?;
        Ok(Answer::new(204, ""))
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
