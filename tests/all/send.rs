//! `POST /send` and what the Messages API tells of it.

use std::time::Duration;

use crate::support::{Customer, Daemon, NOW, Reply, json, open_store, wait_until};
use bulkd::model::environment::Environment;
use bulkd::model::row::MessageNumber;
use bulkd::store::environment;
use bulkd::store::message_search::{self, MessageFilter, PageLimits};
use serde_json::Value;

fn send(customer: &Customer, message: Value) -> String {
    let sent = customer.post("/send", &json!({ "message": message })).ok(202);
    sent["requestId"].as_str().unwrap().to_owned()
}

fn message(customer: &Customer, message_id: &str) -> Value {
    customer.get(&format!("/messages/{message_id}")).ok(200)
}

fn went_out(customer: &Customer, message_id: &str) -> Vec<Value> {
    customer.get(&format!("/_bulkd/outbox?fields=all&message_id={message_id}")).ok(200)["items"]
        .as_array()
        .unwrap()
        .clone()
}

fn outcome(record: &Value) -> (&str, &str) {
    (record["status"].as_str().unwrap(), record["reason"].as_str().unwrap_or_default())
}

fn hello() -> Value {
    json!({ "title": "Hello {{name}}", "body": "Welcome, {{name}}." })
}

#[test]
fn a_send_to_one_recipient_is_a_message_at_once() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let request_id = send(
        &customer,
        json!({
            "to": { "user_id": "ada", "email": "ada@example.com", "data": { "name": "Ada" } },
            "content": hello(),
            "data": { "name": "nobody" },
            "metadata": { "tags": ["welcome"], "trace_id": "t-1" },
        }),
    );
    let record = message(&customer, &request_id);
    assert_eq!(
        record,
        json!({
            "id": request_id, "status": "SENT", "enqueued": NOW, "sent": NOW, "event": "", "notification": "",
            "recipient": "ada", "recipientId": "ada", "tags": ["welcome"], "traceId": "t-1",
            "providers": [{
                "channel": { "key": "email", "name": "email" }, "provider": "sendgrid", "status": "SENT", "sent": NOW,
            }],
        })
    );
    let went = &went_out(&customer, &request_id)[0];
    assert_eq!((&went["subject"], &went["body"]), (&json!("Hello Ada"), &json!("Welcome, Ada.")));
    assert_eq!(went["request"]["personalizations"][0]["to"][0]["email"], "ada@example.com");
    assert!(went["html"].as_str().unwrap().contains("Welcome, Ada."));
    let output = customer.get(&format!("/messages/{request_id}/output")).ok(200);
    let content = &output["results"][0]["content"];
    assert_eq!((&content["subject"], &content["text"]), (&json!("Hello Ada"), &json!("Welcome, Ada.")));
    daemon.customer("globex").get(&format!("/messages/{request_id}")).refused(404);
}

#[test]
fn a_bulk_message_is_fetched_like_any_other_and_knows_its_job() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    customer.create(json!({ "event": "never run" }));
    let job_id = customer.create(json!({ "event": "weekly", "content": hello() }));
    customer.ingest(&job_id, json!([{ "recipient": "ada", "data": { "name": "Ada" } }]));
    customer.run_to_the_end(&job_id);
    let message_id = customer.users(&job_id)[0]["messageId"].as_str().unwrap().to_owned();
    let record = message(&customer, &message_id);
    assert_eq!(
        (&record["jobId"], &record["event"], &record["recipient"]),
        (&json!(job_id), &json!("weekly"), &json!("ada"))
    );
    customer.get(&format!("/messages/{job_id}")).refused(404);
    customer.get("/messages/nonsense").refused(404);
}

#[test]
fn many_recipients_get_a_message_each() {
    let mut daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let to: Vec<Value> = (0..500).map(|i| json!({ "user_id": format!("u{i}"), "data": { "name": i } })).collect();
    let request_id = send(&customer, json!({ "to": to, "content": hello() }));
    let outbox = customer.outbox(&request_id);
    assert_eq!(outbox.len(), 500);
    assert_eq!((&outbox[499]["recipient"], &outbox[499]["subject"]), (&json!("u499"), &json!("Hello 499")));
    let too_many: Vec<Value> = (0..501).map(|i| json!({ "user_id": format!("u{i}") })).collect();
    let refused = customer.post("/send", &json!({ "message": { "to": too_many, "content": hello() } })).refused(400);
    assert_eq!(refused, "message.to has 501 recipients. Max is 500");
    // A recipient that is named twice gets two.
    let twice = send(&customer, json!({ "to": [{ "user_id": "ada" }, { "user_id": "ada" }], "content": hello() }));
    assert_eq!(customer.outbox(&twice).len(), 2);
    daemon.stop();
    bulkd::store::check::check(&daemon.database()).unwrap();
}

