//! Faults that a test asks for: which request they hit, and what is done and answered then.

use std::net::TcpStream;
use std::time::Duration;

use bulkd::settings::RateLimitSetting;
use serde_json::Value;

use crate::support::{Customer, Daemon, json, newsletter, readers, wait_until};

#[track_caller]
fn set(customer: &Customer, fault: Value) -> Value {
    customer.post("/_bulkd/faults", &fault).ok(201)
}

fn send(customer: &Customer) -> u16 {
    let content = json!({ "title": "Hello", "body": "You" });
    customer.post("/send", &json!({ "message": { "to": { "user_id": "ada" }, "content": content } })).status
}

/// Whether a request has no answer.
fn is_lost(customer: &Customer, method: &str, path: &str, body: Option<&Value>) -> bool {
    customer.try_send(method, path, body.map(Value::to_string).as_deref()).is_err()
}

fn create() -> Value {
    json!({ "message": newsletter() })
}

/// The jobs that were created, as the journal knows them: also those of which no client has learned.
fn created(customer: &Customer) -> Vec<String> {
    let requests = customer.get("/_bulkd/requests?limit=1000").ok(200)["items"].take();
    let made = requests.as_array().unwrap().iter().rev().filter(|it| it["route"] == "/bulk");
    let ids = made.filter_map(|it| {
        let body = it["response"]["body"].as_str()?;
        Some(serde_json::from_str::<Value>(body).ok()?["jobId"].as_str()?.to_owned())
    });
    ids.collect()
}

#[test]
fn the_nth_call_is_hit_and_as_many_as_were_asked_for() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let fault = set(
        &customer,
        json!({ "name": "busy", "method": "POST", "path": "/send", "call": 2, "times": 2, "status": 503 }),
    );
    assert_eq!((&fault["seen"], &fault["fired"], &fault["left"]), (&json!(0), &json!(0), &json!(2)));
    assert_eq!((0..5).map(|_| send(&customer)).collect::<Vec<_>>(), [202, 503, 503, 202, 202]);
    // Another path, another method, another environment.
    customer.post("/bulk", &create()).ok(201);
    assert_eq!(send(&daemon.customer("globex")), 202);
    let shown = customer.get("/_bulkd/faults").ok(200);
    assert_eq!(shown["items"].as_array().unwrap().len(), 1);
    let (fault_id, shown) = (fault["fault_id"].as_str().unwrap(), &shown["items"][0]);
    assert_eq!((&shown["seen"], &shown["fired"], &shown["left"]), (&json!(5), &json!(2), &json!(0)));
    assert_eq!(customer.get(&format!("/_bulkd/faults/{fault_id}")).ok(200), *shown);
    // What was not to be done was not done.
    assert_eq!(customer.get("/messages").ok(200)["results"].as_array().unwrap().len(), 3);
}

#[test]
fn a_fault_of_its_own_answer_has_the_status_headers_and_body_that_were_asked_for() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let headers = json!({ "retry-after": "7", "x-mine": "yes" });
    set(&customer, json!({ "path": "/bulk", "status": 429, "headers": headers, "body": { "message": "slow down" } }));
    let refused = customer.post("/bulk", &create());
    assert_eq!((refused.status, refused.json()), (429, json!({ "message": "slow down" })));
    assert_eq!((refused.header("retry-after"), refused.header("x-mine")), (Some("7"), Some("yes")));
    set(&customer, json!({ "name": "down", "path": "/bulk", "status": 500 }));
    let refused = customer.post("/bulk", &create());
    assert_eq!(refused.json(), json!({ "message": "a fault that was asked for: down", "type": "api_error" }));
    // After the commit, in place of what was done.
    set(&customer, json!({ "path": "/bulk", "status": 502, "when": "after" }));
    assert_eq!(customer.post("/bulk", &create()).status, 502);
    assert_eq!(created(&customer).len(), 0, "the client was not told");
    let last = &customer.get("/_bulkd/requests").ok(200)["items"][0];
    assert_eq!((&last["status"], &last["made"]), (&json!(502), &json!(201)));
}

