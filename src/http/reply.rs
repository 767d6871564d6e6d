//! What a request leads to: an answer, now or later, a stream, or nothing at all.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tiny_http::Header;

use super::response::{self, Response};
use crate::error::Error;

/// How many bytes a stream may be ahead of its reader. One that is further ahead is ended.
const STREAM_AHEAD_BYTES: usize = 1024 * 1024;

/// What a request leads to.
pub enum Reply {
    /// The whole answer, bytes in memory.
    Answer(Response),
    /// The same, after which the connection is closed.
    Last(Response),
    /// An answer that is not known yet. It costs no thread until it is given. Its connection is the first to be closed
    /// when room is needed for another.
    Later(Later),
    /// A long-lived answer, written piece by piece. It costs no thread while it is silent.
    Stream(Stream),
    /// No answer, or a part of one, as if the daemon or the network had failed.
    Broken(Broken),
}

/// An answer that does not arrive as it should. The connection is over after each.
pub enum Broken {
    /// Nothing of it: the connection is closed.
    Lost,
    /// Nothing of it: the connection is reset, which its peer sees as an error and not as an end.
    Reset,
    /// Its head and half of its body; without a body half of its head.
    Cut(Response),
}

/// The outcome of an answer that is given later.
pub enum Given {
    Answer(Response),
    Broken(Broken),
}

/// Where any thread gives the reply to a request. Dropped without one, it closes the connection: the work has panicked.
pub struct Responder(Option<Respond>);

type Respond = Box<dyn FnOnce(Option<Reply>) + Send>;

/// A connection's side of an answer that is given later.
pub struct Later {
    pub(super) slot: Arc<ReplySlot>,
    /// Changes to the answer once it is given.
    pub(super) changes: Vec<Change>,
}

/// Makes one answer of another.
pub(super) type Change = Box<dyn FnOnce(Response) -> Response + Send>;

/// The side that gives an answer later. Dropped without one, it answers 503.
pub struct Answerer(Arc<ReplySlot>);

/// A connection's side of a stream.
pub struct Stream {
    pub(super) content_type: String,
    pub(super) headers: Vec<Header>,
    pub(super) slot: Arc<ReplySlot>,
}

/// The side of a stream that writes it. Dropped, it ends the stream.
pub struct StreamWriter(Arc<ReplySlot>);

/// What was given for a connection and not yet written to it.
#[derive(Default)]
pub struct ReplySlot(Mutex<Contents>);

#[derive(Default)]
struct Contents {
    answer: Option<Given>,
    pieces: VecDeque<Vec<u8>>,
    bytes: usize,
    /// Nothing more is given.
    is_over: bool,
    /// Nothing more is taken: the peer has gone, or has not kept up.
    is_closed: bool,
    /// The peer has closed its side, and may still read.
    has_peer_ended: bool,
    wake: Option<Wake>,
}

/// Tells the event loop that there is something to take.
pub type Wake = Box<dyn Fn() + Send>;

/// What is taken from a slot at once.
pub struct Taken {
    pub answer: Option<Given>,
    pub pieces: Vec<Vec<u8>>,
    /// Whether that was all.
    pub is_over: bool,
}

impl Reply {
    /// An answer that is given later, and the side that gives it.
    pub fn later() -> (Reply, Answerer) {
        let slot = Arc::<ReplySlot>::default();
        (Reply::Later(Later { slot: slot.clone(), changes: Vec::new() }), Answerer(slot))
    }

    /// The status, if it is an answer that is known.
    pub fn status(&self) -> Option<u16> {
        match self {
            Reply::Answer(response) | Reply::Last(response) => Some(response.status_code().0),
            Reply::Later(_) | Reply::Stream(_) | Reply::Broken(_) => None,
        }
    }

    /// A stream with this content type, and what writes it.
    pub fn stream(content_type: &str) -> (Reply, StreamWriter) {
        let slot = Arc::<ReplySlot>::default();
        let stream = Stream { content_type: content_type.to_owned(), headers: Vec::new(), slot: slot.clone() };
        (Reply::Stream(stream), StreamWriter(slot))
    }

    /// The same with another answer, once that is given. A stream stays as it is.
    pub fn map(self, change: impl FnOnce(Response) -> Response + Send + 'static) -> Reply {
        match self {
            Reply::Answer(response) => Reply::Answer(change(response)),
            Reply::Last(response) => Reply::Last(change(response)),
            Reply::Later(mut later) => {
                later.changes.push(Box::new(change));
                Reply::Later(later)
            }
            Reply::Broken(Broken::Cut(response)) => Reply::Broken(Broken::Cut(change(response))),
            Reply::Stream(_) | Reply::Broken(_) => self,
        }
    }

    /// The same with a further header, whenever its head is written.
    pub fn with_header(self, header: Header) -> Reply {
        match self {
            Reply::Answer(response) => Reply::Answer(response.with_header(header)),
            Reply::Last(response) => Reply::Last(response.with_header(header)),
            Reply::Later(mut later) => {
                later.changes.push(Box::new(move |response| response.with_header(header)));
                Reply::Later(later)
            }
            Reply::Stream(mut stream) => {
                stream.headers.push(header);
                Reply::Stream(stream)
            }
            Reply::Broken(Broken::Cut(response)) => Reply::Broken(Broken::Cut(response.with_header(header))),
            Reply::Broken(broken) => Reply::Broken(broken),
        }
    }
}

