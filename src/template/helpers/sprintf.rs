//! The patterns of `format`: sprintf-js's, such as `%s`, `%05.1f` and `%2$s`. Source: the README of
//! github.com/alexei/sprintf.js, which Courier's documentation of `format` links to.

use super::json_path::JsonPath;
use crate::json::cut;
use crate::json::quoted;
use crate::template::budget::{Problem, TEXT_BYTES};
use crate::template::call::one_of;
use crate::template::heap::Heap;
use crate::template::number;
use crate::template::values::first_units;
use crate::template::values::{Value, utf16_length};

/// The letters at the end of placeholders.
const LETTERS: &str = "bcdefgijostTuvxX";
/// The most digits, as in JavaScript.
const DIGITS: usize = 100;
/// No number has more digits when it is written out.
const ALL_DIGITS: usize = 770;
/// The most nested lists and objects that `%j` writes.
const DEPTH: usize = 200;
/// The default padding character.
const BLANK: char = ' ';

/// Inserts the values into a pattern.
pub fn format<'a>(pattern: &str, values: &[Value<'a>], heap: &Heap<'a>) -> Result<String, Problem> {
    let (mut out, mut rest, mut next) = (String::new(), pattern, 0);
    heap.budget.bytes(pattern.len())?;
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        rest = match after.strip_prefix('%') {
            Some(after) => {
                out.push('%');
                after
            }
            None => {
                let (placeholder, after) = Placeholder::read(after).ok_or_else(|| unknown(after))?;
                heap.budget.steps(1)?;
                let value = placeholder.value(values, &mut next, heap)?;
                placeholder.write(value, heap, &mut out)?;
                after
            }
        };
    }
    out.push_str(rest);
    Ok(out)
}

/// Whether a pattern can be filled with any values.
pub fn check(pattern: &str) -> Result<(), Problem> {
    let mut rest = pattern;
    while let Some((_, after)) = rest.split_once('%') {
        rest = match after.strip_prefix('%') {
            Some(after) => after,
            None => {
                let (placeholder, after) = Placeholder::read(after).ok_or_else(|| unknown(after))?;
                placeholder.check()?;
                after
            }
        };
    }
    Ok(())
}

fn unknown(rest: &str) -> Problem {
    let end = rest.find(' ').unwrap_or(rest.len());
    let found = cut(&format!("%{}", rest.get(..end).unwrap_or_default()));
    let expected = "expected a placeholder such as %s or %.2f, or %% for the sign itself";
    let letters: Vec<String> = LETTERS.chars().map(String::from).collect();
    let letters = one_of(&letters.iter().map(String::as_str).collect::<Vec<_>>());
    Problem(format!("{expected}, found {found}; a placeholder ends with {letters}"))
}

/// The part between `%` and its letter, and the letter.
struct Placeholder<'p> {
    which: Which<'p>,
    has_sign: bool,
    padding: char,
    is_left: bool,
    width: usize,
    precision: Option<usize>,
    kind: char,
}

/// The value of a placeholder.
enum Which<'p> {
    Next,
    /// `%2$s`, from 1.
    Place(usize),
    /// `%(name)s`: a member of the next value.
    Named(&'p str),
}

impl<'p> Placeholder<'p> {
    /// Reads one, and returns what is behind it.
    fn read(text: &'p str) -> Option<(Self, &'p str)> {
        let (which, rest) = Which::read(text);
        let (has_sign, rest) = flag(rest, '+');
        let (padding, rest) = match rest.strip_prefix('\'').and_then(|quoted| quoted.chars().next()) {
            Some('$') => return None,
            Some(padding) => (padding, rest.get(1 + padding.len_utf8()..)?),
            None => match rest.strip_prefix('0') {
                Some(rest) => ('0', rest),
                None => (BLANK, rest),
            },
        };
        let (is_left, rest) = flag(rest, '-');
        let (width, rest) = digits(rest);
        let (precision, rest) = match rest.strip_prefix('.') {
            Some(rest) => {
                let (precision, rest) = digits(rest);
                (Some(precision?), rest)
            }
            None => (None, rest),
        };
        let kind = rest.chars().next().filter(|kind| LETTERS.contains(*kind))?;
        let width = width.unwrap_or(0);
        Some((Placeholder { which, has_sign, padding, is_left, width, precision, kind }, rest.get(1..)?))
    }

