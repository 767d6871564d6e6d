//! Regular expressions as in JavaScript, for `replace-all`: without look-around, references and flags. Patterns and
//! texts come from outside, so every step is counted, and a pattern that backtracks without end becomes an error.
//! Source: ECMA-262, "RegExp (Regular Expression) Objects" with its annex B.

use std::ops::Range;

use crate::json::cut;
use crate::template::budget::{Problem, RenderBudget, TEXT_BYTES};
use crate::template::call::HelperCall;
use crate::template::change::TextChange;
use crate::template::escape::PrintKind;
use crate::template::heap::Heap;
use crate::template::number::is_space;

/// The most nested groups.
const DEPTH: usize = 50;
/// The most instructions of a compiled pattern: counted repetitions are written out.
const OPS: usize = 5_000;
/// Longest pattern, in bytes.
const PATTERN_BYTES: usize = 1_000;
/// Ranges of a set that are searched in one step.
const RANGES_A_STEP: usize = 16;
/// The most places for backtracking.
const CHOICES: usize = 1_000_000;

pub struct Pattern {
    ops: Vec<PatternOp>,
    sets: Vec<Set>,
    groups: usize,
    slots: usize,
}

#[derive(Clone, Copy)]
enum PatternOp {
    /// One character of the set of that number.
    One(usize),
    /// Continues at the first; if that fails, at the second.
    Choice(usize, usize),
    Jump(usize),
    /// Records the position in the text.
    Note(usize),
    /// Clears recorded positions: a group that is repeated has not matched yet.
    Forget(usize),
    /// Fails if the position is the recorded one: nothing was repeated.
    Moved(usize),
    Start,
    End,
    Boundary(bool),
    Match,
}

/// Some characters, or all others.
#[derive(Default)]
struct Set {
    is_negated: bool,
    ranges: Vec<(char, char)>,
    /// Classes by their small letters, and whether they are negated.
    classes: Vec<(char, bool)>,
}

impl Set {
    fn of(c: char) -> Self {
        Set { ranges: vec![(c, c)], ..Set::default() }
    }

    /// The only character, if it is a single one and not a class.
    fn single(&self) -> Option<char> {
        match (self.ranges.as_slice(), self.classes.as_slice()) {
            ([(first, last)], []) if first == last => Some(*first),
            _ => None,
        }
    }

    fn add(&mut self, other: Set) {
        self.ranges.extend(other.ranges);
        self.classes.extend(other.classes);
    }

    fn has(&self, c: char) -> bool {
        let of_class = |(class, is_negated): &(char, bool)| {
            *is_negated
                != match class {
                    'd' => c.is_ascii_digit(),
                    'w' => is_word(c),
                    _ => is_space(c),
                }
        };
        let is_in = self.ranges.iter().any(|(first, last)| (*first..=*last).contains(&c));
        self.is_negated != (is_in || self.classes.iter().any(of_class))
    }
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

enum PatternNode {
    /// Matches one character, or none.
    Op(PatternOp),
    Sequence(Vec<PatternNode>),
    Either(Vec<PatternNode>),
    Group(usize, Box<PatternNode>),
    Repeat {
        node: Box<PatternNode>,
        least: usize,
        most: Option<usize>,
        is_lazy: bool,
    },
}

impl PatternNode {
    fn groups(&self) -> usize {
        match self {
            PatternNode::Op(_) => 0,
            PatternNode::Sequence(nodes) | PatternNode::Either(nodes) => nodes.iter().map(PatternNode::groups).sum(),
            PatternNode::Group(_, node) => 1 + node.groups(),
            PatternNode::Repeat { node, .. } => node.groups(),
        }
    }

