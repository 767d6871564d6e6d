//! The language of an e-mail, and its text direction.

use icu_locale_core::Locale;

use crate::model::names;

names! {
    Direction { LeftToRight = "ltr", RightToLeft = "rtl" }
}

/// The language if none is given.
const DEFAULT: &str = "en";

/// Scripts that are written from right to left.
const SCRIPTS: [&str; 16] = [
    "Adlm", "Arab", "Armi", "Hebr", "Hung", "Mand", "Mend", "Nkoo", "Phlp", "Prti", "Rohg", "Samr", "Sogd", "Syrc",
    "Thaa", "Yezi",
];

/// Languages that are written in one of them, unless a locale names another script.
const LANGUAGES: [&str; 30] = [
    "ar", "arc", "arz", "aeb", "acm", "ajp", "apc", "ary", "azb", "ckb", "dv", "fa", "glk", "he", "iw", "ji", "ks",
    "lrc", "mzn", "nqo", "pnb", "ps", "prs", "rhg", "sd", "skr", "syr", "ug", "ur", "yi",
];

/// Languages that are written in one of them in some countries only.
const COUNTRIES: [(&str, &[&str]); 6] = [
    ("az", &["IQ", "IR"]),
    ("ku", &["IQ", "IR", "LB"]),
    ("pa", &["PK"]),
    ("tk", &["AF", "IR"]),
    ("uz", &["AF"]),
    ("ms", &["CC"]),
];

impl Direction {
    /// The side on which a line begins.
    pub fn side(self) -> &'static str {
        match self {
            Direction::LeftToRight => "left",
            Direction::RightToLeft => "right",
        }
    }
}

/// As HTML has it in `lang` and `dir`.
pub struct Language {
    pub tag: String,
    pub direction: Direction,
}

impl Language {
    /// The language of a locale such as `he_IL`, `ar` or `az-Arab`. An invalid locale counts as none.
    pub fn of(locale: Option<&str>) -> Self {
        let found = locale.and_then(|it| Locale::try_from_str(&it.trim().replace('_', "-")).ok());
        let Some(id) = found.map(|it| it.id).filter(|id| !id.language.is_unknown()) else {
            return Language { tag: DEFAULT.to_owned(), direction: Direction::LeftToRight };
        };
        let (language, country) = (id.language.as_str(), id.region);
        let is_right_to_left = match id.script {
            Some(script) => SCRIPTS.contains(&script.as_str()),
            None => {
                let of_country = COUNTRIES.iter().find(|(it, _)| *it == language);
                LANGUAGES.contains(&language)
                    || of_country.zip(country).is_some_and(|((_, countries), it)| countries.contains(&it.as_str()))
            }
        };
        let direction = if is_right_to_left { Direction::RightToLeft } else { Direction::LeftToRight };
        Language { tag: id.to_string(), direction }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locale_says_where_a_line_begins() {
        let cases = [
            ("he", "he", "rtl"),
            ("he_IL", "he-IL", "rtl"),
            (" AR-eg ", "ar-EG", "rtl"),
            ("fa-IR-u-nu-latn", "fa-IR", "rtl"),
            ("ur", "ur", "rtl"),
            ("yi", "yi", "rtl"),
            ("az-Arab", "az-Arab", "rtl"),
            ("az", "az", "ltr"),
            ("pa_Arab_PK", "pa-Arab-PK", "rtl"),
            ("pa-PK", "pa-PK", "rtl"),
            ("pa-IN", "pa-IN", "ltr"),
            ("ur-Latn", "ur-Latn", "ltr"),
            ("sr_latn", "sr-Latn", "ltr"),
            ("en-US", "en-US", "ltr"),
            ("", "en", "ltr"),
            ("und", "en", "ltr"),
            ("\"><script>", "en", "ltr"),
        ];
        for (locale, tag, direction) in cases {
            let language = Language::of(Some(locale));
            assert_eq!((language.tag.as_str(), language.direction.name()), (tag, direction), "{locale}");
        }
    }
}
