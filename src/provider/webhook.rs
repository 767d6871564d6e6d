//! The webhook channel: what is sent to the address in the user's profile, and how.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value, json};

use super::elements;
use super::http;
use super::message::ProviderMessage;

/// The parts of a `limited` profile that a receiver gets.
const LIMITED: [&str; 4] = ["user_id", "email", "phone_number", "locale"];

/// How a webhook may be called.
const METHODS: [&str; 2] = ["POST", "PUT"];

/// `{method, url, headers, body}`.
pub fn request(message: &ProviderMessage<'_>) -> Value {
    // If several profiles have one, the URL and the rest are from the same.
    let webhook = message.profile.and_then(|profile| profile.get("webhook"));
    let webhook = webhook.filter(|it| it.get("url").is_some_and(|url| url == message.address));
    let member = |name: &str| webhook.and_then(|it| it.get(name));
    let text = |name: &str| member(name).and_then(Value::as_str);
    let mut headers = json!({ "Content-Type": "application/json" });
    let authorization = member("authentication").and_then(authorization);
    let authorization = authorization.map(|it| Map::from_iter([("Authorization".to_owned(), it.into())]));
    let of_profile = member("headers").and_then(Value::as_object);
    let overriding = message.overridden(&["headers"]).and_then(Value::as_object);
    for more in [of_profile, authorization.as_ref(), overriding].into_iter().flatten() {
        http::add_headers(&mut headers, more);
    }
    let method = |text: &str| METHODS.into_iter().find(|it| it.eq_ignore_ascii_case(text));
    let overridden = message.overridden_text(&["method"]).and_then(method);
    json!({
        "method": overridden.or_else(|| text("method").and_then(method)).unwrap_or("POST"),
        "url": message.overridden_text(&["url"]).unwrap_or(message.address),
        "headers": headers,
        "body": body(message, text("profile") == Some("expanded")),
    })
}

/// `{mode, token}` or `{mode, username, password}` as a header.
fn authorization(authentication: &Value) -> Option<String> {
    let text = |name: &str| authentication.get(name).and_then(Value::as_str);
    match text("mode")? {
        "bearer" => Some(format!("Bearer {}", text("token")?)),
        "basic" => {
            let credentials = format!("{}:{}", text("username")?, text("password").unwrap_or_default());
            Some(format!("Basic {}", BASE64_STANDARD.encode(credentials)))
        }
        _ => None,
    }
}

fn body(message: &ProviderMessage<'_>, expanded: bool) -> Value {
    let mut content = json!({ "body": message.text(), "elements": elements::raw(message) });
    if let Some(title) = message.title() {
        content["title"] = title.into();
    }
    let mut body = json!({
        "messageId": message.message_id,
        "recipient": message.recipient,
        "profile": profile(message, expanded),
        "data": message.data().unwrap_or_else(|| json!({})),
        "content": content,
    });
    if let Some(metadata) = message.metadata {
        body["metadata"] = metadata.clone();
    }
    body
}

/// The profile without its credentials: how webhooks are called, and the access to chats.
fn profile(message: &ProviderMessage<'_>, expanded: bool) -> Map<String, Value> {
    let mut shown = message.profile.and_then(Value::as_object).cloned().unwrap_or_default();
    shown.retain(|name, _| expanded || LIMITED.contains(&name.as_str()));
    if let Some(webhook) = shown.get_mut("webhook").and_then(Value::as_object_mut) {
        webhook.retain(|name, _| name == "url");
    }
    for member in shown.values_mut().filter_map(Value::as_object_mut) {
        member.remove("access_token");
    }
    shown
}
