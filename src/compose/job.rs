//! What the messages of a job have in common, compiled.

use std::collections::HashMap;

use super::body::{MessageBody, TemplateNames};
use super::condition::Condition;
use crate::clock::Timestamp;
use crate::error::Result;
use crate::model::bulk::JobKind;
use crate::model::definition::{ContentSource, Definition};
use crate::model::resolved::{ResolvedDefinition, ResolvedTopic, TemplateSource};
use crate::provider::ProviderChecks;
use crate::render::email::brand;
use crate::render::email::headers::CompiledHeaders;
use crate::render::scope::{JobData, JobVariables, NameTable, Scope};
use crate::settings::{MessageSettings, ProviderLimits};

pub struct CompiledJob {
    pub kind: JobKind,
    pub is_simulation: bool,
    pub definition: Definition,
    pub body: MessageBody,
    pub template: TemplateNames,
    pub topic: Option<ResolvedTopic>,
    pub data: JobData,
    pub names: NameTable,
    /// The headers of e-mails, if each message has its own.
    pub headers: Option<CompiledHeaders>,
    pub provider_checks: ProviderChecks,
    pub limits: ProviderLimits,
    /// By their sources.
    conditions: HashMap<String, Condition>,
}

impl CompiledJob {
    /// Compiles the texts and the conditions. Some texts contain the year, which is that of `now`. Fails if one of them
    /// is malformed, with its path in the request.
    pub fn compile(resolved: ResolvedDefinition, settings: MessageSettings, now: Timestamp) -> Result<Self> {
        let mut definition = resolved.definition;
        let mut names = NameTable::default();
        let partials = brand::partials(resolved.brand.as_ref());
        let headers = match &resolved.stored {
            TemplateSource::Template { headers, .. } => {
                CompiledHeaders::compile(headers, "email", &mut names, &partials)?
            }
            _ => CompiledHeaders::default(),
        };
        let fixed = !headers.is_empty() && !headers.has_variables();
        let fixed = fixed.then(|| headers.fill(None).ok()).flatten();
        let source = std::mem::replace(&mut definition.source, ContentSource::Nothing);
        let (body, template) =
            MessageBody::compile(source, resolved.stored, settings.templates, &mut names, &partials)?;
        let mut conditions = HashMap::new();
        for (path, source) in &definition.conditions {
            conditions.insert(source.clone(), Condition::compile(source, path, &mut names)?);
        }
        let template_id = template.template_id.as_deref();
        let variables = JobVariables::new(&definition, resolved.brand, template_id, resolved.topic.as_ref(), now);
        Ok(CompiledJob {
            kind: resolved.kind,
            is_simulation: resolved.is_simulation,
            data: JobData::new(std::mem::take(&mut definition.data), variables, &names),
            headers: Some(headers).filter(CompiledHeaders::has_variables),
            provider_checks: ProviderChecks::new(fixed),
            limits: settings.limits,
            definition,
            body,
            template,
            topic: resolved.topic,
            names,
            conditions,
        })
    }

    /// The names under which recipients may have chosen whether they want the messages.
    pub fn consent_names(&self) -> [Option<&str>; 4] {
        let TemplateNames { template_id, alias, called } = &self.template;
        let event = self.definition.options.event.as_deref();
        [template_id.as_deref(), alias.as_deref(), event, called.as_deref()]
    }

    /// Whether a condition of the definition holds.
    pub fn holds(&self, condition: &str, scope: &Scope<'_>) -> std::result::Result<bool, String> {
        self.conditions.get(condition).map_or(Ok(true), |condition| condition.holds(scope))
    }
}
