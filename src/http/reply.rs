//! What a request leads to: an answer, now or later, a stream, or nothing at all.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::response::{self, Response};
use crate::error::Error;

/// Bytes that a stream may be ahead of its reader. One that is further ahead is ended.
const STREAM_AHEAD_BYTES: usize = 1024 * 1024;

/// What a request leads to.
pub enum Reply {
    /// The whole answer, bytes in memory.
    Answer(Response),
    /// The same, after which the connection is closed.
    Last(Response),
    /// An answer that is not known yet. It costs no thread until it is given, and its connection is the first that is
    /// closed where there is no room for another.
    Later(Later),
    /// A long-lived answer, written piece by piece. It costs no thread while it is silent.
    Stream(Stream),
    /// None: the connection is closed, as if the daemon or the network had failed.
    Hangup,
}

/// Where the reply to a request is given, by whichever thread. Dropped without one, it closes the connection: the work has
/// panicked.
pub struct Responder(Option<Respond>);

type Respond = Box<dyn FnOnce(Option<Reply>) + Send>;

/// A connection's side of an answer that is given later.
pub struct Later(pub(super) Arc<ReplySlot>);

/// The side of an answer that is given later which gives it. Dropped without one, it answers 503.
pub struct Answerer(Arc<ReplySlot>);

/// A connection's side of a stream.
pub struct Stream {
    pub(super) content_type: String,
    pub(super) slot: Arc<ReplySlot>,
}

/// The side of a stream that writes it. Dropped, it ends the stream.
pub struct StreamWriter(Arc<ReplySlot>);

/// What was given for a connection and not yet written to it.
#[derive(Default)]
pub struct ReplySlot(Mutex<Contents>);

#[derive(Default)]
struct Contents {
    answer: Option<Response>,
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
    pub answer: Option<Response>,
    pub pieces: Vec<Vec<u8>>,
    /// Whether that was all.
    pub is_over: bool,
}

impl Reply {
    /// An answer that is given later, and the side that gives it.
    pub fn later() -> (Reply, Answerer) {
        let slot = Arc::<ReplySlot>::default();
        (Reply::Later(Later(slot.clone())), Answerer(slot))
    }

    /// The status, if it is an answer that is known.
    pub fn status(&self) -> Option<u16> {
        match self {
            Reply::Answer(response) | Reply::Last(response) => Some(response.status_code().0),
            Reply::Later(_) | Reply::Stream(_) | Reply::Hangup => None,
        }
    }

    /// A stream with this content type, and what writes it.
    pub fn stream(content_type: &str) -> (Reply, StreamWriter) {
        let slot = Arc::<ReplySlot>::default();
        let stream = Stream { content_type: content_type.to_owned(), slot: slot.clone() };
        (Reply::Stream(stream), StreamWriter(slot))
    }
}

/// What is answered where the stop comes before the answer.
pub fn stopping() -> Response {
    response::of_error(&Error::unavailable("bulkd is stopping; try again later"))
}

/// The answer in place of a stream that has no room. The side that would write the stream learns of it before the peer
/// does.
pub(super) fn refuse_stream(stream: Stream) -> Response {
    drop(stream);
    response::of_error(&Error::unavailable("too many streams are open; close one, or try again later"))
}

impl Responder {
    /// `respond` is called once, with `None` if there is no reply.
    pub(super) fn new(respond: impl FnOnce(Option<Reply>) + Send + 'static) -> Self {
        Responder(Some(Box::new(respond)))
    }

    pub fn give(mut self, reply: impl Into<Reply>) {
        self.respond(Some(reply.into()));
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

impl Answerer {
    pub fn answer(self, response: Response) {
        self.0.give(|contents| {
            contents.answer = Some(response);
            contents.is_over = true;
        });
    }

    /// Whether its connection has gone, or is about to go: the peer sends nothing more.
    pub fn is_closed(&self) -> bool {
        let contents = self.0.contents();
        contents.is_closed || contents.has_peer_ended || Arc::strong_count(&self.0) == 1
    }
}

impl Drop for Answerer {
    fn drop(&mut self) {
        self.0.give(|contents| {
            if !contents.is_over {
                contents.answer = Some(response::of_error(&Error::unavailable("no answer was given; try again later")));
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