#[test]
fn a_list_or_a_pattern_reaches_all_subscribers() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    for (list, users) in [("eng.rust", ["ada", "bob"]), ("eng.c", ["cy", "dan"]), ("ops", ["eve", "flo"])] {
        subscribe(&customer, list, users.map(str::to_owned));
    }
    let reached = |to: Value| -> Vec<String> {
        let request_id = send(&customer, json!({ "to": to, "content": hello() }));
        let mut found: Vec<String> = Vec::new();
        let expected = if to.get("list_id").is_some() { 2 } else { 4 };
        wait_until("every recipient is reached", || {
            let names = customer.outbox(&request_id);
            found = names.iter().map(|it| it["recipient"].as_str().unwrap().to_owned()).collect();
            found.len() == expected
        });
        found.sort();
        found
    };
    assert_eq!(reached(json!({ "list_id": "ops" })), ["eve", "flo"]);
    assert_eq!(reached(json!({ "list_pattern": "eng.*" })), ["ada", "bob", "cy", "dan"]);
    let of_list = customer.get("/messages?list=ops").ok(200);
    assert_eq!(of_list["results"].as_array().unwrap().len(), 2);
    let profiles = [
        ("ada", json!({ "account_id": "a1" })),
        ("bob", json!({ "account_id": ["a2", "a1"], "custom": { "level": 3 } })),
        ("cy", json!({ "account_id": "a2", "custom": { "level": 3 } })),
    ];
    for (user, profile) in profiles {
        customer.put(&format!("/profiles/{user}"), &json!({ "profile": profile })).ok(200);
    }
    let member_of = |path: &str, value: &str| json!({ "operator": "MEMBER_OF", "path": path, "value": value });
    for (filters, expected) in [
        (json!([member_of("account_id", "a1")]), vec!["ada", "bob"]),
        (json!([member_of("account_id", "a2"), member_of("custom.level", "3")]), vec!["bob", "cy"]),
        (json!([member_of("account_id", "a1"), member_of("account_id", "a2")]), vec!["bob"]),
    ] {
        let to = json!({ "list_pattern": "eng.*", "filters": filters });
        let request_id = send(&customer, json!({ "to": to, "content": hello() }));
        let mut found = Vec::new();
        wait_until("those whom the filters take are reached", || {
            found = customer.outbox(&request_id);
            found.len() == expected.len()
        });
        let mut found: Vec<&str> = found.iter().map(|it| it["recipient"].as_str().unwrap()).collect();
        found.sort();
        assert_eq!(found, expected, "{filters}");
    }
    let filtered = json!({ "list_id": "eng.rust", "filters": [member_of("account_id", "a9")] });
    let filtered = send(&customer, json!({ "to": filtered, "content": hello() }));
    assert_eq!(customer.outbox(&filtered), Vec::<Value>::new());
    // A list without subscribers has no message.
    let unsubscribed = send(&customer, json!({ "to": { "list_id": "nobody" }, "content": hello() }));
    assert_eq!(customer.outbox(&unsubscribed), Vec::<Value>::new());
}

/// Has these users in a list.
fn subscribe(customer: &Customer, list_id: &str, users: impl IntoIterator<Item = String>) {
    let recipients: Vec<Value> = users.into_iter().map(|user| json!({ "recipientId": user })).collect();
    let subscribed = customer.put(&format!("/lists/{list_id}/subscriptions"), &json!({ "recipients": recipients }));
    assert!(subscribed.status < 300, "{subscribed:?}");
}

#[test]
fn data_for_more_subscribers_than_can_be_held_is_refused() {
    let daemon = Daemon::start_with(|config| config.workers = 0);
    let customer = daemon.customer("acme");
    subscribe(&customer, "news", (0..60).map(|i| format!("user-{i}")));
    let data = json!({ "large": "x".repeat(5_000_000) });
    let to = |data: &Value| json!({ "message": { "to": [{ "list_id": "news", "data": data }], "content": hello() } });
    let message = customer.post("/send", &to(&data)).refused(400);
    assert!(
        message.starts_with("message.to: expected lists whose subscribers, each with the list's data, "),
        "{message}"
    );
    let file = crate::support::open_file(&daemon.database());
    assert_eq!(file.query_row("SELECT count(*) FROM jobs", [], |row| row.get::<_, i64>(0)), Ok(0));
    customer.post("/send", &to(&json!({ "small": 1 }))).ok(202);
    assert_eq!(file.query_row("SELECT received FROM jobs", [], |row| row.get::<_, i64>(0)), Ok(60));
}

#[test]
fn a_send_that_is_too_much_to_hold_is_left_to_the_runner() {
    let large = json!({ "title": "Hi", "body": "x".repeat(50_000) });
    let to = |count: usize| -> Value { (0..count).map(|i| json!({ "email": format!("{i}@example.com") })).collect() };
    let messages = |daemon: &Daemon| {
        let count = "SELECT count(*) FROM messages WHERE status = 'SENT'";
        crate::support::open_file(&daemon.database()).query_row(count, [], |row| row.get::<_, i64>(0)).unwrap()
    };
    let idle = Daemon::start_with(|config| config.workers = 0);
    let customer = idle.customer("acme");
    send(&customer, json!({ "to": to(400), "content": large }));
    assert_eq!(messages(&idle), 0);
    send(&customer, json!({ "to": to(300), "content": large }));
    assert_eq!(messages(&idle), 300);
    // So are profiles, whatever is made of them.
    for user in ["ada", "bob", "cy", "dan"] {
        let profile = json!({ "email": "a@example.com", "large": "x".repeat(6_000_000) });
        assert_eq!(customer.put(&format!("/profiles/{user}"), &json!({ "profile": profile })).status, 200);
    }
    let named = |users: &[&str]| -> Value { users.iter().map(|user| json!({ "user_id": user })).collect() };
    send(&customer, json!({ "to": named(&["ada", "bob", "cy", "dan"]), "content": hello() }));
    assert_eq!(messages(&idle), 300);
    send(&customer, json!({ "to": named(&["ada", "bob", "cy"]), "content": hello() }));
    assert_eq!(messages(&idle), 303);

    let daemon = Daemon::start();
    let request_id = send(&daemon.customer("acme"), json!({ "to": to(400), "content": large }));
    wait_until("every recipient is reached", || messages(&daemon) == 400);
    let first = daemon.customer("acme").get(&format!("/messages?traceId={request_id}&limit=1")).ok(200);
    assert_eq!(first["results"][0]["recipient"], "399@example.com");
}

