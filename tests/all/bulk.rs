//! The five calls, from the customer's side.

use crate::support::{Daemon, in_view, json, newsletter, open_file, readers, sized, wait_until};

fn is_id(id: &str) -> bool {
    let mut parts = id.split('-');
    let mut hex = |length| {
        parts.next().is_some_and(|part| {
            part.len() == length && part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        })
    };
    hex(1) && hex(8) && hex(24) && id.starts_with("1-") && parts.next().is_none()
}

#[test]
fn small_jobs_do_not_wait_for_a_large_one() {
    let daemon = Daemon::start_with(|config| config.workers = 1);
    let customer = daemon.customer("acme");
    // Each text takes a while, and one thread has minutes to do.
    let (body, items) = ("{{#each items}}{{#each ../items}}{{this}}{{/each}}{{/each}}", vec![1; 300]);
    let content = json!({ "title": "{{@root.name}}", "body": body });
    let large = customer.create(json!({ "message": { "content": content }, "data": { "items": items } }));
    customer.ingest(&large, readers(0, 10_000));
    customer.run(&large);
    wait_until("the large job has begun", || customer.job(&large)["enqueued"] != 0);
    for first in [0, 50] {
        let small = customer.create(newsletter());
        customer.ingest(&small, readers(first, 50));
        assert_eq!(customer.run_to_the_end(&small)["enqueued"], 50);
        assert_eq!(customer.job(&large)["status"], "PROCESSING");
    }
    // Nor does the large one stand still.
    let enqueued = customer.job(&large)["enqueued"].as_u64();
    wait_until("the large job goes on", || customer.job(&large)["enqueued"].as_u64() > enqueued);
}

#[test]
fn a_job_goes_from_users_to_a_full_outbox() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");

    let job_id = customer.create(newsletter());
    assert!(is_id(&job_id), "{job_id}");
    let before = customer.job(&job_id);
    assert_eq!(
        before,
        json!({ "definition": newsletter(), "enqueued": 0, "failures": 0, "received": 0, "status": "CREATED" })
    );

    assert_eq!(customer.ingest(&job_id, readers(0, 2)), json!({ "errors": [], "total": 2 }));
    assert_eq!(customer.ingest(&job_id, readers(2, 1)), json!({ "errors": [], "total": 1 }));
    assert_eq!(customer.job(&job_id)["received"], 3);
    let pending = customer.users(&job_id);
    assert_eq!(pending.len(), 3);
    assert!(pending.iter().all(|user| user["status"] == "PENDING" && user.get("messageId").is_none()), "{pending:?}");

    let after = customer.run_to_the_end(&job_id);
    assert_eq!(
        after,
        json!({ "definition": newsletter(), "enqueued": 3, "failures": 0, "received": 3, "status": "COMPLETED" })
    );

    let users = customer.users(&job_id);
    let outbox = customer.outbox(&job_id);
    assert_eq!((users.len(), outbox.len()), (3, 3));
    for (i, (user, message)) in users.iter().zip(&outbox).enumerate() {
        let message_id = user["messageId"].as_str().unwrap();
        assert!(is_id(message_id), "{message_id}");
        assert_eq!(
            *user,
            json!({
                "recipient": format!("reader-{i}"),
                "profile": { "email": format!("reader-{i}@example.com") },
                "data": { "name": format!("Reader {i}"), "number": i },
                "status": "ENQUEUED",
                "messageId": message_id,
            })
        );
        assert_eq!(
            in_view(message),
            json!({
                "message_id": message_id,
                "job_id": job_id,
                "recipient": format!("reader-{i}"),
                "channel": "email",
                "provider": "sendgrid",
                "address": format!("reader-{i}@example.com"),
                "status": "SENT",
                "reason": null,
                "content": null,
                "subject": format!("Hello Reader {i}"),
                "body": "Week 12",
                "created_at": crate::support::NOW,
            })
        );
    }
}

