//! Brands, from their first version to their end.

use std::time::Duration;

use crate::support::{Customer, Daemon, NOW, Reply, json, open_store};
use bulkd::model::brand::BrandPayload;
use bulkd::model::environment::{Environment, EnvironmentRow};
use bulkd::store::{brand, environment};

fn put(customer: &Customer, path: &str, body: &serde_json::Value) -> Reply {
    customer.send("PUT", path, Some(&body.to_string()))
}

fn delete(customer: &Customer, path: &str) -> Reply {
    customer.send("DELETE", path, None)
}

#[test]
fn a_brand_is_created_read_replaced_and_deleted() {
    let daemon = Daemon::start();
    let acme = daemon.customer("acme");
    let settings = json!({ "colors": { "primary": "#9D3789" }, "email": { "footer": { "markdown": "Acme Ltd" } } });
    let snippets = json!({ "items": [{ "name": "hello", "value": "Hello {{name}}" }] });

    let body = json!({ "id": "acme", "name": "Acme", "settings": settings, "snippets": snippets });
    let created = acme.post("/brands", &body).ok(200);
    let expected = json!({
        "id": "acme", "name": "Acme", "settings": settings, "snippets": snippets,
        "created": NOW, "updated": NOW, "published": NOW, "version": "2026-09-21T14:13:20Z",
    });
    assert_eq!(created, expected);
    assert_eq!(acme.get("/brands/acme").ok(200), expected);

    daemon.clock.advance(Duration::from_secs(60));
    let replaced = put(&acme, "/brands/acme", &json!({ "name": "Acme & Sons" })).ok(200);
    let expected = json!({
        "id": "acme", "name": "Acme & Sons",
        "created": NOW, "updated": NOW + 60_000, "published": NOW + 60_000, "version": "2026-09-21T14:14:20Z",
    });
    assert_eq!(replaced, expected);
    assert_eq!(acme.get("/brands/acme").ok(200), expected);

    let deleted = delete(&acme, "/brands/acme");
    assert_eq!((deleted.status, deleted.text.as_str()), (204, ""));
    acme.get("/brands/acme").refused(404);
    delete(&acme, "/brands/acme").refused(404);
    put(&acme, "/brands/acme", &json!({ "name": "Acme" })).refused(404);
}

#[test]
fn a_brand_without_an_id_gets_one_and_an_id_is_given_once() {
    let daemon = Daemon::start();
    let (acme, globex) = (daemon.customer("acme"), daemon.customer("globex"));
    let body = json!({ "name": "Acme", "settings": {} });
    let created = acme.post("/brands", &body).ok(200);
    let id = created["id"].as_str().unwrap();
    assert!(id.starts_with("bnd_") && id.len() == 30, "{id}");
    globex.get(&format!("/brands/{id}")).refused(404);

    let named = json!({ "id": "acme", "name": "Acme", "settings": {} });
    acme.post("/brands", &named).ok(200);
    assert!(acme.post("/brands", &named).refused(409).starts_with("id: there is a brand 'acme' already"));
    globex.post("/brands", &named).ok(200);
    let once = acme.once("a-key");
    assert_eq!(once.post("/brands", &body).text, once.post("/brands", &body).text);
}

#[test]
fn brands_are_listed_page_by_page() {
    let daemon = Daemon::start();
    let acme = daemon.customer("acme");
    assert_eq!(acme.get("/brands").ok(200), json!({ "paging": { "more": false }, "results": [] }));
    for id in ["one", "two", "three"] {
        acme.post("/brands", &json!({ "id": id, "name": id, "settings": {} })).ok(200);
    }
    let first = acme.get("/brands?limit=2").ok(200);
    assert_eq!((&first["results"][0]["id"], &first["results"][1]["id"]), (&json!("one"), &json!("two")));
    assert_eq!(first["paging"]["more"], true);
    let cursor = first["paging"]["cursor"].as_str().unwrap();
    let last = acme.get(&format!("/brands?limit=2&cursor={cursor}")).ok(200);
    assert_eq!(last["results"].as_array().unwrap().len(), 1);
    assert_eq!((&last["results"][0]["id"], &last["paging"]), (&json!("three"), &json!({ "more": false })));
    acme.get(&format!("/notifications?cursor={cursor}")).refused(400);
}

