//! What a text is compiled to: a flat list of instructions for a machine with a stack of values.

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
    /// Takes the last value and prints it, or these words if there is nothing to print.
    PrintOr {
        rewrite: Rewrite,
        words: LiteralSpan,
    },
    /// Pushes a constant.
    Constant(u32),
    /// Pushes what a name at the top stands for.
    Slot(u32),
    /// Pushes everything that names at the top are members of.
    Root,
    /// Pushes `this`, or what so many `../` lead to.
    Context(u32),
    /// Pushes a member of `this`, or of what so many `../` lead to. Where that is everything, `slot` has its number.
    Name {
        depth: u32,
        name: u32,
        slot: Option<u32>,
    },
    /// Puts a member of the last value in its place; a member of nothing is nothing.
    Member(u32),
    /// The same behind an `@`: what is not true stays.
    DataMember(u32),
    /// Pushes a value of the loop around, or of the one around as many loops further out.
    Data {
        name: DataName,
        outer: u32,
    },
    /// Pushes a block parameter of the frame that is so many frames further out.
    Param {
        outer: u32,
        index: u8,
    },
    /// The same as [`Instruction::Name`] where `set` sets that name somewhere in the text.
    Variable {
        depth: u32,
        name: u32,
        slot: Option<u32>,
    },
    /// The same of a name at the top.
    TopVariable {
        name: u32,
        slot: Option<u32>,
    },
    /// Puts an object with the members of the last two values in their place, those of the last over the others.
    Merge,
    /// Takes the last value and sets it under a name, in `this` and at the top.
    Set(u32),
    /// Calls a helper.
    Call(u32),
    /// Prints what a helper makes of the text since [`Instruction::Begin`], as its first argument.
    CallContent(u32),
    /// The same, where it is noted what the parts of the text are.
    ChangeTracked(u32),
    /// Prints the last value and notes what it is.
    PrintTracked {
        is_raw: bool,
    },
    /// Escapes what was written since [`Instruction::Begin`], each part as what was noted of it.
    EscapeTracked(&'static Escape),
    /// What is written from here on is looked at again.
    Begin,
    /// Fails if more than so many bytes were written since [`Instruction::Begin`].
    Limit(u32),
    /// Changes what was written since [`Instruction::Begin`].
    Finish(Rewrite),
    /// Takes what was written since [`Instruction::Begin`] and pushes it as the answer of a condition: a text that is
    /// blank or says `false`, `0`, `null` or `undefined` counts as an empty one.
    CaptureAnswer,
    Jump(JumpTarget),
    /// Takes the last value and jumps unless it holds in a condition.
    JumpUnless(JumpTarget),
    /// Takes the value of `includeZero` and then a value, and jumps unless that holds. A zero holds if `includeZero` is true.
    JumpUnlessOrZero(JumpTarget),
    /// Jumps unless the last value holds in a condition, with the value left where it is; takes it otherwise.
    JumpUnlessOrPop(JumpTarget),
    /// The same if it holds.
    JumpIfOrPop(JumpTarget),
    /// Whether the last value does not hold in a condition.
    Not,
    Compare(Comparison),
    /// Takes the last values and pushes what is made of them.
    Operate(Operation),
    /// From here up to [`Instruction::EndNullContext`] `this` is an empty object if it is nothing. That is what handlebars.js gives
    /// helpers as `this`, and they what stands in their block.
    NullContext,
    EndNullContext,
    /// Takes the last value and goes through it, or jumps if there is nothing to go through. Where a path leads out of
    /// what is around, `this` is compared with that: `../` passes by what is equal.
    Each {
        otherwise: JumpTarget,
        is_compared: bool,
    },
    /// Takes the last value as `this`, or jumps if it is empty.
    With {
        otherwise: JumpTarget,
        is_compared: bool,
    },
    /// What `{{#name}}` does with the last value: goes through a list, takes an object as `this`, jumps if it is nothing.
    Section {
        otherwise: JumpTarget,
        is_compared: bool,
    },
    /// An element's loop: goes through a list with what is here as `this`.
    Loop(JumpTarget),
    /// Tells, in these words, if the last value is something and no list.
    ExpectList(LiteralSpan),
    /// Goes on with the next round at the target, or leaves the block.
    Next(JumpTarget),
    /// Calls a partial.
    Partial(u32),
    /// Ends a partial.
    Return,
    /// From here on a name is this inline partial. Whether it sees the frame that is open, or what is around that.
    Define {
        name: u32,
        routine: JumpTarget,
        is_in_frame: bool,
    },
    /// As many inline partials are forgotten.
    Forget(u32),
    /// What always fails, and at Courier fails when it is rendered.
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
    /// Everything, unless the path leads further out than there are loops.
    Root,
}

