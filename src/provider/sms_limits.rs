//! The longest texts that providers of SMS accept, besides Twilio.

use super::segments::{Encoding, segments};
use crate::model::provider::RequestForm;

/// All of them accept shorter texts.
const TAKEN_BY_ALL: usize = 600;

/// The most characters of a text in the GSM alphabet, and of any other. Plivo's are from its FAQ and its answer,
/// Amazon's from `Publish` in the reference of SNS, Vonage's from "Concatenation and Encoding". MessageBird's, nine
/// parts, are from no page that was found.
fn characters(form: RequestForm) -> Option<(usize, usize)> {
    match form {
        RequestForm::Messagebird => Some((1377, 603)),
        RequestForm::Plivo => Some((1600, 737)),
        RequestForm::Sns => Some((1600, 1600)),
        RequestForm::Vonage => Some((3200, 3200)),
        _ => None,
    }
}

/// The most parts of a text at Telnyx, from its page on encoding.
const TELNYX_PARTS: usize = 10;

/// A provider's answer to a text that is too long, with its own code.
pub fn too_long(form: RequestForm, text: &str) -> Option<String> {
    if text.len() <= TAKEN_BY_ALL {
        return None;
    }
    let parts = segments(text);
    if form == RequestForm::Telnyx {
        return (parts.count > TELNYX_PARTS)
            .then(|| format!("40302: Message too large: {} parts, of which {TELNYX_PARTS} are taken", parts.count));
    }
    let (gsm, other) = characters(form)?;
    let limit = if parts.encoding == Encoding::Gsm7 { gsm } else { other };
    let count = text.chars().count();
    (count > limit).then(|| match form {
        RequestForm::Messagebird => format!("10: body is invalid: {count} characters, of which {limit} are taken"),
        RequestForm::Vonage => "12: Message Too Long".to_owned(),
        RequestForm::Sns => "InvalidParameter: Invalid parameter: Message too long".to_owned(),
        _ if parts.encoding == Encoding::Gsm7 => format!("400: text parameter length exceeds {limit} characters"),
        _ => format!("400: text parameter length exceeds {limit} unicode characters"),
    })
}
