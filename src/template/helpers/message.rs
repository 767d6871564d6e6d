//! Messages with arguments: ICU's MessageFormat, as far as intl-messageformat supports it, with both ways to write
//! literal braces: behind a backslash and between apostrophes.
//! <https://formatjs.github.io/docs/core-concepts/icu-syntax>

use std::collections::{HashMap, HashSet};

use icu_plurals::PluralRuleType;

use super::calendar::DateFormat;
use super::dates::moment;
use super::locale::category;
use super::numerals::NumberFormat;
use super::options::{FormatOptions, Language};
use crate::error::shown;
use crate::template::budget::{Problem, TEXT_BYTES};
use crate::template::call::{HelperCall, KnownArguments};
use crate::template::escape::escape_html;
use crate::template::heap::Heap;
use crate::template::values::Value;

/// The most nested messages.
const DEPTH: usize = 20;

/// What a message consists of.
enum MessagePart<'a> {
    Words(String),
    /// `#`: the number that is counted.
    Count,
    Plain(&'a str),
    Styled(&'a str, FormatKind, &'a str),
    Choice(Choice<'a>),
}

#[derive(Clone, Copy)]
enum FormatKind {
    Number,
    Date,
    Time,
}

/// An argument that chooses between messages.
struct Choice<'a> {
    name: &'a str,
    /// How it is counted, if it is a number.
    rule: Option<PluralRuleType>,
    offset: f64,
    options: Vec<(Key<'a>, Vec<MessagePart<'a>>)>,
}

enum Key<'a> {
    Exactly(f64),
    Word(&'a str),
}

/// Options with their names.
type Named<'a> = Vec<(&'a str, Value<'a>)>;

/// Writes a message with the arguments of a call.
pub fn format<'a>(message: &'a str, is_html: bool, call: &HelperCall<'_, 'a>) -> Result<String, Problem> {
    let parts = read(message, call.heap)?;
    // As many are looked up as the message names, each a few times.
    let named: HashMap<&str, Value<'a>> = call.named.iter().rev().copied().collect();
    let mut writer = MessageWriter { call, named, language: Language::of(call)?, is_html, out: String::new() };
    writer.message(&parts, None)?;
    Ok(writer.out)
}

fn read<'a>(message: &'a str, heap: &Heap<'a>) -> Result<Vec<MessagePart<'a>>, Problem> {
    heap.budget.bytes(message.len())?;
    let mut reader = Reader { rest: message, heap };
    let parts = reader.message(0, false)?;
    if reader.rest.is_empty() { Ok(parts) } else { Err(reader.expected("a '{' before the '}'")) }
}

/// Whether a message can be written: it can be parsed, its required arguments are there, and its options are valid.
pub fn check<'a>(message: &'a str, known: &KnownArguments<'_, 'a>) -> Result<(), Problem> {
    let parts = read(message, known.heap)?;
    let named: HashSet<&str> = known.named.iter().map(|(name, _)| *name).collect();
    parts.iter().filter_map(MessagePart::name).try_for_each(|name| match named.contains(name) {
        true => Ok(()),
        false => Err(no_value(name)),
    })?;
    parts.iter().try_for_each(|part| part.check(known.heap))
}

fn no_value(name: &str) -> Problem {
    Problem(format!("expected a value for '{}' of the message", shown(name)))
}

impl<'a> MessagePart<'a> {
    /// The argument that it is made from.
    fn name(&self) -> Option<&'a str> {
        match self {
            MessagePart::Words(_) | MessagePart::Count => None,
            MessagePart::Plain(name) | MessagePart::Styled(name, ..) => Some(name),
            MessagePart::Choice(choice) => Some(choice.name),
        }
    }

    /// Whether its options are valid.
    fn check(&self, heap: &Heap<'a>) -> Result<(), Problem> {
        match self {
            MessagePart::Words(_) | MessagePart::Count | MessagePart::Plain(_) => Ok(()),
            MessagePart::Styled(_, kind, style) => {
                let Some(named) = written_out(*kind, style)? else { return Ok(()) };
                let options = FormatOptions::plain(&named, heap);
                match kind {
                    FormatKind::Number => NumberFormat::of(&options).map(drop),
                    FormatKind::Date | FormatKind::Time => DateFormat::of(&options).map(drop),
                }
            }
            MessagePart::Choice(choice) => {
                choice.options.iter().flat_map(|(_, message)| message).try_for_each(|part| part.check(heap))
            }
        }
    }
}

