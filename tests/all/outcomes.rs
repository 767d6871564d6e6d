//! How messages end whose recipient or address a test has named, and what happens to them later.

use std::time::Duration;

use crate::support::receiver::Receiver;
use crate::support::{Customer, Daemon, NOW, PATIENCE, json, newsletter, readers, wait_until};
use serde_json::Value;

fn send(customer: &Customer, to: Value) -> String {
    let content = json!({ "title": "Hi", "body": "Hello" });
    let sent = customer.post("/send", &json!({ "message": { "to": to, "content": content } })).ok(202);
    sent["requestId"].as_str().unwrap().to_owned()
}

fn ada() -> Value {
    json!({ "user_id": "ada", "email": "Ada@example.com", "phone_number": "+15551234567" })
}

fn record(customer: &Customer, id: &str) -> Value {
    customer.get(&format!("/messages/{id}")).ok(200)
}

#[track_caller]
fn happen(customer: &Customer, id: &str, event: Value) -> Value {
    customer.post(&format!("/_bulkd/messages/{id}/events"), &event).ok(200)
}

#[test]
fn messages_end_as_was_said_of_their_address_or_recipient() {
    let daemon = Daemon::start();
    let (customer, other) = (daemon.customer("acme"), daemon.customer("other"));
    let put = |outcome: Value| customer.put("/_bulkd/outcomes", &outcome).ok(200);
    let bounced = put(json!({ "address": "ADA@example.com", "status": "UNDELIVERABLE" }));
    assert_eq!(bounced, json!({ "address": "ada@example.com", "status": "UNDELIVERABLE", "reason": "BOUNCED" }));
    put(json!({ "recipient": "reader-1", "status": "OPENED" }));
    put(json!({ "recipient": "ada", "status": "CLICKED" }));
    let message = record(&customer, &send(&customer, ada()));
    assert_eq!((&message["status"], &message["reason"]), (&json!("UNDELIVERABLE"), &json!("BOUNCED")));
    assert_eq!(record(&other, &send(&other, ada()))["status"], "SENT");
    let job_id = customer.create(newsletter());
    customer.ingest(&job_id, readers(0, 3));
    customer.run_to_the_end(&job_id);
    let statuses: Vec<Value> = customer.outbox(&job_id).into_iter().map(|mut it| it["status"].take()).collect();
    assert_eq!(statuses, ["SENT", "OPENED", "SENT"]);
    // What a provider refuses goes another way.
    put(json!({ "address": "ada@example.com", "status": "UNDELIVERABLE", "reason": "PROVIDER_ERROR" }));
    let content = json!({ "title": "Hi", "body": "Hello" });
    let routing = json!({ "method": "single", "channels": ["email", "sms"] });
    let message = json!({ "to": ada(), "content": content, "routing": routing });
    let sent = customer.post("/send", &json!({ "message": message })).ok(202);
    let message = record(&customer, sent["requestId"].as_str().unwrap());
    let providers = message["providers"].as_array().unwrap();
    let went: Vec<_> = providers.iter().map(|it| (it["channel"]["name"].clone(), it["status"].clone())).collect();
    assert_eq!(went, [(json!("email"), json!("UNDELIVERABLE")), (json!("sms"), json!("CLICKED"))]);
    let items = customer.get("/_bulkd/outcomes").ok(200)["items"].take();
    assert_eq!(items.as_array().unwrap().len(), 3);
    assert_eq!(other.get("/_bulkd/outcomes").ok(200)["items"], json!([]));
    customer.delete("/_bulkd/outcomes?address=ada%40example.com").done();
    customer.delete("/_bulkd/outcomes?address=ada%40example.com").refused(404);
    assert_eq!(record(&customer, &send(&customer, ada()))["status"], "CLICKED");
    customer.delete("/_bulkd/outcomes").done();
    assert_eq!(record(&customer, &send(&customer, ada()))["status"], "SENT");
}

