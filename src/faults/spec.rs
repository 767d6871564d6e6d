//! A fault as it is asked for: read, checked, and compared with requests.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value, json};

use crate::error::{Error, Result, shown};
use crate::http::{self, Header, Method, Request, Response};
use crate::json::kind;

/// The header in which a request asks for a fault of its own.
pub const HEADER: &str = "x-bulkd-fault";

/// The members of a fault, in the order in which they are shown.
const MEMBERS: &[&str] = &[
    "preset", "name", "method", "path", "match", "call", "times", "percent", "seed", "when", "status", "headers",
    "body", "delay_ms", "answer",
];
/// Those that a header may have: it is about one request.
const OF_HEADER: &[&str] = &["preset", "when", "status", "headers", "body", "delay_ms", "answer"];
const MATCH: &[&str] = &["body_contains", "users_at_least", "headers"];

/// The methods that a fault may match.
pub const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];
/// The statuses that it may answer with, and the largest share of requests.
pub const STATUSES: std::ops::RangeInclusive<u64> = 200..=599;
pub const PERCENT: u64 = 100;
/// An answer is held back for ten minutes at most: longer than any client waits.
pub const DELAY_MILLIS: u64 = 10 * 60 * 1000;
pub const BODY_BYTES: usize = 64 * 1024;
pub const HEADERS: usize = 50;
const HEADER_BYTES: usize = 4 * 1024;
/// The longest path that names a job is no longer.
pub const PATH_CHARS: usize = 2_000;
pub const NAME_CHARS: usize = 200;

/// A name, and the fault that it is short for.
pub type Preset = (&'static str, fn() -> Value);

/// The faults with a name. Each consists of members that could be written out, and members that are written take
/// precedence.
pub const PRESETS: &[Preset] = &[
    ("rate-limited", || json!({ "path": "*", "when": "before", "status": 429, "headers": { "retry-after": "1" } })),
    ("lost-answer", || json!({ "method": "POST", "path": "*", "when": "after", "answer": "lost" })),
    ("slow-ingest", || json!({ "method": "POST", "path": "/bulk/{job_id}", "when": "after", "delay_ms": 5000 })),
    ("oversize-502", || {
        json!({
            "method": "POST", "path": "/bulk/{job_id}", "match": { "users_at_least": 5000 }, "times": null,
            "when": "before", "status": 502,
        })
    }),
    ("flaky", || json!({ "path": "*", "percent": 10, "times": null, "when": "before", "status": 503 })),
];

/// Whether a fault comes before or after the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Nothing is done.
    Before,
    /// All is done and committed.
    After,
}

/// How an answer does not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Lost,
    Cut,
    Reset,
}

impl Ending {
    const NAMES: &[(&str, Ending)] = &[("lost", Ending::Lost), ("cut", Ending::Cut), ("reset", Ending::Reset)];

    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, it)| *it == self).map_or("", |(name, _)| *name)
    }
}

/// What becomes of an answer.
#[derive(Clone, Debug)]
pub struct Effect {
    pub when: When,
    /// The status of the answer in place of the request's own.
    pub status: Option<u16>,
    headers: Vec<Header>,
    body: String,
    pub delay_ms: u64,
    pub ending: Option<Ending>,
}

/// A fault, parsed.
#[derive(Debug)]
pub struct Fault {
    pub name: Option<String>,
    /// `None`: any method.
    pub method: Option<Method>,
    pub path: String,
    matches: Match,
    /// The first request that is hit, counted from 1.
    pub call: u64,
    /// `None`: without end.
    pub times: Option<u64>,
    percent: Option<u64>,
    seed: u64,
    pub effect: Effect,
    /// The fault as it was asked for, with defaults filled in.
    pub members: Map<String, Value>,
}

#[derive(Debug, Default)]
struct Match {
    body_contains: Option<String>,
    users_at_least: Option<u64>,
    headers: Vec<(String, String)>,
}

