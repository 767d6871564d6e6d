//! Dates in texts, as SendWithUs and strftime show them. They are in UTC unless a time zone is given: an offset such as
//! `+02:00`, or a name that the machine's own database knows, such as `Europe/Paris`.

use jiff::fmt::strtime;
use jiff::fmt::temporal::Pieces;
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, ZonedDateTime};

use crate::json::cut;
use crate::template::budget::Problem;
use crate::template::call::{CallCheck, Form, Helper, HelperCall, expected, one_of};
use crate::template::heap::Heap;
use crate::template::values::Value;

const PAGE: &str = "docs/platform/content/template-designer/handlebars-helpers";

const FORMAT: &[CallCheck] = &[
    CallCheck::Argument("date", has_whole_millis),
    CallCheck::Argument("format", is_format),
    CallCheck::Argument("timezone", is_zone),
];

pub const HELPERS: &[Helper] = &[
    Helper {
        name: "datetime-format",
        arguments: "date [format] [timezone]",
        form: Form::Value(format),
        about: "A date, which is milliseconds since 1970 or a text in ISO 8601, as the format says: strftime's `%Y-%m-%d` \
                (`%I` without a zero before it, `%p` as am and pm), or Moment's `YYYY-MM-DD`. Without a format it is in \
                ISO 8601.",
        source: PAGE,
        checks: FORMAT,
    },
    Helper {
        name: "swu_datetimeformat",
        arguments: "date [format] [timezone]",
        form: Form::Value(format),
        about: "`datetime-format` under another name.",
        source: PAGE,
        checks: FORMAT,
    },
    Helper {
        name: "swu_iso8601_to_time",
        arguments: "text",
        form: Form::Value(iso_to_time),
        about: "The milliseconds since 1970 of a date in ISO 8601.",
        source: PAGE,
        checks: &[CallCheck::Argument("text", is_iso)],
    },
    Helper {
        name: "swu_timestamp_to_time",
        arguments: "seconds",
        form: Form::Value(timestamp_to_time),
        about: "The milliseconds since 1970 of seconds since then.",
        source: PAGE,
        checks: &[CallCheck::Argument("seconds", is_timestamp)],
    },
];

/// Longest format.
const FORMAT_BYTES: usize = 1_000;
/// Longest name of a time zone.
const ZONE_BYTES: usize = 100;

/// A time that was sent.
#[derive(Clone, Copy)]
pub struct Moment {
    pub at: Timestamp,
    /// The offset that it was written with.
    pub offset: Option<Offset>,
}

/// The time that a value is: milliseconds since 1970, as a number or text, or a text in ISO 8601.
pub fn moment<'a>(value: Value<'a>, heap: &Heap<'a>) -> Result<Moment, Problem> {
    let found = match value {
        Value::Number(number) => from_millis(number),
        Value::Text(text) | Value::Markup(text) => {
            heap.budget.scanned(text.len())?;
            let text = text.trim();
            iso(text).or_else(|| from_millis(whole(text)?))
        }
        _ => None,
    };
    found.ok_or_else(|| expected("milliseconds since 1970 or a date in ISO 8601", value))
}

fn from_millis(millis: f64) -> Option<Moment> {
    // Out of range, it is cut to a value that is not a date either.
    let at = Timestamp::from_millisecond(millis as i64).ok().filter(|_| !millis.is_nan())?;
    Some(Moment { at, offset: None })
}

/// The number in a text of digits.
fn whole(text: &str) -> Option<f64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_whole = (1..=18).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_whole)
}

/// A date in ISO 8601, at midnight if there is no time, in UTC if there is no offset.
fn iso(text: &str) -> Option<Moment> {
    let pieces = Pieces::parse(text).ok()?;
    let offset = pieces.to_numeric_offset();
    let local = pieces.date().to_datetime(pieces.time().unwrap_or_default());
    let at = offset.unwrap_or(Offset::UTC).to_timestamp(local).ok()?;
    Some(Moment { at, offset })
}

/// A time zone by its offset or name.
pub fn zone(name: &str) -> Result<TimeZone, Problem> {
    let known = |name: &str| match offset(name) {
        Some(offset) => Some(offset.to_time_zone()),
        None => TimeZone::get(name).ok(),
    };
    let zone = Some(name).filter(|name| name.len() <= ZONE_BYTES).and_then(known);
    let expected = "expected an offset, or the name of a time zone that is known here";
    zone.ok_or_else(|| Problem(format!("{expected}, found {}", cut(name))))
}

