//! The members of a JSON object that was read before. Its text is known to be JSON, so all that is to be found is where
//! each value ends: that takes a fraction of the time of reading it again.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::json::{self, Fields, Object, Text};
use crate::error::Result;

/// What is read of an object: see [`members!`].
pub trait Members<'a>: Sized {
    /// `None` if the text is no such object.
    fn read(object: &'a str) -> Option<Self>;
}

/// What a member can hold besides null.
pub trait Member<'a>: Sized {
    /// `None` if the value is nothing of the kind.
    fn read(value: &'a str) -> Option<Self>;
}

/// Reads an object whose text is known to be JSON. An error names the field as [`json::read`] does, which has the last
/// word.
pub fn read<'a, T: Members<'a> + Deserialize<'a>>(text: &'a str, at: impl FnOnce() -> String) -> Result<T> {
    match T::read(text) {
        Some(members) => Ok(members),
        None => json::read(text, at),
    }
}

/// A struct of optional fields with the names of the members that they are read from. What it does not name is passed
/// over. With serde it can be read as well, and then says what is wrong. A last field may take the object's own text.
macro_rules! members {
    ($(#[$meta:meta])* $visible:vis struct $type:ident<$a:lifetime> {
        $($(#[$field_meta:meta])* $field_visible:vis $field:ident: $value:ty = $name:literal),+ $(,)?
        $(; $text:ident)?
    }) => {
        $(#[$meta])*
        #[derive(Debug, Default, serde::Deserialize)]
        #[serde(default)]
        $visible struct $type<$a> {
            $($(#[$field_meta])* #[serde(rename = $name)] $field_visible $field: Option<$value>,)+
            $(#[serde(skip)] $text: Option<Object<$a>>,)?
        }

        impl<$a> $crate::model::members::Members<$a> for $type<$a> {
            fn read(object: &$a str) -> Option<Self> {
                $(let mut $field: Option<Option<$value>> = None;)+
                let mut sound = true;
                $crate::model::members::for_each(object, |name, value| {
                    sound &= match name {
                        $($name => $crate::model::members::fill(&mut $field, value),)+
                        _ => true,
                    };
                })?;
                sound.then(|| $type { $($field: $field.flatten(),)+ $($text: Some(Object::of(object)),)? })
            }
        }
    };
}

pub(crate) use members;

/// Puts a value where none is yet, and says whether it could.
pub fn fill<'a, T: Member<'a>>(field: &mut Option<Option<T>>, value: &'a str) -> bool {
    let read = if value == "null" { Some(None) } else { T::read(value).map(Some) };
    let is_new = field.is_none();
    *field = read;
    is_new && field.is_some()
}

impl<'a> Member<'a> for Text<'a> {
    fn read(value: &'a str) -> Option<Self> {
        let string = Walk { all: value, at: 0 }.string()?;
        string.unescaped().map(Text)
    }
}

impl<'a> Member<'a> for Object<'a> {
    fn read(value: &'a str) -> Option<Self> {
        value.starts_with('{').then(|| Object::of(value))
    }
}

impl<'a, T: Members<'a>> Member<'a> for Fields<T> {
    fn read(value: &'a str) -> Option<Self> {
        T::read(value).map(Fields)
    }
}

impl<'a, T: DeserializeOwned> Member<'a> for Box<Fields<T>> {
    fn read(value: &'a str) -> Option<Self> {
        serde_json::from_str(value).ok()
    }
}

/// A value of any kind, as it was sent.
#[derive(Clone, Copy, Debug)]
pub struct Raw<'a>(pub &'a str);

impl<'a> Member<'a> for Raw<'a> {
    fn read(value: &'a str) -> Option<Self> {
        Some(Raw(value))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Raw<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        <&RawValue>::deserialize(deserializer).map(|raw| Raw(raw.get()))
    }
}

/// Calls `each` with every member's name and raw value, in their order. `None` if the text is no object after all.
pub fn for_each<'a>(object: &'a str, mut each: impl FnMut(&str, &'a str)) -> Option<()> {
    let mut text = Walk { all: object, at: 0 };
    text.expect(b'{')?;
    if text.peek()? == b'}' {
        text.at += 1;
        return text.end();
    }
    loop {
        let name = text.string()?;
        text.expect(b':')?;
        each(&name.unescaped()?, text.value()?);
        match text.next()? {
            b',' => {}
            b'}' => return text.end(),
            _ => return None,
        }
    }
}

/// A string with its quotes.
struct Quoted<'a> {
    text: &'a str,
    has_escapes: bool,
}

