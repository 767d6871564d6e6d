//! The conditions of elements and of routing. Courier's documentation writes them in three ways (`data.count === 3`,
//! Jsonnet's `==`, and `{{user.isPremium}}`), so all of these are understood.

use super::compiler::{CompileError, Compiler, Jump, Resolve};
use super::parsed_text::ParsedText;
use crate::error::shown;
use crate::json::cut;
use crate::template::operations::Comparison;
use crate::template::program::{Constant, Instruction, JumpTarget};
use crate::template::syntax::SyntaxError;

type Result<T> = std::result::Result<T, CompileError>;

/// Words and signs in one condition. Reading it recurses with the brackets and operators in it.
const TOKENS_LIMIT: usize = 400;

/// A condition, understood.
#[derive(Debug)]
pub struct ParsedCondition(ConditionNode);

#[derive(Debug)]
enum ConditionNode {
    Literal(Constant),
    /// A path such as `data.items.length`.
    Path(Vec<String>),
    /// A text that is rendered first.
    Text(ParsedText),
    Not(Box<ConditionNode>),
    And(Box<ConditionNode>, Box<ConditionNode>),
    Or(Box<ConditionNode>, Box<ConditionNode>),
    Compare(Comparison, Box<ConditionNode>, Box<ConditionNode>),
}

impl ParsedCondition {
    pub fn parse(source: &str) -> Result<Self> {
        let trimmed = source.trim();
        let tag = trimmed.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
        let is_path = |tag: &str| tag.trim().chars().all(|c| c.is_alphanumeric() || "_$.[]".contains(c));
        if tag.is_some_and(|tag| tag.starts_with(['#', '^']) || !tag.contains("}}") && !is_path(tag)) {
            let text = ParsedText::parse(trimmed).map_err(|error| wrong_text(error.into()))?;
            return Ok(ParsedCondition(ConditionNode::Text(text)));
        }
        if trimmed.starts_with("{{#") {
            ParsedText::parse(trimmed).map_err(|error| wrong_text(error.into()))?;
        }
        let tokens = tokens(trimmed).map_err(wrong)?;
        if tokens.len() > TOKENS_LIMIT {
            let problem = format!("expected at most {TOKENS_LIMIT} words and signs in one condition");
            return Err(CompileError::Other(problem));
        }
        let mut parser = Parser { tokens: &tokens };
        let parsed = parser.any().and_then(|node| match parser.tokens {
            [] => Ok(node),
            [(at, ConditionToken::Sign("=")), ..] => Err(format!("expected '==' at character {at}, found '='")),
            [(at, token), ..] => {
                Err(format!("expected an operator such as == or && at character {at}, found {}", token.name()))
            }
        });
        parsed.map(ParsedCondition).map_err(wrong)
    }
}

fn wrong(problem: impl std::fmt::Display) -> CompileError {
    CompileError::Other(format!("not a valid condition: {problem}"))
}

/// The same of a text in the place of a condition.
fn wrong_text(error: CompileError) -> CompileError {
    match error {
        CompileError::Syntax(SyntaxError { problem, place }) => wrong(format!("{place}: {problem}")),
        other => other,
    }
}

impl Compiler<'_> {
    /// What follows up to [`Compiler::land`] is written if the condition holds. `resolve` pushes what a name stands for.
    pub fn begin_if(&mut self, condition: &ParsedCondition, resolve: &mut Resolve<'_>) -> Result<Jump> {
        self.condition(condition, resolve)?;
        Ok(self.jump(Instruction::JumpUnless(JumpTarget::MAX)))
    }

    /// Pushes what a condition comes to.
    pub fn condition(&mut self, condition: &ParsedCondition, resolve: &mut Resolve<'_>) -> Result<()> {
        self.check_size()?;
        self.condition_node(&condition.0, resolve)
    }

    fn condition_node(&mut self, node: &ConditionNode, resolve: &mut Resolve<'_>) -> Result<()> {
        match node {
            ConditionNode::Literal(constant) => self.push_constant(constant.clone()),
            ConditionNode::Path(path) => resolve(self, path).map_err(wrong)?,
            ConditionNode::Text(text) => self.push_answer(text).map_err(wrong_text)?,
            ConditionNode::Not(node) => {
                self.condition_node(node, resolve)?;
                self.push(Instruction::Not);
            }
            ConditionNode::And(left, right) | ConditionNode::Or(left, right) => {
                let op = if matches!(node, ConditionNode::And(..)) {
                    Instruction::JumpUnlessOrPop(JumpTarget::MAX)
                } else {
                    Instruction::JumpIfOrPop(JumpTarget::MAX)
                };
                self.condition_node(left, resolve)?;
                let decided = self.jump(op);
                self.condition_node(right, resolve)?;
                self.land(decided);
            }
            ConditionNode::Compare(comparison, left, right) => {
                self.condition_node(left, resolve)?;
                self.condition_node(right, resolve)?;
                self.push(Instruction::Compare(*comparison));
            }
        }
        Ok(())
    }
}

