//! What people, tools and hooks know of a route. What answers it stands in the table: `routes.rs`.

use crate::http::Method;

/// A route, as it is told.
pub struct Route {
    pub method: Method,
    /// With the names of its parameters in braces.
    pub path: &'static str,
    pub caller: Caller,
    /// What it is for, in a few words.
    pub about: &'static str,
    /// The query parameters that it knows.
    pub query: &'static [&'static str],
    /// The body that it takes, in Markdown; empty if it takes none.
    pub body: &'static str,
    /// Status and body of its answer, in Markdown.
    pub answers: &'static str,
    /// The schemas in `openapi.json` of those members of body and answer whose name alone does not tell what they are;
    /// `body` and `answer` are the whole of them. `[User]` is an array.
    pub schemas: &'static [(&'static str, &'static str)],
    /// What a success is written in.
    pub content_type: &'static str,
}

/// Who may call a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Who has an API key, which names the environment.
    Key,
    Anyone,
    /// Anyone, if there is `--mailpit-api`.
    Mailbox,
}

impl Route {
    pub const fn new(method: Method, path: &'static str, caller: Caller) -> Self {
        Route {
            method,
            path,
            caller,
            about: "",
            query: &[],
            body: "",
            answers: "",
            schemas: &[],
            content_type: "application/json",
        }
    }

    /// Whether Courier has nothing of the kind.
    pub fn is_ours(&self) -> bool {
        self.path.starts_with("/_bulkd/") || self.caller != Caller::Key
    }
}
