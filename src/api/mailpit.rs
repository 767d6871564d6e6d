//! The reading half of Mailpit's API, over the e-mails of one environment: a test that asks a mail catcher needs no
//! change. Deleting hides an e-mail here; the outbox keeps it. Unlike at Mailpit, an address in a search is a whole
//! one.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::call::{Action, Answer, Call};
use super::mailbox_state::{Done, MailboxState};
use super::mailpit_search::{Looked, Search, timezone};
use crate::clock::Timestamp;
use crate::error::{Error, Result, shown};
use crate::json;
use crate::model::channel::Channel;
use crate::model::environment::EnvironmentRow;
use crate::model::mailbox::Mailbox;
use crate::model::message::StoredDelivery;
use crate::model::row::{JobRow, MessageNumber};
use crate::outbox::{Deliveries, Email};
use crate::store::Db;
use crate::store::emails::{self, Sieve};
use crate::store::outbox::OutboxMessage;

pub const TEXT: &str = "text/plain; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";

/// The newest e-mails: older ones are not shown. Mailpit itself keeps 500.
const NEWEST: usize = 10_000;
/// E-mails on a page, unless asked otherwise, and at most.
const PAGE: usize = 50;
const LARGEST_PAGE: usize = 1_000;
/// Characters of a snippet.
const SNIPPET: usize = 250;

/// An e-mail that went out.
struct Mail {
    number: i64,
    id: String,
    created_at: Timestamp,
    email: Email,
}

/// The e-mail of a message, as a mail server would have got it.
fn delivered(found: &OutboxMessage) -> Option<&StoredDelivery> {
    let went_out = |it: &&StoredDelivery| emails::WENT_OUT.contains(&it.status);
    found.message.deliveries.iter().filter(|it| it.channel == Channel::Email).find(went_out)
}

/// Without its HTML, which takes most of the time.
fn mail(deliveries: &mut Deliveries<'_>, found: &OutboxMessage) -> Result<Option<Mail>> {
    let Some(delivery) = delivered(found) else { return Ok(None) };
    let (number, id, created_at) =
        (found.message.number.0, found.message.message_id.clone(), found.message.enqueued_at);
    Ok(Some(Mail { number, id, created_at, email: deliveries.email(found.job, &found.message, delivery, false)? }))
}

/// An e-mail that is shown: the number of its message, and its job.
type Place = (MessageNumber, JobRow);

/// The newest e-mails that are not hidden, at most so many.
fn there(db: &Db<'_>, environment: EnvironmentRow, state: &MailboxState, count: usize) -> Result<Vec<Place>> {
    let hidden_to = state.done().hidden_to;
    emails::newest(db, environment, hidden_to, count, |number| !state.done().hides(number.0))
}

/// Those of them that a search finds. What the index of texts rules out is skipped.
fn find(
    db: &Db<'_>,
    environment: EnvironmentRow,
    state: &MailboxState,
    search: &Search,
    all: &[Place],
) -> Result<Vec<Mail>> {
    let (mut found, mut deliveries) = (Vec::new(), Deliveries::new(db));
    let mut sieve = Sieve::new(db, environment, &search.words());
    for &(number, job) in all {
        if sieve.as_mut().map_or(Ok(false), |sieve| sieve.rules_out(number, job))? {
            continue;
        }
        let Some(message) = emails::at(db, number)? else { continue };
        if let Some(mail) = mail(&mut deliveries, &message)? {
            let is_read = state.done().read.contains(&mail.number);
            if search.finds(&mail.looked(is_read)) {
                found.push(mail);
            }
        }
    }
    Ok(found)
}

/// `GET /api/v1/messages?start=&limit=`.
pub fn list(call: Call<'_>) -> Result<Action> {
    listed(call, Search::default())
}

/// `GET /api/v1/search?query=&start=&limit=`.
pub fn search(call: Call<'_>) -> Result<Action> {
    let search = Search::of_query(&call)?;
    listed(call, search)
}

fn listed(call: Call<'_>, search: Search) -> Result<Action> {
    let number = |name| call.query().one(name).and_then(|text| text.parse::<usize>().ok());
    let (start, limit) = (number("start").unwrap_or(0), number("limit").unwrap_or(PAGE).min(LARGEST_PAGE));
    let state = call.settings.mailbox_state.clone();
    Action::query(move |db, environment| {
        let all = there(db, environment, &state, NEWEST)?;
        // Without words all are found, and only those of the page are built.
        let found = match search.is_empty() {
            true => None,
            false => Some(find(db, environment, &state, &search, &all)?),
        };
        let read = state.done().read.clone();
        let unread = |numbers: &[i64]| numbers.iter().filter(|number| !read.contains(number)).count();
        let all_unread = unread(&all.iter().map(|(number, _)| number.0).collect::<Vec<_>>());
        let (count, found_unread, page) = match found {
            Some(found) => {
                let found_unread = unread(&found.iter().map(|mail| mail.number).collect::<Vec<_>>());
                (found.len(), found_unread, found.into_iter().skip(start).take(limit).collect())
            }
            None => {
                let page = all.iter().skip(start).take(limit).copied().collect::<Vec<_>>();
                (all.len(), all_unread, find(db, environment, &state, &search, &page)?)
            }
        };
        let page: Vec<Value> = page.iter().map(|mail| mail.summary(read.contains(&mail.number))).collect();
        let body = json!({
            "total": all.len(), "unread": all_unread, "count": page.len(), "messages_count": count,
            "messages_unread": found_unread, "start": start, "tags": [], "messages": page,
        });
        Ok(Answer::new(200, body.to_string()))
    })
}

