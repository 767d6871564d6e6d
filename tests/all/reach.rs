//! Who is reached, and by what: addresses in `to`, routings without channels, what is laid over a channel or a brand, and
//! what the log says of members that nothing comes of.

use crate::support::binary::Binary;
use crate::support::{Customer, Daemon, json, wait_until};
use serde_json::Value;

fn send(customer: &Customer, message: Value) -> String {
    customer.post("/send", &json!({ "message": message })).ok(202)["requestId"].as_str().unwrap().to_owned()
}

fn went_out(customer: &Customer, message_id: &str) -> Vec<Value> {
    customer.get(&format!("/_bulkd/outbox?fields=all&message_id={message_id}")).ok(200)["items"]
        .as_array()
        .unwrap()
        .clone()
}

fn way(went: &Value) -> [String; 3] {
    ["channel", "provider", "address"].map(|member| went[member].as_str().unwrap().to_owned())
}

fn hello() -> Value {
    json!({ "title": "Hello", "body": "Welcome." })
}

/// Each with the way by which it is reached.
fn inline() -> Vec<(Value, [&'static str; 3])> {
    vec![
        (json!({ "firebaseToken": "fcm-1" }), ["push", "firebase-fcm", "fcm-1"]),
        (json!({ "apn": { "token": "apn-1" } }), ["push", "apn", "apn-1"]),
        (json!({ "expo": { "tokens": ["expo-1"] } }), ["push", "expo", "expo-1"]),
        (json!({ "oneSignalPlayerID": "player-1" }), ["push", "onesignal", "player-1"]),
        (
            json!({ "airship": { "audience": { "named_user": "ada" }, "device_types": ["ios"] } }),
            ["push", "airship", "ada"],
        ),
        (json!({ "aws_sns": { "target_arn": "arn:1" } }), ["push", "aws-sns", "arn:1"]),
        (json!({ "discord": { "channel_id": "768" } }), ["direct_message", "discord", "768"]),
        (json!({ "slack": { "access_token": "x", "channel": "C01" } }), ["direct_message", "slack", "C01"]),
        (json!({ "webhook": { "url": "https://example.com/in" } }), ["webhook", "webhook", "https://example.com/in"]),
    ]
}

#[test]
fn a_user_with_an_address_of_any_kind_is_a_recipient_of_a_send() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    for (to, expected) in inline() {
        let went = went_out(&customer, &send(&customer, json!({ "to": to, "content": hello() })));
        assert_eq!((went.len(), way(&went[0])), (1, expected.map(str::to_owned)), "{to}");
        assert_eq!(went[0]["recipient"], expected[2], "{to}");
        // Beside an id it is a way to the user who has it.
        let mut named = to.clone();
        named["user_id"] = json!("ada");
        let went = went_out(&customer, &send(&customer, json!({ "to": named, "content": hello() })));
        assert_eq!((&went[0]["recipient"], way(&went[0])), (&json!("ada"), expected.map(str::to_owned)), "{to}");
    }
}

#[test]
fn a_user_with_an_address_of_any_kind_is_a_user_of_a_job() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let job_id = customer.create(json!({ "content": hello() }));
    let users: Vec<Value> = inline().into_iter().map(|(to, _)| json!({ "to": to })).collect();
    customer.ingest(&job_id, json!(users));
    customer.run_to_the_end(&job_id);
    let found: Vec<_> = customer.outbox(&job_id).iter().map(way).collect();
    let expected: Vec<_> = inline().into_iter().map(|(_, expected)| expected.map(str::to_owned)).collect();
    assert_eq!(found, expected);
}

