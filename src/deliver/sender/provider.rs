//! A provider's own API: the request as it stands in the outbox, with its key.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use ureq::http::Uri;

use super::answer;
use super::http::{self, Client};
use super::keys::Keys;
use super::{Outcome, Sender};
use crate::deliver::envelope::Envelope;
use crate::error::Result;
use crate::model::provider::{Provider, RequestForm};

const JSON: &str = "application/json";
const FIELDS: &str = "application/x-www-form-urlencoded";
const PARTS: &str = "multipart/form-data";
/// What stands for a channel of Discord that has to be opened first.
const OPENED: &str = "CHANNEL_ID";

pub struct ProviderSender {
    client: Client,
    /// What answers in place of all providers.
    base: Option<String>,
}

/// A request as it goes over HTTP.
struct Call {
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    body: Value,
}

/// Why there is no call: for lack of a key, which may be set, or because there is none for such a message.
enum NoCall {
    Missing(String),
    Never(String),
}

impl From<NoCall> for Outcome {
    fn from(no: NoCall) -> Self {
        match no {
            NoCall::Missing(error) => Outcome::unauthorized(error),
            NoCall::Never(error) => Outcome::refused(error),
        }
    }
}

impl ProviderSender {
    pub fn new(base: Option<&str>) -> Result<Self> {
        if let Some(base) = base {
            http::check(base)?;
        }
        Ok(ProviderSender { client: Client::new()?, base: base.map(str::to_owned) })
    }

    fn try_send(
        &self,
        envelope: &Envelope,
        provider: Provider,
        keys: &mut Keys<'_>,
    ) -> std::result::Result<Outcome, Outcome> {
        let form = provider.row().form;
        let mut call = call(envelope, provider, keys)?;
        // The channel that leads to a user has to be opened.
        if let Some(before) = envelope.data.request.get("before") {
            let opened = self.make(with_keys(read(before)?, keys)?, keys)?;
            if !(200..300).contains(&opened.status) {
                return Err(opened.outcome());
            }
            let opened = serde_json::from_str(&opened.text).ok().and_then(|body: Value| answer::reference(&body));
            let id = opened.ok_or_else(|| Outcome::failed("the channel to the user could not be opened"))?;
            call.url = call.url.replace(OPENED, &utf8_percent_encode(&id, NON_ALPHANUMERIC).to_string());
        }
        let answer = self.make(call, keys)?;
        let has_taken = (200..300).contains(&answer.status);
        if let Some(why) = answer.unread.as_ref().filter(|_| has_taken && answer::is_in_body(form)) {
            let error = format!("the answer was {}, and what it says was not read: {why}", answer.status);
            return Err(Outcome::failed(error));
        }
        let body: Value = serde_json::from_str(&answer.text).unwrap_or_default();
        let refusal = has_taken.then(|| answer::refusal(form, &body)).flatten();
        Ok(refusal.unwrap_or_else(|| match answer.outcome() {
            Outcome::Accepted { reference } => Outcome::Accepted { reference: reference.or(answer::reference(&body)) },
            refused => refused,
        }))
    }

    /// Makes a call. What its answer repeats of the keys is hidden before a part of it is cut out and shown.
    fn make(&self, call: Call, keys: &Keys<'_>) -> std::result::Result<http::Answer, Outcome> {
        let Call { method, url, mut headers, body } = call;
        let url = self.base.as_ref().map_or(Ok(url.clone()), |base| moved(&url, base)).map_err(Outcome::refused)?;
        let body = encoded(&mut headers, &body);
        let request = http::request(&method, &url, &headers, body).map_err(Outcome::refused)?;
        let mut answer = self.client.call(request)?;
        answer.text = keys.hide(&answer.text);
        Ok(answer)
    }
}

impl Sender for ProviderSender {
    fn send(&self, envelope: &Envelope) -> Outcome {
        let name = &envelope.data.provider;
        let Some(provider) = Provider::from_name(name) else {
            return Outcome::refused(format!("there is no provider '{name}' here"));
        };
        let find = |variable: &str| std::env::var(variable).ok();
        let mut keys = Keys::new(provider, &find);
        match self.try_send(envelope, provider, &mut keys).unwrap_or_else(|refused| refused) {
            Outcome::Refused { reason, error, retry } => Outcome::Refused { reason, error: keys.hide(&error), retry },
            accepted => accepted,
        }
    }

