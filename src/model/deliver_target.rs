//! Where messages are delivered for real, as the flags give it.

use std::fmt;
use std::path::PathBuf;

use percent_encoding::percent_decode_str;
use ureq::http::Uri;

use super::channel::Channel;

/// The name for all channels.
const ALL: &str = "all";

/// The route of `--relay`, shared by the channels that have no target of their own. A channel of `--deliver` has a
/// route with its name.
pub const RELAY: &str = "relay";

/// The flag that a route comes from.
pub fn flag_of(route: &str) -> String {
    if route == RELAY { "--relay".to_owned() } else { format!("--deliver {route}") }
}

/// What takes the messages of a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Smtp(SmtpServer),
    /// The provider's own API, or a server that replaces it.
    Provider {
        base: Option<String>,
    },
    Webhook {
        url: String,
    },
    /// A file that gets a line for each message.
    File(PathBuf),
    Output,
}

/// An SMTP server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmtpServer {
    pub security: Security,
    pub user: Option<String>,
    pub host: String,
    pub port: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    None,
    /// Begins without TLS, and continues with TLS or not at all.
    StartTls,
    Tls,
}

impl Security {
    const SCHEMES: [(&'static str, Security, u16); 3] =
        [("smtp", Security::None, 25), ("smtp+starttls", Security::StartTls, 587), ("smtps", Security::Tls, 465)];

    fn scheme(self) -> &'static str {
        Self::SCHEMES.iter().find(|(_, known, _)| *known == self).map_or("smtp", |(scheme, ..)| scheme)
    }
}

impl Target {
    /// Reads the part behind `CHANNEL=`. The error says what was expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        const EXPECTED: &str = "expected smtp://[USER@]HOST[:PORT], smtps://..., smtp+starttls://..., provider, \
                                http://... or https://..., file:PATH or - as the target";
        let scheme = text.split_once("://").map(|(scheme, rest)| (scheme.to_ascii_lowercase(), rest));
        match (text, &scheme) {
            ("-", _) => return Ok(Target::Output),
            ("provider", _) => return Ok(Target::Provider { base: None }),
            _ => {}
        }
        if let Some(base) = text.strip_prefix("provider@") {
            let base = base.trim_end_matches('/');
            let uri = uri(base).filter(|uri| matches!(uri.path(), "" | "/") && uri.query().is_none());
            return match uri {
                Some(_) => Ok(Target::Provider { base: Some(base.to_owned()) }),
                None => Err("expected provider@ with a URL without a path behind it, such as \
                             provider@http://127.0.0.1:8080"
                    .to_owned()),
            };
        }
        if let Some(path) = text.strip_prefix("file:") {
            return match path {
                "" => Err("expected file: with the name of a file behind it, such as file:messages.jsonl".to_owned()),
                path => Ok(Target::File(path.into())),
            };
        }
        match scheme {
            Some((scheme, _)) if scheme == "http" || scheme == "https" => match uri(text) {
                Some(_) => Ok(Target::Webhook { url: text.to_owned() }),
                None => Err("expected an absolute URL such as http://127.0.0.1:3000/messages".to_owned()),
            },
            Some((scheme, rest)) => {
                let known = Security::SCHEMES.iter().find(|(known, ..)| *known == scheme);
                let (_, security, port) = known.ok_or(EXPECTED)?;
                SmtpServer::parse(*security, *port, rest).map(Target::Smtp)
            }
            None => Err(EXPECTED.to_owned()),
        }
    }

    /// Whether TLS is required.
    pub fn needs_tls(&self) -> bool {
        let is_https = |url: &str| url.get(..8).is_some_and(|it| it.eq_ignore_ascii_case("https://"));
        match self {
            Target::Smtp(server) => server.security != Security::None,
            Target::Provider { base } => base.as_deref().is_none_or(is_https),
            Target::Webhook { url } => is_https(url),
            Target::File(_) | Target::Output => false,
        }
    }
}

