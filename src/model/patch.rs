//! JSON Patch (RFC 6902).

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::json::{self, Fields};

/// The most operations of one patch: each may move or compare a whole document.
const OPERATIONS: usize = 256;
/// Parts of a path, at most.
const PARTS: usize = 100;
/// The most levels of arrays and objects around and in a value that is inserted. Deeper values could not be read again.
const LEVELS: usize = 127;
/// The most bytes that one patch may copy, counting each value's memory, and the most values that it may move deeper.
/// Repeated doubling would fill any memory.
const COPIED_BYTES: usize = 6 * 1024 * 1024;
/// The memory of a value besides its text.
const VALUE_BYTES: usize = 64;

/// A patch, in the order in which it is applied.
#[derive(Debug)]
pub struct Patch(Vec<Operation>);

#[derive(Debug, Deserialize)]
struct Operation {
    op: String,
    path: String,
    #[serde(default)]
    from: Option<String>,
    #[serde(default, deserialize_with = "present")]
    value: Option<Value>,
}

/// Distinguishes null from a missing value.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

#[derive(Deserialize)]
struct Body {
    patch: Vec<Fields<Operation>>,
}

impl Patch {
    /// Reads `{"patch": [...]}`.
    pub fn read(body: &str) -> Result<Self> {
        let operations = json::read::<Body>(body, String::new)?.patch;
        if operations.len() > OPERATIONS {
            return Err(Error::invalid("patch", format_args!("expected at most {OPERATIONS} operations")));
        }
        Ok(Patch(operations.into_iter().map(|Fields(operation)| operation).collect()))
    }

    /// The same patch, in which a missing value is null.
    pub fn or_null(mut self) -> Self {
        for operation in &mut self.0 {
            operation.value.get_or_insert(Value::Null);
        }
        self
    }

    /// Applies all operations. After an error the document must not be used.
    pub fn apply(&self, document: &mut Value) -> Result<()> {
        let mut copied = 0;
        for (i, operation) in self.0.iter().enumerate() {
            operation.apply(document, &mut copied).map_err(|(field, expected)| {
                let at = format_args!("patch[{i}].{field}").to_string();
                Error::invalid(at, expected)
            })?;
        }
        Ok(())
    }
}

type Refusal = (&'static str, &'static str);

const NOWHERE: &str = "expected a place that exists";

impl Operation {
    fn apply(&self, document: &mut Value, copied: &mut usize) -> std::result::Result<(), Refusal> {
        let path = pointer(&self.path).ok_or(("path", "expected a JSON pointer, such as /email"))?;
        let value = || self.value.clone().ok_or(("value", "expected a value"));
        match self.op.as_str() {
            "add" => {
                let value = value()?;
                check_levels(&path, &value)?;
                add(document, &path, value)
            }
            "remove" => remove(document, &path).map(drop).ok_or(("path", NOWHERE)),
            "replace" => {
                let (found, value) = (find(document, &path).ok_or(("path", NOWHERE))?, value()?);
                check_levels(&path, &value)?;
                *found = value;
                Ok(())
            }
            "test" => match find(document, &path).is_some_and(|found| Some(&*found) == self.value.as_ref()) {
                true => Ok(()),
                false => Err(("value", "expected what is stored at the path")),
            },
            "move" => {
                let from = self.from()?;
                if path.starts_with(&from) && path.len() > from.len() {
                    return Err(("from", "expected a place that does not hold the path"));
                }
                let moved = remove(document, &from).ok_or(("from", NOWHERE))?;
                if path.len() > from.len() {
                    let size = check_levels(&path, &moved)?;
                    spend(copied, size.values)?;
                }
                add(document, &path, moved)
            }
            "copy" => {
                let from = find(document, &self.from()?).ok_or(("from", NOWHERE))?;
                let size = check_levels(&path, from)?;
                // Before the copy is made.
                spend(copied, size.bytes)?;
                let value = from.clone();
                add(document, &path, value)
            }
            _ => Err(("op", "expected one of add, remove, replace, move, copy, test")),
        }
    }

    fn from(&self) -> std::result::Result<Vec<String>, Refusal> {
        self.from.as_deref().and_then(pointer).ok_or(("from", "expected a JSON pointer, such as /email"))
    }
}

fn spend(copied: &mut usize, bytes: usize) -> std::result::Result<(), Refusal> {
    *copied += bytes;
    if *copied > COPIED_BYTES { Err(("op", "expected a patch that copies less")) } else { Ok(()) }
}

