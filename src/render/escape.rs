//! How a text is escaped so that it stays text where it is inserted.

use std::borrow::Cow;

use super::{chat, stripped};
use crate::model::content::{Look, is_script};
use crate::template::{self, Rewrite, WhenChanged, escape_html, keep};

/// Where a text is inserted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputContext {
    /// Plain text.
    Plain,
    /// The text of an HTML element; a line break stays one.
    Html,
    /// HTML that the author wrote. Only the data are escaped.
    Markup,
    /// An HTML attribute between double quotes.
    Attribute,
    /// A value in a style attribute.
    Css,
    /// A JSON string.
    Json,
    /// Markdown that is parsed here: data stay text in it, whatever they hold.
    Literal,
    /// Markdown that is passed on. Only what must be is escaped, since not every reader knows every escape.
    Source,
    /// The same in a JSON string.
    Markdown,
    /// A text for a chat in a JSON string. The author's markup stands as it is, and data that could be markup have
    /// backslashes, for [`super::chat`] to read.
    Chat,
    /// A text of Slack's blocks in a JSON string.
    SlackBlock,
    /// An address in a style attribute, without quotes.
    CssUrl,
    /// An address in Markdown in a JSON string.
    MarkdownUrl,
    /// A text by the author that is yet to become HTML. Only the author can make links in it.
    Footer,
}

static HTML: template::Escape = template::Escape::new(html, html, keep);
/// Escapes like handlebars.js, where a helper changes HTML: the helper gets data that are escaped already, and what it
/// inserts is HTML, even an argument that is data.
static MARKUP: template::Escape = template::Escape {
    words: keep,
    data: escape_html,
    raw: keep,
    when_changed: WhenChanged::EscapeFirst,
    line_break: Some("<br>"),
};
/// The same for the text of a chat.
pub static CHAT_MARKUP: template::Escape = template::Escape {
    words: mark_calls,
    data: escape_unmarked,
    raw: unmark_calls,
    when_changed: WhenChanged::EscapeFirst,
    line_break: Some("<br>"),
};
static ATTRIBUTE: template::Escape = template::Escape::new(attribute, attribute, attribute);
static CSS: template::Escape = template::Escape::new(css_words, css, css);
static CSS_URL: template::Escape = template::Escape::new(css_url, css_url, css_url);
static MARKDOWN_URL: template::Escape = template::Escape::new(markdown_url, markdown_url, markdown_url);
static CHAT: template::Escape = template::Escape::new(chat_words, chat, chat);
static SLACK_BLOCK: template::Escape = template::Escape::new(json, slack_block, slack_block);
static JSON: template::Escape = template::Escape::new(json, json, json);
static LITERAL: template::Escape = template::Escape::new(keep, literal, literal);
static SOURCE: template::Escape = template::Escape::new(keep, source, source);
static MARKDOWN: template::Escape = template::Escape::new(json, markdown, markdown);
static FOOTER: template::Escape = template::Escape::new(keep, footer, keep);
/// The content of `{{#markdown}}`: only the author writes Markdown there.
pub static MARKDOWN_BLOCK: template::Escape = template::Escape {
    words: keep,
    data: literal,
    raw: keep,
    when_changed: WhenChanged::EscapeFirst,
    line_break: None,
};

fn html(out: &mut String, start: usize) {
    OutputContext::Html.rewrite(out, start);
}

pub fn attribute(out: &mut String, start: usize) {
    OutputContext::Attribute.rewrite(out, start);
}

pub fn css(out: &mut String, start: usize) {
    OutputContext::Css.rewrite(out, start);
}

pub fn json(out: &mut String, start: usize) {
    OutputContext::Json.rewrite(out, start);
}

fn literal(out: &mut String, start: usize) {
    OutputContext::Literal.rewrite(out, start);
    if out[start..].contains(UNDERLINE) {
        let words = out.split_off(start).replace(UNDERLINE, "");
        out.push_str(&words);
    }
}

/// The author's own value may have several parts.
fn css_words(out: &mut String, start: usize) {
    let kept = |c: char| c == '/' || c.is_ascii() && !OutputContext::Css.touches(c as u8);
    let words: String = out.split_off(start).chars().filter(|c| kept(*c)).collect();
    out.push_str(&words);
}

fn css_url(out: &mut String, start: usize) {
    blank_script(out, start);
    OutputContext::CssUrl.rewrite(out, start);
}

