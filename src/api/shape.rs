//! How the table of routes writes a body or an answer: `{name, settings?}`, `{items: [{id, ...}], paging}`. People read it
//! in docs/api.md, and programs as a schema.

/// What a text such as `{jobId}` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    Object {
        members: Vec<Member>,
        /// Whether it is said to have further ones (`...`).
        is_open: bool,
    },
    /// `None` for `[...]`, of which the name alone tells what is in it.
    Array(Option<Box<Shape>>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub name: String,
    pub is_optional: bool,
    /// `None` if the name alone tells what it is.
    pub value: Option<Shape>,
}

impl Shape {
    /// The first shape in a text in Markdown, and what follows it.
    pub fn find(text: &str) -> Option<(Shape, &str)> {
        let (_, rest) = text.split_once("`{")?;
        let (code, rest) = rest.split_once('`')?;
        let mut reader = Reader(code);
        let shape = reader.object()?;
        reader.0.trim().is_empty().then_some((shape, rest))
    }
}

struct Reader<'a>(&'a str);

impl Reader<'_> {
    fn eat(&mut self, what: &str) -> bool {
        let rest = self.0.trim_start();
        let eaten = rest.strip_prefix(what);
        self.0 = eaten.unwrap_or(rest);
        eaten.is_some()
    }

    /// What follows an opening brace, up to its closing one.
    fn object(&mut self) -> Option<Shape> {
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

    /// A member, or several of which one is to be there: `template or content`.
    fn members(&mut self, members: &mut Vec<Member>) -> Option<()> {
        let first = members.len();
        loop {
            let rest = self.0.trim_start();
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            let (name, rest) = rest.split_at_checked(end).filter(|(name, _)| !name.is_empty())?;
            self.0 = rest;
            let is_optional = self.eat("?");
            let value = if self.eat(":") { Some(self.value()?) } else { None };
            members.push(Member { name: name.to_owned(), is_optional, value });
            if !self.eat("or ") {
                break;
            }
        }
        if members.len() > first + 1 {
            members[first..].iter_mut().for_each(|member| member.is_optional = true);
        }
        Some(())
    }

    fn value(&mut self) -> Option<Shape> {
        if self.eat("{") {
            return self.object();
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
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(name: &str, is_optional: bool, value: Option<Shape>) -> Member {
        Member { name: name.to_owned(), is_optional, value }
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
    }
}
