//! Environments by their handles, for the page: it knows no keys. Only where any key is accepted, since whoever may send any
//! key is kept from nothing by not knowing one.

use serde_json::json;

use super::call::Params;
use super::settings::Settings;
use crate::error::{Error, Kind, Result};
use crate::http::{self, Request, Response};
use crate::model::environment::Environment;
use crate::store::{Store, environment_list};

/// Names an environment in place of a key.
pub const HEADER: &str = "x-bulkd-environment";

/// Environments in the list.
const LISTED: usize = 200;

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

/// A page that `--allow-origin` lets in has keys of its own, and sees no more than these open.
fn refuse_others(settings: &Settings, request: &Request) -> Result<()> {
    let hosts: Vec<&[u8]> = request.raw_headers("host").collect();
    let own: Vec<Vec<u8>> = hosts.iter().map(|host| [settings.scheme.as_bytes(), b"://", host].concat()).collect();
    let is_own = |origin: &[u8]| own.iter().any(|own| own == origin);
    match request.raw_headers("origin").all(is_own) {
        true => Ok(()),
        false => Err(Error::new(Kind::Forbidden, "only bulkd's own page may look at environments without their keys")),
    }
}

/// `GET /_bulkd/environments`: 200 `{items, needs_key}`. Where keys are configured, there are no items.
pub fn list(store: &Store, settings: &Settings, request: &Request, _: Params) -> Result<Response> {
    refuse_others(settings, request)?;
    let needs_key = needs_key(settings);
    let known = match needs_key {
        true => Vec::new(),
        false => store.read_for_request(|db| environment_list::list(db, LISTED))?,
    };
    known.iter().for_each(|it| settings.handles.add(&it.environment));
    let items: Vec<_> = known
        .iter()
        .map(|it| {
            json!({
                "environment": it.environment.handle(),
                "label": it.environment.label(),
                "created_at": it.created_at.millis(),
                "last_job_at": it.last_job_at.map(|at| at.millis()),
            })
        })
        .collect();
    Ok(http::json(200, json!({ "items": items, "needs_key": needs_key }).to_string()))
}
