//! The first form of a send: an event beside its recipient, or beside lists.

use crate::support::binary::Binary;
use crate::support::{Customer, Daemon, json, wait_until};
use serde_json::Value;

fn send(customer: &Customer, body: Value) -> String {
    customer.post("/send", &body).ok(200)["messageId"].as_str().unwrap().to_owned()
}

fn went_out(customer: &Customer, message_id: &str) -> Value {
    customer.get(&format!("/_bulkd/outbox?fields=all&message_id={message_id}")).ok(200)["items"][0].take()
}

/// A published template with the alias `order-shipped`.
fn order_shipped(customer: &Customer) {
    let content = json!({ "version": "2022-01-01", "elements": [
        { "type": "meta", "title": "Order {{number}}" },
        { "type": "text", "content": "Shipped to {{profile.name}}, {{profile.city}}." },
    ] });
    let template = json!({
        "notification": { "name": "Shipped", "alias": "order-shipped", "content": content, "tags": [],
            "brand": null, "routing": null, "subscription": null },
        "state": "PUBLISHED",
    });
    customer.post("/notifications", &template).ok(201);
}

#[test]
fn an_event_goes_to_its_recipient_with_the_profile_over_the_stored_one() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    order_shipped(&customer);
    let stored = json!({ "email": "old@example.com", "name": "Ada", "city": "Bath" });
    customer.put("/profiles/ada", &json!({ "profile": stored })).ok(200);
    let brand = json!({ "id": "acme", "name": "Acme", "settings": { "colors": { "primary": "#123456" } } });
    customer.post("/brands", &brand).ok(200);
    let body = json!({
        "event": "order-shipped", "recipient": "ada", "data": { "number": 7 }, "brand": "acme",
        "profile": { "email": "ada@example.com", "city": "Oslo" },
        "override": { "sendgrid": { "body": { "categories": ["orders"] } } },
    });
    let message_id = send(&customer, body.clone());
    let went = went_out(&customer, &message_id);
    assert_eq!((&went["recipient"], &went["address"]), (&json!("ada"), &json!("ada@example.com")));
    assert_eq!((&went["subject"], &went["body"]), (&json!("Order 7"), &json!("Shipped to Ada, Oslo.")));
    assert_eq!(went["request"]["categories"], json!(["orders"]));
    let record = customer.get(&format!("/messages/{message_id}")).ok(200);
    assert_eq!((&record["status"], &record["event"]), (&json!("SENT"), &json!("order-shipped")));

    // Only the recipient and what is stored.
    let least = went_out(&customer, &send(&customer, json!({ "event": "order-shipped", "recipient": "ada" })));
    assert_eq!((&least["address"], &least["body"]), (&json!("old@example.com"), &json!("Shipped to Ada, Bath.")));
    let resent = customer.post(&format!("/messages/{message_id}/resend"), &json!({})).ok(202);
    let again = went_out(&customer, resent["messageId"].as_str().unwrap());
    assert_eq!((&again["address"], &again["body"]), (&went["address"], &went["body"]));

    let once = customer.once("shipped-7");
    assert_eq!(once.post("/send", &body).ok(200), once.post("/send", &body).ok(200));
    assert_eq!(customer.get("/messages?recipient=ada").ok(200)["results"].as_array().unwrap().len(), 4);
}

#[test]
fn preferences_beside_an_event_decide() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    order_shipped(&customer);
    let outcome = |preferences: Value| {
        let body = json!({
            "event": "order-shipped", "recipient": "ada", "preferences": preferences,
            "profile": { "email": "ada@example.com", "phone_number": "+15551234567" },
        });
        let record = customer.get(&format!("/messages/{}", send(&customer, body))).ok(200);
        (record["status"].as_str().unwrap().to_owned(), record["providers"][0]["channel"]["key"].clone())
    };
    let of_event = |choice: Value| json!({ "categories": {}, "notifications": { "order-shipped": choice } });
    assert_eq!(outcome(of_event(json!({ "status": "OPTED_OUT" }))).0, "UNDELIVERABLE");
    let sms = json!({ "status": "OPTED_IN", "channel_preferences": [{ "channel": "sms" }] });
    assert_eq!(outcome(of_event(sms)), ("SENT".to_owned(), json!("sms")));
    assert_eq!(outcome(Value::Null), ("SENT".to_owned(), json!("email")));
}

