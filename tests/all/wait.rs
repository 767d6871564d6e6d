//! Requests that wait until something is so.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use bulkd::clock::ClockStart;

use crate::support::{Customer, Daemon, PATIENCE, Reply, json, newsletter, readers, unheard, wait_until};
use serde_json::{Map, Value};

fn wait(customer: &Customer, condition: Value) -> Reply {
    customer.post("/_bulkd/wait", &condition)
}

/// Looks once.
fn look(customer: &Customer, mut condition: Value) -> Reply {
    condition["timeout_ms"] = json!(0);
    wait(customer, condition)
}

#[track_caller]
fn met(reply: &Reply) -> Value {
    let body = reply.ok(200);
    assert_eq!(body["met"], true, "{body}");
    body
}

/// The body of a wait that was not met, which no SDK sends again.
#[track_caller]
fn not_met(reply: &Reply) -> Value {
    assert_eq!((reply.status, reply.header("x-should-retry")), (412, Some("false")), "{reply:?}");
    let body = reply.json();
    assert_eq!((&body["met"], &body["type"]), (&json!(false), &json!("not_met")));
    body
}

fn send(customer: &Customer, message: Value) -> String {
    let sent = customer.post("/send", &json!({ "message": message })).ok(202);
    sent["requestId"].as_str().unwrap().to_owned()
}

fn mail(to: &str, subject: &str, data: Value) -> Value {
    json!({
        "to": { "user_id": to, "email": format!("{to}@example.com"), "data": data },
        "content": { "title": subject, "body": "Hello" },
    })
}

#[test]
fn a_job_is_waited_for() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let job_id = customer.create(newsletter());
    customer.ingest(&job_id, readers(0, 5));
    let body = not_met(&look(&customer, json!({ "job_id": job_id })));
    let message = body["message"].as_str().unwrap();
    assert!(
        message.starts_with(&format!("wanted job {job_id} to be COMPLETED; it is CREATED, with 0 of 5")),
        "{message}"
    );
    assert_eq!((&body["found"]["status"], &body["settled"]), (&json!("CREATED"), &json!(true)));
    thread::scope(|scope| {
        let waiting = scope.spawn(|| wait(&customer, json!({ "job_id": job_id, "status": "COMPLETED" })));
        customer.run(&job_id);
        let body = met(&waiting.join().unwrap());
        assert_eq!((&body["count"], &body["items"][0]["enqueued"]), (&json!(1), &json!(5)));
    });
    met(&look(&customer, json!({ "job_id": job_id, "status": "PROCESSING" })));
    // What will never be so is said at once.
    not_met(&wait(&customer, json!({ "job_id": job_id, "status": "ERROR" })));
    wait(&customer, json!({ "job_id": "1-0-0" })).refused(404);
    wait(&daemon.customer("globex"), json!({ "job_id": job_id })).refused(404);
}

#[test]
fn messages_that_are_there_count_and_others_are_waited_for() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let first = send(&customer, mail("ada", "Your invoice", json!({ "n": 77, "list": [1, { "a": "b" }] })));
    for outbox in [
        json!({}),
        json!({ "recipient": "ada" }),
        json!({ "recipient": "ada", "channel": "email", "subject": { "contains": "invoice" }, "data.n": { "equals": 77 } }),
        json!({ "data.n": 77.0, "data.list.1.a": "b", "data.none": { "absent": true } }),
        json!({ "subject": { "matches": "^Your (in|re)voice$" }, "reason": { "absent": true }, "reason": null }),
        json!({ "data.list": { "contains": 1 }, "html": { "contains": "<html" }, "message_id": { "matches": "^1-" } }),
    ] {
        let body = met(&look(&customer, json!({ "outbox": outbox })));
        assert_eq!((&body["count"], &body["items"][0]["recipient"]), (&json!(1), &json!("ada")), "{outbox}");
        assert!(body["items"][0].get("html").is_none());
    }
    for outbox in [
        json!({ "recipient": "bob" }),
        json!({ "data.n": "77" }),
        json!({ "data.n": { "absent": true } }),
        json!({ "subject": { "contains": "Invoice" } }),
        json!({ "channel": "sms" }),
        json!({ "subject": { "contains": "invoice", "matches": "x" } }),
    ] {
        not_met(&look(&customer, json!({ "outbox": outbox })));
    }
    let condition = json!({ "outbox": { "recipient": "ada" }, "after": first });
    thread::scope(|scope| {
        not_met(&look(&customer, condition.clone()));
        let waiting = scope.spawn(|| wait(&customer, condition.clone()));
        send(&customer, mail("bob", "Not this", json!({})));
        let second = send(&customer, mail("ada", "This", json!({})));
        let body = met(&waiting.join().unwrap());
        assert_eq!(body["items"][0]["message_id"].as_str(), Some(second.as_str()), "{body}");
    });
    let two = json!({ "outbox": { "recipient": "ada" }, "count": { "at_least": 2 } });
    assert_eq!(met(&look(&customer, two))["count"], 2);
    not_met(&look(&daemon.customer("globex"), json!({ "outbox": {} })));
}

