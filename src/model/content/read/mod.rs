//! Reads content from the text in which it was sent. Members without effect are skipped and noted.

mod condition;
mod fields;
mod members;
mod raw;
mod style;

use std::borrow::Cow;
use std::cell::RefCell;

use serde_json::Map;

use super::braces;
use super::element::*;
use super::looks::Looks;
use crate::error::{Error, Result, shown};
use crate::json::scan::Items;
use fields::{ElementMembers, Reader};
use members::{ObjectMembers, text};

/// The note about an element of an unknown type, behind the type.
pub const UNKNOWN_ELEMENT: &str = "which is not known; its content is shown";

/// How deep elements may be nested.
const NESTING_LIMIT: usize = 20;
/// How deep lists may be nested: Courier's own limit.
const LIST_LIMIT: usize = 5;

/// The members that a translation may have.
const LOCAL: [&str; 9] = ["content", "title", "href", "src", "alt_text", "altText", "elements", "raw", "_sourceHash"];

/// Reads the content at `path`, whose text is known to be JSON.
pub fn content(source: &str, path: &str, forms: &str) -> Result<Content> {
    let reader = Reader { content: path, unused: RefCell::default() };
    let Some(members) = ObjectMembers::of(source) else { return Err(Error::invalid(path, forms)) };
    let part = |name: &'static str| match members.get(name).map(text) {
        None => Ok(None),
        Some(Some(text)) => {
            let text = braces::as_tags(&text).into_owned();
            Ok(Some(LocalizedText { field: Cow::Borrowed(name), text, locales: Vec::new() }))
        }
        Some(None) => Err(Error::invalid(path, format_args!("'{name}' must be a string"))),
    };
    let body = part("body")?;
    let elements = match members.find("elements") {
        None => None,
        Some("null") if body.is_some() => None,
        Some(elements) if elements.starts_with('[') => {
            part("version")?;
            Some(reader.top(elements)?)
        }
        Some(_) => return Err(Error::invalid(path, "'elements' must be an array")),
    };
    if elements.is_none() && body.is_none() {
        return Err(Error::invalid(path, forms));
    }
    let title = part("title")?.map(|title| lead(ElementKind::Meta { title: Some(title) }));
    let body = body.map(|words| {
        let (children, text_style) = (LocalizedElements::default(), TextStyle::default());
        lead(ElementKind::Text { words: Some(words), children, text_style, markdown: MarkdownUse::WhereMarked })
    });
    members.find("version");
    reader.note_unused(&members, "");
    Ok(Content { title, body, elements, unused: reader.unused.into_inner() })
}

/// The content's own title or body.
fn lead(kind: ElementKind) -> Box<Element> {
    Box::new(Element {
        path: "".into(),
        channels: None,
        condition: None,
        repeat: None,
        name: None,
        properties: Map::new(),
        looks: Looks::default(),
        kind,
    })
}

#[derive(Clone, Copy, Default)]
struct Depth {
    elements: usize,
    lists: usize,
}

