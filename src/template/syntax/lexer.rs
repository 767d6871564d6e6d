//! The tokens of a text, by the rules of handlebars.js 4.7 (`handlebars.l`). The order of the rules matters, and what
//! has to follow a name. Two rules are Courier's: `items[0]` is `items.[0]`, and an argument may be `.95`.

use super::error::{Place, SyntaxError};
use super::tree::Span;
use crate::error::shown;
use crate::json::cut;
use crate::template::number::is_space;

#[derive(Clone, Debug, PartialEq)]
pub enum Lexeme {
    Content(String),
    /// With its strip flags.
    Comment {
        open: bool,
        close: bool,
    },
    Open(Opening),
    /// `{{else}}` or `{{^}}`.
    Inverse {
        open: bool,
        close: bool,
    },
    OpenRawBlock,
    CloseRawBlock,
    EndRawBlock(String),
    /// `}}`, with a `~` or without.
    Close(bool),
    /// `}}}`, with a `~` or without.
    CloseUnescaped(bool),
    OpenCall,
    CloseCall,
    Equals,
    /// A name, and whether it stood in brackets.
    Id(String, bool),
    /// `[0]` straight behind a name.
    Index(String),
    Separator(char),
    Text(String),
    Number(f64),
    Bool(bool),
    Undefined,
    Null,
    Data,
    OpenBlockParams,
    Pipe,
    Invalid(char),
    /// A name, and the character behind it that cannot follow a name.
    Unended(String, Option<char>),
    End,
}

/// How a tag opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening {
    pub kind: OpeningKind,
    pub strip: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpeningKind {
    Partial,
    PartialBlock,
    Block,
    /// `{{#*`.
    DecoratorBlock,
    EndBlock,
    Inverse,
    InverseChain,
    Unescaped,
    /// `{{&`.
    Ampersand,
    /// `{{*`.
    Decorator,
    Mustache,
}

impl Lexeme {
    /// Its name in an error.
    pub fn name(&self) -> String {
        match self {
            Lexeme::Content(_) => "text".to_owned(),
            Lexeme::Comment { .. } => "a comment".to_owned(),
            Lexeme::Open(opening) => match opening.kind {
                OpeningKind::EndBlock => "'{{/'".to_owned(),
                OpeningKind::InverseChain => "'{{else'".to_owned(),
                _ => "'{{'".to_owned(),
            },
            Lexeme::Inverse { .. } => "'{{else}}'".to_owned(),
            Lexeme::OpenRawBlock => "'{{{{'".to_owned(),
            Lexeme::CloseRawBlock => "'}}}}'".to_owned(),
            Lexeme::EndRawBlock(name) => format!("'{{{{{{{{/{name}}}}}}}}}'"),
            Lexeme::Close(_) => "'}}'".to_owned(),
            Lexeme::CloseUnescaped(_) => "'}}}'".to_owned(),
            Lexeme::OpenCall => "'('".to_owned(),
            Lexeme::CloseCall => "')'".to_owned(),
            Lexeme::Equals => "'='".to_owned(),
            Lexeme::Id(name, _) => format!("the name '{}'", shown(name)),
            Lexeme::Index(index) => format!("'[{}]'", shown(index)),
            Lexeme::Separator(c) => format!("'{c}'"),
            Lexeme::Text(text) => format!("the text {}", cut(text)),
            Lexeme::Number(number) => format!("the number {number}"),
            Lexeme::Bool(flag) => format!("'{flag}'"),
            Lexeme::Undefined => "'undefined'".to_owned(),
            Lexeme::Null => "'null'".to_owned(),
            Lexeme::Data => "'@'".to_owned(),
            Lexeme::OpenBlockParams => "'as |'".to_owned(),
            Lexeme::Pipe => "'|'".to_owned(),
            Lexeme::Invalid(c) => format!("'{c}'"),
            Lexeme::Unended(name, Some(c)) => format!("'{c}' behind '{}'", shown(name)),
            Lexeme::Unended(name, None) => format!("the name '{}'", shown(name)),
            Lexeme::End => "the end of the text".to_owned(),
        }
    }
}

fn is_id(c: char) -> bool {
    !is_space(c) && !matches!(c, '!'..='#' | '%'..=',' | '.' | '/' | ';'..='@' | '['..='^' | '`' | '{'..='~')
        || c == '?'
}

