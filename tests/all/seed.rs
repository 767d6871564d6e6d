//! A seed: what every environment begins with, kept as files beside the code that uses it.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use crate::support::binary::{Binary, bulkd, check};
use crate::support::{Customer, Daemon, json, newsletter, open_file, readers, sized, wait_until};
use rusqlite::OpenFlags;
use serde_json::Value;
use tempfile::TempDir;

/// A folder with the files of a seed.
struct Fixtures(TempDir);

impl Fixtures {
    fn new(files: &[(&str, Value)]) -> Self {
        let fixtures = Fixtures(tempfile::tempdir().unwrap());
        files.iter().for_each(|(name, content)| fixtures.write(name, content));
        fixtures
    }

    fn one(content: &Value) -> Self {
        Fixtures::new(&[("seed.json", content.clone())])
    }

    fn write(&self, name: &str, content: &Value) {
        self.write_text(name, &content.to_string());
    }

    fn write_text(&self, name: &str, content: &str) {
        std::fs::write(self.0.path().join(name), content).unwrap();
    }

    fn path(&self) -> PathBuf {
        self.0.path().to_owned()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn daemon(&self) -> Daemon {
        Daemon::start_with(|config| config.seed = Some(self.path()))
    }

    /// What the binary says before it ends.
    #[track_caller]
    fn refused(&self, seed: &Path) -> String {
        let database = self.file("bulkd.db");
        let args = ["--listen", ":0", "--db", database.to_str().unwrap(), "--seed", seed.to_str().unwrap()];
        let ended = Binary::spawn(&mut bulkd(&args)).wait();
        assert!(!database.exists(), "a file was left behind");
        let folder = format!("{}/", self.0.path().display());
        ended.refusal().trim_start_matches("bulkd: ").replace(&folder, "").to_owned()
    }
}

/// A template that says this by e-mail and elsewhere.
fn saying(words: &str) -> Value {
    json!({
        "name": "Welcome", "brand": { "id": "acme" }, "subscription": { "topic_id": "news" }, "alias": "user-joined",
        "content": { "version": "2022-01-01", "elements": [
            { "type": "meta", "title": "Welcome!" },
            { "type": "text", "content": words },
        ]},
    })
}

fn everything() -> Value {
    json!({
        "templates": { "welcome": saying("Hello {{profile.name}}") },
        "brands": { "acme": { "name": "Acme", "settings": { "colors": { "primary": "#c0ffee" } } } },
        "profiles": { "ada": { "email": "ada@example.com", "name": "Ada" }, "bob": { "email": "bob@example.com" } },
        "lists": { "readers": { "name": "Readers", "subscribers": ["ada", "bob"] } },
        "topics": { "news": { "name": "News", "default_status": "OPTED_IN" } },
        "preferences": { "bob": { "news": { "status": "OPTED_OUT" } } },
        "tokens": { "eve": { "device-1": { "provider_key": "expo" } } },
        "checks": { "welcome": { "review-1": [{ "id": "legal", "status": "PENDING", "type": "custom" }] } },
        "jobs": {
            "job-open": { "message": newsletter(), "users": [{ "recipient": "ada" }] },
            "job-done": { "message": { "template": "welcome" }, "users": readers(0, 3), "run": true },
        },
        "messages": {
            "message-1": { "message": { "to": { "user_id": "ada" }, "template": "welcome" } },
            "1-5e2b2615-05efbb3acab9172f88dd3f6f": { "message": { "to": { "email": "x@example.com" }, "template": "welcome" } },
        },
    })
}

/// Sends to a user and returns what is in the outbox of it.
#[track_caller]
fn sent(customer: &Customer, user_id: &str) -> Value {
    let message = json!({ "to": { "user_id": user_id }, "template": "welcome" });
    let request_id = customer.post("/send", &json!({ "message": message })).ok(202)["requestId"].take();
    let request_id = request_id.as_str().unwrap();
    customer.get(&format!("/_bulkd/outbox?fields=all&message_id={request_id}")).ok(200)["items"][0].take()
}

fn versions(customer: &Customer) -> Vec<String> {
    let page = customer.get("/notifications/welcome/versions").ok(200);
    let label = |version: &Value| version["version"].as_str().unwrap().to_owned();
    page["versions"].as_array().unwrap().iter().map(label).collect()
}

/// What stands in each table, row by row.
fn rows(daemon: &Daemon) -> Vec<(String, Vec<String>)> {
    let conn = open_file(&daemon.database());
    let mut tables = conn.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").unwrap();
    let tables: Vec<String> = tables.query_map([], |row| row.get(0)).unwrap().map(|name| name.unwrap()).collect();
    let rows = |table: String| {
        let mut all = conn.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let columns = all.column_count();
        let row = |row: &rusqlite::Row<'_>| (0..columns).map(|i| Ok(format!("{:?} ", row.get_ref(i)?))).collect();
        let rows: Vec<String> = all.query_map([], row).unwrap().map(|row| row.unwrap()).collect();
        (table, rows)
    };
    tables.into_iter().map(rows).collect()
}

fn count(daemon: &Daemon, table: &str) -> usize {
    rows(daemon).into_iter().find(|(name, _)| name == table).unwrap().1.len()
}

#[test]
fn a_seeded_daemon_knows_templates_brands_and_users_from_the_first_request_on() {
    let daemon = Fixtures::one(&everything()).daemon();
    let acme = daemon.customer("acme");
    let ada = sent(&acme, "ada");
    assert_eq!((&ada["status"], &ada["address"]), (&json!("SENT"), &json!("ada@example.com")));
    assert_eq!((&ada["subject"], &ada["body"]), (&json!("Welcome!"), &json!("Hello Ada")));
    assert!(ada["html"].as_str().unwrap().to_lowercase().contains("#c0ffee"), "the brand is missing");
    assert_eq!(sent(&acme, "bob")["reason"], "UNSUBSCRIBED");
    assert_eq!(sent(&acme, "eve")["provider"], "expo");

    let template = acme.get("/notifications/welcome").ok(200);
    assert_eq!((&template["state"], &template["alias"]), (&json!("PUBLISHED"), &json!("user-joined")));
    assert_eq!(acme.get("/users/bob/preferences/news").ok(200)["topic"]["topic_name"], "News");
    let readers = acme.get("/lists/readers/subscriptions").ok(200);
    let readers = readers["items"].as_array().unwrap().iter().map(|it| it["recipientId"].clone());
    assert_eq!(readers.collect::<Value>(), json!(["ada", "bob"]));
    let checks = acme.get("/notifications/welcome/review-1/checks").ok(200);
    assert_eq!((&checks["checks"][0]["id"], &checks["checks"][0]["status"]), (&json!("legal"), &json!("PENDING")));
}

#[test]
fn every_environment_begins_with_the_seed_and_goes_its_own_way() {
    let mut daemon = Fixtures::one(&everything()).daemon();
    let keys: Vec<String> = (0..4).map(|i| format!("key-{i}")).collect();
    thread::scope(|scope| {
        for key in keys.iter().chain(&keys) {
            let customer = daemon.customer(key);
            scope.spawn(move || assert_eq!(customer.get("/messages/message-1").ok(200)["recipient"], "ada"));
        }
    });
    let (first, second) = (daemon.customer("key-0"), daemon.customer("key-1"));
    first.put("/profiles/ada", &json!({ "profile": { "email": "new@example.com", "name": "A" } })).ok(200);
    assert_eq!(sent(&first, "ada")["address"], "new@example.com");
    assert_eq!(sent(&second, "ada")["address"], "ada@example.com");
    assert_eq!(count(&daemon, "message_names"), 8);
    daemon.stop();
    check(&daemon.database());
}

#[test]
fn an_environment_keeps_what_was_changed_in_it_however_many_others_begin() {
    let seed = json!({ "profiles": { "ada": { "name": "Ada" } } });
    let daemon = Fixtures::one(&seed).daemon();
    let first = daemon.customer("first");
    first.send("PUT", "/profiles/ada", Some(&json!({ "profile": { "name": "Countess" } }).to_string())).ok(200);
    // More than are remembered.
    for i in 0..1100 {
        assert_eq!(daemon.customer(&format!("key-{i}")).get("/profiles/ada").ok(200)["profile"]["name"], "Ada");
    }
    assert_eq!(first.get("/profiles/ada").ok(200)["profile"]["name"], "Countess");
}

#[test]
fn a_restart_changes_nothing_and_puts_right_what_was_changed() {
    let fixtures = Fixtures::one(&everything());
    let mut daemon = fixtures.daemon();
    let acme = daemon.customer("acme");
    acme.get("/lists").ok(200);
    acme.completed("job-done");
    let before = rows(&daemon);
    daemon.clock.advance(Duration::from_secs(1));
    daemon.restart();
    let acme = daemon.customer("acme");
    for (before, after) in before.iter().zip(rows(&daemon)) {
        assert!(*before == after, "{} has changed", after.0);
    }
    assert_eq!(versions(&acme), ["draft", "published:v001"]);

    acme.put("/profiles/ada", &json!({ "profile": { "email": "new@example.com" } })).ok(200);
    acme.delete("/notifications/welcome").done();
    daemon.restart();
    let acme = daemon.customer("acme");
    assert_eq!(sent(&acme, "ada")["body"], "Hello Ada");
    assert_eq!(versions(&acme), ["draft", "published:v001"]);
}

#[test]
fn a_file_that_has_changed_replaces_what_it_names() {
    let fixtures = Fixtures::one(&everything());
    let mut daemon = fixtures.daemon();
    daemon.customer("acme").get("/lists").ok(200);
    let mut changed = everything();
    changed["templates"]["welcome"] = saying("Good day {{profile.name}}");
    // An alias moves on, to one that comes before.
    changed["templates"]["welcome"]["alias"] = Value::Null;
    changed["templates"]["another"] = saying("Another");
    changed["templates"]["draft"] = json!({ "state": "DRAFT", "name": "Draft", "content": { "elements": [] } });
    changed["lists"]["readers"]["subscribers"] = json!({ "bob": {}, "eve": { "preferences": {} } });
    changed["preferences"]["bob"]["news"]["status"] = json!("OPTED_IN");
    changed["jobs"]["job-open"]["users"] = json!([]);
    changed.as_object_mut().unwrap().remove("profiles");
    fixtures.write("seed.json", &changed);
    daemon.restart();
    let acme = daemon.customer("acme");
    assert_eq!(versions(&acme), ["draft", "published:v002", "v001"]);
    assert_eq!(acme.get("/notifications?event_id=user-joined").ok(200)["results"][0]["id"], "another");
    acme.get("/notifications/draft").refused(404);
    assert_eq!(acme.get("/notifications/draft?version=draft").ok(200)["name"], "Draft");
    let readers = acme.get("/lists/readers/subscriptions").ok(200);
    assert_eq!(readers["items"][0]["recipientId"], "bob");
    assert_eq!(readers["items"][1]["recipientId"], "eve");
    // What is not named any more stays, and so do jobs and messages.
    assert_eq!(sent(&acme, "ada")["body"], "Good day Ada");
    assert_eq!(sent(&acme, "bob")["status"], "SENT");
    assert_eq!(acme.job("job-open")["received"], 1);
}

#[test]
fn jobs_and_messages_have_the_ids_that_the_seed_gives_them() {
    let mut daemon = Fixtures::one(&everything()).daemon();
    let acme = daemon.customer("acme");
    assert_eq!(acme.job("job-open")["status"], "CREATED");
    acme.ingest("job-open", json!([{ "recipient": "ada" }, { "recipient": "bob" }]));
    assert_eq!(acme.run_to_the_end("job-open")["received"], 2);
    assert_eq!(acme.completed("job-done")["enqueued"], 3);
    assert_eq!(acme.outbox("job-done").len(), 3);

    for id in ["message-1", "1-5e2b2615-05efbb3acab9172f88dd3f6f"] {
        let message = acme.get(&format!("/messages/{id}")).ok(200);
        assert_eq!((&message["id"], &message["status"]), (&json!(id), &json!("SENT")));
        acme.get(&format!("/messages/{id}/history")).ok(200);
        assert_eq!(acme.get(&format!("/messages/{id}/output")).ok(200)["results"][0]["channel"], "email");
        assert_eq!(
            acme.get(&format!("/_bulkd/outbox?fields=all&message_id={id}")).ok(200)["items"][0]["message_id"],
            id
        );
        let in_view = "SELECT recipient, status FROM outbox WHERE message_id = ?1";
        let in_view = open_file(&daemon.database()).query_row(in_view, [id], |row| Ok((row.get(0)?, row.get(1)?)));
        let (recipient, status): (String, String) = in_view.unwrap();
        assert_eq!((message["recipient"].as_str(), &*status), (Some(&*recipient), "SENT"));
        acme.send("PUT", &format!("/requests/{id}/archive"), None).done();
    }
    let resent = acme.send("POST", "/messages/message-1/resend", None).ok(202)["messageId"].take();
    assert_eq!(acme.get(&format!("/messages/{}", resent.as_str().unwrap())).ok(200)["recipient"], "ada");
    daemon.stop();
    check(&daemon.database());
}

#[test]
fn the_files_of_a_folder_are_one_seed() {
    let brand = |name: &str| json!({ "brands": { "acme": { "name": name } } });
    let template = json!({ "templates": { "welcome": saying("Hi") } });
    let fixtures = Fixtures::new(&[("b.json", brand("Acme")), ("a.json", template), ("notes.txt", json!(1))]);
    let daemon = fixtures.daemon();
    assert_eq!(daemon.customer("acme").get("/brands/acme").ok(200)["name"], "Acme");
    assert_eq!(sent(&daemon.customer("acme"), "ada")["body"], "Hi");

    fixtures.write("c.json", &brand("Other"));
    assert_eq!(fixtures.refused(&fixtures.path()), "c.json: brands.acme: it is defined in b.json as well");
}

#[test]
fn the_example_in_the_documents_is_a_seed() {
    let document = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/api.md")).unwrap();
    let (_, example) = document.split_once("## Seeds").unwrap();
    let (_, example) = example.split_once("```json\n").unwrap();
    let (example, _) = example.split_once("```").unwrap();
    let fixtures = Fixtures::new(&[]);
    fixtures.write_text("seed.json", example);
    let daemon = fixtures.daemon();
    let acme = daemon.customer("acme");
    assert_eq!(acme.get("/messages/message-1").ok(200)["status"], "SENT");
    assert_eq!(sent(&acme, "ada")["subject"], "Welcome, Ada!");
    assert_eq!(sent(&acme, "bob")["reason"], "UNSUBSCRIBED");
    assert_eq!(acme.completed("job-1")["enqueued"], 1);
}

#[test]
fn keys_that_are_named_are_seeded_before_any_request() {
    let fixtures = Fixtures::one(&everything());
    let daemon = Daemon::start_with(|config| {
        config.seed = Some(fixtures.path());
        config.api_keys = vec!["acme".to_owned()];
    });
    assert_eq!(count(&daemon, "brands"), 1);
    daemon.customer("other").get("/brands").refused(401);
    assert_eq!(daemon.customer("acme").get("/brands").ok(200)["results"].as_array().unwrap().len(), 1);
}

#[test]
fn mistakes_are_refused_by_file_and_path_before_there_is_anything() {
    let fixtures = Fixtures::one(&json!({}));
    let content =
        |element: Value| json!({ "templates": { "welcome": { "name": "W", "content": { "elements": [element] } } } });
    let text = |words: &str| content(json!({ "type": "text", "content": words }));
    let user = |user: Value| json!({ "jobs": { "j": { "message": newsletter(), "users": [user.clone(), user] } } });
    let message = |message: Value| json!({ "messages": { "m": { "message": message } } });
    let cases = [
        (json!([]), "seed.json: expected an object, found an array"),
        (json!({ "template": {} }), "seed.json: template: expected one of brands, templates, "),
        (json!({ "templates": { "": {} } }), "seed.json: templates.: expected an id"),
        (json!({ "templates": 1 }), "seed.json: templates: expected an object, found a number"),
        (
            json!({ "templates": { "a": { "name": 1 } } }),
            "seed.json: templates.a.name: expected a string, found integer 1",
        ),
        (
            json!({ "templates": { "a": { "name": "A", "content": {}, "state": "OPEN" } } }),
            "seed.json: templates.a.state: ",
        ),
        (content(json!({ "type": 5 })), "seed.json: templates.welcome.content.elements[0]"),
        (text("{{#if}"), "seed.json: templates.welcome.content.elements[0]"),
        (text("{{nosuchhelper 1}}"), "seed.json: templates.welcome.content.elements[0]"),
        (
            json!({ "templates": { "a": saying("A"), "b": saying("B") } }),
            "seed.json: templates.b.alias: seed.json: templates.a has it",
        ),
        (json!({ "brands": { "acme": { "settings": {} } } }), "seed.json: brands.acme: expected a field 'name'"),
        (
            json!({ "brands": { "acme": { "name": "A", "settings": { "email": { "footer": { "content": "{{#if}" } } } } } }),
            "seed.json: brands.acme.settings.email.footer.content: not a valid template",
        ),
        (json!({ "brands": { "acme": { "id": "b", "name": "A" } } }), "seed.json: brands.acme.id: expected the name"),
        (json!({ "profiles": { "ada": [] } }), "seed.json: profiles.ada: expected an object, found an array"),
        (json!({ "lists": { "a..b": {} } }), "seed.json: lists.a..b: expected the id of a list"),
        (json!({ "lists": { "a": { "subscribers": [1] } } }), "seed.json: lists.a.subscribers: expected users' ids"),
        (
            json!({ "lists": { "a": { "subscribers": { "u": 1 } } } }),
            "seed.json: lists.a.subscribers.u: expected an object",
        ),
        (json!({ "topics": { "t": { "name": "T", "default_status": "IN" } } }), "seed.json: topics.t.default_status: "),
        (
            json!({ "preferences": { "u": { "t": { "status": "NO" } } } }),
            "seed.json: preferences.u.t.status: expected OPTED_IN or OPTED_OUT",
        ),
        (
            json!({
                "topics": { "t": { "name": "T", "default_status": "REQUIRED" } },
                "preferences": { "u": { "t": { "status": "OPTED_OUT" } } },
            }),
            "seed.json: preferences.u.t.status: this topic is REQUIRED",
        ),
        (json!({ "tokens": { "u": { "t": { "provider_key": "fax" } } } }), "seed.json: tokens.u.t.provider_key: "),
        (json!({ "checks": { "gone": { "s": [] } } }), "seed.json: checks.gone.s: expected the id of a template"),
        (json!({ "jobs": { "j": {} } }), "seed.json: jobs.j: expected a field 'message'"),
        (json!({ "jobs": { "j": { "message": {} } } }), "seed.json: jobs.j: The 'event' parameter is required."),
        (
            json!({ "jobs": { "j": { "message": { "content": { "title": "{{#if}", "body": "" } } } } }),
            "seed.json: jobs.j.message.content.title: ",
        ),
        (user(json!({ "recipient": 1 })), "seed.json: jobs.j.users[0].recipient: expected a string"),
        (user(json!({ "recipient": "ada" })), "seed.json: jobs.j.users[1]: 'ada' is in this job already"),
        (message(json!({ "template": "t" })), "seed.json: messages.m.message: expected a field 'to'"),
        (
            message(json!({ "template": "t", "to": { "list_id": "l" } })),
            "seed.json: messages.m.message.to: expected one user",
        ),
    ];
    for (content, expected) in cases {
        fixtures.write("seed.json", &content);
        let refused = fixtures.refused(&fixtures.file("seed.json"));
        assert!(refused.starts_with(expected), "{refused:.300}\nis not\n{expected}");
    }
    fixtures.write_text("seed.json", "{ \"brands\": { \"a\": { \"name\": \"A\" }, \"a\": { \"name\": \"B\" } } }");
    assert_eq!(fixtures.refused(&fixtures.path()), "seed.json: brands.a: it is defined twice");
    fixtures.write_text("seed.json", "{ \"brands\": }");
    assert_eq!(fixtures.refused(&fixtures.path()), "seed.json: not valid JSON: expected value at line 1 column 13");
    let deep = format!("{{\"profiles\":{{\"u\":{}1{}}}}}", "{\"a\":".repeat(500), "}".repeat(500));
    fixtures.write_text("seed.json", &deep);
    assert!(fixtures.refused(&fixtures.path()).contains("expected at most 128 levels"));
    std::fs::remove_file(fixtures.file("seed.json")).unwrap();
    assert!(fixtures.refused(&fixtures.path()).ends_with("there is no *.json file in this folder"));
    assert!(fixtures.refused(&fixtures.file("seed.json")).starts_with("--seed seed.json: it cannot be read: "));
}

#[test]
fn what_clashes_with_an_environment_of_the_file_is_refused() {
    let fixtures = Fixtures::one(&json!({}));
    let database = fixtures.file("bulkd.db");
    let args = ["--listen", ":0", "--db", database.to_str().unwrap()];
    let daemon = Binary::start(&args);
    daemon.customer("acme").post("/notifications", &json!({ "notification": saying("Hi") })).ok(201);
    daemon.terminate();

    fixtures.write("seed.json", &everything());
    let path = fixtures.file("seed.json");
    let expected = "seed.json: templates.welcome: notification.alias: it is taken by the template 'nt_";
    // At the start, if the key was named.
    let mut command = bulkd(&args);
    let ended = Binary::spawn(command.env("BULKD_SEED", &path).env("BULKD_API_KEY", "acme")).wait();
    assert!(ended.refusal().contains(expected), "{ended:?}");
    // Else to the requests of this environment.
    let daemon = Binary::start_by(bulkd(&args).env("BULKD_SEED", &path));
    let refused = daemon.customer("acme").get("/brands").refused(409);
    assert!(refused.contains(expected), "{refused}");
    assert_eq!(daemon.customer("other").get("/brands").ok(200)["results"].as_array().unwrap().len(), 1);
    daemon.terminate();
    check(&database);
}

#[test]
fn environments_of_the_file_are_seeded_when_they_are_first_used() {
    let fixtures = Fixtures::one(&json!({}));
    let mut daemon = Daemon::start_with(|config| config.seed = Some(fixtures.path()));
    let environments = sized(200, 10_000);
    let named = |name: &str| json!({ "notification": { "name": name, "content": saying("Hi")["content"] } });
    for i in 0..environments {
        daemon.customer(&format!("key-{i}")).post("/notifications", &named("Ours")).ok(201);
    }
    daemon.stop();
    fixtures.write("seed.json", &everything());
    daemon.open();
    let seeded = |daemon: &Daemon| count(daemon, "user_tokens");
    assert_eq!(seeded(&daemon), 0);
    let customer = |daemon: &Daemon, i: usize| daemon.customer(&format!("key-{i}"));
    let tokens = |customer: &Customer| customer.get("/users/eve/tokens").ok(200)["tokens"].as_array().unwrap().len();
    for i in [0, environments / 2, environments - 1] {
        assert_eq!(tokens(&customer(&daemon, i)), 1);
    }
    assert_eq!(seeded(&daemon), 3);
    // Once since the start: what is changed in one stays so, and a start puts it right when it is next used.
    customer(&daemon, 0).delete("/users/eve/tokens/device-1").done();
    assert_eq!(tokens(&customer(&daemon, 0)), 0);
    daemon.restart();
    assert_eq!((seeded(&daemon), tokens(&customer(&daemon, 0)), seeded(&daemon)), (2, 1, 3));
}

#[test]
fn a_kill_while_seeding_leaves_nothing_out_and_nothing_twice() {
    let message = |i| (format!("message-{i}"), json!({ "message": { "to": { "user_id": "ada" }, "template": "t" } }));
    let messages: serde_json::Map<String, Value> = (0..300).map(message).collect();
    let fixtures = Fixtures::one(&json!({ "messages": messages, "jobs": everything()["jobs"] }));
    let (seed, database) = (fixtures.file("seed.json"), fixtures.file("bulkd.db"));
    let paths = [seed.to_str().unwrap(), database.to_str().unwrap()];
    let args = ["--listen", ":0", "--api-key", "acme", "--durability", "fast", "--seed", paths[0], "--db", paths[1]];
    let made = || {
        let conn = rusqlite::Connection::open_with_flags(&database, OpenFlags::SQLITE_OPEN_READ_ONLY).ok()?;
        conn.query_row("SELECT count(*) FROM message_names", [], |row| row.get::<_, i64>(0)).ok()
    };
    for kill_at in [1, 100, 200] {
        let daemon = Binary::spawn(&mut bulkd(&args));
        wait_until("some messages are there", || made().is_some_and(|made| made >= kill_at));
        daemon.kill();
    }
    let daemon = Binary::start(&args);
    let acme = daemon.customer("acme");
    assert_eq!(acme.get("/messages?recipient=ada&limit=1000").ok(200)["results"].as_array().unwrap().len(), 300);
    assert_eq!(acme.completed("job-done")["received"], 3);
    daemon.terminate();
    check(&database);
}

#[test]
fn a_reset_leaves_an_environment_as_new() {
    let daemon = Daemon::start();
    let (acme, other) = (daemon.customer("acme"), daemon.customer("other"));
    for customer in [&acme, &other] {
        customer.put("/profiles/ada", &json!({ "profile": { "email": "ada@example.com" } })).ok(200);
        customer.post("/brands", &json!({ "id": "acme", "name": "Acme", "settings": {} })).ok(200);
        customer.post("/_bulkd/webhooks", &json!({ "url": "http://127.0.0.1:9/" })).ok(201);
    }
    let job_id = acme.once("once").create(newsletter());
    acme.ingest(&job_id, readers(0, 3));
    acme.run_to_the_end(&job_id);
    let message_id = acme.users(&job_id)[0]["messageId"].take();

    acme.send("POST", "/_bulkd/reset", None).done();
    acme.get(&format!("/bulk/{job_id}")).refused(404);
    acme.get(&format!("/messages/{}", message_id.as_str().unwrap())).refused(404);
    acme.get("/brands/acme").refused(404);
    assert_eq!(acme.get("/profiles/ada").ok(200)["profile"], json!({}));
    assert_eq!(acme.get("/_bulkd/outbox").ok(200)["items"], json!([]));
    assert_eq!(acme.get("/messages").ok(200)["results"], json!([]));
    assert_eq!(acme.get("/_bulkd/webhooks").ok(200)["items"], json!([]));
    // What was done once may be done once more.
    assert_ne!(acme.once("once").create(newsletter()), job_id);
    // No other environment notices.
    other.get("/brands/acme").ok(200);
    assert_eq!(other.get("/_bulkd/webhooks").ok(200)["items"].as_array().unwrap().len(), 1);
    daemon.customer("nobody").send("POST", "/_bulkd/reset", None).done();
    acme.without_key().send("POST", "/_bulkd/reset", None).refused(401);
}

#[test]
fn a_reset_brings_the_seed_back() {
    let fixtures = Fixtures::one(&everything());
    let mut daemon = fixtures.daemon();
    let acme = daemon.customer("acme");
    for round in 0..3 {
        assert_eq!(sent(&acme, "ada")["address"], "ada@example.com", "in round {round}");
        assert_eq!(acme.completed("job-done")["enqueued"], 3);
        assert_eq!(acme.get("/messages").ok(200)["results"].as_array().unwrap().len(), 6);
        acme.put("/profiles/ada", &json!({ "profile": { "email": "new@example.com" } })).ok(200);
        acme.delete("/brands/acme");
        acme.delete("/notifications/welcome").done();
        acme.send("POST", "/_bulkd/reset", None).done();
        assert_eq!(acme.get("/messages/message-1").ok(200)["recipient"], "ada");
    }
    // A reset resets each time, whatever its key.
    acme.once("reset").send("POST", "/_bulkd/reset", None).done();
    sent(&acme, "ada");
    let again = acme.once("reset").send("POST", "/_bulkd/reset", None);
    assert_eq!((again.status, again.header("x-bulkd-replayed")), (204, None));
    assert_eq!(acme.get("/messages?recipient=ada").ok(200)["results"].as_array().unwrap().len(), 1);
    daemon.restart();
    assert_eq!(versions(&daemon.customer("acme")), ["draft", "published:v001"]);
    daemon.stop();
    check(&daemon.database());
}

#[test]
fn a_job_that_is_running_ends_in_peace_after_a_reset() {
    let mut daemon = Daemon::start();
    let acme = daemon.customer("acme");
    let job_id = acme.create(newsletter());
    for first in (0..20_000).step_by(1000) {
        acme.ingest(&job_id, readers(first, 1000));
    }
    acme.run(&job_id);
    acme.send("POST", "/_bulkd/reset", None).done();
    assert_eq!(acme.get("/_bulkd/outbox").ok(200)["items"], json!([]));
    let ended = || -> i64 {
        let jobs = "SELECT count(*) FROM jobs WHERE status = 'COMPLETED' AND enqueued = 20000";
        open_file(&daemon.database()).query_row(jobs, [], |row| row.get(0)).unwrap()
    };
    wait_until("the job has come to its end", || ended() == 1);
    daemon.stop();
    check(&daemon.database());
}

#[test]
fn a_reset_brings_the_messages_of_the_seed_back_whatever_is_asked_meanwhile() {
    let daemon = Fixtures::one(&everything()).daemon();
    let acme = daemon.customer("acme");
    let is_over = std::sync::atomic::AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..3 {
            let (acme, is_over) = (acme.clone(), &is_over);
            scope.spawn(move || {
                while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
                    acme.get("/messages").ok(200);
                    acme.get("/brands").ok(200);
                }
            });
        }
        let resets = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for _ in 0..30 {
                acme.send("POST", "/_bulkd/reset", None).done();
                acme.get("/messages/message-1").ok(200);
            }
        }));
        is_over.store(true, std::sync::atomic::Ordering::Relaxed);
        resets.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
}

