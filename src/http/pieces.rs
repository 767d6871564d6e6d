//! Bytes in pieces. Large content is written into them as it is made: it is not copied when it grows, and each piece is
//! freed once the peer has taken it.

use std::collections::VecDeque;
use std::io::{self, Read, Write};

/// The most bytes of a piece, unless a text came as one. Smaller pieces, which one thread makes and another frees,
/// would not be returned to the system: the allocator does that from 512 KiB on.
const PIECE_BYTES: usize = 1024 * 1024;

/// The most unused room that the last piece may keep.
const KEPT_BYTES: usize = 64 * 1024;

/// Bytes of an answer. A small answer is one piece.
#[derive(Clone, Debug, Default)]
pub struct Pieces {
    first: Vec<u8>,
    more: VecDeque<Vec<u8>>,
    length: usize,
}

impl Pieces {
    pub fn len(&self) -> usize {
        self.length
    }

    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    pub fn push(&mut self, mut bytes: &[u8]) {
        self.length += bytes.len();
        while !bytes.is_empty() {
            let last = self.more.back_mut().unwrap_or(&mut self.first);
            let (part, rest) = bytes.split_at(bytes.len().min(PIECE_BYTES.saturating_sub(last.len())));
            let needed = last.len() + part.len();
            if needed > last.capacity() {
                // The first grows step by step, since most answers are small.
                last.reserve_exact(needed.max(2 * last.capacity()).min(PIECE_BYTES) - last.len());
            }
            last.extend_from_slice(part);
            if !rest.is_empty() {
                self.more.push_back(Vec::with_capacity(PIECE_BYTES));
            }
            bytes = rest;
        }
    }

    /// Its beginning: all of it, if it is not large.
    pub fn beginning(&self) -> &[u8] {
        &self.first
    }

    /// The first piece, and those that follow it. None of these is empty.
    pub fn into_parts(mut self) -> (Vec<u8>, VecDeque<Vec<u8>>) {
        let last = self.more.back_mut().unwrap_or(&mut self.first);
        if last.capacity() > KEPT_BYTES {
            last.shrink_to_fit();
        }
        (self.first, self.more)
    }

    /// A copy of the whole.
    pub fn to_text(&self) -> String {
        let mut whole = Vec::with_capacity(self.length);
        whole.extend_from_slice(&self.first);
        self.more.iter().for_each(|piece| whole.extend_from_slice(piece));
        String::from_utf8_lossy(&whole).into_owned()
    }
}

impl From<Vec<u8>> for Pieces {
    fn from(mut bytes: Vec<u8>) -> Self {
        if bytes.len() > PIECE_BYTES {
            // What grew step by step may have twice the room that it needs.
            bytes.shrink_to_fit();
        }
        Pieces { length: bytes.len(), first: bytes, more: VecDeque::new() }
    }
}

impl From<String> for Pieces {
    fn from(text: String) -> Self {
        Pieces::from(text.into_bytes())
    }
}

impl From<&str> for Pieces {
    fn from(text: &str) -> Self {
        Pieces::from(text.as_bytes().to_vec())
    }
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.push(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// tiny_http asks for it. Answers are [taken apart](Pieces::into_parts).
impl Read for Pieces {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.first.is_empty() {
            match self.more.pop_front() {
                Some(next) => self.first = next,
                None => return Ok(0),
            }
        }
        let count = into.len().min(self.first.len());
        into[..count].copy_from_slice(&self.first[..count]);
        self.first.drain(..count);
        self.length -= count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_step_by_step_is_whole_and_no_piece_is_larger_than_it_may_be() {
        let all: Vec<u8> = (0..3 * PIECE_BYTES + 7).map(|i| (i % 251) as u8).collect();
        for step in [1_000, 70_000, PIECE_BYTES, 2 * PIECE_BYTES + 1, all.len()] {
            let mut pieces = Pieces::from("");
            all.chunks(step).for_each(|part| pieces.push(part));
            assert_eq!(pieces.len(), all.len());
            let (first, more) = pieces.clone().into_parts();
            assert_eq!([vec![first], more.into()].concat().concat(), all);
            let (first, more) = pieces.into_parts();
            assert!(first.capacity() <= PIECE_BYTES && more.len() == 3);
            assert!(more.iter().all(|piece| !piece.is_empty() && piece.capacity() <= PIECE_BYTES));
        }
    }

    #[test]
    fn a_text_that_came_as_one_is_not_copied() {
        let text = "x".repeat(2 * PIECE_BYTES);
        let at = text.as_ptr();
        let mut pieces = Pieces::from(text);
        pieces.push(b"y");
        let (first, more) = pieces.into_parts();
        assert_eq!((first.as_ptr(), first.len(), more), (at, 2 * PIECE_BYTES, VecDeque::from([b"y".to_vec()])));
    }
}
