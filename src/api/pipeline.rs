//! One pipeline for all requests: host → origin → route → environment → seeded → idempotency key → action → answer.
//!
//! A handler turns a request into an [`Action`](super::call::Action), without the database, and refuses what is wrong with
//! it. The pipeline does what the action says: a query, or a change in a group commit. [Hooks](super::hook::Hook) stand
//! before the work and after the commit. Requests of routes that are [inline](super::routes::Route::inline) take the same
//! way on the event loop's thread, several at a time.

use std::cell::Cell;
use std::sync::Arc;

use super::call::{Action, Answer, Call, Change, ChangedEnvironment, Later, Params, Read, Translate, is_our_own};
use super::fault::FaultHook;
use super::hook::{Exchange, FeedRequests, Hook, MeterRequests, RequestLog, tell_of_findings};
use super::idempotency::{self, Once};
use super::journal::JournalHook;
use super::notes::Notes;
use super::route::{self, Access, Handler, PageHandler, Route, TableHandler, Watch};
use super::routes::{self, ROUTES};
use super::settings::Settings;
use super::{environment as environments, nearest, origins, query};
use crate::error::{Error, Kind, Result, shown};
use crate::findings::Check;
use crate::http::{self, Method, Reply, Request, Responder, Response};
use crate::journal::{Beginning, Outcome};
use crate::model::environment::{Environment, EnvironmentRow};
use crate::model::seed::Seed;
use crate::outage::Outage;
use crate::seed::Seeder;
use crate::store::environment::{self, View};
use crate::store::{Db, Lane, Store, SyncWhen, Tx, Undo};
use crate::threads::catch;

/// How often a change is prepared again because others have changed what it was prepared from. Each time, one of the
/// others succeeded.
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
    /// A reply that a hook gave.
    Reply(Reply),
}

/// Refuses a body that one of our own routes does not read.
fn check_no_body(request: &Request, route: &Route) -> Result<()> {
    let sent = request.body.trim_ascii();
    if !is_our_own(route.path)
        || !route.read().is_empty()
        || matches!(request.method(), Method::Get | Method::Head)
        || matches!(sent, b"" | b"{}" | b"[]" | b"null")
    {
        return Ok(());
    }
    Err(Error::invalid("the body", format_args!("expected none: {} {} takes no body", route.method, route.path)))
}

