//! Content, compiled: for every channel and locale the texts that a message is made of.

use std::collections::HashMap;
use std::sync::Arc;

use super::elements::{self, Builder, html, nodes, plain, subject};
use super::escape::OutputContext;
use super::scope::NameTable;
use super::target::{RenderTarget, provider};
use super::text::{CompiledText, ParsedTexts, TextCompiler};
use crate::error::{Error, Result};
use crate::model::channel::Channel;
use crate::model::content::{Content, Element, ElementKind, RawTexts, find_locale, locale};
use crate::model::provider::Provider;
use crate::template::Partials;

/// Locales in one content.
const LOCALES_LIMIT: usize = 100;
/// Bytes that one content may come to for all its channels and locales together, before any data.
const CONTENT_BYTES: usize = 64 * 1024 * 1024;

/// The texts of a message on one channel.
pub struct MessageTexts {
    pub subject: Option<Arc<CompiledText>>,
    /// Plain.
    pub body: Arc<CompiledText>,
    /// An e-mail's HTML, elsewhere a JSON array of elements; `None` if the body says it all.
    pub content: Option<Arc<CompiledText>>,
}

/// All texts of a content.
pub struct Compiled {
    /// The same for every channel.
    sugar: Option<MessageTexts>,
    targets: Vec<RenderTarget>,
    locales: Vec<String>,
    /// By target and, within it, first for no locale and then for each.
    texts: Vec<Option<MessageTexts>>,
}

impl Compiled {
    /// Compiles what stands at `path` of the request. A text that is malformed is named by its path.
    pub fn compile(content: &Content, path: &str, names: &mut NameTable, partials: &Partials) -> Result<Self> {
        let elements = match content {
            Content::Elemental { elements } => elements,
            Content::Sugar { title, body } => {
                let subject =
                    title.as_ref().map(|title| CompiledText::compile(title, &format!("{path}.title"), names, partials));
                let body = CompiledText::compile(body, &format!("{path}.body"), names, partials)?;
                let subject = subject.transpose()?.map(Arc::new);
                let sugar = Some(MessageTexts { subject, body: Arc::new(body), content: None });
                return Ok(Compiled { sugar, targets: Vec::new(), locales: Vec::new(), texts: Vec::new() });
            }
        };
        let mentioned = Mentioned::in_elements(elements);
        if mentioned.locales.len() > LOCALES_LIMIT {
            return Err(Error::invalid(path, format_args!("expected at most {LOCALES_LIMIT} locales")));
        }
        let path: &Arc<str> = &path.into();
        let mut parsed = ParsedTexts::default();
        let mut kit = Kit { names, partials, parsed: &mut parsed, shared: HashMap::new(), bytes: 0 };
        let mut texts = Vec::new();
        for target in &mentioned.targets {
            for locale in [None].into_iter().chain(mentioned.locales.iter().map(|name| Some(name.as_str()))) {
                let (target, refs, is_shared) = (*target, &mentioned.refs, !mentioned.names_channels);
                let has_markdown = mentioned.has_markdown;
                let variant = Variant { elements, path, target, locale, refs, is_shared, has_markdown };
                texts.push(variant.compile(&mut kit)?);
                if kit.bytes > CONTENT_BYTES {
                    let problem = "the content is too long for all its channels and locales together";
                    return Err(Error::invalid(format_args!("{path}.elements"), problem));
                }
            }
        }
        Ok(Compiled { sugar: None, targets: mentioned.targets, locales: mentioned.locales, texts })
    }

    /// The texts for a recipient with this locale; `None` if the content has nothing for this channel.
    pub fn texts(&self, channel: Channel, provider: Provider, wanted: Option<&str>) -> Option<&MessageTexts> {
        if self.sugar.is_some() {
            return self.sugar.as_ref();
        }
        let of = |provider| self.targets.iter().position(|it| *it == RenderTarget { channel, provider });
        let target = of(Some(provider)).or_else(|| of(None))?;
        let found = wanted
            .filter(|_| !self.locales.is_empty())
            .and_then(|name| find_locale(&locale(name), self.locales.iter().map(String::as_str)));
        self.texts.get(target * (self.locales.len() + 1) + found.map_or(0, |i| i + 1))?.as_ref()
    }
}

/// What the elements speak of.
struct Mentioned<'a> {
    targets: Vec<RenderTarget>,
    /// Whether any is for some channels only.
    names_channels: bool,
    has_markdown: bool,
    locales: Vec<String>,
    refs: HashMap<&'a str, &'a Element>,
}

