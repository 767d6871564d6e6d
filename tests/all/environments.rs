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
