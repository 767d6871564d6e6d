//! JSONPath, by which `path` and `var` name values: `$.orders[0].id`, `items[-1:]`, `..name`. As in Courier's own, a
//! name consists of letters, digits, `_` and `$`; any other name is in brackets and quotes. There are no filters.
//! Source: "JSON paths" of Courier's documentation, docs/platform/content/variables, and RFC 9535 for negative indexes
//! and slices.

use std::borrow::Cow;

use crate::template::budget::Problem;
use crate::template::call::HelperCall;
use crate::template::heap::Heap;
use crate::template::values::Value;

/// Longest path, in bytes.
const PATH_BYTES: usize = 1_000;
/// The most nested objects and lists that `..` searches.
const DEPTH: usize = 200;

#[derive(Debug)]
pub struct JsonPath<'p> {
    start: Start,
    steps: Vec<Step<'p>>,
}

/// What a path begins at.
#[derive(Clone, Copy, Debug)]
enum Start {
    Root,
    This,
    /// `this` if it leads somewhere from there, else the root.
    Anywhere,
}

#[derive(Debug)]
struct Step<'p> {
    /// After two dots: it also applies to everything inside the value.
    is_deep: bool,
    choice: Selector<'p>,
}

#[derive(Debug)]
enum Selector<'p> {
    Name(Cow<'p, str>),
    Index(i64),
    Slice { start: Option<i64>, end: Option<i64>, step: i64 },
    All,
    Union(Vec<Selector<'p>>),
}

impl<'p> JsonPath<'p> {
    /// `None` if it is not a path.
    pub fn parse(path: &'p str) -> Option<Self> {
        if path.len() > PATH_BYTES {
            return None;
        }
        let mut reader = Reader(path);
        let mut steps = Vec::new();
        let start = match (path.chars().next()?, path.as_bytes().get(1)) {
            (sign @ ('$' | '@'), None | Some(b'.' | b'[')) => {
                reader.0 = path.get(1..)?;
                if sign == '$' { Start::Root } else { Start::This }
            }
            ('[', _) | ('.', Some(b'.')) => Start::Anywhere,
            _ => {
                steps.push(Step { is_deep: false, choice: reader.name_or_all()? });
                Start::Anywhere
            }
        };
        while !reader.0.is_empty() {
            steps.push(reader.step()?);
        }
        Some(JsonPath { start, steps })
    }

    /// Its value: a single value if it can only have one, else a list of all. Undefined if there is none.
    pub fn find<'a>(&self, call: &HelperCall<'_, 'a>) -> Result<Value<'a>, Problem> {
        match (self.start, self.steps.as_slice()) {
            (Start::Root, [Step { is_deep: false, choice: Selector::Name(name) }, rest @ ..]) => {
                let first = match (name.as_ref(), call.element) {
                    ("item", Some([item, _])) => item,
                    ("index", Some([_, index])) => index,
                    (name, _) => call.find_at_top(name)?,
                };
                follow(rest, first, call.heap)
            }
            (Start::Root, steps) => follow(steps, Value::Root, call.heap),
            (Start::This, steps) => follow(steps, call.this, call.heap),
            (Start::Anywhere, [Step { is_deep: false, choice: Selector::Name(name) }, rest @ ..]) => {
                let first = match call.this.is_list() {
                    true => call.this.member(name, call.heap)?,
                    false => Value::Undefined,
                };
                let first = if matches!(first, Value::Undefined) { call.find(name)? } else { first };
                follow(rest, first, call.heap)
            }
            (Start::Anywhere, steps) => match follow(steps, call.this, call.heap)? {
                Value::Undefined => follow(steps, Value::Root, call.heap),
                value => Ok(value),
            },
        }
    }

    /// Its value from a starting value, whatever it begins with.
    pub fn find_in<'a>(&self, value: Value<'a>, heap: &Heap<'a>) -> Result<Value<'a>, Problem> {
        follow(&self.steps, value, heap)
    }
}

/// What is left to read of a path.
struct Reader<'p>(&'p str);

impl<'p> Reader<'p> {
    fn take(&mut self, sign: &str) -> bool {
        let rest = self.0.strip_prefix(sign);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn take_while(&mut self, is_part: fn(char) -> bool) -> &'p str {
        let end = self.0.find(|c| !is_part(c)).unwrap_or(self.0.len());
        let (taken, rest) = self.0.split_at(end);
        self.0 = rest;
        taken
    }

