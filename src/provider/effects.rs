//! Overrides that change no request: a misspelled name, or something that the provider's form does not have. This is
//! found by trying: a part has an effect if another value in its place makes another request. What goes to the provider
//! unchanged is compared with the provider's documentation.

use serde_json::{Value, json};

use super::documented;
use super::forms;
use super::message::ProviderMessage;
use crate::model::channel::Channel;
use crate::model::overridden::{Overridden, Overrider};
use crate::model::provider::Provider;

/// The most parts of one override that are tried, and the most paths that are noted: a job's overrides may be large.
const PARTS_LIMIT: usize = 200;
const TOLD_LIMIT: usize = 20;
/// The most providers of a channel that are tried: all of them read an override of the channel alike.
const PROVIDERS_LIMIT: usize = 4;

/// Replacements for a part, besides something like itself: methods, addresses and URLs are parsed.
const OTHERS: [&str; 4] = ["PUT", "POST", "other@example.com", "https://other.example"];

/// A part of an override without effect, by its path, and the note about it.
#[derive(Debug, PartialEq, Eq)]
pub struct Slip {
    pub path: String,
    pub why: String,
}

const NO_PLACE: &str = "has no effect: the provider's request has no place for it";
const COVERED: &str = "has no effect: another member of the override goes before it";

/// Overrides that have no effect, or that no provider documents.
pub fn slips(overridden: &[Overridden<'_>]) -> Vec<Slip> {
    let mut found = Vec::new();
    for it in overridden {
        let parts = match it.whose {
            Overrider::Channel(channel) => {
                let providers = Provider::of_channel(channel).take(PROVIDERS_LIMIT);
                let targets: Vec<_> = providers.map(|provider| (provider, channel)).collect();
                ineffective(it.value, &targets)
            }
            Overrider::Provider(provider) => of_provider(provider, it.value),
        };
        let slip =
            |(pointer, why): (String, String)| Slip { path: format!("{}{}", it.path(&pointer), shown(&pointer)), why };
        found.extend(parts.into_iter().map(slip));
    }
    found.truncate(TOLD_LIMIT);
    found
}

/// The pointers of parts without effect in an override of one provider, and why.
fn of_provider(provider: Provider, over: &Value) -> Vec<(String, String)> {
    let channels = [provider.channel()].into_iter().chain(provider.row().also);
    let targets: Vec<_> = channels.map(|channel| (provider, channel)).collect();
    let mut found = ineffective(over, &targets);
    for (pointer, why) in documented::slips(provider, over) {
        if !found.iter().any(|(known, _)| *known == pointer) {
            found.push((pointer, why));
        }
    }
    found
}

/// The pointers of parts that change no request to any of the targets, and why.
fn ineffective(over: &Value, targets: &[(Provider, Channel)]) -> Vec<(String, String)> {
    // It is not read at all.
    if !over.is_object() && !over.is_null() && !over.as_array().is_some_and(Vec::is_empty) {
        return vec![(String::new(), NO_PLACE.to_owned())];
    }
    // If a request cannot be made, its parts tell nothing. The message reports why it cannot be made.
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
    // A brand is not a part of the request.
    parts.retain(|pointer| pointer != "/brand" && !pointer.starts_with("/brand/"));
    let why = |pointer: &String| {
        if changes(over, pointer, targets, &requests) {
            return is_passed_over(over, pointer, targets, &requests).then_some(NO_PLACE);
        }
        // Of two parts that mean the same, the other one is used.
        let (alone, place) = alone(over, pointer);
        let alone_requests: Vec<Value> =
            targets.iter().map(|(provider, channel)| request(*provider, *channel, &alone)).collect();
        if !changes(&alone, &place, targets, &alone_requests) {
            return Some(NO_PLACE);
        }
        // A repeated value still has an effect.
        let value = over.pointer(pointer)?;
        (!requests.iter().any(|made| has(made, value))).then_some(COVERED)
    };
    parts.into_iter().filter_map(|pointer| why(&pointer).map(|why| (pointer, why.to_owned()))).collect()
}

/// Whether any request differs with another value there.
fn changes(over: &Value, pointer: &str, targets: &[(Provider, Channel)], requests: &[Value]) -> bool {
    others(over, pointer).iter().any(|changed| {
        let differs = |((provider, channel), made): (&(Provider, Channel), &Value)| {
            request(*provider, *channel, changed) != *made
        };
        targets.iter().zip(requests).any(differs)
    })
}

/// An override with this part alone, and the part's place in it.
fn alone(over: &Value, pointer: &str) -> (Value, String) {
    let Some((first, rest)) = pointer.strip_prefix('/').map(|inner| inner.split_once('/').unwrap_or((inner, "")))
    else {
        return (over.clone(), String::new());
    };
    let rest = if rest.is_empty() { String::new() } else { format!("/{rest}") };
    let name = first.replace("~1", "/").replace("~0", "~");
    let (inner, place) = over.pointer(&format!("/{first}")).map(|inner| alone(inner, &rest)).unwrap_or_default();
    match over {
        Value::Array(_) => (json!([inner]), format!("/0{place}")),
        _ => (Value::Object([(name, inner)].into_iter().collect()), format!("/{first}{place}")),
    }
}

/// Whether a text is read there but has an unknown value: the requests are the same without it, and do not contain it.
/// Only for an override's own members: members within them may have defaults of their own.
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

/// Whether a value is this one or contains it.
fn has(value: &Value, wanted: &Value) -> bool {
    value == wanted
        || match value {
            Value::Array(values) => values.iter().any(|value| has(value, wanted)),
            Value::Object(members) => members.values().any(|value| has(value, wanted)),
            _ => false,
        }
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

/// The pointers of all values that are not an object or list with members.
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
        // The whole of an override that is empty.
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

/// A pointer in the form of paths: `/a/0/b` is `.a[0].b`.
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
    use crate::model::options::MessageOptions;

    fn ineffective(definition: Value) -> Vec<String> {
        slips(&MessageOptions::read(&definition.to_string()).unwrap().overridden())
            .into_iter()
            .map(|slip| slip.path)
            .collect()
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
        let of_apns = |over: Value| {
            let definition = json!({ "providers": { "apn": { "override": over } } });
            let slips = slips(&MessageOptions::read(&definition.to_string()).unwrap().overridden());
            slips.into_iter().map(|it| format!("{} {}", it.path, it.why)).collect::<Vec<_>>()
        };
        assert_eq!(of_apns(json!({ "config": { "topic": "a" } })), [""; 0]);
        let both = json!({ "config": { "topic": "a", "keyId": "k" }, "body": { "topic": "b" } });
        let expected = [
            format!("message.providers.apn.override.config.keyId {NO_PLACE}"),
            format!("message.providers.apn.override.config.topic {COVERED}"),
        ];
        assert_eq!(of_apns(both), expected);
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
