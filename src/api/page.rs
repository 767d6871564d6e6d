//! The page, given to browsers: `/`, and the files that it is made of, under a path that changes with them.

use super::call::Params;
use super::settings::Settings;
use crate::error::{Error, Result};
use crate::http::{self, Request, Response};
use crate::store::Store;
use crate::ui;

pub const HTML: &str = "text/html; charset=utf-8";

/// What the page may do: run its own files, and call this daemon. No part of a message can become its markup or script.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; frame-src 'self'; \
                      img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
                      require-trusted-types-for 'script'";

/// In the path of files that may change with each load.
const DEVELOPMENT: &str = "dev";

/// `GET /`.
pub fn index(_: &Store, settings: &Settings, _: &Request, _: Params) -> Result<Response> {
    let version = if settings.ui_dir.is_some() { DEVELOPMENT } else { ui::version() };
    let text = read(settings, ui::index())?.replace(ui::VERSION, version);
    let headers = [
        ("Content-Security-Policy", POLICY),
        ("Referrer-Policy", "no-referrer"),
        ("Cross-Origin-Opener-Policy", "same-origin"),
    ];
    let response = http::typed(200, HTML, text);
    Ok(headers.into_iter().fold(response, |it, (name, value)| it.with_header(http::header(name, value))))
}

/// `GET /ui/{version}/{file}`: kept by browsers for ever, since another version has another path.
pub fn file(_: &Store, settings: &Settings, _: &Request, params: Params) -> Result<Response> {
    let param = |name| params.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value.as_str());
    let (version, name) = (param("version"), param("file"));
    let is_kept = version == ui::version() && settings.ui_dir.is_none();
    let file = ui::find(name).filter(|_| is_kept || version == DEVELOPMENT && settings.ui_dir.is_some());
    let file = file.ok_or_else(|| Error::not_found("the page has no such file; load it again at /"))?;
    let response = http::typed(200, file.content_type, read(settings, file)?);
    Ok(match is_kept {
        true => response.with_header(http::header("Cache-Control", "public, max-age=31536000, immutable")),
        false => response,
    })
}

/// The file's text: as it was built in, or as it is in the folder of `--ui-dir`.
fn read(settings: &Settings, file: &ui::File) -> Result<String> {
    let Some(folder) = &settings.ui_dir else { return Ok(file.text.to_owned()) };
    std::fs::read_to_string(folder.join(file.name))
        .map_err(|error| Error::not_found(format!("--ui-dir: {} cannot be read: {error}", file.name)))
}
