//! What a message lays over its request: each member that Courier's pages name, where the provider reads it; and what has no
//! effect.

use serde_json::Value;

use crate::support::binary::Binary;
use crate::support::{Customer, Daemon, json};

const PROFILE: &str = r#"{
    "email": "ada@example.com", "phone_number": "+15551234567", "firebaseToken": "t", "apn": "t", "expo": "t", "airship": {
    "audience": { "named_user": "ada" }, "device_types": ["ios"] }, "oneSignalPlayerID": "p", "slack": { "channel": "C1" },
    "discord": { "channel_id": "1" }, "webhook": { "url": "https://acme.example/in" }, "intercom": { "to": { "id": "i" } },
    "pagerduty": { "routing_key": "k" }, "streamChat": { "channelType": "messaging", "channelId": "c" },
    "ms_teams": { "conversation_id": "c" }, "magicbell": { "external_id": "m" }
}"#;

/// What a provider was given for a message with such a member.
fn request(customer: &Customer, provider: &str, member: (&str, Value)) -> Value {
    let mut message = json!({
        "content": { "title": "T", "body": "B" },
        "routing": { "method": "single", "channels": [provider] },
    });
    message[member.0] = member.1;
    let job_id = customer.create(message);
    let profile: Value = serde_json::from_str(PROFILE).unwrap();
    customer.ingest(&job_id, json!([{ "recipient": "ada", "profile": profile }]));
    customer.run_to_the_end(&job_id);
    let row = &customer.outbox(&job_id)[0];
    assert_eq!((&row["provider"], &row["status"]), (&json!(provider), &json!("SENT")), "{row}");
    row["request"].clone()
}

