//! Snapshots of an environment: what it had is there again, and others notice nothing.

use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::support::binary::check;
use crate::support::{Customer, Daemon, NOW, json, newsletter, open_file, readers, sized, wait_until};
use bulkd::clock::ClockStart;
use serde_json::Value;

#[track_caller]
fn take(customer: &Customer, name: &str) -> Value {
    customer.put(&format!("/_bulkd/snapshots/{name}"), &json!({})).ok(200)
}

#[track_caller]
fn restore(customer: &Customer, name: &str) -> Value {
    customer.post(&format!("/_bulkd/snapshots/{name}/restore"), &json!({})).ok(200)
}

fn send(customer: &Customer, to: &str, more: Value) -> String {
    let to = json!({ "user_id": to, "email": format!("{to}@example.com") });
    let mut message = json!({ "to": to, "content": { "title": "Hi", "body": "Hello" } });
    message.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let sent = customer.post("/send", &json!({ "message": message })).ok(202);
    sent["requestId"].as_str().unwrap().to_owned()
}

/// All that an environment shows.
fn all(customer: &Customer, jobs: &[&str]) -> Value {
    let get = |path: &str| {
        let reply = customer.get(path);
        json!([reply.status, reply.json()])
    };
    let of_jobs = jobs.iter().map(|job_id| match customer.get(&format!("/bulk/{job_id}")).status {
        200 => json!([customer.job(job_id), customer.users(job_id), customer.outbox(job_id)]),
        status => json!(status),
    });
    let paths = [
        "/_bulkd/outbox?limit=1000",
        "/messages",
        "/profiles/ada",
        "/profiles/bob",
        "/lists",
        "/lists/news/subscriptions",
        "/lists/more/subscriptions",
        "/brands",
        "/notifications",
        "/notifications/nt_one/versions",
        "/notifications/nt_two/versions",
        "/users/ada/preferences",
        "/users/ada/tokens",
    ];
    json!({ "jobs": of_jobs.collect::<Vec<_>>(), "rest": paths.map(get) })
}

/// Fills an environment with a bit of everything, in one way or another.
fn fill(customer: &Customer, way: &str) {
    customer.put("/profiles/ada", &json!({ "profile": { "email": "ada@example.com", "way": way } })).ok(200);
    customer.put(&format!("/profiles/{way}"), &json!({ "profile": { "email": "x@example.com" } })).ok(200);
    customer.put("/lists/news", &json!({ "name": way })).done();
    customer.put("/lists/news/subscriptions", &json!({ "recipients": [{ "recipientId": way }] })).done();
    customer.put(&format!("/lists/{way}"), &json!({ "name": way })).done();
    customer.post("/brands", &json!({ "name": way })).ok(200);
    let topic = json!({ "topic": { "status": if way == "bob" { "OPTED_IN" } else { "OPTED_OUT" } } });
    customer.put("/users/ada/preferences/news", &topic).ok(200);
    customer.put(&format!("/users/ada/tokens/{way}"), &json!({ "provider_key": "expo" })).done();
    let content = json!({ "version": "2022-01-01", "elements": [{ "type": "text", "content": way }] });
    let notification = json!({
        "name": way, "tags": [], "brand": null, "subscription": null, "routing": null, "content": content,
    });
    let template = json!({ "notification": notification, "state": "PUBLISHED" });
    let made = customer.post("/notifications", &template);
    assert!(made.status < 300, "{made:?}");
    send(customer, "ada", json!({}));
}

