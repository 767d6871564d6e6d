//! Push tokens of users' devices.

use crate::support::{Daemon, json};
use serde_json::Value;

fn shown(token: &str, provider_key: &str) -> Value {
    json!({
        "token": token, "provider_key": provider_key, "device": null, "expiry_date": null, "properties": null,
        "tracking": null, "status": "active", "status_reason": null,
    })
}

#[test]
fn a_token_is_registered_shown_patched_and_deleted() {
    let daemon = Daemon::start();
    let customer = daemon.customer("key");
    let path = "/users/ada/tokens/Expo%5Ba%2Fb%5D";
    customer.get(path).refused(404);
    customer.patch(path, &json!({ "patch": [] })).refused(404);
    customer.put(path, &json!({ "provider_key": "expo" })).done();
    assert_eq!(customer.get(path).ok(200), shown("Expo[a/b]", "expo"));
    let whole = json!({
        "token": "Expo[a/b]", "provider_key": "expo", "device": { "app_id": "com.example", "platform": "ios" },
        "expiry_date": "2026-10-25T00:00:00.000Z", "properties": { "a": [1] }, "tracking": { "ip": "::1" },
    });
    customer.put(path, &whole).done();
    let mut expected = whole.clone();
    expected["status"] = json!("active");
    expected["status_reason"] = Value::Null;
    assert_eq!(customer.get(path).ok(200), expected);
    assert_eq!(customer.get("/users/ada/tokens").ok(200), json!({ "tokens": [expected] }));

    // Courier's SDKs leave out a value that is null.
    customer.patch(path, &json!({ "patch": [{ "op": "replace", "path": "/expiry_date" }] })).done();
    let patch = json!({ "patch": [
        { "op": "replace", "path": "/status", "value": "revoked" },
        { "op": "add", "path": "/status_reason", "value": "signed out" },
        { "op": "remove", "path": "/device/platform" },
    ] });
    customer.patch(path, &patch).done();
    let found = customer.get(path).ok(200);
    assert_eq!((&found["expiry_date"], &found["device"]), (&Value::Null, &json!({ "app_id": "com.example" })));
    assert_eq!((&found["status"], &found["status_reason"]), (&json!("revoked"), &json!("signed out")));
    customer.delete(path).done();
    customer.delete(path).done();
    assert_eq!(customer.get("/users/ada/tokens").ok(200), json!({ "tokens": [] }));
}

#[test]
fn many_tokens_are_registered_at_once_and_others_stay() {
    let daemon = Daemon::start();
    let customer = daemon.customer("key");
    customer.put("/users/ada/tokens/a", &json!({ "provider_key": "apn" })).done();
    customer.send("PUT", "/users/ada/tokens", None).done();
    let tokens = json!({ "tokens": [{ "token": "b", "provider_key": "apn" }, { "token": "c", "provider_key": "firebase-fcm" }] });
    customer.put("/users/ada/tokens", &tokens).done();
    let expected = [shown("a", "apn"), shown("b", "apn"), shown("c", "firebase-fcm")];
    assert_eq!(customer.get("/users/ada/tokens").ok(200)["tokens"], json!(expected));
}

#[test]
fn what_is_no_token_is_refused_by_its_path() {
    let daemon = Daemon::start();
    let customer = daemon.customer("key");
    let one = "/users/ada/tokens/t";
    let apn = |name: &str, value: Value| json!({ "provider_key": "apn", name: value });
    let cases = [
        (one, json!({}), "the body: expected a field 'provider_key'"),
        (one, json!({ "provider_key": "fcm" }), "provider_key: expected one of firebase-fcm, apn, expo, onesignal"),
        (one, apn("token", json!("other")), "token: expected the token that the path names"),
        (one, apn("expiry_date", json!(true)), "expiry_date: expected a date, or false"),
        (one, apn("expiry_date", json!(1)), "expiry_date: expected a date, or false"),
        (one, apn("device", json!("phone")), "device: expected an object"),
        (one, apn("device", json!({ "model": 7 })), "device.model: expected a string"),
        (one, apn("status", json!("gone")), "status: expected one of active, unknown, failed, revoked"),
        (
            "/users/ada/tokens",
            json!({ "tokens": [{ "token": "a", "provider_key": "apn" }, { "provider_key": "apn" }] }),
            "tokens[1].token: expected a token",
        ),
        ("/users/ada/tokens", json!({ "tokens": {} }), "tokens: expected an array"),
    ];
    for (path, body, expected) in cases {
        let refusal = customer.put(path, &body).refused(400);
        assert!(refusal.starts_with(expected), "{refusal}");
    }
    assert_eq!(customer.get("/users/ada/tokens").ok(200)["tokens"], json!([]));
    customer.put(one, &json!({ "provider_key": "apn" })).done();
    for (patch, expected) in [
        (json!({ "op": "replace", "path": "/provider_key", "value": "x" }), "provider_key: expected one of "),
        (json!({ "op": "replace", "path": "/token", "value": "x" }), "token: expected the token that the path names"),
        (json!({ "op": "replace", "path": "/nothing", "value": "x" }), "patch[0].path: "),
    ] {
        let refusal = customer.patch(one, &json!({ "patch": [patch] })).refused(400);
        assert!(refusal.starts_with(expected), "{refusal}");
    }
    assert_eq!(customer.get(one).ok(200), shown("t", "apn"));
}

#[test]
fn a_token_belongs_to_one_user_of_one_environment() {
    let daemon = Daemon::start();
    let (ours, theirs) = (daemon.customer("ours"), daemon.customer("theirs"));
    ours.put("/users/ada/tokens/t", &json!({ "provider_key": "apn" })).done();
    theirs.get("/users/ada/tokens/t").refused(404);
    ours.get("/users/bob/tokens/t").refused(404);
    theirs.delete("/users/ada/tokens/t").done();
    ours.delete("/users/bob/tokens/t").done();
    ours.get("/users/ada/tokens/t").ok(200);
}

#[test]
fn very_many_tokens_are_registered_in_a_call_and_the_last_of_a_name_stays() {
    let daemon = Daemon::start();
    let customer = daemon.customer("key");
    customer.put("/users/ada/tokens/before", &json!({ "provider_key": "apn" })).done();
    let mut sent: Vec<Value> =
        (0..3_000).rev().map(|i| json!({ "token": format!("{i:04}"), "provider_key": "apn" })).collect();
    sent.push(json!({ "token": "0007", "provider_key": "expo" }));
    customer.put("/users/ada/tokens", &json!({ "tokens": sent })).done();
    let found = customer.get("/users/ada/tokens").ok(200);
    let found = found["tokens"].as_array().unwrap();
    assert_eq!(found.len(), 3_001);
    assert_eq!((&found[7], &found[8]), (&shown("0007", "expo"), &shown("0008", "apn")));
    assert_eq!(found[3_000], shown("before", "apn"));
}