fn offset(name: &str) -> Option<Offset> {
    let (sign, rest) = match name.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, name.strip_prefix('+')?),
    };
    let (hours, minutes) = match rest.split_once(':') {
        Some(parts) => parts,
        None if rest.len() == 4 => rest.split_at_checked(2)?,
        None => (rest, "0"),
    };
    let part = |digits: &str| whole(digits).filter(|part| (0.0..60.0).contains(part)).map(|part| part as i32);
    Offset::from_seconds(sign * (part(hours)? * 3600 + part(minutes)? * 60)).ok()
}

/// An argument that is a text. Undefined counts as an empty one.
fn text_of<'a>(value: Value<'a>, what: &str) -> Result<&'a str, Problem> {
    if value.is_nothing() { Ok("") } else { value.as_text().ok_or_else(|| expected(what, value)) }
}

fn format_of(value: Value<'_>) -> Result<&str, Problem> {
    match text_of(value, "a format in quotes")? {
        format if format.len() > FORMAT_BYTES => {
            Err(Problem(format!("expected a format of at most {FORMAT_BYTES} bytes, found one of {}", format.len())))
        }
        format => Ok(format),
    }
}

/// The time zone in an argument, if there is one.
fn zone_of(value: Value<'_>) -> Result<Option<TimeZone>, Problem> {
    match text_of(value, "the name of a time zone in quotes")? {
        "" => Ok(None),
        name => zone(name).map(Some),
    }
}

fn whole_millis<'a>(date: Value<'a>, heap: &Heap<'a>) -> Result<Moment, Problem> {
    match date {
        Value::Number(number) if number.fract() != 0.0 => Err(expected("whole milliseconds since 1970", date)),
        date => moment(date, heap),
    }
}

fn has_whole_millis<'a>(date: Value<'a>, heap: &Heap<'a>) -> Result<(), Problem> {
    whole_millis(date, heap).map(drop)
}

fn is_format<'a>(value: Value<'a>, _: &Heap<'a>) -> Result<(), Problem> {
    let at = Timestamp::UNIX_EPOCH.to_zoned_datetime(TimeZone::UTC);
    written(&at, format_of(value)?).map(drop)
}

fn is_zone<'a>(value: Value<'a>, _: &Heap<'a>) -> Result<(), Problem> {
    zone_of(value).map(drop)
}

fn format<'a>(call: &HelperCall<'_, 'a>) -> Result<Value<'a>, Problem> {
    let moment = whole_millis(call.arg(0), call.heap)?;
    let format = format_of(call.arg(1))?;
    let of_date = || moment.offset.map_or(TimeZone::UTC, Offset::to_time_zone);
    let zone = zone_of(call.arg(2))?.unwrap_or_else(of_date);
    match format {
        "" => call.give(&moment.at.to_string()),
        format => call.give(&written(&moment.at.to_zoned_datetime(zone), format)?),
    }
}

/// A time in a format of either kind.
fn written(at: &ZonedDateTime, format: &str) -> Result<String, Problem> {
    if format.contains('%') { by_strftime(at, format) } else { Ok(by_tokens(at, format)) }
}

/// Directives that differ in jiff's strftime, or that it leaves to the locale.
const DIRECTIVES: [(&str, &str); 8] = [
    ("I", "%-I"),
    ("p", "%P"),
    ("f", "%6f"),
    ("c", "%a %b %e %H:%M:%S %Y"),
    ("x", "%m/%d/%y"),
    ("X", "%H:%M:%S"),
    ("r", "%-I:%M:%S %P"),
    ("v", "%e-%b-%Y"),
];