#[test]
fn what_to_says_lies_under_the_sent_profile_and_over_the_stored_one() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let discord = |channel: &str| json!({ "channel_id": channel });
    let stored = json!({ "discord": discord("stored"), "expo": { "token": "stored" }, "city": "Bath", "tier": "gold" });
    customer.put("/profiles/ada", &json!({ "profile": stored })).ok(200);
    let content = json!({ "title": "t", "body": "{{profile.city}}, {{profile.tier}}, {{profile.nick}}" });
    let routing = json!({ "method": "all", "channels": ["direct_message", "push"] });
    let job_id = customer.create(json!({ "message": { "content": content, "routing": routing } }));
    let to = json!({ "user_id": "ada", "discord": discord("to"), "expo": "to", "city": "Oslo", "nick": "to" });
    let profile = json!({ "discord": discord("profile"), "nick": "profile" });
    customer.ingest(&job_id, json!([{ "to": to, "profile": profile }]));
    customer.run_to_the_end(&job_id);
    let went = customer.outbox(&job_id);
    let addresses: Vec<&str> = went.iter().map(|it| it["address"].as_str().unwrap()).collect();
    assert_eq!(addresses, ["profile", "to"]);
    assert_eq!(went[0]["body"], "Oslo, gold, profile");
}

#[test]
fn a_recipient_without_any_address_is_sent_to_and_reached_by_nothing() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let mut recipients = Vec::new();
    for to in [json!({}), json!({ "data": { "a": 1 }, "locale": "de" }), json!({ "nickname": "ada" })] {
        let message_id = send(&customer, json!({ "to": to, "content": hello() }));
        let record = customer.get(&format!("/messages/{message_id}")).ok(200);
        assert_eq!((&record["status"], &record["reason"]), (&json!("UNROUTABLE"), &json!("NO_CHANNELS")), "{to}");
        recipients.push(record["recipient"].as_str().unwrap().to_owned());
    }
    assert!(recipients.iter().all(|it| it.len() == 21), "{recipients:?}");
    for (to, expected) in [
        (json!({ "discord": { "guild": "1" } }), "message.to.discord: expected channel_id or user_id"),
        (json!({ "discord": "768" }), "message.to.discord: expected an object, found a string"),
        (json!({ "slack": { "channel": 5 } }), "message.to.slack.channel: expected a string, found integer 5"),
        (json!({ "firebaseToken": "" }), "message.to.firebaseToken: expected a token"),
        (json!({ "airship": { "device_types": ["ios"] } }), "message.to.airship: expected an audience"),
        (json!({ "pusherBeams": { "interest": "x" } }), "message.to.pusherBeams: expected a token"),
        (json!({ "tenant_id": "acme" }), "message.to.tenant_id: tenants have no members here"),
    ] {
        let refused = customer.post("/send", &json!({ "message": { "to": to, "content": hello() } })).refused(400);
        assert!(refused.starts_with(expected), "said     {refused}\nexpected {expected}");
    }
}

#[test]
fn a_routing_without_channels_is_the_default_order() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let to = json!({ "user_id": "ada", "phone_number": "+15551234567", "expo": "token" });
    let ways = |routing: Value| -> Vec<Value> {
        let went = went_out(&customer, &send(&customer, json!({ "to": to, "content": hello(), "routing": routing })));
        went.iter().map(|it| it["channel"].clone()).collect()
    };
    assert_eq!(ways(json!({ "method": "single" })), ["sms"]);
    assert_eq!(ways(json!({})), ["sms"]);
    assert_eq!(ways(json!({ "method": "all" })), ["sms", "push", "inbox"]);
    // Providers of an entry stand in its config, or beside its channel.
    for entry in [
        json!({ "channel": "sms", "providers": ["plivo"] }),
        json!({ "channel": "sms", "providers": [{ "channel": "plivo" }] }),
        json!({ "channel": "sms", "providers": ["vonage"], "config": { "providers": ["plivo"] } }),
    ] {
        let routing = json!({ "method": "single", "channels": [entry] });
        let sent = send(&customer, json!({ "to": to, "content": hello(), "routing": routing }));
        assert_eq!(went_out(&customer, &sent)[0]["provider"], "plivo", "{routing}");
    }
}

