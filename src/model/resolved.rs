//! A definition with what is stored of all that it names: what the messages of one job have in common.

use serde_json::Value;

use super::bulk::JobKind;
use super::content::Content;
use super::definition::Definition;
use super::preference::PreferenceStatus;

#[derive(Debug)]
pub struct ResolvedDefinition {
    pub definition: Definition,
    pub stored: TemplateSource,
    pub kind: JobKind,
    /// `{id, name, settings, snippets}`.
    pub brand: Option<Value>,
    /// The topic of the messages.
    pub topic: Option<ResolvedTopic>,
    /// Whether nothing goes out, however far it gets: the key is one for simulations.
    pub is_simulation: bool,
}

/// What is stored under the id that a definition names.
#[derive(Debug, Default)]
pub enum TemplateSource {
    #[default]
    Nothing,
    /// A template of which nothing was published.
    Unpublished {
        template_id: String,
    },
    Template {
        template_id: String,
        alias: Option<String>,
        content: Content,
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
    /// A definition beside which nothing is stored.
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
