//! API keys and the environments that they open.

use crate::support::{Daemon, json, newsletter, readers};

#[test]
fn every_key_opens_an_environment_of_its_own() {
    let daemon = Daemon::start();
    let (acme, globex) = (daemon.customer("pk_test_acme"), daemon.customer("pk_test_globex"));
    let job_id = acme.create(newsletter());
    acme.ingest(&job_id, readers(0, 2));

    globex.get(&format!("/bulk/{job_id}")).refused(404);
    globex.get(&format!("/bulk/{job_id}/users")).refused(404);
    globex.post(&format!("/bulk/{job_id}"), &json!({ "users": readers(5, 1) })).refused(404);
    globex.post(&format!("/bulk/{job_id}/run"), &json!({})).refused(404);
    acme.run_to_the_end(&job_id);
    assert_eq!(acme.outbox(&job_id).len(), 2);
    globex.get(&format!("/_bulkd/outbox?job_id={job_id}")).refused(404);
    assert_eq!(globex.get("/_bulkd/outbox").ok(200), json!({ "items": [], "paging": { "more": false } }));
}

#[test]
fn without_a_usable_key_everything_is_unauthorized() {
    let daemon = Daemon::start();
    let keyless = daemon.customer("").without_key();
    let routes =
        [("POST", "/bulk"), ("POST", "/bulk/x"), ("POST", "/bulk/x/run"), ("GET", "/bulk/x"), ("GET", "/bulk/x/users")];
    for (method, path) in routes {
        assert_eq!(keyless.send(method, path, None).refused(401), "Unauthorized");
    }
    for malformed in ["", "Bearer", "Bearer ", "Bearer   ", "acme", "Basic YTpi", "Token acme"] {
        let reply = keyless.with_header("Authorization", malformed).get("/bulk/x");
        assert_eq!(reply.refused(401), "Unauthorized", "{malformed:?}");
    }
    // The scheme is compared without case, and a key may hold spaces, as that of Courier's own tests does.
    keyless.with_header("Authorization", "Bearer My API Key").get("/bulk/x").refused(404);
    keyless.with_header("Authorization", "bearer acme").get("/bulk/x").refused(404);
    // Whether the daemon is up is answered without a key.
    assert_eq!(keyless.get("/_bulkd/health").ok(200)["status"], "ok");
}

#[test]
fn with_configured_keys_all_others_are_unauthorized() {
    let daemon = Daemon::start_with(|config| config.api_keys = vec!["first".to_owned(), "second".to_owned()]);
    let job_id = daemon.customer("first").create(newsletter());
    daemon.customer("second").get(&format!("/bulk/{job_id}")).refused(404);
    daemon.customer("first").get(&format!("/bulk/{job_id}")).ok(200);
    for unknown in ["third", "First", "first2", "firs"] {
        daemon.customer(unknown).get(&format!("/bulk/{job_id}")).refused(401);
    }
}

#[test]
fn keys_are_not_kept() {
    let mut daemon = Daemon::start();
    let key = "pk_prod_a_very_hushed_key";
    daemon.customer(key).create(newsletter());
    daemon.stop();
    let bytes = std::fs::read(daemon.database()).unwrap();
    assert!(!bytes.windows(6).any(|window| window == b"hushed"));
}

#[test]
fn the_outbox_of_an_environment_can_be_searched_and_paged() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let users = json!([
        { "recipient": "by-mail", "profile": { "email": "a@example.com" } },
        { "recipient": "by-phone", "profile": { "phone_number": "+15550001" } },
        { "recipient": "in-app" },
    ]);
    let mut jobs = Vec::new();
    for _ in 0..3 {
        let job_id = customer.create(newsletter());
        customer.ingest(&job_id, users.clone());
        customer.run_to_the_end(&job_id);
        jobs.push(job_id);
    }
    let found = |query: &str| -> Vec<(String, String)> {
        let page = customer.get(&format!("/_bulkd/outbox?{query}")).ok(200);
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        page["items"].as_array().unwrap().iter().map(|m| (text(&m["job_id"]), text(&m["recipient"]))).collect()
    };
    assert_eq!(found("").len(), 9);
    assert_eq!(found(&format!("job_id={}", jobs[1])).len(), 3);
    assert_eq!(
        found("recipient=by-phone"),
        jobs.iter().map(|job| (job.clone(), "by-phone".to_owned())).collect::<Vec<_>>()
    );
    assert_eq!(found(&format!("channel=inbox&job_id={}", jobs[2])), [(jobs[2].clone(), "in-app".to_owned())]);
    customer.get("/_bulkd/outbox?job_id=1-0-0").refused(404);
    assert_eq!(
        customer.get("/_bulkd/outbox?channel=pigeon").refused(400),
        "channel: expected one of email, sms, push, inbox, direct_message, webhook"
    );

    let first = customer.get("/_bulkd/outbox?limit=4").ok(200);
    let cursor = first["paging"]["cursor"].as_str().unwrap();
    let second = customer.get(&format!("/_bulkd/outbox?limit=4&cursor={cursor}")).ok(200);
    assert_eq!(first["items"].as_array().unwrap().len(), 4);
    assert_eq!(second["items"][0]["job_id"], jobs[1]);
    assert_eq!(second["items"][0]["recipient"], "by-phone");
    let cursor = second["paging"]["cursor"].as_str().unwrap();
    let third = customer.get(&format!("/_bulkd/outbox?limit=4&cursor={cursor}")).ok(200);
    assert_eq!(third["items"].as_array().unwrap().len(), 1);
    assert_eq!(third["paging"], json!({ "more": false }));
    customer.get("/_bulkd/outbox?cursor=elsewhere").refused(400);
}