impl Reader<'_> {
    /// The elements of the content.
    fn top(&self, elements: &str) -> Result<Vec<Element>> {
        let elements = self.elements(elements, "elements", Depth::default())?;
        self.check_channels(&elements)?;
        Ok(elements)
    }

    fn elements(&self, elements: &str, path: &str, depth: Depth) -> Result<Vec<Element>> {
        let read = |(i, element)| self.element(element, format!("{path}[{i}]"), depth);
        Items::of(elements).enumerate().map(read).collect()
    }

    fn element(&self, element: &str, path: String, mut depth: Depth) -> Result<Element> {
        let members = ObjectMembers::of(element);
        let typed = members.and_then(|members| Some((members.text("type")?, members)));
        let Some((name, members)) = typed else {
            return Err(self.refuse(&path, "expected an object with a 'type'"));
        };
        depth.elements += 1;
        depth.lists += usize::from(name == "list");
        if depth.elements > NESTING_LIMIT {
            return Err(self.refuse(&path, format_args!("expected elements nested at most {NESTING_LIMIT} deep")));
        }
        if depth.lists > LIST_LIMIT {
            return Err(self.refuse(&path, format_args!("expected lists nested at most {LIST_LIMIT} deep")));
        }
        let fields = ElementMembers { reader: self, path: &path, members };
        let (channels, condition) = (fields.channels()?, fields.condition()?);
        let (mut repeat, name_of_it) = (fields.text("loop")?, fields.text("ref")?);
        let properties = if name_of_it.is_some() { fields.members.scalars() } else { Map::new() };
        let kind = fields.kind(&name, depth)?;
        let looks = fields.looks(&kind);
        if let ElementKind::Channel { raw, .. } = &kind
            && !raw.is_nothing()
            && repeat.take().is_some()
        {
            fields.note("loop", "has no effect beside 'raw'");
        }
        if !matches!(kind, ElementKind::Hidden) {
            self.note_unused(&fields.members, &path);
        }
        Ok(Element { channels, condition, repeat, name: name_of_it, properties, looks, kind, path: path.into() })
    }

    /// If one element is a channel, all elements beside it must be. Channels may only be at the top.
    fn check_channels(&self, elements: &[Element]) -> Result<()> {
        let is_channel = |element: &&Element| matches!(element.kind, ElementKind::Channel { .. });
        if elements.iter().any(|element| is_channel(&element))
            && let Some(other) =
                elements.iter().find(|element| !is_channel(element) && !matches!(element.kind, ElementKind::Hidden))
        {
            let path = format!("{}.type", other.path);
            return Err(self.refuse(&path, "expected 'channel', as beside one there are only others"));
        }
        let mut below: Vec<&Element> = elements.iter().flat_map(Element::all_children).collect();
        while let Some(element) = below.pop() {
            if is_channel(&element) {
                return Err(self.refuse(&element.path, "a channel element may stand only at the top"));
            }
            below.extend(element.all_children());
        }
        Ok(())
    }
}

