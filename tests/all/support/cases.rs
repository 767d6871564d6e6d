//! Cases that are kept in files, one a file: what is given and what is expected.

use std::fs;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

/// JSON as it stands in a file.
pub type Raw = Box<RawValue>;

/// What a line of a file may take, where more lines would do.
const WIDTH: usize = 120;

/// Whether expectations that are not met are written anew instead: `BULKD_BLESS=1`.
pub fn is_blessing() -> bool {
    std::env::var_os("BULKD_BLESS").is_some_and(|value| !value.is_empty())
}

/// The part that the path of each case has to contain, below `tests`: `BULKD_FIXTURE`.
pub fn filter() -> Option<String> {
    std::env::var("BULKD_FIXTURE").ok().filter(|part| !part.is_empty())
}

/// The files in a folder below `tests` that the filter leaves, in order.
pub fn files(folder: &str) -> Vec<PathBuf> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let part = filter().unwrap_or_default();
    let is_wanted = |path: &PathBuf| path.strip_prefix(&top).unwrap().to_string_lossy().contains(&part);
    let entries = fs::read_dir(top.join(folder)).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).filter(is_wanted).collect();
    files.sort();
    files
}

#[track_caller]
pub fn read<T: DeserializeOwned>(path: &Path) -> T {
    let text = fs::read_to_string(path).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Writes a case's members, one below the other. What is as it was in the file stays so to the byte.
pub fn write(path: &Path, members: &[(&str, Option<&Raw>)]) {
    let members = members.iter().filter_map(|(name, value)| Some(format!("  \"{name}\": {}", (*value)?.get())));
    let text = format!("{{\n{}\n}}\n", members.collect::<Vec<_>>().join(",\n"));
    fs::write(path, text).unwrap();
}

/// A member's value as it is written by hand.
pub fn raw(value: &Value) -> Raw {
    RawValue::from_string(pretty(value, 2, 2)).unwrap()
}

/// On one line if there is room behind what stands there, else a line for each part.
fn pretty(value: &Value, indent: usize, before: usize) -> String {
    let line = one_line(value);
    if before + line.chars().count() <= WIDTH {
        return line;
    }
    let margin = " ".repeat(indent + 2);
    let lines = |parts: Vec<String>| parts.iter().map(|part| format!("\n{margin}{part}")).collect::<Vec<_>>().join(",");
    let end = " ".repeat(indent);
    match value {
        Value::Array(items) if !items.is_empty() => {
            let parts = items.iter().map(|item| pretty(item, indent + 2, indent + 2));
            format!("[{}\n{end}]", lines(parts.collect()))
        }
        Value::Object(members) if !members.is_empty() => {
            let parts = members.iter().map(|(name, value)| {
                let name = Value::from(name.as_str()).to_string();
                let before = indent + 4 + name.chars().count();
                format!("{name}: {}", pretty(value, indent + 2, before))
            });
            format!("{{{}\n{end}}}", lines(parts.collect()))
        }
        _ => line,
    }
}

fn one_line(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(one_line).collect::<Vec<_>>().join(", ")),
        Value::Object(members) if !members.is_empty() => {
            let members =
                members.iter().map(|(name, value)| format!("{}: {}", Value::from(name.as_str()), one_line(value)));
            format!("{{ {} }}", members.collect::<Vec<_>>().join(", "))
        }
        value => value.to_string(),
    }
}
