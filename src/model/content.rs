//! Inline content in Courier's two forms, parsed.
//!
//! The sources do not agree on which elements and fields there are. So unknown ones are accepted and noted; what could
//! not be rendered at all is refused with its path.

mod braces;
mod element;
mod looks;
mod read;

use serde::de::{self, Deserialize, Deserializer};
use serde_json::value::RawValue;

pub use element::*;
pub use looks::{Look, LookValue, Looks};
pub use read::UNKNOWN_ELEMENT;

use crate::error::{Error, Result};

impl Content {
    const FORMS: &str = "expected {\"title\", \"body\"} or {\"version\", \"elements\"}";

    /// Reads the content at `path` of a request, whose text is known to be JSON.
    pub fn read(content: &str, path: &str) -> Result<Self> {
        read::content(content, path, Content::FORMS)
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let content = Content::read(Box::<RawValue>::deserialize(deserializer)?.get(), "content");
        content.map_err(|error: Error| match error.path() {
            Some("content") => de::Error::custom(error.message()),
            _ => de::Error::custom(error.public_message()),
        })
    }
}
