//! The members that elements have in common: texts with their locales, addresses, choices. What has no effect is noted.

use std::borrow::Cow;
use std::cell::RefCell;

use super::super::element::{LocalText, LocalizedText, is_script, locale};
use super::members::{ObjectMembers, scalar, text};
use crate::error::{Error, Result, shown};
use crate::model::channel::Channel;
use crate::model::provider::Provider;

/// The most notes about members without effect.
const UNUSED_LIMIT: usize = 20;
/// Members whose effect is not visible, or which are notes of Courier's designer.
const SILENT: [&str; 4] = ["id", "disable_tracking", "image_natural_width", "_sourceHash"];

/// Reads one content.
pub struct Reader<'a> {
    /// Its path.
    pub content: &'a str,
    pub unused: RefCell<Vec<String>>,
}

/// The members of one element.
pub struct ElementMembers<'a> {
    pub reader: &'a Reader<'a>,
    pub path: &'a str,
    pub members: ObjectMembers<'a>,
}

impl Reader<'_> {
    pub fn refuse(&self, path: &str, expected: impl std::fmt::Display) -> Error {
        Error::invalid(format_args!("{}.{path}", self.content), expected)
    }

    /// Notes what has no effect.
    pub fn note(&self, path: &str, why: impl std::fmt::Display) {
        let mut unused = self.unused.borrow_mut();
        if unused.len() < UNUSED_LIMIT {
            unused.push(format!("{}.{} {why}", self.content, shown(path)));
        }
    }

    pub fn note_unused(&self, members: &ObjectMembers<'_>, at: &str) {
        for name in members.unread().filter(|name| !SILENT.contains(name)) {
            let point = if at.is_empty() { "" } else { "." };
            self.note(&format!("{at}{point}{name}"), "has no effect");
        }
    }
}

impl<'a> ElementMembers<'a> {
    pub fn refuse(&self, field: &str, expected: impl std::fmt::Display) -> Error {
        self.reader.refuse(&format!("{}.{field}", self.path), expected)
    }

    pub fn note(&self, field: &str, why: impl std::fmt::Display) {
        self.reader.note(&format!("{}.{field}", self.path), why);
    }

    pub fn text(&self, name: &str) -> Result<Option<String>> {
        let read = |value| text(value).ok_or_else(|| self.refuse(name, "expected a string"));
        self.members.get(name).map(read).transpose()
    }

    /// A style value: it never makes the content invalid.
    pub fn style_value(&self, name: &str) -> Option<String> {
        self.members.get(name).and_then(scalar).filter(|text| !text.is_empty())
    }

    pub fn choice<T>(&self, name: &str, from_name: fn(&str) -> Option<T>) -> Option<T> {
        let value = self.style_value(name)?;
        let found = from_name(&value);
        if found.is_none() {
            self.note(name, format_args!("has no effect: '{}' is none of its values", shown(&value)));
        }
        found
    }

    pub fn flag(&self, name: &str) -> bool {
        matches!(self.members.get(name), Some("true" | "\"true\""))
    }

    pub fn check_channel(&self, field: &str, name: &str) {
        if Channel::from_name(name).is_none() && Provider::named(name).is_none() && name != "banner" {
            self.note(field, format_args!("names '{}', which is no channel or provider", shown(name)));
        }
    }

    /// A text under any of these names, and what `locales` have in its place.
    pub fn words(&self, names: &[&'static str]) -> Result<Option<LocalizedText>> {
        let mut found = None;
        for &name in names {
            let text = self.text(name)?;
            found = found.or(text.map(|text| (name, text)));
        }
        let mut locales = Vec::new();
        for (name, fields) in self.locales()? {
            match names.iter().chain(&["content"]).find_map(|field| fields.find(field).map(|it| (*field, it))) {
                None | Some((_, "null")) => {}
                // A link's locale may have another text and the same address.
                Some(("content", _)) if !names.contains(&"content") && names != ["title"] => {}
                Some((field, value)) => {
                    let field = format!("locales.{name}.{field}");
                    let Some(text) = text(value) else { return Err(self.refuse(&field, "expected a string")) };
                    locales.push(LocalText { locale: locale(&name), field, text });
                }
            }
        }
        let first = names.first().copied().unwrap_or_default();
        Ok(match found {
            Some((field, text)) => Some(LocalizedText { field: Cow::Borrowed(field), text, locales }),
            None if locales.is_empty() => None,
            None => Some(LocalizedText { field: Cow::Borrowed(first), text: String::new(), locales }),
        })
    }

    /// What `locales` say, in their order.
    pub fn locales(&self) -> Result<Vec<(Cow<'a, str>, ObjectMembers<'a>)>> {
        let Some(locales) = self.members.get("locales") else { return Ok(Vec::new()) };
        // An empty map is `[]` in PHP.
        if locales == "[]" {
            return Ok(Vec::new());
        }
        let Some(members) = ObjectMembers::of(locales) else {
            return Err(self.refuse("locales", "expected an object"));
        };
        let read = |(name, fields): (Cow<'a, str>, &'a str)| match ObjectMembers::of(fields) {
            Some(fields) => Ok((name, fields)),
            None => Err(self.refuse(&format!("locales.{name}"), "expected an object")),
        };
        members.sorted().into_iter().map(read).collect()
    }

    pub fn required(&self, name: &'static str) -> Result<LocalizedText> {
        self.words(&[name])?.ok_or_else(|| self.refuse(name, "expected a string"))
    }

    pub fn address(&self, name: &'static str) -> Result<Option<LocalizedText>> {
        let Some(words) = self.words(&[name])? else { return Ok(None) };
        let texts = words.locales.iter().map(|it| (it.field.as_str(), &it.text)).chain([(&*words.field, &words.text)]);
        if let Some((field, _)) = texts.into_iter().find(|(_, text)| is_script(text)) {
            return Err(self.refuse(field, "expected an address to open, found a script"));
        }
        Ok(Some(words))
    }

    pub fn required_address(&self, name: &'static str) -> Result<LocalizedText> {
        self.address(name)?.ok_or_else(|| self.refuse(name, "expected a string"))
    }
}
