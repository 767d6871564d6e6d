//! What a job's definition leads to: the template and the brand that are stored under the ids that it references.

use serde::Deserialize;

use super::engine::Db;
use super::job::PinnedVersions;
use super::{brand, environment, preference, template};
use crate::error::{Result, shown};
use crate::findings::Check;
use crate::json;
use crate::model::bulk::Job;
use crate::model::content::Content;
use crate::model::definition::{ContentSource, Definition};
use crate::model::email_headers::EmailHeaders;
use crate::model::environment::EnvironmentRow;
use crate::model::resolved::{ResolvedDefinition, ResolvedTopic, TemplateSource};
use crate::model::row::TemplateVersion;

/// What a definition refers to that may be stored.
#[derive(Clone, Debug, Default)]
pub struct References {
    template: Option<String>,
    /// For e-mail, or else for the message.
    brand_id: Option<String>,
}

impl References {
    pub fn of(definition: &Definition) -> Self {
        let template = match &definition.source {
            ContentSource::Template(id) => Some(id.clone()),
            _ => None,
        };
        let email = definition.options.channels.get("email").and_then(|it| it.brand_id.as_ref());
        References { template, brand_id: email.or(definition.brand_id.as_ref()).cloned() }
    }
}

/// The parts of a stored template that messages are made of.
#[derive(Deserialize)]
struct TemplateParts {
    content: Content,
    #[serde(default)]
    subscription: Option<TopicReference>,
    #[serde(default)]
    email: Option<EmailHeaders>,
}

/// Nothing but the headers of a stored template.
#[derive(Deserialize)]
struct Headed {
    #[serde(default)]
    email: Option<EmailHeaders>,
}

/// Nothing but the brand of a stored template.
#[derive(Deserialize)]
struct Branded {
    #[serde(default)]
    brand: Option<BrandReference>,
}

#[derive(Deserialize)]
struct BrandReference {
    #[serde(default)]
    id: Option<String>,
}

#[derive(Deserialize)]
struct TopicReference {
    #[serde(default)]
    topic_id: Option<String>,
}

/// What a definition refers to and is not stored.
#[derive(Clone, Debug, Default)]
pub struct Missing {
    pub template: Option<String>,
    pub brand: Option<String>,
}

/// Looks up what a definition refers to, as it is now. The brand is the one for e-mail, or the message's, or the
/// template's.
pub fn resolve(db: &Db<'_>, environment: EnvironmentRow, references: &References) -> Result<(PinnedVersions, Missing)> {
    let named = match &references.template {
        Some(id) => template::find_to_send(db, environment, id)?,
        None => None,
    };
    let template_version = named.as_ref().and_then(|it| it.template_version);
    let of_template = match (&named, template_version) {
        (Some(found), Some(_)) if references.brand_id.is_none() => {
            read::<Branded>(&found.template_json)?.brand.and_then(|brand| brand.id)
        }
        _ => None,
    };
    let mut missing = Missing { template: references.template.clone().filter(|_| named.is_none()), brand: None };
    let Some(brand_id) = references.brand_id.as_ref().or(of_template.as_ref()) else {
        return Ok((PinnedVersions { template_version, brand_version: None }, missing));
    };
    let brand_version = brand::find_current(db, environment, brand_id)?;
    // Most brands live in Courier's cloud: the messages are made without one.
    missing.brand = brand_version.is_none().then(|| brand_id.clone());
    Ok((PinnedVersions { template_version, brand_version }, missing))
}

impl Missing {
    /// The notes about what is missing; `what` is the job or send.
    pub fn told(&self, what: &str) -> Vec<(Check, String)> {
        let template = self.template.as_ref().map(|id| {
            let id = shown(id);
            (Check::UnknownTemplate, format!("{what}: there is no template or event '{id}' under this API key"))
        });
        let brand = self.brand.as_ref().map(|id| {
            let id = shown(id);
            (Check::UnknownBrand, format!("there is no brand '{id}' under this API key; the messages go without it"))
        });
        template.into_iter().chain(brand).collect()
    }
}

/// All that the messages of a job have in common. `definition` is the job's own.
pub fn load(db: &Db<'_>, job: &Job, definition: Definition) -> Result<ResolvedDefinition> {
    let versions = PinnedVersions { template_version: job.template_version, brand_version: job.brand_version };
    let mut plan = ResolvedDefinition::new(definition, job.kind);
    resolve_into(&mut plan, db, job.environment, &versions)?;
    plan.is_simulation = environment::is_simulation(db, job.environment)?;
    Ok(plan)
}

/// Adds to a plan what is stored of the versions that its definition led to.
pub(in crate::store) fn resolve_into(
    plan: &mut ResolvedDefinition,
    db: &Db<'_>,
    environment: EnvironmentRow,
    versions: &PinnedVersions,
) -> Result<()> {
    let mut topic_id = plan.definition.topic_id.clone();
    if let Some(version) = versions.template_version {
        let (template_id, template_json) = template::get_version(db, version)?;
        let template = read::<TemplateParts>(&template_json)?;
        topic_id = topic_id.or(template.subscription.and_then(|it| it.topic_id));
        let alias = template::find_alias(db, version)?;
        let headers = template.email.unwrap_or_default();
        plan.stored = TemplateSource::Template { template_id, alias, content: template.content, headers };
    } else if let ContentSource::Template(id) = &plan.definition.source
        && let Some(found) = template::find_to_send(db, environment, id)?
        && found.template_version.is_none()
    {
        plan.stored = TemplateSource::Unpublished { template_id: found.template_id };
    }
    if let Some(version) = versions.brand_version {
        plan.brand = serde_json::from_str(&brand::get_version(db, version)?).ok();
    }
    plan.brand = plan.definition.options.branded(plan.brand.take());
    plan.topic = match topic_id {
        Some(topic_id) => {
            let default_status = preference::topic(db, environment, &topic_id)?.default_status;
            Some(ResolvedTopic { topic_id, default_status })
        }
        None => None,
    };
    Ok(())
}

/// The headers that e-mails of a job have from its template.
pub fn email_headers(db: &Db<'_>, job: &Job) -> Result<EmailHeaders> {
    job.template_version.map_or_else(|| Ok(EmailHeaders::default()), |version| headers_of(db, version))
}

/// The headers that e-mails have from a version of a template.
pub(in crate::store) fn headers_of(db: &Db<'_>, version: TemplateVersion) -> Result<EmailHeaders> {
    let (_, template_json) = template::get_version(db, version)?;
    Ok(read::<Headed>(&template_json)?.email.unwrap_or_default())
}

fn read<'a, T: Deserialize<'a>>(template_json: &'a str) -> Result<T> {
    json::read(template_json, || "template".to_owned())
}
