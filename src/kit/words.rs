//! The operators that a wait compares with.

use serde_json::{Map, Value, json};

/// The same value. Numbers are compared as numbers.
pub fn equals(value: impl Into<Value>) -> Value {
    json!({ "equals": value.into() })
}

/// A text with this part, or an array with this item.
pub fn contains(part: impl Into<Value>) -> Value {
    json!({ "contains": part.into() })
}

/// A regular expression, anywhere in the text, without look-around and back references.
pub fn matches(pattern: &str) -> Value {
    json!({ "matches": pattern })
}

/// The value is missing.
pub fn absent() -> Value {
    json!({ "absent": true })
}

/// The value is there, whatever it is.
pub fn present() -> Value {
    json!({ "absent": false })
}

const OPERATORS: [&str; 4] = ["equals", "contains", "matches", "absent"];

/// The criteria of a wait: `{"data": {"order": {"n": 1}}}` asks for `data.order.n`.
pub fn criteria(wanted: Value) -> Value {
    let Value::Object(wanted) = wanted else { return wanted };
    let mut criteria = Map::new();
    for (name, value) in wanted {
        match name.as_str() {
            "data" => flatten(name, value, &mut criteria),
            _ => drop(criteria.insert(name, value)),
        }
    }
    Value::Object(criteria)
}

fn flatten(at: String, value: Value, criteria: &mut Map<String, Value>) {
    match value {
        Value::Object(members) if members.keys().any(|name| !OPERATORS.contains(&name.as_str())) => {
            members.into_iter().for_each(|(name, value)| flatten(format!("{at}.{name}"), value, criteria));
        }
        value => drop(criteria.insert(at, value)),
    }
}