/// The options of a style that is written out.
fn written_out(kind: FormatKind, style: &str) -> Result<Option<Named<'_>>, Problem> {
    match (style.strip_prefix("::"), kind) {
        (Some(skeleton), FormatKind::Number) => number_skeleton(skeleton).map(Some),
        (Some(skeleton), FormatKind::Date | FormatKind::Time) => date_skeleton(skeleton).map(Some),
        (None, _) if style.contains('=') => pairs(style).map(Some),
        (None, _) => Ok(None),
    }
}

struct Reader<'r, 'a> {
    rest: &'a str,
    heap: &'r Heap<'a>,
}

impl<'a> Reader<'_, 'a> {
    fn expected(&self, what: &str) -> Problem {
        match self.rest {
            "" => Problem(format!("expected {what} in the message, found its end")),
            rest => Problem(format!("expected {what} in the message, found '{}'", shown(rest))),
        }
    }

    fn space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn takes(&mut self, prefix: &str) -> bool {
        self.space();
        let rest = self.rest.strip_prefix(prefix);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn take(&mut self, prefix: &str) -> Result<(), Problem> {
        if self.takes(prefix) { Ok(()) } else { Err(self.expected(&format!("a '{prefix}'"))) }
    }

    fn word(&mut self, what: &str) -> Result<&'a str, Problem> {
        self.space();
        let is_end = |c: char| c.is_whitespace() || matches!(c, ',' | '.' | '+' | '=' | '{' | '}' | '#');
        let end = self.rest.find(is_end).unwrap_or(self.rest.len());
        match self.rest.split_at_checked(end) {
            Some((word, rest)) if !word.is_empty() => {
                self.rest = rest;
                Ok(word)
            }
            _ => Err(self.expected(what)),
        }
    }

    /// Everything up to a closing brace, or to the end.
    fn message(&mut self, depth: usize, is_counted: bool) -> Result<Vec<MessagePart<'a>>, Problem> {
        if depth > DEPTH {
            return Err(Problem(format!("the messages in the message are nested deeper than {DEPTH} levels")));
        }
        let (mut parts, mut words) = (Vec::new(), String::new());
        while let Some(first) = self.rest.chars().next().filter(|first| *first != '}') {
            let part = match first {
                '{' => Some(self.argument(depth)?),
                '#' if is_counted => {
                    self.rest = self.rest.strip_prefix('#').unwrap_or_default();
                    Some(MessagePart::Count)
                }
                _ => None,
            };
            match part {
                Some(part) => {
                    self.heap.budget.bytes(size_of::<MessagePart<'_>>())?;
                    parts.extend([MessagePart::Words(std::mem::take(&mut words)), part]);
                }
                None => self.words(is_counted, &mut words),
            }
        }
        parts.push(MessagePart::Words(words));
        Ok(parts)
    }

    /// Words up to what may be something else, with escapes or quotes at their beginning.
    fn words(&mut self, is_counted: bool, words: &mut String) {
        let is_special = |c: char| matches!(c, '{' | '}') || c == '#' && is_counted;
        let rest = self.rest;
        let mut after = rest.chars();
        let (first, second) = (after.next(), after.clone().next());
        match (first, second) {
            (Some('\\'), Some(c @ ('{' | '}' | '#' | '\\'))) => {
                words.push(c);
                after.next();
                self.rest = after.as_str();
            }
            (Some('\\'), Some('u')) if unicode(rest).is_some() => {
                words.extend(unicode(rest));
                self.rest = rest.get(6..).unwrap_or_default();
            }
            (Some('\''), Some('\'')) => {
                words.push('\'');
                after.next();
                self.rest = after.as_str();
            }
            (Some('\''), Some(c)) if is_special(c) => self.quoted(words),
            (Some(first), _) => {
                words.push(first);
                let rest = after.as_str();
                let end = rest.find(['{', '}', '#', '\\', '\'']).unwrap_or(rest.len());
                let (plain, rest) = rest.split_at_checked(end).unwrap_or((rest, ""));
                words.push_str(plain);
                self.rest = rest;
            }
            (None, _) => {}
        }
    }

    /// The text between apostrophes. Two apostrophes stand for one.
    fn quoted(&mut self, words: &mut String) {
        let mut rest = self.rest.strip_prefix('\'').unwrap_or_default();
        loop {
            let (quoted, after) = rest.split_once('\'').unwrap_or((rest, ""));
            words.push_str(quoted);
            match after.strip_prefix('\'') {
                Some(more) => {
                    words.push('\'');
                    rest = more;
                }
                None => {
                    self.rest = after;
                    return;
                }
            }
        }
    }

    fn argument(&mut self, depth: usize) -> Result<MessagePart<'a>, Problem> {
        self.take("{")?;
        let name = self.word("the name of an argument")?;
        if self.takes("}") {
            return Ok(MessagePart::Plain(name));
        }
        self.take(",")?;
        let rest = self.rest;
        let kind = match self.word("a type of argument")? {
            "number" => FormatKind::Number,
            "date" => FormatKind::Date,
            "time" => FormatKind::Time,
            "select" => return self.choice(name, None, depth),
            "plural" => return self.choice(name, Some(PluralRuleType::Cardinal), depth),
            "selectordinal" => return self.choice(name, Some(PluralRuleType::Ordinal), depth),
            _ => {
                self.rest = rest.trim_start();
                return Err(self.expected("number, date, time, plural, selectordinal or select"));
            }
        };
        let style = if self.takes(",") { self.style()? } else { "" };
        self.take("}")?;
        Ok(MessagePart::Styled(name, kind, style))
    }

    fn style(&mut self) -> Result<&'a str, Problem> {
        self.space();
        let end = self.rest.find(['{', '}']).unwrap_or(self.rest.len());
        let (style, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
        if style.trim().is_empty() {
            return Err(self.expected("a style"));
        }
        self.rest = rest;
        Ok(style.trim())
    }

    fn choice(
        &mut self,
        name: &'a str,
        rule: Option<PluralRuleType>,
        depth: usize,
    ) -> Result<MessagePart<'a>, Problem> {
        self.take(",")?;
        let mut choice = Choice { name, rule, offset: 0.0, options: Vec::new() };
        if rule.is_some() && self.takes("offset:") {
            choice.offset = self.number("offset:")?;
        }
        while !self.takes("}") {
            let key = self.key(rule.is_some())?;
            self.take("{")?;
            let message = self.message(depth + 1, rule.is_some())?;
            self.take("}")?;
            self.heap.budget.bytes(size_of::<(Key<'_>, Vec<MessagePart<'_>>)>())?;
            choice.options.push((key, message));
        }
        if choice.options.is_empty() {
            return Err(Problem(format!("expected options for '{}' in the message, found none", shown(name))));
        }
        Ok(MessagePart::Choice(choice))
    }

    fn key(&mut self, is_counted: bool) -> Result<Key<'a>, Problem> {
        if is_counted && self.takes("=") {
            return self.number("=").map(Key::Exactly);
        }
        self.word("an option, or a '}'").map(Key::Word)
    }

    /// The number behind a sign that was read.
    fn number(&mut self, sign: &str) -> Result<f64, Problem> {
        let what = format!("a number behind '{sign}'");
        let word = self.word(&what)?;
        word.parse().map_err(|_| Problem(format!("expected {what} in the message, found '{}'", shown(word))))
    }
}

