//! The parts without escapes in Markdown that is passed on: code, and the addresses of links. Texts are stored with a
//! backslash before each character of the data that could be markup. Here these backslashes are removed.

use std::borrow::Cow;

use super::super::chat::BACKTICK;

/// The author's Markdown with backslashes in code doubled, to distinguish them from those before data.
pub fn guarded(source: &str) -> Cow<'_, str> {
    if !source.contains('\\') || !source.contains('`') {
        return Cow::Borrowed(source);
    }
    let mut out = String::with_capacity(source.len() + 8);
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '{' if rest.starts_with("{{") => rest.find("}}").map_or(rest.len(), |at| at + 2),
            '\\' => 1 + rest.chars().nth(1).map_or(0, char::len_utf8),
            '`' => {
                let fence = run(rest);
                let code = rest.get(fence..).unwrap_or_default();
                if let Some(end) = closing(code, fence, false) {
                    out.push_str(rest.get(..fence).unwrap_or_default());
                    push_doubled(code.get(..end).unwrap_or_default(), &mut out);
                    out.push_str(rest.get(..fence).unwrap_or_default());
                    rest = code.get(end + fence..).unwrap_or_default();
                    continue;
                }
                fence
            }
            first => first.len_utf8(),
        };
        let (before, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
        out.push_str(before);
        rest = after;
    }
    Cow::Owned(out)
}

/// A backslash before a tag belongs to the tag.
fn push_doubled(code: &str, out: &mut String) {
    for (at, c) in code.char_indices() {
        out.push(c);
        if c == '\\' && !code.get(at + 1..).unwrap_or_default().starts_with("{{") {
            out.push(c);
        }
    }
}

/// Markdown in which code and addresses contain the data themselves.
pub fn settled(source: &str) -> Cow<'_, str> {
    if !source.contains('`') && !source.contains("](") {
        return Cow::Borrowed(source);
    }
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '\\' => 1 + rest.chars().nth(1).map_or(0, char::len_utf8),
            '`' => {
                let fence = run(rest);
                let code = rest.get(fence..).unwrap_or_default();
                let is_block = fence >= 3 && out.rsplit('\n').next().is_some_and(|line| line.trim().is_empty());
                let end = closing(code, fence, true).or(is_block.then_some(code.len()));
                if let Some(end) = end {
                    push_code(code.get(..end).unwrap_or_default(), fence, is_block, &mut out);
                    rest = code.get(end + fence..).unwrap_or_default();
                    continue;
                }
                fence
            }
            ']' if rest.starts_with("](") => {
                let inside = rest.get(2..).unwrap_or_default();
                if let Some(end) = address_end(inside) {
                    out.push_str("](");
                    push_address(inside.get(..end).unwrap_or_default(), &mut out);
                    rest = inside.get(end..).unwrap_or_default();
                    continue;
                }
                2
            }
            first => first.len_utf8(),
        };
        let (before, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
        out.push_str(before);
        rest = after;
    }
    Cow::Owned(out)
}

/// The number of backticks at the start of a text.
fn run(text: &str) -> usize {
    text.bytes().take_while(|b| *b == b'`').count()
}

/// The place of as many backticks as have opened the code; with `is_escaped` none of them behind a backslash.
fn closing(code: &str, fence: usize, is_escaped: bool) -> Option<usize> {
    let mut at = 0;
    while let Some(rest) = code.get(at..).filter(|rest| !rest.is_empty()) {
        match rest.chars().next() {
            Some('\\') if is_escaped => at += 1 + rest.chars().nth(1).map_or(0, char::len_utf8),
            Some('`') if run(rest) == fence => return Some(at),
            Some('`') => at += run(rest),
            c => at += c.map_or(1, char::len_utf8),
        }
    }
    None
}

/// Characters that have a backslash before them in data.
fn is_marked(c: char) -> bool {
    "\\*_`[]<>()~#&|-+.".contains(c)
}

/// The characters of a text, and whether each belongs to data.
fn characters(text: &str) -> impl Iterator<Item = (char, bool)> {
    let mut chars = text.chars().peekable();
    std::iter::from_fn(move || {
        let c = chars.next()?;
        let data = chars.next_if(|next| c == '\\' && is_marked(*next));
        Some(data.map_or((c, false), |data| (data, true)))
    })
}

/// The longest run of backticks in code decides how many surround it. A block has three of another character.
fn push_code(code: &str, fence: usize, is_block: bool, out: &mut String) {
    let words: String =
        characters(code).map(|(c, is_data)| if is_block && is_data && c == '`' { BACKTICK } else { c }).collect();
    let longest = words.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    let around = "`".repeat(if is_block || longest == 0 { fence } else { fence.max(longest + 1) });
    let is_open = |c: Option<char>| c == Some('`') && longest > 0 && !is_block;
    out.push_str(&around);
    out.push_str(if is_open(words.chars().next()) { " " } else { "" });
    out.push_str(&words);
    out.push_str(if is_open(words.chars().next_back()) { " " } else { "" });
    out.push_str(&around);
}

