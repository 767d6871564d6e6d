//! The state of the machine while it runs.

use crate::json::scan::Items;
use crate::template::budget::{Problem, TEXT_BYTES};
use crate::template::change::Stretches;
use crate::template::escape::Rewrite;
use crate::template::heap::Heap;
use crate::template::program::{Constant, DataName, JumpTarget, LiteralSpan, Program};
use crate::template::values::{MemberList, Value};

/// A block or partial being rendered.
#[derive(Clone, Copy)]
pub struct Frame<'a> {
    pub this: Value<'a>,
    /// The number of the frame around it in the text.
    pub up: Option<usize>,
    /// The number of the nearest frame outward, this included, whose `this` is another than that of what is around it:
    /// `../` goes from one of these to the next. handlebars.js adds a step only where JavaScript's `!=` says so, so that
    /// `{{#each}}` over an item that equals its surroundings adds none. The comparison can fail and costs, so it is made
    /// only where a path leads out of what is around (`is_compared`).
    pub step: usize,
    /// Whether it only exists because `this` was undefined around it.
    pub is_null_context: bool,
    pub params: [Value<'a>; 2],
    /// How many of them the block gives.
    pub given: usize,
    /// The number of its data variables, such as `@index`.
    pub data: usize,
    /// The number of the scope with the known inline partials.
    pub scope: usize,
    /// The number of the frame of the loop of elements around it.
    pub element: Option<usize>,
}

impl Frame<'_> {
    pub const TOP: Frame<'static> = Frame {
        this: Value::Root,
        up: None,
        step: 0,
        is_null_context: false,
        params: [Value::Undefined; 2],
        given: 0,
        data: 0,
        scope: 0,
        element: None,
    };
}

/// The values of `@index` and the like.
#[derive(Clone, Copy)]
pub struct DataVariables<'a> {
    pub up: Option<usize>,
    pub key: Value<'a>,
    pub index: Value<'a>,
    pub first: Value<'a>,
    pub last: Value<'a>,
    /// The target of `{{> @partial-block}}`.
    pub block: Option<Closure>,
}

impl DataVariables<'_> {
    pub const TOP: DataVariables<'static> = DataVariables {
        up: None,
        key: Value::Undefined,
        index: Value::Undefined,
        first: Value::Undefined,
        last: Value::Undefined,
        block: None,
    };
}

/// A part of a text with its surroundings.
#[derive(Clone, Copy)]
pub struct Closure {
    pub routine: JumpTarget,
    pub up: Option<usize>,
    pub scope: usize,
    /// The data variables of its place. A block has its `@partial-block` from there.
    pub data: usize,
    pub is_block: bool,
    /// Whether its `this` is compared with what is around it.
    pub is_compared: bool,
}

/// A block that iterates.
pub struct OpenBlock<'a> {
    pub source: LoopItems<'a>,
    /// The number of finished rounds.
    pub count: usize,
    /// Whether `this` stays the same, as in a loop of elements.
    pub keeps_this: bool,
    /// Whether it has `@index` and the like.
    pub has_data: bool,
    /// Whether its `this` is compared with what is around it.
    pub is_compared: bool,
}

/// What a block iterates over.
pub enum LoopItems<'a> {
    Once,
    Json(Items<'a>),
    Values(&'a [Value<'a>]),
    Members(MemberList<'a>),
}

/// A known inline partial.
#[derive(Clone, Copy)]
pub struct Inline {
    pub name: u32,
    pub closure: Closure,
    pub before: Option<usize>,
}

/// Where to continue after a partial.
pub struct Return {
    pub at: JumpTarget,
    pub frames: usize,
    pub data: usize,
    pub scopes: usize,
    pub inlines: usize,
    pub site: u32,
    /// Where it began to write.
    pub mark: usize,
}

pub struct Machine<'p, 'a> {
    pub program: &'a Program,
    pub heap: &'p Heap<'a>,
    pub out: &'p mut String,
    /// Where the text begins in the output.
    pub start: usize,
    /// The next instruction.
    pub at: JumpTarget,
    pub stack: Vec<Value<'a>>,
    /// Those above [`Frame::TOP`], which is number 0.
    pub frames: Vec<Frame<'a>>,
    /// Those above [`DataVariables::TOP`], which is number 0.
    pub data: Vec<DataVariables<'a>>,
    pub blocks: Vec<OpenBlock<'a>>,
    pub marks: Vec<usize>,
    /// What is known of the parts of texts that are escaped later.
    pub tracked: Stretches,
    pub inlines: Vec<Inline>,
    /// The newest inline partial that each text knows. The scope of the outermost is number 0, and is made when it is
    /// needed.
    pub scopes: Vec<Option<usize>>,
    pub returns: Vec<Return>,
    pub registers: Vec<u32>,
}