impl Api {
    /// `seed` is what every environment begins with; it was [checked](crate::seed::check).
    pub fn new(store: Arc<Store>, settings: Settings, seed: Seed) -> Self {
        let seeder = Seeder::new(seed, settings.messages);
        let reads = Outage::new("requests to read are refused");
        let changes = Outage::new("requests to change something are refused");
        let measured = MeterRequests { meter: settings.meter.clone(), routes: ROUTES };
        let followed = FeedRequests(settings.feed.clone());
        tell_of_findings(&settings.findings, settings.feed.clone());
        // Faults come first, so that what they make of an answer is what is recorded, counted, streamed and logged.
        let hooks: Vec<Box<dyn Hook>> = vec![
            Box::new(FaultHook::new(&settings)),
            Box::new(JournalHook::new(&settings)),
            Box::new(RequestLog),
            Box::new(measured),
            Box::new(followed),
        ];
        Api { store, settings, seeder, hooks, reads, changes }
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

    /// Whether a request asks for the daemon's health, which needs neither a key nor the file.
    pub fn is_always_answered(&self, method: &str, path: &str) -> bool {
        let found = method.parse().ok().and_then(|method| routes::find(&method, path).ok());
        found.is_some_and(|(route, _)| matches!(route.access, Access::Open(_)))
    }

    /// Lets the page of this origin read an answer that the API did not make.
    pub fn let_read(&self, origin: Option<&[u8]>, response: Response) -> Response {
        match origin.and_then(|origin| self.settings.origins.find(origin)) {
            Some(origin) => origins::let_read_response(origin, response),
            None => response,
        }
    }

    /// Replies to any request. Its change is committed after this call, and no thread waits for that.
    pub fn answer(self: &Arc<Self>, request: Request, responder: Responder) {
        let mut exchange = Exchange::begin(&request, &self.settings.origins);
        match guarded(|| self.run(request, &mut exchange)) {
            Ok(Progress::Over(outcome)) => responder.give(self.finish(&mut exchange, Ok(outcome))),
            Ok(Progress::Commits(undo, apply)) => self.clone().commit_then(undo, apply, exchange, responder),
            Ok(Progress::Later(begin, once, environment)) => {
                let api = self.clone();
                begin(Box::new(move |change| match change {
                    Ok(change) => {
                        let (undo, apply) = keeping_answer(change, once, environment);
                        api.commit_then(undo, apply, exchange, responder);
                    }
                    Err(error) => responder.give(api.finish(&mut exchange, Err(error))),
                }));
            }
            Ok(Progress::Forwards(request, then)) => {
                let api = self.clone();
                let finish = move |reply: Reply| api.finish(&mut exchange, Ok(RequestOutcome::Reply(reply.map(then))));
                self.answer(*request, responder.after(finish));
            }
            Err(error) => responder.give(self.finish(&mut exchange, Err(error))),
        }
    }

    /// Replies after the commit.
    fn commit_then(self: Arc<Self>, undo: Undo, apply: Committed, mut exchange: Exchange, responder: Responder) {
        let store = self.store.clone();
        store.submit_then(Lane::Ahead, SyncWhen::Now, undo, apply, move |answer| {
            responder.give(self.finish(&mut exchange, answer.map(RequestOutcome::Answer)));
        });
    }

    /// Replies to the requests whose routes are inline and that need not wait, all from one state of the file. What
    /// needs no file, such as the health, is answered even when all readers are busy.
    pub fn answer_batch(&self, requests: Vec<Request>) -> Vec<Option<Reply>> {
        let mut replies: Vec<Option<Reply>> = requests.iter().map(|_| None).collect();
        // Taken first: a request that has begun is not put off.
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
                Ok(Some(Begun::Over(outcome))) => replies[place] = Some(self.finish(&mut exchange, Ok(outcome))),
                Err(error) => replies[place] = Some(self.finish(&mut exchange, Err(error))),
            }
        }
        let Some(reader) = reader.filter(|_| !queries.is_empty()) else { return replies };
        match self.store.read_at_once(reader, queries) {
            Ok(answers) => {
                for ((place, mut exchange), answer) in waiting.into_iter().zip(answers) {
                    replies[place] = Some(self.finish(&mut exchange, answer.map(RequestOutcome::Answer)));
                }
            }
            Err(error) => {
                for (place, mut exchange) in waiting {
                    let failed = Error::new(error.kind(), error.public_message());
                    replies[place] = Some(self.finish(&mut exchange, Err(failed)));
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
            Kind::NotFound => self.not_found(error, &request, exchange),
            _ => error,
        })?;
        let (handler, environment) = match self.enter(route, &request, exchange)? {
            Entry::Key(handler, environment) => (handler, environment),
            Entry::Open(answer) => return Ok(Progress::Over(self.answer_open(answer, exchange, &request))),
            Entry::Watch(look) => {
                return match self.before(exchange, &request) {
                    Some(reply) => Ok(reply.into()),
                    None => look(&self.store, &self.settings, ROUTES).map(Progress::from),
                };
            }
            Entry::Page(give) => {
                return match self.before(exchange, &request) {
                    Some(reply) => Ok(reply.into()),
                    None => give(&self.store, &self.settings, &request, params).map(|it| Reply::Answer(it).into()),
                };
            }
        };
        self.check_query(&request, route, &environment)?;
        check_no_body(&request, route)?;
        self.seeder.ensure_seeded(&self.store, &environment)?;
        if let Some(reply) = self.before(exchange, &request) {
            return Ok(reply.into());
        }
        let view = View::new(&self.store, &environment);
        let once = match request.method() {
            Method::Post => {
                let notes = || Notes::new(&self.settings.findings, &environment, &request);
                idempotency::read(&request, self.settings.contract, notes)?.filter(|_| !route.each_time)
            }
            _ => None,
        };
        // Before the body is used. Between requests that race, the writer decides.
        if let Some(once) = &once
            && let Some(answer) = view.read(|db, row| once.find(db, row))?
        {
            return Ok(answer.into());
        }
        let declared = if route.body.is_empty() { None } else { self.tell_of_type(&request, &environment) };
        let action =
            handler.begin(self.call(route, params, request, &environment)).map_err(|error| match declared {
                Some(declared) if error.is_of_syntax() => {
                    error.explained(&format!(" (its Content-Type is {declared})"))
                }
                _ => error,
            })?;
        let answer = match action {
            Action::Forward(request, then) => return Ok(Progress::Forwards(request, then)),
            Action::Reply(give) => return give(&view).map(Progress::from),
            Action::Query(query) => view.read(query)?,
            Action::Later(begin) => return Ok(Progress::Later(begin, once, environment)),
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

    /// Takes a request of an inline route as far as its query, which the caller runs together with others. `None` if
    /// the route is not inline, or if the request has to wait for something, such as a reader.
    fn begin_inline(&self, request: Request, exchange: &mut Exchange, has_reader: bool) -> Result<Option<Begun>> {
        let found = routes::find(request.method(), request.path()).ok().filter(|(route, _)| route.inline);
        let Some((route, params)) = found else { return Ok(None) };
        // Only the file tells which environment a handle is of.
        if environments::is_named(&request) {
            return Ok(None);
        }
        self.settings.hosts.check(&request, &self.settings.origins)?;
        let (handler, environment) = match self.enter(route, &request, exchange)? {
            Entry::Key(handler, environment) => (handler, environment),
            Entry::Open(answer) => return Ok(Some(Begun::Over(self.answer_open(answer, exchange, &request)))),
            Entry::Watch(_) | Entry::Page(_) => return Ok(None),
        };
        self.check_query(&request, route, &environment)?;
        if !has_reader || !self.seeder.is_seeded(&environment) {
            return Ok(None);
        }
        if let Some(reply) = self.before(exchange, &request) {
            return Ok(Some(Begun::Over(RequestOutcome::Reply(reply))));
        }
        Ok(match handler.begin(self.call(route, params, request, &environment))? {
            Action::Query(query) => Some(Begun::Query(query, environment)),
            // Inline routes only look something up.
            _ => None,
        })
    }

    /// What answers a request of a route, and the environment of its key, if it needs one.
    fn enter(&self, route: &'static Route, request: &Request, exchange: &mut Exchange) -> Result<Entry> {
        exchange.route = Some(route);
        if route.is_ours() {
            self.settings.hosts.check_origin(request, &self.settings.origins)?;
        }
        Ok(match route.access {
            Access::Open(answer) => Entry::Open(answer()),
            Access::Table(answer) => Entry::Open(answer(ROUTES)),
            Access::Watch(look) => Entry::Watch(look),
            Access::Page(give) => Entry::Page(give),
            Access::Mailbox(handler) => match &self.settings.mailbox {
                Some(environment) => {
                    exchange.environment = Some(environment.clone());
                    Entry::Key(Work::Handler(handler), environment.clone())
                }
                None => {
                    let (method, path) = (&route.method, shown(request.path()));
                    return Err(Error::not_found(format!("there is no route {method} {path} without --mailpit-api")));
                }
            },
            Access::Key(handler) => {
                let environment = self.environment_of(request)?;
                exchange.environment = Some(environment.clone());
                Entry::Key(Work::Handler(handler), environment)
            }
            Access::KeyAndTable(handler) => {
                let environment = self.environment_of(request)?;
                exchange.environment = Some(environment.clone());
                Entry::Key(Work::WithTable(handler), environment)
            }
        })
    }

    /// The environment of the request's key, or the one that the page names.
    fn environment_of(&self, request: &Request) -> Result<Environment> {
        match environments::is_named(request) {
            true => environments::named(&self.store, &self.settings, request),
            false => self.settings.keys.environment(request.header("authorization")),
        }
    }

    /// Notes which parameters of a query one of Courier's routes does not know: a client that relies on one would not
    /// notice. One of our own routes refuses them.
    fn check_query(&self, request: &Request, route: &'static Route, environment: &Environment) -> Result<()> {
        query::check(request.query(), route.query)?;
        if is_our_own(route.path) {
            query::check_our_own(request.query(), route.query)?;
        }
        for name in query::unknown(request.query(), route.query) {
            let (method, path) = (&route.method, route.path);
            let known = match route.query {
                [] => "it knows none".to_owned(),
                known => format!("it knows {}", known.join(", ")),
            };
            if is_our_own(path) {
                let problem = format_args!("expected no such parameter of a query: {known}");
                return Err(Error::invalid(shown(&name), problem));
            }
            let notes = Notes::new(&self.settings.findings, environment, request);
            notes.note(Check::UnknownParameter, (method.as_str(), path, &name), || {
                format!("{method} {path} ignores the parameter '{}' of a query: {known}", shown(&name))
            });
        }
        Ok(())
    }

    /// The error of a request that has no route. The request still belongs to the environment of its key.
    fn not_found(&self, error: Error, request: &Request, exchange: &mut Exchange) -> Error {
        let error = error.explained(&nearest::hint(ROUTES, request.method(), request.path()));
        exchange.environment = self.settings.keys.find(request.header("authorization"));
        if let Some(environment) = &exchange.environment {
            let path = request.path();
            let is_of_users = *request.method() == Method::Post && route::is_path("/bulk/{job_id}/users", path);
            let check = if is_of_users { Check::UsersPath } else { Check::UnknownRoute };
            let notes = Notes::new(&self.settings.findings, environment, request);
            notes.note(check, (request.method().as_str(), path), || error.public_message());
        }
        error
    }

    /// The declared type of a body, if that is not JSON. It is noted once for each environment and type.
    fn tell_of_type(&self, request: &Request, environment: &Environment) -> Option<String> {
        let declared = request.raw_headers("content-type").next().filter(|_| !request.body.is_empty())?;
        let declared = String::from_utf8_lossy(declared);
        let kind = declared.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if kind.is_empty() || kind == "application/json" || kind.ends_with("+json") {
            return None;
        }
        let kind = shown(&kind).to_string();
        Notes::new(&self.settings.findings, environment, request).note(Check::ContentType, &kind, || {
            let environment = environment.label();
            format!("environment {environment} sends JSON as {kind}: it is read, but send it as application/json")
        });
        Some(kind)
    }

    fn before(&self, exchange: &mut Exchange, request: &Request) -> Option<Reply> {
        self.hooks.iter().find_map(|hook| hook.before(exchange, request))
    }

    fn answer_open(&self, answer: Answer, exchange: &mut Exchange, request: &Request) -> RequestOutcome {
        self.before(exchange, request).map_or_else(|| RequestOutcome::Answer(answer), RequestOutcome::Reply)
    }

    fn call<'a>(
        &'a self,
        route: &'static Route,
        params: Params,
        request: Request,
        environment: &'a Environment,
    ) -> Call<'a> {
        let (known, settings, seeder) = (route.known(routes::shapes(route)), &self.settings, &self.seeder);
        Call { request, params, known, settings, seeder, environment }
    }

