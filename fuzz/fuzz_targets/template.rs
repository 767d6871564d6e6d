#![no_main]

use bulkd::clock::Timestamp;
use bulkd::model::bulk::JobKind;
use bulkd::model::definition::{Definition, Reading};
use bulkd::model::rendered_batch::{Outcome, RenderedBatch};
use bulkd::model::resolved::ResolvedDefinition;
use bulkd::model::stored_recipient::StoredRecipient;
use bulkd::compose::{Recipient, Renderer};
use bulkd::settings::MessageSettings;
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

const USER: &str = r#"{
    "profile": { "email": "r@x.y", "n": [1] },
    "data": { "a": "A", "b": { "c": [1, "two", null] }, "d": -1.50, "e": true, "f": "<b>", "g": "2026-01-02T03:04:05Z" }
}"#;

/// What a content comes to: its body, or `None` if there is none; or the refusal of the text.
fn rendered(content: Value, snippet: &str, user: &str) -> Result<Option<String>, String> {
    let definition = json!({ "content": content, "data": { "j": "J", "a": 5 } }).to_string();
    let mut plan = ResolvedDefinition::new(Definition::read(&definition, Reading::Bulk).unwrap(), JobKind::Bulk);
    plan.brand = Some(json!({ "id": "b", "name": "B", "snippets": { "items": [{ "name": "s", "value": snippet }] } }));
    let renderer =
        Renderer::new(plan, MessageSettings::default(), Timestamp::default()).map_err(|error| error.to_string())?;
    let mut outcomes = RenderedBatch::default();
    let user = Recipient { recipient: "r", user, known: &StoredRecipient::default() };
    renderer.render(user, Timestamp::default(), false, &mut outcomes);
    let mut each = outcomes.iter();
    let outcome = match each.next().unwrap() {
        Outcome::Message(message) => message.delivery.map(|it| it.body.to_owned()),
        Outcome::Failure { reason } => {
            assert!(!reason.is_empty());
            assert!(!reason.contains("could not render this message"), "it panicked");
            None
        }
    };
    assert!(each.next().is_none());
    Ok(outcome)
}

fuzz_target!(|input: &str| {
    // A text, a snippet and a user.
    let mut parts = input.split('\0');
    let (text, snippet) = (parts.next().unwrap_or_default(), parts.next().unwrap_or("({{a}})"));
    let user = parts.next().filter(|user| user.trim_start().starts_with('{')).unwrap_or(USER);
    let plain = match rendered(json!({ "body": format!("<><{text}") }), snippet, user) {
        Ok(plain) => plain,
        Err(refusal) => return assert!(refusal.starts_with("message.content.body: "), "{refusal}"),
    };
    // A block that says nothing changes nothing.
    if let Ok(beside_a_block) =
        rendered(json!({ "body": format!("<{{{{#if true}}}}{{{{/if}}}}><{text}") }), snippet, user)
    {
        assert_eq!(plain, beside_a_block);
    }
    // Wherever else it is put it comes to something, or is refused by its path.
    let element = |name: &str| json!({ "type": name, "content": text, "loop": "data.b.c", "if": "$.index < 2", "href": text });
    for content in [
        json!({ "elements": [element("text"), { "type": "text", "content": text, "format": "markdown" }] }),
        json!({ "elements": [element("html"), element("action")] }),
        json!({ "elements": [{ "type": "text", "content": "x", "if": text }] }),
    ] {
        if let Err(refusal) = rendered(content, snippet, user) {
            assert!(refusal.starts_with("message.content.elements["), "{refusal}");
        }
    }
});