#[test]
fn a_brand_that_a_template_uses_stays() {
    let daemon = Daemon::start();
    let acme = daemon.customer("acme");
    acme.post("/brands", &json!({ "id": "acme", "name": "Acme", "settings": {} })).ok(200);
    let template = |brand: &serde_json::Value| {
        json!({ "notification": {
            "name": "Welcome", "brand": brand, "routing": null, "subscription": null, "tags": [],
            "content": { "version": "2022-01-01", "elements": [] },
        }})
    };
    let used = template(&json!({ "id": "acme" }));
    let id = acme.post("/notifications", &used).ok(201)["id"].as_str().unwrap().to_owned();
    let path = format!("/notifications/{id}");
    assert!(delete(&acme, "/brands/acme").refused(409).contains(&id));

    // The draft no longer uses it, but what is sent does.
    acme.post(&format!("{path}/publish"), &json!({}));
    put(&acme, &path, &template(&json!(null))).ok(200);
    delete(&acme, "/brands/acme").refused(409);
    acme.post(&format!("{path}/publish"), &json!({}));
    assert_eq!(delete(&acme, "/brands/acme").status, 204);

    acme.post("/brands", &json!({ "id": "acme", "name": "Acme", "settings": {} })).ok(200);
    put(&acme, &path, &used).ok(200);
    delete(&acme, "/brands/acme").refused(409);
    assert_eq!(delete(&acme, &path).status, 204);
    assert_eq!(delete(&acme, "/brands/acme").status, 204);
}

#[test]
fn a_malformed_brand_is_refused_by_its_field_and_changes_nothing() {
    let daemon = Daemon::start();
    let acme = daemon.customer("acme");
    let with = |settings: serde_json::Value| json!({ "name": "Acme", "settings": settings });
    let cases = [
        (json!([1]), "the body: expected an object"),
        (json!({ "settings": {} }), "the body: expected a field 'name'"),
        (json!({ "name": 5, "settings": {} }), "name: expected a string"),
        (json!({ "name": "", "settings": {} }), "name: expected a name"),
        (json!({ "id": "", "name": "Acme", "settings": {} }), "id: expected a name"),
        (with(json!("red")), "settings: expected an object"),
        (with(json!({ "colors": { "primary": 5 } })), "settings.colors.primary: expected a string"),
        (with(json!({ "email": { "header": { "logo": [1] } } })), "settings.email.header.logo: expected an object"),
        (
            with(json!({ "email": { "footer": { "markdown": {} } } })),
            "settings.email.footer.markdown: expected a string",
        ),
        (
            with(json!({ "email": { "footer": { "markdown": "{{#if}}" } } })),
            "settings.email.footer.markdown: not a valid template",
        ),
        (
            with(json!({ "email": { "templateOverride": { "header": "{{shout name}}" } } })),
            "settings.email.templateOverride.header: not a valid template: line 1, column 1, {{shout name}}: there is no",
        ),
        (
            with(json!({ "email": { "footer": { "content": "{{first-name}}" } } })),
            "settings.email.footer.content: line 1, column 3, first-name: the name 'first-name' holds a dash",
        ),
        (
            json!({ "name": "A", "settings": {}, "snippets": { "items": [{ "name": "a" }] } }),
            "snippets.items[0]: expected",
        ),
        (
            json!({ "name": "A", "settings": {}, "snippets": { "items": [
                { "name": "a", "value": "{{name}}" }, { "name": "b", "value": "Hi\n{{#if}}" },
            ] } }),
            "snippets.items[1].value: not a valid template: line 2, column 1, {{#if}}: the block is left open",
        ),
    ];
    for (body, expected) in cases {
        let message = acme.post("/brands", &body).refused(400);
        assert!(message.starts_with(expected), "{message:.200}");
    }
    assert_eq!(acme.get("/brands").ok(200)["results"], json!([]));
}

