//! How what is put into a text is kept from being more than text there.

/// What a part of a text is, which tells how it is escaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The author's own words.
    Words,
    /// `{{name}}`
    Data,
    /// `{{{name}}}`, and markup that a helper made.
    Raw,
}

/// Changes what stands in a text from a place on, such as by escaping it.
pub type Rewrite = fn(&mut String, usize);

/// Leaves it as it is.
pub fn keep(_: &mut String, _: usize) {}

/// How what is put into a text is kept from being more than text there.
#[derive(Debug)]
pub struct Escape {
    /// The author's own words.
    pub words: Rewrite,
    /// `{{name}}`
    pub data: Rewrite,
    /// `{{{name}}}`
    pub raw: Rewrite,
    pub changed: Changed,
}

/// How a text is written in which helpers change what stands in their blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    /// Like any other: they change what is escaped already, as in handlebars.js.
    Escaped,
    /// As [`NOTED`]: its parts are escaped when all is changed.
    Afterwards,
    /// It is noted what each part is.
    Noted,
}

impl Escape {
    pub fn of(&self, kind: Kind) -> Rewrite {
        match kind {
            Kind::Words => self.words,
            Kind::Data => self.data,
            Kind::Raw => self.raw,
        }
    }
}

/// For texts that are put nowhere else.
pub static PLAIN: Escape = Escape { words: keep, data: keep, raw: keep, changed: Changed::Afterwards };
/// For texts whose parts are escaped later.
pub static NOTED: Escape = Escape { words: keep, data: keep, raw: keep, changed: Changed::Noted };

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
