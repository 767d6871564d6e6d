//! Who comes to the door, and in which clothes: other types of bodies, browsers, PHP, routes that are not there, and the
//! three readings.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::support::binary::{Binary, bulkd};
use crate::support::{Customer, Daemon, PATIENCE, json, newsletter, readers};
use bulkd::settings::Contract;
use serde_json::Value;

/// What a request of these lines is told, byte for byte.
fn ask(address: SocketAddr, lines: &[&str]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "{}\r\nHost: localhost\r\nConnection: close\r\n\r\n", lines.join("\r\n")).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

const KEY: &str = "Authorization: Bearer acme";

#[test]
fn the_live_reading_answers_as_couriers_guide_says() {
    let daemon = Daemon::start_with(|config| config.contract = Contract::Live);
    let customer = daemon.customer("acme");
    for message in [json!({ "template": "nt_demo" }), newsletter(), json!({}), json!({ "event": "" })] {
        let refused = customer.post("/bulk", &json!({ "message": message })).refused(400);
        assert_eq!(refused, "The 'event' parameter is required.");
    }
    let job_id = customer.create(json!({ "event": "weekly", "template": "nt_demo", "data": { "week": 12 } }));
    assert_eq!(customer.ingest(&job_id, readers(0, 3)), json!({ "errors": [], "total": 3 }));
    let users: Vec<Value> = (0..5_000).map(|i| json!({ "recipient": format!("u-{i}") })).collect();
    let refused = customer.post(&format!("/bulk/{job_id}"), &json!({ "users": users })).refused(400);
    assert_eq!(refused, "users: expected fewer than 5000 users in a call, found 5000: the service refuses more");
    customer.ingest(&job_id, json!(users[1..]));
    assert_eq!(customer.run_to_the_end(&job_id)["enqueued"], 5_002);
    // The rest is as in the tutorial's reading.
    let both = json!({ "event": "e", "template": "t", "content": { "title": "Hi", "body": "there" } });
    customer.post("/bulk", &json!({ "message": both })).refused(400);
    customer.post("/send", &json!({ "message": { "to": { "user_id": "ada" } } })).refused(400);
}

#[cfg(unix)]
#[test]
fn what_the_live_service_is_said_to_refuse_is_told_once_a_job() {
    let daemon = Binary::start(&["--listen", ":0", "--ephemeral", "--log", "warn"]);
    let customer = daemon.customer("acme");
    let without_event = customer.create(newsletter());
    let with_event = customer.create(json!({ "event": "weekly" }));
    for place in 0..2 {
        let users: Vec<Value> = (0..5_000).map(|i| json!({ "recipient": format!("u-{place}-{i}") })).collect();
        customer.ingest(&with_event, json!(users));
        customer.ingest(&without_event, readers(100 * place, 10));
    }
    daemon.logs(&format!("job {without_event} has no 'event'"));
    daemon.logs(&format!("job {with_event} is given 5000 users in one call"));
    let log = daemon.terminate().stderr;
    assert_eq!((log.matches(&without_event).count(), log.matches(&with_event).count()), (1, 1), "{log}");
    assert!(log.contains("--contract live"), "{log}");
}

