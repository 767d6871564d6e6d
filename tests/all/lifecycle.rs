//! Jobs that go on as a test says: at a pace, by steps, not at all, or so that they have to be looked at.

use crate::support::{Customer, Daemon, json, newsletter, readers};
use serde_json::Value;

/// Sets the mode of the environment.
fn mode(customer: &Customer, rule: Value) -> Value {
    customer.put("/_bulkd/lifecycle", &rule).ok(200)
}

fn job_of(customer: &Customer, users: usize) -> String {
    let job_id = customer.create(newsletter());
    customer.ingest(&job_id, readers(0, users));
    job_id
}

#[track_caller]
fn step(customer: &Customer, job_id: &str, users: u64) -> Value {
    customer.post("/_bulkd/step", &json!({ "job_id": job_id, "users": users })).ok(200)
}

fn counters(job: &Value) -> (u64, u64, String) {
    let count = |name: &str| job[name].as_u64().unwrap();
    (count("enqueued"), count("failures"), job["status"].as_str().unwrap().to_owned())
}

#[test]
fn a_manual_job_goes_on_by_steps_and_each_says_what_it_did() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let rule = mode(&customer, json!({ "mode": "manual" }));
    assert_eq!(rule, json!({ "mode": "manual", "jobs": [] }));
    let job_id = customer.create(newsletter());
    let mut users = readers(0, 25);
    users[3]["profile"]["email"] = json!(5);
    customer.ingest(&job_id, users);
    let refusal = customer.post("/_bulkd/step", &json!({ "job_id": job_id })).refused(400);
    assert!(refusal.contains("run it first"), "{refusal}");
    customer.run(&job_id);
    assert_eq!(counters(&customer.job(&job_id)), (0, 0, "PROCESSING".to_owned()));
    let done = step(&customer, &job_id, 10);
    let expected = json!({
        "job_id": job_id, "users": 10, "enqueued": 9, "failures": 1, "left": 15, "status": "PROCESSING",
    });
    assert_eq!(done, expected);
    assert_eq!(customer.outbox(&job_id).len(), 9);
    assert_eq!(customer.users(&job_id)[10]["status"], "PENDING");
    assert_eq!(step(&customer, &job_id, 1)["left"], 14);
    let done = step(&customer, &job_id, 1_000_000);
    assert_eq!((&done["users"], &done["left"], &done["status"]), (&json!(14), &json!(0), &json!("COMPLETED")));
    assert_eq!(step(&customer, &job_id, 1)["users"], 0);
    assert_eq!(customer.outbox(&job_id).len(), 24);
}

#[test]
fn steps_that_are_taken_at_once_each_say_what_they_did_themselves() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    mode(&customer, json!({ "mode": "manual" }));
    let job_id = job_of(&customer, 300);
    customer.run(&job_id);
    let done: Vec<Value> = std::thread::scope(|scope| {
        let steps: Vec<_> = (1..=20)
            .map(|users| {
                scope.spawn({
                    let (customer, job_id) = (&customer, &job_id);
                    move || step(customer, job_id, users)
                })
            })
            .collect();
        steps.into_iter().map(|step| step.join().unwrap()).collect()
    });
    let users: Vec<u64> = done.iter().map(|it| it["users"].as_u64().unwrap()).collect();
    assert_eq!(users, (1..=20).collect::<Vec<u64>>());
    assert_eq!(counters(&customer.job(&job_id)).0, 210);
}

#[test]
fn a_job_that_is_held_holds_up_no_other_and_goes_on_when_it_may() {
    let daemon = Daemon::start();
    let (customer, other) = (daemon.customer("acme"), daemon.customer("other"));
    let held = job_of(&customer, 30);
    let rule = mode(&customer, json!({ "mode": "hold", "job_id": held }));
    assert_eq!(rule, json!({ "mode": "instant", "jobs": [{ "job_id": held, "mode": "hold" }] }));
    assert_eq!(other.get("/_bulkd/lifecycle").ok(200), json!({ "mode": "instant", "jobs": [] }));
    customer.run(&held);
    // As many as there are threads, and more.
    for customer in [&customer, &other].into_iter().cycle().take(8) {
        customer.run_to_the_end(&job_of(customer, 30));
    }
    assert_eq!(counters(&customer.job(&held)), (0, 0, "PROCESSING".to_owned()));
    let refusal = customer.post("/_bulkd/step", &json!({ "job_id": held })).refused(400);
    assert!(refusal.contains("mode manual"), "{refusal}");
    mode(&customer, json!({ "mode": "instant", "job_id": held }));
    assert_eq!(customer.completed(&held)["enqueued"], 30);
}

