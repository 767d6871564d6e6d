//! Values as in JavaScript, and which of them are true. The operations on them are in `operations`. Objects and lists
//! stay JSON as it was sent until a text looks into them.

/// Members in JavaScript's order: names that are integers first, then as they were sent.
pub type MemberList<'a> = &'a [(&'a str, Value<'a>)];

#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// Nothing was sent.
    Undefined,
    Null,
    Bool(bool),
    Number(f64),
    Text(&'a str),
    /// A text that is markup: it is printed as it is where texts are escaped.
    Markup(&'a str),
    /// A list in JSON.
    JsonList(&'a str),
    List(&'a [Value<'a>]),
    /// An object in JSON.
    JsonObject(&'a str),
    Object(MemberList<'a>),
    /// The object that has the names at the top.
    Root,
    /// The same, with further members that take precedence.
    RootWith(MemberList<'a>),
}

/// In memory of its own, so that no other object is identical.
static NULL_CONTEXT: [(&str, Value<'static>); 1] = [("", Value::Undefined)];

impl<'a> Value<'a> {
    /// The empty object that is `this` in a block where it was undefined or null.
    pub const NULL_CONTEXT: Value<'static> = Value::Object(NULL_CONTEXT.split_at(0).0);

    pub fn is_null_context(self) -> bool {
        matches!(self, Value::Object(members) if std::ptr::eq(members.as_ptr(), NULL_CONTEXT.as_ptr()))
    }

    pub fn is_nothing(self) -> bool {
        matches!(self, Value::Undefined | Value::Null)
    }

    pub fn is_list(self) -> bool {
        matches!(self, Value::JsonList(_) | Value::List(_))
    }

    pub fn is_object(self) -> bool {
        matches!(self, Value::JsonObject(_) | Value::Object(_) | Value::Root | Value::RootWith(_))
    }

    /// The text that it is.
    pub fn as_text(self) -> Option<&'a str> {
        match self {
            Value::Text(text) | Value::Markup(text) => Some(text),
            _ => None,
        }
    }

    pub fn unmarked(self) -> Self {
        self.as_text().map_or(self, Value::Text)
    }

    /// What it is, in words.
    pub fn kind(self) -> &'static str {
        match self {
            Value::Undefined => "nothing",
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::Text(_) | Value::Markup(_) => "a text",
            Value::JsonList(_) | Value::List(_) => "a list",
            Value::JsonObject(_) | Value::Object(_) | Value::Root | Value::RootWith(_) => "an object",
        }
    }

    /// Whether it is true in JavaScript.
    pub fn is_truthy(self) -> bool {
        match self {
            Value::Undefined | Value::Null => false,
            Value::Bool(flag) => flag,
            Value::Number(number) => number != 0.0 && !number.is_nan(),
            Value::Text(text) | Value::Markup(text) => !text.is_empty(),
            _ => true,
        }
    }
}

/// The length of a text in JavaScript.
pub fn utf16_length(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// The beginning of a text with at most so many UTF-16 units. A character that would be cut in two is left out.
pub fn first_units(text: &str, units: usize) -> &str {
    let ends = text.char_indices().scan(0, |passed, (place, c)| {
        *passed += c.len_utf16();
        Some((place, *passed))
    });
    let end = ends.into_iter().find(|(_, passed)| *passed > units);
    end.and_then(|(place, _)| text.get(..place)).unwrap_or(text)
}
