//! Running a program, an instruction at a time.

use bumpalo::Bump;

use super::machine::{Frame, Machine};
use crate::template::budget::Problem;
use crate::template::call::{Form, HelperCall};
use crate::template::change::{Stretches, TextChange};
use crate::template::escape::Rewrite;
use crate::template::heap::{Heap, Root, in_order};
use crate::template::program::{CallSite, Instruction, JumpTarget, LiteralSpan, Program};
use crate::template::values::Value;

/// Writes a text with the values of `root`, or says why it cannot be rendered.
pub fn render(program: &Program, root: &dyn Root, out: &mut String) -> Result<(), Problem> {
    let arena = Bump::new();
    run(program, &Heap::new(&arena, root), out).map(drop)
}

/// Whether the condition that a program pushes holds.
pub fn holds(program: &Program, root: &dyn Root) -> Result<bool, Problem> {
    let arena = Bump::new();
    let mut nothing = String::new();
    let heap = Heap::new(&arena, root);
    run(program, &heap, &mut nothing)?.holds(&heap)
}

/// Runs a program, and returns what it pushed last.
fn run<'a>(program: &'a Program, heap: &Heap<'a>, out: &mut String) -> Result<Value<'a>, Problem> {
    let start = out.len();
    let machine = Machine {
        program,
        heap,
        out,
        start,
        at: 0,
        stack: Vec::new(),
        frames: Vec::new(),
        data: Vec::new(),
        blocks: Vec::new(),
        marks: Vec::new(),
        tracked: Stretches::default(),
        inlines: Vec::new(),
        scopes: Vec::new(),
        returns: Vec::new(),
        registers: vec![0; program.registers],
    };
    machine.run()
}

