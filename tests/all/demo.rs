//! `bulkd demo`: what a new user sees first.

use std::net::TcpListener;

use crate::support::binary::{Binary, bulkd};
use crate::support::json;

#[test]
fn the_demo_takes_a_job_from_users_to_a_full_outbox() {
    // Its usual port is taken, and a proxy stands in the way: neither matters.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut command = bulkd(&["demo", "--exit", "--listen", &address]);
    let ended = Binary::spawn(command.env("http_proxy", "http://127.0.0.1:9")).wait();
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
    assert!(!ended.stdout.contains(&format!("answers on http://{address};")), "{ended:?}");
    for part in [
        "ingest 1000 users       10 calls: 960 accepted, 40 'Duplicate user'",
        "COMPLETED: received 960, enqueued 960, failures 0",
        "The outbox holds 960 messages:",
        "480 SENT by email (sendgrid), such as to ada-lovelace-0@example.com",
        "Hello Ada, your Free plan came to 0 euro.",
        "144 SENT by sms (twilio), such as to +15550000011",
        "96 SENT by push (firebase-fcm), such as to device-000014",
        "96 SENT by direct_message (slack), such as to C000016",
        "96 SENT by inbox (courier), such as to alan-turing-18",
        "48 UNDELIVERABLE as UNSUBSCRIBED, such as to grace-hopper-9",
        "SENT; its HTML is at",
        "/output'",
        "curl -H 'Authorization: Bearer demo' 'http://127.0.0.1:",
        "sqlite3 ",
    ] {
        assert!(ended.stdout.contains(part), "{part:?} is not in {}", ended.stdout);
    }
    // Its last line is the address of the page with the job.
    let last = ended.stdout.lines().last().unwrap_or_default();
    let (_, address) = last.split_once("http://127.0.0.1:").unwrap_or_default();
    assert!(address.contains("/#/jobs/1-") && address.ends_with("?env=key_2a97516c354b"), "{last}");
}

#[test]
fn the_demo_stays_up_until_it_is_told_to_end() {
    let demo = Binary::start(&["demo", "--listen", "127.0.0.1:0"]);
    let customer = crate::support::Customer::new(demo.address(), "demo");
    crate::support::wait_until("the demo's job is there", || {
        customer.get("/_bulkd/outbox?limit=1").ok(200)["items"].as_array().is_some_and(|items| items.len() == 1)
    });
    // The demo's curl lines lead to a daemon like any other.
    let job_id = customer.create(json!({ "event": "weekly" }));
    assert_eq!(customer.run_to_the_end(&job_id)["received"], 0);
    assert_eq!(demo.terminate().code, Some(0));
}
