//! What stands in Redis: the names of the streams, and what their entries hold. docs/relay.md has the same for those
//! who write a sender of their own.

/// The consumer group of the senders.
pub const SENDERS: &str = "senders";
/// The field of an entry that has the event.
pub const EVENT: &str = "event";
/// Who has what no sender has taken on, of a channel that the sender who read it does not deliver. `channel:` and its name.
pub const OF_CHANNEL: &str = "channel:";
/// Who has what a sender had not yet sent when it stopped.
pub const RELEASED: &str = "released";

/// The streams of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    pub outbox: String,
    pub statuses: String,
    pub dead: String,
}

impl Keys {
    pub fn of(tag: &str) -> Self {
        let key = |stream: &str| format!("bulkd:{tag}:{stream}");
        Keys { outbox: key("outbox"), statuses: key("statuses"), dead: key("dead") }
    }

    /// The file that a key of an outbox is of.
    pub fn tag(outbox: &str) -> Option<&str> {
        outbox.strip_prefix("bulkd:")?.strip_suffix(":outbox").filter(|tag| is_tag(tag))
    }
}

/// Whether a file can have this tag.
pub fn is_tag(tag: &str) -> bool {
    tag.len() == 12 && tag.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// The number of the queue's entry from the id of the stream's, which is `{number}-0`.
pub fn entry_of(id: &str) -> Option<i64> {
    id.split_once('-').map_or(id, |(number, _)| number).parse().ok()
}

/// The fields of an entry as Redis lists them: a name, its value, the next name.
pub fn field<'a>(fields: &'a [String], name: &str) -> Option<&'a str> {
    fields.chunks_exact(2).find_map(|pair| match pair {
        [found, value] if found == name => Some(value.as_str()),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_name_a_file_and_entries_a_number() {
        let keys = Keys::of("0123456789ab");
        assert_eq!(keys.outbox, "bulkd:0123456789ab:outbox");
        assert_eq!(Keys::tag(&keys.outbox), Some("0123456789ab"));
        for other in ["bulkd::outbox", "bulkd:0123456789AB:outbox", "bulkd:0123456789ab:statuses", "outbox"] {
            assert_eq!(Keys::tag(other), None, "{other}");
        }
        assert_eq!((entry_of("17-0"), entry_of("17"), entry_of("x-0")), (Some(17), Some(17), None));
        let fields = ["a", "1", "b", "2", "rest"].map(str::to_owned);
        assert_eq!((field(&fields, "b"), field(&fields, "1"), field(&fields, "rest")), (Some("2"), None, None));
    }
}