impl<'a> Machine<'_, 'a> {
    fn run(mut self) -> Result<Value<'a>, Problem> {
        let program = self.program;
        while let Some(op) = program.ops.get(self.at) {
            let at = self.at;
            self.at = at + 1;
            if let Err(problem) = self.charged_step(op) {
                let outermost = self.returns.first().map(|back| back.at.saturating_sub(1));
                return Err(program.placed(at, outermost, problem));
            }
        }
        Ok(self.pop())
    }

    /// Runs one instruction within the budget of the text.
    fn charged_step(&mut self, op: &'a Instruction) -> Result<(), Problem> {
        self.heap.budget.steps(1)?;
        self.step(op)?;
        self.check_length()
    }

    /// Runs one instruction. If the next one is elsewhere, it sets [`Machine::at`].
    fn step(&mut self, op: &'a Instruction) -> Result<(), Problem> {
        match *op {
            Instruction::Literal(words) => self.out.push_str(self.words(words)),
            // Matched in place: moving a value out at once would wait for the stores that have just written it.
            Instruction::PrintSlot { slot, rewrite } => match &self.heap.root.noted(slot as usize, self.heap) {
                Ok(value) => self.print(value, rewrite, rewrite)?,
                Err(problem) => return Err(problem.clone()),
            },
            Instruction::Print { rewrite, markup } => {
                let value = self.pop();
                self.print(&value, rewrite, markup)?;
            }
            Instruction::PrintOr { rewrite, words } => self.print_or(rewrite, words)?,
            Instruction::Constant(number) => self.stack.push(self.constant(number)),
            Instruction::Slot(slot) => self.stack.push(self.heap.root.noted(slot as usize, self.heap)?),
            Instruction::Root => self.stack.push(Value::Root),
            Instruction::Context(depth) => self.stack.push(self.this(depth)?),
            Instruction::Name { depth, name, slot } => self.stack.push(self.named(self.this(depth)?, name, slot)?),
            Instruction::Variable { depth, name, slot } => {
                self.stack.push(self.variable(self.this(depth)?, name, slot)?)
            }
            Instruction::TopVariable { name, slot } => self.stack.push(self.variable(Value::Root, name, slot)?),
            Instruction::Member(name) => self.member(name, |value| !value.is_nothing())?,
            Instruction::DataMember(name) => self.member(name, Value::is_truthy)?,
            Instruction::Data { name, outer } => self.stack.push(self.data_named(name, outer)?),
            Instruction::Param { outer, index } => self.stack.push(self.param(outer, index)?),
            Instruction::Merge => self.merge()?,
            Instruction::Set(name) => self.set(name)?,
            Instruction::Call(call) => {
                let value = self.call(call, None, None)?;
                self.stack.push(value);
            }
            Instruction::CallContent(call) => {
                let content = self.take_written()?;
                self.call(call, Some(content), None)?.print(self.heap, self.out)?;
            }
            Instruction::ChangeTracked(call) => self.change_tracked(call)?,
            Instruction::PrintTracked { is_raw } => self.print_tracked(is_raw)?,
            Instruction::EscapeTracked(escape) => self.escape_tracked(escape)?,
            Instruction::Begin => self.marks.push(self.out.len()),
            Instruction::Limit(bytes) => {
                if self.out.len() - self.marks.last().copied().unwrap_or(self.start) > bytes as usize {
                    return Err(Problem(format!("expected at most {bytes} bytes of text here")));
                }
            }
            Instruction::Finish(rewrite) => {
                let mark = self.marks.pop().unwrap_or(self.start);
                self.heap.budget.bytes(self.out.len() - mark)?;
                rewrite(self.out, mark);
            }
            Instruction::CaptureAnswer => {
                let text = self.take_written()?;
                let is_nothing = matches!(text.trim(), "" | "false" | "0" | "null" | "undefined");
                self.stack.push(Value::Text(if is_nothing { "" } else { text }));
            }
            Instruction::Jump(target) => self.at = target,
            Instruction::JumpUnless(target) => {
                if !self.pop().holds(self.heap)? {
                    self.at = target;
                }
            }
            Instruction::JumpUnlessOrZero(target) => {
                let (include_zero, value) = (self.pop(), self.pop());
                if !include_zero.is_truthy() && !value.is_truthy() || value.is_empty(self.heap)? {
                    self.at = target;
                }
            }
            Instruction::JumpUnlessOrPop(target) => self.jump_or_take(false, target)?,
            Instruction::JumpIfOrPop(target) => self.jump_or_take(true, target)?,
            Instruction::Not => {
                let holds = self.pop().holds(self.heap)?;
                self.stack.push(Value::Bool(!holds));
            }
            Instruction::Compare(comparison) => {
                let (right, left) = (self.pop(), self.pop());
                let is_so = comparison.holds(left, right, self.heap)?;
                self.stack.push(Value::Bool(is_so));
            }
            Instruction::Operate(operation) => {
                let right = self.pop();
                let left = if operation.operands() > 1 { self.pop() } else { Value::Undefined };
                let value = operation.of(left, right, self.heap)?;
                self.stack.push(value);
            }
            Instruction::NullContext => self.open_null_context(),
            Instruction::EndNullContext => self.close_null_context(),
            Instruction::Each { otherwise, is_compared } => {
                let value = self.pop();
                self.each(value, otherwise, is_compared)?;
            }
            Instruction::With { otherwise, is_compared } => {
                let value = self.pop();
                match value.is_empty(self.heap)? {
                    true => self.at = otherwise,
                    false => self.once(value, [value, Value::Undefined], 2, is_compared)?,
                }
            }
            Instruction::Section { otherwise, is_compared } => self.section(otherwise, is_compared)?,
            Instruction::Loop(otherwise) => {
                let value = self.pop();
                self.each_element(value, otherwise)?;
            }
            Instruction::ExpectList(place) => {
                if let Some(value) = self.stack.last().filter(|it| !it.is_list() && !it.is_nothing()) {
                    let kind = if value.as_text().is_some() { "a string" } else { value.kind() };
                    let words = self.words(place);
                    self.heap.root.tell(&|| format!("{words} goes over nothing: expected an array, found {kind}"));
                }
            }
            Instruction::Next(head) => self.next(head)?,
            Instruction::Partial(site) => self.partial(site)?,
            Instruction::Return => self.return_from_partial()?,
            Instruction::Define { name, routine, is_in_frame } => self.define(name, routine, is_in_frame),
            Instruction::Forget(count) => self.forget(count),
            Instruction::Fail(failure) => {
                let reason = self.program.failures.get(failure as usize).cloned().unwrap_or_default();
                return Err(Problem(reason));
            }
            Instruction::SetRegister { register, value } => self.set_register(register, value),
            Instruction::Marked(register) => self.stack.push(Value::Bool(self.register(register) != 0)),
            Instruction::Separate { register, words } => {
                let count = self.register(register);
                if count > 0 {
                    self.out.push_str(self.words(words));
                }
                self.set_register(register, count.saturating_add(1));
            }
            Instruction::WriteCount(register) => {
                let count = self.register(register);
                self.out.push_str(&format!("{count}. "));
            }
            Instruction::Reset => {
                self.heap.budget.bytes(self.out.len() - self.start)?;
                self.out.truncate(self.start);
            }
        }
        Ok(())
    }

    fn print_or(&mut self, rewrite: Rewrite, words: LiteralSpan) -> Result<(), Problem> {
        let (value, at) = (self.pop(), self.out.len());
        self.print(&value, rewrite, rewrite)?;
        if self.out.len() == at {
            self.out.push_str(self.words(words));
        }
        Ok(())
    }

    /// Takes what was written since [`Instruction::Begin`].
    fn take_written(&mut self) -> Result<&'a str, Problem> {
        let mark = self.marks.pop().unwrap_or(self.start);
        let text = self.heap.text(self.out.get(mark..).unwrap_or_default())?;
        self.out.truncate(mark);
        Ok(text)
    }

    /// Replaces the last value by its member, if that value `has` members; otherwise it stays.
    fn member(&mut self, name: u32, has: fn(Value<'a>) -> bool) -> Result<(), Problem> {
        let value = self.pop();
        let value = if has(value) { value.member(self.name(name), self.heap)? } else { value };
        self.stack.push(value);
        Ok(())
    }

    fn merge(&mut self) -> Result<(), Problem> {
        let (over, under) = (self.pop().members(self.heap)?, self.pop().members(self.heap)?);
        self.heap.budget.bytes(size_of_val(under) + size_of_val(over))?;
        let members = in_order(under.iter().chain(over).copied().collect());
        self.stack.push(Value::Object(self.heap.object(&members)?));
        Ok(())
    }

    fn set(&mut self, name: u32) -> Result<(), Problem> {
        let (name, value, this) = (self.name(name), self.pop(), self.frame().this);
        self.heap.assign(this, name, value)?;
        self.heap.assign(Value::Root, name, value)
    }

    /// Jumps if the truth of the last value is `decides`, and takes the value otherwise.
    fn jump_or_take(&mut self, decides: bool, target: JumpTarget) -> Result<(), Problem> {
        let value = self.stack.last().copied().unwrap_or(Value::Undefined);
        match value.holds(self.heap)? == decides {
            true => self.at = target,
            false => drop(self.stack.pop()),
        }
        Ok(())
    }

    fn section(&mut self, otherwise: JumpTarget, is_compared: bool) -> Result<(), Problem> {
        match self.pop() {
            Value::Undefined | Value::Null | Value::Bool(false) => {
                self.at = otherwise;
                Ok(())
            }
            Value::Bool(true) => self.once(self.frame().this, [Value::Undefined; 2], 0, is_compared),
            value if value.is_list() => self.each(value, otherwise, is_compared),
            // As in handlebars.js its parameters exist and are undefined.
            value => self.once(value, [Value::Undefined; 2], 2, is_compared),
        }
    }

    pub(super) fn call(
        &mut self,
        call: u32,
        content: Option<&'a str>,
        change: Option<&TextChange>,
    ) -> Result<Value<'a>, Problem> {
        let Some(CallSite { helper, positional, names, .. }) = self.program.calls.get(call as usize) else {
            return Ok(Value::Undefined);
        };
        let base = self.stack.len().saturating_sub(positional + names.len());
        let given = self.stack.get(base..).unwrap_or_default();
        let (args, values) = given.split_at(given.len().min(*positional));
        let named: Vec<(&'a str, Value<'a>)> = names.iter().map(String::as_str).zip(values.iter().copied()).collect();
        let with_content: Vec<Value<'a>>;
        let args = match content {
            Some(content) => {
                with_content = [Value::Text(content)].into_iter().chain(args.iter().copied()).collect();
                &with_content
            }
            None => args,
        };
        let (Form::Value(make) | Form::Condition(make) | Form::Content(make)) = helper.form else {
            return Ok(Value::Undefined);
        };
        self.heap.budget.steps(args.len() + named.len())?;
        let Frame { this, element, .. } = *self.frame();
        let element = element.and_then(|element| self.frame_at(element)).map(|frame| frame.params);
        let made = make(&HelperCall { args, named: &named, this, element, heap: self.heap, change });
        self.stack.truncate(base);
        made.map_err(|problem| Problem(format!("{}: {problem}", helper.name)))
    }
}