impl Fault {
    /// The fault that an object describes.
    pub fn read(mut sent: Map<String, Value>) -> Result<Fault> {
        only(&sent, MEMBERS, str::to_owned)?;
        // Null counts as absent, except for the member whose null means that there is no end.
        sent.retain(|name, value| !value.is_null() || name == "times");
        if let Some(Value::Object(matches)) = sent.get_mut("match") {
            matches.retain(|_, value| !value.is_null());
        }
        let mut all = preset(sent.get("preset"))?;
        all.extend(sent);
        let members = Members(&all);
        // In the order of `MEMBERS`: of several mistakes the first one is reported.
        let fault = Fault {
            name: members.text("name", NAME_CHARS)?,
            method: members.method()?,
            path: members.path()?,
            matches: members.matches()?,
            call: members.number("call", 1..=u64::MAX)?.unwrap_or(1),
            times: match all.get("times") {
                // With a share of requests, no number is meant.
                None if members.get("percent").is_some() => None,
                None => Some(1),
                Some(Value::Null) => None,
                Some(_) => members.number("times", 1..=u64::MAX)?,
            },
            percent: members.number("percent", 1..=PERCENT)?,
            seed: members.number("seed", 0..=u64::MAX)?.unwrap_or(0),
            effect: members.effect()?,
            members: Map::new(),
        };
        Ok(fault.with_members(&all))
    }

    /// The fault that a header asks for: an object, or words with semicolons between them, such as `lost`, `503`,
    /// `delay_ms=200` or the name of a preset.
    pub fn of_header(text: &str) -> Result<Fault> {
        let text = text.trim();
        let mut members = match text.strip_prefix('{') {
            Some(_) => {
                serde_json::from_str(text).map_err(|error| Error::syntax(error).with_path(|_| HEADER.to_owned()))?
            }
            None => Map::new(),
        };
        let words = text.split(';').map(str::trim).filter(|word| !word.is_empty() && !text.starts_with('{'));
        for word in words {
            let (name, value) = match word.split_once('=') {
                Some((name, value)) => (name.trim(), value.trim()),
                None if word.parse::<u64>().is_ok() => ("status", word),
                None if Ending::NAMES.iter().any(|(name, _)| *name == word) => ("answer", word),
                None if ["before", "after"].contains(&word) => ("when", word),
                None if PRESETS.iter().any(|(name, _)| *name == word) => ("preset", word),
                None => {
                    let expected = format!(
                        "expected a status, lost, cut, reset, before, after, one of {} or NAME=VALUE, found '{}'",
                        preset_names(),
                        shown(word)
                    );
                    return Err(Error::invalid(HEADER, expected));
                }
            };
            let value = value.parse::<u64>().map_or_else(|_| json!(value), |number| json!(number));
            members.insert(name.to_owned(), value);
        }
        if members.is_empty() {
            return Err(Error::invalid(HEADER, "expected a fault, such as lost, 503 or delay_ms=200"));
        }
        let read = || {
            only(&members, OF_HEADER, str::to_owned)?;
            members.insert("path".to_owned(), json!("*"));
            Fault::read(members)
        };
        read().map_err(|error| error.with_path(|path| format!("{HEADER}.{path}")))
    }

    /// Stores what it is, with defaults filled in.
    fn with_members(mut self, all: &Map<String, Value>) -> Self {
        let mut filled = all.clone();
        filled.insert("call".to_owned(), json!(self.call));
        filled.insert("times".to_owned(), json!(self.times));
        let when = if self.effect.when == When::Before { "before" } else { "after" };
        filled.insert("when".to_owned(), json!(when));
        if self.percent.is_some() {
            filled.insert("seed".to_owned(), json!(self.seed));
        }
        let in_order = MEMBERS.iter().filter_map(|name| Some(((*name).to_owned(), filled.remove(*name)?)));
        self.members = in_order.collect();
        self
    }

    /// Whether it counts a request.
    pub fn matches(&self, request: &Request) -> bool {
        self.method.as_ref().is_none_or(|method| meets(method, request.method()))
            && is_path(&self.path, request.path())
            && self.matches.holds(request)
    }

    /// The least number of users in the calls that it hits, if it asks for that.
    pub fn users_at_least(&self) -> Option<u64> {
        self.matches.users_at_least
    }

    /// Whether the request with this number is in its share. The same number always gives the same result.
    pub fn draws(&self, number: u64) -> bool {
        let Some(percent) = self.percent else { return true };
        // SplitMix64.
        let mut mixed = self.seed.wrapping_add(number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % 100 < percent
    }
}

impl Effect {
    /// The answer in place of the request's own, if there is one. It says that it comes from a fault.
    pub fn response(&self, called: &str) -> Option<Response> {
        let response = http::json(self.status?, self.body(called));
        // A header of the same name is replaced.
        Some(self.headers.iter().fold(response, |response, header| response.with_header(header.clone())))
    }

