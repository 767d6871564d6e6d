//! Overrides that change nothing of any request: a name that is spelled wrong, or what the provider's form does not have.
//! It is tried out: a part that has an effect makes another request when it is another one.

use serde_json::{Value, json};

use super::forms;
use super::message::ProviderMessage;
use crate::model::channel::Channel;
use crate::model::options::MessageOptions;
use crate::model::provider::Provider;

/// Parts of one override that are tried out, and paths that are told: a job's overrides may be large.
const PARTS_LIMIT: usize = 200;
const TOLD_LIMIT: usize = 20;
/// Providers of a channel that are tried: what is overridden for all of them is read by all alike.
const PROVIDERS_LIMIT: usize = 4;

/// What a part is replaced by, besides something like itself: methods, addresses and URLs are read.
const OTHERS: [&str; 4] = ["PUT", "POST", "other@example.com", "https://other.example"];

/// The paths of what a definition overrides to no effect.
pub fn without_effect(options: &MessageOptions) -> Vec<String> {
    let nested = |is_nested: bool| if is_nested { "message.message" } else { "message" };
    let mut found = Vec::new();
    for (name, it) in &options.channels {
        if let (Some(channel), Some(over)) = (Channel::from_name(name), &it.overriding) {
            let path = format!("{}.channels.{name}.override", nested(options.channels_nested));
            let providers = Provider::of_channel(channel).take(PROVIDERS_LIMIT);
            let targets: Vec<_> = providers.map(|provider| (provider, channel)).collect();
            // `override.channel` was laid under it.
            let older = options.overrides.get("channel").and_then(|it| it.get(name));
            found.extend(ineffective(over, &targets).into_iter().map(|pointer| {
                let is_older = older.is_some_and(|it| it.pointer(&pointer).is_some());
                let of_flat = options.flat_overrides.get("channel").and_then(|it| it.get(name));
                let is_nested = of_flat.is_none_or(|it| it.pointer(&pointer).is_none());
                let older = || format!("{}.override.channel.{name}", nested(is_nested));
                format!("{}{}", if is_older { older() } else { path.clone() }, shown(&pointer))
            }));
        }
    }
    let targets = |provider: Provider| -> Vec<_> {
        let channels = [provider.channel()].into_iter().chain(provider.row().also);
        channels.map(|channel| (provider, channel)).collect()
    };
    for (name, it) in &options.providers {
        if let (Some(provider), Some(over)) = (Provider::named(name), &it.overriding) {
            let path = format!("{}.providers.{name}.override", nested(options.providers_nested));
            let of_provider = ineffective(over, &targets(provider));
            found.extend(of_provider.into_iter().map(|pointer| format!("{path}{}", shown(&pointer))));
        }
    }
    for (name, over) in &options.overrides {
        if let Some(provider) = Provider::named(name) {
            let of_provider = ineffective(over, &targets(provider));
            found.extend(of_provider.into_iter().map(|pointer| {
                let is_there = |name: &str| options.flat_overrides.get(name)?.pointer(&pointer);
                let of_flat = provider.spellings().find(|name| is_there(name).is_some());
                let place = format!("{}.override.{}", nested(of_flat.is_none()), of_flat.unwrap_or(name));
                format!("{place}{}", shown(&pointer))
            }));
        }
    }
    found.truncate(TOLD_LIMIT);
    found
}

/// The pointers of what changes no request to any of the targets.
fn ineffective(over: &Value, targets: &[(Provider, Channel)]) -> Vec<String> {
    // It is not read at all.
    if !over.is_object() && !over.is_null() && !over.as_array().is_some_and(Vec::is_empty) {
        return vec![String::new()];
    }
    // Of a request that cannot be made no part tells anything; why it cannot is told by the message.
    let is_made = |(provider, channel): &&(Provider, Channel)| {
        with_message(*provider, *channel, over, |message| forms::unmade(message).is_none())
    };
    let targets: Vec<_> = targets.iter().filter(is_made).copied().collect();
    let targets = targets.as_slice();
    if targets.is_empty() {
        return Vec::new();
    }
    let mut parts = Vec::new();
    add_parts(over, &mut String::new(), &mut parts);
    let requests: Vec<Value> = targets.iter().map(|(provider, channel)| request(*provider, *channel, over)).collect();
    // A brand is no matter of the request.
    parts.retain(|pointer| pointer != "/brand" && !pointer.starts_with("/brand/"));
    parts.retain(|pointer| {
        let has_effect = others(over, pointer).iter().any(|changed| {
            let differs = |((provider, channel), request_): (&(Provider, Channel), &Value)| {
                request(*provider, *channel, changed) != *request_
            };
            targets.iter().zip(&requests).any(differs)
        });
        !has_effect || is_passed_over(over, pointer, targets, &requests)
    });
    parts
}

/// Whether a text stands where one is read, and is none of those that are understood there: without it the requests are the
/// same, and it is in none of them. Only of an override's own members: those within them may have defaults of their own.
fn is_passed_over(over: &Value, pointer: &str, targets: &[(Provider, Channel)], requests: &[Value]) -> bool {
    let Some(text) = over.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty()) else {
        return false;
    };
    let Some(without) = without(over, pointer).filter(|_| pointer.rfind('/') == Some(0)) else { return false };
    let text = text.to_lowercase();
    targets
        .iter()
        .zip(requests)
        .all(|((provider, channel), made)| request(*provider, *channel, &without) == *made && !holds(made, &text))
}

fn holds(value: &Value, text: &str) -> bool {
    match value {
        Value::String(it) => it.to_lowercase().contains(text),
        Value::Array(values) => values.iter().any(|value| holds(value, text)),
        Value::Object(members) => members.iter().any(|(name, value)| name.to_lowercase() == text || holds(value, text)),
        _ => false,
    }
}

