//! The relay as it is steered: a channel that goes from `--deliver` to it and back, a pause, and what it says of itself.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::relay::with::{Place, Scene, is_all, relay, scene, send, stage, to, wait_for_all};
use crate::support::binary::{Binary, bulkd, check};
use crate::support::receiver::Receiver;
use crate::support::redis::{ALWAYS, Redis};
use crate::support::stand::Stand;
use crate::support::{Customer, json, wait_until};

fn pause(customer: &Customer, route: &str, paused: bool) -> Value {
    customer.put(&format!("/_bulkd/deliver/{route}"), &json!({ "paused": paused })).ok(200)
}

fn item(customer: &Customer, route: &str) -> Value {
    let all = customer.get("/_bulkd/deliver").ok(200);
    let items = all["items"].as_array().unwrap();
    items.iter().find(|it| it["channel"] == route).unwrap_or_else(|| panic!("{all}")).clone()
}

#[track_caller]
fn wait_for(customer: &Customer, route: &str, what: &str, so: impl Fn(&Value) -> bool) {
    wait_until(&format!("{route}: {what}"), || so(&item(customer, route)));
}

#[test]
fn a_channel_goes_from_deliver_to_the_relay_and_back_and_each_message_goes_once() {
    let Some((redis, place, ledger, provider)) = stage(ALWAYS) else { return };
    let start = |flags: &[&str]| {
        let database = place.database();
        Binary::start_by(&mut bulkd(&[&["--listen", ":0", "--db", database.to_str().unwrap()], flags].concat()))
    };
    let (own, all) = (format!("email={}", provider.url()), to(&provider));
    let url = redis.url();
    // By --deliver: some are sent, and some wait.
    let daemon = start(&["--deliver", &own]);
    let customer = daemon.customer("acme");
    let first = send(&customer, 0, 50);
    wait_for_all(&customer, &first, "DELIVERED", 50);
    pause(&customer, "email", true);
    let waiting = send(&customer, 100, 20);
    wait_for(&customer, "email", "all are queued", |it| it["queued"] == 20 && it["behind"] == 0);
    daemon.terminate();
    // By the relay: those that waited, and new ones, of which some get no further than the stream, and some not there.
    let daemon = start(&["--relay", &url, "--relay-entries", "25"]);
    daemon.logs("20 messages of email that waited for --deliver: by --relay from now on");
    let customer = daemon.customer("acme");
    let sender = Binary::start_by(&mut place.sender(&all, &[]));
    wait_for_all(&customer, &waiting, "DELIVERED", 20);
    let by_relay = send(&customer, 200, 30);
    wait_for_all(&customer, &by_relay, "DELIVERED", 30);
    sender.terminate();
    let left = send(&customer, 300, 40);
    wait_until("the stream is full, and the rest is queued", || {
        let told = relay(&customer);
        told["relay"]["in_stream"] == 25 && told["relay"]["lag"] == 15 && told["behind"] == 0
    });
    assert_eq!(ledger.len(), 100);
    daemon.terminate();
    // By --deliver again, without the relay: what is left there is said, and not sent by both.
    let daemon = start(&["--deliver", &own]);
    daemon.logs("40 messages of email with --relay, which this start does not have");
    let customer = daemon.customer("acme");
    assert_eq!(item(&customer, "email")["paused"], true);
    pause(&customer, "email", false);
    let back = send(&customer, 400, 10);
    wait_for_all(&customer, &back, "DELIVERED", 10);
    let sender = Binary::start_by(&mut place.sender(&all, &[]));
    wait_until("what is on the stream is sent", || redis.ask::<usize>(&format!("XLEN {}", place.key("outbox"))) == 0);
    sender.terminate();
    assert!(is_all(&customer, &left, "SENT", 40));
    assert_eq!(ledger.len(), 100 + 10 + 25);
    daemon.terminate();
    // With both, the relay goes on with what it has, and is given no more.
    let daemon = start(&["--deliver", &all, "--relay", &url]);
    daemon.logs("40 messages of email still with --relay, which goes on with them");
    let customer = daemon.customer("acme");
    let last = send(&customer, 500, 10);
    let sender = Binary::start_by(&mut place.sender(&all, &[]));
    for (job_id, count) in [(&last, 10), (&left, 40)] {
        wait_for_all(&customer, job_id, "DELIVERED", count);
    }
    wait_for(&customer, "relay", "nothing is left", |it| it["queued"] == 0);
    assert_eq!(relay(&customer)["delivered"], 20 + 30 + 40);
    assert_eq!(item(&customer, "email")["delivered"], 50 + 10 + 10);
    sender.terminate();
    daemon.terminate();
    // Then it has nothing to do any more, and says so.
    let daemon = start(&["--deliver", &all, "--relay", &url]);
    daemon.logs("--relay has no effect");
    daemon.terminate();
    assert_eq!((ledger.len(), ledger.doubles()), (160, 0));
    check(&place.database());
}

