//! What happens in an environment, as it happens: streams of server-sent events.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;

use crate::support::{Daemon, PATIENCE, json, newsletter, readers, wait_until};

/// A reader of events.
struct Listener(BufReader<TcpStream>);

struct Event {
    kind: String,
    id: String,
    data: Value,
}

impl Listener {
    #[track_caller]
    fn start(address: SocketAddr, key: &str, after: Option<&str>) -> Self {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let after = after.map(|id| format!("Last-Event-ID: {id}\r\n")).unwrap_or_default();
        // HTTP/1.0 has no chunks.
        write!(stream, "GET /_bulkd/events HTTP/1.0\r\nAuthorization: Bearer {key}\r\n{after}\r\n").unwrap();
        let mut listener = Listener(BufReader::new(stream));
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(listener.0.read_line(&mut head).unwrap() > 0, "{head}");
        }
        assert!(head.contains(" 200 ") && head.contains("Content-Type: text/event-stream\r\n"), "{head}");
        listener
    }

    #[track_caller]
    fn next(&mut self) -> Event {
        let mut event = Event { kind: String::new(), id: String::new(), data: Value::Null };
        loop {
            let mut line = String::new();
            assert!(self.0.read_line(&mut line).unwrap() > 0, "the stream has ended");
            match line.trim_end().split_once(": ") {
                Some(("event", kind)) => event.kind = kind.to_owned(),
                Some(("id", id)) => event.id = id.to_owned(),
                Some(("data", data)) => event.data = serde_json::from_str(data).unwrap(),
                _ if line == "\n" && !event.kind.is_empty() => return event,
                _ => {}
            }
        }
    }

    /// The next event of this kind.
    #[track_caller]
    fn next_of(&mut self, kind: &str) -> Event {
        loop {
            let event = self.next();
            if event.kind == kind {
                return event;
            }
        }
    }
}

#[test]
fn a_job_its_messages_and_its_requests_are_told() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let mut listener = Listener::start(daemon.address(), "acme", None);
    assert_eq!(listener.next().kind, "ready");
    let mut other = Listener::start(daemon.address(), "other", None);
    assert_eq!(other.next().kind, "ready");
    let job_id = customer.create(newsletter());
    customer.ingest(&job_id, readers(0, 40));
    customer.run_to_the_end(&job_id);
    let (mut messages, mut paths, mut status) = (0, Vec::new(), String::new());
    while messages < 40 || status != "COMPLETED" || !paths.contains(&format!("/bulk/{job_id}/run")) {
        let event = listener.next();
        match event.kind.as_str() {
            "message" => {
                messages += event.data["count"].as_u64().unwrap();
                assert!(!event.data["newest"].as_array().unwrap().is_empty());
            }
            "job" => {
                let job = event.data["jobs"].as_array().unwrap().last().unwrap().clone();
                assert_eq!(job["job_id"], job_id);
                status = job["status"].as_str().unwrap().to_owned();
            }
            "request" => {
                let requests = event.data["requests"].as_array().unwrap();
                paths.extend(requests.iter().map(|it| it["path"].as_str().unwrap().to_owned()));
            }
            "doctor" => {}
            kind => panic!("{kind}: {}", event.data),
        }
    }
    assert_eq!(messages, 40);
    // The other environment has heard nothing of it.
    daemon.customer("other").get("/lists").ok(200);
    let heard = other.next();
    assert_eq!((heard.kind.as_str(), &heard.data["requests"][0]["path"]), ("request", &json!("/lists")));
}

#[test]
fn a_reader_that_comes_back_is_told_what_it_has_missed() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let mut listener = Listener::start(daemon.address(), "acme", None);
    let ready = listener.next();
    customer.get("/lists").ok(200);
    let first = listener.next_of("request");
    drop(listener);
    customer.get("/brands").ok(200);
    customer.create(newsletter());
    let mut listener = Listener::start(daemon.address(), "acme", Some(&first.id));
    let (mut paths, mut status) = (Vec::new(), Value::Null);
    while paths != ["/brands", "/bulk"] || status != "CREATED" {
        let event = listener.next();
        match event.kind.as_str() {
            "job" => status = event.data["jobs"][0]["status"].clone(),
            "request" => paths.extend(event.data["requests"].as_array().unwrap().iter().map(|it| it["path"].clone())),
            _ => {}
        }
    }
    // From the very beginning as well.
    let mut again = Listener::start(daemon.address(), "acme", Some(&ready.id));
    assert_eq!(again.next().id, first.id);
    // What is not known is said not to be.
    for unknown in ["0-1", "nonsense", &first.id.replace('-', "-9")] {
        let mut listener = Listener::start(daemon.address(), "acme", Some(unknown));
        assert_eq!(listener.next().kind, "resync", "{unknown}");
    }
}

