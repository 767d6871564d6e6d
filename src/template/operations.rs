//! JavaScript's operations on values: members, texts, numbers, comparisons. All work is charged to the budget.

use std::cmp::Ordering;

use super::budget::{Problem, TEXT_BYTES};
use super::heap::{Heap, in_order};
use super::number;
use super::values::{MemberList, Value, utf16_length};
use crate::json::scan::Items;

/// The most nested lists that are printed.
const DEPTH: usize = 200;
/// The printed form of an object.
const OBJECT: &str = "[object Object]";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    Equal { strict: bool, negated: bool },
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    /// The comparison of a sign in JavaScript.
    pub fn of(sign: &str) -> Option<Self> {
        Some(match sign {
            "==" | "===" | "!=" | "!==" => {
                Comparison::Equal { strict: sign.len() == 3, negated: sign.starts_with('!') }
            }
            "<" => Comparison::Less,
            "<=" => Comparison::LessOrEqual,
            ">" => Comparison::Greater,
            ">=" => Comparison::GreaterOrEqual,
            _ => return None,
        })
    }

    pub fn holds<'a>(self, left: Value<'a>, right: Value<'a>, heap: &Heap<'a>) -> Result<bool, Problem> {
        let order = |is: fn(Ordering) -> bool| Ok(left.order(right, heap)?.is_some_and(is));
        match self {
            Comparison::Equal { strict: true, negated } => Ok(left.is_identical(right, heap)? != negated),
            Comparison::Equal { strict: false, negated } => Ok(left.is_equal(right, heap)? != negated),
            Comparison::Less => order(Ordering::is_lt),
            Comparison::LessOrEqual => order(Ordering::is_le),
            Comparison::Greater => order(Ordering::is_gt),
            Comparison::GreaterOrEqual => order(Ordering::is_ge),
        }
    }
}

