//! What a helper is, and what it is called with.

use super::budget::Problem;
use super::escape::Escape;
use super::heap::Heap;
use super::kinds::Change;
use super::values::Value;
use crate::error::shown;

/// What a helper is.
pub struct Helper {
    pub name: &'static str,
    /// Its arguments, those in brackets optional, `…` for any number, `name=` for those with a name.
    pub arguments: &'static str,
    pub form: Form,
    /// What it does, in a sentence.
    pub about: &'static str,
    /// Where that is documented.
    pub source: &'static str,
}

/// How a helper is used and what does its work.
#[derive(Clone, Copy)]
pub enum Form {
    /// `{{name …}}` and `(name …)`: gives a value.
    Value(ValueFn),
    /// The same, or `{{#name …}}…{{/name}}`, which shows what stands in it if the value is true.
    Condition(ValueFn),
    /// The same as a value, or `{{#name …}}…{{/name}}`, which changes what stands in it: its first argument.
    Content(ValueFn),
    /// What only the compiler can do, such as `if` and `set`.
    Language,
}

pub type ValueFn = for<'a> fn(&Call<'_, 'a>) -> Result<Value<'a>, Problem>;

/// What a helper is called with.
pub struct Call<'c, 'a> {
    pub args: &'c [Value<'a>],
    pub named: &'c [(&'a str, Value<'a>)],
    /// `this` where it is called.
    pub this: Value<'a>,
    /// The item and the index of the loop of elements around it, which are `$.item` and `$.index`.
    pub element: Option<[Value<'a>; 2]>,
    pub heap: &'c Heap<'a>,
    /// What is known of its first argument, if that stands in its block and is escaped later.
    pub change: Option<&'c Change>,
}

impl<'a> Call<'_, 'a> {
    /// The argument at this place, which is nothing if there is none.
    pub fn arg(&self, place: usize) -> Value<'a> {
        self.args.get(place).copied().unwrap_or(Value::Undefined)
    }

    pub fn named(&self, name: &str) -> Option<Value<'a>> {
        self.named.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }

    /// The argument at this place as it is printed: nothing is an empty text.
    pub fn printed(&self, place: usize) -> Result<&'a str, Problem> {
        let value = self.arg(place);
        if value.is_nothing() { Ok("") } else { value.text(self.heap) }
    }

    /// The first argument as it is printed. If it stands in the block and is escaped later, its parts are escaped like this.
    pub fn content(&self, escape: &Escape) -> Result<&'a str, Problem> {
        let text = self.printed(0)?;
        let Some(change) = self.change else { return Ok(text) };
        let mut escaped = String::with_capacity(text.len());
        self.heap.budget.bytes(text.len())?;
        change.stretches.escape(text, escape, &mut escaped);
        self.heap.text(&escaped)
    }

    /// What a name stands for here: a member of `this`, what was set, or a name at the top.
    pub fn find(&self, name: &str) -> Result<Value<'a>, Problem> {
        if let Some(value) = self.heap.assigned(self.this, name) {
            return Ok(value);
        }
        let of_this = if self.this.is_object() { self.this.member(name, self.heap)? } else { Value::Undefined };
        match of_this {
            Value::Undefined => self.find_at_top(name),
            value => Ok(value),
        }
    }

    /// What a name stands for at the top, and behind `$.`.
    pub fn find_at_top(&self, name: &str) -> Result<Value<'a>, Problem> {
        match self.heap.assigned(Value::Root, name) {
            Some(value) => Ok(value),
            None => Value::Root.member(name, self.heap),
        }
    }

    /// A text that was made.
    pub fn give(&self, text: &str) -> Result<Value<'a>, Problem> {
        self.heap.text(text).map(Value::Text)
    }
}

impl Helper {
    /// How many arguments it cannot do without.
    pub fn required(&self) -> usize {
        let is_needed = |word: &&str| !word.starts_with('[') && !word.ends_with('=') && *word != "…";
        self.arguments.split_whitespace().take_while(|word| !word.starts_with('[')).filter(is_needed).count()
    }
}

/// Helpers in groups, as a text is given them.
pub type Table = &'static [&'static [Helper]];

/// The helper of a name.
pub fn find(table: Table, name: &str) -> Option<&'static Helper> {
    table.iter().flat_map(|group| group.iter()).find(|helper| helper.name == name)
}

/// What is wrong with an argument.
pub fn expected(what: &str, found: Value<'_>) -> Problem {
    match found.as_text() {
        Some("") => Problem(format!("expected {what}, found an empty text")),
        Some(text) if shown(text).len() < text.len() => {
            Problem(format!("expected {what}, found the text {:?}…", shown(text)))
        }
        Some(text) => Problem(format!("expected {what}, found the text {text:?}")),
        None => Problem(format!("expected {what}, found {}", found.kind())),
    }
}
