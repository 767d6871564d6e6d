//! Messages that are delivered for real.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::support::binary::{Binary, bulkd, check, is_full};
use crate::support::drip::Drip;
use crate::support::smtp::SmtpServer;
use crate::support::stand::{Made, Stand, status};
use crate::support::{Customer, Daemon, json, newsletter, open_file, readers, unheard, wait_until};
use bulkd::model::deliver_target::{DeliverRate, DeliverTo};
use bulkd::settings::{Keep, KeepSpan};
use serde_json::Value;

fn to(flags: &[&str]) -> Vec<DeliverTo> {
    flags.iter().map(|flag| DeliverTo::parse(flag).unwrap()).collect()
}

/// A daemon that delivers so.
fn delivering(flags: &[&str]) -> Daemon {
    Daemon::start_with(|config| config.deliver = to(flags))
}

/// Runs a job with so many readers, and returns its id.
fn send(customer: &Customer, first: usize, count: usize) -> String {
    let job_id = customer.create(newsletter());
    customer.ingest(&job_id, readers(first, count));
    customer.run_to_the_end(&job_id);
    job_id
}

/// Sends one message with these members, and returns its id.
fn send_one(customer: &Customer, message: Value) -> String {
    let sent = customer.post("/send", &json!({ "message": message })).ok(202);
    sent["requestId"].as_str().unwrap().to_owned()
}

fn text_message(name: &str, number: &str) -> Value {
    json!({ "to": { "user_id": name, "phone_number": number }, "content": { "title": "Hi", "body": "Hello" } })
}

/// The channel as it is shown.
fn channel(customer: &Customer, name: &str) -> Value {
    let items = customer.get("/_bulkd/deliver").ok(200)["items"].take();
    items.as_array().unwrap().iter().find(|it| it["channel"] == name).unwrap_or_else(|| panic!("no {name}")).clone()
}

#[track_caller]
fn wait_for(customer: &Customer, name: &str, what: &str, so: impl Fn(&Value) -> bool) -> Value {
    let mut shown = Value::Null;
    wait_until(&format!("the channel {name} {what}"), || {
        shown = channel(customer, name);
        so(&shown)
    });
    shown
}

/// Nothing waits, and all was looked at.
fn is_done(shown: &Value) -> bool {
    shown["queued"] == 0 && shown["behind"] == 0
}

fn pause(customer: &Customer, name: &str, paused: bool) -> Value {
    customer.put(&format!("/_bulkd/deliver/{name}"), &json!({ "paused": paused })).ok(200)
}

