//! Providers whose own form is not known here: what they would be told, in words that are the same for all.

use serde_json::{Value, json};

use super::message::ProviderMessage;
use super::{elements, email};
use crate::model::channel::Channel;
use crate::model::mailbox::Mailbox;

pub fn request(message: &ProviderMessage<'_>) -> Value {
    let provider = message.provider.name();
    match message.channel {
        Channel::Email => {
            let email = email::read(message, None);
            let all =
                |mailboxes: &[Mailbox]| mailboxes.iter().map(|mailbox| Value::from(mailbox_text(mailbox))).collect();
            let mut request = json!({
                "provider": provider,
                "from": mailbox_text(&email.from),
                "to": Value::Array(all(&email.to)),
                "subject": email.subject,
                "text": email.text,
                "html": email.html,
            });
            for (name, mailboxes) in [("cc", &email.cc), ("bcc", &email.bcc)] {
                if !mailboxes.is_empty() {
                    request[name] = Value::Array(all(mailboxes));
                }
            }
            if let Some(reply_to) = &email.reply_to {
                request["reply_to"] = mailbox_text(reply_to).into();
            }
            if !email.attachments.is_empty() {
                let attachment = |it: &email::Attachment| json!({ "filename": it.filename, "content_type": it.content_type, "data": it.data });
                request["attachments"] = email.attachments.iter().map(attachment).collect();
            }
            request
        }
        Channel::Sms => {
            let to = message.overridden_text(&["to"]).unwrap_or(message.address);
            let mut request = json!({ "provider": provider, "to": to, "text": message.text() });
            if let Some(from) = message.overridden_text(&["from"]) {
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
            if let Some(href) = message.overridden_text(&["clickAction"]) {
                request["clickAction"] = href.into();
            }
            request
        }
    }
}

fn mailbox_text(mailbox: &Mailbox) -> String {
    match &mailbox.name {
        Some(name) => format!("{name} <{}>", mailbox.email),
        None => mailbox.email.clone(),
    }
}
