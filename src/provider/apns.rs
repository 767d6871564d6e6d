//! Apple's push notifications: `POST /3/device/{token}`.

use serde_json::{Map, Value, json};

use super::http;
use super::message::ProviderMessage;
use super::push;
use crate::json::merge;

/// Members of an override that are Apple's own under another name: the names of the library that Courier's page
/// follows, beside Apple's.
const APS: [(&str, &str); 24] = [
    ("alert", "alert"),
    ("badge", "badge"),
    ("category", "category"),
    ("content-available", "content-available"),
    ("content-state", "content-state"),
    ("contentAvailable", "content-available"),
    ("contentState", "content-state"),
    ("dismissal-date", "dismissal-date"),
    ("event", "event"),
    ("filter-criteria", "filter-criteria"),
    ("filterCriteria", "filter-criteria"),
    ("interruption-level", "interruption-level"),
    ("interruptionLevel", "interruption-level"),
    ("mutable-content", "mutable-content"),
    ("mutableContent", "mutable-content"),
    ("relevance-score", "relevance-score"),
    ("relevanceScore", "relevance-score"),
    ("sound", "sound"),
    ("stale-date", "stale-date"),
    ("target-content-id", "target-content-id"),
    ("targetContentIdentifier", "target-content-id"),
    ("thread-id", "thread-id"),
    ("threadId", "thread-id"),
    ("timestamp", "timestamp"),
];

/// Members of an override that are headers.
const HEADERS: [(&str, &str); 12] = [
    ("apns-collapse-id", "apns-collapse-id"),
    ("apns-expiration", "apns-expiration"),
    ("apns-id", "apns-id"),
    ("apns-priority", "apns-priority"),
    ("apns-push-type", "apns-push-type"),
    ("apns-topic", "apns-topic"),
    ("collapseId", "apns-collapse-id"),
    ("expiry", "apns-expiration"),
    ("id", "apns-id"),
    ("priority", "apns-priority"),
    ("pushType", "apns-push-type"),
    ("topic", "apns-topic"),
];

/// Texts of the alert.
const ALERT: [&str; 3] = ["body", "subtitle", "title"];

/// The app's topic, if none is given.
const TOPIC: &str = "com.example.app";

pub fn request(message: &ProviderMessage<'_>) -> Value {
    let push = push::read(message);
    // A silent notification wakes the app and shows nothing.
    let is_silent = message.overridden(&["silent"]).is_some_and(|it| it == &Value::Bool(true));
    let mut alert = json!({ "body": push.body });
    if let Some(title) = push.title {
        alert["title"] = title.into();
    }
    let mut aps = if is_silent { json!({ "content-available": 1 }) } else { json!({ "alert": alert }) };
    let mut data: Map<String, Value> = push.data_with_action();
    if let Some(image) = &push.image {
        data.insert("image".to_owned(), image.as_str().into());
        aps["mutable-content"] = 1.into();
    }
    let mut body = json!({ "aps": aps });
    if !data.is_empty() {
        body["data"] = Value::Object(data);
    }
    let host = match message.override_.and_then(|it| it.pointer("/config/isProduction")) {
        Some(Value::Bool(false)) => "api.sandbox.push.apple.com",
        _ => "api.push.apple.com",
    };
    let url = format!("https://{host}/3/device/{}", http::segment(message.address));
    let (kind, priority) = if is_silent { ("background", "5") } else { ("alert", "10") };
    let authorization = "bearer PROVIDER_TOKEN";
    let headers = [
        ("authorization", authorization),
        ("apns-topic", message.config(&["topic", "bundleId"]).unwrap_or(TOPIC)),
        ("apns-push-type", kind),
        ("apns-priority", priority),
    ];
    http::post(&url, http::JSON, &headers, body)
}

/// An override is about the notification. Some of its members are headers, and some are Apple's own. `payload` and all
/// others belong to the app.
pub fn lay_over(request: &mut Value, over: &Map<String, Value>) {
    let named = |table: &[(&str, &'static str)], name: &str| {
        table.iter().find(|(known, _)| *known == name).map(|(_, target)| *target)
    };
    for (name, value) in over {
        if let Some(header) = named(&HEADERS, name) {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            put(&mut request["headers"], header, if value.is_null() { Value::Null } else { text.into() });
        } else if let Some(member) = named(&APS, name) {
            put(&mut request["body"]["aps"], member, apple(member, value));
        } else if ALERT.contains(&name.as_str()) {
            put(&mut request["body"]["aps"]["alert"], name, value.clone());
        } else if name == "payload" {
            // It may have been written as text.
            let parsed = value.as_str().and_then(|text| serde_json::from_str(text).ok()).filter(Value::is_object);
            match parsed.as_ref().unwrap_or(value) {
                payload @ Value::Object(_) => merge(&mut request["body"], payload),
                other => put(&mut request["body"], name, other.clone()),
            }
        } else {
            let mut member = json!({});
            member[name] = value.clone();
            merge(&mut request["body"], &member);
        }
    }
}

/// A value in Apple's form: switches are numbers.
fn apple(member: &str, value: &Value) -> Value {
    match (member, value) {
        ("content-available" | "mutable-content", Value::Bool(is_set)) => u8::from(*is_set).into(),
        ("badge" | "content-available" | "mutable-content", Value::String(text)) => {
            text.parse::<u32>().map_or_else(|_| value.clone(), Value::from)
        }
        _ => value.clone(),
    }
}

/// Sets a member of an object, or removes it.
fn put(object: &mut Value, name: &str, value: Value) {
    if !object.is_object() {
        *object = json!({});
    }
    match value {
        Value::Null => drop(object.as_object_mut().and_then(|it| it.remove(name))),
        value => object[name] = value,
    }
}
