//! Everything that can be asked, in any order, against a few structs that say what has to be answered.
//!
//! A failure shows the seed of its sequence. `BULKD_TEST_SEED` takes it back, and `BULKD_TEST_ROUNDS` is the number of
//! sequences that are played from there on.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use crate::support::{Customer, Daemon, NOW, json, open_file, seed, setting, sized};
use bulkd::settings::{Contract, ProviderLimits, UnknownTemplates};
use bulkd::store::check;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{RngExt, SeedableRng};
use serde_json::Value;

const ROUNDS: u64 = 12;
/// Sequences go on to here for as long as some kind of request has not come up by chance.
const MOST_ROUNDS: u64 = 20 * ROUNDS;
const STEPS: usize = 200;
const API_KEYS: [&str; 2] = ["acme", "globex"];
const HOUR: i64 = 60 * 60 * 1000;
const DAY: i64 = 24 * HOUR;

/// What has to happen in the sequences, for them to be worth their time.
const KINDS: &[&str] = &[
    "a job is created",
    "a job is created in the reading of the OpenAPI",
    "a user is ingested",
    "a user gets a generated recipient",
    "a user is twice in one call",
    "a user was in an earlier call",
    "a job takes more than a thousand users in a call",
    "a job is run",
    "a job without users is run",
    "a job is run a second time",
    "a job takes no more users",
    "a job is not known",
    "a job is in another environment",
    "a job is read",
    "a page of users is the last",
    "a page of users has more",
    "a page of users goes on from a cursor",
    "a page of messages is the last",
    "a page of messages has more",
    "a page of messages goes on from a cursor",
    "a cursor is of another list",
    "a cursor is made up",
    "a limit of the outbox is no size",
    "a message goes out by email",
    "a message goes out by sms",
    "a message goes out by push",
    "a message goes out by inbox",
    "a message has a template of its own",
    "a message is UNMAPPED",
    "a user has no readable address",
    "a user has data that the template cannot use",
    "a request is malformed",
    "a key is stored",
    "a key is replayed",
    "a key is replayed to another body",
    "a key is used in another environment",
    "a key is used again after it expired",
    "a key is refused for its expiration",
    "a key is kept for a refusal of later",
    "the clock stands just before an expiry",
    "the clock stands at an expiry",
    "the daemon is restarted",
    "the daemon is restarted right after a run",
];

#[derive(Default)]
struct Seen(BTreeMap<&'static str, u64>);

impl Seen {
    fn saw(&mut self, kind: &str) {
        let kind = KINDS.iter().find(|known| **known == kind).unwrap_or_else(|| panic!("add {kind:?} to KINDS"));
        *self.0.entry(kind).or_default() += 1;
    }

    fn missing(&self) -> Vec<&'static str> {
        KINDS.iter().copied().filter(|kind| !self.0.contains_key(kind)).collect()
    }
}