    /// Whether it can be filled.
    fn check(&self) -> Result<(), Problem> {
        match self.which {
            Which::Named(path) => named(path).map(drop)?,
            Which::Next | Which::Place(_) => {}
        }
        self.check_digits()
    }

    fn check_digits(&self) -> Result<(), Problem> {
        let is_number = !"jstTv".contains(self.kind);
        let is_wrong = |digits: &usize| is_number && (*digits > DIGITS || *digits == 0 && self.kind == 'g');
        let problem = "expected at most 100 digits, and one or more for %g, found";
        self.precision.filter(is_wrong).map_or(Ok(()), |digits| Err(Problem(format!("{problem} {digits}"))))
    }

    fn value<'a>(&self, values: &[Value<'a>], next: &mut usize, heap: &Heap<'a>) -> Result<Value<'a>, Problem> {
        let at = |place: usize| values.get(place).copied().unwrap_or(Value::Undefined);
        match self.which {
            Which::Next => {
                *next += 1;
                Ok(at(*next - 1))
            }
            Which::Place(place) => Ok(at(place - 1)),
            Which::Named(path) => named(path)?.find_in(at(*next), heap),
        }
    }

    fn write<'a>(&self, value: Value<'a>, heap: &Heap<'a>, out: &mut String) -> Result<(), Problem> {
        if self.kind == 'j' {
            return Json { indent: self.width.min(10), heap }.write(value, 0, out);
        }
        let (sign, body) = match self.kind {
            's' | 'v' | 't' | 'T' => ("", self.words(value, heap)?),
            _ => {
                let number = super::math::number(value, heap)?;
                self.digits(number, heap)?
            }
        };
        let padding = self.width.saturating_sub(sign.len() + utf16_length(&body));
        let made = padding.saturating_mul(self.padding.len_utf8()).saturating_add(sign.len() + body.len());
        if made > TEXT_BYTES || out.len() > TEXT_BYTES {
            return Err(Problem::too_long());
        }
        heap.budget.bytes(made)?;
        let padding = std::iter::repeat_n(self.padding, padding);
        match (self.is_left, self.padding) {
            (true, _) => out.extend(sign.chars().chain(body.chars()).chain(padding)),
            (false, '0') => out.extend(sign.chars().chain(padding).chain(body.chars())),
            (false, _) => out.extend(padding.chain(sign.chars()).chain(body.chars())),
        }
        Ok(())
    }

    fn words<'a>(&self, value: Value<'a>, heap: &Heap<'a>) -> Result<String, Problem> {
        let words = match self.kind {
            't' => {
                if value.is_truthy() {
                    "true"
                } else {
                    "false"
                }
            }
            'T' => kind(value),
            _ => value.text(heap)?,
        };
        heap.budget.bytes(words.len())?;
        Ok(self.precision.map_or(words, |units| first_units(words, units)).to_owned())
    }

    /// A number without its sign, and the sign.
    fn digits(&self, number: f64, heap: &Heap<'_>) -> Result<(&'static str, String), Problem> {
        let (precision, whole) = (self.precision, number.abs().trunc());
        self.check_digits()?;
        heap.budget.bytes(if precision.is_some() { ALL_DIGITS } else { 0 })?;
        let body = match self.kind {
            'b' => binary(whole),
            'c' => char::from_u32(whole as u32).unwrap_or(char::REPLACEMENT_CHARACTER).to_string(),
            'd' | 'i' => plain(whole),
            'e' => exponential(number.abs(), precision),
            'f' => precision.map_or_else(|| plain(number.abs()), |digits| fixed(number.abs(), digits)),
            'g' => precision.map_or_else(|| plain(number.abs()), |digits| significant(number.abs(), digits)),
            'o' => format!("{:o}", unsigned(number)),
            'u' => unsigned(number).to_string(),
            'x' => format!("{:x}", unsigned(number)),
            _ => format!("{:X}", unsigned(number)),
        };
        let sign = match self.kind {
            'd' | 'i' | 'e' | 'f' | 'g' if number < 0.0 => "-",
            'd' | 'i' | 'e' | 'f' | 'g' if self.has_sign => "+",
            'b' if whole > 0.0 && number < 0.0 => "-",
            _ => "",
        };
        Ok((sign, body))
    }
}