#[derive(Debug, Default)]
struct Chosen {
    ids: Vec<String>,
    read: bool,
    search: String,
}

impl Chosen {
    /// Reads a body with these members, in any case, as Mailpit does. Other members are refused: Mailpit itself ignores
    /// them, and then deletes everything.
    fn read(body: &str, known: &[&str]) -> Result<Self> {
        // Not even an empty list, which stands for an object elsewhere: it would hide all e-mails.
        let body: Value = json::value(body, String::new)?;
        let Value::Object(members) = body else {
            return Err(Error::invalid(
                "the body",
                format_args!("expected an object, found {}", json::kind(&body.to_string())),
            ));
        };
        let mut chosen = Chosen::default();
        for (name, value) in members {
            let Some(known) = known.iter().find(|known| known.eq_ignore_ascii_case(&name)) else {
                let problem = format!("expected members of {}, found '{}'", known.join(", "), shown(&name));
                return Err(Error::invalid("the body", problem));
            };
            match (*known, value) {
                (_, Value::Null) => {}
                ("IDs", value) => {
                    let ids = serde_json::from_value(value);
                    chosen.ids = ids.map_err(|_| Error::invalid("IDs", "expected an array of strings"))?;
                }
                ("Read", Value::Bool(read)) => chosen.read = read,
                ("Read", _) => return Err(Error::invalid("Read", "expected true or false")),
                (_, Value::String(search)) => chosen.search = search,
                _ => return Err(Error::invalid("Search", "expected a string")),
            }
        }
        if !chosen.ids.is_empty() && !chosen.search.is_empty() {
            return Err(Error::invalid("Search", "expected none beside IDs"));
        }
        Ok(chosen)
    }
}

/// The numbers of the chosen e-mails: by their ids, by a search, or all.
fn chosen(
    db: &Db<'_>,
    environment: EnvironmentRow,
    state: &MailboxState,
    (chosen, search): (&Chosen, &Search),
) -> Result<Vec<i64>> {
    if !chosen.ids.is_empty() {
        let found = chosen.ids.iter().map(|id| emails::get(db, environment, id));
        return Ok(found.collect::<Result<Vec<_>>>()?.into_iter().flatten().map(|it| it.message.number.0).collect());
    }
    let all = there(db, environment, state, NEWEST)?;
    if search.is_empty() {
        return Ok(all.into_iter().map(|(number, _)| number.0).collect());
    }
    Ok(find(db, environment, state, search, &all)?.into_iter().map(|mail| mail.number).collect())
}

/// `PUT /api/v1/messages?tz=` with `{IDs?, Read?, Search?}`.
pub fn mark(mut call: Call<'_>) -> Result<Action> {
    let sent = Chosen::read(&call.json()?, &["IDs", "Read", "Search"])?;
    let search = Search::read(&sent.search, timezone(&call)?.as_deref())
        .map_err(|error| error.with_path(|_| "Search".to_owned()))?;
    let state = call.settings.mailbox_state.clone();
    Action::query(move |db, environment| {
        let numbers = chosen(db, environment, &state, (&sent, &search))?;
        let mut done = state.done();
        match sent.read {
            true => done.read.extend(numbers),
            false => done.read.retain(|number| !numbers.contains(number)),
        }
        Ok(Answer::of_type(TEXT, "ok"))
    })
}

/// `DELETE /api/v1/messages` with `{IDs?}`: without ids, all e-mails are hidden.
pub fn delete(mut call: Call<'_>) -> Result<Action> {
    let sent = Chosen::read(&call.json_or_none()?, &["IDs"])?;
    let state = call.settings.mailbox_state.clone();
    Action::query(move |db, environment| {
        match sent.ids.is_empty() {
            true => {
                let last = emails::last(db)?.0;
                let mut done = state.done();
                *done = Done { hidden_to: last.max(done.hidden_to), ..Done::default() };
            }
            false => {
                let numbers = chosen(db, environment, &state, (&sent, &Search::default()))?;
                state.done().hidden.extend(numbers);
            }
        }
        Ok(Answer::of_type(TEXT, "ok"))
    })
}

