//! Whether a text of unknown format is Markdown, and how Markdown marks are put around words.

use std::borrow::Cow;

use super::underlines::underlines;
use crate::model::content::TextStyle;
use crate::template::Rewrite;

/// Whether the author's words have Markdown marks, in a text of unknown format. The content of tags does not count.
/// Marks that would change nothing, such as a lone asterisk, do not count either, so that the text stays as it is.
pub fn is_marked(source: &str) -> bool {
    // Markdown blocks in it say so themselves.
    if !source.contains(['*', '_', '~', '`', ']', '<', '#', '>', '-', '+', '.', ')', '='])
        || source.contains("{{#markdown")
        || source.contains("{{{markdown")
        || source.contains("{{markdown")
    {
        return false;
    }
    let words = words_beside_tags(source);
    has_pairs(&words) || has_more(&words)
}

/// Whether the author's words in a label, which cannot be a link or a block, are emphasized.
pub fn is_emphasized(source: &str) -> bool {
    if !source.contains(['*', '_', '~', '`', '+']) {
        return false;
    }
    let words = words_beside_tags(source);
    has_pairs(&words) && !has_more(&words)
}

/// Whether words with marks are Slack's own markup: `*bold*`, and nothing that only Markdown has.
pub fn is_slack_markup(source: &str) -> bool {
    let words = words_beside_tags(source);
    let is_heading = |line: &str| line.trim_start().starts_with('#') && begins_block(line);
    ["*", "_", "~"].iter().any(|mark| words.matches(mark).nth(1).is_some())
        && !["**", "__", "~~", "]("].iter().any(|mark| words.contains(mark))
        && !words.lines().any(is_heading)
}

/// The function that puts the marks of a style around Markdown in a JSON string; `None` if it has none.
pub fn emphasis(style: &TextStyle) -> Option<Rewrite> {
    Some(match (style.strikethrough, style.bold, style.italic) {
        (false, false, false) => return None,
        (false, false, true) => |out, start| emphasize("*", out, start),
        (false, true, false) => |out, start| emphasize("**", out, start),
        (false, true, true) => |out, start| emphasize("***", out, start),
        (true, false, false) => |out, start| emphasize("~~", out, start),
        (true, false, true) => |out, start| emphasize("~~*", out, start),
        (true, true, false) => |out, start| emphasize("~~**", out, start),
        (true, true, true) => |out, start| emphasize("~~***", out, start),
    })
}

/// Blanks and line breaks stay outside of the marks, which have no effect beside them.
fn emphasize(marks: &str, out: &mut String, start: usize) {
    const LINE_END: &str = "\\n";
    let words = out.split_off(start);
    let mut inside = words.as_str();
    while let Some(rest) = inside.strip_prefix(' ').or_else(|| inside.strip_prefix(LINE_END)) {
        inside = rest;
    }
    let before = words.len() - inside.len();
    while let Some(rest) = inside.strip_suffix(' ').or_else(|| inside.strip_suffix(LINE_END).filter(|it| is_whole(it)))
    {
        inside = rest;
    }
    out.push_str(&words[..before]);
    if !inside.is_empty() {
        let after: String = marks.chars().rev().collect();
        out.extend([marks, inside, &after]);
    }
    out.push_str(&words[before + inside.len()..]);
}

/// Whether a JSON string does not end inside an escape.
fn is_whole(text: &str) -> bool {
    text.bytes().rev().take_while(|b| *b == b'\\').count() % 2 == 0
}

fn words_beside_tags(source: &str) -> String {
    let mut words = String::with_capacity(source.len());
    let mut rest = source;
    while let Some((before, tag)) = rest.split_once("{{") {
        words.push_str(before);
        words.push('x');
        rest = tag.split_once("}}").map_or("", |(_, after)| after.trim_start_matches('}'));
    }
    words.push_str(rest);
    words
}

/// Whether there are marks around words.
fn has_pairs(words: &str) -> bool {
    ["*", "_", "~", "`"].iter().any(|mark| words.matches(mark).nth(1).is_some())
        || matches!(underlines(words), Cow::Owned(_))
}

/// Whether there are links or blocks.
fn has_more(words: &str) -> bool {
    let is_autolink = || {
        words.match_indices('<').any(|(at, _)| {
            let inside = words[at + 1..].split('>').next().unwrap_or_default();
            !inside.contains(char::is_whitespace)
                && (inside.contains("://") || inside.contains('@'))
                && !inside.contains('|')
                && !inside.starts_with(['@', '!', '#'])
        })
    };
    words.contains("](") || is_autolink() || words.lines().any(begins_block) || has_table(words)
}

/// Whether a row of cells is followed by one of dashes.
fn has_table(words: &str) -> bool {
    let below = words.lines().skip(1);
    words.contains('|')
        && words.lines().zip(below).any(|(head, line)| head.contains('|') && super::cards::is_separator(line.trim()))
}

/// Whether a line begins a heading, quote, list or rule.
fn begins_block(line: &str) -> bool {
    let line = line.trim_start();
    let after = |rest: &str| rest.is_empty() || rest.starts_with([' ', '\t']);
    let hashes = line.bytes().take_while(|b| *b == b'#').count();
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let is_rule = |mark: char| line.trim_end().len() >= 3 && line.trim_end().chars().all(|c| c == mark);
    (1..=6).contains(&hashes) && after(&line[hashes..])
        || line.starts_with("> ")
        || line.starts_with(['-', '*', '+']) && line[1..].starts_with([' ', '\t']) && line.len() > 2
        || (1..=9).contains(&digits)
            && line[digits..].starts_with(['.', ')'])
            && line[digits + 1..].starts_with(' ')
            && line.len() > digits + 2
        || is_rule('-')
        || is_rule('=')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_words_with_marks_are_markdown() {
        for text in [
            "**b**",
            "| a | b |\n|---|---|\n| 1 | 2 |",
            "*i*",
            "see [x](y)",
            "- a",
            "1. a",
            "# T",
            "> q",
            "a\n---",
            "`c`",
            "<https://x.y>",
            "<a@x.y>",
            "_{{x}}_",
        ] {
            assert!(is_marked(text), "{text}");
        }
        for text in [
            "plain",
            "5 * 3",
            "{{a_b_c}} {{*}}",
            "#tag",
            "a - b",
            "-5",
            "1.5",
            "snake_case",
            "2026. ",
            "[x]",
            "a > b",
            "<@U1>",
            "<!here>",
            "<https://x.y|z>",
            "- ",
            "1.",
            "{{#markdown}}**b**{{/markdown}}",
        ] {
            assert!(!is_marked(text), "{text}");
        }
    }
}
