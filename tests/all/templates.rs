//! Templates: drafts, versions, content and what hangs on them.

use std::time::Duration;

use crate::support::{Customer, Daemon, NOW, Reply, json, newsletter, open_store, readers};
use bulkd::model::environment::{Environment, EnvironmentRow};
use bulkd::model::template::TemplatePayload;
use bulkd::store::opening::Threads;
use bulkd::store::{Store, environment, template};
use serde_json::Value;

fn put(customer: &Customer, path: &str, body: &Value) -> Reply {
    customer.send("PUT", path, Some(&body.to_string()))
}

fn delete(customer: &Customer, path: &str) -> Reply {
    customer.send("DELETE", path, None)
}

/// A body that writes a template which says `words` by e-mail.
fn saying(words: &str) -> Value {
    json!({ "notification": {
        "name": "Welcome",
        "brand": null,
        "routing": { "strategy_id": "rs_1" },
        "subscription": { "topic_id": "pt_1" },
        "tags": ["Onboarding", "welcome"],
        "content": { "version": "2022-01-01", "elements": [{ "type": "channel", "channel": "email", "elements": [
            { "type": "meta", "title": "Welcome!" },
            { "type": "text", "content": words },
        ]}]},
    }})
}

fn with(mut body: Value, path: &str, value: Value) -> Value {
    *body
        .pointer_mut(&path[..path.rfind('/').unwrap()])
        .unwrap()
        .as_object_mut()
        .unwrap()
        .entry(&path[path.rfind('/').unwrap() + 1..])
        .or_insert(Value::Null) = value;
    body
}

/// Creates a template and returns its path.
#[track_caller]
fn created(customer: &Customer, body: &Value) -> String {
    format!("/notifications/{}", customer.post("/notifications", body).ok(201)["id"].as_str().unwrap())
}

#[track_caller]
fn done(reply: Reply) {
    assert_eq!((reply.status, reply.text.as_str()), (204, ""), "{reply:?}");
}

/// What the e-mail's text element says.
fn words(template: &Value) -> &Value {
    &template["content"]["elements"][0]["elements"][1]["content"]
}

#[test]
fn a_template_is_a_draft_until_it_is_published() {
    let daemon = Daemon::start();
    let acme = daemon.customer("acme");
    let template = acme.post("/notifications", &saying("Hello {{name}}")).ok(201);
    let id = template["id"].as_str().unwrap();
    assert!(id.starts_with("nt_") && id.len() == 29, "{id}");
    let expected = json!({
        "id": id, "name": "Welcome", "brand": null, "routing": { "strategy_id": "rs_1" },
        "subscription": { "topic_id": "pt_1" }, "tags": ["Onboarding", "welcome"], "state": "DRAFT",
        "created": NOW, "creator": "bulkd",
        "content": { "version": "2022-01-01", "elements": [
            { "type": "channel", "channel": "email", "id": "elem_1", "elements": [
                { "type": "meta", "title": "Welcome!", "id": "elem_2" },
                { "type": "text", "content": "Hello {{name}}", "id": "elem_3" },
            ]},
        ]},
    });
    assert_eq!(template, expected);
    let path = format!("/notifications/{id}");
    assert!(acme.get(&path).refused(404).contains("version=draft"));
    assert_eq!(acme.get(&format!("{path}?version=draft")).ok(200), expected);
    daemon.customer("globex").get(&format!("{path}?version=draft")).refused(404);

    done(acme.send("POST", &format!("{path}/publish"), None));
    assert_eq!(acme.get(&path).ok(200), with(json!({ "it": expected }), "/it/state", json!("PUBLISHED"))["it"]);
}

#[test]
fn in_the_openapi_reading_a_version_that_there_is_not_means_the_current_one() {
    let daemon = Daemon::start_with(|config| config.contract = bulkd::settings::Contract::OpenApi);
    let acme = daemon.customer("acme");
    let template = |words: &str| {
        let content = json!({ "elements": [{ "type": "text", "content": words }] });
        json!({ "notification": { "name": "Welcome", "content": content }, "state": "PUBLISHED" })
    };
    let id = acme.post("/notifications", &template("one")).ok(201)["id"].take();
    let path = format!("/notifications/{}", id.as_str().unwrap());
    let mut draft = template("two");
    draft["state"] = "DRAFT".into();
    acme.put(&path, &draft).ok(200);
    let says = |query: &str| acme.get(&format!("{path}{query}")).ok(200)["content"]["elements"][0]["content"].take();
    assert_eq!([says("?version=version"), says("?version=v009"), says("?version=draft")], ["one", "one", "two"]);
    acme.post(&format!("{path}/publish"), &json!({ "version": "v321669910225" })).done();
    assert_eq!(says(""), "two");
}