/// How many messages of a job have each status.
fn statuses(customer: &Customer, job_id: &str) -> BTreeMap<String, usize> {
    let mut statuses = BTreeMap::new();
    for entry in customer.outbox(job_id) {
        *statuses.entry(entry["status"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    statuses
}

fn record(customer: &Customer, message_id: &str) -> Value {
    customer.get(&format!("/messages/{message_id}")).ok(200)
}

/// How often each recipient is in what a webhook got.
fn ledger(made: &[Made]) -> BTreeMap<String, usize> {
    let mut ledger = BTreeMap::new();
    made.iter().for_each(|made| *ledger.entry(made.recipient()).or_default() += 1);
    ledger
}

#[test]
fn emails_go_out_by_smtp_and_are_delivered_then() {
    let server = SmtpServer::start();
    let mut daemon = Daemon::start();
    let customer = daemon.customer("acme");
    assert_eq!(customer.get("/_bulkd/deliver").ok(200), json!({ "items": [], "paging": { "more": false } }));
    let before = send(&customer, 900, 3);
    daemon.stop();
    daemon.reconfigure(|config| config.deliver = to(&[&format!("email=smtp://{}", server.address)]));
    daemon.open();
    let customer = daemon.customer("acme");
    let job_id = send(&customer, 0, 40);
    let shown = wait_for(&customer, "email", "is done", |it| is_done(it) && it["delivered"] == 40);
    assert_eq!((&shown["target"], &shown["refused"]), (&json!(format!("smtp://{}", server.address)), &json!(0)));
    assert_eq!((&shown["paused"], &shown["paused_reason"]), (&json!(false), &json!(null)));
    let taken = server.taken();
    let whom: Vec<&str> = taken.iter().map(|mail| mail.to[0].as_str()).collect();
    let expected: Vec<String> = (0..40).map(|i| format!("reader-{i}@example.com")).collect();
    assert_eq!(whom, expected, "in the order of the outbox, and nothing of before");
    assert!(
        taken[7].data.contains("Subject: Hello Reader 7\r\n") && taken[7].data.contains("Week 12"),
        "{:?}",
        taken[7]
    );
    assert_eq!(taken[7].from, "no-reply@example.com");
    // What the server says becomes the message's status.
    assert_eq!(statuses(&customer, &job_id), BTreeMap::from([("DELIVERED".to_owned(), 40)]));
    assert_eq!(statuses(&customer, &before), BTreeMap::from([("SENT".to_owned(), 3)]));
    let message_id = customer.outbox(&job_id)[0]["message_id"].as_str().unwrap().to_owned();
    assert_eq!(record(&customer, &message_id)["status"], "DELIVERED");
    let history = customer.get(&format!("/messages/{message_id}/history")).ok(200);
    assert!(history["results"].as_array().unwrap().iter().any(|it| it["type"] == "DELIVERED"), "{history}");
    let metrics = customer.get("/_bulkd/metrics").text;
    assert!(metrics.contains("bulkd_deliver_delivered_total{channel=\"email\"} 40\n"), "{metrics}");
    // A start without it leaves all in the outbox; it goes on where it was.
    daemon.stop();
    daemon.reconfigure(|config| config.deliver = Vec::new());
    daemon.open();
    send(&daemon.customer("acme"), 100, 2);
    daemon.stop();
    daemon.reconfigure(|config| config.deliver = to(&[&format!("email=smtp://{}", server.address)]));
    daemon.open();
    wait_until("what was made meanwhile is sent", || server.taken().len() == 42);
    daemon.stop();
    check(&daemon.database());
}

/// Without a try that fails: the clock stands still, and none would come again.
#[test]
fn a_server_that_takes_one_email_a_connection_is_given_all_at_once() {
    let server = SmtpServer::start();
    server.end_after_each();
    let daemon = delivering(&[&format!("email=smtp://{}", server.address)]);
    let customer = daemon.customer("acme");
    send(&customer, 0, 40);
    wait_for(&customer, "email", "is done", |it| is_done(it) && it["delivered"] == 40);
    assert_eq!(server.taken().len(), 40);
}

#[test]
fn what_a_server_refuses_for_good_is_undeliverable_and_what_it_refuses_for_now_comes_again() {
    let mut asked = BTreeMap::<String, usize>::new();
    let server = SmtpServer::answering(move |to| {
        let times = asked.entry(to.to_owned()).or_default();
        *times += 1;
        match (to, *times) {
            ("reader-1@example.com", _) => "550 5.1.1 no such mailbox".to_owned(),
            ("reader-2@example.com", 1) => "451 4.7.1 greylisted".to_owned(),
            _ => "250 ok".to_owned(),
        }
    });
    let told = Stand::willing();
    let daemon = delivering(&[&format!("email=smtp://{}", server.address)]);
    let customer = daemon.customer("acme");
    customer.post("/_bulkd/webhooks", &json!({ "url": format!("{}/events", told.url()) })).ok(201);
    let job_id = send(&customer, 0, 4);
    wait_for(&customer, "email", "has sent three", |it| {
        it["delivered"] == 2 && it["refused"] == 1 && it["queued"] == 1
    });
    let entries = customer.outbox(&job_id);
    let of = |i: usize| (&entries[i]["status"], &entries[i]["reason"]);
    assert_eq!(of(1), (&json!("UNDELIVERABLE"), &json!("BOUNCED")));
    assert!(entries[1]["error"].as_str().unwrap().contains("no such mailbox"), "{}", entries[1]);
    assert_eq!(of(2), (&json!("SENT"), &json!(null)));
    let is_of = |made: &Made, i: usize, status: &str| {
        let data = made.json()["data"].take();
        data["recipientId"] == format!("reader-{i}") && data["status"] == status
    };
    wait_until("the webhook is told", || told.made().iter().any(|made| is_of(made, 1, "UNDELIVERABLE")));
    daemon.clock.advance(Duration::from_secs(4));
    // One that is made then is sent at once, and the other still waits.
    send(&customer, 50, 1);
    wait_for(&customer, "email", "has sent another", |it| it["delivered"] == 3 && it["behind"] == 0);
    assert_eq!(channel(&customer, "email")["queued"], 1);
    daemon.clock.advance(Duration::from_secs(1));
    wait_for(&customer, "email", "is done", is_done);
    assert_eq!(statuses(&customer, &job_id)["DELIVERED"], 3);
    wait_until("the webhook is told", || told.made().iter().any(|made| is_of(made, 2, "DELIVERED")));
}

/// What a request of the binary's own environment needs.
fn args<'a>(database: &'a str, deliver: &'a [String]) -> Vec<&'a str> {
    let mut args =
        vec!["--listen", "127.0.0.1:0", "--db", database, "--durability", "fast", "--test-clock=2026-09-21T14:13:20Z"];
    deliver.iter().for_each(|flag| args.extend(["--deliver", flag.as_str()]));
    args
}

fn advance(customer: &Customer, by: &str) {
    customer.post("/_bulkd/clock/advance", &json!({ "by": by })).ok(200);
}

#[test]
fn providers_are_called_as_the_outbox_has_it_with_keys_that_are_in_no_file() {
    let mut texts = 0;
    let stand = Stand::start(move |made| match made.path.as_str() {
        "/v3/mail/send" => (202, vec![("X-Message-Id", "of-sendgrid".to_owned())], String::new()),
        _ if made.path.contains("/Messages.json") => {
            texts += 1;
            match texts {
                1 => (429, vec![("Retry-After", "30".to_owned())], "{\"message\": \"slowly\"}".to_owned()),
                2 => (201, Vec::new(), "{\"sid\": \"SM1\"}".to_owned()),
                _ => (
                    400,
                    Vec::new(),
                    "{\"code\": 21211, \"message\": \"'To' is not a number; t0ken-of-twilio\"}".to_owned(),
                ),
            }
        }
        _ => status(404),
    });
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("bulkd.db");
    let deliver = [format!("all=provider@{}", stand.url())];
    let mut command = bulkd(&args(database.to_str().unwrap(), &deliver));
    command.args(["--deliver-errors", "2"]);
    command
        .env("SENDGRID_API_KEY", "k3y-of-sendgrid")
        .env("TWILIO_ACCOUNT_SID", "AC17")
        .env("TWILIO_AUTH_TOKEN", "t0ken-of-twilio");
    let daemon = Binary::spawn(&mut command);
    let customer = daemon.customer("acme");
    let job_id = send(&customer, 0, 1);
    wait_for(&customer, "email", "has sent one", |it| it["delivered"] == 1);
    let call = stand.made()[0].clone();
    assert_eq!(
        (call.path.as_str(), call.headers["authorization"].as_str()),
        ("/v3/mail/send", "Bearer k3y-of-sendgrid")
    );
    assert_eq!(call.json(), customer.outbox(&job_id)[0]["request"]);
    // Fields of a form. After a `Retry-After` the whole channel waits as long.
    let first = send_one(&customer, text_message("ada", "+15551234567"));
    wait_until("the text was tried", || stand.count() == 2);
    let call = stand.made()[1].clone();
    assert_eq!(call.path, "/2010-04-01/Accounts/AC17/Messages.json");
    assert_eq!(call.headers["content-type"], "application/x-www-form-urlencoded");
    assert!(call.text.contains("To=%2B15551234567") && call.text.contains("Body="), "{}", call.text);
    use base64::Engine;
    let basic = base64::prelude::BASE64_STANDARD.encode("AC17:t0ken-of-twilio");
    assert_eq!(call.headers["authorization"], format!("Basic {basic}"));
    let second = send_one(&customer, text_message("bob", "+15557654321"));
    wait_for(&customer, "sms", "has two", |it| it["queued"] == 2);
    advance(&customer, "29s");
    // Another channel goes on meanwhile.
    send(&customer, 10, 1);
    wait_for(&customer, "email", "has sent another", |it| it["delivered"] == 2);
    let resting = channel(&customer, "sms");
    assert!(resting["resting_until"].is_i64(), "{resting}");
    assert!(resting["resting_reason"].as_str().unwrap().starts_with("its target asks for it: the answer was 429"));
    assert_eq!((record(&customer, &first)["status"].as_str(), stand.count()), (Some("SENT"), 3));
    advance(&customer, "1s");
    wait_until("the first is delivered", || record(&customer, &first)["status"] == "DELIVERED");
    wait_until("the second is refused", || record(&customer, &second)["status"] == "UNDELIVERABLE");
    let refused = record(&customer, &second);
    assert_eq!(refused["reason"], "PROVIDER_ERROR");
    let error = refused["error"].as_str().unwrap();
    assert!(error.contains("21211") && error.contains("is not a number; ...") && !error.contains("t0ken"), "{error}");
    // A key that is not set is named, and pauses the channel after so many messages.
    for name in ["a", "b", "c"] {
        let to = json!({ "user_id": name, "firebaseToken": format!("token-{name}") });
        send_one(&customer, json!({ "to": to, "content": { "title": "Hi", "body": "Hello" } }));
    }
    let shown = wait_for(&customer, "push", "rests", |it| it["resting_until"].is_i64() && it["queued"] == 3);
    let expected = "its key is refused: the variable FIREBASE_FCM_ACCESS_TOKEN is not set";
    assert_eq!(shown["resting_reason"], expected, "{shown}");
    advance(&customer, "5s");
    let shown = wait_for(&customer, "push", "pauses", |it| it["paused"] == true && it["queued"] == 3);
    assert_eq!((&shown["resting_until"], &shown["resting_reason"]), (&json!(null), &json!(null)));
    let reason = shown["paused_reason"].as_str().unwrap();
    assert!(
        reason.contains("2 failures") && reason.contains("the variable FIREBASE_FCM_ACCESS_TOKEN is not set"),
        "{reason}"
    );
    let ended = daemon.terminate();
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        found.extend(std::fs::read(entry.unwrap().path()).unwrap());
    }
    for secret in ["k3y-of-sendgrid", "t0ken-of-twilio", basic.as_str()] {
        assert!(!found.windows(secret.len()).any(|window| window == secret.as_bytes()), "{secret} is in the file");
        assert!(!ended.stderr.contains(secret) && !ended.stdout.contains(secret), "{ended:?}");
    }
    check(&database);
}

/// Before a message to a user of Discord the channel to them is opened: a call that may fail by itself.
#[test]
fn a_call_that_goes_before_another_is_made_again_with_it() {
    let mut opened = 0;
    let stand = Stand::start(move |made| match made.path.as_str() {
        "/api/v10/users/@me/channels" => {
            opened += 1;
            let body = if opened < 3 { json!({ "type": 1 }) } else { json!({ "id": "42/7" }) };
            (if opened == 1 { 500 } else { 200 }, Vec::new(), body.to_string())
        }
        "/api/v10/channels/42%2F7/messages" => (200, Vec::new(), json!({ "id": "900" }).to_string()),
        _ => status(404),
    });
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("bulkd.db");
    let deliver = [format!("direct_message=provider@{}", stand.url())];
    let mut command = bulkd(&args(database.to_str().unwrap(), &deliver));
    let daemon = Binary::start_by(command.env("DISCORD_BOT_TOKEN", "t0ken-of-discord"));
    let customer = daemon.customer("acme");
    let to = json!({ "user_id": "ada", "discord": { "user_id": "768866348853383208" } });
    let message_id = send_one(&customer, json!({ "to": to, "content": { "title": "Hi", "body": "Hello" } }));
    for (calls, wait) in [(1, "5s"), (2, "10s")] {
        wait_until("it was tried", || stand.count() == calls);
        wait_for(&customer, "direct_message", "waits", |it| it["queued"] == 1 && it["behind"] == 0);
        assert_eq!(record(&customer, &message_id)["status"], "SENT");
        wait_until("it is tried again", || {
            advance(&customer, wait);
            stand.count() > calls
        });
    }
    wait_until("it is delivered", || record(&customer, &message_id)["status"] == "DELIVERED");
    let made = stand.made();
    let paths: Vec<&str> = made.iter().map(|made| made.path.as_str()).collect();
    let opens = "/api/v10/users/@me/channels";
    assert_eq!(paths, [opens, opens, opens, "/api/v10/channels/42%2F7/messages"]);
    assert_eq!(made[0].json(), json!({ "recipient_id": "768866348853383208" }));
    assert!(made[3].text.contains("Hello"), "{}", made[3].text);
    assert!(made.iter().all(|made| made.headers["authorization"] == "Bot t0ken-of-discord"), "{made:?}");
    daemon.terminate();
}

#[test]
fn a_message_is_tried_ten_times_and_then_given_up() {
    // That it may come again at once shortens nothing.
    let stand = Stand::start(|made| match made.recipient().as_str() {
        "ada" => (500, vec![("Retry-After", "0".to_owned())], "broken".to_owned()),
        _ => status(200),
    });
    let of_ada = || -> Vec<Made> { stand.made().into_iter().filter(|made| made.recipient() == "ada").collect() };
    let daemon = delivering(&[&format!("sms={}/messages", stand.url())]);
    let customer = daemon.customer("acme");
    let message_id = send_one(&customer, text_message("ada", "+15551234567"));
    wait_until("it was tried", || of_ada().len() == 1);
    let attempts = || -> usize {
        let file = open_file(&daemon.database());
        file.query_row("SELECT coalesce(max(attempts), 99) FROM delivery_queue", [], |row| row.get(0)).unwrap()
    };
    for (tried, seconds) in [5, 10, 20, 40, 60, 120, 240, 480, 720].into_iter().enumerate() {
        wait_until("the attempt is written down", || attempts() == tried + 1);
        daemon.clock.advance(Duration::from_secs(seconds - 1));
        // One that is made now is sent, and it is not: it comes before that in the queue.
        let other = send_one(&customer, text_message("bob", "+15557654321"));
        wait_until("another is delivered", || record(&customer, &other)["status"] == "DELIVERED");
        assert_eq!(of_ada().len(), tried + 1);
        daemon.clock.advance(Duration::from_secs(1));
        wait_until("it was tried again", || of_ada().len() == tried + 2);
    }
    wait_until("it is given up", || record(&customer, &message_id)["status"] == "UNDELIVERABLE");
    let record = record(&customer, &message_id);
    assert_eq!((&record["reason"], &record["error"]), (&json!("PROVIDER_ERROR"), &json!("the answer was 500: broken")));
    let shown = wait_for(&customer, "sms", "is done", is_done);
    assert_eq!((&shown["refused"], &shown["paused"]), (&json!(1), &json!(false)));
    // Each attempt had the same id.
    let ids: Vec<String> = of_ada().iter().map(|made| made.headers["x-bulkd-event-id"].clone()).collect();
    assert_eq!((ids.len(), ids.iter().all(|id| *id == ids[0])), (10, true));
    let envelope = of_ada()[0].json();
    assert_eq!(
        (&envelope["specversion"], &envelope["type"], &envelope["id"]),
        (&json!("1.0"), &json!("bulkd.message"), &json!(ids[0]))
    );
    assert_eq!(ids[0], format!("{message_id}/0"));
}

#[test]
fn failures_one_after_the_other_pause_a_channel_until_it_is_told_to_go_on() {
    let (stand, beside) = (Stand::start(|_| status(503)), Stand::willing());
    let mut daemon = Daemon::start_with(|config| {
        config.deliver = to(&[&format!("email={}", stand.url()), &format!("sms={}", beside.url())]);
        config.deliver_errors = 3;
    });
    let customer = daemon.customer("acme");
    send(&customer, 0, 10);
    let shown = wait_for(&customer, "email", "pauses", |it| it["paused"] == true && it["queued"] == 10);
    assert_eq!(shown["paused_reason"], "3 failures one after the other, the last: the answer was 503");
    assert_eq!(stand.count(), 3);
    // It does so over a restart, and also while time passes.
    daemon.restart();
    daemon.clock.advance(Duration::from_secs(3_600));
    let customer = daemon.customer("acme");
    stand.answers(|_| status(200));
    send(&customer, 10, 5);
    let shown = wait_for(&customer, "email", "has queued all", |it| it["queued"] == 15);
    let sent_beside = |number: &str| {
        let message_id = send_one(&customer, text_message("ada", number));
        wait_until("another channel has sent", || record(&customer, &message_id)["status"] == "DELIVERED");
    };
    sent_beside("+15551234567");
    assert_eq!((stand.count(), &shown["paused"]), (3, &json!(true)));
    let shown = pause(&customer, "email", false);
    assert_eq!(
        (&shown["paused"], &shown["paused_reason"], &shown["paused_at"]),
        (&json!(false), &json!(null), &json!(null))
    );
    wait_for(&customer, "email", "is done", |it| is_done(it) && it["delivered"] == 15);
    // One that is paused by hand says so.
    let shown = pause(&customer, "email", true);
    assert_eq!(shown["paused_reason"], "a request has paused it");
    let count = stand.count();
    send(&customer, 20, 2);
    wait_for(&customer, "email", "has queued all", |it| it["queued"] == 2);
    sent_beside("+15557654321");
    assert_eq!(stand.count(), count);
    pause(&customer, "email", false);
    wait_for(&customer, "email", "is done", |it| is_done(it) && it["delivered"] == 17);
    let refused = customer.put("/_bulkd/deliver/push", &json!({ "paused": true })).refused(404);
    assert!(refused.contains("there is no --deliver for 'push'"), "{refused}");
    assert!(customer.put("/_bulkd/deliver/email", &json!({})).refused(400).contains("paused"));
    let refused = customer.put("/_bulkd/deliver/email", &json!({ "paused": "yes" })).refused(400);
    assert!(refused.starts_with("paused: expected"), "{refused}");
}

#[test]
fn no_second_has_more_messages_than_a_rate_allows() {
    let stand = Stand::willing();
    let daemon = Daemon::start_with(|config| {
        config.deliver = to(&[&format!("all={}", stand.url())]);
        config.deliver_rates = vec![DeliverRate::parse("email=4").unwrap()];
    });
    let customer = daemon.customer("acme");
    send(&customer, 0, 10);
    for (seconds, sent) in [(0, 4), (1, 8), (1, 10)] {
        daemon.clock.advance(Duration::from_secs(seconds));
        wait_for(&customer, "email", "has sent as many", |it| it["delivered"] == sent && it["behind"] == 0);
        assert_eq!(stand.count() as u64, sent);
    }
    // Users whose message could not be made hold nothing up.
    let mut users = readers(20, 2);
    users[1]["profile"]["email"] = json!(5);
    let job_id = customer.create(newsletter());
    customer.ingest(&job_id, users);
    assert_eq!(customer.run_to_the_end(&job_id)["failures"], 1);
    daemon.clock.advance(Duration::from_secs(1));
    wait_for(&customer, "email", "is done", |it| is_done(it) && it["delivered"] == 11);
    // Another channel has no rate.
    for i in 0..6 {
        send_one(&customer, text_message(&format!("user-{i}"), &format!("+1555123450{i}")));
    }
    wait_for(&customer, "sms", "is done", |it| is_done(it) && it["delivered"] == 6);
}

#[test]
fn two_channels_keep_to_a_rate_each() {
    let stand = Stand::willing();
    let daemon = Daemon::start_with(|config| {
        config.deliver = to(&[&format!("all={}", stand.url())]);
        config.deliver_rates = ["email=4", "sms=3"].map(|rate| DeliverRate::parse(rate).unwrap()).to_vec();
    });
    let customer = daemon.customer("acme");
    send(&customer, 0, 10);
    for i in 0..7 {
        send_one(&customer, text_message(&format!("user-{i}"), &format!("+1555123450{i}")));
    }
    // Neither takes of the other's second, nor waits for it.
    for (seconds, emails, texts) in [(0, 4, 3), (1, 8, 6), (1, 10, 7)] {
        daemon.clock.advance(Duration::from_secs(seconds));
        for (name, sent) in [("email", emails), ("sms", texts)] {
            wait_for(&customer, name, "has sent as many", |it| it["delivered"] == sent && it["behind"] == 0);
        }
        assert_eq!(stand.count() as u64, emails + texts);
    }
}

#[test]
fn a_clock_that_is_set_back_shortens_no_wait_and_lengthens_none() {
    let stand = Stand::willing();
    let daemon = delivering(&[&format!("sms={}/messages", stand.url())]);
    let customer = daemon.customer("acme");
    // While the first is on its way, the clock is set back by an hour.
    let (clock, mut calls) = (daemon.clock.clone(), 0);
    stand.answers(move |_| {
        calls += 1;
        if calls == 1 {
            clock.set_back(Duration::from_secs(3_600));
        }
        status(if calls == 1 { 503 } else { 200 })
    });
    let first = send_one(&customer, text_message("ada", "+15551234567"));
    wait_until("it was tried", || stand.count() == 1);
    // What comes behind is sent, and the first still waits for its five seconds.
    let second = send_one(&customer, text_message("bob", "+15557654321"));
    wait_until("the second is delivered", || record(&customer, &second)["status"] == "DELIVERED");
    let recipients = || stand.made().iter().map(Made::recipient).collect::<Vec<_>>();
    assert_eq!(recipients(), ["ada", "bob"]);
    // Set back once more, it waits no longer.
    daemon.clock.advance(Duration::from_secs(4));
    daemon.clock.set_back(Duration::from_secs(7_200));
    let third = send_one(&customer, text_message("cyd", "+15550000001"));
    wait_until("the third is delivered", || record(&customer, &third)["status"] == "DELIVERED");
    assert_eq!(recipients(), ["ada", "bob", "cyd"]);
    daemon.clock.advance(Duration::from_secs(1));
    wait_until("the first is delivered", || record(&customer, &first)["status"] == "DELIVERED");
    assert_eq!(recipients(), ["ada", "bob", "cyd", "ada"]);
}

#[test]
fn what_waits_for_a_channel_that_is_not_delivered_any_more_is_said_at_the_start() {
    let stand = Stand::willing();
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("bulkd.db");
    let deliver = [format!("email={}", stand.url())];
    let daemon = Binary::start(&args(database.to_str().unwrap(), &deliver));
    let customer = daemon.customer("acme");
    pause(&customer, "email", true);
    send(&customer, 0, 3);
    wait_for(&customer, "email", "has queued all", |it| it["queued"] == 3 && it["behind"] == 0);
    daemon.terminate();
    let daemon = Binary::start(&args(database.to_str().unwrap(), &[]));
    daemon.logs("3 messages of email waiting for --deliver email, which this start does not have");
    daemon.terminate();
    let daemon = Binary::start(&args(database.to_str().unwrap(), &deliver));
    let customer = daemon.customer("acme");
    pause(&customer, "email", false);
    wait_for(&customer, "email", "is done", |it| is_done(it) && it["delivered"] == 3);
    let ended = daemon.terminate();
    assert!(!ended.stderr.contains("which this start does not have"), "{ended:?}");
    check(&database);
}

#[test]
fn a_kill_loses_nothing_and_sends_no_more_than_a_batch_twice() {
    const MESSAGES: usize = 1_500;
    // It takes some, and the next one only after the kill.
    let (goes_on, waits) = crossbeam_channel::bounded::<()>(0);
    let mut taken = 0;
    let stand = Stand::start(move |_| {
        taken += 1;
        if taken > 150 {
            let _ = waits.recv();
        }
        status(200)
    });
    // It goes before the server does, which would wait for it.
    let goes_on = goes_on;
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("bulkd.db");
    let deliver = [format!("email={}", stand.url())];
    let args = args(database.to_str().unwrap(), &deliver);
    let daemon = Binary::start(&args);
    send(&daemon.customer("acme"), 0, MESSAGES);
    wait_until("some are there", || stand.count() > 100);
    daemon.kill();
    drop(goes_on);
    let before = stand.count();
    assert!(before < MESSAGES, "all were sent before the kill");
    let daemon = Binary::start(&args);
    let customer = daemon.customer("acme");
    wait_for(&customer, "email", "is done", is_done);
    let ledger = ledger(&stand.made());
    assert_eq!(ledger.len(), MESSAGES);
    let twice = ledger.values().filter(|times| **times > 1).count();
    assert!(twice <= 32 && ledger.values().all(|times| *times <= 2), "{twice} were sent twice");
    daemon.terminate();
    check(&database);
}

#[test]
fn every_channel_of_a_message_goes_out_and_what_waits_goes_when_it_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("messages.jsonl");
    let daemon = delivering(&[&format!("all=file:{}", file.display())]);
    let customer = daemon.customer("acme");
    let both = send_one(
        &customer,
        json!({
            "to": { "user_id": "ada", "email": "ada@example.com", "phone_number": "+15551234567" },
            "content": { "title": "Hi", "body": "Hello" },
            "routing": { "method": "all", "channels": ["email", "sms"] },
        }),
    );
    let lines = || -> Vec<Value> {
        let text = std::fs::read_to_string(&file).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    wait_until("both are there", || lines().len() == 2);
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let mut found = lines();
    found.sort_by_key(|it| it["data"]["channel"].as_str().unwrap().to_owned());
    let of = |it: &Value, name: &str| it["data"][name].as_str().unwrap_or_default().to_owned();
    let shown: Vec<_> = found.iter().map(|it| (of(it, "channel"), of(it, "provider"), of(it, "address"))).collect();
    let text = |text: &str| text.to_owned();
    assert_eq!(
        shown,
        [
            (text("email"), text("sendgrid"), text("ada@example.com")),
            (text("sms"), text("twilio"), text("+15551234567")),
        ]
    );
    assert_eq!((of(&found[0], "subject"), of(&found[0], "text")), (text("Hi"), text("Hello")));
    assert!(of(&found[0], "html").contains("Hello") && found[0]["data"]["request"]["personalizations"].is_array());
    assert_eq!(
        (of(&found[0], "message_id"), found[0]["time"].as_str()),
        (both.clone(), Some("2026-09-21T14:13:20.000Z"))
    );
    wait_until("both are delivered", || {
        let items = customer.get(&format!("/_bulkd/outbox?message_id={both}")).ok(200)["items"].take();
        items.as_array().unwrap().iter().all(|it| it["status"] == "DELIVERED")
    });
    // What waits is no message yet, and what was simulated is none at all.
    let mut message = text_message("bob", "+15557654321");
    message["delay"] = json!({ "duration": 60_000 });
    let waiting = send_one(&customer, message.clone());
    let canceled = send_one(&customer, message);
    customer.post(&format!("/messages/{canceled}/cancel"), &json!({})).ok(200);
    send_one(
        &customer,
        json!({
            "to": { "user_id": "eve", "email": "bounce@simulator.bulkd" }, "content": { "title": "Hi", "body": "Hello" },
        }),
    );
    wait_for(&customer, "email", "has looked at all", is_done);
    assert_eq!(lines().len(), 2);
    daemon.clock.advance(Duration::from_secs(60));
    wait_until("it is delivered", || record(&customer, &waiting)["status"] == "DELIVERED");
    let last = lines().pop().unwrap();
    assert_eq!((lines().len(), of(&last, "message_id")), (3, waiting));
}

#[test]
fn what_is_queued_goes_with_a_reset_and_is_kept_by_retention() {
    let stand = Stand::willing();
    let span = KeepSpan::parse("1h").unwrap();
    let mut daemon = Daemon::start_with(|config| {
        config.deliver = to(&[&format!("email={}", stand.url())]);
        config.keep = Keep { span: Some(span), messages: None };
    });
    let (customer, other) = (daemon.customer("acme"), daemon.customer("other"));
    pause(&customer, "email", true);
    send(&customer, 0, 5);
    let kept = send(&other, 10, 5);
    wait_for(&customer, "email", "has queued all", |it| it["queued"] == 10);
    customer.post("/_bulkd/reset", &json!({})).done();
    wait_for(&customer, "email", "has those of the other", |it| it["queued"] == 5);
    // Those are old by now, and not gone: they have yet to be sent.
    for _ in 0..4 {
        daemon.clock.advance(Duration::from_secs(3_600));
    }
    assert_eq!(other.outbox(&kept).len(), 5);
    pause(&customer, "email", false);
    wait_for(&customer, "email", "is done", |it| is_done(it) && it["delivered"] == 5);
    assert!(ledger(&stand.made()).keys().all(|name| name.as_str() >= "reader-10"), "{:?}", ledger(&stand.made()));
    wait_until("they are gone", || {
        daemon.clock.advance(Duration::from_secs(3_600));
        other.get(&format!("/bulk/{kept}")).status == 404
    });
    daemon.stop();
    check(&daemon.database());
}

#[test]
fn copies_of_messages_are_not_sent_again() {
    let stand = Stand::willing();
    let daemon = delivering(&[&format!("email={}", stand.url())]);
    let customer = daemon.customer("acme");
    let job_id = customer.create(newsletter());
    customer.ingest(&job_id, readers(0, 3));
    customer.run_to_the_end(&job_id);
    wait_for(&customer, "email", "is done", |it| is_done(it) && it["delivered"] == 3);
    customer.put("/_bulkd/snapshots/over", &json!({})).ok(200);
    customer.post("/_bulkd/snapshots/over/fork", &json!({ "key": "fork" })).ok(201);
    // A job that goes on after the snapshot: what it had then is copied when it is brought back.
    customer.put("/_bulkd/lifecycle", &json!({ "mode": "manual" })).ok(200);
    let job_id = customer.create(newsletter());
    customer.ingest(&job_id, readers(10, 4));
    customer.run(&job_id);
    let step = |users: usize| customer.post("/_bulkd/step", &json!({ "job_id": job_id, "users": users })).ok(200);
    step(1);
    wait_for(&customer, "email", "is done", |it| is_done(it) && it["delivered"] == 4);
    customer.put("/_bulkd/snapshots/it", &json!({})).ok(200);
    step(1);
    wait_for(&customer, "email", "is done", |it| is_done(it) && it["delivered"] == 5);
    customer.post("/_bulkd/snapshots/it/restore", &json!({})).ok(200);
    assert_eq!((customer.outbox(&job_id).len(), customer.job(&job_id)["enqueued"].as_u64()), (1, Some(1)));
    step(1);
    wait_for(&customer, "email", "is done", |it| is_done(it) && it["delivered"] == 6);
    let sent = ledger(&stand.made());
    assert_eq!((stand.count(), sent["reader-10"], sent["reader-11"]), (6, 1, 2));
}

/// A start without the channel leaves messages for later, and no copies of them, nor those of what was sent before.
#[test]
fn copies_that_are_made_while_a_channel_is_not_delivered_are_not_sent_later() {
    let stand = Stand::willing();
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("bulkd.db");
    let deliver = [format!("email={}", stand.url())];
    let start = |deliver: &[String]| {
        let daemon = Binary::start(&args(database.to_str().unwrap(), deliver));
        let customer = daemon.customer("acme");
        (daemon, customer)
    };
    let copy = |customer: &Customer, name: &str| {
        customer.put(&format!("/_bulkd/snapshots/{name}"), &json!({})).ok(200);
        customer.post(&format!("/_bulkd/snapshots/{name}/fork"), &json!({ "key": name })).ok(201);
    };
    let (daemon, customer) = start(&deliver);
    send(&customer, 0, 3);
    wait_for(&customer, "email", "is done", |it| is_done(it) && it["delivered"] == 3);
    daemon.terminate();

    let (daemon, customer) = start(&[]);
    copy(&customer, "first");
    send(&customer, 10, 2);
    copy(&customer, "second");
    // A job that goes on after a snapshot: what it made then is taken back.
    customer.put("/_bulkd/lifecycle", &json!({ "mode": "manual" })).ok(200);
    let job_id = customer.create(newsletter());
    customer.ingest(&job_id, readers(20, 4));
    customer.run(&job_id);
    let step = || customer.post("/_bulkd/step", &json!({ "job_id": job_id, "users": 1 })).ok(200);
    step();
    customer.put("/_bulkd/snapshots/it", &json!({})).ok(200);
    step();
    customer.post("/_bulkd/snapshots/it/restore", &json!({})).ok(200);
    daemon.kill();
    let (daemon, customer) = start(&[]);
    customer.completed(&job_id);
    copy(&customer, "third");
    send(&customer, 30, 1);
    daemon.terminate();

    let (daemon, customer) = start(&deliver);
    // Ten that were made and not copied.
    wait_for(&customer, "email", "is done", is_done);
    let sent = ledger(&stand.made());
    assert_eq!(sent, BTreeMap::from([0, 1, 2, 10, 11, 20, 21, 22, 23, 30].map(|i| (format!("reader-{i}"), 1))));
    // Copies that all channels have come past are forgotten when others are made.
    copy(&customer, "fourth");
    wait_for(&customer, "email", "has come past them", is_done);
    assert_eq!(stand.count(), 10);
    daemon.terminate();
    let rows = |table: &str| -> i64 {
        open_file(&database).query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
    };
    assert_eq!(rows("delivery_copies"), 1);
    check(&database);
}

/// Such as one that was cut off with a full disk: what comes behind it is a line of its own.
#[test]
fn a_file_that_ends_within_a_line_spoils_no_message() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("messages.jsonl");
    std::fs::write(&file, "{\"cut\": ").unwrap();
    let daemon = delivering(&[&format!("sms=file:{}", file.display())]);
    let customer = daemon.customer("acme");
    let message_id = send_one(&customer, text_message("ada", "+15557654321"));
    wait_until("it is delivered", || record(&customer, &message_id)["status"] == "DELIVERED");
    let text = std::fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!((lines.len(), lines[0]), (2, "{\"cut\": "), "{text}");
    assert_eq!(serde_json::from_str::<Value>(lines[1]).unwrap()["data"]["recipient"], "ada", "{text}");
}

const QUEUED: usize = 10_600;

#[test]
fn a_job_is_not_brought_back_by_copies_while_a_channel_has_yet_to_queue_its_messages() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("messages.jsonl");
    let daemon = delivering(&[&format!("email=file:{}", file.display())]);
    let customer = daemon.customer("acme");
    pause(&customer, "email", true);
    let large = customer.create(newsletter());
    (0..QUEUED).step_by(530).for_each(|first| drop(customer.ingest(&large, readers(1_000 + first, 530))));
    customer.run_to_the_end(&large);
    customer.put("/_bulkd/lifecycle", &json!({ "mode": "manual" })).ok(200);
    let job_id = customer.create(newsletter());
    customer.ingest(&job_id, readers(0, 3));
    customer.run(&job_id);
    let step = || customer.post("/_bulkd/step", &json!({ "job_id": job_id, "users": 1 })).ok(200);
    step();
    for name in ["it", "too"] {
        customer.put(&format!("/_bulkd/snapshots/{name}"), &json!({})).ok(200);
    }
    step();
    // A queue that is full: what comes behind waits in the outbox.
    assert!(channel(&customer, "email")["behind"].as_u64().is_some_and(|it| it > 0));
    let refused = customer.post("/_bulkd/snapshots/it/restore", &json!({}));
    assert_eq!((refused.status, refused.text.contains("--deliver email has yet to queue")), (409, true), "{refused:?}");
    assert_eq!(customer.job(&job_id)["enqueued"], 2);
    pause(&customer, "email", false);
    wait_for(&customer, "email", "is done", is_done);
    customer.post("/_bulkd/snapshots/it/restore", &json!({})).ok(200);
    step();
    step();
    wait_for(&customer, "email", "has sent what is new", |it| is_done(it) && it["delivered"] == QUEUED + 4);
    let text = std::fs::read_to_string(&file).unwrap();
    let times = |name: &str| text.lines().filter(|line| line.contains(&format!("\"recipient\":\"{name}\""))).count();
    assert_eq!(["reader-0", "reader-1", "reader-2"].map(times), [1, 2, 1]);
}