/// An absolute URL with a host.
fn uri(text: &str) -> Option<Uri> {
    let uri: Uri = text.parse().ok()?;
    let authority = uri.authority()?;
    let port = authority.as_str().rsplit_once('@').map_or(authority.as_str(), |(_, host)| host);
    let port = port.get(authority.host().len()..).unwrap_or_default();
    let is_port = port.strip_prefix(':').map_or(port.is_empty(), |port| port.parse::<u16>().is_ok_and(|it| it > 0));
    (matches!(uri.scheme_str(), Some("http" | "https")) && !authority.host().is_empty() && is_port).then_some(uri)
}

impl SmtpServer {
    fn parse(security: Security, port: u16, text: &str) -> Result<Self, String> {
        let scheme = security.scheme();
        let expected = || format!("expected {scheme}://[USER@]HOST[:PORT], such as {scheme}://127.0.0.1:{port}");
        let text = text.strip_suffix('/').unwrap_or(text);
        let (user, server) = match text.rsplit_once('@') {
            Some((user, server)) => (Some(user), server),
            None => (None, text),
        };
        if user.is_some_and(|user| user.contains(':')) {
            return Err("expected the password in the variable BULKD_SMTP_PASSWORD, and the user alone here".to_owned());
        }
        let user = match user.map(|user| percent_decode_str(user).decode_utf8()) {
            None => None,
            Some(Ok(user)) if !user.is_empty() && !user.contains(char::is_control) => Some(user.into_owned()),
            Some(_) => return Err(expected()),
        };
        // An IPv6 address has colons of its own, and stands in brackets.
        let (host, given) = match server.rsplit_once(':') {
            Some((host, given)) if !given.contains(']') => (host, Some(given)),
            _ => (server, None),
        };
        let port = match given.map(str::parse::<u16>) {
            None => port,
            Some(Ok(port)) if port > 0 => port,
            Some(_) => return Err(format!("{}, with a port from 1 to 65535 or none", expected())),
        };
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let is_part = |c: char| c.is_ascii_alphanumeric() || ".-_:".contains(c);
        if bare.is_empty() || !bare.chars().all(is_part) || (bare == host && host.contains(':')) {
            return Err(expected());
        }
        Ok(SmtpServer { security, user, host: bare.to_owned(), port })
    }
}

/// Without parts that may be secret.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Smtp(SmtpServer { security, host, port, .. }) => match host.contains(':') {
                true => write!(f, "{}://[{host}]:{port}", security.scheme()),
                false => write!(f, "{}://{host}:{port}", security.scheme()),
            },
            Target::Provider { base: None } => f.write_str("provider"),
            Target::Provider { base: Some(base) } => write!(f, "provider@{}", without_secrets(base)),
            Target::Webhook { url } => f.write_str(&without_secrets(url)),
            Target::File(path) => write!(f, "file:{}", path.display()),
            Target::Output => f.write_str("-"),
        }
    }
}

/// A URL without user, password and query.
fn without_secrets(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}

/// Channels by the name of one, or by the name for all.
fn channels(name: &str) -> Result<Vec<Channel>, String> {
    if name == ALL {
        return Ok(Channel::NAMES.iter().map(|(_, channel)| *channel).collect());
    }
    let known = Channel::from_name(name).map(|channel| vec![channel]);
    known.ok_or_else(|| {
        let names: Vec<&str> = Channel::NAMES.iter().map(|(name, _)| *name).collect();
        format!("expected {} or {ALL} before the '='", names.join(", "))
    })
}

/// `CHANNEL=TARGET`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliverTo {
    pub channels: Vec<Channel>,
    pub target: Target,
}

impl DeliverTo {
    pub fn parse(text: &str) -> Result<Self, String> {
        let (name, target) =
            text.split_once('=').ok_or("expected CHANNEL=TARGET, such as email=smtp://127.0.0.1:1025")?;
        let (channels, target) = (channels(name)?, Target::parse(target)?);
        if matches!(target, Target::Smtp(_)) && channels != [Channel::Email] {
            return Err(format!("expected email before an SMTP server, which takes nothing else; found '{name}'"));
        }
        Ok(DeliverTo { channels, target })
    }
}