/// Messages that are of several channels.
#[test]
fn one_channel_changes_over_and_the_others_stay() {
    let Some((_redis, place, ledger, provider)) = stage(ALWAYS) else { return };
    let all = to(&provider);
    let own = format!("sms={}", provider.url());
    let both = |customer: &Customer, name: &str| {
        let message = json!({
            "to": { "user_id": name, "email": "ada@example.com", "phone_number": "+15551234567" },
            "content": { "title": "Hi", "body": "Hello" },
            "routing": { "method": "all", "channels": ["email", "sms"] },
        });
        customer.post("/send", &json!({ "message": message })).ok(202)["requestId"].as_str().unwrap().to_owned()
    };
    let is_done = |customer: &Customer, id: &str| {
        let items = customer.get(&format!("/_bulkd/outbox?message_id={id}")).ok(200)["items"].take();
        items.as_array().unwrap().iter().all(|it| it["status"] == "DELIVERED")
    };
    let sender = |place: &Place| Binary::start_by(&mut place.sender(&all, &[]));
    let flags: [&[&str]; 4] = [&[], &["--deliver", &own], &[], &["--deliver", &own]];
    let mut sent = 0;
    for flags in flags {
        let daemon = place.daemon(flags);
        let customer = daemon.customer("acme");
        let sender = sender(&place);
        let ids: Vec<String> = (0..5).map(|i| both(&customer, &format!("user-{sent}-{i}"))).collect();
        sent += 2 * ids.len();
        wait_until("both ways are gone", || ids.iter().all(|id| is_done(&customer, id)));
        assert_eq!((ledger.len(), ledger.doubles()), (sent, 0), "{flags:?}");
        sender.terminate();
        daemon.terminate();
    }
    check(&place.database());
}

/// In version 8, what was queued for a `--deliver` that was given up stayed there, and the relay said nothing of it.
#[test]
fn what_version_8_had_left_behind_goes_out_by_the_relay() {
    let Some((_redis, place, ledger, provider)) = stage(ALWAYS) else { return };
    let database = place.database();
    std::fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/files/version-8.db"), &database).unwrap();
    let file = rusqlite::Connection::open(&database).unwrap();
    file.execute_batch("UPDATE delivery_channels SET in_use = 0 WHERE channel = 'sms'").unwrap();
    drop(file);
    let daemon = place.daemon(&["--test-clock=2026-11-29T12:20:00Z"]);
    daemon.logs("3 messages of sms that waited for --deliver: by --relay from now on");
    let customer = daemon.customer("acme");
    let sender = Binary::start_by(&mut place.sender(&to(&provider), &[]));
    // Two e-mails and three texts that were queued, and one of each that the file's last job makes.
    wait_for(&customer, "relay", "all are sent", |it| it["delivered"] == 7 && it["queued"] == 0 && it["behind"] == 0);
    assert_eq!((ledger.len(), ledger.doubles()), (7, 0));
    sender.terminate();
    daemon.terminate();
    check(&database);
}

/// How often Redis was asked how far the stream is: the relay does it each time it looks for something to append.
fn looks(redis: &Redis) -> u64 {
    let told: String = redis.ask("INFO commandstats");
    let calls =
        |line: &str| line.strip_prefix("cmdstat_xinfo")?.split("calls=").nth(1)?.split(',').next()?.parse::<u64>().ok();
    told.lines().filter_map(calls).sum::<u64>()
}