/// `DELETE /api/v1/search?query=`.
pub fn delete_found(call: Call<'_>) -> Result<Action> {
    let (search, state) = (Search::of_query(&call)?, call.settings.mailbox_state.clone());
    Action::query(move |db, environment| {
        let all = there(db, environment, &state, NEWEST)?;
        let found = find(db, environment, &state, &search, &all)?;
        state.done().hidden.extend(found.iter().map(|mail| mail.number));
        Ok(Answer::of_type(TEXT, "ok"))
    })
}

/// The e-mail with this id, whole, and its message; `latest` is the newest.
fn one(db: &Db<'_>, environment: EnvironmentRow, state: &MailboxState, id: &str) -> Result<(Mail, OutboxMessage)> {
    let latest = match id {
        "latest" => match there(db, environment, state, 1)?.first() {
            Some((number, _)) => emails::at(db, *number)?,
            None => None,
        },
        id => emails::get(db, environment, id)?.filter(|found| !state.done().hides(found.message.number.0)),
    };
    let found = latest.ok_or_else(|| Error::not_found("there is no such e-mail"))?;
    let delivery = delivered(&found).ok_or_else(|| Error::not_found("the message has no e-mail that went out"))?;
    let email = Deliveries::new(db).email(found.job, &found.message, delivery, true)?;
    let (number, id, created_at) =
        (found.message.number.0, found.message.message_id.clone(), found.message.enqueued_at);
    Ok((Mail { number, id, created_at, email }, found))
}

