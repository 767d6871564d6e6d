//! What all forms have in common: which elements are written at all, how often, and what separates them.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use super::super::chat;
use super::super::escape::{self, OutputContext};
use super::super::limits::{TEXT_BYTES, too_long};
use super::super::markdown::{self, MarkdownForm};
use super::super::mjml::{self, MjmlTemplate};
use super::super::target::{Precedence, RenderTarget};
use super::super::text::{CompiledText, TextCompiler};
use super::conditions::{resolve, test_of};
use super::edges::{self, BoxEnd, ColumnsLook};
use crate::error::{Error, Result};
use crate::model::channel::Channel;
use crate::model::content::{
    Condition, ConditionGroup, Element, ElementKind, LocalizedText, Look, LookValue, MarkdownUse, TextStyle,
};
use crate::model::provider::Provider;
use crate::template::{CompileError, Compiler, Jump, ParsedCondition, ParsedText, TextPath, parse_path};

/// Writes one element in some form.
pub type WriteElement = fn(&mut Builder<'_>, &Element) -> Result<()>;

/// A text while it is compiled.
pub struct Builder<'b> {
    writer: TextCompiler<'b>,
    /// The content's path in the request.
    path: &'b Arc<str>,
    target: RenderTarget,
    /// The channel elements that are for it.
    precedence: Precedence,
    locale: Option<&'b str>,
    /// All names that elements have.
    refs: &'b HashMap<&'b str, &'b Element>,
    /// The marks of names that occurred before.
    earlier: HashMap<String, u32>,
    context: OutputContext,
    lists: Vec<SeparatedList>,
    found: bool,
    subject: bool,
    columns: ColumnsLook,
    /// Whether what is written now ends a box.
    box_end: BoxEnd,
}

/// A list of things with separators.
struct SeparatedList {
    counter: u32,
    /// How many there are so far; `None` if that is only known when the text is rendered.
    count: Option<u32>,
    between: Cow<'static, str>,
}

impl<'b> Builder<'b> {
    pub fn new(
        writer: TextCompiler<'b>,
        path: &'b Arc<str>,
        target: RenderTarget,
        precedence: Precedence,
        locale: Option<&'b str>,
        refs: &'b HashMap<&'b str, &'b Element>,
        context: OutputContext,
    ) -> Self {
        let (earlier, lists, found, subject) = (HashMap::new(), Vec::new(), false, false);
        let box_end = BoxEnd::Inside;
        let columns = ColumnsLook { share: 1.0, alignment: "top".to_owned(), end: box_end };
        Builder {
            writer,
            path,
            target,
            precedence,
            locale,
            refs,
            earlier,
            context,
            lists,
            found,
            subject,
            columns,
            box_end,
        }
    }