/// What waited has gone out: that is told by an event, to which a channel may have yet to come though it knows the message.
#[test]
fn a_message_that_waited_is_not_lost_to_copies_before_a_channel_knows_that_it_went_out() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("emails.jsonl");
    let daemon = delivering(&[&format!("email=file:{}", file.display())]);
    let customer = daemon.customer("acme");
    pause(&customer, "email", true);
    let waiting = |hours: u64| {
        let content = json!({ "title": "Hello", "body": "Late" });
        customer.create(json!({ "message": { "content": content, "delay": { "duration": hours * 3_600_000 } } }))
    };
    let large = waiting(1);
    (0..QUEUED).step_by(530).for_each(|first| drop(customer.ingest(&large, readers(1_000 + first, 530))));
    customer.run_to_the_end(&large);
    customer.put("/_bulkd/lifecycle", &json!({ "mode": "manual" })).ok(200);
    let job_id = waiting(2);
    customer.ingest(&job_id, readers(0, 3));
    customer.run(&job_id);
    let step = || customer.post("/_bulkd/step", &json!({ "job_id": job_id, "users": 1 })).ok(200);
    step();
    for name in ["it", "too"] {
        customer.put(&format!("/_bulkd/snapshots/{name}"), &json!({})).ok(200);
    }
    step();
    wait_for(&customer, "email", "knows all messages", |it| it["behind"] == 0);
    daemon.clock.advance(Duration::from_secs(3 * 3_600));
    wait_until("all have gone out", || customer.get("/_bulkd/outbox?status=DELAYED").ok(200)["items"] == json!([]));
    let refused = customer.post("/_bulkd/snapshots/it/restore", &json!({}));
    assert_eq!((refused.status, refused.text.contains("--deliver email has yet to queue")), (409, true), "{refused:?}");
    pause(&customer, "email", false);
    wait_for(&customer, "email", "has sent all", |it| is_done(it) && it["delivered"] == QUEUED + 2);
    customer.post("/_bulkd/snapshots/it/restore", &json!({})).ok(200);
    let text = std::fs::read_to_string(&file).unwrap();
    let times = |name: &str| text.lines().filter(|line| line.contains(&format!("\"recipient\":\"{name}\""))).count();
    assert!(["reader-0", "reader-1"].map(times).iter().all(|times| *times >= 1));
}

