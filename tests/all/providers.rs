//! The requests that providers would have been sent, a case a file: what `outgoing` leads to.
//!
//! `BULKD_FIXTURE=requests/slack` tests the files with that in their path. `BULKD_BLESS=1` writes into the others what
//! was found, to be looked at.

use bulkd::clock::Timestamp;
use bulkd::model::options::MessageOptions;
use bulkd::model::provider::Provider;
use bulkd::provider::{self, ProviderMessage};
use serde::Deserialize;
use serde_json::Value;

use crate::support::cases::{self, Raw};

fn request(given: &Value) -> Value {
    let text = |name: &str| given.get(name).and_then(Value::as_str);
    let provider = Provider::from_name(text("provider").unwrap()).unwrap();
    let elements = given.get("elements").map(Value::to_string);
    let options = MessageOptions::of_stored(&given["definition"].to_string());
    let overrides = provider::overrides(&options, provider.channel(), provider);
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
        locale: text("locale"),
        override_: overrides.as_ref(),
        metadata: options.raw_metadata.as_ref(),
        data: given["definition"].get("data").and_then(passed_on),
        profile: given.get("profile").and_then(passed_on),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    outgoing: Raw,
    expected: Option<Raw>,
}

#[test]
fn every_provider_is_given_its_own_form() {
    let files = cases::files("requests");
    assert!(files.len() >= 19 || cases::filter().is_some(), "{} requests", files.len());
    let mut wrong = Vec::new();
    for path in files {
        let case: Case = cases::read(&path);
        // The last line before a panic says where it was.
        println!("{}", path.display());
        let found = request(&serde_json::from_str(case.outgoing.get()).unwrap());
        if case.expected.is_some_and(|it| serde_json::from_str::<Value>(it.get()).unwrap() == found) {
            continue;
        }
        if cases::is_blessing() {
            cases::write(&path, &[("outgoing", Some(&case.outgoing)), ("expected", Some(&cases::raw(&found)))]);
        } else {
            wrong.push(format!("{}: {:.400}", path.display(), found.to_string()));
        }
    }
    assert!(wrong.is_empty(), "\n{}\nBULKD_BLESS=1 writes what was found\n", wrong.join("\n"));
}
