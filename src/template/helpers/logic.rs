//! Helpers about truth and comparisons.

use super::data::{is_path, path_of};
use super::json_path::JsonPath;
use crate::template::budget::Problem;
use crate::template::call::{CallCheck, Form, Helper, HelperCall, KnownArguments, expected, one_of};
use crate::template::heap::Heap;
use crate::template::operations::Comparison;
use crate::template::values::Value;

const PAGE: &str = "docs/platform/content/template-designer/handlebars-helpers";
const PREVIEW: &str = "courier-designer's preview helpers";

pub const HELPERS: &[Helper] = &[
    Helper {
        name: "and",
        arguments: "…",
        form: Form::Condition(|call| Ok(Value::Bool(call.args.iter().all(|value| value.is_truthy())))),
        about: "Whether all are true for JavaScript, which takes empty lists and objects for true.",
        source: PAGE,
        checks: &[],
    },
    Helper {
        name: "or",
        arguments: "…",
        form: Form::Condition(|call| Ok(Value::Bool(call.args.iter().any(|value| value.is_truthy())))),
        about: "Whether one is true for JavaScript, which takes empty lists and objects for true.",
        source: PAGE,
        checks: &[],
    },
    Helper {
        name: "not",
        arguments: "value",
        form: Form::Condition(not),
        about: "Whether it is false, nothing, `\"\"`, `0` or an empty list.",
        source: PAGE,
        checks: &[],
    },
    Helper {
        name: "condition",
        arguments: "left operator right",
        form: Form::Condition(condition),
        about: "Compares two values: `==` and `===` are both strict, so are `!=` and `!==`; `<`, `<=`, `>` and `>=` \
                are JavaScript's.",
        source: PAGE,
        checks: &[CallCheck::Argument("operator", is_comparison)],
    },
    Helper {
        name: "conditional",
        arguments: "[logicalOperator=] [behavior=] …",
        form: Form::Condition(conditional),
        about: "Whether all are true, or with `logicalOperator=\"or\"` one. As a block it hides what stands in it if \
                so, and with `behavior=\"show\"` shows it.",
        source: PAGE,
        checks: &[CallCheck::Argument("logicalOperator=", is_join), CallCheck::Argument("behavior=", is_behavior)],
    },
    Helper {
        name: "filter",
        arguments: "source \"path\" operator [value]",
        form: Form::Condition(filter),
        about: "Compares what the path leads to, in the profile if the source is `\"profile\"`: EQUALS, NOT_EQUALS, \
                CONTAINS, NOT_CONTAINS, GREATER_THAN, GREATER_THAN_EQUALS, LESS_THAN, LESS_THAN_EQUALS, \
                IS_EMPTY, NOT_EMPTY.",
        source: PAGE,
        checks: &[
            CallCheck::Argument("path", is_path),
            CallCheck::Argument("operator", is_filter),
            CallCheck::Call(has_part),
        ],
    },
    Helper {
        name: "contains",
        arguments: "text [part]",
        form: Form::Condition(contains),
        about: "Whether the part is in the text.",
        source: PREVIEW,
        checks: &[],
    },
    Helper {
        name: "default",
        arguments: "value [other]",
        form: Form::Value(default),
        about: "The value, or the one behind it if there is none. An empty text, a zero and `false` are values.",
        source: PAGE,
        checks: &[],
    },
];

fn not<'a>(call: &HelperCall<'_, 'a>) -> Result<Value<'a>, Problem> {
    let value = call.arg(0);
    Ok(Value::Bool(!value.is_truthy() || value.is_list() && value.is_empty(call.heap)?))
}

/// The comparisons of `condition`.
const COMPARISONS: [&str; 8] = ["==", "===", "!=", "!==", "<", "<=", ">", ">="];

fn is_comparison<'a>(sign: Value<'a>, _: &Heap<'a>) -> Result<(), Problem> {
    comparison_of(sign).map(drop)
}

fn is_one_of(words: &[&str], value: Value<'_>) -> Result<(), Problem> {
    match value.as_text().is_some_and(|text| words.contains(&text)) {
        true => Ok(()),
        false => Err(expected(&one_of(words), value)),
    }
}

