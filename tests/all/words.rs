//! What authors and data say, on every channel: the author's marks are read, and those of data are text.

use std::collections::BTreeMap;

use pulldown_cmark::{Event, Options, Parser, Tag};
use serde_json::Value;

use crate::support::binary::Binary;
use crate::support::{self, Customer, Daemon, json};
use bulkd::settings::ProviderLimits;

/// Every provider by which a message goes, and what it carried there.
type Deliveries = BTreeMap<String, Value>;

/// Sends elements by every channel.
fn deliveries(customer: &Customer, elements: &Value, data: &Value) -> Deliveries {
    let providers = ["email", "sms", "push", "inbox", "slack", "msteams", "discord", "webhook"];
    let message = json!({
        "to": {
            "user_id": "ada", "email": "ada@example.com", "phone_number": "+12025550123", "firebaseToken": "token",
            "slack": { "channel": "C1" }, "ms_teams": { "conversation_id": "c" }, "discord": { "channel_id": "1" },
            "webhook": { "url": "https://hooks.example/ada" },
        },
        "content": { "version": "2022-01-01", "elements": elements },
        "data": data,
        "routing": { "method": "all", "channels": providers },
    });
    let sent = customer.post("/send", &json!({ "message": message })).ok(202);
    let path = format!("/_bulkd/outbox?fields=all&message_id={}", sent["requestId"].as_str().unwrap());
    let items = customer.get(&path).json()["items"].take();
    let items = items.as_array().unwrap().iter();
    let deliveries: Deliveries = items.map(|it| (it["provider"].as_str().unwrap().to_owned(), it.clone())).collect();
    assert_eq!(deliveries.len(), providers.len(), "{deliveries:#?}");
    deliveries.values().for_each(|it| assert_eq!(it["status"], "SENT", "{it}"));
    deliveries
}

/// The texts of a JSON value that stand under a name, with the `type` beside it.
fn texts(value: &Value, name: &str, found: &mut Vec<(String, String)>) {
    match value {
        Value::Object(members) => {
            let kind = members.get("type").and_then(Value::as_str).unwrap_or_default();
            if let Some(text) = members.get(name).and_then(Value::as_str) {
                found.push((kind.to_owned(), text.to_owned()));
            }
            members.values().for_each(|it| texts(it, name, found));
        }
        Value::Array(values) => values.iter().for_each(|it| texts(it, name, found)),
        _ => {}
    }
}

/// What a text of Markdown says, and the marks in it.
fn read_markdown(source: &str) -> (String, usize) {
    let (mut words, mut marks) = (String::new(), 0);
    for event in Parser::new_ext(source, Options::ENABLE_STRIKETHROUGH) {
        match event {
            Event::Text(text) | Event::Html(text) | Event::InlineHtml(text) => words.push_str(&text),
            Event::Code(text) => {
                words.push_str(&text);
                marks += 1;
            }
            Event::SoftBreak | Event::HardBreak => words.push('\n'),
            Event::Start(Tag::Strong | Tag::Emphasis | Tag::Strikethrough | Tag::Link { .. }) => marks += 1,
            _ => {}
        }
    }
    (words, marks)
}

fn html_escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Whether what Slack is given says this and marks nothing.
fn is_plain_in_slack(request: &Value, data: &str) -> bool {
    let mut found = Vec::new();
    texts(request, "text", &mut found);
    texts(request, "alt_text", &mut found);
    found.iter().any(|(kind, text)| match kind.as_str() {
        "mrkdwn" => {
            let marks_end = ["*", "_", "~", "`"].iter().all(|mark| {
                let mut rest = text.split(mark).skip(1).zip(text.split(mark));
                rest.all(|(after, before)| {
                    let is_inside = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
                    after.starts_with('\u{200b}')
                        || *mark != "`" && is_inside(before.chars().next_back()) && is_inside(after.chars().next())
                })
            });
            let plain = text.replace('\u{200b}', "");
            let plain = plain.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
            plain.contains(data) && marks_end && !text.contains("<@") && !text.contains("<!")
        }
        _ => text.contains(data),
    })
}

