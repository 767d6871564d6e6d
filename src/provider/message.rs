//! The input of every form of request.

use serde_json::{Value, json};

use crate::clock::Timestamp;
use crate::json::merge;
use crate::model::channel::Channel;
use crate::model::provider::Provider;

/// A message on its way to a provider.
#[derive(Clone, Copy, Debug)]
pub struct ProviderMessage<'a> {
    pub message_id: &'a str,
    pub created_at: Timestamp,
    pub recipient: &'a str,
    pub provider: Provider,
    pub channel: Channel,
    /// E-mail address, phone number, push token, Slack channel, URL; for the inbox the recipient.
    pub address: &'a str,
    pub subject: Option<&'a str>,
    /// As plain text.
    pub body: &'a str,
    /// In addition to the plain text: an e-mail's HTML without its frame, for other channels the rendered elements as a
    /// JSON array.
    pub content: Option<&'a str>,
    /// A brand as it is stored: `{name, settings}`.
    pub brand: Option<&'a Value>,
    /// The recipient's, for e-mails.
    pub locale: Option<&'a str>,
    /// What [`overrides`] found for this channel and provider.
    pub override_: Option<&'a Value>,
    /// The definition's `metadata`: `tags`, `trace_id`.
    pub metadata: Option<&'a Value>,
    /// The merged data, for providers that pass it on.
    pub data: Option<&'a Value>,
    /// The profile, for providers that pass it on.
    pub profile: Option<&'a Value>,
}

impl<'a> ProviderMessage<'a> {
    /// An empty message, to try what a form makes of it.
    pub fn blank(provider: Provider, channel: Channel, address: &'a str) -> Self {
        ProviderMessage {
            message_id: "",
            created_at: Timestamp::default(),
            recipient: "",
            provider,
            channel,
            address,
            subject: None,
            body: "",
            content: None,
            brand: None,
            locale: None,
            override_: None,
            metadata: None,
            data: None,
            profile: None,
        }
    }

    /// A member of the definition's override.
    pub fn overridden(&self, names: &[&str]) -> Option<&'a Value> {
        names.iter().find_map(|name| self.override_?.get(name)).filter(|value| !value.is_null())
    }

    pub fn overridden_text(&self, names: &[&str]) -> Option<&'a str> {
        self.overridden(names)?.as_str()
    }

    /// A text in the `config` of the definition's override.
    pub fn config(&self, names: &[&str]) -> Option<&'a str> {
        let config = self.override_?.get("config")?;
        names.iter().find_map(|name| config.get(name)?.as_str()).filter(|text| !text.is_empty())
    }

    /// A text of the provider's own part of the profile.
    pub fn profile_text(&self, pointer: &str) -> Option<&'a str> {
        self.profile?.pointer(pointer)?.as_str()
    }

    /// Subject or title, as the definition sets it.
    pub fn title(&self) -> Option<&'a str> {
        self.overridden_text(&["title", "subject"]).or(self.subject).filter(|title| !title.is_empty())
    }

    /// The body, as the definition sets it.
    pub fn text(&self) -> &'a str {
        self.overridden_text(&["body", "text"]).unwrap_or(self.body)
    }

    /// The data for the provider, with the definition's data merged over it.
    pub fn data(&self) -> Option<Value> {
        let over = self.overridden(&["data"]).filter(|it| it.is_object());
        let mut data = self.data.or(over)?.clone();
        over.into_iter().for_each(|over| merge(&mut data, over));
        Some(data)
    }

    /// The `tags` of the definition's metadata.
    pub fn tags(&self) -> Vec<&'a str> {
        let tags = self.metadata.and_then(|it| it.get("tags")?.as_array());
        tags.into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// The same for providers whose tags have a name and a value, made up of letters, digits, `_` and `-`.
    pub fn named_tags(&self, name: &str, value: &str) -> Value {
        let plain = |tag: &str| -> String {
            tag.chars().map(|c| if c.is_ascii_alphanumeric() || "_-".contains(c) { c } else { '_' }).take(256).collect()
        };
        let mut seen = Vec::new();
        for tag in self.tags().into_iter().map(plain).filter(|tag| !tag.is_empty()) {
            if !seen.contains(&tag) {
                seen.push(tag);
            }
        }
        seen.into_iter().map(|tag| json!({ name: tag, value: "true" })).collect()
    }

    pub fn trace_id(&self) -> Option<&'a str> {
        self.metadata?.get("trace_id")?.as_str()
    }
}

/// At most so many characters, the last of them an ellipsis if something was left out.
pub fn shortened(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        None => text.to_owned(),
        Some(_) => text.chars().take(limit.saturating_sub(1)).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_shortened_by_characters() {
        assert_eq!(shortened("äöü", 3), "äöü");
        assert_eq!(shortened("äöüx", 3), "äö…");
    }
}
