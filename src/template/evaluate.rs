//! The machine that runs a program: a stack of values, and frames for blocks and partials, as handlebars.js's runtime has
//! them (`runtime.js`, `helpers/`).

use bumpalo::Bump;

use super::budget::{CALL_DEPTH, Problem, TEXT_BYTES};
use super::call::{Call, Form};
use super::heap::{Heap, MemberList, Root, in_order};
use super::program::{CallSite, Comparison, Constant, DataName, Depth, Op, Origin, PartialSite, Program, Target};
use super::syntax::nearest;
use super::values::Value;
use crate::json::scan::Items;

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
        inlines: Vec::new(),
        scopes: Vec::new(),
        returns: Vec::new(),
        registers: vec![0; program.registers],
    };
    machine.run()
}

/// A block or partial that is being rendered.
#[derive(Clone, Copy)]
struct Frame<'a> {
    this: Value<'a>,
    /// The frame that it stands in, in the text.
    up: Option<usize>,
    /// Whether `this` is another than there, so that `../` leads there.
    is_new: bool,
    params: [Value<'a>; 2],
    /// How many of them the block gives.
    given: usize,
    data: usize,
    /// Whose inline partials are known.
    scope: usize,
    /// The frame of the loop of elements around it.
    element: Option<usize>,
}

impl Frame<'_> {
    const TOP: Frame<'static> = Frame {
        this: Value::Root,
        up: None,
        is_new: true,
        params: [Value::Undefined; 2],
        given: 0,
        data: 0,
        scope: 0,
        element: None,
    };
}

/// What `@index` and the like are.
#[derive(Clone, Copy)]
struct Data<'a> {
    up: Option<usize>,
    key: Value<'a>,
    index: Value<'a>,
    first: Value<'a>,
    last: Value<'a>,
    /// What `{{> @partial-block}}` is.
    block: Option<Closure>,
}

impl Data<'_> {
    const TOP: Data<'static> = Data {
        up: None,
        key: Value::Undefined,
        index: Value::Undefined,
        first: Value::Undefined,
        last: Value::Undefined,
        block: None,
    };
}

/// A part of a text with what is around it.
#[derive(Clone, Copy)]
struct Closure {
    routine: Target,
    up: Option<usize>,
    scope: usize,
    /// The data of the place where it stands. A block has its `@partial-block` from there.
    data: usize,
    is_block: bool,
}

/// A block that is gone through.
struct Round<'a> {
    source: Source<'a>,
    /// How often it was gone through.
    count: usize,
    /// Whether `this` stays what it is, as in a loop of elements.
    keeps_this: bool,
    /// Whether it has `@index` and the like.
    has_data: bool,
}

/// What a block goes through.
enum Source<'a> {
    Once,
    Json(Items<'a>),
    Values(&'a [Value<'a>]),
    Members(MemberList<'a>),
}

/// An inline partial that is known.
#[derive(Clone, Copy)]
struct Inline {
    name: u32,
    closure: Closure,
    before: Option<usize>,
}

/// Where to go on behind a partial.
struct Return {
    at: Target,
    frames: usize,
    data: usize,
    scopes: usize,
    inlines: usize,
    site: u32,
    mark: usize,
}

