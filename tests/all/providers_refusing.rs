//! What providers would refuse, and what becomes of the message then; which recipients a provider reaches.

use bulkd::settings::ProviderLimits;
use serde_json::Value;

use crate::support::{Customer, Daemon, json};

/// The rows of the outbox and the record of a message to a profile.
fn sent(customer: &Customer, message: Value, profile: Value) -> (Vec<Value>, Value) {
    let job_id = customer.post("/bulk", &json!({ "message": message })).ok(201)["jobId"].as_str().unwrap().to_owned();
    customer.ingest(&job_id, json!([{ "recipient": "ada", "profile": profile }]));
    customer.run_to_the_end(&job_id);
    let rows = customer.outbox(&job_id);
    let id = rows[0]["message_id"].as_str().unwrap().to_owned();
    (rows, customer.get(&format!("/messages/{id}")).ok(200))
}

fn by(provider: &str, content: Value, overriding: Value) -> Value {
    json!({
        "content": content,
        "routing": { "method": "single", "channels": [provider] },
        "providers": { provider: { "override": overriding } },
    })
}

#[test]
fn a_provider_refuses_what_it_would_refuse_in_its_own_words() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let text = |body: &str| json!({ "title": "T", "body": body });
    let buttons = |href: &str, ids: [&str; 2]| {
        let button = |id| json!({ "type": "action", "content": "Go", "href": href, "action_id": id });
        json!({ "version": "2022-01-01", "elements": ids.map(button) })
    };
    let own_blocks = |blocks: Value| {
        let channel = json!({ "type": "channel", "channel": "direct_message", "raw": { "blocks": blocks } });
        json!({ "version": "2022-01-01", "elements": [channel] })
    };
    let plain = |count: usize| json!({ "type": "plain_text", "text": "x".repeat(count) });
    let header = |count| json!({ "type": "header", "text": plain(count) });
    let button = |count| json!({ "type": "button", "text": plain(count) });
    let element = |element: Value| json!({ "version": "2022-01-01", "elements": [element] });
    let image = |src: &str| json!({ "type": "image", "src": src, "alt_text": "a" });
    let section = |kind: &str, text: &str| json!({ "type": "section", "text": { "type": kind, "text": text } });
    let link = |url: &str| {
        let button = json!({ "type": "button", "text": plain(1), "url": url });
        json!({ "type": "section", "text": plain(1), "accessory": button })
    };
    let embed = |embed: Value| {
        let raw = json!({ "payload": { "embeds": [embed] } });
        element(json!({ "type": "channel", "channel": "discord", "raw": raw }))
    };
    let attached = |attachments: Value| {
        element(json!({ "type": "channel", "channel": "msteams", "raw": { "attachments": attachments } }))
    };
    let long_button =
        || element(json!({ "type": "action", "content": "x".repeat(76), "href": "https://acme.example" }));
    let menu = |kind: &str, count: usize| {
        let text = if kind == "overflow" { "x".to_owned() } else { "x".repeat(count) };
        let option = |i: usize| json!({ "text": { "type": "plain_text", "text": text }, "value": i.to_string() });
        let options: Vec<Value> = (0..if kind == "overflow" { count } else { 1 }).map(option).collect();
        json!({ "type": "actions", "elements": [{ "type": kind, "options": options }] })
    };
    let long_embeds = || json!([{ "description": "x".repeat(3001) }, { "description": "x".repeat(3000) }]);
    let dividers: Vec<Value> = (0..51).map(|_| json!({ "type": "divider" })).collect();
    let cases = [
        ("sendgrid", json!({ "body": "b" }), json!({}), "400: The subject is required."),
        ("resend", json!({ "body": "b" }), json!({}), "422: missing_required_field: Missing `subject` field."),
        ("sparkpost", json!({ "body": "b" }), json!({}), "422: 1400: required field is missing: content.subject"),
        ("sparkpost", text("b"), json!({ "subject": "" }), "422: 1400: required field is missing: content.subject"),
        ("sendgrid", text("b"), json!({ "cc": "Ada <ADA@example.com>" }), "should be unique between to, cc, and bcc"),
        ("sendgrid", text("b"), json!({ "cc": "nobody" }), "'nobody' is not an e-mail address"),
        ("postmark", text("b"), json!({ "attachments": [{ "filename": "f", "data": "*" }] }), "'f' is no base64"),
        ("twilio", json!({ "body": "" }), json!({}), "21602: Message body is required."),
        ("twilio", text(&"x".repeat(1601)), json!({}), "21617: "),
        ("twilio", text("b"), json!({ "to": "home" }), "21211: Invalid 'To' Phone Number: home"),
        ("firebase-fcm", text(&"x".repeat(5000)), json!({}), "Message is too big"),
        ("firebase-fcm", text("b"), json!({ "body": { "data": { "from": "me" } } }), "Invalid data payload key: from"),
        ("firebase-fcm", text("b"), json!({ "body": { "data": { "n": 5 } } }), "(TYPE_STRING), 5"),
        ("apn", text(&"x".repeat(5000)), json!({}), "PayloadTooLarge"),
        ("slack", text(&"x".repeat(3001)), json!({}), "invalid_blocks: must be less than 3001 characters"),
        ("slack", json!({ "version": "2022-01-01", "elements": dividers }), json!({}), "no more than 50 items allowed"),
        ("slack", buttons("acme.example", ["a", "b"]), json!({}), "invalid_blocks: invalid url"),
        ("slack", buttons("https://acme.example", ["a", "a"]), json!({}), "`action_id` a already exists"),
        ("msteams", text(&"x".repeat(29_000)), json!({}), "MessageSizeTooBig"),
        ("discord", text(&"x".repeat(2001)), json!({}), "50035"),
        ("discord", json!({ "body": "" }), json!({}), "50006: Cannot send an empty message"),
        ("slack", json!({ "body": "" }), json!({}), "no_text"),
        ("slack", own_blocks(json!([header(151)])), json!({}), "must be less than 151 characters"),
        ("slack", own_blocks(json!([{ "type": "actions", "elements": [button(76)] }])), json!({}), "less than 76"),
        ("expo", text(&"x".repeat(5000)), json!({}), "MessageTooBig"),
        ("vonage", json!({ "body": "" }), json!({}), "2: Missing Parameters: text"),
        ("vonage", text("b"), json!({ "to": "home" }), "3: Invalid Parameters: to: home"),
        ("messagebird", json!({ "body": "" }), json!({}), "9: body is required"),
        ("messagebird", text("b"), json!({ "body": { "recipients": ["home"] } }), "9: no (correct) recipients found"),
        ("plivo", json!({ "body": "" }), json!({}), "400: text is required"),
        ("plivo", text("b"), json!({ "to": "home" }), "400: dst is not a valid number: home"),
        ("telnyx", json!({ "body": "" }), json!({}), "40316: No content provided"),
        ("telnyx", text("b"), json!({ "body": { "to": "home" } }), "40310: Invalid 'to' address: home"),
        ("aws-sns", json!({ "body": "" }), json!({}), "InvalidParameter: Invalid parameter: Empty message"),
        ("slack", element(image("logo.png")), json!({}), "invalid url [json-pointer:/blocks/0/image_url]"),
        ("slack", own_blocks(json!([image("ftp://x.y/a.png")])), json!({}), "missing required field: image_url"),
        ("slack", own_blocks(json!([{ "type": "sektion" }])), json!({}), "unsupported type: sektion"),
        ("slack", own_blocks(json!([{ "text": plain(1) }])), json!({}), "missing required field: type"),
        ("slack", own_blocks(json!([{ "type": "section" }])), json!({}), "missing required field: text or fields"),
        ("slack", own_blocks(json!([section("html", "x")])), json!({}), "unsupported type: html"),
        ("slack", own_blocks(json!([section("mrkdwn", "")])), json!({}), "must be more than 0 characters"),
        ("slack", own_blocks(json!([link("acme.example")])), json!({}), "json-pointer:/blocks/0/accessory/url]"),
        ("discord", embed(json!({ "url": "x.y" })), json!({}), "50035: Invalid Form Body: embeds[0].url: Not a well"),
        (
            "discord",
            embed(json!({ "image": { "url": "x" } })),
            json!({}),
            "embeds[0].image.url: Not a well formed URL.",
        ),
        ("discord", embed(json!({ "title": "x".repeat(257) })), json!({}), "embeds[0].title: Must be 256 or fewer"),
        ("webhook", text("b"), json!({}), "ERR_INVALID_URL: Invalid URL: no address"),
        ("webhook", text("b"), json!({ "url": "https://" }), "ERR_INVALID_URL: Invalid URL: https://"),
        ("aws-sns", text(&"x".repeat(1601)), json!({}), "InvalidParameter: Invalid parameter: Message too long"),
        ("messagebird", text(&"x".repeat(1378)), json!({}), "10: body is invalid"),
        ("messagebird", text(&"и".repeat(604)), json!({}), "10: body is invalid"),
        ("plivo", text(&"x".repeat(1601)), json!({}), "400: text parameter length exceeds 1600 characters"),
        ("plivo", text(&"и".repeat(738)), json!({}), "400: text parameter length exceeds 737 unicode characters"),
        ("vonage", text(&"x".repeat(3201)), json!({}), "12: Message Too Long"),
        ("telnyx", text(&"x".repeat(1531)), json!({}), "40302: Message too large"),
        ("firebase-fcm", element(image("a.png")), json!({}), "notification.imageUrl must be a valid URL string"),
        (
            "firebase-fcm",
            text("b"),
            json!({ "body": { "apns": { "fcm_options": { "image": "a.png" } } } }),
            "apns.fcmOptions.imageUrl must be a valid URL string",
        ),
        ("firebase-fcm", text("b"), json!({ "android": { "ttl": "soon" } }), "duration must end with 's'"),
        (
            "firebase-fcm",
            text("b"),
            json!({ "body": { "notifikation": {} } }),
            "Unknown name \"notifikation\" at 'message'",
        ),
        (
            "firebase-fcm",
            text("b"),
            json!({ "android": { "priority": "urgent" } }),
            "Invalid value at 'message.android.prio",
        ),
        ("apn", text("b"), json!({ "body": { "priority": 7 } }), "BadPriority: "),
        ("apn", text("b"), json!({ "body": { "expiry": "soon" } }), "BadExpirationDate: "),
        ("apn", text("b"), json!({ "body": { "pushType": "loud" } }), "InvalidPushType: "),
        ("apn", text("b"), json!({ "body": { "apns-id": "5" } }), "BadMessageId: "),
        ("apn", text("b"), json!({ "body": { "collapseId": "x".repeat(65) } }), "BadCollapseId: "),
        (
            "slack",
            long_button(),
            json!({}),
            "must be less than 76 characters [json-pointer:/blocks/0/elements/0/text/text]",
        ),
        (
            "slack",
            element(json!({ "type": "image", "src": "https://a.example/a.png", "alt_text": "x".repeat(2001) })),
            json!({}),
            "less than 2001",
        ),
        ("slack", own_blocks(json!([menu("static_select", 76)])), json!({}), "less than 76"),
        ("slack", own_blocks(json!([menu("overflow", 6)])), json!({}), "no more than 5 items allowed"),
        (
            "discord",
            embed(json!({ "fields": [{ "name": "n".repeat(257), "value": "v" }] })),
            json!({}),
            "fields[0].name: Must be 256",
        ),
        (
            "discord",
            embed(json!({ "fields": [{ "name": "n", "value": "v".repeat(1025) }] })),
            json!({}),
            "fields[0].value: Must be 1024",
        ),
        (
            "discord",
            embed(json!({ "fields": [{ "name": "n" }] })),
            json!({}),
            "fields[0].value: This field is required",
        ),
        (
            "discord",
            text("b"),
            json!({ "body": { "embeds": long_embeds() } }),
            "Embed size exceeds maximum size of 6000",
        ),
        (
            "discord",
            text("b"),
            json!({ "body": { "components": [{ "type": 1, "components": [{ "type": 2, "label": "x".repeat(81) }] }] } }),
            "components[0].components[0].label: Must be 80",
        ),
        (
            "discord",
            text("b"),
            json!({ "body": { "components": [{ "type": 1, "components": [{ "type": 2, "url": "acme" }] }] } }),
            "components[0].components[0].url: Not a well formed URL.",
        ),
        (
            "msteams",
            attached(json!([{ "content": {} }])),
            json!({}),
            "BadSyntax: attachments[0].contentType is required",
        ),
    ];
    let profile = json!({
        "email": "ada@example.com", "phone_number": "+15551234567", "firebaseToken": "t", "apn": "t", "expo": "t",
        "slack": { "channel": "C1" }, "ms_teams": { "conversation_id": "c" }, "discord": { "channel_id": "1" },
        "webhook": { "url": "no address" },
    });
    for (provider, content, overriding, expected) in cases {
        let (_, record) = sent(&customer, by(provider, content, overriding), profile.clone());
        assert_eq!(record["status"], "UNDELIVERABLE", "{provider}: {expected}: {record}");
        assert_eq!(record["reason"], "PROVIDER_ERROR", "{provider}: {expected}");
        let error = record["error"].as_str().unwrap();
        assert!(error.contains(expected), "{provider}: {error}, expected {expected}");
    }
}