/// The character that `\\u` and four digits stand for.
fn unicode(text: &str) -> Option<char> {
    let digits = text.get(2..6).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    char::from_u32(u32::from_str_radix(digits, 16).ok()?)
}

struct MessageWriter<'w, 'c, 'a> {
    call: &'w HelperCall<'c, 'a>,
    named: HashMap<&'w str, Value<'a>>,
    language: Language<'a>,
    is_html: bool,
    out: String,
}

impl<'a> MessageWriter<'_, '_, 'a> {
    fn message(&mut self, parts: &[MessagePart<'a>], count: Option<f64>) -> Result<(), Problem> {
        for part in parts {
            let start = self.out.len();
            match part {
                MessagePart::Words(words) => self.out.push_str(words),
                MessagePart::Count => {
                    NumberFormat::PLAIN.write(count.unwrap_or(f64::NAN), self.language.locale, &mut self.out)
                }
                MessagePart::Plain(name) => self.plain(name)?,
                MessagePart::Styled(name, kind, style) => self.styled(name, *kind, style)?,
                // What it writes is counted there.
                MessagePart::Choice(choice) => {
                    self.choice(choice)?;
                    continue;
                }
            }
            self.call.heap.budget.bytes(self.out.len() - start)?;
            if self.out.len() > TEXT_BYTES {
                return Err(Problem::too_long());
            }
        }
        Ok(())
    }

    fn value(&self, name: &str) -> Result<Value<'a>, Problem> {
        self.named.get(name).copied().ok_or_else(|| no_value(name))
    }

