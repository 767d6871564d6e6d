//! Compiled content: for every channel and locale the texts that a message is made from.

use std::collections::HashMap;
use std::sync::Arc;

use super::elements::{self, Builder, html, nodes, plain, subject};
use super::escape::OutputContext;
use super::markdown;
use super::scope::{NameTable, Scope};
use super::target::{Precedence, RenderTarget, provider};
use super::text::{CompiledText, ParsedTexts, TextCompiler};
use crate::error::{Error, Result};
use crate::model::channel::Channel;
use crate::model::content::{
    Condition, Content, Element, ElementKind, LocalizedText, MarkdownUse, RawContent, find_locale, locale,
};
use crate::model::provider::Provider;
use crate::template::Partials;

/// Locales in one content.
const LOCALES_LIMIT: usize = 100;
/// The most bytes of one content for all its channels and locales together, before any data.
const CONTENT_BYTES: usize = 64 * 1024 * 1024;

/// The texts of a message on one channel.
pub struct MessageTexts {
    pub subject: Option<Arc<CompiledText>>,
    /// Plain.
    pub body: Arc<CompiledText>,
    /// An e-mail's HTML, elsewhere a JSON array of elements; `None` if the body says it all.
    pub content: Option<Arc<CompiledText>>,
}

/// One of the texts that a message may have on a channel.
struct Alternative {
    /// Writes something if its condition holds. `None`: it always holds.
    guard: Option<CompiledText>,
    texts: MessageTexts,
}

impl Alternative {
    fn always(texts: MessageTexts) -> Self {
        Alternative { guard: None, texts }
    }
}

/// All texts of a content.
pub struct Compiled {
    /// The same for every channel but chats.
    sugar: Option<MessageTexts>,
    targets: Vec<RenderTarget>,
    locales: Vec<String>,
    /// By target and, within it, first for no locale and then for each: the first whose condition holds counts.
    texts: Vec<Vec<Alternative>>,
    /// The parts of the content that have no effect, by their paths.
    pub unused: Vec<String>,
}

impl Compiled {
    /// Compiles the content at `path` of the request. A malformed text is named by its path.
    pub fn compile(content: &Content, path: &str, names: &mut NameTable, partials: &Partials) -> Result<Self> {
        let sugar = plain_sugar(content);
        let mentioned = Mentioned::in_content(content);
        if mentioned.locales.len() > LOCALES_LIMIT {
            return Err(Error::invalid(path, format_args!("expected at most {LOCALES_LIMIT} locales")));
        }
        let sugar_texts = match sugar {
            Some((title, body)) => {
                let subject =
                    title.map(|title| CompiledText::compile(title, &format!("{path}.title"), names, partials));
                let compiled = CompiledText::compile(body, &format!("{path}.body"), names, partials)?;
                let subject = subject.transpose()?.map(Arc::new);
                let texts = MessageTexts { subject, body: Arc::new(compiled), content: None };
                if !elements::has_marks(body) {
                    return Ok(Compiled {
                        sugar: Some(texts),
                        targets: Vec::new(),
                        locales: Vec::new(),
                        texts: Vec::new(),
                        unused: content.unused.clone(),
                    });
                }
                Some(texts)
            }
            None => None,
        };
        let path: &Arc<str> = &path.into();
        let mut parsed = ParsedTexts::default();
        let mut kit = Kit { names, partials, parsed: &mut parsed, shared: HashMap::new(), bytes: 0 };
        let mut texts = Vec::new();
        let is_chat = |target: &&RenderTarget| sugar_texts.is_none() || target.channel == Channel::DirectMessage;
        let targets: Vec<RenderTarget> = mentioned.targets.iter().filter(is_chat).copied().collect();
        for target in &targets {
            for locale in [None].into_iter().chain(mentioned.locales.iter().map(|name| Some(name.as_str()))) {
                let (target, refs, is_shared) = (*target, &mentioned.refs, !mentioned.names_channels);
                let (has_markdown, has_pictures) = (mentioned.has_markdown, mentioned.has_pictures);
                let precedence = Precedence::Rest;
                let variant =
                    Variant { content, path, target, precedence, locale, refs, is_shared, has_markdown, has_pictures };
                let compiled = match &sugar_texts {
                    // Only chats distinguish whose words are markup.
                    Some(texts) => {
                        let content = variant.form(ElementForm::Nodes { manner: NodesManner::Chat }, &mut kit)?;
                        let (subject, body) = (texts.subject.clone(), texts.body.clone());
                        vec![Alternative::always(MessageTexts { subject, body, content })]
                    }
                    None => variant.alternatives(&mut kit)?,
                };
                texts.push(compiled);
                if kit.bytes > CONTENT_BYTES {
                    let problem = "the content is too long for all its channels and locales together";
                    return Err(Error::invalid(format_args!("{path}.elements"), problem));
                }
            }
        }
        let unused = content.unused.clone();
        Ok(Compiled { sugar: sugar_texts, targets, locales: mentioned.locales, texts, unused })
    }

