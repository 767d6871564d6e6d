//! The conditions of elements. Courier's documentation writes them in three ways (`data.count === 3`, Jsonnet's `==`,
//! and `{{user.isPremium}}`), so all of these are understood.

use std::borrow::Cow;
use std::cmp::Ordering;

use handlebars::JsonRender;
use serde_json::Value;

use super::helpers;
use super::scope::Variable;
use super::text::{State, Step};

/// Words and signs in one condition. Reading and evaluating it recurse with the brackets and operators in it.
const TOKENS_LIMIT: usize = 400;

/// A condition, understood.
pub struct Expression(Node);

enum Node {
    Operand(Operand),
    Not(Box<Node>),
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    Compare(Comparison, Box<Node>, Box<Node>),
}

#[derive(Clone, Copy)]
enum Comparison {
    Equal { strict: bool, negated: bool },
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// What a condition looks at.
pub enum Operand {
    Literal(Value),
    Variable(Variable),
    /// The length of a text or list, or a member of that name.
    Length(Variable),
    /// Whether the element with this number has been rendered.
    Visible(usize),
    /// A text that is rendered first.
    Text(Vec<Step>),
}

/// Finds what the names in a condition stand for.
pub trait Resolve {
    fn path(&mut self, path: &[String]) -> Result<Operand, String>;
    /// A text with Handlebars in it.
    fn text(&mut self, text: &str) -> Result<Operand, String>;
}

impl Expression {
    pub fn compile(source: &str, names: &mut dyn Resolve) -> Result<Self, String> {
        let trimmed = source.trim();
        let tag = trimmed.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
        let is_path = |tag: &str| tag.trim().chars().all(|c| c.is_alphanumeric() || "_$.[]".contains(c));
        if tag.is_some_and(|tag| tag.starts_with(['#', '^']) || !tag.contains("}}") && !is_path(tag)) {
            return names.text(trimmed).map(|operand| Expression(Node::Operand(operand)));
        }
        let tokens = tokens(trimmed).map_err(|problem| format!("not a valid condition: {problem}"))?;
        if tokens.len() > TOKENS_LIMIT {
            return Err(format!("expected at most {TOKENS_LIMIT} words and signs in one condition"));
        }
        let mut parser = Parser { tokens: &tokens, names };
        let parsed = parser.any().and_then(|node| match parser.tokens {
            [] => Ok(node),
            [(at, token), ..] => Err(format!("{} at character {at} was not expected", token.name())),
        });
        parsed.map(Expression).map_err(|problem| format!("not a valid condition: {problem}"))
    }

