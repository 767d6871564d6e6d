//! The outbox searched from outside, and all that is known of one message.

use std::time::Duration;

use crate::support::{Customer, Daemon, json, newsletter, readers, seed, wait_until};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::Value;

fn hello() -> Value {
    json!({ "title": "Hello", "body": "World" })
}

/// Sends a message and returns its id.
fn send(customer: &Customer, message: Value) -> String {
    let sent = customer.post("/send", &json!({ "message": message })).ok(202);
    sent["requestId"].as_str().unwrap().to_owned()
}

fn recipients(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|item| item["recipient"].as_str().unwrap()).collect()
}

#[test]
fn the_outbox_is_filtered_by_provider_status_words_and_what_came_before() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    send(
        &customer,
        json!({ "to": { "user_id": "ada", "email": "ada@example.com" }, "content": { "title": "Your INVOICE", "body": "of May" } }),
    );
    let second =
        send(&customer, json!({ "to": { "user_id": "bob", "phone_number": "+15550001" }, "content": hello() }));
    send(
        &customer,
        json!({
            "to": { "user_id": "cy", "email": "cy@example.com" }, "content": hello(), "delay": { "duration": 60_000 },
        }),
    );
    let found = |query: &str| {
        let page = customer.get(&format!("/_bulkd/outbox?{query}")).ok(200);
        recipients(&page).iter().map(|it| (*it).to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(found(""), ["ada", "bob", "cy"]);
    assert_eq!(found("order=desc"), ["cy", "bob", "ada"]);
    assert_eq!(found("provider=twilio"), ["bob"]);
    assert_eq!(found("status=DELAYED"), ["cy"]);
    assert_eq!(found("status=SENT&order=desc"), ["bob", "ada"]);
    assert_eq!(found("q=invoice"), ["ada"]);
    assert_eq!(found("q=MAY+voic"), ["ada"]);
    assert_eq!(found("q=invoice+hello"), Vec::<String>::new());
    assert_eq!(found("q=%2B1555"), ["bob"]);
    assert_eq!(found("q=ad"), ["ada"]);
    assert_eq!(found(&format!("after={second}")), ["cy"]);
    assert_eq!(found(&format!("after={second}&order=desc")), ["cy"]);
    for (query, about) in [
        ("provider=pigeon", "provider: "),
        ("status=GONE", "status: "),
        ("order=up", "order: "),
        ("after=yesterday", "after: "),
        ("fields=smell", "fields: "),
    ] {
        let message = customer.get(&format!("/_bulkd/outbox?{query}")).refused(400);
        assert!(message.starts_with(about), "{message}");
    }
}

#[test]
fn what_is_long_is_shown_when_it_is_asked_for() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    send(&customer, json!({ "to": { "email": "ada@example.com" }, "content": hello() }));
    let members = |query: &str| -> Vec<String> {
        let page = customer.get(&format!("/_bulkd/outbox?{query}")).ok(200);
        page["items"][0].as_object().unwrap().keys().cloned().collect()
    };
    let brief = members("");
    assert!(
        brief.iter().any(|it| it == "body")
            && !brief.iter().any(|it| ["html", "request", "content"].contains(&it.as_str()))
    );
    assert_eq!(members("fields=subject,html"), ["html", "message_id", "subject"]);
    assert_eq!(members("fields=all").len(), brief.len() + 3);
}

#[test]
fn pages_backwards_come_to_the_same_list() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let job_id = customer.create(newsletter());
    customer.ingest(&job_id, readers(0, 25));
    customer.run_to_the_end(&job_id);
    for filter in ["", "&q=reader-1", &format!("&job_id={job_id}")] {
        let forwards = customer.get(&format!("/_bulkd/outbox?limit=1000{filter}")).ok(200);
        let (mut backwards, mut cursor) = (Vec::new(), String::new());
        loop {
            let mut page = customer.get(&format!("/_bulkd/outbox?limit=4&order=desc&cursor={cursor}{filter}")).ok(200);
            backwards.append(page["items"].as_array_mut().unwrap());
            match page["paging"].get("cursor") {
                Some(next) => cursor = next.as_str().unwrap().to_owned(),
                None => break,
            }
        }
        backwards.reverse();
        assert_eq!(json!(backwards), forwards["items"], "{filter}");
        customer.get(&format!("/_bulkd/outbox?cursor={cursor}&limit=4")).refused(400);
    }
}

