//! Lists of users.

use serde::Deserialize;
use serde_json::json;

use super::call::{Action, Answer, Call};
use super::paging::{self, TextCursor};
use crate::error::Result;
use crate::json::{self, Object};
use crate::model::list::{self as model, ListPattern};
use crate::model::preference;
use crate::store::list;
use crate::store::list::List;

/// `GET /lists?cursor=&pattern=&limit=`: 200 `{items, paging}`, in the order of the ids.
pub fn list(call: Call<'_>) -> Result<Action> {
    const NAME: &str = "lists";
    let query = call.query();
    let pattern = query.one("pattern").map(|pattern| ListPattern::new(&pattern));
    let after = TextCursor::read(query.cursor().as_deref(), NAME)?;
    let limit = query.limit() as usize;
    Action::query(move |db, environment| {
        let page = list::list(db, environment, pattern.as_ref(), after.as_deref(), limit, paging::PAGE_BYTES)?;
        let next = page.next.map(|list_id| TextCursor::new(NAME, &list_id));
        Ok(Answer::new(200, paging::page(page.items.iter().map(|it| Ok(item(it))), next)?))
    })
}

pub(super) fn item(list: &List) -> String {
    json!({
        "id": list.list_id,
        "name": list.name,
        "created": list.created_at.iso(),
        "updated": list.updated_at.iso(),
    })
    .to_string()
}

/// `GET /lists/{list_id}`: 200.
pub fn get(mut call: Call<'_>) -> Result<Action> {
    let list_id = call.path("list_id");
    Action::query(move |db, environment| Ok(Answer::new(200, item(&list::get(db, environment, &list_id)?))))
}

#[derive(Deserialize)]
struct ListBody<'a> {
    name: String,
    #[serde(borrow, default)]
    preferences: Option<Object<'a>>,
}

/// `PUT /lists/{list_id}` with `{name, preferences?}`: 204. Its subscriptions stay; one that was deleted begins anew.
pub fn put(mut call: Call<'_>) -> Result<Action> {
    let body = call.json()?;
    let ListBody { name, preferences } = json::read(&body, String::new)?;
    let preferences = preference::checked(preferences, || "preferences".to_owned())?;
    let list_id = call.path("list_id");
    model::check_id(&list_id, || "list_id".to_owned())?;
    Action::change(move |tx, environment| {
        list::put(tx, environment, &list_id, &name, preferences.as_deref())?;
        Ok(Answer::new(204, ""))
    })
}

/// `DELETE /lists/{list_id}`: 204, whether or not there was one.
pub fn delete(mut call: Call<'_>) -> Result<Action> {
    let list_id = call.path("list_id");
    Action::change_existing(move |tx, environment| {
        list::delete(tx, environment, &list_id)?;
        Ok(Answer::new(204, ""))
    })
}

/// `PUT /lists/{list_id}/restore`: 204, and its subscriptions are back as well. The body, if any, does not matter.
pub fn restore(mut call: Call<'_>) -> Result<Action> {
    let list_id = call.path("list_id");
    Action::change_existing(move |tx, environment| {
        list::restore(tx, environment, &list_id)?;
        Ok(Answer::new(204, ""))
    })
}
