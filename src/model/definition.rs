//! What a job is to send: the `message` given when it was created.

use serde::Deserialize;
use serde::de::{self, Deserializer};
use serde_json::Value;

use super::content::Content;
use super::data::{self, Data};
use super::delay::Delay;
use super::layers::{FLAT, Layer, Layers, NESTED, RawSource, optional};
use super::options::{MessageOptions, Metadata};
use super::routing::{Routing, SentRouting, check_providers};
use super::stored_elements;
use crate::error::{Error, Kind, Result};
use crate::json::members::Raw;
use crate::json::{Fields, Text};

/// From the OpenAPI text.
const TAGS_LIMIT: usize = 9;
/// From the OpenAPI text.
const TAG_CHARS: usize = 30;

/// The definition of a job, parsed.
#[derive(Debug)]
pub struct Definition {
    pub source: ContentSource,
    /// Whether an event was named.
    pub has_event: bool,
    pub options: MessageOptions,
    /// Global data for all users.
    pub data: Data,
    pub brand_id: Option<String>,
    pub locale: Option<String>,
    pub routing: Option<Routing>,
    /// All conditions of channels, of providers and of the routing, with their paths.
    pub conditions: Conditions,
    pub topic_id: Option<String>,
    pub delay: Option<Delay>,
}

/// How strictly a definition is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Of a bulk job: all that the API is known to refuse is refused.
    Bulk,
    /// Of a bulk job in the OpenAPI's reading: `event` is required, and several sources of text are taken, as its
    /// samples have them.
    EventRequired,
    /// A bulk job in the reading of the live service: like [`Bulk`](Reading::Bulk), and `event` is required.
    Live,
    /// Of a send.
    Send,
    /// What the OpenAPI's types allow is accepted, and may fail later: a send without text, or with several sources of
    /// it.
    Lenient,
}

/// Where the text of the messages comes from.
#[derive(Debug)]
pub enum ContentSource {
    /// Content in the definition itself, at `path`.
    Content { path: &'static str, content: Content },
    /// The id of a template, or an event that is mapped to a template.
    Template(String),
    /// Neither was given.
    Nothing,
}

#[derive(Default, Deserialize)]
struct SentTopic {
    #[serde(default)]
    subscription_topic_id: Option<String>,
}

/// A locale is a string in older sources, and a map from locale to map in newer ones. The content of the maps is not
/// documented.
struct SentLocale(Option<String>);

impl<'de> Deserialize<'de> for SentLocale {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(locale) => Ok(SentLocale(Some(locale))),
            Value::Object(_) => Ok(SentLocale(None)),
            Value::Array(items) if items.is_empty() => Ok(SentLocale(None)),
            _ => Err(de::Error::custom("expected a string such as \"en_US\", or an object")),
        }
    }
}

/// Conditions with their paths.
type Conditions = Vec<(String, String)>;

impl Definition {
    /// Reads a definition in any of the three forms: `{event}`, `{message: {template | content}}`, `{template |
    /// content}`. A send has the last form, too. If several are given, the nested form takes precedence over the flat
    /// one, and both over the event.
    pub fn read(definition: &str, reading: Reading) -> Result<Self> {
        let layers = Layers::read(definition)?;
        let options = MessageOptions::of(&layers)?;
        let routing = read_routing(&layers)?;
        let topics: [Option<Fields<SentTopic>>; 2] = layers.each("preferences", |it| it.preferences)?;
        // A brand that is written out is laid over the stored one.
        let brand = layers.flat.brand.filter(|Raw(brand)| !brand.starts_with('{'));
        let brand: Option<String> = optional(brand, || format!("{FLAT}.brand"))?;
        let locale: Option<SentLocale> = optional(layers.flat.locale, || format!("{FLAT}.locale"))?;
        let source = read_source(&layers, reading)?;
        let data = data::of_job([layers.nested.data, layers.flat.data])?;
        let delay = read_delay(&layers, reading)?;
        check_tags(&options.metadata)?;
        let conditions = conditions(&options, routing.as_ref())?;
        let brand_id = layers.nested.brand_id.or(layers.flat.brand_id).map(|Text(id)| id.into_owned());
        Ok(Definition {
            source,
            has_event: layers.event.is_some(),
            options,
            data,
            brand_id: brand_id.or(brand),
            locale: locale.and_then(|SentLocale(locale)| locale),
            routing: routing.map(|(routing, _)| routing),
            conditions,
            topic_id: topics.into_iter().flatten().find_map(|Fields(it)| it.subscription_topic_id),
            delay,
        })
    }
}

