//! The HTML of messages, shown in a browser without running anything in the page's name. A client that has the HTML
//! puts it here. For a while it stands under a path that cannot be guessed, since a frame can send no key.

use std::fmt::Write;

use serde::Deserialize;
use serde_json::json;

use super::call::{Action, Answer, Call, Params};
use super::query::Query;
use super::settings::Settings;
use crate::error::{Error, Result};
use crate::http::{self, Request, Response};
use crate::json;
use crate::store::Store;

const HTML: &str = "text/html; charset=utf-8";

#[derive(Deserialize)]
struct Sent {
    html: String,
}

/// `POST /_bulkd/frames` with `{html}`: 201 `{path}`.
pub fn create(mut call: Call<'_>) -> Result<Action> {
    let sent: Sent = json::read(&call.json()?, String::new)?;
    let frames = call.settings.frames.clone();
    Action::whole(move |_| {
        let ticket = frames.put(&sent.html);
        Ok(Answer::new(201, json!({ "path": format!("/_bulkd/frames/{ticket}") }).to_string()))
    })
}

/// `GET /_bulkd/frames/{ticket}?images=&scheme=`: 200 with the HTML. Images of other machines are shown only if that is
/// asked for: loading them tells their senders that the e-mail is read. `scheme` shows it as in a light or a dark
/// mailbox, whatever the browser prefers.
pub fn get(_: &Store, settings: &Settings, request: &Request, params: Params) -> Result<Response> {
    let query = Query::new(request.query(), &["images", "scheme"]);
    let images = if query.flag("images")? { " http: https:" } else { "" };
    let scheme = match query.one("scheme").as_deref() {
        None => None,
        Some("light") => Some("light"),
        Some("dark") => Some("dark"),
        Some(_) => return Err(Error::invalid("scheme", "expected 'light' or 'dark'")),
    };
    let ticket = params.iter().find(|(name, _)| *name == "ticket").map(|(_, ticket)| ticket.as_str());
    let found = ticket.and_then(|ticket| settings.frames.find(ticket));
    let html = found.ok_or_else(|| Error::not_found("there is no such frame (any more): they last ten minutes"))?;
    let html = scheme.map_or_else(|| html.to_string(), |scheme| in_scheme(&html, scheme));
    // An answer without a body has no type.
    let html = if html.is_empty() { "<!doctype html>".to_owned() } else { html };
    let policy = format!(
        "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:{images}; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'self'"
    );
    let response = http::typed(200, HTML, html).with_header(http::header("Content-Security-Policy", &policy));
    Ok(response.with_header(http::header("Referrer-Policy", "no-referrer")))
}

const PREFERS: &str = "prefers-color-scheme";

/// Makes style sheets take one scheme for the preferred one. A document that knows none stays as it is.
fn in_scheme(html: &str, scheme: &str) -> String {
    let mut out = String::with_capacity(html.len() + 128);
    let mut rest = html;
    while let Some(at) = rest.find(PREFERS) {
        let (before, behind) = rest.split_at(at);
        out.push_str(before);
        let value = behind[PREFERS.len()..].trim_start().strip_prefix(':').map(str::trim_start);
        let word = value.map_or(0, |value| value.bytes().take_while(u8::is_ascii_alphabetic).count());
        match value.filter(|_| word > 0) {
            Some(value) => {
                // What is so of each window, or of none.
                out.push_str(if value[..word].eq_ignore_ascii_case(scheme) { "min-width:0" } else { "max-width:0" });
                rest = &value[word..];
            }
            None => {
                out.push_str(PREFERS);
                rest = &behind[PREFERS.len()..];
            }
        }
    }
    out.push_str(rest);
    if html.contains("color-scheme") && html.contains("dark") {
        // Text on a page whose own style sheet has more to say of it stays as it is.
        let _ = write!(out, "<style>:root{{color-scheme:{scheme} only!important}}</style>");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_looked_at_in_one_scheme() {
        let html = "<style>@media (prefers-color-scheme: dark){a{}}@media(prefers-color-scheme:LIGHT){b{}}</style>";
        let dark = in_scheme(html, "dark");
        assert!(dark.contains("@media (min-width:0){a{}}@media(max-width:0){b{}}"), "{dark}");
        let light = in_scheme(html, "light");
        assert!(light.contains("@media (max-width:0){a{}}@media(min-width:0){b{}}"), "{light}");
        assert_eq!(in_scheme("prefers-color-scheme: \u{e9}", "dark"), "prefers-color-scheme: \u{e9}");
        assert_eq!(in_scheme("<p>Hello", "dark"), "<p>Hello");
    }
}