#[test]
fn what_waits_in_a_fork_is_sent_when_its_time_comes_and_what_had_waited_is_not() {
    let stand = Stand::willing();
    let mut daemon = delivering(&[&format!("sms={}", stand.url())]);
    let customer = daemon.customer("acme");
    let delayed = |customer: &Customer, name: &str, millis: u64| {
        let mut message = text_message(name, "+15557654321");
        message["delay"] = json!({ "duration": millis });
        send_one(customer, message)
    };
    let had_waited = delayed(&customer, "ada", 1_000);
    daemon.clock.advance(Duration::from_secs(1));
    wait_until("it is delivered", || record(&customer, &had_waited)["status"] == "DELIVERED");
    let reopen = |daemon: &mut Daemon, flags: &[&str]| {
        daemon.stop();
        daemon.reconfigure(|config| config.deliver = to(flags));
        daemon.open();
    };
    reopen(&mut daemon, &[]);
    let customer = daemon.customer("acme");
    let meanwhile = delayed(&customer, "bob", 1_000);
    delayed(&customer, "cyd", 60_000);
    daemon.clock.advance(Duration::from_secs(1));
    wait_until("it is sent", || record(&customer, &meanwhile)["status"] == "SENT");
    customer.put("/_bulkd/snapshots/it", &json!({})).ok(200);
    customer.post("/_bulkd/snapshots/it/fork", &json!({ "key": "fork" })).ok(201);
    reopen(&mut daemon, &[&format!("sms={}", stand.url())]);
    let customer = daemon.customer("acme");
    wait_for(&customer, "sms", "is done", is_done);
    let expected = |of: &[(&str, usize)]| of.iter().map(|(name, times)| ((*name).to_owned(), *times)).collect();
    assert_eq!(ledger(&stand.made()), expected(&[("ada", 1), ("bob", 1)]));
    daemon.clock.advance(Duration::from_secs(60));
    wait_for(&customer, "sms", "has sent both", |it| is_done(it) && it["delivered"] == 4);
    assert_eq!(ledger(&stand.made()), expected(&[("ada", 1), ("bob", 1), ("cyd", 2)]));
}

