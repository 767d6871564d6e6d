//! The elements of Elemental content.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::model::names;

/// An element of Elemental content.
#[derive(Debug)]
pub struct Element {
    /// Where it stands below the content, such as `elements[0].elements[2]`.
    pub path: Arc<str>,
    /// The channels and providers that it is for; `None` is for all.
    pub channels: Option<Vec<String>>,
    /// `if`
    pub condition: Option<String>,
    /// `loop`
    pub repeat: Option<String>,
    /// `ref`
    pub name: Option<String>,
    /// What others may read of it as `refs.<name>.<property>`; empty without a name.
    pub properties: Map<String, Value>,
    pub kind: ElementKind,
}

#[derive(Debug)]
pub enum ElementKind {
    Text {
        words: Option<LocalizedText>,
        children: Vec<Element>,
        text_style: TextStyle,
        markdown: bool,
    },
    /// A part of a text.
    Span {
        words: LocalizedText,
        text_style: TextStyle,
    },
    Link {
        words: LocalizedText,
        href: LocalizedText,
    },
    Meta {
        title: Option<LocalizedText>,
    },
    Channel {
        channel: String,
        raw: Option<RawTexts>,
        elements: Vec<Element>,
        channel_style: ChannelStyle,
    },
    Action {
        words: LocalizedText,
        href: LocalizedText,
        style: ActionStyle,
        id: Option<String>,
        align: Option<Align>,
        color: Option<String>,
    },
    Image {
        src: LocalizedText,
        href: Option<LocalizedText>,
        alt: Option<LocalizedText>,
        align: Option<Align>,
        width: Option<String>,
    },
    Divider {
        color: Option<String>,
    },
    Quote {
        words: LocalizedText,
        text_style: TextStyle,
        border_color: Option<String>,
    },
    Html {
        words: LocalizedText,
    },
    Group {
        elements: Vec<Element>,
    },
    Columns {
        elements: Vec<Element>,
    },
    Column {
        elements: Vec<Element>,
        width: Option<String>,
    },
    List {
        list: ListType,
        elements: Vec<Element>,
        image: Option<LocalizedText>,
        href: Option<LocalizedText>,
    },
    ListItem {
        words: Option<LocalizedText>,
        elements: Vec<Element>,
        color: Option<String>,
    },
    /// A type that is not known.
    Other {
        words: Option<LocalizedText>,
        elements: Vec<Element>,
    },
    /// `comment` and `jsonnet`.
    Hidden,
}

names! {
    TextRole { Text = "text", H1 = "h1", H2 = "h2", Subtext = "subtext" }
}

names! {
    Align { Left = "left", Center = "center", Right = "right", Full = "full" }
}

names! {
    ActionStyle { Button = "button", Link = "link" }
}

names! {
    ListType { Ordered = "ordered", Unordered = "unordered" }
}

/// What a text looks like.
#[derive(Debug, Default)]
pub struct TextStyle {
    pub align: Option<Align>,
    pub style: Option<TextRole>,
    pub color: Option<String>,
    pub bold: bool,
    pub italic: bool,
    pub strikethrough: bool,
    pub underline: bool,
}

/// What an e-mail's channel element says of all in it.
#[derive(Debug, Default)]
pub struct ChannelStyle {
    pub font_size: Option<String>,
    pub line_height: Option<String>,
    pub padding: Option<String>,
}

/// A channel's texts as they are, instead of elements.
#[derive(Debug, Default)]
pub struct RawTexts {
    pub subject: Option<LocalizedText>,
    pub text: Option<LocalizedText>,
    pub html: Option<LocalizedText>,
}

/// A text and what it is in other languages.
#[derive(Debug)]
pub struct LocalizedText {
    /// The field that it stands in.
    pub(super) field: &'static str,
    pub(super) text: String,
    pub(super) locales: Vec<LocalText>,
}

/// What a text is in another language.
#[derive(Debug)]
pub(super) struct LocalText {
    /// As [`locale`] spells it.
    pub(super) locale: String,
    /// The field that it stands in, such as `locales.fr-FR.content`.
    pub(super) field: String,
    pub(super) text: String,
}

impl LocalizedText {
    /// The text for a locale as [`locale`] spells it: the same one, else its language, else, for a language alone, the
    /// first of its locales.
    pub fn of(&self, locale: Option<&str>) -> &str {
        self.find(locale).map_or(&self.text, |it| &it.text)
    }

    /// The field that the text for a locale stands in.
    pub fn field(&self, locale: Option<&str>) -> Cow<'static, str> {
        self.find(locale).map_or(Cow::Borrowed(self.field), |it| Cow::Owned(it.field.clone()))
    }

    fn find(&self, locale: Option<&str>) -> Option<&LocalText> {
        let locale = locale.filter(|_| !self.locales.is_empty())?;
        find_locale(locale, self.locales()).and_then(|found| self.locales.get(found))
    }

    pub fn locales(&self) -> impl Iterator<Item = &str> + Clone {
        self.locales.iter().map(|it| it.locale.as_str())
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
    /// The elements that stand in this one.
    pub fn children(&self) -> &[Element] {
        match &self.kind {
            ElementKind::Text { children, .. } => children,
            ElementKind::Channel { elements, .. }
            | ElementKind::Group { elements }
            | ElementKind::Columns { elements }
            | ElementKind::Column { elements, .. }
            | ElementKind::List { elements, .. }
            | ElementKind::ListItem { elements, .. }
            | ElementKind::Other { elements, .. } => elements,
            _ => &[],
        }
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
            ElementKind::Link { words, href } | ElementKind::Action { words, href, .. } => {
                [Some(words), Some(href), None]
            }
            ElementKind::Image { src, href, alt, .. } => [Some(src), href.as_ref(), alt.as_ref()],
            ElementKind::List { image, href, .. } => [image.as_ref(), href.as_ref(), None],
            _ => [None, None, None],
        };
        words.into_iter().flatten()
    }
}

/// Whether opening this address would run it. Browsers skip blanks and control characters in a scheme. This is refused
/// wherever a link is written; HTML that bulkd writes itself has only the few schemes of `render::email::sanitize::link`.
pub fn is_script(address: &str) -> bool {
    let scheme = address.chars().filter(|c| !c.is_whitespace() && !c.is_control()).take(24);
    let scheme = scheme.collect::<String>().to_ascii_lowercase();
    ["javascript:", "vbscript:", "data:text/html", "data:image/svg"].iter().any(|it| scheme.starts_with(it))
}
