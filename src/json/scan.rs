//! JSON that was parsed before. Its text is known to be valid, so only the end of each value has to be found: that
//! takes a fraction of the time of parsing it again.

use std::borrow::Cow;

/// Calls `each` with every member's name and raw value, in their order. `None` if the text is not an object. An empty
/// array counts as one.
pub fn for_each<'a>(object: &'a str, mut each: impl FnMut(&str, &'a str)) -> Option<()> {
    let mut text = Walk::new(object);
    if text.peek()? == b'[' {
        text.at += 1;
        text.expect(b']')?;
        return text.end();
    }
    text.expect(b'{')?;
    if text.peek()? == b'}' {
        text.at += 1;
        return text.end();
    }
    loop {
        let name = text.string()?;
        text.expect(b':')?;
        each(&name.unescaped()?, text.value()?);
        match text.next()? {
            b',' => {}
            b'}' => return text.end(),
            _ => return None,
        }
    }
}

/// The members of an object, in the order in which they were sent: each one's name and raw value. Ends where the text
/// is not an object.
pub struct Members<'a>(Parts<'a>);

/// The raw values in an array. Ends where the text is not an array.
pub struct Items<'a>(Parts<'a>);

/// What stands between the brackets of an object or array.
struct Parts<'a> {
    text: Walk<'a>,
    is_over: bool,
}

impl<'a> Parts<'a> {
    fn of(text: &'a str, opening: u8, closing: u8) -> Self {
        let mut text = Walk::new(text);
        let is_over = text.expect(opening).is_none() || text.peek() == Some(closing);
        Parts { text, is_over }
    }

    /// Reads one part and what follows it.
    fn next<T>(&mut self, read: impl FnOnce(&mut Walk<'a>) -> Option<T>) -> Option<T> {
        if self.is_over {
            return None;
        }
        let part = read(&mut self.text);
        self.is_over = part.is_none() || self.text.next() != Some(b',');
        part
    }
}

impl<'a> Members<'a> {
    pub fn of(object: &'a str) -> Self {
        Members(Parts::of(object, b'{', b'}'))
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = (Quoted<'a>, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next(|text| {
            let name = text.string()?;
            text.expect(b':')?;
            Some((name, text.value()?))
        })
    }
}

impl<'a> Items<'a> {
    pub fn of(array: &'a str) -> Self {
        Items(Parts::of(array, b'[', b']'))
    }

    /// Whether there are no more.
    pub fn is_over(&self) -> bool {
        self.0.is_over
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        self.0.next(Walk::value)
    }
}

/// A string with its quotes.
#[derive(Clone, Copy, Debug)]
pub struct Quoted<'a> {
    text: &'a str,
    has_escapes: bool,
}

impl<'a> Quoted<'a> {
    /// The string that a raw value is; `None` if it is something else.
    pub fn of(value: &'a str) -> Option<Self> {
        let has_escapes = value.contains('\\');
        let is_string = value.len() >= 2 && value.starts_with('"') && value.ends_with('"');
        is_string.then_some(Quoted { text: value, has_escapes })
    }

    /// The text between the quotes, if it has no escapes.
    pub fn plain(&self) -> Option<&'a str> {
        if self.has_escapes { None } else { self.text.get(1..self.text.len() - 1) }
    }

    /// `None` if an escape in it is not valid JSON.
    pub fn unescaped(&self) -> Option<Cow<'a, str>> {
        if self.has_escapes {
            return serde_json::from_str(self.text).ok().map(Cow::Owned);
        }
        self.text.get(1..self.text.len() - 1).map(Cow::Borrowed)
    }
}

/// A text that is read byte by byte.
pub struct Walk<'a> {
    all: &'a str,
    at: usize,
}

impl<'a> Walk<'a> {
    pub fn new(all: &'a str) -> Self {
        Walk { all, at: 0 }
    }

