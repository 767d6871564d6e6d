//! What can go wrong, and how it is reported.
//!
//! Every refusal that a client sees is `{"message", "type"}` with the status of its [`Kind`]. The types are Courier's
//! (`invalid_request_error`, `authentication_error`, `api_error`).

use std::fmt;

/// The result of anything in bulkd that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// An error with a message for the person who caused it.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    /// The JSON path of the field that it is about.
    path: Option<String>,
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The few ways in which things go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The request holds something that it must not; the message names the field.
    Invalid,
    /// No key, a malformed one, or one that is not configured.
    Unauthorized,
    /// A page of another site has sent it, or it asks for something that was not allowed at the start.
    Forbidden,
    /// It is for another host than this daemon.
    Misdirected,
    /// The route or the resource does not exist in this environment.
    NotFound,
    /// It conflicts with something that exists, such as a name that is taken.
    Conflict,
    /// The request did not arrive in time.
    TimedOut,
    /// The body is over the limit.
    BodyTooLarge,
    /// The head is over the limit.
    HeadTooLarge,
    /// Too many wrong keys were sent: for a moment no more of them are checked.
    TooManyRequests,
    /// A part of HTTP that is not implemented.
    NotImplemented,
    /// Nothing is wrong with the request. The same one may succeed later.
    Unavailable,
    /// A fault of our own. Logged in full, but clients get one fixed sentence.
    Internal,
    /// The daemon cannot start, or a command cannot do what it was asked. Never sent to a client.
    Startup,
}

#[derive(Debug)]
struct Stale;

impl fmt::Display for Stale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it was made of something else")
    }
}

impl std::error::Error for Stale {}