#[test]
fn the_older_override_reaches_the_channel_and_the_brand() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let settings = json!({ "colors": { "primary": "#111111", "secondary": "#222222" } });
    customer.post("/brands", &json!({ "id": "acme", "name": "Acme", "settings": settings })).ok(200);
    let logo = |image: &str| json!({ "settings": { "email": { "header": { "logo": { "image": image } } } } });
    let overriding = json!({
        "channel": { "email": {
            "subject": "Over", "from": "team@example.com", "replyTo": "help@example.com", "cc": "cc@example.com",
            "bcc": "bcc@example.com", "text": "As text",
        } },
        "brand": logo("https://example.com/over.png"),
    });
    let content = json!({ "version": "2022-01-01", "elements": [
        { "type": "meta", "title": "Under" },
        { "type": "action", "content": "Open", "href": "https://example.com" },
    ] });
    let user = json!({ "recipient": "ada", "profile": { "email": "ada@example.com" } });
    let job_id = customer.create(json!({ "content": content, "brand": "acme", "override": overriding }));
    customer.ingest(&job_id, json!([user]));
    customer.run_to_the_end(&job_id);
    let went = &customer.outbox(&job_id)[0];
    let request = &went["request"];
    let sent_to = &request["personalizations"][0];
    assert_eq!((&request["subject"], &request["from"]["email"]), (&json!("Over"), &json!("team@example.com")));
    assert_eq!(request["reply_to"]["email"], "help@example.com");
    assert_eq!(
        (&sent_to["cc"][0]["email"], &sent_to["bcc"][0]["email"]),
        (&json!("cc@example.com"), &json!("bcc@example.com"))
    );
    assert_eq!(request["content"][0]["value"], "As text");
    let html = went["html"].as_str().unwrap();
    assert!(html.contains("https://example.com/over.png") && html.contains("#111111"), "{html}");

    // The narrower member goes before it; no brand has to be stored.
    let message = json!({
        "to": { "email": "ada@example.com" }, "content": content,
        "channels": { "email": { "override": { "subject": "Narrow", "brand": logo("https://example.com/narrow.png") } } },
        "override": overriding,
    });
    let went = &went_out(&customer, &send(&customer, message))[0];
    assert_eq!(
        (&went["request"]["subject"], &went["request"]["from"]["email"]),
        (&json!("Narrow"), &json!("team@example.com"))
    );
    let html = went["html"].as_str().unwrap();
    assert!(html.contains("https://example.com/narrow.png") && !html.contains("over.png"), "{html}");

    let first_form = json!({
        "event": "welcome", "recipient": "ada", "profile": { "email": "ada@example.com" }, "override": overriding,
    });
    let message_id = customer.post("/send", &first_form).ok(200)["messageId"].as_str().unwrap().to_owned();
    let went = &went_out(&customer, &message_id)[0];
    assert_eq!(went["request"]["subject"], "Over");
    assert!(went["html"].as_str().unwrap().contains("https://example.com/over.png"));
}

#[test]
fn the_log_tells_by_its_path_what_nothing_comes_of() {
    let daemon = Binary::start(&["--listen", ":0", "--ephemeral"]);
    let customer = daemon.customer("acme");
    let message = json!({
        "to": { "user_id": "ada" }, "content": hello(), "tempalte": "t",
        "channels": { "emial": {}, "email": { "timeouts": { "channel": 5 }, "overide": {} } },
        "providers": { "sendgird": {}, "sendgrid": { "config": {} } },
        "routing": { "method": "single", "channles": [], "channels": [{ "channel": "emai", "config": { "x": 1 } }] },
    });
    send(&customer, message);
    for expected in [
        "message.tempalte has no effect: no such member is known",
        "message.channels.emial has no effect: there is no such channel",
        "message.channels.email.timeouts has no effect here",
        "message.channels.email.overide has no effect",
        "message.providers.sendgird has no effect: there is no such provider",
        "message.providers.sendgrid.config has no effect",
        "message.routing.channles has no effect",
        "message.routing.channels[0]: there is no channel or provider 'emai'",
        "message.routing.channels[0].config.x has no effect",
    ] {
        daemon.logs(expected);
    }
    customer.create(
        json!({ "content": hello(), "channels": {}, "override": { "chanel": {}, "channel": { "emial": {} } } }),
    );
    for expected in [
        "message.channels is empty and has no effect",
        "message.override.chanel has no effect: there is no such provider",
        "message.override.channel.emial has no effect: there is no such channel",
    ] {
        daemon.logs(expected);
    }
    let job_id = customer.create(json!({ "content": hello() }));
    let users = json!([{ "recipient": "ada" }, { "recipientId": "bob", "profile": { "email": "b@example.com" } }]);
    customer.ingest(&job_id, users.clone());
    daemon.logs("users[1].recipientId has no effect; 'recipient' names the user. Without it a recipient is made up");
    // In any call and of any user, once a job.
    let more = json!([{ "recipient": "cy", "phone": "1", "twilio": {} }, { "to": { "userId": "di" }, "phone": "2" }]);
    customer.ingest(&job_id, more.clone());
    daemon.logs("users[0].phone has no effect; 'profile.phone_number' is meant");
    daemon.logs("users[0].twilio has no effect");
    daemon.logs("users[1].to.userId addresses nobody; 'user_id' is meant");
    customer.ingest(
        &job_id,
        json!([{ "phone": "3", "profile": { "teams": {}, "custom": 1, "phone_number": "1", "phone": "2" } }]),
    );
    daemon.logs("users[0].profile.teams addresses nobody: msteams has its address in `ms_teams.conversation_id`");
    let log = daemon.stderr();
    assert_eq!(log.matches(".phone has no effect").count(), 1, "told once a job: {log}");
    assert!(!log.contains("profile.phone addresses") && !log.contains("profile.custom"), "{log}");
}

