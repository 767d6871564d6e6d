//! From trees to a program. A [`Compiler`] puts a program together of words, texts, conditions and loops, in the order in
//! which they are to be written.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::fmt;

use super::super::call::Table;
use super::super::program::{Constant, Escape, Op, Program, Tail, Target};
use super::super::syntax::tree;
use super::super::syntax::{Place, SyntaxError};
use super::template::Partials;

/// Takes note of the names at the top that texts mention.
pub trait Names {
    /// A path that begins at the top, of at least one name. Its value will be asked for by number, once for each text.
    fn note(&mut self, path: &[&str]) -> Noted;
}

/// A path that was noted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Noted {
    pub slot: u32,
    /// How many names of the path the number stands for; the rest is looked up in its value.
    pub taken: usize,
}

/// Why something cannot be compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CompileError {
    Syntax(SyntaxError),
    Other(String),
}

impl From<SyntaxError> for CompileError {
    fn from(error: SyntaxError) -> Self {
        CompileError::Syntax(error)
    }
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CompileError::Syntax(error) => error.fmt(f),
            CompileError::Other(problem) => f.write_str(problem),
        }
    }
}

/// Tags in one program: each takes a few instructions.
const OPS_LIMIT: usize = 1_000_000;

/// What surrounds what is being compiled.
pub struct Level {
    pub block_params: Vec<String>,
    pub frame: Frame,
}

/// What a block does to `this` when it is rendered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// Nothing: it is no more than a jump. `this` is no longer nothing, but an empty object.
    Same,
    /// Nothing at all.
    Else,
    /// It may stay everything that names at the top are members of.
    Section,
    Other,
    /// A loop of elements, which leaves `this` alone.
    Loop,
}

impl Level {
    pub fn has_frame(&self) -> bool {
        !matches!(self.frame, Frame::Same | Frame::Else)
    }
}

pub struct Compiler<'n> {
    pub(super) names: &'n mut dyn Names,
    pub(super) helpers: Table,
    pub(super) partials: &'n Partials,
    pub(super) program: Program,
    pub(super) levels: Vec<Level>,
    /// Where partials begin, by name and escape.
    pub(super) routines: HashMap<(String, usize), Target>,
    /// Whether `this` of the outermost level is what names at the top are members of for certain.
    pub(super) at_top: bool,
    name_numbers: HashMap<String, u32>,
    /// Names that the text sets which is being compiled.
    pub(super) set_names: Vec<String>,
    /// Blocks around the partial that is being compiled, and partials: compiling them recurses.
    pub(super) depth: usize,
    /// Whether a jump leads to what comes next.
    pub(super) is_target: bool,
    /// Whether any partial changes text. Looked up once.
    pub(super) has_changing_partial: OnceCell<bool>,
}

/// A text while it is compiled.
pub struct Source<'t> {
    pub text: &'t str,
    /// Among those of the program.
    pub number: u32,
    pub escape: &'static Escape,
}

/// A jump whose target is not known yet.
#[must_use]
pub struct Jump(pub Target);

/// A loop that is not closed yet.
#[must_use]
pub struct Loop {
    head: Target,
}

impl<'n> Compiler<'n> {
    pub fn new(names: &'n mut dyn Names, helpers: Table, partials: &'n Partials) -> Self {
        Compiler {
            names,
            helpers,
            partials,
            program: Program::default(),
            levels: Vec::new(),
            routines: HashMap::new(),
            at_top: true,
            name_numbers: HashMap::new(),
            set_names: Vec::new(),
            depth: 0,
            is_target: false,
            has_changing_partial: OnceCell::new(),
        }
    }

    pub fn finish(self) -> Program {
        self.program
    }

    /// Bytes of words so far.
    pub fn words(&self) -> usize {
        self.program.words.len()
    }

    pub fn is_flat(&self) -> bool {
        self.program.is_flat()
    }

    pub fn helpers(&self) -> Table {
        self.helpers
    }

    pub(super) fn here(&self) -> Target {
        self.program.ops.len()
    }

    pub(super) fn push(&mut self, op: Op) {
        self.program.ops.push(op);
    }

    /// Writes words as they are.
    pub fn literal(&mut self, words: &str) {
        if words.is_empty() {
            return;
        }
        let start = self.program.words.len() as u32;
        self.program.words.push_str(words);
        let stop = self.program.words.len() as u32;
        match self.program.ops.last_mut() {
            // A jump to what follows it begins anew.
            Some(Op::Literal { end, .. }) if *end == start && !self.is_target => *end = stop,
            _ => self.push(Op::Literal { start, end: stop }),
        }
        self.is_target = false;
    }

    /// Writes the author's words where `escape` says.
    pub fn words_escaped(&mut self, words: &str, tail: Tail) {
        let mut escaped = words.to_owned();
        tail(&mut escaped, 0);
        self.literal(&escaped);
    }

    /// Prints what was pushed last. Markup that a helper made is escaped only as far as `{{{name}}}` is there.
    pub(super) fn print(&mut self, tail: Tail, markup: Tail) {
        match self.program.ops.last() {
            Some(Op::Slot(slot)) => {
                let slot = *slot;
                self.program.ops.pop();
                self.push(Op::PrintSlot { slot, tail });
            }
            _ => self.push(Op::Print { tail, markup }),
        }
    }

    /// Prints what a path at the top leads to, or words if that is nothing.
    pub fn variable_or(&mut self, path: &[&str], tail: Tail, words: &str) {
        self.top(path);
        let start = self.program.words.len() as u32;
        self.program.words.push_str(words);
        let end = self.program.words.len() as u32;
        self.push(Op::PrintOr { tail, start, end });
    }

