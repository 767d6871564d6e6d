//! From a text to a tree with places, parsed as in handlebars.js 4.7.

mod error;
mod lexer;
mod parser;
pub mod tree;
mod whitespace;

pub use error::{Place, SyntaxError, nearest};
pub use parser::parse;
