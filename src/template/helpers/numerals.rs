//! Numbers as languages write them: ECMA-402's `Intl.NumberFormat`, as far as its options concern plain numbers.

use fixed_decimal::{Decimal, UnsignedRoundingMode};

use super::locale::{Locale, decimal, minor_digits, narrow_symbol};
use super::options::FormatOptions;
use crate::template::budget::Problem;
use crate::template::call::expected;
use crate::template::values::Value;

enum Style<'a> {
    Decimal,
    Percent,
    /// With its code, and how it is displayed.
    Currency(&'a str, Display),
}

#[derive(Clone, Copy)]
enum Display {
    Symbol,
    Narrow,
    Code,
    Name,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Grouping {
    Never,
    Always,
    Usual,
    FromFive,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sign {
    Usual,
    Always,
    Never,
    NotOfZero,
    Negative,
}

/// A way to write numbers.
pub struct NumberFormat<'a> {
    style: Style<'a>,
    integers: i16,
    fractions: [i16; 2],
    significant: Option<[i16; 2]>,
    grouping: Grouping,
    sign: Sign,
}

/// Most decimals.
const FRACTIONS: i16 = 100;

impl<'a> NumberFormat<'a> {
    /// A number as a language writes it when nothing else is asked for.
    pub const PLAIN: NumberFormat<'static> = NumberFormat {
        style: Style::Decimal,
        integers: 1,
        fractions: [0, 3],
        significant: None,
        grouping: Grouping::Usual,
        sign: Sign::Usual,
    };

    pub fn of(options: &FormatOptions<'_, 'a>) -> Result<Self, Problem> {
        let style = style(options)?;
        let usual = match style {
            Style::Decimal => [0, 3],
            Style::Percent => [0, 0],
            Style::Currency(code, _) => [minor_digits(code); 2],
        };
        let significant = options.limits("SignificantDigits", [1, 21], [1, 21])?;
        let signs = ["auto", "always", "never", "exceptZero", "negative"];
        Ok(NumberFormat {
            style,
            integers: options.count("minimumIntegerDigits", 1, 21)?.unwrap_or(1),
            fractions: options.limits("FractionDigits", [0, FRACTIONS], usual)?,
            significant: Some(significant).filter(|limits| *limits != [1, 21]),
            grouping: grouping(options)?,
            sign: match options.word("signDisplay", &signs)? {
                Some(1) => Sign::Always,
                Some(2) => Sign::Never,
                Some(3) => Sign::NotOfZero,
                Some(4) => Sign::Negative,
                _ => Sign::Usual,
            },
        })
    }

    pub fn write(&self, number: f64, locale: &Locale, out: &mut String) {
        let digits = decimal(number).map(|decimal| self.rounded(decimal));
        let is_zero = digits.as_ref().is_some_and(|digits| digits.absolute.is_zero());
        let is_negative = number.is_sign_negative() && !number.is_nan();
        let sign = match self.sign {
            Sign::Never => "",
            Sign::Negative | Sign::NotOfZero if is_zero => "",
            _ if is_negative => locale.numbers.signs[2],
            Sign::Always | Sign::NotOfZero if !number.is_nan() => "+",
            _ => "",
        };
        let [shape, signed] = self.shapes(locale);
        let shape = if sign.is_empty() { shape } else { signed };
        for (at, c) in shape.char_indices() {
            match c {
                '-' => out.push_str(sign),
                '¤' => self.write_currency(locale, shape.get(at..).unwrap_or_default(), out),
                '#' => match &digits {
                    Some(digits) => self.write_digits(&digits.absolute.to_string(), locale, out),
                    None => out.push_str(if number.is_nan() { locale.numbers.signs[3] } else { "∞" }),
                },
                c => out.push(c),
            }
        }
    }