    /// The number of its instructions.
    fn size(&self) -> usize {
        match self {
            PatternNode::Op(_) => 1,
            PatternNode::Sequence(nodes) => nodes.iter().map(PatternNode::size).fold(0, usize::saturating_add),
            PatternNode::Either(nodes) => {
                let size = nodes.iter().map(PatternNode::size).fold(0, usize::saturating_add);
                size.saturating_add(2 * nodes.len().saturating_sub(1))
            }
            PatternNode::Group(_, node) => node.size().saturating_add(2),
            PatternNode::Repeat { node, least, most, .. } => {
                let size = node.size().saturating_add(2 * node.groups());
                let times = |times: usize, more: usize| times.saturating_mul(size.saturating_add(more));
                let rest = most.map_or(times(1, 4), |most| times(most.saturating_sub(*least), 3));
                times(*least, 1).saturating_add(rest)
            }
        }
    }
}

/// A parsed pattern.
struct ParsedPattern {
    node: PatternNode,
    sets: Vec<Set>,
    groups: usize,
}

impl ParsedPattern {
    fn read(pattern: &str) -> Result<Self, Problem> {
        let mut reader = Reader { rest: pattern, groups: 1, sets: Vec::new() };
        let failed =
            |problem: &str| Problem(format!("expected a regular expression, found {}: {problem}", cut(pattern)));
        if pattern.len() > PATTERN_BYTES {
            return Err(failed("it is too long"));
        }
        let node = reader.either(0).map_err(failed)?;
        if !reader.rest.is_empty() {
            return Err(failed("a group is closed that is not open"));
        }
        let Reader { groups, sets, .. } = reader;
        let node = PatternNode::Group(0, Box::new(node));
        if node.size() > OPS { Err(failed("it is too long")) } else { Ok(ParsedPattern { node, sets, groups }) }
    }
}

impl Pattern {
    /// Whether it is valid.
    pub fn check(pattern: &str) -> Result<(), Problem> {
        ParsedPattern::read(pattern).map(drop)
    }

    pub fn new(pattern: &str, heap: &Heap<'_>) -> Result<Self, Problem> {
        heap.budget.bytes(pattern.len())?;
        let ParsedPattern { node, sets, groups } = ParsedPattern::read(pattern)?;
        heap.budget.steps(node.size())?;
        let mut made = Pattern { ops: Vec::new(), sets, groups, slots: 2 * groups };
        made.compile(&node);
        made.ops.push(PatternOp::Match);
        Ok(made)
    }

    fn push(&mut self, op: PatternOp) -> usize {
        self.ops.push(op);
        self.ops.len() - 1
    }

    fn set(&mut self, place: usize, op: PatternOp) {
        if let Some(slot) = self.ops.get_mut(place) {
            *slot = op;
        }
    }

    fn compile(&mut self, node: &PatternNode) {
        match node {
            PatternNode::Op(op) => drop(self.push(*op)),
            PatternNode::Sequence(nodes) => nodes.iter().for_each(|node| self.compile(node)),
            PatternNode::Either(nodes) => self.either(nodes),
            PatternNode::Group(group, node) => {
                self.push(PatternOp::Note(2 * group));
                self.compile(node);
                self.push(PatternOp::Note(2 * group + 1));
            }
            PatternNode::Repeat { node, least, most, is_lazy } => {
                for _ in 0..*least {
                    // A repetition of nothing is limited, too.
                    self.push(PatternOp::Jump(self.ops.len() + 1));
                    self.forget_groups(node);
                    self.compile(node);
                }
                match most {
                    None => self.repeat(node, *is_lazy, true),
                    Some(most) => (*least..*most).for_each(|_| self.repeat(node, *is_lazy, false)),
                }
            }
        }
    }

    fn either(&mut self, nodes: &[PatternNode]) {
        let mut ends = Vec::new();
        for (place, node) in nodes.iter().enumerate() {
            if place + 1 == nodes.len() {
                self.compile(node);
                break;
            }
            let choice = self.push(PatternOp::Match);
            self.compile(node);
            ends.push(self.push(PatternOp::Match));
            self.set(choice, PatternOp::Choice(choice + 1, self.ops.len()));
        }
        ends.into_iter().for_each(|end| self.set(end, PatternOp::Jump(self.ops.len())));
    }

    /// As in JavaScript a group has matched nothing when its container is repeated.
    fn forget_groups(&mut self, node: &PatternNode) {
        match node {
            PatternNode::Op(_) => {}
            PatternNode::Sequence(nodes) | PatternNode::Either(nodes) => {
                nodes.iter().for_each(|node| self.forget_groups(node))
            }
            PatternNode::Repeat { node, .. } => self.forget_groups(node),
            PatternNode::Group(group, node) => {
                self.push(PatternOp::Forget(2 * group));
                self.push(PatternOp::Forget(2 * group + 1));
                self.forget_groups(node);
            }
        }
    }