impl<'a> Machine<'_, 'a> {
    pub(super) fn pop(&mut self) -> Value<'a> {
        self.stack.pop().unwrap_or(Value::Undefined)
    }

    pub(super) fn words(&self, words: LiteralSpan) -> &'a str {
        self.program.words.get(words.start as usize..words.end as usize).unwrap_or_default()
    }

    pub(super) fn name(&self, number: u32) -> &'a str {
        self.program.names.get(number as usize).map_or("", String::as_str)
    }

    pub(super) fn constant(&self, number: u32) -> Value<'a> {
        match self.program.constants.get(number as usize) {
            Some(Constant::Text(text)) => Value::Text(text),
            Some(Constant::Markup(markup)) => Value::Markup(markup),
            Some(Constant::Number(number)) => Value::Number(*number),
            Some(Constant::Bool(flag)) => Value::Bool(*flag),
            Some(Constant::Null) => Value::Null,
            Some(Constant::Undefined) | None => Value::Undefined,
        }
    }

    pub(super) fn register(&self, register: u32) -> u32 {
        self.registers.get(register as usize).copied().unwrap_or_default()
    }

    pub(super) fn set_register(&mut self, register: u32, value: u32) {
        if let Some(place) = self.registers.get_mut(register as usize) {
            *place = value;
        }
    }

    pub(super) fn check_length(&self) -> Result<(), Problem> {
        if self.out.len() - self.start > TEXT_BYTES { Err(Problem::too_long()) } else { Ok(()) }
    }

    pub(super) fn print(&mut self, value: &Value<'a>, rewrite: Rewrite, markup: Rewrite) -> Result<(), Problem> {
        let at = self.out.len();
        value.print(self.heap, self.out)?;
        match value {
            Value::Markup(_) => markup(self.out, at),
            _ => rewrite(self.out, at),
        }
        Ok(())
    }

    pub(super) fn frame(&self) -> &Frame<'a> {
        self.frames.last().unwrap_or(&Frame::TOP)
    }

    pub(super) fn frame_at(&self, number: usize) -> Option<&Frame<'a>> {
        match number.checked_sub(1) {
            Some(place) => self.frames.get(place),
            None => Some(&Frame::TOP),
        }
    }

    pub(super) fn data_at(&self, number: usize) -> Option<&DataVariables<'a>> {
        match number.checked_sub(1) {
            Some(place) => self.data.get(place),
            None => Some(&DataVariables::TOP),
        }
    }

    /// `this`, or the target of so many `../`.
    pub(super) fn this(&self, depth: u32) -> Result<Value<'a>, Problem> {
        if depth == 0 {
            return Ok(self.frame().this);
        }
        self.heap.budget.steps(depth as usize / 16)?;
        let mut step = self.frame().step;
        for _ in 0..depth {
            let up = self.frame_at(step).and_then(|frame| frame.up);
            let Some(outer) = up.and_then(|up| self.frame_at(up)) else { return Ok(Value::Undefined) };
            step = outer.step;
        }
        Ok(self.frame_at(step).map_or(Value::Undefined, |frame| frame.this))
    }

    pub(super) fn named(&self, this: Value<'a>, name: u32, slot: Option<u32>) -> Result<Value<'a>, Problem> {
        match (this, slot) {
            (Value::Root, Some(slot)) => self.heap.root.noted(slot as usize, self.heap),
            (this, _) => this.member(self.name(name), self.heap),
        }
    }

    /// The value of a name that a text may set, with this `this`.
    pub(super) fn variable(&self, this: Value<'a>, name: u32, slot: Option<u32>) -> Result<Value<'a>, Problem> {
        self.heap.budget.scanned(self.name(name).len())?;
        match self.heap.assigned(this, self.name(name)) {
            Some(value) => Ok(value),
            None => self.named(this, name, slot),
        }
    }

    pub(super) fn data_named(&self, name: DataName, outer: u32) -> Result<Value<'a>, Problem> {
        self.heap.budget.steps(outer as usize / 16)?;
        let mut data = self.data_at(self.frame().data);
        for _ in 0..outer {
            data = data.and_then(|data| self.data_at(data.up?));
        }
        let Some(data) = data else { return Ok(Value::Undefined) };
        Ok(match name {
            DataName::Index => data.index,
            DataName::Key => data.key,
            DataName::First => data.first,
            DataName::Last => data.last,
            DataName::PartialBlock if data.block.is_some() => Value::Bool(true),
            DataName::PartialBlock => Value::Undefined,
            DataName::Root => Value::Root,
        })
    }

    /// A block parameter of a frame so many frames outward.
    pub(super) fn param(&self, outer: u32, index: u8) -> Result<Value<'a>, Problem> {
        self.heap.budget.steps(outer as usize / 16)?;
        let mut frame = self.opened(Some(self.frame()));
        for _ in 0..outer {
            frame = self.opened(frame.and_then(|frame| self.frame_at(frame.up?)));
        }
        let given = frame.filter(|frame| usize::from(index) < frame.given);
        let value = given.and_then(|frame| frame.params.get(usize::from(index))).copied();
        value.ok_or_else(|| Problem::new("the block gives nothing for this parameter"))
    }

    /// The frame, or the one around it if it only exists because `this` was undefined.
    fn opened<'f>(&'f self, frame: Option<&'f Frame<'a>>) -> Option<&'f Frame<'a>> {
        match frame {
            Some(frame) if frame.is_null_context => self.frame_at(frame.up?),
            frame => frame,
        }
    }
}
