//! How languages write numbers, currencies, dates and relative times. The data are those of CLDR 48, as `Intl` of Node
//! 20 shows them, in a file for each kind.

mod dates;
mod numbers;
mod parts;
mod patterns;
mod plurals;
mod relative;

use dates::Dates;
use numbers::Numbers;
pub use numbers::{minor_digits, narrow_symbol};
use parts::language_of;
pub use patterns::{DatePattern, Joint, TimePattern};
pub use plurals::{category, decimal};
use relative::Relative;
pub use relative::UNITS;

pub struct Locale {
    pub tag: &'static str,
    pub numbers: Numbers,
    pub dates: Dates,
    pub relative: Relative,
}

static LOCALES: [Locale; 19] = [
    Locale { tag: "en-US", numbers: numbers::EN_US, dates: dates::EN_US, relative: relative::EN_US },
    Locale { tag: "en-GB", numbers: numbers::EN_GB, dates: dates::EN_GB, relative: relative::EN_GB },
    Locale { tag: "de", numbers: numbers::DE, dates: dates::DE, relative: relative::DE },
    Locale { tag: "fr", numbers: numbers::FR, dates: dates::FR, relative: relative::FR },
    Locale { tag: "es", numbers: numbers::ES, dates: dates::ES, relative: relative::ES },
    Locale { tag: "it", numbers: numbers::IT, dates: dates::IT, relative: relative::IT },
    Locale { tag: "pt", numbers: numbers::PT, dates: dates::PT, relative: relative::PT },
    Locale { tag: "nl", numbers: numbers::NL, dates: dates::NL, relative: relative::NL },
    Locale { tag: "sv", numbers: numbers::SV, dates: dates::SV, relative: relative::SV },
    Locale { tag: "da", numbers: numbers::DA, dates: dates::DA, relative: relative::DA },
    Locale { tag: "nb", numbers: numbers::NB, dates: dates::NB, relative: relative::NB },
    Locale { tag: "fi", numbers: numbers::FI, dates: dates::FI, relative: relative::FI },
    Locale { tag: "pl", numbers: numbers::PL, dates: dates::PL, relative: relative::PL },
    Locale { tag: "cs", numbers: numbers::CS, dates: dates::CS, relative: relative::CS },
    Locale { tag: "tr", numbers: numbers::TR, dates: dates::TR, relative: relative::TR },
    Locale { tag: "ja", numbers: numbers::JA, dates: dates::JA, relative: relative::JA },
    Locale { tag: "zh", numbers: numbers::ZH, dates: dates::ZH, relative: relative::ZH },
    Locale { tag: "ko", numbers: numbers::KO, dates: dates::KO, relative: relative::KO },
    Locale { tag: "ru", numbers: numbers::RU, dates: dates::RU, relative: relative::RU },
];

/// The locale of a tag: the same, else one of its language.
pub fn find(tag: &str) -> Option<&'static Locale> {
    let tag = tag.replace('_', "-");
    let language = match language_of(&tag) {
        "no" | "nn" | "NO" | "NN" => "nb",
        language => language,
    };
    let is_british =
        ["en-AU", "en-IE", "en-IN", "en-NZ", "en-SG", "en-ZA"].iter().any(|it| tag.eq_ignore_ascii_case(it));
    let tag = if is_british { "en-GB" } else { tag.as_str() };
    let whole = LOCALES.iter().find(|locale| locale.tag.eq_ignore_ascii_case(tag));
    whole.or_else(|| LOCALES.iter().find(|locale| language_of(locale.tag).eq_ignore_ascii_case(language)))
}

/// The locale if none that is known was asked for.
pub fn american() -> &'static Locale {
    &LOCALES[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locales_are_found_by_what_is_near() {
        for (tag, found) in [
            ("en-US", Some("en-US")),
            ("en", Some("en-US")),
            ("en-CA", Some("en-US")),
            ("EN-gb", Some("en-GB")),
            ("en-AU", Some("en-GB")),
            ("de-AT", Some("de")),
            ("pt_BR", Some("pt")),
            ("no", Some("nb")),
            ("zh-Hant-TW", Some("zh")),
            ("xx", None),
            ("", None),
            ("-", None),
        ] {
            assert_eq!(find(tag).map(|locale| locale.tag), found, "{tag}");
        }
    }
}