    /// Matches once more or not, again and again if it loops.
    fn repeat(&mut self, node: &PatternNode, is_lazy: bool, loops: bool) {
        let choice = self.push(PatternOp::Match);
        let slot = self.slots;
        self.slots += 1;
        self.push(PatternOp::Note(slot));
        self.forget_groups(node);
        self.compile(node);
        self.push(PatternOp::Moved(slot));
        if loops {
            self.push(PatternOp::Jump(choice));
        }
        let (once, end) = (choice + 1, self.ops.len());
        self.set(choice, if is_lazy { PatternOp::Choice(end, once) } else { PatternOp::Choice(once, end) });
    }

    /// Replaces every match. In the replacement `$1`, `$&`, `` $` ``, `$'` and `$$` have a meaning.
    pub fn replace_all(&self, text: &str, replacement: &str, call: &HelperCall<'_, '_>) -> Result<String, Problem> {
        let (mut made, mut copied, mut from) = (RewrittenText::new(text, call), 0, 0);
        while let Some(slots) = self.find(text, from, call.heap)? {
            let (start, end) = self.group(&slots, 0).unwrap_or((from, from));
            made.copy(copied..start)?;
            let before = made.out.len();
            self.expand(replacement, &slots, &mut made)?;
            call.heap.budget.bytes(replacement.len() + made.out.len() - before)?;
            copied = end;
            // After an empty match the search continues one character on.
            let passed = if start == end { text.get(end..).and_then(|rest| rest.chars().next()) } else { None };
            from = end + passed.map_or(usize::from(start == end), char::len_utf8);
        }
        made.copy(copied..text.len())?;
        Ok(made.out)
    }

    fn group(&self, slots: &[Option<usize>], group: usize) -> Option<(usize, usize)> {
        Some(((*slots.get(2 * group)?)?, (*slots.get(2 * group + 1)?)?))
    }

    fn expand(&self, replacement: &str, slots: &[Option<usize>], made: &mut RewrittenText<'_>) -> Result<(), Problem> {
        let (start, end) = self.group(slots, 0).unwrap_or_default();
        let mut rest = replacement;
        while let Some((before, after)) = rest.split_once('$') {
            made.add(before)?;
            let (part, length) = match after.as_bytes().first() {
                Some(b'&') => (start..end, 1),
                Some(b'`') => (0..start, 1),
                Some(b'\'') => (end..made.text.len(), 1),
                first => match self.named_group(after) {
                    Some((group, length)) => {
                        let (start, end) = self.group(slots, group).unwrap_or_default();
                        (start..end, length)
                    }
                    None => {
                        made.add("$")?;
                        (0..0, usize::from(first == Some(&b'$')))
                    }
                },
            };
            made.copy(part)?;
            rest = after.get(length..).unwrap_or_default();
        }
        made.add(rest)
    }

    /// The group whose number is at the start of a text, and the number's length.
    fn named_group(&self, text: &str) -> Option<(usize, usize)> {
        let digits = text.bytes().take(2).take_while(u8::is_ascii_digit).count();
        let of_length = |length: usize| Some((text.get(..length)?.parse::<usize>().ok()?, length));
        (1..=digits).rev().filter_map(of_length).find(|(group, _)| (1..self.groups).contains(group))
    }

    /// The first match from here on: the positions of its groups.
    fn find(&self, text: &str, from: usize, heap: &Heap<'_>) -> Result<Option<Vec<Option<usize>>>, Problem> {
        let Some(rest) = text.get(from..) else { return Ok(None) };
        heap.budget.bytes(self.slots * size_of::<Option<usize>>())?;
        let mut attempt =
            MatchAttempt { pattern: self, text, slots: vec![None; self.slots], choices: Vec::new(), heap };
        for (at, _) in rest.char_indices().chain([(rest.len(), ' ')]) {
            if attempt.matches(from + at)? {
                return Ok(Some(attempt.slots));
            }
        }
        Ok(None)
    }
}

/// A text made from another, and the kinds of its parts, if they are needed.
struct RewrittenText<'t> {
    text: &'t str,
    out: String,
    change: Option<&'t TextChange>,
    /// The kind of the replacement.
    kind: PrintKind,
    budget: &'t RenderBudget,
}

