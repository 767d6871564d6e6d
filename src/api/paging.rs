//! Lists a page at a time: cursors, and how a page looks.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::http::Pieces;
use crate::model::row::{JobRow, TemplateRow};

/// Items on a page, unless asked otherwise.
pub const DEFAULT_LIMIT: u64 = 100;
/// Items on a page, at most.
pub const MAX_LIMIT: u64 = 1_000;
/// About how much JSON a page holds: it ends early rather than exceed this.
pub const PAGE_BYTES: usize = 6 * 1024 * 1024;

/// What a [`Cursor`] leads through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PagedList {
    Outbox,
    /// The newest first.
    OutboxBackwards,
    Jobs,
    Messages,
    Brands,
    Templates,
    /// Of the journal.
    Requests,
    Faults,
    Outcomes,
    Webhooks,
    /// Of the doctor.
    Findings,
    Environments,
    /// What is delivered for real.
    Deliver,
    /// Of a job, with what became of them, by its row.
    PlacedUsers(JobRow),
    /// Of a job, by its row.
    Users(JobRow),
    /// Of a template, by its row.
    Versions(TemplateRow),
}

impl PagedList {
    /// Rows stay far below the numbers of what there is only one of.
    fn number(self) -> i64 {
        const KIND: i64 = 1 << 48;
        match self {
            PagedList::Outbox => 0,
            PagedList::Users(job) => job.0,
            PagedList::Templates => KIND,
            PagedList::Brands => 2 * KIND,
            PagedList::Versions(template) => 3 * KIND + template.0,
            PagedList::Messages => 4 * KIND,
            PagedList::OutboxBackwards => 5 * KIND,
            PagedList::Jobs => 6 * KIND,
            PagedList::Requests => 7 * KIND,
            PagedList::Faults => 8 * KIND,
            PagedList::Outcomes => 9 * KIND,
            PagedList::Webhooks => 10 * KIND,
            PagedList::Findings => 11 * KIND,
            PagedList::Environments => 12 * KIND,
            PagedList::PlacedUsers(job) => 13 * KIND + job.0,
            PagedList::Deliver => 14 * KIND,
        }
    }
}

/// A place in a list. For clients it is an opaque text of hexadecimal digits: some encode a cursor twice, so it
/// consists of characters that need no encoding. It belongs to the list that it was made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub list: PagedList,
    /// The place to go on from.
    pub position: u64,
}

impl Cursor {
    pub fn encode(self) -> String {
        encode(self.list.number().unsigned_abs(), self.position)
    }

    /// The position that a request asks for, 0 without a cursor.
    pub fn read(query: Option<&str>, list: PagedList) -> Result<u64> {
        let Some(text) = query else {
            return Ok(0);
        };
        match decode(text) {
            Some((found, position)) if found == list.number().unsigned_abs() => Ok(position),
            Some(_) => Err(Error::invalid("cursor", "this cursor belongs to another list")),
            None => Err(Error::invalid("cursor", "expected the 'cursor' of an earlier answer")),
        }
    }
}

fn encode(list: u64, position: u64) -> String {
    format!("{list:x}.{position:x}.{:08x}", check(list, position))
}

/// List and position. Both are numbers of rows, or little more.
fn decode(text: &str) -> Option<(u64, u64)> {
    let mut parts = text.split('.');
    let mut number = || u64::from_str_radix(parts.next()?, 16).ok().filter(|number| i64::try_from(*number).is_ok());
    let (list, position) = (number()?, number()?);
    (encode(list, position) == text).then_some((list, position))
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.encode())
    }
}

/// A place in a list that is ordered by a text. Looks like a [`Cursor`], and is as opaque.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextCursor {
    /// Tells the list from others.
    list: u64,
    /// The last text on the page before.
    after: String,
}

impl TextCursor {
    /// `list` names the list, `after` the last item that was shown.
    pub fn new(list: &str, after: &str) -> Self {
        TextCursor { list: hash(list.bytes()), after: after.to_owned() }
    }

    fn decode(text: &str) -> Option<TextCursor> {
        let mut parts = text.split('.');
        let list = u64::from_str_radix(parts.next()?, 16).ok()?;
        let (pairs, []) = parts.next()?.as_bytes().as_chunks::<2>() else { return None };
        let byte = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        let after = String::from_utf8(pairs.iter().map(byte).collect::<Option<_>>()?).ok()?;
        let cursor = TextCursor { list, after };
        (cursor.to_string() == text).then_some(cursor)
    }

    /// The text after which a request goes on in the list of this name, if it has a cursor.
    pub fn read(query: Option<&str>, list: &str) -> Result<Option<String>> {
        match query.map(TextCursor::decode) {
            None => Ok(None),
            Some(Some(cursor)) if cursor.list == hash(list.bytes()) => Ok(Some(cursor.after)),
            Some(Some(_)) => Err(Error::invalid("cursor", "this cursor belongs to another list")),
            Some(None) => Err(Error::invalid("cursor", "expected the 'cursor' of an earlier answer")),
        }
    }
}

impl fmt::Display for TextCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}.", self.list)?;
        self.after.bytes().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        write!(f, ".{:08x}", check(self.list, hash(self.after.bytes())))
    }
}

