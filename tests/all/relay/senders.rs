//! What `bulkd deliver` does with what it takes: each channel by itself, and senders beside one another.

use std::collections::BTreeMap;
use std::io::Read;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::with::*;
use crate::support::binary::{Binary, is_full};
use crate::support::receiver::Receiver;
use crate::support::redis::{ALWAYS, Redis};
use crate::support::stand::{Stand, status};
use crate::support::{json, wait_until};

/// The state of a consumer in the group: its entries, and how often the first of them was given to a consumer.
fn pending(redis: &Redis, place: &Place, consumer: &str) -> Vec<(String, String, u64, u32)> {
    redis.ask(&format!("XPENDING {} senders - + 1000 {consumer}", place.key("outbox")))
}

#[test]
fn a_channel_that_rests_holds_up_no_other() {
    let Some(Scene { redis, place, daemon: _daemon, customer, ledger, provider }) = scene(ALWAYS, &[]) else {
        return;
    };
    let stand = Stand::start(|_| (503, vec![("Retry-After", "3600".to_owned())], String::new()));
    let sms = format!("sms={}", stand.url());
    // More texts than a sender ever holds, all before the e-mails.
    let texts = send_texts(&customer, 0, 300);
    let emails = send(&customer, 0, 300);
    let more = ["--deliver", &sms, "--name", "first"];
    let sender = Binary::start_by(&mut place.sender(&format!("email={}", provider.url()), &more));
    wait_for_all(&customer, &emails, "DELIVERED", 300);
    assert_eq!((stand.count(), ledger.len(), ledger.doubles()), (1, 300, 0));
    assert!(is_all(&customer, &texts, "SENT", 300));
    // What it has not tried others may send; what it has tried comes when its time has come, or when it stops.
    stand.answers(|_| status(200));
    let second = Binary::start_by(&mut place.sender(&sms, &["--name", "second"]));
    wait_until("the others are sent", || statuses(&customer, &texts).get("DELIVERED") == Some(&299));
    assert_eq!(pending(&redis, &place, "first").len(), 1);
    sender.terminate();
    wait_for_all(&customer, &texts, "DELIVERED", 300);
    assert_eq!(stand.count(), 301);
    second.terminate();
    // Nor does one that keeps to a rate.
    let texts = send_texts(&customer, 1_000, 300);
    let emails = send(&customer, 1_000, 300);
    let _sender = Binary::start_by(&mut place.sender(&to(&provider), &["--deliver-rate", "sms=1"]));
    wait_for_all(&customer, &emails, "DELIVERED", 300);
    assert!(statuses(&customer, &texts)["SENT"] > 0);
}

#[test]
fn what_a_sender_is_still_at_no_other_takes_over() {
    let Some(Scene { redis, place, daemon: _daemon, customer, ledger, provider }) = scene(ALWAYS, &[]) else {
        return;
    };
    let (goes_on, waits) = crossbeam_channel::bounded::<()>(0);
    let noted = ledger.clone();
    let slow = Receiver::start(move |call| {
        noted.note(call.body["id"].as_str().unwrap());
        let _ = waits.recv();
        200
    });
    // It goes before the server does, which would wait for it.
    let goes_on = goes_on;
    let claim_after = Duration::from_secs(3);
    let first = Binary::start_by(&mut place.sender(&to(&slow), &["--claim-after", "3s", "--name", "first"]));
    let job_id = send(&customer, 0, 1);
    wait_until("it is being sent", || ledger.len() == 1);
    let second = Binary::start_by(&mut place.sender(&to(&provider), &["--claim-after", "3s", "--name", "second"]));
    let begun = Instant::now();
    wait_until("another would have taken it over three times", || {
        let told = pending(&redis, &place, "first");
        assert_eq!(told.len(), 1, "{told:?}");
        begun.elapsed() > claim_after * 3
    });
    drop(goes_on);
    wait_for_all(&customer, &job_id, "DELIVERED", 1);
    assert_eq!((ledger.len(), ledger.doubles()), (1, 0));
    first.terminate();
    second.terminate();
}

