//! Renderings, one case a file: what a `message` comes to for a `user`, or how it is `refused`. What is expected of a row
//! is named by its member, or by a JSON pointer to a part of it. Beside these a file may have a `seed`, as `--seed` takes
//! it, the `key` of the requests, and `templates` for whether unknown ones are `strict`ly told.

mod support;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use bulkd::compose::UnknownTemplates;
use serde_json::Value;
use support::{Customer, Daemon, json};

/// Every file below `tests/fixtures`, in order.
fn cases() -> Vec<PathBuf> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let list = |folder: &Path| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    let mut files: Vec<PathBuf> = list(&top).iter().flat_map(|area| list(area)).collect();
    files.sort();
    files
}

/// What is not as the file says.
fn problems(customer: &Customer, case: &Value) -> Vec<String> {
    let created = customer.post("/bulk", &json!({ "message": case["message"] }));
    if let Some(refused) = case.get("refused") {
        let found = if created.status == 400 { created.refused(400) } else { format!("it was taken: {created:?}") };
        return if found == *refused { Vec::new() } else { vec![format!("refused: {found}")] };
    }
    if created.status != 201 {
        return vec![format!("it was refused: {}", created.text)];
    }
    let job_id = created.json()["jobId"].as_str().unwrap().to_owned();
    customer.ingest(&job_id, json!([case["user"]]));
    customer.run_to_the_end(&job_id);
    let mut rows = customer.outbox(&job_id);
    for user in customer.users(&job_id) {
        rows.extend(user.get("error").map(|error| json!({ "error": error })));
    }
    let expected = case["expect"].as_array().filter(|rows| !rows.is_empty());
    let Some(expected) = expected else { return vec![format!("nothing is expected; found {rows:?}")] };
    if rows.len() != expected.len() {
        return vec![format!("expected {} rows, found {rows:?}", expected.len())];
    }
    let mut problems = Vec::new();
    for (row, expected) in rows.iter().zip(expected) {
        let members = expected.as_object().filter(|members| !members.is_empty());
        let Some(members) = members else { return vec![format!("nothing is expected of {row}")] };
        for (name, value) in members {
            let text = row[name].as_str().unwrap_or_default();
            // Elements are compared as elements: the order of their members does not matter.
            let parsed = || serde_json::from_str(text).unwrap_or(Value::Null);
            let found = match name.starts_with('/') {
                true => row.pointer(name).cloned().unwrap_or_default(),
                false if value.is_array() => parsed(),
                false => row[name].clone(),
            };
            let as_expected = match value.get("contains") {
                Some(part) => text.contains(part.as_str().unwrap()),
                None => found == *value,
            };
            if !as_expected {
                problems.push(format!("{name}: expected {value:.1000}\n      found {found:.1000}"));
            }
        }
    }
    problems
}

/// A daemon of its own for what is not as it is for all.
fn set_apart(case: &Value) -> Option<Daemon> {
    let (seed, templates) = (case.get("seed"), case.get("templates"));
    if seed.is_none() && templates.is_none() {
        return None;
    }
    let mut file = tempfile::Builder::new().suffix(".json").tempfile().unwrap();
    file.write_all(seed.unwrap_or(&json!({})).to_string().as_bytes()).unwrap();
    Some(Daemon::start_with(|config| {
        config.seed = Some(file.path().to_owned());
        config.templates = match templates.map(|it| it.as_str().unwrap()) {
            None | Some("lenient") => UnknownTemplates::Lenient,
            Some("strict") => UnknownTemplates::Strict,
            Some(other) => panic!("templates: {other}"),
        };
    }))
}

#[test]
fn every_fixture_comes_to_what_it_says() {
    let plain = Daemon::start();
    let mut wrong = Vec::new();
    let cases = cases();
    for path in &cases {
        let case: Value = serde_json::from_str(&fs::read_to_string(path).unwrap())
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let own = set_apart(&case);
        let customer = own.as_ref().unwrap_or(&plain).customer(case["key"].as_str().unwrap_or("acme"));
        let found = problems(&customer, &case);
        if !found.is_empty() {
            wrong.push(format!("{}\n    {}", path.display(), found.join("\n    ")));
        }
    }
    assert!(cases.len() >= 250, "{} fixtures", cases.len());
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}
