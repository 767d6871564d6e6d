//! What the documents say of the program that the program knows itself. `BULKD_BLESS=1` writes anew what can be written.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bulkd::api::{ROUTES, Route};
use bulkd::cli::Cli;
use bulkd::config::default_limits;
use bulkd::error::Kind;
use bulkd::faults::{LIMITS, PRESETS};
use bulkd::findings::Check;
use bulkd::http::Limits;
use bulkd::model::message_status::{MessageStatus, Reason};
use bulkd::model::provider::Provider;
use bulkd::provider::About;
use bulkd::render::helpers::helpers;
use bulkd::template::{Form, Helper, ParsedCondition};
use clap::{Arg, ArgAction, CommandFactory};

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(top().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What stands between the markers of a part, such as `<!-- helpers -->` and `<!-- /helpers -->`.
fn part<'a>(text: &'a str, name: &str) -> &'a str {
    let (_, rest) = text.split_once(&format!("<!-- {name} -->\n")).unwrap_or_else(|| panic!("there is no part {name}"));
    rest.split_once(&format!("<!-- /{name} -->")).unwrap_or_else(|| panic!("the part {name} has no end")).0
}

/// Compares a part of a document with what it has to be, or writes it.
fn check_part(path: &str, name: &str, expected: &str) {
    let text = read(path);
    let found = part(&text, name);
    if found == expected {
        return;
    }
    assert!(
        cases::is_blessing(),
        "{path}: the part '{name}' is not that of the program; run this test with BULKD_BLESS=1"
    );
    let (open, close) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let changed = text.replace(&format!("{open}{found}{close}"), &format!("{open}{expected}{close}"));
    fs::write(top().join(path), changed).unwrap();
}

#[test]
fn the_conditions_that_the_documents_refuse_are_refused() {
    let mut count = 0;
    for path in ["docs/differences.md", "docs/templates.md"] {
        let text = read(path);
        for sentence in text.split("Refused are ").skip(1) {
            let (expressions, _) = sentence.split_once("`.").unwrap_or_else(|| panic!("{path}: where do they end?"));
            for expression in format!("{expressions}`").split('`').skip(1).step_by(2) {
                let parsed = ParsedCondition::parse(expression);
                assert!(parsed.is_err(), "{path}: {expression} is taken");
                count += 1;
            }
        }
    }
    assert!(count >= 20, "{count}");
}

/// The rows of all tables in a text, cell by cell, without their heads.
fn rows(text: &str) -> Vec<Vec<&str>> {
    let lines: Vec<&str> = text.lines().collect();
    let is_head = |at: usize| lines.get(at + 1).is_some_and(|next| next.starts_with("|---"));
    (0..lines.len())
        .filter(|&at| lines[at].starts_with("| ") && !is_head(at))
        .map(|at| lines[at].trim_matches('|').split(" | ").map(str::trim).collect())
        .collect()
}

/// What stands first in each row, if it is code.
fn first_code(text: &str) -> Vec<&str> {
    rows(text).iter().filter_map(|row| row[0].strip_prefix('`')?.strip_suffix('`')).collect()
}

/// The documents that people read.
fn documents() -> Vec<PathBuf> {
    let folders = [top().to_owned(), top().join("docs")];
    let entries = folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()));
    let found: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|it| it == "md")).collect();
    assert!(found.len() > 5, "{found:?}");
    found
}

/// A row of a table of routes.
fn route(route: &Route) -> String {
    let query = route.query.iter().map(|name| format!("`{name}`"));
    let no_key = (!route.needs_key()).then(|| "no key needed".to_owned());
    let body = Some(route.body.to_owned()).filter(|body| !body.is_empty());
    let takes: Vec<String> = no_key.into_iter().chain(query).chain(body).collect();
    let (takes, space) = (takes.join(", "), if takes.is_empty() { "" } else { " " });
    format!("| `{} {}` | {takes}{space}| {} |", route.method, route.path, route.answers)
}

