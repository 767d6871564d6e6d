//! The number of parts of an SMS, by GSM 03.38 and 3GPP TS 23.040.

/// The encoding of an SMS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// 7 bits a character, if all are in the GSM alphabet.
    Gsm7,
    /// 16 bits a character, or twice that beyond the basic plane.
    Ucs2,
}

impl Encoding {
    /// Twilio's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Encoding::Gsm7 => "GSM-7",
            Encoding::Ucs2 => "UCS-2",
        }
    }

    /// The most units in a single message, and in a part of a longer one, whose header takes some.
    fn limits(self) -> (usize, usize) {
        match self {
            Encoding::Gsm7 => (160, 153),
            Encoding::Ucs2 => (70, 67),
        }
    }
}

/// How an SMS is billed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segments {
    /// 0 for an empty text.
    pub count: usize,
    pub encoding: Encoding,
}

const GSM: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿\
                   abcdefghijklmnopqrstuvwxyzäöñüà";
/// Written as an escape and a second character.
const GSM_EXTENDED: &str = "\u{c}^{}\\[~]|€";

fn septets(c: char) -> Option<usize> {
    match c {
        _ if c.is_ascii_alphanumeric() || GSM.contains(c) => Some(1),
        _ if GSM_EXTENDED.contains(c) => Some(2),
        _ => None,
    }
}

/// Counts the parts of a text. A character is never split, so a part may lack its last unit.
pub fn segments(text: &str) -> Segments {
    let encoding = if text.chars().all(|c| septets(c).is_some()) { Encoding::Gsm7 } else { Encoding::Ucs2 };
    let units = |c: char| match encoding {
        Encoding::Gsm7 => septets(c).unwrap_or(1),
        Encoding::Ucs2 => c.len_utf16(),
    };
    let (whole, part) = encoding.limits();
    let total: usize = text.chars().map(units).sum();
    let count = match total {
        0 => 0,
        total if total <= whole => 1,
        _ => {
            let (mut parts, mut used) = (1, 0);
            for units in text.chars().map(units) {
                if used + units > part {
                    parts += 1;
                    used = 0;
                }
                used += units;
            }
            parts
        }
    };
    Segments { count, encoding }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_where_networks_cut_it() {
        use Encoding::{Gsm7, Ucs2};
        let cases = [
            (String::new(), 0, Gsm7),
            ("Hello, Zoé! £5 @ 9".to_owned(), 1, Gsm7),
            ("a".repeat(160), 1, Gsm7),
            ("a".repeat(161), 2, Gsm7),
            ("a".repeat(306), 2, Gsm7),
            ("a".repeat(307), 3, Gsm7),
            // The extension table counts double.
            ("€".repeat(80), 1, Gsm7),
            ("€".repeat(81), 2, Gsm7),
            // An escape and its character stay together: 153 = 76 * 2 + 1.
            ("€".repeat(152), 2, Gsm7),
            ("€".repeat(153), 3, Gsm7),
            (format!("{}€{}", "a".repeat(152), "a".repeat(152)), 3, Gsm7),
            ("ç".to_owned(), 1, Ucs2),
            ("я".repeat(70), 1, Ucs2),
            ("я".repeat(71), 2, Ucs2),
            ("я".repeat(134), 2, Ucs2),
            ("я".repeat(135), 3, Ucs2),
            ("🦀".repeat(35), 1, Ucs2),
            // Nor is a surrogate pair: 67 = 33 * 2 + 1.
            ("🦀".repeat(66), 2, Ucs2),
            ("🦀".repeat(67), 3, Ucs2),
            (format!("{}’", "a".repeat(69)), 1, Ucs2),
            (format!("{}’", "a".repeat(70)), 2, Ucs2),
        ];
        for (text, count, encoding) in cases {
            let shown: String = text.chars().take(8).collect();
            assert_eq!(segments(&text), Segments { count, encoding }, "{shown} ({} characters)", text.chars().count());
        }
    }
}
