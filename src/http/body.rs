//! Bodies, whole or in chunks, and the memory that all of them together may take.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicIsize, Ordering};

use super::head::Framing;
use crate::error::{Error, Kind, Result};

/// A line that announces a chunk, extensions included, and all trailers together are no longer than this.
const CHUNK_LINE: usize = 4 * 1024;

/// Bytes of a body that are waited for at once.
const STEP_BYTES: usize = 256 * 1024;

/// Memory for bodies, shared by all connections: what is left of it. Below 0 it is overdrawn.
#[derive(Clone)]
pub struct MemoryBudget(Arc<AtomicIsize>);

impl MemoryBudget {
    pub fn new(bytes: usize) -> Self {
        MemoryBudget(Arc::new(AtomicIsize::new(isize::try_from(bytes).unwrap_or(isize::MAX))))
    }

    /// Nothing yet, to be grown while a body arrives and given back when it is dropped.
    pub fn reserve(&self) -> Reserved {
        Reserved { budget: self.clone(), bytes: 0 }
    }
}

pub struct Reserved {
    budget: MemoryBudget,
    bytes: usize,
}

impl Reserved {
    /// Takes so much more; false if there is not so much left.
    pub fn grow(&mut self, bytes: usize) -> bool {
        let take = |left: isize| left.checked_sub_unsigned(bytes).filter(|left| *left >= 0);
        let taken = self.budget.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok();
        self.bytes += if taken { bytes } else { 0 };
        taken
    }

    /// Takes as much as is lacking to this, whether or not it is left.
    pub fn cover(&mut self, bytes: usize) {
        self.overdraw(bytes.saturating_sub(self.bytes));
    }

    /// Takes so much more, whether or not it is left: others wait until it is given back.
    pub fn overdraw(&mut self, bytes: usize) {
        self.budget.0.fetch_sub(bytes.cast_signed(), Ordering::Relaxed);
        self.bytes += bytes;
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.budget.0.fetch_add(self.bytes.cast_signed(), Ordering::Relaxed);
    }
}

/// Reads a body from `source`, which begins where the head ended.
pub fn read(source: &mut impl Read, framing: Framing, limit: usize, reserved: &mut Reserved) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    match framing {
        Framing::Length(length) => {
            let length =
                usize::try_from(length).ok().filter(|length| *length <= limit).ok_or_else(|| too_large(limit))?;
            append(source, length, length, &mut body, reserved)?;
        }
        Framing::Chunked => loop {
            let size = chunk_size(source)?;
            if size > limit - body.len() {
                return Err(too_large(limit));
            }
            if size == 0 {
                skip_trailers(source)?;
                break;
            }
            append(source, size, limit, &mut body, reserved)?;
            let mut end = [0; 2];
            source.read_exact(&mut end).map_err(cut_short)?;
            if end != *b"\r\n" {
                return Err(Error::new(Kind::Invalid, "the body: expected a line end after a chunk"));
            }
        },
    }
    Ok(body)
}

pub fn too_large(limit: usize) -> Error {
    Error::new(Kind::BodyTooLarge, format!("the body is larger than {limit} bytes; send the users in several calls"))
}

/// Appends `length` bytes to a body that has `most` of them in the end.
fn append(
    source: &mut impl Read,
    length: usize,
    most: usize,
    body: &mut Vec<u8>,
    reserved: &mut Reserved,
) -> Result<()> {
    let end = body.len() + length;
    while body.len() < end {
        // Counted as it arrives, not as it is announced.
        let step = (end - body.len()).min(STEP_BYTES);
        if !reserved.grow(step) {
            return Err(Error::unavailable("too many large bodies at once; try again later"));
        }
        if body.capacity() - body.len() < step {
            // A second step is given room for all that may come, of which memory is taken as it arrives: a body that
            // grows step by step leaves as much behind, and is copied each time.
            body.reserve_exact(if body.is_empty() { step } else { most - body.len() });
        }
        let read = source.by_ref().take(step as u64).read_to_end(body).map_err(cut_short)?;
        if read < step {
            return Err(cut_short(io::ErrorKind::UnexpectedEof.into()));
        }
    }
    Ok(())
}

fn chunk_size(source: &mut impl Read) -> Result<usize> {
    let invalid = || Error::new(Kind::Invalid, "the body: expected the size of a chunk, in hexadecimal");
    let line = line(source)?;
    match httparse::parse_chunk_size(&line) {
        // httparse takes a line without any digit for a zero.
        Ok(httparse::Status::Complete((_, size))) if line[0].is_ascii_hexdigit() => {
            Ok(usize::try_from(size).unwrap_or(usize::MAX))
        }
        _ => Err(invalid()),
    }
}

fn skip_trailers(source: &mut impl Read) -> Result<()> {
    let mut skipped = 0;
    loop {
        let line = line(source)?;
        skipped += line.len();
        if line == b"\r\n" {
            return Ok(());
        }
        if skipped > CHUNK_LINE {
            return Err(Error::new(Kind::Invalid, "the body: its trailers are too long"));
        }
    }
}

/// One line, its end included. Others may take a bare CR or LF for a line end, so there is none inside a line.
fn line(source: &mut impl Read) -> Result<Vec<u8>> {
    let mut line = Vec::new();
    let mut byte = [0];
    while !line.ends_with(b"\r\n") {
        if line.len() >= CHUNK_LINE {
            return Err(Error::new(Kind::Invalid, "the body: a line between chunks is too long"));
        }
        source.read_exact(&mut byte).map_err(cut_short)?;
        if line.ends_with(b"\r") != (byte == *b"\n") {
            return Err(Error::new(Kind::Invalid, "the body: expected CR and LF, found one without the other"));
        }
        line.push(byte[0]);
    }
    Ok(line)
}

fn cut_short(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::TimedOut => Error::new(Kind::TimedOut, "the body did not arrive in time"),
        _ => Error::new(Kind::Invalid, "the body ends before its announced length"),
    }
}
