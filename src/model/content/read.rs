//! Reads content from the text in which it was sent. Members that mean nothing here are passed over and told.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};

use serde_json::{Map, Number, Value};

use super::braces;
use super::element::*;
use super::looks::{Look, Looks};
use crate::error::{Error, Result, shown};
use crate::json;
use crate::json::scan::{self, Items, Quoted};
use crate::model::channel::Channel;
use crate::model::provider::Provider;

/// What is told of an element whose type is not known, behind the type.
pub const UNKNOWN_ELEMENT: &str = "which is not known; its content is shown";

/// How deep elements may be nested.
const NESTING_LIMIT: usize = 20;
/// How deep lists may be nested: Courier's own limit.
const LIST_LIMIT: usize = 5;
/// Conditions in one `if` of the designer's form: compiling them recurses.
const CONDITIONS_LIMIT: usize = 100;
/// As many of the members without effect are told.
const UNUSED_LIMIT: usize = 20;
/// Members whose effect is not one on what is shown, or which are notes of Courier's designer.
const SILENT: [&str; 4] = ["id", "disable_tracking", "image_natural_width", "_sourceHash"];
/// What a language may have instead.
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

/// A title or body of the content's.
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

struct Reader<'a> {
    content: &'a str,
    unused: RefCell<Vec<String>>,
}

struct Member<'a> {
    name: Cow<'a, str>,
    value: &'a str,
    is_read: Cell<bool>,
}

/// The members of an object, by their names. Of several of one name the last counts, as everywhere in JSON.
pub struct ObjectMembers<'a>(Vec<Member<'a>>);

impl<'a> ObjectMembers<'a> {
    /// `None` if the value is no object.
    pub fn of(value: &'a str) -> Option<Self> {
        if !value.starts_with('{') && !json::is_empty_array(value) {
            return None;
        }
        scan::Members::of(value)
            .map(|(name, value)| Some(Member { name: name.unescaped()?, value, is_read: Cell::new(false) }))
            .collect::<Option<_>>()
            .map(ObjectMembers)
    }

    /// The raw value of a member.
    pub fn find(&self, name: &str) -> Option<&'a str> {
        let member = self.0.iter().rev().find(|member| member.name == name)?;
        member.is_read.set(true);
        Some(member.value)
    }

    /// The raw value of a member that is not null.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.find(name).filter(|value| *value != "null")
    }

    fn text(&self, name: &str) -> Option<String> {
        text(self.get(name)?)
    }

    /// The members that nothing has asked for, and that say something.
    fn unread(&self) -> impl Iterator<Item = &str> {
        let said = |member: &&Member<'_>| !member.is_read.get() && !matches!(member.value, "null" | "{}" | "[]");
        let counts = |member: &&Member<'_>| !self.0.iter().any(|it| it.is_read.get() && it.name == member.name);
        self.0.iter().filter(said).filter(counts).map(|member| &*member.name)
    }

    /// Each member once, in the order of their names.
    fn sorted(mut self) -> Vec<(Cow<'a, str>, &'a str)> {
        // Of several of one name the last counts.
        self.0.reverse();
        self.0.sort_by(|one, other| one.name.cmp(&other.name));
        self.0.dedup_by(|one, kept| one.name == kept.name);
        self.0.into_iter().map(|member| (member.name, member.value)).collect()
    }

    /// Texts, numbers, booleans and nulls.
    fn scalars(&self) -> Map<String, Value> {
        let is_scalar = |value: &str| !value.starts_with(['{', '[']);
        let last = |name: &str| self.0.iter().rev().find(|member| member.name == name).map(|member| member.value);
        let scalars = self.0.iter().filter(|it| is_scalar(it.value) && last(&it.name) == Some(it.value));
        scalars.filter_map(|it| Some((it.name.to_string(), serde_json::from_str(it.value).ok()?))).collect()
    }
}

/// The text that a raw value is; `None` if it is none.
pub fn text(value: &str) -> Option<String> {
    Quoted::of(value)?.unescaped().map(Cow::into_owned)
}

/// A text, number or boolean as a text.
fn scalar(value: &str) -> Option<String> {
    match value {
        "true" | "false" => Some(value.to_owned()),
        _ => serde_json::from_str::<Number>(value).map(|number| number.to_string()).ok().or_else(|| text(value)),
    }
}

