//! A text with Handlebars in it, compiled.

use std::io;
use std::sync::LazyLock;

use handlebars::{
    BlockParams, Context, Handlebars, Helper, Output, RenderContext, RenderError, RenderErrorReason, Renderable,
    Template,
};
use serde_json::Value;

use super::compile::{Compiler, INDEX, ITEM};
use super::escape::{self, Escape};
use super::expression::Expression;
use super::markdown::{self, Form};
use super::scope::{Names, Round, Scope, Variable};
use super::{TEXT_LIMIT, helpers, too_long};
use crate::error::{Error, Result};

/// Rounds that the loops of one text make together. Loops within loops that write nothing are not ended by any other
/// limit.
const ROUNDS_LIMIT: usize = 250_000;

/// The engines behind texts with blocks and helpers, by what they escape.
static PLAIN: LazyLock<Handlebars<'static>> = LazyLock::new(|| engine(Escape::Plain));
static HTML: LazyLock<Handlebars<'static>> = LazyLock::new(|| engine(Escape::Html));
static MARKUP: LazyLock<Handlebars<'static>> = LazyLock::new(|| engine(Escape::Attribute));
static LITERAL: LazyLock<Handlebars<'static>> = LazyLock::new(|| engine(Escape::Literal));
static SOURCE: LazyLock<Handlebars<'static>> = LazyLock::new(|| engine(Escape::Source));
static FOOTER: LazyLock<Handlebars<'static>> = LazyLock::new(|| engine(Escape::Footer));

fn engine(escape: Escape) -> Handlebars<'static> {
    let mut engine = Handlebars::new();
    engine.register_escape_fn(move |text| escape.escaped(text));
    let count =
        |_: &Helper<'_>, _: &Handlebars<'_>, _: &Context, _: &mut RenderContext<'_, '_>, out: &mut dyn Output| {
            out.write("").map_err(RenderError::from)
        };
    engine.register_helper("bulkd-round", Box::new(count));
    helpers::register(&mut engine);
    engine
}

/// A compiled text. The usual one is only words and variables, about ten times faster than the engine.
pub struct Text {
    steps: Vec<Step>,
    counters: usize,
    names: usize,
}

/// What is done in turn to write a text.
pub enum Step {
    Words(String),
    Variable(Variable, Escape),
    /// A text for the engine.
    Template(Box<Template>, Escape),
    /// Markdown that is only known when it is rendered.
    Markdown(Vec<Step>, Form),
    /// An address whose scheme is only known when it is rendered.
    Address(Vec<Step>, Escape),
    /// The variable's value, or these words if there is none.
    Or(Variable, Escape, String),
    If(Expression, Vec<Step>),
    Loop(Variable, Vec<Step>),
    /// The named element with this number has been rendered, or has not.
    Visible(usize, bool),
    /// Words between this and what the counter has counted before.
    Gap(usize, &'static str),
    /// The counter's number and a point.
    Number(usize),
    SetCounter(usize, usize),
    /// Nothing that was written before counts.
    Clear,
    /// What would fail for every user, and at Courier fails when it is rendered.
    Fail(String),
}

impl Text {
    /// Compiles `source`, which stands at `path` of the request.
    pub fn compile(source: &str, path: &str, names: &mut Names) -> Result<Self> {
        let steps = Compiler::new(names).steps(source, Escape::Plain, false);
        Ok(Text::new(steps.map_err(|problem| Error::invalid(path, problem))?, 0, 0))
    }

    /// A text that uses so many counters and names.
    pub fn new(steps: Vec<Step>, counters: usize, names: usize) -> Self {
        Text { steps: merged(steps), counters, names }
    }

    #[cfg(test)]
    pub fn steps(&self) -> usize {
        self.steps.len()
    }

    /// Whether there is nothing to decide when it is rendered.
    #[cfg(test)]
    pub fn is_flat(&self) -> bool {
        self.steps.iter().all(|step| matches!(step, Step::Words(_) | Step::Variable(..)))
    }

    /// Bytes of words in it.
    pub fn words(&self) -> usize {
        words(&self.steps)
    }

    /// Writes the text for one user, or says why it cannot be written.
    pub fn render<'s>(&'s self, scope: &'s Scope<'s>, out: &mut String) -> std::result::Result<(), String> {
        let start = out.len();
        helpers::begin();
        let (counters, visible) = (vec![0; self.counters], vec![false; self.names]);
        State { scope, round: None, out, start, counters, visible, rounds: 0 }.run(&self.steps)
    }
}

fn words(steps: &[Step]) -> usize {
    let of_one = |step: &Step| match step {
        Step::Words(text) => text.len(),
        Step::Markdown(steps, _) | Step::Address(steps, _) | Step::If(_, steps) | Step::Loop(_, steps) => words(steps),
        _ => 0,
    };
    steps.iter().map(of_one).sum()
}

/// Words that follow each other become one.
pub fn merged(steps: Vec<Step>) -> Vec<Step> {
    let mut out: Vec<Step> = Vec::with_capacity(steps.len());
    for step in steps {
        match (out.last_mut(), step) {
            (_, Step::Words(words)) if words.is_empty() => {}
            (Some(Step::Words(before)), Step::Words(words)) => before.push_str(&words),
            (_, step) => out.push(step),
        }
    }
    out
}

/// A text while it is written.
pub struct State<'o, 's> {
    pub scope: &'s Scope<'s>,
    /// The innermost loop's.
    pub round: Option<Round<'s>>,
    out: &'o mut String,
    start: usize,
    counters: Vec<usize>,
    visible: Vec<bool>,
    rounds: usize,
}