#[test]
fn what_was_not_met_is_told_as_a_person_wants_to_read_it() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let job_id = customer.create(newsletter());
    let sent = send(&customer, mail("ada", "Welcome", json!({})));
    let condition =
        json!({ "outbox": { "recipient": "ada", "subject": { "contains": "invoice" } }, "count": { "exactly": 1 } });
    let body = not_met(&look(&customer, condition));
    let nearest = &body["nearest"][0];
    let message_id = nearest["message_id"].as_str().unwrap();
    assert_eq!(
        body["message"],
        format!(
            "wanted exactly 1 message in the outbox with recipient \"ada\", subject containing \"invoice\"; found 0, after \
             0 ms. All has come to rest. Nearest is {message_id}, but its subject is \"Welcome\"."
        )
    );
    // The job has nothing to do with it, before she is one of its users.
    customer.ingest(&job_id, json!([{ "recipient": "ada" }, { "recipient": "bob" }]));
    let body = not_met(&look(&customer, json!({ "outbox": { "recipient": "ada", "subject": "invoice" } })));
    let message = body["message"].as_str().unwrap();
    assert!(message.ends_with(&format!("Job {job_id} is CREATED with 2 users, and was not run.")), "{message}");
    let other = send(&customer, mail("bob", "Welcome", json!({})));
    let body = not_met(&look(&customer, json!({ "outbox": { "job_id": other, "subject": "invoice" } })));
    assert!(!body["message"].as_str().unwrap().contains(&format!("Job {job_id}")), "{body}");
    let body = not_met(&look(&customer, json!({ "outbox": { "recipient": "cy" } })));
    assert!(!body["message"].as_str().unwrap().contains("Job "), "{body}");
    let condition =
        json!({ "outbox": { "recipient": "ada", "subject": { "contains": "invoice" } }, "count": { "exactly": 1 } });
    let body = not_met(&look(&customer, condition));
    let nearest = &body["nearest"][0];
    let message_id = nearest["message_id"].as_str().unwrap();
    assert_eq!(
        nearest["criteria"],
        json!([
            { "name": "recipient", "ok": true, "wanted": "ada", "found": "ada" },
            { "name": "subject", "ok": false, "wanted": { "contains": "invoice" }, "found": "Welcome" },
        ])
    );
    assert_eq!((body["jobs"][0]["kind"].as_str(), message_id), (Some("SEND"), sent.as_str()));
    let last = &body["requests"][0];
    assert_eq!((&last["method"], &last["path"], &last["status"]), (&json!("POST"), &json!("/send"), &json!(202)));
    assert_eq!((&body["found"], &body["settled"]), (&json!(0), &json!(true)));
}

