//! Brands: create, list, get, replace, delete. After Courier's SDKs.

use serde_json::json;

use super::call::{Action, Answer, Call};
use super::notes::Notes;
use super::paging::{self, Cursor, PagedList};
use crate::clock::Timestamp;
use crate::error::{Result, shown as quoted};
use crate::findings::Check;
use crate::json::with_members;
use crate::model::brand::{BrandPayload, odd_colours};
use crate::model::row::BrandRow;
use crate::render::email::brand as email_brand;
use crate::store::brand::{self, Brand};

/// `POST /brands` with `{name, settings?, id?, snippets?}`: 200 and the brand, 409 if the id is taken.
pub fn create(mut call: Call<'_>) -> Result<Action> {
    let payload = BrandPayload::read(&call.json()?, "")?;
    email_brand::check(&payload, "")?;
    tell(&payload, &call.notes());
    Action::change(move |tx, environment| shown(&brand::create(tx, environment, &payload)?))
}

/// Notes values that are not colours.
fn tell(payload: &BrandPayload, notes: &Notes) {
    let told = payload.settings.iter().flat_map(|settings| odd_colours(settings, "settings"));
    let title = format!("the brand '{}'", quoted(&payload.name));
    notes.note_all(told.map(|it| (Check::NoEffect, format!("{title}: {it}"))));
}

/// `GET /brands?cursor=&limit=`: 200 `{paging, results}`, in the order in which they were made.
pub fn list(call: Call<'_>) -> Result<Action> {
    let query = call.query();
    let from = BrandRow(Cursor::read(query.cursor().as_deref(), PagedList::Brands)? as i64);
    let limit = query.limit() as usize;
    Action::query(move |db, environment| {
        let page = brand::list(db, environment, from, limit, paging::PAGE_BYTES)?;
        let next = page.next.map(|row| Cursor { list: PagedList::Brands, position: row.0.unsigned_abs() });
        Ok(Answer::new(200, paging::results(page.items.iter().map(item), next)?))
    })
}

/// `GET /brands/{brand_id}`: 200 and the brand.
pub fn get(mut call: Call<'_>) -> Result<Action> {
    let brand_id = call.path("brand_id");
    Action::query(move |db, environment| shown(&brand::get(db, environment, &brand_id)?))
}

/// `PUT /brands/{brand_id}` with `{name, settings?, snippets?}`: 200 and the brand, replaced as a whole.
pub fn replace(mut call: Call<'_>) -> Result<Action> {
    let payload = BrandPayload::read(&call.json()?, "")?;
    email_brand::check(&payload, "")?;
    tell(&payload, &call.notes());
    let brand_id = call.path("brand_id");
    Action::change_existing(move |tx, environment| {
        let brand = brand::get(tx, environment, &brand_id)?;
        brand::replace(tx, &brand, &payload)?;
        shown(&brand::get(tx, environment, &brand_id)?)
    })
}

/// `DELETE /brands/{brand_id}`: 204, or 409 while a template uses it.
pub fn delete(mut call: Call<'_>) -> Result<Action> {
    let brand_id = call.path("brand_id");
    Action::change_existing(move |tx, environment| {
        let brand = brand::get(tx, environment, &brand_id)?;
        brand::delete(tx, &brand)?;
        Ok(Answer::new(204, ""))
    })
}

/// Refuses texts that cannot be rendered.
fn shown(brand: &Brand) -> Result<Answer> {
    Ok(Answer::new(200, item(brand)?))
}

/// The published version is the current one, named by the time at which it was made.
fn item(brand: &Brand) -> Result<String> {
    let updated_at = brand.updated_at.unwrap_or(brand.created_at);
    let ours = json!({
        "created": brand.created_at.millis(),
        "updated": updated_at.millis(),
        "published": brand.published_at.millis(),
        "version": version(brand.published_at),
    });
    with_members(&brand.brand_json, &ours)
}

fn version(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.millis()).map_or_else(|_| at.millis().to_string(), |at| at.to_string())
}
