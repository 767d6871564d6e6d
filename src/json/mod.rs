//! Reads JSON without losing what was sent: texts and objects that still point into the body, and errors that name the
//! field.

mod accept;
pub mod members;
mod merge;
pub mod scan;
pub mod shape;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::iter;
use std::marker::PhantomData;

use serde::de::value::{MapAccessDeserializer, MapDeserializer};
use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Unexpected, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::error::{Error, Result, shown};

pub use accept::accept;
pub use merge::merge;

/// Reads `text`, an object, as a `T`. An error names the field by its path below `at` (`users[3]`, or nothing for the
/// body itself) and says what was expected.
pub fn read<'a, T: Deserialize<'a>>(text: &'a str, at: impl FnOnce() -> String) -> Result<T> {
    value(text, at).map(|Fields(fields)| fields)
}

/// The same for a value of any kind.
pub fn value<'a, T: Deserialize<'a>>(text: &'a str, at: impl FnOnce() -> String) -> Result<T> {
    serde_json::from_str(text).map_err(|_| explain::<T>(text, &at()))
}

/// Reads again, this time with the path: only bodies with a mistake pay for it.
#[cold]
fn explain<'a, T: Deserialize<'a>>(text: &'a str, at: &str) -> Error {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let outcome = serde_path_to_error::deserialize::<_, T>(&mut deserializer);
    let Err(error) = outcome else {
        let what = if at.is_empty() { "the body" } else { at };
        return match deserializer.end() {
            Err(error) => Error::invalid(what, format_args!("not valid JSON: {error}")),
            Ok(()) => Error::internal("JSON was refused and then accepted"),
        };
    };
    let path = match (at, error.path().to_string().as_str()) {
        ("", ".") => "the body".to_owned(),
        (at, ".") => at.to_owned(),
        ("", path) => path.to_owned(),
        (at, path) if path.starts_with('[') => format!("{at}{path}"),
        (at, path) => format!("{at}.{path}"),
    };
    let error = error.into_inner();
    if error.is_data() {
        let text = error.to_string();
        Error::invalid(path, in_json_words(text.rfind(" at line ").map_or(text.as_str(), |end| &text[..end])))
    } else {
        Error::syntax(error)
    }
}

/// serde says map and sequence.
fn in_json_words(text: &str) -> String {
    let found_and_expected = text.strip_prefix("invalid type: ").and_then(|text| text.rsplit_once(", expected "));
    match found_and_expected {
        Some((found, expected)) => {
            let expected = match expected {
                "a map" => "an object",
                "a sequence" => "an array",
                "u64" | "u32" | "u16" | "u8" | "usize" => "a whole number of 0 or more",
                "i64" | "i32" | "isize" => "a whole number",
                "f64" | "f32" => "a number",
                other => other,
            };
            let found = match found {
                "map" => "an object".to_owned(),
                "sequence" => "an array".to_owned(),
                other => other.replace('`', ""),
            };
            format!("expected {expected}, found {found}")
        }
        None => text.replace("missing field `", "expected a field '").replace('`', "'"),
    }
}

/// The fields of an object, read as a `T`. serde alone would also accept an array for them, and not only an [empty
/// one](is_empty_array).
#[derive(Clone, Copy, Debug, Default)]
pub struct Fields<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Fields<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct FieldsVisitor<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for FieldsVisitor<T> {
            type Value = Fields<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> std::result::Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Fields)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> std::result::Result<Self::Value, A::Error> {
                match array.next_element::<IgnoredAny>()? {
                    None => T::deserialize(MapDeserializer::new(iter::empty::<((), ())>())).map(Fields),
                    Some(_) => Err(de::Error::invalid_type(Unexpected::Seq, &self)),
                }
            }
        }
        // If it is asked for a map, serde_json does not say what is in an array.
        deserializer.deserialize_struct("", &[], FieldsVisitor(PhantomData))
    }
}

/// For maps that may be absent: reads one as [`Fields`] does.
pub fn map<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<Option<T>, D::Error> {
    Ok(Option::<Fields<T>>::deserialize(deserializer)?.map(|Fields(map)| map))
}

/// Whether a raw value is an empty array. PHP, whose arrays are maps as well, writes an empty map like this. Wherever
/// an object is expected, here and in [`Object`], it counts as an object without members.
pub fn is_empty_array(raw: &str) -> bool {
    let inner = raw.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    inner.is_some_and(|inner| inner.trim_ascii().is_empty())
}

/// A string that points into the JSON it came from, unless it holds an escape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text<'a>(pub Cow<'a, str>);

impl Text<'_> {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> std::result::Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> std::result::Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(TextVisitor)
    }
}

/// A JSON object, unread: the bytes as they were sent.
#[derive(Clone, Copy, Debug)]
pub struct Object<'a>(&'a str);

impl<'a> Object<'a> {
    /// An object that was parsed before.
    pub fn of(text: &'a str) -> Self {
        Object(text)
    }

    /// The object that a raw value is; `None` if it is something else.
    pub fn sent(raw: &'a str) -> Option<Self> {
        match raw.starts_with('{') {
            true => Some(Object(raw)),
            false => is_empty_array(raw).then_some(Object("{}")),
        }
    }

    /// The object's own text, braces included.
    pub fn as_str(&self) -> &'a str {
        self.0
    }

    /// Calls `each` with every member's name and raw value.
    pub fn for_each(&self, each: impl FnMut(&str, &'a str)) -> Result<()> {
        scan::for_each(self.0, each).ok_or_else(|| match serde_json::from_str::<BTreeMap<String, &RawValue>>(self.0) {
            Err(error) => Error::invalid("the object", error),
            Ok(_) => Error::internal("an object was not understood and then was"),
        })
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?.get();
        Object::sent(raw).ok_or_else(|| de::Error::custom(format_args!("expected an object, found {}", kind(raw))))
    }
}

/// What a raw JSON value is, in words.
pub fn kind(raw: &str) -> &'static str {
    match raw.bytes().next() {
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b'"') => "a string",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        _ => "a number",
    }
}

/// A text as an error shows it: quoted, and cut if it is long.
pub fn cut(text: &str) -> String {
    let shown = shown(text);
    quoted(shown.beginning) + if shown.is_cut { "…" } else { "" }
}

/// The text of an object, with the members of another one appended, none of which may have the same name. Parsing it
/// for that would take a hundred times as long.
pub fn with_members(object: &str, members: &Value) -> Result<String> {
    let inner = object.trim_ascii().strip_prefix('{').and_then(|inner| inner.strip_suffix('}'));
    let inner = inner.ok_or_else(|| Error::internal("what is stored is no JSON object"))?;
    let separator = if inner.trim_ascii().is_empty() { "" } else { "," };
    let members = members.to_string();
    Ok(format!("{{{inner}{separator}{}", members.strip_prefix('{').unwrap_or("}")))
}

/// A JSON string holding `text`.
pub fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn members_come_behind_those_that_are_there() {
        let cases = [
            (r#"{"a":1}"#, json!({ "b": 2 }), r#"{"a":1,"b":2}"#),
            (r#"{"a":{"b":[]}}"#, json!({ "c": "}" }), r#"{"a":{"b":[]},"c":"}"}"#),
            (" { } ", json!({ "b": 2 }), r#"{ "b":2}"#),
        ];
        for (object, members, expected) in cases {
            let whole = with_members(object, &members).unwrap();
            assert_eq!(whole, expected);
            serde_json::from_str::<Value>(&whole).unwrap();
        }
        assert!(with_members("[]", &json!({})).is_err());
    }
}
