//! The bounds of what routes take, for the schemas in `openapi.json`: there a text that begins with `=` names one of
//! these. Each is the constant that the code uses.

use serde_json::{Value, json};

use super::{backup, idempotency, lifecycle, outcome, paging, snapshot};
use crate::faults;
use crate::model::webhook;
use crate::waits;

/// The bound of this name.
fn find(name: &str) -> Option<Value> {
    Some(match name {
        "page.default" => json!(paging::DEFAULT_LIMIT),
        "page.most" => json!(paging::MAX_LIMIT),
        "key.characters" => json!(idempotency::KEY_LIMIT),
        "wait.ms" => json!(waits::MAX_MILLIS),
        "wait.default_ms" => json!(waits::DEFAULT_MILLIS),
        "wait.criteria" => json!(waits::CRITERIA),
        "wait.name" => json!(waits::NAME_CHARACTERS),
        "wait.value" => json!(waits::VALUE_BYTES),
        "wait.pattern" => json!(waits::PATTERN_CHARACTERS),
        "wait.id" => json!(waits::ID_CHARACTERS),
        "fault.presets" => faults::PRESETS.iter().map(|(name, _)| *name).collect(),
        "fault.method" => json!(format!("^({})$", faults::METHODS.map(in_any_case).join("|"))),
        "fault.name" => json!(faults::NAME_CHARS),
        "fault.path" => json!(faults::PATH_CHARS),
        "fault.body" => json!(faults::BODY_BYTES),
        "fault.headers" => json!(faults::HEADERS),
        "fault.least_status" => json!(faults::STATUSES.start()),
        "fault.most_status" => json!(faults::STATUSES.end()),
        "fault.percent" => json!(faults::PERCENT),
        "fault.delay_ms" => json!(faults::DELAY_MILLIS),
        "outcome.name" => json!(outcome::CHARACTERS),
        "lifecycle.most" => json!(lifecycle::MOST),
        "snapshot.name" => json!(snapshot::LONGEST_NAME),
        "snapshot.key" => json!(snapshot::KEY_BYTES),
        "backup.file" => json!(backup::LONGEST_NAME),
        "webhook.text" => json!(webhook::LONGEST_BYTES),
        _ => return None,
    })
}

/// A pattern for a word in any case: a schema's patterns cannot ask for that.
fn in_any_case(word: &str) -> String {
    word.chars().map(|letter| format!("[{letter}{}]", letter.to_ascii_lowercase())).collect()
}

/// Puts the bounds in the places of their names.
pub fn fill(schemas: &mut Value) {
    match schemas {
        Value::Object(members) => members.values_mut().for_each(fill),
        Value::Array(values) => values.iter_mut().for_each(fill),
        Value::String(name) => {
            if let Some(bound) = name.strip_prefix('=').and_then(find) {
                *schemas = bound;
            }
        }
        _ => {}
    }
}