/// `tests/providers` holds the same cards against Microsoft's own library.
#[test]
fn a_card_of_the_authors_is_refused_as_its_schema_has_it() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let profile = json!({ "ms_teams": { "conversation_id": "c" } });
    let cards: Vec<Value> = serde_json::from_str(include_str!("../providers/cards.json")).unwrap();
    for case in cards {
        let channel = json!({ "type": "channel", "channel": "msteams", "raw": { "card": case["card"] } });
        let content = json!({ "version": "2022-01-01", "elements": [channel] });
        let (_, record) = sent(&customer, by("msteams", content, json!({})), profile.clone());
        match case["refused"].as_str() {
            None => assert_eq!(record["status"], "SENT", "{case}: {record}"),
            Some(expected) => {
                let error = record["error"].as_str().unwrap_or_default();
                assert_eq!(error, format!("InvalidBotAdaptiveCard: {expected}"), "{case}");
            }
        }
    }
}

#[test]
fn what_is_within_the_limits_is_taken() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let text = |count: usize| json!({ "title": "T", "body": "x".repeat(count) });
    let cases = [
        ("twilio", 1600),
        ("aws-sns", 1600),
        ("messagebird", 1377),
        ("plivo", 1600),
        ("vonage", 3200),
        ("telnyx", 1530),
        ("firebase-fcm", 3000),
        ("apn", 3000),
        ("slack", 3000),
        ("msteams", 12_000),
        ("discord", 1900),
    ];
    let profile = json!({
        "phone_number": "555-123-4567", "firebaseToken": "t", "apn": "t",
        "slack": { "channel": "C1" }, "ms_teams": { "conversation_id": "c" }, "discord": { "channel_id": "1" },
    });
    for (provider, count) in cases {
        let (_, record) = sent(&customer, by(provider, text(count), json!({})), profile.clone());
        assert_eq!(record["status"], "SENT", "{provider}: {record}");
    }
}

