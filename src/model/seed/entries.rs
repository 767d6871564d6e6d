//! The entries that a seed can define.

use serde_json::value::RawValue;

use crate::error::{Error, Result};
use crate::json::{self, Object};
use crate::model::preference::TopicPreference;
use crate::model::template::{Check, TemplatePayload};

/// An entry under one id.
#[derive(Debug)]
pub struct SeedEntry<T> {
    /// The file and the path in it, such as `fixtures/welcome.json: templates.welcome`.
    pub at: String,
    /// Of the template, the brand, the user, ...
    pub id: String,
    pub value: T,
}

#[derive(Debug)]
pub struct SeedTemplate {
    /// As it is stored.
    pub draft: String,
    pub payload: TemplatePayload,
    pub is_published: bool,
}

/// The checks of one submission of a template.
#[derive(Debug)]
pub struct Submission {
    pub submission_id: String,
    pub checks: Vec<Check>,
}

#[derive(Debug)]
pub struct SeedList {
    pub name: String,
    /// JSON, as they were written.
    pub preferences: Option<String>,
    /// Users' ids with the preferences of their subscriptions. `None` leaves the list's subscribers as they are.
    pub subscribers: Option<Vec<(String, Option<String>)>>,
}

#[derive(Debug)]
pub struct SeedPreference {
    pub topic_id: String,
    pub preference: TopicPreference,
}

#[derive(Debug)]
pub struct SeedJob {
    /// The `message`, as it was written.
    pub definition: String,
    /// A JSON array, each user as it was written.
    pub users: String,
    pub is_run: bool,
}

#[derive(Debug)]
pub struct SeedMessage {
    /// The `message`, as it was written.
    pub definition: String,
    pub recipient: String,
    /// In the form of a job's user.
    pub user: String,
}

/// An object's members in their order, each with its name and its text.
pub fn members<'a>(text: &'a str, at: &str) -> Result<Vec<(String, &'a str)>> {
    if !text.starts_with('{') {
        return Err(Error::invalid(at, format_args!("expected an object, found {}", json::kind(text))));
    }
    let mut members = Vec::new();
    Object::of(text).for_each(|name, value| members.push((name.to_owned(), value)))?;
    Ok(members)
}

pub fn array<'a>(text: &'a str, at: &str) -> Result<Vec<&'a RawValue>> {
    serde_json::from_str(text)
        .map_err(|_| Error::invalid(at, format_args!("expected an array, found {}", json::kind(text))))
}
