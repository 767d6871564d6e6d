//! The doctor: what passed here and would hurt at Courier.

use std::collections::BTreeSet;

use bulkd::findings::Check;
use serde_json::Value;

use crate::support::binary::{Binary, bulkd};
use crate::support::{Customer, Daemon, json, newsletter, readers, wait_until};

/// What is found of a check.
#[track_caller]
fn finding(customer: &Customer, check: &str) -> Value {
    let found = customer.get("/_bulkd/doctor").ok(200);
    let items = found["items"].as_array().unwrap();
    let item = items.iter().find(|it| it["check"] == check);
    item.unwrap_or_else(|| panic!("{check} is not found: {found}")).clone()
}

fn has(customer: &Customer, check: &str) -> bool {
    let found = customer.get("/_bulkd/doctor").ok(200);
    found["items"].as_array().unwrap().iter().any(|it| it["check"] == check)
}

fn with_event() -> Value {
    let mut definition = newsletter();
    definition["event"] = json!("welcome");
    definition
}

fn send(customer: &Customer, message: Value) -> Value {
    customer.post("/send", &json!({ "message": message })).ok(202)
}

/// Brings one check about.
fn bring_about(customer: &Customer, check: Check) {
    let content = json!({ "title": "t", "body": "b" });
    match check {
        Check::NoEvent => drop(customer.create(newsletter())),
        Check::EmailOutsideProfile => {
            let job = customer.create(with_event());
            customer.ingest(&job, json!([{ "recipient": "ada", "to": { "email": "ada@example.com" } }]));
            customer.run_to_the_end(&job);
        }
        Check::ManyUsers | Check::TooManyUsers => {
            let job = customer.create(with_event());
            customer.ingest(&job, readers(0, if check == Check::ManyUsers { 1_001 } else { 5_000 }));
        }
        Check::RetryWithoutKey => {
            let retry = customer.with_header("X-Stainless-Retry-Count", "1");
            drop(retry.create(with_event()));
        }
        Check::RetryMadeSecond => {
            let body = json!({ "message": with_event() });
            customer.post("/_bulkd/faults", &json!({ "path": "/bulk", "answer": "lost" })).ok(201);
            assert!(customer.try_send("POST", "/bulk", Some(&body.to_string())).is_err());
            customer.with_header("X-Stainless-Retry-Count", "1").post("/bulk", &body).ok(201);
        }
        Check::KeyReused => {
            send(&customer.once("k"), json!({ "to": { "user_id": "ada" }, "content": content }));
            send(&customer.once("k"), json!({ "to": { "user_id": "bob" }, "content": content }));
        }
        Check::DuplicatesDropped => {
            let job = customer.create(with_event());
            customer.ingest(&job, readers(0, 2));
            customer.ingest(&job, readers(1, 2));
        }
        Check::UsersPath => drop(customer.post("/bulk/1-a/users", &json!({ "users": [] })).refused(404)),
        Check::UnknownRoute => drop(customer.get("/mesages").refused(404)),
        Check::JobIdAsMessageId => {
            let job = customer.create(with_event());
            let told = customer.get(&format!("/messages/{job}")).refused(404);
            assert!(told.contains("this is the id of a job"), "{told}");
        }
        Check::UnknownTemplate => drop(send(customer, json!({ "to": { "user_id": "ada" }, "template": "nt_none" }))),
        Check::UnknownBrand => {
            let job = customer.create(json!({ "event": "e", "message": { "content": content, "brand_id": "none" } }));
            customer.run(&job);
        }
        Check::NoEffect => {
            send(customer, json!({ "to": { "user_id": "ada" }, "content": content, "tempalte": "x" }));
        }
        Check::UnknownElement => {
            let elements = json!([{ "type": "txt", "content": "Hello" }]);
            send(
                customer,
                json!({ "to": { "email": "a@b.co" }, "content": { "version": "2022-01-01", "elements": elements } }),
            );
        }
        Check::ContentType => {
            let body = json!({ "message": with_event() }).to_string();
            customer.with_header("Content-Type", "text/plain").post_text("/bulk", &body).ok(201);
        }
        Check::NeverRun => {
            let job = customer.create(with_event());
            customer.ingest(&job, readers(0, 2));
        }
        Check::IngestAfterRun => {
            let job = customer.create(with_event());
            customer.run(&job);
            customer.post(&format!("/bulk/{job}"), &json!({ "users": readers(0, 2) })).refused(400);
        }
        Check::DeprecatedV1 => {
            let body = json!({ "event": "welcome", "recipient": "ada", "profile": { "email": "a@b.co" } });
            customer.post("/send", &body).ok(200);
        }
        Check::OptedOut => {
            let preferences = json!({ "notifications": { "welcome": { "status": "OPTED_OUT" } } });
            let job = customer.create(with_event());
            customer.ingest(
                &job,
                json!([{ "recipient": "ada", "profile": { "email": "a@b.co" }, "preferences": preferences }]),
            );
            customer.run_to_the_end(&job);
        }
        Check::ProviderRefused => {
            let long = json!({ "title": "t", "body": "x".repeat(3_000) });
            let routing = json!({ "method": "single", "channels": ["twilio"] });
            send(customer, json!({ "to": { "phone_number": "+15555550100" }, "content": long, "routing": routing }));
        }
        Check::NearLimit => {
            let long = json!({ "title": "t", "body": "x".repeat(1_500) });
            let routing = json!({ "method": "single", "channels": ["twilio"] });
            send(customer, json!({ "to": { "phone_number": "+15555550100" }, "content": long, "routing": routing }));
        }
        Check::UnknownParameter => drop(customer.get("/profiles/ada?verbose=1").ok(200)),
        Check::FastPolling => {
            let job = customer.create(with_event());
            (0..11).for_each(|_| drop(customer.job(&job)));
        }
    }
}

