//! A search in Mailpit's syntax: words with spaces between them, in quotes if they contain some, each with the place to
//! look in. Unlike at Mailpit, an address is a whole one, and what cannot be read is refused.

use super::call::Call;
use crate::clock::Timestamp;
use crate::error::{Error, Result, shown};
use crate::model::fold::folded;
use crate::model::mailbox::Mailbox;
use crate::outbox::{DEFAULT_SENDER, Email};

/// Characters of the name of a time zone, at most.
const ZONE_CHARACTERS: usize = 100;

/// The zone of dates without an offset, by the parameter `tz`.
pub fn timezone(call: &Call<'_>) -> Result<Option<String>> {
    let zone = call.query().one("tz");
    match &zone {
        Some(name) if name.len() > ZONE_CHARACTERS || !Timestamp::knows_zone(name) => {
            let expected = "expected the name of a time zone, such as Europe/Paris";
            Err(Error::invalid("tz", format_args!("{expected}, found '{}'", shown(name))))
        }
        _ => Ok(zone),
    }
}

#[derive(Debug, Default)]
pub struct Search {
    terms: Vec<Term>,
}

#[derive(Debug)]
struct Term {
    is_negated: bool,
    filter: Filter,
}

#[derive(Debug)]
enum Filter {
    /// In a place that a word names, such as `to`; folded.
    In(&'static str, String),
    /// Anywhere.
    Text(String),
    Read,
    Unread,
    Attachment,
    Inline,
    /// There are no tags.
    Tagged,
    From(Timestamp),
    UpTo(Timestamp),
    Larger(f64),
    Smaller(f64),
}

/// What is looked at of an e-mail.
pub struct Looked<'m> {
    pub id: &'m str,
    pub header_id: String,
    pub email: &'m Email,
    pub size: usize,
    pub created_at: Timestamp,
    pub is_read: bool,
}

/// What may stand before a colon: the place to look in.
const PLACES: [&str; 9] = ["addressed", "from", "to", "cc", "bcc", "reply-to", "subject", "message-id", "id"];

impl Search {
    /// Of a request's `query`.
    pub fn of_query(call: &Call<'_>) -> Result<Self> {
        let query = call.query();
        let search = Search::read(&query.one("query").unwrap_or_default(), timezone(call)?.as_deref())?;
        match search.is_empty() {
            true => Err(Error::invalid("query", "expected words to search for")),
            false => Ok(search),
        }
    }

    /// Dates without an offset are in `timezone`, or else in UTC.
    pub fn read(text: &str, timezone: Option<&str>) -> Result<Self> {
        let (mut words, mut word, mut is_quoted) = (Vec::new(), String::new(), false);
        for c in text.chars() {
            match c {
                '"' => is_quoted = !is_quoted,
                c if c.is_whitespace() && !is_quoted => words.push(std::mem::take(&mut word)),
                c => word.push(c),
            }
        }
        words.push(word);
        let terms = words.iter().filter_map(|word| Term::read(word.trim(), timezone).transpose());
        Ok(Search { terms: terms.collect::<Result<_>>()? })
    }

    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// Words that every e-mail that it finds has in its subject, text or address. An e-mail has only what is stored of
    /// it.
    pub fn words(&self) -> Vec<String> {
        let terms = self.terms.iter().filter(|term| !term.is_negated);
        let word = |term: &Term| match &term.filter {
            Filter::In("to" | "subject", word) => Some(word.clone()),
            // These are looked for in the sender, too.
            Filter::Text(word) | Filter::In("addressed", word) if !DEFAULT_SENDER.contains(word) => Some(word.clone()),
            _ => None,
        };
        terms.filter_map(word).collect()
    }

    pub fn finds(&self, mail: &Looked<'_>) -> bool {
        self.terms.iter().all(|term| term.filter.finds(mail) != term.is_negated)
    }
}

