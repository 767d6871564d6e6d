//! The first form of a send, as Courier's SDKs of before 2023 write it: an event beside the one it is for. A bulk job and its
//! user have the same words, so that is what is made of it.

use serde::Deserialize;

use super::preference::RecipientPreferences;
use super::send_to::SendRecipient;
use crate::error::{Error, Result};
use crate::json::{self, Fields, Object, Text};

/// A send in the first form, in the words of the second.
#[derive(Debug)]
pub struct SendV1 {
    /// The `message`, without its `to`.
    pub definition: String,
    pub to: SendRecipient,
}

/// Members that make the definition. All that a user has is in [`OF_THE_USER`].
const OF_THE_DEFINITION: [&str; 4] = ["event", "brand", "data", "override"];
const OF_THE_USER: [&str; 3] = ["recipient", "profile", "preferences"];

/// What is only checked here is read again by what is made of it.
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

/// Whether the body of a send is of this form.
pub fn is_v1(body: &str) -> bool {
    let mut found = false;
    let looked = Object::of(body).for_each(|name, _| found |= matches!(name, "event" | "recipient"));
    looked.is_ok() && found
}

/// Whether the stored definition of a send was made of this form: one of the second form has its recipients.
pub fn is_definition(definition: &str) -> bool {
    let (mut has_event, mut is_other) = (false, false);
    let looked = Object::of(definition).for_each(|name, _| {
        has_event |= name == "event";
        is_other |= !OF_THE_DEFINITION.contains(&name);
    });
    looked.is_ok() && has_event && !is_other
}

/// What this form calls the field that stands at such a path of the second.
pub fn path(path: &str) -> &str {
    path.strip_prefix("message").map_or(path, |rest| rest.strip_prefix('.').unwrap_or(rest))
}

/// An error about a field, as this form calls it.
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

/// An object of some members of `body`, each as it was sent.
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
