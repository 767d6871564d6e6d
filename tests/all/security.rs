//! What a page in a browser, a wrong key or a crafted body cannot do to a daemon on this machine.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

#[cfg(unix)]
use crate::support::binary::Binary;
use crate::support::{Daemon, PATIENCE};

/// What a request of these lines is told, on a connection of its own.
fn ask(daemon: &Daemon, lines: &[&str]) -> (u16, String) {
    let mut stream = TcpStream::connect(daemon.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "{}\r\nConnection: close\r\n\r\n", lines.join("\r\n")).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.unwrap_or_else(|| panic!("no status in {text:?}")), text)
}

/// Routes of every kind: open, read on the event loop, read in a thread, changing, and none at all.
const REQUESTS: [(&str, u16); 5] = [
    ("GET /_bulkd/health HTTP/1.1", 200),
    ("GET /profiles/ada HTTP/1.1", 200),
    ("GET /lists HTTP/1.1", 200),
    ("DELETE /profiles/ada HTTP/1.1", 204),
    ("GET /nowhere HTTP/1.1", 404),
];

const KEY: &str = "Authorization: Bearer acme";

#[test]
fn a_name_that_leads_here_from_elsewhere_is_refused() {
    let daemon = Daemon::start_with(|config| config.hosts = vec!["Bulkd.test".to_owned()]);
    for (line, expected) in REQUESTS {
        for host in [
            "",
            "localhost",
            "LOCALHOST.:4010",
            "acme.localhost:1",
            "127.0.0.1:4010",
            "127.8.9.1",
            "[::1]:4010",
            "192.168.0.7:80",
            "api.courier.com",
            "api.courier.com:443",
            "bulkd.TEST:4010",
        ] {
            let (status, text) = ask(&daemon, &[line, KEY, &format!("Host: {host}")]);
            assert_eq!(status, expected, "{line} {host}: {text}");
        }
        for host in [
            "evil.test",
            "evil.test:4010",
            "localhost.evil.test",
            "evil-localhost",
            "notbulkd.test",
            "127.0.0.1.evil.test",
            "127.0.0.1@evil.test",
            "[::1].evil.test",
            "[::1",
            "127.0.0.1:4010:x",
            "localhost evil.test",
        ] {
            let (status, text) = ask(&daemon, &[line, KEY, &format!("Host: {host}")]);
            assert_eq!(status, 421, "{line} {host}: {text}");
            assert!(text.contains("invalid_request_error") && text.contains("--allow-host"), "{text}");
        }
    }
    // HTTP/1.0 need not name a host, but one that it names counts.
    assert_eq!(ask(&daemon, &["GET /_bulkd/health HTTP/1.0"]).0, 200);
    assert_eq!(ask(&daemon, &["GET /_bulkd/health HTTP/1.0", "Host: localhost", "Host: evil.test"]).0, 421);
}

#[test]
fn a_page_of_another_site_is_refused() {
    let daemon = Daemon::start_with(|config| config.hosts = vec!["app.test".to_owned()]);
    for (line, expected) in REQUESTS {
        for origin in ["http://localhost:3000", "http://127.0.0.1:3000", "https://app.test", "http://[::1]:3000"] {
            let origin = format!("Origin: {origin}");
            let (status, text) = ask(&daemon, &[line, KEY, "Host: localhost", &origin, "Sec-Fetch-Site: cross-site"]);
            assert_eq!(status, expected, "{line} {origin}: {text}");
        }
        for header in [
            "Origin: https://evil.test",
            "Origin: http://localhost.evil.test:4010",
            "Origin: null",
            "Origin:",
            "Origin: https://",
            "Sec-Fetch-Site: cross-site",
        ] {
            let (status, text) = ask(&daemon, &[line, KEY, "Host: localhost", header]);
            assert_eq!(status, 403, "{line} {header}: {text}");
            assert!(text.contains("--api-key"), "{text}");
        }
        for site in ["same-origin", "same-site", "none"] {
            let (status, text) = ask(&daemon, &[line, KEY, "Host: localhost", &format!("Sec-Fetch-Site: {site}")]);
            assert_eq!(status, expected, "{line} {site}: {text}");
        }
    }
}

#[test]
fn where_keys_are_named_every_host_passes() {
    let daemon = Daemon::start_with(|config| config.api_keys = vec!["acme".to_owned()]);
    for (line, expected) in REQUESTS {
        let lines = [line, KEY, "Host: evil.test", "Origin: https://evil.test", "Sec-Fetch-Site: cross-site"];
        assert_eq!(ask(&daemon, &lines).0, expected, "{line}");
    }
}

#[test]
fn no_answer_is_kept_or_taken_for_a_page() {
    let daemon = Daemon::start();
    let malformed: &[&str] = &["GET"];
    let foreign: &[&str] = &["GET /lists HTTP/1.1", "Host: evil.test"];
    let requests = REQUESTS.map(|(line, _)| vec![line, KEY, "Host: localhost"]);
    for lines in requests.iter().map(Vec::as_slice).chain([malformed, foreign]) {
        let (_, text) = ask(&daemon, lines);
        for header in ["\r\nX-Content-Type-Options: nosniff\r\n", "\r\nCache-Control: no-store\r\n"] {
            assert_eq!(text.matches(header).count(), 1, "{text}");
        }
    }
}

#[cfg(unix)]
#[test]
fn the_address_that_is_printed_can_be_called() {
    for (listen, host) in [("0.0.0.0:0", "127.0.0.1"), ("[::]:0", "[::1]")] {
        if TcpListener::bind(listen).is_err() {
            println!("{listen} does not exist here");
            continue;
        }
        let daemon = Binary::start(&["--listen", listen, "--ephemeral", "--api-key", "acme"]);
        let line = daemon.first_line();
        assert!(line.starts_with(&format!("bulkd answers on http://{host}:")), "{line}");
        assert_eq!(daemon.customer("acme").get("/lists").status, 200);
        let ended = daemon.terminate();
        let all = listen.trim_end_matches('0');
        assert!(ended.stdout.contains(&format!("It listens on all interfaces ({all}")), "{ended:?}");
        assert!(ended.stdout.contains(&format!("COURIER_BASE_URL=http://{host}:")), "{ended:?}");
    }
}
