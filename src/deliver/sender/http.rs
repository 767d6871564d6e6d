//! One HTTP request, and what its status means.

use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

use ureq::Agent;
use ureq::http::{Request, Response};

use super::{Outcome, Retry, words};
use crate::clock::Timestamp;
use crate::dial;
use crate::error::{Error, Result, shown_up_to};
use crate::model::message_status::Reason;
use crate::tls;

/// For the whole of a call.
const TIMEOUT: Duration = Duration::from_secs(20);
/// A connection may take this much of it; a stop cannot break that off.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// As long as a server may ask to be left alone.
const LONGEST_WAIT: Duration = Duration::from_secs(60 * 60);
/// So much of an answer is read.
const ANSWER_BYTES: u64 = 64 * 1024;
/// Characters of an answer that are told.
const TOLD_CHARS: usize = 200;

pub struct Client(Agent);

/// What a server has said.
pub struct Answer {
    pub status: u16,
    /// As much of it as was read.
    pub text: String,
    /// Why the rest was not, if there is one.
    pub unread: Option<String>,
    /// How long it asks to be left alone.
    pub retry_after: Option<Duration>,
    /// What its headers call the message.
    pub reference: Option<String>,
}

impl Client {
    pub fn new() -> Result<Self> {
        Client::within(TIMEOUT)
    }

    /// One whose calls take no longer than so, from the first byte to the last.
    fn within(whole: Duration) -> Result<Self> {
        let config = dial::config(whole, CONNECT_TIMEOUT);
        let roots = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
        let config = match cfg!(feature = "tls") {
            true => tls::trust(config, "SSL_CERT_FILE", roots.as_deref())?,
            false => config,
        };
        Ok(Client(config.build().new_agent()))
    }

    /// Makes a request. `Err` has what came of it if there is no answer.
    pub fn call(&self, request: Request<Vec<u8>>) -> std::result::Result<Answer, Outcome> {
        match self.0.run(request) {
            Ok(mut response) => {
                let header = |name: &str| of_header(&response, name);
                let (retry_after, reference) = (header("retry-after"), header("x-message-id"));
                let retry_after = retry_after.and_then(|text| span(&text));
                let status = response.status().as_u16();
                let (text, unread) = text_of(response.body_mut().as_reader());
                Ok(Answer { status, text, unread, retry_after, reference })
            }
            Err(error @ (ureq::Error::BadUri(_) | ureq::Error::Http(_))) => Err(Outcome::refused(error.to_string())),
            Err(error) => Err(Outcome::failed(error.to_string())),
        }
    }

    pub fn stop(&self) {
        self.0.clone().shutdown();
    }
}

/// What is there of a body, and why that is not all of it.
fn text_of(body: impl Read) -> (String, Option<String>) {
    let mut bytes = Vec::new();
    let read = body.take(ANSWER_BYTES + 1).read_to_end(&mut bytes);
    let unread = match read {
        Err(error) => Some(words(&error)),
        Ok(_) if bytes.len() as u64 > ANSWER_BYTES => Some(format!("it has more than {ANSWER_BYTES} bytes")),
        Ok(_) => None,
    };
    (String::from_utf8_lossy(&bytes).into_owned(), unread)
}

fn of_header(response: &Response<ureq::Body>, name: &str) -> Option<String> {
    Some(response.headers().get(name)?.to_str().ok()?.to_owned())
}

/// `Retry-After`: seconds, or a date. A longer wait than [`LONGEST_WAIT`] is cut: a peer may name any.
fn span(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse::<u64>() {
        return Some(Duration::from_secs(seconds).min(LONGEST_WAIT));
    }
    let at = jiff::fmt::rfc2822::parse(text.trim()).ok()?.timestamp().as_millisecond();
    let left = at.saturating_sub(Timestamp::of_machine().millis());
    Some(Duration::from_millis(u64::try_from(left).unwrap_or(0)).min(LONGEST_WAIT))
}

