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
            overriding: merged_overrides(about),
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

/// Providers with what is overridden for each, null if nothing is.
fn merged_overrides(about: &About) -> Value {
    let mut merged: Option<Map<String, Value>> = None;
    for (provider, over) in about.overrides.iter().flatten() {
        let merged = merged.get_or_insert_default();
        match (merged.get_mut(provider), over) {
            (Some(Value::Object(known)), Value::Object(over)) => known.extend(over.clone()),
            _ => drop(merged.insert(provider.clone(), over.clone())),
        }
    }
    merged.map_or(Value::Null, Value::Object)
}

/// The stored profile that a message was made with, and the user as it was sent.
pub fn made_for(db: &Db<'_>, job: i64, message: &StoredMessage) -> Result<(Option<String>, String)> {
    let stored_profile = message.profile_version.map(|version| profile::get_version(db, version)).transpose()?;
    Ok((stored_profile, user::get(db, job, message.seq)?.1))
}
