//! Looking values up and making lists and objects of them.

use serde_json::value::RawValue;

use super::super::budget::Problem;
use super::super::call::{Call, Form, Helper};
use super::super::values::Value;
use super::json_path::Path;
use super::math::number;
use crate::error::shown;

const PAGE: &str = "docs/platform/content/template-designer/handlebars-helpers";
const PREVIEW: &str = "courier-designer's preview helpers";

pub const HELPERS: &[Helper] = &[
    Helper {
        name: "path",
        arguments: "\"path\"",
        form: Form::Value(path),
        about: "The value that a JSONPath leads to; nothing if there is none.",
        source: PAGE,
    },
    Helper {
        name: "var",
        arguments: "\"path\"",
        form: Form::Value(var),
        about: "The same as a text, lists joined with `, `; the path in braces if there is none.",
        source: PAGE,
    },
    Helper {
        name: "inline-var",
        arguments: "\"path\"",
        form: Form::Value(var),
        about: "`var` under another name.",
        source: PREVIEW,
    },
    Helper {
        name: "get-list-items",
        arguments: "\"path\"",
        form: Form::Value(list_items),
        about: "The list that a JSONPath leads to; an object there is a list of one, anything else an empty one.",
        source: PREVIEW,
    },
    Helper {
        name: "json-parse",
        arguments: "text",
        form: Form::Value(json_parse),
        about: "The value that a text of JSON stands for.",
        source: PREVIEW,
    },
    Helper {
        name: "range",
        arguments: "first [stop] [step]",
        form: Form::Value(range),
        about: "A list of the numbers from the first up to `stop`, or from 0 up to the first, without the last, `step` \
                apart.",
        source: PREVIEW,
    },
    Helper {
        name: "params",
        arguments: "[name=] …",
        form: Form::Value(|call| call.heap.object(call.named).map(Value::Object)),
        about: "An object of its named arguments.",
        source: PAGE,
    },
    Helper {
        name: "lookup",
        arguments: "value name",
        form: Form::Value(lookup),
        about: "The member or item of that name.",
        source: "handlebarsjs.com/guide/builtin-helpers.html#lookup",
    },
    Helper {
        name: "log",
        arguments: "…",
        form: Form::Value(log),
        about: "Writes its arguments to the daemon's log, at the level `debug`, and shows nothing.",
        source: "handlebarsjs.com/guide/builtin-helpers.html#log",
    },
];

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

/// The path that is the first argument, and what it leads to; `None` if it is no path.
fn found<'a>(call: &Call<'_, 'a>) -> Result<(&'a str, Option<Value<'a>>), Problem> {
    let argument = call.arg(0);
    let path = argument.as_text().ok_or_else(|| expected("a path in quotes", argument))?;
    let found = Path::parse(path).map(|path| path.find(call)).transpose()?;
    Ok((path, found))
}

fn path<'a>(call: &Call<'_, 'a>) -> Result<Value<'a>, Problem> {
    Ok(found(call)?.1.unwrap_or(Value::Undefined))
}

fn var<'a>(call: &Call<'_, 'a>) -> Result<Value<'a>, Problem> {
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

fn list_items<'a>(call: &Call<'_, 'a>) -> Result<Value<'a>, Problem> {
    match path(call)? {
        list if list.is_list() => Ok(list),
        object if object.is_object() => call.heap.list(&[object]).map(Value::List),
        _ => Ok(Value::List(&[])),
    }
}

fn json_parse<'a>(call: &Call<'_, 'a>) -> Result<Value<'a>, Problem> {
    let argument = call.arg(0);
    let text = argument.as_text().ok_or_else(|| expected("a text of JSON", argument))?;
    call.heap.budget.bytes(text.len())?;
    match serde_json::from_str::<&'a RawValue>(text) {
        Ok(raw) => call.heap.json(raw.get()),
        Err(problem) => Err(Problem(format!("{}: {problem}", expected("a text of JSON", argument)))),
    }
}

