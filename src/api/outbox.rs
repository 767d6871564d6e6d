//! The outbox over HTTP, for tests that assert on what was sent. Ours; Courier has nothing of the kind.

use super::call::{Action, Answer, Call};
use super::paging::{self, Cursor, PageText, PagedList};
use super::query::Query;
use crate::error::{Error, Result, shown};
use crate::model::channel::Channel;
use crate::model::environment::EnvironmentRow;
use crate::model::fold::folded;
use crate::model::message_status::MessageStatus;
use crate::model::provider::Provider;
use crate::model::row::MessageNumber;
use crate::outbox::entry::{self, Fields};
use crate::outbox::{Deliveries, detail};
use crate::store::outbox::{self, DeliveryFilter, Order, OutboxFilter, OutboxMessage, PageLimits};
use crate::store::search::Words;
use crate::store::{Db, Page, gone, job, message, search};

/// The most words to search for.
const WORDS: usize = 20;
/// The most messages that a page of a search looks at: about a second. Those that the index of texts rules out do not
/// count.
const LOOKED_AT: usize = 200_000;

/// What a request asks of the outbox.
struct Wanted {
    filter: OutboxFilter,
    /// In lower case.
    words: Vec<String>,
    message_id: Option<String>,
    after: Option<String>,
}

impl Wanted {
    fn read(query: &Query, message_id: Option<String>) -> Result<Self> {
        let (channel, provider, status) = (query.one("channel"), query.one("provider"), query.one("status"));
        let known = |name: &str, value: &Option<String>, names: &mut dyn Iterator<Item = &'static str>| {
            let names: Vec<&str> = names.collect();
            match value {
                Some(value) if !names.contains(&value.as_str()) => {
                    Err(Error::invalid(name, format_args!("expected one of {}", names.join(", "))))
                }
                _ => Ok(()),
            }
        };
        known("channel", &channel, &mut Channel::NAMES.iter().map(|(name, _)| *name))?;
        known("status", &status, &mut MessageStatus::NAMES.iter().map(|(name, _)| *name))?;
        let provider = match provider {
            None => None,
            Some(name) => match Provider::from_name(&name) {
                Some(provider) => Some(provider.name().to_owned()),
                None => {
                    let expected = format!("expected the name of a provider, found '{}'", shown(&name));
                    return Err(Error::invalid("provider", expected));
                }
            },
        };
        let words: Vec<String> = query.one("q").iter().flat_map(|text| text.split_whitespace()).map(folded).collect();
        if words.len() > WORDS {
            return Err(Error::invalid("q", format_args!("expected at most {WORDS} words, found {}", words.len())));
        }
        Ok(Wanted {
            filter: OutboxFilter {
                job_id: query.one("job_id"),
                number: None,
                recipient: query.one("recipient"),
                delivery: DeliveryFilter { channel, provider, status },
            },
            words,
            message_id,
            after: query.one("after"),
        })
    }

    /// The filter, the words, and the first number behind `after`.
    fn look_up(self, db: &Db<'_>, environment: EnvironmentRow) -> Result<(OutboxFilter, Vec<String>, MessageNumber)> {
        let mut filter = self.filter;
        if let Some(job_id) = &mut filter.job_id {
            *job_id = job::get_requested(db, environment, job_id)?.job_id;
        }
        if let Some(message_id) = &self.message_id {
            let place = message::find(db, environment, message_id)?;
            let Some(place) = place else {
                let unknown = Error::unknown("message_id", "message", message_id);
                return Err(unknown.explained(&gone::reason(db, message_id)?));
            };
            filter.number = Some(place.number);
        }
        let after = self.after.map_or(Ok(MessageNumber(0)), |after| behind(db, environment, "after", &after))?;
        Ok((filter, self.words, after))
    }
}

/// A page of what is asked for, by the index of texts if that includes words. At most so many messages are looked at
/// for them.
fn page(
    db: &Db<'_>,
    environment: EnvironmentRow,
    (filter, words, looked_at): (&OutboxFilter, Vec<String>, usize),
    numbers: (MessageNumber, MessageNumber),
    order: Order,
    limits: PageLimits,
) -> Result<Page<OutboxMessage, MessageNumber>> {
    match words.is_empty() {
        true => outbox::list(db, environment, filter, numbers, order, limits),
        false => search::list(db, environment, (filter, &Words { words, looked_at }), numbers, order, limits),
    }
}