    /// The texts for a recipient with this locale; `None` if the content has nothing for this channel. Fails if a condition
    /// cannot be decided.
    pub fn texts(
        &self,
        channel: Channel,
        provider: Provider,
        wanted: Option<&str>,
        scope: &Scope<'_>,
    ) -> std::result::Result<Option<&MessageTexts>, String> {
        for alternative in self.alternatives(channel, provider, wanted) {
            let mut written = String::new();
            let holds = match &alternative.guard {
                None => true,
                Some(guard) => guard.render(scope, &mut written).map(|()| !written.is_empty())?,
            };
            if holds {
                return Ok(Some(&alternative.texts));
            }
        }
        let has_target = self.target(channel, provider).is_some();
        Ok(self.sugar.as_ref().filter(|_| !has_target))
    }

    fn target(&self, channel: Channel, provider: Provider) -> Option<usize> {
        let of = |provider| self.targets.iter().position(|it| *it == RenderTarget { channel, provider });
        of(Some(provider)).or_else(|| of(None))
    }

    fn alternatives(&self, channel: Channel, provider: Provider, wanted: Option<&str>) -> &[Alternative] {
        let Some(target) = self.target(channel, provider) else { return &[] };
        let found = wanted
            .filter(|_| !self.locales.is_empty())
            .and_then(|name| find_locale(&locale(name), self.locales.iter().map(String::as_str)));
        let place = target * (self.locales.len() + 1) + found.map_or(0, |i| i + 1);
        self.texts.get(place).map_or(&[], Vec::as_slice)
    }
}

/// Title and body of the short form, if they have no Markdown.
fn plain_sugar(content: &Content) -> Option<(Option<&str>, &str)> {
    let body = content.body.as_deref().filter(|_| content.elements.is_none()).and_then(words)?;
    let title = content.title.as_deref().and_then(words);
    (!markdown::is_marked(body)).then_some((title, body))
}

fn words(element: &Element) -> Option<&str> {
    element.words().next().map(|words| words.of(None))
}

/// What the elements mention.
struct Mentioned<'a> {
    targets: Vec<RenderTarget>,
    /// Whether any element is for some channels only.
    names_channels: bool,
    has_markdown: bool,
    /// Whether any element is an image without words.
    has_pictures: bool,
    locales: Vec<String>,
    refs: HashMap<&'a str, &'a Element>,
}

impl<'a> Mentioned<'a> {
    fn in_content(content: &'a Content) -> Self {
        let targets =
            Channel::NAMES.iter().map(|(_, channel)| RenderTarget { channel: *channel, provider: None }).collect();
        let (locales, refs) = (Vec::new(), HashMap::new());
        let mut mentioned =
            Mentioned { targets, names_channels: false, has_markdown: false, has_pictures: false, locales, refs };
        mentioned.add(content.body.as_deref().into_iter().chain(content.elements.iter().flatten()));
        mentioned
    }

