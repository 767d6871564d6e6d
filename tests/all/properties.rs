//! What holds for any input, checked with made-up ones.
//!
//! A failure shows the least input that still fails and its seed, which `BULKD_TEST_SEED` takes back. `PROPTEST_CASES`
//! is the number of inputs that each property is checked with.

use std::cell::Cell;
use std::fmt::Debug;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use crate::support::{Customer, Daemon, NOW, Reply, json, newsletter, open_file, readers, seed, sized};
use bulkd::api::paging::{Cursor, PagedList};
use bulkd::json::scan;
use jiff::tz::{Offset, TimeZone};
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, RngSeed, TestRunner};
use rusqlite::Connection;
use serde_json::Value;

const HOUR: i64 = 60 * 60 * 1000;
const DAY: i64 = 24 * HOUR;

/// Checks a property with this many inputs, or as many as `PROPTEST_CASES` says. Each of the `needed` has to come
/// about; the property says what has.
fn check<T: Debug>(cases: u32, input: impl Strategy<Value = T>, needed: &[&str], property: impl Fn(T, &dyn Fn(&str))) {
    let asked = std::env::var_os("PROPTEST_CASES").is_some();
    let mut config = Config { failure_persistence: None, max_shrink_iters: 1000, ..Config::default() };
    config.cases = if asked { config.cases } else { cases * sized(1, 5) };
    let seed = seed();
    config.rng_seed = RngSeed::Fixed(seed);
    eprintln!("BULKD_TEST_SEED={seed} PROPTEST_CASES={}", config.cases);
    let enough = config.cases >= cases;
    let seen: Vec<Cell<u32>> = needed.iter().map(|_| Cell::new(0)).collect();
    let saw = |what: &str| {
        let at = needed.iter().position(|known| *known == what).unwrap_or_else(|| panic!("{what:?} is not needed"));
        seen[at].set(seen[at].get() + 1);
    };
    let outcome = TestRunner::new(config).run(&input, |input| {
        property(input, &saw);
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}\nBULKD_TEST_SEED={seed}");
    }
    let seen: Vec<_> = needed.iter().zip(&seen).map(|(what, count)| (what, count.get())).collect();
    eprintln!("{seen:?}");
    assert!(!enough || seen.iter().all(|(_, count)| *count > 0), "not all came about: {seen:?}");
}

/// Sends bytes and nothing after them, and reads whatever comes back.
fn exchange(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    // The daemon may have had enough before the end; then its answer says why.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap_or_else(|error| panic!("{error} after {answer:?}"));
    answer
}

/// One request by hand, which has to be answered.
fn ask(address: SocketAddr, head: &[&[u8]], body: &[u8]) -> Reply {
    let fixed = format!(
        "Host: localhost\r\nAuthorization: Bearer acme\r\nConnection: close\r\nContent-Length: {}\r\n",
        body.len()
    );
    let [line, headers @ ..] = head else { panic!("a request without a line") };
    let mut request = [*line, b" HTTP/1.1\r\n", fixed.as_bytes()].concat();
    for header in headers {
        request.extend_from_slice(header);
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    request.extend_from_slice(body);
    let answer = exchange(address, &request);
    let (reply, rest) = read_reply(&answer).unwrap_or_else(|| panic!("no answer: {answer:?}"));
    assert_eq!(rest, b"", "more than one answer");
    reply
}

/// The first answer in these bytes, and what follows it.
fn read_reply(bytes: &[u8]) -> Option<(Reply, &[u8])> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head) = response.parse(bytes).ok()? else { return None };
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let headers: Vec<_> = response.headers.iter().map(|it| (it.name.to_lowercase(), text(it.value))).collect();
    let status = response.code?;
    let length = headers.iter().find(|(name, _)| name == "content-length").map_or(0, |(_, it)| it.parse().unwrap());
    let body = bytes.get(head..head + length)?;
    Some((Reply { status, headers, text: text(body) }, &bytes[head + length..]))
}

/// Everything that a refused call could have changed.
fn rows(file: &Connection) -> Vec<i64> {
    let counts = "SELECT (SELECT count(*) FROM jobs), (SELECT coalesce(sum(received), 0) FROM jobs),
        (SELECT count(*) FROM definitions), (SELECT count(*) FROM users), (SELECT count(*) FROM messages),
        (SELECT count(*) FROM idempotency_keys), (SELECT count(*) FROM environments)";
    file.query_row(counts, [], |row| (0..7).map(|column| row.get(column)).collect()).unwrap()
}

/// A JSON string, some of its characters as escapes.
fn json_string() -> impl Strategy<Value = String> {
    let character = prop_oneof![any::<char>(), proptest::char::range(' ', '~')];
    vec((character, proptest::bool::weighted(0.1)), 0..10).prop_map(|characters| {
        let spelled = characters.into_iter().map(|(character, escaped)| {
            let mut units = [0; 2];
            match escaped {
                true => character.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")).collect(),
                false => {
                    let quoted = json!(character).to_string();
                    quoted[1..quoted.len() - 1].to_owned()
                }
            }
        });
        let spelled: String = spelled.collect();
        format!("\"{spelled}\"")
    })
}

fn json_number() -> impl Strategy<Value = String> {
    "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,4})?([eE][+-]?[0-9]{1,2})?"
}

fn json_object(value: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    object_named(json_string(), value)
}

fn object_named(
    name: impl Strategy<Value = String>,
    value: impl Strategy<Value = String>,
) -> impl Strategy<Value = String> {
    let members = vec((name, value), 0..4);
    (members, select(&["", " ", "\r\n\t"][..])).prop_map(|(members, space)| {
        let members: Vec<String> =
            members.iter().map(|(name, value)| format!("{name}{space}:{value}{space}")).collect();
        format!("{{{space}{}}}", members.join(","))
    })
}