#[test]
fn every_check_is_found_where_it_is_brought_about_and_only_there() {
    let daemon = Daemon::start();
    for (name, check) in Check::NAMES {
        let customer = daemon.customer(name);
        assert_eq!(customer.get("/_bulkd/doctor").ok(200)["items"], json!([]), "{name}");
        bring_about(&customer, *check);
        // What the runner notes is there with the job's end, or a moment after.
        wait_until(&format!("{name} is found"), || has(&customer, name));
        let found = finding(&customer, name);
        for member in ["title", "why", "advice", "page", "first_at", "last_at"] {
            assert!(found[member].as_str().is_some_and(|it| !it.is_empty()), "{name}: {member}: {found}");
        }
        assert!(found["page"].as_str().unwrap().starts_with("https://"), "{name}: {found}");
        for seen in found["seen"].as_array().unwrap() {
            assert!(seen["request"].as_str().is_some_and(|it| it.contains(" /")), "{name}: {seen}");
        }
        assert!(found["count"].as_u64().unwrap() >= 1 && !found["seen"].as_array().unwrap().is_empty(), "{found}");
        let all = customer.get("/_bulkd/doctor").ok(200);
        assert!(["info", "warn", "error"].contains(&all["worst"].as_str().unwrap()), "{all}");
    }
    assert!(!has(&daemon.customer("somebody else"), "no-event"));
}

#[test]
fn a_client_that_does_all_as_it_should_has_no_findings() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let template = json!({
        "notification": {
            "name": "Welcome", "alias": "welcome", "brand": null, "routing": null, "subscription": null, "tags": null,
            "content": { "version": "2022-01-01", "elements": [
                { "type": "meta", "title": "Hello" }, { "type": "text", "content": "Hello {{name}}" },
            ] },
        },
        "state": "PUBLISHED",
    });
    customer.post("/notifications", &template).ok(201);
    let job = customer.once("create").post("/bulk", &json!({ "message": { "event": "welcome" } })).ok(201);
    let job = job["jobId"].as_str().unwrap();
    customer.once("users").post(&format!("/bulk/{job}"), &json!({ "users": readers(0, 10) })).ok(200);
    customer.once("run").post(&format!("/bulk/{job}/run"), &json!({})).ok(202);
    wait_until("the job is over", || {
        daemon.clock.advance(std::time::Duration::from_secs(1));
        customer.job(job)["status"] == "COMPLETED"
    });
    let found = customer.get("/_bulkd/doctor").ok(200);
    assert_eq!(found, json!({ "items": [], "paging": { "more": false }, "worst": null, "summary": "nothing found" }));
}

