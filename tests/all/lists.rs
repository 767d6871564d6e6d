//! Lists of users, and who is on them.

use std::time::Duration;

use crate::support::{Customer, Daemon, json, open_file, wait_until};
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
        ("PUT", "/lists/news", json!({ "name": "x", "preferences": [1] }), "preferences: expected an object"),
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
            "recipients[1].preferences.categories.x.status: expected OPTED_IN or OPTED_OUT",
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

/// More than are written in one piece.
const MANY: usize = 2_500;

fn many(name: &str, count: usize) -> Vec<String> {
    (0..count).map(|i| format!("{name}-{i:05}")).collect()
}

fn body(user_ids: &[String]) -> Value {
    recipients(&user_ids.iter().map(|it| &**it).collect::<Vec<_>>())
}

/// All subscriptions of a list, page by page.
fn subscriptions(customer: &Customer, list_id: &str) -> Vec<Value> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = customer.get(&format!("/lists/{list_id}/subscriptions?limit=1000&cursor={cursor}")).ok(200);
        found.extend(page["items"].as_array().unwrap().iter().cloned());
        match page["paging"]["cursor"].as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => return found,
        }
    }
}

fn all_subscribers(customer: &Customer, list_id: &str) -> Vec<String> {
    subscriptions(customer, list_id).iter().map(|it| it["recipientId"].as_str().unwrap().to_owned()).collect()
}

fn count(daemon: &Daemon, rows: &str) -> usize {
    let count = format!("SELECT count(*) FROM {rows}");
    open_file(&daemon.database()).query_row(&count, [], |row| row.get(0)).unwrap()
}

/// Waits until nothing of what is not found any more is left.
fn wait_for_rows(daemon: &Daemon, lists: usize, subscriptions: usize) {
    wait_until("the rest is removed", || {
        let rows = ["lists", "subscriptions", "environments"].map(|rows| count(daemon, rows));
        rows == [lists, subscriptions, 1]
    });
}

#[test]
fn the_users_of_a_large_list_are_replaced_all_at_once() {
    let mut daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let preferences = json!({ "notifications": { "welcome": { "status": "OPTED_IN" } } });
    customer.put("/lists/news", &json!({ "name": "News", "preferences": preferences })).done();
    let before = customer.get("/lists/news").ok(200);
    customer.post("/lists/news/subscriptions", &body(&many("user", MANY))).done();
    assert_eq!(all_subscribers(&customer, "news"), many("user", MANY));
    let page = customer.get("/lists/news/subscriptions?limit=10").ok(200);
    let cursor = page["paging"]["cursor"].as_str().unwrap();

    daemon.clock.advance(Duration::from_secs(1));
    // Some stay, all others are new.
    let (mut wanted, added) = (many("user", 100), many("added", MANY));
    wanted.extend_from_slice(&added);
    std::thread::scope(|scope| {
        let replaced = scope.spawn(|| customer.put("/lists/news/subscriptions", &body(&wanted)));
        let look = open_file(&daemon.database());
        let sql = "SELECT count(*) FROM lists JOIN subscriptions USING (list) WHERE list_id = 'news'";
        wait_until("it is replaced", || {
            let there: usize = look.query_row(sql, [], |row| row.get(0)).unwrap();
            assert!([MANY, MANY + 100].contains(&there), "{there}");
            assert_eq!(ids(&customer, "/lists"), ["news"]);
            replaced.is_finished()
        });
        replaced.join().unwrap().done();
    });
    let found = subscriptions(&customer, "news");
    let user = |user_id: &String, created: &str| json!({ "recipientId": user_id, "created": created });
    let later = "2026-09-21T14:13:21.000Z";
    let expected: Vec<Value> = added.iter().map(|it| user(it, later)).collect();
    let expected: Vec<Value> = expected.into_iter().chain(many("user", 100).iter().map(|it| user(it, AT))).collect();
    assert!(found == expected);
    assert_eq!(customer.get("/lists/news").ok(200), before);
    assert_eq!(customer.get("/profiles/user-00000/lists").ok(200)["results"][0]["id"], "news");
    assert_eq!(customer.get("/profiles/user-00100/lists").ok(200)["results"], json!([]));
    // A page that was begun before goes on.
    let next = customer.get(&format!("/lists/news/subscriptions?limit=10&cursor={cursor}")).ok(200);
    assert_eq!(next["items"][0]["recipientId"], "user-00010");
    wait_for_rows(&daemon, 1, MANY + 100);

    // A few in place of many, and many where there is no list yet.
    customer.put("/lists/news/subscriptions", &recipients(&["ada"])).done();
    customer.put("/lists/other/subscriptions", &body(&many("user", MANY))).done();
    assert_eq!(subscribers(&customer, "news"), ["ada"]);
    assert_eq!(all_subscribers(&customer, "other"), many("user", MANY));
    assert_eq!(customer.get("/lists/other").ok(200)["name"], "other");
    wait_for_rows(&daemon, 2, MANY + 1);
    daemon.stop();
    crate::support::binary::check(&daemon.database());
}