/// A few names, so that some meet again, and any others.
fn name() -> impl Strategy<Value = String> {
    let few = select(&["\"a\"", "\"\\u0061\"", "\"b\"", "\"a b\""][..]).prop_map(str::to_owned);
    prop_oneof![few, json_string()]
}

/// Any JSON value, as text.
fn json_text() -> impl Strategy<Value = String> + Clone {
    any_json(json_string())
}

/// Any JSON value, some of its strings with escapes that are only half of a character.
fn odd_json_text() -> impl Strategy<Value = String> + Clone {
    any_json(odd_json_string())
}

fn odd_json_string() -> impl Strategy<Value = String> {
    prop_oneof![3 => json_string(), 1 => "\"(\\\\u[dD][89a-fA-F][0-9a-f]{2}|x){1,2}\""]
}

fn any_json(string: impl Strategy<Value = String> + 'static) -> impl Strategy<Value = String> + Clone {
    let word = select(&["null", "true", "false"][..]).prop_map(str::to_owned);
    let leaf = prop_oneof![word, json_number(), string];
    leaf.prop_recursive(3, 20, 4, |inner| {
        let array = vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(" ,")));
        prop_oneof![array, json_object(inner)]
    })
    .boxed()
}

/// An object with members of these names, each with any value.
fn object_of(names: &'static [&'static str], value: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    vec((select(names), value), 0..5).prop_map(|members| {
        let members: Vec<String> = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        format!("{{{}}}", members.join(","))
    })
}

/// Bodies that are nearly what is expected, and bodies that are nothing of the kind.
fn body(field: &'static str, inside: impl Strategy<Value = String> + 'static) -> impl Strategy<Value = Vec<u8>> {
    let wrapped = move |inside: String| format!("{{\"{field}\":{inside}}}").into_bytes();
    let expected = inside.prop_map(wrapped).boxed();
    let mangled =
        (expected.clone(), any::<Index>(), any::<u8>(), any::<bool>()).prop_map(|(mut body, at, byte, cut)| {
            let at = at.index(body.len());
            if cut {
                body.truncate(at)
            } else {
                body[at] = byte
            }
            body
        });
    prop_oneof![
        1 => vec(any::<u8>(), 0..200),
        1 => odd_json_text().prop_map(String::into_bytes),
        1 => odd_json_text().prop_map(wrapped),
        2 => mangled,
        5 => expected,
    ]
}

/// An object with some of these members, most of them as they are expected to be.
fn nearly(members: Vec<(&'static str, BoxedStrategy<String>)>) -> BoxedStrategy<String> {
    let member = |(name, value)| {
        let value = prop_oneof![25 => value, 1 => odd_json_text()];
        proptest::option::weighted(0.4, value).prop_map(move |value| Some(format!("\"{name}\":{}", value?)))
    };
    let members: Vec<_> = members.into_iter().map(member).collect();
    let joined = |members: Vec<Option<String>>| members.into_iter().flatten().collect::<Vec<_>>().join(", ");
    members.prop_shuffle().prop_map(move |members| format!("{{{}}}", joined(members))).boxed()
}

fn any_definition() -> impl Strategy<Value = String> {
    let object = || json_object(odd_json_text()).boxed();
    let text =
        || prop_oneof![name(), select(&["\"Hi {{name}}\"", "\"{{#if a}}\""][..]).prop_map(str::to_owned)].boxed();
    let element = nearly(vec![("content", text()), ("href", text()), ("channels", odd_json_text().boxed())]);
    let elements = vec(element.prop_map(|it| it.replacen('{', "{\"type\":\"text\",", 1).replace(",}", "}")), 0..3);
    let elements = elements.prop_map(|elements| format!("{{\"elements\":[{}]}}", elements.join(",")));
    let content = || {
        let sugar = (text(), text()).prop_map(|(title, body)| format!("{{\"title\":{title},\"body\":{body}}}"));
        prop_oneof![sugar, elements.clone()].boxed()
    };
    let nested = nearly(vec![("template", name().boxed()), ("content", content()), ("data", object())]);
    nearly(vec![
        ("event", name().boxed()),
        ("message", nested),
        ("template", name().boxed()),
        ("content", content()),
        ("data", object()),
        ("brand", name().boxed()),
        ("locale", prop_oneof![name(), object()].boxed()),
        ("override", object()),
        ("other", odd_json_text().boxed()),
    ])
}

fn any_users() -> impl Strategy<Value = String> {
    let object = || json_object(odd_json_text()).boxed();
    let name = || name().boxed();
    let to = nearly(vec![("user_id", name()), ("email", name()), ("data", object()), ("locale", name())]);
    let user = nearly(vec![
        ("recipient", name()),
        ("user_id", name()),
        ("email", name()),
        ("phone_number", name()),
        ("profile", object()),
        ("data", object()),
        ("preferences", object()),
        ("to", to),
        ("other", odd_json_text().boxed()),
    ]);
    vec(prop_oneof![19 => user, 1 => odd_json_text()], 0..4).prop_map(|users| format!("[{}]", users.join(",")))
}

/// What a body was answered with: never a failure of ours, and if a refusal, then one that left everything as it was.
fn answered(daemon: &Daemon, file: &Connection, line: &str, body: &[u8]) -> Option<Reply> {
    let before = rows(file);
    let reply = ask(daemon.address(), &[line.as_bytes()], body);
    if reply.status < 300 {
        return Some(reply);
    }
    assert!(!reply.refused(400).is_empty());
    assert_eq!(rows(file), before, "{reply:?}");
    None
}

#[test]
fn whatever_a_job_is_created_from_is_taken_or_refused() {
    let daemon = Daemon::start();
    daemon.customer("acme").create(newsletter());
    let file = open_file(&daemon.database());
    check(400, body("message", any_definition()), &["taken", "refused"], |body, saw| {
        let before = rows(&file);
        match answered(&daemon, &file, "POST /bulk", &body) {
            None => saw("refused"),
            Some(reply) => {
                saw("taken");
                let job_id = reply.ok(201)["jobId"].as_str().unwrap().to_owned();
                assert_eq!(rows(&file)[0], before[0] + 1);
                let job = daemon.customer("acme").get(&format!("/bulk/{job_id}"));
                assert_eq!(job.status, 200);
                let (_, definition) = job.text.split_once("{\"job\":{\"definition\":").unwrap();
                let (definition, _) = definition.rsplit_once(",\"enqueued\":0,").unwrap();
                assert!(String::from_utf8(body).unwrap().contains(definition), "{job:?}");
            }
        }
    });
}

#[test]
fn whatever_users_are_ingested_they_are_taken_or_refused() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let mut job_id = customer.create(json!({ "event": "weekly" }));
    customer.ingest(&job_id, readers(0, 1));
    let line = format!("POST /bulk/{job_id}");
    let file = open_file(&daemon.database());
    check(400, body("users", any_users()), &["taken", "no user", "duplicate", "refused"], |body, saw| {
        let before = rows(&file);
        match answered(&daemon, &file, &line, &body) {
            None => saw("refused"),
            Some(reply) => {
                assert_eq!(reply.status, 200);
                let (errors, total) = reply.text.rsplit_once("],\"total\":").unwrap();
                let total: i64 = total.trim_end_matches('}').parse().unwrap();
                assert_eq!(rows(&file)[3], before[3] + total);
                saw(if errors.contains("Duplicate user") { "duplicate" } else { "taken" });
                if total == 0 {
                    saw("no user");
                }
            }
        }
    });
    // All that was taken can be rendered, or is told why not.
    let job = customer.run_to_the_end(&std::mem::take(&mut job_id));
    assert_eq!(job["received"], rows(&file)[3]);
}

