//! One connection in a thread of its own, from its first request to its last.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use super::body::{self, MemoryBudget, Reserved};
use super::handle::{ConnectionHandle, Handover, Parked};
use super::head::{Framing, Head};
use super::limits::Limits;
use super::reply::{self, Later, Reply};
use super::request::Request;
use super::response;
use super::server_state::ServerState;
use super::socket::Socket;
use super::write::{Encoded, Meta};
use crate::error::{Error, Kind, Result};

/// How much of what follows the last answer is read before the connection is closed, and for how long.
const LINGER_BYTES: usize = 64 * 1024 * 1024;
const LINGER_TIME: Duration = Duration::from_secs(5);

/// Reads of what a refused peer has sent already.
const REFUSED_READS: usize = 128;

/// Bytes that are read at once.
pub const READ_BYTES: usize = 8 * 1024;

/// Goes on in a thread of its own. Where none is to be had, a request that has no answer yet is refused.
pub fn spawn(handle: ConnectionHandle, handover: Handover) -> io::Result<()> {
    handle.stream.set_nonblocking(false)?;
    let (stream, state, answers) = (handle.stream.clone(), handle.state.clone(), handover.pending_write.is_some());
    let thread = std::thread::Builder::new().name(format!("connection {}", handle.id));
    let thread = thread.stack_size(handle.state.limits.stack_bytes);
    let spawned = thread.spawn(move || serve(handle, handover));
    if spawned.is_err() && !answers {
        refuse(&stream, &state, &Error::unavailable("there is no thread for the request; try again later"));
    }
    spawned.map(drop)
}

/// Tells a peer why it is not served, and closes the connection, without waiting for the peer.
pub fn refuse(stream: &TcpStream, state: &ServerState, error: &Error) {
    let (answer, mut stream) = (state.encode(&Meta::of_refused(), response::of_error(error)), stream);
    if stream.set_nonblocking(true).is_err() {
        return;
    }
    let _ = stream.write(&answer.bytes);
    let _ = stream.shutdown(Shutdown::Write);
    // The kernel takes the answer back from a peer of whom something is left unread.
    let mut scratch = [0; READ_BYTES];
    for _ in 0..REFUSED_READS {
        if !stream.read(&mut scratch).is_ok_and(|read| read > 0) {
            return;
        }
    }
}

/// Answers the requests of a connection, one after the other, until either side has had enough, or until it has to wait
/// for something else than the next request.
fn serve(mut handle: ConnectionHandle, handover: Handover) {
    let state = handle.state.clone();
    let Handover { buffered, pending_write, closes } = handover;
    let socket = Socket::new(handle.stream.clone());
    let mut connection = Connection { socket, buffered, scratch: [0; READ_BYTES], limits: &state.limits };
    if let Some((bytes, _reserved)) = pending_write
        && connection.write(&bytes).is_err()
    {
        return;
    }
    if closes {
        return connection.linger();
    }
    loop {
        let refused = |error: &Error| {
            log::debug!("a request was refused: {error}");
            state.encode(&Meta::of_refused(), response::of_error(error))
        };
        let head = match connection.read_head() {
            Ok(Some(head)) => head,
            Ok(None) => return,
            Err(error) => return drop(connection.answer(refused(&error))),
        };
        let (request, reserved) = match connection.read_body(head, &state.budget) {
            Ok(whole) => whole,
            // The stop has cut it short, which is no fault of the peer's: without an answer it is sent again.
            Err(_) if state.stopping() => return,
            Err(error) => return drop(connection.answer(refused(&error))),
        };
        let meta = Meta::of(&request.head);
        let reply = state.service.answer(request);
        drop(reserved);
        let response = match reply {
            Reply::Answer(response) => response,
            Reply::Hangup => return,
            Reply::Later(Later(slot)) if state.stopping() => {
                let answer = slot.take().and_then(|taken| taken.answer);
                slot.close();
                answer.unwrap_or_else(reply::stopping)
            }
            Reply::Later(Later(slot)) => {
                return park(handle, Parked::Later { slot, meta, buffered: connection.buffered });
            }
            Reply::Stream(stream) if !handle.become_stream() => reply::refuse_stream(stream),
            Reply::Stream(stream) => {
                let pending_write = meta.stream_head(&stream.content_type);
                if meta.is_head() {
                    let _ = connection.write(&pending_write);
                    return connection.linger();
                }
                return park(handle, Parked::Stream { slot: stream.slot, meta, pending_write });
            }
        };
        match connection.answer(state.encode(&meta, response)) {
            Ok(false) => {}
            Ok(true) | Err(_) => return,
        }
    }
}

fn park(handle: ConnectionHandle, parked: Parked) {
    let id = handle.id;
    if let Err(error) = handle.park(parked) {
        log::warn!("connection {id} cannot wait: {error}");
    }
}

struct Connection<'a> {
    socket: Socket,
    /// Bytes that were read and belong to what comes next.
    buffered: Vec<u8>,
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
            let blank = self.buffered.chunks_exact(2).take_while(|pair| *pair == b"\r\n").count() * 2;
            self.buffered.drain(..blank);
            if self.buffered.is_empty() {
                begun = false;
            } else {
                if let Some((head, length)) = Head::parse(&self.buffered)? {
                    if length > self.limits.head_bytes {
                        return Err(self.head_too_large());
                    }
                    self.buffered.drain(..length);
                    return Ok(Some(head));
                }
                if self.buffered.len() > self.limits.head_bytes {
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
                Ok(n) => self.buffered.extend_from_slice(&self.scratch[..n]),
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
    fn read_body(&mut self, head: Head, budget: &MemoryBudget) -> Result<(Request, Reserved)> {
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
        if head.expects_continue() && self.buffered.is_empty() {
            // If the peer has gone, the read that follows says so.
            let _ = self.socket.write_all(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
        let buffered = std::mem::take(&mut self.buffered);
        let mut source = io::Cursor::new(buffered).chain(&mut self.socket);
        let (body, mut unread) = match framing {
            Framing::Length(_) => (body::read(&mut source, framing, limit, &mut reserved)?, Vec::new()),
            // Chunks are announced byte by byte; the socket is not read that way.
            Framing::Chunked => {
                let mut reader = io::BufReader::new(&mut source);
                (body::read(&mut reader, framing, limit, &mut reserved)?, reader.buffer().to_vec())
            }
        };
        let (rest, _) = source.get_ref();
        unread.extend_from_slice(&rest.get_ref()[rest.position() as usize..]);
        self.buffered = unread;
        Ok((Request { head, body }, reserved))
    }

    /// Writes an answer, and says whether the connection was closed after it.
    fn answer(&mut self, answer: Encoded) -> io::Result<bool> {
        self.write(&answer.bytes)?;
        if answer.closes {
            self.linger();
        }
        Ok(answer.closes)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.socket.set_deadline(self.limits.answer);
        self.socket.write_all(bytes)
    }

    fn linger(&mut self) {
        self.socket.linger(LINGER_TIME, LINGER_BYTES);
    }
}
