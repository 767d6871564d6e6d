//! Which members an object has, in the words of the documentation: `{name, preferences?: {categories?: {*: {status}}}}`.
//! `*` is any name, `[...]` an array and `...` members of which the name alone tells what is in them. People read it in
//! docs/api.md, programs as a schema, and what an object has beyond it is told by it. Where types are said, as in
//! `{ttl?: integer, sound?: string | {name?}}`, they are looked at as well.

use serde_json::Value;

use super::scan::{Items, for_each};

/// What a text such as `{jobId}` describes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape<'s> {
    Object {
        members: Vec<Member<'s>>,
        /// Whether it may have further ones (`...`).
        is_open: bool,
    },
    /// `None` for `[...]`.
    Array(Option<Box<Shape<'s>>>),
    /// A value without members: a [`Type`] by its name, or the only text that it may be, in quotes.
    Plain(Type),
    Text(&'s str),
    /// Any of several.
    Any(Vec<Shape<'s>>),
}

/// What a value without members is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    String,
    Number,
    Integer,
    Boolean,
}

impl Type {
    const NAMES: [(&'static str, Type); 4] =
        [("string", Type::String), ("number", Type::Number), ("integer", Type::Integer), ("boolean", Type::Boolean)];

    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, it)| *it == self).map_or("", |(name, _)| *name)
    }

    fn has(self, value: &Value) -> bool {
        match self {
            Type::String => value.is_string(),
            Type::Number => value.is_number(),
            Type::Integer => value.as_f64().is_some_and(|number| number.fract() == 0.0),
            Type::Boolean => value.is_boolean(),
        }
    }
}

/// Why a part of a value does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Misfit {
    /// The shape has no such member.
    Unknown,
    /// It is of another type than this.
    Expected(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member<'s> {
    pub name: &'s str,
    pub is_optional: bool,
    /// `None` if the name alone tells what it is.
    pub value: Option<Shape<'s>>,
}

/// The most items of an array that are checked: those of one array look alike.
const LOOKED_AT: usize = 100;

impl<'s> Shape<'s> {
    /// `None` if the text is not a shape.
    pub fn read(text: &'s str) -> Option<Self> {
        let mut reader = Reader(text);
        let shape = reader.value()?;
        reader.0.trim().is_empty().then_some(shape)
    }

    /// The first object in a text in Markdown, and what follows it.
    pub fn find(text: &'s str) -> Option<(Self, &'s str)> {
        let (before, _) = text.split_once("`{")?;
        let (code, rest) = text.get(before.len() + 1..)?.split_once('`')?;
        Some((Shape::read(code)?, rest))
    }

    /// All objects in such a text.
    pub fn all_of(text: &'s str) -> impl Iterator<Item = Self> {
        text.split('`').skip(1).step_by(2).filter_map(Shape::read)
    }

    /// Whether this is the shape of an object whose first member the value has, or which has no members.
    pub fn begins(&self, has: impl Fn(&str) -> bool) -> bool {
        match self {
            Shape::Object { members, .. } => members.first().is_none_or(|member| has(member.name)),
            _ => false,
        }
    }

    /// Calls `each` with the pointer of every part of a value that is not in the shape, or is of another type. Null is
    /// ignored, and so is a text with a variable: its value is unknown.
    pub fn misfits(&self, value: &Value, at: &mut String, each: &mut impl FnMut(&str, Misfit)) {
        let is_open_text = value.as_str().is_some_and(|text| text.contains("{{"));
        if value.is_null() || is_open_text {
            return;
        }
        match (self.of_kind(value), value) {
            (None, _) => each(at, Misfit::Expected(self.expected())),
            (Some(Shape::Object { members, is_open }), Value::Object(sent)) => {
                for (name, value) in sent {
                    let found = members.iter().find(|known| known.name == name);
                    let found = found.or_else(|| members.iter().find(|known| known.name == "*"));
                    let end = at.len();
                    at.push('/');
                    at.push_str(&name.replace('~', "~0").replace('/', "~1"));
                    match found.map(|member| &member.value) {
                        Some(Some(shape)) => shape.misfits(value, at, each),
                        Some(None) => {}
                        None if *is_open || value.is_null() => {}
                        None => each(at, Misfit::Unknown),
                    }
                    at.truncate(end);
                }
            }
            (Some(Shape::Array(Some(shape))), Value::Array(items)) => {
                for (i, item) in items.iter().take(LOOKED_AT).enumerate() {
                    let end = at.len();
                    at.push_str(&format!("/{i}"));
                    shape.misfits(item, at, each);
                    at.truncate(end);
                }
            }
            _ => {}
        }
    }

