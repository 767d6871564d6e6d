//! One request in, one answer out: route, key, environment, then the two steps of a handler.
//!
//! A handler first reads: it turns a request into an [`Act`], in the connection's thread and without the database, and
//! refuses what is wrong with it. The act then runs inside the store, as a query or as a part of a group commit.

mod auth;
mod brand;
mod bulk;
mod delivery;
pub mod idempotency;
mod list;
mod message;
mod metrics;
mod outbox;
pub mod paging;
mod preference;
mod profile;
pub mod query;
mod routes;
pub mod seed;
mod send;
mod status;
mod subscription;
mod template;
mod token;
mod webhook;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

pub use auth::Keys;
use routes::{Access, Route};
use seed::Seeds;

use crate::error::{Error, Kind, Result};
use crate::http::{self, Method, Request, Response};
use crate::model::environment::Environment;
use crate::model::seed::Seed;
use crate::render::UnknownTemplates;
use crate::store::{Db, Store, SyncWhen, Tx, Undo, environment, ingest};

/// Which of two readings of Courier's documentation is answered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contract {
    /// The tutorial: 201 with the job id, 200 with `errors` and `total`, 202.
    Tutorial,
    /// The published OpenAPI: 200, 204, 204, and `event` is required.
    OpenApi,
}

/// What the answers depend on besides the request.
pub struct Settings {
    pub contract: Contract,
    pub templates: UnknownTemplates,
    pub keys: Keys,
}

/// The API over a store.
pub struct Api {
    store: Arc<Store>,
    settings: Settings,
    seeds: Seeds,
}

/// A request with what its route and its key say about it.
pub struct Call<'a> {
    pub request: Request,
    /// What stood in place of `{...}` in the route's path.
    pub params: Vec<String>,
    pub environment: Environment,
    pub settings: &'a Settings,
}

/// What is left to do once a request has been read.
pub enum Act {
    Answer(Answer),
    Query(Query),
    Change(Change),
    Staged(Stage),
    /// A change that adds users to the job with this id.
    Ingest(String, Change),
    /// Everything in the environment goes.
    Reset,
}

