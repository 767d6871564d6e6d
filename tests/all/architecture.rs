//! The house rules, read off the sources: which room imports which, where SQL stands, that no thread sleeps or spins, and
//! which crates are in no binary.

use std::fs;
use std::path::Path;
use std::process::Command;

use bulkd::model::bulk::JobStatus;
use bulkd::model::channel::Channel;
use bulkd::model::message_status::{MessageStatus, Reason};
use bulkd::model::preference::PreferenceStatus;
use bulkd::model::token::ProviderKey;
use bulkd::model::webhook::EventStatus;

/// A room and the rooms that it imports.
type Rule = (&'static str, &'static [&'static str]);

/// Imports run downward.
const RULES: &[Rule] = &[
    (
        "main",
        &[
            "app", "demo", "doctor", "promote", "ready", "deliver", "cli", "config", "http", "api", "runner",
            "outbound", "store", "render", "model", "tls",
        ],
    ),
    ("ready", &["cli", "http"]),
    ("kit", &["app", "cli", "tls"]),
    ("doctor", &["cli", "findings", "tls"]),
    ("tls", &["config", "http"]),
    ("promote", &["cli", "tls"]),
    ("demo", &["app", "cli", "config", "store", "model"]),
    (
        "app",
        &[
            "cli",
            "config",
            "tls",
            "http",
            "api",
            "seed",
            "feed",
            "lifecycle",
            "runner",
            "deliver",
            "outbound",
            "retention",
            "search",
            "waits",
            "steer",
            "journal",
            "findings",
            "store",
            "compose",
            "render",
            "model",
        ],
    ),
    ("cli", &["config", "http", "memory", "model"]),
    ("config", &["http", "render", "model"]),
    (
        "api",
        &[
            "http",
            "ui",
            "deliver",
            "faults",
            "journal",
            "findings",
            "seed",
            "send",
            "feed",
            "waits",
            "steer",
            "lifecycle",
            "outbox",
            "store",
            "compose",
            "render",
            "model",
        ],
    ),
    ("ui", &[]),
    ("faults", &["http", "model"]),
    ("journal", &["http", "model"]),
    ("seed", &["send", "store", "compose", "render", "model"]),
    ("send", &["findings", "store", "compose", "model"]),
    ("steer", &["lifecycle", "store", "model"]),
    ("lifecycle", &["model"]),
    ("runner", &["findings", "follow", "lifecycle", "store", "compose", "render", "model"]),
    ("retention", &["follow", "store", "model"]),
    ("search", &["follow", "store"]),
    ("outbound", &["follow", "outbox", "store", "model"]),
    ("deliver", &["follow", "outbox", "store", "model", "tls"]),
    ("waits", &["follow", "http", "journal", "outbox", "store", "render", "model"]),
    // What the routing passed over is found by composing the message once more.
    ("outbox", &["store", "compose", "provider", "render", "model"]),
    ("feed", &["http", "store", "model"]),
    ("follow", &["store"]),
    ("store", &["findings", "model"]),
    ("findings", &["model"]),
    ("compose", &["provider", "render", "template", "model"]),
    ("provider", &["render", "model"]),
    ("render", &["template", "model"]),
    ("template", &[]),
    ("http", &[]),
    ("model", &[]),
    ("json", &["error"]),
    ("error", &[]),
    ("clock", &[]),
    ("crash", &[]),
    ("dial", &[]),
    ("retry", &[]),
    ("id", &["clock"]),
    ("settings", &[]),
    ("memory", &[]),
    ("meter", &[]),
    ("logging", &["error", "settings", "output", "clock"]),
    ("outage", &["error"]),
    ("output", &[]),
    ("threads", &["logging"]),
];
/// What every room may import.
const COMMON: &[&str] = &[
    "json", "error", "clock", "id", "crash", "dial", "retry", "settings", "logging", "meter", "outage", "output",
    "threads",
];
/// A source file, taken apart.
struct Source {
    /// From the top of the repository, such as `src/api/bulk.rs`.
    path: String,
    /// What is left when comments, strings and characters are blanked out; every line is where it was.
    code: String,
    /// The strings, each with the line on which it begins.
    strings: Vec<(usize, String)>,
}

impl Source {
    fn parse(path: &str, text: &str) -> Self {
        let mut source = Source { path: path.to_owned(), code: String::new(), strings: Vec::new() };
        let mut rest = text;
        while !rest.is_empty() {
            let (length, string) = literal(rest, source.code.chars().next_back());
            if length == 0 {
                let next = rest.chars().next().unwrap();
                source.code.push(next);
                rest = &rest[next.len_utf8()..];
                continue;
            }
            if string {
                source.strings.push((source.line(), rest[..length].to_owned()));
            }
            source.code.extend(rest[..length].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            rest = &rest[length..];
        }
        source
    }

    /// The line that comes next.
    fn line(&self) -> usize {
        line_at(&self.code, self.code.len())
    }

    /// The room that it belongs to, if it is a part of the program.
    fn room(&self) -> Option<&str> {
        let name = self.path.strip_prefix("src/")?;
        Some(name.split_once('/').map_or_else(|| name.trim_end_matches(".rs"), |(room, _)| room))
    }

    /// How many modules it stands in.
    fn depth(&self) -> usize {
        let names = self.path.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
        1 + names.matches('/').count()
    }

    /// Where these words stand in the code, as words of their own: byte and line.
    fn words<'a>(&'a self, word: &'a str) -> impl Iterator<Item = (usize, usize)> + 'a {
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        self.code.match_indices(word).filter_map(move |(at, _)| {
            let (before, after) = (&self.code[..at], &self.code[at + word.len()..]);
            let whole = !before.ends_with(is_part) && (word.ends_with(':') || !after.starts_with(is_part));
            whole.then(|| (at, line_at(&self.code, at)))
        })
    }
}

fn line_at(code: &str, at: usize) -> usize {
    1 + code[..at].matches('\n').count()
}

/// The length of the comment, string or character at the beginning of the text, or 0; and whether it is a string.
fn literal(text: &str, before: Option<char>) -> (usize, bool) {
    let until = |end: &str, from: usize| text[from..].find(end).map_or(text.len(), |at| from + at + end.len());
    if text.starts_with("//") {
        return (text.find('\n').unwrap_or(text.len()), false);
    }
    if text.starts_with("/*") {
        return (until("*/", 2), false);
    }
    if text.starts_with('"') {
        return (quoted(text, '"'), true);
    }
    if let Some(raw) = text.strip_prefix('r').filter(|_| !before.is_some_and(|c| c.is_alphanumeric() || c == '_')) {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            return (until(&format!("\"{}", "#".repeat(hashes)), hashes + 2), true);
        }
    }
    if let Some(quoted_text) = text.strip_prefix('\'') {
        // Anything else after a quote is a lifetime.
        let mut chars = quoted_text.chars();
        if chars.next() == Some('\\') || chars.next() == Some('\'') {
            return (quoted(text, '\''), false);
        }
    }
    (0, false)
}

/// The length of what stands between two such quotes, both included.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

/// The paths in what follows `use crate::`, groups taken apart: `store::{self, Store}` is `store::self` and
/// `store::Store`.
fn paths(text: &str) -> Vec<String> {
    let text = text.trim_start();
    let Some(group) = text.strip_prefix('{') else {
        let name: String = text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let rest = text[name.len()..].trim_start();
        return match rest.strip_prefix("::") {
            Some(rest) => paths(rest).iter().map(|path| format!("{name}::{path}")).collect(),
            None => vec![name],
        };
    };
    let (mut found, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            ',' | '}' if depth == 0 => {
                found.extend(paths(&group[start..at]).into_iter().filter(|path| !path.is_empty()));
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
    found
}

/// The rooms that a file names, with the name's line.
fn imports(source: &Source) -> Vec<(usize, String)> {
    let mut imports = Vec::new();
    for root in ["crate::", "bulkd::", "super::"] {
        for (at, line) in source.words(root).filter(|(at, _)| !source.code[..*at].ends_with("super::")) {
            let mut rest = &source.code[at + root.len()..];
            let mut supers = usize::from(root == "super::");
            while let Some(further) = rest.strip_prefix("super::") {
                (rest, supers) = (further, supers + 1);
            }
            // What stands no further up than the room itself is a neighbour in it.
            let in_tests = usize::from(source.code[..at].contains("#[cfg(test)]"));
            if root == "super::" && supers < source.depth() + in_tests {
                continue;
            }
            // A macro's `$crate::*` names nothing.
            for path in paths(rest).into_iter().filter(|path| !path.is_empty()) {
                let room = path.split("::").next().unwrap_or_default();
                imports.push((line, room.to_owned()));
            }
        }
    }
    imports
}

fn check_imports(source: &Source, broken: &mut Vec<String>) {
    let Some(room) = source.room().filter(|room| *room != "lib") else { return };
    let Some((_, allowed)) = RULES.iter().find(|(known, _)| *known == room) else {
        return broken.push(format!("{}:1: the room `{room}` has no rule; say what it may import", source.path));
    };
    for (line, imported) in imports(source) {
        let at = format!("{}:{line}", source.path);
        let is_common = COMMON.contains(&imported.as_str()) && !COMMON.contains(&room);
        if imported == room || is_common {
            continue;
        }
        if !allowed.contains(&imported.as_str()) {
            let allowed = [allowed, COMMON].concat().join(", ");
            broken.push(format!("{at}: `{room}` imports `{imported}`; imports run downward, and its are {allowed}"));
        }
    }
}

fn check_sql(source: &Source, broken: &mut Vec<String>) {
    let Some(room) = source.room().filter(|room| *room != "store") else { return };
    // A command for people to type is none of ours.
    for (line, string) in source.strings.iter().filter(|(_, string)| !string.contains("sqlite3 ")) {
        if let Some(verb) = ["SELECT ", "INSERT ", "UPDATE ", "DELETE "].iter().find(|verb| string.contains(**verb)) {
            broken.push(format!("{}:{line}: {verb}in a string of `{room}`; all SQL stands in src/store", source.path));
        }
    }
    for (_, line) in source.words("rusqlite") {
        let at = format!("{}:{line}", source.path);
        broken.push(format!("{at}: rusqlite in `{room}`; only src/store knows it"));
    }
}

fn check_sleep(source: &Source, broken: &mut Vec<String>) {
    for (_, line) in source.words("sleep") {
        broken.push(format!("{}:{line}: a sleep; wait for what is to happen", source.path));
    }
    for (_, line) in ["yield_now", "spin_loop"].into_iter().flat_map(|word| source.words(word)) {
        broken.push(format!("{}:{line}: a spin; wait for a bell, or look with pauses", source.path));
    }
}

/// All Rust files below a folder of the repository.
fn sources(folder: &str) -> Vec<Source> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut folders = vec![top.join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else if entry.extension().is_some_and(|extension| extension == "rs") {
                let parts = entry.strip_prefix(top).unwrap().iter().map(|part| part.to_str().unwrap());
                let path = parts.collect::<Vec<_>>().join("/");
                found.push(Source::parse(&path, &fs::read_to_string(&entry).unwrap()));
            }
        }
    }
    assert!(!found.is_empty(), "no sources in {folder}");
    found
}

#[track_caller]
fn assert_kept(check: fn(&Source, &mut Vec<String>), folders: &[&str]) {
    let mut broken = Vec::new();
    for source in folders.iter().flat_map(|folder| sources(folder)) {
        check(&source, &mut broken);
    }
    broken.sort();
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
}

#[test]
fn imports_run_downward_only() {
    assert_kept(check_imports, &["src"]);
}

/// The files of a room that a file of it names: of `src/template/syntax/parser.rs`, `lexer` beside it, and `budget`, which
/// stands further up. A folder is its `mod.rs`. Tests may name what they like.
fn neighbours(source: &Source, files: &[String]) -> Vec<String> {
    let code = source.code.split("#[cfg(test)]").next().unwrap();
    let own = module(source);
    let parts: Vec<&str> = own.split('/').collect();
    let room = format!("crate::{}::", parts[1]);
    let is_in_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let mut found = Vec::new();
    for (begin, length) in [("use ", "use ".len()), ("super::", 0), (&room, 0)] {
        for (at, _) in code.match_indices(begin).filter(|(at, _)| !code[..*at].ends_with(is_in_path)) {
            let mut rest = &code[at + length..];
            let mut up = parts.len();
            while let Some(further) = rest.strip_prefix("super::") {
                (rest, up) = (further, up - 1);
            }
            let within = rest.strip_prefix(&room);
            let base = if within.is_some() { format!("src/{}", parts[1]) } else { parts[..up].join("/") };
            found.extend(paths(within.unwrap_or(rest)).iter().map(|path| innermost(&base, path, files)));
        }
    }
    found.retain(|file| *file != own && files.contains(file));
    found.sort();
    found.dedup();
    found
}

/// The innermost file that a path from a folder on leads through has what the path names.
fn innermost(base: &str, path: &str, files: &[String]) -> String {
    let (mut place, mut last) = (base.to_owned(), base.to_owned());
    for name in path.split("::") {
        place = format!("{place}/{name}");
        if files.contains(&place) {
            last.clone_from(&place);
        }
    }
    last
}

fn module(source: &Source) -> String {
    source.path.trim_end_matches(".rs").trim_end_matches("/mod").to_owned()
}

/// Rooms whose files can be read one after the other, beginning with those that name no other file of the room.
const WITHOUT_CIRCLES: &[&str] = &[
    "api", "compose", "faults", "findings", "http", "json", "model", "outbound", "outbox", "provider", "render",
    "runner", "store", "template",
];

/// The files of a room that are in a circle, or lead into one, each with the files that it names.
fn circles(room: &[Source]) -> Vec<(String, Vec<String>)> {
    let files: Vec<String> = room.iter().map(module).collect();
    let mut left: Vec<(String, Vec<String>)> =
        room.iter().map(|source| (module(source), neighbours(source, &files))).collect();
    let names = left.iter().map(|(_, named)| named.len()).sum::<usize>();
    assert!(names > files.len() / 2, "only {names} names are found in {} files", files.len());
    // Files that name none of those that are left are taken away, until there is no such file.
    loop {
        let names: Vec<String> = left.iter().map(|(name, _)| name.clone()).collect();
        left.retain(|(_, named)| named.iter().any(|name| names.contains(name)));
        if left.len() == names.len() {
            return left;
        }
    }
}

#[test]
fn no_file_of_a_room_leads_back_to_itself() {
    for room in WITHOUT_CIRCLES {
        let circles = circles(&sources(&format!("src/{room}")));
        assert!(circles.is_empty(), "{room}: a circle is among {circles:#?}");
    }
}

#[test]
fn a_circle_of_files_is_found() {
    let room = |texts: [(&str, &str); 4]| texts.map(|(name, text)| Source::parse(&format!("src/x/{name}.rs"), text));
    let in_tests = "#[cfg(test)]\nmod tests { use crate::x::c; }";
    let files = [
        ("mod", "mod a; mod b; mod c; use a::{F, g};"),
        ("a", "use super::{b, c};"),
        ("b", "fn f() { crate::x::c::g() }"),
        ("c", in_tests),
    ];
    assert!(circles(&room(files)).is_empty());
    let mut files = files;
    files[3].1 = "fn g() { super::a::F }";
    let found: Vec<String> = circles(&room(files)).into_iter().map(|(name, _)| name).collect();
    assert_eq!(found, ["src/x", "src/x/a", "src/x/b", "src/x/c"]);
}

#[test]
fn sql_stands_in_the_store_only() {
    assert_kept(check_sql, &["src"]);
}

#[test]
fn no_thread_sleeps_or_spins() {
    assert_kept(check_sleep, &["src", "tests", "benches"]);
}

#[test]
fn names_in_the_schema_are_those_of_the_enums() {
    let schema = include_str!("../../schema.sql");
    let checked = |table: &str, column: &str| -> Vec<&str> {
        let (_, table) = schema.split_once(&format!("CREATE TABLE {table} (")).unwrap();
        let (table, _) = table.split_once(") STRICT").unwrap();
        let (_, column) = table.split_once(&format!("\n    {column} ")).unwrap();
        let (_, check) = column.split_once("CHECK (").unwrap();
        let (check, _) = check.split_once(')').unwrap();
        check.split('\'').skip(1).step_by(2).collect()
    };
    assert_eq!(checked("jobs", "status"), names(JobStatus::NAMES));
    assert_eq!(checked("topics", "default_status"), names(PreferenceStatus::NAMES));
    assert_eq!(checked("user_preferences", "status"), names(PreferenceStatus::NAMES));
    assert_eq!(checked("user_tokens", "provider_key"), names(ProviderKey::NAMES));
    assert_eq!(checked("webhook_events", "status"), names(EventStatus::NAMES));
    // The large tables check nothing; `bulkd check` goes by the enums, and the words stand above the table for readers.
    let (before, messages) = schema.split_once("CREATE TABLE messages (").unwrap();
    let (_, told) = before.rsplit_once(";\n\n").unwrap();
    let told: Vec<&str> = told.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    for name in [names(MessageStatus::NAMES), names(Reason::NAMES), names(Channel::NAMES)].concat() {
        assert!(told.contains(&name), "{name} is not told above the table messages");
    }
    let (_, deliveries) = schema.split_once("CREATE TABLE deliveries (").unwrap();
    for table in [messages, deliveries] {
        assert!(!table.split_once(") STRICT").unwrap().0.contains("CHECK"), "a new word would need a migration");
    }
}

/// The crates that are in the binary, besides those of the platforms that this is not. Nothing is fetched.
fn crates(features: &str) -> Vec<String> {
    let asked =
        ["tree", "--frozen", "--edges", "normal", "--prefix", "none", "--format", "{p}", "--features", features];
    let told = Command::new(env!("CARGO")).args(asked).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    let told = String::from_utf8(told.stdout).unwrap();
    let mut found: Vec<String> =
        told.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect();
    found.sort();
    found.dedup();
    found
}

#[test]
fn a_plain_build_has_neither_tls_nor_redis_and_no_build_an_async_runtime() {
    const FOR_FEATURES: &[&str] = &["redis", "rustls", "rustls-webpki", "ring", "rcgen", "webpki-roots"];
    const RUNTIMES: &[&str] = &["smol", "glommio", "monoio", "compio", "embassy-executor"];
    let is_async = |name: &str| {
        RUNTIMES.contains(&name) || ["tokio", "async-", "futures-"].iter().any(|start| name.starts_with(start))
    };
    let plain = crates("");
    assert!(plain.iter().any(|name| name == "rusqlite"), "{plain:?}");
    let unused: Vec<&String> = plain.iter().filter(|name| FOR_FEATURES.contains(&name.as_str())).collect();
    assert!(unused.is_empty(), "a plain build uses none of {unused:?}");
    // What a feature brings is at hand only where it was built.
    let whole = if cfg!(all(feature = "tls", feature = "relay")) { crates("tls,relay") } else { plain };
    assert!(!whole.iter().any(|name| is_async(name)), "no async runtime: {whole:?}");
}

fn names<T>(names: &[(&'static str, T)]) -> Vec<&'static str> {
    names.iter().map(|(name, _)| *name).collect()
}

#[test]
fn what_breaks_a_rule_is_told_by_file_and_line() {
    let text = r####"
//! use crate::app::App; "SELECT 1" rusqlite::Connection sleep
use crate::error::Result;
use crate::{model::{bulk::Job, json}, store::Store,
    http};
/* use crate::app::App; */
fn f<'a>(x: &'a str) -> char { "use crate::app; // \" sleep"; r#"INSERT " INTO t"#; "sqlite3 'SELECT 1'"; '"' }
pub(in crate::render) fn asleep() { super::super::runner::stop(); std::thread::sleep(D); rusqlite::open() }
fn spin() { std::thread::yield_now(); "spin_loop" }
"####;
    let source = Source::parse("src/render/text.rs", text);
    let mut broken = Vec::new();
    for check in [check_imports, check_sql, check_sleep] {
        check(&source, &mut broken);
    }
    assert_eq!(
        broken,
        [
            "src/render/text.rs:4: `render` imports `store`; imports run downward, and its are template, model, json, error, clock, id, crash, dial, retry, settings, logging, meter, outage, output, threads",
            "src/render/text.rs:4: `render` imports `http`; imports run downward, and its are template, model, json, error, clock, id, crash, dial, retry, settings, logging, meter, outage, output, threads",
            "src/render/text.rs:8: `render` imports `runner`; imports run downward, and its are template, model, json, error, clock, id, crash, dial, retry, settings, logging, meter, outage, output, threads",
            "src/render/text.rs:7: INSERT in a string of `render`; all SQL stands in src/store",
            "src/render/text.rs:8: rusqlite in `render`; only src/store knows it",
            "src/render/text.rs:8: a sleep; wait for what is to happen",
            "src/render/text.rs:9: a spin; wait for a bell, or look with pauses",
        ]
    );
    let mut broken = Vec::new();
    check_imports(&Source::parse("src/tui/mod.rs", "use crate::http;"), &mut broken);
    assert_eq!(broken, ["src/tui/mod.rs:1: the room `tui` has no rule; say what it may import"]);
}
