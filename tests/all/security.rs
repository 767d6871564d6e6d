//! What a page in a browser, a wrong key or a crafted body cannot do to a daemon on this machine.

use bulkd::app::App;
use bulkd::config::Config;
use std::io::{Read, Write};
use std::time::Duration;

use std::net::{SocketAddr, TcpListener, TcpStream};

#[cfg(unix)]
use crate::support::binary::{Binary, bulkd};
use crate::support::{Daemon, PATIENCE, json, newsletter, wait_until};

/// What a request of these lines is told, on a connection of its own.
fn ask(daemon: &Daemon, lines: &[&str]) -> (u16, String) {
    ask_at(daemon.address(), lines)
}

fn ask_at(address: SocketAddr, lines: &[&str]) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
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
            "Origin: http://203.0.113.5",
            "Origin: http://[2001:db8::1]:4010",
            "Origin: null",
            "Origin:",
            "Origin: https://",
            "Sec-Fetch-Site: cross-site",
        ] {
            let (status, text) = ask(&daemon, &[line, KEY, "Host: localhost", header]);
            assert_eq!(status, 403, "{line} {header}: {text}");
            assert!(text.contains("--api-key"), "{text}");
        }
        // One that was called by its address has pages of its own there.
        let own = "Host: 203.0.113.5:4010";
        assert_eq!(ask(&daemon, &[line, KEY, own, "Origin: http://203.0.113.5:4010"]).0, expected, "{line}");
        assert_eq!(ask(&daemon, &[line, KEY, own, "Origin: http://203.0.113.5:80"]).0, 403, "{line}");
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
        // Our own routes are for pages of this machine, and for those that are allowed.
        let expected = if line.contains("/_bulkd/") { 403 } else { expected };
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

fn nested(levels: usize) -> String {
    format!("{}{}", "[".repeat(levels), "]".repeat(levels))
}

#[test]
fn a_body_is_taken_only_if_it_can_be_read_again() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let job_id = customer.create(newsletter());
    // Body, users, user, data.
    let user = |place: usize, value: &str| match place {
        0 => format!("{{\"users\":[{{\"recipient\":\"a\",\"data\":{{\"x\":{value}}}}}]}}"),
        1 => format!("{{\"users\":[{{\"recipient\":\"b\",\"unknown\":{{\"x\":{value}}}}}]}}"),
        _ => format!("{{\"users\":[{{\"recipient\":\"c\",\"profile\":{{\"x\":{value}}}}}]}}"),
    };
    let path = format!("/bulk/{job_id}");
    for place in 0..3 {
        assert_eq!(customer.post_text(&path, &user(place, &nested(124))).ok(200)["total"], 1);
        for (value, told) in [
            (nested(125), "the body: expected at most 128 levels"),
            (nested(100_000), "the body: expected at most 128 levels"),
        ] {
            let refused = customer.post_text(&path, &user(place, &value)).refused(400);
            assert!(refused.starts_with(told), "{refused}");
        }
    }
    // What nothing here reads is kept as it was sent.
    let kept = "[1e999,\"\\udc00\"]";
    for place in 0..2 {
        let body = user(place, kept).replace("recipient\":\"", "recipient\":\"again-");
        assert_eq!(customer.post_text(&path, &body).ok(200)["total"], 1);
    }
    assert_eq!(customer.run_to_the_end(&job_id)["received"], 5);
    assert_eq!(customer.get(&format!("{path}/users")).text.matches(kept).count(), 2);
    assert!(customer.get(&format!("{path}/users")).text.contains(&nested(124)));

    // What is read as a whole, and what is stored and read again.
    let profile = |levels: usize| format!("{{\"profile\":{{\"x\":{}}}}}", nested(levels));
    assert_eq!(customer.post_text("/profiles/ada", &profile(126)).status, 200);
    assert!(
        customer.post_text("/profiles/ada", &profile(127)).refused(400).starts_with("the body: expected at most 128")
    );
    assert_eq!(customer.post_text("/profiles/ada", "{\"profile\":{\"y\":1}}").status, 200);
    assert!(customer.get("/profiles/ada").text.contains(&nested(126)));
    let patch = "{\"patch\":[{\"op\":\"add\",\"path\":\"/z\",\"value\":2}]}";
    assert_eq!(customer.send("PATCH", "/profiles/ada", Some(patch)).status, 204);

    let refused = customer.post_text("/bulk", "\u{feff}{\"message\":{\"event\":\"e\"}}").refused(400);
    assert_eq!(refused, "the body: expected JSON without a byte order mark");
}