    /// The headers that it has besides those of every answer.
    pub fn header_texts(&self) -> Vec<(String, String)> {
        self.headers.iter().map(|it| (it.field.to_string(), it.value.to_string())).collect()
    }

    /// Its body.
    pub fn body(&self, called: &str) -> String {
        match self.status.unwrap_or_default() {
            204 | 304 => String::new(),
            _ if !self.body.is_empty() => self.body.clone(),
            status => {
                let kind = match status {
                    401 => "authentication_error",
                    429 => "rate_limit_error",
                    500.. => "api_error",
                    _ => "invalid_request_error",
                };
                json!({ "message": format!("a fault that was asked for: {called}"), "type": kind }).to_string()
            }
        }
    }
}

impl Match {
    fn holds(&self, request: &Request) -> bool {
        let has = |(name, value): &(String, String)| request.header(name) == Some(value);
        self.headers.iter().all(has)
            && self.body_contains.as_ref().is_none_or(|text| contains(&request.body, text.as_bytes()))
            && self.users_at_least.is_none_or(|least| users(&request.body) >= least)
    }
}

fn contains(body: &[u8], text: &[u8]) -> bool {
    text.is_empty() || body.windows(text.len()).any(|window| window == text)
}

/// How many users a body has.
fn users(body: &[u8]) -> u64 {
    #[derive(Deserialize)]
    struct Users {
        users: Vec<IgnoredAny>,
    }
    serde_json::from_slice::<Users>(body).map_or(0, |it| it.users.len() as u64)
}

/// Whether a fault of a method matches a request. One of `GET` matches `HEAD`, which the same route answers.
fn meets(method: &Method, asked: &Method) -> bool {
    method == asked || *method == Method::Get && *asked == Method::Head
}

/// Whether a path matches a pattern: parts in braces match anything, and `*` matches every path of Courier's.
fn is_path(pattern: &str, path: &str) -> bool {
    if pattern == "*" {
        return !path.starts_with("/_bulkd/");
    }
    let (mut expected, mut parts) = (pattern.split('/'), path.split('/'));
    loop {
        match (expected.next(), parts.next()) {
            (None, None) => return true,
            (Some(expected), Some(part)) if expected == part || (expected.starts_with('{') && !part.is_empty()) => {}
            _ => return false,
        }
    }
}

fn preset_names() -> String {
    PRESETS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

fn preset(name: Option<&Value>) -> Result<Map<String, Value>> {
    let Some(name) = name else { return Ok(Map::new()) };
    let found = PRESETS.iter().find(|(known, _)| name.as_str() == Some(known));
    match found.map(|(_, members)| members()) {
        Some(Value::Object(members)) => Ok(members),
        _ => Err(Error::invalid("preset", format_args!("expected one of {}", preset_names()))),
    }
}

/// Refuses an unknown member.
fn only(members: &Map<String, Value>, known: &[&str], at: impl Fn(&str) -> String) -> Result<()> {
    match members.keys().find(|name| !known.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => {
            let expected = format!("there is no such member; expected {}", known.join(", "));
            Err(Error::invalid(at(&shown(name).to_string()), expected))
        }
    }
}

/// The members of a fault, read one by one.
struct Members<'a>(&'a Map<String, Value>);

impl Members<'_> {
    fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    fn number(&self, name: &str, range: std::ops::RangeInclusive<u64>) -> Result<Option<u64>> {
        let Some(value) = self.get(name) else { return Ok(None) };
        match value.as_u64().filter(|number| range.contains(number)) {
            Some(number) => Ok(Some(number)),
            None if *range.end() == u64::MAX => {
                Err(Error::invalid(name, format_args!("expected a whole number from {} on", range.start())))
            }
            None => {
                let expected = format_args!("expected a whole number from {} to {}", range.start(), range.end());
                Err(Error::invalid(name, expected.to_string()))
            }
        }
    }

    fn text(&self, name: &str, characters: usize) -> Result<Option<String>> {
        let Some(value) = self.get(name) else { return Ok(None) };
        match value.as_str().filter(|text| (1..=characters).contains(&text.chars().count())) {
            Some(text) => Ok(Some(text.to_owned())),
            None => Err(Error::invalid(name, format_args!("expected a text of 1 to {characters} characters"))),
        }
    }

