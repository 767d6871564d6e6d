//! `POST /send` and what the Messages API tells of it.

mod support;

use std::time::Duration;

use serde_json::Value;
use support::{Customer, Daemon, NOW, Reply, json, wait_until};

fn send(customer: &Customer, message: Value) -> String {
    let sent = customer.post("/send", &json!({ "message": message })).ok(202);
    sent["requestId"].as_str().unwrap().to_owned()
}

fn message(customer: &Customer, message_id: &str) -> Value {
    customer.get(&format!("/messages/{message_id}")).ok(200)
}

fn went_out(customer: &Customer, message_id: &str) -> Vec<Value> {
    customer.get(&format!("/_bulkd/outbox?message_id={message_id}")).ok(200)["items"].as_array().unwrap().clone()
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
    // Whoever is named twice gets two.
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
        let recipients: Vec<Value> = users.iter().map(|user| json!({ "recipientId": user })).collect();
        let subscribed = customer.send(
            "PUT",
            &format!("/lists/{list}/subscriptions"),
            Some(&json!({ "recipients": recipients }).to_string()),
        );
        assert!(subscribed.status < 300, "{subscribed:?}");
    }
    let reached = |to: Value| -> Vec<String> {
        let request_id = send(&customer, json!({ "to": to, "content": hello() }));
        let mut found: Vec<String> = Vec::new();
        let expected = if to.get("list_id").is_some() { 2 } else { 4 };
        wait_until("everybody is reached", || {
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
    // Nobody is subscribed, and nobody is told.
    let nobody = send(&customer, json!({ "to": { "list_id": "nobody" }, "content": hello() }));
    assert_eq!(customer.outbox(&nobody), Vec::<Value>::new());
}

#[test]
fn a_send_that_cannot_be_is_refused_by_its_field_and_makes_nothing() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let cases = [
        (json!({ "to": { "user_id": "a" } }), "Invalid Request. Either 'content' or 'template' must be defined."),
        (json!({ "content": hello() }), "message.to: expected a recipient"),
        (json!({ "to": [], "content": hello() }), "message.to: expected at least one recipient"),
        (json!({ "to": {}, "content": hello() }), "message.to: expected a recipient: user_id"),
        (json!({ "to": 5, "content": hello() }), "message.to: expected an object"),
        (
            json!({ "to": [{ "user_id": "a" }, { "user_id": 5 }], "content": hello() }),
            "message.to[1].user_id: expected",
        ),
        (json!({ "to": { "user_id": "" }, "content": hello() }), "message.to.user_id: expected a text"),
        (json!({ "to": { "audience_id": "a" }, "content": hello() }), "message.to.audience_id: audiences are not"),
        (json!({ "to": { "user_id": "a" }, "content": { "body": "{{#if}" } }), "message.content.body: not a valid"),
        (
            json!({ "to": { "user_id": "a" }, "content": hello(), "template": "t" }),
            "message: expected either 'template'",
        ),
        (
            json!({ "to": { "user_id": "a" }, "content": hello(), "routing": { "method": "some", "channels": [] } }),
            "message.routing: 'method': expected",
        ),
        (
            json!({ "to": { "user_id": "a" }, "content": hello(), "delay": { "until": "Tuesday" } }),
            "message.delay.until: expected an ISO 8601 date",
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
    assert_eq!(went_out(&customer, &about(to("bob")))[0]["channel"], "sms");
    assert_eq!(went_out(&customer, &about(to("cy")))[0]["channel"], "email");
    // What is sent with the recipient goes before what is stored.
    let mut ada = to("ada");
    ada["preferences"] = json!({ "notifications": {}, "categories": { "news": { "status": "OPTED_IN" } } });
    assert_eq!(message(&customer, &about(ada))["status"], "SENT");
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
