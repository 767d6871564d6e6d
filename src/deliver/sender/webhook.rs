//! A webhook: the envelope, posted.

use super::http::{self, Client};
use super::{Outcome, Sender};
use crate::deliver::envelope::Envelope;
use crate::error::Result;

pub struct WebhookSender {
    client: Client,
    url: String,
}

impl WebhookSender {
    pub fn new(url: &str) -> Result<Self> {
        http::check(url)?;
        Ok(WebhookSender { client: Client::new()?, url: url.to_owned() })
    }
}

impl Sender for WebhookSender {
    fn send(&self, envelope: &Envelope) -> Outcome {
        let body = match envelope.to_json() {
            Ok(body) => body,
            Err(error) => return Outcome::refused(error.public_message()),
        };
        let headers = [("content-type", "application/cloudevents+json"), ("x-bulkd-event-id", &envelope.id)]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let request = match http::request("POST", &self.url, &headers, body.into_bytes()) {
            Ok(request) => request,
            Err(error) => return Outcome::refused(error),
        };
        match self.client.call(request) {
            Ok(answer) => answer.outcome(),
            Err(outcome) => outcome,
        }
    }

    fn stop(&self) {
        self.client.stop();
    }
}
