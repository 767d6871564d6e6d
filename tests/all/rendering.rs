//! What the run makes of a definition and a user.

use crate::support::{Customer, Daemon, json};
use bulkd::settings::UnknownTemplates;
use serde_json::{Map, Value};

/// The outbox of a job with this definition and these users.
fn outbox(customer: &Customer, definition: &Value, users: Value) -> Vec<Value> {
    let job_id = customer.create(definition.clone());
    customer.ingest(&job_id, users);
    customer.run_to_the_end(&job_id);
    customer.outbox(&job_id)
}

/// The body that this text comes to for this user.
fn body(customer: &Customer, text: &str, user: Value) -> Value {
    let definition = json!({ "content": { "body": text }, "data": { "job": "J", "shared": "from the job" } });
    outbox(customer, &definition, json!([user]))[0]["body"].take()
}

#[test]
fn data_is_the_jobs_under_the_users_under_that_of_to() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let definition = json!({
        "message": { "content": { "body": "{{a}} {{b}} {{c}} {{d.x}}{{d.y}}" }, "data": { "a": "nested", "b": "nested" } },
        "data": { "b": "job", "c": "job", "d": { "x": 1, "y": 2 } },
    });
    let users = json!([
        {},
        { "data": { "c": "user", "d": { "x": 3 } } },
        { "data": { "c": "user" }, "to": { "data": { "c": "to", "a": null } } },
    ]);
    let bodies: Vec<Value> = outbox(&customer, &definition, users).iter().map(|m| m["body"].clone()).collect();
    // The merge is shallow: a user's `d` takes the place of the job's.
    assert_eq!(bodies, ["nested job job 12", "nested job user 3", " job to 12"]);
}

#[test]
fn variables_are_filled_in() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let user = json!({
        "recipient": "ada",
        "profile": { "email": "ada@example.com", "address": { "city": "London" } },
        "data": {
            "name": "Ada \"the first\" \u{1F980}\n<&>", "n": 42, "big": 12345678901234567u64, "f": 1.5, "yes": true, "none": null,
            "list": [1, "two", [3]], "deep": { "er": { "est": "here" } }, "shared": "from the user",
        },
    });
    let cases = [
        ("no variables", "no variables"),
        ("{{name}}", "Ada \"the first\" \u{1F980}\n<&>"),
        ("{{{name}}} {{&n}}", "Ada \"the first\" \u{1F980}\n<&> 42"),
        (
            "{{n}} {{big}} {{f}} {{yes}} [{{none}}] [{{missing}}] [{{deep.er.missing}}] [{{n.x}}]",
            "42 12345678901234568 1.5 true [] [] [] []",
        ),
        (
            "{{ deep.er.est }} {{deep}} {{list}} {{list.[1]}} {{list.[2].[0]}} {{list.[9]}} {{list.x}} {{list.length}}",
            "here [object Object] 1,two,3 two 3   3",
        ),
        ("{{job}} {{shared}} {{data.shared}} {{data.deep.er.est}}", "J from the user from the user here"),
        ("{{recipient}} {{profile.email}} {{profile.address.city}} {{profile.none}}", "ada ada@example.com London "),
        ("{{! a comment }}a{{~ n ~}} b \\{{n}}", "a42b {{n}}"),
        ("{{#if yes}}yes{{else}}no{{/if}} {{#unless missing}}none{{/unless}}", "yes none"),
        ("{{#each list}}{{@index}}:{{this}} {{/each}}", "0:1 1:two 2:3 "),
        (
            "{{#with deep.er}}{{est}} {{@root.n}}{{/with}} {{profile.email}} {{data.n}} {{recipient}}",
            "here 42 ada@example.com 42 ada",
        ),
        ("{{#if (condition n \"==\" 42)}}equal{{/if}}", "equal"),
    ];
    for (text, expected) in cases {
        assert_eq!(body(&customer, text, user.clone()), *expected, "{text}");
    }
}

