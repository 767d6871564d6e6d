//! One pipeline for all requests: host → origin → route → environment → seeded → idempotency key → action → answer.
//!
//! A handler turns a request into an [`Action`](super::call::Action), without the database, and refuses what is wrong with
//! it. The pipeline does what the action says: a query, or a change in a group commit. [Hooks](super::hook::Hook) stand
//! before the work and after the commit. Requests of routes that are [inline](super::routes::Route::inline) take the same
//! way on the event loop's thread, several at a time.

use std::cell::Cell;
use std::sync::Arc;

use super::call::{Action, Answer, Call, Change, ChangedEnvironment, Params, Read};
use super::hook::{Exchange, Hook, RequestLog};
use super::idempotency::{self, Once};
use super::routes::{self, Access, Handler, Route};
use super::settings::Settings;
use super::{nearest, origins, query};
use crate::error::{Error, Kind, Result, shown};
use crate::http::{self, Method, Reply, Request, Responder, Response};
use crate::model::environment::{Environment, EnvironmentRow};
use crate::model::seed::Seed;
use crate::outage::Outage;
use crate::seed::Seeder;
use crate::store::environment::{self, View};
use crate::store::{Db, Lane, Store, SyncWhen, Tx, Undo};
use crate::threads::catch;

/// How often a change is worked out anew because others have changed what it was worked out from. Each time one of them
/// was done.
const REWORKED: usize = 100;

/// The API over a store.
pub struct Api {
    store: Arc<Store>,
    settings: Settings,
    seeder: Seeder,
    hooks: Vec<Box<dyn Hook>>,
    reads: Outage,
    changes: Outage,
}

/// What a request came to.
enum RequestOutcome {
    Answer(Answer),
    /// A hook's own.
    Reply(Reply),
}

impl Api {
    /// `seed` is what every environment begins with; it was [checked](crate::seed::check).
    pub fn new(store: Arc<Store>, settings: Settings, seed: Seed) -> Self {
        let seeder = Seeder::new(seed, settings.messages);
        let reads = Outage::new("requests to read are refused");
        let changes = Outage::new("requests to change something are refused");
        Api { store, settings, seeder, hooks: vec![Box::new(RequestLog)], reads, changes }
    }

    /// Seeds the environments of the keys that were named. Others are seeded when they are first used.
    pub fn begin(&self) -> Result<()> {
        self.seeder.begin(&self.store)?;
        self.settings.keys.known().iter().try_for_each(|environment| {
            self.seeder
                .ensure_seeded(&self.store, environment)
                .map_err(|error| Error::startup(format!("{error} (environment {})", environment.label())))
        })
    }

    /// Whether a request asks how the daemon is, which takes neither a key nor a look at the file.
    pub fn is_always_answered(&self, method: &str, path: &str) -> bool {
        let found = method.parse().ok().and_then(|method| routes::find(&method, path).ok());
        found.is_some_and(|(route, _)| matches!(route.access, Access::Open(_)))
    }

    /// Replies to a request, whatever it is. What it changes is committed behind this call, and no thread waits for that.
    pub fn answer(self: &Arc<Self>, request: Request, responder: Responder) {
        let mut exchange = Exchange::begin(&request, &self.settings.origins);
        match guarded(|| self.run(request, &mut exchange)) {
            Ok(Progress::Over(outcome)) => responder.give(self.finish(&exchange, Ok(outcome))),
            Ok(Progress::Commits(undo, apply)) => {
                let api = self.clone();
                self.store.submit_then(Lane::Ahead, SyncWhen::Now, undo, apply, move |answer| {
                    responder.give(api.finish(&exchange, answer.map(RequestOutcome::Answer)));
                });
            }
            Err(error) => responder.give(self.finish(&exchange, Err(error))),
        }
    }