fn by_strftime(at: &ZonedDateTime, format: &str) -> Result<String, Problem> {
    let (mut known, mut rest) = (String::new(), format);
    let is_known = |directive: &str| strtime::format(format!("%{directive}"), at).is_ok();
    while let Some((before, after)) = rest.split_once('%') {
        known.push_str(before);
        let is_flag = |c: char| c.is_ascii_digit() || matches!(c, '-' | '_' | '^' | '#' | ':');
        let letter = after.trim_start_matches(is_flag).chars().next();
        let flags = after.len() - after.trim_start_matches(is_flag).len();
        rest = after;
        match letter {
            Some(letter) if letter.is_ascii_alphabetic() && flags <= 4 => {
                let end = flags + letter.len_utf8();
                let directive = after.get(..end).unwrap_or_default();
                let other = DIRECTIVES.iter().find(|(name, _)| *name == directive);
                match other {
                    Some((_, other)) => known.push_str(other),
                    None if is_known(directive) => known.extend(["%", directive]),
                    None => return Err(unknown(directive, is_known)),
                }
                rest = after.get(end..).unwrap_or_default();
            }
            _ => {
                known.push_str("%%");
                rest = rest.strip_prefix('%').unwrap_or(rest);
            }
        }
    }
    known.push_str(rest);
    strtime::format(&known, at).map_err(|_| Problem(format!("expected a format of strftime's, found {}", cut(format))))
}

/// The error about a directive, with those that exist.
fn unknown(directive: &str, is_known: impl Fn(&str) -> bool) -> Problem {
    let is_own = |letter: &str| DIRECTIVES.iter().any(|(own, _)| *own == letter);
    let letters = ('A'..='Z').chain('a'..='z').map(String::from);
    let letters = letters.filter(|letter| is_own(letter) || is_known(letter));
    let known: Vec<String> = letters.map(|letter| format!("%{letter}")).collect();
    let known = one_of(&known.iter().map(String::as_str).collect::<Vec<_>>());
    Problem(format!("expected {known}, found %{directive}"))
}

/// The tokens of Moment and Day.js, the longer ones first, and their strftime equivalents.
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

fn by_tokens(at: &ZonedDateTime, format: &str) -> String {
    let (mut out, mut rest) = (String::new(), format);
    while let Some(first) = rest.chars().next() {
        // Text in brackets is not a token.
        if let Some((words, after)) = rest.strip_prefix('[').and_then(|inside| inside.split_once(']')) {
            out.push_str(words);
            rest = after;
        } else if let Some(after) = rest.strip_prefix("Do") {
            out.push_str(&ordinal(at.day()));
            rest = after;
        } else if let Some((token, strftime)) = TOKENS.iter().find(|(token, _)| rest.starts_with(token)) {
            out.push_str(&strtime::format(strftime, at).unwrap_or_default());
            rest = rest.get(token.len()..).unwrap_or_default();
        } else {
            out.push(first);
            rest = rest.get(first.len_utf8()..).unwrap_or_default();
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

fn iso_to_time<'a>(call: &HelperCall<'_, 'a>) -> Result<Value<'a>, Problem> {
    millis_of_iso(call.arg(0), call.heap).map(Value::Number)
}

fn millis_of_iso<'a>(argument: Value<'a>, heap: &Heap<'a>) -> Result<f64, Problem> {
    let text = argument.as_text().unwrap_or_default().trim();
    heap.budget.scanned(text.len())?;
    let moment = iso(text).ok_or_else(|| expected("a date in ISO 8601", argument))?;
    Ok(moment.at.as_millisecond() as f64)
}

fn is_iso<'a>(argument: Value<'a>, heap: &Heap<'a>) -> Result<(), Problem> {
    millis_of_iso(argument, heap).map(drop)
}

fn timestamp_to_time<'a>(call: &HelperCall<'_, 'a>) -> Result<Value<'a>, Problem> {
    millis_of_seconds(call.arg(0)).map(Value::Number)
}

fn millis_of_seconds(argument: Value<'_>) -> Result<f64, Problem> {
    let seconds = match argument {
        Value::Number(number) => Some(number).filter(|number| number.fract() == 0.0),
        _ => argument.as_text().and_then(|text| whole(text.trim())),
    };
    let moment = seconds.and_then(|seconds| from_millis(seconds * 1000.0));
    let moment = moment.ok_or_else(|| expected("whole seconds since 1970", argument))?;
    Ok(moment.at.as_millisecond() as f64)
}

fn is_timestamp<'a>(argument: Value<'a>, _: &Heap<'a>) -> Result<(), Problem> {
    millis_of_seconds(argument).map(drop)
}

#[cfg(test)]
mod tests {
    use crate::template::helpers::testing::{check, given};

