//! From trees to a program.

mod blocks;
mod compiler;
mod condition;
mod constants;
mod levels;
mod parsed_text;
mod partials;
mod path;
mod text;

pub use compiler::{CompileError, Compiler, Jump, Loop, Names, Noted, resolve_at_top};
pub use condition::{ParsedCondition, path as parse_path};
pub use parsed_text::{ParsedText, Partials, TextPart};
