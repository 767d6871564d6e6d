//! What a job is to send: the `message` given when it was created.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde::de::{self, Deserializer};
use serde_json::Value;

use super::about::{About, Layers, PLACES, optional};
use super::content::Content;
use super::data::{self, Data};
use super::routing::{Routing, check_providers};
use crate::clock::Timestamp;
use crate::error::{Error, Kind, Result};
use crate::json::members::Raw;
use crate::json::{self, Fields, Object, Text};

/// The definition of a job, understood.
#[derive(Debug)]
pub struct Definition {
    pub source: Source,
    pub about: About,
    /// Global data for all users.
    pub data: Data,
    pub brand_id: Option<String>,
    pub locale: Option<String>,
    pub routing: Option<Routing>,
    /// All conditions of channels, of providers and of the routing, with their paths.
    pub conditions: Vec<(String, String)>,
    pub topic_id: Option<String>,
    pub delay: Option<Delay>,
}

/// When messages are to go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delay {
    /// After so many milliseconds.
    For(i64),
    Until(Timestamp),
}

impl Delay {
    /// When a message of `now` is due.
    pub fn due_at(self, now: Timestamp) -> Timestamp {
        match self {
            Delay::For(millis) => Timestamp(now.millis().saturating_add(millis)),
            Delay::Until(at) => at,
        }
    }
}

/// How much of a definition has to be in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Of a bulk job: all that the API is known to refuse is refused.
    Bulk,
    /// Of a bulk job in the OpenAPI's reading: `event` is required, and several sources of words are taken, as its
    /// samples have them.
    EventRequired,
    /// Of a send.
    Send,
    /// What the OpenAPI's types allow is taken, and fails later if it has to: a send without words, or with several
    /// sources of them.
    Lenient,
}

/// Where the words of the messages come from.
#[derive(Debug)]
pub enum Source {
    /// Content given in the definition itself; `path` is where.
    Content { path: &'static str, content: Content },
    /// The id of a template, or an event that is mapped to one.
    Template(String),
    /// Neither was given.
    Nothing,
}

#[derive(Default, Deserialize)]
struct Topic {
    #[serde(default)]
    subscription_topic_id: Option<String>,
}

#[derive(Deserialize)]
struct DelayFields {
    #[serde(default)]
    duration: Option<f64>,
    #[serde(default)]
    until: Option<String>,
    #[serde(default)]
    timezone: Option<String>,
}

/// A locale is a string in older sources, a map from locale to map in newer ones. What the maps say is not documented.
struct Locale(Option<String>);

impl<'de> Deserialize<'de> for Locale {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(locale) => Ok(Locale(Some(locale))),
            Value::Object(_) => Ok(Locale(None)),
            _ => Err(de::Error::custom("expected a string such as \"en_US\", or an object")),
        }
    }
}

impl Definition {
    /// Reads a definition in any of the three forms: `{event}`, `{message: {template | content}}`, `{template |
    /// content}`, of which the last is that of a send as well. Where several are given, the nested form is used before the flat one, and both before the event.
    pub fn read(definition: &str, reading: Reading) -> Result<Self> {
        let layers = Layers::read(definition)?;
        let about = About::of(&layers)?;
        let event = layers.event()?;
        let [routing_nested, routing_flat] = layers.each("routing", |it| it.routing)?;
        let topics: [Option<Fields<Topic>>; 2] = layers.each("preferences", |it| it.preferences)?;
        let Layers([nested, flat]) = layers;
        let brand: Option<String> = optional(flat.brand, || format!("{}.brand", PLACES[1]))?;
        let locale: Option<Locale> = optional(flat.locale, || format!("{}.locale", PLACES[1]))?;
        let nothing = match reading {
            Reading::Send => "Invalid Request. Either 'content' or 'template' must be defined.",
            _ => "The 'event' parameter is required.",
        };
        let missing_event = || Error::new(Kind::Invalid, nothing);
        if reading == Reading::EventRequired && event.is_none() {
            return Err(missing_event());
        }
        let inner = choose(nested.template, nested.content, PLACES[0], "message.message.content", reading)?;
        let source = choose(flat.template, flat.content, PLACES[1], "message.content", reading)?;
        let source = inner.or(source).or_else(|| event.clone().map(Source::Template));
        let source = match (source, reading) {
            (Some(source), _) => source,
            (None, Reading::Lenient) => Source::Nothing,
            (None, _) => return Err(missing_event()),
        };
        let data = data::of_job([nested.data, flat.data])?;
        let delay = match (nested.delay, flat.delay) {
            (Some(delay), _) => read_delay(delay, "message.message.delay", reading)?,
            (None, Some(delay)) => read_delay(delay, "message.delay", reading)?,
            (None, None) => None,
        };
        let metadata = &about.metadata;
        if metadata.tags.len() > TAGS_LIMIT || metadata.tags.iter().any(|tag| tag.chars().count() > TAG_CHARS) {
            let expected = format!("expected at most {TAGS_LIMIT} tags of at most {TAG_CHARS} characters");
            return Err(Error::invalid("message.metadata.tags", expected));
        }
        let place = |is_nested: bool| if is_nested { PLACES[0] } else { PLACES[1] };
        let routing_at = format!("{}.routing", place(routing_nested.is_some()));
        let channels_at = format!("{}.channels", place(about.nests_channels));
        let providers_at = format!("{}.providers", place(about.nests_providers));
        let routing: Option<Routing> = routing_nested.or(routing_flat);
        let mut conditions = Vec::new();
        for (name, options) in &about.channels {
            check_providers(options.providers.as_deref(), || format!("{channels_at}.{name}.providers"))?;
            conditions.extend(options.condition.clone().map(|it| (format!("{channels_at}.{name}.if"), it)));
        }
        for (name, options) in &about.providers {
            conditions.extend(options.condition.clone().map(|it| (format!("{providers_at}.{name}.if"), it)));
        }
        if let Some(routing) = &routing {
            routing.check(&routing_at)?;
            routing.walk(&routing_at, 0, &mut |path, entry, _| {
                conditions.extend(entry.condition.clone().map(|it| (format!("{path}.if"), it)));
                Ok(())
            })?;
        }
        Ok(Definition {
            source,
            data,
            brand_id: nested.brand_id.or(flat.brand_id).map(|Text(id)| id.into_owned()).or(brand),
            locale: locale.and_then(|Locale(locale)| locale),
            routing,
            conditions,
            about,
            topic_id: topics.into_iter().flatten().find_map(|Fields(it)| it.subscription_topic_id),
            delay,
        })
    }
}