#[test]
fn a_job_that_was_held_goes_on_after_a_start() {
    let mut daemon = Daemon::start();
    let customer = daemon.customer("acme");
    mode(&customer, json!({ "mode": "manual" }));
    let job_id = job_of(&customer, 30);
    customer.run(&job_id);
    step(&customer, &job_id, 7);
    daemon.restart();
    let customer = daemon.customer("acme");
    assert_eq!(customer.completed(&job_id)["enqueued"], 30);
    assert_eq!(customer.outbox(&job_id).len(), 30);
}

#[test]
fn a_job_is_completed_at_the_look_that_was_said() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    // Those that were run before are shown as they are.
    let before = job_of(&customer, 4);
    customer.run_to_the_end(&before);
    mode(&customer, json!({ "mode": "polls", "polls": 4 }));
    let job_id = job_of(&customer, 10);
    assert_eq!(customer.job(&job_id)["status"], "CREATED");
    let sent = customer.create(newsletter());
    customer.run(&sent);
    customer.run(&job_id);
    // The messages are there, whatever the job is said to be.
    crate::support::wait_until("the messages are there", || customer.outbox(&job_id).len() == 10);
    let looks: Vec<_> = (0..5).map(|_| counters(&customer.job(&job_id))).collect();
    let processing = |enqueued| (enqueued, 0, "PROCESSING".to_owned());
    let completed = (10, 0, "COMPLETED".to_owned());
    assert_eq!(looks, [processing(2), processing(5), processing(7), completed.clone(), completed]);
    assert_eq!(customer.job(&before)["status"], "COMPLETED");
    let looks: Vec<_> = (0..4).map(|_| counters(&customer.job(&sent)).2).collect();
    assert_eq!(looks, ["PROCESSING", "PROCESSING", "PROCESSING", "COMPLETED"]);
}

#[test]
fn a_reset_ends_what_was_said_of_jobs() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    mode(&customer, json!({ "mode": "hold" }));
    customer.run(&job_of(&customer, 30));
    customer.post("/_bulkd/reset", &json!({})).done();
    assert_eq!(customer.get("/_bulkd/lifecycle").ok(200)["mode"], "instant");
    customer.run_to_the_end(&job_of(&customer, 30));
}

#[test]
fn a_mode_that_makes_no_sense_is_refused_by_its_member() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    for (rule, member) in [
        (json!({ "mode": "fast" }), "mode"),
        (json!({ "mode": "paced" }), "per_second"),
        (json!({ "mode": "paced", "per_second": 0 }), "per_second"),
        (json!({ "mode": "polls" }), "polls"),
        (json!({ "mode": "hold", "polls": 3 }), "polls"),
        (json!({ "mode": "instant", "per_second": 3 }), "per_second"),
    ] {
        let refusal = customer.put("/_bulkd/lifecycle", &rule).refused(400);
        assert!(refusal.starts_with(&format!("{member}: ")), "{refusal}");
    }
    customer.put("/_bulkd/lifecycle", &json!({ "mode": "hold", "job_id": "1-2-3" })).refused(404);
    customer.post("/_bulkd/step", &json!({ "job_id": "1-2-3" })).refused(404);
    customer.post("/_bulkd/step", &json!({ "job_id": "1-2-3", "users": 0 })).refused(400);
}

