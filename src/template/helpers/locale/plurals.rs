//! The plural categories of languages.

use std::str::FromStr;

use fixed_decimal::Decimal;
use icu_locale_core::Locale as Tag;
use icu_plurals::{PluralCategory, PluralOperands, PluralRuleType, PluralRules, PluralRulesOptions};

use super::parts::language_of;

/// The category of a number, such as `one`, in the language of a tag.
pub fn category(tag: &str, number: f64, kind: PluralRuleType) -> &'static str {
    let tag = tag.replace('_', "-");
    let is_language = (2..=3).contains(&language_of(&tag).len());
    let tag = Tag::from_str(&tag).ok().filter(|_| is_language);
    let options = PluralRulesOptions::default().with_type(kind);
    let rules = PluralRules::try_new(tag.unwrap_or(icu_locale_core::locale!("en")).into(), options);
    let operands = decimal(number).map(|decimal| PluralOperands::from(&decimal));
    match (rules, operands) {
        (Ok(rules), Some(operands)) => name(rules.category_for(operands)),
        _ => "other",
    }
}

fn name(category: PluralCategory) -> &'static str {
    match category {
        PluralCategory::Zero => "zero",
        PluralCategory::One => "one",
        PluralCategory::Two => "two",
        PluralCategory::Few => "few",
        PluralCategory::Many => "many",
        PluralCategory::Other => "other",
    }
}

/// The shortest decimal form of a number, without its sign.
pub fn decimal(number: f64) -> Option<Decimal> {
    if number.is_finite() { Decimal::from_str(&format!("{:e}", number.abs())).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_categories() {
        use PluralRuleType::{Cardinal, Ordinal};
        for (tag, number, kind, found) in [
            ("en", 1.0, Cardinal, "one"),
            ("en-US", 1.5, Cardinal, "other"),
            ("en", 2.0, Ordinal, "two"),
            ("en", 12.0, Ordinal, "other"),
            ("en", 103.0, Ordinal, "few"),
            ("fr", 1.5, Cardinal, "one"),
            ("fr", 1e6, Cardinal, "many"),
            ("ru", 3.0, Cardinal, "few"),
            ("ru", 5.0, Cardinal, "many"),
            ("pl", -2.0, Cardinal, "few"),
            ("uk", 21.0, Cardinal, "one"),
            ("ja", 1.0, Cardinal, "other"),
            ("de_AT", 1.0, Cardinal, "one"),
            ("english", 1.0, Cardinal, "one"),
            ("!", 1.0, Cardinal, "one"),
            ("en", f64::NAN, Cardinal, "other"),
            ("en", 1e300, Cardinal, "other"),
        ] {
            assert_eq!(category(tag, number, kind), found, "{tag} {number}");
        }
    }
}
