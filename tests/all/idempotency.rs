//! Idempotency keys: a request that is sent twice happens once.

use std::time::Duration;

#[cfg(unix)]
use crate::support::binary::Binary;
use crate::support::{Daemon, NOW, json, newsletter, readers};

const HOUR: u64 = 60 * 60;

#[test]
fn the_same_key_makes_one_job_and_the_answer_is_replayed() {
    let mut daemon = Daemon::start();
    let customer = daemon.customer("acme").once("a-key");
    let body = json!({ "message": newsletter() });
    let first = customer.post("/bulk", &body);
    assert_eq!((first.status, first.header("x-bulkd-replayed")), (201, None));
    let second = customer.post("/bulk", &body);
    assert_eq!((second.status, &second.text), (201, &first.text));
    assert_eq!(second.header("x-bulkd-replayed"), Some("true"));
    assert_eq!(second.header("content-type"), Some("application/json"));

    // Whatever the body; and after a restart.
    for other in ["{\"message\":{\"event\":\"something-else\"}}", "{\"message\":{}}", "{", ""] {
        let other = customer.post_text("/bulk", other);
        assert_eq!((other.status, &other.text), (201, &first.text));
        assert_eq!(other.header("x-bulkd-replayed"), Some("true"));
    }
    daemon.restart();
    let after = daemon.customer("acme").once("a-key").post("/bulk", &body);
    assert_eq!((after.status, &after.text), (201, &first.text));
}

#[test]
fn ingest_and_run_replay_as_well() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let job_id = customer.create(newsletter());
    let once = customer.once("k");
    assert_eq!(once.ingest(&job_id, readers(0, 3)), json!({ "errors": [], "total": 3 }));
    assert_eq!(once.ingest(&job_id, readers(0, 3)), json!({ "errors": [], "total": 3 }), "not duplicates");
    assert_eq!(customer.job(&job_id)["received"], 3);
    once.run(&job_id);
    once.run(&job_id);
    assert_eq!(customer.completed(&job_id)["enqueued"], 3);
    // Without the key it is a second run.
    customer.post(&format!("/bulk/{job_id}/run"), &json!({})).refused(400);
}

#[test]
fn a_send_replays_whatever_its_body() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme").once("k");
    let send = |to| json!({ "message": { "to": to, "content": { "title": "Hi", "body": "There" } } });
    let first = customer.post("/send", &send(json!({ "email": "ada@example.com" })));
    assert_eq!(first.status, 202);
    for to in [json!({ "email": "bob@example.com" }), json!({ "email": 5 })] {
        let second = customer.post("/send", &send(to));
        assert_eq!((second.status, &second.text), (202, &first.text));
    }
    assert_eq!(customer.get("/messages").ok(200)["results"].as_array().unwrap().len(), 1);
}

#[test]
fn a_key_belongs_to_its_environment_its_path_and_to_posts() {
    let daemon = Daemon::start();
    let acme = daemon.customer("acme").once("k");
    let body = json!({ "message": newsletter() });
    let job_id = acme.post("/bulk", &body).ok(201)["jobId"].as_str().unwrap().to_owned();
    let other_environment = daemon.customer("globex").once("k").post("/bulk", &body).ok(201);
    assert_ne!(other_environment["jobId"], job_id);
    let other_key = daemon.customer("acme").once("K").post("/bulk", &body).ok(201);
    assert_ne!(other_key["jobId"], job_id);
    assert_eq!(acme.ingest(&job_id, readers(0, 1)), json!({ "errors": [], "total": 1 }), "another path");
    assert_eq!(acme.job(&job_id)["received"], 1);
    acme.ingest(&job_id, readers(1, 1));
    let unkeyed = daemon.customer("acme");
    unkeyed.ingest(&job_id, readers(1, 1));
    assert_eq!(acme.job(&job_id)["received"], 2, "a GET pays no heed to keys");
}

#[test]
fn refusals_are_not_stored() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let once = customer.once("k");
    once.post("/bulk", &json!({ "message": {} })).refused(400);
    once.post("/bulk", &json!({ "message": newsletter() })).ok(201);

    let job_id = customer.create(newsletter());
    once.post(&format!("/bulk/{job_id}"), &json!({ "users": [5] })).refused(400);
    once.ingest(&job_id, readers(0, 1));
    assert_eq!(customer.job(&job_id)["received"], 1);
}

#[test]
fn racing_requests_with_one_key_make_one_job() {
    let daemon = Daemon::start();
    let answers: Vec<String> = std::thread::scope(|scope| {
        let racers: Vec<_> = (0..32)
            .map(|_| {
                let customer = daemon.customer("acme").once("race");
                scope.spawn(move || customer.post("/bulk", &json!({ "message": newsletter() })).ok(201).to_string())
            })
            .collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).collect()
    });
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    let file = crate::support::open_file(&daemon.database());
    assert_eq!(file.query_row("SELECT count(*) FROM jobs", [], |row| row.get::<_, i64>(0)), Ok(1));
}

