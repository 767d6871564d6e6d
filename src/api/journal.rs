//! The journal of requests: `/_bulkd/requests`, and the hook that writes it. Ours; Courier has nothing of the kind.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::call::{Action, Answer, Call};
use super::fault::RETRY_COUNT;
use super::hook::{Exchange, Hook};
use super::nearest;
use super::paging::{Cursor, PageText, PagedList};
use super::route::Route;
use super::settings::Settings;
use crate::clock::Clock;
use crate::error::{Error, Result, shown};
use crate::faults::Ending;
use crate::findings::{Check, Findings};
use crate::http::{Head, Method, Reply};
use crate::journal::{Beginning, Entry, Journal, MetFault};
use crate::model::environment::Environment;
use crate::model::fold::folded;

/// Headers that give access. Of a key, its environment is shown.
const SECRETS: [&str; 4] = ["authorization", "cookie", "proxy-authorization", "x-api-key"];

/// Records requests to Courier's routes and to unknown ones. The requests of tests to bulkd's own routes would push out
/// what they ask about.
pub struct JournalHook {
    journal: Arc<Journal>,
    findings: Arc<Findings>,
    clock: Clock,
}

impl JournalHook {
    pub fn new(settings: &Settings) -> Self {
        JournalHook {
            journal: settings.journal.clone(),
            findings: settings.findings.clone(),
            clock: settings.clock.clone(),
        }
    }

    fn note_polling(&self, environment: &Environment, head: &Head) {
        let request = format!("{} {}", head.method, head.path());
        let what = || format!("{request} is asked for more than ten times a second");
        self.findings.note(environment, Check::FastPolling, head.path(), Some(&request), what);
    }

    /// Notes that an SDK has sent a request again, and whether it was done twice.
    fn note_retry(&self, environment: &Environment, entry: &Entry) {
        let request = &format!("{} {}", entry.head.method, entry.head.path());
        let count = text(entry.head.headers(RETRY_COUNT).next().unwrap_or_default());
        self.findings.note(environment, Check::RetryWithoutKey, entry.number, Some(request), || {
            format!("{request} was sent again by the SDK (retry {}) without an Idempotency-Key", shown(&count))
        });
        if !entry.made.is_success() || !entry.route.is_some_and(|route| MAKING.contains(&route)) {
            return;
        }
        let mut first = None;
        self.journal.each(environment, |before| {
            let is_same = before.number < entry.number
                && before.made.is_success()
                && before.head.method == entry.head.method
                && before.head.path() == entry.head.path()
                && (&before.sent.bytes, before.sent.length) == (&entry.sent.bytes, entry.sent.length);
            if is_same {
                first = Some(text(&before.made.body.bytes).into_owned());
            }
            !is_same
        });
        if let Some(first) = first {
            self.findings.note(environment, Check::RetryMadeSecond, entry.number, Some(request), || {
                let second = text(&entry.made.body.bytes);
                format!("{request} was done twice by a retry of the SDK: first {first}, then {second}")
            });
        }
    }
}

/// Words in the names of headers and parameters that hold secrets.
const SECRET: [&str; 5] = ["key", "token", "secret", "password", "authorization"];

/// Whether a header or a parameter of this name is secret. One that names an idempotency key gives no access.
fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    !name.starts_with("idempotency") && SECRET.iter().any(|word| name.contains(word))
}

/// A query without its secrets.
fn redacted(query: &str) -> String {
    let of_pair = |pair: &str| match pair.split_once('=') {
        Some((name, _)) if is_secret(name) => format!("{name}=REDACTED"),
        _ => pair.to_owned(),
    };
    query.split('&').map(of_pair).collect::<Vec<_>>().join("&")
}

/// Routes that clients poll.
const POLLED: [&str; 4] =
    ["/bulk/{job_id}", "/bulk/{job_id}/users", "/messages/{message_id}", "/messages/{message_id}/history"];
/// Routes that make something new each time.
const MAKING: [&str; 4] = ["/bulk", "/send", "/send/list", "/messages/{message_id}/resend"];

/// Whether a request polls.
fn is_look(exchange: &Exchange) -> bool {
    exchange.head.method == Method::Get && exchange.route.is_some_and(|route| POLLED.contains(&route.path))
}

/// Whether an SDK has sent a request again, and nothing tells it from a new one.
fn is_unkeyed_retry(head: &Head) -> bool {
    let has = |name: &str| head.headers(name).next().is_some();
    head.method == Method::Post
        && head.headers(RETRY_COUNT).next().is_some_and(|count| count != b"0")
        && !has("idempotency-key")
        && !has("idempotency_key")
}

