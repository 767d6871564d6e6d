//! Content and its elements.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::braces;
use super::looks::Looks;
use crate::model::names;

/// `{title, body}`, `{version, elements}`, or both: then the title is for every channel whose elements have none, and
/// the body stands before the elements.
#[derive(Debug)]
pub struct Content {
    /// As a `meta`. Courier's SDKs require title and body of the short form, its documentation only the body.
    pub title: Option<Box<Element>>,
    /// As a text.
    pub body: Option<Box<Element>>,
    /// `None` in the short form.
    pub elements: Option<Vec<Element>>,
    /// The parts that have no effect, by their paths.
    pub unused: Vec<String>,
}

/// An element of Elemental content.
#[derive(Debug)]
pub struct Element {
    /// Its path below the content, such as `elements[0].elements[2]`; empty for the content's own title or body.
    pub path: Arc<str>,
    /// The channels and providers that it is for; `None` is for all.
    pub channels: Option<Vec<String>>,
    /// `if`
    pub condition: Option<Condition>,
    /// `loop`
    pub repeat: Option<String>,
    /// `ref`
    pub name: Option<String>,
    /// The properties that others may read as `refs.<name>.<property>`; empty without a name.
    pub properties: Map<String, Value>,
    pub looks: Looks,
    pub kind: ElementKind,
}

/// When an element is shown.
#[derive(Debug)]
pub enum Condition {
    /// Such as `data.count > 1`.
    Expression(String),
    /// As Courier's designer writes it: one of the groups has to hold.
    Groups(Vec<ConditionGroup>),
}

/// Conditions of which all have to hold, or one.
#[derive(Debug)]
pub struct ConditionGroup {
    pub is_any: bool,
    pub tests: Vec<ConditionTest>,
}

/// A condition of the designer's.
#[derive(Debug)]
pub struct ConditionTest {
    /// A path such as `data.plan`.
    pub property: String,
    /// The field that the path stands in.
    pub field: String,
    pub operator: ConditionOperator,
    pub value: String,
}

names! {
    ConditionOperator {
        Equals = "equals",
        NotEquals = "not_equals",
        GreaterThan = "greater_than",
        LessThan = "less_than",
        GreaterThanOrEquals = "greater_than_or_equals",
        LessThanOrEquals = "less_than_or_equals",
        Contains = "contains",
        NotContains = "not_contains",
        IsEmpty = "is_empty",
        IsNotEmpty = "is_not_empty",
    }
}

#[derive(Debug)]
pub enum ElementKind {
    Text {
        words: Option<LocalizedText>,
        children: LocalizedElements,
        text_style: TextStyle,
        markdown: MarkdownUse,
    },
    /// A part of a text.
    Span {
        words: LocalizedText,
        text_style: TextStyle,
    },
    Link {
        words: LocalizedText,
        href: Option<LocalizedText>,
        text_style: TextStyle,
    },
    Meta {
        title: Option<LocalizedText>,
    },
    Channel {
        /// `None`: for every channel without a channel element of its own.
        channel: Option<String>,
        raw: LocalizedRaw,
        elements: LocalizedElements,
    },
    Action {
        words: LocalizedText,
        href: LocalizedText,
        style: ActionStyle,
        id: Option<String>,
        align: Option<Align>,
    },
    Image {
        src: LocalizedText,
        href: Option<LocalizedText>,
        alt: Option<LocalizedText>,
        align: Option<Align>,
    },
    Divider,
    Quote {
        words: LocalizedText,
        text_style: TextStyle,
    },
    Html {
        words: LocalizedText,
    },
    Group {
        elements: LocalizedElements,
    },
    Columns {
        elements: LocalizedElements,
    },
    Column {
        elements: LocalizedElements,
    },
    List {
        list: ListType,
        elements: LocalizedElements,
        /// The picture that stands in the place of bullets.
        image: Option<LocalizedText>,
    },
    ListItem {
        words: Option<LocalizedText>,
        elements: LocalizedElements,
    },
    /// A type that is not known.
    Other {
        words: Option<LocalizedText>,
        elements: LocalizedElements,
    },
    /// `comment` and `jsonnet`.
    Hidden,
}

/// Whether a text is read as Markdown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarkdownUse {
    Always,
    /// Where the author's words have Markdown marks.
    WhereMarked,
    Never,
}

names! {
    TextRole { Text = "text", H1 = "h1", H2 = "h2", H3 = "h3", Subtext = "subtext" }
}

names! {
    Align { Left = "left", Center = "center", Right = "right", Full = "full" }
}

