//! Content, compiled: for every channel and locale the texts that a message is made of.

use std::collections::HashMap;
use std::sync::Arc;

use super::elements::{self, Builder, html, nodes, plain, subject};
use super::escape::Escape;
use super::scope::Names;
use super::text::{Parsed, Text, Writer};
use crate::error::{Error, Result};
use crate::model::channel::{Channel, Provider};
use crate::model::content::{Content, Element, ElementKind, Raw, locale};
use crate::template::Partials;

/// Locales in one content.
const LOCALES_LIMIT: usize = 100;
/// Bytes that one content may come to for all its channels and locales together, before any data.
const BYTES_LIMIT: usize = 64 * 1024 * 1024;

/// The texts of a message on one channel.
pub struct Texts {
    pub subject: Option<Arc<Text>>,
    /// Plain.
    pub body: Arc<Text>,
    /// An e-mail's HTML, elsewhere a JSON array of elements; `None` if the body says it all.
    pub content: Option<Arc<Text>>,
}

/// All texts of a content.
pub struct Compiled {
    /// The same for every channel.
    sugar: Option<Texts>,
    targets: Vec<Target>,
    locales: Vec<String>,
    /// By target and, within it, first for no locale and then for each.
    texts: Vec<Option<Texts>>,
}

/// Who elements are chosen for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    pub channel: Channel,
    /// `None` is any that no element names.
    pub provider: Option<Provider>,
}

impl Target {
    /// Whether this name of a channel or provider means it.
    pub fn is_called(&self, name: &str) -> bool {
        match Channel::from_name(name) {
            Some(channel) => channel == self.channel,
            None => self.is_provider(name),
        }
    }

    pub fn is_provider(&self, name: &str) -> bool {
        self.provider.is_some() && provider(name) == self.provider
    }
}

/// A provider by its name, or by the one that its profile key has.
fn provider(name: &str) -> Option<Provider> {
    match name {
        "ms_teams" | "teams" => Some(Provider::MsTeams),
        "webhook" => None,
        name => Provider::from_name(name),
    }
}

impl Compiled {
    /// Compiles what stands at `path` of the request. A text that is malformed is named by its path.
    pub fn compile(content: &Content, path: &str, names: &mut Names, partials: &Partials) -> Result<Self> {
        let elements = match content {
            Content::Elemental { elements } => elements,
            Content::Sugar { title, body } => {
                let subject =
                    title.as_ref().map(|title| Text::compile(title, &format!("{path}.title"), names, partials));
                let body = Text::compile(body, &format!("{path}.body"), names, partials)?;
                let subject = subject.transpose()?.map(Arc::new);
                let sugar = Some(Texts { subject, body: Arc::new(body), content: None });
                return Ok(Compiled { sugar, targets: Vec::new(), locales: Vec::new(), texts: Vec::new() });
            }
        };
        let mentioned = Mentioned::in_elements(elements);
        if mentioned.locales.len() > LOCALES_LIMIT {
            return Err(Error::invalid(path, format_args!("expected at most {LOCALES_LIMIT} locales")));
        }
        let path: &Arc<str> = &path.into();
        let mut parsed = Parsed::default();
        let mut kit = Kit { names, partials, parsed: &mut parsed, shared: HashMap::new(), bytes: 0 };
        let mut texts = Vec::new();
        for target in &mentioned.targets {
            for locale in [None].into_iter().chain(mentioned.locales.iter().map(|name| Some(name.as_str()))) {
                let (target, refs, is_shared) = (*target, &mentioned.refs, !mentioned.names_channels);
                let has_markdown = mentioned.has_markdown;
                let variant = Variant { elements, path, target, locale, refs, is_shared, has_markdown };
                texts.push(variant.compile(&mut kit)?);
                if kit.bytes > BYTES_LIMIT {
                    let problem = "the content is too long for all its channels and locales together";
                    return Err(Error::invalid(format_args!("{path}.elements"), problem));
                }
            }
        }
        Ok(Compiled { sugar: None, targets: mentioned.targets, locales: mentioned.locales, texts })
    }

    /// The texts for somebody; `None` if the content has nothing for this channel.
    pub fn texts(&self, channel: Channel, provider: Provider, locale: Option<&str>) -> Option<&Texts> {
        if self.sugar.is_some() {
            return self.sugar.as_ref();
        }
        let of = |provider| self.targets.iter().position(|it| *it == Target { channel, provider });
        let target = of(Some(provider)).or_else(|| of(None))?;
        let locale = locale.filter(|_| !self.locales.is_empty()).and_then(|locale| self.locale(locale));
        self.texts.get(target * (self.locales.len() + 1) + locale.map_or(0, |i| i + 1))?.as_ref()
    }

