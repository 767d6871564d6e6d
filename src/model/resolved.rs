//! A definition with the stored data that it refers to: what the messages of one job have in common.

use serde_json::Value;

use super::bulk::JobKind;
use super::content::Content;
use super::definition::{ContentSource, Definition};
use super::email_headers::EmailHeaders;
use super::preference::PreferenceStatus;
use super::stored_recipient::Subject;

#[derive(Debug)]
pub struct ResolvedDefinition {
    pub definition: Definition,
    pub stored: TemplateSource,
    pub kind: JobKind,
    /// `{id, name, settings, snippets}`.
    pub brand: Option<Value>,
    /// The topic of the messages.
    pub topic: Option<ResolvedTopic>,
    /// Whether nothing goes out in any case: the key is one for simulations.
    pub is_simulation: bool,
}

/// The stored data under the id that a definition names.
#[derive(Debug, Default)]
pub enum TemplateSource {
    #[default]
    Nothing,
    /// A template without a published version.
    Unpublished {
        template_id: String,
    },
    Template {
        template_id: String,
        alias: Option<String>,
        content: Content,
        headers: EmailHeaders,
    },
}

/// A topic that users can choose.
#[derive(Clone, Debug)]
pub struct ResolvedTopic {
    pub topic_id: String,
    /// For users who have not chosen.
    pub default_status: PreferenceStatus,
}

impl ResolvedDefinition {
    /// What the messages are about.
    pub fn subject(&self) -> Subject<'_> {
        let (template_id, alias) = match &self.stored {
            TemplateSource::Template { template_id, alias, .. } => (Some(template_id.as_str()), alias.as_deref()),
            _ => (None, None),
        };
        let called = match &self.definition.source {
            ContentSource::Template(id) => Some(id.as_str()),
            _ => None,
        };
        let options = &self.definition.options;
        Subject {
            names: [template_id, alias, options.event.as_deref(), called],
            topic_id: self.topic.as_ref().map(|topic| topic.topic_id.as_str()),
            tenant_id: options.tenant_id.as_deref(),
        }
    }

    /// A definition without any stored data.
    pub fn new(definition: Definition, kind: JobKind) -> Self {
        ResolvedDefinition {
            definition,
            stored: TemplateSource::Nothing,
            kind,
            brand: None,
            topic: None,
            is_simulation: false,
        }
    }
}