    fn plain(&mut self, name: &str) -> Result<(), Problem> {
        let value = self.value(name)?;
        let start = self.out.len();
        if !matches!(value, Value::Bool(false)) {
            value.print(self.call.heap, &mut self.out)?;
        }
        if self.is_html && !matches!(value, Value::Markup(_)) {
            escape_html(&mut self.out, start);
        }
        Ok(())
    }

    fn styled(&mut self, name: &str, kind: FormatKind, style: &'a str) -> Result<(), Problem> {
        let value = self.value(name)?;
        let (heap, locale) = (self.call.heap, self.language.locale);
        let (format, named) = match written_out(kind, style)? {
            Some(named) => (Value::Undefined, named),
            None if style.is_empty() => (Value::Undefined, Vec::new()),
            None => self.style(kind, style)?,
        };
        let options = FormatOptions { named: &named, format, heap };
        match kind {
            FormatKind::Number => NumberFormat::of(&options)?.write(value.number(heap)?, locale, &mut self.out),
            FormatKind::Date | FormatKind::Time => {
                DateFormat::of(&options)?.write(moment(value, heap)?, locale, &mut self.out)
            }
        }
        Ok(())
    }

    /// The options of a named style: one in the data, else a predefined one. Any other name has no effect.
    fn style(&self, kind: FormatKind, style: &str) -> Result<(Value<'a>, Named<'a>), Problem> {
        let (group, known) = match kind {
            FormatKind::Number => ("number", NUMBERS),
            FormatKind::Date => ("date", DATES),
            FormatKind::Time => ("time", TIMES),
        };
        let formats = self.language.find("formats", self.call.heap)?.member(group, self.call.heap)?;
        let format = formats.member(style, self.call.heap)?;
        let known = known.iter().find(|(name, _)| *name == style && !format.is_object());
        let options = known.into_iter().flat_map(|(_, options)| *options);
        Ok((format, options.map(|(name, word)| (*name, Value::Text(word))).collect()))
    }

