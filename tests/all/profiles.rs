//! Users' stored profiles, and the lists that they are on.

use crate::support::{Daemon, json, open_file};

fn profile(customer: &crate::support::Customer, user_id: &str) -> serde_json::Value {
    customer.get(&format!("/profiles/{user_id}")).ok(200)["profile"].take()
}

#[test]
fn a_user_of_whom_nothing_is_known_has_an_empty_profile() {
    let daemon = Daemon::start();
    let customer = daemon.customer("key");
    assert_eq!(customer.get("/profiles/nobody").ok(200), json!({ "profile": {} }));
    customer.delete("/profiles/nobody").done();
    assert_eq!(customer.get("/profiles/nobody/lists").ok(200), json!({ "paging": { "more": false }, "results": [] }));
    assert_eq!(customer.delete("/profiles/nobody/lists").ok(200), json!({ "status": "SUCCESS" }));
    let environments = "SELECT count(*) FROM environments";
    let made: u32 = open_file(&daemon.database()).query_row(environments, [], |row| row.get(0)).unwrap();
    assert_eq!(made, 0);
}

#[test]
fn a_profile_is_merged_replaced_patched_and_deleted() {
    let daemon = Daemon::start();
    let customer = daemon.customer("key");
    let path = "/profiles/ada%20l%2Fx";
    let first = json!({ "profile": { "email": "ada@example.com", "address": { "locality": "London" } } });
    assert_eq!(customer.post(path, &first).ok(200), json!({ "status": "SUCCESS" }));
    let more = json!({ "profile": { "name": "Ada", "address": { "country": "UK" } } });
    assert_eq!(customer.post(path, &more).ok(200), json!({ "status": "SUCCESS" }));
    let address = json!({ "locality": "London", "country": "UK" });
    let merged = json!({ "email": "ada@example.com", "name": "Ada", "address": address });
    assert_eq!(customer.get(path).ok(200), json!({ "profile": merged }));

    let patch = json!({ "patch": [
        { "op": "replace", "path": "/email", "value": "countess@example.com" },
        { "op": "remove", "path": "/address/country" },
        { "op": "add", "path": "/phone_number", "value": "+15550100" },
    ] });
    customer.patch(path, &patch).done();
    let patched = json!({ "email": "countess@example.com", "name": "Ada", "address": { "locality": "London" }, "phone_number": "+15550100" });
    assert_eq!(customer.get(path).ok(200), json!({ "profile": patched }));

    let replaced = json!({ "profile": { "locale": "en" } });
    assert_eq!(customer.put(path, &replaced).ok(200), json!({ "status": "SUCCESS" }));
    assert_eq!(customer.get(path).ok(200), replaced);
    customer.delete(path).done();
    assert_eq!(customer.get(path).ok(200), json!({ "profile": {} }));
}

#[test]
fn a_patch_that_fails_halfway_changes_nothing() {
    let daemon = Daemon::start();
    let customer = daemon.customer("key");
    customer.put("/profiles/ada", &json!({ "profile": { "email": "a" } })).ok(200);
    let cases = [
        (json!([{ "op": "add", "path": "/x", "value": "y" }, { "op": "remove", "path": "/z" }]), "patch[1].path: "),
        (
            json!([{ "op": "replace", "path": "", "value": "text" }]),
            "patch: expected a patch that leaves the profile an object",
        ),
        (json!([{ "op": "replace", "path": "/email" }]), "patch[0].value: "),
        (json!("x"), "patch: expected an array, found string"),
    ];
    for (patch, expected) in cases {
        let refusal = customer.patch("/profiles/ada", &json!({ "patch": patch })).refused(400);
        assert!(refusal.starts_with(expected), "{refusal}");
    }
    assert_eq!(profile(&customer, "ada"), json!({ "email": "a" }));
}