/// Names and values, in the order in which they are sent.
type Data = Vec<(&'static str, Value)>;

#[derive(Clone)]
struct Definition {
    text: String,
    has_event: bool,
    /// Where its words stand.
    path: &'static str,
    words: Words,
    data: Data,
}

#[derive(Clone, Copy)]
enum Words {
    Template(&'static str),
    Variables,
    Block,
    ByChannel,
    EachAsNumber,
}

#[derive(Clone)]
struct User {
    text: String,
    members: Vec<(&'static str, String)>,
    name: Option<String>,
    /// The address in the profile, under `to`, or none.
    profile: Profile,
    to_email: Option<String>,
    layers: [Data; 2],
}

#[derive(Clone)]
enum Profile {
    None,
    /// One with an empty address.
    Blank,
    Email(String),
    Phone(String),
    Token(String),
    Unreadable,
}

#[derive(Clone)]
struct Request {
    api_key: &'static str,
    once: Option<Once>,
    act: Act,
}

#[derive(Clone)]
struct Once {
    key: String,
    expiration: Expiration,
}

#[derive(Clone)]
enum Expiration {
    Default,
    In(&'static str, i64),
    At(i64),
    Unreadable(&'static str),
}

#[derive(Clone)]
enum Act {
    Create(Definition),
    Ingest(String, Vec<User>),
    Run(String),
    Job(String),
    Users(String, Page),
    Outbox { job_id: Option<String>, recipient: Option<String>, channel: Option<&'static str>, page: Page },
    Malformed(Malformed),
}

#[derive(Clone, Default)]
struct Page {
    limit: Option<&'static str>,
    cursor: Option<String>,
}

/// What is refused whatever the state is.
#[derive(Clone)]
struct Malformed {
    method: &'static str,
    path: String,
    body: Option<&'static str>,
    has_key: bool,
    status: u16,
    message: String,
}

/// A place in a list: that of a job's users by the job's id, or the outbox.
type Place = (Option<String>, u64);

struct Answer {
    status: u16,
    /// With `CURSOR` in place of the cursor that leads to `next`.
    body: String,
    next: Option<Place>,
    replayed: bool,
}

const CURSOR: &str = "<cursor>";

impl Answer {
    fn new(status: u16, body: impl Into<String>) -> Self {
        Answer { status, body: body.into(), next: None, replayed: false }
    }

    fn refusal(status: u16, message: &str) -> Self {
        let kind = if status == 401 { "authentication_error" } else { "invalid_request_error" };
        Answer::new(status, json!({ "message": message, "type": kind }).to_string())
    }

    fn page(items: &[String], next: Option<Place>) -> Self {
        let paging =
            if next.is_some() { format!("\"cursor\":\"{CURSOR}\",\"more\":true") } else { "\"more\":false".to_owned() };
        Answer { next, ..Answer::new(200, format!("{{\"items\":[{}],\"paging\":{{{paging}}}}}", items.join(","))) }
    }
}

impl Act {
    /// Method, path and body.
    fn spelled(&self) -> (&'static str, String, Option<String>) {
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let query = |page: &Page, filters: &[(&str, Option<&str>)]| -> String {
            let page = [("limit", page.limit), ("cursor", page.cursor.as_deref())];
            let given = filters.iter().chain(&page).filter_map(|(name, value)| Some((name, (*value)?)));
            given.map(|(name, value)| format!("&{name}={}", encoded(value))).collect()
        };
        match self {
            Act::Create(definition) => {
                ("POST", "/bulk".to_owned(), Some(format!("{{\"message\": {} }}", definition.text)))
            }
            Act::Ingest(job_id, users) => {
                let users: Vec<&str> = users.iter().map(|user| user.text.as_str()).collect();
                ("POST", format!("/bulk/{job_id}"), Some(format!("{{\"users\":[{}]}}", users.join(", "))))
            }
            Act::Run(job_id) => ("POST", format!("/bulk/{job_id}/run"), None),
            Act::Job(job_id) => ("GET", format!("/bulk/{job_id}"), None),
            Act::Users(job_id, page) => ("GET", format!("/bulk/{job_id}/users?{}", query(page, &[])), None),
            Act::Outbox { job_id, recipient, channel, page } => {
                let filters =
                    [("job_id", job_id.as_deref()), ("recipient", recipient.as_deref()), ("channel", *channel)];
                ("GET", format!("/_bulkd/outbox?fields=all{}", query(page, &filters)), None)
            }
            Act::Malformed(what) => (what.method, what.path.clone(), what.body.map(str::to_owned)),
        }
    }
}

impl Expiration {
    fn spelled(&self) -> Option<String> {
        match self {
            Expiration::Default => None,
            Expiration::In(text, _) | Expiration::Unreadable(text) => Some((*text).to_owned()),
            Expiration::At(at) => Some((at / 1000).to_string()),
        }
    }
}

/// The daemon as it ought to be.
struct Model<'a> {
    seen: &'a mut Seen,
    contract: Contract,
    templates: UnknownTemplates,
    now: i64,
    last_id: u64,
    jobs: Vec<Job>,
    outbox: Vec<Message>,
    last_number: i64,
    stored: HashMap<(&'static str, String, String), Stored>,
    cursors: Vec<(String, Place)>,
}

struct Job {
    api_key: &'static str,
    job_id: String,
    definition: Definition,
    users: Vec<(String, User)>,
    outcomes: Option<Vec<Result<String, String>>>,
}

struct Message {
    number: i64,
    api_key: &'static str,
    message_id: String,
    job_id: String,
    recipient: String,
    status: &'static str,
    /// None of an UNMAPPED message, which goes nowhere.
    rendered: Option<Rendered>,
    created_at: i64,
}

struct Stored {
    status: u16,
    body: String,
    request: String,
    expires_at: i64,
}

impl Job {
    fn failures(&self) -> usize {
        self.outcomes.iter().flatten().filter(|outcome| outcome.is_err()).count()
    }

    fn item(&self, seq: usize) -> String {
        let (recipient, user) = &self.users[seq];
        let outcome = self.outcomes.as_ref().map(|outcomes| &outcomes[seq]);
        let failed = matches!(outcome, Some(Err(_)));
        let ours = |name: &str| matches!(name, "recipient" | "status" | "messageId") || failed && name == "error";
        let kept = user.members.iter().filter(|(name, _)| !ours(name));
        let kept: String = kept.map(|(name, value)| format!(",\"{name}\":{value}")).collect();
        let state = match outcome {
            None => "\"status\":\"PENDING\"".to_owned(),
            Some(Ok(message_id)) => format!("\"status\":\"ENQUEUED\",\"messageId\":\"{message_id}\""),
            Some(Err(reason)) => format!("\"status\":\"ERROR\",\"error\":{}", json!(reason)),
        };
        format!("{{\"recipient\":{}{kept},{state}}}", json!(recipient))
    }
}

impl Message {
    fn item(&self) -> String {
        let rendered = self.rendered.as_ref();
        json!({
            "message_id": self.message_id, "job_id": self.job_id, "recipient": self.recipient,
            "channel": rendered.map(|it| it.channel), "address": rendered.map(|it| &it.address), "status": self.status,
            "subject": rendered.and_then(|it| it.subject.as_ref()), "body": rendered.map(|it| &it.body),
            "created_at": self.created_at,
        })
        .to_string()
    }

    /// A page of the outbox with only what the model knows of.
    fn known(page: &str) -> String {
        const KNOWN: [&str; 9] =
            ["message_id", "job_id", "recipient", "channel", "address", "status", "subject", "body", "created_at"];
        let mut page: Value = serde_json::from_str(page).unwrap();
        for item in page["items"].as_array_mut().into_iter().flatten() {
            item.as_object_mut().unwrap().retain(|name, _| KNOWN.contains(&name.as_str()));
        }
        page.to_string()
    }
}

impl Model<'_> {
    fn answer(&mut self, request: &Request) -> Answer {
        let (method, path, body) = request.act.spelled();
        if let Act::Malformed(Malformed { status: status @ (401 | 404), message, .. }) = &request.act {
            self.seen.saw("a request is malformed");
            return Answer::refusal(*status, message);
        }
        let once = request.once.as_ref().filter(|_| method == "POST");
        if let Some(Once { expiration: Expiration::Unreadable(_), .. }) = once {
            self.seen.saw("a key is refused for its expiration");
            return Answer::refusal(
                400,
                "x-idempotency-expiration: expected epoch seconds or milliseconds, an ISO 8601 date, or \
                 a duration such as '1 Day'",
            );
        }
        let Some(once) = once else { return self.read_and_act(request) };
        let request_text = format!("{path} {body:?}");
        let scope = (request.api_key, path.clone(), once.key.clone());
        if let Some(stored) = self.stored.get(&scope) {
            if stored.expires_at > self.now {
                let other = if stored.request == request_text { "" } else { " to another body" };
                self.seen.saw(&format!("a key is replayed{other}"));
                return Answer { replayed: true, ..Answer::new(stored.status, stored.body.clone()) };
            }
            self.seen.saw("a key is used again after it expired");
        }
        if API_KEYS
            .iter()
            .any(|other| *other != scope.0 && self.stored.contains_key(&(*other, path.clone(), once.key.clone())))
        {
            self.seen.saw("a key is used in another environment");
        }
        let mut expires_at = self.now
            + match once.expiration {
                Expiration::Default => 25 * HOUR,
                Expiration::In(_, life) => life,
                Expiration::At(at) => at - self.now,
                Expiration::Unreadable(_) => unreachable!(),
            };
        if self.contract == Contract::OpenApi {
            expires_at = expires_at.max(self.now + DAY);
        }
        if expires_at - self.now < DAY - 5 * 60_000 {
            self.seen.saw("a key is refused for its expiration");
            return Answer::refusal(
                400,
                "x-idempotency-expiration: expected a time between 24 hours and 1 year from now",
            );
        }
        let answer = self.read_and_act(request);
        if answer.status < 300 {
            self.seen.saw("a key is stored");
            let stored = Stored { status: answer.status, body: answer.body.clone(), request: request_text, expires_at };
            self.stored.insert(scope, stored);
        } else {
            self.seen.saw("a key is kept for a refusal of later");
        }
        answer
    }

    fn read_and_act(&mut self, request: &Request) -> Answer {
        match &request.act {
            Act::Malformed(Malformed { status, message, .. }) => {
                self.seen.saw("a request is malformed");
                Answer::refusal(*status, message)
            }
            Act::Create(definition) if self.contract != Contract::Tutorial && !definition.has_event => {
                Answer::refusal(400, "The 'event' parameter is required.")
            }
            _ => self.act(request),
        }
    }

    fn act(&mut self, request: &Request) -> Answer {
        match &request.act {
            Act::Create(definition) => self.create(request.api_key, definition),
            Act::Ingest(job_id, users) => self.with_job(request, job_id, |model, at| model.ingest(at, users)),
            Act::Run(job_id) => self.with_job(request, job_id, Self::run),
            Act::Job(job_id) => self.with_job(request, job_id, Self::job),
            Act::Users(job_id, page) => self.with_job(request, job_id, |model, at| model.users(at, page)),
            Act::Outbox { job_id, recipient, channel, page } => {
                let from = match self.position(page, None) {
                    Ok(from) => from as i64,
                    Err(refusal) => return refusal,
                };
                let list = |model: &mut Self| {
                    model.messages(page, from, |message| {
                        message.api_key == request.api_key
                            && job_id.as_ref().is_none_or(|job_id| *job_id == message.job_id)
                            && recipient.as_ref().is_none_or(|recipient| *recipient == message.recipient)
                            && channel
                                .is_none_or(|wanted| message.rendered.as_ref().is_some_and(|it| it.channel == wanted))
                    })
                };
                match job_id {
                    Some(job_id) => self.with_job(request, job_id, |model, _| list(model)),
                    None => list(self),
                }
            }
            Act::Malformed(_) => unreachable!(),
        }
    }

    fn with_job(&mut self, request: &Request, job_id: &str, act: impl FnOnce(&mut Self, usize) -> Answer) -> Answer {
        let at = self.jobs.iter().position(|job| job.job_id == job_id);
        match at {
            Some(at) if self.jobs[at].api_key == request.api_key => return act(self, at),
            Some(_) => self.seen.saw("a job is in another environment"),
            None => self.seen.saw("a job is not known"),
        }
        Answer::refusal(404, &format!("job_id: there is no bulk job '{job_id}' under this API key"))
    }

    fn create(&mut self, api_key: &'static str, definition: &Definition) -> Answer {
        self.last_id += 1;
        let job_id = format!("1-{:08x}-{:04x}{:020x}", self.now / 1000, self.now % 1000, self.last_id);
        let job =
            Job { api_key, job_id: job_id.clone(), definition: definition.clone(), users: Vec::new(), outcomes: None };
        self.jobs.push(job);
        self.seen.saw("a job is created");
        let open_api = self.contract == Contract::OpenApi;
        if open_api {
            self.seen.saw("a job is created in the reading of the OpenAPI");
        }
        Answer::new(if open_api { 200 } else { 201 }, format!("{{\"jobId\":\"{job_id}\"}}"))
    }

    fn ingest(&mut self, at: usize, users: &[User]) -> Answer {
        if self.jobs[at].outcomes.is_some() {
            self.seen.saw("a job takes no more users");
            return Answer::refusal(400, "job_id: this job was run already and takes no more users; create a new job");
        }
        let before = self.jobs[at].users.len();
        let mut errors = Vec::new();
        for user in users {
            let recipient = user.name.clone().unwrap_or_else(|| {
                self.seen.saw("a user gets a generated recipient");
                self.last_id += 1;
                format!("generated-{:011}", self.last_id)
            });
            let known = &mut self.jobs[at].users;
            match known.iter().position(|(known, _)| *known == recipient) {
                Some(seq) => {
                    let kind =
                        if seq < before { "a user was in an earlier call" } else { "a user is twice in one call" };
                    self.seen.saw(kind);
                    errors.push(format!("{{\"error\":\"Duplicate user\",\"user\":{}}}", user.text));
                }
                None => {
                    self.seen.saw("a user is ingested");
                    known.push((recipient, user.clone()));
                }
            }
        }
        if users.len() > 1000 {
            self.seen.saw("a job takes more than a thousand users in a call");
        }
        match self.contract {
            Contract::OpenApi => Answer::new(204, ""),
            Contract::Tutorial | Contract::Live => {
                let total = self.jobs[at].users.len() - before;
                Answer::new(200, format!("{{\"errors\":[{}],\"total\":{total}}}", errors.join(",")))
            }
        }
    }

    fn run(&mut self, at: usize) -> Answer {
        let job = &mut self.jobs[at];
        if job.outcomes.is_some() {
            self.seen.saw("a job is run a second time");
            return Answer::refusal(400, "job_id: this job was run already; a job runs once");
        }
        self.seen.saw(if job.users.is_empty() { "a job without users is run" } else { "a job is run" });
        let mut outcomes = Vec::new();
        for (recipient, user) in &job.users {
            self.last_number += 1;
            let message_id = format!("1-{:08x}-{}{:012x}", self.now / 1000, "0".repeat(12), self.last_number);
            let template = matches!(job.definition.words, Words::Template(_));
            let unmapped = template && self.templates == UnknownTemplates::Strict;
            let rendered = match unmapped {
                true => Ok(None),
                false => render(&job.definition, recipient, user).map(Some),
            };
            let kind = match &rendered {
                Ok(None) => "a message is UNMAPPED".to_owned(),
                Ok(Some(rendered)) => format!("a message goes out by {}", rendered.channel),
                Err(reason) if reason.contains("addressed") => "a user has no readable address".to_owned(),
                Err(_) => "a user has data that the template cannot use".to_owned(),
            };
            self.seen.saw(&kind);
            outcomes.push(rendered.map(|rendered| {
                if template {
                    self.seen.saw("a message has a template of its own");
                }
                self.outbox.push(Message {
                    number: self.last_number,
                    api_key: job.api_key,
                    message_id: message_id.clone(),
                    job_id: job.job_id.clone(),
                    recipient: recipient.clone(),
                    status: if unmapped { "UNMAPPED" } else { "SENT" },
                    rendered,
                    created_at: self.now,
                });
                message_id
            }));
        }
        job.outcomes = Some(outcomes);
        match self.contract {
            Contract::OpenApi => Answer::new(204, ""),
            Contract::Tutorial | Contract::Live => Answer::new(202, "{}"),
        }
    }

    fn job(&mut self, at: usize) -> Answer {
        self.seen.saw("a job is read");
        let job = &self.jobs[at];
        let failures = job.failures();
        Answer::new(
            200,
            format!(
                "{{\"job\":{{\"definition\":{},\
                 \"enqueued\":{},\"failures\":{failures},\"received\":{},\"status\":\"{}\"}}}}",
                job.definition.text,
                job.outcomes.as_ref().map_or(0, |outcomes| outcomes.len() - failures),
                job.users.len(),
                if job.outcomes.is_some() { "COMPLETED" } else { "CREATED" },
            ),
        )
    }

    fn users(&mut self, at: usize, page: &Page) -> Answer {
        let job_id = self.jobs[at].job_id.clone();
        let from = match self.position(page, Some(&job_id)) {
            Ok(from) => from as usize,
            Err(refusal) => return refusal,
        };
        let job = &self.jobs[at];
        let end = job.users.len().min(from + page.limit());
        let items: Vec<String> = (from..end).map(|seq| job.item(seq)).collect();
        let more = end < job.users.len();
        self.seen.saw(if more { "a page of users has more" } else { "a page of users is the last" });
        Answer::page(&items, more.then_some((Some(job_id), end as u64)))
    }

    fn messages(&mut self, page: &Page, from: i64, wanted: impl Fn(&Message) -> bool) -> Answer {
        let mut found = self.outbox.iter().filter(|message| message.number >= from && wanted(message));
        let messages: Vec<&Message> = found.by_ref().take(page.limit()).collect();
        let more = found.next().is_some();
        self.seen.saw(if more { "a page of messages has more" } else { "a page of messages is the last" });
        let items: Vec<String> = messages.iter().map(|message| message.item()).collect();
        let next = messages.last().filter(|_| more).map(|last| (None, last.number as u64 + 1));
        Answer::page(&items, next)
    }

    /// The position that a page's cursor stands for in this list.
    fn position(&mut self, page: &Page, list: Option<&String>) -> Result<u64, Answer> {
        // Courier's lists make the best of a limit that is none.
        let is_size = |limit: &str| limit.parse().is_ok_and(|limit: usize| (1..=1000).contains(&limit));
        if list.is_none() && page.limit.is_some_and(|limit| !is_size(limit)) {
            self.seen.saw("a limit of the outbox is no size");
            return Err(Answer::refusal(400, "limit: expected a whole number from 1 to 1000"));
        }
        let Some(cursor) = &page.cursor else { return Ok(0) };
        match self.cursors.iter().find(|(known, _)| known == cursor) {
            Some((_, (of, position))) if of.as_ref() == list => {
                let what = if list.is_some() { "users" } else { "messages" };
                self.seen.saw(&format!("a page of {what} goes on from a cursor"));
                Ok(*position)
            }
            Some(_) => {
                self.seen.saw("a cursor is of another list");
                Err(Answer::refusal(400, "cursor: this cursor belongs to another list"))
            }
            None => {
                self.seen.saw("a cursor is made up");
                Err(Answer::refusal(400, "cursor: expected the 'cursor' of an earlier answer"))
            }
        }
    }

    /// Fills the cursor that was answered into the answer that was expected, and remembers where it leads.
    fn learn_cursor(&mut self, expected: &mut Answer, text: &str) {
        let Some(place) = expected.next.clone() else { return };
        let answered: Value = serde_json::from_str(text).unwrap_or_default();
        let cursor = answered["paging"]["cursor"].as_str().unwrap_or(CURSOR).to_owned();
        expected.body = expected.body.replace(CURSOR, &cursor);
        match self.cursors.iter().find(|(known, known_place)| *known == cursor || *known_place == place) {
            Some(known) => assert_eq!(*known, (cursor, place), "a cursor is one place, and a place one cursor"),
            None => self.cursors.push((cursor, place)),
        }
    }
}

impl Page {
    fn limit(&self) -> usize {
        match self.limit.and_then(|limit| limit.parse().ok()) {
            None | Some(0) => 100,
            Some(limit) => limit.min(1000),
        }
    }
}

struct Rendered {
    channel: &'static str,
    address: String,
    subject: Option<String>,
    body: String,
}

fn render(definition: &Definition, recipient: &str, user: &User) -> Result<Rendered, String> {
    let (channel, address) = match (&user.profile, &user.to_email) {
        (Profile::Unreadable, _) => {
            return Err("the message could not be addressed: profile.email: expected a string, found integer 5".into());
        }
        (Profile::Email(address), _) | (_, Some(address)) => ("email", address.as_str()),
        (Profile::Phone(number), _) => ("sms", number.as_str()),
        (Profile::Token(token), _) => ("push", token.as_str()),
        (Profile::None | Profile::Blank, None) => ("inbox", recipient),
    };
    let data = merged([&definition.data, &user.layers[0], &user.layers[1]]);
    let shown = |name: &str| match data.iter().find(|(known, _)| *known == name).map(|(_, value)| value) {
        None => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(names)) => names[0].as_str().unwrap().to_owned(),
        Some(other) => other.to_string(),
    };
    let email = match (&user.profile, &user.to_email) {
        // What a profile says goes before `to`, even if it is nothing.
        (Profile::Blank, _) => "",
        (Profile::Email(email), _) | (_, Some(email)) => email.as_str(),
        _ => "",
    };
    let (subject, body) = match definition.words {
        Words::Template(id) => {
            let members: Vec<String> = data.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
            (Some(id.to_owned()), format!("{{{}}}", members.join(",")))
        }
        Words::Variables => {
            let (name, week) = (shown("name"), shown("week"));
            (Some(format!("Hello {name}")), format!("Week {week} of {name} <{email}> for {recipient}"))
        }
        Words::Block => {
            let vip = if shown("vip") == "true" { "VIP " } else { "" };
            (None, format!("{vip}{} <{email}>", shown("name")))
        }
        Words::ByChannel => {
            let by = if channel == "email" { "\n\nby mail" } else { "" };
            (Some("Hi".to_owned()), format!("To {}{by}", shown("name")))
        }
        Words::EachAsNumber if data.iter().any(|(name, value)| *name == "name" && value.is_array()) => {
            let place = format!("{}.content.body: line 1, column 22, {{{{add this 1}}}}", definition.path);
            return Err(format!("{place}: add: expected a number, found the text \"Listed\""));
        }
        Words::EachAsNumber => (None, "First: ".to_owned()),
    };
    Ok(Rendered { channel, address: address.to_owned(), subject, body })
}

/// Later layers over earlier ones, by name.
fn merged<const N: usize>(layers: [&Data; N]) -> Data {
    let mut merged = Data::new();
    for (name, value) in layers.into_iter().flatten() {
        match merged.iter_mut().find(|(known, _)| known == name) {
            Some(known) => known.1 = value.clone(),
            None => merged.push((name, value.clone())),
        }
    }
    merged
}

/// Makes things up.
struct Author(StdRng);

impl Author {
    fn chance(&mut self, of_a_hundred: u32) -> bool {
        self.0.random_range(0..100) < of_a_hundred
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        *of.choose(&mut self.0).unwrap()
    }

    fn object(&mut self, members: &[(&str, String)]) -> String {
        let (colon, comma) = self.pick(&[(":", ","), (" : ", " ,\n"), (": ", ", ")]);
        let members: Vec<String> = members.iter().map(|(name, value)| format!("\"{name}\"{colon}{value}")).collect();
        format!("{{{}}}", members.join(comma))
    }

    /// A string, sometimes with its first character as an escape.
    fn string(&mut self, text: &str) -> String {
        match text.chars().next().filter(char::is_ascii_alphanumeric) {
            Some(first) if self.chance(20) => format!("\"\\u{:04x}{}\"", u32::from(first), &text[1..]),
            _ => json!(text).to_string(),
        }
    }

    fn data(&mut self) -> Data {
        let mut data = Data::new();
        if self.chance(70) {
            data.push(("name", self.pick(&["Ada", "Zo\u{eb} \u{1F980}", "a \"b\" \\ <&>"]).into()));
        } else if self.chance(30) {
            data.push(("name", json!(["Listed"])));
        }
        if self.chance(40) {
            data.push(("week", self.0.random_range(0..60).into()));
        }
        if self.chance(40) {
            data.push(("vip", self.chance(50).into()));
        }
        data.shuffle(&mut self.0);
        data
    }

    fn data_text(&mut self, data: &Data) -> String {
        let members: Vec<_> = data.iter().map(|(name, value)| (*name, value.to_string())).collect();
        self.object(&members)
    }

    fn definition(&mut self) -> Definition {
        let template = Words::Template(self.pick(&["weekly", "nt_\u{eb}"]));
        let words = self.pick(&[template, Words::Variables, Words::Block, Words::ByChannel, Words::EachAsNumber]);
        let content = |title: Option<&str>, body: &str| match title {
            Some(title) => json!({ "title": title, "body": body }),
            None => json!({ "body": body }),
        };
        let (name, source) = match words {
            Words::Template(id) => ("template", json!(id)),
            Words::Variables => {
                let body = "Week {{week}} of {{data.name}} <{{profile.email}}> for {{recipient}}";
                ("content", content(Some("Hello {{name}}"), body))
            }
            Words::Block => ("content", content(None, "{{#if vip}}VIP {{/if}}{{name}} <{{profile.email}}>")),
            Words::EachAsNumber => ("content", content(None, "First: {{#each name}}{{add this 1}}{{/each}}")),
            Words::ByChannel => {
                let elements = json!([
                    { "type": "meta", "title": "Hi" },
                    { "type": "text", "content": "To {{name}}" },
                    { "type": "text", "content": "by mail", "channels": ["email"] },
                ]);
                ("content", json!({ "version": "2022-01-01", "elements": elements }))
            }
        };
        let (inner, outer) = (self.data(), self.data());
        let mut members = Vec::new();
        let (inner_text, outer_text) = (self.data_text(&inner), self.data_text(&outer));
        let has_event = self.chance(70);
        let data = match (words, self.chance(50)) {
            // The event itself is the template.
            (Words::Template(id), true) if has_event => {
                members.extend([("event", json!(id).to_string()), ("data", outer_text)]);
                outer
            }
            (_, true) => {
                let message = self.object(&[(name, source.to_string()), ("data", inner_text)]);
                members.extend([("message", message), ("data", outer_text)]);
                merged([&inner, &outer])
            }
            (_, false) => {
                members.extend([(name, source.to_string()), ("data", outer_text)]);
                outer
            }
        };
        let path = if members[0].0 == "message" { "message.message" } else { "message" };
        if has_event && members[0].0 != "event" {
            members.push(("event", "\"other\"".to_owned()));
        }
        members.shuffle(&mut self.0);
        Definition { text: self.object(&members), has_event, path, words, data }
    }

    fn user(&mut self, name: Option<String>) -> User {
        let mut members = Vec::new();
        let mut to = Vec::new();
        if let Some(name) = &name {
            let text = self.string(name);
            match self.0.random_range(0..4) {
                0 => members.push(("recipient", text)),
                1 => to.push(("user_id", text)),
                2 => members.push(("user_id", text)),
                _ => {
                    members.extend([("recipient", text), ("user_id", "\"other\"".to_owned())]);
                    to.push(("user_id", "\"another\"".to_owned()));
                }
            }
        }
        let number = self.0.random_range(0..1000);
        let (profile, text) = match self.0.random_range(0..12) {
            0 => (Profile::Unreadable, Some("{\"email\": 5}".to_owned())),
            1 | 2 => (Profile::Phone(format!("+{number}")), Some(format!("{{\"phone_number\":\"+{number}\"}}"))),
            3 => (Profile::Token(format!("t{number}")), Some(format!("{{\"expo\":{{\"tokens\":[\"t{number}\"]}}}}"))),
            4 => (Profile::Blank, Some("{\"email\":\"\", \"firebaseToken\":[]}".to_owned())),
            5 | 6 => (Profile::None, None),
            _ => (Profile::Email(format!("{number}@x.y")), Some(format!("{{ \"email\":\"{number}@x.y\"}}"))),
        };
        members.extend(text.map(|text| ("profile", text)));
        let to_email = self.chance(10).then(|| format!("to-{number}@x.y"));
        to.extend(to_email.as_ref().map(|email| ("email", json!(email).to_string())));
        let layers = [self.data(), self.data()];
        members.push(("data", self.data_text(&layers[0])));
        to.push(("data", self.data_text(&layers[1])));
        members.push(("to", self.object(&to)));
        let extras = [
            ("status", "\"mine\""),
            ("messageId", "7"),
            ("error", "[1.50]"),
            ("preferences", "{\"a\":1e2}"),
            ("x y", "null"),
        ];
        for (name, value) in extras {
            if self.chance(10) {
                members.push((name, value.to_owned()));
            }
        }
        members.shuffle(&mut self.0);
        User { text: self.object(&members), members, name, profile, to_email, layers }
    }

    fn users(&mut self) -> Vec<User> {
        if self.chance(3) {
            return (0..self.0.random_range(1001..2500)).map(|i| self.user(Some(format!("many-{i}")))).collect();
        }
        let name = |author: &mut Self| match author.0.random_range(0..20) {
            0..3 => None,
            3 => Some("zo\u{eb} & co".to_owned()),
            n => Some(format!("reader-{n}")),
        };
        (0..self.0.random_range(0..12))
            .map(|_| {
                let name = name(self);
                self.user(name)
            })
            .collect()
    }

    fn once(&mut self, now: i64) -> Once {
        let expiration = match self.0.random_range(0..12) {
            0 => Expiration::In("1 Day", DAY),
            1 => Expiration::In("3 days", 3 * DAY),
            2 => Expiration::At((now + 2 * DAY) / 1000 * 1000),
            3 => Expiration::In("1 hour", HOUR),
            4 => Expiration::Unreadable("soon"),
            _ => Expiration::Default,
        };
        Once { key: format!("key-{}", self.0.random_range(0..4)), expiration }
    }

    fn malformed(&mut self, job_id: &str) -> Malformed {
        let (method, path, body, message) = self.pick(&[
            ("POST", "/bulk", "{}", "the body: expected a field 'message'"),
            ("POST", "/bulk", "[1]", "the body: expected an object, found an array"),
            ("POST", "/bulk", r#"{"message":{"event":""}}"#, "The 'event' parameter is required."),
            (
                "POST",
                "/bulk",
                r#"{"message":{"event":"e","template":""}}"#,
                "message.template: expected the id of a template, found an empty string",
            ),
            (
                "POST",
                "/bulk",
                r#"{"message":{"event":"e","content":{"body":"{{#if a}}"}}}"#,
                "message.content.body: not a valid template: line 1, column 1, {{#if a}}: \
                 the block is left open: expected {{/if}} behind it",
            ),
            (
                "POST",
                "/bulk/{job_id}",
                r#"{"users":[{"recipient":"new"},{"recipient":""}]}"#,
                "users[1].recipient: expected a name, found an empty string",
            ),
            (
                "POST",
                "/bulk/{job_id}",
                r#"{"users":[{"recipient":"new"},{"to":{"user_id":5}}]}"#,
                "users[1].to.user_id: expected a string, found integer 5",
            ),
            ("POST", "/bulk/{job_id}", r#"{"users":{}}"#, "users: expected an array, found an object"),
            (
                "POST",
                "/bulk/{job_id}",
                r#"{"users":[{}]"#,
                "the body: not valid JSON: EOF while parsing an object at line 1 column 13",
            ),
            (
                "GET",
                "/_bulkd/outbox?channel=pigeon",
                "",
                "channel: expected one of email, sms, push, inbox, direct_message, webhook",
            ),
            ("GET", "/nothing", "", "there is no route GET /nothing"),
            ("POST", "/nothing/{job_id}/stop", "", "there is no route POST /nothing/{job_id}/stop"),
            ("GET", "/bulk/{job_id}", "", "Unauthorized"),
            ("POST", "/bulk/{job_id}/run", "", "Unauthorized"),
        ]);
        let fill = |text: &str| text.replace("{job_id}", job_id);
        Malformed {
            method,
            path: fill(path),
            body: (!body.is_empty()).then_some(body),
            has_key: message != "Unauthorized",
            status: match message {
                "Unauthorized" => 401,
                message if message.starts_with("there is no route") => 404,
                _ => 400,
            },
            message: fill(message),
        }
    }
}

/// A daemon, and what it ought to be.
struct Sequence<'a> {
    author: Author,
    daemon: Daemon,
    customers: HashMap<&'static str, Customer>,
    model: Model<'a>,
    starts: u64,
    /// The job that was run last, until it is looked at what became of it.
    running: Option<(&'static str, String)>,
    /// Requests with an idempotency key.
    keyed: Vec<Request>,
}

impl<'a> Sequence<'a> {
    fn begin(seed: u64, seen: &'a mut Seen) -> Self {
        let mut author = Author(StdRng::seed_from_u64(seed));
        let contract = match author.0.random_range(0..8) {
            0 | 1 => Contract::OpenApi,
            2 => Contract::Live,
            _ => Contract::Tutorial,
        };
        let templates = if author.chance(25) { UnknownTemplates::Strict } else { UnknownTemplates::Lenient };
        let daemon = Daemon::start_with(|config| {
            config.contract = contract;
            config.templates = templates;
            // The model knows no providers.
            config.provider_limits = ProviderLimits::Off;
        });
        let model = Model {
            seen,
            contract,
            templates,
            now: NOW,
            last_id: 0,
            jobs: Vec::new(),
            outbox: Vec::new(),
            last_number: 0,
            stored: HashMap::new(),
            cursors: Vec::new(),
        };
        let customers = Self::customers(&daemon);
        Sequence { author, daemon, customers, model, starts: 1, running: None, keyed: Vec::new() }
    }

    fn customers(daemon: &Daemon) -> HashMap<&'static str, Customer> {
        API_KEYS.into_iter().map(|key| (key, daemon.customer(key))).collect()
    }

    fn play(mut self) {
        for _ in 0..STEPS {
            self.step();
        }
        self.compare_everything();
    }

    fn step(&mut self) {
        match self.author.0.random_range(0..100) {
            0..2 => self.restart(),
            2..7 => self.advance(),
            7..17 => self.retry(),
            _ => {
                let request = self.request();
                let ran = matches!(request.act, Act::Run(_));
                self.ask(&request);
                if ran && self.author.chance(15) {
                    self.restart();
                }
            }
        }
    }

    fn restart(&mut self) {
        let kind = if self.running.is_some() { " right after a run" } else { "" };
        self.model.seen.saw(&format!("the daemon is restarted{kind}"));
        eprintln!("restart");
        self.daemon.restart();
        self.customers = Self::customers(&self.daemon);
        self.model.last_id = self.starts * 1_000_000;
        self.starts += 1;
    }

    fn advance(&mut self) {
        self.settle();
        let now = self.model.now;
        let next_expiry = self.model.stored.values().map(|stored| stored.expires_at).filter(|at| *at > now + 1).min();
        let by = match (self.author.0.random_range(0..3), next_expiry) {
            (0, Some(at)) => {
                self.model.seen.saw("the clock stands just before an expiry");
                at - 1 - now
            }
            (1, Some(at)) => {
                self.model.seen.saw("the clock stands at an expiry");
                at - now
            }
            _ => self.author.0.random_range(1..10 * HOUR),
        };
        eprintln!("the clock moves by {by} ms");
        self.daemon.clock.advance(Duration::from_millis(by as u64));
        self.model.now += by;
    }

    /// Sends an earlier request once more, or nearly.
    fn retry(&mut self) {
        let recent = &self.keyed[self.keyed.len().saturating_sub(8)..];
        let Some(mut request) = recent.choose(&mut self.author.0).cloned() else { return };
        match (self.author.0.random_range(0..4), &mut request.act) {
            (0, _) => request.api_key = self.author.pick(&API_KEYS),
            (1, Act::Create(definition)) => *definition = self.author.definition(),
            (1, Act::Ingest(_, users)) => *users = self.author.users(),
            _ => {}
        }
        self.ask(&request);
    }

    fn request(&mut self) -> Request {
        let jobs = &self.model.jobs;
        let among = if self.author.chance(80) { &jobs[jobs.len().saturating_sub(5)..] } else { jobs };
        let unknown = "1-00000000-000000000000000000000000".to_owned();
        let (owner, job_id) = match among.choose(&mut self.author.0) {
            Some(job) if self.author.chance(97) => (job.api_key, job.job_id.clone()),
            _ => (self.author.pick(&API_KEYS), unknown),
        };
        let mut api_key = if self.author.chance(93) { owner } else { self.author.pick(&API_KEYS) };
        let act = match self.author.0.random_range(0..86) {
            0..12 => {
                api_key = self.author.pick(&API_KEYS);
                Act::Create(self.author.definition())
            }
            12..36 => Act::Ingest(job_id, self.author.users()),
            36..45 => Act::Run(job_id),
            45..53 => Act::Job(job_id),
            53..66 => {
                let page = self.page(Some(&job_id));
                Act::Users(job_id, page)
            }
            66..79 => {
                let page = self.page(None);
                let recipient = self.author.chance(15).then(|| format!("reader-{}", self.author.0.random_range(4..20)));
                let channel = self.author.chance(20).then(|| self.author.pick(&["email", "sms", "push", "inbox"]));
                Act::Outbox {
                    job_id: self.author.chance(50).then_some(job_id),
                    recipient,
                    channel,
                    page: of_messages(page),
                }
            }
            _ => Act::Malformed(self.author.malformed(&job_id)),
        };
        let once = self.author.chance(35).then(|| self.author.once(self.model.now));
        Request { api_key, once, act }
    }

    /// A page from the beginning, or from a cursor that in most cases is of the same list.
    fn page(&mut self, list: Option<&String>) -> Page {
        let limits =
            [None, Some("1"), Some("2"), Some("3"), Some("7"), Some("0"), Some("1000"), Some("9999"), Some("x")];
        let limit = self.author.pick(&limits);
        let same_list = self.author.chance(85);
        let known = self.model.cursors.iter().filter(|(_, (of, _))| !same_list || of.as_ref() == list);
        let known: Vec<&String> = known.map(|(cursor, _)| cursor).collect();
        let cursor = match self.author.0.random_range(0..20) {
            0 => Some(self.author.pick(&["x", "0.0", "1.1.00000000", "1.1.1.1", "-1.0.0", "\u{eb}"]).to_owned()),
            1..13 => known.choose(&mut self.author.0).map(|cursor| (*cursor).clone()),
            _ => None,
        };
        Page { limit, cursor }
    }

    /// Sends a request and holds the answer against the model's.
    fn ask(&mut self, request: &Request) -> Option<String> {
        let running = self.running.as_ref().map(|(_, job_id)| job_id);
        let looks_at_what_runs = match &request.act {
            Act::Create(_) | Act::Ingest(..) | Act::Malformed(_) => false,
            Act::Run(job_id) => running != Some(job_id),
            Act::Job(job_id) | Act::Users(job_id, _) => running == Some(job_id),
            Act::Outbox { .. } => true,
        };
        if looks_at_what_runs {
            self.settle();
        }
        let (method, path, body) = request.act.spelled();
        let mut customer = self.customers[request.api_key].clone();
        if let Act::Malformed(Malformed { has_key, .. }) = &request.act {
            customer = if *has_key { customer } else { customer.without_key() };
        }
        if let Some(once) = &request.once {
            customer = customer.once(&once.key);
            let expiration = once.expiration.spelled();
            customer = expiration
                .map_or(customer.clone(), |expiration| customer.with_header("x-idempotency-expiration", &expiration));
        }
        let once = request.once.as_ref().map(|once| (&once.key, once.expiration.spelled()));
        eprintln!("{} {once:?} {method} {path} {:.2000}", request.api_key, body.as_deref().unwrap_or_default());
        let ran_before = self.model.jobs.iter().filter(|job| job.outcomes.is_some()).count();
        let mut expected = self.model.answer(request);
        let reply = customer.send(method, &path, body.as_deref());
        self.model.learn_cursor(&mut expected, &reply.text);
        let found = match &request.act {
            Act::Outbox { .. } if reply.status == 200 => Message::known(&reply.text),
            _ => reply.text.clone(),
        };
        assert_eq!((reply.status, &found), (expected.status, &expected.body));
        assert_eq!(reply.header("x-bulkd-replayed"), expected.replayed.then_some("true"));
        if let Act::Run(job_id) = &request.act
            && self.model.jobs.iter().filter(|job| job.outcomes.is_some()).count() > ran_before
        {
            self.running = Some((request.api_key, job_id.clone()));
        }
        if request.once.is_some() && method == "POST" {
            self.keyed.push(request.clone());
        }
        expected
            .next
            .and_then(|next| self.model.cursors.iter().find(|(_, place)| *place == next))
            .map(|it| it.0.clone())
    }

    /// Waits for the job that was run last.
    fn settle(&mut self) {
        if let Some((api_key, job_id)) = self.running.take() {
            self.customers[api_key].completed(&job_id);
        }
    }

    fn compare_everything(mut self) {
        self.settle();
        let jobs: Vec<_> = self.model.jobs.iter().map(|job| (job.api_key, job.job_id.clone())).collect();
        for (api_key, job_id) in jobs {
            self.ask(&Request { api_key, once: None, act: Act::Job(job_id.clone()) });
            self.ask_for_all(api_key, |page| Act::Users(job_id.clone(), page));
        }
        for api_key in API_KEYS {
            self.ask_for_all(api_key, |page| {
                let page = of_messages(page);
                Act::Outbox { job_id: None, recipient: None, channel: None, page }
            });
        }
        self.daemon.stop();
        let path = self.daemon.database();
        let file = open_file(&path);
        let mut outbox = file.prepare("SELECT job_id, recipient, channel, address, subject, body FROM outbox").unwrap();
        let mut found: Vec<[Option<String>; 6]> = outbox
            .query_map([], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?]))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        let message = |it: &Message| {
            let of = |text: fn(&Rendered) -> Option<String>| it.rendered.as_ref().and_then(text);
            [
                Some(it.job_id.clone()),
                Some(it.recipient.clone()),
                of(|it| Some(it.channel.to_owned())),
                of(|it| Some(it.address.clone())),
                of(|it| it.subject.clone()),
                of(|it| Some(it.body.clone())),
            ]
        };
        let mut expected: Vec<_> = self.model.outbox.iter().map(message).collect();
        found.sort();
        expected.sort();
        assert_eq!(found, expected);
        let keys = "SELECT count(*) FROM idempotency_keys WHERE expires_at > ?1";
        let keys: usize = file.query_row(keys, [self.model.now], |row| row.get(0)).unwrap();
        assert_eq!(keys, self.model.stored.values().filter(|stored| stored.expires_at > self.model.now).count());
        drop(outbox);
        drop(file);
        let summary = check::check(&path).unwrap();
        let jobs = &self.model.jobs;
        assert_eq!(
            (summary.jobs, summary.users, summary.messages, summary.failures),
            (
                jobs.len() as u64,
                jobs.iter().map(|job| job.users.len() as u64).sum(),
                expected.len() as u64,
                jobs.iter().map(|job| job.failures() as u64).sum()
            )
        );
    }

    fn ask_for_all(&mut self, api_key: &'static str, list: impl Fn(Page) -> Act) {
        let mut page = Page { limit: Some("1000"), cursor: None };
        loop {
            page.cursor = self.ask(&Request { api_key, once: None, act: list(page.clone()) });
            if page.cursor.is_none() {
                return;
            }
        }
    }
}

/// The model knows nothing of the bytes at which a page ends: those of 1,000 e-mails are more.
fn of_messages(page: Page) -> Page {
    let limit = page.limit.map(|limit| if ["1000", "9999"].contains(&limit) { "500" } else { limit });
    Page { limit, ..page }
}

#[test]
fn whatever_is_asked_in_whatever_order_is_answered_as_the_model_says() {
    let (first, least) = (seed(), sized(ROUNDS, 10 * ROUNDS));
    let asked = setting("BULKD_TEST_ROUNDS").map(|rounds| rounds.max(1));
    let mut seen = Seen::default();
    let mut rounds = 0;
    while rounds < asked.unwrap_or(least) || asked.is_none() && !seen.missing().is_empty() && rounds < MOST_ROUNDS {
        let seed = first.wrapping_add(rounds);
        eprintln!("\nthe sequence of BULKD_TEST_SEED={seed} BULKD_TEST_ROUNDS=1");
        Sequence::begin(seed, &mut seen).play();
        rounds += 1;
    }
    eprintln!("\nBULKD_TEST_SEED={first} BULKD_TEST_ROUNDS={rounds} came to {:#?}", seen.0);
    let missing = seen.missing();
    assert!(asked.is_some() || missing.is_empty(), "none of {rounds} sequences came to this: {missing:?}");
}
