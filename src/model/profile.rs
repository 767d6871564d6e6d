//! The stored profile of a user: a JSON object.

use indexmap::IndexMap;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::json::{self, Object};

/// The most bytes of a profile, however it was made: as many as a request can have.
const PROFILE_BYTES: usize = 6 * 1024 * 1024;

/// A profile that can be stored and changed.
#[derive(Clone, Debug)]
pub struct Profile(String);

impl Profile {
    pub fn new(profile: Object<'_>) -> Result<Self> {
        Profile::checked(profile.as_str().to_owned())
    }

    /// Refuses a profile that is too large, or nested too deeply to be read again.
    fn checked(text: String) -> Result<Self> {
        if text.len() > PROFILE_BYTES {
            return Err(Error::invalid("profile", format_args!("expected at most {PROFILE_BYTES} bytes in all")));
        }
        serde_json::from_str::<Value>(&text).map_err(|error| Error::invalid("profile", error))?;
        Ok(Profile(text))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// This profile over a stored one: members that it does not name stay, at every depth. Arrays are replaced.
    pub fn merged_into(&self, stored: &str) -> Result<Profile> {
        let mut merged = String::with_capacity(stored.len() + self.0.len());
        merge(&mut merged, stored, &self.0)?;
        Profile::checked(merged)
    }

    /// A profile after a patch.
    pub fn of(value: &Value) -> Result<Profile> {
        match value {
            Value::Object(_) => Profile::checked(value.to_string()),
            _ => Err(Error::invalid("patch", "expected a patch that leaves the profile an object")),
        }
    }
}

/// Works on the texts, so that numbers stay as they were written. Both are no deeper than [`Profile::new`] allows.
fn merge(into: &mut String, old: &str, new: &str) -> Result<()> {
    let mut members: IndexMap<String, (Option<&str>, Option<&str>)> = IndexMap::new();
    Object::of(old).for_each(|name, value| members.entry(name.to_owned()).or_default().0 = Some(value))?;
    Object::of(new).for_each(|name, value| members.entry(name.to_owned()).or_default().1 = Some(value))?;
    into.push('{');
    for (i, (name, (old, new))) in members.iter().enumerate() {
        if i > 0 {
            into.push(',');
        }
        into.push_str(&json::quoted(name));
        into.push(':');
        match (old, new) {
            (Some(old), Some(new)) if old.starts_with('{') && new.starts_with('{') => merge(into, old, new)?,
            (old, new) => into.push_str(new.or(*old).unwrap_or("null")),
        }
    }
    into.push('}');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_merge_does_not_name_stays() {
        let cases = [
            (r#"{}"#, r#"{"a":1}"#, r#"{"a":1}"#),
            (r#"{"a":1,"b":2}"#, r#"{"b":3}"#, r#"{"a":1,"b":3}"#),
            (r#"{"a":{"x":1,"y":{"z":2}}}"#, r#"{"a":{"y":{"w":3}}}"#, r#"{"a":{"x":1,"y":{"z":2,"w":3}}}"#),
            (r#"{"a":{"x":1}}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#),
            (r#"{"a":[1,2]}"#, r#"{"a":[3]}"#, r#"{"a":[3]}"#),
            (r#"{"a":1}"#, r#"{"a":null}"#, r#"{"a":null}"#),
            (r#"{"n":12345678901234567890123}"#, r#"{"q\"":1.10}"#, r#"{"n":12345678901234567890123,"q\"":1.10}"#),
        ];
        for (stored, new, expected) in cases {
            let merged = Profile::new(Object::of(new)).unwrap().merged_into(stored).unwrap();
            assert_eq!(merged.as_str(), expected);
        }
    }

    #[test]
    fn a_profile_that_could_not_be_read_again_is_refused() {
        let deep = format!("{}1{}", "{\"a\":".repeat(200), "}".repeat(200));
        assert!(Profile::new(Object::of(&deep)).unwrap_err().to_string().starts_with("profile: recursion limit"));
        let large = format!("{{\"a\":\"{}\"}}", "x".repeat(PROFILE_BYTES));
        assert!(Profile::new(Object::of(&large)).is_err());
    }
}