names! {
    ActionStyle { Button = "button", Secondary = "secondary", Tertiary = "tertiary", Link = "link" }
}

names! {
    ListType { Ordered = "ordered", Unordered = "unordered" }
}

/// What a text looks like.
#[derive(Debug, Default)]
pub struct TextStyle {
    pub align: Option<Align>,
    pub style: Option<TextRole>,
    pub bold: bool,
    pub italic: bool,
    pub strikethrough: bool,
    pub underline: bool,
}

/// Elements, and those that replace them in other languages.
#[derive(Debug, Default)]
pub struct LocalizedElements {
    pub(super) elements: Vec<Element>,
    /// By locales as [`locale`] spells them.
    pub(super) locales: Vec<(String, Vec<Element>)>,
}

impl LocalizedElements {
    pub fn of(&self, locale: Option<&str>) -> &[Element] {
        let locales = self.locales.iter().map(|(locale, _)| locale.as_str());
        let found = locale.filter(|_| !self.locales.is_empty()).and_then(|locale| find_locale(locale, locales));
        found.and_then(|found| self.locales.get(found)).map_or(&self.elements, |(_, elements)| elements)
    }

    /// Those of all languages.
    pub fn all(&self) -> impl Iterator<Item = &Element> {
        self.elements.iter().chain(self.locales.iter().flat_map(|(_, elements)| elements))
    }
}

/// The content of a channel element that has no elements.
#[derive(Debug, Default)]
pub struct LocalizedRaw {
    pub(super) raw: Option<RawContent>,
    pub(super) locales: Vec<(String, RawContent)>,
}

impl LocalizedRaw {
    pub(super) fn is_nothing(&self) -> bool {
        self.raw.is_none() && self.locales.is_empty()
    }

    pub fn of(&self, locale: Option<&str>) -> Option<&RawContent> {
        let locales = self.locales.iter().map(|(locale, _)| locale.as_str());
        let found = locale.filter(|_| !self.locales.is_empty()).and_then(|locale| find_locale(locale, locales));
        found.and_then(|found| self.locales.get(found)).map(|(_, raw)| raw).or(self.raw.as_ref())
    }
}

/// A channel's raw texts, and raw parts of its provider's request.
#[derive(Debug, Default)]
pub struct RawContent {
    pub subject: Option<LocalizedText>,
    pub text: Option<LocalizedText>,
    pub html: Option<LocalizedText>,
    /// Whether the HTML is MJML.
    pub is_mjml: bool,
    /// Raw members with one of the names [`RAW_MEMBERS`], each with its field and its JSON, in which every text is a
    /// template.
    pub members: Vec<RawMember>,
}

#[derive(Debug)]
pub struct RawMember {
    pub name: &'static str,
    pub field: String,
    pub json: String,
}

/// Members of a `raw`: Slack's blocks, the card of Teams, and what is laid over the request of any other provider.
pub const RAW_MEMBERS: [&str; 6] = ["slackBlocks", "blocks", "card", "adaptiveCard", "attachments", "payload"];

/// A text and its translations.
#[derive(Debug)]
pub struct LocalizedText {
    /// The field of the text.
    pub(super) field: Cow<'static, str>,
    pub(super) text: String,
    pub(super) locales: Vec<LocalText>,
}

/// A text in another language.
#[derive(Debug)]
pub(super) struct LocalText {
    /// As [`locale`] spells it.
    pub(super) locale: String,
    /// The field of the text, such as `locales.fr-FR.content`.
    pub(super) field: String,
    pub(super) text: String,
}

impl LocalizedText {
    /// With names in single braces as variables, in every language.
    pub(super) fn with_single_braces(mut self) -> Self {
        for text in [&mut self.text].into_iter().chain(self.locales.iter_mut().map(|it| &mut it.text)) {
            if let Cow::Owned(tags) = braces::as_tags(text) {
                *text = tags;
            }
        }
        self
    }

    /// The text for a locale as [`locale`] spells it: the same one, else its language, else, for a language alone, the
    /// first of its locales.
    pub fn of(&self, locale: Option<&str>) -> &str {
        self.find(locale).map_or(&self.text, |it| &it.text)
    }

    /// The field of the text for a locale.
    pub fn field(&self, locale: Option<&str>) -> Cow<'static, str> {
        self.find(locale).map_or(self.field.clone(), |it| Cow::Owned(it.field.clone()))
    }

    fn find(&self, locale: Option<&str>) -> Option<&LocalText> {
        let locale = locale.filter(|_| !self.locales.is_empty())?;
        find_locale(locale, self.locales()).and_then(|found| self.locales.get(found))
    }

    pub fn locales(&self) -> impl Iterator<Item = &str> + Clone {
        self.locales.iter().map(|it| it.locale.as_str())
    }

    /// The text in every language.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        [self.text.as_str()].into_iter().chain(self.locales.iter().map(|it| it.text.as_str()))
    }
}

