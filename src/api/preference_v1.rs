//! Preferences in the first version of the API, as Courier's Node SDK up to 4.9 asks for them: by topic, which it calls a
//! category, and by notification. Those by topic are the same as under `/users/{user_id}/preferences`.

use serde_json::{Map, Value, json};

use super::call::{Action, Answer, Call};
use super::profile::SUCCESS;
use crate::error::{Error, Result, shown};
use crate::json::Fields;
use crate::model::preference::{PreferenceDetails, PreferenceStatus, RecipientPreferences, Topic, TopicPreference};
use crate::store::preference::{self, PreferenceOwner};

/// Choices of one kind in one request.
const CHOICES: usize = 500;

/// Outside of any tenant: this version knows none.
fn owner(user_id: String) -> PreferenceOwner {
    PreferenceOwner { user_id, tenant_id: String::new() }
}

/// `GET /preferences`: 200 `{categories, uncategorized}`: the topics that are stored. Templates are shown as belonging to
/// none.
pub fn list(call: Call<'_>) -> Result<Action> {
    call.notes().deprecated();
    Action::query(move |db, environment| {
        let topics = preference::list_topics(db, environment)?;
        let category = |(id, topic): (String, Topic)| json!({ "id": id, "title": topic.name, "notifications": [] });
        let categories: Vec<Value> = topics.into_iter().map(category).collect();
        Ok(Answer::new(200, json!({ "categories": categories, "uncategorized": [] }).to_string()))
    })
}

/// `GET /preferences/{user_id}`: 200 `{categories, notifications}`: what the user has chosen.
pub fn get(mut call: Call<'_>) -> Result<Action> {
    call.notes().deprecated();
    let owner = owner(call.path("user_id"));
    Action::query(move |db, environment| {
        let categories = shown_choices(preference::list(db, environment, &owner)?);
        let notifications = shown_choices(preference::list_of_notifications(db, environment, &owner)?);
        Ok(Answer::new(200, json!({ "categories": categories, "notifications": notifications }).to_string()))
    })
}

fn shown_choices(choices: Vec<(String, TopicPreference)>) -> Map<String, Value> {
    let shown = |(id, choice): (String, TopicPreference)| {
        let mut details = json!({ "status": choice.status.name() });
        if choice.has_custom_routing {
            let channels = choice.custom_routing.iter().map(|channel| json!({ "channel": channel.name() }));
            details["channel_preferences"] = channels.collect();
        }
        (id, details)
    };
    choices.into_iter().map(shown).collect()
}

type Choices = Vec<(String, TopicPreference)>;

/// `PUT /preferences/{user_id}` with `{categories?, notifications?}`: 200 `{status}`. Each of the two replaces all that the
/// user has chosen of its kind.
pub fn put(mut call: Call<'_>) -> Result<Action> {
    call.notes().deprecated();
    let sent = RecipientPreferences::read(&call.json_or_none()?, String::new)?;
    let owner = owner(call.path("user_id"));
    let categories = sent.categories.map(|sent| choices(sent, "categories", &owner)).transpose()?;
    let notifications = sent.notifications.map(|sent| choices(sent, "notifications", &owner)).transpose()?;
    Action::change(move |tx, environment| {
        if let Some(choices) = &categories {
            for (topic_id, _) in preference::list(tx, environment, &owner)? {
                preference::delete(tx, environment, &owner, &topic_id)?;
            }
            for (topic_id, choice) in choices {
                if let Some(reason) = choice.refused_by(&preference::topic(tx, environment, topic_id)?) {
                    return Err(Error::invalid(format_args!("categories.{}.status", shown(topic_id)), reason));
                }
                preference::put(tx, environment, &owner, topic_id, choice)?;
            }
        }
        if let Some(choices) = &notifications {
            for (id, _) in preference::list_of_notifications(tx, environment, &owner)? {
                preference::delete(tx, environment, &owner, &preference::of_notification(&id))?;
            }
            for (id, choice) in choices {
                preference::put(tx, environment, &owner, &preference::of_notification(id), choice)?;
            }
        }
        Ok(Answer::new(200, SUCCESS))
    })
}

fn choices(
    sent: impl IntoIterator<Item = (String, Fields<PreferenceDetails>)>,
    kind: &str,
    owner: &PreferenceOwner,
) -> Result<Choices> {
    let mut choices = Vec::new();
    for (id, Fields(details)) in sent {
        let at = format!("{kind}.{}", shown(&id));
        if id.is_empty() {
            return Err(Error::invalid(kind, "expected ids, found an empty string"));
        }
        if details.status == PreferenceStatus::Required {
            let expected = "expected OPTED_IN or OPTED_OUT; REQUIRED is a topic's default and no choice of a user";
            return Err(Error::invalid(format_args!("{at}.status"), expected));
        }
        if details.rules.as_ref().is_some_and(|rules| !rules.is_empty()) {
            let user = shown(&owner.user_id);
            log::warn!("the rules of a stored preference are not kept: {at} of the user '{user}' holds at all times");
        }
        let channels = details.channel_preferences.unwrap_or_default();
        let custom_routing: Vec<_> = channels.into_iter().map(|Fields(it)| it.channel).collect();
        let has_custom_routing = !custom_routing.is_empty();
        choices.push((id, TopicPreference { status: details.status, has_custom_routing, custom_routing }));
    }
    if choices.len() > CHOICES {
        return Err(Error::invalid(kind, format_args!("expected at most {CHOICES}, found {}", choices.len())));
    }
    Ok(choices)
}