#[test]
fn resets_beside_requests_in_flight_do_no_harm() {
    let mut seed = everything();
    seed["jobs"] = json!({});
    let mut daemon = Fixtures::one(&seed).daemon();
    let acme = daemon.customer("acme");
    thread::scope(|scope| {
        for worker in 0..4 {
            let acme = acme.clone();
            scope.spawn(move || {
                for round in 0..10 {
                    let message =
                        json!({ "to": { "user_id": format!("user-{worker}-{round}") }, "template": "welcome" });
                    acme.post("/send", &json!({ "message": message })).ok(202);
                    let job_id = acme.create(newsletter());
                    let gone = acme.post(&format!("/bulk/{job_id}"), &json!({ "users": readers(0, 2) })).status;
                    assert!([200, 404].contains(&gone), "{gone}");
                    let gone = acme.send("POST", &format!("/bulk/{job_id}/run"), None).status;
                    assert!([202, 404].contains(&gone), "{gone}");
                }
            });
        }
        for _ in 0..2 {
            let acme = acme.clone();
            scope.spawn(move || (0..5).for_each(|_| acme.send("POST", "/_bulkd/reset", None).done()));
        }
    });
    acme.send("POST", "/_bulkd/reset", None).done();
    assert_eq!(acme.get("/messages").ok(200)["results"].as_array().unwrap().len(), 2);
    daemon.stop();
    check(&daemon.database());
}