#[test]
fn an_object_that_is_known_to_be_json_has_the_members_that_a_parser_finds() {
    check(2000, object_named(odd_json_string(), odd_json_text()), &["found", "refused"], |object, saw| {
        let mut found = Vec::new();
        let walked = scan::for_each(&object, |name, value| found.push((name.to_owned(), value.to_owned())));
        match serde_json::from_str::<Members>(&object) {
            Ok(Members(expected)) => {
                assert_eq!(walked, Some(()));
                assert_eq!(found, expected);
                saw("found");
            }
            Err(_) => {
                assert_eq!(walked, None);
                saw("refused");
            }
        }
    });
}

/// The members of an object as a parser finds them, those of the same name included.
struct Members(Vec<(String, String)>);

impl<'de> serde::Deserialize<'de> for Members {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> serde::de::Visitor<'de> for All {
            type Value = Members;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, Box<serde_json::value::RawValue>>()? {
                    members.push((name, value.get().to_owned()));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(All)
    }
}

#[test]
fn a_user_is_given_back_as_it_was_sent() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let object = || json_object(odd_json_text());
    let known = (
        proptest::option::of(name().prop_filter("a name is not empty", |it| it != "\"\"")),
        proptest::option::of(object()),
        proptest::option::of(object()),
    );
    let ours = select(&["\"status\"", "\"messageId\"", "\"error\"", "\"stat\\u0075s\""][..]).prop_map(str::to_owned);
    // A name of two letters comes about by chance; what stands under it would have to be an object.
    let unknown = json_string().prop_filter("not known", |name| serde_json::from_str::<String>(name).unwrap() != "to");
    let other = vec((prop_oneof![1 => ours, 3 => unknown], odd_json_text()), 0..4);
    let user = (known, other, any::<[Index; 3]>()).prop_map(|((recipient, profile, data), mut members, places)| {
        let known = [("\"recipient\"", recipient), ("\"profile\"", profile), ("\"\\u0064ata\"", data)];
        for ((name, value), place) in known.into_iter().zip(places) {
            members.extend(value.map(|value| (name.to_owned(), value)));
            let (last, at) = (members.len().saturating_sub(1), place.index(members.len().max(1)));
            if !members.is_empty() {
                members.swap(last, at);
            }
        }
        members
    });
    check(200, vec(user, 1..5), &["named", "unnamed", "duplicate"], |users, saw| {
        let parse = |text: &str| serde_json::from_str::<String>(text).unwrap();
        let job_id = customer.create(json!({ "event": "weekly" }));
        let sent: Vec<String> = users
            .iter()
            .map(|members| {
                let members: Vec<String> = members.iter().map(|(name, value)| format!("{name} : {value}")).collect();
                format!("{{ {} }}", members.join(" , "))
            })
            .collect();
        let reply = customer.post_text(&format!("/bulk/{job_id}"), &format!("{{\"users\":[{}]}}", sent.join(",")));
        let mut recipients: Vec<Option<String>> = Vec::new();
        let (mut errors, mut kept) = (Vec::new(), Vec::new());
        for (members, sent) in users.iter().zip(&sent) {
            let named = members.iter().find(|(name, _)| parse(name) == "recipient").map(|(_, value)| parse(value));
            saw(if named.is_some() { "named" } else { "unnamed" });
            if named.is_some() && recipients.contains(&named) {
                saw("duplicate");
                errors.push(format!("{{\"error\":\"Duplicate user\",\"user\":{sent}}}"));
            } else {
                recipients.push(named);
                kept.push(members);
            }
        }
        assert_eq!(reply.text, format!("{{\"errors\":[{}],\"total\":{}}}", errors.join(","), kept.len()));
        let mut listed = customer.get(&format!("/bulk/{job_id}/users")).text;
        for (members, recipient) in kept.iter().zip(&recipients) {
            let others =
                members.iter().filter(|(name, _)| !["recipient", "status", "messageId"].contains(&&*parse(name)));
            let others: String = others.map(|(name, value)| format!(",{}:{value}", json!(parse(name)))).collect();
            let expected = format!("{others},\"status\":\"PENDING\"}}");
            let at = listed.find(&expected).unwrap_or_else(|| panic!("no {expected} in {listed}"));
            let name = &listed[..at];
            match recipient {
                Some(recipient) => assert!(name.ends_with(&format!("{{\"recipient\":{}", json!(recipient))), "{name}"),
                None => assert!(name.contains("{\"recipient\":\"generated-"), "{name}"),
            }
            listed.drain(..at + expected.len());
        }
        assert_eq!(listed, "],\"paging\":{\"more\":false}}");
    });
}

