//! Renderings, one case a file: what a `content` comes to for a user. What is expected is the `body` of the only row of
//! the outbox if it is a text, else the members of that row, else a list of rows; or the job is `refused`.
//!
//! The user is `ada`, with the file's `data` and `profile`. A content that is a text is a body, and a list is elements.
//! Where that is too little, a file has a `message` or a `user` of its own, a `seed` as `--seed` takes it, the `key` of
//! the requests, and `templates` for whether unknown ones are `strict`ly told.
//!
//! `BULKD_FIXTURE=helpers/trim cargo test fixtures` tests the files with that in their path. `BULKD_BLESS=1` writes into
//! the others what was found, to be looked at.

use std::io::Write;
use std::path::Path;

use bulkd::settings::UnknownTemplates;
use serde::Deserialize;
use serde_json::Value;

use crate::support::cases::{self, Raw};
use crate::support::{Customer, Daemon, json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    seed: Option<Raw>,
    key: Option<Raw>,
    templates: Option<Raw>,
    message: Option<Raw>,
    content: Option<Raw>,
    data: Option<Raw>,
    profile: Option<Raw>,
    user: Option<Raw>,
    expected: Option<Raw>,
    refused: Option<Raw>,
}

fn parsed(raw: &Raw) -> Value {
    serde_json::from_str(raw.get()).unwrap()
}

impl Case {
    fn message(&self) -> Value {
        match (&self.message, &self.content) {
            (Some(message), None) => parsed(message),
            (None, Some(content)) => {
                let content = match parsed(content) {
                    Value::String(body) => json!({ "body": body }),
                    Value::Array(elements) => json!({ "version": "2022-01-01", "elements": elements }),
                    content => content,
                };
                json!({ "content": content })
            }
            _ => panic!("a fixture has either a message or a content"),
        }
    }

    fn user(&self) -> Value {
        if let Some(user) = &self.user {
            assert!(self.data.is_none() && self.profile.is_none(), "data and profile belong to the user of this file");
            return parsed(user);
        }
        let mut user = json!({ "recipient": "ada" });
        for (name, value) in [("data", &self.data), ("profile", &self.profile)] {
            if let Some(value) = value {
                user[name] = parsed(value);
            }
        }
        user
    }

    /// The rows that are expected.
    fn expected(&self) -> Vec<Value> {
        match self.expected.as_ref().map(parsed) {
            None => Vec::new(),
            Some(Value::Array(rows)) => rows,
            Some(Value::String(body)) => vec![json!({ "body": body })],
            Some(row) => vec![row],
        }
    }

    fn write(&self, path: &Path) {
        let members = [
            ("seed", self.seed.as_ref()),
            ("key", self.key.as_ref()),
            ("templates", self.templates.as_ref()),
            ("message", self.message.as_ref()),
            ("content", self.content.as_ref()),
            ("data", self.data.as_ref()),
            ("profile", self.profile.as_ref()),
            ("user", self.user.as_ref()),
            ("expected", self.expected.as_ref()),
            ("refused", self.refused.as_ref()),
        ];
        cases::write(path, &members);
    }

    /// A daemon of its own for what is not as it is for all.
    fn daemon(&self) -> Option<Daemon> {
        if self.seed.is_none() && self.templates.is_none() {
            return None;
        }
        let mut file = tempfile::Builder::new().suffix(".json").tempfile().unwrap();
        file.write_all(self.seed.as_ref().map_or("{}", |seed| seed.get()).as_bytes()).unwrap();
        Some(Daemon::start_with(|config| {
            config.seed = Some(file.path().to_owned());
            config.templates = match self.templates.as_ref().map_or("\"lenient\"", |it| it.get()) {
                "\"lenient\"" => UnknownTemplates::Lenient,
                "\"strict\"" => UnknownTemplates::Strict,
                other => panic!("templates: {other}"),
            };
        }))
    }
}

/// What becomes of a case: rows of the outbox with those of users who failed, or a refusal.
enum Found {
    Rows(Vec<Value>),
    Refused(String),
}

fn found(customer: &Customer, case: &Case) -> Found {
    let created = customer.post("/bulk", &json!({ "message": case.message() }));
    if created.status != 201 {
        return Found::Refused(created.refused(400));
    }
    let job_id = created.json()["jobId"].as_str().unwrap().to_owned();
    customer.ingest(&job_id, json!([case.user()]));
    customer.run_to_the_end(&job_id);
    let mut rows = customer.outbox(&job_id);
    for user in customer.users(&job_id) {
        rows.extend(user.get("error").map(|error| json!({ "error": error })));
    }
    Found::Rows(rows)
}

/// A member of a row, or what a JSON pointer leads to. A list is what a text holds as JSON, such as elements: the order
/// of their members does not matter.
fn member(row: &Value, name: &str, expected: &Value) -> Value {
    match name.starts_with('/') {
        true => row.pointer(name).cloned().unwrap_or_default(),
        false if expected.is_array() => {
            serde_json::from_str(row[name].as_str().unwrap_or_default()).unwrap_or(Value::Null)
        }
        false => row[name].clone(),
    }
}