#[test]
fn a_job_half_done_is_no_false_pass_and_nothing_is_told_at_once() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let none = json!({ "outbox": { "recipient": "nobody" }, "count": { "none": true } });
    met(&wait(&customer, none.clone()));
    let job_id = customer.create(newsletter());
    customer.ingest(&job_id, readers(0, 20_000));
    let last = json!({ "outbox": { "recipient": "reader-19999" }, "count": { "none": true } });
    let all = json!({ "outbox": { "job_id": job_id }, "count": { "exactly": 20_000 } });
    met(&wait(&customer, last.clone()));
    thread::scope(|scope| {
        customer.run(&job_id);
        let waiting = scope.spawn(|| wait(&customer, all));
        let wrong = scope.spawn(|| wait(&customer, json!({ "outbox": {}, "count": { "exactly": 19_000 } })));
        let body = not_met(&wait(&customer, last));
        assert_eq!((&body["found"], &body["settled"]), (&json!(1), &json!(true)));
        assert_eq!(met(&waiting.join().unwrap())["count"], 20_000);
        assert_eq!(not_met(&wrong.join().unwrap())["found"], 20_000);
    });
    met(&wait(&customer, none));
}

#[test]
fn a_wait_ends_by_the_clock_and_follows_a_message_that_waited() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let mut message = mail("ada", "Later", json!({}));
    message["delay"] = json!({ "duration": 60_000 });
    send(&customer, message);
    let sent = json!({ "outbox": { "recipient": "ada", "status": "SENT" }, "timeout_ms": 60_000 });
    let delayed = json!({ "outbox": { "status": "DELAYED" } });
    met(&look(&customer, delayed.clone()));
    met(&look(&customer, json!({ "settled": true })));
    thread::scope(|scope| {
        let waiting = scope.spawn(|| wait(&customer, json!({ "outbox": { "recipient": "bob" } })));
        wait_until("the wait has ended", || {
            daemon.clock.advance(Duration::from_secs(2));
            waiting.is_finished()
        });
        let body = not_met(&waiting.join().unwrap());
        assert!(body["waited_ms"].as_i64().unwrap() >= 10_000, "{body}");
        let waiting = scope.spawn(|| wait(&customer, sent.clone()));
        wait_until("the message is sent", || {
            daemon.clock.advance(Duration::from_secs(2));
            waiting.is_finished()
        });
        met(&waiting.join().unwrap());
        not_met(&look(&customer, delayed));
    });
}

#[test]
fn a_wait_ends_also_while_a_test_clock_stands_still_and_moving_it_ends_none() {
    let daemon = Daemon::start_with(|config| config.test_clock = Some(ClockStart::Running));
    let customer = daemon.customer("acme");
    not_met(&wait(&customer, json!({ "outbox": {}, "timeout_ms": 10 })));
    thread::scope(|scope| {
        let waiting =
            scope.spawn(|| wait(&customer, json!({ "outbox": { "recipient": "ada" }, "timeout_ms": 60_000 })));
        customer.post("/_bulkd/clock/advance", &json!({ "by": "1h" })).ok(200);
        send(&customer, mail("ada", "Hello", json!({})));
        met(&waiting.join().unwrap());
    });
}

#[test]
fn an_environment_has_settled_when_its_webhooks_were_told() {
    let daemon = Daemon::start();
    let (customer, other) = (daemon.customer("acme"), daemon.customer("globex"));
    let (_ours, address) = unheard();
    let settled = json!({ "settled": true });
    let webhook = customer.post("/_bulkd/webhooks", &json!({ "url": format!("http://{address}/") })).ok(201);
    met(&wait(&customer, settled.clone()));
    send(&customer, mail("ada", "Hello", json!({})));
    let body = not_met(&look(&customer, settled.clone()));
    assert_eq!(body["settled"], false);
    let webhook_id = webhook["id"].as_str().unwrap();
    let message = body["message"].as_str().unwrap();
    assert!(message.contains(&format!(" Webhook {webhook_id} has ")), "{message}");
    assert_eq!(body["found"]["untold"][0]["webhook_id"], webhook_id);
    met(&look(&other, settled.clone()));
    send(&other, mail("ada", "Hello", json!({})));
    met(&look(&other, settled.clone()));
    thread::scope(|scope| {
        let waiting = scope.spawn(|| wait(&customer, settled.clone()));
        customer.delete(&format!("/_bulkd/webhooks/{}", webhook["id"].as_str().unwrap())).done();
        met(&waiting.join().unwrap());
    });
}