#[test]
fn lines_go_to_standard_output() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("bulkd.db");
    let deliver = ["email=-".to_owned()];
    let daemon = Binary::spawn(&mut bulkd(&args(database.to_str().unwrap(), &deliver)));
    let customer = Customer::new(daemon.address_in_log(), "acme");
    send(&customer, 0, 3);
    wait_for(&customer, "email", "is done", |it| is_done(it) && it["delivered"] == 3);
    let ended = daemon.terminate();
    // Nothing else is there.
    let lines: Vec<Value> = ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let recipients: Vec<&str> = lines.iter().map(|line| line["data"]["recipient"].as_str().unwrap()).collect();
    assert_eq!(recipients, ["reader-0", "reader-1", "reader-2"], "{ended:?}");
}

#[test]
fn whoever_stops_reading_standard_output_keeps_no_daemon_from_stopping() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("bulkd.db");
    let deliver = ["email=-".to_owned()];
    let args = args(database.to_str().unwrap(), &deliver);
    let (reader, writer) = std::io::pipe().unwrap();
    let mut command = bulkd(&args);
    let daemon = Binary::spawn(command.stdout(writer));
    drop(command);
    let customer = Customer::new(daemon.address_in_log(), "acme");
    send(&customer, 0, 100);
    // A pipe holds 64 KiB, and what is not read stays.
    wait_for(&customer, "email", "is held up", |it| {
        it["queued"].as_u64().is_some_and(|it| it > 0) && it["behind"] == 0
    });
    wait_until("the pipe is full", || is_full(&reader));
    daemon.terminate();
    drop(reader);
    // What was not written comes at the next start.
    let daemon = Binary::spawn(&mut bulkd(&args));
    let customer = Customer::new(daemon.address_in_log(), "acme");
    wait_for(&customer, "email", "is done", |it| is_done(it) && it["delivered"] == 100);
    daemon.terminate();
    check(&database);
}

