//! A parsed text.

use crate::template::number;

/// The content of a block, or the whole text.
#[derive(Debug, Default)]
pub struct BlockBody {
    pub nodes: Vec<AstNode>,
    pub block_params: Vec<String>,
    /// Whether a path in it leads out with `../`, or an inline partial could see its surroundings.
    pub leads_out: bool,
    /// Whether it only consists of the block of an `{{else if}}`.
    pub chained: bool,
}

impl BlockBody {
    /// Calls `see` with every node in it; inner nodes follow their outer ones.
    pub fn each_node<'t>(&'t self, see: &mut dyn FnMut(&'t AstNode)) {
        for node in &self.nodes {
            see(node);
            let parts = match node {
                AstNode::Block(block) | AstNode::Inline(block) => [block.program.as_ref(), block.inverse.as_ref()],
                AstNode::PartialBlock(partial) => [partial.program.as_ref(), None],
                _ => [None, None],
            };
            parts.into_iter().flatten().for_each(|program| program.each_node(see));
        }
    }
}

#[derive(Debug)]
pub enum AstNode {
    Content(ContentNode),
    Comment(Strip),
    /// `{{name}}`, `{{{name}}}` or a call.
    Mustache(Mustache),
    Block(Box<Block>),
    /// `{{> name}}`.
    Partial(Box<Partial>),
    /// `{{#> name}}…{{/name}}`.
    PartialBlock(Box<Partial>),
    /// `{{#*inline "name"}}…{{/inline}}`.
    Inline(Box<Block>),
}

/// Words as they stand in the text, and the part that is left when the whitespace around tags is removed.
#[derive(Debug)]
pub struct ContentNode {
    pub original: String,
    pub from: usize,
    pub to: usize,
    pub left_stripped: bool,
    pub right_stripped: bool,
}

impl ContentNode {
    pub fn new(original: String) -> Self {
        let (left_stripped, right_stripped) = (false, false);
        ContentNode { from: 0, to: original.len(), original, left_stripped, right_stripped }
    }

    pub fn value(&self) -> &str {
        self.original.get(self.from..self.to).unwrap_or_default()
    }
}

/// The sides of a tag on which a `~` removes whitespace.
#[derive(Clone, Copy, Debug, Default)]
pub struct Strip {
    pub open: bool,
    pub close: bool,
}

#[derive(Debug)]
pub struct Mustache {
    pub call: CallExpression,
    pub is_escaped: bool,
    pub strip: Strip,
}

/// A name with its arguments, if it is called.
#[derive(Debug)]
pub struct CallExpression {
    pub name: Operand,
    pub params: Vec<Operand>,
    pub hash: Option<Hash>,
    /// Its tag or bracket in the source.
    pub tag: Span,
}

/// `name=value` and so on, in the order of handlebars.js. It may be empty: a literal `undefined` is left out.
pub type Hash = Vec<(String, Operand)>;

#[derive(Debug)]
pub struct Block {
    pub call: CallExpression,
    pub program: Option<BlockBody>,
    pub inverse: Option<BlockBody>,
    pub open_strip: Strip,
    pub inverse_strip: Strip,
    pub close_strip: Strip,
}

#[derive(Debug)]
pub struct Partial {
    pub name: PartialName,
    pub params: Vec<Operand>,
    pub hash: Option<Hash>,
    /// What stands in the block.
    pub program: Option<BlockBody>,
    /// The whitespace before a tag that is alone on its line.
    pub indent: String,
    pub open_strip: Strip,
    pub close_strip: Strip,
    pub tag: Span,
}

#[derive(Debug)]
pub enum PartialName {
    Written(String),
    /// A call gives the name when the text is rendered.
    Computed(Operand),
}

/// An argument of a call, or a name.
#[derive(Debug)]
pub enum Operand {
    Path(PathExpression),
    Text(String),
    Number(f64),
    Bool(bool),
    Null,
    Undefined,
    Call(Box<CallExpression>),
}

#[derive(Debug)]
pub struct PathExpression {
    /// Whether it begins with `@`.
    pub is_data: bool,
    /// How many `../` it begins with.
    pub depth: usize,
    pub parts: Vec<String>,
    /// As it is written, without the brackets of names in brackets.
    pub original: String,
    /// Whether it is marked as a member of `this`, and so is neither a helper nor a block parameter.
    pub is_scoped: bool,
    /// Whether a name in it holds a dash outside of brackets.
    pub is_dashed: bool,
    pub tag: Span,
}

impl PathExpression {
    /// Whether it is a single name that could be a helper's.
    pub fn is_simple(&self) -> bool {
        self.parts.len() == 1 && self.depth == 0 && !self.is_scoped
    }
}

impl Operand {
    /// Whether JavaScript sees a text in it: it distinguishes `12` from `"12"`.
    pub fn is_text(&self) -> bool {
        matches!(self, Operand::Path(_) | Operand::Text(_))
    }

    /// The text of a name, or of a literal in place of one.
    pub fn as_name(&self) -> String {
        match self {
            Operand::Path(path) => path.original.clone(),
            Operand::Text(text) => text.clone(),
            Operand::Number(number) => {
                let mut text = String::new();
                number::write(*number, &mut text);
                text
            }
            Operand::Bool(flag) => flag.to_string(),
            Operand::Null => "null".to_owned(),
            Operand::Undefined => "undefined".to_owned(),
            Operand::Call(_) => String::new(),
        }
    }
}

impl CallExpression {
    /// Whether it has arguments.
    pub fn has_arguments(&self) -> bool {
        !self.params.is_empty() || self.hash.is_some()
    }

    /// Its named arguments.
    pub fn named(&self) -> &[(String, Operand)] {
        self.hash.as_deref().unwrap_or_default()
    }

    /// Calls `see` with every path that is looked up for it, including its own name if it is called without arguments.
    pub fn each_path<'t>(&'t self, in_brackets: bool, see: &mut dyn FnMut(&'t PathExpression)) {
        if !in_brackets
            && !self.has_arguments()
            && let Operand::Path(path) = &self.name
        {
            see(path);
        }
        each_path(&self.params, self.named(), see);
    }
}

impl Partial {
    /// Its named arguments.
    pub fn named(&self) -> &[(String, Operand)] {
        self.hash.as_deref().unwrap_or_default()
    }

    /// Calls `see` with every path that is looked up for it.
    pub fn each_path<'t>(&'t self, see: &mut dyn FnMut(&'t PathExpression)) {
        if let PartialName::Computed(Operand::Call(call)) = &self.name {
            call.each_path(true, see);
        }
        each_path(&self.params, self.named(), see);
    }
}

fn each_path<'t>(params: &'t [Operand], hash: &'t [(String, Operand)], see: &mut dyn FnMut(&'t PathExpression)) {
    for operand in params.iter().chain(hash.iter().map(|(_, value)| value)) {
        match operand {
            Operand::Path(path) => see(path),
            Operand::Call(call) => call.each_path(true, see),
            _ => {}
        }
    }
}

/// A part of the source, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    pub start: usize,
    pub end: usize,
}
