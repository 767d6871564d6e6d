//! E-mails: the document around their content, and the brand in it.

pub mod brand;
mod dark;
pub mod document;
pub mod headers;
mod language;
mod sanitize;