/// One spelling for `en_US`, `en-US` and `en-us`.
pub fn locale(name: &str) -> String {
    name.trim().replace('-', "_").to_ascii_lowercase()
}

/// Which of the locales is meant, all of them as [`locale`] spells them: the same one, else its language, else, for a
/// language alone, the first of its locales.
pub fn find_locale<'l>(wanted: &str, locales: impl Iterator<Item = &'l str> + Clone) -> Option<usize> {
    let find = |wanted: &str| locales.clone().position(|it| it == wanted);
    find(wanted).or_else(|| match wanted.split_once('_') {
        Some((language, _)) => find(language),
        None => locales.clone().position(|it| it.split('_').next() == Some(wanted)),
    })
}

impl Element {
    /// The elements inside this one.
    fn inner(&self) -> Option<&LocalizedElements> {
        match &self.kind {
            ElementKind::Text { children, .. } => Some(children),
            ElementKind::Channel { elements, .. }
            | ElementKind::Group { elements }
            | ElementKind::Columns { elements }
            | ElementKind::Column { elements }
            | ElementKind::List { elements, .. }
            | ElementKind::ListItem { elements, .. }
            | ElementKind::Other { elements, .. } => Some(elements),
            _ => None,
        }
    }

    /// The elements inside this one in a language.
    pub fn children(&self, locale: Option<&str>) -> &[Element] {
        self.inner().map_or(&[], |elements| elements.of(locale))
    }

    /// The elements inside this one in any language.
    pub fn all_children(&self) -> impl Iterator<Item = &Element> {
        self.inner().into_iter().flat_map(LocalizedElements::all)
    }

    /// The languages that it has translations for, as [`locale`] spells them.
    pub fn locales(&self) -> impl Iterator<Item = &str> {
        let of_raw = match &self.kind {
            ElementKind::Channel { raw, .. } => raw.locales.as_slice(),
            _ => &[],
        };
        let of_elements = self.inner().map_or([].as_slice(), |inner| inner.locales.as_slice());
        let of_words = self.words().flat_map(|words| words.locales());
        of_words.chain(of_elements.iter().map(|(it, _)| it.as_str())).chain(of_raw.iter().map(|(it, _)| it.as_str()))
    }

    /// The texts that may differ by locale.
    pub fn words(&self) -> impl Iterator<Item = &LocalizedText> {
        let words: [Option<&LocalizedText>; 3] = match &self.kind {
            ElementKind::Text { words, .. }
            | ElementKind::ListItem { words, .. }
            | ElementKind::Other { words, .. } => [words.as_ref(), None, None],
            ElementKind::Meta { title } => [title.as_ref(), None, None],
            ElementKind::Span { words, .. } | ElementKind::Quote { words, .. } | ElementKind::Html { words } => {
                [Some(words), None, None]
            }
            ElementKind::Link { words, href, .. } => [Some(words), href.as_ref(), None],
            ElementKind::Action { words, href, .. } => [Some(words), Some(href), None],
            ElementKind::Image { src, href, alt, .. } => [Some(src), href.as_ref(), alt.as_ref()],
            ElementKind::List { image, .. } => [image.as_ref(), None, None],
            _ => [None, None, None],
        };
        words.into_iter().flatten()
    }

    /// The channels and providers that a channel element is for. None: it is for all that have no channel element of
    /// their own.
    pub fn channel_names(&self) -> &[String] {
        match &self.kind {
            ElementKind::Channel { channel: Some(channel), .. } => std::slice::from_ref(channel),
            ElementKind::Channel { channel: None, .. } => self.channels.as_deref().unwrap_or_default(),
            _ => &[],
        }
    }
}

/// Whether opening this address would run it as script. Browsers skip blanks and control characters in a scheme. This
/// is refused wherever a link is written; HTML that bulkd writes itself has only the few schemes of
/// `render::email::sanitize::link`.
pub fn is_script(address: &str) -> bool {
    let scheme = address.chars().filter(|c| !c.is_whitespace() && !c.is_control()).take(24);
    let scheme = scheme.collect::<String>().to_ascii_lowercase();
    ["javascript:", "vbscript:", "data:text/html", "data:image/svg"].iter().any(|it| scheme.starts_with(it))
}
