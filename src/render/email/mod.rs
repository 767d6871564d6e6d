//! E-mails: the document around their content, and the brand in it.

pub mod brand;
pub mod document;
mod sanitize;
