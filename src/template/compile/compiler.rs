//! From trees to a program. A [`Compiler`] builds a program from words, texts, conditions and loops, in the order in
//! which they are to be written.

use std::cell::OnceCell;
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use super::levels::{Effect, Levels};
use super::parsed_text::Partials;
use crate::template::call::Table;
use crate::template::escape::{Escape, Rewrite};
use crate::template::program::{Constant, Instruction, JumpTarget, LiteralSpan, Program, SourceSpan, TextPath};
use crate::template::syntax::tree::Span;
use crate::template::syntax::{Place, SyntaxError};

/// Notes the names at the top that texts mention.
pub trait Names {
    /// A path from the top, with at least one name. Each use asks for its value by number.
    fn note(&mut self, path: &[&str]) -> Noted;
}

/// A path that was noted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Noted {
    pub slot: u32,
    /// How many names of the path the number covers; the rest is looked up in its value.
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

/// Instructions in one program.
const OPS_LIMIT: usize = 1_000_000;
/// The most bytes of words in one program. A longer text cannot be rendered anyway, but each text may be used in
/// several places.
const WORDS_LIMIT: usize = 64 * 1024 * 1024;

pub struct Compiler<'n> {
    pub(super) names: &'n mut dyn Names,
    pub(super) helpers: Table,
    pub(super) partials: &'n Partials,
    pub(super) program: Program,
    pub(super) levels: Levels,
    /// Where partials begin, by name and manner of compiling.
    pub(super) routines: HashMap<(String, Manner), JumpTarget>,
    /// The numbers of the tables of all partials.
    pub(super) partial_tables: HashMap<Manner, u32>,
    name_numbers: HashMap<String, u32>,
    /// Names that are set by the text being compiled, or by partials that it may include.
    pub(super) set_names: Rc<BTreeSet<String>>,
    /// Whether a path in what is being compiled leads out of it.
    pub(super) leads_out: bool,
    /// The path of the text that is being compiled, for errors.
    pub(super) text_path: TextPath,
    /// The snippet that is being compiled.
    pub(super) snippet: Option<Arc<str>>,
    /// Nested blocks around the partial being compiled, and partials: compiling them recurses.
    pub(super) depth: usize,
    /// Whether a jump lands here, so that the next words must not be joined to the last.
    pub(super) is_target: bool,
    /// Whether any partial changes text. Looked up once.
    pub(super) has_changing_partial: OnceCell<bool>,
    /// Names that any of the partials sets, looked up once.
    pub(super) set_by_partials: OnceCell<BTreeSet<String>>,
}

/// The compiled form of a partial depends on its escape, which is known by its address, and on what is set around it.
pub type Manner = (usize, Rc<BTreeSet<String>>);

/// A text being compiled.
pub struct ActiveSource<'t> {
    pub text: &'t str,
    /// The number among the program's sources.
    pub number: u32,
    pub escape: &'static Escape,
}

/// A jump whose target is not known yet.
#[must_use]
pub struct Jump(pub JumpTarget);

/// A loop that is not closed yet.
#[must_use]
pub struct Loop {
    head: JumpTarget,
}

impl<'n> Compiler<'n> {
    pub fn new(names: &'n mut dyn Names, helpers: Table, partials: &'n Partials) -> Self {
        Compiler {
            names,
            helpers,
            partials,
            program: Program::default(),
            levels: Levels::default(),
            routines: HashMap::new(),
            partial_tables: HashMap::new(),
            name_numbers: HashMap::new(),
            set_names: Rc::default(),
            leads_out: false,
            text_path: TextPath::default(),
            snippet: None,
            depth: 0,
            is_target: false,
            has_changing_partial: OnceCell::new(),
            set_by_partials: OnceCell::new(),
        }
    }

    pub fn finish(self) -> Program {
        self.program
    }

    pub fn helpers(&self) -> Table {
        self.helpers
    }

    pub(super) fn here(&self) -> JumpTarget {
        self.program.ops.len()
    }

    pub(super) fn push(&mut self, op: Instruction) {
        self.program.ops.push(op);
    }