#[test]
fn each_member_that_is_documented_stands_where_the_provider_reads_it() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let file = json!([{ "filename": "billing.pdf", "contentType": "application/pdf", "data": "QQ==" }]);
    let base64 = json!("QQ==");
    let cases = [
        ("amply", json!({ "config": { "fromName": "Pigeons" } }), "/from", json!("Pigeons <no-reply@example.com>")),
        ("amply", json!({ "attachments": file }), "/attachments/0/data", base64.clone()),
        ("mailersend", json!({ "config": { "fromAddress": "a@example.com" } }), "/from", json!("a@example.com")),
        ("aws-ses", json!({ "attachments": file }), "/body/Content/Simple/Attachments/0/RawContent", base64.clone()),
        ("aws-ses", json!({ "body": { "RawMessage": { "Data": "A" } } }), "/body/Content/Raw/Data", base64.clone()),
        ("mailgun", json!({ "attachments": file }), "/body/attachment/0/data", base64.clone()),
        ("mailgun", json!({ "body": { "o:tag": "x" } }), "/body/o:tag", json!("x")),
        (
            "mailgun",
            json!({ "config": { "domain": "acme.example", "host": "api.eu.mailgun.net" } }),
            "/url",
            json!("https://api.eu.mailgun.net/v3/acme.example/messages"),
        ),
        ("mailgun", json!({ "config": { "apiKey": "k" } }), "/headers/Authorization", json!("Basic YXBpOms=")),
        ("mailjet", json!({ "body": { "Attachments": [1] } }), "/body/Messages/0/Attachments", json!([1])),
        ("mandrill", json!({ "body": { "message": { "from_name": "Rod" } } }), "/body/message/from_name", json!("Rod")),
        ("postmark", json!({ "config": { "MessageStream": "s" } }), "/body/MessageStream", json!("s")),
        ("postmark", json!({ "body": { "Attachments": [1] } }), "/body/Attachments", json!([1])),
        (
            "postmark",
            json!({ "config": { "url": "https://api.postmarkapp.com/email/withTemplate" } }),
            "/url",
            json!("https://api.postmarkapp.com/email/withTemplate"),
        ),
        ("resend", json!({ "attachments": file }), "/body/attachments/0/content", base64.clone()),
        ("resend", json!({ "body": { "tags": [{ "name": "e", "value": "d" }] } }), "/body/tags/0/value", json!("d")),
        ("sendgrid", json!({ "body": { "attachments": [1] } }), "/attachments", json!([1])),
        (
            "sparkpost",
            json!({ "body": { "content": { "attachments": [1] } } }),
            "/body/content/attachments",
            json!([1]),
        ),
        ("twilio", json!({ "body": { "to": "+15557654321" } }), "/To", json!("+15557654321")),
        ("twilio", json!({ "config": { "messagingServiceSid": "MG1" } }), "/MessagingServiceSid", json!("MG1")),
        ("telnyx", json!({ "body": { "text": "x" } }), "/body/text", json!("x")),
        ("telnyx", json!({ "config": { "from": "+15557654321" } }), "/body/from", json!("+15557654321")),
        ("telnyx", json!({ "config": { "url": "https://other.example" } }), "/url", json!("https://other.example")),
        ("telnyx", json!({ "config": { "apiKey": "k" } }), "/headers/Authorization", json!("Bearer k")),
        ("messagebird", json!({ "body": { "body": "x" } }), "/body/body", json!("x")),
        ("plivo", json!({ "body": { "src": "x" } }), "/body/src", json!("x")),
        ("vonage", json!({ "body": { "ttl": 1 } }), "/body/ttl", json!(1)),
        ("africastalking-sms", json!({ "body": { "from": "12345" } }), "/from", json!("12345")),
        ("azure-sms", json!({ "body": { "message": "x" } }), "/message", json!("x")),
        ("azure-sms", json!({ "config": { "from": "+1555" } }), "/from", json!("+1555")),
        ("textus", json!({ "body": { "to": "+1555" } }), "/to", json!("+1555")),
        (
            "aws-sns",
            json!({ "config": { "region": "eu-west-1" } }),
            "/url",
            json!("https://sns.eu-west-1.amazonaws.com/"),
        ),
        ("firebase-fcm", json!({ "body": { "data": { "Nick": "M" } } }), "/message/data/Nick", json!("M")),
        (
            "firebase-fcm",
            json!({ "body": { "notification": { "body": "x" } } }),
            "/message/notification/body",
            json!("x"),
        ),
        ("expo", json!({ "ttl": 10 }), "/body/ttl", json!(10)),
        ("expo", json!({ "sound": null }), "/body/sound", json!(null)),
        ("airship", json!({ "headers": { "Authorization": "Basic x" } }), "/headers/Authorization", json!("Basic x")),
        ("airship", json!({ "body": { "options": { "expiry": 1 } } }), "/body/options/expiry", json!(1)),
        ("apn", json!({ "body": { "apns-priority": 5 } }), "/headers/apns-priority", json!("5")),
        ("apn", json!({ "body": { "expiry": 1790000000 } }), "/headers/apns-expiration", json!("1790000000")),
        ("apn", json!({ "body": { "topic": "com.acme" } }), "/headers/apns-topic", json!("com.acme")),
        ("apn", json!({ "config": { "topic": "com.acme" } }), "/headers/apns-topic", json!("com.acme")),
        ("apn", json!({ "body": { "badge": 3 } }), "/body/aps/badge", json!(3)),
        ("apn", json!({ "body": { "content-available": 1 } }), "/body/aps/content-available", json!(1)),
        ("apn", json!({ "body": { "mutable-content": 1 } }), "/body/aps/mutable-content", json!(1)),
        ("apn", json!({ "body": { "sound": "ping" } }), "/body/aps/sound", json!("ping")),
        ("apn", json!({ "body": { "alert": "x" } }), "/body/aps/alert", json!("x")),
        ("apn", json!({ "body": { "payload": "{\"messageFrom\":\"C\"}" } }), "/body/messageFrom", json!("C")),
        (
            "apn",
            json!({ "config": { "isProduction": false } }),
            "/url",
            json!("https://api.sandbox.push.apple.com/3/device/t"),
        ),
        ("onesignal", json!({ "body": { "ttl": 1 } }), "/body/ttl", json!(1)),
        ("magicbell", json!({ "body": { "category": "new" } }), "/category", json!("new")),
        ("pushbullet", json!({ "body": { "type": "link" } }), "/type", json!("link")),
        ("discord", json!({ "body": { "embed": { "title": "x" } } }), "/body/embeds/0/title", json!("x")),
        ("slack", json!({ "body": { "unfurl_links": true } }), "/unfurl_links", json!(true)),
        ("slack", json!({ "body": { "response_type": "ephemeral" } }), "/response_type", json!("ephemeral")),
        ("stream-chat", json!({ "body": { "skip_push": true } }), "/skip_push", json!(true)),
        ("intercom", json!({ "body": { "from": { "id": "1" } } }), "/from/id", json!("1")),
        ("pagerduty", json!({ "body": { "payload": { "source": "x" } } }), "/body/payload/source", json!("x")),
        ("pagerduty", json!({ "config": { "severity": "error" } }), "/body/payload/severity", json!("error")),
        ("opsgenie", json!({ "body": { "message": "x" } }), "/message", json!("x")),
        ("opsgenie", json!({ "headers": { "X-Kind": "x" } }), "/headers/X-Kind", json!("x")),
        ("webhook", json!({ "url": "https://other.example" }), "/url", json!("https://other.example")),
        ("webhook", json!({ "method": "PUT" }), "/method", json!("PUT")),
        ("webhook", json!({ "headers": { "X-Kind": "x" } }), "/headers/X-Kind", json!("x")),
        ("webhook", json!({ "body": { "key": "value" } }), "/body/key", json!("value")),
        ("custom", json!({ "method": "PUT" }), "/method", json!("PUT")),
        ("custom", json!({ "url": "https://other.example" }), "/url", json!("https://other.example")),
    ];
    for (provider, over, place, expected) in cases {
        // In the newer words and in the older ones.
        let newer = request(&customer, provider, ("providers", json!({ provider: { "override": over } })));
        assert_eq!(newer.pointer(place), Some(&expected), "{provider} {over}: {newer}");
        let older = request(&customer, provider, ("override", json!({ provider: over })));
        assert_eq!(older.pointer(place), Some(&expected), "{provider} {over}: {older}");
    }
    let smtp = json!({ "attachments": [{ "filename": "text1.txt", "content": "aGVsbG8=", "encoding": "base64" }] });
    let smtp = request(&customer, "smtp", ("providers", json!({ "smtp": { "override": { "body": smtp } } })));
    assert!(smtp["data"].as_str().unwrap().contains("filename=\"text1.txt\""), "{smtp}");
}

