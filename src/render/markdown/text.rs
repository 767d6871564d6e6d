//! Markdown as text in paragraphs, with Slack's marks or without any.

use pulldown_cmark::{Event, LinkType, Parser, Tag, TagEnd, TextMergeStream};

use super::super::escape::UNDERLINE;
use super::depth::shallow;
use super::piece::{MarkdownPiece, OPTIONS};
use super::underlines::without_marks;
use crate::model::content::is_script;

/// The deepest list whose items are indented further.
const INDENT_LIMIT: usize = 8;

/// Converts Markdown to text in paragraphs, with Slack's marks or without any.
pub fn walk_text(source: &str, slack: bool, put: &mut dyn FnMut(MarkdownPiece<'_>)) {
    let source = &shallow(source);
    let mut text = Paragraphs {
        put,
        slack,
        lines: 0,
        begun: false,
        is_fresh: true,
        quotes: 0,
        was_quoted: false,
        lists: Vec::new(),
        link: None,
        spoken: 0,
    };
    // Each with the number of words before it, and whether it is in a link.
    let mut pictures: Vec<(String, usize, bool)> = Vec::new();
    let mut code: Option<String> = None;
    let mut is_first_cell = true;
    // Words in one piece: whether a mark applies depends on its neighbours.
    for event in TextMergeStream::new(Parser::new_ext(source, OPTIONS)) {
        match event {
            Event::Text(words) => match &mut code {
                Some(code) => code.push_str(&words),
                None => text.words(&words),
            },
            Event::Html(words) | Event::InlineHtml(words) => {
                text.words(words.trim_end_matches('\n'));
                text.lines = text.lines.max(usize::from(words.ends_with('\n')));
            }
            Event::Code(words) => {
                text.mark("`");
                text.code(&words);
                text.mark("`");
            }
            Event::SoftBreak | Event::HardBreak => text.line_end(),
            Event::Rule => {
                text.block();
                text.words("---");
            }
            Event::Start(tag) => match tag {
                Tag::Paragraph | Tag::HtmlBlock => text.block(),
                Tag::Heading { .. } => {
                    text.block();
                    text.mark("*");
                }
                Tag::CodeBlock(_) => {
                    text.block();
                    code = Some(String::new());
                }
                Tag::BlockQuote(_) => {
                    text.block();
                    text.quotes += 1;
                }
                Tag::List(first) => {
                    if text.lists.is_empty() {
                        text.block();
                    }
                    text.lists.push(first);
                }
                Tag::Item => text.item(),
                Tag::Table(_) => text.block(),
                Tag::TableHead | Tag::TableRow => {
                    text.line_end();
                    text.begin();
                    is_first_cell = true;
                }
                Tag::TableCell => {
                    if !std::mem::take(&mut is_first_cell) {
                        (text.put)(MarkdownPiece::Markup(" | "));
                    }
                }
                Tag::Link { link_type: LinkType::Email, dest_url, .. } => {
                    text.begin_link(&format!("mailto:{dest_url}"))
                }
                Tag::Link { dest_url, .. } => text.begin_link(&dest_url),
                // Slack shows no image in a text, but links to it.
                Tag::Image { dest_url, .. } => {
                    let is_link = slack && text.link.is_none() && leads_somewhere(&dest_url);
                    if is_link {
                        text.begin_link(&dest_url);
                    }
                    pictures.push((dest_url.into_string(), text.spoken, is_link));
                }
                tag => text.mark(slack_mark(&tag.to_end())),
            },
            Event::End(tag) => match tag {
                TagEnd::Heading(_) => text.mark("*"),
                TagEnd::CodeBlock => {
                    let code = code.take().unwrap_or_default();
                    text.mark("```\n");
                    text.code(code.trim_end_matches('\n'));
                    text.mark("\n```");
                }
                TagEnd::BlockQuote(_) => text.quotes -= 1,
                TagEnd::List(_) => drop(text.lists.pop()),
                TagEnd::Link => text.end_link(),
                TagEnd::Image => match pictures.pop() {
                    Some((_, _, true)) => text.end_link(),
                    // Only its address tells what it shows. In a link, the link's address is written.
                    Some((address, before, _))
                        if before == text.spoken && text.link.is_none() && leads_somewhere(&address) =>
                    {
                        text.address(&address);
                    }
                    _ => {}
                },
                tag => text.mark(slack_mark(&tag)),
            },
            _ => {}
        }
    }
}

fn leads_somewhere(address: &str) -> bool {
    !address.is_empty() && !is_script(address)
}

fn slack_mark(tag: &TagEnd) -> &'static str {
    match tag {
        TagEnd::Strong => "*",
        TagEnd::Emphasis => "_",
        TagEnd::Strikethrough => "~",
        _ => "",
    }
}