/// The path of a placeholder such as `%(name)s`.
fn named(path: &str) -> Result<JsonPath<'_>, Problem> {
    JsonPath::parse(path).ok_or_else(|| Problem(format!("expected a name in %(…), found {}", cut(path))))
}

impl<'p> Which<'p> {
    fn read(text: &'p str) -> (Self, &'p str) {
        if let Some((name, rest)) = text.strip_prefix('(').and_then(|text| text.split_once(')')) {
            return (Which::Named(name), rest);
        }
        match digits(text) {
            (Some(place), rest) if place > 0 && !text.starts_with('0') => match rest.strip_prefix('$') {
                Some(rest) => (Which::Place(place), rest),
                None => (Which::Next, text),
            },
            _ => (Which::Next, text),
        }
    }
}

fn flag(text: &str, flag: char) -> (bool, &str) {
    let rest = text.strip_prefix(flag);
    (rest.is_some(), rest.unwrap_or(text))
}

/// The number at the start of a text, or the largest possible if it is larger.
fn digits(text: &str) -> (Option<usize>, &str) {
    let end = text.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = text.split_at(end);
    ((end > 0).then(|| digits.parse().unwrap_or(usize::MAX)), rest)
}

fn kind(value: Value<'_>) -> &'static str {
    match value {
        Value::Undefined => "undefined",
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::Text(_) | Value::Markup(_) => "string",
        value if value.is_list() => "array",
        _ => "object",
    }
}

fn plain(number: f64) -> String {
    let mut out = String::new();
    number::write(number, &mut out);
    out
}

/// JavaScript's `number >>> 0`.
fn unsigned(number: f64) -> u32 {
    if number.is_finite() { number.trunc().rem_euclid(4_294_967_296.0) as u32 } else { 0 }
}

fn binary(whole: f64) -> String {
    if !whole.is_finite() {
        return plain(whole);
    }
    let halves = std::iter::successors(Some(whole), |it| Some((it / 2.0).floor()).filter(|it| *it > 0.0));
    let digits: Vec<char> = halves.map(|it| if it % 2.0 == 0.0 { '0' } else { '1' }).collect();
    digits.into_iter().rev().collect()
}

/// JavaScript's `toFixed` of a number that is not negative: of two equally near results it is the larger.
fn fixed(number: f64, digits: usize) -> String {
    if number >= 1e21 {
        return plain(number);
    }
    // Halves of the last digit are those that become odd: doubling changes no bit of a number.
    let is_half = (0..=digits).fold(number, |number, _| number * 2.0) % 2.0 == 1.0;
    let number = if is_half { number.next_up() } else { number };
    format!("{number:.digits$}")
}

/// JavaScript's `toExponential` of a number that is not negative.
fn exponential(number: f64, digits: Option<usize>) -> String {
    if !number.is_finite() {
        return plain(number);
    }
    let shown = match digits {
        None => format!("{number:e}"),
        Some(digits) => {
            let exact = format!("{number:.ALL_DIGITS$e}");
            let dropped = exact.split('e').next().and_then(|digit| digit.get(2 + digits..)).unwrap_or_default();
            let is_half = dropped.strip_prefix('5').is_some_and(|rest| rest.bytes().all(|digit| digit == b'0'));
            let number = if is_half { number.next_up() } else { number };
            format!("{number:.digits$e}")
        }
    };
    if shown.contains("e-") { shown } else { shown.replace('e', "e+") }
}

/// A number rounded to so many digits.
fn significant(number: f64, digits: usize) -> String {
    plain(exponential(number, digits.checked_sub(1)).parse().unwrap_or(number))
}

/// JavaScript's `JSON.stringify`.
struct Json<'h, 'a> {
    indent: usize,
    heap: &'h Heap<'a>,
}

impl<'a> Json<'_, 'a> {
    fn write(&self, value: Value<'a>, depth: usize, out: &mut String) -> Result<(), Problem> {
        if depth > DEPTH {
            return Err(Problem(format!("a value is nested deeper than {DEPTH} levels")));
        }
        let start = out.len();
        match value {
            Value::Number(number) if !number.is_finite() => out.push_str("null"),
            Value::Text(text) | Value::Markup(text) => {
                self.heap.budget.bytes(text.len())?;
                out.push_str(&quoted(text));
            }
            value if value.is_list() => {
                let items = value.items(self.heap)?.iter();
                let items = items.map(|item| (None, if item.is_nothing() { Value::Null } else { *item }));
                self.parts("[]", items, depth, out)?;
            }
            value if value.is_object() => {
                let members = value.members(self.heap)?.iter().filter(|(_, value)| !matches!(value, Value::Undefined));
                self.parts("{}", members.map(|(name, value)| (Some(*name), *value)), depth, out)?;
            }
            value => out.push_str(value.text(self.heap)?),
        }
        self.heap.budget.bytes(out.len().saturating_sub(start))?;
        if out.len() > TEXT_BYTES { Err(Problem::too_long()) } else { Ok(()) }
    }

    /// The contents of a list or an object.
    fn parts(
        &self,
        brackets: &str,
        parts: impl Iterator<Item = (Option<&'a str>, Value<'a>)>,
        depth: usize,
        out: &mut String,
    ) -> Result<(), Problem> {
        let (opening, closing) = brackets.split_at(1);
        let mut is_empty = true;
        out.push_str(opening);
        for (name, value) in parts {
            self.heap.budget.steps(1)?;
            out.push_str(if is_empty { "" } else { "," });
            is_empty = false;
            self.line(depth + 1, out);
            if let Some(name) = name {
                out.push_str(&quoted(name));
                out.push_str(if self.indent > 0 { ": " } else { ":" });
            }
            self.write(value, depth + 1, out)?;
        }
        if !is_empty {
            self.line(depth, out);
        }
        out.push_str(closing);
        Ok(())
    }

    fn line(&self, depth: usize, out: &mut String) {
        if self.indent > 0 {
            out.push('\n');
            out.extend(std::iter::repeat_n(BLANK, self.indent * depth));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::template::helpers::testing::{check, printed};

    const DATA: &str = r#"{
        "s": "hello world", "n": 42, "arr": ["a", "b"], "o": {"a": 1, "b": [true, null, "\"é"], "c": {}}, "f": 3.14159,
        "yes": true, "none": null, "users": [{"name": "Dolly"}, {"name": "Molly"}]
    }"#;

    #[test]
    fn patterns_are_filled() {
        check(
            DATA,
            &[
                (r#"format "%.2f" 1"#, "1.00"),
                (r#"format "%.2f" (var "n")"#, "42.00"),
                (r#"format "%.2f" "100""#, "100.00"),
                (r#"format "%s!" s"#, "hello world!"),
                (r#"format "%s!" n"#, "42!"),
                (r#"format "%s!" nobody"#, "undefined!"),
                (r#"format "%s!" none"#, "null!"),
                (r#"format "%s!" arr"#, "a!"),
                (r#"format "%s!" o"#, "[object Object]!"),
                (r#"format "%05.1f" f"#, "003.1"),
                (r#"format "%s-%s" arr"#, "a-b"),
                (r#"format "%s costs %.2f, %d times, 100%%" s f 3.7"#, "hello world costs 3.14, 3 times, 100%"),
                (r#"format "%s and %s" arr s"#, "a,b and hello world"),
                (r#"format "%2$s %1$s %1$s" "a" "b""#, "b a a"),
                (r#"format "%(users[0].name)s and %(users[1].name)s" (params users=users)"#, "Dolly and Molly"),
                (r#"format "%(a)d" o"#, "1"),
                (r#"format "none""#, "none"),
                (r#"format "" 1"#, ""),
                (r#"format 5 1"#, "5"),
            ],
        );
    }

    #[test]
    fn numbers_are_written() {
        check(
            DATA,
            &[
                (r#"format "%d %i" 42.9 -42.9"#, "42 -42"),
                (r#"format "%d" -0.5"#, "-0"),
                (r#"format "%+d %+d %+d" 2 -2 0"#, "+2 -2 +0"),
                (r#"format "%+.1f" 2"#, "+2.0"),
                (r#"format "%f %f" 1.5 "2.50""#, "1.5 2.5"),
                (r#"format "%.0f %.0f %.0f %.0f" 0.5 1.5 2.5 -2.5"#, "1 2 3 -3"),
                (r#"format "%.1f %.1f %.1f" 0.25 0.35 -0.25"#, "0.3 0.3 -0.3"),
                (r#"format "%.2f %.2f %.2f" 1.005 8.345 1.125"#, "1.00 8.35 1.13"),
                (r#"format "%.3f" 1e21"#, "1e+21"),
                (r#"format "%.2f" -0.001"#, "-0.00"),
                (r#"format "%e %.2e %.0e" 12345 12345 25"#, "1.2345e+4 1.23e+4 3e+1"),
                (r#"format "%.1e %.2e" 0.00125 0"#, "1.3e-3 0.00e+0"),
                (r#"format "%g %.3g %.2g" 3.14159 3.14159 1250"#, "3.14159 3.14 1300"),
                (r#"format "%.6g" 0.1"#, "0.1"),
                (r#"format "%b %b %b" 5 -5 0"#, "101 -101 0"),
                (r#"format "%c%c" 65 8364"#, "A€"),
                (r#"format "%c" 55296"#, "\u{fffd}"),
                (r#"format "%o %u %u" 8 3 -1"#, "10 3 4294967295"),
                (r#"format "%x %X %x" 255 255 -255"#, "ff FF ffffff01"),
                (
                    r#"format "%5d|%-5d|%05d|%+05d|%'*6d|%'0-5d" 42 42 -42 42 42 42"#,
                    "   42|42   |-0042|+0042|****42|42000",
                ),
                (
                    r#"format "%5s|%-5s|%'_5s|%05s|%.2s|%5.1s|%.0s" "ab" "ab" "ab" "ab" "abc" "xyz" "x""#,
                    "   ab|ab   |___ab|000ab|ab|    x|",
                ),
                (r#"format "%t %t %.1t" 1 "" true"#, "true false t"),
                (r#"format "%T %T %T %T %T %T" s n arr o nobody yes"#, "string number array object undefined boolean"),
                (r#"format "%v %v" true 1.5"#, "true 1.5"),
                (r#"format "%j" (range 0)"#, "undefined"),
                (r#"format "%j %j" o s"#, r#"{"a":1,"b":[true,null,"\"é"],"c":{}} "hello world""#),
                (
                    r#"format "%2j" o"#,
                    "{\n  \"a\": 1,\n  \"b\": [\n    true,\n    null,\n    \"\\\"é\"\n  ],\n  \"c\": {}\n}",
                ),
            ],
        );
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        let unknown = "!expected a placeholder such as %s or %.2f, or %% for the sign itself, found ";
        let letters = "; a placeholder ends with one of b, c, d, e, f, g, i, j, o, s, t, T, u, v, x and X";
        let row = |pattern: &str, found: &str| {
            let call = format!("format {pattern:?} 1");
            check(DATA, &[(&call, &format!("{unknown}{found:?}{letters}"))]);
        };
        row("100%", "%");
        row("%y now", "%y");
        row("%.f", "%.f");
        row("%'$5d", "%'$5d");
        row("%é", "%é");
        row("%5", "%5");
        check(
            DATA,
            &[
                (r#"format "%d" s"#, "!expected a number, found the text \"hello world\""),
                (r#"format "%d %d" 1"#, "!expected a number, found nothing"),
                (r#"format "%.1f" yes"#, "!expected a number, found true"),
                (r#"format "%s%.2f" arr"#, "!expected a number, found the text \"b\""),
                (r#"format "%.101f" 1"#, "!expected at most 100 digits, and one or more for %g, found 101"),
                (r#"format "%.0g" 1"#, "!expected at most 100 digits, and one or more for %g, found 0"),
                (r#"format "%(a-b)s" o"#, "!expected a name in %(…), found \"a-b\""),
                (r#"format "%99999999999999999999s" 1"#, "!the text would be longer than 6291456 bytes"),
                (r#"format "%'é4000000s" 1"#, "!the text would be longer than 6291456 bytes"),
                ("format", "!expected a pattern such as \"%.2f\", found nothing"),
            ],
        );
        let many = "%6000000s".repeat(9);
        assert!(printed(DATA, &format!("format {many:?} 1 1 1 1 1 1 1 1 1")).is_err());
    }
}
