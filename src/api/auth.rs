//! `Authorization: Bearer <key>`.

use crate::error::{Error, Kind, Result};
use crate::model::environment::Environment;
use crate::outage::Outage;

/// The keys that are accepted.
pub struct Keys {
    /// None means any.
    known: Vec<Environment>,
    refusals: Outage,
}

impl Keys {
    /// With no keys, every key that is not empty is accepted and opens its own environment.
    pub fn new(keys: &[String]) -> Self {
        let known = keys.iter().map(|key| Environment::of_key(key)).collect();
        Keys { known, refusals: Outage::of_callers("requests are refused with 401") }
    }

    /// The environments of the keys that were named.
    pub fn known(&self) -> &[Environment] {
        &self.known
    }

    /// The environment of a request. Missing, malformed, empty and unknown keys get the same answer. The log tells them
    /// apart, with a count and without the key.
    pub fn environment(&self, authorization: Option<&str>) -> Result<Environment> {
        let refused = |why: &str| {
            self.refusals.failed(why);
            Err(Error::new(Kind::Unauthorized, "Unauthorized"))
        };
        let Some(environment) = environment_of(authorization) else {
            return refused("no 'Authorization: Bearer' with a key");
        };
        if !self.knows(&environment) {
            return refused("there is no such key");
        }
        self.refusals.succeeded();
        Ok(environment)
    }

    /// The environment of a request that is refused for another reason, if its key is accepted.
    pub fn find(&self, authorization: Option<&str>) -> Option<Environment> {
        environment_of(authorization).filter(|environment| self.knows(environment))
    }

    fn knows(&self, environment: &Environment) -> bool {
        self.known.is_empty() || self.known.contains(environment)
    }
}

/// The environment of the key in a header, if there is one.
fn environment_of(authorization: Option<&str>) -> Option<Environment> {
    authorization
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, key)| key.trim())
        .filter(|key| !key.is_empty())
        .map(Environment::of_key)
}