    pub fn holds<'s>(&'s self, state: &mut State<'_, 's>) -> Result<bool, String> {
        self.0.value(state).map(|value| is_truthy(&value))
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Value(Value),
    Name(Vec<String>),
    Sign(&'static str),
}

impl Token {
    fn name(&self) -> String {
        match self {
            Token::Value(value) => value.to_string(),
            Token::Name(path) => format!("'{}'", path.join(".")),
            Token::Sign(sign) => format!("'{sign}'"),
        }
    }
}

/// The longer ones first.
const SIGNS: [(&str, &str); 16] = [
    ("===", "==="),
    ("!==", "!=="),
    ("==", "=="),
    ("!=", "!="),
    ("<=", "<="),
    (">=", ">="),
    ("&&", "&&"),
    ("||", "||"),
    // A variable between braces means the same as without.
    ("{{", "("),
    ("}}", ")"),
    ("<", "<"),
    (">", ">"),
    ("!", "!"),
    ("(", "("),
    (")", ")"),
    ("=", "="),
];

fn tokens(source: &str) -> Result<Vec<(usize, Token)>, String> {
    let mut found = Vec::new();
    let mut rest = source;
    loop {
        rest = rest.trim_start();
        // Counted only where it is needed, and there are not many.
        let at = || 1 + source.get(..source.len() - rest.len()).unwrap_or_default().chars().count();
        let Some(first) = rest.chars().next() else { return Ok(found) };
        if found.len() > TOKENS_LIMIT {
            return Ok(found);
        }
        let (token, length) = if let Some((sign, meaning)) = SIGNS.iter().find(|(sign, _)| rest.starts_with(sign)) {
            (Token::Sign(meaning), sign.len())
        } else if matches!(first, '"' | '\'' | '`') {
            let (text, length) =
                quoted(rest, first).ok_or_else(|| format!("the quote at character {} is left open", at()))?;
            let variable = text.trim().strip_prefix("{{").and_then(|it| it.strip_suffix("}}")).and_then(whole_path);
            (variable.map_or_else(|| Token::Value(Value::from(text)), Token::Name), length)
        } else if first.is_ascii_digit() || first == '-' {
            let is_part = |(i, c): (usize, char)| i == 0 || c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E');
            let length = rest.char_indices().find(|it| !is_part(*it)).map_or(rest.len(), |(i, _)| i);
            let number = rest.get(..length).and_then(|text| serde_json::from_str(text).ok());
            let number: serde_json::Number =
                number.ok_or_else(|| format!("expected a number at character {}", at()))?;
            (Token::Value(Value::Number(number)), length)
        } else {
            let (path, length) =
                path(rest).ok_or_else(|| format!("'{first}' at character {} was not expected", at()))?;
            let token = match path.as_slice() {
                [word] if word == "true" || word == "false" => Token::Value(Value::Bool(word == "true")),
                [word] if word == "null" || word == "undefined" => Token::Value(Value::Null),
                _ => Token::Name(path),
            };
            (token, length)
        };
        found.push((at(), token));
        rest = rest.get(length..).unwrap_or_default();
    }
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
    tokens: &'a [(usize, Token)],
    names: &'a mut dyn Resolve,
}

impl Parser<'_> {
    fn take(&mut self, signs: &[&str]) -> Option<&'static str> {
        match self.tokens {
            [(_, Token::Sign(sign)), rest @ ..] if signs.contains(sign) => {
                self.tokens = rest;
                Some(sign)
            }
            _ => None,
        }
    }

    fn any(&mut self) -> Result<Node, String> {
        let mut node = self.all()?;
        while self.take(&["||"]).is_some() {
            node = Node::Or(Box::new(node), Box::new(self.all()?));
        }
        Ok(node)
    }

    fn all(&mut self) -> Result<Node, String> {
        let mut node = self.comparison()?;
        while self.take(&["&&"]).is_some() {
            node = Node::And(Box::new(node), Box::new(self.comparison()?));
        }
        Ok(node)
    }

    fn comparison(&mut self) -> Result<Node, String> {
        let mut node = self.single()?;
        while let Some(sign) = self.take(&["===", "!==", "==", "!=", "<=", ">=", "<", ">"]) {
            let comparison = match sign {
                "<" => Comparison::Less,
                "<=" => Comparison::LessOrEqual,
                ">" => Comparison::Greater,
                ">=" => Comparison::GreaterOrEqual,
                sign => Comparison::Equal { strict: sign.len() == 3, negated: sign.starts_with('!') },
            };
            node = Node::Compare(comparison, Box::new(node), Box::new(self.single()?));
        }
        Ok(node)
    }

    fn single(&mut self) -> Result<Node, String> {
        if self.take(&["!"]).is_some() {
            return Ok(Node::Not(Box::new(self.single()?)));
        }
        if self.take(&["("]).is_some() {
            let node = self.any()?;
            return match self.take(&[")"]) {
                Some(_) => Ok(node),
                None => Err("a bracket is left open".to_owned()),
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
            Token::Value(value) => Ok(Node::Operand(Operand::Literal(value.clone()))),
            Token::Name(path) => self.names.path(path).map(Node::Operand),
            Token::Sign("=") => Err(format!("expected '==' at character {at}")),
            Token::Sign(sign) => Err(format!("expected a value at character {at}, found '{sign}'")),
        }
    }
}

impl Node {
    fn value<'s>(&'s self, state: &mut State<'_, 's>) -> Result<Cow<'s, Value>, String> {
        match self {
            Node::Operand(operand) => operand.value(state),
            Node::Not(node) => Ok(Cow::Owned(Value::Bool(!is_truthy(&*node.value(state)?)))),
            Node::And(left, right) => {
                let left = left.value(state)?;
                if is_truthy(&left) { right.value(state) } else { Ok(left) }
            }
            Node::Or(left, right) => {
                let left = left.value(state)?;
                if is_truthy(&left) { Ok(left) } else { right.value(state) }
            }
            Node::Compare(comparison, left, right) => {
                let (left, right) = (left.value(state)?, right.value(state)?);
                for side in [&left, &right] {
                    helpers::spend(helpers::size(side))?;
                }
                Ok(Cow::Owned(Value::Bool(compare(*comparison, &left, &right))))
            }
        }
    }
}