impl<'t> RewrittenText<'t> {
    fn new(text: &'t str, call: &HelperCall<'t, '_>) -> Self {
        let kind = call.change.map_or(PrintKind::Data, |change| change.argument(2));
        RewrittenText { text, out: String::new(), change: call.change, kind, budget: &call.heap.budget }
    }

    /// Writes a part of the text.
    fn copy(&mut self, part: Range<usize>) -> Result<(), Problem> {
        self.write(self.text.get(part.clone()).unwrap_or_default())?;
        self.change.map_or(Ok(()), |change| change.copied(part, self.budget))
    }

    /// Writes a part of the replacement.
    fn add(&mut self, words: &str) -> Result<(), Problem> {
        self.write(words)?;
        self.change.map_or(Ok(()), |change| change.added(words.len(), self.kind, self.budget))
    }

    fn write(&mut self, words: &str) -> Result<(), Problem> {
        if self.out.len() + words.len() > TEXT_BYTES {
            return Err(Problem::too_long());
        }
        self.out.push_str(words);
        Ok(())
    }
}

/// One attempt to match a pattern at a position.
struct MatchAttempt<'t, 'h, 'a> {
    pattern: &'t Pattern,
    text: &'t str,
    slots: Vec<Option<usize>>,
    choices: Vec<Backtrack>,
    heap: &'h Heap<'a>,
}

/// What is undone on the way back.
enum Backtrack {
    Try { op: usize, at: usize },
    Forget { slot: usize, noted: Option<usize> },
}

impl MatchAttempt<'_, '_, '_> {
    fn matches(&mut self, start: usize) -> Result<bool, Problem> {
        let (mut next, mut at) = (0, start);
        loop {
            self.heap.budget.steps(1)?;
            let Some(op) = self.pattern.ops.get(next) else { return Ok(false) };
            if matches!(op, PatternOp::Match) {
                self.choices.clear();
                return Ok(true);
            }
            match self.step(*op, next, at)? {
                Some(went) => (next, at) = went,
                None => match self.back() {
                    Some(went) => (next, at) = went,
                    None => return Ok(false),
                },
            }
            if self.choices.len() > CHOICES {
                return Err(Problem::new("the regular expression has too many ways to match the text"));
            }
        }
    }

    /// The position after an instruction; `None` if it does not match.
    fn step(&mut self, op: PatternOp, place: usize, at: usize) -> Result<Option<(usize, usize)>, Problem> {
        let next = place + 1;
        let goes_on = match op {
            PatternOp::One(set) => {
                let (Some(c), Some(set)) = (self.char_at(at), self.pattern.sets.get(set)) else { return Ok(None) };
                self.heap.budget.steps((set.ranges.len() + set.classes.len()) / RANGES_A_STEP)?;
                return Ok(set.has(c).then(|| (next, at + c.len_utf8())));
            }
            PatternOp::Choice(first, second) => {
                self.choices.push(Backtrack::Try { op: second, at });
                return Ok(Some((first, at)));
            }
            PatternOp::Jump(target) => return Ok(Some((target, at))),
            PatternOp::Note(slot) => {
                if let Some(noted) = self.slots.get_mut(slot) {
                    self.choices.push(Backtrack::Forget { slot, noted: noted.replace(at) });
                }
                true
            }
            PatternOp::Forget(slot) => {
                if let Some(noted) = self.slots.get_mut(slot).filter(|noted| noted.is_some()) {
                    self.choices.push(Backtrack::Forget { slot, noted: noted.take() });
                }
                true
            }
            PatternOp::Moved(slot) => self.slots.get(slot).copied().flatten() != Some(at),
            PatternOp::Start => at == 0,
            PatternOp::End => at == self.text.len(),
            PatternOp::Boundary(wanted) => {
                let before = self.text.get(..at).and_then(|text| text.chars().next_back()).is_some_and(is_word);
                (before != self.char_at(at).is_some_and(is_word)) == wanted
            }
            PatternOp::Match => false,
        };
        Ok(goes_on.then_some((next, at)))
    }

    fn char_at(&self, at: usize) -> Option<char> {
        self.text.get(at..)?.chars().next()
    }

    fn back(&mut self) -> Option<(usize, usize)> {
        loop {
            match self.choices.pop()? {
                Backtrack::Try { op, at } => return Some((op, at)),
                Backtrack::Forget { slot, noted } => {
                    if let Some(slot) = self.slots.get_mut(slot) {
                        *slot = noted;
                    }
                }
            }
        }
    }
}

