//! Environments by their handles, for the page: it knows no keys. Only where any key is accepted, since a key keeps no
//! client out there.

use serde_json::json;

use super::call::Params;
use super::paging::{Cursor, PageText, PagedList};
use super::query::{self, Query};
use super::settings::Settings;
use crate::error::{Error, Kind, Result};
use crate::http::{self, Request, Response};
use crate::model::environment::Environment;
use crate::store::Store;
use crate::store::environment_list::{self, KnownEnvironment};

/// Names an environment in place of a key.
pub const HEADER: &str = "x-bulkd-environment";

/// Whether a request names its environment without a key.
pub fn is_named(request: &Request) -> bool {
    request.has_header(HEADER) && !request.has_header("authorization")
}

/// The environment that a request names.
pub fn named(store: &Store, settings: &Settings, request: &Request) -> Result<Environment> {
    if needs_key(settings) {
        return Err(Error::new(Kind::Unauthorized, "Unauthorized"));
    }
    refuse_others(settings, request)?;
    let handle = request.header(HEADER).unwrap_or_default();
    let expected = || Error::invalid(HEADER, "expected the 'environment' of an item of GET /_bulkd/environments");
    let beginning = Environment::hash_of_handle(handle).ok_or_else(expected)?;
    if let Some(known) = settings.handles.find(handle) {
        return Ok(known);
    }
    let found = store.read_for_request(|db| environment_list::find(db, beginning))?;
    let found = found.filter(|environment| environment.handle() == handle);
    let found = found.ok_or_else(|| Error::not_found("there is no such environment (any more)"))?;
    settings.handles.add(&found);
    Ok(found)
}

fn needs_key(settings: &Settings) -> bool {
    !settings.keys.known().is_empty()
}

/// A page that `--allow-origin` lets in has keys of its own, and sees only the environments of these.
fn refuse_others(settings: &Settings, request: &Request) -> Result<()> {
    let hosts: Vec<&[u8]> = request.raw_headers("host").collect();
    let own: Vec<Vec<u8>> = hosts.iter().map(|host| [settings.scheme.as_bytes(), b"://", host].concat()).collect();
    let is_own = |origin: &[u8]| own.iter().any(|own| own == origin);
    match request.raw_headers("origin").all(is_own) {
        true => Ok(()),
        false => Err(Error::new(Kind::Forbidden, "only bulkd's own page may look at environments without their keys")),
    }
}

const LIST: PagedList = PagedList::Environments;

/// `GET /_bulkd/environments?cursor=&limit=`: 200 `{items, paging, needs_key}`. Where keys are configured, there are no items.
pub fn list(store: &Store, settings: &Settings, request: &Request, _: Params) -> Result<Response> {
    refuse_others(settings, request)?;
    const PARAMETERS: &[&str] = &["cursor", "limit"];
    query::check_our_own(request.query(), PARAMETERS)?;
    let query = Query::new(request.query(), PARAMETERS);
    let (from, limit) = (Cursor::read(query.cursor().as_deref(), LIST)?, query.limit());
    let needs_key = needs_key(settings);
    let known = match needs_key {
        true => Vec::new(),
        // One more than are shown tells whether there is another page.
        false => {
            store.read_for_request(|db| environment_list::list(db, from.saturating_add(limit).saturating_add(1)))?
        }
    };
    let show = |it: &KnownEnvironment| {
        settings.handles.add(&it.environment);
        json!({
            "environment": it.environment.handle(),
            "label": it.environment.label(),
            "created_at": it.created_at.millis(),
            "last_job_at": it.last_job_at.map(|at| at.millis()),
        })
    };
    let (page, next) = PageText::of_places((LIST, from, limit), known.iter(), |it| Ok(show(it)))?;
    Ok(http::json(200, page.end_items_with(next, &format!("\"needs_key\":{needs_key}"))))
}
