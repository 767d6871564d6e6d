//! Spans of time, as people write them.

use serde_json::value::RawValue;

use crate::error::{Error, Result};

const EXPECTED: &str =
    "expected milliseconds, or a text such as 90s, 5m, 1h30m, 2d or 250ms, of a thousand years at most";
const LONGEST_MILLIS: i64 = 1_000 * 366 * 86_400_000;
/// The longer names first: `ms` begins like `m`.
const UNITS: [(&str, i64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// A span that stands at `at`, in milliseconds.
pub fn read(value: &RawValue, at: &str) -> Result<i64> {
    let millis = match serde_json::from_str::<serde_json::Value>(value.get()) {
        Ok(serde_json::Value::Number(number)) => number.as_i64(),
        Ok(serde_json::Value::String(text)) => parse(&text),
        _ => None,
    };
    millis.filter(|millis| (0..=LONGEST_MILLIS).contains(millis)).ok_or_else(|| Error::invalid(at, EXPECTED))
}

fn parse(text: &str) -> Option<i64> {
    let (mut rest, mut millis) = (text.trim(), 0_i64);
    while !rest.is_empty() || text.trim().is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let count: i64 = rest.get(..digits)?.parse().ok()?;
        let unit = rest.get(digits..)?;
        let (name, factor) = UNITS.into_iter().find(|(name, _)| unit.starts_with(name))?;
        millis = millis.checked_add(count.checked_mul(factor)?)?;
        rest = unit.get(name.len()..)?;
    }
    Some(millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_a_number_or_counts_with_units() {
        let millis = |json: &str| read(&RawValue::from_string(json.to_owned()).unwrap(), "by").ok();
        for (json, expected) in [
            ("0", 0),
            ("1500", 1_500),
            ("\"250ms\"", 250),
            ("\"90s\"", 90_000),
            ("\"1h30m\"", 5_400_000),
            ("\" 2d \"", 172_800_000),
        ] {
            assert_eq!(millis(json), Some(expected), "{json}");
        }
        for json in
            ["-1", "1.5", "null", "\"\"", "\"1\"", "\"h\"", "\"1 h\"", "\"1w\"", "\"-1h\"", "\"9999999999d\"", "\"é\""]
        {
            assert_eq!(millis(json), None, "{json}");
        }
    }
}
