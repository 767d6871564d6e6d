//! Reads Elemental's elements from the text in which they were sent; members that mean nothing here are passed over.

use std::borrow::Cow;

use serde_json::{Map, Number, Value};

use super::element::*;
use crate::error::{Error, Result};
use crate::json;
use crate::json::scan::{self, Items, Quoted};

/// How deep elements may be nested.
const NESTING_LIMIT: usize = 20;
/// How deep lists may be nested: Courier's own limit.
const LIST_LIMIT: usize = 5;

/// Reads `elements`, the array of those of the content at `content`, whose text is known to be JSON.
pub fn elements(elements: &str, content: &str) -> Result<Vec<Element>> {
    let reader = Reader { content };
    let elements = reader.elements(elements, "elements", Depth::default())?;
    reader.check_channels(&elements)?;
    Ok(elements)
}

#[derive(Clone, Copy, Default)]
struct Depth {
    elements: usize,
    lists: usize,
}

struct Reader<'a> {
    content: &'a str,
}

/// The members of an object, by their names. Of several of one name the last counts, as everywhere in JSON.
pub struct ObjectMembers<'a>(Vec<(Cow<'a, str>, &'a str)>);

impl<'a> ObjectMembers<'a> {
    /// `None` if the value is no object.
    pub fn of(value: &'a str) -> Option<Self> {
        if !value.starts_with('{') && !json::is_empty_array(value) {
            return None;
        }
        scan::Members::of(value)
            .map(|(name, value)| Some((name.unescaped()?, value)))
            .collect::<Option<_>>()
            .map(ObjectMembers)
    }

    /// The raw value of a member.
    pub fn find(&self, name: &str) -> Option<&'a str> {
        self.0.iter().rev().find(|(known, _)| known == name).map(|(_, value)| *value)
    }

    /// The raw value of a member that is not null.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.find(name).filter(|value| *value != "null")
    }

    fn text(&self, name: &str) -> Option<String> {
        text(self.get(name)?)
    }

    /// Texts, numbers, booleans and nulls.
    fn scalars(&self) -> Map<String, Value> {
        let is_scalar = |value: &str| !value.starts_with(['{', '[']);
        let counts = |name: &str, value: &str| is_scalar(value) && self.find(name) == Some(value);
        let scalars = self.0.iter().filter(|(name, value)| counts(name, value));
        scalars.filter_map(|(name, value)| Some((name.to_string(), serde_json::from_str(value).ok()?))).collect()
    }
}

/// The text that a raw value is; `None` if it is none.
pub fn text(value: &str) -> Option<String> {
    Quoted::of(value)?.unescaped().map(Cow::into_owned)
}

/// The members of one element.
struct ElementMembers<'a> {
    reader: &'a Reader<'a>,
    path: &'a str,
    members: ObjectMembers<'a>,
}

impl Reader<'_> {
    fn elements(&self, elements: &str, path: &str, depth: Depth) -> Result<Vec<Element>> {
        let read = |(i, element)| self.element(element, format!("{path}[{i}]"), depth);
        Items::of(elements).enumerate().map(read).collect()
    }

    fn refuse(&self, path: &str, expected: impl std::fmt::Display) -> Error {
        Error::invalid(format_args!("{}.{path}", self.content), expected)
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
        let (repeat, name_of_it) = (fields.text("loop")?, fields.text("ref")?);
        let properties = if name_of_it.is_some() { fields.members.scalars() } else { Map::new() };
        let kind = fields.kind(&name, depth)?;
        Ok(Element { channels, condition, repeat, name: name_of_it, properties, kind, path: path.into() })
    }

    /// If one element is a channel, all beside it are, and they stand nowhere but at the top.
    fn check_channels(&self, elements: &[Element]) -> Result<()> {
        let is_channel = |element: &&Element| matches!(element.kind, ElementKind::Channel { .. });
        if elements.iter().any(|element| is_channel(&element))
            && let Some(other) =
                elements.iter().find(|element| !is_channel(element) && !matches!(element.kind, ElementKind::Hidden))
        {
            let path = format!("{}.type", other.path);
            return Err(self.refuse(&path, "expected 'channel', as beside one there are only others"));
        }
        let mut below: Vec<&Element> = elements.iter().flat_map(Element::children).collect();
        while let Some(element) = below.pop() {
            if is_channel(&element) {
                return Err(self.refuse(&element.path, "a channel element may stand only at the top"));
            }
            below.extend(element.children());
        }
        Ok(())
    }
}

impl<'a> ElementMembers<'a> {
    fn refuse(&self, field: &str, expected: impl std::fmt::Display) -> Error {
        self.reader.refuse(&format!("{}.{field}", self.path), expected)
    }

    fn text(&self, name: &str) -> Result<Option<String>> {
        let read = |value| text(value).ok_or_else(|| self.refuse(name, "expected a string"));
        self.members.get(name).map(read).transpose()
    }