impl Term {
    /// `None` if the word says nothing.
    fn read(word: &str, timezone: Option<&str>) -> Result<Option<Term>> {
        let rest = word.strip_prefix(['-', '!']);
        let (is_negated, word) = (rest.is_some(), rest.unwrap_or(word));
        if !word.contains(char::is_alphanumeric) {
            return Ok(None);
        }
        let filter = match word.split_once(':') {
            Some((of, value)) => Filter::read(&of.to_ascii_lowercase(), value.trim(), timezone)?,
            None => None,
        };
        let filter = match filter {
            Some(Filter::In(_, value)) if value.is_empty() => return Ok(None),
            Some(filter) => filter,
            None => Filter::Text(folded(word)),
        };
        Ok(Some(Term { is_negated, filter }))
    }
}

impl Filter {
    /// `None` if the text before the colon is no place: then the word is like any other.
    fn read(of: &str, value: &str, timezone: Option<&str>) -> Result<Option<Filter>> {
        let refused = |expected: &str| {
            let found = shown(value);
            Err(Error::invalid("query", format_args!("{of}: expected {expected}, found '{found}'")))
        };
        let lower = folded(value);
        Ok(Some(match (of, lower.as_str()) {
            ("is", "read") => Filter::Read,
            ("is", "unread") => Filter::Unread,
            ("is", "tagged") | ("tag", _) => Filter::Tagged,
            ("is", _) => return refused("read, unread or tagged"),
            ("has", "attachment" | "attachments") => Filter::Attachment,
            ("has", "inline" | "inlines") => Filter::Inline,
            ("has", _) => return refused("attachment or inline"),
            ("after" | "before", _) => match (Timestamp::parse_iso(value, timezone), of) {
                (Some(at), "after") => Filter::From(at),
                (Some(at), _) => Filter::UpTo(at),
                (None, _) => return refused("a date, such as 2026-09-21 or 2026-09-21T14:13:20Z"),
            },
            ("larger" | "smaller", size) => match (bytes(size), of) {
                (Some(bytes), "larger") => Filter::Larger(bytes),
                (Some(bytes), _) => Filter::Smaller(bytes),
                (None, _) => return refused("a size, such as 200k or 1.5M"),
            },
            _ => match PLACES.iter().find(|place| **place == of) {
                Some(place) => Filter::In(place, lower),
                None => return Ok(None),
            },
        }))
    }

    fn finds(&self, mail: &Looked<'_>) -> bool {
        let size = mail.size as f64;
        match self {
            Filter::In(place, value) => is_in(place, value, mail),
            Filter::Text(value) => {
                let has = |text: &str| folded(text).contains(value);
                has(&mail.email.subject) || has(&mail.email.text) || is_in("addressed", value, mail)
            }
            Filter::Read => mail.is_read,
            Filter::Unread => !mail.is_read,
            Filter::Attachment => !mail.email.attachments.is_empty(),
            Filter::Inline => !mail.email.parted_attachments().0.is_empty(),
            Filter::Tagged => false,
            Filter::From(at) => mail.created_at >= *at,
            Filter::UpTo(at) => mail.created_at <= *at,
            Filter::Larger(bytes) => size > *bytes,
            Filter::Smaller(bytes) => size < *bytes,
        }
    }
}

fn is_in(place: &str, value: &str, mail: &Looked<'_>) -> bool {
    let Email { from, to, cc, bcc, reply_to, subject, .. } = mail.email;
    let has = |text: &str| folded(text).contains(value);
    // A whole address matches only itself.
    let is = |it: &Mailbox| match value.contains('@') {
        true => folded(&it.email) == value,
        false => has(&it.email) || it.name.as_deref().is_some_and(has),
    };
    let any = |all: &[Mailbox]| all.iter().any(is);
    match place {
        "from" => is(from),
        "to" => any(to),
        "cc" => any(cc),
        "bcc" => any(bcc),
        "reply-to" => any(reply_to),
        "subject" => has(subject),
        "message-id" => folded(&mail.header_id).contains(value.trim_matches(['<', '>'])),
        "id" => folded(mail.id) == value,
        _ => is(from) || any(to) || any(cc) || any(bcc) || any(reply_to),
    }
}

/// A size such as `2k`, `1.5MB` or `300`.
fn bytes(text: &str) -> Option<f64> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit = match unit.trim() {
        "" | "b" => 1.0,
        "k" | "kb" => 1024.0,
        "m" | "mb" => 1024.0 * 1024.0,
        _ => return None,
    };
    Some(number.parse::<f64>().ok()? * unit)
}