#[test]
fn a_wait_goes_on_in_an_environment_that_was_reset() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    send(&customer, mail("ada", "Before", json!({})));
    thread::scope(|scope| {
        let two = json!({ "outbox": { "recipient": "ada" }, "count": { "at_least": 2 } });
        let waiting = scope.spawn(|| wait(&customer, two));
        customer.post("/_bulkd/reset", &json!({})).done();
        not_met(&look(&customer, json!({ "outbox": {} })));
        send(&customer, mail("ada", "After", json!({})));
        send(&customer, mail("ada", "After", json!({})));
        assert_eq!(met(&waiting.join().unwrap())["count"], 2);
    });
}

#[test]
fn what_cannot_be_waited_for_is_refused_by_its_name() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    for (condition, about) in [
        (json!({}), "the body: expected one of job_id, settled and outbox"),
        (json!({ "settled": true, "outbox": {} }), "the body: expected one of"),
        (json!({ "settled": false }), "settled: expected true"),
        (json!({ "outbox": {}, "status": "COMPLETED" }), "status: expected none beside outbox"),
        (json!({ "job_id": "1-0-0", "status": "DONE" }), "status: expected one of CREATED"),
        (json!({ "outbox": { "subjekt": "a" } }), "outbox: expected members of job_id, "),
        (json!({ "outbox": { "subject": { "is": "a" } } }), "outbox.subject: expected a value, or an object of equals"),
        (json!({ "outbox": { "subject": 1 } }), "outbox.subject: expected a string"),
        (json!({ "outbox": { "subject": { "matches": "(" } } }), "outbox.subject.matches: not a pattern"),
        (json!({ "outbox": { "channel": "pigeon" } }), "outbox.channel: expected one of email"),
        (json!({ "outbox": {}, "count": { "exactly": -1 } }), "count: expected one of"),
        (json!({ "outbox": {}, "after": "yesterday" }), "after: expected the id of a message"),
        (json!({ "outbox": {}, "timeout_ms": 60_001 }), "timeout_ms: expected a whole number from 0 to 60000"),
        (json!({ "outbox": {}, "timeout": 1 }), "the body: expected members of"),
        (json!([]), "the body: expected an object"),
    ] {
        let message = wait(&customer, condition.clone()).refused(400);
        assert!(message.starts_with(about), "{condition}: {message}");
    }
}

/// A request that waits, as bytes.
fn asking(customer: &str, condition: &Value) -> String {
    let body = condition.to_string();
    let length = body.len();
    format!(
        "POST /_bulkd/wait HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {customer}\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
}

fn hear(mut stream: &TcpStream) -> String {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut heard = Vec::new();
    let mut buffer = [0; 4096];
    while !String::from_utf8_lossy(&heard).contains("\r\n\r\n") {
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(count) => heard.extend_from_slice(&buffer[..count]),
        }
    }
    String::from_utf8_lossy(&heard).into_owned()
}

/// How many requests wait.
fn waits(customer: &Customer) -> usize {
    let metrics = customer.get("/_bulkd/metrics").text;
    metrics.lines().find_map(|line| line.strip_prefix("bulkd_waits ")).unwrap().parse().unwrap()
}

