//! Faults: `/_bulkd/faults`, the header `x-bulkd-fault`, and the hook that applies them to requests. Ours; Courier has
//! nothing of the kind.

use std::sync::Arc;

use serde_json::Value;

use super::call::{Action, Answer, Call, header};
use super::hook::{Exchange, Hook};
use super::late::LateAnswers;
use super::nearest;
use super::paging::{Cursor, PageText, PagedList};
use super::route::{self, Route};
use super::settings::Settings;
use crate::clock::Clock;
use crate::error::{Error, Kind, Result, shown, shown_up_to};
use crate::faults::{Effect, Ending, Fault, Faults, HEADER, Hit, RateLimits, When};
use crate::http::{self, Broken, Given, Method, Reply, Request, Response};
use crate::journal::{Beginning, Outcome};
use crate::json;

/// The header that tells which attempt of an SDK a request is. The first is 0.
pub const RETRY_COUNT: &str = "x-stainless-retry-count";

/// `POST /_bulkd/faults` with a fault: 201 with it, its id, and how far it has come.
pub fn create(mut call: Call<'_>, table: &'static [Route]) -> Result<Action> {
    let body: Value = json::read(&call.json()?, String::new)?;
    let Value::Object(members) = body else {
        return Err(Error::invalid(
            "the body",
            format_args!("expected an object, found {}", json::kind(&body.to_string())),
        ));
    };
    let fault = Fault::read(members)?;
    check_route(&fault, table)?;
    let (faults, environment) = (call.settings.faults.clone(), call.environment.clone());
    Action::whole(move |_| Ok(Answer::new(201, faults.add(&environment, fault)?.to_string())))
}

/// Where users are sent.
const USERS_PATH: &str = "/bulk/{job_id}";

/// Refuses a fault that no request can meet.
fn check_route(fault: &Fault, table: &'static [Route]) -> Result<()> {
    let (method, path) = (fault.method.as_ref(), fault.path.as_str());
    // A route for `GET` answers `HEAD`, too.
    let asked = method.map(|method| if *method == Method::Head { &Method::Get } else { method });
    let is_one =
        |it: &Route| !it.is_ours() && asked.is_none_or(|method| *method == it.method) && route::is_path(it.path, path);
    // A name in braces stands for any value. All other parts must be values that a path may have.
    if let Some(part) = path.split('/').find(|part| path != "*" && (part.contains('*') || part.starts_with(':'))) {
        let expected = format_args!(
            "expected '*' alone for any route, or a name in braces, such as /bulk/{{job_id}}; found '{}'",
            shown(part)
        );
        return Err(Error::invalid("path", expected));
    }
    let is_met = |it: &Route| is_one(it) && (fault.users_at_least().is_none() || it.path == USERS_PATH);
    if path == "*" || table.iter().any(is_met) {
        return Ok(());
    }
    if table.iter().any(is_one) {
        return Err(Error::invalid(
            "match.users_at_least",
            format_args!("expected it for POST {USERS_PATH} alone: no other call has users"),
        ));
    }
    let hint = nearest::hint_of_couriers(table, asked, path);
    let method = method.map(|method| format!("{method} ")).unwrap_or_default();
    Err(Error::invalid("path", format_args!("there is no route {method}{}{hint}", shown_up_to(path, 100))))
}

/// `GET /_bulkd/faults?unfired=&cursor=&limit=`: 200 `{items, paging}`, in the order in which they were set.
pub fn list(call: Call<'_>) -> Result<Action> {
    let query = call.query();
    let (unfired, limit, list) = (query.flag("unfired")?, query.limit() as usize, PagedList::Faults);
    let from = Cursor::read(query.cursor().as_deref(), list)?;
    let found = call.settings.faults.list(call.environment, unfired, from);
    let next = found.get(limit).map(|(number, _)| Cursor { list, position: *number });
    let mut page = PageText::of_items();
    found.iter().take(limit).try_for_each(|(_, fault)| page.push_value(fault))?;
    Action::whole(move |_| Ok(Answer::new(200, page.end_items(next))))
}

/// `GET /_bulkd/faults/{fault_id}`: 200 with the fault.
pub fn get(mut call: Call<'_>) -> Result<Action> {
    let fault_id = call.path("fault_id");
    let found = call.settings.faults.find(call.environment, &fault_id);
    let found = found.ok_or_else(|| Error::unknown("fault_id", "fault", &fault_id))?;
    Action::whole(move |_| Ok(Answer::new(200, found.to_string())))
}

/// `DELETE /_bulkd/faults/{fault_id}`: 204.
pub fn delete(mut call: Call<'_>) -> Result<Action> {
    let fault_id = call.path("fault_id");
    match call.settings.faults.remove(call.environment, &fault_id) {
        true => Action::whole(|_| Ok(Answer::new(204, ""))),
        false => Err(Error::unknown("fault_id", "fault", &fault_id)),
    }
}

/// `DELETE /_bulkd/faults`: 204.
pub fn delete_all(call: Call<'_>) -> Result<Action> {
    call.settings.faults.clear(call.environment);
    Action::whole(|_| Ok(Answer::new(204, "")))
}

