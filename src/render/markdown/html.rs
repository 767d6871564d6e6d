//! Markdown as HTML for e-mails, with inline styles.

use pulldown_cmark::{Alignment, Event, HeadingLevel, LinkType, Parser, Tag, TagEnd};

use super::super::escape::UNDERLINE;
use super::super::palette::{LINE, LINK, QUOTE, SHADE};
use super::depth::shallow;
use super::piece::{MarkdownPiece, OPTIONS};
use super::underlines::without_marks;

/// The margin above a block, in pixels, unless it is the first in its container.
const BLOCK_PIXELS: u32 = 16;
/// The same in an item of a list.
const ITEM_PIXELS: u32 = 4;

/// Converts Markdown to HTML. The surrounding text has a margin below, so here each block but the first has one above.
/// The first paragraph has no tag: a text of one paragraph becomes a part of the surrounding text.
pub fn walk(source: &str, put: &mut dyn FnMut(MarkdownPiece<'_>)) {
    let source = &shallow(source);
    let mut html = Html { put, blocks: vec![Block::default()], image: None, is_code: false, table: Table::default() };
    for event in Parser::new_ext(source, OPTIONS) {
        html.event(event);
    }
}

/// The container of blocks.
#[derive(Default)]
struct Block {
    begun: bool,
    is_item: bool,
    is_tagged: bool,
}

/// The table being written.
#[derive(Default)]
struct Table {
    alignments: Vec<Alignment>,
    column: usize,
    is_head: bool,
    has_rows: bool,
}

/// HTML being written.
struct Html<'p> {
    put: &'p mut dyn FnMut(MarkdownPiece<'_>),
    /// The innermost last.
    blocks: Vec<Block>,
    /// The address and words of the image around this place, and how many images are nested.
    image: Option<(String, String, usize)>,
    is_code: bool,
    table: Table,
}

