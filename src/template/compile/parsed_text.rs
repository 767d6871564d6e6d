//! Parsed texts, and what must be known of one before it is compiled.

use std::cell::OnceCell;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use crate::template::call::{Form, Helper, Table};
use crate::template::syntax::tree::{self, AstNode, CallExpression, Mustache, Operand, PathExpression, Span};
use crate::template::syntax::{self, SyntaxError};

/// Helpers of handlebars.js's own.
pub const BUILTIN: [&str; 6] = ["if", "unless", "each", "with", "lookup", "log"];

/// A parsed text. It is compiled as often as it is used.
#[derive(Debug)]
pub struct ParsedText {
    pub(super) source: Arc<str>,
    pub(super) tree: tree::BlockBody,
    parts: usize,
    facts: OnceCell<Facts>,
}

/// A part of a text that only has words and variables.
#[derive(Debug)]
pub enum TextPart<'t> {
    Words(&'t str),
    Variable(&'t PathExpression),
}

impl ParsedText {
    pub fn parse(source: &str) -> Result<Self, SyntaxError> {
        let (tree, parts) = syntax::parse(source)?;
        Ok(ParsedText { source: source.into(), tree, parts, facts: OnceCell::new() })
    }

    /// The number of its tags, with their arguments: its memory is in proportion.
    pub fn parts_count(&self) -> usize {
        self.parts
    }

    /// Computed once, however often it is compiled: always with the same helpers.
    pub(super) fn facts(&self, helpers: Table) -> &Facts {
        self.facts.get_or_init(|| Facts::of(&self.tree, helpers))
    }

    /// Its parts, if it only has words and escaped variables. A name that calls a helper is not a variable.
    pub fn parts(&self, helpers: Table) -> Option<Vec<TextPart<'_>>> {
        let mut parts = Vec::new();
        for node in &self.tree.nodes {
            parts.push(match node {
                AstNode::Content(content) => TextPart::Words(content.value()),
                AstNode::Comment(_) => continue,
                AstNode::Mustache(mustache) if mustache.is_escaped => {
                    TextPart::Variable(variable(&mustache.call, helpers)?)
                }
                _ => return None,
            });
        }
        Some(parts)
    }
}

/// Texts by the names under which others include them.
pub type Partials = HashMap<String, ParsedText>;

/// The path of a call without arguments, unless it means a helper.
pub fn variable(call: &CallExpression, helpers: Table) -> Option<&PathExpression> {
    let Operand::Path(path) = &call.name else { return None };
    (!call.has_arguments() && !path.is_dashed && called_without_arguments(path, helpers).is_none()).then_some(path)
}

/// The helper that a bare name calls: one of handlebars.js's own, or one without required arguments. A bare name of
/// another of Courier's helpers shows the variable of that name.
pub fn called_without_arguments(path: &PathExpression, helpers: Table) -> Option<&'static Helper> {
    let [name] = path.parts.as_slice() else { return None };
    let helper = helpers.find(name).filter(|_| path.is_simple() && !path.is_data)?;
    let needs_nothing = !matches!(helper.form, Form::Language(_)) && helper.required() == 0;
    (needs_nothing || BUILTIN.contains(&helper.name)).then_some(helper)
}

/// Calls `see` with the paths that a node looks up.
fn each_path<'t>(node: &'t AstNode, see: &mut dyn FnMut(&'t PathExpression)) {
    match node {
        AstNode::Mustache(mustache) => mustache.call.each_path(false, see),
        AstNode::Block(block) => block.call.each_path(false, see),
        AstNode::Partial(partial) | AstNode::PartialBlock(partial) => partial.each_path(see),
        AstNode::Content(_) | AstNode::Comment(_) | AstNode::Inline(_) => {}
    }
}

/// What must be known of a text before its first node is compiled.
#[derive(Debug, Default)]
pub struct Facts {
    /// The first name of a variable that contains a dash.
    pub dashed: Option<(String, Span)>,
    /// The names that it sets.
    pub set_names: Rc<BTreeSet<String>>,
    /// Whether it changes what it writes afterwards.
    pub changes_text: bool,
    /// Whether it calls partials.
    pub includes: bool,
}

impl Facts {
    pub fn of(program: &tree::BlockBody, helpers: Table) -> Self {
        let mut facts = Facts::default();
        program.each_node(&mut |node| facts.see(node, helpers));
        facts
    }

    fn see(&mut self, node: &AstNode, helpers: Table) {
        let opened = match node {
            AstNode::Block(block) => helpers.find(&block.call.name.as_name()),
            _ => None,
        };
        self.includes |= matches!(node, AstNode::Partial(_) | AstNode::PartialBlock(_));
        self.changes_text |= match node {
            AstNode::Partial(partial) => !partial.indent.is_empty(),
            _ => opened.is_some_and(|helper| matches!(helper.form, Form::Content(_))),
        };
        if let AstNode::Mustache(Mustache { call, .. }) = node
            && let (Operand::Path(path), Some(Operand::Text(name))) = (&call.name, call.params.first())
            && path.original == "set"
        {
            Rc::make_mut(&mut self.set_names).insert(name.clone());
        }
        each_path(node, &mut |path| {
            // A helper may be called by its bare name.
            let is_called = || {
                opened.is_some_and(|helper| helper.name == path.original)
                    || called_without_arguments(path, helpers).is_some()
            };
            if path.is_dashed && !is_called() {
                self.dashed.get_or_insert_with(|| (path.original.clone(), path.tag));
            }
        });
    }
}
