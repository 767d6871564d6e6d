//! Errors in a text, with their place.

use std::fmt;

use super::tree::Span;

/// Most characters of a tag that are shown.
const SHOWN: usize = 60;
/// The longest names, in bytes, that are compared with known ones, and how many.
const COMPARED: usize = 64;
const COMPARED_NAMES: usize = 10_000;

/// A text that cannot be compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// What is wrong there and what was expected.
    pub problem: String,
    pub place: Place,
}

/// A place in a text, and its tag.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// From one on.
    pub line: usize,
    /// In characters, from one on.
    pub column: usize,
    pub tag: String,
    /// The snippet that the text is.
    pub snippet: Option<String>,
}

impl Place {
    pub fn of(source: &str, span: Span) -> Self {
        let start = span.start.min(source.len());
        let before = source.get(..start).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let tag = source.get(start..span.end.min(source.len())).unwrap_or_default();
        let line = tag.lines().next().unwrap_or_default();
        let is_whole = line.len() == tag.len() && tag.chars().nth(SHOWN).is_none();
        let tag = if is_whole { tag.to_owned() } else { line.chars().take(SHOWN).chain(['…']).collect() };
        Place {
            line: 1 + before.matches('\n').count(),
            column: 1 + before[line_start..].chars().count(),
            tag,
            snippet: None,
        }
    }

    pub fn in_snippet(self, snippet: Option<&str>) -> Self {
        Place { snippet: snippet.map(str::to_owned), ..self }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { line, column, tag, snippet } = self;
        if let Some(snippet) = snippet {
            write!(f, "in the snippet '{snippet}', ")?;
        }
        match tag.is_empty() {
            true => write!(f, "line {line}, column {column}"),
            false => write!(f, "line {line}, column {column}, {tag}"),
        }
    }
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a valid template: {}: {}", self.place, self.problem)
    }
}

/// The known name that was probably meant.
pub fn nearest<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    // It takes time in proportion to both.
    if name.len() > COMPARED {
        return None;
    }
    let known = known.into_iter().filter(|known| known.len() <= COMPARED).take(COMPARED_NAMES);
    let close = |known: &'n str| {
        let score = strsim::jaro_winkler(&name.to_lowercase(), &known.to_lowercase());
        (score > 0.8).then_some((score, known))
    };
    let best = known.filter_map(close).max_by(|(a, _), (b, _)| a.total_cmp(b));
    best.map(|(_, known)| known)
}
