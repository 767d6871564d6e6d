//! How words and data are escaped where they are inserted.

/// The kind of a part of a text, which decides how it is escaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrintKind {
    /// The author's own words.
    Words,
    /// `{{name}}`
    Data,
    /// `{{{name}}}`, and markup that a helper made.
    Raw,
}

/// Changes the part of a text from a place on, such as by escaping it.
pub type Rewrite = fn(&mut String, usize);

/// Leaves it as it is.
pub fn keep(_: &mut String, _: usize) {}

/// How the parts of a text are escaped where it is inserted.
#[derive(Debug)]
pub struct Escape {
    /// The author's own words.
    pub words: Rewrite,
    /// `{{name}}`
    pub data: Rewrite,
    /// `{{{name}}}`
    pub raw: Rewrite,
    pub when_changed: WhenChanged,
    /// The markup of `{{line-break}}`, if it is not a line break there.
    pub line_break: Option<&'static str>,
}

/// The order of escaping and changing in a text whose helpers change the content of their blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenChanged {
    /// Helpers change escaped text, as in handlebars.js.
    EscapeFirst,
    /// Helpers see the text as it will be read. If one may change it, it is written with [`TRACKED`] and escaped at the
    /// end.
    ChangeFirst,
    /// The kind of each part is tracked.
    Tracked,
}

impl Escape {
    /// For a place without markup of its own.
    pub const fn new(words: Rewrite, data: Rewrite, raw: Rewrite) -> Self {
        Escape { words, data, raw, when_changed: WhenChanged::ChangeFirst, line_break: None }
    }

    pub fn of(&self, kind: PrintKind) -> Rewrite {
        match kind {
            PrintKind::Words => self.words,
            PrintKind::Data => self.data,
            PrintKind::Raw => self.raw,
        }
    }
}

/// For texts that are not inserted anywhere else.
pub static PLAIN: Escape = Escape::new(keep, keep, keep);
/// For texts whose parts are escaped later.
pub static TRACKED: Escape = Escape { when_changed: WhenChanged::Tracked, ..Escape::new(keep, keep, keep) };

/// Data in HTML, as handlebars.js escapes them.
pub fn escape_html(out: &mut String, start: usize) {
    let touched = |byte: &u8| matches!(byte, b'&' | b'<' | b'>' | b'"' | b'\'' | b'`' | b'=');
    let Some(first) = out.as_bytes().get(start..).and_then(|tail| tail.iter().position(touched)) else { return };
    let tail = out.split_off(start + first);
    let mut rest = tail.as_str();
    while let Some(at) = rest.bytes().position(|byte| touched(&byte)) {
        out.push_str(&rest[..at]);
        out.push_str(match rest.as_bytes()[at] {
            b'&' => "&amp;",
            b'<' => "&lt;",
            b'>' => "&gt;",
            b'"' => "&quot;",
            b'\'' => "&#x27;",
            b'`' => "&#x60;",
            _ => "&#x3D;",
        });
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
}