#[test]
fn an_event_goes_to_the_subscribers_of_a_list_or_a_pattern() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    order_shipped(&customer);
    for (list, user) in [("orders.eu", "ada"), ("orders.us", "bob"), ("news", "cy")] {
        customer.put(&format!("/lists/{list}/subscriptions/{user}"), &json!({})).done();
        let profile = json!({ "email": format!("{user}@example.com"), "name": user, "city": "Oslo" });
        customer.put(&format!("/profiles/{user}"), &json!({ "profile": profile })).ok(200);
    }
    for (to, expected) in [
        (json!({ "list": "news" }), vec!["cy@example.com"]),
        (json!({ "pattern": "orders.*" }), vec!["ada@example.com", "bob@example.com"]),
        (json!({ "list": "nobody.reads.this" }), vec![]),
    ] {
        let mut body = json!({ "event": "order-shipped", "data": { "number": 9 }, "brand": null, "override": {} });
        body.as_object_mut().unwrap().extend(to.as_object().unwrap().clone());
        let message_id = customer.post("/send/list", &body).ok(200)["messageId"].as_str().unwrap().to_owned();
        let mut found = Vec::new();
        wait_until("every subscriber is reached", || {
            found = customer.outbox(&message_id);
            found.len() == expected.len()
        });
        assert!(found.iter().all(|it| it["subject"] == "Order 9"), "{found:?}");
        let mut addresses: Vec<&str> = found.iter().map(|it| it["address"].as_str().unwrap()).collect();
        addresses.sort_unstable();
        assert_eq!(addresses, expected);
    }
}

#[test]
fn a_first_form_that_cannot_be_is_refused_by_its_field() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    for (path, body, expected) in [
        ("/send", json!({}), "the body: expected a field 'message'"),
        ("/send", json!({ "message": null }), "the body: expected a field 'message'"),
        ("/send", json!({ "event": "e" }), "the body: expected a field 'recipient'"),
        ("/send", json!({ "recipient": "ada" }), "the body: expected a field 'event'"),
        ("/send", json!({ "event": "", "recipient": "ada" }), "event: expected a text, found an empty string"),
        ("/send", json!({ "event": "e", "recipient": "" }), "recipient: expected a text, found an empty string"),
        ("/send", json!({ "event": "e", "recipient": 5 }), "recipient: expected a string, found integer 5"),
        ("/send", json!({ "event": "e", "recipient": "a", "profile": "p" }), "profile: expected an object, found a s"),
        ("/send", json!({ "event": "e", "recipient": "a", "override": 1 }), "override: expected an object, found a nu"),
        ("/send", json!({ "event": "e", "recipient": "a", "brand": {} }), "brand: expected a string, found an object"),
        ("/send/list", json!({ "event": "e" }), "the body: expected either 'list' or 'pattern'"),
        ("/send/list", json!({ "event": "e", "list": "a", "pattern": "b" }), "the body: expected either 'list' or"),
        ("/send/list", json!({ "event": "e", "list": "" }), "list: expected a text, found an empty string"),
        ("/send/list", json!({ "list": "a" }), "the body: expected a field 'event'"),
    ] {
        let refused = customer.post(path, &body).refused(400);
        assert!(refused.starts_with(expected), "said     {refused}\nexpected {expected}");
    }
    assert_eq!(customer.get("/messages").ok(200)["results"], json!([]));
}

#[test]
fn what_is_told_of_a_first_form_is_called_as_it_calls_it() {
    let daemon = Binary::start(&["--listen", ":0", "--ephemeral"]);
    let customer = daemon.customer("acme");
    order_shipped(&customer);
    customer.put("/lists/news/subscriptions/ada", &json!({})).done();
    customer.put("/profiles/ada", &json!({ "profile": { "email": "ada@example.com" } })).ok(200);
    let overriding =
        json!({ "channel": { "email": { "subjekt": "S" } }, "twilio": { "config": { "authToken": "t" } } });
    let told = |title: &str| {
        daemon.logs(&format!("{title}: override.channel.email.subjekt has no effect"));
        daemon.logs(&format!("{title}: override.twilio.config.authToken has no effect"));
    };
    // Where it comes, and where its job is run.
    let to_bob = json!({ "event": "order-shipped", "recipient": "bob", "override": overriding });
    send(&customer, to_bob);
    told("a send to 'bob'");
    let to_list = json!({ "event": "order-shipped", "list": "news", "override": overriding });
    let job_id = customer.post("/send/list", &to_list).ok(200)["messageId"].as_str().unwrap().to_owned();
    told(&format!("job {job_id}"));
    // Where it is sent again.
    let resend = |job_id: &str| {
        wait_until("the subscriber is reached", || !customer.outbox(job_id).is_empty());
        let message_id = customer.outbox(job_id)[0]["message_id"].as_str().unwrap().to_owned();
        customer.post(&format!("/messages/{message_id}/resend"), &json!({})).ok(202);
    };
    resend(&job_id);
    told("a send to 'ada'");
    assert!(!daemon.stderr().contains("message.override"), "{}", daemon.stderr());
    // The second form keeps its own names.
    let second = json!({ "to": { "list_id": "news" }, "template": "order-shipped", "override": overriding });
    let job_id =
        customer.post("/send", &json!({ "message": second })).ok(202)["requestId"].as_str().unwrap().to_owned();
    daemon.logs(&format!("job {job_id}: message.override.twilio.config.authToken has no effect"));
    resend(&job_id);
    daemon.logs("a send to 'ada': message.override.twilio.config.authToken has no effect");
}
