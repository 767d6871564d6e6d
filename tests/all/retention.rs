//! The file does not grow for ever: old jobs and environments that were reset go, with all that belongs to them, and
//! `bulkd compact` gives the disk back what they had.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::support::binary::{self, Binary, bulkd, check};
use crate::support::{
    Customer, Daemon, NOW, json, newsletter, open_file, readers, setting, sized, unheard, wait_until,
};
use bulkd::config::Config;
use bulkd::settings::{Keep, KeepSpan};
use serde_json::Value;

const DAY: Duration = Duration::from_secs(86_400);
/// The write-ahead log starts over at 64 MiB, as soon as no reader holds on to it.
const LOG_BYTES: u64 = 80 << 20;

fn keep(span: Option<&str>, messages: Option<u64>) -> impl FnOnce(&mut Config) {
    let span = span.map(|span| KeepSpan::parse(span).unwrap());
    move |config| config.keep = Keep { span, messages }
}

/// A job of so many readers, run to its end.
fn job(customer: &Customer, users: usize) -> String {
    let job_id = customer.create(newsletter());
    customer.ingest(&job_id, readers(0, users));
    customer.run_to_the_end(&job_id);
    job_id
}

fn is_gone(customer: &Customer, job_id: &str) -> bool {
    customer.get(&format!("/bulk/{job_id}")).status == 404
}

fn count(database: &Path, rows: &str) -> usize {
    open_file(database).query_row(&format!("SELECT count(*) FROM {rows}"), [], |row| row.get(0)).unwrap()
}

/// Waits until nothing of what is dropped is left.
fn wait_for_rows(daemon: &Daemon) {
    let database = daemon.database();
    wait_until("all is dropped", || count(&database, "jobs WHERE dropped_at IS NOT NULL") == 0);
}

/// The messages of an environment, the newest first.
fn messages(customer: &Customer) -> Vec<Value> {
    customer.get("/messages?limit=100").ok(200)["results"].as_array().unwrap().clone()
}

#[test]
fn jobs_go_when_they_were_over_so_long_ago_and_their_answers_say_why() {
    let mut daemon = Daemon::start_with(keep(Some("30d"), None));
    let customer = daemon.customer("acme");
    let old = job(&customer, 3);
    let sent = customer.post(
        "/send",
        &json!({ "message": { "to": { "email": "a@b.c" }, "content": newsletter()["message"]["content"] } }),
    );
    let sent = sent.ok(202)["requestId"].as_str().unwrap().to_owned();
    let of_old = customer.outbox(&old)[0]["message_id"].as_str().unwrap().to_owned();
    daemon.clock.advance(29 * DAY);
    let new = job(&customer, 2);
    daemon.clock.advance(DAY + Duration::from_secs(1));
    wait_until("the old job is gone", || {
        is_gone(&customer, &old) && customer.get(&format!("/messages/{sent}")).status == 404
    });
    let why = "; the oldest jobs, up to one of 2026-09-21T14:13:20Z, were dropped by --keep 30d";
    for path in [
        format!("/bulk/{old}"),
        format!("/bulk/{old}/users"),
        format!("/_bulkd/outbox?job_id={old}"),
        format!("/_bulkd/outbox?message_id={of_old}"),
        format!("/messages/{of_old}"),
        format!("/messages/{of_old}/history"),
        format!("/messages/{of_old}/output"),
        format!("/messages/{sent}"),
    ] {
        let refused = customer.get(&path).refused(404);
        assert!(refused.ends_with(why), "{path}: {refused}");
    }
    assert!(customer.post(&format!("/bulk/{old}/run"), &json!({})).refused(404).ends_with(why));
    assert!(customer.post(&format!("/messages/{of_old}/resend"), &json!({})).refused(404).ends_with(why));
    assert!(customer.send("PUT", &format!("/requests/{old}/archive"), None).refused(404).ends_with(why));
    // One that was made since is told as before.
    let unknown = format!("1-{:08x}-000000000000000000000000", (NOW + 29 * 86_400_000) / 1000);
    assert!(customer.get(&format!("/bulk/{unknown}")).refused(404).ends_with("under this API key"));
    assert_eq!(messages(&customer).len(), 2);
    assert_eq!(customer.get("/_bulkd/outbox").ok(200)["items"].as_array().unwrap().len(), 2);
    assert_eq!(customer.outbox(&new).len(), 2);
    wait_for_rows(&daemon);
    daemon.restart();
    assert_eq!(daemon.customer("acme").outbox(&new).len(), 2);
    daemon.stop();
    assert!(check(&daemon.database()).ends_with(": 1 jobs, 2 users, 2 messages, 0 failures\n"));
}