#[test]
fn a_message_tells_where_all_that_is_in_it_came_from() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    customer.post("/profiles/ada", &json!({ "profile": { "phone_number": "+15550001", "city": "London" } })).ok(200);
    let job_id = customer.create(json!({
        "message": {
            "content": {
                "title": "Sign in",
                "body": "Hello {{name}} of {{plan}}, your code is {{code}}. Or use https://acme.example/in?a={{code}}&b=2.",
            },
            "routing": { "method": "single", "channels": ["email", "sms"] },
        },
        "data": { "plan": "Free", "name": "you", "code": 1 },
    }));
    customer.ingest(
        &job_id,
        json!([{
            "recipient": "ada", "profile": { "email": "ada@example.com" }, "data": { "name": "Ada", "code": "111111" },
            "to": { "user_id": "ada", "email": "ada@example.com", "data": { "code": "482913" } },
        }]),
    );
    customer.run_to_the_end(&job_id);
    let latest = customer.get("/_bulkd/outbox/latest").ok(200);
    let message_id = latest["message_id"].as_str().unwrap();
    assert_eq!(customer.get(&format!("/_bulkd/outbox/{message_id}")).ok(200), latest);
    assert_eq!(customer.get("/_bulkd/outbox/latest?recipient=ada&channel=email").ok(200), latest);
    assert_eq!(latest["data"]["plan"], json!({ "value": "Free", "from": "job" }));
    assert_eq!(latest["data"]["name"], json!({ "value": "Ada", "from": "user" }));
    assert_eq!(latest["data"]["code"], json!({ "value": "482913", "from": "to" }));
    assert_eq!(latest["profile"]["city"], json!({ "value": "London", "from": "stored profile" }));
    assert_eq!(latest["profile"]["email"], json!({ "value": "ada@example.com", "from": "request" }));
    assert_eq!(latest["links"], json!(["https://acme.example/in?a=482913&b=2"]));
    assert_eq!(latest["codes"], json!(["482913"]));
    assert_eq!(latest["routing"]["asked"], json!({ "method": "single", "channels": ["email", "sms"] }));
    assert_eq!(latest["routing"]["tried"][0]["channel"], "email");
    assert_eq!(latest["routing"]["passed_over"][0]["reason"], "NOT_NEEDED");
    assert_eq!(
        (&latest["deliveries"][0]["html"].is_string(), &latest["history"][0]["type"]),
        (&true, &json!("ENQUEUED"))
    );

    customer.get("/_bulkd/outbox/latest?recipient=bob").refused(404);
    customer.get("/_bulkd/outbox/1-0-0").refused(404);
    daemon.customer("globex").get(&format!("/_bulkd/outbox/{message_id}")).refused(404);
}

/// Letters as searches take them for the same: written once more, and not asked of what is tried.
fn folded(text: &str) -> String {
    let letter = |it: char| match it {
        'İ' | 'ı' => "i".to_owned(),
        'ß' | 'ẞ' => "ss".to_owned(),
        'ς' => "σ".to_owned(),
        it => it.to_lowercase().collect(),
    };
    text.chars().map(letter).collect()
}

/// A search as the outbox promises it, over what it lists.
fn sought(entries: &[Value], words: &[String]) -> Vec<String> {
    let mut messages: Vec<(String, Vec<String>)> = Vec::new();
    for entry in entries {
        let id = entry["message_id"].as_str().unwrap();
        if messages.last().is_none_or(|(last, _)| last != id) {
            messages.push((id.to_owned(), Vec::new()));
        }
        let texts = ["recipient", "address", "subject", "body"].iter().filter_map(|name| entry[*name].as_str());
        messages.last_mut().unwrap().1.extend(texts.map(folded));
    }
    let has = |texts: &[String], word: &String| texts.iter().any(|text| text.contains(word.as_str()));
    let all = messages.into_iter().filter(|(_, texts)| words.iter().all(|word| has(texts, word)));
    all.map(|(id, _)| id).collect()
}

/// The ids that a search finds, page by page.
fn found(customer: &Customer, words: &[String], more: &str) -> Vec<String> {
    let q: String = words.join(" ").bytes().map(|byte| format!("%{byte:02x}")).collect();
    let (mut ids, mut cursor): (Vec<String>, String) = (Vec::new(), String::new());
    loop {
        let page = customer.get(&format!("/_bulkd/outbox?q={q}&limit=150{more}&cursor={cursor}")).ok(200);
        for entry in page["items"].as_array().unwrap() {
            let id = entry["message_id"].as_str().unwrap();
            if ids.last().is_none_or(|last| last != id) {
                ids.push(id.to_owned());
            }
        }
        match page["paging"]["cursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => return ids,
        }
    }
}