#[test]
fn a_sender_that_is_told_to_stop_breaks_off_what_it_waits_for() {
    let Some(Scene { redis, place, daemon: _daemon, customer, ledger, provider }) = scene(ALWAYS, &[]) else {
        return;
    };
    let (goes_on, waits) = crossbeam_channel::bounded::<()>(0);
    let begun = Ledger::default();
    let noted = begun.clone();
    let stuck = Receiver::start(move |call| {
        noted.note(call.body["id"].as_str().unwrap());
        let _ = waits.recv();
        503
    });
    let goes_on = goes_on;
    let sender = Binary::start_by(&mut place.sender(&to(&stuck), &[]));
    let job_id = send(&customer, 0, 3);
    wait_until("one is being sent", || begun.len() == 1);
    sender.terminate();
    // None of them was tried in vain: each was given to one sender, and by that one to the next.
    let given = pending(&redis, &place, "released");
    assert_eq!(given.iter().map(|it| it.3).collect::<Vec<_>>(), [1, 1, 1]);
    drop(goes_on);
    let _sender = Binary::start_by(&mut place.sender(&to(&provider), &[]));
    wait_for_all(&customer, &job_id, "DELIVERED", 3);
    assert_eq!((ledger.len(), ledger.doubles()), (3, 0));
}

#[test]
fn a_sender_whose_output_nobody_reads_stops_and_loses_nothing() {
    const MESSAGES: usize = 100;
    let Some(Scene { redis: _redis, place, daemon: _daemon, customer, ledger, provider }) = scene(ALWAYS, &[]) else {
        return;
    };
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut command = place.sender("email=-", &[]);
    let sender = Binary::spawn(command.stdout(writer));
    drop(command);
    let job_id = send(&customer, 0, MESSAGES);
    wait_until("the pipe is full", || is_full(&reader));
    sender.terminate();
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    // The last line may have been written in part, and is no message then.
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let read: Vec<String> = lines.map(|line| line["id"].as_str().unwrap().to_owned()).collect();
    assert!(!read.is_empty() && read.len() < MESSAGES, "{} were written", read.len());
    for id in &read {
        ledger.note(id);
    }
    let _sender = Binary::start_by(&mut place.sender(&to(&provider), &[]));
    wait_for_all(&customer, &job_id, "DELIVERED", MESSAGES);
    assert!(ledger.len() == MESSAGES && ledger.doubles() <= 1, "{} were sent twice", ledger.doubles());
}

#[test]
fn a_wrong_key_uses_up_no_tries_however_often_a_sender_starts() {
    let Some(Scene { redis, place, daemon: _daemon, customer, ledger, provider }) = scene(ALWAYS, &[]) else {
        return;
    };
    let job_id = send(&customer, 0, 3);
    let stand = Stand::start(|_| (401, Vec::new(), "no such key".to_owned()));
    for start in 1..=4 {
        let wrong = Binary::start_by(&mut place.sender(&format!("email={}", stand.url()), &["--tries", "2"]));
        wrong.logs("--deliver email: it rests for 5 s, for its key is refused: the answer was 401: no such key");
        assert!(stand.count() >= start);
        wrong.terminate();
    }
    let _sender = Binary::start_by(&mut place.sender(&to(&provider), &["--tries", "2"]));
    wait_for_all(&customer, &job_id, "DELIVERED", 3);
    assert_eq!((ledger.len(), ledger.doubles()), (3, 0));
    assert_eq!(redis.ask::<usize>(&format!("XLEN {}", place.key("dead"))), 0);
}

#[test]
fn a_sender_that_was_killed_is_forgotten_once_it_has_nothing() {
    let Some(Scene { redis, place, daemon: _daemon, customer, ledger, provider }) = scene(ALWAYS, &[]) else {
        return;
    };
    let claim = ["--claim-after", "1s", "--name"];
    let killed = Binary::start_by(&mut place.sender(&to(&provider), &[&claim[..], &["killed"]].concat()));
    let job_id = send(&customer, 0, 20);
    wait_for_all(&customer, &job_id, "DELIVERED", 20);
    killed.kill();
    assert_eq!(consumers(&redis, &place), ["killed"]);
    let _sender = Binary::start_by(&mut place.sender(&to(&provider), &[&claim[..], &["other"]].concat()));
    wait_until("it is gone", || consumers(&redis, &place).iter().all(|it| it != "killed"));
    assert_eq!((ledger.len(), ledger.doubles()), (20, 0));
}