fn markdown_url(out: &mut String, start: usize) {
    uncall_address(out, start);
    OutputContext::MarkdownUrl.rewrite(out, start);
}

fn source(out: &mut String, start: usize) {
    blank_address(out, start);
    OutputContext::Source.rewrite(out, start);
    guard_start(out, start, "\\");
}

fn markdown(out: &mut String, start: usize) {
    blank_address(out, start);
    OutputContext::Markdown.rewrite(out, start);
    uncall(out, start);
    guard_start(out, start, "\\\\");
}

/// Data mention no users, and complete no mention that the author begins.
fn uncall(out: &mut String, start: usize) {
    if out.split_at_checked(start).is_some_and(|(before, data)| chat::completes_call(before, data)) {
        out.insert(start, chat::BREAK);
    }
    if let Some(Cow::Owned(uncalled)) = out.get(start..).map(chat::uncalled) {
        out.truncate(start);
        out.push_str(&uncalled);
    }
}

fn uncall_address(out: &mut String, start: usize) {
    if let Some(Cow::Owned(uncalled)) = out.get(start..).map(chat::uncalled_address) {
        out.truncate(start);
        out.push_str(&uncalled);
    }
}

fn mark_calls(out: &mut String, start: usize) {
    let words = out.split_off(start);
    out.push_str(&chat::with_marked_calls(&words));
}

fn unmark_calls(out: &mut String, start: usize) {
    let data = out.split_off(start);
    out.push_str(&chat::without_marked_calls(&data));
}

fn escape_unmarked(out: &mut String, start: usize) {
    unmark_calls(out, start);
    escape_html(out, start);
}

/// Data at the beginning of a line do not begin a list.
fn guard_start(out: &mut String, start: usize, backslash: &str) {
    let tail = out.get(start..).unwrap_or_default().trim_start_matches(' ');
    let at = out.len() - tail.len();
    let digits = tail.bytes().take_while(u8::is_ascii_digit).count();
    match tail.as_bytes().get(digits) {
        Some(b'-' | b'+') if digits == 0 => out.insert_str(at, backslash),
        Some(b'.') if digits > 0 => out.insert_str(at + digits, backslash),
        _ => {}
    }
}

/// The author's words in a chat: a backslash stands for itself.
fn chat_words(out: &mut String, start: usize) {
    let words = out.split_off(start).replace('\\', "\\\\");
    OutputContext::Json.push(&words, out);
}

fn chat(out: &mut String, start: usize) {
    OutputContext::Chat.rewrite(out, start);
    uncall(out, start);
    guard_start(out, start, "\\\\");
}

fn slack_block(out: &mut String, start: usize) {
    OutputContext::SlackBlock.rewrite(out, start);
}

fn footer(out: &mut String, start: usize) {
    OutputContext::Footer.rewrite(out, start);
}

fn address(context: OutputContext, out: &mut String, start: usize) {
    blank_script(out, start);
    context.rewrite(out, start);
}

fn strip(context: OutputContext, out: &mut String, start: usize) {
    let html = out.split_off(start);
    context.push(&stripped::text(&html), out);
}

/// Data in Markdown may be the address of a link.
fn blank_address(out: &mut String, start: usize) {
    if !out[start..].contains(char::is_whitespace) {
        blank_script(out, start);
    }
}

/// Stands for the marks of underlined text while Markdown is parsed. Unicode keeps both characters out of texts.
pub const UNDERLINE: [char; 2] = ['\u{fdd4}', '\u{fdd5}'];

/// Brackets in data in a footer, which are not a link's. Unicode keeps both characters out of texts.
pub const BRACKETS: [(char, &str); 2] = [('\u{fdd0}', "["), ('\u{fdd1}', "]")];