/// Each kind of element with these words, and whether Markdown is read in it.
fn kinds(words: &str) -> Vec<(&'static str, Value, bool)> {
    let text = json!({ "type": "text", "content": words });
    vec![
        ("text", text.clone(), true),
        ("heading", json!({ "type": "text", "text_style": "h1", "content": words }), true),
        ("part", json!({ "type": "text", "elements": [{ "type": "string", "content": words }] }), false),
        ("quote", json!({ "type": "quote", "content": words }), true),
        ("group", json!({ "type": "group", "elements": [text.clone()] }), true),
        ("column", json!({ "type": "columns", "elements": [{ "type": "column", "elements": [text.clone()] }] }), true),
        (
            "item",
            json!({ "type": "list", "list_type": "unordered", "elements": [{ "type": "list-item", "content": words }] }),
            false,
        ),
        ("button", json!({ "type": "action", "content": words, "href": "https://example.com" }), true),
        (
            "link",
            json!({ "type": "text", "elements": [{ "type": "link", "content": words, "href": "https://example.com" }] }),
            false,
        ),
    ]
}

#[test]
fn marks_of_data_are_text_in_every_element_on_every_channel() {
    const PIECES: [&str; 22] = [
        "*a*",
        "_b_",
        "~c~",
        "~~d~~",
        "**e**",
        "__f__",
        "`g`",
        "[h](https://evil.example)",
        "<b>i</b>",
        "<@U1>",
        "<!here>",
        "<https://evil.example|j>",
        "+k+",
        "a & b",
        "snake_case",
        "2 * 3",
        "# l",
        "- m",
        "1. n",
        "word",
        "(o)",
        "~",
    ];
    let mut seed = support::seed();
    println!("BULKD_TEST_SEED={seed}");
    let mut next = |bound: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % bound
    };
    let daemon = Daemon::start_with(|config| config.provider_limits = ProviderLimits::Off);
    let customer = daemon.customer("acme");
    for _ in 0..support::sized(6, 60) {
        let pieces: Vec<&str> = (0..1 + next(5)).map(|_| PIECES[next(PIECES.len())]).collect();
        let data = pieces.join(" ");
        // Marks of the author's beside them change nothing.
        let words = ["{{x}}", "So {{x}}.", "{{#if x}}{{x}}{{/if}}", "**So** {{x}}"][next(4)];
        for (kind, element, has_markdown) in kinds(words) {
            let sent = deliveries(&customer, &json!([element]), &json!({ "x": data }));
            let fails = |provider: &str| format!("{kind} on {provider}: {data:?} in {words:?}: {:#}", sent[provider]);
            let is_marked = words.starts_with("**") && has_markdown;
            let html = sent["sendgrid"]["html"].as_str().unwrap();
            assert!(html.contains(&html_escaped(&data)), "{}", fails("sendgrid"));
            assert_eq!(html.contains("<strong>"), is_marked, "{}", fails("sendgrid"));
            for provider in ["sendgrid", "twilio", "firebase-fcm", "courier"] {
                assert!(sent[provider]["body"].as_str().unwrap().contains(&data), "{}", fails(provider));
            }
            assert!(
                is_plain_in_slack(&sent["slack"]["request"], &data) || words.starts_with("**"),
                "{}",
                fails("slack")
            );
            let mut of_teams = Vec::new();
            let request = &sent["msteams"]["request"];
            ["text", "title"].iter().for_each(|name| texts(request, name, &mut of_teams));
            let of_discord = sent["discord"]["request"]["body"]["content"].as_str().unwrap();
            let of_teams = of_teams.iter().map(|(kind, text)| (kind.as_str(), text.as_str()));
            let mut shown = false;
            for (json_kind, text) in of_teams.chain([("", of_discord)]) {
                // Buttons and runs of text have no Markdown.
                if matches!(json_kind, "Action.OpenUrl" | "TextRun") {
                    shown |= text.contains(&data);
                    continue;
                }
                let (plain, marks) = read_markdown(text);
                shown |= plain.contains(&data);
                let own = usize::from(words.starts_with("**")) + usize::from(kind == "link" || kind == "button");
                assert!(marks <= own, "{kind}: {data:?} in {words:?} marks {text:?}");
            }
            assert!(shown, "{}", fails("msteams"));
        }
    }
}