#[test]
fn a_sender_takes_over_what_another_has_left_and_hands_on_what_is_not_its_own() {
    let Some(Scene { redis, place, daemon: _daemon, customer, ledger, provider }) = scene(ALWAYS, &[]) else {
        return;
    };
    let other = format!("sms={}", provider.url());
    // It reads e-mails, and has nothing to send them by.
    let sms = Binary::start_by(&mut place.sender(&other, &["--claim-after", "2s"]));
    let job_id = send(&customer, 0, 100);
    let read = || {
        let told: (usize, redis::Value, redis::Value, redis::Value) =
            redis.ask(&format!("XPENDING {} senders", place.key("outbox")));
        told.0
    };
    wait_until("all were read", || read() == 100);
    sms.logs("no --deliver is for the channel email");
    let own = format!("email={}", provider.url());
    // One takes them, and stops in the middle of it; when it goes on, another has them.
    let mut stuck = place.sender(&own, &["--claim-after", "2s"]);
    let stuck = Binary::start_by(stuck.env("BULKD_STOP_AT", "relay-sent:20"));
    wait_until("it is stopped", || stuck.is_stopped());
    let _sender = Binary::start_by(&mut place.sender(&own, &["--claim-after", "2s"]));
    wait_for_all(&customer, &job_id, "DELIVERED", 100);
    stuck.signal("CONT");
    stuck.terminate();
    assert_eq!(ledger.len(), 100);
    assert!(ledger.doubles() <= IN_FLIGHT, "{}", ledger.doubles());
    assert!(is_all(&customer, &job_id, "DELIVERED", 100));
}

/// One that was away for so long that another took over what it sends, and fails with that, takes nothing back.
#[test]
fn what_another_has_taken_over_stays_its_own() {
    let Some(Scene { redis, place, daemon: _daemon, customer, ledger, provider: _provider }) = scene(ALWAYS, &[])
    else {
        return;
    };
    // Each begins when the test knows of it, and answers when it is told to.
    let blocking = |answer: u16| {
        let (goes_on, waits) = crossbeam_channel::bounded::<()>(0);
        let noted = ledger.clone();
        let receiver = Receiver::start(move |call| {
            noted.note(call.body["id"].as_str().unwrap());
            let _ = waits.recv();
            answer
        });
        (receiver, goes_on)
    };
    let (fails, fail) = blocking(503);
    let (accepts, accept) = blocking(200);
    let first = Binary::start_by(&mut place.sender(&to(&fails), &["--claim-after", "2s", "--name", "first"]));
    let job_id = send(&customer, 0, 1);
    wait_until("the first is sending", || ledger.len() == 1);
    first.signal("STOP");
    let second = Binary::start_by(&mut place.sender(&to(&accepts), &["--claim-after", "2s", "--name", "second"]));
    wait_until("the second is sending", || ledger.doubles() == 1);
    drop(fail);
    first.signal("CONT");
    first.logs("events are not delivered");
    first.terminate();
    let has = pending(&redis, &place, "second");
    assert_eq!((has.len(), pending(&redis, &place, "first").len()), (1, 0), "{has:?}");
    drop(accept);
    wait_for_all(&customer, &job_id, "DELIVERED", 1);
    assert_eq!(ledger.doubles(), 1);
    second.terminate();
}

/// Another program may have written any number.
#[test]
fn an_event_that_was_tried_very_often_is_sent_once_more() {
    let Some((redis, place, ledger, provider)) = stage(ALWAYS) else { return };
    let daemon = place.daemon(&[]);
    let customer = daemon.customer("acme");
    let job_id = send(&customer, 0, 1);
    let outbox = place.key("outbox");
    wait_until("it is on the stream", || redis.ask::<usize>(&format!("XLEN {outbox}")) == 1);
    redis.ask::<()>(&format!("XGROUP CREATE {outbox} senders 0"));
    redis.ask::<redis::Value>(&format!("XREADGROUP GROUP senders other STREAMS {outbox} >"));
    let claim = format!("XCLAIM {outbox} senders released 0 1-0 IDLE 86400000 RETRYCOUNT 99999999999 JUSTID");
    redis.ask::<redis::Value>(&claim);
    let _sender = Binary::start_by(&mut place.sender(&to(&provider), &[]));
    wait_for_all(&customer, &job_id, "DELIVERED", 1);
    assert_eq!((ledger.len(), ledger.doubles()), (1, 0));
}