    /// A value that concerns the style alone is never a reason to refuse.
    fn style_value(&self, names: &[&str]) -> Option<String> {
        let read = |value: &str| match serde_json::from_str::<Number>(value) {
            Ok(number) => Some(number.to_string()),
            Err(_) => text(value).filter(|text| !text.is_empty()),
        };
        names.iter().find_map(|name| read(self.members.get(name)?))
    }

    fn choice<T>(&self, name: &str, from_name: fn(&str) -> Option<T>) -> Option<T> {
        self.style_value(&[name]).and_then(|name| from_name(&name))
    }

    fn flag(&self, name: &str) -> bool {
        matches!(self.members.get(name), Some("true" | "\"true\""))
    }

    fn text_style(&self) -> TextStyle {
        TextStyle {
            align: self.choice("align", Align::from_name),
            style: self.choice("text_style", TextRole::from_name),
            color: self.style_value(&["color"]),
            bold: self.flag("bold"),
            italic: self.flag("italic"),
            strikethrough: self.flag("strikethrough"),
            underline: self.flag("underline"),
        }
    }

    fn channels(&self) -> Result<Option<Vec<String>>> {
        let expected = || self.refuse("channels", "expected an array of channels and providers");
        match self.members.get("channels") {
            None => Ok(None),
            Some(value) if value.starts_with('[') => {
                Items::of(value).map(|name| text(name).ok_or_else(expected)).collect::<Result<_>>().map(Some)
            }
            Some(value) => text(value).map(|name| Some(vec![name])).ok_or_else(expected),
        }
    }

    fn condition(&self) -> Result<Option<String>> {
        match self.members.get("if") {
            None => Ok(None),
            Some(flag @ ("true" | "false")) => Ok(Some(flag.to_owned())),
            Some(value) => match text(value) {
                Some(condition) => Ok(Some(condition)),
                None => Err(self.refuse("if", "expected a condition such as \"data.count > 1\"")),
            },
        }
    }