fn indexed(customer: &Customer) -> usize {
    let metrics = customer.get("/_bulkd/metrics").text;
    let line = metrics.lines().find(|line| line.starts_with("bulkd_messages_indexed ")).unwrap();
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

/// Compares searches with what they have to find: pieces of texts that there are, and others.
fn compare(customer: &Customer, random: &mut StdRng) {
    let entries = customer.get("/_bulkd/outbox?limit=1000&fields=recipient,address,subject,body").ok(200);
    let mut cursor = entries["paging"]["cursor"].as_str().map(str::to_owned);
    let mut entries = entries["items"].as_array().unwrap().clone();
    while let Some(next) = cursor {
        let path = format!("/_bulkd/outbox?limit=1000&fields=recipient,address,subject,body&cursor={next}");
        let page = customer.get(&path).ok(200);
        entries.extend(page["items"].as_array().unwrap().clone());
        cursor = page["paging"]["cursor"].as_str().map(str::to_owned);
    }
    for _ in 0..8 {
        let words: Vec<String> = (0..random.random_range(1..3))
            .map(|_| {
                let length = random.random_range(1..9);
                let entry = &entries[random.random_range(0..entries.len())];
                let name = ["recipient", "address", "subject", "body"][random.random_range(0..4)];
                let text: Vec<char> = entry[name].as_str().unwrap_or("none").chars().filter(|c| *c != ' ').collect();
                match random.random_range(0..4) {
                    0 => (0..length).map(|_| ['a', 'E', '7', '-', 'ß', 'Σ'][random.random_range(0..6)]).collect(),
                    _ => {
                        let from = random.random_range(0..text.len());
                        text[from..(from + length).min(text.len())].iter().collect::<String>()
                    }
                }
            })
            .collect();
        let lower: Vec<String> = words.iter().map(|word| folded(word)).collect();
        let expected = sought(&entries, &lower);
        assert_eq!(found(customer, &words, ""), expected, "{words:?}");
        let backwards: Vec<String> = found(customer, &words, "&order=desc").into_iter().rev().collect();
        assert_eq!(backwards, expected, "{words:?}, the newest first");
    }
}

/// A job with messages that waited, that went two ways and that could not be made among them.
fn fill(customer: &Customer, random: &mut StdRng, count: usize) -> String {
    let names = ["Ada", "Grace", "Σωκράτης", "Jürgen", "İpek", "straße"];
    let users: Vec<Value> = (0..count)
        .map(|i| {
            let name = names[random.random_range(0..names.len())];
            let number = random.random_range(0..100_000);
            let mut profile = json!({ "email": format!("{i}-{number}@example.com") });
            match random.random_range(0..10) {
                0 => profile["phone_number"] = json!(format!("+1555{number:07}")),
                1 => profile["email"] = json!("delay@simulator.bulkd"),
                2 => profile["email"] = json!(5),
                _ => {}
            }
            json!({ "recipient": format!("R{i}-{number}"), "profile": profile, "data": { "name": name, "n": number } })
        })
        .collect();
    let content = json!({ "title": "Invoice {{n}} for {{name}}", "body": "Dear {{name}}, please pay {{n}}." });
    let routing = json!({ "method": "all", "channels": ["email", "sms"] });
    let job_id = customer.create(json!({ "content": content, "routing": routing }));
    customer.ingest(&job_id, json!(users));
    customer.run_to_the_end(&job_id);
    job_id
}

#[test]
fn a_search_finds_the_same_with_its_index_without_it_and_ahead_of_it() {
    let seed = seed();
    println!("BULKD_TEST_SEED={seed}");
    let random = &mut StdRng::seed_from_u64(seed);
    let mut daemon = Daemon::start();
    let (customer, other) = (daemon.customer("acme"), daemon.customer("globex"));
    let of_other = json!({ "to": { "email": "ada@example.com" }, "content": hello() });
    send(&other, of_other.clone());
    let job_id = fill(&customer, random, 600);
    send(&other, of_other);
    assert_eq!(indexed(&customer), 0, "nobody has searched");
    compare(&customer, random);
    let made = customer.job(&job_id)["enqueued"].as_u64().unwrap() as usize;
    wait_until("all messages are known", || indexed(&customer) == made);
    compare(&customer, random);
    // Ahead of it,
    let later = fill(&customer, random, 200);
    compare(&customer, random);
    let of_job = format!("&job_id={later}");
    let entries = customer.outbox(&later);
    for word in ["invoice", "r1", "grace", "nobody"] {
        let words = [word.to_owned()];
        assert_eq!(found(&customer, &words, &of_job), sought(&entries, &words), "{word}");
    }
    // when messages that waited are there,
    daemon.clock.advance(Duration::from_secs(60));
    wait_until("none waits", || customer.get("/_bulkd/outbox?status=DELAYED").ok(200)["items"] == json!([]));
    compare(&customer, random);
    // when an environment is back where it was, and what came later is gone,
    customer.put("/_bulkd/snapshots/one", &json!({})).ok(200);
    fill(&customer, random, 100);
    compare(&customer, random);
    customer.post("/_bulkd/snapshots/one/restore", &json!({})).ok(200);
    compare(&customer, random);
    // after a start, which knows nothing,
    daemon.restart();
    let customer = daemon.customer("acme");
    assert_eq!(indexed(&customer), 0);
    compare(&customer, random);
    wait_until("all messages are known", || indexed(&customer) >= made);
    compare(&customer, random);
    // and after a reset.
    customer.post("/_bulkd/reset", &json!({})).done();
    assert!(found(&customer, &["invoice".to_owned()], "").is_empty());
    fill(&customer, random, 50);
    compare(&customer, random);
    assert_eq!(found(&daemon.customer("globex"), &["@".to_owned()], "").len(), 2);
}

#[test]
fn what_was_dropped_is_found_no_more() {
    let seed = seed();
    println!("BULKD_TEST_SEED={seed}");
    let random = &mut StdRng::seed_from_u64(seed);
    let daemon = Daemon::start_with(|config| config.keep = bulkd::settings::Keep { span: None, messages: Some(100) });
    let customer = daemon.customer("acme");
    let first = fill(&customer, random, 150);
    compare(&customer, random);
    daemon.clock.advance(Duration::from_secs(60));
    wait_until("none waits", || customer.get("/_bulkd/outbox?status=DELAYED").ok(200)["items"] == json!([]));
    fill(&customer, random, 200);
    wait_until("the first job is gone", || customer.get(&format!("/bulk/{first}")).status == 404);
    compare(&customer, random);
}

/// What was passed over for the last message, as names and reasons.
fn passed_over(customer: &Customer) -> Vec<(String, String)> {
    let latest = customer.get("/_bulkd/outbox/latest").ok(200);
    let passed_over = latest["routing"]["passed_over"].as_array().unwrap_or_else(|| panic!("{latest}"));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    for it in passed_over {
        assert!(!text(&it["why"]).is_empty(), "{it}");
    }
    passed_over.iter().map(|it| (text(&it["name"]), text(&it["reason"]))).collect()
}

#[test]
fn a_message_tells_which_channels_were_passed_over_and_why() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let expect = |message: Value, expected: &[(&str, &str)]| {
        send(&customer, message.clone());
        let found = passed_over(&customer);
        let found: Vec<_> = found.iter().map(|(name, reason)| (name.as_str(), reason.as_str())).collect();
        assert_eq!(found, expected, "{message}");
    };
    let content = json!({ "title": "t", "body": "b" });
    let to = json!({ "user_id": "ada", "phone_number": "+15550100" });
    let single = |channels: Value| json!({ "method": "single", "channels": channels });
    expect(
        json!({ "to": to, "content": content, "routing": single(json!(["email", "sms", "push"])) }),
        &[("email", "NO_ADDRESS"), ("push", "NOT_NEEDED")],
    );
    let condition = json!([{ "channel": "sms", "if": "data.n > 1" }, "inbox"]);
    expect(
        json!({ "to": to, "content": content, "data": { "n": 1 }, "routing": single(condition) }),
        &[("sms", "CONDITION")],
    );
    let channels = json!({ "sms": { "if": "data.n > 1" } });
    expect(
        json!({ "to": to, "content": content, "data": { "n": 1 }, "channels": channels,
            "routing": single(json!(["sms", "inbox"])) }),
        &[("sms", "CONDITION")],
    );
    expect(
        json!({ "to": to, "content": content, "routing": single(json!(["carrier-pigeon", "sms"])) }),
        &[("carrier-pigeon", "UNKNOWN")],
    );
    // What a provider has refused was tried.
    let refused = json!({ "user_id": "ada", "email": "reject@simulator.bulkd", "phone_number": "+15550100" });
    expect(json!({ "to": refused, "content": content, "routing": single(json!(["email", "sms"])) }), &[]);
    let tried = customer.get("/_bulkd/outbox/latest").ok(200)["routing"]["tried"].clone();
    assert_eq!((&tried[0]["reason"], &tried[1]["channel"]), (&json!("PROVIDER_ERROR"), &json!("sms")));

    // A message that was kept back as a whole.
    let topic = json!({ "topic": { "status": "OPTED_OUT" } });
    customer.put("/users/ada/preferences/news", &topic).ok(200);
    let of_topic = json!({ "to": to, "content": content, "preferences": { "subscription_topic_id": "news" } });
    expect(of_topic.clone(), &[("", "PREFERENCES")]);
    let latest = customer.get("/_bulkd/outbox/latest").ok(200);
    assert_eq!(
        (&latest["reason"], &latest["routing"]["passed_over"][0]["name"]),
        (&json!("UNSUBSCRIBED"), &json!(null))
    );
    let why = latest["routing"]["passed_over"][0]["why"].as_str().unwrap();
    assert!(why.contains("topic news"), "{why}");
    // With other preferences it would be another message: how it went cannot be told any more.
    customer.put("/users/ada/preferences/news", &json!({ "topic": { "status": "OPTED_IN" } })).ok(200);
    assert_eq!(customer.get("/_bulkd/outbox/latest").ok(200)["routing"]["passed_over"], json!(null));
    let chosen = json!({ "status": "OPTED_IN", "has_custom_routing": true, "custom_routing": ["inbox"] });
    customer.put("/users/ada/preferences/news", &json!({ "topic": chosen })).ok(200);
    let mut of_topic = of_topic;
    of_topic["routing"] = single(json!(["sms", "inbox"]));
    expect(of_topic, &[("sms", "PREFERENCES")]);
}

