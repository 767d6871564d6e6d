//! How messages end whose recipient or address a test has named, and what happens to them later.

use std::time::Duration;

use crate::support::receiver::Receiver;
use crate::support::{Customer, Daemon, NOW, PATIENCE, json, newsletter, readers};
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