type Query = Box<dyn FnOnce(&Db<'_>) -> Result<Answer>>;
/// Reads what a change needs; then, without the file, makes the change.
type Stage = Box<dyn FnOnce(&Db<'_>) -> Result<Make>>;
pub type Make = Box<dyn FnOnce() -> Result<Change>>;

/// What is to be done in a commit.
pub struct Change {
    make: InTx,
    undo: Undo,
}

type InTx = Box<dyn FnOnce(&mut Tx<'_>) -> Result<Answer> + Send>;

impl Change {
    pub fn new(make: impl FnOnce(&mut Tx<'_>) -> Result<Answer> + Send + 'static) -> Self {
        Change { make: Box::new(make), undo: Undo::Change }
    }

    /// One that does not fail unless the file does.
    pub fn sure(make: impl FnOnce(&mut Tx<'_>) -> Result<Answer> + Send + 'static) -> Self {
        Change { undo: Undo::Group, ..Change::new(make) }
    }
}

impl Act {
    pub fn query(query: impl FnOnce(&Db<'_>) -> Result<Answer> + 'static) -> Result<Act> {
        Ok(Act::Query(Box::new(query)))
    }

    pub fn change(change: impl FnOnce(&mut Tx<'_>) -> Result<Answer> + Send + 'static) -> Result<Act> {
        Ok(Act::Change(Change::new(change)))
    }

    /// For a change that takes work which must hold up neither readers nor the writer.
    pub fn staged(stage: impl FnOnce(&Db<'_>) -> Result<Make> + 'static) -> Result<Act> {
        Ok(Act::Staged(Box::new(stage)))
    }
}

/// A status and a JSON body, which may be empty.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: String,
    /// Whether this is the answer to an earlier request with the same idempotency key.
    pub replayed: bool,
}

impl Answer {
    pub fn new(status: u16, body: impl Into<String>) -> Self {
        Answer { status, body: body.into(), replayed: false }
    }
}

impl Call<'_> {
    /// The body as text, provided it is declared as JSON or not declared at all.
    pub fn json(&mut self) -> Result<String> {
        if let Some(declared) = self.request.header("content-type") {
            let kind = declared.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
            if !kind.is_empty() && kind != "application/json" && !kind.ends_with("+json") {
                return Err(Error::invalid("Content-Type", "expected application/json"));
            }
        }
        if self.request.header("content-encoding").is_some_and(|encoding| !encoding.eq_ignore_ascii_case("identity")) {
            return Err(Error::invalid("Content-Encoding", "expected none; send the body as it is"));
        }
        String::from_utf8(std::mem::take(&mut self.request.body)).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            Error::invalid("the body", format_args!("expected UTF-8, found something else at byte {at}"))
        })
    }

    /// The body as text, an empty object if there is none: for requests of which everything is optional.
    pub fn json_or_none(&mut self) -> Result<String> {
        let body = self.json()?;
        Ok(if body.trim_ascii().is_empty() { "{}".to_owned() } else { body })
    }

    /// The next parameter of the path: each call takes one, in their order.
    pub fn param(&mut self) -> String {
        if self.params.is_empty() { String::new() } else { self.params.remove(0) }
    }
}

impl Api {
    /// `seed` is what every environment begins with; it was [checked](seed::check).
    pub fn new(store: Arc<Store>, settings: Settings, seed: Seed) -> Self {
        let seeds = Seeds::new(seed, settings.templates);
        Api { store, settings, seeds }
    }

    /// Seeds the environments that are known: those of the file, and those of the keys that are accepted.
    pub fn begin(&self) -> Result<()> {
        if self.seeds.is_empty() {
            return Ok(());
        }
        let in_file = self.store.read(environment::list)?;
        in_file.iter().chain(self.settings.keys.known()).try_for_each(|environment| {
            self.seeds
                .begin(&self.store, environment)
                .map_err(|error| Error::startup(format!("{error} (environment {})", environment.label())))
        })
    }

    /// Answers a request, whatever it is.
    pub fn answer(&self, request: Request) -> Response {
        let line = line(&request);
        let outcome = catch_unwind(AssertUnwindSafe(|| self.act(request)));
        respond(line, outcome.unwrap_or_else(|_| Err(panicked())))
    }

    /// Answers those of the requests that take a moment only and wait for nobody, all from one state of the file.
    pub fn answer_at_once(&self, requests: Vec<Request>) -> Vec<Option<Response>> {
        let lines: Vec<_> = requests.iter().map(line).collect();
        let mut queries = Vec::new();
        let mut outcomes: Vec<Option<Result<Answer>>> = Vec::new();
        let mut places = Vec::new();
        for (place, request) in requests.into_iter().enumerate() {
            let act = catch_unwind(AssertUnwindSafe(|| self.read_at_once(request)));
            outcomes.push(match act.unwrap_or_else(|_| Some(Err(panicked()))) {
                Some(Ok(Act::Query(query))) => {
                    places.push(place);
                    queries.push(|db: &Db<'_>| {
                        catch_unwind(AssertUnwindSafe(|| query(db))).unwrap_or_else(|_| Err(panicked()))
                    });
                    None
                }
                Some(Ok(Act::Answer(answer))) => Some(Ok(answer)),
                Some(Err(error)) => Some(Err(error)),
                Some(Ok(_)) | None => None,
            });
        }
        if !queries.is_empty()
            && let Some(answers) = self.store.read_at_once(queries)
        {
            places.into_iter().zip(answers).for_each(|(place, answer)| outcomes[place] = Some(answer));
        }
        lines.into_iter().zip(outcomes).map(|(line, outcome)| Some(respond(line, outcome?))).collect()
    }

    /// The first step of a request, if its route is a quick one.
    fn read_at_once(&self, request: Request) -> Option<Result<Act>> {
        let (route, params) = routes::find(request.method(), request.path()).ok().filter(|(route, _)| route.quick)?;
        let environment = self.environment(route, &request).ok()?;
        let is_ready = route.access == Access::Open || self.seeds.has_begun(&environment);
        is_ready.then(|| (route.read)(Call { request, params, environment, settings: &self.settings }))
    }

    /// The environment of a request; whoever needs no key is in none.
    fn environment(&self, route: &Route, request: &Request) -> Result<Environment> {
        match route.access {
            Access::Key => self.settings.keys.environment(request.header("authorization")),
            Access::Open => Ok(Environment::of_key("")),
        }
    }

    fn act(&self, request: Request) -> Result<Answer> {
        let (route, params) = routes::find(request.method(), request.path())?;
        let environment = self.environment(route, &request)?;
        if route.access == Access::Key {
            self.seeds.begin(&self.store, &environment)?;
        }
        let once = match request.method() {
            Method::Post => idempotency::read(&request, &environment, self.settings.contract)?,
            _ => None,
        };
        // Before anything is made of the body. Those who race are told apart by the writer.
        if let Some(once) = &once
            && let Some(answer) = self.store.read_for_request(|db| once.find(db))?
        {
            return Ok(answer);
        }
        let of = environment.clone();
        let change = match (route.read)(Call { request, params, environment, settings: &self.settings })? {
            Act::Answer(answer) => return Ok(answer),
            Act::Query(query) => return self.store.read_for_request(query),
            Act::Change(change) => change,
            Act::Staged(stage) => self.store.read_for_request(stage)?()?,
            Act::Ingest(job_id, change) => {
                ingest::prepare(&self.store, &of, &job_id)?;
                change
            }
            Act::Reset => return self.seeds.reset(&self.store, &of, once),
        };
        let Change { make, undo } = change;
        match once {
            Some(once) => self.store.write(move |tx| once.run(tx, make)),
            None => self.store.submit(SyncWhen::Now, undo, make).wait(),
        }
    }
}

/// What is logged of a request.
fn line(request: &Request) -> Option<String> {
    log::log_enabled!(log::Level::Debug).then(|| format!("{} {}", request.method(), request.path()))
}

fn panicked() -> Error {
    Error::internal("answering a request panicked")
}

fn respond(line: Option<String>, outcome: Result<Answer>) -> Response {
    if let Some(line) = line {
        let status = outcome.as_ref().map_or_else(|error| error.kind().status_and_type().0, |answer| answer.status);
        log::debug!("{line} -> {status}");
    }
    match outcome {
        Ok(answer) => {
            let response = http::json(answer.status, answer.body);
            let response = if answer.status >= 400 { http::final_refusal(response) } else { response };
            if answer.replayed { response.with_header(idempotency::replayed()) } else { response }
        }
        Err(error) => {
            match error.kind() {
                Kind::Internal => log::error!("{error}"),
                Kind::Unavailable => log::warn!("{error}"),
                _ => {}
            }
            http::of_error(&error)
        }
    }
}
