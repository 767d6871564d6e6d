#![no_main]

use bulkd::clock::Timestamp;
use bulkd::model::bulk::JobKind;
use bulkd::model::definition::{Definition, Reading};
use bulkd::model::known::Known;
use bulkd::model::outcomes::{Outcome, Outcomes};
use bulkd::model::plan::Plan;
use bulkd::render::{Recipient, Renderer, UnknownTemplates};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

const USER: &str = r#"{
    "profile": { "email": "r@x.y", "n": [1] },
    "data": { "a": "A", "b": { "c": [1, "two", null] }, "d": -1.50, "e": true }
}"#;

/// What a text comes to: its own words, or `None` if there are none; or the refusal of the text.
fn rendered(text: &str, user: &str) -> Result<Option<String>, String> {
    let definition = json!({ "content": { "body": text }, "data": { "j": "J", "a": 5 } }).to_string();
    let plan = Plan::new(Definition::read(&definition, Reading::Bulk).unwrap(), JobKind::Bulk);
    let renderer = Renderer::new(plan, UnknownTemplates::Lenient, Timestamp::default()).map_err(|error| error.to_string())?;
    let mut outcomes = Outcomes::default();
    let user = Recipient { recipient: "r", user, known: &Known::default() };
    renderer.render(user, Timestamp::default(), false, &mut outcomes);
    let mut each = outcomes.iter();
    let outcome = match each.next().unwrap() {
        Outcome::Message(message) => message.delivery.map(|it| it.body.to_owned()),
        Outcome::Failure { reason } => {
            assert!(!reason.is_empty());
            None
        }
    };
    assert!(each.next().is_none());
    Ok(outcome)
}

fuzz_target!(|input: &str| {
    let (text, user) = input.split_once('\0').unwrap_or((input, USER));
    let user = if user.trim_start().starts_with('{') { user } else { USER };
    let plain = match rendered(&format!("<><{text}"), user) {
        Ok(plain) => plain,
        Err(refusal) => return assert!(refusal.starts_with("message.content.body: "), "{refusal}"),
    };
    // A block that says nothing makes the engine render what otherwise is done without it.
    let Ok(beside_a_block) = rendered(&format!("<{{{{#if true}}}}{{{{/if}}}}><{text}"), user) else { return };
    match (plain, beside_a_block) {
        (Some(plain), Some(beside_a_block)) => assert_eq!(plain, beside_a_block),
        (None, Some(beside_a_block)) => panic!("it fails alone, and is {beside_a_block:?} beside a block"),
        // The engine reads all data and not only what is mentioned.
        (_, None) => {}
    }
});