#[test]
fn an_email_without_a_subject_is_taken_where_its_provider_takes_it() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let template = json!({ "body": { "template": { "id": "t" } } });
    let stored = json!({ "body": { "content": { "template_id": "t" } } });
    for (provider, overriding) in [
        ("resend", template),
        ("resend", json!({ "subject": "S" })),
        ("sparkpost", stored),
        ("mailgun", json!({})),
        ("postmark", json!({})),
        ("mandrill", json!({})),
    ] {
        let profile = json!({ "email": "ada@example.com" });
        let (_, record) = sent(&customer, by(provider, json!({ "body": "b" }), overriding), profile);
        assert_eq!(record["status"], "SENT", "{provider}: {record}");
    }
}

#[test]
fn the_next_provider_and_the_next_channel_have_their_turn() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let profile = json!({ "email": "ada@example.com", "phone_number": "+15551234567" });
    let providers = json!({
        "content": { "body": "no subject" },
        "routing": { "method": "single", "channels": ["email"] },
        "channels": { "email": { "providers": ["sendgrid", "postmark"] } },
    });
    let (rows, record) = sent(&customer, providers, profile.clone());
    assert_eq!((record["status"].as_str(), rows[1]["provider"].as_str()), (Some("SENT"), Some("postmark")));
    assert_eq!(record["providers"][0]["status"], "UNDELIVERABLE");
    let channels = json!({
        "content": { "body": "no subject" },
        "routing": { "method": "single", "channels": ["email", "sms"] },
    });
    let (rows, record) = sent(&customer, channels, profile);
    assert_eq!((record["status"].as_str(), rows[1]["provider"].as_str()), (Some("SENT"), Some("twilio")));
}

