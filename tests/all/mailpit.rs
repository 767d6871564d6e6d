//! Mailpit's API over the e-mails of an environment. Its clients themselves are driven by `tests/mailpit/run`.

use serde_json::Value;

use crate::support::{Customer, Daemon, json};

fn daemon() -> Daemon {
    Daemon::start_with(|config| config.mailpit_key = Some("acme".to_owned()))
}

/// Sends an e-mail and returns its id.
fn send(customer: &Customer, email: &str, subject: &str, overriding: Value) -> String {
    let content = json!({ "title": subject, "body": "Your code is 123456" });
    let message =
        json!({ "to": { "email": email }, "content": content, "channels": { "email": { "override": overriding } } });
    let sent = customer.post("/send", &json!({ "message": message })).ok(202);
    sent["requestId"].as_str().unwrap().to_owned()
}

#[test]
fn emails_are_listed_searched_shown_and_hidden() {
    let daemon = daemon();
    let (customer, mailbox) = (daemon.customer("acme"), daemon.customer("acme").without_key());
    let first = send(&customer, "ada@example.com", "First", json!({}));
    let cc = json!({ "cc": "Bob <bob@example.com>", "from": "Acme <hello@acme.test>" });
    let second = send(&customer, "vada@example.com", "Second one", cc);
    customer
        .post("/send", &json!({ "message": { "to": { "phone_number": "+15550100" }, "content": { "body": "x" } } }));
    send(&daemon.customer("other"), "ada@example.com", "Of another", json!({}));

    let listed = mailbox.get("/api/v1/messages").ok(200);
    let ids = |page: &Value| {
        page["messages"].as_array().unwrap().iter().map(|it| it["ID"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&listed), [second.as_str(), first.as_str()]);
    assert_eq!((&listed["total"], &listed["unread"]), (&json!(2), &json!(2)));
    assert_eq!(listed["messages"][1]["To"], json!([{ "Name": "", "Address": "ada@example.com" }]));
    assert!(listed["messages"][1]["Snippet"].as_str().unwrap().contains("Your code is 123456"));
    assert_eq!(ids(&mailbox.get("/api/v1/messages?start=1&limit=1").ok(200)), [first.as_str()]);

    let found = |query: &str| ids(&mailbox.get(&format!("/api/v1/search?query={query}")).ok(200));
    // A whole address, and not a part of another one.
    assert_eq!(found("to:ada@example.com"), [first.as_str()]);
    assert_eq!(found("addressed:%22ADA@example.com%22"), [first.as_str()]);
    assert_eq!(found("cc:bob@example.com"), [second.as_str()]);
    assert_eq!(found("from:acme"), [second.as_str()]);
    assert_eq!(found("subject:%22second%20one%22"), [second.as_str()]);
    assert_eq!(found("123456%20-subject:first"), [second.as_str()]);
    assert!(found("to:nobody@example.com").is_empty());
    assert_eq!(found("!subject:first"), [second.as_str()]);
    assert_eq!(found("%22code%20is%22%20-%22second%20one%22"), [first.as_str()]);
    assert_eq!(found(&format!("message-id:{first}")), [first.as_str()]);
    assert_eq!(found("before:2026-09-21T14:13:20Z%20after:2026-09-21"), [second.as_str(), first.as_str()]);
    assert!(found("after:2026-09-22").is_empty() && found("before:%222026-09-21%2010:00%22").is_empty());
    // Nine in the morning there is one in the afternoon in UTC.
    assert_eq!(found("after:2026-09-21T10:13:20&tz=America/New_York").len(), 2);
    assert_eq!(found("smaller:1M%20-larger:1M").len(), 2);
    assert!(found("larger:1.5mb").is_empty() && found("has:attachment").is_empty() && found("has:inline").is_empty());
    assert!(found("tag:news").is_empty() && found("is:tagged").is_empty());
    assert_eq!((found("-tag:news").len(), found("-is:read").len()), (2, 2));
    // A colon in a word like any other.
    assert!(found("no:such").is_empty());
    for (query, message) in [
        ("is:lost", "query: is: expected read, unread or tagged, found 'lost'"),
        ("has:x", "query: has: expected attachment or inline"),
        ("before:soon", "query: before: expected a date"),
        ("larger:big", "query: larger: expected a size"),
    ] {
        let refused = mailbox.get(&format!("/api/v1/search?query={query}")).refused(400);
        assert!(refused.starts_with(message), "{refused}");
    }
    let refused = mailbox.send("PUT", "/api/v1/messages", Some("{\"Read\":true,\"Search\":\"is:lost\"}"));
    assert!(refused.refused(400).starts_with("Search: is: expected"));
    mailbox.get("/api/v1/search").refused(400);

    let mail = mailbox.get(&format!("/api/v1/message/{second}")).ok(200);
    assert_eq!(mail["From"], json!({ "Name": "Acme", "Address": "hello@acme.test" }));
    assert!(mail["HTML"].as_str().unwrap().contains("Your code is 123456"));
    assert_eq!(mailbox.get("/api/v1/message/latest").ok(200)["ID"], second);
    assert_eq!(found("is:unread"), [first.as_str()]);
    let view = mailbox.get(&format!("/view/{second}.html"));
    assert_eq!(view.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(view.header("content-security-policy").unwrap().starts_with("sandbox"), "{view:?}");
    assert!(mailbox.get("/view/latest.txt").text.contains("Your code is 123456"));
    assert!(mailbox.get(&format!("/api/v1/message/{second}/raw")).text.contains("Subject: Second one\r\n"));
    assert_eq!(mailbox.get(&format!("/api/v1/message/{second}/headers")).ok(200)["Subject"], json!(["Second one"]));
    mailbox.get("/api/v1/message/no-such").refused(404);

    let hide = |body: Option<&str>| assert_eq!(mailbox.send("DELETE", "/api/v1/messages", body).text, "ok");
    hide(Some(&json!({ "IDs": [second] }).to_string()));
    assert_eq!(ids(&mailbox.get("/api/v1/messages").ok(200)), [first.as_str()]);
    mailbox.get(&format!("/api/v1/message/{second}")).refused(404);
    hide(None);
    assert!(ids(&mailbox.get("/api/v1/messages").ok(200)).is_empty());
    let third = send(&customer, "ada@example.com", "Third", json!({}));
    assert_eq!(ids(&mailbox.get("/api/v1/messages").ok(200)), [third.as_str()]);
    // The outbox keeps them.
    assert_eq!(customer.get("/_bulkd/outbox").ok(200)["items"].as_array().unwrap().len(), 4);
}

#[test]
fn without_the_flag_there_is_no_mailbox() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    assert!(customer.get("/api/v1/messages").refused(404).contains("--mailpit-api"));
    let daemon = Daemon::start_with(|config| {
        config.mailpit_key = Some("acme".to_owned());
        config.api_keys = vec!["acme".to_owned()];
    });
    let page = daemon.customer("acme").without_key().with_header("Origin", "https://evil.test");
    page.get("/api/v1/messages").refused(403);
}