    fn method(&self) -> Result<Option<Method>> {
        let Some(value) = self.get("method") else { return Ok(None) };
        let known = value.as_str().map(str::to_ascii_uppercase).filter(|name| METHODS.contains(&name.as_str()));
        let method = known.and_then(|name| name.parse().ok());
        method.map(Some).ok_or_else(|| Error::invalid("method", format_args!("expected one of {}", METHODS.join(", "))))
    }

    fn path(&self) -> Result<String> {
        const EXPECTED: &str =
            "expected the path of one of Courier's routes, such as /bulk/{job_id} or /send, or * for all";
        let path = self.get("path").and_then(Value::as_str);
        let path = path.filter(|path| *path == "*" || path.starts_with('/') && !path.starts_with("/_bulkd"));
        let path = path.ok_or_else(|| Error::invalid("path", EXPECTED))?;
        match path.chars().count() {
            ..=PATH_CHARS => Ok(path.to_owned()),
            found => {
                Err(Error::invalid("path", format_args!("expected at most {PATH_CHARS} characters, found {found}")))
            }
        }
    }

    fn matches(&self) -> Result<Match> {
        let Some(value) = self.get("match") else { return Ok(Match::default()) };
        let Some(members) = value.as_object() else {
            return Err(Error::invalid(
                "match",
                format_args!("expected an object, found {}", kind(&value.to_string())),
            ));
        };
        only(members, MATCH, |name| format!("match.{name}"))?;
        let of = Members(members);
        let within = |error: Error| error.with_path(|path| format!("match.{path}"));
        let headers = of.headers().map_err(within)?.into_iter();
        Ok(Match {
            body_contains: of.text("body_contains", BODY_BYTES).map_err(within)?,
            users_at_least: of.number("users_at_least", 1..=u64::MAX).map_err(within)?,
            headers: headers.map(|it| (it.field.to_string(), it.value.to_string())).collect(),
        })
    }

