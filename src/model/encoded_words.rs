//! Words of headers that are encoded, as RFC 2047 has it: `=?utf-8?Q?Ad=C3=A9?=`.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

/// A text with its encoded words decoded. Those in an unknown character set stay as they are.
pub fn decoded(text: &str) -> String {
    let (mut plain, mut rest, mut was_encoded) = (String::with_capacity(text.len()), text, false);
    while let Some((before, from)) = rest.find("=?").and_then(|at| rest.split_at_checked(at)) {
        match word(from) {
            Some((decoded, behind)) => {
                // Whitespace between two encoded words is dropped.
                if !(was_encoded && before.trim().is_empty()) {
                    plain.push_str(before);
                }
                plain.push_str(&decoded);
                (rest, was_encoded) = (behind, true);
            }
            None => {
                plain.push_str(before);
                plain.push_str("=?");
                (rest, was_encoded) = (from.get(2..).unwrap_or_default(), false);
            }
        }
    }
    plain.push_str(rest);
    plain
}

/// The word at the start of a text, and what follows it.
fn word(text: &str) -> Option<(String, &str)> {
    let (charset, rest) = text.strip_prefix("=?")?.split_once('?')?;
    let (encoding, rest) = rest.split_once('?')?;
    let (data, rest) = rest.split_once("?=")?;
    let bytes = match encoding {
        "Q" | "q" => quoted(data)?,
        "B" | "b" => BASE64_STANDARD.decode(data).ok()?,
        _ => return None,
    };
    // A language may follow.
    let charset = charset.split('*').next().unwrap_or_default();
    let decoded = match charset.to_ascii_lowercase().as_str() {
        "utf-8" | "utf8" | "us-ascii" | "ascii" => String::from_utf8(bytes).ok()?,
        "iso-8859-1" | "latin1" => bytes.into_iter().map(char::from).collect(),
        _ => return None,
    };
    Some((decoded, rest))
}

fn quoted(data: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(data.len());
    let mut rest = data.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'_' => b' ',
            b'=' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            byte => byte,
        });
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_decoded_and_others_stay() {
        for (text, expected) in [
            ("Ada", "Ada"),
            ("=?utf-8?Q?Ad=C3=A9_L.?=", "Adé L."),
            ("=?UTF-8?B?QWTDqQ==?= =?utf-8*de?q?_L?= x", "Adé L x"),
            ("=?iso-8859-1?q?Ad=E9?=", "Adé"),
            ("=?koi8-r?q?=E9?=", "=?koi8-r?q?=E9?="),
            ("=?utf-8?q?=E?= =?", "=?utf-8?q?=E?= =?"),
            ("a =?utf-8?x?a?= b", "a =?utf-8?x?a?= b"),
        ] {
            assert_eq!(decoded(text), expected, "{text}");
        }
    }
}
