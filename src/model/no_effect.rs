//! Members of a message that have no effect: unknown ones, and documented ones that are not supported here. Each is
//! noted with its path, so that a typo is noticed.

use std::sync::LazyLock;

use serde_json::{Map, Value};

mod recipient;

use super::brand::{self, brand_settings};
use super::channel::Channel;
use super::layers::{FLAT, NESTED};
use super::provider::Provider;
use crate::error::shown;
use crate::json::shape::Shape;
use crate::json::{Object, kind};

pub use recipient::of_user;

/// The most notes about one message: with so many, the mistake is noticed.
const TOLD_LIMIT: usize = 20;

const MESSAGE: &[&str] = &[
    "to",
    "event",
    "message",
    "template",
    "content",
    "data",
    "brand",
    "brand_id",
    "locale",
    "override",
    "routing",
    "channels",
    "providers",
    "metadata",
    "preferences",
    "context",
    "timeout",
    "delay",
    "expiry",
];
const CHANNEL: &[&str] = &["brand_id", "if", "override", "providers", "routing_method"];
const PROVIDER: &[&str] = &["if", "override"];
/// Documented for channels and providers, but without effect: retries, and the parameters of tracked links.
const NEITHER_RETRIED_NOR_TRACKED: &[&str] = &["metadata", "timeout", "timeouts"];
const ROUTING: &[&str] = &["method", "channels"];
const ENTRY: &[&str] = &["channel", "config", "if", "method", "channels", "providers"];
const CONFIG: &[&str] = &["providers", "routing_method"];
const DELAY: &[&str] = &["duration", "until", "timezone"];
const METADATA: &[&str] = &["event", "tags", "trace_id"];
const CONTEXT: &[&str] = &["tenant_id"];
const TOPIC: &[&str] = &["subscription_topic_id"];
const RECIPIENT_PREFERENCES: &[&str] = &["categories", "notifications"];
/// Members of a recipient that only have an effect for a list.
const OF_A_LIST: &[&str] = &["filters", "include_children"];
/// Members of `override`, besides the names of providers.
const OVERRIDE: &[&str] = &["channel", "brand"];

struct Told(Vec<String>);

/// The members without effect in a definition, in words for the log.
pub fn of(definition: &str) -> Vec<String> {
    told(definition, FLAT)
}

/// The same for the first version of a send, whose members stand at the top level.
pub fn of_v1(definition: &str) -> Vec<String> {
    told(definition, "")
}

fn told(definition: &str, at: &str) -> Vec<String> {
    let mut told = Told(Vec::new());
    told.message(definition, at);
    if told.0.len() > TOLD_LIMIT {
        let more = told.0.len() - TOLD_LIMIT;
        told.0.truncate(TOLD_LIMIT);
        told.0.push(format!("and {more} more"));
    }
    told.0
}

impl Told {
    fn message(&mut self, definition: &str, at: &str) {
        let looked = Object::of(definition).for_each(|name, value| {
            let path = if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
            match name {
                "message" if at == FLAT && value.starts_with('{') => self.message(value, NESTED),
                "channels" => self.map(value, &path, Told::channel),
                "providers" => self.map(value, &path, Told::provider),
                "override" => self.map(value, &path, Told::overriding),
                // A text is the id of one.
                "brand" if value.starts_with('{') => self.brand(value, &path, true),
                "brand" => {}
                "timeout" => self.0.push(format!("{path} has no effect here: nothing is tried again")),
                "expiry" => self.0.push(format!("{path} has no effect here: no message expires")),
                "routing" | "delay" | "metadata" | "context" | "preferences" | "to" => {
                    match (name, serde_json::from_str(value)) {
                        ("to", Ok(Value::Array(recipients))) => {
                            for (i, recipient) in recipients.iter().enumerate() {
                                self.recipient(recipient, &format!("{path}[{i}]"));
                            }
                        }
                        ("to", Ok(recipient)) => self.recipient(&recipient, &path),
                        ("routing", Ok(Value::Object(routing))) => self.routing(&routing, &path),
                        ("delay", Ok(Value::Object(delay))) => self.members(&delay, &path, DELAY),
                        ("metadata", Ok(Value::Object(metadata))) => self.metadata(metadata, &path),
                        ("context", Ok(Value::Object(context))) => self.members(&context, &path, CONTEXT),
                        ("preferences", Ok(Value::Object(topic))) => self.members(&topic, &path, TOPIC),
                        _ => {}
                    }
                }
                name if !MESSAGE.contains(&name) => self.unknown(at, name),
                _ => {}
            }
        });
        // A definition that is not an object was refused.
        looked.unwrap_or_default();
    }

