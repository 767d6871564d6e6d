//! What a message must be like to count.

use std::borrow::Cow;

use regex_lite::{Regex, RegexBuilder};
use serde_json::{Map, Value, json};

use crate::error::{Error, Result, shown};
use crate::model::channel::Channel;
use crate::model::message::StoredDelivery;
use crate::model::message_status::MessageStatus;
use crate::model::provider::Provider;
use crate::outbox::Deliveries;
use crate::store::Db;
use crate::store::outbox::OutboxMessage;
use crate::store::watch::{Seen, Texts};

/// Criteria of a wait, at most.
pub const CRITERIA: usize = 50;
/// The most characters of the name of one. For data, the name is a path.
pub const NAME_CHARACTERS: usize = 200;
/// The most bytes of a wanted value, as JSON. A text of a message is rarely longer.
pub const VALUE_BYTES: usize = 64 * 1024;
/// The most characters of a regular expression, and the most memory of a compiled one.
pub const PATTERN_CHARACTERS: usize = 1_000;
const PATTERN_BYTES: usize = 1 << 15;
/// Patterns of a wait, at most.
const PATTERNS: usize = 5;
/// The most bytes of a text that a pattern is tried on: a malicious pattern takes seconds for so many.
pub const PATTERN_TEXT_BYTES: usize = 256 * 1024;
/// So many characters are shown of a text that was wanted or found.
const TOLD_CHARACTERS: usize = 200;

/// The members of an entry that a criterion can be about.
const TEXTS: [&str; 10] =
    ["recipient", "channel", "provider", "address", "status", "reason", "error", "subject", "body", "content"];

/// What must all hold for one delivery of a message, or for a message that did not go out.
#[derive(Debug, Default)]
pub struct Criteria {
    all: Vec<Criterion>,
    /// The job's id, if it has to be of one.
    pub job_id: Option<String>,
    /// The recipient, if it has to be this one.
    pub recipient: Option<String>,
    /// Only what went out counts: none of the criteria can hold for other messages.
    went_out: bool,
}

#[derive(Debug)]
struct Criterion {
    name: String,
    about: About,
    tests: Vec<Test>,
}

#[derive(Debug, PartialEq, Eq)]
enum About {
    JobId,
    MessageId,
    /// A member of an entry.
    Text(&'static str),
    Html,
    /// The data, by the names on the path.
    Data(Vec<String>),
}

#[derive(Debug)]
enum Test {
    Equals(Value),
    Contains(Value),
    Matches(Regex),
    Absent(bool),
}

/// Whether something is met. If all have to be met, the least counts; if one has to be, the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Met {
    No,
    /// A pattern was not tried: the text is too long for it.
    Untried,
    Yes,
}

impl From<bool> for Met {
    fn from(is: bool) -> Self {
        if is { Met::Yes } else { Met::No }
    }
}

/// Whether all are met. Stops at the first that is not.
fn all(mets: impl IntoIterator<Item = Met>) -> Met {
    let mut least = Met::Yes;
    for met in mets {
        least = least.min(met);
        if least == Met::No {
            break;
        }
    }
    least
}

/// How one criterion compares with what was found.
pub struct Told {
    pub name: String,
    pub met: Met,
    pub wanted: Value,
    pub found: Value,
}

impl Told {
    /// What is wrong, as a part of a sentence.
    pub fn sentence(&self) -> String {
        match self.met {
            Met::Untried => format!("its {} is too long for a pattern", self.name),
            Met::No | Met::Yes => format!("its {} is {}", self.name, self.found),
        }
    }
}

impl Criteria {
    /// Of the object `outbox` of a wait.
    pub fn read(object: &Map<String, Value>) -> Result<Self> {
        if object.len() > CRITERIA {
            return Err(Error::invalid("outbox", format_args!("expected at most {CRITERIA} members")));
        }
        let asks_how_it_went = |name: &String| ["status", "reason", "error", "message_id"].contains(&name.as_str());
        let mut criteria = Criteria { went_out: !object.keys().any(asks_how_it_went), ..Criteria::default() };
        for (name, wanted) in object {
            let criterion = Criterion::read(name, wanted)?;
            let equal = criterion.tests.iter().find_map(|test| match test {
                Test::Equals(Value::String(text)) => Some(text.clone()),
                _ => None,
            });
            match &criterion.about {
                About::JobId => criteria.job_id = equal,
                About::Text("recipient") => criteria.recipient = equal,
                _ => {}
            }
            criteria.all.push(criterion);
        }
        let patterns = criteria.all.iter().flat_map(|it| &it.tests).filter(|test| matches!(test, Test::Matches(_)));
        let patterns = patterns.count();
        if patterns > PATTERNS {
            let expected = format!("expected at most {PATTERNS} regular expressions, found {patterns}");
            return Err(Error::invalid("outbox", expected));
        }
        Ok(criteria)
    }

