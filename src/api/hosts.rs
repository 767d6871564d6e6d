//! Which sites a request may come from. A web page can point a name of its own at this machine (DNS rebinding). Its
//! requests then look like those of any local program, except for the `Host` that they name.

use std::net::{IpAddr, Ipv6Addr};

use super::origins::Origins;
use crate::error::{Error, Kind, Result, shown};
use crate::http::{Method, Request};

/// Where SDKs send by default: people point this name at the daemon.
const COURIER: &str = "api.courier.com";

/// The hosts by which the daemon may be called.
pub struct Hosts {
    /// `None` lets all pass: a page of the web does not know the keys.
    named: Option<Vec<String>>,
}

impl Hosts {
    /// Those that are named, besides this machine's own.
    pub fn new(named: &[String]) -> Self {
        Hosts { named: Some(named.to_vec()) }
    }

    pub fn any() -> Self {
        Hosts { named: None }
    }

    /// Refuses a request that a page of another site may have sent, unless its origin is allowed. A request without
    /// `Host` and `Origin` is not a browser's.
    pub fn check(&self, request: &Request, allowed: &Origins) -> Result<()> {
        if self.named.is_none() {
            return Ok(());
        }
        if let Some(host) = request.raw_headers("host").find(|host| !self.passes(host)) {
            return Err(Error::new(
                Kind::Misdirected,
                format!(
                    "Host: '{}' is no name of this daemon; name it with --allow-host, or name the keys that are let in with \
                     --api-key",
                    shown(&String::from_utf8_lossy(host))
                ),
            ));
        }
        self.check_origin(request, allowed)
    }

    /// The part of the check that is about pages. It holds for our own routes even where a key is needed: some of them
    /// are open, and others change how the daemon answers.
    pub fn check_origin(&self, request: &Request, allowed: &Origins) -> Result<()> {
        let advice = match &self.named {
            Some(_) => {
                "allow it with --allow-origin, or its host with --allow-host, or name the keys that are let in with --api-key"
            }
            None => "allow it with --allow-origin",
        };
        let mut origins = request.raw_headers("origin").peekable();
        if origins.peek().is_none() {
            // When a page of another site reads or embeds something, the browser sends no origin.
            let is_foreign = |site: &[u8]| site.eq_ignore_ascii_case(b"cross-site");
            return match request.raw_headers("sec-fetch-site").any(is_foreign) && !is_visit(request) {
                true => Err(Error::new(
                    Kind::Forbidden,
                    match &self.named {
                        Some(_) => {
                            "Sec-Fetch-Site: a page of another site has sent this; such requests pass only where keys are named with --api-key"
                        }
                        None => "Sec-Fetch-Site: a page of another site has sent this",
                    },
                )),
                false => Ok(()),
            };
        }
        let hosts: Vec<&[u8]> = request.raw_headers("host").collect();
        match origins.find(|origin| !self.passes_origin(origin, &hosts) && !allowed.allow(origin)) {
            None => Ok(()),
            Some(origin) => Err(Error::new(
                Kind::Forbidden,
                format!("Origin: '{}' is another site; {advice}", shown(&String::from_utf8_lossy(origin))),
            )),
        }
    }

    /// Whether an origin is a page of ours, or of this machine. An address alone does not count: any page may be served
    /// from one.
    fn passes_origin(&self, origin: &[u8], hosts: &[&[u8]]) -> bool {
        let Some(at) = origin.windows(3).position(|part| part == b"://") else { return false };
        let host = &origin[at + 3..];
        let is_of_another_machine = |ip: IpAddr| !ip.to_canonical().is_loopback() && !hosts.contains(&host);
        !host.is_empty() && self.passes(host) && !address(host).is_some_and(is_of_another_machine)
    }

    /// Whether a host is one of ours, with any port. An address passes: only a name can be pointed elsewhere.
    fn passes(&self, host: &[u8]) -> bool {
        let Some((name, port)) = parts(host) else { return false };
        if !port.strip_prefix(':').unwrap_or(port).bytes().all(|byte| byte.is_ascii_digit()) {
            return false;
        }
        name.is_empty() && port.is_empty() || address(host).is_some() || self.passes_name(name)
    }

    fn passes_name(&self, name: &str) -> bool {
        let name = name.strip_suffix('.').unwrap_or(name);
        let is_local = |name: &str| name.eq_ignore_ascii_case("localhost");
        is_local(name)
            || name.rsplit_once('.').is_some_and(|(_, last)| is_local(last))
            || name.eq_ignore_ascii_case(COURIER)
            || self.named.iter().flatten().any(|known| name.eq_ignore_ascii_case(known))
    }
}

/// Whether a browser follows a link to the page, from any site: a colleague may have sent it. The page cannot be
/// embedded, and shows only what is its own.
fn is_visit(request: &Request) -> bool {
    let is = |name: &str, value: &str| request.header(name).is_some_and(|it| it.eq_ignore_ascii_case(value));
    *request.method() == Method::Get
        && request.path() == "/"
        && is("sec-fetch-mode", "navigate")
        && is("sec-fetch-dest", "document")
}

/// A host's name or address, and what follows it.
fn parts(host: &[u8]) -> Option<(&str, &str)> {
    let host = std::str::from_utf8(host.trim_ascii()).ok()?;
    Some(match host.rfind(']') {
        Some(end) => host.split_at(end + 1),
        None => host.split_at(host.find(':').unwrap_or(host.len())),
    })
}

/// The address that a host is.
fn address(host: &[u8]) -> Option<IpAddr> {
    let (name, _) = parts(host)?;
    match name.strip_prefix('[') {
        Some(ip) => ip.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => name.parse().ok(),
    }
}
