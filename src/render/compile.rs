//! From a text with Handlebars in it to the steps that write it; what could not be written is refused here.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::LazyLock;

use handlebars::template::{HelperTemplate, Parameter, TemplateElement};
use handlebars::{Path, PathSeg, Template, TemplateErrorReason};
use serde_json::Value;

use super::escape::{self, Escape};
use super::expression::Operand;
use super::markdown::{self, Form};
use super::scope::Names;
use super::text::{Step, merged};
use super::{dates, helpers, indexes};

/// Blocks and brackets in one text. The parser recurses, and its stack is not endless.
const NESTING_LIMIT: usize = 500;
/// Tags in one text. The parser takes a time that grows with their square.
const TAGS_LIMIT: usize = 2_000;

/// What stands at the beginning of every loop, to be counted.
static ROUND: LazyLock<Template> =
    LazyLock::new(|| Template::compile("{{bulkd-round 1}}").expect("our own template is well-formed"));

/// The engine's own helpers, which a bare name calls as well, and how many arguments they cannot do without.
const HELPERS: &[(&str, usize)] = &[
    ("if", 1),
    ("unless", 1),
    ("each", 1),
    ("with", 1),
    ("lookup", 2),
    ("raw", 0),
    ("log", 0),
    ("eq", 2),
    ("ne", 2),
    ("gt", 2),
    ("gte", 2),
    ("lt", 2),
    ("lte", 2),
    ("and", 0),
    ("or", 0),
    ("not", 0),
    ("len", 1),
];

/// The arguments that a helper of the engine needs, if it is one.
fn needed(name: &str) -> Option<usize> {
    HELPERS.iter().find(|(known, _)| *known == name).map(|(_, needed)| *needed)
}

/// What `$.item` and `$.index` are called for the engine.
pub const ITEM: &str = "$item";
pub const INDEX: &str = "$index";

/// Compiles the texts of one content: each is parsed once, however often it is used.
pub struct Compiler<'n> {
    pub names: &'n mut Names,
    parsed: HashMap<String, Rc<Template>>,
    /// Tags that the texts may have from here on.
    pub tags_left: usize,
}

impl<'n> Compiler<'n> {
    pub fn new(names: &'n mut Names) -> Self {
        Compiler { names, parsed: HashMap::new(), tags_left: TAGS_LIMIT }
    }

    /// What a path in a condition stands for: a variable, or how long one is.
    pub fn operand(&mut self, path: &[String], in_loop: bool) -> std::result::Result<Operand, String> {
        let names: Vec<&str> = path.iter().map(String::as_str).collect();
        let (names, length) = match names.as_slice() {
            [before @ .., "length"] if !before.is_empty() => (before, true),
            names => (names, false),
        };
        let variable = self.names.variable(names, in_loop).ok_or("expected the path of a variable")?;
        Ok(if length { Operand::Length(variable) } else { Operand::Variable(variable) })
    }

    /// Lets as many tags follow as one text may have.
    pub fn begin_text(&mut self) {
        self.tags_left = TAGS_LIMIT;
    }

    fn parse(&mut self, source: &str) -> std::result::Result<Rc<Template>, String> {
        let tags = source.matches("{{").count();
        self.tags_left = self.tags_left.checked_sub(tags).ok_or_else(too_many_tags)?;
        if let Some(template) = self.parsed.get(source) {
            return Ok(template.clone());
        }
        check_size(source)?;
        let compiled = Template::compile(&indexes::in_text(source));
        let mut template = compiled.map_err(|error| {
            // The places of what was written, if it fails for the same reason.
            let error = Template::compile(source).err().unwrap_or(error);
            let what = match error.reason() {
                // The parser lists all it could have gone on with, which helps nobody.
                TemplateErrorReason::InvalidSyntax(_) => "a tag is malformed, or a block is left open".to_owned(),
                reason => reason.to_string(),
            };
            let place = error.pos().map_or(String::new(), |(line, column)| format!(" at line {line}, column {column}"));
            format!("not a valid template: {what}{place}")
        })?;
        check_calls(&template)?;
        count_rounds(&mut template);
        let template = Rc::new(template);
        self.parsed.insert(source.to_owned(), template.clone());
        Ok(template)
    }

