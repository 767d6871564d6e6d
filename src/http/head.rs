//! Request line and headers.

use std::ops::Range;

use tiny_http::{HTTPVersion, Method};

use crate::error::{Error, Kind, Result};

/// More headers than that are refused.
const HEADERS: usize = 100;

/// A head, still in the bytes in which it came.
pub struct Head {
    bytes: Vec<u8>,
    pub method: Method,
    pub version: HTTPVersion,
    target: String,
    query_at: Option<usize>,
    headers: Vec<(Range<usize>, Range<usize>)>,
}

/// How the body that follows a head is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    Length(u64),
    Chunked,
}

impl Head {
    /// Reads a head from the start of `bytes` and tells its length; `None` if it is not complete.
    pub fn parse(bytes: &[u8]) -> Result<Option<(Head, usize)>> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS];
        let mut request = httparse::Request::new(&mut headers);
        let length = match request.parse(bytes) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(httparse::Error::TooManyHeaders) => {
                return Err(Error::new(Kind::HeadTooLarge, format!("the request has more than {HEADERS} headers")));
            }
            Err(error) => return Err(Error::new(Kind::Invalid, format!("the request is not valid HTTP: {error}"))),
        };
        let lone_line_end = |(at, byte): (usize, &u8)| *byte == b'\n' && (at == 0 || bytes[at - 1] != b'\r');
        if bytes[..length].iter().enumerate().any(lone_line_end) {
            return Err(Error::new(Kind::Invalid, "the request is not valid HTTP: expected lines to end with CR LF"));
        }
        let (Some(method), Some(target), Some(minor)) = (request.method, request.path, request.version) else {
            return Ok(None);
        };
        let span = |part: &[u8]| {
            let start = part.as_ptr() as usize - bytes.as_ptr() as usize;
            start..start + part.len()
        };
        let method = match method.to_ascii_uppercase().parse() {
            Ok(method) => method,
            Err(()) => return Err(Error::new(Kind::Invalid, "the request is not valid HTTP: invalid method")),
        };
        let target = origin_form(target)?;
        let head = Head {
            method,
            version: HTTPVersion(1, minor),
            query_at: target.find('?'),
            target,
            headers: request.headers.iter().map(|h| (span(h.name.as_bytes()), span(h.value))).collect(),
            bytes: bytes[..length].to_vec(),
        };
        if minor == 1 && head.headers("host").count() != 1 {
            return Err(Error::new(Kind::Invalid, "Host: expected exactly one such header"));
        }
        Ok(Some((head, length)))
    }

    pub fn path(&self) -> &str {
        &self.target[..self.query_at.unwrap_or(self.target.len())]
    }

    pub fn query(&self) -> &str {
        self.query_at.map_or("", |at| &self.target[at + 1..])
    }

    /// About how many bytes of memory it takes.
    pub fn held_bytes(&self) -> usize {
        self.bytes.len() + self.target.len() + self.headers.len() * size_of::<(Range<usize>, Range<usize>)>()
    }

    /// All headers, in the order in which they were sent.
    pub fn all_headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.headers.iter().map(|(name, value)| (&self.bytes[name.clone()], &self.bytes[value.clone()]))
    }

    /// The values of all headers of this name.
    pub fn headers<'h, 'n>(&'h self, name: &'n str) -> impl Iterator<Item = &'h [u8]> + use<'h, 'n> {
        self.headers
            .iter()
            .filter(move |(found, _)| self.bytes[found.clone()].eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| &self.bytes[value.clone()])
    }

    /// The `Origin` that it names, if it names one only.
    pub fn origin(&self) -> Option<&[u8]> {
        let mut named = self.headers("origin");
        named.next().filter(|_| named.next().is_none())
    }

    /// How the body is delimited. What two servers could read differently is refused.
    pub fn framing(&self) -> Result<Framing> {
        let invalid = |text: &str| Error::new(Kind::Invalid, text);
        let mut lengths = self.headers("content-length");
        let mut encodings = self.headers("transfer-encoding");
        match (lengths.next(), encodings.next()) {
            (None, None) => Ok(Framing::Length(0)),
            (Some(_), Some(_)) => Err(invalid("Content-Length and Transfer-Encoding exclude each other")),
            (Some(length), None) => {
                if lengths.next().is_some() {
                    return Err(invalid("Content-Length: expected one such header, found several"));
                }
                let digits = std::str::from_utf8(length).ok();
                let digits = digits.filter(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()));
                let digits = digits.ok_or_else(|| invalid("Content-Length: expected a number"))?;
                Ok(Framing::Length(digits.parse().unwrap_or(u64::MAX)))
            }
            (None, Some(encoding)) => {
                if encodings.next().is_some() || self.version < HTTPVersion(1, 1) {
                    return Err(invalid("Transfer-Encoding: expected one such header, in HTTP/1.1"));
                }
                if encoding.trim_ascii().eq_ignore_ascii_case(b"chunked") {
                    Ok(Framing::Chunked)
                } else {
                    Err(Error::new(Kind::NotImplemented, "Transfer-Encoding: only 'chunked' is understood"))
                }
            }
        }
    }

    pub fn expects_continue(&self) -> bool {
        self.version >= HTTPVersion(1, 1)
            && self.headers("expect").any(|value| value.eq_ignore_ascii_case(b"100-continue"))
    }

    /// Whether the peer wants the connection to stay open.
    pub fn keeps_alive(&self) -> bool {
        let says = |word: &str| {
            self.headers("connection")
                .flat_map(|value| value.split(|b| *b == b','))
                .any(|token| token.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
        };
        if self.version >= HTTPVersion(1, 1) { !says("close") } else { says("keep-alive") }
    }
}

/// Proxies send the whole URL; only its path counts.
fn origin_form(target: &str) -> Result<String> {
    if target.starts_with('/') || target == "*" {
        return Ok(target.to_owned());
    }
    let is_http = |scheme: &str| scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
    let url = target.split_once("://").filter(|(scheme, _)| is_http(scheme));
    let (_, after_scheme) = url.ok_or_else(|| {
        Error::new(Kind::Invalid, "the request is not valid HTTP: expected a path that begins with '/'")
    })?;
    Ok(match after_scheme.find(['/', '?']) {
        Some(at) if after_scheme[at..].starts_with('/') => after_scheme[at..].to_owned(),
        Some(at) => format!("/{}", &after_scheme[at..]),
        None => "/".to_owned(),
    })
}
