//! The journal of requests.

use serde_json::Value;

use crate::support::{Customer, Daemon, json, newsletter};

fn requests(customer: &Customer, query: &str) -> Vec<Value> {
    let page = customer.get(&format!("/_bulkd/requests{query}")).ok(200);
    page["items"].as_array().unwrap().clone()
}

#[test]
fn a_request_is_written_down_with_its_answer_and_without_its_key() {
    let daemon = Daemon::start();
    let customer = daemon.customer("pk_test_very-secret");
    let customer = customer
        .with_header("User-Agent", "Courier/JS 7.0.0")
        .with_header("X-Stainless-Lang", "js")
        .with_header("X-Stainless-Package-Version", "7.0.0")
        .with_header("X-Stainless-Retry-Count", "2")
        .with_header("Cookie", "session=hidden");
    let created = customer.once("k-1").post("/bulk?draft=1", &json!({ "message": newsletter() }));
    customer.once("k-1").post("/bulk?draft=1", &json!({ "message": newsletter() }));
    customer.get("/profiles/ada").ok(200);
    let all = requests(&customer, "");
    assert_eq!(all.iter().map(|it| &it["path"]).collect::<Vec<_>>(), ["/profiles/ada", "/bulk", "/bulk"]);
    let first = &all[2];
    assert_eq!(
        (&first["method"], &first["query"], &first["route"]),
        (&json!("POST"), &json!("draft=1"), &json!("/bulk"))
    );
    assert_eq!((&first["status"], &first["response"]["body"]), (&json!(201), &json!(created.text)));
    assert_eq!((&first["replayed"], &all[1]["replayed"]), (&json!(false), &json!(true)));
    assert_eq!((&first["retry_count"], &first["idempotency_key"]), (&json!(2), &json!("k-1")));
    assert_eq!(first["sdk"], json!({ "language": "js", "version": "7.0.0", "made_by": "stainless" }));
    assert_eq!((&first["fault"], &first["unmatched"], &first["made"]), (&json!(null), &json!(null), &json!(null)));
    assert!(first["taken_ms"].as_f64().unwrap() > 0.0 && first["at"] == "2026-09-21T14:13:20.000Z");
    assert!(first["request"]["body"].as_str().unwrap().contains("Week {{week}}"));
    let text = Value::Array(all.clone()).to_string();
    assert!(!text.contains("very-secret") && !text.contains("hidden"), "{text}");
    let key = first["request"]["headers"]["authorization"].as_str().unwrap();
    assert!(key.starts_with("Bearer pk_test_#"), "{key}");
    // Each key sees what came with it.
    assert!(requests(&daemon.customer("globex"), "").is_empty());
    assert!(daemon.customer("globex").without_key().get("/_bulkd/requests").status == 401);
}

#[test]
fn words_find_requests_wherever_they_stand_and_pages_lead_on() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    for name in ["ada", "bob", "cy"] {
        customer
            .put(&format!("/profiles/{name}"), &json!({ "profile": { "email": format!("{name}@Example.com") } }))
            .ok(200);
        customer.get(&format!("/profiles/{name}")).ok(200);
    }
    assert_eq!(requests(&customer, "?q=BOB").len(), 2);
    assert_eq!(requests(&customer, "?q=put%20bob@example.com").len(), 1);
    assert_eq!(requests(&customer, "?q=success").len(), 3);
    assert!(requests(&customer, "?q=bob%20ada").is_empty());
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = customer.get(&format!("/_bulkd/requests?limit=4&cursor={cursor}")).ok(200);
        all.extend(page["items"].as_array().unwrap().iter().map(|it| it["number"].as_u64().unwrap()));
        match page["paging"]["cursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(all.len(), 6);
    assert!(all.is_sorted_by(|a, b| a > b), "{all:?}");
    assert!(customer.get("/_bulkd/requests?format=xml").refused(400).starts_with("format: expected json or har"));
    customer.post("/_bulkd/reset", &json!({})).done();
    assert!(requests(&customer, "").is_empty());
}

#[test]
fn a_request_that_no_route_is_for_is_written_down_with_the_nearest_one() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    customer.get("/profiles/ada").ok(200);
    customer.post("/bulk/1-a/users", &json!({ "users": [] })).refused(404);
    customer.get("/mesages/1-a").refused(404);
    let unmatched = requests(&customer, "?unmatched=true");
    assert_eq!(unmatched.len(), 2);
    let nearest = |it: &Value| -> Vec<String> {
        let nearest = it["unmatched"]["nearest"].as_array().unwrap().iter();
        nearest.map(|it| format!("{} {}", it["method"].as_str().unwrap(), it["path"].as_str().unwrap())).collect()
    };
    assert_eq!(nearest(&unmatched[0]), ["GET /messages/{message_id}"]);
    assert!(nearest(&unmatched[1]).contains(&"GET /bulk/{job_id}/users".to_owned()), "{:?}", nearest(&unmatched[1]));
    let why = unmatched[0]["unmatched"]["why"].as_str().unwrap();
    assert!(why.starts_with("there is no route GET /mesages/1-a; nearest is"), "{why}");
    // With no key there is no environment to write it to.
    customer.without_key().get("/nothing").refused(404);
    assert_eq!(requests(&customer, "?unmatched=true").len(), 2);
}