    /// Sets the path of the texts that follow, for errors.
    pub fn texts_at(&mut self, path: impl Into<TextPath>) {
        self.text_path = path.into();
    }

    /// What follows comes from a tag: if it fails, it fails there.
    pub(super) fn stands_at(&mut self, source: &ActiveSource<'_>, span: Span) {
        self.program.origins.push((self.here(), Some(SourceSpan { source: source.number, span })));
    }

    /// What follows comes from no text.
    pub(super) fn stands_nowhere(&mut self) {
        self.program.origins.push((self.here(), None));
    }

    /// Keeps words of the program.
    fn keep_words(&mut self, words: &str) -> LiteralSpan {
        let start = self.program.words.len() as u32;
        self.program.words.push_str(words);
        LiteralSpan { start, end: self.program.words.len() as u32 }
    }

    /// Writes words as they are.
    pub fn literal(&mut self, words: &str) {
        let start = self.program.words.len();
        self.program.words.push_str(words);
        self.write_kept(start);
    }

    /// Writes the words stored from `start` on.
    fn write_kept(&mut self, start: usize) {
        let added = LiteralSpan { start: start as u32, end: self.program.words.len() as u32 };
        if added.start == added.end {
            return;
        }
        match self.program.ops.last_mut() {
            // Words after the target of a jump are separate.
            Some(Instruction::Literal(known)) if known.end == added.start && !self.is_target => known.end = added.end,
            _ => self.push(Instruction::Literal(added)),
        }
        self.is_target = false;
    }

    /// Writes the author's words, escaped by `rewrite`.
    pub fn words_escaped(&mut self, words: &str, rewrite: Rewrite) {
        let start = self.program.words.len();
        self.program.words.push_str(words);
        rewrite(&mut self.program.words, start);
        self.write_kept(start);
    }

    /// Prints the value that was pushed last. Markup that a helper made is escaped only as far as `{{{name}}}` is
    /// there.
    pub(super) fn print(&mut self, rewrite: Rewrite, markup: Rewrite) {
        match self.program.ops.last() {
            Some(Instruction::Slot(slot)) => {
                let slot = *slot;
                self.program.ops.pop();
                self.push(Instruction::PrintSlot { slot, rewrite });
            }
            _ => self.push(Instruction::Print { rewrite, markup }),
        }
    }

    /// Prints the value of a path from the top, or words if there is none.
    pub fn variable_or(&mut self, path: &[&str], rewrite: Rewrite, words: &str) {
        self.top(path);
        let words = self.keep_words(words);
        self.push(Instruction::PrintOr { rewrite, words });
    }

    /// Everything written from here up to [`Compiler::finish_with`] is changed as a whole.
    pub fn begin(&mut self) {
        self.push(Instruction::Begin);
    }

    pub fn finish_with(&mut self, rewrite: Rewrite) {
        self.push(Instruction::Finish(rewrite));
    }

    /// Fails if more than so many bytes were written since [`Compiler::begin`].
    pub fn limit(&mut self, bytes: u32) {
        self.push(Instruction::Limit(bytes));
    }

    pub fn reset(&mut self) {
        self.push(Instruction::Reset);
    }

    /// Fails when it is rendered.
    pub fn fail(&mut self, reason: String) {
        self.push(Instruction::Fail(self.program.failures.len() as u32));
        self.program.failures.push(reason);
    }

    /// A new counter or mark, which begins empty.
    pub fn register(&mut self) -> u32 {
        self.program.registers += 1;
        self.program.registers as u32 - 1
    }

    pub fn set_register(&mut self, register: u32, value: u32) {
        self.push(Instruction::SetRegister { register, value });
    }

    pub fn separate(&mut self, register: u32, words: &str) {
        let words = self.keep_words(words);
        self.push(Instruction::Separate { register, words });
    }

    pub fn write_count(&mut self, register: u32) {
        self.push(Instruction::WriteCount(register));
    }