#[test]
fn a_retry_after_a_lost_answer_makes_a_second_job_without_a_key_and_one_with_it() {
    let daemon = Daemon::start();
    for (key, jobs) in [(None, 2), (Some("once"), 1)] {
        let customer = daemon.customer(&format!("acme {key:?}"));
        let first = match key {
            Some(key) => customer.once(key),
            None => customer.clone(),
        };
        let body = json!({ "message": with_event() });
        customer.post("/_bulkd/faults", &json!({ "preset": "lost-answer" })).ok(201);
        assert!(first.try_send("POST", "/bulk", Some(&body.to_string())).is_err());
        first.with_header("X-Stainless-Retry-Count", "1").post("/bulk", &body).ok(201);
        let requests = customer.get("/_bulkd/requests?q=jobid").ok(200);
        let made = |it: &Value| it["response"]["body"].as_str().filter(|it| !it.is_empty()).map(str::to_owned);
        let ids: BTreeSet<_> = requests["items"].as_array().unwrap().iter().filter_map(made).collect();
        assert_eq!(ids.len(), 1, "the first client was not told");
        assert_eq!(has(&customer, "retry-made-second"), jobs == 2);
        assert_eq!(has(&customer, "retry-without-key"), jobs == 2);
        if jobs == 2 {
            let what = finding(&customer, "retry-made-second")["seen"][0]["what"].as_str().unwrap().to_owned();
            assert!(
                what.starts_with("POST /bulk was done twice by a retry of the SDK: first {\"jobId\":\"1-"),
                "{what}"
            );
        }
    }
}

#[test]
fn findings_are_counted_forgotten_by_a_reset_and_logged_once() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    for _ in 0..3 {
        customer.get("/profiles/ada?verbose=1").ok(200);
        customer.create(newsletter());
    }
    let (parameter, event) = (finding(&customer, "unknown-parameter"), finding(&customer, "no-event"));
    assert_eq!((&parameter["count"], parameter["seen"].as_array().unwrap().len()), (&json!(3), 1));
    assert_eq!((&event["count"], event["seen"].as_array().unwrap().len()), (&json!(3), 3));
    assert_eq!(event["seen"][0]["request"], "POST /bulk");
    customer.post("/_bulkd/reset", &json!({})).done();
    assert_eq!(customer.get("/_bulkd/doctor").ok(200)["items"], json!([]));
    customer.create(newsletter());
    assert_eq!(finding(&customer, "no-event")["count"], 1);
}

#[test]
fn the_command_asks_a_running_daemon_and_ends_with_a_code_for_ci() {
    let daemon = Binary::start(&["--listen", ":0", "--ephemeral"]);
    let customer = daemon.customer("acme");
    let url = format!("http://{}", daemon.address());
    let ask = |more: &[&str]| {
        let ended = Binary::spawn(&mut bulkd(&[&["doctor", "--url", &url, "--api-key", "acme"], more].concat())).wait();
        (ended.code, ended.stdout)
    };
    let (code, told) = ask(&["--fail-on", "info"]);
    assert_eq!((code, told.as_str()), (Some(0), "doctor: nothing found\n"));
    customer.get("/profiles/ada?verbose=1").ok(200);
    let (code, told) = ask(&["--fail-on", "error"]);
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("warn  unknown-parameter: ") && told.ends_with("doctor: 1 warn\n"), "{told}");
    assert_eq!(ask(&["--fail-on", "warn"]).0, Some(3));
    customer.create(newsletter());
    assert_eq!(ask(&["--fail-on", "error"]).0, Some(3));
    assert_eq!(ask(&[]).0, Some(0));
    let job_id = customer.create(with_event());
    customer.ingest(&job_id, readers(0, 2));
    let ended = daemon.terminate();
    let summary = "the doctor has found what would hurt at Courier: no-event (1), never-run (1), unknown-parameter (1)";
    assert!(ended.stderr.contains(summary), "{ended:?}");
    let (code, told) = ask(&[]);
    assert_eq!((code, told.as_str()), (Some(1), ""));
}