#[test]
fn a_lost_answer_was_committed_and_a_lost_request_was_not() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let job = customer.create(newsletter());
    let (ingest, run) = (format!("/bulk/{job}"), format!("/bulk/{job}/run"));
    let users = json!({ "users": readers(0, 3) });
    for (path, body) in [(&ingest, &users), (&run, &json!({}))] {
        let before = customer.job(&job);
        set(&customer, json!({ "path": path, "when": "before", "answer": "lost" }));
        assert!(is_lost(&customer.once(path), "POST", path, Some(body)));
        assert_eq!(customer.job(&job), before, "{path}");
        set(&customer, json!({ "preset": "lost-answer" }));
        assert!(is_lost(&customer.once(path), "POST", path, Some(body)));
        assert_ne!(customer.job(&job), before, "{path}");
        let again = customer.once(path).post(path, body);
        assert_eq!((again.status / 100, again.header("x-bulkd-replayed")), (2, Some("true")), "{again:?}");
    }
    assert_eq!(customer.completed(&job)["enqueued"], 3);
    // Without a key it is done twice.
    set(&customer, json!({ "preset": "lost-answer" }));
    assert!(is_lost(
        &customer,
        "POST",
        "/send",
        Some(&json!({ "message": { "to": { "email": "a@b.co" }, "content": { "title": "t", "body": "b" } } }))
    ));
    assert_eq!(send(&customer), 202);
    assert_eq!(customer.get("/messages").ok(200)["results"].as_array().unwrap().len(), 5);
}

#[test]
fn answers_are_cut_and_connections_reset_also_those_of_short_reads() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    customer.post("/profiles/ada", &json!({ "profile": { "email": "ada@example.com" } })).ok(200);
    for answer in ["cut", "reset", "lost"] {
        // The first is answered by an event loop, the second by a thread.
        for path in ["/profiles/ada", "/messages"] {
            set(&customer, json!({ "method": "GET", "path": path, "answer": answer }));
            assert!(is_lost(&customer, "GET", path, None), "{answer} {path}");
            customer.get(path).ok(200);
        }
    }
    set(&customer, json!({ "method": "GET", "path": "/profiles/{user_id}", "status": 404 }));
    assert_eq!(customer.get("/profiles/ada").status, 404);
}

#[test]
fn a_delay_holds_an_answer_back_by_the_daemons_clock_and_neither_threads_nor_event_loops() {
    // Fewer threads than answers that wait.
    let daemon = Daemon::start_with(|config| config.limits.requests = 4);
    let customer = daemon.customer("acme");
    customer.post("/profiles/ada", &json!({ "profile": { "email": "ada@example.com" } })).ok(200);
    set(&customer, json!({ "preset": "slow-ingest", "path": "/bulk", "times": 20 }));
    set(&customer, json!({ "method": "GET", "path": "/profiles/ada", "delay_ms": 5000, "times": 20 }));
    std::thread::scope(|scope| {
        let ask = |i: usize| {
            let customer = customer.clone();
            scope.spawn(move || match i % 2 {
                0 => customer.post("/bulk", &create()).status,
                _ => customer.get("/profiles/ada").status,
            })
        };
        let asked: Vec<_> = (0..40).map(ask).collect();
        let done = |path: &str| {
            customer.get(&format!("/_bulkd/requests?limit=1000&q={path}")).ok(200)["items"].as_array().unwrap().len()
        };
        wait_until("all is done", || done("/bulk") == 20 && done("/profiles/ada") >= 20);
        assert!(asked.iter().all(|it| !it.is_finished()));
        assert_eq!(customer.get("/profiles/bob").ok(200)["profile"], json!({}));
        assert_eq!(created(&customer).len(), 20);
        daemon.clock.advance(Duration::from_millis(5_000));
        let statuses: Vec<u16> = asked.into_iter().map(|it| it.join().unwrap()).collect();
        assert!(statuses.chunks(2).all(|pair| pair == [201, 200]), "{statuses:?}");
    });
}

#[test]
fn a_share_of_the_requests_is_hit_and_the_same_ones_by_the_same_seed() {
    let daemon = Daemon::start();
    let draw = |seed: u64| -> Vec<u16> {
        let customer = daemon.customer(&format!("key {seed} {}", rand::random::<u32>()));
        set(&customer, json!({ "path": "/profiles/{user_id}", "percent": 50, "seed": seed, "status": 503 }));
        (0..40).map(|_| customer.get("/profiles/ada").status).collect()
    };
    let first = draw(1);
    assert!(first.contains(&503) && first.contains(&200), "{first:?}");
    assert_eq!(first, draw(1));
    assert_ne!(first, draw(2));
}

