//! From tokens to a tree, by the grammar of handlebars.js 4.7 (`handlebars.yy`).

use std::collections::HashMap;

use super::error::{Place, SyntaxError};
use super::lexer::{Lexeme, Lexer, Opening, OpeningKind};
use super::tree::{
    AstNode, Block, BlockBody, CallExpression, ContentNode, Hash, Mustache, Operand, Partial, PartialName,
    PathExpression, Span, Strip,
};
use super::whitespace;
use crate::template::budget::{NESTING, PARTS};

type Result<T> = std::result::Result<T, SyntaxError>;

/// The most parameters that a block may name. It gives two at most.
const BLOCK_PARAMS_LIMIT: usize = 16;

/// Parses a text, and returns how many parts its tags have.
pub fn parse(source: &str) -> Result<(BlockBody, usize)> {
    let mut lexer = Lexer::new(source);
    let token = lexer.next()?;
    let mut parser = Parser { lexer, token, end: 0, nesting: 0, parts: 0, leads_out: false };
    let mut body = parser.body()?;
    if parser.token != Lexeme::End {
        return Err(parser.stray());
    }
    whitespace::strip(&mut body);
    Ok((body, parser.parts))
}

/// Operators of other languages, the longer ones first, and the helpers in place of them.
const OPERATORS: [(&str, &str); 14] = [
    ("===", "condition"),
    ("!==", "condition"),
    ("==", "condition"),
    ("!=", "condition"),
    ("<=", "condition"),
    (">=", "condition"),
    ("&&", "and"),
    ("||", "or"),
    ("<", "condition"),
    (">", "condition"),
    ("!", "not"),
    ("+", "add"),
    ("*", "multiply"),
    ("%", "mod"),
];

struct Parser<'s> {
    lexer: Lexer<'s>,
    /// The next token.
    token: Lexeme,
    /// The end of the token before it.
    end: usize,
    nesting: usize,
    parts: usize,
    /// Whether a path of the program being read leads out of it.
    leads_out: bool,
}

/// The part after the content of a block.
enum Otherwise {
    /// `{{else}}`
    Plain(Strip, BlockBody),
    /// `{{else if …}}`
    Chain(Strip, Box<Block>, LeadsOut),
}

type LeadsOut = bool;

/// The opening tag of a block.
struct Opened {
    call: CallExpression,
    block_params: Vec<String>,
    strip: Strip,
}