#[test]
fn what_is_published_stays_while_the_draft_changes() {
    let daemon = Daemon::start();
    let acme = daemon.customer("acme");
    let path = created(&acme, &with(saying("one"), "/state", json!("PUBLISHED")));
    daemon.clock.advance(Duration::from_secs(1));
    let changed = put(&acme, &path, &saying("two")).ok(200);
    assert_eq!((words(&changed), &changed["state"]), (&json!("two"), &json!("DRAFT")));
    assert_eq!((&changed["updated"], &changed["updater"]), (&json!(NOW + 1000), &json!("bulkd")));
    assert_eq!(words(&acme.get(&path).ok(200)), "one");
    assert_eq!(words(&acme.get(&format!("{path}?version=draft")).ok(200)), "two");
    let versions = acme.get(&format!("{path}/versions")).ok(200);
    assert_eq!(
        versions,
        json!({ "paging": { "more": false }, "versions": [
            { "version": "draft", "created": NOW + 1000, "creator": "bulkd", "has_changes": true },
            { "version": "published:v001", "created": NOW, "creator": "bulkd" },
        ]})
    );

    let published = put(&acme, &path, &with(saying("three"), "/state", json!("PUBLISHED"))).ok(200);
    assert_eq!(published["state"], "PUBLISHED");
    assert_eq!(words(&acme.get(&path).ok(200)), "three");
    assert_eq!(words(&acme.get(&format!("{path}?version=v001")).ok(200)), "one");
    assert_eq!(words(&acme.get(&format!("{path}?version=published:v002")).ok(200)), "three");
    acme.get(&format!("{path}?version=v003")).refused(404);
    assert!(acme.get(&format!("{path}?version=latest")).refused(400).starts_with("version: expected 'draft'"));
}

#[test]
fn an_older_version_that_is_published_again_becomes_a_new_one() {
    let daemon = Daemon::start();
    let acme = daemon.customer("acme");
    let path = created(&acme, &with(saying("one"), "/state", json!("PUBLISHED")));
    put(&acme, &path, &with(saying("two"), "/state", json!("PUBLISHED"))).ok(200);
    done(acme.post(&format!("{path}/publish"), &json!({ "version": "v001" })));
    assert_eq!(words(&acme.get(&path).ok(200)), "one");
    assert_eq!(words(&acme.get(&format!("{path}?version=v003")).ok(200)), "one");
    assert_eq!(words(&acme.get(&format!("{path}?version=draft")).ok(200)), "two");
    // What is published already makes no version.
    done(acme.post(&format!("{path}/publish"), &json!({ "version": "v001" })));
    acme.get(&format!("{path}?version=v004")).refused(404);
    acme.post(&format!("{path}/publish"), &json!({ "version": "v009" })).refused(404);
    acme.post(&format!("{path}/publish"), &json!({ "version": "one" })).refused(400);
    acme.post("/notifications/nobody/publish", &json!({})).refused(404);
}

#[test]
fn versions_are_listed_ten_at_a_time_the_newest_first() {
    let daemon = Daemon::start();
    let acme = daemon.customer("acme");
    let path = created(&acme, &saying("0"));
    for i in 1..=12 {
        put(&acme, &path, &with(saying(&i.to_string()), "/state", json!("PUBLISHED"))).ok(200);
    }
    for limit in ["", "limit=3&", "limit=1&", "limit=50&"] {
        let (mut labels, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = acme.get(&format!("{path}/versions?{limit}cursor={cursor}")).ok(200);
            let versions = page["versions"].as_array().unwrap();
            assert!((1..=10).contains(&versions.len()));
            labels.extend(versions.iter().map(|version| version["version"].as_str().unwrap().to_owned()));
            match page["paging"]["cursor"].as_str() {
                Some(next) => cursor = next.to_owned(),
                None => break,
            }
        }
        assert_eq!(labels.len(), 13, "{limit}");
        assert_eq!(labels[..3], ["draft", "published:v012", "v011"]);
        assert_eq!(labels[12], "v001");
    }
}

#[test]
fn an_alias_belongs_to_one_template() {
    let daemon = Daemon::start();
    let acme = daemon.customer("acme");
    let aliased = |alias: Value| with(saying("Hello"), "/notification/alias", alias);
    let path = created(&acme, &aliased(json!("welcome")));
    assert_eq!(acme.get(&format!("{path}?version=draft")).ok(200)["alias"], "welcome");
    assert!(acme.post("/notifications", &aliased(json!("welcome"))).refused(409).starts_with("notification.alias: "));
    daemon.customer("globex").post("/notifications", &aliased(json!("welcome"))).ok(201);

    // Absent leaves it, null clears it, a string sets it.
    assert_eq!(put(&acme, &path, &saying("Hello")).ok(200)["alias"], "welcome");
    assert_eq!(put(&acme, &path, &aliased(json!("welcome"))).ok(200)["alias"], "welcome");
    assert_eq!(put(&acme, &path, &aliased(json!(null))).ok(200).get("alias"), None);
    let other = created(&acme, &aliased(json!("welcome")));
    assert_eq!(put(&acme, &path, &aliased(json!("hello"))).ok(200)["alias"], "hello");
    put(&acme, &path, &aliased(json!("welcome"))).refused(409);
    assert_eq!(acme.get(&format!("{path}?version=draft")).ok(200)["alias"], "hello");

    for (alias, expected) in [
        (json!("tenant/welcome"), "notification.alias: must not begin with 'tenant/'"),
        (json!(""), "notification.alias: expected a name"),
        (json!(["a", "b"]), "notification.alias: expected a string, found an array"),
    ] {
        let message = put(&acme, &path, &aliased(alias)).refused(400);
        assert!(message.starts_with(expected), "{message:.200}");
    }
    // An archived template gives it back.
    done(delete(&acme, &other));
    assert_eq!(put(&acme, &path, &aliased(json!("welcome"))).ok(200)["alias"], "welcome");
}