#[test]
fn the_log_tells_of_a_recipient_whose_address_is_called_otherwise() {
    let daemon = Binary::start(&["--listen", ":0", "--ephemeral"]);
    let customer = daemon.customer("acme");
    for (to, expected) in [
        (json!({ "userId": "ada" }), "message.to.userId addresses nobody; 'user_id' is meant"),
        (json!({ "user_id": "ada", "phone": "1" }), "message.to.phone addresses nobody; 'phone_number' is meant"),
        (json!({ "user_id": "ada", "profile": {} }), "message.to.profile addresses nobody; its members belong into"),
        (
            json!({ "nowpush": {} }),
            "message.to.nowpush addresses nobody: nowpush needs no address; name it in 'routing'",
        ),
        (json!([{ "msteams": {} }]), "message.to[0].msteams addresses nobody: msteams has its address in"),
        (json!({ "user_id": "ada", "data": {}, "twilio": "1" }), "twilio has its address in `phone_number`"),
    ] {
        customer.post("/send", &json!({ "message": { "to": to, "content": hello() } })).ok(202);
        daemon.logs(expected);
    }
    let quiet = json!({ "user_id": "ada", "id": 5, "custom": {}, "slack": { "channel": "C1" }, "nick": "a" });
    send(&customer, json!({ "to": quiet, "content": hello() }));
    send(&customer, json!({ "to": { "mobile": "1" }, "content": hello() }));
    daemon.logs("message.to.mobile addresses nobody");
    let log = daemon.stderr();
    assert_eq!(log.matches("addresses nobody").count(), 7, "{log}");
}