/// What has to follow a name. A bracket is Courier's.
fn follows_id(c: Option<char>) -> bool {
    c.is_some_and(|c| is_space(c) || matches!(c, '=' | '~' | '}' | '/' | '.' | ')' | '|' | '['))
}

fn follows_literal(c: Option<char>) -> bool {
    c.is_some_and(|c| is_space(c) || matches!(c, '~' | '}' | ')'))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Content,
    /// Behind the backslash of an escaped tag.
    Escaped,
    Tag,
    /// In a raw block, in how many.
    Raw(usize),
}

pub struct Lexer<'s> {
    pub source: &'s str,
    at: usize,
    state: State,
    /// Whether a name comes next in the tag, and not an argument.
    is_name: bool,
    /// The start of the tag being read.
    pub tag_start: usize,
    /// Where the last token begins.
    pub start: usize,
}

type Result<T> = std::result::Result<T, SyntaxError>;

impl<'s> Lexer<'s> {
    pub fn new(source: &'s str) -> Self {
        Lexer { source, at: 0, state: State::Content, is_name: false, tag_start: 0, start: 0 }
    }

    fn rest(&self) -> &'s str {
        self.source.get(self.at..).unwrap_or_default()
    }

    /// Where the last token ends.
    pub fn end(&self) -> usize {
        self.at
    }

    /// Whether this character comes next, maybe after whitespace.
    pub fn is_followed_by(&self, c: char) -> bool {
        self.rest().trim_start_matches(is_space).starts_with(c)
    }

    /// The tag being read, up to its end if it has one.
    pub fn tag(&self) -> Span {
        let from = self.source.get(self.tag_start..).unwrap_or_default();
        let end = tag_end(from).or_else(|| Some(from.find("}}")? + 2)).unwrap_or(from.len());
        Span { start: self.tag_start, end: self.tag_start + end }
    }

    /// Whether the tag that is being read has an end.
    pub fn closes(&self) -> bool {
        self.source.get(self.tag_start..).is_some_and(|rest| rest.contains("}}"))
    }

    fn error(&self, problem: impl Into<String>) -> SyntaxError {
        SyntaxError { problem: problem.into(), place: Place::of(self.source, self.tag()) }
    }

    pub fn next(&mut self) -> Result<Lexeme> {
        self.start = self.at;
        let token = match self.state {
            State::Content => self.content()?,
            State::Escaped => self.escaped(),
            State::Tag => {
                let token = self.in_tag()?;
                self.is_name = matches!(token, Lexeme::Open(_) | Lexeme::OpenRawBlock | Lexeme::OpenCall);
                return Ok(token);
            }
            State::Raw(depth) => self.raw(depth)?,
        };
        if let Lexeme::Content(words) = &token
            && words.contains('\0')
        {
            let place = Place::of(self.source, Span { start: self.start, end: self.start });
            return Err(SyntaxError { problem: "expected no NUL character".to_owned(), place });
        }
        Ok(token)
    }

    fn content(&mut self) -> Result<Lexeme> {
        let rest = self.rest();
        if rest.is_empty() {
            return Ok(Lexeme::End);
        }
        let Some(end) = rest.find("{{") else {
            self.at = self.source.len();
            return Ok(Lexeme::Content(rest.to_owned()));
        };
        let mut words = &rest[..end];
        self.at += end;
        self.tag_start = self.at;
        if words.ends_with("\\\\") {
            words = &words[..words.len() - 1];
            self.state = State::Tag;
        } else if words.ends_with('\\') {
            words = &words[..words.len() - 1];
            self.state = State::Escaped;
        } else {
            self.state = State::Tag;
        }
        if words.is_empty() { self.next() } else { Ok(Lexeme::Content(words.to_owned())) }
    }

    /// Text up to the next tag, whether that is escaped or not.
    fn escaped(&mut self) -> Lexeme {
        let rest = self.rest();
        let from = rest.char_indices().nth(2).map_or(rest.len(), |(at, _)| at);
        let end = rest[from..].find("{{").map_or(rest.len(), |at| {
            let at = from + at;
            let backslashes = rest[from..at].bytes().rev().take(2).take_while(|byte| *byte == b'\\').count();
            at - backslashes
        });
        self.at += end;
        self.state = State::Content;
        Lexeme::Content(rest[..end].to_owned())
    }

    fn raw(&mut self, depth: usize) -> Result<Lexeme> {
        let rest = self.rest();
        if rest.starts_with("{{{{") && !rest.starts_with("{{{{/") && rest.len() > 4 {
            self.at += 4;
            self.state = State::Raw(depth + 1);
            return Ok(Lexeme::Content("{{{{".to_owned()));
        }
        if let Some((name, length)) = raw_end(rest) {
            self.at += length;
            if depth > 1 {
                self.state = State::Raw(depth - 1);
                return Ok(Lexeme::Content(rest[..length].to_owned()));
            }
            self.state = State::Content;
            return Ok(Lexeme::EndRawBlock(name.to_owned()));
        }
        let from = rest.chars().next().map_or(0, char::len_utf8);
        match rest[from..].find("{{{{") {
            Some(end) => {
                self.at += from + end;
                Ok(Lexeme::Content(rest[..from + end].to_owned()))
            }
            None => Err(self.error("the raw block is left open: expected '{{{{/' and its name and '}}}}' behind it")),
        }
    }

    fn in_tag(&mut self) -> Result<Lexeme> {
        if let Some(token) = self.opening()? {
            return Ok(token);
        }
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return Ok(Lexeme::End) };
        if is_space(first) {
            self.at += rest.find(|c| !is_space(c)).unwrap_or(rest.len());
            return self.next();
        }
        if let Some(token) = self.closing(rest) {
            return Ok(token);
        }
        if let Some((number, length)) = self.pointed(rest) {
            self.at += length;
            return Ok(Lexeme::Number(number));
        }
        let second = rest[first.len_utf8()..].chars().next();
        let (token, length) = match first {
            '"' | '\'' => self.quoted(rest, first)?,
            '[' => self.bracketed(rest)?,
            '(' => (Lexeme::OpenCall, 1),
            ')' => (Lexeme::CloseCall, 1),
            '=' => (Lexeme::Equals, 1),
            '.' if second == Some('.') => (Lexeme::Id("..".to_owned(), false), 2),
            '.' if follows_id(second) && second != Some('[') => (Lexeme::Id(".".to_owned(), false), 1),
            '.' | '/' => (Lexeme::Separator(first), 1),
            '@' => (Lexeme::Data, 1),
            '|' => (Lexeme::Pipe, 1),
            _ => word(rest).unwrap_or((Lexeme::Invalid(first), first.len_utf8())),
        };
        self.at += length;
        Ok(token)
    }

    /// The end of a tag, if it comes next.
    fn closing(&mut self, rest: &str) -> Option<Lexeme> {
        const CLOSINGS: [(&str, Lexeme); 5] = [
            ("}}}}", Lexeme::CloseRawBlock),
            ("}~}}", Lexeme::CloseUnescaped(true)),
            ("}}}", Lexeme::CloseUnescaped(false)),
            ("~}}", Lexeme::Close(true)),
            ("}}", Lexeme::Close(false)),
        ];
        let (text, token) = CLOSINGS.into_iter().find(|(text, _)| rest.starts_with(text))?;
        self.at += text.len();
        self.state = if token == Lexeme::CloseRawBlock { State::Raw(1) } else { State::Content };
        Some(token)
    }

    fn quoted(&self, rest: &str, quote: char) -> Result<(Lexeme, usize)> {
        let length = closed(rest, quote)
            .ok_or_else(|| self.error(format!("the quote {quote} is left open: expected another one behind it")))?;
        let text = rest[1..length - 1].replace(&format!("\\{quote}"), &quote.to_string());
        Ok((Lexeme::Text(text), length))
    }

    /// The content of brackets: a name, or an index behind one.
    fn bracketed(&self, rest: &str) -> Result<(Lexeme, usize)> {
        let length =
            closed(rest, ']').ok_or_else(|| self.error("the bracket [ is left open: expected ']' behind it"))?;
        let name = unescaped_brackets(&rest[1..length - 1]);
        let before = self.source[..self.at].chars().next_back().filter(|_| !self.is_name);
        let token = match (index(&name), before) {
            // As in handlebars.js, brackets around more than a line are a part of the name.
            _ if name.contains(['\n', '\r', '\u{2028}', '\u{2029}']) => Lexeme::Id(format!("[{name}]"), false),
            (Some(index), Some(before)) if is_id(before) || before == ']' => Lexeme::Index(index),
            (None, Some(before)) if is_id(before) => Lexeme::Invalid('['),
            _ => Lexeme::Id(name, true),
        };
        Ok((token, length))
    }

    /// A number such as `.95` or `-.5` in place of an argument, and its length. handlebars.js does not have these, but
    /// Courier's page shows one.
    fn pointed(&self, rest: &str) -> Option<(f64, usize)> {
        let fraction = rest.strip_prefix('-').unwrap_or(rest).strip_prefix('.')?;
        let before = self.source.get(..self.at)?;
        if self.is_name || !before.ends_with(|c: char| is_space(c) || c == '=') {
            return None;
        }
        let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
        let (_, after) = fraction.split_at_checked(digits).filter(|_| digits > 0)?;
        let length = rest.len() - after.len();
        let number = rest.get(..length)?.parse().ok()?;
        follows_literal(after.chars().next()).then_some((number, length))
    }

    /// The beginning of a tag, or a tag that is only this.
    fn opening(&mut self) -> Result<Option<Lexeme>> {
        let rest = self.rest();
        let Some(inside) = rest.strip_prefix("{{") else { return Ok(None) };
        self.tag_start = self.at;
        if inside.starts_with("{{") {
            self.at += 4;
            return Ok(Some(Lexeme::OpenRawBlock));
        }
        let strip = inside.starts_with('~');
        let inside = inside.strip_prefix('~').unwrap_or(inside);
        let head = rest.len() - inside.len();
        let opens = |kind| Lexeme::Open(Opening { kind, strip });
        // `{{^}}` and `{{else}}`, with what may surround them.
        let alone = |word: &str| {
            let after = inside.trim_start_matches(|c| word == "else" && is_space(c)).strip_prefix(word)?;
            let after = after.trim_start_matches(is_space);
            let (close, after) = after.strip_prefix('~').map_or((false, after), |after| (true, after));
            let after = after.strip_prefix("}}")?;
            Some((Lexeme::Inverse { open: strip, close }, rest.len() - after.len()))
        };
        let chain = || {
            let after = inside.trim_start_matches(is_space).strip_prefix("else")?;
            let is_word = after.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
            (!is_word).then_some((opens(OpeningKind::InverseChain), rest.len() - after.len()))
        };
        if inside.starts_with("!") {
            return self.comment(inside, strip).map(Some);
        }
        let starts = [
            (">", OpeningKind::Partial),
            ("#>", OpeningKind::PartialBlock),
            ("#*", OpeningKind::DecoratorBlock),
            ("#", OpeningKind::Block),
            ("/", OpeningKind::EndBlock),
        ];
        let found = starts.iter().find(|(sign, _)| inside.starts_with(sign));
        let (token, length) = if let Some((sign, kind)) = found {
            (opens(*kind), head + sign.len())
        } else if let Some(found) = alone("^").or_else(|| alone("else")) {
            self.at += found.1;
            self.state = State::Content;
            return Ok(Some(found.0));
        } else if inside.starts_with('^') {
            (opens(OpeningKind::Inverse), head + 1)
        } else if let Some(found) = chain() {
            found
        } else {
            match inside.bytes().next() {
                Some(b'{') => (opens(OpeningKind::Unescaped), head + 1),
                Some(b'&') => (opens(OpeningKind::Ampersand), head + 1),
                Some(b'*') => (opens(OpeningKind::Decorator), head + 1),
                _ => (opens(OpeningKind::Mustache), head),
            }
        };
        self.at += length;
        Ok(Some(token))
    }

    fn comment(&mut self, inside: &str, open: bool) -> Result<Lexeme> {
        let rest = self.rest();
        let head = rest.len() - inside.len();
        let length = if inside.starts_with("!--") {
            let ends = dashed_end(inside);
            ends.ok_or_else(|| self.error("the comment is left open: expected '--}}' behind it"))?
        } else {
            let end =
                inside.find("}}").ok_or_else(|| self.error("the comment is left open: expected '}}' behind it"))?;
            end + 2
        };
        let text = &rest[..head + length];
        self.at += text.len();
        self.state = State::Content;
        Ok(Lexeme::Comment { open, close: text[..text.len() - 2].ends_with('~') })
    }
}

