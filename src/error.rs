//! What can go wrong, and how it is told.
//!
//! Every refusal that a client sees is `{"message", "type"}` with the status of its [`Kind`]. The types are Courier's
//! (`invalid_request_error`, `authentication_error`, `api_error`).

use std::fmt;

/// The result of anything in bulkd that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// An error with a message that is fit for the person who caused it.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
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
    /// The route or the thing does not exist in this environment.
    NotFound,
    /// It clashes with something else that exists, such as a name that is taken.
    Conflict,
    /// The request did not arrive in time.
    TimedOut,
    /// The body is over the limit.
    BodyTooLarge,
    /// The head is over the limit.
    HeadTooLarge,
    /// A part of HTTP that is not spoken here.
    NotImplemented,
    /// Nothing is wrong with the request; the same one may succeed later.
    Unavailable,
    /// A mistake of our own. Logged whole, shown as one fixed sentence.
    Internal,
    /// The daemon cannot start, or a command cannot do what was asked of it. Never sent to a client.
    Startup,
}

impl Kind {
    /// HTTP status and Courier's error type.
    pub fn status_and_type(self) -> (u16, &'static str) {
        match self {
            Kind::Invalid => (400, "invalid_request_error"),
            Kind::Unauthorized => (401, "authentication_error"),
            Kind::NotFound => (404, "invalid_request_error"),
            Kind::Conflict => (409, "invalid_request_error"),
            Kind::TimedOut => (408, "invalid_request_error"),
            Kind::BodyTooLarge => (413, "invalid_request_error"),
            Kind::HeadTooLarge => (431, "invalid_request_error"),
            Kind::NotImplemented => (501, "api_error"),
            Kind::Unavailable => (503, "api_error"),
            Kind::Internal | Kind::Startup => (500, "api_error"),
        }
    }
}

impl Error {
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Error { kind, message: message.into(), source: None }
    }

    /// A field of the request that is not as it must be: `path` is its JSON path, `expected` says what to send instead.
    pub fn invalid(path: impl fmt::Display, expected: impl fmt::Display) -> Self {
        Error::new(Kind::Invalid, format!("{path}: {expected}"))
    }

    pub fn not_found(message: impl Into<String>) -> Self {
        Error::new(Kind::NotFound, message)
    }

    /// There is nothing of this id under the request's key. `path` is where the request names it, `what` what it would be.
    pub fn unknown(path: &str, what: &str, id: &str) -> Self {
        Error::not_found(format!("{path}: there is no {what} '{}' under this API key", shown(id)))
    }

    /// Something that cannot be because of something else; the message names both.
    pub fn conflict(message: impl Into<String>) -> Self {
        Error::new(Kind::Conflict, message)
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

    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The message for the client: an internal error's own text stays in the log.
    pub fn public_message(&self) -> &str {
        match self.kind {
            Kind::Internal => "Something went wrong inside bulkd. Its log on standard error says what.",
            _ => &self.message,
        }
    }
}

/// As much of an id or a name that somebody sent as a message shows.
pub fn shown(text: &str) -> &str {
    text.char_indices().nth(SHOWN).map_or(text, |(end, _)| &text[..end])
}

const SHOWN: usize = 64;

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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
