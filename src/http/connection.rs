//! One connection, from its first request to its last.

use std::io::{self, Read, Write};
use std::time::Duration;

use tiny_http::{HTTPVersion, Method};

use super::body::{self, Budget, Reserved};
use super::head::{Framing, Head};
use super::response::{self, Response};
use super::server::Open;
use super::socket::Socket;
use super::{Limits, Request};
use crate::error::{Error, Kind, Result};

/// Answers that are shorter are not counted.
const SMALL: usize = 64 * 1024;
/// How much of what follows the last answer is read before the connection is closed, and for how long.
const LINGER_BYTES: usize = 64 * 1024 * 1024;
const LINGER: Duration = Duration::from_secs(5);

/// Bytes that are read at once.
pub const READ_BYTES: usize = 8 * 1024;

/// What a connection has come to when it is given a thread.
pub struct Begun {
    /// What was read and belongs to what comes next.
    pub ahead: Vec<u8>,
    /// What is still to be written of an answer.
    pub unsent: Option<(Vec<u8>, Reserved)>,
}

/// Answers the requests of a connection, one after the other, until either side has had enough.
pub fn serve(open: &Open, begun: Begun) {
    let (shared, Begun { ahead, unsent }) = (&open.shared, begun);
    let (budget, limits) = (&shared.budget, &shared.limits);
    let socket = Socket::new(open.stream.clone());
    let mut connection = Connection { socket, ahead, scratch: [0; READ_BYTES], limits };
    if let Some((bytes, _reserved)) = unsent
        && connection.write(&bytes).is_err()
    {
        return;
    }
    loop {
        let head = match connection.read_head() {
            Ok(Some(head)) => head,
            Ok(None) => return,
            Err(error) => return connection.refuse(&error),
        };
        let (request, reserved) = match connection.read_body(head, budget) {
            Ok(whole) => whole,
            // The stop has cut it short, which is no fault of the peer's: without an answer it is sent again.
            Err(_) if shared.stopping() => return,
            Err(error) => return connection.refuse(&error),
        };
        let (version, method, keeps_alive) =
            (request.head.version.clone(), request.head.method.clone(), request.head.keeps_alive());
        let response = shared.handler.answer(request);
        drop(reserved);
        let (response, _reserved) = within(budget, &method, response);
        let closing = !keeps_alive || shared.stopping();
        if connection.answer(response, &version, method == Method::Head, closing).is_err() || closing {
            return;
        }
    }
}

/// A large answer takes room as a body does, for as long as it is not read. Without any left it becomes a refusal, but
/// for one that tells of a change: that was made, and would be asked for again.
pub fn within(budget: &Budget, method: &Method, response: Response) -> (Response, Reserved) {
    let mut reserved = budget.reserve();
    let length = response.data_length().unwrap_or(0);
    if length < SMALL || reserved.grow(length) {
        return (response, reserved);
    }
    if !matches!(method, Method::Get | Method::Head) {
        reserved.overdraw(length);
        return (response, reserved);
    }
    (response::of_error(&Error::unavailable("too many large answers at once; try again later")), reserved)
}

struct Connection<'a> {
    socket: Socket,
    /// Bytes that were read and belong to what comes next.
    ahead: Vec<u8>,
    /// What a read of a head reads into.
    scratch: [u8; READ_BYTES],
    limits: &'a Limits,
}

impl Connection<'_> {
    /// The next head; `None` if the peer has gone, or keeps silent.
    fn read_head(&mut self) -> Result<Option<Head>> {
        let mut begun = false;
        loop {
            // A line end too many after a body is forgiven, as RFC 9112 asks.
            let blank = self.ahead.chunks_exact(2).take_while(|pair| *pair == b"\r\n").count() * 2;
            self.ahead.drain(..blank);
            if self.ahead.is_empty() {
                begun = false;
            } else {
                if let Some((head, length)) = Head::parse(&self.ahead)? {
                    if length > self.limits.head_bytes {
                        return Err(self.head_too_large());
                    }
                    self.ahead.drain(..length);
                    return Ok(Some(head));
                }
                if self.ahead.len() > self.limits.head_bytes {
                    return Err(self.head_too_large());
                }
                if !begun {
                    begun = true;
                    self.socket.set_deadline(self.limits.head);
                }
            }
            let read = if begun {
                self.socket.read(&mut self.scratch)
            } else {
                self.socket.read_within(self.limits.idle, &mut self.scratch)
            };
            match read {
                Ok(0) => return Ok(None),
                Ok(n) => self.ahead.extend_from_slice(&self.scratch[..n]),
                Err(error) if begun && error.kind() == io::ErrorKind::TimedOut => {
                    return Err(Error::new(Kind::TimedOut, "the request did not arrive in time"));
                }
                Err(_) => return Ok(None),
            }
        }
    }

    fn head_too_large(&self) -> Error {
        let limit = self.limits.head_bytes;
        Error::new(Kind::HeadTooLarge, format!("request line and headers are larger than {limit} bytes"))
    }

    /// The request with its body, and the memory reserved for it.
    fn read_body(&mut self, head: Head, budget: &Budget) -> Result<(Request, Reserved)> {
        let framing = head.framing()?;
        let limit = self.limits.body_bytes;
        let mut reserved = budget.reserve();
        if framing == Framing::Length(0) {
            return Ok((Request { head, body: Vec::new() }, reserved));
        }
        if matches!(framing, Framing::Length(length) if length > limit as u64) {
            return Err(body::too_large(limit));
        }
        self.socket.set_deadline(self.limits.body);
        if head.expects_continue() && self.ahead.is_empty() {
            // If the peer has gone, the read that follows says so.
            let _ = self.socket.write_all(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
        let ahead = std::mem::take(&mut self.ahead);
        let mut source = io::Cursor::new(ahead).chain(&mut self.socket);
        let (body, mut unread) = match framing {
            Framing::Length(_) => (body::read(&mut source, framing, limit, &mut reserved)?, Vec::new()),
            // Chunks are announced byte by byte; the socket is not read that way.
            Framing::Chunked => {
                let mut buffered = io::BufReader::new(&mut source);
                (body::read(&mut buffered, framing, limit, &mut reserved)?, buffered.buffer().to_vec())
            }
        };
        let (rest, _) = source.get_ref();
        unread.extend_from_slice(&rest.get_ref()[rest.position() as usize..]);
        self.ahead = unread;
        Ok((Request { head, body }, reserved))
    }

    fn answer(&mut self, response: Response, version: &HTTPVersion, head_only: bool, closing: bool) -> io::Result<()> {
        self.write(&response::to_bytes(response, version, head_only, closing))?;
        if closing {
            self.socket.linger(LINGER, LINGER_BYTES);
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.socket.set_deadline(self.limits.answer);
        self.socket.write_all(bytes)
    }

    /// After a request that cannot be read there is no telling where the next one begins.
    fn refuse(&mut self, error: &Error) {
        log::debug!("a request was refused: {error}");
        let _ = self.answer(response::of_error(error), &HTTPVersion(1, 1), false, true);
    }
}