    /// Requires messages to be of this job.
    pub fn be_of_job(&mut self, job_id: String) {
        for criterion in self.all.iter_mut().filter(|it| it.about == About::JobId) {
            criterion.tests = vec![Test::Equals(Value::String(job_id.clone()))];
        }
        self.job_id = Some(job_id);
    }

    /// Whether the message counts. It is known to be of the right job.
    pub fn match_message(&self, db: &Db<'_>, seen: &Seen<'_>, deliveries: &mut Deliveries<'_>) -> Result<Met> {
        let needs_more = |it: &Criterion| !matches!(it.about, About::Text(_) | About::JobId);
        let needs_more = self.all.iter().any(needs_more);
        if !seen.has_further {
            let met = self.match_texts(&seen.texts()?);
            if met == Met::No || !needs_more {
                return Ok(met);
            }
        }
        let found = seen.message(db)?;
        self.matching(&found, deliveries).map(|(met, _)| met)
    }

    /// Whether there is a pattern. It looks at each character of a text, and a malicious one does so many times.
    pub fn has_patterns(&self) -> bool {
        self.all.iter().flat_map(|it| &it.tests).any(|test| matches!(test, Test::Matches(_)))
    }

    /// Whether deciding about a message may take long: with patterns, and where HTML or data are derived again.
    pub fn may_take_long(&self) -> bool {
        self.has_patterns() || self.all.iter().any(|it| matches!(it.about, About::Html | About::Data(_)))
    }

    /// The delivery that counts, of a message that does.
    pub fn counted<'m>(
        &self,
        found: &'m OutboxMessage,
        deliveries: &mut Deliveries<'_>,
    ) -> Result<Option<Option<&'m StoredDelivery>>> {
        match choices(found).as_slice() {
            // It is the only one, and need not be checked again.
            [delivery] if self.may_take_long() => Ok(Some(*delivery)),
            _ => self.matching(found, deliveries).map(|(met, delivery)| (met == Met::Yes).then_some(delivery)),
        }
    }

    fn match_texts(&self, texts: &Texts<'_>) -> Met {
        if self.went_out && !is_out(texts.status) {
            return Met::No;
        }
        // Patterns come last: all other criteria are quick.
        let of = |are_patterns: bool| self.all.iter().filter(move |it| it.has_patterns() == are_patterns);
        all(of(false).chain(of(true)).map(|it| match it.about {
            About::Text(name) => it.is_met_by_text(text(texts, name)),
            _ => Met::Yes,
        }))
    }

    /// Whether the message counts, and the first of its deliveries that does. A message without deliveries counts by
    /// itself.
    fn matching<'m>(
        &self,
        found: &'m OutboxMessage,
        deliveries: &mut Deliveries<'_>,
    ) -> Result<(Met, Option<&'m StoredDelivery>)> {
        let mut best = (Met::No, None);
        for delivery in choices(found) {
            let mut met = self.match_texts(&texts_of(found, delivery));
            for criterion in self.all.iter().filter(|it| !matches!(it.about, About::Text(_))) {
                if met == Met::No {
                    break;
                }
                met = met.min(criterion.is_met(found, delivery, deliveries)?.0);
            }
            if met > best.0 {
                best = (met, delivery);
            }
            if met == Met::Yes {
                break;
            }
        }
        Ok(best)
    }

    /// How near a message comes: each criterion, for the delivery that meets most of them.
    pub fn tell(&self, found: &OutboxMessage, deliveries: &mut Deliveries<'_>) -> Result<Vec<Told>> {
        let mut best: Vec<Told> = Vec::new();
        let ok = |told: &[Told]| told.iter().filter(|it| it.met == Met::Yes).count();
        for (i, delivery) in choices(found).into_iter().enumerate() {
            let mut told = Vec::new();
            let status = texts_of(found, delivery).status;
            if self.went_out && !is_out(status) {
                let (name, wanted) = ("status".to_owned(), json!("one that went out"));
                told.push(Told { name, met: Met::No, wanted, found: json!(status) });
            }
            for criterion in &self.all {
                let (met, value) = criterion.is_met(found, delivery, deliveries)?;
                told.push(Told { name: criterion.name.clone(), met, wanted: criterion.wanted(), found: cut(&value) });
            }
            if i == 0 || ok(&told) > ok(&best) {
                best = told;
            }
        }
        Ok(best)
    }

    /// In words, such as `recipient "ada" and subject containing "invoice"`.
    pub fn words(&self) -> String {
        self.all.iter().map(Criterion::words).collect::<Vec<_>>().join(", ")
    }
}