#[test]
fn what_an_environment_had_is_there_again_and_others_notice_nothing() {
    let mut daemon = Daemon::start();
    let (customer, other) = (daemon.customer("acme"), daemon.customer("other"));
    fill(&customer, "bob");
    fill(&other, "bob");
    let done = customer.create(newsletter());
    customer.ingest(&done, readers(0, 50));
    customer.run_to_the_end(&done);
    let created = customer.create(newsletter());
    customer.ingest(&created, readers(0, 30));
    let waiting = send(&customer, "cy", json!({ "delay": { "duration": 60_000 } }));
    let of_other = all(&other, &[]);
    let before = all(&customer, &[&done, &created]);
    let taken = take(&customer, "before");
    assert_eq!((&taken["jobs"], &taken["users"], &taken["messages"]), (&json!(4), &json!(82), &json!(52)));
    assert_eq!(customer.get("/_bulkd/snapshots").ok(200)["items"], json!([taken]));
    assert_eq!(customer.get("/_bulkd/snapshots?limit=1").ok(200)["paging"], json!({ "more": false }));
    assert!(customer.get("/_bulkd/snapshots?cursor=9").refused(400).starts_with("cursor: "));
    assert_eq!(other.get("/_bulkd/snapshots").ok(200)["items"], json!([]));
    other.post("/_bulkd/snapshots/before/restore", &json!({})).refused(404);
    for round in 0..3 {
        fill(&customer, "more");
        customer.ingest(&created, readers(20, 30 + round));
        customer.run_to_the_end(&created);
        let later = customer.create(newsletter());
        customer.ingest(&later, readers(0, 10));
        customer.run_to_the_end(&later);
        customer.post(&format!("/messages/{waiting}/cancel"), &json!({})).ok(200);
        customer.delete("/lists/news").done();
        let after = all(&customer, &[&done, &created]);
        assert_ne!(before, after);
        assert_eq!(restore(&customer, "before"), taken);
        assert_eq!(all(&customer, &[&done, &created]), before, "round {round}");
        customer.get(&format!("/bulk/{later}")).refused(404);
    }
    assert_eq!(all(&other, &[]), of_other);
    // The file is sound, and what was set aside goes.
    customer.ingest(&created, readers(100, 5));
    assert_eq!(customer.run_to_the_end(&created)["enqueued"], 35);
    let database = daemon.database();
    let rows = |sql: &str| open_file(&database).query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    wait_until("what was set aside is gone", || {
        rows("SELECT count(*) FROM jobs WHERE dropped_at IS NOT NULL") == 0 && rows("SELECT count(*) FROM jobs") == 5
    });
    customer.delete("/_bulkd/snapshots/before").done();
    customer.delete("/_bulkd/snapshots/before").refused(404);
    wait_until("what was kept is gone", || rows("SELECT count(*) FROM environments") == 2);
    daemon.stop();
    check(&database);
}

#[test]
fn of_two_snapshots_each_is_there_again_whichever_was_restored_before() {
    let daemon = Daemon::start_with(|config| config.test_clock = Some(ClockStart::Running));
    let customer = daemon.customer("acme");
    fill(&customer, "bob");
    let job_id = customer.create(newsletter());
    customer.ingest(&job_id, readers(0, 40));
    let waiting = send(&customer, "cy", json!({ "delay": { "duration": 60_000 } }));
    let shown = || all(&customer, &[&job_id]);
    let created = shown();
    take(&customer, "created");
    customer.run_to_the_end(&job_id);
    customer.post("/_bulkd/clock/advance", &json!({ "by": "2m" })).ok(200);
    assert_eq!(customer.get(&format!("/messages/{waiting}")).ok(200)["status"], "SENT");
    fill(&customer, "more");
    let completed = shown();
    take(&customer, "completed");
    for name in ["created", "completed", "completed", "created", "created", "completed"] {
        fill(&customer, name);
        restore(&customer, name);
        let expected = if name == "created" { &created } else { &completed };
        let mut found = shown();
        if name == "created" {
            // It was due two minutes ago, and is sent at once.
            wait_until("it is sent", || customer.get(&format!("/messages/{waiting}")).ok(200)["status"] == "SENT");
            restore_waiting(&mut found);
        }
        let mut expected = expected.clone();
        restore_waiting(&mut expected);
        restore_waiting(&mut found);
        assert_eq!(found, expected, "{name}");
    }
    customer.delete("/_bulkd/snapshots/completed").done();
    restore(&customer, "created");
    assert_eq!(customer.run_to_the_end(&job_id)["enqueued"], 40);
    check(&daemon.database());
}

/// Without the lists that show the message that waits.
fn restore_waiting(shown: &mut Value) {
    shown["rest"][0] = Value::Null;
    shown["rest"][1] = Value::Null;
}

