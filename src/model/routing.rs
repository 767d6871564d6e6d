//! How a message finds its way: `routing`, and the options of channels and providers.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::{self, Deserializer};
use serde_json::Value;

use super::names;

names! {
    /// Whether the first success is enough.
    Method {
        /// In order, until one succeeds.
        Single = "single",
        /// Each, whatever becomes of the others.
        All = "all",
    }
}

/// `{method, channels}`. Courier's SDKs require both; its documentation lets the method default to `single`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Routing {
    pub method: Method,
    pub channels: Vec<Entry>,
}

/// One of the `channels` of a routing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A channel or a provider by its name. One that is not known reaches nobody.
    Name {
        name: String,
        condition: Option<String>,
    },
    Nested(Routing),
}

/// Routings within one another.
const NESTING_LIMIT: usize = 16;

impl<'de> Deserialize<'de> for Routing {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        routing(&Value::deserialize(deserializer)?, 0).map_err(de::Error::custom)
    }
}

fn routing(value: &Value, depth: usize) -> Result<Routing, String> {
    if depth > NESTING_LIMIT {
        return Err(format!("expected at most {NESTING_LIMIT} routings within one another"));
    }
    let method = match value.get("method") {
        None | Some(Value::Null) => Method::Single,
        Some(name) => name
            .as_str()
            .and_then(Method::from_name)
            .ok_or_else(|| "`method`: expected \"single\" or \"all\"".to_owned())?,
    };
    let channels = value.get("channels").and_then(Value::as_array);
    let channels =
        channels.ok_or_else(|| "expected {\"method\", \"channels\"} with an array of channels".to_owned())?;
    let channels = channels
        .iter()
        .enumerate()
        .map(|(i, it)| entry(it, depth).map_err(|problem| format!("`channels[{i}]`: {problem}")));
    Ok(Routing { method, channels: channels.collect::<Result<_, _>>()? })
}

fn entry(value: &Value, depth: usize) -> Result<Entry, String> {
    match value {
        Value::String(name) => Ok(Entry::Name { name: name.clone(), condition: None }),
        Value::Object(object) if object.contains_key("channels") => Ok(Entry::Nested(routing(value, depth + 1)?)),
        Value::Object(object) => {
            let name = object.get("channel").and_then(Value::as_str);
            let name = name.ok_or_else(|| "expected `channel` or `channels`".to_owned())?;
            let condition = object.get("if").and_then(Value::as_str).map(str::to_owned);
            Ok(Entry::Name { name: name.to_owned(), condition })
        }
        _ => Err("expected the name of a channel, or an object".to_owned()),
    }
}

/// What is said of one channel, under its name.
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

/// What is said of one provider, under its name.
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