/// A daemon with two jobs that were drained and one that was not, and the lists that it has.
fn lists() -> (Daemon, Vec<String>) {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let jobs: Vec<String> = (0..3).map(|_| customer.create(newsletter())).collect();
    for part in 0..4 {
        for (i, job_id) in jobs.iter().enumerate() {
            customer.ingest(job_id, readers(part * 10, 10 - 3 * i));
        }
    }
    customer.run_to_the_end(&jobs[1]);
    customer.run_to_the_end(&jobs[0]);
    let mut lists: Vec<String> = jobs.iter().map(|job_id| format!("/bulk/{job_id}/users?")).collect();
    lists.push("/_bulkd/outbox?".to_owned());
    (daemon, lists)
}

#[test]
fn any_text_is_a_cursor_or_is_refused() {
    let (daemon, lists) = lists();
    let customer = daemon.customer("acme");
    let number = prop_oneof![any::<i64>(), 0..60i64, i64::MAX - 2..=i64::MAX];
    let forged = (0..5i64, number).prop_map(|(job, position)| {
        let list = if job == 0 { PagedList::Outbox } else { PagedList::Users(bulkd::model::row::JobRow(job)) };
        Cursor { list, position: position.unsigned_abs().min(i64::MAX as u64) }.encode().into_bytes()
    });
    let cursor = prop_oneof![
        vec(any::<u8>(), 0..40),
        "\\PC{0,30}".prop_map(String::into_bytes),
        "[0-9a-fA-F+-]{0,17}\\.[0-9a-f]{0,17}\\.[0-9a-f]{0,9}\\.?".prop_map(String::into_bytes),
        forged,
    ];
    check(500, (cursor, select(lists)), &["taken", "refused", "of another list"], |(cursor, list), saw| {
        let reply = customer.get(&format!("{list}limit=5&cursor={}", percent_encode(&cursor, NON_ALPHANUMERIC)));
        if reply.status == 200 {
            saw("taken");
            assert!(reply.json()["items"].as_array().unwrap().len() <= 5);
        } else {
            let message = reply.refused(400);
            assert!(message.starts_with("cursor: "), "{message}");
            saw(if message.contains("another list") { "of another list" } else { "refused" });
        }
    });
}