/// The comparison of a sign. Here `==` is strict as well.
fn comparison_of(sign: Value<'_>) -> Result<Comparison, Problem> {
    match sign.as_text().and_then(Comparison::of) {
        Some(Comparison::Equal { negated, .. }) => Ok(Comparison::Equal { strict: true, negated }),
        Some(comparison) => Ok(comparison),
        None => Err(expected(&one_of(&COMPARISONS), sign)),
    }
}

fn condition<'a>(call: &HelperCall<'_, 'a>) -> Result<Value<'a>, Problem> {
    comparison_of(call.arg(1))?.holds(call.arg(0), call.arg(2), call.heap).map(Value::Bool)
}

/// Whether the second of two words was chosen; the first is, if none was.
fn chosen(name: &str, [first, second]: [&str; 2], value: Value<'_>) -> Result<bool, Problem> {
    match value.as_text() {
        None if value.is_nothing() => Ok(false),
        Some(text) if text == first || text == second => Ok(text == second),
        _ => Err(expected(&format!("\"{first}\" or \"{second}\" for {name}"), value)),
    }
}

fn join(value: Value<'_>) -> Result<bool, Problem> {
    chosen("logicalOperator", ["and", "or"], value)
}

fn is_join<'a>(value: Value<'a>, _: &Heap<'a>) -> Result<(), Problem> {
    join(value).map(drop)
}

fn is_behavior<'a>(value: Value<'a>, _: &Heap<'a>) -> Result<(), Problem> {
    chosen("behavior", ["hide", "show"], value).map(drop)
}

fn conditional<'a>(call: &HelperCall<'_, 'a>) -> Result<Value<'a>, Problem> {
    let named = |name: &str| call.named(name).unwrap_or(Value::Undefined);
    let is_or = join(named("logicalOperator"))?;
    // As a block, it is the compiler's work.
    is_behavior(named("behavior"), call.heap)?;
    let (mut values, is_truthy) = (call.args.iter(), |value: &Value<'_>| value.is_truthy());
    Ok(Value::Bool(if is_or { values.any(is_truthy) } else { values.all(is_truthy) }))
}

/// The tests of `filter`.
const FILTERS: [&str; 10] = [
    "EQUALS",
    "NOT_EQUALS",
    "CONTAINS",
    "NOT_CONTAINS",
    "GREATER_THAN",
    "GREATER_THAN_EQUALS",
    "LESS_THAN",
    "LESS_THAN_EQUALS",
    "IS_EMPTY",
    "NOT_EMPTY",
];

/// CONTAINS needs something to look for.
fn has_part(known: &KnownArguments<'_, '_>) -> Result<(), Problem> {
    let looks = known.arg(2).and_then(Value::as_text).is_some_and(|operator| operator.ends_with("CONTAINS"));
    known.arg(3).filter(|_| looks).map_or(Ok(()), part_of)
}

fn part_of(value: Value<'_>) -> Result<(), Problem> {
    if value.is_nothing() { Err(expected("a value to look for", value)) } else { Ok(()) }
}

fn is_filter<'a>(operator: Value<'a>, _: &Heap<'a>) -> Result<(), Problem> {
    is_one_of(&FILTERS, operator)
}

fn filter<'a>(call: &HelperCall<'_, 'a>) -> Result<Value<'a>, Problem> {
    let (heap, path, operator, right) = (call.heap, call.arg(1), call.arg(2), call.arg(3));
    let path = path_of(path)?;
    heap.budget.steps(path.len() / 16)?;
    let left = match JsonPath::parse(path) {
        Some(path) if call.arg(0).as_text() == Some("profile") => {
            path.find_in(Value::Root.member("profile", heap)?, heap)?
        }
        Some(path) => path.find(call)?,
        None => Value::Undefined,
    };
    let order = |is: fn(&f64, &f64) -> bool| Ok(is(&left.number(heap)?, &right.number(heap)?));
    let holds = match operator.as_text() {
        Some("EQUALS") => is_text(left, right, heap)?,
        Some("NOT_EQUALS") => !is_text(left, right, heap)?,
        Some("CONTAINS") => has(left, right, heap)?,
        Some("NOT_CONTAINS") => !has(left, right, heap)?,
        Some("GREATER_THAN") => order(f64::gt)?,
        Some("GREATER_THAN_EQUALS") => order(f64::ge)?,
        Some("LESS_THAN") => order(f64::lt)?,
        Some("LESS_THAN_EQUALS") => order(f64::le)?,
        Some("IS_EMPTY") => is_empty(left, heap)?,
        Some("NOT_EMPTY") => !is_empty(left, heap)?,
        _ => return Err(expected(&one_of(&FILTERS), operator)),
    };
    Ok(Value::Bool(holds))
}

