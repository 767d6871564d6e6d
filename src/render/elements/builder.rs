//! What all forms have in common: which elements are written at all, how often, and what stands between them.

use std::collections::HashMap;

use super::super::compile::Compiler;
use super::super::content::Target;
use super::super::escape::{Escape, strip_tags};
use super::super::expression::{self, Expression, Operand, Resolve};
use super::super::markdown::Form;
use super::super::scope::Variable;
use super::super::text::{Step, Text, merged};
use super::super::{TEXT_LIMIT, too_long};
use crate::error::{Error, Result};
use crate::model::channel::Channel;
use crate::model::content::{Element, Kind, Words};

/// Writes one element in some form.
pub type Write = fn(&mut Builder<'_, '_>, &Element) -> Result<()>;

/// A text while it is compiled.
pub struct Builder<'b, 'n> {
    compiler: &'b mut Compiler<'n>,
    /// The content's path in the request.
    path: &'b str,
    target: Target,
    /// Whether a channel element names the very provider; then those for the whole channel are not for it.
    by_provider: bool,
    locale: Option<&'b str>,
    /// All names that elements have.
    refs: &'b HashMap<&'b str, &'b Element>,
    /// The names that came already, by their number.
    earlier: HashMap<String, usize>,
    escape: Escape,
    steps: Vec<Step>,
    lists: Vec<List>,
    counters: usize,
    loops: usize,
    found: bool,
    subject: bool,
}

/// A list of things with something between them.
struct List {
    counter: usize,
    /// How many there are so far; `None` if that is not known before the text is rendered.
    count: Option<usize>,
    between: &'static str,
}

impl<'b, 'n> Builder<'b, 'n> {
    pub fn new(
        compiler: &'b mut Compiler<'n>,
        path: &'b str,
        target: Target,
        by_provider: bool,
        locale: Option<&'b str>,
        refs: &'b HashMap<&'b str, &'b Element>,
        escape: Escape,
    ) -> Self {
        let (earlier, steps, lists) = (HashMap::new(), Vec::new(), Vec::new());
        let (counters, loops, found, subject) = (0, 0, false, false);
        Builder {
            compiler,
            path,
            target,
            by_provider,
            locale,
            refs,
            earlier,
            escape,
            steps,
            lists,
            counters,
            loops,
            found,
            subject,
        }
    }

    pub fn finish(self) -> Result<Text> {
        let text = Text::new(self.steps, self.counters, self.earlier.len());
        if text.words() > TEXT_LIMIT {
            return Err(Error::invalid(format_args!("{}.elements", self.path), too_long()));
        }
        Ok(text)
    }

    /// Whether any element was for this channel.
    pub fn has_found(&self) -> bool {
        self.found
    }

    pub fn has_subject(&self) -> bool {
        self.subject
    }

    /// Drops what was the subject before.
    pub fn begin_subject(&mut self) {
        self.subject = true;
        if self.steps.iter().all(|step| matches!(step, Step::Words(_) | Step::Variable(..))) {
            self.steps.clear();
        }
        self.steps.push(Step::Clear);
    }

    /// Whether an element is for this channel and provider.
    pub fn is_meant(&self, element: &Element) -> bool {
        let named = |name: &String| self.target.is_called(name);
        let by_channel = match &element.kind {
            Kind::Channel { channel, .. } if self.by_provider => self.target.is_provider(channel),
            Kind::Channel { channel, .. } => self.target.is_called(channel),
            _ => true,
        };
        by_channel && element.channels.as_ref().is_none_or(|names| names.iter().any(named))
    }