#[test]
fn no_number_is_given_twice() {
    let mut daemon = Daemon::start_with(keep(Some("1d"), None));
    let mut numbers: Vec<i64> = Vec::new();
    for round in 0..3 {
        let customer = daemon.customer(&format!("round {round}"));
        let job_id = job(&customer, 5);
        let ids = customer.outbox(&job_id);
        numbers.extend(ids.iter().map(|it| {
            let id = it["message_id"].as_str().unwrap();
            i64::from_str_radix(&id[id.len() - 12..], 16).unwrap()
        }));
        let highest = |table: &str, column: &str| -> i64 {
            open_file(&daemon.database())
                .query_row(&format!("SELECT max({column}) FROM {table}"), [], |row| row.get(0))
                .unwrap()
        };
        assert_eq!((highest("jobs", "job"), highest("users", "number")), (round + 1, 5 * (round + 1)));
        assert_eq!(highest("environments", "environment"), round + 1);
        customer.post("/_bulkd/reset", &json!({})).done();
        daemon.clock.advance(2 * DAY);
        wait_until("all is gone", || count(&daemon.database(), "environments") == 0);
        assert_eq!(count(&daemon.database(), "jobs") + count(&daemon.database(), "message_ranges"), 0);
        if round == 1 {
            daemon.restart();
        }
    }
    assert_eq!(numbers, (1..=15).collect::<Vec<i64>>());
}

#[test]
fn the_newest_messages_are_kept_by_whole_jobs() {
    let daemon = Daemon::start_with(keep(None, Some(10)));
    let customer = daemon.customer("acme");
    let jobs: Vec<String> = (0..5).map(|_| job(&customer, 4)).collect();
    daemon.clock.advance(Duration::from_secs(10));
    wait_until("the oldest are gone", || is_gone(&customer, &jobs[1]));
    wait_for_rows(&daemon);
    let gone: Vec<bool> = jobs.iter().map(|job_id| is_gone(&customer, job_id)).collect();
    assert_eq!(gone, [true, true, false, false, false]);
    assert!(customer.get(&format!("/bulk/{}", jobs[0])).refused(404).ends_with("were dropped by --keep-messages 10"));
    assert_eq!(messages(&customer).len(), 12);
}

#[test]
fn a_clock_that_is_ahead_for_a_while_has_nothing_dropped() {
    let year = 365 * DAY;
    let hour = Duration::from_secs(3_600);
    let mut daemon = Daemon::start_with(keep(Some("30d"), None));
    let customer = daemon.customer("acme");
    let old = job(&customer, 3);
    daemon.clock.advance(29 * DAY);
    let fresh = job(&customer, 3);
    // Jumps, with jobs and starts while the clock is wrong, and back.
    for starts in [false, true, false, true] {
        daemon.clock.set_forward(year);
        job(&daemon.customer("acme"), 1);
        if starts {
            daemon.restart();
        }
        daemon.clock.advance(hour / 8);
        job(&daemon.customer("acme"), 1);
        daemon.clock.set_back(year);
        let customer = daemon.customer("acme");
        assert!(!is_gone(&customer, &old) && !is_gone(&customer, &fresh));
    }
    // With the clock back, what is old goes.
    daemon.clock.advance(DAY);
    let customer = daemon.customer("acme");
    wait_until("the old one is gone", || is_gone(&customer, &old));
    assert!(!is_gone(&customer, &fresh));
    // A file that was left alone for long is dropped an hour after the start.
    daemon.stop();
    daemon.clock.advance(31 * DAY);
    daemon.open();
    let customer = daemon.customer("acme");
    daemon.clock.advance(hour / 2);
    job(&customer, 1);
    assert!(!is_gone(&customer, &fresh));
    wait_until("it is gone", || {
        daemon.clock.advance(Duration::from_secs(60));
        is_gone(&customer, &fresh)
    });
}

