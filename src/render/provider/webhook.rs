//! The webhook channel: what is posted to the address in the user's profile.

use serde_json::{Value, json};

use super::{Outgoing, elements};

pub fn request(outgoing: &Outgoing<'_>) -> Value {
    let mut content = json!({ "body": outgoing.body, "elements": elements::raw(outgoing) });
    if let Some(title) = outgoing.title() {
        content["title"] = title.into();
    }
    let mut request = json!({
        "messageId": outgoing.message_id,
        "recipient": outgoing.recipient,
        "profile": outgoing.profile.cloned().unwrap_or_else(|| json!({})),
        "data": outgoing.data.cloned().unwrap_or_else(|| json!({})),
        "content": content,
    });
    if let Some(metadata) = outgoing.metadata {
        request["metadata"] = metadata.clone();
    }
    request
}
