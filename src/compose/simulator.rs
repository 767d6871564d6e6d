//! Recipients that decide their own fate, as mail simulators and Twilio's test numbers do.

use crate::model::channel::Channel;
use crate::model::mailbox;
use crate::model::message_status::{MessageStatus, Reason, Verdict};

/// What becomes of a message to a simulated address.
pub enum Fate {
    Is(Verdict),
    /// The provider refuses it: the next provider or channel has its turn.
    Refused(Verdict),
    /// It waits first.
    Delayed {
        delay_ms: i64,
    },
}

const DOMAIN: &str = "simulator.bulkd";
/// How long a message to a simulated recipient that delays it waits.
pub const DELAY_MILLIS: i64 = 60_000;

/// The fate of an address, if it is one of the simulator's. The part behind a `+` in the name is ignored.
pub fn fate(channel: Channel, address: &str) -> Option<Fate> {
    match channel {
        Channel::Email => {
            let (name, domain) = mailbox::parts(mailbox::bare(address))?;
            if !domain.eq_ignore_ascii_case(DOMAIN) {
                return None;
            }
            of_name(name.split('+').next().unwrap_or_default())
        }
        Channel::Sms => of_number(address.strip_prefix("+15005550")?),
        _ => None,
    }
}

fn of_name(name: &str) -> Option<Fate> {
    let plain = |status| Fate::Is(Verdict::of(status));
    Some(match name.to_ascii_lowercase().as_str() {
        "delivered" => plain(MessageStatus::Delivered),
        "open" => plain(MessageStatus::Opened),
        "click" => plain(MessageStatus::Clicked),
        "bounce" => Fate::Is(undeliverable(Reason::Bounced, "the mailbox does not exist (simulated)")),
        "unsubscribed" => Fate::Is(undeliverable(Reason::Unsubscribed, "the recipient has unsubscribed (simulated)")),
        "reject" => Fate::Refused(undeliverable(Reason::ProviderError, "the provider refused the message (simulated)")),
        "delay" => Fate::Delayed { delay_ms: DELAY_MILLIS },
        _ => return None,
    })
}

/// The last three digits. Twilio gives its test numbers these meanings.
fn of_number(digits: &str) -> Option<Fate> {
    let refused = |error: &str| Fate::Refused(undeliverable(Reason::ProviderError, error));
    Some(match digits {
        "001" => refused("21211: the number is not valid (simulated)"),
        "002" => refused("21612: the number cannot be routed to (simulated)"),
        "003" => refused("21408: no permission to send to this country (simulated)"),
        "004" => Fate::Is(undeliverable(Reason::Unsubscribed, "21610: the number has unsubscribed (simulated)")),
        "006" => Fate::Is(Verdict::of(MessageStatus::Delivered)),
        "008" => Fate::Delayed { delay_ms: DELAY_MILLIS },
        "009" => Fate::Is(undeliverable(Reason::Bounced, "21614: the number cannot take messages (simulated)")),
        _ => return None,
    })
}

fn undeliverable(reason: Reason, error: &str) -> Verdict {
    Verdict::new(MessageStatus::Undeliverable, reason, error)
}