/// The answer to a request that the stop overtakes.
pub fn stopping() -> Response {
    response::of_error(&Error::unavailable("bulkd is stopping; try again later"))
}

/// The answer in place of a stream that has no room. The writer of the stream learns of it before the peer does.
pub(super) fn refuse_stream(stream: Stream) -> Response {
    let headers = stream.headers.clone();
    drop(stream);
    let refusal = response::of_error(&Error::unavailable("too many streams are open; close one, or try again later"));
    headers.into_iter().fold(refusal, Response::with_header)
}

impl Responder {
    /// `respond` is called once, with `None` if there is no reply.
    pub(super) fn new(respond: impl FnOnce(Option<Reply>) + Send + 'static) -> Self {
        Responder(Some(Box::new(respond)))
    }

    pub fn give(mut self, reply: impl Into<Reply>) {
        self.respond(Some(reply.into()));
    }

    /// A responder that makes its reply of another.
    pub fn after(mut self, make: impl FnOnce(Reply) -> Reply + Send + 'static) -> Self {
        Responder::new(move |reply| self.respond(reply.map(make)))
    }

    fn respond(&mut self, reply: Option<Reply>) {
        if let Some(respond) = self.0.take() {
            respond(reply);
        }
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        self.respond(None);
    }
}

impl From<Response> for Reply {
    fn from(response: Response) -> Self {
        Reply::Answer(response)
    }
}

impl From<Given> for Reply {
    fn from(given: Given) -> Self {
        match given {
            Given::Answer(response) => Reply::Answer(response),
            Given::Broken(broken) => Reply::Broken(broken),
        }
    }
}

impl Answerer {
    pub fn answer(self, response: Response) {
        self.give(Given::Answer(response));
    }

    /// The same for an answer that may be broken.
    pub fn give(self, given: Given) {
        self.0.give(|contents| {
            contents.answer = Some(given);
            contents.is_over = true;
        });
    }

    /// Whether its connection is gone, or about to go: the peer sends nothing more.
    pub fn is_closed(&self) -> bool {
        let contents = self.0.contents();
        contents.is_closed || contents.has_peer_ended || Arc::strong_count(&self.0) == 1
    }
}

impl Drop for Answerer {
    fn drop(&mut self) {
        self.0.give(|contents| {
            if !contents.is_over {
                let error = Error::unavailable("no answer was given; try again later");
                contents.answer = Some(Given::Answer(response::of_error(&error)));
                contents.is_over = true;
            }
        });
    }
}

impl StreamWriter {
    /// Writes a piece. False if the stream has ended: its peer has gone, or is too far behind.
    pub fn write(&self, piece: impl Into<Vec<u8>>) -> bool {
        let piece = piece.into();
        // No connection has the other end any more.
        if Arc::strong_count(&self.0) == 1 {
            return false;
        }
        self.0.give(|contents| {
            contents.is_closed |= contents.bytes + piece.len() > STREAM_AHEAD_BYTES;
            if !contents.is_closed && !piece.is_empty() {
                contents.bytes += piece.len();
                contents.pieces.push_back(piece);
            }
        })
    }
}

impl StreamWriter {
    /// Bytes that were written and that its connection has not taken yet.
    pub fn ahead_bytes(&self) -> usize {
        self.0.contents().bytes
    }
}

#[cfg(test)]
impl Stream {
    /// What its reader reads now.
    pub fn read(&self) -> String {
        let pieces = self.slot.take().map_or_else(Vec::new, |taken| taken.pieces);
        String::from_utf8(pieces.concat()).unwrap()
    }
}

impl Drop for StreamWriter {
    fn drop(&mut self) {
        self.0.give(|contents| contents.is_over = true);
    }
}

impl ReplySlot {
    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what is there, and wakes the event loop. False if nothing is taken any more.
    fn give(&self, change: impl FnOnce(&mut Contents)) -> bool {
        let mut contents = self.contents();
        if contents.is_closed {
            return false;
        }
        change(&mut contents);
        if let Some(wake) = &contents.wake {
            wake();
        }
        !contents.is_closed
    }

    /// Has `wake` called from now on when something is given, and at once if something was.
    pub fn wake_by(&self, wake: Wake) {
        let mut contents = self.contents();
        if contents.answer.is_some() || contents.is_over || !contents.pieces.is_empty() {
            wake();
        }
        contents.wake = Some(wake);
    }

    /// Takes what was given. `None` if the stream was ahead of its reader by too much.
    pub fn take(&self) -> Option<Taken> {
        let mut contents = self.contents();
        if contents.is_closed {
            return None;
        }
        contents.bytes = 0;
        let pieces = contents.pieces.drain(..).collect();
        Some(Taken { answer: contents.answer.take(), pieces, is_over: contents.is_over })
    }

    /// The peer has closed its side.
    pub fn peer_has_ended(&self) {
        self.contents().has_peer_ended = true;
    }

    /// Nothing is taken any more.
    pub fn close(&self) {
        let mut contents = self.contents();
        contents.is_closed = true;
        contents.pieces.clear();
        contents.wake = None;
    }
}
