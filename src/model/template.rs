//! Templates: their payloads, and their versions.

use serde::de::{self, Deserializer};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::email_headers::EmailHeaders;
use super::{names, stored_elements};
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::json::{self, Fields};

/// The most bytes of a template: as many as can be sent at once. It must not exceed that element by element.
const LONGEST_BYTES: usize = 6 * 1024 * 1024;
/// No alias begins with this: it addresses Courier's own templates of tenants.
const TENANTS: &str = "tenant/";

names! {
    /// The state that a change leads to, or that is shown.
    State {
        Draft = "DRAFT",
        Published = "PUBLISHED",
    }
}

names! {
    /// What became of a check.
    CheckStatus {
        Resolved = "RESOLVED",
        Failed = "FAILED",
        Pending = "PENDING",
    }
}

names! {
    /// Where a check comes from.
    CheckKind {
        Custom = "custom",
    }
}

/// A check of a template, as its submitter sends it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Check {
    pub id: String,
    pub status: CheckStatus,
    #[serde(rename = "type")]
    pub kind: CheckKind,
}

impl Check {
    /// Checks as they are stored: a JSON array.
    pub fn to_json(checks: &[Check], updated_at: Timestamp) -> String {
        let one = |it: &Check| {
            json!({
                "id": it.id, "status": it.status.name(), "type": it.kind.name(), "updated": updated_at.millis(),
            })
        };
        Value::Array(checks.iter().map(one).collect()).to_string()
    }
}

/// A change of a field that a request may leave alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum FieldUpdate<T> {
    /// It is absent.
    #[default]
    Keep,
    /// It is null.
    Clear,
    Set(T),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for FieldUpdate<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(FieldUpdate::Clear, FieldUpdate::Set))
    }
}

/// A template as it is written, whole.
#[derive(Clone, Debug, Deserialize)]
pub struct TemplatePayload {
    pub name: String,
    #[serde(default)]
    brand: Option<Fields<BrandOf>>,
    #[serde(default)]
    routing: Option<Fields<RoutingOf>>,
    #[serde(default)]
    subscription: Option<Fields<SubscriptionOf>>,
    #[serde(default)]
    tags: Option<Vec<String>>,
    /// `{version, elements}`, every element with a type and an id.
    #[serde(deserialize_with = "object")]
    pub content: Map<String, Value>,
    #[serde(default)]
    email: FieldUpdate<Fields<EmailHeaders>>,
    #[serde(default)]
    pub alias: FieldUpdate<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct BrandOf {
    id: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct RoutingOf {
    strategy_id: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct SubscriptionOf {
    topic_id: String,
}

/// An object. serde alone would also accept null.
pub fn object<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Map<String, Value>, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Object(object) => Ok(object),
        Value::Array(items) if items.is_empty() => Ok(Map::new()),
        _ => Err(de::Error::custom("expected an object")),
    }
}

impl TemplatePayload {
    /// Reads a template; `at` is its path in the request. An error names the field.
    pub fn read(text: &str, at: &str) -> Result<Self> {
        let mut payload: TemplatePayload = json::read(text, || at.to_owned())?;
        payload.finish(at)?;
        payload.check_email_headers(at)?;
        Ok(payload)
    }

    /// Checks what serde cannot. `at` is the payload's path in the request.
    pub fn finish(&mut self, at: &str) -> Result<()> {
        if self.name.trim().is_empty() {
            return Err(Error::invalid(format_args!("{at}.name"), "expected a name, found an empty string"));
        }
        if let FieldUpdate::Set(alias) = &self.alias {
            let path = format_args!("{at}.alias");
            if alias.is_empty() {
                return Err(Error::invalid(path, "expected a name, or null for none; found an empty string"));
            }
            if alias.starts_with(TENANTS) {
                return Err(Error::invalid(path, format_args!("must not begin with '{TENANTS}'")));
            }
        }
        stored_elements::complete(&mut self.content, &format!("{at}.content"))
    }

    /// Refuses headers to which no e-mail can go. `at` is the payload's path in the request.
    pub fn check_email_headers(&self, at: &str) -> Result<()> {
        self.email_headers().map_or(Ok(()), |headers| headers.check(&format!("{at}.email")))
    }

    /// The headers of e-mails that it sets.
    pub fn email_headers(&self) -> Option<&EmailHeaders> {
        match &self.email {
            FieldUpdate::Set(Fields(headers)) => Some(headers),
            _ => None,
        }
    }

    /// The same as a complete template: nothing is taken over from what it replaces.
    pub fn whole(mut self) -> Self {
        if self.alias == FieldUpdate::Keep {
            self.alias = FieldUpdate::Clear;
        }
        if matches!(self.email, FieldUpdate::Keep) {
            self.email = FieldUpdate::Clear;
        }
        self
    }