#[test]
fn a_variable_means_the_same_with_and_without_a_block_beside_it() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let values = json!({
        "v": [
            "text", "q\"b\\s/\u{1F980}", "", 0, -0.0, 1.0, 1e3, -7, 1e21, 0.1, 123456789012345678u64, true, false, null, [], {},
            [null, [true]], { "v": 1 }
        ]
    });
    for value in values["v"].as_array().unwrap() {
        let user = json!({ "data": { "v": value } });
        for variable in ["v", "v.v", "data.v", "data.v.v", "data", "profile", "recipient.x", "profile.v"] {
            let user = json!({ "recipient": "r", "data": user["data"] });
            let plain = body(&customer, &format!("[{{{{{variable}}}}}]"), user.clone());
            let beside_a_block = body(&customer, &format!("{{{{#if true}}}}{{{{/if}}}}[{{{{{variable}}}}}]"), user);
            assert_eq!(plain, beside_a_block, "{variable} of {value}");
        }
    }
}

#[test]
fn the_channel_follows_from_what_the_user_has() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let cases = [
        (
            json!({ "profile": { "email": "a@x.y", "phone_number": "+12025550156", "firebaseToken": "t" } }),
            "email",
            "a@x.y",
        ),
        (json!({ "profile": { "phone_number": "+12025550156", "firebaseToken": "t" } }), "sms", "+12025550156"),
        (json!({ "profile": { "firebaseToken": "t" } }), "push", "t"),
        (json!({ "profile": { "firebaseToken": ["", "t1"] } }), "push", "t1"),
        (json!({ "profile": { "apn": "t" } }), "push", "t"),
        (json!({ "profile": { "expo": { "token": "t" } } }), "push", "t"),
        (json!({ "profile": { "expo": { "tokens": ["", "t"] } } }), "push", "t"),
        (
            json!({ "recipient": "r1", "profile": { "email": "", "phone_number": null, "firebaseToken": [] } }),
            "inbox",
            "r1",
        ),
        (json!({ "to": { "user_id": "r2" } }), "inbox", "r2"),
        (json!({ "to": { "email": "b@x.y" } }), "email", "b@x.y"),
        (json!({ "to": { "phone_number": "+2" } }), "sms", "+2"),
        (json!({ "profile": { "email": "profile@x.y" }, "to": { "email": "to@x.y" } }), "email", "profile@x.y"),
        (json!({ "to": { "email": "b@x.y" }, "profile": { "phone_number": "+3" } }), "email", "b@x.y"),
        (json!({ "user_id": "r3", "email": "c@x.y" }), "email", "c@x.y"),
    ];
    let users: Vec<&Value> = cases.iter().map(|(user, ..)| user).collect();
    let messages = outbox(&customer, &json!({ "content": { "title": "T", "body": "Hi" } }), json!(users));
    for ((user, channel, address), message) in cases.iter().zip(messages) {
        assert_eq!((&message["channel"], &message["address"]), (&json!(channel), &json!(address)), "{user}");
    }
}

#[test]
fn an_unknown_template_is_its_id_and_its_data() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let users =
        || json!([{ "recipient": "ada", "data": { "z": 1.50, "b": "user" }, "to": { "data": { "new": [1, 2] } } }]);
    for definition in [
        json!({ "event": "weekly", "data": { "b": "job", "a": true } }),
        json!({ "template": "weekly", "data": { "b": "job", "a": true } }),
        json!({ "message": { "template": "weekly" }, "event": "ignored", "data": { "b": "job", "a": true } }),
    ] {
        let message = &outbox(&customer, &definition, users())[0];
        assert_eq!(message["subject"], "weekly");
        let data: Value = serde_json::from_str(message["body"].as_str().unwrap()).unwrap();
        assert_eq!(data, json!({ "a": true, "b": "user", "z": 1.5, "new": [1, 2] }));
        assert_eq!(message["status"], "SENT");
    }
}

#[test]
fn strict_templates_make_an_unknown_one_unmapped() {
    let daemon = Daemon::start_with(|config| config.templates = UnknownTemplates::Strict);
    let customer = daemon.customer("acme");
    let unknown = &outbox(&customer, &json!({ "event": "weekly" }), json!([{ "recipient": "ada" }]))[0];
    assert_eq!((&unknown["status"], &unknown["channel"]), (&json!("UNMAPPED"), &Value::Null));
    assert_eq!(unknown["error"], "there is no template weekly");
    let inline = &outbox(&customer, &json!({ "content": { "body": "Hi" } }), json!([{ "recipient": "ada" }]))[0];
    assert_eq!(inline["status"], "SENT");
}

