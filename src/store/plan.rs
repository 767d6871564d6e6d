//! What a job's definition leads to: the template and the brand that are stored under the ids that it names.

use serde::Deserialize;

use super::known::Lookup;
use super::{Db, brand, environment, preference, template};
use crate::error::{Result, shown};
use crate::json;
use crate::model::bulk::{Job, JobKind};
use crate::model::content::Content;
use crate::model::definition::{Definition, Source};
use crate::model::environment::{Environment, EnvironmentRow};
use crate::model::known::Known;
use crate::model::resolved::{ResolvedDefinition, TemplateSource, Topic};

/// What was found when a job was run. Neither is ever rewritten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Versions {
    pub template_version: Option<i64>,
    pub brand_version: Option<i64>,
}

/// What a definition names that may be stored.
#[derive(Clone, Debug, Default)]
pub struct Names {
    template: Option<String>,
    /// For e-mail, or else for the message.
    brand_id: Option<String>,
}

impl Names {
    pub fn of(definition: &Definition) -> Self {
        let template = match &definition.source {
            Source::Template(id) => Some(id.clone()),
            _ => None,
        };
        let email = definition.options.channels.get("email").and_then(|it| it.brand_id.as_ref());
        Names { template, brand_id: email.or(definition.brand_id.as_ref()).cloned() }
    }
}

/// The parts of a stored template that messages are made of.
#[derive(Deserialize)]
struct Template {
    content: Content,
    #[serde(default)]
    subscription: Option<Subscription>,
}

/// Nothing but the brand of a stored template.
#[derive(Deserialize)]
struct Branded {
    #[serde(default)]
    brand: Option<Brand>,
}

#[derive(Deserialize)]
struct Brand {
    #[serde(default)]
    id: Option<String>,
}

#[derive(Deserialize)]
struct Subscription {
    #[serde(default)]
    topic_id: Option<String>,
}

/// Looks up what a definition names as it is now. The brand is the one for e-mail, or the message's, or the template's.
pub fn resolve(db: &Db<'_>, environment: EnvironmentRow, names: &Names) -> Result<Versions> {
    let named = match &names.template {
        Some(id) => template::find_to_send(db, environment, id)?,
        None => None,
    };
    let template_version = named.as_ref().and_then(|it| it.template_version);
    let of_template = match (&named, template_version) {
        (Some(found), Some(_)) if names.brand_id.is_none() => {
            read::<Branded>(&found.template_json)?.brand.and_then(|brand| brand.id)
        }
        _ => None,
    };
    let Some(brand_id) = names.brand_id.as_ref().or(of_template.as_ref()) else {
        return Ok(Versions { template_version, brand_version: None });
    };
    let brand_version = brand::find_current(db, environment, brand_id)?;
    if brand_version.is_none() {
        warn_without_brand(brand_id);
    }
    Ok(Versions { template_version, brand_version })
}

/// Most brands live in Courier's cloud: the messages go without.
fn warn_without_brand(brand_id: &str) {
    log::warn!("there is no brand '{}' under this API key; the messages go without it", shown(brand_id));
}

/// All that a send needs to know before it is made.
pub struct Prepared {
    /// The row of the environment in which it was looked up, if it had one.
    pub environment: Option<EnvironmentRow>,
    pub versions: Versions,
    pub plan: ResolvedDefinition,
    /// Of each recipient, or only of the first ones if what is stored of all is too much to hold.
    pub known: Vec<Known>,
}

/// Looks up what is stored of recipients until that is more than `bytes` of text.
pub fn prepare(
    db: &Db<'_>,
    environment: &Environment,
    definition: Definition,
    users: &[(&str, &str)],
    bytes: usize,
) -> Result<Prepared> {
    let mut plan = ResolvedDefinition::new(definition, JobKind::Send);
    let Some(environment) = environment::find(db, environment)? else {
        plan.is_simulation = environment.is_simulation();
        Names::of(&plan.definition).brand_id.iter().for_each(|brand_id| warn_without_brand(brand_id));
        let known = users.iter().map(|_| Known::default()).collect();
        return Ok(Prepared { environment: None, versions: Versions::default(), plan, known });
    };
    let versions = resolve(db, environment, &Names::of(&plan.definition))?;
    fill(db, environment, &versions, &mut plan)?;
    let topic_id = plan.topic.as_ref().map(|topic| topic.topic_id.as_str());
    let lookup = Lookup::new(db, environment)?;
    let tenant_id = plan.definition.options.tenant_id.as_deref();
    let (mut known, mut held) = (Vec::new(), 0);
    for user in users {
        if held > bytes {
            break;
        }
        let of_one = lookup.get(db, *user, topic_id, tenant_id)?;
        held += of_one.bytes();
        known.push(of_one);
    }
    Ok(Prepared { environment: Some(environment), versions, plan, known })
}

/// All that the messages of a job have in common. `definition` is the job's own.
pub fn load(db: &Db<'_>, job: &Job, definition: Definition) -> Result<ResolvedDefinition> {
    let versions = Versions { template_version: job.template_version, brand_version: job.brand_version };
    let mut plan = ResolvedDefinition::new(definition, job.kind);
    fill(db, job.environment, &versions, &mut plan)?;
    Ok(plan)
}

fn fill(db: &Db<'_>, environment: EnvironmentRow, versions: &Versions, plan: &mut ResolvedDefinition) -> Result<()> {
    let mut topic_id = plan.definition.topic_id.clone();
    if let Some(version) = versions.template_version {
        let (template_id, template_json) = template::get_version(db, version)?;
        let template = read::<Template>(&template_json)?;
        topic_id = topic_id.or(template.subscription.and_then(|it| it.topic_id));
        let alias = template::find_alias(db, version)?;
        plan.stored = TemplateSource::Template { template_id, alias, content: template.content };
    } else if let Source::Template(id) = &plan.definition.source
        && let Some(found) = template::find_to_send(db, environment, id)?
        && found.template_version.is_none()
    {
        plan.stored = TemplateSource::Unpublished { template_id: found.template_id };
    }
    if let Some(version) = versions.brand_version {
        plan.brand = serde_json::from_str(&brand::get_version(db, version)?).ok();
    }
    plan.topic = match topic_id {
        Some(topic_id) => {
            let default_status = preference::topic(db, environment, &topic_id)?.default_status;
            Some(Topic { topic_id, default_status })
        }
        None => None,
    };
    plan.is_simulation = environment::is_simulation(db, environment)?;
    Ok(())
}

fn read<'a, T: Deserialize<'a>>(template_json: &'a str) -> Result<T> {
    json::read(template_json, || "template".to_owned())
}