#[test]
fn a_job_is_defined_in_any_of_three_forms_and_echoed_as_it_was_sent() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let definitions = [
        // V1, nested V2, flat V2.
        r#"{ "event": "weekly-report", "brand": "bnd_demo", "data": {"week": 1.50, "big": 12345678901234567890123}, "override": {} }"#,
        r#"{"message": {"template": "nt_demo"}, "data": {"company_name": "Initech"}, "locale": "en_US"}"#,
        r#"{"event": "e", "content": {"title": "Hi {{name}}", "body": "Week {{week}}"}, "locale": {"en_US": {}}}"#,
        r#"{"template": "nt_demo", "event": null, "message": null}"#,
        r#"{"message": {"content": {"version": "2022-01-01", "elements": [{"type": "text", "content": "Hi"}]}}}"#,
        r#"{"message": {"content": {"body": "no title"}, "routing": {"method": "all", "channels": []}}, "unknown": [1]}"#,
        "{\"event\": \"\\u0065\",\r\n\t\"data\": {}}",
    ];
    for definition in definitions {
        let created = customer.post_text("/bulk", &format!("{{ \"message\": {definition} , \"extra\": 1 }}")).ok(201);
        let job_id = created["jobId"].as_str().unwrap();
        assert_eq!(created, json!({ "jobId": job_id }));
        let job = customer.get(&format!("/bulk/{job_id}"));
        assert!(job.text.contains(&format!("\"definition\":{definition},")), "{job:?}");
    }
}

#[test]
fn a_definition_that_cannot_be_used_is_refused_by_its_field() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let required = "The 'event' parameter is required.";
    let cases = [
        ("", "the body: not valid JSON: EOF while parsing a value at line 1 column 0"),
        ("{", "the body: not valid JSON: EOF while parsing an object at line 1 column 1"),
        ("{\"message\": {\"event\": \"e\"}} x", "the body: not valid JSON: trailing characters at line 1 column 29"),
        ("[1]", "the body: expected an object, found an array"),
        ("{}", "the body: expected a field 'message'"),
        ("{\"message\": null}", "message: expected an object, found null"),
        ("{\"message\": [\"event\"]}", "message: expected an object, found an array"),
        ("{\"message\": {}}", required),
        ("{\"message\": {\"event\": \"\"}}", required),
        ("{\"message\": {\"event\": null, \"data\": {}}}", required),
        ("{\"message\": {\"message\": {}}}", required),
        ("{\"message\": {\"event\": 7}}", "message.event: expected a string, found integer 7"),
        ("{\"message\": {\"message\": \"nt_demo\"}}", "message.message: expected an object, found string \"nt_demo\""),
        ("{\"message\": {\"event\": \"e\", \"data\": [1]}}", "message.data: expected an object, found an array"),
        ("{\"message\": {\"event\": \"e\", \"locale\": 5}}", "message.locale: expected a string such as"),
        ("{\"message\": {\"event\": \"e\", \"brand\": 7}}", "message.brand: expected a string, found integer 7"),
        ("{\"message\": {\"event\": \"e\", \"override\": 1}}", "message.override: expected an object, found a number"),
        (
            "{\"message\": {\"template\": \"\"}}",
            "message.template: expected the id of a template, found an empty string",
        ),
        (
            "{\"message\": {\"template\": \"t\", \"content\": {\"body\": \"b\"}}}",
            "message: expected either 'template' or 'content', found both",
        ),
        (
            "{\"message\": {\"message\": {\"template\": \"t\", \"content\": {\"body\": \"b\"}}}}",
            "message.message: expected either 'template' or 'content', found both",
        ),
        ("{\"message\": {\"content\": {\"title\": \"t\"}}}", "message.content: expected {\"title\", \"body\"} or"),
        ("{\"message\": {\"content\": {\"body\": 5}}}", "message.content: 'body' must be a string"),
        (
            "{\"message\": {\"content\": {\"elements\": [{\"type\": \"divider\"}, {}]}}}",
            "message.content.elements[1]: expected an object with a 'type'",
        ),
        (
            "{\"message\": {\"message\": {\"content\": {\"title\": \"{{#if x}}\", \"body\": \"b\"}}}}",
            "message.message.content.title: not a valid template: line 1, column 1, {{#if x}}: the block is left open",
        ),
        (
            "{\"message\": {\"content\": {\"body\": \"{{#if x}}{{/each}}\"}}}",
            "message.content.body: not a valid template: ",
        ),
        (
            "{\"message\": {\"content\": {\"body\": \"{{> partial a b}}\"}}}",
            "message.content.body: not a valid template: line 1, column 1, {{> partial a b}}: expected at most one value",
        ),
        (
            "{\"message\": {\"content\": {\"body\": \"{{#if a}}{{#*inline x}}{{> x}}{{/inline}}{{/if}}\"}}}",
            "message.content.body: not a valid template: line 1, column 10, {{#*inline x}}: expected an inline partial",
        ),
    ];
    for (body, expected) in cases {
        let message = customer.post_text("/bulk", body).refused(400);
        assert!(message.starts_with(expected), "{body}\n  said     {message}\n  expected {expected}");
    }
}

