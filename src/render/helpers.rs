//! The helpers that texts may call: the engine's, and those that need what is rendered here.

use std::sync::LazyLock;

use super::escape;
use super::markdown::{self, MarkdownForm};
use crate::template::{Form, HELPERS, Helper, HelperCall, Helpers, Problem, Table, Value};

static ALL: LazyLock<Helpers> = LazyLock::new(|| Helpers::new(HELPERS.into_iter().chain([OWN])));

const OWN: &[Helper] = &[Helper {
    name: "markdown",
    arguments: "text",
    form: Form::Content(to_html),
    about: "Markdown as HTML.",
    source: "docs/platform/content/content-blocks/template-blocks",
    checks: &[],
}];

pub fn helpers() -> Table {
    &ALL
}

fn to_html<'a>(call: &HelperCall<'_, 'a>) -> Result<Value<'a>, Problem> {
    let (text, mut html) = (call.content(&escape::MARKDOWN_BLOCK)?, String::new());
    markdown::check_length(text).map_err(Problem)?;
    markdown::render(text, MarkdownForm::Html, &mut html);
    call.heap.text(&html).map(Value::Markup)
}