#[test]
fn the_log_tells_of_an_address_beside_a_user_that_is_none() {
    let daemon = Binary::start(&["--listen", ":0", "--ephemeral"]);
    let customer = daemon.customer("acme");
    let addresses = [
        (json!({ "discord": { "channelId": "1" } }), "discord has no effect: expected channel_id or user_id"),
        (json!({ "discord": "1" }), "discord has no effect: expected an object, found a string"),
        (json!({ "slack": { "access_token": "x" } }), "slack has no effect: expected "),
        (json!({ "ms_teams": { "tenant_id": "x" } }), "ms_teams has no effect: expected "),
        (json!({ "webhook": "https://x.example" }), "webhook has no effect: expected an object, found a string"),
        (json!({ "firebaseToken": [] }), "firebaseToken has no effect: expected a token"),
        (json!({ "apn": {} }), "apn has no effect: expected a token"),
        (json!({ "expo": {} }), "expo has no effect: expected a token"),
        (json!({ "onesignal": {} }), "onesignal has no effect: expected a token"),
        (json!({ "target_arn": "" }), "target_arn has no effect: expected a token"),
        (json!({ "airship": { "device_types": ["ios"] } }), "airship has no effect: expected an audience"),
        (json!({ "slak": { "channel": "C1" } }), "slak addresses nobody; 'slack' is meant"),
        (json!({ "emial": "ada@example.com" }), "emial addresses nobody; 'email' is meant"),
    ];
    for (to, expected) in &addresses {
        let mut to = to.clone();
        to["user_id"] = json!("ada");
        send(&customer, json!({ "to": to, "content": hello() }));
        daemon.logs(&format!("message.to.{expected}"));
    }
    let job_id = customer.create(json!({ "content": hello() }));
    let user = |(i, (it, _)): (usize, &(Value, &str))| json!({ "recipient": format!("u-{i}"), "profile": it });
    let users: Vec<Value> = addresses.iter().enumerate().map(user).collect();
    customer.ingest(&job_id, json!(users));
    for (i, (_, expected)) in addresses.iter().enumerate() {
        daemon.logs(&format!("users[{i}].profile.{expected}"));
    }
    let sound = json!({
        "user_id": "ada", "slack": { "channel": "C1" }, "expo": "t", "apn": { "token": "t" }, "emails": null,
        "airship": { "audience": { "tag": "x" } }, "facebookPSID": "1", "pagerduty": {}, "name": "A", "tier": "gold",
    });
    let before = daemon.stderr().matches(" no effect").count() + daemon.stderr().matches("nobody").count();
    send(&customer, json!({ "to": sound, "content": hello() }));
    send(&customer, json!({ "to": { "user_id": "ada", "expoo": "t" }, "content": hello() }));
    daemon.logs("message.to.expoo addresses nobody; 'expo' is meant");
    let log = daemon.stderr();
    assert_eq!(log.matches(" no effect").count() + log.matches("nobody").count(), before + 1, "{log}");
}

#[test]
fn the_log_tells_of_providers_and_brands_that_nothing_comes_of() {
    let daemon = Binary::start(&["--listen", ":0", "--ephemeral"]);
    let customer = daemon.customer("acme");
    let brand = json!({ "colours": {}, "email": { "footer": { "markdown": "x", "text": "y" } } });
    send(
        &customer,
        json!({
            "to": { "email": "ada@example.com" }, "content": hello(), "brand": brand,
            "channels": { "email": { "providers": ["sendgird", "smtp", "twilio"], "override": { "brand": { "settings": { "color": 1 } } } } },
            "routing": { "method": "single", "channels": [{ "channel": "email", "config": { "providers": ["smpt"] } }] },
            "override": { "brand": { "settings": { "colors": { "primery": "#fff" } } } },
            "providers": { "webhook": { "override": { "method": "FETCH" } } },
        }),
    );
    for expected in [
        "message.channels.email.providers[0] has no effect: there is no provider 'sendgird'",
        "message.channels.email.providers[2] has no effect: twilio is no provider of email",
        "message.routing.channels[0].config.providers[0] has no effect: there is no provider 'smpt'",
        "message.channels.email.override.brand.settings.color has no effect",
        "message.override.brand.settings.colors.primery has no effect",
        "message.brand.colours has no effect",
        "message.brand.email.footer.text has no effect",
        "message.providers.webhook.override.method has no effect",
    ] {
        daemon.logs(expected);
    }
}

