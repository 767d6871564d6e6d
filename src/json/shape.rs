//! Which members an object is read for, in the words of the documentation: `{name, preferences?: {categories?: {*: {status}}}}`.
//! `[...]` and `...` stand for what is read elsewhere, `*` for any name.

use super::scan::{Items, for_each};

/// What is read at one place.
#[derive(Debug, PartialEq, Eq)]
pub enum Shape<'s> {
    /// Whatever is there.
    Any,
    Array(Box<Shape<'s>>),
    Object(Vec<(&'s str, Shape<'s>)>),
}

/// Items of an array that are looked at: those of one array look alike.
const LOOKED_AT: usize = 100;

impl<'s> Shape<'s> {
    /// The shapes that a text has in backticks.
    pub fn all_of(text: &'s str) -> impl Iterator<Item = Shape<'s>> {
        text.split('`').skip(1).step_by(2).filter_map(Shape::read)
    }

    /// `None` if the text is no shape.
    pub fn read(text: &'s str) -> Option<Self> {
        let mut text = text;
        let shape = shape(&mut text)?;
        text.trim_start().is_empty().then_some(shape)
    }

    /// Whether this is a shape of an object with a member that must be there, or with none such.
    pub fn begins(&self, has: impl Fn(&str) -> bool) -> bool {
        match self {
            Shape::Object(members) => members.first().is_none_or(|(name, _)| has(name)),
            _ => false,
        }
    }

    /// Calls `each` with the path of every member of a value, whose text is known to be JSON, that is not read. Null says
    /// nothing.
    pub fn unread(&self, value: &str, at: &str, each: &mut impl FnMut(String)) {
        match self {
            Shape::Object(members) if value.starts_with('{') => {
                let looked = for_each(value, |name, value| {
                    let found = members.iter().find(|(known, _)| *known == name);
                    let found = found.or_else(|| members.iter().find(|(known, _)| *known == "*"));
                    let path = || if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
                    match found {
                        Some((_, Shape::Any)) => {}
                        Some((_, shape)) => shape.unread(value, &path(), each),
                        None if value == "null" || members.iter().any(|(known, _)| *known == "...") => {}
                        None => each(path()),
                    }
                });
                // What is no object was refused.
                looked.unwrap_or_default();
            }
            Shape::Array(shape) if value.starts_with('[') && **shape != Shape::Any => {
                for (i, item) in Items::of(value).take(LOOKED_AT).enumerate() {
                    shape.unread(item, &format!("{at}[{i}]"), each);
                }
            }
            _ => {}
        }
    }
}

/// Takes what a text begins with.
fn take<'s>(text: &mut &'s str, beginning: &str) -> Option<&'s str> {
    let trimmed = text.trim_start();
    let rest = trimmed.strip_prefix(beginning)?;
    *text = rest;
    trimmed.get(..beginning.len())
}

fn shape<'s>(text: &mut &'s str) -> Option<Shape<'s>> {
    if take(text, "...").is_some() {
        return Some(Shape::Any);
    }
    if take(text, "[").is_some() {
        let items = shape(text)?;
        take(text, "]")?;
        return Some(Shape::Array(Box::new(items)));
    }
    take(text, "{")?;
    let mut members = Vec::new();
    while take(text, "}").is_none() {
        if let Some(open) = take(text, "...") {
            members.push((open, Shape::Any));
        } else {
            members.push(member(text)?);
        }
        if take(text, ",").is_none() {
            take(text, "or ");
        }
    }
    Some(Shape::Object(members))
}

fn member<'s>(text: &mut &'s str) -> Option<(&'s str, Shape<'s>)> {
    let trimmed = text.trim_start();
    let end = trimmed.find(|c: char| !(c.is_alphanumeric() || "_-*".contains(c))).filter(|end| *end > 0)?;
    let (name, rest) = trimmed.split_at(end);
    *text = rest;
    take(text, "?");
    let shape = if take(text, ":").is_some() { shape(text)? } else { Shape::Any };
    Some((name, shape))
}

#[cfg(test)]
mod tests {
    use super::*;

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
        for wrong in ["", "any body", "{", "{a", "{a: }", "[", "{a} b", "{?}", "{a: [b]}"] {
            assert_eq!(Shape::read(wrong), None, "{wrong}");
        }
        assert_eq!(Shape::all_of("`{a}`, or `{b}` and `c`").count(), 2);
    }
}