#[test]
fn a_send_that_cannot_be_is_refused_by_its_field_and_makes_nothing() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let cases = [
        (json!({ "to": { "user_id": "a" } }), "Invalid Request. Either 'content' or 'template' must be defined."),
        (json!({ "content": hello() }), "message.to: expected a recipient"),
        (json!({ "to": [], "content": hello() }), "message.to: expected at least one recipient"),
        (json!({ "to": 5, "content": hello() }), "message.to: expected an object"),
        (
            json!({ "to": [{ "user_id": "a" }, { "user_id": 5 }], "content": hello() }),
            "message.to[1].user_id: expected",
        ),
        (json!({ "to": { "user_id": "" }, "content": hello() }), "message.to.user_id: expected a text"),
        (
            json!({ "to": { "list_id": "l", "filters": [{ "operator": "EQ", "path": "a", "value": "b" }] }, "content": hello() }),
            "message.to.filters[0].operator: expected one of MEMBER_OF",
        ),
        (
            json!({ "to": { "list_id": "l", "filters": {} }, "content": hello() }),
            "message.to.filters: expected an array",
        ),
        (
            json!({ "to": { "user_id": "a", "tenant_id": 7 }, "content": hello() }),
            "message.to.tenant_id: expected a string, found integer 7",
        ),
        (
            json!({ "to": { "user_id": "a", "context": "x" }, "content": hello() }),
            "message.to.context: expected an object, found string \"x\"",
        ),
        (json!({ "to": { "audience_id": "a" }, "content": hello() }), "message.to.audience_id: audiences are not"),
        (json!({ "to": { "user_id": "a" }, "content": { "body": "{{#if}" } }), "message.content.body: not a valid"),
        (
            json!({ "to": { "user_id": "a" }, "content": hello(), "template": "t" }),
            "message: expected either 'template'",
        ),
        (
            json!({ "to": { "user_id": "a" }, "content": hello(), "routing": { "method": "some", "channels": [] } }),
            "message.routing.method: expected one of",
        ),
        (
            json!({ "to": { "user_id": "a" }, "content": hello(), "routing": { "channels": [{ "channel": "email", "if": "a ==" }] } }),
            "message.routing.channels[0].if: not a valid condition",
        ),
        (
            json!({ "to": { "user_id": "a" }, "content": hello(), "routing": { "method": "all", "channels": vec!["email"; 101] } }),
            "message.routing.channels: expected at most 100 entries",
        ),
        (
            json!({ "to": { "user_id": "a" }, "content": hello(), "channels": { "email": { "providers": vec!["smtp"; 101] } } }),
            "message.channels.email.providers: expected at most 100 providers",
        ),
        (
            json!({ "to": { "user_id": "a" }, "content": hello(), "routing": {
                "channels": [{ "channels": [{ "channel": "email", "config": { "providers": vec!["smtp"; 101] } }] }],
            } }),
            "message.routing.channels[0].channels[0].config.providers: expected at most 100 providers",
        ),
        (
            json!({ "to": { "user_id": "a" }, "content": hello(), "delay": { "until": "Tuesday" } }),
            "message.delay.until: expected an ISO 8601 date",
        ),
        (
            json!({ "to": { "user_id": "a" }, "content": hello(),
                    "delay": { "until": "2030-01-01T00:00:00", "timezone": "Europe/Nowhere" } }),
            "message.delay.timezone: expected the name of a time zone",
        ),
        (
            json!({ "to": { "user_id": "a" }, "content": hello(), "channels": { "email": { "if": "a ==" } } }),
            "message.channels.email.if: not a valid condition",
        ),
    ];
    for (message, expected) in cases {
        let refused = customer.post("/send", &json!({ "message": message })).refused(400);
        assert!(refused.starts_with(expected), "said     {refused}\nexpected {expected}");
    }
    assert_eq!(customer.get("/messages").ok(200)["results"], json!([]));
}

#[test]
fn what_a_definition_says_of_its_messages_is_read_in_one_way() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let job_id = customer.create(json!({
        "event": "",
        "message": { "content": hello(), "context": {}, "message": 5, "metadata": null },
        "metadata": { "event": "weekly", "tags": ["news"], "trace_id": "t-1" },
        "context": { "tenant_id": "globex" },
    }));
    customer.ingest(&job_id, json!([{ "recipient": "ada" }]));
    customer.run_to_the_end(&job_id);
    let found = customer.get("/messages?event=weekly&tag=news&traceId=t-1&tenant_id=globex").ok(200);
    assert_eq!(found["results"][0]["jobId"], job_id.as_str());
}

#[test]
fn a_repeated_send_with_a_key_sends_once() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme").once("key-1");
    let body = json!({ "message": { "to": { "user_id": "ada" }, "content": hello() } });
    let first = customer.post("/send", &body).ok(202);
    assert_eq!(customer.post("/send", &body).ok(202), first);
    assert_eq!(customer.get("/messages").ok(200)["results"].as_array().unwrap().len(), 1);
}

#[test]
fn routing_tries_channels_in_turn_or_takes_all_of_them() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let channels = |message_id: &str| -> Vec<String> {
        let went = went_out(&customer, message_id);
        went.iter()
            .map(|it| format!("{} {}", it["channel"].as_str().unwrap(), it["status"].as_str().unwrap()))
            .collect()
    };
    let to = json!({ "user_id": "ada", "email": "ada@example.com", "phone_number": "+15551234567" });
    let routed =
        |to: &Value, routing: Value| send(&customer, json!({ "to": to, "content": hello(), "routing": routing }));
    let cases = [
        (json!({ "method": "single", "channels": ["sms", "email"] }), vec!["sms SENT"]),
        (json!({ "method": "single", "channels": ["push", "email", "sms"] }), vec!["email SENT"]),
        (json!({ "method": "all", "channels": ["push", "sms", "email"] }), vec!["sms SENT", "email SENT"]),
        (
            json!({ "method": "all", "channels": ["inbox", { "method": "single", "channels": ["push", "sms", "email"] }] }),
            vec!["inbox SENT", "sms SENT"],
        ),
    ];
    for (routing, expected) in cases {
        assert_eq!(channels(&routed(&to, routing.clone())), expected, "{routing}");
    }
    // What a provider refuses goes to the next channel; what bounces does not.
    let rejected = json!({ "user_id": "r", "email": "reject@simulator.bulkd", "phone_number": "+15551234567" });
    let single = json!({ "method": "single", "channels": ["email", "sms"] });
    let failed_over = routed(&rejected, single.clone());
    assert_eq!(channels(&failed_over), ["email UNDELIVERABLE", "sms SENT"]);
    assert_eq!(message(&customer, &failed_over)["status"], "SENT");
    let bounced = json!({ "user_id": "b", "email": "bounce@simulator.bulkd", "phone_number": "+15551234567" });
    let bounced = routed(&bounced, single);
    assert_eq!(outcome(&message(&customer, &bounced)), ("UNDELIVERABLE", "BOUNCED"));
    // Nothing that is asked for can be had.
    let nowhere = routed(&json!({ "user_id": "n" }), json!({ "method": "all", "channels": ["email", "sms"] }));
    assert_eq!(outcome(&message(&customer, &nowhere)), ("UNROUTABLE", "NO_CHANNELS"));
    assert_eq!(message(&customer, &nowhere)["error"], "the recipient cannot be reached by email, sms");
    let unknown = routed(&to, json!({ "method": "all", "channels": ["pigeon"] }));
    assert_eq!(outcome(&message(&customer, &unknown)), ("UNROUTABLE", "PROVIDER_ERROR"));
}