#[test]
fn a_thousand_may_wait_and_clients_that_hang_up_make_room() {
    let mut daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let waiting = |count: usize| -> Vec<TcpStream> {
        let ask = |i: usize| {
            let mut stream = TcpStream::connect(daemon.address()).unwrap();
            let condition = json!({ "outbox": { "recipient": format!("nobody-{i}") }, "timeout_ms": 60_000 });
            stream.write_all(asking("acme", &condition).as_bytes()).unwrap();
            stream
        };
        (0..count).map(ask).collect()
    };
    // None of them is answered, however busy the machine is.
    let wait_for_all = |peers: &[TcpStream]| {
        wait_until("all of them wait", || {
            for peer in peers {
                peer.set_nonblocking(true).unwrap();
                if peer.peek(&mut [0]).is_ok() {
                    peer.set_nonblocking(false).unwrap();
                    panic!("one was answered: {}", hear(peer));
                }
            }
            waits(&customer) == peers.len()
        });
    };
    let mut peers = waiting(999);
    wait_for_all(&peers);
    // There is room for one more, and when it was answered for another one.
    for _ in 0..20 {
        not_met(&look(&customer, json!({ "outbox": {} })));
    }
    peers.extend(waiting(1));
    wait_for_all(&peers);
    let refused = look(&customer, json!({ "outbox": {} }));
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    assert!(refused.text.contains("1000 requests wait already"), "{}", refused.text);
    drop(peers);
    wait_until("there is room again", || look(&customer, json!({ "outbox": {} })).status == 412);
    let peer = waiting(1).remove(0);
    thread::scope(|scope| {
        let hearing = scope.spawn(|| hear(&peer));
        daemon.stop();
        let heard = hearing.join().unwrap();
        assert!(heard.is_empty() || heard.starts_with("HTTP/1.1 503"), "{heard}");
    });
}

#[test]
fn what_did_not_go_out_counts_where_it_is_asked_for() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let mut without_address = mail("ada", "Hi", json!({}));
    without_address["to"] = json!({ "user_id": "ada" });
    without_address["routing"] = json!({ "method": "single", "channels": ["sms"] });
    send(&customer, without_address);
    let none = json!({ "outbox": { "recipient": "ada" }, "count": { "none": true } });
    assert_eq!(met(&look(&customer, none.clone()))["count"], 0);
    let body = not_met(&look(&customer, json!({ "outbox": { "recipient": "ada" } })));
    let criteria = body["nearest"][0]["criteria"].as_array().unwrap();
    let status = criteria.iter().find(|it| it["name"] == "status").unwrap();
    assert_eq!((&status["ok"], &status["found"]), (&json!(false), &json!("UNROUTABLE")), "{body}");
    assert_eq!(met(&look(&customer, json!({ "outbox": { "status": "UNROUTABLE" } })))["count"], 1);
    // One that went out does.
    send(&customer, mail("ada", "Hi", json!({})));
    not_met(&look(&customer, none));
}

#[test]
fn a_send_is_waited_for_by_the_id_that_its_client_has() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let request_id = send(&customer, mail("ada", "Hi", json!({})));
    let body = met(&wait(&customer, json!({ "job_id": request_id })));
    assert_eq!((&body["items"][0]["kind"], &body["items"][0]["received"]), (&json!("SEND"), &json!(1)));
    assert!(
        daemon.customer("other").post("/_bulkd/wait", &json!({ "job_id": request_id })).refused(404).contains("job")
    );
}

/// A job whose messages are so long that it takes a while to look through them by this pattern.
fn make_long_texts(customer: &Customer) -> Value {
    let text = "abacab ".repeat(10_000);
    let content = json!({ "title": "Long", "body": "{{text}}" });
    let job_id = customer.create(json!({ "message": { "content": content }, "data": { "text": text } }));
    customer.ingest(&job_id, readers(0, 200));
    customer.run_to_the_end(&job_id);
    let pattern = "(a|b|c|ab|ba|ac|ca)*(x|y)(a|b|c|ab|ba|ac|ca)*z(a|b)+z";
    json!({ "outbox": { "body": { "matches": pattern } }, "timeout_ms": 60_000 })
}

