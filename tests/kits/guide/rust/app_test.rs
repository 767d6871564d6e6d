mod app;

use std::sync::LazyLock;

use app::Courier;
use bulkd::Bulkd;
use bulkd::kit::{Environment, json};

/// One daemon for all tests of the file, which run in parallel.
static BULKD: LazyLock<Bulkd> = LazyLock::new(Bulkd::start);

fn courier(bulkd: &Environment) -> Courier {
    Courier { base_url: bulkd.base_url().to_owned(), api_key: bulkd.api_key().to_owned() }
}

#[test]
fn who_signs_up_is_sent_a_code() {
    let bulkd = BULKD.environment();
    courier(&bulkd).sign_up("ada@example.com").unwrap();
    let message = bulkd.wait_for_message(json!({ "recipient": "ada@example.com" }));
    assert_eq!((message.channel(), message.subject()), ("email", Some("Welcome")));
    assert_eq!(message.code(), "482913");
    assert_eq!(message.link("/verify"), "https://app.example/verify?t=1");
    bulkd.wait_for_none(json!({ "channel": "sms" }));
}

#[test]
fn all_readers_are_sent_the_weekly_once_though_an_answer_is_lost() {
    let bulkd = BULKD.environment();
    let readers: Vec<String> = (0..5).map(|n| format!("reader-{n}@example.com")).collect();
    let lost = bulkd.fault_with(json!({ "preset": "lost-answer", "path": "/bulk/{job_id}" }));
    bulkd.wait_for_job(&courier(&bulkd).weekly(12, &readers).unwrap());
    lost.assert_met();
    let messages = bulkd.wait_for_messages(5, json!({ "subject": "Week 12" }));
    let addresses: Vec<_> = messages.iter().map(|message| message.address().unwrap()).collect();
    assert_eq!(addresses, readers);
    assert!(bulkd.doctor().iter().all(|finding| finding["level"] != "error"));
}