#[test]
fn conditions_providers_and_overrides_of_a_message_are_obeyed() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let message_with = |members: Value| {
        let mut message = json!({
            "to": { "user_id": "ada", "email": "ada@example.com", "data": { "plan": "free" } }, "content": hello(),
            "routing": { "method": "single", "channels": ["email"] },
        });
        message.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        send(&customer, message)
    };
    let stopped = message_with(json!({ "channels": { "email": { "if": "data.plan === \"paid\"" } } }));
    assert_eq!(outcome(&message(&customer, &stopped)), ("FILTERED", "FILTERED"));
    let passed = message_with(json!({ "channels": { "email": { "if": "data.plan == 'free'" } } }));
    assert_eq!(message(&customer, &passed)["status"], "SENT");
    let by_provider = message_with(json!({ "providers": { "sendgrid": { "if": "false" } } }));
    assert_eq!(outcome(&message(&customer, &by_provider)), ("FILTERED", "FILTERED"));
    let postmark = message_with(json!({ "channels": { "email": { "providers": ["postmark", "sendgrid"] } } }));
    assert_eq!(went_out(&customer, &postmark)[0]["provider"], "postmark");
    let overridden = message_with(
        json!({ "providers": { "sendgrid": { "override": { "body": { "ip_pool_name": "marketing" } } } } }),
    );
    assert_eq!(went_out(&customer, &overridden)[0]["request"]["ip_pool_name"], "marketing");
    let sms = send(
        &customer,
        json!({
            "to": { "phone_number": "+15550100" }, "content": hello(),
            "channels": { "sms": { "override": { "body": "Short", "from": "+1999" } } },
        }),
    );
    assert_eq!(went_out(&customer, &sms)[0]["request"]["Body"], "Short");
    let output = customer.get(&format!("/messages/{sms}/output")).ok(200);
    let content = &output["results"][0]["content"];
    assert_eq!(
        (&content["body"], &content["blocks"]),
        (&json!("Short"), &json!([{ "type": "text", "text": "Short" }]))
    );
}

#[test]
fn a_delayed_message_waits_for_its_time_or_is_canceled() {
    let mut daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let delayed = || {
        send(
            &customer,
            json!({
                "to": { "user_id": "ada", "data": { "name": "Ada" } }, "content": hello(), "delay": { "duration": 60_000 },
            }),
        )
    };
    let (first, second) = (delayed(), delayed());
    assert_eq!(message(&customer, &first)["status"], "DELAYED");
    assert_eq!(went_out(&customer, &first)[0]["channel"], Value::Null);
    let canceled = customer.post(&format!("/messages/{second}/cancel"), &json!({})).ok(200);
    assert_eq!((&canceled["status"], &canceled["canceledAt"]), (&json!("CANCELED"), &json!(NOW)));

    daemon.clock.advance(Duration::from_secs(59));
    daemon.restart();
    let customer = daemon.customer("acme");
    assert_eq!(message(&customer, &first)["status"], "DELAYED");
    daemon.clock.advance(Duration::from_secs(1));
    wait_until("the delayed message is sent", || message(&customer, &first)["status"] == "SENT");
    let record = message(&customer, &first);
    assert_eq!((&record["enqueued"], &record["sent"]), (&json!(NOW), &json!(NOW + 60_000)));
    assert_eq!(went_out(&customer, &first)[0]["subject"], "Hello Ada");
    assert_eq!(message(&customer, &second)["status"], "CANCELED");

    let late: Reply = customer.post(&format!("/messages/{first}/cancel"), &json!({}));
    assert_eq!((late.status, late.header("x-should-retry")), (409, Some("false")));
    assert_eq!(late.json()["status"], "SENT");
    daemon.stop();
    bulkd::store::check::check(&daemon.database()).unwrap();
}

#[test]
fn a_delayed_message_that_cannot_be_written_holds_up_no_other() {
    let mut daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let to = |i: usize| json!({ "user_id": format!("user-{i}"), "email": "a@example.com" });
    // More than go into one commit, by their number and by their text.
    let delayed = |to: Value, body: String| {
        send(
            &customer,
            json!({ "to": to, "content": { "title": "Hi", "body": body }, "delay": { "duration": 60_000 } }),
        )
    };
    delayed((0..150).map(to).collect(), "Hello".to_owned());
    delayed((150..180).map(to).collect(), "x".repeat(100_000));
    delayed(to(180), "Bye".to_owned());
    daemon.stop();
    let file = rusqlite::Connection::open(daemon.database()).unwrap();
    file.execute_batch(
        "CREATE TRIGGER stuck BEFORE INSERT ON message_events WHEN new.number IN (
             SELECT number FROM messages WHERE recipient IN ('user-3', 'user-70', 'user-160'))
         BEGIN SELECT RAISE(ABORT, 'no'); END",
    )
    .unwrap();
    let count = |status: &str| -> i64 {
        file.query_row("SELECT count(*) FROM messages WHERE status = ?1", [status], |row| row.get(0)).unwrap()
    };
    assert_eq!(count("DELAYED"), 181);
    daemon.clock.advance(Duration::from_secs(60));
    daemon.open();
    wait_until("all others are sent", || count("SENT") == 178);
    assert_eq!(count("DELAYED"), 3);
    file.execute_batch("DROP TRIGGER stuck").unwrap();
    wait_until("these are sent as well", || count("SENT") == 181);
}

#[test]
fn a_bulk_job_can_be_delayed_as_well() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let job_id = customer.create(json!({ "message": { "content": hello(), "delay": { "duration": 1000 } } }));
    customer.ingest(&job_id, json!([{ "recipient": "ada" }, { "recipient": "bob" }]));
    let job = customer.run_to_the_end(&job_id);
    assert_eq!((&job["enqueued"], &job["failures"]), (&json!(2), &json!(0)));
    assert!(customer.outbox(&job_id).iter().all(|it| it["status"] == "DELAYED"));
    daemon.clock.advance(Duration::from_secs(1));
    wait_until("both are sent", || customer.outbox(&job_id).iter().all(|it| it["status"] == "SENT"));
}