#[cfg(unix)]
#[test]
fn json_is_read_whatever_it_is_called_and_that_is_told_once() {
    let daemon = Binary::start(&["--listen", ":0", "--ephemeral", "--log", "warn"]);
    let body = json!({ "message": newsletter() }).to_string();
    let types = [
        "text/plain",
        "text/plain;charset=UTF-8",
        "application/x-www-form-urlencoded",
        "application/octet-stream",
        "multipart/form-data; boundary=x",
        "application/json; charset=utf-8",
        "application/merge-patch+json",
        "json",
    ];
    for key in ["acme", "globex"] {
        for declared in types {
            let customer = daemon.customer(key).with_header("Content-Type", declared);
            customer.post_text("/bulk", &body).ok(201);
            customer.post_text("/bulk", &body).ok(201);
        }
    }
    let form = daemon.customer("acme").with_header("Content-Type", "application/x-www-form-urlencoded");
    let refused = form.post_text("/send", "event=welcome&recipient=ada").refused(400);
    assert_eq!(
        refused,
        "the body: not valid JSON: expected value at line 1 column 1 (its Content-Type is application/x-www-form-urlencoded)"
    );
    let log = daemon.terminate().stderr;
    for (kind, times) in [
        ("text/plain", 2),
        ("application/x-www-form-urlencoded", 2),
        ("application/octet-stream", 2),
        ("multipart/form-data", 2),
        ("json", 2),
        ("application/merge-patch+json", 0),
    ] {
        assert_eq!(log.matches(&format!("sends JSON as {kind}:")).count(), times, "{kind}: {log}");
    }
}

const PAGE: &str = "Origin: https://app.test";
const PREFLIGHT: [&str; 4] = [
    "OPTIONS /send HTTP/1.1",
    PAGE,
    "Access-Control-Request-Method: POST",
    "Access-Control-Request-Headers: authorization,content-type, x-stainless-lang,bad name",
];

fn is_allowed(text: &str) -> bool {
    text.to_ascii_lowercase().contains("access-control-")
}

#[test]
fn a_page_of_another_site_is_told_nothing_by_default() {
    let open = Daemon::start();
    let keyed = Daemon::start_with(|config| config.api_keys = vec!["acme".to_owned()]);
    for daemon in [&open, &keyed] {
        for lines in [&PREFLIGHT[..], &["GET /lists HTTP/1.1", KEY, PAGE], &["GET /lists HTTP/1.1", KEY]] {
            let text = ask(daemon.address(), lines);
            assert!(!is_allowed(&text) && !text.contains("Vary"), "{text}");
        }
        let local = ["OPTIONS /send HTTP/1.1", "Origin: http://localhost:3000", PREFLIGHT[2]];
        assert!(ask(daemon.address(), &local).starts_with("HTTP/1.1 404 "));
    }
    assert!(ask(open.address(), &PREFLIGHT).starts_with("HTTP/1.1 403 "));
}

#[test]
fn pages_of_an_allowed_origin_may_call_and_read() {
    let origins = || vec!["https://app.test".to_owned(), "http://localhost:3000".to_owned()];
    let open = Daemon::start_with(|config| config.origins = origins());
    let keyed = Daemon::start_with(|config| {
        config.origins = origins();
        config.api_keys = vec!["acme".to_owned()];
    });
    for daemon in [&open, &keyed] {
        let text = ask(daemon.address(), &PREFLIGHT);
        assert!(text.starts_with("HTTP/1.1 204 "), "{text}");
        for header in [
            "Access-Control-Allow-Origin: https://app.test\r\n",
            "Access-Control-Allow-Methods: GET, HEAD, POST, PUT, PATCH, DELETE\r\n",
            "Access-Control-Allow-Headers: authorization, content-type, x-stainless-lang\r\n",
            "Access-Control-Max-Age: 600\r\n",
            "Vary: Origin\r\n",
        ] {
            assert_eq!(text.matches(header).count(), 1, "{header}{text}");
        }
        assert!(!text.contains("Credentials") && !text.contains("Private-Network"), "{text}");
        let private = [&PREFLIGHT[..], &["Access-Control-Request-Private-Network: true"]].concat();
        assert!(ask(daemon.address(), &private).contains("Access-Control-Allow-Private-Network: true\r\n"));

        // Answers of every kind: read at once, in a thread, open, and refusals.
        for (line, key, status) in [
            ("GET /profiles/ada HTTP/1.1", KEY, 200),
            ("GET /lists HTTP/1.1", KEY, 200),
            ("GET /_bulkd/health HTTP/1.1", KEY, 200),
            ("DELETE /profiles/ada HTTP/1.1", KEY, 204),
            ("GET /nowhere HTTP/1.1", KEY, 404),
            ("GET /lists HTTP/1.1", "X-Key: none", 401),
            ("OPTIONS /nowhere HTTP/1.1", KEY, 204),
        ] {
            let text = ask(daemon.address(), &[line, key, PAGE, "Sec-Fetch-Site: cross-site"]);
            assert!(text.starts_with(&format!("HTTP/1.1 {status} ")), "{line}: {text}");
            assert!(text.contains("Access-Control-Allow-Origin: https://app.test\r\n"), "{line}: {text}");
            assert!(text.contains("Access-Control-Expose-Headers: Retry-After, X-Should-Retry"), "{line}: {text}");
        }
        for other in ["Origin: https://app.test:8443", "Origin: http://app.test", "Origin: null"] {
            let text = ask(daemon.address(), &["GET /lists HTTP/1.1", KEY, other]);
            assert!(!is_allowed(&text), "{other}: {text}");
        }
        let twice = ask(daemon.address(), &["GET /lists HTTP/1.1", KEY, PAGE, "Origin: http://localhost:3000"]);
        assert!(!is_allowed(&twice), "{twice}");
    }
    let evil = ["GET /lists HTTP/1.1", KEY, "Origin: https://evil.test"];
    assert!(ask(open.address(), &evil).starts_with("HTTP/1.1 403 "));
    let renamed = ask(open.address(), &["GET /lists HTTP/1.1", KEY, PAGE, "Host: evil.test"]);
    assert!(renamed.starts_with("HTTP/1.1 4"), "{renamed}");
}