#[test]
fn a_fault_meets_only_what_matches_it() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let job = customer.create(newsletter());
    let ingest = |customer: &Customer, count| {
        customer.post(&format!("/bulk/{job}"), &json!({ "users": readers(0, count) })).status
    };
    set(
        &customer,
        json!({ "path": "/bulk/{job_id}", "match": { "body_contains": "reader-3" }, "status": 500, "times": null }),
    );
    assert_eq!([ingest(&customer, 3), ingest(&customer, 4), ingest(&customer, 3)], [200, 500, 200]);
    customer.delete("/_bulkd/faults").done();
    set(&customer, json!({ "path": "*", "match": { "headers": { "x-test": "mine" } }, "status": 500 }));
    assert_eq!(ingest(&customer, 3), 200);
    assert_eq!(ingest(&customer.with_header("X-Test", "mine"), 3), 500);
    set(&customer, json!({ "preset": "oversize-502", "match": { "users_at_least": 5 } }));
    assert_eq!([ingest(&customer, 4), ingest(&customer, 5), ingest(&customer, 9)], [200, 502, 502]);
}

#[test]
fn a_header_asks_for_a_fault_of_one_request() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    assert_eq!(send(&customer.with_header("x-bulkd-fault", "503")), 503);
    assert_eq!(send(&customer.with_header("X-Bulkd-Fault", "rate-limited")), 429);
    let lost = customer.with_header("x-bulkd-fault", "lost");
    assert!(is_lost(&lost, "POST", "/bulk", Some(&create())));
    // The SDKs send the header again with their retry, which is another request.
    lost.with_header("X-Stainless-Retry-Count", "1").post("/bulk", &create()).ok(201);
    let wrong = customer.with_header("x-bulkd-fault", "lots").post("/bulk", &create()).refused(400);
    assert!(
        wrong.starts_with("x-bulkd-fault: expected a status, lost, cut, reset, before, after, one of rate-limited, "),
        "{wrong}"
    );
    let ours = customer.with_header("x-bulkd-fault", "503").get("/_bulkd/outbox").refused(400);
    assert!(ours.starts_with("x-bulkd-fault: expected one of Courier's routes"), "{ours}");
}

#[test]
fn a_fault_that_was_not_met_is_told_and_faults_go_one_by_one_together_and_with_a_reset() {
    let daemon = Daemon::start();
    let (customer, other) = (daemon.customer("acme"), daemon.customer("globex"));
    let first = set(&customer, json!({ "path": "/send", "status": 500 }));
    let second = set(&customer, json!({ "path": "/bulk", "status": 500 }));
    assert_eq!(send(&customer), 500);
    let unfired = customer.get("/_bulkd/faults?unfired=true").ok(200);
    assert_eq!(
        (unfired["items"].as_array().unwrap().len(), &unfired["items"][0]["fault_id"]),
        (1, &second["fault_id"])
    );
    let path = format!("/_bulkd/faults/{}", first["fault_id"].as_str().unwrap());
    assert!(other.delete(&path).refused(404).contains("there is no fault"));
    customer.delete(&path).done();
    customer.delete(&path).refused(404);
    customer.delete("/_bulkd/faults").done();
    customer.post("/bulk", &create()).ok(201);
    set(&customer, json!({ "path": "/bulk", "status": 500 }));
    set(&other, json!({ "path": "/bulk", "status": 500 }));
    customer.post("/_bulkd/reset", &json!({})).done();
    customer.post("/bulk", &create()).ok(201);
    assert_eq!(other.post("/bulk", &create()).status, 500);
    // An idempotency key holds for faults, too.
    let fault = json!({ "path": "/send", "status": 500 });
    let made = [customer.once("k").post("/_bulkd/faults", &fault), customer.once("k").post("/_bulkd/faults", &fault)];
    assert_eq!(made[0].text, made[1].text);
    assert_eq!(customer.get("/_bulkd/faults").ok(200)["items"].as_array().unwrap().len(), 1);
}

