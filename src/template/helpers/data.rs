//! Looks up values, and makes lists and objects of them.

use serde_json::value::RawValue;

use super::json_path::JsonPath;
use super::json_text;
use super::math::{is_number, number};
use crate::error::shown;
use crate::template::budget::Problem;
use crate::template::call::{CallCheck, Form, Helper, HelperCall, expected};
use crate::template::heap::Heap;
use crate::template::values::Value;

const PAGE: &str = "docs/platform/content/template-designer/handlebars-helpers";
const PREVIEW: &str = "courier-designer's preview helpers";

pub const HELPERS: &[Helper] = &[
    Helper {
        name: "path",
        arguments: "\"path\"",
        form: Form::Value(path),
        about: "The value that a JSONPath leads to; nothing if there is none.",
        source: PAGE,
        checks: &[CallCheck::Argument("path", is_path)],
    },
    Helper {
        name: "var",
        arguments: "\"path\"",
        form: Form::Value(var),
        about: "What `path` gives, as a text, lists joined with `, `; the path in braces if there is none.",
        source: PAGE,
        checks: &[CallCheck::Argument("path", is_path)],
    },
    Helper {
        name: "inline-var",
        arguments: "\"path\"",
        form: Form::Value(var),
        about: "`var` under another name.",
        source: PREVIEW,
        checks: &[CallCheck::Argument("path", is_path)],
    },
    Helper {
        name: "get-list-items",
        arguments: "\"path\"",
        form: Form::Value(list_items),
        about: "The list that a JSONPath leads to; an object there is a list of one, anything else an empty one.",
        source: PREVIEW,
        checks: &[CallCheck::Argument("path", is_path)],
    },
    Helper {
        name: "json-parse",
        arguments: "text",
        form: Form::Value(json_parse),
        about: "The value that a text of JSON stands for.",
        source: PREVIEW,
        checks: &[CallCheck::Argument("text", is_json)],
    },
    Helper {
        name: "range",
        arguments: "first [stop] [step]",
        form: Form::Value(range),
        about: "A list of the numbers from the first up to `stop`, or from 0 up to the first, without the last, `step` \
                apart.",
        source: PREVIEW,
        checks: &[
            CallCheck::Argument("first", is_number),
            CallCheck::Argument("stop", is_number),
            CallCheck::Argument("step", is_step),
        ],
    },
    Helper {
        name: "params",
        arguments: "[name=] …",
        form: Form::Value(|call| call.heap.object(call.named).map(Value::Object)),
        about: "An object of its named arguments.",
        source: PAGE,
        checks: &[],
    },
    Helper {
        name: "lookup",
        arguments: "value name",
        form: Form::Value(lookup),
        about: "The member or item of that name.",
        source: "handlebarsjs.com/guide/builtin-helpers.html#lookup",
        checks: &[],
    },
    Helper {
        name: "log",
        arguments: "…",
        form: Form::Value(log),
        about: "Writes its arguments to the daemon's log, at the level `debug`, and shows nothing.",
        source: "handlebarsjs.com/guide/builtin-helpers.html#log",
        checks: &[],
    },
];

/// The path in an argument. One that cannot be parsed leads to nothing, as at Courier.
pub fn path_of(argument: Value<'_>) -> Result<&str, Problem> {
    argument.as_text().ok_or_else(|| expected("a path in quotes", argument))
}

pub fn is_path<'a>(argument: Value<'a>, _: &Heap<'a>) -> Result<(), Problem> {
    path_of(argument).map(drop)
}

/// The path in the first argument, and its value; `None` if it is not a path.
fn found<'a>(call: &HelperCall<'_, 'a>) -> Result<(&'a str, Option<Value<'a>>), Problem> {
    let path = path_of(call.arg(0))?;
    call.heap.budget.steps(path.len() / 16)?;
    let found = JsonPath::parse(path).map(|path| path.find(call)).transpose()?;
    Ok((path, found))
}

fn path<'a>(call: &HelperCall<'_, 'a>) -> Result<Value<'a>, Problem> {
    Ok(found(call)?.1.unwrap_or(Value::Undefined))
}

fn var<'a>(call: &HelperCall<'_, 'a>) -> Result<Value<'a>, Problem> {
    match found(call)? {
        ("", _) => Ok(Value::Text("{}")),
        (_, None) => Ok(Value::Text("[Error]")),
        (path, Some(value)) if value.is_nothing() => call.give(&format!("{{{path}}}")),
        (_, Some(value)) if value.is_list() => {
            let mut text = String::new();
            for (place, item) in value.items(call.heap)?.iter().enumerate() {
                text.push_str(if place > 0 { ", " } else { "" });
                item.print(call.heap, &mut text)?;
                call.heap.budget.steps(1)?;
            }
            call.give(&text)
        }
        (_, Some(value)) => value.text(call.heap).map(Value::Text),
    }
}

fn list_items<'a>(call: &HelperCall<'_, 'a>) -> Result<Value<'a>, Problem> {
    match path(call)? {
        list if list.is_list() => Ok(list),
        object if object.is_object() => call.heap.list(&[object]).map(Value::List),
        _ => Ok(Value::List(&[])),
    }
}