    /// The steps that write `source` where `escape` says.
    pub fn steps(&mut self, source: &str, escape: Escape, in_loop: bool) -> std::result::Result<Vec<Step>, String> {
        if !source.contains(['{', '\\']) {
            return Ok(vec![Step::Words(escape.of_words().escaped(source))]);
        }
        let template = self.parse(source)?;
        if let Some(name) = dashed(&template.elements) {
            return Ok(vec![Step::Fail(format!(
                "the name '{name}' holds a dash; Courier knows only names in camelCase and snake_case"
            ))]);
        }
        let parts: Vec<Option<Step>> =
            template.elements.iter().map(|element| part(element, escape, self.names, in_loop)).collect();
        // What `set` sets goes on to the end of the text.
        let whole = source.contains("set") && parts.iter().any(Option::is_none);
        let mut steps: Vec<Step> = Vec::new();
        for ((part, element), place) in parts.into_iter().zip(&template.elements).zip(&template.mapping) {
            if let Some(step) = part.filter(|_| !whole) {
                steps.push(step);
                continue;
            }
            if !matches!(steps.last(), Some(Step::Template(..))) {
                steps.push(Step::Template(Box::default(), escape));
            }
            if let Some(Step::Template(of_engine, _)) = steps.last_mut() {
                of_engine.elements.push(element.clone());
                of_engine.mapping.push(place.clone());
            }
        }
        let escape = if escape == Escape::Html { escape } else { Escape::Plain };
        for step in &mut steps {
            if let Step::Template(of_engine, _) = step {
                prepare(of_engine, escape, in_loop);
            }
        }
        Ok(steps)
    }

    /// The steps that write an address, blank if it is one that would run.
    pub fn address(&mut self, source: &str, escape: Escape, in_loop: bool) -> std::result::Result<Vec<Step>, String> {
        let beginning = source.split("{{").next().unwrap_or_default();
        if source.contains("{{") && escape::is_scheme_open(beginning) {
            return Ok(vec![Step::Address(self.steps(source, Escape::Plain, in_loop)?, escape)]);
        }
        self.steps(source, escape, in_loop)
    }

    /// The steps that write Markdown in another form.
    pub fn markdown(&mut self, source: &str, form: Form, in_loop: bool) -> std::result::Result<Vec<Step>, String> {
        let steps = merged(self.steps(source, Escape::Literal, in_loop)?);
        if !steps.iter().all(|step| matches!(step, Step::Words(_) | Step::Variable(..))) {
            return Ok(vec![Step::Markdown(steps, form)]);
        }
        Ok(markdown::compile(steps, form))
    }

    /// The steps that write Markdown as it is into JSON, with data that is no markup in it.
    pub fn markdown_source(&mut self, source: &str, in_loop: bool) -> std::result::Result<Vec<Step>, String> {
        self.steps(source, Escape::Markdown, in_loop)
    }
}

/// The element as a step of a plain text, if it is one.
fn part(element: &TemplateElement, escape: Escape, names: &mut Names, in_loop: bool) -> Option<Step> {
    match element {
        TemplateElement::RawString(words) => Some(Step::Words(escape.of_words().escaped(words))),
        TemplateElement::Comment(_) => Some(Step::Words(String::new())),
        TemplateElement::Expression(expression) | TemplateElement::HtmlExpression(expression)
            if expression.params.is_empty() && expression.hash.is_empty() && !expression.block =>
        {
            let triple = matches!(element, TemplateElement::HtmlExpression(_));
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
                [name] if needed(name).is_some() => None,
                path => names.variable(path, in_loop).map(|it| Step::Variable(it, escape.of_data(triple))),
            }
        }
        _ => None,
    }
}

/// The first variable whose name holds a dash outside of brackets.
fn dashed(elements: &[TemplateElement]) -> Option<&str> {
    elements.iter().find_map(|element| match element {
        TemplateElement::Expression(call) | TemplateElement::HtmlExpression(call) => dashed_in(call),
        TemplateElement::HelperBlock(block) => dashed_in(block).or_else(|| {
            [&block.template, &block.inverse].into_iter().flatten().find_map(|template| dashed(&template.elements))
        }),
        _ => None,
    })
}

fn dashed_in(call: &HelperTemplate) -> Option<&str> {
    let is_call = !call.params.is_empty() || !call.hash.is_empty() || call.block;
    let arguments = call.params.iter().chain(call.hash.values());
    arguments.chain((!is_call).then_some(&call.name)).find_map(|argument| match argument {
        Parameter::Name(name) | Parameter::Path(Path::Relative((_, name))) => {
            let outside = name.split('[').map(|part| part.rsplit(']').next().unwrap_or_default());
            outside.into_iter().any(|part| part.contains('-')).then_some(name.as_str())
        }
        Parameter::Subexpression(call) => match call.as_element() {
            TemplateElement::Expression(call) => dashed_in(call),
            _ => None,
        },
        _ => None,
    })
}

