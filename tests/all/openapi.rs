//! The routes as programs read them: the OpenAPI document, and the page for language models.

use bulkd::api::ROUTES;
use serde_json::Value;

use crate::support::Daemon;
#[cfg(unix)]
use crate::support::binary::{Binary, bulkd};

fn document(daemon: &Daemon) -> Value {
    daemon.customer("acme").without_key().get("/_bulkd/openapi.json").ok(200)
}

#[test]
fn every_route_is_in_the_document_with_what_it_takes_and_gives() {
    let daemon = Daemon::start();
    let document = document(&daemon);
    assert_eq!(document["openapi"], "3.1.0");
    for route in ROUTES {
        let operation = &document["paths"][route.path][route.method.as_str().to_lowercase()];
        assert_eq!(operation["summary"], route.about, "{} {}", route.method, route.path);
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        for name in route.query {
            assert!(parameters.iter().any(|it| it["name"] == *name && it["in"] == "query"), "{} {name}", route.path);
        }
        assert_eq!(operation.get("requestBody").is_some(), !route.body.is_empty(), "{} {}", route.method, route.path);
    }
    let create = &document["paths"]["/bulk"]["post"];
    let answer = &create["responses"]["201"]["content"]["application/json"]["schema"];
    assert_eq!(answer["properties"]["jobId"]["type"], "string");
    assert_eq!(answer["required"][0], "jobId");
    assert_eq!(create["operationId"], "createJob");
    assert!(create.get("security").is_none());
    assert_eq!(document["paths"]["/_bulkd/health"]["get"]["security"], serde_json::json!([]));
}

#[test]
fn a_language_model_finds_all_routes_on_one_page() {
    let daemon = Daemon::start();
    let page = daemon.customer("acme").without_key().get("/llms.txt");
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/markdown; charset=utf-8")));
    assert!(page.text.starts_with("# bulkd\n"), "{page:?}");
    for path in ["`POST /bulk/{job_id}/run`", "`GET /_bulkd/outbox`", "`GET /_bulkd/health` (no key)"] {
        assert!(page.text.contains(path), "{path}: {}", page.text);
    }
}

#[cfg(unix)]
#[test]
fn a_script_waits_until_the_daemon_is_ready() {
    let (taken, address) = crate::support::unheard();
    let url = format!("http://{address}");
    let ended = Binary::spawn(&mut bulkd(&["ready", "--url", &url])).wait();
    assert!(ended.refusal().contains(&format!("nothing answers at {url}")), "{ended:?}");
    // It is asked before there is a daemon, and answered once there is.
    let waiting = Binary::spawn(&mut bulkd(&["ready", "--wait", "2m", "--url", &url]));
    let daemon = Binary::start(&["--ephemeral", "--listen", &address.to_string()]);
    let ended = waiting.wait();
    assert_eq!((ended.code, ended.stdout.as_str(), ended.stderr.as_str()), (Some(0), "", ""));
    let ended = Binary::spawn(&mut bulkd(&["ready", "--listen", &address.to_string()])).wait();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    drop((daemon, taken));
    for wrong in [&["ready", "--wait", "soon"][..], &["ready", "--url", "127.0.0.1"]] {
        let ended = Binary::spawn(&mut bulkd(wrong)).wait();
        assert!(ended.code == Some(2) && ended.stderr.contains("expected"), "{ended:?}");
    }
}
