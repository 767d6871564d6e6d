//! Files of older versions, each left behind by the last daemon that wrote its version, with what that had answered
//! about it. That of `files/version-1.db` was killed while one of its jobs was running; that of `files/version-2.db` could
//! neither finish a job nor send a delayed message, because of an e-mail beside a text message that was opened; that of
//! `files/version-3.db` and those of the later ones were killed before the first message of a job, and have a message with
//! the id that a seed gave it. That of `files/version-8.db` delivered text messages to a target that was paused, and all else
//! to a Redis that was not there; that of `files/version-9.db` is the same, brought to its version by a start without
//! `--relay`.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::support::binary::{self, Binary, bulkd};
use crate::support::stand::Stand;
use crate::support::{Customer, Daemon, in_view, json, newsletter, open_file, readers, wait_until};
use bulkd::model::deliver_target::DeliverTo;
use bulkd::store::check;
use rusqlite::Connection;
use serde_json::Value;

/// The versions of which a file is kept.
const KEPT: [i64; 9] = [1, 2, 3, 4, 5, 6, 7, 8, 9];

fn kept(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files").join(name)
}

fn answered(version: i64) -> Value {
    serde_json::from_str(&fs::read_to_string(kept(&format!("version-{version}.json"))).unwrap()).unwrap()
}

/// A daemon on a copy of the old file.
fn daemon(version: i64) -> Daemon {
    Daemon::start_with(|config| {
        fs::copy(kept(&format!("version-{version}.db")), config.database.as_ref().unwrap()).unwrap();
    })
}

fn id<'a>(answered: &'a Value, name: &str) -> &'a str {
    answered[name].as_str().unwrap()
}

/// The old outbox, as it is to be read now: version 1 had one provider a channel, and no reasons.
fn outbox(answered: &Value) -> Vec<Value> {
    let mut messages = answered["outbox"].as_array().unwrap().clone();
    for message in messages.iter_mut().filter(|message| message.get("provider").is_none()) {
        let provider = match message["channel"].as_str().unwrap() {
            "email" => "sendgrid",
            "sms" => "twilio",
            "push" => "firebase-fcm",
            _ => "courier",
        };
        message["provider"] = provider.into();
        message["reason"] = Value::Null;
        message["content"] = Value::Null;
    }
    messages
}

#[track_caller]
fn assert_reads_as_before(customer: &Customer, answered: &Value) {
    let job_id = id(answered, "completed");
    assert_eq!(customer.job(job_id), answered["job"]["job"]);
    assert_eq!(customer.users(job_id), *answered["users"].as_array().unwrap());
    assert_eq!(customer.outbox(job_id).iter().map(in_view).collect::<Vec<_>>(), outbox(answered));
}

/// What is kept of a version reads as it did, before and after a restart: the messages too, each by its name in the kept
/// answers and its id, which is that of the first answer unless given.
fn assert_made_reads_as_before(version: i64, messages: &[(&str, Option<&str>)]) {
    let answered = answered(version);
    let mut daemon = daemon(version);
    for _ in 0..2 {
        let customer = daemon.customer(id(&answered, "key"));
        assert_reads_as_before(&customer, &answered);
        for (name, message_id) in messages {
            let expected = answered[name].as_array().unwrap();
            let message_id = message_id.unwrap_or_else(|| id(&expected[0], "message_id"));
            let went = customer.get(&format!("/_bulkd/outbox?fields=all&message_id={message_id}")).ok(200);
            assert_eq!(went["items"].as_array().unwrap().iter().map(in_view).collect::<Vec<_>>(), *expected, "{name}");
        }
        let canceled = &answered["canceled"];
        assert_eq!(customer.get(&format!("/messages/{}", id(canceled, "id"))).ok(200), *canceled);
        daemon.restart();
    }
    daemon.stop();
    binary::check(&daemon.database());
}