#[test]
fn users_are_taken_in_every_form_that_couriers_examples_use() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let job_id = customer.create(newsletter());
    let sent = json!([
        { "to": { "user_id": "u1", "data": { "name": "A" } } },
        { "recipient": "u2", "profile": { "email": "x@y.z" }, "data": {}, "preferences": {}, "to": {} },
        { "profile": { "email": "x@y.z" } },
        { "to": { "email": "x@y.z" } },
        { "email": "x@y.z", "user_id": "u3", "data": {} },
        {},
        { "recipient": null, "profile": null, "data": null, "to": null },
        { "recipient": "u4", "to": { "user_id": "another" }, "status": "mine", "messageId": 5, "extra": [1.0] },
        { "recipient": "née \u{1F980} \"quoted\" \n" },
    ]);
    assert_eq!(customer.ingest(&job_id, sent.clone()), json!({ "errors": [], "total": 9 }));
    let users = customer.users(&job_id);
    let recipients: Vec<&str> = users.iter().map(|user| user["recipient"].as_str().unwrap()).collect();
    assert_eq!((recipients[0], recipients[1], recipients[4]), ("u1", "u2", "u3"));
    assert_eq!((recipients[7], recipients[8]), ("u4", "née \u{1F980} \"quoted\" \n"));
    for generated in [2, 3, 5, 6] {
        assert_eq!(recipients[generated].len(), 21, "{recipients:?}");
    }
    for (user, sent) in users.iter().zip(sent.as_array().unwrap()) {
        for (name, value) in sent.as_object().unwrap() {
            if !["recipient", "status", "messageId"].contains(&name.as_str()) {
                assert_eq!(&user[name], value, "{user}");
            }
        }
        assert_eq!(user["status"], "PENDING");
        assert_eq!(user.get("messageId"), None);
    }
    assert_eq!(customer.run_to_the_end(&job_id)["enqueued"], 9);
}

/// The sets by which duplicates are found have room for one of these jobs at a time.
#[test]
fn duplicates_are_found_also_where_the_memory_for_them_is_taken_by_other_jobs() {
    let daemon = Daemon::start_with(|config| config.limits.bodies_bytes = 300_000);
    let customer = daemon.customer("acme");
    let jobs: Vec<String> = (0..4).map(|_| customer.create(newsletter())).collect();
    std::thread::scope(|scope| {
        for job_id in &jobs {
            let customer = &customer;
            scope.spawn(move || {
                for first in (0..8_000).step_by(100) {
                    // Half of them came with the call before.
                    let ingested = customer.ingest(job_id, readers(first, 200));
                    let new = if first == 0 { 200 } else { 100 };
                    let duplicates = ingested["errors"].as_array().unwrap().len();
                    assert_eq!((&ingested["total"], duplicates), (&json!(new), 200 - new), "{first}");
                }
            });
        }
    });
    for job_id in jobs.iter().chain(&jobs) {
        assert_eq!(customer.ingest(job_id, readers(3_000, 200))["total"], 0);
    }
}