#[test]
fn a_job_that_was_under_way_goes_on_from_there() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    customer.put("/_bulkd/lifecycle", &json!({ "mode": "manual" })).ok(200);
    let job_id = customer.create(newsletter());
    let mut users = readers(0, 60);
    users[3]["profile"]["email"] = json!(5);
    customer.ingest(&job_id, users);
    customer.run(&job_id);
    let step = |users: u64| customer.post("/_bulkd/step", &json!({ "job_id": job_id, "users": users })).ok(200);
    step(20);
    let half = customer.outbox(&job_id);
    take(&customer, "half");
    for users in [7, 40] {
        step(users);
        restore(&customer, "half");
        assert_eq!(customer.outbox(&job_id), half);
        let job = customer.job(&job_id);
        assert_eq!((&job["enqueued"], &job["failures"]), (&json!(19), &json!(1)));
    }
    // Another one of the same job: what both need is copied.
    step(20);
    take(&customer, "more");
    restore(&customer, "half");
    let texts = |items: &[Value]| items.iter().map(|it| it["body"].clone()).collect::<Vec<_>>();
    assert_eq!(texts(&customer.outbox(&job_id)), texts(&half));
    restore(&customer, "more");
    assert_eq!(customer.outbox(&job_id).len(), 39);
    customer.put("/_bulkd/lifecycle", &json!({ "mode": "instant" })).ok(200);
    assert_eq!(customer.completed(&job_id)["enqueued"], 59);
    check(&daemon.database());
}

#[test]
fn a_reset_and_a_start_end_snapshots_and_leave_nothing_of_them() {
    let mut daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let job_id = customer.create(newsletter());
    customer.ingest(&job_id, readers(0, 30));
    take(&customer, "created");
    customer.run_to_the_end(&job_id);
    take(&customer, "completed");
    restore(&customer, "created");
    daemon.stop();
    check(&daemon.database());
    daemon.open();
    let customer = daemon.customer("acme");
    assert_eq!(customer.get("/_bulkd/snapshots").ok(200)["items"], json!([]));
    assert_eq!(customer.job(&job_id)["status"], "CREATED");
    let database = daemon.database();
    let count = |sql: &str| open_file(&database).query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    wait_until("what was kept is gone", || count("SELECT count(*) FROM messages") == 0);
    take(&customer, "created");
    customer.post("/_bulkd/reset", &json!({})).done();
    customer.post("/_bulkd/snapshots/created/restore", &json!({})).refused(404);
    wait_until("all is gone", || count("SELECT count(*) FROM users") == 0);
    for name in ["", "a/b", "a%20b", &"x".repeat(101)] {
        let reply = customer.put(&format!("/_bulkd/snapshots/{name}"), &json!({}));
        assert!(reply.status == 400 || reply.status == 404, "{name}: {reply:?}");
    }
    let _ = NOW;
}

/// The file of a snapshot.
fn download(daemon: &Daemon, key: &str, name: &str) -> Vec<u8> {
    let url = format!("http://{}/_bulkd/snapshots/{name}", daemon.address());
    let mut answer = ureq::get(url).header("Authorization", format!("Bearer {key}")).call().unwrap();
    assert_eq!(answer.headers()["content-type"], "application/vnd.sqlite3");
    answer.body_mut().with_config().limit(1 << 30).read_to_vec().unwrap()
}

#[test]
fn the_file_of_a_snapshot_opens_in_another_bulkd_and_has_nothing_of_others() {
    let daemon = Daemon::start();
    let (customer, other) = (daemon.customer("acme"), daemon.customer("other"));
    other.put("/profiles/eve", &json!({ "profile": { "email": "secret-of-others@example.com" } })).ok(200);
    send(&other, "secret-of-others", json!({}));
    fill(&customer, "bob");
    let job_id = customer.create(newsletter());
    customer.ingest(&job_id, readers(0, 40));
    customer.run_to_the_end(&job_id);
    let created = customer.create(newsletter());
    customer.ingest(&created, readers(0, 20));
    let before = all(&customer, &[&job_id, &created]);
    take(&customer, "it");
    customer.run_to_the_end(&created);
    send(&customer, "later-than-that", json!({}));
    let bytes = download(&daemon, "acme", "it");
    for text in ["secret-of-others", "later-than-that"] {
        assert!(!bytes.windows(text.len()).any(|window| window == text.as_bytes()), "{text}");
    }
    let mut there = Daemon::start_with(|config| std::fs::write(config.database.as_ref().unwrap(), &bytes).unwrap());
    let customer = there.customer("acme");
    assert_eq!(all(&customer, &[&job_id, &created]), before);
    assert_eq!(customer.run_to_the_end(&created)["enqueued"], 20);
    assert_eq!(there.customer("other").get("/_bulkd/outbox").ok(200)["items"], json!([]));
    there.stop();
    check(&there.database());
    daemon.customer("acme").get("/_bulkd/snapshots/other").refused(404);
}