impl OutputContext {
    /// How the template engine escapes texts there.
    pub fn of_text(self) -> &'static template::Escape {
        match self {
            OutputContext::Plain => &template::PLAIN,
            OutputContext::Html => &HTML,
            OutputContext::Markup => &MARKUP,
            OutputContext::Attribute => &ATTRIBUTE,
            OutputContext::Css => &CSS,
            OutputContext::Json => &JSON,
            OutputContext::Literal => &LITERAL,
            OutputContext::Source => &SOURCE,
            OutputContext::Markdown => &MARKDOWN,
            OutputContext::Footer => &FOOTER,
            OutputContext::Chat => &CHAT,
            OutputContext::SlackBlock => &SLACK_BLOCK,
            OutputContext::CssUrl => &CSS_URL,
            OutputContext::MarkdownUrl => &MARKDOWN_URL,
        }
    }

    /// How the text content of HTML is escaped there.
    pub fn of_stripped(self) -> Rewrite {
        match self {
            OutputContext::Json => |out, start| strip(OutputContext::Json, out, start),
            OutputContext::Chat => |out, start| {
                let html = out.split_off(start);
                OutputContext::Chat.push(&chat::only_marked_call(&stripped::text(&html)), out);
            },
            _ => |out, start| strip(OutputContext::Plain, out, start),
        }
    }

    /// How an address is escaped there if its scheme is only known when it is rendered. One that would run a script
    /// becomes empty.
    pub fn of_address(self) -> Rewrite {
        match self {
            OutputContext::Attribute => |out, start| address(OutputContext::Attribute, out, start),
            OutputContext::Json => |out, start| address(OutputContext::Json, out, start),
            OutputContext::Chat => |out, start| {
                uncall_address(out, start);
                address(OutputContext::Chat, out, start);
            },
            OutputContext::MarkdownUrl => |out, start| {
                uncall_address(out, start);
                address(OutputContext::MarkdownUrl, out, start);
            },
            _ => blank_script,
        }
    }

    fn touches(self, b: u8) -> bool {
        match self {
            OutputContext::Plain => false,
            OutputContext::Html => matches!(b, b'&' | b'<' | b'>' | b'"' | b'\'' | b'\n'),
            OutputContext::Markup | OutputContext::Attribute => matches!(b, b'&' | b'<' | b'>' | b'"' | b'\''),
            OutputContext::Css => !(b.is_ascii_alphanumeric() || b"#.,%() -".contains(&b)),
            OutputContext::Json => b == b'"' || b == b'\\' || b < 0x20,
            OutputContext::Footer => b == b'[' || b == b']',
            OutputContext::Literal => b.is_ascii_punctuation() || b == b'\n' || b == b'\r',
            OutputContext::Source => b"\\*_`[]<>()~#&|\n\r".contains(&b),
            OutputContext::Markdown | OutputContext::Chat | OutputContext::SlackBlock => {
                OutputContext::Json.touches(b) || OutputContext::Source.touches(b)
            }
            OutputContext::MarkdownUrl => b <= b' ' || b"\"()<>\\".contains(&b),
            OutputContext::CssUrl => b <= b' ' || b"\"'()<>\\;{}&".contains(&b),
        }
    }

    /// Escapes the part of `out` from `start` on.
    pub fn rewrite(self, out: &mut String, start: usize) {
        let Some(first) = out.as_bytes().get(start..).and_then(|tail| tail.iter().position(|b| self.touches(*b)))
        else {
            return;
        };
        let tail = out.split_off(start + first);
        self.push(&tail, out);
    }

    pub fn push(self, text: &str, out: &mut String) {
        match self {
            OutputContext::Markdown => return OutputContext::Json.push(&OutputContext::Source.escaped(text), out),
            OutputContext::Chat => return OutputContext::Json.push(&chat::escaped(text), out),
            OutputContext::SlackBlock => return OutputContext::Json.push(&chat::slack_data(text), out),
            _ => {}
        }
        for c in text.chars() {
            if !u8::try_from(c).map_or(self == OutputContext::Css, |b| self.touches(b)) {
                out.push(c);
                continue;
            }
            match (self, c) {
                (OutputContext::Css, _) => {}
                (OutputContext::CssUrl, '&') => out.push_str("&amp;"),
                (OutputContext::CssUrl | OutputContext::MarkdownUrl, c) => out.push_str(&format!("%{:02X}", c as u32)),
                (OutputContext::Footer, '[') => out.push(BRACKETS[0].0),
                (OutputContext::Footer, ']') => out.push(BRACKETS[1].0),
                (OutputContext::Literal | OutputContext::Source, '\r') => {}
                // A line break that cannot begin a list, heading or code.
                (OutputContext::Literal, '\n') => out.push_str("\\\n"),
                (OutputContext::Source, '\n') => out.push(' '),
                (OutputContext::Literal | OutputContext::Source, c) => out.extend(['\\', c]),
                (OutputContext::Json, '"') => out.push_str("\\\""),
                (OutputContext::Json, '\\') => out.push_str("\\\\"),
                (OutputContext::Json, '\n') => out.push_str("\\n"),
                (OutputContext::Json, '\r') => out.push_str("\\r"),
                (OutputContext::Json, '\t') => out.push_str("\\t"),
                (OutputContext::Json, c) => out.push_str(&format!("\\u{:04x}", c as u32)),
                (_, '&') => out.push_str("&amp;"),
                (_, '<') => out.push_str("&lt;"),
                (_, '>') => out.push_str("&gt;"),
                (_, '"') => out.push_str("&quot;"),
                (_, '\'') => out.push_str("&#39;"),
                (_, '\n') => out.push_str("<br>\n"),
                (_, c) => out.push(c),
            }
        }
    }

    pub fn escaped(self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        self.push(text, &mut out);
        out
    }
}

