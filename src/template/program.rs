//! What a text is compiled to: a flat list of instructions for a machine with a stack of values.

use std::sync::Arc;

use super::call::Helper;
pub use super::escape::{Changed, Escape, NOTED, PLAIN, Tail};
use super::syntax::Place;
use super::syntax::tree::Span;

/// A place in the list of instructions.
pub type Target = usize;

#[derive(Clone, Copy, Debug)]
pub enum Op {
    /// Writes a part of [`Program::words`].
    Literal {
        start: u32,
        end: u32,
    },
    /// Takes the value that was pushed last and prints it.
    Print {
        tail: Tail,
        /// For markup that a helper made.
        markup: Tail,
    },
    /// Prints a name at the top.
    PrintSlot {
        slot: u32,
        tail: Tail,
    },
    /// Takes the last value and prints it, or these words if there is nothing to print.
    PrintOr {
        tail: Tail,
        start: u32,
        end: u32,
    },
    /// Pushes a constant.
    Constant(u32),
    /// Pushes what a name at the top stands for.
    Slot(u32),
    /// Pushes everything that names at the top are members of.
    Root,
    /// Pushes `this`, or what `../` leads to.
    Context(Depth),
    /// Pushes a member of `this`, or of what `../` leads to. Where that is everything, `slot` has its number.
    Name {
        depth: Depth,
        name: u32,
        slot: Option<u32>,
    },
    /// Puts a member of the last value in its place; of nothing that is nothing.
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
        origin: Option<u32>,
    },
    /// The same as [`Op::Name`] where `set` sets that name somewhere in the text.
    Variable {
        depth: Depth,
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
    /// Prints what a helper makes of the text since [`Op::Begin`], as its first argument.
    CallContent(u32),
    /// The same, where it is noted what the parts of the text are.
    ChangeNoted(u32),
    /// Prints the last value and notes what it is.
    PrintNoted {
        is_raw: bool,
    },
    /// Escapes what was written since [`Op::Begin`], each part as what was noted of it.
    EscapeNoted(&'static Escape),
    /// What is written from here on is looked at again.
    Begin,
    /// Changes what was written since [`Op::Begin`].
    Finish(Tail),
    /// Takes what was written since [`Op::Begin`] and pushes it as the answer of a condition: a text that says `false`
    /// or nothing is nothing.
    CaptureAnswer,
    Jump(Target),
    /// Takes the last value and jumps if it is empty for `if`.
    JumpIfEmpty(Target),
    /// The same, with the value of `includeZero` behind it.
    JumpIfEmptyOrZero(Target),
    /// Jumps if the last value does not hold in a condition, and takes it otherwise.
    JumpIfFalsy(Target),
    /// Jumps if the last value holds in a condition, and takes it otherwise.
    JumpIfTruthy(Target),
    /// Takes the last value and jumps if it does not hold in a condition.
    JumpUnless(Target),
    /// Whether the last value does not hold in a condition.
    Not,
    Compare(Comparison),
    /// Takes the last value and goes through it, or jumps if there is nothing to go through.
    Each(Target),
    /// Takes the last value as `this`, or jumps if it is empty.
    With(Target),
    /// What `{{#name}}` does with the last value: goes through a list, takes an object as `this`, jumps if it is nothing.
    Section(Target),
    /// An element's loop: goes through a list with what is here as `this`.
    Loop(Target),
    /// Goes on with the next round at the target, or leaves the block.
    Next(Target),
    /// Calls a partial.
    Partial(u32),
    /// Ends a partial.
    Return,
    /// From here on a name is this inline partial. Whether it sees the frame that is open, or what is around that.
    Define {
        name: u32,
        routine: Target,
        in_frame: bool,
    },
    /// As many inline partials are forgotten.
    Forget(u32),
    /// What would fail for everybody, and at Courier fails when it is rendered.
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
        start: u32,
        end: u32,
    },
    /// Writes what the counter has counted.
    WriteCount(u32),
    /// Nothing that was written before counts.
    Reset,
}

/// How many `../` lead out from where a path stands, and whether that is in an `if`. There nothing is an empty object, as
/// in handlebars.js, and where nothing was given that is one step further in.
#[derive(Clone, Copy, Debug)]
pub struct Depth {
    pub steps: u32,
    pub in_if: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataName {
    Index,
    Key,
    First,
    Last,
    /// Whether there is one.
    PartialBlock,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    Equal { strict: bool, negated: bool },
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// Where in which text something stands.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
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
}

pub struct CallSite {
    pub helper: &'static Helper,
    /// Arguments without a name; those with one were pushed behind them.
    pub positional: usize,
    pub names: Vec<String>,
    /// Which of the arguments without a name are the author's own words.
    pub worded: Vec<bool>,
    pub origin: Origin,
}

pub struct PartialSite {
    /// `None` if the name was pushed before the rest.
    pub name: Option<String>,
    /// Where the partial of that name begins, if it is one that was given with the text.
    pub routine: Option<Target>,
    /// The name that was probably meant, of those that were given with the text.
    pub nearest: Option<String>,
    /// Whether its `this` was pushed.
    pub has_context: bool,
    /// Names of values that were pushed behind that.
    pub names: Vec<String>,
    /// What stands in its block.
    pub block: Option<Target>,
    /// Inline partials that stand at the beginning of its block.
    pub inlines: Vec<(u32, Target)>,
    pub indent: String,
    pub origin: Origin,
}

/// A text, compiled.
#[derive(Default)]
pub struct Program {
    pub ops: Vec<Op>,
    pub words: String,
    pub constants: Vec<Constant>,
    pub names: Vec<String>,
    pub calls: Vec<CallSite>,
    pub partials: Vec<PartialSite>,
    /// Partials that a name may lead to that is only known when the text is rendered.
    pub routines: Vec<(String, Target)>,
    /// Texts that it was made of.
    pub sources: Vec<Arc<str>>,
    /// Of block parameters.
    pub origins: Vec<Origin>,
    pub failures: Vec<String>,
    /// Whether any path leads out with `../`, so that it matters which frames have a `this` of their own.
    pub leads_out: bool,
    pub registers: usize,
}

impl Program {
    /// Whether there is nothing to decide when it is rendered.
    pub fn is_flat(&self) -> bool {
        self.ops.iter().all(|op| matches!(op, Op::Literal { .. } | Op::PrintSlot { .. }))
    }

    /// Bytes that it takes, about.
    pub fn bytes(&self) -> usize {
        self.words.len() + self.ops.len() * size_of::<Op>() + self.calls.len() * size_of::<CallSite>()
    }

    pub fn place(&self, origin: Origin) -> Place {
        self.sources.get(origin.source as usize).map_or(Place::default(), |source| Place::of(source, origin.span))
    }

    /// What fails for everybody.
    pub fn failure(&self) -> Option<&str> {
        self.failures.first().map(String::as_str)
    }
}