#[test]
fn the_log_tells_of_a_brand_by_its_id_and_of_colours_that_are_none() {
    let daemon = Binary::start(&["--listen", ":0", "--ephemeral"]);
    let customer = daemon.customer("acme");
    let colours = json!({ "settings": { "colors": { "primary": "blurple-ish", "secondary": "#123456" } } });
    send(
        &customer,
        json!({
            "to": { "email": "ada@example.com" }, "content": hello(), "brand": { "colors": { "tertiary": "#12" } },
            "channels": { "email": { "override": { "brand": "acme" } }, "sms": { "override": { "brand": {} }, "brand_id": "b" } },
            "override": { "brand": colours, "channel": { "email": { "brand": { "id": "acme" } } } },
        }),
    );
    for expected in [
        "message.channels.email.override.brand has no effect: expected an object, found a string; 'channels.email.brand_id'",
        "message.channels.sms.override.brand has no effect: only e-mails have a brand",
        "message.channels.sms.brand_id has no effect: only e-mails have a brand",
        "message.override.brand.settings.colors.primary has no effect: expected a colour such as \"#9d3789\", found 'blurple",
        "message.override.channel.email.brand.id has no effect: 'brand_id' takes the id of a brand",
        "message.brand.colors.tertiary has no effect: expected a colour",
    ] {
        daemon.logs(expected);
    }
    let brand = json!({ "name": "Acme", "settings": { "email": { "header": { "barColor": "none of them" } } } });
    let made = customer.post("/brands", &brand).ok(200);
    daemon.logs("the brand 'Acme': settings.email.header.barColor has no effect: expected a colour");
    customer
        .put(
            &format!("/brands/{}", made["id"].as_str().unwrap()),
            &json!({ "name": "Globex", "settings": colours["settings"] }),
        )
        .ok(200);
    daemon.logs("the brand 'Globex': settings.colors.primary has no effect");
    assert!(!daemon.stderr().contains("colors.secondary"), "{}", daemon.stderr());
}

#[test]
fn what_nothing_comes_of_is_told_of_each_send_until_there_are_too_many_lines() {
    let daemon = Binary::start(&["--listen", ":0", "--ephemeral"]);
    let customer = daemon.customer("acme");
    let message = json!({ "to": { "email": "ada@example.com" }, "content": hello(), "timeout": { "message": 1 } });
    let told = "a send to 'ada@example.com': message.timeout has no effect";
    let lines = || daemon.stderr().matches(told).count();
    for count in 1..=3 {
        send(&customer, message.clone());
        wait_until("each send is told", || lines() == count);
    }
    const SENDS: usize = 400;
    let start = std::time::Instant::now();
    (0..SENDS).for_each(|_| drop(send(&customer, message.clone())));
    // As many lines as there were spans of time.
    let spans = start.elapsed().as_secs() as usize / 10 + 2;
    assert!(lines() <= 100 * spans, "{} lines", lines());
    let found = customer.get("/_bulkd/doctor").ok(200);
    let no_effect = found["items"].as_array().unwrap().iter().find(|it| it["check"] == "no-effect").unwrap();
    assert_eq!(no_effect["count"], json!(SENDS + 3), "{found}");
}

#[test]
fn a_loop_over_what_is_no_list_is_told_once() {
    let daemon = Binary::start(&["--listen", ":0", "--ephemeral"]);
    let customer = daemon.customer("acme");
    let looped = json!({ "type": "text", "content": "x", "loop": "data.items" });
    let content = json!({ "version": "2022-01-01", "elements": [{ "type": "meta", "title": "T" }, looped] });
    for (items, kind) in [
        (json!(5), "a number"),
        (json!("a, b"), "a string"),
        (json!(true), "a boolean"),
        (json!({ "a": 1 }), "an object"),
    ] {
        let to = json!({ "email": format!("{}@example.com", kind.replace(' ', "-")), "data": { "items": items } });
        send(&customer, json!({ "to": to, "content": content }));
        daemon.logs(&format!(
            "{}@example.com': message.content.elements[1].loop goes over nothing: expected an array, found {kind}",
            kind.replace(' ', "-")
        ));
    }
    for items in [json!([]), json!(["a"]), json!(null)] {
        send(
            &customer,
            json!({ "to": { "email": "good@example.com" }, "content": content, "data": { "items": items } }),
        );
    }
    let job_id = customer.create(json!({ "content": content, "data": { "items": 7 } }));
    let users: Vec<Value> = (0..300).map(|i| json!({ "profile": { "email": format!("{i}@example.com") } })).collect();
    customer.ingest(&job_id, json!(users));
    customer.run_to_the_end(&job_id);
    let told = format!("job {job_id}: message.content.elements[1].loop goes over nothing");
    daemon.logs(&told);
    let log = daemon.stderr();
    assert_eq!(log.matches(&told).count(), 1, "{log}");
    assert!(!log.contains("good@example.com"), "{log}");
}

