//! Inline content in Courier's two forms, understood.
//!
//! The sources do not agree on which elements and fields there are, so what is not known is let through; what could not
//! be rendered at all is refused by its path.

mod element;
mod read;

use serde::de::{self, Deserialize, Deserializer};
use serde_json::value::RawValue;

pub use element::*;
use read::ObjectMembers;

use crate::error::{Error, Result};

#[derive(Debug)]
pub enum Content {
    /// `{title, body}`; Courier's SDKs require both, its documentation only the body.
    Sugar { title: Option<String>, body: String },
    /// `{version, elements}`.
    Elemental { elements: Vec<Element> },
}

impl Content {
    const FORMS: &str = "expected {\"title\", \"body\"} or {\"version\", \"elements\"}";

    /// Reads what stands at `path` of a request, whose text is known to be JSON.
    pub fn read(content: &str, path: &str) -> Result<Self> {
        let Some(content) = ObjectMembers::of(content) else { return Err(Error::invalid(path, Content::FORMS)) };
        let text = |name: &str| match content.get(name).map(read::text) {
            None => Ok(None),
            Some(Some(text)) => Ok(Some(text)),
            Some(None) => Err(Error::invalid(path, format_args!("'{name}' must be a string"))),
        };
        match content.find("elements") {
            None => match text("body")? {
                Some(body) => Ok(Content::Sugar { title: text("title")?, body }),
                None => Err(Error::invalid(path, Content::FORMS)),
            },
            Some(elements) if elements.starts_with('[') => {
                text("version")?;
                Ok(Content::Elemental { elements: read::elements(elements, path)? })
            }
            Some(_) => Err(Error::invalid(path, "'elements' must be an array")),
        }
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let content = Content::read(Box::<RawValue>::deserialize(deserializer)?.get(), "content");
        content.map_err(|error| match error.path() {
            Some("content") => de::Error::custom(error.message()),
            _ => de::Error::custom(error.public_message()),
        })
    }
}
