//! What bulkd is, for language models: one page of Markdown.

use std::fmt::Write;

use super::call::Answer;
use super::route::{Access, Route};

pub const CONTENT_TYPE: &str = "text/markdown; charset=utf-8";

const BEGINNING: &str = "# bulkd

> A local server that answers as Courier's Bulk API does, and keeps every message that would have gone out in an outbox. It
> sends nothing.

Point an SDK of Courier's at this address (`COURIER_BASE_URL`) with any API key: each key is an environment of its own. A
bulk job is created (`POST /bulk`), given users (`POST /bulk/{job_id}`), run (`POST /bulk/{job_id}/run`) and watched
(`GET /bulk/{job_id}`) until its status is COMPLETED. Its messages are then in `GET /_bulkd/outbox?job_id=`.

Requests need `Authorization: Bearer KEY`, but for those that say otherwise. Errors are `{\"message\", \"type\"}`, and the
message says what to send instead. [All routes with their schemas](/_bulkd/openapi.json). A server of the Model Context
Protocol is at `/_bulkd/mcp`.
";

/// `GET /llms.txt`: 200. Needs no key.
pub fn get(routes: &'static [Route]) -> Answer {
    let mut text = BEGINNING.to_owned();
    for (title, is_ours) in [("Courier's routes", false), ("bulkd's own routes", true)] {
        let _ = write!(text, "\n## {title}\n\n");
        for route in routes.iter().filter(|it| it.is_ours() == is_ours && !matches!(it.access, Access::Mailbox(_))) {
            let key = if route.needs_key() { "" } else { " (no key)" };
            let body = if route.body.is_empty() { String::new() } else { format!(" Takes {}.", route.body) };
            let query = route.query.join(", ");
            let query = if query.is_empty() { query } else { format!(" Parameters: {query}.") };
            let (method, path, about, answers) = (&route.method, route.path, route.about, route.answers);
            let _ = writeln!(text, "- `{method} {path}`{key}: {about}.{query}{body} Answers {answers}.");
        }
    }
    Answer::of_type(CONTENT_TYPE, text)
}