/// The length of the tag at the start of a text. Braces between quotes or in brackets do not end it.
fn tag_end(text: &str) -> Option<usize> {
    let braces = text.bytes().take(4).take_while(|byte| *byte == b'{').count();
    let (mut at, mut before) = (braces, '{');
    loop {
        let rest = text.get(at..)?;
        let c = rest.chars().next()?;
        // Elsewhere a quote is a typo, and opens nothing.
        let opens_text = is_space(before) || matches!(before, '(' | '=' | '{' | '#');
        at += match c {
            '"' | '\'' if opens_text => closed(rest, c)?,
            '[' => closed(rest, ']')?,
            '}' if rest.starts_with("}}") => {
                let closing = rest.bytes().take(braces).take_while(|byte| *byte == b'}').count();
                return Some(at + closing);
            }
            c => c.len_utf8(),
        };
        before = c;
    }
}

/// Where `--}}` or `--~}}` ends.
fn dashed_end(text: &str) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + text.get(from..)?.find("--")?;
        let after = &text[at + 2..];
        if let Some(rest) = after.strip_prefix('~').unwrap_or(after).strip_prefix("}}") {
            return Some(text.len() - rest.len());
        }
        from = at + 1;
    }
}

/// The length of a text that begins with a quote or bracket and ends with the next `end` without a backslash before it,
/// or else with the last one that has a backslash.
fn closed(text: &str, end: char) -> Option<usize> {
    let mut last = None;
    for (at, _) in text.match_indices(end).filter(|(at, _)| *at > 0) {
        last = Some(at + 1);
        if !text[1..at].ends_with('\\') {
            break;
        }
    }
    last
}