#[test]
fn the_routes_of_the_api_are_those_of_the_program() {
    let text = read("docs/api.md");
    let beginning = |row: &str| row.match_indices('`').nth(1).map(|(end, _)| row[..=end].to_owned());
    let is_route = |line: &&str| {
        let cell = line.strip_prefix("| `").and_then(|rest| rest.split_once(" /"));
        cell.is_some_and(|(method, _)| method.chars().all(|c| c.is_ascii_uppercase()))
    };
    let told: Vec<&str> = text.lines().filter(is_route).collect();
    let expected: Vec<String> = ROUTES.iter().map(route).collect();
    let mut changed = text.clone();
    for row in &expected {
        let begins = beginning(row).unwrap();
        let found: Vec<_> = told.iter().filter(|line| line.starts_with(&format!("{begins} "))).collect();
        assert_eq!(found.len(), 1, "docs/api.md: rows that begin with {begins}");
        changed = changed.replace(&format!("{}\n", found[0]), &format!("{row}\n"));
    }
    assert_eq!(told.len(), expected.len(), "docs/api.md tells of routes that there are not");
    if changed != text {
        assert!(cases::is_blessing(), "docs/api.md: the routes are not those of the program; run with BULKD_BLESS=1");
        fs::write(top().join("docs/api.md"), changed).unwrap();
    }
    for route in ROUTES {
        assert!(!route.about.is_empty() && !route.answers.is_empty(), "{} {}", route.method, route.path);
    }
}

/// A row of a table of flags.
fn flag(arg: &Arg) -> String {
    let explained: Vec<_> = arg.get_possible_values().into_iter().filter(|value| value.get_help().is_some()).collect();
    let choices: Vec<&str> = explained.iter().map(|value| value.get_name()).collect();
    let value = match arg.get_action() {
        ArgAction::SetTrue => String::new(),
        _ if !choices.is_empty() => format!(" {}", choices.join("\\|")),
        _ => format!(" {}", arg.get_value_names().map_or("VALUE", |names| names[0].as_str())),
    };
    let variable = arg.get_env().map(|name| format!("`{}`", name.to_str().unwrap())).unwrap_or_default();
    let defaults: Vec<&str> = arg.get_default_values().iter().filter_map(|value| value.to_str()).collect();
    let default = match defaults.as_slice() {
        [] | ["false"] => String::new(),
        values => format!("`{}`", values.join(",")),
    };
    let help = arg.get_long_help().or(arg.get_help()).map(ToString::to_string).unwrap_or_default();
    let mut about = format!("{}.", help.trim_end_matches('.').replace('\n', " ").replace('|', "\\|"));
    for value in &explained {
        let help = value.get_help().map(ToString::to_string).unwrap_or_default();
        about.push_str(&format!(" `{}`: {}.", value.get_name(), help.trim_end_matches('.')));
    }
    format!("| `--{}{value}` | {variable} | {default} | {about} |\n", arg.get_long().unwrap())
}

#[test]
fn the_settings_are_the_flags_of_the_program() {
    let cli = Cli::command();
    for name in ["serve", "demo", "backup", "restore", "ready", "doctor", "promote", "deliver", "ca"] {
        let command = cli.find_subcommand(name).unwrap();
        let own = |arg: &&Arg| arg.get_long().is_some() && arg.get_id() != "help";
        let rows: String = command.get_arguments().filter(own).map(flag).collect();
        let table = format!("| flag | variable | default | |\n|---|---|---|---|\n{rows}");
        check_part("docs/operations.md", &format!("flags of {name}"), &table);
    }
    let serve = |command: &clap::Command| -> Vec<String> {
        command.get_arguments().map(|arg| arg.get_id().to_string()).filter(|id| id != "version").collect()
    };
    assert_eq!(serve(&cli), serve(cli.find_subcommand("serve").unwrap()), "`bulkd` alone is `bulkd serve`");
    let text = read("docs/operations.md");
    for command in cli.get_subcommands() {
        assert!(text.contains(&format!("`bulkd {}", command.get_name())), "{} is missing", command.get_name());
    }
}