fn is_met(found: &Value, expected: &Value) -> bool {
    match expected.get("contains") {
        Some(part) => found.as_str().unwrap_or_default().contains(part.as_str().unwrap()),
        None => found == expected,
    }
}

/// What is not as the file says.
fn problems(case: &Case, found: &Found) -> Vec<String> {
    let (rows, refused) = match (found, case.refused.as_ref().map(parsed)) {
        (Found::Refused(why), Some(expected)) if expected == *why => return Vec::new(),
        (Found::Refused(why), _) => return vec![format!("it was refused: {why}")],
        (Found::Rows(rows), refused) => (rows, refused),
    };
    if refused.is_some() {
        return vec![format!("it was taken: {rows:?}")];
    }
    let expected = case.expected();
    if expected.is_empty() || rows.len() != expected.len() {
        return vec![format!("expected {} rows, found {rows:?}", expected.len())];
    }
    let mut problems = Vec::new();
    for (row, expected) in rows.iter().zip(&expected) {
        let members = expected.as_object().filter(|members| !members.is_empty());
        let Some(members) = members else { return vec![format!("nothing is expected of {row}")] };
        for (name, expected) in members {
            let found = member(row, name, expected);
            if !is_met(&found, expected) {
                problems.push(format!("{name}: expected {expected:.1000}\n      found {found:.1000}"));
            }
        }
    }
    problems
}

/// Expects what was found: of as many rows the members that were expected before, else the error or the body of each.
fn bless(case: &mut Case, found: &Found) {
    let rows = match found {
        Found::Refused(why) => {
            (case.expected, case.refused) = (None, Some(cases::raw(&json!(why))));
            return;
        }
        Found::Rows(rows) => rows,
    };
    let before = case.expected();
    let of_row = |(i, row): (usize, &Value)| -> Value {
        match before.get(i).and_then(Value::as_object).filter(|_| before.len() == rows.len()) {
            Some(members) => members.iter().map(|(name, was)| (name.clone(), anew(row, name, was))).collect(),
            None if row["error"].is_string() => json!({ "error": row["error"] }),
            None => json!({ "body": row["body"] }),
        }
    };
    let mut rows: Vec<Value> = rows.iter().enumerate().map(of_row).collect();
    let expected = match rows.as_mut_slice() {
        [row] if row.as_object().is_some_and(|row| row.len() == 1) && row["body"].is_string() => row["body"].take(),
        [row] => row.take(),
        _ => Value::Array(rows),
    };
    (case.expected, case.refused) = (Some(cases::raw(&expected)), None);
}

/// A member that was expected, as it is now.
fn anew(row: &Value, name: &str, was: &Value) -> Value {
    let found = member(row, name, was);
    if is_met(&found, was) { was.clone() } else { found }
}

/// Tests the files of a folder.
#[track_caller]
fn test(area: &str) {
    let plain = Daemon::start();
    let mut wrong = Vec::new();
    for path in cases::files(&format!("fixtures/{area}")) {
        let mut case: Case = cases::read(&path);
        // The last line before a panic says where it was.
        println!("{}", path.display());
        let own = case.daemon();
        let key = case.key.as_ref().map_or_else(|| json!("acme"), parsed);
        let customer = own.as_ref().unwrap_or(&plain).customer(key.as_str().unwrap());
        let found = found(&customer, &case);
        let problems = problems(&case, &found);
        if problems.is_empty() {
            continue;
        }
        if cases::is_blessing() {
            bless(&mut case, &found);
            case.write(&path);
            println!("{} was written anew", path.display());
        } else {
            wrong.push(format!("{}\n    {}", path.display(), problems.join("\n    ")));
        }
    }
    assert!(wrong.is_empty(), "\n{}\nBULKD_BLESS=1 writes what was found\n", wrong.join("\n"));
}

macro_rules! areas {
    ($($area:ident)*) => {
        const AREAS: &[&str] = &[$(stringify!($area)),*];

        $(
            #[test]
            fn $area() {
                test(stringify!($area));
            }
        )*
    };
}

areas! {
    brands channels conditions elements escaping helpers locales loops options preferences profiles requests routing
    simulator templates variables
}

#[test]
fn every_folder_of_fixtures_is_tested() {
    let folders = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures")).unwrap();
    let mut folders: Vec<_> = folders.map(|folder| folder.unwrap().file_name().into_string().unwrap()).collect();
    folders.sort();
    assert_eq!(folders, AREAS);
    let count: usize = AREAS.iter().map(|area| cases::files(&format!("fixtures/{area}")).len()).sum();
    match cases::filter() {
        Some(part) => assert!(count + cases::files("requests").len() > 0, "no fixture has {part:?} in its path"),
        None => assert!(count >= 600, "{count} fixtures"),
    }
}