    fn stop(&self) {
        self.client.stop();
    }
}

/// The call that brings a message to its provider.
fn call(envelope: &Envelope, provider: Provider, keys: &mut Keys<'_>) -> std::result::Result<Call, NoCall> {
    let data = &envelope.data;
    let (form, request) = (provider.row().form, &data.request);
    let never = |why: &str| Err(NoCall::Never(format!("{} cannot be called here: {why}", provider.name())));
    let bearer = |name: &str, keys: &mut Keys<'_>| -> std::result::Result<_, NoCall> {
        let key = keys.get(name).map_err(NoCall::Missing)?;
        Ok(vec![("Authorization".to_owned(), format!("Bearer {key}"))])
    };
    let post = |url: &str, headers: Vec<(String, String)>| Call {
        method: "POST".to_owned(),
        url: url.to_owned(),
        headers,
        body: request.clone(),
    };
    match form {
        RequestForm::Sendgrid => Ok(post("https://api.sendgrid.com/v3/mail/send", bearer("API_KEY", keys)?)),
        RequestForm::Fcm => {
            let headers = bearer("ACCESS_TOKEN", keys)?;
            let url = "https://fcm.googleapis.com/v1/projects/PROJECT_ID/messages:send";
            Ok(post(&keys.url(url).map_err(NoCall::Missing)?, headers))
        }
        RequestForm::Twilio => {
            let both = BASE64_STANDARD.encode("ACCOUNT_SID:AUTH_TOKEN");
            let authorization = keys.header(&format!("Basic {both}")).map_err(NoCall::Missing)?;
            let url = "https://api.twilio.com/2010-04-01/Accounts/ACCOUNT_SID/Messages.json";
            let headers = [("Content-Type", FIELDS), ("Authorization", &authorization)];
            let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
            Ok(post(&keys.url(url).map_err(NoCall::Missing)?, headers.to_vec()))
        }
        // The address of an incoming webhook stands for its channel.
        RequestForm::Slack | RequestForm::MsTeams if data.address.starts_with("https://") => {
            Ok(post(&data.address, Vec::new()))
        }
        RequestForm::Slack => Ok(post("https://slack.com/api/chat.postMessage", bearer("BOT_TOKEN", keys)?)),
        RequestForm::MsTeams => never("its address is no incoming webhook"),
        RequestForm::Ses | RequestForm::Sns => never("its requests have to be signed, which bulkd does not do"),
        RequestForm::Apns => never("it speaks HTTP/2 alone"),
        RequestForm::Smtp => never("it is no API; --deliver email=smtp://... sends what goes by SMTP"),
        RequestForm::Inbox => never("the inbox is Courier's own"),
        RequestForm::Common => never("bulkd does not know its form"),
        // What its own address names is no key of ours.
        RequestForm::Webhook => read(request),
        _ => with_keys(read(request)?, keys),
    }
}

/// A request of the outbox that is one of HTTP.
fn read(request: &Value) -> std::result::Result<Call, NoCall> {
    let text = |name: &str| request.get(name).and_then(Value::as_str);
    let (Some(method), Some(url)) = (text("method"), text("url")) else {
        return Err(NoCall::Never("the outbox has no HTTP request of it".to_owned()));
    };
    let headers = request.get("headers").and_then(Value::as_object).into_iter().flatten();
    let headers = headers.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect();
    let body = request.get("body").cloned().unwrap_or_default();
    Ok(Call { method: method.to_owned(), url: url.to_owned(), headers, body })
}

fn with_keys(mut call: Call, keys: &mut Keys<'_>) -> std::result::Result<Call, NoCall> {
    let mut fill = || {
        call.url = keys.url(&call.url)?;
        for (_, value) in &mut call.headers {
            *value = keys.header(value)?;
        }
        keys.body(&mut call.body)
    };
    fill().map_err(NoCall::Missing)?;
    Ok(call)
}

/// The same path at another base.
fn moved(url: &str, base: &str) -> std::result::Result<String, String> {
    let uri: Uri = url.parse().map_err(|_| format!("'{url}' is no URL"))?;
    Ok(format!("{base}{}", uri.path_and_query().map_or("/", |it| it.as_str())))
}

