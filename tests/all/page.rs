//! The page: its files, and what it needs of the API that programs do not. What it looks like and does is told by
//! `tests/page`.

use crate::support::{Customer, Daemon, Reply, json, newsletter, readers, wait_until};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; frame-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'";

/// The addresses of the files that the page names.
fn files(page: &Reply) -> Vec<String> {
    let named = page.text.split('"').filter(|it| it.starts_with("/ui/"));
    named.map(str::to_owned).collect()
}

/// A request as a browser sends it that has followed a link on another site.
fn from_elsewhere(customer: &Customer, destination: &str) -> Customer {
    let customer = customer.with_header("Sec-Fetch-Site", "cross-site").with_header("Sec-Fetch-Mode", "navigate");
    customer.with_header("Sec-Fetch-Dest", destination)
}

#[test]
fn the_page_may_run_its_own_files_alone_and_browsers_keep_them() {
    let daemon = Daemon::start();
    let browser = daemon.customer("any").without_key();
    let page = browser.get("/");
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")), "{page:?}");
    assert_eq!(page.header("content-security-policy"), Some(POLICY));
    assert_eq!(page.header("cache-control"), Some("no-store"));
    let files = files(&page);
    assert!(
        files.iter().any(|it| it.ends_with("/app.js")) && files.iter().any(|it| it.ends_with("/style.css")),
        "{files:?}"
    );
    for path in &files {
        let file = browser.get(path);
        let kind = if path.ends_with(".css") { "text/css; charset=utf-8" } else { "text/javascript; charset=utf-8" };
        assert_eq!((file.status, file.header("content-type")), (200, Some(kind)), "{path}: {file:?}");
        assert_eq!(file.header("cache-control"), Some("public, max-age=31536000, immutable"), "{path}");
        assert_eq!(file.header("x-content-type-options"), Some("nosniff"), "{path}");
    }
    let other = files[0].replace("/ui/", "/ui/0");
    assert!(browser.get(&other).refused(404).contains("load it again"));
    assert_eq!(browser.get(&format!("{}x", files[0])).status, 404);
}

#[test]
fn work_on_the_page_is_seen_at_once() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("index.html"), "<p>@version@").unwrap();
    std::fs::write(folder.path().join("app.js"), "1").unwrap();
    let daemon = Daemon::start_with(|config| config.ui_dir = Some(folder.path().to_owned()));
    let browser = daemon.customer("any").without_key();
    assert_eq!(browser.get("/").text, "<p>dev");
    assert_eq!(browser.get("/ui/dev/app.js").text, "1");
    std::fs::write(folder.path().join("app.js"), "2").unwrap();
    let file = browser.get("/ui/dev/app.js");
    assert_eq!((file.text.as_str(), file.header("cache-control")), ("2", Some("no-store")));
    for path in ["/ui/dev/style.css", "/ui/dev/..%2Fsecret", "/ui/dev/mod.rs"] {
        assert_eq!(browser.get(path).status, 404, "{path}");
    }
}

#[test]
fn other_sites_may_link_to_the_page_and_do_no_more() {
    let daemon = Daemon::start();
    let browser = daemon.customer("any").without_key();
    assert_eq!(from_elsewhere(&browser, "document").get("/").status, 200);
    for destination in ["iframe", "empty"] {
        from_elsewhere(&browser, destination).get("/").refused(403);
    }
    from_elsewhere(&browser, "document").get("/_bulkd/environments").refused(403);
    browser.with_header("Origin", "https://evil.example").get("/").refused(403);
    assert_eq!(browser.with_header("Host", "evil.example").get("/").status, 421);
}