impl<'a> Value<'a> {
    /// The member of an object, the item of a list, the character of a text, or a length.
    pub fn member(self, name: &str, heap: &Heap<'a>) -> Result<Value<'a>, Problem> {
        heap.budget.scanned(name.len())?;
        match self {
            Value::JsonObject(object) => heap.member_of(object, name),
            Value::Object(members) => heap.member_in(members, name).map(|found| found.unwrap_or(Value::Undefined)),
            Value::Root => heap.root.find(name, heap),
            Value::RootWith(members) => heap.member_in(members, name)?.map_or_else(|| heap.root.find(name, heap), Ok),
            Value::List(_) | Value::JsonList(_) if name == "length" => {
                Ok(Value::Number(self.items(heap)?.len() as f64))
            }
            Value::List(_) | Value::JsonList(_) => match number::index(name) {
                Some(index) => Ok(self.items(heap)?.get(index as usize).copied().unwrap_or(Value::Undefined)),
                None => Ok(Value::Undefined),
            },
            Value::Text(text) | Value::Markup(text) => {
                heap.budget.scanned(text.len())?;
                if name == "length" {
                    return Ok(Value::Number(utf16_length(text) as f64));
                }
                let Some(index) = number::index(name) else { return Ok(Value::Undefined) };
                match text.encode_utf16().nth(index as usize) {
                    // Half of a surrogate pair cannot be written in UTF-8.
                    Some(unit) => Ok(Value::Text(heap.text(&String::from_utf16_lossy(&[unit]))?)),
                    None => Ok(Value::Undefined),
                }
            }
            _ => Ok(Value::Undefined),
        }
    }

    /// Whether it counts as empty for `if`, `unless` and `with`: values that are not true, except zero, and empty
    /// lists.
    pub fn is_empty(self, heap: &Heap<'a>) -> Result<bool, Problem> {
        Ok(match self {
            Value::Number(number) => number.is_nan(),
            Value::List(items) => items.is_empty(),
            Value::JsonList(list) => {
                let inside = list.strip_prefix('[').unwrap_or_default();
                let first = inside.trim_start();
                heap.budget.scanned(inside.len() - first.len())?;
                first.starts_with(']')
            }
            value => !value.is_truthy(),
        })
    }

    /// Whether it holds in a condition: as in JavaScript, except that an empty list does not, as in Handlebars' own
    /// `if`.
    pub fn holds(self, heap: &Heap<'a>) -> Result<bool, Problem> {
        Ok(self.is_truthy() && !self.is_empty(heap)?)
    }

    /// The items of a list; none for anything else.
    pub fn items(self, heap: &Heap<'a>) -> Result<&'a [Value<'a>], Problem> {
        match self {
            Value::List(items) => Ok(items),
            Value::JsonList(list) => heap.items_of(list),
            _ => Ok(&[]),
        }
    }

    /// The members of an object, the items of a list by their indexes, the characters of a text by theirs; none for
    /// anything else.
    pub fn members(self, heap: &Heap<'a>) -> Result<MemberList<'a>, Problem> {
        match self {
            Value::Object(members) => Ok(members),
            Value::JsonObject(object) => heap.members_of(object),
            Value::Root => heap.root_members(),
            Value::RootWith(members) => {
                let of_root = heap.root_members()?;
                heap.budget.bytes(size_of_val(of_root) + size_of_val(members))?;
                heap.object(&in_order(of_root.iter().chain(members).copied().collect()))
            }
            Value::List(_) | Value::JsonList(_) => heap.object(&numbered(self.items(heap)?.iter().copied(), heap)?),
            Value::Text(text) | Value::Markup(text) => {
                heap.budget.bytes(utf16_length(text) * size_of::<(&str, Value<'_>)>())?;
                let mut characters = Vec::new();
                for unit in text.encode_utf16() {
                    characters.push(Value::Text(heap.text(&String::from_utf16_lossy(&[unit]))?));
                }
                heap.object(&numbered(characters.into_iter(), heap)?)
            }
            _ => Ok(&[]),
        }
    }

    /// Writes it as a text prints it: undefined and null are empty.
    pub fn print(&self, heap: &Heap<'a>, out: &mut String) -> Result<(), Problem> {
        if self.is_nothing() { Ok(()) } else { self.write(heap, out) }
    }

    /// Writes it as JavaScript's `String(value)`.
    pub fn write(&self, heap: &Heap<'a>, out: &mut String) -> Result<(), Problem> {
        self.write_at(0, heap, out)
    }

    fn write_at(&self, depth: usize, heap: &Heap<'a>, out: &mut String) -> Result<(), Problem> {
        if depth > DEPTH {
            return Err(Problem(format!("a list is nested deeper than {DEPTH} levels")));
        }
        let start = out.len();
        match *self {
            Value::Undefined => out.push_str("undefined"),
            Value::Null => out.push_str("null"),
            Value::Bool(flag) => out.push_str(if flag { "true" } else { "false" }),
            Value::Number(number) => number::write(number, out),
            Value::Text(text) | Value::Markup(text) => out.push_str(text),
            Value::JsonObject(_) | Value::Object(_) | Value::Root | Value::RootWith(_) => {
                out.push_str(self.object_text(heap)?);
            }
            Value::List(items) => write_items(items.iter().copied().map(Ok), depth, heap, out)?,
            Value::JsonList(list) => {
                heap.budget.scanned(list.len())?;
                write_items(Items::of(list).map(|raw| heap.json(raw)), depth, heap, out)?;
            }
        }
        heap.budget.bytes(out.len() - start)
    }

    /// JavaScript's `String(value)`.
    pub fn text(self, heap: &Heap<'a>) -> Result<&'a str, Problem> {
        match self {
            Value::Text(text) | Value::Markup(text) => Ok(text),
            Value::Undefined => Ok("undefined"),
            Value::Null => Ok("null"),
            Value::Bool(true) => Ok("true"),
            Value::Bool(false) => Ok("false"),
            value if value.is_object() => value.object_text(heap),
            value => {
                let mut text = String::new();
                value.write(heap, &mut text)?;
                heap.text(&text)
            }
        }
    }

    /// The printed form of an object. JavaScript cannot print one with a `toString` member that is not a function.
    fn object_text(self, heap: &Heap<'a>) -> Result<&'static str, Problem> {
        match self.member("toString", heap)? {
            Value::Undefined => Ok(OBJECT),
            _ => Err(Problem::new("expected a value that can be printed, found an object with a member 'toString'")),
        }
    }

    /// JavaScript's `Number(value)`.
    pub fn number(self, heap: &Heap<'a>) -> Result<f64, Problem> {
        Ok(match self {
            Value::Undefined => f64::NAN,
            Value::Null => 0.0,
            Value::Bool(flag) => f64::from(u8::from(flag)),
            Value::Number(number) => number,
            Value::Text(text) | Value::Markup(text) => {
                heap.budget.scanned(text.len())?;
                number::of_text(text)
            }
            value if value.is_list() => number::of_text(value.text(heap)?),
            _ => f64::NAN,
        })
    }

    /// JavaScript's `===`. Objects and lists only equal themselves.
    pub fn is_identical(self, other: Value<'a>, heap: &Heap<'a>) -> Result<bool, Problem> {
        Ok(match (self.unmarked(), other.unmarked()) {
            (Value::Undefined, Value::Undefined) | (Value::Null, Value::Null) | (Value::Root, Value::Root) => true,
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Number(a), Value::Number(b)) => a == b,
            (Value::Text(a), Value::Text(b)) => {
                heap.budget.scanned(a.len().min(b.len()))?;
                a == b
            }
            (Value::JsonList(a), Value::JsonList(b)) | (Value::JsonObject(a), Value::JsonObject(b)) => {
                std::ptr::eq(a.as_ptr(), b.as_ptr())
            }
            (Value::List(a), Value::List(b)) => std::ptr::eq(a, b),
            (Value::Object(a), Value::Object(b)) | (Value::RootWith(a), Value::RootWith(b)) => std::ptr::eq(a, b),
            _ => false,
        })
    }

    /// JavaScript's `==`.
    pub fn is_equal(self, other: Value<'a>, heap: &Heap<'a>) -> Result<bool, Problem> {
        if self.is_nothing() || other.is_nothing() {
            return Ok(self.is_nothing() && other.is_nothing());
        }
        let is_compound = |value: Value<'_>| value.is_list() || value.is_object();
        match (self, other) {
            (a, b) if is_compound(a) && is_compound(b) => a.is_identical(b, heap),
            (a, b) if is_compound(a) => Value::Text(a.text(heap)?).is_equal(b, heap),
            (a, b) if is_compound(b) => a.is_equal(Value::Text(b.text(heap)?), heap),
            (a, b) if a.as_text().is_some() && b.as_text().is_some() => self.is_identical(other, heap),
            (a, b) => Ok(a.number(heap)? == b.number(heap)?),
        }
    }

    /// The result of JavaScript's `<` and `>`; `None` if neither holds and they are not equal either.
    pub fn order(self, other: Value<'a>, heap: &Heap<'a>) -> Result<Option<Ordering>, Problem> {
        let primitive = |value: Value<'a>| match value {
            value if value.is_list() || value.is_object() => value.text(heap).map(Value::Text),
            value => Ok(value.unmarked()),
        };
        match (primitive(self)?, primitive(other)?) {
            (Value::Text(a), Value::Text(b)) => {
                heap.budget.scanned(a.len().min(b.len()))?;
                Ok(Some(a.encode_utf16().cmp(b.encode_utf16())))
            }
            (a, b) => Ok(a.number(heap)?.partial_cmp(&b.number(heap)?)),
        }
    }
}

fn numbered<'a>(
    values: impl Iterator<Item = Value<'a>>,
    heap: &Heap<'a>,
) -> Result<Vec<(&'a str, Value<'a>)>, Problem> {
    values.enumerate().map(|(index, value)| Ok((heap.text(&index.to_string())?, value))).collect()
}

fn write_items<'a>(
    items: impl Iterator<Item = Result<Value<'a>, Problem>>,
    depth: usize,
    heap: &Heap<'a>,
    out: &mut String,
) -> Result<(), Problem> {
    for (index, item) in items.enumerate() {
        heap.budget.steps(1)?;
        if index > 0 {
            out.push(',');
        }
        let item = item?;
        if !item.is_nothing() {
            item.write_at(depth + 1, heap, out)?;
        }
        if out.len() > 2 * TEXT_BYTES {
            return Err(Problem::too_long());
        }
    }
    Ok(())
}