impl<'a> Quoted<'a> {
    fn unescaped(&self) -> Option<Cow<'a, str>> {
        if self.has_escapes {
            return serde_json::from_str(self.text).ok().map(Cow::Owned);
        }
        self.text.get(1..self.text.len() - 1).map(Cow::Borrowed)
    }
}

/// A text that is walked through, byte by byte.
struct Walk<'a> {
    all: &'a str,
    at: usize,
}

impl<'a> Walk<'a> {
    /// The next byte that is no space, which is not passed.
    fn peek(&mut self) -> Option<u8> {
        while let Some(&byte) = self.all.as_bytes().get(self.at) {
            if !byte.is_ascii_whitespace() {
                return Some(byte);
            }
            self.at += 1;
        }
        None
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.next()? == byte).then_some(())
    }

    /// Nothing but space is left.
    fn end(&mut self) -> Option<()> {
        self.peek().is_none().then_some(())
    }

    fn string(&mut self) -> Option<Quoted<'a>> {
        self.expect(b'"')?;
        let start = self.at - 1;
        let has_escapes = self.pass_string()?;
        Some(Quoted { text: self.all.get(start..self.at)?, has_escapes })
    }

    /// Goes on behind the string that has begun, and says whether there are escapes in it.
    fn pass_string(&mut self) -> Option<bool> {
        let bytes = self.all.as_bytes();
        let mut has_escapes = false;
        loop {
            match bytes.get(self.at)? {
                b'"' => break,
                b'\\' => {
                    has_escapes = true;
                    self.at += 2;
                }
                _ => self.at += 1,
            }
        }
        self.at += 1;
        Some(has_escapes)
    }

    fn value(&mut self) -> Option<&'a str> {
        let first = self.peek()?;
        let start = self.at;
        match first {
            b'"' => return self.string().map(|string| string.text),
            b'{' | b'[' => self.pass_nested()?,
            b',' | b'}' | b']' => return None,
            _ => self.pass_word()?,
        }
        self.all.get(start..self.at)
    }

    /// Goes on behind a number, a boolean or null.
    fn pass_word(&mut self) -> Option<()> {
        let bytes = self.all.as_bytes();
        while !matches!(bytes.get(self.at)?, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
        Some(())
    }

    /// Goes on behind the object or array that is about to begin.
    fn pass_nested(&mut self) -> Option<()> {
        let bytes = self.all.as_bytes();
        let mut depth = 0_usize;
        loop {
            let byte = *bytes.get(self.at)?;
            self.at += 1;
            match byte {
                b'"' => drop(self.pass_string()?),
                b'{' | b'[' => depth += 1,
                b'}' | b']' if depth == 1 => return Some(()),
                b'}' | b']' => depth -= 1,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::for_each;

    fn members(object: &str) -> Option<Vec<(String, String)>> {
        let mut members = Vec::new();
        for_each(object, |name, value| members.push((name.to_owned(), value.to_owned())))?;
        Some(members)
    }

    #[test]
    fn values_are_given_as_they_were_sent() {
        let object = r#" { "a" : 1, "b":[ {"c":"}]"}, "\"" ] , "d\u00e9\n":"x\\","e":{"f":{}},"g":null,"a":-2.5e3 } "#;
        let expected = [
            ("a", "1"),
            ("b", r#"[ {"c":"}]"}, "\"" ]"#),
            ("dé\n", r#""x\\""#),
            ("e", r#"{"f":{}}"#),
            ("g", "null"),
            ("a", "-2.5e3"),
        ];
        assert_eq!(members(object).unwrap(), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(members("{ }"), Some(vec![]));
    }

    #[test]
    fn what_is_no_object_is_told_apart() {
        for text in [
            "",
            "{",
            "[]",
            "{]",
            r#"{"a"}"#,
            r#"{"a":}"#,
            r#"{"a":1"#,
            r#"{"a":1,}"#,
            r#"{"a":"b}"#,
            r#"{"a":1} x"#,
            r#"{"\u12":1}"#,
            r#"{"a":]"#,
            r#"{"é"#,
        ] {
            assert_eq!(members(text), None, "{text}");
        }
    }
}
