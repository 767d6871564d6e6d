//! Keeps track of the parts of a text while helpers change it. Helpers see the text as it will be read, and each part
//! is escaped afterwards by its kind. So no helper cuts an escape in two, and none turns data into more than text.

use std::cell::RefCell;
use std::ops::Range;

use super::budget::{Problem, RenderBudget};
use super::escape::{Escape, PrintKind};

/// A part of a text that is not the author's words. Texts are far shorter than a `u32` counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stretch {
    start: u32,
    end: u32,
    kind: PrintKind,
}

/// The parts of a text, in order. Between them are words.
#[derive(Debug, Default)]
pub struct Stretches(Vec<Stretch>);

impl Stretches {
    /// Notes a part behind all that were noted before.
    pub fn note(&mut self, place: Range<usize>, kind: PrintKind, budget: &RenderBudget) -> Result<(), Problem> {
        let (start, end) = (place.start as u32, place.end as u32);
        if start >= end || kind == PrintKind::Words {
            return Ok(());
        }
        match self.0.last_mut() {
            Some(last) if last.end == start && last.kind == kind => last.end = end,
            _ => {
                budget.bytes(size_of::<Stretch>())?;
                self.0.push(Stretch { start, end, kind });
            }
        }
        Ok(())
    }

    /// Takes the parts from a place on, counted from there.
    pub fn split_off(&mut self, place: usize) -> Stretches {
        let start = place as u32;
        let first = self.0.partition_point(|stretch| stretch.end <= start);
        let mut taken = self.0.split_off(first);
        // Data around the place are one stretch, which is cut in two.
        if let Some(cut) = taken.first_mut().filter(|cut| cut.start < start) {
            self.0.push(Stretch { end: start, ..*cut });
            cut.start = start;
        }
        for stretch in &mut taken {
            stretch.start -= start;
            stretch.end -= start;
        }
        Stretches(taken)
    }

    /// Notes elsewhere the parts of a text that was copied to a place there.
    pub fn copy(
        &self,
        part: Range<usize>,
        to: usize,
        into: &mut Stretches,
        budget: &RenderBudget,
    ) -> Result<(), Problem> {
        let first = self.0.partition_point(|stretch| stretch.end as usize <= part.start);
        let touched = self.0.iter().skip(first).take_while(|stretch| (stretch.start as usize) < part.end);
        for Stretch { start, end, kind } in touched.copied() {
            let (start, end) = (part.start.max(start as usize), part.end.min(end as usize));
            into.note(to + start - part.start..to + end - part.start, kind, budget)?;
        }
        Ok(())
    }

    /// Writes a text with these parts, each escaped by its kind.
    pub fn escape(&self, text: &str, escape: &Escape, out: &mut String) {
        let mut write = |part: Range<usize>, kind: PrintKind| {
            let at = out.len();
            out.push_str(text.get(part).unwrap_or_default());
            escape.of(kind)(out, at);
        };
        let mut written = 0;
        for Stretch { start, end, kind } in self.0.iter().copied() {
            write(written..start as usize, PrintKind::Words);
            write(start as usize..end as usize, kind);
            written = end as usize;
        }
        write(written..text.len(), PrintKind::Words);
    }
}

/// A part of a helper's result.
#[derive(Clone, Copy)]
enum ChangePiece {
    /// It was in the text before.
    Copied {
        start: u32,
        end: u32,
    },
    Added {
        length: u32,
        kind: PrintKind,
    },
}

/// A text in a block that a helper changes.
pub struct TextChange {
    pub stretches: Stretches,
    /// The kinds of its arguments after the text.
    arguments: Vec<PrintKind>,
    pieces: RefCell<Vec<ChangePiece>>,
}

impl TextChange {
    pub fn new(stretches: Stretches, arguments: Vec<PrintKind>) -> Self {
        TextChange { stretches, arguments, pieces: RefCell::default() }
    }

    /// The kind of the argument at this place; the text is number 0.
    pub fn argument(&self, place: usize) -> PrintKind {
        place.checked_sub(1).and_then(|place| self.arguments.get(place)).copied().unwrap_or(PrintKind::Data)
    }

    /// A helper describes its result from the beginning to the end: here a part of the text.
    pub fn copied(&self, part: Range<usize>, budget: &RenderBudget) -> Result<(), Problem> {
        let (from, to) = (part.start as u32, part.end as u32);
        let mut pieces = self.pieces.borrow_mut();
        match pieces.last_mut() {
            _ if from >= to => {}
            Some(ChangePiece::Copied { end, .. }) if *end == from => *end = to,
            _ => {
                budget.bytes(size_of::<ChangePiece>())?;
                pieces.push(ChangePiece::Copied { start: from, end: to });
            }
        }
        Ok(())
    }