#[cfg(unix)]
#[test]
fn origins_are_named_by_flag_or_variable() {
    for (args, variable) in
        [(&["--allow-origin", "https://App.test/"][..], ""), (&[], "http://localhost:1,https://app.test")]
    {
        let mut command = bulkd(&[&["--listen", ":0", "--ephemeral"], args].concat());
        if !variable.is_empty() {
            command.env("BULKD_ALLOW_ORIGIN", variable);
        }
        let daemon = Binary::start_by(&mut command);
        assert!(ask(daemon.address(), &PREFLIGHT).contains("Access-Control-Allow-Origin: https://app.test\r\n"));
    }
    let any = Binary::start(&["--listen", ":0", "--ephemeral", "--allow-origin", "*"]);
    let text = ask(any.address(), &["GET /lists HTTP/1.1", KEY, "Origin: null"]);
    assert!(text.starts_with("HTTP/1.1 200 ") && text.contains("Access-Control-Allow-Origin: *\r\n"), "{text}");
    for wrong in ["app.test", "https://", "://app.test", "https://app.test/path", "https://app.test\u{e9}", ""] {
        let ended = bulkd(&["--ephemeral", "--allow-origin", wrong]).output().unwrap();
        let told = String::from_utf8(ended.stderr).unwrap();
        assert!(!ended.status.success() && told.contains("expected * or an origin"), "{wrong}: {told}");
    }
}

#[cfg(unix)]
#[test]
fn localhost_is_both_loopback_addresses() {
    let daemon = Binary::start(&["--listen", "localhost:0", "--ephemeral"]);
    let address = daemon.address();
    assert_eq!(address.ip().to_string(), "127.0.0.1");
    let line = daemon.first_line();
    assert_eq!(line.matches("http://").count(), 1, "{line}");
    let other: SocketAddr = format!("[::1]:{}", address.port()).parse().unwrap();
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        println!("::1 does not exist here");
        return;
    }
    let lines = ["GET /_bulkd/health HTTP/1.1"];
    for _ in 0..20 {
        assert!(ask(other, &lines).starts_with("HTTP/1.1 200 ") && ask(address, &lines).starts_with("HTTP/1.1 200 "));
    }
    Customer::new(other, "acme").create(newsletter());
    let taken = bulkd(&["--listen", &format!("LOCALHOST:{}", address.port()), "--ephemeral"]).output().unwrap();
    assert!(String::from_utf8(taken.stderr).unwrap().contains("is taken by another program"));
    let ended = daemon.terminate();
    assert!(ended.stdout.contains(&format!("It answers on http://{other} as well.")), "{ended:?}");
}