#[test]
fn pages_of_any_size_come_to_the_whole_list_and_are_of_no_use_to_another() {
    let (daemon, lists) = lists();
    let customer = daemon.customer("acme");
    let (outbox, users) = lists.split_last().unwrap();
    let filters =
        ["&channel=email", "&recipient=reader-12", "&recipient=nobody"].map(|filter| format!("{outbox}{filter}"));
    let of_a_job = format!("{outbox}&job_id={}", users[0].split('/').nth(2).unwrap());
    let all: Vec<String> = lists.iter().cloned().chain(filters).chain([of_a_job]).collect();
    let limits = vec(prop_oneof![4 => 1..12u64, 1 => 1..=1000u64], 1..6);
    check(80, (select(all), limits), &["one page", "many pages", "nothing"], |(list, limits), saw| {
        let whole = customer.get(&format!("{list}&limit=1000")).ok(200);
        assert_eq!(whole["paging"], json!({ "more": false }));
        let (mut items, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
        for limit in limits.iter().cycle() {
            let mut page = customer.get(&format!("{list}&limit={limit}&cursor={cursor}")).ok(200);
            let found = page["items"].as_array_mut().unwrap();
            assert!(found.len() as u64 <= *limit);
            items.append(found);
            pages += 1;
            let Some(next) = page["paging"].get("cursor") else { break };
            next.as_str().unwrap().clone_into(&mut cursor);
            for other in lists.iter().filter(|other| !list.starts_with(other.as_str())) {
                let message = customer.get(&format!("{other}cursor={cursor}")).refused(400);
                assert_eq!(message, "cursor: this cursor belongs to another list");
            }
        }
        assert_eq!(Value::from(items), whole["items"]);
        saw(match (pages, whole["items"] == json!([])) {
            (_, true) => "nothing",
            (1, _) => "one page",
            _ => "many pages",
        });
    });
}

/// Values of headers, in bytes that a header may hold.
fn header_value() -> impl Strategy<Value = Vec<u8>> {
    let bytes = vec(prop_oneof![5 => 0x20..=0x7eu8, 1 => 0x80..=0xffu8, 1 => Just(b'\t')], 0..20);
    let text = "\\PC{0,300}".prop_map(|text| text.into_bytes());
    prop_oneof![bytes, text]
}

#[test]
fn any_header_is_an_idempotency_key_or_is_refused_by_its_name() {
    let daemon = Daemon::start();
    daemon.customer("acme").create(newsletter());
    let file = open_file(&daemon.database());
    let body = json!({ "message": newsletter() }).to_string();
    let name = select(&["Idempotency-Key", "idempotency_key", "IDEMPOTENCY-KEY"][..]);
    check(300, (name, header_value()), &["taken", "refused"], |(name, value), saw| {
        let before = rows(&file);
        let header = [name.as_bytes(), b": ", &value].concat();
        let post = || ask(daemon.address(), &[b"POST /bulk", &header], body.as_bytes());
        let first = post();
        let text = std::str::from_utf8(&value).map(str::trim).unwrap_or_default();
        if (1..=255).contains(&text.chars().count()) {
            saw("taken");
            first.ok(201);
            let again = post();
            assert_eq!((again.status, &again.text), (201, &first.text));
            assert_eq!(again.header("x-bulkd-replayed"), Some("true"));
        } else {
            saw("refused");
            assert_eq!(first.refused(400), "Idempotency-Key: expected 1 to 255 characters of UTF-8");
            assert_eq!(rows(&file), before);
        }
    });
}

#[test]
fn any_header_is_an_expiration_or_is_refused_by_its_name() {
    let daemon = Daemon::start();
    let file = open_file(&daemon.database());
    let body = json!({ "message": newsletter() }).to_string();
    daemon.customer("acme").once("first").create(newsletter());
    let number = "[+-]?[0-9]{0,20}(\\.[0-9]{0,3})?(e[0-9]{1,3})?";
    let duration = "(P?T?[0-9]{1,12} ?(d|Days?|h|WEEKS|months|y|year|S)[ ,]{0,2}){0,3}( ago)?";
    let date = "[+-]?[0-9]{4,6}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\\.[0-9]{1,12})?)?)?\
                (Z|[+-][0-9]{2}:?[0-9]{2})?(\\[[A-Za-z/]{0,9}\\])?";
    let near = "202[678]-(0[1-9]|1[0-2])-([01][1-9])(T0[1-9]:[0-5][0-9](:00)?)?Z?";
    let spelled = prop_oneof![number, duration, date, near].prop_map(String::into_bytes);
    let key = Cell::new(0);
    check(500, prop_oneof![header_value(), spelled], &["taken", "refused"], |value, saw| {
        let before = rows(&file);
        key.set(key.get() + 1);
        let headers =
            [&[b"x-idempotency-expiration: ", &*value].concat(), format!("Idempotency-Key: {}", key.get()).as_bytes()]
                .map(<[u8]>::to_vec);
        let reply = ask(daemon.address(), &[b"POST /bulk", &headers[0], &headers[1]], body.as_bytes());
        if reply.status == 201 {
            saw("taken");
            let life = life_of(&file, key.get());
            assert!((DAY - 5 * 60_000..=366 * DAY + 5 * 60_000).contains(&life), "{life}");
        } else {
            saw("refused");
            let message = reply.refused(400);
            assert!(message.starts_with("x-idempotency-expiration: expected "), "{message}");
            assert_eq!(rows(&file), before);
        }
    });
}

/// How long a key lives from now on.
fn life_of(file: &Connection, key: u64) -> i64 {
    let expires_at = "SELECT expires_at - ?2 FROM idempotency_keys WHERE key = ?1";
    file.query_row(expires_at, (key.to_string(), NOW), |row| row.get(0)).unwrap()
}

/// An expiration as some client spells it, and the life that it means.
fn expiration() -> impl Strategy<Value = (String, i64)> {
    let (shortest, longest) = (DAY - 5 * 60_000, 366 * DAY + 5 * 60_000);
    let life = prop_oneof![
        -400 * DAY..800 * DAY,
        shortest..longest,
        shortest - 3..shortest + 3,
        longest - 3..longest + 3,
        (0..400i64).prop_map(|days| days * DAY),
    ];
    let instant = (life, 0..6, -14 * 60..14 * 60i32).prop_map(|(life, form, minutes)| {
        let at = jiff::Timestamp::from_millisecond(NOW + life).unwrap();
        let written = |zone: TimeZone, format: &str| zone.to_datetime(at).strftime(format).to_string();
        let zone = |minutes: i32| TimeZone::fixed(Offset::from_seconds(minutes * 60).unwrap());
        let to = |unit: i64| (NOW + life).div_euclid(unit) * unit - NOW;
        match form {
            0 => ((NOW + life).div_euclid(1000).to_string(), to(1000)),
            1 => ((NOW + life).to_string(), life),
            2 => (at.to_string(), life),
            3 => {
                let (sign, east) = (if minutes < 0 { '-' } else { '+' }, minutes.abs());
                let local = written(zone(minutes), "%Y-%m-%dT%H:%M:%S%.3f");
                (format!("{local}{sign}{:02}:{:02}", east / 60, east % 60), life)
            }
            4 => (written(TimeZone::UTC, "%Y-%m-%d %H:%M:%S%.3f"), life),
            _ => (written(TimeZone::UTC, "%Y-%m-%d"), to(DAY)),
        }
    });
    let units = &[("second", 1000), ("minute", 60_000), ("hour", HOUR), ("day", DAY), ("week", 7 * DAY)][..];
    let duration =
        (prop_oneof![0..60i64, 0..10_000i64], select(units), 0..4).prop_map(|(count, (unit, millis), form)| {
            let text = match form {
                0 => format!("{count} {unit}{}", if count == 1 { "" } else { "s" }),
                1 => format!("{count} {}{}", unit[..1].to_uppercase(), &unit[1..]),
                2 => format!("{count}{}", &unit[..1]),
                _ => format!("{count} {}S", unit.to_uppercase()),
            };
            (text, count * millis)
        });
    prop_oneof![instant, duration]
}

#[test]
fn an_expiration_means_the_same_however_it_is_spelled() {
    let daemon = Daemon::start();
    let file = open_file(&daemon.database());
    let key = Cell::new(0);
    check(500, expiration(), &["taken", "refused"], |(text, life), saw| {
        key.set(key.get() + 1);
        let customer = daemon.customer("acme").once(&key.get().to_string());
        let reply =
            customer.with_header("x-idempotency-expiration", &text).post("/bulk", &json!({ "message": newsletter() }));
        if (DAY - 5 * 60_000..=366 * DAY + 5 * 60_000).contains(&life) {
            saw("taken");
            reply.ok(201);
            assert_eq!(life_of(&file, key.get()), life);
        } else {
            saw("refused");
            let message = reply.refused(400);
            assert_eq!(message, "x-idempotency-expiration: expected a time between 24 hours and 1 year from now");
        }
    });
}

/// A user's subject and body, or the reason why there are none.
type Outcome = Result<(Value, Value), String>;

/// What a job with this content comes to for these users, or the refusal of the content.
fn outcomes(customer: &Customer, content: &Value, users: &str) -> Result<Vec<Outcome>, String> {
    let created = customer.post("/bulk", &json!({ "message": { "content": content } }));
    if created.status != 201 {
        return Err(created.refused(400));
    }
    let job_id = created.json()["jobId"].as_str().unwrap().to_owned();
    let ingested = customer.post_text(&format!("/bulk/{job_id}"), &format!("{{\"users\":{users}}}")).ok(200);
    let job = customer.run_to_the_end(&job_id);
    let listed = customer.users(&job_id);
    let mut messages = customer.outbox(&job_id).into_iter();
    assert_eq!((&job["received"], listed.len() as u64), (&ingested["total"], ingested["total"].as_u64().unwrap()));
    let outcomes: Vec<_> = listed
        .iter()
        .map(|user| match user["status"].as_str().unwrap() {
            "ENQUEUED" => {
                let mut message = messages.next().unwrap();
                assert_eq!(message["message_id"], user["messageId"]);
                if let Some(content) = message["content"].as_str().filter(|_| message["channel"] != "email") {
                    let elements: Value = serde_json::from_str(content).unwrap_or_else(|error| panic!("{error}"));
                    assert!(elements.is_array());
                }
                Ok((message["subject"].take(), message["body"].take()))
            }
            "ERROR" => Err(user["error"].as_str().filter(|reason| !reason.is_empty()).unwrap().to_owned()),
            other => panic!("{other} in a job that is COMPLETED"),
        })
        .collect();
    assert_eq!(messages.next(), None);
    assert_eq!(job["failures"], outcomes.iter().filter(|outcome| outcome.is_err()).count());
    assert_eq!(job["enqueued"], outcomes.iter().filter(|outcome| outcome.is_ok()).count());
    Ok(outcomes)
}

#[test]
fn any_template_is_refused_by_its_path_or_comes_to_an_outcome_for_every_user() {
    const PIECES: &[&str] = &[
        "{{",
        "}}",
        "{{{",
        "}}}",
        "{",
        "}",
        "{{~",
        "~}}",
        "{{#",
        "{{/",
        "{{else}}",
        "{{^",
        "{{!",
        "{{!--",
        "--}}",
        "{{&",
        "{{>",
        "{{*",
        "\\",
        "\\\\",
        "#if ",
        "/if",
        "if",
        "unless",
        "#each ",
        "/each",
        "each",
        "with",
        "lookup ",
        "condition ",
        "not ",
        "len",
        "log",
        "raw",
        "name",
        "list",
        "deep.er",
        "../",
        "this",
        ".",
        "@index",
        "@root",
        "@key",
        "as |x|",
        "=",
        "(",
        ")",
        "[",
        "]",
        "\"",
        "'",
        "1",
        "-2.5",
        "true",
        "null",
        " ",
        "\n",
        "caf\u{e9}",
        "\u{1F980}",
        "data",
        "profile",
        "recipient",
    ];
    const WHOLE: &[&str] = &[
        "{{name}}",
        "{{{list}}}",
        "{{deep.er}}",
        "{{#if name}}yes{{else}}no{{/if}}",
        "{{#each list}}{{this}}{{@index}}{{/each}}",
        "{{#each deep}}{{@key}}={{this}}{{/each}}",
        "{{#with deep}}{{er}}{{../name}}{{/with}}",
        "{{lookup list 1}}",
        "{{list.x}}",
        "{{#if (condition list.length \">\" 2)}}many{{/if}}",
        "{{#unless missing}}none{{/unless}}",
        "{{~ name ~}}",
        "{{lookup name \"x\"}}",
        "{{#each name}}{{/each}}",
        "{{add list 5}}",
        "{{lookup}}",
        "{{#with}}{{/with}}",
        "{{#each list as |it i|}}{{it}}{{i}}{{else}}none{{/each}}",
        "{{{{raw}}}}{{x}}{{{{/raw}}}}",
    ];
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let text = prop_oneof![
        3 => vec(prop_oneof![select(PIECES), select(WHOLE)], 0..8),
        3 => vec(select(WHOLE), 1..4),
        1 => vec(select(PIECES), 0..20),
    ];
    let text = prop_oneof![9 => text.prop_map(|pieces| pieces.concat()), 1 => "\\PC{0,30}"];
    let values = || {
        object_of(&["name", "list", "deep", "data", "caf\u{e9}"], prop_oneof![json_text(), "\\[1, \"b\", \\[2\\]\\]"])
    };
    let user = (values(), values()).prop_map(|(data, profile)| format!("{{\"data\":{data},\"profile\":{profile}}}"));
    let input = (any::<bool>(), text, vec(user, 1..4));
    check(200, input, &["refused", "message", "failure"], |(in_title, text, users), saw| {
        let content = if in_title { json!({ "title": text, "body": "" }) } else { json!({ "body": text }) };
        match outcomes(&customer, &content, &format!("[{}]", users.join(","))) {
            Ok(outcomes) => {
                assert_eq!(outcomes.len(), users.len());
                outcomes.iter().for_each(|outcome| saw(if outcome.is_ok() { "message" } else { "failure" }));
            }
            Err(message) => {
                saw("refused");
                let path = if in_title { "message.content.title: " } else { "message.content.body: " };
                assert!(message.starts_with(path), "{message}");
            }
        }
    });
}

/// Elements that are nearly as they should be, in each other.
fn any_element() -> impl Strategy<Value = String> {
    const TYPES: &[&str] = &[
        "text",
        "text",
        "string",
        "link",
        "meta",
        "action",
        "image",
        "img",
        "divider",
        "quote",
        "html",
        "group",
        "columns",
        "column",
        "list",
        "list",
        "list-item",
        "list-item",
        "jsonnet",
        "comment",
        "channel",
        "hologram",
    ];
    const TEXTS: &[&str] = &[
        "Hi",
        "{{name}}",
        "{{{list}}}",
        "<b>{{$.item.x}}</b>",
        "{{#each list}}{{this}}{{/each}}",
        "\"\\\n{{$.index}}",
        "{{#if name}}{{$.item}}{{else}}{{concat name \"&\"}}{{/if}}",
        "**{{name}}** [x]({{url}}) xq0v0z",
        "{{#if}}",
        "",
        "javascript:alert(1)",
        "https://x.y/{{name}}",
        "{{path \"$.item.x\"}}{{set \"a\" $.item}}{{a}}",
        "{{first-name}}",
        "- a\n  - {{name}}\n\n# {{list}}\n`{{name}}` <i>",
        "{{datetime-format name \"%Y %Q\"}}{{format \"%.9f%\" name}}",
    ];
    const CONDITIONS: &[&str] = &[
        "data.name",
        "data.list.length > 1",
        "!($.item.x == 'b') || refs.a.visible",
        "{{name}}",
        "refs.b.content === 'Hi'",
        "{{condition name \"==\" 1}}",
        "data.list[0] <= name",
        "(",
        "$.index !== 0 && true",
        "refs.none.visible",
    ];
    let quoted = |texts: &'static [&'static str]| select(texts).prop_map(|text| json!(text).to_string()).boxed();
    Just("[]".to_owned()).boxed().prop_recursive(4, 24, 4, move |inner| {
        let locales = quoted(TEXTS).prop_map(|text| format!("{{\"fr\":{{\"content\":{text}}}}}"));
        let members = vec![
            ("content", prop_oneof![19 => quoted(TEXTS), 1 => json_text()].boxed()),
            ("href", quoted(TEXTS)),
            ("src", quoted(TEXTS)),
            ("title", quoted(TEXTS)),
            ("alt_text", quoted(TEXTS)),
            ("color", quoted(TEXTS)),
            ("elements", inner.clone().boxed()),
            ("locales", locales.boxed()),
            ("channel", select(&["\"email\"", "\"inbox\"", "\"slack\""][..]).prop_map(str::to_owned).boxed()),
        ];
        let needed = |(name, value): (&'static str, BoxedStrategy<String>)| {
            let value = proptest::option::weighted(0.8, value);
            value.prop_map(move |value| value.map(|value| format!("\"{name}\":{value}"))).boxed()
        };
        let rare = vec![
            ("if", quoted(CONDITIONS)),
            (
                "loop",
                select(&["data.list", "$.item", "{{list}}", "data.rows", "+"][..])
                    .prop_map(|it| json!(it).to_string())
                    .boxed(),
            ),
            ("ref", select(&["\"a\"", "\"b\""][..]).prop_map(str::to_owned).boxed()),
            ("channels", select(&["[\"email\"]", "[\"inbox\",\"slack\"]"][..]).prop_map(str::to_owned).boxed()),
            ("format", Just("\"markdown\"".to_owned()).boxed()),
            ("list_type", Just("\"ordered\"".to_owned()).boxed()),
            ("bold", Just("true".to_owned()).boxed()),
            ("raw", quoted(TEXTS).prop_map(|text| format!("{{\"html\":{text}}}")).boxed()),
        ];
        let rare = rare.into_iter().map(|(name, value)| {
            let value = proptest::option::weighted(0.15, value);
            value.prop_map(move |value| value.map(|value| format!("\"{name}\":{value}"))).boxed()
        });
        let members: Vec<_> = members.into_iter().map(needed).chain(rare).collect();
        let element = (select(TYPES), members).prop_map(|(name, members)| {
            let members: String = members.into_iter().flatten().map(|member| format!(",{member}")).collect();
            format!("{{\"type\":\"{name}\"{members}}}")
        });
        vec(element, 0..4).prop_map(|elements| format!("[{}]", elements.join(",")))
    })
}