#[test]
fn each_member_for_a_channel_stands_where_its_providers_read_it() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let email = json!({
        "attachments": [{ "filename": "a.txt", "data": "QQ==" }], "bcc": "b@example.com, d@example.com",
        "cc": "\"Lovelace, Ada\" <c@example.com>", "from": "f@example.com", "html": "<p>H</p>",
        "reply_to": "r@example.com", "subject": "S", "text": "X",
    });
    let push = json!({
        "body": "P", "clickAction": "https://acme.example", "data": { "k": "v" }, "icon": "bell", "title": "N",
    });
    let cases = [
        ("sendgrid", "/attachments/0/content", json!("QQ==")),
        ("sendgrid", "/personalizations/0/bcc/1/email", json!("d@example.com")),
        ("sendgrid", "/personalizations/0/cc/0/name", json!("Lovelace, Ada")),
        ("sendgrid", "/from/email", json!("f@example.com")),
        ("sendgrid", "/content/0/value", json!("X")),
        ("sendgrid", "/content/1/value", json!("<p>H</p>")),
        ("sendgrid", "/reply_to/email", json!("r@example.com")),
        ("sendgrid", "/subject", json!("S")),
        ("firebase-fcm", "/message/notification/body", json!("P")),
        ("firebase-fcm", "/message/notification/title", json!("N")),
        ("firebase-fcm", "/message/data/clickAction", json!("https://acme.example")),
        ("firebase-fcm", "/message/data/k", json!("v")),
        ("firebase-fcm", "/message/android/notification/icon", json!("bell")),
        ("onesignal", "/body/contents/en", json!("P")),
        ("onesignal", "/body/small_icon", json!("bell")),
        ("apn", "/body/aps/alert/title", json!("N")),
        ("expo", "/body/data/clickAction", json!("https://acme.example")),
    ];
    for (provider, place, expected) in cases {
        let channels = json!({ "email": { "override": email }, "push": { "override": push } });
        let newer = request(&customer, provider, ("channels", channels));
        assert_eq!(newer.pointer(place), Some(&expected), "{provider}: {newer}");
        let older = request(&customer, provider, ("override", json!({ "channel": { "email": email, "push": push } })));
        assert_eq!(older.pointer(place), Some(&expected), "{provider}: {older}");
    }
}

