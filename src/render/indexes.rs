//! Indexes as Courier writes them, `items[0].name`; for the engine it is `items.[0].name`.

use std::borrow::Cow;

/// A text, with the paths in its tags as the engine takes them.
pub fn in_text(source: &str) -> Cow<'_, str> {
    // Four braces begin what is no text of ours.
    if !source.contains('[') || source.contains("{{{{") {
        return Cow::Borrowed(source);
    }
    let (mut out, mut rest) = (String::with_capacity(source.len() + 16), source);
    while let Some(at) = rest.find("{{") {
        let (before, tag) = rest.split_at(at);
        out.push_str(before);
        let backslashes = before.bytes().rev().take_while(|byte| *byte == b'\\').count();
        let inside = tag.trim_start_matches(['{', '~']);
        let length = if backslashes == 1 {
            "{{".len()
        } else if inside.starts_with('!') {
            let end = if inside.starts_with("!--") { "--}}" } else { "}}" };
            tag.find(end).map_or(tag.len(), |at| at + end.len())
        } else {
            rest = &tag[copy(tag, true, &mut out)..];
            continue;
        };
        let (as_it_is, after) = tag.split_at(length);
        out.push_str(as_it_is);
        rest = after;
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// A path as the engine takes it.
pub fn in_path(path: &str) -> Cow<'_, str> {
    if !path.contains('[') {
        return Cow::Borrowed(path);
    }
    let mut out = String::with_capacity(path.len() + 16);
    copy(path, false, &mut out);
    Cow::Owned(out)
}

/// Copies a tag up to its end, or all of the text, with points before indexes. Returns how much of it that was.
fn copy(text: &str, is_tag: bool, out: &mut String) -> usize {
    let mut at = 0;
    let mut last = ' ';
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        if is_tag && rest.starts_with("}}") {
            return at;
        }
        let is_index = c == '[' && (last.is_alphanumeric() || matches!(last, '_' | '$' | '-' | ':' | ']'));
        let length = match c {
            '"' | '\'' => quoted(rest, c),
            '[' if is_index || last == '.' => rest.find(']').map_or(rest.len(), |end| end + 1),
            c => c.len_utf8(),
        };
        let part = &rest[..length];
        if is_index {
            out.push('.');
            out.push_str(&without_quotes(part).map_or(Cow::Borrowed(part), |name| Cow::Owned(format!("[{name}]"))));
        } else {
            out.push_str(part);
        }
        at += length;
        last = part.chars().next_back().unwrap_or(' ');
    }
    at
}

/// How long a text in quotes is with them.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = true;
    for (i, c) in text.char_indices() {
        if !escaped && c == quote {
            return i + 1;
        }
        escaped = !escaped && c == '\\';
    }
    text.len()
}

/// The name in `["a name"]`.
fn without_quotes(index: &str) -> Option<&str> {
    let inside = index.strip_prefix('[')?.strip_suffix(']')?;
    ['"', '\''].iter().find_map(|quote| inside.strip_prefix(*quote)?.strip_suffix(*quote))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_follows_a_name_in_a_tag_is_an_index() {
        let cases = [
            ("{{a[0]}}", "{{a.[0]}}"),
            ("{{ $.a[0].b[12][3] }} a[0]", "{{ $.a.[0].b.[12].[3] }} a[0]"),
            ("{{{a[0]}}}{{~&a[0]~}}", "{{{a.[0]}}}{{~&a.[0]~}}"),
            ("{{#each a[0].b}}{{x[1]}}{{/each}}", "{{#each a.[0].b}}{{x.[1]}}{{/each}}"),
            ("{{#if (eq a[0] \"b[0] }} '\")}}{{/if}}", "{{#if (eq a.[0] \"b[0] }} '\")}}{{/if}}"),
            ("{{a['x y']}} {{a[\"k\"].b}}", "{{a.[x y]}} {{a.[k].b}}"),
            ("{{a.[0]}} {{a.[b[0]}} {{f [1, 2]}} {{f (g)[0]}}", "{{a.[0]}} {{a.[b[0]}} {{f [1, 2]}} {{f (g)[0]}}"),
            ("\\{{a[0]}} \\\\{{a[0]}}", "\\{{a[0]}} \\\\{{a.[0]}}"),
            ("{{! a[0] }}{{!-- a[0] }} --}}{{a[0]}}", "{{! a[0] }}{{!-- a[0] }} --}}{{a.[0]}}"),
            ("{{{{raw}}}}{{a[0]}}{{{{/raw}}}}", "{{{{raw}}}}{{a[0]}}{{{{/raw}}}}"),
            ("{{a[0", "{{a.[0"),
            ("{{é[0]}} {{\"", "{{é.[0]}} {{\""),
        ];
        for (source, expected) in cases {
            assert_eq!(in_text(source), expected, "{source}");
        }
        assert_eq!(in_path("$.a[0].b[1]"), "$.a.[0].b.[1]");
    }
}