#[derive(Clone, Debug)]
enum ConditionToken {
    Value(Constant),
    Name(Vec<String>),
    Sign(&'static str),
}

impl ConditionToken {
    fn name(&self) -> String {
        match self {
            ConditionToken::Value(Constant::Text(text)) => cut(text),
            ConditionToken::Value(Constant::Number(number)) => number.to_string(),
            ConditionToken::Value(Constant::Bool(flag)) => flag.to_string(),
            ConditionToken::Value(_) => "null".to_owned(),
            ConditionToken::Name(path) => format!("'{}'", shown(&path.join("."))),
            ConditionToken::Sign(sign) => format!("'{sign}'"),
        }
    }
}

/// Signs, the longer ones first, and what they mean.
const SIGNS: [(&str, &str); 16] = [
    ("===", "==="),
    ("!==", "!=="),
    ("==", "=="),
    ("!=", "!="),
    ("<=", "<="),
    (">=", ">="),
    ("&&", "&&"),
    ("||", "||"),
    // What stands between braces is a condition of its own, as between brackets.
    ("{{", "("),
    ("}}", ")"),
    ("<", "<"),
    (">", ">"),
    ("!", "!"),
    ("(", "("),
    (")", ")"),
    ("=", "="),
];

type ParseResult<T> = std::result::Result<T, String>;

/// The words and signs of a condition, each with the character at which it begins.
fn tokens(source: &str) -> ParseResult<Vec<(usize, ConditionToken)>> {
    let count = |text: Option<&str>| text.unwrap_or_default().chars().count();
    let (mut found, mut rest, mut at) = (Vec::new(), source, 1);
    loop {
        let trimmed = rest.trim_start();
        at += count(rest.get(..rest.len() - trimmed.len()));
        rest = trimmed;
        let Some(first) = rest.chars().next().filter(|_| found.len() <= TOKENS_LIMIT) else { return Ok(found) };
        let (token, length) = token(rest, first, at)?;
        found.push((at, token));
        at += count(rest.get(..length));
        rest = rest.get(length..).unwrap_or_default();
    }
}

/// What a text begins with, and how long that is.
fn token(text: &str, first: char, at: usize) -> ParseResult<(ConditionToken, usize)> {
    if let Some((sign, meaning)) = SIGNS.iter().find(|(sign, _)| text.starts_with(sign)) {
        return Ok((ConditionToken::Sign(meaning), sign.len()));
    }
    if matches!(first, '"' | '\'' | '`') {
        let (text, length) = quoted(text, first).ok_or_else(|| format!("the quote at character {at} is left open"))?;
        let variable = text.trim().strip_prefix("{{").and_then(|it| it.strip_suffix("}}")).and_then(whole_path);
        return Ok((
            variable.map_or_else(|| ConditionToken::Value(Constant::Text(text)), ConditionToken::Name),
            length,
        ));
    }
    if first.is_ascii_digit() || first == '-' {
        let length = number_length(text);
        let number = text.get(..length).and_then(|text| text.parse().ok());
        let number = number.ok_or_else(|| format!("expected a number at character {at}"))?;
        return Ok((ConditionToken::Value(Constant::Number(number)), length));
    }
    let (path, length) =
        path(text).ok_or_else(|| format!("expected a value or an operator at character {at}, found '{first}'"))?;
    let token = match path.as_slice() {
        [word] if word == "true" || word == "false" => ConditionToken::Value(Constant::Bool(word == "true")),
        [word] if word == "null" => ConditionToken::Value(Constant::Null),
        [word] if word == "undefined" => ConditionToken::Value(Constant::Undefined),
        _ => ConditionToken::Name(path),
    };
    Ok((token, length))
}

/// How long the number is with which a text begins: one of JSON, such as `-1.5e-3`.
fn number_length(text: &str) -> usize {
    let digits = |from: usize| text.bytes().skip(from).take_while(u8::is_ascii_digit).count();
    let starts = |from: usize, signs: &[u8]| text.as_bytes().get(from).is_some_and(|byte| signs.contains(byte));
    let mut length = usize::from(text.starts_with('-'));
    length += digits(length);
    if starts(length, b".") {
        length += 1 + digits(length + 1);
    }
    if starts(length, b"eE") {
        let sign = usize::from(starts(length + 1, b"+-"));
        let exponent = digits(length + 1 + sign);
        length += if exponent > 0 { 1 + sign + exponent } else { 0 };
    }
    length
}

/// A text between quotes at the beginning of `rest`, and how long it is with them.
fn quoted(rest: &str, quote: char) -> Option<(String, usize)> {
    let mut text = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((i, c)) = chars.next() {
        match c {
            c if c == quote => return Some((text, i + c.len_utf8())),
            '\\' => match chars.next()?.1 {
                'n' => text.push('\n'),
                't' => text.push('\t'),
                c => text.push(c),
            },
            c => text.push(c),
        }
    }
    None
}

fn whole_path(text: &str) -> Option<Vec<String>> {
    let text = text.trim();
    path(text).filter(|(_, length)| *length == text.len()).map(|(path, _)| path)
}

/// A path such as `data.items[0]["first name"]`, and how long it is.
pub fn path(text: &str) -> Option<(Vec<String>, usize)> {
    let name = |text: &str| {
        let length = text.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '$'))).unwrap_or(text.len());
        text.get(..length).filter(|name| !name.is_empty()).map(str::to_owned)
    };
    let first = name(text)?;
    let mut at = first.len();
    let mut path = vec![first];
    loop {
        let rest = text.get(at..)?;
        if let Some(member) = rest.strip_prefix('.') {
            let member = name(member)?;
            at += 1 + member.len();
            path.push(member);
        } else if let Some(inside) = rest.strip_prefix('[') {
            let (member, length) = match inside.chars().next()? {
                quote @ ('"' | '\'') => quoted(inside, quote)?,
                _ => {
                    let end = inside.find(']')?;
                    (inside.get(..end)?.to_owned(), end)
                }
            };
            if !inside.get(length..)?.starts_with(']') {
                return None;
            }
            at += length + 2;
            path.push(member);
        } else {
            return Some((path, at));
        }
    }
}

