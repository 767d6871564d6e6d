//! Routing: `routing`, and the options of channels and providers.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::channel::Channel;
use super::names;
use crate::error::{Error, Result};
use crate::json::{Fields, Text};

names! {
    /// Whether the first success is enough.
    Method {
        /// In order, until one succeeds.
        Single = "single",
        /// Each, whatever the result of the others.
        All = "all",
    }
}

/// `{method, channels}`. Courier's SDKs require both; its documentation lets the method default to `single`, and has a
/// sample without channels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Routing {
    pub method: Method,
    pub channels: Vec<RoutingEntry>,
}

/// One of the `channels` of a routing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoutingEntry {
    pub condition: Option<String>,
    pub target: RoutingTarget,
}

/// The target of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoutingTarget {
    /// A channel or a provider by its name. An unknown one reaches no recipient.
    Name {
        name: String,
        config: ChannelConfig,
    },
    Nested(Routing),
}

/// An entry's options for its channel. They take precedence over the options under the channel's name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct ChannelConfig {
    /// In order of preference.
    #[serde(default)]
    pub providers: Option<Vec<String>>,
    #[serde(default)]
    pub routing_method: Option<Method>,
}

/// How deep routings may be nested.
const NESTING_LIMIT: usize = 16;
/// Entries of a routing, with those of the routings within it.
const ENTRIES_LIMIT: usize = 100;
/// Providers of one channel.
const PROVIDERS_LIMIT: usize = 100;

/// The order without a routing: the first of these that the recipient has.
pub const DEFAULT_ORDER: [Channel; 6] =
    [Channel::Email, Channel::Sms, Channel::Push, Channel::DirectMessage, Channel::Webhook, Channel::Inbox];

#[derive(Deserialize)]
struct RoutingFields {
    #[serde(default, deserialize_with = "method")]
    method: Option<Method>,
    #[serde(default)]
    channels: Option<Vec<RoutingEntry>>,
}

/// One of Courier's quickstarts writes it in capitals.
fn method<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Option<Method>, D::Error> {
    let Some(sent) = Option::<Text<'_>>::deserialize(deserializer)? else { return Ok(None) };
    let found = Method::from_name(&sent.as_str().to_ascii_lowercase());
    found.map(Some).ok_or_else(|| de::Error::custom("expected one of single, all"))
}

#[derive(Deserialize)]
struct EntryFields {
    #[serde(default)]
    channel: Option<String>,
    #[serde(default)]
    config: Option<Fields<ChannelConfig>>,
    /// In place of the `config`'s.
    #[serde(default)]
    providers: Option<Vec<EntryProvider>>,
    #[serde(default, rename = "if")]
    condition: Option<String>,
    #[serde(default, deserialize_with = "method")]
    method: Option<Method>,
    #[serde(default)]
    channels: Option<Vec<RoutingEntry>>,
}

/// A provider of an entry: its name, or an object with it as its `channel`.
struct EntryProvider(String);

impl<'de> Deserialize<'de> for EntryProvider {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        match RoutingEntry::deserialize(deserializer)?.target {
            RoutingTarget::Name { name, .. } => Ok(EntryProvider(name)),
            RoutingTarget::Nested(_) => Err(de::Error::custom("expected the name of a provider")),
        }
    }
}

/// A routing as it was sent. Without channels it is the default order, and `None` means the first channel that the
/// recipient has.
pub struct SentRouting(pub Option<Routing>);

impl<'de> Deserialize<'de> for SentRouting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let Fields(RoutingFields { method, channels }) = Fields::deserialize(deserializer)?;
        let method = method.unwrap_or(Method::Single);
        let in_order = || DEFAULT_ORDER.map(|it| RoutingEntry::named(it.name().to_owned())).into();
        let channels = channels.or_else(|| (method == Method::All).then(in_order));
        Ok(SentRouting(channels.map(|channels| Routing { method, channels })))
    }
}

impl RoutingEntry {
    fn named(name: String) -> Self {
        RoutingEntry { condition: None, target: RoutingTarget::Name { name, config: ChannelConfig::default() } }
    }
}

