//! The result of compiling a text: a flat list of instructions for a machine with a stack of values.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use super::budget::Problem;
use super::call::Helper;
use super::conditions::Operation;
use super::escape::{Escape, Rewrite};
use super::operations::Comparison;
use super::syntax::Place;
use super::syntax::tree::Span;

/// A place in the list of instructions.
pub type JumpTarget = usize;

/// A part of [`Program::words`].
#[derive(Clone, Copy, Debug)]
pub struct LiteralSpan {
    pub start: u32,
    pub end: u32,
}

#[derive(Clone, Copy, Debug)]
pub enum Instruction {
    /// Writes words.
    Literal(LiteralSpan),
    /// Takes the value that was pushed last and prints it.
    Print {
        rewrite: Rewrite,
        /// For markup that a helper made.
        markup: Rewrite,
    },
    /// Prints a name at the top.
    PrintSlot {
        slot: u32,
        rewrite: Rewrite,
    },
    /// Takes the last value and prints it, or these words if it is empty.
    PrintOr {
        rewrite: Rewrite,
        words: LiteralSpan,
    },
    /// Pushes a constant.
    Constant(u32),
    /// Pushes the value of a name at the top.
    Slot(u32),
    /// Pushes the object that has the names at the top.
    Root,
    /// Pushes `this`, or the target of so many `../`.
    Context(u32),
    /// Pushes a member of `this`, or of the target of so many `../`. If that is the top, `slot` has the name's number.
    Name {
        depth: u32,
        name: u32,
        slot: Option<u32>,
    },
    /// Replaces the last value by its member; a member of undefined is undefined.
    Member(u32),
    /// The same behind an `@`: a value that is not true stays.
    DataMember(u32),
    /// Pushes a value of the loop around, or of one so many loops further out.
    Data {
        name: DataName,
        outer: u32,
    },
    /// Pushes a block parameter of a frame so many frames outward.
    Param {
        outer: u32,
        index: u8,
    },
    /// The same as [`Instruction::Name`], if `set` sets that name somewhere in the text.
    Variable {
        depth: u32,
        name: u32,
        slot: Option<u32>,
    },
    /// The same for a name at the top.
    TopVariable {
        name: u32,
        slot: Option<u32>,
    },
    /// Replaces the last two values by an object with the members of both; those of the last take precedence.
    Merge,
    /// Takes the last value and sets it under a name, in `this` and at the top.
    Set(u32),
    /// Calls a helper.
    Call(u32),
    /// Prints a helper's change of the text since [`Instruction::Begin`], which is its first argument.
    CallContent(u32),
    /// The same, with the kinds of the text's parts noted.
    ChangeTracked(u32),
    /// Prints the last value and notes its kind.
    PrintTracked {
        is_raw: bool,
    },
    /// Escapes the text since [`Instruction::Begin`], each part by its noted kind.
    EscapeTracked(&'static Escape),
    /// The text written from here on is processed again.
    Begin,
    /// Fails if more than so many bytes were written since [`Instruction::Begin`].
    Limit(u32),
    /// Changes what was written since [`Instruction::Begin`].
    Finish(Rewrite),
    /// Takes the text since [`Instruction::Begin`] and pushes it as the answer of a condition: a text that is blank or
    /// says `false`, `0`, `null` or `undefined` counts as an empty one.
    CaptureAnswer,
    Jump(JumpTarget),
    /// Takes the last value and jumps unless it holds in a condition.
    JumpUnless(JumpTarget),
    /// Takes the value of `includeZero` and then a value, and jumps unless that holds. A zero holds if `includeZero` is
    /// true.
    JumpUnlessOrZero(JumpTarget),
    /// Jumps unless the last value holds in a condition, and leaves the value; otherwise takes it.
    JumpUnlessOrPop(JumpTarget),
    /// The same if it holds.
    JumpIfOrPop(JumpTarget),
    /// Whether the last value does not hold in a condition.
    Not,
    Compare(Comparison),
    /// Takes the last values and pushes the result.
    Operate(Operation),
    /// From here up to [`Instruction::EndNullContext`] `this` is an empty object if it is undefined or null. handlebars.js
    /// gives that to helpers as `this`, and they to the content of their block.
    NullContext,
    EndNullContext,
    /// Takes the last value and iterates over it, or jumps if it is empty. If a path leads outward, `this` is compared
    /// with the outer one: `../` skips equal ones.
    Each {
        otherwise: JumpTarget,
        is_compared: bool,
    },
    /// Takes the last value as `this`, or jumps if it is empty.
    With {
        otherwise: JumpTarget,
        is_compared: bool,
    },
    /// What `{{#name}}` does with the last value: iterates over a list, takes an object as `this`, jumps if it is
    /// empty.
    Section {
        otherwise: JumpTarget,
        is_compared: bool,
    },
    /// An element's loop: iterates over a list without changing `this`.
    Loop(JumpTarget),
    /// Reports, in these words, a last value that is defined and not a list.
    ExpectList(LiteralSpan),
    /// Continues with the next round at the target, or leaves the block.
    Next(JumpTarget),
    /// Calls a partial.
    Partial(u32),
    /// Ends a partial.
    Return,
    /// From here on a name means this inline partial. `is_in_frame`: it sees the open frame; otherwise the one
    /// around it.
    Define {
        name: u32,
        routine: JumpTarget,
        is_in_frame: bool,
    },
    /// Forgets so many inline partials.
    Forget(u32),
    /// Always fails. At Courier it fails when it is rendered.
    Fail(u32),
    /// Sets a counter or a mark.
    SetRegister {
        register: u32,
        value: u32,
    },
    /// Pushes whether a mark is set.
    Marked(u32),
    /// Writes words between this and what the counter has counted before.
    Separate {
        register: u32,
        words: LiteralSpan,
    },
    /// Writes what the counter has counted.
    WriteCount(u32),
    /// Drops what was written so far.
    Reset,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataName {
    Index,
    Key,
    First,
    Last,
    /// Whether there is one.
    PartialBlock,
    /// The top, unless the path leads further out than there are loops.
    Root,
}

/// A place in one of the texts.
#[derive(Clone, Copy, Debug)]
pub struct SourceSpan {
    pub source: u32,
    pub span: Span,
}

/// A constant in a text.
#[derive(Clone, Debug)]
pub enum Constant {
    Undefined,
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    /// Markup that is printed as it is.
    Markup(&'static str),
}

pub struct CallSite {
    pub helper: &'static Helper,
    /// Arguments without a name. Those with a name were pushed after them.
    pub positional: usize,
    pub names: Vec<String>,
    /// Which of the arguments without a name are the author's own words, if the parts of a text are tracked.
    pub worded: Vec<bool>,
}

/// Which partial is called.
pub enum CalledPartial {
    Written {
        name: String,
        /// Its beginning, if it is one that was given with the text.
        routine: Option<JumpTarget>,
    },
    /// The name was pushed before the rest. The table is that of the partials that were given with the text.
    Computed { table: u32 },
}

pub struct PartialSite {
    pub name: CalledPartial,
    /// Whether its `this` was pushed.
    pub has_context: bool,
    /// Names of values that were pushed after that. With an empty list its `this` is still an object of its own.
    pub names: Option<Vec<String>>,
    /// The content of its block.
    pub block: Option<JumpTarget>,
    /// Whether `this` of the block is compared with what is around it.
    pub is_compared: bool,
    /// Inline partials at the beginning of its block.
    pub inlines: Vec<(u32, JumpTarget)>,
    pub indent: String,
}

/// The path of a text: its parts, the outer ones first, and its field. Joined only for an error.
#[derive(Clone, Debug, Default)]
pub struct TextPath {
    pub around: [Option<Arc<str>>; 2],
    pub field: Cow<'static, str>,
}

impl From<&str> for TextPath {
    fn from(path: &str) -> Self {
        TextPath { around: [Some(path.into()), None], field: Cow::Borrowed("") }
    }
}

impl fmt::Display for TextPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = self.around.iter().flatten().map(|part| &**part).chain([&*self.field]);
        let mut is_first = true;
        for part in parts.filter(|part| !part.is_empty()) {
            let point = if std::mem::take(&mut is_first) { "" } else { "." };
            write!(f, "{point}{part}")?;
        }
        Ok(())
    }
}

/// A text that a program was made from.
pub struct SourceText {
    pub text: Arc<str>,
    /// Its path, for errors; empty if it need not be named.
    pub path: TextPath,
    /// The snippet that the text is.
    pub snippet: Option<Arc<str>>,
}

/// A compiled text.
#[derive(Default)]
pub struct Program {
    pub ops: Vec<Instruction>,
    pub words: String,
    pub constants: Vec<Constant>,
    pub names: Vec<String>,
    pub calls: Vec<CallSite>,
    pub partials: Vec<PartialSite>,
    /// The beginnings of partials whose name is only known when the text is rendered.
    pub partial_tables: Vec<HashMap<String, JumpTarget>>,
    /// The names of all partials that were given with the text, if a missing one was called.
    pub partial_names: Vec<String>,
    /// Texts that it was made of.
    pub sources: Vec<SourceText>,
    /// The sources of instructions: from each target on up to the next.
    pub origins: Vec<(JumpTarget, Option<SourceSpan>)>,
    pub failures: Vec<String>,
    pub registers: usize,
}

impl Program {
    /// Whether nothing has to be decided when it is rendered.
    #[cfg(test)]
    pub fn is_flat(&self) -> bool {
        self.ops.iter().all(|op| matches!(op, Instruction::Literal(_) | Instruction::PrintSlot { .. }))
    }