#[test]
fn a_sender_keeps_to_its_rate_and_ends_when_all_fails() {
    let Some(Scene { redis: _redis, place, daemon: _daemon, customer, ledger, provider }) = scene(ALWAYS, &[]) else {
        return;
    };
    let job_id = send(&customer, 0, 60);
    let failing = Receiver::start(|_| 503);
    let wrong = Binary::start_by(&mut place.sender(&to(&failing), &["--deliver-errors", "3"])).wait();
    assert_eq!(wrong.code, Some(1), "{wrong:?}");
    assert!(wrong.stderr.contains("3 failures one after the other"), "{wrong:?}");
    let begun = Instant::now();
    let sender = Binary::start_by(&mut place.sender(&to(&provider), &["--deliver-rate", "all=20"]));
    wait_for_all(&customer, &job_id, "DELIVERED", 60);
    // No second has more than twenty.
    assert!(begun.elapsed() >= Duration::from_secs(2), "{:?}", begun.elapsed());
    assert_eq!((ledger.len(), ledger.doubles()), (60, 0));
    sender.terminate();
    // One whose address is wrong spoils no more than it was told to bear.
    let job_id = send(&customer, 1_000, 60);
    let elsewhere = Receiver::start(|_| 404);
    let wrong = Binary::start_by(&mut place.sender(&to(&elsewhere), &["--deliver-errors", "3"])).wait();
    assert_eq!(wrong.code, Some(1), "{wrong:?}");
    let _sender = Binary::start_by(&mut place.sender(&to(&provider), &[]));
    wait_until("the others are delivered", || {
        let statuses = statuses(&customer, &job_id);
        statuses.get("DELIVERED") == Some(&57) && statuses.get("UNDELIVERABLE") == Some(&3)
    });
}

#[test]
fn what_is_tried_in_vain_becomes_a_dead_letter_and_undeliverable() {
    let Some(Scene { redis, place, daemon: _daemon, customer, ledger, .. }) = scene(ALWAYS, &[]) else { return };
    let noted = ledger.clone();
    let provider = Receiver::start(move |call| {
        let times = noted.note(call.body["id"].as_str().unwrap());
        match call.body["data"]["recipient"].as_str().unwrap() {
            "reader-0" => 503,
            "reader-1" if times == 1 => 503,
            "reader-2" => 400,
            _ => 200,
        }
    });
    let _sender = Binary::start_by(&mut place.sender(&to(&provider), &["--tries", "2"]));
    let job_id = send(&customer, 0, 4);
    let expected = BTreeMap::from([("DELIVERED".to_owned(), 2), ("UNDELIVERABLE".to_owned(), 2)]);
    wait_until("all came to an end", || statuses(&customer, &job_id) == expected);
    let dead: Vec<(String, BTreeMap<String, String>)> = redis.ask(&format!("XRANGE {} - +", place.key("dead")));
    let [(_, letter)] = dead.as_slice() else { panic!("{dead:?}") };
    let event: Value = serde_json::from_str(&letter["event"]).unwrap();
    assert_eq!((&event["data"]["recipient"], letter["tries"].as_str()), (&json!("reader-0"), "2"));
    let outbox = customer.outbox(&job_id);
    let of = |reader: &str| outbox.iter().find(|it| it["recipient"] == reader).unwrap();
    let error = of("reader-0")["error"].as_str().unwrap();
    assert!(error.starts_with("given up after 2 tries: "), "{error}");
    assert_eq!(of("reader-2")["status"], "UNDELIVERABLE");
    assert_eq!(ledger.0.lock().unwrap().values().copied().collect::<Vec<_>>(), [2, 2, 1, 1]);
}
