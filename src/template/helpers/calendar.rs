//! Dates, times and times from now as languages write them: ECMA-402's `Intl.DateTimeFormat`, and the words that
//! `IntlRelativeFormat` chooses.

use icu_plurals::PluralRuleType::Cardinal;
use jiff::ZonedDateTime;
use jiff::tz::TimeZone;

use super::dates;
use super::locale::{DatePattern, Joint, Locale, TimePattern, UNITS, category};
use super::numerals::NumberFormat;
use super::options::{FormatOptions, Language};
use crate::template::budget::Problem;
use crate::template::call::expected;
use crate::template::values::Value;

/// How a part of a date is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Width {
    Numeric,
    TwoDigits,
    Long,
    Short,
    Narrow,
}

/// A way to write dates and times.
pub struct DateFormat {
    weekday: Option<Width>,
    year: Option<Width>,
    month: Option<Width>,
    day: Option<Width>,
    hour: Option<Width>,
    minute: Option<Width>,
    second: Option<Width>,
    zone_name: Option<Width>,
    has_12_hours: Option<bool>,
    /// Of the date and of the time: full, long, medium or short.
    lengths: [Option<usize>; 2],
    zone: TimeZone,
}

const LENGTHS: [&str; 4] = ["short", "medium", "long", "full"];

impl DateFormat {
    pub fn of(options: &FormatOptions<'_, '_>) -> Result<Self, Problem> {
        let number = |name| width(options, name, &[Width::Numeric, Width::TwoDigits]);
        let name = |name| width(options, name, &[Width::Long, Width::Short, Width::Narrow]);
        let all = [Width::Numeric, Width::TwoDigits, Width::Long, Width::Short, Width::Narrow];
        let mut format = DateFormat {
            weekday: name("weekday")?,
            year: number("year")?,
            month: width(options, "month", &all)?,
            day: number("day")?,
            hour: number("hour")?,
            minute: number("minute")?,
            second: number("second")?,
            zone_name: width(options, "timeZoneName", &[Width::Short, Width::Long])?,
            has_12_hours: hours(options)?,
            lengths: [options.word("dateStyle", &LENGTHS)?, options.word("timeStyle", &LENGTHS)?],
            zone: zone(options)?,
        };
        let has_time = format.hour.or(format.minute).or(format.second).is_some();
        if !format.has_date() && !has_time && format.lengths == [None; 2] {
            [format.year, format.month, format.day] = [Some(Width::Numeric); 3];
        }
        Ok(format)
    }

    fn has_date(&self) -> bool {
        self.weekday.or(self.year).or(self.month).or(self.day).is_some()
    }

    pub fn write(&self, moment: dates::Moment, locale: &Locale, out: &mut String) {
        let at = moment.at.to_zoned_datetime(self.zone.clone());
        let (date, joint) = match self.lengths {
            [Some(length), _] => {
                (locale.dates.date_pattern(DatePattern::of_length(length)).into(), Joint::of_length(length))
            }
            [None, Some(_)] => (String::new(), 0),
            [None, None] => self.date(locale),
        };
        let time = self.time(locale);
        let joint = if date.is_empty() || time.is_empty() { "10" } else { locale.dates.joint(joint) };
        let writer = DateWriter { format: self, at: &at, locale };
        writer.write(joint, [&time, &date], out);
    }

    /// The pattern of the date, and how it stands by a time.
    fn date(&self, locale: &Locale) -> (String, usize) {
        let (has_year, has_day, has_weekday) = (self.year.is_some(), self.day.is_some(), self.weekday.is_some());
        if let Some(month) = self.month {
            let way = match month {
                Width::Numeric | Width::TwoDigits => 0,
                Width::Short | Width::Narrow => 1,
                Width::Long => 2,
            };
            let place = DatePattern::with_month(way, has_year, has_day, has_weekday);
            let joint = if way == 2 && has_weekday { Joint::WEEKDAY_AND_LONG } else { Joint::of_month(way) };
            return (locale.dates.date_pattern(place).into(), joint);
        }
        match (has_year, has_day, has_weekday) {
            (false, false, true) => (locale.dates.date_pattern(DatePattern::WEEKDAY).into(), Joint::WEEKDAY),
            (false, true, true) => (locale.dates.date_pattern(DatePattern::WEEKDAY_AND_DAY).into(), Joint::of_month(0)),
            _ => {
                let parts =
                    [(has_day, DatePattern::DAY), (has_year, DatePattern::YEAR), (has_weekday, DatePattern::WEEKDAY)];
                let parts =
                    parts.iter().filter(|(is_there, _)| *is_there).map(|(_, place)| locale.dates.date_pattern(*place));
                (parts.collect::<Vec<_>>().join(" "), Joint::of_month(0))
            }
        }
    }