/// `\\` and `\]` without their backslash.
fn unescaped_brackets(text: &str) -> String {
    let (mut out, mut chars) = (String::with_capacity(text.len()), text.chars().peekable());
    while let Some(c) = chars.next() {
        match (c, chars.peek()) {
            ('\\', Some('\\' | ']')) => out.extend(chars.next()),
            _ => out.push(c),
        }
    }
    out
}

/// The content of brackets directly behind a name: digits, or a name in quotes. handlebars.js has no such brackets.
fn index(text: &str) -> Option<String> {
    let quoted = ['"', '\''].iter().find_map(|quote| text.strip_prefix(*quote)?.strip_suffix(*quote));
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    quoted.or(is_number.then_some(text)).map(str::to_owned)
}

/// A literal or a name at the start of the text, and its length.
fn word(text: &str) -> Option<(Lexeme, usize)> {
    let after = |length: usize| text[length..].chars().next();
    for (word, token) in [
        ("true", Lexeme::Bool(true)),
        ("false", Lexeme::Bool(false)),
        ("undefined", Lexeme::Undefined),
        ("null", Lexeme::Null),
    ] {
        if text.starts_with(word) && follows_literal(after(word.len())) {
            return Some((token, word.len()));
        }
    }
    if let Some(length) = number(text).filter(|length| follows_literal(after(*length))) {
        return Some((Lexeme::Number(text[..length].parse().unwrap_or(f64::NAN)), length));
    }
    if let Some(rest) = text.strip_prefix("as") {
        let pipe = rest.trim_start_matches(is_space);
        if pipe.len() < rest.len() && pipe.starts_with('|') {
            return Some((Lexeme::OpenBlockParams, text.len() - pipe.len() + 1));
        }
    }
    let length = text.find(|c| !is_id(c)).unwrap_or(text.len());
    let (name, next) = (text.get(..length).filter(|name| !name.is_empty())?.to_owned(), after(length));
    Some((if follows_id(next) { Lexeme::Id(name, false) } else { Lexeme::Unended(name, next) }, length))
}

/// The length of the number at the start of the text.
fn number(text: &str) -> Option<usize> {
    let digits = |from: usize| text[from..].bytes().take_while(u8::is_ascii_digit).count();
    let sign = usize::from(text.starts_with('-'));
    let whole = sign + Some(digits(sign)).filter(|count| *count > 0)?;
    let fraction = if text[whole..].starts_with('.') { digits(whole + 1) } else { 0 };
    Some(if fraction > 0 { whole + 1 + fraction } else { whole })
}

/// The name in `{{{{/name}}}}` at the start of the text, and the tag's length.
fn raw_end(text: &str) -> Option<(&str, usize)> {
    let inside = text.strip_prefix("{{{{/")?;
    let length = inside.find(|c| !is_id(c))?;
    (length > 0 && inside[length..].starts_with("}}}}")).then(|| (&inside[..length], 5 + length + 4))
}