#[test]
fn templates_are_listed_by_alias_and_by_tags() {
    let daemon = Daemon::start();
    let acme = daemon.customer("acme");
    let named = |name: &str, tags: Value| {
        let body = with(saying("Hello"), "/notification/name", json!(name));
        with(with(body, "/notification/tags", tags), "/notification/alias", json!(format!("{name}-alias")))
    };
    created(&acme, &named("one", json!(["Red", "blue"])));
    let two = created(&acme, &named("two", json!(["red"])));
    let three = created(&acme, &named("three", json!([])));
    let four = created(&acme, &named("four", json!(["red"])));
    done(delete(&acme, &three));
    done(acme.post(&format!("{two}/publish"), &json!({})));
    let names = |query: &str| -> Vec<String> {
        let page = acme.get(&format!("/notifications?{query}")).ok(200);
        page["results"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(""), ["one", "two", "four"]);
    assert_eq!(names("event_id=two-alias&notes=true"), ["two"]);
    assert_eq!(names("event_id=nobody"), [""; 0]);
    assert_eq!(names("tags=RED"), ["one", "two", "four"]);
    assert_eq!(names("tags=red,Blue"), ["one"]);

    let page = acme.get("/notifications?limit=2").ok(200);
    let summary = json!({
        "id": two.trim_start_matches("/notifications/"), "name": "two", "tags": ["red"], "state": "PUBLISHED",
        "created": NOW, "creator": "bulkd", "subscription_topic_id": "pt_1", "topic_id": "pt_1",
    });
    assert_eq!(page["results"][1], summary);
    assert_eq!(page["results"][0].get("topic_id"), None);
    let cursor = page["paging"]["cursor"].as_str().unwrap();
    assert_eq!(names(&format!("cursor={cursor}")), ["four"]);
    acme.get("/notifications?cursor=made-up").refused(400);
    acme.get(&format!("{four}/versions?cursor={cursor}")).refused(400);
}

#[test]
fn an_archived_template_can_still_be_read() {
    let daemon = Daemon::start();
    let acme = daemon.customer("acme");
    let path = created(&acme, &with(saying("Hello"), "/state", json!("PUBLISHED")));
    done(delete(&acme, &path));
    done(delete(&acme, &path));
    assert_eq!(words(&acme.get(&path).ok(200)), "Hello");
    assert_eq!(acme.get("/notifications").ok(200)["results"], json!([]));
    delete(&acme, "/notifications/nobody").refused(404);
}

#[test]
fn content_shows_the_checksums_of_what_can_change() {
    let daemon = Daemon::start();
    let acme = daemon.customer("acme");
    let path = created(&acme, &saying("Hello"));
    acme.get(&format!("{path}/content")).refused(404);
    let content = acme.get(&format!("{path}/content?version=draft")).ok(200);
    let email = &content["elements"][0];
    assert_eq!(
        (&content["version"], &email["type"], &email["id"]),
        (&json!("2022-01-01"), &json!("channel"), &json!("elem_1"))
    );
    let sums = |content: &Value| -> Vec<String> {
        let email = &content["elements"][0];
        let elements = [email, &email["elements"][0], &email["elements"][1]];
        elements.map(|element| element["checksum"].as_str().unwrap().to_owned()).to_vec()
    };
    let before = sums(&content);
    assert!(before.iter().all(|sum| sum.len() == 32));

    let body =
        json!({ "type": "text", "data": { "content": "Hello {{name}}" }, "channels": ["email"], "state": "DRAFT" });
    let changed = put(&acme, &format!("{path}/elements/elem_3"), &body).ok(200);
    assert_eq!((&changed["state"], &changed["version"]), (&json!("DRAFT"), &json!("2022-01-01")));
    assert!(path.ends_with(changed["id"].as_str().unwrap()));
    let after = sums(&acme.get(&format!("{path}/content?version=draft")).ok(200));
    let told: Vec<&Value> = changed["elements"].as_array().unwrap().iter().map(|it| &it["checksum"]).collect();
    assert_eq!(told, after.iter().collect::<Vec<_>>());
    assert_eq!([0, 1, 2].map(|i| before[i] == after[i]), [true, true, false]);
    let element = acme.get(&format!("{path}?version=draft")).ok(200)["content"]["elements"][0]["elements"][1].take();
    let expected = json!({ "id": "elem_3", "type": "text", "content": "Hello {{name}}", "channels": ["email"] });
    assert_eq!(element, expected);

    let changed =
        put(&acme, &format!("{path}/content"), &json!({ "content": { "elements": [{}] }, "state": "PUBLISHED" }));
    let changed = changed.ok(200);
    assert_eq!((&changed["state"], &changed["elements"][0]["id"]), (&json!("PUBLISHED"), &json!("elem_1")));
    let content = acme.get(&format!("{path}/content")).ok(200);
    assert_eq!((&content["elements"][0]["type"], &content["version"]), (&json!("text"), &json!("2022-01-01")));
}

#[test]
fn a_locale_is_set_element_by_element() {
    let daemon = Daemon::start();
    let acme = daemon.customer("acme");
    let path = created(&acme, &saying("Hello"));
    let first =
        json!({ "elements": [{ "id": "elem_2", "title": "Willkommen!" }, { "id": "elem_3", "content": "Hallo" }] });
    let plain = acme.get(&format!("{path}/content?version=draft")).ok(200);
    put(&acme, &format!("{path}/locales/de_DE"), &first).ok(200);
    let second = json!({ "elements": [{ "id": "elem_3", "content": "Hallo {{name}}" }], "state": "PUBLISHED" });
    assert_eq!(put(&acme, &format!("{path}/locales/de_DE"), &second).ok(200)["state"], "PUBLISHED");

    let content = acme.get(&format!("{path}/content")).ok(200);
    let elements = &content["elements"][0]["elements"];
    assert_eq!(elements[0]["locales"]["de_DE"]["title"], "Willkommen!");
    assert_eq!(elements[1]["locales"]["de_DE"]["content"], "Hallo {{name}}");
    assert_eq!(elements[1]["locales"]["de_DE"]["checksum"].as_str().unwrap().len(), 32);
    assert_eq!(elements[1]["checksum"], plain["elements"][0]["elements"][1]["checksum"]);

    let locale = format!("{path}/locales/de_DE");
    for (elements, expected) in [
        (json!([{ "id": "elem_3" }, { "id": "nobody" }]), "elements[1].id: expected the id of an element"),
        (json!([{ "content": "Hallo" }]), "elements[0].id: expected a string"),
        (json!([{ "id": "elem_3", "content": 5 }]), "elements[0].content: expected a string"),
        (json!([{ "id": "elem_3", "content": "{{#if}" }]), "elements[0].content: not a valid template"),
        (json!({}), "elements: expected an array"),
    ] {
        let message = put(&acme, &locale, &json!({ "elements": elements })).refused(400);
        assert!(message.starts_with(expected), "{message:.200}");
    }
    assert_eq!(acme.get(&format!("{path}/content")).ok(200), content);
}

#[test]
fn email_headers_stay_beside_an_email_channel() {
    let daemon = Daemon::start();
    let acme = daemon.customer("acme");
    let headers = json!({ "from": "a@example.com", "cc": ["{{data.cc}}"], "reply_to": null });
    let stored = json!({ "from": "a@example.com", "cc": ["{{data.cc}}"] });
    let with_headers = |headers: Value| with(saying("Hello"), "/notification/email", headers);
    let path = created(&acme, &with_headers(headers.clone()));
    assert_eq!(put(&acme, &path, &saying("Hello")).ok(200)["email"], stored);
    assert_eq!(put(&acme, &path, &with_headers(json!(null))).ok(200).get("email"), None);
    assert_eq!(put(&acme, &path, &with_headers(headers.clone())).ok(200)["email"], stored);
    assert_eq!(
        put(&acme, &path, &with_headers(json!({ "cc": "a" }))).refused(400),
        "notification.email.cc: expected an array, found string \"a\""
    );
    let unwrapped = json!({ "content": { "elements": [{ "type": "text", "content": "Hi" }] } });
    put(&acme, &format!("{path}/content"), &unwrapped).ok(200);
    assert_eq!(acme.get(&format!("{path}?version=draft")).ok(200).get("email"), None);
}

/// What providers were given of e-mails that a published template with such headers led to.
fn headed(customer: &Customer, headers: &Value, message: Value, user: &Value) -> Vec<Value> {
    let body = with(with(saying("Hello"), "/notification/email", headers.clone()), "/state", json!("PUBLISHED"));
    let path = created(customer, &body);
    let template = path.trim_start_matches("/notifications/");
    let mut message = message;
    message["template"] = template.into();
    let job_id = customer.post("/bulk", &json!({ "message": message })).ok(201)["jobId"].as_str().unwrap().to_owned();
    customer.ingest(&job_id, json!([user]));
    customer.run_to_the_end(&job_id);
    customer.outbox(&job_id)
}

#[test]
fn email_headers_reach_every_provider_of_email() {
    let daemon = Daemon::start();
    let acme = daemon.customer("acme");
    let headers = json!({
        "from": "\"Acme, {{data.shop}}\" <shop-{{data.id}}@example.com>", "reply_to": "Help <help@bücher.example>",
        "cc": ["{{profile.boss}}", "{{data.nobody}}"], "bcc": ["audit@example.com, \"Law, Ltd.\" <law@example.com>"],
    });
    let user = json!({
        "recipient": "ada", "profile": { "email": "ada@example.com", "boss": "Boss <boss@example.com>" },
        "data": { "shop": "Ada & \"Co\"", "id": 7 },
    });
    let request = |provider: &str, overriding: Value| {
        let message = json!({
            "routing": { "method": "single", "channels": [provider] },
            "channels": { "email": { "override": overriding } },
        });
        headed(&acme, &headers, message, &user)[0]["request"].clone()
    };
    let sendgrid = request("sendgrid", json!({}));
    assert_eq!(sendgrid["from"], json!({ "email": "shop-7@example.com", "name": "Acme, Ada & \"Co\"" }));
    assert_eq!(sendgrid["reply_to"], json!({ "email": "help@xn--bcher-kva.example", "name": "Help" }));
    let to = &sendgrid["personalizations"][0];
    assert_eq!(to["cc"], json!([{ "email": "boss@example.com", "name": "Boss" }]));
    assert_eq!(
        to["bcc"],
        json!([{ "email": "audit@example.com" }, { "email": "law@example.com", "name": "Law, Ltd." }])
    );
    let cases = [
        ("postmark", "/body/From", json!("\"Acme, Ada & \\\"Co\\\"\" <shop-7@example.com>")),
        ("aws-ses", "/body/Destination/CcAddresses", json!(["Boss <boss@example.com>"])),
        ("mailgun", "/body/h:Reply-To", json!("Help <help@xn--bcher-kva.example>")),
        ("mailjet", "/body/Messages/0/ReplyTo/Email", json!("help@xn--bcher-kva.example")),
        ("mandrill", "/body/message/to/1/email", json!("boss@example.com")),
        ("resend", "/body/bcc", json!(["audit@example.com", "\"Law, Ltd.\" <law@example.com>"])),
        ("sparkpost", "/body/content/headers/CC", json!("Boss <boss@example.com>")),
        ("smtp", "/from", json!("shop-7@example.com")),
        ("gmail", "/to", json!(["ada@example.com", "boss@example.com", "audit@example.com", "law@example.com"])),
        ("mailersend", "/cc", json!(["Boss <boss@example.com>"])),
    ];
    for (provider, place, expected) in cases {
        let request = request(provider, json!({}));
        assert_eq!(request.pointer(place), Some(&expected), "{provider}: {request}");
    }
    // What the message says goes before.
    let overridden = request("sendgrid", json!({ "from": "me@example.com", "replyTo": "me@example.com", "cc": null }));
    assert_eq!(overridden["from"], json!({ "email": "me@example.com" }));
    assert_eq!(overridden["reply_to"], json!({ "email": "me@example.com" }));
    assert_eq!(overridden["personalizations"][0].get("cc"), None);
    assert_eq!(overridden["personalizations"][0]["bcc"], to["bcc"]);
}

#[test]
fn a_header_that_is_no_address_is_refused_or_is_what_the_message_fails_by() {
    let daemon = Daemon::start();
    let acme = daemon.customer("acme");
    let refused = [
        (json!({ "from": "nobody" }), "notification.email.from: 'nobody' is not an e-mail address"),
        (json!({ "cc": ["a@example.com", "b"] }), "notification.email.cc[1]: 'b' is not an e-mail address"),
        (json!({ "bcc": ["{{#if}"] }), "notification.email.bcc[0]: not a valid template"),
    ];
    for (headers, expected) in refused {
        let message = acme.post("/notifications", &with(saying("Hi"), "/notification/email", headers)).refused(400);
        assert!(message.starts_with(expected), "{message}");
    }
    let sent = |headers: Value, boss: &str| {
        let user = json!({ "recipient": "ada", "profile": { "email": "ada@example.com", "boss": boss } });
        headed(&acme, &headers, json!({}), &user)[0].clone()
    };
    for headers in [json!({ "cc": ["{{profile.boss}}"] }), json!({ "from": "Boss <{{profile.boss}}>" })] {
        let row = sent(headers.clone(), "nobody");
        assert_eq!((&row["status"], &row["reason"]), (&json!("UNDELIVERABLE"), &json!("PROVIDER_ERROR")), "{row}");
        assert!(row["error"].as_str().unwrap().contains("'nobody' is not an e-mail address"), "{row}");
        assert_eq!(sent(headers, "boss@example.com")["status"], "SENT");
    }
    // The provider's limits are about all of it.
    let twice = sent(json!({ "cc": ["{{profile.boss}}"] }), "ada@example.com");
    assert!(twice["error"].as_str().unwrap().contains("should be unique"), "{twice}");
    let twice = sent(json!({ "cc": ["ada@example.com"] }), "b@example.com");
    assert!(twice["error"].as_str().unwrap().contains("should be unique"), "{twice}");
}

#[test]
fn checks_are_kept_as_they_were_given() {
    let daemon = Daemon::start();
    let acme = daemon.customer("acme");
    let path = created(&acme, &saying("Hello"));
    let checks = format!("{path}/submission/checks");
    assert_eq!(acme.get(&checks).ok(200), json!({ "checks": [] }));
    let body = json!({ "checks": [{ "id": "abc-123", "status": "RESOLVED", "type": "custom" }] });
    let expected = json!({ "checks": [{ "id": "abc-123", "status": "RESOLVED", "type": "custom", "updated": NOW }] });
    assert_eq!(put(&acme, &checks, &body).ok(200), expected);
    assert_eq!(acme.get(&checks).ok(200), expected);
    assert_eq!(acme.get(&format!("{path}/another/checks")).ok(200), json!({ "checks": [] }));
    let bad = json!({ "checks": [{ "id": "abc-123", "status": "DONE", "type": "custom" }] });
    assert!(put(&acme, &checks, &bad).refused(400).starts_with("checks[0].status: expected one of RESOLVED"));
    done(delete(&acme, &checks));
    done(delete(&acme, &checks));
    assert_eq!(acme.get(&checks).ok(200), json!({ "checks": [] }));
    acme.get("/notifications/nobody/submission/checks").refused(404);
}

#[test]
fn a_malformed_template_is_refused_by_its_field_and_changes_nothing() {
    let daemon = Daemon::start();
    let acme = daemon.customer("acme");
    let elements = |elements: Value| with(saying("Hello"), "/notification/content", json!({ "elements": elements }));
    let field = |name: &str, value: Value| with(saying("Hello"), &format!("/notification/{name}"), value);
    let cases = [
        (json!({}), "the body: expected a field 'notification'"),
        (json!({ "notification": 5 }), "notification: expected an object"),
        (field("name", json!(5)), "notification.name: expected a string"),
        (field("name", json!(" ")), "notification.name: expected a name"),
        (field("brand", json!("acme")), "notification.brand: expected an object"),
        (field("routing", json!({})), "notification.routing: expected a field 'strategy_id'"),
        (field("tags", json!(["a", 5])), "notification.tags[1]: expected a string"),
        (field("content", json!("Hello")), "notification.content: expected an object"),
        (field("content", json!({ "title": "Hi", "body": "Hello" })), "notification.content: expected {\"version\""),
        (elements(json!([{ "type": 5 }])), "notification.content.elements[0]: expected"),
        (elements(json!([{ "type": "text", "content": 5 }])), "notification.content.elements[0].content: expected"),
        (elements(json!([{ "type": "text", "content": "{{#if}" }])), "notification.content.elements[0].content: "),
        (with(saying("Hello"), "/state", json!("LIVE")), "state: expected one of DRAFT, PUBLISHED"),
    ];
    for (body, expected) in cases {
        let message = acme.post("/notifications", &body).refused(400);
        assert!(message.starts_with(expected), "{message:.200}");
    }
    assert_eq!(acme.get("/notifications").ok(200)["results"], json!([]));

    let path = created(&acme, &saying("Hello"));
    let before = acme.get(&format!("{path}?version=draft")).ok(200);
    let element = format!("{path}/elements/elem_3");
    let cases = [
        (json!({}), "type: expected a string"),
        (json!({ "type": "text", "data": 5 }), "data: expected an object"),
        (json!({ "type": "text", "content": 5 }), "content: expected a string"),
        (json!({ "type": "text", "content": "{{#if}" }), "content: "),
        (json!({ "type": "group", "elements": [{ "type": "text", "content": "{{#if}" }] }), "elements[0].content: "),
        (json!({ "type": "group", "elements": [{ "type": "text", "content": 5 }] }), "elements[0].content: "),
        (
            json!({ "type": "text", "content": "x", "locales": { "fr": { "content": "{{#if}" } } }),
            "locales.fr.content: ",
        ),
        (json!({ "type": "text", "state": 5 }), "state: expected"),
    ];
    for (body, expected) in cases {
        let message = put(&acme, &element, &body).refused(400);
        assert!(message.starts_with(expected), "{message:.200}");
    }
    put(&acme, &format!("{path}/elements/nobody"), &json!({ "type": "text", "content": "Hi" })).refused(404);
    put(&acme, &format!("{path}/content"), &json!({ "content": { "title": "Hi", "body": "Hello" } })).refused(400);
    assert_eq!(acme.get(&format!("{path}?version=draft")).ok(200), before);
}

#[test]
fn elements_cannot_be_nested_until_they_cannot_be_read() {
    let daemon = Daemon::start();
    let acme = daemon.customer("acme");
    let path = created(&acme, &saying("Hello"));
    let nested = |leaf: &str, levels: usize| {
        (0..levels).fold(
            json!({ "id": leaf, "type": "divider" }),
            |inner, i| json!({ "id": format!("{leaf}-{i}"), "type": "group", "elements": [inner] }),
        )
    };
    let mut one = nested("a", 15);
    one["id"] = json!("elem_3");
    put(&acme, &format!("{path}/elements/elem_3"), &one).ok(200);
    let message = put(&acme, &format!("{path}/elements/a"), &nested("b", 15)).refused(400);
    assert!(message.contains("expected elements nested at most 20 deep"), "{message:.200}");
    acme.get(&format!("{path}/content?version=draft")).ok(200);
}

#[test]
fn metrics_have_a_bucket_for_every_day_that_was_asked_for() {
    let daemon = Daemon::start();
    let acme = daemon.customer("acme");
    // An unknown template has an empty series, as at Courier.
    let metrics = acme.get("/notifications/x/metrics").ok(200);
    assert_eq!(metrics["notificationId"], "x");
    assert_eq!((&metrics["start"], &metrics["end"]), (&json!("2026-08-22T00:00:00Z"), &json!("2026-09-22T00:00:00Z")));
    let series = metrics["series"].as_array().unwrap();
    assert_eq!(series.len(), 31);
    assert_eq!(series[30], json!({ "period": "2026-09-21T00:00:00Z", "data": [] }));

    let window = |query: &str| {
        let metrics = acme.get(&format!("/notifications/x/metrics?{query}")).ok(200);
        let text = |name: &str| metrics[name].as_str().unwrap().to_owned();
        (text("start"), text("end"), metrics["series"].as_array().unwrap().len())
    };
    let moment = "2019-12-27T18%3A11%3A19.117000%2B00%3A00";
    let hour = window(&format!("start={moment}&end={moment}&granularity=HOUR&lookback=lookback"));
    assert_eq!(hour, ("2019-12-27T18:00:00Z".to_owned(), "2019-12-27T19:00:00Z".to_owned(), 1));
    let weeks = window("start=2026-04-01T00:00:00Z&end=2026-04-15T00:00:00Z&granularity=WEEK");
    assert_eq!(weeks, ("2026-03-29T00:00:00Z".to_owned(), "2026-04-19T00:00:00Z".to_owned(), 3));
    let months = window("start=2026-01-31T00:00:00Z&end=2026-03-01T00:00:00Z&granularity=month");
    assert_eq!(months, ("2026-01-01T00:00:00Z".to_owned(), "2026-03-01T00:00:00Z".to_owned(), 2));
    assert_eq!(window("lookback=PT12H&granularity=HOUR").2, 13);

    for (query, expected) in [
        ("start=2026-04-01T00:00:00Z", "start: expected together with 'end'"),
        ("start=2026-04-02T00:00:00Z&end=2026-04-01T00:00:00Z", "start: expected a time before"),
        ("start=2026-04-01&end=2026-04-02", "start: expected an ISO 8601 timestamp"),
        ("lookback=lookback", "lookback: expected an ISO 8601 duration"),
        ("lookback=-P1D", "lookback: expected"),
        ("lookback=P0D", "lookback: expected"),
        ("lookback=P99999999Y", "lookback: expected"),
        ("granularity=MINUTE", "granularity: expected HOUR"),
        ("lookback=P8D&granularity=HOUR", "granularity: HOUR covers at most 7 days"),
        ("lookback=P91D", "granularity: DAY covers at most 90 days"),
        ("lookback=P30Y&granularity=WEEK", "granularity: expected at most 1000 buckets"),
    ] {
        let message = acme.get(&format!("/notifications/x/metrics?{query}")).refused(400);
        assert!(message.starts_with(expected), "{query}: {message:.200}");
    }
}

#[test]
fn metrics_count_what_became_of_a_templates_messages() {
    let daemon = Daemon::start();
    let acme = daemon.customer("acme");
    let path = created(&acme, &with(saying("Hello"), "/state", json!("PUBLISHED")));
    let job_id = acme.create(newsletter());
    acme.ingest(&job_id, readers(0, 3));
    acme.ingest(&job_id, json!([{ "recipient": "sam", "profile": { "phone_number": "+15550001" } }]));
    acme.run_to_the_end(&job_id);
    let other = acme.create(newsletter());
    acme.ingest(&other, readers(0, 5));
    acme.run_to_the_end(&other);
    // As if the first job had named the template, one reader had opened the message, and one mailbox were full.
    let file = rusqlite::Connection::open(daemon.database()).unwrap();
    file.execute("UPDATE jobs SET template_version = 1 WHERE job_id = ?1", [&job_id]).unwrap();
    file.execute("UPDATE messages SET status = 'OPENED' WHERE number = 1", []).unwrap();
    file.execute("UPDATE messages SET status = 'UNDELIVERABLE' WHERE number = 2", []).unwrap();
    drop(file);

    let metrics = acme.get(&format!("{path}/metrics")).ok(200);
    let of = |channel: &str, provider: &str, [sent, delivered, opened, lost]: [u64; 4]| {
        json!({
            "channel": channel, "provider": provider, "sent": sent, "delivered": delivered, "opened": opened,
            "clicked": 0, "errors": lost, "undeliverable": lost,
        })
    };
    let today = &metrics["series"][30];
    assert_eq!(today["data"], json!([of("email", "sendgrid", [2, 1, 1, 1]), of("sms", "twilio", [1, 0, 0, 0])]));
    assert_eq!(metrics["series"][29]["data"], json!([]));
    assert_eq!(daemon.customer("globex").get(&format!("{path}/metrics")).ok(200)["series"][30]["data"], json!([]));
}

/// A store as the writer's and the runner's side sees it, with one environment, whose row is 1.
fn store() -> (Store, Threads) {
    open_store(None, NOW)
}

#[test]
fn what_a_definition_names_is_found_by_id_and_then_by_alias() {
    let (store, threads) = store();
    let put = |id: &'static str, words: &str, alias: Value, publish: bool| {
        let body = with(saying(words), "/notification/alias", alias)["notification"].take();
        let payload = TemplatePayload::read(&body.to_string(), "template").unwrap();
        store.write(move |tx| {
            let acme = environment::find_or_create(tx, &Environment::of_key("acme"))?;
            let draft = bulkd::model::template::to_text(payload.to_json(None)?)?;
            template::put(tx, acme, id, &payload, &draft, publish)
        })
    };
    let find = |name: &str| store.read(|db| template::find_to_send(db, EnvironmentRow(1), name)).unwrap();
    assert!(find("welcome").is_none());

    put("nt_one", "one", json!("welcome"), false).unwrap();
    let draft = find("welcome").unwrap();
    assert_eq!((draft.template_id.as_str(), draft.template_version), ("nt_one", None));
    assert!(draft.template_json.contains("one"));

    put("nt_one", "one", json!("welcome"), true).unwrap();
    let published = find("nt_one").unwrap();
    let version = published.template_version.unwrap();
    let stored = store.read(|db| template::get_version(db, version)).unwrap();
    assert_eq!(stored, ("nt_one".to_owned(), published.template_json));

    // The same again makes no version; something else does, once it is published.
    put("nt_one", "one", json!("welcome"), true).unwrap();
    put("nt_one", "two", json!("welcome"), false).unwrap();
    assert_eq!(find("nt_one").unwrap().template_version, Some(version));
    put("nt_one", "two", json!("welcome"), true).unwrap();
    assert_ne!(find("nt_one").unwrap().template_version, Some(version));
    assert!(store.read(|db| template::get_version(db, version)).unwrap().1.contains("one"));

    // An id goes before another template's alias.
    put("welcome", "three", json!(null), true).unwrap();
    assert_eq!(find("welcome").unwrap().template_id, "welcome");
    assert!(put("nt_four", "four", json!("welcome"), true).is_err());
    assert!(store.read(|db| template::find_to_send(db, EnvironmentRow(2), "nt_one")).unwrap().is_none());

    // An archived one is not published until it is put again, and its alias is free in between.
    store
        .write(|tx| {
            let archived = template::get(tx, EnvironmentRow(1), "nt_one")?;
            template::archive(tx, &archived)
        })
        .unwrap();
    assert_eq!(find("nt_one").unwrap().template_version, None);
    assert!(find("hello").is_none());
    put("nt_four", "four", json!("welcome"), true).unwrap();
    assert!(put("nt_one", "one", json!("welcome"), true).is_err());
    put("nt_one", "one", json!("hello"), true).unwrap();
    assert_eq!(find("hello").unwrap().template_id, "nt_one");
    store.stop();
    threads.join();
}