    fn choice(&mut self, choice: &Choice<'a>) -> Result<(), Problem> {
        let value = self.value(choice.name)?;
        let heap = self.call.heap;
        heap.budget.steps(choice.options.len())?;
        let (exact, count, word) = match choice.rule {
            None => (None, None, if value.is_nothing() { "" } else { value.text(heap)? }),
            Some(rule) => {
                let number = value.number(heap)?;
                let count = number - choice.offset;
                (Some(number), Some(count), category(self.language.tag, count, rule))
            }
        };
        let option = |is_it: &dyn Fn(&Key<'a>) -> bool| choice.options.iter().find(|(key, _)| is_it(key));
        let found = option(&|key| matches!(key, Key::Exactly(number) if Some(*number) == exact))
            .or_else(|| option(&|key| matches!(key, Key::Word(name) if *name == word)))
            .or_else(|| option(&|key| matches!(key, Key::Word("other"))));
        match found {
            Some((_, message)) => self.message(message, count),
            None => Err(Problem(format!("expected an option 'other' for '{}' in the message", shown(choice.name)))),
        }
    }
}

type Styles = &'static [(&'static str, &'static [(&'static str, &'static str)])];

const NUMBERS: Styles = &[
    ("percent", &[("style", "percent")]),
    ("currency", &[("style", "currency")]),
    ("integer", &[("maximumFractionDigits", "0")]),
];

const DATES: Styles = &[
    ("short", &[("month", "numeric"), ("day", "numeric"), ("year", "2-digit")]),
    ("medium", &[("month", "short"), ("day", "numeric"), ("year", "numeric")]),
    ("long", &[("month", "long"), ("day", "numeric"), ("year", "numeric")]),
    ("full", &[("weekday", "long"), ("month", "long"), ("day", "numeric"), ("year", "numeric")]),
];

const WITH_ZONE: &[(&str, &str)] =
    &[("hour", "numeric"), ("minute", "numeric"), ("second", "numeric"), ("timeZoneName", "short")];

const TIMES: Styles = &[
    ("short", &[("hour", "numeric"), ("minute", "numeric")]),
    ("medium", &[("hour", "numeric"), ("minute", "numeric"), ("second", "numeric")]),
    ("long", WITH_ZONE),
    ("full", WITH_ZONE),
];

/// Options as in `maximumFractionDigits=2, style=percent`.
fn pairs(style: &str) -> Result<Named<'_>, Problem> {
    let mut named = Vec::new();
    for pair in style.split([',', ' ']).filter(|pair| !pair.is_empty()) {
        let (name, value) = pair
            .split_once('=')
            .ok_or_else(|| Problem(format!("expected options such as 'style=percent', found '{}'", shown(style))))?;
        named.push((name, Value::Text(value)));
    }
    Ok(named)
}

/// The options of a number skeleton: `::percent`, `::currency/USD`, `::.00`, `::.##`.
/// <https://unicode-org.github.io/icu/userguide/format_parse/numbers/skeletons.html>
fn number_skeleton(skeleton: &str) -> Result<Named<'_>, Problem> {
    let mut named = Vec::new();
    for stem in skeleton.split_whitespace() {
        match stem.split_once('/') {
            Some(("currency", code)) => {
                named.extend([("style", Value::Text("currency")), ("currency", Value::Text(code))]);
                continue;
            }
            Some(("scale", "100")) => continue,
            _ => {}
        }
        match stem {
            "percent" | "%" | "%x100" => named.push(("style", Value::Text("percent"))),
            "precision-integer" | "integer" | "." => named.push(("maximumFractionDigits", Value::Number(0.0))),
            "group-off" | ",_" => named.push(("useGrouping", Value::Bool(false))),
            "sign-always" | "+!" => named.push(("signDisplay", Value::Text("always"))),
            "sign-never" | "+_" => named.push(("signDisplay", Value::Text("never"))),
            stem => named.extend(fraction(stem).ok_or_else(|| {
                let known =
                    "percent, currency/USD, integer, group-off, sign-always, sign-never or places such as .00##";
                Problem(format!("expected {known} in a number skeleton, found '{}'", shown(stem)))
            })?),
        }
    }
    Ok(named)
}