    /// Itself, or the alternative that is of a value's kind.
    fn of_kind(&self, value: &Value) -> Option<&Self> {
        let is_it = match self {
            Shape::Object { .. } => value.is_object(),
            Shape::Array(_) => value.is_array(),
            Shape::Plain(kind) => kind.has(value),
            Shape::Text(text) => value == text,
            Shape::Any(all) => return all.iter().find_map(|it| it.of_kind(value)),
        };
        is_it.then_some(self)
    }

    /// What a value has to be, in words.
    fn expected(&self) -> String {
        match self {
            Shape::Object { .. } => "an object".to_owned(),
            Shape::Array(_) => "an array".to_owned(),
            Shape::Plain(Type::String) => "a string".to_owned(),
            Shape::Plain(Type::Number) => "a number".to_owned(),
            Shape::Plain(Type::Integer) => "an integer".to_owned(),
            Shape::Plain(Type::Boolean) => "true or false".to_owned(),
            Shape::Text(text) => format!("'{text}'"),
            Shape::Any(all) => all.iter().map(Shape::expected).collect::<Vec<_>>().join(" or "),
        }
    }

    /// Calls `each` with the path of every member of a value that is not in the shape. The value's text is known to be
    /// JSON. Null is ignored.
    pub fn unread(&self, value: &str, at: &str, each: &mut impl FnMut(String)) {
        match self {
            Shape::Object { members, is_open } if value.starts_with('{') => {
                let looked = for_each(value, |name, value| {
                    let found = members.iter().find(|known| known.name == name);
                    let found = found.or_else(|| members.iter().find(|known| known.name == "*"));
                    let path = || if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
                    match found.map(|member| &member.value) {
                        Some(Some(shape)) => shape.unread(value, &path(), each),
                        Some(None) => {}
                        None if *is_open || value == "null" => {}
                        None => each(path()),
                    }
                });
                // What is not an object was refused before.
                looked.unwrap_or_default();
            }
            Shape::Array(Some(shape)) if value.starts_with('[') => {
                for (i, item) in Items::of(value).take(LOOKED_AT).enumerate() {
                    shape.unread(item, &format!("{at}[{i}]"), each);
                }
            }
            _ => {}
        }
    }
}

struct Reader<'s>(&'s str);

impl<'s> Reader<'s> {
    fn eat(&mut self, what: &str) -> bool {
        let rest = self.0.trim_start();
        let eaten = rest.strip_prefix(what);
        self.0 = eaten.unwrap_or(rest);
        eaten.is_some()
    }

