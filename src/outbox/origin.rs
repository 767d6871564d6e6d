//! What a message was made of: it is not stored with it, but follows from the rows that it was made of, which never change.

use serde_json::{Map, Value};

use crate::error::Result;
use crate::model::about::About;
use crate::model::message::StoredMessage;
use crate::model::user::User;
use crate::store::{Db, profile, user};

/// What a message was made of.
#[derive(Debug, Default)]
pub struct Origin {
    pub data: Value,
    /// Providers with what is overridden for each, null if nothing is.
    pub overriding: Value,
    pub received_profile: Map<String, Value>,
    pub stored_profile: Map<String, Value>,
}

impl Origin {
    /// Of a message of a job with this definition, which `about` was read from.
    pub fn of(db: &Db<'_>, job: i64, message: &StoredMessage, definition: &str, about: &About) -> Result<Self> {
        let (stored_profile, user) = made_for(db, job, message)?;
        Ok(Origin::read(definition, about, &user, stored_profile.as_deref()))
    }

    /// From what was checked when it came. `about` is of the definition.
    fn read(definition: &str, about: &About, user: &str, stored_profile: Option<&str>) -> Self {
        let tree = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
        let mut received_profile = Map::new();
        if let Ok(user) = User::read(user, String::new) {
            let each = |name: &str, value: &str| drop(received_profile.insert(name.to_owned(), tree(value)));
            user.received_profile(each).unwrap_or_default();
        }
        let (definition, user) = (tree(definition), tree(user));
        let mut data = Map::new();
        let layers = [&definition["message"]["data"], &definition["data"], &user["data"], &user["to"]["data"]];
        for layer in layers.into_iter().filter_map(Value::as_object) {
            data.extend(layer.clone());
        }
        Origin {
            data: Value::Object(data),
            overriding: Some(&about.overrides).filter(|it| !it.is_empty()).cloned().map_or(Value::Null, Value::Object),
            received_profile,
            stored_profile: stored_profile.map(tree).and_then(|it| it.as_object().cloned()).unwrap_or_default(),
        }
    }

    /// The profile that was received over the one that was stored.
    pub fn merged_profile(&self) -> Map<String, Value> {
        let mut merged = self.stored_profile.clone();
        merged.extend(self.received_profile.clone());
        merged
    }
}

/// The stored profile that a message was made with, and the user as it was sent.
pub fn made_for(db: &Db<'_>, job: i64, message: &StoredMessage) -> Result<(Option<String>, String)> {
    let stored_profile = message.profile_version.map(|version| profile::get_version(db, version)).transpose()?;
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
        let about = About::read(&definition).unwrap();
        let expected = json!({ "body": { "a": 1, "b": 2, "c": { "d": [1], "e": null } } });
        assert_eq!(provider::overrides(&about, Channel::Email, Provider::Sendgrid).as_ref(), Some(&expected));
        assert_eq!(Origin::read(&definition, &about, "{}", None).overriding, json!({ "sendgrid": expected }));
        assert_eq!(Origin::read("{}", &About::default(), "{}", None).overriding, Value::Null);
    }
}
