//! Inline content in Courier's two forms, understood.
//!
//! The sources do not agree on which elements and fields there are, so what is not known is let through; what could not
//! be rendered at all is refused by its path.

use std::borrow::Cow;
use std::sync::Arc;

use serde::de::{self, Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::elements::{self, Members};
use super::names;
use crate::error::{Error, Result};

#[derive(Debug)]
pub enum Content {
    /// `{title, body}`; Courier's SDKs require both, its documentation only the body.
    Sugar { title: Option<String>, body: String },
    /// `{version, elements}`.
    Elemental { elements: Vec<Element> },
}

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
    pub kind: Kind,
}

#[derive(Debug)]
pub enum Kind {
    Text {
        words: Option<Words>,
        children: Vec<Element>,
        look: Look,
        markdown: bool,
    },
    /// A part of a text.
    Span {
        words: Words,
        look: Look,
    },
    Link {
        words: Words,
        href: Words,
    },
    Meta {
        title: Option<Words>,
    },
    Channel {
        channel: String,
        raw: Option<Raw>,
        elements: Vec<Element>,
        look: ChannelLook,
    },
    Action {
        words: Words,
        href: Words,
        style: ActionStyle,
        id: Option<String>,
        align: Option<Align>,
        color: Option<String>,
    },
    Image {
        src: Words,
        href: Option<Words>,
        alt: Option<Words>,
        align: Option<Align>,
        width: Option<String>,
    },
    Divider {
        color: Option<String>,
    },
    Quote {
        words: Words,
        look: Look,
        border_color: Option<String>,
    },
    Html {
        words: Words,
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
        image: Option<Words>,
        href: Option<Words>,
    },
    ListItem {
        words: Option<Words>,
        elements: Vec<Element>,
        color: Option<String>,
    },
    /// A type that is not known.
    Other {
        words: Option<Words>,
        elements: Vec<Element>,
    },
    /// `comment` and `jsonnet`.
    Hidden,
}

names! {
    TextStyle { Text = "text", H1 = "h1", H2 = "h2", Subtext = "subtext" }
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
pub struct Look {
    pub align: Option<Align>,
    pub style: Option<TextStyle>,
    pub color: Option<String>,
    pub bold: bool,
    pub italic: bool,
    pub strikethrough: bool,
    pub underline: bool,
}

/// What an e-mail's channel element says of all in it.
#[derive(Debug, Default)]
pub struct ChannelLook {
    pub font_size: Option<String>,
    pub line_height: Option<String>,
    pub padding: Option<String>,
}

/// A channel's texts as they are, instead of elements.
#[derive(Debug, Default)]
pub struct Raw {
    pub subject: Option<Words>,
    pub text: Option<Words>,
    pub html: Option<Words>,
}

/// A text and what it is in other languages.
#[derive(Debug)]
pub struct Words {
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

impl Words {
    /// The text for a locale as [`locale`] spells it.
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
            Kind::Text { children, .. } => children,
            Kind::Channel { elements, .. }
            | Kind::Group { elements }
            | Kind::Columns { elements }
            | Kind::Column { elements, .. }
            | Kind::List { elements, .. }
            | Kind::ListItem { elements, .. }
            | Kind::Other { elements, .. } => elements,
            _ => &[],
        }
    }

    /// The texts that may differ by locale.
    pub fn words(&self) -> impl Iterator<Item = &Words> {
        let words: [Option<&Words>; 3] = match &self.kind {
            Kind::Text { words, .. } | Kind::ListItem { words, .. } | Kind::Other { words, .. } => {
                [words.as_ref(), None, None]
            }
            Kind::Meta { title } => [title.as_ref(), None, None],
            Kind::Span { words, .. } | Kind::Quote { words, .. } | Kind::Html { words } => [Some(words), None, None],
            Kind::Link { words, href } | Kind::Action { words, href, .. } => [Some(words), Some(href), None],
            Kind::Image { src, href, alt, .. } => [Some(src), href.as_ref(), alt.as_ref()],
            Kind::List { image, href, .. } => [image.as_ref(), href.as_ref(), None],
            _ => [None, None, None],
        };
        words.into_iter().flatten()
    }
}

impl Content {
    const FORMS: &str = "expected {\"title\", \"body\"} or {\"version\", \"elements\"}";

    /// Reads what stands at `path` of a request, whose text is known to be JSON.
    pub fn read(content: &str, path: &str) -> Result<Self> {
        let Some(content) = Members::of(content) else { return Err(Error::invalid(path, Content::FORMS)) };
        let text = |name: &str| match content.get(name).map(elements::text) {
            None => Ok(None),
            Some(Some(text)) => Ok(Some(text)),
            Some(None) => Err(Error::invalid(path, format_args!("'{name}' must be a string"))),
        };
        match content.find("elements") {
            None => match text("body")? {
                Some(body) => Ok(Content::Sugar { title: text("title")?, body }),
                None => Err(Error::invalid(path, Content::FORMS)),
            },
            Some(elements) if elements.starts_with('[') => {
                text("version")?;
                Ok(Content::Elemental { elements: elements::read(elements, path)? })
            }
            Some(_) => Err(Error::invalid(path, "'elements' must be an array")),
        }
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let content = Content::read(Box::<RawValue>::deserialize(deserializer)?.get(), "content");
        content.map_err(|error| match error.path() {
            Some("content") => de::Error::custom(error.message()),
            _ => de::Error::custom(error.public_message()),
        })
    }
}

/// Whether opening this address would run it. Browsers skip blanks and control characters in a scheme.
pub fn is_script(address: &str) -> bool {
    let scheme = address.chars().filter(|c| !c.is_whitespace() && !c.is_control()).take(24);
    let scheme = scheme.collect::<String>().to_ascii_lowercase();
    ["javascript:", "vbscript:", "data:text/html", "data:image/svg"].iter().any(|it| scheme.starts_with(it))
}