#[test]
fn what_happens_later_is_in_the_record_and_the_history_and_is_told_to_webhooks() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let (heard, told) = std::sync::mpsc::channel();
    let receiver = Receiver::start(move |call| {
        heard.send(call.data("status").as_str().unwrap().to_owned()).unwrap();
        200
    });
    customer.post("/_bulkd/webhooks", &json!({ "url": receiver.url() })).ok(201);
    let id = send(&customer, ada());
    daemon.clock.advance(Duration::from_secs(60));
    let opened = happen(&customer, &id, json!({ "status": "OPENED" }));
    assert_eq!(opened["status"], "OPENED");
    let times = |record: &Value| ["sent", "delivered", "opened", "clicked"].map(|name| record[name].clone());
    let (sent, then) = (json!(NOW), json!(NOW + 60_000));
    assert_eq!(times(&opened), [sent.clone(), then.clone(), then.clone(), Value::Null]);
    assert_eq!(times(&opened["providers"][0]), [sent.clone(), then.clone(), then.clone(), Value::Null]);
    daemon.clock.advance(Duration::from_secs(60));
    let clicked = customer.put("/_bulkd/outcomes", &json!({ "message_id": id, "status": "CLICKED" })).ok(200);
    let later = json!(NOW + 120_000);
    assert_eq!(times(&clicked), [sent.clone(), then.clone(), then.clone(), later.clone()]);
    let history = customer.get(&format!("/messages/{id}/history")).ok(200)["results"].take();
    let history: Vec<_> = history.as_array().unwrap().iter().map(|it| (it["type"].clone(), it["ts"].clone())).collect();
    let expected = [("SENT", &sent), ("DELIVERED", &then), ("OPENED", &then), ("CLICKED", &later)];
    assert_eq!(history[history.len() - 4..], expected.map(|(kind, at)| (json!(kind), at.clone())));
    assert!(history.iter().all(|(kind, _)| kind != "DELAYED"), "{history:?}");
    // Nothing is told twice.
    let told: Vec<String> = (0..5).map(|_| told.recv_timeout(PATIENCE).unwrap()).collect();
    assert_eq!(told, ["ENQUEUED", "SENT", "DELIVERED", "OPENED", "CLICKED"]);
    let unknown = customer.post("/_bulkd/messages/1-0-0/events", &json!({ "status": "OPENED" })).refused(404);
    assert_eq!(unknown, "message_id: there is no message '1-0-0' under this API key");
    for status in ["CLICKED", "OPENED", "SENT"] {
        let path = format!("/_bulkd/messages/{id}/events");
        let refusal = customer.post(&path, &json!({ "status": status })).refused(409);
        assert!(refusal.contains("is CLICKED"), "{refusal}");
    }
}

#[test]
fn a_message_that_was_sent_may_come_back_and_then_nothing_more_happens() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let id = send(&customer, ada());
    daemon.clock.advance(Duration::from_secs(5));
    let bounced = happen(&customer, &id, json!({ "status": "UNDELIVERABLE", "reason": "BOUNCED" }));
    assert_eq!((&bounced["status"], &bounced["reason"]), (&json!("UNDELIVERABLE"), &json!("BOUNCED")));
    assert_eq!(bounced["sent"], NOW);
    let path = format!("/_bulkd/messages/{id}/events");
    customer.post(&path, &json!({ "status": "OPENED" })).refused(409);
    // What had happened before has happened.
    let id = send(&customer, ada());
    daemon.clock.advance(Duration::from_secs(5));
    let clicked = happen(&customer, &id, json!({ "status": "CLICKED" }));
    daemon.clock.advance(Duration::from_secs(5));
    let complained = happen(&customer, &id, json!({ "status": "UNDELIVERABLE" }));
    assert_eq!(complained["status"], "UNDELIVERABLE");
    for name in ["sent", "delivered", "opened", "clicked"] {
        assert!(!clicked[name].is_null());
        assert_eq!(complained[name], clicked[name], "{name}");
        assert_eq!(complained["providers"][0][name], clicked["providers"][0][name], "{name} of the provider");
    }
    for (event, member) in [
        (json!({ "status": "LOST" }), "status"),
        (json!({ "status": "DELAYED" }), "status"),
        (json!({ "status": "OPENED", "reason": "BOUNCED" }), "reason"),
        (json!({ "status": "UNDELIVERABLE", "reason": "FILTERED" }), "reason"),
    ] {
        let refusal = customer.post(&path, &event).refused(400);
        assert!(refusal.starts_with(&format!("{member}: ")), "{refusal}");
    }
    customer.post("/_bulkd/messages/1-2-3/events", &json!({ "status": "OPENED" })).refused(404);
    customer.put("/_bulkd/outcomes", &json!({ "status": "OPENED" })).refused(400);
    customer.put("/_bulkd/outcomes", &json!({ "address": "a", "recipient": "b", "status": "OPENED" })).refused(400);
}