#[test]
fn the_log_tells_once_which_members_of_a_body_a_route_does_not_read() {
    let daemon = Binary::start(&["--listen", ":0", "--ephemeral"]);
    let customer = daemon.customer("acme");
    let content = json!({ "content": hello(), "to": { "user_id": "ada" } });
    customer.post("/send", &json!({ "message": content, "event": "e", "x": null })).ok(202);
    customer.post("/send", &json!({ "message": content, "event": "f" })).ok(202);
    daemon.logs("POST /send: event has no effect: no such member is known");
    let v1 = json!({ "event": "e", "recipient": "ada", "messege": 1, "override": { "channel": { "email": { "subjekt": 1 } } } });
    customer.post("/send", &v1).ok(200);
    daemon.logs("POST /send: messege has no effect");
    daemon.logs("a send to 'ada': override.channel.email.subjekt has no effect");
    customer.post("/send/list", &json!({ "event": "e", "list": "l", "lists": [], "override": { "x": {} } })).ok(200);
    daemon.logs("POST /send/list: lists has no effect");
    daemon.logs("a send to list 'l': override.x has no effect: there is no such provider");
    customer.post("/bulk", &json!({ "message": { "content": hello() }, "users": [] })).ok(201);
    daemon.logs("POST /bulk: users has no effect");
    let job_id = customer.create(json!({ "content": hello() }));
    customer.post(&format!("/bulk/{job_id}"), &json!({ "users": [], "message": {} })).ok(200);
    daemon.logs("POST /bulk/{job_id}: message has no effect");
    customer.put("/profiles/ada", &json!({ "profile": { "anything": 1 }, "email": "a@example.com" })).ok(200);
    daemon.logs("PUT /profiles/{user_id}: email has no effect");
    let choices = json!({ "categories": { "news": { "status": "OPTED_IN", "channels": [] } }, "topics": {} });
    customer.put("/preferences/ada", &choices).ok(200);
    daemon.logs("PUT /preferences/{user_id}: categories.news.channels has no effect");
    daemon.logs("PUT /preferences/{user_id}: topics has no effect");
    let topic = json!({ "topics": [{ "topic_id": "news", "status": "OPTED_IN", "state": 1 }] });
    customer.put("/users/ada/preferences", &topic).ok(200);
    daemon.logs("topics[0].state has no effect");
    let list = json!({ "recipients": [{ "recipientId": "ada", "preference": {} }] });
    customer.put("/lists/news/subscriptions", &list).done();
    daemon.logs("PUT /lists/{list_id}/subscriptions: recipients[0].preference has no effect");
    customer.put("/lists/news", &json!({ "name": "News", "title": "News" })).done();
    daemon.logs("PUT /lists/{list_id}: title has no effect");
    let brand =
        json!({ "name": "Acme", "settings": { "colors": { "primary": "#123456", "main": "#123456" } }, "logo": "x" });
    customer.post("/brands", &brand).ok(200);
    daemon.logs("POST /brands: settings.colors.main has no effect");
    daemon.logs("POST /brands: logo has no effect");
    let log = daemon.stderr();
    assert_eq!(log.matches("POST /send: event has no effect").count(), 1, "{log}");
    assert!(!log.contains("profile.anything"), "{log}");
}

#[test]
fn an_audience_of_airship_is_reached_however_it_is_selected() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    for (audience, address) in [
        (json!({ "tag": "gold", "group": "tiers" }), "gold"),
        (json!({ "ios_channel": ["a", "b"] }), "a"),
        (json!({ "and": [{ "tag": "gold" }, { "not": { "segment": "s" } }] }), "gold"),
        (json!({ "channel": ["a", "b"] }), "a"),
        (json!("all"), "all"),
    ] {
        let to = json!({ "user_id": "ada", "airship": { "audience": audience, "device_types": "all" } });
        let went = went_out(&customer, &send(&customer, json!({ "to": to, "content": hello() })));
        assert_eq!((went.len(), way(&went[0])), (1, ["push", "airship", address].map(str::to_owned)), "{audience}");
        assert_eq!(went[0]["request"]["body"]["audience"], audience);
    }
}

