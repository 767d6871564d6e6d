//! A brand's own texts around an e-mail, with the variables of its message filled in.

use serde_json::Value;

use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::model::brand::BrandPayload;
use crate::model::resolved::{ResolvedDefinition, TemplateSource};
use crate::model::user::User;
use crate::render::escape::OutputContext;
use crate::render::scope::{JobData, JobVariables, NameTable, Scope};
use crate::render::text::{CompiledText, ParsedTexts, TextCompiler};
use crate::template::{ParsedText, Partials};
use crate::threads::catch;

/// The texts, by their place in the settings, and how data are put into them.
const TEXTS: [(&str, OutputContext); 10] = [
    ("/email/footer", OutputContext::Footer),
    ("/email/footer/content", OutputContext::Footer),
    ("/email/footer/markdown", OutputContext::Footer),
    ("/email/head", OutputContext::Markup),
    ("/email/head/content", OutputContext::Markup),
    ("/email/header/logo/href", OutputContext::Plain),
    ("/email/header/logo/image", OutputContext::Plain),
    ("/email/templateOverride/head", OutputContext::Markup),
    ("/email/templateOverride/header", OutputContext::Markup),
    ("/email/templateOverride/footer", OutputContext::Markup),
];

/// The texts of these settings that hold variables.
fn texts(settings: &Value) -> impl Iterator<Item = (&'static str, OutputContext, &str)> {
    let text = |(place, context)| Some((place, context, settings.pointer(place)?.as_str()?));
    TEXTS.into_iter().filter_map(text).filter(|(.., text)| text.contains("{{"))
}

/// A brand's snippets, which its texts and those of its messages include by name. One that cannot be parsed, since it
/// was stored before snippets were checked, is left out.
pub fn partials(brand: Option<&Value>) -> Partials {
    let items = brand.and_then(|brand| brand["snippets"]["items"].as_array());
    let snippet = |item: &Value| {
        let (name, value) = (item["name"].as_str()?, item["value"].as_str()?);
        Some((name.to_owned(), ParsedText::parse(value).ok()?))
    };
    items.into_iter().flatten().filter_map(snippet).collect()
}

fn compile(
    source: &str,
    context: OutputContext,
    names: &mut NameTable,
    partials: &Partials,
    parsed: &mut ParsedTexts,
) -> std::result::Result<CompiledText, String> {
    let mut writer = TextCompiler::new(names, partials, parsed);
    writer.text(source, context).map_err(|problem| problem.to_string())?;
    let text = writer.finish();
    match text.failure() {
        Some(reason) => Err(reason),
        None => Ok(text),
    }
}

/// Refuses a brand with texts or snippets that cannot be rendered for any recipient. `at` is its path in the request,
/// or empty for the body itself.
pub fn check(brand: &BrandPayload, at: &str) -> Result<()> {
    let at = if at.is_empty() { String::new() } else { format!("{at}.") };
    let mut parsed = ParsedTexts::default();
    let mut refuse = |source: &str, context: OutputContext, field: String| {
        let compiled = compile(source, context, &mut NameTable::default(), &Partials::new(), &mut parsed);
        compiled.map(drop).map_err(|problem| Error::invalid(format_args!("{at}{field}"), problem))
    };
    for (place, context, source) in brand.settings.iter().flat_map(texts) {
        refuse(source, context, format!("settings{}", place.replace('/', ".")))?;
    }
    let snippets = brand.snippets.as_ref().and_then(|snippets| snippets["items"].as_array());
    for (i, snippet) in snippets.into_iter().flatten().enumerate() {
        refuse(
            snippet["value"].as_str().unwrap_or_default(),
            OutputContext::Plain,
            format!("snippets.items[{i}].value"),
        )?;
    }
    Ok(())
}

/// Whether a stored brand differs for each message.
pub fn has_variables(brand: &Value) -> bool {
    texts(&brand["settings"]).next().is_some()
}

/// The brand of a job, compiled.
pub struct CompiledBrand {
    brand: Value,
    /// By their place in the settings.
    texts: Vec<(&'static str, CompiledText)>,
    names: NameTable,
    data: JobData,
}

impl CompiledBrand {
    /// `None` if there is no brand. A text that was stored unchecked stays as it is.
    pub fn new(plan: ResolvedDefinition, now: Timestamp) -> Option<Self> {
        let brand = plan.brand.clone()?;
        let mut names = NameTable::default();
        let (partials, mut parsed) = (partials(Some(&brand)), ParsedTexts::default());
        let compiled = texts(&brand["settings"])
            .filter_map(|(place, context, source)| {
                Some((place, compile(source, context, &mut names, &partials, &mut parsed).ok()?))
            })
            .collect();
        let template_id = match plan.stored {
            TemplateSource::Template { template_id, .. } => Some(template_id),
            _ => None,
        };
        let words = JobVariables::new(&plan.definition, plan.brand, template_id.as_deref(), plan.topic.as_ref(), now);
        let data = JobData::new(plan.definition.data, words, &names);
        Some(CompiledBrand { brand, texts: compiled, names, data })
    }

    /// The brand for one message. A text that cannot be rendered is left out.
    pub fn fill(&self, recipient: &str, user: &str, stored_profile: Option<&str>) -> Value {
        let mut brand = self.brand.clone();
        let user = User::read(user, || "user".to_owned()).unwrap_or_default();
        let scope = Scope::new(recipient, &user, stored_profile, &self.data, &self.names).ok();
        for (place, text) in &self.texts {
            let mut words = String::new();
            let render = || scope.as_ref().is_some_and(|scope| text.render(scope, &mut words).is_ok());
            let is_rendered = catch(render).unwrap_or(false);
            if let Some(found) = brand["settings"].pointer_mut(place) {
                *found = if is_rendered { words.into() } else { Value::Null };
            }
        }
        brand
    }
}