#[test]
fn a_fault_that_cannot_be_is_refused_by_its_field() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let cases = [
        (json!([1]), "the body: expected an object, found an array"),
        (json!({ "path": "/send", "stauts": 500 }), "stauts: there is no such member; expected preset, name, "),
        (
            json!({ "preset": "slow" }),
            "preset: expected one of rate-limited, lost-answer, slow-ingest, oversize-502, flaky",
        ),
        (json!({ "status": 500 }), "path: expected the path of one of Courier's routes"),
        (json!({ "path": "/_bulkd/outbox", "status": 500 }), "path: expected the path of one of Courier's routes"),
        (json!({ "path": "/sned", "status": 500 }), "path: there is no route /sned; nearest is POST /send ("),
        (json!({ "path": "/bulkd", "status": 500 }), "path: there is no route /bulkd; nearest is POST /bulk ("),
        (json!({ "path": "/livez", "status": 500 }), "path: there is no route /livez"),
        (
            json!({ "path": "/send", "method": "GET", "status": 500 }),
            "path: there is no route GET /send; with this path",
        ),
        (
            json!({ "path": "/send", "method": "HEAD", "status": 500 }),
            "path: there is no route HEAD /send; with this path",
        ),
        (json!({ "path": "/send", "method": "OPTIONS", "status": 500 }), "method: expected one of GET, HEAD, POST, "),
        (
            json!({ "path": format!("/bulk/{}", "x".repeat(3_000_000)), "status": 500 }),
            "path: expected at most 2000 char",
        ),
        // Of several mistakes the first is told, in the order of the members.
        (json!({ "status": 99, "path": 5 }), "path: expected the path of one of Courier's routes"),
        (json!({ "answer": "no", "delay_ms": 0, "match": [] }), "path: expected the path of one of Courier's routes"),
        (json!({ "path": "/send", "status": 99, "match": [] }), "match: expected an object, found an array"),
        (json!({ "path": "/send", "status": 99, "call": 0 }), "call: expected a whole number from 1 on"),
        (json!({ "path": "/send", "status": 99 }), "status: expected a whole number from 200 to 599"),
        (json!({ "path": "/send" }), "status: expected a 'status', an 'answer' or a 'delay_ms'"),
        (json!({ "path": "/send", "status": 500, "call": 0 }), "call: expected a whole number from 1 on"),
        (json!({ "path": "/send", "status": 500, "times": "x" }), "times: expected a whole number from 1 on"),
        (json!({ "path": "/send", "status": 500, "percent": 101 }), "percent: expected a whole number from 1 to 100"),
        (json!({ "path": "/send", "when": "before", "delay_ms": 5 }), "when: expected 'after'"),
        (json!({ "path": "/send", "when": "later", "status": 500 }), "when: expected one of before, after"),
        (json!({ "path": "/send", "answer": "none" }), "answer: expected one of lost, cut, reset"),
        (json!({ "path": "/send", "delay_ms": 600_001 }), "delay_ms: expected a whole number from 1 to 600000"),
        (json!({ "path": "/send", "answer": "lost", "body": "x" }), "body: expected a 'status' beside it"),
        (
            json!({ "path": "/send", "status": 500, "headers": { "content-length": "1" } }),
            "headers.content-length: expected",
        ),
        (json!({ "path": "/send", "status": 500, "headers": { "a": "\r\nb: c" } }), "headers.a: expected"),
        (
            json!({ "path": "/send", "status": 500, "headers": ["a"] }),
            "headers: expected an object of names and texts, found an array",
        ),
        (
            json!({ "path": "/send", "status": 500, "headers": "a: b" }),
            "headers: expected an object of names and texts, found a string",
        ),
        (
            json!({ "path": "/send", "status": 500, "headers": { "a": true } }),
            "headers.a: expected a text or a whole number, found a boolean",
        ),
        (
            json!({ "path": "/send", "status": 500, "headers": { "a": null } }),
            "headers.a: expected a text or a whole number, found null",
        ),
        (
            json!({ "path": "/send", "status": 500, "headers": { "a": ["b"] } }),
            "headers.a: expected a text or a whole number, found an array",
        ),
        (
            json!({ "path": "/send", "status": 500, "headers": { "a": "x".repeat(5_000) } }),
            "headers.a: expected at most 4096 bytes, found 5000",
        ),
        (
            json!({ "path": "/send", "status": 500, "match": { "headers": { "a": {} } } }),
            "match.headers.a: expected a text or a whole number, found an object",
        ),
        (
            json!({ "path": "/send", "status": 500, "match": { "headers": 5 } }),
            "match.headers: expected an object of names and texts, found a number",
        ),
        (json!({ "path": "/send", "status": 500, "match": { "users": 1 } }), "match.users: there is no such member"),
        (json!({ "path": "/send", "status": 500, "match": { "users_at_least": 0 } }), "match.users_at_least: expected"),
    ];
    for (fault, message) in cases {
        let refused = customer.post("/_bulkd/faults", &fault).refused(400);
        assert!(refused.starts_with(message), "{fault}: {refused}");
    }
    for _ in 0..100 {
        set(&customer, json!({ "path": "/send", "status": 500 }));
    }
    let page = customer.get("/_bulkd/faults?limit=60").ok(200);
    let cursor = page["paging"]["cursor"].as_str().unwrap();
    let rest = customer.get(&format!("/_bulkd/faults?limit=60&cursor={cursor}")).ok(200);
    assert_eq!((page["items"].as_array().unwrap().len(), &page["paging"]["more"]), (60, &json!(true)));
    assert_eq!((rest["items"].as_array().unwrap().len(), &rest["paging"]["more"]), (40, &json!(false)));
    assert_ne!(page["items"][59], rest["items"][0]);
    customer.get("/_bulkd/faults?cursor=x").refused(400);
    assert_eq!(customer.post("/_bulkd/faults", &json!({ "path": "/send", "status": 500 })).status, 409);
}

