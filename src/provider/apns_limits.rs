//! APNs' answers to headers that it refuses, from Apple's table of responses.

use serde_json::Value;

/// The most bytes of an id that groups notifications.
const COLLAPSE_ID_BYTES: usize = 64;
const PRIORITIES: [&str; 3] = ["1", "5", "10"];
const PUSH_TYPES: [&str; 11] = [
    "alert",
    "background",
    "complication",
    "controls",
    "fileprovider",
    "liveactivity",
    "location",
    "mdm",
    "pushtotalk",
    "voip",
    "widgets",
];

pub fn apns(request: &Value) -> Option<String> {
    let header = |name: &str| request["headers"][name].as_str();
    let is_bad = |name: &str, is_good: &dyn Fn(&str) -> bool| header(name).is_some_and(|value| !is_good(value));
    let is_uuid = |id: &str| {
        let parts: Vec<&str> = id.split('-').collect();
        let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
        lengths == [8, 4, 4, 4, 12] && parts.iter().all(|part| part.bytes().all(|b| b.is_ascii_hexdigit()))
    };
    let answer = if is_bad("apns-priority", &|it| PRIORITIES.contains(&it)) {
        "BadPriority: The apns-priority value is bad."
    } else if is_bad("apns-expiration", &|it| it.parse::<u64>().is_ok()) {
        "BadExpirationDate: The apns-expiration value is bad."
    } else if is_bad("apns-push-type", &|it| PUSH_TYPES.contains(&it)) {
        "InvalidPushType: The apns-push-type value is invalid."
    } else if is_bad("apns-id", &is_uuid) {
        "BadMessageId: The apns-id value is bad."
    } else if is_bad("apns-collapse-id", &|it| it.len() <= COLLAPSE_ID_BYTES) {
        "BadCollapseId: The collapse identifier exceeds the maximum allowed size."
    } else {
        return None;
    };
    Some(answer.to_owned())
}