/// FNV-1a: the same in every version of bulkd, since cursors may outlive a restart.
fn hash(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Tells our cursors from other text. It is no secret: a cursor gives access to nothing that its list does not show.
fn check(list: u64, position: u64) -> u32 {
    let mixed = (list ^ position.rotate_left(32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed >> 32) as u32
}

/// `{"items": [...], "paging": {...}}`, with a cursor if there is more.
pub fn page(items: impl IntoIterator<Item = Result<String>>, next: Option<impl fmt::Display>) -> Result<Pieces> {
    let mut page = PageText::of_items();
    items.into_iter().try_for_each(|item| item.map(|item| page.push(&item)))?;
    Ok(page.end_items(next))
}

/// `{"paging": {...}, "results": [...]}`: the other shape that lists have at Courier.
pub fn results(items: impl IntoIterator<Item = Result<String>>, next: Option<impl fmt::Display>) -> Result<Pieces> {
    named("results", items, next)
}

/// `{"paging": {...}, "versions": [...]}`.
pub fn versions(items: impl IntoIterator<Item = Result<String>>, next: Option<impl fmt::Display>) -> Result<Pieces> {
    named("versions", items, next)
}

fn named(
    name: &str,
    items: impl IntoIterator<Item = Result<String>>,
    next: Option<impl fmt::Display>,
) -> Result<Pieces> {
    let mut page = PageText::new(&format!("{{{},\"{name}\":[", paging(next)));
    items.into_iter().try_for_each(|item| item.map(|item| page.push(&item)))?;
    Ok(page.end("]}"))
}

/// A page that is being written. Items are made and written one by one, into pieces that are sent as they are.
pub struct PageText {
    text: Pieces,
    begun: bool,
}

impl PageText {
    fn new(beginning: &str) -> Self {
        PageText { text: beginning.into(), begun: false }
    }

    /// `{"items": [...], "paging": {...}}`. Only its end tells whether there is more.
    pub fn of_items() -> Self {
        PageText::new("{\"items\":[")
    }

    /// A page of a list that is at hand as a whole, with the cursor of the next page: the items of `all` from place
    /// `from` on, at most `limit`, each as `show` writes it. `all` is complete, or reaches beyond this page.
    pub fn of_places<T>(
        (list, from, limit): (PagedList, u64, u64),
        all: impl ExactSizeIterator<Item = T>,
        mut show: impl FnMut(T) -> Result<Value>,
    ) -> Result<(Self, Option<Cursor>)> {
        let position = from.saturating_add(limit);
        let next = (position < all.len() as u64).then_some(Cursor { list, position });
        let place = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let mut page = PageText::of_items();
        all.skip(place(from)).take(place(limit)).try_for_each(|it| page.push_value(&show(it)?))?;
        Ok((page, next))
    }

    pub fn push(&mut self, item: &str) {
        self.begin_item();
        self.text.push(item.as_bytes());
    }

    /// The same of a value that is written for it.
    pub fn push_value(&mut self, item: &impl Serialize) -> Result<()> {
        self.begin_item();
        serde_json::to_writer(&mut self.text, item)
            .map_err(|error| Error::internal(format!("an item of a page cannot be written: {error}")))
    }

    fn begin_item(&mut self) {
        if self.begun {
            self.text.push(b",");
        }
        self.begun = true;
    }

    /// Whether the page goes on.
    pub fn has_room(&self) -> bool {
        self.text.len() < PAGE_BYTES
    }

    /// Ends one that was begun with [`PageText::of_items`].
    pub fn end_items(self, next: Option<impl fmt::Display>) -> Pieces {
        self.end(&format!("],{}}}", paging(next)))
    }

    /// The same with members beside, as they stand in an object.
    pub fn end_items_with(self, next: Option<impl fmt::Display>, members: &str) -> Pieces {
        self.end(&format!("],{},{members}}}", paging(next)))
    }

    fn end(mut self, end: &str) -> Pieces {
        self.text.push(end.as_bytes());
        self.text
    }
}

fn paging(next: Option<impl fmt::Display>) -> String {
    match next {
        Some(cursor) => format!("\"paging\":{{\"cursor\":\"{cursor}\",\"more\":true}}"),
        None => "\"paging\":{\"more\":false}".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_cursor_leads_back_to_its_place_in_its_list_only() {
        for after in ["", "a", "user \u{e9}.\"\u{0}"] {
            let cursor = TextCursor::new("lists", after).to_string();
            assert!(cursor.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.'), "{cursor}");
            assert_eq!(TextCursor::read(Some(&cursor), "lists").unwrap().as_deref(), Some(after));
            assert!(TextCursor::read(Some(&cursor), "others").is_err());
            for bad in
                [format!("{cursor}0"), format!("0{cursor}"), cursor.replace('.', ""), cursor.to_uppercase() + "."]
            {
                assert!(TextCursor::read(Some(&bad), "lists").is_err(), "{bad}");
            }
        }
        let numbered = Cursor { list: PagedList::Users(JobRow(1)), position: 2 }.encode();
        assert!(TextCursor::read(Some(&numbered), "lists").is_err());
    }
}