#[cfg(unix)]
#[test]
fn a_port_that_is_taken_at_one_of_both_addresses_is_not_shared() {
    let Ok(taken) = std::net::TcpListener::bind("[::1]:0") else { return println!("::1 does not exist here") };
    let address = taken.local_addr().unwrap();
    let ended = bulkd(&["--listen", &format!("localhost:{}", address.port()), "--ephemeral"]).output().unwrap();
    let told = String::from_utf8(ended.stderr).unwrap();
    assert!(told.contains(&format!("{address} is taken by another program")), "{told}");
}

#[test]
fn a_route_that_is_not_there_tells_the_nearest() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let run = "POST /bulk/{job_id}/run (run a job)";
    for (method, path, told) in [
        (
            "POST",
            "/bulk/1-6a/users",
            "with this path there is GET (list the users of a job); nearest is POST /bulk/{job_id} (add users to a job)",
        ),
        ("GET", "/bulk", "with this path there is POST (create a job); nearest is GET /bulk/{job_id} (get a job)"),
        ("DELETE", "/bulk/1-6a", "with this path there is POST (add users to a job) and GET (get a job)"),
        ("POST", "/bulk/1-6a/runs", &format!("nearest is {run}")),
        ("POST", "/bulk/1-6a/run/", &format!("nearest is {run}")),
        ("POST", "/v1/send", "nearest is POST /send (send a message)"),
        ("POST", "/Send", "nearest is POST /send (send a message)"),
        ("POST", "//send", "nearest is POST /send (send a message)"),
        ("GET", "/profile/ada", "nearest is GET /profiles/{user_id} (get a profile)"),
        ("GET", "/users/ada", "nearest is GET /users/{user_id}/preferences (list a user's preferences) or GET"),
        ("GET", "/outbox", "nearest is GET /_bulkd/outbox (list the outbox)"),
        ("PATCH", "/send", "with this path there is POST (send a message)"),
        ("PUT", "/bulk/abc", "with this path there is POST (add users to a job) and GET (get a job)"),
        ("GET", "/templates", "nearest is GET /notifications (list templates)"),
        ("GET", "/jobs/1-6a", "nearest is GET /bulk/{job_id} (get a job)"),
        ("POST", "/brand", "nearest is POST /brands (create a brand)"),
        ("GET", "/tenants/acme", "bulkd has nothing of Courier's tenants"),
        ("PUT", "/users/ada/tenants", "bulkd has nothing of Courier's tenants"),
        ("POST", "/automations/invoke", "bulkd has nothing of Courier's automations"),
    ] {
        let refused = customer.send(method, path, (method != "GET").then_some("{}")).refused(404);
        let expected = format!("there is no route {method} {path}; {told}");
        assert!(refused.starts_with(&expected), "said     {refused}\nexpected {expected}");
        assert!(path != "/bulk/abc" || !refused.contains("/_bulkd/"), "{refused}");
    }
    for path in ["/nowhere/at/all", "/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p", "/%ff", "/xyz?x=y"] {
        let refused = customer.get(path).refused(404);
        assert!(!refused.contains(';'), "{refused}");
    }
    let long = customer.get(&format!("/bulks/{}/users", "y".repeat(4_000))).refused(404);
    assert!(long.len() < 300, "{long}");
}