impl Html<'_> {
    fn markup(&mut self, markup: &str) {
        (self.put)(MarkdownPiece::Markup(markup));
    }

    /// The margin of a block that begins here.
    fn margin(&mut self) -> String {
        let Some(around) = self.blocks.last_mut() else { return "margin:0".to_owned() };
        let begun = std::mem::replace(&mut around.begun, true);
        let pixels = if around.is_item { ITEM_PIXELS } else { BLOCK_PIXELS };
        if begun { format!("margin:{pixels}px 0 0") } else { "margin:0".to_owned() }
    }

    fn text(&mut self, words: &str) {
        if let Some((_, alt, _)) = &mut self.image {
            return alt.push_str(&words.replace(UNDERLINE, ""));
        }
        if let Some(block) = self.blocks.last_mut() {
            block.begun = true;
        }
        if !self.is_code {
            for part in words.split_inclusive(UNDERLINE) {
                (self.put)(MarkdownPiece::Words(part.trim_end_matches(UNDERLINE)));
                match part.chars().next_back() {
                    Some(last) if last == UNDERLINE[0] => self.markup("<u>"),
                    Some(last) if last == UNDERLINE[1] => self.markup("</u>"),
                    _ => {}
                }
            }
            return;
        }
        // Elsewhere a line break is written as a tag.
        for (i, line) in words.trim_end_matches('\n').split('\n').enumerate() {
            if i > 0 {
                self.markup("\n");
            }
            (self.put)(MarkdownPiece::Words(&without_marks(line)));
        }
    }

    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Text(words) | Event::Html(words) | Event::InlineHtml(words) => self.text(&words),
            Event::Code(words) if self.image.is_some() => self.text(&words),
            Event::Code(words) => {
                self.markup(&format!(
                    "<code style=\"padding:2px 4px;border-radius:4px;background-color:{SHADE};font-size:87%\">"
                ));
                self.text(&without_marks(&words));
                self.markup("</code>");
            }
            Event::SoftBreak | Event::HardBreak if self.image.is_some() => self.text(" "),
            Event::SoftBreak | Event::HardBreak => self.markup("<br>\n"),
            Event::Rule => {
                let margin = self.margin();
                self.markup(&format!("<hr style=\"{margin};border:0;border-top:1px solid {LINE}\">"));
            }
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            _ => {}
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        if let Some((_, _, depth)) = &mut self.image {
            *depth += usize::from(matches!(tag, Tag::Image { .. }));
            return;
        }
        match tag {
            Tag::Paragraph | Tag::HtmlBlock => {
                let is_first = self.blocks.last().is_none_or(|block| !block.begun);
                let margin = self.margin();
                if let Some(block) = self.blocks.last_mut() {
                    block.is_tagged = !is_first;
                }
                if !is_first {
                    self.markup(&format!("<p style=\"{margin}\">"));
                }
            }
            Tag::Heading { level, .. } => {
                let (margin, (name, pixels)) = (self.margin(), heading(level));
                self.markup(&format!("<{name} style=\"{margin};font-size:{pixels}px;line-height:1.3\">"));
            }
            Tag::BlockQuote(_) => {
                // The bar is a cell, which Outlook draws as well, and which is where lines begin.
                let margin = self.margin();
                self.markup(&format!(
                    "<blockquote style=\"{margin}\"><table role=\"presentation\" cellpadding=\"0\" cellspacing=\"0\" \
                     border=\"0\"><tr><td style=\"border-left:4px solid {QUOTE}\"></td><td style=\"padding:4px 16px\">"
                ));
                self.blocks.push(Block::default());
            }
            Tag::CodeBlock(_) => {
                let margin = self.margin();
                self.markup(&format!(
                    "<pre style=\"{margin};padding:12px 16px;border-radius:6px;background-color:{SHADE};font-size:14px;\
                     line-height:20px;white-space:pre-wrap\">"
                ));
                self.is_code = true;
            }
            Tag::List(first) => {
                let margin = self.margin();
                self.markup(&match first {
                    None => format!("<ul style=\"{margin}\">"),
                    Some(1) => format!("<ol style=\"{margin}\">"),
                    Some(first) => format!("<ol start=\"{first}\" style=\"{margin}\">"),
                });
                self.blocks.push(Block { is_item: true, ..Block::default() });
            }
            Tag::Item => {
                let margin = self.margin();
                self.markup(&format!("<li style=\"{margin}\">"));
                self.blocks.push(Block { is_item: true, ..Block::default() });
            }
            Tag::Table(alignments) => {
                // On a narrow screen a table with many columns scrolls instead of the page.
                let margin = self.margin();
                self.markup(&format!(
                    "<div style=\"{margin};overflow-x:auto\"><table width=\"100%\" cellpadding=\"0\" cellspacing=\"0\" \
                     border=\"0\" style=\"border-collapse:collapse;word-break:normal\">"
                ));
                self.table = Table { alignments, ..Table::default() };
                self.blocks.push(Block::default());
            }
            Tag::TableHead | Tag::TableRow => {
                let is_head = matches!(tag, Tag::TableHead);
                let opening = match (is_head, std::mem::replace(&mut self.table.has_rows, !is_head)) {
                    (true, _) => "<thead><tr>",
                    (false, false) => "<tbody><tr>",
                    (false, true) => "<tr>",
                };
                (self.table.is_head, self.table.column) = (is_head, 0);
                self.markup(opening);
            }
            Tag::TableCell => {
                let align = match self.table.alignments.get(self.table.column) {
                    Some(Alignment::Center) => "text-align:center",
                    Some(Alignment::Right) => "text-align:right",
                    Some(Alignment::Left) => "text-align:left",
                    // `start` for clients that support it.
                    _ => "text-align:left;text-align:start",
                };
                self.table.column += 1;
                // A column is at least as wide as its heading. Within it long words wrap, and short ones do not.
                let (name, pixels, wrap) = match self.table.is_head {
                    true => ("th scope=\"col\"", 2, "overflow-wrap:normal"),
                    false => ("td", 1, "min-width:56px"),
                };
                self.markup(&format!(
                    "<{name} style=\"padding:8px 12px;border-bottom:{pixels}px solid {LINE};{wrap};{align}\">"
                ));
            }
            Tag::Link { link_type, dest_url, .. } => {
                let scheme = if link_type == LinkType::Email { "mailto:" } else { "" };
                self.markup(&format!("<a href=\"{scheme}"));
                (self.put)(MarkdownPiece::Address(&without_marks(&dest_url)));
                self.markup(&format!("\" style=\"color:{LINK}\">"));
            }
            Tag::Image { dest_url, .. } => self.image = Some((dest_url.into_string(), String::new(), 0)),
            Tag::Emphasis => self.markup("<em>"),
            Tag::Strong => self.markup("<strong>"),
            Tag::Strikethrough => self.markup("<s>"),
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match &mut self.image {
            Some((_, _, depth)) if *depth > 0 => {
                *depth -= usize::from(tag == TagEnd::Image);
                return;
            }
            Some(_) if tag != TagEnd::Image => return,
            _ => {}
        }
        match tag {
            TagEnd::Paragraph | TagEnd::HtmlBlock => {
                let is_tagged = self.blocks.last_mut().is_some_and(|block| std::mem::take(&mut block.is_tagged));
                self.markup(if is_tagged { "</p>" } else { "" });
            }
            TagEnd::Heading(level) => self.markup(&format!("</{}>", heading(level).0)),
            TagEnd::BlockQuote(_) => self.close("</td></tr></table></blockquote>"),
            TagEnd::CodeBlock => {
                self.is_code = false;
                self.markup("</pre>");
            }
            TagEnd::List(is_ordered) => self.close(if is_ordered { "</ol>" } else { "</ul>" }),
            TagEnd::Item => self.close("</li>"),
            TagEnd::Table => self.close(if self.table.has_rows { "</tbody></table></div>" } else { "</table></div>" }),
            TagEnd::TableHead => self.markup("</tr></thead>"),
            TagEnd::TableRow => self.markup("</tr>"),
            TagEnd::TableCell => self.markup(if self.table.is_head { "</th>" } else { "</td>" }),
            TagEnd::Emphasis => self.markup("</em>"),
            TagEnd::Strong => self.markup("</strong>"),
            TagEnd::Strikethrough => self.markup("</s>"),
            TagEnd::Link => self.markup("</a>"),
            TagEnd::Image => {
                let Some((address, alt, _)) = self.image.take() else { return };
                self.markup("<img src=\"");
                (self.put)(MarkdownPiece::Address(&address));
                self.markup("\" alt=\"");
                (self.put)(MarkdownPiece::Attribute(&alt));
                self.markup("\" style=\"max-width:100%;height:auto;border:0\">");
            }
            _ => {}
        }
    }

    /// Ends a container.
    fn close(&mut self, markup: &str) {
        self.blocks.pop();
        self.markup(markup);
    }
}

