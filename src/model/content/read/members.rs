//! The members of an object of JSON, as they were sent.

use std::borrow::Cow;
use std::cell::Cell;

use serde_json::{Map, Number, Value};

use crate::json;
use crate::json::scan::{self, Quoted};

pub struct Member<'a> {
    pub name: Cow<'a, str>,
    value: &'a str,
    is_read: Cell<bool>,
}

/// The members of an object, by their names. Of several with one name the last counts, as everywhere in JSON.
pub struct ObjectMembers<'a>(Vec<Member<'a>>);

impl<'a> ObjectMembers<'a> {
    /// `None` if the value is not an object.
    pub fn of(value: &'a str) -> Option<Self> {
        if !value.starts_with('{') && !json::is_empty_array(value) {
            return None;
        }
        scan::Members::of(value)
            .map(|(name, value)| Some(Member { name: name.unescaped()?, value, is_read: Cell::new(false) }))
            .collect::<Option<_>>()
            .map(ObjectMembers)
    }

    /// The raw value of a member.
    pub fn find(&self, name: &str) -> Option<&'a str> {
        let member = self.0.iter().rev().find(|member| member.name == name)?;
        member.is_read.set(true);
        Some(member.value)
    }

    /// The raw value of a member that is not null.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.find(name).filter(|value| *value != "null")
    }

    pub fn text(&self, name: &str) -> Option<String> {
        text(self.get(name)?)
    }

    /// The members that were not read, and that are not empty.
    pub fn unread(&self) -> impl Iterator<Item = &str> {
        let said = |member: &&Member<'_>| !member.is_read.get() && !matches!(member.value, "null" | "{}" | "[]");
        let counts = |member: &&Member<'_>| !self.0.iter().any(|it| it.is_read.get() && it.name == member.name);
        self.0.iter().filter(said).filter(counts).map(|member| &*member.name)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Member<'a>> {
        self.0.iter()
    }

    /// Each member once, in the order of their names.
    pub fn sorted(mut self) -> Vec<(Cow<'a, str>, &'a str)> {
        // Of several with one name the last counts.
        self.0.reverse();
        self.0.sort_by(|one, other| one.name.cmp(&other.name));
        self.0.dedup_by(|one, kept| one.name == kept.name);
        self.0.into_iter().map(|member| (member.name, member.value)).collect()
    }

    /// Texts, numbers, booleans and nulls.
    pub fn scalars(&self) -> Map<String, Value> {
        let is_scalar = |value: &str| !value.starts_with(['{', '[']);
        let last = |name: &str| self.0.iter().rev().find(|member| member.name == name).map(|member| member.value);
        let scalars = self.0.iter().filter(|it| is_scalar(it.value) && last(&it.name) == Some(it.value));
        scalars.filter_map(|it| Some((it.name.to_string(), serde_json::from_str(it.value).ok()?))).collect()
    }
}

/// The text that a raw value is; `None` if it is something else.
pub fn text(value: &str) -> Option<String> {
    Quoted::of(value)?.unescaped().map(Cow::into_owned)
}

/// A text, number or boolean as a text.
pub fn scalar(value: &str) -> Option<String> {
    match value {
        "true" | "false" => Some(value.to_owned()),
        _ => serde_json::from_str::<Number>(value).map(|number| number.to_string()).ok().or_else(|| text(value)),
    }
}