#[test]
fn the_outbox_of_a_send_is_found_by_the_id_that_its_client_has() {
    let daemon = Daemon::start();
    let customer = daemon.customer("acme");
    let request_id = send(&customer, json!({ "to": { "email": "ada@example.com" }, "content": hello() }));
    send(&customer, json!({ "to": { "email": "bob@example.com" }, "content": hello() }));
    let found = customer.get(&format!("/_bulkd/outbox?job_id={request_id}")).ok(200);
    let found = found["items"].as_array().unwrap();
    assert_eq!((found.len(), &found[0]["message_id"]), (1, &json!(request_id)));
    let asked = json!({ "outbox": { "job_id": request_id }, "count": { "exactly": 1 } });
    assert_eq!(customer.post("/_bulkd/wait", &asked).ok(200)["count"], 1);
    // A message of a job is not the job.
    let job_id = customer.create(json!({ "message": { "content": hello() } }));
    // As many as no id of a job here counts up to.
    customer.ingest(&job_id, readers(0, 20));
    customer.run_to_the_end(&job_id);
    let of_job = customer.get(&format!("/_bulkd/outbox?job_id={job_id}")).ok(200);
    let message_id = of_job["items"][19]["message_id"].as_str().unwrap().to_owned();
    customer.get(&format!("/_bulkd/outbox?job_id={message_id}")).refused(404);
    daemon.customer("other").get(&format!("/_bulkd/outbox?job_id={request_id}")).refused(404);
}