/// Answers with what is made of one e-mail.
fn of_one(
    call: Call<'_>,
    id: String,
    answer: impl FnOnce(&Db<'_>, Mail, &OutboxMessage) -> Result<Answer> + 'static,
) -> Result<Action> {
    let state: Arc<MailboxState> = call.settings.mailbox_state.clone();
    Action::query(move |db, environment| {
        let (mail, found) = one(db, environment, &state, &id)?;
        state.done().read.insert(mail.number);
        answer(db, mail, &found)
    })
}

/// `GET /api/v1/message/{id}`.
pub fn get(mut call: Call<'_>) -> Result<Action> {
    let id = call.path("id");
    of_one(call, id, |_, mail, _| Ok(Answer::new(200, mail.whole().to_string())))
}

/// `GET /api/v1/message/{id}/headers`.
pub fn headers(mut call: Call<'_>) -> Result<Action> {
    let id = call.path("id");
    of_one(call, id, |_, mail, _| Ok(Answer::new(200, Value::Object(mail.headers()).to_string())))
}

/// `GET /api/v1/message/{id}/raw`.
pub fn raw(mut call: Call<'_>) -> Result<Action> {
    let id = call.path("id");
    of_one(call, id, |db, _, found| {
        let delivery = delivered(found).ok_or_else(|| Error::not_found("there is no such e-mail"))?;
        Ok(Answer::of_type(TEXT, Deliveries::new(db).raw_email(found.job, &found.message, delivery)?))
    })
}

/// `GET /view/{id}.html` and `.txt`.
pub fn view(mut call: Call<'_>) -> Result<Action> {
    let file = call.path("file");
    let (id, is_html) = match (file.strip_suffix(".html"), file.strip_suffix(".txt")) {
        (Some(id), _) => (id.to_owned(), true),
        (None, Some(id)) => (id.to_owned(), false),
        (None, None) => return Err(Error::not_found("expected the id of an e-mail with .html or .txt behind it")),
    };
    of_one(call, id, move |_, mail, _| {
        Ok(if is_html { Answer::of_type(HTML, mail.email.html) } else { Answer::of_type(TEXT, mail.email.text) })
    })
}

/// `GET /api/v1/info`.
pub fn info(call: Call<'_>) -> Result<Action> {
    let state = call.settings.mailbox_state.clone();
    Action::query(move |db, environment| {
        let all = there(db, environment, &state, NEWEST)?;
        let unread = all.iter().filter(|(number, _)| !state.done().read.contains(&number.0)).count();
        let version = concat!("bulkd ", env!("CARGO_PKG_VERSION"));
        let body = json!({
            "Version": version, "LatestVersion": version, "Database": "bulkd", "DatabaseSize": 0,
            "Messages": all.len(), "Unread": unread, "Tags": {},
            "RuntimeStats": {
                "Memory": 0, "MessagesDeleted": 0, "SMTPAccepted": 0, "SMTPAcceptedSize": 0, "SMTPIgnored": 0,
                "SMTPRejected": 0, "Uptime": 0,
            },
        });
        Ok(Answer::new(200, body.to_string()))
    })
}

/// `GET /api/v1/tags`: there are none.
pub fn tags(_: Call<'_>) -> Result<Action> {
    Action::query(|_, _| Ok(Answer::new(200, "[]")))
}

/// `GET /api/v1/chaos`: 400, as Mailpit answers where it is not enabled.
pub fn no_chaos(_: Call<'_>) -> Result<Action> {
    Err(Error::invalid("chaos", "it is not enabled; see /_bulkd/faults"))
}

/// `GET /livez` and `/readyz`.
pub fn live(_: Call<'_>) -> Result<Action> {
    Action::query(|_, _| Ok(Answer::of_type(TEXT, "ok")))
}

fn address(mailbox: &Mailbox) -> Value {
    json!({ "Name": mailbox.name.as_deref().unwrap_or_default(), "Address": mailbox.email })
}

fn addresses(mailboxes: &[Mailbox]) -> Value {
    mailboxes.iter().map(address).collect()
}

impl Mail {
    /// What a search looks at.
    fn looked(&self, is_read: bool) -> Looked<'_> {
        let Mail { id, created_at, email, .. } = self;
        Looked { id, header_id: self.header_id(), email, size: self.size(), created_at: *created_at, is_read }
    }

    /// Without brackets, as Mailpit shows it.
    fn header_id(&self) -> String {
        format!("{}@bulkd.localhost", self.id)
    }

    fn size(&self) -> usize {
        self.email.text.len() + self.email.html.len() + self.email.subject.len()
    }

    /// What stands in a list and in the e-mail itself.
    fn common(&self) -> Map<String, Value> {
        let Email { from, to, cc, bcc, reply_to, subject, .. } = &self.email;
        let common = json!({
            "ID": self.id, "MessageID": self.header_id(), "From": address(from), "To": addresses(to),
            "Cc": addresses(cc), "Bcc": addresses(bcc), "ReplyTo": addresses(reply_to), "Subject": subject,
            "Tags": [], "Username": "", "Size": self.size(),
        });
        match common {
            Value::Object(common) => common,
            _ => Map::new(),
        }
    }

    fn summary(&self, is_read: bool) -> Value {
        let mut mail = self.common();
        let words: Vec<&str> = self.email.text.split_whitespace().collect();
        mail.insert("Snippet".to_owned(), words.join(" ").chars().take(SNIPPET).collect::<String>().into());
        mail.insert("Created".to_owned(), self.created_at.iso().into());
        mail.insert("Read".to_owned(), is_read.into());
        mail.insert("Attachments".to_owned(), self.email.attachments.len().into());
        mail.into()
    }

    fn whole(&self) -> Value {
        let mut mail = self.common();
        let (inline, attached) = self.email.parted_attachments();
        let files = |files: Vec<&crate::outbox::Attachment>| -> Value {
            let file = |(i, it): (usize, &&crate::outbox::Attachment)| {
                json!({
                    "PartID": (i + 1).to_string(), "FileName": it.filename, "ContentType": it.content_type(),
                    "ContentID": it.content_id.as_deref().unwrap_or_default(), "Size": it.data.len() / 4 * 3,
                })
            };
            files.iter().enumerate().map(file).collect()
        };
        let unsubscribe = self.email.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("List-Unsubscribe"));
        let unsubscribe = unsubscribe.map_or("", |(_, value)| value.as_str());
        let links: Vec<&str> = unsubscribe.split(',').map(|it| it.trim().trim_matches(['<', '>'])).collect();
        let links: Vec<&str> = links.into_iter().filter(|link| !link.is_empty()).collect();
        mail.insert("Date".to_owned(), self.created_at.iso().into());
        mail.insert("ReturnPath".to_owned(), self.email.from.email.clone().into());
        mail.insert("Text".to_owned(), self.email.text.clone().into());
        mail.insert("HTML".to_owned(), self.email.html.clone().into());
        mail.insert("Inline".to_owned(), files(inline));
        mail.insert("Attachments".to_owned(), files(attached));
        let unsubscribe = json!({ "Header": unsubscribe, "HeaderPost": "", "Links": links, "Errors": "" });
        mail.insert("ListUnsubscribe".to_owned(), unsubscribe);
        mail.into()
    }

    fn headers(&self) -> Map<String, Value> {
        let list = |mailboxes: &[Mailbox]| mailboxes.iter().map(Mailbox::to_string).collect::<Vec<_>>().join(", ");
        let Email { from, to, cc, reply_to, subject, .. } = &self.email;
        let known = [
            ("From", from.to_string()),
            ("To", list(to)),
            ("Cc", list(cc)),
            ("Reply-To", list(reply_to)),
            ("Subject", subject.clone()),
            ("Message-Id", format!("<{}>", self.header_id())),
        ];
        let known = known.into_iter().filter(|(_, value)| !value.is_empty());
        let all = known.map(|(name, value)| (name.to_owned(), value)).chain(self.email.headers.iter().cloned());
        all.map(|(name, value)| (name, json!([value]))).collect()
    }
}
