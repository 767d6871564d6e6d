//! Content, compiled: for every channel and locale the texts that a message is made of.

use std::collections::HashMap;

use super::elements::{Builder, html, nodes, plain, subject};
use super::escape::Escape;
use super::scope::Names;
use super::text::{Parsed, Text, Writer};
use crate::error::{Error, Result};
use crate::model::channel::{Channel, Provider};
use crate::model::content::{Content, Element, Kind, Raw, locale};
use crate::template::Partials;

/// Locales in one content.
const LOCALES_LIMIT: usize = 100;
/// Bytes that one content may come to for all its channels and locales together, before any data.
const BYTES_LIMIT: usize = 64 * 1024 * 1024;

/// The texts of a message on one channel.
pub struct Texts {
    pub subject: Option<Text>,
    /// Plain.
    pub body: Text,
    /// An e-mail's HTML, elsewhere a JSON array of elements; `None` if the body says it all.
    pub content: Option<Text>,
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
                let sugar = Some(Texts { subject: subject.transpose()?, body, content: None });
                return Ok(Compiled { sugar, targets: Vec::new(), locales: Vec::new(), texts: Vec::new() });
            }
        };
        let mentioned = Mentioned::in_elements(elements);
        if mentioned.locales.len() > LOCALES_LIMIT {
            return Err(Error::invalid(path, format_args!("expected at most {LOCALES_LIMIT} locales")));
        }
        let mut parsed = Parsed::default();
        let (mut texts, mut bytes) = (Vec::new(), 0);
        for target in &mentioned.targets {
            for locale in [None].into_iter().chain(mentioned.locales.iter().map(|name| Some(name.as_str()))) {
                let variant = Variant { elements, path, target: *target, locale, refs: &mentioned.refs };
                let compiled = variant.compile(&mut Kit { names, partials, parsed: &mut parsed })?;
                if let Some(Texts { subject, body, content }) = &compiled {
                    bytes += [subject.as_ref(), Some(body), content.as_ref()]
                        .into_iter()
                        .flatten()
                        .map(Text::bytes)
                        .sum::<usize>();
                }
                if bytes > BYTES_LIMIT {
                    let problem = "the content is too long for all its channels and locales together";
                    return Err(Error::invalid(format_args!("{path}.elements"), problem));
                }
                texts.push(compiled);
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
    locales: Vec<String>,
    refs: HashMap<&'a str, &'a Element>,
}

impl<'a> Mentioned<'a> {
    fn in_elements(elements: &'a [Element]) -> Self {
        let targets = Channel::NAMES.iter().map(|(_, channel)| Target { channel: *channel, provider: None }).collect();
        let mut mentioned = Mentioned { targets, locales: Vec::new(), refs: HashMap::new() };
        mentioned.add(elements);
        mentioned
    }

    fn add(&mut self, elements: &'a [Element]) {
        for element in elements {
            let channel = match &element.kind {
                Kind::Channel { channel, .. } => Some(channel),
                _ => None,
            };
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
    path: &'a str,
    target: Target,
    locale: Option<&'a str>,
    refs: &'a HashMap<&'a str, &'a Element>,
}

/// What texts are compiled with.
struct Kit<'k> {
    names: &'k mut Names,
    partials: &'k Partials,
    parsed: &'k mut Parsed,
}

impl Variant<'_> {
    fn builder<'b>(&'b self, kit: &'b mut Kit<'_>, escape: Escape) -> Builder<'b> {
        let named =
            |it: &Element| matches!(&it.kind, Kind::Channel { channel, .. } if self.target.is_provider(channel));
        let by_provider = self.elements.iter().any(named);
        let writer = Writer::new(kit.names, kit.partials, kit.parsed);
        Builder::new(writer, self.path, self.target, by_provider, self.locale, self.refs, escape)
    }

    fn compile(&self, kit: &mut Kit<'_>) -> Result<Option<Texts>> {
        if let Some((element, raw)) = self.raw(kit) {
            return self.compile_raw(element, raw, kit).map(Some);
        }
        let mut body = self.builder(kit, Escape::Plain);
        body.separated("\n\n", |it| it.elements(self.elements, plain::write))?;
        if !body.has_found() && !self.elements.is_empty() {
            return Ok(None);
        }
        let body = body.finish()?;
        let mut subject = self.builder(kit, Escape::Plain);
        subject.elements(self.elements, subject::write)?;
        let subject = if subject.has_subject() { Some(subject.finish()?) } else { None };
        let content = match self.target.channel {
            Channel::Sms => None,
            Channel::Email => {
                let mut content = self.builder(kit, Escape::Html);
                content.elements(self.elements, html::write)?;
                Some(content.finish()?)
            }
            _ => {
                let mut content = self.builder(kit, Escape::Json);
                content.markup("[");
                content.separated(",", |it| it.elements(self.elements, nodes::write))?;
                content.markup("]");
                Some(content.finish()?)
            }
        };
        Ok(Some(Texts { subject, body, content }))
    }

    /// What a channel element for this target says as a whole, instead of elements.
    fn raw(&self, kit: &mut Kit<'_>) -> Option<(&Element, &Raw)> {
        let builder = self.builder(kit, Escape::Plain);
        self.elements.iter().filter(|element| builder.is_meant(element)).find_map(|element| match &element.kind {
            Kind::Channel { raw: Some(raw), .. } => Some((element, raw)),
            _ => None,
        })
    }

    fn compile_raw(&self, element: &Element, raw: &Raw, kit: &mut Kit<'_>) -> Result<Texts> {
        let mut text = |write: &dyn Fn(&mut Builder<'_>) -> Result<()>| {
            let mut builder = self.builder(kit, Escape::Plain);
            write(&mut builder)?;
            builder.finish()
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
        let content = Content::read(serde_json::json!({ "elements": elements }), "content").unwrap();
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
