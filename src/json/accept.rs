//! What JSON must be beyond its grammar, so that every program that gets it again can read it: one rule for all that is
//! accepted, whether it is used here or skipped. Numbers that no double holds and lone surrogates are not checked: what
//! is not read is kept as it was sent.

use crate::error::{Error, Result};

/// The most arrays and objects inside one another, the outermost included. The value of a body's member then has at
/// most 127, which serde_json can read again. Clients and SQLite have higher limits of their own.
const LEVELS: usize = 128;

/// Refuses a byte order mark and what nests too deeply. Does not check whether the text is JSON at all. `at` is what an
/// error names.
pub fn accept(text: &str, at: &str) -> Result<()> {
    if text.starts_with('\u{feff}') {
        return Err(Error::invalid(at, "expected JSON without a byte order mark"));
    }
    match too_deep(text.as_bytes()) {
        None => Ok(()),
        Some(place) => Err(Error::invalid(
            at,
            format_args!("expected at most {LEVELS} levels of arrays and objects, found more at byte {place}"),
        )),
    }
}

/// Where the first level too many begins.
fn too_deep(bytes: &[u8]) -> Option<usize> {
    let (mut place, mut levels) = (0, 0_usize);
    while let Some(&byte) = bytes.get(place) {
        match byte {
            b'"' => place = end_of_string(bytes, place + 1)?,
            b'{' | b'[' if levels == LEVELS => return Some(place),
            b'{' | b'[' => levels += 1,
            b'}' | b']' => levels = levels.saturating_sub(1),
            _ => {}
        }
        place += 1;
    }
    None
}

/// The closing quote of a string whose content begins at `place`.
fn end_of_string(bytes: &[u8], mut place: usize) -> Option<usize> {
    loop {
        match bytes.get(place)? {
            b'"' => return Some(place),
            b'\\' => place += 2,
            _ => place += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::accept;

    fn refusal(text: &str) -> Option<String> {
        accept(text, "it").err().map(|error| error.to_string())
    }

    fn nested(levels: usize) -> String {
        format!("{}{}", "[".repeat(levels), "]".repeat(levels))
    }

    #[test]
    fn what_can_be_read_again_is_taken() {
        let brackets = format!(r#"["{}"]"#, "[{\\\"".repeat(200));
        let side_by_side = format!("[{}1]", "[],{},".repeat(500));
        let texts = [
            "",
            r#"{"a":[1,-2.5e3,1e308,0.1,1e-999,true,false,null]}"#,
            r#"["\ud83c\udf89","\\ud83c","\u00e9","1e999","\"","é"]"#,
            &nested(128),
            &brackets,
            &side_by_side,
            // Not JSON, which another check reports.
            "]]]}}}",
            "\"",
            "\"\\",
            &format!("{}\"\\", "[]".repeat(200)),
        ];
        for text in texts {
            assert_eq!(refusal(text), None, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_again_is_refused() {
        let (deep, after) = (nested(129), format!("[[],{}]", nested(128)));
        let cases = [
            ("\u{feff}{}", "it: expected JSON without a byte order mark"),
            (&deep, "it: expected at most 128 levels of arrays and objects, found more at byte 128"),
            (&after, "it: expected at most 128 levels of arrays and objects, found more at byte 131"),
        ];
        for (text, expected) in cases {
            assert_eq!(refusal(text).as_deref(), Some(expected), "{text}");
        }
    }
}