#[test]
fn a_server_that_answers_byte_by_byte_holds_up_no_stop() {
    let greets = (Drip::saying("220 "), "smtp");
    let takes = (Drip::behind_an_email(), "smtp");
    let answers = (Drip::saying("HTTP/1.1 200 OK\r\nx: "), "http");
    let stand = Stand::willing();
    for (server, scheme) in [greets, takes, answers] {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("bulkd.db");
        let start = |target: String| Binary::start(&args(database.to_str().unwrap(), &[format!("email={target}")]));
        let daemon = start(format!("{scheme}://{}", server.address));
        let job_id = send(&daemon.customer("acme"), 0, 2);
        wait_until("it is being sent", || server.count() > 0);
        daemon.terminate();
        // What was broken off is sent later.
        let daemon = start(stand.url());
        let customer = daemon.customer("acme");
        wait_for(&customer, "email", "is done", |it| is_done(it) && it["delivered"] == 2);
        assert_eq!(statuses(&customer, &job_id), BTreeMap::from([("DELIVERED".to_owned(), 2)]));
        daemon.terminate();
    }
}

#[test]
fn a_target_that_cannot_be_is_refused_with_its_flag() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("bulkd.db");
    let refused = |flags: &[&str]| {
        let args = [&["--listen", "127.0.0.1:0", "--db", database.to_str().unwrap()], flags].concat();
        let ended = Binary::spawn(&mut bulkd(&args)).wait();
        assert!(ended.code != Some(0) && !database.exists(), "{ended:?}");
        ended.stderr
    };
    for (flags, expected) in [
        (vec!["--deliver", "email"], "--deliver <CHANNEL=TARGET>': expected CHANNEL=TARGET"),
        (
            vec!["--deliver", "mail=-"],
            "expected email, sms, push, inbox, direct_message, webhook or all before the '='",
        ),
        (vec!["--deliver", "email=ftp://a"], "expected smtp://"),
        (vec!["--deliver", "email=smtp://ada:secret@a"], "expected the password in the variable BULKD_SMTP_PASSWORD"),
        (vec!["--deliver", "sms=smtp://a"], "expected email before an SMTP server"),
        (vec!["--deliver", "email=smtp://ada@a"], "--deliver email=smtp://a:25: expected the password of its user"),
        (vec!["--deliver", "email=-", "--deliver", "all=-"], "--deliver email: expected one target, and there are two"),
        (
            vec!["--deliver", "email=file:/no/such/folder/x"],
            "--deliver email=file:/no/such/folder/x: it cannot be opened",
        ),
        (vec!["--deliver-rate", "email=5"], "--deliver-rate email: there is no --deliver for it"),
        (vec!["--deliver", "email=-", "--deliver-rate", "email=0"], "expected a whole number from 1 to 10000"),
        (vec!["--deliver", "email=-", "--deliver-errors", "0"], "--deliver-errors"),
    ] {
        let said = refused(&flags);
        assert!(said.contains(expected), "{flags:?}: {said}");
    }
    if cfg!(not(feature = "tls")) {
        for target in ["smtps://a", "provider", "https://a"] {
            let said = refused(&["--deliver", &format!("email={target}")]);
            assert!(said.contains("--deliver email=") && said.contains("this bulkd was built without TLS"), "{said}");
        }
    }
}

