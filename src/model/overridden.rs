//! The overrides of a definition, their targets, and where they stand.

use serde_json::Value;

use super::channel::Channel;
use super::layers::{FLAT, NESTED};
use super::options::MessageOptions;
use super::provider::Provider;

/// The override of a channel or a provider. It stands in one place of a definition, or, for a channel, in several.
pub struct Overridden<'a> {
    pub whose: Overrider,
    pub value: &'a Value,
    /// Where parts of it may stand. The first that has a part takes precedence; the last has all other parts.
    sources: Vec<(String, &'a Value)>,
    otherwise: String,
}

/// Whose request is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overrider {
    Channel(Channel),
    Provider(Provider),
}

impl Overridden<'_> {
    /// The path of the part under this pointer. Without such a part, the path of the override itself.
    pub fn path(&self, pointer: &str) -> &str {
        let found = self.sources.iter().find(|(_, value)| value.pointer(pointer).is_some());
        found.map_or(&self.otherwise, |(path, _)| path)
    }
}

impl MessageOptions {
    /// All overrides: of channels, of `providers`, and in the older `override`. Unknown names are noted elsewhere.
    pub fn overridden(&self) -> Vec<Overridden<'_>> {
        let form = |is_nested: bool| if is_nested { NESTED } else { FLAT };
        let mut found = Vec::new();
        for (name, it) in &self.channels {
            if let (Some(channel), Some(value)) = (Channel::from_name(name), &it.overriding) {
                // The older form was merged under it.
                let of_flat = self.flat_overrides.get("channel").and_then(|it| it.get(name));
                let of_any = self.overrides.get("channel").and_then(|it| it.get(name));
                let older = [(FLAT, of_flat), (NESTED, of_any)].into_iter();
                let older = older.filter_map(|(at, it)| Some((format!("{at}.override.channel.{name}"), it?)));
                found.push(Overridden {
                    whose: Overrider::Channel(channel),
                    value,
                    sources: older.collect(),
                    otherwise: format!("{}.channels.{name}.override", form(self.channels_nested)),
                });
            }
        }
        for (name, it) in &self.providers {
            if let (Some(provider), Some(value)) = (Provider::named(name), &it.overriding) {
                let otherwise = format!("{}.providers.{name}.override", form(self.providers_nested));
                found.push(Overridden { whose: Overrider::Provider(provider), value, sources: Vec::new(), otherwise });
            }
        }
        for (name, value) in &self.overrides {
            if let Some(provider) = Provider::named(name) {
                let of_flat = provider.spellings().filter_map(|it| Some((it, self.flat_overrides.get(it)?)));
                let sources = of_flat.map(|(it, value)| (format!("{FLAT}.override.{it}"), value)).collect();
                let otherwise = format!("{NESTED}.override.{name}");
                found.push(Overridden { whose: Overrider::Provider(provider), value, sources, otherwise });
            }
        }
        found
    }
}