    fn step(&mut self) -> Option<Step<'p>> {
        let is_deep = self.take("..");
        let choice = if self.take("[") {
            self.bracket()?
        } else if is_deep || self.take(".") {
            self.name_or_all()?
        } else {
            return None;
        };
        Some(Step { is_deep, choice })
    }

    fn name_or_all(&mut self) -> Option<Selector<'p>> {
        if self.take("*") {
            return Some(Selector::All);
        }
        let name = self.take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '$'));
        (!name.is_empty()).then_some(Selector::Name(Cow::Borrowed(name)))
    }

    /// The content of brackets, with the closing one.
    fn bracket(&mut self) -> Option<Selector<'p>> {
        let mut choices = Vec::new();
        loop {
            self.take_while(|c| c == ' ');
            choices.push(self.choice()?);
            self.take_while(|c| c == ' ');
            if self.take("]") {
                break;
            }
            if !self.take(",") {
                return None;
            }
        }
        if choices.len() == 1 { choices.pop() } else { Some(Selector::Union(choices)) }
    }

    fn choice(&mut self) -> Option<Selector<'p>> {
        if self.take("*") {
            return Some(Selector::All);
        }
        for quote in ["\"", "'"] {
            if self.take(quote) {
                return self.quoted(quote).map(Selector::Name);
            }
        }
        let start = self.integer()?;
        if !self.take(":") {
            return start.map(Selector::Index);
        }
        let end = self.integer()?;
        let step = if self.take(":") { self.integer()? } else { None };
        Some(Selector::Slice { start, end, step: step.unwrap_or(1) })
    }

    /// The text before the closing quote. A backslash escapes the next character.
    fn quoted(&mut self, quote: &str) -> Option<Cow<'p, str>> {
        let mut name = Cow::Borrowed("");
        loop {
            let end = self.0.find(|c| c == '\\' || quote.starts_with(c))?;
            let (part, rest) = self.0.split_at(end);
            self.0 = rest;
            name += part;
            if self.take(quote) {
                return Some(name);
            }
            self.take("\\");
            let escaped = self.0.chars().next()?;
            name.to_mut().push(escaped);
            self.0 = self.0.get(escaped.len_utf8()..)?;
        }
    }

    /// A whole number; `None` in it if there is none here.
    fn integer(&mut self) -> Option<Option<i64>> {
        let digits = self.take_while(|c| c.is_ascii_digit() || c == '-');
        if digits.is_empty() { Some(None) } else { digits.parse().ok().map(Some) }
    }
}

fn follow<'a>(steps: &[Step<'_>], value: Value<'a>, heap: &Heap<'a>) -> Result<Value<'a>, Problem> {
    // Parsing the path took as much.
    heap.budget.steps(steps.len())?;
    let mut value = value;
    for (place, step) in steps.iter().enumerate() {
        value = match &step.choice {
            Selector::Name(name) if !step.is_deep => member(value, name, heap)?,
            Selector::Index(index) if !step.is_deep => item(value, *index, heap)?,
            _ => return follow_all(steps.get(place..).unwrap_or_default(), value, heap),
        };
        if matches!(value, Value::Undefined) {
            break;
        }
    }
    Ok(value)
}

/// Follows steps that may lead to several values.
fn follow_all<'a>(steps: &[Step<'_>], value: Value<'a>, heap: &Heap<'a>) -> Result<Value<'a>, Problem> {
    let mut found = Found { values: vec![value], heap };
    for step in steps {
        let before = std::mem::take(&mut found.values);
        for value in before {
            match step.is_deep {
                true => found.deep(&step.choice, value, 0)?,
                false => found.choose(&step.choice, value)?,
            }
        }
    }
    match found.values.as_slice() {
        [] => Ok(Value::Undefined),
        values => heap.list(values).map(Value::List),
    }
}

struct Found<'h, 'a> {
    values: Vec<Value<'a>>,
    heap: &'h Heap<'a>,
}