#[cfg(unix)]
#[test]
fn unknown_parameters_of_a_query_are_told_once_of_each_route() {
    let daemon = Binary::start(&["--listen", ":0", "--ephemeral", "--log", "warn"]);
    for key in ["acme", "globex"] {
        let customer = daemon.customer(key);
        for path in [
            "/messages?page_size=5&status=SENT&tags[]=a",
            "/messages?page_size=6",
            "/brands?page_size=5&cursor=undefined",
            "/profiles/ada?x%0Ay=1",
            "/lists?",
            "/lists?&&limit",
        ] {
            assert_eq!(customer.get(path).status, 200, "{path}");
        }
    }
    daemon.logs("GET /profiles/{user_id} ignores the parameter 'x\\ny' of a query: it knows none");
    let log = daemon.terminate().stderr;
    assert_eq!(log.matches("ignores the parameter").count(), 3, "{log}");
    assert!(log.contains("GET /brands ignores the parameter 'page_size' of a query: it knows cursor, limit"), "{log}");
}

#[test]
fn an_empty_array_is_an_object_without_members_wherever_one_is_expected() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let none = json!([]);
    let message = json!({
        "message": { "content": { "title": "Hi", "body": "{{name}}" }, "data": none, "metadata": none, "context": none,
            "channels": none, "providers": none, "preferences": none },
        "data": none, "override": none, "locale": none, "channels": { "email": none },
    });
    let job_id = customer.create(message.clone());
    let users = json!([
        [],
        { "recipient": "ada", "profile": none, "data": none, "preferences": none, "to": none },
        { "profile": { "email": "bob@example.com", "slack": none },
            "to": { "user_id": "bob", "data": none, "context": none, "preferences": { "categories": none } } },
    ]);
    assert_eq!(customer.ingest(&job_id, users.clone()), json!({ "errors": [], "total": 3 }));
    let job = customer.run_to_the_end(&job_id);
    // As it was sent.
    assert_eq!((&job["definition"], &job["failures"]), (&message, &json!(0)));
    assert_eq!(customer.users(&job_id)[1]["data"], none);
    assert_eq!(customer.outbox(&job_id).iter().filter(|it| it["address"] == "bob@example.com").count(), 1);

    let send = json!({ "to": { "user_id": "ada", "data": none, "preferences": none }, "data": none, "metadata": none,
        "content": { "version": "2022-01-01", "elements": [{ "type": "text", "content": "x", "locales": none }] } });
    customer.post("/send", &json!({ "message": send })).ok(202);
    let first_form = json!({ "event": "e", "recipient": "ada", "data": none, "profile": none, "preferences": none,
        "override": none });
    customer.post("/send", &first_form).ok(200);
    customer.put("/profiles/ada", &json!({ "profile": none })).ok(200);
    assert_eq!(customer.get("/profiles/ada").ok(200), json!({ "profile": {} }));
    customer.put("/profiles/ada", &json!({ "profile": { "name": "Ada" } })).ok(200);
    customer.post("/profiles/ada", &json!({ "profile": none })).ok(200);
    assert_eq!(customer.get("/profiles/ada").ok(200), json!({ "profile": { "name": "Ada" } }));
    let brand =
        customer.post("/brands", &json!({ "id": "b", "name": "B", "settings": none, "snippets": none })).ok(200);
    assert_eq!((&brand["settings"], &brand["snippets"]), (&json!({}), &json!({})));
    let colors = json!({ "colors": none, "email": none, "inapp": none });
    customer.put("/brands/b", &json!({ "name": "B", "settings": colors })).ok(200);
    customer.put("/lists/news", &json!({ "name": "News", "preferences": none })).done();
    customer.put("/lists/news/subscriptions/ada", &none).done();
    customer.put("/lists/news/subscriptions/bob", &json!({ "preferences": none })).done();
    let token = json!({ "provider_key": "expo", "device": none, "tracking": none, "properties": none });
    customer.put("/users/ada/tokens/t", &token).done();
    assert_eq!(customer.get("/users/ada/tokens/t").ok(200)["device"], json!({}));
    customer.put("/preferences/ada", &json!({ "categories": none, "notifications": none })).ok(200);
    customer.post("/bulk/nothing/run", &none).refused(404);

    // One that is not empty is none, and what has to be there is missed.
    for (path, body, told) in [
        (
            "/bulk",
            json!({ "message": { "event": "e", "data": [1] } }),
            "message.data: expected an object, found an array",
        ),
        (
            "/bulk",
            json!({ "message": { "event": "e", "channels": [1] } }),
            "message.channels: expected an object, found",
        ),
        ("/bulk", json!([]), "the body: expected a field 'message'"),
        ("/brands", json!([]), "the body: expected a field 'name'"),
        ("/brands", json!({ "name": "B", "settings": [{}] }), "settings: expected an object, found an array"),
    ] {
        let refused = customer.post(path, &body).refused(400);
        assert!(refused.starts_with(told), "{path}: {refused}");
    }
}