fn is_out(status: &str) -> bool {
    MessageStatus::from_name(status).is_some_and(|status| MessageStatus::LIFECYCLE.contains(&status))
}

/// The deliveries of a message, or none of them.
fn choices(found: &OutboxMessage) -> Vec<Option<&StoredDelivery>> {
    match found.message.deliveries.as_slice() {
        [] => vec![None],
        deliveries => deliveries.iter().map(Some).collect(),
    }
}

fn texts_of<'m>(found: &'m OutboxMessage, delivery: Option<&'m StoredDelivery>) -> Texts<'m> {
    let message = &found.message;
    Texts {
        recipient: &message.recipient,
        status: delivery.map_or(message.status, |it| it.status).name(),
        reason: delivery.map_or(message.reason, |it| it.reason).map(|it| it.name()),
        error: delivery.map_or(&message.error, |it| &it.error).as_deref(),
        channel: delivery.map(|it| it.channel.name()),
        provider: delivery.map(|it| it.provider.name()),
        address: delivery.map(|it| it.address.as_str()),
        subject: delivery.and_then(|it| it.subject.as_deref()),
        body: delivery.map(|it| it.body.as_str()),
        content: delivery.and_then(|it| it.content.as_deref()),
    }
}

fn text<'t>(texts: &Texts<'t>, name: &str) -> Option<&'t str> {
    match name {
        "recipient" => Some(texts.recipient),
        "status" => Some(texts.status),
        "reason" => texts.reason,
        "error" => texts.error,
        "channel" => texts.channel,
        "provider" => texts.provider,
        "address" => texts.address,
        "subject" => texts.subject,
        "body" => texts.body,
        _ => texts.content,
    }
}

impl Criterion {
    fn read(name: &str, wanted: &Value) -> Result<Self> {
        if name.chars().count() > NAME_CHARACTERS {
            let expected = format!("expected names of at most {NAME_CHARACTERS} characters, found '{}'", shown(name));
            return Err(Error::invalid("outbox", expected));
        }
        let at = format!("outbox.{name}");
        let about = match name {
            "job_id" => About::JobId,
            "message_id" => About::MessageId,
            "html" => About::Html,
            _ => match (TEXTS.iter().find(|known| **known == name), name.strip_prefix("data.")) {
                (Some(known), _) => About::Text(known),
                (None, Some(path)) if !path.is_empty() => About::Data(path.split('.').map(str::to_owned).collect()),
                _ => {
                    let known = TEXTS.join(", ");
                    let expected = format!(
                        "expected members of job_id, message_id, {known}, html or data.NAME, found '{}'",
                        shown(name)
                    );
                    return Err(Error::invalid("outbox", expected));
                }
            },
        };
        let tests = match wanted {
            Value::Object(operators) if operators.is_empty() => {
                return Err(Error::invalid(at, "expected a value, or one of equals, contains, matches and absent"));
            }
            Value::Object(operators) => {
                operators.iter().map(|(operator, value)| Test::read(&at, operator, value)).collect::<Result<_>>()?
            }
            value => vec![Test::Equals(bounded(value, &at)?)],
        };
        let mut criterion = Criterion { name: name.to_owned(), about, tests };
        criterion.check(&at)?;
        Ok(criterion)
    }

