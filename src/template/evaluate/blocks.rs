//! Blocks that iterate or change `this`: `each`, `with`, sections and the loops of elements.

use super::machine::{DataVariables, Frame, LoopItems, Machine, OpenBlock};
use crate::json::scan::Items;
use crate::template::budget::Problem;
use crate::template::program::JumpTarget;
use crate::template::values::Value;

impl<'a> Machine<'_, 'a> {
    /// Opens a frame. `frame.step` is set here: it depends on whether `this` counts as different from the outer one.
    pub(super) fn open_frame(&mut self, frame: Frame<'a>, is_other: bool) {
        let number = self.frames.len() + 1;
        let outer = frame.up.and_then(|up| self.frame_at(up)).map_or(number, |outer| outer.step);
        self.frames.push(Frame { step: if is_other { number } else { outer }, ..frame });
    }

    /// Whether a value differs from the `this` that `../` would lead to from inside, in JavaScript's terms: it compares
    /// with `!=`, and fails where that is impossible.
    pub(super) fn is_other(&self, this: Value<'a>, up: Option<usize>) -> Result<bool, Problem> {
        let step = up.and_then(|up| self.frame_at(up)).map(|outer| outer.step);
        let Some(outer) = step.and_then(|step| self.frame_at(step)) else { return Ok(true) };
        match outer.this {
            Value::Null if this.is_null_context() => Ok(false),
            outer => Ok(!this.is_equal(outer, self.heap)?),
        }
    }

    /// If `this` is undefined or null, it is an empty object from here on.
    pub(super) fn open_null_context(&mut self) {
        let outer = *self.frame();
        if outer.this.is_nothing() {
            let up = Some(self.frames.len());
            // In handlebars.js it precedes what was not given, and replaces null.
            let is_other = matches!(outer.this, Value::Undefined);
            self.open_frame(Frame { this: Value::NULL_CONTEXT, up, is_null_context: true, ..outer }, is_other);
        }
    }

    pub(super) fn close_null_context(&mut self) {
        self.frames.pop_if(|frame| frame.is_null_context);
    }

    /// Runs a block once with this value as `this`, and gives so many of the values as parameters.
    pub(super) fn once(
        &mut self,
        this: Value<'a>,
        params: [Value<'a>; 2],
        given: usize,
        is_compared: bool,
    ) -> Result<(), Problem> {
        let up = Some(self.frames.len());
        let is_other = !is_compared || self.is_other(this, up)?;
        self.open_frame(Frame { this, up, is_null_context: false, params, given, ..*self.frame() }, is_other);
        self.blocks.push(OpenBlock {
            source: LoopItems::Once,
            count: 0,
            keeps_this: false,
            has_data: false,
            is_compared,
        });
        Ok(())
    }

    /// The items of a list to iterate over.
    fn items(&self, value: Value<'a>) -> Result<Option<LoopItems<'a>>, Problem> {
        Ok(match value {
            Value::JsonList(list) => {
                self.heap.budget.scanned(list.len())?;
                Some(LoopItems::Json(Items::of(list)))
            }
            Value::List(items) => Some(LoopItems::Values(items)),
            _ => None,
        })
    }

    pub(super) fn each(&mut self, value: Value<'a>, otherwise: JumpTarget, is_compared: bool) -> Result<(), Problem> {
        let source = match self.items(value)? {
            None if value.is_object() => Some(LoopItems::Members(value.members(self.heap)?)),
            source => source,
        };
        let Some(source) = source else {
            self.at = otherwise;
            return Ok(());
        };
        let outer = self.frame().data;
        let block = self.data_at(outer).and_then(|data| data.block);
        self.data.push(DataVariables { up: Some(outer), block, ..DataVariables::TOP });
        self.begin(OpenBlock { source, count: 0, keeps_this: false, has_data: true, is_compared }, otherwise)
    }

    pub(super) fn each_element(&mut self, value: Value<'a>, otherwise: JumpTarget) -> Result<(), Problem> {
        let Some(source) = self.items(value)? else {
            self.at = otherwise;
            return Ok(());
        };
        let block = OpenBlock { source, count: 0, keeps_this: true, has_data: false, is_compared: false };
        self.begin(block, otherwise)
    }

    /// Opens a block's frame for its first round, or jumps if there is none.
    fn begin(&mut self, block: OpenBlock<'a>, otherwise: JumpTarget) -> Result<(), Problem> {
        self.blocks.push(block);
        let up = Some(self.frames.len());
        self.open_frame(Frame { up, is_null_context: false, ..*self.frame() }, false);
        if !self.next_round()? {
            self.end();
            self.at = otherwise;
        }
        Ok(())
    }

    fn end(&mut self) {
        let block = self.blocks.pop();
        if block.is_some_and(|block| block.has_data) {
            self.data.pop();
        }
        self.frames.pop();
    }

    /// Continues behind `head` if there is another round.
    pub(super) fn next(&mut self, head: JumpTarget) -> Result<(), Problem> {
        match self.next_round()? {
            true => self.at = head,
            false => self.end(),
        }
        Ok(())
    }

    /// Puts the next item into the frame of the innermost block; `false` if there is none.
    fn next_round(&mut self) -> Result<bool, Problem> {
        let Some(block) = self.blocks.last_mut() else { return Ok(false) };
        let count = block.count;
        let index = Value::Number(count as f64);
        let (item, key, is_last) = match &mut block.source {
            LoopItems::Once => return Ok(false),
            LoopItems::Json(items) => match items.next() {
                Some(raw) => (self.heap.json(raw)?, index, items.is_over()),
                None => return Ok(false),
            },
            LoopItems::Values(items) => match items.get(count) {
                Some(item) => (*item, index, count + 1 == items.len()),
                None => return Ok(false),
            },
            LoopItems::Members(members) => match members.get(count) {
                Some((name, value)) => (*value, Value::Text(name), count + 1 == members.len()),
                None => return Ok(false),
            },
        };
        block.count += 1;
        let (keeps_this, is_compared) = (block.keeps_this, block.is_compared);
        if block.has_data
            && let Some(data) = self.data.last_mut()
        {
            (data.key, data.index) = (key, index);
            (data.first, data.last) = (Value::Bool(count == 0), Value::Bool(is_last));
        }
        let (number, data) = (self.frames.len(), self.data.len());
        let up = self.frame().up;
        let outer_step = up.and_then(|up| self.frame_at(up)).map_or(0, |outer| outer.step);
        let is_other = !keeps_this && (!is_compared || self.is_other(item, up)?);
        if let Some(frame) = self.frames.last_mut() {
            (frame.params, frame.given) = ([item, key], 2);
            frame.step = if is_other { number } else { outer_step };
            match keeps_this {
                true => frame.element = Some(number),
                false => (frame.this, frame.data) = (item, data),
            }
        }
        Ok(true)
    }
}
