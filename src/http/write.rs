//! Replies as bytes.

use std::cell::RefCell;
use std::collections::VecDeque;

use tiny_http::{HTTPVersion, Header, Method};

use super::body::{MemoryBudget, Reserved};
use super::head::Head;
use super::response::{self, Response};
use crate::clock::Timestamp;
use crate::error::Error;

/// Answers from this size on count against the memory budget.
const COUNTED_FROM_BYTES: usize = 64 * 1024;

/// What an answer needs to know of its request.
#[derive(Clone)]
pub struct Meta {
    version: HTTPVersion,
    method: Method,
    keeps_alive: bool,
}

/// An answer's bytes, ready for the connection.
pub struct Encoded {
    pub bytes: Vec<u8>,
    /// The pieces that follow. None is empty.
    pub more: VecDeque<Vec<u8>>,
    /// The memory reserved for all of it until it is written.
    pub reserved: Reserved,
    /// Whether the connection is closed after it.
    pub closes: bool,
}

impl Encoded {
    /// Its head and half of its body, or half of its head if it has no body. The connection is closed after it.
    pub fn cut_short(mut self) -> Self {
        const END_OF_HEAD: &[u8] = b"\r\n\r\n";
        let head = self.bytes.windows(END_OF_HEAD.len()).position(|window| window == END_OF_HEAD);
        let head = head.map_or(0, |at| at + END_OF_HEAD.len());
        let all = self.bytes.len() + self.more.iter().map(Vec::len).sum::<usize>();
        let mut left = if all > head { head + (all - head) / 2 } else { head / 2 };
        for piece in std::iter::once(&mut self.bytes).chain(&mut self.more) {
            piece.truncate(left);
            left -= piece.len();
        }
        self.more.retain(|piece| !piece.is_empty());
        self.closes = true;
        self
    }
}

/// The `Date` of an answer. tiny_http's own panics where the clock is before 1970 or after 9999.
fn date() -> Header {
    thread_local!(static LAST: RefCell<Option<(i64, Header)>> = const { RefCell::new(None) });
    let now = Timestamp::of_machine();
    LAST.with_borrow_mut(|last| match last {
        Some((second, date)) if *second == now.seconds() => date.clone(),
        _ => {
            let date = response::header("Date", &now.http_date());
            *last = Some((now.seconds(), date.clone()));
            date
        }
    })
}

fn is_of_cors(header: &Header) -> bool {
    header.field.as_str().as_str().to_ascii_lowercase().starts_with("access-control-")
}

impl Meta {
    pub fn of(head: &Head) -> Self {
        Meta { version: head.version.clone(), method: head.method.clone(), keeps_alive: head.keeps_alive() }
    }

    /// For a request that could not be read: it is unknown where the next one begins.
    pub fn of_refused() -> Self {
        Meta { version: HTTPVersion(1, 1), method: Method::Get, keeps_alive: false }
    }

    /// The same request, after which the connection is closed.
    pub fn closing(self) -> Self {
        Meta { keeps_alive: false, ..self }
    }

    /// Whether no body follows the head of the answer.
    pub fn is_head(&self) -> bool {
        self.method == Method::Head
    }

    /// Turns an answer into bytes. When the daemon is `stopping`, the connection is closed after it.
    pub fn encode(&self, budget: &MemoryBudget, stopping: bool, response: Response) -> Encoded {
        let (response, mut reserved) = self.reserve(budget, response);
        let response = response.with_header(date());
        let closes = !self.keeps_alive || stopping;
        let (bytes, more) = response::to_bytes(response, &self.version, self.is_head(), closes);
        let room = bytes.capacity() + more.iter().map(Vec::capacity).sum::<usize>();
        if room >= COUNTED_FROM_BYTES {
            reserved.cover(room);
        }
        Encoded { bytes, more, reserved, closes }
    }

    /// Reserves memory for a large answer, as for a body, until it is read. Without any left, the answer becomes a
    /// refusal, unless it reports a change: that was made, and the client would ask for it again.
    fn reserve(&self, budget: &MemoryBudget, response: Response) -> (Response, Reserved) {
        let mut reserved = budget.reserve();
        let length = response.data_length().unwrap_or(0);
        if length < COUNTED_FROM_BYTES || reserved.grow(length) {
            return (response, reserved);
        }
        if !matches!(self.method, Method::Get | Method::Head) {
            reserved.overdraw(length);
            return (response, reserved);
        }
        let refusal = response::of_error(&Error::unavailable("too many large answers at once; try again later"));
        // An origin that may read the answer may read the refusal.
        let of_origin = |header: &&Header| header.field.equiv("Vary") || is_of_cors(header);
        let kept: Vec<Header> = response.headers().iter().filter(of_origin).cloned().collect();
        (kept.into_iter().fold(refusal, Response::with_header), reserved)
    }

    /// The head of a stream, after which the connection is closed.
    pub fn stream_head(&self, content_type: &str, headers: &[Header]) -> Vec<u8> {
        let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
        let framing = if self.is_chunked() { "Transfer-Encoding: chunked\r\n" } else { "" };
        let HTTPVersion(major, minor) = self.version;
        format!(
            "HTTP/{major}.{minor} 200 OK\r\nServer: bulkd\r\nContent-Type: {content_type}\r\nCache-Control: no-store\r\n\
             X-Content-Type-Options: nosniff\r\n{headers}{framing}Connection: close\r\n\r\n"
        )
        .into_bytes()
    }

    /// Before HTTP/1.1 a stream ends with its connection.
    fn is_chunked(&self) -> bool {
        self.version >= HTTPVersion(1, 1)
    }

    /// Appends a piece of a stream. An empty one would end it.
    pub fn push_piece(&self, piece: &[u8], out: &mut Vec<u8>) {
        if !self.is_chunked() {
            return out.extend_from_slice(piece);
        }
        out.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        out.extend_from_slice(piece);
        out.extend_from_slice(b"\r\n");
    }

    pub fn push_end(&self, out: &mut Vec<u8>) {
        if self.is_chunked() {
            out.extend_from_slice(b"0\r\n\r\n");
        }
    }
}
