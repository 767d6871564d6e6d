//! What a message was made from. That is not stored with it, but follows from rows that never change.

use serde_json::{Map, Value};

use crate::error::Result;
use crate::model::message::StoredMessage;
use crate::model::options::MessageOptions;
use crate::model::row::JobRow;
use crate::model::user::User;
use crate::model::{data, definition};
use crate::store::{Db, profile, user};

/// What a message was made from.
#[derive(Debug, Default)]
pub struct Origin {
    pub data: Value,
    /// Providers with their overrides, null without one.
    pub overriding: Value,
    pub received_profile: Map<String, Value>,
    pub stored_profile: Map<String, Value>,
    /// Whether there was a stored profile that has been deleted since.
    pub is_deleted: bool,
    /// The profile that was sent, merged over the stored one.
    pub merged_profile: Map<String, Value>,
}

impl Origin {
    /// Of a message of a job with this definition, from which `options` were read.
    pub fn of(
        db: &Db<'_>,
        job: JobRow,
        message: &StoredMessage,
        definition: &str,
        options: &MessageOptions,
    ) -> Result<Self> {
        let (stored_profile, user) = made_for(db, job, message)?;
        let is_deleted = message.profile_version.is_some() && stored_profile.is_none();
        Ok(Origin { is_deleted, ..Origin::read(definition, options, &user, stored_profile.as_deref()) })
    }

    /// From a definition that was checked when it was sent.
    fn read(definition: &str, options: &MessageOptions, user: &str, stored_profile: Option<&str>) -> Self {
        let user = User::read(user, String::new).unwrap_or_default();
        let job_data = definition::stored_data(definition);
        let data = data::of_message(&job_data, user.data_layers()).unwrap_or_default();
        let mut origin = Origin {
            data: data.into_iter().map(|(name, value)| (name.into_owned(), tree(value))).collect(),
            stored_profile: stored_profile.map(tree).and_then(|it| it.as_object().cloned()).unwrap_or_default(),
            ..Origin::default()
        };
        if !options.overrides.is_empty() {
            origin.overriding = Value::Object(options.overrides.clone());
        }
        let member = |name: &str, value: &str| (name.to_owned(), tree(value));
        user.received_profile(|name, value| origin.received_profile.extend([member(name, value)])).unwrap_or_default();
        let merge = |name: &str, value: &str| origin.merged_profile.extend([member(name, value)]);
        user.merged_profile(stored_profile, merge).unwrap_or_default();
        origin
    }
}

fn tree(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}

/// The stored profile that a message was made with, unless it has been deleted since, and the user as it was sent.
pub fn made_for(db: &Db<'_>, job: JobRow, message: &StoredMessage) -> Result<(Option<String>, String)> {
    let stored_profile = match message.profile_version {
        Some(version) => profile::get_version(db, version)?,
        None => None,
    };
    Ok((stored_profile, user::get(db, job, message.seq)?.1))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::channel::Channel;
    use crate::model::provider::Provider;
    use crate::provider;

    #[test]
    fn the_history_tells_of_the_overrides_that_the_provider_was_given() {
        let definition = json!({
            "message": { "override": { "sendgrid": { "body": { "a": 1, "c": { "d": [1] } } } } },
            "override": { "sendgrid": { "body": { "b": 2, "c": { "e": null } } } },
        });
        let definition = definition.to_string();
        let options = MessageOptions::read(&definition).unwrap();
        let expected = json!({ "body": { "a": 1, "b": 2, "c": { "d": [1], "e": null } } });
        assert_eq!(provider::overrides(&options, Channel::Email, Provider::Sendgrid).as_ref(), Some(&expected));
        assert_eq!(Origin::read(&definition, &options, "{}", None).overriding, json!({ "sendgrid": expected }));
        assert_eq!(Origin::read("{}", &MessageOptions::default(), "{}", None).overriding, Value::Null);
    }
}