#[test]
fn elemental_content_becomes_plain_text() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let definition = json!({ "content": { "version": "2022-01-01", "elements": [
        { "type": "meta", "title": "Hello {{name}}" },
        { "type": "text", "content": "Welcome, {{name}}." },
        { "type": "divider" },
        { "type": "group", "elements": [{ "type": "quote", "content": "So it goes." }, { "type": "comment", "comment": "no" }] },
        { "type": "action", "content": "Open", "href": "https://example.com/{{id}}" },
        { "type": "image", "src": "https://example.com/a.png", "alt_text": "A picture" },
        { "type": "text", "content": "elsewhere", "channels": ["sms"] },
        { "type": "text", "content": "here", "channels": ["inbox", "email"] },
    ] } });
    let message = &outbox(&customer, &definition, json!([{ "data": { "name": "Ada", "id": 7 } }]))[0];
    assert_eq!(message["subject"], "Hello Ada");
    assert_eq!(
        message["body"],
        "Welcome, Ada.\n\n---\n\nSo it goes.\n\nOpen: https://example.com/7\n\nA picture\n\nhere"
    );
}

#[test]
fn a_user_whose_message_cannot_be_made_stops_no_other() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let job_id = customer.create(json!({ "content": { "title": "{{add list 1}}", "body": "{{big}}{{big}}{{big}}" } }));
    let big = "x".repeat(2_500_000);
    customer
        .ingest(&job_id, json!([{ "recipient": "a", "data": { "list": 1 } }, { "recipient": "b", "data": { "list": [1, 2] }, "error": "mine" }]));
    customer.ingest(
        &job_id,
        json!([{ "recipient": "c", "profile": { "email": 5 } }, { "recipient": "d", "data": { "list": 1, "big": big } }]),
    );
    customer.ingest(&job_id, json!([{ "recipient": "e", "data": { "list": 1 } }]));

    let job = customer.run_to_the_end(&job_id);
    assert_eq!((&job["received"], &job["enqueued"], &job["failures"]), (&json!(5), &json!(2), &json!(3)));
    let users = customer.users(&job_id);
    let outcome = |i: usize| (users[i]["status"].as_str().unwrap(), users[i]["error"].as_str().unwrap_or_default());
    assert_eq!(outcome(0), ("ENQUEUED", ""));
    let problem = "message.content.title: line 1, column 1, {{add list 1}}: add: expected a number, found a list";
    assert_eq!(outcome(1), ("ERROR", problem));
    assert_eq!(
        outcome(2),
        ("ERROR", "the message could not be addressed: profile.email: expected a string, found integer 5")
    );
    assert_eq!(
        outcome(3),
        ("ERROR", "message.content.body: line 1, column 15, {{big}}: the text would be longer than 6291456 bytes")
    );
    assert_eq!(outcome(4), ("ENQUEUED", ""));
    assert!(users.iter().all(|user| user.get("messageId").is_some() == (user["status"] == "ENQUEUED")));
    let recipients: Vec<Value> = customer.outbox(&job_id).iter().map(|m| m["recipient"].clone()).collect();
    assert_eq!(recipients, ["a", "e"]);
}

#[test]
fn helpers_that_are_not_known_are_refused_when_the_job_is_created() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let cases = [
        ("{{shout name}}", "line 1, column 1, {{shout name}}: there is no helper 'shout'"),
        ("Hi\n {{#if (upper name)}}{{/if}}", "line 2, column 8, (upper name): there is no helper 'upper'"),
        ("{{lookup (a b=(c d)) 1}}", "line 1, column 10, (a b=(c d)): there is no helper 'a'"),
        (
            "{{truncat name 3}}",
            "line 1, column 1, {{truncat name 3}}: there is no helper 'truncat'; did you mean 'truncate'?",
        ),
        (
            "{{#if (gte n 3)}}{{/if}}",
            "line 1, column 7, (gte n 3): 'gte' is no helper of Courier's; write (condition a \">=\" b)",
        ),
    ];
    for (text, problem) in cases {
        let message = customer.post("/bulk", &json!({ "message": { "content": { "body": text } } })).refused(400);
        assert_eq!(message, format!("message.content.body: not a valid template: {problem}"), "{text}");
    }
    let known =
        "{{#each list}}{{#if (condition this \"==\" 1)}}one{{else if (condition this \">\" 1)}}more{{/if}}{{/each}}";
    assert_eq!(body(&customer, known, json!({ "data": { "list": [1, 2] } })), "onemore");
}