#[test]
fn a_seed_is_taken_by_the_same_rule() {
    let folder = tempfile::tempdir().unwrap();
    for (text, told) in [
        (format!("{{\"profiles\":{{\"ada\":{{\"x\":{}}}}}}}", nested(126)), "expected at most 128 levels"),
        ("\u{feff}{}".to_owned(), "expected JSON without a byte order mark"),
    ] {
        let file = folder.path().join("seed.json");
        std::fs::write(&file, text).unwrap();
        let config = Config { seed: Some(file), ..Config::ephemeral() };
        let refused = App::start(config).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(refused.contains(told) && refused.contains("seed.json: "), "{refused}");
    }
}

#[test]
fn a_path_that_is_no_utf_8_names_nobody() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    for (path, name) in [
        ("/profiles/%ff", "user_id"),
        ("/profiles/a%c3", "user_id"),
        ("/users/%fe/preferences/t", "user_id"),
        ("/users/ada/preferences/%ED%A0%80", "topic_id"),
        ("/users/%ff/preferences/%ff", "user_id"),
        ("/bulk/%c0%80/users", "job_id"),
    ] {
        let refused = customer.get(path).refused(400);
        assert_eq!(
            refused,
            format!("{name}: expected UTF-8 in percent-encoding, with '%25' for a percent sign"),
            "{path}"
        );
    }
    for path in ["/profiles/100%", "/profiles/a%2", "/profiles/%zz", "/profiles/%2%35"] {
        assert_eq!(ask(&daemon, &[&format!("GET {path} HTTP/1.1"), KEY, "Host: localhost"]).0, 400, "{path}");
    }
    assert_eq!(customer.get("/profiles/caf%C3%A9").status, 200);
    customer.get("/nowhere/%ff").refused(404);
}

#[cfg(unix)]
#[test]
fn wrong_keys_are_told_in_the_log_and_do_not_stand_there() {
    let daemon = Binary::start(&["--listen", ":0", "--ephemeral", "--api-key", "acme", "--log", "warn"]);
    for _ in 0..3 {
        daemon.customer("guess-1").get("/lists").refused(401);
        daemon.customer("guess-2").get("/profiles/ada").refused(401);
        daemon.customer("acme").without_key().get("/lists").refused(401);
    }
    daemon.logs("requests are refused with 401: there is no such key");
    daemon.logs("requests are refused with 401: no 'Authorization: Bearer' with a key");
    let log = daemon.terminate().stderr;
    assert_eq!((log.matches("401").count(), log.contains("guess")), (2, false), "{log}");
}

#[test]
fn a_query_that_cannot_be_read_is_refused_by_the_parameters_name() {
    let daemon = Daemon::start();
    let get = |path: &str| ask(&daemon, &[&format!("GET {path} HTTP/1.1"), KEY, "Host: localhost"]);
    for (path, name) in [
        ("/messages?recipient=%ff", "recipient"),
        ("/messages?cursor=&tag=a&tag=%C3", "tag"),
        ("/messages?tags%5B%5D=%zz", "tags"),
        ("/messages?recipient=100%", "recipient"),
        ("/messages?recipient=%2", "recipient"),
        ("/_bulkd/outbox?job_id=%ED%A0%80", "job_id"),
        // One that is answered in a thread that waits for other connections, too.
        ("/users/ada/preferences?tenant_id=%ff", "tenant_id"),
    ] {
        let (status, text) = get(path);
        assert_eq!(status, 400, "{path}: {text}");
        assert!(text.contains(&format!("\"{name}: expected UTF-8 in percent-encoding")), "{path}: {text}");
    }
    for path in
        ["/messages?recipient=caf%C3%A9+x&tag=100%25", "/messages?unknown=%ff", "/messages?%ff=x", "/messages?%ff"]
    {
        assert_eq!(get(path).0, 200, "{path}");
    }
}

