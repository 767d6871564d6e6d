//! Providers whose own form is not known here: what they would be told, in words that are the same for all.

use serde_json::{Value, json};

use super::{Outgoing, elements, email};
use crate::model::channel::Channel;

pub fn request(outgoing: &Outgoing<'_>) -> Value {
    let provider = outgoing.provider.name();
    match outgoing.channel {
        Channel::Email => {
            let email = email::read(outgoing, None);
            let all = |parties: &[email::Party]| parties.iter().map(|party| Value::from(party_text(party))).collect();
            let mut request = json!({
                "provider": provider,
                "from": party_text(&email.from),
                "to": Value::Array(all(&email.to)),
                "subject": email.subject,
                "text": email.text,
                "html": email.html,
            });
            for (name, parties) in [("cc", &email.cc), ("bcc", &email.bcc)] {
                if !parties.is_empty() {
                    request[name] = Value::Array(all(parties));
                }
            }
            if let Some(reply_to) = &email.reply_to {
                request["reply_to"] = party_text(reply_to).into();
            }
            if !email.attachments.is_empty() {
                let attachment = |it: &email::Attachment| json!({ "filename": it.filename, "content_type": it.content_type, "data": it.data });
                request["attachments"] = email.attachments.iter().map(attachment).collect();
            }
            request
        }
        Channel::Sms => {
            let to = outgoing.overridden_text(&["to"]).unwrap_or(outgoing.address);
            let mut request = json!({ "provider": provider, "to": to, "text": outgoing.text() });
            if let Some(from) = outgoing.overridden_text(&["from"]) {
                request["from"] = from.into();
            }
            request
        }
        _ => {
            let mut request = json!({
                "provider": provider,
                "to": outgoing.address,
                "body": outgoing.text(),
                "elements": elements::raw(outgoing),
            });
            if let Some(title) = outgoing.title() {
                request["title"] = title.into();
            }
            if let Some(data) = outgoing.data() {
                request["data"] = data;
            }
            if let Some(href) = outgoing.overridden_text(&["clickAction"]) {
                request["clickAction"] = href.into();
            }
            request
        }
    }
}

fn party_text(party: &email::Party) -> String {
    match &party.name {
        Some(name) => format!("{name} <{}>", party.email),
        None => party.email.clone(),
    }
}