    /// Peeks at the next byte that is not whitespace.
    fn peek(&mut self) -> Option<u8> {
        while let Some(&byte) = self.all.as_bytes().get(self.at) {
            if !byte.is_ascii_whitespace() {
                return Some(byte);
            }
            self.at += 1;
        }
        None
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.next()? == byte).then_some(())
    }

    /// Checks that only whitespace is left.
    fn end(&mut self) -> Option<()> {
        self.peek().is_none().then_some(())
    }

    pub fn string(&mut self) -> Option<Quoted<'a>> {
        self.expect(b'"')?;
        let start = self.at - 1;
        let has_escapes = self.pass_string()?;
        Some(Quoted { text: self.all.get(start..self.at)?, has_escapes })
    }

    /// Skips the rest of a string that has begun, and returns whether it has escapes.
    fn pass_string(&mut self) -> Option<bool> {
        let bytes = self.all.as_bytes();
        let mut has_escapes = false;
        loop {
            match bytes.get(self.at)? {
                b'"' => break,
                b'\\' => {
                    has_escapes = true;
                    self.at += 2;
                }
                _ => self.at += 1,
            }
        }
        self.at += 1;
        Some(has_escapes)
    }

    fn value(&mut self) -> Option<&'a str> {
        let first = self.peek()?;
        let start = self.at;
        match first {
            b'"' => return self.string().map(|string| string.text),
            b'{' | b'[' => self.pass_nested()?,
            b',' | b'}' | b']' => return None,
            _ => self.pass_word()?,
        }
        self.all.get(start..self.at)
    }

    /// Skips a number, a boolean or null.
    fn pass_word(&mut self) -> Option<()> {
        let bytes = self.all.as_bytes();
        while !matches!(bytes.get(self.at)?, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
        Some(())
    }

    /// Skips the object or array that is about to begin.
    fn pass_nested(&mut self) -> Option<()> {
        let bytes = self.all.as_bytes();
        let mut depth = 0_usize;
        loop {
            let byte = *bytes.get(self.at)?;
            self.at += 1;
            match byte {
                b'"' => drop(self.pass_string()?),
                b'{' | b'[' => depth += 1,
                b'}' | b']' if depth == 1 => return Some(()),
                b'}' | b']' => depth -= 1,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Items, Members, for_each};

    fn members(object: &str) -> Option<Vec<(String, String)>> {
        let mut members = Vec::new();
        for_each(object, |name, value| members.push((name.to_owned(), value.to_owned())))?;
        Some(members)
    }

    #[test]
    fn values_are_given_as_they_were_sent() {
        let object = r#" { "a" : 1, "b":[ {"c":"}]"}, "\"" ] , "d\u00e9\n":"x\\","e":{"f":{}},"g":null,"a":-2.5e3 } "#;
        let expected = [
            ("a", "1"),
            ("b", r#"[ {"c":"}]"}, "\"" ]"#),
            ("dé\n", r#""x\\""#),
            ("e", r#"{"f":{}}"#),
            ("g", "null"),
            ("a", "-2.5e3"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(members(object).unwrap(), expected);
        let one_by_one =
            Members::of(object).map(|(name, value)| (name.unescaped().unwrap().into_owned(), value.to_owned()));
        assert_eq!(one_by_one.collect::<Vec<_>>(), expected);
        let items = r#" [ 1 , "a]" ,[{"b":[]}],{} ] "#;
        assert_eq!(Items::of(items).collect::<Vec<_>>(), ["1", r#""a]""#, r#"[{"b":[]}]"#, "{}"]);
        assert_eq!(Items::of("[ ]").count() + Items::of("{}").count() + Members::of("[1]").count(), 0);
        assert_eq!(members("{ }"), Some(vec![]));
        assert_eq!(members(" [ ] "), Some(vec![]));
    }

    #[test]
    fn what_is_no_object_is_told_apart() {
        for text in [
            "",
            "{",
            "[1]",
            "[",
            "[}",
            "[] x",
            "{]",
            r#"{"a"}"#,
            r#"{"a":}"#,
            r#"{"a":1"#,
            r#"{"a":1,}"#,
            r#"{"a":"b}"#,
            r#"{"a":1} x"#,
            r#"{"\u12":1}"#,
            r#"{"a":]"#,
            r#"{"é"#,
        ] {
            assert_eq!(members(text), None, "{text}");
        }
    }
}