impl<'a> Found<'_, 'a> {
    fn add(&mut self, value: Value<'a>) -> Result<(), Problem> {
        self.heap.budget.steps(1)?;
        if !matches!(value, Value::Undefined) {
            self.heap.budget.bytes(size_of::<Value<'_>>())?;
            self.values.push(value);
        }
        Ok(())
    }

    fn choose(&mut self, choice: &Selector<'_>, value: Value<'a>) -> Result<(), Problem> {
        match choice {
            Selector::Name(name) => self.add(member(value, name, self.heap)?),
            Selector::Index(index) => self.add(item(value, *index, self.heap)?),
            Selector::Slice { start, end, step } => {
                slice(value.items(self.heap)?, *start, *end, *step).try_for_each(|value| self.add(value))
            }
            Selector::All => children(value, self.heap)?.try_for_each(|value| self.add(value)),
            Selector::Union(choices) => choices.iter().try_for_each(|choice| self.choose(choice, value)),
        }
    }

    fn deep(&mut self, choice: &Selector<'_>, value: Value<'a>, depth: usize) -> Result<(), Problem> {
        if depth > DEPTH {
            return Err(Problem(format!("the path goes through more than {DEPTH} nested objects and lists")));
        }
        self.heap.budget.steps(1)?;
        self.choose(choice, value)?;
        for value in children(value, self.heap)?.filter(|value| value.is_list() || value.is_object()) {
            self.deep(choice, value, depth + 1)?;
        }
        Ok(())
    }
}

/// A member of an object, including one that was set on it, or of a list. A text only has its length.
fn member<'a>(value: Value<'a>, name: &str, heap: &Heap<'a>) -> Result<Value<'a>, Problem> {
    match heap.assigned(value, name) {
        Some(assigned) => Ok(assigned),
        None if value.as_text().is_some() && name != "length" => Ok(Value::Undefined),
        None => value.member(name, heap),
    }
}

/// An item of a list, from its end if the index is negative.
fn item<'a>(value: Value<'a>, index: i64, heap: &Heap<'a>) -> Result<Value<'a>, Problem> {
    if !value.is_list() {
        return member(value, &index.to_string(), heap);
    }
    let items = value.items(heap)?;
    let from_end = usize::try_from(index.unsigned_abs()).ok().and_then(|back| items.len().checked_sub(back));
    let place = if index < 0 { from_end } else { usize::try_from(index).ok() };
    Ok(place.and_then(|place| items.get(place)).copied().unwrap_or(Value::Undefined))
}

/// The items of a list or the values of an object.
fn children<'a>(value: Value<'a>, heap: &Heap<'a>) -> Result<impl Iterator<Item = Value<'a>>, Problem> {
    let members = if value.is_object() { value.members(heap)? } else { &[] };
    Ok(value.items(heap)?.iter().copied().chain(members.iter().map(|(_, value)| *value)))
}

/// Some of a list's items, as RFC 9535 says in 2.3.4.2.
fn slice<'a>(
    items: &'a [Value<'a>],
    start: Option<i64>,
    end: Option<i64>,
    step: i64,
) -> impl Iterator<Item = Value<'a>> {
    let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
    let (lowest, highest) = if step >= 0 { (0, length) } else { (-1, length - 1) };
    let (first, last) = if step >= 0 { (lowest, highest) } else { (highest, lowest) };
    let bound = |bound: Option<i64>, without: i64| match bound {
        Some(bound) if bound < 0 => bound.saturating_add(length).clamp(lowest, highest.max(lowest)),
        Some(bound) => bound.clamp(lowest, highest.max(lowest)),
        None => without,
    };
    let (start, end) = (bound(start, first), bound(end, last));
    let is_before_end = move |place: &i64| if step > 0 { *place < end } else { step < 0 && *place > end };
    std::iter::successors(Some(start), move |place| place.checked_add(step))
        .take_while(is_before_end)
        .filter_map(|place| items.get(usize::try_from(place).ok()?).copied())
}

#[cfg(test)]
mod tests {
    use super::JsonPath;
    use crate::template::helpers::testing::printed_in;