/// The first number behind `after`, which is the id of a message, or the cursor of a page's end.
pub fn behind(db: &Db<'_>, environment: EnvironmentRow, field: &str, after: &str) -> Result<MessageNumber> {
    if let Ok(position) = Cursor::read(Some(after), PagedList::Outbox) {
        return Ok(MessageNumber(position as i64));
    }
    match message::find(db, environment, after)? {
        Some(place) => Ok(MessageNumber(place.number.0 + 1)),
        None => {
            let expected = "expected the id of a message under this API key, or a cursor of the outbox, oldest first";
            Err(Error::invalid(field, expected))
        }
    }
}

/// `GET /_bulkd/outbox`: what went out, in the order in which it was written or in reverse. There is an entry for each
/// channel, and one for a message that did not go out at all. A send's request id is its `job_id`.
pub fn list(call: Call<'_>) -> Result<Action> {
    let query = call.query();
    let wanted = Wanted::read(&query, query.one("message_id"))?;
    let fields = Fields::read(&query.all("fields"))?;
    let order = match query.one("order").as_deref() {
        None | Some("asc") => Order::OldestFirst,
        Some("desc") => Order::NewestFirst,
        Some(_) => return Err(Error::invalid("order", "expected 'asc' or 'desc'")),
    };
    let list = paged(order);
    let cursor = MessageNumber(Cursor::read(query.cursor().as_deref(), list)? as i64);
    let limits = PageLimits { messages: query.limit() as usize, bytes: paging::PAGE_BYTES };
    Action::query(move |db, environment| {
        let (filter, words, after) = wanted.look_up(db, environment)?;
        let numbers = match order {
            Order::OldestFirst => (cursor.max(after), MessageNumber(i64::MAX)),
            Order::NewestFirst if cursor == MessageNumber(0) => (after, MessageNumber(i64::MAX)),
            Order::NewestFirst => (after, cursor),
        };
        let page = page(db, environment, (&filter, words, LOOKED_AT), numbers, order, limits)?;
        let mut next = page.next;
        let (mut text, mut deliveries) = (PageText::of_items(), Deliveries::new(db));
        // The page ends early if what is derived from its rows is larger than a page may be.
        for found in page.items {
            if !text.has_room() {
                next = Some(found.message.number);
                break;
            }
            entry::entries(&found, &filter.delivery, fields, &mut deliveries, |entry| text.push_value(&entry))?;
        }
        let next = next.map(|number| Cursor { list, position: number.0.unsigned_abs() });
        Ok(Answer::new(200, text.end_items(next)))
    })
}

fn paged(order: Order) -> PagedList {
    match order {
        Order::OldestFirst => PagedList::Outbox,
        Order::NewestFirst => PagedList::OutboxBackwards,
    }
}

/// `GET /_bulkd/outbox/{message_id}`: 200 with all that is known of the message.
pub fn get(mut call: Call<'_>) -> Result<Action> {
    let (message_id, messages) = (call.path("message_id"), call.settings.messages);
    Action::query(move |db, environment| {
        let Some(place) = message::find(db, environment, &message_id)? else {
            let unknown = Error::unknown("message_id", "message", &message_id);
            return Err(unknown.explained(&gone::reason(db, &message_id)?));
        };
        Ok(Answer::new(200, detail::of(db, &place, messages)?.to_string()))
    })
}

/// `GET /_bulkd/outbox/latest`: the same of the newest message that fits.
pub fn latest(call: Call<'_>) -> Result<Action> {
    let (wanted, messages) = (Wanted::read(&call.query(), None)?, call.settings.messages);
    let limits = PageLimits { messages: 1, bytes: paging::PAGE_BYTES };
    Action::query(move |db, environment| {
        let (filter, words, after) = wanted.look_up(db, environment)?;
        let numbers = (after, MessageNumber(i64::MAX));
        let newest = page(db, environment, (&filter, words, usize::MAX), numbers, Order::NewestFirst, limits)?;
        let place = newest.items.first().map(|found| message::locate(db, found.message.number)).transpose()?.flatten();
        match place {
            Some(place) => Ok(Answer::new(200, detail::of(db, &place, messages)?.to_string())),
            None => Err(Error::not_found("there is no such message in the outbox (yet)")),
        }
    })
}