#[test]
fn long_texts_with_many_brackets_and_blocks_side_by_side_are_fine() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let ok = [
        "{{#if yes}}a{{else}}b{{/if}}".repeat(400),
        format!("Hi {{{{name}}}}! {}", "(see [below] {now}) ".repeat(1000)),
        format!("<style>{}</style>{{{{#if (condition \"a\" '==' 'b')}}}}{{{{/if}}}}", "p { color: red } ".repeat(1000)),
        "{{{x}}}{{y}}".repeat(900),
    ];
    for text in &ok {
        body(&customer, text, json!({ "data": { "name": "Ada" } }));
    }
    for too_many in ["{{x}}".repeat(20_001), format!("{{{{add{}}}}}", " 1".repeat(20_000)), "{{!}}".repeat(20_001)] {
        let refused = customer.post("/bulk", &json!({ "message": { "content": { "body": too_many } } })).refused(400);
        assert!(refused.ends_with(": expected at most 20000 tags and arguments"), "{refused}");
    }
}

#[test]
fn what_a_job_and_its_users_hold_may_be_large() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let names =
        |prefix: &str| -> Map<String, Value> { (0..50_000).map(|i| (format!("{prefix}{i}"), json!(i))).collect() };
    let job_id = customer.create(json!({ "event": "weekly", "data": names("job") }));
    customer.ingest(&job_id, json!([{ "recipient": "a", "data": names("user") }, { "recipient": "b" }]));
    customer.ingest(&job_id, json!([{ "recipient": "c", "data": { "big": "x".repeat(6_000_000) } }]));
    let job = customer.run_to_the_end(&job_id);
    assert_eq!((&job["enqueued"], &job["failures"]), (&json!(2), &json!(1)));
    let sizes: Vec<usize> = customer
        .outbox(&job_id)
        .iter()
        .map(|m| serde_json::from_str::<Value>(m["body"].as_str().unwrap()).unwrap().as_object().unwrap().len())
        .collect();
    assert_eq!(sizes, [100_000, 50_000]);
}

#[test]
fn blocks_may_nest_but_not_without_end() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let nested = |depth: usize| format!("{}x{}", "{{#if true}}".repeat(depth), "{{/if}}".repeat(depth));
    assert_eq!(body(&customer, &nested(500), json!({})), "x");
    let both = format!(
        "{}{}x{}{}",
        "{{#if true}}".repeat(250),
        "{{lookup ".to_owned() + &"(not ".repeat(250),
        "a".to_owned() + &")".repeat(250) + " 1}}",
        "{{/if}}".repeat(250)
    );
    assert_eq!(body(&customer, &both.replace("xa", "a"), json!({})), "false");
    for endless in [
        nested(100_000),
        nested(100_000).replace("{{#if true}}", "{{#if true}}\\{{/if}}"),
        nested(100_000).replace("{{#if true}}", "{{#if true}}{{!-- {{/if}} --}}"),
        nested(100_000).replace("{{#if true}}", "{{~^if true}}"),
        format!("{{{{#if a}}}}{}{{{{/if}}}}", "{{else if b}}".repeat(100_000)),
        format!("{{{{not {}{} }}}}", "(not ".repeat(50_000), ")".repeat(50_000)),
    ] {
        let message = customer.post("/bulk", &json!({ "message": { "content": { "body": endless } } })).refused(400);
        assert!(message.contains("expected at most "), "{message}");
    }
}