/// The data of a definition that was checked when it came, for all users.
pub fn stored_data(definition: &str) -> Data {
    let data = Layers::read(definition).and_then(|Layers([nested, flat])| data::of_job([nested.data, flat.data]));
    data.unwrap_or_default()
}

/// Hours, days and dates in words are not understood; an empty delay is none.
fn read_delay(delay: Object<'_>, at: &str, reading: Reading) -> Result<Option<Delay>> {
    let fields: DelayFields = json::read(delay.as_str(), || at.to_owned())?;
    let read = || match (fields.duration, &fields.until) {
        (Some(millis), None) if (0.0..=LONGEST_DELAY_MS).contains(&millis) => Ok(Some(Delay::For(millis as i64))),
        (Some(_), None) => Err(Error::invalid(format_args!("{at}.duration"), "expected milliseconds, up to a year")),
        (_, Some(until)) => match instant(until, fields.timezone.as_deref()) {
            Some(at) => Ok(Some(Delay::Until(at))),
            None => Err(Error::invalid(
                format_args!("{at}.until"),
                "expected an ISO 8601 date and time; opening hours are not supported",
            )),
        },
        (None, None) => Ok(None),
    };
    match read() {
        Err(_) if reading == Reading::Lenient => Ok(None),
        read => read,
    }
}

/// After the OpenAPI text.
const TAGS_LIMIT: usize = 9;
const TAG_CHARS: usize = 30;

const LONGEST_DELAY_MS: f64 = 366.0 * 24.0 * 60.0 * 60.0 * 1000.0;

/// An ISO date and time; one without a zone is of `timezone`, or else UTC.
pub fn instant(text: &str, timezone: Option<&str>) -> Option<Timestamp> {
    let at = |instant: jiff::Timestamp| Timestamp(instant.as_millisecond());
    if let Ok(instant) = text.parse::<jiff::Timestamp>() {
        return Some(at(instant));
    }
    let zone = match timezone {
        Some(name) => TimeZone::get(name).ok()?,
        None => TimeZone::UTC,
    };
    text.parse::<DateTime>().ok().and_then(|date| zone.to_timestamp(date).ok()).map(at)
}

/// Template and content exclude each other, as they do in Send.
fn choose(
    template: Option<Text<'_>>,
    content: Option<Raw<'_>>,
    at: &str,
    path: &'static str,
    reading: Reading,
) -> Result<Option<Source>> {
    match (template, content) {
        (Some(_), Some(_)) if matches!(reading, Reading::Bulk | Reading::Send) => {
            Err(Error::invalid(at, "expected either 'template' or 'content', found both"))
        }
        (Some(template), _) if template.as_str().is_empty() => {
            Err(Error::invalid(format_args!("{at}.template"), "expected the id of a template, found an empty string"))
        }
        (_, Some(Raw(content))) => Ok(Some(Source::Content { path, content: Content::read(content, path)? })),
        (Some(Text(template)), None) => Ok(Some(Source::Template(template.into_owned()))),
        (None, None) => Ok(None),
    }
}
