//! Converts variables in single braces, the older form of Courier's designer, into tags.

use std::borrow::Cow;

/// Stands in place of an invalid path.
const NO_PATH: &str = "[Error]";

/// A text with `{data.name}` as `{{inline-var "data.name"}}`, as Courier's renderer rewrites it. The content of tags
/// stays as it is.
pub fn as_tags(text: &str) -> Cow<'_, str> {
    let (mut out, mut rest) = (String::new(), text);
    while let Some((before, from_brace)) = rest.find('{').map(|at| rest.split_at(at)) {
        let (written, length) = match tag_bytes(from_brace) {
            Some(length) => (Cow::Borrowed(&from_brace[..length]), length),
            None => match variable(from_brace) {
                Some(path) => (Cow::Owned(tag(path)), path.len() + 2),
                None => (Cow::Borrowed("{"), 1),
            },
        };
        out.push_str(before);
        out.push_str(&written);
        rest = &from_brace[length..];
    }
    if out.is_empty() {
        return Cow::Borrowed(text);
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// The length of the tag at the start of a text. A tag without an end takes all of the text.
fn tag_bytes(text: &str) -> Option<usize> {
    let inside = text.strip_prefix("{{")?;
    let comment = inside.trim_start_matches('~');
    if comment.starts_with("!--") {
        return Some(text.find("--}}").or_else(|| text.find("--~}}")).map_or(text.len(), |at| at + 4));
    }
    let mut quote = None;
    for (at, c) in inside.char_indices() {
        match (quote, c) {
            (None, '"' | '\'') if !comment.starts_with('!') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            (None, '}') if inside[at..].starts_with("}}") => {
                let braces = inside[at..].bytes().take_while(|byte| *byte == b'}').count();
                let opened = text.bytes().take_while(|byte| *byte == b'{').count();
                return Some(2 + at + braces.min(opened.max(2)));
            }
            _ => {}
        }
    }
    Some(text.len())
}

/// The content of the single braces at the start of a text.
fn variable(text: &str) -> Option<&str> {
    let inside = text.strip_prefix('{')?;
    let end = inside.find(['{', '}'])?;
    let after = inside[end..].strip_prefix('}')?;
    (!after.starts_with('}')).then(|| &inside[..end])
}

fn tag(path: &str) -> String {
    // No path has these, and a text in a tag cannot hold both kinds of quotes.
    match path.contains('\\') || path.contains('"') {
        true => NO_PATH.to_owned(),
        false => format!("{{{{inline-var \"{path}\"}}}}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_braces_are_variables_and_tags_stay() {
        for (text, expected) in [
            ("Hi {data.name}!", "Hi {{inline-var \"data.name\"}}!"),
            ("{a}{b}", "{{inline-var \"a\"}}{{inline-var \"b\"}}"),
            ("{{a}} {{{b}}} {{{{raw}}}}x{{{{/raw}}}}", "{{a}} {{{b}}} {{{{raw}}}}x{{{{/raw}}}}"),
            ("{{formatMessage \"{n} }} of\" n=1}} {n}", "{{formatMessage \"{n} }} of\" n=1}} {{inline-var \"n\"}}"),
            ("{{!-- {a} \"}} --}}{{! it's {b} }}{c}", "{{!-- {a} \"}} --}}{{! it's {b} }}{{inline-var \"c\"}}"),
            ("{{#if a}}{b}{{else}}{ c }{{/if}}", "{{#if a}}{{inline-var \"b\"}}{{else}}{{inline-var \" c \"}}{{/if}}"),
            ("{} { {x} }", "{{inline-var \"\"}} { {{inline-var \"x\"}} }"),
            ("{x}} {x", "{x}} {x"),
            ("{\"a\": 1}", "[Error]"),
            ("{{a", "{{a"),
            ("}{", "}{"),
        ] {
            assert_eq!(as_tags(text), expected);
        }
    }
}
