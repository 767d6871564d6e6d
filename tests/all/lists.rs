//! Lists of users, and who is on them.

use std::time::Duration;

use crate::support::{Customer, Daemon, json};
use serde_json::Value;

const AT: &str = "2026-09-21T14:13:20.000Z";

fn ids(customer: &Customer, path: &str) -> Vec<String> {
    let page = customer.get(path).ok(200);
    page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

fn subscribers(customer: &Customer, list_id: &str) -> Vec<String> {
    let page = customer.get(&format!("/lists/{list_id}/subscriptions")).ok(200);
    page["items"].as_array().unwrap().iter().map(|item| item["recipientId"].as_str().unwrap().to_owned()).collect()
}

fn recipients(user_ids: &[&str]) -> Value {
    let recipients: Vec<Value> = user_ids.iter().map(|user_id| json!({ "recipientId": user_id })).collect();
    json!({ "recipients": recipients })
}

#[test]
fn a_list_is_made_renamed_deleted_and_restored() {
    let daemon = Daemon::start();
    let customer = daemon.customer("key");
    customer.get("/lists/news").refused(404);
    customer.put("/lists/news/restore", &json!({})).refused(404);
    customer.put("/lists/news", &json!({ "name": "News", "preferences": null })).done();
    let made = json!({ "id": "news", "name": "News", "created": AT, "updated": AT });
    assert_eq!(customer.get("/lists/news").ok(200), made);
    daemon.clock.advance(Duration::from_millis(1_500));
    customer.put("/lists/news", &json!({ "name": "News" })).done();
    assert_eq!(customer.get("/lists/news").ok(200), made);
    customer.put("/lists/news", &json!({ "name": "Product news" })).done();
    let renamed = json!({ "id": "news", "name": "Product news", "created": AT, "updated": "2026-09-21T14:13:21.500Z" });
    assert_eq!(customer.get("/lists/news").ok(200), renamed);

    customer.put("/lists/news/subscriptions/ada", &json!({})).done();
    customer.delete("/lists/news").done();
    customer.delete("/lists/news").done();
    customer.get("/lists/news").refused(404);
    customer.get("/lists/news/subscriptions").refused(404);
    customer.delete("/lists/news/subscriptions/ada").refused(404);
    assert_eq!(customer.get("/lists").ok(200), json!({ "items": [], "paging": { "more": false } }));
    assert_eq!(customer.get("/profiles/ada/lists").ok(200)["results"], json!([]));
    for _ in 0..2 {
        customer.send("PUT", "/lists/news/restore", None).done();
        assert_eq!(customer.get("/lists/news").ok(200), renamed);
        assert_eq!(subscribers(&customer, "news"), ["ada"]);
    }
}

#[test]
fn a_deleted_list_that_is_made_again_begins_anew() {
    let daemon = Daemon::start();
    let customer = daemon.customer("key");
    customer.post("/lists/news/subscriptions", &recipients(&["ada"])).done();
    customer.delete("/lists/news").done();
    daemon.clock.advance(Duration::from_secs(1));
    customer.put("/lists/news/subscriptions/bob", &json!({})).done();
    assert_eq!(subscribers(&customer, "news"), ["bob"]);
    assert_eq!(customer.get("/lists/news").ok(200)["created"], "2026-09-21T14:13:21.000Z");
}

#[test]
fn lists_are_found_by_pattern_and_paged_in_the_order_of_their_ids() {
    let daemon = Daemon::start();
    let customer = daemon.customer("key");
    for list_id in ["eu.de.news", "us.news", "eu.fr.news", "eu.de", "eu.de.news.daily", "eu2.x.y"] {
        customer.put(&format!("/lists/{list_id}"), &json!({ "name": list_id })).done();
    }
    let all = ["eu.de", "eu.de.news", "eu.de.news.daily", "eu.fr.news", "eu2.x.y", "us.news"];
    assert_eq!(ids(&customer, "/lists"), all);
    assert_eq!(ids(&customer, "/lists?pattern=undefined&cursor=undefined"), all);
    assert_eq!(ids(&customer, "/lists?pattern=eu.*.news&cursor=cursor"), ["eu.de.news", "eu.fr.news"]);
    assert_eq!(ids(&customer, "/lists?pattern=eu.**"), &all[..4]);
    assert_eq!(ids(&customer, "/lists?pattern=**.news"), ["eu.de.news", "eu.fr.news", "us.news"]);
    assert_eq!(ids(&customer, "/lists?pattern=us.news"), ["us.news"]);
    assert_eq!(ids(&customer, "/lists?pattern=us"), [""; 0]);

    let (mut found, mut path) = (Vec::new(), "/lists?limit=2".to_owned());
    loop {
        found.extend(ids(&customer, &path));
        let page = customer.get(&path).ok(200);
        let Some(cursor) = page["paging"]["cursor"].as_str() else { break };
        path = format!("/lists?limit=2&cursor={cursor}");
    }
    assert_eq!(found, all);
    let cursor = customer.get("/lists?limit=2").ok(200)["paging"]["cursor"].as_str().unwrap().to_owned();
    let refusal = customer.get(&format!("/lists/eu.de/subscriptions?cursor={cursor}")).refused(400);
    assert_eq!(refusal, "cursor: this cursor belongs to another list");
    assert_eq!(customer.get("/lists?cursor=x").refused(400), "cursor: expected the 'cursor' of an earlier answer");
}

#[test]
fn subscriptions_are_added_replaced_and_removed() {
    let daemon = Daemon::start();
    let customer = daemon.customer("key");
    let preferences = json!({ "notifications": { "welcome": {
        "status": "OPTED_IN",
        "channel_preferences": [{ "channel": "direct_message" }],
        "rules": [{ "until": "until", "start": "start" }],
    } } });
    let ada = json!({ "recipientId": "ada", "preferences": preferences });
    customer.post("/lists/news/subscriptions", &json!({ "recipients": [ada, { "recipientId": "bob" }] })).done();
    assert_eq!(customer.get("/lists/news").ok(200)["name"], "news");
    daemon.clock.advance(Duration::from_secs(1));
    // Subscriptions that exist already stay as they are.
    customer.post("/lists/news/subscriptions", &recipients(&["ada", "cy", "cy"])).done();
    let later = "2026-09-21T14:13:21.000Z";
    let page = customer.get("/lists/news/subscriptions").ok(200);
    let expected = json!([
        { "recipientId": "ada", "created": AT, "preferences": preferences },
        { "recipientId": "bob", "created": AT },
        { "recipientId": "cy", "created": later },
    ]);
    assert_eq!(page, json!({ "items": expected, "paging": { "more": false } }));

    customer.put("/lists/news/subscriptions", &recipients(&["dan", "ada"])).done();
    let page = customer.get("/lists/news/subscriptions").ok(200);
    assert_eq!(
        page["items"],
        json!([{ "recipientId": "ada", "created": AT }, { "recipientId": "dan", "created": later }])
    );
    customer.put("/lists/news/subscriptions/bob", &json!({ "preferences": preferences })).done();
    customer.delete("/lists/news/subscriptions/ada").done();
    customer.delete("/lists/news/subscriptions/ada").done();
    assert_eq!(subscribers(&customer, "news"), ["bob", "dan"]);
    customer.put("/lists/news/subscriptions", &recipients(&[])).done();
    assert_eq!(subscribers(&customer, "news"), [""; 0]);
    customer.get("/lists/unknown/subscriptions").refused(404);
    customer.delete("/lists/unknown/subscriptions/ada").refused(404);
}

#[test]
fn many_subscriptions_come_page_by_page() {
    let daemon = Daemon::start();
    let customer = daemon.customer("key");
    let user_ids: Vec<String> = (0..250).map(|i| format!("user {i:03}/\u{e9}")).collect();
    customer
        .post("/lists/news/subscriptions", &recipients(&user_ids.iter().map(|it| &**it).collect::<Vec<_>>()))
        .done();
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = customer.get(&format!("/lists/news/subscriptions?cursor={cursor}")).ok(200);
        found.extend(page["items"].as_array().unwrap().iter().map(|item| item["recipientId"].clone()));
        let Some(next) = page["paging"]["cursor"].as_str() else { break };
        assert_eq!(found.len() % 100, 0);
        next.clone_into(&mut cursor);
    }
    assert!(found == user_ids);
}

