//! What users want to hear of.

use crate::support::{Daemon, json};
use serde_json::Value;

/// Topics come from a seed only.
fn with_topics(daemon: &mut Daemon, topics: &[(&str, &str, &str)]) {
    let customer = daemon.customer("key");
    customer.put("/profiles/somebody", &json!({ "profile": {} })).ok(200);
    daemon.stop();
    let file = rusqlite::Connection::open(daemon.database()).unwrap();
    for (topic_id, name, default_status) in topics {
        let insert = "INSERT INTO topics (environment, topic_id, name, default_status) VALUES (1, ?1, ?2, ?3)";
        file.execute(insert, [topic_id, name, default_status]).unwrap();
    }
    drop(file);
    daemon.open();
}

fn choice(topic_id: &str, status: &str) -> Value {
    json!({ "topic_id": topic_id, "status": status })
}

#[test]
fn a_topic_that_is_not_known_is_opted_in_and_has_its_id_for_a_name() {
    let daemon = Daemon::start();
    let customer = daemon.customer("key");
    let topic = json!({
        "topic_id": "news", "topic_name": "news", "status": "OPTED_IN", "default_status": "OPTED_IN",
        "has_custom_routing": false,
    });
    assert_eq!(customer.get("/users/ada/preferences/news").ok(200), json!({ "topic": topic }));
    customer.delete("/users/ada/preferences/news").done();
    let none = json!({ "items": [], "paging": { "more": false } });
    assert_eq!(customer.get("/users/ada/preferences").ok(200), none);
}

#[test]
fn a_user_chooses_topics_one_by_one() {
    let daemon = Daemon::start();
    let customer = daemon.customer("key");
    let topic = json!({ "topic": {
        "status": "OPTED_OUT", "custom_routing": ["inbox", "email"], "has_custom_routing": true,
        "digest_schedule_id": "x",
    } });
    let path = "/users/ada/preferences/news";
    assert_eq!(customer.put(path, &topic).ok(200), json!({ "message": "success" }));
    let expected = json!({
        "topic_id": "news", "topic_name": "news", "status": "OPTED_OUT", "default_status": "OPTED_IN",
        "has_custom_routing": true, "custom_routing": ["inbox", "email"],
    });
    assert_eq!(customer.get(path).ok(200)["topic"], expected);
    assert_eq!(customer.get("/users/ada/preferences").ok(200)["items"], json!([expected]));
    customer.put(path, &json!({ "topic": { "status": "OPTED_IN", "custom_routing": null } })).ok(200);
    let topic = customer.get(path).ok(200)["topic"].take();
    assert_eq!((&topic["has_custom_routing"], topic.get("custom_routing")), (&json!(false), None));
    customer.delete(path).done();
    assert_eq!(customer.get("/users/ada/preferences").ok(200)["items"], json!([]));
}

#[test]
fn many_choices_are_updated_or_replaced_at_once() {
    let daemon = Daemon::start();
    let customer = daemon.customer("key");
    let path = "/users/ada/preferences";
    let echo = |topic_id: &str, status: &str, routing: Value| {
        let has = !routing.as_array().unwrap().is_empty();
        json!({ "topic_id": topic_id, "status": status, "has_custom_routing": has, "custom_routing": routing })
    };
    let routed =
        json!({ "topic_id": "a", "status": "OPTED_IN", "custom_routing": ["push"], "has_custom_routing": true });
    let updated = customer.post(path, &json!({ "topics": [routed, choice("b", "OPTED_OUT")] })).ok(200);
    let (a, b) = (echo("a", "OPTED_IN", json!(["push"])), echo("b", "OPTED_OUT", json!([])));
    assert_eq!(updated, json!({ "items": [a, b], "errors": [] }));
    customer.post(path, &json!({ "topics": [choice("c", "OPTED_OUT")] })).ok(200);
    let replaced =
        customer.put(path, &json!({ "topics": [choice("d", "OPTED_OUT"), choice("b", "OPTED_IN")] })).ok(200);
    let (b, d) = (echo("b", "OPTED_IN", json!([])), echo("d", "OPTED_OUT", json!([])));
    assert_eq!(replaced, json!({ "items": [b, d], "deleted": ["a", "c"] }));
    let cleared = customer.put(path, &json!({ "topics": [] })).ok(200);
    assert_eq!(cleared, json!({ "items": [], "deleted": ["b", "d"] }));
}

#[test]
fn no_user_opts_out_of_a_required_topic() {
    let mut daemon = Daemon::start();
    with_topics(&mut daemon, &[("security", "Security", "REQUIRED"), ("ads", "Offers", "OPTED_OUT")]);
    let customer = daemon.customer("key");
    let topic = customer.get("/users/ada/preferences/security").ok(200)["topic"].take();
    assert_eq!((&topic["topic_name"], &topic["status"]), (&json!("Security"), &json!("REQUIRED")));
    assert_eq!(customer.get("/users/ada/preferences/ads").ok(200)["topic"]["status"], "OPTED_OUT");

    let out = json!({ "topic": { "status": "OPTED_OUT" } });
    let refusal = customer.put("/users/ada/preferences/security", &out).refused(400);
    assert_eq!(refusal, "topic.status: this topic is REQUIRED; users cannot opt out of it");
    let topics = json!({ "topics": [choice("news", "OPTED_OUT"), choice("security", "OPTED_OUT")] });
    let refusal = customer.put("/users/ada/preferences", &topics).refused(400);
    assert_eq!(refusal, "topics[1].status: this topic is REQUIRED; users cannot opt out of it");
    assert_eq!(customer.get("/users/ada/preferences").ok(200)["items"], json!([]));
    let updated = customer.post("/users/ada/preferences", &topics).ok(200);
    let reason = "this topic is REQUIRED; users cannot opt out of it";
    assert_eq!(updated["errors"], json!([{ "topic_id": "security", "reason": reason }]));
    assert_eq!(updated["items"][0]["topic_id"], "news");
    customer.put("/users/ada/preferences/security", &json!({ "topic": { "status": "OPTED_IN" } })).ok(200);
    // The other environment has no such topic.
    daemon.customer("other").put("/users/ada/preferences/security", &out).ok(200);
}