impl Answer {
    /// What the status means. A key that is refused is not the message's fault.
    pub fn outcome(self) -> Outcome {
        let error = || {
            let text = self.text.trim();
            let told = if text.is_empty() { String::new() } else { format!(": {}", shown_up_to(text, TOLD_CHARS)) };
            format!("the answer was {}{told}", self.status)
        };
        match self.status {
            200..=299 => Outcome::Accepted { reference: self.reference },
            408 | 425 | 429 | 500.. => Outcome::Refused {
                reason: Reason::ProviderError,
                error: error(),
                retry: Retry::After(self.retry_after),
            },
            401 | 403 | 407 => Outcome::unauthorized(error()),
            _ => Outcome::refused(error()),
        }
    }
}

/// A request from its parts.
pub fn request(
    method: &str,
    url: &str,
    headers: &[(String, String)],
    body: Vec<u8>,
) -> std::result::Result<Request<Vec<u8>>, String> {
    let mut request = Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    request.body(body).map_err(|error| format!("there is no such request: {error}"))
}

/// Fails if a request to this URL cannot be.
pub fn check(url: &str) -> Result<()> {
    request("POST", url, &[], Vec::new()).map(drop).map_err(Error::startup)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_status_tells_whether_to_try_again() {
        let outcome = |status, text: &str| {
            let retry_after = Some(Duration::from_secs(7));
            Answer { status, text: text.to_owned(), unread: None, retry_after, reference: None }.outcome()
        };
        let retry = |status| match outcome(status, "no") {
            Outcome::Refused { retry, .. } => Some(retry),
            Outcome::Accepted { .. } => None,
        };
        assert_eq!([200, 202, 204].map(retry), [None, None, None]);
        for status in [408, 429, 500, 503] {
            assert_eq!(retry(status), Some(Retry::After(Some(Duration::from_secs(7)))), "{status}");
        }
        assert_eq!([401, 403, 407].map(retry), [Some(Retry::Unauthorized); 3]);
        assert_eq!([301, 400, 404, 422].map(retry), [Some(Retry::Never); 4]);
        assert_eq!(outcome(400, "no such\nnumber"), Outcome::refused("the answer was 400: no such\\nnumber"));
    }

    #[test]
    fn a_body_that_was_not_read_to_its_end_says_so() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
                Err(std::io::Error::other("reset"))
            }
        }
        let long = "x".repeat(ANSWER_BYTES as usize + 1);
        assert_eq!(text_of(&b"{}"[..]), ("{}".to_owned(), None));
        assert_eq!(text_of(&long.as_bytes()[1..]).1, None);
        assert_eq!(text_of(long.as_bytes()).1.as_deref(), Some("it has more than 65536 bytes"));
        assert_eq!(text_of((&b"{"[..]).chain(Broken)), ("{".to_owned(), Some("reset".to_owned())));
    }

    #[test]
    fn a_server_that_answers_byte_by_byte_holds_up_no_call() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let drip = move || -> std::io::Result<()> {
            let (_never, pause) = crossbeam_channel::bounded::<()>(0);
            for said in ["HTTP/1.1 200 OK\r\nx: ", "HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n"] {
                let mut stream = listener.accept()?.0;
                stream.write_all(said.as_bytes())?;
                while stream.write_all(b"2").is_ok() {
                    let _ = pause.recv_timeout(Duration::from_millis(5));
                }
            }
            Ok(())
        };
        let server = std::thread::Builder::new().spawn(drip).unwrap();
        let call = || {
            let client = Client::within(Duration::from_secs(3)).unwrap();
            client.call(request("POST", &url, &[], Vec::new()).unwrap())
        };
        assert!(matches!(call(), Err(Outcome::Refused { retry: Retry::After(None), .. })));
        let answer = call().ok().unwrap();
        assert!(answer.status == 200 && answer.unread.is_some_and(|it| it.contains("timeout")));
        server.join().unwrap().unwrap();
    }

    #[test]
    fn a_span_is_seconds_or_a_date() {
        assert_eq!(span(" 120 "), Some(Duration::from_secs(120)));
        assert_eq!(span("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
        assert_eq!(span("Fri, 31 Dec 2100 23:59:59 GMT"), Some(LONGEST_WAIT));
        assert_eq!(span("18446744073709551615"), Some(LONGEST_WAIT));
        assert_eq!(span("soon"), None);
    }
}