    /// Leaves the commit to be done, unless something has to follow it before the answer.
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
        // A reset has removed the seed. The reset itself is done: if the seed fails, the next request is told.
        if let Err(error) = self.seeder.ensure_seeded(&self.store, environment) {
            log::warn!("environment {} could not be seeded: {error}", environment.label());
        }
        Ok(answer)
    }

    /// Makes the reply to a request, after all its changes are committed.
    fn finish(&self, exchange: &mut Exchange, outcome: Result<RequestOutcome>) -> Reply {
        let is_unauthorized = outcome.as_ref().is_err_and(|error| error.kind() == Kind::Unauthorized);
        let outage = if *exchange.method() == Method::Get { &self.reads } else { &self.changes };
        let outcome = outcome.map_err(|error| match error.kind() {
            Kind::NotFound => self.store.check_contents().err().unwrap_or(error),
            _ => error,
        });
        let reply = match outage.watch(outcome) {
            Ok(RequestOutcome::Reply(reply)) => reply,
            Ok(RequestOutcome::Answer(answer)) => {
                let body = Beginning::of(answer.body.beginning(), answer.body.len());
                exchange.made = Outcome { status: Some(answer.status), body, ..Outcome::default() };
                exchange.is_replayed = answer.replayed;
                Reply::Answer(respond(answer))
            }
            Err(error) => {
                let body = http::envelope(&error);
                let status = error.kind().status_and_type().0;
                let body = Beginning::of(body.as_bytes(), body.len());
                exchange.made = Outcome { status: Some(status), body, ..Outcome::default() };
                Reply::Answer(refuse(&error))
            }
        };
        let reply = guarded(|| Ok(self.hooks.iter().fold(reply, |reply, hook| hook.after(exchange, reply))))
            .unwrap_or_else(|error| Reply::Answer(refuse(&error)));
        let reply = match (reply, &self.settings.late) {
            (Reply::Answer(response), Some(late)) if is_unauthorized => late.reply(response),
            (reply, _) => reply,
        };
        match &exchange.origin {
            Some(origin) => origins::let_read(origin, reply),
            None => reply,
        }
    }
}

