//! E-mails: the document around their content, and the brand in it.

pub mod brand;
mod dark;
pub mod document;
mod language;
mod sanitize;