impl Hook for JournalHook {
    fn after(&self, exchange: &mut Exchange, reply: Reply) -> Reply {
        let Some(environment) = exchange.environment.take() else { return reply };
        if !exchange.is_ours() {
            let entry = Entry {
                number: 0,
                at: self.clock.now(),
                taken: exchange.taken(),
                head: exchange.head.clone(),
                route: exchange.route.map(|route| route.path),
                sent: std::mem::take(&mut exchange.sent),
                made: std::mem::take(&mut exchange.made),
                told: exchange.told.take(),
                fault: exchange.fault.as_ref().map(|hit| MetFault {
                    fault_id: hit.fault_id.clone(),
                    name: hit.fault.name.clone(),
                    ending: hit.fault.effect.ending.map(Ending::name),
                    delay_ms: hit.fault.effect.delay_ms,
                }),
                is_replayed: exchange.is_replayed,
            };
            let retried = is_unkeyed_retry(&exchange.head).then(|| entry.clone());
            let added = self.journal.add(&environment, entry, is_look(exchange));
            if added.is_polled_fast {
                self.note_polling(&environment, &exchange.head);
            }
            if let Some(retried) = retried {
                self.note_retry(&environment, &Entry { number: added.number, ..retried });
            }
        }
        exchange.environment = Some(environment);
        reply
    }
}

/// `GET /_bulkd/requests?unmatched=&q=&format=&cursor=&limit=`: 200 `{items, paging}`, the newest first. With
/// `format=har` an HTTP archive, the oldest first.
pub fn list(call: Call<'_>, table: &'static [Route]) -> Result<Action> {
    let query = call.query();
    let unmatched = query.flag("unmatched")?;
    let words: Vec<String> = query.one("q").unwrap_or_default().split_whitespace().map(folded).collect();
    let before = match Cursor::read(query.cursor().as_deref(), PagedList::Requests)? {
        0 => u64::MAX,
        number => number,
    };
    let is_archive = match query.one("format").as_deref() {
        None | Some("json") => false,
        Some("har") => true,
        Some(_) => return Err(Error::invalid("format", "expected json or har")),
    };
    let is_whole = is_archive && query.one("limit").is_none();
    let limit = if is_whole { usize::MAX } else { query.limit() as usize };
    let (mut found, mut next) = (Vec::new(), None);
    call.settings.journal.each(call.environment, |entry| {
        if entry.number > before || unmatched && entry.route.is_some() || !has_words(entry, &words) {
            return true;
        }
        if found.len() >= limit {
            next = Some(Cursor { list: PagedList::Requests, position: entry.number });
            return false;
        }
        found.push(entry.clone());
        true
    });
    let (environment, scheme) = (call.environment.clone(), call.settings.scheme);
    Action::whole(move |_| {
        if is_archive {
            let entries: Vec<Value> = found.iter().rev().map(|entry| archived(entry, &environment, scheme)).collect();
            return Ok(Answer::new(200, archive(entries).to_string()));
        }
        let mut page = PageText::of_items();
        found.iter().try_for_each(|entry| page.push_value(&item(entry, &environment, table)))?;
        Ok(Answer::new(200, page.end_items(next)))
    })
}

fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// Whether all words occur in what was sent or answered, in any case.
fn has_words(entry: &Entry, words: &[String]) -> bool {
    if words.is_empty() {
        return true;
    }
    let told = entry.told.as_ref().unwrap_or(&entry.made);
    let bodies = [&entry.sent, &entry.made.body, &told.body].map(|body| text(&body.bytes));
    let head = format!("{} {} {}", entry.head.method, entry.head.path(), entry.head.query());
    let all = [head.as_str(), &bodies[0], &bodies[1], &bodies[2]].map(folded);
    words.iter().all(|word| all.iter().any(|text| text.contains(word)))
}

/// The headers that were sent, without those that give access.
fn headers(head: &Head, environment: &Environment) -> Vec<(String, String)> {
    let shown = |(name, value): (&[u8], &[u8])| {
        let name = text(name).into_owned();
        let value = match SECRETS.iter().find(|secret| name.eq_ignore_ascii_case(secret)) {
            Some(&"authorization") => format!("Bearer {}", environment.label()),
            Some(_) => "(left out)".to_owned(),
            None if is_secret(&name) => "(left out)".to_owned(),
            None => text(value).into_owned(),
        };
        (name, value)
    };
    head.all_headers().map(shown).collect()
}

/// The SDK that has sent a request, as its headers tell: those made with Stainless and with Fern say so, the others
/// have a user agent.
fn sdk(head: &Head) -> Value {
    let header = |name: &'static str| head.headers(name).next().map(|value| text(value).into_owned());
    let agent = header("user-agent");
    let of = |language: &'static str, version: &'static str| Some((header(language)?, header(version)));
    let (made_by, found) = match of("x-stainless-lang", "x-stainless-package-version") {
        Some(found) => ("stainless", Some(found)),
        None => ("fern", of("x-fern-language", "x-fern-sdk-version")),
    };
    match found {
        Some((language, version)) => json!({ "language": language, "version": version, "made_by": made_by }),
        None => {
            let is_couriers = agent.as_ref().is_some_and(|agent| agent.to_ascii_lowercase().contains("courier"));
            if is_couriers { json!({ "language": null, "version": null, "made_by": null }) } else { Value::Null }
        }
    }
}

fn retry_count(head: &Head) -> Option<u64> {
    head.headers(RETRY_COUNT).next().and_then(|value| text(value).trim().parse().ok())
}