#[test]
fn marks_of_the_author_are_read_where_there_is_markdown() {
    let daemon = Daemon::start_with(|config| config.provider_limits = ProviderLimits::Off);
    let customer = daemon.customer("acme");
    for (kind, element, has_markdown) in kinds("**Pay** +soon+, *please*") {
        let sent = deliveries(&customer, &json!([element]), &json!({}));
        let html = sent["sendgrid"]["html"].as_str().unwrap();
        let expected = match has_markdown {
            true => ("<strong>Pay</strong> <u>soon</u>, <em>please</em>", "Pay soon, please"),
            false => ("**Pay** +soon+, *please*", "**Pay** +soon+, *please*"),
        };
        assert!(html.contains(expected.0), "{kind}: {html}");
        for provider in ["sendgrid", "twilio", "firebase-fcm", "courier"] {
            let body = sent[provider]["body"].as_str().unwrap();
            assert!(body.contains(expected.1), "{kind} on {provider}: {body}");
        }
        let (slack, teams) = (sent["slack"]["request"].to_string(), sent["msteams"]["request"].to_string());
        match kind {
            "button" => assert!(slack.contains("Pay soon, please") && teams.contains("Pay soon, please")),
            _ if has_markdown => {
                assert!(slack.contains("*Pay* soon, _please_"), "{kind}: {slack}");
                assert!(teams.contains("**Pay** soon, *please*"), "{kind}: {teams}");
            }
            _ => {}
        }
    }
}

#[test]
fn single_braces_are_variables_where_the_designer_writes_them() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let elements = json!([
        { "type": "meta", "title": "For {data.name}" },
        { "type": "text", "content": "Dear {name}, {{name}} {gone} { name } {{formatMessage \"{n} new\" n=2}}",
          "locales": { "fr": { "content": "Chère {name}" } } },
        { "type": "text", "elements": [{ "type": "string", "content": "as is: {name}" }] },
        { "type": "quote", "content": "as is: {name}" },
        { "type": "action", "content": "Open for {name}", "href": "https://example.com/{name}" },
    ]);
    let sent = deliveries(&customer, &elements, &json!({ "name": "<Ada>" }));
    assert_eq!(sent["twilio"]["subject"], "For <Ada>");
    assert_eq!(
        sent["twilio"]["body"],
        "Dear <Ada>, <Ada> {gone} [Error] 2 new\n\nas is: {name}\n\nas is: {name}\n\nOpen for <Ada>: \
         https://example.com/{name}"
    );
    assert!(sent["sendgrid"]["html"].as_str().unwrap().contains("Dear &lt;Ada&gt;, &lt;Ada&gt; {gone} [Error] 2 new"));
    let short = json!({
        "to": { "email": "ada@example.com", "locale": "fr" }, "data": { "name": "Ada" },
        "content": { "title": "{name}: {{name}}", "body": "{profile.email}", "elements": elements },
    });
    customer.post("/send", &json!({ "message": short })).ok(202);
    let items = customer.outbox("");
    let last = items.last().unwrap();
    // The last title counts.
    assert_eq!(last["subject"], "For Ada");
    assert!(last["body"].as_str().unwrap().starts_with("ada@example.com\n\nChère Ada\n\n"), "{last}");
}

#[test]
fn a_condition_may_stand_in_braces_and_a_block_of_markdown_has_a_type() {
    let daemon = Daemon::start_with(|config| config.provider_limits = ProviderLimits::Off);
    let customer = daemon.customer("acme");
    let elements = json!([
        { "type": "text", "content": "shown", "if": "{= data.show}" },
        { "type": "text", "content": "hidden", "if": "{= data.count > 3 }" },
        { "type": "markdown", "content": "all **bold**" },
    ]);
    let sent = deliveries(&customer, &elements, &json!({ "show": true, "count": 3 }));
    assert_eq!(sent["twilio"]["body"], "shown\n\nall bold");
}

