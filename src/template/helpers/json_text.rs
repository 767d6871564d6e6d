//! JSON in texts: errors with their place, in words for its author.

use crate::json::{cut, quoted};
use crate::template::budget::Problem;

/// Why a text is not JSON, from serde's error.
pub fn problem(text: &str, error: &serde_json::Error) -> Problem {
    if text.trim().is_empty() {
        return Problem::new("expected JSON, found an empty text");
    }
    if error.is_eof() {
        return Problem(format!("expected JSON, found the end of {}", cut(text)));
    }
    let line_start: usize = text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
    // serde counts what it has read: everything up to the character, except one that may not occur in a text.
    let is_read = !error.to_string().starts_with("control character");
    let mut at = (line_start + error.column()).saturating_sub(usize::from(is_read)).min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    let (before, rest) = text.split_at_checked(at).unwrap_or((text, ""));
    let place = match before.rsplit_once('\n') {
        None if !text.contains('\n') => format!("character {}", before.chars().count() + 1),
        line => {
            let column = line.map_or(before, |(_, line)| line).chars().count() + 1;
            format!("line {}, column {column}", before.matches('\n').count() + 1)
        }
    };
    Problem(format!("expected JSON, found {} at {place} of {}", character(rest), cut(text)))
}

/// The character at the start of a text, as an error shows it.
fn character(text: &str) -> String {
    match text.chars().next() {
        None => "its end".to_owned(),
        Some('\n') => "a line break".to_owned(),
        Some(c) if c.is_control() => "a control character".to_owned(),
        Some('\'') => "\"'\"".to_owned(),
        Some(c) => format!("'{c}'"),
    }
}

/// Decodes JSON's escapes in a text. Quotes stand for themselves.
pub fn unescaped(text: &str) -> Result<String, Problem> {
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while !rest.is_empty() {
        let Some((c, length)) = first(rest) else { return Err(no_escape(text, rest)) };
        out.push(c);
        rest = rest.get(length..).unwrap_or_default();
    }
    Ok(out)
}

fn no_escape(text: &str, rest: &str) -> Problem {
    let place = text.get(..text.len() - rest.len()).unwrap_or_default().chars().count() + 1;
    let length = if rest.starts_with("\\u") { 6 } else { 2 };
    let found = match rest.strip_prefix('\\') {
        Some(_) => quoted(&rest.chars().take(length).collect::<String>()),
        None => character(rest),
    };
    let expected = "expected JSON's escapes such as \\n and \\u0041";
    Problem(format!("{expected}, found {found} at character {place} of {}", cut(text)))
}

/// The character at the start of a text, and the length of its spelling.
fn first(text: &str) -> Option<(char, usize)> {
    let c = text.chars().next().filter(|c| *c >= ' ')?;
    if c != '\\' {
        return Some((c, c.len_utf8()));
    }
    let c = match text.as_bytes().get(1)? {
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return by_number(text),
        _ => return None,
    };
    Some((c, 2))
}

/// `\u0041`, or two of these for one character.
fn by_number(text: &str) -> Option<(char, usize)> {
    let unit = |at: usize| {
        let digits = text.get(at..at + 4).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        u16::from_str_radix(digits, 16).ok()
    };
    let first = unit(2)?;
    if let Some(c) = char::from_u32(first.into()) {
        return Some((c, 6));
    }
    let second = unit(8).filter(|_| text.get(6..8) == Some("\\u"))?;
    char::decode_utf16([first, second]).next()?.ok().map(|c| (c, 12))
}

#[cfg(test)]
mod tests {
    use super::{problem, unescaped};

    #[test]
    fn broken_json_is_told_with_its_place() {
        for (text, expected) in [
            ("", "expected JSON, found an empty text"),
            (" \n", "expected JSON, found an empty text"),
            ("{plan}", r#"expected JSON, found 'p' at character 2 of "{plan}""#),
            ("[1,]", r#"expected JSON, found ']' at character 4 of "[1,]""#),
            ("é x", r#"expected JSON, found 'é' at character 1 of "é x""#),
            (r#"["é", x]"#, r#"expected JSON, found 'x' at character 7 of "[\"é\", x]""#),
            ("{} {}", r#"expected JSON, found '{' at character 4 of "{} {}""#),
            ("[1", r#"expected JSON, found the end of "[1""#),
            ("{\n \"a\": b\n}", r#"expected JSON, found 'b' at line 2, column 7 of "{\n \"a\": b\n}""#),
            ("\"a\nb\"", r#"expected JSON, found a line break at line 1, column 3 of "\"a\nb\"""#),
            ("\"a\u{1}\"", r#"expected JSON, found a control character at character 3 of "\"a\u0001\"""#),
            (r#""\q""#, r#"expected JSON, found 'q' at character 3 of "\"\\q\"""#),
        ] {
            let error = serde_json::from_str::<&serde_json::value::RawValue>(text).unwrap_err();
            assert_eq!(problem(text, &error).0, expected, "{text}");
        }
    }

    #[test]
    fn escapes_are_read() {
        let found = |text| unescaped(text).map_err(|problem| problem.0);
        assert_eq!(found(r#"a\nb\u0041\t "\/\\\b\f\r é \ud83c\udf89"#).unwrap(), "a\nbA\t \"/\\\u{8}\u{c}\r é 🎉");
        let expected = |found: &str| Err(format!("expected JSON's escapes such as \\n and \\u0041, found {found}"));
        assert_eq!(found("é\\"), expected(r#""\\" at character 2 of "é\\""#));
        assert_eq!(found(r"a\qb"), expected(r#""\\q" at character 2 of "a\\qb""#));
        assert_eq!(found(r"\u00zz"), expected(r#""\\u00zz" at character 1 of "\\u00zz""#));
        assert_eq!(found(r"\ud83c"), expected(r#""\\ud83c" at character 1 of "\\ud83c""#));
        assert_eq!(found("a\nb"), expected(r#"a line break at character 2 of "a\nb""#));
        assert_eq!(found(r#"\""#), expected(r#""\\\"" at character 1 of "\\\"""#));
    }
}