/// What is left to read of a pattern.
struct Reader<'p> {
    rest: &'p str,
    /// Those that were opened, the whole included.
    groups: usize,
    sets: Vec<Set>,
}

type ParseResult<T> = Result<T, &'static str>;

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let next = chars.next();
        self.rest = chars.as_str();
        next
    }

    fn take(&mut self, sign: &str) -> bool {
        let rest = self.rest.strip_prefix(sign);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn either(&mut self, depth: usize) -> ParseResult<PatternNode> {
        if depth > DEPTH {
            return Err("its groups are nested too deep");
        }
        let mut nodes = vec![self.sequence(depth)?];
        while self.take("|") {
            nodes.push(self.sequence(depth)?);
        }
        Ok(PatternNode::Either(nodes))
    }

    fn sequence(&mut self, depth: usize) -> ParseResult<PatternNode> {
        let mut nodes = Vec::new();
        while self.peek().is_some_and(|c| !matches!(c, '|' | ')')) {
            let node = self.one(depth)?;
            let can_repeat =
                !matches!(node, PatternNode::Op(PatternOp::Start | PatternOp::End | PatternOp::Boundary(_)));
            nodes.push(match self.count() {
                Some(_) if !can_repeat => return Err("there is nothing to repeat"),
                Some((least, Some(most))) if most < least => return Err("numbers of a repetition are out of order"),
                Some((least, most)) => {
                    PatternNode::Repeat { node: Box::new(node), least, most, is_lazy: self.take("?") }
                }
                None => node,
            });
        }
        Ok(PatternNode::Sequence(nodes))
    }

    fn one(&mut self, depth: usize) -> ParseResult<PatternNode> {
        let set = match self.next().ok_or("it ends too early")? {
            '^' => return Ok(PatternNode::Op(PatternOp::Start)),
            '$' => return Ok(PatternNode::Op(PatternOp::End)),
            '(' => return self.group(depth),
            '*' | '+' | '?' => return Err("there is nothing to repeat"),
            '\\' if self.take("b") => return Ok(PatternNode::Op(PatternOp::Boundary(true))),
            '\\' if self.take("B") => return Ok(PatternNode::Op(PatternOp::Boundary(false))),
            '\\' => self.escaped()?,
            '.' => {
                let ranges = "\n\r\u{2028}\u{2029}".chars().map(|c| (c, c)).collect();
                Set { is_negated: true, ranges, ..Set::default() }
            }
            '[' => self.set()?,
            c => Set::of(c),
        };
        self.sets.push(set);
        Ok(PatternNode::Op(PatternOp::One(self.sets.len() - 1)))
    }

    fn group(&mut self, depth: usize) -> ParseResult<PatternNode> {
        let group = if self.take("?:") { None } else { Some(self.groups) };
        if self.rest.starts_with('?') {
            return Err("groups that begin with (? are not understood, but for (?:");
        }
        self.groups += usize::from(group.is_some());
        let node = self.either(depth + 1)?;
        if !self.take(")") {
            return Err("a group is not closed");
        }
        Ok(match group {
            Some(group) => PatternNode::Group(group, Box::new(node)),
            None => node,
        })
    }

    /// The repetition of what was read, if there is one.
    fn count(&mut self) -> Option<(usize, Option<usize>)> {
        for (sign, count) in [("*", (0, None)), ("+", (1, None)), ("?", (0, Some(1)))] {
            if self.take(sign) {
                return Some(count);
            }
        }
        let (inside, rest) = self.rest.strip_prefix('{')?.split_once('}')?;
        let number = |digits: &str| {
            let is_number = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
            is_number.then(|| digits.parse().unwrap_or(usize::MAX))
        };
        let count = match inside.split_once(',') {
            None => (number(inside)?, Some(number(inside)?)),
            Some((least, "")) => (number(least)?, None),
            Some((least, most)) => (number(least)?, Some(number(most)?)),
        };
        self.rest = rest;
        Some(count)
    }

    fn set(&mut self) -> ParseResult<Set> {
        let mut set = Set { is_negated: self.take("^"), ..Set::default() };
        while !self.take("]") {
            let part = self.part_of_set()?;
            let to = match self.rest.strip_prefix('-') {
                Some(rest) if !rest.starts_with(']') => {
                    self.rest = rest;
                    Some(self.part_of_set()?)
                }
                _ => None,
            };
            match (part.single(), to.as_ref().and_then(Set::single)) {
                (Some(first), Some(last)) if first > last => return Err("a range is out of order"),
                (Some(first), Some(last)) => set.ranges.push((first, last)),
                _ => {
                    // A class cannot end a range: the sign between the two stands for itself.
                    set.add(part);
                    to.into_iter().flat_map(|to| [Set::of('-'), to]).for_each(|part| set.add(part));
                }
            }
        }
        Ok(set)
    }

    fn part_of_set(&mut self) -> ParseResult<Set> {
        match self.next().ok_or("a set is not closed")? {
            '\\' if self.take("b") => Ok(Set::of('\u{8}')),
            '\\' => self.escaped(),
            c => Ok(Set::of(c)),
        }
    }

    /// The meaning of a character behind a backslash.
    fn escaped(&mut self) -> ParseResult<Set> {
        let c = self.next().ok_or("it ends with a backslash")?;
        Ok(Set::of(match c {
            'd' | 'w' | 's' | 'D' | 'W' | 'S' => {
                let classes = vec![(c.to_ascii_lowercase(), c.is_ascii_uppercase())];
                return Ok(Set { classes, ..Set::default() });
            }
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            'f' => '\u{c}',
            '0' => '\0',
            '1'..='9' => return Err("references to groups are not understood"),
            'x' => self.by_number(2).unwrap_or('x'),
            'u' => self.by_number(4).unwrap_or('u'),
            c => c,
        }))
    }

    fn by_number(&mut self, digits: usize) -> Option<char> {
        let (number, rest) = self.rest.split_at_checked(digits)?;
        let is_number = number.bytes().all(|digit| digit.is_ascii_hexdigit());
        let c = char::from_u32(u32::from_str_radix(number, 16).ok().filter(|_| is_number)?)?;
        self.rest = rest;
        Some(c)
    }
}

