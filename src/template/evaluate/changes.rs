//! Texts that helpers change and that are escaped afterwards.

use super::machine::Machine;
use crate::template::budget::Problem;
use crate::template::change::TextChange;
use crate::template::escape::{Escape, PrintKind};
use crate::template::program::CallSite;
use crate::template::values::Value;

impl<'a> Machine<'_, 'a> {
    /// Prints the last value and notes its kind.
    pub(super) fn print_tracked(&mut self, is_raw: bool) -> Result<(), Problem> {
        let (value, at) = (self.pop(), self.out.len());
        value.print(self.heap, self.out)?;
        let kind = if is_raw { PrintKind::Raw } else { kind_of(value, false) };
        self.tracked.note(at..self.out.len(), kind, &self.heap.budget)
    }

    /// Prints a helper's change of a text, and notes the kinds of its parts.
    pub(super) fn change_tracked(&mut self, call: u32) -> Result<(), Problem> {
        let at = self.marks.pop().unwrap_or(self.start);
        let content = self.heap.text(&self.out.split_off(at))?;
        let change = TextChange::new(self.tracked.split_off(at), self.kinds_of_arguments(call));
        let value = self.call(call, Some(content), Some(&change))?;
        value.print(self.heap, self.out)?;
        match value {
            Value::Text(text) => change.note(text, content, at, &mut self.tracked, &self.heap.budget),
            value => self.tracked.note(at..self.out.len(), kind_of(value, false), &self.heap.budget),
        }
    }

    /// The kinds of the pushed arguments of a call.
    fn kinds_of_arguments(&self, call: u32) -> Vec<PrintKind> {
        let Some(CallSite { positional, names, worded, .. }) = self.program.calls.get(call as usize) else {
            return Vec::new();
        };
        let base = self.stack.len().saturating_sub(positional + names.len());
        let given = self.stack.iter().skip(base).zip(worded);
        given.map(|(value, is_worded)| kind_of(*value, *is_worded)).collect()
    }

    /// Escapes a text by the noted kinds of its parts.
    pub(super) fn escape_tracked(&mut self, escape: &Escape) -> Result<(), Problem> {
        let at = self.marks.pop().unwrap_or(self.start);
        let (text, noted) = (self.out.split_off(at), self.tracked.split_off(at));
        self.heap.budget.bytes(text.len())?;
        noted.escape(&text, escape, self.out);
        Ok(())
    }
}

fn kind_of(value: Value<'_>, is_worded: bool) -> PrintKind {
    match value {
        Value::Markup(_) => PrintKind::Raw,
        _ if is_worded => PrintKind::Words,
        _ => PrintKind::Data,
    }
}