#[test]
fn simulated_recipients_decide_their_fate() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let cases = [
        (json!({ "email": "delivered@simulator.bulkd" }), ("DELIVERED", "")),
        (json!({ "email": "open+42@simulator.bulkd" }), ("OPENED", "")),
        (json!({ "email": "click@SIMULATOR.bulkd" }), ("CLICKED", "")),
        (json!({ "email": "bounce@simulator.bulkd" }), ("UNDELIVERABLE", "BOUNCED")),
        (json!({ "email": "reject@simulator.bulkd" }), ("UNDELIVERABLE", "PROVIDER_ERROR")),
        (json!({ "email": "unsubscribed@simulator.bulkd" }), ("UNDELIVERABLE", "UNSUBSCRIBED")),
        (json!({ "email": "delay@simulator.bulkd" }), ("DELAYED", "")),
        (json!({ "email": "somebody@simulator.bulkd" }), ("SENT", "")),
        (json!({ "phone_number": "+15005550001" }), ("UNDELIVERABLE", "PROVIDER_ERROR")),
        (json!({ "phone_number": "+15005550004" }), ("UNDELIVERABLE", "UNSUBSCRIBED")),
        (json!({ "phone_number": "+15005550006" }), ("DELIVERED", "")),
        (json!({ "phone_number": "+15005550009" }), ("UNDELIVERABLE", "BOUNCED")),
    ];
    for (to, expected) in cases {
        let routing = json!({ "method": "single", "channels": ["email", "sms"] });
        let message_id = send(&customer, json!({ "to": to, "content": hello(), "routing": routing }));
        assert_eq!(outcome(&message(&customer, &message_id)), expected, "{to}");
    }
    let mock = daemon.customer("mock_key");
    let simulated = send(&mock, json!({ "to": { "email": "ada@example.com" }, "content": hello() }));
    assert_eq!(message(&mock, &simulated)["status"], "SIMULATED");
    let everywhere = json!({ "method": "all", "channels": ["email", "sms", "inbox"] });
    for email in ["ada@example.com", "reject@simulator.bulkd", "delay@simulator.bulkd"] {
        let to = json!({ "user_id": "ada", "email": email, "phone_number": "+15005550001" });
        let simulated = send(&mock, json!({ "to": to, "content": hello(), "routing": everywhere }));
        let went: Vec<Value> = went_out(&mock, &simulated).iter().map(|it| it["status"].clone()).collect();
        assert_eq!(went, ["SIMULATED", "SIMULATED", "SIMULATED"], "{email}");
    }
}

#[test]
fn every_channel_of_a_message_has_a_fate_of_its_own() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let both = json!({ "method": "all", "channels": ["sms", "email"] });
    for (email, status) in [("delivered", "DELIVERED"), ("open", "OPENED"), ("click", "CLICKED")] {
        let to = json!({ "phone_number": "+15551234567", "email": format!("{email}@simulator.bulkd") });
        let message_id = send(&customer, json!({ "to": to, "content": hello(), "routing": both }));
        let went = went_out(&customer, &message_id);
        assert_eq!((&went[0]["status"], &went[1]["status"]), (&json!("SENT"), &json!(status)));
    }
}

#[test]
fn what_a_user_prefers_decides() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    customer.put("/users/ada/preferences/news", &json!({ "topic": { "status": "OPTED_OUT" } })).ok(200);
    let choice = json!({ "topic": { "status": "OPTED_IN", "has_custom_routing": true, "custom_routing": ["sms"] } });
    customer.put("/users/bob/preferences/news", &choice).ok(200);
    let to = |user: &str| json!({ "user_id": user, "email": "x@example.com", "phone_number": "+15551234567" });
    let about = |to: Value| {
        send(&customer, json!({ "to": to, "content": hello(), "preferences": { "subscription_topic_id": "news" } }))
    };
    let opted_out = message(&customer, &about(to("ada")));
    assert_eq!(outcome(&opted_out), ("UNDELIVERABLE", "UNSUBSCRIBED"));
    assert_eq!(opted_out["error"], "Notification opted out by user");
    let entry = json!({ "error": "Notification opted out by user", "status": "UNDELIVERABLE" });
    assert_eq!(opted_out["providers"], json!([entry]));
    assert_eq!(went_out(&customer, &about(to("bob")))[0]["channel"], "sms");
    assert_eq!(went_out(&customer, &about(to("cy")))[0]["channel"], "email");
    let filtered = json!({
        "to": to("dan"), "content": hello(), "preferences": { "subscription_topic_id": "news" },
        "channels": { "email": { "if": "false" } },
    });
    let choice = json!({ "status": "OPTED_IN", "has_custom_routing": true, "custom_routing": ["email", "sms"] });
    customer.put("/users/dan/preferences/news", &json!({ "topic": choice })).ok(200);
    assert_eq!(went_out(&customer, &send(&customer, filtered))[0]["channel"], "email");
    // What is sent with the recipient goes before what is stored.
    let mut ada = to("ada");
    ada["preferences"] = json!({ "notifications": {}, "categories": { "news": { "status": "OPTED_IN" } } });
    assert_eq!(message(&customer, &about(ada))["status"], "SENT");
}

