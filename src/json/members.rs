//! Structs for the members that are read from an object which was parsed before.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::scan::Walk;
use super::{Fields, Object, Text};
use crate::error::Result;

/// What is read from an object: see [`members!`].
pub trait MemberReader<'a>: Sized {
    /// `None` if the text is not such an object.
    fn read(object: &'a str) -> Option<Self>;
}

/// What a member can hold besides null.
pub trait Member<'a>: Sized {
    /// `None` if the value is of another kind.
    fn read(value: &'a str) -> Option<Self>;
}

/// Reads an object whose text is known to be JSON. Errors come from [`super::read`], and name the field.
pub fn read<'a, T: MemberReader<'a> + Deserialize<'a>>(text: &'a str, at: impl FnOnce() -> String) -> Result<T> {
    match T::read(text) {
        Some(members) => Ok(members),
        None => super::read(text, at),
    }
}

/// A struct of optional fields with the names of the members that they are read from. Other members are skipped. serde
/// can read it as well, and then says what is wrong. A last field may hold the object's own text.
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

        impl<$a> $crate::json::members::MemberReader<$a> for $type<$a> {
            fn read(object: &$a str) -> Option<Self> {
                $(let mut $field: Option<Option<$value>> = None;)+
                let mut sound = true;
                $crate::json::scan::for_each(object, |name, value| {
                    sound &= match name {
                        $($name => $crate::json::members::fill(&mut $field, value),)+
                        _ => true,
                    };
                })?;
                sound.then(|| $type { $($field: $field.flatten(),)+ $($text: Some(Object::of(object)),)? })
            }
        }
    };
}

pub(crate) use members;

/// Sets a field that is empty, and returns whether it could.
pub fn fill<'a, T: Member<'a>>(field: &mut Option<Option<T>>, value: &'a str) -> bool {
    let read = if value == "null" { Some(None) } else { T::read(value).map(Some) };
    let is_new = field.is_none();
    *field = read;
    is_new && field.is_some()
}

impl<'a> Member<'a> for Text<'a> {
    fn read(value: &'a str) -> Option<Self> {
        let string = Walk::new(value).string()?;
        string.unescaped().map(Text)
    }
}

impl<'a> Member<'a> for Object<'a> {
    fn read(value: &'a str) -> Option<Self> {
        Object::sent(value)
    }
}

impl<'a, T: MemberReader<'a>> Member<'a> for Fields<T> {
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