fn range<'a>(call: &Call<'_, 'a>) -> Result<Value<'a>, Problem> {
    let at = |place: usize| number(call.arg(place), call.heap);
    let (start, stop) = if call.args.len() < 2 { (0.0, at(0)?) } else { (at(0)?, at(1)?) };
    let step = if call.args.len() < 3 { 1.0 } else { at(2)? };
    if step == 0.0 {
        return Err(Problem::new("expected a step other than 0"));
    }
    if stop == 0.0 {
        // What ends at zero is empty at Courier whichever way it goes.
        return Ok(Value::List(&[]));
    }
    let count = ((stop - start) / step).ceil().max(0.0) as usize;
    call.heap.budget.steps(count)?;
    call.heap.budget.bytes(count.saturating_mul(size_of::<Value<'_>>()))?;
    let numbers: Vec<Value<'a>> = (0..count).map(|place| Value::Number(start + place as f64 * step)).collect();
    call.heap.list(&numbers).map(Value::List)
}

fn lookup<'a>(call: &Call<'_, 'a>) -> Result<Value<'a>, Problem> {
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

fn log<'a>(call: &Call<'_, 'a>) -> Result<Value<'a>, Problem> {
    if log::log_enabled!(log::Level::Debug) {
        let words = call.args.iter().map(|value| Ok(shown(value.text(call.heap)?)));
        log::debug!("a text logs {:?}", words.collect::<Result<Vec<_>, Problem>>()?);
    }
    Ok(Value::Undefined)
}

/// Calls of helpers as they are written in texts, without a compiler.
#[cfg(test)]
pub mod testing {
    use bumpalo::Bump;

    use super::super::super::budget::Problem;
    use super::super::super::call::{Call, Form, Table, find};
    use super::super::super::heap::{Heap, Root};
    use super::super::super::values::Value;
    use super::super::{data, logic, math, text};

    const TABLE: Table = &[logic::HELPERS, data::HELPERS, text::HELPERS, math::HELPERS];

    /// An object of JSON at the top, and what is under `data` in it.
    struct Json<'t>(&'t str);

    impl Root for Json<'_> {
        fn noted<'a>(&'a self, _: usize, _: &Heap<'a>) -> Result<Value<'a>, Problem> {
            Ok(Value::Undefined)
        }

        fn find<'a>(&'a self, name: &str, heap: &Heap<'a>) -> Result<Value<'a>, Problem> {
            match heap.member_of(self.0, name)? {
                Value::Undefined => heap.member_of(self.0, "data")?.member(name, heap),
                value => Ok(value),
            }
        }

        fn members<'a>(&'a self, heap: &Heap<'a>) -> Result<Value<'a>, Problem> {
            heap.json(self.0)
        }
    }

    /// What a call such as `add 1 (var "n")` prints, or what is wrong with it.
    pub fn printed(data: &str, call: &str) -> Result<String, String> {
        printed_in(data, "$", call)
    }

    /// The same where `this` is what a path leads to.
    pub fn printed_in(data: &str, this: &str, call: &str) -> Result<String, String> {
        seen(data, this, call, |value, heap| {
            let mut out = String::new();
            value.print(heap, &mut out).map(|()| out)
        })
    }

    /// What a call gives, as Rust shows it.
    pub fn given(data: &str, call: &str) -> Result<String, String> {
        seen(data, "$", call, |value, _| Ok(format!("{value:?}")))
    }

    fn seen(
        data: &str,
        this: &str,
        call: &str,
        see: impl for<'a> Fn(Value<'a>, &Heap<'a>) -> Result<String, Problem>,
    ) -> Result<String, String> {
        let (arena, root) = (Bump::new(), Json(data));
        let heap = Heap::new(&arena, &root);
        let outer = Call { args: &[], named: &[], this: Value::Root, element: None, heap: &heap };
        let this = super::Path::parse(this).expect(this).find(&outer).unwrap();
        let mut reader = Reader { rest: call, this, heap: &heap };
        let value = reader.call();
        assert!(value.is_err() || reader.rest.is_empty(), "{call}: {:?} is left", reader.rest);
        value.and_then(|value| see(value, &heap)).map_err(|problem| problem.0)
    }

    struct Reader<'r, 'h, 'a> {
        rest: &'r str,
        this: Value<'a>,
        heap: &'h Heap<'a>,
    }

    impl<'r, 'a> Reader<'r, '_, 'a> {
        fn word(&mut self) -> &'r str {
            let end = self.rest.find([' ', ')', '=']).unwrap_or(self.rest.len());
            let (word, rest) = self.rest.split_at(end);
            self.rest = rest;
            word
        }

        fn call(&mut self) -> Result<Value<'a>, Problem> {
            let name = self.word();
            let (mut args, mut named) = (Vec::new(), Vec::new());
            loop {
                self.rest = self.rest.trim_start();
                if self.rest.is_empty() || self.rest.starts_with(')') {
                    break;
                }
                let before = self.rest;
                let word = if before.starts_with(['"', '(']) { "" } else { self.word() };
                match self.rest.strip_prefix('=').filter(|_| !word.is_empty()) {
                    Some(value) => {
                        self.rest = value;
                        named.push((self.heap.text(word)?, self.value()?));
                    }
                    None => {
                        self.rest = before;
                        args.push(self.value()?);
                    }
                }
            }
            let helper = find(TABLE, name).unwrap_or_else(|| panic!("no helper {name}"));
            let (Form::Value(make) | Form::Condition(make) | Form::Content(make)) = helper.form else {
                panic!("{name}")
            };
            make(&Call { args: &args, named: &named, this: self.this, element: None, heap: self.heap })
        }

        fn value(&mut self) -> Result<Value<'a>, Problem> {
            if let Some(rest) = self.rest.strip_prefix('(') {
                self.rest = rest;
                let value = self.call()?;
                self.rest = self.rest.strip_prefix(')').expect("a closing bracket");
                return Ok(value);
            }
            if self.rest.starts_with('"') {
                let mut texts = serde_json::Deserializer::from_str(self.rest).into_iter::<String>();
                let text = texts.next().unwrap().expect(self.rest);
                self.rest = &self.rest[texts.byte_offset()..];
                return self.heap.text(&text).map(Value::Text);
            }
            match self.word() {
                "undefined" => Ok(Value::Undefined),
                "null" => Ok(Value::Null),
                "true" => Ok(Value::Bool(true)),
                "false" => Ok(Value::Bool(false)),
                word if word.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '.')) => {
                    Ok(Value::Number(word.parse().expect(word)))
                }
                path => {
                    let outer = Call { args: &[], named: &[], this: self.this, element: None, heap: self.heap };
                    super::Path::parse(path).expect(path).find(&outer)
                }
            }
        }
    }

    /// Compares what calls print with what is expected; an expectation that begins with `!` is a problem.
    pub fn check(data: &str, rows: &[(&str, &str)]) {
        for (call, expected) in rows {
            let found = printed(data, call).unwrap_or_else(|problem| format!("!{problem}"));
            assert_eq!(found, *expected, "{call}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{check, given, printed, printed_in};

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
                ("var n", "!expected a path in quotes, found a number"),
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
                ("json-parse n", "!expected a text of JSON, found a number"),
                (
                    r#"json-parse "{plan}""#,
                    "!expected a text of JSON, found the text \"{plan}\": key must be a string at line 1 column 2",
                ),
                (
                    r#"json-parse """#,
                    "!expected a text of JSON, found an empty text: EOF while parsing a value at line 1 column 0",
                ),
            ],
        );
        let long = "x".repeat(100);
        let problem = printed("{}", &format!("json-parse {long:?}")).unwrap_err();
        assert!(
            problem.starts_with(&format!("expected a text of JSON, found the text {:?}…: ", "x".repeat(64))),
            "{problem}"
        );
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
                ("range 1 2 0", "!expected a step other than 0"),
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
                ("get-list-items n", "!expected a path in quotes, found a number"),
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