    /// The locale itself, else its language, else, for a language alone, the first of its locales.
    fn locale(&self, name: &str) -> Option<usize> {
        let wanted = locale(name);
        let find = |wanted: &str| self.locales.iter().position(|it| it == wanted);
        find(&wanted).or_else(|| match wanted.split_once('_') {
            Some((language, _)) => find(language),
            None => self.locales.iter().position(|it| it.split('_').next() == Some(&wanted)),
        })
    }
}

/// What the elements speak of.
struct Mentioned<'a> {
    targets: Vec<Target>,
    /// Whether any is for some channels only.
    names_channels: bool,
    has_markdown: bool,
    locales: Vec<String>,
    refs: HashMap<&'a str, &'a Element>,
}

impl<'a> Mentioned<'a> {
    fn in_elements(elements: &'a [Element]) -> Self {
        let targets = Channel::NAMES.iter().map(|(_, channel)| Target { channel: *channel, provider: None }).collect();
        let (locales, refs) = (Vec::new(), HashMap::new());
        let mut mentioned = Mentioned { targets, names_channels: false, has_markdown: false, locales, refs };
        mentioned.add(elements);
        mentioned
    }

    fn add(&mut self, elements: &'a [Element]) {
        for element in elements {
            let channel = match &element.kind {
                ElementKind::Channel { channel, .. } => Some(channel),
                _ => None,
            };
            self.names_channels |= element.channels.is_some() || channel.is_some();
            self.has_markdown |= matches!(element.kind, ElementKind::Text { markdown: true, .. });
            for provider in element.channels.iter().flatten().chain(channel).filter_map(|name| provider(name)) {
                let target = Target { channel: provider.channel(), provider: Some(provider) };
                if !self.targets.contains(&target) {
                    self.targets.push(target);
                }
            }
            // One beyond what is allowed is enough to be refused.
            for name in element.words().flat_map(|words| words.locales()) {
                if self.locales.len() <= LOCALES_LIMIT && !self.locales.iter().any(|it| it == name) {
                    self.locales.push(name.to_owned());
                }
            }
            self.refs.extend(element.name.as_deref().map(|name| (name, element)));
            self.add(element.children());
        }
    }
}

/// One target in one locale.
struct Variant<'a> {
    elements: &'a [Element],
    path: &'a Arc<str>,
    target: Target,
    locale: Option<&'a str>,
    refs: &'a HashMap<&'a str, &'a Element>,
    /// Whether its texts are those of every other target as well, as long as they have the same form.
    is_shared: bool,
    /// Whether any text is Markdown; without one all who are given the elements are given the same.
    has_markdown: bool,
}

/// The forms in which elements are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Form {
    Subject,
    Body,
    Html,
    Nodes { keeps_markdown: bool },
}

/// What texts are compiled with.
struct Kit<'k> {
    names: &'k mut Names,
    partials: &'k Partials,
    parsed: &'k mut Parsed,
    /// Texts of more than one target, by their form and locale.
    shared: HashMap<(Form, Option<String>), Option<Arc<Text>>>,
    /// All that was compiled.
    bytes: usize,
}