#[test]
fn overrides_of_providers_with_the_generic_form_have_an_effect_or_are_told() {
    let daemon = Binary::start(&["--listen", ":0", "--ephemeral"]);
    let customer = daemon.customer("acme");
    let profile: Value = serde_json::from_str(PROFILE).unwrap();
    for (provider, over, told) in [
        ("magicbell", json!({ "body": { "action_url": "https://x.y" } }), ""),
        ("magicbell", json!({ "title": "N", "data": { "k": "v" }, "config": { "apiKey": "k" } }), "config.apiKey"),
        ("magicbell", json!({ "category": "new" }), "category"),
        ("sinch", json!({ "body": { "from": "1" }, "config": { "from": "2" } }), "config.from"),
        ("sinch", json!({ "config": { "servicePlanId": "s", "from": "2" } }), "config.servicePlanId"),
        ("sinch", json!({ "to": "+15550000000", "title": "T" }), "title"),
        ("messagemedia", json!({ "from": "1", "media": ["x"] }), "media[0]"),
        ("mailersend", json!({ "cc": "c@example.com", "tags": ["x"] }), "tags[0]"),
        ("opsgenie", json!({ "priority": "P1", "headers": { "X": "1" } }), "priority"),
        ("stream-chat", json!({ "url": "https://x.y", "skip_push": true }), "skip_push"),
        ("whatsapp", json!({ "from": "1" }), "from"),
        ("beamer", json!({ "icon": "bell", "colour": "red" }), "colour"),
        ("pagerduty", json!({ "body": { "payload": { "severity": "bad" } } }), "body.payload.severity"),
        ("pagerduty", json!({ "severity": "error" }), "severity"),
    ] {
        let before = daemon.stderr().len();
        let message = json!({
            "to": profile, "content": { "title": "T", "body": "B" },
            "routing": { "method": "single", "channels": [provider] },
            "providers": { provider: { "override": over } },
        });
        customer.post("/send", &json!({ "message": message })).ok(202);
        let name = format!("end{before}");
        customer.get(&format!("/messages?{name}=1")).ok(200);
        daemon.logs(&name);
        let log = daemon.stderr()[before..].to_owned();
        let path = format!("message.providers.{provider}.override.{told} ");
        let count = log.matches(".override.").count();
        match told {
            "" => assert_eq!(count, 0, "{provider}: {log}"),
            _ => assert!(log.contains(&path) && count == 1, "{path} of {provider} {over}: {log}"),
        }
    }
}

#[test]
fn what_a_recipient_says_of_pagerduty_reaches_the_request_of_a_send() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let message = json!({
        "to": { "pagerduty": { "routing_key": "k", "event_action": "acknowledge", "severity": "warning", "source": "api" } },
        "content": { "title": "Slow", "body": "It is slow" },
    });
    customer.post("/send", &json!({ "message": message })).ok(202);
    let row = customer.outbox("").pop().unwrap();
    assert_eq!((&row["provider"], &row["status"]), (&json!("pagerduty"), &json!("SENT")), "{row}");
    let body = &row["request"]["body"];
    assert_eq!((&body["routing_key"], &body["event_action"]), (&json!("k"), &json!("acknowledge")), "{body}");
    assert_eq!(
        body["payload"],
        json!({ "summary": "Slow", "source": "api", "severity": "warning", "custom_details": { "body": "It is slow" } })
    );
}

