//! The Markdown of Adaptive Cards: emphasis, links and lists. All other Markdown is converted to these.

use pulldown_cmark::{Event, Parser, Tag};

use super::super::chat;
use super::piece::OPTIONS;

/// Converts headings to bold lines, quotes and tables to plain ones, images to links, and code to text. Strikethrough
/// is dropped.
pub fn for_cards(source: &str) -> String {
    let (mut lines, mut is_code) = (Vec::new(), false);
    let all: Vec<&str> = source.lines().collect();
    for (i, line) in all.iter().enumerate() {
        let inside = line.trim_start();
        if inside.starts_with("```") && (is_code || !inside.trim_start_matches('`').contains('`')) {
            is_code = !is_code;
            continue;
        }
        if is_code {
            lines.push(chat::literal(line));
            continue;
        }
        let mut quoted = inside;
        while let Some(rest) = quoted.strip_prefix('>') {
            quoted = rest.trim_start();
        }
        let line = if inside.starts_with('>') { quoted } else { line };
        // In data, a backslash separates the two tildes.
        let struck = line.replace("~~", "");
        let line = if line.contains("~~") && !line.contains('`') { &struck } else { line };
        let is_row = |line: &str| line.trim_start().starts_with('|');
        let trimmed = line.trim();
        let is_rule = trimmed.len() >= 3 && ['-', '=', '*', '_'].iter().any(|mark| trimmed.chars().all(|c| c == *mark));
        match heading(trimmed) {
            _ if is_separator(trimmed) => {}
            // The line above it is a heading.
            _ if is_rule
                && i > 0
                && trimmed.starts_with(['-', '='])
                && all.get(i - 1).is_some_and(|it| !it.trim().is_empty()) =>
            {
                if let Some(last) = lines.last_mut() {
                    *last = format!("**{last}**");
                }
            }
            _ if is_rule => {}
            Some(words) => lines.push(format!("**{}**", words.replace("**", ""))),
            None if is_row(line) => {
                let cells = trimmed.trim_matches('|').split(" |").map(|cell| cell.trim().trim_start_matches("| "));
                lines.push(cells.collect::<Vec<_>>().join(" | "));
                // Lines of one paragraph would be joined.
                if all.get(i + 1).is_some_and(|next| is_row(next)) {
                    lines.push(String::new());
                }
            }
            None => lines.push(line.to_owned()),
        }
    }
    pictures_as_links(&lines.join("\n"))
}

/// Which meaning of Markdown, beyond the words, is lost in a card.
pub fn lost_in_cards(source: &str) -> Vec<&'static str> {
    let lost = |event: Event<'_>| {
        Some(match event {
            Event::Code(_) | Event::Start(Tag::CodeBlock(_)) => "code",
            Event::Rule => "lines across",
            Event::Start(Tag::Table(_)) => "tables",
            Event::Start(Tag::Strikethrough) => "strikethrough in Markdown",
            Event::Start(Tag::BlockQuote(_)) => "quotes in Markdown",
            Event::Start(Tag::Heading { .. }) => "headings in Markdown",
            Event::Start(Tag::Image { .. }) => "pictures in Markdown",
            _ => return None,
        })
    };
    Parser::new_ext(source, OPTIONS).filter_map(lost).collect()
}

/// Whether Markdown has emphasis or links, which a text run in a card cannot have.
pub fn has_emphasis_or_links(source: &str) -> bool {
    let is_one = |event: Event<'_>| {
        matches!(event, Event::Start(Tag::Strong | Tag::Emphasis | Tag::Link { .. } | Tag::Strikethrough))
    };
    Parser::new_ext(source, OPTIONS).any(is_one)
}

fn heading(line: &str) -> Option<&str> {
    let hashes = line.bytes().take_while(|b| *b == b'#').count();
    let words = line.get(hashes..).filter(|_| (1..=6).contains(&hashes))?.strip_prefix(' ')?;
    let words = words.trim().trim_end_matches('#').trim_end();
    (!words.is_empty()).then_some(words)
}

/// Whether a line separates the head of a table from its body.
pub fn is_separator(line: &str) -> bool {
    line.contains('|') && line.contains("--") && line.chars().all(|c| "|-: ".contains(c))
}

fn pictures_as_links(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some((before, picture)) = rest.split_once("![") {
        out.push_str(before);
        let is_escaped = before.ends_with('\\');
        let is_picture = picture.split_once("](").is_some_and(|(alt, _)| !alt.contains(['[', '\n']));
        out.push_str(if is_escaped || !is_picture { "![" } else { "[" });
        let without_words = picture.strip_prefix("](").filter(|_| is_picture && !is_escaped);
        if let Some((address, _)) = without_words.and_then(|it| it.split_once(')')) {
            out.push_str(address.split(' ').next().unwrap_or_default());
        }
        rest = picture;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::for_cards;

    #[test]
    fn cards_have_emphasis_links_and_lists() {
        for (source, expected) in [
            ("## Head\n\n**b** [l](u)\n\n- a\n- b", "**Head**\n\n**b** [l](u)\n\n- a\n- b"),
            ("Head\n---\nx\n\n---\n\ny", "**Head**\nx\n\n\ny"),
            ("> q\n> **r**", "q\n**r**"),
            ("| a | b |\n|---|---|\n| 1 | 2 |", "a | b\n\n1 | 2"),
            (
                "![i](https://x.y/a.png) ![](https://x.y/b.png)",
                "[i](https://x.y/a.png) [https://x.y/b.png](https://x.y/b.png)",
            ),
            ("```js\na*b\n```\nc", "a\\*b\nc"),
            ("~~no~~ \\~\\~x `~~`\n~~no~~ **yes**", "~~no~~ \\~\\~x `~~`\nno **yes**"),
        ] {
            assert_eq!(for_cards(source), expected, "{source}");
        }
    }
}