#[test]
fn a_server_that_is_not_there_is_left_alone_until_it_is() {
    let (held, address) = unheard();
    let daemon = delivering(&[&format!("email=smtp://{address}")]);
    let customer = daemon.customer("acme");
    send(&customer, 0, 60);
    let shown = wait_for(&customer, "email", "pauses", |it| it["paused"] == true && it["queued"] == 60);
    assert!(shown["paused_reason"].as_str().unwrap().starts_with("50 failures one after the other"), "{shown}");
    assert_eq!(shown["delivered"], 0);
    drop(held);
    let server = SmtpServer::at(address, |_| "250 ok".to_owned());
    pause(&customer, "email", false);
    daemon.clock.advance(Duration::from_secs(5));
    wait_for(&customer, "email", "is done", |it| is_done(it) && it["delivered"] == 60);
    assert_eq!(server.taken().len(), 60);
}

#[test]
fn a_wrong_key_uses_up_no_tries_and_one_message_that_is_refused_holds_up_no_other() {
    let stand = Stand::start(|_| (403, Vec::new(), "no such key".to_owned()));
    let mut daemon = delivering(&[&format!("email={}", stand.url())]);
    send(&daemon.customer("acme"), 0, 3);
    let attempts = |daemon: &Daemon| -> usize {
        let file = open_file(&daemon.database());
        file.query_row("SELECT coalesce(sum(attempts), 0) FROM delivery_queue", [], |row| row.get(0)).unwrap()
    };
    // Each start tries one; more starts than a message has tries.
    for start in 1..=12 {
        wait_until("one was tried", || stand.count() >= start);
        let shown = wait_for(&daemon.customer("acme"), "email", "rests", |it| it["resting_until"].is_i64());
        assert_eq!(shown["resting_reason"], "its key is refused: the answer was 403: no such key");
        assert_eq!((attempts(&daemon), &shown["paused"], &shown["queued"]), (0, &json!(false), &json!(3)));
        daemon.restart();
        // By then the first one may be tried again.
        daemon.clock.advance(Duration::from_secs(6));
    }
    let customer = daemon.customer("acme");
    stand.answers(|made| if made.recipient() == "reader-1" { status(403) } else { status(200) });
    wait_until("the others are delivered", || {
        daemon.clock.advance(Duration::from_secs(60));
        channel(&customer, "email")["delivered"] == 2
    });
    // It is that message which the target does not take, and then it is tried as others are.
    wait_until("it is given up", || {
        daemon.clock.advance(Duration::from_secs(60));
        send(&customer, 10, 1);
        channel(&customer, "email")["refused"] == 1
    });
    let before = channel(&customer, "email")["delivered"].as_u64().unwrap();
    send(&customer, 20, 5);
    wait_for(&customer, "email", "is done", |it| is_done(it) && it["delivered"].as_u64() >= Some(before + 5));
}