#[test]
fn what_is_not_over_stays() {
    let daemon = Daemon::start_with(keep(Some("1d"), Some(1)));
    let customer = daemon.customer("acme");
    let never_run = customer.create(newsletter());
    customer.ingest(&never_run, readers(0, 3));
    let mut delayed = newsletter();
    delayed["message"]["to"] = json!({ "email": "a@b.c" });
    delayed["message"]["delay"] = json!({ "duration": 10 * 86_400_000_u64 });
    let waiting = customer.post("/send", &delayed).ok(202)["requestId"].as_str().unwrap().to_owned();
    let status = || customer.get(&format!("/messages/{waiting}")).json()["status"].clone();
    let over = job(&customer, 3);
    job(&customer, 3);
    daemon.clock.advance(5 * DAY);
    wait_until("the finished job is gone", || is_gone(&customer, &over));
    wait_for_rows(&daemon);
    assert_eq!((status(), customer.job(&never_run)["received"].clone()), (json!("DELAYED"), json!(3)));
    // It is kept as long after it went out as others after they were made.
    daemon.clock.advance(5 * DAY);
    wait_until("it is sent", || status() == "SENT");
    let newest = job(&customer, 1);
    daemon.clock.advance(2 * DAY);
    wait_until("it is gone", || status().is_null());
    assert_eq!(customer.run_to_the_end(&never_run)["enqueued"], 3);
    wait_until("the newest is gone", || is_gone(&customer, &newest));
}

#[test]
fn what_a_webhook_has_not_read_stays_until_it_has() {
    let daemon = Daemon::start_with(keep(Some("1d"), None));
    let customer = daemon.customer("acme");
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let webhook = customer.post("/_bulkd/webhooks", &json!({ "url": format!("http://{gone}/") })).ok(201);
    let followed = job(&customer, 3);
    let other = daemon.customer("other");
    let alone = job(&other, 3);
    daemon.clock.advance(2 * DAY);
    wait_until("what no webhook follows is gone", || is_gone(&other, &alone));
    wait_for_rows(&daemon);
    assert_eq!(customer.job(&followed)["status"], "COMPLETED");
    customer.delete(&format!("/_bulkd/webhooks/{}", webhook["id"].as_str().unwrap())).done();
    daemon.clock.advance(Duration::from_secs(10));
    wait_until("the other is gone, too", || is_gone(&customer, &followed));
}

#[test]
fn a_webhook_that_holds_up_what_is_old_is_named_once_and_when_that_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bulkd.db");
    let daemon = Binary::start(&["--listen", ":0", "--db", path.to_str().unwrap(), "--keep-messages", "1"]);
    let customer = daemon.customer("acme");
    let (_silent, nobody) = unheard();
    let webhook = customer.post("/_bulkd/webhooks", &json!({ "url": format!("http://{nobody}/") })).ok(201);
    let id = webhook["id"].as_str().unwrap();
    let (old, new) = (job(&customer, 3), job(&customer, 3));
    let told = "--keep-messages 1 does not drop all that is old";
    daemon.logs(&format!("{told}: webhook {id} has yet to deliver what it tells of"));
    assert!(!is_gone(&customer, &old));
    customer.delete(&format!("/_bulkd/webhooks/{id}")).done();
    wait_until("the old job is gone", || is_gone(&customer, &old));
    let over = format!("no longer: {told}");
    wait_until("it is told that it is over", || {
        job(&customer, 1);
        daemon.stderr().contains(&over)
    });
    assert!(is_gone(&customer, &new));
    let ended = daemon.terminate();
    assert_eq!(ended.stderr.matches(told).count(), 2, "{ended:?}");
    // So is the size of the file, at the start.
    assert_eq!(ended.stderr.matches("are free to be used again").count(), 1, "{ended:?}");
}