    const DATA: &str = r#"{
        "name": "top", "first-name": "Ann", "list": [1, 2, 3, [4, 5]], "empty": [], "zero": 0, "none": null,
        "orders": [{"id": "A", "lines": [{"id": 7}]}, {"id": "B", "total": 2.5}],
        "odd": {"a b": 1, "it's": 2, "]": 3, "0": "nought", "length": 9}, "text": "word",
        "user": {"name": "scope", "pets": ["cat", "dog"]}
    }"#;

    #[test]
    fn paths_lead_to_values() {
        for (path, expected) in [
            ("name", "top"),
            ("$.name", "top"),
            ("$['name']", "top"),
            (r#"$["first-name"]"#, "Ann"),
            ("list[0]", "1"),
            ("list.0", "1"),
            ("list[-1]", "4,5"),
            ("list[3][1]", "5"),
            ("list[9]", ""),
            ("list[-9]", ""),
            ("list[-9223372036854775808]", ""),
            ("list.length", "4"),
            ("empty.length", "0"),
            ("text.length", "4"),
            ("text[0]", ""),
            ("zero", "0"),
            ("none", ""),
            ("none.x", ""),
            ("orders[1].total", "2.5"),
            ("orders[0].lines[0].id", "7"),
            ("odd['a b']", "1"),
            (r"odd['it\'s']", "2"),
            (r#"odd["it's"]"#, "2"),
            ("odd[ ']' ]", "3"),
            ("odd[0]", "nought"),
            ("odd.length", "9"),
            ("$", "[object Object]"),
            ("list[*]", "1,2,3,4,5"),
            ("orders[*].id", "A,B"),
            ("orders.*.id", "A,B"),
            ("odd.*", "nought,1,2,3,9"),
            ("orders..id", "A,7,B"),
            ("orders..['id','total']", "A,7,B,2.5"),
            ("orders..[0].id", "A,7"),
            ("list[0,2]", "1,3"),
            ("list[0, -2]", "1,3"),
            ("list[-1:]", "4,5"),
            ("list[:2]", "1,2"),
            ("list[1:3]", "2,3"),
            ("list[::2]", "1,3"),
            ("list[2::-1]", "3,2,1"),
            ("list[::-2]", "4,5,2"),
            ("list[5:]", ""),
            ("list[::0]", ""),
            ("list[-99:99]", "1,2,3,4,5"),
            ("list[9223372036854775807:]", ""),
            ("list[:-9223372036854775808:-9223372036854775807]", "4,5"),
            ("empty[*]", ""),
            ("$..pets[1]", "dog"),
            ("user.pets.length", "2"),
        ] {
            assert_eq!(printed_in(DATA, "$", &format!("path {path:?}")).as_deref(), Ok(expected), "{path}");
        }
    }

    #[test]
    fn paths_begin_in_the_scope() {
        for (path, expected) in [
            ("name", "scope"),
            ("$.name", "top"),
            ("@.name", "scope"),
            ("@['name']", "scope"),
            ("@", "[object Object]"),
            ("pets[0]", "cat"),
            ("text", "word"),
            ("@.text", ""),
            ("$.pets", ""),
        ] {
            assert_eq!(printed_in(DATA, "user", &format!("path {path:?}")).as_deref(), Ok(expected), "{path}");
        }
        assert_eq!(printed_in(DATA, "user.pets", "path \"[1]\"").as_deref(), Ok("dog"));
        assert_eq!(printed_in(DATA, "user.pets", "path \"length\"").as_deref(), Ok("2"));
        assert_eq!(printed_in(DATA, "list[0]", "path \"@\"").as_deref(), Ok("1"));
        assert_eq!(printed_in(DATA, "list[0]", "path \"name\"").as_deref(), Ok("top"));
    }

    #[test]
    fn what_is_no_path_is_told_apart() {
        for path in [
            "",
            "first-name",
            "a b",
            " a",
            "a.",
            "a..",
            ".",
            "..",
            ".a",
            "a.[0]",
            "a[",
            "a[]",
            "a[0",
            "a[b]",
            "a['b]",
            "a['b\\",
            "$a-b",
            "@index",
            "$.",
            "a[1:2:3:4]",
            "a[1-2]",
            "a[?(@.x)]",
            "a[(@.length-1)]",
            "a[0,]",
            "é",
            "a[99999999999999999999]",
            "a['b'c]",
            "a]",
            "**",
            "a*",
        ] {
            assert!(JsonPath::parse(path).is_none(), "{path}");
        }
        assert!(JsonPath::parse(&"a".repeat(1_000)).is_some());
        assert!(JsonPath::parse(&"a".repeat(1_001)).is_none());
        assert!(JsonPath::parse("$name.x").is_some());
    }

    #[test]
    fn paths_that_multiply_end() {
        let nested = format!("{{\"a\":{}1{}}}", "[".repeat(150), "]".repeat(150));
        let problem = printed_in(&nested, "$", "path \"$..*..*..*..*..*..*\"").unwrap_err();
        assert!(problem.contains("more than"), "{problem}");
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(5_000), "]".repeat(5_000));
        let problem = printed_in(&deep, "$", "path \"$..b\"").unwrap_err();
        assert_eq!(problem, "the path goes through more than 200 nested objects and lists");
    }
}