/// Whether a value is a text that equals the other. Anything else is never equal.
fn is_text<'a>(left: Value<'a>, right: Value<'a>, heap: &Heap<'a>) -> Result<bool, Problem> {
    Value::Text(left.text(heap)?).is_identical(right, heap)
}

fn has<'a>(left: Value<'a>, right: Value<'a>, heap: &Heap<'a>) -> Result<bool, Problem> {
    part_of(right)?;
    if left.is_list() {
        for item in left.items(heap)? {
            heap.budget.steps(1)?;
            if item.is_identical(right, heap)? {
                return Ok(true);
            }
        }
        return Ok(false);
    }
    let text = left.as_text().ok_or_else(|| expected("a text or a list to look in", left))?;
    let part = right.as_text().ok_or_else(|| expected("a text to look for in a text", right))?;
    heap.budget.scanned(text.len() + part.len())?;
    Ok(text.contains(part))
}

fn is_empty<'a>(value: Value<'a>, heap: &Heap<'a>) -> Result<bool, Problem> {
    Ok(match value {
        value if value.is_object() => value.members(heap)?.is_empty(),
        value if value.is_list() => value.is_empty(heap)?,
        value => value.is_nothing() || value.as_text() == Some(""),
    })
}

fn contains<'a>(call: &HelperCall<'_, 'a>) -> Result<Value<'a>, Problem> {
    let &[text, part, ..] = call.args else { return Ok(Value::Bool(false)) };
    let text = text.as_text().unwrap_or_default();
    let part = part.text(call.heap)?;
    call.heap.budget.scanned(text.len() + part.len())?;
    Ok(Value::Bool(!text.is_empty() && text.contains(part)))
}

fn default<'a>(call: &HelperCall<'_, 'a>) -> Result<Value<'a>, Problem> {
    Ok(call.args.iter().take(2).copied().find(|value| !value.is_nothing()).unwrap_or(Value::Undefined))
}

#[cfg(test)]
mod tests {
    use crate::template::helpers::testing::{check, given, printed, printed_in};

