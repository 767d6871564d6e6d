//! Answers, and how they become bytes.

use std::collections::VecDeque;
use std::io;

use tiny_http::{HTTPVersion, Header, StatusCode};

use super::pieces::Pieces;
use crate::error::{Error, Kind};

/// An answer: tiny_http's, over bytes in memory.
pub type Response = tiny_http::Response<Pieces>;

/// Courier's older Node SDK parses a body only if its content type is exactly this.
pub const JSON: &str = "application/json";

/// An answer with a JSON body, or with none.
pub fn json(status: u16, body: impl Into<Pieces>) -> Response {
    typed(status, JSON, body)
}

/// An answer with a body of this type, or with none.
pub fn typed(status: u16, content_type: &str, body: impl Into<Pieces>) -> Response {
    let body = body.into();
    let headers = if body.is_empty() { Vec::new() } else { vec![header("Content-Type", content_type)] };
    let length = body.len();
    Response::new(StatusCode(status), headers, body, Some(length), None)
}

/// The body of an error, in Courier's envelope.
pub fn envelope(error: &Error) -> String {
    let (_, kind) = error.kind().status_and_type();
    serde_json::json!({ "message": error.public_message(), "type": kind }).to_string()
}

/// An error in Courier's envelope. Courier's SDKs send a request again on some statuses; `x-should-retry` tells them
/// whether that can help.
pub fn of_error(error: &Error) -> Response {
    let response = json(error.kind().status_and_type().0, envelope(error));
    match error.kind() {
        Kind::Unavailable | Kind::TooManyRequests => response.with_header(header("Retry-After", "1")),
        Kind::TimedOut | Kind::Internal | Kind::Startup => response,
        _ => final_refusal(response),
    }
}

/// Tells Courier's SDKs that the same request will be answered the same.
pub fn final_refusal(response: Response) -> Response {
    response.with_header(header("X-Should-Retry", "false"))
}

/// A header of our own making; its parts are ASCII.
pub fn header(name: &str, value: &str) -> Header {
    Header::from_bytes(name, value).expect("our own headers are ASCII")
}

/// Headers of every answer: a browser must not take it for a page, nor keep it unless it says so.
const NOSNIFF: &str = "\r\nX-Content-Type-Options: nosniff";
const NO_STORE: &str = "\r\nCache-Control: no-store";

/// Room for the head of an answer.
const HEAD_BYTES: usize = 512;
/// A body up to this size is copied behind its head.
const JOINED_BYTES: usize = 64 * 1024;

/// The bytes of an answer: a small one is complete, so that it takes one write; the pieces of a large one follow its head.
pub fn to_bytes(
    response: Response,
    version: &HTTPVersion,
    head_only: bool,
    closing: bool,
) -> (Vec<u8>, VecDeque<Vec<u8>>) {
    const NO_LENGTH: &[u8] = b"Content-Length: 0\r\n";
    let (length, status) = (response.data_length(), response.status_code().0);
    let headers = response.headers().to_vec();
    let is_kept = headers.iter().any(|header| header.field.equiv("Cache-Control"));
    let body = response.into_reader();
    let joins = body.len() <= JOINED_BYTES;
    let mut bytes = Vec::with_capacity(HEAD_BYTES + if joins { body.len() } else { 0 });
    tiny_http::Response::new(StatusCode(status), headers, io::empty(), length, None)
        .with_chunked_threshold(usize::MAX)
        .with_header(header("Server", "bulkd"))
        .raw_print(&mut bytes, version.clone(), &[], head_only, None)
        .expect("memory can be written");
    if status == 204
        && let Some(at) = find(&bytes, NO_LENGTH)
    {
        // Where there can be no body, its length must not be sent.
        bytes.drain(at..at + NO_LENGTH.len());
    }
    // tiny_http would drop a `Connection` header of ours.
    let connection = match (closing, version) {
        (true, _) => "\r\nConnection: close",
        (false, HTTPVersion(1, 0)) => "\r\nConnection: keep-alive",
        (false, _) => "",
    };
    let more = [NOSNIFF, if is_kept { "" } else { NO_STORE }, connection];
    if let Some(end) = find(&bytes, b"\r\n") {
        bytes.splice(end..end, more.iter().flat_map(|part| part.bytes()));
    }
    if head_only {
        return (bytes, VecDeque::new());
    }
    let (first, mut more) = body.into_parts();
    if joins {
        bytes.extend_from_slice(&first);
    } else {
        more.push_front(first);
    }
    (bytes, more)
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