#[test]
fn a_brand_may_be_written_out_in_a_message() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let elements = json!([{ "type": "action", "content": "Open", "href": "https://example.com" }]);
    let mut message = json!({
        "to": { "email": "ada@example.com" }, "content": { "title": "Hi", "elements": elements },
        "brand": { "colors": { "primary": "#0a7d5a" } },
    });
    for color in ["#0a7d5a", "#112233"] {
        customer.post("/send", &json!({ "message": message })).ok(202);
        let items = customer.outbox("");
        let html = items.last().unwrap()["html"].as_str().unwrap();
        assert!(html.contains(&format!("background-color:{color}")), "{html}");
        message["override"] = json!({ "brand": { "settings": { "colors": { "primary": "#112233" } } } });
    }
}

/// Each documented member of a message, alone: what it changes, or what the log says of it.
#[test]
fn every_documented_member_of_a_message_has_an_effect_or_is_told() {
    let daemon = Binary::start(&["--listen", ":0", "--ephemeral"]);
    let customer = daemon.customer("acme");
    customer.put("/profiles/ada", &json!({ "profile": { "email": "stored@example.com" } }));
    let base = json!({ "to": { "user_id": "ada" }, "content": { "title": "Hi", "body": "Hello {{name}}" } });
    let sent = |patch: &Value| {
        let mut message = base.clone();
        for (name, value) in patch.as_object().unwrap() {
            message[name] = value.clone();
        }
        let sent = customer.post("/send", &json!({ "message": message })).ok(202);
        let id = sent["requestId"].as_str().unwrap().to_owned();
        let mut all = json!([
            customer.get(&format!("/messages/{id}")).json(),
            customer.get(&format!("/_bulkd/outbox?fields=all&message_id={id}")).json(),
        ]);
        blank(&mut all, &id);
        all
    };
    let without = sent(&json!({}));
    for effective in [
        json!({ "to": { "user_id": "ada", "email": "sent@example.com" } }),
        json!({ "to": { "user_id": "ada", "data": { "name": "Ada" } } }),
        json!({ "to": { "user_id": "ada", "locale": "fr" } }),
        json!({ "data": { "name": "Ada" } }),
        json!({ "delay": { "duration": 60_000 } }),
        json!({ "delay": { "until": "2999-01-01T00:00:00", "timezone": "Europe/Paris" } }),
        json!({ "metadata": { "tags": ["a"] } }),
        json!({ "metadata": { "trace_id": "t" } }),
        json!({ "metadata": { "event": "e" } }),
        json!({ "routing": { "method": "single", "channels": ["inbox"] } }),
        json!({ "channels": { "email": { "providers": ["smtp"] } } }),
        json!({ "channels": { "email": { "if": "data.no" } } }),
        json!({ "channels": { "email": { "override": { "subject": "Other" } } } }),
        json!({ "providers": { "sendgrid": { "override": { "body": { "asm": { "group_id": 5 } } } } } }),
        json!({ "providers": { "sendgrid": { "if": "false" } } }),
        json!({ "channels": { "inbox": { "override": { "actions": [{ "content": "Yes" }] } } },
                "routing": { "method": "single", "channels": ["inbox"] } }),
    ] {
        assert_ne!(sent(&effective), without, "{effective}");
    }
    assert!(!daemon.stderr().contains("WARN"), "{}", daemon.stderr());
    for (told, expected) in [
        (json!({ "timeout": { "message": 5 } }), "message.timeout has no effect here: nothing is tried again"),
        (json!({ "expiry": { "expires_in": "PT1H" } }), "message.expiry has no effect here: no message expires"),
        (json!({ "metadata": { "utm": { "source": "s" } } }), "message.metadata.utm has no effect here"),
        (json!({ "metadata": { "tag": "a" } }), "message.metadata.tag has no effect: no such member"),
        (json!({ "delay": { "duration": 1, "unit": "s" } }), "message.delay.unit has no effect"),
        (json!({ "context": { "tenant": "t" } }), "message.context.tenant has no effect"),
        (json!({ "preferences": { "topic": "t" } }), "message.preferences.topic has no effect"),
        (json!({ "brand_id": "none" }), "there is no brand 'none'"),
        (
            json!({ "firebase-fcm": {} }),
            "message.firebase-fcm has no effect: no such member is known; it is a provider",
        ),
        (json!({ "to": { "user_id": "ada", "context": { "x": 1 } } }), "message.to.context.x has no effect"),
        (
            json!({ "to": [{ "user_id": "ada", "preferences": { "x": {} } }] }),
            "message.to[0].preferences.x has no effect",
        ),
        (
            json!({ "to": { "user_id": "ada", "filters": [] } }),
            "message.to.filters has no effect: the recipient is no list",
        ),
        (
            json!({ "override": { "channel": { "email": { "subjekt": "S" } } } }),
            "message.override.channel.email.subjekt has no effect: the provider's request has no place for it",
        ),
        (
            json!({ "providers": { "twilio": { "override": { "config": { "accountSid": "a", "authToken": "t" } } } } }),
            "message.providers.twilio.override.config.authToken has no effect",
        ),
        (
            json!({ "channels": { "email": { "metadata": { "utm": {} } } } }),
            "message.channels.email.metadata has no effect here",
        ),
        (
            json!({ "content": { "title": "Hi", "body": "Hello {{name}}", "footer": "f" } }),
            "message.content.footer has no effect",
        ),
    ] {
        sent(&told);
        daemon.logs(expected);
    }
}

