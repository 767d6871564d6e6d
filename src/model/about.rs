//! What a definition says of its messages beside their words and their way.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use super::routing::{Channels, Providers};
use crate::error::Result;
use crate::json::{self, Fields, Object};

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
    /// The `override` of the nested form and the one of the flat form, which is laid over it. Members are providers.
    pub overrides: Vec<Map<String, Value>>,
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

#[derive(Deserialize)]
struct Outer<'a> {
    #[serde(default)]
    event: Option<String>,
    #[serde(borrow, default)]
    message: Option<Fields<Layer<'a>>>,
    #[serde(borrow, default, rename = "override")]
    _override: Option<Object<'a>>,
}

/// The members that a send's `message`, the nested form and the flat form have in common.
#[derive(Default, Deserialize)]
struct Layer<'a> {
    #[serde(default)]
    template: Option<String>,
    #[serde(default)]
    content: Option<IgnoredAny>,
    #[serde(default)]
    channels: Option<Channels>,
    #[serde(default)]
    providers: Option<Providers>,
    #[serde(borrow, default)]
    metadata: Option<Object<'a>>,
    #[serde(default)]
    context: Option<Fields<Tenant>>,
    #[serde(default, rename = "override")]
    overriding: Option<Value>,
}

#[derive(Default, Deserialize)]
struct Tenant {
    #[serde(default)]
    tenant_id: Option<String>,
}

impl About {
    pub fn read(definition: &str) -> Result<Self> {
        let at = || "message".to_owned();
        let outer: Outer<'_> = json::read(definition, at)?;
        let flat: Layer<'_> = json::read(definition, at)?;
        let Fields(nested) = outer.message.unwrap_or_default();
        let (metadata, metadata_at) = match nested.metadata {
            Some(metadata) => (Some(metadata), "message.message.metadata"),
            None => (flat.metadata, "message.metadata"),
        };
        let read = |it: Object<'_>| json::read::<Metadata>(it.as_str(), || metadata_at.to_owned());
        let event = outer.event.filter(|event| !event.is_empty());
        let tenant = |it: Option<Fields<Tenant>>| it.and_then(|Fields(it)| it.tenant_id);
        let template = match [(nested.template, nested.content), (flat.template, flat.content)] {
            [(_, Some(_)), _] | [(None, None), (_, Some(_))] => None,
            [(Some(template), None), _] | [(None, None), (Some(template), None)] => Some(template),
            [(None, None), (None, None)] => event.clone(),
        };
        let overrides = [nested.overriding, flat.overriding].into_iter().flatten();
        let metadata_as_sent = metadata.and_then(|it| serde_json::from_str(it.as_str()).ok());
        let metadata = metadata.map(read).transpose()?.unwrap_or_default();
        Ok(About {
            event: event.or_else(|| metadata.event.clone()),
            template,
            nests_channels: nested.channels.is_some(),
            nests_providers: nested.providers.is_some(),
            channels: nested.channels.or(flat.channels).unwrap_or_default(),
            providers: nested.providers.or(flat.providers).unwrap_or_default(),
            metadata,
            metadata_as_sent,
            tenant_id: tenant(nested.context).or_else(|| tenant(flat.context)),
            overrides: overrides.filter_map(|it| if let Value::Object(it) = it { Some(it) } else { None }).collect(),
        })
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
