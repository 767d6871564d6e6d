//! What users want to hear of, topic by topic.

use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::call::{Action, Answer, Call};
use super::paging::{self, Cursor};
use crate::error::{Error, Result};
use crate::json::{self, Text};
use crate::model::environment::EnvironmentRow;
use crate::model::preference::TopicPreference;
use crate::store::Db;
use crate::store::preference::{self, PreferenceOwner};

/// Topics in one request.
const TOPICS: usize = 50;

fn owner(call: &mut Call<'_>) -> PreferenceOwner {
    let tenant_id = call.query().one("tenant_id").unwrap_or_default();
    PreferenceOwner { user_id: call.path("user_id"), tenant_id }
}

#[derive(Deserialize)]
struct TopicsBody<'a> {
    #[serde(borrow)]
    topics: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow)]
    topic_id: Text<'a>,
}

type Choice = (String, TopicPreference);

fn read_choices(body: &str, least: usize) -> Result<Vec<Choice>> {
    let TopicsBody { topics } = json::read(body, String::new)?;
    if !(least..=TOPICS).contains(&topics.len()) {
        return Err(Error::invalid("topics", format_args!("expected {least} to {TOPICS}, found {}", topics.len())));
    }
    let choice = |(i, topic): (usize, &RawValue)| {
        let at = || format!("topics[{i}]");
        let Named { topic_id } = json::read(topic.get(), at)?;
        if topic_id.as_str().is_empty() {
            return Err(Error::invalid(at() + ".topic_id", "expected a topic's id, found an empty string"));
        }
        Ok((topic_id.0.into_owned(), TopicPreference::read(topic.get(), at)?))
    };
    topics.into_iter().enumerate().map(choice).collect()
}

/// `GET /users/{user_id}/preferences?tenant_id=`: 200 `{items, paging}`: what the user has chosen, all on one page.
pub fn list(mut call: Call<'_>) -> Result<Action> {
    let owner = owner(&mut call);
    Action::query(move |db, environment| {
        let chosen = preference::list(db, environment, &owner)?;
        let items = chosen.iter().map(|(topic_id, choice)| item(db, environment, topic_id, Some(choice)));
        Ok(Answer::new(200, paging::page(items, None::<Cursor>)?))
    })
}

/// A topic with where the user stands.
fn item(db: &Db<'_>, environment: EnvironmentRow, topic_id: &str, choice: Option<&TopicPreference>) -> Result<String> {
    let topic = preference::topic(db, environment, topic_id)?;
    let mut item = json!({
        "topic_id": topic_id,
        "topic_name": topic.name,
        "status": topic.status(choice).name(),
        "default_status": topic.default_status.name(),
        "has_custom_routing": choice.is_some_and(|choice| choice.has_custom_routing),
    });
    if let Some(choice) = choice.filter(|choice| choice.has_custom_routing) {
        item["custom_routing"] = routing(choice);
    }
    Ok(item.to_string())
}

fn routing(choice: &TopicPreference) -> serde_json::Value {
    choice.custom_routing.iter().map(|channel| channel.name()).collect()
}

/// `POST /users/{user_id}/preferences?tenant_id=` with `{topics}`: 200 `{errors, items}`. Topics that are not named stay.
pub fn update(mut call: Call<'_>) -> Result<Action> {
    let choices = read_choices(&call.json()?, 1)?;
    let owner = owner(&mut call);
    Action::change(move |tx, environment| {
        let (mut items, mut errors) = (Vec::new(), Vec::new());
        for (topic_id, choice) in &choices {
            match choice.refused_by(&preference::topic(tx, environment, topic_id)?) {
                Some(reason) => errors.push(json!({ "topic_id": topic_id, "reason": reason })),
                None => {
                    preference::put(tx, environment, &owner, topic_id, choice)?;
                    items.push(echo(topic_id, choice));
                }
            }
        }
        Ok(Answer::new(200, json!({ "items": items, "errors": errors }).to_string()))
    })
}

/// A choice as the calls for many topics answer it.
fn echo(topic_id: &str, choice: &TopicPreference) -> serde_json::Value {
    json!({
        "topic_id": topic_id,
        "status": choice.status.name(),
        "has_custom_routing": choice.has_custom_routing,
        "custom_routing": routing(choice),
    })
}

/// `PUT /users/{user_id}/preferences?tenant_id=` with `{topics}`: 200 `{deleted, items}`. Topics that are not named fall
/// back to their defaults.
pub fn replace(mut call: Call<'_>) -> Result<Action> {
    let choices = read_choices(&call.json()?, 0)?;
    let owner = owner(&mut call);
    Action::change(move |tx, environment| {
        let mut deleted = Vec::new();
        for (topic_id, _) in preference::list(tx, environment, &owner)? {
            if !choices.iter().any(|(wanted, _)| *wanted == topic_id) {
                preference::delete(tx, environment, &owner, &topic_id)?;
                deleted.push(topic_id);
            }
        }
        for (i, (topic_id, choice)) in choices.iter().enumerate() {
            if let Some(reason) = choice.refused_by(&preference::topic(tx, environment, topic_id)?) {
                return Err(Error::invalid(format_args!("topics[{i}].status"), reason));
            }
            preference::put(tx, environment, &owner, topic_id, choice)?;
        }
        let chosen = preference::list(tx, environment, &owner)?;
        let items: Vec<_> = chosen.iter().map(|(topic_id, choice)| echo(topic_id, choice)).collect();
        Ok(Answer::new(200, json!({ "items": items, "deleted": deleted }).to_string()))
    })
}

/// `GET /users/{user_id}/preferences/{topic_id}?tenant_id=`: 200 `{topic}`, the default if the user has not chosen. A
/// topic that is not stored is no error.
pub fn get(mut call: Call<'_>) -> Result<Action> {
    let (owner, topic_id) = (owner(&mut call), call.path("topic_id"));
    Action::query(move |db, environment| {
        let choice = preference::find(db, environment, &owner.user_id, &owner.tenant_id, &topic_id)?;
        let topic = item(db, environment, &topic_id, choice.as_ref())?;
        Ok(Answer::new(200, format!("{{\"topic\":{topic}}}")))
    })
}

#[derive(Deserialize)]
struct TopicBody<'a> {
    #[serde(borrow)]
    topic: &'a RawValue,
}

/// `PUT /users/{user_id}/preferences/{topic_id}?tenant_id=` with `{topic}`: 200 `{message}`.
pub fn put(mut call: Call<'_>) -> Result<Action> {
    let body = call.json()?;
    let topic = json::read::<TopicBody<'_>>(&body, String::new)?.topic.get();
    let choice = TopicPreference::read(topic, || "topic".to_owned())?;
    let (owner, topic_id) = (owner(&mut call), call.path("topic_id"));
    Action::change(move |tx, environment| {
        if let Some(reason) = choice.refused_by(&preference::topic(tx, environment, &topic_id)?) {
            return Err(Error::invalid("topic.status", reason));
        }
        preference::put(tx, environment, &owner, &topic_id, &choice)?;
        Ok(Answer::new(200, "{\"message\":\"success\"}"))
    })
}

/// `DELETE /users/{user_id}/preferences/{topic_id}?tenant_id=`: 204, and the topic's default holds again.
pub fn delete(mut call: Call<'_>) -> Result<Action> {
    let (owner, topic_id) = (owner(&mut call), call.path("topic_id"));
    Action::change_existing(move |tx, environment| {
        preference::delete(tx, environment, &owner, &topic_id)?;
        Ok(Answer::new(204, ""))
    })
}