    /// Pushes a constant.
    pub fn push_constant(&mut self, constant: Constant) {
        self.push(Instruction::Constant(self.program.constants.len() as u32));
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

    /// Pushes the value of a path from the top.
    pub(super) fn top(&mut self, path: &[&str]) {
        let Noted { slot, taken } = self.names.note(path);
        self.push(Instruction::Slot(slot));
        self.members(path.get(taken..).unwrap_or_default());
    }

    pub(super) fn members(&mut self, path: &[&str]) {
        for name in path {
            let name = self.name_number(name);
            self.push(Instruction::Member(name));
        }
    }

    /// A jump to a place that is not known yet.
    pub(super) fn jump(&mut self, op: Instruction) -> Jump {
        self.push(op);
        Jump(self.here() - 1)
    }

    /// Makes this the target of a jump.
    pub fn land(&mut self, jump: Jump) {
        let here = self.here();
        self.is_target = true;
        let target = match self.program.ops.get_mut(jump.0) {
            Some(
                Instruction::Jump(target)
                | Instruction::JumpUnless(target)
                | Instruction::JumpUnlessOrZero(target)
                | Instruction::JumpUnlessOrPop(target)
                | Instruction::JumpIfOrPop(target)
                | Instruction::Each { otherwise: target, .. }
                | Instruction::With { otherwise: target, .. }
                | Instruction::Section { otherwise: target, .. }
                | Instruction::Loop(target),
            ) => target,
            _ => return,
        };
        *target = here;
    }

    /// Everything up to [`Compiler::end_loop`] is written for each item of the list at a path. If there is no list,
    /// that is reported with `place`.
    pub fn begin_loop(&mut self, path: &[&str], place: &str) -> Loop {
        self.push_path(path);
        let place = self.keep_words(place);
        self.push(Instruction::ExpectList(place));
        let Jump(head) = self.jump(Instruction::Loop(JumpTarget::MAX));
        // Courier's pages write both `$.item` and `item`.
        self.levels.push(vec!["item".to_owned()], Effect::Loop);
        Loop { head }
    }

    pub fn end_loop(&mut self, opened: Loop) {
        self.levels.pop();
        self.stands_nowhere();
        self.push(Instruction::Next(opened.head + 1));
        self.land(Jump(opened.head));
    }

    /// Pushes the value of a path outside of tags, such as one in a condition.
    pub fn push_path(&mut self, path: &[&str]) {
        if let ["$", name @ ("item" | "index"), rest @ ..] = path
            && let Some(outer) = self.levels.innermost_loop()
        {
            self.push(Instruction::Param { outer, index: u8::from(*name == "index") });
            return self.members(rest);
        }
        if let ["item", rest @ ..] = path
            && let Some(outer) = self.levels.innermost_loop()
        {
            self.push(Instruction::Param { outer, index: 0 });
            return self.members(rest);
        }
        self.top(path);
    }

    /// Pushes whether a mark is set.
    pub fn push_mark(&mut self, register: u32) {
        self.push(Instruction::Marked(register));
    }

    pub(super) fn error(&self, source: &str, span: Span, problem: impl Into<String>) -> CompileError {
        let place = Place::of(source, span).in_snippet(self.snippet.as_deref());
        CompileError::Syntax(SyntaxError { problem: problem.into(), place })
    }

    pub(super) fn check_size(&self) -> Result<(), CompileError> {
        if self.program.ops.len() > OPS_LIMIT {
            return Err(CompileError::Other(format!("the text comes to more than {OPS_LIMIT} instructions")));
        }
        if self.program.words.len() > WORDS_LIMIT {
            return Err(CompileError::Other(format!("the text comes to more than {WORDS_LIMIT} bytes of words")));
        }
        Ok(())
    }
}

/// Pushes the value of a name in a condition.
pub type Resolve<'r> = dyn FnMut(&mut Compiler<'_>, &[String]) -> Result<(), CompileError> + 'r;

/// Pushes the value of a name in a condition, looked up at the top.
pub fn resolve_at_top(compiler: &mut Compiler<'_>, path: &[String]) -> Result<(), CompileError> {
    compiler.push_path(&path.iter().map(String::as_str).collect::<Vec<_>>());
    Ok(())
}
