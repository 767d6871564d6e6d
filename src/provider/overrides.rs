//! The overrides of a definition for the requests of a channel and a provider.

use serde_json::{Map, Value};

use crate::json::merge;
use crate::model::channel::Channel;
use crate::model::options::MessageOptions;
use crate::model::provider::Provider;

/// The override for a channel and a provider. From the lowest layer: `channels.<channel>.override`,
/// `override.<provider>`, and `providers.<provider>.override`.
pub fn overrides(options: &MessageOptions, channel: Channel, provider: Provider) -> Option<Value> {
    let of_channel = options.channels.get(channel.name()).and_then(|it| it.overriding.as_ref());
    let of_provider = options.options_of(provider).and_then(|it| it.overriding.as_ref());
    let named = provider.spellings().find_map(|name| options.overrides.get(name));
    let mut merged = Value::Object(Map::new());
    let found = of_channel.into_iter().chain(named).chain(of_provider).filter(|it| it.is_object());
    found.for_each(|found| merge(&mut merged, found));
    merged.as_object().is_some_and(|it| !it.is_empty()).then_some(merged)
}

/// An override, merged over the headers that an e-mail has from its template.
pub fn over_headers(headers: Option<&Value>, channel: Channel, overriding: Option<Value>) -> Option<Value> {
    let Some(headers) = headers.filter(|_| channel == Channel::Email) else { return overriding };
    let mut merged = headers.clone();
    overriding.iter().for_each(|it| merge(&mut merged, it));
    Some(merged)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn overrides_are_merged_deeply_and_the_narrower_wins() {
        let definition = json!({
            "message": {
                "channels": { "email": { "override": { "subject": "channel", "from": "a@x" } } },
                "override": { "sendgrid": { "from": "b@x", "body": { "a": { "b": 0 } } } },
            },
            "channels": { "email": { "override": { "subject": "flat" } }, "sms": { "override": { "body": 1 } } },
            "override": { "sendgrid": { "body": { "a": { "b": 1, "c": [1, 2] } } } },
            "providers": { "sendgrid": { "override": { "body": { "a": { "c": [3], "d": null } } } } },
        });
        let options = MessageOptions::read(&definition.to_string()).unwrap();
        assert_eq!(
            overrides(&options, Channel::Email, Provider::Sendgrid),
            Some(json!({ "subject": "channel", "from": "b@x", "body": { "a": { "b": 1, "c": [3], "d": null } } }))
        );
        assert_eq!(overrides(&options, Channel::Push, Provider::FirebaseFcm), None);
        // The channels are the nested form's.
        assert_eq!(overrides(&options, Channel::Sms, Provider::Twilio), None);
    }
}
