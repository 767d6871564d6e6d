//! The front door: listener, event loops, connection threads, limits and deadlines. Bytes to [`Request`], [`Response`] to bytes; of
//! the API behind it, it knows only how an error looks, since it has some of its own to tell.
//!
//! Methods, versions and answers are tiny_http's, and so is the writing of an answer. Its `Server` is not used: it
//! leaves connections of a burst waiting for each other, has no deadlines, and can be ended by one header.

pub mod body;
mod connection;
#[cfg_attr(not(target_os = "linux"), path = "no_event_loop.rs")]
mod event_loop;
mod handle;
pub mod head;
mod reply;
mod response;
mod server;
mod socket;
mod write;

use std::time::Duration;

pub use reply::{Answerer, Reply, StreamWriter};
pub use response::{Response, final_refusal, header, json, of_error};
pub use server::Server;
pub use tiny_http::{Header, Method};

use head::Head;

/// What stands behind the front door.
pub trait Handler: Send + Sync {
    /// Answers a request, in a thread of its connection's own: it may take its time.
    fn answer(&self, request: Request) -> Reply;

    /// Answers requests that have come together, in a thread for which other connections wait: those of them that take
    /// a moment only. The others are `None`, and asked again with [`answer`](Handler::answer).
    fn answer_batch(&self, requests: Vec<Request>) -> Vec<Option<Reply>>;
}

/// What a peer may ask of us. Spans of time are for one request unless they say otherwise.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections open at once, streams not counted; the next is answered 503 and closed.
    pub connections: usize,
    /// Streams open at once; the next is answered 503.
    pub streams: usize,
    /// Bytes of request line and headers, then 431.
    pub head_bytes: usize,
    /// Bytes of a body, then 413. Courier's own limit is 6 MB.
    pub body_bytes: usize,
    /// Bytes of all bodies and large answers held at once, then 503.
    pub bodies_bytes: usize,
    /// From the first byte of a head to its last.
    pub head: Duration,
    /// From the end of the head to the end of the body.
    pub body: Duration,
    /// Between an answer and the next request.
    pub idle: Duration,
    /// For the peer to take the answer.
    pub answer: Duration,
    /// Stack of a connection's thread. Memory is taken only as it is used.
    pub stack_bytes: usize,
    /// For requests that are being handled when the server stops.
    pub stop: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connections: 512,
            streams: 64,
            head_bytes: 16 * 1024,
            body_bytes: 6 * 1024 * 1024,
            bodies_bytes: 512 * 1024 * 1024,
            head: Duration::from_secs(10),
            body: Duration::from_secs(60),
            idle: Duration::from_secs(75),
            answer: Duration::from_secs(30),
            stack_bytes: 2 * 1024 * 1024,
            stop: Duration::from_secs(5),
        }
    }
}

/// A request that has arrived whole.
pub struct Request {
    head: Head,
    pub body: Vec<u8>,
}

impl Request {
    pub fn method(&self) -> &Method {
        &self.head.method
    }

    /// The path as it was sent, without the query.
    pub fn path(&self) -> &str {
        self.head.path()
    }

    /// What follows the question mark.
    pub fn query(&self) -> &str {
        self.head.query()
    }

    pub fn has_header(&self, name: &str) -> bool {
        self.head.headers(name).next().is_some()
    }

    /// The first header of this name, if it is text. Names are compared without case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.headers(name).next().and_then(|value| std::str::from_utf8(value).ok()).map(str::trim)
    }
}
