//! Dates in texts. They are shown in UTC, unless a time zone is given: an offset such as `+02:00`, or a name that the
//! machine's own database knows, such as `Europe/Paris`.

use jiff::civil::{Date, DateTime};
use jiff::fmt::strtime;
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, ZonedDateTime};
use serde_json::Value;

use crate::error::shown;

/// Longest format that is looked at.
const FORMAT_LIMIT: usize = 1_000;
/// Numbers above are milliseconds since 1970, those below seconds.
const SECONDS_LIMIT: f64 = 1e11;

/// A time as text in ISO 8601; null if it is none.
pub fn read(value: &Value) -> Value {
    moment(value, TimeZone::UTC).map_or(Value::Null, |it| Value::from(it.timestamp().to_string()))
}

/// A time in a format of either `%Y-%m-%d` or `YYYY-MM-DD`; what is no time stays as it is. Fails if the zone is not
/// known.
pub fn format(value: &Value, format: &str, zone: &str) -> Result<Value, String> {
    let Some(moment) = moment(value, self::zone(zone)?) else { return Ok(value.clone()) };
    if format.is_empty() || format.len() > FORMAT_LIMIT {
        return Ok(Value::from(moment.timestamp().to_string()));
    }
    if format.contains('%') {
        return Ok(strtime::format(format, &moment).map_or(Value::Null, Value::from));
    }
    Ok(Value::from(by_tokens(&moment, format)))
}

fn moment(value: &Value, zone: TimeZone) -> Option<ZonedDateTime> {
    let timestamp = match value {
        Value::Number(number) => from_number(number.as_f64()?)?,
        Value::String(text) => {
            let text = text.trim();
            let civil = || text.parse::<DateTime>().ok().or_else(|| Some(text.parse::<Date>().ok()?.at(0, 0, 0, 0)));
            let zoned = || civil()?.to_zoned_datetime(TimeZone::UTC).ok().map(|it| it.timestamp());
            let timestamp = text.parse::<Timestamp>().ok().or_else(zoned);
            timestamp.or_else(|| from_number(text.parse().ok()?))?
        }
        _ => return None,
    };
    Some(timestamp.to_zoned_datetime(zone))
}

fn from_number(number: f64) -> Option<Timestamp> {
    let millis = if number.abs() < SECONDS_LIMIT { number * 1000.0 } else { number };
    Timestamp::from_millisecond(millis as i64).ok()
}

/// A time zone by its offset or name; nothing is UTC.
pub fn zone(name: &str) -> Result<TimeZone, String> {
    if name.is_empty() {
        return Ok(TimeZone::UTC);
    }
    let offset = || {
        let (sign, rest) = match name.strip_prefix('-') {
            Some(rest) => (-1, rest),
            None => (1, name.strip_prefix('+')?),
        };
        let (hours, minutes) = rest.split_once(':').unwrap_or((rest, "0"));
        let seconds =
            hours.parse::<i32>().ok()?.checked_mul(3600)?.checked_add(minutes.parse::<i32>().ok()?.checked_mul(60)?)?;
        Offset::from_seconds(sign * seconds).ok()
    };
    let zone = offset().map(Offset::to_time_zone).or_else(|| TimeZone::get(name).ok());
    zone.ok_or_else(|| format!("'{}' is no time zone that is known here", shown(name)))
}

/// The tokens of Moment and Day.js, the longer ones first, and what they are in strftime.
const TOKENS: [(&str, &str); 28] = [
    ("LLLL", "%A, %B %-d, %Y %-I:%M %p"),
    ("LLL", "%B %-d, %Y %-I:%M %p"),
    ("LL", "%B %-d, %Y"),
    ("LT", "%-I:%M %p"),
    ("L", "%m/%d/%Y"),
    ("YYYY", "%Y"),
    ("YY", "%y"),
    ("MMMM", "%B"),
    ("MMM", "%b"),
    ("MM", "%m"),
    ("M", "%-m"),
    ("DD", "%d"),
    ("D", "%-d"),
    ("dddd", "%A"),
    ("ddd", "%a"),
    ("HH", "%H"),
    ("H", "%-H"),
    ("hh", "%I"),
    ("h", "%-I"),
    ("mm", "%M"),
    ("m", "%-M"),
    ("ss", "%S"),
    ("s", "%-S"),
    ("SSS", "%3f"),
    ("A", "%p"),
    ("a", "%P"),
    ("ZZ", "%z"),
    ("Z", "%:z"),
];

fn by_tokens(moment: &ZonedDateTime, format: &str) -> String {
    let mut out = String::new();
    let mut rest = format;
    while let Some(first) = rest.chars().next() {
        // What stands in brackets is no token.
        if let Some((words, after)) = rest.strip_prefix('[').and_then(|inside| inside.split_once(']')) {
            out.push_str(words);
            rest = after;
            continue;
        }
        let token = match rest.strip_prefix("Do") {
            Some(after) => Some((ordinal(moment.day()), after)),
            None => TOKENS.iter().find_map(|(token, strftime)| {
                let after = rest.strip_prefix(token)?;
                Some((strtime::format(strftime, moment).unwrap_or_default(), after))
            }),
        };
        match token {
            Some((words, after)) => {
                out.push_str(&words);
                rest = after;
            }
            None => {
                out.push(first);
                rest = rest.get(first.len_utf8()..).unwrap_or_default();
            }
        }
    }
    out
}

fn ordinal(day: i8) -> String {
    let ending = match (day % 10, day / 10) {
        (1, 0 | 2 | 3) => "st",
        (2, 0 | 2) => "nd",
        (3, 0 | 2) => "rd",
        _ => "th",
    };
    format!("{day}{ending}")
}