/// Whether an address with this beginning can still have any scheme: then the whole address has to be checked.
pub fn is_scheme_open(beginning: &str) -> bool {
    !beginning.contains([':', '/', '?', '#'])
}

/// Clears a style value made from data, unless it is valid.
pub fn of_look(look: Look) -> Rewrite {
    fn check(look: Look, out: &mut String, start: usize) {
        let text = out.split_off(start);
        out.push_str(&look.value(&text).unwrap_or_default());
    }
    match look {
        Look::Color | Look::Background | Look::BodyColor | Look::Highlight | Look::BorderColor => {
            |out, start| check(Look::Color, out, start)
        }
        Look::Padding => |out, start| check(Look::Padding, out, start),
        Look::FontFamily => |out, start| check(Look::FontFamily, out, start),
        Look::LineHeight => |out, start| check(Look::LineHeight, out, start),
        Look::Width | Look::Height => |out, start| check(Look::Width, out, start),
        Look::VerticalAlign => |out, start| check(Look::VerticalAlign, out, start),
        Look::Align => |out, start| check(Look::Align, out, start),
        Look::BorderWidth | Look::BorderRadius | Look::FontSize | Look::Gap => {
            |out, start| check(Look::FontSize, out, start)
        }
    }
}

/// How much of an address is checked: entities are longer than what they stand for.
const SCHEME_CHARACTERS: usize = 400;

/// Attributes of HTML that hold an address.
const ADDRESSES: [&str; 4] = ["href", "src", "action", "background"];

/// Whether an attribute of HTML, or of MJML, has an address whose scheme comes from data.
pub fn has_open_address(markup: &str) -> bool {
    markup.match_indices("{{").any(|(at, _)| {
        let before = markup.get(..at).unwrap_or_default().trim_end_matches([' ', '"', '\'']);
        let name = before.strip_suffix('=').map(str::trim_end);
        name.is_some_and(|before| ADDRESSES.iter().any(|name| ends_with(before, name)))
    })
}

fn ends_with(text: &str, end: &str) -> bool {
    text.len().checked_sub(end.len()).and_then(|at| text.get(at..)).is_some_and(|it| it.eq_ignore_ascii_case(end))
}

/// Clears the addresses in HTML that would run scripts when opened.
pub fn blank_scripts(out: &mut String, start: usize) {
    let html = out.split_off(start);
    let mut copied = 0;
    for (at, _) in html.match_indices('=') {
        let (before, behind) = (&html[..at], &html[at + 1..]);
        if at < copied || !ADDRESSES.iter().any(|name| ends_with(before.trim_end(), name)) {
            continue;
        }
        let value = behind.trim_start();
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
        let inside = value.get(usize::from(quote.is_some())..).unwrap_or_default();
        let ends = |c: char| match quote {
            Some(quote) => c == quote,
            None => c.is_ascii_whitespace() || c == '>',
        };
        // Browsers decode an entity in place of a colon.
        let beginning: String = inside.chars().take(SCHEME_CHARACTERS).take_while(|c| !ends(*c)).collect();
        let read = stripped::unescaped(&beginning);
        let is_picture = read.trim_start().starts_with("data:image/") && !ends_with(before.trim_end(), "href");
        if is_script(&read) && !is_picture {
            let from = html.len() - inside.len();
            out.push_str(&html[copied..from]);
            copied = from + inside.find(ends).unwrap_or(inside.len());
        }
    }
    out.push_str(&html[copied..]);
}

/// Clears the part of `out` from `start` on if it is an address that would run a script when opened.
pub fn blank_script(out: &mut String, start: usize) {
    if out.get(start..).is_some_and(is_script) {
        out.truncate(start);
    }
}