    fn time(&self, locale: &Locale) -> String {
        let has_12_hours = self.has_12_hours.unwrap_or(locale.dates.has_12_hours);
        let of_hours = |shape| locale.dates.time_pattern(TimePattern::with_hour(has_12_hours, shape));
        let is_usual = has_12_hours == locale.dates.has_12_hours;
        let time = match (self.lengths, self.hour, self.minute, self.second) {
            ([_, Some(0)], ..) => of_hours(1),
            ([_, Some(2)], ..) if is_usual => locale.dates.time_pattern(TimePattern::LONG),
            ([_, Some(3)], ..) if is_usual => locale.dates.time_pattern(TimePattern::FULL),
            ([_, Some(2 | 3)], ..) => return with_zone(of_hours(2), locale),
            ([_, Some(_)], ..) | (_, Some(_), _, Some(_)) => of_hours(2),
            ([Some(_), None], ..) => "",
            (_, Some(_), Some(_), None) => of_hours(1),
            (_, Some(_), None, None) => of_hours(0),
            (_, None, Some(_), Some(_)) => locale.dates.time_pattern(TimePattern::MINUTE_AND_SECOND),
            (_, None, Some(_), None) => "m",
            (_, None, None, Some(_)) => "s",
            (_, None, None, None) => "",
        };
        match (self.zone_name, self.lengths) {
            (Some(_), [None, None]) if time.is_empty() => "z".into(),
            (Some(_), [None, None]) => with_zone(time, locale),
            _ => time.into(),
        }
    }
}

fn with_zone(time: &str, locale: &Locale) -> String {
    match locale.dates.time_pattern(TimePattern::WITH_ZONE).starts_with('z') {
        true => format!("z {time}"),
        false => format!("{time} z"),
    }
}

fn width(options: &FormatOptions<'_, '_>, name: &str, allowed: &[Width]) -> Result<Option<Width>, Problem> {
    let word = |width: &Width| match width {
        Width::Numeric => "numeric",
        Width::TwoDigits => "2-digit",
        Width::Long => "long",
        Width::Short => "short",
        Width::Narrow => "narrow",
    };
    let words: Vec<&str> = allowed.iter().map(word).collect();
    Ok(options.word(name, &words)?.and_then(|place| allowed.get(place).copied()))
}

fn hours(options: &FormatOptions<'_, '_>) -> Result<Option<bool>, Problem> {
    match options.get("hour12")? {
        Value::Undefined => {}
        value => return Ok(Some(value.is_truthy() && value.as_text() != Some("false"))),
    }
    Ok(options.word("hourCycle", &["h11", "h12", "h23", "h24"])?.map(|place| place < 2))
}

fn zone(options: &FormatOptions<'_, '_>) -> Result<TimeZone, Problem> {
    match options.get("timeZone")? {
        value if value.is_nothing() || value.as_text() == Some("") => Ok(TimeZone::UTC),
        value => dates::zone(value.as_text().ok_or_else(|| expected("the name of a time zone in quotes", value))?),
    }
}

struct DateWriter<'w> {
    format: &'w DateFormat,
    at: &'w ZonedDateTime,
    locale: &'w Locale,
}