#[test]
fn a_key_expires_after_25_hours_unless_told_otherwise() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let body = json!({ "message": newsletter() });
    let post = |customer: &crate::support::Customer| customer.post("/bulk", &body).ok(201)["jobId"].to_string();
    let default = customer.once("default");
    let longer = customer.once("longer").with_header("x-idempotency-expiration", "3 days");
    let first = (post(&default), post(&longer));
    // A later request cannot move the expiration.
    post(&customer.once("default").with_header("x-idempotency-expiration", "1 year"));

    daemon.clock.advance(Duration::from_secs(25 * HOUR - 1));
    assert_eq!((post(&default), post(&longer)), first);
    daemon.clock.advance(Duration::from_secs(2));
    assert_ne!(post(&default), first.0);
    assert_eq!(post(&longer), first.1);
    daemon.clock.advance(Duration::from_secs(2 * 24 * HOUR));
    assert_ne!(post(&longer), first.1);
}

#[test]
fn expired_keys_do_not_pile_up() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    for i in 0..20 {
        customer.once(&format!("old-{i}")).create(newsletter());
    }
    daemon.clock.advance(Duration::from_secs(26 * HOUR));
    for i in 0..10 {
        customer.once(&format!("new-{i}")).create(newsletter());
    }
    let kept = || -> i64 {
        let file = crate::support::open_file(&daemon.database());
        file.query_row("SELECT count(*) FROM idempotency_keys", [], |row| row.get(0)).unwrap()
    };
    crate::support::wait_until("those that have expired are gone", || kept() == 10);
}

#[test]
fn expirations_come_as_numbers_dates_and_durations() {
    let daemon = Daemon::start();
    let in_two_days = NOW / 1000 + 2 * 24 * 60 * 60;
    let accepted = [
        in_two_days.to_string(),
        format!("{in_two_days}000"),
        "2026-09-23T14:13:20Z".to_owned(),
        "2026-09-23T16:13:20.123+02:00".to_owned(),
        "2026-09-23T14:13:20.820099".to_owned(),
        "1 Day".to_owned(),
        "2 weeks".to_owned(),
        "P3D".to_owned(),
    ];
    for (i, expiration) in accepted.iter().enumerate() {
        let customer =
            daemon.customer("acme").once(&format!("key-{i}")).with_header("X-Idempotency-Expiration", expiration);
        let first = customer.create(newsletter());
        assert_eq!(customer.create(newsletter()), first, "{expiration}");
    }
    for expiration in ["soon", "1", "1 hour", "2 years", "2026-09-21T15:00:00Z", "99999999999999999"] {
        let customer = daemon.customer("acme").once("refused").with_header("x-idempotency-expiration", expiration);
        let message = customer.post("/bulk", &json!({ "message": newsletter() })).refused(400);
        assert!(message.starts_with("x-idempotency-expiration: expected "), "{expiration}: {message}");
    }
    // None of those was stored.
    let customer = daemon.customer("acme").once("refused");
    assert_eq!(customer.post("/bulk", &json!({ "message": newsletter() })).header("x-bulkd-replayed"), None);
}

#[test]
fn a_late_retry_is_answered_although_its_expiration_is_near_by_then() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme").once("k").with_header("x-idempotency-expiration", "2026-09-23T14:13:20Z");
    let first = customer.create(newsletter());
    daemon.clock.advance(Duration::from_secs(40 * HOUR));
    assert_eq!(customer.create(newsletter()), first);
}

#[test]
fn a_key_that_is_no_text_is_refused() {
    use std::io::{Read, Write};
    let daemon = Daemon::start();
    let mut stream = std::net::TcpStream::connect(daemon.address()).unwrap();
    let head = "POST /bulk HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer acme\r\nConnection: close\r\nIdempotency-Key: caf";
    stream.write_all(&[head.as_bytes(), b"\xe9\r\nContent-Length: 0\r\n\r\n"].concat()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("Idempotency-Key: expected 1 to 255"), "{answer}");
}

#[test]
fn keys_are_up_to_255_characters() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    customer.once(&"k".repeat(255)).create(newsletter());
    let message = customer.once(&"k".repeat(256)).post("/bulk", &json!({ "message": newsletter() })).refused(400);
    assert_eq!(message, "Idempotency-Key: expected 1 to 255 characters of UTF-8");
    let message = customer.once("").post("/bulk", &json!({ "message": newsletter() })).refused(400);
    assert_eq!(message, "Idempotency-Key: expected 1 to 255 characters of UTF-8");
}

#[cfg(unix)]
#[test]
fn another_body_under_the_same_key_is_told_in_the_log() {
    let daemon = Binary::start(&["--listen", ":0", "--ephemeral", "--log", "warn"]);
    let customer = daemon.customer("acme");
    let once = customer.once(&format!("k\u{202e}{}", "k".repeat(100)));
    let body = json!({ "message": newsletter() });
    let first = once.post("/bulk", &body);
    assert_eq!(once.post("/bulk", &body).text, first.text);
    // The same under another key, and another path under the same key.
    customer.once("other").create(json!({ "event": "other" }));
    once.post("/send", &json!({ "message": { "to": { "email": "a@b.c" }, "content": { "title": "", "body": "" } } }));
    daemon.customer("globex").once("other").create(newsletter());
    assert_eq!(once.post_text("/bulk", "{\"message\":{\"event\":\"other\"}}").text, first.text);
    let line =
        format!("POST /bulk with the Idempotency-Key 'k\\u{{202e}}{}…' has another body than before", "k".repeat(62));
    daemon.logs(&line);
    let log = daemon.terminate().stderr;
    assert_eq!(log.matches("another body").count(), 1, "{log}");
}