#[test]
fn any_elements_are_refused_by_their_path_or_come_to_an_outcome_for_every_user() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let list = "[1,\"b\",[2],{\"x\":\"<\\\"\"}]".to_owned();
    let values = object_of(&["name", "list", "url", "rows"], prop_oneof![json_text(), Just(list)]);
    let user = (values, select(&["{\"email\":\"a@x.y\",\"locale\":\"fr\"}", "{\"phone_number\":\"1\"}", "{}"][..]))
        .prop_map(|(data, profile)| format!("{{\"data\":{data},\"profile\":{profile}}}"));
    let input = (any_element(), vec(user, 1..4));
    check(250, input, &["refused", "message", "failure"], |(elements, users), saw| {
        let elements: Value = serde_json::from_str(&elements).unwrap();
        match outcomes(&customer, &json!({ "elements": elements }), &format!("[{}]", users.join(","))) {
            Ok(outcomes) => outcomes.iter().for_each(|it| saw(if it.is_ok() { "message" } else { "failure" })),
            Err(message) => {
                saw("refused");
                assert!(message.starts_with("message.content.elements["), "{message}");
            }
        }
    });
}

#[test]
fn variables_are_the_same_alone_and_beside_a_block() {
    const NAMES: &[&str] = &["a", "b", "name", "x y", "0", "data", "profile", "recipient", "this_", "len", "\u{e9}"];
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");

    let segment = |name: &str| if name.contains([' ', '0']) { format!("[{name}]") } else { name.to_owned() };
    let path =
        vec(select(NAMES), 1..4).prop_map(move |names| names.into_iter().map(segment).collect::<Vec<_>>().join("."));
    let tags =
        &[("{{", "}}"), ("{{{", "}}}"), ("{{&", "}}"), ("{{~ ", "}}"), ("{{ ", " ~}}"), ("\\{{", "}}"), ("{{!", "}}")]
            [..];
    let variable = (path, select(tags)).prop_map(|(path, (open, close))| format!("{open}{path}{close}"));
    let words = prop_oneof!["[^{}\\\\]{0,8}", "[ \r\n\t]{1,3}", Just("\\".to_owned()), "[{}] "];
    let text = vec(prop_oneof![2 => variable, 1 => words], 1..6).prop_map(|parts| parts.concat());
    let simple = prop_oneof![json_string(), json_number(), "(true|false|null)"];
    let inner = object_of(NAMES, simple.clone()).boxed();
    let array =
        vec(prop_oneof![simple.clone(), inner.clone()], 0..3).prop_map(|items| format!("[{}]", items.join(", ")));
    let value = prop_oneof![3 => simple, 1 => inner, 1 => array];
    let values = move || object_of(NAMES, value.clone());
    let user = (values(), values(), values()).prop_map(|(data, to, profile)| {
        format!("{{\"data\":{data},\"profile\":{profile},\"to\":{{\"user_id\":\"r\",\"data\":{to}}}}}")
    });
    check(200, (text, user), &["words", "nothing", "refused"], |(text, user), saw| {
        let fast = outcomes(&customer, &json!({ "body": format!("<><{text}") }), &format!("[{user}]"));
        let slow = outcomes(
            &customer,
            &json!({ "body": format!("<{{{{#if true}}}}{{{{/if}}}}><{text}") }),
            &format!("[{user}]"),
        );

        let body = |outcomes: Result<Vec<Outcome>, String>| Some(outcomes.ok()?.swap_remove(0).map(|(_, body)| body));
        let (fast, slow) = (body(fast), body(slow));
        match (&fast, &slow) {
            (Some(Ok(fast)), Some(Ok(slow))) => {
                assert_eq!(fast, slow, "{text:?}");
                saw(if *fast == "<><" { "nothing" } else { "words" });
            }
            (Some(Err(fast)), Some(Err(slow))) => assert_eq!(fast, slow, "{text:?}"),
            (None, None) => saw("refused"),
            _ => panic!("{text:?} is {fast:?} alone and {slow:?} beside a block"),
        }
    });
}

