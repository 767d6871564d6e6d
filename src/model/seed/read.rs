//! Reads the entries of a seed one by one, each from its own text. `at` is its path.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::entries::{SeedJob, SeedList, SeedMessage, SeedTemplate, Submission, array, members};
use crate::error::{Error, Result};
use crate::json::{self, Object};
use crate::model::brand::BrandPayload;
use crate::model::definition::{Definition, Reading};
use crate::model::list as model_list;
use crate::model::preference::{self, PreferenceStatus};
use crate::model::profile::Profile;
use crate::model::send_to::{self, SendRecipient};
use crate::model::template::{State, TemplatePayload, to_text};
use crate::model::user;

pub fn brand(text: &str, at: &str, id: &str) -> Result<BrandPayload> {
    let brand = BrandPayload::read(text, at)?;
    match &brand.id {
        Some(other) if other != id => {
            Err(Error::invalid(format_args!("{at}.id"), "expected the name that it stands under"))
        }
        _ => Ok(brand),
    }
}

#[derive(Deserialize)]
struct StateOf {
    #[serde(default)]
    state: Option<State>,
}

/// Published, unless its `state` is DRAFT.
pub fn template(text: &str, at: &str) -> Result<SeedTemplate> {
    let StateOf { state } = json::read(text, || at.to_owned())?;
    let payload = TemplatePayload::read(text, at)?.whole();
    let draft =
        payload.to_json(None).and_then(to_text).map_err(|error| error.with_path(|path| format!("{at}.{path}")))?;
    Ok(SeedTemplate { draft, payload, is_published: state != Some(State::Draft) })
}

pub fn submission(text: &str, at: &str, submission_id: String) -> Result<Submission> {
    let texts: Vec<&RawValue> = array(text, at)?;
    let check = |(i, text): (usize, &RawValue)| json::read(text.get(), || format!("{at}[{i}]"));
    Ok(Submission { submission_id, checks: texts.into_iter().enumerate().map(check).collect::<Result<_>>()? })
}

#[derive(Deserialize)]
struct TopicBody {
    #[serde(default)]
    name: Option<String>,
    default_status: PreferenceStatus,
}

pub fn topic(text: &str, at: &str) -> Result<preference::Topic> {
    let TopicBody { name, default_status } = json::read(text, || at.to_owned())?;
    let name = name.filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| Error::invalid(format_args!("{at}.name"), "expected a name"))?;
    Ok(preference::Topic { name, default_status })
}

pub fn profile(text: &str, at: &str) -> Result<Profile> {
    members(text, at)?;
    Profile::new(Object::of(text))
}

#[derive(Deserialize)]
struct ListBody<'a> {
    #[serde(default)]
    name: Option<String>,
    #[serde(borrow, default)]
    preferences: Option<Object<'a>>,
    #[serde(borrow, default)]
    subscribers: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct SubscriberBody<'a> {
    #[serde(borrow, default)]
    preferences: Option<Object<'a>>,
}

pub fn list(text: &str, at: &str, list_id: String) -> Result<SeedList> {
    model_list::check_id(&list_id, || at.to_owned())?;
    let ListBody { name, preferences, subscribers } = json::read(text, || at.to_owned())?;
    let preferences = preference::checked(preferences, || format!("{at}.preferences"))?;
    let subscribers = subscribers.map(|it| read_subscribers(it.get(), &format!("{at}.subscribers"))).transpose()?;
    Ok(SeedList { name: name.unwrap_or(list_id), preferences, subscribers })
}

/// `{user_id: {preferences?}}`, or only the ids in an array.
fn read_subscribers(text: &str, at: &str) -> Result<Vec<(String, Option<String>)>> {
    if text.starts_with('[') {
        let ids: Vec<String> = serde_json::from_str(text).map_err(|_| Error::invalid(at, "expected users' ids"))?;
        return match ids.iter().position(String::is_empty) {
            Some(i) => Err(Error::invalid(format_args!("{at}[{i}]"), "expected a user's id, found an empty string")),
            None => Ok(ids.into_iter().map(|id| (id, None)).collect()),
        };
    }
    let subscriber = |(user_id, text): (String, &str)| {
        let at = format!("{at}.{user_id}");
        if user_id.is_empty() {
            return Err(Error::invalid(at, "expected a user's id, found an empty name"));
        }
        let SubscriberBody { preferences } = json::read(text, || at.clone())?;
        Ok((user_id, preference::checked(preferences, || format!("{at}.preferences"))?))
    };
    members(text, at)?.into_iter().map(subscriber).collect()
}

#[derive(Deserialize)]
struct JobBody<'a> {
    #[serde(borrow)]
    message: &'a RawValue,
    #[serde(borrow, default)]
    users: Option<&'a RawValue>,
    #[serde(default)]
    run: bool,
}

pub fn job(text: &str, at: &str) -> Result<SeedJob> {
    let JobBody { message, users, run } = json::read(text, || at.to_owned())?;
    Definition::read(message.get(), Reading::Bulk)?;
    let users = users.map_or("[]", RawValue::get);
    let users_at = format!("{at}.users");
    user::read_each(array(users, &users_at)?, &users_at, &mut |_, _| {})?;
    Ok(SeedJob { definition: message.get().to_owned(), users: users.to_owned(), is_run: run })
}

#[derive(Deserialize)]
struct MessageBody<'a> {
    #[serde(borrow)]
    message: &'a RawValue,
}

#[derive(Deserialize)]
struct Addressed<'a> {
    #[serde(borrow)]
    to: &'a RawValue,
}

pub fn message(text: &str, at: &str) -> Result<SeedMessage> {
    let MessageBody { message } = json::read(text, || at.to_owned())?;
    Definition::read(message.get(), Reading::Send)?;
    let Addressed { to } = json::read(message.get(), || format!("{at}.message"))?;
    match send_to::read(to.get())?.as_slice() {
        [SendRecipient::User { recipient, user }] => {
            Ok(SeedMessage { definition: message.get().to_owned(), recipient: recipient.clone(), user: user.clone() })
        }
        _ => Err(Error::invalid(format_args!("{at}.message.to"), "expected one user; a message has one recipient")),
    }
}
