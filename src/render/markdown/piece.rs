//! What Markdown is taken apart into.

use pulldown_cmark::Options;

/// What is understood beside the usual.
pub const OPTIONS: Options = Options::ENABLE_STRIKETHROUGH.union(Options::ENABLE_TABLES);

/// A part of what Markdown becomes.
pub enum MarkdownPiece<'a> {
    Markup(&'a str),
    Words(&'a str),
    /// Words in which no mark is one, in texts alone.
    Code(&'a str),
    Address(&'a str),
    /// Words in an attribute.
    Attribute(&'a str),
}
