//! The first version of a send, as Courier's SDKs from before 2023 write it: an event beside its recipient. It is
//! converted into the form of a bulk job and its user, which has the same members.

use serde::Deserialize;

use super::preference::RecipientPreferences;
use super::send_to::SendRecipient;
use crate::error::{Error, Result};
use crate::json::{self, Fields, Object, Text};

/// A send of the first version, converted to the second.
#[derive(Debug)]
pub struct SendV1 {
    /// The `message`, without its `to`.
    pub definition: String,
    pub to: SendRecipient,
}

/// Members that become the definition. Those of the user are in [`OF_THE_USER`].
const OF_THE_DEFINITION: [&str; 4] = ["event", "brand", "data", "override"];
const OF_THE_USER: [&str; 3] = ["recipient", "profile", "preferences"];

/// Only checked here. The converted form is read again.
#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    event: Text<'a>,
    #[serde(borrow, default, rename = "brand")]
    _brand: Option<Text<'a>>,
    #[serde(borrow, default, rename = "data")]
    _data: Option<Object<'a>>,
    #[serde(borrow, default, rename = "override")]
    _override: Option<Object<'a>>,
}

#[derive(Deserialize)]
struct ToUser<'a> {
    #[serde(borrow)]
    recipient: Text<'a>,
    #[serde(borrow, default, rename = "profile")]
    _profile: Option<Object<'a>>,
    #[serde(default, rename = "preferences")]
    _preferences: Option<Fields<RecipientPreferences>>,
}

#[derive(Deserialize)]
struct ToLists<'a> {
    #[serde(borrow, default)]
    list: Option<Text<'a>>,
    #[serde(borrow, default)]
    pattern: Option<Text<'a>>,
}

/// Whether the body of a send is of this version.
pub fn is_v1(body: &str) -> bool {
    let mut found = false;
    let looked = Object::of(body).for_each(|name, _| found |= matches!(name, "event" | "recipient"));
    looked.is_ok() && found
}

/// Whether the stored definition of a send comes from this version: one of the second version has its recipients.
pub fn is_definition(definition: &str) -> bool {
    let (mut has_event, mut is_other) = (false, false);
    let looked = Object::of(definition).for_each(|name, _| {
        has_event |= name == "event";
        is_other |= !OF_THE_DEFINITION.contains(&name);
    });
    looked.is_ok() && has_event && !is_other
}

/// This version's name for the field at a path of the second.
pub fn path(path: &str) -> &str {
    path.strip_prefix("message").map_or(path, |rest| rest.strip_prefix('.').unwrap_or(rest))
}

/// An error about a field, with the name that this version has for it.
pub fn error(error: Error) -> Error {
    error.with_path(|it| path(it).to_owned())
}

impl SendV1 {
    /// `{event, recipient, profile?, preferences?, brand?, data?, override?}`
    pub fn to_user(body: &str) -> Result<Self> {
        let definition = definition(body)?;
        let recipient = required(json::read::<ToUser<'_>>(body, String::new)?.recipient, "recipient")?;
        let to = SendRecipient::User { recipient, user: part(body, &OF_THE_USER)? };
        Ok(SendV1 { definition, to })
    }

    /// `{event, list | pattern, brand?, data?, override?}`
    pub fn to_lists(body: &str) -> Result<Self> {
        let definition = definition(body)?;
        let ToLists { list, pattern } = json::read(body, String::new)?;
        let (data, filters) = (None, Vec::new());
        let to = match (list, pattern) {
            (Some(list), None) => SendRecipient::List { list_id: required(list, "list")?, data, filters },
            (None, Some(pattern)) => SendRecipient::Pattern { pattern: required(pattern, "pattern")?, data, filters },
            _ => return Err(Error::invalid("the body", "expected either 'list' or 'pattern'")),
        };
        Ok(SendV1 { definition, to })
    }
}

fn definition(body: &str) -> Result<String> {
    required(json::read::<Body<'_>>(body, String::new)?.event, "event")?;
    part(body, &OF_THE_DEFINITION)
}

fn required(text: Text<'_>, at: &str) -> Result<String> {
    match text.0.is_empty() {
        true => Err(Error::invalid(at, "expected a text, found an empty string")),
        false => Ok(text.0.into_owned()),
    }
}

/// An object with some members of `body`, each as it was sent.
fn part(body: &str, names: &[&str]) -> Result<String> {
    let mut part = String::from("{");
    Object::of(body).for_each(|name, value| {
        if names.contains(&name) {
            let comma = if part.len() > 1 { "," } else { "" };
            part.push_str(&format!("{comma}\"{name}\":{value}"));
        }
    })?;
    part.push('}');
    Ok(part)
}
