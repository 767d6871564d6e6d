//! The pages of other sites that may call the API from a browser (`--allow-origin`), and what a browser asks before it
//! lets them: CORS, as the Fetch standard has it. Without the flag none of it is answered.

use crate::http::{self, Method, Reply, Request, Response};

/// Headers of ours that a page may read.
const EXPOSED: &str = "Retry-After, X-Should-Retry, X-Bulkd-Replayed";
const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE";
/// Seconds for which a browser need not ask again.
const MAX_AGE: &str = "600";
/// Bytes of the headers that a page announces.
const ANNOUNCED_BYTES: usize = 4 * 1024;

/// Any origin, as the flag and the answers spell it.
const ANY: &str = "*";

/// The origins that are allowed.
#[derive(Default)]
pub struct Origins {
    named: Vec<String>,
}

impl Origins {
    pub fn new(named: &[String]) -> Self {
        Origins { named: named.to_vec() }
    }

    /// Whether an origin is one of them.
    pub fn allow(&self, origin: &[u8]) -> bool {
        self.find(origin).is_some()
    }

    pub(super) fn find(&self, origin: &[u8]) -> Option<&str> {
        let is_named = |named: &&String| *named == ANY || origin.trim_ascii().eq_ignore_ascii_case(named.as_bytes());
        self.named.iter().find(is_named).map(String::as_str)
    }

    /// The origin of the page that sent a request, if it is allowed. `None` also if no page has sent it.
    pub fn of(&self, request: &Request) -> Option<&str> {
        if self.named.is_empty() {
            return None;
        }
        let mut sent = request.raw_headers("origin");
        match (sent.next(), sent.next()) {
            (Some(origin), None) => self.find(origin),
            _ => None,
        }
    }
}

/// The answer to a browser that asks whether a page may send a request, such as one with a key. `None` for all other
/// requests.
pub fn preflight(request: &Request) -> Option<Response> {
    if *request.method() != Method::Options {
        return None;
    }
    let with = |response: Response, name: &str, value: &str| response.with_header(http::header(name, value));
    let response = with(http::json(204, ""), "Access-Control-Allow-Methods", METHODS);
    let mut response = with(response, "Access-Control-Max-Age", MAX_AGE);
    // SDKs announce headers of their own. A star in their place would not let the key pass.
    let announced = request.header("access-control-request-headers").filter(|names| names.len() <= ANNOUNCED_BYTES);
    let names: Vec<&str> = announced.unwrap_or_default().split(',').map(str::trim).filter(|it| is_token(it)).collect();
    if !names.is_empty() {
        response = with(response, "Access-Control-Allow-Headers", &names.join(", "));
    }
    if request.has_header("access-control-request-private-network") {
        response = with(response, "Access-Control-Allow-Private-Network", "true");
    }
    Some(response)
}

/// Whether a text can be the name of a header.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// Lets a page of this origin read the answer. Not with cookies: nothing here has any.
pub fn let_read_response(origin: &str, response: Response) -> Response {
    match let_read(origin, Reply::Answer(response)) {
        Reply::Answer(response) | Reply::Last(response) => response,
        Reply::Later(_) | Reply::Stream(_) | Reply::Broken(_) => http::json(500, ""),
    }
}

/// The same whatever the request leads to.
pub fn let_read(origin: &str, reply: Reply) -> Reply {
    let reply = reply.with_header(http::header("Access-Control-Allow-Origin", origin));
    let reply = reply.with_header(http::header("Access-Control-Expose-Headers", EXPOSED));
    if origin == ANY { reply } else { reply.with_header(http::header("Vary", "Origin")) }
}