/// The parts of a JSON pointer (RFC 6901).
fn pointer(text: &str) -> Option<Vec<String>> {
    if text.is_empty() {
        return Some(Vec::new());
    }
    let parts = text.strip_prefix('/')?.split('/');
    let parts: Vec<String> = parts.map(|part| part.replace("~1", "/").replace("~0", "~")).collect();
    (parts.len() <= PARTS).then_some(parts)
}

/// A place in an array: digits without leading zeros.
fn index(part: &str) -> Option<usize> {
    let plain = part == "0" || !part.starts_with('0') && part.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| part.parse().ok())?
}

fn find<'a>(document: &'a mut Value, path: &[String]) -> Option<&'a mut Value> {
    path.iter().try_fold(document, |at, part| match at {
        Value::Object(members) => members.get_mut(part),
        Value::Array(items) => items.get_mut(index(part)?),
        _ => None,
    })
}

#[derive(Debug, PartialEq, Eq)]
struct Size {
    /// The number of values in it, itself included.
    values: usize,
    bytes: usize,
}

/// Refuses a value that would be nested too deeply at the path. Returns its size. Does not recurse: the value may be
/// deeper than the stack allows.
fn check_levels(path: &[String], value: &Value) -> std::result::Result<Size, Refusal> {
    let (mut levels, mut size) = (path.len(), Size { values: 0, bytes: 0 });
    let mut level = vec![value];
    loop {
        size.values += level.len();
        size.bytes += level.len() * VALUE_BYTES;
        let mut inside = Vec::new();
        let mut is_nested = false;
        for value in level {
            match value {
                Value::Array(items) => inside.extend(items),
                Value::Object(members) => {
                    size.bytes += members.keys().map(String::len).sum::<usize>();
                    inside.extend(members.values());
                }
                Value::String(text) => {
                    size.bytes += text.len();
                    continue;
                }
                _ => continue,
            }
            is_nested = true;
        }
        if !is_nested {
            return Ok(size);
        }
        levels += 1;
        if levels > LEVELS {
            return Err(("path", "expected a place that is nested less deeply"));
        }
        level = inside;
    }
}

fn add(document: &mut Value, path: &[String], value: Value) -> std::result::Result<(), Refusal> {
    let Some((last, parents)) = path.split_last() else {
        *document = value;
        return Ok(());
    };
    match find(document, parents) {
        Some(Value::Object(members)) => drop(members.insert(last.clone(), value)),
        Some(Value::Array(items)) => {
            let at = if last == "-" { Some(items.len()) } else { index(last).filter(|at| *at <= items.len()) };
            items.insert(at.ok_or(("path", "expected a place in the array, or -"))?, value);
        }
        _ => return Err(("path", "expected a place inside of something that exists")),
    }
    Ok(())
}

