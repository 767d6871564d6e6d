//! Operations on values in conditions, besides comparisons: arithmetic, the functions of Jsonnet's `std` that people
//! use in conditions, and the tests of Courier's designer.

use std::cmp::Ordering;

use super::budget::Problem;
use super::heap::Heap;
use super::values::Value;

/// An operation on the last values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Negate,
    /// The member that the last value names.
    Member,
    /// Whether the last value, an object, has a member, or, a list, an item.
    In,
    Length,
    IsEmpty,
    ObjectHas,
    Contains,
    StartsWith,
    EndsWith,
    Lower,
    Upper,
    Test(ConditionTest),
}

/// The tests of Courier's designer. They compare with texts, whatever the property is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConditionTest {
    Equals,
    NotEquals,
    GreaterThan,
    LessThan,
    GreaterThanOrEquals,
    LessThanOrEquals,
    Contains,
    NotContains,
    IsEmpty,
    IsNotEmpty,
}

/// The functions, by what follows `std.`.
pub const FUNCTIONS: [(&str, Operation); 10] = [
    ("length", Operation::Length),
    ("isEmpty", Operation::IsEmpty),
    ("objectHas", Operation::ObjectHas),
    ("objectHasAll", Operation::ObjectHas),
    ("member", Operation::Contains),
    ("contains", Operation::Contains),
    ("startsWith", Operation::StartsWith),
    ("endsWith", Operation::EndsWith),
    ("asciiLower", Operation::Lower),
    ("asciiUpper", Operation::Upper),
];

impl Operation {
    /// How many values it takes.
    pub fn operands(self) -> usize {
        match self {
            Operation::Negate | Operation::Length | Operation::IsEmpty | Operation::Lower | Operation::Upper => 1,
            _ => 2,
        }
    }

    /// The result for `left` and `right`; a single value is `right`.
    pub fn of<'a>(self, left: Value<'a>, right: Value<'a>, heap: &Heap<'a>) -> Result<Value<'a>, Problem> {
        let numbers = |work: fn(f64, f64) -> f64| Ok(Value::Number(work(left.number(heap)?, right.number(heap)?)));
        match self {
            Operation::Add if left.as_text().is_some() || right.as_text().is_some() => {
                let (mut text, right) = (left.text(heap)?.to_owned(), right.text(heap)?);
                text.push_str(right);
                heap.text(&text).map(Value::Text)
            }
            Operation::Add => numbers(|a, b| a + b),
            Operation::Subtract => numbers(|a, b| a - b),
            Operation::Multiply => numbers(|a, b| a * b),
            Operation::Divide => numbers(|a, b| a / b),
            Operation::Remainder => numbers(|a, b| a % b),
            Operation::Negate => Ok(Value::Number(-right.number(heap)?)),
            Operation::Member => match left.is_nothing() {
                true => Ok(Value::Undefined),
                false => left.member(right.text(heap)?, heap),
            },
            Operation::In => has(right, left, heap).map(Value::Bool),
            Operation::ObjectHas | Operation::Contains => has(left, right, heap).map(Value::Bool),
            Operation::Length => length(right, heap).map(|length| Value::Number(length as f64)),
            Operation::IsEmpty => Ok(Value::Bool(length(right, heap)? == 0)),
            Operation::StartsWith => Ok(Value::Bool(left.text(heap)?.starts_with(right.text(heap)?))),
            Operation::EndsWith => Ok(Value::Bool(left.text(heap)?.ends_with(right.text(heap)?))),
            Operation::Lower => heap.text(&right.text(heap)?.to_ascii_lowercase()).map(Value::Text),
            Operation::Upper => heap.text(&right.text(heap)?.to_ascii_uppercase()).map(Value::Text),
            Operation::Test(test) => test.holds(left, right, heap).map(Value::Bool),
        }
    }
}

/// The number of items, members or characters.
fn length<'a>(value: Value<'a>, heap: &Heap<'a>) -> Result<usize, Problem> {
    match value {
        Value::Text(text) | Value::Markup(text) => {
            heap.budget.scanned(text.len())?;
            Ok(text.chars().count())
        }
        value if value.is_list() => Ok(value.items(heap)?.len()),
        value => Ok(value.members(heap)?.len()),
    }
}

/// Whether a list has an item, an object a member, or a text a part.
fn has<'a>(whole: Value<'a>, part: Value<'a>, heap: &Heap<'a>) -> Result<bool, Problem> {
    match whole {
        Value::Text(text) | Value::Markup(text) => {
            heap.budget.scanned(text.len())?;
            Ok(text.contains(part.text(heap)?))
        }
        whole if whole.is_list() => {
            for item in whole.items(heap)? {
                heap.budget.steps(1)?;
                if is_same(*item, part, heap)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        whole if whole.is_object() => Ok(!matches!(whole.member(part.text(heap)?, heap)?, Value::Undefined)),
        _ => Ok(false),
    }
}

/// Equal by JavaScript's `==`, or by their printed texts.
fn is_same<'a>(one: Value<'a>, other: Value<'a>, heap: &Heap<'a>) -> Result<bool, Problem> {
    if one.is_nothing() || other.is_nothing() {
        let is_blank = |value: Value<'_>| value.is_nothing() || value.as_text() == Some("");
        return Ok(is_blank(one) && is_blank(other));
    }
    Ok(one.is_equal(other, heap)? || one.text(heap)? == other.text(heap)?)
}

impl ConditionTest {
    fn holds<'a>(self, property: Value<'a>, value: Value<'a>, heap: &Heap<'a>) -> Result<bool, Problem> {
        let order = |is: fn(Ordering) -> bool| Ok(order(property, value, heap)?.is_some_and(is));
        match self {
            ConditionTest::Equals => is_same(property, value, heap),
            ConditionTest::NotEquals => is_same(property, value, heap).map(|it| !it),
            ConditionTest::GreaterThan => order(Ordering::is_gt),
            ConditionTest::LessThan => order(Ordering::is_lt),
            ConditionTest::GreaterThanOrEquals => order(Ordering::is_ge),
            ConditionTest::LessThanOrEquals => order(Ordering::is_le),
            ConditionTest::Contains => has(property, value, heap),
            ConditionTest::NotContains => has(property, value, heap).map(|it| !it),
            ConditionTest::IsEmpty => is_blank(property, heap),
            ConditionTest::IsNotEmpty => is_blank(property, heap).map(|it| !it),
        }
    }
}

/// Whether it is undefined, null, or an empty text, list or object.
fn is_blank<'a>(value: Value<'a>, heap: &Heap<'a>) -> Result<bool, Problem> {
    match value {
        Value::Undefined | Value::Null => Ok(true),
        Value::Bool(_) | Value::Number(_) => Ok(false),
        value => Ok(length(value, heap)? == 0),
    }
}

/// Two texts that are numbers are compared as numbers. A missing value is neither more nor less than anything.
fn order<'a>(property: Value<'a>, value: Value<'a>, heap: &Heap<'a>) -> Result<Option<Ordering>, Problem> {
    if property.is_nothing() {
        return Ok(None);
    }
    let is_blank = |value: Value<'_>| value.as_text().is_some_and(|text| text.trim().is_empty());
    let (one, other) = (property.number(heap)?, value.number(heap)?);
    if one.is_nan() || other.is_nan() || is_blank(property) || is_blank(value) {
        return property.order(value, heap);
    }
    Ok(one.partial_cmp(&other))
}