#[test]
fn large_replacements_of_one_list_leave_one_of_them() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let names = ["ada", "bob", "cy", "dan"];
    std::thread::scope(|scope| {
        for name in names {
            let customer = &customer;
            scope.spawn(move || customer.put("/lists/news/subscriptions", &body(&many(name, MANY))).done());
        }
    });
    let found = all_subscribers(&customer, "news");
    assert!(names.iter().any(|name| found == many(name, MANY)), "{} {:?}", found.len(), found.first());
    wait_for_rows(&daemon, 1, MANY);
}

#[test]
fn of_a_large_list_that_was_deleted_nothing_comes_back_when_it_is_made_again() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    customer.put("/lists/news/subscriptions", &body(&many("user", MANY))).done();
    customer.delete("/lists/news").done();
    customer.send("PUT", "/lists/news/restore", None).done();
    assert_eq!(all_subscribers(&customer, "news").len(), MANY);
    customer.delete("/lists/news").done();
    customer.put("/lists/news", &json!({ "name": "News" })).done();
    assert_eq!(subscribers(&customer, "news"), [""; 0]);
    customer.send("PUT", "/lists/news/restore", None).done();
    assert_eq!(subscribers(&customer, "news"), [""; 0]);
    assert_eq!(customer.get("/profiles/user-00000/lists").ok(200)["results"], json!([]));
    wait_for_rows(&daemon, 1, 0);
    // Others go by whichever way it is made again.
    for path in ["/lists/news/subscriptions", "/lists/other/subscriptions"] {
        customer.put(path, &body(&many("user", MANY))).done();
    }
    customer.delete("/lists/news").done();
    customer.put("/lists/news/subscriptions", &body(&many("new", MANY))).done();
    customer.delete("/lists/other").done();
    customer.post("/lists/other/subscriptions", &recipients(&["ada"])).done();
    assert_eq!(all_subscribers(&customer, "news"), many("new", MANY));
    assert_eq!(subscribers(&customer, "other"), ["ada"]);
    wait_for_rows(&daemon, 2, MANY + 1);
}

#[test]
fn a_user_comes_on_very_many_lists_and_off_all_of_them() {
    let daemon = Daemon::start();
    let (customer, others) = (daemon.customer("acme"), daemon.customer("others"));
    let lists: Vec<Value> = many("list", MANY).iter().map(|list_id| json!({ "listId": list_id })).collect();
    for user_id in ["ada", "bob"] {
        customer.post(&format!("/profiles/{user_id}/lists"), &json!({ "lists": lists })).ok(200);
    }
    others.post("/profiles/ada/lists", &json!({ "lists": [{ "listId": "list-00000" }] })).ok(200);
    customer.delete("/lists/list-00007").done();
    assert_eq!(count(&daemon, "subscriptions WHERE user_id = 'ada'"), MANY + 1);
    for _ in 0..2 {
        assert_eq!(customer.delete("/profiles/ada/lists").ok(200), json!({ "status": "SUCCESS" }));
        assert_eq!(customer.get("/profiles/ada/lists").ok(200)["results"], json!([]));
        assert_eq!(count(&daemon, "subscriptions WHERE user_id = 'ada'"), 1);
        assert_eq!(count(&daemon, "subscriptions WHERE user_id = 'bob'"), MANY);
    }
    assert_eq!(others.get("/profiles/ada/lists").ok(200)["results"][0]["id"], "list-00000");
    customer.send("PUT", "/lists/list-00007/restore", None).done();
    assert_eq!(subscribers(&customer, "list-00007"), ["bob"]);
}
