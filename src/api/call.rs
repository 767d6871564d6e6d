//! What a handler is given, and what it gives back.

use std::collections::HashSet;
use std::sync::Arc;

use super::notes::Notes;
use super::query::Query;
use super::settings::Settings;
use crate::error::{Error, Result, shown};
use crate::findings::Check;
use crate::http::{JSON, Pieces, Reply, Request, Response};
use crate::json;
use crate::json::shape::Shape;
use crate::model::environment::{Environment, EnvironmentRow};
use crate::seed::{Hold, Seeder};
use crate::store::environment::{self, NOTHING, View};
use crate::store::{Db, Store, Tx, Undo, pieces};

/// Bodies up to this size are searched for members that nothing reads. Larger ones are made up like others.
const LOOKED_THROUGH: usize = 1024 * 1024;

/// The most notes about one body: with so many, the mistake is noticed.
const TOLD_LIMIT: usize = 20;

/// A request with what its route says about it. Its environment is given to what is left to do.
pub struct Call<'a> {
    pub request: Request,
    pub(super) params: Params,
    pub(super) known: Known,
    pub settings: &'a Settings,
    pub seeder: &'a Seeder,
    /// Of the request's key.
    pub environment: &'a Environment,
}

/// What a route knows of its requests.
#[derive(Clone, Copy)]
pub struct Known {
    /// Its method and its path.
    pub route: (&'static str, &'static str),
    /// The parameters of its query.
    pub query: &'static [&'static str],
    /// What it says of its body.
    pub body: &'static str,
    /// The shapes in that.
    pub shapes: &'static [Shape<'static>],
}

