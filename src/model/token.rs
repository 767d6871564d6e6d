//! Push tokens of users' devices.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::names;
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::json;

names! {
    /// The provider that issued the token.
    ProviderKey {
        FirebaseFcm = "firebase-fcm",
        Apn = "apn",
        Expo = "expo",
        OneSignal = "onesignal",
    }
}

names! {
    /// Whether a token is used.
    TokenStatus {
        Active = "active",
        Unknown = "unknown",
        Failed = "failed",
        Revoked = "revoked",
    }
}

/// Whether a user can be reached by a token: it has not failed, and is neither revoked nor expired. An expiry date that
/// cannot be read is ignored.
pub fn is_active(status: &str, expiry_date: Option<&str>, now: Timestamp) -> bool {
    let is_used = matches!(TokenStatus::from_name(status), Some(TokenStatus::Active | TokenStatus::Unknown));
    let expires_at = expiry_date.and_then(|date| date.parse::<jiff::Timestamp>().ok());
    is_used && expires_at.is_none_or(|at| at.as_millisecond() > now.millis())
}

/// A token as it is sent and shown, without its own text. A missing value is null.
#[derive(Debug, Deserialize)]
struct Sent {
    #[serde(default)]
    token: Option<String>,
    provider_key: ProviderKey,
    #[serde(default, deserialize_with = "json::map")]
    device: Option<Map<String, Value>>,
    #[serde(default)]
    expiry_date: Option<Value>,
    #[serde(default)]
    properties: Option<Value>,
    #[serde(default, deserialize_with = "json::map")]
    tracking: Option<Map<String, Value>>,
    #[serde(default)]
    status: Option<TokenStatus>,
    #[serde(default)]
    status_reason: Option<String>,
}

/// What is stored of a token besides its text and its provider.
#[derive(Debug, Serialize)]
struct Details {
    device: Option<Map<String, Value>>,
    expiry_date: Option<Value>,
    properties: Option<Value>,
    tracking: Option<Map<String, Value>>,
    status: &'static str,
    status_reason: Option<String>,
}

/// A token to be stored.
#[derive(Debug, PartialEq, Eq)]
pub struct Token {
    pub token: String,
    pub provider_key: ProviderKey,
    /// A JSON object.
    pub details: String,
}

impl Token {
    /// Reads a token; `at` is its path in the request. `named` is the token that the path of the request names.
    pub fn read(text: &str, at: &str, named: Option<&str>) -> Result<Self> {
        let field = |name: &str| if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
        let sent: Sent = json::read(text, || at.to_owned())?;
        let token = match (sent.token, named) {
            (Some(token), Some(named)) if token != named => {
                return Err(Error::invalid(field("token"), "expected the token that the path names"));
            }
            (None, None) => return Err(Error::invalid(field("token"), "expected a token")),
            (Some(token), _) if !token.is_empty() => token,
            (None, Some(named)) => named.to_owned(),
            _ => return Err(Error::invalid(field("token"), "expected a token, found an empty string")),
        };
        if !matches!(sent.expiry_date, None | Some(Value::String(_) | Value::Null | Value::Bool(false))) {
            return Err(Error::invalid(field("expiry_date"), "expected a date, or false for a token that stays"));
        }
        for (name, members) in [("device", &sent.device), ("tracking", &sent.tracking)] {
            let wrong = members.iter().flatten().find(|(_, value)| !value.is_string() && !value.is_null());
            if let Some((member, _)) = wrong {
                return Err(Error::invalid(format_args!("{}.{member}", field(name)), "expected a string"));
            }
        }
        let details = Details {
            device: sent.device,
            expiry_date: sent.expiry_date,
            properties: sent.properties,
            tracking: sent.tracking,
            status: sent.status.unwrap_or(TokenStatus::Active).name(),
            status_reason: sent.status_reason,
        };
        let details = serde_json::to_string(&details)
            .map_err(|error| Error::internal("a token cannot be written").caused_by(error))?;
        Ok(Token { token, provider_key: sent.provider_key, details })
    }
}
