//! The options of calls of the `intl` helpers: a language, and options as in ECMA-402.

use super::locale::{self, Locale};
use crate::template::budget::Problem;
use crate::template::call::{HelperCall, KnownArguments, expected};
use crate::template::heap::Heap;
use crate::template::values::Value;

/// The longest language tag that is accepted.
const TAG_BYTES: usize = 64;

/// The language of a call, and the named formats and messages of `intl`.
#[derive(Clone, Copy)]
pub struct Language<'a> {
    pub tag: &'a str,
    pub locale: &'static Locale,
    intl: Value<'a>,
}

impl<'a> Language<'a> {
    /// `locales=`, else the language of an `intl` around the call or of the data, else en-US.
    pub fn of(call: &HelperCall<'_, 'a>) -> Result<Self, Problem> {
        let intl = call.find("intl")?;
        let asked = match call.named("locales").filter(|locales| !locales.is_nothing()) {
            Some(locales) => locales,
            None if intl.is_object() => intl.member("locales", call.heap)?,
            None => Value::Undefined,
        };
        let wanted = if asked.is_list() { asked.items(call.heap)? } else { &[asked] };
        let mut first = None;
        for tag in wanted.iter().filter_map(|value| value.as_text()).filter(|tag| tag.len() <= TAG_BYTES) {
            call.heap.budget.steps(1)?;
            if let Some(locale) = locale::find(tag) {
                return Ok(Language { tag, locale, intl });
            }
            first = first.or(Some(tag).filter(|tag| !tag.is_empty()));
        }
        // A language of which only the plurals are known.
        Ok(Language { tag: first.unwrap_or("en-US"), locale: locale::american(), intl })
    }

    /// The value of a path such as `formats.date.short` in the data of `intl`.
    pub fn find(&self, path: &str, heap: &Heap<'a>) -> Result<Value<'a>, Problem> {
        let mut value = self.intl;
        for name in path.split('.') {
            heap.budget.steps(1)?;
            value = value.member(name, heap)?;
        }
        Ok(value)
    }
}

/// The options of a call, and after these the options of its named format.
#[derive(Clone, Copy)]
pub struct FormatOptions<'o, 'a> {
    pub named: &'o [(&'a str, Value<'a>)],
    pub format: Value<'a>,
    pub heap: &'o Heap<'a>,
}

/// The options that a call gives as constants. Those from data count as missing, except for a currency, which is
/// required.
pub fn constants<'a>(known: &KnownArguments<'_, 'a>) -> Vec<(&'a str, Value<'a>)> {
    let mut named: Vec<_> = known.named.iter().filter_map(|(name, value)| Some((*name, (*value)?))).collect();
    let has_format = known.arg(1).is_none_or(|format| !format.is_nothing());
    if has_format || known.named("currency").is_none() {
        named.push(("currency", Value::Text("USD")));
    }
    named
}

impl<'a> FormatOptions<'_, 'a> {
    /// The options without a named format.
    pub fn plain<'o>(named: &'o [(&'a str, Value<'a>)], heap: &'o Heap<'a>) -> FormatOptions<'o, 'a> {
        FormatOptions { named, format: Value::Undefined, heap }
    }

    /// An option; nothing if it was not given.
    pub fn get(&self, name: &str) -> Result<Value<'a>, Problem> {
        match self.named.iter().find(|(known, _)| *known == name) {
            Some((_, value)) if !value.is_nothing() => Ok(*value),
            _ if self.format.is_object() => self.format.member(name, self.heap),
            _ => Ok(Value::Undefined),
        }
    }

    /// One of a few words, by its place among them.
    pub fn word(&self, name: &str, words: &[&str]) -> Result<Option<usize>, Problem> {
        let value = self.get(name)?;
        if value.is_nothing() {
            return Ok(None);
        }
        match words.iter().position(|word| value.as_text() == Some(word)) {
            Some(place) => Ok(Some(place)),
            None => Err(expected(&format!("{name}= to be one of '{}'", words.join("', '")), value)),
        }
    }

    /// A number within limits.
    pub fn count(&self, name: &str, least: i16, most: i16) -> Result<Option<i16>, Problem> {
        let value = self.get(name)?;
        if value.is_nothing() {
            return Ok(None);
        }
        let number = value.number(self.heap)?;
        if !(f64::from(least)..=f64::from(most)).contains(&number) {
            return Err(expected(&format!("{name}= to be a number from {least} to {most}"), value));
        }
        Ok(Some(number as i16))
    }

    /// The least and the most of something. A limit that is not given adapts to the one that is.
    pub fn limits(&self, what: &str, range: [i16; 2], usual: [i16; 2]) -> Result<[i16; 2], Problem> {
        let least = self.count(&format!("minimum{what}"), range[0], range[1])?;
        let most = self.count(&format!("maximum{what}"), range[0], range[1])?;
        match (least, most) {
            (None, None) => Ok(usual),
            (Some(least), None) => Ok([least, usual[1].max(least)]),
            (None, Some(most)) => Ok([usual[0].min(most), most]),
            (Some(least), Some(most)) if least > most => {
                let expected = format!("expected minimum{what}= to be a number from {} to {most}", range[0]);
                Err(Problem(format!("{expected}, which is maximum{what}=, found the number {least}")))
            }
            (Some(least), Some(most)) => Ok([least, most]),
        }
    }
}
