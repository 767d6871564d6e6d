//! From trees to a program.

mod blocks;
mod compiler;
mod condition;
mod constants;
mod levels;
mod partials;
mod path;
mod template;
mod text;

pub use compiler::{CompileError, Compiler, Jump, Loop, Names, Noted, resolve_at_top};
pub use condition::{Condition, path as parse_path};
pub use template::{Part, Partials, Template};