    fn map(&mut self, value: &str, path: &str, each: fn(&mut Told, &str, &str, &Value)) {
        let Ok(Value::Object(map)) = serde_json::from_str(value) else { return };
        if map.is_empty() && !path.ends_with("override") {
            self.0.push(format!("{path} is empty and has no effect"));
        }
        map.iter().for_each(|(name, value)| each(self, path, name, value));
    }

    fn channel(&mut self, at: &str, name: &str, value: &Value) {
        if Channel::from_name(name).is_none() {
            let hint = Provider::named(name).map_or("", |_| "; it is a provider and belongs under 'providers'");
            self.0.push(format!("{at}.{} has no effect: there is no such channel{hint}", shown(name)));
        } else if let Some(options) = value.as_object() {
            let at = format!("{at}.{name}");
            self.members(options, &at, CHANNEL);
            self.providers(options, &at, Channel::from_name(name));
            if name != Channel::Email.name() && options.get("brand_id").is_some_and(|it| !it.is_null()) {
                self.0.push(format!("{at}.brand_id has no effect: only e-mails have a brand"));
            }
            if let Some(over) = options.get("override") {
                self.brand_of_channel(over, &format!("{at}.override"), name);
            }
        }
    }

    /// The brand in a channel's override.
    fn brand_of_channel(&mut self, over: &Value, at: &str, channel: &str) {
        let Some(brand) = over.get("brand").filter(|it| !it.is_null()) else { return };
        let at = format!("{at}.brand");
        match channel == Channel::Email.name() {
            true => self.brand(&brand.to_string(), &at, false),
            false => self.0.push(format!("{at} has no effect: only e-mails have a brand")),
        }
    }

    /// Names of unknown providers, and of providers that do not serve the channel.
    fn providers(&mut self, options: &Map<String, Value>, at: &str, channel: Option<Channel>) {
        for (i, entry) in options.get("providers").and_then(Value::as_array).into_iter().flatten().enumerate() {
            let name = entry.as_str().or_else(|| entry.get("channel")?.as_str());
            let why = match (name.map(Provider::named), channel) {
                (Some(None), _) => format!("there is no provider '{}'", shown(name.unwrap_or_default())),
                (Some(Some(provider)), Some(channel)) if !provider.serves(channel) => {
                    format!("{} is no provider of {}", provider.name(), channel.name())
                }
                _ => continue,
            };
            self.0.push(format!("{at}.providers[{i}] has no effect: {why}"));
        }
    }