/// The members of one element.
struct ElementMembers<'a> {
    reader: &'a Reader<'a>,
    path: &'a str,
    members: ObjectMembers<'a>,
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

    fn refuse(&self, path: &str, expected: impl std::fmt::Display) -> Error {
        Error::invalid(format_args!("{}.{path}", self.content), expected)
    }

    /// Tells what has no effect.
    fn note(&self, path: &str, why: impl std::fmt::Display) {
        let mut unused = self.unused.borrow_mut();
        if unused.len() < UNUSED_LIMIT {
            unused.push(format!("{}.{} {why}", self.content, shown(path)));
        }
    }

    fn note_unused(&self, members: &ObjectMembers<'_>, at: &str) {
        for name in members.unread().filter(|name| !SILENT.contains(name)) {
            let point = if at.is_empty() { "" } else { "." };
            self.note(&format!("{at}{point}{name}"), "has no effect");
        }
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

impl<'a> ElementMembers<'a> {
    fn refuse(&self, field: &str, expected: impl std::fmt::Display) -> Error {
        self.reader.refuse(&format!("{}.{field}", self.path), expected)
    }

    fn note(&self, field: &str, why: impl std::fmt::Display) {
        self.reader.note(&format!("{}.{field}", self.path), why);
    }

    fn text(&self, name: &str) -> Result<Option<String>> {
        let read = |value| text(value).ok_or_else(|| self.refuse(name, "expected a string"));
        self.members.get(name).map(read).transpose()
    }

    /// A value that concerns the style alone is never a reason to refuse.
    fn style_value(&self, name: &str) -> Option<String> {
        self.members.get(name).and_then(scalar).filter(|text| !text.is_empty())
    }

    fn choice<T>(&self, name: &str, from_name: fn(&str) -> Option<T>) -> Option<T> {
        let value = self.style_value(name)?;
        let found = from_name(&value);
        if found.is_none() {
            self.note(name, format_args!("has no effect: '{}' is none of its values", shown(&value)));
        }
        found
    }

    fn flag(&self, name: &str) -> bool {
        matches!(self.members.get(name), Some("true" | "\"true\""))
    }

    fn text_style(&self) -> TextStyle {
        TextStyle {
            align: self.choice("align", Align::from_name),
            style: self.choice("text_style", TextRole::from_name),
            bold: self.flag("bold"),
            italic: self.flag("italic"),
            strikethrough: self.flag("strikethrough"),
            underline: self.flag("underline"),
        }
    }

    /// The properties of style that an element of this kind has.
    fn looks(&self, kind: &ElementKind) -> Looks {
        const BORDER: [Look; 3] = [Look::BorderColor, Look::BorderWidth, Look::BorderRadius];
        let own: &[Look] = match kind {
            ElementKind::Text { .. } | ElementKind::Quote { .. } => {
                &[Look::Color, Look::Background, Look::Padding, Look::FontSize, Look::LineHeight, Look::FontFamily]
            }
            ElementKind::Span { .. } | ElementKind::Link { .. } => {
                &[Look::Color, Look::Highlight, Look::Background, Look::FontSize, Look::FontFamily]
            }
            ElementKind::Channel { .. } => {
                &[Look::Background, Look::BodyColor, Look::FontFamily, Look::FontSize, Look::LineHeight, Look::Padding]
            }
            ElementKind::Action { .. } => &[Look::Color, Look::Background, Look::Padding, Look::FontSize, Look::Width],
            ElementKind::Image { .. } => &[Look::Width, Look::Height, Look::Padding],
            ElementKind::Divider => &[Look::Color, Look::Padding],
            ElementKind::Group { .. } => &[Look::Background, Look::Padding, Look::Align],
            ElementKind::Columns { .. } => &[Look::Background, Look::Padding, Look::Gap, Look::VerticalAlign],
            ElementKind::Column { .. } => &[Look::Background, Look::Padding, Look::Width, Look::VerticalAlign],
            ElementKind::List { .. } => {
                &[Look::Color, Look::Background, Look::Padding, Look::FontSize, Look::LineHeight]
            }
            ElementKind::ListItem { .. } => &[Look::Color, Look::Background, Look::FontSize, Look::LineHeight],
            ElementKind::Meta { .. } | ElementKind::Html { .. } | ElementKind::Other { .. } | ElementKind::Hidden => {
                return Looks::default();
            }
        };
        let has_border = !matches!(
            kind,
            ElementKind::Span { .. }
                | ElementKind::Link { .. }
                | ElementKind::Channel { .. }
                | ElementKind::ListItem { .. }
        );
        let border = if has_border { BORDER.as_slice() } else { &[] };
        let mut looks = Looks::default();
        for look in own.iter().chain(border).copied() {
            self.look(look, &mut looks);
        }
        match kind {
            ElementKind::Divider => {
                if looks.get(Look::BorderWidth).is_none() {
                    self.look_in(Look::BorderWidth, "size", &mut looks);
                }
                // As the designer wrote it once, it is how thick the line is.
                let is_long = self.style_value("width").is_some_and(|it| it.ends_with('%'));
                let of_width = match is_long || looks.get(Look::BorderWidth).is_some() {
                    true => Look::Width,
                    false => Look::BorderWidth,
                };
                self.look_in(of_width, "width", &mut looks);
                match looks.get(Look::Width) {
                    Some(_) => self.look(Look::Align, &mut looks),
                    None if self.style_value("align").is_some() => {
                        self.note("align", "has no effect: the line is as wide as it may be");
                    }
                    None => {}
                }
            }
            ElementKind::Quote { .. } if looks.get(Look::Padding).is_none() => {
                let side = |name: &str| self.style_value(name);
                if let (Some(vertical), Some(horizontal)) = (side("padding_vertical"), side("padding_horizontal")) {
                    let value = Look::Padding.value(&format!("{vertical} {horizontal}"));
                    looks.push(Look::Padding, value.unwrap_or_else(|| "0".to_owned()), "padding_vertical".to_owned());
                }
            }
            _ => {}
        }
        looks
    }

    fn look(&self, look: Look, looks: &mut Looks) {
        for field in look.fields() {
            if looks.get(look).is_none() {
                self.look_in(look, field, looks);
            }
        }
    }

    fn look_in(&self, look: Look, field: &str, looks: &mut Looks) {
        let value = match field.strip_prefix("border.") {
            Some(member) => self.border(member),
            None => self.style_value(field),
        };
        let Some(text) = value else { return };
        match look.value(&text) {
            Some(value) => looks.push(look, value, field.to_owned()),
            None => {
                let found = shown(&text);
                self.note(field, format_args!("has no effect: expected {}, found '{found}'", look.expected()));
            }
        }
    }

    /// A member of `border`, the older form of `border_color` and the like.
    fn border(&self, member: &str) -> Option<String> {
        let border = ObjectMembers::of(self.members.get("border")?)?;
        let is_off = border.find("enabled") == Some("false");
        border.get(member).filter(|_| !is_off).and_then(scalar).filter(|text| !text.is_empty())
    }

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

    fn check_channel(&self, field: &str, name: &str) {
        if Channel::from_name(name).is_none() && Provider::named(name).is_none() && name != "banner" {
            self.note(field, format_args!("names '{}', which is no channel or provider", shown(name)));
        }
    }

    fn condition(&self) -> Result<Option<Condition>> {
        let expected = "expected a condition such as \"data.count > 1\"";
        match self.members.get("if") {
            None => Ok(None),
            Some(flag @ ("true" | "false")) => Ok(Some(Condition::Expression(flag.to_owned()))),
            Some(groups) if groups.starts_with(['[', '{']) => self.condition_groups(groups).map(Some),
            Some(value) => match text(value) {
                Some(condition) => Ok(Some(Condition::Expression(condition))),
                None => Err(self.refuse("if", expected)),
            },
        }
    }

    /// `[{"conditions": [{"property", "operator", "value"}], "logical_operator"}]`. One group may stand without the
    /// list, and a list of conditions is one group.
    fn condition_groups(&self, value: &str) -> Result<Condition> {
        let single = [value];
        let items: Vec<&str> = if value.starts_with('[') { Items::of(value).collect() } else { single.to_vec() };
        let (mut groups, mut loose, mut count) = (Vec::new(), Vec::new(), 0);
        for (i, item) in items.into_iter().enumerate() {
            let at = if value.starts_with('[') { format!("if[{i}]") } else { "if".to_owned() };
            let Some(members) = ObjectMembers::of(item) else {
                return Err(self.refuse(&at, "expected an object with 'conditions'"));
            };
            let Some(tests) = members.get("conditions") else {
                loose.push(self.condition_test(&members, &at)?);
                count += 1;
                continue;
            };
            if !tests.starts_with('[') {
                return Err(self.refuse(&format!("{at}.conditions"), "expected an array"));
            }
            let is_any = match members.get("logical_operator").map(text) {
                None => false,
                Some(Some(operator)) if operator == "and" || operator == "or" => operator == "or",
                Some(_) => {
                    return Err(self.refuse(&format!("{at}.logical_operator"), "expected 'and' or 'or'"));
                }
            };
            let mut group = ConditionGroup { is_any, tests: Vec::new() };
            for (j, test) in Items::of(tests).enumerate() {
                let at = format!("{at}.conditions[{j}]");
                let members = ObjectMembers::of(test).ok_or_else(|| self.refuse(&at, "expected an object"))?;
                group.tests.push(self.condition_test(&members, &at)?);
                count += 1;
            }
            groups.push(group);
        }
        if count > CONDITIONS_LIMIT {
            return Err(self.refuse("if", format_args!("expected at most {CONDITIONS_LIMIT} conditions")));
        }
        if !loose.is_empty() {
            groups.push(ConditionGroup { is_any: false, tests: loose });
        }
        Ok(Condition::Groups(groups))
    }

    fn condition_test(&self, members: &ObjectMembers<'_>, at: &str) -> Result<ConditionTest> {
        let field = format!("{at}.property");
        let property = members.text("property");
        let property = property.ok_or_else(|| self.refuse(&field, "expected a path such as \"data.plan\""))?;
        let operator = members.text("operator").and_then(|name| ConditionOperator::from_name(&name));
        let operator = operator.ok_or_else(|| {
            let names: Vec<&str> = ConditionOperator::NAMES.iter().map(|(name, _)| *name).collect();
            self.refuse(&format!("{at}.operator"), format_args!("expected one of {}", names.join(", ")))
        })?;
        let value = match members.get("value") {
            None => String::new(),
            Some(value) => scalar(value).ok_or_else(|| self.refuse(&format!("{at}.value"), "expected a string"))?,
        };
        Ok(ConditionTest { property, field, operator, value })
    }

    /// A text under any of these names, and what `locales` have instead of it.
    fn words(&self, names: &[&'static str]) -> Result<Option<LocalizedText>> {
        let mut found = None;
        for &name in names {
            let text = self.text(name)?;
            found = found.or(text.map(|text| (name, text)));
        }
        let mut locales = Vec::new();
        for (name, fields) in self.locales()? {
            match names.iter().chain(&["content"]).find_map(|field| fields.find(field).map(|it| (*field, it))) {
                None | Some((_, "null")) => {}
                // A link's locale may have another text and the same address.
                Some(("content", _)) if !names.contains(&"content") && names != ["title"] => {}
                Some((field, value)) => {
                    let field = format!("locales.{name}.{field}");
                    let Some(text) = text(value) else { return Err(self.refuse(&field, "expected a string")) };
                    locales.push(LocalText { locale: locale(&name), field, text });
                }
            }
        }
        let first = names.first().copied().unwrap_or_default();
        Ok(match found {
            Some((field, text)) => Some(LocalizedText { field: Cow::Borrowed(field), text, locales }),
            None if locales.is_empty() => None,
            None => Some(LocalizedText { field: Cow::Borrowed(first), text: String::new(), locales }),
        })
    }

    /// What `locales` say, in their order.
    fn locales(&self) -> Result<Vec<(Cow<'a, str>, ObjectMembers<'a>)>> {
        let Some(locales) = self.members.get("locales") else { return Ok(Vec::new()) };
        // An empty map is `[]` in PHP.
        if locales == "[]" {
            return Ok(Vec::new());
        }
        let Some(members) = ObjectMembers::of(locales) else {
            return Err(self.refuse("locales", "expected an object"));
        };
        let read = |(name, fields): (Cow<'a, str>, &'a str)| match ObjectMembers::of(fields) {
            Some(fields) => Ok((name, fields)),
            None => Err(self.refuse(&format!("locales.{name}"), "expected an object")),
        };
        members.sorted().into_iter().map(read).collect()
    }

    fn required(&self, name: &'static str) -> Result<LocalizedText> {
        self.words(&[name])?.ok_or_else(|| self.refuse(name, "expected a string"))
    }

    fn address(&self, name: &'static str) -> Result<Option<LocalizedText>> {
        let Some(words) = self.words(&[name])? else { return Ok(None) };
        let texts = words.locales.iter().map(|it| (it.field.as_str(), &it.text)).chain([(&*words.field, &words.text)]);
        if let Some((field, _)) = texts.into_iter().find(|(_, text)| is_script(text)) {
            return Err(self.refuse(field, "expected an address to open, found a script"));
        }
        Ok(Some(words))
    }

    fn required_address(&self, name: &'static str) -> Result<LocalizedText> {
        self.address(name)?.ok_or_else(|| self.refuse(name, "expected a string"))
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
            for unknown in fields.0.iter().filter(|member| !LOCAL.contains(&&*member.name)) {
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

    /// A text or elements, one of which is required. In another language one may take the place of the other.
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

    fn raw(&self, channel: Option<&str>) -> Result<LocalizedRaw> {
        let read =
            |value: &'a str, at: &str| ObjectMembers::of(value).ok_or_else(|| self.refuse(at, "expected an object"));
        let base = self.members.get("raw").map(|raw| read(raw, "raw")).transpose()?;
        let mut locales = Vec::new();
        for (name, fields) in self.locales()? {
            if let Some(raw) = fields.get("raw") {
                let at = format!("locales.{name}.raw");
                let own = read(raw, &at)?;
                let content = self.raw_content(channel, &[(&at, Some(&own)), ("raw", base.as_ref())]);
                self.reader.note_unused(&own, &format!("{}.{at}", self.path));
                locales.push((locale(&name), content));
            }
        }
        let raw = base.as_ref().map(|base| self.raw_content(channel, &[("raw", Some(base))]));
        if let (Some(base), Some(raw)) = (&base, &raw) {
            self.reader.note_unused(base, &format!("{}.raw", self.path));
            let is = |wanted: Channel| channel.and_then(Channel::from_name) == Some(wanted);
            for member in raw.members.iter().filter(|_| is(Channel::Email) || is(Channel::Sms)) {
                self.note(&member.field, "has no effect on this channel");
            }
            let of_provider = channel.and_then(Provider::named).map(Provider::channel);
            let is_body = is(Channel::Webhook) || channel.is_none() || of_provider == Some(Channel::Webhook);
            // A text may hold an object.
            let is_laid = |member: &&RawMember| member.json.starts_with(['{', '"']);
            for member in raw.members.iter().filter(|it| it.name == "payload" && !is_body && !is_laid(it)) {
                self.note(&member.field, "has no effect: expected an object");
            }
            if let Some(html) = raw.html.as_ref().filter(|_| channel.is_some() && !is(Channel::Email))
                && channel.and_then(Provider::named).is_none_or(|it| it.channel() != Channel::Email)
            {
                self.note(&html.field, "has no effect on this channel");
            }
        }
        Ok(LocalizedRaw { raw, locales })
    }

    /// What the first of these objects says that has it.
    fn raw_content(&self, channel: Option<&str>, sources: &[(&str, Option<&ObjectMembers<'_>>)]) -> RawContent {
        let of_provider = || channel.and_then(Provider::named).map(Provider::channel);
        let channel = channel.and_then(Channel::from_name).or_else(of_provider);
        // Of several names for one thing the channel's own goes first.
        let (subjects, texts) = match channel {
            Some(Channel::Push | Channel::Inbox) => (["title", "subject"], ["body", "text", "content", "message"]),
            _ => (["subject", "title"], ["text", "body", "content", "message"]),
        };
        let member =
            |name: &str| sources.iter().find_map(|(at, raw)| Some((format!("{at}.{name}"), raw.as_ref()?.get(name)?)));
        let text_of = |names: &[&str]| {
            names.iter().find_map(|name| {
                let (field, value) = member(name)?;
                let found = text(value);
                if found.is_none() {
                    self.note(&field, "has no effect: expected a string");
                }
                Some(LocalizedText { field: Cow::Owned(field), text: found?, locales: Vec::new() })
            })
        };
        let html = text_of(&["html", "mjml"]);
        let is_mjml = html.as_ref().is_some_and(|html| html.text.contains("<mjml"));
        if let Some((field, names)) = member("transformers") {
            for name in Items::of(names).filter_map(text).filter(|name| name != "handlebars" && name != "mjml") {
                self.note(&field, format_args!("names '{}', which is not known", shown(&name)));
            }
        }
        let members = RAW_MEMBERS.into_iter().filter_map(|name| {
            let (field, json) = member(name)?;
            Some(RawMember { name, field, json: json.to_owned() })
        });
        RawContent { subject: text_of(&subjects), text: text_of(&texts), html, is_mjml, members: members.collect() }
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
