//! A text with Handlebars in it, compiled.

use std::io;
use std::sync::LazyLock;

use handlebars::template::{Parameter, TemplateElement};
use handlebars::{
    Context, Handlebars, Helper, Output, Path, PathSeg, RenderContext, RenderError, RenderErrorReason, Renderable,
    Template, TemplateErrorReason,
};

use super::scope::{Names, Scope, Variable};
use super::{TEXT_LIMIT, too_long};
use crate::error::{Error, Result};

/// Blocks and brackets in one text. The parser recurses, and its stack is not endless.
const NESTING_LIMIT: usize = 500;
/// Tags in one text. The parser takes a time that grows with their square.
const TAGS_LIMIT: usize = 2_000;

/// Rounds that the loops of one text make together. Loops within loops that write nothing are not ended by any other
/// limit.
const ROUNDS_LIMIT: usize = 250_000;

/// The engine behind texts with blocks and helpers. What is written is plain text: nothing is escaped.
static ENGINE: LazyLock<Handlebars<'static>> = LazyLock::new(|| {
    let mut engine = Handlebars::new();
    engine.register_escape_fn(handlebars::no_escape);
    let count =
        |_: &Helper<'_>, _: &Handlebars<'_>, _: &Context, _: &mut RenderContext<'_, '_>, out: &mut dyn Output| {
            out.write("").map_err(RenderError::from)
        };
    engine.register_helper("bulkd-round", Box::new(count));
    engine
});

/// What stands at the beginning of every loop, to be counted.
static ROUND: LazyLock<Template> =
    LazyLock::new(|| Template::compile("{{bulkd-round 1}}").expect("our own template is well-formed"));

/// The engine's own helpers, which a bare name calls as well.
const HELPERS: &[&str] = &[
    "if", "unless", "each", "with", "lookup", "raw", "log", "eq", "ne", "gt", "gte", "lt", "lte", "and", "or", "not",
    "len",
];

pub enum Text {
    /// Only words and variables, the usual case: about ten times faster than the engine.
    Plain(Vec<Part>),
    /// Anything else.
    Full(Box<Template>),
}

pub enum Part {
    Words(String),
    Variable(Variable),
}

impl Text {
    /// Compiles `source`, which stands at `path` of the request.
    pub fn compile(source: &str, path: &str, names: &mut Names) -> Result<Self> {
        check_size(source).map_err(|problem| Error::invalid(path, problem))?;
        let mut template = Template::compile(source).map_err(|error| {
            let what = match error.reason() {
                // The parser lists all it could have gone on with, which helps nobody.
                TemplateErrorReason::InvalidSyntax(_) => "a tag is malformed, or a block is left open".to_owned(),
                reason => reason.to_string(),
            };
            let place = error.pos().map_or(String::new(), |(line, column)| format!(" at line {line}, column {column}"));
            Error::invalid(path, format_args!("not a valid template: {what}{place}"))
        })?;
        check_calls(&template).map_err(|problem| Error::invalid(path, problem))?;
        let parts: Option<Vec<Part>> = template.elements.iter().map(|element| part(element, names)).collect();
        Ok(match parts {
            Some(parts) => Text::Plain(parts),
            None => {
                count_rounds(&mut template);
                Text::Full(Box::new(template))
            }
        })
    }

    /// Writes the text for one user, or says why it cannot be written.
    pub fn render(&self, scope: &Scope<'_>, out: &mut String) -> std::result::Result<(), String> {
        let start = out.len();
        match self {
            Text::Plain(parts) => {
                for part in parts {
                    match part {
                        Part::Words(words) => out.push_str(words),
                        Part::Variable(variable) => scope.write(variable, out)?,
                    }
                    if out.len() - start > TEXT_LIMIT {
                        return Err(too_long());
                    }
                }
            }
            Text::Full(template) => {
                let mut written = Limited { text: out, start, rounds: 0 };
                let outcome = template.render(&ENGINE, scope.context()?, &mut RenderContext::new(None), &mut written);
                outcome.map_err(|error| {
                    let reason = match error.reason() {
                        RenderErrorReason::IOError(limit) => limit.to_string(),
                        reason => reason.to_string(),
                    };
                    format!("the template could not be rendered: {reason}")
                })?;
            }
        }
        Ok(())
    }
}

/// The element as a part of a plain text, if it is one.
fn part(element: &TemplateElement, names: &mut Names) -> Option<Part> {
    match element {
        TemplateElement::RawString(words) => Some(Part::Words(words.clone())),
        TemplateElement::Comment(_) => Some(Part::Words(String::new())),
        TemplateElement::Expression(expression) | TemplateElement::HtmlExpression(expression)
            if expression.params.is_empty() && expression.hash.is_empty() && !expression.block =>
        {
            let path: Vec<&str> = match &expression.name {
                Parameter::Name(name) => vec![name],
                Parameter::Path(Path::Relative((segments, _))) => segments
                    .iter()
                    .map(|segment| match segment {
                        PathSeg::Named(name) => Some(name.as_str()),
                        _ => None,
                    })
                    .collect::<Option<_>>()?,
                _ => return None,
            };
            match path.as_slice() {
                [name] if HELPERS.contains(name) => None,
                path => names.variable(path).map(Part::Variable),
            }
        }
        _ => None,
    }
}

