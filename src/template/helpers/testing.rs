//! Calls of helpers as they are written in texts, without a compiler.

use bumpalo::Bump;

use super::HELPERS;
use super::json_path::JsonPath;
use crate::template::budget::Problem;
use crate::template::call::{Form, HelperCall};
use crate::template::heap::{Heap, Root};
use crate::template::values::Value;

/// An object of JSON at the top, and what is under `data` in it.
pub struct Json<'t>(pub &'t str);

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

    fn members<'a>(&'a self, heap: &Heap<'a>) -> Result<Vec<(&'a str, Value<'a>)>, Problem> {
        heap.members_of(self.0).map(<[_]>::to_vec)
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
    let outer = HelperCall { args: &[], named: &[], this: Value::Root, element: None, heap: &heap, change: None };
    let this = JsonPath::parse(this).expect(this).find(&outer).unwrap();
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
        let helper = HELPERS
            .into_iter()
            .flatten()
            .find(|helper| helper.name == name)
            .unwrap_or_else(|| panic!("no helper {name}"));
        let (Form::Value(make) | Form::Condition(make) | Form::Content(make)) = helper.form else { panic!("{name}") };
        make(&HelperCall { args: &args, named: &named, this: self.this, element: None, heap: self.heap, change: None })
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
                let outer =
                    HelperCall { args: &[], named: &[], this: self.this, element: None, heap: self.heap, change: None };
                JsonPath::parse(path).expect(path).find(&outer)
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