/// Finds the environment rows of a batch. Requests in a row mostly have the same key, and all see the same state, so
/// the last row that was found is kept.
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
    Key(Work, Environment),
    Open(Answer),
    Watch(Watch),
    Page(PageHandler),
}

/// What makes an action of a request.
enum Work {
    Handler(Handler),
    WithTable(TableHandler),
}

impl Work {
    fn begin(self, call: Call<'_>) -> Result<Action> {
        match self {
            Work::Handler(handler) => handler(call),
            Work::WithTable(handler) => handler(call, ROUTES),
        }
    }
}

/// How far a request has come.
enum Progress {
    Over(RequestOutcome),
    /// Up to the commit.
    Commits(Undo, Committed),
    /// Up to a wait in another thread.
    Later(Later, Option<Once>, Environment),
    /// To another request, whose answer becomes its own.
    Forwards(Box<Request>, Translate),
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

/// A change that stores its answer for requests with the same idempotency key, or finds the stored one.
fn keeping_answer(change: Change, once: Option<Once>, of: Environment) -> (Undo, Committed) {
    let Change { apply, environment: changed, undo, .. } = change;
    // Storing an answer can fail even where the change cannot.
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

/// Turns a panic in a handler into an error of ours.
fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch(work).unwrap_or_else(|| Err(Error::internal("answering a request panicked")))
}

fn respond(answer: Answer) -> Response {
    let response = http::typed(answer.status, answer.content_type, answer.body);
    // A page that shows a recipient's e-mail is not ours, and may run nothing in our name.
    let response = match answer.content_type.starts_with("text/html") {
        true => response.with_header(http::header("Content-Security-Policy", "sandbox; script-src 'none'")),
        false => response,
    };
    let response = if answer.status >= 400 { http::final_refusal(response) } else { response };
    if answer.replayed { response.with_header(idempotency::replayed()) } else { response }
}

fn refuse(error: &Error) -> Response {
    // `Kind::Unavailable` is logged as an outage instead.
    if error.kind() == Kind::Internal {
        log::error!("{error}");
    }
    http::of_error(error)
}
