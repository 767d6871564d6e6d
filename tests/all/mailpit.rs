//! Mailpit's API over the e-mails of an environment. Its clients themselves are driven by `tests/mailpit/run`.

use serde_json::Value;

use crate::support::{Customer, Daemon, json, wait_until};

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

fn ids(mailbox: &Customer, query: &str) -> Vec<String> {
    let page = mailbox.get(&format!("/api/v1/search?query={query}")).ok(200);
    page["messages"].as_array().unwrap().iter().map(|it| it["ID"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_is_no_list_of_ids_hides_nothing() {
    let daemon = daemon();
    let (customer, mailbox) = (daemon.customer("acme"), daemon.customer("acme").without_key());
    let sent: Vec<String> = (0..3).map(|i| send(&customer, "ada@example.com", &format!("No {i}"), json!({}))).collect();
    let hide = |body: &str| mailbox.send("DELETE", "/api/v1/messages", Some(body));
    for (body, member) in [
        (r#"{"id": "x"}"#, "the body"),
        (r#"{"IDs": "x"}"#, "IDs"),
        (r#"{"IDs": [1]}"#, "IDs"),
        (r#"{"IDs": {}}"#, "IDs"),
        (r#"{"Search": "No"}"#, "the body"),
        (r#""x""#, "the body"),
        ("null", "the body"),
        // An empty list is an object without members elsewhere, and here that would be all.
        ("[]", "the body: expected an object, found an array"),
        (r#"["x"]"#, "the body: expected an object, found an array"),
        ("{", ""),
    ] {
        let refusal = hide(body).refused(400);
        assert!(refusal.starts_with(member), "{body}: {refusal}");
    }
    let mark = |body: &str| mailbox.send("PUT", "/api/v1/messages", Some(body));
    for body in [r#"{"Read": "yes"}"#, r#"{"Seen": true}"#, r#"{"IDs": ["x"], "Search": "y"}"#, "[]", ""] {
        mark(body).refused(400);
    }
    assert_eq!(ids(&mailbox, "is:unread").len(), 3);
    // Names are known whatever their case, as by Mailpit.
    assert_eq!(hide(&json!({ "ids": [sent[0]] }).to_string()).text, "ok");
    assert_eq!(ids(&mailbox, "no"), [sent[2].as_str(), sent[1].as_str()]);
    assert_eq!(hide("{}").text, "ok");
    assert!(ids(&mailbox, "no").is_empty());
}

#[test]
fn a_restored_snapshot_has_the_marks_of_its_time() {
    let daemon = daemon();
    let (customer, mailbox) = (daemon.customer("acme"), daemon.customer("acme").without_key());
    let sent: Vec<String> = (0..3).map(|i| send(&customer, "ada@example.com", &format!("No {i}"), json!({}))).collect();
    let hide = |ids: Value| mailbox.send("DELETE", "/api/v1/messages", Some(&json!({ "IDs": ids }).to_string()));
    hide(json!([sent[0]]));
    mailbox.get(&format!("/api/v1/message/{}", sent[1])).ok(200);
    customer.put("/_bulkd/snapshots/before", &json!({})).ok(200);
    mailbox.get(&format!("/api/v1/message/{}", sent[2])).ok(200);
    hide(json!([]));
    send(&customer, "ada@example.com", "No 3", json!({}));
    customer.post("/_bulkd/snapshots/before/restore", &json!({})).ok(200);
    assert_eq!(ids(&mailbox, "no"), [sent[2].as_str(), sent[1].as_str()]);
    assert_eq!(ids(&mailbox, "is:read"), [sent[1].as_str()]);
    // What is done elsewhere is no business of this mailbox.
    let other = daemon.customer("other");
    other.put("/_bulkd/snapshots/before", &json!({})).ok(200);
    hide(json!([sent[2]]));
    other.post("/_bulkd/snapshots/before/restore", &json!({})).ok(200);
    assert_eq!(ids(&mailbox, "no"), [sent[1].as_str()]);
}

#[test]
fn a_search_finds_the_same_once_an_index_knows_the_texts() {
    let daemon = daemon();
    let (customer, mailbox) = (daemon.customer("acme"), daemon.customer("acme").without_key());
    let plain = |name: &str| send(&customer, &format!("{name}@example.com"), &format!("Hello {name}"), json!({}));
    let mut sent: Vec<String> = ["ada", "bob", "grace"].map(plain).into();
    // What an override, a brand and a template say stands in the e-mail, and nowhere in the row.
    let overriding =
        json!({ "text": "A meteor", "subject": "Comet", "cc": "cy@copies.test", "from": "Sun <sol@acme.test>" });
    sent.push(send(&customer, "dan@example.com", "Hello dan", overriding));
    let settings = json!({ "email": { "footer": { "content": "Galaxies Ltd" } } });
    customer.post("/brands", &json!({ "id": "acme", "name": "Acme", "settings": settings })).ok(200);
    let branded =
        json!({ "to": { "email": "eve@example.com" }, "brand_id": "acme", "content": { "title": "E", "body": "b" } });
    // The name of a member may be written with escapes.
    let escaped = r#"{"message": {"to": {"email": "fay@example.com"}, "content": {"title": "F", "body": "b"},
        "channels": {"email": {"\u006fverride": {"text": "A quasar"}}}}}"#;
    let named = json!({
        "to": { "email": "\"Ivy \\\"Q\\\" Ray\" <ivy@b\u{fc}cher.example>" }, "content": { "title": "I", "body": "b" },
    });
    for sending in
        [json!({ "message": branded }).to_string(), escaped.to_owned(), json!({ "message": named }).to_string()]
    {
        let id = customer.post_text("/send", &sending).ok(202)["requestId"].as_str().unwrap().to_owned();
        sent.push(id);
    }
    let searches: [(&str, &[usize]); 16] = [
        ("hello", &[2, 1, 0]),
        ("hello%20ada", &[0]),
        ("to:bob@example.com", &[1]),
        ("addressed:grace@example.com", &[2]),
        ("subject:grace", &[2]),
        ("meteor", &[3]),
        ("subject:comet", &[3]),
        ("cy@copies.test", &[3]),
        ("from:sol", &[3]),
        ("galaxies", &[4]),
        ("quasar", &[5]),
        ("to:ivy@xn--bcher-kva.example", &[6]),
        ("%22ivy%20%5C%22q%22", &[]),
        ("ray", &[6]),
        // The sender of all those that name none.
        ("no-reply@example.com", &[6, 5, 4, 2, 1, 0]),
        ("hello%20-ada", &[2, 1]),
    ];
    let compare = |when: &str| {
        for (query, expected) in searches {
            let expected: Vec<&str> = expected.iter().map(|i| sent[*i].as_str()).collect();
            assert_eq!(ids(&mailbox, query), expected, "{query}, {when}");
        }
    };
    compare("without an index");
    let indexed = format!("bulkd_messages_indexed {}", sent.len());
    wait_until("all are indexed", || customer.get("/_bulkd/metrics").text.lines().any(|line| line == indexed));
    compare("by an index");
    let page = mailbox.get("/api/v1/search?query=hello&limit=1&start=1").ok(200);
    let counts = ["total", "unread", "messages_count", "count"].map(|name| page[name].as_i64().unwrap());
    assert_eq!(counts, [7, 7, 3, 1]);
}

#[test]
fn lists_without_anything_are_empty_and_never_null() {
    let daemon = daemon();
    let (customer, mailbox) = (daemon.customer("acme"), daemon.customer("acme").without_key());
    for path in ["/api/v1/messages", "/api/v1/search?query=nobody"] {
        let page = mailbox.get(path).ok(200);
        assert_eq!((&page["messages"], &page["tags"], &page["total"]), (&json!([]), &json!([]), &json!(0)), "{path}");
    }
    assert_eq!(mailbox.get("/api/v1/tags").ok(200), json!([]));
    let id = send(&customer, "ada@example.com", "First", json!({}));
    let mail = mailbox.get(&format!("/api/v1/message/{id}")).ok(200);
    let listed = mailbox.get("/api/v1/messages").ok(200)["messages"][0].take();
    for name in ["Cc", "Bcc", "ReplyTo", "Tags"] {
        assert_eq!((&mail[name], &listed[name]), (&json!([]), &json!([])), "{name}");
    }
    for name in ["Attachments", "Inline"] {
        assert_eq!(mail[name], json!([]), "{name}");
    }
    // A list of no ids names none, as at Mailpit: all are meant.
    assert_eq!(mailbox.send("PUT", "/api/v1/messages", Some(r#"{"IDs": [], "Read": true}"#)).text, "ok");
    assert!(ids(&mailbox, "is:unread").is_empty());
}

#[test]
fn dates_of_a_search_are_in_the_zone_that_it_names() {
    let daemon = daemon();
    let (customer, mailbox) = (daemon.customer("acme"), daemon.customer("acme").without_key());
    // At 14:13:20 in UTC, which is 10:13:20 in New York and 02:13:20 of the next day in Auckland.
    send(&customer, "ada@example.com", "First", json!({}));
    let found = |query: &str| ids(&mailbox, query).len();
    for (query, count) in [
        ("after:2026-09-21T14:13:20", 1),
        ("after:2026-09-21T14:13:20&tz=America/New_York", 0),
        ("after:2026-09-21T10:13:20&tz=America/New_York", 1),
        ("before:2026-09-21T10:13:19&tz=America/New_York", 0),
        ("after:2026-09-22&tz=Pacific/Auckland", 1),
        ("before:2026-09-22&tz=Pacific/Auckland", 0),
        ("after:2026-09-21T14:13:20Z&tz=Pacific/Auckland", 1),
        ("after:2026-09-21T14:13:20&tz=", 1),
    ] {
        assert_eq!(found(query), count, "{query}");
    }
    for path in ["/api/v1/search?query=first&tz=Atlantis", "/api/v1/search?query=after:2026-09-21&tz=Mars/Olympus"] {
        for method in ["GET", "DELETE"] {
            let refused = mailbox.send(method, path, None).refused(400);
            assert!(
                refused.starts_with("tz: expected the name of a time zone, such as Europe/Paris, found '"),
                "{refused}"
            );
        }
    }
    let mark =
        |tz: &str, body: Value| mailbox.send("PUT", &format!("/api/v1/messages?tz={tz}"), Some(&body.to_string()));
    let search = json!({ "Read": true, "Search": "after:2026-09-22" });
    assert!(mark("Atlantis", search.clone()).refused(400).starts_with("tz: "));
    assert_eq!((mark("", search.clone()).text.as_str(), found("is:unread")), ("ok", 1));
    assert_eq!((mark("Pacific/Auckland", search).text.as_str(), found("is:unread")), ("ok", 0));
    let hide = |tz: &str| mailbox.delete(&format!("/api/v1/search?query=after:2026-09-22&tz={tz}")).text;
    assert_eq!((hide("UTC").as_str(), found("first")), ("ok", 1));
    assert_eq!((hide("Pacific/Auckland").as_str(), found("first")), ("ok", 0));
}