#[test]
fn the_errors_are_those_of_the_program() {
    use Kind::*;
    let kinds = [
        Invalid,
        Unauthorized,
        Forbidden,
        NotFound,
        TimedOut,
        Conflict,
        BodyTooLarge,
        Misdirected,
        TooManyRequests,
        HeadTooLarge,
        Internal,
        NotImplemented,
        Unavailable,
    ];
    let expected = kinds.map(|kind| {
        let (status, name) = kind.status_and_type();
        (status.to_string(), format!("`{name}`"))
    });
    let text = read("docs/api.md");
    let told: Vec<(String, String)> =
        rows(part(&text, "errors")).iter().map(|row| (row[0].to_owned(), row[1].to_owned())).collect();
    assert_eq!(told, expected);
}

fn bytes(bytes: usize) -> String {
    match bytes {
        bytes if bytes.is_multiple_of(1 << 20) => format!("{} MiB", bytes >> 20),
        bytes => format!("{} KiB", bytes >> 10),
    }
}

fn seconds(span: Duration) -> String {
    format!("{} s", span.as_secs())
}

#[test]
fn the_limits_are_those_of_the_program() {
    // A field that is new does not compile until it stands here.
    let Limits {
        requests,
        queue,
        queue_time,
        streams,
        head_bytes,
        body_bytes,
        bodies_bytes,
        head,
        body,
        idle,
        answer,
        stack_bytes,
        stop,
    } = default_limits();
    let expected = [
        ("requests", requests.to_string()),
        ("queue", queue.to_string()),
        ("queue_time", seconds(queue_time)),
        ("streams", streams.to_string()),
        ("head_bytes", bytes(head_bytes)),
        ("body_bytes", bytes(body_bytes)),
        ("bodies_bytes", bytes(bodies_bytes)),
        ("head", seconds(head)),
        ("body", seconds(body)),
        ("idle", seconds(idle)),
        ("answer", seconds(answer)),
        ("stack_bytes", bytes(stack_bytes)),
        ("stop", seconds(stop)),
    ];
    let text = read("docs/operations.md");
    let told: Vec<(&str, String)> =
        rows(part(&text, "limits")).iter().map(|row| (row[0].trim_matches('`'), row[1].to_owned())).collect();
    assert_eq!(told, expected);
}

