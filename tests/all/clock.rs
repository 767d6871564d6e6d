//! A clock that is moved over HTTP: `--test-clock`.

use crate::support::receiver::Receiver;
use crate::support::{Customer, Daemon, NOW, json, newsletter, readers, wait_until};
use bulkd::clock::ClockStart;
use serde_json::Value;

fn daemon() -> Daemon {
    Daemon::start_with(|config| config.test_clock = Some(ClockStart::Running))
}

fn iso(millis: i64) -> String {
    bulkd::clock::Timestamp(millis).iso()
}

/// Sends a message that waits, and returns its id.
fn send(customer: &Customer, to: &str, delay: Value) -> String {
    let to = json!({ "user_id": to, "email": format!("{to}@example.com") });
    let message = json!({ "to": to, "content": { "title": "Hi", "body": "Hello" }, "delay": delay });
    let sent = customer.post("/send", &json!({ "message": message })).ok(202);
    sent["requestId"].as_str().unwrap().to_owned()
}

#[track_caller]
fn advance(customer: &Customer, by: &str) -> Value {
    let moved = customer.post("/_bulkd/clock/advance", &json!({ "by": by })).ok(200);
    assert_eq!(moved["settled"], true, "{moved}");
    moved
}

#[test]
fn without_the_flag_the_clock_cannot_be_moved() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let refusals = [
        customer.get("/_bulkd/clock"),
        customer.put("/_bulkd/clock", &json!({ "frozen": true })),
        customer.post("/_bulkd/clock/advance", &json!({ "by": "1h" })),
    ];
    for refusal in refusals {
        let message = refusal.refused(403);
        assert!(message.contains("start it with --test-clock"), "{message}");
    }
}

#[test]
fn an_advance_answers_when_what_was_due_has_happened() {
    let daemon = daemon();
    let (customer, other) = (daemon.customer("acme"), daemon.customer("other"));
    let first = send(&customer, "ada", json!({ "duration": 60_000 }));
    let second = send(&customer, "bob", json!({ "until": iso(NOW + 3_600_000) }));
    send(&other, "cy", json!({ "duration": 60_000 }));
    customer.once("one").post("/bulk", &json!({ "message": newsletter() })).ok(201);
    let status = |id: &str| customer.get(&format!("/messages/{id}")).ok(200);
    assert_eq!(status(&first)["status"], "DELAYED");
    let moved = advance(&customer, "59s");
    assert_eq!((&moved["delayed_sent"], &moved["advanced_ms"]), (&json!(0), &json!(59_000)));
    assert_eq!(moved["now"], iso(NOW + 59_000));
    let moved = advance(&customer, "1s");
    assert_eq!((&moved["delayed_sent"], &status(&first)["status"]), (&json!(1), &json!("SENT")));
    assert_eq!(status(&first)["sent"], NOW + 60_000);
    assert_eq!(status(&second)["status"], "DELAYED");
    // What happens on the way happens at its own time.
    let moved = advance(&customer, "1h30m");
    assert_eq!((&moved["delayed_sent"], &moved["keys_expired"]), (&json!(1), &json!(0)));
    assert_eq!(status(&second)["sent"], NOW + 3_600_000);
    let moved = advance(&customer, "25h");
    assert_eq!(moved["keys_expired"], 1);
    let created = customer.post("/bulk", &json!({ "message": newsletter() })).ok(201);
    let seconds = (NOW + 60_000 + 5_400_000 + 90_000_000) / 1000;
    assert!(created["jobId"].as_str().unwrap().starts_with(&format!("1-{seconds:08x}-")), "{created}");
}