impl<'s> State<'_, 's> {
    fn run(&mut self, steps: &'s [Step]) -> std::result::Result<(), String> {
        for step in steps {
            self.step(step)?;
            if self.out.len() - self.start > TEXT_LIMIT {
                return Err(too_long());
            }
        }
        Ok(())
    }

    pub fn is_visible(&self, number: usize) -> bool {
        self.visible.get(number).copied().unwrap_or_default()
    }

    /// What these steps write, which is not written here.
    pub fn aside(&mut self, steps: &'s [Step]) -> std::result::Result<String, String> {
        let at = self.out.len();
        self.run(steps)?;
        helpers::spend(self.out.len() - at)?;
        Ok(self.out.split_off(at))
    }

    fn step(&mut self, step: &'s Step) -> std::result::Result<(), String> {
        let at = self.out.len();
        match step {
            Step::Words(words) => self.out.push_str(words),
            Step::Variable(variable, escape) => {
                self.scope.write(variable, self.round, self.out)?;
                if *escape == Escape::Css {
                    helpers::spend(self.out.len() - at)?;
                }
                if *escape == Escape::Markdown && !self.out[at..].contains(char::is_whitespace) {
                    escape::blank_script(self.out, at);
                }
                escape.tail(self.out, at);
            }
            Step::Template(template, escape) => self.template(template, *escape)?,
            Step::Markdown(steps, form) => {
                let source = self.aside(steps)?;
                markdown::render(&source, *form, self.out);
            }
            Step::Address(steps, escape) => {
                self.run(steps)?;
                helpers::spend(self.out.len() - at)?;
                escape::blank_script(self.out, at);
                escape.tail(self.out, at);
            }
            Step::Or(variable, escape, words) => {
                self.scope.write(variable, self.round, self.out)?;
                escape.tail(self.out, at);
                if self.out.len() == at {
                    self.out.push_str(words);
                }
            }
            Step::If(condition, steps) => {
                if condition.holds(self)? {
                    self.run(steps)?;
                }
            }
            Step::Loop(list, steps) => self.repeat(list, steps)?,
            Step::Visible(number, visible) => {
                if let Some(place) = self.visible.get_mut(*number) {
                    *place = *visible;
                }
            }
            Step::Gap(counter, words) => {
                let count = self.counters.get_mut(*counter);
                if count.is_some_and(|count| std::mem::replace(count, *count + 1) > 0) {
                    self.out.push_str(words);
                }
            }
            Step::Number(counter) => {
                let count = self.counters.get(*counter).copied().unwrap_or_default();
                self.out.push_str(&format!("{count}. "));
            }
            Step::SetCounter(counter, count) => {
                if let Some(place) = self.counters.get_mut(*counter) {
                    *place = *count;
                }
            }
            Step::Clear => {
                helpers::spend(self.out.len() - self.start)?;
                self.out.truncate(self.start);
            }
            Step::Fail(reason) => return Err(reason.clone()),
        }
        Ok(())
    }

    fn repeat(&mut self, list: &Variable, steps: &'s [Step]) -> std::result::Result<(), String> {
        let Some(std::borrow::Cow::Borrowed(Value::Array(items))) = self.scope.value(list, self.round)? else {
            return Ok(());
        };
        let outer = self.round;
        for (index, item) in items.iter().enumerate() {
            self.rounds += 1;
            if self.rounds > ROUNDS_LIMIT {
                return Err(too_many_rounds());
            }
            self.round = Some(Round { item, index });
            self.run(steps)?;
        }
        self.round = outer;
        Ok(())
    }

    fn template(&mut self, template: &'s Template, escape: Escape) -> std::result::Result<(), String> {
        let engine: &Handlebars<'_> = match escape {
            Escape::Html => &HTML,
            Escape::Markup => &MARKUP,
            Escape::Footer => &FOOTER,
            Escape::Literal => &LITERAL,
            Escape::Markdown => &SOURCE,
            _ => &PLAIN,
        };
        let mut params = BlockParams::new();
        let mut context = RenderContext::new(None);
        let mut named = params.add_path("$", Vec::new());
        if let Some(Round { item, index }) = self.round {
            let item = helpers::copied(item)?;
            named = named
                .and_then(|()| params.add_value(ITEM, item))
                .and_then(|()| params.add_value(INDEX, Value::from(index)));
        }
        named.map_err(|error| error.to_string())?;
        if let Some(block) = context.block_mut() {
            block.set_block_params(params);
        }
        let at = self.out.len();
        let mut written = Limited { text: self.out, start: self.start, rounds: self.rounds };
        let outcome = template.render(engine, self.scope.context()?, &mut context, &mut written);
        self.rounds = written.rounds;
        outcome.map_err(|error| {
            let reason = match error.reason() {
                RenderErrorReason::IOError(limit) => limit.to_string(),
                RenderErrorReason::NestedError(error) => error.to_string(),
                reason => reason.to_string(),
            };
            format!("the template could not be rendered: {reason}")
        })?;
        match escape {
            Escape::Html | Escape::Markup | Escape::Footer | Escape::Literal => {}
            Escape::Markdown => Escape::Json.tail(self.out, at),
            escape => escape.tail(self.out, at),
        }
        Ok(())
    }
}

fn too_many_rounds() -> String {
    format!("its loops go round more than {ROUNDS_LIMIT} times")
}

/// The text from `start` on, and how often nothing was written.
struct Limited<'a> {
    text: &'a mut String,
    start: usize,
    rounds: usize,
}

impl Output for Limited<'_> {
    fn write(&mut self, words: &str) -> io::Result<()> {
        self.rounds += usize::from(words.is_empty());
        if self.rounds > ROUNDS_LIMIT {
            return Err(io::Error::other(too_many_rounds()));
        }
        if self.text.len() - self.start + words.len() > TEXT_LIMIT {
            return Err(io::Error::other(too_long()));
        }
        self.text.push_str(words);
        Ok(())
    }
}