#[test]
fn a_fork_has_all_of_a_snapshot_under_another_key_and_goes_its_own_way() {
    let mut daemon = Daemon::start();
    let (customer, fork) = (daemon.customer("acme"), daemon.customer("fork"));
    fill(&customer, "bob");
    let job_id = customer.create(newsletter());
    customer.ingest(&job_id, readers(0, 40));
    let created = customer.create(newsletter());
    customer.ingest(&created, readers(0, 20));
    customer.run_to_the_end(&job_id);
    send(&customer, "cy", json!({ "delay": { "duration": 60_000 } }));
    take(&customer, "it");
    let without_ids = |mut shown: Value| {
        shown["rest"][0] = Value::Null;
        shown["rest"][1] = Value::Null;
        shown["rest"][7] = Value::Null;
        // The number of a message is its own.
        without_numbers(&shown.to_string())
    };
    let before = without_ids(all(&customer, &[&job_id, &created]));
    let post = |key: &str| customer.post("/_bulkd/snapshots/it/fork", &json!({ "key": key }));
    post("fork").ok(201);
    assert_eq!(without_ids(all(&fork, &[&job_id, &created])), before);
    let outbox = |customer: &Customer| {
        let items = customer.get("/_bulkd/outbox?limit=1000").ok(200)["items"].take();
        let shown = |it: &Value| json!([it["recipient"], it["status"], it["subject"], it["body"]]);
        items.as_array().unwrap().iter().map(shown).collect::<Vec<_>>()
    };
    assert_eq!(outbox(&fork), outbox(&customer));
    assert_eq!(fork.run_to_the_end(&created)["enqueued"], 20);
    assert_eq!(customer.job(&created)["status"], "CREATED");
    let refusal = post("fork").refused(409);
    assert!(refusal.contains("reset"), "{refusal}");
    fork.post("/_bulkd/reset", &json!({})).done();
    post("fork").ok(201);
    post("").refused(400);
    customer.post("/_bulkd/reset", &json!({})).done();
    assert_eq!(without_ids(all(&fork, &[&job_id, &created])), before);
    let database = daemon.database();
    let count = |sql: &str| open_file(&database).query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    wait_until("the first has gone", || count("SELECT count(*) FROM environments") == 1);
    daemon.stop();
    check(&database);
}

/// A text without the numbers in the ids of messages.
fn without_numbers(text: &str) -> String {
    let parts: Vec<&str> = text.split("-000000000000").collect();
    let rest = parts.iter().skip(1).map(|part| part.get(12..).unwrap_or_default());
    parts.first().copied().into_iter().chain(rest).collect::<Vec<_>>().join("-id")
}

/// What a snapshot and its restore cost with many messages is printed; `BULKD_TEST_LONG=1` has 100,000 of them.
#[test]
fn a_snapshot_of_many_messages_copies_none_of_them() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let job_id = customer.create(newsletter());
    let users = sized(10_000, 100_000);
    for first in (0..users).step_by(5_000) {
        customer.ingest(&job_id, readers(first, 5_000));
    }
    customer.run_to_the_end(&job_id);
    let timed = |what: &str, work: &dyn Fn()| {
        let begun = Instant::now();
        work();
        println!("{what} with {users} messages: {:?}", begun.elapsed());
    };
    timed("take", &|| drop(take(&customer, "many")));
    let more = customer.create(newsletter());
    customer.ingest(&more, readers(0, 5_000));
    customer.run_to_the_end(&more);
    let taken = customer.get("/_bulkd/snapshots").ok(200)["items"][0].clone();
    assert!(taken["bytes"].as_u64().unwrap() < 100_000, "{taken}");
    timed("restore", &|| drop(restore(&customer, "many")));
    assert_eq!(customer.job(&job_id)["enqueued"], users);
    customer.get(&format!("/bulk/{more}")).refused(404);
    timed("restore again", &|| drop(restore(&customer, "many")));
    timed("file", &|| drop(download(&daemon, "acme", "many")));
    timed("fork", &|| drop(customer.post("/_bulkd/snapshots/many/fork", &json!({ "key": "fork" })).ok(201)));
    timed("delete", &|| customer.delete("/_bulkd/snapshots/many").done());
    timed("reset", &|| customer.post("/_bulkd/reset", &json!({})).done());
}

