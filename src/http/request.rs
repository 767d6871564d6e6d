//! Requests, and the service that answers them.

use std::sync::Arc;

use tiny_http::Method;

use super::head::Head;
use super::reply::{Reply, Responder};
use super::response::Response;
use crate::error::{Error, Result};

/// What answers requests: the API, or a stand-in for it.
pub trait Service: Send + Sync {
    /// Answers a request, in a thread of its own, so that it may take its time. The reply is given there, or by another
    /// thread afterwards.
    fn answer(&self, request: Request, responder: Responder);

    /// Answers requests that have arrived together, in a thread for which other connections wait: only those that take
    /// a moment. The others are `None`, and are passed to [`answer`](Service::answer).
    fn answer_batch(&self, requests: Vec<Request>) -> Vec<Option<Reply>>;

    /// Lets the page of this origin read an answer that the front door gives itself.
    fn let_read(&self, _origin: Option<&[u8]>, response: Response) -> Response {
        response
    }

    /// Whether a request is answered even to a peer for which there is no room: few are, and each in a moment.
    fn is_always_answered(&self, _method: &str, _path: &str) -> bool {
        false
    }
}

/// A request that has arrived whole.
pub struct Request {
    pub(super) head: Arc<Head>,
    pub body: Vec<u8>,
}

impl Request {
    /// What was sent before the body.
    pub fn head(&self) -> &Arc<Head> {
        &self.head
    }

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

    /// A request of our own with the key of this one, for what another route does for it.
    pub fn within(&self, method: &Method, target: &str, body: Vec<u8>) -> Result<Request> {
        let mut head = format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n").into_bytes();
        for value in self.raw_headers("authorization") {
            head.extend_from_slice(b"Authorization: ");
            head.extend_from_slice(value);
            head.extend_from_slice(b"\r\n");
        }
        head.extend_from_slice(b"\r\n");
        let (head, _) = Head::parse(&head)?.ok_or_else(|| Error::internal("a request within another is not whole"))?;
        Ok(Request { head: Arc::new(head), body })
    }

    /// The bytes of all headers of this name.
    pub fn raw_headers(&self, name: &'static str) -> impl Iterator<Item = &[u8]> {
        self.head.headers(name)
    }

    pub fn has_header(&self, name: &str) -> bool {
        self.head.headers(name).next().is_some()
    }

    /// The first header of this name, if it is text. Names are compared without case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.headers(name).next().and_then(|value| std::str::from_utf8(value).ok()).map(str::trim)
    }
}