/// The end of a link's address, with its title if it has one.
fn address_end(inside: &str) -> Option<usize> {
    let (mut depth, mut is_behind) = (0_usize, false);
    for (at, c) in inside.char_indices() {
        match c {
            _ if std::mem::take(&mut is_behind) => {}
            '\\' => is_behind = true,
            '\n' => return None,
            '(' => depth += 1,
            ')' if depth == 0 => return Some(at),
            ')' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// In data, characters that would end the address are percent-encoded, and backslashes are removed.
fn push_address(inside: &str, out: &mut String) {
    let is_title = |title: &str| title.len() > 1 && title.ends_with('"') || title.ends_with('\'') && title.len() > 1;
    let title =
        [" \"", " '"].iter().find_map(|open| inside.find(open)).filter(|at| inside.get(at + 1..).is_some_and(is_title));
    let (address, title) = inside.split_at_checked(title.unwrap_or(inside.len())).unwrap_or((inside, ""));
    let is_bracketed = address.trim().starts_with('<');
    for (c, is_data) in characters(address.trim()) {
        match c {
            ' ' if !is_bracketed => out.push_str("%20"),
            '(' | ')' | '<' | '>' | '\\' if is_data => out.push_str(&format!("%{:02X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push_str(title);
}

/// The author's Markdown in parts: those in an address that contains data, and others. `None` if there is no such
/// address, or blocks may begin and end anywhere.
pub fn addresses(source: &str) -> Option<Vec<(&str, bool)>> {
    let is_plain = |tag: &str| {
        !tag.trim_start_matches(['{', '~']).starts_with(['#', '/', '^', '!', '>', '&', '*'])
            && !tag.trim_start_matches(['{', '~', ' ']).starts_with("else")
    };
    if !source.contains("](") || !source.contains("{{") || !source.split("{{").skip(1).all(is_plain) {
        return None;
    }
    let (mut parts, mut from, mut at) = (Vec::new(), 0, 0);
    while let Some(found) = source.get(at..)?.find("](") {
        let begin = at + found + 2;
        let inside = source.get(begin..)?;
        at = begin;
        let Some(end) = length_with_tags(inside) else { continue };
        if inside.get(..end)?.contains("{{") {
            parts.push((source.get(from..begin)?, false));
            parts.push((inside.get(..end)?, true));
            from = begin + end;
        }
        at = begin + end;
    }
    parts.push((source.get(from..)?, false));
    (parts.len() > 1).then_some(parts)
}

/// The length of an address with tags: up to its parenthesis or its title.
fn length_with_tags(inside: &str) -> Option<usize> {
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(rest) = inside.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with("{{") {
            at += rest.find("}}")? + 2;
            at += inside.get(at..)?.bytes().take_while(|b| *b == b'}').count();
            continue;
        }
        let c = rest.chars().next()?;
        match c {
            ')' if depth == 0 => return Some(at),
            ' ' => return Some(at),
            '\n' | '<' | '\\' => return None,
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        at += c.len_utf8();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_and_addresses_know_no_escapes() {
        for (source, expected) in [
            ("Run `a\\_b\\*c \\(1\\)` \\*x\\*", "Run `a_b*c (1)` \\*x\\*"),
            ("`a\\`b`", "``a`b``"),
            ("`\\`b`", "`` `b``"),
            ("```\na\\`\\`\\`\n```", "```\na\u{2cb}\u{2cb}\u{2cb}\n```"),
            ("`C:\\\\x`", "`C:\\x`"),
            ("[a](https://x.y/?a\\_b\\&c=New York\\))", "[a](https://x.y/?a_b&c=New%20York%29)"),
            ("[a](https://x.y \"t\") \\`", "[a](https://x.y \"t\") \\`"),
            ("a ` b \\_", "a ` b \\_"),
        ] {
            assert_eq!(settled(source), expected, "{source}");
        }
        assert_eq!(guarded("`C:\\x` \\* `\\{{a}}`"), "`C:\\\\x` \\* `\\{{a}}`");
    }

    #[test]
    fn addresses_of_data_are_told() {
        let parts = addresses("[a](https://x.y/?q={{f \")\"}}&z) b [c](d)");
        assert_eq!(parts.unwrap(), [("[a](", false), ("https://x.y/?q={{f \")\"}}&z", true), (") b [c](d)", false)]);
        assert!(addresses("{{#if a}}[a]({{b}}){{/if}}").is_none() && addresses("[a](b) {{c}}").is_none());
    }
}