    /// The alias that it sets.
    pub fn alias(&self) -> Option<&str> {
        match &self.alias {
            FieldUpdate::Set(alias) => Some(alias),
            _ => None,
        }
    }

    /// The stored form of a template: `{name, brand, routing, subscription, tags, content, email?}`. `before` is what
    /// it replaces.
    pub fn to_json(&self, before: Option<&Map<String, Value>>) -> Result<Map<String, Value>> {
        let value = |value: serde_json::Result<Value>| {
            value.map_err(|error| Error::internal("a template is not JSON").caused_by(error))
        };
        let mut stored = Map::new();
        stored.insert("name".to_owned(), self.name.clone().into());
        stored.insert("brand".to_owned(), value(serde_json::to_value(self.brand.as_ref().map(|it| &it.0)))?);
        stored.insert("routing".to_owned(), value(serde_json::to_value(self.routing.as_ref().map(|it| &it.0)))?);
        let subscription = self.subscription.as_ref().map(|it| &it.0);
        stored.insert("subscription".to_owned(), value(serde_json::to_value(subscription))?);
        stored.insert("tags".to_owned(), self.tags.clone().unwrap_or_default().into());
        let email = match &self.email {
            FieldUpdate::Keep => before.and_then(|before| before.get("email")).cloned(),
            FieldUpdate::Clear => None,
            FieldUpdate::Set(Fields(headers)) if *headers == EmailHeaders::default() => None,
            FieldUpdate::Set(Fields(headers)) => Some(value(serde_json::to_value(headers))?),
        };
        // Courier keeps them only if there is an e-mail channel.
        if let Some(email) = email.filter(|_| has_email(&self.content)) {
            stored.insert("email".to_owned(), email);
        }
        stored.insert("content".to_owned(), self.content.clone().into());
        Ok(stored)
    }
}

fn has_email(content: &Map<String, Value>) -> bool {
    stored_elements::of(content).iter().any(|element| element["type"] == "channel" && element["channel"] == "email")
}

/// A stored template, parsed so that its content can be changed.
pub fn parse(template_json: &str) -> Result<Map<String, Value>> {
    serde_json::from_str(template_json)
        .map_err(|error| Error::internal("a stored template is not JSON").caused_by(error))
}

/// A template as text, if it is not too long to be stored.
pub fn to_text(stored: Map<String, Value>) -> Result<String> {
    let text = Value::Object(stored).to_string();
    match text.len() {
        ..=LONGEST_BYTES => Ok(text),
        _ => Err(Error::invalid(
            "content",
            format_args!("a template takes at most {LONGEST_BYTES} bytes, ids and defaults included"),
        )),
    }
}

/// Replaces the content of a stored template.
pub fn set_content(stored: &mut Map<String, Value>, content: Map<String, Value>) {
    if !has_email(&content) {
        stored.remove("email");
    }
    stored.insert("content".to_owned(), content.into());
}

/// The content of a stored template.
pub fn content(stored: &Map<String, Value>) -> Map<String, Value> {
    stored.get("content").and_then(Value::as_object).cloned().unwrap_or_default()
}

/// Selects one of a template's texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VersionSelector {
    Draft,
    /// The latest published one.
    Published,
    Number(i64),
}

impl VersionSelector {
    /// Reads `draft`, `published`, `v001`, or `published:v001`, which a list of versions shows for the latest.
    pub fn read(label: &str) -> Result<Self> {
        let number =
            |label: &str| label.strip_prefix('v').filter(|it| it.bytes().all(|b| b.is_ascii_digit()))?.parse().ok();
        match label {
            "draft" => Ok(VersionSelector::Draft),
            "published" => Ok(VersionSelector::Published),
            _ => number(label.strip_prefix("published:").unwrap_or(label))
                .map(VersionSelector::Number)
                .ok_or_else(|| Error::invalid("version", "expected 'draft', 'published', or a version such as 'v001'")),
        }
    }
}

/// A version's number as it is shown.
pub fn label(version: i64) -> String {
    format!("v{version:03}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_named_in_few_ways() {
        assert_eq!(VersionSelector::read("draft").unwrap(), VersionSelector::Draft);
        assert_eq!(VersionSelector::read("v012").unwrap(), VersionSelector::Number(12));
        assert_eq!(VersionSelector::read("published:v012").unwrap(), VersionSelector::Number(12));
        for label in ["", "v", "12", "v-1", "v+1", "v99999999999999999999", "latest", "vNNN", "published:"] {
            assert!(VersionSelector::read(label).is_err(), "{label}");
        }
    }
}