#[test]
fn the_log_tells_once_which_overrides_have_no_effect() {
    let daemon = Binary::start(&["--listen", ":0", "--ephemeral"]);
    let customer = daemon.customer("acme");
    let message = |to: Option<Value>| {
        let mut message = json!({
            "content": { "title": "T", "body": "B" },
            "channels": { "email": { "override": {
                "subjekt": "S", "cc": 5, "attachments": "none", "tracking": { "open": false }, "bcc": "b@example.com",
            } } },
            "providers": {
                "twilio": { "override": { "config": { "accountSid": "AC1" }, "body": { "to": "+15557654321" } } },
                "smtp": { "override": { "config": { "host": "smtp.example.com" } } },
            },
            "override": { "webhook": { "metod": "PUT" } },
        });
        to.into_iter().for_each(|to| message["to"] = to);
        message
    };
    let paths = [
        "message.channels.email.override.subjekt",
        "message.channels.email.override.cc",
        "message.channels.email.override.attachments",
        "message.channels.email.override.tracking.open",
        "message.providers.twilio.override.config.accountSid",
        "message.providers.smtp.override.config.host",
        "message.override.webhook.metod",
    ];
    let told = |what: &str| {
        for path in paths {
            daemon.logs(&format!("{what}: {path} has no effect: the provider's request has no place for it"));
        }
        let log = daemon.stderr();
        let of_it = |line: &&str| line.contains(what) && line.contains("has no place for it");
        let lines: Vec<&str> = log.lines().filter(of_it).collect();
        assert_eq!(lines.len(), paths.len(), "{lines:?}");
        assert!(lines.iter().all(|line| paths.iter().any(|path| line.contains(path))), "{lines:?}");
    };
    let job_id = customer.create(message(None));
    let users: Vec<Value> = (0..300).map(|i| json!({ "profile": { "email": format!("{i}@example.com") } })).collect();
    customer.ingest(&job_id, json!(users));
    customer.run_to_the_end(&job_id);
    told(&format!("job {job_id}"));
    customer.post("/send", &json!({ "message": message(Some(json!({ "email": "ada@example.com" }))) })).ok(202);
    told("a send to 'ada@example.com'");
}

#[test]
fn an_override_that_is_no_object_is_told_by_its_path_or_refused() {
    let daemon = Binary::start(&["--listen", ":0", "--ephemeral"]);
    let customer = daemon.customer("acme");
    let message = |member: &str, value: Value| {
        let mut message = json!({ "to": { "email": "ada@example.com" }, "content": { "title": "T", "body": "B" } });
        message[member] = value;
        json!({ "message": message })
    };
    for (member, value, path) in [
        ("channels", json!({ "email": { "override": 5 } }), "message.channels.email.override"),
        ("providers", json!({ "sendgrid": { "override": "x" } }), "message.providers.sendgrid.override"),
    ] {
        customer.post("/send", &message(member, value)).ok(202);
        daemon.logs(&format!("': {path} has no effect: the provider's request has no place for it"));
    }
    customer.post("/send", &message("override", json!({ "twilio": [1] }))).ok(202);
    daemon.logs("message.override.twilio has no effect: expected an object, found an array");
    let error = customer.post("/send", &message("override", json!(5))).refused(400);
    assert!(error.starts_with("message.override: expected an object"), "{error}");
}

#[test]
fn of_a_request_that_cannot_be_made_the_error_alone_is_told() {
    let daemon = Binary::start(&["--listen", ":0", "--ephemeral"]);
    let customer = daemon.customer("acme");
    let message = |over: Value| {
        json!({ "message": {
            "to": { "email": "ada@example.com" }, "content": { "title": "T", "body": "B" },
            "channels": { "email": { "override": over.clone() } }, "providers": { "sendgrid": { "override": over } },
        } })
    };
    let others =
        json!({ "cc": "c@example.com", "subject": "S", "reply_to": "r@example.com", "headers": { "X-A": "b" } });
    let mut from = others.clone();
    from["from"] = json!("nope");
    let mut attachments = others.clone();
    attachments["attachments"] = json!([{ "filename": "f", "contentType": "text/plain", "data": "!!!" }]);
    for over in [from, attachments] {
        customer.post("/send", &message(over)).ok(202);
    }
    let mut slip = others;
    slip["subjekt"] = json!("S");
    customer.post("/send", &message(slip)).ok(202);
    daemon.logs("message.channels.email.override.subjekt has no effect");
    daemon.logs("message.providers.sendgrid.override.subjekt has no effect");
    let log = daemon.stderr();
    assert_eq!(log.matches("has no place for it").count(), 2, "{log}");
}

