//! The kit for Rust, used as a test suite would: `tests/kits` has the same stories for Python and Node.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;
use std::time::Duration;

use bulkd::Bulkd;
use bulkd::kit::{Environment, Value, absent, contains, json, matches};

static BULKD: LazyLock<Bulkd> = LazyLock::new(Bulkd::start);

fn sign_up(bulkd: &Environment, email: &str) {
    let content =
        json!({ "title": "Welcome", "body": "Your code is 482913. Or follow https://app.example/verify?t=1." });
    let message = json!({ "to": { "email": email }, "content": content, "data": { "plan": { "n": 7 } } });
    bulkd.call("POST", "/send", Some(&json!({ "message": message }))).unwrap();
}

fn weekly(bulkd: &Environment, users: usize) -> Result<String, bulkd::kit::Failure> {
    let message = json!({ "event": "weekly", "content": { "title": "Week", "body": "{{n}}" } });
    let job = bulkd.call("POST", "/bulk", Some(&json!({ "message": message })))?;
    let job_id = job["jobId"].as_str().unwrap().to_owned();
    let user = |n| {
        let email = format!("u{n}@example.com");
        json!({ "profile": { "email": email }, "recipient": format!("u{n}"), "data": { "n": n } })
    };
    let users: Vec<Value> = (0..users).map(user).collect();
    bulkd.call("POST", &format!("/bulk/{job_id}"), Some(&json!({ "users": users })))?;
    bulkd.call("POST", &format!("/bulk/{job_id}/run"), None)?;
    Ok(job_id)
}

/// What a test fails with.
fn failure(test: impl FnOnce()) -> String {
    let failed = catch_unwind(AssertUnwindSafe(test)).unwrap_err();
    failed.downcast_ref::<String>().cloned().unwrap_or_else(|| failed.downcast_ref::<&str>().unwrap().to_string())
}

#[test]
fn each_test_has_an_environment_of_its_own() {
    for _ in 0..3 {
        let bulkd = BULKD.environment();
        sign_up(&bulkd, "ada@example.com");
        let messages = bulkd.wait_for_messages(1, json!({}));
        let [message] = &messages[..] else { panic!("{messages:?}") };
        assert_eq!((message.address(), message.subject()), (Some("ada@example.com"), Some("Welcome")));
        assert_eq!((message.code(), message.link("/verify")), ("482913", "https://app.example/verify?t=1"));
        assert_eq!(message.data(), json!({ "plan": { "n": 7 } }));
        assert!(message.html().is_some() && message.request()["personalizations"].is_array());
        assert!(failure(|| _ = message.link("nowhere")).contains("no link with 'nowhere'"));
        assert_eq!(bulkd.variables()[1], ("COURIER_API_KEY", bulkd.api_key().to_owned()));
    }
}

#[test]
fn messages_are_found_by_what_is_in_them() {
    let bulkd = BULKD.environment();
    bulkd.wait_for_job(&weekly(&bulkd, 5).unwrap());
    assert_eq!(bulkd.wait_for_message(json!({ "recipient": "u3", "data": { "n": 3 } })).body(), Some("3"));
    let found = bulkd.wait_for_message(json!({ "subject": contains("eek"), "body": matches("^4$") }));
    assert_eq!(found.recipient(), "u4");
    assert_eq!(bulkd.wait_for_messages(5, json!({ "channel": "email", "error": absent() })).len(), 5);
    let found: Vec<_> = bulkd.outbox(&[("q", "u2")]).iter().map(|it| it.recipient().to_owned()).collect();
    assert_eq!(found, ["u2"]);
    let last = bulkd.wait_for_message(json!({ "recipient": "u4" })).message_id().to_owned();
    bulkd.after(&last).wait_for_none(json!({ "channel": "email" }));
    bulkd.settle();
    let failed = failure(|| bulkd.wait_for_none(json!({ "channel": "email" })));
    assert!(failed.contains("found 5") && failed.contains("  POST /bulk -> 201"), "{failed}");
    let at_once = bulkd.within(Duration::ZERO);
    assert!(failure(|| drop(at_once.wait_for_message(json!({ "recipient": "nobody" })))).contains("Nearest is"));
    let refused = at_once.wait(json!({ "outbox": { "chanel": "email" } })).unwrap_err();
    assert!(refused.status == 400 && refused.to_string().contains("chanel"), "{refused}");
}

#[test]
fn requests_fail_when_a_test_asks_for_it() {
    let bulkd = BULKD.environment();
    let refused = bulkd.fault_with(json!({ "method": "POST", "path": "/bulk/{job_id}/run", "status": 503 }));
    assert!(failure(|| refused.assert_met()).contains("has hit nothing"));
    assert_eq!(weekly(&bulkd, 1).unwrap_err().status, 503);
    refused.assert_met();
    assert_eq!(refused.fired(), 1);
    refused.remove();
    assert_eq!(bulkd.requests(&[])[0]["status"], 503);
    assert!(bulkd.requests(&[("unmatched", "true")]).is_empty());
    assert!(bulkd.doctor().iter().any(|finding| finding["check"] == "never-run"));
}