#[test]
fn messages_whose_key_is_refused_hold_up_no_other() {
    let is_refused = |recipient: &str| ["reader-0", "reader-1"].contains(&recipient);
    let stand = Stand::start(move |made| status(if is_refused(&made.recipient()) { 403 } else { 200 }));
    let daemon = delivering(&[&format!("email={}", stand.url())]);
    let customer = daemon.customer("acme");
    send(&customer, 0, 3);
    wait_until("the third is delivered", || {
        daemon.clock.advance(Duration::from_secs(60));
        channel(&customer, "email")["delivered"] == 1
    });
}

#[test]
fn a_target_that_asks_to_be_left_alone_is_also_after_the_last_attempt() {
    let stand = Stand::start(|_| (429, vec![("Retry-After", "3600".to_owned())], String::new()));
    let daemon = delivering(&[&format!("email={}", stand.url())]);
    let customer = daemon.customer("acme");
    send(&customer, 0, 1);
    let attempts = || -> usize {
        let file = open_file(&daemon.database());
        file.query_row("SELECT coalesce(sum(attempts), 0) FROM delivery_queue", [], |row| row.get(0)).unwrap()
    };
    for attempt in 1..10 {
        wait_until("it was tried", || attempts() == attempt);
        assert!(channel(&customer, "email")["resting_until"].is_i64());
        daemon.clock.advance(Duration::from_secs(3_600));
    }
    let shown = wait_for(&customer, "email", "has given it up", |it| it["refused"] == 1);
    assert!(shown["resting_until"].is_i64(), "{shown}");
}

#[test]
fn an_answer_that_is_not_read_to_its_end_takes_no_message_where_it_says_whether_it_does() {
    let long = || format!("{{\"data\": [{{\"status\": \"ok\"}}], \"more\": \"{}\"}}", "x".repeat(100_000));
    let stand = Stand::start(move |_| (200, Vec::new(), long()));
    let hook = Stand::start(move |_| (200, Vec::new(), "x".repeat(100_000)));
    let daemon = delivering(&[&format!("push=provider@{}", stand.url()), &format!("email={}", hook.url())]);
    let customer = daemon.customer("acme");
    let message = json!({
        "to": { "user_id": "ada", "expo": "token" },
        "content": { "title": "Hi", "body": "Hello" },
        "routing": { "method": "single", "channels": ["expo"] },
    });
    let message_id = send_one(&customer, message);
    wait_until("it was tried", || stand.count() == 1);
    // A webhook has said all by its status.
    send(&customer, 0, 1);
    wait_for(&customer, "email", "has sent one", |it| it["delivered"] == 1);
    assert_eq!(record(&customer, &message_id)["status"], "SENT");
    stand.answers(|_| (200, Vec::new(), "{\"data\": [{\"status\": \"ok\"}]}".to_owned()));
    wait_until("it is delivered", || {
        daemon.clock.advance(Duration::from_secs(5));
        record(&customer, &message_id)["status"] == "DELIVERED"
    });
    assert_eq!(stand.count(), 2);
}

#[test]
fn whoever_logs_in_does_so_with_a_password_of_the_environment() {
    let server = SmtpServer::start();
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("bulkd.db");
    let deliver = [format!("email=smtp://ada@{}", server.address)];
    let mut command = bulkd(&args(database.to_str().unwrap(), &deliver));
    let daemon = Binary::spawn(command.env("BULKD_SMTP_PASSWORD", "s3cret"));
    let customer = daemon.customer("acme");
    send(&customer, 0, 2);
    wait_for(&customer, "email", "is done", |it| is_done(it) && it["delivered"] == 2);
    use base64::Engine;
    let plain = base64::prelude::BASE64_STANDARD.encode("\0ada\0s3cret");
    assert_eq!(server.logins(), [format!("AUTH PLAIN {plain}")]);
    assert_eq!(channel(&customer, "email")["target"], json!(format!("smtp://{}", server.address)));
    let ended = daemon.terminate();
    assert!(!ended.stderr.contains("s3cret"), "{ended:?}");
}
