//! How deep quotes and lists may be nested.

use std::borrow::Cow;

/// A quote or list item that begins so many bytes into its line, or later, is text. For every line a Markdown parser
/// checks all open quotes and lists: without a limit, a few thousand nested ones take minutes.
const NESTING_BYTES: usize = 100;

/// The same Markdown without what nests too deep.
pub fn shallow(source: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let (mut copied, mut start) = (0, 0);
    for line in source.split_inclusive(['\n', '\r']) {
        if let Some(at) = too_deep(line) {
            out.push_str(source.get(copied..start + at).unwrap_or_default());
            out.push('\\');
            copied = start + at;
        }
        start += line.len();
    }
    if copied == 0 {
        return Cow::Borrowed(source);
    }
    out.push_str(source.get(copied..).unwrap_or_default());
    Cow::Owned(out)
}

/// Where a line has to be escaped so that nothing else begins in it.
fn too_deep(line: &str) -> Option<usize> {
    let is_mark = |byte: &u8| byte.is_ascii_digit() || b" \t>-+*.)".contains(byte);
    if line.len() < NESTING_BYTES || !line.as_bytes().iter().take(NESTING_BYTES).all(is_mark) {
        return None;
    }
    let rest = line.get(NESTING_BYTES..)?;
    let first = rest.trim_start_matches([' ', '\t']);
    // A line of only these characters is a rule, or underlines a heading.
    let mark = first.chars().next()?;
    if "-*_=".contains(mark) && first.trim_end().chars().all(|c| c == mark || c == ' ' || c == '\t') {
        return None;
    }
    // For a number, the character behind it is the mark.
    let marks = first.trim_start_matches(|c: char| c.is_ascii_digit());
    let is_item =
        marks.starts_with(['-', '+', '*', '.', ')']) && !marks.get(1..)?.starts_with(|c: char| !c.is_whitespace());
    (is_item || marks.starts_with('>')).then(|| line.len() - marks.len())
}

#[cfg(test)]
mod tests {
    use super::super::plain;
    use super::*;

    #[test]
    fn what_nests_too_deep_is_text() {
        let (quotes, items) = ("> ".repeat(50), "- ".repeat(50));
        let rule = format!("{items}---");
        let cases = [
            (format!("{quotes}> a"), Some(100)),
            (format!("{quotes}   > a"), Some(103)),
            (format!("{items}- a"), Some(100)),
            (format!("{items}12) a"), Some(102)),
            (format!("{}>", ">".repeat(100)), Some(100)),
            (format!("{items}a - b"), None),
            (format!("{items}-b"), None),
            (format!("{items}12"), None),
            (format!("{}\n", "* ".repeat(60)), None),
            (rule, None),
            (".".repeat(200), None),
            ("- ".repeat(49), None),
            (" ".repeat(200), None),
            (format!("{}é - a", "- ".repeat(50)), None),
        ];
        for (line, at) in cases {
            assert_eq!(too_deep(&line), at, "{line}");
        }
        let source = format!("a\n{items}- b\r{quotes}> *c*\n- d");
        assert_eq!(shallow(&source), format!("a\n{items}\\- b\r{quotes}\\> *c*\n- d"));
        assert!(plain(&source).contains("> c\n"));
        // Some minutes' work if lists nested without a limit.
        for mark in ["- ", "> ", "1. "] {
            let source = mark.repeat(400_000) + &"a\n".repeat(400_000);
            assert!(plain(&source).len() > 800_000, "{mark}");
        }
    }
}
