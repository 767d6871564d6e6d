//! Changes of many rows, which are made in pieces: others wait for one piece at most.

use std::ops::Range;

/// Rows of a piece at most: they are written in some milliseconds.
pub const PIECE_ROWS: usize = 1_000;
/// Text after which a piece ends earlier.
const PIECE_BYTES: usize = 256 * 1024;

/// Where the pieces of rows begin and end. `bytes` tells the size of a row's text.
pub fn ranges<T>(rows: &[T], bytes: impl Fn(&T) -> usize) -> Vec<Range<usize>> {
    let (mut pieces, mut start, mut taken) = (Vec::new(), 0, 0);
    for (index, row) in rows.iter().enumerate() {
        if index - start == PIECE_ROWS || taken >= PIECE_BYTES {
            pieces.push(start..index);
            (start, taken) = (index, 0);
        }
        taken += bytes(row);
    }
    if start < rows.len() {
        pieces.push(start..rows.len());
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_bounded_by_rows_and_by_text_and_leave_nothing_out() {
        let sizes = |rows: &[usize]| ranges(rows, |bytes| *bytes).into_iter().map(|it| it.len()).collect::<Vec<_>>();
        assert_eq!(sizes(&[]), [0; 0]);
        assert_eq!(sizes(&[1]), [1]);
        assert_eq!(sizes(&[0; PIECE_ROWS]), [PIECE_ROWS]);
        assert_eq!(sizes(&[0; 2 * PIECE_ROWS + 1]), [PIECE_ROWS, PIECE_ROWS, 1]);
        assert_eq!(sizes(&[PIECE_BYTES, 1, PIECE_BYTES - 1, 7]), [1, 2, 1]);
    }
}