#[test]
fn a_wait_that_takes_long_delays_no_other() {
    let mut daemon = Daemon::start_with(|config| config.test_clock = Some(ClockStart::Running));
    let (customer, other) = (daemon.customer("acme"), daemon.customer("globex"));
    let slow = asking("acme", &make_long_texts(&customer));
    let mut stream = TcpStream::connect(daemon.address()).unwrap();
    stream.write_all(slow.as_bytes()).unwrap();
    // Messages of the same environment and of another one are found though, old ones and new ones,
    for customer in [&customer, &other] {
        send(customer, mail("ada", "Hello", json!({})));
        met(&wait(customer, json!({ "outbox": { "recipient": "ada" }, "timeout_ms": 60_000 })));
    }
    met(&wait(&customer, json!({ "outbox": { "recipient": "reader-199" }, "timeout_ms": 60_000 })));
    // and what is not there is told in its time.
    let none = json!({ "outbox": { "recipient": "nobody" }, "timeout_ms": 10 });
    let body = not_met(&wait(&other, none));
    assert_eq!(body["found"], 0);
    stream.set_nonblocking(true).unwrap();
    assert!(stream.read(&mut [0; 1]).is_err(), "the slow wait was over before the others");
    stream.set_nonblocking(false).unwrap();
    daemon.stop();
}

#[test]
fn a_wait_that_takes_long_ends_behind_its_time_and_says_that_it_has_not_looked_at_all() {
    let daemon = Daemon::start_with(|config| config.test_clock = Some(ClockStart::Running));
    let customer = daemon.customer("acme");
    let mut slow = make_long_texts(&customer);
    slow["timeout_ms"] = json!(0);
    let body = not_met(&wait(&customer, slow));
    let message = body["message"].as_str().unwrap();
    assert!(message.contains("Not all messages were looked at"), "{message}");
}

#[test]
fn no_pattern_is_tried_on_a_text_that_is_too_long_for_it_and_the_answer_says_so() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let mut long = mail("ada", "Long", json!({ "text": "ab ".repeat(100_000) }));
    long["content"]["body"] = json!("{{text}}7");
    let message_id = send(&customer, long);
    let pattern = |body: &str, count: Value| json!({ "outbox": { "body": { "matches": body } }, "count": count });
    // Whether it counts is not known, so that nothing is met by it, and nothing waits for more.
    for count in [json!({ "none": true }), json!({ "exactly": 1 })] {
        let body = not_met(&wait(&customer, pattern("7$", count)));
        let message = body["message"].as_str().unwrap();
        let told = "found 0, after 0 ms. Of 1 more it is not known: a text has more than 262144 bytes";
        assert!(message.contains(told), "{message}");
        assert!(
            message.contains(&format!("Nearest is {message_id}, but its body is too long for a pattern.")),
            "{message}"
        );
        let criterion = &body["nearest"][0]["criteria"][0];
        assert_eq!(
            (&criterion["ok"], &criterion["untried"]),
            (&json!(false), &json!("a text of more than 262144 bytes"))
        );
    }
    not_met(&look(&customer, pattern("7$", json!({ "at_least": 1 }))));
    // What is known of it without the pattern is.
    let other = json!({ "outbox": { "recipient": "bob", "body": { "matches": "7" } }, "count": { "none": true } });
    met(&wait(&customer, other));
    met(&wait(&customer, json!({ "outbox": { "body": { "contains": "ab 7" } } })));
    send(&customer, mail("ada", "Short", json!({})));
    met(&wait(&customer, json!({ "outbox": { "recipient": "ada", "subject": { "matches": "^S" } } })));
    // What is repeated of a long text is its beginning.
    let long = wait(&customer, json!({ "outbox": { "body": "y".repeat(60_000) }, "timeout_ms": 0 }));
    let long = not_met(&long);
    assert!(long["message"].as_str().unwrap().len() < 2_000, "{long}");
    assert!(long["nearest"].to_string().len() < 10_000, "{long}");
    let six: Map<String, Value> = (0..6).map(|i| (format!("data.{i}"), json!({ "matches": "a" }))).collect();
    let refused = wait(&customer, json!({ "outbox": six })).refused(400);
    assert!(refused.starts_with("outbox: expected at most 5 regular expressions, found 6"), "{refused}");
}