/// `.00##`: at least two decimals, at most four.
fn fraction(stem: &str) -> Option<[(&'static str, Value<'static>); 2]> {
    let places = stem.strip_prefix('.')?;
    let least = places.len() - places.trim_start_matches('0').len();
    let is_fraction = places.trim_start_matches('0').bytes().all(|byte| byte == b'#');
    let least = ("minimumFractionDigits", Value::Number(least as f64));
    is_fraction.then_some([least, ("maximumFractionDigits", Value::Number(places.len() as f64))])
}

/// The options of a date skeleton, such as `::yMMMd`.
fn date_skeleton(skeleton: &str) -> Result<Named<'_>, Problem> {
    let (mut named, mut rest) = (Vec::new(), skeleton);
    while let Some(letter) = rest.chars().next() {
        let run = rest.len() - rest.trim_start_matches(letter).len();
        rest = rest.get(run..).unwrap_or_default();
        let number = if run == 2 { "2-digit" } else { "numeric" };
        let name = match run {
            1..=3 => "short",
            4 => "long",
            _ => "narrow",
        };
        let (option, word) = match letter {
            'y' => ("year", number),
            'M' | 'L' => ("month", if run < 3 { number } else { name }),
            'd' => ("day", number),
            'E' | 'e' | 'c' => ("weekday", name),
            'h' | 'H' | 'k' | 'K' | 'j' => ("hour", number),
            'm' => ("minute", number),
            's' => ("second", number),
            'z' => ("timeZoneName", name),
            ' ' | 'a' => continue,
            _ => {
                let known = "the letters y, M, d, E, h, H, m, s and z";
                return Err(Problem(format!(
                    "expected {known} in a date skeleton such as '::yMMMd', found '{letter}'"
                )));
            }
        };
        named.push((option, Value::Text(word)));
        match letter {
            'h' | 'K' => named.push(("hour12", Value::Bool(true))),
            'H' | 'k' => named.push(("hour12", Value::Bool(false))),
            _ => {}
        }
    }
    Ok(named)
}

#[cfg(test)]
mod tests {
    use crate::template::helpers::testing::{check, printed};

    /// Messages and named arguments, and what they give.
    fn check_messages(rows: &[(&str, &str, &str)]) {
        for (message, named, expected) in rows {
            check("{}", &[(&format!("formatMessage {} {named}", serde_json::to_string(message).unwrap()), expected)]);
        }
    }

