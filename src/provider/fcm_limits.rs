//! FCM's answers to messages that it refuses.

use serde_json::Value;

use super::http::is_url;
use super::{documented, email};

/// Bytes of a push message.
pub const BYTES: usize = 4096;
/// Keys that FCM reserves.
const RESERVED: [&str; 3] = ["from", "notification", "message_type"];
const RESERVED_STARTS: [&str; 2] = ["google.", "gcm."];
/// Where the addresses of images are, and their names in the library that sends to FCM.
const IMAGES: [(&str, &str); 3] = [
    ("/notification/image", "notification.imageUrl"),
    ("/android/notification/image", "android.notification.imageUrl"),
    ("/apns/fcm_options/image", "apns.fcmOptions.imageUrl"),
];

/// Whether data may contain a reserved key.
pub fn may_be_reserved(data: &str) -> bool {
    RESERVED.iter().chain(&RESERVED_STARTS).any(|key| data.contains(key))
}

pub fn fcm(message: &Value) -> Option<String> {
    let is_reserved =
        |key: &&String| RESERVED.contains(&key.as_str()) || RESERVED_STARTS.iter().any(|start| key.starts_with(start));
    if let Some(key) = message["data"].as_object().and_then(|data| data.keys().find(is_reserved)) {
        return Some(format!("INVALID_ARGUMENT: Invalid data payload key: {}", email::clean(key)));
    }
    let mut data = message["data"].as_object().into_iter().flatten().enumerate();
    if let Some((i, (_, value))) = data.find(|(_, (_, value))| !value.is_string()) {
        let value = email::clean(&value.to_string());
        return Some(format!("INVALID_ARGUMENT: Invalid value at 'message.data[{i}].value' (TYPE_STRING), {value}"));
    }
    let is_no_url = |pointer: &str| message.pointer(pointer).is_some_and(|it| !it.as_str().is_some_and(is_url));
    if let Some((_, name)) = IMAGES.iter().find(|(pointer, _)| is_no_url(pointer)) {
        return Some(format!("messaging/invalid-payload: {name} must be a valid URL string"));
    }
    let ttl = message.pointer("/android/ttl");
    if ttl.is_some_and(|ttl| !ttl.as_str().is_some_and(is_duration)) {
        return Some(
            "INVALID_ARGUMENT: Invalid value at 'message.android.ttl' (type.googleapis.com/google.protobuf.Duration), \
             Illegal duration format; duration must end with 's'"
                .to_owned(),
        );
    }
    if let Some(refusal) = documented::fcm_refusal(message) {
        return Some(refusal);
    }
    // The token is not a part of the payload.
    let token = message["token"].as_str().map_or(0, str::len);
    (message.to_string().len().saturating_sub(token) > BYTES)
        .then(|| format!("INVALID_ARGUMENT: Message is too big; the maximum is {BYTES} bytes"))
}

/// Seconds, such as `3.5s`.
fn is_duration(text: &str) -> bool {
    let seconds = text.strip_suffix('s').filter(|it| it.starts_with(|c: char| c.is_ascii_digit()));
    seconds.is_some_and(|it| it.bytes().all(|b| b.is_ascii_digit() || b == b'.') && it.parse::<f64>().is_ok())
}