struct Parser<'a> {
    tokens: &'a [(usize, ConditionToken)],
}

impl Parser<'_> {
    fn take(&mut self, signs: &[&str]) -> Option<&'static str> {
        match self.tokens {
            [(_, ConditionToken::Sign(sign)), rest @ ..] if signs.contains(sign) => {
                self.tokens = rest;
                Some(sign)
            }
            _ => None,
        }
    }

    fn any(&mut self) -> ParseResult<ConditionNode> {
        let mut node = self.all()?;
        while self.take(&["||"]).is_some() {
            node = ConditionNode::Or(Box::new(node), Box::new(self.all()?));
        }
        Ok(node)
    }

    fn all(&mut self) -> ParseResult<ConditionNode> {
        let mut node = self.comparison()?;
        while self.take(&["&&"]).is_some() {
            node = ConditionNode::And(Box::new(node), Box::new(self.comparison()?));
        }
        Ok(node)
    }

    fn comparison(&mut self) -> ParseResult<ConditionNode> {
        let mut node = self.single()?;
        while let Some(sign) = self.take(&["===", "!==", "==", "!=", "<=", ">=", "<", ">"]) {
            let comparison = Comparison::of(sign).ok_or_else(|| format!("expected a comparison, found '{sign}'"))?;
            node = ConditionNode::Compare(comparison, Box::new(node), Box::new(self.single()?));
        }
        Ok(node)
    }

    fn single(&mut self) -> ParseResult<ConditionNode> {
        if self.take(&["!"]).is_some() {
            return Ok(ConditionNode::Not(Box::new(self.single()?)));
        }
        if self.take(&["("]).is_some() {
            let node = self.any()?;
            return match (self.take(&[")"]), self.tokens.first()) {
                (Some(_), _) => Ok(node),
                (None, Some((at, token))) => Err(format!("expected ')' at character {at}, found {}", token.name())),
                (None, None) => Err("expected ')' at its end".to_owned()),
            };
        }
        let (at, token) = self
            .tokens
            .split_first()
            .map(|(first, rest)| {
                self.tokens = rest;
                first
            })
            .ok_or("expected a value at its end")?;
        match token {
            ConditionToken::Value(value) => Ok(ConditionNode::Literal(value.clone())),
            ConditionToken::Name(path) => Ok(ConditionNode::Path(path.clone())),
            ConditionToken::Sign("=") => Err(format!("expected '==' at character {at}")),
            ConditionToken::Sign(sign) => Err(format!("expected a value at character {at}, found '{sign}'")),
        }
    }
}