#[test]
fn a_header_that_is_no_text_is_not_taken_for_none() {
    let daemon = Daemon::start();
    for (name, rest) in [
        ("Content-Encoding", "Content-Encoding: \u{e9}"),
        ("x-idempotency-expiration", "Idempotency-Key: k\r\nX-Idempotency-Expiration: 2 days\u{e9}"),
    ] {
        let mut stream = TcpStream::connect(daemon.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let body = json!({ "message": newsletter() }).to_string();
        let head = format!("POST /bulk HTTP/1.1\r\nHost: localhost\r\n{KEY}\r\nConnection: close\r\n{rest}\r\n");
        // As Latin-1, which is no UTF-8.
        let mut bytes: Vec<u8> = head.chars().map(|it| it as u8).collect();
        bytes.extend(format!("Content-Length: {}\r\n\r\n{body}", body.len()).bytes());
        stream.write_all(&bytes).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains(&format!("{name}: expected UTF-8")), "{answer}");
    }
}

/// A connection on which a request with this key was sent.
fn knock(daemon: &Daemon, key: &str) -> TcpStream {
    let mut stream = TcpStream::connect(daemon.address()).unwrap();
    write!(stream, "GET /lists HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n\r\n").unwrap();
    stream.set_nonblocking(true).unwrap();
    stream
}

/// Whether an answer has come, which has to be a 401.
fn is_refused(stream: &TcpStream) -> bool {
    let mut beginning = [0; 13];
    match stream.peek(&mut beginning) {
        Ok(13) => {
            assert_eq!(&beginning, b"HTTP/1.1 401 ");
            true
        }
        Ok(0) => panic!("the connection was closed"),
        _ => false,
    }
}

#[test]
fn wrong_keys_are_answered_late_and_right_ones_at_once() {
    let daemon = Daemon::start_with(|config| config.api_keys = vec!["acme".to_owned()]);
    for _ in 0..5 {
        daemon.customer("guess").get("/lists").refused(401);
        daemon.customer("acme").without_key().post("/bulk", &json!({})).refused(401);
    }
    let late: Vec<TcpStream> = (0..3).map(|_| knock(&daemon, "guess")).collect();
    for _ in 0..20 {
        daemon.customer("acme").get("/lists").ok(200);
        daemon.customer("acme").create(newsletter());
    }
    assert!(!late.iter().any(is_refused));
    for stream in &late {
        wait_until("it is refused once the time has come", || {
            daemon.clock.advance(Duration::from_millis(100));
            is_refused(stream)
        });
    }
    // The connection goes on.
    let mut stream = &late[0];
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET /lists HTTP/1.1\r\nHost: localhost\r\n{KEY}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answers = String::new();
    stream.read_to_string(&mut answers).unwrap();
    assert!(answers.contains("\r\n\r\n{\"") && answers.contains("HTTP/1.1 200 "), "{answers}");
    // After a quiet minute, they are answered at once.
    daemon.clock.advance(Duration::from_secs(60));
    for _ in 0..10 {
        daemon.customer("guess").get("/lists").refused(401);
    }
}

/// The beginning of an answer that has come.
fn beginning(stream: &TcpStream) -> Option<String> {
    let mut beginning = [0; 13];
    matches!(stream.peek(&mut beginning), Ok(13)).then(|| String::from_utf8_lossy(&beginning).into_owned())
}