#[test]
fn the_names_in_the_tables_of_messages_are_those_of_the_program() {
    fn names<T>(names: &[(&'static str, T)]) -> Vec<&'static str> {
        names.iter().map(|(name, _)| *name).collect()
    }
    let text = read("docs/messages.md");
    assert_eq!(first_code(part(&text, "statuses")), names(MessageStatus::NAMES));
    assert_eq!(first_code(part(&text, "reasons")), names(Reason::NAMES));
}

#[test]
fn the_checks_of_the_doctor_are_those_of_the_program() {
    let row = |(name, check): &(&str, Check)| {
        let about = check.about();
        format!("| `{name}` | {} | {} | {} |\n", about.level.name(), about.title, about.advice)
    };
    let rows: String = Check::NAMES.iter().map(row).collect();
    check_part(
        "docs/testing.md",
        "checks",
        &format!("| check | level | found | what to do |\n|---|---|---|---|\n{rows}"),
    );
    let told = read("docs/testing.md");
    for (name, _) in PRESETS {
        assert!(told.contains(&format!("| `{name}` | ")), "docs/testing.md: {name}");
    }
    for (method, path, limit) in LIMITS {
        let joined = told.replace('\n', " ");
        assert!(joined.contains(&format!("{limit} `{method} {path}`")), "docs/testing.md: {limit} {method} {path}");
    }
}

/// What the guide has tested is what it shows.
#[test]
fn the_guide_shows_what_the_tests_run() {
    let files = [
        ("python", "tests/kits/guide/python/app.py"),
        ("python", "tests/kits/guide/python/test_app.py"),
        ("js", "tests/kits/guide/node/app.js"),
        ("js", "tests/kits/guide/node/app.test.js"),
        ("js", "tests/kits/guide/node/vitest.config.mjs"),
        ("rust", "tests/kits/guide/rust/app.rs"),
        ("rust", "tests/kits/guide/rust/app_test.rs"),
    ];
    for (language, path) in files {
        check_part("docs/testing.md", path, &format!("```{language}\n{}```\n", read(path)));
    }
    check_part("docs/operations.md", "packaging/https.conf", &format!("```ini\n{}```\n", read("packaging/https.conf")));
}

#[test]
fn the_table_of_providers_is_that_of_the_program() {
    let row = |provider: &Provider| {
        let of_row = provider.row();
        let channels: Vec<String> =
            [of_row.channel].into_iter().chain(of_row.also).map(|it| format!("`{}`", it.name())).collect();
        let names: Vec<String> = provider.spellings().map(|name| format!("`{name}`")).collect();
        let About { request, limits, validator } = bulkd::provider::about(*provider);
        let (names, channels, address) = (names.join(", "), channels.join(", "), of_row.reached_by());
        let cells = [names.as_str(), &channels, &address, request, limits, validator];
        let cell = |cell: &&str| if cell.is_empty() { "| ".to_owned() } else { format!("| {cell} ") };
        format!("{}|\n", cells.iter().map(cell).collect::<String>())
    };
    let rows: String = Provider::ALL.iter().map(row).collect();
    let head = "| provider | channel | address | `request` | refuses | checked with |\n|---|---|---|---|---|---|\n";
    check_part("docs/messages.md", "providers", &format!("{head}{rows}"));
}

#[test]
fn lines_are_short_and_links_lead_somewhere() {
    for path in documents() {
        let text = fs::read_to_string(&path).unwrap();
        for (number, line) in (1..).zip(text.lines()) {
            let width = line.chars().count();
            let at = format!("{}:{number}", path.display());
            assert!(width <= 120 || line.starts_with('|'), "{at}: {width} columns");
            for (link, _) in line.split("](").skip(1).filter_map(|rest| rest.split_once(')')) {
                let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
                if file.contains("://") {
                    continue;
                }
                let target = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
                assert!(target.exists(), "{at}: there is no {file}");
                assert!(anchor.is_empty() || anchors(&target).contains(anchor), "{at}: there is no {link}");
            }
        }
    }
}

#[test]
fn files_that_are_named_exist() {
    for path in documents().iter().filter(|path| !path.ends_with("CHANGELOG.md")) {
        let text = fs::read_to_string(path).unwrap();
        for (number, line) in (1..).zip(text.lines()) {
            for code in line.split('`').skip(1).step_by(2) {
                let is_path = ["src/", "tests/", "docs/", ".ci/", ".cargo/"].iter().any(|top| code.starts_with(top));
                if is_path && !code.contains(['<', ' ', '…']) && !code.contains("N_to_M") && !code.contains("-N.") {
                    assert!(top().join(code).exists(), "{}:{number}: there is no {code}", path.display());
                }
            }
        }
    }
}

#[test]
fn the_versions_in_the_documents_are_those_that_are_used() {
    let (readme, contributing) = (read("README.md"), read("CONTRIBUTING.md"));
    let manifest = read("Cargo.toml");
    let (_, rust) = manifest.split_once("rust-version = \"").unwrap();
    let rust = format!("Rust {} or newer", rust.split_once('"').unwrap().0);
    assert!(readme.contains(&rust) && contributing.contains(&rust), "{rust}");

    let minor = |version: &str| version.rsplit_once('.').unwrap().0.to_owned();
    let node = read("tests/sdk/node/package.json");
    let node = node.split("@trycourier/courier@").skip(1).map(|rest| rest.split_once('"').unwrap().0);
    let mut versions: Vec<String> = node.map(|version| format!("Node {}", minor(version))).collect();
    for generation in ["current", "fern", "handwritten"] {
        let wanted = read(&format!("tests/sdk/python/requirements-{generation}.txt"));
        let version = wanted.lines().find_map(|line| line.strip_prefix("trycourier==")).unwrap();
        versions.push(format!("Python {}", minor(version)));
    }
    assert_eq!(versions.len(), 6);
    for version in versions {
        assert!(readme.contains(&version), "README.md: {version} is tested");
    }
}

#[test]
fn the_version_of_the_file_is_that_of_the_schema() {
    let schema = read("schema.sql");
    let (_, rest) = schema.lines().next().unwrap().split_once("version ").unwrap();
    let version = rest.split_once(' ').unwrap().0;
    let text = read("docs/operations.md");
    assert!(text.contains(&format!("the current one (version {version})")), "docs/operations.md: version {version}");
    assert!(text.contains(&format!("| {version} | the current one |")), "docs/operations.md: version {version}");
}

/// The headings of a document as they are linked to.
fn anchors(path: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(path).unwrap();
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let kept = |c: &char| c.is_alphanumeric() || "-_ ".contains(*c);
    let anchor =
        |line: &str| line.trim_start_matches('#').trim().to_lowercase().chars().filter(kept).collect::<String>();
    headings.map(|line| anchor(line).replace(' ', "-")).collect()
}

#[test]
fn every_dependency_is_explained() {
    let manifest = read("Cargo.toml");
    let explained = read("ARCHITECTURE.md") + &read("docs/benchmarks.md");
    let of = |section: &'static str| {
        let section = manifest.split(&format!("{section}]\n")).nth(1).unwrap_or_default().split("\n[").next().unwrap();
        section.lines().filter_map(|line| line.split_once(" = ").map(|(name, _)| name.trim().to_owned()))
    };
    let unexplained: Vec<String> = of("[dependencies")
        .chain(of("linux\")'.dependencies"))
        .filter(|name| !explained.contains(name.as_str()))
        .collect();
    assert!(unexplained.is_empty(), "ARCHITECTURE.md does not say what for: {unexplained:?}");
}

use crate::support::cases;

/// A row of the table of helpers.
fn row(helper: &Helper) -> String {
    let form = match helper.form {
        Form::Value(_) => "value",
        Form::Condition(_) => "condition",
        Form::Content(_) => "changing block",
        Form::Language(_) if helper.name == "set" => "tag",
        Form::Language(_) => "block",
    };
    let arguments = if helper.arguments.is_empty() { String::new() } else { format!("`{}`", helper.arguments) };
    format!("| `{}` | {arguments} | {form} | {} | {} |\n", helper.name, helper.about, helper.source)
}

#[test]
fn the_table_of_helpers_is_that_of_the_program() {
    let mut all: Vec<&Helper> = helpers().iter().collect();
    all.sort_by_key(|helper| helper.name);
    let rows: String = all.into_iter().map(row).collect();
    let table = format!("| name | arguments | used as | what it does | source |\n|---|---|---|---|---|\n{rows}");
    check_part("docs/templates.md", "helpers", &table);
}

#[test]
fn no_two_helpers_have_the_same_name_and_each_says_what_it_does() {
    let mut names: Vec<&str> = Vec::new();
    for helper in helpers().iter() {
        assert!(!names.contains(&helper.name), "{} is there twice", helper.name);
        assert!(helper.about.ends_with('.') && !helper.source.is_empty(), "{}", helper.name);
        names.push(helper.name);
    }
    for name in ["if", "each", "condition", "var", "datetime-format", "formatMessage", "markdown"] {
        assert!(names.contains(&name), "{name} is missing");
    }
}