/// A send to all recipients with these overrides, as the log has it.
fn logged(daemon: &Binary, customer: &Customer, mut message: Value) -> String {
    message["to"] = serde_json::from_str(PROFILE).unwrap();
    message["content"] = json!({ "title": "T", "body": "B" });
    let before = daemon.stderr().len();
    customer.post("/send", &json!({ "message": message, "end": before })).ok(202);
    // What is told of a send was told when it is answered; a later line tells that this has come through.
    let name = format!("end{before}");
    customer.get(&format!("/messages?{name}=1")).ok(200);
    daemon.logs(&name);
    daemon.stderr()[before..].to_owned()
}

#[test]
fn the_log_tells_what_a_provider_does_not_document_in_a_body() {
    let daemon = Binary::start(&["--listen", ":0", "--ephemeral"]);
    let customer = daemon.customer("acme");
    let cases = [
        (
            "firebase-fcm",
            json!({ "notifikation": {} }),
            ".body.notifikation has no effect: firebase-fcm documents no such",
        ),
        ("firebase-fcm", json!({ "android": { "priority": 10 } }), ".body.android.priority is not what firebase-fcm"),
        ("expo", json!({ "tll": 10 }), ".body.tll has no effect: expo documents no such member"),
        (
            "expo",
            json!({ "badge": "one" }),
            ".body.badge is not what expo documents: expected an integer, found \"one\"",
        ),
        ("expo", json!({ "priority": "urgent" }), "expected 'default' or 'normal' or 'high', found \"urgent\""),
        ("apn", json!({ "badge": true }), ".body.badge is not what apn documents"),
        ("slack", json!({ "unfurl_link": true }), ".body.unfurl_link has no effect: slack documents"),
        ("discord", json!({ "embeds": [{ "titel": "x" }] }), ".body.embeds[0].titel has no effect: discord documents"),
        ("discord", json!({ "tts": "yes" }), ".body.tts is not what discord documents: expected true or false"),
        ("sendgrid", json!({ "catgories": ["x"] }), ".body.catgories has no effect: sendgrid documents"),
        ("sendgrid", json!({ "tracking_settings": { "click": {} } }), ".body.tracking_settings.click has no effect"),
        ("sendgrid", json!({ "send_at": "soon" }), ".body.send_at is not what sendgrid documents: expected an integer"),
        ("postmark", json!({ "TrackOpen": true }), ".body.TrackOpen has no effect: postmark documents"),
        ("postmark", json!({ "TrackLinks": "All" }), ".body.TrackLinks is not what postmark documents"),
        ("mailgun", json!({ "o_tag": "x" }), ".body.o_tag has no effect: mailgun documents"),
        ("mailjet", json!({ "TemplateId": 5 }), ".body.TemplateId has no effect: mailjet documents"),
        ("mandrill", json!({ "message": { "tag": [] } }), ".body.message.tag has no effect: mandrill documents"),
        ("resend", json!({ "scheduledAt": "x" }), ".body.scheduledAt has no effect: resend documents"),
        ("sparkpost", json!({ "campain_id": "x" }), ".body.campain_id has no effect: sparkpost documents"),
        ("aws-ses", json!({ "ConfigurationSet": "x" }), ".body.ConfigurationSet has no effect: aws-ses documents"),
        ("twilio", json!({ "statusCalback": "x" }), ".body.statusCalback has no effect: twilio documents"),
        ("messagebird", json!({ "reportURL": "x" }), ".body.reportURL has no effect: messagebird documents"),
        ("plivo", json!({ "urls": "x" }), ".body.urls has no effect: plivo documents"),
        ("telnyx", json!({ "mediaUrls": ["x"] }), ".body.mediaUrls has no effect: telnyx documents"),
        ("vonage", json!({ "clientRef": "x" }), ".body.clientRef has no effect: vonage documents"),
    ];
    for (provider, body, expected) in cases {
        let log = logged(
            &daemon,
            &customer,
            json!({
                "routing": { "method": "single", "channels": [provider] }, "override": { provider: { "body": body } },
            }),
        );
        assert!(
            log.contains(&format!("message.override.{provider}{expected}")) || log.contains(expected),
            "{expected}: {log}"
        );
    }
    let taken = [
        ("expo", json!({ "ttl": 10, "sound": { "name": "x", "critical": true }, "badge": 1, "data": { "any": 1 } })),
        (
            "firebase-fcm",
            json!({ "fcmOptions": { "analyticsLabel": "x" }, "android": { "collapseKey": "k", "ttl": "3s" } }),
        ),
        ("apn", json!({ "badge": 1, "sound": "x", "own": { "any": 1 }, "contentAvailable": true })),
        ("mailgun", json!({ "o:tag": "x", "h:X-A": "y", "v:any": "z" })),
        ("twilio", json!({ "StatusCallback": "x", "validityPeriod": 5 })),
        ("sendgrid", json!({ "categories": ["x"], "asm": { "group_id": 1 }, "custom_args": { "any": "x" } })),
        ("msteams", json!({ "anything": 1 })),
        ("onesignal", json!({ "anything": 1 })),
    ];
    for (provider, body) in taken {
        let log = logged(
            &daemon,
            &customer,
            json!({
                "routing": { "method": "single", "channels": [provider] }, "override": { provider: { "body": body } },
            }),
        );
        assert!(!log.contains("override"), "{provider}: {log}");
    }
    let beside = json!({ "expo": { "ttl": "long", "sound": 5, "badge": "one", "priority": 10 } });
    let log = logged(
        &daemon,
        &customer,
        json!({
            "routing": { "method": "single", "channels": ["expo"] }, "override": beside,
        }),
    );
    for member in ["ttl", "sound", "badge", "priority"] {
        assert!(log.contains(&format!("message.override.expo.{member} is not what expo documents")), "{member}: {log}");
    }
}

