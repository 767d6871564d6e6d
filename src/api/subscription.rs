//! Who is on which list, from both sides.

use std::sync::{Arc, OnceLock};

use serde::Deserialize;
use serde_json::json;

use super::call::{Action, Answer, Call, Change, ChangedEnvironment};
use super::paging::{self, TextCursor};
use super::profile::SUCCESS;
use crate::error::{Error, Result};
use crate::json::{self, Fields, Object, Text};
use crate::model::list as model;
use crate::model::preference;
use crate::model::row::ListRow;
use crate::store::list::List;
use crate::store::pieces::PIECE_ROWS;
use crate::store::subscription::{self, Subscriber, Subscription};
use crate::store::{Db, list, list_replacement};

#[derive(Deserialize)]
struct RecipientsBody<'a> {
    #[serde(borrow)]
    recipients: Vec<Fields<RecipientBody<'a>>>,
}

#[derive(Deserialize)]
struct RecipientBody<'a> {
    #[serde(borrow, rename = "recipientId")]
    recipient_id: Text<'a>,
    #[serde(borrow, default)]
    preferences: Option<Object<'a>>,
}

/// The list's id, and the users to put on it.
fn read_recipients(call: &mut Call<'_>) -> Result<(String, Vec<Subscriber>)> {
    let body = call.json()?;
    let list_id = call.path("list_id");
    model::check_id(&list_id, || "list_id".to_owned())?;
    let RecipientsBody { recipients } = json::read(&body, String::new)?;
    let subscriber = |(i, Fields(sent)): (usize, Fields<RecipientBody<'_>>)| {
        if sent.recipient_id.as_str().is_empty() {
            let at = format_args!("recipients[{i}].recipientId").to_string();
            return Err(Error::invalid(at, "expected a user's id, found an empty string"));
        }
        let preferences = preference::checked(sent.preferences, || format!("recipients[{i}].preferences"))?;
        Ok((sent.recipient_id.0.into_owned(), preferences))
    };
    let mut subscribers: Vec<Subscriber> = recipients.into_iter().enumerate().map(subscriber).collect::<Result<_>>()?;
    // Storing them in order takes a fraction of the time. Of those that are named twice, the first still comes first.
    subscribers.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok((list_id, subscribers))
}

/// `POST /lists/{list_id}/subscriptions` with `{recipients}`: 204. Subscriptions that exist already stay as they are. A
/// list that is missing is made.
pub fn add(mut call: Call<'_>) -> Result<Action> {
    let (list_id, recipients) = read_recipients(&mut call)?;
    let begun: OnceLock<ListRow> = OnceLock::new();
    Action::change_rows(recipients, subscription::text_bytes, Answer::new(204, ""), move |tx, environment, some| {
        let list = match begun.get() {
            None => {
                let list = list::find_or_create(tx, environment, &list_id)?;
                *begun.get_or_init(|| list)
            }
            // A list that was replaced since has lost the others, too.
            Some(&list) if !list::is_still(tx, environment, &list_id, list)? => return Ok(()),
            Some(&list) => list,
        };
        subscription::add(tx, list, some)
    })
}

/// `PUT /lists/{list_id}/subscriptions` with `{recipients}`: 204. Exactly these are on the list then.
pub fn replace(mut call: Call<'_>) -> Result<Action> {
    let (list_id, recipients) = read_recipients(&mut call)?;
    let recipients = Arc::new(recipients);
    Action::rework(move |view| {
        let find = |db: &Db<'_>, environment| {
            let list = list::find(db, environment, &list_id)?.map(|it| it.list);
            Ok((list, list_replacement::is_needless(db, list, recipients.len())?))
        };
        let (list_id, recipients, (before, in_place)) = (list_id.clone(), recipients.clone(), view.read(find)?);
        if !in_place {
            let staged = list_replacement::make(view.store(), before, &recipients)?;
            return Ok(Change::new(ChangedEnvironment::Made, move |tx, environment| {
                list_replacement::put(tx, environment, &list_id, &staged)?;
                Ok(Answer::new(204, ""))
            }));
        }
        Ok(Change::new(ChangedEnvironment::Made, move |tx, environment| {
            let list = list::find_or_create(tx, environment, &list_id)?;
            if !list_replacement::is_needless(tx, Some(list), recipients.len())? {
                return Err(Error::stale());
            }
            subscription::replace(tx, list, &recipients)?;
            Ok(Answer::new(204, ""))
        }))
    })
}

#[derive(Deserialize)]
struct SubscriptionBody<'a> {
    #[serde(borrow, default)]
    preferences: Option<Object<'a>>,
}

/// `PUT /lists/{list_id}/subscriptions/{user_id}` with `{preferences?}`: 204. A list that is missing is made.
pub fn put(mut call: Call<'_>) -> Result<Action> {
    let body = call.json_or_none()?;
    let SubscriptionBody { preferences } = json::read(&body, String::new)?;
    let preferences = preference::checked(preferences, || "preferences".to_owned())?;
    let (list_id, user_id) = (call.path("list_id"), call.path("user_id"));
    model::check_id(&list_id, || "list_id".to_owned())?;
    Action::change(move |tx, environment| {
        let list = list::find_or_create(tx, environment, &list_id)?;
        subscription::put(tx, list, &user_id, preferences.as_deref())?;
        Ok(Answer::new(204, ""))
    })
}