#[test]
fn an_event_that_fails_is_tried_again_as_often_as_it_would_be() {
    let daemon = daemon();
    let customer = daemon.customer("acme");
    let receiver = Receiver::start(|_| 503);
    customer.post("/_bulkd/webhooks", &json!({ "url": receiver.url() })).ok(201);
    send(&customer, "ada", json!({ "duration": 1_000 }));
    // It waits for the first attempts, too: those of the message that waits.
    assert_eq!(advance(&customer, "0s")["webhooks_posted"], 1);
    // After 5 s, 10 s and 20 s.
    let moved = advance(&customer, "35s");
    assert_eq!((&moved["delayed_sent"], &moved["webhooks_posted"]), (&json!(1), &json!(3)), "{moved}");
    assert_eq!(advance(&customer, "39s")["webhooks_posted"], 0);
    assert_eq!(advance(&customer, "1s")["webhooks_posted"], 1);
}

#[test]
fn the_clock_moves_forward_only_and_stands_still_or_runs() {
    let daemon = daemon();
    let customer = daemon.customer("acme");
    let get = || customer.get("/_bulkd/clock").ok(200);
    assert_eq!(get(), json!({ "now": iso(NOW), "frozen": true }));
    let moved = customer.put("/_bulkd/clock", &json!({ "at": iso(NOW + 5_000) })).ok(200);
    assert_eq!((&moved["now"], &moved["advanced_ms"]), (&json!(iso(NOW + 5_000)), &json!(5_000)));
    let refusal = customer.put("/_bulkd/clock", &json!({ "at": iso(NOW) })).refused(400);
    assert!(refusal.starts_with("at: ") && refusal.contains("only moves forward"), "{refusal}");
    for (path, body) in [
        ("/_bulkd/clock", json!({})),
        ("/_bulkd/clock", json!({ "at": "soon" })),
        ("/_bulkd/clock", json!({ "at": "+99999-01-01T00:00:00Z" })),
        ("/_bulkd/clock", json!({ "at": "2106-02-07T06:28:16Z" })),
    ] {
        customer.put(path, &body).refused(400);
    }
    for by in [json!("1w"), json!(-1), json!(""), json!("999999d"), json!(null)] {
        let refusal = customer.post("/_bulkd/clock/advance", &json!({ "by": by })).refused(400);
        assert!(refusal.starts_with("by: "), "{refusal}");
    }
    let id = send(&customer, "ada", json!({ "duration": 20 }));
    customer.put("/_bulkd/clock", &json!({ "frozen": false })).ok(200);
    assert_eq!(get()["frozen"], false);
    wait_until("it runs", || customer.get(&format!("/messages/{id}")).ok(200)["status"] == "SENT");
    customer.put("/_bulkd/clock", &json!({ "frozen": true })).ok(200);
    let stands = get();
    assert_eq!((stands["frozen"].clone(), get()), (json!(true), stands));
}

#[test]
fn an_advance_waits_for_a_job_that_is_paced() {
    let daemon = daemon();
    let customer = daemon.customer("acme");
    customer.put("/_bulkd/lifecycle", &json!({ "mode": "paced", "per_second": 10 })).ok(200);
    let job_id = customer.create(newsletter());
    customer.ingest(&job_id, readers(0, 25));
    customer.run(&job_id);
    for (by, enqueued, status) in
        [("0s", 0, "PROCESSING"), ("1s", 10, "PROCESSING"), ("550ms", 15, "PROCESSING"), ("1s", 25, "COMPLETED")]
    {
        advance(&customer, by);
        let job = customer.job(&job_id);
        assert_eq!((&job["enqueued"], &job["status"]), (&json!(enqueued), &json!(status)), "{by}");
    }
}