/// All that an environment shows after some requests, with ids that were made of a seed.
fn repeated(seed: u64) -> Vec<Value> {
    let daemon = Daemon::start_seeded(seed);
    let customer = daemon.customer("acme");
    let jobs: Vec<String> = (0..3)
        .map(|_| {
            let job_id = customer.create(newsletter());
            let nameless: Vec<Value> =
                (0..300).map(|i| json!({ "profile": { "email": format!("{i}@example.com") } })).collect();
            customer.ingest(&job_id, nameless.into());
            job_id
        })
        .collect();
    jobs.iter().for_each(|job_id| customer.run(job_id));
    jobs.iter().for_each(|job_id| drop(customer.completed(job_id)));
    let template = customer.post("/brands", &json!({ "name": "House" })).ok(200);
    let users = jobs.iter().map(|job_id| customer.users(job_id).into());
    users.chain([template]).collect()
}

#[test]
fn the_same_requests_lead_to_the_same_ids_in_the_same_order() {
    let first = repeated(7);
    assert_eq!(first, repeated(7));
    assert_ne!(first, repeated(8));
}

#[test]
fn what_a_route_of_ours_does_not_know_is_refused_and_changes_nothing() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let refused = customer.put("/_bulkd/lifecycle", &json!({ "mode": "manual", "job": "1-0" })).refused(400);
    assert_eq!(refused, "job: expected none; known is `{mode, per_second?, polls?, job_id?}`");
    assert_eq!(customer.get("/_bulkd/lifecycle").ok(200)["mode"], "instant");
    let outcome = json!({ "recipient": "ada", "status": "OPENED" });
    customer.put("/_bulkd/outcomes", &outcome).ok(200);
    let wrong = json!({ "recipient": "ada", "status": "OPENED", "when": "later" });
    assert!(
        customer.put("/_bulkd/outcomes", &wrong).refused(400).starts_with("when: expected none; known is `{address")
    );
    assert_eq!(
        customer.delete("/_bulkd/outcomes?adress=x").refused(400),
        "adress: expected no such parameter of a query: it knows address, recipient"
    );
    assert_eq!(customer.get("/_bulkd/outcomes").ok(200)["items"], json!([outcome]));
    for path in ["/_bulkd/outbox?recipent=ada", "/_bulkd/outbox/latest?nope=1", "/_bulkd/doctor?level=warn"] {
        assert!(customer.get(path).refused(400).contains("expected no such parameter of a query"), "{path}");
    }
    for (path, told) in [
        ("/_bulkd/outbox?order=asc&order=desc", "order: expected one value, found 2"),
        ("/_bulkd/outbox?q=a&order=desc&ord%65r=asc", "order: expected one value, found 2"),
        ("/_bulkd/jobs?limit=none", "limit: expected a whole number from 1 to 1000"),
        ("/_bulkd/requests?limit=1001", "limit: expected a whole number from 1 to 1000"),
        ("/_bulkd/outbox?limit=0", "limit: expected a whole number from 1 to 1000"),
    ] {
        assert_eq!(customer.get(path).refused(400), told, "{path}");
    }
    // None is given by these, and a list may be given in parts.
    for path in ["/_bulkd/outbox?limit=null&order=undefined&q=", "/_bulkd/outbox?fields=subject&fields=body"] {
        customer.get(path).ok(200);
    }
    assert_eq!(customer.get("/_bulkd/faults?unfired=maybe").refused(400), "unfired: expected true or false");
    customer.get("/_bulkd/faults?unfired=True").ok(200);
    // A client of Courier's is answered, and the doctor tells.
    customer.get("/lists?nope=1").ok(200);
    let found = customer.get("/_bulkd/doctor").ok(200);
    let checks: Vec<&Value> = found["items"].as_array().unwrap().iter().map(|it| &it["check"]).collect();
    assert_eq!(checks, ["unknown-parameter"]);
    // Nor does the doctor find anything in what these routes know.
    customer.post("/_bulkd/wait", &json!({ "settled": true, "timeout_ms": 0 })).ok(200);
    customer.post("/_bulkd/faults", &json!({ "preset": "rate-limited", "times": 2 })).ok(201);
    assert_eq!(customer.get("/_bulkd/doctor").ok(200)["items"].as_array().unwrap().len(), 1);
}