#[test]
fn a_brand_needs_no_settings() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let made = customer.post("/brands", &json!({ "id": "acme", "name": "Acme" })).ok(200);
    assert_eq!((&made["name"], made.get("settings")), (&json!("Acme"), None));
    let content = json!({ "title": "Hi", "body": "there" });
    let message = json!({ "to": { "email": "ada@example.com" }, "content": content, "brand_id": "acme" });
    let sent = customer.post("/send", &json!({ "message": message })).ok(202);
    let path = format!("/_bulkd/outbox?fields=all&message_id={}", sent["requestId"].as_str().unwrap());
    assert_eq!(customer.get(&path).ok(200)["items"][0]["status"], "SENT");
}

fn template(elements: Value) -> Value {
    json!({ "notification": { "name": "T", "content": { "version": "2022-01-01", "elements": elements },
        "brand": null, "routing": null, "subscription": null, "tags": [] } })
}

#[test]
fn a_draft_is_read_by_its_older_name() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let first = template(json!([{ "type": "text", "content": "one" }]));
    let id = customer.post("/notifications", &first).ok(201)["id"].as_str().unwrap().to_owned();
    customer.get(&format!("/notifications/{id}/content")).refused(404);
    customer.post(&format!("/notifications/{id}/publish"), &json!({})).done();
    customer.put(&format!("/notifications/{id}"), &template(json!([{ "type": "text", "content": "two" }]))).ok(200);
    let draft = customer.get(&format!("/notifications/{id}/draft/content")).ok(200);
    assert_eq!(draft["elements"][0]["content"], "two");
    assert_eq!(draft, customer.get(&format!("/notifications/{id}/content?version=draft")).ok(200));
    assert_eq!(customer.get(&format!("/notifications/{id}/content")).ok(200)["elements"][0]["content"], "one");
    customer.get("/notifications/nothing/draft/content").refused(404);
}

#[test]
fn a_channel_element_need_not_name_its_channel() {
    for contract in [Contract::Tutorial, Contract::OpenApi, Contract::Live] {
        let daemon = Daemon::start_with(|config| config.contract = contract);
        let customer = daemon.customer("acme");
        for element in [
            json!({ "type": "channel" }),
            json!({ "type": "channel", "channels": ["email", "push"] }),
            json!({ "type": "channel", "channels": ["email"], "elements": [{ "type": "text", "content": "x" }] }),
            json!({ "type": "channel", "channel": null, "raw": { "title": "t" } }),
        ] {
            let content = json!({ "version": "2022-01-01", "elements": [element] });
            let to = json!({ "email": "ada@example.com" });
            customer.post("/send", &json!({ "message": { "to": to, "content": content } })).ok(202);
            let created = customer.post("/bulk", &json!({ "message": { "event": "e", "content": content } }));
            created.ok(if matches!(contract, Contract::OpenApi) { 200 } else { 201 });
            customer.post("/notifications", &template(json!([element]))).ok(201);
        }
    }
}