    const DATA: &str = r#"{
        "profile": {"name": "rod", "hungry": true, "email": "ann@trycourier.com", "boolean": true, "another_boolean": false},
        "data": {
            "list": [], "o": {}, "full": [1, "vip"], "zero": 0, "none": null, "empty": "", "off": false, "age": 19, "score": 87,
            "attempts": 2, "message": "Your order has shipped and is on its way to you", "tags": ["beta", "vip"], "ten": "10",
            "customer": {"name": "josh"}, "eligible": "yes", "total": 128.5, "v": "a1b", "n": 42, "firstName": "ada",
            "items": [{"name": "rod"}], "some_array": [1, 2]
        }
    }"#;

    #[test]
    fn truth_is_joined() {
        check(
            DATA,
            &[
                (r#"and true 1 "yay""#, "true"),
                ("and true false", "false"),
                (r#"and true 1 """#, "false"),
                ("and", "true"),
                ("and list o", "true"),
                ("and list zero", "false"),
                ("and (not false) true", "true"),
                (r#"and (var "profile.boolean") (var "profile.another_boolean")"#, "true"),
                (r#"and (path "profile.boolean") (path "profile.another_boolean")"#, "false"),
                ("or true false", "true"),
                ("or false 0", "false"),
                ("or", "false"),
                ("or list", "true"),
                ("or none nobody empty zero off", "false"),
                (r#"or (path "profile.boolean") (path "profile.another_boolean")"#, "true"),
                ("not true", "false"),
                (r#"not "string""#, "false"),
                (r#"not """#, "true"),
                ("not undefined", "true"),
                ("not null", "true"),
                ("not 0", "true"),
                ("not false", "true"),
                ("not list", "true"),
                ("not full", "false"),
                ("not o", "false"),
                ("not (range 0)", "true"),
                ("not 7", "false"),
            ],
        );
    }

    #[test]
    fn values_are_compared() {
        check(
            DATA,
            &[
                (r#"condition (var "eligible") "==" "yes""#, "true"),
                (r#"condition (var "eligible") "==" "no""#, "false"),
                (r#"condition (var "profile.name") "==" "rod""#, "true"),
                (r#"condition (var "profile.hungry") "==" "true""#, "true"),
                (r#"condition (path "profile.hungry") "==" "true""#, "false"),
                (r#"condition "a" "!=" "b""#, "true"),
                (r#"condition (var "someVariable") "==" "foo""#, "false"),
                (r#"condition 1 "<" 2"#, "true"),
                (r#"condition 2 "<" 1"#, "false"),
                (r#"condition (var "age") ">" 18"#, "true"),
                (r#"condition (var "age") ">" 19"#, "false"),
                (r#"condition (var "score") ">=" 100"#, "false"),
                (r#"condition score ">=" 80"#, "true"),
                (r#"condition (var "attempts") "<=" 10"#, "true"),
                (r#"condition (var "customer.name") "!=" "inactive""#, "true"),
                (r#"condition (var "eligible") "===" "yes""#, "true"),
                (r#"condition (var "eligible") "!==" "yes""#, "false"),
                (r#"condition (var "some_array.length") ">" 0"#, "true"),
                (r#"condition (var "some_array.length") ">=" 2"#, "true"),
                (r#"condition (var "some_array.length") "<" 0"#, "false"),
                (r#"condition (var "some_array.length") "<=" 0"#, "false"),
                (r#"condition total ">=" 128.5"#, "true"),
                (r#"condition "42" "==" 42"#, "false"),
                (r#"condition "42" "!==" 42"#, "true"),
                (r#"condition "10" "<" "9""#, "true"),
                (r#"condition "10" "<" 9"#, "false"),
                (r#"condition nobody "<" 9"#, "false"),
                (r#"condition nobody ">=" 9"#, "false"),
                (r#"condition nobody "==" undefined"#, "true"),
                (r#"condition 1 "=>" 2"#, r#"!expected one of ==, ===, !=, !==, <, <=, > and >=, found the text "=>""#),
                (r#"condition 1 "=" 2"#, r#"!expected one of ==, ===, !=, !==, <, <=, > and >=, found the text "=""#),
                ("condition 1 nobody 2", "!expected one of ==, ===, !=, !==, <, <=, > and >=, found nothing"),
            ],
        );
    }

    #[test]
    fn conditions_are_joined() {
        let both = r#"(filter "data" "customer.name" "EQUALS" "josh") (filter "profile" "email" "CONTAINS" "@trycourier.com")"#;
        assert_eq!(printed(DATA, &format!("conditional {both}")).as_deref(), Ok("true"));
        let other = both.replace("josh", "ann");
        assert_eq!(printed(DATA, &format!("conditional {other}")).as_deref(), Ok("false"));
        assert_eq!(printed(DATA, &format!("conditional {other} logicalOperator=\"or\"")).as_deref(), Ok("true"));
        check(
            DATA,
            &[
                ("conditional", "true"),
                (r#"conditional logicalOperator="or""#, "false"),
                (r#"conditional 1 0 logicalOperator="and""#, "false"),
                (r#"conditional 1 0 logicalOperator=nobody behavior="show""#, "false"),
                (
                    r#"conditional 1 logicalOperator="xor""#,
                    r#"!expected "and" or "or" for logicalOperator, found the text "xor""#,
                ),
                (r#"conditional 1 behavior=1"#, r#"!expected "hide" or "show" for behavior, found the number 1"#),
            ],
        );
    }

    #[test]
    fn sources_are_filtered() {
        check(
            DATA,
            &[
                (r#"filter "data" "data.score" "GREATER_THAN" 80"#, "true"),
                (r#"filter "data" "data.attempts" "GREATER_THAN" 5"#, "false"),
                (r#"filter "data" "score" "GREATER_THAN_EQUALS" "87""#, "true"),
                (r#"filter "data" "score" "LESS_THAN" 87"#, "false"),
                (r#"filter "data" "ten" "LESS_THAN_EQUALS" 9"#, "false"),
                (r#"filter "data" "nobody" "LESS_THAN" 9"#, "false"),
                (r#"filter "data" "data.message" "CONTAINS" "shipped""#, "true"),
                (r#"filter "data" "data.message" "NOT_CONTAINS" "shipped""#, "false"),
                (r#"filter "data" "data.tags" "CONTAINS" "vip""#, "true"),
                (r#"filter "data" "tags" "CONTAINS" "vi""#, "false"),
                (r#"filter "data" "full" "CONTAINS" 1"#, "true"),
                (r#"filter "data" "score" "EQUALS" "87""#, "true"),
                (r#"filter "data" "score" "EQUALS" 87"#, "false"),
                (r#"filter "data" "score" "NOT_EQUALS" 87"#, "true"),
                (r#"filter "data" "data.o" "IS_EMPTY""#, "true"),
                (r#"filter "data" "list" "IS_EMPTY""#, "true"),
                (r#"filter "data" "empty" "IS_EMPTY""#, "true"),
                (r#"filter "data" "none" "IS_EMPTY""#, "true"),
                (r#"filter "data" "nobody" "IS_EMPTY""#, "true"),
                (r#"filter "data" "no-path" "IS_EMPTY""#, "true"),
                (r#"filter "data" "zero" "IS_EMPTY""#, "false"),
                (r#"filter "data" "off" "NOT_EMPTY""#, "true"),
                (r#"filter "data" "customer" "NOT_EMPTY""#, "true"),
                (r#"filter "profile" "name" "EQUALS" "rod""#, "true"),
                (r#"filter "data" "name" "EQUALS" "rod""#, "false"),
                (
                    r#"filter "data" "score" "LIKE" 1"#,
                    r#"!expected one of EQUALS, NOT_EQUALS, CONTAINS, NOT_CONTAINS, GREATER_THAN, GREATER_THAN_EQUALS, LESS_THAN, LESS_THAN_EQUALS, IS_EMPTY and NOT_EMPTY, found the text "LIKE""#,
                ),
                (r#"filter "data" score "EQUALS" 1"#, "!expected a path in quotes, found the number 87"),
                (r#"filter "data" "nobody" "CONTAINS" "x""#, "!expected a text or a list to look in, found nothing"),
                (
                    r#"filter "data" "score" "CONTAINS" "8""#,
                    "!expected a text or a list to look in, found the number 87",
                ),
                (
                    r#"filter "data" "message" "CONTAINS" 8"#,
                    "!expected a text to look for in a text, found the number 8",
                ),
                (r#"filter "data" "tags" "NOT_CONTAINS""#, "!expected a value to look for, found nothing"),
            ],
        );
        assert_eq!(printed_in(DATA, "items[0]", r#"filter "data" "name" "EQUALS" "rod""#).as_deref(), Ok("true"));
    }

    #[test]
    fn texts_are_searched() {
        check(
            DATA,
            &[
                (r#"contains message "shipped""#, "true"),
                (r#"contains message "Shipped""#, "false"),
                (r#"contains message "refund""#, "false"),
                ("contains v 1", "true"),
                (r#"contains n "x""#, "false"),
                (r#"contains n "4""#, "false"),
                (r#"contains tags "vip""#, "false"),
                (r#"contains empty """#, "false"),
                ("contains message", "false"),
                ("contains", "false"),
            ],
        );
    }

    #[test]
    fn defaults_stand_in_for_nothing() {
        check(
            DATA,
            &[
                (r#"default undefined "valued customer""#, "valued customer"),
                (r#"default undefined (var "eligible")"#, "yes"),
                (r#"default null "there""#, "there"),
                (r#"default none "there""#, "there"),
                (r#"default nobody "use }} carefully""#, "use }} carefully"),
                (r#"default firstName "friend""#, "ada"),
                (r#"default empty "friend""#, ""),
                ("default zero 5", "0"),
                ("default off 5", "false"),
                (r#"default nobody default="x""#, ""),
                (r#"default (var "nobody") "x""#, "{nobody}"),
                (r#"default (path "nobody") "x""#, "x"),
                ("default nobody", ""),
                ("default n", "42"),
            ],
        );
        assert_eq!(given(DATA, "default nobody 5").as_deref(), Ok("Number(5.0)"));
    }
}