#[test]
fn moves_that_wait_for_a_silent_receiver_take_no_thread() {
    // As many requests are worked on at once as there are threads for them: two.
    let daemon = Daemon::start_with(|config| {
        config.test_clock = Some(ClockStart::Running);
        config.limits.requests = 2;
    });
    let (customer, other) = (daemon.customer("acme"), daemon.customer("other"));
    let (release, released) = std::sync::mpsc::channel::<()>();
    let receiver = Receiver::start(move |_| {
        let _ = released.recv();
        200
    });
    customer.post("/_bulkd/webhooks", &json!({ "url": receiver.url() })).ok(201);
    send(&customer, "ada", json!({ "duration": 1_000 }));
    std::thread::scope(|scope| {
        let moves: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| customer.post("/_bulkd/clock/advance", &json!({ "by": "1s" })).ok(200)))
            .collect();
        // They wait, and others are served: requests that need a thread of their own, too.
        for _ in 0..8 {
            other.post("/bulk", &json!({ "message": newsletter() })).ok(201);
            other.get("/_bulkd/outbox?q=nobody").ok(200);
        }
        assert!(moves.iter().all(|it| !it.is_finished()));
        drop(release);
        let moved: i64 = moves.into_iter().map(|it| it.join().unwrap()["advanced_ms"].as_i64().unwrap()).sum();
        assert_eq!(moved, 8_000);
    });
}

#[test]
fn a_move_of_one_environment_waits_for_no_receiver_of_another() {
    let daemon = daemon();
    let (customer, other) = (daemon.customer("acme"), daemon.customer("other"));
    let (release, released) = std::sync::mpsc::channel::<()>();
    let (called, calls) = std::sync::mpsc::channel::<()>();
    let receiver = Receiver::start(move |_| {
        let _ = called.send(());
        let _ = released.recv();
        200
    });
    customer.post("/_bulkd/webhooks", &json!({ "url": receiver.url() })).ok(201);
    send(&customer, "ada", json!({ "duration": 1_000 }));
    let waits = send(&other, "bob", json!({ "duration": 1_000 }));
    std::thread::scope(|scope| {
        let held = scope.spawn(|| customer.post("/_bulkd/clock/advance", &json!({ "by": "1h" })).ok(200));
        calls.recv().unwrap();
        // It is answered while the other one waits.
        let moved = advance(&other, "1h");
        assert_eq!((&moved["advanced_ms"], &moved["webhooks_posted"]), (&json!(3_600_000), &json!(0)));
        assert_eq!(other.get(&format!("/messages/{waits}")).ok(200)["status"], "SENT");
        assert!(!held.is_finished());
        drop(release);
        assert_eq!(held.join().unwrap()["advanced_ms"], 3_600_000);
    });
}

#[test]
fn a_pace_counts_from_when_it_was_set() {
    let daemon = Daemon::start_with(|config| {
        config.test_clock = Some(ClockStart::FrozenAt(bulkd::clock::Timestamp::parse("2026-09-21T14:13:20Z").unwrap()));
    });
    let customer = daemon.customer("acme");
    let set = |rule: Value| customer.put("/_bulkd/lifecycle", &rule).ok(200);
    set(json!({ "mode": "hold" }));
    let job = || {
        let job_id = customer.create(newsletter());
        customer.ingest(&job_id, readers(0, 40));
        customer.run(&job_id);
        job_id
    };
    let (first, own) = (job(), job());
    advance(&customer, "1h");
    let enqueued = |job_id: &str| customer.job(job_id)["enqueued"].as_u64().unwrap();
    // The hour that they were held for releases no user.
    set(json!({ "mode": "paced", "per_second": 10 }));
    set(json!({ "mode": "paced", "per_second": 4, "job_id": own }));
    advance(&customer, "0s");
    assert_eq!((enqueued(&first), enqueued(&own)), (0, 0));
    advance(&customer, "1s");
    assert_eq!((enqueued(&first), enqueued(&own)), (10, 4));
    // A slower pace begins where the faster one was.
    set(json!({ "mode": "paced", "per_second": 1 }));
    advance(&customer, "2s");
    assert_eq!((enqueued(&first), enqueued(&own)), (12, 12));
    // One that is run later has its own time.
    let late = job();
    advance(&customer, "3s");
    assert_eq!((enqueued(&first), enqueued(&late)), (15, 3));
}