/// What stands in the request's path in place of the names in the route's.
pub type Params = Vec<(&'static str, String)>;

/// What is left to do once a request has been read.
pub enum Action {
    /// Looks something up.
    Query(Read),
    /// Changes something, in a commit.
    Change(Change),
    /// Prepares a change: looks up what it needs, and does work that must hold up neither readers nor the writer.
    Prepare(Prepare),
    /// Works beside readers and the writer: on the file as a whole, or on what the process holds.
    Whole(Whole),
    /// Has another request answered instead, and makes its own answer of that answer.
    Forward(Box<Request>, Translate),
    /// Replies in another way than by an immediate answer. An idempotency key has no effect on it.
    Reply(GiveReply),
    /// Prepares a change from what is stored. If something else is stored by then, the change is [stale](Error::stale),
    /// and is prepared again.
    Rework(Rework),
    /// Waits in the one thread that waits for all such requests. That thread is given a function that continues with
    /// the resulting change.
    Later(Later),
}

pub type Read = Box<dyn FnOnce(&Db<'_>, EnvironmentRow) -> Result<Answer>>;
pub type Prepare = Box<dyn FnOnce(&View<'_>) -> Result<Change>>;
pub type Translate = Box<dyn FnOnce(Response) -> Response + Send>;
pub type Whole = Box<dyn FnOnce(&Store) -> Result<Answer>>;
pub type Rework = Box<dyn FnMut(&View<'_>) -> Result<Change>>;
pub type Later = Box<dyn FnOnce(GoOn)>;
pub type GoOn = Box<dyn FnOnce(Result<Change>) + Send>;
pub type GiveReply = Box<dyn FnOnce(&View<'_>) -> Result<Reply>>;
type Apply = Box<dyn FnOnce(&mut Tx<'_>, EnvironmentRow) -> Result<Answer> + Send>;

/// What is to be done in a commit.
pub struct Change {
    pub(super) apply: Apply,
    pub(super) environment: ChangedEnvironment,
    pub(super) undo: Undo,
    /// Dropped after the commit.
    pub(super) hold: Option<Hold>,
}

/// The environment that a change is made in.
#[derive(Clone, Copy, Debug)]
pub enum ChangedEnvironment {
    /// The key's, created if there is none.
    Made,
    /// The key's, if there is one. It is not created.
    Existing,
    /// The same, and the change removes all of its contents.
    Retired,
    /// The one in which the change was prepared, even if it was reset meanwhile. Created if there was none.
    Prepared(EnvironmentRow),
}

impl ChangedEnvironment {
    /// Looks for the row, in the change's own transaction.
    pub(super) fn resolve(self, tx: &mut Tx<'_>, environment: &Environment) -> Result<EnvironmentRow> {
        match self {
            ChangedEnvironment::Existing | ChangedEnvironment::Retired => environment::find_or_nothing(tx, environment),
            ChangedEnvironment::Made | ChangedEnvironment::Prepared(NOTHING) => {
                environment::find_or_create(tx, environment)
            }
            ChangedEnvironment::Prepared(row) => environment::refuse_gone(tx, row).map(|()| row),
        }
    }

    /// Where the change's answer is kept: after a reset that is a new environment.
    pub(super) fn row_of_answer(
        self,
        tx: &mut Tx<'_>,
        environment: &Environment,
        row: EnvironmentRow,
    ) -> Result<EnvironmentRow> {
        if row == NOTHING || matches!(self, ChangedEnvironment::Retired) {
            return environment::find_or_create(tx, environment);
        }
        Ok(row)
    }
}

/// A status and a body, which may be empty.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Pieces,
    pub content_type: &'static str,
    /// Whether this is the answer to an earlier request with the same idempotency key.
    pub replayed: bool,
}

impl Answer {
    pub fn new(status: u16, body: impl Into<Pieces>) -> Self {
        Answer { status, body: body.into(), content_type: JSON, replayed: false }
    }

    /// An answer that is not JSON.
    pub fn of_type(content_type: &'static str, body: impl Into<Pieces>) -> Self {
        Answer { content_type, ..Answer::new(200, body) }
    }
}

impl Change {
    pub fn new(
        environment: ChangedEnvironment,
        apply: impl FnOnce(&mut Tx<'_>, EnvironmentRow) -> Result<Answer> + Send + 'static,
    ) -> Self {
        Change { apply: Box::new(apply), environment, undo: Undo::Change, hold: None }
    }

    /// A change that fails only if the file does.
    pub fn sure(self) -> Self {
        Change { undo: Undo::Group, ..self }
    }

    /// Keeps others waiting until it is committed.
    pub fn holding(self, hold: Option<Hold>) -> Self {
        Change { hold, ..self }
    }
}

impl Action {
    /// A query. In an environment that has nothing, it finds nothing.
    pub fn query(query: impl FnOnce(&Db<'_>, EnvironmentRow) -> Result<Answer> + 'static) -> Result<Action> {
        Ok(Action::Query(Box::new(query)))
    }

    /// May create something. The environment is created if there is none.
    pub fn change(
        apply: impl FnOnce(&mut Tx<'_>, EnvironmentRow) -> Result<Answer> + Send + 'static,
    ) -> Result<Action> {
        Ok(Action::Change(Change::new(ChangedEnvironment::Made, apply)))
    }

    /// Changes or removes only what is there.
    pub fn change_existing(
        apply: impl FnOnce(&mut Tx<'_>, EnvironmentRow) -> Result<Answer> + Send + 'static,
    ) -> Result<Action> {
        Ok(Action::Change(Change::new(ChangedEnvironment::Existing, apply)))
    }

    pub fn prepare(prepare: impl FnOnce(&View<'_>) -> Result<Change> + 'static) -> Result<Action> {
        Ok(Action::Prepare(Box::new(prepare)))
    }

    /// May create many rows, with so many bytes of text. A large call is written in pieces, so that others wait for one
    /// piece at most. Pieces can be seen before the request is answered. A request that did not complete is completed
    /// by repeating it.
    pub fn change_rows<T: Send + Sync + 'static>(
        rows: Vec<T>,
        bytes: impl Fn(&T) -> usize,
        answer: Answer,
        make: impl Fn(&mut Tx<'_>, EnvironmentRow, &[T]) -> Result<()> + Send + Sync + 'static,
    ) -> Result<Action> {
        let mut pieces = pieces::ranges(&rows, bytes);
        let of_rows = Arc::new((rows, make));
        Action::prepare(move |view| {
            let last = pieces.pop().unwrap_or_default();
            let mut begun = None;
            for piece in pieces {
                let of_rows = of_rows.clone();
                begun = Some(view.write(move |tx, environment| (of_rows.1)(tx, environment, &of_rows.0[piece]))?);
            }
            Ok(Change::new(ChangedEnvironment::Made, move |tx, environment| {
                // After a reset the other pieces are gone as well.
                if begun.is_none_or(|begun| begun == environment) {
                    (of_rows.1)(tx, environment, &of_rows.0[last])?;
                }
                Ok(answer)
            }))
        })
    }

    pub fn whole(work: impl FnOnce(&Store) -> Result<Answer> + 'static) -> Result<Action> {
        Ok(Action::Whole(Box::new(work)))
    }

    pub fn reply(give: impl FnOnce(&View<'_>) -> Result<Reply> + 'static) -> Result<Action> {
        Ok(Action::Reply(Box::new(give)))
    }

    pub fn later(begin: impl FnOnce(GoOn) + 'static) -> Result<Action> {
        Ok(Action::Later(Box::new(begin)))
    }

    pub fn rework(work: impl FnMut(&View<'_>) -> Result<Change> + 'static) -> Result<Action> {
        Ok(Action::Rework(Box::new(work)))
    }
}

/// Whether a path is one that Courier does not have.
pub(super) fn is_our_own(path: &str) -> bool {
    path.starts_with("/_bulkd/")
}

/// A header that changes what a request means. One that is not text is refused, not ignored.
pub(super) fn header<'a>(request: &'a Request, name: &str) -> Result<Option<&'a str>> {
    match request.header(name) {
        None if request.has_header(name) => Err(Error::invalid(name, "expected UTF-8")),
        value => Ok(value),
    }
}

impl Call<'_> {
    /// What stands in the path in place of `{name}`. Each is taken once.
    pub fn path(&mut self, name: &str) -> String {
        let place = self.params.iter().position(|(known, _)| *known == name);
        debug_assert!(place.is_some(), "the route's path has no {{{name}}}");
        place.map(|place| self.params.swap_remove(place).1).unwrap_or_default()
    }

    /// Where to note what would hurt at Courier.
    pub fn notes(&self) -> Notes {
        Notes::new(&self.settings.findings, self.environment, &self.request)
    }

    /// The query, with the parameters that the route names.
    pub fn query(&self) -> Query {
        Query::new(self.request.query(), self.known.query)
    }

    /// The body as text, whatever its declared type: it can be nothing but JSON.
    pub fn json(&mut self) -> Result<String> {
        if header(&self.request, "Content-Encoding")?.is_some_and(|encoding| !encoding.eq_ignore_ascii_case("identity"))
        {
            return Err(Error::invalid("Content-Encoding", "expected none; send the body as it is"));
        }
        let text = String::from_utf8(std::mem::take(&mut self.request.body)).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            Error::invalid("the body", format_args!("expected UTF-8, found something else at byte {at}"))
        })?;
        json::accept(&text, "the body")?;
        self.look_for_unread(&text)?;
        Ok(text)
    }

    /// Notes which members of a body one of Courier's routes does not read. One of our own routes refuses them: a test
    /// that relies on one would not notice.
    fn look_for_unread(&self, body: &str) -> Result<()> {
        if body.len() > LOOKED_THROUGH {
            return Ok(());
        }
        let has = |name: &str| json::scan::Members::of(body).any(|(it, _)| it.plain() == Some(name));
        let shape = match self.known.shapes {
            [shape] => Some(shape),
            // The first member tells which shape is meant.
            shapes => shapes.iter().find(|it| it.begins(has)),
        };
        let Some(shape) = shape else { return Ok(()) };
        let is_ours = is_our_own(self.known.route.1);
        let (notes, mut kinds, mut refused) = (self.notes(), HashSet::new(), None);
        shape.unread(body, "", &mut |path| {
            if is_ours {
                refused.get_or_insert(path);
                return;
            }
            // Of an array's items only one is noted.
            let kind: String = path.chars().filter(|c| !c.is_ascii_digit()).collect();
            let (method, route) = self.known.route;
            if kinds.len() < TOLD_LIMIT && kinds.insert(kind.clone()) {
                notes.note(Check::NoEffect, (method, route, kind), || {
                    format!("{method} {route}: {} has no effect: no such member is known", shown(&path))
                });
            }
        });
        match refused {
            Some(path) => {
                Err(Error::invalid(shown(&path), format_args!("expected none; known is {}", self.known.body)))
            }
            None => Ok(()),
        }
    }

    /// The body as text, or an empty object if there is none: for requests in which everything is optional.
    pub fn json_or_none(&mut self) -> Result<String> {
        let body = self.json()?;
        Ok(if body.trim_ascii().is_empty() { "{}".to_owned() } else { body })
    }
}