    /// About how many bytes it takes. Its sources are shared.
    pub fn bytes(&self) -> usize {
        let texts = |texts: &[String]| texts.iter().map(|text| size_of::<String>() + text.len()).sum::<usize>();
        let constant = |constant: &Constant| match constant {
            Constant::Text(text) => text.len(),
            _ => 0,
        };
        let constants: usize = self.constants.iter().map(|it| size_of::<Constant>() + constant(it)).sum();
        let calls: usize = self.calls.iter().map(|call| size_of::<CallSite>() + texts(&call.names)).sum();
        let named = |site: &PartialSite| site.names.as_deref().map_or(0, texts) + site.inlines.len() * 16;
        let partials: usize = self.partials.iter().map(|site| size_of::<PartialSite>() + named(site)).sum();
        let tables: usize = self.partial_tables.iter().map(|table| table.len() * 64).sum();
        self.words.len()
            + self.ops.len() * size_of::<Instruction>()
            + self.origins.len() * size_of::<(JumpTarget, Option<SourceSpan>)>()
            + [constants, calls, partials, tables].iter().sum::<usize>()
            + texts(&self.names)
            + texts(&self.failures)
            + texts(&self.partial_names)
    }

    /// The text of an instruction, and its tag there.
    fn origin(&self, at: JumpTarget) -> Option<(&SourceText, Span)> {
        let before = self.origins.partition_point(|(from, _)| *from <= at);
        let SourceSpan { source, span } = before.checked_sub(1).and_then(|found| self.origins.get(found)?.1)?;
        Some((self.sources.get(source as usize)?, span))
    }

    /// A problem with the place of its instruction. If the instruction is in a snippet, the outermost call of a partial
    /// tells which text that is in.
    pub fn placed(&self, at: JumpTarget, outermost: Option<JumpTarget>, problem: Problem) -> Problem {
        let Some((source, span)) = self.origin(at) else { return problem };
        let outer = outermost.and_then(|call| self.origin(call)).map_or(source, |(outer, _)| outer);
        let mut path = outer.path.to_string();
        if !path.is_empty() {
            path.push_str(": ");
        }
        let place = Place::of(&source.text, span).in_snippet(source.snippet.as_deref());
        Problem(format!("{path}{place}: {problem}"))
    }

    /// Why it always fails.
    pub fn failure(&self) -> Option<String> {
        let at = self.ops.iter().position(|op| matches!(op, Instruction::Fail(_)))?;
        let Some(Instruction::Fail(failure)) = self.ops.get(at) else { return None };
        let problem = self.failures.get(*failure as usize)?;
        Some(self.placed(at, None, Problem::new(problem.as_str())).0)
    }
}
