//! PagerDuty: an event of the Events API v2.

use serde_json::{Value, json};

use super::elements;
use super::http;
use super::message::{ProviderMessage, shortened};
use crate::render::node::Node;

const URL: &str = "https://events.pagerduty.com/v2/enqueue";
/// Characters of a summary.
const SUMMARY_CHARS: usize = 1024;

pub fn request(message: &ProviderMessage<'_>) -> Value {
    // The recipient's own value takes precedence over that of the integration.
    let said = |member: &str, config: &[&str], default: &'static str| {
        let own = message.profile_text(&format!("/pagerduty/{member}")).filter(|text| !text.is_empty());
        Value::from(own.or_else(|| message.config(config)).unwrap_or(default))
    };
    let (title, text) = (message.title(), message.text());
    let summary = title.unwrap_or(text);
    let mut body = json!({
        "routing_key": said("routing_key", &["routing_key", "routingKey"], "ROUTING_KEY"),
        "event_action": said("event_action", &["event_action", "eventAction"], "trigger"),
        "payload": {
            "summary": shortened(summary, SUMMARY_CHARS),
            "source": said("source", &["source"], "SOURCE"),
            "severity": said("severity", &["severity"], "info"),
        },
    });
    if title.is_some() && !text.is_empty() {
        body["payload"]["custom_details"] = json!({ "body": text });
    }
    let (mut links, mut images) = (Vec::new(), Vec::new());
    for element in elements::read(message) {
        match element {
            Node::Action { content, href, .. } if !href.is_empty() => {
                links.push(json!({ "href": href, "text": content }))
            }
            Node::Image { src, alt_text, href } => {
                let mut image = json!({ "src": src });
                for (name, text) in [("alt", Some(alt_text)), ("href", href)] {
                    if let Some(text) = text.filter(|text| !text.is_empty()) {
                        image[name] = text.into();
                    }
                }
                images.push(image);
            }
            _ => {}
        }
    }
    for (name, found) in [("links", links), ("images", images)] {
        if !found.is_empty() {
            body[name] = found.into();
        }
    }
    http::post(URL, http::JSON, &[], body)
}