#[test]
fn a_hundred_streams_beside_a_drain_are_all_told_of_its_end() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let mut listeners: Vec<Listener> = (0..100).map(|_| Listener::start(daemon.address(), "acme", None)).collect();
    // One that reads nothing holds up no other.
    let _silent = Listener::start(daemon.address(), "acme", None);
    let streams = || {
        let metrics = customer.get("/_bulkd/metrics").text;
        let line = metrics.lines().find_map(|line| line.strip_prefix("bulkd_event_streams ")).map(str::to_owned);
        line.unwrap()
    };
    assert_eq!(streams(), "101");
    let job_id = customer.create(newsletter());
    customer.ingest(&job_id, readers(0, 5_000));
    customer.run_to_the_end(&job_id);
    for listener in &mut listeners {
        let is_over = |event: &Event| {
            let jobs = event.data["jobs"].as_array().unwrap();
            jobs.iter().any(|job| job["job_id"] == job_id && job["status"] == "COMPLETED")
        };
        while !is_over(&listener.next_of("job")) {}
    }
    drop(listeners);
    wait_until("the streams that have gone are noticed", || {
        customer.get("/lists").ok(200);
        streams() == "1"
    });
}

#[test]
fn a_fault_that_is_met_and_what_would_hurt_at_courier_are_told() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let mut listener = Listener::start(daemon.address(), "acme", None);
    let fault = customer.post("/_bulkd/faults", &json!({ "path": "/bulk", "status": 503, "name": "busy" })).ok(201);
    assert_eq!(customer.post("/bulk", &json!({ "message": newsletter() })).status, 503);
    let met = listener.next_of("fault").data["faults"][0].take();
    assert_eq!(met, json!({ "fault_id": fault["fault_id"], "name": "busy", "method": "POST", "path": "/bulk" }));
    customer.get("/no/such/route").refused(404);
    let found = listener.next_of("doctor").data["findings"][0].take();
    assert_eq!((&found["check"], &found["level"]), (&json!("unknown-route"), &json!("error")));
}

#[test]
fn what_happens_to_a_message_is_told_by_its_id_and_status() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let message = json!({ "to": { "email": "ada@example.com" }, "content": { "title": "Hi", "body": "Hello" } });
    let sent = customer.post("/send", &json!({ "message": message })).ok(202);
    let id = sent["requestId"].as_str().unwrap().to_owned();
    let (mut listener, mut other) =
        (Listener::start(daemon.address(), "acme", None), Listener::start(daemon.address(), "other", None));
    assert_eq!((listener.next().kind, other.next().kind), ("ready".to_owned(), "ready".to_owned()));
    for status in ["DELIVERED", "OPENED", "CLICKED", "UNDELIVERABLE"] {
        customer.post(&format!("/_bulkd/messages/{id}/events"), &json!({ "status": status })).ok(200);
        let told = loop {
            // What a message had begun with is written beside the first thing that happens to it, and is no news.
            let told = listener.next_of("message").data;
            assert_eq!((&told["count"], &told["newest"]), (&json!(0), &json!([])), "{told}");
            if !told["changed"].as_array().unwrap().is_empty() {
                break told;
            }
        };
        assert_eq!(told["changed"], json!([{ "message_id": id, "status": status }]));
    }
    // Another environment is told of its own.
    daemon.customer("other").post("/bulk", &json!({ "message": newsletter() })).ok(201);
    loop {
        match other.next().kind.as_str() {
            "job" => break,
            kind => assert_ne!(kind, "message"),
        }
    }
}