#[test]
fn what_is_no_list_is_refused_by_its_path() {
    let daemon = Daemon::start();
    let customer = daemon.customer("key");
    let news = "/lists/news/subscriptions";
    let wrong = |preferences: Value| json!({ "recipients": [{ "recipientId": "a" }, { "recipientId": "b", "preferences": preferences }] });
    let cases = [
        ("PUT", "/lists/a.b.c.d.e", json!({ "name": "x" }), "list_id: expected the id of a list"),
        ("PUT", "/lists/a.*", json!({ "name": "x" }), "list_id: expected the id of a list"),
        ("PUT", "/lists/news", json!({}), "the body: expected a field 'name'"),
        ("PUT", "/lists/news", json!({ "name": 1 }), "name: expected a string"),
        ("PUT", "/lists/news", json!({ "name": "x", "preferences": [] }), "preferences: expected an object"),
        ("POST", "/lists/a..b/subscriptions", recipients(&["a"]), "list_id: "),
        ("POST", news, json!({}), "the body: expected a field 'recipients'"),
        ("PUT", news, json!({ "recipients": {} }), "recipients: expected an array"),
        ("POST", news, json!({ "recipients": ["a"] }), "recipients[0]: expected an object"),
        ("POST", news, json!({ "recipients": [{}] }), "recipients[0]: expected a field 'recipientId'"),
        ("POST", news, recipients(&["a", ""]), "recipients[1].recipientId: expected a user's id"),
        (
            "POST",
            news,
            wrong(json!({ "categories": { "x": { "status": "MAYBE" } } })),
            "recipients[1].preferences.categories.x.status: expected one of OPTED_IN, OPTED_OUT, REQUIRED",
        ),
        (
            "PUT",
            news,
            wrong(json!({ "notifications": { "x": {} } })),
            "recipients[1].preferences.notifications.x: expected a field 'status'",
        ),
        (
            "PUT",
            "/lists/news/subscriptions/a",
            json!({ "preferences": { "categories": { "x": {
            "status": "OPTED_IN", "channel_preferences": [{ "channel": "pigeon" }] } } } }),
            "preferences.categories.x.channel_preferences[0].channel: expected one of email",
        ),
    ];
    for (method, path, body, expected) in cases {
        let refusal = customer.send(method, path, Some(&body.to_string())).refused(400);
        assert!(refusal.starts_with(expected), "{method} {path}: {refusal}");
    }
    assert_eq!(ids(&customer, "/lists"), [""; 0]);
}

#[test]
fn a_list_belongs_to_one_environment() {
    let daemon = Daemon::start();
    let (ours, theirs) = (daemon.customer("ours"), daemon.customer("theirs"));
    ours.post("/lists/news/subscriptions", &recipients(&["ada"])).done();
    theirs.get("/lists/news").refused(404);
    theirs.delete("/lists/news").done();
    theirs.put("/lists/news", &json!({ "name": "Theirs" })).done();
    theirs.put("/lists/news/subscriptions", &recipients(&["eve"])).done();
    theirs.delete("/lists/news").done();
    assert_eq!(ours.get("/lists/news").ok(200)["name"], "news");
    assert_eq!(subscribers(&ours, "news"), ["ada"]);
    assert_eq!(ids(&theirs, "/lists"), [""; 0]);
}