#[test]
fn a_search_takes_letters_for_the_same_in_whatever_case_and_contains_takes_them_as_they_are() {
    let daemon = Daemon::start_with(|config| config.mailpit_key = Some("acme".to_owned()));
    let customer = daemon.customer("acme");
    let content = json!({ "title": "İSTANBUL Große ΟΔΟΣ", "body": "x" });
    let to = json!({ "user_id": "ada", "email": "ada@example.com" });
    send(&customer, json!({ "to": to, "content": content }));
    let encoded = |word: &str| word.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
    let alike = ["istanbul", "İstanbul", "GROSSE", "große", "GROẞE", "οδος", "οδοσ", "ΟΔΟΣ"];
    // The first search begins the index; those behind it go by it.
    for word in alike.into_iter().cycle().take(2 * alike.len()) {
        let page = customer.get(&format!("/_bulkd/outbox?q={}", encoded(word))).ok(200);
        assert_eq!(page["items"].as_array().unwrap().len(), 1, "{word}");
        let found = customer.get(&format!("/api/v1/search?query={}", encoded(word))).ok(200);
        assert_eq!(found["messages_count"], 1, "{word}");
        let asked = customer.get(&format!("/_bulkd/requests?q={}", encoded(word))).ok(200);
        let has_send = asked["items"].as_array().unwrap().iter().any(|it| it["path"] == "/send");
        assert!(has_send, "{word}: {asked}");
        crate::support::wait_until("it is in the index", || indexed(&customer) == 1);
    }
    for (part, status) in [("Große", 200), ("große", 412), ("GROSSE", 412)] {
        let wait = json!({ "outbox": { "subject": { "contains": part } }, "timeout_ms": 0 });
        assert_eq!(customer.post("/_bulkd/wait", &wait).status, status, "{part}");
    }
}
