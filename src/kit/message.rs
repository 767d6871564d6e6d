//! A message of the outbox, as a test reads it.

use serde_json::{Map, Value};

/// A message on one channel.
#[derive(Clone, Debug, Default)]
pub struct Delivery {
    /// All members of the outbox's entry.
    pub raw: Value,
}

impl Delivery {
    pub fn channel(&self) -> &str {
        text(&self.raw, "channel").unwrap_or_default()
    }

    pub fn provider(&self) -> &str {
        text(&self.raw, "provider").unwrap_or_default()
    }

    pub fn address(&self) -> Option<&str> {
        text(&self.raw, "address")
    }

    pub fn subject(&self) -> Option<&str> {
        text(&self.raw, "subject")
    }

    pub fn body(&self) -> Option<&str> {
        text(&self.raw, "body")
    }

    pub fn html(&self) -> Option<&str> {
        text(&self.raw, "html")
    }

    /// What the provider would have been sent.
    pub fn request(&self) -> &Value {
        &self.raw["request"]
    }
}

/// A message with all its deliveries. Subject, body and the like are those of the delivery that was asked for, or of
/// the first.
#[derive(Clone, Debug)]
pub struct Message {
    /// The whole answer of `GET /_bulkd/outbox/{message_id}`.
    pub raw: Value,
    deliveries: Vec<Delivery>,
    delivery: Delivery,
}

impl Message {
    /// `asked` is the entry of the outbox that was asked for, if one was.
    pub(super) fn new(raw: Value, asked: &Value) -> Self {
        let of = raw["deliveries"].as_array().into_iter().flatten();
        let deliveries: Vec<Delivery> = of.map(|raw| Delivery { raw: raw.clone() }).collect();
        let is_asked =
            |it: &&Delivery| ["channel", "provider", "address"].iter().all(|name| it.raw[name] == asked[name]);
        let delivery = deliveries.iter().find(is_asked).or(deliveries.first()).cloned().unwrap_or_default();
        Message { raw, deliveries, delivery }
    }

    pub fn message_id(&self) -> &str {
        text(&self.raw, "message_id").unwrap_or_default()
    }

    pub fn recipient(&self) -> &str {
        text(&self.raw, "recipient").unwrap_or_default()
    }

    pub fn status(&self) -> &str {
        text(&self.raw, "status").unwrap_or_default()
    }

    pub fn deliveries(&self) -> &[Delivery] {
        &self.deliveries
    }

    pub fn delivery(&self) -> &Delivery {
        &self.delivery
    }

    pub fn channel(&self) -> &str {
        self.delivery.channel()
    }

    pub fn address(&self) -> Option<&str> {
        self.delivery.address()
    }

    pub fn subject(&self) -> Option<&str> {
        self.delivery.subject()
    }

    pub fn body(&self) -> Option<&str> {
        self.delivery.body()
    }

    pub fn html(&self) -> Option<&str> {
        self.delivery.html()
    }

    /// What the provider would have been sent.
    pub fn request(&self) -> &Value {
        self.delivery.request()
    }

    /// The merged data.
    pub fn data(&self) -> Value {
        let of = self.raw["data"].as_object().into_iter().flatten();
        of.map(|(name, given)| (name.clone(), given["value"].clone())).collect::<Map<_, _>>().into()
    }

    pub fn links(&self) -> Vec<&str> {
        texts(&self.raw["links"])
    }

    /// One-time codes, the likeliest first.
    pub fn codes(&self) -> Vec<&str> {
        texts(&self.raw["codes"])
    }

    /// The first link with this part, which may be empty.
    ///
    /// # Panics
    /// If it has none.
    #[track_caller]
    pub fn link(&self, part: &str) -> &str {
        let links = self.links();
        match links.iter().find(|link| link.contains(part)) {
            Some(link) => link,
            None => panic!("message {} has no link with '{part}'; its links are {links:?}", self.message_id()),
        }
    }

    /// The likeliest one-time code.
    ///
    /// # Panics
    /// If it has none.
    #[track_caller]
    pub fn code(&self) -> &str {
        match self.codes().first() {
            Some(code) => code,
            None => panic!("message {} has no one-time code; its text is {:?}", self.message_id(), self.body()),
        }
    }
}

fn text<'a>(raw: &'a Value, name: &str) -> Option<&'a str> {
    raw[name].as_str()
}

fn texts(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}
