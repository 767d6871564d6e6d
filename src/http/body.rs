//! Bodies, whole or in chunks, and the memory that all of them together may take.

use std::sync::Arc;
use std::sync::atomic::{AtomicIsize, Ordering};

use super::head::Framing;
use crate::error::{Error, Kind, Result};

/// The longest line that announces a chunk, extensions included, and the most bytes of all trailers together.
const CHUNK_LINE: usize = 4 * 1024;
/// The first allocation for a body. It is doubled as the bytes arrive.
const FIRST_ROOM: usize = 16 * 1024;

/// Memory for bodies, shared by all connections: what is left of it. Below 0 it is overdrawn.
#[derive(Clone)]
pub struct MemoryBudget(Arc<AtomicIsize>);

impl MemoryBudget {
    pub fn new(bytes: usize) -> Self {
        MemoryBudget(Arc::new(AtomicIsize::new(isize::try_from(bytes).unwrap_or(isize::MAX))))
    }

    /// An empty reservation. It grows while a body arrives, and is given back when it is dropped.
    pub fn reserve(&self) -> Reserved {
        Reserved { budget: self.clone(), bytes: 0 }
    }
}

pub struct Reserved {
    budget: MemoryBudget,
    bytes: usize,
}

impl Reserved {
    /// Takes so many bytes more. False if not so many are left.
    pub fn grow(&mut self, bytes: usize) -> bool {
        let take = |left: isize| left.checked_sub_unsigned(bytes).filter(|left| *left >= 0);
        let taken = self.budget.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok();
        self.bytes += if taken { bytes } else { 0 };
        taken
    }

    /// Grows to at least this many bytes, whether or not they are left.
    pub fn cover(&mut self, bytes: usize) {
        self.overdraw(bytes.saturating_sub(self.bytes));
    }

    /// Takes so many bytes more, whether or not they are left: others wait until they are given back.
    pub fn overdraw(&mut self, bytes: usize) {
        self.budget.0.fetch_sub(bytes.cast_signed(), Ordering::Relaxed);
        self.bytes += bytes;
    }

    /// Gives back so many bytes.
    pub fn give_back(&mut self, bytes: usize) {
        let bytes = bytes.min(self.bytes);
        self.budget.0.fetch_add(bytes.cast_signed(), Ordering::Relaxed);
        self.bytes -= bytes;
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.budget.0.fetch_add(self.bytes.cast_signed(), Ordering::Relaxed);
    }
}

/// A body that arrives, piece by piece.
pub struct BodyReader {
    body: Vec<u8>,
    reserved: Reserved,
    /// Bytes of the body for which room was made.
    room: usize,
    limit: usize,
    place: Place,
}

/// What the next byte belongs to.
enum Place {
    /// The body, of which so much is left.
    Length(usize),
    /// The line that announces a chunk.
    ChunkSize(Vec<u8>),
    /// A chunk, of which so much is left.
    Chunk(usize),
    /// The line end after a chunk, as far as it has come.
    ChunkEnd(Vec<u8>),
    /// A line behind the last chunk, and how many bytes of such lines came before it.
    Trailer(Vec<u8>, usize),
    /// What follows the body.
    Beyond,
}

impl BodyReader {
    pub fn new(framing: Framing, limit: usize, budget: &MemoryBudget) -> Result<Self> {
        let place = match framing {
            Framing::Length(0) => Place::Beyond,
            Framing::Length(length) => match usize::try_from(length) {
                Ok(length) if length <= limit => Place::Length(length),
                _ => return Err(too_large(limit)),
            },
            Framing::Chunked => Place::ChunkSize(Vec::new()),
        };
        Ok(BodyReader { body: Vec::new(), reserved: budget.reserve(), room: 0, limit, place })
    }

    pub fn is_whole(&self) -> bool {
        matches!(self.place, Place::Beyond)
    }

    /// The body, and the memory reserved for it.
    pub fn finish(self) -> (Vec<u8>, Reserved) {
        (self.body, self.reserved)
    }

    /// Takes what belongs to the body from the beginning of `bytes`, and returns how much that was.
    pub fn take(&mut self, bytes: &[u8]) -> Result<usize> {
        let mut taken = 0;
        while taken < bytes.len() && !self.is_whole() {
            taken += self.take_some(&bytes[taken..])?;
        }
        Ok(taken)
    }

