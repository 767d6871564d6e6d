//! Webhooks: the URL that events are posted to, and the status of events.

use super::names;

names! {
    /// The status of an event. A delivered event is deleted.
    EventStatus {
        /// Is yet to be delivered.
        Pending = "PENDING",
        /// Was given up.
        Failed = "FAILED",
    }
}

/// A place to post events to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// An absolute `http` URL.
    pub url: String,
    /// Events are signed with it; without one they are not signed.
    pub secret: Option<String>,
}

/// Longer URLs and secrets are refused.
pub const LONGEST_BYTES: usize = 2_000;

impl Destination {
    /// Checks what can be checked without resolving names. The error names the field and what was expected.
    pub fn new(url: &str, secret: Option<&str>) -> Result<Self, (&'static str, String)> {
        const EXPECTED: &str = "expected an absolute URL such as http://127.0.0.1:3000/events";
        let refused = |why: &str| Err(("url", format!("{EXPECTED}{why}")));
        if url.len() > LONGEST_BYTES {
            return refused(", of at most 2000 bytes");
        }
        if url.get(..8).is_some_and(|it| it.eq_ignore_ascii_case("https://")) {
            return refused("; https is not spoken here");
        }
        if url.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return refused(", without blanks and control characters");
        }
        let uri = url.parse::<ureq::http::Uri>().ok().filter(|uri| uri.scheme_str() == Some("http"));
        let Some(authority) = uri.as_ref().and_then(|uri| uri.authority()) else { return refused("") };
        if authority.as_str().contains('@') {
            return refused(", without a user or a password");
        }
        if authority.host().is_empty() {
            return refused("");
        }
        if !is_port(&authority.as_str()[authority.host().len()..]) {
            return refused(", with a port from 1 to 65535 or none");
        }
        match secret {
            Some("") => Err(("secret", "expected one that is not empty, or none".to_owned())),
            Some(secret) if secret.len() > LONGEST_BYTES => Err(("secret", "expected at most 2000 bytes".to_owned())),
            secret => Ok(Destination { url: url.to_owned(), secret: secret.map(str::to_owned) }),
        }
    }

    /// `URL` or `URL,secret=...`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (url, secret) = match text.split_once(",secret=") {
            Some((url, secret)) => (url, Some(secret)),
            None => (text, None),
        };
        let misspelt =
            url.rsplit_once(',').is_some_and(|(_, last)| last.contains('=') && !last.contains(['/', '?', '&']));
        if misspelt && secret.is_none() && !url.contains('?') {
            return Err("expected URL or URL,secret=...".to_owned());
        }
        Destination::new(url, secret).map_err(|(_, expected)| expected)
    }

    /// Whether it is on this machine, as far as the URL shows.
    pub fn is_loopback(&self) -> bool {
        let uri: Option<ureq::http::Uri> = self.url.parse().ok();
        let host = uri.as_ref().and_then(|uri| uri.host()).unwrap_or_default();
        host.eq_ignore_ascii_case("localhost") || self.ip().is_some_and(|ip| ip.to_canonical().is_loopback())
    }

    /// The host, if it is an address and not a name.
    pub fn ip(&self) -> Option<std::net::IpAddr> {
        let uri: ureq::http::Uri = self.url.parse().ok()?;
        uri.host()?.trim_start_matches('[').trim_end_matches(']').parse().ok()
    }
}

/// What follows the host: nothing, or a port behind a colon. The parser accepts any number there, and then reports no
/// port.
fn is_port(text: &str) -> bool {
    let Some(port) = text.strip_prefix(':') else { return text.is_empty() };
    port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_is_an_absolute_http_url_and_maybe_a_secret() {
        let destination = |url: &str, secret: Option<&str>| {
            Ok(Destination { url: url.to_owned(), secret: secret.map(str::to_owned) })
        };
        assert_eq!(Destination::parse("http://a.test/x?y=1,2"), destination("http://a.test/x?y=1,2", None));
        assert_eq!(Destination::parse("http://[::1]:9,secret=a,b"), destination("http://[::1]:9", Some("a,b")));
        assert_eq!(Destination::parse("http://[::1]:9").unwrap().ip(), Some("::1".parse().unwrap()));
        let refused = [
            "",
            "x",
            "/x",
            "a.test",
            "ftp://a.test",
            "https://a.test",
            "http://",
            "http:///x",
            "http://u:p@a.test",
            "http://a b",
            "http://a.test,secret=",
            "HTTPS://é",
            " http://a.test",
            "http://a.test ",
            "http://a.test/\tx",
            "http://a.test/\r\nx",
            "http://a.test/a\u{a0}b",
            "http://:80/",
            "http://a.test:/",
            "http://a.test:0",
            "http://a.test:+80",
            "http://a.test:65536",
            "http://a.test:99999/x",
            "http://[::1]:99999",
            "http://[::1",
            "http://a.test@evil.test",
        ];
        for text in refused {
            assert!(Destination::parse(text).is_err(), "{text}");
        }
    }
}