impl DateWriter<'_> {
    /// Writes a pattern as CLDR has them. Digits in it stand for other patterns.
    fn write(&self, pattern: &str, parts: [&str; 2], out: &mut String) {
        let mut rest = pattern;
        while let Some(first) = rest.chars().next() {
            let run = rest.len() - rest.trim_start_matches(first).len();
            let (here, after) = rest.split_at_checked(run).unwrap_or((rest, ""));
            rest = after;
            match first {
                '0' => self.write(parts[0], ["", ""], out),
                '1' => self.write(parts[1], ["", ""], out),
                '\'' => {
                    let (quoted, after) = rest.split_once('\'').unwrap_or((rest, ""));
                    out.push_str(quoted);
                    rest = after;
                }
                letter if letter.is_ascii_alphabetic() => self.write_field(letter, run, out),
                _ => out.push_str(here),
            }
        }
    }

    fn write_field(&self, letter: char, run: usize, out: &mut String) {
        let (at, format) = (self.at, self.format);
        match letter {
            'y' if run == 2 || format.year == Some(Width::TwoDigits) => {
                number(at.year().rem_euclid(100).into(), 2, out)
            }
            'y' => number(at.year().into(), 1, out),
            'M' if run < 3 => padded(at.month().into(), run, format.month, out),
            'M' | 'L' => {
                let place = usize::try_from(at.month() - 1).unwrap_or_default();
                self.write_name(self.locale.dates.month(place, run > 3, letter == 'L'), format.month, out);
            }
            'd' => padded(at.day().into(), run, format.day, out),
            'E' | 'c' => {
                let place = usize::try_from(at.weekday().to_sunday_zero_offset()).unwrap_or_default();
                let is_long = format.weekday.map_or(run > 3, |width| width == Width::Long);
                self.write_name(self.locale.dates.weekday(place, is_long, letter == 'c'), format.weekday, out);
            }
            'H' => padded(at.hour().into(), run, format.hour, out),
            'K' => padded((at.hour() % 12).into(), run, format.hour, out),
            'h' => padded(((at.hour() + 11) % 12 + 1).into(), run, format.hour, out),
            'm' => number(at.minute().into(), run, out),
            's' => number(at.second().into(), run, out),
            'a' => out.push_str(self.locale.dates.day_periods[usize::from(at.hour() >= 12)]),
            'z' => self.write_zone(out),
            _ => {}
        }
    }

    fn write_name(&self, name: &str, width: Option<Width>, out: &mut String) {
        match name.chars().next().filter(|_| width == Some(Width::Narrow)) {
            Some(first) => out.extend(first.to_uppercase()),
            None => out.push_str(name),
        }
    }

    fn write_zone(&self, out: &mut String) {
        let zone = self.at.time_zone();
        let is_long = self.format.zone_name == Some(Width::Long) || self.format.lengths[1] == Some(3);
        let info = zone.to_offset_info(self.at.timestamp());
        if info.abbreviation() == "UTC" {
            return out.push_str(if is_long { self.locale.dates.utc } else { "UTC" });
        }
        // The same abbreviations are others' names elsewhere.
        let area = zone.iana_name().and_then(|name| name.split('/').next()).unwrap_or_default();
        let is_known = ["America", "US", "Canada", "Pacific", "Europe"].contains(&area)
            || matches!(info.abbreviation(), "JST" | "KST");
        match self.locale.dates.zone(info.abbreviation()).filter(|_| is_known && !is_long) {
            Some(name) => out.push_str(name),
            None => self.write_offset(is_long, out),
        }
    }

    fn write_offset(&self, is_long: bool, out: &mut String) {
        let minutes = self.at.offset().seconds() / 60;
        let [prefix, minus, between, none] = self.locale.dates.gmt;
        if minutes == 0 {
            return out.push_str(none);
        }
        out.push_str(prefix);
        out.push_str(if minutes < 0 { minus } else { "+" });
        let (hours, minutes) = (minutes.abs() / 60, minutes.abs() % 60);
        number(hours.into(), if is_long { 2 } else { 1 }, out);
        if is_long || minutes != 0 {
            out.push_str(between);
            number(minutes.into(), 2, out);
        }
    }
}

fn padded(value: i64, run: usize, width: Option<Width>, out: &mut String) {
    number(value, if width == Some(Width::TwoDigits) { 2 } else { run }, out);
}

fn number(value: i64, digits: usize, out: &mut String) {
    let value = value.to_string();
    out.extend(std::iter::repeat_n('0', digits.saturating_sub(value.len())));
    out.push_str(&value);
}

/// How far a time is from another, as words: `in 3 days`.
pub struct RelativeFormat {
    is_numeric: bool,
    unit: Option<usize>,
}

/// Fewer than so many of a unit are written in that unit.
const THRESHOLDS: [i64; 5] = [45, 45, 22, 26, 11];

impl RelativeFormat {
    pub fn of(options: &FormatOptions<'_, '_>) -> Result<Self, Problem> {
        Ok(RelativeFormat {
            is_numeric: options.word("style", &["best fit", "numeric"])? == Some(1),
            unit: options.word("units", &UNITS)?,
        })
    }

    /// Writes how far a time is ahead, in milliseconds.
    pub fn write(&self, ahead: i64, language: &Language<'_>, out: &mut String) {
        let counts = counts(ahead);
        let best = || counts.iter().zip(THRESHOLDS).position(|(count, threshold)| count.abs() < threshold);
        let unit = self.unit.or_else(best).unwrap_or(UNITS.len() - 1);
        let count = counts.get(unit).copied().unwrap_or_default();
        if let Some(word) = language.locale.relative.word(unit, count).filter(|_| !self.is_numeric) {
            return out.push_str(word);
        }
        let number = count.unsigned_abs() as f64;
        let form = language.locale.relative.form(unit, count < 0, category(language.tag, number, Cardinal));
        for (place, words) in form.split('#').enumerate() {
            if place > 0 {
                NumberFormat::PLAIN.write(number, language.locale, out);
            }
            out.push_str(words);
        }
    }
}

/// Milliseconds in each of the units, rounded one after the other.
fn counts(millis: i64) -> [i64; 6] {
    let rounded = |count: i64, size: i64| (count as f64 / size as f64 + 0.5).floor() as i64;
    let seconds = rounded(millis, 1000);
    let minutes = rounded(seconds, 60);
    let hours = rounded(minutes, 60);
    let days = rounded(hours, 24);
    // 400 years have 146097 days.
    let years = days as f64 * 400.0 / 146_097.0;
    [seconds, minutes, hours, days, (years * 12.0 + 0.5).floor() as i64, (years + 0.5).floor() as i64]
}