/// Where in which text something stands.
#[derive(Clone, Copy, Debug)]
pub struct SourceSpan {
    pub source: u32,
    pub span: Span,
}

/// A value that stands in the text.
#[derive(Clone, Debug)]
pub enum Constant {
    Undefined,
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    /// Markup that stands for itself.
    Markup(&'static str),
}

pub struct CallSite {
    pub helper: &'static Helper,
    /// Arguments without a name; those with one were pushed behind them.
    pub positional: usize,
    pub names: Vec<String>,
    /// Which of the arguments without a name are the author's own words, where the parts of a text are kept track of.
    pub worded: Vec<bool>,
}

/// Which partial is called.
pub enum CalledPartial {
    Written {
        name: String,
        /// Where it begins, if it is one that was given with the text.
        routine: Option<JumpTarget>,
    },
    /// The name was pushed before the rest. The table is that of the partials that were given with the text.
    Computed { table: u32 },
}

pub struct PartialSite {
    pub name: CalledPartial,
    /// Whether its `this` was pushed.
    pub has_context: bool,
    /// Names of values that were pushed behind that. With none of them its `this` is still an object of its own.
    pub names: Option<Vec<String>>,
    /// What stands in its block.
    pub block: Option<JumpTarget>,
    /// Whether `this` of the block is compared with what is around it.
    pub is_compared: bool,
    /// Inline partials that stand at the beginning of its block.
    pub inlines: Vec<(u32, JumpTarget)>,
    pub indent: String,
}

/// Where a text stands: the parts of its path, those around it first, and its field. Put together only for an error.
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

/// A text that a program was made of.
pub struct SourceText {
    pub text: Arc<str>,
    /// Where it stands, for errors; nowhere if that need not be said.
    pub path: TextPath,
    /// The snippet that it is.
    pub snippet: Option<Arc<str>>,
}

/// A text, compiled.
#[derive(Default)]
pub struct Program {
    pub ops: Vec<Instruction>,
    pub words: String,
    pub constants: Vec<Constant>,
    pub names: Vec<String>,
    pub calls: Vec<CallSite>,
    pub partials: Vec<PartialSite>,
    /// Where partials begin that a name may lead to which is only known when the text is rendered.
    pub partial_tables: Vec<HashMap<String, JumpTarget>>,
    /// The names of all partials that were given with the text, if one was called that is not among them.
    pub partial_names: Vec<String>,
    /// Texts that it was made of.
    pub sources: Vec<SourceText>,
    /// Where instructions stand: from each target on up to the next.
    pub origins: Vec<(JumpTarget, Option<SourceSpan>)>,
    pub failures: Vec<String>,
    pub registers: usize,
}

impl Program {
    /// Whether there is nothing to decide when it is rendered.
    #[cfg(test)]
    pub fn is_flat(&self) -> bool {
        self.ops.iter().all(|op| matches!(op, Instruction::Literal(_) | Instruction::PrintSlot { .. }))
    }

    /// Bytes that it takes, about. Its sources are shared.
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

    /// The text in which an instruction stands, and its tag there.
    fn origin(&self, at: JumpTarget) -> Option<(&SourceText, Span)> {
        let before = self.origins.partition_point(|(from, _)| *from <= at);
        let SourceSpan { source, span } = before.checked_sub(1).and_then(|found| self.origins.get(found)?.1)?;
        Some((self.sources.get(source as usize)?, span))
    }

    /// A problem, with where the instruction stands that has it. The outermost call of a partial tells which text it is in
    /// if that is a snippet.
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