#[test]
fn without_limits_only_what_cannot_be_made_is_refused() {
    let daemon = Daemon::start_with(|config| config.provider_limits = ProviderLimits::Off);
    let customer = daemon.customer("acme");
    let profile = json!({ "email": "ada@example.com" });
    let (_, record) = sent(&customer, by("sendgrid", json!({ "body": "b" }), json!({})), profile.clone());
    assert_eq!(record["status"], "SENT");
    let (_, record) = sent(&customer, by("sendgrid", json!({ "body": "b" }), json!({ "from": "nobody" })), profile);
    assert_eq!(record["reason"], "PROVIDER_ERROR");
}

#[test]
fn every_provider_of_courier_reaches_the_address_that_is_documented_for_it() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let email = json!({ "email": "ada@example.com" });
    let phone = json!({ "phone_number": "+15551234567" });
    let nothing = json!({});
    let cases = [
        ("amply", email.clone(), "ada@example.com"),
        ("mailersend", email.clone(), "ada@example.com"),
        ("onesignal-email", json!({ "oneSignalPlayerID": "p" }), "p"),
        ("drift", email.clone(), "ada@example.com"),
        ("magicbell", email, "ada@example.com"),
        ("magicbell", json!({ "magicbell": { "external_id": "u" }, "email": "ada@example.com" }), "u"),
        ("africastalking-sms", phone.clone(), "+15551234567"),
        ("azure-sms", phone.clone(), "+15551234567"),
        ("messagemedia", phone.clone(), "+15551234567"),
        ("sinch", phone.clone(), "+15551234567"),
        ("smscentral", phone.clone(), "+15551234567"),
        ("textus", phone.clone(), "+15551234567"),
        ("whatsapp", phone, "+15551234567"),
        ("onesignal", json!({ "oneSignalExternalUserId": "x" }), "x"),
        ("pusher-beams", json!({ "pusherBeams": { "userIds": ["u"], "mode": ["fcm"] } }), "u"),
        ("pusher", json!({ "pusher": { "channel": "c" } }), "c"),
        ("aws-sns", json!({ "target_arn": "arn" }), "arn"),
        (
            "slack",
            json!({ "slack": { "incoming_webhook": { "url": "https://hooks.example/1" } } }),
            "https://hooks.example/1",
        ),
        ("stream-chat", json!({ "streamChat": { "channelType": "messaging", "channelId": "c" } }), "c"),
        ("viber", json!({ "viber": { "receiver": "r" } }), "r"),
        ("chat-api", json!({ "chat_api": { "phone_number": "1" } }), "1"),
        ("facebook-messenger", json!({ "facebookPSID": "1254" }), "1254"),
        ("intercom", json!({ "intercom": { "from": "1", "to": { "id": "i" } } }), "i"),
        ("pagerduty", json!({ "pagerduty": { "routing_key": "k" } }), "k"),
        ("splunk-on-call", json!({ "splunk-on-call": { "target": { "type": "User", "slug": "s" } } }), "s"),
        ("opsgenie", nothing.clone(), "ada"),
        ("beamer", nothing.clone(), "ada"),
        ("nowpush", nothing.clone(), "ada"),
        ("pushbullet", nothing.clone(), "ada"),
        ("custom", nothing, "ada"),
    ];
    for (provider, profile, address) in cases {
        let (rows, record) = sent(&customer, by(provider, json!({ "title": "T", "body": "b" }), json!({})), profile);
        assert_eq!(record["status"], "SENT", "{provider}: {record}");
        assert_eq!((rows[0]["provider"].as_str(), rows[0]["address"].as_str()), (Some(provider), Some(address)));
    }
}
