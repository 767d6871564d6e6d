//! Query parameters, and cursors in particular.

use percent_encoding::percent_decode_str;

use crate::error::{Error, Result};

/// Users or messages on a page, unless asked otherwise,
pub const DEFAULT_LIMIT: u64 = 100;
/// at most,
pub const MAX_LIMIT: u64 = 1_000;
/// and about as many bytes of JSON: a page ends early rather than grow beyond.
pub const PAGE_BYTES: usize = 6 * 1024 * 1024;

/// The value of a query parameter. Courier's 4.x Node SDK sends `undefined` for what it was not given, so an empty
/// value, `undefined` and `null` mean none.
pub fn query(query: &str, name: &str) -> Option<String> {
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .filter(|(found, _)| decode(found) == name)
        .map(|(_, value)| decode(value))
        .find(|value| !matches!(value.as_str(), "" | "undefined" | "null"))
}

fn decode(part: &str) -> String {
    percent_decode_str(&part.replace('+', " ")).decode_utf8_lossy().into_owned()
}

/// The page size that was asked for. As an extension of ours it is honoured where it makes sense and ignored elsewhere.
pub fn limit(text: &str) -> u64 {
    match query(text, "limit").and_then(|limit| limit.parse().ok()) {
        None | Some(0) => DEFAULT_LIMIT,
        Some(limit) => MAX_LIMIT.min(limit),
    }
}

/// A place in a list. Clients see it as an opaque text of hexadecimal digits (some encode a cursor twice, so it has to
/// be made of characters that need no encoding). It is bound to the list that it was made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The job, or 0 for a list of everything.
    pub list: i64,
    /// The place to go on from.
    pub position: u64,
}

impl Cursor {
    pub fn encode(self) -> String {
        let (list, position) = (self.list.unsigned_abs(), self.position);
        format!("{list:x}.{position:x}.{:08x}", check(list, position))
    }

    fn decode(text: &str) -> Option<Cursor> {
        let mut parts = text.split('.');
        let mut number = || u64::from_str_radix(parts.next()?, 16).ok();
        let (list, position, found) = (number()?, number()?, number()?);
        let cursor = Cursor { list: i64::try_from(list).ok()?, position: i64::try_from(position).ok()?.unsigned_abs() };
        (parts.next().is_none() && found == u64::from(check(list, position)) && cursor.encode() == text)
            .then_some(cursor)
    }

    /// The position that a request asks for, 0 without a cursor.
    pub fn read(query: Option<&str>, list: i64) -> Result<u64> {
        let Some(text) = query else {
            return Ok(0);
        };
        match Cursor::decode(text) {
            Some(cursor) if cursor.list == list => Ok(cursor.position),
            Some(_) => Err(Error::invalid("cursor", "this cursor belongs to another list")),
            None => Err(Error::invalid("cursor", "expected the 'cursor' of an earlier answer")),
        }
    }
}

/// Tells a cursor of ours from other text. No secret: a cursor opens nothing that its list does not show.
fn check(list: u64, position: u64) -> u32 {
    let mixed = (list ^ position.rotate_left(32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed >> 32) as u32
}

/// `{"items": [...], "paging": {...}}`, with a cursor if there is more.
pub fn page(items: &[String], next: Option<Cursor>) -> String {
    let length: usize = items.iter().map(|item| item.len() + 1).sum();
    let mut body = String::with_capacity(length + 96);
    body.push_str("{\"items\":[");
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            body.push(',');
        }
        body.push_str(item);
    }
    body.push_str("],\"paging\":{");
    match next {
        Some(cursor) => body.push_str(&format!("\"cursor\":\"{}\",\"more\":true}}}}", cursor.encode())),
        None => body.push_str("\"more\":false}}"),
    }
    body
}