    /// Writes those of the elements that are meant for this channel, as often as they say.
    pub fn elements<'e>(&mut self, elements: impl IntoIterator<Item = &'e Element>, write: Write) -> Result<()> {
        for element in elements {
            let meant = self.is_meant(element);
            if meant {
                self.found |= !matches!(element.kind, Kind::Hidden);
                self.element(element, write)?;
            }
            if let Some(name) = &element.name {
                self.number_of(name);
            }
        }
        Ok(())
    }

    /// Whether an element has nothing of what it is there to show.
    fn is_nothing(&self, element: &Element) -> bool {
        let empty = |words: &Words| words.of(self.locale).is_empty();
        match &element.kind {
            Kind::Text { words: Some(words), children, .. } => empty(words) && children.is_empty(),
            Kind::Action { words, href, .. } => empty(words) && empty(href),
            Kind::Image { src: words, .. } | Kind::Quote { words, .. } | Kind::Html { words } => empty(words),
            _ => false,
        }
    }

    fn number_of(&mut self, name: &str) -> usize {
        let next = self.earlier.len();
        *self.earlier.entry(name.to_owned()).or_insert(next)
    }

    fn element(&mut self, element: &Element, write: Write) -> Result<()> {
        let number = element.name.as_ref().map(|name| self.number_of(name));
        if element.condition.is_none() && element.repeat.is_none() {
            if !self.is_nothing(element) {
                write(self, element)?;
            }
            self.steps.extend(number.map(|number| Step::Visible(number, true)));
            return Ok(());
        }
        let list = element.repeat.as_ref().map(|path| self.loop_path(path, element)).transpose()?;
        self.loops += usize::from(list.is_some());
        let condition = match &element.condition {
            Some(source) => match Expression::compile(source, &mut Conditions { builder: self }) {
                Ok(condition) => Some(condition),
                Err(problem) => return Err(self.refused(element, "if", problem)),
            },
            None => None,
        };
        self.steps.extend(number.map(|number| Step::Visible(number, false)));
        self.forget_count();
        let before = std::mem::take(&mut self.steps);
        let written = write(self, element);
        let mut inner = std::mem::replace(&mut self.steps, before);
        written?;
        inner.extend(number.map(|number| Step::Visible(number, true)));
        self.loops -= usize::from(list.is_some());
        if inner.is_empty() {
            return Ok(());
        }
        let inner = merged(inner);
        let inner = match condition {
            Some(condition) => vec![Step::If(condition, inner)],
            None => inner,
        };
        match list {
            Some(list) => self.steps.push(Step::Loop(list, inner)),
            None => self.steps.extend(inner),
        }
        Ok(())
    }

    fn loop_path(&mut self, path: &str, element: &Element) -> Result<Variable> {
        let trimmed = path.trim();
        let inside = trimmed.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}")).unwrap_or(trimmed).trim();
        let found = expression::path(inside).filter(|(_, length)| *length == inside.len()).and_then(|(path, _)| {
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            self.compiler.names.variable(&path, self.loops > 0)
        });
        let expected = "expected the path of a list, such as \"data.products\"";
        found.ok_or_else(|| self.refused(element, "loop", expected.to_owned()))
    }

    fn refused(&self, element: &Element, field: &str, problem: String) -> Error {
        Error::invalid(format_args!("{}.{}.{field}", self.path, element.path), problem)
    }

    /// Writes as it is.
    pub fn markup(&mut self, markup: &str) {
        match self.steps.last_mut() {
            Some(Step::Words(words)) => words.push_str(markup),
            _ => self.steps.push(Step::Words(markup.to_owned())),
        }
    }

    fn extend(&mut self, steps: Vec<Step>) {
        self.steps.extend(steps);
    }

    /// Writes a text of the element where texts are in this form.
    pub fn words(&mut self, words: &Words, element: &Element) -> Result<()> {
        self.words_in(words, element, self.escape)
    }

    pub fn words_in(&mut self, words: &Words, element: &Element, escape: Escape) -> Result<()> {
        let steps = self.compiler.steps(words.of(self.locale), escape, self.loops > 0);
        let steps = steps.map_err(|problem| self.refused(element, words.field(self.locale), problem))?;
        self.extend(steps);
        Ok(())
    }

    /// Writes a text that stands at this path below the content.
    pub fn source(&mut self, source: &str, escape: Escape, path: &str) -> Result<()> {
        let steps = self.compiler.steps(source, escape, self.loops > 0);
        let steps = steps.map_err(|problem| Error::invalid(format_args!("{}.{path}", self.path), problem))?;
        self.extend(steps);
        Ok(())
    }

    pub fn address(&mut self, words: &Words, element: &Element) -> Result<()> {
        let escape = if self.escape == Escape::Html { Escape::Attribute } else { self.escape };
        let steps = self.compiler.address(words.of(self.locale), escape, self.loops > 0);
        let steps = steps.map_err(|problem| self.refused(element, words.field(self.locale), problem))?;
        self.extend(steps);
        Ok(())
    }

    /// Whether readers of the elements are given Markdown as it is.
    pub fn keeps_markdown(&self) -> bool {
        matches!(self.target.channel, Channel::DirectMessage | Channel::Webhook)
    }

    pub fn markdown_source(&mut self, words: &Words, element: &Element) -> Result<()> {
        let steps = self.compiler.markdown_source(words.of(self.locale), self.loops > 0);
        let steps = steps.map_err(|problem| self.refused(element, words.field(self.locale), problem))?;
        self.extend(steps);
        Ok(())
    }

    /// Writes Markdown in this form.
    pub fn markdown(&mut self, words: &Words, element: &Element) -> Result<()> {
        let form = if self.escape == Escape::Html { Form::Html } else { Form::Plain(self.escape) };
        let steps = self.compiler.markdown(words.of(self.locale), form, self.loops > 0);
        let steps = steps.map_err(|problem| self.refused(element, words.field(self.locale), problem))?;
        self.extend(steps);
        Ok(())
    }

    /// HTML as plain text.
    pub fn stripped(&mut self, words: &Words, element: &Element) -> Result<()> {
        let source = strip_tags(words.of(self.locale));
        let steps = self.compiler.steps(&source, self.escape, self.loops > 0);
        let steps = steps.map_err(|problem| self.refused(element, words.field(self.locale), problem))?;
        self.extend(steps);
        Ok(())
    }

    /// The brand's primary colour, or this one.
    pub fn brand_color(&mut self, default: &str) {
        let variable = self.compiler.names.variable(&["brand", "colors", "primary"], false);
        self.steps.extend(variable.map(|it| Step::Or(it, Escape::Css, default.to_owned())));
    }

    /// Lets something stand between the things that `write` writes, each begun by [`Builder::next`].
    pub fn separated(&mut self, between: &'static str, write: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        self.lists.push(List { counter: self.counters, count: Some(0), between });
        self.counters += 1;
        let written = write(self);
        self.lists.pop();
        written
    }

    /// Begins the next thing of the innermost list.
    pub fn next(&mut self) {
        let Some(list) = self.lists.last_mut() else { return };
        let step = match &mut list.count {
            Some(count) => {
                *count += 1;
                if *count == 1 {
                    return;
                }
                return self.markup_between();
            }
            None => Step::Gap(list.counter, list.between),
        };
        self.steps.push(step);
    }

    fn markup_between(&mut self) {
        let between = self.lists.last().map_or("", |list| list.between);
        self.markup(between);
    }

    /// Writes the number of the thing that was begun last.
    pub fn number(&mut self) {
        match self.lists.last() {
            Some(List { count: Some(count), .. }) => self.markup(&format!("{count}. ")),
            Some(List { counter, .. }) => self.steps.push(Step::Number(*counter)),
            None => {}
        }
    }

    /// From here on it is not known how many things there are.
    fn forget_count(&mut self) {
        if let Some(list) = self.lists.last_mut()
            && let Some(count) = list.count.take()
        {
            self.steps.push(Step::SetCounter(list.counter, count));
        }
    }

    /// How a line ends in this form.
    pub fn line_end(&self) -> &'static str {
        if self.escape == Escape::Json { "\\n" } else { "\n" }
    }

    /// How deep lists stand in each other here, the outermost not counted.
    pub fn depth(&self) -> usize {
        self.lists.len().saturating_sub(1) / 2
    }
}