/// Takes out what differs between any two messages.
fn blank(value: &mut Value, id: &str) {
    match value {
        Value::Object(members) => {
            for name in ["enqueued", "sent", "created", "created_at", "messageId", "message_id", "job_id", "traceId"] {
                if members.get(name).is_some_and(|it| it.as_str().is_none_or(|it| it != "t")) {
                    members.remove(name);
                }
            }
            members.values_mut().for_each(|it| blank(it, id));
        }
        Value::Array(values) => values.iter_mut().for_each(|it| blank(it, id)),
        Value::String(text) => *text = text.replace(id, "id"),
        _ => {}
    }
}

#[test]
fn only_the_author_calls_everyone_on_discord() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let carried = |elements: Value, name: &str| {
        let message = json!({
            "to": { "user_id": "ada", "discord": { "channel_id": "1" } },
            "content": { "version": "2022-01-01", "elements": elements }, "data": { "name": name },
            "routing": { "method": "single", "channels": ["discord"] },
        });
        let sent = customer.post("/send", &json!({ "message": message })).ok(202);
        let path = format!("/_bulkd/outbox?fields=all&message_id={}", sent["requestId"].as_str().unwrap());
        customer.get(&path).json()["items"][0]["request"]["body"].take()
    };
    let text = |content: &str| json!([{ "type": "text", "content": content }]);
    let html = |content: &str| json!([{ "type": "html", "content": content }]);
    let item = |item: Value| {
        json!([{ "type": "list", "list_type": "unordered", "elements": [
        { "type": "list-item", "elements": [item] },
    ] }])
    };
    let address = "https://x.example?q={{name}}";
    let silent = [
        text("Hi {{name}}"),
        text("Hi **you** {{{name}}}"),
        html("<p>Hi {{name}}</p>"),
        html("<ul><li>{{name}}</li></ul>"),
        html("<p>{{{name}}} <a href=\"https://x.example?q={{name}}\">x</a></p>"),
        json!([{ "type": "action", "content": "Go", "href": address }]),
        json!([{ "type": "action", "content": "{{name}}", "href": "{{name}}" }]),
        json!([{ "type": "image", "src": address, "alt_text": "{{name}}" }]),
        json!([{ "type": "quote", "content": "{{name}}" }]),
        item(json!({ "type": "link", "content": "Go", "href": address })),
        item(json!({ "type": "link", "content": "Go", "href": "{{name}}" })),
        item(json!({ "type": "action", "content": "{{name}}", "href": "{{name}}" })),
    ];
    for (elements, name) in silent.iter().flat_map(|it| ["@everyone", "@here", "<@9> @here!"].map(|name| (it, name))) {
        let body = carried(elements.clone(), name);
        assert_eq!(body["allowed_mentions"], json!({ "parse": [] }), "{elements} {name}: {body}");
    }
    // Nor do data complete what the author begins, or tags hide it.
    for (elements, name) in [
        (text("Hi @{{name}}"), "everyone"),
        (text("Hi @every{{name}}"), "one"),
        (text("**Hi** @{{name}}"), "here"),
        (html("<p>Hi @{{name}}</p>"), "everyone"),
        (html("<p>{{{name}}}</p>"), "&#64;everyone @<b>here</b>"),
    ] {
        let body = carried(elements.clone(), name);
        assert_eq!(body["allowed_mentions"], json!({ "parse": [] }), "{elements} {name}: {body}");
    }
    for elements in [text("@everyone {{name}}"), html("<p>@here {{name}}</p>"), html("<li>@everyone</li>")] {
        let body = carried(elements.clone(), "ada@hereford.example");
        assert_eq!(body["allowed_mentions"], json!({ "parse": ["everyone"] }), "{elements}: {body}");
        assert!(!body["content"].as_str().unwrap().contains('\u{200b}'), "{body}");
    }
}