impl<'a> Mentioned<'a> {
    fn in_elements(elements: &'a [Element]) -> Self {
        let targets =
            Channel::NAMES.iter().map(|(_, channel)| RenderTarget { channel: *channel, provider: None }).collect();
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
                let target = RenderTarget { channel: provider.channel(), provider: Some(provider) };
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
    target: RenderTarget,
    locale: Option<&'a str>,
    refs: &'a HashMap<&'a str, &'a Element>,
    /// Whether its texts are those of every other target as well, as long as they have the same form.
    is_shared: bool,
    /// Whether any text is Markdown; without one all who are given the elements are given the same.
    has_markdown: bool,
}

/// The forms in which elements are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum ElementForm {
    Subject,
    Body,
    Html,
    Nodes { keeps_markdown: bool },
}

/// What texts are compiled with.
struct Kit<'k> {
    names: &'k mut NameTable,
    partials: &'k Partials,
    parsed: &'k mut ParsedTexts,
    /// Texts of more than one target, by their form and locale.
    shared: HashMap<(ElementForm, Option<String>), Option<Arc<CompiledText>>>,
    /// All that was compiled.
    bytes: usize,
}

impl Variant<'_> {
    fn builder<'b>(&'b self, kit: &'b mut Kit<'_>, context: OutputContext) -> Builder<'b> {
        let named =
            |it: &Element| matches!(&it.kind, ElementKind::Channel { channel, .. } if self.target.is_provider(channel));
        let by_provider = self.elements.iter().any(named);
        let writer = TextCompiler::new(kit.names, kit.partials, kit.parsed);
        Builder::new(writer, self.path, self.target, by_provider, self.locale, self.refs, context)
    }

    fn compile(&self, kit: &mut Kit<'_>) -> Result<Option<MessageTexts>> {
        if let Some((element, raw)) = self.raw(kit) {
            return self.compile_raw(element, raw, kit).map(Some);
        }
        let Some(body) = self.form(ElementForm::Body, kit)? else { return Ok(None) };
        let subject = self.form(ElementForm::Subject, kit)?;
        let content = match self.target.channel {
            Channel::Sms => None,
            Channel::Email => self.form(ElementForm::Html, kit)?,
            channel => {
                let keeps_markdown = self.has_markdown && elements::keeps_markdown(channel);
                self.form(ElementForm::Nodes { keeps_markdown }, kit)?
            }
        };
        Ok(Some(MessageTexts { subject, body, content }))
    }

    /// The elements in a form, compiled once for all targets that share it; `None` if there is nothing to write.
    fn form(&self, form: ElementForm, kit: &mut Kit<'_>) -> Result<Option<Arc<CompiledText>>> {
        let key = (form, self.locale.map(str::to_owned));
        if let Some(text) = kit.shared.get(&key).filter(|_| self.is_shared) {
            return Ok(text.clone());
        }
        let text = self.compile_form(form, kit)?.map(Arc::new);
        kit.bytes += text.as_deref().map_or(0, CompiledText::bytes);
        if self.is_shared {
            kit.shared.insert(key, text.clone());
        }
        Ok(text)
    }

    fn compile_form(&self, form: ElementForm, kit: &mut Kit<'_>) -> Result<Option<CompiledText>> {
        let context = match form {
            ElementForm::Subject | ElementForm::Body => OutputContext::Plain,
            ElementForm::Html => OutputContext::Html,
            ElementForm::Nodes { .. } => OutputContext::Json,
        };
        let mut builder = self.builder(kit, context);
        let is_something = match form {
            ElementForm::Body => {
                builder.separated("\n\n", |it| it.elements(self.elements, plain::write))?;
                builder.has_found() || self.elements.is_empty()
            }
            ElementForm::Subject => {
                builder.elements(self.elements, subject::write)?;
                builder.has_subject()
            }
            ElementForm::Html => {
                builder.elements(self.elements, html::write)?;
                true
            }
            ElementForm::Nodes { .. } => {
                builder.markup("[");
                builder.separated(",", |it| it.elements(self.elements, nodes::write))?;
                builder.markup("]");
                true
            }
        };
        if is_something { builder.finish().map(Some) } else { Ok(None) }
    }

    /// What a channel element for this target says as a whole, instead of elements.
    fn raw(&self, kit: &mut Kit<'_>) -> Option<(&Element, &RawTexts)> {
        if self.is_shared {
            return None;
        }
        let builder = self.builder(kit, OutputContext::Plain);
        self.elements.iter().filter(|element| builder.is_meant(element)).find_map(|element| match &element.kind {
            ElementKind::Channel { raw: Some(raw), .. } => Some((element, raw)),
            _ => None,
        })
    }

    fn compile_raw(&self, element: &Element, raw: &RawTexts, kit: &mut Kit<'_>) -> Result<MessageTexts> {
        let mut text = |write: &dyn Fn(&mut Builder<'_>) -> Result<()>| -> Result<Arc<CompiledText>> {
            let mut builder = self.builder(kit, OutputContext::Plain);
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
        let content = html.map(|html| text(&|it| it.words_in(html, element, OutputContext::Markup))).transpose()?;
        Ok(MessageTexts { subject, body, content })
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
        let compiled = Compiled::compile(&content, "content", &mut NameTable::default(), &Partials::new()).unwrap();
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
