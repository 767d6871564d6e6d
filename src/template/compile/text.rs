//! The instructions of a text: what handlebars.js 4.7 makes of each node (`compiler.js`), and Courier's helpers.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::compiler::{ActiveSource, CompileError, Compiler};
use super::constants;
use super::parsed_text::{BUILTIN, Facts, ParsedText, called_without_arguments};
use crate::error::shown;
use crate::json;
use crate::template::call::{Form, Helper, Keyword};
use crate::template::escape::{Escape, PLAIN, TRACKED, WhenChanged};
use crate::template::program::{CallSite, Constant, Instruction, SourceText, TextPath};
use crate::template::syntax::nearest;
use crate::template::syntax::tree::{self, AstNode, CallExpression, Mustache, Operand, PathExpression};

type Result<T> = std::result::Result<T, CompileError>;

/// Names of helpers in other engines, and what to write at Courier.
const ELSEWHERE: [(&str, &str); 8] = [
    ("eq", "(condition a \"==\" b)"),
    ("ne", "(condition a \"!=\" b)"),
    ("gt", "(condition a \">\" b)"),
    ("gte", "(condition a \">=\" b)"),
    ("lt", "(condition a \"<\" b)"),
    ("lte", "(condition a \"<=\" b)"),
    ("len", "the list's or text's own length, as in {{items.length}}"),
    ("raw", "\\{{ to keep a tag as it is"),
];

/// Names that handlebars.js reserves.
const RESERVED: [&str; 2] = ["helperMissing", "blockHelperMissing"];

