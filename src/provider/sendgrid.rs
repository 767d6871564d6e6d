//! SendGrid: the body of `POST /v3/mail/send`.

use serde_json::{Map, Value, json};

use super::email::{self, Attachment, Party};
use super::{Outgoing, shortened};

/// Categories of one e-mail, and the characters of one.
const CATEGORIES: usize = 10;
const CATEGORY_CHARACTERS: usize = 255;

pub fn request(outgoing: &Outgoing<'_>) -> Value {
    let email = email::read(outgoing, None);
    let mut personalization = json!({ "to": all(&email.to) });
    let mut request = json!({ "from": one(&email.from), "subject": email.subject });
    for (name, parties) in [("cc", &email.cc), ("bcc", &email.bcc)] {
        if !parties.is_empty() {
            personalization[name] = all(parties);
        }
    }
    request["personalizations"] = json!([personalization]);
    // It refuses an empty value, and HTML before plain text.
    let contents = [("text/plain", &email.text), ("text/html", &email.html)].into_iter();
    let contents = contents.filter(|(_, value)| !value.is_empty());
    request["content"] = contents.map(|(kind, value)| json!({ "type": kind, "value": value })).collect();
    if let Some(reply_to) = &email.reply_to {
        request["reply_to"] = one(reply_to);
    }
    if !email.headers.is_empty() {
        request["headers"] = email.headers.into_iter().map(|(name, value)| (name, Value::from(value))).collect();
    }
    if !email.attachments.is_empty() {
        request["attachments"] = email.attachments.iter().map(attachment).collect();
    }
    let tags = outgoing.tags();
    if !tags.is_empty() {
        request["categories"] =
            tags.into_iter().take(CATEGORIES).map(|tag| shortened(tag, CATEGORY_CHARACTERS)).collect();
    }
    let mut custom: Map<String, Value> = Map::new();
    custom.insert("message_id".to_owned(), outgoing.message_id.into());
    custom.insert("recipient".to_owned(), outgoing.recipient.into());
    outgoing.trace_id().into_iter().for_each(|id| drop(custom.insert("trace_id".to_owned(), id.into())));
    request["custom_args"] = Value::Object(custom);
    request
}

fn one(party: &Party) -> Value {
    match &party.name {
        Some(name) => json!({ "email": party.email, "name": name }),
        None => json!({ "email": party.email }),
    }
}

fn all(parties: &[Party]) -> Value {
    parties.iter().map(one).collect()
}

fn attachment(it: &Attachment) -> Value {
    let mut attachment = json!({ "filename": it.filename, "content": it.data });
    if !it.content_type.is_empty() {
        attachment["type"] = it.content_type.as_str().into();
    }
    attachment
}
