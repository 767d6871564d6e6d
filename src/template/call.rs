//! What a helper is, and its arguments.

use hashbrown::HashMap;

use super::budget::Problem;
use super::change::TextChange;
use super::escape::Escape;
use super::heap::Heap;
use super::number;
use super::values::Value;
use crate::json::cut;

/// What a helper is.
pub struct Helper {
    pub name: &'static str,
    /// Its arguments: brackets for optional ones, `…` for any number, `name=` for named ones.
    pub arguments: &'static str,
    pub form: Form,
    /// What it does, in a sentence.
    pub about: &'static str,
    /// Where that is documented.
    pub source: &'static str,
    /// Checks of a call when its text is compiled.
    pub checks: &'static [CallCheck],
}

/// Checks of constants in a call: a call that can never work is refused before anything is sent.
#[derive(Clone, Copy)]
pub enum CallCheck {
    /// The argument of that name in [`Helper::arguments`]. A missing one is not checked.
    Argument(&'static str, for<'a> fn(Value<'a>, &Heap<'a>) -> Result<(), Problem>),
    /// All arguments together.
    Call(for<'a> fn(&KnownArguments<'_, 'a>) -> Result<(), Problem>),
}

/// The arguments of a call that are known before there are any data.
pub struct KnownArguments<'c, 'a> {
    /// `None`: only the data tell.
    pub args: &'c [Option<Value<'a>>],
    pub named: &'c [(&'a str, Option<Value<'a>>)],
    pub heap: &'c Heap<'a>,
}

impl<'a> KnownArguments<'_, 'a> {
    /// The argument at this place, `undefined` if there is none; `None` if only the data tell.
    pub fn arg(&self, place: usize) -> Option<Value<'a>> {
        self.args.get(place).copied().unwrap_or(Some(Value::Undefined))
    }

    /// The same by its name.
    pub fn named(&self, name: &str) -> Option<Value<'a>> {
        let given = self.named.iter().find(|(known, _)| *known == name);
        given.map_or(Some(Value::Undefined), |(_, value)| *value)
    }

    pub fn has_named(&self, name: &str) -> bool {
        self.named.iter().any(|(known, _)| *known == name)
    }

    /// The constant for a name in [`Helper::arguments`], if there is one.
    fn constant(&self, helper: &Helper, name: &str) -> Option<Value<'a>> {
        match name.strip_suffix('=') {
            Some(name) => self.named(name).filter(|_| self.has_named(name)),
            None => self.args.get(helper.place(name)?).copied().flatten(),
        }
    }
}

/// How a helper is used, and the function that does its work.
#[derive(Clone, Copy)]
pub enum Form {
    /// `{{name …}}` and `(name …)`: returns a value.
    Value(ValueFn),
    /// The same, or `{{#name …}}…{{/name}}`, which shows its content if the value is true.
    Condition(ValueFn),
    /// The same as a value, or `{{#name …}}…{{/name}}`, which changes its content: the first argument. One that makes a
    /// new text of it, rather than cut it, tells [`HelperCall::change`] what it made it from.
    Content(ValueFn),
    /// Only the compiler can do it.
    Language(Keyword),
}

/// The helpers that the compiler knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keyword {
    If,
    Unless,
    Each,
    With,
    Set,
    Intl,
}

pub type ValueFn = for<'a> fn(&HelperCall<'_, 'a>) -> Result<Value<'a>, Problem>;

/// The arguments of a helper.
pub struct HelperCall<'c, 'a> {
    pub args: &'c [Value<'a>],
    pub named: &'c [(&'a str, Value<'a>)],
    /// `this` where it is called.
    pub this: Value<'a>,
    /// The item and the index of the loop of elements around it, which are `$.item` and `$.index`.
    pub element: Option<[Value<'a>; 2]>,
    pub heap: &'c Heap<'a>,
    /// What is known of its first argument, if that is the content of its block and is escaped later.
    pub change: Option<&'c TextChange>,
}

