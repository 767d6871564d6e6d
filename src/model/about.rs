//! What a definition says of its messages beside their words and their way.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::provider::Provider;
use super::routing::{Channels, ProviderOptions, Providers};
use crate::error::{Error, Result};
use crate::json::members::{self, Raw, members};
use crate::json::{self, Fields, Object, Text, merge};

/// Read by itself where words do not matter: they may be long, and take their time to be understood. Of the nested form
/// and the flat one, a member is the nested one's if that has it.
#[derive(Debug, Default)]
pub struct About {
    /// The event that was named, whether or not the words come from it.
    pub event: Option<String>,
    /// The id, alias or event of the template that the words come from.
    pub template: Option<String>,
    pub channels: Channels,
    pub providers: Providers,
    /// Whether these are the nested form's.
    pub nests_channels: bool,
    pub nests_providers: bool,
    pub metadata: Metadata,
    /// All of it, as it was sent.
    pub metadata_as_sent: Option<Value>,
    pub tenant_id: Option<String>,
    /// The `override` of the nested form, and that of the flat form laid over it. Members are providers.
    pub overrides: Map<String, Value>,
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

members! {
    /// What a send's `message`, the nested form and the flat form may say. What is not the same everywhere is read by
    /// those who need it.
    pub(super) struct Layer<'a> {
        #[serde(borrow)]
        pub template: Text<'a> = "template",
        #[serde(borrow)]
        pub content: Raw<'a> = "content",
        #[serde(borrow)]
        pub data: Object<'a> = "data",
        #[serde(borrow)]
        pub brand_id: Text<'a> = "brand_id",
        #[serde(borrow)]
        pub routing: Raw<'a> = "routing",
        #[serde(borrow)]
        pub preferences: Raw<'a> = "preferences",
        #[serde(borrow)]
        pub delay: Object<'a> = "delay",
        #[serde(borrow)]
        channels: Raw<'a> = "channels",
        #[serde(borrow)]
        providers: Raw<'a> = "providers",
        #[serde(borrow)]
        metadata: Object<'a> = "metadata",
        #[serde(borrow)]
        context: Raw<'a> = "context",
        #[serde(borrow)]
        overriding: Raw<'a> = "override",
        // Of the flat form only.
        #[serde(borrow)]
        event: Raw<'a> = "event",
        #[serde(borrow)]
        message: Raw<'a> = "message",
        #[serde(borrow)]
        pub brand: Raw<'a> = "brand",
        #[serde(borrow)]
        pub locale: Raw<'a> = "locale",
    }
}

/// The two forms, the nested one in front: `{message: {…}}` and what stands beside it.
pub(super) struct Layers<'a>(pub [Layer<'a>; 2]);

/// Where the members of each stand.
pub(super) const PLACES: [&str; 2] = ["message.message", "message"];

impl<'a> Layers<'a> {
    pub fn read(definition: &'a str) -> Result<Self> {
        let flat: Layer<'_> = members::read(definition, || PLACES[1].to_owned())?;
        let nested = match flat.message {
            Some(Raw(message)) => members::read(message, || PLACES[0].to_owned())?,
            None => Layer::default(),
        };
        Ok(Layers([nested, flat]))
    }

    /// The event that was named.
    pub fn event(&self) -> Result<Option<String>> {
        let event: Option<String> = optional(self.0[1].event, || format!("{}.event", PLACES[1]))?;
        Ok(event.filter(|event| !event.is_empty()))
    }

    /// What each of the two forms says in a member.
    pub fn each<T: DeserializeOwned>(
        &self,
        name: &str,
        member: impl Fn(&Layer<'a>) -> Option<Raw<'a>>,
    ) -> Result<[Option<T>; 2]> {
        let [nested, flat] = &self.0;
        let read = |layer: &Layer<'a>, place: &str| optional(member(layer), || format!("{place}.{name}"));
        Ok([read(nested, PLACES[0])?, read(flat, PLACES[1])?])
    }
}

/// A member of some type.
pub(super) fn optional<T: DeserializeOwned>(raw: Option<Raw<'_>>, at: impl FnOnce() -> String) -> Result<Option<T>> {
    raw.map(|Raw(raw)| json::value(raw, at)).transpose()
}

#[derive(Default, Deserialize)]
struct Tenant {
    #[serde(default)]
    tenant_id: Option<String>,
}

fn object(value: Value) -> Option<Map<String, Value>> {
    if let Value::Object(members) = value { Some(members) } else { None }
}

impl About {
    pub fn read(definition: &str) -> Result<Self> {
        About::of(&Layers::read(definition)?)
    }