#[test]
fn a_template_does_not_grow_beyond_what_can_be_sent() {
    let daemon = Daemon::start();
    let acme = daemon.customer("acme");
    let path = created(&acme, &saying("Hello"));
    let long = json!({ "type": "text", "content": "x".repeat(3 << 20) });
    put(&acme, &format!("{path}/elements/elem_2"), &long).ok(200);
    let message = put(&acme, &format!("{path}/elements/elem_3"), &long).refused(400);
    assert!(message.starts_with("content: a template takes at most"), "{message:.200}");
    let content = json!({ "content": { "elements": vec![json!({}); 200_000] } });
    put(&acme, &format!("{path}/content"), &content).refused(400);
    assert_eq!(words(&acme.get(&format!("{path}?version=draft")).ok(200)), "Hello");
}

#[test]
fn elements_that_say_nothing_show_nothing() {
    let daemon = Daemon::start();
    let acme = daemon.customer("acme");
    let kinds = ["text", "image", "html", "quote", "action"];
    let elements: Vec<Value> = kinds.iter().map(|kind| json!({ "type": kind })).collect();
    let elements = [vec![json!({ "type": "text", "content": "Hello" })], elements].concat();
    let content = json!({ "elements": elements });
    let body = json!({ "notification": { "name": "Empty", "content": content }, "state": "PUBLISHED" });
    let id = acme.post("/notifications", &body).ok(201)["id"].as_str().unwrap().to_owned();
    let job_id = acme.create(json!({ "template": id }));
    acme.ingest(&job_id, json!([{ "recipient": "ada" }, { "profile": { "email": "ada@example.com" } }]));
    acme.run_to_the_end(&job_id);
    let outbox = acme.outbox(&job_id);
    assert_eq!((&outbox[0]["body"], &outbox[1]["body"]), (&json!("Hello"), &json!("Hello")));
    assert_eq!(outbox[0]["content"], "[{\"type\":\"text\",\"content\":\"Hello\"}]");
    assert_eq!(outbox[1]["content"], "<p style=\"margin:0 0 16px;\">Hello</p>\n");
}