#[test]
fn late_answers_come_one_after_the_other_are_bounded_and_end_with_the_daemon() {
    let mut daemon = Daemon::start_with(|config| config.api_keys = vec!["acme".to_owned()]);
    for _ in 0..10 {
        daemon.customer("guess").get("/lists").refused(401);
    }
    let mut streams: Vec<TcpStream> = (0..134).map(|_| knock(&daemon, "guess")).collect();
    let answered = |streams: &[TcpStream]| streams.iter().filter(|stream| beginning(stream).is_some()).count();
    wait_until("what does not fit is answered", || answered(&streams) == 6);
    daemon.customer("acme").get("/lists").ok(200);
    assert_eq!(answered(&streams), 6);
    for mut stream in streams.extract_if(.., |stream| beginning(stream).is_some()) {
        stream.set_nonblocking(false).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        assert!(text.starts_with("HTTP/1.1 429 ") && text.contains("too many wrong API keys"), "{text}");
        assert!(text.contains("\r\nRetry-After: 1\r\n") && text.contains("\r\nConnection: close\r\n"), "{text}");
    }
    // More connections are not answered faster: fifty in a second.
    for count in [10, 60] {
        daemon.clock.advance(Duration::from_secs(1));
        wait_until("so many of them are answered", || streams.iter().filter(|it| is_refused(it)).count() >= count);
        daemon.customer("acme").get("/lists").ok(200);
        assert_eq!(answered(&streams), count);
    }
    daemon.stop();
    let told = streams.into_iter().map(|mut stream| {
        stream.set_nonblocking(false).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    });
    // What is held back is given at the stop.
    let told: Vec<bool> = told.map(|text| text.starts_with("HTTP/1.1 401 ")).collect();
    assert_eq!(told.iter().filter(|refused| **refused).count(), 128);
}

#[cfg(unix)]
#[test]
fn a_host_that_is_allowed_is_served() {
    for (args, variable) in [(&["--allow-host", "bulkd.test"][..], ""), (&[], "other.test,bulkd.test")] {
        let mut command = bulkd(&[&["--listen", ":0", "--ephemeral"], args].concat());
        if !variable.is_empty() {
            command.env("BULKD_ALLOW_HOST", variable);
        }
        let daemon = Binary::start_by(&mut command);
        let (address, line) = (daemon.address(), "GET /lists HTTP/1.1");
        assert_eq!(ask_at(address, &[line, KEY, "Host: bulkd.test:4010"]).0, 200);
        assert_eq!(ask_at(address, &[line, KEY, "Host: bulkd.test", "Origin: https://bulkd.test"]).0, 200);
        let (status, text) = ask_at(address, &[line, KEY, "Host: evil.test"]);
        assert!(status == 421 && text.contains("--allow-host"), "{text}");
    }
}

/// Names that would end a line, colour the terminal or turn the text around, and long ones.
#[cfg(unix)]
#[test]
fn text_of_others_is_escaped_and_cut_in_the_log_and_in_errors() {
    let daemon = Binary::start(&["--listen", ":0", "--ephemeral", "--log", "debug"]);
    let customer = daemon.customer("acme");
    let (long, forged) = ("y".repeat(100_000), "x\n[2026-01-01T00:00:00Z ERROR] \u{1b}[31m\u{202e}");
    let content = json!({ "title": "T", "body": "{{log name}}{{log long}}", "brand_id": forged });
    let (data, brand) = (json!({ "name": forged, "long": long }), json!(format!("{forged}{long}")));
    let to = json!({ "email": "ada@example.com" });
    customer.post("/send", &json!({ "message": { "to": to, "content": content, "data": data, "brand_id": brand } }));
    customer
        .post("/send", &json!({ "message": { "to": { "list_id": format!("{forged}{long}") }, "content": content } }));
    let refused = customer.get(&format!("/nowhere/{}", "y".repeat(10_000)));
    assert!(refused.status == 404 && refused.text.len() < 300, "{refused:?}");
    let refused = customer.get(&format!("/bulk/{}%0A%1b", "y".repeat(40)));
    assert!(refused.status == 404 && refused.text.contains("y\\\\n\\\\u{1b}"), "{refused:?}");
    daemon.logs("a text logs");
    let log = daemon.terminate().stderr;
    assert!(!log.contains(['\u{1b}', '\u{202e}']) && log.lines().all(|line| line.len() < 2_000), "{log:.3000}");
    assert!(!log.lines().any(|line| line.starts_with("[2026-01-01")), "{log:.3000}");
}
