//! The options of a definition: all but text and routing.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::layers::{FLAT, Layers, RawSource};
use super::provider::Provider;
use super::routing::{Channels, ProviderOptions, Providers};
use crate::error::{Error, Result};
use crate::json::members::Raw;
use crate::json::{self, Fields, Object, merge};

/// Everything but content and routing. It is quick to read where the content is not needed.
#[derive(Debug, Default)]
pub struct MessageOptions {
    /// The event that was named, whether or not the text comes from it.
    pub event: Option<String>,
    /// The id, alias or event of the template that the text comes from.
    pub template: Option<String>,
    pub channels: Channels,
    pub providers: Providers,
    /// Whether the channels are the nested form's.
    pub channels_nested: bool,
    /// Whether the providers are the nested form's.
    pub providers_nested: bool,
    pub metadata: Metadata,
    /// The metadata as it was sent, with unknown members.
    pub raw_metadata: Option<Value>,
    pub tenant_id: Option<String>,
    /// For recipients without one of their own.
    pub locale: Option<String>,
    /// The `override` of the nested form, with that of the flat form laid over it. Members are providers, `channel` and
    /// `brand`.
    pub overrides: Map<String, Value>,
    /// The `override` of the flat form alone.
    pub flat_overrides: Map<String, Value>,
    /// What is laid over the brand.
    pub brand: Option<Value>,
}

/// What a message says about itself.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Metadata {
    #[serde(default)]
    pub event: Option<String>,
    #[serde(default)]
    pub tags: Vec<String>,
    #[serde(default)]
    pub trace_id: Option<String>,
}

#[derive(Default, Deserialize)]
struct Tenant {
    #[serde(default)]
    tenant_id: Option<String>,
}

impl MessageOptions {
    pub fn read(definition: &str) -> Result<Self> {
        MessageOptions::of(&Layers::read(definition)?)
    }

    /// The options of a definition that was checked when it was sent. Version 1 of the file did not check all of it.
    pub fn of_stored(definition: &str) -> Self {
        MessageOptions::read(definition).unwrap_or_default()
    }

    /// The options of a provider, under any of its names.
    pub fn options_of(&self, provider: Provider) -> Option<&ProviderOptions> {
        provider.spellings().find_map(|name| self.providers.get(name))
    }

    /// A stored brand with what the message lays over it.
    pub fn branded(&self, stored: Option<Value>) -> Option<Value> {
        laid_over(stored.as_ref(), self.brand.as_ref())
    }

    pub fn of(layers: &Layers<'_>) -> Result<Self> {
        let (metadata, raw_metadata) = read_metadata(layers)?;
        let (overrides, flat_overrides) = read_overrides(layers)?;
        let channels: [Option<Fields<Channels>>; 2] = layers.each("channels", |it| it.channels)?;
        let providers: [Option<Fields<Providers>>; 2] = layers.each("providers", |it| it.providers)?;
        let [channels, flat_channels] = channels.map(|sent| sent.map(|Fields(channels)| channels));
        let [providers, flat_providers] = providers.map(|sent| sent.map(|Fields(providers)| providers));
        let tenants: [Option<Fields<Tenant>>; 2] = layers.each("context", |it| it.context)?;
        let channels_nested = channels.is_some();
        let mut channels: Channels = channels.or(flat_channels).unwrap_or_default();
        lay_under_channels(&mut channels, overrides.get("channel"));
        let of_email = channels.get("email").and_then(|it| it.overriding.as_ref()?.get("brand"));
        let written_out = layers.find(|it| it.brand.filter(|Raw(brand)| brand.starts_with('{')));
        let written_out = written_out.and_then(|(Raw(brand), _)| serde_json::from_str(brand).ok()).map(with_settings);
        let brand = laid_over(written_out.as_ref(), overrides.get("brand"));
        let brand = laid_over(brand.as_ref(), of_email);
        Ok(MessageOptions {
            event: layers.event.clone().or_else(|| metadata.event.clone()),
            template: template(layers),
            channels_nested,
            providers_nested: providers.is_some(),
            channels,
            providers: providers.or(flat_providers).unwrap_or_default(),
            metadata,
            raw_metadata,
            locale: layers.flat.locale.and_then(|Raw(locale)| serde_json::from_str(locale).ok()),
            tenant_id: tenants.into_iter().flatten().find_map(|Fields(it)| it.tenant_id),
            overrides,
            flat_overrides,
            brand,
        })
    }
}

/// A brand that is written out in a message may have its settings among its own members.
fn with_settings(brand: Value) -> Value {
    match brand.get("settings") {
        Some(_) => brand,
        None => serde_json::json!({ "settings": brand }),
    }
}

/// Objects, the second over the first.
fn laid_over(lower: Option<&Value>, upper: Option<&Value>) -> Option<Value> {
    let mut found = [lower, upper].into_iter().flatten().filter(|it| it.is_object());
    let mut merged = found.next()?.clone();
    found.for_each(|over| merge(&mut merged, over));
    Some(merged)
}