/// A body as its content type has it.
fn encoded(headers: &mut Vec<(String, String)>, body: &Value) -> Vec<u8> {
    let is_type = |(name, _): &&mut (String, String)| name.eq_ignore_ascii_case("content-type");
    let content_type = headers.iter_mut().find(is_type).map(|(_, value)| value);
    match (content_type, body.as_object()) {
        (Some(content_type), Some(fields)) if content_type.starts_with(FIELDS) => form(fields).into_bytes(),
        (Some(content_type), Some(fields)) if content_type.starts_with(PARTS) => {
            let boundary = boundary(body);
            *content_type = format!("{PARTS}; boundary={boundary}");
            parts(fields, &boundary)
        }
        (content_type, _) => {
            if content_type.is_none() {
                headers.push(("Content-Type".to_owned(), JSON.to_owned()));
            }
            body.to_string().into_bytes()
        }
    }
}

/// The values of a field: a list is one that is repeated.
fn values(value: &Value) -> &[Value] {
    value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice)
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn form(fields: &Map<String, Value>) -> String {
    let escaped = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let pair = |name: &str, value: &Value| format!("{}={}", escaped(name), escaped(&text(value)));
    let pairs = fields.iter().flat_map(|(name, value)| values(value).iter().map(move |value| pair(name, value)));
    pairs.collect::<Vec<_>>().join("&")
}

fn parts(fields: &Map<String, Value>, boundary: &str) -> Vec<u8> {
    let quoted = |text: &str| text.replace('"', "%22").replace(['\r', '\n'], " ");
    let mut body = Vec::new();
    for (name, value) in fields.iter().flat_map(|(name, all)| values(all).iter().map(move |value| (name, value))) {
        let member = |member: &str| value.get(member).and_then(Value::as_str);
        let name = quoted(name);
        let (head, content) = match (member("filename"), member("data")) {
            (Some(file), Some(data)) => {
                let content_type = member("contentType").unwrap_or("application/octet-stream");
                let head = format!("; filename=\"{}\"\r\nContent-Type: {}", quoted(file), quoted(content_type));
                (head, BASE64_STANDARD.decode(data).unwrap_or_default())
            }
            _ => (String::new(), text(value).into_bytes()),
        };
        body.extend(format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"{head}\r\n\r\n").bytes());
        body.extend(content);
        body.extend(b"\r\n");
    }
    body.extend(format!("--{boundary}--\r\n").bytes());
    body
}

/// A line that stands in none of the parts: it depends on every byte of them.
fn boundary(body: &Value) -> String {
    let hash = Sha256::digest(body.to_string().as_bytes());
    let digits: String = hash.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    format!("bulkd-{digits}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_body_goes_as_its_content_type_has_it() {
        let encoded = |content_type: Option<&str>, body: Value| {
            let mut headers: Vec<_> =
                content_type.into_iter().map(|it| ("Content-Type".to_owned(), it.to_owned())).collect();
            let body = String::from_utf8(super::encoded(&mut headers, &body)).unwrap();
            (headers[0].1.clone(), body)
        };
        let fields = json!({ "To": "+1 5", "MediaUrl": ["a", "b"], "Valid": 5 });
        assert_eq!(encoded(None, fields.clone()), (JSON.to_owned(), fields.to_string()));
        assert_eq!(encoded(Some(FIELDS), fields).1, "MediaUrl=a&MediaUrl=b&To=%2B1%205&Valid=5");
        let file =
            json!({ "to": "ada", "attachment": [{ "filename": "a\"b", "contentType": "text/plain", "data": "SGk=" }] });
        let (content_type, body) = encoded(Some(PARTS), file);
        let boundary = content_type.strip_prefix("multipart/form-data; boundary=").unwrap();
        assert!(
            body.contains("name=\"attachment\"; filename=\"a%22b\"\r\nContent-Type: text/plain\r\n\r\nHi\r\n"),
            "{body}"
        );
        assert!(body.starts_with(&format!("--{boundary}\r\n")) && body.ends_with(&format!("--{boundary}--\r\n")));
    }

    #[test]
    fn a_url_is_moved_to_a_base() {
        assert_eq!(moved("https://a.test/v3/x?y=1", "http://127.0.0.1:9").unwrap(), "http://127.0.0.1:9/v3/x?y=1");
        assert!(moved("no url", "http://127.0.0.1:9").is_err());
    }
}
