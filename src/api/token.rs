//! Push tokens of users' devices.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::call::{Action, Answer, Call, Change, ChangedEnvironment};
use crate::error::{Error, Result};
use crate::json;
use crate::model::patch::Patch;
use crate::model::token::Token;
use crate::store::token;

/// `GET /users/{user_id}/tokens`: 200 `{tokens}`.
pub fn list(mut call: Call<'_>) -> Result<Action> {
    let user_id = call.path("user_id");
    Action::query(move |db, environment| {
        let tokens: Vec<String> = token::list(db, environment, &user_id)?.iter().map(item).collect();
        Ok(Answer::new(200, format!("{{\"tokens\":[{}]}}", tokens.join(","))))
    })
}

fn item(token: &Token) -> String {
    let (text, provider_key) = (json::quoted(&token.token), token.provider_key.name());
    let details = token.details.trim_start_matches('{');
    format!("{{\"token\":{text},\"provider_key\":\"{provider_key}\",{details}")
}

/// `GET /users/{user_id}/tokens/{token}`: 200.
pub fn get(mut call: Call<'_>) -> Result<Action> {
    let (user_id, text) = (call.path("user_id"), call.path("token"));
    Action::query(move |db, environment| Ok(Answer::new(200, item(&token::get(db, environment, &user_id, &text)?))))
}

/// `PUT /users/{user_id}/tokens/{token}` with `{provider_key, device?, expiry_date?, properties?, tracking?}`: 204.
pub fn put(mut call: Call<'_>) -> Result<Action> {
    let body = call.json()?;
    let (user_id, text) = (call.path("user_id"), call.path("token"));
    let token = Token::read(&body, "", Some(&text))?;
    Action::change(move |tx, environment| {
        token::put(tx, environment, &user_id, &token)?;
        Ok(Answer::new(204, ""))
    })
}

#[derive(Deserialize)]
struct TokensBody<'a> {
    #[serde(borrow, default)]
    tokens: Vec<&'a RawValue>,
}

/// `PUT /users/{user_id}/tokens` with `{tokens}`: 204. Other tokens of the user stay. Courier's SDKs send no body.
pub fn put_many(mut call: Call<'_>) -> Result<Action> {
    let body = call.json_or_none()?;
    let sent = json::read::<TokensBody<'_>>(&body, String::new)?.tokens;
    let read = |(i, token): (usize, &RawValue)| Token::read(token.get(), &format!("tokens[{i}]"), None);
    let mut tokens: Vec<Token> = sent.into_iter().enumerate().map(read).collect::<Result<_>>()?;
    // In the order in which they are stored. Of those that are the same, the last still comes last.
    tokens.sort_by(|one, other| one.token.cmp(&other.token));
    let user_id = call.path("user_id");
    let bytes = |token: &Token| token.token.len() + token.details.len();
    Action::change_rows(tokens, bytes, Answer::new(204, ""), move |tx, environment, tokens| {
        tokens.iter().try_for_each(|token| token::put(tx, environment, &user_id, token))
    })
}

/// `PATCH /users/{user_id}/tokens/{token}` with `{patch}`, a JSON Patch: 204. A missing value is null: the SDKs leave
/// it out.
pub fn patch(mut call: Call<'_>) -> Result<Action> {
    let patch = Patch::read(&call.json()?)?.or_null();
    let (user_id, text) = (call.path("user_id"), call.path("token"));
    Action::rework(move |view| {
        let stored = view.read(|db, environment| token::get(db, environment, &user_id, &text))?;
        let mut document: Value = json::read(&item(&stored), String::new)?;
        patch.apply(&mut document)?;
        let patched = Token::read(&document.to_string(), "", Some(&text))?;
        let (user_id, text) = (user_id.clone(), text.clone());
        Ok(Change::new(ChangedEnvironment::Existing, move |tx, environment| {
            if token::get(tx, environment, &user_id, &text)? != stored {
                return Err(Error::stale());
            }
            token::put(tx, environment, &user_id, &patched)?;
            Ok(Answer::new(204, ""))
        }))
    })
}

/// `DELETE /users/{user_id}/tokens/{token}`: 204, whether or not there was one.
pub fn delete(mut call: Call<'_>) -> Result<Action> {
    let (user_id, text) = (call.path("user_id"), call.path("token"));
    Action::change_existing(move |tx, environment| {
        token::delete(tx, environment, &user_id, &text)?;
        Ok(Answer::new(204, ""))
    })
}