#[cfg(test)]
mod tests {
    use super::{Heap, ParsedPattern, Pattern};
    use crate::template::helpers::testing::{Json, check, printed};

    #[test]
    fn matches_are_replaced() {
        check(
            "{}",
            &[
                (r#"replace-all "banana" "a" "b""#, "bbnbnb"),
                (r#"replace-all "banana" "n" "[$&]""#, "ba[n]a[n]a"),
                (r#"replace-all "a.b.c" "\\." "-""#, "a-b-c"),
                (r#"replace-all "a.b" "." "-""#, "---"),
                (r#"replace-all "Ann Lee" "(\\w+) (\\w+)" "$2, $1""#, "Lee, Ann"),
                (r#"replace-all "abc" "b" "$$ $1 $0 $' $` $""#, "a$ $1 $0 c a $c"),
                (r#"replace-all "abcdefghijk" "(a)(b)(c)(d)(e)(f)(g)(h)(i)(j)" "$10$11$01""#, "ja1ak"),
                (r#"replace-all "abc" "" "-""#, "!expected a regular expression to search for, found an empty text"),
                (r#"replace-all "abc" "x*" "-""#, "-a-b-c-"),
                (r#"replace-all "é🎉" "(?:)" "-""#, "-é-🎉-"),
                (r#"replace-all "a  b \u00a0 c" "\\s+" " ""#, "a b c"),
                (r#"replace-all "aXbX" "[^a-c]" """#, "ab"),
                (r#"replace-all "a-b]c" "[\\]-]" "_""#, "a_b_c"),
                (r#"replace-all "a-1_." "[\\w-]" "x""#, "xxxx."),
                (r#"replace-all "a-z5" "[a\\d-z]" "x""#, "xxxx"),
                (r#"replace-all "a1-" "[\\d\\w]" "x""#, "xx-"),
                (r#"replace-all "abc" "[]" "x""#, "abc"),
                (r#"replace-all "a\nb" "[^]" "x""#, "xxx"),
                (r#"replace-all "a\nb" "." "x""#, "x\nx"),
                (r#"replace-all "one two" "\\b" "|""#, "|one| |two|"),
                (r#"replace-all "one" "\\B" "|""#, "o|n|e"),
                (r#"replace-all "aab" "^a" "x""#, "xab"),
                (r#"replace-all "aba" "a$" "x""#, "abx"),
                (r#"replace-all "<<a>><b>" "<.+?>" "x""#, "x>x"),
                (r#"replace-all "<<a>><b>" "<.+>" "x""#, "x"),
                (r#"replace-all "cat dog cow" "cat|dog" "pet""#, "pet pet cow"),
                (r#"replace-all "aaaaa" "a{2}" "x""#, "xxa"),
                (r#"replace-all "aaaaa" "a{2,}" "x""#, "x"),
                (r#"replace-all "aaaaa" "a{1,2}?" "x""#, "xxxxx"),
                (r#"replace-all "aaaaa" "a{2,3}" "x""#, "xx"),
                (r#"replace-all "a{b" "a{" "x""#, "xb"),
                (r#"replace-all "{x}" "{x}" "y""#, "y"),
                (r#"replace-all "aab" "(a*)*b" "[$1]""#, "[aa]"),
                (r#"replace-all "b" "(a)?b" "[$1]""#, "[]"),
                (r#"replace-all "a-b.c" "[a-]" "x""#, "xxb.c"),
                (r#"replace-all "a-1" "[a-\\d]" "x""#, "xxx"),
                (r#"replace-all "/A\t" "\\/\\x41\\u0009" "x""#, "x"),
                (r#"replace-all 42 "2" "3""#, "43"),
                (r#"replace-all "abc" "b" nobody"#, "!expected a text to replace it by, found nothing"),
                (r#"replace-all "abc" "b" 1"#, "!expected a text to replace it by, found the number 1"),
            ],
        );
    }

    #[test]
    fn what_is_no_regular_expression_is_refused() {
        for (pattern, problem) in [
            ("(", "a group is not closed"),
            (")", "a group is closed that is not open"),
            ("*a", "there is nothing to repeat"),
            ("a**", "there is nothing to repeat"),
            ("^*", "there is nothing to repeat"),
            ("[a", "a set is not closed"),
            ("[z-a]", "a range is out of order"),
            ("a{2,1}", "numbers of a repetition are out of order"),
            ("a{99999999999999999999}", "it is too long"),
            ("(a{90}){90}", "it is too long"),
            ("(?:){99999999}", "it is too long"),
            ("(?=a)", "groups that begin with (? are not understood, but for (?:"),
            ("(a)\\1", "references to groups are not understood"),
            ("\\", "it ends with a backslash"),
        ] {
            let expected = format!("expected a regular expression, found {pattern:?}: {problem}");
            assert_eq!(printed("{}", &format!("replace-all \"x\" {pattern:?} \"y\"")), Err(expected));
        }
        let deep = printed("{}", &format!("replace-all \"x\" {:?} \"y\"", "(".repeat(100))).unwrap_err();
        assert!(deep.ends_with("its groups are nested too deep"), "{deep}");
    }

    #[test]
    fn instructions_are_counted_as_they_are_made() {
        for pattern in ["", "a", "a|b|cd", "(a)(?:b)", "a*b+?c?", "a{3}", "a{2,}", "(a|b){1,4}c{0}", "(x{2,5}y*){3}"] {
            let (arena, root) = (bumpalo::Bump::new(), Json("{}"));
            let made = Pattern::new(pattern, &Heap::new(&arena, &root)).unwrap();
            assert_eq!(made.ops.len(), ParsedPattern::read(pattern).unwrap().node.size() + 1, "{pattern}");
        }
    }

    #[test]
    fn replacing_ends() {
        let text = "a".repeat(5_000);
        for pattern in ["(a+)+b", "(a|aa)+$b", "(a*)*b", "a*a*a*a*a*b", "(.*)(.*)(.*)(.*)x"] {
            let problem = printed("{}", &format!("replace-all {text:?} {pattern:?} \"y\"")).unwrap_err();
            assert_eq!(problem, "the text takes more than 4000000 steps to render", "{pattern}");
        }
        let problem = printed("{}", &format!("replace-all {text:?} \"a\" \"$`$'\"")).unwrap_err();
        assert!(problem.contains("longer than") || problem.contains("more than"), "{problem}");
    }
}