#[test]
fn duplicates_are_told_and_the_others_stay() {
    let mut daemon = Daemon::start();
    let job_id = daemon.customer("acme").create(newsletter());
    let ada = json!({ "recipient": "ada", "profile": { "email": "ada@example.com" }, "data": { "n": 1.50 } });
    let also_ada = json!({ "to": { "user_id": "ada" }, "profile": null });
    let bob = json!({ "recipient": "bob" });

    let customer = daemon.customer("acme");
    let twice_in_one_call = customer.ingest(&job_id, json!([ada, bob, also_ada]));
    assert_eq!(twice_in_one_call, json!({ "errors": [{ "error": "Duplicate user", "user": also_ada }], "total": 2 }));
    let known_from_before = customer.ingest(&job_id, json!([bob, { "recipient": "eve" }, ada, ada]));
    let error = |user| json!({ "error": "Duplicate user", "user": user });
    assert_eq!(known_from_before, json!({ "errors": [error(&bob), error(&ada), error(&ada)], "total": 1 }));

    // What was known is known after a restart, and in this job only.
    daemon.restart();
    let customer = daemon.customer("acme");
    let after_restart = customer.ingest(&job_id, json!([{ "recipient": "eve" }, { "recipient": "joe" }]));
    assert_eq!(after_restart, json!({ "errors": [error(&json!({ "recipient": "eve" }))], "total": 1 }));
    let other_job = customer.create(newsletter());
    assert_eq!(customer.ingest(&other_job, json!([ada])), json!({ "errors": [], "total": 1 }));

    assert_eq!(customer.run_to_the_end(&job_id)["received"], 4);
    let recipients: Vec<_> = customer.outbox(&job_id).iter().map(|message| message["recipient"].clone()).collect();
    assert_eq!(recipients, ["ada", "bob", "eve", "joe"]);
}

#[test]
fn a_call_with_one_bad_user_is_refused_and_ingests_nothing() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let job_id = customer.create(newsletter());
    let path = format!("/bulk/{job_id}");
    let cases = [
        ("", "the body: not valid JSON"),
        ("{\"users\": [{\"recipient\": \"a\"}, {]}", "the body: not valid JSON"),
        ("{}", "the body: expected a field 'users'"),
        ("{\"users\": null}", "users: expected an array, found null"),
        ("{\"users\": {\"recipient\": \"a\"}}", "users: expected an array, found an object"),
        ("{\"users\": [{\"recipient\": \"a\"}, 5]}", "users[1]: expected an object, found integer 5"),
        ("{\"users\": [{\"recipient\": \"a\"}, [\"b\"]]}", "users[1]: expected an object, found an array"),
        ("{\"users\": [{\"recipient\": 5}]}", "users[0].recipient: expected a string, found integer 5"),
        ("{\"users\": [{\"recipient\": \"\"}]}", "users[0].recipient: expected a name, found an empty string"),
        ("{\"users\": [{}, {\"to\": {\"user_id\": {}}}]}", "users[1].to.user_id: expected a string, found an object"),
        ("{\"users\": [{\"to\": {\"user_id\": \"\"}}]}", "users[0].to.user_id: expected a name, found an empty string"),
        ("{\"users\": [{\"to\": [\"a\"]}]}", "users[0].to: expected an object, found an array"),
        ("{\"users\": [{\"to\": {\"data\": \"x\"}}]}", "users[0].to.data: expected an object, found a string"),
        ("{\"users\": [{\"profile\": \"x@y.z\"}]}", "users[0].profile: expected an object, found a string"),
        ("{\"users\": [{\"data\": [1]}]}", "users[0].data: expected an object, found an array"),
        ("{\"users\": [{\"preferences\": true}]}", "users[0].preferences: expected an object, found boolean true"),
        ("{\"users\": [{\"recipient\": \"a\", \"recipient\": \"b\"}]}", "users[0]: duplicate field 'recipient'"),
        ("{\"users\": [{\"recipient\": \"\\ud800\"}]}", "the body: not valid JSON"),
    ];
    for (body, expected) in cases {
        let message = customer.post_text(&path, body).refused(400);
        assert!(message.starts_with(expected), "{body}\n  said     {message}\n  expected {expected}");
    }
    assert_eq!(customer.job(&job_id)["received"], 0);
    assert_eq!(customer.ingest(&job_id, json!([{ "recipient": "a" }])), json!({ "errors": [], "total": 1 }));
}