impl Operand {
    fn value<'s>(&'s self, state: &mut State<'_, 's>) -> Result<Cow<'s, Value>, String> {
        let missing = || Cow::Owned(Value::Null);
        match self {
            Operand::Literal(value) => Ok(Cow::Borrowed(value)),
            Operand::Variable(variable) => Ok(find(variable, state)?.unwrap_or_else(missing)),
            Operand::Length(variable) => Ok(match find(variable, state)?.as_deref() {
                Some(Value::String(text)) => {
                    helpers::spend(text.len())?;
                    Cow::Owned(Value::from(text.chars().count()))
                }
                Some(Value::Array(items)) => Cow::Owned(Value::from(items.len())),
                Some(Value::Object(members)) => members.get("length").map_or_else(missing, |it| Cow::Owned(it.clone())),
                _ => missing(),
            }),
            Operand::Visible(number) => Ok(Cow::Owned(Value::Bool(state.is_visible(*number)))),
            Operand::Text(steps) => {
                let text = state.aside(steps)?;
                let is_nothing = matches!(text.trim(), "" | "false" | "0" | "null" | "undefined");
                Ok(Cow::Owned(Value::from(if is_nothing { String::new() } else { text })))
            }
        }
    }
}

/// What a variable is here. What is asked of a list by name is missing.
fn find<'s>(variable: &Variable, state: &State<'_, 's>) -> Result<Option<Cow<'s, Value>>, String> {
    state.scope.context()?;
    Ok(state.scope.value(variable, state.round).unwrap_or_default())
}

/// As in JavaScript, but that empty lists and objects are nothing, as they are for Handlebars' own `if`.
pub fn is_truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(flag) => *flag,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
    }
}

/// Compares two values as `==`, `===` and the like.
pub fn compare_by_sign(sign: &str, left: &Value, right: &Value) -> Option<bool> {
    let comparison = match sign {
        "==" | "===" | "!=" | "!==" => Comparison::Equal { strict: sign.len() == 3, negated: sign.starts_with('!') },
        "<" => Comparison::Less,
        "<=" => Comparison::LessOrEqual,
        ">" => Comparison::Greater,
        ">=" => Comparison::GreaterOrEqual,
        _ => return None,
    };
    Some(compare(comparison, left, right))
}

fn compare(comparison: Comparison, left: &Value, right: &Value) -> bool {
    let order = || match (left, right) {
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        _ => number(left)?.partial_cmp(&number(right)?),
    };
    match comparison {
        Comparison::Equal { strict, negated } => is_equal(left, right, strict) != negated,
        Comparison::Less => order() == Some(Ordering::Less),
        Comparison::LessOrEqual => order().is_some_and(Ordering::is_le),
        Comparison::Greater => order() == Some(Ordering::Greater),
        Comparison::GreaterOrEqual => order().is_some_and(Ordering::is_ge),
    }
}

fn is_equal(left: &Value, right: &Value, strict: bool) -> bool {
    match (left, right) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Null, _) | (_, Value::Null) => left == right,
        _ if strict || std::mem::discriminant(left) == std::mem::discriminant(right) => left == right,
        (Value::Array(_) | Value::Object(_), _) | (_, Value::Array(_) | Value::Object(_)) => {
            left.render() == right.render()
        }
        _ => matches!((number(left), number(right)), (Some(a), Some(b)) if a == b),
    }
}

/// A value as a number, if it says one.
pub fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok().filter(|number: &f64| number.is_finite()),
        Value::Bool(flag) => Some(f64::from(u8::from(*flag))),
        _ => None,
    }
}