#[test]
fn a_choice_with_rules_holds_at_their_times() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let cases = [
        (json!([{ "until": "2020-01-01T00:00:00Z" }]), "SENT"),
        (json!([{ "until": "2030-01-01T00:00:00Z" }]), "UNDELIVERABLE"),
        (json!([{ "until": "2030-01-01", "start": "2026-09-21T14:13:20Z" }]), "UNDELIVERABLE"),
        (json!([{ "until": "2030-01-01", "start": "2026-09-21T14:13:21Z" }]), "SENT"),
        (json!([{ "until": "2026-09-21T14:13:20Z" }]), "SENT"),
        (json!([{ "until": "2026-09-21T16:13:21+02:00", "start": null }]), "UNDELIVERABLE"),
        (json!([{ "until": "2020-01-01" }, { "until": "2030-01-01" }]), "UNDELIVERABLE"),
        (json!([{ "until": "until", "start": "start" }]), "UNDELIVERABLE"),
        (json!([]), "UNDELIVERABLE"),
        (Value::Null, "UNDELIVERABLE"),
    ];
    for (rules, expected) in cases {
        for (part, named) in [("categories", "news"), ("notifications", "weekly")] {
            let mut to = json!({ "user_id": "ada", "email": "ada@example.com" });
            to["preferences"] = json!({ "notifications": {} });
            to["preferences"][part] = json!({ named: { "status": "OPTED_OUT", "rules": rules } });
            let topic = json!({ "subscription_topic_id": "news" });
            let sent = json!({ "to": to, "content": hello(), "event": "weekly", "preferences": topic });
            assert_eq!(message(&customer, &send(&customer, sent))["status"], expected, "{part} {rules}");
        }
    }
    // What does not hold leaves the word to what is stored.
    customer.put("/users/ada/preferences/news", &json!({ "topic": { "status": "OPTED_OUT" } })).ok(200);
    let rules = json!([{ "until": "2020-01-01" }]);
    let preferences =
        json!({ "notifications": {}, "categories": { "news": { "status": "OPTED_IN", "rules": rules } } });
    let to = json!({ "user_id": "ada", "email": "ada@example.com", "preferences": preferences });
    let topic = json!({ "subscription_topic_id": "news" });
    let sent = send(&customer, json!({ "to": to, "content": hello(), "preferences": topic }));
    assert_eq!(outcome(&message(&customer, &sent)), ("UNDELIVERABLE", "UNSUBSCRIBED"));
}

#[test]
fn the_tenant_of_a_recipient_goes_before_that_of_the_message() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let opted_out = json!({ "topic": { "status": "OPTED_OUT" } });
    customer.put("/users/ada/preferences/news?tenant_id=acme", &opted_out).ok(200);
    let message_to = |to: Value, tenant_id: Value| {
        json!({
            "to": to, "content": { "title": "{{tenant.id}}", "body": "{{#if tenant.id}}in {{tenant.id}}{{/if}}" },
            "preferences": { "subscription_topic_id": "news" }, "context": { "tenant_id": tenant_id },
        })
    };
    let ada = |members: Value| {
        let mut to = json!({ "user_id": "ada", "email": "ada@example.com" });
        to.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        to
    };
    let acme = [
        json!({ "tenant_id": "acme" }),
        json!({ "context": { "tenant_id": "acme" } }),
        json!({ "account_id": "acme" }),
        json!({ "tenant_id": "acme", "context": { "tenant_id": "globex" }, "account_id": "globex" }),
    ];
    for members in &acme {
        for of_message in [Value::Null, json!("globex")] {
            let sent = message(&customer, &send(&customer, message_to(ada(members.clone()), of_message)));
            assert_eq!(outcome(&sent), ("UNDELIVERABLE", "UNSUBSCRIBED"), "{members}");
        }
    }
    let elsewhere = send(&customer, message_to(ada(json!({ "tenant_id": "globex" })), json!("acme")));
    let went = &went_out(&customer, &elsewhere)[0];
    assert_eq!((&went["subject"], &went["body"]), (&json!("globex"), &json!("in globex")));
    let nowhere = send(&customer, message_to(ada(json!({})), Value::Null));
    let went = &went_out(&customer, &nowhere)[0];
    assert_eq!((&went["subject"], &went["body"]), (&json!(""), &json!("")));
    let of_message = send(&customer, message_to(ada(json!({})), json!("globex")));
    assert_eq!(went_out(&customer, &of_message)[0]["subject"], "globex");

    let definition = message_to(Value::Null, json!("globex"));
    let job_id = customer.create(json!({ "message": {
        "content": definition["content"], "preferences": definition["preferences"], "context": definition["context"],
    } }));
    customer
        .ingest(&job_id, json!([{ "to": ada(acme[0].clone()) }, { "to": { "user_id": "bob", "email": "b@x.io" } }]));
    customer.run_to_the_end(&job_id);
    let statuses: Vec<Value> = customer.outbox(&job_id).iter().map(|it| it["status"].clone()).collect();
    assert_eq!(statuses, ["UNDELIVERABLE", "SENT"]);

    let listed = |tenant_id: &str| {
        customer.get(&format!("/messages?tenant_id={tenant_id}")).ok(200)["results"].as_array().unwrap().len()
    };
    assert_eq!((listed("acme"), listed("globex"), listed("initech")), (9, 3, 0));
}

