//! The parts of parsed Markdown.

use pulldown_cmark::Options;

/// The extensions that are supported.
pub const OPTIONS: Options = Options::ENABLE_STRIKETHROUGH.union(Options::ENABLE_TABLES);

/// A part of converted Markdown.
pub enum MarkdownPiece<'a> {
    Markup(&'a str),
    Words(&'a str),
    /// Words without marks, in texts only.
    Code(&'a str),
    Address(&'a str),
    /// Words in an attribute.
    Attribute(&'a str),
}