#[test]
fn without_keys_the_page_looks_at_environments_by_their_handles() {
    let daemon = Daemon::start();
    let (first, second) = (daemon.customer("first"), daemon.customer("second"));
    let browser = first.without_key();
    assert_eq!(
        browser.get("/_bulkd/environments").ok(200),
        json!({ "items": [], "paging": { "more": false }, "needs_key": false })
    );
    for customer in [&first, &second] {
        let job_id = customer.create(newsletter());
        customer.ingest(&job_id, readers(0, 3));
        customer.run_to_the_end(&job_id);
    }
    let found = browser.get("/_bulkd/environments");
    for key in ["first", "second"] {
        assert!(!found.text.contains(key), "{found:?}");
    }
    let handles: Vec<String> = found.json()["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["environment"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(handles.len(), 2);
    let of = |handle: &str| browser.with_header("x-bulkd-environment", handle);
    // The one that was used last comes first.
    let jobs = |customer: &Customer| customer.get("/_bulkd/jobs").ok(200)["items"].clone();
    assert_eq!(jobs(&of(&handles[0])), jobs(&second));
    assert_eq!(jobs(&of(&handles[1])), jobs(&first));
    // What is done is done there, also on routes that are answered from one look at the file.
    let job_id = jobs(&second)[0]["job_id"].as_str().unwrap().to_owned();
    assert_eq!(of(&handles[0]).get(&format!("/bulk/{job_id}")).ok(200)["job"]["received"], 3);
    of(&handles[1]).get(&format!("/bulk/{job_id}")).refused(404);
    of(&handles[0]).post("/_bulkd/reset", &json!({})).done();
    assert_eq!((jobs(&second), jobs(&first).as_array().unwrap().len()), (json!([]), 1));
    assert_eq!(jobs(&of(&handles[0])), json!([]), "it is known by its handle after a reset, too");
    for unknown in ["", "key_", "key_00000000000g", &handles[0][1..], "\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}"] {
        assert!(matches!(of(unknown).get("/_bulkd/jobs").status, 400 | 404), "{unknown}");
    }
    assert_eq!(of("key_000000000000").get("/_bulkd/jobs").status, 404);
    // A key goes before a handle.
    assert_eq!(jobs(&first.with_header("x-bulkd-environment", &handles[0])).as_array().unwrap().len(), 1);
}

#[test]
fn with_keys_and_for_other_pages_there_are_no_handles() {
    let daemon = Daemon::start_with(|config| config.api_keys = vec!["secret".to_owned()]);
    let customer = daemon.customer("secret");
    let job_id = customer.create(newsletter());
    let browser = customer.without_key();
    assert_eq!(
        browser.get("/_bulkd/environments").ok(200),
        json!({ "items": [], "paging": { "more": false }, "needs_key": true })
    );
    let handle = bulkd::model::environment::Environment::of_key("secret").handle();
    assert_eq!(browser.with_header("x-bulkd-environment", &handle).get("/_bulkd/jobs").status, 401);
    assert_eq!(browser.with_header("x-bulkd-environment", &handle).get(&format!("/bulk/{job_id}")).status, 401);

    let daemon = Daemon::start_with(|config| config.origins = vec!["https://app.test".to_owned()]);
    let customer = daemon.customer("key");
    customer.create(newsletter());
    let handle = bulkd::model::environment::Environment::of_key("key").handle();
    let other = customer.without_key().with_header("Origin", "https://app.test");
    other.get("/_bulkd/environments").refused(403);
    other.with_header("x-bulkd-environment", &handle).get("/_bulkd/jobs").refused(403);
    assert_eq!(customer.with_header("Origin", "https://app.test").get("/_bulkd/jobs").status, 200);
    let own = customer.without_key().with_header("Origin", &format!("http://{}", daemon.address()));
    assert_eq!(own.with_header("x-bulkd-environment", &handle).get("/_bulkd/jobs").status, 200);
}

#[test]
fn a_frame_shows_html_in_a_sandbox_to_browsers_that_have_its_path() {
    let daemon = Daemon::start();
    let customer = daemon.customer("any");
    let html = "<script>alert(1)</script><img src=https://acme.example/p.png>";
    let path = customer.post("/_bulkd/frames", &json!({ "html": html })).ok(201)["path"].as_str().unwrap().to_owned();
    let browser = customer.without_key();
    let frame = browser.get(&path);
    assert_eq!((frame.status, frame.text.as_str()), (200, html));
    assert_eq!(frame.header("content-type"), Some("text/html; charset=utf-8"));
    let policy = |frame: &Reply| frame.header("content-security-policy").unwrap().to_owned();
    assert!(policy(&frame).starts_with("sandbox; default-src 'none'; "), "{}", policy(&frame));
    assert!(policy(&frame).contains("img-src data:; ") && policy(&frame).contains("frame-ancestors 'self'"));
    let shown = browser.get(&format!("{path}?images=true&scheme=dark"));
    assert!(policy(&shown).contains("img-src data: http: https:; "), "{}", policy(&shown));
    assert_eq!(shown.header("cache-control"), Some("no-store"));
    browser.get(&format!("{path}?scheme=sepia")).refused(400);
    browser.get("/_bulkd/frames/0123456789abcdef0123456789abcdef").refused(404);
    assert_eq!(browser.post("/_bulkd/frames", &json!({ "html": html })).status, 401);
    from_elsewhere(&browser, "iframe").get(&path).refused(403);
}

#[test]
fn a_preview_is_the_message_that_a_send_would_make_and_leaves_nothing() {
    let daemon = Daemon::start();
    let customer = daemon.customer("any");
    customer.put("/profiles/ada", &json!({ "profile": { "email": "ada@example.com" } }));
    let message =
        json!({ "to": { "user_id": "ada" }, "content": { "title": "Hi {{n}}", "body": "b" }, "data": { "n": 1 } });
    let shown = customer.post("/_bulkd/preview", &json!({ "message": message })).ok(200);
    assert_eq!(customer.get("/_bulkd/status").ok(200)["jobs"], json!({}));
    assert_eq!(customer.get("/_bulkd/outbox").ok(200)["items"], json!([]));
    let sent = customer.post("/send", &json!({ "message": message })).ok(202);
    let detail = customer.get(&format!("/_bulkd/outbox/{}", sent["requestId"].as_str().unwrap())).ok(200);
    for member in ["recipient", "status", "data", "profile", "routing"] {
        assert_eq!(shown[member], detail[member], "{member}");
    }
    for member in ["channel", "provider", "address", "subject", "body", "html"] {
        assert_eq!(shown["deliveries"][0][member], detail["deliveries"][0][member], "{member}");
    }
    assert_eq!(shown["deliveries"][0]["subject"], "Hi 1");
    let bad = json!({ "message": { "to": { "list_id": "all" }, "content": { "title": "t", "body": "b" } } });
    assert!(customer.post("/_bulkd/preview", &bad).refused(400).starts_with("message.to: "));
    let bad = json!({ "message": { "to": { "user_id": "ada" }, "content": { "title": "{{#if", "body": "b" } } });
    customer.post("/_bulkd/preview", &bad).refused(400);
    assert_eq!(customer.get("/_bulkd/status").ok(200)["users"]["received"], 1);
}

#[test]
fn any_place_among_a_jobs_users_is_as_near_as_another() {
    let daemon = Daemon::start();
    let customer = daemon.customer("any");
    let job_id = customer.create(newsletter());
    let mut users = readers(0, 20);
    users[7]["profile"]["email"] = json!(5);
    customer.ingest(&job_id, users);
    customer.create(newsletter());
    customer.ingest(&job_id, readers(20, 20));
    let page = |query: &str| customer.get(&format!("/_bulkd/jobs/{job_id}/users?{query}")).ok(200);
    let places = |page: &serde_json::Value| -> Vec<u64> {
        page["items"].as_array().unwrap().iter().map(|it| it["at"].as_u64().unwrap()).collect()
    };
    assert_eq!((places(&page("at=18&limit=4")), page("")["total"].clone()), (vec![18, 19, 20, 21], json!(40)));
    assert_eq!(places(&page("status=PENDING&at=38")), [38, 39]);
    assert_eq!(places(&page("at=40")), [0; 0]);
    assert_eq!(places(&page("at=18446744073709551615")), [0; 0]);
    let job = customer.run_to_the_end(&job_id);
    let last = page("at=39");
    assert_eq!(last["items"][0]["recipient"], "reader-39");
    assert_eq!(last["items"][0]["message"]["address"], "reader-39@example.com");
    assert_eq!(page("status=PENDING")["total"], 0);
    let failed = page("status=ERROR");
    assert_eq!(failed["total"], job["failures"]);
    assert_eq!(failed["items"].as_array().unwrap().len() as u64, job["failures"].as_u64().unwrap());
    let told = customer.get(&format!("/_bulkd/jobs/{job_id}")).ok(200);
    assert_eq!((&told["received"], &told["definition"]["data"]["week"]), (&json!(40), &json!(12)));
    assert_eq!((failed["items"][0]["at"].as_u64(), told["errors"][0]["count"].as_u64()), (Some(7), Some(1)));
    let counted: u64 = told["messages"].as_array().unwrap().iter().map(|it| it["count"].as_u64().unwrap()).sum();
    assert_eq!((counted, told["counted"].as_u64()), (job["enqueued"].as_u64().unwrap(), job["enqueued"].as_u64()));
    for query in ["at=-1", "at=x", "status=SENT"] {
        customer.get(&format!("/_bulkd/jobs/{job_id}/users?{query}")).refused(400);
    }
    customer.get("/_bulkd/jobs/1-00000000-000000000000000000000000").refused(404);
    wait_until("nothing runs", || customer.get("/_bulkd/status").ok(200)["jobs"]["PROCESSING"].is_null());
}

#[test]
fn what_the_page_looks_at_is_no_clients_request() {
    let daemon = Daemon::start();
    let customer = daemon.customer("any");
    customer.post("/_bulkd/faults", &json!({ "path": "*", "status": 503, "times": null })).ok(201);
    let page = customer.with_header("x-bulkd-page", "1");
    assert_eq!(page.get("/notifications").status, 200);
    assert_eq!(customer.get("/_bulkd/requests").ok(200)["items"], json!([]));
    assert_eq!(customer.get("/_bulkd/faults").ok(200)["items"][0]["seen"], 0);
    // What it does is.
    assert_eq!(page.post("/bulk", &json!({ "message": newsletter() })).status, 503);
    assert_eq!(customer.get("/_bulkd/requests").ok(200)["items"].as_array().unwrap().len(), 1);
}