    const DATA: &str = r#"{"data": {
        "at": "2024-03-01T14:05:00Z", "ms": "1554145200000", "secs": 1554145200, "text_secs": "1700000000",
        "summer": "2024-07-01T14:05:09.123Z", "zone": "Asia/Kolkata", "none": "", "o": {}, "late": 1e17
    }}"#;

    #[test]
    fn dates_are_shown_as_documented() {
        check(
            DATA,
            &[
                (r#"datetime-format 1554145200000 "%a, %B %d %I:%M %p""#, "Mon, April 01 7:00 pm"),
                (
                    r#"datetime-format 1554145200000 "%a, %B %d %I:%M %p" "America/Los_Angeles""#,
                    "Mon, April 01 12:00 pm",
                ),
                (r#"datetime-format "2019-04-01T12:00:00.000Z" "%a, %B %d %I:%M %p""#, "Mon, April 01 12:00 pm"),
                (
                    r#"datetime-format "2019-04-01T12:00:00.000Z" "%a, %B %d %I:%M %p" "America/Los_Angeles""#,
                    "Mon, April 01 5:00 am",
                ),
                (r#"datetime-format 1554231600000 "%a, %B %d %I:%M %p""#, "Tue, April 02 7:00 pm"),
                (r#"swu_datetimeformat 1554145200000 "%a, %B %d""#, "Mon, April 01"),
                (r#"swu_datetimeformat "2019-04-01T12:00:00.000Z" "%a, %B %d""#, "Mon, April 01"),
                (r#"swu_datetimeformat 1593031220882 "%a, %B %d""#, "Wed, June 24"),
                (r#"swu_datetimeformat "2021-05-25T08:59:59.000+0900" "%H:%M %z""#, "08:59 +0900"),
                (r#"swu_datetimeformat "2026-09-23T10:00:00-0300" "%H:%M""#, "10:00"),
                (r#"swu_datetimeformat "2026-09-23T10:00:00-03:00" "%H:%M" "UTC""#, "13:00"),
                (r#"datetime-format "2026-09-23T10:00:00Z" "%Y-%m-%d""#, "2026-09-23"),
                (r#"datetime-format 42 "%Y-%m-%d""#, "1970-01-01"),
                (r#"datetime-format -1 "%Y-%m-%d""#, "1969-12-31"),
                (r#"datetime-format 1712488800000 "%H:%M" "America/New_York""#, "07:20"),
                (r#"datetime-format (var "ms") "%Y""#, "2019"),
                (r#"datetime-format (swu_timestamp_to_time secs) "%Y""#, "2019"),
                (r#"datetime-format (swu_iso8601_to_time at) "%y""#, "24"),
            ],
        );
    }

    #[test]
    fn all_of_strftime_and_moment_is_known() {
        check(
            DATA,
            &[
                (
                    r#"datetime-format summer "%A %w %-d %b %-m %y %Y %H %I %p %M %S %f""#,
                    "Monday 1 1 Jul 7 24 2024 14 2 pm 05 09 123000",
                ),
                (r#"datetime-format summer "%z %Z %j %U %W %c""#, "+0000 UTC 183 26 27 Mon Jul  1 14:05:09 2024"),
                (
                    r#"datetime-format summer "%x %X %r %F %T %e""#,
                    "07/01/24 14:05:09 2:05:09 pm 2024-07-01 14:05:09  1",
                ),
                (r#"datetime-format summer "100% of %d%% %é %""#, "100% of 01% %é %"),
                (r#"datetime-format summer "%^a %3f""#, "MON 123"),
                (r#"datetime-format at "MMM Do, YYYY h:mm A [at]""#, "Mar 1st, 2024 2:05 PM at"),
                (r#"datetime-format "2024-02-29" "dddd""#, "Thursday"),
                (r#"datetime-format summer "HH:mm" "America/New_York""#, "10:05"),
                (r#"datetime-format summer "HH:mm Z" "Europe/Paris""#, "16:05 +02:00"),
                (r#"swu_datetimeformat summer "%H:%M %Z" zone"#, "19:35 IST"),
                (r#"datetime-format summer "HH:mm" none"#, "14:05"),
                (r#"datetime-format summer "HH:mm" nobody"#, "14:05"),
                (r#"datetime-format summer "HH" "America/New_York""#, "10"),
                (r#"datetime-format summer "HH" timezone="America/New_York" format="mm""#, "14"),
                (r#"datetime-format summer "HH:mm" "-03:30""#, "10:35"),
                (r#"datetime-format summer "HH:mm" "+0230""#, "16:35"),
                (r#"datetime-format summer "HH:mm ZZ" "+5""#, "19:05 +0500"),
                ("datetime-format 1554145200000", "2019-04-01T19:00:00Z"),
            ],
        );
    }

    #[test]
    fn times_become_numbers() {
        check(
            DATA,
            &[
                (r#"swu_iso8601_to_time "2019-04-01T12:00:00.000Z""#, "1554120000000"),
                (r#"swu_iso8601_to_time "2020-06-24T19:17:47.010Z""#, "1593026267010"),
                (r#"swu_iso8601_to_time "2026-09-23T10:00:00Z""#, "1790157600000"),
                (r#"swu_iso8601_to_time "2026-09-23T10:00:00""#, "1790157600000"),
                (r#"swu_iso8601_to_time "2024-03-01T14:05:00+02:00""#, "1709294700000"),
                ("swu_timestamp_to_time 1554145200", "1554145200000"),
                ("swu_timestamp_to_time 42", "42000"),
                (r#"swu_timestamp_to_time (var "text_secs")"#, "1700000000000"),
            ],
        );
        assert_eq!(given(DATA, "swu_timestamp_to_time 42").as_deref(), Ok("Number(42000.0)"));
        assert_eq!(given(DATA, r#"swu_iso8601_to_time "1970-01-01""#).as_deref(), Ok("Number(0.0)"));
    }

    #[test]
    fn what_is_no_date_is_refused() {
        const DATE: &str = "!expected milliseconds since 1970 or a date in ISO 8601, found";
        check(
            DATA,
            &[
                (r#"datetime-format "soon" "%Y""#, &format!("{DATE} the text \"soon\"")),
                (r#"datetime-format "2024-13-01" "%Y""#, &format!("{DATE} the text \"2024-13-01\"")),
                (r#"datetime-format nobody "%Y""#, &format!("{DATE} nothing")),
                (r#"datetime-format o "%Y""#, &format!("{DATE} an object")),
                (r#"datetime-format true "%Y""#, &format!("{DATE} true")),
                (r#"datetime-format late "%Y""#, &format!("{DATE} the number 100000000000000000")),
                (r#"datetime-format 1.5 "%Y""#, "!expected whole milliseconds since 1970, found the number 1.5"),
                ("datetime-format 1 2", "!expected a format in quotes, found the number 2"),
                (r#"datetime-format 1 "%Y" 2"#, "!expected the name of a time zone in quotes, found the number 2"),
                (
                    r#"datetime-format 1 "HH" "Mars/Base""#,
                    "!expected an offset, or the name of a time zone that is known here, found \"Mars/Base\"",
                ),
                (
                    r#"datetime-format 1 "HH" "+99:00""#,
                    "!expected an offset, or the name of a time zone that is known here, found \"+99:00\"",
                ),
                (
                    r#"datetime-format 1 "HH" "+1:é""#,
                    "!expected an offset, or the name of a time zone that is known here, found \"+1:é\"",
                ),
                (
                    r#"datetime-format 1 "%E""#,
                    "!expected one of %A, %B, %C, %D, %F, %G, %H, %I, %M, %N, %P, %Q, %R, %S, %T, %U, %V, %W, %X, %Y, %Z, %a, %b, %c, %d, %e, %f, %g, %h, %j, %k, %l, %m, %n, %p, %q, %r, %s, %t, %u, %v, %w, %x, %y and %z, found %E",
                ),
                (
                    &format!("datetime-format 1 {:?}", "%Y".repeat(501)),
                    "!expected a format of at most 1000 bytes, found one of 1002",
                ),
                (r#"swu_iso8601_to_time "soon""#, "!expected a date in ISO 8601, found the text \"soon\""),
                ("swu_iso8601_to_time 1", "!expected a date in ISO 8601, found the number 1"),
                ("swu_timestamp_to_time 1.5", "!expected whole seconds since 1970, found the number 1.5"),
                (r#"swu_timestamp_to_time "1.5""#, "!expected whole seconds since 1970, found the text \"1.5\""),
                ("swu_timestamp_to_time 1e300", "!expected whole seconds since 1970, found the number 1e+300"),
            ],
        );
    }
}
