//! What a text has to become so that it stays a text where it is put.

use super::stripped;
use crate::model::content::is_script;
use crate::template::{self, Rewrite, WhenChanged, escape_html, keep};

/// Where a text is put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputContext {
    /// Plain text.
    Plain,
    /// The text of an HTML element; a line's end is one there too.
    Html,
    /// HTML of the author's, in which only the data are escaped.
    Markup,
    /// An HTML attribute between double quotes.
    Attribute,
    /// A value in a style attribute.
    Css,
    /// A JSON string.
    Json,
    /// Markdown that is read here: data are text in it, whatever they hold.
    Literal,
    /// Markdown that is passed on. No more is escaped than has to be, since not all who show it know every escape.
    Source,
    /// The same in a JSON string.
    Markdown,
    /// A text of the author's that is yet to become HTML, in which only the author makes links.
    Footer,
}

static HTML: template::Escape = template::Escape::new(html, html, keep);
/// As handlebars.js escapes, where a helper changes HTML: it is given data that are escaped already, and what it puts in
/// their place is HTML, even if that is an argument that is data.
static MARKUP: template::Escape = template::Escape {
    words: keep,
    data: escape_html,
    raw: keep,
    when_changed: WhenChanged::EscapeFirst,
    line_break: Some("<br>"),
};
static ATTRIBUTE: template::Escape = template::Escape::new(attribute, attribute, attribute);
static CSS: template::Escape = template::Escape::new(css, css, css);
static JSON: template::Escape = template::Escape::new(json, json, json);
static LITERAL: template::Escape = template::Escape::new(keep, literal, literal);
static SOURCE: template::Escape = template::Escape::new(keep, source, source);
static MARKDOWN: template::Escape = template::Escape::new(json, markdown, markdown);
static FOOTER: template::Escape = template::Escape::new(keep, footer, keep);
/// What stands in `{{#markdown}}`: only the author writes Markdown there.
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
}

fn source(out: &mut String, start: usize) {
    blank_address(out, start);
    OutputContext::Source.rewrite(out, start);
}

fn markdown(out: &mut String, start: usize) {
    blank_address(out, start);
    OutputContext::Markdown.rewrite(out, start);
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

/// The brackets of data in a footer, which are no link's. Unicode keeps both characters out of texts.
pub const BRACKETS: [(char, &str); 2] = [('\u{fdd0}', "["), ('\u{fdd1}', "]")];

impl OutputContext {
    /// How the template engine writes texts there.
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
        }
    }

    /// How the text of HTML is written there.
    pub fn of_stripped(self) -> Rewrite {
        match self {
            OutputContext::Json => |out, start| strip(OutputContext::Json, out, start),
            _ => |out, start| strip(OutputContext::Plain, out, start),
        }
    }

    /// How an address is written there whose scheme is only known when it is rendered: not at all if it would run.
    pub fn of_address(self) -> Rewrite {
        match self {
            OutputContext::Attribute => |out, start| address(OutputContext::Attribute, out, start),
            OutputContext::Json => |out, start| address(OutputContext::Json, out, start),
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
            OutputContext::Source => b"\\*_`[]<>()~#&\n\r".contains(&b),
            OutputContext::Markdown => OutputContext::Json.touches(b) || OutputContext::Source.touches(b),
        }
    }

    /// Escapes what stands in `out` from `start` on.
    pub fn rewrite(self, out: &mut String, start: usize) {
        let Some(first) = out.as_bytes().get(start..).and_then(|tail| tail.iter().position(|b| self.touches(*b)))
        else {
            return;
        };
        let tail = out.split_off(start + first);
        self.push(&tail, out);
    }

    pub fn push(self, text: &str, out: &mut String) {
        if self == OutputContext::Markdown {
            return OutputContext::Json.push(&OutputContext::Source.escaped(text), out);
        }
        for c in text.chars() {
            if !u8::try_from(c).map_or(self == OutputContext::Css, |b| self.touches(b)) {
                out.push(c);
                continue;
            }
            match (self, c) {
                (OutputContext::Css, _) => {}
                (OutputContext::Footer, '[') => out.push(BRACKETS[0].0),
                (OutputContext::Footer, ']') => out.push(BRACKETS[1].0),
                (OutputContext::Literal | OutputContext::Source, '\r') => {}
                // A line's end that no list, heading or code can follow.
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

/// Whether the scheme of an address that begins like this can still be any: then the whole has to be looked at.
pub fn is_scheme_open(beginning: &str) -> bool {
    !beginning.contains([':', '/', '?', '#'])
}

/// Blanks what stands in `out` from `start` on if it is an address that would run when opened.
pub fn blank_script(out: &mut String, start: usize) {
    if out.get(start..).is_some_and(is_script) {
        out.truncate(start);
    }
}