    /// What is written from here up to [`Compiler::finish_with`] is changed as a whole.
    pub fn begin(&mut self) {
        self.push(Op::Begin);
    }

    pub fn finish_with(&mut self, tail: Tail) {
        self.push(Op::Finish(tail));
    }

    pub fn reset(&mut self) {
        self.push(Op::Reset);
    }

    /// Fails when it is rendered.
    pub fn fail(&mut self, reason: String) {
        self.push(Op::Fail(self.program.failures.len() as u32));
        self.program.failures.push(reason);
    }

    /// The same, with where in the text.
    pub(super) fn fail_at(&mut self, source: &str, span: tree::Span, problem: &str) {
        self.fail(format!("{}: {problem}", Place::of(source, span)));
    }

    /// A counter or mark of its own, which begins with nothing.
    pub fn register(&mut self) -> u32 {
        self.program.registers += 1;
        self.program.registers as u32 - 1
    }

    pub fn set_register(&mut self, register: u32, value: u32) {
        self.push(Op::SetRegister { register, value });
    }

    pub fn separate(&mut self, register: u32, words: &str) {
        let start = self.program.words.len() as u32;
        self.program.words.push_str(words);
        self.push(Op::Separate { register, start, end: self.program.words.len() as u32 });
    }

    pub fn write_count(&mut self, register: u32) {
        self.push(Op::WriteCount(register));
    }

    pub(super) fn constant(&mut self, constant: Constant) {
        self.push(Op::Constant(self.program.constants.len() as u32));
        self.program.constants.push(constant);
    }

    pub(super) fn name_number(&mut self, name: &str) -> u32 {
        if let Some(number) = self.name_numbers.get(name) {
            return *number;
        }
        let number = self.program.names.len() as u32;
        self.program.names.push(name.to_owned());
        self.name_numbers.insert(name.to_owned(), number);
        number
    }

    /// Pushes what a path at the top leads to.
    pub(super) fn top(&mut self, path: &[&str]) {
        let Noted { slot, taken } = self.names.note(path);
        self.push(Op::Slot(slot));
        self.members(path.get(taken..).unwrap_or_default());
    }

    pub(super) fn members(&mut self, path: &[&str]) {
        for name in path {
            let name = self.name_number(name);
            self.push(Op::Member(name));
        }
    }

    /// Goes on at a place that is not known yet.
    pub(super) fn jump(&mut self, op: fn(Target) -> Op) -> Jump {
        self.push(op(Target::MAX));
        Jump(self.here() - 1)
    }

    /// This is the place.
    pub(super) fn land(&mut self, jump: Jump) {
        let here = self.here();
        self.is_target = true;
        let target = match self.program.ops.get_mut(jump.0) {
            Some(
                Op::Jump(target)
                | Op::JumpIfEmpty(target)
                | Op::JumpIfEmptyOrZero(target)
                | Op::JumpIfFalsy(target)
                | Op::JumpIfTruthy(target)
                | Op::JumpUnless(target)
                | Op::Each(target)
                | Op::With(target)
                | Op::Section(target)
                | Op::Loop(target),
            ) => target,
            _ => return,
        };
        *target = here;
    }

    pub fn end_if(&mut self, jump: Jump) {
        self.land(jump);
    }

    /// What follows up to [`Compiler::end_loop`] is written for each item of the list that a path leads to.
    pub fn begin_loop(&mut self, path: &[&str]) -> Loop {
        self.said(path);
        let Jump(head) = self.jump(Op::Loop);
        self.levels.push(Level { block_params: Vec::new(), frame: Frame::Loop });
        Loop { head }
    }

    pub fn end_loop(&mut self, opened: Loop) {
        self.levels.pop();
        self.push(Op::Next(opened.head + 1));
        self.land(Jump(opened.head));
    }

    /// Pushes what a path outside of tags leads to, such as one of a condition.
    pub fn said(&mut self, path: &[&str]) {
        if let ["$", name @ ("item" | "index"), rest @ ..] = path
            && let Some(outer) = self.innermost_loop()
        {
            self.push(Op::Param { outer, index: u8::from(*name == "index"), origin: None });
            return self.members(rest);
        }
        self.top(path);
    }

    pub fn said_constant(&mut self, constant: Constant) {
        self.constant(constant);
    }

    pub fn said_mark(&mut self, register: u32) {
        self.push(Op::Marked(register));
    }

    /// The innermost loop of elements, as how many frames further out it is.
    pub(super) fn innermost_loop(&self) -> Option<u32> {
        let frames = self.levels.iter().rev().filter(|level| level.has_frame());
        frames.enumerate().find(|(_, level)| level.frame == Frame::Loop).map(|(outer, _)| outer as u32)
    }

    pub(super) fn error(&self, source: &str, span: tree::Span, problem: impl Into<String>) -> CompileError {
        CompileError::Syntax(SyntaxError { problem: problem.into(), place: Place::of(source, span) })
    }

    pub(super) fn check_size(&self) -> Result<(), CompileError> {
        match self.program.ops.len() > OPS_LIMIT {
            true => Err(CompileError::Other(format!("the text comes to more than {OPS_LIMIT} instructions"))),
            false => Ok(()),
        }
    }
}

/// Pushes what a name in a condition stands for.
pub type Resolve<'r> = dyn FnMut(&mut Compiler<'_>, &[String]) -> Result<(), CompileError> + 'r;

/// Pushes what a name in a condition stands for at the top.
pub fn resolve_at_top(compiler: &mut Compiler<'_>, path: &[String]) -> Result<(), CompileError> {
    compiler.said(&path.iter().map(String::as_str).collect::<Vec<_>>());
    Ok(())
}