#[test]
fn loops_that_hardly_end_fail_their_user_alone() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let endless = format!("{}{}done", "{{#each @root.a}}".repeat(4), "{{/each}}".repeat(4));
    let job_id = customer.create(json!({ "content": { "body": endless } }));
    let user = |recipient: &str, length: usize| json!({ "recipient": recipient, "data": { "a": vec![1; length] } });
    customer.ingest(&job_id, json!([user("many", 1000), user("few", 3)]));
    let job = customer.run_to_the_end(&job_id);
    assert_eq!((&job["enqueued"], &job["failures"]), (&json!(1), &json!(1)));
    let users = customer.users(&job_id);
    let expected =
        "message.content.body: line 1, column 52, {{#each @root.a}}: the text takes more than 4000000 steps to render";
    assert_eq!((&users[0]["status"], &users[0]["error"]), (&json!("ERROR"), &json!(expected)));
    assert_eq!(customer.outbox(&job_id)[0]["body"], "done");

    let long = "{{#each a}}{{@index}}{{#if @last}}.{{else}},{{/if}}{{else}}nobody{{/each}}";
    let numbers: Vec<String> = (0..2_000).map(|i| i.to_string()).collect();
    assert_eq!(body(&customer, long, json!({ "data": { "a": vec![1; 2_000] } })), numbers.join(",") + ".");
    assert_eq!(body(&customer, long, json!({ "data": { "a": [] } })), "nobody");
}

#[test]
fn elements_that_look_at_too_much_fail_their_user_alone() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let big = "x".repeat(1_000_000);
    let user = |recipient: &str, a: usize| json!({ "recipient": recipient, "data": { "a": vec![1; a], "big": big } });
    for element in [
        json!({ "type": "text", "content": "", "loop": "data.a", "if": "data.big.length == 1" }),
        json!({ "type": "text", "content": "", "loop": "data.a", "if": "{{#if big}}{{big}}{{/if}}" }),
        json!({ "type": "meta", "title": "{{big}}", "loop": "data.a" }),
        json!({ "type": "text", "content": "{{#if (condition (capitalize big) \"==\" 2)}}{{/if}}", "loop": "data.a" }),
    ] {
        let job_id = customer.create(json!({ "content": { "elements": [element] } }));
        customer.ingest(&job_id, json!([user("many", 1000), user("few", 2)]));
        let job = customer.run_to_the_end(&job_id);
        assert_eq!((&job["enqueued"], &job["failures"]), (&json!(1), &json!(1)), "{element}");
        let error = customer.users(&job_id)[0]["error"].as_str().unwrap().to_owned();
        assert!(error.contains("the text needs more than 50331648 bytes copied on the way"), "{element}: {error}");
    }
}

#[test]
fn different_texts_together_have_as_many_tags_as_one_may() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let texts = |count: usize| vec![json!({ "type": "text", "content": "{{x}}".repeat(10) }); count];
    let content = |count: usize| json!({ "message": { "content": { "elements": texts(count) } } });
    customer.post("/bulk", &content(1000)).ok(201);
    let mut elements = texts(1000);
    elements.push(json!({ "type": "text", "content": "{{x}}".repeat(19_991) }));
    let refused = customer.post("/bulk", &json!({ "message": { "content": { "elements": elements } } })).refused(400);
    let expected =
        "message.content.elements[1000].content: expected at most 20000 tags and arguments in all texts together";
    assert_eq!(refused, expected);
    let locales: Map<String, Value> = (0..101).map(|i| (format!("l{i}"), json!({ "content": "x" }))).collect();
    let element = json!({ "type": "text", "content": "x", "locales": locales });
    let refused = customer.post("/bulk", &json!({ "message": { "content": { "elements": [element] } } })).refused(400);
    assert_eq!(refused, "message.content: expected at most 100 locales");
}