impl ElementMembers<'_> {
    fn channels(&self) -> Result<Option<Vec<String>>> {
        let expected = || self.refuse("channels", "expected an array of channels and providers");
        let names: Vec<String> = match self.members.get("channels") {
            None => return Ok(None),
            Some(value) if value.starts_with('[') => {
                Items::of(value).map(|name| text(name).ok_or_else(expected)).collect::<Result<_>>()?
            }
            Some(value) => vec![text(value).ok_or_else(expected)?],
        };
        for name in &names {
            self.check_channel("channels", name);
        }
        Ok(Some(names))
    }

    fn elements(&self, depth: Depth) -> Result<Option<LocalizedElements>> {
        let read = |elements: &str, field: &str| match elements.starts_with('[') {
            true => self.reader.elements(elements, &format!("{}.{field}", self.path), depth),
            false => Err(self.refuse(field, "expected an array")),
        };
        let elements = self.members.get("elements").map(|elements| read(elements, "elements")).transpose()?;
        let mut locales = Vec::new();
        for (name, fields) in self.locales()? {
            if let Some(elements) = fields.get("elements") {
                locales.push((locale(&name), read(elements, &format!("locales.{name}.elements"))?));
            }
            for unknown in fields.iter().filter(|member| !LOCAL.contains(&&*member.name)) {
                self.note(&format!("locales.{name}.{}", unknown.name), "has no effect");
            }
        }
        Ok(match elements {
            Some(elements) => Some(LocalizedElements { elements, locales }),
            None if locales.is_empty() => None,
            None => Some(LocalizedElements { elements: Vec::new(), locales }),
        })
    }

    fn required_elements(&self, depth: Depth) -> Result<LocalizedElements> {
        self.elements(depth)?.ok_or_else(|| self.refuse("elements", "expected an array"))
    }

    /// A text or elements, one of which is required. In a translation one may replace the other.
    fn words_or_elements(&self, depth: Depth) -> Result<(Option<LocalizedText>, LocalizedElements)> {
        let has_words = self.members.get("content").is_some();
        let (mut words, elements) = (self.words(&["content"])?, self.elements(depth)?);
        if words.is_none() && elements.is_none() {
            return Err(self.refuse("content", "expected a string"));
        }
        let mut elements = elements.unwrap_or_default();
        if let Some(words) = &mut words {
            let of_elements: Vec<String> = elements.locales.iter().map(|(locale, _)| locale.clone()).collect();
            for text in &words.locales {
                if !has_words && !of_elements.contains(&text.locale) {
                    elements.locales.push((text.locale.clone(), Vec::new()));
                }
            }
            for locale in of_elements {
                if !words.locales.iter().any(|it| it.locale == locale) {
                    let field = format!("locales.{locale}.elements");
                    words.locales.push(LocalText { locale, field, text: String::new() });
                }
            }
        }
        Ok((words, elements))
    }

    fn kind(&self, name: &str, depth: Depth) -> Result<ElementKind> {
        Ok(match name {
            // The designer's blocks of Markdown have a type of their own.
            "text" | "markdown" => {
                let (words, children) = self.words_or_elements(depth)?;
                let words = words.map(LocalizedText::with_single_braces);
                let markdown = match self.style_value("format").as_deref() {
                    None if name == "text" => MarkdownUse::WhereMarked,
                    None | Some("markdown") => MarkdownUse::Always,
                    Some(_) => MarkdownUse::Never,
                };
                ElementKind::Text { words, children, text_style: self.text_style(), markdown }
            }
            "string" => ElementKind::Span { words: self.required("content")?, text_style: self.text_style() },
            "link" => ElementKind::Link {
                words: self.required("content")?,
                href: self.address("href")?,
                text_style: self.text_style(),
            },
            "meta" => {
                let title = self.words(&["title"])?;
                ElementKind::Meta { title: title.map(LocalizedText::with_single_braces) }
            }
            "channel" => {
                let channel = self.text("channel")?;
                if let Some(channel) = channel.as_deref().filter(|name| *name != "default") {
                    self.check_channel("channel", channel);
                }
                let (raw, elements) = (self.raw(channel.as_deref())?, self.elements(depth)?);
                let says_nothing = raw.is_nothing() && elements.is_none();
                if says_nothing && channel.is_some() {
                    return Err(self.reader.refuse(self.path, "expected 'elements' or 'raw'"));
                }
                let channel = channel.filter(|name| name != "default");
                ElementKind::Channel { channel, raw, elements: elements.unwrap_or_default() }
            }
            "action" => ElementKind::Action {
                words: self.required("content")?.with_single_braces(),
                href: self.required_address("href")?,
                style: self.choice("style", ActionStyle::from_name).unwrap_or(ActionStyle::Button),
                id: self.style_value("action_id"),
                align: self.choice("align", Align::from_name),
            },
            "image" | "img" => ElementKind::Image {
                src: self.required_address("src")?,
                href: self.address("href")?,
                alt: self.words(&["alt_text", "altText"])?,
                align: self.choice("align", Align::from_name),
            },
            "divider" => ElementKind::Divider,
            "quote" => ElementKind::Quote { words: self.required("content")?, text_style: self.text_style() },
            "html" => ElementKind::Html { words: self.required("content")? },
            "group" => ElementKind::Group { elements: self.required_elements(depth)? },
            "columns" => ElementKind::Columns { elements: self.required_elements(depth)? },
            "column" => ElementKind::Column { elements: self.required_elements(depth)? },
            "list" => ElementKind::List {
                list: self.choice("list_type", ListType::from_name).unwrap_or(ListType::Unordered),
                elements: self.required_elements(depth)?,
                image: self.address("imgSrc")?,
            },
            "list-item" => {
                let (words, elements) = self.words_or_elements(depth)?;
                ElementKind::ListItem { words, elements }
            }
            "comment" => ElementKind::Hidden,
            "jsonnet" => {
                self.note("type", "has no effect: Jsonnet is not evaluated");
                ElementKind::Hidden
            }
            _ => {
                self.note("type", format_args!("is '{}', {UNKNOWN_ELEMENT}", shown(name)));
                ElementKind::Other {
                    words: self.words(&["content"])?,
                    elements: self.elements(depth)?.unwrap_or_default(),
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_members_of_one_name_the_last_counts() {
        let elements = r#"[{ "type": "html", "type": "text", "content": "x", "content": "y", "ref": "r", "color": "a",
            "color": {}, "locales": { "fr": 5, "fr": { "content": "B" }, "fr": { "content": "A" } } }]"#;
        let read = content(&format!("{{\"elements\":{elements}}}"), "content", "").unwrap().elements.unwrap();
        let ElementKind::Text { words: Some(words), .. } = &read[0].kind else { panic!("{read:?}") };
        assert_eq!((words.of(None), words.of(Some("fr"))), ("y", "A"));
        assert_eq!(read[0].properties.get("color"), None);
    }
}