/// A text being written.
struct Paragraphs<'p> {
    put: &'p mut dyn FnMut(MarkdownPiece<'_>),
    slack: bool,
    /// Line breaks before what comes next.
    lines: usize,
    begun: bool,
    /// Whether a block has begun and nothing has followed yet.
    is_fresh: bool,
    quotes: usize,
    /// Whether the last part was quoted.
    was_quoted: bool,
    /// The number of the next item, in lists with numbers.
    lists: Vec<Option<u64>>,
    /// The address and the words of the link around this place.
    link: Option<(String, String)>,
    /// Bytes of words so far.
    spoken: usize,
}

impl Paragraphs<'_> {
    fn block(&mut self) {
        if !std::mem::take(&mut self.is_fresh) {
            self.lines = 2;
        }
    }

    fn begin(&mut self) {
        let lines = std::mem::take(&mut self.lines);
        let begun = std::mem::replace(&mut self.begun, true);
        let quote = if self.slack && self.quotes > 0 { "> " } else { "" };
        if !begun {
            (self.put)(MarkdownPiece::Markup(quote));
        }
        for i in 1..=if begun { lines } else { 0 } {
            (self.put)(MarkdownPiece::Markup("\n"));
            (self.put)(MarkdownPiece::Markup(if i == lines || self.was_quoted { quote } else { "" }));
        }
        self.was_quoted = self.quotes > 0;
    }

    fn words(&mut self, words: &str) {
        match words.contains(UNDERLINE) {
            true => self.words(&words.replace(UNDERLINE, "")),
            false => self.piece(words, MarkdownPiece::Words(words)),
        }
    }

    fn code(&mut self, words: &str) {
        let words = &*without_marks(words);
        self.piece(words, MarkdownPiece::Code(words));
    }

    fn piece(&mut self, words: &str, piece: MarkdownPiece<'_>) {
        if words.is_empty() {
            return;
        }
        self.begin();
        self.is_fresh = false;
        self.spoken += words.len();
        if let Some((_, text)) = &mut self.link {
            text.push_str(words);
        }
        (self.put)(piece);
    }

    /// An address in place of words.
    fn address(&mut self, address: &str) {
        let address = &*without_marks(address);
        self.piece(address, MarkdownPiece::Address(address));
    }

    /// Slack has no marks in the words of a link.
    fn mark(&mut self, mark: &str) {
        if self.slack && self.link.is_none() && !mark.is_empty() {
            self.begin();
            (self.put)(MarkdownPiece::Markup(mark));
        }
    }

    fn line_end(&mut self) {
        match self.link.is_some() && self.slack {
            true => (self.put)(MarkdownPiece::Markup(" ")),
            false => self.lines = self.lines.max(1),
        }
    }

    fn item(&mut self) {
        self.lines = self.lines.max(1);
        self.begin();
        let depth = self.lists.len().saturating_sub(1).min(INDENT_LIMIT);
        (self.put)(MarkdownPiece::Markup(&"  ".repeat(depth)));
        match self.lists.last_mut() {
            Some(Some(number)) => {
                (self.put)(MarkdownPiece::Markup(&format!("{number}. ")));
                *number += 1;
            }
            _ => (self.put)(MarkdownPiece::Markup(if self.slack { "• " } else { "- " })),
        }
        self.is_fresh = true;
    }

    fn begin_link(&mut self, address: &str) {
        let address = &*without_marks(address);
        if self.slack && leads_somewhere(address) {
            self.begin();
            (self.put)(MarkdownPiece::Markup("<"));
            (self.put)(MarkdownPiece::Address(address));
            (self.put)(MarkdownPiece::Markup("|"));
        }
        self.link = Some((address.to_owned(), String::new()));
    }

    fn end_link(&mut self) {
        let Some((address, words)) = self.link.take().filter(|(address, _)| leads_somewhere(address)) else { return };
        if self.slack {
            if words.is_empty() {
                self.words(&address);
            }
            return (self.put)(MarkdownPiece::Markup(">"));
        }
        if words.is_empty() {
            return self.address(&address);
        }
        if words != address && address.strip_prefix("mailto:") != Some(&words) {
            (self.put)(MarkdownPiece::Markup(" ("));
            (self.put)(MarkdownPiece::Address(&address));
            (self.put)(MarkdownPiece::Markup(")"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{plain, slack};

    #[test]
    fn markdown_is_plain_text_and_slacks_markup() {
        let cases = [
            ("**bold** _it_ *it* ~~no~~ `code`", "bold it it no code", "*bold* _it_ _it_ ~no~ `code`"),
            (
                "# Title\n\nOne\ntwo  \nthree\n\n\nfour",
                "Title\n\nOne\ntwo\nthree\n\nfour",
                "*Title*\n\nOne\ntwo\nthree\n\nfour",
            ),
            (
                "See [the **site**](https://x.y/?a=1&b=|) or <https://x.y> or <a@x.y>.",
                "See the site (https://x.y/?a=1&b=|) or https://x.y or a@x.y.",
                "See <https://x.y/?a=1&amp;b=%7C|the site> or <https://x.y|https://x.y> or <mailto:a@x.y|a@x.y>.",
            ),
            ("[a](javascript:x) ![alt](https://x.y/a.png)", "a alt", "a <https://x.y/a.png|alt>"),
            (
                "![](https://x.y/a.png) [![alt](https://x.y/a.png)](https://x.y) [![](https://x.y/b.png)](https://x.y/b)",
                "https://x.y/a.png alt (https://x.y) https://x.y/b",
                "<https://x.y/a.png|https://x.y/a.png> <https://x.y|alt> <https://x.y/b|https://x.y/b>",
            ),
            ("- a\n\n> q", "- a\n\nq", "• a\n\n> q"),
            (
                "So:\n\n- one\n- two\n  1. a\n  2. b\n- three\n\nEnd",
                "So:\n\n- one\n- two\n  1. a\n  2. b\n- three\n\nEnd",
                "So:\n\n• one\n• two\n  1. a\n  2. b\n• three\n\nEnd",
            ),
            ("- one\n\n- two\n\n  more", "- one\n- two\n\nmore", "• one\n• two\n\nmore"),
            ("> so\n> it\n>\n> goes\n\non", "so\nit\n\ngoes\n\non", "> so\n> it\n> \n> goes\n\non"),
            ("```\na *b*\nc\n```\n\n---", "a *b*\nc\n\n---", "```\na *b*\nc\n```\n\n---"),
            ("<b>x</b> & <!channel>", "<b>x</b> & <!channel>", "&lt;b&gt;x&lt;/b&gt; &amp; <!channel>"),
            ("<b>x</b> & \\<!channel\\>", "<b>x</b> & <!channel>", "&lt;b&gt;x&lt;/b&gt; &amp; &lt;!channel&gt;"),
            ("<@U1> **x** <https://x.y|z>", "<@U1> x https://x.y|z", "<@U1> *x* <https://x.y|z>"),
            ("<div>\nx\n</div>\n\ny", "<div>\nx\n</div>\n\ny", "&lt;div&gt;\nx\n&lt;/div&gt;\n\ny"),
            (
                "So:\n\n| a | *b* |\n|---|---:|\n| 1 | |\n| | 2 |\n\nEnd",
                "So:\n\na | b\n1 | \n | 2\n\nEnd",
                "So:\n\na | _b_\n1 | \n | 2\n\nEnd",
            ),
            ("a\\*b\\_c \\*d\\*", "a*b_c *d*", "a*b_c *\u{200b}d*\u{200b}"),
            ("", "", ""),
        ];
        for (source, as_plain, as_slack) in cases {
            assert_eq!(plain(source), as_plain, "{source}");
            assert_eq!(slack(source), as_slack, "{source}");
        }
    }

    #[test]
    fn lists_in_lists_without_end_are_not_indented_without_end() {
        assert!(plain(&"- ".repeat(20_000)).len() < 20_000 * 20);
        assert!(slack(&"> ".repeat(20_000)).len() < 200_000);
    }
}