    /// A text under any of these names, and what `locales` have instead of it.
    fn words(&self, names: &[&'static str]) -> Result<Option<LocalizedText>> {
        let mut found = None;
        for &name in names {
            found = found.or(self.text(name)?.map(|text| (name, text)));
        }
        let locales = match self.members.get("locales") {
            Some(locales) => self.locales(locales, names)?,
            None => Vec::new(),
        };
        let first = names.first().copied().unwrap_or_default();
        Ok(match found {
            Some((field, text)) => Some(LocalizedText { field, text, locales }),
            None if locales.is_empty() => None,
            None => Some(LocalizedText { field: first, text: String::new(), locales }),
        })
    }

    /// What locales say under any of these names, in the order of the locales.
    fn locales(&self, locales: &str, names: &[&'static str]) -> Result<Vec<LocalText>> {
        let Some(ObjectMembers(mut members)) = ObjectMembers::of(locales) else {
            return Err(self.refuse("locales", "expected an object"));
        };
        // Of several of one name the last counts.
        members.reverse();
        members.sort_by(|(one, _), (other, _)| one.cmp(other));
        members.dedup_by(|(one, _), (kept, _)| one == kept);
        let mut found = Vec::new();
        for (name, fields) in members {
            let Some(fields) = ObjectMembers::of(fields) else {
                return Err(self.refuse(&format!("locales.{name}"), "expected an object"));
            };
            match names.iter().chain(&["content"]).find_map(|field| fields.find(field).map(|it| (*field, it))) {
                None | Some((_, "null")) => {}
                // A link's locale may have another text and the same address.
                Some(("content", _)) if !names.contains(&"content") && names != ["title"] => {}
                Some((field, value)) => {
                    let field = format!("locales.{name}.{field}");
                    let Some(text) = text(value) else { return Err(self.refuse(&field, "expected a string")) };
                    found.push(LocalText { locale: locale(&name), field, text });
                }
            }
        }
        Ok(found)
    }

    fn required(&self, name: &'static str) -> Result<LocalizedText> {
        self.words(&[name])?.ok_or_else(|| self.refuse(name, "expected a string"))
    }

    fn address(&self, name: &'static str) -> Result<Option<LocalizedText>> {
        let Some(words) = self.words(&[name])? else { return Ok(None) };
        let texts = words.locales.iter().map(|it| (it.field.as_str(), &it.text)).chain([(words.field, &words.text)]);
        if let Some((field, _)) = texts.into_iter().find(|(_, text)| is_script(text)) {
            return Err(self.refuse(field, "expected an address to open, found a script"));
        }
        Ok(Some(words))
    }

    fn required_address(&self, name: &'static str) -> Result<LocalizedText> {
        self.address(name)?.ok_or_else(|| self.refuse(name, "expected a string"))
    }

    fn elements(&self, depth: Depth) -> Result<Option<Vec<Element>>> {
        match self.members.get("elements") {
            None => Ok(None),
            Some(elements) if elements.starts_with('[') => {
                self.reader.elements(elements, &format!("{}.elements", self.path), depth).map(Some)
            }
            Some(_) => Err(self.refuse("elements", "expected an array")),
        }
    }

    fn required_elements(&self, depth: Depth) -> Result<Vec<Element>> {
        self.elements(depth)?.ok_or_else(|| self.refuse("elements", "expected an array"))
    }

    /// A text or elements, one of which is required.
    fn words_or_elements(&self, depth: Depth) -> Result<(Option<LocalizedText>, Vec<Element>)> {
        let (words, elements) = (self.words(&["content"])?, self.elements(depth)?);
        if words.is_none() && elements.is_none() {
            return Err(self.refuse("content", "expected a string"));
        }
        Ok((words, elements.unwrap_or_default()))
    }

    fn raw(&self) -> Result<Option<RawTexts>> {
        let Some(raw) = self.members.get("raw") else { return Ok(None) };
        let raw = ObjectMembers::of(raw).ok_or_else(|| self.refuse("raw", "expected an object"))?;
        let text = |fields: &[&'static str]| {
            let find = |field: &&'static str| {
                let text = raw.text(field.trim_start_matches("raw."))?;
                Some(LocalizedText { field, text, locales: Vec::new() })
            };
            fields.iter().find_map(find)
        };
        Ok(Some(RawTexts {
            subject: text(&["raw.subject", "raw.title"]),
            text: text(&["raw.text", "raw.body", "raw.content", "raw.message"]),
            html: text(&["raw.html"]),
        }))
    }

    fn kind(&self, name: &str, depth: Depth) -> Result<ElementKind> {
        Ok(match name {
            "text" => {
                let (words, children) = self.words_or_elements(depth)?;
                let markdown = self.style_value(&["format"]).is_some_and(|format| format == "markdown");
                ElementKind::Text { words, children, text_style: self.text_style(), markdown }
            }
            "string" => ElementKind::Span { words: self.required("content")?, text_style: self.text_style() },
            "link" => ElementKind::Link { words: self.required("content")?, href: self.required_address("href")? },
            "meta" => ElementKind::Meta { title: self.words(&["title"])? },
            "channel" => {
                let channel = self.text("channel")?.ok_or_else(|| self.refuse("channel", "expected a string"))?;
                let (raw, elements) = (self.raw()?, self.elements(depth)?);
                if raw.is_none() && elements.is_none() {
                    return Err(self.reader.refuse(self.path, "expected 'elements' or 'raw'"));
                }
                let channel_style = ChannelStyle {
                    font_size: self.style_value(&["font_size"]),
                    line_height: self.style_value(&["line_height"]),
                    padding: self.style_value(&["padding"]),
                };
                ElementKind::Channel { channel, raw, elements: elements.unwrap_or_default(), channel_style }
            }
            "action" => ElementKind::Action {
                words: self.required("content")?,
                href: self.required_address("href")?,
                style: self.choice("style", ActionStyle::from_name).unwrap_or(ActionStyle::Button),
                id: self.style_value(&["action_id"]),
                align: self.choice("align", Align::from_name),
                color: self.style_value(&["background_color"]),
            },
            "image" | "img" => ElementKind::Image {
                src: self.required_address("src")?,
                href: self.address("href")?,
                alt: self.words(&["alt_text", "altText"])?,
                align: self.choice("align", Align::from_name),
                width: self.style_value(&["width"]),
            },
            "divider" => ElementKind::Divider { color: self.style_value(&["color"]) },
            "quote" => ElementKind::Quote {
                words: self.required("content")?,
                text_style: self.text_style(),
                border_color: self.style_value(&["border_color", "borderColor"]),
            },
            "html" => ElementKind::Html { words: self.required("content")? },
            "group" => ElementKind::Group { elements: self.required_elements(depth)? },
            "columns" => ElementKind::Columns { elements: self.required_elements(depth)? },
            "column" => {
                ElementKind::Column { elements: self.required_elements(depth)?, width: self.style_value(&["width"]) }
            }
            "list" => ElementKind::List {
                list: self.choice("list_type", ListType::from_name).unwrap_or(ListType::Unordered),
                elements: self.required_elements(depth)?,
                image: self.address("imgSrc")?,
                href: self.address("imgHref")?,
            },
            "list-item" => {
                let (words, elements) = self.words_or_elements(depth)?;
                ElementKind::ListItem { words, elements, color: self.style_value(&["background_color"]) }
            }
            "comment" | "jsonnet" => ElementKind::Hidden,
            _ => ElementKind::Other {
                words: self.words(&["content"])?,
                elements: self.elements(depth)?.unwrap_or_default(),
            },
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
        let read = super::elements(elements, "content").unwrap();
        let ElementKind::Text { words: Some(words), .. } = &read[0].kind else { panic!("{read:?}") };
        assert_eq!((words.of(None), words.of(Some("fr"))), ("y", "A"));
        assert_eq!(read[0].properties.get("color"), None);
    }
}