/// `DELETE /lists/{list_id}/subscriptions/{user_id}`: 204, whether or not the user was on the list.
pub fn delete(mut call: Call<'_>) -> Result<Action> {
    let (list_id, user_id) = (call.path("list_id"), call.path("user_id"));
    Action::change_existing(move |tx, environment| {
        let list = list::get(tx, environment, &list_id)?;
        subscription::delete(tx, list.list, &user_id)?;
        Ok(Answer::new(204, ""))
    })
}

/// `GET /lists/{list_id}/subscriptions?cursor=&limit=`: 200 `{items, paging}`, in the order of the users' ids.
pub fn list(mut call: Call<'_>) -> Result<Action> {
    let list_id = call.path("list_id");
    let (cursor, limit) = (call.query().cursor(), call.query().limit());
    Action::query(move |db, environment| {
        let list = list::get(db, environment, &list_id)?.list;
        let name = format!("subscriptions of {list_id}");
        let after = TextCursor::read(cursor.as_deref(), &name)?;
        let page = subscription::list(db, list, after.as_deref(), limit as usize, paging::PAGE_BYTES)?;
        let next = page.next.map(|user_id| TextCursor::new(&name, &user_id));
        Ok(Answer::new(200, paging::page(page.items.into_iter().map(|it| Ok(item(&it))), next)?))
    })
}

fn item(subscription: &Subscription) -> String {
    let item = json!({ "recipientId": subscription.user_id, "created": subscription.created_at.iso() });
    with_preferences(item.to_string(), subscription.preferences.as_deref())
}

/// Preferences are shown as they were sent.
fn with_preferences(mut item: String, preferences: Option<&str>) -> String {
    if let Some(preferences) = preferences {
        item.pop();
        item.push_str(",\"preferences\":");
        item.push_str(preferences);
        item.push('}');
    }
    item
}

/// `GET /profiles/{user_id}/lists?cursor=&limit=`: 200 `{paging, results}`, with the preferences of each subscription.
pub fn list_of_user(mut call: Call<'_>) -> Result<Action> {
    let user_id = call.path("user_id");
    let name = format!("lists of {user_id}");
    let query = call.query();
    let after = TextCursor::read(query.cursor().as_deref(), &name)?;
    let after = ListRow(after.and_then(|row| row.parse().ok()).unwrap_or(0));
    let limit = query.limit() as usize;
    Action::query(move |db, environment| {
        let page = subscription::list_of_user(db, environment, &user_id, after, limit, paging::PAGE_BYTES)?;
        let next = page.next.map(|list| TextCursor::new(&name, &list.to_string()));
        Ok(Answer::new(200, paging::results(page.items.into_iter().map(|it| Ok(result(&it))), next)?))
    })
}

fn result(list: &List) -> String {
    with_preferences(super::list::item(list), list.preferences.as_deref())
}

#[derive(Deserialize)]
struct ListsBody<'a> {
    #[serde(borrow)]
    lists: Vec<Fields<Wanted<'a>>>,
}

#[derive(Deserialize)]
struct Wanted<'a> {
    #[serde(borrow, rename = "listId")]
    list_id: Text<'a>,
    #[serde(borrow, default)]
    preferences: Option<Object<'a>>,
}

/// `POST /profiles/{user_id}/lists` with `{lists}`: 200 `{status}`. Lists that are missing are made.
pub fn put_of_user(mut call: Call<'_>) -> Result<Action> {
    let body = call.json()?;
    let ListsBody { lists } = json::read(&body, String::new)?;
    let wanted = |(i, Fields(sent)): (usize, Fields<Wanted<'_>>)| {
        model::check_id(sent.list_id.as_str(), || format!("lists[{i}].listId"))?;
        let preferences = preference::checked(sent.preferences, || format!("lists[{i}].preferences"))?;
        Ok((sent.list_id.0.into_owned(), preferences))
    };
    let lists: Vec<Subscriber> = lists.into_iter().enumerate().map(wanted).collect::<Result<_>>()?;
    let user_id = call.path("user_id");
    let answer = Answer::new(200, SUCCESS);
    Action::change_rows(lists, subscription::text_bytes, answer, move |tx, environment, lists| {
        lists.iter().try_for_each(|(list_id, preferences)| {
            let list = list::find_or_create(tx, environment, list_id)?;
            subscription::put(tx, list, &user_id, preferences.as_deref())
        })
    })
}

/// `DELETE /profiles/{user_id}/lists`: 200 `{status}`. The user is on no list then.
pub fn delete_of_user(mut call: Call<'_>) -> Result<Action> {
    let user_id = call.path("user_id");
    Action::prepare(move |view| {
        let lists = view.read(|db, environment| subscription::lists_of_user(db, environment, &user_id))?;
        let pieces = lists.chunks(PIECE_ROWS);
        for piece in pieces.take(lists.len().saturating_sub(1) / PIECE_ROWS) {
            let (user_id, piece) = (user_id.clone(), piece.to_vec());
            view.write(move |tx, row| subscription::delete_of_user_from(tx, row, &user_id, &piece))?;
        }
        Ok(Change::new(ChangedEnvironment::Existing, move |tx, environment| {
            subscription::delete_of_user(tx, environment, &user_id)?;
            Ok(Answer::new(200, SUCCESS))
        }))
    })
}