#[test]
fn what_can_still_be_used_stays_and_what_has_expired_goes() {
    let daemon = Daemon::start_with(keep(Some("30d"), None));
    let (customer, database) = (daemon.customer("acme"), daemon.database());
    let template = |words: &str| {
        json!({ "state": "PUBLISHED", "notification": { "name": "N", "brand": null, "routing": null, "subscription": null,
            "tags": null, "content": { "version": "2022-01-01", "elements": [{ "type": "text", "content": words }] } } })
    };
    let created = |words: &str| {
        let id = customer.post("/notifications", &template(words)).ok(201)["id"].as_str().unwrap().to_owned();
        format!("/notifications/{id}")
    };
    let (used, archived) = (created("first"), created("archived"));
    let id = used.rsplit('/').next().unwrap();
    let job_id = customer.create(json!({ "message": { "template": id } }));
    customer.ingest(&job_id, readers(0, 3));
    customer.run_to_the_end(&job_id);
    customer.put(&used, &template("second")).ok(200);
    customer.delete(&archived).done();
    customer.put("/lists/a.b", &json!({ "name": "A" })).done();
    customer.put("/lists/a.b/subscriptions/ada", &json!({})).done();
    customer.delete("/lists/a.b").done();
    customer.once("k").post("/bulk", &json!({ "message": newsletter() })).ok(201);
    let versions = || {
        let list = customer.get(&format!("{used}/versions")).ok(200)["versions"].take();
        list.as_array().unwrap().iter().map(|it| it["version"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(versions(), ["draft", "published:v002", "v001"]);
    // Keys go long before anything is old.
    daemon.clock.advance(2 * DAY);
    wait_until("the key is gone", || count(&database, "idempotency_keys") == 0);
    assert_eq!(versions(), ["draft", "published:v002", "v001"]);
    daemon.clock.advance(29 * DAY);
    wait_until("what nothing refers to is gone", || versions() == ["draft", "published:v002"]);
    assert!(is_gone(&customer, &job_id));
    let said = |path: &str| customer.get(path).ok(200).to_string();
    assert!(said(&used).contains("second") && said(&archived).contains("archived"));
    customer.put("/lists/a.b/restore", &json!({})).done();
    let subscribers = customer.get("/lists/a.b/subscriptions").ok(200);
    assert_eq!(subscribers["items"][0]["recipientId"], "ada");
    // They go without the flags, too.
    let daemon = Daemon::start();
    daemon.customer("acme").once("k").post("/bulk", &json!({ "message": newsletter() })).ok(201);
    daemon.clock.advance(2 * DAY);
    wait_until("the key is gone", || count(&daemon.database(), "idempotency_keys") == 0);
}

#[test]
fn a_large_job_goes_in_pieces_and_nobody_sees_a_part_of_it() {
    let mut daemon = Daemon::start_with(keep(Some("1d"), None));
    let customer = daemon.customer("acme");
    let job_id = customer.create(newsletter());
    let count_users = 5_000;
    let mut users = readers(0, count_users);
    for user in users.as_array_mut().unwrap().iter_mut().step_by(7) {
        user["profile"]["email"] = json!(5);
    }
    customer.ingest(&job_id, users);
    let failures = customer.run_to_the_end(&job_id)["failures"].as_u64().unwrap() as usize;
    assert!(failures > 700);
    daemon.clock.advance(2 * DAY);
    let database = daemon.database();
    wait_until("it is gone", || {
        let found = customer.get("/_bulkd/outbox?limit=1000").ok(200)["items"].as_array().unwrap().len();
        let page = customer.get("/messages?limit=1").ok(200)["results"].as_array().unwrap().len();
        let status = customer.get(&format!("/bulk/{job_id}")).status;
        assert!(status == 404 || status == 200);
        assert!(status == 200 || (found == 0 || page == 0), "a part of it is seen");
        count(&database, "jobs") == 0
    });
    for table in ["users", "messages", "user_ranges", "message_ranges", "failures", "definitions"] {
        assert_eq!(count(&database, table), 0, "{table}");
    }
    daemon.stop();
    check(&database);
}

#[test]
fn versions_go_when_nothing_refers_to_them() {
    let daemon = Daemon::start_with(keep(Some("1d"), None));
    let customer = daemon.customer("acme");
    let database = daemon.database();
    let versions = || ["profile", "brand"].map(|of| count(&database, &format!("{of}_versions")));
    let brand =
        customer.post("/brands", &json!({ "name": "b0", "settings": {} })).json()["id"].as_str().unwrap().to_owned();
    for round in 0..5 {
        customer.put("/profiles/reader-0000", &json!({ "profile": { "round": round } })).ok(200);
        customer.put(&format!("/brands/{brand}"), &json!({ "name": format!("b{round}"), "settings": {} })).ok(200);
    }
    assert_eq!(versions(), [5, 5]);
    let message = json!({ "message": { "to": { "user_id": "reader-0000", "email": "a@b.c" }, "brand_id": brand,
        "content": { "title": "t", "body": "b" } } });
    customer.post("/send", &message).ok(202);
    customer.put("/profiles/reader-0000", &json!({ "profile": { "round": 5 } })).ok(200);
    customer.put(&format!("/brands/{brand}"), &json!({ "name": "b5", "settings": {} })).ok(200);
    daemon.clock.advance(2 * DAY);
    wait_until("only the current ones are left", || versions() == [1, 1]);
    assert_eq!(customer.get("/profiles/reader-0000").ok(200)["profile"]["round"], 5);
    assert_eq!(customer.get(&format!("/brands/{brand}")).ok(200)["name"], "b5");
}

#[test]
fn environments_in_which_nothing_is_left_go() {
    let mut daemon = Daemon::start_with(keep(Some("30d"), None));
    let used = daemon.customer("used");
    job(&used, 3);
    used.once("k").post("/bulk/none/run", &json!({})).refused(404);
    let emptied = daemon.customer("emptied");
    emptied.put("/users/ada/tokens/t", &json!({ "provider_key": "expo" })).done();
    emptied.delete("/users/ada/tokens/t").done();
    // Each has something else left.
    let fillings: [(&str, &str, &str, Value); 8] = [
        ("profile", "PUT", "/profiles/ada", json!({ "profile": { "name": "Ada" } })),
        ("list", "PUT", "/lists/a.b", json!({ "name": "A" })),
        ("brand", "POST", "/brands", json!({ "id": "b", "name": "B", "settings": {} })),
        ("token", "PUT", "/users/ada/tokens/t", json!({ "provider_key": "expo" })),
        ("preference", "PUT", "/users/ada/preferences/t", json!({ "topic": { "status": "OPTED_IN" } })),
        ("webhook", "POST", "/_bulkd/webhooks", json!({ "url": "http://127.0.0.1:9/" })),
        (
            "template",
            "POST",
            "/notifications",
            json!({ "notification": {
            "name": "N", "tags": null, "brand": null, "subscription": null, "routing": null,
            "content": { "version": "2022-01-01", "elements": [] } } }),
        ),
        ("job", "POST", "/bulk", json!({ "message": newsletter() })),
    ];
    for (key, method, path, body) in &fillings {
        let reply = daemon.customer(key).send(method, path, Some(&body.to_string()));
        assert!(reply.status < 300, "{key}: {reply:?}");
    }
    // One that can be restored is something as well.
    daemon.customer("list").delete("/lists/a.b").done();
    let database = daemon.database();
    let environments = || count(&database, "environments");
    assert_eq!(environments(), 10);
    daemon.clock.advance(29 * DAY);
    let young = daemon.customer("young");
    young.put("/users/ada/tokens/t", &json!({ "provider_key": "expo" })).done();
    young.delete("/users/ada/tokens/t").done();
    daemon.clock.advance(DAY + Duration::from_secs(3_600));
    wait_until("the empty ones are gone", || environments() == 9);
    // They are made anew, under numbers that none had.
    let job_id = job(&used, 2);
    emptied.put("/profiles/ada", &json!({ "profile": { "name": "Ada" } })).ok(200);
    assert_eq!(used.outbox(&job_id).len(), 2);
    assert_eq!((environments(), count(&database, "environments WHERE environment > 11")), (11, 2));
    let message = json!({ "message": { "to": { "email": "a@b.c" }, "content": { "title": "t", "body": "b" } } });
    daemon.customer("new").post("/send", &message).ok(202);
    daemon.stop();
    check(&database);

    // Those of keys that were named stay.
    daemon.reconfigure(|config| config.api_keys = ["named", "used"].map(str::to_owned).to_vec());
    daemon.open();
    let named = daemon.customer("named");
    named.put("/users/ada/tokens/t", &json!({ "provider_key": "expo" })).done();
    named.delete("/users/ada/tokens/t").done();
    daemon.clock.advance(31 * DAY);
    let later = job(&named, 1);
    wait_until("what is old is gone", || {
        daemon.clock.advance(Duration::from_secs(60));
        count(&database, "environments") == 11
    });
    assert!(!is_gone(&named, &later));
    assert_eq!(count(&database, &format!("jobs JOIN environments USING (environment) WHERE job_id = '{later}'")), 1);
}

/// More than one look, or one commit, takes.
#[test]
fn very_many_environments_go_in_pieces() {
    let daemon = Daemon::start_with(keep(Some("1h"), None));
    let keys = sized(600, 3_000);
    std::thread::scope(|scope| {
        for first in 0..4 {
            let daemon = &daemon;
            scope.spawn(move || {
                for number in (first..keys).step_by(4) {
                    let customer = daemon.customer(&format!("key {number}"));
                    customer.put("/users/ada/tokens/t", &json!({ "provider_key": "expo" })).done();
                    if number % 100 > 0 {
                        customer.delete("/users/ada/tokens/t").done();
                    }
                }
            });
        }
    });
    let database = daemon.database();
    assert_eq!(count(&database, "environments"), keys);
    daemon.clock.advance(Duration::from_secs(3_700));
    wait_until("those with something are left", || count(&database, "environments") == keys / 100);
}

/// Whether a file in the folder holds this text.
fn holds(folder: &Path, text: &str) -> bool {
    fs::read_dir(folder).unwrap().any(|entry| {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    })
}

/// Everything that an environment can have, each with a text that is looked for later.
fn fill(customer: &Customer, count: usize) {
    let secret = |what: &str, number: usize| format!("forget-{what}-{number}-{}", "x".repeat(number * 37 % 3000));
    for number in 0..count {
        let id = format!("forget-user-{number}");
        for version in 0..2 {
            let profile = json!({ "profile": { "email": format!("forget-{version}-{number}@example.com"), "name": secret("name", number) } });
            customer.put(&format!("/profiles/{id}"), &profile).ok(200);
        }
        let token = json!({ "provider_key": "expo", "properties": { "secret": secret("token", number) } });
        customer.put(&format!("/users/{id}/tokens/forget-token-{number}"), &token).done();
        let list = format!("forget.list.{number}");
        customer.put(&format!("/lists/{list}"), &json!({ "name": secret("list", number) })).done();
        customer.put(&format!("/lists/{list}/subscriptions/{id}"), &json!({})).done();
        let topic = json!({ "topic": { "status": "OPTED_IN" } });
        customer.put(&format!("/users/{id}/preferences/forget-topic"), &topic).ok(200);
        let brand = json!({ "id": format!("forget-brand-{number}"), "name": secret("brand", number), "settings": {} });
        assert!(customer.post("/brands", &brand).status < 300);
        let once = customer.once(&format!("forget-key-{number}"));
        once.post("/bulk", &json!({ "message": newsletter() })).ok(201);
    }
    let job_id = customer
        .create(json!({ "message": { "content": { "title": "forget-title {{name}}", "body": secret("body", 99) } } }));
    let users = (0..count * 20).map(|number| {
        json!({ "recipient": format!("forget-user-{number}"), "data": { "name": secret("data", number) },
            "profile": { "email": format!("forget-to-{number}@example.com") } })
    });
    customer.ingest(&job_id, users.collect());
    customer.run_to_the_end(&job_id);
    let webhook = customer.post("/_bulkd/webhooks", &json!({ "url": "http://127.0.0.1:9/forget-url" }));
    webhook.ok(201);
}

#[test]
fn nothing_of_an_environment_that_was_reset_is_left_in_the_file() {
    let mut daemon = Daemon::start();
    let (kept, customer) = (daemon.customer("kept"), daemon.customer("acme"));
    let beside = job(&kept, 50);
    fill(&customer, sized(15, 100));
    kept.put("/profiles/keep-me", &json!({ "profile": { "name": "keep-this" } })).ok(200);
    let deleted = kept.put("/profiles/away", &json!({ "profile": { "name": "forget-deleted" } }));
    deleted.ok(200);
    kept.delete("/profiles/away").done();
    customer.post("/_bulkd/reset", &json!({})).done();
    let database = daemon.database();
    wait_until("the environment is gone", || count(&database, "environments") == 1);
    daemon.stop();
    let folder = database.parent().unwrap();
    assert!(holds(folder, "keep-this"));
    assert!(!holds(folder, "forget"));
    for (table, left) in
        [("jobs", 1), ("users", 50), ("profiles", 1), ("brands", 0), ("idempotency_keys", 0), ("webhooks", 0)]
    {
        assert_eq!(count(&database, table), left, "{table}");
    }
    binary::check(&database);
    daemon.open();
    assert_eq!(daemon.customer("kept").outbox(&beside).len(), 50);
}

#[test]
fn a_profile_that_is_deleted_is_overwritten_in_all_its_versions() {
    let mut daemon = Daemon::start();
    let customer = daemon.customer("acme");
    // More versions than one commit overwrites.
    for number in 0..600 {
        let profile = json!({ "profile": { "name": format!("forget-{number}"), "padding": "x".repeat(number) } });
        customer.put("/profiles/ada", &profile).ok(200);
    }
    for name in ["forget-first", "forget-second"] {
        customer.put("/profiles/ada", &json!({ "profile": { "name": name } })).ok(200);
        let message = json!({ "message": { "to": { "user_id": "ada", "email": "a@b.c" }, "content": { "title": "t", "body": "b" } } });
        customer.post("/send", &message).ok(202);
    }
    let loaded = |customer: &Customer| -> Vec<Value> {
        let history = |it: &Value| {
            let id = it["id"].as_str().unwrap();
            let events = customer.get(&format!("/messages/{id}/history?type=PROFILE_LOADED")).ok(200);
            events["results"][0].clone()
        };
        messages(customer).iter().map(history).collect()
    };
    assert_eq!(loaded(&customer)[0]["stored_profile"]["name"], "forget-second");
    customer.delete("/profiles/ada").done();
    for told in loaded(&customer) {
        assert_eq!((&told["stored_profile"], &told["stored_profile_deleted"]), (&json!({}), &json!(true)));
        assert_eq!(told["merged_profile"], told["received_profile"]);
    }
    customer.put("/profiles/ada", &json!({ "profile": { "name": "anew" } })).ok(200);
    assert_eq!(loaded(&customer)[0]["stored_profile_deleted"], true);
    wait_until("all are overwritten", || count(&daemon.database(), "deleted_profiles") == 0);
    daemon.stop();
    assert!(!holds(daemon.database().parent().unwrap(), "forget"));
    binary::check(&daemon.database());
}

#[test]
fn a_file_does_not_grow_however_many_days_go_by() {
    let days = setting("BULKD_TEST_ROUNDS").unwrap_or(sized(24, 365)).max(12) as usize;
    let daemon = Daemon::start_with(keep(Some("3d"), None));
    let database = daemon.database();
    // At the end of each day: the size of the file and its log, and how many jobs and versions it has.
    let looks: Vec<[u64; 4]> = (0..days)
        .map(|day| {
            let customer = daemon.customer(&format!("acme {}", day % 3));
            let newest = job(&customer, 400);
            for round in 0..20 {
                let (user_id, profile) = (format!("reader-{}", round % 5), json!({ "day": day, "round": round }));
                customer.put(&format!("/profiles/{user_id}"), &json!({ "profile": profile })).ok(200);
                let to = json!({ "user_id": user_id, "email": "a@b.c" });
                let content = json!({ "title": "t", "body": "b".repeat(round * 100) });
                let message = json!({ "message": { "to": to, "content": content } });
                customer.once(&format!("{day}-{round}")).post("/send", &message).ok(202);
            }
            let resets = day % 4 == 3;
            if resets {
                customer.post("/_bulkd/reset", &json!({})).done();
            }
            daemon.clock.advance(DAY);
            assert!(resets || !is_gone(&customer, &newest));
            wait_until("what is old is dropped", || {
                let old = format!("jobs WHERE created_at <= {}", NOW + (day as i64 - 2) * 86_400_000);
                count(&database, &old) == 0 && count(&database, "environments WHERE length(key_hash) < 32") == 0
            });
            [
                fs::metadata(&database).unwrap().len(),
                fs::metadata(database.with_extension("db-wal")).unwrap().len(),
                count(&database, "jobs") as u64,
                count(&database, "profile_versions") as u64,
            ]
        })
        .collect();
    println!("{days} days: {:?} … {:?}", looks[days / 3], looks[days - 1]);
    let most = |looks: &[[u64; 4]], what: usize| looks.iter().map(|look| look[what]).max().unwrap();
    assert!(most(&looks, 1) <= LOG_BYTES, "the log grows");
    for (what, slack) in [(0, 1 << 20), (2, 25), (3, 50)] {
        let (early, late) = (most(&looks[days / 3..days * 2 / 3], what), most(&looks[days * 2 / 3..], what));
        assert!(late <= early + early / 10 + slack, "{what} grows from {early} to {late}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn nothing_of_a_process_grows_under_retention() {
    let seconds = setting("BULKD_SOAK_SECONDS").unwrap_or(sized(12, 60));
    println!("BULKD_SOAK_SECONDS={seconds}");
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("bulkd.db");
    let path = database.to_str().unwrap();
    let daemon = Binary::start(&["--listen", ":0", "--log", "warn", "--db", path, "--keep-messages", "500"]);
    let customer = daemon.customer("acme");
    let (begun, mut looks) = (Instant::now(), Vec::new());
    while begun.elapsed() < Duration::from_secs(seconds) {
        job(&customer, 60);
        // A daemon that is left running is mostly left alone.
        std::thread::park_timeout(Duration::from_millis(100));
        let length = |path: &Path| fs::metadata(path).unwrap().len();
        looks.push([
            length(&database),
            length(&database.with_extension("db-wal")),
            daemon.kernel_says("VmRSS") * 1024,
            daemon.kernel_says("Threads"),
            daemon.descriptors() as u64,
        ]);
    }
    let count = looks.len();
    println!("{count} jobs: {:?} … {:?} … {:?}", looks[0], looks[count / 2], looks[count - 1]);
    let most = |looks: &[[u64; 5]], what: usize| looks.iter().map(|look| look[what]).max().unwrap();
    assert!(most(&looks, 1) <= LOG_BYTES, "the log grows");
    for (what, slack) in [(0, 1 << 20), (2, 8 << 20), (3, 4), (4, 16)] {
        let (early, late) = (most(&looks[count / 3..count * 2 / 3], what), most(&looks[count * 2 / 3..], what));
        assert!(late <= early + early / 10 + slack, "{what} grows from {early} to {late}");
    }
    daemon.terminate();
    check(&database);
}

#[test]
fn a_file_is_compacted_to_what_it_holds() {
    let folder = tempfile::tempdir().unwrap();
    let (database, link) = (folder.path().join("bulkd.db"), folder.path().join("link.db"));
    let args = ["--listen", ":0", "--db", database.to_str().unwrap()];
    let daemon = Binary::start(&args);
    let (kept, customer) = (daemon.customer("kept"), daemon.customer("acme"));
    let beside = job(&kept, 20);
    for _ in 0..sized(2, 40) {
        job(&customer, 5_000);
    }
    let compact = |file: &Path| Binary::spawn(&mut bulkd(&["compact", file.to_str().unwrap()])).wait();
    assert!(compact(&database).refusal().ends_with("is in use by another bulkd"));
    customer.post("/_bulkd/reset", &json!({})).done();
    wait_until("it is dropped", || count(&database, "jobs") == 1);
    daemon.terminate();
    fs::set_permissions(&database, fs::Permissions::from_mode(0o640)).unwrap();
    fs::hard_link(&database, &link).unwrap();
    assert!(compact(&database).refusal().contains("has another name (a hard link)"));
    fs::remove_file(&link).unwrap();
    symlink(&database, &link).unwrap();
    let before = fs::metadata(&database).unwrap().len();
    let ended = compact(&link);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
    let after = fs::metadata(&database).unwrap();
    assert!(ended.stdout.contains(" had ") && ended.stdout.contains("has 0.") && after.len() < before / 5, "{ended:?}");
    assert_eq!((after.mode() & 0o777, fs::symlink_metadata(&link).unwrap().is_symlink()), (0o640, true));
    let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    check(&database);
    let daemon = Binary::start(&args);
    assert_eq!(daemon.customer("kept").outbox(&beside).len(), 20);
    job(&daemon.customer("acme"), 10);
    daemon.terminate();
    check(&database);
    assert!(compact(&folder.path().join("nothing.db")).refusal().contains("there is no file"));
}

#[test]
fn a_copy_that_was_left_over_goes_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let (database, copy) = (folder.path().join("bulkd.db"), folder.path().join("bulkd.db-partial"));
    let journal = folder.path().join("bulkd.db-partial-journal");
    let start = || Binary::start(&["--listen", ":0", "--db", database.to_str().unwrap()]).terminate();
    start();
    let whole = fs::read(&database).unwrap();
    let mut unfinished = whole.clone();
    unfinished[..4096].fill(0);
    for left_over in [whole, unfinished, Vec::new()] {
        fs::write(&copy, left_over).unwrap();
        fs::write(&journal, "what it was").unwrap();
        start();
        assert!(!copy.exists() && !journal.exists());
    }
    // Another program's file stays, and is in the way.
    for (file, text) in [(&copy, "notes"), (&journal, "more notes")] {
        fs::write(file, text).unwrap();
    }
    start();
    let refusal = Binary::spawn(&mut bulkd(&["compact", database.to_str().unwrap()])).wait();
    assert!(refusal.refusal().contains("bulkd.db-partial is there, and not bulkd's; it was left as it was"));
    assert_eq!((fs::read(&copy).unwrap(), fs::read(&journal).unwrap()), (b"notes".to_vec(), b"more notes".to_vec()));
}

#[test]
fn what_is_kept_is_refused_if_it_is_no_span() {
    let run = |args: &[&str]| Binary::spawn(bulkd(args).env("BULKD_EPHEMERAL", "1")).wait().stderr;
    assert!(run(&["--keep", "1w"]).contains("expected days, hours or minutes, such as 30d"));
    assert!(run(&["--keep-messages", "0"]).contains("--keep-messages"));
}