/// The routing with its path.
fn read_routing(layers: &Layers<'_>) -> Result<Option<(Routing, String)>> {
    let [nested, flat] = layers.each("routing", |it| it.routing)?;
    let placed = |routing: SentRouting, form: &str| Some((routing.0?, format!("{form}.routing")));
    let found = nested.map(|it| (it, NESTED)).or(flat.map(|it| (it, FLAT)));
    Ok(found.and_then(|(routing, form)| placed(routing, form)))
}

/// Where the text of the messages comes from: the nested form, else the flat one, else the event. All of them must be
/// valid.
fn read_source(layers: &Layers<'_>, reading: Reading) -> Result<ContentSource> {
    let missing = match reading {
        Reading::Send => "Invalid Request. Either 'content' or 'template' must be defined.",
        _ => "The 'event' parameter is required.",
    };
    let missing = || Error::new(Kind::Invalid, missing);
    if matches!(reading, Reading::EventRequired | Reading::Live) && layers.event.is_none() {
        return Err(missing());
    }
    let mut found = None;
    for ((layer, form), source) in layers.forms().into_iter().zip(layers.sources()) {
        check_source(layer, form, reading)?;
        let source = match source {
            Some(RawSource::Content { path, raw }) => {
                Some(ContentSource::Content { path, content: read_content(raw, path, reading)? })
            }
            Some(RawSource::Template(template)) => Some(ContentSource::Template(template.to_owned())),
            None => None,
        };
        found = found.or(source);
    }
    match found.or_else(|| layers.event.clone().map(ContentSource::Template)) {
        Some(source) => Ok(source),
        None if reading == Reading::Lenient => Ok(ContentSource::Nothing),
        None => Err(missing()),
    }
}

/// In the OpenAPI's reading, members that its types leave out of an element are added, as in stored elements.
fn read_content(raw: &str, path: &str, reading: Reading) -> Result<Content> {
    let read = Content::read(raw, path);
    match reading {
        Reading::EventRequired | Reading::Lenient if read.is_err() => match stored_elements::with_types(raw) {
            Some(completed) => Content::read(&completed, path),
            None => read,
        },
        _ => read,
    }
}

/// Template and content exclude each other, as in Send.
fn check_source(layer: &Layer<'_>, form: &str, reading: Reading) -> Result<()> {
    match (&layer.template, layer.content) {
        (Some(_), Some(_)) if matches!(reading, Reading::Bulk | Reading::Live | Reading::Send) => {
            Err(Error::invalid(form, "expected either 'template' or 'content', found both"))
        }
        (Some(template), _) if template.as_str().is_empty() => {
            Err(Error::invalid(format_args!("{form}.template"), "expected the id of a template, found an empty string"))
        }
        _ => Ok(()),
    }
}

/// The data for all users, of a definition that was checked when it was sent.
pub fn stored_data(definition: &str) -> Data {
    let data = Layers::read(definition).and_then(|it| data::of_job([it.nested.data, it.flat.data]));
    data.unwrap_or_default()
}

fn read_delay(layers: &Layers<'_>, reading: Reading) -> Result<Option<Delay>> {
    let Some((delay, form)) = layers.find(|it| it.delay) else { return Ok(None) };
    let at = format!("{form}.delay");
    match reading {
        Reading::Lenient => Delay::read_leniently(delay.as_str(), &at),
        _ => Delay::read(delay.as_str(), &at),
    }
}

fn check_tags(metadata: &Metadata) -> Result<()> {
    if metadata.tags.len() > TAGS_LIMIT || metadata.tags.iter().any(|tag| tag.chars().count() > TAG_CHARS) {
        let expected = format!("expected at most {TAGS_LIMIT} tags of at most {TAG_CHARS} characters");
        return Err(Error::invalid("message.metadata.tags", expected));
    }
    Ok(())
}

/// All conditions of channels, of providers and of the routing. Refuses too long lists.
fn conditions(options: &MessageOptions, routing: Option<&(Routing, String)>) -> Result<Conditions> {
    let form = |is_nested: bool| if is_nested { NESTED } else { FLAT };
    let mut found = Vec::new();
    for (name, channel) in &options.channels {
        let at = format!("{}.channels.{name}", form(options.channels_nested));
        check_providers(channel.providers.as_deref(), || format!("{at}.providers"))?;
        found.extend(channel.condition.clone().map(|it| (format!("{at}.if"), it)));
    }
    for (name, provider) in &options.providers {
        let at = format!("{}.providers.{name}.if", form(options.providers_nested));
        found.extend(provider.condition.clone().map(|it| (at, it)));
    }
    if let Some((routing, at)) = routing {
        routing.check(at)?;
        routing.walk(at, 0, &mut |path, entry, _| {
            found.extend(entry.condition.clone().map(|it| (format!("{path}.if"), it)));
            Ok(())
        })?;
    }
    Ok(found)
}