    fn rounded(&self, mut number: Decimal) -> Decimal {
        let number_of = &mut number.absolute;
        if matches!(self.style, Style::Percent) {
            number_of.multiply_pow10(2);
        }
        let (least, most) = match self.significant {
            Some([least, most]) => {
                let first = number_of.nonzero_magnitude_start();
                (first - least + 1, first - most + 1)
            }
            None => (-self.fractions[0], -self.fractions[1]),
        };
        number_of.round_with_mode(most, UnsignedRoundingMode::HalfExpand);
        number_of.trim_end();
        number_of.trim_start();
        number_of.pad_end(least.min(0));
        number_of.pad_start(self.integers);
        number
    }

    /// The patterns of a positive and a negative number, with what surrounds them.
    fn shapes(&self, locale: &Locale) -> [&'static str; 2] {
        match self.style {
            Style::Decimal => ["#", "-#"],
            Style::Percent if locale.numbers.percent.starts_with('%') => ["%#", "-%#"],
            Style::Percent if locale.numbers.percent.len() > 2 => ["#\u{a0}%", "-#\u{a0}%"],
            Style::Percent => ["#%", "-#%"],
            Style::Currency(_, Display::Name) => ["# ¤", "-# ¤"],
            Style::Currency(..) => locale.numbers.currency,
        }
    }

    fn write_currency(&self, locale: &Locale, rest: &str, out: &mut String) {
        let Style::Currency(code, display) = self.style else { return };
        let symbol = match display {
            Display::Symbol => locale.numbers.symbol(code),
            Display::Narrow => narrow_symbol(code),
            Display::Code | Display::Name => code,
        };
        out.push_str(symbol);
        // A letter does not touch a digit.
        if rest.starts_with("¤#") && symbol.ends_with(char::is_alphabetic) {
            out.push('\u{a0}');
        }
    }

    fn write_digits(&self, digits: &str, locale: &Locale, out: &mut String) {
        let [point, group, ..] = locale.numbers.signs;
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let ungrouped = match self.grouping {
            Grouping::Never => usize::MAX,
            Grouping::Always => 3,
            Grouping::Usual => locale.numbers.ungrouped,
            Grouping::FromFive => 4,
        };
        for (place, digit) in whole.chars().enumerate() {
            let left = whole.len() - place;
            if place > 0 && left % 3 == 0 && whole.len() > ungrouped {
                out.push_str(group);
            }
            out.push(digit);
        }
        if !fraction.is_empty() {
            out.extend([point, fraction]);
        }
    }
}

fn style<'a>(options: &FormatOptions<'_, 'a>) -> Result<Style<'a>, Problem> {
    match options.word("style", &["decimal", "percent", "currency"])? {
        Some(1) => return Ok(Style::Percent),
        Some(2) => {}
        _ => return Ok(Style::Decimal),
    }
    let value = options.get("currency")?;
    let is_code = |code: &&str| code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_alphabetic());
    let Some(code) = value.as_text().filter(is_code) else {
        return Err(expected("currency= to be a code of three letters such as 'USD'", value));
    };
    let display = match options.word("currencyDisplay", &["symbol", "narrowSymbol", "code", "name"])? {
        Some(1) => Display::Narrow,
        Some(2) => Display::Code,
        Some(3) => Display::Name,
        _ => Display::Symbol,
    };
    let is_upper = code.bytes().all(|byte| byte.is_ascii_uppercase());
    let code = if is_upper { code } else { options.heap.text(&code.to_ascii_uppercase())? };
    Ok(Style::Currency(code, display))
}

fn grouping(options: &FormatOptions<'_, '_>) -> Result<Grouping, Problem> {
    Ok(match options.get("useGrouping")? {
        Value::Undefined => Grouping::Usual,
        value => match value.as_text() {
            Some("always") => Grouping::Always,
            Some("min2") => Grouping::FromFive,
            Some("auto" | "true") => Grouping::Usual,
            Some("false") => Grouping::Never,
            _ if matches!(value, Value::Bool(true)) => Grouping::Always,
            _ if !value.is_truthy() => Grouping::Never,
            _ => Grouping::Usual,
        },
    })
}
