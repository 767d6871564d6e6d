//! What providers would have been given, a case a file: `outgoing` leads to `request`.
//!
//! With `BULKD_TEST_UPDATE=1` the files are written anew, to be looked at.

use std::fs;
use std::path::Path;

use bulkd::clock::Timestamp;
use bulkd::model::about::About;
use bulkd::model::provider::Provider;
use bulkd::provider::{self, ProviderMessage};
use serde_json::{Value, json};

fn request(given: &Value) -> Value {
    let text = |name: &str| given.get(name).and_then(Value::as_str);
    let provider = Provider::from_name(text("provider").unwrap()).unwrap();
    let elements = given.get("elements").map(Value::to_string);
    let about = About::of_stored(&given["definition"].to_string());
    let overrides = provider::overrides(&about, provider.channel(), provider);
    let passed_on = |value| Some(value).filter(|_| provider::passes_data_on(provider));
    provider::request(&ProviderMessage {
        message_id: "1-6ab13b70-000000000000000000000001",
        created_at: Timestamp(1_790_000_000_000),
        recipient: "ada",
        provider,
        channel: provider.channel(),
        address: text("address").unwrap(),
        subject: text("subject"),
        body: text("body").unwrap(),
        content: elements.as_deref().or(text("html")),
        brand: given.get("brand"),
        override_: overrides.as_ref(),
        metadata: about.metadata_as_sent.as_ref(),
        data: given["definition"].get("data").and_then(passed_on),
        profile: given.get("profile").and_then(passed_on),
    })
}

#[test]
fn every_provider_is_given_its_own_form() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/requests");
    let update = std::env::var_os("BULKD_TEST_UPDATE").is_some();
    let mut cases: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    assert!(!cases.is_empty());
    let mut wrong = Vec::new();
    for path in cases {
        let case: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let found = request(&case["outgoing"]);
        if update {
            let case = json!({ "outgoing": case["outgoing"], "request": found });
            fs::write(&path, serde_json::to_string_pretty(&case).unwrap() + "\n").unwrap();
        } else if found != case["request"] {
            wrong.push(format!("{}: {:.400}", path.display(), found.to_string()));
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}
