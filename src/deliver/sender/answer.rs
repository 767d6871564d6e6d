//! What providers say in the body of an answer whose status says that all is well.

use serde_json::Value;

use super::{Outcome, Retry};
use crate::model::message_status::Reason;
use crate::model::provider::RequestForm;

/// Where an answer has the id that the provider gives to a message.
const IDS: [&str; 9] =
    ["/id", "/sid", "/message_id", "/MessageID", "/name", "/ts", "/results/id", "/data/id", "/messages/0/message-id"];

/// By what the provider calls a message.
pub fn reference(body: &Value) -> Option<String> {
    IDS.iter().find_map(|at| match body.pointer(at)? {
        Value::String(id) => Some(id.clone()),
        Value::Number(id) => Some(id.to_string()),
        _ => None,
    })
}

/// Whether providers of this form say in the body of an answer alone whether the message was taken.
pub fn is_in_body(form: RequestForm) -> bool {
    use RequestForm::{Expo, Mailjet, Mandrill, OneSignal, Slack, Vonage};
    matches!(form, Expo | Mailjet | Mandrill | OneSignal | Slack | Vonage)
}

/// Why a message was refused all the same, if it was. [`is_in_body`] knows the forms.
pub fn refusal(form: RequestForm, body: &Value) -> Option<Outcome> {
    let text = |at: &str| body.pointer(at).and_then(Value::as_str);
    match form {
        RequestForm::Slack if body.get("ok") == Some(&Value::Bool(false)) => {
            let error = text("/error").unwrap_or("no reason");
            // What is wrong with the key, or with the moment, is not wrong with the message.
            let retry = match error {
                "ratelimited" => Retry::After(None),
                "not_authed" | "invalid_auth" | "token_expired" | "token_revoked" | "account_inactive" => {
                    Retry::Unauthorized
                }
                _ => Retry::Never,
            };
            Some(refused(error, retry))
        }
        RequestForm::Vonage => {
            let status = text("/messages/0/status").filter(|status| *status != "0")?;
            let error = text("/messages/0/error-text").unwrap_or("no reason");
            let retry = match status {
                // Throttled, an error of theirs, and a quota that is used up.
                "1" | "5" | "9" => Retry::After(None),
                "4" => Retry::Unauthorized,
                _ => Retry::Never,
            };
            Some(refused(&format!("{status}: {error}"), retry))
        }
        RequestForm::Expo => {
            let data = body.get("data")?;
            let data = data.get(0).unwrap_or(data);
            (data.get("status")? == "error").then(|| {
                let error = data.get("message").and_then(Value::as_str).unwrap_or("no reason");
                let retry = match data.pointer("/details/error").and_then(Value::as_str) {
                    Some("MessageRateExceeded") => Retry::After(None),
                    Some("InvalidCredentials") => Retry::Unauthorized,
                    _ => Retry::Never,
                };
                refused(error, retry)
            })
        }
        RequestForm::Mailjet => {
            let status = text("/Messages/0/Status").filter(|status| *status != "success")?;
            Some(refused(text("/Messages/0/Errors/0/ErrorMessage").unwrap_or(status), Retry::Never))
        }
        RequestForm::Mandrill => {
            let status = text("/0/status").filter(|status| matches!(*status, "rejected" | "invalid"))?;
            Some(refused(text("/0/reject_reason").unwrap_or(status), Retry::Never))
        }
        RequestForm::OneSignal => {
            let errors = body.get("errors").filter(|it| text("/id").is_none_or(str::is_empty) && !it.is_null())?;
            Some(refused(&errors.to_string(), Retry::Never))
        }
        _ => None,
    }
}

fn refused(error: &str, retry: Retry) -> Outcome {
    Outcome::Refused { reason: Reason::ProviderError, error: format!("the provider refused it: {error}"), retry }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_of_200_may_refuse() {
        let retry = |form, body: Value| match refusal(form, &body) {
            Some(Outcome::Refused { retry, .. }) => Some(retry),
            _ => None,
        };
        let (never, later) = (Some(Retry::Never), Some(Retry::After(None)));
        assert_eq!(retry(RequestForm::Slack, json!({ "ok": true, "ts": "1" })), None);
        assert_eq!(retry(RequestForm::Slack, json!({ "ok": false, "error": "channel_not_found" })), never);
        assert_eq!(retry(RequestForm::Slack, json!({ "ok": false, "error": "ratelimited" })), later);
        let wrong_key = Some(Retry::Unauthorized);
        assert_eq!(retry(RequestForm::Slack, json!({ "ok": false, "error": "invalid_auth" })), wrong_key);
        assert_eq!(retry(RequestForm::Vonage, json!({ "messages": [{ "status": "4" }] })), wrong_key);
        assert_eq!(retry(RequestForm::Slack, json!(null)), None);
        assert_eq!(retry(RequestForm::Vonage, json!({ "messages": [{ "status": "0" }] })), None);
        assert_eq!(retry(RequestForm::Vonage, json!({ "messages": [{ "status": "6" }] })), never);
        assert_eq!(retry(RequestForm::Vonage, json!({ "messages": [{ "status": "1" }] })), later);
        assert_eq!(retry(RequestForm::Expo, json!({ "data": [{ "status": "ok" }] })), None);
        assert_eq!(retry(RequestForm::Expo, json!({ "data": { "status": "error" } })), never);
        assert_eq!(retry(RequestForm::Mailjet, json!({ "Messages": [{ "Status": "error" }] })), never);
        assert_eq!(retry(RequestForm::Mandrill, json!([{ "status": "rejected" }])), never);
        assert_eq!(retry(RequestForm::Mandrill, json!([{ "status": "queued" }])), None);
        assert_eq!(retry(RequestForm::OneSignal, json!({ "id": "", "errors": ["no"] })), never);
        assert_eq!(retry(RequestForm::OneSignal, json!({ "id": "x", "errors": { "y": [] } })), None);
        assert_eq!(reference(&json!({ "sid": "SM1" })).as_deref(), Some("SM1"));
        assert_eq!(reference(&json!([])), None);
    }
}