fn body(body: &Beginning) -> Map<String, Value> {
    let mut shown = Map::new();
    shown.insert("body".to_owned(), json!(text(&body.bytes)));
    shown.insert("bytes".to_owned(), json!(body.length));
    shown.insert("cut".to_owned(), json!(body.is_cut()));
    shown
}

fn item(entry: &Entry, environment: &Environment, table: &'static [Route]) -> Value {
    let head = &entry.head;
    let header = |name: &'static str| head.headers(name).next().map(|value| text(value).into_owned());
    let told = entry.told.as_ref().unwrap_or(&entry.made);
    let headers = headers(head, environment).into_iter().map(|(name, value)| (name.to_lowercase(), json!(value)));
    let mut request = body(&entry.sent);
    request.insert("headers".to_owned(), Value::Object(headers.collect()));
    let fault = entry
        .fault
        .as_ref()
        .map(|it| json!({ "fault_id": it.fault_id, "name": it.name, "answer": it.ending, "delay_ms": it.delay_ms }));
    json!({
        "number": entry.number,
        "at": entry.at.iso(),
        "taken_ms": entry.taken.as_micros() as f64 / 1000.0,
        "method": head.method.as_str(),
        "path": head.path(),
        "query": redacted(head.query()),
        "route": entry.route,
        "status": told.status,
        "made": entry.told.is_some().then_some(entry.made.status).flatten(),
        "fault": fault,
        "replayed": entry.is_replayed,
        "idempotency_key": header("idempotency-key").or_else(|| header("idempotency_key")),
        "sdk": sdk(head),
        "user_agent": header("user-agent"),
        "retry_count": retry_count(head),
        "request": request,
        "response": body(&told.body),
        "unmatched": unmatched(entry, table),
    })
}

/// For a request without a route: why, and the nearest routes.
fn unmatched(entry: &Entry, table: &'static [Route]) -> Value {
    if entry.route.is_some() {
        return Value::Null;
    }
    let (method, path) = (&entry.head.method, entry.head.path());
    let nearest = nearest::routes(table, method, path).into_iter();
    let nearest: Vec<Value> =
        nearest.map(|it| json!({ "method": it.method.as_str(), "path": it.path, "about": it.about })).collect();
    let why = serde_json::from_slice::<Value>(&entry.made.body.bytes).ok();
    let why = why.and_then(|it| it.get("message").cloned());
    json!({ "why": why, "nearest": nearest })
}

/// An HTTP archive: HAR 1.2.
fn archive(entries: Vec<Value>) -> Value {
    let creator = json!({ "name": "bulkd", "version": env!("CARGO_PKG_VERSION") });
    json!({ "log": { "version": "1.2", "creator": creator, "entries": entries } })
}

fn archived(entry: &Entry, environment: &Environment, scheme: &str) -> Value {
    let head = &entry.head;
    let pairs = |all: Vec<(String, String)>| -> Vec<Value> {
        all.into_iter().map(|(name, value)| json!({ "name": name, "value": value })).collect()
    };
    let header = |name: &'static str| head.headers(name).next().map(|value| text(value).into_owned());
    let told = entry.told.as_ref().unwrap_or(&entry.made);
    let redacted = redacted(head.query());
    let query = redacted.split('&').filter(|pair| !pair.is_empty());
    let query = query.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let target = if redacted.is_empty() { head.path().to_owned() } else { format!("{}?{redacted}", head.path()) };
    let millis = entry.taken.as_micros() as f64 / 1000.0;
    let version = format!("HTTP/{}.{}", head.version.0, head.version.1);
    let mut request = json!({
        "method": head.method.as_str(),
        "url": format!("{scheme}://{}{target}", header("host").unwrap_or_else(|| "localhost".to_owned())),
        "httpVersion": version,
        "cookies": [],
        "headers": pairs(headers(head, environment)),
        "queryString": pairs(query.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()),
        "headersSize": -1,
        "bodySize": entry.sent.length,
    });
    if entry.sent.length > 0 {
        let kind = header("content-type").unwrap_or_default();
        request["postData"] = json!({ "mimeType": kind, "text": text(&entry.sent.bytes) });
    }
    let mut answer_headers = Vec::new();
    if told.body.length > 0 {
        answer_headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
    }
    answer_headers.extend(told.headers.iter().cloned());
    if entry.is_replayed {
        answer_headers.push(("X-Bulkd-Replayed".to_owned(), "true".to_owned()));
    }
    let comment = entry.fault.as_ref().map(|it| {
        format!("fault {}{}", it.fault_id, it.ending.map(|ending| format!(": {ending}")).unwrap_or_default())
    });
    json!({
        "startedDateTime": entry.at.iso(),
        "time": millis,
        "request": request,
        "response": {
            "status": told.status.unwrap_or(0),
            "statusText": "",
            "httpVersion": version,
            "cookies": [],
            "headers": pairs(answer_headers),
            "content": { "size": told.body.length, "mimeType": "application/json", "text": text(&told.body.bytes) },
            "redirectURL": "",
            "headersSize": -1,
            "bodySize": told.body.length,
        },
        "cache": {},
        "timings": { "send": 0, "wait": millis, "receive": 0 },
        "comment": comment.unwrap_or_default(),
    })
}