#[test]
fn couriers_limits_of_requests_hold_by_environment_and_minute() {
    let daemon = Daemon::start_with(|config| config.rate_limits = RateLimitSetting::Courier);
    let (customer, other) = (daemon.customer("acme"), daemon.customer("globex"));
    let put = |customer: &Customer, i: usize| customer.put(&format!("/lists/l{i}"), &json!({ "name": "L" }));
    for i in 0..20 {
        put(&customer, i).done();
    }
    daemon.clock.advance(Duration::from_secs(15));
    let refused = put(&customer, 20);
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("45")));
    assert_eq!(refused.json()["type"], "rate_limit_error");
    put(&other, 0).done();
    customer.get("/lists/l0").ok(200);
    assert_eq!(send(&customer), 202);
    daemon.clock.advance(Duration::from_secs(45));
    put(&customer, 20).done();
    // Without the flag there are none.
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    (0..30).for_each(|i| put(&customer, i).done());
}

#[test]
fn a_stop_gives_the_answers_that_wait_since_what_they_tell_of_was_done() {
    let mut daemon = Daemon::start();
    let customer = daemon.customer("acme");
    set(&customer, json!({ "path": "/bulk", "delay_ms": 300_000 }));
    std::thread::scope(|scope| {
        let asking = customer.clone();
        let asked = scope.spawn(move || asking.post("/bulk", &create()).status);
        wait_until("it waits", || created(&customer).len() == 1);
        let address = daemon.address();
        daemon.stop();
        assert_eq!(asked.join().unwrap(), 201);
        assert!(TcpStream::connect(address).is_err());
    });
}

#[test]
fn null_is_as_if_it_was_not_said() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let plain = json!({ "path": "/send", "status": 503, "match": {} });
    let mut nulls = plain.clone();
    for name in ["preset", "name", "method", "call", "percent", "seed", "when", "headers", "body", "delay_ms", "answer"]
    {
        nulls[name] = Value::Null;
    }
    nulls["match"] = json!({ "body_contains": null, "users_at_least": null, "headers": null });
    let made = |fault: Value| {
        let mut made = set(&customer, fault);
        made["fault_id"].take();
        made
    };
    assert_eq!(made(nulls), made(plain));
    // But for what it says: without end.
    assert_eq!(made(json!({ "path": "/send", "status": 503, "times": null }))["times"], Value::Null);
    assert_eq!(made(json!({ "path": "/send", "status": 503 }))["times"], 1);
    let refused = customer.post("/_bulkd/faults", &json!({ "path": null, "status": 503 })).refused(400);
    assert!(refused.starts_with("path: "), "{refused}");
}

#[test]
fn a_fault_that_no_request_can_meet_is_refused() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    for path in ["/bulk/*", "/bulk/:job_id", "/*"] {
        let told = customer.post("/_bulkd/faults", &json!({ "path": path, "status": 503 })).refused(400);
        assert!(told.starts_with("path: expected '*' alone"), "{told}");
    }
    let no_users = json!({ "path": "/bulk", "status": 503, "match": { "users_at_least": 5 } });
    let told = customer.post("/_bulkd/faults", &no_users).refused(400);
    assert!(told.starts_with("match.users_at_least: expected it for POST /bulk/{job_id} alone"), "{told}");
    assert_eq!(customer.get("/_bulkd/faults").ok(200)["items"], json!([]));
}

#[test]
fn a_fault_of_get_meets_head_and_one_of_head_meets_nothing_else() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let job_id = customer.create(create()["message"].clone());
    let path = format!("/bulk/{job_id}");
    set(&customer, json!({ "method": "GET", "path": "/bulk/{job_id}", "status": 503, "times": 2 }));
    let head = customer.send("HEAD", &path, None);
    assert_eq!((head.status, head.text.as_str()), (503, ""));
    assert_eq!((customer.get(&path).status, customer.get(&path).status), (503, 200));
    let fault = set(&customer, json!({ "method": "head", "path": "/bulk/{job_id}", "status": 502 }));
    assert_eq!((customer.get(&path).status, customer.send("HEAD", &path, None).status), (200, 502));
    let shown = customer.get(&format!("/_bulkd/faults/{}", fault["fault_id"].as_str().unwrap())).ok(200);
    assert_eq!((&shown["seen"], &shown["fired"]), (&json!(1), &json!(1)));
}