#[test]
fn a_stored_template_brand_and_profile_make_the_message() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    customer
        .post("/brands", &json!({
            "id": "acme", "name": "Acme", "settings": { "colors": { "primary": "#123456", "secondary": "#654321" } },
        }))
        .ok(200);
    let template = json!({ "notification": {
        "name": "Welcome", "alias": "welcome", "brand": { "id": "acme" }, "routing": null, "subscription": null, "tags": [],
        "content": { "version": "2022-01-01", "elements": [
            { "type": "meta", "title": "Hello {{profile.given_name}}" },
            { "type": "text", "content": "Your plan is {{plan}}." },
            { "type": "action", "content": "Open", "href": "https://example.com/{{plan}}" },
        ] },
    } });
    let template_id = customer.post("/notifications", &template).ok(201)["id"].as_str().unwrap().to_owned();
    customer.put("/profiles/ada", &json!({ "profile": { "email": "ada@example.com", "given_name": "Ada" } })).ok(200);
    let welcome =
        |by: &str| send(&customer, json!({ "to": { "user_id": "ada" }, "template": by, "data": { "plan": "gold" } }));

    let unpublished = message(&customer, &welcome(&template_id));
    assert_eq!(outcome(&unpublished), ("UNDELIVERABLE", "UNPUBLISHED"));
    let by_alias = message(&customer, &welcome("welcome"));
    assert_eq!(outcome(&by_alias), ("UNDELIVERABLE", "UNPUBLISHED"));
    assert_eq!((&by_alias["notification"], &by_alias["event"]), (&json!(template_id), &json!("welcome")));
    let of_template = customer.get(&format!("/messages?notification={template_id}")).ok(200);
    assert_eq!(of_template["results"].as_array().unwrap().len(), 2);
    assert_eq!(customer.post(&format!("/notifications/{template_id}/publish"), &json!({})).status, 204);
    for by in [template_id.as_str(), "welcome"] {
        let message_id = welcome(by);
        let went = &went_out(&customer, &message_id)[0];
        assert_eq!((&went["address"], &went["subject"]), (&json!("ada@example.com"), &json!("Hello Ada")));
        assert_eq!(went["body"], "Your plan is gold.\n\nOpen: https://example.com/gold");
        let html = went["html"].as_str().unwrap();
        assert!(html.contains("#123456") && html.contains("href=\"https://example.com/gold\""), "no brand or no link");
        assert_eq!(message(&customer, &message_id)["notification"], template_id.as_str());
    }
    // A message keeps its looks and words.
    let message_id = welcome("welcome");
    let before = went_out(&customer, &message_id);
    customer
        .put("/brands/acme", &json!({ "name": "Acme", "settings": { "colors": { "primary": "#ffffff" } } }))
        .ok(200);
    customer.put("/profiles/ada", &json!({ "profile": { "email": "new@example.com" } })).ok(200);
    assert_eq!(went_out(&customer, &message_id), before);
    let history = customer.get(&format!("/messages/{message_id}/history")).ok(200);
    let types: Vec<&str> =
        history["results"].as_array().unwrap().iter().map(|it| it["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["ENQUEUED", "MAPPED", "PROFILE_LOADED", "RENDERED", "DELIVERING", "SENT"]);
    let loaded = customer.get(&format!("/messages/{message_id}/history?type=PROFILE_LOADED")).ok(200);
    assert_eq!(loaded["results"][0]["stored_profile"], json!({ "email": "ada@example.com", "given_name": "Ada" }));

    let resent = customer.post(&format!("/messages/{message_id}/resend"), &json!({})).ok(202);
    let resent = resent["messageId"].as_str().unwrap();
    assert_ne!(resent, message_id);
    assert_eq!(went_out(&customer, resent)[0]["address"], "new@example.com");
}

#[test]
fn messages_are_listed_from_the_newest_on_and_filtered() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let to = |user: &str| json!({ "user_id": user, "email": format!("{user}@example.com") });
    let mut ids = Vec::new();
    for (i, user) in ["ada", "bob", "ada", "cy"].into_iter().enumerate() {
        let metadata = json!({ "tags": [format!("t{i}"), "all"], "trace_id": format!("trace-{i}"), "event": format!("e{}", i % 2) });
        ids.push(send(&customer, json!({ "to": to(user), "content": hello(), "metadata": metadata, "context": { "tenant_id": format!("tenant-{}", i / 2) } })));
        daemon.clock.advance(Duration::from_secs(1));
    }
    let undelivered = send(
        &customer,
        json!({ "to": to("opted"), "content": hello(), "routing": { "method": "all", "channels": ["sms"] } }),
    );
    let found = |query: &str| -> Vec<String> {
        let page = customer.get(&format!("/messages?{query}")).ok(200);
        page["results"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect()
    };
    let pick = |which: &[usize]| -> Vec<String> { which.iter().map(|i| ids[*i].clone()).collect() };
    assert_eq!(found(""), [vec![undelivered.clone()], pick(&[3, 2, 1, 0])].concat());
    let cases = [
        ("recipient=ada".to_owned(), pick(&[2, 0])),
        ("event=e1".to_owned(), pick(&[3, 1])),
        ("tag=t1,all".to_owned(), pick(&[1])),
        ("tags=t1,t2".to_owned(), pick(&[2, 1])),
        ("traceId=trace-3".to_owned(), pick(&[3])),
        ("tenant_id=tenant-0".to_owned(), pick(&[1, 0])),
        ("status=UNROUTABLE".to_owned(), vec![undelivered.clone()]),
        ("status=SENT&status=UNROUTABLE&recipient=opted".to_owned(), vec![undelivered.clone()]),
        ("provider=sendgrid&recipient=cy".to_owned(), pick(&[3])),
        ("provider=twilio".to_owned(), vec![]),
        (format!("enqueued_after={}&status=SENT", NOW + 1000), pick(&[3, 2])),
        (format!("messageId={}", ids[1]), pick(&[1])),
        ("notification=none".to_owned(), vec![]),
    ];
    for (query, expected) in cases {
        assert_eq!(found(&query), expected, "{query}");
    }
    let first = customer.get("/messages?limit=3&status=SENT").ok(200);
    assert_eq!(first["paging"]["more"], true);
    let cursor = first["paging"]["cursor"].as_str().unwrap();
    assert_eq!(found(&format!("limit=3&status=SENT&cursor={cursor}")), pick(&[0]));
    customer.get("/messages?enqueued_after=yesterday").refused(400);

    assert_eq!(customer.send("PUT", &format!("/requests/{}/archive", ids[1]), None).status, 204);
    customer.send("PUT", "/requests/1-00000000-000000000000000000000000/archive", None).refused(404);
    assert_eq!(found("recipient=bob"), Vec::<String>::new());
    assert_eq!(found("recipient=bob&archived=true"), pick(&[1]));
}

#[test]
fn a_message_goes_to_no_more_addresses_than_it_can_hold() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let to_tokens = |count: usize| {
        let tokens: Vec<String> = (0..count).map(|i| format!("t{i}")).collect();
        customer.put("/profiles/ada", &json!({ "profile": { "firebaseToken": tokens } })).ok(200);
        send(&customer, json!({ "to": { "user_id": "ada" }, "content": hello() }))
    };
    assert_eq!(message(&customer, &to_tokens(1000))["providers"].as_array().unwrap().len(), 1000);
    let too_many = message(&customer, &to_tokens(1001));
    assert_eq!(outcome(&too_many), ("UNDELIVERABLE", "FAILED"));
    assert_eq!(too_many["error"], "the message would go to more than 1000 addresses");
}