struct Machine<'p, 'a> {
    program: &'a Program,
    heap: &'p Heap<'a>,
    out: &'p mut String,
    start: usize,
    stack: Vec<Value<'a>>,
    /// Those above [`Frame::TOP`], which is number 0.
    frames: Vec<Frame<'a>>,
    /// Those above [`Data::TOP`], which is number 0.
    data: Vec<Data<'a>>,
    rounds: Vec<Round<'a>>,
    marks: Vec<usize>,
    inlines: Vec<Inline>,
    /// The newest inline partial that each text knows; that of the outermost is number 0 and made when it is needed.
    scopes: Vec<Option<usize>>,
    returns: Vec<Return>,
    registers: Vec<u32>,
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
                self.print(value, tail)?;
            }
            Op::Print(tail) => {
                let value = self.pop();
                self.print(value, tail)?;
            }
            Op::PrintOr { tail, start, end } => {
                let (value, at) = (self.pop(), self.out.len());
                self.print(value, tail)?;
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
            Op::Assigned(name) => {
                let value = self.heap.assigned(Value::Root, self.name(name));
                self.stack.push(value.unwrap_or(Value::Undefined));
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
                let value = self.call(call, None)?;
                self.stack.push(value);
            }
            Op::CallContent(call) => {
                let mark = self.marks.pop().unwrap_or(self.start);
                let content = self.heap.text(&self.out.split_off(mark))?;
                let value = self.call(call, Some(content))?;
                value.print(self.heap, self.out)?;
                self.check_length()?;
            }
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
            Op::Return => return Ok(self.return_from_partial()),
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

    fn pop(&mut self) -> Value<'a> {
        self.stack.pop().unwrap_or(Value::Undefined)
    }

    fn words(&self, start: u32, end: u32) -> &'a str {
        self.program.words.get(start as usize..end as usize).unwrap_or_default()
    }

    fn name(&self, number: u32) -> &'a str {
        self.program.names.get(number as usize).map_or("", String::as_str)
    }

    fn constant(&self, number: u32) -> Value<'a> {
        match self.program.constants.get(number as usize) {
            Some(Constant::Text(text)) => Value::Text(text),
            Some(Constant::Number(number)) => Value::Number(*number),
            Some(Constant::Bool(flag)) => Value::Bool(*flag),
            Some(Constant::Null) => Value::Null,
            Some(Constant::Undefined) | None => Value::Undefined,
        }
    }

    fn register(&self, register: u32) -> u32 {
        self.registers.get(register as usize).copied().unwrap_or_default()
    }

    fn set_register(&mut self, register: u32, value: u32) {
        if let Some(place) = self.registers.get_mut(register as usize) {
            *place = value;
        }
    }

    fn check_length(&self) -> Result<(), Problem> {
        if self.out.len() - self.start > TEXT_BYTES { Err(Problem::too_long()) } else { Ok(()) }
    }

    fn print(&mut self, value: Value<'a>, tail: fn(&mut String, usize)) -> Result<(), Problem> {
        let at = self.out.len();
        value.print(self.heap, self.out)?;
        if !matches!(value, Value::Markup(_)) {
            tail(self.out, at);
        }
        self.check_length()
    }

    fn frame(&self) -> &Frame<'a> {
        self.frames.last().unwrap_or(&Frame::TOP)
    }

    fn frame_at(&self, number: usize) -> Option<&Frame<'a>> {
        match number.checked_sub(1) {
            Some(place) => self.frames.get(place),
            None => Some(&Frame::TOP),
        }
    }

    fn data_at(&self, number: usize) -> Option<&Data<'a>> {
        match number.checked_sub(1) {
            Some(place) => self.data.get(place),
            None => Some(&Data::TOP),
        }
    }

    /// `this`, or what so many `../` lead to.
    fn this(&self, depth: Depth) -> Value<'a> {
        let mut frame = self.frame();
        let is_further_in = depth.in_if && matches!(frame.this, Value::Undefined);
        for _ in 0..depth.steps.saturating_sub(u32::from(is_further_in)) {
            // Frames with the same `this` are one step together.
            loop {
                let Some(up) = frame.up.and_then(|up| self.frame_at(up)) else { return Value::Undefined };
                if std::mem::replace(&mut frame, up).is_new {
                    break;
                }
            }
        }
        frame.this
    }

    fn named(&self, this: Value<'a>, name: u32, slot: Option<u32>) -> Result<Value<'a>, Problem> {
        match (this, slot) {
            (Value::Root, Some(slot)) => self.heap.root.noted(slot as usize, self.heap),
            (this, _) => this.member(self.name(name), self.heap),
        }
    }

    fn data_named(&self, name: DataName, outer: u32) -> Value<'a> {
        let mut data = self.data_at(self.frame().data);
        for _ in 0..outer {
            data = data.and_then(|data| self.data_at(data.up?));
        }
        let Some(data) = data else { return Value::Undefined };
        match name {
            DataName::Index => data.index,
            DataName::Key => data.key,
            DataName::First => data.first,
            DataName::Last => data.last,
            DataName::PartialBlock if data.block.is_some() => Value::Bool(true),
            DataName::PartialBlock => Value::Undefined,
        }
    }

    fn param(&self, outer: u32, index: u8, origin: Option<u32>) -> Result<Value<'a>, Problem> {
        let mut frame = Some(self.frame());
        for _ in 0..outer {
            frame = frame.and_then(|frame| self.frame_at(frame.up?));
        }
        let given = frame.filter(|frame| usize::from(index) < frame.given);
        if let Some(value) = given.and_then(|frame| frame.params.get(usize::from(index))) {
            return Ok(*value);
        }
        let origin = origin.and_then(|origin| self.program.origins.get(origin as usize));
        Err(self.failed(origin, "", Problem::new("the block gives nothing for this parameter")))
    }

    /// What is wrong, with where.
    fn failed(&self, origin: Option<&Origin>, helper: &str, problem: Problem) -> Problem {
        let place = origin.map(|origin| format!("{}: ", self.program.place(*origin))).unwrap_or_default();
        let helper = if helper.is_empty() { String::new() } else { format!("{helper}: ") };
        Problem(format!("{place}{helper}{problem}"))
    }

    fn call(&mut self, call: u32, content: Option<&'a str>) -> Result<Value<'a>, Problem> {
        let Some(CallSite { helper, positional, names, origin }) = self.program.calls.get(call as usize) else {
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
        let made = make(&Call { args, named: &named, this, element, heap: self.heap });
        let made = made.map_err(|problem| self.failed(Some(origin), helper.name, problem));
        self.stack.truncate(base);
        made
    }

    fn compare(&self, comparison: Comparison, left: Value<'a>, right: Value<'a>) -> Result<bool, Problem> {
        use std::cmp::Ordering;
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

    /// A frame in the one that is open, with this as `this`.
    fn open_frame(&mut self, this: Value<'a>) -> Result<(), Problem> {
        let outer = *self.frame();
        let is_new = self.is_other(this, outer.this)?;
        let up = Some(self.frames.len());
        self.frames.push(Frame { this, up, is_new, given: 0, ..outer });
        Ok(())
    }

    /// Whether what a block has as `this` is another value than what is around it has, for JavaScript. Only `../` asks.
    fn is_other(&self, this: Value<'a>, outer: Value<'a>) -> Result<bool, Problem> {
        Ok(!self.program.leads_out || !this.is_equal(outer, self.heap)?)
    }

    /// Goes once through a block with this as `this`, of which it gives so many as parameters.
    fn once(&mut self, this: Value<'a>, given: usize) -> Result<(), Problem> {
        self.open_frame(this)?;
        if let Some(frame) = self.frames.last_mut() {
            frame.params = [this, Value::Undefined];
            frame.given = given;
        }
        self.rounds.push(Round { source: Source::Once, count: 0, keeps_this: false, has_data: false });
        Ok(())
    }

    fn each(&mut self, value: Value<'a>, otherwise: Target) -> Result<Option<Target>, Problem> {
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

    fn go_through_elements(&mut self, value: Value<'a>, otherwise: Target) -> Result<Option<Target>, Problem> {
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
    fn begin_rounds(&mut self, round: Round<'a>, otherwise: Target) -> Result<Option<Target>, Problem> {
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

    fn end_rounds(&mut self) {
        let round = self.rounds.pop();
        if round.is_some_and(|round| round.has_data) {
            self.data.pop();
        }
        self.frames.pop();
    }

    fn next_round(&mut self, head: Target) -> Result<Option<Target>, Problem> {
        if self.round()? {
            return Ok(Some(head));
        }
        self.end_rounds();
        Ok(None)
    }

    /// Puts what comes next into the frame of the innermost block; `false` if there is nothing more.
    fn round(&mut self) -> Result<bool, Problem> {
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

    fn define(&mut self, name: u32, routine: Target, in_frame: bool) {
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

    fn forget(&mut self, count: u32) {
        let scope = self.frame().scope;
        for _ in 0..count {
            let before = self.inlines.pop().and_then(|inline| inline.before);
            if let Some(newest) = self.scopes.get_mut(scope) {
                *newest = before;
            }
        }
    }

    /// The inline partial of a name that is known here.
    fn inline(&self, name: &str) -> Option<Closure> {
        let mut at = self.scopes.get(self.frame().scope).copied().flatten();
        while let Some(inline) = at.and_then(|at| self.inlines.get(at)) {
            if self.name(inline.name) == name {
                return Some(inline.closure);
            }
            at = inline.before;
        }
        None
    }

    /// Calls a partial, and gives its beginning.
    fn partial(&mut self, number: u32, next: Target) -> Result<Target, Problem> {
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
            name => self.inline(name),
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
    fn partial_context(&mut self, site: &PartialSite) -> Result<Value<'a>, Problem> {
        let base = self.stack.len().saturating_sub(site.names.len());
        let values = self.stack.split_off(base);
        let given = if site.has_context { self.pop() } else { self.frame().this };
        if site.names.is_empty() {
            return Ok(given);
        }
        // The names live as long as the program; the site was reached through it.
        let names = self.program.partials.iter().find(|it| std::ptr::eq(*it, site)).map_or(&[][..], |it| &it.names);
        let named = names.iter().map(String::as_str).zip(values);
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
        let meant = nearest(name, known.chain(inline)).map(|known| format!("; did you mean '{known}'?"));
        let problem = Problem(format!("there is no partial '{name}'{}", meant.unwrap_or_default()));
        self.failed(Some(&site.origin), "", problem)
    }

    fn return_from_partial(&mut self) -> Option<Target> {
        let back = self.returns.pop()?;
        self.frames.truncate(back.frames);
        self.data.truncate(back.data);
        self.scopes.truncate(back.scopes);
        self.inlines.truncate(back.inlines);
        let indent = self.program.partials.get(back.site as usize).map_or("", |site| site.indent.as_str());
        if !indent.is_empty() {
            indent_lines(self.out, back.mark, indent);
        }
        Some(back.at)
    }
}

/// Whether a value holds in a condition: as in JavaScript, but that an empty list does not, as in Handlebars' own `if`.
fn is_so(value: Value<'_>) -> bool {
    value.is_truthy() && !value.is_empty()
}

/// Puts the indent before each line of what was written from `mark` on.
fn indent_lines(out: &mut String, mark: usize, indent: &str) {
    let lines = out.split_off(mark);
    let mut rest = lines.as_str();
    loop {
        match rest.split_once('\n') {
            Some((line, after)) => {
                out.push_str(indent);
                out.push_str(line);
                out.push('\n');
                rest = after;
            }
            None if rest.is_empty() => return,
            None => {
                out.push_str(indent);
                return out.push_str(rest);
            }
        }
    }
}