fn without(over: &Value, pointer: &str) -> Option<Value> {
    let (outer, name) = pointer.rsplit_once('/')?;
    let mut without = over.clone();
    without.pointer_mut(outer)?.as_object_mut()?.remove(&name.replace("~1", "/").replace("~0", "~"));
    Some(without)
}

/// The pointers of all that is no object or list with members.
fn add_parts(value: &Value, at: &mut String, parts: &mut Vec<String>) {
    if parts.len() >= PARTS_LIMIT {
        return;
    }
    let mut within = |name: &str, value: &Value, parts: &mut Vec<String>| {
        let end = at.len();
        at.push('/');
        at.push_str(&name.replace('~', "~0").replace('/', "~1"));
        add_parts(value, at, parts);
        at.truncate(end);
    };
    match value {
        Value::Object(members) if !members.is_empty() => {
            members.iter().for_each(|(name, value)| within(name, value, parts));
        }
        Value::Array(values) if !values.is_empty() => {
            values.iter().enumerate().for_each(|(i, value)| within(&i.to_string(), value, parts));
        }
        // The whole of an override that says nothing.
        _ if at.is_empty() => {}
        _ => parts.push(at.clone()),
    }
}

/// The override with another value there, or without it.
fn others(over: &Value, pointer: &str) -> Vec<Value> {
    let with = |value: Value| {
        let mut changed = over.clone();
        if let Some(place) = changed.pointer_mut(pointer) {
            *place = value;
        }
        changed
    };
    let mut changed = match over.pointer(pointer) {
        Some(Value::String(text)) => {
            let like = format!("{text}x");
            OTHERS.into_iter().filter(|it| it != text).chain([like.as_str()]).map(|it| with(it.into())).collect()
        }
        Some(Value::Bool(set)) => vec![with((!set).into())],
        Some(Value::Number(number)) => vec![with((number.as_f64().unwrap_or_default() + 1.0).into())],
        Some(Value::Object(_)) => vec![with(json!({ "other": "x" }))],
        _ => vec![with("other@example.com".into())],
    };
    changed.extend(without(over, pointer));
    changed
}

/// A pointer as paths are told: `/a/0/b` is `.a[0].b`.
fn shown(pointer: &str) -> String {
    let part = |part: &str| match part.bytes().all(|byte| byte.is_ascii_digit()) {
        true => format!("[{part}]"),
        false => format!(".{}", part.replace("~1", "/").replace("~0", "~")),
    };
    pointer.split('/').skip(1).map(part).collect()
}

fn request(provider: Provider, channel: Channel, over: &Value) -> Value {
    with_message(provider, channel, over, forms::request)
}

fn with_message<T>(provider: Provider, channel: Channel, over: &Value, of: impl Fn(&ProviderMessage<'_>) -> T) -> T {
    let address = if channel == Channel::Email { "any@example.com" } else { "any" };
    of(&ProviderMessage {
        message_id: "1",
        recipient: "any",
        subject: Some("any"),
        body: "any",
        override_: Some(over),
        ..ProviderMessage::blank(provider, channel, address)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ineffective(definition: Value) -> Vec<String> {
        without_effect(&MessageOptions::read(&definition.to_string()).unwrap())
    }

    #[test]
    fn what_changes_no_request_is_told_by_its_path() {
        let definition = json!({
            "channels": {
                "email": { "override": {
                    "subjekt": "S", "subject": "S", "cc": "a@example.com", "brand": { "settings": {} },
                    "attachments": [{ "filename": "f", "data": "eA==", "colour": "red" }],
                } },
                "push": { "override": { "icon": "bell", "clickAction": "https://x.example", "badge_": 1 } },
            },
            "providers": {
                "webhook": { "override": { "url": "https://x.example", "method": "POST", "headers": { "X": "1" }, "retries": 3 } },
                "expo": { "override": { "ttl": 10, "sound": null } },
                "twilio": { "override": { "config": { "authToken": "t" } } },
                "nobody": { "override": { "x": 1 } },
            },
            "override": { "apn": { "silent": false, "body": { "aps": { "badge": 1 } } } },
        });
        let expected = [
            "message.channels.email.override.attachments[0].colour",
            "message.channels.email.override.subjekt",
            "message.channels.push.override.badge_",
            "message.providers.twilio.override.config.authToken",
            "message.providers.webhook.override.retries",
        ];
        let mut found = ineffective(definition);
        found.sort();
        assert_eq!(found, expected);
        let of_webhook =
            |method| ineffective(json!({ "providers": { "webhook": { "override": { "method": method } } } }));
        assert_eq!(of_webhook("FETCH"), ["message.providers.webhook.override.method"]);
        assert_eq!((of_webhook("put"), of_webhook("POST")), (vec![], vec![]));
        assert_eq!(ineffective(json!({ "providers": { "sendgrid": { "override": {} } } })), [""; 0]);
        let of_both = json!({
            "message": { "override": {
                "channel": { "email": { "subjekt": "S" } }, "twilio": { "config": { "authToken": "t" } },
            } },
            "override": { "channel": { "email": { "subjekt_": "S" } }, "twilio": { "config": { "authToken_": "t" } } },
        });
        let mut found = ineffective(of_both);
        found.sort();
        let expected = [
            "message.message.override.channel.email.subjekt",
            "message.message.override.twilio.config.authToken",
            "message.override.channel.email.subjekt_",
            "message.override.twilio.config.authToken_",
        ];
        assert_eq!(found, expected);
    }
}