impl<'de> Deserialize<'de> for RoutingEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct EntryVisitor;
        impl<'de> Visitor<'de> for EntryVisitor {
            type Value = RoutingEntry;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a channel, or an object")
            }
            fn visit_str<E>(self, name: &str) -> std::result::Result<RoutingEntry, E> {
                Ok(RoutingEntry::named(name.to_owned()))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> std::result::Result<RoutingEntry, A::Error> {
                let it = EntryFields::deserialize(MapAccessDeserializer::new(map))?;
                let target = match (it.channels, it.channel) {
                    (Some(channels), _) => {
                        RoutingTarget::Nested(Routing { method: it.method.unwrap_or(Method::Single), channels })
                    }
                    (None, Some(name)) => {
                        let mut config = it.config.map(|Fields(config)| config).unwrap_or_default();
                        let beside = it.providers.map(|all| all.into_iter().map(|EntryProvider(name)| name).collect());
                        config.providers = config.providers.or(beside);
                        config.routing_method = config.routing_method.or(it.method);
                        RoutingTarget::Name { name, config }
                    }
                    (None, None) => return Err(de::Error::custom("expected `channel` or `channels`")),
                };
                Ok(RoutingEntry { condition: it.condition, target })
            }
        }
        deserializer.deserialize_any(EntryVisitor)
    }
}

impl Routing {
    /// Refuses a routing that could send a message to too many places; `at` is its path in the request.
    pub fn check(&self, at: &str) -> Result<()> {
        let mut entries = 0;
        self.walk(at, 0, &mut |path, entry, depth| {
            entries += 1;
            if depth > NESTING_LIMIT {
                return Err(Error::invalid(at, format_args!("expected routings nested at most {NESTING_LIMIT} deep")));
            }
            if entries > ENTRIES_LIMIT {
                let expected = format!("expected at most {ENTRIES_LIMIT} entries, with those of routings within it");
                return Err(Error::invalid(format_args!("{at}.channels"), expected));
            }
            match &entry.target {
                RoutingTarget::Name { config, .. } => {
                    check_providers(config.providers.as_deref(), || format!("{path}.config.providers"))
                }
                RoutingTarget::Nested(_) => Ok(()),
            }
        })
    }

    /// Calls `each` with every entry, its path and its depth, those of nested routings as well.
    pub fn walk<'r>(
        &'r self,
        at: &str,
        depth: usize,
        each: &mut dyn FnMut(&str, &'r RoutingEntry, usize) -> Result<()>,
    ) -> Result<()> {
        for (i, entry) in self.channels.iter().enumerate() {
            let path = format!("{at}.channels[{i}]");
            each(&path, entry, depth)?;
            if let RoutingTarget::Nested(routing) = &entry.target {
                routing.walk(&path, depth + 1, each)?;
            }
        }
        Ok(())
    }
}

/// Refuses too many providers of one channel; `at` is their path in the request.
pub fn check_providers(providers: Option<&[String]>, at: impl FnOnce() -> String) -> Result<()> {
    if providers.is_some_and(|it| it.len() > PROVIDERS_LIMIT) {
        return Err(Error::invalid(at(), format_args!("expected at most {PROVIDERS_LIMIT} providers")));
    }
    Ok(())
}

/// The options of one channel, under its name.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct ChannelOptions {
    #[serde(default)]
    pub brand_id: Option<String>,
    #[serde(default, rename = "if")]
    pub condition: Option<String>,
    /// Laid over the channel's part of the provider's request.
    #[serde(default, rename = "override")]
    pub overriding: Option<Value>,
    /// In order of preference.
    #[serde(default)]
    pub providers: Option<Vec<String>>,
    #[serde(default)]
    pub routing_method: Option<Method>,
}

/// The options of one provider, under its name.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct ProviderOptions {
    #[serde(default, rename = "if")]
    pub condition: Option<String>,
    /// Laid over the provider's request.
    #[serde(default, rename = "override")]
    pub overriding: Option<Value>,
}

pub type Channels = BTreeMap<String, ChannelOptions>;
pub type Providers = BTreeMap<String, ProviderOptions>;