#[test]
fn a_paused_relay_appends_nothing_until_it_goes_on() {
    let Some(Scene { redis, place, mut daemon, customer, ledger, provider }) = scene(ALWAYS, &[]) else { return };
    let before = send(&customer, 0, 10);
    let length = format!("XLEN {}", place.key("outbox"));
    wait_until("they are relayed", || redis.ask::<usize>(&length) == 10);
    let shown = pause(&customer, "relay", true);
    assert_eq!((&shown["paused"], &shown["paused_reason"]), (&json!(true), &json!("a request has paused it")));
    let known = looks(&redis);
    let during = send(&customer, 100, 20);
    wait_for(&customer, "relay", "all are queued", |it| it["queued"] == 30 && it["behind"] == 0);
    // It has looked at what was queued, and left it there.
    wait_until("it has looked", || looks(&redis) > known);
    assert_eq!(redis.ask::<usize>(&length), 10);
    assert!(customer.get("/_bulkd/metrics").text.contains("bulkd_deliver_paused{channel=\"relay\"} 1\n"));
    // What is on the stream is sent. The pause lasts over a restart.
    let _sender = Binary::start_by(&mut place.sender(&to(&provider), &[]));
    wait_for_all(&customer, &before, "DELIVERED", 10);
    daemon.terminate();
    daemon = place.daemon(&[]);
    let customer = daemon.customer("acme");
    wait_for(&customer, "relay", "it has looked", |it| it["relay"]["lag"] == 20 && it["relay"]["last_entry"] == 10);
    assert!(item(&customer, "relay")["paused"] == true && is_all(&customer, &during, "SENT", 20));
    assert_eq!(ledger.len(), 10);
    let shown = pause(&customer, "relay", false);
    assert_eq!((&shown["paused"], &shown["paused_reason"]), (&json!(false), &json!(null)));
    wait_for_all(&customer, &during, "DELIVERED", 20);
    assert_eq!((ledger.len(), ledger.doubles()), (30, 0));
    assert!(customer.get("/_bulkd/metrics").text.contains("bulkd_deliver_paused{channel=\"relay\"} 0\n"));
}

#[test]
fn the_metrics_say_whether_redis_is_there() {
    let Some(Scene { mut redis, place, daemon: _daemon, customer, .. }) = scene(ALWAYS, &[]) else { return };
    let is_up = || {
        let metrics = customer.get("/_bulkd/metrics").text;
        let line = metrics.lines().find_map(|line| line.strip_prefix("bulkd_relay_up ")).unwrap().to_owned();
        line == "1"
    };
    let in_stream = |count: usize| {
        wait_until("they are relayed", || redis_length(&customer) == count);
    };
    send(&customer, 0, 5);
    in_stream(5);
    assert!(is_up());
    redis.kill();
    let waiting = send(&customer, 100, 5);
    wait_until("it is not up", || !is_up());
    let told = relay(&customer);
    assert!(told["relay"]["error"].as_str().unwrap().starts_with("unix://"), "{told}");
    assert!(is_all(&customer, &waiting, "SENT", 5));
    redis.resume();
    wait_until("it is up", is_up);
    in_stream(10);
    assert_eq!(relay(&customer)["relay"]["error"], Value::Null);
    assert_eq!(redis.ask::<usize>(&format!("XLEN {}", place.key("outbox"))), 10);
}

/// Entries on the stream, as the daemon knows it.
fn redis_length(customer: &Customer) -> usize {
    usize::try_from(relay(customer)["relay"]["in_stream"].as_u64().unwrap()).unwrap()
}

#[test]
fn webhooks_are_told_what_became_of_relayed_messages() {
    let Some(Scene { redis: _redis, place, daemon: _daemon, customer, .. }) = scene(ALWAYS, &[]) else { return };
    let told = Stand::willing();
    customer.post("/_bulkd/webhooks", &json!({ "url": format!("{}/events", told.url()) })).ok(201);
    let provider = Receiver::start(|call| match call.body["data"]["recipient"].as_str().unwrap() {
        "reader-1" => 400,
        _ => 200,
    });
    let _sender = Binary::start_by(&mut place.sender(&to(&provider), &[]));
    let job_id = send(&customer, 0, 3);
    let statuses = || {
        let mut statuses = BTreeMap::<String, Vec<String>>::new();
        for made in told.made().iter().map(|made| made.json()["data"].take()) {
            if let (Some(whom), Some(status)) = (made["recipientId"].as_str(), made["status"].as_str()) {
                statuses.entry(whom.to_owned()).or_default().push(status.to_owned());
            }
        }
        statuses
    };
    let last = |whom: &str| statuses().get(whom).and_then(|it| it.last().cloned()).unwrap_or_default();
    wait_until("the webhook is told of all", || {
        [("reader-0", "DELIVERED"), ("reader-1", "UNDELIVERABLE"), ("reader-2", "DELIVERED")]
            .iter()
            .all(|(whom, status)| last(whom) == *status)
    });
    // Each once.
    for of_reader in statuses().values() {
        let ends = of_reader.iter().filter(|it| ["DELIVERED", "UNDELIVERABLE"].contains(&it.as_str())).count();
        assert_eq!(ends, 1, "{of_reader:?}");
    }
    assert_eq!(customer.outbox(&job_id)[1]["reason"], "PROVIDER_ERROR");
}
