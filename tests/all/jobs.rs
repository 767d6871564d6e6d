//! The list of jobs.

use std::time::Duration;

use crate::support::{Daemon, NOW, json, newsletter, readers};
use serde_json::Value;

#[test]
fn the_jobs_of_an_environment_are_listed_from_the_newest_on() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let created = customer.create(newsletter());
    daemon.clock.advance(Duration::from_secs(1));
    let completed = customer.create(newsletter());
    customer.ingest(&completed, readers(0, 3));
    customer.run_to_the_end(&completed);
    let send = json!({ "message": { "to": { "email": "a@example.com" }, "content": { "title": "a", "body": "b" } } });
    let sent = customer.post("/send", &send).ok(202)["requestId"].as_str().unwrap().to_owned();

    let page = customer.get("/_bulkd/jobs").ok(200);
    assert_eq!(page["paging"], json!({ "more": false }));
    let items = page["items"].as_array().unwrap();
    let ids: Vec<&Value> = items.iter().map(|job| &job["job_id"]).collect();
    assert_eq!(ids[1..], [&json!(completed), &json!(created)]);
    assert_eq!((&items[0]["kind"], &items[0]["status"]), (&json!("SEND"), &json!("COMPLETED")));
    assert!(sent.starts_with("1-"));
    assert_eq!(
        items[1],
        json!({
            "job_id": completed, "kind": "BULK", "status": "COMPLETED", "received": 3, "enqueued": 3, "failures": 0,
            "error": null, "created_at": NOW + 1000, "run_at": NOW + 1000, "completed_at": NOW + 1000, "rate": null,
        })
    );
    assert_eq!((&items[2]["run_at"], &items[2]["created_at"]), (&Value::Null, &json!(NOW)));
    assert_eq!(daemon.customer("globex").get("/_bulkd/jobs").ok(200)["items"], json!([]));
}

#[test]
fn jobs_are_found_by_status_and_page_by_page() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let jobs: Vec<String> = (0..7).map(|_| customer.create(newsletter())).collect();
    for job_id in jobs.iter().step_by(2) {
        customer.run_to_the_end(job_id);
    }
    let listed = |query: &str| {
        let (mut ids, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = customer.get(&format!("/_bulkd/jobs?limit=2&cursor={cursor}{query}")).ok(200);
            let items = page["items"].as_array().unwrap();
            ids.extend(items.iter().map(|job| job["job_id"].as_str().unwrap().to_owned()));
            match page["paging"].get("cursor") {
                Some(next) => cursor = next.as_str().unwrap().to_owned(),
                None => return ids,
            }
        }
    };
    let backwards = |step: usize, skip: usize| {
        let mut ids: Vec<String> = jobs.iter().skip(skip).step_by(step).cloned().collect();
        ids.reverse();
        ids
    };
    assert_eq!(listed(""), backwards(1, 0));
    assert_eq!(listed("&status=COMPLETED"), backwards(2, 0));
    assert_eq!(listed("&status=CREATED"), backwards(2, 1));
    let refused = customer.get("/_bulkd/jobs?status=DONE").refused(400);
    assert_eq!(refused, "status: expected one of CREATED, PROCESSING, COMPLETED, ERROR");
}