#[test]
fn a_snapshot_knows_what_had_happened_by_then() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let (first, second) = (send(&customer, ada()), send(&customer, ada()));
    happen(&customer, &first, json!({ "status": "OPENED" }));
    let before = [record(&customer, &first), record(&customer, &second)];
    customer.put("/_bulkd/snapshots/before", &json!({})).ok(200);
    happen(&customer, &first, json!({ "status": "CLICKED" }));
    happen(&customer, &second, json!({ "status": "UNDELIVERABLE" }));
    customer.post("/_bulkd/snapshots/before/restore", &json!({})).ok(200);
    assert_eq!([record(&customer, &first), record(&customer, &second)], before);
}

/// A daemon whose clock is moved by requests.
fn steered() -> Daemon {
    Daemon::start_with(|config| config.test_clock = Some(bulkd::clock::ClockStart::Running))
}

#[track_caller]
fn advance(customer: &Customer, by: &str) -> Value {
    let moved = customer.post("/_bulkd/clock/advance", &json!({ "by": by })).ok(200);
    assert_eq!(moved["settled"], true, "{moved}");
    moved
}

fn status(customer: &Customer, id: &str) -> String {
    record(customer, id)["status"].as_str().unwrap().to_owned()
}

#[test]
fn a_message_comes_to_its_end_after_a_while_and_webhooks_are_told() {
    let daemon = steered();
    let customer = daemon.customer("acme");
    let (heard, told) = std::sync::mpsc::channel();
    let receiver = Receiver::start(move |call| {
        heard.send(call.data("status").as_str().unwrap().to_owned()).unwrap();
        200
    });
    customer.post("/_bulkd/webhooks", &json!({ "url": receiver.url() })).ok(201);
    let outcome = json!({ "address": "ada@example.com", "status": "OPENED", "after": "1m" });
    let shown = customer.put("/_bulkd/outcomes", &outcome).ok(200);
    assert_eq!(shown, json!({ "address": "ada@example.com", "status": "OPENED", "after": 60_000 }));
    assert_eq!(customer.get("/_bulkd/outcomes").ok(200)["items"], json!([shown]));
    let bounce = json!({ "recipient": "reader-1", "status": "UNDELIVERABLE", "reason": "FAILED", "after": 90_000 });
    customer.put("/_bulkd/outcomes", &bounce).ok(200);
    let id = send(&customer, ada());
    let job_id = customer.create(newsletter());
    customer.ingest(&job_id, readers(0, 2));
    customer.run_to_the_end(&job_id);
    // What is due later is at rest.
    customer.post("/_bulkd/wait", &json!({ "settled": true, "timeout_ms": 60_000 })).ok(200);
    assert_eq!(status(&customer, &id), "SENT");
    let moved = advance(&customer, "59s");
    assert_eq!((&moved["messages_changed"], &moved["delayed_sent"]), (&json!(0), &json!(0)));
    assert_eq!(status(&customer, &id), "SENT");
    let moved = advance(&customer, "1h");
    assert_eq!((&moved["messages_changed"], &moved["delayed_sent"]), (&json!(2), &json!(0)), "{moved}");
    let opened = record(&customer, &id);
    assert_eq!((&opened["status"], &opened["sent"]), (&json!("OPENED"), &json!(NOW)));
    assert_eq!(opened["opened"], NOW + 60_000, "each at its own moment");
    let statuses: Vec<_> =
        customer.outbox(&job_id).iter().map(|it| (it["status"].clone(), it["error"].clone())).collect();
    let failed = json!("the message could not be delivered (set for a test)");
    assert_eq!(statuses, [(json!("SENT"), Value::Null), (json!("UNDELIVERABLE"), failed)]);
    let mut told: Vec<String> = (0..9).map(|_| told.recv_timeout(PATIENCE).unwrap()).collect();
    told.sort();
    let mut expected =
        ["ENQUEUED", "SENT", "DELIVERED", "OPENED", "ENQUEUED", "SENT", "ENQUEUED", "SENT", "UNDELIVERABLE"];
    expected.sort_unstable();
    assert_eq!(told, expected);
}

