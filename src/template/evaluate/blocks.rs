//! Blocks that are gone through: `each`, `with`, sections and the loops of elements.

use super::super::budget::Problem;
use super::super::program::Target;
use super::super::values::Value;
use super::machine::{Data, Frame, Machine, Round, Source};
use crate::json::scan::Items;

impl<'a> Machine<'_, 'a> {
    /// A frame in the one that is open, with this as `this`.
    pub(super) fn open_frame(&mut self, this: Value<'a>) -> Result<(), Problem> {
        let outer = *self.frame();
        let is_new = self.is_other(this, outer.this)?;
        let up = Some(self.frames.len());
        self.frames.push(Frame { this, up, is_new, given: 0, ..outer });
        Ok(())
    }

    /// Whether what a block has as `this` is another value than what is around it has, for JavaScript. Only `../` asks.
    pub(super) fn is_other(&self, this: Value<'a>, outer: Value<'a>) -> Result<bool, Problem> {
        Ok(!self.program.leads_out || !this.is_equal(outer, self.heap)?)
    }

    /// Goes once through a block with this as `this`, of which it gives so many as parameters.
    pub(super) fn once(&mut self, this: Value<'a>, given: usize) -> Result<(), Problem> {
        self.open_frame(this)?;
        if let Some(frame) = self.frames.last_mut() {
            frame.params = [this, Value::Undefined];
            frame.given = given;
        }
        self.rounds.push(Round { source: Source::Once, count: 0, keeps_this: false, has_data: false });
        Ok(())
    }

    pub(super) fn each(&mut self, value: Value<'a>, otherwise: Target) -> Result<Option<Target>, Problem> {
        let source = match value {
            Value::JsonList(list) => {
                self.heap.budget.scanned(list.len())?;
                Source::Json(Items::of(list))
            }
            Value::List(items) => Source::Values(items),
            value if value.is_object() => Source::Members(value.members(self.heap)?),
            _ => return Ok(Some(otherwise)),
        };
        let outer = self.frame().data;
        let block = self.data_at(outer).and_then(|data| data.block);
        self.data.push(Data { up: Some(outer), block, ..Data::TOP });
        self.begin_rounds(Round { source, count: 0, keeps_this: false, has_data: true }, otherwise)
    }

    pub(super) fn go_through_elements(
        &mut self,
        value: Value<'a>,
        otherwise: Target,
    ) -> Result<Option<Target>, Problem> {
        let source = match value {
            Value::JsonList(list) => {
                self.heap.budget.scanned(list.len())?;
                Source::Json(Items::of(list))
            }
            Value::List(items) => Source::Values(items),
            _ => return Ok(Some(otherwise)),
        };
        self.begin_rounds(Round { source, count: 0, keeps_this: true, has_data: false }, otherwise)
    }

    /// Opens a block's frame for its first round, or jumps if there is none.
    pub(super) fn begin_rounds(&mut self, round: Round<'a>, otherwise: Target) -> Result<Option<Target>, Problem> {
        self.rounds.push(round);
        self.frames.push(Frame { up: Some(self.frames.len()), is_new: false, ..*self.frame() });
        match self.round()? {
            true => Ok(None),
            false => {
                self.end_rounds();
                Ok(Some(otherwise))
            }
        }
    }

    pub(super) fn end_rounds(&mut self) {
        let round = self.rounds.pop();
        if round.is_some_and(|round| round.has_data) {
            self.data.pop();
        }
        self.frames.pop();
    }

    pub(super) fn next_round(&mut self, head: Target) -> Result<Option<Target>, Problem> {
        if self.round()? {
            return Ok(Some(head));
        }
        self.end_rounds();
        Ok(None)
    }

    /// Puts what comes next into the frame of the innermost block; `false` if there is nothing more.
    pub(super) fn round(&mut self) -> Result<bool, Problem> {
        let Some(round) = self.rounds.last_mut() else { return Ok(false) };
        let count = round.count;
        let index = Value::Number(count as f64);
        let (item, key, is_last) = match &mut round.source {
            Source::Once => return Ok(false),
            Source::Json(items) => match items.next() {
                Some(raw) => (self.heap.json(raw)?, index, items.is_over()),
                None => return Ok(false),
            },
            Source::Values(items) => match items.get(count) {
                Some(item) => (*item, index, count + 1 == items.len()),
                None => return Ok(false),
            },
            Source::Members(members) => match members.get(count) {
                Some((name, value)) => (*value, Value::Text(name), count + 1 == members.len()),
                None => return Ok(false),
            },
        };
        round.count += 1;
        let (keeps_this, has_data) = (round.keeps_this, round.has_data);
        if has_data && let Some(data) = self.data.last_mut() {
            data.key = key;
            data.index = index;
            data.first = Value::Bool(count == 0);
            data.last = Value::Bool(is_last);
        }
        let data = self.data.len();
        let outer = self.frame().up.and_then(|up| self.frame_at(up)).map_or(Value::Undefined, |frame| frame.this);
        let is_new = !keeps_this && self.is_other(item, outer)?;
        let place = self.frames.len();
        if let Some(frame) = self.frames.last_mut() {
            frame.params = [item, key];
            frame.given = 2;
            frame.is_new = is_new;
            if keeps_this {
                frame.element = Some(place);
            }
            if !keeps_this {
                frame.this = item;
                frame.data = data;
            }
        }
        Ok(true)
    }
}