#[test]
fn an_address_of_a_recipient_is_read_as_a_header_has_it() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let to = |email: &str| json!({ "to": { "email": email }, "content": hello() });
    for (email, expected) in [
        ("Ada <ada@example.com>", json!({ "email": "ada@example.com", "name": "Ada" })),
        ("ada@example.com ", json!({ "email": "ada@example.com" })),
        ("ada@example.com (Ada)", json!({ "email": "ada@example.com", "name": "Ada" })),
    ] {
        let went = went_out(&customer, &send(&customer, to(email)));
        assert_eq!(went[0]["request"]["personalizations"][0]["to"], json!([expected]), "{email}");
    }
    let record = |message: Value| customer.get(&format!("/messages/{}", send(&customer, message))).ok(200);
    let several = record(to("ada@example.com, bob@example.com"));
    assert_eq!(several["status"], "UNDELIVERABLE");
    assert!(several["error"].as_str().unwrap().contains("is 2 addresses, and a recipient has one"), "{several}");
    assert_eq!(record(to("Simulated <open@simulator.bulkd>"))["status"], "OPENED");
    for (provider, overriding, expected) in [
        ("sendgrid", json!({ "from": "a@example.com, b@example.com" }), "is 2 senders, and an e-mail has one"),
        ("mailjet", json!({ "reply_to": "a@example.com, b@example.com" }), "Mailjet takes one address to reply to"),
    ] {
        let mut message = to("ada@example.com");
        message["routing"] = json!({ "method": "single", "channels": [provider] });
        message["channels"] = json!({ "email": { "override": overriding } });
        let record = record(message);
        assert_eq!(record["status"], "UNDELIVERABLE", "{record}");
        assert!(record["error"].as_str().unwrap().contains(expected), "{record}");
    }
}

#[test]
fn without_channels_in_the_routing_the_next_address_stands_in_for_one_that_fails() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let bare = json!({ "email": "reject@simulator.bulkd", "phone_number": "+12025550156" });
    let malformed = json!({ "email": "no address", "phone_number": "+12025550156" });
    let known = json!({ "user_id": "ada", "email": "ada@example.com", "phone_number": "+12025550156" });
    let stopped = json!({ "email": { "if": "data.x" } });
    for (to, channels, reason) in
        [(bare, json!({}), "refused"), (malformed, json!({}), "refused"), (known, stopped.clone(), "CONDITION")]
    {
        for routing in [json!({ "method": "single" }), json!(null)] {
            let mut message = json!({ "to": to, "content": hello(), "channels": channels });
            if !routing.is_null() {
                message["routing"] = routing.clone();
            }
            let went = went_out(&customer, &send(&customer, message));
            let last =
                went.iter().find(|it| it["status"] == "SENT").unwrap_or_else(|| panic!("{to} {routing} {went:?}"));
            assert_eq!(last["channel"], "sms", "{to} {routing}");
            let latest = customer.get("/_bulkd/outbox/latest").ok(200)["routing"].take();
            match reason {
                "refused" => assert_eq!(latest["tried"][0]["channel"], "email", "{latest}"),
                reason => assert_eq!(latest["passed_over"][0]["reason"], reason, "{latest}"),
            }
        }
    }
    // The inbox would hide every refusal.
    let to = json!({ "user_id": "ada", "email": "reject@simulator.bulkd" });
    let id = send(&customer, json!({ "to": to, "content": hello() }));
    assert_eq!(customer.get(&format!("/messages/{id}")).ok(200)["status"], "UNDELIVERABLE");
    let latest = customer.get("/_bulkd/outbox/latest").ok(200)["routing"].take();
    let inbox = latest["passed_over"].as_array().unwrap().iter().find(|it| it["name"] == "inbox").unwrap();
    assert_eq!(inbox["reason"], "NOT_NEEDED");
    let id = send(
        &customer,
        json!({ "to": { "user_id": "ada", "email": "ada@example.com" }, "content": hello(), "channels": stopped }),
    );
    assert_eq!(customer.get(&format!("/messages/{id}")).ok(200)["status"], "FILTERED");
}