/// The element of a heading, and its size in pixels.
fn heading(level: HeadingLevel) -> (&'static str, u32) {
    match level {
        HeadingLevel::H1 => ("h1", 24),
        HeadingLevel::H2 => ("h2", 20),
        _ => ("h3", 17),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{MarkdownForm, plain, render};

    #[test]
    fn blocks_have_one_margin_between_them() {
        let cases = [
            ("**a** b", "<strong>a</strong> b"),
            ("a\n\nb", "a<p style=\"margin:16px 0 0\">b</p>"),
            (
                "# a\nb",
                "<h1 style=\"margin:0;font-size:24px;line-height:1.3\">a</h1><p style=\"margin:16px 0 0\">b</p>",
            ),
            (
                "- a\n- b\n  1. c\n\nd",
                "<ul style=\"margin:0\"><li style=\"margin:0\">a</li><li style=\"margin:4px 0 0\">b\
                 <ol style=\"margin:4px 0 0\"><li style=\"margin:0\">c</li></ol></li></ul>\
                 <p style=\"margin:16px 0 0\">d</p>",
            ),
            ("3. a", "<ol start=\"3\" style=\"margin:0\"><li style=\"margin:0\">a</li></ol>"),
            (
                "> a\n>\n> b",
                "<blockquote style=\"margin:0\"><table role=\"presentation\" cellpadding=\"0\" cellspacing=\"0\" \
                 border=\"0\"><tr><td style=\"border-left:4px solid #cbd5e0\"></td><td style=\"padding:4px 16px\">a\
                 <p style=\"margin:16px 0 0\">b</p></td></tr></table></blockquote>",
            ),
            (
                "![a \"*b*\" ![c](d)](https://x.y/a.png)",
                "<img src=\"https://x.y/a.png\" alt=\"a &quot;b&quot; c\" style=\"max-width:100%;height:auto;border:0\">",
            ),
        ];
        for (source, expected) in cases {
            let mut out = String::new();
            render(source, MarkdownForm::Html, &mut out);
            assert_eq!(out, expected, "{source}");
        }
    }

    #[test]
    fn a_table_is_one() {
        let mut out = String::new();
        render("|a|b|\n|-|-:|\n|1|2|\n|3|", MarkdownForm::Html, &mut out);
        let tags: Vec<&str> = out.split('<').filter_map(|tag| tag.split([' ', '>']).next()).skip(3).collect();
        let expected = "thead tr th /th th /th /tr /thead tbody tr td /td td /td /tr tr td /td td /td /tr /tbody";
        assert_eq!(tags.join(" "), format!("{expected} /table /div"));
        assert!(out.contains("border-bottom:1px solid #dde3ea;min-width:56px;text-align:right\">2</td>"), "{out}");
        // Rows are filled up to the columns of the head, so these must be limited.
        let columns = 30_000;
        let wide = format!("|{}\n|{}\n{}", "a|".repeat(columns), "-|".repeat(columns), "|a\n".repeat(columns));
        assert!(plain(&wide).len() < 20 * wide.len());
    }
}
