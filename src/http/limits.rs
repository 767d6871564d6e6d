//! What a peer may ask of us.

use std::time::Duration;

/// What a peer may ask of us. Spans of time are for one request unless they say otherwise.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Requests that are worked on at once, each in a thread. The next ones wait in a queue.
    pub requests: usize,
    /// Requests in that queue; the next is answered 503.
    pub queue: usize,
    /// How long a request waits for a thread; then 503.
    pub queue_time: Duration,
    /// Streams open at once; the next is answered 503.
    pub streams: usize,
    /// Bytes of request line and headers, then 431.
    pub head_bytes: usize,
    /// Bytes of a body, then 413. Courier's own limit is 6 MB.
    pub body_bytes: usize,
    /// Bytes that are held at once of bodies, large answers and unread input; then 503.
    pub bodies_bytes: usize,
    /// From the first byte of a head to its last.
    pub head: Duration,
    /// From the end of the head to the end of the body.
    pub body: Duration,
    /// Between an answer and the next request.
    pub idle: Duration,
    /// For the peer to read the answer.
    pub answer: Duration,
    /// Stack of a request's thread. Memory is taken only as it is used.
    pub stack_bytes: usize,
    /// For requests in progress when the server stops.
    pub stop: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            requests: 128,
            queue: 4096,
            queue_time: Duration::from_secs(10),
            streams: 256,
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