    /// Replies to those of the requests whose routes are inline and that wait for nothing, all from one state of the file.
    /// What needs no file, such as the health, is answered however busy all readers are.
    pub fn answer_batch(&self, requests: Vec<Request>) -> Vec<Option<Reply>> {
        let mut replies: Vec<Option<Reply>> = requests.iter().map(|_| None).collect();
        // Taken first: what has begun is not put off.
        let reader = self.store.reader_at_once();
        let (mut waiting, mut queries) = (Vec::new(), Vec::new());
        let rows = &Rows::default();
        for (place, request) in requests.into_iter().enumerate() {
            let mut exchange = Exchange::begin(&request, &self.settings.origins);
            match guarded(|| self.begin_inline(request, &mut exchange, reader.is_some())) {
                Ok(None) => {}
                Ok(Some(Begun::Query(query, environment))) => {
                    waiting.push((place, exchange));
                    queries.push(move |db: &Db<'_>| guarded(|| query(db, rows.find(db, &environment)?)));
                }
                Ok(Some(Begun::Over(outcome))) => replies[place] = Some(self.finish(&exchange, Ok(outcome))),
                Err(error) => replies[place] = Some(self.finish(&exchange, Err(error))),
            }
        }
        let Some(reader) = reader.filter(|_| !queries.is_empty()) else { return replies };
        match self.store.read_at_once(reader, queries) {
            Ok(answers) => {
                for ((place, exchange), answer) in waiting.into_iter().zip(answers) {
                    replies[place] = Some(self.finish(&exchange, answer.map(RequestOutcome::Answer)));
                }
            }
            Err(error) => {
                for (place, exchange) in waiting {
                    let failed = Error::new(error.kind(), error.public_message());
                    replies[place] = Some(self.finish(&exchange, Err(failed)));
                }
            }
        }
        replies
    }

    /// Takes a request through the pipeline, as far as its last commit.
    fn run(&self, request: Request, exchange: &mut Exchange) -> Result<Progress> {
        self.settings.hosts.check(&request, &self.settings.origins)?;
        if exchange.origin.is_some()
            && let Some(response) = origins::preflight(&request)
        {
            return Ok(Reply::Answer(response).into());
        }
        let found = routes::find(request.method(), request.path());
        let (route, params) = found.map_err(|error| match error.kind() {
            Kind::NotFound => error.explained(&nearest::hint(request.method(), request.path())),
            _ => error,
        })?;
        let (handler, environment) = match self.enter(route, &request, exchange)? {
            Entry::Key(handler, environment) => (handler, environment),
            Entry::Open(answer) => return Ok(Progress::Over(self.answer_open(answer, exchange))),
        };
        query::check(request.query(), route.query)?;
        self.tell_of_unknown(&request, route);
        self.seeder.ensure_seeded(&self.store, &environment)?;
        if let Some(reply) = self.before(exchange) {
            return Ok(reply.into());
        }
        let view = View::new(&self.store, &environment);
        let once = match request.method() {
            Method::Post => idempotency::read(&request, self.settings.contract)?,
            _ => None,
        };
        // Before anything is made of the body. Requests that race are told apart by the writer.
        if let Some(once) = &once
            && let Some(answer) = view.read(|db, row| once.find(db, row))?
        {
            return Ok(answer.into());
        }
        let declared = if route.body.is_empty() { None } else { self.tell_of_type(&request, &environment) };
        let action = handler(self.call(route, params, request)).map_err(|error| match declared {
            Some(declared) if error.is_of_syntax() => error.explained(&format!(" (its Content-Type is {declared})")),
            _ => error,
        })?;
        let answer = match action {
            Action::Query(query) => view.read(query)?,
            Action::Change(change) => return self.submit(change, once, &environment),
            Action::Prepare(prepare) => return self.submit(prepare(&view)?, once, &environment),
            Action::Whole(work) => {
                let answer = work(&self.store)?;
                match once {
                    // The work is done, and only its answer is kept.
                    Some(_) => {
                        let change = Change::new(ChangedEnvironment::Existing, |_, _| Ok(answer));
                        self.commit(change, once, &environment)?
                    }
                    None => answer,
                }
            }
            Action::Rework(mut work) => {
                let mut worked =
                    || self.commit(work(&View::new(&self.store, &environment))?, once.clone(), &environment);
                let mut answer = worked();
                for _ in 0..REWORKED {
                    if !answer.as_ref().is_err_and(Error::is_stale) {
                        break;
                    }
                    answer = worked();
                }
                answer?
            }
        };
        Ok(answer.into())
    }

    /// Takes a request of an inline route as far as its query, which the caller runs together with those of others.
    /// `None` if the route is not inline, or if the request has to wait for something, such as a reader.
    fn begin_inline(&self, request: Request, exchange: &mut Exchange, has_reader: bool) -> Result<Option<Begun>> {
        let found = routes::find(request.method(), request.path()).ok().filter(|(route, _)| route.inline);
        let Some((route, params)) = found else { return Ok(None) };
        self.settings.hosts.check(&request, &self.settings.origins)?;
        let (handler, environment) = match self.enter(route, &request, exchange)? {
            Entry::Key(handler, environment) => (handler, environment),
            Entry::Open(answer) => return Ok(Some(Begun::Over(self.answer_open(answer, exchange)))),
        };
        query::check(request.query(), route.query)?;
        self.tell_of_unknown(&request, route);
        if !has_reader || !self.seeder.is_seeded(&environment) {
            return Ok(None);
        }
        if let Some(reply) = self.before(exchange) {
            return Ok(Some(Begun::Over(RequestOutcome::Reply(reply))));
        }
        Ok(match handler(self.call(route, params, request))? {
            Action::Query(query) => Some(Begun::Query(query, environment)),
            // Inline routes only look something up.
            Action::Change(_) | Action::Prepare(_) | Action::Rework(_) | Action::Whole(_) => None,
        })
    }

    /// What answers a request of a route, and the environment of its key, if it needs one.
    fn enter(&self, route: &'static Route, request: &Request, exchange: &mut Exchange) -> Result<Entry> {
        exchange.route = Some(route);
        Ok(match route.access {
            Access::Open(answer) => Entry::Open(answer),
            Access::Key(handler) => {
                let environment = self.settings.keys.environment(request.header("authorization"))?;
                exchange.environment = Some(environment.clone());
                Entry::Key(handler, environment)
            }
        })
    }

    /// Says once of each route which parameters of a query it does not know: a client that relies on one would not notice.
    fn tell_of_unknown(&self, request: &Request, route: &'static Route) {
        for name in query::unknown(request.query(), route.query) {
            if self.settings.notices.is_new((route.method.as_str(), route.path, &name)) {
                let known = match route.query {
                    [] => "it knows none".to_owned(),
                    known => format!("it knows {}", known.join(", ")),
                };
                let (method, path, name) = (&route.method, route.path, shown(&name));
                log::warn!("{method} {path} ignores the parameter '{name}' of a query: {known}");
            }
        }
    }

    /// The type that a body is declared to have, if that is not JSON's, which is said once of each environment and type.
    fn tell_of_type(&self, request: &Request, environment: &Environment) -> Option<String> {
        let declared = request.raw_headers("content-type").next().filter(|_| !request.body.is_empty())?;
        let declared = String::from_utf8_lossy(declared);
        let kind = declared.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if kind.is_empty() || kind == "application/json" || kind.ends_with("+json") {
            return None;
        }
        let kind = shown(&kind).to_string();
        if self.settings.notices.is_new((environment.key_hash, &kind)) {
            let environment = environment.label();
            log::warn!("environment {environment} sends JSON as {kind}: it is read, but send it as application/json");
        }
        Some(kind)
    }

    fn before(&self, exchange: &Exchange) -> Option<Reply> {
        self.hooks.iter().find_map(|hook| hook.before(exchange))
    }

    fn answer_open(&self, answer: fn() -> Answer, exchange: &Exchange) -> RequestOutcome {
        self.before(exchange).map_or_else(|| RequestOutcome::Answer(answer()), RequestOutcome::Reply)
    }

    fn call(&self, route: &'static Route, params: Params, request: Request) -> Call<'_> {
        Call { request, params, known: route.known(), settings: &self.settings, seeder: &self.seeder }
    }

    /// The commit is left to be done, unless something has to follow it before it is answered.
    fn submit(&self, change: Change, once: Option<Once>, environment: &Environment) -> Result<Progress> {
        if change.hold.is_some() {
            return self.commit(change, once, environment).map(Progress::from);
        }
        let (undo, apply) = keeping_answer(change, once, environment.clone());
        Ok(Progress::Commits(undo, apply))
    }

    /// Makes a change, and waits for the commit.
    fn commit(&self, mut change: Change, once: Option<Once>, environment: &Environment) -> Result<Answer> {
        let hold = change.hold.take();
        let (undo, apply) = keeping_answer(change, once, environment.clone());
        let answer = self.store.submit(Lane::Ahead, SyncWhen::Now, undo, apply).wait()?;
        drop(hold);
        // A reset has taken the seed away. The work is done: a seed that fails is told to the next request.
        if let Err(error) = self.seeder.ensure_seeded(&self.store, environment) {
            log::warn!("environment {} could not be seeded: {error}", environment.label());
        }
        Ok(answer)
    }

    /// The reply to a request, after all that it has changed is committed.
    fn finish(&self, exchange: &Exchange, outcome: Result<RequestOutcome>) -> Reply {
        let is_unauthorized = outcome.as_ref().is_err_and(|error| error.kind() == Kind::Unauthorized);
        let outage = if exchange.method == Method::Get { &self.reads } else { &self.changes };
        let outcome = outcome.map_err(|error| match error.kind() {
            Kind::NotFound => self.store.check_contents().err().unwrap_or(error),
            _ => error,
        });
        let reply = match outage.watch(outcome) {
            Ok(RequestOutcome::Reply(reply)) => reply,
            Ok(RequestOutcome::Answer(answer)) => Reply::Answer(respond(answer)),
            Err(error) => Reply::Answer(refuse(&error)),
        };
        let reply = guarded(|| Ok(self.hooks.iter().fold(reply, |reply, hook| hook.after(exchange, reply))))
            .unwrap_or_else(|error| Reply::Answer(refuse(&error)));
        let reply = match &exchange.origin {
            Some(origin) => origins::let_read(origin, reply),
            None => reply,
        };
        match (reply, &self.settings.late) {
            (Reply::Answer(response), Some(late)) if is_unauthorized => late.reply(response),
            (reply, _) => reply,
        }
    }
}

/// Finds the rows of a batch's environments. Requests in a row mostly have the same key, and all see the same state: what
/// was found for the last one is found.
#[derive(Default)]
struct Rows(Cell<Option<([u8; 32], EnvironmentRow)>>);

impl Rows {
    fn find(&self, db: &Db<'_>, environment: &Environment) -> Result<EnvironmentRow> {
        if let Some((key_hash, row)) = self.0.get()
            && key_hash == environment.key_hash
        {
            return Ok(row);
        }
        let row = environment::find_or_nothing(db, environment)?;
        self.0.set(Some((environment.key_hash, row)));
        Ok(row)
    }
}

/// How a request goes on once its route is known.
enum Entry {
    Key(Handler, Environment),
    Open(fn() -> Answer),
}

/// How far a request has come.
enum Progress {
    Over(RequestOutcome),
    /// As far as the commit.
    Commits(Undo, Committed),
}

/// What a commit does for a request.
type Committed = Box<dyn FnOnce(&mut Tx<'_>) -> Result<Answer> + Send>;

impl From<Answer> for Progress {
    fn from(answer: Answer) -> Self {
        Progress::Over(RequestOutcome::Answer(answer))
    }
}

impl From<Reply> for Progress {
    fn from(reply: Reply) -> Self {
        Progress::Over(RequestOutcome::Reply(reply))
    }
}

/// A change that keeps its answer for requests with the same idempotency key, or finds the one that was kept.
fn keeping_answer(change: Change, once: Option<Once>, of: Environment) -> (Undo, Committed) {
    let Change { apply, environment: changed, undo, .. } = change;
    // To store an answer can fail, even where the change cannot.
    let undo = if once.is_some() { Undo::Change } else { undo };
    let apply = move |tx: &mut Tx<'_>| {
        let row = changed.resolve(tx, &of)?;
        let Some(once) = once else { return apply(tx, row) };
        if let Some(answer) = once.find(tx, row)? {
            return Ok(answer);
        }
        let answer = apply(tx, row)?;
        let row = changed.row_of_answer(tx, &of, row)?;
        once.keep(tx, row, &answer)?;
        Ok(answer)
    };
    (undo, Box::new(apply))
}

/// How far an inline request has come.
enum Begun {
    Over(RequestOutcome),
    Query(Read, Environment),
}

/// A panic in a handler is an error of ours, and no more.
fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch(work).unwrap_or_else(|| Err(Error::internal("answering a request panicked")))
}

fn respond(answer: Answer) -> Response {
    let response = http::json(answer.status, answer.body);
    let response = if answer.status >= 400 { http::final_refusal(response) } else { response };
    if answer.replayed { response.with_header(idempotency::replayed()) } else { response }
}

fn refuse(error: &Error) -> Response {
    // What is not available is told as an outage.
    if error.kind() == Kind::Internal {
        log::error!("{error}");
    }
    http::of_error(error)
}