/// Applies faults, and Courier's limits, to requests.
pub struct FaultHook {
    faults: Arc<Faults>,
    rate_limits: Option<Arc<RateLimits>>,
    clock: Clock,
    delayed: Arc<LateAnswers>,
}

impl FaultHook {
    pub fn new(settings: &Settings) -> Self {
        FaultHook {
            faults: settings.faults.clone(),
            rate_limits: settings.rate_limits.clone(),
            clock: settings.clock.clone(),
            delayed: settings.delayed.clone(),
        }
    }

    /// The refusal of a request that exceeds one of Courier's limits.
    fn beyond_limit(&self, exchange: &mut Exchange) -> Option<Response> {
        let (limits, route, environment) =
            (self.rate_limits.as_ref()?, exchange.route?, exchange.environment.as_ref()?);
        let (limit, left) = limits.count(environment, exchange.method(), route.path, self.clock.now())?;
        let problem = format!("{} {} takes {limit} requests a minute; try again in {left} s", route.method, route.path);
        let body = http::envelope(&Error::new(Kind::TooManyRequests, problem));
        exchange.told = Some(Outcome {
            status: Some(429),
            headers: vec![("Retry-After".to_owned(), left.to_string())],
            body: Beginning::of(body.as_bytes(), body.len()),
        });
        let response = http::json(429, body);
        Some(response.with_header(http::header("Retry-After", &left.to_string())))
    }

    /// What a fault makes of an answer.
    fn reply(&self, hit: &Hit, response: Option<Response>, exchange: &mut Exchange) -> Option<Reply> {
        let effect = &hit.fault.effect;
        let own = effect.response(hit.fault.name.as_deref().unwrap_or(&hit.fault_id));
        exchange.told = told(effect, own.is_some(), hit, exchange);
        let given = match (effect.ending, own.or(response)) {
            (Some(Ending::Lost), _) => Given::Broken(Broken::Lost),
            (Some(Ending::Reset), _) => Given::Broken(Broken::Reset),
            (Some(Ending::Cut), Some(response)) => Given::Broken(Broken::Cut(response)),
            (None, Some(response)) => Given::Answer(response),
            (_, None) => return None,
        };
        Some(match i64::try_from(effect.delay_ms).unwrap_or(0) {
            0 => given.into(),
            millis => self.delayed.reply(self.delayed.now().after(millis), given),
        })
    }
}

/// What the client gets, if that is not what the work came to.
fn told(effect: &Effect, has_own: bool, hit: &Hit, exchange: &Exchange) -> Option<Outcome> {
    match effect.ending {
        Some(Ending::Lost | Ending::Reset) => Some(Outcome::default()),
        _ if has_own => {
            let body = effect.body(hit.fault.name.as_deref().unwrap_or(&hit.fault_id));
            let body = Beginning::of(body.as_bytes(), body.len());
            Some(Outcome { status: effect.status, headers: effect.header_texts(), body })
        }
        _ => exchange.told.clone(),
    }
}

/// The fault that a request itself asks for. An SDK's retry of it does not ask again.
fn asked_for(request: &Request) -> Result<Option<Hit>> {
    let Some(text) = header(request, HEADER)? else { return Ok(None) };
    if request.header(RETRY_COUNT).is_some_and(|count| count != "0") {
        return Ok(None);
    }
    let fault = Fault::of_header(text)?;
    Ok(Some(Hit { fault_id: HEADER.to_owned(), fault: fault.into() }))
}

impl Hook for FaultHook {
    fn before(&self, exchange: &mut Exchange, request: &Request) -> Option<Reply> {
        let environment = exchange.environment.as_ref()?;
        let is_ours = exchange.is_ours();
        let hit = match asked_for(request) {
            Ok(Some(_)) if is_ours => {
                let expected = "expected one of Courier's routes; those under /_bulkd/ do not fail";
                Err(Error::invalid(HEADER, expected))
            }
            Ok(None) if !is_ours => Ok(self.faults.meet(environment, request)),
            hit => hit,
        };
        let hit = match hit {
            Ok(hit) => hit,
            Err(error) => return Some(Reply::Answer(http::of_error(&error))),
        };
        if let Some(response) = self.beyond_limit(exchange) {
            return Some(Reply::Answer(response));
        }
        let hit = hit?;
        exchange.fault = Some(hit.clone());
        if hit.fault.effect.when == When::Before { self.reply(&hit, None, exchange) } else { None }
    }

    fn after(&self, exchange: &mut Exchange, reply: Reply) -> Reply {
        let Some(hit) = exchange.fault.clone().filter(|hit| hit.fault.effect.when == When::After) else { return reply };
        let response = match reply {
            Reply::Answer(response) | Reply::Last(response) => response,
            // An answer that is not known yet stays as it is.
            reply => return reply,
        };
        self.reply(&hit, Some(response), exchange).unwrap_or(Reply::Broken(Broken::Lost))
    }
}
