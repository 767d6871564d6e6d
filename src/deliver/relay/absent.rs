//! What there is without the feature `relay`: a sentence that says so.

use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::Receiver;

use super::Stats;
use crate::deliver::command::Settings;
use crate::deliver::route::Route;
use crate::error::{Error, Result};
use crate::output::LineOutput;
use crate::store::{Db, Store};

/// There is none.
pub enum Prepared {}

impl Prepared {
    pub fn new(_: &str) -> Result<Self> {
        Err(left_out())
    }

    pub fn place(&self) -> &str {
        match *self {}
    }
}

/// There is none.
pub enum Relay {}

impl Relay {
    pub fn start(
        _: Arc<Store>,
        _: Arc<Route>,
        prepared: Prepared,
        _: u64,
    ) -> Result<(Arc<Relay>, Vec<JoinHandle<()>>)> {
        match prepared {}
    }

    pub fn stop(&self) {
        match *self {}
    }

    pub fn stats(&self, _: &Db<'_>) -> Result<Stats> {
        match *self {}
    }
}

pub fn deliver(_: Settings, _: &LineOutput, _: &Receiver<()>) -> Result<()> {
    Err(left_out())
}

fn left_out() -> Error {
    Error::startup(
        "this bulkd was built without the relay; those of pip, npm and the archives have it, and so has one that is built \
         by cargo with --features relay",
    )
}