#[test]
fn the_words_of_a_list_and_of_an_image_that_leads_somewhere_are_there() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let elements = json!([
        { "type": "meta", "title": "News" },
        { "type": "text", "content": "Hi {{name}}" },
        { "type": "list", "list_type": "unordered", "elements": [
            { "type": "list-item", "content": "for {{name}}" },
            { "type": "list-item", "elements": [{ "type": "text", "content": "**two**" }] },
        ] },
        { "type": "image", "src": "https://x.example/a.png", "alt_text": "Logo", "href": "https://x.example" },
    ]);
    let by_provider = deliveries(&customer, &elements, &json!({ "name": "@everyone" }));
    for (provider, delivery) in &by_provider {
        let path = format!("/messages/{}/output", delivery["message_id"].as_str().unwrap());
        let outputs = customer.get(&path).ok(200)["results"].take();
        let of_channel = |it: &&Value| it["channel"] == delivery["channel"];
        for output in outputs.as_array().unwrap().iter().filter(of_channel) {
            let blocks = output["content"]["blocks"].to_string();
            assert!(!blocks.contains('\u{200b}'), "{provider}: {blocks}");
            for block in output["content"]["blocks"].as_array().unwrap().iter().filter(|it| it["type"] == "list") {
                assert_eq!(block["text"], "• for @everyone\n• two", "{provider}");
            }
        }
    }
    for provider in ["sendgrid", "twilio"] {
        let body = by_provider[provider]["body"].as_str().unwrap();
        assert!(body.contains("Logo (https://x.example)"), "{provider}: {body}");
    }
}

#[test]
fn data_in_code_and_in_addresses_stand_as_they_are_in_chats() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let elements = json!([
        { "type": "meta", "title": "News" },
        { "type": "text", "content": "Run `{{id}}` or *see* [here](https://e.com/?q={{q}}&r=1)" },
        { "type": "text", "content": "## Head\n\n> quote\n\n![pic](https://e.com/p.png)" },
        { "type": "image", "src": "https://e.com/i.png", "alt_text": "Logo", "href": "https://e.com/to" },
    ]);
    let data = json!({ "id": "a_b*c (1) `x", "q": "New (York) & <b>" });
    let sent = deliveries(&customer, &elements, &data);
    let texts_of = |provider: &str| {
        let mut found = Vec::new();
        for name in ["text", "content", "url"] {
            texts(&sent[provider]["request"], name, &mut found);
        }
        found.into_iter().map(|(_, text)| text).collect::<Vec<_>>().join("\n")
    };
    let (slack, teams, discord) = (texts_of("slack"), texts_of("msteams"), texts_of("discord"));
    assert!(slack.contains("`a_b*c (1) \u{2cb}x`"), "{slack}");
    for words in [&teams, &discord] {
        assert!(words.contains("``a_b*c (1) `x``"), "{words}");
        assert!(words.contains("(https://e.com/?q=New%20%28York%29%20&%20%3Cb%3E&r=1)"), "{words}");
    }
    assert!(slack.contains("<https://e.com/?q=New%20%28York%29%20&amp;%20%3Cb%3E&amp;r=1|here>"), "{slack}");
    assert!(slack.contains("<https://e.com/p.png|pic>") && slack.contains("<https://e.com/to|Logo>"), "{slack}");
    assert!(teams.contains("**Head**") && !teams.contains("> quote"), "{teams}");
    assert!(teams.contains("[pic](https://e.com/p.png)") && !teams.contains("!["), "{teams}");
}

