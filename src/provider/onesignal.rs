//! OneSignal: `POST /notifications`.

use serde_json::{Value, json};

use super::http;
use super::message::ProviderMessage;
use super::push;

pub fn request(message: &ProviderMessage<'_>) -> Value {
    let push = push::read(message);
    let mut body = json!({
        "app_id": message.config(&["appId"]).unwrap_or("APP_ID"),
        "target_channel": "push",
        // English is the fallback for all languages.
        "contents": { "en": push.body },
    });
    let is_external = message.profile_text("/oneSignalExternalUserId") == Some(message.address);
    match is_external {
        true => body["include_aliases"] = json!({ "external_id": [message.address] }),
        false => body["include_subscription_ids"] = json!([message.address]),
    }
    if let Some(title) = push.title {
        body["headings"] = json!({ "en": title });
    }
    if !push.data.is_empty() {
        body["data"] = Value::Object(push.data);
    }
    if let Some(href) = push.click_action {
        body["url"] = href.into();
    }
    if let Some(image) = push.image {
        body["big_picture"] = image.as_str().into();
        body["ios_attachments"] = json!({ "image": image });
    }
    if let Some(icon) = push.icon {
        let member = if icon.starts_with("http") { "chrome_web_icon" } else { "small_icon" };
        body[member] = icon.into();
    }
    let authorization = format!("Key {}", http::key(message, &["apiKey", "restApiKey"]));
    http::post("https://api.onesignal.com/notifications", http::JSON, &[("Authorization", &authorization)], body)
}