#[test]
fn any_bytes_are_answered_or_the_connection_is_closed_and_the_next_is_served() {
    const PIECES: &[&str] = &[
        "GET ",
        "POST ",
        "HEAD ",
        "get ",
        "/",
        "/bulk",
        "/_bulkd/health",
        "*",
        "http://x/bulk",
        "?limit=1",
        " HTTP/1.1",
        " HTTP/1.0",
        " HTTP/2.0",
        "\r\n",
        "\r\n\r\n",
        "\n",
        "\r",
        "Host: localhost",
        "Host:",
        "Content-Length: ",
        "0",
        "5",
        "-1",
        "99999999999999999999",
        "Transfer-Encoding: chunked",
        "Transfer-Encoding: gzip",
        "Connection: close",
        "Connection: keep-alive",
        "Expect: 100-continue",
        "Authorization: Bearer acme",
        "Idempotency-Key: k",
        "Content-Type: text/plain",
        "\0",
        "\u{e9}",
        ":",
        " ",
        "\t",
        "5\r\nhello\r\n",
        "0\r\n\r\n",
        "ffffffffffffffff\r\n",
        "1;x=y\r\n",
        "{\"message\":{\"event\":\"e\"}}",
    ];
    const STARTS: &[&str] = &[
        "",
        "GET /_bulkd/health HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /_bulkd/health HTTP/1.1\r\nHost: localhost\r\n",
        "POST /bulk HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer acme\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST /bulk HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer acme\r\n",
        "POST /bulk HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\n",
    ];
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let pieces = vec(select(PIECES), 0..20).prop_map(|pieces| pieces.concat().into_bytes());
    let long = (select(PIECES), 0..2000usize).prop_map(|(piece, count)| piece.repeat(count).into_bytes());
    let rest = prop_oneof![vec(any::<u8>(), 0..100), pieces.clone(), pieces, long];
    let bytes = (select(STARTS), rest).prop_map(|(start, rest)| [start.as_bytes(), &rest].concat());
    let needed = ["success", "refusal", "several answers", "silence"];
    check(1000, bytes, &needed, |bytes, saw| {
        let answer = exchange(daemon.address(), &bytes);
        let mut rest = answer.strip_prefix(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap_or(&answer);
        let mut answers = 0;
        // An answer to HEAD tells the length of what it leaves out.
        let heads = bytes.windows(5).any(|window| window.eq_ignore_ascii_case(b"HEAD "));
        while !(rest.is_empty() || heads && answers > 0) {
            rest = rest.strip_prefix(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap_or(rest);
            let Some((reply, after)) = read_reply(rest) else {
                assert!(heads && rest.starts_with(b"HTTP/1.1 "), "{:?}", String::from_utf8_lossy(rest));
                break;
            };
            saw(if reply.status < 300 { "success" } else { "refusal" });
            assert!(reply.status < 500 || reply.status == 501, "{reply:?}");
            if reply.status >= 400 && reply.status < 500 {
                reply.refused(reply.status);
            }
            rest = after;
            answers += 1;
        }
        match answers {
            0 => saw("silence"),
            1 => {}
            _ => saw("several answers"),
        }
        customer.get("/_bulkd/health").ok(200);
    });
}