#[test]
fn partials_that_multiply_what_they_are_given_fail_their_user_alone() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let (long, steps) =
        ("the text would be longer than 6291456 bytes", "the text takes more than 4000000 steps to render");
    let names: Vec<String> = (0..5_000).map(|i| format!("a{i:04}=1")).collect();
    let inline = |partial: &str, rest: &str| format!("{{{{#*inline \"p\"}}}}{partial}{{{{/inline}}}}{rest}");
    let indent = format!("a\n{}{{{{> p}}}}\nb", " ".repeat(60_000));
    let each = |inside: &str| format!("{{{{#each (range data.n)}}}}{inside}{{{{/each}}}}");
    for (text, expected) in [
        (inline("{{#each (range data.n)}}\n{{/each}}", &indent), long),
        (inline(&"{{a}}".repeat(4_000), &each("{{> p}}")), steps),
        (inline(&each("{{../a4999}}"), &format!("{{{{> p data=data {}}}}}", names.join(" "))), steps),
        (format!("{}{}", inline("", "").replace("p", "q").repeat(4_000), each("{{#> p}}{{/p}}")), steps),
    ] {
        let job_id = customer.create(json!({ "content": { "body": text } }));
        let user = |recipient: &str, n: usize| json!({ "recipient": recipient, "data": { "n": n } });
        customer.ingest(&job_id, json!([user("many", 20_000), user("few", 2)]));
        let job = customer.run_to_the_end(&job_id);
        assert_eq!((&job["enqueued"], &job["failures"]), (&json!(1), &json!(1)), "{text:.200}");
        let error = customer.users(&job_id)[0]["error"].as_str().unwrap().to_owned();
        assert!(error.contains(expected), "{text:.200}: {error:.200}");
    }
}

#[test]
fn snippets_that_include_each_other_too_deep_are_told() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let part = |i: usize| json!({ "name": format!("p{i}"), "value": format!("{{{{> p{}}}}}", i + 1) });
    let items: Vec<Value> = (0..3_000).map(part).collect();
    customer
        .post("/brands", &json!({ "id": "deep", "name": "A", "settings": {}, "snippets": { "items": items } }))
        .ok(200);
    let send =
        json!({ "message": { "brand_id": "deep", "content": { "body": "{{> p0}}" }, "to": { "user_id": "ada" } } });
    let answer = customer.post("/send", &send);
    assert!(answer.text.contains("are nested more than 500 levels deep"), "{answer:?}");
    let wide = "{{format \"%'é99999999999999999999d\" 1}}";
    let job_id = customer.create(json!({ "content": { "body": wide } }));
    customer.ingest(&job_id, json!([{ "recipient": "ada" }]));
    customer.run_to_the_end(&job_id);
    let error = customer.users(&job_id)[0]["error"].as_str().unwrap().to_owned();
    assert!(error.contains("the text would be longer than 6291456 bytes"), "{error}");
}

#[test]
fn paths_and_blocks_that_no_text_needs_are_refused() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let names: Vec<String> = (0..17).map(|i| format!("n{i}")).collect();
    for (text, expected) in [
        (format!("{{{{#if a}}}}{{{{{}b}}}}{{{{/if}}}}", "../".repeat(501)), "expected at most 500 '../' in one path"),
        (format!("{{{{@{}index}}}}", "../".repeat(501)), "expected at most 500 '../' in one path"),
        (format!("{{{{#each a as |{}|}}}}{{{{/each}}}}", names.join(" ")), "expected at most 16 names"),
    ] {
        let refused = customer.post("/bulk", &json!({ "message": { "content": { "body": text } } })).refused(400);
        assert!(refused.contains(expected), "{refused:.300}");
    }
    let far = format!("[{}{{{{{}name}}}}{}]", "{{#each list}}".repeat(2), "../".repeat(500), "{{/each}}".repeat(2));
    assert_eq!(body(&customer, &far, json!({ "data": { "list": [[1], [2]] } })), "[]");
}

/// Each tag is looked up again. What a long text or object holds is looked through once.
#[test]
fn long_values_may_be_named_often() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let text = "{{#if long}}{{#if deep.long}}{{#if list.[1]}}x{{/if}}{{/if}}{{/if}}".repeat(2_000);
    let long = "\\\"é".repeat(200_000);
    let members: Map<String, Value> = (0..50_000).map(|i| (format!("n{i}"), json!(i))).collect();
    let mut deep = Value::Object(members);
    deep["long"] = json!(long);
    let user = json!({ "data": { "long": long, "deep": deep, "list": vec![1; 100_000] } });
    assert_eq!(body(&customer, &text, user), "x".repeat(2_000));
}
