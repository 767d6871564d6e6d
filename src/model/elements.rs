//! Reading Elemental's elements.

use serde_json::{Map, Value};

use super::content::*;
use crate::error::{Error, Result};

/// How deep elements may stand in each other.
const NESTING_LIMIT: usize = 20;
/// How deep lists may stand in each other: Courier's own limit.
const LIST_LIMIT: usize = 5;

/// Reads the elements of the content at `content`.
pub fn read(elements: Vec<Value>, content: &str) -> Result<Vec<Element>> {
    let reader = Reader { content };
    let elements = reader.elements(elements, "elements".to_owned(), Depth::default())?;
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

/// The members of one element.
struct Fields<'a> {
    reader: &'a Reader<'a>,
    path: &'a str,
    members: Map<String, Value>,
}

impl Reader<'_> {
    fn elements(&self, elements: Vec<Value>, path: String, depth: Depth) -> Result<Vec<Element>> {
        let read = |(i, element)| self.element(element, format!("{path}[{i}]"), depth);
        elements.into_iter().enumerate().map(read).collect()
    }

    fn refuse(&self, path: &str, expected: impl std::fmt::Display) -> Error {
        Error::invalid(format_args!("{}.{path}", self.content), expected)
    }

    fn element(&self, element: Value, path: String, mut depth: Depth) -> Result<Element> {
        let Value::Object(members) = element else {
            return Err(self.refuse(&path, "expected an object with a 'type'"));
        };
        let Some(name) = members.get("type").and_then(Value::as_str).map(str::to_owned) else {
            return Err(self.refuse(&path, "expected an object with a 'type'"));
        };
        depth.elements += 1;
        depth.lists += usize::from(name == "list");
        if depth.elements > NESTING_LIMIT {
            return Err(self.refuse(&path, format_args!("expected at most {NESTING_LIMIT} elements in each other")));
        }
        if depth.lists > LIST_LIMIT {
            return Err(self.refuse(&path, format_args!("expected at most {LIST_LIMIT} lists in each other")));
        }
        let mut fields = Fields { reader: self, path: &path, members };
        let named = fields.members.get("ref").and_then(Value::as_str).is_some();
        let mut properties = if named { fields.members.clone() } else { Map::new() };
        properties.retain(|_, value| !value.is_object() && !value.is_array());
        let (channels, condition) = (fields.channels()?, fields.condition()?);
        let (repeat, name_of_it) = (fields.text("loop")?, fields.text("ref")?);
        let kind = fields.kind(&name, depth)?;
        Ok(Element { channels, condition, repeat, name: name_of_it, properties, kind, path })
    }

    /// If one element is a channel, all beside it are, and they stand nowhere but at the top.
    fn check_channels(&self, elements: &[Element]) -> Result<()> {
        let is_channel = |element: &&Element| matches!(element.kind, Kind::Channel { .. });
        if elements.iter().any(|element| is_channel(&element))
            && let Some(other) =
                elements.iter().find(|element| !is_channel(element) && !matches!(element.kind, Kind::Hidden))
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

impl Fields<'_> {
    fn refuse(&self, field: &str, expected: impl std::fmt::Display) -> Error {
        self.reader.refuse(&format!("{}.{field}", self.path), expected)
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        self.members.remove(name).filter(|value| !value.is_null())
    }

    fn text(&mut self, name: &str) -> Result<Option<String>> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.refuse(name, "expected a string")),
        }
    }

    /// What only concerns the looks is never a reason to refuse.
    fn look_text(&mut self, names: &[&str]) -> Option<String> {
        names.iter().find_map(|name| match self.take(name)? {
            Value::String(text) if !text.is_empty() => Some(text),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        })
    }

    fn choice<T>(&mut self, name: &str, from_name: fn(&str) -> Option<T>) -> Option<T> {
        self.look_text(&[name]).and_then(|name| from_name(&name))
    }

    fn flag(&mut self, name: &str) -> bool {
        match self.take(name) {
            Some(Value::Bool(flag)) => flag,
            Some(Value::String(flag)) => flag == "true",
            _ => false,
        }
    }

    fn look(&mut self) -> Look {
        Look {
            align: self.choice("align", Align::from_name),
            style: self.choice("text_style", TextStyle::from_name),
            color: self.look_text(&["color"]),
            bold: self.flag("bold"),
            italic: self.flag("italic"),
            strikethrough: self.flag("strikethrough"),
            underline: self.flag("underline"),
        }
    }

    fn channels(&mut self) -> Result<Option<Vec<String>>> {
        const EXPECTED: &str = "expected an array of channels and providers";
        match self.take("channels") {
            None => Ok(None),
            Some(Value::String(name)) => Ok(Some(vec![name])),
            Some(Value::Array(names)) => names
                .into_iter()
                .map(|name| match name {
                    Value::String(name) => Ok(name),
                    _ => Err(self.refuse("channels", EXPECTED)),
                })
                .collect::<Result<_>>()
                .map(Some),
            Some(_) => Err(self.refuse("channels", EXPECTED)),
        }
    }

    fn condition(&mut self) -> Result<Option<String>> {
        match self.take("if") {
            None => Ok(None),
            Some(Value::String(condition)) => Ok(Some(condition)),
            Some(Value::Bool(condition)) => Ok(Some(condition.to_string())),
            Some(_) => Err(self.refuse("if", "expected a condition such as \"data.count > 1\"")),
        }
    }

    /// A text under any of these names, and what `locales` have instead of it.
    fn words(&mut self, names: &[&'static str]) -> Result<Option<Words>> {
        let mut found = None;
        for &name in names {
            found = found.or(self.text(name)?.map(|text| (name, text)));
        }
        let mut locales = Vec::new();
        match self.members.get("locales") {
            None | Some(Value::Null) => {}
            Some(Value::Object(members)) => {
                for (name, fields) in members {
                    let Value::Object(fields) = fields else {
                        return Err(self.refuse(&format!("locales.{name}"), "expected an object"));
                    };
                    match names.iter().chain(&["content"]).find_map(|field| fields.get(*field).map(|it| (field, it))) {
                        // A link's locale may have another text and the same address.
                        Some((&"content", _)) if !names.contains(&"content") && names != ["title"] => {}
                        Some((field, Value::String(text))) => locales.push(LocalText {
                            locale: locale(name),
                            field: format!("locales.{name}.{field}"),
                            text: text.clone(),
                        }),
                        None | Some((_, Value::Null)) => {}
                        Some((field, _)) => {
                            return Err(self.refuse(&format!("locales.{name}.{field}"), "expected a string"));
                        }
                    }
                }
            }
            Some(_) => return Err(self.refuse("locales", "expected an object")),
        }
        let first = names.first().copied().unwrap_or_default();
        Ok(match found {
            Some((field, text)) => Some(Words { field, text, locales }),
            None if locales.is_empty() => None,
            None => Some(Words { field: first, text: String::new(), locales }),
        })
    }

    fn needed(&mut self, name: &'static str) -> Result<Words> {
        self.words(&[name])?.ok_or_else(|| self.refuse(name, "expected a string"))
    }

    fn address(&mut self, name: &'static str) -> Result<Option<Words>> {
        let Some(words) = self.words(&[name])? else { return Ok(None) };
        let texts = words.locales.iter().map(|it| (it.field.as_str(), &it.text)).chain([(words.field, &words.text)]);
        if let Some((field, _)) = texts.into_iter().find(|(_, text)| is_script(text)) {
            return Err(self.refuse(field, "expected an address to open, found a script"));
        }
        Ok(Some(words))
    }

    fn needed_address(&mut self, name: &'static str) -> Result<Words> {
        self.address(name)?.ok_or_else(|| self.refuse(name, "expected a string"))
    }

    fn elements(&mut self, depth: Depth) -> Result<Option<Vec<Element>>> {
        match self.take("elements") {
            None => Ok(None),
            Some(Value::Array(elements)) => {
                self.reader.elements(elements, format!("{}.elements", self.path), depth).map(Some)
            }
            Some(_) => Err(self.refuse("elements", "expected an array")),
        }
    }

    fn needed_elements(&mut self, depth: Depth) -> Result<Vec<Element>> {
        self.elements(depth)?.ok_or_else(|| self.refuse("elements", "expected an array"))
    }

    /// A text or elements, one of which is needed.
    fn words_or_elements(&mut self, depth: Depth) -> Result<(Option<Words>, Vec<Element>)> {
        let (words, elements) = (self.words(&["content"])?, self.elements(depth)?);
        if words.is_none() && elements.is_none() {
            return Err(self.refuse("content", "expected a string"));
        }
        Ok((words, elements.unwrap_or_default()))
    }

    fn raw(&mut self) -> Result<Option<Raw>> {
        let raw = match self.take("raw") {
            None => return Ok(None),
            Some(Value::Object(raw)) => raw,
            Some(_) => return Err(self.refuse("raw", "expected an object")),
        };
        let text = |fields: &[&'static str]| {
            let find = |field: &&'static str| {
                let text = raw.get(field.trim_start_matches("raw."))?.as_str()?;
                Some(Words { field, text: text.to_owned(), locales: Vec::new() })
            };
            fields.iter().find_map(find)
        };
        Ok(Some(Raw {
            subject: text(&["raw.subject", "raw.title"]),
            text: text(&["raw.text", "raw.body", "raw.content", "raw.message"]),
            html: text(&["raw.html"]),
        }))
    }

    fn kind(&mut self, name: &str, depth: Depth) -> Result<Kind> {
        Ok(match name {
            "text" => {
                let (words, children) = self.words_or_elements(depth)?;
                let markdown = self.look_text(&["format"]).is_some_and(|format| format == "markdown");
                Kind::Text { words, children, look: self.look(), markdown }
            }
            "string" => Kind::Span { words: self.needed("content")?, look: self.look() },
            "link" => Kind::Link { words: self.needed("content")?, href: self.needed_address("href")? },
            "meta" => Kind::Meta { title: self.words(&["title"])? },
            "channel" => {
                let channel = self.text("channel")?.ok_or_else(|| self.refuse("channel", "expected a string"))?;
                let (raw, elements) = (self.raw()?, self.elements(depth)?);
                if raw.is_none() && elements.is_none() {
                    return Err(self.reader.refuse(self.path, "expected 'elements' or 'raw'"));
                }
                let look = ChannelLook {
                    font_size: self.look_text(&["font_size"]),
                    line_height: self.look_text(&["line_height"]),
                    padding: self.look_text(&["padding"]),
                };
                Kind::Channel { channel, raw, elements: elements.unwrap_or_default(), look }
            }
            "action" => Kind::Action {
                words: self.needed("content")?,
                href: self.needed_address("href")?,
                style: self.choice("style", ActionStyle::from_name).unwrap_or(ActionStyle::Button),
                id: self.look_text(&["action_id"]),
                align: self.choice("align", Align::from_name),
                color: self.look_text(&["background_color"]),
            },
            "image" | "img" => Kind::Image {
                src: self.needed_address("src")?,
                href: self.address("href")?,
                alt: self.words(&["alt_text", "altText"])?,
                align: self.choice("align", Align::from_name),
                width: self.look_text(&["width"]),
            },
            "divider" => Kind::Divider { color: self.look_text(&["color"]) },
            "quote" => Kind::Quote {
                words: self.needed("content")?,
                look: self.look(),
                border_color: self.look_text(&["border_color", "borderColor"]),
            },
            "html" => Kind::Html { words: self.needed("content")? },
            "group" => Kind::Group { elements: self.needed_elements(depth)? },
            "columns" => Kind::Columns { elements: self.needed_elements(depth)? },
            "column" => Kind::Column { elements: self.needed_elements(depth)?, width: self.look_text(&["width"]) },
            "list" => Kind::List {
                list: self.choice("list_type", ListType::from_name).unwrap_or(ListType::Unordered),
                elements: self.needed_elements(depth)?,
                image: self.address("imgSrc")?,
                href: self.address("imgHref")?,
            },
            "list-item" => {
                let (words, elements) = self.words_or_elements(depth)?;
                Kind::ListItem { words, elements, color: self.look_text(&["background_color"]) }
            }
            "comment" | "jsonnet" => Kind::Hidden,
            _ => Kind::Other { words: self.words(&["content"])?, elements: self.elements(depth)?.unwrap_or_default() },
        })
    }
}
