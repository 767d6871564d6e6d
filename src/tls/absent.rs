//! Without the feature `tls`: an error that says so.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ureq::config::ConfigBuilder;
use ureq::typestate::AgentScope;

use crate::config::Config;
use crate::error::{Error, Result};
use crate::http::TlsConfig;

/// There is none.
pub enum Prepared {}

impl Prepared {
    pub fn config(&self) -> Arc<TlsConfig> {
        match *self {}
    }

    pub fn keep(&self, _: &Path) -> Result<Option<PathBuf>> {
        match *self {}
    }
}

pub fn prepare(config: &Config) -> Result<Option<Prepared>> {
    match config.tls {
        Some(_) => Err(left_out()),
        None => Ok(None),
    }
}

pub fn authority_certificate(_: &Path) -> Result<String> {
    Err(left_out())
}

pub fn trust(_: ConfigBuilder<AgentScope>, _: &str, _: Option<&Path>) -> Result<ConfigBuilder<AgentScope>> {
    Err(left_out())
}

fn left_out() -> Error {
    Error::startup(
        "this bulkd was built without https; those of pip, npm and the archives have it, and so has one that is built by \
         cargo with --features tls",
    )
}
