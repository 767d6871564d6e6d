//! Arithmetic. Texts that are numbers count as numbers, since `var` returns texts.

use crate::template::budget::Problem;
use crate::template::call::{CallCheck, Form, Helper, HelperCall, expected};
use crate::template::heap::Heap;
use crate::template::number;
use crate::template::values::Value;

const PAGE: &str = "docs/platform/content/template-designer/handlebars-helpers";

const ONE: &[CallCheck] = &[CallCheck::Argument("value", is_number)];
const TWO: &[CallCheck] = &[CallCheck::Argument("a", is_number), CallCheck::Argument("b", is_number)];
const PARTS: &[CallCheck] = &[CallCheck::Argument("a", is_number), CallCheck::Argument("b", can_divide)];

pub const HELPERS: &[Helper] = &[
    Helper {
        name: "add",
        arguments: "a b",
        form: Form::Value(|call| two(call, |a, b| a + b)),
        about: "The sum of two numbers.",
        source: PAGE,
        checks: TWO,
    },
    Helper {
        name: "subtract",
        arguments: "a b",
        form: Form::Value(|call| two(call, |a, b| a - b)),
        about: "The first number less the second.",
        source: PAGE,
        checks: TWO,
    },
    Helper {
        name: "sub",
        arguments: "a b",
        form: Form::Value(|call| two(call, |a, b| a - b)),
        about: "`subtract` under another name.",
        source: PAGE,
        checks: TWO,
    },
    Helper {
        name: "multiply",
        arguments: "a b",
        form: Form::Value(|call| two(call, |a, b| a * b)),
        about: "The product of two numbers.",
        source: PAGE,
        checks: TWO,
    },
    Helper {
        name: "product",
        arguments: "a b",
        form: Form::Value(|call| two(call, |a, b| a * b)),
        about: "`multiply` under another name.",
        source: "courier-designer's preview helpers",
        checks: TWO,
    },
    Helper {
        name: "divide",
        arguments: "a b",
        form: Form::Value(|call| parts(call, |a, b| a / b)),
        about: "The first number divided by the second, which must not be 0.",
        source: PAGE,
        checks: PARTS,
    },
    Helper {
        name: "mod",
        arguments: "a b",
        form: Form::Value(|call| parts(call, |a, b| a % b)),
        about: "What is left over of the first number, with its sign, when it is divided by the second, which must not \
                be 0.",
        source: PAGE,
        checks: PARTS,
    },
    Helper {
        name: "inc",
        arguments: "value",
        form: Form::Value(|call| Ok(Value::Number(call.arg(0).number(call.heap)? + 1.0))),
        about: "The number and 1; `NaN` if it is none.",
        source: PAGE,
        checks: &[],
    },
    Helper {
        name: "abs",
        arguments: "value",
        form: Form::Value(|call| one(call, f64::abs)),
        about: "The number without its sign.",
        source: PAGE,
        checks: ONE,
    },
    Helper {
        name: "ceil",
        arguments: "value",
        form: Form::Value(|call| one(call, f64::ceil)),
        about: "The smallest whole number that is not less.",
        source: PAGE,
        checks: ONE,
    },
    Helper {
        name: "floor",
        arguments: "value",
        form: Form::Value(|call| one(call, f64::floor)),
        about: "The largest whole number that is not more.",
        source: PAGE,
        checks: ONE,
    },
    Helper {
        name: "round",
        arguments: "value",
        form: Form::Value(|call| one(call, f64::round)),
        about: "The nearest whole number; a half goes away from 0.",
        source: PAGE,
        checks: ONE,
    },
];

/// The number that a value is, or a text of one.
pub fn number<'a>(value: Value<'a>, heap: &Heap<'a>) -> Result<f64, Problem> {
    let number = match value {
        Value::Number(number) => number,
        Value::Text(text) | Value::Markup(text) if !text.trim_matches(number::is_space).is_empty() => {
            value.number(heap)?
        }
        _ => f64::NAN,
    };
    if number.is_nan() { Err(expected("a number", value)) } else { Ok(number) }
}

fn one<'a>(call: &HelperCall<'_, 'a>, of: fn(f64) -> f64) -> Result<Value<'a>, Problem> {
    Ok(Value::Number(of(number(call.arg(0), call.heap)?)))
}

fn two<'a>(call: &HelperCall<'_, 'a>, of: fn(f64, f64) -> f64) -> Result<Value<'a>, Problem> {
    Ok(Value::Number(of(number(call.arg(0), call.heap)?, number(call.arg(1), call.heap)?)))
}

fn parts<'a>(call: &HelperCall<'_, 'a>, of: fn(f64, f64) -> f64) -> Result<Value<'a>, Problem> {
    can_divide(call.arg(1), call.heap)?;
    two(call, of)
}

pub fn is_number<'a>(value: Value<'a>, heap: &Heap<'a>) -> Result<(), Problem> {
    number(value, heap).map(drop)
}