#[test]
fn lesser_buttons_have_an_outline_or_an_underline() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let action = |style: &str| {
        json!([
            { "type": "meta", "title": "News" },
            { "type": "action", "content": "Go", "href": "https://e.com", "style": style,
                "background_color": "#123456" },
        ])
    };
    for (style, expected) in
        [("secondary", "border:1px solid #123456"), ("tertiary", "text-decoration:underline"), ("button", "#ffffff")]
    {
        let sent = deliveries(&customer, &action(style), &json!({}));
        let html = sent["sendgrid"]["content"]["html"].as_str().map(str::to_owned);
        let html = html.unwrap_or_else(|| sent["sendgrid"].to_string());
        assert!(html.contains(expected), "{style}: {html}");
        let inbox = sent.values().find(|it| it["channel"] == "inbox").unwrap();
        assert!(inbox.to_string().contains(style), "{inbox}");
    }
}

#[test]
fn the_log_tells_once_a_job_what_a_card_of_teams_cannot_say() {
    let daemon = Binary::start(&["--listen", ":0", "--ephemeral"]);
    let customer = daemon.customer("acme");
    let job = |elements: Value, profile: Value| {
        let job_id = customer.create(json!({ "content": { "version": "2022-01-01", "elements": elements } }));
        let user = |i: usize| json!({ "recipient": format!("{i}"), "profile": profile, "data": { "x": "~~a~~ `b`" } });
        customer.ingest(&job_id, (0..30).map(user).collect());
        customer.run_to_the_end(&job_id);
        job_id
    };
    let teams = json!({ "ms_teams": { "conversation_id": "c" } });
    let text = |words: &str| json!({ "type": "text", "content": words });
    for (elements, lost) in [
        (json!([text("| a | b |\n|---|---|\n| 1 | 2 |")]), "tables"),
        (json!([text("Run `make` and ~~wait~~")]), "code, no strikethrough in Markdown"),
        (
            json!([{ "type": "text", "content": "**a** [b](https://x.y)", "italic": true }]),
            "emphasis and links in a text",
        ),
        (
            json!([{ "type": "text", "content": "a", "text_style": "h1", "underline": true }]),
            "italic, struck and underlined",
        ),
    ] {
        let job_id = job(elements, teams.clone());
        let told = format!("job {job_id}: the cards of Microsoft Teams have no {lost}");
        daemon.logs(&told);
        assert_eq!(daemon.stderr().matches(&told).count(), 1);
    }
    // Data have no marks, and by other ways nothing is lost.
    job(json!([text("**Hi** {{x}}")]), teams);
    job(json!([text("Run `make`")]), json!({ "email": "ada@example.com" }));
    customer.get("/messages?end=1").ok(200);
    daemon.logs("end");
    assert_eq!(daemon.stderr().matches("the cards of Microsoft Teams").count(), 4, "{}", daemon.stderr());
    let raw = json!({ "card": "{\"type\":\"AdaptiveCard\",{{#if x}}\"version\":\"1.4\"{{/if}} }" });
    let message = json!({
        "to": { "ms_teams": { "conversation_id": "c" } },
        "content": { "version": "2022-01-01", "elements": [{ "type": "channel", "channel": "msteams", "raw": raw }] },
    });
    customer.post("/send", &json!({ "message": message })).ok(202);
    daemon.logs("elements[0].raw.card is a text that is JSON only when its tags are rendered");
}