/// The parsed JSON of an argument.
fn json_of<'a>(argument: Value<'a>, heap: &Heap<'a>) -> Result<&'a str, Problem> {
    let text = argument.as_text().ok_or_else(|| expected("a text of JSON", argument))?;
    heap.budget.bytes(text.len())?;
    match serde_json::from_str::<&'a RawValue>(text) {
        Ok(raw) => Ok(raw.get()),
        Err(error) => Err(json_text::problem(text, &error)),
    }
}

fn is_json<'a>(argument: Value<'a>, heap: &Heap<'a>) -> Result<(), Problem> {
    json_of(argument, heap).map(drop)
}

fn json_parse<'a>(call: &HelperCall<'_, 'a>) -> Result<Value<'a>, Problem> {
    call.heap.json(json_of(call.arg(0), call.heap)?)
}

/// The step of a range.
fn step_of<'a>(argument: Value<'a>, heap: &Heap<'a>) -> Result<f64, Problem> {
    match number(argument, heap)? {
        0.0 => Err(expected("a step other than 0", argument)),
        step => Ok(step),
    }
}

fn is_step<'a>(argument: Value<'a>, heap: &Heap<'a>) -> Result<(), Problem> {
    step_of(argument, heap).map(drop)
}

fn range<'a>(call: &HelperCall<'_, 'a>) -> Result<Value<'a>, Problem> {
    let at = |place: usize| number(call.arg(place), call.heap);
    let (start, stop) = if call.args.len() < 2 { (0.0, at(0)?) } else { (at(0)?, at(1)?) };
    let step = if call.args.len() < 3 { 1.0 } else { step_of(call.arg(2), call.heap)? };
    if stop == 0.0 {
        // At Courier a range that ends at zero is empty, whatever its direction.
        return Ok(Value::List(&[]));
    }
    let count = ((stop - start) / step).ceil().max(0.0) as usize;
    call.heap.budget.steps(count)?;
    call.heap.budget.bytes(count.saturating_mul(size_of::<Value<'_>>()))?;
    let numbers: Vec<Value<'a>> = (0..count).map(|place| Value::Number(start + place as f64 * step)).collect();
    call.heap.list(&numbers).map(Value::List)
}

fn lookup<'a>(call: &HelperCall<'_, 'a>) -> Result<Value<'a>, Problem> {
    let object = call.arg(0);
    if !object.is_truthy() {
        return Ok(object);
    }
    let &[_, name] = call.args else {
        return Err(Problem(format!("expected exactly two arguments, found {}", call.args.len())));
    };
    let name = name.text(call.heap)?;
    match call.heap.assigned(object, name) {
        Some(value) => Ok(value),
        None => object.member(name, call.heap),
    }
}

fn log<'a>(call: &HelperCall<'_, 'a>) -> Result<Value<'a>, Problem> {
    if log::log_enabled!(log::Level::Debug) {
        let words = call.args.iter().map(|value| Ok(format!("'{}'", shown(value.text(call.heap)?))));
        log::debug!("a text logs {}", words.collect::<Result<Vec<_>, Problem>>()?.join(", "));
    }
    Ok(Value::Undefined)
}

#[cfg(test)]
mod tests {
    use crate::template::helpers::testing::{check, given, printed, printed_in};

    const DATA: &str = r#"{
        "profile": {"email": "ann@example.com", "address": {"primary": {"city": "Santa Cruz"}}},
        "data": {
            "v": ["a", "b"], "n": 42, "yes": true, "o": {"a": 1}, "none": null, "mixed": [1, null, [2, 3], {}], "42": "x",
            "blob": "{\"plan\":\"pro\",\"seats\":12}", "customer": {"email": "b@example.com"}, "where": "data.v",
            "field": "plan", "plans": {"plan": "pro"}, "tags": ["beta", "vip"], "empty": "", "some_array": [1, 2, 3],
            "user": {"v": "inner"}
        }
    }"#;

    #[test]
    fn values_are_looked_up() {
        check(
            DATA,
            &[
                (r#"path "profile.doesNotExist""#, ""),
                (r#"var "profile.doesNotExist""#, "{profile.doesNotExist}"),
                (r#"var "data.some.thing""#, "{data.some.thing}"),
                (r#"path "profile.address.primary.city""#, "Santa Cruz"),
                (r#"path "customer.email""#, "b@example.com"),
                (r#"var "customer.email""#, "b@example.com"),
                (r#"path "first-name""#, ""),
                (r#"var "data.first-name""#, "[Error]"),
                (r#"inline-var "data.first name""#, "[Error]"),
                (r#"inline-var "data.v[1]""#, "b"),
                (r#"inline-var "nobody""#, "{nobody}"),
                (r#"var """#, "{}"),
                (r#"path """#, ""),
                (r#"var "data.v[1]""#, "b"),
                (r#"var "$.data.v""#, "a, b"),
                (r#"path "$.data.v""#, "a,b"),
                (r#"var "data.42""#, "x"),
                (r#"var "data.n""#, "42"),
                (r#"var "yes""#, "true"),
                (r#"var "o""#, "[object Object]"),
                (r#"var "none""#, "{none}"),
                (r#"var "mixed""#, "1, , 2,3, [object Object]"),
                (r#"var "v[*]""#, "a, b"),
                (r#"var "some_array.length""#, "3"),
                (r#"var "$.data.some_array.length""#, "3"),
                (r#"var "empty""#, ""),
                ("var where", "a, b"),
                ("var n", "!expected a path in quotes, found the number 42"),
                ("path nobody", "!expected a path in quotes, found nothing"),
            ],
        );
        assert_eq!(printed_in(DATA, "data.user", r#"var "v""#).as_deref(), Ok("inner"));
        assert_eq!(printed_in(DATA, "data.user", r#"var "@.v""#).as_deref(), Ok("inner"));
        assert_eq!(printed_in(DATA, "data.user", r#"var "$.data.v""#).as_deref(), Ok("a, b"));
        for (call, expected) in [
            (r#"path "n""#, "Number(42.0)"),
            (r#"var "n""#, r#"Text("42")"#),
            (r#"path "yes""#, "Bool(true)"),
            (r#"var "yes""#, r#"Text("true")"#),
            (r#"path "nobody""#, "Undefined"),
            (r#"path "first-name""#, "Undefined"),
            (r#"path "nobody[*]""#, "Undefined"),
        ] {
            assert_eq!(given(DATA, call).as_deref(), Ok(expected), "{call}");
        }
    }

    #[test]
    fn json_is_parsed() {
        check(
            DATA,
            &[
                (r#"lookup (json-parse blob) "plan""#, "pro"),
                (r#"lookup (json-parse blob) "seats""#, "12"),
                (r#"lookup (json-parse "{ \"anInlineObject\": true }") "anInlineObject""#, "true"),
                (r#"json-parse " [1, [2, 3]] ""#, "1,2,3"),
                (r#"json-parse "-1.5e1""#, "-15"),
                (r#"json-parse "\"a\\n\"""#, "a\n"),
                (r#"json-parse "null""#, ""),
                ("json-parse n", "!expected a text of JSON, found the number 42"),
                (r#"json-parse "{plan}""#, "!expected JSON, found 'p' at character 2 of \"{plan}\""),
                (r#"json-parse """#, "!expected JSON, found an empty text"),
            ],
        );
        let long = "x".repeat(100);
        let problem = printed("{}", &format!("json-parse {long:?}")).unwrap_err();
        assert_eq!(problem, format!("expected JSON, found 'x' at character 1 of {:?}…", "x".repeat(64)));
    }

    #[test]
    fn lists_and_objects_are_made() {
        check(
            DATA,
            &[
                ("range 1 6 2", "1,3,5"),
                ("range 3", "0,1,2"),
                ("range 1 4", "1,2,3"),
                ("range 0 10 3", "0,3,6,9"),
                ("range 5 0 -1", ""),
                ("range 5 1 -2", "5,3"),
                ("range 0", ""),
                ("range 2 2", ""),
                ("range 3 1", ""),
                (r#"range "5""#, "0,1,2,3,4"),
                (r#"range "1" "4" "2""#, "1,3"),
                ("range 0.5 2", "0.5,1.5"),
                ("range 1 2 0", "!expected a step other than 0, found the number 0"),
                (r#"range "x""#, "!expected a number, found the text \"x\""),
                ("range", "!expected a number, found nothing"),
                ("range 1e300", "!the text takes more than 4000000 steps to render"),
                ("range 0 1 1e-300", "!the text takes more than 4000000 steps to render"),
                (r#"get-list-items "data.v""#, "a,b"),
                (r#"get-list-items "o""#, "[object Object]"),
                (r#"lookup (get-list-items "o") "length""#, "1"),
                (r#"lookup (get-list-items "n") "length""#, "0"),
                (r#"lookup (get-list-items "nobody") "length""#, "0"),
                (r#"lookup (get-list-items "no-path") "length""#, "0"),
                ("get-list-items n", "!expected a path in quotes, found the number 42"),
                (r#"lookup (params text="ends with" n=2) "text""#, "ends with"),
                (r#"lookup (lookup (params data=(json-parse blob)) "data") "seats""#, "12"),
                ("params", "[object Object]"),
            ],
        );
    }

    #[test]
    fn members_are_looked_up_as_handlebars_does() {
        check(
            DATA,
            &[
                ("lookup plans field", "pro"),
                ("lookup tags 1", "vip"),
                ("lookup tags 7", ""),
                (r#"lookup tags "length""#, "2"),
                (r#"lookup where 0"#, "d"),
                (r#"lookup 0 "x""#, "0"),
                (r#"lookup nobody "x""#, ""),
                ("lookup tags", "!expected exactly two arguments, found 1"),
                ("lookup tags 1 2", "!expected exactly two arguments, found 3"),
                ("log where 1", ""),
                ("log", ""),
            ],
        );
        assert_eq!(given(DATA, "lookup none \"x\"").as_deref(), Ok("Null"));
        assert_eq!(given(DATA, "log 1").as_deref(), Ok("Undefined"));
    }
}