    /// A brand in an object. If it `is_whole`, settings may be among its own members; otherwise it is only laid over
    /// another.
    fn brand(&mut self, brand: &str, at: &str, is_whole: bool) {
        static BRAND: LazyLock<Option<Shape<'static>>> = LazyLock::new(|| {
            Shape::read(concat!(
                "{id?, name?, settings?: ",
                brand_settings!(),
                ", snippets?: {items?: [{name, value}]}}"
            ))
        });
        static SETTINGS: LazyLock<Option<Shape<'static>>> = LazyLock::new(|| Shape::read(brand_settings!()));
        // An empty map is `[]` in PHP.
        let Ok(Value::Object(sent)) = serde_json::from_str(if brand == "[]" { "{}" } else { brand }) else {
            let by_id =
                if at.contains("channels") || at.contains("channel.") { "channels.email.brand_id" } else { "brand_id" };
            let found = kind(brand);
            self.0.push(format!(
                "{at} has no effect: expected an object, found {found}; '{by_id}' takes the id of a brand"
            ));
            return;
        };
        if sent.keys().all(|name| name == "id") && sent.contains_key("id") {
            self.0.push(format!("{at}.id has no effect: 'brand_id' takes the id of a brand"));
        }
        let settings = sent.get("settings").cloned().unwrap_or(Value::Null);
        self.0.extend(brand::odd_colours(&settings, &format!("{at}.settings")));
        if is_whole && settings.is_null() {
            self.0.extend(brand::odd_colours(&Value::Object(sent), at));
        }
        let mut has_settings = !is_whole;
        let looked = Object::of(brand).for_each(|name, _| has_settings |= matches!(name, "settings" | "snippets"));
        if looked.is_ok()
            && let Some(shape) = (if has_settings { &*BRAND } else { &*SETTINGS })
        {
            shape.unread(brand, at, &mut |path| {
                self.0.push(format!("{} has no effect: no such member is known", shown(&path)));
            });
        }
    }

    fn provider(&mut self, at: &str, name: &str, value: &Value) {
        if Provider::named(name).is_none() {
            self.0.push(format!("{at}.{} has no effect: there is no such provider", shown(name)));
        } else if let Some(options) = value.as_object() {
            self.members(options, &format!("{at}.{name}"), PROVIDER);
        }
    }

    fn overriding(&mut self, at: &str, name: &str, value: &Value) {
        let at = format!("{at}.{}", shown(name));
        if Provider::named(name).is_none() && !OVERRIDE.contains(&name) {
            self.0.push(format!("{at} has no effect: there is no such provider"));
        } else if !value.is_object() {
            self.0.push(format!("{at} has no effect: expected an object, found {}", kind(&value.to_string())));
        } else if name == "brand" {
            self.brand(&value.to_string(), &at, false);
        } else if let ("channel", Value::Object(channels)) = (name, value) {
            for (name, over) in channels {
                match Channel::from_name(name) {
                    None => self.0.push(format!("{at}.{} has no effect: there is no such channel", shown(name))),
                    Some(channel) => self.brand_of_channel(over, &format!("{at}.{name}"), channel.name()),
                }
            }
        }
    }

    /// All members of a recipient that are not its own are a part of the profile, which a text may show.
    fn recipient(&mut self, recipient: &Value, at: &str) {
        let Some(recipient) = recipient.as_object() else { return };
        let said = recipient.iter().filter(|(_, it)| !it.is_null());
        let members: Vec<(String, String)> = said.map(|(name, value)| (name.clone(), value.to_string())).collect();
        self.0.extend(recipient::slips(&members, recipient::Place::To, at));
        let object = |name: &str| recipient.get(name).and_then(Value::as_object);
        if let Some(context) = object("context") {
            self.members(context, &format!("{at}.context"), CONTEXT);
        }
        if let Some(preferences) = object("preferences") {
            self.members(preferences, &format!("{at}.preferences"), RECIPIENT_PREFERENCES);
        }
        let is_list = recipient.contains_key("list_id") || recipient.contains_key("list_pattern");
        let says =
            |name: &&&str| recipient.get(**name).is_some_and(|it| !matches!(it, Value::Null | Value::Bool(false)));
        for name in OF_A_LIST.iter().filter(|_| !is_list).filter(says) {
            self.0.push(format!("{at}.{name} has no effect: the recipient is no list"));
        }
    }

    fn metadata(&mut self, mut metadata: Map<String, Value>, at: &str) {
        if metadata.remove("utm").is_some_and(|utm| !utm.is_null()) {
            self.0.push(format!("{at}.utm has no effect here: no link is tracked"));
        }
        self.members(&metadata, at, METADATA);
    }

    fn routing(&mut self, routing: &Map<String, Value>, at: &str) {
        self.members(routing, at, ROUTING);
        for (i, entry) in routing.get("channels").and_then(Value::as_array).into_iter().flatten().enumerate() {
            let at = format!("{at}.channels[{i}]");
            let name = entry.as_str().or_else(|| entry.get("channel")?.as_str());
            if let Some(name) = name.filter(|it| Channel::from_name(it).is_none() && Provider::named(it).is_none()) {
                self.0.push(format!("{at}: there is no channel or provider '{}'", shown(name)));
            }
            let channel = name.and_then(Channel::from_name);
            let Some(entry) = entry.as_object() else { continue };
            self.providers(entry, &at, channel);
            match entry.contains_key("channels") {
                true => self.routing(&entry.iter().filter(|(it, _)| *it != "if").map(owned).collect(), &at),
                false => self.members(entry, &at, ENTRY),
            }
            if let Some(config) = entry.get("config").and_then(Value::as_object) {
                self.members(config, &format!("{at}.config"), CONFIG);
                self.providers(config, &format!("{at}.config"), channel);
            }
        }
    }

    fn members(&mut self, object: &Map<String, Value>, at: &str, known: &[&str]) {
        for name in object.keys().filter(|name| !known.contains(&name.as_str())) {
            match NEITHER_RETRIED_NOR_TRACKED.contains(&name.as_str()) {
                true => {
                    self.0.push(format!("{at}.{name} has no effect here: nothing is tried again, no link is tracked"))
                }
                false => self.unknown(at, name),
            }
        }
    }

    fn unknown(&mut self, at: &str, name: &str) {
        let hint = match Provider::named(name) {
            Some(_) => "; it is a provider and belongs under 'providers'",
            None => "",
        };
        let at = if at.is_empty() { String::new() } else { format!("{at}.") };
        self.0.push(format!("{at}{} has no effect: no such member is known{hint}", shown(name)));
    }
}

fn owned((name, value): (&String, &Value)) -> (String, Value) {
    (name.clone(), value.clone())
}