#[test]
fn a_job_runs_once_and_takes_no_users_afterwards() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let job_id = customer.create(newsletter());
    customer.ingest(&job_id, readers(0, 1));
    customer.run_to_the_end(&job_id);

    let again = customer.post(&format!("/bulk/{job_id}/run"), &json!({})).refused(400);
    assert_eq!(again, "job_id: this job was run already; a job runs once");
    let late = customer.post(&format!("/bulk/{job_id}"), &json!({ "users": readers(1, 1) })).refused(400);
    assert_eq!(late, "job_id: this job was run already and takes no more users; create a new job");
    let job = customer.job(&job_id);
    assert_eq!((&job["received"], &job["enqueued"]), (&json!(1), &json!(1)));
}

#[test]
fn an_empty_job_completes_with_zeros() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let job_id = customer.create(newsletter());
    assert_eq!(customer.ingest(&job_id, json!([])), json!({ "errors": [], "total": 0 }));
    customer.run(&job_id);
    let job = customer.job(&job_id);
    assert_eq!(job["status"], "COMPLETED");
    assert_eq!((&job["received"], &job["enqueued"], &job["failures"]), (&json!(0), &json!(0), &json!(0)));
    assert_eq!(customer.users(&job_id), Vec::<serde_json::Value>::new());
}

#[test]
fn an_unrun_job_waits_for_years() {
    let mut daemon = Daemon::start();
    let job_id = daemon.customer("acme").create(newsletter());
    daemon.customer("acme").ingest(&job_id, readers(0, 3));
    daemon.clock.advance(std::time::Duration::from_secs(3 * 365 * 24 * 3600));
    daemon.restart();
    let customer = daemon.customer("acme");
    customer.ingest(&job_id, readers(3, 1));
    assert_eq!(customer.run_to_the_end(&job_id)["enqueued"], 4);
}

#[test]
fn an_unknown_job_is_not_found_whatever_is_asked_of_it() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    for job_id in ["job_id", "1-6a0f3c11-0b7d1d9f24ce81aa5502f3de", "%F0%9F%A6%80", "a%2Fb"] {
        let not_found = customer.get(&format!("/bulk/{job_id}")).refused(404);
        assert!(not_found.starts_with("job_id: there is no bulk job '"), "{not_found}");
        customer.get(&format!("/bulk/{job_id}/users")).refused(404);
        customer.post(&format!("/bulk/{job_id}"), &json!({ "users": [] })).refused(404);
        customer.post(&format!("/bulk/{job_id}/run"), &json!({})).refused(404);
    }
}

#[test]
fn routes_that_do_not_exist_are_refused_in_the_same_envelope() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let job_id = customer.create(newsletter());
    let unknown = [
        ("POST", "/".to_owned()),
        ("GET", "/bulk".to_owned()),
        ("GET", "/bulk/".to_owned()),
        ("DELETE", format!("/bulk/{job_id}")),
        ("PUT", format!("/bulk/{job_id}/run")),
        ("POST", format!("/bulk/{job_id}/users")),
        ("GET", format!("/bulk/{job_id}/users/more")),
        ("POST", format!("/bulk/{job_id}/run/")),
        ("GET", "/_bulkd".to_owned()),
    ];
    for (method, path) in unknown {
        let message = customer.send(method, &path, None).refused(404);
        assert!(message.starts_with(&format!("there is no route {method} {path}")), "{message}");
    }
}