#[test]
fn a_fault_is_written_down_with_what_was_done_and_what_was_told() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    customer.post("/_bulkd/faults", &json!({ "name": "gone", "path": "/bulk", "answer": "lost" })).ok(201);
    assert!(customer.try_send("POST", "/bulk", Some(&json!({ "message": newsletter() }).to_string())).is_err());
    let lost = &requests(&customer, "")[0];
    assert_eq!((&lost["status"], &lost["made"]), (&json!(null), &json!(201)));
    assert_eq!((&lost["fault"]["name"], &lost["fault"]["answer"]), (&json!("gone"), &json!("lost")));
    assert_eq!(lost["response"], json!({ "body": "", "bytes": 0, "cut": false }));
    customer.post("/_bulkd/faults", &json!({ "path": "/bulk", "status": 503 })).ok(201);
    customer.post("/bulk", &json!({ "message": newsletter() }));
    let refused = &requests(&customer, "")[0];
    assert_eq!((&refused["status"], &refused["made"]), (&json!(503), &json!(null)));
    assert!(refused["response"]["body"].as_str().unwrap().contains("a fault that was asked for"));
}

#[test]
fn the_last_thousand_requests_are_kept_and_long_bodies_are_cut() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let profile = json!({ "profile": { "email": "ada@example.com", "about": "x".repeat(10_000) } });
    customer.put("/profiles/ada", &profile).ok(200);
    let put = &requests(&customer, "")[0];
    assert_eq!(put["request"]["body"].as_str().unwrap().len(), 4096);
    assert_eq!((&put["request"]["bytes"], &put["request"]["cut"]), (&json!(profile.to_string().len()), &json!(true)));
    for _ in 0..1_000 {
        customer.get("/profiles/bob").ok(200);
    }
    let kept = requests(&customer, "?limit=1000");
    assert_eq!(kept.len(), 1_000);
    assert!(kept.iter().all(|it| it["method"] == "GET"));
}

#[test]
fn an_archive_is_har_that_other_tools_read() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    customer.post("/profiles/ada?x=1&y", &json!({ "profile": { "email": "ada@example.com" } })).ok(200);
    customer.get("/profiles/ada").ok(200);
    let archive = customer.get("/_bulkd/requests?format=har").ok(200);
    let log = &archive["log"];
    assert_eq!((&log["version"], &log["creator"]["name"]), (&json!("1.2"), &json!("bulkd")));
    let entries = log["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 2);
    let first = &entries[0];
    for (path, kind) in [
        ("/startedDateTime", "string"),
        ("/time", "number"),
        ("/request/method", "string"),
        ("/request/url", "string"),
        ("/request/httpVersion", "string"),
        ("/request/cookies", "array"),
        ("/request/headers", "array"),
        ("/request/queryString", "array"),
        ("/request/headersSize", "number"),
        ("/request/bodySize", "number"),
        ("/request/postData/mimeType", "string"),
        ("/response/status", "number"),
        ("/response/statusText", "string"),
        ("/response/httpVersion", "string"),
        ("/response/cookies", "array"),
        ("/response/headers", "array"),
        ("/response/content/size", "number"),
        ("/response/content/mimeType", "string"),
        ("/response/redirectURL", "string"),
        ("/response/headersSize", "number"),
        ("/response/bodySize", "number"),
        ("/cache", "object"),
        ("/timings/send", "number"),
        ("/timings/wait", "number"),
        ("/timings/receive", "number"),
    ] {
        let found = match first.pointer(path) {
            Some(Value::String(_)) => "string",
            Some(Value::Number(_)) => "number",
            Some(Value::Array(_)) => "array",
            Some(Value::Object(_)) => "object",
            _ => "nothing",
        };
        assert_eq!(found, kind, "{path}: {first}");
    }
    assert_eq!(first["request"]["queryString"], json!([{ "name": "x", "value": "1" }, { "name": "y", "value": "" }]));
    assert!(first["request"]["url"].as_str().unwrap().ends_with("/profiles/ada?x=1&y"));
    assert!(!archive.to_string().contains("Bearer acme"));
    // What a fault has answered is there with its headers, and so is what has asked for it.
    customer.with_header("x-bulkd-fault", "rate-limited").get("/profiles/ada");
    let archive = customer.get("/_bulkd/requests?format=har&limit=1").ok(200);
    let has = |of: &str, name: &str, value: &str| {
        let headers = archive["log"]["entries"][0][of]["headers"].as_array().unwrap();
        headers.iter().any(|it| it["name"].as_str().unwrap().eq_ignore_ascii_case(name) && it["value"] == value)
    };
    assert!(has("request", "x-bulkd-fault", "rate-limited") && has("response", "retry-after", "1"), "{archive}");
}

#[test]
fn what_is_secret_in_a_query_is_not_written_down() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    customer.get("/nothing?api_key=abc&page=2&access_token=def");
    let written = &requests(&customer, "")[0];
    assert_eq!(written["query"], "api_key=REDACTED&page=2&access_token=REDACTED");
    let archive = customer.get("/_bulkd/requests?format=har&limit=1").ok(200);
    let entries = archive["log"]["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 1);
    assert!(!entries[0].to_string().contains("abc") && !entries[0].to_string().contains("def"), "{archive}");
}
