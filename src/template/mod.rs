//! A Handlebars engine that agrees with handlebars.js 4.7, with Courier's helpers. Its input is texts, a table of
//! helpers, how words and data are escaped where they are inserted, and something that looks up names. It does not know
//! where texts come from, which recipients they are for, or where they go.
//!
//! A text passes through `syntax` (from its source to a tree) and `compile` (from trees to a flat program) once, and
//! through `evaluate` once for each message. Values stay JSON as it was sent.

mod budget;
mod call;
mod change;
mod compile;
mod conditions;
mod escape;
mod evaluate;
mod heap;
mod helpers;
mod number;
mod operations;
mod program;
mod syntax;
mod values;

pub use budget::{PARTS, Problem, TEXT_BYTES};
pub use call::{CallCheck, Form, Helper, HelperCall, Helpers, KnownArguments, Table};
pub use compile::{
    CompileError, Compiler, Jump, Loop, Names, Noted, ParsedCondition, ParsedText, Partials, TextPart, parse_path,
    resolve_at_top,
};
pub use conditions::ConditionTest;
pub use escape::{Escape, PLAIN, Rewrite, WhenChanged, escape_html, keep};
pub use evaluate::{holds, render};
pub use heap::{Heap, Root};
pub use helpers::HELPERS;
pub use program::{Constant, Program, TextPath};
pub use values::Value;