fn remove(document: &mut Value, path: &[String]) -> Option<Value> {
    let Some((last, parents)) = path.split_last() else {
        return Some(document.take());
    };
    match find(document, parents)? {
        Value::Object(members) => members.remove(last),
        Value::Array(items) => index(last).filter(|at| *at < items.len()).map(|at| items.remove(at)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn patched(document: Value, patch: Value) -> Result<Value> {
        let mut document = document;
        Patch::read(&json!({ "patch": patch }).to_string())?.apply(&mut document)?;
        Ok(document)
    }

    #[test]
    fn patches_do_what_the_rfc_says() {
        let cases = [
            (json!({}), json!([{"op": "add", "path": "/a", "value": 1}]), json!({"a": 1})),
            (json!({"a": 1}), json!([{"op": "add", "path": "/a", "value": null}]), json!({"a": null})),
            (json!({"a": [1, 3]}), json!([{"op": "add", "path": "/a/1", "value": 2}]), json!({"a": [1, 2, 3]})),
            (json!({"a": [1]}), json!([{"op": "add", "path": "/a/-", "value": 2}]), json!({"a": [1, 2]})),
            (json!({"a": 1, "b": 2}), json!([{"op": "remove", "path": "/a"}]), json!({"b": 2})),
            (json!({"a": [1, 2]}), json!([{"op": "remove", "path": "/a/0"}]), json!({"a": [2]})),
            (
                json!({"a": {"b": 1}}),
                json!([{"op": "replace", "path": "/a/b", "value": "x"}]),
                json!({"a": {"b": "x"}}),
            ),
            (json!({"a": 1}), json!([{"op": "replace", "path": "", "value": {}}]), json!({})),
            (json!({"a": 1}), json!([{"op": "move", "from": "/a", "path": "/b"}]), json!({"b": 1})),
            (json!({"a": 1}), json!([{"op": "copy", "from": "/a", "path": "/b"}]), json!({"a": 1, "b": 1})),
            (
                json!({"a/b": 1, "~": 2}),
                json!([{"op": "remove", "path": "/a~1b"}, {"op": "remove", "path": "/~0"}]),
                json!({}),
            ),
            (json!({"a": 1}), json!([{"op": "test", "path": "/a", "value": 1}]), json!({"a": 1})),
        ];
        for (document, patch, expected) in cases {
            assert_eq!(patched(document, patch.clone()).unwrap(), expected, "{patch}");
        }
    }

    #[test]
    fn patches_that_cannot_be_applied_name_the_field() {
        let deep = "/a".repeat(PARTS + 1);
        let cases = [
            (json!([{"op": "replace", "path": "/b", "value": 1}]), "patch[0].path: "),
            (json!([{"op": "remove", "path": "/list/2"}]), "patch[0].path: "),
            (json!([{"op": "remove", "path": "/list/01"}]), "patch[0].path: "),
            (json!([{"op": "remove", "path": "/list/-"}]), "patch[0].path: "),
            (json!([{"op": "add", "path": "/list/9", "value": 1}]), "patch[0].path: "),
            (json!([{"op": "add", "path": "/a/b/c", "value": 1}]), "patch[0].path: "),
            (json!([{"op": "add", "path": "a", "value": 1}]), "patch[0].path: "),
            (json!([{"op": "add", "path": deep, "value": 1}]), "patch[0].path: "),
            (json!([{"op": "add", "path": "/a"}]), "patch[0].value: "),
            (json!([{"op": "test", "path": "/a", "value": 2}]), "patch[0].value: "),
            (json!([{"op": "move", "path": "/a/b", "from": "/a"}]), "patch[0].from: "),
            (json!([{"op": "copy", "path": "/c"}]), "patch[0].from: "),
            (json!([{"op": "add", "path": "/x", "value": 1}, {"op": "drop", "path": "/x"}]), "patch[1].op: "),
            (json!([{"path": "/x"}]), "patch[0]: expected a field 'op'"),
            (json!([[1]]), "patch[0]: expected an object"),
            (json!({}), "patch: expected an array"),
            (json!([{"op": "test", "path": "", "value": 1}]), "patch[0].value: "),
        ];
        for (patch, expected) in cases {
            let error = patched(json!({"a": 1, "list": [1, 2]}), patch.clone()).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{patch}: {error}");
        }
        let chain = |depth: usize| (0..depth).fold(json!(1), |value, _| json!({ "a": value }));
        let mut deepening = Vec::new();
        for _ in 0..OPERATIONS / 2 {
            deepening.push(json!({"op": "add", "path": "/b", "value": chain(99)}));
            deepening.push(json!({"op": "move", "from": "/a", "path": format!("/b{}", "/a".repeat(98))}));
            deepening.push(json!({"op": "move", "from": "/b", "path": "/a"}));
        }
        deepening.truncate(OPERATIONS);
        let error = patched(json!({ "a": 1 }), Value::Array(deepening)).unwrap_err().to_string();
        assert_eq!(error, "patch[4].path: expected a place that is nested less deeply");
        let deep = check_levels(&["b".to_owned()], &chain(LEVELS));
        assert_eq!(check_levels(&[], &chain(LEVELS)).map(|size| size.values), Ok(LEVELS + 1));
        assert!(deep.is_err());
        let below = (0..OPERATIONS / 2).flat_map(|_| {
            [json!({"op": "move", "from": "/a", "path": "/b/a"}), json!({"op": "move", "from": "/b/a", "path": "/a"})]
        });
        let wide = json!({ "a": vec![0; 1_000_000], "b": {} });
        let error = patched(wide, below.collect()).unwrap_err().to_string();
        assert!(error.ends_with("expected a patch that copies less"), "{error}");
        let doubling = vec![json!({"op": "copy", "from": "", "path": "/a"}); 200];
        let error = patched(json!({"text": "x".repeat(1000)}), Value::Array(doubling)).unwrap_err().to_string();
        assert!(error.ends_with("expected a patch that copies less"), "{error}");
        // Values without much text take memory as well.
        let doubling = (0..18).map(|i| json!({"op": "copy", "from": "", "path": format!("/{i}")}));
        let error = patched(json!({"a": 1}), doubling.collect()).unwrap_err().to_string();
        assert_eq!(error, "patch[15].op: expected a patch that copies less");
    }
}