#[test]
fn what_was_said_of_one_message_comes_later_unless_something_else_has_come_before() {
    let daemon = steered();
    let customer = daemon.customer("acme");
    let ids = [send(&customer, ada()), send(&customer, ada())];
    for id in &ids {
        let later = json!({ "message_id": id, "status": "DELIVERED", "after": "10s" });
        assert_eq!(customer.put("/_bulkd/outcomes", &later).ok(200)["status"], "SENT");
    }
    happen(&customer, &ids[1], json!({ "status": "CLICKED" }));
    let late = json!({ "message_id": ids[1], "status": "OPENED", "after": "10s" });
    customer.put("/_bulkd/outcomes", &late).refused(409);
    advance(&customer, "10s");
    assert_eq!([status(&customer, &ids[0]), status(&customer, &ids[1])], ["DELIVERED", "CLICKED"]);
    for after in [json!(-1), json!("soon"), json!(1.5), json!([])] {
        let refusal = json!({ "address": "a@example.com", "status": "OPENED", "after": after });
        assert!(customer.put("/_bulkd/outcomes", &refusal).refused(400).starts_with("after: "));
    }
}

#[test]
fn each_channel_comes_to_its_own_end_also_behind_a_delay() {
    let daemon = steered();
    let customer = daemon.customer("acme");
    for (address, status, after) in [("+15551234567", "DELIVERED", "10s"), ("ada@example.com", "OPENED", "20s")] {
        let outcome = json!({ "address": address, "status": status, "after": after });
        customer.put("/_bulkd/outcomes", &outcome).ok(200);
    }
    let routing = json!({ "method": "all", "channels": ["email", "sms"] });
    let content = json!({ "title": "Hi", "body": "Hello" });
    let message = json!({ "to": ada(), "content": content, "routing": routing, "delay": { "duration": 60_000 } });
    let id = customer.post("/send", &json!({ "message": message })).ok(202)["requestId"].as_str().unwrap().to_owned();
    let channels = || -> Vec<String> {
        let record = record(&customer, &id);
        let providers = record["providers"].as_array().unwrap().iter();
        providers
            .map(|it| format!("{} {}", it["channel"]["name"].as_str().unwrap(), it["status"].as_str().unwrap()))
            .collect()
    };
    advance(&customer, "59s");
    assert_eq!(status(&customer, &id), "DELAYED");
    advance(&customer, "1s");
    assert_eq!(channels(), ["email SENT", "sms SENT"]);
    // Who waits for it is told.
    let sms = json!({ "outbox": { "channel": "sms", "status": "DELIVERED" }, "timeout_ms": 60_000 });
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| customer.post("/_bulkd/wait", &sms).ok(200));
        advance(&customer, "10s");
        waiting.join().unwrap();
    });
    assert_eq!(channels(), ["email SENT", "sms DELIVERED"]);
    advance(&customer, "10s");
    assert_eq!(channels(), ["email OPENED", "sms DELIVERED"]);
    assert_eq!(status(&customer, &id), "OPENED");
}

