//! A request in HTTP form: `{method, url, headers, body}`. A body of form fields is an object; a repeated field is a
//! list.

use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use super::message::ProviderMessage;

pub const JSON: &str = "application/json";
pub const FIELDS: &str = "application/x-www-form-urlencoded";

/// The placeholder for a key that an override does not give.
pub const KEY: &str = "API_KEY";

/// The characters that a path segment may hold unescaped.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

pub fn post(url: &str, content_type: &str, headers: &[(&str, &str)], body: Value) -> Value {
    let mut all: Map<String, Value> = Map::new();
    all.insert("Content-Type".to_owned(), content_type.into());
    all.extend(headers.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))));
    json!({ "method": "POST", "url": url, "headers": all, "body": body })
}

/// The key of a request, or its placeholder.
pub fn key<'a>(message: &ProviderMessage<'a>, names: &[&str]) -> &'a str {
    message.config(names).unwrap_or(KEY)
}

/// A text as a segment of a path.
pub fn segment(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

pub fn basic(name: &str, password: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{name}:{password}")))
}

pub fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

/// Lays headers over others. If two names differ only in case, the later one counts.
pub fn add_headers(headers: &mut Value, more: &Map<String, Value>) {
    let known = headers.as_object().into_iter().flatten();
    let all = known.chain(more).filter(|(_, value)| value.is_string());
    let by_name: BTreeMap<String, (&String, &Value)> =
        all.map(|(name, value)| (name.to_ascii_lowercase(), (name, value))).collect();
    let all: Map<String, Value> = by_name.into_values().map(|(name, value)| (name.clone(), value.clone())).collect();
    *headers = Value::Object(all);
}

/// Whether a text is a web address: a scheme and a host.
pub fn is_url(text: &str) -> bool {
    let rest = ["https://", "http://"]
        .iter()
        .find_map(|scheme| text.get(..scheme.len())?.eq_ignore_ascii_case(scheme).then(|| &text[scheme.len()..]));
    let host = rest.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default());
    let is_odd = |c: char| c.is_whitespace() || c.is_control() || "<>\"{}|\\^`".contains(c);
    host.is_some_and(|host| !host.is_empty() && !host.starts_with(':') && !host.contains(is_odd))
        && !text.contains(char::is_whitespace)
}