#[test]
fn choices_belong_to_a_tenant_and_an_environment() {
    let daemon = Daemon::start();
    let (ours, theirs) = (daemon.customer("ours"), daemon.customer("theirs"));
    let out = json!({ "topic": { "status": "OPTED_OUT" } });
    ours.put("/users/ada/preferences/news?tenant_id=acme", &out).ok(200);
    let status = |customer: &crate::support::Customer, tenant: &str| {
        customer.get(&format!("/users/ada/preferences/news{tenant}")).ok(200)["topic"]["status"].take()
    };
    assert_eq!(status(&ours, "?tenant_id=acme"), "OPTED_OUT");
    assert_eq!(status(&ours, ""), "OPTED_IN");
    assert_eq!(status(&ours, "?tenant_id=other"), "OPTED_IN");
    assert_eq!(status(&theirs, "?tenant_id=acme"), "OPTED_IN");
    theirs.put("/users/ada/preferences?tenant_id=acme", &json!({ "topics": [] })).ok(200);
    ours.put("/users/ada/preferences", &json!({ "topics": [] })).ok(200);
    theirs.delete("/users/ada/preferences/news?tenant_id=acme").done();
    ours.delete("/users/ada/preferences/news").done();
    assert_eq!(ours.get("/users/ada/preferences?tenant_id=acme").ok(200)["items"].as_array().unwrap().len(), 1);
}

#[test]
fn what_is_no_choice_is_refused_by_its_path() {
    let daemon = Daemon::start();
    let customer = daemon.customer("key");
    let many: Vec<Value> = (0..51).map(|i| choice(&i.to_string(), "OPTED_IN")).collect();
    let (all, one) = ("/users/ada/preferences", "/users/ada/preferences/news");
    let cases = [
        ("POST", all, json!({ "topics": [] }), "topics: expected 1 to 50, found 0"),
        ("POST", all, json!({ "topics": many }), "topics: expected 1 to 50, found 51"),
        ("PUT", all, json!({ "topics": many }), "topics: expected 0 to 50, found 51"),
        ("PUT", all, json!({}), "the body: expected a field 'topics'"),
        (
            "POST",
            all,
            json!({ "topics": [choice("a", "OPTED_IN"), { "status": "OPTED_IN" }] }),
            "topics[1]: expected a field 'topic_id'",
        ),
        ("POST", all, json!({ "topics": [choice("", "OPTED_IN")] }), "topics[0].topic_id: "),
        ("POST", all, json!({ "topics": [choice("a", "MAYBE")] }), "topics[0].status: expected OPTED_IN or OPTED_OUT"),
        (
            "POST",
            all,
            json!({ "topics": [choice("a", "REQUIRED")] }),
            "topics[0].status: expected OPTED_IN or OPTED_OUT",
        ),
        ("POST", all, json!({ "topics": ["a"] }), "topics[0]: expected an object"),
        ("PUT", one, json!({ "topic": "OPTED_OUT" }), "topic: expected an object"),
        ("PUT", one, json!({ "topic": {} }), "topic: expected a field 'status'"),
        ("PUT", one, json!({ "status": "OPTED_OUT" }), "the body: expected a field 'topic'"),
        (
            "PUT",
            one,
            json!({ "topic": { "status": "OPTED_IN", "custom_routing": ["email", "fax"] } }),
            "topic.custom_routing[1]: expected one of email, ",
        ),
    ];
    for (method, path, body, expected) in cases {
        let refusal = customer.send(method, path, Some(&body.to_string())).refused(400);
        assert!(refusal.starts_with(expected), "{method} {path}: {refusal}");
    }
    assert_eq!(customer.get(all).ok(200)["items"], json!([]));
}

#[test]
fn what_was_sent_of_a_topic_counts_from_the_first_request_of_an_environment_on() {
    let daemon = Daemon::start();
    let acme = daemon.customer("acme");
    for _ in 0..2 {
        let preferences = json!({ "categories": { "news": { "status": "OPTED_OUT" } } });
        let message = json!({
            "to": { "email": "ada@example.com", "preferences": preferences },
            "preferences": { "subscription_topic_id": "news" },
            "content": { "title": "News", "body": "Hello" },
        });
        let request_id = acme.post("/send", &json!({ "message": message })).ok(202)["requestId"].take();
        let path = format!("/_bulkd/outbox?fields=all&message_id={}", request_id.as_str().unwrap());
        assert_eq!(acme.get(&path).ok(200)["items"][0]["reason"], "UNSUBSCRIBED");
    }
}