/// Escapes the words of a template, and renames what is a loop's.
fn prepare(template: &mut Template, escape: Escape, in_loop: bool) {
    for element in &mut template.elements {
        match element {
            TemplateElement::RawString(words) => *words = escape.escaped(words),
            TemplateElement::Expression(call) | TemplateElement::HtmlExpression(call) if in_loop => prepare_call(call),
            TemplateElement::HelperBlock(block) => {
                if in_loop {
                    prepare_call(block);
                }
                for template in [&mut block.template, &mut block.inverse].into_iter().flatten() {
                    prepare(template, escape, in_loop);
                }
            }
            _ => {}
        }
    }
}

fn prepare_call(call: &mut HelperTemplate) {
    for argument in call.params.iter_mut().chain(call.hash.values_mut()).chain([&mut call.name]) {
        match argument {
            Parameter::Path(Path::Relative((segments, _))) => {
                let mut named = segments.iter().map(|segment| match segment {
                    PathSeg::Named(name) => name.as_str(),
                    _ => "",
                });
                let name = match (named.next(), named.next()) {
                    (Some("$"), Some("item")) => ITEM,
                    (Some("$"), Some("index")) => INDEX,
                    _ => continue,
                };
                segments.splice(..2, [PathSeg::Named(name.to_owned())]);
            }
            Parameter::Subexpression(call) => {
                if let TemplateElement::Expression(call) = &mut *call.element {
                    prepare_call(call);
                }
            }
            _ => {}
        }
    }
}

/// Refuses what would fail for every user: helpers that are not known or lack what they need, and partials and
/// decorators, which can call themselves without end and which Courier does not know either.
fn check_calls(template: &Template) -> std::result::Result<(), String> {
    template.elements.iter().try_for_each(|element| match element {
        TemplateElement::RawString(_) | TemplateElement::Comment(_) => Ok(()),
        TemplateElement::Expression(call) | TemplateElement::HtmlExpression(call) => check_call(call),
        TemplateElement::HelperBlock(block) => {
            let name = block.name.as_name();
            check_helper(name)?;
            check_block(name.unwrap_or_default())?;
            check_call(block)?;
            [&block.template, &block.inverse].into_iter().flatten().try_for_each(check_calls)
        }
        _ => Err("partials ({{> name}}) and decorators ({{* name}}) are not supported".to_owned()),
    })
}

fn check_call(call: &HelperTemplate) -> std::result::Result<(), String> {
    let name = call.name.as_name();
    if !call.params.is_empty() || !call.hash.is_empty() {
        check_helper(name)?;
    }
    check_arguments(name.unwrap_or_default(), call)?;
    call.params.iter().chain(call.hash.values()).chain([&call.name]).try_for_each(|argument| match argument {
        Parameter::Subexpression(call) => match call.as_element() {
            TemplateElement::Expression(call) => check_call(call),
            _ => Ok(()),
        },
        _ => Ok(()),
    })
}

fn check_arguments(name: &str, call: &HelperTemplate) -> std::result::Result<(), String> {
    if let Some(needed) = needed(name).filter(|needed| call.params.len() < *needed) {
        let arguments = if needed == 1 { "an argument" } else { "two arguments" };
        return Err(format!("the helper '{name}' needs {arguments}"));
    }
    let is_variable = call.params.is_empty() && call.hash.is_empty();
    let text = |argument: Option<&Parameter>| match argument {
        Some(Parameter::Literal(Value::String(text))) => Some(text.clone()),
        _ => None,
    };
    match name {
        "set" if !is_variable && text(call.params.first()).is_none() => {
            Err("the helper 'set' needs a name in quotes".to_owned())
        }
        "datetime-format" | "swu_datetimeformat" => {
            let named = helpers::NAMED.iter().filter_map(|name| call.hash.get(*name));
            text(call.params.iter().chain(named).nth(2)).map_or(Ok(()), |zone| dates::zone(&zone).map(drop))
        }
        _ => Ok(()),
    }
}

fn check_helper(name: Option<&str>) -> std::result::Result<(), String> {
    match name {
        Some(name) if needed(name).is_some() || helpers::is_known(name) => Ok(()),
        name => {
            let known: Vec<&str> = HELPERS.iter().map(|(name, _)| *name).chain(helpers::names()).collect();
            let name = name.unwrap_or_default();
            Err(format!("the helper '{name}' is not known here; known are {}", known.join(", ")))
        }
    }
}

fn check_block(name: &str) -> std::result::Result<(), String> {
    if helpers::is_known(name) && needed(name).is_none() && !helpers::opens_block(name) {
        return Err(format!("the helper '{name}' gives a value and opens no block"));
    }
    Ok(())
}

fn too_many_tags() -> String {
    format!("expected at most {TAGS_LIMIT} tags in one text")
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
    if nesting > NESTING_LIMIT {
        return Err(format!("expected at most {NESTING_LIMIT} blocks and brackets in the tags of one text"));
    }
    Ok(())
}

/// Has every round of every loop write nothing, which is counted when they are written.
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
