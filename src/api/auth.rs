//! `Authorization: Bearer <key>`.

use crate::error::{Error, Kind, Result};
use crate::model::environment::Environment;

/// The keys that are accepted.
pub struct Keys {
    /// None means any.
    known: Vec<Environment>,
}

impl Keys {
    /// With no keys, every key that is not empty is accepted and opens its own environment.
    pub fn new(keys: &[String]) -> Self {
        Keys { known: keys.iter().map(|key| Environment::of_key(key)).collect() }
    }

    /// The environments of the keys that were named.
    pub fn known(&self) -> &[Environment] {
        &self.known
    }

    /// The environment of a request. Missing, malformed, empty and unknown keys are all told the same.
    pub fn environment(&self, authorization: Option<&str>) -> Result<Environment> {
        let environment = authorization
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, key)| key.trim())
            .filter(|key| !key.is_empty())
            .map(Environment::of_key)
            .filter(|environment| self.known.is_empty() || self.known.contains(environment));
        environment.ok_or_else(|| Error::new(Kind::Unauthorized, "Unauthorized"))
    }
}