#[test]
fn the_log_tells_once_of_an_override_that_no_message_goes_by() {
    let daemon = Binary::start(&["--listen", ":0", "--ephemeral"]);
    let customer = daemon.customer("acme");
    let over = json!({ "postmark": { "body": { "Tag": "x" } }, "twilio": { "body": { "body": "x" } } });
    let log = logged(&daemon, &customer, json!({ "override": over }));
    assert!(log.contains("message.override.postmark has no effect: no message goes by postmark"), "{log}");
    assert!(!log.contains("override.twilio"), "{log}");
    let only = json!({ "method": "single", "channels": ["email"] });
    let log = logged(
        &daemon,
        &customer,
        json!({
            "override": over, "routing": only, "providers": { "nobody": { "override": {} } },
            "channels": { "sms": { "override": { "body": "x" } }, "email": { "providers": ["postmark"] } },
        }),
    );
    assert!(!log.contains("override.postmark"), "{log}");
    assert!(log.contains("message.override.twilio has no effect but for those who have chosen the channel"), "{log}");
    assert!(log.contains("message.channels.sms.override has no effect but for those who"), "{log}");
    assert!(log.contains("message.providers.nobody has no effect: there is no such provider"), "{log}");
    let job_id = customer.create(json!({ "content": { "title": "T", "body": "B" }, "override": over }));
    let users: Vec<Value> = (0..30).map(|i| json!({ "profile": { "email": format!("{i}@example.com") } })).collect();
    customer.ingest(&job_id, json!(users));
    customer.run_to_the_end(&job_id);
    let told = format!("job {job_id}: message.override.postmark has no effect");
    daemon.logs(&told);
    assert_eq!(daemon.stderr().matches(&told).count(), 1);
}

#[test]
fn of_two_members_that_say_one_thing_the_one_that_is_not_taken_is_told() {
    let daemon = Binary::start(&["--listen", ":0", "--ephemeral"]);
    let customer = daemon.customer("acme");
    let by_apns = |over: Value| json!({ "routing": { "method": "single", "channels": ["apn"] }, "providers": { "apn": { "override": over } } });
    let log = logged(&daemon, &customer, by_apns(json!({ "config": { "topic": "a" }, "body": { "topic": "b" } })));
    assert!(log.contains("config.topic has no effect: another member of the override goes before it"), "{log}");
    assert!(!log.contains("has no place for it"), "{log}");
    for over in [
        json!({ "config": { "topic": "com.acme" }, "body": { "topic": "com.acme" } }),
        json!({ "config": { "topic": "com.acme" } }),
    ] {
        let log = logged(&daemon, &customer, by_apns(over));
        assert!(!log.contains("has no effect"), "{log}");
    }
}
