//! Providers whose own form is not written here: a form that is the same for all of them.

use serde_json::{Value, json};

use super::elements;
use super::email::{self, Email};
use super::message::ProviderMessage;
use crate::model::channel::Channel;

/// For a provider of e-mail.
pub fn email(message: &ProviderMessage<'_>, email: &Email) -> Value {
    let mut request = json!({
        "provider": message.provider.name(),
        "from": email.from.to_string(),
        "to": email::texts(&email.to),
        "subject": email.subject,
        "text": email.text,
        "html": email.html,
    });
    for (name, mailboxes) in [("cc", &email.cc), ("bcc", &email.bcc)] {
        if !mailboxes.is_empty() {
            request[name] = email::texts(mailboxes);
        }
    }
    if !email.reply_to.is_empty() {
        request["reply_to"] = email::header(&email.reply_to).into();
    }
    if !email.headers.is_empty() {
        request["headers"] = email.headers_by_name().into();
    }
    if !email.attachments.is_empty() {
        request["attachments"] = email.attachments.iter().map(attachment).collect();
    }
    request
}

fn attachment(it: &email::Attachment) -> Value {
    let mut attachment = json!({ "filename": it.filename, "content_type": it.content_type, "data": it.data });
    if let Some(id) = &it.content_id {
        attachment["content_id"] = id.as_str().into();
    }
    attachment
}

/// The provider's part of the profile beside an address, such as the sender of an Intercom message.
fn own_profile<'a>(message: &ProviderMessage<'a>) -> Option<&'a Value> {
    let provider = message.provider;
    let mut keys = provider.row().profile_keys.iter().copied().chain(provider.spellings());
    keys.find_map(|key| message.profile?.get(key).filter(|it| it.is_object()))
}

/// For any other provider.
pub fn request(message: &ProviderMessage<'_>) -> Value {
    let provider = message.provider.name();
    match message.channel {
        Channel::Sms => {
            let to = message.overridden_text(&["to"]).unwrap_or(message.address);
            let mut request = json!({ "provider": provider, "to": to, "text": message.text() });
            if let Some(from) = message.overridden_text(&["from"]).or_else(|| message.config(&["from"])) {
                request["from"] = from.into();
            }
            request
        }
        _ => {
            let mut request = json!({
                "provider": provider,
                "to": message.address,
                "body": message.text(),
                "elements": elements::raw(message),
            });
            if let Some(title) = message.title() {
                request["title"] = title.into();
            }
            if let Some(data) = message.data() {
                request["data"] = data;
            }
            if let Some(own) = own_profile(message) {
                request["profile"] = own.clone();
            }
            for name in ["clickAction", "icon", "method", "url"] {
                if let Some(text) = message.overridden_text(&[name]) {
                    request[name] = text.into();
                }
            }
            if let Some(headers @ Value::Object(_)) = message.overridden(&["headers"]) {
                request["headers"] = headers.clone();
            }
            request
        }
    }
}