#[test]
fn users_are_paged_in_ingest_order_by_a_cursor_bound_to_the_job() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let (job_id, other_job) = (customer.create(newsletter()), customer.create(newsletter()));
    // Two jobs fed in turns, so that neither owns a stretch of the file.
    for batch in 0..25 {
        customer.ingest(&job_id, readers(batch * 10, 10));
        customer.ingest(&other_job, readers(1000 + batch, 1));
    }
    let names = |page: &serde_json::Value| -> Vec<String> {
        page["items"].as_array().unwrap().iter().map(|user| user["recipient"].as_str().unwrap().to_owned()).collect()
    };
    let expected = |range: std::ops::Range<usize>| -> Vec<String> { range.map(|i| format!("reader-{i}")).collect() };

    let path = format!("/bulk/{job_id}/users");
    let first = customer.get(&path).ok(200);
    assert_eq!(names(&first), expected(0..100));
    let cursor = first["paging"]["cursor"].as_str().unwrap();
    assert!(cursor.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)), "{cursor}");
    let second = customer.get(&format!("{path}?cursor={cursor}")).ok(200);
    assert_eq!(names(&second), expected(100..200));
    let third = customer.get(&format!("{path}?cursor={}", second["paging"]["cursor"].as_str().unwrap())).ok(200);
    assert_eq!(names(&third), expected(200..250));
    assert_eq!(third["paging"], json!({ "more": false }));

    for none in ["", "undefined", "null"] {
        assert_eq!(customer.get(&format!("{path}?cursor={none}")).ok(200), first);
    }
    for (limit, shown) in [("7", 7), ("1000", 250), ("5000", 250), ("0", 100), ("-1", 100), ("many", 100), ("", 100)] {
        assert_eq!(names(&customer.get(&format!("{path}?limit={limit}")).ok(200)).len(), shown, "limit={limit}");
    }
    assert_eq!(
        customer.get(&format!("/bulk/{other_job}/users?cursor={cursor}")).refused(400),
        "cursor: this cursor belongs to another list"
    );
    for bad in ["x", "1.2.3", "next_cursor", "1", "....", "ffffffffffffffff.1.0", &format!("{cursor}0"), "%00"] {
        assert_eq!(
            customer.get(&format!("{path}?cursor={bad}")).refused(400),
            "cursor: expected the 'cursor' of an earlier answer"
        );
    }

    // The same pages with messages in them, of jobs that were drained at the same time.
    customer.run(&job_id);
    customer.run(&other_job);
    customer.completed(&job_id);
    customer.completed(&other_job);
    let drained = customer.users(&job_id);
    let outbox = customer.outbox(&job_id);
    assert_eq!(drained.len(), 250);
    for (user, message) in drained.iter().zip(&outbox) {
        assert_eq!(user["recipient"], message["recipient"]);
        assert_eq!(user["messageId"], message["message_id"]);
    }
}

#[test]
fn a_page_of_huge_users_ends_early_and_goes_on() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let job_id = customer.create(newsletter());
    let huge = "x".repeat(2_500_000);
    for i in 0..5 {
        customer.ingest(&job_id, json!([{ "recipient": format!("u{i}"), "data": { "huge": huge } }]));
    }
    let first = customer.get(&format!("/bulk/{job_id}/users")).ok(200);
    assert_eq!(first["items"].as_array().unwrap().len(), 3);
    assert_eq!(first["paging"]["more"], true);
    let recipients: Vec<_> = customer.users(&job_id).iter().map(|user| user["recipient"].clone()).collect();
    assert_eq!(recipients, ["u0", "u1", "u2", "u3", "u4"]);
}