    /// Refuses what nothing can equal, and writes names as the outbox does.
    fn check(&mut self, at: &str) -> Result<()> {
        let is_one = self.tests.len() == 1;
        for test in &mut self.tests {
            match (&self.about, test) {
                (About::Data(_), _) => {}
                (About::JobId, Test::Equals(Value::String(_))) if is_one => {}
                (About::JobId, _) => return Err(Error::invalid(at, "expected the id of a job")),
                (_, Test::Equals(Value::Null)) => {}
                (_, Test::Equals(wanted) | Test::Contains(wanted)) if !wanted.is_string() => {
                    return Err(Error::invalid(at, "expected a string"));
                }
                (About::Text("channel"), Test::Equals(Value::String(name))) if Channel::from_name(name).is_none() => {
                    let names: Vec<&str> = Channel::NAMES.iter().map(|(name, _)| *name).collect();
                    return Err(Error::invalid(at, format_args!("expected one of {}", names.join(", "))));
                }
                (About::Text("status"), Test::Equals(Value::String(name)))
                    if MessageStatus::from_name(name).is_none() =>
                {
                    let names: Vec<&str> = MessageStatus::NAMES.iter().map(|(name, _)| *name).collect();
                    return Err(Error::invalid(at, format_args!("expected one of {}", names.join(", "))));
                }
                (About::Text("provider"), Test::Equals(Value::String(name))) => match Provider::from_name(name) {
                    Some(provider) => *name = provider.name().to_owned(),
                    None => return Err(Error::invalid(at, "expected the name of a provider")),
                },
                _ => {}
            }
        }
        Ok(())
    }

    fn has_patterns(&self) -> bool {
        self.tests.iter().any(|test| matches!(test, Test::Matches(_)))
    }

    fn is_met_by_text(&self, text: Option<&str>) -> Met {
        all(self.tests.iter().map(|test| test.is_met_by_text(text)))
    }

    /// Whether it is met, and what was found.
    fn is_met(
        &self,
        found: &OutboxMessage,
        delivery: Option<&StoredDelivery>,
        deliveries: &mut Deliveries<'_>,
    ) -> Result<(Met, Value)> {
        let of_text = |text: Option<&str>| (self.is_met_by_text(text), json!(text));
        Ok(match &self.about {
            About::Text(name) => of_text(text(&texts_of(found, delivery), name)),
            About::JobId => of_text(Some(&found.job_id)),
            About::MessageId => of_text(Some(&found.message.message_id)),
            About::Html => {
                let html = delivery.map(|it| deliveries.html(found.job, &found.message, it)).transpose()?;
                of_text(html.flatten().as_deref())
            }
            About::Data(path) => {
                let data = deliveries.data(found.job, &found.message)?;
                let value = at_path(&data, path);
                (all(self.tests.iter().map(|test| test.is_met_by(value))), value.cloned().unwrap_or_default())
            }
        })
    }

    /// As it was asked for, cut if it is long.
    fn wanted(&self) -> Value {
        match self.tests.as_slice() {
            [Test::Equals(value)] => cut(value),
            tests => Value::Object(tests.iter().map(Test::json).collect()),
        }
    }

    fn words(&self) -> String {
        let tests: Vec<String> = self.tests.iter().map(Test::words).collect();
        format!("{} {}", self.name, tests.join(" and "))
    }
}

/// The value at a path of names and places in arrays.
fn at_path<'v>(value: &'v Value, path: &[String]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, name| match value {
        Value::Object(members) => members.get(name),
        Value::Array(items) => items.get(name.parse::<usize>().ok()?),
        _ => None,
    })
}