    fn value(&mut self) -> Option<Shape<'s>> {
        let mut all = vec![self.one()?];
        while self.eat("|") {
            all.push(self.one()?);
        }
        if all.len() == 1 { all.pop() } else { Some(Shape::Any(all)) }
    }

    fn one(&mut self) -> Option<Shape<'s>> {
        if self.eat("{") {
            return self.object();
        }
        if self.eat("'") {
            let (text, rest) = self.0.split_once('\'')?;
            self.0 = rest;
            return Some(Shape::Text(text));
        }
        if let Some((_, kind)) = Type::NAMES.iter().find(|(name, _)| self.eat(name)) {
            return Some(Shape::Plain(*kind));
        }
        if !self.eat("[") {
            return None;
        }
        let item = match self.eat("...") {
            true => None,
            false => Some(Box::new(self.value()?)),
        };
        self.eat("]").then_some(Shape::Array(item))
    }

    /// What follows an opening brace, up to its closing one.
    fn object(&mut self) -> Option<Shape<'s>> {
        let (mut members, mut is_open) = (Vec::new(), false);
        while !self.eat("}") {
            if self.eat("...") {
                is_open = true;
            } else {
                self.members(&mut members)?;
            }
            if !self.eat(",") && !self.0.starts_with('}') {
                return None;
            }
        }
        Some(Shape::Object { members, is_open })
    }

    /// A member, or alternatives of which one is to be there: `template or content`.
    fn members(&mut self, members: &mut Vec<Member<'s>>) -> Option<()> {
        let first = members.len();
        loop {
            let rest = self.0.trim_start();
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !"_-*".contains(c)).unwrap_or(rest.len());
            let (name, rest) = rest.split_at_checked(end).filter(|(name, _)| !name.is_empty())?;
            self.0 = rest;
            let is_optional = self.eat("?");
            let value = if self.eat(":") { Some(self.value()?) } else { None };
            members.push(Member { name, is_optional, value });
            if !self.eat("or ") {
                break;
            }
        }
        let alternatives = members.get_mut(first..).unwrap_or_default();
        if alternatives.len() > 1 {
            alternatives.iter_mut().for_each(|member| member.is_optional = true);
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn member<'s>(name: &'s str, is_optional: bool, value: Option<Shape<'s>>) -> Member<'s> {
        Member { name, is_optional, value }
    }

    #[test]
    fn a_shape_is_read_out_of_its_sentence() {
        let object = |members, is_open| Shape::Object { members, is_open };
        let cases = [
            ("`{}`", object(vec![], false), ""),
            ("200 `{a, b?}`, of c", object(vec![member("a", false, None), member("b", true, None)], false), ", of c"),
            ("`{a: [...]}`", object(vec![member("a", false, Some(Shape::Array(None)))], false), ""),
            (
                "`{a: [{b, ...}]}`",
                object(
                    vec![member(
                        "a",
                        false,
                        Some(Shape::Array(Some(Box::new(object(vec![member("b", false, None)], true))))),
                    )],
                    false,
                ),
                "",
            ),
            ("`{a or b, ...}`", object(vec![member("a", true, None), member("b", true, None)], true), ""),
        ];
        for (text, shape, rest) in cases {
            assert_eq!(Shape::find(text), Some((shape, rest)), "{text}");
        }
        for text in ["", "any", "`providers`", "`{a b}`", "`{a: b}`", "`{a"] {
            assert_eq!(Shape::find(text), None, "{text}");
        }
        for text in ["", "any body", "{", "{a", "{a: }", "[", "{a} b", "{?}", "{a: [b]}"] {
            assert_eq!(Shape::read(text), None, "{text}");
        }
        assert_eq!(Shape::all_of("`{a}`, or `{b}` and `c`").count(), 2);
    }

    #[test]
    fn what_is_of_another_type_is_told_by_its_pointer() {
        let misfits = |shape: &str, value: Value| {
            let mut found = Vec::new();
            let mut each = |at: &str, what| match what {
                Misfit::Unknown => found.push(format!("{at}?")),
                Misfit::Expected(words) => found.push(format!("{at}: {words}")),
            };
            Shape::read(shape).unwrap().misfits(&value, &mut String::new(), &mut each);
            found.join(", ")
        };
        let push =
            "{ttl?: integer, sound?: string | {name?, volume?: number}, priority?: 'high' | 'normal', to?: [string]}";
        for (value, expected) in [
            (json!({ "ttl": 1, "sound": null, "priority": "high", "to": ["a"] }), ""),
            (
                json!({ "ttl": "1", "sound": 5, "priority": "urgent" }),
                "/priority: 'high' or 'normal', /sound: a string or an object, /ttl: an integer",
            ),
            (
                json!({ "ttl": 1.5, "sound": { "volume": "loud", "x/y": 1 } }),
                "/sound/volume: a number, /sound/x~1y?, /ttl: an integer",
            ),
            (json!({ "ttl": "{{ttl}}", "to": ["a", 5] }), "/to/1: a string"),
            (json!([]), ": an object"),
        ] {
            assert_eq!(misfits(push, value.clone()), expected, "{value}");
        }
    }

    #[test]
    fn what_is_not_read_is_told_by_its_path() {
        let unread = |shape: &str, value: &str| {
            let mut found = Vec::new();
            Shape::read(shape).unwrap().unread(value, "", &mut |path| found.push(path));
            found.join(" ")
        };
        for (shape, value, expected) in [
            ("{name, settings?}", r#"{"name":1,"setting":2,"x":null}"#, "setting"),
            ("{event, list or pattern, data?}", r#"{"event":1,"pattern":2,"lists":[]}"#, "lists"),
            ("{users: [...]}", r#"{"users":[{"a":1}],"user":1}"#, "user"),
            ("{a: [{b, c?: {d}}]}", r#"{"a":[{"b":1},{"e":1,"c":{"d":1,"f":2}}]}"#, "a[1].e a[1].c.f"),
            ("{message: {to, ...}}", r#"{"message":{"x":1}}"#, ""),
            ("{p?: {*: {status}}}", r#"{"p":{"t":{"status":1,"state":2},"u":3}}"#, "p.t.state"),
            ("{}", r#"{"a":1}"#, "a"),
            ("{a}", "[]", ""),
        ] {
            assert_eq!(unread(shape, value), expected, "{shape} {value}");
        }
    }
}
