//! Markdown in other forms: HTML for e-mails, with the styles inline; plain text; and Slack's own markup. What is common
//! in notifications is understood. HTML in it stays text.

use std::borrow::Cow;
use std::collections::HashSet;

use pulldown_cmark::{Alignment, Event, HeadingLevel, LinkType, Options, Parser, Tag, TagEnd, TextMergeStream};

use super::chat;
use super::escape::{OutputContext, UNDERLINE, blank_script, is_scheme_open};
use super::palette::{LINE, LINK, QUOTE, SHADE};
use crate::model::content::{TextStyle, is_script};
use crate::template::{Compiler, Rewrite, TextPart};

/// What Markdown is to become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarkdownForm {
    Html,
    /// Plain text in such a context.
    Plain(OutputContext),
}

impl MarkdownForm {
    fn walk(self, source: &str, put: &mut dyn FnMut(MarkdownPiece<'_>)) {
        match self {
            MarkdownForm::Html => walk(source, put),
            MarkdownForm::Plain(_) => walk_text(source, false, put),
        }
    }

    /// Puts what stands in a text from a place on into this form.
    pub fn rewrite(self) -> Rewrite {
        match self {
            MarkdownForm::Html => |out, start| rewrite(MarkdownForm::Html, out, start),
            MarkdownForm::Plain(OutputContext::Json) => {
                |out, start| rewrite(MarkdownForm::Plain(OutputContext::Json), out, start)
            }
            MarkdownForm::Plain(OutputContext::Chat) => {
                |out, start| rewrite(MarkdownForm::Plain(OutputContext::Chat), out, start)
            }
            MarkdownForm::Plain(_) => |out, start| rewrite(MarkdownForm::Plain(OutputContext::Plain), out, start),
        }
    }

    /// Of markup, words and addresses.
    fn contexts(self) -> [OutputContext; 3] {
        match self {
            MarkdownForm::Html => [OutputContext::Plain, OutputContext::Html, OutputContext::Attribute],
            MarkdownForm::Plain(context) => [context; 3],
        }
    }
}

/// A part of what Markdown becomes.
enum MarkdownPiece<'a> {
    Markup(&'a str),
    Words(&'a str),
    /// Words in which no mark is one, in texts alone.
    Code(&'a str),
    Address(&'a str),
    /// Words in an attribute.
    Attribute(&'a str),
}

/// Writes Markdown in another form.
pub fn render(source: &str, form: MarkdownForm, out: &mut String) {
    let [markup_context, words_context, address_context] = form.contexts();
    form.walk(source, &mut |piece| match piece {
        MarkdownPiece::Markup(markup) => markup_context.push(markup, out),
        MarkdownPiece::Words(words) | MarkdownPiece::Code(words) => words_context.push(words, out),
        MarkdownPiece::Attribute(words) => address_context.push(words, out),
        MarkdownPiece::Address(address) => {
            let at = out.len();
            out.push_str(address);
            blank_script(out, at);
            address_context.rewrite(out, at);
        }
    });
}

/// Longest text of Markdown, in bytes: taken apart it is up to seventy times as large.
pub const BYTES: u32 = 1024 * 1024;

pub fn check_length(source: &str) -> std::result::Result<(), String> {
    match source.len() > BYTES as usize {
        true => Err(format!("expected at most {BYTES} bytes of Markdown")),
        false => Ok(()),
    }
}

fn rewrite(form: MarkdownForm, out: &mut String, start: usize) {
    let source = out.split_off(start);
    render(&source, form, out);
}

/// Markdown as plain text.
pub fn plain(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    render(source, MarkdownForm::Plain(OutputContext::Plain), &mut out);
    out
}

/// Markdown in the markup of Slack. References of the author's, such as `<@U123>`, pass.
pub fn slack(source: &str) -> String {
    let (source, references) = chat::without_references(source);
    let mut out = String::with_capacity(source.len());
    walk_text(&source, true, &mut |piece| match piece {
        MarkdownPiece::Markup(markup) => out.push_str(markup),
        MarkdownPiece::Words(words) | MarkdownPiece::Attribute(words) => {
            out.push_str(&chat::with_references(words, &references))
        }
        MarkdownPiece::Code(words) => out.push_str(&chat::slack_code(words, &references)),
        MarkdownPiece::Address(address) => out.push_str(&chat::slack_escaped(address).replace('|', "%7C")),
    });
    out
}

/// Whether the author's words have marks of Markdown, in a text that does not say whether it is. What stands in tags is
/// none of theirs. Marks that would change nothing, such as a lone asterisk, are none, so that the text stays as it is.
pub fn is_marked(source: &str) -> bool {
    // What is Markdown in it says so already.
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

/// Whether words of the author's in a label, which can be neither link nor block, are emphasized.
pub fn is_emphasized(source: &str) -> bool {
    if !source.contains(['*', '_', '~', '`', '+']) {
        return false;
    }
    let words = words_beside_tags(source);
    has_pairs(&words) && !has_more(&words)
}

/// Whether words that have marks are Slack's own markup: `*bold*`, and nothing that only Markdown has.
pub fn is_slack_markup(source: &str) -> bool {
    let words = words_beside_tags(source);
    let is_heading = |line: &str| line.trim_start().starts_with('#') && begins_block(line);
    ["*", "_", "~"].iter().any(|mark| words.matches(mark).nth(1).is_some())
        && !["**", "__", "~~", "]("].iter().any(|mark| words.contains(mark))
        && !words.lines().any(is_heading)
}

/// What puts the marks of a style around Markdown in a JSON string; `None` if it has none.
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

/// Blanks and ends of lines stay outside of the marks, which are none beside them.
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

/// Whether a JSON string ends with no half of an escape.
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
    words.contains("](") || is_autolink() || words.lines().any(begins_block)
}

/// Markdown whose `+underlined+` words, as Courier's designer writes them, have marks that nothing else has.
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

/// The same without the marks, for those who are given Markdown as it is and know none for it.
pub fn without_underlines(source: &str) -> Cow<'_, str> {
    match underlines(source) {
        Cow::Owned(marked) => Cow::Owned(marked.replace(UNDERLINE, "")),
        source => source,
    }
}

/// The bytes of a tag, code, an escaped character or another character that a text begins with.
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

/// Where the mark stands that ends the underlined words with which a text begins.
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
fn without_marks(words: &str) -> Cow<'_, str> {
    match words.contains(UNDERLINE) {
        true => Cow::Owned(words.replace(UNDERLINE, "+")),
        false => Cow::Borrowed(words),
    }
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

/// Markdown of words and variables, compiled to what stands around its variables.
pub fn compile(parts: &[TextPart<'_>], form: MarkdownForm, compiler: &mut Compiler<'_>) {
    // While it is read, letters stand for the variables.
    let words = |part: &TextPart<'_>| match part {
        TextPart::Words(words) => (*words).to_owned(),
        TextPart::Variable(_) => String::new(),
    };
    let all: String = parts.iter().map(words).collect();
    let mark = letters_without(&all);
    let (mut source, mut variables) = (String::new(), Vec::new());
    for part in parts {
        match part {
            TextPart::Words(words) => source.push_str(words),
            TextPart::Variable(variable) => {
                source.push_str(&format!("{mark}{}z", variables.len()));
                variables.push(*variable);
            }
        }
    }
    let put = |text: &str, context: OutputContext, compiler: &mut Compiler<'_>| {
        let escape = context.of_text();
        let mut parts = text.split(mark.as_str());
        compiler.words_escaped(parts.next().unwrap_or_default(), escape.words);
        for part in parts {
            let (number, rest) = part.split_once('z').unwrap_or((part, ""));
            if let Some(variable) = number.parse::<usize>().ok().and_then(|i| variables.get(i)) {
                compiler.variable(variable, escape);
            }
            compiler.words_escaped(rest, escape.words);
        }
    };
    let [markup_context, words_context, address_context] = form.contexts();
    form.walk(&source, &mut |piece| match piece {
        MarkdownPiece::Markup(markup) => compiler.words_escaped(markup, markup_context.of_text().words),
        MarkdownPiece::Words(words) | MarkdownPiece::Code(words) => put(words, words_context, compiler),
        MarkdownPiece::Attribute(words) => put(words, address_context, compiler),
        MarkdownPiece::Address(address) => {
            let beginning = address.split(mark.as_str()).next().unwrap_or_default();
            if !is_scheme_open(beginning) && !is_script(address) {
                return put(address, address_context, compiler);
            }
            compiler.begin();
            put(address, OutputContext::Plain, compiler);
            compiler.finish_with(address_context.of_address());
        }
    });
}

/// Letters that the words do not hold. Of the numbers in those that they hold each is looked at once.
fn letters_without(words: &str) -> String {
    let number = |(_, rest): (&str, &str)| {
        let digits = rest.bytes().take(20).take_while(u8::is_ascii_digit).count();
        rest.get(..digits)?.parse::<usize>().ok()
    };
    let held = words.match_indices("xq").map(|(at, found)| words.split_at(at + found.len()));
    let held: HashSet<usize> = held.filter_map(number).collect();
    let free = (0..=held.len()).find(|number| !held.contains(number)).unwrap_or_default();
    format!("xq{free}v")
}

/// Where a quote or an item of a list begins so many bytes into its line or later, it is text. With every line Markdown
/// looks at all the quotes and lists that are open: without a bound a few thousand in each other take minutes.
const NESTING_BYTES: usize = 100;

/// The same Markdown without what nests too deep.
fn shallow(source: &str) -> Cow<'_, str> {
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

/// Where a line has to be escaped so that nothing more begins in it.
fn too_deep(line: &str) -> Option<usize> {
    let is_mark = |byte: &u8| byte.is_ascii_digit() || b" \t>-+*.)".contains(byte);
    if line.len() < NESTING_BYTES || !line.as_bytes().iter().take(NESTING_BYTES).all(is_mark) {
        return None;
    }
    let rest = line.get(NESTING_BYTES..)?;
    let first = rest.trim_start_matches([' ', '\t']);
    // A line all of these is a rule, or underlines a heading.
    let mark = first.chars().next()?;
    if "-*_=".contains(mark) && first.trim_end().chars().all(|c| c == mark || c == ' ' || c == '\t') {
        return None;
    }
    // Of a number what stands behind it is the mark.
    let marks = first.trim_start_matches(|c: char| c.is_ascii_digit());
    let is_item =
        marks.starts_with(['-', '+', '*', '.', ')']) && !marks.get(1..)?.starts_with(|c: char| !c.is_whitespace());
    (is_item || marks.starts_with('>')).then(|| line.len() - marks.len())
}

/// What is understood beside the usual.
const OPTIONS: Options = Options::ENABLE_STRIKETHROUGH.union(Options::ENABLE_TABLES);

/// Margin above a block that is not the first of what it stands in, in pixels.
const BLOCK_PIXELS: u32 = 16;
/// The same in an item of a list.
const ITEM_PIXELS: u32 = 4;

/// Walks through Markdown as through HTML. The text around has its own margin below, so that here each block but the
/// first has one above. The first paragraph has no tag: a text of one paragraph is a part of the text around.
fn walk(source: &str, put: &mut dyn FnMut(MarkdownPiece<'_>)) {
    let source = &shallow(source);
    let mut html = Html { put, blocks: vec![Block::default()], image: None, is_code: false, table: Table::default() };
    for event in Parser::new_ext(source, OPTIONS) {
        html.event(event);
    }
}

/// What blocks stand in.
#[derive(Default)]
struct Block {
    begun: bool,
    is_item: bool,
    is_tagged: bool,
}

/// The table that is written.
#[derive(Default)]
struct Table {
    alignments: Vec<Alignment>,
    column: usize,
    is_head: bool,
    has_rows: bool,
}

/// HTML while it is written.
struct Html<'p> {
    put: &'p mut dyn FnMut(MarkdownPiece<'_>),
    /// The innermost last.
    blocks: Vec<Block>,
    /// Address and words of the image that it is in, and how many images that is in.
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
        // Elsewhere the end of a line is written as a tag.
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
                // The bar is a cell, which also Outlook draws, and which stands where lines begin.
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
                // On a narrow screen a table of many columns is moved aside instead of the page.
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
                    // Where lines begin, for those who know it.
                    _ => "text-align:left;text-align:start",
                };
                self.table.column += 1;
                // A column is as wide as its heading at least; within it long words wrap, and short ones do not.
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

    /// Ends what blocks stand in.
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

/// Deepest list whose items are indented further.
const INDENT_LIMIT: usize = 8;

/// Walks through Markdown as through a text of paragraphs, with the marks of Slack or without any.
fn walk_text(source: &str, slack: bool, put: &mut dyn FnMut(MarkdownPiece<'_>)) {
    let source = &shallow(source);
    let mut text =
        Paragraphs { put, slack, lines: 0, begun: false, is_fresh: true, quotes: 0, lists: Vec::new(), link: None };
    let mut code: Option<String> = None;
    let mut is_first_cell = true;
    // Words in one piece: what stands beside a mark tells whether it is one.
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

/// A text while it is written.
struct Paragraphs<'p> {
    put: &'p mut dyn FnMut(MarkdownPiece<'_>),
    slack: bool,
    /// Ends of lines that stand before what comes next.
    lines: usize,
    begun: bool,
    /// Whether a block was begun by something that nothing has followed yet.
    is_fresh: bool,
    quotes: usize,
    /// The number of the next item, if they have any.
    lists: Vec<Option<u64>>,
    /// The address and the words of the link that it is in.
    link: Option<(String, String)>,
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
        for _ in 0..if begun { lines } else { 0 } {
            (self.put)(MarkdownPiece::Markup("\n"));
            (self.put)(MarkdownPiece::Markup(quote));
        }
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
        if let Some((_, text)) = &mut self.link {
            text.push_str(words);
        }
        (self.put)(piece);
    }

    /// In the words of a link Slack knows no marks.
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
            return (self.put)(MarkdownPiece::Markup(">"));
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
    use super::*;

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
            ("[a](javascript:x) ![alt](https://x.y/a.png)", "a alt", "a alt"),
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
    fn only_words_with_marks_are_markdown() {
        for text in [
            "**b**",
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

    #[test]
    fn words_between_plus_signs_are_underlined() {
        let html = |source: &str| {
            let mut out = String::new();
            render(&underlines(source), MarkdownForm::Html, &mut out);
            out
        };
        for (source, expected) in [
            ("+all+ and **+both+** +two words+.", "<u>all</u> and <strong><u>both</u></strong> <u>two words</u>."),
            ("C++ and +1 555 +2+, 1 + 2 + 3, a+b+c", "C++ and +1 555 +2+, 1 + 2 + 3, a+b+c"),
            ("\\+no+ `+code+` ", "+no+ <code"),
            ("[+x+](https://a.b/+c+)", "<a href=\"https://a.b/+c+\" style=\"color:#2a6fdb\"><u>x</u></a>"),
            ("+one\nline+", "+one<br>\nline+"),
        ] {
            assert!(html(source).starts_with(expected), "{source}: {}", html(source));
        }
        assert!(html("`+code+`").contains("+code+</code>"));
        assert_eq!(plain(&underlines("+a+ `+b+`")), "a +b+");
        assert_eq!(without_underlines("+a+ {{add +b+}}"), "a {{add +b+}}");
        assert!(is_marked("Read +this+") && !is_marked("C++ or +1 (555) 1+1"));
        assert!(is_emphasized("**Pay** now") && !is_emphasized("1. *a*") && !is_emphasized("[*a*](b)"));
    }

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
        // Rows are filled up to the columns of the head, which must not be without bound.
        let columns = 30_000;
        let wide = format!("|{}\n|{}\n{}", "a|".repeat(columns), "-|".repeat(columns), "|a\n".repeat(columns));
        assert!(plain(&wide).len() < 20 * wide.len());
    }

    #[test]
    fn lists_in_lists_without_end_are_not_indented_without_end() {
        assert!(plain(&"- ".repeat(20_000)).len() < 20_000 * 20);
        assert!(slack(&"> ".repeat(20_000)).len() < 200_000);
    }

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
        // Some minutes' work if lists nested without a bound.
        for mark in ["- ", "> ", "1. "] {
            let source = mark.repeat(400_000) + &"a\n".repeat(400_000);
            assert!(plain(&source).len() > 800_000, "{mark}");
        }
    }

    #[test]
    fn letters_that_the_words_do_not_hold_are_found_at_one_look() {
        assert_eq!(letters_without("xq0v xq2v xq99999999999999999999999v xqv"), "xq1v");
        let words: String = (0..300_000).map(|i| format!("xq{i}v")).collect();
        assert_eq!(letters_without(&words), "xq300000v");
    }
}