impl Variant<'_> {
    fn builder<'b>(&'b self, kit: &'b mut Kit<'_>, escape: Escape) -> Builder<'b> {
        let named =
            |it: &Element| matches!(&it.kind, ElementKind::Channel { channel, .. } if self.target.is_provider(channel));
        let by_provider = self.elements.iter().any(named);
        let writer = Writer::new(kit.names, kit.partials, kit.parsed);
        Builder::new(writer, self.path, self.target, by_provider, self.locale, self.refs, escape)
    }

    fn compile(&self, kit: &mut Kit<'_>) -> Result<Option<Texts>> {
        if let Some((element, raw)) = self.raw(kit) {
            return self.compile_raw(element, raw, kit).map(Some);
        }
        let Some(body) = self.form(Form::Body, kit)? else { return Ok(None) };
        let subject = self.form(Form::Subject, kit)?;
        let content = match self.target.channel {
            Channel::Sms => None,
            Channel::Email => self.form(Form::Html, kit)?,
            channel => {
                let keeps_markdown = self.has_markdown && elements::keeps_markdown(channel);
                self.form(Form::Nodes { keeps_markdown }, kit)?
            }
        };
        Ok(Some(Texts { subject, body, content }))
    }

    /// The elements in a form, compiled once for all targets that share it; `None` if there is nothing to write.
    fn form(&self, form: Form, kit: &mut Kit<'_>) -> Result<Option<Arc<Text>>> {
        let key = (form, self.locale.map(str::to_owned));
        if let Some(text) = kit.shared.get(&key).filter(|_| self.is_shared) {
            return Ok(text.clone());
        }
        let text = self.compile_form(form, kit)?.map(Arc::new);
        kit.bytes += text.as_deref().map_or(0, Text::bytes);
        if self.is_shared {
            kit.shared.insert(key, text.clone());
        }
        Ok(text)
    }

    fn compile_form(&self, form: Form, kit: &mut Kit<'_>) -> Result<Option<Text>> {
        let escape = match form {
            Form::Subject | Form::Body => Escape::Plain,
            Form::Html => Escape::Html,
            Form::Nodes { .. } => Escape::Json,
        };
        let mut builder = self.builder(kit, escape);
        let is_something = match form {
            Form::Body => {
                builder.separated("\n\n", |it| it.elements(self.elements, plain::write))?;
                builder.has_found() || self.elements.is_empty()
            }
            Form::Subject => {
                builder.elements(self.elements, subject::write)?;
                builder.has_subject()
            }
            Form::Html => {
                builder.elements(self.elements, html::write)?;
                true
            }
            Form::Nodes { .. } => {
                builder.markup("[");
                builder.separated(",", |it| it.elements(self.elements, nodes::write))?;
                builder.markup("]");
                true
            }
        };
        if is_something { builder.finish().map(Some) } else { Ok(None) }
    }

    /// What a channel element for this target says as a whole, instead of elements.
    fn raw(&self, kit: &mut Kit<'_>) -> Option<(&Element, &Raw)> {
        if self.is_shared {
            return None;
        }
        let builder = self.builder(kit, Escape::Plain);
        self.elements.iter().filter(|element| builder.is_meant(element)).find_map(|element| match &element.kind {
            ElementKind::Channel { raw: Some(raw), .. } => Some((element, raw)),
            _ => None,
        })
    }

    fn compile_raw(&self, element: &Element, raw: &Raw, kit: &mut Kit<'_>) -> Result<Texts> {
        let mut text = |write: &dyn Fn(&mut Builder<'_>) -> Result<()>| -> Result<Arc<Text>> {
            let mut builder = self.builder(kit, Escape::Plain);
            write(&mut builder)?;
            let text = builder.finish()?;
            kit.bytes += text.bytes();
            Ok(Arc::new(text))
        };
        let html = raw.html.as_ref().filter(|_| self.target.channel == Channel::Email);
        let body = match (&raw.text, html) {
            (Some(body), _) => text(&|it| it.words(body, element))?,
            (None, Some(html)) => text(&|it| it.stripped(html, element))?,
            (None, None) => text(&|_| Ok(()))?,
        };
        let subject = raw.subject.as_ref().map(|subject| text(&|it| it.words(subject, element))).transpose()?;
        let content = html.map(|html| text(&|it| it.words_in(html, element, Escape::Markup))).transpose()?;
        Ok(Texts { subject, body, content })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_without_conditions_are_one_run_of_words_and_variables() {
        let element = |i: usize| {
            serde_json::json!([
                { "type": "text", "content": format!("Part {i} for {{{{name}}}}"), "text_style": "h2", "bold": true },
                { "type": "quote", "content": "so" },
                { "type": "list", "elements": [{ "type": "list-item", "content": "one" }] },
                { "type": "action", "style": "link", "content": "Open", "href": "https://example.com/{{id}}" },
            ])
        };
        let elements: Vec<serde_json::Value> = (0..10).flat_map(|i| element(i).as_array().cloned()).flatten().collect();
        let content = Content::read(&serde_json::json!({ "elements": elements }).to_string(), "content").unwrap();
        let compiled = Compiled::compile(&content, "content", &mut Names::default(), &Partials::new()).unwrap();
        for (channel, provider) in [(Channel::Email, Provider::Sendgrid), (Channel::Inbox, Provider::Courier)] {
            let texts = compiled.texts(channel, provider, None).unwrap();
            for text in [&texts.body, texts.content.as_ref().unwrap()] {
                assert!(text.is_flat(), "{channel:?}");
                // Two variables in every round, and words around each.
                assert!(text.steps() <= 2 * 10 * 2 + 1, "{} steps", text.steps());
            }
        }
    }
}