#[test]
fn what_is_no_profile_is_refused_by_its_path() {
    let daemon = Daemon::start();
    let customer = daemon.customer("key");
    let deep = format!("{{\"profile\":{}1{}}}", "{\"a\":".repeat(5000), "}".repeat(5000));
    let cases = [
        ("{}", "the body: expected a field 'profile'"),
        (r#"{"profile":[1]}"#, "profile: expected an object, found an array"),
        (r#"{"profile":null}"#, "profile: expected an object, found null"),
        ("[1]", "the body: expected an object, found an array"),
        ("", "the body: not valid JSON"),
        (deep.as_str(), "the body: expected at most 128 levels"),
    ];
    for method in ["POST", "PUT"] {
        for (body, expected) in &cases {
            let refusal = customer.send(method, "/profiles/ada", Some(body)).refused(400);
            assert!(refusal.starts_with(expected), "{refusal}");
        }
    }
    assert_eq!(profile(&customer, "ada"), json!({}));
}

#[test]
fn numbers_in_a_profile_stay_as_they_were_written() {
    let daemon = Daemon::start();
    let customer = daemon.customer("key");
    customer.send("PUT", "/profiles/ada", Some(r#"{"profile":{"id":12345678901234567890123,"rate":1.10}}"#)).ok(200);
    customer.post("/profiles/ada", &json!({ "profile": { "name": "Ada" } })).ok(200);
    let expected = r#"{"profile":{"id":12345678901234567890123,"rate":1.10,"name":"Ada"}}"#;
    assert_eq!(customer.get("/profiles/ada").text, expected);
}

#[test]
fn the_same_profile_again_makes_no_new_version() {
    let daemon = Daemon::start();
    let customer = daemon.customer("key");
    for email in ["a", "a", "b", "a"] {
        customer.put("/profiles/ada", &json!({ "profile": { "email": email } })).ok(200);
    }
    let versions = "SELECT count(*) FROM profile_versions";
    let versions: u32 = open_file(&daemon.database()).query_row(versions, [], |row| row.get(0)).unwrap();
    assert_eq!(versions, 3);
}

#[test]
fn a_profile_belongs_to_one_environment() {
    let daemon = Daemon::start();
    let (ours, theirs) = (daemon.customer("ours"), daemon.customer("theirs"));
    ours.put("/profiles/ada", &json!({ "profile": { "email": "ours" } })).ok(200);
    assert_eq!(profile(&theirs, "ada"), json!({}));
    theirs.put("/profiles/ada", &json!({ "profile": { "email": "theirs" } })).ok(200);
    theirs.delete("/profiles/ada").done();
    assert_eq!(profile(&ours, "ada"), json!({ "email": "ours" }));
}

#[test]
fn a_repeated_merge_under_one_key_happens_once() {
    let daemon = Daemon::start();
    let customer = daemon.customer("key");
    customer.once("k").post("/profiles/ada", &json!({ "profile": { "a": 1 } })).ok(200);
    customer.once("k").post("/profiles/ada", &json!({ "profile": { "b": 2 } })).ok(200);
    assert_eq!(profile(&customer, "ada"), json!({ "a": 1 }));
}

#[test]
fn a_user_sees_their_lists_with_the_preferences_of_each() {
    let daemon = Daemon::start();
    let customer = daemon.customer("key");
    let preferences = json!({ "categories": { "news": { "status": "OPTED_OUT" } } });
    let lists = json!({ "lists": [{ "listId": "b.two", "preferences": preferences }, { "listId": "a.one" }] });
    assert_eq!(customer.post("/profiles/ada/lists", &lists).ok(200), json!({ "status": "SUCCESS" }));
    let at = "2026-09-21T14:13:20.000Z";
    let two = json!({ "id": "b.two", "name": "b.two", "created": at, "updated": at, "preferences": preferences });
    let one = json!({ "id": "a.one", "name": "a.one", "created": at, "updated": at });
    let page = customer.get("/profiles/ada/lists").ok(200);
    assert_eq!(page, json!({ "paging": { "more": false }, "results": [two, one] }));

    let first = customer.get("/profiles/ada/lists?limit=1").ok(200);
    assert_eq!((&first["results"], &first["paging"]["more"]), (&json!([two]), &json!(true)));
    let cursor = first["paging"]["cursor"].as_str().unwrap();
    let second = customer.get(&format!("/profiles/ada/lists?limit=1&cursor={cursor}")).ok(200);
    assert_eq!(second, json!({ "paging": { "more": false }, "results": [one] }));
    let refusal = customer.get(&format!("/profiles/bob/lists?cursor={cursor}")).refused(400);
    assert_eq!(refusal, "cursor: this cursor belongs to another list");

    customer.delete("/profiles/ada/lists").ok(200);
    assert_eq!(customer.get("/profiles/ada/lists").ok(200)["results"], json!([]));
    assert_eq!(customer.get("/lists/b.two/subscriptions").ok(200)["items"], json!([]));
}

#[test]
fn taking_a_user_off_all_lists_leaves_other_environments_alone() {
    let daemon = Daemon::start();
    let (ours, theirs) = (daemon.customer("ours"), daemon.customer("theirs"));
    for customer in [&ours, &theirs] {
        customer.post("/profiles/ada/lists", &json!({ "lists": [{ "listId": "news" }] })).ok(200);
    }
    theirs.delete("/profiles/ada/lists").ok(200);
    assert_eq!(ours.get("/profiles/ada/lists").ok(200)["results"].as_array().unwrap().len(), 1);
    let bad = json!({ "lists": [{ "listId": "fine" }, { "listId": "a..b" }] });
    let refusal = ours.post("/profiles/ada/lists", &bad).refused(400);
    assert!(refusal.starts_with("lists[1].listId: expected the id of a list"), "{refusal}");
    ours.get("/lists/fine").refused(404);
}

#[test]
fn patches_and_merges_that_race_are_all_applied() {
    const CLIENTS: usize = 6;
    const EACH: usize = 8;
    let daemon = Daemon::start();
    daemon.customer("key").put("/profiles/ada", &json!({ "profile": { "list": [] } })).ok(200);
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let customer = daemon.customer("key");
            scope.spawn(move || {
                for i in 0..EACH {
                    let add = json!([{ "op": "add", "path": "/list/-", "value": client * EACH + i }]);
                    customer.patch("/profiles/ada", &json!({ "patch": add })).done();
                    let merged = json!({ "profile": { format!("of-{client}-{i}"): i } });
                    customer.post("/profiles/ada", &merged).ok(200);
                }
            });
        }
    });
    let mut profile = profile(&daemon.customer("key"), "ada");
    let mut list: Vec<u64> = serde_json::from_value(profile["list"].take()).unwrap();
    list.sort_unstable();
    assert!(list.iter().copied().eq(0..(CLIENTS * EACH) as u64), "{list:?}");
    assert_eq!(profile.as_object().unwrap().len(), 1 + CLIENTS * EACH);
}

#[test]
fn a_patch_that_doubles_what_is_there_is_refused_while_it_is_made() {
    let daemon = Daemon::start();
    let customer = daemon.customer("key");
    customer.put("/profiles/ada", &json!({ "profile": { "a": 1 } })).ok(200);
    let copy = |i: usize| json!({ "op": "copy", "from": "", "path": format!("/copy-{i}") });
    let doubling: Vec<_> = (0..18).map(copy).collect();
    let refusal = customer.patch("/profiles/ada", &json!({ "patch": doubling })).refused(400);
    assert_eq!(refusal, "patch[15].op: expected a patch that copies less");
    assert_eq!(profile(&customer, "ada"), json!({ "a": 1 }));
}
