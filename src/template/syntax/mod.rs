//! From a text to a tree with places, as handlebars.js 4.7 reads it.

mod error;
mod lexer;
mod parser;
pub mod tree;
mod whitespace;

pub use error::{Place, SyntaxError, nearest};
pub use parser::parse;
