//! The conditions of elements and of routing. Courier writes them in five ways (`data.count === 3`, the same in `{= }`,
//! Jsonnet's `std.length(data.items) > 0`, `{{user.isPremium}}`, and its designer's lists of tests). All of these are
//! supported.

use super::compiler::{CompileError, Compiler, Jump, Resolve};
use super::parsed_text::ParsedText;
use crate::error::shown;
use crate::json::cut;
use crate::template::conditions::{ConditionTest, FUNCTIONS, Operation};
use crate::template::operations::Comparison;
use crate::template::program::{Constant, Instruction, JumpTarget};
use crate::template::syntax::{SyntaxError, nearest};

type Result<T> = std::result::Result<T, CompileError>;

/// The most words and signs in one condition: parsing it recurses with its brackets and operators.
const TOKENS_LIMIT: usize = 400;

/// A parsed condition.
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
    /// On one value or on two.
    Operate(Operation, Vec<ConditionNode>),
}

impl ParsedCondition {
    pub fn parse(source: &str) -> Result<Self> {
        let trimmed = source.trim();
        let trimmed = trimmed.strip_prefix("{=").and_then(|rest| rest.strip_suffix('}')).map_or(trimmed, str::trim);
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

    /// A test of Courier's designer.
    pub fn test(property: &str, test: ConditionTest, value: &str) -> Result<Self> {
        let inside =
            |text: &str| text.trim().strip_prefix("{{").and_then(|it| it.strip_suffix("}}")).map(str::to_owned);
        let name = inside(property).unwrap_or_else(|| property.to_owned());
        let path = whole_path(&name).ok_or_else(|| {
            CompileError::Other(format!("expected a path such as \"data.plan\", found {}", cut(property)))
        })?;
        let value = match inside(value).and_then(|name| whole_path(&name)) {
            Some(path) => ConditionNode::Path(path),
            None => ConditionNode::Literal(Constant::Text(value.to_owned())),
        };
        Ok(ParsedCondition(ConditionNode::Operate(Operation::Test(test), vec![ConditionNode::Path(path), value])))
    }

    /// Holds if one of them does, or all. Without any it holds.
    pub fn joined(conditions: Vec<Self>, is_any: bool) -> Self {
        let join = if is_any { ConditionNode::Or } else { ConditionNode::And };
        let nodes = conditions.into_iter().map(|condition| condition.0);
        let joined = nodes.reduce(|one, other| join(Box::new(one), Box::new(other)));
        ParsedCondition(joined.unwrap_or(ConditionNode::Literal(Constant::Bool(true))))
    }
}

fn wrong(problem: impl std::fmt::Display) -> CompileError {
    CompileError::Other(format!("not a valid condition: {problem}"))
}

/// The same for a text in place of a condition.
fn wrong_text(error: CompileError) -> CompileError {
    match error {
        CompileError::Syntax(SyntaxError { problem, place }) => wrong(format!("{place}: {problem}")),
        other => other,
    }
}

impl Compiler<'_> {
    /// What follows up to [`Compiler::land`] is written if the condition holds. `resolve` pushes the value of a name.
    pub fn begin_if(&mut self, condition: &ParsedCondition, resolve: &mut Resolve<'_>) -> Result<Jump> {
        self.condition(condition, resolve)?;
        Ok(self.jump(Instruction::JumpUnless(JumpTarget::MAX)))
    }

