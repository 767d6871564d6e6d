//! `+underlined+` words, as Courier's designer writes them. Markdown has no mark for them.

use std::borrow::Cow;

use super::super::escape::UNDERLINE;

/// Replaces `+underlined+` marks, as Courier's designer writes them, with marks that nothing else has.
pub fn underlines(source: &str) -> Cow<'_, str> {
    if source.matches('+').nth(1).is_none() {
        return Cow::Borrowed(source);
    }
    let mut out = String::new();
    let (mut from, mut at) = (0, 0);
    while let Some(open) = source[at..].find(['+', '{', '`', '\\']).map(|found| at + found) {
        let rest = &source[open..];
        at = open + skipped(rest);
        let before = source[..open].chars().next_back();
        let may_open = before.is_none_or(|c| c.is_whitespace() || "*_~([\"'>".contains(c));
        let Some(close) = rest.starts_with('+').then(|| underline_end(rest)).flatten().filter(|_| may_open) else {
            continue;
        };
        out.push_str(&source[from..open]);
        out.push(UNDERLINE[0]);
        out.push_str(&rest[1..close]);
        out.push(UNDERLINE[1]);
        from = open + close + 1;
        at = from;
    }
    if from == 0 {
        return Cow::Borrowed(source);
    }
    out.push_str(&source[from..]);
    Cow::Owned(out)
}

/// The same without the marks, for readers that get Markdown as it is and have no such mark.
pub fn without_underlines(source: &str) -> Cow<'_, str> {
    match underlines(source) {
        Cow::Owned(marked) => Cow::Owned(marked.replace(UNDERLINE, "")),
        source => source,
    }
}

/// The length of a tag, code, an escaped character or another character at the start of a text.
fn skipped(text: &str) -> usize {
    let until = |mark: &str| text[mark.len()..].find(mark).map(|at| at + 2 * mark.len());
    let first = |text: &str| text.chars().next().map_or(0, char::len_utf8);
    match text.as_bytes() {
        [b'{', b'{', ..] => text.find("}}").map_or(text.len(), |at| at + 2),
        [b'`', ..] => until("`").unwrap_or(1),
        [b'\\', ..] => 1 + first(&text[1..]),
        _ => first(text),
    }
}

/// The place of the mark that ends the underlined words at the start of a text.
fn underline_end(text: &str) -> Option<usize> {
    let begins = |c: char| !c.is_whitespace() && !c.is_ascii_digit() && c != '+';
    text[1..].starts_with(begins).then_some(())?;
    let mut at = 1;
    while let Some(found) = text[at..].find(['+', '{', '`', '\\', '\n']).map(|found| at + found) {
        let after = text[found + 1..].chars().next();
        let before = text[..found].chars().next_back();
        if text[found..].starts_with('\n') {
            return None;
        }
        let is_inside = after.is_some_and(|c| c.is_alphanumeric() || c == '+');
        if text[found..].starts_with('+') && !is_inside && before.is_some_and(|c| !c.is_whitespace()) {
            return Some(found);
        }
        at = found + skipped(&text[found..]);
    }
    None
}

/// Words that are shown as they are, or an address.
pub fn without_marks(words: &str) -> Cow<'_, str> {
    match words.contains(UNDERLINE) {
        true => Cow::Owned(words.replace(UNDERLINE, "+")),
        false => Cow::Borrowed(words),
    }
}
