//! Partials: those that were given with the text, inline ones, and the blocks of their calls.

use super::machine::{Closure, DataVariables, Frame, Inline, Machine, Return};
use crate::template::budget::{CALL_DEPTH, Problem};
use crate::template::heap::in_order;
use crate::template::program::{CalledPartial, JumpTarget, PartialSite};
use crate::template::syntax::nearest;
use crate::template::values::Value;

impl<'a> Machine<'_, 'a> {
    /// From here on a name means this inline partial.
    pub(super) fn define(&mut self, name: u32, routine: JumpTarget, is_in_frame: bool) {
        let frame = *self.frame();
        let up = if is_in_frame && !frame.is_null_context { Some(self.frames.len()) } else { frame.up };
        let (scope, data) = (frame.scope, frame.data);
        self.know(name, Closure { routine, up, scope, data, is_block: false, is_compared: true }, scope);
    }

    /// Adds an inline partial to the known ones.
    fn know(&mut self, name: u32, closure: Closure, scope: usize) {
        if self.scopes.is_empty() {
            self.scopes.push(None);
        }
        let before = self.scopes.get(scope).copied().flatten();
        self.inlines.push(Inline { name, closure, before });
        if let Some(newest) = self.scopes.get_mut(scope) {
            *newest = Some(self.inlines.len() - 1);
        }
    }

    pub(super) fn forget(&mut self, count: u32) {
        let scope = self.frame().scope;
        for _ in 0..count {
            let before = self.inlines.pop().and_then(|inline| inline.before);
            if let Some(newest) = self.scopes.get_mut(scope) {
                *newest = before;
            }
        }
    }

    /// The inline partial of a name that is known here.
    fn inline(&self, name: &str) -> Result<Option<Closure>, Problem> {
        let mut at = self.scopes.get(self.frame().scope).copied().flatten();
        while let Some(inline) = at.and_then(|at| self.inlines.get(at)) {
            self.heap.budget.steps(1)?;
            self.heap.budget.scanned(name.len())?;
            if self.name(inline.name) == name {
                return Ok(Some(inline.closure));
            }
            at = inline.before;
        }
        Ok(None)
    }

    /// Calls a partial.
    pub(super) fn partial(&mut self, number: u32) -> Result<(), Problem> {
        let Some(site) = self.program.partials.get(number as usize) else { return Ok(()) };
        if self.returns.len() >= CALL_DEPTH {
            return Err(Problem(format!("partials include each other more than {CALL_DEPTH} levels deep")));
        }
        let this = self.partial_context(site)?;
        let (name, given) = match &site.name {
            CalledPartial::Written { name, routine } => (name.as_str(), *routine),
            CalledPartial::Computed { table } => {
                // As in handlebars.js any name that is not true is this one.
                let name = match self.pop() {
                    name if name.is_truthy() => name.text(self.heap)?,
                    _ => "undefined",
                };
                self.heap.budget.scanned(name.len())?;
                let table = self.program.partial_tables.get(*table as usize);
                (name, table.and_then(|table| table.get(name)).copied())
            }
        };
        let frame = *self.frame();
        let block = site.block.map(|routine| {
            let (up, scope, data) = (Some(self.frames.len()), frame.scope, frame.data);
            Closure { routine, up, scope, data, is_block: true, is_compared: site.is_compared }
        });
        let found = match name {
            "@partial-block" => self.block_at(frame.data),
            name => self.inline(name)?,
        };
        let (closure, routine) = match (found, given, block) {
            (Some(closure), ..) => (Some(closure), closure.routine),
            (None, Some(routine), _) => (None, routine),
            (None, None, Some(block)) => (Some(block), block.routine),
            (None, None, None) => return Err(self.unknown_partial(name)),
        };
        self.returns.push(Return {
            at: std::mem::replace(&mut self.at, routine),
            frames: self.frames.len(),
            data: self.data.len(),
            scopes: self.scopes.len(),
            inlines: self.inlines.len(),
            site: number,
            mark: self.out.len(),
        });
        self.heap.budget.steps(10)?;
        self.heap.budget.bytes(size_of::<Frame<'_>>())?;
        // As in handlebars.js there is one more `@` around a partial with a block, and one around the content of a
        // block.
        let mut data = frame.data;
        if block.is_some() {
            data = self.open_data(data, block);
        }
        if let Some(closure) = closure.filter(|closure| closure.is_block) {
            data = self.open_data(data, self.block_at(closure.data));
        }
        let scope = closure.map_or_else(|| self.partial_scope(site, &frame), |closure| closure.scope);
        let up = closure.and_then(|closure| closure.up);
        let is_compared = closure.is_some_and(|closure| closure.is_compared);
        let is_other = !is_compared || self.is_other(this, up)?;
        let element = frame.element;
        self.open_frame(Frame { this, up, data, scope, element, ..Frame::TOP }, is_other);
        Ok(())
    }

    /// The value of `@partial-block`.
    fn block_at(&self, data: usize) -> Option<Closure> {
        self.data_at(data).and_then(|data| data.block)
    }

    /// The same data variables as around it, with this `@partial-block`. Returns their number.
    fn open_data(&mut self, outer: usize, block: Option<Closure>) -> usize {
        let inherited = self.data_at(outer).copied().unwrap_or(DataVariables::TOP);
        self.data.push(DataVariables { up: Some(outer), block, ..inherited });
        self.data.len()
    }

    /// The inline partials that are known in a partial given with the text: those known here, and those in its block.
    fn partial_scope(&mut self, site: &PartialSite, frame: &Frame<'a>) -> usize {
        if self.scopes.is_empty() {
            self.scopes.push(None);
        }
        let known = self.scopes.get(frame.scope).copied().flatten();
        self.scopes.push(known);
        let scope = self.scopes.len() - 1;
        for (name, routine) in &site.inlines {
            let (up, data) = (Some(self.frames.len()), frame.data);
            let closure =
                Closure { routine: *routine, up, scope: frame.scope, data, is_block: false, is_compared: true };
            self.know(*name, closure, scope);
        }
        scope
    }

    /// `this` of a partial: its argument, with the named arguments merged in.
    fn partial_context(&mut self, site: &'a PartialSite) -> Result<Value<'a>, Problem> {
        let names = site.names.as_deref().unwrap_or_default();
        let base = self.stack.len().saturating_sub(names.len());
        let values = self.stack.split_off(base);
        let given = if site.has_context { self.pop() } else { self.frame().this };
        if site.names.is_none() {
            return Ok(given);
        }
        let named = names.iter().map(String::as_str).zip(values);
        match given {
            Value::Root => Ok(Value::RootWith(self.heap.object(&named.collect::<Vec<_>>())?)),
            given => {
                let members = given.members(self.heap)?;
                self.heap.budget.bytes(size_of_val(members))?;
                let members = members.iter().copied().chain(named).collect();
                Ok(Value::Object(self.heap.object(&in_order(members))?))
            }
        }
    }

    fn unknown_partial(&self, name: &str) -> Problem {
        let tables = self.program.partial_tables.iter().flat_map(|table| table.keys());
        let known = self.program.partial_names.iter().chain(tables).map(String::as_str);
        let inline = self.inlines.iter().map(|inline| self.name(inline.name));
        let meant = nearest(name, known.chain(inline)).map(|known| format!("; did you mean '{known}'?"));
        Problem(format!("there is no partial '{name}'{}", meant.unwrap_or_default()))
    }

    /// Returns to the place after the call.
    pub(super) fn return_from_partial(&mut self) -> Result<(), Problem> {
        let Some(back) = self.returns.pop() else { return Ok(()) };
        self.at = back.at;
        self.frames.truncate(back.frames);
        self.data.truncate(back.data);
        self.scopes.truncate(back.scopes);
        self.inlines.truncate(back.inlines);
        let indent = self.program.partials.get(back.site as usize).map_or("", |site| site.indent.as_str());
        if !indent.is_empty() {
            self.indent_lines(back.mark, indent)?;
        }
        Ok(())
    }

    /// Inserts the indent before each line written from `mark` on.
    fn indent_lines(&mut self, mark: usize, indent: &str) -> Result<(), Problem> {
        let (lines, noted, mut at) = (self.out.split_off(mark), self.tracked.split_off(mark), 0);
        self.heap.budget.bytes(lines.len())?;
        for line in lines.split_inclusive('\n') {
            self.heap.budget.bytes(indent.len())?;
            self.out.push_str(indent);
            noted.copy(at..at + line.len(), self.out.len(), &mut self.tracked, &self.heap.budget)?;
            at += line.len();
            self.out.push_str(line);
            self.check_length()?;
        }
        Ok(())
    }
}