/// Preferences in the first version of the API.
#[test]
fn the_first_versions_preferences_are_those_of_the_second() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let nothing = json!({ "categories": {}, "notifications": {} });
    assert_eq!(customer.get("/preferences/ada").ok(200), nothing);
    let chosen = json!({
        "categories": {
            "news": { "status": "OPTED_OUT" },
            "offers": { "status": "OPTED_IN", "channel_preferences": [{ "channel": "sms" }, { "channel": "email" }] },
        },
        "notifications": { "welcome": { "status": "OPTED_OUT" } },
    });
    assert_eq!(customer.put("/preferences/ada", &chosen).ok(200), json!({ "status": "SUCCESS" }));
    assert_eq!(customer.get("/preferences/ada").ok(200), chosen);
    let items = customer.get("/users/ada/preferences").ok(200)["items"].take();
    let topics: Vec<_> = items.as_array().unwrap().iter().map(|it| it["topic_id"].as_str().unwrap()).collect();
    assert_eq!(topics, ["news", "offers"]);
    assert_eq!(items[1]["custom_routing"], json!(["sms", "email"]));

    // What the second version changes the first one shows, and the other way round.
    customer.put("/users/ada/preferences/news", &json!({ "topic": { "status": "OPTED_IN" } })).ok(200);
    assert_eq!(customer.get("/preferences/ada").ok(200)["categories"]["news"], json!({ "status": "OPTED_IN" }));
    customer.put("/users/ada/preferences", &json!({ "topics": [] })).ok(200);
    let left = customer.get("/preferences/ada").ok(200);
    assert_eq!(left, json!({ "categories": {}, "notifications": { "welcome": { "status": "OPTED_OUT" } } }));
    customer.put("/preferences/ada", &json!({ "categories": { "news": { "status": "OPTED_OUT" } } })).ok(200);
    assert_eq!(customer.get("/preferences/ada").ok(200)["notifications"], left["notifications"]);
    customer.put("/preferences/ada", &nothing).ok(200);
    assert_eq!(customer.get("/preferences/ada").ok(200), nothing);
    assert_eq!(customer.get("/users/ada/preferences").ok(200)["items"], json!([]));

    for (body, told) in [
        (
            json!({ "categories": { "a": { "status": "REQUIRED" } } }),
            "categories.a.status: expected OPTED_IN or OPTED_OUT",
        ),
        (
            json!({ "notifications": { "a": { "status": "x" } } }),
            "notifications.a.status: expected OPTED_IN or OPTED_OUT",
        ),
        (json!({ "notifications": { "a": "OPTED_OUT" } }), "notifications.a: expected an object, found string"),
        (json!({ "categories": { "": { "status": "OPTED_IN" } } }), "categories: expected ids"),
    ] {
        let refused = customer.put("/preferences/ada", &body).refused(400);
        assert!(refused.starts_with(told), "{refused}");
    }
}

