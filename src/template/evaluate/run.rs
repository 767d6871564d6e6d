//! Running a program, an instruction at a time.

use std::cmp::Ordering;

use bumpalo::Bump;

use super::super::budget::Problem;
use super::super::call::{Call, Form};
use super::super::heap::{Heap, Root, in_order};
use super::super::kinds::{Change, Stretches};
use super::super::program::{CallSite, Comparison, Op, Program, Target};
use super::super::values::Value;
use super::machine::{Frame, Machine};

/// Writes a text for what `root` knows, or says why it cannot be written.
pub fn render(program: &Program, root: &dyn Root, out: &mut String) -> Result<(), Problem> {
    let arena = Bump::new();
    run(program, &Heap::new(&arena, root), out).map(drop)
}

/// Whether the condition that a program pushes holds.
pub fn holds(program: &Program, root: &dyn Root) -> Result<bool, Problem> {
    let arena = Bump::new();
    let mut nothing = String::new();
    run(program, &Heap::new(&arena, root), &mut nothing).map(is_so)
}

/// Runs a program, and gives what it pushed last.
fn run<'a>(program: &'a Program, heap: &Heap<'a>, out: &mut String) -> Result<Value<'a>, Problem> {
    let start = out.len();
    let machine = Machine {
        program,
        heap,
        out,
        start,
        stack: Vec::new(),
        frames: Vec::new(),
        data: Vec::new(),
        rounds: Vec::new(),
        marks: Vec::new(),
        noted: Stretches::default(),
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
        let mut at = 0;
        while let Some(op) = program.ops.get(at) {
            at += 1;
            if let Some(target) = self.step(op, at)? {
                at = target;
            }
        }
        Ok(self.pop())
    }

    /// Runs one instruction and says where to go on, if that is not at the next one, which is at `next`.
    fn step(&mut self, op: &'a Op, next: Target) -> Result<Option<Target>, Problem> {
        match *op {
            Op::Literal { start, end } => {
                self.out.push_str(self.words(start, end));
                self.check_length()?;
            }
            Op::PrintSlot { slot, tail } => {
                let value = self.heap.root.noted(slot as usize, self.heap)?;
                self.print(value, tail, tail)?;
            }
            Op::Print { tail, markup } => {
                let value = self.pop();
                self.print(value, tail, markup)?;
            }
            Op::PrintOr { tail, start, end } => {
                let (value, at) = (self.pop(), self.out.len());
                self.print(value, tail, tail)?;
                if self.out.len() == at {
                    self.out.push_str(self.words(start, end));
                }
            }
            Op::Constant(number) => self.stack.push(self.constant(number)),
            Op::Slot(slot) => self.stack.push(self.heap.root.noted(slot as usize, self.heap)?),
            Op::Root => self.stack.push(Value::Root),
            Op::Context(depth) => {
                let this = self.this(depth);
                let is_empty = depth.in_if && depth.steps == 0 && this.is_nothing();
                self.stack.push(if is_empty { Value::EMPTY_OBJECT } else { this });
            }
            Op::Name { depth, name, slot } => {
                let value = self.named(self.this(depth), name, slot)?;
                self.stack.push(value);
            }
            Op::Variable { depth, name, slot } => {
                let this = self.this(depth);
                let value = match self.heap.assigned(this, self.name(name)) {
                    Some(value) => value,
                    None => self.named(this, name, slot)?,
                };
                self.stack.push(value);
            }
            Op::Member(name) => {
                let value = self.pop();
                let value = if value.is_nothing() { value } else { value.member(self.name(name), self.heap)? };
                self.stack.push(value);
            }
            Op::DataMember(name) => {
                let value = self.pop();
                let value = if value.is_truthy() { value.member(self.name(name), self.heap)? } else { value };
                self.stack.push(value);
            }
            Op::Data { name, outer } => {
                let value = self.data_named(name, outer);
                self.stack.push(value);
            }
            Op::Param { outer, index, origin } => {
                let value = self.param(outer, index, origin)?;
                self.stack.push(value);
            }
            Op::Merge => {
                let (over, under) = (self.pop().members(self.heap)?, self.pop().members(self.heap)?);
                let members = in_order(under.iter().chain(over).copied().collect());
                self.stack.push(Value::Object(self.heap.object(&members)?));
            }
            Op::TopVariable { name, slot } => {
                let value = match self.heap.assigned(Value::Root, self.name(name)) {
                    Some(value) => value,
                    None => self.named(Value::Root, name, slot)?,
                };
                self.stack.push(value);
            }
            Op::Set(name) => {
                let (name, value, this) = (self.name(name), self.pop(), self.frame().this);
                self.heap.assign(this, name, value)?;
                self.heap.assign(Value::Root, name, value)?;
            }
            Op::Call(call) => {
                let value = self.call(call, None, None)?;
                self.stack.push(value);
            }
            Op::CallContent(call) => {
                let mark = self.marks.pop().unwrap_or(self.start);
                let content = self.heap.text(&self.out.split_off(mark))?;
                let value = self.call(call, Some(content), None)?;
                value.print(self.heap, self.out)?;
                self.check_length()?;
            }
            Op::ChangeNoted(call) => self.change_noted(call)?,
            Op::PrintNoted { is_raw } => self.print_noted(is_raw)?,
            Op::EscapeNoted(escape) => self.escape_noted(escape)?,
            Op::Begin => self.marks.push(self.out.len()),
            Op::Finish(tail) => {
                let mark = self.marks.pop().unwrap_or(self.start);
                self.heap.budget.bytes(self.out.len() - mark)?;
                tail(self.out, mark);
                self.check_length()?;
            }
            Op::CaptureAnswer => {
                let mark = self.marks.pop().unwrap_or(self.start);
                let text = self.heap.text(&self.out.split_off(mark))?;
                let is_nothing = matches!(text.trim(), "" | "false" | "0" | "null" | "undefined");
                self.stack.push(Value::Text(if is_nothing { "" } else { text }));
            }
            Op::Jump(target) => return Ok(Some(target)),
            Op::JumpIfEmpty(target) => {
                let value = self.pop();
                return Ok((!value.is_truthy() || value.is_empty()).then_some(target));
            }
            Op::JumpIfEmptyOrZero(target) => {
                let (include_zero, value) = (self.pop(), self.pop());
                let is_empty = !include_zero.is_truthy() && !value.is_truthy() || value.is_empty();
                return Ok(is_empty.then_some(target));
            }
            Op::JumpIfFalsy(target) | Op::JumpIfTruthy(target) => {
                let holds = self.stack.last().is_some_and(|value| is_so(*value));
                if holds == matches!(op, Op::JumpIfTruthy(_)) {
                    return Ok(Some(target));
                }
                self.pop();
            }
            Op::JumpUnless(target) => return Ok((!is_so(self.pop())).then_some(target)),
            Op::Not => {
                let value = self.pop();
                self.stack.push(Value::Bool(!is_so(value)));
            }
            Op::Compare(comparison) => {
                let (right, left) = (self.pop(), self.pop());
                let is_so = self.compare(comparison, left, right)?;
                self.stack.push(Value::Bool(is_so));
            }
            Op::Each(otherwise) => {
                let value = self.pop();
                return self.each(value, otherwise);
            }
            Op::With(otherwise) => {
                let value = self.pop();
                if value.is_empty() {
                    return Ok(Some(otherwise));
                }
                self.once(value, 2)?;
            }
            Op::Section(otherwise) => match self.pop() {
                Value::Undefined | Value::Null | Value::Bool(false) => return Ok(Some(otherwise)),
                Value::Bool(true) => self.once(self.frame().this, 0)?,
                value if value.is_list() => return self.each(value, otherwise),
                value => {
                    self.once(value, 2)?;
                    // As in handlebars.js its parameters are there and nothing.
                    if let Some(frame) = self.frames.last_mut() {
                        frame.params = [Value::Undefined; 2];
                    }
                }
            },
            Op::Loop(otherwise) => {
                let value = self.pop();
                return self.go_through_elements(value, otherwise);
            }
            Op::Next(head) => {
                self.heap.budget.steps(next.saturating_sub(head))?;
                return self.next_round(head);
            }
            Op::Partial(site) => return self.partial(site, next).map(Some),
            Op::Return => return self.return_from_partial(next),
            Op::Define { name, routine, in_frame } => self.define(name, routine, in_frame),
            Op::Forget(count) => self.forget(count),
            Op::Fail(failure) => {
                let reason = self.program.failures.get(failure as usize).cloned().unwrap_or_default();
                return Err(Problem(reason));
            }
            Op::SetRegister { register, value } => self.set_register(register, value),
            Op::Marked(register) => self.stack.push(Value::Bool(self.register(register) != 0)),
            Op::Separate { register, start, end } => {
                let count = self.register(register);
                if count > 0 {
                    self.out.push_str(self.words(start, end));
                }
                self.set_register(register, count.saturating_add(1));
            }
            Op::WriteCount(register) => {
                let count = self.register(register);
                self.out.push_str(&format!("{count}. "));
            }
            Op::Reset => self.out.truncate(self.start),
        }
        Ok(None)
    }

    pub(super) fn call(
        &mut self,
        call: u32,
        content: Option<&'a str>,
        change: Option<&Change>,
    ) -> Result<Value<'a>, Problem> {
        let Some(CallSite { helper, positional, names, origin, .. }) = self.program.calls.get(call as usize) else {
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
        self.heap.budget.steps(1 + args.len())?;
        let Frame { this, element, .. } = *self.frame();
        let element = element.and_then(|element| self.frame_at(element)).map(|frame| frame.params);
        let made = make(&Call { args, named: &named, this, element, heap: self.heap, change });
        let made = made.map_err(|problem| self.failed(Some(origin), helper.name, problem));
        self.stack.truncate(base);
        made
    }

    fn compare(&self, comparison: Comparison, left: Value<'a>, right: Value<'a>) -> Result<bool, Problem> {
        let order = |is: fn(Ordering) -> bool| Ok(left.order(right, self.heap)?.is_some_and(is));
        match comparison {
            Comparison::Equal { strict: true, negated } => Ok(left.is_identical(right, self.heap)? != negated),
            Comparison::Equal { strict: false, negated } => Ok(left.is_equal(right, self.heap)? != negated),
            Comparison::Less => order(Ordering::is_lt),
            Comparison::LessOrEqual => order(Ordering::is_le),
            Comparison::Greater => order(Ordering::is_gt),
            Comparison::GreaterOrEqual => order(Ordering::is_ge),
        }
    }
}

/// Whether a value holds in a condition: as in JavaScript, but that an empty list does not, as in Handlebars' own `if`.
fn is_so(value: Value<'_>) -> bool {
    value.is_truthy() && !value.is_empty()
}
