//! Texts with Handlebars in them, compiled.

use std::rc::Rc;

use hashbrown::HashMap;

use super::escape::{self, OutputContext};
use super::helpers::helpers;
use super::markdown::{self, MarkdownForm};
use super::scope::{NameTable, Scope};
use crate::error::{Error, Result};
use crate::template::{self, CompileError, Compiler, PARTS, ParsedText, Partials, Program, render};

/// A compiled text. Most have only words and variables.
pub struct CompiledText(Program);

impl CompiledText {
    pub fn new(program: Program) -> Self {
        CompiledText(program)
    }

    /// Compiles `source` at `path` of the request.
    pub fn compile(source: &str, path: &str, names: &mut NameTable, partials: &Partials) -> Result<Self> {
        let mut parsed = ParsedTexts::default();
        let mut writer = TextCompiler::new(names, partials, &mut parsed);
        writer.compiler.texts_at(path);
        writer.text(source, OutputContext::Plain).map_err(|problem| Error::invalid(path, problem))?;
        Ok(writer.finish())
    }

    /// Whether nothing has to be decided when it is rendered.
    #[cfg(test)]
    pub fn is_flat(&self) -> bool {
        self.0.is_flat()
    }

    #[cfg(test)]
    pub fn steps(&self) -> usize {
        self.0.ops.len()
    }

    /// Bytes of words in it.
    pub fn words(&self) -> usize {
        self.0.words.len()
    }

    /// Bytes that it takes.
    pub fn bytes(&self) -> usize {
        self.0.bytes()
    }

    /// Why it fails for every recipient.
    pub fn failure(&self) -> Option<String> {
        self.0.failure()
    }

    /// Writes the text for one user, or says why it cannot be rendered.
    pub fn render(&self, scope: &Scope<'_>, out: &mut String) -> std::result::Result<(), String> {
        render(&self.0, scope, out).map_err(|problem| problem.to_string())
    }
}

/// The parsed texts of one content, each parsed once.
#[derive(Default)]
pub struct ParsedTexts {
    templates: HashMap<String, Rc<ParsedText>>,
    parts: usize,
}

impl ParsedTexts {
    fn template(&mut self, source: &str) -> std::result::Result<Rc<ParsedText>, CompileError> {
        if let Some(template) = self.templates.get(source) {
            return Ok(template.clone());
        }
        let template = Rc::new(ParsedText::parse(source)?);
        self.parts += template.parts_count();
        if self.parts > PARTS {
            let problem = format!("expected at most {PARTS} tags and arguments in all texts together");
            return Err(CompileError::Other(problem));
        }
        self.templates.insert(source.to_owned(), template.clone());
        Ok(template)
    }
}

/// A text being compiled.
pub struct TextCompiler<'w> {
    pub compiler: Compiler<'w>,
    parsed: &'w mut ParsedTexts,
}

impl<'w> TextCompiler<'w> {
    pub fn new(names: &'w mut NameTable, partials: &'w Partials, parsed: &'w mut ParsedTexts) -> Self {
        TextCompiler { compiler: Compiler::new(names, helpers(), partials), parsed }
    }

    pub fn finish(self) -> CompiledText {
        CompiledText(self.compiler.finish())
    }

    /// Writes a text into such a context.
    pub fn text(&mut self, source: &str, context: OutputContext) -> std::result::Result<(), CompileError> {
        self.text_escaped(source, context.of_text())
    }

    fn text_escaped(
        &mut self,
        source: &str,
        escape: &'static template::Escape,
    ) -> std::result::Result<(), CompileError> {
        if !source.contains(['{', '\\', '\0']) {
            self.compiler.words_escaped(source, escape.words);
            return Ok(());
        }
        let template = self.parsed.template(source)?;
        self.compiler.template(&template, escape)
    }

    /// Writes HTML by the author, in which no address of the data can run scripts.
    pub fn html(&mut self, source: &str) -> std::result::Result<(), CompileError> {
        if !escape::has_open_address(source) {
            return self.text(source, OutputContext::Markup);
        }
        self.compiler.begin();
        self.text(source, OutputContext::Markup)?;
        self.compiler.finish_with(escape::blank_scripts);
        Ok(())
    }

    /// Writes the text content of HTML. A tag may contain parts of blocks, so it is extracted when the text is
    /// rendered.
    pub fn stripped(&mut self, source: &str, context: OutputContext) -> std::result::Result<(), CompileError> {
        let is_chat = context == OutputContext::Chat;
        self.compiler.begin();
        self.text_escaped(source, if is_chat { &escape::CHAT_MARKUP } else { OutputContext::Markup.of_text() })?;
        self.compiler.finish_with(context.of_stripped());
        Ok(())
    }

    /// Writes an address. One that would run a script becomes empty.
    pub fn address(&mut self, source: &str, context: OutputContext) -> std::result::Result<(), CompileError> {
        let beginning = source.split("{{").next().unwrap_or_default();
        if !source.contains("{{") || !escape::is_scheme_open(beginning) {
            return self.text(source, context);
        }
        self.compiler.begin();
        self.text(source, OutputContext::Plain)?;
        self.compiler.finish_with(context.of_address());
        Ok(())
    }

    /// Writes Markdown in another form. Words and variables are converted now, anything else when it is rendered.
    pub fn markdown(&mut self, source: &str, form: MarkdownForm) -> std::result::Result<(), CompileError> {
        markdown::check_length(source).map_err(CompileError::Other)?;
        let template = self.parsed.template(&markdown::underlines(source))?;
        if let Some(parts) = template.parts(self.compiler.helpers()) {
            markdown::compile(&parts, form, &mut self.compiler);
            return Ok(());
        }
        self.compiler.begin();
        self.compiler.template(&template, OutputContext::Literal.of_text())?;
        self.compiler.limit(markdown::BYTES);
        self.compiler.finish_with(form.rewrite());
        Ok(())
    }

    /// Writes Markdown as it is into JSON, with data that cannot be markup.
    pub fn markdown_source(&mut self, source: &str) -> std::result::Result<(), CompileError> {
        let source = markdown::without_underlines(source);
        let source = markdown::guarded(&source);
        let Some(parts) = markdown::addresses(&source) else { return self.text(&source, OutputContext::Markdown) };
        parts.into_iter().try_for_each(|(part, is_address)| match is_address {
            true => self.address(part, OutputContext::MarkdownUrl),
            false => self.text(part, OutputContext::Markdown),
        })
    }
}