impl Test {
    fn read(at: &str, operator: &str, value: &Value) -> Result<Self> {
        let at = format!("{at}.{operator}");
        match (operator, value) {
            ("equals", value) => Ok(Test::Equals(bounded(value, &at)?)),
            ("contains", value) => Ok(Test::Contains(bounded(value, &at)?)),
            ("absent", Value::Bool(absent)) => Ok(Test::Absent(*absent)),
            ("absent", _) => Err(Error::invalid(at, "expected true or false")),
            ("matches", Value::String(pattern)) if pattern.chars().count() <= PATTERN_CHARACTERS => {
                let mut builder = RegexBuilder::new(pattern);
                let regex = builder.size_limit(PATTERN_BYTES).build();
                regex.map(Test::Matches).map_err(|error| Error::invalid(at, format_args!("not a pattern: {error}")))
            }
            ("matches", _) => {
                let expected = format!("expected a regular expression of at most {PATTERN_CHARACTERS} characters");
                Err(Error::invalid(at, expected))
            }
            _ => {
                let at = at.rsplit_once('.').map_or_else(|| at.clone(), |(at, _)| at.to_owned());
                Err(Error::invalid(at, "expected a value, or an object of equals, contains, matches and absent"))
            }
        }
    }

    fn is_met_by_text(&self, found: Option<&str>) -> Met {
        Met::from(match (self, found) {
            (Test::Absent(absent), found) => found.is_none() == *absent,
            (Test::Equals(Value::Null), found) => found.is_none(),
            (Test::Equals(Value::String(wanted)), Some(found)) => wanted == found,
            (Test::Contains(Value::String(wanted)), Some(found)) => found.contains(wanted.as_str()),
            (Test::Matches(_), Some(found)) if found.len() > PATTERN_TEXT_BYTES => return Met::Untried,
            (Test::Matches(pattern), Some(found)) => pattern.is_match(found),
            _ => false,
        })
    }

    fn is_met_by(&self, found: Option<&Value>) -> Met {
        let found = found.filter(|value| !value.is_null());
        Met::from(match (self, found) {
            (_, None) => return self.is_met_by_text(None),
            (_, Some(Value::String(text))) => return self.is_met_by_text(Some(text)),
            (Test::Absent(absent), Some(_)) => !absent,
            (Test::Equals(wanted), Some(found)) => equal(wanted, found),
            (Test::Contains(wanted), Some(Value::Array(items))) => items.iter().any(|item| equal(wanted, item)),
            (Test::Contains(_), Some(_)) => false,
            (Test::Matches(_), Some(found)) => return self.is_met_by_text(Some(&found.to_string())),
        })
    }

    fn json(&self) -> (String, Value) {
        let (name, value) = match self {
            Test::Equals(value) => ("equals", cut(value)),
            Test::Contains(value) => ("contains", cut(value)),
            Test::Matches(pattern) => ("matches", json!(cut_text(pattern.as_str()))),
            Test::Absent(absent) => ("absent", json!(absent)),
        };
        (name.to_owned(), value)
    }

    fn words(&self) -> String {
        match self {
            Test::Equals(value) => cut(value).to_string(),
            Test::Contains(value) => format!("containing {}", cut(value)),
            Test::Matches(pattern) => format!("matching /{}/", cut_text(pattern.as_str())),
            Test::Absent(true) => "absent".to_owned(),
            Test::Absent(false) => "present".to_owned(),
        }
    }
}

/// 77 is 77.0, as in JavaScript.
fn equal(wanted: &Value, found: &Value) -> bool {
    match (wanted, found) {
        (Value::Number(_), Value::Number(_)) if wanted != found => {
            wanted.as_f64() == found.as_f64()
                && !(wanted.is_i64() && found.is_i64() || wanted.is_u64() && found.is_u64())
        }
        _ => wanted == found,
    }
}

/// A value that is wanted, unless it is too long.
fn bounded(value: &Value, at: &str) -> Result<Value> {
    let bytes = value.as_str().map_or_else(|| value.to_string().len(), str::len);
    if bytes > VALUE_BYTES {
        return Err(Error::invalid(at, format_args!("expected at most {VALUE_BYTES} bytes, found {bytes}")));
    }
    Ok(value.clone())
}

/// A value as it is shown: the beginning of its text, if that is long.
fn cut(value: &Value) -> Value {
    let text = match value {
        Value::String(text) => Cow::Borrowed(text),
        Value::Array(_) | Value::Object(_) => Cow::Owned(value.to_string()),
        _ => return value.clone(),
    };
    match cut_text(&text) {
        Cow::Borrowed(_) => value.clone(),
        Cow::Owned(beginning) => Value::String(beginning),
    }
}

fn cut_text(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(TOLD_CHARACTERS) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}