impl<'a> HelperCall<'_, 'a> {
    /// The argument at this place, `undefined` if there is none.
    pub fn arg(&self, place: usize) -> Value<'a> {
        self.args.get(place).copied().unwrap_or(Value::Undefined)
    }

    pub fn named(&self, name: &str) -> Option<Value<'a>> {
        self.named.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }

    /// The argument at this place as it is printed.
    pub fn printed(&self, place: usize) -> Result<&'a str, Problem> {
        printed(self.arg(place), self.heap)
    }

    /// The first argument as it is printed. If it is the content of the block and is escaped later, its parts are
    /// escaped like this.
    pub fn content(&self, escape: &Escape) -> Result<&'a str, Problem> {
        let text = self.printed(0)?;
        let Some(change) = self.change else { return Ok(text) };
        let mut escaped = String::with_capacity(text.len());
        self.heap.budget.bytes(text.len())?;
        change.stretches.escape(text, escape, &mut escaped);
        self.heap.text(&escaped)
    }

    /// The value of a name here: a member of `this`, a value that was set, or a name at the top.
    pub fn find(&self, name: &str) -> Result<Value<'a>, Problem> {
        self.heap.budget.scanned(name.len())?;
        if let Some(value) = self.heap.assigned(self.this, name) {
            return Ok(value);
        }
        let of_this = if self.this.is_object() { self.this.member(name, self.heap)? } else { Value::Undefined };
        match of_this {
            Value::Undefined => self.find_at_top(name),
            value => Ok(value),
        }
    }

    /// The value of a name at the top, and behind `$.`.
    pub fn find_at_top(&self, name: &str) -> Result<Value<'a>, Problem> {
        match self.heap.assigned(Value::Root, name) {
            Some(value) => Ok(value),
            None => Value::Root.member(name, self.heap),
        }
    }

    /// Returns a new text.
    pub fn give(&self, text: &str) -> Result<Value<'a>, Problem> {
        self.heap.text(text).map(Value::Text)
    }
}

impl Helper {
    /// The number of required arguments.
    pub fn required(&self) -> usize {
        let is_needed = |word: &&str| !word.ends_with('=') && *word != "…";
        self.arguments.split_whitespace().take_while(|word| !word.starts_with('[')).filter(is_needed).count()
    }

    /// The place of the argument with that name among those without a name.
    fn place(&self, name: &str) -> Option<usize> {
        let words = self.arguments.split_whitespace().map(|word| word.trim_matches(['[', ']', '"']));
        words.filter(|word| !word.ends_with('=') && *word != "…").position(|word| word == name)
    }

    /// The first argument that is not as it must be, as far as that is known.
    pub fn check(&self, known: &KnownArguments<'_, '_>) -> Result<(), Problem> {
        self.checks.iter().try_for_each(|check| match check {
            CallCheck::Argument(name, check) => {
                known.constant(self, name).map_or(Ok(()), |value| check(value, known.heap))
            }
            CallCheck::Call(check) => check(known),
        })
    }
}

/// A value as it is printed: nothing is an empty text.
pub fn printed<'a>(value: Value<'a>, heap: &Heap<'a>) -> Result<&'a str, Problem> {
    if value.is_nothing() { Ok("") } else { value.text(heap) }
}

/// The helpers of a text. Every name in it is looked up here.
pub struct Helpers {
    all: Vec<&'static Helper>,
    by_name: HashMap<&'static str, &'static Helper>,
}

pub type Table = &'static Helpers;

impl Helpers {
    pub fn new(groups: impl IntoIterator<Item = &'static [Helper]>) -> Self {
        let all: Vec<&'static Helper> = groups.into_iter().flatten().collect();
        let by_name = all.iter().map(|helper| (helper.name, *helper)).collect();
        Helpers { all, by_name }
    }

    /// In the order of their groups.
    pub fn iter(&self) -> impl Iterator<Item = &'static Helper> {
        self.all.iter().copied()
    }

    /// The helper of a name.
    pub fn find(&self, name: &str) -> Option<&'static Helper> {
        self.by_name.get(name).copied()
    }
}

/// An error about an argument.
pub fn expected(what: &str, found: Value<'_>) -> Problem {
    Problem(format!("expected {what}, found {}", found_of(found)))
}

/// A value as an error shows it.
fn found_of(value: Value<'_>) -> String {
    match value {
        Value::Text("") | Value::Markup("") => "an empty text".to_owned(),
        Value::Text(text) | Value::Markup(text) => format!("the text {}", cut(text)),
        Value::Number(number) => {
            let mut out = "the number ".to_owned();
            number::write(number, &mut out);
            out
        }
        Value::Bool(flag) => flag.to_string(),
        value => value.kind().to_owned(),
    }
}

/// A text that lists these words as expected.
pub fn one_of(words: &[&str]) -> String {
    match words {
        [first @ .., last] if !first.is_empty() => format!("one of {} and {last}", first.join(", ")),
        words => words.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::CallCheck;
    use crate::template::HELPERS;

    #[test]
    fn checks_are_of_arguments_that_there_are() {
        for helper in HELPERS.iter().flat_map(|group| group.iter()) {
            for check in helper.checks {
                let CallCheck::Argument(name, _) = check else { continue };
                let is_named =
                    || helper.arguments.split_whitespace().any(|word| word.trim_matches(['[', ']']) == *name);
                assert!(helper.place(name).is_some() || name.ends_with('=') && is_named(), "{}: {name}", helper.name);
            }
        }
    }
}