#[test]
fn who_has_opted_out_of_a_template_gets_none_of_it() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let mut sent = template(json!([{ "type": "meta", "title": "Hi" }, { "type": "text", "content": "Hi" }]));
    sent["notification"]["alias"] = json!("welcome");
    sent["state"] = json!("PUBLISHED");
    let id = customer.post("/notifications", &sent).ok(201)["id"].as_str().unwrap().to_owned();
    customer.put("/profiles/ada", &json!({ "profile": { "email": "ada@example.com" } })).ok(200);
    let outcome = |template: &str| {
        let message = json!({ "to": { "user_id": "ada" }, "template": template });
        let sent = customer.post("/send", &json!({ "message": message })).ok(202);
        let record = customer.get(&format!("/messages/{}", sent["requestId"].as_str().unwrap())).ok(200);
        (record["status"].as_str().unwrap().to_owned(), record["reason"].as_str().map(str::to_owned))
    };
    let out = ("UNDELIVERABLE".to_owned(), Some("UNSUBSCRIBED".to_owned()));
    let choose = |name: &str, status: &str| {
        let chosen = json!({ "notifications": { name: { "status": status } } });
        customer.put("/preferences/ada", &chosen).ok(200);
    };
    assert_eq!(outcome("welcome").0, "SENT");
    // By whichever of its names it was chosen, and by whichever it is sent.
    for chosen in [id.as_str(), "welcome"] {
        choose(chosen, "OPTED_OUT");
        assert_eq!((outcome("welcome"), outcome(&id)), (out.clone(), out.clone()), "{chosen}");
    }
    choose("other", "OPTED_OUT");
    assert_eq!(outcome("welcome").0, "SENT");

    // In a bulk job as well.
    choose("welcome", "OPTED_OUT");
    let job_id = customer.create(json!({ "event": "welcome" }));
    customer
        .ingest(&job_id, json!([{ "recipient": "ada" }, { "recipient": "bob", "profile": { "email": "b@x.test" } }]));
    customer.run_to_the_end(&job_id);
    let statuses: Vec<Value> = customer.outbox(&job_id).iter().map(|it| it["status"].clone()).collect();
    assert_eq!(statuses, ["UNDELIVERABLE", "SENT"]);
    // What is sent with the message goes before what is stored.
    let preferences = json!({ "notifications": { "welcome": { "status": "OPTED_IN" } } });
    let message = json!({ "to": { "user_id": "ada", "preferences": preferences }, "template": "welcome" });
    let sent = customer.post("/send", &json!({ "message": message })).ok(202);
    let record = customer.get(&format!("/messages/{}", sent["requestId"].as_str().unwrap())).ok(200);
    assert_eq!(record["status"], "SENT");
}

#[test]
fn topics_of_the_seed_are_the_categories_of_the_first_version() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("seed.json");
    let topics = json!({
        "alerts": { "name": "Alerts", "default_status": "REQUIRED" }, "news": { "name": "News", "default_status": "OPTED_IN" },
    });
    std::fs::write(&file, json!({ "topics": topics }).to_string()).unwrap();
    let daemon = Daemon::start_with(|config| config.seed = Some(file));
    let customer = daemon.customer("acme");
    let categories = json!([
        { "id": "alerts", "title": "Alerts", "notifications": [] }, { "id": "news", "title": "News", "notifications": [] },
    ]);
    assert_eq!(customer.get("/preferences").ok(200), json!({ "categories": categories, "uncategorized": [] }));
    let out = json!({ "categories": { "news": { "status": "OPTED_OUT" }, "alerts": { "status": "OPTED_OUT" } } });
    let refused = customer.put("/preferences/ada", &out).refused(400);
    assert!(refused.starts_with("categories.alerts.status: this topic is REQUIRED"), "{refused}");
    assert_eq!(customer.get("/preferences/ada").ok(200)["categories"], json!({}));
}

/// What the front door itself refuses is told to a page that is allowed, once it is known which page has asked.
#[test]
fn a_page_that_is_allowed_reads_also_what_the_front_door_refuses() {
    let daemon = Daemon::start_with(|config| {
        config.origins = vec!["https://app.test".to_owned()];
        config.limits.body_bytes = 1_000;
        config.limits.body = std::time::Duration::from_millis(50);
    });
    let post = ["POST /bulk HTTP/1.1", "Authorization: Bearer acme"];
    let cases = [
        ("Content-Length: 1001", "413"),
        ("Content-Length: 10", "408"),
        ("Content-Length: x", "400"),
        ("Transfer-Encoding: gzip", "501"),
    ];
    for (line, status) in cases {
        for (origin, is_allowed) in [("https://app.test", true), ("https://evil.test", false)] {
            let origin = format!("Origin: {origin}");
            let lines = [&post[..], &[origin.as_str(), line]].concat();
            let text = ask(daemon.address(), &lines);
            assert!(text.starts_with(&format!("HTTP/1.1 {status} ")), "{text}");
            let found = text.contains("Access-Control-Allow-Origin: https://app.test\r\n");
            assert_eq!(found, is_allowed, "{status} {origin}: {text}");
        }
    }
}