#[test]
fn what_is_yet_to_come_outlives_a_start_and_belongs_to_snapshots() {
    let mut daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let outcome = json!({ "recipient": "ada", "status": "CLICKED", "after": "1h" });
    customer.put("/_bulkd/outcomes", &outcome).ok(200);
    let id = send(&customer, ada());
    customer.put("/_bulkd/snapshots/before", &json!({})).ok(200);
    let other = send(&customer, ada());
    daemon.clock.advance(Duration::from_secs(3_600));
    wait_until("both are clicked", || [&id, &other].into_iter().all(|id| status(&customer, id) == "CLICKED"));
    // Back to where it is yet to come: it is due, and comes at once, or is sent away and comes under another key.
    customer.post("/_bulkd/snapshots/before/fork", &json!({ "key": "forked" })).ok(201);
    let forked = daemon.customer("forked");
    wait_until("the copy is clicked", || forked.get("/_bulkd/outbox").ok(200)["items"][0]["status"] == "CLICKED");
    customer.post("/_bulkd/snapshots/before/restore", &json!({})).ok(200);
    wait_until("it is clicked again", || status(&customer, &id) == "CLICKED");
    customer.get(&format!("/messages/{other}")).refused(404);
    // The outcome is of the process, what it has led to is not.
    let last = send(&customer, ada());
    assert_eq!(status(&customer, &last), "SENT");
    daemon.restart();
    let customer = daemon.customer("acme");
    assert_eq!(customer.get("/_bulkd/outcomes").ok(200)["items"], json!([]));
    assert_eq!(status(&customer, &last), "SENT");
    daemon.clock.advance(Duration::from_secs(3_600));
    wait_until("the last one is clicked", || status(&customer, &last) == "CLICKED");
    // A reset takes with it what is yet to come.
    customer.put("/_bulkd/outcomes", &outcome).ok(200);
    send(&customer, ada());
    customer.post("/_bulkd/reset", &json!({})).done();
    let count = |rows: &str| -> i64 {
        crate::support::open_file(&daemon.database()).query_row(rows, [], |row| row.get(0)).unwrap()
    };
    wait_until("nothing is left of it", || count("SELECT count(*) FROM endings") == 0);
    daemon.stop();
    crate::support::binary::check(&daemon.database());
}

#[cfg(unix)]
#[test]
fn what_is_yet_to_come_outlives_a_kill() {
    use crate::support::binary::{Binary, bulkd, check};
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("bulkd.db");
    let at = |instant: &str| {
        let clock = format!("--test-clock={instant}");
        Binary::start_by(&mut bulkd(&["--listen", ":0", "--db", database.to_str().unwrap(), &clock]))
    };
    let daemon = at("2026-09-21T14:00:00Z");
    let customer = daemon.customer("acme");
    let outcome = json!({ "recipient": "ada", "status": "UNDELIVERABLE", "after": "1h" });
    customer.put("/_bulkd/outcomes", &outcome).ok(200);
    let id = send(&customer, ada());
    daemon.kill();
    let daemon = at("2026-09-21T14:59:59Z");
    let customer = daemon.customer("acme");
    assert_eq!(status(&customer, &id), "SENT");
    assert_eq!(advance(&customer, "1s")["messages_changed"], 1);
    assert_eq!(record(&customer, &id)["reason"], "BOUNCED");
    daemon.terminate();
    check(&database);
}

#[test]
fn an_empty_name_deletes_no_outcome() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    customer.put("/_bulkd/outcomes", &json!({ "recipient": "ada", "status": "OPENED" })).ok(200);
    for query in ["address=", "recipient=", "address", "recipient=undefined", "address=&recipient=ada"] {
        let refusal = customer.delete(&format!("/_bulkd/outcomes?{query}")).refused(400);
        assert!(refusal.contains("leave it out to delete all"), "{query}: {refusal}");
    }
    assert_eq!(customer.get("/_bulkd/outcomes").ok(200)["items"].as_array().unwrap().len(), 1);
    customer.delete("/_bulkd/outcomes").done();
}

#[test]
fn outcomes_come_in_pages() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    for i in 0..5 {
        let of = json!({ "address": format!("reader-{i}@example.com"), "status": "OPENED" });
        customer.put("/_bulkd/outcomes", &of).ok(200);
    }
    let (mut found, mut path) = (Vec::new(), "/_bulkd/outcomes?limit=2".to_owned());
    loop {
        let page = customer.get(&path).ok(200);
        assert!(page["items"].as_array().unwrap().len() <= 2, "{page}");
        found.extend(page["items"].as_array().unwrap().iter().map(|it| it["address"].as_str().unwrap().to_owned()));
        let Some(cursor) = page["paging"]["cursor"].as_str() else { break };
        path = format!("/_bulkd/outcomes?limit=2&cursor={cursor}");
    }
    assert_eq!(found, (0..5).map(|i| format!("reader-{i}@example.com")).collect::<Vec<_>>());
}