    /// Takes what belongs to the present place: at least a byte.
    fn take_some(&mut self, bytes: &[u8]) -> Result<usize> {
        match &mut self.place {
            Place::Length(left) | Place::Chunk(left) => {
                let left = *left;
                return self.append(&bytes[..bytes.len().min(left)], left);
            }
            Place::ChunkSize(line) => {
                if push(line, bytes[0])? {
                    let size = chunk_size(line)?;
                    self.place = self.announced(size)?;
                }
            }
            Place::ChunkEnd(line) => {
                line.push(bytes[0]);
                if !b"\r\n".starts_with(line) {
                    return Err(Error::new(Kind::Invalid, "the body: expected a line end after a chunk"));
                }
                if line.len() == 2 {
                    self.place = Place::ChunkSize(Vec::new());
                }
            }
            Place::Trailer(line, skipped) => {
                if push(line, bytes[0])? {
                    self.place = after_trailer(line, *skipped)?;
                }
            }
            Place::Beyond => return Ok(0),
        }
        Ok(1)
    }

    fn announced(&self, size: usize) -> Result<Place> {
        match size {
            size if size > self.limit - self.body.len() => Err(too_large(self.limit)),
            0 => Ok(Place::Trailer(Vec::new(), 0)),
            size => Ok(Place::Chunk(size)),
        }
    }

    /// Appends bytes. `left` of the run are to come, these included.
    fn append(&mut self, bytes: &[u8], left: usize) -> Result<usize> {
        let is_chunk = matches!(self.place, Place::Chunk(_));
        let end = self.body.len() + bytes.len();
        if end > self.room {
            // Room is made as the bytes arrive, not as they are announced.
            let most = if is_chunk { self.limit } else { self.body.len() + left } - self.room;
            self.make_room(most.min(self.room.max(FIRST_ROOM)).max(end - self.room))?;
        }
        self.body.extend_from_slice(bytes);
        self.place = match left - bytes.len() {
            0 if is_chunk => Place::ChunkEnd(Vec::new()),
            0 => Place::Beyond,
            left if is_chunk => Place::Chunk(left),
            left => Place::Length(left),
        };
        Ok(bytes.len())
    }

    fn make_room(&mut self, bytes: usize) -> Result<()> {
        if !self.reserved.grow(bytes) {
            return Err(too_many());
        }
        self.room += bytes;
        self.body.reserve_exact(self.room - self.body.len());
        Ok(())
    }
}

pub fn too_large(limit: usize) -> Error {
    Error::new(Kind::BodyTooLarge, format!("the body is larger than {limit} bytes; send the users in several calls"))
}

/// There is no memory left for what arrives.
pub fn too_many() -> Error {
    Error::unavailable("too many large bodies at once; try again later")
}

/// A body that ends too early.
pub fn cut_short() -> Error {
    Error::new(Kind::Invalid, "the body ends before its announced length")
}

fn chunk_size(line: &[u8]) -> Result<usize> {
    match httparse::parse_chunk_size(line) {
        // httparse takes a line without any digit for a zero.
        Ok(httparse::Status::Complete((_, size))) if line[0].is_ascii_hexdigit() => {
            Ok(usize::try_from(size).unwrap_or(usize::MAX))
        }
        _ => Err(Error::new(Kind::Invalid, "the body: expected the size of a chunk, in hexadecimal")),
    }
}

/// What follows a line behind the last chunk: an empty one is the last.
fn after_trailer(line: &[u8], skipped: usize) -> Result<Place> {
    match skipped + line.len() {
        _ if line == b"\r\n" => Ok(Place::Beyond),
        skipped if skipped <= CHUNK_LINE => Ok(Place::Trailer(Vec::new(), skipped)),
        _ => Err(Error::new(Kind::Invalid, "the body: its trailers are too long")),
    }
}

/// Adds a byte to a line, and returns whether the line is complete, its end included. A bare CR or LF is refused, since
/// others may take it for a line end.
fn push(line: &mut Vec<u8>, byte: u8) -> Result<bool> {
    if line.len() >= CHUNK_LINE {
        return Err(Error::new(Kind::Invalid, "the body: a line between chunks is too long"));
    }
    if line.ends_with(b"\r") != (byte == b'\n') {
        return Err(Error::new(Kind::Invalid, "the body: expected CR and LF, found one without the other"));
    }
    line.push(byte);
    Ok(byte == b'\n')
}