/// Refuses what would fail for every user: helpers that are not known, and partials and decorators, which can call
/// themselves without end and which Courier does not know either.
fn check_calls(template: &Template) -> std::result::Result<(), String> {
    template.elements.iter().try_for_each(|element| match element {
        TemplateElement::RawString(_) | TemplateElement::Comment(_) => Ok(()),
        TemplateElement::Expression(call) | TemplateElement::HtmlExpression(call) => {
            let arguments = || call.params.iter().chain(call.hash.values());
            if arguments().next().is_some() {
                check_helper(call.name.as_name())?;
            }
            arguments().chain([&call.name]).try_for_each(check_argument)
        }
        TemplateElement::HelperBlock(block) => {
            check_helper(block.name.as_name())?;
            block.params.iter().chain(block.hash.values()).try_for_each(check_argument)?;
            [&block.template, &block.inverse].into_iter().flatten().try_for_each(check_calls)
        }
        _ => Err("partials ({{> name}}) and decorators ({{* name}}) are not supported".to_owned()),
    })
}

fn check_argument(argument: &Parameter) -> std::result::Result<(), String> {
    match argument {
        Parameter::Subexpression(call) => {
            let arguments =
                || call.params().into_iter().flatten().chain(call.hash().into_iter().flat_map(|it| it.values()));
            if arguments().next().is_some() {
                check_helper(Some(call.name()))?;
            }
            arguments().try_for_each(check_argument)
        }
        _ => Ok(()),
    }
}

fn check_helper(name: Option<&str>) -> std::result::Result<(), String> {
    match name {
        Some(name) if HELPERS.contains(&name) => Ok(()),
        name => Err(format!(
            "the helper '{}' is not known here; known are {}",
            name.unwrap_or_default(),
            HELPERS.join(", ")
        )),
    }
}

/// Refuses what could nest too deeply, or take too long to compile. The count is one that no spelling can get around:
/// openings are counted, closings are not.
fn check_size(source: &str) -> std::result::Result<(), String> {
    let tags = || source.split("{{").skip(1);
    let inside = |tag: &'_ str| tag.len() - tag.split_once("}}").map_or(0, |(_, after)| after.len());
    // A quoted text, a name in brackets or a comment may hold what looks like the end of a tag. Then everything counts.
    let quotes = tags().any(|tag| tag[..inside(tag)].contains(['"', '\'', '[', '!']));
    let mut nesting = 0;
    for tag in tags() {
        let word = tag.trim_start_matches(|c: char| c == '{' || c == '~' || c.is_whitespace());
        // An `else` with a condition nests, and is closed by nothing of its own.
        let condition = word.strip_prefix("else").filter(|rest| rest.starts_with(char::is_whitespace));
        let chains = condition.is_some_and(|rest| !rest.trim_start().starts_with(['}', '~']));
        nesting += usize::from(word.starts_with(['#', '^']) || chains);
        let counted = if quotes { tag } else { &tag[..inside(tag)] };
        nesting += counted.matches(['(', '[']).count();
        let opens_object = |rest: &str| rest.trim_start().starts_with(['"', '\'']);
        nesting += counted.split('{').skip(1).filter(|rest| opens_object(rest)).count();
    }
    if tags().count() > TAGS_LIMIT {
        return Err(format!("expected at most {TAGS_LIMIT} tags in one text"));
    }
    if nesting > NESTING_LIMIT {
        return Err(format!("expected at most {NESTING_LIMIT} blocks and brackets in the tags of one text"));
    }
    Ok(())
}

/// Has every round of every loop write nothing, which [`Limited`] counts.
fn count_rounds(template: &mut Template) {
    for element in &mut template.elements {
        if let TemplateElement::HelperBlock(block) = element {
            [&mut block.template, &mut block.inverse].into_iter().flatten().for_each(count_rounds);
            if block.name.as_name() == Some("each")
                && let Some(body) = &mut block.template
            {
                body.elements.splice(..0, ROUND.elements.iter().cloned());
                body.mapping.splice(..0, ROUND.mapping.iter().cloned());
            }
        }
    }
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
            return Err(io::Error::other(format!("its loops go round more than {ROUNDS_LIMIT} times")));
        }
        if self.text.len() - self.start + words.len() > TEXT_LIMIT {
            return Err(io::Error::other(too_long()));
        }
        self.text.push_str(words);
        Ok(())
    }
}