#[test]
fn the_openapi_contract_answers_as_the_published_specification_says() {
    let daemon = Daemon::start_with(|config| config.contract = bulkd::settings::Contract::OpenApi);
    let customer = daemon.customer("acme");
    let without_event = customer.post("/bulk", &json!({ "message": { "template": "nt_demo" } }));
    assert_eq!(without_event.refused(400), "The 'event' parameter is required.");
    let created = customer.post("/bulk", &json!({ "message": { "event": "weekly" } })).ok(200);
    let job_id = created["jobId"].as_str().unwrap();
    let path = format!("/bulk/{job_id}");
    let ingested = customer.post(&path, &json!({ "users": readers(0, 5) }));
    assert_eq!((ingested.status, ingested.text.as_str(), ingested.header("content-type")), (204, "", None));
    let run = customer.once("key").send("POST", &format!("{path}/run"), None);
    assert_eq!((run.status, run.text.as_str()), (204, ""));
    let replayed = customer.once("key").send("POST", &format!("{path}/run"), None);
    assert_eq!((replayed.status, replayed.text.as_str()), (204, ""));
    assert_eq!(customer.completed(job_id)["enqueued"], 5);
}

#[test]
fn the_openapi_contract_takes_what_the_samples_of_couriers_sdks_send() {
    let openapi = Daemon::start_with(|config| config.contract = bulkd::settings::Contract::OpenApi);
    let tutorial = Daemon::start();
    let both = json!({ "event": "e", "template": "t", "content": { "title": "Hi", "body": "there" } });
    let both = json!({ "message": both });
    openapi.customer("acme").post("/bulk", &both).ok(200);
    tutorial.customer("acme").post("/bulk", &both).refused(400);

    // An expiration that is past, and not one that cannot be read.
    let once = |daemon: &Daemon, expiration: &str| {
        let customer = daemon.customer("acme").once("k").with_header("x-idempotency-expiration", expiration);
        customer.post("/bulk", &json!({ "message": { "event": "weekly" } }))
    };
    let first = once(&openapi, "1785312000").ok(200);
    assert_eq!(once(&openapi, "1785312000").ok(200), first);
    once(&openapi, "soon").refused(400);
    once(&tutorial, "1785312000").refused(400);

    // The word itself for a cursor, in either reading.
    for daemon in [&openapi, &tutorial] {
        for path in ["/messages", "/notifications", "/brands", "/lists", "/profiles/ada/lists", "/_bulkd/outbox"] {
            daemon.customer("acme").get(&format!("{path}?cursor=cursor")).ok(200);
            daemon.customer("acme").get(&format!("{path}?cursor=cursors")).refused(400);
        }
    }
}

#[test]
fn forty_calls_at_once_are_all_answered_and_each_user_counts_once() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let job_id = customer.create(newsletter());
    let totals: Vec<u64> = std::thread::scope(|scope| {
        let calls: Vec<_> = (0..40)
            .map(|i| {
                let (daemon, job_id) = (&daemon, &job_id);
                // Every user is sent by two of the calls.
                scope.spawn(move || daemon.customer("acme").ingest(job_id, readers(i / 2 * 50, 50))["total"].as_u64())
            })
            .collect();
        calls.into_iter().map(|call| call.join().unwrap().unwrap()).collect()
    });
    assert_eq!(totals.iter().sum::<u64>(), 1000);
    assert_eq!(customer.run_to_the_end(&job_id)["enqueued"], 1000);
    let mut recipients: Vec<String> =
        customer.outbox_with("recipient", &job_id).iter().map(|m| m["recipient"].to_string()).collect();
    recipients.sort();
    recipients.dedup();
    assert_eq!(recipients.len(), 1000);
}

#[test]
fn a_call_of_very_many_users_is_taken_whole_or_refused() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let job_id = customer.create(newsletter());
    let refusal = customer.post(&format!("/bulk/{job_id}"), &json!({ "users": vec![json!({}); 1_000_000] }));
    let expected = "users: expected users that take at most 20 MiB when they are stored, such as 200000 small ones; found \
                    1000000 that take more: send them in several calls";
    assert_eq!(refusal.refused(400), expected);
    assert_eq!(customer.job(&job_id)["received"], 0);
    let most = json!(vec![json!({}); 200_000]);
    assert_eq!(customer.ingest(&job_id, most), json!({ "errors": [], "total": 200_000 }));
    assert_eq!(customer.job(&job_id)["received"], 200_000);
}