    /// Pushes the value of a condition.
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
            ConditionNode::Operate(operation, operands) => {
                operands.iter().try_for_each(|operand| self.condition_node(operand, resolve))?;
                self.push(Instruction::Operate(*operation));
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
const SIGNS: [(&str, &str); 25] = [
    ("===", "==="),
    ("!==", "!=="),
    ("==", "=="),
    ("!=", "!="),
    ("<=", "<="),
    (">=", ">="),
    ("&&", "&&"),
    ("||", "||"),
    // The content of braces is a condition of its own, like that of brackets.
    ("{{", "("),
    ("}}", ")"),
    ("<", "<"),
    (">", ">"),
    ("!", "!"),
    ("(", "("),
    (")", ")"),
    ("[", "["),
    ("]", "]"),
    ("+", "+"),
    ("-", "-"),
    ("*", "*"),
    ("/", "/"),
    ("%", "%"),
    (",", ","),
    (".", "."),
    ("=", "="),
];

type ParseResult<T> = std::result::Result<T, String>;

/// The words and signs of a condition, each with the place of its first character.
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

/// The token at the start of a text, and its length.
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
    if first.is_ascii_digit() {
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

/// The length of the number at the start of a text, such as `1.5e-3`.
fn number_length(text: &str) -> usize {
    let digits = |from: usize| text.bytes().skip(from).take_while(u8::is_ascii_digit).count();
    let starts = |from: usize, signs: &[u8]| text.as_bytes().get(from).is_some_and(|byte| signs.contains(byte));
    let mut length = digits(0);
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

/// A quoted text at the start of `rest`, and its length with quotes.
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

/// A path such as `data.items[0]["first name"]`, and its length.
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
                    let index = inside.get(..end)?;
                    // Anything else in it is evaluated first.
                    if index.is_empty() || !index.bytes().all(|byte| byte.is_ascii_digit()) {
                        return Some((path, at));
                    }
                    (index.to_owned(), end)
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
        let mut node = self.order()?;
        while let Some(sign) = self.take(&["===", "!==", "==", "!="]) {
            node = compared(sign, node, self.order()?)?;
        }
        Ok(node)
    }

    fn order(&mut self) -> ParseResult<ConditionNode> {
        let mut node = self.sum()?;
        loop {
            if let Some(sign) = self.take(&["<=", ">=", "<", ">"]) {
                node = compared(sign, node, self.sum()?)?;
            } else if let [(_, ConditionToken::Name(word)), rest @ ..] = self.tokens
                && word.as_slice() == ["in"]
            {
                self.tokens = rest;
                node = ConditionNode::Operate(Operation::In, vec![node, self.sum()?]);
            } else {
                return Ok(node);
            }
        }
    }

    fn sum(&mut self) -> ParseResult<ConditionNode> {
        let mut node = self.product()?;
        while let Some(sign) = self.take(&["+", "-"]) {
            let operation = if sign == "+" { Operation::Add } else { Operation::Subtract };
            node = ConditionNode::Operate(operation, vec![node, self.product()?]);
        }
        Ok(node)
    }

    fn product(&mut self) -> ParseResult<ConditionNode> {
        let mut node = self.single()?;
        while let Some(sign) = self.take(&["*", "/", "%"]) {
            let operation = match sign {
                "*" => Operation::Multiply,
                "/" => Operation::Divide,
                _ => Operation::Remainder,
            };
            node = ConditionNode::Operate(operation, vec![node, self.single()?]);
        }
        Ok(node)
    }

    fn single(&mut self) -> ParseResult<ConditionNode> {
        if self.take(&["!"]).is_some() {
            return Ok(ConditionNode::Not(Box::new(self.single()?)));
        }
        if self.take(&["-"]).is_some() {
            return Ok(match self.single()? {
                ConditionNode::Literal(Constant::Number(number)) => ConditionNode::Literal(Constant::Number(-number)),
                node => ConditionNode::Operate(Operation::Negate, vec![node]),
            });
        }
        let mut node = self.value()?;
        loop {
            if self.take(&["["]).is_some() {
                let index = self.any()?;
                self.expect("]")?;
                node = member(node, index);
            } else if self.take(&["."]).is_some() {
                let Some(((_, ConditionToken::Name(path)), rest)) = self.tokens.split_first() else {
                    return Err(self.expected("a name"));
                };
                self.tokens = rest;
                for name in path {
                    node = member(node, ConditionNode::Literal(Constant::Text(name.clone())));
                }
            } else {
                return Ok(node);
            }
        }
    }

    fn value(&mut self) -> ParseResult<ConditionNode> {
        if self.take(&["("]).is_some() {
            let node = self.any()?;
            self.expect(")")?;
            return Ok(node);
        }
        let Some(((at, token), rest)) = self.tokens.split_first() else {
            return Err("expected a value at its end".to_owned());
        };
        self.tokens = rest;
        match token {
            ConditionToken::Value(value) => Ok(ConditionNode::Literal(value.clone())),
            ConditionToken::Name(path) if self.take(&["("]).is_some() => self.call(path, *at),
            ConditionToken::Name(path) => Ok(ConditionNode::Path(path.clone())),
            ConditionToken::Sign("=") => Err(format!("expected '==' at character {at}")),
            ConditionToken::Sign(sign) => Err(format!("expected a value at character {at}, found '{sign}'")),
        }
    }

    /// A function of Jsonnet's, with its bracket open.
    fn call(&mut self, path: &[String], at: usize) -> ParseResult<ConditionNode> {
        let mut arguments = Vec::new();
        if self.take(&[")"]).is_none() {
            loop {
                arguments.push(self.any()?);
                if self.take(&[","]).is_none() {
                    break;
                }
            }
            self.expect(")")?;
        }
        let name = match path {
            // `data("plan")` and `std.extVar("data")`, as in Courier's Jsonnet.
            [root] if root == "data" || root == "profile" => {
                return Ok(ConditionNode::Path(vec![root.clone()]).of(arguments));
            }
            [std, name] if std == "std" => name.as_str(),
            _ => return Err(format!("there is no function '{}' at character {at}", shown(&path.join(".")))),
        };
        if name == "extVar" {
            return match arguments.as_slice() {
                [ConditionNode::Literal(Constant::Text(root))] => Ok(ConditionNode::Path(vec![root.clone()])),
                _ => Err(format!("std.extVar at character {at}: expected a name in quotes")),
            };
        }
        let Some((_, operation)) = FUNCTIONS.iter().find(|(known, _)| *known == name) else {
            let known = FUNCTIONS.iter().map(|(known, _)| *known).chain(["extVar"]);
            let hint = nearest(name, known).map(|it| format!("; did you mean 'std.{it}'?")).unwrap_or_default();
            return Err(format!("there is no function 'std.{}' at character {at}{hint}", shown(name)));
        };
        let (expected, found) = (operation.operands(), arguments.len());
        match expected == found {
            true => Ok(ConditionNode::Operate(*operation, arguments)),
            false => Err(format!("std.{name} at character {at}: expected {expected} arguments, found {found}")),
        }
    }

    fn expect(&mut self, sign: &'static str) -> ParseResult<()> {
        match self.take(&[sign]) {
            Some(_) => Ok(()),
            None => Err(self.expected(&format!("'{sign}'"))),
        }
    }

    fn expected(&self, what: &str) -> String {
        match self.tokens.first() {
            Some((at, token)) => format!("expected {what} at character {at}, found {}", token.name()),
            None => format!("expected {what} at its end"),
        }
    }
}

impl ConditionNode {
    /// The member that these arguments name.
    fn of(self, arguments: Vec<ConditionNode>) -> ConditionNode {
        arguments.into_iter().fold(self, member)
    }
}

fn compared(sign: &str, left: ConditionNode, right: ConditionNode) -> ParseResult<ConditionNode> {
    let comparison = Comparison::of(sign).ok_or_else(|| format!("expected a comparison, found '{sign}'"))?;
    Ok(ConditionNode::Compare(comparison, Box::new(left), Box::new(right)))
}

/// The member of a value with a name or number.
fn member(node: ConditionNode, name: ConditionNode) -> ConditionNode {
    match (node, name) {
        (ConditionNode::Path(mut path), ConditionNode::Literal(Constant::Text(name))) => {
            path.push(name);
            ConditionNode::Path(path)
        }
        (node, name) => ConditionNode::Operate(Operation::Member, vec![node, name]),
    }
}
