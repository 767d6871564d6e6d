//! What a job is to send: the `message` given when it was created.

use indexmap::IndexMap;
use serde::Deserialize;
use serde::de::{self, Deserializer};
use serde_json::{Map, Value};

use super::json::{self, Fields, Object};
use crate::error::{Error, Kind, Result};

/// The definition of a job, understood.
#[derive(Debug)]
pub struct Definition {
    pub source: Source,
    /// Global data for all users: names and raw JSON values, in the order in which they were sent.
    pub data: IndexMap<String, String>,
}

/// Where the words of the messages come from.
#[derive(Debug)]
pub enum Source {
    /// Content given in the definition itself; `path` is where.
    Content { path: &'static str, content: Content },
    /// The id of a template, or an event that is mapped to one.
    Template(String),
}

/// Inline content in Courier's two forms.
#[derive(Debug)]
pub enum Content {
    /// `{title, body}`; Courier's SDKs require both, its documentation only the body.
    Sugar { title: Option<String>, body: String },
    /// `{version, elements}`.
    Elemental { elements: Vec<Map<String, Value>> },
}

#[derive(Deserialize)]
struct Outer<'a> {
    #[serde(default)]
    event: Option<String>,
    #[serde(borrow, default)]
    message: Option<Fields<Nested<'a>>>,
    #[serde(default)]
    template: Option<String>,
    #[serde(default)]
    content: Option<Content>,
    #[serde(borrow, default)]
    data: Option<Object<'a>>,
    #[serde(default, rename = "brand")]
    _brand: Option<String>,
    #[serde(default, rename = "locale")]
    _locale: Option<Locale>,
    #[serde(borrow, default, rename = "override")]
    _override: Option<Object<'a>>,
}

#[derive(Default, Deserialize)]
struct Nested<'a> {
    #[serde(default)]
    template: Option<String>,
    #[serde(default)]
    content: Option<Content>,
    #[serde(borrow, default)]
    data: Option<Object<'a>>,
    #[serde(default, rename = "brand_id")]
    _brand_id: Option<String>,
}

/// A locale is a string in older sources, a map from locale to map in newer ones.
struct Locale;

impl<'de> Deserialize<'de> for Locale {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(_) | Value::Object(_) => Ok(Locale),
            _ => Err(de::Error::custom("expected a string such as \"en_US\", or an object")),
        }
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        const FORMS: &str = "expected {\"title\", \"body\"} or {\"version\", \"elements\"}";
        let Value::Object(mut content) = Value::deserialize(deserializer)? else {
            return Err(de::Error::custom(FORMS));
        };
        let text = |value: Option<Value>, name: &str| match value {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(de::Error::custom(format_args!("`{name}` must be a string"))),
        };
        match content.remove("elements") {
            None => match text(content.remove("body"), "body")? {
                Some(body) => Ok(Content::Sugar { title: text(content.remove("title"), "title")?, body }),
                None => Err(de::Error::custom(FORMS)),
            },
            Some(Value::Array(elements)) => {
                text(content.remove("version"), "version")?;
                check_elements(&elements, "elements").map_err(de::Error::custom)?;
                let objects = elements.into_iter().filter_map(|element| match element {
                    Value::Object(element) => Some(element),
                    _ => None,
                });
                Ok(Content::Elemental { elements: objects.collect() })
            }
            Some(_) => Err(de::Error::custom("`elements` must be an array")),
        }
    }
}

impl Definition {
    /// Reads a definition in any of the three forms: `{event}`, `{message: {template | content}}`, `{template |
    /// content}`. Where several are given, the nested form is used before the flat one, and both before the event.
    pub fn read(definition: &str, event_required: bool) -> Result<Self> {
        let outer: Outer<'_> = json::read(definition, || "message".to_owned())?;
        let Fields(nested) = outer.message.unwrap_or_default();
        let missing_event = || Error::new(Kind::Invalid, "The 'event' parameter is required.");
        if event_required && outer.event.as_deref().unwrap_or_default().is_empty() {
            return Err(missing_event());
        }
        let inner = choose(nested.template, nested.content, "message.message", "message.message.content")?;
        let flat = choose(outer.template, outer.content, "message", "message.content")?;
        let event = outer.event.filter(|event| !event.is_empty()).map(Source::Template);
        let source = inner.or(flat).or(event).ok_or_else(missing_event)?;
        let mut data = IndexMap::new();
        for layer in [nested.data, outer.data].into_iter().flatten() {
            layer.for_each(|name, value| drop(data.insert(name.to_owned(), value.to_owned())))?;
        }
        Ok(Definition { source, data })
    }
}

/// What every element has to be, wherever it stands. Which types there are is left open: the sources do not agree.
fn check_elements(elements: &[Value], path: &str) -> std::result::Result<(), String> {
    for (i, element) in elements.iter().enumerate() {
        if !element.get("type").is_some_and(Value::is_string) {
            return Err(format!("{path}[{i}]: expected an object with a `type`"));
        }
        if element.get("content").is_some_and(|content| !content.is_string()) {
            return Err(format!("{path}[{i}].content: expected a string"));
        }
        match element.get("elements") {
            None => {}
            Some(Value::Array(children)) => check_elements(children, &format!("{path}[{i}].elements"))?,
            Some(_) => return Err(format!("{path}[{i}].elements: expected an array")),
        }
    }
    Ok(())
}

/// Template and content exclude each other, as they do in Send.
fn choose(template: Option<String>, content: Option<Content>, at: &str, path: &'static str) -> Result<Option<Source>> {
    match (template, content) {
        (Some(_), Some(_)) => Err(Error::invalid(at, "expected either 'template' or 'content', found both")),
        (Some(template), None) if template.is_empty() => {
            Err(Error::invalid(format_args!("{at}.template"), "expected the id of a template, found an empty string"))
        }
        (Some(template), None) => Ok(Some(Source::Template(template))),
        (None, Some(content)) => Ok(Some(Source::Content { path, content })),
        (None, None) => Ok(None),
    }
}