fn can_divide<'a>(value: Value<'a>, heap: &Heap<'a>) -> Result<(), Problem> {
    match number(value, heap)? {
        0.0 => Err(expected("a number other than 0 to divide by", value)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use crate::template::helpers::testing::{check, given};

    #[test]
    fn numbers_are_reckoned_with() {
        let data = r#"{"a": 5, "b": "3", "price": 128.5, "half": -1.5, "order": {"itemCount": 3}, "value": 1}"#;
        check(
            data,
            &[
                ("abs -10", "10"),
                ("abs -7.6", "7.6"),
                (r#"abs (var "half")"#, "1.5"),
                ("add 5 3", "8"),
                ("add -1 -3", "-4"),
                ("add 0.1 0.2", "0.30000000000000004"),
                (r#"add (var "a") (var "b")"#, "8"),
                (r#"add "42" 8"#, "50"),
                ("add 1 2 3", "3"),
                ("add 1e21 0", "1e+21"),
                ("ceil .95", "1"),
                ("ceil 1.01", "2"),
                ("ceil -1.01", "-1"),
                ("ceil -0.5", "0"),
                ("ceil 1.35", "2"),
                ("ceil price", "129"),
                ("divide 12 2", "6"),
                ("divide 3 2", "1.5"),
                ("divide 8 4", "2"),
                ("divide price 2", "64.25"),
                (r#"divide "10" "4""#, "2.5"),
                ("floor .95", "0"),
                ("floor 1.01", "1"),
                ("floor -1.01", "-2"),
                ("floor 1.35", "1"),
                (r#"floor (var "price")"#, "128"),
                (r#"inc (var "value")"#, "2"),
                ("inc -1", "0"),
                (r#"inc "x""#, "NaN"),
                ("inc nobody", "NaN"),
                ("mod 13 5", "3"),
                ("mod -13 5", "-3"),
                ("mod 4 2", "0"),
                ("mod -4 2", "0"),
                ("mod 8 3", "2"),
                ("mod 87 10", "7"),
                ("mod 5.5 2", "1.5"),
                ("multiply 12 2", "24"),
                ("multiply -12 2", "-24"),
                ("multiply 8 3", "24"),
                ("product order.itemCount 4", "12"),
                ("round 1.5", "2"),
                ("round 1.4", "1"),
                ("round -1.4", "-1"),
                ("round -1.5", "-2"),
                ("round 2.5", "3"),
                ("round -0.4", "0"),
                ("round 1.35", "1"),
                (r#"round (var "price")"#, "129"),
                ("subtract 5 3", "2"),
                ("sub 5 3", "2"),
                ("subtract 3.5 5", "-1.5"),
                ("subtract 8 3", "5"),
                (r#"sub (var "a") " 2 ""#, "3"),
            ],
        );
        assert_eq!(given(data, r#"add "1" "2""#).as_deref(), Ok("Number(3.0)"));
    }

    #[test]
    fn what_is_no_number_is_refused() {
        let data = r#"{"o": {}, "list": [5], "flag": true, "none": null, "nan": "NaN"}"#;
        for name in ["abs", "ceil", "floor", "round"] {
            check(
                data,
                &[
                    (&format!("{name} \"ten\""), "!expected a number, found the text \"ten\""),
                    (&format!("{name} nobody"), "!expected a number, found nothing"),
                    (&format!("{name} \" \""), "!expected a number, found the text \" \""),
                ],
            );
        }
        for name in ["add", "subtract", "sub", "multiply", "product", "divide", "mod"] {
            check(
                data,
                &[
                    (&format!("{name} 1 \"2 apples\""), "!expected a number, found the text \"2 apples\""),
                    (&format!("{name} \"1,000\" 2"), "!expected a number, found the text \"1,000\""),
                    (&format!("{name} o 2"), "!expected a number, found an object"),
                    (&format!("{name} 1 list"), "!expected a number, found a list"),
                    (&format!("{name} flag 1"), "!expected a number, found true"),
                    (&format!("{name} 1 none"), "!expected a number, found null"),
                    (&format!("{name} 1"), "!expected a number, found nothing"),
                    (&format!("{name} 1 \"\""), "!expected a number, found an empty text"),
                    (&format!("{name} nan 1"), "!expected a number, found the text \"NaN\""),
                    (&format!("{name} (var \"quantity\") 1"), "!expected a number, found the text \"{quantity}\""),
                    (&format!("{name} (inc o) 1"), "!expected a number, found the number NaN"),
                ],
            );
        }
        check(
            data,
            &[
                ("divide 1 0", "!expected a number other than 0 to divide by, found the number 0"),
                ("mod 1 0", "!expected a number other than 0 to divide by, found the number 0"),
                ("divide 1 \"0\"", "!expected a number other than 0 to divide by, found the text \"0\""),
                ("mod 1 -0", "!expected a number other than 0 to divide by, found the number 0"),
            ],
        );
    }
}
