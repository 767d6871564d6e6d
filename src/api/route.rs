//! A line of the table of routes: what a route is called, what it takes and gives, and what answers.

use super::call::{Action, Answer, Call, Known, Params, is_our_own};
use super::query;
use super::settings::Settings;
use crate::error::{Error, Result};
use crate::http::{Method, Request, Response};
use crate::json::shape::Shape;
use crate::store::Store;

pub type Handler = fn(Call<'_>) -> Result<Action>;

/// A line of the table.
pub struct Route {
    pub method: Method,
    /// With the names of its parameters in braces.
    pub path: &'static str,
    pub access: Access,
    /// What it is for, in a few words.
    pub about: &'static str,
    /// The query parameters that it knows.
    pub query: &'static [&'static str],
    /// The body that it takes, in Markdown; empty if it takes none.
    pub body: &'static str,
    /// The [shapes](Shape) of that body, if they say more than the documentation has room for.
    pub reads: &'static str,
    /// Status and body of its answer, in Markdown.
    pub answers: &'static str,
    /// The schemas in `openapi.json` of members of body and answer whose name alone does not tell what they are. `body`
    /// and `answer` are the whole of them. `[User]` is an array.
    pub schemas: &'static [(&'static str, &'static str)],
    /// The content type of a success.
    pub content_type: &'static str,
    /// Whether the answer takes no more than a look at a few rows, so that an event loop may answer it.
    pub inline: bool,
    /// Whether it acts each time, whatever the request's idempotency key: a test that asks for a state must not get an
    /// earlier answer.
    pub each_time: bool,
}

/// Who may call a route, and what answers.
#[derive(Clone, Copy)]
pub enum Access {
    /// An API key is needed; it names the environment.
    Key(Handler),
    /// No key is needed. Without one there is no environment, and nothing to look up.
    Open(fn() -> Answer),
    /// The same, with the table to answer from.
    Table(fn(&'static [Route]) -> Answer),
    /// An API key is needed, and the table to answer from.
    KeyAndTable(TableHandler),
    /// No key is needed, and the daemon as a whole is looked at.
    Watch(Watch),
    /// No key is needed, and the answer has headers of its own: it is for browsers.
    Page(PageHandler),
    /// No key is needed: the environment is that of `--mailpit-api`. Without the flag there is no such route.
    Mailbox(Handler),
}

/// A handler that looks at the table.
pub type TableHandler = fn(Call<'_>, &'static [Route]) -> Result<Action>;

/// A look at the daemon as a whole.
pub type Watch = fn(&Store, &Settings, &'static [Route]) -> Result<Answer>;

/// What answers a browser.
pub type PageHandler = fn(&Store, &Settings, &Request, Params) -> Result<Response>;

pub(super) const fn page(path: &'static str, give: PageHandler) -> Route {
    row(Method::Get, path, Access::Page(give))
}

pub(super) const fn route(method: Method, path: &'static str, handler: Handler) -> Route {
    row(method, path, Access::Key(handler))
}

pub(super) const fn open(method: Method, path: &'static str, answer: fn() -> Answer) -> Route {
    let mut route = row(method, path, Access::Open(answer));
    route.inline = true;
    route
}

pub(super) const fn watch(path: &'static str, look: Watch) -> Route {
    row(Method::Get, path, Access::Watch(look))
}

pub(super) const fn mailbox(method: Method, path: &'static str, handler: Handler) -> Route {
    row(method, path, Access::Mailbox(handler))
}

pub(super) const fn row(method: Method, path: &'static str, access: Access) -> Route {
    let content_type = "application/json";
    Route {
        method,
        path,
        access,
        about: "",
        query: &[],
        body: "",
        reads: "",
        answers: "",
        schemas: &[],
        content_type,
        inline: false,
        each_time: false,
    }
}

/// A `GET` of a few rows.
pub(super) const fn inline(path: &'static str, handler: Handler) -> Route {
    let mut route = route(Method::Get, path, handler);
    route.inline = true;
    route
}

/// A route without a key that answers from the table.
pub(super) const fn table(path: &'static str, answer: fn(&'static [Route]) -> Answer) -> Route {
    row(Method::Get, path, Access::Table(answer))
}

impl Route {
    /// What it knows of its requests. `shapes` are those of its body.
    pub fn known(&'static self, shapes: &'static [Shape<'static>]) -> Known {
        Known { route: (self.method.as_str(), self.path), query: self.query, body: self.read(), shapes }
    }

    /// What it says of the body that it reads, with shapes in backticks.
    pub fn read(&self) -> &'static str {
        if self.reads.is_empty() { self.body } else { self.reads }
    }

    /// Whether a key is needed to call it.
    pub fn needs_key(&self) -> bool {
        matches!(self.access, Access::Key(_) | Access::KeyAndTable(_))
    }

    /// Whether Courier has no such route.
    pub fn is_ours(&self) -> bool {
        is_our_own(self.path) || !self.needs_key()
    }

    pub(super) const fn about(mut self, about: &'static str) -> Self {
        self.about = about;
        self
    }

    pub(super) const fn query(mut self, query: &'static [&'static str]) -> Self {
        self.query = query;
        self
    }

    pub(super) const fn body(mut self, body: &'static str) -> Self {
        self.body = body;
        self
    }

    pub(super) const fn reads(mut self, reads: &'static str) -> Self {
        self.reads = reads;
        self
    }

    pub(super) const fn answers(mut self, answers: &'static str) -> Self {
        self.answers = answers;
        self
    }

    pub(super) const fn each_time(mut self) -> Self {
        self.each_time = true;
        self
    }

    pub(super) const fn schemas(mut self, schemas: &'static [(&'static str, &'static str)]) -> Self {
        self.schemas = schemas;
        self
    }

    pub(super) const fn content_type(mut self, content_type: &'static str) -> Self {
        self.content_type = content_type;
        self
    }
}

/// Whether a path is that of a route, whatever the method.
pub fn is_path(pattern: &'static str, path: &str) -> bool {
    matches(pattern, path).is_some()
}

/// What stands in place of a pattern's names. What cannot be read is refused: it would make one user of two.
pub(super) fn matches(pattern: &'static str, path: &str) -> Option<Result<Params>> {
    let (mut params, mut unreadable) = (Vec::new(), None);
    let mut parts = path.split('/');
    for expected in pattern.split('/') {
        let part = parts.next()?;
        if let Some(name) = expected.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
            if part.is_empty() {
                return None;
            }
            match query::read_encoded(part) {
                Some(value) => params.push((name, value)),
                None => unreadable = unreadable.or(Some(name)),
            }
        } else if expected != part {
            return None;
        }
    }
    parts.next().is_none().then(|| match unreadable {
        None => Ok(params),
        Some(name) => Err(Error::invalid(name, query::UNREADABLE)),
    })
}
