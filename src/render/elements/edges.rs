//! The space below blocks: a margin, but none at the end of a box, which has an edge of its own.

/// Whether what is written ends a box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BoxEnd {
    Inside,
    Ends,
    /// Only the data tell. Each block that may be the last one notes the space that would be below it, for [`settle`].
    Undecided,
}

impl BoxEnd {
    /// A margin with so much below.
    pub fn below(self, pixels: &str) -> String {
        match self {
            BoxEnd::Inside => format!("0 0 {pixels}"),
            BoxEnd::Ends => "0".to_owned(),
            BoxEnd::Undecided => format!("0 0 <{pixels}>"),
        }
    }
}

/// Surrounds an undecided space. In HTML, words of texts have no such characters.
const OPEN: &str = " <";
const CLOSE: &str = "px>";

/// Decides about the blocks that were written from a place on: there is no space below the last one.
pub fn settle(out: &mut String, start: usize) {
    let written = out.split_off(start);
    let found: Vec<(usize, usize)> = noted(&written).collect();
    let mut from = 0;
    for (i, (at, end)) in found.iter().enumerate() {
        out.push_str(written.get(from..*at).unwrap_or_default());
        match i + 1 == found.len() {
            true => out.push('0'),
            false => out.push_str(written.get(at + 1..end - 1).unwrap_or_default()),
        }
        from = *end;
    }
    out.push_str(written.get(from..).unwrap_or_default());
}

/// The places of such notes, each with its end: `<16px>`.
fn noted(written: &str) -> impl Iterator<Item = (usize, usize)> {
    written.match_indices(OPEN).filter_map(|(at, _)| {
        let inside = written.get(at + OPEN.len()..)?;
        let digits = inside.bytes().take_while(u8::is_ascii_digit).count();
        let is_note = digits > 0 && inside.get(digits..).is_some_and(|rest| rest.starts_with(CLOSE));
        is_note.then(|| (at + 1, at + OPEN.len() + digits + CLOSE.len()))
    })
}

/// What neighbouring columns have in common.
pub struct ColumnsLook {
    /// The part of the width that they share.
    pub share: f64,
    pub alignment: String,
    /// Whether each of them ends a box.
    pub end: BoxEnd,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn below_the_last_block_stands_nothing() {
        for (written, expected) in [
            ("a:0 0 <16px>; b:16px 0 <16px>; c:0 0 <4px>;d", "a:0 0 16px; b:16px 0 16px; c:0 0 0;d"),
            ("x <y> 1 <2 &lt;16px>", "x <y> 1 <2 &lt;16px>"),
            ("", ""),
        ] {
            let mut out = "before 0 <16px> ".to_owned();
            let start = out.len();
            out.push_str(written);
            settle(&mut out, start);
            assert_eq!(out, format!("before 0 <16px> {expected}"));
        }
    }
}