/// Why something is not available to this caller. It says nothing about other callers.
#[derive(Debug)]
struct OfCaller(&'static str);

impl fmt::Display for OfCaller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for OfCaller {}

impl Kind {
    /// HTTP status and Courier's error type.
    pub fn status_and_type(self) -> (u16, &'static str) {
        match self {
            Kind::Invalid => (400, "invalid_request_error"),
            Kind::Unauthorized => (401, "authentication_error"),
            Kind::Forbidden => (403, "invalid_request_error"),
            Kind::Misdirected => (421, "invalid_request_error"),
            Kind::NotFound => (404, "invalid_request_error"),
            Kind::Conflict => (409, "invalid_request_error"),
            Kind::TimedOut => (408, "invalid_request_error"),
            Kind::BodyTooLarge => (413, "invalid_request_error"),
            Kind::HeadTooLarge => (431, "invalid_request_error"),
            Kind::TooManyRequests => (429, "rate_limit_error"),
            Kind::NotImplemented => (501, "api_error"),
            Kind::Unavailable => (503, "api_error"),
            Kind::Internal | Kind::Startup => (500, "api_error"),
        }
    }
}

impl Error {
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Error { kind, path: None, message: message.into(), source: None }
    }

    fn of_field(kind: Kind, path: String, message: impl Into<String>) -> Self {
        Error::new(kind, message).with_path(|_| path)
    }

    /// A field of the request that is not as it must be: `path` is its JSON path, `expected` says what to send instead.
    pub fn invalid(path: impl fmt::Display, expected: impl fmt::Display) -> Self {
        Error::of_field(Kind::Invalid, path.to_string(), expected.to_string())
    }

    pub fn not_found(message: impl Into<String>) -> Self {
        Error::new(Kind::NotFound, message)
    }

    /// There is nothing with this id under the request's key. `path` is where the request names it, `what` the kind of
    /// thing.
    pub fn unknown(path: &str, what: &str, id: &str) -> Self {
        let message = format!("there is no {what} '{}' under this API key", shown(id));
        Error::of_field(Kind::NotFound, path.to_owned(), message)
    }

    /// Something that is impossible because of something else. The message names both.
    pub fn conflict(message: impl Into<String>) -> Self {
        Error::new(Kind::Conflict, message)
    }

    /// What a change was prepared from is no longer what is stored: it has to be prepared again.
    pub fn stale() -> Self {
        Error::unavailable("what this changes is changed all the time by others; try again later").caused_by(Stale)
    }

    /// Something with a bound of its own is full. That says nothing about anything else.
    pub fn full(message: impl Into<String>) -> Self {
        Error::unavailable(message).caused_by(OfCaller("it has a bound of its own"))
    }

    /// What was asked for is not there yet, or no longer, because of another request.
    pub fn not_yet(message: impl Into<String>) -> Self {
        Error::unavailable(message).caused_by(OfCaller("it is because of what was asked for"))
    }

    /// Whether it is the caller's own, so that nothing else fails because of it.
    pub fn is_of_caller(&self) -> bool {
        self.is_stale() || self.source.as_ref().is_some_and(|source| source.is::<OfCaller>())
    }

    pub fn is_stale(&self) -> bool {
        self.source.as_ref().is_some_and(|source| source.is::<Stale>())
    }

    pub fn startup(message: impl Into<String>) -> Self {
        Error::new(Kind::Startup, message)
    }

    /// Something that cannot happen did; `message` is for the log.
    pub fn internal(message: impl Into<String>) -> Self {
        Error::new(Kind::Internal, message)
    }

    pub fn unavailable(message: impl Into<String>) -> Self {
        Error::new(Kind::Unavailable, message)
    }

    pub fn caused_by(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The same with more to say.
    pub fn explained(mut self, more: &str) -> Self {
        self.message.push_str(more);
        self
    }

    /// The same about another field: `change` is given the path up to now, empty if it was about none.
    pub fn with_path(mut self, change: impl FnOnce(&str) -> String) -> Self {
        let path = change(self.path.as_deref().unwrap_or_default());
        let path = path.trim_start_matches('.');
        self.path = (!path.is_empty()).then(|| path.to_owned());
        self
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Text that is not JSON at all.
    pub fn syntax(error: impl fmt::Display) -> Self {
        Error::of_field(Kind::Invalid, "the body".to_owned(), format!("{NOT_JSON}{error}"))
    }

    pub fn is_of_syntax(&self) -> bool {
        self.path.as_deref() == Some("the body") && self.message.starts_with(NOT_JSON)
    }

    /// The JSON path of the field that it is about, if it is about one.
    pub fn path(&self) -> Option<&str> {
        self.path.as_deref()
    }

    /// What is wrong with the field, or in general.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The message for the client, with the field's path. An internal error's own text stays in the log.
    pub fn public_message(&self) -> String {
        match (self.kind, &self.path) {
            (Kind::Internal, _) => "Something went wrong inside bulkd. Its log on standard error says what.".to_owned(),
            (_, Some(path)) => format!("{path}: {}", self.message),
            (_, None) => self.message.clone(),
        }
    }
}

const NOT_JSON: &str = "not valid JSON: ";

/// Text from outside, such as an id in a request, as errors and the log show it. Long text is cut. What a reader would
/// not see, or would take for a new line, is escaped.
pub fn shown(text: &str) -> Shown<'_> {
    shown_up_to(text, SHOWN)
}

/// The same, with another number of characters.
pub fn shown_up_to(text: &str, characters: usize) -> Shown<'_> {
    match text.char_indices().nth(characters) {
        Some((end, _)) => Shown { beginning: &text[..end], is_cut: true },
        None => Shown { beginning: text, is_cut: false },
    }
}

/// Characters of it.
const SHOWN: usize = 64;

/// See [`shown`].
#[derive(Clone, Copy)]
pub struct Shown<'a> {
    pub beginning: &'a str,
    pub is_cut: bool,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.beginning;
        while let Some((at, hidden)) = rest.char_indices().find(|(_, it)| is_hidden(*it)) {
            write!(f, "{}{}", &rest[..at], hidden.escape_default())?;
            rest = &rest[at + hidden.len_utf8()..];
        }
        f.write_str(rest)?;
        if self.is_cut { f.write_str("\u{2026}") } else { Ok(()) }
    }
}

/// Control characters, line ends, and characters without width or that turn the direction of text.
fn is_hidden(it: char) -> bool {
    it.is_control()
        || matches!(it, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = &self.path {
            write!(f, "{path}: ")?;
        }
        f.write_str(&self.message)?;
        match &self.source {
            Some(source) => write!(f, " ({source})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