/// Everything in the schema of a file, without comments and line breaks, which may differ from one version to the next.
fn schema(database: &Path) -> Vec<(String, String)> {
    let conn = open_file(database);
    let mut all = conn.prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name").unwrap();
    let all = all.query_map([], |row| {
        let sql: Option<String> = row.get(3)?;
        let lines = sql.iter().flat_map(|sql| sql.lines()).map(|line| line.split("--").next().unwrap());
        let words = lines.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ");
        // A column that was added stands behind the last one's line.
        let words = words.replace(" ,", ",").replace(" )", ")");
        let (kind, name, table): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok((format!("{kind} {name} of {table}"), words))
    });
    all.unwrap().map(Result::unwrap).collect()
}

/// The columns of tables and view and those of the indexes, as SQLite itself understands the schema.
fn columns(database: &Path) -> Vec<String> {
    let sql = "SELECT concat_ws(' ', m.name, c.cid, c.name, c.type, c.\"notnull\", c.dflt_value, c.pk, c.hidden)
         FROM sqlite_schema AS m JOIN pragma_table_xinfo(m.name) AS c WHERE m.type IN ('table', 'view')
         UNION ALL
         SELECT concat_ws(' ', m.name, i.name, i.\"unique\", i.origin, i.partial, c.seqno, c.name, c.\"desc\", c.coll)
         FROM sqlite_schema AS m JOIN pragma_index_list(m.name) AS i JOIN pragma_index_xinfo(i.name) AS c
         WHERE m.type = 'table'
         ORDER BY 1";
    let conn = open_file(database);
    let mut all = conn.prepare(sql).unwrap();
    all.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

fn version(database: &Path) -> i64 {
    open_file(database).query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap()
}

#[test]
fn what_version_1_had_made_reads_as_before() {
    let answered = answered(1);
    let mut daemon = daemon(1);
    for _ in 0..2 {
        assert_reads_as_before(&daemon.customer(id(&answered, "key")), &answered);
        assert_eq!(daemon.customer("somebody-else").get("/_bulkd/outbox").ok(200)["items"], json!([]));
        daemon.restart();
    }
}

#[test]
fn jobs_of_version_1_go_on() {
    let answered = answered(1);
    let mut daemon = daemon(1);
    let customer = daemon.customer(id(&answered, "key"));
    // One was running, and goes on by itself,
    let processing = id(&answered, "processing");
    let job = customer.completed(processing);
    assert_eq!((&job["enqueued"], &job["failures"]), (&json!(4), &json!(1)));
    let texts = |messages: &[Value]| -> Vec<(Value, Value)> {
        messages.iter().map(|it| (it["recipient"].clone(), it["subject"].clone())).collect()
    };
    assert_eq!(texts(&customer.outbox(processing)), texts(&outbox(&answered)));
    // another takes more users, and knows those that it has,
    let created = id(&answered, "created");
    let ingested = customer.ingest(created, json!([{ "recipient": "ada" }, { "recipient": "eve" }]));
    assert_eq!((&ingested["total"], ingested["errors"].as_array().unwrap().len()), (&json!(1), 1));
    assert_eq!(customer.run_to_the_end(created)["enqueued"], 3);
    // a repeated request gets its old answer, and new ones are served.
    let repeated = customer.once(id(&answered, "idempotency_key")).post("/bulk", &json!({ "message": newsletter() }));
    assert_eq!(repeated.ok(201), json!({ "jobId": answered["completed"] }));
    assert_eq!(repeated.header("x-bulkd-replayed"), Some("true"));
    let new = customer.create(newsletter());
    customer.ingest(&new, readers(0, 3));
    assert_eq!(customer.run_to_the_end(&new)["enqueued"], 3);
    assert_reads_as_before(&customer, &answered);
    daemon.stop();
    assert!(binary::check(&daemon.database()).ends_with(": 4 jobs, 16 users, 14 messages, 2 failures\n"));
}

#[test]
fn what_version_2_had_made_reads_as_before() {
    assert_made_reads_as_before(2, &[("failed_over", None)]);
}

#[test]
fn what_version_2_could_not_send_goes_out() {
    let answered = answered(2);
    let daemon = daemon(2);
    let customer = daemon.customer(id(&answered, "key"));
    let went = |query: String| -> Vec<String> {
        let items = customer.get(&format!("/_bulkd/outbox?fields=all&{query}")).ok(200)["items"].take();
        let items = items.as_array().unwrap().iter();
        items
            .map(|it| format!("{} {}", it["channel"].as_str().unwrap_or("none"), it["status"].as_str().unwrap()))
            .collect()
    };
    let processing = id(&answered, "processing");
    assert_eq!(customer.completed(processing)["enqueued"], 2);
    assert_eq!(went(format!("job_id={processing}")), ["sms SENT", "email OPENED", "sms SENT", "email SENT"]);
    let waiting = |i: usize| went(format!("message_id={}", answered["waiting"][i].as_str().unwrap()));
    assert_eq!((waiting(0), waiting(1)), (vec!["none DELAYED".to_owned()], vec!["none DELAYED".to_owned()]));
    daemon.clock.advance(Duration::from_secs(365 * 86_400));
    wait_until("what was delayed is sent", || (0..2).all(|i| waiting(i) != ["none DELAYED"]));
    assert_eq!(
        (waiting(0), waiting(1)),
        (vec!["sms SENT".to_owned(), "email CLICKED".to_owned()], vec!["email SENT".to_owned()])
    );
}

#[test]
fn what_version_3_had_made_reads_as_before() {
    assert_made_reads_as_before(3, &[("failed_over", None), ("seeded", Some("message-1"))]);
}

#[test]
fn what_version_4_had_made_reads_as_before() {
    assert_made_reads_as_before(4, &[("failed_over", None), ("seeded", Some("message-1"))]);
}

#[test]
fn what_version_5_had_made_reads_as_before() {
    assert_made_reads_as_before(5, &[("failed_over", None), ("seeded", Some("message-1"))]);
}

#[test]
fn what_version_6_had_made_reads_as_before() {
    assert_made_reads_as_before(6, &[("failed_over", None), ("seeded", Some("message-1"))]);
}

#[test]
fn what_version_7_had_made_reads_as_before() {
    assert_made_reads_as_before(7, &[("failed_over", None), ("seeded", Some("message-1"))]);
}

#[test]
fn what_version_8_had_made_reads_as_before() {
    assert_made_reads_as_before(8, &[("failed_over", None), ("seeded", Some("message-1"))]);
}

#[test]
fn what_version_9_had_made_reads_as_before() {
    assert_made_reads_as_before(9, &[("failed_over", None), ("seeded", Some("message-1"))]);
}

#[test]
fn jobs_of_version_3_go_on() {
    assert_jobs_go_on(3);
}

#[test]
fn jobs_of_version_4_go_on() {
    assert_jobs_go_on(4);
}

#[test]
fn jobs_of_version_5_go_on() {
    assert_jobs_go_on(5);
}

#[test]
fn jobs_of_version_6_go_on() {
    assert_jobs_go_on(6);
}

#[test]
fn jobs_of_version_7_go_on() {
    assert_jobs_go_on(7);
}

#[test]
fn jobs_of_version_8_go_on() {
    assert_jobs_go_on(8);
}

#[test]
fn jobs_of_version_9_go_on() {
    assert_jobs_go_on(9);
}

/// Each channel goes on where it was, also the e-mails, which had gone by the relay. What the relay has stays with it.
#[test]
fn what_versions_8_and_9_were_to_deliver_goes_out_once() {
    assert_goes_out_once(8);
    assert_goes_out_once(9);
}

fn assert_goes_out_once(version: i64) {
    let answered = answered(version);
    let stand = Stand::willing();
    let mut daemon = Daemon::start_with(|config| {
        fs::copy(kept(&format!("version-{version}.db")), config.database.as_ref().unwrap()).unwrap();
        config.deliver = vec![DeliverTo::parse(&format!("all={}", stand.url())).unwrap()];
    });
    let customer = daemon.customer(id(&answered, "key"));
    customer.completed(id(&answered, "processing"));
    customer.put("/_bulkd/deliver/sms", &json!({ "paused": false })).ok(200);
    daemon.clock.advance(Duration::from_secs(365 * 86_400));
    wait_until("all is delivered", || {
        let items = customer.get("/_bulkd/deliver").ok(200)["items"].take();
        let items = items.as_array().unwrap();
        let is_done = |name: &str, delivered: u64| {
            let it = items.iter().find(|it| it["channel"] == name).unwrap();
            (&it["queued"], &it["behind"], &it["delivered"]) == (&json!(0), &json!(0), &json!(delivered))
        };
        is_done("sms", 4) && is_done("email", 2)
    });
    let mut sent: Vec<(String, String)> = stand
        .made()
        .iter()
        .map(|made| (made.json()["data"]["channel"].as_str().unwrap().to_owned(), made.recipient()))
        .collect();
    sent.sort();
    let expected = [("email", "hal"), ("email", "jon"), ("sms", "ada"), ("sms", "bob"), ("sms", "bob"), ("sms", "fay")];
    assert_eq!(sent, expected.map(|(channel, name)| (channel.to_owned(), name.to_owned())));
    daemon.stop();
    let database = daemon.database();
    let left: (String, String, i64, i64) = open_file(&database)
        .query_row("SELECT min(channel), max(route), count(*), max(entry) FROM delivery_queue", [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })
        .unwrap();
    assert_eq!(left, ("email".to_owned(), "relay".to_owned(), 2, 5));
    binary::check(&database);
}

fn assert_jobs_go_on(version: i64) {
    let answered = answered(version);
    let mut daemon = daemon(version);
    let customer = daemon.customer(id(&answered, "key"));
    let job = customer.completed(id(&answered, "processing"));
    assert_eq!((&job["enqueued"], &job["failures"]), (&json!(2), &json!(1)));
    assert_eq!(customer.run_to_the_end(id(&answered, "created"))["enqueued"], 2);
    // What was answered under a key is answered again; which body it had is not known.
    let repeated = customer.once(id(&answered, "idempotency_key")).post("/bulk", &json!({ "message": newsletter() }));
    assert_eq!(repeated.ok(201), json!({ "jobId": answered["completed"] }));
    let waiting = format!("/messages/{}", answered["waiting"][0].as_str().unwrap());
    assert_eq!(customer.get(&waiting).ok(200)["status"], "DELAYED");
    daemon.clock.advance(Duration::from_secs(365 * 86_400));
    wait_until("what was delayed is sent", || customer.get(&waiting).ok(200)["status"] == "SENT");
    daemon.stop();
    binary::check(&daemon.database());
}

/// `files/version-4-versions.db` has a profile that was replaced twice and used once, one that was used and deleted, and a
/// brand that was replaced twice and used once.
#[test]
fn versions_of_version_4_are_kept_if_a_message_refers_to_them_and_deleted_profiles_are_overwritten() {
    let mut daemon = Daemon::start_with(|config| {
        fs::copy(kept("version-4-versions.db"), config.database.as_ref().unwrap()).unwrap();
    });
    let customer = daemon.customer("acme");
    let loaded = |message_id: &str| {
        let history = customer.get(&format!("/messages/{message_id}/history?type=PROFILE_LOADED")).ok(200);
        history["results"][0].clone()
    };
    assert_eq!(loaded("1-6b0a9333-36ae3bb3713d000000000001")["stored_profile"]["name"], "Ada, the first");
    assert_eq!(loaded("1-6b0a9334-36ae3bb3713d000000000002")["stored_profile_deleted"], true);
    assert_eq!(customer.get("/profiles/ada").ok(200)["profile"]["name"], "Ada, the second");
    assert_eq!(customer.get("/brands/blue").ok(200)["name"], "Red");
    customer.delete("/profiles/ada").done();
    assert_eq!(loaded("1-6b0a9333-36ae3bb3713d000000000001")["stored_profile_deleted"], true);
    daemon.stop();
    let database = daemon.database();
    let rows = |table: &str| -> i64 {
        open_file(&database).query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
    };
    assert_eq!((rows("profile_versions"), rows("brand_versions")), (3, 2));
    let bytes = fs::read(&database).unwrap();
    for gone in ["Bob, deleted", "Ada, "] {
        assert!(!bytes.windows(gone.len()).any(|window| window == gone.as_bytes()), "{gone}");
    }
    binary::check(&database);
}

#[test]
fn a_file_that_was_brought_up_to_date_has_the_schema_of_a_new_one() {
    let mut new = Daemon::start();
    new.stop();
    for from in KEPT {
        let mut old = daemon(from);
        old.stop();
        assert_eq!(version(&old.database()), version(&new.database()));
        assert_eq!(schema(&old.database()), schema(&new.database()), "version {from}");
        assert_eq!(columns(&old.database()), columns(&new.database()), "version {from}");
    }
}

/// A word that a later version brings needs no migration: the large tables take any, and the check knows its own.
#[test]
fn an_unknown_word_is_found_by_the_check_and_refused_by_no_table() {
    let columns = [
        ("messages", vec!["status", "reason", "channel", "provider"]),
        ("deliveries", vec!["status", "reason", "channel", "provider"]),
        ("message_events", vec!["status"]),
    ];
    for from in KEPT {
        let mut old = daemon(from);
        old.customer(id(&answered(from), "key")).completed(id(&answered(from), "processing"));
        old.stop();
        let conn = Connection::open(old.database()).unwrap();
        for (table, columns) in &columns {
            let first = conn.query_row(&format!("SELECT min(number) FROM {table}"), [], |row| row.get(0)).unwrap();
            let Some(first): Option<i64> = first else {
                assert_eq!((from, *table == "messages"), (1, false));
                continue;
            };
            for column in columns {
                let kept: Option<String> = conn
                    .query_row(&format!("SELECT {column} FROM {table} WHERE number = {first}"), [], |row| row.get(0))
                    .unwrap();
                let set = format!("UPDATE {table} SET {column} = ?1 WHERE number = {first}");
                conn.execute(&set, ["LOST"]).unwrap();
                let found = check::check(&old.database()).err().unwrap().to_string();
                let expected = format!("the row of {table} with number {first} has the {column} 'LOST'");
                assert!(found.ends_with(&expected), "{found}");
                conn.execute(&set, [kept]).unwrap();
            }
        }
        drop(conn);
        binary::check(&old.database());
    }
}

#[test]
fn a_daemon_that_is_killed_on_the_way_leaves_the_old_version() {
    for from in KEPT {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("bulkd.db");
        fs::copy(kept(&format!("version-{from}.db")), &database).unwrap();
        let before = schema(&database);
        let args = ["--listen", "127.0.0.1:0", "--db", database.to_str().unwrap()];
        let ended = Binary::spawn(bulkd(&args).env("BULKD_CRASH_AT", "migration")).wait();
        assert!(ended.signal.is_some(), "{ended:?}");
        // The next to open it takes back what the journal says was never committed.
        let conn = Connection::open(&database).unwrap();
        assert_eq!(conn.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0)).unwrap(), "ok");
        drop(conn);
        assert_eq!(version(&database), from);
        assert!(schema(&database) == before, "the schema has changed");
        let daemon = Binary::start(&args);
        let answered = answered(from);
        let customer = daemon.customer(id(&answered, "key"));
        assert_reads_as_before(&customer, &answered);
        customer.completed(id(&answered, "processing"));
        daemon.terminate();
        binary::check(&database);
    }
}

#[test]
fn a_file_that_cannot_be_brought_up_to_date_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("bulkd.db");
    fs::copy(kept("version-1.db"), &database).unwrap();
    Connection::open(&database).unwrap().execute_batch("DROP TABLE failures").unwrap();
    let before = schema(&database);
    let args = ["--listen", "127.0.0.1:0", "--db", database.to_str().unwrap()];
    let ended = Binary::spawn(&mut bulkd(&args)).wait();
    assert!(ended.refusal().contains("cannot be brought to version"), "{ended:?}");
    assert_eq!(version(&database), 1);
    assert!(schema(&database) == before, "the schema has changed");
}

#[test]
fn an_old_file_is_not_checked_before_it_is_brought_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("bulkd.db");
    fs::copy(kept("version-1.db"), &database).unwrap();
    let ended = Binary::spawn(&mut bulkd(&["check", database.to_str().unwrap()])).wait();
    assert!(ended.refusal().contains("is of file version 1"), "{ended:?}");
    assert_eq!(version(&database), 1);
}
