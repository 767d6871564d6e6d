//! A brand's own texts around an e-mail, with the variables of its message in them.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::{Value, json};

use super::escape::Escape;
use super::scope::{JobData, JobWords, Names, Scope};
use super::text::{Parsed, Text, Writer};
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::model::brand::BrandPayload;
use crate::model::resolved::{ResolvedDefinition, TemplateSource};
use crate::model::user::User;
use crate::template::{Partials, Template};

/// The texts, by their place in the settings, and how data are put into them.
const TEXTS: [(&str, Escape); 10] = [
    ("/email/footer", Escape::Footer),
    ("/email/footer/content", Escape::Footer),
    ("/email/footer/markdown", Escape::Footer),
    ("/email/head", Escape::Markup),
    ("/email/head/content", Escape::Markup),
    ("/email/header/logo/href", Escape::Plain),
    ("/email/header/logo/image", Escape::Plain),
    ("/email/templateOverride/head", Escape::Markup),
    ("/email/templateOverride/header", Escape::Markup),
    ("/email/templateOverride/footer", Escape::Markup),
];

/// What texts know of a brand: its settings, such as `brand.colors.primary`, its id and its name.
pub fn words(mut brand: Value) -> Value {
    let mut words = brand["settings"].take();
    if !words.is_object() {
        words = json!({});
    }
    words["id"] = brand["id"].take();
    words["name"] = brand["name"].take();
    words
}

/// The texts of these settings that hold variables.
fn texts(settings: &Value) -> impl Iterator<Item = (&'static str, Escape, &str)> {
    let text = |(place, escape)| Some((place, escape, settings.pointer(place)?.as_str()?));
    TEXTS.into_iter().filter_map(text).filter(|(.., text)| text.contains("{{"))
}

/// A brand's snippets, which its texts and those of its messages include by their names. One that cannot be read, stored
/// before snippets were checked, is left out.
pub fn partials(brand: Option<&Value>) -> Partials {
    let items = brand.and_then(|brand| brand["snippets"]["items"].as_array());
    let snippet = |item: &Value| {
        let (name, value) = (item["name"].as_str()?, item["value"].as_str()?);
        Some((name.to_owned(), Template::parse(value).ok()?))
    };
    items.into_iter().flatten().filter_map(snippet).collect()
}

fn compile(
    source: &str,
    escape: Escape,
    names: &mut Names,
    partials: &Partials,
    parsed: &mut Parsed,
) -> std::result::Result<Text, String> {
    let mut writer = Writer::new(names, partials, parsed);
    writer.text(source, escape).map_err(|problem| problem.to_string())?;
    let text = writer.finish();
    match text.failure() {
        Some(reason) => Err(reason),
        None => Ok(text),
    }
}

/// Refuses a brand with texts or snippets that cannot be rendered for anybody. `at` is its path in the request, or
/// nothing for the body itself.
pub fn check(brand: &BrandPayload, at: &str) -> Result<()> {
    let at = if at.is_empty() { String::new() } else { format!("{at}.") };
    let mut parsed = Parsed::default();
    let mut refuse = |source: &str, escape: Escape, field: String| {
        let compiled = compile(source, escape, &mut Names::default(), &Partials::new(), &mut parsed);
        compiled.map(drop).map_err(|problem| Error::invalid(format_args!("{at}{field}"), problem))
    };
    for (place, escape, source) in brand.settings.iter().flat_map(texts) {
        refuse(source, escape, format!("settings{}", place.replace('/', ".")))?;
    }
    let snippets = brand.snippets.as_ref().and_then(|snippets| snippets["items"].as_array());
    for (i, snippet) in snippets.into_iter().flatten().enumerate() {
        refuse(snippet["value"].as_str().unwrap_or_default(), Escape::Plain, format!("snippets.items[{i}].value"))?;
    }
    Ok(())
}

/// Whether a brand, as it is stored, is another one for each message.
pub fn has_variables(brand: &Value) -> bool {
    texts(&brand["settings"]).next().is_some()
}

/// The brand of a job, compiled.
pub struct Frame {
    brand: Value,
    /// By their place in the settings.
    texts: Vec<(&'static str, Text)>,
    names: Names,
    data: JobData,
}

impl Frame {
    /// `None` if there is no brand. A text that was stored when it was not looked at stays as it is.
    pub fn new(plan: ResolvedDefinition, now: Timestamp) -> Option<Self> {
        let brand = plan.brand.clone()?;
        let mut names = Names::default();
        let (partials, mut parsed) = (partials(Some(&brand)), Parsed::default());
        let compiled = texts(&brand["settings"])
            .filter_map(|(place, escape, source)| {
                Some((place, compile(source, escape, &mut names, &partials, &mut parsed).ok()?))
            })
            .collect();
        let template_id = match plan.stored {
            TemplateSource::Template { template_id, .. } => Some(template_id),
            _ => None,
        };
        let words = JobWords::new(&plan.definition, plan.brand, template_id.as_deref(), plan.topic.as_ref(), now);
        let data = JobData::new(plan.definition.data, words, &names);
        Some(Frame { brand, texts: compiled, names, data })
    }

    /// The brand for one message. A text that cannot be rendered is left out.
    pub fn fill(&self, recipient: &str, user: &str, stored_profile: Option<&str>) -> Value {
        let mut brand = self.brand.clone();
        let user = User::read(user, || "user".to_owned()).unwrap_or_default();
        let scope = Scope::new(recipient, &user, stored_profile, &self.data, &self.names).ok();
        for (place, text) in &self.texts {
            let mut words = String::new();
            let mut render = || scope.as_ref().is_some_and(|scope| text.render(scope, &mut words).is_ok());
            let is_rendered = catch_unwind(AssertUnwindSafe(&mut render)).unwrap_or(false);
            if let Some(found) = brand["settings"].pointer_mut(place) {
                *found = if is_rendered { words.into() } else { Value::Null };
            }
        }
        brand
    }
}