/// The meaning of a name with its arguments.
pub enum Meaning<'t> {
    Path(&'t PathExpression),
    /// A literal in place of a name is one.
    Named(String),
    Helper(&'static Helper),
}

impl Compiler<'_> {
    /// Writes a text in the context of `escape`.
    pub fn template(&mut self, template: &ParsedText, escape: &'static Escape) -> Result<()> {
        let number = self.source_number(template);
        let facts = template.facts(self.helpers);
        if let Some((name, tag)) = &facts.dashed {
            let rule = "Courier knows only names in camelCase and snake_case";
            self.stands_at(&ActiveSource { text: &template.source, number, escape }, *tag);
            self.fail(format!("the name '{}' holds a dash; {rule}", shown(name)));
            self.stands_nowhere();
            return Ok(());
        }
        let set_names = self.all_set_names(facts);
        let outer = std::mem::replace(&mut self.set_names, set_names);
        let changes_text = facts.changes_text || facts.includes && self.has_changing_partial();
        let source = ActiveSource { text: &template.source, number, escape };
        let written = match escape.when_changed {
            WhenChanged::ChangeFirst if changes_text => self.tracked(template, &source),
            _ => self.contents(&template.tree, &source),
        };
        self.stands_nowhere();
        self.set_names = outer;
        written
    }

    /// Writes a text that helpers change, and escapes its parts afterwards.
    fn tracked(&mut self, template: &ParsedText, source: &ActiveSource<'_>) -> Result<()> {
        self.begin();
        self.contents(&template.tree, &ActiveSource { escape: &TRACKED, ..*source })?;
        self.push(Instruction::EscapeTracked(source.escape));
        Ok(())
    }

    fn has_changing_partial(&self) -> bool {
        let changes = || self.partials.values().any(|partial| partial.facts(self.helpers).changes_text);
        *self.has_changing_partial.get_or_init(changes)
    }

    /// The names that a text sets, and those of the partials that it may include.
    fn all_set_names(&self, facts: &Facts) -> Rc<BTreeSet<String>> {
        let of_partials = self.set_by_partials.get_or_init(|| {
            let facts = self.partials.values().map(|partial| partial.facts(self.helpers));
            facts.flat_map(|facts| facts.set_names.iter().cloned()).collect()
        });
        match facts.includes && !of_partials.is_empty() {
            true => Rc::new(facts.set_names.union(of_partials).cloned().collect()),
            false => facts.set_names.clone(),
        }
    }

    /// Prints the value of a path that was found among the parts of a text.
    pub fn variable(&mut self, path: &PathExpression, escape: &'static Escape) {
        self.path(path);
        self.print(escape.data, escape.raw);
    }

    /// Pushes a rendered text as the answer of a condition.
    pub fn push_answer(&mut self, text: &ParsedText) -> Result<()> {
        self.begin();
        self.template(text, &PLAIN)?;
        self.push(Instruction::CaptureAnswer);
        Ok(())
    }

    pub(super) fn source_number(&mut self, template: &ParsedText) -> u32 {
        // A snippet is the same wherever it is included.
        let path = if self.snippet.is_some() { TextPath::default() } else { self.text_path.clone() };
        self.program.sources.push(SourceText { text: template.source.clone(), path, snippet: self.snippet.clone() });
        self.program.sources.len() as u32 - 1
    }

    /// Writes the content of a block, or the whole text.
    pub(super) fn contents(&mut self, body: &tree::BlockBody, source: &ActiveSource<'_>) -> Result<()> {
        let outer = std::mem::replace(&mut self.leads_out, body.leads_out);
        let written = self.nodes(body, source);
        self.leads_out = outer;
        written
    }

    fn nodes(&mut self, body: &tree::BlockBody, source: &ActiveSource<'_>) -> Result<()> {
        let mut defined = 0;
        for node in &body.nodes {
            if let AstNode::Inline(block) = node {
                let (name, routine) = self.inline(block, source)?;
                let is_in_frame = self.levels.innermost().is_some_and(|frame| !frame.is_opened());
                self.push(Instruction::Define { name, routine, is_in_frame });
                defined += 1;
            }
        }
        for node in &body.nodes {
            self.check_size()?;
            match node {
                AstNode::Content(content) => self.words_escaped(content.value(), source.escape.words),
                AstNode::Comment(_) | AstNode::Inline(_) => {}
                AstNode::Mustache(mustache) => self.mustache(mustache, source)?,
                AstNode::Block(block) => self.block(block, source)?,
                AstNode::Partial(partial) | AstNode::PartialBlock(partial) => self.partial(partial, source)?,
            }
        }
        if defined > 0 {
            self.push(Instruction::Forget(defined));
        }
        Ok(())
    }

    pub(super) fn mustache(&mut self, mustache: &Mustache, source: &ActiveSource<'_>) -> Result<()> {
        let call = &mustache.call;
        self.stands_at(source, call.tag);
        match self.meaning(call, false, source)? {
            Meaning::Path(path) => self.path(path),
            Meaning::Named(name) => self.named(&name),
            Meaning::Helper(Helper { form: Form::Language(Keyword::Set), .. }) => return self.set(call, source),
            Meaning::Helper(helper) => self.call(helper, call, source)?,
        }
        self.print_value(mustache.is_escaped, source);
        Ok(())
    }

    /// Prints what was pushed last, as `{{name}}` or as `{{{name}}}`.
    pub(super) fn print_value(&mut self, is_escaped: bool, source: &ActiveSource<'_>) {
        let escape = source.escape;
        match escape.when_changed {
            WhenChanged::Tracked => self.push(Instruction::PrintTracked { is_raw: !is_escaped }),
            _ => self.print(if is_escaped { escape.data } else { escape.raw }, escape.raw),
        }
    }

    /// The meaning of a name. In brackets it is always called.
    pub(super) fn meaning<'t>(
        &self,
        call: &'t CallExpression,
        in_brackets: bool,
        source: &ActiveSource<'_>,
    ) -> Result<Meaning<'t>> {
        let is_called = in_brackets || call.has_arguments();
        let path = match &call.name {
            Operand::Path(path) => path,
            name => {
                let name = name.as_name();
                return match self.helpers.find(&name) {
                    Some(helper) if BUILTIN.contains(&helper.name) => Ok(Meaning::Helper(helper)),
                    _ if !is_called => Ok(Meaning::Named(name)),
                    Some(helper) => Ok(Meaning::Helper(helper)),
                    None => Err(self.unknown(&name, call, source)),
                };
            }
        };
        let is_param = path.is_simple() && self.block_param(path).is_some();
        if path.is_simple() && !is_param && RESERVED.contains(&path.original.as_str()) {
            return Err(self.error(source.text, call.tag, format!("'{}' cannot be called", path.original)));
        }
        if !is_called {
            let helper = called_without_arguments(path, self.helpers).filter(|_| !is_param);
            return Ok(helper.map_or(Meaning::Path(path), Meaning::Helper));
        }
        let name = path.parts.first().map(String::as_str).unwrap_or_default();
        let helper = self.helpers.find(name).filter(|_| path.is_simple() && !path.is_data);
        helper.map(Meaning::Helper).ok_or_else(|| self.unknown(&path.original, call, source))
    }

    pub(super) fn unknown(&self, name: &str, call: &CallExpression, source: &ActiveSource<'_>) -> CompileError {
        let name = shown(name);
        let problem = match ELSEWHERE.iter().find(|(known, _)| *known == name.beginning) {
            Some((_, instead)) => format!("'{name}' is no helper of Courier's; write {instead}"),
            None => {
                let known = self.helpers.iter().map(|helper| helper.name);
                match nearest(name.beginning, known) {
                    Some(nearest) => format!("there is no helper '{name}'; did you mean '{nearest}'?"),
                    None => format!("there is no helper '{name}'"),
                }
            }
        };
        self.error(source.text, call.tag, problem)
    }

    /// Pushes the value of a helper.
    pub(super) fn call(
        &mut self,
        helper: &'static Helper,
        call: &CallExpression,
        source: &ActiveSource<'_>,
    ) -> Result<()> {
        if let Form::Language(keyword) = helper.form {
            let name = helper.name;
            let problem = match keyword {
                Keyword::Set => "'set' gives no value; expected it in a tag of its own".to_owned(),
                _ => format!("'{name}' gives no value; expected {{{{#{name} …}}}}…{{{{/{name}}}}}"),
            };
            return Err(self.error(source.text, call.tag, problem));
        }
        if let Some(markup) = source.escape.line_break.filter(|_| helper.name == "line-break") {
            self.push_constant(Constant::Markup(markup));
            return Ok(());
        }
        self.check_arguments(helper, call, 0, source)?;
        let site = self.arguments(helper, call, source)?;
        self.stands_at(source, call.tag);
        self.push(Instruction::Call(site));
        Ok(())
    }

    /// Refuses a call that lacks a required argument, and one that cannot work with any data. Its block supplies so
    /// many arguments.
    pub(super) fn check_arguments(
        &self,
        helper: &Helper,
        call: &CallExpression,
        held: usize,
        source: &ActiveSource<'_>,
    ) -> Result<()> {
        let (needed, found) = (helper.required().saturating_sub(held), call.params.len());
        if found >= needed {
            let checked = constants::check(helper, call, held);
            return checked.map_err(|problem| self.error(source.text, call.tag, format!("{}: {problem}", helper.name)));
        }
        let what = if held > 0 { "block" } else { "helper" };
        let count = if needed == 1 { "an argument".to_owned() } else { format!("{needed} arguments") };
        let arguments: Vec<&str> = helper.arguments.split_whitespace().skip(held).collect();
        let (name, arguments) = (helper.name, arguments.join(" "));
        let problem = format!("the {what} '{name}' needs {count} ({arguments}), found {found}");
        Err(self.error(source.text, call.tag, problem))
    }

    /// Pushes the arguments of a call, and returns the number of the call.
    pub(super) fn arguments(
        &mut self,
        helper: &'static Helper,
        call: &CallExpression,
        source: &ActiveSource<'_>,
    ) -> Result<u32> {
        for param in &call.params {
            self.operand(param, source)?;
        }
        for (_, value) in call.named() {
            self.operand(value, source)?;
        }
        let names = call.named().iter().map(|(name, _)| name.clone()).collect();
        let worded = match source.escape.when_changed {
            WhenChanged::Tracked => call.params.iter().map(|param| matches!(param, Operand::Text(_))).collect(),
            WhenChanged::EscapeFirst | WhenChanged::ChangeFirst => Vec::new(),
        };
        self.program.calls.push(CallSite { helper, positional: call.params.len(), names, worded });
        Ok(self.program.calls.len() as u32 - 1)
    }

    pub(super) fn operand(&mut self, operand: &Operand, source: &ActiveSource<'_>) -> Result<()> {
        match operand {
            Operand::Path(path) => self.path(path),
            Operand::Call(call) => {
                return match self.meaning(call, true, source)? {
                    Meaning::Helper(helper) => self.call(helper, call, source),
                    _ => Err(self.unknown(&call.name.as_name(), call, source)),
                };
            }
            Operand::Text(text) => self.push_constant(Constant::Text(text.clone())),
            Operand::Number(number) => self.push_constant(Constant::Number(*number)),
            Operand::Bool(flag) => self.push_constant(Constant::Bool(*flag)),
            Operand::Null => self.push_constant(Constant::Null),
            Operand::Undefined => self.push_constant(Constant::Undefined),
        }
        Ok(())
    }

    /// `{{set "name" value}}`
    pub(super) fn set(&mut self, call: &CallExpression, source: &ActiveSource<'_>) -> Result<()> {
        let Some(Operand::Text(name)) = call.params.first() else {
            return Err(self.error(source.text, call.tag, "the helper 'set' needs a name in quotes"));
        };
        const KEPT: [&str; 7] = ["__proto__", "brand", "data", "event", "profile", "recipient", "urls"];
        let first = name.split('.').next().unwrap_or_default();
        if KEPT.contains(&first) || name.is_empty() {
            let expected = format!("expected a name that is not empty and none of {}", KEPT.join(", "));
            return Err(self.error(source.text, call.tag, format!("set: {expected}, found {}", json::cut(name))));
        }
        match call.params.get(1) {
            Some(value) => self.operand(value, source)?,
            None => self.push_constant(Constant::Undefined),
        }
        let name = self.name_number(name);
        self.push(Instruction::Set(name));
        Ok(())
    }
}
