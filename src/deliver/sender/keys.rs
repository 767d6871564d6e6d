//! The keys of providers. The outbox has names where they belong; what they stand for is in the environment, and in no file.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::model::provider::Provider;

/// What stands for a key, or for what goes with one, in the requests of the outbox.
const NAMES: [&str; 12] = [
    "ACCESS_TOKEN",
    "ACCOUNT_SID",
    "API_KEY",
    "API_SECRET",
    "APP_ID",
    "APP_KEY",
    "AUTH_ID",
    "AUTH_TOKEN",
    "BOT_TOKEN",
    "MASTER_SECRET",
    "PROJECT_ID",
    "ROUTING_KEY",
];
/// The members of a body that are one.
const MEMBERS: [&str; 3] = ["app_id", "key", "routing_key"];

/// Puts keys where their names stand, and remembers them.
pub struct Keys<'a> {
    provider: Provider,
    find: &'a dyn Fn(&str) -> Option<String>,
    /// Those that were used.
    used: Vec<String>,
}

impl<'a> Keys<'a> {
    /// `find` looks a variable up.
    pub fn new(provider: Provider, find: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Keys { provider, find, used: Vec::new() }
    }

    /// The variable that a name stands for, such as `SENDGRID_API_KEY`.
    fn variable(&self, name: &str) -> String {
        format!("{}_{name}", self.provider.name().to_ascii_uppercase().replace('-', "_"))
    }

    pub fn get(&mut self, name: &str) -> Result<String, String> {
        let variable = self.variable(name);
        let key = (self.find)(&variable).map(|key| key.trim().to_owned()).filter(|key| !key.is_empty());
        let key = key.ok_or_else(|| format!("the variable {variable} is not set"))?;
        // It could not stand in a header, and that would be no message's fault.
        if !key.chars().all(|c| c.is_ascii_graphic() || c == ' ') {
            return Err(format!("the variable {variable} has characters that no key has"));
        }
        self.used.push(key.clone());
        Ok(key)
    }

    fn of_word(&mut self, word: &str) -> Result<Option<String>, String> {
        if NAMES.contains(&word) { self.get(word).map(Some) } else { Ok(None) }
    }

    /// The value of a header: a name alone or behind its scheme, or two of them, as `Basic` has them.
    pub fn header(&mut self, value: &str) -> Result<String, String> {
        let (scheme, word) = value.rsplit_once(' ').map_or(("", value), |(scheme, word)| (scheme, word));
        if scheme == "Basic"
            && let Some((name, password)) = decoded(word)
        {
            // Of Mailjet's two keys the second is the secret one.
            let password = if password == name && password == "API_KEY" { "API_SECRET".to_owned() } else { password };
            let name = self.of_word(&name)?.unwrap_or(name);
            let password = self.of_word(&password)?.unwrap_or(password);
            let both = BASE64_STANDARD.encode(format!("{name}:{password}"));
            self.used.push(both.clone());
            return Ok(format!("Basic {both}"));
        }
        Ok(match (self.of_word(word)?, scheme) {
            (None, _) => value.to_owned(),
            (Some(key), "") => key,
            (Some(key), scheme) => format!("{scheme} {key}"),
        })
    }

    /// A URL in whose path one may be a segment.
    pub fn url(&mut self, url: &str) -> Result<String, String> {
        let segments = url.split('/').map(|segment| {
            let Some(key) = self.of_word(segment)? else { return Ok(segment.to_owned()) };
            let encoded = utf8_percent_encode(&key, NON_ALPHANUMERIC).to_string();
            self.used.push(encoded.clone());
            Ok(encoded)
        });
        Ok(segments.collect::<Result<Vec<_>, String>>()?.join("/"))
    }

    /// A body of which a member may be one.
    pub fn body(&mut self, body: &mut Value) -> Result<(), String> {
        for member in MEMBERS {
            if let Some(Value::String(text)) = body.get_mut(member)
                && let Some(key) = self.of_word(text)?
            {
                *text = key;
            }
        }
        Ok(())
    }

    /// A text in which none of them is to be read.
    pub fn hide(&self, text: &str) -> String {
        self.used.iter().fold(text.to_owned(), |text, key| text.replace(key.as_str(), "..."))
    }
}

fn decoded(word: &str) -> Option<(String, String)> {
    let both = String::from_utf8(BASE64_STANDARD.decode(word).ok()?).ok()?;
    both.split_once(':').map(|(name, password)| (name.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_stand_where_their_names_stood() {
        let find = |name: &str| Some(format!("<{name}>"));
        let mut keys = Keys::new(Provider::Plivo, &find);
        assert_eq!(keys.header("Bearer API_KEY").unwrap(), "Bearer <PLIVO_API_KEY>");
        assert_eq!(keys.header("API_KEY").unwrap(), "<PLIVO_API_KEY>");
        assert_eq!(keys.header("Bearer their-own").unwrap(), "Bearer their-own");
        let basic = keys.header(&format!("Basic {}", BASE64_STANDARD.encode("API_KEY:API_KEY"))).unwrap();
        assert_eq!(decoded(&basic[6..]), Some(("<PLIVO_API_KEY>".to_owned(), "<PLIVO_API_SECRET>".to_owned())));
        assert_eq!(
            keys.url("https://a/Account/AUTH_ID/Message/").unwrap(),
            "https://a/Account/%3CPLIVO%5FAUTH%5FID%3E/Message/"
        );
        let mut body = json!({ "key": "API_KEY", "text": "API_KEY" });
        keys.body(&mut body).unwrap();
        assert_eq!(body, json!({ "key": "<PLIVO_API_KEY>", "text": "API_KEY" }));
        assert_eq!(keys.hide("no <PLIVO_API_KEY> here"), "no ... here");
    }

    #[test]
    fn a_key_that_is_not_there_is_named() {
        let mut keys = Keys::new(Provider::FirebaseFcm, &|_| None);
        assert_eq!(keys.get("ACCESS_TOKEN"), Err("the variable FIREBASE_FCM_ACCESS_TOKEN is not set".to_owned()));
        for key in ["two\nlines", "schl\u{fc}ssel"] {
            let find = |_: &str| Some(key.to_owned());
            let expected = "the variable FIREBASE_FCM_ACCESS_TOKEN has characters that no key has";
            assert_eq!(Keys::new(Provider::FirebaseFcm, &find).get("ACCESS_TOKEN"), Err(expected.to_owned()));
        }
    }
}
