//! Query parameters.

use percent_encoding::percent_decode_str;

/// Users or messages on a page, unless asked otherwise.
const DEFAULT_LIMIT: u64 = 100;
/// Users or messages on a page, at most.
pub const MAX_LIMIT: u64 = 1_000;

/// The value of a query parameter. Courier's 4.x Node SDK sends `undefined` for what it was not given, so an empty
/// value, `undefined` and `null` mean none.
pub fn one(query: &str, name: &str) -> Option<String> {
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .filter(|(found, _)| decode(found) == name)
        .map(|(_, value)| decode(value))
        .find(|value| !matches!(value.as_str(), "" | "undefined" | "null"))
}

/// All values of a query parameter, which may be repeated or separated by commas, with or without brackets behind the
/// name.
pub fn all(query: &str, name: &str) -> Vec<String> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let named = pairs.filter(|(found, _)| decode(found).trim_end_matches("[]") == name);
    let values = named.flat_map(|(_, value)| decode(value).split(',').map(str::to_owned).collect::<Vec<_>>());
    values.filter(|value| !matches!(value.as_str(), "" | "undefined" | "null")).collect()
}

/// The cursor of a request. The word itself, which the samples of Courier's SDKs send, means none as well: no cursor of
/// ours looks like it.
pub fn cursor(text: &str) -> Option<String> {
    one(text, "cursor").filter(|cursor| cursor != "cursor")
}

fn decode(part: &str) -> String {
    percent_decode_str(&part.replace('+', " ")).decode_utf8_lossy().into_owned()
}

/// The page size that was asked for. As an extension of ours it is honoured where it makes sense and ignored elsewhere.
pub fn limit(text: &str) -> u64 {
    match one(text, "limit").and_then(|limit| limit.parse().ok()) {
        None | Some(0) => DEFAULT_LIMIT,
        Some(limit) => MAX_LIMIT.min(limit),
    }
}