    #[test]
    fn arguments_are_filled_in() {
        check_messages(&[
            ("Hi {name}!", r#"name="ada""#, "Hi ada!"),
            ("Hi {name}!", "name=undefined", "Hi !"),
            ("Hello { who }", r#"who="you""#, "Hello you"),
            ("n={n}", "n=0", "n=0"),
            ("n={n}", "n=1234.5", "n=1234.5"),
            ("{a}{b}", "a=true b=false", "true"),
            (
                "Hi, my name is {firstName} {lastName}.",
                r#"firstName="Anthony" lastName="Pipkin""#,
                "Hi, my name is Anthony Pipkin.",
            ),
            (
                "{city} has a population of {population, number, integer} as of {census_date, date, long}.",
                r#"city="Atlanta" population=5475213 census_date="2010-01-01""#,
                "Atlanta has a population of 5,475,213 as of January 1, 2010.",
            ),
            ("", "", ""),
        ]);
    }

    #[test]
    fn numbers_and_dates_have_styles() {
        check_messages(&[
            ("{n, number, percent}", "n=0.256", "26%"),
            ("{n, number}", "n=0.256", "0.256"),
            ("{n, number, integer}", "n=4.6", "5"),
            ("{n,number,unknown}", "n=4.6", "4.6"),
            ("{n, number, maximumFractionDigits=2}", r#"n="0.4567""#, "0.46"),
            ("{n, number, style=currency, currency=EUR}", "n=5", "€5.00"),
            ("{n, number, ::percent}", "n=0.06", "6%"),
            ("{n, number, ::currency/USD}", "n=1234.5", "$1,234.50"),
            ("{n, number, ::.##}", "n=1.239", "1.24"),
            ("{n, number, ::.00}", "n=1.5", "1.50"),
            ("{n, number, ::.0# group-off sign-always}", "n=1234", "+1234.0"),
            ("I have {numCats, number} cats.", "numCats=1000", "I have 1,000 cats."),
            ("{d, date, short}", "d=1712488800000", "4/7/24"),
            ("{d, date}", "d=1712488800000", "4/7/2024"),
            ("{d, date, medium}", "d=1712488800000", "Apr 7, 2024"),
            ("{d, date, long}", "d=1712488800000", "April 7, 2024"),
            ("{d, date, full}", "d=1712488800000", "Sunday, April 7, 2024"),
            ("{d, time}", "d=1712488800000", "4/7/2024"),
            ("Coupon expires at {d, time, short}", "d=1712488800000", "Coupon expires at 11:20 AM"),
            ("{d, time, medium}", "d=1712488800000", "11:20:00 AM"),
            ("{d, time, full}", "d=1712488800000", "11:20:00 AM UTC"),
            ("{d, date, ::yyyyMMMdd}", "d=1712488800000", "Apr 07, 2024"),
            ("{d, time, ::Hmm}", "d=1712488800000", "11:20"),
            ("{d, date, full} {n, number}", r#"d=1712488800000 n=1.5 locales="de""#, "Sonntag, 7. April 2024 1,5"),
        ]);
    }

    #[test]
    fn options_are_chosen() {
        let items = "{itemCount, plural,\n    =0 {no items}\n    one {# item}\n    other {# items}\n}";
        let cat = "{year, selectordinal, one {#st} two {#nd} few {#rd} other {#th}}";
        let guests =
            "{n, plural, offset:1 =0 {none} =1 {{who}} one {{who} and # more} other {{who} and # more people}}";
        let gender = "{gender, select,\n male {He will respond shortly.}\n female {She will respond shortly.}\n other {They will respond shortly.}\n}";
        check_messages(&[
            (items, "itemCount=0", "no items"),
            (items, "itemCount=1", "1 item"),
            (items, r#"itemCount="2""#, "2 items"),
            (items, "itemCount=1000", "1,000 items"),
            (items, "itemCount=1.5", "1.5 items"),
            (items, "itemCount=undefined", "NaN items"),
            ("{n, plural, one {# item} other {# items}}", "n=3", "3 items"),
            (
                "{person} harvested {count, plural, one {# apple} other {# apples}}.",
                r#"person="Allison" count=10"#,
                "Allison harvested 10 apples.",
            ),
            (
                "This is my {year, selectordinal, one{#st} two{#nd} few{#rd} other{#th}} birthday.",
                "year=3",
                "This is my 3rd birthday.",
            ),
            (cat, "year=1", "1st"),
            (cat, "year=11", "11th"),
            (cat, "year=22", "22nd"),
            (guests, r#"n=0 who="Ann""#, "none"),
            (guests, r#"n=1 who="Ann""#, "Ann"),
            (guests, r#"n=2 who="Ann""#, "Ann and 1 more"),
            (guests, r#"n=1235 who="Ann""#, "Ann and 1,234 more people"),
            (gender, r#"gender="male""#, "He will respond shortly."),
            (gender, r#"gender="x""#, "They will respond shortly."),
            (gender, "gender=undefined", "They will respond shortly."),
            ("{flag, select, true {yes} other {no}}", "flag=true", "yes"),
            ("{n, plural, one {{g, select, a {# x} other {y}}} other {z}}", r##"n=1 g="a""##, "# x"),
            ("{n, plural, one {# файл} few {# файла} many {# файлов} other {?}}", r#"n=5 locales="ru""#, "5 файлов"),
            ("{n, plural, one {# файл} few {# файла} many {# файлов} other {?}}", r#"n=22 locales="ru""#, "22 файла"),
            ("{n, plural, one {eins} other {viele}}", r#"n=1 locales="de-AT""#, "eins"),
        ]);
    }

    #[test]
    fn braces_can_be_meant() {
        check_messages(&[
            (r"\{x\} \# \\", "", r"{x} # \"),
            (r"\u0041\u00e9 \u00zz \uD800", "", r"Aé \u00zz \uD800"),
            ("'{x}' it's ''x'' '", "", "{x} it's 'x' '"),
            ("It's my cat's {n}", "n=5", "It's my cat's 5"),
            ("'{it''s}' {n}", "n=5", "{it's} 5"),
            ("'{open", "", "{open"),
            ("# '#' {n, plural, other {'#' # \\#}}", "n=5", "# '#' # 5 #"),
            ("<b>{n}</b>", "n=5", "<b>5</b>"),
        ]);
    }

    #[test]
    fn what_is_no_message_is_refused() {
        let deep = format!("{}x{}", "{n, plural, other {".repeat(21), "}}".repeat(21));
        check_messages(&[
            ("{name}", "", "!expected a value for 'name' of the message"),
            ("{name", "n=5", "!expected a ',' in the message, found its end"),
            ("a } b", "", "!expected a '{' before the '}' in the message, found '} b'"),
            ("{}", "", "!expected the name of an argument in the message, found '}'"),
            ("{a.b}", "", "!expected a ',' in the message, found '.b}'"),
            (
                "{n, nimber}",
                "n=5",
                "!expected number, date, time, plural, selectordinal or select in the message, found 'nimber}'",
            ),
            ("{n, number, }", "n=5", "!expected a style in the message, found '}'"),
            ("{n, number, x{}", "n=5", "!expected a '}' in the message, found '{}'"),
            ("{n, plural}", "n=5", "!expected a ',' in the message, found '}'"),
            ("{n, plural, }", "n=5", "!expected options for 'n' in the message, found none"),
            ("{n, plural, one {x}}", "n=5", "!expected an option 'other' for 'n' in the message"),
            ("{n, plural, =x {x} other {}}", "n=5", "!expected a number behind '=' in the message, found 'x'"),
            ("{n, plural, offset:x other {}}", "n=5", "!expected a number behind 'offset:' in the message, found 'x'"),
            ("{n, plural, other {x}", "n=5", "!expected an option, or a '}' in the message, found its end"),
            ("{n, plural, other x}", "n=5", "!expected a '{' in the message, found 'x}'"),
            ("{n, number, a=1 b}", "n=5", "!expected options such as 'style=percent', found 'a=1 b'"),
            (
                "{n, number, ::what}",
                "n=5",
                "!expected percent, currency/USD, integer, group-off, sign-always, sign-never or places such as .00## in a number skeleton, found 'what'",
            ),
            (
                "{n, date, ::Q}",
                "n=5",
                "!expected the letters y, M, d, E, h, H, m, s and z in a date skeleton such as '::yMMMd', found 'Q'",
            ),
            (
                "{n, number, currency}",
                "n=5",
                "!expected currency= to be a code of three letters such as 'USD', found nothing",
            ),
            (
                "{d, date}",
                r#"d="soon""#,
                "!expected milliseconds since 1970 or a date in ISO 8601, found the text \"soon\"",
            ),
            (&deep, "n=5", "!the messages in the message are nested deeper than 20 levels"),
        ]);
    }

    #[test]
    fn long_messages_are_bounded() {
        let (long, many) = ("x".repeat(100_000), "{a}".repeat(1000));
        let problem = printed("{}", &format!("formatMessage {many:?} a={long:?}")).unwrap_err();
        assert!(problem.contains("bytes"), "{problem}");
    }
}