    pub fn finish(self) -> Result<CompiledText> {
        let text = self.writer.finish();
        if text.words() > TEXT_BYTES {
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

    /// Drops an earlier subject.
    pub fn begin_subject(&mut self) {
        self.subject = true;
        self.writer.compiler.reset();
    }

    pub fn columns(&self) -> &ColumnsLook {
        &self.columns
    }

    /// Begins columns, and returns the outer ones for [`Builder::leave_columns`].
    pub fn enter_columns(&mut self, share: f64, alignment: String) -> ColumnsLook {
        std::mem::replace(&mut self.columns, ColumnsLook { share, alignment, end: self.box_end })
    }

    pub fn leave_columns(&mut self, outer: ColumnsLook) {
        self.columns = outer;
    }

    /// The margin of a block, with nothing below it at the end of a box.
    pub fn margin(&self) -> String {
        format!("margin:{}", self.below("16px"))
    }

    /// The same with so much below it.
    pub fn below(&self, pixels: &str) -> String {
        self.box_end.below(pixels)
    }

    pub fn box_end(&self) -> BoxEnd {
        self.box_end
    }

    /// Calls `write` for something that ends a box, or does not.
    pub fn in_box(&mut self, end: BoxEnd, write: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        let outer = std::mem::replace(&mut self.box_end, end);
        let written = write(self);
        self.box_end = outer;
        written
    }

    /// Whether an element is for this channel and provider.
    pub fn is_meant(&self, element: &Element) -> bool {
        let named = |name: &String| self.target.is_called(name);
        let by_channel = match &element.kind {
            ElementKind::Channel { .. } => {
                let names = element.channel_names();
                match self.precedence {
                    Precedence::Provider => names.iter().any(|name| self.target.is_provider(name)),
                    Precedence::Channel => names.iter().any(|name| self.target.is_called(name)),
                    Precedence::Rest => names.is_empty(),
                    Precedence::Lead => false,
                }
            }
            _ => true,
        };
        by_channel && element.channels.as_ref().is_none_or(|names| names.iter().any(named))
    }

    /// Writes the elements that are meant for this channel, each as often as it says.
    pub fn elements<'e>(&mut self, elements: impl IntoIterator<Item = &'e Element>, write: WriteElement) -> Result<()> {
        let elements: Vec<&Element> = elements.into_iter().collect();
        let shows = |element: &Element| {
            let is_shown = !matches!(element.kind, ElementKind::Meta { .. } | ElementKind::Hidden);
            is_shown && self.is_meant(element) && !self.is_nothing(element)
        };
        let last = elements.iter().rposition(|element| shows(element));
        let outer = self.box_end;
        let may_be_missing = |i: usize| elements.get(i).is_some_and(|element| !self.shows_surely(element));
        let is_decided_later = outer == BoxEnd::Ends && last.is_some_and(may_be_missing);
        if is_decided_later {
            self.writer.compiler.begin();
        }
        for (i, element) in elements.into_iter().enumerate() {
            let meant = self.is_meant(element);
            self.box_end = match outer {
                _ if is_decided_later => BoxEnd::Undecided,
                BoxEnd::Ends if last != Some(i) => BoxEnd::Inside,
                outer => outer,
            };
            if meant {
                // A title alone is not enough content for a channel.
                let is_lead_title = element.path.is_empty() && matches!(element.kind, ElementKind::Meta { .. });
                self.found |= !matches!(element.kind, ElementKind::Hidden) && !is_lead_title;
                self.element(element, write)?;
            }
            if let Some(name) = &element.name {
                self.mark_of(name);
            }
        }
        self.box_end = outer;
        if is_decided_later {
            self.writer.compiler.finish_with(edges::settle);
        }
        Ok(())
    }

    /// Whether an element certainly writes a block, or several that end with one, whatever the data are.
    fn shows_surely(&self, element: &Element) -> bool {
        let is_alone = element.condition.is_none() && element.repeat.is_none();
        is_alone
            && match &element.kind {
                ElementKind::Group { .. } | ElementKind::Channel { .. } | ElementKind::Column { .. } => {
                    let children = self.children(element);
                    children
                        .iter()
                        .any(|child| self.is_meant(child) && !self.is_nothing(child) && self.shows_surely(child))
                }
                ElementKind::Other { words: None, .. } | ElementKind::Meta { .. } | ElementKind::Hidden => false,
                _ => true,
            }
    }

    /// Whether an element lacks what it is there to show.
    fn is_nothing(&self, element: &Element) -> bool {
        let empty = |words: &LocalizedText| words.of(self.locale).is_empty();
        match &element.kind {
            ElementKind::Text { words: Some(words), children, .. } => {
                empty(words) && children.of(self.locale).is_empty()
            }
            ElementKind::Action { words, href, .. } => empty(words) && empty(href),
            ElementKind::Image { src: words, .. } | ElementKind::Quote { words, .. } | ElementKind::Html { words } => {
                empty(words)
            }
            _ => false,
        }
    }

    /// The mark of a name: whether its element was rendered.
    fn mark_of(&mut self, name: &str) -> u32 {
        if let Some(mark) = self.earlier.get(name) {
            return *mark;
        }
        let mark = self.writer.compiler.register();
        self.earlier.insert(name.to_owned(), mark);
        mark
    }

    fn element(&mut self, element: &Element, write: WriteElement) -> Result<()> {
        let mark = element.name.as_ref().map(|name| self.mark_of(name));
        if element.condition.is_none() && element.repeat.is_none() {
            if !self.is_nothing(element) {
                write(self, element)?;
            }
            self.set_mark(mark, 1);
            return Ok(());
        }
        let list = element.repeat.as_ref().map(|path| self.loop_path(path, element)).transpose()?;
        self.set_mark(mark, 0);
        self.forget_count();
        let opened = list.map(|path| {
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            let point = if element.path.is_empty() { "" } else { "." };
            self.writer.compiler.begin_loop(&path, &format!("{}{point}{}.loop", self.path, element.path))
        });
        let condition = element.condition.as_ref().map(|condition| self.begin_if(condition, element)).transpose()?;
        write(self, element)?;
        self.set_mark(mark, 1);
        if let Some(jump) = condition {
            self.writer.compiler.land(jump);
        }
        if let Some(opened) = opened {
            self.writer.compiler.end_loop(opened);
        }
        Ok(())
    }

    /// Writes a part of an element if its condition holds.
    pub fn if_holds(&mut self, element: &Element, write: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        let Some(condition) = &element.condition else { return write(self) };
        self.forget_count();
        let jump = self.begin_if(condition, element)?;
        write(self)?;
        self.writer.compiler.land(jump);
        Ok(())
    }

    fn set_mark(&mut self, mark: Option<u32>, value: u32) {
        if let Some(mark) = mark {
            self.writer.compiler.set_register(mark, value);
        }
    }

    fn begin_if(&mut self, condition: &Condition, element: &Element) -> Result<Jump> {
        let parsed = match condition {
            Condition::Expression(source) => {
                ParsedCondition::parse(source).map_err(|problem| self.refused(element, "if", problem.to_string()))?
            }
            Condition::Groups(groups) => self.groups(groups, element)?,
        };
        self.texts_at(element, Cow::Borrowed("if"));
        let (refs, earlier) = (self.refs, &self.earlier);
        let mut resolve = |compiler: &mut Compiler<'_>, path: &[String]| resolve(compiler, path, refs, earlier);
        let begun = self.writer.compiler.begin_if(&parsed, &mut resolve);
        begun.map_err(|problem| self.refused(element, "if", problem.to_string()))
    }

    /// The conditions of Courier's designer.
    fn groups(&self, groups: &[ConditionGroup], element: &Element) -> Result<ParsedCondition> {
        let mut joined = Vec::new();
        for group in groups {
            let test = |it: &crate::model::content::ConditionTest| {
                let parsed = ParsedCondition::test(&it.property, test_of(it.operator), &it.value);
                parsed.map_err(|problem| self.refused(element, &it.field, problem.to_string()))
            };
            let tests = group.tests.iter().map(test).collect::<Result<Vec<_>>>()?;
            joined.push(ParsedCondition::joined(tests, group.is_any));
        }
        Ok(ParsedCondition::joined(joined, true))
    }

    /// The names in the path of a loop.
    fn loop_path(&mut self, path: &str, element: &Element) -> Result<Vec<String>> {
        let trimmed = path.trim();
        let inside = trimmed.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}")).unwrap_or(trimmed).trim();
        let found = parse_path(inside).filter(|(_, length)| *length == inside.len()).map(|(path, _)| path);
        let expected = "expected the path of a list, such as \"data.products\"";
        found.ok_or_else(|| self.refused(element, "loop", expected.to_owned()))
    }