    fn headers(&self) -> Result<Vec<Header>> {
        let Some(value) = self.get("headers") else { return Ok(Vec::new()) };
        let headers = value.as_object().ok_or_else(|| {
            let found = kind(&value.to_string());
            Error::invalid("headers", format_args!("expected an object of names and texts, found {found}"))
        })?;
        if headers.len() > HEADERS {
            let expected = format_args!("expected at most {HEADERS} names, found {}", headers.len());
            return Err(Error::invalid("headers", expected));
        }
        let header = |(name, value): (&String, &Value)| {
            let text = value.as_str().map(str::to_owned).or_else(|| value.as_u64().map(|number| number.to_string()));
            let text = text.ok_or_else(|| {
                let expected = format!("expected a text or a whole number, found {}", kind(&value.to_string()));
                Error::invalid(format_args!("headers.{}", shown(name)), expected)
            })?;
            if text.len() > HEADER_BYTES {
                let expected = format_args!("expected at most {HEADER_BYTES} bytes, found {}", text.len());
                return Err(Error::invalid(format_args!("headers.{}", shown(name)), expected));
            }
            let text = Some(text).filter(|text| text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()));
            let is_name = |name: &str| {
                !name.is_empty() && name.bytes().all(|it| it.is_ascii_alphanumeric() || b"-_".contains(&it))
            };
            let made = text.filter(|_| is_name(name)).and_then(|text| {
                // A fault must not set the headers that frame the answer.
                let is_framing = ["content-length", "transfer-encoding", "connection", "date", "server"]
                    .iter()
                    .any(|it| name.eq_ignore_ascii_case(it));
                (!is_framing).then(|| Header::from_bytes(name.as_bytes(), text.as_bytes()).ok()).flatten()
            });
            made.ok_or_else(|| {
                let at = format!("headers.{}", shown(name));
                Error::invalid(
                    at,
                    "expected the name and the text of a header that does not frame the answer, in ASCII",
                )
            })
        };
        headers.iter().map(header).collect()
    }

    fn effect(&self) -> Result<Effect> {
        let status = self.number("status", STATUSES)?.map(|status| status as u16);
        let delay_ms = self.number("delay_ms", 1..=DELAY_MILLIS)?.unwrap_or(0);
        let ending = self.one_of("answer", Ending::NAMES)?;
        let names = [("before", When::Before), ("after", When::After)];
        // An answer of its own means that the work was not done.
        let left_open = if status.is_some() { When::Before } else { When::After };
        let when = self.one_of("when", &names)?.unwrap_or(left_open);
        if status.is_none() && delay_ms == 0 && ending.is_none() {
            return Err(Error::invalid(
                "status",
                "expected a 'status', an 'answer' or a 'delay_ms'; without one nothing fails",
            ));
        }
        if when == When::Before && status.is_none() && !matches!(ending, Some(Ending::Lost | Ending::Reset)) {
            let expected = "expected 'after': without a 'status' there is no answer before the work is done";
            return Err(Error::invalid("when", expected));
        }
        for name in ["headers", "body"] {
            if status.is_none() && self.get(name).is_some() {
                return Err(Error::invalid(name, "expected a 'status' beside it"));
            }
        }
        let body = match self.get("body") {
            None => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
        };
        if body.len() > BODY_BYTES {
            return Err(Error::invalid("body", format_args!("expected at most {BODY_BYTES} bytes")));
        }
        Ok(Effect { when, status, headers: self.headers()?, body, delay_ms, ending })
    }

    fn one_of<T: Copy>(&self, name: &str, known: &[(&str, T)]) -> Result<Option<T>> {
        let Some(value) = self.get(name) else { return Ok(None) };
        match known.iter().find(|(known, _)| value.as_str() == Some(known)) {
            Some((_, found)) => Ok(Some(*found)),
            None => {
                let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
                Err(Error::invalid(name, format_args!("expected one of {}", names.join(", "))))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(fault: Value) -> Result<Fault> {
        let Value::Object(members) = fault else { panic!("{fault}") };
        Fault::read(members)
    }

    #[test]
    fn a_share_is_about_its_percentage_and_the_same_for_the_same_seed() {
        let draws = |seed: u64| -> Vec<bool> {
            let fault = read(json!({ "path": "*", "status": 503, "percent": 10, "seed": seed })).unwrap();
            (1..=10_000).map(|number| fault.draws(number)).collect()
        };
        assert_eq!(draws(7), draws(7));
        assert_ne!(draws(7), draws(8));
        let hits = draws(7).into_iter().filter(|hit| *hit).count();
        assert!((800..1_200).contains(&hits), "{hits}");
    }

    #[test]
    fn a_pattern_takes_anything_for_a_name() {
        assert!(is_path("/bulk/{job_id}", "/bulk/1-a"));
        assert!(is_path("/bulk/1-a", "/bulk/1-a"));
        assert!(is_path("*", "/send") && !is_path("*", "/_bulkd/outbox"));
        for other in ["/bulk", "/bulk/", "/bulk/1-a/run"] {
            assert!(!is_path("/bulk/{job_id}", other), "{other}");
        }
    }

    #[test]
    fn every_preset_is_a_fault() {
        for (name, _) in PRESETS {
            assert!(read(json!({ "preset": name })).is_ok(), "{name}");
        }
    }

    #[test]
    fn a_header_says_a_fault_in_few_words() {
        let effect = |text: &str| Fault::of_header(text).map(|fault| fault.effect);
        assert_eq!(effect("lost").unwrap().ending, Some(Ending::Lost));
        let both = effect("503; delay_ms=200").unwrap();
        assert_eq!((both.status, both.delay_ms, both.when), (Some(503), 200, When::Before));
        assert_eq!(effect("reset; before").unwrap().when, When::Before);
        assert_eq!(effect("rate-limited").unwrap().status, Some(429));
        assert_eq!(effect("{\"status\": 500}").unwrap().status, Some(500));
        for (text, message) in [
            ("", "x-bulkd-fault: expected a fault"),
            ("lots", "x-bulkd-fault: expected a status, lost"),
            ("call=2; lost", "x-bulkd-fault.call: there is no such member"),
            ("99", "x-bulkd-fault.status: expected a whole number from 200 to 599"),
            ("{", "x-bulkd-fault: not valid JSON"),
        ] {
            let error = effect(text).unwrap_err().to_string();
            assert!(error.starts_with(message), "{text}: {error}");
        }
    }
}