    fn add(&mut self, elements: impl IntoIterator<Item = &'a Element>) {
        for element in elements {
            let is_channel = matches!(element.kind, ElementKind::Channel { .. });
            self.names_channels |= element.channels.is_some() || is_channel;
            self.has_pictures |= matches!(element.kind, ElementKind::Image { href: None, alt: None, .. });
            self.has_markdown |= match &element.kind {
                ElementKind::Text { words: Some(words), markdown, .. } => is_markdown(words, *markdown),
                ElementKind::Quote { words, .. } => is_markdown(words, MarkdownUse::WhereMarked),
                _ => false,
            };
            let named = element.channels.iter().flatten().chain(element.channel_names());
            for provider in named.filter_map(|name| provider(name)) {
                let target = RenderTarget { channel: provider.channel(), provider: Some(provider) };
                if !self.targets.contains(&target) {
                    self.targets.push(target);
                }
            }
            // A single locale too many is enough to refuse it.
            for name in element.locales() {
                if self.locales.len() <= LOCALES_LIMIT && !self.locales.iter().any(|it| it == name) {
                    self.locales.push(name.to_owned());
                }
            }
            self.refs.extend(element.name.as_deref().map(|name| (name, element)));
            // Elements of all locales are in the same recursion, whose depth is that of the elements.
            let children: Vec<&Element> = element.all_children().collect();
            self.add(children);
        }
    }
}

fn is_channel(element: &Element) -> bool {
    matches!(element.kind, ElementKind::Channel { .. })
}

/// The raw part of a channel element.
fn raw_of<'e>(element: &'e Element, locale: Option<&str>) -> Option<&'e RawContent> {
    match &element.kind {
        ElementKind::Channel { raw, .. } => raw.of(locale),
        _ => None,
    }
}

/// Whether a channel element always applies. Whether it is visible is only known while the elements are written.
fn is_always_meant(element: &Element) -> bool {
    match &element.condition {
        None => element.repeat.is_none(),
        Some(Condition::Expression(source)) => source.contains(".visible"),
        Some(Condition::Groups(groups)) => {
            groups.iter().flat_map(|group| &group.tests).any(|test| test.property.contains(".visible"))
        }
    }
}

/// Whether a text is Markdown in any language.
fn is_markdown(words: &LocalizedText, markdown: MarkdownUse) -> bool {
    match markdown {
        MarkdownUse::Always => true,
        MarkdownUse::WhereMarked => words.all().any(markdown::is_marked),
        MarkdownUse::Never => false,
    }
}

/// One target in one locale.
#[derive(Clone, Copy)]
struct Variant<'a> {
    content: &'a Content,
    path: &'a Arc<str>,
    target: RenderTarget,
    /// The channel elements that it takes.
    precedence: Precedence,
    locale: Option<&'a str>,
    refs: &'a HashMap<&'a str, &'a Element>,
    /// Whether its texts are the same for every other target with the same form.
    is_shared: bool,
    /// Whether any text is Markdown. Without any, all readers of elements get the same.
    has_markdown: bool,
    /// Whether any element is an image without words. Without any, a push message says the same as others.
    has_pictures: bool,
}

/// The forms in which elements are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum ElementForm {
    Subject,
    Body,
    /// For a push message, which has its image apart.
    PushBody,
    Html,
    Nodes {
        manner: NodesManner,
    },
}

/// The readers of nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum NodesManner {
    /// Readers without any markup.
    Plain,
    /// Readers that get Markdown as it is.
    Markdown,
    /// Chats, which have a markup of their own.
    Chat,
}

/// What texts are compiled with.
struct Kit<'k> {
    names: &'k mut NameTable,
    partials: &'k Partials,
    parsed: &'k mut ParsedTexts,
    /// Texts of more than one target, by their form and locale.
    shared: HashMap<(ElementForm, Option<String>), Option<Arc<CompiledText>>>,
    /// The size of all that was compiled.
    bytes: usize,
}

