//! Query parameters.

use percent_encoding::percent_decode_str;

use super::paging::{DEFAULT_LIMIT, MAX_LIMIT};
use crate::error::{Error, Result};

/// The query of a request, and the parameters that its route knows.
pub struct Query {
    text: String,
    known: &'static [&'static str],
}

impl Query {
    pub fn new(text: &str, known: &'static [&'static str]) -> Self {
        Query { text: text.to_owned(), known }
    }

    /// Its values, with or without brackets behind the name.
    fn values<'q>(&'q self, name: &'q str) -> impl Iterator<Item = String> + 'q {
        debug_assert!(self.known.contains(&name), "the route's row does not have {name}");
        let pairs = self.text.split('&').filter_map(|pair| pair.split_once('='));
        pairs.filter(move |(found, _)| bare(&decode(found)) == name).map(|(_, value)| decode(value))
    }

    /// The value of a parameter. Courier's 4.x Node SDK sends `undefined` for what it was not given, so an empty value,
    /// `undefined` and `null` mean none.
    pub fn one(&self, name: &str) -> Option<String> {
        self.values(name).find(|value| is_given(value))
    }

    /// Whether a parameter is named without a value.
    pub fn is_empty(&self, name: &str) -> bool {
        let is_named = |pair: &str| bare(&decode(pair.split_once('=').map_or(pair, |(name, _)| name))) == name;
        self.text.split('&').any(is_named) && self.one(name).is_none()
    }

    /// A flag, given or not.
    pub fn flag(&self, name: &str) -> Result<bool> {
        match self.one(name).map(|value| value.to_ascii_lowercase()).as_deref() {
            None | Some("false" | "0") => Ok(false),
            Some("true" | "1") => Ok(true),
            Some(_) => Err(Error::invalid(name, "expected true or false")),
        }
    }

    /// All values of a parameter, which may be repeated or separated by commas.
    pub fn all(&self, name: &str) -> Vec<String> {
        let values = self.values(name).flat_map(|value| value.split(',').map(str::to_owned).collect::<Vec<_>>());
        values.filter(|value| is_given(value)).collect()
    }

    /// The cursor of a request. The word `cursor` itself, which the samples of Courier's SDKs send, means none: no
    /// cursor of ours looks like it.
    pub fn cursor(&self) -> Option<String> {
        self.one("cursor").filter(|cursor| cursor != "cursor")
    }

    /// The page size that was asked for. An extension of ours: one that makes no sense is ignored.
    pub fn limit(&self) -> u64 {
        match self.one("limit").and_then(|limit| limit.parse().ok()) {
            None | Some(0) => DEFAULT_LIMIT,
            Some(limit) => MAX_LIMIT.min(limit),
        }
    }
}

/// The name of a parameter without the brackets that some clients put behind those that they repeat.
fn bare(name: &str) -> &str {
    name.strip_suffix("[]").unwrap_or(name)
}

fn is_given(value: &str) -> bool {
    !matches!(value, "" | "undefined" | "null")
}

/// Refuses a query in which a parameter that the route knows cannot be read. Unknown parameters are not read.
pub fn check(text: &str, known: &'static [&'static str]) -> Result<()> {
    for (name, value) in text.split('&').filter_map(|pair| pair.split_once('=')) {
        let name = decode(name);
        if let Some(name) = known.iter().find(|known| **known == bare(&name)) {
            read_encoded(value).ok_or_else(|| Error::invalid(name, UNREADABLE))?;
        }
    }
    Ok(())
}

/// Parameters of bulkd's own routes that may be repeated.
const LISTS: [&str; 1] = ["fields"];

/// Refuses what one of bulkd's own routes could not follow: a parameter with one value that is given twice, and an
/// invalid page size. Courier's clients are not held to that.
pub fn check_our_own(text: &str, known: &'static [&'static str]) -> Result<()> {
    let query = Query::new(text, known);
    for name in known.iter().filter(|name| !LISTS.contains(*name)) {
        let given = query.values(name).filter(|value| is_given(value)).count();
        if given > 1 {
            return Err(Error::invalid(*name, format_args!("expected one value, found {given}")));
        }
    }
    let limit = if known.contains(&"limit") { query.one("limit") } else { None };
    let is_size = |limit: String| limit.parse().is_ok_and(|limit| (1..=MAX_LIMIT).contains(&limit));
    if !limit.is_none_or(is_size) {
        return Err(Error::invalid("limit", format_args!("expected a whole number from 1 to {MAX_LIMIT}")));
    }
    Ok(())
}

/// The most unknown parameters of a query that are looked at: each is logged.
const UNKNOWN: usize = 20;

/// The names of parameters that the route does not know.
pub fn unknown<'q>(text: &'q str, known: &'static [&'static str]) -> impl Iterator<Item = String> + 'q {
    let names = text.split('&').map(|pair| pair.split_once('=').map_or(pair, |(name, _)| name));
    let names = names.take(UNKNOWN).map(|name| read_encoded(&name.replace('+', " ")).unwrap_or(name.to_owned()));
    names.filter(|name| !name.is_empty() && !known.contains(&bare(name)))
}

/// What is said of a part of a URL that cannot be read.
pub const UNREADABLE: &str = "expected UTF-8 in percent-encoding, with '%25' for a percent sign";

/// A part of a URL, decoded. `None` if it is not UTF-8, or if a percent sign is not followed by two hexadecimal digits:
/// two names must not become one because neither can be read.
pub fn read_encoded(part: &str) -> Option<String> {
    let is_encoded = |rest: &str| rest.len() >= 2 && rest.bytes().take(2).all(|byte| byte.is_ascii_hexdigit());
    if !part.split('%').skip(1).all(is_encoded) {
        return None;
    }
    percent_decode_str(part).decode_utf8().ok().map(|text| text.into_owned())
}

/// A name or a value of a query. A value was checked before.
fn decode(part: &str) -> String {
    read_encoded(&part.replace('+', " ")).unwrap_or_default()
}