    /// And here something else.
    pub fn added(&self, bytes: usize, kind: PrintKind, budget: &RenderBudget) -> Result<(), Problem> {
        let mut pieces = self.pieces.borrow_mut();
        match pieces.last_mut() {
            _ if bytes == 0 => {}
            Some(ChangePiece::Added { length, kind: known }) if *known == kind => *length += bytes as u32,
            _ => {
                budget.bytes(size_of::<ChangePiece>())?;
                pieces.push(ChangePiece::Added { length: bytes as u32, kind });
            }
        }
        Ok(())
    }

    /// Notes the parts of a text that was made from `content` and written at `place`. What the helper does not describe
    /// is data.
    pub fn note(
        &self,
        made: &str,
        content: &str,
        place: usize,
        into: &mut Stretches,
        budget: &RenderBudget,
    ) -> Result<(), Problem> {
        if let Some(part) = part_of(content, made) {
            return self.stretches.copy(part, place, into, budget);
        }
        let (pieces, mut at) = (self.pieces.borrow(), place);
        for piece in pieces.iter().copied() {
            match piece {
                ChangePiece::Copied { start, end } => {
                    self.stretches.copy(start as usize..end as usize, at, into, budget)?;
                    at += (end - start) as usize;
                }
                ChangePiece::Added { length, kind } => {
                    into.note(at..at + length as usize, kind, budget)?;
                    at += length as usize;
                }
            }
        }
        into.note(at..place + made.len(), PrintKind::Data, budget)
    }
}

/// The place of a text inside another that it was cut from, found by its address. A helper that returns a copy has to
/// describe it ([`TextChange::copied`], [`TextChange::added`]); the rest counts as data.
fn part_of(whole: &str, part: &str) -> Option<Range<usize>> {
    let start = (part.as_ptr() as usize).checked_sub(whole.as_ptr() as usize)?;
    let end = start + part.len();
    (end <= whole.len()).then_some(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::escape::{WhenChanged, keep};

    static SHOWN: Escape = Escape {
        words: keep,
        data: |out, start| surround(out, start, '(', ')'),
        raw: |out, start| surround(out, start, '[', ']'),
        when_changed: WhenChanged::EscapeFirst,
        line_break: None,
    };

    fn surround(out: &mut String, start: usize, before: char, behind: char) {
        out.insert(start, before);
        out.push(behind);
    }

    fn shown(stretches: &Stretches, text: &str) -> String {
        let mut out = String::new();
        stretches.escape(text, &SHOWN, &mut out);
        out
    }

    fn noted(places: &[(Range<usize>, PrintKind)]) -> Stretches {
        let mut stretches = Stretches::default();
        places.iter().for_each(|(place, kind)| stretches.note(place.clone(), *kind, &RenderBudget::default()).unwrap());
        stretches
    }

    #[test]
    fn parts_are_cut_and_moved_with_their_text() {
        let places = [(1..2, PrintKind::Data), (2..4, PrintKind::Data), (4..4, PrintKind::Raw), (5..7, PrintKind::Raw)];
        let mut stretches = noted(&places);
        assert_eq!(shown(&stretches, "abcdefgh"), "a(bcd)e[fg]h");
        let mut copied = noted(&[(0..2, PrintKind::Raw)]);
        stretches.copy(2..6, 3, &mut copied, &RenderBudget::default()).unwrap();
        assert_eq!(shown(&copied, "xyzcdef"), "[xy]z(cd)e[f]");
        assert_eq!(shown(&stretches.split_off(5), "fgh"), "[fg]h");
        assert_eq!(shown(&stretches, "abcde"), "a(bcd)e");
        let mut across = noted(&[(0..2, PrintKind::Data), (2..4, PrintKind::Data)]);
        assert_eq!(shown(&across.split_off(2), "cd"), "(cd)");
        assert_eq!(shown(&across, "ab"), "(ab)");
    }

    #[test]
    fn what_a_helper_made_is_known_as_far_as_it_says() {
        let content = "abcdef";
        let made_of = |change: &TextChange, made: &str| {
            let mut into = Stretches::default();
            change.note(made, content, 0, &mut into, &RenderBudget::default()).unwrap();
            shown(&into, made)
        };
        let change = || TextChange::new(noted(&[(1..3, PrintKind::Raw)]), Vec::new());
        assert_eq!(made_of(&change(), &content[2..5]), "[c]de");
        assert_eq!(made_of(&change(), "new"), "(new)");
        assert_eq!(made_of(&change(), ""), "");
        let said = change();
        said.copied(0..2, &RenderBudget::default()).unwrap();
        said.copied(2..2, &RenderBudget::default()).unwrap();
        said.added(1, PrintKind::Data, &RenderBudget::default()).unwrap();
        said.added(1, PrintKind::Words, &RenderBudget::default()).unwrap();
        said.copied(1..4, &RenderBudget::default()).unwrap();
        assert_eq!(made_of(&said, "abxybcd!"), "a[b](x)y[bc]d(!)");
    }
}