    fn refused(&self, element: &Element, field: &str, problem: String) -> Error {
        let point = if element.path.is_empty() { "" } else { "." };
        Error::invalid(format_args!("{}{point}{}.{field}", self.path, element.path), problem)
    }

    /// Writes as it is.
    pub fn markup(&mut self, markup: &str) {
        self.writer.compiler.literal(markup);
    }

    /// Writes a text of the element in this form's context.
    pub fn words(&mut self, words: &LocalizedText, element: &Element) -> Result<()> {
        self.words_in(words, element, self.context)
    }

    pub fn words_in(&mut self, words: &LocalizedText, element: &Element, context: OutputContext) -> Result<()> {
        self.write(words, element, |writer, source| writer.text(source, context))
    }

    fn write(
        &mut self,
        words: &LocalizedText,
        element: &Element,
        write: impl FnOnce(&mut TextCompiler<'_>, &str) -> std::result::Result<(), CompileError>,
    ) -> Result<()> {
        let (source, field) = (words.of(self.locale), words.field(self.locale));
        self.texts_at(element, field);
        write(&mut self.writer, source)
            .map_err(|problem| self.refused(element, &words.field(self.locale), problem.to_string()))
    }

    /// Writes the text in this field of the element.
    pub fn source(&mut self, source: &str, context: OutputContext, element: &Element, field: &str) -> Result<()> {
        self.texts_at(element, Cow::Owned(field.to_owned()));
        let written = self.writer.text(source, context);
        written.map_err(|problem| self.refused(element, field, problem.to_string()))
    }

    /// The same for an address. It becomes empty if data turn it into a script.
    pub fn source_address(
        &mut self,
        source: &str,
        context: OutputContext,
        element: &Element,
        field: &str,
    ) -> Result<()> {
        self.texts_at(element, Cow::Owned(field.to_owned()));
        let written = self.writer.address(source, context);
        written.map_err(|problem| self.refused(element, field, problem.to_string()))
    }

    /// Writes a style value. A value made from data becomes empty unless it is valid.
    pub fn look(&mut self, value: &LookValue, look: Look, element: &Element) -> Result<()> {
        if !value.text.contains("{{") {
            return self.source(&value.text, OutputContext::Css, element, &value.field);
        }
        self.writer.compiler.begin();
        self.source(&value.text, OutputContext::Css, element, &value.field)?;
        self.writer.compiler.finish_with(escape::of_look(look));
        Ok(())
    }

    fn texts_at(&mut self, element: &Element, field: Cow<'static, str>) {
        let around = [Some(self.path.clone()), Some(element.path.clone())];
        self.writer.compiler.texts_at(TextPath { around, field });
    }

    pub fn address(&mut self, words: &LocalizedText, element: &Element) -> Result<()> {
        let context = if self.context == OutputContext::Html { OutputContext::Attribute } else { self.context };
        self.address_in(words, element, context)
    }

    pub fn address_in(&mut self, words: &LocalizedText, element: &Element, context: OutputContext) -> Result<()> {
        self.write(words, element, |writer, source| writer.address(source, context))
    }

    /// Whether a text is not empty in this language.
    pub fn has(&self, words: &LocalizedText) -> bool {
        !words.of(self.locale).is_empty()
    }

    /// The elements inside this one.
    pub fn children<'e>(&self, element: &'e Element) -> &'e [Element] {
        element.children(self.locale)
    }

    /// Whether a text is Markdown.
    pub fn is_markdown(&self, words: &LocalizedText, markdown: MarkdownUse) -> bool {
        match markdown {
            MarkdownUse::Always => true,
            MarkdownUse::WhereMarked => {
                let words = words.of(self.locale);
                markdown::is_marked(words) && !(self.is_for_slack() && markdown::is_slack_markup(words))
            }
            MarkdownUse::Never => false,
        }
    }

    /// Whether all that is written is in a channel element of Slack's own.
    fn is_for_slack(&self) -> bool {
        self.precedence == Precedence::Provider && self.target.provider == Some(Provider::Slack)
    }

    pub fn has_marks(&self, words: &LocalizedText) -> bool {
        has_marks(words.of(self.locale))
    }

    pub fn target(&self) -> RenderTarget {
        self.target
    }

    /// Whether texts are written for a chat, whose provider has a markup of its own.
    pub fn is_chat(&self) -> bool {
        self.context == OutputContext::Chat
    }

    /// Whether readers of the elements get Markdown as it is.
    pub fn keeps_markdown(&self) -> bool {
        keeps_markdown(self.target.channel)
    }

    pub fn markdown_source(&mut self, words: &LocalizedText, element: &Element) -> Result<()> {
        self.write(words, element, |writer, source| writer.markdown_source(source))
    }

    /// Whether HTML is MJML.
    pub fn is_mjml(&self, words: &LocalizedText) -> bool {
        mjml::is_mjml(words.of(self.locale))
    }

    /// Writes MJML as HTML: a whole document, or a part of one.
    pub fn mjml(&mut self, words: &LocalizedText, element: &Element, is_part: bool) -> Result<()> {
        let source = words.of(self.locale);
        // Errors in it name places in the MJML.
        let field = words.field(self.locale);
        ParsedText::parse(source)
            .map_err(|problem| self.refused(element, &field, CompileError::from(problem).to_string()))?;
        let template = mjml::template(source).map_err(|problem| self.refused(element, &field, problem))?;
        self.write(words, element, |writer, source| match &template {
            MjmlTemplate::Html(html) if is_part => writer.html(&mjml::part(html)),
            MjmlTemplate::Html(html) => writer.html(html),
            MjmlTemplate::PerMessage => {
                writer.compiler.begin();
                writer.text(source, OutputContext::Markup)?;
                writer.compiler.limit(mjml::BYTES);
                writer.compiler.finish_with(if is_part { mjml::rewrite_part } else { mjml::rewrite });
                Ok(())
            }
        })
    }

    /// Writes HTML that the author wrote, in which data cannot run scripts.
    pub fn html(&mut self, words: &LocalizedText, element: &Element) -> Result<()> {
        self.write(words, element, |writer, source| writer.html(source))
    }

    /// Writes a part of a chat's Markdown with marks around it.
    pub fn emphasized(&mut self, style: &TextStyle, write: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        let Some(rewrite) = markdown::emphasis(style) else { return write(self) };
        self.writer.compiler.begin();
        write(self)?;
        self.writer.compiler.finish_with(rewrite);
        Ok(())
    }

    /// Writes Markdown in this form.
    pub fn markdown(&mut self, words: &LocalizedText, element: &Element) -> Result<()> {
        let form =
            if self.context == OutputContext::Html { MarkdownForm::Html } else { MarkdownForm::Plain(self.context) };
        self.write(words, element, |writer, source| writer.markdown(source, form))
    }

    /// Writes the words of a button: Markdown applies only to emphasis.
    pub fn label(&mut self, words: &LocalizedText, element: &Element) -> Result<()> {
        self.label_in(words, element, self.context)
    }

    pub fn label_in(&mut self, words: &LocalizedText, element: &Element, context: OutputContext) -> Result<()> {
        let form = if context == OutputContext::Html { MarkdownForm::Html } else { MarkdownForm::Plain(context) };
        self.write(words, element, |writer, source| match markdown::is_emphasized(source) {
            true => writer.markdown(source, form),
            false => writer.text(source, context),
        })
    }

    /// HTML as plain text.
    pub fn stripped(&mut self, words: &LocalizedText, element: &Element) -> Result<()> {
        let context = self.context;
        self.write(words, element, |writer, source| writer.stripped(mjml::body(source), context))
    }

    /// The brand's primary colour, or this one.
    pub fn brand_color(&mut self, default: &str) {
        self.writer.compiler.variable_or(&["brand", "colors", "primary"], escape::css, default);
    }

    /// Separates the things that `write` writes, each begun by [`Builder::next`].
    pub fn separated(
        &mut self,
        between: impl Into<Cow<'static, str>>,
        write: impl FnOnce(&mut Self) -> Result<()>,
    ) -> Result<()> {
        let between = between.into();
        let counter = self.writer.compiler.register();
        self.lists.push(SeparatedList { counter, count: Some(0), between });
        let written = write(self);
        self.lists.pop();
        written
    }

    /// Begins the next thing of the innermost list.
    pub fn next(&mut self) {
        let Some(list) = self.lists.last_mut() else { return };
        match &mut list.count {
            Some(count) => {
                *count += 1;
                if *count > 1 {
                    self.writer.compiler.literal(&list.between);
                }
            }
            None => self.writer.compiler.separate(list.counter, &list.between),
        }
    }

    /// Writes the number of the thing that was begun last.
    pub fn number(&mut self) {
        match self.lists.last() {
            Some(SeparatedList { count: Some(count), .. }) => self.writer.compiler.literal(&format!("{count}. ")),
            Some(SeparatedList { counter, .. }) => self.writer.compiler.write_count(*counter),
            None => {}
        }
    }

    /// From here on it is unknown how many things there are.
    fn forget_count(&mut self) {
        if let Some(list) = self.lists.last_mut()
            && let Some(count) = list.count.take()
        {
            self.writer.compiler.set_register(list.counter, count);
        }
    }

    /// How a line ends in this form.
    pub fn line_end(&self) -> &'static str {
        if matches!(self.context, OutputContext::Json | OutputContext::Chat) { "\\n" } else { "\n" }
    }

    /// How deep lists are nested here, without the outermost.
    pub fn depth(&self) -> usize {
        self.lists.len().saturating_sub(1) / 2
    }
}

/// Whether the data in a text, or marks in its words, could be taken for markup in a chat.
pub fn has_marks(words: &str) -> bool {
    words.contains(['{', '\\', '<', '>', '&', '*', '_', '~', '`', '[', '|', '#']) || chat::calls_everyone(words)
}

/// Whether readers of elements on a channel get Markdown as it is.
pub fn keeps_markdown(channel: Channel) -> bool {
    matches!(channel, Channel::DirectMessage | Channel::Webhook)
}
