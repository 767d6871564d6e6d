//! Laying one value over another.

use serde_json::Value;

/// Lays `over` over `base`: objects member by member. Anything else replaces what is there.
pub fn merge(base: &mut Value, over: &Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (name, value) in over {
                merge(base.entry(name).or_insert(Value::Null), value);
            }
        }
        (base, over) => *base = over.clone(),
    }
}