#[test]
fn push_goes_to_all_tokens_and_each_by_its_own_provider() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    for (token, provider) in [("t1", "firebase-fcm"), ("t2", "apn"), ("C", "firebase-fcm")] {
        customer.put(&format!("/users/ada/tokens/{token}"), &json!({ "provider_key": provider })).done();
    }
    let to = |routing: Value, profile: Value| {
        customer.put("/profiles/ada", &json!({ "profile": profile })).ok(200);
        let routing = json!({ "method": "single", "channels": routing });
        let message_id = send(&customer, json!({ "to": { "user_id": "ada" }, "content": hello(), "routing": routing }));
        let mut went: Vec<String> = went_out(&customer, &message_id)
            .iter()
            .map(|it| format!("{} {}", it["provider"].as_str().unwrap(), it["address"].as_str().unwrap()))
            .collect();
        went.sort();
        went
    };
    assert_eq!(to(json!(["apn"]), json!({})), ["apn t2"]);
    assert_eq!(to(json!(["push"]), json!({})), ["apn t2", "firebase-fcm C", "firebase-fcm t1"]);
    assert_eq!(
        to(json!(["firebase-fcm"]), json!({ "firebaseToken": ["A", "B", "C"] })),
        ["firebase-fcm A", "firebase-fcm B", "firebase-fcm C", "firebase-fcm t1"]
    );
}

#[test]
fn a_search_ends_its_pages_after_some_work_and_finds_everything_all_the_same() {
    let mut daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let user =
        |i: usize| json!({ "email": format!("user-{}@example.com", i % 7), "user_id": format!("user-{}", i % 7) });
    for round in 0..3 {
        (0..10).for_each(|i| drop(send(&customer, json!({ "to": user(i + round), "content": hello() }))));
        let job_id = customer.create(json!({ "content": hello(), "event": format!("round-{round}") }));
        let users = (0..50).map(|i| json!({ "recipient": format!("{i}"), "profile": user(i) }));
        customer.ingest(&job_id, users.collect());
        assert_eq!(customer.run_to_the_end(&job_id)["enqueued"], 50);
    }
    daemon.stop();

    let (store, threads) = open_store(Some(daemon.database()), NOW);
    let acme = store.read(|db| environment::find_or_nothing(db, &Environment::of_key("acme"))).unwrap();
    let some = |text: &str| Some(text.to_owned());
    let filters = [
        (MessageFilter::default(), 180),
        (MessageFilter { recipient: some("user-3"), ..MessageFilter::default() }, 5),
        (MessageFilter { recipient: some("nobody"), ..MessageFilter::default() }, 0),
        (MessageFilter { event: some("round-1"), recipient: some("17"), ..MessageFilter::default() }, 1),
        (MessageFilter { event: some("round-0"), ..MessageFilter::default() }, 50),
        (MessageFilter { providers: vec!["twilio".to_owned()], ..MessageFilter::default() }, 0),
        (MessageFilter { statuses: vec!["SENT".to_owned()], ..MessageFilter::default() }, 180),
    ];
    for (filter, count) in filters {
        let pages = |scan_budget| {
            let (mut up_to, mut pages) = (MessageNumber(i64::MAX), Vec::new());
            loop {
                let limits = PageLimits { messages: 1000, bytes: usize::MAX, scan_budget };
                let page = store.read(|db| message_search::list(db, acme, &filter, up_to, limits)).unwrap();
                pages.push(page.items.into_iter().map(|(message, _)| message.stored.number).collect::<Vec<_>>());
                let Some(next) = page.next else { return pages };
                assert!(next < up_to, "{filter:?}");
                up_to = next;
            }
        };
        let whole = pages(i64::MAX);
        assert_eq!((whole.len(), whole[0].len()), (1, count), "{filter:?}");
        for scan_budget in [1, 7, 40, 200] {
            let pages = pages(scan_budget);
            assert!(pages.len() > 1, "{filter:?}, {scan_budget}");
            assert_eq!(pages.concat(), whole[0], "{filter:?}, {scan_budget}");
        }
    }
    store.stop();
    threads.join();
}

#[test]
fn texts_and_history_know_the_same_profile() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let stored = json!({ "profile": { "name": "stored", "plan": "paid", "city": "London", "locale": "fr" } });
    customer.post("/profiles/ada", &stored).ok(200);
    let read = "{{profile.user_id}} {{profile.name}} {{profile.plan}} {{profile.city}} {{profile.slack.channel}} \
                {{profile.locale}} {{profile.tenant_id}}{{profile.data}}{{profile.context}}";
    let users = json!([{
        "to": {
            "user_id": "ada", "name": "to", "plan": "free", "slack": { "channel": "C1" }, "locale": null, "tenant_id": "t",
            "data": { "x": 1 }, "context": { "tenant_id": "t" },
        },
        "profile": { "name": "sent" },
    }]);
    for text in [read.to_owned(), format!("{{{{#if true}}}}{read}{{{{/if}}}}")] {
        let job_id = customer.create(json!({ "content": { "body": text } }));
        customer.ingest(&job_id, users.clone());
        customer.run_to_the_end(&job_id);
        let message = &customer.outbox(&job_id)[0];
        assert_eq!(message["body"], "ada sent free London C1 fr ");
        let message_id = message["message_id"].as_str().unwrap();
        let loaded = customer.get(&format!("/messages/{message_id}/history?type=PROFILE_LOADED")).ok(200);
        assert_eq!(
            loaded["results"][0]["merged_profile"],
            json!({
                "user_id": "ada", "name": "sent", "plan": "free", "city": "London", "slack": { "channel": "C1" },
                "locale": "fr",
            })
        );
    }
}

#[test]
fn a_user_of_a_job_who_was_given_a_name_is_reached_again() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    for user in [json!({}), json!({ "data": { "name": "Ada" } })] {
        let job_id = customer.create(json!({ "content": hello() }));
        customer.ingest(&job_id, json!([user]));
        customer.run_to_the_end(&job_id);
        let first = customer.outbox(&job_id)[0].clone();
        assert_eq!((&first["channel"], &first["status"]), (&json!("inbox"), &json!("SENT")));
        let path = format!("/messages/{}/resend", first["message_id"].as_str().unwrap());
        let again = customer.post(&path, &json!({})).ok(202)["messageId"].as_str().unwrap().to_owned();
        let again = message(&customer, &again);
        assert_eq!((&again["status"], &again["recipientId"]), (&json!("SENT"), &first["recipient"]));
    }
}