#[test]
fn a_large_job_knows_its_users_after_a_restart_whichever_call_comes_first() {
    const LARGE: usize = 12_000;
    let mut daemon = Daemon::start();
    let job_id = daemon.customer("acme").create(newsletter());
    daemon.customer("acme").ingest(&job_id, readers(0, LARGE));
    daemon.restart();
    let total: u64 = std::thread::scope(|scope| {
        let calls: Vec<_> = (0..8)
            .map(|call| {
                let (customer, job_id) = (daemon.customer("acme"), &job_id);
                // Each has the last thousand of the users that are there, and a thousand that other calls send as well.
                scope.spawn(move || customer.ingest(job_id, readers(LARGE - 1000 + call, 2000)))
            })
            .collect();
        calls.into_iter().map(|call| call.join().unwrap()["total"].as_u64().unwrap()).sum()
    });
    assert_eq!(total, 1007);
    assert_eq!(daemon.customer("acme").job(&job_id)["received"], LARGE + 1007);
}

#[test]
fn jobs_share_the_pool_fairly() {
    let daemon = Daemon::start_with(|config| config.workers = 2);
    let customer = daemon.customer("acme");
    let (large, users) = (customer.create(newsletter()), sized(30_000, 100_000));
    for first in (0..users).step_by(1000) {
        customer.ingest(&large, readers(first, 1000));
    }
    let small = customer.create(newsletter());
    customer.ingest(&small, readers(0, 10));
    customer.run(&large);
    customer.run(&small);
    customer.completed(&small);
    let progress = customer.job(&large);
    assert_eq!(progress["status"], "PROCESSING", "ten users waited for {users}: {progress}");
    assert_eq!(customer.completed(&large)["enqueued"], users);
}

#[test]
fn the_outbox_is_found_in_the_file() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let job_id = customer.create(newsletter());
    customer.ingest(&job_id, readers(0, 2500));
    customer.run_to_the_end(&job_id);

    let file = open_file(&daemon.database());
    let mut outbox = file
        .prepare(
            "SELECT message_id, job_id, recipient, channel, provider, address, status, reason, subject, body, content, created_at
             FROM outbox
             WHERE job_id = ?1",
        )
        .unwrap();
    let rows: Vec<serde_json::Value> = outbox
        .query_map([&job_id], |row| {
            Ok(json!({
                "message_id": row.get::<_, String>(0)?,
                "job_id": row.get::<_, String>(1)?,
                "recipient": row.get::<_, String>(2)?,
                "channel": row.get::<_, String>(3)?,
                "provider": row.get::<_, String>(4)?,
                "address": row.get::<_, String>(5)?,
                "status": row.get::<_, String>(6)?,
                "reason": row.get::<_, Option<String>>(7)?,
                "subject": row.get::<_, String>(8)?,
                "body": row.get::<_, String>(9)?,
                "content": row.get::<_, Option<String>>(10)?,
                "created_at": row.get::<_, i64>(11)?,
            }))
        })
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(rows, customer.outbox(&job_id).iter().map(in_view).collect::<Vec<_>>());
    assert_eq!(rows.len(), 2500);
}

#[test]
fn a_job_of_one_user_waits_for_a_few_of_the_users_of_a_job_whose_texts_take_long() {
    const USERS: usize = 1_000;
    let daemon = Daemon::start_with(|config| config.workers = 1);
    let customer = daemon.customer("acme");
    // Each text goes round 10,000 times.
    let items = vec![0; 100];
    let body = "{{#each items}}{{#each ../items}}{{#if this}}x{{/if}}{{/each}}{{/each}}";
    let slow = customer.create(json!({ "content": { "title": "t", "body": body }, "data": { "items": items } }));
    customer.ingest(&slow, readers(0, USERS));
    let quick = customer.create(newsletter());
    customer.ingest(&quick, readers(0, 1));
    customer.run(&slow);
    wait_until("the slow job is being drained", || customer.job(&slow)["enqueued"].as_u64() > Some(0));
    customer.run(&quick);
    customer.completed(&quick);
    let slow = customer.job(&slow);
    assert_eq!(slow["status"], "PROCESSING", "{slow}");
}