#[test]
fn what_steers_an_environment_does_so_each_time_whatever_its_idempotency_key() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let same = customer.once("same");
    let count = || customer.get("/_bulkd/jobs").ok(200)["items"].as_array().unwrap().len();
    for _ in 0..2 {
        customer.create(newsletter());
        same.post("/_bulkd/reset", &json!({})).done();
        assert_eq!(count(), 0);
        customer.create(newsletter());
        customer.put("/_bulkd/snapshots/one", &json!({})).ok(200);
        customer.create(newsletter());
        same.post("/_bulkd/snapshots/one/restore", &json!({})).ok(200);
        assert_eq!(count(), 1);
        same.post("/_bulkd/snapshots/one/fork", &json!({ "key": "copy" })).ok(201);
        let copy = daemon.customer("copy");
        assert_eq!(copy.get("/_bulkd/jobs").ok(200)["items"].as_array().unwrap().len(), 1);
        copy.post("/_bulkd/reset", &json!({})).done();
    }
}

#[test]
fn a_parameter_of_our_own_is_given_once_and_a_body_that_is_not_read_is_refused() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    customer.create(newsletter());
    for path in [
        "/_bulkd/jobs?status=CREATED&status=COMPLETED",
        "/_bulkd/jobs?status[]=CREATED&status[]=COMPLETED",
        "/_bulkd/outbox?recipient=ada&recipient=bob",
        "/_bulkd/outbox?q=a&q=b",
    ] {
        let told = customer.get(path).refused(400);
        assert!(told.ends_with("expected one value, found 2"), "{path}: {told}");
    }
    assert_eq!(customer.get("/_bulkd/jobs?status[]=COMPLETED").ok(200)["items"], json!([]));
    customer.get("/_bulkd/jobs?status[]=NOPE").refused(400);
    customer.get("/_bulkd/outbox?fields=subject&fields=body").ok(200);
    customer.put("/_bulkd/outcomes", &json!({ "recipient": "ada", "status": "UNDELIVERABLE" })).ok(200);
    customer.put("/_bulkd/outcomes", &json!({ "recipient": "bob", "status": "UNDELIVERABLE" })).ok(200);
    customer.delete("/_bulkd/outcomes?recipient=ada&recipient=bob").refused(400);
    customer.delete("/_bulkd/outcomes?recipient[]=ada").done();
    assert_eq!(customer.get("/_bulkd/outcomes").ok(200)["items"].as_array().unwrap().len(), 1);
    for (method, path) in [("PUT", "/_bulkd/snapshots/a"), ("POST", "/_bulkd/reset"), ("DELETE", "/_bulkd/faults")] {
        for body in ["garbage", "{\"x\":1}", "[1]"] {
            let told = customer.send(method, path, Some(body)).refused(400);
            assert!(told.starts_with("the body: expected none"), "{method} {path}: {told}");
        }
    }
    for name in ["..", ".a", ""] {
        let answer = customer.send("PUT", &format!("/_bulkd/snapshots/{name}"), None);
        assert!([400, 404].contains(&answer.status), "{name}");
    }
    let told = customer.put("/_bulkd/lifecycle", &json!({ "mode": "paced", "per_second": 0.5 })).refused(400);
    assert!(told.contains("expected a whole number of 0 or more"), "{told}");
}