/// The names in conditions.
struct Conditions<'a, 'b, 'n> {
    builder: &'a mut Builder<'b, 'n>,
}

impl Resolve for Conditions<'_, '_, '_> {
    fn path(&mut self, path: &[String]) -> std::result::Result<Operand, String> {
        let builder = &mut *self.builder;
        let in_loop = builder.loops > 0;
        if let [root, name, property] = path
            && root == "refs"
        {
            let Some(element) = builder.refs.get(name.as_str()) else {
                return Err(format!("no element has the ref '{name}'"));
            };
            let number = builder.earlier.get(name).copied();
            return match (property.as_str(), element.properties.get(property)) {
                ("visible", _) => Ok(number.map_or_else(|| Operand::Literal(false.into()), Operand::Visible)),
                (_, Some(serde_json::Value::String(text))) if text.contains("{{") => {
                    builder.compiler.steps(text, Escape::Plain, in_loop).map(Operand::Text)
                }
                (_, value) => Ok(Operand::Literal(value.cloned().unwrap_or_default())),
            };
        }
        builder.compiler.operand(path, in_loop)
    }

    fn text(&mut self, text: &str) -> std::result::Result<Operand, String> {
        let in_loop = self.builder.loops > 0;
        self.builder.compiler.steps(text, Escape::Plain, in_loop).map(Operand::Text)
    }
}