#[test]
fn a_brand_that_is_put_has_a_version_for_every_change() {
    let (store, threads) = open_store(None, NOW);
    let put = |name: &str| {
        let payload = BrandPayload::read(&json!({ "name": name }).to_string(), "brands[0]").unwrap();
        let put = store.write(move |tx| {
            let acme = environment::find_or_create(tx, &Environment::of_key("acme"))?;
            brand::put(tx, acme, "acme", &payload)
        });
        put.unwrap();
        store.read(|db| brand::find_current(db, EnvironmentRow(1), "acme")).unwrap().unwrap()
    };
    let first = put("Acme");
    assert_eq!(put("Acme"), first);
    let second = put("Acme & Sons");
    assert_ne!(second, first);
    let version = |version| store.read(|db| brand::get_version(db, version)).unwrap();
    assert_eq!(version(first), r#"{"id":"acme","name":"Acme"}"#);
    assert_eq!(version(second), r#"{"id":"acme","name":"Acme & Sons"}"#);
    assert_eq!(store.read(|db| brand::find_current(db, EnvironmentRow(1), "globex")).unwrap(), None);
    assert_eq!(store.read(|db| brand::find_current(db, EnvironmentRow(2), "acme")).unwrap(), None);
    store.stop();
    threads.join();
}

#[test]
fn the_texts_of_a_brand_know_whom_they_are_for() {
    let daemon = Daemon::start();
    let acme = daemon.customer("acme");
    let footer = "For {{name}} of {{profile.city}}, {{#if vip}}**{{name}}**, {{/if}}{{plan}} {{brand.name}} \
                  {{datetime.year}} {{recipient}}. [Leave]({{urls.unsubscribe}}) [{{name}}]({{site}})";
    let email =
        json!({ "footer": { "content": footer }, "head": { "content": "<meta name=\"a\" content=\"{{name}}\">" } });
    acme.post("/brands", &json!({ "id": "acme", "name": "Acme", "settings": { "email": email } })).ok(200);
    acme.put("/profiles/ada", &json!({ "profile": { "email": "ada@example.com", "city": "London" } })).ok(200);
    let job_id = acme.create(json!({ "content": { "body": "Hi" }, "brand": "acme", "data": { "plan": "free" } }));
    let evil = "<b>[x](https://evil.example)\"";
    let users = json!([
        { "recipient": "ada", "data": { "name": "Ada", "vip": true, "site": "https://ada.example" } },
        { "recipient": "eve", "profile": { "email": "eve@example.com" }, "data": { "name": evil, "vip": 1, "site": "javascript:x" } },
    ]);
    acme.ingest(&job_id, users);
    acme.run_to_the_end(&job_id);
    let outbox = acme.outbox(&job_id);
    let html = |i: usize| outbox[i]["html"].as_str().unwrap();
    let expected = [
        "For Ada of London, **Ada**, free Acme 2026 ada. <a href=\"https://bulkd.invalid/unsubscribe\"",
        "<a href=\"https://ada.example\"",
        "<meta name=\"a\" content=\"Ada\">",
    ];
    for part in expected {
        assert!(html(0).contains(part), "no {part} in {}", html(0));
    }
    assert_eq!(outbox[0]["request"]["content"][1]["value"], html(0));
    for part in [
        "For &lt;b&gt;[x](https://evil.example)&quot; of , **&lt;b&gt;[x](https://evil.example)&quot;**, free",
        "<meta name=\"a\" content=\"&lt;b&gt;[x](https://evil.example)&quot;\">",
    ] {
        assert!(html(1).contains(part), "no {part} in {}", html(1));
    }
    assert!(!html(1).contains("href=\"https://evil") && !html(1).contains("href=\"javascript"), "{}", html(1));
    let message_id = outbox[0]["message_id"].as_str().unwrap();
    let output = acme.get(&format!("/messages/{message_id}/output")).ok(200);
    assert_eq!(output["results"][0]["content"]["html"], html(0));
}

#[test]
fn a_text_of_a_brand_that_fails_for_a_user_is_left_out_there() {
    let daemon = Daemon::start();
    let acme = daemon.customer("acme");
    let footer = json!({ "email": { "footer": { "content": "At {{datetime-format at \"HH:mm\" zone}}" } } });
    acme.post("/brands", &json!({ "id": "acme", "name": "Acme", "settings": footer })).ok(200);
    let job_id = acme.create(json!({ "content": { "body": "Hi" }, "brand": "acme", "data": { "at": 0 } }));
    let user = |zone: &str| json!({ "profile": { "email": "a@example.com" }, "data": { "zone": zone } });
    acme.ingest(&job_id, json!([user("Europe/Paris"), user("Europe/Atlantis")]));
    acme.run_to_the_end(&job_id);
    let outbox = acme.outbox(&job_id);
    assert!(outbox[0]["html"].as_str().unwrap().contains("At 01:00"));
    assert!(outbox[1]["html"].as_str().unwrap().contains("Hi") && !outbox[1]["html"].as_str().unwrap().contains("At "));
}