/// `CHANNEL=N`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliverRate {
    pub channels: Vec<Channel>,
    pub per_second: u32,
}

/// Beyond this a rate has no effect.
pub const HIGHEST_RATE: u32 = 10_000;

impl DeliverRate {
    pub fn parse(text: &str) -> Result<Self, String> {
        let (name, rate) = text.split_once('=').ok_or("expected CHANNEL=N, such as email=50")?;
        let per_second = rate.parse().ok().filter(|rate| (1..=HIGHEST_RATE).contains(rate));
        let per_second =
            per_second.ok_or_else(|| format!("expected a whole number from 1 to {HIGHEST_RATE} behind the '='"))?;
        Ok(DeliverRate { channels: channels(name)?, per_second })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_read_and_shown_without_its_secrets() {
        let shown = |text: &str| Target::parse(text).map(|it| it.to_string());
        for (text, expected) in [
            ("-", "-"),
            ("provider", "provider"),
            ("provider@http://127.0.0.1:8080/", "provider@http://127.0.0.1:8080"),
            ("file:a b.jsonl", "file:a b.jsonl"),
            ("smtp://127.0.0.1", "smtp://127.0.0.1:25"),
            ("SMTP://mail.test:1025/", "smtp://mail.test:1025"),
            ("smtps://ada%40example.com@mail.test", "smtps://mail.test:465"),
            ("smtp+starttls://ada@example.com@mail.test", "smtp+starttls://mail.test:587"),
            ("smtp://[::1]:1025", "smtp://[::1]:1025"),
            ("http://user:secret@a.test:3000/x?token=secret", "http://a.test:3000/x"),
            ("https://a.test", "https://a.test"),
        ] {
            assert_eq!(shown(text).as_deref(), Ok(expected), "{text}");
        }
        let Ok(Target::Smtp(server)) = Target::parse("smtps://ada%40example.com@mail.test") else { panic!() };
        assert_eq!(server.user.as_deref(), Some("ada@example.com"));
        for text in [
            "",
            "x",
            "smtp:",
            "smtp://",
            "smtp://:25",
            "smtp://a:0",
            "smtp://a:x",
            "smtp://a:70000",
            "smtp://::1",
            "smtp://@a",
            "smtp://u:p@a",
            "smtp://a b",
            "ftp://a",
            "http://",
            "http://:80",
            "http://a:0",
            "file:",
            "provider@",
            "provider@x",
            "provider@http://a/b",
            "provider@http://a?b",
            "smtp://%ff@a",
            "é://a",
            "http://a b",
        ] {
            assert!(Target::parse(text).is_err_and(|error| error.starts_with("expected ")), "{text}");
        }
        let tls = ["smtps://a", "smtp+starttls://a", "provider", "provider@https://a", "HTTPS://a"];
        assert!(tls.iter().all(|text| Target::parse(text).unwrap().needs_tls()));
        let plain = ["-", "file:a", "smtp://a", "provider@http://a", "http://a"];
        assert!(!plain.iter().any(|text| Target::parse(text).unwrap().needs_tls()));
    }

    #[test]
    fn a_flag_names_a_channel_or_all() {
        assert_eq!(DeliverTo::parse("all=-").unwrap().channels.len(), Channel::NAMES.len());
        assert_eq!(DeliverTo::parse("sms=file:a=b").unwrap().target, Target::File("a=b".into()));
        assert_eq!(DeliverRate::parse("email=50").unwrap().per_second, 50);
        for text in ["email", "mail=-", "=-", "email=", "all=smtp://a", "sms=smtp://a"] {
            assert!(DeliverTo::parse(text).is_err(), "{text}");
        }
        for text in ["email", "email=", "email=0", "email=-1", "email=1.5", "email=10001", "mail=5"] {
            assert!(DeliverRate::parse(text).is_err(), "{text}");
        }
    }
}