/// `override.channel`, the older form of `channels.<channel>.override`.
fn lay_under_channels(channels: &mut Channels, overrides: Option<&Value>) {
    for (name, over) in overrides.and_then(Value::as_object).into_iter().flatten() {
        let channel = channels.entry(name.clone()).or_default();
        channel.overriding = laid_over(Some(over), channel.overriding.as_ref());
    }
}

fn template(layers: &Layers<'_>) -> Option<String> {
    match layers.sources().into_iter().flatten().next() {
        Some(RawSource::Content { .. }) => None,
        Some(RawSource::Template(template)) => Some(template.to_owned()),
        None => layers.event.clone(),
    }
}

fn read_metadata(layers: &Layers<'_>) -> Result<(Metadata, Option<Value>)> {
    let Some((sent, form)) = layers.find(|it| it.metadata) else { return Ok(Default::default()) };
    let metadata = json::read(sent.as_str(), || format!("{form}.metadata"))?;
    Ok((metadata, serde_json::from_str(sent.as_str()).ok()))
}

/// The overrides of both forms, and those of the flat form alone.
fn read_overrides(layers: &Layers<'_>) -> Result<(Map<String, Value>, Map<String, Value>)> {
    if let Some(Raw(sent)) = layers.flat.overrides
        && Object::sent(sent).is_none()
    {
        let expected = format_args!("expected an object, found {}", json::kind(sent));
        return Err(Error::invalid(format_args!("{FLAT}.override"), expected));
    }
    let mut merged = Map::new();
    let sent: [Option<Value>; 2] = layers.each("override", |it| it.overrides)?;
    // What is not an object, as a whole or for a provider, is skipped.
    for (name, over) in
        sent.iter().flatten().filter_map(Value::as_object).flatten().filter(|(_, over)| over.is_object())
    {
        let provider = Provider::ALL.iter().find(|it| it.spellings().any(|spelling| spelling == name));
        let known = provider.and_then(|it| it.spellings().find(|spelling| merged.contains_key(*spelling)));
        merge(merged.entry(known.unwrap_or(name)).or_insert(Value::Null), over);
    }
    let [_, flat] = sent;
    let flat = flat.and_then(|it| if let Value::Object(flat) = it { Some(flat) } else { None });
    Ok((merged, flat.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::definition::{ContentSource, Definition, Reading};

    #[test]
    fn the_nested_form_goes_before_the_flat_one() {
        let content = || json!({ "title": "t", "body": "b" });
        let cases = [
            (json!({ "event": "e" }), [Some("e"), Some("e"), None, None]),
            (json!({ "event": "", "template": "t" }), [None, Some("t"), None, None]),
            (json!({ "event": "", "template": "t", "metadata": { "event": "m" } }), [Some("m"), Some("t"), None, None]),
            (json!({ "event": "e", "content": content() }), [Some("e"), None, None, None]),
            (json!({ "message": { "content": content() }, "template": "t" }), [None, None, None, None]),
            (json!({ "message": { "template": "n", "message": 5 }, "template": "t" }), [None, Some("n"), None, None]),
            (
                json!({ "message": { "template": "n", "context": {} }, "context": { "tenant_id": "acme" } }),
                [None, Some("n"), Some("acme"), None],
            ),
            (
                json!({ "message": { "template": "n", "metadata": null }, "metadata": { "trace_id": "1" } }),
                [None, Some("n"), None, Some("1")],
            ),
            (
                json!({ "message": { "template": "n", "metadata": { "tags": [] } }, "metadata": { "trace_id": "1" } }),
                [None, Some("n"), None, None],
            ),
        ];
        for (definition, [event, template, tenant_id, trace_id]) in cases {
            let options = MessageOptions::read(&definition.to_string()).unwrap();
            let named = (options.event.as_deref(), options.template.as_deref());
            assert_eq!(named, (event, template), "{definition}");
            let rest = (options.tenant_id.as_deref(), options.metadata.trace_id.as_deref());
            assert_eq!(rest, (tenant_id, trace_id), "{definition}");
            // The result is read in the same way.
            let source = match Definition::read(&definition.to_string(), Reading::Bulk).unwrap().source {
                ContentSource::Template(id) => Some(id),
                _ => None,
            };
            assert_eq!(source, options.template);
        }
    }

    #[test]
    fn overrides_are_laid_over_one_another_by_provider_under_any_of_its_names() {
        let cases = [
            (json!({ "sendgrid": { "a": 1 } }), json!({ "sendgrid": null }), json!({ "sendgrid": { "a": 1 } })),
            (json!({ "sendgrid": 5 }), json!({ "sendgrid": { "b": 2 } }), json!({ "sendgrid": { "b": 2 } })),
            (
                json!({ "ms_teams": { "a": { "x": 1 } } }),
                json!({ "msteams": { "a": { "y": 2 } } }),
                json!({ "ms_teams": { "a": { "x": 1, "y": 2 } } }),
            ),
        ];
        for (nested, flat, expected) in cases {
            let definition = json!({ "message": { "template": "t", "override": nested }, "override": flat });
            let options = MessageOptions::read(&definition.to_string()).unwrap();
            assert_eq!(Value::Object(options.overrides), expected);
        }
    }
}