    pub(super) fn of(layers: &Layers<'_>) -> Result<Self> {
        let Layers([nested, flat]) = layers;
        let (metadata, metadata_at) = match nested.metadata {
            Some(metadata) => (Some(metadata), PLACES[0]),
            None => (flat.metadata, PLACES[1]),
        };
        let metadata_as_sent = metadata.and_then(|it| serde_json::from_str(it.as_str()).ok());
        let read = |it: Object<'_>| json::read::<Metadata>(it.as_str(), || format!("{metadata_at}.metadata"));
        let metadata = metadata.map(read).transpose()?.unwrap_or_default();
        let event = layers.event()?;
        let text = |it: &Option<Text<'_>>| it.as_ref().map(|it| it.as_str().to_owned());
        let template = match [(&nested.template, nested.content), (&flat.template, flat.content)] {
            [(_, Some(_)), _] | [(None, None), (_, Some(_))] => None,
            [(template @ Some(_), None), _] | [(None, None), (template @ Some(_), None)] => text(template),
            [(None, None), (None, None)] => event.clone(),
        };
        if let Some(Raw(overriding)) = flat.overriding
            && !overriding.starts_with('{')
        {
            let expected = format_args!("expected an object, found {}", json::kind(overriding));
            return Err(Error::invalid(format_args!("{}.override", PLACES[1]), expected));
        }
        let mut overrides = Value::Object(Map::new());
        let layers_of_overrides: [Option<Value>; 2] = layers.each("override", |it| it.overriding)?;
        layers_of_overrides.iter().flatten().filter(|it| it.is_object()).for_each(|it| merge(&mut overrides, it));
        let [nested_channels, flat_channels] = layers.each("channels", |it| it.channels)?;
        let [nested_providers, flat_providers] = layers.each("providers", |it| it.providers)?;
        let tenants: [Option<Fields<Tenant>>; 2] = layers.each("context", |it| it.context)?;
        Ok(About {
            event: event.or_else(|| metadata.event.clone()),
            template,
            nests_channels: nested_channels.is_some(),
            nests_providers: nested_providers.is_some(),
            channels: nested_channels.or(flat_channels).unwrap_or_default(),
            providers: nested_providers.or(flat_providers).unwrap_or_default(),
            metadata,
            metadata_as_sent,
            tenant_id: tenants.into_iter().flatten().find_map(|Fields(it)| it.tenant_id),
            overrides: object(overrides).unwrap_or_default(),
        })
    }

    /// What it says of a provider, under whichever of its names.
    pub fn options_of(&self, provider: Provider) -> Option<&ProviderOptions> {
        provider.spellings().find_map(|name| self.providers.get(name))
    }

    /// Of a definition that was checked when it came. Version 1 of the file did not look at all of it.
    pub fn of_stored(definition: &str) -> Self {
        About::read(definition).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::definition::{Definition, Reading, Source};

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
            let about = About::read(&definition.to_string()).unwrap();
            let named = (about.event.as_deref(), about.template.as_deref());
            assert_eq!(named, (event, template), "{definition}");
            let rest = (about.tenant_id.as_deref(), about.metadata.trace_id.as_deref());
            assert_eq!(rest, (tenant_id, trace_id), "{definition}");
            // What is made of it is read the same.
            let source = match Definition::read(&definition.to_string(), Reading::Bulk).unwrap().source {
                Source::Template(id) => Some(id),
                _ => None,
            };
            assert_eq!(source, about.template);
        }
    }
}