#[test]
fn what_has_not_settled_is_named() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    customer.put("/_bulkd/lifecycle", &json!({ "mode": "hold" })).ok(200);
    let job_id = customer.create(newsletter());
    customer.ingest(&job_id, readers(0, 3));
    customer.run(&job_id);
    let body = not_met(&look(&customer, json!({ "settled": true })));
    let message = body["message"].as_str().unwrap();
    assert!(message.ends_with(&format!(" Job {job_id} is PROCESSING, with 0 of 3 users done.")), "{message}");
    assert_eq!(body["found"]["processing"], json!([{ "job_id": job_id, "received": 3, "done": 0 }]));
    // A job is named once, also where it may lead to what is wanted.
    let body = not_met(&look(&customer, json!({ "outbox": {}, "count": { "exactly": 3 } })));
    let message = body["message"].as_str().unwrap();
    assert_eq!(message.matches(&job_id).count(), 1, "{message}");
    // It also keeps other requests from being told that nothing was sent, but not those that wait for something.
    let none = json!({ "outbox": { "recipient": "nobody" }, "count": { "none": true } });
    let message = not_met(&look(&customer, none))["message"].as_str().unwrap().to_owned();
    assert_eq!(message.matches(&job_id).count(), 1, "{message}");
    // Also one that has to do with it is told once.
    let concerned = json!({ "outbox": { "recipient": "reader-1" }, "count": { "exactly": 1 } });
    let message = not_met(&look(&customer, concerned))["message"].as_str().unwrap().to_owned();
    assert_eq!(message.matches(&job_id).count(), 1, "{message}");
    let one = not_met(&look(&customer, json!({ "outbox": { "recipient": "nobody" } })));
    assert!(!one["message"].as_str().unwrap().contains(&job_id), "{one}");
}

#[test]
fn what_is_wanted_has_a_bound_and_is_told_by_its_beginning() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    for i in 0..5 {
        send(&customer, mail(&format!("reader-{i}"), "Welcome", json!({ "text": "y".repeat(100_000) })));
    }
    let long = "x".repeat(3_000_000);
    for (condition, about) in [
        (json!({ "outbox": { "subject": long } }), "outbox.subject: expected at most 65536 bytes, found 3000000"),
        (json!({ "outbox": { "subject": { "equals": long } } }), "outbox.subject.equals: expected at most 65536 bytes"),
        (json!({ "outbox": { "body": { "contains": long } } }), "outbox.body.contains: expected at most 65536 bytes"),
        (json!({ "outbox": { "data.n": [long] } }), "outbox.data.n: expected at most 65536 bytes"),
        (json!({ "outbox": { "data.n": { "equals": { "a": long } } } }), "outbox.data.n.equals: expected at most"),
        (json!({ "outbox": { "body": { "matches": long } } }), "outbox.body.matches: expected a regular expression"),
        (json!({ "outbox": { format!("data.{long}"): 1 } }), "outbox: expected names of at most 200 characters"),
        (json!({ "outbox": {}, "after": long }), "after: expected at most 1000 characters"),
        (json!({ "job_id": long }), "job_id: expected at most 1000 characters"),
    ] {
        let refusal = wait(&customer, condition).refused(400);
        assert!(refusal.starts_with(about), "{refusal}");
        assert!(refusal.len() < 500, "{}", refusal.len());
    }
    // What is as long as it may be is not repeated as often as there are messages.
    let text = "x".repeat(60_000);
    let mut criteria = json!({ "subject": { "contains": text, "equals": text, "matches": "x".repeat(900) } });
    for i in 0..45 {
        criteria[format!("data.member-{i}")] = json!({ "equals": [text], "contains": text });
    }
    criteria["data.text"] = json!(text);
    let answer = look(&customer, json!({ "outbox": criteria }));
    let body = not_met(&answer);
    assert!((1..=5).contains(&body["nearest"].as_array().unwrap().len()), "{body}");
    assert!(answer.text.len() < 400_000, "{}", answer.text.len());
    let criteria = body["nearest"][0]["criteria"].as_array().unwrap();
    let wanted = &criteria.iter().find(|it| it["name"] == "subject").unwrap()["wanted"];
    assert_eq!(wanted["matches"].as_str().unwrap().chars().count(), 201, "{wanted}");
}
