//! Partials: those that were given with the text, inline ones, and the blocks of their calls.

use super::super::budget::{CALL_DEPTH, Problem};
use super::super::heap::in_order;
use super::super::program::{PartialSite, Target};
use super::super::syntax::nearest;
use super::super::values::Value;
use super::machine::{Closure, Data, Frame, Inline, Machine, Return};

impl<'a> Machine<'_, 'a> {
    pub(super) fn define(&mut self, name: u32, routine: Target, in_frame: bool) {
        let frame = *self.frame();
        let up = if in_frame { Some(self.frames.len()) } else { frame.up };
        let closure = Closure { routine, up, scope: frame.scope, data: frame.data, is_block: false };
        self.know(name, closure, frame.scope);
    }

    /// Adds an inline partial to those that are known.
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
            if self.name(inline.name) == name {
                return Ok(Some(inline.closure));
            }
            at = inline.before;
        }
        Ok(None)
    }

    /// Calls a partial, and gives its beginning.
    pub(super) fn partial(&mut self, number: u32, next: Target) -> Result<Target, Problem> {
        let Some(site) = self.program.partials.get(number as usize) else { return Ok(next) };
        if self.returns.len() >= CALL_DEPTH {
            let problem = Problem(format!("partials include each other more than {CALL_DEPTH} levels deep"));
            return Err(self.failed(Some(&site.origin), "", problem));
        }
        let this = self.partial_context(site)?;
        let name = match &site.name {
            Some(name) => name.as_str(),
            // As in handlebars.js any name that is not true is this one.
            None => match self.pop() {
                name if name.is_truthy() => name.text(self.heap)?,
                _ => "undefined",
            },
        };
        let frame = *self.frame();
        let block = site.block.map(|routine| {
            let (up, scope, data) = (Some(self.frames.len()), frame.scope, frame.data);
            Closure { routine, up, scope, data, is_block: true }
        });
        let outer_block = self.data_at(frame.data).and_then(|data| data.block);
        let found = match name {
            "@partial-block" => outer_block,
            name => self.inline(name)?,
        };
        let given = || site.routine.or_else(|| self.routine(name).filter(|_| site.name.is_none()));
        let (closure, routine) = match (found, given(), block) {
            (Some(closure), ..) => (Some(closure), closure.routine),
            (None, Some(routine), _) => (None, routine),
            (None, None, Some(block)) => (Some(block), block.routine),
            (None, None, None) => return Err(self.unknown_partial(name, site)),
        };
        self.returns.push(Return {
            at: next,
            frames: self.frames.len(),
            data: self.data.len(),
            scopes: self.scopes.len(),
            inlines: self.inlines.len(),
            site: number,
            routine,
            mark: self.out.len(),
        });
        self.heap.budget.steps(10)?;
        self.heap.budget.bytes(size_of::<Frame<'_>>())?;
        if block.is_some() || closure.is_some_and(|closure| closure.is_block) {
            let inherited = self.data_at(frame.data).copied().unwrap_or(Data::TOP);
            let block = match closure {
                Some(closure) if closure.is_block => self.data_at(closure.data).and_then(|data| data.block),
                _ => block,
            };
            self.data.push(Data { up: Some(frame.data), block, ..inherited });
        }
        let scope = closure.map_or_else(|| self.partial_scope(site, &frame), |closure| closure.scope);
        let up = closure.and_then(|closure| closure.up);
        let is_new = match up.and_then(|up| self.frame_at(up)) {
            Some(outer) => self.is_other(this, outer.this)?,
            None => true,
        };
        let has_own = self.data.len() > self.returns.last().map_or(0, |back| back.data);
        let data = if has_own { self.data.len() } else { frame.data };
        let element = frame.element;
        self.frames.push(Frame { this, up, is_new, params: [Value::Undefined; 2], given: 0, data, scope, element });
        Ok(routine)
    }

    /// What a partial that was given with the text knows of inline ones: what is known here, and what stands in its block.
    fn partial_scope(&mut self, site: &PartialSite, frame: &Frame<'a>) -> usize {
        if self.scopes.is_empty() {
            self.scopes.push(None);
        }
        let known = self.scopes.get(frame.scope).copied().flatten();
        self.scopes.push(known);
        let scope = self.scopes.len() - 1;
        for (name, routine) in &site.inlines {
            let (up, data) = (Some(self.frames.len()), frame.data);
            let closure = Closure { routine: *routine, up, scope: frame.scope, data, is_block: false };
            self.know(*name, closure, scope);
        }
        scope
    }

    /// `this` of a partial: what it is given, with what is given by name.
    fn partial_context(&mut self, site: &'a PartialSite) -> Result<Value<'a>, Problem> {
        let base = self.stack.len().saturating_sub(site.names.len());
        let values = self.stack.split_off(base);
        let given = if site.has_context { self.pop() } else { self.frame().this };
        if site.names.is_empty() {
            return Ok(given);
        }
        let named = site.names.iter().map(String::as_str).zip(values);
        match given {
            Value::Root => Ok(Value::RootWith(self.heap.object(&named.collect::<Vec<_>>())?)),
            given => {
                let members = given.members(self.heap)?.iter().copied().chain(named).collect();
                Ok(Value::Object(self.heap.object(&in_order(members))?))
            }
        }
    }

    fn routine(&self, name: &str) -> Option<Target> {
        self.program.routines.iter().find(|(known, _)| known == name).map(|(_, routine)| *routine)
    }

    fn unknown_partial(&self, name: &str, site: &PartialSite) -> Problem {
        let known = self.program.routines.iter().map(|(known, _)| known.as_str());
        let inline = self.inlines.iter().map(|inline| self.name(inline.name));
        let meant = site.nearest.as_deref().or_else(|| nearest(name, known.chain(inline)));
        let meant = meant.map(|known| format!("; did you mean '{known}'?"));
        let problem = Problem(format!("there is no partial '{name}'{}", meant.unwrap_or_default()));
        self.failed(Some(&site.origin), "", problem)
    }

    /// Goes back to behind the call. `end` is where the partial ends.
    pub(super) fn return_from_partial(&mut self, end: Target) -> Result<Option<Target>, Problem> {
        let Some(back) = self.returns.pop() else { return Ok(None) };
        self.heap.budget.steps(end.saturating_sub(back.routine))?;
        self.frames.truncate(back.frames);
        self.data.truncate(back.data);
        self.scopes.truncate(back.scopes);
        self.inlines.truncate(back.inlines);
        let indent = self.program.partials.get(back.site as usize).map_or("", |site| site.indent.as_str());
        if !indent.is_empty() {
            self.indent_lines(back.mark, indent)?;
        }
        Ok(Some(back.at))
    }

    /// Puts the indent before each line of what was written from `mark` on.
    fn indent_lines(&mut self, mark: usize, indent: &str) -> Result<(), Problem> {
        let (lines, noted, mut at) = (self.out.split_off(mark), self.noted.split_off(mark), 0);
        self.heap.budget.bytes(lines.len())?;
        for line in lines.split_inclusive('\n') {
            self.heap.budget.bytes(indent.len())?;
            self.out.push_str(indent);
            noted.copy(at..at + line.len(), self.out.len(), &mut self.noted, &self.heap.budget)?;
            at += line.len();
            self.out.push_str(line);
            self.check_length()?;
        }
        Ok(())
    }
}