impl Variant<'_> {
    fn builder<'b>(&'b self, kit: &'b mut Kit<'_>, context: OutputContext) -> Builder<'b> {
        let writer = TextCompiler::new(kit.names, kit.partials, kit.parsed);
        Builder::new(writer, self.path, self.target, self.precedence, self.locale, self.refs, context)
    }

    fn elements(&self) -> &[Element] {
        self.content.elements.as_deref().unwrap_or_default()
    }

    /// Its alternatives: first those for its own provider, then those for its channel, then the rest. A channel element
    /// whose `if` does not hold counts as missing.
    fn alternatives(&self, kit: &mut Kit<'_>) -> Result<Vec<Alternative>> {
        if self.is_shared {
            return Ok(self.compile(kit)?.map(Alternative::always).into_iter().collect());
        }
        let mut found = Vec::new();
        for precedence in [Precedence::Provider, Precedence::Channel, Precedence::Rest, Precedence::Lead] {
            let variant = Variant { precedence, ..*self };
            let meant = variant.channel_elements(kit);
            if meant.is_empty() && precedence < Precedence::Rest {
                continue;
            }
            if variant.add_alternatives(&meant, kit, &mut found)? {
                break;
            }
        }
        Ok(found)
    }

    /// Adds those of one precedence. Returns whether nothing of a lower one can follow.
    fn add_alternatives(&self, meant: &[&Element], kit: &mut Kit<'_>, found: &mut Vec<Alternative>) -> Result<bool> {
        let (wholes, others): (Vec<&Element>, Vec<&Element>) =
            meant.iter().partition(|element| self.whole(element).is_some());
        for element in wholes.iter().copied() {
            let Some(raw) = self.whole(element) else { continue };
            let guard = self.guard(&[element], kit)?;
            let is_always = guard.is_none();
            found.push(Alternative { guard, texts: self.compile_raw(element, raw, kit)? });
            if is_always {
                return Ok(true);
            }
        }
        if others.is_empty() && !wholes.is_empty() {
            return Ok(false);
        }
        let guard = self.guard(&others, kit)?;
        let is_always = guard.is_none();
        found.extend(self.compile(kit)?.map(|texts| Alternative { guard, texts }));
        Ok(is_always)
    }

    /// Writes something if any of the elements is shown; `None` if that is always so.
    fn guard(&self, elements: &[&Element], kit: &mut Kit<'_>) -> Result<Option<CompiledText>> {
        if elements.is_empty() || elements.iter().any(|element| is_always_meant(element)) {
            return Ok(None);
        }
        let mut builder = self.builder(kit, OutputContext::Plain);
        builder.elements(elements.iter().copied(), |builder, _| {
            builder.markup("1");
            Ok(())
        })?;
        let guard = builder.finish()?;
        kit.bytes += guard.bytes();
        Ok(Some(guard))
    }

    /// The channel elements that it takes.
    fn channel_elements(&self, kit: &mut Kit<'_>) -> Vec<&'_ Element> {
        let builder = self.builder(kit, OutputContext::Plain);
        self.elements().iter().filter(|element| is_channel(element) && builder.is_meant(element)).collect()
    }

    /// The content of a channel element that has no elements.
    fn whole<'e>(&self, element: &'e Element) -> Option<&'e RawContent> {
        let raw = raw_of(element, self.locale)?;
        let says = raw.subject.is_some() || raw.text.is_some() || raw.html.is_some();
        (says || element.children(self.locale).is_empty()).then_some(raw)
    }

    /// The title and body before the elements. A channel with elements of its own has no other body.
    fn lead(&self) -> impl Iterator<Item = &Element> {
        let is_own = |element: &Element| is_channel(element) && element.channel_names().is_empty();
        let has_own = match self.precedence {
            Precedence::Provider | Precedence::Channel => true,
            Precedence::Rest => self.elements().iter().any(is_own),
            Precedence::Lead => false,
        };
        let is_beside_channels = self.elements().iter().any(is_channel);
        let body = self.content.body.as_deref().filter(|_| !(is_beside_channels && has_own));
        self.content.title.as_deref().into_iter().chain(body)
    }

    /// All that is to be written.
    fn all(&self) -> impl Iterator<Item = &Element> {
        self.lead().chain(self.elements())
    }

    fn compile(&self, kit: &mut Kit<'_>) -> Result<Option<MessageTexts>> {
        let is_push = self.target.channel == Channel::Push && self.has_pictures;
        let form = if is_push { ElementForm::PushBody } else { ElementForm::Body };
        let Some(body) = self.form(form, kit)? else { return Ok(None) };
        let subject = self.form(ElementForm::Subject, kit)?;
        let content = match self.target.channel {
            Channel::Sms => None,
            Channel::Email => self.form(ElementForm::Html, kit)?,
            channel => self.form(ElementForm::Nodes { manner: self.manner(channel) }, kit)?,
        };
        Ok(Some(MessageTexts { subject, body, content }))
    }

    fn manner(&self, channel: Channel) -> NodesManner {
        match channel {
            Channel::DirectMessage => NodesManner::Chat,
            channel if self.has_markdown && elements::keeps_markdown(channel) => NodesManner::Markdown,
            _ => NodesManner::Plain,
        }
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
            ElementForm::Subject | ElementForm::Body | ElementForm::PushBody => OutputContext::Plain,
            ElementForm::Html => OutputContext::Html,
            ElementForm::Nodes { manner: NodesManner::Chat } => OutputContext::Chat,
            ElementForm::Nodes { .. } => OutputContext::Json,
        };
        let meant = if self.is_shared { Vec::new() } else { self.channel_elements(kit) };
        let raw = meant.into_iter().find_map(|element| Some((element, raw_of(element, self.locale)?)));
        let mut builder = self.builder(kit, context);
        let is_something = match form {
            ElementForm::Body | ElementForm::PushBody => {
                builder.separated("\n\n", |it| it.elements(self.all(), plain::write))?;
                builder.has_found() || self.elements().is_empty()
            }
            ElementForm::Subject => {
                builder.elements(self.all(), subject::write)?;
                builder.has_subject()
            }
            ElementForm::Html => {
                builder.elements(self.all(), html::write)?;
                true
            }
            ElementForm::Nodes { .. } => {
                builder.markup("[");
                builder.separated(",", |it| {
                    it.elements(self.all(), nodes::write)?;
                    let Some((element, raw)) = raw else { return Ok(()) };
                    it.if_holds(element, |it| nodes::raw_members(it, element, raw))
                })?;
                builder.markup("]");
                true
            }
        };
        if is_something { builder.finish().map(Some) } else { Ok(None) }
    }

    fn compile_raw(&self, element: &Element, raw: &RawContent, kit: &mut Kit<'_>) -> Result<MessageTexts> {
        let mut write = |context: OutputContext, write: &dyn Fn(&mut Builder<'_>) -> Result<()>| {
            let mut builder = self.builder(kit, context);
            write(&mut builder)?;
            let text = builder.finish()?;
            kit.bytes += text.bytes();
            Ok::<_, Error>(Arc::new(text))
        };
        let html = raw.html.as_ref().filter(|_| self.target.channel == Channel::Email);
        let content = match (self.target.channel, html) {
            (Channel::Email, Some(html)) => Some(write(OutputContext::Html, &|it| match raw.is_mjml {
                true => it.mjml(html, element, false),
                false => it.html(html, element),
            })?),
            (Channel::Email, None) => match &raw.text {
                Some(text) if is_markdown(text, MarkdownUse::WhereMarked) => {
                    Some(write(OutputContext::Html, &|it| it.markdown(text, element))?)
                }
                _ => None,
            },
            (Channel::Sms, _) => None,
            (Channel::DirectMessage, _) => Some(write(OutputContext::Chat, &|it| {
                it.markup("[");
                it.separated(",", |it| nodes::raw(it, element, raw))?;
                it.markup("]");
                Ok(())
            })?),
            _ if raw.members.is_empty() => None,
            _ => Some(write(OutputContext::Json, &|it| {
                it.markup("[");
                it.separated(",", |it| nodes::raw(it, element, raw))?;
                it.markup("]");
                Ok(())
            })?),
        };
        let body = match (&raw.text, html) {
            (Some(text), None)
                if is_markdown(text, MarkdownUse::WhereMarked) && self.target.channel == Channel::Email =>
            {
                write(OutputContext::Plain, &|it| it.markdown(text, element))?
            }
            (Some(body), _) => write(OutputContext::Plain, &|it| it.words(body, element))?,
            (None, Some(html)) => write(OutputContext::Plain, &|it| it.stripped(html, element))?,
            (None, None) => write(OutputContext::Plain, &|_| Ok(()))?,
        };
        let subject = match (&raw.subject, &self.content.title) {
            (Some(subject), _) => Some(write(OutputContext::Plain, &|it| it.words(subject, element))?),
            (None, Some(title)) => Some(write(OutputContext::Plain, &|it| subject::write(it, title))?),
            (None, None) => None,
        };
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
            let texts = &compiled.alternatives(channel, provider, None)[0].texts;
            for text in [&texts.body, texts.content.as_ref().unwrap()] {
                assert!(text.is_flat(), "{channel:?}");
                // Two variables in every round, and words around each.
                assert!(text.steps() <= 2 * 10 * 2 + 1, "{} steps", text.steps());
            }
        }
    }
}