#[test]
fn states_are_kept_and_brought_back() {
    let bulkd = BULKD.environment();
    bulkd.outcome("UNDELIVERABLE", json!({ "address": "bob@example.com", "reason": "BOUNCED" }));
    sign_up(&bulkd, "bob@example.com");
    bulkd.wait_for_message(json!({ "recipient": "bob@example.com", "status": "UNDELIVERABLE" }));
    bulkd.snapshot("one");
    sign_up(&bulkd, "ada@example.com");
    let sent = bulkd.wait_for_message(json!({ "recipient": "ada@example.com" }));
    bulkd.happen(sent.message_id(), "OPENED", json!({}));
    assert_eq!(bulkd.message(sent.message_id()).status(), "OPENED");
    bulkd.happen(sent.message_id(), "UNDELIVERABLE", json!({ "reason": "BOUNCED" }));
    assert_eq!(bulkd.message(sent.message_id()).status(), "UNDELIVERABLE");
    bulkd.restore("one");
    bulkd.wait_for_none(json!({ "recipient": "ada@example.com" }));
    bulkd.reset();
    assert!(bulkd.outbox(&[]).is_empty());
    bulkd.lifecycle("manual", json!({}));
    let job_id = weekly(&bulkd, 3).unwrap();
    assert_eq!(bulkd.step(&job_id, 2)["left"], 1);
    assert_eq!(bulkd.jobs(&[])[0]["status"], "PROCESSING");
    assert!(bulkd.jobs(&[("status", "CREATED")]).is_empty());
    bulkd.wait_for_job_status(&job_id, "PROCESSING");
}

#[test]
fn time_passes_and_a_daemon_has_flags_and_ends() {
    let bulkd = Bulkd::start_with(["--contract", "live"]);
    let environment = bulkd.environment();
    let before = environment.clock.now();
    let content = json!({ "title": "Late", "body": "B" });
    let message =
        json!({ "to": { "email": "ada@example.com" }, "content": content, "delay": { "duration": 3_600_000 } });
    environment.call("POST", "/send", Some(&json!({ "message": message }))).unwrap();
    environment.wait_for_none(json!({ "subject": "Late" }));
    assert_eq!(environment.clock.advance("30m")["delayed_sent"], 0);
    assert_eq!(environment.clock.advance("31m")["delayed_sent"], 1);
    environment.within(Duration::ZERO).wait_for_message(json!({ "subject": "Late", "status": "SENT" }));
    assert!(environment.clock.now() >= before + Duration::from_secs(61 * 60));
    bulkd.stop();
    assert_eq!(environment.call("GET", "/_bulkd/jobs", None).unwrap_err().status, 0);
    let refused = Bulkd::try_start(["--nothing"]).err().unwrap().to_string();
    assert!(refused.contains("unexpected argument '--nothing'"), "{refused}");
    assert!(Bulkd::try_start(["--seed", "/nowhere"]).is_err());
}

#[test]
fn a_daemon_elsewhere_has_environments_too() {
    let started = Bulkd::start();
    let elsewhere = Environment::at(started.base_url(), "mine", None).unwrap();
    sign_up(&elsewhere, "ada@example.com");
    elsewhere.wait_for_message(json!({ "recipient": "ada@example.com" }));
    started.environment_of("mine").wait_for_message(json!({ "recipient": "ada@example.com" }));
    assert!(started.ca().is_none() && elsewhere.variables().len() == 3);
}

#[cfg(feature = "tls")]
#[test]
fn a_daemon_that_speaks_https_is_trusted_by_its_environments_alone() {
    let started = Bulkd::start_with(["--tls"]);
    assert!(started.base_url().starts_with("https://127.0.0.1:"));
    let bulkd = started.environment();
    sign_up(&bulkd, "ada@example.com");
    bulkd.wait_for_message(json!({ "recipient": "ada@example.com" }));
    let file = started.ca().unwrap().display().to_string();
    assert_eq!(bulkd.variables()[3], ("SSL_CERT_FILE", file));
    let untrusting = Environment::at(started.base_url(), bulkd.api_key(), None).unwrap();
    assert_eq!(untrusting.call("GET", "/_bulkd/jobs", None).unwrap_err().status, 0);
    let wrong = std::path::Path::new("/nowhere/ca.pem");
    let refused = Environment::at(started.base_url(), "mine", Some(wrong)).err().unwrap().to_string();
    assert!(refused.contains("/nowhere/ca.pem"), "{refused}");
}

#[cfg(not(feature = "tls"))]
#[test]
fn a_build_without_https_says_so() {
    let refused = Environment::at("https://127.0.0.1:1", "mine", None).err().unwrap().to_string();
    assert!(refused.contains("--features tls"), "{refused}");
}