impl Parser<'_> {
    fn next(&mut self) -> Result<Lexeme> {
        self.end = self.lexer.end();
        let next = self.lexer.next()?;
        Ok(std::mem::replace(&mut self.token, next))
    }

    fn error_at(&self, tag: Span, problem: impl Into<String>) -> SyntaxError {
        SyntaxError { problem: problem.into(), place: Place::of(self.lexer.source, tag) }
    }

    /// The error if what was expected is not here.
    fn expected(&self, what: &str) -> SyntaxError {
        let is_open = matches!(self.token, Lexeme::End) || !self.lexer.closes();
        if is_open {
            let is_there = what == "'}}'" || matches!(self.token, Lexeme::Unended(_, None));
            let what = if is_there { String::new() } else { format!("{what} and ") };
            return self.error_at(self.lexer.tag(), format!("the tag is left open: expected {what}'}}}}'"));
        }
        if let Some(error) = self.operator() {
            return error;
        }
        let mut problem = format!("expected {what}, found {}", self.token.name());
        if matches!(self.token, Lexeme::CloseUnescaped(_)) {
            problem.push_str("; put a space between '}}' and '}' if the last is not the tag's");
        }
        self.error_at(self.lexer.tag(), problem)
    }

    /// The error about an operator, which tags do not have, with its replacement.
    fn operator(&self) -> Option<SyntaxError> {
        let (source, start) = (self.lexer.source, self.lexer.start);
        let at = match self.token {
            // The first sign was read as the one behind a name.
            Lexeme::Equals if source.get(..start)?.ends_with('=') => start - 1,
            Lexeme::Equals | Lexeme::Pipe => start,
            Lexeme::Invalid(_) | Lexeme::Unended(..) => {
                let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '@');
                source.len() - source.get(start..)?.trim_start_matches(is_part).len()
            }
            _ => return None,
        };
        let (operator, helper) = OPERATORS.iter().find(|(sign, _)| source[at..].starts_with(sign))?;
        let instead = match *helper {
            "condition" => format!("{{{{#if (condition a \"{operator}\" b)}}}}"),
            "not" => "{{#if (not a)}}".to_owned(),
            helper @ ("and" | "or") => format!("{{{{#if ({helper} a b)}}}}"),
            helper => format!("{{{{{helper} a b}}}}"),
        };
        let mut place = Place::of(source, Span { start: at, end: at });
        place.tag = Place::of(source, self.lexer.tag()).tag;
        let problem = format!("a tag knows no '{operator}'; write {instead}");
        Some(SyntaxError { problem, place })
    }

    /// The error about a tag that closes or continues what was not opened.
    fn stray(&self) -> SyntaxError {
        let problem = match &self.token {
            Lexeme::Inverse { .. } | Lexeme::Open(Opening { kind: OpeningKind::InverseChain, .. }) => {
                "expected an open block before it, such as {{#if …}}"
            }
            Lexeme::Open(_) => "expected an open block that it closes",
            _ => "was not expected here",
        };
        self.error_at(self.lexer.tag(), problem)
    }

    /// Goes one level deeper.
    fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.nesting += 1;
        if self.nesting > NESTING {
            let problem = format!("expected at most {NESTING} nested blocks and brackets");
            return Err(self.error_at(self.lexer.tag(), problem));
        }
        let read = read(self);
        self.nesting -= 1;
        read
    }

    fn body(&mut self) -> Result<BlockBody> {
        let (nodes, leads_out) = self.watched(Self::nodes)?;
        Ok(BlockBody { nodes, block_params: Vec::new(), leads_out, chained: false })
    }

    /// Reads a program, and returns whether a path in it leads out.
    fn watched<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<(T, LeadsOut)> {
        let outer = std::mem::take(&mut self.leads_out);
        let read = read(self)?;
        let leads_out = self.leads_out;
        self.leads_out |= outer;
        Ok((read, leads_out))
    }

    fn nodes(&mut self) -> Result<Vec<AstNode>> {
        let mut nodes = Vec::new();
        loop {
            let node = match &self.token {
                Lexeme::Content(_) => AstNode::Content(ContentNode::new(self.content()?)),
                Lexeme::Comment { open, close } => {
                    let strip = Strip { open: *open, close: *close };
                    self.count_part()?;
                    self.next()?;
                    AstNode::Comment(strip)
                }
                Lexeme::OpenRawBlock => self.raw_block()?,
                Lexeme::Open(opening) => {
                    let opening = *opening;
                    match opening.kind {
                        OpeningKind::EndBlock | OpeningKind::InverseChain => break,
                        OpeningKind::Partial => self.partial(opening)?,
                        OpeningKind::PartialBlock => self.nested(|it| it.partial_block(opening))?,
                        OpeningKind::Block | OpeningKind::DecoratorBlock | OpeningKind::Inverse => {
                            self.nested(|it| it.block(opening))?
                        }
                        OpeningKind::Decorator => {
                            return Err(self.error_at(
                                self.lexer.tag(),
                                "decorators ({{* name}}) are not supported; expected a name, a helper or a partial",
                            ));
                        }
                        _ => self.mustache(opening)?,
                    }
                }
                _ => break,
            };
            nodes.push(node);
        }
        Ok(nodes)
    }

    /// The next words.
    fn content(&mut self) -> Result<String> {
        match self.next()? {
            Lexeme::Content(words) => Ok(words),
            _ => Ok(String::new()),
        }
    }

    fn mustache(&mut self, opening: Opening) -> Result<AstNode> {
        let tag = self.lexer.tag();
        self.next()?;
        let call = self.call(tag)?;
        let is_triple = opening.kind == OpeningKind::Unescaped;
        let close = match self.token {
            Lexeme::CloseUnescaped(close) if is_triple => close,
            Lexeme::Close(close) if !is_triple => close,
            _ if is_triple => return Err(self.expected("'}}}'")),
            _ => return Err(self.expected("'}}'")),
        };
        self.next()?;
        let is_escaped = !is_triple && opening.kind != OpeningKind::Ampersand;
        Ok(AstNode::Mustache(Mustache { call, is_escaped, strip: Strip { open: opening.strip, close } }))
    }

    /// A name, what follows it, and nothing behind.
    fn call(&mut self, tag: Span) -> Result<CallExpression> {
        let name = self.name()?;
        let params = self.params()?;
        let hash = self.hash()?;
        Ok(CallExpression { name, params, hash, tag })
    }

    fn begins_operand(&self) -> bool {
        matches!(
            self.token,
            Lexeme::Id(..)
                | Lexeme::Data
                | Lexeme::Text(_)
                | Lexeme::Number(_)
                | Lexeme::Bool(_)
                | Lexeme::Undefined
                | Lexeme::Null
                | Lexeme::OpenCall
        )
    }

    /// Whether a name comes next that is given a value.
    fn begins_pair(&self) -> bool {
        matches!(self.token, Lexeme::Id(..)) && self.lexer.is_followed_by('=')
    }

    fn params(&mut self) -> Result<Vec<Operand>> {
        let mut params = Vec::new();
        while self.begins_operand() && !self.begins_pair() {
            params.push(self.operand()?);
        }
        Ok(params)
    }

    /// `name=value` and so on, in the order of handlebars.js: the last comes first, and of a repeated name the first
    /// counts.
    fn hash(&mut self) -> Result<Option<Hash>> {
        let mut pairs: Hash = Vec::new();
        while self.begins_pair() {
            let Lexeme::Id(name, _) = self.next()? else { break };
            self.next()?;
            if !self.begins_operand() {
                return Err(self.expected(&format!("a value behind '{name}='")));
            }
            pairs.push((name, self.operand()?));
        }
        if self.begins_operand() && !pairs.is_empty() {
            return Err(self.expected("no value without a name behind one with a name"));
        }
        if pairs.is_empty() {
            return Ok(None);
        }
        let mut hash: Hash = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        for (name, value) in pairs.into_iter().rev() {
            match places.get(&name).and_then(|place| hash.get_mut(*place)) {
                Some(pair) => pair.1 = value,
                None => {
                    places.insert(name.clone(), hash.len());
                    hash.push((name, value));
                }
            }
        }
        // As in handlebars.js a literal `undefined` is left out.
        hash.retain(|(_, value)| !matches!(value, Operand::Undefined));
        Ok(Some(hash))
    }

    fn operand(&mut self) -> Result<Operand> {
        if self.token != Lexeme::OpenCall {
            return self.name();
        }
        let start = self.lexer.start;
        self.next()?;
        let call = self.nested(|it| it.call(Span::default()))?;
        if self.token != Lexeme::CloseCall {
            return Err(self.expected("')'"));
        }
        let tag = Span { start, end: self.lexer.end() };
        self.next()?;
        Ok(Operand::Call(Box::new(CallExpression { tag, ..call })))
    }

    fn count_part(&mut self) -> Result<()> {
        self.parts += 1;
        if self.parts > PARTS {
            return Err(self.error_at(self.lexer.tag(), format!("expected at most {PARTS} tags and arguments")));
        }
        Ok(())
    }

    fn name(&mut self) -> Result<Operand> {
        self.count_part()?;
        let operand = match &self.token {
            Lexeme::Text(text) => Operand::Text(text.clone()),
            Lexeme::Number(number) => Operand::Number(*number),
            Lexeme::Bool(flag) => Operand::Bool(*flag),
            Lexeme::Undefined => Operand::Undefined,
            Lexeme::Null => Operand::Null,
            Lexeme::Id(..) | Lexeme::Data => return self.path().map(Operand::Path),
            _ => return Err(self.expected("a name")),
        };
        self.next()?;
        Ok(operand)
    }

    fn path(&mut self) -> Result<PathExpression> {
        let start = self.lexer.start;
        let is_data = self.token == Lexeme::Data;
        let original = if is_data { "@" } else { "" }.to_owned();
        let tag = Span { start, end: start };
        let mut path =
            PathExpression { is_data, depth: 0, parts: Vec::new(), original, is_scoped: false, is_dashed: false, tag };
        if is_data {
            self.next()?;
        }
        loop {
            let Lexeme::Id(name, in_brackets) = &self.token else {
                let what =
                    if path.original.is_empty() || path.original == "@" { "a name" } else { "a name behind '.'" };
                let mut error = self.expected(what);
                if let Lexeme::Number(number) = &self.token {
                    error.problem.push_str(&format!("; write [{number}] for an index"));
                }
                return Err(error);
            };
            let mut is_part = false;
            path.original.push_str(name);
            // Brackets that are a part of the name surround it as well.
            let stands_open = !in_brackets && !name.starts_with('[');
            path.is_dashed |= stands_open && name.contains('-') && !(is_data && name == "partial-block");
            if !in_brackets && matches!(name.as_str(), ".." | "." | "this") {
                if !path.parts.is_empty() {
                    let problem = format!("expected '{name}' at the beginning of a path only");
                    return Err(self.error_at(self.lexer.tag(), problem));
                }
                path.depth += usize::from(name == "..");
                if path.depth > NESTING {
                    let problem = format!("expected at most {NESTING} '../' in one path");
                    return Err(self.error_at(self.lexer.tag(), problem));
                }
                self.leads_out |= path.depth > 0;
            } else {
                is_part = true;
            }
            if let (Lexeme::Id(name, _), true) = (self.next()?, is_part) {
                path.parts.push(name);
            }
            while matches!(self.token, Lexeme::Index(_)) {
                if let Lexeme::Index(index) = self.next()? {
                    path.original.push('.');
                    path.original.push_str(&index);
                    path.parts.push(index);
                }
            }
            path.tag.end = self.end;
            let Lexeme::Separator(separator) = self.token else {
                path.is_scoped = is_scoped(&path.original);
                return Ok(path);
            };
            path.original.push(separator);
            self.next()?;
        }
    }

    fn close(&mut self) -> Result<bool> {
        let Lexeme::Close(close) = self.token else { return Err(self.expected("'}}'")) };
        self.next()?;
        Ok(close)
    }

    fn block_params(&mut self) -> Result<Vec<String>> {
        if self.token != Lexeme::OpenBlockParams {
            return Ok(Vec::new());
        }
        self.next()?;
        let mut names = Vec::new();
        while let Lexeme::Id(name, in_brackets) = &self.token {
            if *in_brackets {
                return Err(self.expected("names without brackets"));
            }
            names.push(name.clone());
            if names.len() > BLOCK_PARAMS_LIMIT {
                return Err(self.expected(&format!("at most {BLOCK_PARAMS_LIMIT} names")));
            }
            self.next()?;
        }
        if names.is_empty() || self.token != Lexeme::Pipe {
            return Err(self.expected("names and then '|'"));
        }
        self.next()?;
        Ok(names)
    }

    /// The opening tag of a block, after the token that opens it.
    fn opened(&mut self, opening: Opening, tag: Span) -> Result<Opened> {
        let call = self.call(tag)?;
        let block_params = self.block_params()?;
        let strip = Strip { open: opening.strip, close: self.close()? };
        Ok(Opened { call, block_params, strip })
    }

    fn block(&mut self, opening: Opening) -> Result<AstNode> {
        let tag = self.lexer.tag();
        self.next()?;
        let Opened { call, block_params, strip } = self.opened(opening, tag)?;
        let is_inline = opening.kind == OpeningKind::DecoratorBlock;
        let is_inverted = opening.kind == OpeningKind::Inverse;
        let program = BlockBody { block_params, ..self.body()? };
        let otherwise = self.otherwise(!is_inverted, tag)?;
        let close_strip = self.end_of_block(&call.name, tag)?;
        let block =
            joined(Opened { call, block_params: Vec::new(), strip }, program, otherwise, close_strip, is_inverted);
        match is_inline {
            true if block.inverse.is_some() => Err(self.error_at(tag, "expected no {{else}} in an inline partial")),
            true => {
                self.leads_out = true;
                Ok(AstNode::Inline(Box::new(block)))
            }
            false => Ok(AstNode::Block(Box::new(block))),
        }
    }

    /// `{{else}}` and what is behind it, or a chain of `{{else if}}`.
    fn otherwise(&mut self, may_chain: bool, opened: Span) -> Result<Option<Otherwise>> {
        match self.token {
            Lexeme::Inverse { open, close } => {
                self.next()?;
                Ok(Some(Otherwise::Plain(Strip { open, close }, self.body()?)))
            }
            Lexeme::Open(opening) if opening.kind == OpeningKind::InverseChain && may_chain => {
                let ((strip, block), leads_out) = self.watched(|it| it.nested(|it| it.chain(opening, opened)))?;
                Ok(Some(Otherwise::Chain(strip, block, leads_out)))
            }
            _ => Ok(None),
        }
    }

    fn chain(&mut self, opening: Opening, opened: Span) -> Result<(Strip, Box<Block>)> {
        let tag = self.lexer.tag();
        self.next()?;
        let Opened { call, block_params, strip } = self.opened(opening, tag)?;
        let program = BlockBody { block_params, ..self.body()? };
        let otherwise = self.otherwise(true, opened)?;
        // As in handlebars.js, what follows stands for the closing tag until the whole block has its own.
        let close_strip = match &otherwise {
            Some(Otherwise::Plain(strip, _) | Otherwise::Chain(strip, ..)) => *strip,
            None => Strip::default(),
        };
        let block = joined(Opened { call, block_params: Vec::new(), strip }, program, otherwise, close_strip, false);
        Ok((strip, Box::new(block)))
    }

    fn end_of_block(&mut self, name: &Operand, opened: Span) -> Result<Strip> {
        let opened_name = name;
        let name = name.as_name();
        let Lexeme::Open(Opening { kind: OpeningKind::EndBlock, strip: open }) = self.token else {
            let found = match self.token {
                Lexeme::End => String::new(),
                _ => format!(", found {} of {}", self.token.name(), Place::of(self.lexer.source, self.lexer.tag())),
            };
            let problem = format!("the block is left open: expected {{{{/{name}}}}} behind it{found}");
            return Err(self.error_at(opened, problem));
        };
        let tag = self.lexer.tag();
        self.next()?;
        let closed = self.name()?;
        if closed.as_name() != name || closed.is_text() != opened_name.is_text() {
            let place = Place::of(self.lexer.source, opened);
            return Err(self.error_at(tag, format!("expected {{{{/{name}}}}}, which closes the block of {place}")));
        }
        Ok(Strip { open, close: self.close()? })
    }

    fn raw_block(&mut self) -> Result<AstNode> {
        let tag = self.lexer.tag();
        self.next()?;
        let call = self.call(tag)?;
        if self.token != Lexeme::CloseRawBlock {
            return Err(self.expected("'}}}}'"));
        }
        self.next()?;
        let mut nodes = Vec::new();
        while matches!(self.token, Lexeme::Content(_)) {
            nodes.push(AstNode::Content(ContentNode::new(self.content()?)));
        }
        let name = call.name.as_name();
        match &self.token {
            Lexeme::EndRawBlock(closed) if *closed == name => {}
            _ => {
                let problem = format!("expected {{{{{{{{/{name}}}}}}}}} behind it, found {}", self.token.name());
                return Err(self.error_at(tag, problem));
            }
        }
        self.next()?;
        let strip = Strip::default();
        Ok(AstNode::Block(Box::new(Block {
            call,
            program: Some(BlockBody { nodes, ..BlockBody::default() }),
            inverse: None,
            open_strip: strip,
            inverse_strip: strip,
            close_strip: strip,
        })))
    }

    /// The tag of a partial up to its end, and the name that closes it.
    fn partial_tag(&mut self, opening: Opening) -> Result<(Partial, String)> {
        let tag = self.lexer.tag();
        self.next()?;
        let leads_out = self.leads_out;
        let name = self.operand()?;
        let closed_by = name.as_name();
        let name = match name {
            Operand::Call(_) => PartialName::Computed(name),
            name => {
                // A name with dots in it is not a path.
                self.leads_out = leads_out;
                PartialName::Written(name.as_name())
            }
        };
        let (params, hash) = (self.params()?, self.hash()?);
        if params.len() > 1 {
            return Err(self.error_at(tag, format!("expected at most one value for a partial, found {}", params.len())));
        }
        let open_strip = Strip { open: opening.strip, close: self.close()? };
        let (program, indent, close_strip) = (None, String::new(), Strip::default());
        Ok((Partial { name, params, hash, program, indent, open_strip, close_strip, tag }, closed_by))
    }

    fn partial(&mut self, opening: Opening) -> Result<AstNode> {
        let (partial, _) = self.partial_tag(opening)?;
        Ok(AstNode::Partial(Box::new(partial)))
    }

    fn partial_block(&mut self, opening: Opening) -> Result<AstNode> {
        let (mut partial, name) = self.partial_tag(opening)?;
        partial.program = Some(self.body()?);
        partial.close_strip = self.end_of_block(&Operand::Text(name), partial.tag)?;
        Ok(AstNode::PartialBlock(Box::new(partial)))
    }
}

/// As in handlebars.js a `this` at the end of any name makes it scoped.
fn is_scoped(original: &str) -> bool {
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let bytes = original.as_bytes();
    let says_this = |(at, four): (usize, &[u8])| four == b"this" && !bytes.get(at + 4).is_some_and(is_word);
    original.starts_with('.') || bytes.windows(4).enumerate().any(says_this)
}

/// A block made of its parts.
fn joined(
    opened: Opened,
    program: BlockBody,
    otherwise: Option<Otherwise>,
    close_strip: Strip,
    is_inverted: bool,
) -> Block {
    let (inverse_strip, inverse) = match otherwise {
        None => (Strip::default(), None),
        Some(Otherwise::Plain(strip, program)) => (strip, Some(program)),
        Some(Otherwise::Chain(strip, mut block, leads_out)) => {
            block.close_strip = close_strip;
            let nodes = vec![AstNode::Block(block)];
            (strip, Some(BlockBody { nodes, block_params: Vec::new(), leads_out, chained: true }))
        }
    };
    let (program, inverse) = match is_inverted {
        true => (inverse, Some(program)),
        false => (Some(program), inverse),
    };
    Block { call: opened.call, program, inverse, open_strip: opened.strip, inverse_strip, close_strip }
}