/// The versions of the file of which a snapshot is kept. `BULKD_KEEP_SNAPSHOT=1 cargo test a_kept_snapshot` makes that of
/// the last one anew.
const KEPT: [i64; 5] = [6, 7, 8, 9, 10];

fn kept(version: i64, kind: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/files/snapshot-{version}.{kind}"))
}

/// What is told of a kept snapshot, in members that stay.
fn told(customer: &Customer, jobs: &[&str]) -> Value {
    let of_job = |job_id: &&str| {
        let job = customer.job(job_id);
        let users =
            customer.users(job_id).into_iter().map(|it| json!([it["recipient"], it["status"], it["messageId"]]));
        let messages =
            customer.outbox(job_id).into_iter().map(|it| json!([it["recipient"], it["subject"], it["body"]]));
        json!({
            "job_id": job_id, "status": job["status"], "received": job["received"], "enqueued": job["enqueued"],
            "users": users.collect::<Vec<_>>(), "messages": messages.collect::<Vec<_>>(),
        })
    };
    let profile = customer.get("/profiles/ada").ok(200)["profile"].clone();
    let lists = customer.get("/lists/news/subscriptions").ok(200)["items"].clone();
    let lists: Vec<Value> = lists.as_array().unwrap().iter().map(|it| it["recipientId"].clone()).collect();
    json!({ "jobs": jobs.iter().map(of_job).collect::<Vec<_>>(), "profile": profile, "subscribers": lists })
}

fn keep(version: i64) {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    fill(&customer, "bob");
    let [over, waiting] = [3, 5].map(|users| {
        let job_id = customer.create(newsletter());
        customer.ingest(&job_id, readers(0, users));
        job_id
    });
    customer.run_to_the_end(&over);
    take(&customer, "it");
    std::fs::write(kept(version, "db"), download(&daemon, "acme", "it")).unwrap();
    let told = serde_json::to_string_pretty(&told(&customer, &[&over, &waiting])).unwrap();
    std::fs::write(kept(version, "json"), told + "\n").unwrap();
}

#[test]
fn a_kept_snapshot_of_each_version_is_there_again() {
    let schema = include_str!("../../schema.sql");
    let last = KEPT[KEPT.len() - 1];
    let is_last = schema.lines().next().unwrap().contains(&format!(", version {last} ("));
    assert!(is_last, "no snapshot of this version is kept");
    if std::env::var_os("BULKD_KEEP_SNAPSHOT").is_some() {
        keep(last);
    }
    for version in KEPT {
        let bytes = std::fs::read(kept(version, "db")).unwrap();
        let was: Value = serde_json::from_str(&std::fs::read_to_string(kept(version, "json")).unwrap()).unwrap();
        let mut daemon =
            Daemon::start_with(|config| std::fs::write(config.database.as_ref().unwrap(), &bytes).unwrap());
        let customer = daemon.customer("acme");
        let jobs: Vec<&str> = was["jobs"].as_array().unwrap().iter().map(|it| it["job_id"].as_str().unwrap()).collect();
        assert_eq!(told(&customer, &jobs), was, "version {version}");
        // And it goes on, and can be come back to, as what this version has made.
        take(&customer, "again");
        assert_eq!(customer.run_to_the_end(jobs[1])["enqueued"], 5);
        customer.put("/profiles/ada", &json!({ "profile": { "email": "later@example.com" } })).ok(200);
        customer.put("/lists/news/subscriptions", &json!({ "recipients": [{ "recipientId": "later" }] })).done();
        assert_ne!(told(&customer, &jobs), was);
        restore(&customer, "again");
        assert_eq!(told(&customer, &jobs), was, "version {version}");
        daemon.stop();
        check(&daemon.database());
    }
}