#[test]
fn what_comes_back_after_it_was_read_keeps_the_times_of_what_it_was() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let receiver = {
        let (told, calls) = std::sync::mpsc::channel();
        let receiver = Receiver::start(move |call| {
            let _ = told.send(call);
            200
        });
        customer.post("/_bulkd/webhooks", &json!({ "url": receiver.url() })).ok(201);
        (receiver, calls)
    };
    let id = send(&customer, ada());
    for status in ["DELIVERED", "CLICKED", "UNDELIVERABLE"] {
        daemon.clock.advance(Duration::from_secs(5));
        happen(&customer, &id, json!({ "status": status }));
    }
    let found = record(&customer, &id);
    let times = |it: &Value| ["sent", "delivered", "opened", "clicked"].map(|name| it[name].as_i64());
    let expected = [NOW, NOW + 5_000, NOW + 10_000, NOW + 10_000].map(Some);
    assert_eq!((&found["status"], times(&found)), (&json!("UNDELIVERABLE"), expected));
    let provider = &found["providers"][0];
    assert_eq!((&provider["status"], times(provider)), (&json!("UNDELIVERABLE"), expected), "{found}");
    let history = customer.get(&format!("/messages/{id}/history")).ok(200)["results"].take();
    let told: Vec<(String, i64)> = history
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["type"].as_str().unwrap().to_owned(), it["ts"].as_i64().unwrap() - NOW))
        .skip_while(|(kind, _)| kind != "DELIVERING")
        .collect();
    let expected_history = [
        ("DELIVERING", 0),
        ("SENT", 0),
        ("DELIVERED", 5_000),
        ("OPENED", 10_000),
        ("CLICKED", 10_000),
        ("UNDELIVERABLE", 15_000),
    ];
    assert_eq!(told, expected_history.map(|(kind, at)| (kind.to_owned(), at)));
    // Webhooks are told the same, each status once.
    let mut last = Vec::new();
    while last.last() != Some(&json!("UNDELIVERABLE")) {
        let call = receiver.1.recv_timeout(PATIENCE).unwrap();
        last.push(call.data("status").clone());
        if last.last() == Some(&json!("UNDELIVERABLE")) {
            assert_eq!(call.data("clicked"), &json!(NOW + 10_000));
        }
    }
    assert_eq!(last, ["ENQUEUED", "SENT", "DELIVERED", "OPENED", "CLICKED", "UNDELIVERABLE"]);
    // One that never left has no times.
    customer.put("/_bulkd/outcomes", &json!({ "recipient": "ada", "status": "UNDELIVERABLE" })).ok(200);
    assert_eq!(times(&record(&customer, &send(&customer, ada()))), [None; 4]);
}

#[test]
fn what_cannot_happen_to_a_message_is_refused_by_what_it_is() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let id = send(&customer, ada());
    let refused = |id: &str, status: &str| {
        customer.post(&format!("/_bulkd/messages/{id}/events"), &json!({ "status": status })).refused(409)
    };
    assert_eq!(refused(&id, "SENT"), "the message is SENT already");
    happen(&customer, &id, json!({ "status": "CLICKED" }));
    assert_eq!(refused(&id, "CLICKED"), "the message is CLICKED already");
    assert_eq!(refused(&id, "OPENED"), "the message is CLICKED, which comes after OPENED");
    happen(&customer, &id, json!({ "status": "UNDELIVERABLE" }));
    assert_eq!(refused(&id, "UNDELIVERABLE"), "the message is UNDELIVERABLE already");
    assert_eq!(refused(&id, "CLICKED"), "the message is UNDELIVERABLE, and cannot become CLICKED any more");
    let message =
        json!({ "to": ada(), "content": { "title": "Hi", "body": "Hello" }, "delay": { "duration": 60_000 } });
    let waits = customer.post("/send", &json!({ "message": message })).ok(202);
    let problem = refused(waits["requestId"].as_str().unwrap(), "OPENED");
    assert_eq!(problem, "the message is DELAYED: it has to go out before it can become OPENED");
}
